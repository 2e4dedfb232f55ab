// SPDX-License-Identifier: GPL-2.0-or-later
/* Keys from keys: ECDH (PKCS#11 2.3.19 ff.) and HKDF (PKCS#11 3.0, 2.46). */
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/kdf.h>

#include "crypto/internal.h"
#include "crypto/key.h"
#include "crypto/secret.h"

#define FW_HKDF_EXTRACT	1U
#define FW_HKDF_EXPAND	2U
/* RFC 5869, 2.3 */
#define FW_HKDF_BLOCKS	255

CK_RV fw_derive_template(struct fw_attrs *attrs, CK_ULONG class, uint64_t *type, uint64_t *len)
{
	CK_RV rv;

	*type = CKK_GENERIC_SECRET;
	*len = 0;
	rv = fw_attrs_want_ulong(attrs, CKA_CLASS, class);
	if (rv != CKR_OK)
		return rv;
	if (fw_attrs_has(attrs, CKA_VALUE))
		return CKR_TEMPLATE_INCONSISTENT;
	if (fw_attrs_has(attrs, CKA_VALUE_LEN) &&
	    (!fw_attrs_get_ulong(attrs, CKA_VALUE_LEN, len) || !*len))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	if (class == CKO_DATA)
		return CKR_OK;
	if (fw_attrs_has(attrs, CKA_KEY_TYPE) && !fw_attrs_get_ulong(attrs, CKA_KEY_TYPE, type))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	if (!fw_secret_type(*type))
		return CKR_TEMPLATE_INCONSISTENT;
	if (!*len && *type == CKK_AES)
		return CKR_TEMPLATE_INCOMPLETE;
	if (*len) {
		rv = fw_secret_len_check(*type, *len);
		if (rv != CKR_OK)
			return rv;
	}
	return fw_attrs_want_ulong(attrs, CKA_KEY_TYPE, *type);
}

CK_RV fw_derive_done(struct fw_attrs *attrs, CK_ULONG class, uint64_t type,
		     const uint8_t *value, size_t len)
{
	CK_RV rv = fw_attrs_put(attrs, CKA_VALUE, value, len);

	if (rv != CKR_OK)
		return rv;
	if (class == CKO_DATA) {
		fw_attrs_remove(attrs, CKA_VALUE_LEN);
		return CKR_OK;
	}
	return fw_secret_complete(attrs, type);
}

/* ---- ECDH ---- */

static CK_RV fw_ecdh_secret(struct fw_key *key, struct fw_bytes public, uint8_t *z, size_t *len)
{
	struct fw_bytes point, none = { NULL, 0 };
	EVP_PKEY *peer = NULL;
	EVP_PKEY_CTX *ctx;
	CK_RV rv;

	point = fw_curve_point(key->curve, public);
	if (!point.len)
		return CKR_MECHANISM_PARAM_INVALID;
	rv = fw_curve_pkey(key->curve, point, none, &peer);
	if (rv != CKR_OK)
		return rv == CKR_HOST_MEMORY ? rv : CKR_MECHANISM_PARAM_INVALID;
	rv = CKR_HOST_MEMORY;
	ctx = EVP_PKEY_CTX_new_from_pkey(fw_lib()->ctx, key->pkey, NULL);
	if (ctx && EVP_PKEY_derive_init(ctx) > 0) {
		/* Setting the peer checks its key; an X25519 result of all zeroes fails. */
		*len = FW_SCALAR_MAX;
		rv = EVP_PKEY_derive_set_peer(ctx, peer) > 0 &&
		     EVP_PKEY_derive(ctx, z, len) > 0 ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
	}
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(peer);
	return rv;
}

/* ANSI X9.63 KDF with the shared data as "SharedInfo" */
static CK_RV fw_x963(const struct fw_hash *hash, struct fw_bytes z, struct fw_bytes shared,
		     uint8_t *out, size_t len)
{
	const struct fw_lib *lib = fw_lib();
	OSSL_PARAM params[4], *p = params;
	EVP_KDF_CTX *ctx;
	CK_RV rv;

	if (!lib->x963kdf)
		return CKR_MECHANISM_PARAM_INVALID;
	ctx = EVP_KDF_CTX_new(lib->x963kdf);
	if (!ctx)
		return CKR_HOST_MEMORY;
	*p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)hash->name, 0);
	*p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, (void *)z.p, z.len);
	if (shared.len)
		*p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)shared.p,
							 shared.len);
	*p = OSSL_PARAM_construct_end();
	rv = EVP_KDF_derive(ctx, out, len, params) > 0 ? CKR_OK : CKR_FUNCTION_FAILED;
	EVP_KDF_CTX_free(ctx);
	return rv;
}

static CK_RV fw_derive_ecdh(const struct fw_mech_params *p, struct fw_key *key,
			    struct fw_attrs *attrs)
{
	struct fw_bytes shared = { NULL, 0 }, z;
	uint8_t secret[FW_SCALAR_MAX], out[FW_SECRET_MAX];
	const struct fw_hash *hash;
	uint64_t type, want;
	size_t len;
	CK_RV rv;

	if (key->class != CKO_PRIVATE_KEY ||
	    (key->type != CKK_EC && key->type != CKK_EC_MONTGOMERY))
		return CKR_KEY_TYPE_INCONSISTENT;
	rv = fw_params_only(p, FW_HAVE(PCIEHSM_F_P_KDF) | FW_HAVE(PCIEHSM_F_P_PUBLIC),
			    FW_HAVE(PCIEHSM_F_P_SHARED));
	if (rv != CKR_OK)
		return rv;
	if (p->have & FW_HAVE(PCIEHSM_F_P_SHARED))
		shared = p->shared;
	hash = fw_hash_by_kdf(p->kdf);
	/* CKD_NULL takes no shared data (PKCS#11 2.3.17) */
	if (p->kdf == CKD_NULL ? shared.len != 0 : !hash)
		return CKR_MECHANISM_PARAM_INVALID;
	rv = fw_derive_template(attrs, CKO_SECRET_KEY, &type, &want);
	if (rv != CKR_OK)
		return rv;
	rv = fw_ecdh_secret(key, p->public, secret, &len);
	if (rv != CKR_OK)
		goto out;
	if (!want)
		want = hash ? hash->len : len;
	if (hash) {
		z.p = secret;
		z.len = len;
		rv = fw_x963(hash, z, shared, out, want);
	} else if (want > len) {
		rv = CKR_KEY_SIZE_RANGE;
	} else {
		/* Truncation takes bytes from the leading end (PKCS#11 2.3.19). */
		memcpy(out, secret + len - want, want);
	}
	if (rv == CKR_OK)
		rv = fw_derive_done(attrs, CKO_SECRET_KEY, type, out, want);
out:
	fw_wipe(secret, sizeof(secret));
	fw_wipe(out, sizeof(out));
	return rv;
}

/* ---- HKDF ---- */

static CK_RV fw_hkdf_params(const struct fw_mech_params *p, const struct fw_hash **hash,
			    struct fw_bytes *salt, struct fw_bytes *info, int *mode)
{
	CK_RV rv;

	rv = fw_params_only(p, FW_HAVE(PCIEHSM_F_P_HASH) | FW_HAVE(PCIEHSM_F_P_HKDF),
			    FW_HAVE(PCIEHSM_F_P_SALT) | FW_HAVE(PCIEHSM_F_P_SALT_KEY) |
			    FW_HAVE(PCIEHSM_F_P_INFO));
	if (rv != CKR_OK)
		return rv;
	*hash = fw_hash_by_digest(p->hash);
	if (!*hash)
		return CKR_MECHANISM_PARAM_INVALID;
	switch (p->hkdf) {
	case FW_HKDF_EXTRACT:
		*mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY;
		break;
	case FW_HKDF_EXPAND:
		*mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
		break;
	case FW_HKDF_EXTRACT | FW_HKDF_EXPAND:
		*mode = EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND;
		break;
	default:
		return CKR_MECHANISM_PARAM_INVALID;
	}
	memset(salt, 0, sizeof(*salt));
	memset(info, 0, sizeof(*info));
	if (p->have & FW_HAVE(PCIEHSM_F_P_SALT_KEY)) {
		if (p->have & FW_HAVE(PCIEHSM_F_P_SALT) || !p->salt_key ||
		    p->salt_key->class != CKO_SECRET_KEY)
			return CKR_MECHANISM_PARAM_INVALID;
		salt->p = p->salt_key->secret;
		salt->len = p->salt_key->secret_len;
	} else if (p->have & FW_HAVE(PCIEHSM_F_P_SALT)) {
		*salt = p->salt;
	}
	if (p->have & FW_HAVE(PCIEHSM_F_P_INFO))
		*info = p->info;
	return info->len <= FW_HKDF_INFO_MAX ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
}

static CK_RV fw_derive_hkdf(const struct fw_mech_params *p, struct fw_key *key, CK_ULONG class,
			    struct fw_attrs *attrs)
{
	struct fw_bytes salt, info, ikm = { key->secret, key->secret_len };
	const struct fw_hash *hash;
	uint64_t type, want;
	uint8_t *out;
	int mode;
	CK_RV rv;

	if (key->class != CKO_SECRET_KEY || key->type == CKK_AES)
		return CKR_KEY_TYPE_INCONSISTENT;
	rv = fw_hkdf_params(p, &hash, &salt, &info, &mode);
	if (rv == CKR_OK)
		rv = fw_derive_template(attrs, class, &type, &want);
	if (rv != CKR_OK)
		return rv;
	if (mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY) {
		/* The pseudorandom key has the length that it has. */
		if (want && want != hash->len)
			return CKR_TEMPLATE_INCONSISTENT;
		want = hash->len;
	}
	if (!want)
		return CKR_TEMPLATE_INCOMPLETE;
	if (want > (uint64_t)FW_HKDF_BLOCKS * hash->len)
		return CKR_KEY_SIZE_RANGE;
	out = malloc(want);
	if (!out)
		return CKR_HOST_MEMORY;
	rv = fw_hkdf(hash, mode, ikm, salt, info, out, want);
	if (rv == CKR_OK)
		rv = fw_derive_done(attrs, class, type, out, want);
	fw_wipe_free(out, want);
	return rv;
}

CK_RV fw_derive(CK_ULONG mech, const struct fw_mech_params *params, struct fw_key *key,
		struct fw_attrs *attrs)
{
	const struct fw_mech *m = fw_mech_get(mech);

	if (!m || !(m->info.flags & CKF_DERIVE))
		return CKR_MECHANISM_INVALID;
	if (!params)
		return CKR_MECHANISM_PARAM_INVALID;
	switch (mech) {
	case CKM_HKDF_DERIVE:
		return fw_derive_hkdf(params, key, CKO_SECRET_KEY, attrs);
	case CKM_HKDF_DATA:
		return fw_derive_hkdf(params, key, CKO_DATA, attrs);
	default:
		/* With the cofactor is the same: all our curves have 1, or do it by themselves. */
		return fw_derive_ecdh(params, key, attrs);
	}
}
