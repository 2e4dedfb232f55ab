// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Bringing members up: connecting, logging in, catching up, and only then giving them
 * work; and looking now and then whether live members still agree.
 *
 * The bus thread finds what is due and starts a thread for each member, so that one that
 * hangs holds back no other. Without threads the same is done inside calls.
 */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine.h"

/* Rounds of catching up with a group that never stops changing. */
#define ROUNDS_MAX	8

/* ---- one member ---- */

static void set_alive(struct ha_member *member, const char *note)
{
	member->next_try = UINT64_MAX;
	ha_member_set(member, HA_MEMBER_ALIVE, "%s", note);
}

/* The member to compare with: the first other one that lives. token->lock is held. */
static struct ha_conn *reference(struct ha_member *member)
{
	struct ha_token *token = member->token;
	unsigned int i;

	for (i = 0; i < token->n_members; i++) {
		struct ha_member *other = token->members[i];

		if (other != member && other->state == HA_MEMBER_ALIVE && other->conn)
			return ha_conn_get(other->conn);
	}
	return NULL;
}

/*
 * Creations that failed here as far as the application knows must not turn up. There may be
 * no login yet when a member comes back, so this is looked at with each of its works.
 */
static CK_RV destroy_orphans(struct ha_member *member, struct ha_conn *conn)
{
	struct ha_token *token = member->token;
	struct ha *ha = token->ha;
	struct ha_ouid *list = NULL;
	unsigned int i, n, from = conn->orphans_gone;
	CK_RV rv = CKR_OK;

	ha_lock(ha, &token->lock);
	n = atomic_load(&token->role) == PCIEHSM_ROLE_CO ? token->n_orphans : 0;
	if (n > from)
		list = malloc((n - from) * sizeof(*list));
	if (list)
		memcpy(list, token->orphans + from, (n - from) * sizeof(*list));
	ha_unlock(ha, &token->lock);
	for (i = from; list && i < n; i++) {
		rv = pciehsm_object_destroy(conn->t, 0, list[i - from].b, true, NULL);
		if (pciehsm_rv_is_transport(rv) || ha_rv_sick(rv) || rv == CKR_USER_NOT_LOGGED_IN)
			break;
		conn->orphans_gone = i + 1;
	}
	free(list);
	return pciehsm_rv_is_transport(rv) ? rv : CKR_OK;
}

/* Give a member a context. Return: with a reference, or NULL */
static struct ha_conn *bring_up(struct ha_member *member)
{
	struct ha_token *token = member->token;
	struct ha *ha = token->ha;
	struct ha_conn *conn;
	bool listed;
	CK_RV rv;

	rv = ha_conn_open(member, &conn);
	if (rv != CKR_OK) {
		ha_member_unusable(member, NULL, rv);
		return NULL;
	}
	rv = ha_conn_ready(conn);
	if (rv == CKR_OK)
		rv = destroy_orphans(member, conn);
	if (rv != CKR_OK) {
		ha_member_unusable(member, conn, rv);
		ha_conn_put(conn);
		return NULL;
	}
	/* From here on it gets every change, so that it can catch up. */
	ha_lock(ha, &token->lock);
	listed = member->listed;
	if (listed) {
		member->conn = ha_conn_get(conn);
		ha_member_set(member, HA_MEMBER_SYNCING, "being brought up to date");
	}
	ha_unlock(ha, &token->lock);
	if (!listed) {
		ha_conn_put(conn);
		return NULL;
	}
	return conn;
}

/* What was brought to the one that all compare with has to go on to the others. */
static void audit_others(struct ha_member *member)
{
	struct ha_token *token = member->token;
	unsigned int i;

	ha_lock(token->ha, &token->lock);
	for (i = 0; i < token->n_members; i++)
		if (token->members[i] != member)
			token->members[i]->audit = true;
	ha_unlock(token->ha, &token->lock);
	ha_kick(token->ha);
}

static CK_RV only_compare(struct ha_conn *conn, struct ha_conn *with, bool *equal,
			  struct ha_conn **culprit)
{
	struct pciehsm_digest_info a, b;
	CK_RV rv;

	*culprit = conn;
	rv = pciehsm_digest(conn->t, &a);
	if (rv != CKR_OK)
		return rv;
	*culprit = with;
	rv = pciehsm_digest(with->t, &b);
	if (rv == CKR_OK)
		*equal = !memcmp(a.digest, b.digest, sizeof(a.digest));
	return rv;
}

enum round {
	ROUND_AGAIN,
	ROUND_OVER,
};

/* Compare once with who lives; alive if there is nobody, or nothing is missing. */
static enum round catch_up(struct ha_member *member, struct ha_conn *conn, bool last)
{
	struct ha_token *token = member->token;
	struct ha *ha = token->ha;
	struct ha_conn *with, *culprit = conn;
	bool equal = false, changed = false, officer, came = false;
	unsigned int logins, with_logins;
	uint32_t failed = 0;
	uint64_t dirty;
	CK_RV rv = CKR_OK;

	ha_lock(ha, &token->lock);
	if (member->conn != conn || !member->listed) {
		ha_unlock(ha, &token->lock);
		return ROUND_OVER;
	}
	dirty = member->dirty;
	officer = atomic_load(&token->role) == PCIEHSM_ROLE_CO;
	with = token->synchronize ? reference(member) : NULL;
	if (!with) {
		/* Nobody else lives: what this one has is what there is. */
		came = member->state != HA_MEMBER_ALIVE;
		set_alive(member, "");
		ha_unlock(ha, &token->lock);
		goto tell;
	}
	ha_unlock(ha, &token->lock);

	logins = atomic_load(&conn->logins);
	with_logins = atomic_load(&with->logins);
	if (officer)
		rv = ha_sync(member, conn, with, &equal, &failed, &changed, &culprit);
	else
		rv = only_compare(conn, with, &equal, &culprit);
	if (changed)
		audit_others(member);
	if (rv == CKR_OK && (equal || failed || last)) {
		culprit = conn;
		rv = ha_sobjects_push(member, conn);
	}
	if (rv != CKR_OK) {
		/* Of the two the one that was there first is believed. */
		bool refused = rv == PCIEHSM_CKR_DOMAIN_MISMATCH || rv == PCIEHSM_CKR_CERTIFICATE;

		/* Initialised anew, or reset: logging in again tells which. */
		if (rv == CKR_USER_NOT_LOGGED_IN)
			ha_conn_logged_out(culprit, culprit == conn ? logins : with_logins);
		if (culprit == with && !refused)
			ha_member_failed(with->member, with, rv);
		else
			ha_member_failed(member, conn, rv);
		ha_conn_put(with);
		return ROUND_AGAIN;
	}
	ha_conn_put(with);
	if (!equal && !failed && !last)
		return ROUND_AGAIN;

	ha_lock(ha, &token->lock);
	if (member->conn != conn) {
		ha_unlock(ha, &token->lock);
		return ROUND_OVER;
	}
	if (member->dirty != dirty && !last) {
		ha_unlock(ha, &token->lock);
		return ROUND_AGAIN;
	}
	if (!equal && !officer) {
		ha_member_set(member, HA_MEMBER_SYNCING,
			      "contents differ: log in as Crypto Officer to synchronize");
		member->next_try = ha_now(ha) + HA_AUDIT_INTERVAL;
		ha_unlock(ha, &token->lock);
		return ROUND_OVER;
	}
	came = member->state != HA_MEMBER_ALIVE;
	set_alive(member, failed ? "some objects can not be brought to it" : "");
	ha_unlock(ha, &token->lock);
tell:
	if (came)
		ha_log(ha, HA_LOG_MEMBER_ALIVE, "%s %s: member %s alive",
		       token->group ? "group" : "partition", token->number, member->serial);
	return ROUND_OVER;
}

/* Ask the card whether our login is still there; ha_conn_ready() makes up for it if not. */
static void look_at_login(struct ha_conn *conn)
{
	uint32_t role = atomic_load(&conn->token->role);
	unsigned int logins = atomic_load(&conn->logins);
	struct pciehsm_role_info *list;
	size_t i, n;
	CK_RV rv;

	if (role == PCIEHSM_ROLE_NONE)
		return;
	rv = pciehsm_role_info(conn->t, &list, &n);
	if (rv != CKR_OK) {
		ha_member_failed(conn->member, conn, rv);
		return;
	}
	for (i = 0; i < n; i++)
		if (le32toh(list[i].role) == role &&
		    !(le32toh(list[i].flags) & PCIEHSM_ROLE_LOGGED_IN_FLAG))
			ha_conn_logged_out(conn, logins);
	free(list);
}

void ha_work(struct ha_member *member)
{
	struct ha_token *token = member->token;
	struct ha *ha = token->ha;
	struct ha_conn *conn;
	bool present, doubt;
	int round;
	CK_RV rv;

	ha_lock(ha, &token->lock);
	conn = ha_conn_get(member->conn);
	present = member->present;
	member->audit = false;
	doubt = member->doubt;
	member->doubt = false;
	ha_unlock(ha, &token->lock);

	if (conn && !present && conn->t->ops->alive(conn->t)) {
		ha_member_failed(member, conn, PCIEHSM_RV_LOST_NOT_EXECUTED);
		ha_conn_put(conn);
		return;
	}
	if (!conn && present)
		conn = bring_up(member);
	else if (conn && doubt)
		look_at_login(conn);
	if (!conn)
		return;
	if (ha_conn_ready(conn) == CKR_OK) {
		rv = destroy_orphans(member, conn);
		if (rv != CKR_OK)
			ha_member_failed(member, conn, rv);
		for (round = 1; round <= ROUNDS_MAX && !atomic_load(&ha->stopping); round++)
			if (catch_up(member, conn, round == ROUNDS_MAX) == ROUND_OVER)
				break;
	}
	ha_conn_put(conn);
}

/* ---- what is due ---- */

/* When this member wants to be looked at; token->lock is held. */
static uint64_t due_at(struct ha_member *member, uint64_t now)
{
	struct ha_token *token = member->token;

	if (!member->listed || member->busy)
		return UINT64_MAX;
	if (member->conn) {
		/* Its device has gone: the context will say so. */
		if (!member->present && !member->conn->gone_seen)
			return now;
		if (member->audit)
			return now;
		return member->state == HA_MEMBER_ALIVE ? UINT64_MAX : member->next_try;
	}
	if (!member->present)
		return UINT64_MAX;
	/* Automatic recovery is off, or has been tried often enough. */
	if (member->was_alive && !token->retry_count)
		return UINT64_MAX;
	if (token->retry_count > 0 && member->tries >= token->retry_count)
		return UINT64_MAX;
	return member->next_try;
}

bool ha_work_pending(struct ha_member *member, uint64_t now)
{
	return member->busy || due_at(member, now) <= now;
}

static bool needs_audit(struct ha_token *token, uint64_t now, uint64_t *next)
{
	bool audit = false;

	if (!token->synchronize || token->n_members < 2 ||
	    atomic_load(&token->role) != PCIEHSM_ROLE_CO)
		return false;
	if (token->next_audit <= now) {
		audit = true;
		token->next_audit = now + HA_AUDIT_INTERVAL;
	}
	if (token->next_audit < *next)
		*next = token->next_audit;
	return audit;
}

/*
 * Take the next member of a token that is due, and mark it busy.
 * *@next: when there will be another one, if there is none now
 */
static struct ha_member *take_due(struct ha_token *token, uint64_t *next)
{
	struct ha *ha = token->ha;
	uint64_t now = ha_now(ha);
	struct ha_member *found = NULL;
	bool first = true;
	unsigned int i;

	ha_lock(ha, &token->lock);
	if (!atomic_load(&token->active)) {
		ha_unlock(ha, &token->lock);
		return NULL;
	}
	if (needs_audit(token, now, next)) {
		/* The first one is whom the others are compared with. */
		for (i = 0; i < token->n_members; i++) {
			if (token->members[i]->state != HA_MEMBER_ALIVE)
				continue;
			if (!first)
				token->members[i]->audit = true;
			first = false;
		}
	}
	for (i = 0; i < token->n_members && !found; i++) {
		struct ha_member *member = token->members[i];
		uint64_t at = due_at(member, now);

		if (at <= now) {
			found = member;
			member->busy = true;
			if (member->conn && !member->present)
				member->conn->gone_seen = true;
			if (member->next_try <= now)
				member->next_try = now + HA_AUDIT_INTERVAL;
		} else if (at < *next) {
			*next = at;
		}
	}
	ha_unlock(ha, &token->lock);
	return found;
}

static void work_done(struct ha_member *member)
{
	struct ha_token *token = member->token;

	ha_lock(token->ha, &token->lock);
	member->busy = false;
	ha_wake_all(token->ha, &token->changed);
	ha_unlock(token->ha, &token->lock);
}

static void worker_main(void *arg)
{
	struct ha_member *member = arg;
	struct ha_token *token = member->token;

	ha_work(member);
	ha_lock(token->ha, &token->lock);
	member->worker_done = true;
	ha_unlock(token->ha, &token->lock);
	ha_kick(token->ha);
}

/* Join the threads that have come to their end; only then is a member not busy. */
static void join_done(struct ha_token *token)
{
	struct ha *ha = token->ha;
	unsigned int i;

	for (i = 0;; i++) {
		struct ha_thread *thread = NULL;
		struct ha_member *member = NULL;

		ha_lock(ha, &token->lock);
		if (i < token->n_known) {
			member = token->known[i];
			if (member->worker && member->worker_done) {
				thread = member->worker;
				member->worker = NULL;
			}
		}
		ha_unlock(ha, &token->lock);
		if (!member)
			return;
		if (thread) {
			ha->env->ops->thread_join(ha->env, thread);
			work_done(member);
		}
	}
}

void ha_workers_join(struct ha_token *token)
{
	unsigned int i;

	for (i = 0; i < token->n_known; i++) {
		if (token->known[i]->worker)
			token->ha->env->ops->thread_join(token->ha->env, token->known[i]->worker);
		token->known[i]->worker = NULL;
		token->known[i]->busy = false;
	}
}

static void start_worker(struct ha_member *member)
{
	struct ha_token *token = member->token;
	struct ha *ha = token->ha;
	struct ha_thread *thread;

	member->worker_done = false;
	if (ha->env->ops->thread_start(ha->env, &thread, worker_main, member)) {
		/* No thread to be had: then this one does it. */
		ha_work(member);
		work_done(member);
		return;
	}
	ha_lock(ha, &token->lock);
	member->worker = thread;
	ha_unlock(ha, &token->lock);
}

uint64_t ha_work_due(struct ha *ha)
{
	uint64_t next = UINT64_MAX;
	unsigned int i;

	for (i = 0; !atomic_load(&ha->stopping); i++) {
		struct ha_token *token = NULL;
		struct ha_member *member;

		ha_lock(ha, &ha->lock);
		if (i < ha->n_tokens)
			token = ha->tokens[i];
		ha_unlock(ha, &ha->lock);
		if (!token)
			break;
		join_done(token);
		while ((member = take_due(token, &next)))
			start_worker(member);
	}
	return next;
}

void ha_work_inline(struct ha_token *token)
{
	uint64_t next = UINT64_MAX;
	struct ha_member *member;

	while ((member = take_due(token, &next))) {
		ha_work(member);
		work_done(member);
	}
}

void ha_kick(struct ha *ha)
{
	if (ha_threaded(ha))
		ha->env->bus->ops->wake(ha->env->bus);
}

void ha_wait_settled(struct ha_token *token, uint64_t deadline, enum ha_settled settled)
{
	struct ha *ha = token->ha;

	ha_lock(ha, &token->lock);
	for (;;) {
		uint64_t now = ha_now(ha);
		bool busy = false, usable = false;
		unsigned int i;

		for (i = 0; i < token->n_members; i++) {
			struct ha_member *member = token->members[i];

			if (ha_work_pending(member, now))
				busy = true;
			if (member->state == HA_MEMBER_ALIVE && member->conn &&
			    (settled == HA_SETTLED_ANY || (settled == HA_SETTLED_FIRST && !busy)))
				usable = true;
		}
		if (!busy || usable || now >= deadline)
			break;
		ha_wait(ha, &token->changed, &token->lock, deadline);
	}
	ha_unlock(ha, &token->lock);
}
