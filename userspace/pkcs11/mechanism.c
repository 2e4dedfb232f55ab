// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Mechanisms: kept from C_*Init to the call that uses them, and what can be told of them
 * without asking the card.
 */
#include <stdlib.h>
#include <string.h>

#include "module.h"

/* ---- keeping them ---- */

struct span {
	size_t	p;	/* offset of the pointer */
	size_t	len;	/* offset of the length */
};

/**
 * struct layout - of a parameter that points to more
 * @size:	of the structure
 * @spans:	what it points to; a @len of 0: none
 */
struct layout {
	CK_MECHANISM_TYPE	type;
	size_t			size;
	struct span		spans[2];
};

#define SPAN(type, p, len) { offsetof(type, p), offsetof(type, len) }

static const struct layout layouts[] = {
	{ CKM_AES_GCM, sizeof(CK_GCM_PARAMS), {
		SPAN(CK_GCM_PARAMS, pIv, ulIvLen), SPAN(CK_GCM_PARAMS, pAAD, ulAADLen) } },
	{ CKM_RSA_PKCS_OAEP, sizeof(CK_RSA_PKCS_OAEP_PARAMS), {
		SPAN(CK_RSA_PKCS_OAEP_PARAMS, pSourceData, ulSourceDataLen) } },
	{ CKM_ECDH1_DERIVE, sizeof(CK_ECDH1_DERIVE_PARAMS), {
		SPAN(CK_ECDH1_DERIVE_PARAMS, pSharedData, ulSharedDataLen),
		SPAN(CK_ECDH1_DERIVE_PARAMS, pPublicData, ulPublicDataLen) } },
	{ CKM_ECDH1_COFACTOR_DERIVE, sizeof(CK_ECDH1_DERIVE_PARAMS), {
		SPAN(CK_ECDH1_DERIVE_PARAMS, pSharedData, ulSharedDataLen),
		SPAN(CK_ECDH1_DERIVE_PARAMS, pPublicData, ulPublicDataLen) } },
	{ CKM_HKDF_DERIVE, sizeof(CK_HKDF_PARAMS), {
		SPAN(CK_HKDF_PARAMS, pSalt, ulSaltLen), SPAN(CK_HKDF_PARAMS, pInfo, ulInfoLen) } },
	{ CKM_HKDF_DATA, sizeof(CK_HKDF_PARAMS), {
		SPAN(CK_HKDF_PARAMS, pSalt, ulSaltLen), SPAN(CK_HKDF_PARAMS, pInfo, ulInfoLen) } },
	{ CKM_EDDSA, sizeof(CK_EDDSA_PARAMS), {
		SPAN(CK_EDDSA_PARAMS, pContextData, ulContextDataLen) } },
	{ CKM_ML_DSA, sizeof(CK_SIGN_ADDITIONAL_CONTEXT), {
		SPAN(CK_SIGN_ADDITIONAL_CONTEXT, pContext, ulContextLen) } },
	{ CKM_SLH_DSA, sizeof(CK_SIGN_ADDITIONAL_CONTEXT), {
		SPAN(CK_SIGN_ADDITIONAL_CONTEXT, pContext, ulContextLen) } },
};

static const struct layout *layout_of(CK_MECHANISM_TYPE type)
{
	size_t i;

	for (i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		if (layouts[i].type == type)
			return &layouts[i];
	return NULL;
}

static void *get_pointer(const uint8_t *structure, size_t offset)
{
	void *p;

	memcpy(&p, structure + offset, sizeof(p));
	return p;
}

static CK_ULONG get_length(const uint8_t *structure, size_t offset)
{
	CK_ULONG len;

	memcpy(&len, structure + offset, sizeof(len));
	return len;
}

/* Room for a parameter and what it points to. */
static uint8_t *room_for(struct mechanism *to, size_t len)
{
	if (len <= sizeof(to->small))
		return to->small;
	to->heap = malloc(len);
	to->heap_len = len;
	return to->heap;
}

/* The salt of HKDF is one of three things, and what is not chosen may be anything. */
static CK_RV settle_salt(struct mechanism *to, struct session *session, CK_HKDF_PARAMS *p)
{
	CK_RV rv = CKR_OK;

	if (p->ulSaltType != CKF_HKDF_SALT_DATA) {
		p->pSalt = NULL;
		p->ulSaltLen = 0;
	}
	if (p->ulSaltType == CKF_HKDF_SALT_KEY) {
		rv = session_object(session, p->hSaltKey, &to->salt_key, NULL);
		p->hSaltKey = (CK_OBJECT_HANDLE)(uintptr_t)&to->salt_key;
	}
	return rv == CKR_OBJECT_HANDLE_INVALID ? CKR_KEY_HANDLE_INVALID : rv;
}

static CK_RV copy_structure(struct mechanism *to, struct session *session,
			    const CK_MECHANISM *from, const struct layout *layout)
{
	union {
		uint8_t		bytes[sizeof(CK_HKDF_PARAMS)];
		CK_HKDF_PARAMS	hkdf;
		CK_GCM_PARAMS	gcm;
	} structure;
	uint8_t *room, *at;
	size_t total = layout->size, i;
	CK_ULONG len;
	CK_RV rv;

	_Static_assert(sizeof(structure) >= sizeof(CK_GCM_PARAMS) &&
		       sizeof(structure) >= sizeof(CK_RSA_PKCS_OAEP_PARAMS) &&
		       sizeof(structure) >= sizeof(CK_ECDH1_DERIVE_PARAMS), "room for each");
	if (!from->pParameter || from->ulParameterLen != layout->size)
		return CKR_MECHANISM_PARAM_INVALID;
	memcpy(structure.bytes, from->pParameter, layout->size);
	if (layout->size == sizeof(CK_HKDF_PARAMS)) {
		rv = settle_salt(to, session, &structure.hkdf);
		if (rv != CKR_OK)
			return rv;
	}
	for (i = 0; i < 2 && layout->spans[i].len; i++) {
		len = get_length(structure.bytes, layout->spans[i].len);
		if (len > PCIEHSM_MSG_MAX ||
		    (len && !get_pointer(structure.bytes, layout->spans[i].p)))
			return CKR_MECHANISM_PARAM_INVALID;
		total += len;
	}
	room = room_for(to, total);
	if (!room)
		return CKR_HOST_MEMORY;
	at = room + layout->size;
	for (i = 0; i < 2 && layout->spans[i].len; i++) {
		len = get_length(structure.bytes, layout->spans[i].len);
		if (!len)
			continue;
		memcpy(at, get_pointer(structure.bytes, layout->spans[i].p), len);
		memcpy(structure.bytes + layout->spans[i].p, &at, sizeof(at));
		at += len;
	}
	memcpy(room, structure.bytes, layout->size);
	to->m.pParameter = room;
	to->m.ulParameterLen = layout->size;
	return CKR_OK;
}

static CK_RV copy_flat(struct mechanism *to, const CK_MECHANISM *from)
{
	uint8_t *room;

	if (!from->ulParameterLen)
		return CKR_OK;
	if (!from->pParameter || from->ulParameterLen > PCIEHSM_MSG_MAX)
		return CKR_MECHANISM_PARAM_INVALID;
	room = room_for(to, from->ulParameterLen);
	if (!room)
		return CKR_HOST_MEMORY;
	memcpy(room, from->pParameter, from->ulParameterLen);
	to->m.pParameter = room;
	to->m.ulParameterLen = from->ulParameterLen;
	return CKR_OK;
}

/* Their parameter holds a context, without which there is none. */
static bool needs_none(CK_MECHANISM_TYPE type)
{
	return type == CKM_EDDSA || type == CKM_ML_DSA || type == CKM_SLH_DSA;
}

CK_RV mechanism_copy(struct mechanism *to, struct session *session, const CK_MECHANISM *from)
{
	const struct layout *layout;
	CK_RV rv;

	if (!from)
		return CKR_ARGUMENTS_BAD;
	to->heap = NULL;
	to->heap_len = 0;
	to->m = (CK_MECHANISM){ .mechanism = from->mechanism };
	layout = layout_of(from->mechanism);
	if (layout && (from->ulParameterLen || !needs_none(from->mechanism)))
		rv = copy_structure(to, session, from, layout);
	else
		rv = copy_flat(to, from);
	if (rv == CKR_OK)
		rv = pciehsm_mechanism_check(&to->m);
	if (rv != CKR_OK)
		mechanism_wipe(to);
	return rv;
}

void mechanism_wipe(struct mechanism *mech)
{
	if (mech->heap) {
		explicit_bzero(mech->heap, mech->heap_len);
		free(mech->heap);
		mech->heap = NULL;
	} else if (mech->m.ulParameterLen) {
		explicit_bzero(mech->small, sizeof(mech->small));
	}
}

/* ---- what is known of them ---- */

enum family {
	FAMILY_OTHER,
	FAMILY_RSA,
	FAMILY_EC,
	FAMILY_ECDH,
	FAMILY_EDDSA,
	FAMILY_ML_KEM,
	FAMILY_ML_DSA,
	FAMILY_SLH_DSA,
	FAMILY_AES,
	FAMILY_HMAC,
};

static enum family family_of(CK_MECHANISM_TYPE type)
{
	switch (type) {
	case CKM_RSA_PKCS:
	case CKM_RSA_X_509:
	case CKM_RSA_PKCS_OAEP:
	case CKM_RSA_PKCS_PSS:
	case CKM_SHA1_RSA_PKCS:
	case CKM_SHA224_RSA_PKCS:
	case CKM_SHA256_RSA_PKCS:
	case CKM_SHA384_RSA_PKCS:
	case CKM_SHA512_RSA_PKCS:
	case CKM_SHA1_RSA_PKCS_PSS:
	case CKM_SHA224_RSA_PKCS_PSS:
	case CKM_SHA256_RSA_PKCS_PSS:
	case CKM_SHA384_RSA_PKCS_PSS:
	case CKM_SHA512_RSA_PKCS_PSS:
	case CKM_SHA3_224_RSA_PKCS:
	case CKM_SHA3_256_RSA_PKCS:
	case CKM_SHA3_384_RSA_PKCS:
	case CKM_SHA3_512_RSA_PKCS:
	case CKM_SHA3_224_RSA_PKCS_PSS:
	case CKM_SHA3_256_RSA_PKCS_PSS:
	case CKM_SHA3_384_RSA_PKCS_PSS:
	case CKM_SHA3_512_RSA_PKCS_PSS:
		return FAMILY_RSA;
	case CKM_ECDSA:
	case CKM_ECDSA_SHA1:
	case CKM_ECDSA_SHA224:
	case CKM_ECDSA_SHA256:
	case CKM_ECDSA_SHA384:
	case CKM_ECDSA_SHA512:
	case CKM_ECDSA_SHA3_224:
	case CKM_ECDSA_SHA3_256:
	case CKM_ECDSA_SHA3_384:
	case CKM_ECDSA_SHA3_512:
		return FAMILY_EC;
	case CKM_ECDH1_DERIVE:
	case CKM_ECDH1_COFACTOR_DERIVE:
		return FAMILY_ECDH;
	case CKM_EDDSA:
		return FAMILY_EDDSA;
	case CKM_ML_KEM:
		return FAMILY_ML_KEM;
	case CKM_ML_DSA:
		return FAMILY_ML_DSA;
	case CKM_SLH_DSA:
		return FAMILY_SLH_DSA;
	case CKM_AES_ECB:
	case CKM_AES_CBC:
	case CKM_AES_CBC_PAD:
	case CKM_AES_CTR:
	case CKM_AES_GCM:
	case CKM_AES_CMAC:
	case CKM_AES_CMAC_GENERAL:
	case CKM_AES_KEY_WRAP:
	case CKM_AES_KEY_WRAP_PAD:
	case CKM_AES_KEY_WRAP_KWP:
		return FAMILY_AES;
	case CKM_SHA_1_HMAC:
	case CKM_SHA_1_HMAC_GENERAL:
	case CKM_SHA224_HMAC:
	case CKM_SHA224_HMAC_GENERAL:
	case CKM_SHA256_HMAC:
	case CKM_SHA256_HMAC_GENERAL:
	case CKM_SHA384_HMAC:
	case CKM_SHA384_HMAC_GENERAL:
	case CKM_SHA512_HMAC:
	case CKM_SHA512_HMAC_GENERAL:
	case CKM_SHA512_224_HMAC:
	case CKM_SHA512_224_HMAC_GENERAL:
	case CKM_SHA512_256_HMAC:
	case CKM_SHA512_256_HMAC_GENERAL:
	case CKM_SHA3_224_HMAC:
	case CKM_SHA3_224_HMAC_GENERAL:
	case CKM_SHA3_256_HMAC:
	case CKM_SHA3_256_HMAC_GENERAL:
	case CKM_SHA3_384_HMAC:
	case CKM_SHA3_384_HMAC_GENERAL:
	case CKM_SHA3_512_HMAC:
	case CKM_SHA3_512_HMAC_GENERAL:
		return FAMILY_HMAC;
	default:
		return FAMILY_OTHER;
	}
}

CK_RV mechanism_key_fits(CK_MECHANISM_TYPE type, const struct object_info *key)
{
	bool fits = true;

	switch (family_of(type)) {
	case FAMILY_RSA:
		fits = key->key_type == CKK_RSA;
		break;
	case FAMILY_EC:
		fits = key->key_type == CKK_EC;
		break;
	case FAMILY_ECDH:
		fits = key->key_type == CKK_EC || key->key_type == CKK_EC_MONTGOMERY;
		break;
	case FAMILY_EDDSA:
		fits = key->key_type == CKK_EC_EDWARDS;
		break;
	case FAMILY_ML_KEM:
		fits = key->key_type == CKK_ML_KEM;
		break;
	case FAMILY_ML_DSA:
		fits = key->key_type == CKK_ML_DSA;
		break;
	case FAMILY_SLH_DSA:
		fits = key->key_type == CKK_SLH_DSA;
		break;
	case FAMILY_AES:
		fits = key->key_type == CKK_AES;
		break;
	case FAMILY_HMAC:
		/* Generic secrets, and the types that are for one digest each */
		fits = key->class == CKO_SECRET_KEY && key->key_type != CKK_AES;
		break;
	case FAMILY_OTHER:
		break;
	}
	return fits ? CKR_OK : CKR_KEY_TYPE_INCONSISTENT;
}

size_t length_of_digest(CK_MECHANISM_TYPE type)
{
	switch (type) {
	case CKM_SHA_1:
	case CKM_SHA_1_HMAC:
		return 20;
	case CKM_SHA224:
	case CKM_SHA224_HMAC:
	case CKM_SHA512_224:
	case CKM_SHA512_224_HMAC:
	case CKM_SHA3_224:
	case CKM_SHA3_224_HMAC:
		return 28;
	case CKM_SHA256:
	case CKM_SHA256_HMAC:
	case CKM_SHA512_256:
	case CKM_SHA512_256_HMAC:
	case CKM_SHA3_256:
	case CKM_SHA3_256_HMAC:
		return 32;
	case CKM_SHA384:
	case CKM_SHA384_HMAC:
	case CKM_SHA3_384:
	case CKM_SHA3_384_HMAC:
		return 48;
	case CKM_SHA512:
	case CKM_SHA512_HMAC:
	case CKM_SHA3_512:
	case CKM_SHA3_512_HMAC:
		return 64;
	default:
		return 0;
	}
}

static bool is_mac_general(CK_MECHANISM_TYPE type)
{
	switch (type) {
	case CKM_SHA_1_HMAC_GENERAL:
	case CKM_SHA224_HMAC_GENERAL:
	case CKM_SHA256_HMAC_GENERAL:
	case CKM_SHA384_HMAC_GENERAL:
	case CKM_SHA512_HMAC_GENERAL:
	case CKM_SHA512_224_HMAC_GENERAL:
	case CKM_SHA512_256_HMAC_GENERAL:
	case CKM_SHA3_224_HMAC_GENERAL:
	case CKM_SHA3_256_HMAC_GENERAL:
	case CKM_SHA3_384_HMAC_GENERAL:
	case CKM_SHA3_512_HMAC_GENERAL:
	case CKM_AES_CMAC_GENERAL:
		return true;
	default:
		return false;
	}
}

size_t length_of_signature(const CK_MECHANISM *mech, const struct object_info *key)
{
	if (is_mac_general(mech->mechanism))
		/* mechanism_copy() has seen to it that there is one */
		return *(const CK_ULONG *)mech->pParameter;
	if (mech->mechanism == CKM_AES_CMAC)
		return 16;
	switch (family_of(mech->mechanism)) {
	case FAMILY_RSA:
	case FAMILY_EC:
	case FAMILY_EDDSA:
	case FAMILY_ML_DSA:
	case FAMILY_SLH_DSA:
		return key->bytes;
	default:
		return length_of_digest(mech->mechanism);
	}
}

size_t length_of_cipher(enum pciehsm_function fn, const CK_MECHANISM *mech,
			const struct object_info *key, size_t in_len)
{
	bool encrypt = fn == PCIEHSM_FN_ENCRYPT;

	if (family_of(mech->mechanism) == FAMILY_RSA && key->bytes)
		return key->bytes;
	switch (mech->mechanism) {
	case CKM_AES_ECB:
	case CKM_AES_CBC:
	case CKM_AES_CTR:
		return in_len;
	case CKM_AES_CBC_PAD:
		return encrypt ? (in_len / 16 + 1) * 16 : in_len;
	case CKM_AES_GCM:
		return encrypt ? in_len + 16 : in_len;
	default:
		/* Wrapping modes add a block or so; RSA's are known above. */
		return encrypt ? in_len + 64 : in_len;
	}
}
