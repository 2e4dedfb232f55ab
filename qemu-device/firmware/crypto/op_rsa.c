// SPDX-License-Identifier: GPL-2.0-or-later
/* RSA: PKCS#1 v1.5, PSS, OAEP and raw (X.509); with and without a hash in front. */
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/rsa.h>

#include "crypto/internal.h"
#include "crypto/secret.h"

/* PKCS#1 v1.5: 00 01|02, at least 8 bytes, 00 */
#define FW_PKCS1_OVERHEAD	11

static size_t fw_rsa_len(const struct fw_work *w)
{
	return (w->key->bits + 7) / 8;
}

static bool fw_rsa_private(enum pciehsm_function fn)
{
	return fn == PCIEHSM_FN_SIGN || fn == PCIEHSM_FN_SIGN_RECOVER || fn == PCIEHSM_FN_DECRYPT;
}

static CK_RV fw_rsa_check_op(struct fw_work *w, const struct fw_mech_params *p)
{
	size_t em_len;
	CK_RV rv;

	if (w->key->type != CKK_RSA ||
	    w->key->class != (fw_rsa_private(w->fn) ? CKO_PRIVATE_KEY : CKO_PUBLIC_KEY))
		return CKR_KEY_TYPE_INCONSISTENT;
	w->hash = w->mech->hash;
	switch (w->mech->variant) {
	case FW_RSA_PSS:
		rv = fw_params_only(p, FW_HAVE(PCIEHSM_F_P_HASH) | FW_HAVE(PCIEHSM_F_P_MGF) |
				       FW_HAVE(PCIEHSM_F_P_SALT_LEN), 0);
		break;
	case FW_RSA_OAEP:
		rv = fw_params_only(p, FW_HAVE(PCIEHSM_F_P_HASH) | FW_HAVE(PCIEHSM_F_P_MGF),
				    FW_HAVE(PCIEHSM_F_P_SOURCE));
		break;
	default:
		return fw_params_only(p, 0, 0);
	}
	if (rv != CKR_OK)
		return rv;
	w->hash = fw_hash_by_digest(p->hash);
	w->mgf = fw_hash_by_mgf(p->mgf);
	/* With a hash of its own the mechanism does not take another. */
	if (!w->hash || !w->mgf || (w->mech->hash && w->mech->hash != w->hash))
		return CKR_MECHANISM_PARAM_INVALID;
	if (w->mech->variant == FW_RSA_PSS) {
		/* RFC 8017, 9.1.1 step 3 */
		em_len = (w->key->bits - 1 + 7) / 8;
		if (p->salt_len > em_len - w->hash->len - 2)
			return CKR_MECHANISM_PARAM_INVALID;
	}
	return CKR_OK;
}

static int fw_rsa_padding(const struct fw_work *w)
{
	switch (w->mech->variant) {
	case FW_RSA_PSS:
		return RSA_PKCS1_PSS_PADDING;
	case FW_RSA_OAEP:
		return RSA_PKCS1_OAEP_PADDING;
	case FW_RSA_RAW:
		return RSA_NO_PADDING;
	default:
		return RSA_PKCS1_PADDING;
	}
}

static bool fw_rsa_setup(const struct fw_work *w, EVP_PKEY_CTX *ctx)
{
	int ok;

	switch (w->fn) {
	case PCIEHSM_FN_SIGN:
	case PCIEHSM_FN_SIGN_RECOVER:
		ok = EVP_PKEY_sign_init(ctx);
		break;
	case PCIEHSM_FN_VERIFY:
		ok = EVP_PKEY_verify_init(ctx);
		break;
	case PCIEHSM_FN_VERIFY_RECOVER:
		ok = EVP_PKEY_verify_recover_init(ctx);
		break;
	case PCIEHSM_FN_ENCRYPT:
		ok = EVP_PKEY_encrypt_init(ctx);
		break;
	default:
		ok = EVP_PKEY_decrypt_init(ctx);
		break;
	}
	if (ok <= 0 || EVP_PKEY_CTX_set_rsa_padding(ctx, fw_rsa_padding(w)) <= 0)
		return false;
	switch (w->mech->variant) {
	case FW_RSA_PSS:
		return EVP_PKEY_CTX_set_signature_md(ctx, fw_hash_md(w->hash)) > 0 &&
		       EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, fw_hash_md(w->mgf)) > 0 &&
		       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, w->p->salt_len) > 0;
	case FW_RSA_OAEP:
		return EVP_PKEY_CTX_set_rsa_oaep_md(ctx, fw_hash_md(w->hash)) > 0 &&
		       EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, fw_hash_md(w->mgf)) > 0;
	case FW_RSA_PKCS1:
#ifdef OSSL_ASYM_CIPHER_PARAM_IMPLICIT_REJECTION
		/*
		 * From 3.2 on libcrypto gives random bytes for a bad padding. PKCS#11 has an
		 * error for it, and C_UnwrapKey must not make keys of random bytes.
		 */
		if (w->fn == PCIEHSM_FN_DECRYPT) {
			unsigned int no = 0;
			OSSL_PARAM params[] = {
				OSSL_PARAM_construct_uint(OSSL_ASYM_CIPHER_PARAM_IMPLICIT_REJECTION,
							  &no),
				OSSL_PARAM_construct_end()
			};

			if (EVP_PKEY_CTX_set_params(ctx, params) <= 0)
				return false;
		}
#endif
		return !w->hash || EVP_PKEY_CTX_set_signature_md(ctx, fw_hash_md(w->hash)) > 0;
	default:
		return true;
	}
}

static struct fw_ctx *fw_rsa_ctx(const struct fw_work *w)
{
	unsigned int hash = w->hash ? w->hash - fw_hashes + 1 : 0;
	unsigned int mgf = w->mgf ? w->mgf - fw_hashes + 1 : 0;
	unsigned int salt = w->mech->variant == FW_RSA_PSS ? w->p->salt_len : 0;
	uint64_t tag = FW_TAG(FW_TAG_RSA, w->fn << 8 | w->mech->variant, hash << 8 | mgf, salt);
	struct fw_ctx *ctx;

	ctx = fw_ctx_take(w->key, tag);
	if (ctx)
		return ctx;
	ctx = fw_ctx_new(tag, FW_CTX_PKEY);
	if (!ctx)
		return NULL;
	ctx->pkey = EVP_PKEY_CTX_new_from_pkey(fw_lib()->ctx, w->key->pkey, NULL);
	if (ctx->pkey && fw_rsa_setup(w, ctx->pkey))
		return ctx;
	fw_ctx_free(ctx);
	return NULL;
}

/* OAEP's label is of one operation: set it before, take it away after. */
static bool fw_rsa_label(const struct fw_work *w, struct fw_ctx *ctx)
{
	struct fw_bytes label = w->p->source;
	void *copy = NULL;

	if (w->mech->variant != FW_RSA_OAEP)
		return true;
	if (w->p->have & FW_HAVE(PCIEHSM_F_P_SOURCE) && label.len) {
		copy = OPENSSL_memdup(label.p, label.len);
		if (!copy)
			return false;
	} else {
		label.len = 0;
	}
	if (EVP_PKEY_CTX_set0_rsa_oaep_label(ctx->pkey, copy, label.len) > 0)
		return true;
	OPENSSL_free(copy);
	return false;
}

static size_t fw_rsa_bound(const struct fw_work *w, size_t in_len)
{
	(void)in_len;
	return fw_rsa_len(w);
}

/* Is so much data all right for signing or encrypting? */
static bool fw_rsa_data_ok(const struct fw_work *w, size_t len)
{
	size_t k = fw_rsa_len(w);

	switch (w->mech->variant) {
	case FW_RSA_PKCS1:
		return w->hash || len <= k - FW_PKCS1_OVERHEAD;
	case FW_RSA_PSS:
		return len == w->hash->len;
	case FW_RSA_OAEP:
		return len <= k - 2 * w->hash->len - 2;
	default:
		return len <= k;
	}
}

/* Raw RSA takes a number: fill up with zeroes in front; it must be below the modulus. */
static CK_RV fw_rsa_raw_block(const struct fw_work *w, struct fw_bytes *in,
			      uint8_t block[FW_RSA_MAX / 8])
{
	size_t k = fw_rsa_len(w);
	BIGNUM *n = NULL, *x = NULL;
	CK_RV rv = CKR_HOST_MEMORY;

	memset(block, 0, k - in->len);
	if (in->len)
		memcpy(block + k - in->len, in->p, in->len);
	in->p = block;
	in->len = k;
	x = BN_secure_new();
	if (x && BN_bin2bn(block, k, x) &&
	    EVP_PKEY_get_bn_param(w->key->pkey, OSSL_PKEY_PARAM_RSA_N, &n))
		rv = BN_cmp(x, n) < 0 ? CKR_OK : CKR_DATA_INVALID;
	BN_clear_free(x);
	BN_free(n);
	return rv;
}

static CK_RV fw_rsa_finish(const struct fw_work *w, struct fw_bytes in, const struct fw_bytes *sig,
			   uint8_t *out, size_t *out_len)
{
	bool raw = w->mech->variant == FW_RSA_RAW;
	uint8_t block[FW_RSA_MAX / 8];
	size_t k = fw_rsa_len(w);
	struct fw_ctx *ctx;
	CK_RV rv;
	int ok;

	switch (w->fn) {
	case PCIEHSM_FN_DECRYPT:
		if (in.len != k)
			return CKR_ENCRYPTED_DATA_LEN_RANGE;
		break;
	case PCIEHSM_FN_VERIFY_RECOVER:
		if (in.len != k)
			return CKR_SIGNATURE_LEN_RANGE;
		break;
	case PCIEHSM_FN_VERIFY:
		if (sig->len != k)
			return CKR_SIGNATURE_LEN_RANGE;
		/* fall through */
	default:
		if (!fw_rsa_data_ok(w, in.len))
			return CKR_DATA_LEN_RANGE;
		if (raw) {
			rv = fw_rsa_raw_block(w, &in, block);
			if (rv != CKR_OK)
				goto wipe;
		}
		break;
	}
	rv = CKR_HOST_MEMORY;
	ctx = fw_rsa_ctx(w);
	if (!ctx)
		goto wipe;
	if (!fw_rsa_label(w, ctx)) {
		fw_ctx_free(ctx);
		goto wipe;
	}
	/* A pointer to nothing is an error to libcrypto even if its length is 0. */
	if (!in.len)
		in.p = block;
	if (out)
		*out_len = k;
	switch (w->fn) {
	case PCIEHSM_FN_SIGN:
	case PCIEHSM_FN_SIGN_RECOVER:
		ok = EVP_PKEY_sign(ctx->pkey, out, out_len, in.p, in.len);
		rv = CKR_FUNCTION_FAILED;
		break;
	case PCIEHSM_FN_VERIFY:
		ok = EVP_PKEY_verify(ctx->pkey, sig->p, sig->len, in.p, in.len);
		rv = CKR_SIGNATURE_INVALID;
		break;
	case PCIEHSM_FN_VERIFY_RECOVER:
		ok = EVP_PKEY_verify_recover(ctx->pkey, out, out_len, in.p, in.len);
		rv = CKR_SIGNATURE_INVALID;
		break;
	case PCIEHSM_FN_ENCRYPT:
		ok = EVP_PKEY_encrypt(ctx->pkey, out, out_len, in.p, in.len);
		rv = CKR_FUNCTION_FAILED;
		break;
	default:
		ok = EVP_PKEY_decrypt(ctx->pkey, out, out_len, in.p, in.len);
		rv = CKR_ENCRYPTED_DATA_INVALID;
		break;
	}
	if (ok > 0) {
		rv = CKR_OK;
		fw_ctx_give(w->key, ctx);
	} else {
		fw_ctx_free(ctx);
	}
wipe:
	if (raw)
		fw_wipe(block, k);
	return rv;
}

/* The data themselves are what the padding goes around. */
static CK_RV fw_rsa_once(const struct fw_work *w, struct fw_bytes in, const struct fw_bytes *sig,
			 uint8_t *out, size_t *out_len)
{
	uint8_t text[FW_RSA_MAX / 8];
	size_t len = sizeof(text);
	struct fw_work recover;
	CK_RV rv;

	if (w->fn != PCIEHSM_FN_VERIFY || w->mech->variant != FW_RSA_PKCS1)
		return fw_rsa_finish(w, in, sig, out, out_len);
	/*
	 * libcrypto does not verify a signature of no data, and gives such a one as having
	 * none. So look at what is inside, and compare that.
	 */
	if (!fw_rsa_data_ok(w, in.len))
		return CKR_DATA_LEN_RANGE;
	recover = *w;
	recover.fn = PCIEHSM_FN_VERIFY_RECOVER;
	rv = fw_rsa_finish(&recover, *sig, NULL, text, &len);
	if (rv == CKR_OK && (len != in.len || (len && memcmp(text, in.p, len))))
		rv = CKR_SIGNATURE_INVALID;
	return rv;
}

const struct fw_mech_ops fw_rsa_ops = {
	.check	= fw_rsa_check_op,
	.bound	= fw_rsa_bound,
	.once	= fw_rsa_once,
};

const struct fw_mech_ops fw_rsa_hash_ops = {
	.check	= fw_rsa_check_op,
	.bound	= fw_rsa_bound,
	.once	= fw_hashed_once,
	.finish	= fw_rsa_finish,
	.stream	= &fw_hashed_stream,
};
