// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the engine remembers of sessions: running operations, and session objects, which
 * have to be given to members that come later.
 */
#include <stdlib.h>

#include "engine.h"

static unsigned int bucket_of(const struct ha_ouid *ouid)
{
	/* OUIDs are random. */
	return ouid->b[0];
}

struct ha_session *ha_session(struct ha_token *token, uint32_t number, bool create)
{
	struct ha_session **at = &token->sessions[number % HA_TABLE];
	struct ha_session *session;

	for (session = *at; session; session = session->next)
		if (session->number == number)
			return session;
	if (!create)
		return NULL;
	session = calloc(1, sizeof(*session));
	if (!session)
		return NULL;
	session->number = number;
	session->next = *at;
	*at = session;
	return session;
}

void ha_session_touch(struct ha_token *token, uint32_t number)
{
	struct ha_session *session;

	ha_lock(token->ha, &token->lock);
	session = ha_session(token, number, true);
	if (session)
		session->touched = true;
	ha_unlock(token->ha, &token->lock);
}

void ha_op_end(struct ha_op *op)
{
	struct ha_part *part, *next;

	for (part = op->parts; part; part = next) {
		next = part->next;
		explicit_bzero(part, sizeof(*part) + part->len);
		free(part);
	}
	ha_conn_put(op->conn);
	free(op->mech.pParameter);
	memset(op, 0, sizeof(*op));
}

/* ---- session objects ---- */

void ha_sobject_add(struct ha_token *token, uint32_t session, const struct ha_ouid *ouid,
		    struct ha_member *only)
{
	struct ha_sobject **at = &token->sobjects[bucket_of(ouid)];
	struct ha_sobject *object = calloc(1, sizeof(*object));
	struct ha_session *s;

	/* Without memory it is found by asking, and does not survive its members. */
	if (!object)
		return;
	object->ouid = *ouid;
	object->session = session;
	object->only = only;
	ha_lock(token->ha, &token->lock);
	object->next = *at;
	*at = object;
	atomic_fetch_add(&token->n_sobjects, 1);
	if (only)
		token->n_pinned++;
	s = ha_session(token, session, true);
	if (s)
		s->touched = true;
	ha_unlock(token->ha, &token->lock);
}

/* Unlink and free those for which @session and @ouid hold; token->lock is held. */
static void forget(struct ha_token *token, struct ha_sobject **at, const uint32_t *session,
		   const struct ha_ouid *ouid)
{
	while (*at) {
		struct ha_sobject *object = *at;

		if ((session && object->session != *session) ||
		    (ouid && memcmp(&object->ouid, ouid, sizeof(*ouid)))) {
			at = &object->next;
			continue;
		}
		*at = object->next;
		atomic_fetch_sub(&token->n_sobjects, 1);
		if (object->only)
			token->n_pinned--;
		free(object);
	}
}

void ha_sobject_remove(struct ha_token *token, const struct ha_ouid *ouid)
{
	if (!atomic_load(&token->n_sobjects))
		return;
	ha_lock(token->ha, &token->lock);
	forget(token, &token->sobjects[bucket_of(ouid)], NULL, ouid);
	ha_unlock(token->ha, &token->lock);
}

bool ha_sobject_known(struct ha_token *token, const struct ha_ouid *ouid,
		      struct ha_member **only)
{
	struct ha_sobject *object;
	bool found = false;

	*only = NULL;
	if (!atomic_load(&token->n_sobjects))
		return false;
	ha_lock(token->ha, &token->lock);
	for (object = token->sobjects[bucket_of(ouid)]; object; object = object->next) {
		if (!memcmp(&object->ouid, ouid, sizeof(*ouid))) {
			found = true;
			*only = object->only;
			break;
		}
	}
	ha_unlock(token->ha, &token->lock);
	return found;
}

struct ha_held {
	struct ha_ouid	ouid;
	uint32_t	session;
};

static struct ha_held *held_objects(struct ha_token *token, size_t *count)
{
	struct ha_held *list = NULL;
	struct ha_sobject *object;
	size_t n = 0;
	unsigned int i;

	ha_lock(token->ha, &token->lock);
	if (atomic_load(&token->n_sobjects))
		list = calloc(atomic_load(&token->n_sobjects), sizeof(*list));
	for (i = 0; list && i < HA_TABLE; i++) {
		for (object = token->sobjects[i]; object; object = object->next) {
			if (object->only)
				continue;
			list[n].ouid = object->ouid;
			list[n++].session = object->session;
		}
	}
	ha_unlock(token->ha, &token->lock);
	*count = n;
	return list;
}

/* A member beside this one that lives; a reference to its context, or NULL */
static struct ha_conn *some_other(struct ha_member *member)
{
	struct ha_token *token = member->token;
	struct ha_conn *conn = NULL;
	unsigned int i;

	ha_lock(token->ha, &token->lock);
	for (i = 0; i < token->n_members && !conn; i++)
		if (token->members[i] != member && token->members[i]->state == HA_MEMBER_ALIVE)
			conn = ha_conn_get(token->members[i]->conn);
	ha_unlock(token->ha, &token->lock);
	return conn;
}

CK_RV ha_sobjects_push(struct ha_member *member, struct ha_conn *conn)
{
	struct ha_token *token = member->token;
	struct ha_conn *from;
	struct ha_held *list;
	size_t i, n, done;
	uint64_t size;
	CK_RV rv = CKR_OK;
	bool source;

	if (!atomic_load(&token->n_sobjects) || atomic_load(&token->role) != PCIEHSM_ROLE_CO)
		return CKR_OK;
	from = some_other(member);
	if (!from)
		return CKR_OK;
	list = held_objects(token, &n);
	for (i = 0; i < n && rv == CKR_OK; i++) {
		CK_RV result = CKR_OK;

		rv = ha_channel_move(from, conn, list[i].session, &list[i].ouid, 1, &done,
				     &result, &source);
		if (rv != CKR_OK && source) {
			/* The next round finds another one to take them from. */
			ha_member_failed(from->member, from, rv);
			rv = CKR_OK;
			break;
		}
		/* One that was reset has lost it, and may be the next to be given it. */
		if (rv == CKR_OK && ha_rv_missing(result) &&
		    ha_rv_missing(pciehsm_object_size(conn->t, list[i].session, list[i].ouid.b,
						      &size)))
			ha_sobject_remove(token, &list[i].ouid);
	}
	free(list);
	ha_conn_put(from);
	return rv;
}

/* ---- ends ---- */

void ha_sessions_logout(struct ha_token *token)
{
	unsigned int i;

	/*
	 * Cards destroy private session objects at a logout, and keep public ones.
	 * Those that are forgotten here are still found, but not given to members
	 * that come later: without a login they could not be.
	 */
	ha_lock(token->ha, &token->lock);
	for (i = 0; i < HA_TABLE; i++)
		forget(token, &token->sobjects[i], NULL, NULL);
	ha_unlock(token->ha, &token->lock);
}

void ha_session_close(struct ha_token *token, uint32_t number)
{
	struct ha *ha = token->ha;
	struct ha_session **at, *session;
	struct ha_conn *conns[HA_MAX_MEMBERS];
	unsigned int i, n = 0;

	ha_lock(ha, &token->lock);
	at = &token->sessions[number % HA_TABLE];
	while (*at && (*at)->number != number)
		at = &(*at)->next;
	session = *at;
	if (session) {
		*at = session->next;
		for (i = 0; session->touched && i < token->n_members; i++)
			if (token->members[i]->conn)
				conns[n++] = ha_conn_get(token->members[i]->conn);
		for (i = 0; atomic_load(&token->n_sobjects) && i < HA_TABLE; i++)
			forget(token, &token->sobjects[i], &number, NULL);
	}
	ha_unlock(ha, &token->lock);
	if (!session)
		return;
	for (i = 0; i < HA_OPS; i++)
		ha_op_end(&session->ops[i]);
	free(session);
	for (i = 0; i < n; i++) {
		CK_RV rv = pciehsm_session_close(conns[i]->t, number);

		if (pciehsm_rv_is_transport(rv))
			ha_member_failed(conns[i]->member, conns[i], rv);
		ha_conn_put(conns[i]);
	}
}

void ha_sessions_free(struct ha_token *token)
{
	struct ha_session *session, *next;
	unsigned int i, k;

	for (i = 0; i < HA_TABLE; i++) {
		for (session = token->sessions[i]; session; session = next) {
			next = session->next;
			for (k = 0; k < HA_OPS; k++)
				ha_op_end(&session->ops[k]);
			free(session);
		}
		token->sessions[i] = NULL;
		forget(token, &token->sobjects[i], NULL, NULL);
	}
}
