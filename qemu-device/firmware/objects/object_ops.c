// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Creating, copying, reading, changing and destroying objects.
 */
#include <string.h>

#include "core/ops.h"
#include "hsm/policy.h"
#include "message/template.h"
#include "message/wire.h"
#include "objects/access.h"
#include "objects/answer.h"
#include "objects/make.h"
#include "objects/rules.h"

static CK_RV template_of(struct call *c, struct fw_attrs *attrs)
{
	const uint8_t *data;
	size_t len;

	data = message_bytes(&c->in, PCIEHSM_F_TEMPLATE, &len);
	return template_to_attrs(data, len, attrs);
}

/* ---- create ---- */

/*
 * A key that comes from outside: its material is checked and completed. What follows
 * from the material is not believed but computed; a check value must be right.
 */
static CK_RV complete_key(struct making *m)
{
	CK_RV rv;

	fw_attrs_remove(&m->attrs[0], CKA_PUBLIC_KEY_INFO);
	rv = make_set_check_value_aside(m);
	if (rv == CKR_OK)
		rv = fw_key_complete(&m->attrs[0]);
	if (rv == CKR_OK)
		rv = make_compare_check_value(m);
	return rv;
}

static CK_RV create(struct call *c, struct making *m)
{
	struct fw_attrs *attrs = &m->attrs[0];
	uint64_t class;
	CK_RV rv;

	rv = template_of(c, attrs);
	if (rv != CKR_OK)
		return rv;
	if (!fw_attrs_get_ulong(attrs, CKA_CLASS, &class))
		return fw_attrs_has(attrs, CKA_CLASS) ? CKR_ATTRIBUTE_VALUE_INVALID :
							CKR_TEMPLATE_INCOMPLETE;
	rv = rules_check(attrs, class, RULES_CREATE);
	if (rv == CKR_OK && class == CKO_CERTIFICATE)
		rv = rules_check_certificate(attrs);
	if (rv == CKR_OK)
		rv = rules_defaults(attrs, class);
	if (rv == CKR_OK)
		rv = make_allowed(m, attrs);
	if (rv == CKR_OK && class == CKO_DOMAIN_PARAMETERS)
		rv = rules_check_domain(attrs);
	else if (rv == CKR_OK && class != CKO_DATA && class != CKO_CERTIFICATE)
		rv = complete_key(m);
	if (rv == CKR_OK)
		rv = make_commit(m);
	return rv;
}

CK_RV op_object_create(struct call *c)
{
	struct making m;
	CK_RV rv;

	rv = make_begin(&m, c, 1);
	if (rv == CKR_OK && !m.done)
		rv = create(c, &m);
	make_end(&m);
	return rv;
}

/* ---- copy ---- */

static struct object *named(struct call *c)
{
	size_t len;

	return partition_object(c, message_bytes(&c->in, PCIEHSM_F_OBJECT, &len));
}

/*
 * A copy with another use would be a way around the policy: it is one for both. And
 * a key is given another use by CO alone: who may not change it could copy it into a
 * session and change the copy.
 */
static CK_RV policy_allows(struct call *c, const struct fw_attrs *attrs,
			   const struct fw_attrs *change)
{
	bool allowed = partition_policy(c->part, POLICY_CHANGE_ATTRIBUTES);
	const struct fw_attr *a;
	unsigned int i;

	for (i = 0; i < change->count; i++) {
		a = &change->list[i];
		if (!rules_usage_attr(a->type))
			continue;
		if (!allowed)
			return PCIEHSM_CKR_POLICY;
		if (c->role != PCIEHSM_ROLE_CO && a->len == 1 && fw_attr_value(a)[0] &&
		    !fw_attrs_get_bool(attrs, a->type, false))
			return CKR_ATTRIBUTE_READ_ONLY;
	}
	return CKR_OK;
}

static CK_RV copy(struct call *c, struct making *m, const struct object *from)
{
	struct fw_attrs change = { 0 };
	CK_RV rv;

	if (!(from->flags & OBJ_COPYABLE))
		return CKR_ACTION_PROHIBITED;
	rv = template_of(c, &change);
	if (rv == CKR_OK)
		rv = policy_allows(c, &from->attrs, &change);
	if (rv == CKR_OK)
		rv = fw_attrs_copy(&m->attrs[0], &from->attrs);
	if (rv == CKR_OK)
		rv = rules_apply(&m->attrs[0], &change, from->class, RULES_COPY);
	fw_attrs_wipe(&change);
	if (rv == CKR_OK)
		rv = make_allowed(m, &m->attrs[0]);
	if (rv == CKR_OK)
		rv = make_commit(m);
	return rv;
}

CK_RV op_object_copy(struct call *c)
{
	struct object *from;
	struct making m;
	CK_RV rv;

	rv = make_begin(&m, c, 1);
	if (rv == CKR_OK && !m.done) {
		from = named(c);
		rv = from ? copy(c, &m, from) : CKR_OBJECT_HANDLE_INVALID;
		object_put(from);
	}
	make_end(&m);
	return rv;
}

/* ---- destroy ---- */

/* Was it a token object, and is it deleted? */
static bool tombstone(struct call *c, const uint8_t *ouid, struct version *version)
{
	struct entry *e;
	bool is;

	pthread_rwlock_rdlock(&c->part->lock);
	e = table_find(&c->part->table, ouid);
	is = e && !e->object;
	if (is)
		*version = e->version;
	pthread_rwlock_unlock(&c->part->lock);
	return is;
}

static CK_RV destroy_token(struct call *c, const uint8_t *ouid, struct version *version)
{
	struct change ch;
	struct entry *e;
	CK_RV rv;

	rv = change_begin(&ch, c->part);
	if (rv != CKR_OK)
		return rv;
	/* As it is now, which need not be what was found before. */
	e = table_find(&c->part->table, ouid);
	if (!e || !e->object || atomic_load(&c->part->epoch) != c->epoch) {
		change_abort(&ch);
		return CKR_OBJECT_HANDLE_INVALID;
	}
	version->counter = e->version.counter + 1;
	version->writer = c->part->serial;
	rv = change_bury(&ch, ouid, version);
	if (rv != CKR_OK) {
		change_abort(&ch);
		return rv;
	}
	return change_commit(&ch);
}

static CK_RV destroy_session(struct call *c, const struct object *o, struct version *version)
{
	struct entry *e;

	pthread_mutex_lock(&c->ctx->lock);
	e = table_find(&c->ctx->objects, o->ouid);
	if (e) {
		version->counter = e->version.counter + 1;
		version->writer = c->part->serial;
		table_remove(&c->ctx->objects, e);
		context_charge(c->ctx);
	}
	pthread_mutex_unlock(&c->ctx->lock);
	return e ? CKR_OK : CKR_OBJECT_HANDLE_INVALID;
}

static CK_RV destroy(struct call *c, const struct object *o, struct version *version)
{
	if (!access_changes(c->role, o))
		return CKR_USER_NOT_LOGGED_IN;
	if (!(o->flags & OBJ_DESTROYABLE))
		return CKR_ACTION_PROHIBITED;
	if (object_is_key(o) && !partition_policy(c->part, POLICY_KEY_MANAGEMENT))
		return PCIEHSM_CKR_POLICY;
	if (o->flags & OBJ_TOKEN)
		return destroy_token(c, o->ouid, version);
	return destroy_session(c, o, version);
}

CK_RV op_object_destroy(struct call *c)
{
	uint32_t flags = message_u32(&c->in, PCIEHSM_F_FLAGS, 0);
	struct version version;
	const uint8_t *ouid;
	struct object *o;
	size_t len;
	CK_RV rv;

	if (flags & ~PCIEHSM_DESTROY_REPEATED)
		return CKR_ARGUMENTS_BAD;
	rv = answer_room(&c->out, 1, sizeof(struct pciehsm_version));
	if (rv != CKR_OK)
		return rv;
	ouid = message_bytes(&c->in, PCIEHSM_F_OBJECT, &len);
	o = partition_object(c, ouid);
	rv = o ? destroy(c, o, &version) : CKR_OBJECT_HANDLE_INVALID;
	object_put(o);
	if (rv == CKR_OBJECT_HANDLE_INVALID && (flags & PCIEHSM_DESTROY_REPEATED) &&
	    c->role == PCIEHSM_ROLE_CO && tombstone(c, ouid, &version))
		rv = CKR_OK;
	if (rv == CKR_OK)
		answer_version(&c->out, &version);
	return rv;
}

/* ---- read ---- */

/* One attribute of the answer; @p NULL: only its length. Returns bytes. */
static size_t get_one(const struct object *o, uint32_t type, uint8_t *p, CK_RV *rv)
{
	struct fw_bytes value = { 0 };
	uint32_t len;

	if (!fw_attrs_get(&o->attrs, type, &value)) {
		len = PCIEHSM_ATTR_INVALID;
		if (*rv == CKR_OK)
			*rv = CKR_ATTRIBUTE_TYPE_INVALID;
	} else if (object_unreadable(o, type)) {
		len = PCIEHSM_ATTR_SENSITIVE;
		*rv = CKR_ATTRIBUTE_SENSITIVE;
		value.len = 0;
	} else {
		len = (uint32_t)value.len;
	}
	if (p) {
		wire_put32(p, type);
		wire_put32(p + 4, len);
		if (value.len)
			memcpy(p + 8, value.p, value.len);
		memset(p + 8 + value.len, 0, wire_pad(value.len) - value.len);
	}
	return sizeof(struct pciehsm_attr) + wire_pad(value.len);
}

static CK_RV get(struct call *c, const struct object *o, const uint8_t *types, size_t len)
{
	struct template_iter it = TEMPLATE_ITER(types, len);
	struct attr want;
	size_t need = 0;
	CK_RV rv = CKR_OK;
	uint8_t *p;

	while (template_next(&it, &want)) {
		if (want.len)
			return CKR_ARGUMENTS_BAD;
		need += get_one(o, want.type, NULL, &rv);
	}
	c->out.keep = true;
	p = answer_open(&c->out, PCIEHSM_F_TEMPLATE, need);
	if (p) {
		it = (struct template_iter)TEMPLATE_ITER(types, len);
		while (template_next(&it, &want))
			p += get_one(o, want.type, p, &rv);
		answer_close(&c->out, need);
	}
	if (rv == CKR_OK)
		answer_version(&c->out, &o->version);
	return rv;
}

CK_RV op_object_get(struct call *c)
{
	const uint8_t *types;
	struct object *o;
	size_t len;
	CK_RV rv;

	types = message_bytes(&c->in, PCIEHSM_F_TEMPLATE, &len);
	o = named(c);
	if (!o)
		return CKR_OBJECT_HANDLE_INVALID;
	rv = get(c, o, types, len);
	object_put(o);
	return rv;
}

CK_RV op_object_size(struct call *c)
{
	struct object *o = named(c);

	if (!o)
		return CKR_OBJECT_HANDLE_INVALID;
	answer_u64(&c->out, PCIEHSM_F_SIZE, o->size);
	object_put(o);
	return CKR_OK;
}

/* ---- change ---- */

/* PKCS#11 3.0, 4.6.2 and 4.8: only the security officer trusts a certificate or key. */
static bool trusts(struct call *c, const struct object *o, const struct fw_attrs *change)
{
	return c->role == PCIEHSM_ROLE_PO && access_sees(c->role, o) && change->count == 1 &&
	       change->list[0].type == CKA_TRUSTED;
}

static CK_RV may_change(struct call *c, const struct object *o, const struct fw_attrs *change)
{
	if (!access_changes(c->role, o) && !trusts(c, o, change))
		return CKR_USER_NOT_LOGGED_IN;
	if (!(o->flags & OBJ_MODIFIABLE))
		return CKR_ACTION_PROHIBITED;
	return policy_allows(c, &o->attrs, change);
}

/* The next version of @o; the key that was made of it is still good. */
static CK_RV next_version(struct call *c, struct object *o, const struct fw_attrs *change,
			  struct object **next)
{
	struct version version = { o->version.counter + 1, c->part->serial };
	struct fw_attrs attrs = { 0 };
	struct fw_key *key;
	CK_RV rv;

	rv = fw_attrs_copy(&attrs, &o->attrs);
	if (rv == CKR_OK)
		rv = rules_apply(&attrs, change, o->class, c->role == PCIEHSM_ROLE_PO ?
							   RULES_SET_SO : RULES_SET);
	if (rv == CKR_OK && attrs_encoded_len(&attrs) > OBJECT_MAX)
		rv = CKR_DEVICE_MEMORY;
	if (rv != CKR_OK) {
		fw_attrs_wipe(&attrs);
		return rv;
	}
	*next = object_new(o->ouid, &version, &attrs);
	if (!*next)
		return CKR_HOST_MEMORY;
	key = atomic_load(&o->key);
	if (key)
		atomic_store(&(*next)->key, fw_key_ref(key));
	(*next)->session = o->session;
	return CKR_OK;
}

static CK_RV set_token(struct call *c, const uint8_t *ouid, const struct fw_attrs *change,
		       struct version *version)
{
	struct object *next = NULL;
	struct change ch;
	struct entry *e;
	CK_RV rv;

	rv = change_begin(&ch, c->part);
	if (rv != CKR_OK)
		return rv;
	e = table_find(&c->part->table, ouid);
	if (!e || !e->object || atomic_load(&c->part->epoch) != c->epoch)
		rv = CKR_OBJECT_HANDLE_INVALID;
	if (rv == CKR_OK)
		rv = may_change(c, e->object, change);
	if (rv == CKR_OK)
		rv = next_version(c, e->object, change, &next);
	if (rv == CKR_OK) {
		*version = next->version;
		rv = change_put(&ch, next);
	}
	if (rv != CKR_OK) {
		change_abort(&ch);
		return rv;
	}
	return change_commit(&ch);
}

static CK_RV set_session(struct call *c, const uint8_t *ouid, const struct fw_attrs *change,
			 struct version *version)
{
	struct object *next = NULL;
	struct entry *e;
	CK_RV rv;

	pthread_mutex_lock(&c->ctx->lock);
	e = table_find(&c->ctx->objects, ouid);
	if (!e)
		rv = CKR_OBJECT_HANDLE_INVALID;
	else
		rv = may_change(c, e->object, change);
	if (rv == CKR_OK)
		rv = next_version(c, e->object, change, &next);
	if (rv == CKR_OK) {
		if (c->ctx->objects.bytes + next->size > CONTEXT_MAX_BYTES)
			rv = CKR_DEVICE_MEMORY;
		else
			rv = context_room(c->ctx, next->size);
		if (rv == CKR_OK) {
			*version = next->version;
			table_set(&c->ctx->objects, next, 0);
			context_charge(c->ctx);
		} else {
			object_put(next);
		}
	}
	pthread_mutex_unlock(&c->ctx->lock);
	return rv;
}

CK_RV op_object_set(struct call *c)
{
	struct fw_attrs change = { 0 };
	struct version version;
	struct object *o;
	CK_RV rv;

	rv = answer_room(&c->out, 1, sizeof(struct pciehsm_version));
	if (rv == CKR_OK)
		rv = template_of(c, &change);
	if (rv == CKR_OK) {
		o = named(c);
		if (!o)
			rv = CKR_OBJECT_HANDLE_INVALID;
		else if (o->flags & OBJ_TOKEN)
			rv = set_token(c, o->ouid, &change, &version);
		else
			rv = set_session(c, o->ouid, &change, &version);
		object_put(o);
	}
	fw_attrs_wipe(&change);
	if (rv == CKR_OK)
		answer_version(&c->out, &version);
	return rv;
}
