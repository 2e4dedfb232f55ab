// SPDX-License-Identifier: GPL-2.0-or-later
/* Wrapping and unwrapping: the ciphers of op_*.c with a key as the data. */
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include "crypto/internal.h"
#include "crypto/key.h"
#include "crypto/secret.h"

#define FW_BLOCK	16

/* ECB and CBC without padding: PKCS#11 2.10.5 fills up with zeroes. */
static bool fw_wrap_zero_padded(CK_ULONG mech)
{
	return mech == CKM_AES_ECB || mech == CKM_AES_CBC;
}

/* RSA has no room for a private key, and zeroes behind one could not be told from it. */
static bool fw_wrap_secret_only(CK_ULONG mech)
{
	return mech == CKM_RSA_PKCS || mech == CKM_RSA_PKCS_OAEP || fw_wrap_zero_padded(mech);
}

/*
 * A private key on a Weierstrass curve is kept without its public point, which nothing but
 * its PKCS#8 form needs: libcrypto does not encode one without.
 */
static CK_RV fw_wrap_whole(const struct fw_key *target, EVP_PKEY **pkey)
{
	uint8_t scalar[FW_SCALAR_MAX], point[FW_POINT_MAX];
	const struct fw_curve *curve = target->curve;
	struct fw_bytes secret = { scalar, 0 }, pub = { point, 0 };
	BIGNUM *d = BN_secure_new();
	CK_RV rv = CKR_HOST_MEMORY;

	secret.len = curve->len;
	pub.len = fw_curve_point_len(curve);
	if (d && EVP_PKEY_get_bn_param(target->pkey, OSSL_PKEY_PARAM_PRIV_KEY, &d) &&
	    BN_bn2binpad(d, scalar, curve->len) >= 0)
		rv = fw_ec_public(curve, secret, point);
	if (rv == CKR_OK)
		rv = fw_curve_pkey(curve, pub, secret, pkey);
	BN_clear_free(d);
	fw_wipe(scalar, sizeof(scalar));
	return rv;
}

static CK_RV fw_wrap_plain_private(const struct fw_key *target, uint8_t **plain, size_t *len)
{
	PKCS8_PRIV_KEY_INFO *p8 = NULL;
	EVP_PKEY *pkey = target->pkey;
	uint8_t *der = NULL;
	CK_RV rv;
	int n;

	if (target->curve && target->curve->kind == FW_CURVE_WEIERSTRASS) {
		rv = fw_wrap_whole(target, &pkey);
		if (rv != CKR_OK)
			return rv;
	}
	p8 = EVP_PKEY2PKCS8(pkey);
	if (pkey != target->pkey)
		EVP_PKEY_free(pkey);
	if (!p8)
		return CKR_HOST_MEMORY;
	n = i2d_PKCS8_PRIV_KEY_INFO(p8, &der);
	PKCS8_PRIV_KEY_INFO_free(p8);
	if (n <= 0)
		return CKR_HOST_MEMORY;
	*plain = malloc(n);
	if (*plain)
		memcpy(*plain, der, n);
	*len = n;
	OPENSSL_clear_free(der, n);
	return *plain ? CKR_OK : CKR_HOST_MEMORY;
}

static CK_RV fw_wrap_plain(CK_ULONG mech, const struct fw_key *target, uint8_t **plain,
			   size_t *len)
{
	size_t room;

	if (target->class == CKO_PUBLIC_KEY)
		return CKR_KEY_NOT_WRAPPABLE;
	if (target->class == CKO_PRIVATE_KEY) {
		if (fw_wrap_secret_only(mech))
			return CKR_KEY_NOT_WRAPPABLE;
		return fw_wrap_plain_private(target, plain, len);
	}
	room = target->secret_len;
	if (fw_wrap_zero_padded(mech))
		room = (room + FW_BLOCK - 1) / FW_BLOCK * FW_BLOCK;
	*plain = calloc(1, room);
	if (!*plain)
		return CKR_HOST_MEMORY;
	memcpy(*plain, target->secret, target->secret_len);
	*len = room;
	return CKR_OK;
}

CK_RV fw_wrap(CK_ULONG mech, const struct fw_mech_params *params, struct fw_key *key,
	      struct fw_key *target, uint8_t *out, size_t *out_len)
{
	uint8_t *mem = NULL;
	struct fw_bytes plain;
	struct fw_work w;
	size_t len = 0;
	CK_RV rv;

	rv = fw_work_init(&w, PCIEHSM_FN_ENCRYPT, CKF_WRAP, mech, params, key);
	if (rv == CKR_KEY_TYPE_INCONSISTENT)
		return CKR_WRAPPING_KEY_TYPE_INCONSISTENT;
	if (rv == CKR_KEY_SIZE_RANGE)
		return CKR_WRAPPING_KEY_SIZE_RANGE;
	if (rv != CKR_OK)
		return rv;
	rv = fw_wrap_plain(mech, target, &mem, &len);
	if (rv != CKR_OK)
		return rv;
	plain.p = mem;
	plain.len = len;
	rv = fw_work_once(&w, plain, NULL, out, out_len);
	fw_wipe_free(mem, len);
	if (rv == CKR_DATA_LEN_RANGE)
		rv = CKR_KEY_SIZE_RANGE;
	return rv;
}

/* ---- the reverse ---- */

static CK_RV fw_unwrap_secret(CK_ULONG mech, uint64_t type, struct fw_bytes plain,
			      struct fw_attrs *attrs)
{
	uint64_t len;
	CK_RV rv;

	if (fw_attrs_has(attrs, CKA_VALUE_LEN)) {
		if (!fw_attrs_get_ulong(attrs, CKA_VALUE_LEN, &len))
			return CKR_ATTRIBUTE_VALUE_INVALID;
		/* What is cut off must be the zeroes that were put there, less than a block. */
		if (fw_wrap_zero_padded(mech) && len < plain.len && plain.len - len < FW_BLOCK)
			while (plain.len > len && !plain.p[plain.len - 1])
				plain.len--;
		if (len != plain.len)
			return CKR_TEMPLATE_INCONSISTENT;
	}
	if (fw_secret_len_check(type, plain.len) != CKR_OK)
		return CKR_WRAPPED_KEY_LEN_RANGE;
	rv = fw_attrs_put(attrs, CKA_VALUE, plain.p, plain.len);
	return rv == CKR_OK ? fw_secret_complete(attrs, type) : rv;
}

static CK_RV fw_unwrap_private(uint64_t type, struct fw_bytes plain, struct fw_attrs *attrs)
{
	const uint8_t *p = plain.p;
	PKCS8_PRIV_KEY_INFO *p8;
	EVP_PKEY *pkey = NULL;
	uint64_t is;
	CK_RV rv;

	p8 = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, plain.len);
	/* What follows the key is not of it: not a key then. */
	if (p8 && p == plain.p + plain.len)
		pkey = EVP_PKCS82PKEY_ex(p8, fw_lib()->ctx, NULL);
	PKCS8_PRIV_KEY_INFO_free(p8);
	if (!pkey) {
		ERR_clear_error();
		return CKR_WRAPPED_KEY_INVALID;
	}
	is = EVP_PKEY_is_a(pkey, "RSA") ? CKK_RSA : EVP_PKEY_is_a(pkey, "EC") ? CKK_EC :
	     EVP_PKEY_is_a(pkey, "ED25519") ? CKK_EC_EDWARDS :
	     EVP_PKEY_is_a(pkey, "X25519") ? CKK_EC_MONTGOMERY :
	     fw_pqc_of(pkey) ? fw_pqc_of(pkey)->type : CKK_VENDOR_DEFINED;
	if (is == CKK_VENDOR_DEFINED)
		rv = CKR_WRAPPED_KEY_INVALID;
	else if (is != type)
		rv = CKR_TEMPLATE_INCONSISTENT;
	else
		rv = fw_pkey_to_attrs(pkey, CKO_PRIVATE_KEY, attrs);
	if (rv == CKR_OK)
		rv = fw_key_complete(attrs);
	EVP_PKEY_free(pkey);
	/* The template cannot be to blame for what came out of the wrapping. */
	switch (rv) {
	case CKR_ATTRIBUTE_VALUE_INVALID:
	case CKR_KEY_SIZE_RANGE:
	case CKR_CURVE_NOT_SUPPORTED:
	case CKR_FUNCTION_FAILED:
		return CKR_WRAPPED_KEY_INVALID;
	default:
		return rv;
	}
}

static CK_RV fw_unwrap_template(const struct fw_attrs *attrs, uint64_t *class, uint64_t *type)
{
	unsigned int i;

	if (!fw_attrs_has(attrs, CKA_CLASS) || !fw_attrs_has(attrs, CKA_KEY_TYPE))
		return CKR_TEMPLATE_INCOMPLETE;
	if (!fw_attrs_get_ulong(attrs, CKA_CLASS, class) ||
	    !fw_attrs_get_ulong(attrs, CKA_KEY_TYPE, type))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	if (*class == CKO_SECRET_KEY ? !fw_secret_type(*type) : *class != CKO_PRIVATE_KEY)
		return CKR_TEMPLATE_INCONSISTENT;
	/* The curve or the like may be named: then it must be the one that comes out. */
	for (i = 0; i < attrs->count; i++)
		if (!fw_key_choice_attr(*class, *type, attrs->list[i].type) &&
		    fw_key_any_material_attr(attrs->list[i].type))
			return CKR_TEMPLATE_INCONSISTENT;
	return CKR_OK;
}

CK_RV fw_unwrap(CK_ULONG mech, const struct fw_mech_params *params, struct fw_key *key,
		const uint8_t *in, size_t in_len, struct fw_attrs *attrs)
{
	struct fw_bytes wrapped = { in, in_len }, plain;
	uint64_t class, type;
	struct fw_work w;
	uint8_t *mem;
	size_t room, len;
	CK_RV rv;

	rv = fw_work_init(&w, PCIEHSM_FN_DECRYPT, CKF_UNWRAP, mech, params, key);
	if (rv == CKR_KEY_TYPE_INCONSISTENT)
		return CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT;
	if (rv == CKR_KEY_SIZE_RANGE)
		return CKR_UNWRAPPING_KEY_SIZE_RANGE;
	if (rv == CKR_OK)
		rv = fw_unwrap_template(attrs, &class, &type);
	if (rv == CKR_OK)
		rv = fw_work_once(&w, wrapped, NULL, NULL, &room);
	if (rv == CKR_ENCRYPTED_DATA_LEN_RANGE)
		return CKR_WRAPPED_KEY_LEN_RANGE;
	if (rv != CKR_OK)
		return rv;
	mem = malloc(room ? room : 1);
	if (!mem)
		return CKR_HOST_MEMORY;
	len = room;
	rv = fw_work_once(&w, wrapped, NULL, mem, &len);
	plain.p = mem;
	plain.len = len;
	if (rv == CKR_OK && class == CKO_SECRET_KEY)
		rv = fw_unwrap_secret(mech, type, plain, attrs);
	else if (rv == CKR_OK)
		rv = fw_unwrap_private(type, plain, attrs);
	fw_wipe_free(mem, room);
	switch (rv) {
	case CKR_ENCRYPTED_DATA_INVALID:
		return CKR_WRAPPED_KEY_INVALID;
	case CKR_ENCRYPTED_DATA_LEN_RANGE:
	case CKR_DATA_LEN_RANGE:
		return CKR_WRAPPED_KEY_LEN_RANGE;
	default:
		return rv;
	}
}
