// SPDX-License-Identifier: GPL-2.0-or-later
/* ECDSA with PKCS#11's form of signatures, and Ed25519. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>

#include "crypto/internal.h"

#define FW_ED25519_SIG	64
/* RFC 8032, 5.1 */
#define FW_EDDSA_CONTEXT_MAX	255
/* SEQUENCE of two INTEGERs of up to 67 bytes */
#define FW_ECDSA_DER_MAX	(3 + 2 * (2 + FW_SCALAR_MAX + 1))

static CK_RV fw_ec_check(struct fw_work *w, CK_ULONG type)
{
	if (w->key->type != type ||
	    w->key->class != (fw_is_verify(w) ? CKO_PUBLIC_KEY : CKO_PRIVATE_KEY))
		return CKR_KEY_TYPE_INCONSISTENT;
	return CKR_OK;
}

static CK_RV fw_ecdsa_check(struct fw_work *w, const struct fw_mech_params *p)
{
	w->hash = w->mech->hash;
	if (fw_ec_check(w, CKK_EC) != CKR_OK)
		return CKR_KEY_TYPE_INCONSISTENT;
	return fw_params_only(p, 0, 0);
}

static size_t fw_ecdsa_bound(const struct fw_work *w, size_t in_len)
{
	(void)in_len;
	return 2 * w->key->curve->len;
}

static struct fw_ctx *fw_ecdsa_ctx(const struct fw_work *w)
{
	uint64_t tag = FW_TAG(FW_TAG_ECDSA, w->fn, 0, 0);
	struct fw_ctx *ctx;

	ctx = fw_ctx_take(w->key, tag);
	if (ctx)
		return ctx;
	ctx = fw_ctx_new(tag, FW_CTX_PKEY);
	if (!ctx)
		return NULL;
	ctx->pkey = EVP_PKEY_CTX_new_from_pkey(fw_lib()->ctx, w->key->pkey, NULL);
	if (ctx->pkey && (fw_is_verify(w) ? EVP_PKEY_verify_init(ctx->pkey) :
					    EVP_PKEY_sign_init(ctx->pkey)) > 0)
		return ctx;
	fw_ctx_free(ctx);
	return NULL;
}

/* PKCS#11 has r and s one after the other in the curve's length, libcrypto has DER. */
static CK_RV fw_ecdsa_from_der(const uint8_t *der, size_t der_len, size_t len, uint8_t *out)
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, der_len);
	CK_RV rv = CKR_FUNCTION_FAILED;

	if (sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, len) >= 0 &&
	    BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + len, len) >= 0)
		rv = CKR_OK;
	ECDSA_SIG_free(sig);
	return rv;
}

static int fw_ecdsa_to_der(const struct fw_bytes *in, uint8_t der[FW_ECDSA_DER_MAX])
{
	BIGNUM *r = BN_bin2bn(in->p, in->len / 2, NULL);
	BIGNUM *s = BN_bin2bn(in->p + in->len / 2, in->len / 2, NULL);
	ECDSA_SIG *sig = ECDSA_SIG_new();
	int len = -1;

	if (r && s && sig && ECDSA_SIG_set0(sig, r, s)) {
		r = NULL;	/* owned by sig now */
		s = NULL;
		len = i2d_ECDSA_SIG(sig, &der);
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(sig);
	return len;
}

/* Longer input than the order has bits is cut by libcrypto, as PKCS#11 says. */
static CK_RV fw_ecdsa_finish(const struct fw_work *w, struct fw_bytes in,
			     const struct fw_bytes *sig, uint8_t *out, size_t *out_len)
{
	size_t len = w->key->curve->len, der_len = FW_ECDSA_DER_MAX;
	uint8_t der[FW_ECDSA_DER_MAX];
	struct fw_ctx *ctx;
	CK_RV rv;

	if (sig && sig->len != 2 * len)
		return CKR_SIGNATURE_LEN_RANGE;
	ctx = fw_ecdsa_ctx(w);
	if (!ctx)
		return CKR_HOST_MEMORY;
	if (!in.len)
		in.p = der;	/* a pointer to nothing is an error to libcrypto */
	if (sig) {
		int n = fw_ecdsa_to_der(sig, der);

		if (n < 0)
			rv = CKR_HOST_MEMORY;
		else
			rv = EVP_PKEY_verify(ctx->pkey, der, n, in.p, in.len) > 0 ?
			     CKR_OK : CKR_SIGNATURE_INVALID;
	} else if (EVP_PKEY_sign(ctx->pkey, der, &der_len, in.p, in.len) > 0) {
		*out_len = 2 * len;
		rv = fw_ecdsa_from_der(der, der_len, len, out);
	} else {
		rv = CKR_FUNCTION_FAILED;
	}
	if (rv == CKR_OK)
		fw_ctx_give(w->key, ctx);
	else
		fw_ctx_free(ctx);
	return rv;
}

const struct fw_mech_ops fw_ecdsa_ops = {
	.check	= fw_ecdsa_check,
	.bound	= fw_ecdsa_bound,
	.once	= fw_ecdsa_finish,
};

const struct fw_mech_ops fw_ecdsa_hash_ops = {
	.check	= fw_ecdsa_check,
	.bound	= fw_ecdsa_bound,
	.once	= fw_hashed_once,
	.finish	= fw_ecdsa_finish,
	.stream	= &fw_hashed_stream,
};

/* ---- Ed25519 ---- */

static bool fw_eddsa_prehash(const struct fw_work *w)
{
	return w->p->have & FW_HAVE(PCIEHSM_F_P_PREHASH) && w->p->prehash;
}

static struct fw_bytes fw_eddsa_context(const struct fw_work *w)
{
	struct fw_bytes none = { NULL, 0 };

	return w->p->have & FW_HAVE(PCIEHSM_F_P_CONTEXT) ? w->p->context : none;
}

/* Neither Ed25519ph nor Ed25519ctx; an empty context is none (RFC 8032, 5.1). */
static bool fw_eddsa_pure(const struct fw_work *w)
{
	return !fw_eddsa_prehash(w) && !fw_eddsa_context(w).len;
}

/*
 * Which variant, as libcrypto's parameters. Before 3.2 it has pure Ed25519 only, and would
 * take these for nothing.
 */
#ifdef OSSL_SIGNATURE_PARAM_INSTANCE
static bool fw_eddsa_variants(void)
{
	return OpenSSL_version_num() >= 0x30200000UL;
}

static void fw_eddsa_params(const struct fw_work *w, OSSL_PARAM params[3])
{
	struct fw_bytes context = fw_eddsa_context(w);

	if (!fw_eddsa_pure(w)) {
		*params++ = OSSL_PARAM_construct_utf8_string(OSSL_SIGNATURE_PARAM_INSTANCE,
				(char *)(fw_eddsa_prehash(w) ? "Ed25519ph" : "Ed25519ctx"), 0);
		if (context.len)
			*params++ = OSSL_PARAM_construct_octet_string(
					OSSL_SIGNATURE_PARAM_CONTEXT_STRING,
					(void *)context.p, context.len);
	}
	*params = OSSL_PARAM_construct_end();
}
#else
static bool fw_eddsa_variants(void)
{
	return false;
}

static void fw_eddsa_params(const struct fw_work *w, OSSL_PARAM params[3])
{
	(void)w;
	params[0] = OSSL_PARAM_construct_end();
}
#endif

static CK_RV fw_eddsa_check(struct fw_work *w, const struct fw_mech_params *p)
{
	CK_RV rv;

	rv = fw_ec_check(w, CKK_EC_EDWARDS);
	if (rv == CKR_OK)
		rv = fw_params_only(p, 0, FW_HAVE(PCIEHSM_F_P_PREHASH) |
					  FW_HAVE(PCIEHSM_F_P_CONTEXT));
	if (rv != CKR_OK)
		return rv;
	if (p->have & FW_HAVE(PCIEHSM_F_P_PREHASH) && p->prehash > 1)
		return CKR_MECHANISM_PARAM_INVALID;
	if (fw_eddsa_context(w).len > FW_EDDSA_CONTEXT_MAX)
		return CKR_MECHANISM_PARAM_INVALID;
	return fw_eddsa_pure(w) || fw_eddsa_variants() ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
}

static size_t fw_eddsa_bound(const struct fw_work *w, size_t in_len)
{
	(void)w;
	(void)in_len;
	return FW_ED25519_SIG;
}

CK_RV fw_once(const struct fw_work *w, struct fw_bytes in, const struct fw_bytes *sig,
	      const OSSL_PARAM *params, size_t sig_len, uint8_t *out, size_t *out_len)
{
	EVP_PKEY *pkey = w->key->pkey;
	CK_RV rv = CKR_FUNCTION_FAILED;
	EVP_MD_CTX *ctx;

	if (sig && sig->len != sig_len)
		return CKR_SIGNATURE_LEN_RANGE;
	ctx = EVP_MD_CTX_new();
	if (!ctx)
		return CKR_HOST_MEMORY;
	if (!in.len)
		in.p = (const uint8_t *)"";
	if (sig) {
		if (EVP_DigestVerifyInit_ex(ctx, NULL, NULL, fw_lib()->ctx, NULL, pkey,
					    params) > 0)
			rv = EVP_DigestVerify(ctx, sig->p, sig->len, in.p, in.len) > 0 ?
			     CKR_OK : CKR_SIGNATURE_INVALID;
	} else if (EVP_DigestSignInit_ex(ctx, NULL, NULL, fw_lib()->ctx, NULL, pkey,
					 params) > 0) {
		*out_len = sig_len;
		if (EVP_DigestSign(ctx, out, out_len, in.p, in.len) > 0)
			rv = CKR_OK;
	}
	EVP_MD_CTX_free(ctx);
	return rv;
}

static CK_RV fw_eddsa_once(const struct fw_work *w, struct fw_bytes in, const struct fw_bytes *sig,
			   uint8_t *out, size_t *out_len)
{
	OSSL_PARAM params[3];

	fw_eddsa_params(w, params);
	return fw_once(w, in, sig, params, FW_ED25519_SIG, out, out_len);
}

const struct fw_mech_ops fw_eddsa_ops = {
	.check	= fw_eddsa_check,
	.bound	= fw_eddsa_bound,
	.once	= fw_eddsa_once,
};
