// SPDX-License-Identifier: GPL-2.0-or-later
/* HMAC and CMAC. */
#include <string.h>

#include <openssl/core_names.h>

#include "crypto/internal.h"
#include "crypto/secret.h"

#define FW_CMAC_LEN	16

static bool fw_is_hmac(const struct fw_work *w)
{
	return w->mech->ops == &fw_hmac_ops;
}

static size_t fw_mac_full(const struct fw_work *w)
{
	return fw_is_hmac(w) ? w->hash->len : FW_CMAC_LEN;
}

static CK_RV fw_mac_check(struct fw_work *w, const struct fw_mech_params *p)
{
	bool general = w->mech->variant == FW_MAC_GENERAL;
	CK_RV rv;

	if (w->key->class != CKO_SECRET_KEY)
		return CKR_KEY_TYPE_INCONSISTENT;
	w->hash = w->mech->hash;
	if (fw_is_hmac(w) ? w->key->type != CKK_GENERIC_SECRET &&
			    w->key->type != w->hash->hmac_key : w->key->type != CKK_AES)
		return CKR_KEY_TYPE_INCONSISTENT;
	rv = fw_params_only(p, general ? FW_HAVE(PCIEHSM_F_P_MAC_LEN) : 0, 0);
	if (rv != CKR_OK)
		return rv;
	w->len = general ? p->mac_len : fw_mac_full(w);
	return w->len >= 1 && w->len <= fw_mac_full(w) ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
}

static size_t fw_mac_bound(const struct fw_work *w, size_t in_len)
{
	(void)in_len;
	return w->len;
}

CK_RV fw_mac_verdict(const uint8_t *mac, size_t len, const struct fw_bytes *sig)
{
	if (sig->len != len)
		return CKR_SIGNATURE_LEN_RANGE;
	return fw_secret_equal(mac, sig->p, len) ? CKR_OK : CKR_SIGNATURE_INVALID;
}

/* A context with the key in it, ready for data. */
static struct fw_ctx *fw_mac_ctx(const struct fw_work *w)
{
	bool hmac = fw_is_hmac(w);
	uint64_t tag = hmac ? FW_TAG(FW_TAG_HMAC, w->hash - fw_hashes, 0, 0) :
			      FW_TAG(FW_TAG_CMAC, 0, 0, 0);
	const char *cipher;
	OSSL_PARAM params[2];
	struct fw_ctx *ctx;

	ctx = fw_ctx_take(w->key, tag);
	if (ctx) {
		/* Without a key: start again with the one it has. */
		if (EVP_MAC_init(ctx->mac, NULL, 0, NULL))
			return ctx;
		fw_ctx_free(ctx);
	}
	ctx = fw_ctx_new(tag, FW_CTX_MAC);
	if (!ctx)
		return NULL;
	if (hmac) {
		params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
							     (char *)w->hash->name, 0);
	} else {
		cipher = EVP_CIPHER_get0_name(fw_aes_cipher(FW_AES_CBC, w->key->secret_len));
		params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER,
							     (char *)cipher, 0);
	}
	params[1] = OSSL_PARAM_construct_end();
	ctx->mac = EVP_MAC_CTX_new(hmac ? fw_lib()->hmac : fw_lib()->cmac);
	if (ctx->mac && EVP_MAC_init(ctx->mac, w->key->secret, w->key->secret_len, params))
		return ctx;
	fw_ctx_free(ctx);
	return NULL;
}

static CK_RV fw_mac_end(const struct fw_work *w, struct fw_ctx *ctx, const struct fw_bytes *sig,
			uint8_t *out, size_t *out_len)
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	CK_RV rv = CKR_OK;
	size_t len;

	if (!sig && w->len == fw_mac_full(w)) {
		*out_len = w->len;
		return EVP_MAC_final(ctx->mac, out, &len, w->len) ? CKR_OK : CKR_FUNCTION_FAILED;
	}
	if (!EVP_MAC_final(ctx->mac, mac, &len, sizeof(mac)))
		return CKR_FUNCTION_FAILED;
	if (sig) {
		rv = fw_mac_verdict(mac, w->len, sig);
	} else {
		memcpy(out, mac, w->len);
		*out_len = w->len;
	}
	fw_wipe(mac, sizeof(mac));
	return rv;
}

static CK_RV fw_mac_once(const struct fw_work *w, struct fw_bytes in, const struct fw_bytes *sig,
			 uint8_t *out, size_t *out_len)
{
	struct fw_ctx *ctx = fw_mac_ctx(w);
	CK_RV rv;

	if (!ctx)
		return CKR_HOST_MEMORY;
	if (in.len && !EVP_MAC_update(ctx->mac, in.p, in.len)) {
		fw_ctx_free(ctx);
		return CKR_FUNCTION_FAILED;
	}
	rv = fw_mac_end(w, ctx, sig, out, out_len);
	fw_ctx_give(w->key, ctx);
	return rv;
}

static CK_RV fw_mac_begin(struct fw_op *op)
{
	op->ctx = fw_mac_ctx(&op->w);
	return op->ctx ? CKR_OK : CKR_HOST_MEMORY;
}

static CK_RV fw_mac_update(struct fw_op *op, struct fw_bytes in, uint8_t *out, size_t *out_len)
{
	(void)out;
	*out_len = 0;
	return !in.len || EVP_MAC_update(op->ctx->mac, in.p, in.len) ? CKR_OK : CKR_FUNCTION_FAILED;
}

static size_t fw_mac_final_bound(const struct fw_op *op)
{
	return op->w.len;
}

static CK_RV fw_mac_final(struct fw_op *op, const struct fw_bytes *sig, uint8_t *out,
			  size_t *out_len)
{
	return fw_mac_end(&op->w, op->ctx, sig, out, out_len);
}

static const struct fw_stream fw_mac_stream = {
	.begin		= fw_mac_begin,
	.update		= fw_mac_update,
	.final_bound	= fw_mac_final_bound,
	.final		= fw_mac_final,
};

const struct fw_mech_ops fw_hmac_ops = {
	.check	= fw_mac_check,
	.bound	= fw_mac_bound,
	.once	= fw_mac_once,
	.stream	= &fw_mac_stream,
};

const struct fw_mech_ops fw_cmac_ops = {
	.check	= fw_mac_check,
	.bound	= fw_mac_bound,
	.once	= fw_mac_once,
	.stream	= &fw_mac_stream,
};
