// SPDX-License-Identifier: GPL-2.0-or-later
/* Named curves and the keys on them. */
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/x509.h>

#include "crypto/internal.h"
#include "crypto/key.h"
#include "crypto/secret.h"

#define LIT(s)	{ (const uint8_t *)(s), sizeof(s) - 1 }
#define NONE	{ NULL, 0 }

/*
 * The OIDs are those of SEC 2 and RFC 8410. The names of the last two are those of PKCS#11
 * 3.0 section 2.3.1.
 */
static const struct fw_curve fw_curves[] = {
	{ FW_CURVE_WEIERSTRASS, "prime256v1", NID_X9_62_prime256v1, 256, 32,
	  LIT("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"), NONE },
	{ FW_CURVE_WEIERSTRASS, "secp384r1", NID_secp384r1, 384, 48,
	  LIT("\x06\x05\x2b\x81\x04\x00\x22"), NONE },
	{ FW_CURVE_WEIERSTRASS, "secp521r1", NID_secp521r1, 521, 66,
	  LIT("\x06\x05\x2b\x81\x04\x00\x23"), NONE },
	{ FW_CURVE_WEIERSTRASS, "secp256k1", NID_secp256k1, 256, 32,
	  LIT("\x06\x05\x2b\x81\x04\x00\x0a"), NONE },
	{ FW_CURVE_EDWARDS, "ED25519", NID_ED25519, 255, 32,
	  LIT("\x06\x03\x2b\x65\x70"), LIT("\x13\x0c" "edwards25519") },
	{ FW_CURVE_MONTGOMERY, "X25519", NID_X25519, 255, 32,
	  LIT("\x06\x03\x2b\x65\x6e"), LIT("\x13\x0a" "curve25519") },
};

#define FW_CURVE_COUNT	(sizeof(fw_curves) / sizeof(fw_curves[0]))

static bool fw_bytes_equal(struct fw_bytes a, struct fw_bytes b)
{
	return a.len == b.len && a.len && !memcmp(a.p, b.p, a.len);
}

CK_ULONG fw_curve_key_type(const struct fw_curve *curve)
{
	switch (curve->kind) {
	case FW_CURVE_EDWARDS:
		return CKK_EC_EDWARDS;
	case FW_CURVE_MONTGOMERY:
		return CKK_EC_MONTGOMERY;
	default:
		return CKK_EC;
	}
}

const struct fw_curve *fw_curve_find(CK_ULONG key_type, struct fw_bytes params)
{
	size_t i;

	for (i = 0; i < FW_CURVE_COUNT; i++) {
		const struct fw_curve *curve = &fw_curves[i];

		if (fw_curve_key_type(curve) == key_type &&
		    (fw_bytes_equal(curve->params, params) ||
		     fw_bytes_equal(curve->params_name, params)))
			return curve;
	}
	return NULL;
}

const struct fw_curve *fw_curve_by_name(const char *name)
{
	size_t i;

	for (i = 0; i < FW_CURVE_COUNT; i++)
		if (!strcmp(fw_curves[i].name, name))
			return &fw_curves[i];
	return NULL;
}

size_t fw_curve_point_len(const struct fw_curve *curve)
{
	return curve->kind == FW_CURVE_WEIERSTRASS ? 1 + 2 * curve->len : curve->len;
}

/* The header of a DER OCTET STRING of @len bytes, which is at most FW_POINT_MAX. */
static size_t fw_octet_string_header(size_t len, uint8_t header[3])
{
	header[0] = V_ASN1_OCTET_STRING;
	if (len < 0x80) {
		header[1] = len;
		return 2;
	}
	header[1] = 0x81;
	header[2] = len;
	return 3;
}

struct fw_bytes fw_curve_point(const struct fw_curve *curve, struct fw_bytes in)
{
	size_t len = fw_curve_point_len(curve), header_len;
	struct fw_bytes none = { NULL, 0 };
	uint8_t header[3];

	/* The total length tells the two forms apart: 0x04 begins both. */
	header_len = fw_octet_string_header(len, header);
	if (in.len == len + header_len && !memcmp(in.p, header, header_len)) {
		in.p += header_len;
		in.len = len;
	}
	if (in.len != len)
		return none;
	if (curve->kind == FW_CURVE_WEIERSTRASS && in.p[0] != POINT_CONVERSION_UNCOMPRESSED)
		return none;
	return in;
}

CK_RV fw_curve_pkey(const struct fw_curve *curve, struct fw_bytes point, struct fw_bytes secret,
		    EVP_PKEY **pkey)
{
	bool weierstrass = curve->kind == FW_CURVE_WEIERSTRASS;
	uint8_t native[FW_SCALAR_MAX];
	OSSL_PARAM params[4], *p = params;
	EVP_PKEY_CTX *ctx;
	BIGNUM *d = NULL;
	CK_RV rv;

	ctx = EVP_PKEY_CTX_new_from_name(fw_lib()->ctx, weierstrass ? "EC" : curve->name, NULL);
	if (!ctx)
		return CKR_HOST_MEMORY;
	if (weierstrass)
		*p++ = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
							(char *)curve->name, 0);
	if (point.len)
		*p++ = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
							 (void *)point.p, point.len);
	rv = CKR_HOST_MEMORY;
	if (secret.len && weierstrass) {
		d = BN_secure_new();
		if (!d || !BN_bin2bn(secret.p, secret.len, d) ||
		    BN_bn2nativepad(d, native, curve->len) < 0)
			goto out;
		*p++ = OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, native, curve->len);
	} else if (secret.len) {
		*p++ = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY,
							 (void *)secret.p, secret.len);
	}
	*p = OSSL_PARAM_construct_end();

	*pkey = NULL;
	rv = CKR_FUNCTION_FAILED;
	if (EVP_PKEY_fromdata_init(ctx) <= 0)
		goto out;
	if (EVP_PKEY_fromdata(ctx, pkey, secret.len ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
			      params) > 0)
		rv = CKR_OK;
	else
		rv = secret.len ? CKR_ATTRIBUTE_VALUE_INVALID : CKR_PUBLIC_KEY_INVALID;
out:
	fw_wipe(native, sizeof(native));
	BN_clear_free(d);
	EVP_PKEY_CTX_free(ctx);
	return rv;
}

/*
 * The private value in its full length, for libcrypto: PKCS#11 has a big integer
 * for Weierstrass curves and plain bytes (RFC 8032, RFC 7748) for the others.
 */
static CK_RV fw_ec_secret(const struct fw_curve *curve, struct fw_bytes value,
			  uint8_t out[FW_SCALAR_MAX])
{
	if (curve->kind != FW_CURVE_WEIERSTRASS) {
		if (value.len != curve->len)
			return CKR_ATTRIBUTE_VALUE_INVALID;
		memcpy(out, value.p, value.len);
		return CKR_OK;
	}
	while (value.len && !value.p[0]) {
		value.p++;
		value.len--;
	}
	if (!value.len || value.len > curve->len)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	memset(out, 0, curve->len - value.len);
	memcpy(out + curve->len - value.len, value.p, value.len);
	return CKR_OK;
}

static CK_RV fw_ec_curve(const struct fw_attrs *attrs, CK_ULONG type,
			 const struct fw_curve **curve)
{
	struct fw_bytes params;

	if (!fw_attrs_get(attrs, CKA_EC_PARAMS, &params))
		return CKR_TEMPLATE_INCOMPLETE;
	*curve = fw_curve_find(type, params);
	return *curve ? CKR_OK : CKR_CURVE_NOT_SUPPORTED;
}

CK_RV fw_ec_from_attrs(const struct fw_attrs *attrs, CK_ULONG class, CK_ULONG type,
		       const struct fw_curve **curve, EVP_PKEY **pkey)
{
	struct fw_bytes none = { NULL, 0 }, value, point, secret;
	uint8_t scalar[FW_SCALAR_MAX];
	CK_RV rv;

	rv = fw_ec_curve(attrs, type, curve);
	if (rv != CKR_OK)
		return rv;
	if (class == CKO_PUBLIC_KEY) {
		if (!fw_attrs_get(attrs, CKA_EC_POINT, &value))
			return CKR_TEMPLATE_INCOMPLETE;
		point = fw_curve_point(*curve, value);
		if (!point.len)
			return CKR_ATTRIBUTE_VALUE_INVALID;
		return fw_curve_pkey(*curve, point, none, pkey);
	}
	if (!fw_attrs_get(attrs, CKA_VALUE, &value))
		return CKR_TEMPLATE_INCOMPLETE;
	rv = fw_ec_secret(*curve, value, scalar);
	if (rv == CKR_OK) {
		secret.p = scalar;
		secret.len = (*curve)->len;
		rv = fw_curve_pkey(*curve, none, secret, pkey);
	}
	fw_wipe(scalar, sizeof(scalar));
	return rv;
}

CK_RV fw_ec_public(const struct fw_curve *curve, struct fw_bytes secret,
		   uint8_t point[FW_POINT_MAX])
{
	struct fw_bytes none = { NULL, 0 };
	size_t len = fw_curve_point_len(curve);
	EVP_PKEY *pkey = NULL;
	EC_GROUP *group;
	EC_POINT *pub = NULL;
	BN_CTX *ctx = NULL;
	BIGNUM *d = NULL;
	CK_RV rv;

	if (curve->kind != FW_CURVE_WEIERSTRASS) {
		rv = fw_curve_pkey(curve, none, secret, &pkey);
		if (rv == CKR_OK && EVP_PKEY_get_raw_public_key(pkey, point, &len) <= 0)
			rv = CKR_ATTRIBUTE_VALUE_INVALID;
		EVP_PKEY_free(pkey);
		return rv;
	}
	rv = CKR_HOST_MEMORY;
	group = EC_GROUP_new_by_curve_name_ex(fw_lib()->ctx, NULL, curve->nid);
	ctx = BN_CTX_secure_new_ex(fw_lib()->ctx);
	d = BN_secure_new();
	if (!group || !ctx || !d || !BN_bin2bn(secret.p, secret.len, d))
		goto out;
	BN_set_flags(d, BN_FLG_CONSTTIME);
	rv = CKR_ATTRIBUTE_VALUE_INVALID;
	if (BN_is_zero(d) || BN_cmp(d, EC_GROUP_get0_order(group)) >= 0)
		goto out;
	rv = CKR_HOST_MEMORY;
	pub = EC_POINT_new(group);
	if (pub && EC_POINT_mul(group, pub, d, NULL, NULL, ctx) &&
	    EC_POINT_point2oct(group, pub, POINT_CONVERSION_UNCOMPRESSED, point, len, ctx) == len)
		rv = CKR_OK;
out:
	EC_POINT_free(pub);
	BN_clear_free(d);
	BN_CTX_free(ctx);
	EC_GROUP_free(group);
	return rv;
}

CK_RV fw_ec_recompute(const struct fw_attrs *pub, const struct fw_attrs *priv, CK_ULONG type)
{
	const struct fw_curve *curve, *other;
	struct fw_bytes value, secret, given, made;
	uint8_t scalar[FW_SCALAR_MAX], point[FW_POINT_MAX];
	CK_RV rv = CKR_DEVICE_ERROR;

	if (fw_ec_curve(pub, type, &curve) != CKR_OK || fw_ec_curve(priv, type, &other) != CKR_OK ||
	    curve != other || !fw_attrs_get(pub, CKA_EC_POINT, &given) ||
	    !fw_attrs_get(priv, CKA_VALUE, &value) ||
	    fw_ec_secret(curve, value, scalar) != CKR_OK)
		return CKR_DEVICE_ERROR;
	secret.p = scalar;
	secret.len = curve->len;
	made.p = point;
	made.len = fw_curve_point_len(curve);
	given = fw_curve_point(curve, given);
	switch (fw_ec_public(curve, secret, point)) {
	case CKR_OK:
		if (fw_bytes_equal(given, made))
			rv = CKR_OK;
		break;
	case CKR_HOST_MEMORY:
		rv = CKR_HOST_MEMORY;
		break;
	default:
		break;
	}
	fw_wipe(scalar, sizeof(scalar));
	return rv;
}

CK_RV fw_ec_put_point(struct fw_attrs *attrs, struct fw_bytes point)
{
	uint8_t der[3 + FW_POINT_MAX];
	size_t len;

	len = fw_octet_string_header(point.len, der);
	memcpy(der + len, point.p, point.len);
	return fw_attrs_put(attrs, CKA_EC_POINT, der, len + point.len);
}

/*
 * CKA_PUBLIC_KEY_INFO. Put together from its parts: libcrypto's encoder for a whole
 * key takes longer than the key's generation.
 */
CK_RV fw_ec_put_spki(struct fw_attrs *attrs, const struct fw_curve *curve, struct fw_bytes point)
{
	bool weierstrass = curve->kind == FW_CURVE_WEIERSTRASS;
	X509_PUBKEY *spki = X509_PUBKEY_new_ex(fw_lib()->ctx, NULL);
	int algorithm = weierstrass ? NID_X9_62_id_ecPublicKey : curve->nid;
	uint8_t *copy = OPENSSL_memdup(point.p, point.len), *der = NULL;
	CK_RV rv = CKR_HOST_MEMORY;
	int len;

	if (!spki || !copy)
		goto out;
	if (!X509_PUBKEY_set0_param(spki, OBJ_nid2obj(algorithm),
				    weierstrass ? V_ASN1_OBJECT : V_ASN1_UNDEF,
				    weierstrass ? OBJ_nid2obj(curve->nid) : NULL,
				    copy, point.len))
		goto out;
	copy = NULL;	/* owned by spki now */
	len = i2d_X509_PUBKEY(spki, &der);
	if (len > 0)
		rv = fw_attrs_want(attrs, CKA_PUBLIC_KEY_INFO, der, len);
out:
	OPENSSL_free(der);
	OPENSSL_free(copy);
	X509_PUBKEY_free(spki);
	return rv;
}

CK_RV fw_ec_complete(struct fw_attrs *attrs, CK_ULONG class, CK_ULONG type)
{
	struct fw_bytes none = { NULL, 0 }, value, point, given, secret;
	uint8_t scalar[FW_SCALAR_MAX], pub[FW_POINT_MAX];
	const struct fw_curve *curve;
	EVP_PKEY *pkey = NULL;
	BIGNUM *d = NULL;
	CK_RV rv;

	rv = fw_ec_curve(attrs, type, &curve);
	if (rv != CKR_OK)
		return rv;
	point.p = pub;
	point.len = fw_curve_point_len(curve);
	if (class == CKO_PUBLIC_KEY) {
		if (!fw_attrs_get(attrs, CKA_EC_POINT, &value))
			return CKR_TEMPLATE_INCOMPLETE;
		given = fw_curve_point(curve, value);
		if (!given.len)
			return CKR_ATTRIBUTE_VALUE_INVALID;
		/* libcrypto checks the equation when it reads a point. */
		rv = fw_curve_pkey(curve, given, none, &pkey);
		EVP_PKEY_free(pkey);
		if (rv != CKR_OK)
			return rv;
		memcpy(pub, given.p, given.len);
		rv = fw_ec_put_point(attrs, point);
		return rv == CKR_OK ? fw_ec_put_spki(attrs, curve, point) : rv;
	}

	if (!fw_attrs_get(attrs, CKA_VALUE, &value))
		return CKR_TEMPLATE_INCOMPLETE;
	rv = fw_ec_secret(curve, value, scalar);
	if (rv != CKR_OK)
		goto out;
	secret.p = scalar;
	secret.len = curve->len;
	rv = fw_ec_public(curve, secret, pub);
	if (rv != CKR_OK)
		goto out;
	if (fw_attrs_get(attrs, CKA_EC_POINT, &value) && value.len) {
		given = fw_curve_point(curve, value);
		if (!fw_bytes_equal(given, point)) {
			rv = CKR_TEMPLATE_INCONSISTENT;
			goto out;
		}
	}
	if (curve->kind == FW_CURVE_WEIERSTRASS) {
		d = BN_secure_new();
		if (!d || !BN_bin2bn(scalar, curve->len, d)) {
			rv = CKR_HOST_MEMORY;
			goto out;
		}
		rv = fw_attrs_put_bn(attrs, CKA_VALUE, d);
		if (rv != CKR_OK)
			goto out;
	}
	rv = fw_ec_put_spki(attrs, curve, point);
out:
	BN_clear_free(d);
	fw_wipe(scalar, sizeof(scalar));
	return rv;
}

/* Of an EC key libcrypto tells the group, of the others the algorithm is the curve. */
static const struct fw_curve *fw_pkey_curve(EVP_PKEY *pkey)
{
	char name[32];
	size_t len;

	if (EVP_PKEY_is_a(pkey, "ED25519"))
		return fw_curve_by_name("ED25519");
	if (EVP_PKEY_is_a(pkey, "X25519"))
		return fw_curve_by_name("X25519");
	if (!EVP_PKEY_is_a(pkey, "EC") ||
	    !EVP_PKEY_get_group_name(pkey, name, sizeof(name), &len))
		return NULL;
	return fw_curve_by_name(name);
}

CK_RV fw_ec_to_attrs(EVP_PKEY *pkey, CK_ULONG class, struct fw_attrs *attrs)
{
	const struct fw_curve *curve = fw_pkey_curve(pkey), *given_curve;
	uint8_t bytes[FW_POINT_MAX];
	struct fw_bytes given, point;
	BIGNUM *d = NULL;
	CK_ULONG type;
	size_t len;
	CK_RV rv;

	if (!curve)
		return CKR_CURVE_NOT_SUPPORTED;
	type = fw_curve_key_type(curve);
	rv = fw_attrs_want_ulong(attrs, CKA_KEY_TYPE, type);
	if (rv != CKR_OK)
		return rv;
	if (fw_attrs_get(attrs, CKA_EC_PARAMS, &given)) {
		given_curve = fw_curve_find(type, given);
		if (given_curve != curve)
			return CKR_TEMPLATE_INCONSISTENT;
	} else {
		rv = fw_attrs_put(attrs, CKA_EC_PARAMS, curve->params.p, curve->params.len);
		if (rv != CKR_OK)
			return rv;
	}

	len = fw_curve_point_len(curve);
	if (!EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, bytes, sizeof(bytes),
					     &len) ||
	    len != fw_curve_point_len(curve))
		return CKR_FUNCTION_FAILED;
	point.p = bytes;
	point.len = len;
	rv = fw_ec_put_spki(attrs, curve, point);
	if (rv != CKR_OK)
		return rv;
	if (class == CKO_PUBLIC_KEY)
		return fw_ec_put_point(attrs, point);

	rv = CKR_FUNCTION_FAILED;
	if (curve->kind == FW_CURVE_WEIERSTRASS) {
		d = BN_secure_new();
		if (d && EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_PRIV_KEY, &d))
			rv = fw_attrs_put_bn(attrs, CKA_VALUE, d);
		BN_clear_free(d);
	} else {
		len = curve->len;
		if (EVP_PKEY_get_raw_private_key(pkey, bytes, &len) > 0)
			rv = fw_attrs_put(attrs, CKA_VALUE, bytes, len);
	}
	fw_wipe(bytes, sizeof(bytes));
	return rv;
}
