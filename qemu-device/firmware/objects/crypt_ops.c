// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Encrypting, signing and the like, in one part and in several.
 */
#include "core/ops.h"
#include "message/wire.h"
#include "objects/use.h"

/**
 * struct function - what a function demands
 * @permission:	OBJ_* of its key; 0: it has none
 * @flag:	CKF_*
 * @stat:	what it counts as
 * @data:	it gives data (at the end)
 * @update:	its parts give data, too
 */
struct function {
	uint32_t		permission;
	uint32_t		flag;
	enum pciehsm_stat	stat;
	bool			data;
	bool			update;
};

static const struct function functions[] = {
	[PCIEHSM_FN_ENCRYPT] = { OBJ_ENCRYPT, CKF_ENCRYPT, PCIEHSM_STAT_ENCRYPT, true, true },
	[PCIEHSM_FN_DECRYPT] = { OBJ_DECRYPT, CKF_DECRYPT, PCIEHSM_STAT_DECRYPT, true, true },
	[PCIEHSM_FN_SIGN] = { OBJ_SIGN, CKF_SIGN, PCIEHSM_STAT_SIGN, true, false },
	[PCIEHSM_FN_SIGN_RECOVER] = {
		OBJ_SIGN_RECOVER, CKF_SIGN_RECOVER, PCIEHSM_STAT_SIGN, true, false },
	[PCIEHSM_FN_VERIFY] = { OBJ_VERIFY, CKF_VERIFY, PCIEHSM_STAT_VERIFY, false, false },
	[PCIEHSM_FN_VERIFY_RECOVER] = {
		OBJ_VERIFY_RECOVER, CKF_VERIFY_RECOVER, PCIEHSM_STAT_VERIFY, true, false },
	[PCIEHSM_FN_DIGEST] = { 0, CKF_DIGEST, PCIEHSM_STAT_DIGEST, true, false },
};

/* All flags of a mechanism that say what can be done with it */
#define FUNCTIONS	((uint32_t)(CKF_ENCRYPT | CKF_DECRYPT | CKF_DIGEST | CKF_SIGN |	\
				    CKF_SIGN_RECOVER | CKF_VERIFY | CKF_VERIFY_RECOVER |	\
				    CKF_GENERATE | CKF_GENERATE_KEY_PAIR | CKF_WRAP |		\
				    CKF_UNWRAP | CKF_DERIVE | CKF_ENCAPSULATE |		\
				    CKF_DECAPSULATE))

static const struct function *function_of(uint32_t fn)
{
	if (fn < PCIEHSM_FN_ENCRYPT || fn > PCIEHSM_FN_DIGEST)
		return NULL;
	return &functions[fn];
}

static CK_RV begin(struct use *u, struct call *c, const struct function *f)
{
	CK_RV rv;

	rv = use_begin(u, c, f->flag);
	if (rv == CKR_OK && message_has(&c->in, PCIEHSM_F_KEY) != (f->permission != 0))
		rv = CKR_ARGUMENTS_BAD;
	if (rv == CKR_OK && f->permission)
		rv = use_key(u, c, f->permission, CKR_KEY_HANDLE_INVALID);
	return rv;
}

/* The signature that a verification is about; no other function has one. */
static CK_RV signature_of(struct call *c, uint32_t fn, struct fw_bytes *sig)
{
	sig->p = message_bytes(&c->in, PCIEHSM_F_SIGNATURE, &sig->len);
	return (sig->p != NULL) == (fn == PCIEHSM_FN_VERIFY) ? CKR_OK : CKR_ARGUMENTS_BAD;
}

/* Room for data of any length that the answer can hold; NULL: not even for the field. */
static uint8_t *all_room(struct call *c, size_t *room)
{
	if (answer_room(&c->out, 1, 0) != CKR_OK) {
		c->out.need = 0;
		*room = 0;
		return NULL;
	}
	*room = answer_left(&c->out);
	return answer_open(&c->out, PCIEHSM_F_DATA, *room);
}

static CK_RV once(struct call *c, struct use *u, const struct function *f, uint32_t fn)
{
	struct fw_bytes in, sig;
	size_t len, room;
	uint8_t *out;
	CK_RV rv;

	in.p = message_bytes(&c->in, PCIEHSM_F_DATA, &in.len);
	rv = signature_of(c, fn, &sig);
	if (rv != CKR_OK)
		return rv;
	if (!f->data)
		return fw_op_once(fn, u->mech, &u->params, u->key, in.p, in.len, &sig, NULL, NULL);
	out = all_room(c, &room);
	len = room;
	rv = fw_op_once(fn, u->mech, &u->params, u->key, in.p, in.len, NULL, out, &len);
	if (rv == CKR_BUFFER_TOO_SMALL || (rv == CKR_OK && !out))
		/* Nothing is kept, so this only says how much it would be. */
		return answer_room(&c->out, 1, wire_pad(len));
	if (rv == CKR_OK)
		answer_close(&c->out, len);
	else if (out)
		/* What was decrypted before it turned out to be forged is nobody's. */
		fw_wipe(out, in.len < room ? in.len : room);
	return rv;
}

CK_RV op_crypt(struct call *c)
{
	uint32_t fn = message_u32(&c->in, PCIEHSM_F_FUNCTION, 0);
	const struct function *f = function_of(fn);
	struct use u;
	CK_RV rv;

	if (!f)
		return CKR_ARGUMENTS_BAD;
	rv = begin(&u, c, f);
	if (rv == CKR_OK)
		rv = once(c, &u, f, fn);
	use_end(&u);
	if (rv == CKR_OK)
		partition_count(c->part, f->stat, 1);
	return rv;
}

/* ---- several parts ---- */

CK_RV op_crypt_init(struct call *c)
{
	uint32_t fn = message_u32(&c->in, PCIEHSM_F_FUNCTION, 0);
	const struct function *f = function_of(fn);
	struct operation *active;
	struct fw_op *op = NULL;
	struct use u;
	CK_RV rv;

	if (!f)
		return CKR_ARGUMENTS_BAD;
	active = operation_find(c->ctx, c->in.session, fn);
	operation_put(active);
	if (active)
		return CKR_OPERATION_ACTIVE;
	rv = begin(&u, c, f);
	if (rv == CKR_OK)
		rv = fw_op_init(fn, u.mech, &u.params, u.key, &op);
	use_end(&u);
	if (rv == CKR_OK) {
		rv = operation_add(c->ctx, c->role, c->epoch, c->in.session, fn, op);
		if (rv != CKR_OK)
			fw_op_free(op);
	}
	return rv;
}

/* The session's operation, locked; NULL if there is none. */
static struct operation *hold(struct call *c, uint32_t fn)
{
	struct operation *o = operation_find(c->ctx, c->in.session, fn);

	if (!o)
		return NULL;
	pthread_mutex_lock(&o->lock);
	if (!o->ended)
		return o;
	pthread_mutex_unlock(&o->lock);
	operation_put(o);
	return NULL;
}

/* The operation of the function that the message names */
static CK_RV hold_named(struct call *c, const struct function **f, struct operation **o)
{
	uint32_t fn = message_u32(&c->in, PCIEHSM_F_FUNCTION, 0);

	*f = function_of(fn);
	if (!*f)
		return CKR_ARGUMENTS_BAD;
	*o = hold(c, fn);
	return *o ? CKR_OK : CKR_OPERATION_NOT_INITIALIZED;
}

/* @end: it is over, with success or without. */
static void release(struct call *c, struct operation *o, bool end)
{
	o->ended |= end;
	pthread_mutex_unlock(&o->lock);
	if (end)
		operation_end(c->ctx, o);
	operation_put(o);
}

static CK_RV update(struct call *c, struct operation *o, const struct function *f)
{
	struct fw_bytes in;
	uint8_t *out = NULL;
	size_t len = 0;
	CK_RV rv;

	in.p = message_bytes(&c->in, PCIEHSM_F_DATA, &in.len);
	if (!f->update)
		return fw_op_update(o->op, in.p, in.len, NULL, NULL);
	len = fw_op_update_bound(o->op, in.len);
	out = answer_open(&c->out, PCIEHSM_F_DATA, len);
	if (!out)
		return CKR_BUFFER_TOO_SMALL;
	rv = fw_op_update(o->op, in.p, in.len, out, &len);
	if (rv == CKR_OK)
		answer_close(&c->out, len);
	return rv;
}

CK_RV op_crypt_update(struct call *c)
{
	const struct function *f;
	struct operation *o;
	CK_RV rv;

	rv = hold_named(c, &f, &o);
	if (rv != CKR_OK)
		return rv;
	rv = update(c, o, f);
	if (rv == CKR_OK)
		rv = operation_charge(o);
	release(c, o, rv != CKR_OK && rv != CKR_BUFFER_TOO_SMALL);
	return rv;
}

static CK_RV final(struct call *c, struct operation *o, const struct function *f)
{
	struct fw_bytes sig;
	uint8_t *out;
	size_t len;
	CK_RV rv;

	rv = signature_of(c, o->fn, &sig);
	if (rv != CKR_OK)
		return rv;
	if (!f->data)
		return fw_op_final(o->op, &sig, NULL, NULL);
	len = fw_op_final_bound(o->op);
	out = answer_open(&c->out, PCIEHSM_F_DATA, len);
	if (!out)
		return CKR_BUFFER_TOO_SMALL;
	rv = fw_op_final(o->op, NULL, out, &len);
	if (rv == CKR_OK)
		answer_close(&c->out, len);
	return rv;
}

CK_RV op_crypt_final(struct call *c)
{
	const struct function *f;
	struct operation *o;
	CK_RV rv;

	rv = hold_named(c, &f, &o);
	if (rv != CKR_OK)
		return rv;
	rv = final(c, o, f);
	release(c, o, rv != CKR_BUFFER_TOO_SMALL);
	if (rv == CKR_OK)
		partition_count(c->part, f->stat, 1);
	return rv;
}

CK_RV op_crypt_cancel(struct call *c)
{
	const struct function *f;
	struct operation *o;
	CK_RV rv;

	rv = hold_named(c, &f, &o);
	if (rv == CKR_OK)
		release(c, o, true);
	return rv;
}

CK_RV op_digest_key(struct call *c)
{
	struct operation *o = hold(c, PCIEHSM_FN_DIGEST);
	struct object *object;
	struct fw_key *key;
	size_t len;
	CK_RV rv;

	if (!o)
		return CKR_OPERATION_NOT_INITIALIZED;
	object = partition_object(c, message_bytes(&c->in, PCIEHSM_F_KEY, &len));
	if (!object || !object_is_key(object))
		rv = CKR_KEY_HANDLE_INVALID;
	else
		rv = object_key(object, &key);
	if (rv == CKR_OK)
		rv = fw_op_digest_key(o->op, key);
	object_put(object);
	release(c, o, rv != CKR_OK);
	return rv;
}

CK_RV op_mechanisms(struct call *c)
{
	bool approved = approved_only(c->fw, c->part);
	const struct fw_mech_info *list;
	uint8_t *p, *begin;
	size_t count, i;

	list = fw_mechanisms(&count);
	p = answer_open(&c->out, PCIEHSM_F_MECHANISMS,
			count * sizeof(struct pciehsm_mechanism_info));
	if (!p)
		return CKR_BUFFER_TOO_SMALL;
	begin = p;
	for (i = 0; i < count; i++) {
		uint32_t flags = list[i].flags;

		/* What only describes the curves stays, if there is anything to be done. */
		if (approved && !fw_approved_flags(list[i].type))
			continue;
		if (approved)
			flags &= fw_approved_flags(list[i].type) | ~FUNCTIONS;
		wire_put32(p, list[i].type);
		wire_put32(p + 4, list[i].min_key);
		wire_put32(p + 8, list[i].max_key);
		wire_put32(p + 12, flags);
		p += sizeof(struct pciehsm_mechanism_info);
	}
	answer_close(&c->out, (size_t)(p - begin));
	return CKR_OK;
}
