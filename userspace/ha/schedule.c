// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A call on its way: which member gets it, and what follows from its answer.
 *
 * Least outstanding commands for its weight first, ties in turn, in which members of greater
 * weight come up more often. Members are looked at in tiers: live active ones; live
 * standby ones; live ones that are being drained; at last those that are not up to date,
 * which is better than nobody. Calls that change something go to the first of a tier
 * instead, so that all processes choose the same one as long as they see the same
 * members.
 */
#include "engine.h"

void ha_call_begin(struct ha_call *call, struct ha_token *token, enum ha_how how,
		   const struct ha_ouid *object)
{
	/* Not the whole of it: the arrays are large and filled as they are needed. */
	call->token = token;
	call->how = how;
	call->prefer = NULL;
	call->member = NULL;
	call->conn = NULL;
	call->rv = CKR_OK;
	call->answered = false;
	call->known = false;
	call->lost = false;
	call->maybe = false;
	call->waited = false;
	call->sees_all = false;
	call->current = false;
	call->missing = CKR_OK;
	call->n_tried = 0;
	call->n_lacking = 0;
	if (!ha_threaded(token->ha))
		ha_poll(token->ha);
	if (!atomic_load(&token->active))
		ha_token_activate(token);
	if (object && atomic_load(&token->n_sobjects))
		ha_sobject_known(token, object, &call->prefer);
}

static struct ha_tried *tried(struct ha_call *call, struct ha_member *member, bool create)
{
	unsigned int i;

	for (i = 0; i < call->n_tried; i++)
		if (call->tried[i].member == member)
			return &call->tried[i];
	if (!create || call->n_tried == sizeof(call->tried) / sizeof(call->tried[0]))
		return NULL;
	call->tried[call->n_tried].member = member;
	call->tried[call->n_tried].strikes = 0;
	return &call->tried[call->n_tried++];
}

static unsigned int strikes_of(struct ha_call *call, struct ha_member *member)
{
	struct ha_tried *t = call->n_tried ? tried(call, member, false) : NULL;

	return t ? t->strikes : 0;
}

static void strike(struct ha_call *call, unsigned int n)
{
	struct ha_tried *t = tried(call, call->member, true);

	if (t)
		t->strikes += n;
}

#define TIERS	6

static unsigned int tier_of(const struct ha_member *member)
{
	unsigned int tier = member->drain ? 2 : member->standby;

	return member->state == HA_MEMBER_ALIVE ? tier : TIERS / 2 + tier;
}

/* Of members that are as good as each other: who is owed most. token->lock is held. */
static struct ha_member *in_turn(struct ha_member **equals, unsigned int n)
{
	struct ha_member *best = NULL;
	int total = 0;
	unsigned int i;

	for (i = 0; i < n; i++) {
		equals[i]->credit += (int)equals[i]->weight;
		total += (int)equals[i]->weight;
		if (!best || equals[i]->credit > best->credit)
			best = equals[i];
	}
	best->credit -= total;
	return best;
}

/* Choose; token->lock is held. */
static struct ha_member *choose(struct ha_call *call)
{
	struct ha_member *equals[HA_MAX_MEMBERS], *best = NULL;
	struct ha_token *token = call->token;
	unsigned int i, n = 0, best_key = 0;
	uint64_t best_load = 0;

	for (i = 0; i < token->n_members; i++) {
		struct ha_member *member = token->members[i];
		unsigned int key, strikes, busy;
		uint64_t load;

		if (!member->conn)
			continue;
		strikes = strikes_of(call, member);
		if (strikes >= HA_STRIKES_MAX)
			continue;
		if (member == call->prefer && !strikes)
			return member;
		key = strikes * TIERS + tier_of(member);
		/* Compared without a fraction: what is outstanding for a weight of the product. */
		busy = call->how == HA_HOW_ANY ? atomic_load(&member->outstanding) : 0;
		load = best ? (uint64_t)busy * best->weight : 0;
		if (best && (key > best_key || (key == best_key &&
						load > best_load * member->weight)))
			continue;
		if (!best || key < best_key || load < best_load * member->weight) {
			best = member;
			best_key = key;
			best_load = busy;
			n = 0;
		}
		equals[n++] = member;
	}
	return n > 1 && call->how == HA_HOW_ANY ? in_turn(equals, n) : best;
}

static bool pick(struct ha_call *call)
{
	struct ha_token *token = call->token;
	struct ha_member *member;

	ha_lock(token->ha, &token->lock);
	member = choose(call);
	if (member) {
		call->member = member;
		call->conn = ha_conn_get(member->conn);
		call->current = member->state == HA_MEMBER_ALIVE;
		call->several = token->n_members > 1;
		atomic_fetch_add(&member->outstanding, 1);
		atomic_fetch_add_explicit(&member->commands, 1, memory_order_relaxed);
	}
	ha_unlock(token->ha, &token->lock);
	return member;
}

static void release(struct ha_call *call)
{
	if (!call->conn)
		return;
	atomic_fetch_sub(&call->member->outstanding, 1);
	ha_conn_put(call->conn);
	call->conn = NULL;
}

/* Is somebody on the way up, or about to be? token->lock is held. */
static bool is_coming(struct ha_token *token)
{
	uint64_t now = ha_now(token->ha);
	unsigned int i;

	for (i = 0; i < token->n_members; i++)
		if (!token->members[i]->conn && ha_work_pending(token->members[i], now))
			return true;
	return false;
}

/* Wait, once in a call, for a member that is being connected. */
static void wait_for_member(struct ha_call *call)
{
	struct ha_token *token = call->token;
	struct ha *ha = token->ha;
	uint64_t deadline = ha_now(ha) + HA_CALL_WAIT;

	if (!ha_threaded(ha)) {
		ha_devices_refresh(ha, false);
		ha_work_inline(token);
		return;
	}
	ha_lock(ha, &token->lock);
	while (is_coming(token) && !choose(call))
		if (!ha_wait(ha, &token->changed, &token->lock, deadline))
			break;
	ha_unlock(ha, &token->lock);
}

static unsigned int connected(struct ha_token *token)
{
	unsigned int i, n = 0;

	for (i = 0; i < token->n_members; i++)
		n += token->members[i]->conn != NULL;
	return n;
}

unsigned int ha_members_wait(struct ha_token *token, unsigned int wanted)
{
	struct ha *ha = token->ha;
	uint64_t deadline = ha_now(ha) + HA_CALL_WAIT;
	unsigned int n;

	ha_lock(ha, &token->lock);
	while ((n = connected(token)) < wanted && ha_threaded(ha) && is_coming(token))
		if (!ha_wait(ha, &token->changed, &token->lock, deadline))
			break;
	ha_unlock(ha, &token->lock);
	return n;
}

bool ha_call_next(struct ha_call *call)
{
	release(call);
	for (;;) {
		CK_RV rv;

		if (!pick(call)) {
			if (call->waited)
				return false;
			call->waited = true;
			wait_for_member(call);
			continue;
		}
		rv = ha_conn_ready(call->conn);
		call->resets = atomic_load(&call->conn->resets);
		call->logins = atomic_load(&call->conn->logins);
		if (rv == CKR_OK)
			return true;
		if (pciehsm_rv_is_transport(rv))
			call->lost = true;
		else if (call->rv == CKR_OK)
			call->rv = ha_rv_sick(rv) ? rv : CKR_USER_NOT_LOGGED_IN;
		strike(call, 1);
		release(call);
	}
}

/* The card answered, but not about what it was asked. */
static bool is_sick(struct ha_call *call, CK_RV rv)
{
	if (ha_rv_sick(rv))
		return true;
	/* For work there may be room elsewhere; what is stored has to fit on all. */
	return rv == CKR_DEVICE_MEMORY && call->how == HA_HOW_ANY;
}

bool ha_call_done(struct ha_call *call, CK_RV rv)
{
	struct ha_member *member = call->member;

	/*
	 * The card was reset before it got the message: nobody was logged in, and private
	 * objects were out of sight. The counter is up to date after a message, not before.
	 */
	if ((ha_rv_missing(rv) || (call->sees_all && rv == CKR_OK)) &&
	    call->conn->t->ops->resets(call->conn->t) != call->resets)
		rv = PCIEHSM_RV_RESET_NOT_EXECUTED;
	if (pciehsm_rv_is_transport(rv)) {
		if (rv == PCIEHSM_RV_MESSAGE) {
			call->rv = CKR_GENERAL_ERROR;
			call->answered = true;
			return true;
		}
		if (rv == PCIEHSM_RV_ACCESS) {
			/* This user may use the device, not change what is on it. */
			call->rv = CKR_TOKEN_WRITE_PROTECTED;
			call->answered = true;
			return true;
		}
		call->lost = true;
		if (!pciehsm_rv_not_executed(rv))
			call->maybe = true;
		strike(call, 1);
		ha_member_failed(member, call->conn, rv);
		return false;
	}
	if (rv == CKR_USER_NOT_LOGGED_IN && strikes_of(call, member) + 1 < HA_STRIKES_MAX &&
	    atomic_load(&call->token->role) != PCIEHSM_ROLE_NONE) {
		/*
		 * The card has forgotten our login: it was reset, or the role was made anew.
		 * If it says so again after the next one, the role may not do this.
		 */
		strike(call, 1);
		ha_conn_logged_out(call->conn, call->logins);
		return false;
	}
	if (ha_rv_missing(rv) && call->several) {
		call->missing = rv;
		if (call->n_lacking < HA_MAX_MEMBERS)
			call->lacking[call->n_lacking++] = member;
		strike(call, HA_STRIKES_MAX);
		if (call->current)
			call->known = true;
		return false;
	}
	call->rv = rv;
	if (is_sick(call, rv)) {
		strike(call, 1);
		if (atomic_fetch_add(&member->sick, 1) + 1 >= HA_STRIKES_MAX &&
		    call->several)
			ha_member_failed(member, call->conn, rv);
		return false;
	}
	if (atomic_load_explicit(&member->sick, memory_order_relaxed))
		atomic_store(&member->sick, 0);
	call->answered = true;
	return true;
}

void ha_call_retry(struct ha_call *call, bool executed)
{
	call->answered = false;
	call->rv = CKR_OK;
	call->lost = true;
	if (executed)
		call->maybe = true;
	strike(call, 1);
}

/*
 * Members that did not know what another one knew: compare them now. Or they see what is public
 * alone, because somebody has ended the role's logins there.
 */
static void audit_lacking(struct ha_call *call)
{
	struct ha_token *token = call->token;
	unsigned int i;

	ha_lock(token->ha, &token->lock);
	for (i = 0; i < call->n_lacking && !token->n_pinned; i++) {
		call->lacking[i]->audit = true;
		call->lacking[i]->doubt = true;
	}
	ha_unlock(token->ha, &token->lock);
	ha_kick(token->ha);
}

/* No member knows it: there is no such object, as a rule. */
static bool may_all_be_blind(struct ha_token *token)
{
	uint64_t now = ha_now(token->ha);
	bool due;

	if (atomic_load(&token->role) == PCIEHSM_ROLE_NONE)
		return false;
	ha_lock(token->ha, &token->lock);
	due = now >= token->next_doubt;
	if (due)
		token->next_doubt = now + HA_AUDIT_INTERVAL;
	ha_unlock(token->ha, &token->lock);
	return due;
}

CK_RV ha_call_end(struct ha_call *call)
{
	release(call);
	if (call->answered) {
		if (call->n_lacking)
			audit_lacking(call);
		return call->rv;
	}
	if (call->missing != CKR_OK) {
		if (may_all_be_blind(call->token))
			audit_lacking(call);
		/* If none of them is up to date, that does not mean that it does not exist. */
		return call->known ? call->missing : CKR_DEVICE_ERROR;
	}
	if (call->rv != CKR_OK)
		return call->rv;
	return CKR_DEVICE_REMOVED;
}
