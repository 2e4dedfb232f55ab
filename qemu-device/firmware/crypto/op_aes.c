// SPDX-License-Identifier: GPL-2.0-or-later
/* AES: ECB, CBC, CBC-PAD, CTR and GCM. Key wrap is in op_kw.c. */
#include <string.h>

#include "crypto/internal.h"
#include "crypto/secret.h"

#define FW_BLOCK	16
/* What libcrypto takes for GCM's nonce (3.0: 1024 bits) */
#define FW_GCM_IV_MAX	128
/* SP 800-38D: 2^39 - 256 bits; far beyond what int lengths allow in one part */
#define FW_GCM_DATA_MAX	((UINT64_C(1) << 36) - 32)

static enum fw_aes_mode fw_aes_mode(const struct fw_work *w)
{
	return w->mech->variant & ~FW_AES_PAD;
}

static bool fw_aes_padded(const struct fw_work *w)
{
	return w->mech->variant & FW_AES_PAD;
}

/* Does the mode work on whole blocks, so that there could be padding? */
static bool fw_aes_blocks(const struct fw_work *w)
{
	return fw_aes_mode(w) == FW_AES_ECB || fw_aes_mode(w) == FW_AES_CBC;
}

static CK_RV fw_aes_len_error(const struct fw_work *w)
{
	return fw_is_decrypt(w) ? CKR_ENCRYPTED_DATA_LEN_RANGE : CKR_DATA_LEN_RANGE;
}

static CK_RV fw_aes_check(struct fw_work *w, const struct fw_mech_params *p)
{
	CK_RV rv;

	if (w->key->class != CKO_SECRET_KEY || w->key->type != CKK_AES)
		return CKR_KEY_TYPE_INCONSISTENT;
	switch (fw_aes_mode(w)) {
	case FW_AES_ECB:
		return fw_params_only(p, 0, 0);
	case FW_AES_CBC:
		rv = fw_params_only(p, FW_HAVE(PCIEHSM_F_P_IV), 0);
		break;
	default:
		rv = fw_params_only(p, FW_HAVE(PCIEHSM_F_P_IV) |
				       FW_HAVE(PCIEHSM_F_P_COUNTER_BITS), 0);
		if (rv == CKR_OK && (p->counter_bits < 1 || p->counter_bits > 128))
			rv = CKR_MECHANISM_PARAM_INVALID;
		break;
	}
	if (rv == CKR_OK && p->iv.len != FW_BLOCK)
		rv = CKR_MECHANISM_PARAM_INVALID;
	return rv;
}

/*
 * How much CTR may work on: to the end of the counter's bits, not a block more (PKCS#11
 * 2.40 section 2.10.3). libcrypto would carry on into the nonce.
 */
static uint64_t fw_ctr_limit(const struct fw_mech_params *p)
{
	unsigned int bits = p->counter_bits, i;
	uint64_t low = 0, high = 0, blocks;

	for (i = 0; i < 8; i++) {
		high = high << 8 | p->iv.p[i];
		low = low << 8 | p->iv.p[8 + i];
	}
	if (bits > 64) {
		uint64_t mask = bits == 128 ? UINT64_MAX : (UINT64_C(1) << (bits - 64)) - 1;

		if ((high & mask) != mask)
			return UINT64_MAX;
		blocks = 0 - low;
	} else if (bits == 64) {
		blocks = 0 - low;
	} else {
		blocks = (UINT64_C(1) << bits) - (low & ((UINT64_C(1) << bits) - 1));
	}
	/* 0 stands for 2^64 here. */
	return blocks == 0 || blocks > UINT64_MAX / FW_BLOCK ? UINT64_MAX : blocks * FW_BLOCK;
}

/* A context with the key in it and the IV set, ready for data. */
static CK_RV fw_aes_ctx(const struct fw_work *w, struct fw_ctx **out)
{
	bool gcm = fw_aes_mode(w) == FW_AES_GCM;
	uint64_t tag = FW_TAG(FW_TAG_AES, w->mech->variant, fw_is_decrypt(w), 0);
	const struct fw_mech_params *p = w->p;
	struct fw_ctx *ctx;

	ctx = fw_ctx_take(w->key, tag);
	if (!ctx) {
		ctx = fw_ctx_new(tag, FW_CTX_CIPHER);
		if (!ctx)
			return CKR_HOST_MEMORY;
		ctx->cipher = EVP_CIPHER_CTX_new();
		if (!ctx->cipher ||
		    !EVP_CipherInit_ex(ctx->cipher,
				       fw_aes_cipher(fw_aes_mode(w), w->key->secret_len), NULL,
				       w->key->secret, NULL, !fw_is_decrypt(w)))
			goto fail;
		/* Where there is none anyway, saying so would be repeated for every IV. */
		if (fw_aes_blocks(w) && !fw_aes_padded(w) &&
		    !EVP_CIPHER_CTX_set_padding(ctx->cipher, 0))
			goto fail;
		ctx->iv_len = EVP_CIPHER_CTX_get_iv_length(ctx->cipher);
	}
	if (gcm && ctx->iv_len != p->iv.len) {
		if (!EVP_CIPHER_CTX_ctrl(ctx->cipher, EVP_CTRL_AEAD_SET_IVLEN, p->iv.len, NULL))
			goto fail;
		ctx->iv_len = p->iv.len;
	}
	/* This also drops what an earlier use left in it. */
	if (!EVP_CipherInit_ex(ctx->cipher, NULL, NULL, NULL, p->iv.p, -1))
		goto fail;
	*out = ctx;
	return CKR_OK;
fail:
	fw_ctx_free(ctx);
	return CKR_FUNCTION_FAILED;
}

static size_t fw_aes_bound(const struct fw_work *w, size_t in_len)
{
	if (fw_aes_padded(w) && !fw_is_decrypt(w))
		return in_len - in_len % FW_BLOCK + FW_BLOCK;
	return in_len;
}

static CK_RV fw_aes_total_check(const struct fw_work *w, uint64_t total)
{
	if (fw_aes_mode(w) == FW_AES_CTR || (fw_aes_padded(w) && !fw_is_decrypt(w)))
		return CKR_OK;
	if (total % FW_BLOCK || (fw_aes_padded(w) && !total))
		return fw_aes_len_error(w);
	return CKR_OK;
}

static CK_RV fw_aes_once(const struct fw_work *w, struct fw_bytes in, const struct fw_bytes *sig,
			 uint8_t *out, size_t *out_len)
{
	struct fw_ctx *ctx;
	int n = 0, m = 0;
	CK_RV rv;

	(void)sig;
	rv = fw_aes_total_check(w, in.len);
	if (rv != CKR_OK)
		return rv;
	if (fw_aes_mode(w) == FW_AES_CTR && in.len > fw_ctr_limit(w->p))
		return CKR_DATA_LEN_RANGE;
	rv = fw_aes_ctx(w, &ctx);
	if (rv != CKR_OK)
		return rv;
	if ((!in.len || EVP_CipherUpdate(ctx->cipher, out, &n, in.p, in.len)) &&
	    EVP_CipherFinal_ex(ctx->cipher, out + n, &m)) {
		*out_len = n + m;
		fw_ctx_give(w->key, ctx);
		return CKR_OK;
	}
	fw_ctx_free(ctx);
	/* What the lengths allow can only fail by its padding. */
	fw_wipe(out, in.len);
	return fw_is_decrypt(w) ? CKR_ENCRYPTED_DATA_INVALID : CKR_FUNCTION_FAILED;
}

static CK_RV fw_aes_begin(struct fw_op *op)
{
	return fw_aes_ctx(&op->w, &op->ctx);
}

/* Exactly what libcrypto will give for so much more input. */
static size_t fw_aes_update_bound(const struct fw_op *op, size_t in_len)
{
	size_t sum = op->held + in_len;

	if (fw_aes_mode(&op->w) == FW_AES_CTR)
		return in_len;
	/* The last block may be padding: it waits for more. */
	if (fw_aes_padded(&op->w) && fw_is_decrypt(&op->w))
		return sum ? (sum - 1) / FW_BLOCK * FW_BLOCK : 0;
	return sum / FW_BLOCK * FW_BLOCK;
}

static CK_RV fw_aes_update(struct fw_op *op, struct fw_bytes in, uint8_t *out, size_t *out_len)
{
	int n = 0;

	if (!in.len) {
		*out_len = 0;
		return CKR_OK;
	}
	if (fw_aes_mode(&op->w) == FW_AES_CTR &&
	    in.len > fw_ctr_limit(op->w.p) - op->total)
		return CKR_DATA_LEN_RANGE;
	if (!EVP_CipherUpdate(op->ctx->cipher, out, &n, in.p, in.len))
		return CKR_FUNCTION_FAILED;
	op->total += in.len;
	op->held += in.len - n;
	*out_len = n;
	return CKR_OK;
}

static size_t fw_aes_final_bound(const struct fw_op *op)
{
	return fw_aes_padded(&op->w) ? FW_BLOCK : 0;
}

static CK_RV fw_aes_final(struct fw_op *op, const struct fw_bytes *sig, uint8_t *out,
			  size_t *out_len)
{
	uint8_t block[FW_BLOCK];
	int n = 0;
	CK_RV rv;

	(void)sig;
	rv = fw_aes_total_check(&op->w, op->total);
	if (rv != CKR_OK)
		return rv;
	/* @out may be NULL where nothing comes out. */
	if (EVP_CipherFinal_ex(op->ctx->cipher, block, &n)) {
		if (n)
			memcpy(out, block, n);
		*out_len = n;
	} else {
		rv = fw_is_decrypt(&op->w) ? CKR_ENCRYPTED_DATA_INVALID : CKR_FUNCTION_FAILED;
	}
	fw_wipe(block, sizeof(block));
	return rv;
}

static const struct fw_stream fw_aes_stream = {
	.begin		= fw_aes_begin,
	.update_bound	= fw_aes_update_bound,
	.update		= fw_aes_update,
	.final_bound	= fw_aes_final_bound,
	.final		= fw_aes_final,
};

const struct fw_mech_ops fw_aes_ops = {
	.check	= fw_aes_check,
	.bound	= fw_aes_bound,
	.once	= fw_aes_once,
	.stream	= &fw_aes_stream,
};

/* ---- GCM ---- */

static CK_RV fw_gcm_check(struct fw_work *w, const struct fw_mech_params *p)
{
	CK_RV rv;

	if (w->key->class != CKO_SECRET_KEY || w->key->type != CKK_AES)
		return CKR_KEY_TYPE_INCONSISTENT;
	rv = fw_params_only(p, FW_HAVE(PCIEHSM_F_P_IV) | FW_HAVE(PCIEHSM_F_P_TAG_BITS),
			    FW_HAVE(PCIEHSM_F_P_AAD));
	if (rv != CKR_OK)
		return rv;
	if (p->iv.len < 1 || p->iv.len > FW_GCM_IV_MAX)
		return CKR_MECHANISM_PARAM_INVALID;
	switch (p->tag_bits) {
	/* SP 800-38D, 5.2.1.2 */
	case 128: case 120: case 112: case 104: case 96: case 64: case 32:
		w->len = p->tag_bits / 8;
		return CKR_OK;
	default:
		return CKR_MECHANISM_PARAM_INVALID;
	}
}

static bool fw_gcm_aad(const struct fw_work *w, struct fw_ctx *ctx)
{
	int n;

	if (!(w->p->have & FW_HAVE(PCIEHSM_F_P_AAD)) || !w->p->aad.len)
		return true;
	return EVP_CipherUpdate(ctx->cipher, NULL, &n, w->p->aad.p, w->p->aad.len);
}

static size_t fw_gcm_bound(const struct fw_work *w, size_t in_len)
{
	if (!fw_is_decrypt(w))
		return in_len + w->len;
	return in_len < w->len ? 0 : in_len - w->len;
}

static CK_RV fw_gcm_once(const struct fw_work *w, struct fw_bytes in, const struct fw_bytes *sig,
			 uint8_t *out, size_t *out_len)
{
	bool decrypt = fw_is_decrypt(w), ok;
	size_t len = in.len;
	struct fw_ctx *ctx;
	uint8_t dummy;
	int n;
	CK_RV rv;

	(void)sig;
	if (decrypt && len < w->len)
		return CKR_ENCRYPTED_DATA_LEN_RANGE;
	if (decrypt)
		len -= w->len;
	rv = fw_aes_ctx(w, &ctx);
	if (rv != CKR_OK)
		return rv;
	ok = fw_gcm_aad(w, ctx) && (!len || EVP_CipherUpdate(ctx->cipher, out, &n, in.p, len));
	if (decrypt)
		ok = ok && EVP_CIPHER_CTX_ctrl(ctx->cipher, EVP_CTRL_AEAD_SET_TAG, w->len,
					       (void *)(in.p + len));
	ok = ok && EVP_CipherFinal_ex(ctx->cipher, &dummy, &n) > 0;
	if (!decrypt)
		ok = ok && EVP_CIPHER_CTX_ctrl(ctx->cipher, EVP_CTRL_AEAD_GET_TAG, w->len,
					       out + len);
	if (!ok) {
		fw_ctx_free(ctx);
		fw_wipe(out, len);
		return decrypt ? CKR_ENCRYPTED_DATA_INVALID : CKR_FUNCTION_FAILED;
	}
	fw_ctx_give(w->key, ctx);
	*out_len = decrypt ? len : len + w->len;
	return CKR_OK;
}

static CK_RV fw_gcm_begin(struct fw_op *op)
{
	CK_RV rv = fw_aes_ctx(&op->w, &op->ctx);

	if (rv == CKR_OK && !fw_gcm_aad(&op->w, op->ctx))
		rv = CKR_FUNCTION_FAILED;
	return rv;
}

static size_t fw_gcm_update_bound(const struct fw_op *op, size_t in_len)
{
	(void)op;
	return in_len;
}

/* Encryption only: decryption is collected. */
static CK_RV fw_gcm_update(struct fw_op *op, struct fw_bytes in, uint8_t *out, size_t *out_len)
{
	int n = 0;

	if (in.len > FW_GCM_DATA_MAX - op->total)
		return CKR_DATA_LEN_RANGE;
	if (in.len && !EVP_CipherUpdate(op->ctx->cipher, out, &n, in.p, in.len))
		return CKR_FUNCTION_FAILED;
	op->total += in.len;
	*out_len = n;
	return CKR_OK;
}

static size_t fw_gcm_final_bound(const struct fw_op *op)
{
	return op->w.len;
}

static CK_RV fw_gcm_final(struct fw_op *op, const struct fw_bytes *sig, uint8_t *out,
			  size_t *out_len)
{
	uint8_t dummy;
	int n;

	(void)sig;
	if (!EVP_CipherFinal_ex(op->ctx->cipher, &dummy, &n) ||
	    !EVP_CIPHER_CTX_ctrl(op->ctx->cipher, EVP_CTRL_AEAD_GET_TAG, op->w.len, out))
		return CKR_FUNCTION_FAILED;
	*out_len = op->w.len;
	return CKR_OK;
}

static const struct fw_stream fw_gcm_stream = {
	.begin		= fw_gcm_begin,
	.update_bound	= fw_gcm_update_bound,
	.update		= fw_gcm_update,
	.final_bound	= fw_gcm_final_bound,
	.final		= fw_gcm_final,
};

const struct fw_mech_ops fw_aes_gcm_ops = {
	.check	= fw_gcm_check,
	.bound	= fw_gcm_bound,
	.once	= fw_gcm_once,
	.stream	= &fw_gcm_stream,
};
