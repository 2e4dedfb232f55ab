// SPDX-License-Identifier: LGPL-2.1-or-later
/* Objects: their handles, attributes, and finding them. */
#include <stdlib.h>
#include <string.h>

#include "module.h"

/* ---- what is remembered of them ---- */

struct curve {
	uint8_t		oid[12];	/* DER, length byte at 1 */
	uint32_t	signature;	/* bytes */
};

static const struct curve curves[] = {
	{ { 0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 }, 64 },	/* P-256 */
	{ { 0x06, 5, 0x2b, 0x81, 4, 0, 0x22 }, 96 },			/* P-384 */
	{ { 0x06, 5, 0x2b, 0x81, 4, 0, 0x23 }, 132 },			/* P-521 */
	{ { 0x06, 5, 0x2b, 0x81, 4, 0, 0x0a }, 64 },			/* secp256k1 */
	{ { 0x06, 3, 0x2b, 0x65, 0x70 }, 64 },				/* Ed25519 */
	/* PrintableString "edwards25519", of which these bytes are enough */
	{ { 0x13, 12, 'e', 'd', 'w', 'a', 'r', 'd', 's', '2', '5', '5' }, 64 },
};

static uint32_t signature_length(const uint8_t *oid, CK_ULONG len)
{
	size_t i, n;

	for (i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		n = curves[i].oid[1] + 2U;
		if (len == n && !memcmp(oid, curves[i].oid,
					n < sizeof(curves[i].oid) ? n : sizeof(curves[i].oid)))
			return curves[i].signature;
	}
	return 0;
}

/* Of parameter sets: FIPS 204, table 2; FIPS 205, table 2 */
static uint32_t signature_length_of_set(CK_KEY_TYPE type, CK_ULONG set)
{
	static const uint32_t ml_dsa[] = {
		[CKP_ML_DSA_44] = 2420, [CKP_ML_DSA_65] = 3309, [CKP_ML_DSA_87] = 4627,
	};
	static const uint32_t slh_dsa[] = {
		[CKP_SLH_DSA_SHA2_128S] = 7856, [CKP_SLH_DSA_SHAKE_128S] = 7856,
		[CKP_SLH_DSA_SHA2_128F] = 17088, [CKP_SLH_DSA_SHAKE_128F] = 17088,
		[CKP_SLH_DSA_SHA2_192S] = 16224, [CKP_SLH_DSA_SHAKE_192S] = 16224,
		[CKP_SLH_DSA_SHA2_192F] = 35664, [CKP_SLH_DSA_SHAKE_192F] = 35664,
		[CKP_SLH_DSA_SHA2_256S] = 29792, [CKP_SLH_DSA_SHAKE_256S] = 29792,
		[CKP_SLH_DSA_SHA2_256F] = 49856, [CKP_SLH_DSA_SHAKE_256F] = 49856,
	};

	if (type == CKK_ML_DSA && set < sizeof(ml_dsa) / sizeof(ml_dsa[0]))
		return ml_dsa[set];
	if (type == CKK_SLH_DSA && set < sizeof(slh_dsa) / sizeof(slh_dsa[0]))
		return slh_dsa[set];
	return 0;
}

static const struct {
	CK_ATTRIBUTE_TYPE	type;
	uint32_t		usage;
} usages[] = {
	{ CKA_ENCRYPT,		USAGE(PCIEHSM_FN_ENCRYPT) },
	{ CKA_DECRYPT,		USAGE(PCIEHSM_FN_DECRYPT) },
	{ CKA_SIGN,		USAGE(PCIEHSM_FN_SIGN) },
	{ CKA_SIGN_RECOVER,	USAGE(PCIEHSM_FN_SIGN_RECOVER) },
	{ CKA_VERIFY,		USAGE(PCIEHSM_FN_VERIFY) },
	{ CKA_VERIFY_RECOVER,	USAGE(PCIEHSM_FN_VERIFY_RECOVER) },
	{ CKA_WRAP,		USAGE_WRAP },
	{ CKA_UNWRAP,		USAGE_UNWRAP },
	{ CKA_DERIVE,		USAGE_DERIVE },
	{ CKA_ENCAPSULATE,	USAGE_ENCAPSULATE },
	{ CKA_DECAPSULATE,	USAGE_DECAPSULATE },
};

#define N_USAGES	(sizeof(usages) / sizeof(usages[0]))
#define N_ASKED		7

static bool given(const CK_ATTRIBUTE *attr)
{
	return attr->ulValueLen != CK_UNAVAILABLE_INFORMATION;
}

/* One message for all that the module will want to know of an object. */
static CK_RV ask(struct session *session, const struct ha_ouid *ouid, struct object_info *info)
{
	CK_BBOOL token = CK_TRUE, private = CK_TRUE, may[N_USAGES] = { 0 };
	CK_OBJECT_CLASS class = CK_UNAVAILABLE_INFORMATION;
	CK_KEY_TYPE key_type = CK_UNAVAILABLE_INFORMATION;
	CK_ULONG set = 0;
	uint8_t oid[32];
	CK_ATTRIBUTE attrs[N_ASKED + N_USAGES] = {
		{ CKA_TOKEN, &token, sizeof(token) },
		{ CKA_PRIVATE, &private, sizeof(private) },
		{ CKA_CLASS, &class, sizeof(class) },
		{ CKA_KEY_TYPE, &key_type, sizeof(key_type) },
		{ CKA_MODULUS, NULL, 0 },
		{ CKA_EC_PARAMS, oid, sizeof(oid) },
		{ CKA_PARAMETER_SET, &set, sizeof(set) },
	};
	unsigned int i;
	CK_RV rv;

	for (i = 0; i < N_USAGES; i++)
		attrs[N_ASKED + i] = (CK_ATTRIBUTE){ usages[i].type, &may[i], sizeof(may[i]) };
	rv = ha_get_attributes(session->token->ha, session->number, ouid, attrs, N_ASKED + N_USAGES);
	if (rv != CKR_OK && rv != CKR_ATTRIBUTE_TYPE_INVALID && rv != CKR_ATTRIBUTE_SENSITIVE &&
	    rv != CKR_BUFFER_TOO_SMALL)
		return rv;
	memset(info, 0, sizeof(*info));
	info->known = true;
	info->token = token;
	info->private = private;
	info->class = class;
	info->key_type = given(&attrs[3]) ? key_type : CK_UNAVAILABLE_INFORMATION;
	for (i = 0; i < N_USAGES; i++)
		if (given(&attrs[N_ASKED + i]) && may[i])
			info->usage |= usages[i].usage;
	if (info->key_type == CKK_RSA && given(&attrs[4]))
		info->bytes = (uint32_t)attrs[4].ulValueLen;
	else if (given(&attrs[5]))
		info->bytes = signature_length(oid, attrs[5].ulValueLen);
	else if (given(&attrs[6]))
		info->bytes = signature_length_of_set(key_type, set);
	return CKR_OK;
}

CK_RV session_object(struct session *session, CK_OBJECT_HANDLE handle, struct ha_ouid *ouid,
		     struct object_info *info)
{
	struct token *token = session->token;
	struct object_info found;
	unsigned int epoch;
	bool stale;
	CK_RV rv;

	if (!handles_get(&token->handles, handle, ouid, &found, &epoch))
		return CKR_OBJECT_HANDLE_INVALID;
	/* A logout ends the handles of private objects, even if another login follows. */
	stale = epoch != token->epoch;
	if (!found.known && (stale || info)) {
		rv = ask(session, ouid, &found);
		if (rv != CKR_OK)
			return rv;
		handles_remember(&token->handles, handle, &found);
	}
	if (stale && found.private)
		return CKR_OBJECT_HANDLE_INVALID;
	if (info)
		*info = found;
	return CKR_OK;
}

CK_RV session_made(struct session *session, const struct ha_ouid *ouid, bool token_object,
		   CK_OBJECT_HANDLE *handle)
{
	CK_RV rv;

	if (!token_object) {
		session->kept = true;
		session->objects = true;
	}
	rv = handles_add(&session->token->handles, ouid, 1, token_object ? 0 : session->number,
			 session->token->epoch, handle);
	/* An object that nobody can name is of no use. */
	if (rv != CKR_OK)
		ha_destroy(session->token->ha, session->number, ouid);
	return rv;
}

CK_RV template_token(struct session *session, const CK_ATTRIBUTE *attrs, CK_ULONG n,
		     bool *token_object)
{
	CK_ULONG i;

	if (!attrs && n)
		return CKR_ARGUMENTS_BAD;
	for (i = 0; i < n; i++) {
		if (attrs[i].type != CKA_TOKEN)
			continue;
		if (!attrs[i].pValue || attrs[i].ulValueLen != sizeof(CK_BBOOL))
			return CKR_ATTRIBUTE_VALUE_INVALID;
		*token_object = *(const CK_BBOOL *)attrs[i].pValue;
	}
	return *token_object && !session_rw(session) ? CKR_SESSION_READ_ONLY : CKR_OK;
}

/* May this session change an object that exists? */
static CK_RV may_change(struct session *session, CK_OBJECT_HANDLE handle, struct ha_ouid *ouid)
{
	struct object_info info;
	CK_RV rv;

	if (session_rw(session))
		return session_object(session, handle, ouid, NULL);
	rv = session_object(session, handle, ouid, &info);
	return rv == CKR_OK && info.token ? CKR_SESSION_READ_ONLY : rv;
}

/* ---- making, changing, destroying ---- */

CK_RV C_CreateObject(CK_SESSION_HANDLE handle, CK_ATTRIBUTE *attrs, CK_ULONG n,
		     CK_OBJECT_HANDLE *object)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);
	bool token_object = false;
	struct ha_ouid ouid;

	if (rv != CKR_OK)
		return rv;
	rv = object ? template_token(session, attrs, n, &token_object) : CKR_ARGUMENTS_BAD;
	if (rv == CKR_OK)
		rv = ha_create(session->token->ha, session->number, attrs, n, &ouid);
	/* The standard has that for generating alone. */
	if (rv == CKR_KEY_SIZE_RANGE)
		rv = CKR_ATTRIBUTE_VALUE_INVALID;
	if (rv == CKR_OK)
		rv = session_made(session, &ouid, token_object, object);
	return session_leave(session, rv);
}

CK_RV C_CopyObject(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE from, CK_ATTRIBUTE *attrs,
		   CK_ULONG n, CK_OBJECT_HANDLE *object)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);
	struct ha_ouid source, ouid;
	struct object_info info;
	bool token_object;

	if (rv != CKR_OK)
		return rv;
	rv = object ? session_object(session, from, &source, &info) : CKR_ARGUMENTS_BAD;
	if (rv == CKR_OK) {
		token_object = info.token;
		rv = template_token(session, attrs, n, &token_object);
	}
	if (rv == CKR_OK)
		rv = ha_copy(session->token->ha, session->number, &source, attrs, n, &ouid);
	if (rv == CKR_OK)
		rv = session_made(session, &ouid, token_object, object);
	return session_leave(session, rv);
}

CK_RV C_DestroyObject(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);
	struct ha_ouid ouid;

	if (rv != CKR_OK)
		return rv;
	rv = may_change(session, object, &ouid);
	if (rv == CKR_OK)
		rv = ha_destroy(session->token->ha, session->number, &ouid);
	if (rv == CKR_OK || rv == CKR_OBJECT_HANDLE_INVALID || rv == PCIEHSM_CKR_OBJECT_DELETED)
		handles_remove(&session->token->handles, object);
	return session_leave(session, rv);
}

CK_RV C_GetObjectSize(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object, CK_ULONG *size)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);
	struct ha_ouid ouid;

	if (rv != CKR_OK)
		return rv;
	rv = size ? session_object(session, object, &ouid, NULL) : CKR_ARGUMENTS_BAD;
	if (rv == CKR_OK)
		rv = ha_object_size(session->token->ha, session->number, &ouid, size);
	return session_leave(session, rv);
}

CK_RV C_GetAttributeValue(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object,
			  CK_ATTRIBUTE *attrs, CK_ULONG n)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);
	struct ha_ouid ouid;

	if (rv != CKR_OK)
		return rv;
	rv = attrs && n ? session_object(session, object, &ouid, NULL) : CKR_ARGUMENTS_BAD;
	if (rv == CKR_OK)
		rv = ha_get_attributes(session->token->ha, session->number, &ouid, attrs, n);
	return session_leave(session, rv);
}

CK_RV C_SetAttributeValue(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object,
			  CK_ATTRIBUTE *attrs, CK_ULONG n)
{
	struct object_info unknown = { .known = false };
	struct session *session;
	CK_RV rv = session_enter(handle, &session);
	struct ha_ouid ouid;

	if (rv != CKR_OK)
		return rv;
	rv = attrs && n ? may_change(session, object, &ouid) : CKR_ARGUMENTS_BAD;
	if (rv == CKR_OK)
		rv = ha_set_attributes(session->token->ha, session->number, &ouid, attrs, n);
	if (rv == CKR_OK)
		handles_remember(&session->token->handles, object, &unknown);
	return session_leave(session, rv);
}

/* ---- finding ---- */

CK_RV C_FindObjectsInit(CK_SESSION_HANDLE handle, CK_ATTRIBUTE *attrs, CK_ULONG n)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);

	if (rv != CKR_OK)
		return rv;
	if (session->finding)
		return session_leave(session, CKR_OPERATION_ACTIVE);
	if (!attrs && n)
		return session_leave(session, CKR_ARGUMENTS_BAD);
	session->found_epoch = session->token->epoch;
	rv = ha_find(session->token->ha, session->number, attrs, n, &session->found,
		     &session->n_found);
	if (rv == CKR_OK) {
		session->next_found = 0;
		session->finding = true;
	}
	return session_leave(session, rv);
}

CK_RV C_FindObjects(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE *objects, CK_ULONG max,
		    CK_ULONG *count)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);
	CK_ULONG n;

	if (rv != CKR_OK)
		return rv;
	if (!session->finding)
		return session_leave(session, CKR_OPERATION_NOT_INITIALIZED);
	if (!count || (!objects && max))
		return session_leave(session, CKR_ARGUMENTS_BAD);
	n = session->n_found - session->next_found;
	if (n > max)
		n = max;
	if (n)
		rv = handles_add(&session->token->handles, session->found + session->next_found, n,
				 0, session->found_epoch, objects);
	if (rv == CKR_OK) {
		session->next_found += n;
		*count = n;
	}
	return session_leave(session, rv);
}

void session_end_search(struct session *session)
{
	free(session->found);
	session->found = NULL;
	session->finding = false;
}

CK_RV C_FindObjectsFinal(CK_SESSION_HANDLE handle)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);

	if (rv != CKR_OK)
		return rv;
	if (!session->finding)
		return session_leave(session, CKR_OPERATION_NOT_INITIALIZED);
	session_end_search(session);
	return session_leave(session, CKR_OK);
}
