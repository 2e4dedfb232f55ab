// SPDX-License-Identifier: LGPL-2.1-or-later
/* Tokens: their members as the configuration lists them, and what tokens are asked. */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine.h"

#define LOGIN_ROUNDS	3
/* A member is asked about a role so often while its answers are lost. */
#define ROLE_ASKED_MAX	3

struct ha_token *ha_token_new(struct ha *ha, bool group, const char *number)
{
	struct ha_token *token = calloc(1, sizeof(*token));
	const struct ha_env_ops *ops = ha->env->ops;

	if (!token)
		return NULL;
	token->ha = ha;
	token->group = group;
	snprintf(token->number, sizeof(token->number), "%s", number);
	ops->mutex_init(ha->env, &token->login_lock);
	ops->mutex_init(ha->env, &token->lock);
	ops->cond_init(ha->env, &token->changed);
	atomic_init(&token->active, false);
	atomic_init(&token->role, PCIEHSM_ROLE_NONE);
	atomic_init(&token->login_gen, 1);
	atomic_init(&token->n_sobjects, 0);
	token->slot = HA_SLOT_NONE;
	token->retry_interval = 60 * SECOND;
	return token;
}

void ha_token_free(struct ha_token *token)
{
	struct ha *ha = token->ha;
	const struct ha_env_ops *ops = ha->env->ops;
	struct ha_channel *channel, *next;
	unsigned int i;

	ha_sessions_free(token);
	for (channel = token->channels; channel; channel = next) {
		next = channel->next;
		ha_conn_put(channel->from);
		ha_conn_put(channel->to);
		ops->mutex_destroy(ha->env, &channel->lock);
		free(channel);
	}
	for (i = 0; i < token->n_known; i++) {
		ha_conn_put(token->known[i]->conn);
		free(token->known[i]->bases);
		free(token->known[i]);
	}
	while (token->garbage) {
		struct ha_conn *conn = token->garbage;

		token->garbage = conn->next;
		ha_conn_put(conn);
	}
	ha_secret_put(token->secret);
	free(token->known);
	free(token->orphans);
	ops->mutex_destroy(ha->env, &token->login_lock);
	ops->mutex_destroy(ha->env, &token->lock);
	ops->cond_destroy(ha->env, &token->changed);
	free(token);
}

static void conn_abandon(struct ha_conn *conn)
{
	if (!conn || !conn->t)
		return;
	conn->t->ops->close(conn->t);
	conn->t = NULL;
}

void ha_token_abandon(struct ha_token *token)
{
	struct ha_session *session;
	struct ha_channel *channel;
	struct ha_conn *conn;
	unsigned int i, k;

	for (i = 0; i < token->n_known; i++)
		conn_abandon(token->known[i]->conn);
	for (conn = token->garbage; conn; conn = conn->next)
		conn_abandon(conn);
	/* Contexts that were dropped and are still in use */
	for (channel = token->channels; channel; channel = channel->next) {
		conn_abandon(channel->from);
		conn_abandon(channel->to);
	}
	for (i = 0; i < HA_TABLE; i++)
		for (session = token->sessions[i]; session; session = session->next)
			for (k = 0; k < HA_OPS; k++)
				conn_abandon(session->ops[k].conn);
	if (token->secret)
		explicit_bzero(token->secret, sizeof(*token->secret));
}

void ha_token_settings(struct ha_token *token)
{
	struct ha *ha = token->ha;

	ha_lock(ha, &token->lock);
	/* A partition of its own is as a token that is pulled out: its login is over. */
	token->enhanced = token->group && ha->config->recovery_mode == HA_RECOVERY_ENHANCED;
	token->retry_count = ha->config->retry_count;
	token->retry_interval = ha->config->retry_interval * SECOND;
	token->replay_max = ha->config->replay_max;
	ha_unlock(ha, &token->lock);
}

void ha_token_configure(struct ha_token *token, const struct ha_config_group *group)
{
	struct ha *ha = token->ha;
	unsigned int i, n = 0;

	ha_lock(ha, &token->lock);
	for (i = 0; i < token->n_known; i++)
		token->known[i]->listed = false;
	for (i = 0; group && i < group->n_members; i++) {
		const struct ha_config_member *entry = &group->members[i];
		struct ha_member *member = ha_member_find(token, entry->serial, true);

		if (!member)
			continue;
		member->listed = true;
		member->standby = entry->standby;
		member->drain = entry->drain;
		member->weight = entry->weight ? entry->weight : 1;
		member->credit = 0;
		member->present = ha_device(ha, member->serial);
		if (!member->conn) {
			member->next_try = 0;
			member->tries = 0;
			/* On request even where automatic recovery is off: as if it was new. */
			if (group->recover != token->recover)
				member->was_alive = false;
		}
		token->members[n++] = member;
	}
	token->n_members = n;
	for (i = 0; i < token->n_known; i++) {
		struct ha_member *member = token->known[i];

		if (member->listed)
			continue;
		/* Calls that are under way in it come to their end; no new ones begin. */
		ha_member_drop(member);
		ha_member_set(member, HA_MEMBER_DOWN, "not a member any more");
		member->was_alive = false;
	}
	/* As if it was pulled out: a group that comes to have its number is not logged in. */
	if (!group && token->secret) {
		ha_secret_put(token->secret);
		token->secret = NULL;
		atomic_store(&token->role, PCIEHSM_ROLE_NONE);
		atomic_fetch_add(&token->login_gen, 1);
	}
	token->configured = group;
	if (group) {
		token->slot = group->slot;
		token->synchronize = group->synchronize;
		token->mincopies = group->mincopies;
		token->recover = group->recover;
		snprintf(token->label, sizeof(token->label), "%s", group->label);
	}
	ha_unlock(ha, &token->lock);
}

/* ---- finding ---- */

static struct ha_token *add_token(struct ha *ha, bool group, const char *number)
{
	struct ha_token *token, **tokens;
	unsigned int i;

	for (i = 0; i < ha->n_tokens; i++)
		if (ha->tokens[i]->group == group && !strcmp(ha->tokens[i]->number, number))
			return ha->tokens[i];
	tokens = realloc(ha->tokens, (ha->n_tokens + 1) * sizeof(*tokens));
	if (!tokens)
		return NULL;
	ha->tokens = tokens;
	token = ha_token_new(ha, group, number);
	if (!token)
		return NULL;
	tokens[ha->n_tokens++] = token;
	ha_token_settings(token);
	return token;
}

static struct ha_token *group_token(struct ha *ha, uint32_t slot)
{
	const struct ha_config *config = ha->config;
	struct ha_token *token;
	unsigned int i;

	for (i = 0; i < config->n_groups; i++) {
		if (config->groups[i].slot != slot)
			continue;
		token = add_token(ha, true, config->groups[i].number);
		if (token && !token->configured)
			ha_token_configure(token, &config->groups[i]);
		return token;
	}
	return NULL;
}

static struct ha_token *partition_token(struct ha *ha, uint32_t slot)
{
	struct ha_token *token;
	struct ha_member *member;
	int i;

	for (i = 0; i < ha->n_devices; i++) {
		const struct pciehsm_device *device = &ha->devices[i];

		if (!device->index || ha_slot_of(device->card, device->index) != slot)
			continue;
		token = add_token(ha, false, device->serial);
		if (!token)
			return NULL;
		token->slot = slot;
		ha_lock(ha, &token->lock);
		member = ha_member_find(token, device->serial, true);
		if (member && !token->n_members) {
			member->listed = true;
			member->present = true;
			member->weight = 1;
			token->members[token->n_members++] = member;
		}
		ha_unlock(ha, &token->lock);
		return member ? token : NULL;
	}
	return NULL;
}

struct ha_token *ha_token(struct ha *ha, uint32_t slot)
{
	struct ha_token *token;
	unsigned int i;

	if (!ha_threaded(ha))
		ha_poll(ha);
	ha_lock(ha, &ha->lock);
	token = slot >= HA_SLOT_GROUP_FIRST && slot <= HA_SLOT_GROUP_LAST ?
		group_token(ha, slot) : partition_token(ha, slot);
	/* What was there before: the last one is the latest. */
	for (i = ha->n_tokens; i > 0 && !token; i--)
		if (ha->tokens[i - 1]->slot == slot)
			token = ha->tokens[i - 1];
	ha_unlock(ha, &ha->lock);
	return token;
}

bool ha_token_present(struct ha_token *token)
{
	struct ha *ha = token->ha;
	bool present = false;
	unsigned int i;

	if (!ha_threaded(ha))
		ha_poll(ha);
	ha_lock(ha, &token->lock);
	for (i = 0; i < token->n_members && !present; i++)
		present = token->members[i]->present || token->members[i]->conn;
	ha_unlock(ha, &token->lock);
	return present;
}

void ha_token_activate(struct ha_token *token)
{
	struct ha *ha = token->ha;
	bool was;

	ha_lock(ha, &token->lock);
	was = atomic_exchange(&token->active, true);
	ha_unlock(ha, &token->lock);
	if (was)
		return;
	if (ha_threaded(ha)) {
		ha_kick(ha);
		ha_wait_settled(token, ha_now(ha) + HA_LOGIN_WAIT, HA_SETTLED_ANY);
	} else {
		ha_work_inline(token);
	}
}

CK_RV ha_token_info(struct ha_token *token, struct ha_token_info *info)
{
	struct ha *ha = token->ha;
	struct pciehsm_partition_info partition;
	struct pciehsm_role_info *roles = NULL;
	struct ha_call call;
	size_t i, n_roles = 0;
	CK_RV rv;

	memset(info, 0, sizeof(*info));
	ha_call_begin(&call, token, HA_HOW_PRIMARY, NULL);
	while (ha_call_next(&call)) {
		rv = pciehsm_partition_info(call.conn->t, &partition);
		if (rv == CKR_OK)
			rv = pciehsm_role_info(call.conn->t, &roles, &n_roles);
		if (ha_call_done(&call, rv))
			break;
	}
	rv = ha_call_end(&call);
	if (rv != CKR_OK)
		return rv == CKR_DEVICE_REMOVED ? CKR_TOKEN_NOT_PRESENT : rv;

	for (i = 0; i < n_roles; i++) {
		if (le32toh(roles[i].role) != PCIEHSM_ROLE_CO)
			continue;
		info->co_attempts = le32toh(roles[i].attempts);
		info->co_limit = le32toh(roles[i].limit);
		info->co_locked = le32toh(roles[i].flags) & PCIEHSM_ROLE_LOCKED_FLAG;
	}
	free(roles);
	info->flags = partition.flags;
	info->space = partition.space;
	info->space_free = partition.space_free;
	info->objects = partition.objects;
	info->slot.kind = token->group ? HA_SLOT_GROUP : HA_SLOT_PARTITION;
	info->slot.initialised = partition.flags & PCIEHSM_PARTITION_INITIALISED;
	snprintf(info->slot.serial, sizeof(info->slot.serial), "%.24s", token->number);
	snprintf(info->slot.fw_version, sizeof(info->slot.fw_version), "%s",
		 partition.fw_version);
	snprintf(info->slot.model, sizeof(info->slot.model), "%s",
		 token->group ? "HA group" : partition.model);
	ha_lock(ha, &ha->lock);
	info->slot.id = token->slot;
	if (token->group)
		snprintf(info->slot.label, sizeof(info->slot.label), "%s", token->label);
	ha_unlock(ha, &ha->lock);
	if (!token->group) {
		snprintf(info->slot.label, sizeof(info->slot.label), "%s", partition.label);
		snprintf(info->slot.hsm_serial, sizeof(info->slot.hsm_serial), "%s",
			 partition.hsm_serial);
	}
	return CKR_OK;
}

/* ---- passwords ---- */

uint32_t ha_login_role(struct ha_token *token)
{
	return atomic_load(&token->role);
}

/* Members in whose order a password is tried: contexts of those that are there. */
static unsigned int candidates(struct ha_token *token, struct ha_conn **list)
{
	struct ha *ha = token->ha;
	unsigned int i, standby, n = 0;

	ha_lock(ha, &token->lock);
	for (standby = 0; standby < 2; standby++)
		for (i = 0; i < token->n_members; i++)
			if (token->members[i]->conn && token->members[i]->standby == standby)
				list[n++] = ha_conn_get(token->members[i]->conn);
	ha_unlock(ha, &token->lock);
	return n;
}

/* Not an answer to the password: another member can be asked without harm. */
static bool asks_on(CK_RV rv)
{
	return pciehsm_rv_is_transport(rv) || rv == CKR_USER_PIN_NOT_INITIALIZED ||
	       rv == PCIEHSM_CKR_NOT_ACTIVATED || rv == CKR_PIN_LOCKED ||
	       (ha_rv_sick(rv) && rv != CKR_PIN_EXPIRED);
}

/*
 * How many wrong passwords a role has left on a member; 0 if the card does not say. One that is
 * not there or hangs is not asked twice.
 */
static CK_RV attempts_left(struct ha_conn *conn, uint32_t role, uint32_t *left)
{
	struct pciehsm_role_info *list;
	size_t i, n;
	CK_RV rv;
	int asked;

	for (asked = 0; asked < ROLE_ASKED_MAX; asked++) {
		rv = pciehsm_role_info(conn->t, &list, &n);
		if (!pciehsm_rv_is_transport(rv) || pciehsm_rv_gone(rv) ||
		    rv == PCIEHSM_RV_TIMEOUT_UNKNOWN || rv == PCIEHSM_RV_TIMEOUT_NOT_EXECUTED)
			break;
	}
	*left = 0;
	if (rv != CKR_OK)
		return pciehsm_rv_is_transport(rv) ? rv : CKR_OK;
	for (i = 0; i < n; i++)
		if (le32toh(list[i].role) == role)
			*left = le32toh(list[i].attempts);
	free(list);
	return CKR_OK;
}

/*
 * A password was given to a member whose answer was lost. Trying it on another would cost a
 * second attempt if it is wrong, so the member is asked what has become of its attempts:
 * one less, and it was wrong. (One that answered anything but CKR_PIN_INCORRECT did not find it
 * wrong: if that cost an attempt, then because the card could not take it back.)
 *
 * Return: CKR_PIN_INCORRECT, or @rv: no attempt was used up, or that can not be known
 */
static CK_RV was_it_wrong(struct ha_conn *conn, uint32_t role, uint32_t before, CK_RV rv,
			  uint32_t *attempts)
{
	uint32_t left;

	if (!pciehsm_rv_is_transport(rv) || pciehsm_rv_not_executed(rv))
		return rv;
	if (attempts_left(conn, role, &left) != CKR_OK || left >= before)
		return rv;
	if (attempts)
		*attempts = left;
	return CKR_PIN_INCORRECT;
}

/* Try the password on one member; the login is the token's if it takes it. */
static CK_RV login_at(struct ha_conn *conn, struct ha_secret *secret, uint32_t *attempts)
{
	struct ha_token *token = conn->token;
	struct ha *ha = conn->ha;
	uint32_t before = 0;
	CK_RV rv;

	/* A reset that nobody has noticed yet, and a login of before. */
	rv = ha_conn_ready(conn);
	if (rv != CKR_OK)
		return rv;
	ha_lock(ha, &conn->lock);
	/* One that can not even tell this is not trusted with an attempt. */
	rv = attempts_left(conn, secret->role, &before);
	if (rv == CKR_OK)
		rv = ha_conn_login(conn, secret, false, attempts);
	rv = was_it_wrong(conn, secret->role, before, rv, attempts);
	if (rv == CKR_OK) {
		ha_lock(ha, &token->lock);
		token->secret = ha_secret_get(secret);
		atomic_store(&token->role, secret->role);
		atomic_store(&conn->login_gen, atomic_fetch_add(&token->login_gen, 1) + 1);
		ha_unlock(ha, &token->lock);
	}
	ha_unlock(ha, &conn->lock);
	return rv;
}

/* Once through all that are there. The first that answers to the password decides. */
static CK_RV login_round(struct ha_token *token, struct ha_secret *secret, uint32_t *attempts,
			 CK_RV *first)
{
	struct ha_conn *list[HA_MAX_MEMBERS];
	CK_RV rv = CKR_TOKEN_NOT_PRESENT;
	unsigned int i, n;

	n = candidates(token, list);
	for (i = 0; i < n; i++) {
		rv = login_at(list[i], secret, attempts);
		if (!asks_on(rv))
			break;
		if (pciehsm_rv_is_transport(rv) || ha_rv_sick(rv))
			ha_member_failed(list[i]->member, list[i], rv);
		else if (*first == CKR_OK)
			*first = rv;
	}
	for (i = 0; i < n; i++)
		ha_conn_put(list[i]);
	return rv;
}

static CK_RV first_login(struct ha_token *token, struct ha_secret *secret, uint32_t *attempts)
{
	struct ha *ha = token->ha;
	CK_RV rv = CKR_OK, first = CKR_OK;
	int i;

	/* Members that were reset meanwhile, or were just being connected, get a chance. */
	for (i = 0; i < LOGIN_ROUNDS; i++) {
		rv = login_round(token, secret, attempts, &first);
		if (!asks_on(rv) && rv != CKR_TOKEN_NOT_PRESENT)
			return rv;
		/* The role may be activated on one that is just being connected: once more. */
		if (first != CKR_OK && (first != PCIEHSM_CKR_NOT_ACTIVATED || i))
			break;
		if (ha_threaded(ha))
			ha_wait_settled(token, ha_now(ha) + HA_CALL_WAIT,
					i || first != CKR_OK ? HA_SETTLED_ALL : HA_SETTLED_ANY);
		else
			ha_work_inline(token);
	}
	return first != CKR_OK ? first : CKR_TOKEN_NOT_PRESENT;
}

CK_RV ha_login(struct ha_token *token, uint32_t role, const void *pin, size_t pin_len,
	       uint32_t *attempts)
{
	struct ha *ha = token->ha;
	struct ha_secret *secret;
	uint32_t present;
	unsigned int i;
	CK_RV rv;

	if (pin_len > PCIEHSM_PIN_MAX)
		return CKR_PIN_LEN_RANGE;
	if (!ha_threaded(ha))
		ha_poll(ha);
	if (!atomic_load(&token->active))
		ha_token_activate(token);
	else if (!ha_threaded(ha))
		ha_work_inline(token);
	/* Which member decides whether a password is right is not left to chance. */
	if (ha_threaded(ha))
		ha_wait_settled(token, ha_now(ha) + HA_CALL_WAIT, HA_SETTLED_FIRST);
	secret = ha_secret_new(role, pin, pin_len);
	if (!secret)
		return CKR_HOST_MEMORY;
	ha_lock(ha, &token->login_lock);
	present = atomic_load(&token->role);
	if (present == role)
		rv = CKR_USER_ALREADY_LOGGED_IN;
	else if (present != PCIEHSM_ROLE_NONE)
		rv = CKR_USER_ANOTHER_ALREADY_LOGGED_IN;
	else
		rv = first_login(token, secret, attempts);
	ha_secret_put(secret);
	if (rv == CKR_OK) {
		/* The others: now the password is known to be right, and they can catch up. */
		ha_lock(ha, &token->lock);
		for (i = 0; i < token->n_members; i++) {
			token->members[i]->next_try = 0;
			token->members[i]->audit = true;
		}
		token->next_audit = ha_now(ha) + HA_AUDIT_INTERVAL;
		ha_unlock(ha, &token->lock);
	}
	ha_unlock(ha, &token->login_lock);
	if (rv == CKR_OK && ha_threaded(ha)) {
		ha_kick(ha);
		ha_wait_settled(token, ha_now(ha) + HA_LOGIN_WAIT, HA_SETTLED_ALL);
	} else if (rv == CKR_OK) {
		ha_work_inline(token);
	}
	return rv;
}

CK_RV ha_logout(struct ha_token *token)
{
	struct ha *ha = token->ha;
	struct ha_conn *list[HA_MAX_MEMBERS];
	struct ha_secret *secret = NULL;
	unsigned int i, n;
	CK_RV rv = CKR_OK;

	ha_lock(ha, &token->login_lock);
	ha_lock(ha, &token->lock);
	if (atomic_load(&token->role) == PCIEHSM_ROLE_NONE) {
		rv = CKR_USER_NOT_LOGGED_IN;
	} else {
		secret = token->secret;
		token->secret = NULL;
		atomic_store(&token->role, PCIEHSM_ROLE_NONE);
		atomic_fetch_add(&token->login_gen, 1);
	}
	ha_unlock(ha, &token->lock);
	ha_secret_put(secret);
	if (rv == CKR_OK) {
		ha_sessions_logout(token);
		n = candidates(token, list);
		for (i = 0; i < n; i++) {
			/* If it fails, the context is dropped, and the login with it. */
			ha_conn_ready(list[i]);
			ha_channels_drop(list[i]);
			ha_conn_put(list[i]);
		}
	}
	ha_unlock(ha, &token->login_lock);
	return rv;
}

/* Take a change back on those that have made it already. */
static void set_back(struct ha_conn **list, unsigned int n, uint32_t role, const void *old_pin,
		     size_t old_len, const void *new_pin, size_t new_len)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (list[i])
			pciehsm_role_set_pin(list[i]->t, role, new_pin, new_len, old_pin, old_len,
					     NULL);
}

CK_RV ha_set_pin(struct ha_token *token, uint32_t role, const void *old_pin, size_t old_len,
		 const void *new_pin, size_t new_len)
{
	struct ha *ha = token->ha;
	struct ha_conn *list[HA_MAX_MEMBERS];
	struct ha_secret *fresh, *stale = NULL;
	unsigned int i, n, changed = 0;
	uint32_t before = 0;
	CK_RV rv = CKR_TOKEN_NOT_PRESENT;

	if (new_len < PCIEHSM_PIN_MIN || new_len > PCIEHSM_PIN_MAX || old_len > PCIEHSM_PIN_MAX)
		return CKR_PIN_LEN_RANGE;
	if (!atomic_load(&token->active))
		ha_token_activate(token);
	/* A member that is just being connected would be left with the old password. */
	if (ha_threaded(ha))
		ha_wait_settled(token, ha_now(ha) + HA_CALL_WAIT, HA_SETTLED_ALL);
	else
		ha_work_inline(token);
	fresh = ha_secret_new(role, new_pin, new_len);
	if (!fresh)
		return CKR_HOST_MEMORY;
	ha_lock(ha, &token->login_lock);
	n = candidates(token, list);
	for (i = 0; i < n; i++) {
		rv = changed ? CKR_OK : attempts_left(list[i], role, &before);
		if (rv == CKR_OK)
			rv = pciehsm_role_set_pin(list[i]->t, role, old_pin, old_len, new_pin,
						  new_len, NULL);
		/* Once a member has taken the old password, it is right. */
		if (!changed)
			rv = was_it_wrong(list[i], role, before, rv, NULL);
		if (rv == CKR_OK) {
			changed++;
			continue;
		}
		if (pciehsm_rv_is_transport(rv)) {
			/* It comes back with one or the other; may_try() keeps it from locking. */
			ha_member_failed(list[i]->member, list[i], rv);
			ha_conn_put(list[i]);
			list[i] = NULL;
			rv = changed ? CKR_OK : CKR_TOKEN_NOT_PRESENT;
			continue;
		}
		set_back(list, i, role, old_pin, old_len, new_pin, new_len);
		changed = 0;
		break;
	}
	if (changed && rv == CKR_OK) {
		ha_lock(ha, &token->lock);
		if (atomic_load(&token->role) == role) {
			stale = token->secret;
			token->secret = ha_secret_get(fresh);
		}
		ha_unlock(ha, &token->lock);
	}
	ha_unlock(ha, &token->login_lock);
	for (i = 0; i < n; i++)
		ha_conn_put(list[i]);
	ha_secret_put(stale);
	ha_secret_put(fresh);
	return rv;
}

CK_RV ha_random(struct ha_token *token, void *out, size_t len)
{
	struct ha_call call;

	ha_call_begin(&call, token, HA_HOW_ANY, NULL);
	while (ha_call_next(&call))
		if (ha_call_done(&call, pciehsm_random(call.conn->t, NULL, 0, out, len)))
			break;
	return ha_call_end(&call);
}
