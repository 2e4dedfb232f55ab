// SPDX-License-Identifier: GPL-2.0-or-later
#include "objects/make.h"

#include <stdio.h>
#include <string.h>

#include "hsm/policy.h"
#include "message/template.h"
#include "message/wire.h"
#include "objects/access.h"
#include "objects/answer.h"
#include "objects/rules.h"

static bool is_zero(const uint8_t ouid[PCIEHSM_OUID_LEN])
{
	static const uint8_t zero[PCIEHSM_OUID_LEN];

	return memcmp(ouid, zero, sizeof(zero)) == 0;
}

/* What is known under an OUID */
struct known {
	bool		exists;
	bool		deleted;
	bool		visible;
	struct version	version;
};

static void look_at(struct call *c, const struct entry *e, struct known *k)
{
	if (!e)
		return;
	k->exists = e->object != NULL;
	k->deleted = !k->exists;
	k->visible = k->exists && access_sees(c->role, e->object);
	k->version = e->version;
}

/* @locked: the caller holds the partition's change, and so may read the table. */
static void look_up(struct call *c, const uint8_t *ouid, bool locked, struct known *k)
{
	memset(k, 0, sizeof(*k));
	if (!locked)
		pthread_rwlock_rdlock(&c->part->lock);
	look_at(c, table_find(&c->part->table, ouid), k);
	if (!locked)
		pthread_rwlock_unlock(&c->part->lock);
	if (k->exists || k->deleted)
		return;
	pthread_mutex_lock(&c->ctx->lock);
	look_at(c, table_find(&c->ctx->objects, ouid), k);
	pthread_mutex_unlock(&c->ctx->lock);
}

static void answer_made(struct making *m, const struct version *version)
{
	answer_put(&m->c->out, PCIEHSM_F_OUID, m->ouid[0], PCIEHSM_OUID_LEN);
	if (m->count == 2)
		answer_put(&m->c->out, PCIEHSM_F_OUID2, m->ouid[1], PCIEHSM_OUID_LEN);
	answer_version(&m->c->out, version);
}

/* Answers if the objects are there; @m->done says so. */
static CK_RV answer_existing(struct making *m, bool locked)
{
	unsigned int i, exist = 0;
	struct known k, first;

	for (i = 0; i < m->count; i++) {
		look_up(m->c, m->ouid[i], locked, &k);
		if (k.deleted)
			return PCIEHSM_CKR_OBJECT_DELETED;
		if (k.exists && !k.visible)
			return CKR_USER_NOT_LOGGED_IN;
		exist += k.exists;
		if (i == 0)
			first = k;
	}
	if (!exist)
		return CKR_OK;
	/* One half of a pair: the two names were never given to one. */
	if (exist != m->count)
		return CKR_ARGUMENTS_BAD;
	answer_made(m, &first.version);
	m->done = true;
	return CKR_OK;
}

CK_RV make_begin(struct making *m, struct call *c, unsigned int count)
{
	unsigned int i;
	size_t len;
	CK_RV rv;

	memset(m, 0, sizeof(*m));
	m->c = c;
	m->count = count;
	m->ouid[0] = message_bytes(&c->in, PCIEHSM_F_OUID, &len);
	m->ouid[1] = message_bytes(&c->in, PCIEHSM_F_OUID2, &len);
	m->counter = message_u64(&c->in, PCIEHSM_F_COUNTER, 1);
	if (!m->counter || m->counter > COUNTER_MAX)
		return CKR_ARGUMENTS_BAD;
	for (i = 0; i < count; i++)
		if (is_zero(m->ouid[i]))
			return CKR_ARGUMENTS_BAD;
	if (count == 2 && memcmp(m->ouid[0], m->ouid[1], PCIEHSM_OUID_LEN) == 0)
		return CKR_ARGUMENTS_BAD;
	rv = answer_room(&c->out, count + 1, (count + 1) * 16);
	if (rv != CKR_OK)
		return rv;
	return answer_existing(m, false);
}

void make_end(struct making *m)
{
	fw_attrs_wipe(&m->attrs[0]);
	fw_attrs_wipe(&m->attrs[1]);
}

CK_RV make_set_check_value_aside(struct making *m)
{
	struct fw_bytes claim;

	if (!fw_attrs_get(&m->attrs[0], CKA_CHECK_VALUE, &claim))
		return CKR_OK;
	if (claim.len > sizeof(m->check))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	m->check_len = claim.len;
	if (claim.len)
		memcpy(m->check, claim.p, claim.len);
	fw_attrs_remove(&m->attrs[0], CKA_CHECK_VALUE);
	return CKR_OK;
}

CK_RV make_compare_check_value(const struct making *m)
{
	struct fw_bytes fact;

	if (!m->check_len)
		return CKR_OK;
	if (!fw_attrs_get(&m->attrs[0], CKA_CHECK_VALUE, &fact) || fact.len != m->check_len ||
	    memcmp(fact.p, m->check, fact.len) != 0)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	return CKR_OK;
}

CK_RV make_allowed(const struct making *m, const struct fw_attrs *attrs)
{
	uint64_t class = CKO_DATA;
	uint32_t flags = 0;

	if (fw_attrs_get_bool(attrs, CKA_TOKEN, false))
		flags |= OBJ_TOKEN;
	if (fw_attrs_get_bool(attrs, CKA_PRIVATE, false))
		flags |= OBJ_PRIVATE;
	if (!access_creates(m->c->role, flags))
		return CKR_USER_NOT_LOGGED_IN;
	fw_attrs_get_ulong(attrs, CKA_CLASS, &class);
	if (class != CKO_DATA && class != CKO_CERTIFICATE && class != CKO_DOMAIN_PARAMETERS &&
	    !partition_policy(m->c->part, POLICY_KEY_MANAGEMENT))
		return PCIEHSM_CKR_POLICY;
	return CKR_OK;
}

/* The context's session objects must not eat the card's memory. */
static CK_RV room_in_context(struct context *ctx, const struct object *o)
{
	if (ctx->objects.live >= CONTEXT_MAX_OBJECTS ||
	    ctx->objects.bytes + o->size > CONTEXT_MAX_BYTES)
		return CKR_DEVICE_MEMORY;
	return context_room(ctx, o->size);
}

CK_RV make_session_object(struct call *c, struct object *o)
{
	CK_RV rv;

	o->session = c->in.session;
	o->no = atomic_fetch_add(&c->part->next_no, 1);
	pthread_mutex_lock(&c->ctx->lock);
	rv = room_in_context(c->ctx, o);
	if (rv == CKR_OK)
		rv = context_holds(c->ctx, c->role, c->epoch);
	if (rv == CKR_OK) {
		table_set(&c->ctx->objects, o, 0);
		context_charge(c->ctx);
	}
	pthread_mutex_unlock(&c->ctx->lock);
	if (rv != CKR_OK)
		object_put(o);
	return rv;
}

/* Keys that were generated here say so for ever, wherever they are cloned to. */
static CK_RV put_origin(struct call *c, struct fw_attrs *attrs)
{
	struct hsm_fw *fw = c->fw;
	char origin[sizeof(fw->serial_text) + 1];
	uint64_t class = 0;
	bool clonable;

	if (c->spec->op != PCIEHSM_OP_GENERATE_KEY && c->spec->op != PCIEHSM_OP_GENERATE_KEY_PAIR)
		return CKR_OK;
	fw_attrs_get_ulong(attrs, CKA_CLASS, &class);
	if (class != CKO_PRIVATE_KEY && class != CKO_SECRET_KEY)
		return CKR_OK;
	clonable = hsm_allows(fw, HSM_POLICY_CLONING) &&
		   partition_allows(c->part, class == CKO_PRIVATE_KEY ? POLICY_PRIVATE_CLONING :
								        POLICY_SECRET_CLONING);
	snprintf(origin, sizeof(origin), "%s%s", fw->serial_text, clonable ? "" : "!");
	return fw_attrs_put(attrs, PCIEHSM_CKA_ORIGIN, origin, strlen(origin));
}

static CK_RV build(struct making *m, struct object *objects[2])
{
	struct version version = { m->counter, m->c->part->serial };
	unsigned int i;
	CK_RV rv = CKR_OK;

	for (i = 0; rv == CKR_OK && i < m->count; i++) {
		rv = rules_unique_id(&m->attrs[i], m->ouid[i]);
		if (rv == CKR_OK)
			rv = put_origin(m->c, &m->attrs[i]);
		if (rv == CKR_OK && attrs_encoded_len(&m->attrs[i]) > OBJECT_MAX)
			rv = CKR_DEVICE_MEMORY;
		if (rv != CKR_OK)
			break;
		objects[i] = object_new(m->ouid[i], &version, &m->attrs[i]);
		if (!objects[i])
			rv = CKR_HOST_MEMORY;
	}
	return rv;
}

static void take_back(struct making *m, const bool placed[2])
{
	struct context *ctx = m->c->ctx;
	struct entry *e;
	unsigned int i;

	pthread_mutex_lock(&ctx->lock);
	for (i = 0; i < m->count; i++) {
		e = placed[i] ? table_find(&ctx->objects, m->ouid[i]) : NULL;
		if (e)
			table_remove(&ctx->objects, e);
	}
	context_charge(ctx);
	pthread_mutex_unlock(&ctx->lock);
}

/* The session objects among them: all or none. @placed: out: which they are. */
static CK_RV commit_session(struct making *m, struct object *objects[2], bool placed[2])
{
	unsigned int i;
	CK_RV rv = CKR_OK;

	for (i = 0; rv == CKR_OK && i < m->count; i++)
		if (objects[i]) {
			rv = make_session_object(m->c, objects[i]);
			objects[i] = NULL;
			placed[i] = rv == CKR_OK;
		}
	if (rv != CKR_OK)
		take_back(m, placed);
	return rv;
}

/* The token objects among them in one transaction, and the others with it */
static CK_RV commit_tokens(struct making *m, struct object *objects[2])
{
	bool placed[2] = { false, false };
	struct call *c = m->c;
	struct change ch;
	unsigned int i;
	CK_RV rv;

	rv = change_begin(&ch, c->part);
	if (rv != CKR_OK)
		return rv;
	if (atomic_load(&c->part->epoch) != c->epoch)
		rv = CKR_USER_NOT_LOGGED_IN;
	/* While this one worked, a repetition of the message may have been faster. */
	if (rv == CKR_OK)
		rv = answer_existing(m, true);
	for (i = 0; rv == CKR_OK && !m->done && i < m->count; i++)
		if (objects[i]->flags & OBJ_TOKEN) {
			rv = change_put(&ch, objects[i]);
			objects[i] = NULL;
		}
	/* What can be taken back comes before what can not. */
	if (rv == CKR_OK && !m->done)
		rv = commit_session(m, objects, placed);
	if (rv != CKR_OK || m->done) {
		change_abort(&ch);
		return rv;
	}
	rv = change_commit(&ch);
	if (rv != CKR_OK)
		take_back(m, placed);
	return rv;
}

CK_RV make_commit(struct making *m)
{
	struct version version = { m->counter, m->c->part->serial };
	struct object *objects[2] = { NULL, NULL };
	bool token = false, placed[2] = { false, false };
	unsigned int i;
	CK_RV rv;

	rv = build(m, objects);
	for (i = 0; rv == CKR_OK && i < m->count; i++)
		token |= (objects[i]->flags & OBJ_TOKEN) != 0;
	if (rv == CKR_OK && token)
		rv = commit_tokens(m, objects);
	else if (rv == CKR_OK)
		rv = answer_existing(m, false);
	if (rv == CKR_OK && !m->done && !token)
		rv = commit_session(m, objects, placed);
	object_put(objects[0]);
	object_put(objects[1]);
	if (rv == CKR_OK && !m->done)
		answer_made(m, &version);
	return rv;
}
