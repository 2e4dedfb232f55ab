// SPDX-License-Identifier: GPL-2.0-or-later
#include "objects/use.h"

#include "hsm/policy.h"
#include "message/wire.h"

static void set_member(struct fw_mech_params *p, const struct field *f)
{
	struct fw_bytes bytes = { f->data, f->len };

	p->have |= FW_HAVE(f->id);
	switch (f->id) {
	case PCIEHSM_F_P_IV:
		p->iv = bytes;
		break;
	case PCIEHSM_F_P_AAD:
		p->aad = bytes;
		break;
	case PCIEHSM_F_P_TAG_BITS:
		p->tag_bits = wire_get32(f->data);
		break;
	case PCIEHSM_F_P_COUNTER_BITS:
		p->counter_bits = wire_get32(f->data);
		break;
	case PCIEHSM_F_P_HASH:
		p->hash = wire_get32(f->data);
		break;
	case PCIEHSM_F_P_MGF:
		p->mgf = wire_get32(f->data);
		break;
	case PCIEHSM_F_P_SALT_LEN:
		p->salt_len = wire_get32(f->data);
		break;
	case PCIEHSM_F_P_SOURCE:
		p->source = bytes;
		break;
	case PCIEHSM_F_P_KDF:
		p->kdf = wire_get32(f->data);
		break;
	case PCIEHSM_F_P_SHARED:
		p->shared = bytes;
		break;
	case PCIEHSM_F_P_PUBLIC:
		p->public = bytes;
		break;
	case PCIEHSM_F_P_SALT:
		p->salt = bytes;
		break;
	case PCIEHSM_F_P_INFO:
		p->info = bytes;
		break;
	case PCIEHSM_F_P_HKDF:
		p->hkdf = wire_get32(f->data);
		break;
	case PCIEHSM_F_P_MAC_LEN:
		p->mac_len = wire_get32(f->data);
		break;
	case PCIEHSM_F_P_CONTEXT:
		p->context = bytes;
		break;
	case PCIEHSM_F_P_PREHASH:
		p->prehash = wire_get32(f->data);
		break;
	case PCIEHSM_F_P_HEDGE:
		p->hedge = wire_get32(f->data);
		break;
	case PCIEHSM_F_P_SALT_KEY:
		/* Looked up by who knows the caller's rights. */
		break;
	}
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

CK_RV use_mechanism(struct call *c, CK_ULONG mech, uint32_t flag)
{
	if (atomic_load_explicit(&c->fw->failed, memory_order_relaxed))
		return CKR_DEVICE_ERROR;
	if (approved_only(c->fw, c->part) && !(fw_approved_flags(mech) & flag))
		return CKR_MECHANISM_INVALID;
	return CKR_OK;
}

CK_RV use_begin(struct use *u, struct call *c, uint32_t flag)
{
	const struct field *f;
	unsigned int i;
	CK_RV rv;

	/* Parameters that were not given are not read, so they need not be cleared. */
	u->params.have = 0;
	u->params.salt_key = NULL;
	u->salt = NULL;
	u->object = NULL;
	u->key = NULL;
	u->mech = message_u32(&c->in, PCIEHSM_F_MECHANISM, 0);
	for (i = 0; i < c->in.count; i++) {
		f = &c->in.fields[i];
		if (f->id >= PCIEHSM_F_P_IV && f->id <= PCIEHSM_F_P_LAST)
			set_member(&u->params, f);
	}
	rv = use_mechanism(c, u->mech, flag);
	if (rv != CKR_OK)
		return rv;
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
	if (u->mech == CKM_RSA_X_509 && !partition_allows(c->part, POLICY_RAW_RSA))
		return false;
	if (u->mech == CKM_RSA_PKCS && !partition_allows(c->part, POLICY_RSA_PKCS))
		return false;
	if ((permission & (OBJ_SIGN | OBJ_SIGN_RECOVER)) && !(u->object->flags & OBJ_LOCAL) &&
	    !partition_allows(c->part, POLICY_SIGN_NON_LOCAL))
		return false;
	return true;
}

CK_RV use_key(struct use *u, struct call *c, uint32_t permission, CK_RV invalid)
{
	const struct field *f = message_field(&c->in, PCIEHSM_F_KEY);
	CK_RV rv;

	u->object = partition_object(c, f->data);
	if (!u->object || !object_is_key(u->object))
		return invalid;
	if (!(u->object->flags & permission))
		return CKR_KEY_FUNCTION_NOT_PERMITTED;
	if (!mechanism_allowed(u->object, u->mech))
		return CKR_MECHANISM_INVALID;
	if (!policy_allows(c, u, permission))
		return PCIEHSM_CKR_POLICY;
	rv = object_key(u->object, &u->key);
	if (rv == CKR_OK && approved_only(c->fw, c->part) && !fw_approved_key(u->key))
		rv = PCIEHSM_CKR_POLICY;
	return rv;
}

void use_end(struct use *u)
{
	object_put(u->salt);
	object_put(u->object);
}
