// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Cryptography. Operations of one part go to whoever has least to do, and to the next one
 * if that is lost. Operations of many parts stay where they were begun; when that member
 * is lost they are begun again on another, from the input that was kept.
 */
#include <stdlib.h>

#include "engine.h"

/* Output beside the input's length: a block, a tag, a padding that is taken back. */
#define REPLAY_SLACK	256
/* An operation is begun again at most so often in one call. */
#define RESTARTS_MAX	4

CK_RV ha_crypt(struct ha_token *token, uint32_t session, enum pciehsm_function fn,
	       const CK_MECHANISM *mech, const struct ha_ouid *key,
	       const void *in, size_t in_len, const void *sig, size_t sig_len,
	       void *out, size_t *out_len)
{
	size_t room = out_len ? *out_len : 0;
	struct ha_call call;

	ha_call_begin(&call, token, HA_HOW_ANY, key);
	while (ha_call_next(&call)) {
		if (out_len)
			*out_len = room;
		if (ha_call_done(&call, pciehsm_crypt(call.conn->t, session, fn, mech,
						      key ? key->b : NULL, in, in_len, sig,
						      sig_len, out, out_len)))
			break;
	}
	return ha_call_end(&call);
}

CK_RV ha_wrap(struct ha_token *token, uint32_t session, const CK_MECHANISM *mech,
	      const struct ha_ouid *key, const struct ha_ouid *object,
	      void *out, size_t *out_len)
{
	size_t room = *out_len;
	struct ha_call call;

	ha_call_begin(&call, token, HA_HOW_ANY, object);
	while (ha_call_next(&call)) {
		*out_len = room;
		if (ha_call_done(&call, pciehsm_wrap(call.conn->t, session, mech, key->b,
						     object->b, out, out_len)))
			break;
	}
	return ha_call_end(&call);
}

CK_RV ha_mechanisms(struct ha_token *token, struct pciehsm_mechanism_info **list, size_t *count)
{
	struct pciehsm_mechanism_info *all = NULL, *theirs;
	struct ha_conn *conns[HA_MAX_MEMBERS];
	struct ha *ha = token->ha;
	unsigned int i, n = 0;
	size_t k, m, kept, n_all = 0, n_theirs;
	struct ha_call call;
	CK_RV rv;

	ha_call_begin(&call, token, HA_HOW_PRIMARY, NULL);
	while (ha_call_next(&call))
		if (ha_call_done(&call, pciehsm_mechanisms(call.conn->t, &all, &n_all)))
			break;
	rv = ha_call_end(&call);
	if (rv != CKR_OK)
		return rv;
	ha_lock(ha, &token->lock);
	for (i = 0; i < token->n_members; i++)
		if (token->members[i]->conn && token->members[i] != call.member)
			conns[n++] = ha_conn_get(token->members[i]->conn);
	ha_unlock(ha, &token->lock);
	for (i = 0; i < n; i++) {
		rv = pciehsm_mechanisms(conns[i]->t, &theirs, &n_theirs);
		if (pciehsm_rv_is_transport(rv))
			ha_member_failed(conns[i]->member, conns[i], rv);
		ha_conn_put(conns[i]);
		if (rv != CKR_OK)
			continue;
		for (k = 0, kept = 0; k < n_all; k++) {
			for (m = 0; m < n_theirs; m++)
				if (all[k].type == theirs[m].type)
					break;
			if (m == n_theirs)
				continue;
			all[kept] = all[k];
			all[kept++].flags &= theirs[m].flags;
		}
		n_all = kept;
		free(theirs);
	}
	*list = all;
	*count = n_all;
	return CKR_OK;
}

/* ---- operations of many parts ---- */

/*
 * Keep a mechanism for a repetition. Only those whose parameter is known to hold no
 * pointers are kept; an operation with another one ends with its member.
 */
static bool keep_mechanism(CK_MECHANISM *copy, const CK_MECHANISM *mech)
{
	*copy = *mech;
	copy->pParameter = NULL;
	if (!mech->pParameter || !mech->ulParameterLen) {
		copy->ulParameterLen = 0;
		return true;
	}
	switch (mech->mechanism) {
	case CKM_AES_CBC:
	case CKM_AES_CBC_PAD:
	case CKM_AES_CTR:
	case CKM_AES_CMAC_GENERAL:
	case CKM_RSA_PKCS_PSS:
	case CKM_SHA1_RSA_PKCS_PSS:
	case CKM_SHA224_RSA_PKCS_PSS:
	case CKM_SHA256_RSA_PKCS_PSS:
	case CKM_SHA384_RSA_PKCS_PSS:
	case CKM_SHA512_RSA_PKCS_PSS:
	case CKM_SHA_1_HMAC_GENERAL:
	case CKM_SHA224_HMAC_GENERAL:
	case CKM_SHA256_HMAC_GENERAL:
	case CKM_SHA384_HMAC_GENERAL:
	case CKM_SHA512_HMAC_GENERAL:
		break;
	case CKM_AES_GCM: {
		const CK_GCM_PARAMS *p = mech->pParameter;
		CK_GCM_PARAMS *q;

		if (mech->ulParameterLen != sizeof(*p))
			return false;
		/* One piece of memory: the structure, the IV, the associated data. */
		q = calloc(1, sizeof(*q) + p->ulIvLen + p->ulAADLen);
		if (!q)
			return false;
		*q = *p;
		q->pIv = (unsigned char *)(q + 1);
		q->pAAD = q->pIv + p->ulIvLen;
		if (p->ulIvLen)
			memcpy(q->pIv, p->pIv, p->ulIvLen);
		if (p->ulAADLen)
			memcpy(q->pAAD, p->pAAD, p->ulAADLen);
		copy->pParameter = q;
		return true;
	}
	default:
		return false;
	}
	copy->pParameter = malloc(mech->ulParameterLen);
	if (!copy->pParameter)
		return false;
	memcpy(copy->pParameter, mech->pParameter, mech->ulParameterLen);
	return true;
}

/* The operation of a session, NULL if there is none. Only its own thread changes it. */
static struct ha_op *op_of(struct ha_token *token, uint32_t number, enum pciehsm_function fn,
			   bool create)
{
	struct ha_session *session;

	if ((unsigned int)fn >= HA_OPS)
		return NULL;
	ha_lock(token->ha, &token->lock);
	session = ha_session(token, number, create);
	if (session && create)
		session->touched = true;
	ha_unlock(token->ha, &token->lock);
	return session ? &session->ops[fn] : NULL;
}

/* Is it still the operation that was begun? A logout has ended it. */
static bool is_active(struct ha_token *token, struct ha_op *op)
{
	if (!op || !op->active)
		return false;
	if (op->login_gen == atomic_load(&token->login_gen))
		return true;
	ha_op_end(op);
	return false;
}

/* Remember one input and how much came of it; beyond the limit there is no way back. */
static void keep_part(struct ha_token *token, struct ha_op *op, bool is_key, const void *data, size_t len, size_t given)
{
	struct ha_part *part = NULL;

	if (!op->replay)
		return;
	if (op->kept + len <= token->replay_max)
		part = malloc(sizeof(*part) + len);
	if (!part) {
		struct ha_part *next;

		for (part = op->parts; part; part = next) {
			next = part->next;
			explicit_bzero(part, sizeof(*part) + part->len);
			free(part);
		}
		op->parts = NULL;
		op->replay = false;
		return;
	}
	part->next = NULL;
	part->is_key = is_key;
	part->len = len;
	part->given = given;
	if (len)
		memcpy(part->data, data, len);
	op->kept += len;
	*op->tail = part;
	op->tail = &part->next;
}

static CK_RV replay_part(struct ha_conn *conn, uint32_t session, enum pciehsm_function fn,
			 const struct ha_part *part)
{
	size_t room = part->given + part->len + REPLAY_SLACK, got = room;
	unsigned char *scratch;
	CK_RV rv;

	if (part->is_key)
		return pciehsm_digest_key(conn->t, session, part->data);
	scratch = malloc(room);
	if (!scratch)
		return CKR_HOST_MEMORY;
	rv = pciehsm_crypt_update(conn->t, session, fn, part->data, part->len, scratch, &got);
	/* What is given again must be what was given before; the caller has that. */
	if (rv == CKR_OK && got != part->given)
		rv = CKR_DEVICE_ERROR;
	explicit_bzero(scratch, room);
	free(scratch);
	return rv;
}

/* Begin the operation on some member, with everything that it has had so far. */
static CK_RV op_begin(struct ha_token *token, uint32_t session, enum pciehsm_function fn,
		      struct ha_op *op, const CK_MECHANISM *mech, bool again)
{
	const struct ha_ouid *key = op->has_key ? &op->key : NULL;
	const struct ha_part *part;
	struct ha_call call;
	CK_RV rv;

	ha_call_begin(&call, token, HA_HOW_ANY, key);
	while (ha_call_next(&call)) {
		rv = pciehsm_crypt_init(call.conn->t, session, fn, mech, key ? key->b : NULL);
		if (rv == CKR_OPERATION_ACTIVE) {
			/* Of an attempt whose answer was lost. */
			rv = pciehsm_crypt_cancel(call.conn->t, session, fn);
			if (rv == CKR_OK)
				rv = pciehsm_crypt_init(call.conn->t, session, fn, mech,
							key ? key->b : NULL);
		}
		for (part = op->parts; part && again && rv == CKR_OK; part = part->next)
			rv = replay_part(call.conn, session, fn, part);
		if (!ha_call_done(&call, rv))
			continue;
		if (call.rv == CKR_OK)
			op->conn = ha_conn_get(call.conn);
		break;
	}
	return ha_call_end(&call);
}

CK_RV ha_crypt_init(struct ha_token *token, uint32_t session, enum pciehsm_function fn,
		    const CK_MECHANISM *mech, const struct ha_ouid *key)
{
	struct ha_op *op = op_of(token, session, fn, true);
	CK_RV rv;

	if (!op)
		return CKR_HOST_MEMORY;
	if (is_active(token, op))
		return CKR_OPERATION_ACTIVE;
	memset(op, 0, sizeof(*op));
	op->tail = &op->parts;
	op->has_key = key;
	if (key)
		op->key = *key;
	op->login_gen = atomic_load(&token->login_gen);
	rv = op_begin(token, session, fn, op, mech, false);
	if (rv != CKR_OK) {
		ha_op_end(op);
		return rv;
	}
	op->replay = keep_mechanism(&op->mech, mech);
	op->active = true;
	return CKR_OK;
}

/* Did this answer come because the context, or its member, is gone? */
static bool op_lost(struct ha_op *op, CK_RV rv)
{
	if (pciehsm_rv_is_transport(rv)) {
		ha_member_failed(op->conn->member, op->conn, rv);
		return true;
	}
	if (ha_rv_sick(rv))
		return true;
	/* A reset has taken the operation, or the login with it. */
	return rv == CKR_OPERATION_NOT_INITIALIZED || rv == CKR_USER_NOT_LOGGED_IN;
}

/* One step: of the three, the one that is asked for. */
static CK_RV op_step(struct ha_token *token, uint32_t session, enum pciehsm_function fn,
		     struct ha_op *op,
		     CK_RV (*step)(struct ha_conn *conn, uint32_t session,
				   enum pciehsm_function fn, void *arg), void *arg)
{
	int restarts = 0;
	CK_RV rv;

	for (;;) {
		if (!op->conn) {
			if (!op->replay || restarts++ == RESTARTS_MAX)
				return CKR_DEVICE_ERROR;
			rv = op_begin(token, session, fn, op, &op->mech, true);
			if (rv != CKR_OK)
				return rv;
		}
		atomic_fetch_add(&op->conn->member->outstanding, 1);
		atomic_fetch_add_explicit(&op->conn->member->commands, 1, memory_order_relaxed);
		rv = step(op->conn, session, fn, arg);
		atomic_fetch_sub(&op->conn->member->outstanding, 1);
		if (!op_lost(op, rv))
			return rv;
		ha_conn_put(op->conn);
		op->conn = NULL;
	}
}

struct update {
	const void	*in;
	size_t		in_len;
	void		*out;
	size_t		room;
	size_t		*out_len;
};

static CK_RV step_update(struct ha_conn *conn, uint32_t session, enum pciehsm_function fn,
			 void *arg)
{
	struct update *u = arg;

	*u->out_len = u->room;
	return pciehsm_crypt_update(conn->t, session, fn, u->in, u->in_len, u->out, u->out_len);
}

CK_RV ha_crypt_update(struct ha_token *token, uint32_t session, enum pciehsm_function fn,
		      const void *in, size_t in_len, void *out, size_t *out_len)
{
	struct ha_op *op = op_of(token, session, fn, false);
	size_t none = 0;
	struct update u = { in, in_len, out, out_len ? *out_len : 0, out_len ? out_len : &none };
	CK_RV rv;

	if (!is_active(token, op))
		return CKR_OPERATION_NOT_INITIALIZED;
	rv = op_step(token, session, fn, op, step_update, &u);
	if (rv == CKR_OK)
		keep_part(token, op, false, in, in_len, *u.out_len);
	else if (rv != CKR_BUFFER_TOO_SMALL)
		ha_op_end(op);
	return rv;
}

struct final {
	const void	*sig;
	size_t		sig_len;
	void		*out;
	size_t		room;
	size_t		*out_len;
};

static CK_RV step_final(struct ha_conn *conn, uint32_t session, enum pciehsm_function fn,
			void *arg)
{
	struct final *f = arg;

	*f->out_len = f->room;
	return pciehsm_crypt_final(conn->t, session, fn, f->sig, f->sig_len, f->out, f->out_len);
}

CK_RV ha_crypt_final(struct ha_token *token, uint32_t session, enum pciehsm_function fn,
		     const void *sig, size_t sig_len, void *out, size_t *out_len)
{
	struct ha_op *op = op_of(token, session, fn, false);
	size_t none = 0;
	struct final f = { sig, sig_len, out, out_len ? *out_len : 0, out_len ? out_len : &none };
	CK_RV rv;

	if (!is_active(token, op))
		return CKR_OPERATION_NOT_INITIALIZED;
	rv = op_step(token, session, fn, op, step_final, &f);
	if (rv != CKR_BUFFER_TOO_SMALL)
		ha_op_end(op);
	return rv;
}

static CK_RV step_key(struct ha_conn *conn, uint32_t session, enum pciehsm_function fn, void *arg)
{
	const struct ha_ouid *key = arg;

	(void)fn;
	return pciehsm_digest_key(conn->t, session, key->b);
}

CK_RV ha_digest_key(struct ha_token *token, uint32_t session, const struct ha_ouid *key)
{
	struct ha_op *op = op_of(token, session, PCIEHSM_FN_DIGEST, false);
	struct ha_ouid ouid = *key;
	CK_RV rv;

	if (!is_active(token, op))
		return CKR_OPERATION_NOT_INITIALIZED;
	rv = op_step(token, session, PCIEHSM_FN_DIGEST, op, step_key, &ouid);
	if (rv == CKR_OK)
		keep_part(token, op, true, &ouid, sizeof(ouid), 0);
	else
		ha_op_end(op);
	return rv;
}

CK_RV ha_crypt_cancel(struct ha_token *token, uint32_t session, enum pciehsm_function fn)
{
	struct ha_op *op = op_of(token, session, fn, false);
	CK_RV rv = CKR_OK;

	if (!is_active(token, op))
		return CKR_OPERATION_NOT_INITIALIZED;
	if (op->conn) {
		rv = pciehsm_crypt_cancel(op->conn->t, session, fn);
		if (op_lost(op, rv))
			rv = CKR_OK;
	}
	ha_op_end(op);
	return rv;
}
