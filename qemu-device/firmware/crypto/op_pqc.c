// SPDX-License-Identifier: GPL-2.0-or-later
/* Signatures with ML-DSA and SLH-DSA, and key encapsulation with ML-KEM. */
#include <openssl/err.h>

#include "crypto/internal.h"
#include "crypto/key.h"
#include "crypto/secret.h"

/* FIPS 204 algorithm 2, FIPS 205 algorithm 22 */
#define FW_PQC_CONTEXT_MAX	255

/* libcrypto's names of the parameters; older headers have no macros for them */
#define FW_PARAM_CONTEXT	"context-string"
#define FW_PARAM_DETERMINISTIC	"deterministic"

static CK_RV fw_pqc_sign_check(struct fw_work *w, const struct fw_mech_params *p)
{
	CK_RV rv;

	if (w->key->type != w->mech->variant ||
	    w->key->class != (fw_is_verify(w) ? CKO_PUBLIC_KEY : CKO_PRIVATE_KEY))
		return CKR_KEY_TYPE_INCONSISTENT;
	rv = fw_params_only(p, 0, FW_HAVE(PCIEHSM_F_P_CONTEXT) | FW_HAVE(PCIEHSM_F_P_HEDGE));
	if (rv != CKR_OK)
		return rv;
	if ((p->have & FW_HAVE(PCIEHSM_F_P_CONTEXT) && p->context.len > FW_PQC_CONTEXT_MAX) ||
	    (p->have & FW_HAVE(PCIEHSM_F_P_HEDGE) && p->hedge > CKH_DETERMINISTIC_REQUIRED))
		return CKR_MECHANISM_PARAM_INVALID;
	return CKR_OK;
}

static size_t fw_pqc_sign_bound(const struct fw_work *w, size_t in_len)
{
	(void)in_len;
	return w->key->pqc->out_len;
}

static CK_RV fw_pqc_sign_once(const struct fw_work *w, struct fw_bytes in,
			      const struct fw_bytes *sig, uint8_t *out, size_t *out_len)
{
	const struct fw_mech_params *p = w->p;
	OSSL_PARAM params[3], *q = params;
	int deterministic = 1;

	if (p->have & FW_HAVE(PCIEHSM_F_P_CONTEXT) && p->context.len)
		*q++ = OSSL_PARAM_construct_octet_string(FW_PARAM_CONTEXT, (void *)p->context.p,
							 p->context.len);
	/* Signing is hedged with fresh random bytes unless the caller rules that out. */
	if (!sig && p->have & FW_HAVE(PCIEHSM_F_P_HEDGE) &&
	    p->hedge == CKH_DETERMINISTIC_REQUIRED)
		*q++ = OSSL_PARAM_construct_int(FW_PARAM_DETERMINISTIC, &deterministic);
	*q = OSSL_PARAM_construct_end();
	return fw_once(w, in, sig, params, w->key->pqc->out_len, out, out_len);
}

const struct fw_mech_ops fw_pqc_sign_ops = {
	.check	= fw_pqc_sign_check,
	.bound	= fw_pqc_sign_bound,
	.once	= fw_pqc_sign_once,
};

/* ---- ML-KEM ---- */

static CK_RV fw_kem_begin(CK_ULONG mech, CK_ULONG flag, const struct fw_mech_params *params,
			  const struct fw_key *key, struct fw_attrs *attrs, uint64_t *type)
{
	const struct fw_mech *m = fw_mech_get(mech);
	CK_ULONG class = flag == CKF_ENCAPSULATE ? CKO_PUBLIC_KEY : CKO_PRIVATE_KEY;
	uint64_t len;
	CK_RV rv;

	if (!m || !(m->info.flags & flag))
		return CKR_MECHANISM_INVALID;
	if (key->type != CKK_ML_KEM || key->class != class)
		return CKR_KEY_TYPE_INCONSISTENT;
	if (params && params->have)
		return CKR_MECHANISM_PARAM_INVALID;
	if (!attrs)
		return CKR_OK;
	/* The secret has the length that it has. */
	if (fw_attrs_get_ulong(attrs, CKA_VALUE_LEN, &len) && len != FW_KEM_SECRET)
		return CKR_KEY_SIZE_RANGE;
	rv = fw_attrs_want_ulong(attrs, CKA_VALUE_LEN, FW_KEM_SECRET);
	return rv == CKR_OK ? fw_derive_template(attrs, CKO_SECRET_KEY, type, &len) : rv;
}

CK_RV fw_encapsulate(CK_ULONG mech, const struct fw_mech_params *params, struct fw_key *key,
		     struct fw_attrs *attrs, uint8_t *out, size_t *out_len)
{
	size_t room = *out_len, secret_len = FW_KEM_SECRET;
	uint8_t secret[FW_KEM_SECRET];
	EVP_PKEY_CTX *ctx;
	uint64_t type;
	CK_RV rv;

	rv = fw_kem_begin(mech, CKF_ENCAPSULATE, params, key, out ? attrs : NULL, &type);
	if (rv != CKR_OK)
		return rv;
	*out_len = key->pqc->out_len;
	if (!out)
		return CKR_OK;
	if (room < *out_len)
		return CKR_BUFFER_TOO_SMALL;
	rv = CKR_FUNCTION_FAILED;
	ctx = EVP_PKEY_CTX_new_from_pkey(fw_lib()->ctx, key->pkey, NULL);
	if (ctx && EVP_PKEY_encapsulate_init(ctx, NULL) > 0 &&
	    EVP_PKEY_encapsulate(ctx, out, out_len, secret, &secret_len) > 0 &&
	    secret_len == FW_KEM_SECRET)
		rv = fw_derive_done(attrs, CKO_SECRET_KEY, type, secret, secret_len);
	ERR_clear_error();
	EVP_PKEY_CTX_free(ctx);
	fw_wipe(secret, sizeof(secret));
	return rv;
}

CK_RV fw_decapsulate(CK_ULONG mech, const struct fw_mech_params *params, struct fw_key *key,
		     const uint8_t *in, size_t in_len, struct fw_attrs *attrs)
{
	size_t secret_len = FW_KEM_SECRET;
	uint8_t secret[FW_KEM_SECRET];
	EVP_PKEY_CTX *ctx;
	uint64_t type;
	CK_RV rv;

	rv = fw_kem_begin(mech, CKF_DECAPSULATE, params, key, attrs, &type);
	if (rv != CKR_OK)
		return rv;
	if (in_len != key->pqc->out_len)
		return CKR_WRAPPED_KEY_LEN_RANGE;
	rv = CKR_FUNCTION_FAILED;
	ctx = EVP_PKEY_CTX_new_from_pkey(fw_lib()->ctx, key->pkey, NULL);
	/* A ciphertext of another key gives a secret, too, that nobody knows (FIPS 203, 6.3). */
	if (ctx && EVP_PKEY_decapsulate_init(ctx, NULL) > 0 &&
	    EVP_PKEY_decapsulate(ctx, secret, &secret_len, in, in_len) > 0 &&
	    secret_len == FW_KEM_SECRET)
		rv = fw_derive_done(attrs, CKO_SECRET_KEY, type, secret, secret_len);
	ERR_clear_error();
	EVP_PKEY_CTX_free(ctx);
	fw_wipe(secret, sizeof(secret));
	return rv;
}
