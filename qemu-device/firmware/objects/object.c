// SPDX-License-Identifier: GPL-2.0-or-later
#include "objects/object.h"

#include <stdlib.h>
#include <string.h>

#include "message/template.h"
#include "store/store.h"

static const struct {
	uint32_t	type;
	uint32_t	flag;
} flag_attrs[] = {
	{ CKA_TOKEN, OBJ_TOKEN },
	{ CKA_PRIVATE, OBJ_PRIVATE },
	{ CKA_MODIFIABLE, OBJ_MODIFIABLE },
	{ CKA_COPYABLE, OBJ_COPYABLE },
	{ CKA_DESTROYABLE, OBJ_DESTROYABLE },
	{ CKA_SENSITIVE, OBJ_SENSITIVE },
	{ CKA_EXTRACTABLE, OBJ_EXTRACTABLE },
	{ CKA_LOCAL, OBJ_LOCAL },
	{ CKA_ENCRYPT, OBJ_ENCRYPT },
	{ CKA_DECRYPT, OBJ_DECRYPT },
	{ CKA_SIGN, OBJ_SIGN },
	{ CKA_SIGN_RECOVER, OBJ_SIGN_RECOVER },
	{ CKA_VERIFY, OBJ_VERIFY },
	{ CKA_VERIFY_RECOVER, OBJ_VERIFY_RECOVER },
	{ CKA_WRAP, OBJ_WRAP },
	{ CKA_UNWRAP, OBJ_UNWRAP },
	{ CKA_DERIVE, OBJ_DERIVE },
	{ CKA_WRAP_WITH_TRUSTED, OBJ_WRAP_WITH_TRUSTED },
	{ CKA_TRUSTED, OBJ_TRUSTED },
	{ CKA_ENCAPSULATE, OBJ_ENCAPSULATE },
	{ CKA_DECAPSULATE, OBJ_DECAPSULATE },
};

static const uint32_t restrictions[] = {
	CKA_ALLOWED_MECHANISMS, CKA_WRAP_TEMPLATE, CKA_UNWRAP_TEMPLATE, CKA_DERIVE_TEMPLATE,
	CKA_ENCAPSULATE_TEMPLATE, CKA_DECAPSULATE_TEMPLATE,
};

struct object *object_new(const uint8_t ouid[PCIEHSM_OUID_LEN], const struct version *version,
			  struct fw_attrs *attrs)
{
	struct object *o = calloc(1, sizeof(*o));
	uint64_t class = 0;
	size_t i;

	if (!o) {
		fw_attrs_wipe(attrs);
		return NULL;
	}
	atomic_init(&o->refs, 1);
	atomic_init(&o->key, NULL);
	memcpy(o->ouid, ouid, sizeof(o->ouid));
	o->version = *version;
	o->attrs = *attrs;
	memset(attrs, 0, sizeof(*attrs));
	fw_attrs_get_ulong(&o->attrs, CKA_CLASS, &class);
	o->class = (uint32_t)class;
	for (i = 0; i < sizeof(flag_attrs) / sizeof(flag_attrs[0]); i++)
		if (fw_attrs_get_bool(&o->attrs, flag_attrs[i].type, false))
			o->flags |= flag_attrs[i].flag;
	for (i = 0; i < sizeof(restrictions) / sizeof(restrictions[0]); i++)
		if (fw_attrs_has(&o->attrs, restrictions[i]))
			o->flags |= OBJ_RESTRICTED;
	o->size = store_object_size(attrs_encoded_len(&o->attrs));
	return o;
}

struct object *object_get(struct object *o)
{
	atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
	return o;
}

void object_put(struct object *o)
{
	if (!o || atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) != 1)
		return;
	fw_key_unref(atomic_load_explicit(&o->key, memory_order_relaxed));
	fw_attrs_wipe(&o->attrs);
	free(o);
}

CK_RV object_key(struct object *o, struct fw_key **key)
{
	struct fw_key *have = atomic_load_explicit(&o->key, memory_order_acquire);
	struct fw_key *made = NULL;
	CK_RV rv;

	if (!have) {
		rv = fw_key_from_attrs(&o->attrs, &made);
		if (rv != CKR_OK)
			return rv;
		/* Two engines may come here at once: the first one's key stays. */
		if (atomic_compare_exchange_strong_explicit(&o->key, &have, made,
							    memory_order_acq_rel,
							    memory_order_acquire))
			have = made;
		else
			fw_key_unref(made);
	}
	*key = have;
	return CKR_OK;
}

bool object_is_key(const struct object *o)
{
	return o->class == CKO_PUBLIC_KEY || o->class == CKO_PRIVATE_KEY ||
	       o->class == CKO_SECRET_KEY;
}

bool object_unreadable(const struct object *o, uint32_t type)
{
	if (o->class != CKO_PRIVATE_KEY && o->class != CKO_SECRET_KEY)
		return false;
	if ((o->flags & OBJ_EXTRACTABLE) && !(o->flags & OBJ_SENSITIVE))
		return false;
	return fw_key_sensitive_attr(o->class, type);
}
