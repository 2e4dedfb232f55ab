/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Key material: from attributes to something that works, and new keys.
 *
 * A struct fw_key is what an engine works with. It is made once from an object's
 * attributes, never changes, and may be used by any number of threads at once.
 * It keeps a few ready-made libcrypto contexts so that an operation neither parses
 * nor schedules the key again; they are wiped with it.
 */
#ifndef PCIEHSM_CRYPTO_KEY_H
#define PCIEHSM_CRYPTO_KEY_H

#include "crypto/attrs.h"

struct fw_key;
struct fw_mech_params;

/**
 * fw_key_from_attrs() - make a key that can work
 * @attrs:	CKA_CLASS, CKA_KEY_TYPE and the material; read only during the call
 * @key:	out: to be given back by fw_key_unref()
 *
 * Return: CKR_OK; CKR_TEMPLATE_INCOMPLETE or CKR_TEMPLATE_INCONSISTENT, or
 * CKR_ATTRIBUTE_VALUE_INVALID, CKR_CURVE_NOT_SUPPORTED, CKR_KEY_SIZE_RANGE:
 * the attributes are not a key; CKR_HOST_MEMORY. For an object that is not a key at
 * all CKR_KEY_TYPE_INCONSISTENT. What fw_key_complete() and the generating
 * functions gave is taken without a further check of the key's mathematics.
 */
CK_RV fw_key_from_attrs(const struct fw_attrs *attrs, struct fw_key **key);

/** fw_key_ref() - take another reference; returns @key */
struct fw_key *fw_key_ref(struct fw_key *key);

/** fw_key_unref() - give a reference back; the last one wipes the key. May be NULL. */
void fw_key_unref(struct fw_key *key);

/** fw_key_class() - CKO_PUBLIC_KEY, CKO_PRIVATE_KEY or CKO_SECRET_KEY */
CK_ULONG fw_key_class(const struct fw_key *key);

/** fw_key_type() - CKK_* */
CK_ULONG fw_key_type(const struct fw_key *key);

/** fw_key_bits() - modulus, order of the curve, or length of the secret, in bits */
unsigned int fw_key_bits(const struct fw_key *key);

/**
 * fw_key_complete() - check a key that comes from outside and fill in what follows
 * @attrs:	in: the template of C_CreateObject, with CKA_CLASS and CKA_KEY_TYPE;
 *		out: with what can be computed, and values in their normal form
 *
 * Checks that nothing is missing and that the parts are those of a key: a point is on
 * its curve, an RSA key's primes give its modulus, a secret has a length that
 * its type allows. Adds, where they are not there, CKA_MODULUS_BITS (RSA public),
 * the CRT parts (RSA private, from primes or from n, e, d), CKA_VALUE_LEN (secret keys),
 * CKA_PUBLIC_KEY_INFO (both halves), CKA_CHECK_VALUE (secret keys). Does not
 * touch attributes that say what a key may do: those are the caller's.
 *
 * Return: CKR_OK; CKR_TEMPLATE_INCOMPLETE, CKR_TEMPLATE_INCONSISTENT,
 * CKR_ATTRIBUTE_VALUE_INVALID, CKR_CURVE_NOT_SUPPORTED, CKR_KEY_SIZE_RANGE,
 * CKR_PUBLIC_KEY_INVALID (a point that is not on the curve), CKR_HOST_MEMORY.
 * On failure @attrs may hold some of the additions.
 */
CK_RV fw_key_complete(struct fw_attrs *attrs);

/**
 * fw_key_material_attr() - is @type key material (of the class and key type given)?
 *
 * True for what a key consists of and fw_key_complete() checks (CKA_VALUE,
 * CKA_MODULUS, CKA_EC_POINT, ...), which a template for generating or unwrapping
 * must not have (but for CKA_EC_PARAMS and CKA_PARAMETER_SET, which say which kind) and which
 * never
 * changes after creation.
 */
bool fw_key_material_attr(CK_ULONG class, CK_ULONG key_type, CK_ULONG type);

/**
 * fw_key_sensitive_attr() - is @type one that must not be read from a private or secret
 * key that is sensitive or unextractable?
 */
bool fw_key_sensitive_attr(CK_ULONG class, CK_ULONG type);

/**
 * struct fw_progress - news of a long computation
 * @step:	called often, at irregular times, from the thread that computes; returns
 *		false to give up
 * @opaque:	handed to @step
 */
struct fw_progress {
	bool	(*step)(void *opaque);
	void	*opaque;
};

/**
 * fw_generate_key() - a new secret key
 * @mech:	CKM_AES_KEY_GEN, CKM_GENERIC_SECRET_KEY_GEN, CKM_HKDF_KEY_GEN
 * @attrs:	in: the template; out: with CKA_CLASS, CKA_KEY_TYPE, CKA_LOCAL,
 *		CKA_KEY_GEN_MECHANISM, CKA_VALUE, CKA_VALUE_LEN, CKA_CHECK_VALUE
 *
 * CKM_GENERIC_SECRET_KEY_GEN makes CKK_GENERIC_SECRET, or the HMAC key type that the
 * template names (PKCS#11 3.0 section 2.16, key types for HMAC).
 *
 * Return: CKR_OK; CKR_MECHANISM_INVALID; CKR_TEMPLATE_INCOMPLETE (no length),
 * CKR_TEMPLATE_INCONSISTENT (another class or type, or material in the template),
 * CKR_KEY_SIZE_RANGE; CKR_HOST_MEMORY. On failure @attrs is to be wiped.
 */
CK_RV fw_generate_key(CK_ULONG mech, struct fw_attrs *attrs);

/**
 * fw_generate_key_pair() - a new key pair
 * @mech:	CKM_RSA_PKCS_KEY_PAIR_GEN, CKM_RSA_X9_31_KEY_PAIR_GEN (the same keys),
 *		CKM_EC_KEY_PAIR_GEN, CKM_EC_EDWARDS_KEY_PAIR_GEN,
 *		CKM_EC_MONTGOMERY_KEY_PAIR_GEN; where libcrypto has them CKM_ML_KEM_KEY_PAIR_GEN,
 *		CKM_ML_DSA_KEY_PAIR_GEN, CKM_SLH_DSA_KEY_PAIR_GEN
 * @pub:	in: the public template: CKA_MODULUS_BITS and maybe CKA_PUBLIC_EXPONENT
 *		(default 65537), CKA_EC_PARAMS, or CKA_PARAMETER_SET; out: with class, type,
 *		CKA_LOCAL, CKA_KEY_GEN_MECHANISM, the material and CKA_PUBLIC_KEY_INFO
 * @priv:	the same for the private key
 * @progress:	may be NULL
 *
 * The pair is checked (sign and verify, agree, or encapsulate and decapsulate) before it is
 * given out.
 *
 * Return: CKR_OK; CKR_MECHANISM_INVALID; CKR_TEMPLATE_INCOMPLETE,
 * CKR_TEMPLATE_INCONSISTENT, CKR_ATTRIBUTE_VALUE_INVALID, CKR_CURVE_NOT_SUPPORTED,
 * CKR_KEY_SIZE_RANGE; CKR_FUNCTION_CANCELED (by @progress); CKR_DEVICE_ERROR (the pair
 * check failed); CKR_HOST_MEMORY. On failure both sets are to be wiped.
 */
CK_RV fw_generate_key_pair(CK_ULONG mech, struct fw_attrs *pub, struct fw_attrs *priv,
			   const struct fw_progress *progress);

/**
 * fw_wrap() - encrypt a key under another
 * @mech:	CKM_AES_KEY_WRAP, CKM_AES_KEY_WRAP_PAD and _KWP (RFC 5649 both), CKM_AES_ECB,
 *		CKM_AES_CBC, CKM_AES_CBC_PAD, CKM_AES_CTR, CKM_AES_GCM, CKM_RSA_PKCS,
 *		CKM_RSA_PKCS_OAEP
 * @params:	of the mechanism; NULL: none
 * @key:	the wrapping key
 * @target:	the key to be wrapped: a secret key's bytes, a private key's PKCS#8.
 *		Whether it may be extracted is the caller's to know.
 * @out:	room for the result; NULL: only ask for the length
 * @out_len:	in: bytes of room; out: bytes of the result, or needed
 *
 * Return: CKR_OK; CKR_BUFFER_TOO_SMALL; CKR_MECHANISM_INVALID,
 * CKR_MECHANISM_PARAM_INVALID; CKR_WRAPPING_KEY_TYPE_INCONSISTENT; CKR_KEY_NOT_WRAPPABLE
 * (a public key, or a private key with a mechanism for short data);
 * CKR_KEY_SIZE_RANGE (too long or of a wrong length for the mechanism); CKR_HOST_MEMORY.
 */
CK_RV fw_wrap(CK_ULONG mech, const struct fw_mech_params *params, struct fw_key *key,
	      struct fw_key *target, uint8_t *out, size_t *out_len);

/**
 * fw_unwrap() - the reverse
 * @mech:	as fw_wrap()
 * @params:	of the mechanism; NULL: none
 * @key:	the unwrapping key
 * @in:		what fw_wrap() gave
 * @in_len:	of that
 * @attrs:	in: the template with CKA_CLASS and CKA_KEY_TYPE, no material (CKA_VALUE_LEN
 *		may be there for a secret key: a check, or the length where the
 *		mechanism pads with zeroes); out: with the material, completed and
 *		checked as fw_key_complete() does
 *
 * Return: CKR_OK; CKR_WRAPPED_KEY_INVALID, CKR_WRAPPED_KEY_LEN_RANGE;
 * CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT; the template's errors as fw_key_complete();
 * CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID; CKR_HOST_MEMORY. On failure
 * @attrs is to be wiped.
 */
CK_RV fw_unwrap(CK_ULONG mech, const struct fw_mech_params *params, struct fw_key *key,
		const uint8_t *in, size_t in_len, struct fw_attrs *attrs);

/**
 * fw_derive() - a key from a key
 * @mech:	CKM_ECDH1_DERIVE, CKM_ECDH1_COFACTOR_DERIVE, CKM_HKDF_DERIVE, CKM_HKDF_DATA
 * @params:	of the mechanism
 * @key:	the base key
 * @attrs:	in: the template: a secret key with CKA_KEY_TYPE, and CKA_VALUE_LEN where the
 *		type has no fixed length; CKM_HKDF_DATA: CKO_DATA with CKA_VALUE_LEN;
 *		out: with CKA_CLASS, CKA_VALUE and, of keys, CKA_VALUE_LEN and
 *		CKA_CHECK_VALUE. CKM_HKDF_DATA's CKA_VALUE_LEN is taken away.
 *
 * Return: CKR_OK; CKR_KEY_TYPE_INCONSISTENT (of the base key); the template's errors;
 * CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID (also: the other party's point
 * is not on the curve); CKR_KEY_SIZE_RANGE (more than the mechanism can give);
 * CKR_HOST_MEMORY. On failure @attrs is to be wiped.
 */
CK_RV fw_derive(CK_ULONG mech, const struct fw_mech_params *params, struct fw_key *key,
		struct fw_attrs *attrs);

/**
 * fw_encapsulate() - a new secret, and what tells it to the holder of a private key
 * @mech:	CKM_ML_KEM
 * @params:	NULL or none
 * @key:	the public key
 * @attrs:	as for fw_derive(); CKA_VALUE_LEN, if it is there, is 32. Not used if @out is NULL.
 * @out:	room for the ciphertext; NULL: only ask for its length
 * @out_len:	in: bytes of room; out: bytes of the ciphertext
 *
 * Return: as fw_derive(), and CKR_BUFFER_TOO_SMALL.
 */
CK_RV fw_encapsulate(CK_ULONG mech, const struct fw_mech_params *params, struct fw_key *key,
		     struct fw_attrs *attrs, uint8_t *out, size_t *out_len);

/**
 * fw_decapsulate() - the secret that a ciphertext tells the holder of the private key
 *
 * Return: as fw_derive(), and CKR_WRAPPED_KEY_LEN_RANGE. A ciphertext that was changed, or is
 * for another key, gives another secret and no error (FIPS 203, 6.3).
 */
CK_RV fw_decapsulate(CK_ULONG mech, const struct fw_mech_params *params, struct fw_key *key,
		     const uint8_t *in, size_t in_len, struct fw_attrs *attrs);

#endif /* PCIEHSM_CRYPTO_KEY_H */
