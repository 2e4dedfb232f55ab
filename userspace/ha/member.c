// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A member's context at its card, its login, and what becomes of the member when
 * a message fails.
 */
#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine.h"

struct ha_member *ha_member_find(struct ha_token *token, const char *serial, bool create)
{
	struct ha_member *member, **known;
	unsigned int i;

	for (i = 0; i < token->n_known; i++)
		if (!strcmp(token->known[i]->serial, serial))
			return token->known[i];
	if (!create)
		return NULL;
	member = calloc(1, sizeof(*member));
	if (!member)
		return NULL;
	known = realloc(token->known, (token->n_known + 1) * sizeof(*known));
	if (!known) {
		free(member);
		return NULL;
	}
	token->known = known;
	known[token->n_known++] = member;
	member->token = token;
	snprintf(member->serial, sizeof(member->serial), "%s", serial);
	member->state = HA_MEMBER_DOWN;
	snprintf(member->reason, sizeof(member->reason), "not looked at yet");
	atomic_init(&member->outstanding, 0);
	atomic_init(&member->sick, 0);
	atomic_init(&member->commands, 0);
	atomic_init(&member->failures, 0);
	return member;
}

/* ---- contexts ---- */

struct ha_conn *ha_conn_get(struct ha_conn *conn)
{
	if (conn)
		atomic_fetch_add(&conn->refs, 1);
	return conn;
}

void ha_conn_put(struct ha_conn *conn)
{
	struct ha *ha;

	if (!conn || atomic_fetch_sub(&conn->refs, 1) != 1)
		return;
	ha = conn->ha;
	conn->t->ops->close(conn->t);
	ha->env->ops->mutex_destroy(ha->env, &conn->lock);
	free(conn);
}

CK_RV ha_conn_open(struct ha_member *member, struct ha_conn **out)
{
	struct ha *ha = member->token->ha;
	struct pciehsm_bus *bus = ha->env->bus;
	struct pciehsm_partition_info info;
	struct pciehsm_transport *t;
	struct ha_conn *conn;
	CK_RV rv;
	int err;

	err = bus->ops->open(bus, member->serial, &t);
	if (err)
		return pciehsm_rv_from_errno(err, PCIEHSM_OUTCOME_NOT_EXECUTED);
	t->timeout_ms = HA_PROBE_MS;
	rv = pciehsm_ping(t);
	if (rv == CKR_OK)
		rv = pciehsm_partition_info(t, &info);
	if (rv == CKR_OK && !(info.flags & PCIEHSM_PARTITION_INITIALISED))
		rv = PCIEHSM_CKR_NOT_INITIALISED;
	conn = rv == CKR_OK ? calloc(1, sizeof(*conn)) : NULL;
	if (!conn) {
		t->ops->close(t);
		return rv == CKR_OK ? CKR_HOST_MEMORY : rv;
	}
	t->timeout_ms = 0;
	conn->ha = ha;
	conn->token = member->token;
	conn->member = member;
	conn->t = t;
	memcpy(conn->incarnation, info.incarnation, sizeof(conn->incarnation));
	conn->role = PCIEHSM_ROLE_NONE;
	atomic_init(&conn->refs, 1);
	atomic_init(&conn->login_gen, 0);
	atomic_init(&conn->logins, 0);
	atomic_init(&conn->resets, t->ops->resets(t));
	ha->env->ops->mutex_init(ha->env, &conn->lock);
	*out = conn;
	return CKR_OK;
}

/* ---- states ---- */

void ha_member_set(struct ha_member *member, enum ha_member_state state, const char *fmt, ...)
{
	va_list ap;

	if (state == HA_MEMBER_ALIVE && member->state != state)
		member->returns++;
	member->state = state;
	va_start(ap, fmt);
	vsnprintf(member->reason, sizeof(member->reason), fmt, ap);
	va_end(ap);
	if (state == HA_MEMBER_ALIVE) {
		member->was_alive = true;
		member->tries = 0;
		member->refused_gen = 0;
	}
	ha_wake_all(member->token->ha, &member->token->changed);
}

void ha_member_drop(struct ha_member *member)
{
	struct ha_token *token = member->token;
	struct ha_conn *conn = member->conn;

	if (!conn)
		return;
	member->conn = NULL;
	conn->dropped = true;
	conn->next = token->garbage;
	token->garbage = conn;
}

void ha_token_flush(struct ha_token *token)
{
	struct ha *ha = token->ha;
	struct ha_conn *conn;

	for (;;) {
		ha_lock(ha, &token->lock);
		conn = token->garbage;
		if (conn)
			token->garbage = conn->next;
		ha_unlock(ha, &token->lock);
		if (!conn)
			return;
		ha_channels_drop(conn);
		ha_conn_put(conn);
	}
}

const char *ha_member_reason(CK_RV rv)
{
	switch (rv & ~PCIEHSM_RV_UNKNOWN_BIT) {
	case PCIEHSM_RV_LOST_NOT_EXECUTED:
		return "not there";
	case PCIEHSM_RV_TIMEOUT_NOT_EXECUTED:
		return "does not answer";
	case PCIEHSM_RV_RESET_NOT_EXECUTED:
		return "was reset";
	case PCIEHSM_RV_FAULT_NOT_EXECUTED:
		return "reports a fault";
	case PCIEHSM_RV_BAD_ANSWER & ~PCIEHSM_RV_UNKNOWN_BIT:
		return "gives answers that make no sense";
	case PCIEHSM_RV_NO_ROOM:
		return "has no room for another context";
	case PCIEHSM_RV_ACCESS:
		return "this user has no right to its device";
	default:
		break;
	}
	switch (rv) {
	case PCIEHSM_CKR_NOT_INITIALISED:
		return "not initialised";
	case CKR_USER_NOT_LOGGED_IN:
		return "has forgotten the login: perhaps it was initialised anew";
	case CKR_USER_PIN_NOT_INITIALIZED:
		return "the role has no password yet";
	case PCIEHSM_CKR_NOT_ACTIVATED:
		return "the role is not activated there: log in with its password";
	case CKR_PIN_EXPIRED:
		return "the role has to change its initial password";
	case CKR_PIN_INCORRECT:
		return "refuses the password";
	case CKR_PIN_LOCKED:
		return "the role is locked";
	case PCIEHSM_CKR_DOMAIN_MISMATCH:
		return "is of another cloning domain";
	case PCIEHSM_CKR_CERTIFICATE:
		return "its certificate is not the maker's";
	case PCIEHSM_CKR_TAMPERED:
		return "was tampered with";
	default:
		return pciehsm_rv_name(rv);
	}
}

bool ha_rv_sick(CK_RV rv)
{
	switch (rv) {
	case CKR_DEVICE_ERROR:
	case CKR_DEVICE_REMOVED:
	case CKR_TOKEN_NOT_PRESENT:
	case CKR_TOKEN_NOT_RECOGNIZED:
	case CKR_GENERAL_ERROR:
	case CKR_PIN_EXPIRED:
	case PCIEHSM_CKR_NOT_INITIALISED:
	case PCIEHSM_CKR_STORE:
	case PCIEHSM_CKR_TAMPERED:
		return true;
	default:
		return false;
	}
}

bool ha_rv_missing(CK_RV rv)
{
	return rv == CKR_OBJECT_HANDLE_INVALID || rv == CKR_KEY_HANDLE_INVALID ||
	       rv == CKR_WRAPPING_KEY_HANDLE_INVALID || rv == CKR_UNWRAPPING_KEY_HANDLE_INVALID;
}

/* The password may be right: what is missing is something that is to be done at that card. */
static bool rv_needs_person(CK_RV rv)
{
	return rv == CKR_USER_PIN_NOT_INITIALIZED || rv == PCIEHSM_CKR_NOT_ACTIVATED;
}

/* When to look again at a member that failed; token->lock is held. */
static void schedule_retry(struct ha_member *member, CK_RV rv)
{
	struct ha_token *token = member->token;
	uint64_t now = ha_now(token->ha);

	if (rv == PCIEHSM_CKR_NOT_INITIALISED || rv == CKR_PIN_EXPIRED || rv_needs_person(rv)) {
		/* An administrator is at it; asking costs nothing. */
		member->failed_at = now;
		member->next_try = now + HA_SETUP_PAUSE;
		return;
	}
	if (!member->backoff ||
	    now - member->failed_at > (1 + HA_BACKOFF_FORGET) * member->backoff)
		member->backoff = HA_BACKOFF_FIRST;
	else if (member->backoff < token->retry_interval)
		member->backoff *= 2;
	else
		member->tries++;
	if (member->backoff > token->retry_interval)
		member->backoff = token->retry_interval;
	member->failed_at = now;
	member->next_try = now + member->backoff;
}

/* Nobody is left: in the basic mode the login is over. token->lock is held. */
static struct ha_secret *last_member_gone(struct ha_token *token, bool *last)
{
	struct ha_secret *secret = NULL;
	unsigned int i;

	*last = false;
	for (i = 0; i < token->n_members; i++)
		if (token->members[i]->conn)
			return NULL;
	*last = true;
	if (atomic_load(&token->role) != PCIEHSM_ROLE_NONE && !token->enhanced) {
		secret = token->secret;
		token->secret = NULL;
		atomic_store(&token->role, PCIEHSM_ROLE_NONE);
		atomic_fetch_add(&token->login_gen, 1);
	}
	return secret;
}

static bool is_refusal(CK_RV rv)
{
	return rv == CKR_PIN_INCORRECT || rv == CKR_PIN_LOCKED ||
	       rv == PCIEHSM_CKR_DOMAIN_MISMATCH || rv == PCIEHSM_CKR_CERTIFICATE;
}

/* Does this say something of the member, and not of what it was asked? */
static bool is_members_fault(CK_RV rv)
{
	/* After a reset the context is still there; ha_conn_ready() sees what it has lost. */
	if ((rv & ~PCIEHSM_RV_UNKNOWN_BIT) == PCIEHSM_RV_RESET_NOT_EXECUTED ||
	    rv == PCIEHSM_RV_NO_ROOM || rv == PCIEHSM_RV_MESSAGE || rv == PCIEHSM_RV_ACCESS)
		return false;
	return pciehsm_rv_is_transport(rv) || ha_rv_sick(rv) || is_refusal(rv) ||
	       rv_needs_person(rv);
}

/* Take a member out; @conn is its context, or one that it was about to get. */
static void take_out(struct ha_member *member, struct ha_conn *conn, bool published, CK_RV rv)
{
	struct ha_token *token = member->token;
	struct ha *ha = token->ha;
	struct ha_secret *secret = NULL;
	bool log, over, last = false, refused = is_refusal(rv);
	enum ha_member_state state = refused ? HA_MEMBER_REFUSED : HA_MEMBER_DOWN;
	const char *reason = ha_member_reason(rv);

	ha_lock(ha, &token->lock);
	if (member->conn != (published ? conn : NULL)) {
		/* Somebody else noticed first, and the member may live again. */
		ha_unlock(ha, &token->lock);
		return;
	}
	if (published)
		atomic_fetch_add(&member->failures, 1);
	log = member->state != state || strcmp(member->reason, reason);
	ha_member_drop(member);
	ha_member_set(member, state, "%s", reason);
	if (conn && (rv == CKR_PIN_INCORRECT || rv == CKR_PIN_LOCKED)) {
		member->refused_gen = atomic_load(&token->login_gen);
		memcpy(member->refused_by, conn->incarnation, sizeof(member->refused_by));
	}
	schedule_retry(member, rv);
	if (published)
		secret = last_member_gone(token, &last);
	ha_unlock(ha, &token->lock);

	over = secret;
	ha_secret_put(secret);
	if (over)
		ha_sessions_logout(token);
	ha_token_flush(token);
	atomic_store(&ha->relist, true);
	ha_kick(ha);
	if (log)
		ha_log(ha, refused ? HA_LOG_MEMBER_REFUSED : HA_LOG_MEMBER_DOWN,
		       "%s %s: member %s %s: %s", token->group ? "group" : "partition",
		       token->number, member->serial, refused ? "refused" : "down", reason);
	if (last && token->group)
		ha_log(ha, HA_LOG_LAST_MEMBER, "group %s: no member is left%s", token->number,
		       over ? "; the login is over" : "");
}

void ha_member_failed(struct ha_member *member, struct ha_conn *conn, CK_RV rv)
{
	struct ha_token *token = member->token;
	struct ha *ha = token->ha;

	if (is_members_fault(rv)) {
		take_out(member, conn, true, rv);
	} else if ((rv & ~PCIEHSM_RV_UNKNOWN_BIT) == PCIEHSM_RV_RESET_NOT_EXECUTED) {
		/* Log in again and bring back what it has lost, also if nobody calls. */
		ha_lock(ha, &token->lock);
		member->audit = true;
		ha_unlock(ha, &token->lock);
		ha_kick(ha);
	}
}

void ha_member_unusable(struct ha_member *member, struct ha_conn *conn, CK_RV rv)
{
	take_out(member, conn, false, rv);
}

void ha_member_missed(struct ha_member *member, struct ha_conn *conn, CK_RV rv)
{
	struct ha_token *token = member->token;
	struct ha *ha = token->ha;

	ha_lock(ha, &token->lock);
	member->dirty++;
	if (member->conn == conn && member->state == HA_MEMBER_ALIVE) {
		ha_member_set(member, HA_MEMBER_SYNCING, "missed a change: %s",
			      ha_member_reason(rv));
		member->next_try = 0;
	}
	ha_unlock(ha, &token->lock);
	ha_kick(ha);
	ha_log(ha, HA_LOG_REPLICATION_FAILED, "group %s: member %s missed a change: %s",
	       token->number, member->serial, ha_member_reason(rv));
}

/* ---- login ---- */

void ha_conn_logged_out(struct ha_conn *conn, unsigned int logins)
{
	ha_lock(conn->ha, &conn->lock);
	if (atomic_load(&conn->logins) == logins) {
		conn->role = PCIEHSM_ROLE_NONE;
		atomic_store(&conn->login_gen, 0);
	}
	ha_unlock(conn->ha, &conn->lock);
}

CK_RV ha_conn_login(struct ha_conn *conn, struct ha_secret *secret, bool kept,
		    uint32_t *attempts)
{
	uint32_t flags = 0;
	CK_RV rv = pciehsm_login(conn->t, secret->role, secret->pin, secret->len, &flags, attempts);

	/*
	 * Of a login whose answer was lost. The kept password was right wherever it was
	 * taken; of a new one nobody has said so yet.
	 */
	if (rv == CKR_USER_ALREADY_LOGGED_IN && kept) {
		rv = CKR_OK;
	} else if (rv == CKR_USER_ALREADY_LOGGED_IN || rv == CKR_USER_ANOTHER_ALREADY_LOGGED_IN) {
		rv = pciehsm_logout(conn->t);
		if (rv == CKR_OK)
			rv = pciehsm_login(conn->t, secret->role, secret->pin, secret->len, &flags,
					   attempts);
	}
	if (rv == CKR_OK) {
		/* Who is asked first says what it is; later ones were chosen by that. */
		if (!kept)
			ha_secret_took(secret, flags);
		conn->role = secret->role;
		atomic_fetch_add(&conn->logins, 1);
	}
	return rv;
}

/*
 * May the kept password be tried on this member, which nobody asked to? Only while
 * nothing hints at another password there, and never so that it could lock the role:
 * many processes do this at the same time. A challenge is tried where it is good for a login.
 */
static CK_RV may_try(struct ha_conn *conn, const struct ha_secret *secret)
{
	struct pciehsm_role_info *list;
	CK_RV rv = CKR_USER_PIN_NOT_INITIALIZED;
	size_t i, n;
	CK_RV err;

	err = pciehsm_role_info(conn->t, &list, &n);
	if (err)
		return err;
	for (i = 0; i < n; i++) {
		uint32_t flags = le32toh(list[i].flags);
		uint32_t attempts = le32toh(list[i].attempts), limit = le32toh(list[i].limit);

		if (le32toh(list[i].role) != secret->role)
			continue;
		if (!(flags & PCIEHSM_ROLE_INITIALISED_FLAG))
			rv = CKR_USER_PIN_NOT_INITIALIZED;
		else if (flags & PCIEHSM_ROLE_MUST_CHANGE_FLAG)
			rv = CKR_PIN_EXPIRED;
		else if (atomic_load(&secret->challenge) && !(flags & PCIEHSM_ROLE_ACTIVATED_FLAG))
			rv = PCIEHSM_CKR_NOT_ACTIVATED;
		else if (flags & PCIEHSM_ROLE_LOCKED_FLAG || attempts * 2 <= limit)
			rv = CKR_PIN_LOCKED;
		else
			rv = CKR_OK;
	}
	free(list);
	return rv;
}

static CK_RV login_again(struct ha_conn *conn)
{
	struct ha_token *token = conn->token;
	struct ha_member *member = conn->member;
	struct ha *ha = conn->ha;

	for (;;) {
		struct ha_secret *secret;
		bool refused;
		uint64_t gen;
		CK_RV rv = CKR_OK;

		ha_lock(ha, &token->lock);
		gen = atomic_load(&token->login_gen);
		secret = ha_secret_get(token->secret);
		refused = member->refused_gen == gen && secret &&
			  !memcmp(member->refused_by, conn->incarnation,
				  sizeof(conn->incarnation));
		ha_unlock(ha, &token->lock);
		if (atomic_load(&conn->login_gen) == gen) {
			ha_secret_put(secret);
			return CKR_OK;
		}
		if (refused)
			rv = CKR_PIN_INCORRECT;
		if (rv == CKR_OK && conn->role != PCIEHSM_ROLE_NONE) {
			rv = pciehsm_logout(conn->t);
			if (rv == CKR_USER_NOT_LOGGED_IN)
				rv = CKR_OK;
			if (rv == CKR_OK)
				conn->role = PCIEHSM_ROLE_NONE;
		}
		if (rv == CKR_OK && secret) {
			rv = may_try(conn, secret);
			if (rv == CKR_OK)
				rv = ha_conn_login(conn, secret, true, NULL);
			if (rv == CKR_PIN_INCORRECT) {
				bool changed;

				/* Perhaps only because it is being changed just now. */
				ha_lock(ha, &token->lock);
				changed = token->secret != secret;
				ha_unlock(ha, &token->lock);
				if (changed)
					rv = CKR_OK;
			} else if (rv == CKR_OK) {
				atomic_store(&conn->login_gen, gen);
			}
		} else if (rv == CKR_OK) {
			atomic_store(&conn->login_gen, gen);
		}
		ha_secret_put(secret);
		if (rv != CKR_OK)
			return rv;
	}
}

CK_RV ha_conn_ready(struct ha_conn *conn)
{
	unsigned int resets = conn->t->ops->resets(conn->t);
	struct ha *ha = conn->ha;
	bool was_reset = false;
	CK_RV rv;

	if (resets == atomic_load(&conn->resets) &&
	    atomic_load(&conn->login_gen) == atomic_load(&conn->token->login_gen))
		return CKR_OK;
	ha_lock(ha, &conn->lock);
	if (resets != atomic_load(&conn->resets)) {
		atomic_store(&conn->resets, resets);
		atomic_store(&conn->login_gen, 0);
		conn->role = PCIEHSM_ROLE_NONE;
		was_reset = true;
	}
	rv = login_again(conn);
	ha_unlock(ha, &conn->lock);
	if (was_reset) {
		/*
		 * Channels and session objects are gone with the context's login. What is
		 * stored is not, so it can go on working; the comparison gives it the
		 * session objects again.
		 */
		ha_channels_drop(conn);
		ha_lock(ha, &conn->token->lock);
		conn->member->audit = true;
		ha_unlock(ha, &conn->token->lock);
		ha_kick(ha);
	}
	if (rv != CKR_OK)
		ha_member_failed(conn->member, conn, rv);
	return rv;
}
