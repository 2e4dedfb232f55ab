// SPDX-License-Identifier: GPL-2.0-or-later
#include "objects/use.h"

#include <string.h>

#include "hsm/policy.h"
#include "message/wire.h"

/* Which member of the parameters each field fills in */
static const struct {
	uint16_t	id;
	uint16_t	offset;
	bool		number;
} members[] = {
#define BYTES(field, member)	{ field, offsetof(struct fw_mech_params, member), false }
#define NUMBER(field, member)	{ field, offsetof(struct fw_mech_params, member), true }
	BYTES(PCIEHSM_F_P_IV, iv),
	BYTES(PCIEHSM_F_P_AAD, aad),
	NUMBER(PCIEHSM_F_P_TAG_BITS, tag_bits),
	NUMBER(PCIEHSM_F_P_COUNTER_BITS, counter_bits),
	NUMBER(PCIEHSM_F_P_HASH, hash),
	NUMBER(PCIEHSM_F_P_MGF, mgf),
	NUMBER(PCIEHSM_F_P_SALT_LEN, salt_len),
	BYTES(PCIEHSM_F_P_SOURCE, source),
	NUMBER(PCIEHSM_F_P_KDF, kdf),
	BYTES(PCIEHSM_F_P_SHARED, shared),
	BYTES(PCIEHSM_F_P_PUBLIC, public),
	BYTES(PCIEHSM_F_P_SALT, salt),
	BYTES(PCIEHSM_F_P_INFO, info),
	NUMBER(PCIEHSM_F_P_HKDF, hkdf),
	NUMBER(PCIEHSM_F_P_MAC_LEN, mac_len),
	BYTES(PCIEHSM_F_P_CONTEXT, context),
	NUMBER(PCIEHSM_F_P_PREHASH, prehash),
#undef BYTES
#undef NUMBER
};

static void set_member(struct fw_mech_params *params, const struct field *f)
{
	struct fw_bytes bytes = { f->data, f->len };
	uint32_t number;
	size_t i;

	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		if (members[i].id != f->id)
			continue;
		if (members[i].number) {
			number = wire_get32(f->data);
			memcpy((char *)params + members[i].offset, &number, sizeof(number));
		} else {
			memcpy((char *)params + members[i].offset, &bytes, sizeof(bytes));
		}
	}
	params->have |= FW_HAVE(f->id);
}

static bool mechanism_allowed(const struct object *o, CK_ULONG mech)
{
	struct fw_bytes list;
	size_t i;

	if (!(o->flags & OBJ_RESTRICTED) ||
	    !fw_attrs_get(&o->attrs, CKA_ALLOWED_MECHANISMS, &list))
		return true;
	for (i = 0; i + 8 <= list.len; i += 8)
		if (wire_get64(list.p + i) == mech)
			return true;
	return false;
}

CK_RV use_begin(struct use *u, struct call *c)
{
	const struct field *f;
	unsigned int i;

	memset(u, 0, sizeof(*u));
	u->mech = message_u32(&c->in, PCIEHSM_F_MECHANISM, 0);
	for (i = 0; i < c->in.count; i++) {
		f = &c->in.fields[i];
		if (f->id >= PCIEHSM_F_P_IV && f->id <= PCIEHSM_F_P_PREHASH)
			set_member(&u->params, f);
	}
	f = message_field(&c->in, PCIEHSM_F_P_SALT_KEY);
	if (!f)
		return CKR_OK;
	u->salt = partition_object(c, f->data);
	if (!u->salt || !object_is_key(u->salt))
		return CKR_KEY_HANDLE_INVALID;
	/* It works, too: extracting with a known secret would be an HMAC of that. */
	if (!(u->salt->flags & OBJ_DERIVE))
		return CKR_KEY_FUNCTION_NOT_PERMITTED;
	if (!mechanism_allowed(u->salt, u->mech))
		return CKR_MECHANISM_INVALID;
	return object_key(u->salt, &u->params.salt_key);
}

/* What the partition's policies forbid although the key would allow it */
static bool policy_allows(struct call *c, const struct use *u, uint32_t permission)
{
	if (u->mech == CKM_RSA_X_509 && !partition_policy(c->part, POLICY_RAW_RSA))
		return false;
	if (u->mech == CKM_RSA_PKCS && !partition_policy(c->part, POLICY_RSA_PKCS))
		return false;
	if ((permission & (OBJ_SIGN | OBJ_SIGN_RECOVER)) && !(u->object->flags & OBJ_LOCAL) &&
	    !partition_policy(c->part, POLICY_SIGN_NON_LOCAL))
		return false;
	return true;
}

CK_RV use_key(struct use *u, struct call *c, uint32_t permission, CK_RV invalid)
{
	const struct field *f = message_field(&c->in, PCIEHSM_F_KEY);

	u->object = partition_object(c, f->data);
	if (!u->object || !object_is_key(u->object))
		return invalid;
	if (!(u->object->flags & permission))
		return CKR_KEY_FUNCTION_NOT_PERMITTED;
	if (!mechanism_allowed(u->object, u->mech))
		return CKR_MECHANISM_INVALID;
	if (!policy_allows(c, u, permission))
		return PCIEHSM_CKR_POLICY;
	return object_key(u->object, &u->key);
}

void use_end(struct use *u)
{
	object_put(u->salt);
	object_put(u->object);
}
