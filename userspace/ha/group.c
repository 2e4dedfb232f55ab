// SPDX-License-Identifier: LGPL-2.1-or-later
/* What an administrator asks of groups: state, admission of members, synchronization. */
#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine.h"

/*
 * Members are looked at side by side; beyond this the rest counts as down. But on a machine
 * that has much else to do, all of them answer late: while answers keep coming, for so
 * long after each and at most so long in all, those that have not come yet are waited for.
 */
#define STATUS_LIMIT	(2 * SECOND + SECOND / 5)
#define STATUS_STILL	(SECOND / 2)
#define STATUS_MOST	(20 * SECOND)
#define STATUS_PROBE_MS	2000U

/* Partition policies that allow keys to be cloned; both are needed in a group. */
#define POLICY_CLONE_PRIVATE	0
#define POLICY_CLONE_SECRET	4

static void say(char *error, size_t error_len, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void say(char *error, size_t error_len, const char *fmt, ...)
{
	va_list ap;

	if (!error_len)
		return;
	va_start(ap, fmt);
	vsnprintf(error, error_len, fmt, ap);
	va_end(ap);
}

static bool find_group(struct ha *ha, const char *label, struct ha_config_group *out)
{
	const struct ha_config_group *group;

	if (!ha_threaded(ha))
		ha_config_reload(ha);
	ha_lock(ha, &ha->lock);
	group = ha_config_group(ha->config, label);
	if (group)
		*out = *group;
	ha_unlock(ha, &ha->lock);
	return group;
}

/* ---- state ---- */

/* A probe may outlive the call that wanted it: whoever is last frees it. */
struct board {
	struct ha		*ha;
	struct ha_mutex		lock;
	struct ha_cond		changed;
	unsigned int		refs;
	unsigned int		running;
	uint64_t		begun;
	uint64_t		answered;	/* when the last member did */
	struct ha_member_status	members[HA_MAX_MEMBERS];
	bool			done[HA_MAX_MEMBERS];
	bool			digest[HA_MAX_MEMBERS];
};

struct probe {
	struct board	*board;
	unsigned int	index;
	char		serial[25];
};

static void board_put(struct board *board)
{
	struct ha *ha = board->ha;
	bool last;

	ha_lock(ha, &board->lock);
	last = !--board->refs;
	ha_unlock(ha, &board->lock);
	if (!last)
		return;
	ha->env->ops->mutex_destroy(ha->env, &board->lock);
	ha->env->ops->cond_destroy(ha->env, &board->changed);
	free(board);
}

/* Do answers come, so that more may? The board's lock is held. */
static bool answers_come(const struct board *board)
{
	uint64_t now = ha_now(board->ha);

	return now < board->answered + STATUS_STILL && now < board->begun + STATUS_MOST;
}

static CK_RV look_at(struct ha *ha, const char *serial, struct ha_member_status *status,
		     bool *digest)
{
	struct pciehsm_bus *bus = ha->env->bus;
	struct pciehsm_partition_info info;
	struct pciehsm_digest_info contents;
	struct pciehsm_transport *t;
	uint64_t begun;
	int i, err;
	CK_RV rv;

	err = bus->ops->open(bus, serial, &t);
	if (err)
		return pciehsm_rv_from_errno(err, PCIEHSM_OUTCOME_NOT_EXECUTED);
	t->timeout_ms = STATUS_PROBE_MS;
	begun = ha_now(ha);
	rv = pciehsm_partition_info(t, &info);
	if (rv == CKR_OK) {
		status->answer_us = ha_now(ha) - begun;
		status->sessions = info.sessions;
		for (i = 0; i < PCIEHSM_STAT_COUNT; i++)
			if (i != PCIEHSM_STAT_ERRORS)
				status->operations += info.stats[i];
		snprintf(status->label, sizeof(status->label), "%s", info.label);
		if (!(info.flags & PCIEHSM_PARTITION_INITIALISED))
			rv = PCIEHSM_CKR_NOT_INITIALISED;
	}
	if (rv == CKR_OK)
		rv = pciehsm_digest(t, &contents);
	if (rv == CKR_OK) {
		status->objects = contents.objects;
		status->tombstones = contents.tombstones;
		memcpy(status->digest, contents.digest, sizeof(status->digest));
		*digest = true;
	}
	t->ops->close(t);
	return rv;
}

static void probe_main(void *arg)
{
	struct probe *probe = arg;
	struct board *board = probe->board;
	struct ha *ha = board->ha;
	struct ha_member_status found;
	uint64_t begun;
	bool digest;
	CK_RV rv;

	for (;;) {
		memset(&found, 0, sizeof(found));
		digest = false;
		begun = ha_now(ha);
		rv = look_at(ha, probe->serial, &found, &digest);
		ha_lock(ha, &board->lock);
		/* It had its time; was that too little for all of them? */
		if (!(rv == PCIEHSM_RV_TIMEOUT_NOT_EXECUTED || rv == PCIEHSM_RV_TIMEOUT_UNKNOWN) ||
		    ha_now(ha) < begun + STATUS_PROBE_MS * (SECOND / 1000) || !answers_come(board))
			break;
		ha_unlock(ha, &board->lock);
	}
	if (rv == CKR_OK) {
		struct ha_member_status *status = &board->members[probe->index];

		board->answered = ha_now(ha);
		status->state = HA_MEMBER_ALIVE;
		status->reason[0] = '\0';
		status->objects = found.objects;
		status->tombstones = found.tombstones;
		status->answer_us = found.answer_us;
		status->operations = found.operations;
		status->sessions = found.sessions;
		memcpy(status->digest, found.digest, sizeof(status->digest));
	} else {
		snprintf(board->members[probe->index].reason,
			 sizeof(board->members[probe->index].reason), "%s", ha_member_reason(rv));
	}
	if (*found.label)
		memcpy(board->members[probe->index].label, found.label, sizeof(found.label));
	board->digest[probe->index] = digest;
	board->done[probe->index] = true;
	board->running--;
	ha_wake_all(ha, &board->changed);
	ha_unlock(ha, &board->lock);
	board_put(board);
	free(probe);
}

/* Keep a thread to be joined when the engine ends: a hung member holds it that long. */
static void keep_thread(struct ha *ha, struct ha_thread *thread)
{
	struct ha_thread **probes;

	ha_lock(ha, &ha->lock);
	probes = realloc(ha->probes, (ha->n_probes + 1) * sizeof(*probes));
	if (probes) {
		ha->probes = probes;
		probes[ha->n_probes++] = thread;
	}
	ha_unlock(ha, &ha->lock);
	if (!probes)
		ha->env->ops->thread_join(ha->env, thread);
}

static void start_probe(struct board *board, unsigned int index, const char *serial,
			struct ha_thread **thread)
{
	struct ha *ha = board->ha;
	struct probe *probe = malloc(sizeof(*probe));

	*thread = NULL;
	if (!probe)
		return;
	probe->board = board;
	probe->index = index;
	snprintf(probe->serial, sizeof(probe->serial), "%s", serial);
	ha_lock(ha, &board->lock);
	board->refs++;
	board->running++;
	ha_unlock(ha, &board->lock);
	if (ha->env->ops->thread_start(ha->env, thread, probe_main, probe)) {
		*thread = NULL;
		probe_main(probe);
	}
}

/* The group's token, if the engine works with it */
static struct ha_token *working_token(struct ha *ha, const char *number)
{
	struct ha_token *token = NULL;
	unsigned int i;

	ha_lock(ha, &ha->lock);
	for (i = 0; i < ha->n_tokens && !token; i++)
		if (ha->tokens[i]->group && !strcmp(ha->tokens[i]->number, number))
			token = ha->tokens[i];
	ha_unlock(ha, &ha->lock);
	return token && atomic_load(&token->active) ? token : NULL;
}

/* What an engine that works with the group knows better than a look from outside. */
static void add_knowledge(struct ha *ha, struct ha_group_status *status)
{
	struct ha_token *token = working_token(ha, status->group.number);
	struct ha_member *member;
	unsigned int i;

	if (!token || atomic_load(&token->role) == PCIEHSM_ROLE_NONE)
		return;
	ha_lock(ha, &token->lock);
	for (i = 0; i < status->n_members; i++) {
		struct ha_member_status *m = &status->members[i];

		member = ha_member_find(token, m->serial, false);
		if (!member || m->state != HA_MEMBER_ALIVE)
			continue;
		if (member->state == HA_MEMBER_REFUSED ||
		    (member->state == HA_MEMBER_SYNCING && status->needs_sync)) {
			m->state = member->state;
			snprintf(m->reason, sizeof(m->reason), "%s", member->reason);
		}
	}
	ha_unlock(ha, &token->lock);
}

static void describe_member(struct ha_member_status *m, const struct ha_config_member *entry)
{
	snprintf(m->serial, sizeof(m->serial), "%s", entry->serial);
	m->standby = entry->standby;
	m->drain = entry->drain;
	m->weight = entry->weight ? entry->weight : 1;
	m->state = HA_MEMBER_DOWN;
	m->slot = HA_SLOT_NONE;
	m->outstanding = -1;
}

/* With nothing of this look on its way any more: only what others wait for is counted. */
static void count_outstanding(struct ha *ha, struct ha_group_status *status)
{
	struct pciehsm_bus *bus = ha->env->bus;
	struct pciehsm_device *list = NULL;
	int k, n = bus->ops->list(bus, &list);
	unsigned int i;

	for (i = 0; i < status->n_members; i++)
		for (k = 0; k < n; k++)
			if (!strcmp(list[k].serial, status->members[i].serial))
				status->members[i].outstanding = list[k].outstanding;
	if (n >= 0)
		free(list);
}

int ha_group_known(struct ha *ha, const char *label, struct ha_group_status *status)
{
	struct ha_token *token;
	struct ha_member *member;
	unsigned int i;

	memset(status, 0, sizeof(*status));
	if (!find_group(ha, label, &status->group))
		return -ENOENT;
	token = working_token(ha, status->group.number);
	status->n_members = status->group.n_members;
	for (i = 0; i < status->n_members; i++) {
		struct ha_member_status *m = &status->members[i];

		describe_member(m, &status->group.members[i]);
		if (!token)
			continue;
		ha_lock(ha, &token->lock);
		member = ha_member_find(token, m->serial, false);
		if (member) {
			m->state = member->state;
			snprintf(m->reason, sizeof(m->reason), "%s", member->reason);
		}
		if (member)
			status->needs_sync |= m->state == HA_MEMBER_SYNCING ||
					      ha_work_pending(member, ha_now(ha));
		ha_unlock(ha, &token->lock);
	}
	return 0;
}

int ha_group_status(struct ha *ha, const char *label, struct ha_group_status *status)
{
	uint64_t deadline = ha_now(ha) + STATUS_LIMIT;
	struct ha_thread *threads[HA_MAX_MEMBERS] = { NULL };
	bool done[HA_MAX_MEMBERS], digest[HA_MAX_MEMBERS];
	const struct ha_member_status *first = NULL;
	struct board *board;
	unsigned int i;

	memset(status, 0, sizeof(*status));
	if (!find_group(ha, label, &status->group))
		return -ENOENT;
	board = calloc(1, sizeof(*board));
	if (!board)
		return -ENOMEM;
	ha_devices_refresh(ha, false);
	board->ha = ha;
	board->refs = 1;
	board->begun = ha_now(ha);
	board->answered = board->begun;
	ha->env->ops->mutex_init(ha->env, &board->lock);
	ha->env->ops->cond_init(ha->env, &board->changed);
	status->n_members = status->group.n_members;
	for (i = 0; i < status->n_members; i++) {
		struct ha_member_status *m = &board->members[i];
		const struct ha_config_member *entry = &status->group.members[i];
		const struct pciehsm_device *device;

		describe_member(m, entry);
		snprintf(m->reason, sizeof(m->reason), "not there");
		ha_lock(ha, &ha->lock);
		device = ha_device(ha, entry->serial);
		if (device) {
			m->slot = ha_slot_of(device->card, device->index);
			snprintf(m->label, sizeof(m->label), "%s", device->label);
			snprintf(m->reason, sizeof(m->reason), "does not answer");
		}
		ha_unlock(ha, &ha->lock);
		if (m->slot != HA_SLOT_NONE)
			start_probe(board, i, entry->serial, &threads[i]);
	}
	ha_lock(ha, &board->lock);
	while (board->running && (ha_now(ha) < deadline || answers_come(board)))
		ha_wait(ha, &board->changed, &board->lock, ha_now(ha) < deadline ? deadline :
			board->answered + STATUS_STILL);
	memcpy(status->members, board->members, sizeof(status->members));
	memcpy(done, board->done, sizeof(done));
	memcpy(digest, board->digest, sizeof(digest));
	ha_unlock(ha, &board->lock);
	for (i = 0; i < status->n_members; i++) {
		if (threads[i] && done[i])
			ha->env->ops->thread_join(ha->env, threads[i]);
		else if (threads[i])
			keep_thread(ha, threads[i]);
	}
	board_put(board);
	for (i = 0; i < status->n_members; i++) {
		const struct ha_member_status *m = &status->members[i];

		if (m->state != HA_MEMBER_ALIVE)
			continue;
		if (!digest[i] || (first && memcmp(first->digest, m->digest, sizeof(m->digest))))
			status->needs_sync = true;
		if (!first)
			first = m;
	}
	add_knowledge(ha, status);
	count_outstanding(ha, status);
	return 0;
}

/* ---- admission ---- */

/* A token that nobody else sees, with a group's members but for one, or with one alone */
static struct ha_token *private_token(struct ha *ha, const struct ha_config_group *group,
				      const char *but, const char *only)
{
	struct ha_config_group members = { 0 };
	struct ha_token *token;
	unsigned int i;

	if (group) {
		members = *group;
		members.n_members = 0;
		for (i = 0; i < group->n_members; i++)
			if (!but || strcmp(group->members[i].serial, but))
				members.members[members.n_members++] = group->members[i];
	}
	if (only) {
		snprintf(members.members[0].serial, sizeof(members.members[0].serial), "%s", only);
		members.n_members = 1;
	}
	token = ha_token_new(ha, true, group ? group->number : only);
	if (!token)
		return NULL;
	ha_lock(ha, &ha->lock);
	token->retry_interval = ha->config->retry_interval * SECOND;
	token->retry_count = -1;
	token->enhanced = true;
	ha_token_configure(token, &members);
	ha_unlock(ha, &ha->lock);
	token->synchronize = true;
	/* The caller does the work itself, step by step. */
	atomic_store(&token->active, true);
	return token;
}

static CK_RV password_error(CK_RV rv, const char *serial, uint32_t attempts, char *error,
			    size_t error_len)
{
	if (rv == CKR_PIN_INCORRECT)
		say(error, error_len,
		    "The Crypto Officer's password was refused by partition %s (%u attempts left). No other partition was asked.",
		    serial, attempts);
	else if (rv == CKR_PIN_LOCKED)
		say(error, error_len,
		    "The Crypto Officer of partition %s is locked. The Partition SO can reset it (role resetpw).",
		    serial);
	else if (rv == CKR_USER_PIN_NOT_INITIALIZED)
		say(error, error_len,
		    "Partition %s has no Crypto Officer yet. Let the Partition SO make one (role init -name co).",
		    serial);
	else if (rv == CKR_PIN_EXPIRED)
		say(error, error_len,
		    "The Crypto Officer of partition %s has to change the initial password first (role changepw -name co).",
		    serial);
	else
		say(error, error_len, "Partition %s: %s.", serial, ha_member_reason(rv));
	return rv;
}

/* Log the first context of a private token in; no other member is asked. */
static CK_RV officer_login(struct ha_token *token, struct ha_conn *conn, const void *pin,
			   size_t pin_len, char *error, size_t error_len)
{
	struct ha *ha = token->ha;
	struct ha_secret *secret = ha_secret_new(PCIEHSM_ROLE_CO, pin, pin_len);
	uint32_t attempts = 0, flags = 0;
	CK_RV rv;

	if (!secret) {
		say(error, error_len, "The password is too long.");
		return CKR_PIN_LEN_RANGE;
	}
	ha_lock(ha, &conn->lock);
	rv = pciehsm_login(conn->t, PCIEHSM_ROLE_CO, pin, pin_len, &flags, &attempts);
	/* Of no use; and the next member may be asked, whose login is to be the token's. */
	if (rv == CKR_OK && flags & PCIEHSM_LOGIN_MUST_CHANGE)
		rv = CKR_PIN_EXPIRED;
	if (rv == CKR_OK) {
		conn->role = PCIEHSM_ROLE_CO;
		ha_lock(ha, &token->lock);
		token->secret = ha_secret_get(secret);
		atomic_store(&token->role, PCIEHSM_ROLE_CO);
		atomic_store(&conn->login_gen, atomic_fetch_add(&token->login_gen, 1) + 1);
		ha_unlock(ha, &token->lock);
	}
	ha_unlock(ha, &conn->lock);
	ha_secret_put(secret);
	if (rv != CKR_OK)
		password_error(rv, conn->member->serial, attempts, error, error_len);
	return rv;
}

static CK_RV check_policies(struct ha_conn *conn, const char *serial, char *error,
			    size_t error_len)
{
	struct pciehsm_policy *list;
	bool allowed[2] = { false, false };
	size_t i, n;
	CK_RV rv = pciehsm_policy_get(conn->t, &list, &n);

	if (rv != CKR_OK) {
		say(error, error_len, "Partition %s: %s.", serial, ha_member_reason(rv));
		return rv;
	}
	for (i = 0; i < n; i++) {
		if (le32toh(list[i].id) == POLICY_CLONE_PRIVATE)
			allowed[0] = le32toh(list[i].value);
		if (le32toh(list[i].id) == POLICY_CLONE_SECRET)
			allowed[1] = le32toh(list[i].value);
	}
	free(list);
	if (allowed[0] && allowed[1])
		return CKR_OK;
	say(error, error_len,
	    "Partition %s does not allow %s keys to be cloned (partition policy %d), which a group needs. Let the Partition SO switch it on (partition changepolicy).",
	    serial, allowed[0] ? "secret" : "private",
	    allowed[0] ? POLICY_CLONE_SECRET : POLICY_CLONE_PRIVATE);
	return PCIEHSM_CKR_POLICY;
}

/* Both ends of a channel, and it is closed again: that the domains are the same. */
static CK_RV check_domain(struct ha_conn *candidate, struct ha_conn *member, char *error,
			  size_t error_len)
{
	uint32_t to_id, from_id;
	void *offer, *hello;
	size_t offer_len, hello_len;
	CK_RV rv;

	rv = pciehsm_clone_offer(member->t, &to_id, &offer, &offer_len);
	if (rv == CKR_OK) {
		rv = pciehsm_clone_start(candidate->t, offer, offer_len, &from_id, &hello,
					 &hello_len);
		free(offer);
	}
	if (rv == CKR_OK) {
		rv = pciehsm_clone_accept(member->t, to_id, hello, hello_len);
		free(hello);
		pciehsm_clone_close(candidate->t, from_id);
		pciehsm_clone_close(member->t, to_id);
	}
	if (rv == PCIEHSM_CKR_DOMAIN_MISMATCH)
		say(error, error_len,
		    "Partition %s is of another cloning domain than member %s. Initialise it with the group's domain (partition init -domain).",
		    candidate->member->serial, member->member->serial);
	else if (rv != CKR_OK)
		say(error, error_len, "Partition %s can not clone with member %s: %s.",
		    candidate->member->serial, member->member->serial, ha_member_reason(rv));
	return rv;
}

static CK_RV admit_to(struct ha_conn *candidate, struct ha_token *others, const void *pin,
		      size_t pin_len, char *error, size_t error_len)
{
	CK_RV rv = CKR_OK, last = CKR_DEVICE_REMOVED;
	struct ha_conn *conn;
	unsigned int i;

	for (i = 0; i < others->n_members; i++) {
		struct ha_member *member = others->members[i];

		if (!member->present)
			continue;
		last = ha_conn_open(member, &conn);
		if (last != CKR_OK)
			continue;
		rv = officer_login(others, conn, pin, pin_len, error, error_len);
		if (rv == CKR_PIN_INCORRECT)
			say(error, error_len,
			    "Partition %s takes the password, member %s does not: all members need the same Crypto Officer password.",
			    candidate->member->serial, member->serial);
		if (rv == CKR_OK)
			rv = check_domain(candidate, conn, error, error_len);
		ha_conn_put(conn);
		return rv;
	}
	say(error, error_len,
	    "No member of the group answers, so it can not be checked whether partition %s belongs to it. Bring one back first (%s).",
	    candidate->member->serial, ha_member_reason(last));
	return CKR_DEVICE_REMOVED;
}

CK_RV ha_group_admit(struct ha *ha, const char *label, const char *serial,
		     const void *pin, size_t pin_len, char *error, size_t error_len)
{
	struct ha_config_group group = { 0 };
	struct ha_token *token, *others = NULL;
	struct ha_conn *conn = NULL;
	unsigned int i;
	CK_RV rv;

	say(error, error_len, "No memory.");
	if (label && !find_group(ha, label, &group)) {
		say(error, error_len, "There is no group \"%s\".", label);
		return CKR_ARGUMENTS_BAD;
	}
	for (i = 0; label && i < group.n_members; i++) {
		if (strcmp(group.members[i].serial, serial))
			continue;
		say(error, error_len, "Partition %s is a member of group \"%s\" already.", serial,
		    label);
		return CKR_ARGUMENTS_BAD;
	}
	ha_devices_refresh(ha, false);
	token = private_token(ha, NULL, NULL, serial);
	if (!token || !token->n_members) {
		rv = CKR_HOST_MEMORY;
		goto out;
	}
	rv = ha_conn_open(token->members[0], &conn);
	if (rv == PCIEHSM_CKR_NOT_INITIALISED)
		say(error, error_len,
		    "Partition %s is not initialised. Let the Partition SO do that (partition init), with the group's cloning domain.",
		    serial);
	else if (pciehsm_rv_gone(rv))
		say(error, error_len, "There is no partition %s. \"slot list\" shows those that are there.",
		    serial);
	else if (rv != CKR_OK)
		say(error, error_len, "Partition %s: %s.", serial, ha_member_reason(rv));
	if (rv == CKR_OK)
		rv = officer_login(token, conn, pin, pin_len, error, error_len);
	if (rv == CKR_OK)
		rv = check_policies(conn, serial, error, error_len);
	if (rv == CKR_OK && label) {
		others = private_token(ha, &group, serial, NULL);
		rv = others ? admit_to(conn, others, pin, pin_len, error, error_len) :
		     CKR_HOST_MEMORY;
	}
	if (rv == CKR_OK)
		say(error, error_len, "%s", "");
out:
	ha_conn_put(conn);
	if (others)
		ha_token_free(others);
	if (token)
		ha_token_free(token);
	return rv == CKR_OK || !pciehsm_rv_is_transport(rv) ? rv : CKR_DEVICE_REMOVED;
}

/* ---- synchronization ---- */

/* Open what is there; log the first in, and then, as its password is right, the others. */
static CK_RV connect_all(struct ha_token *token, const void *pin, size_t pin_len, char *error,
			 size_t error_len)
{
	struct ha *ha = token->ha;
	CK_RV rv, refused = CKR_OK;
	char text[192];
	unsigned int i;
	bool first = true;

	for (i = 0; i < token->n_members; i++) {
		struct ha_member *member = token->members[i];
		struct ha_conn *conn;

		rv = member->present ? ha_conn_open(member, &conn) : PCIEHSM_RV_LOST_NOT_EXECUTED;
		if (rv == CKR_OK && first) {
			rv = officer_login(token, conn, pin, pin_len, error, error_len);
			if (rv == CKR_PIN_INCORRECT) {
				ha_conn_put(conn);
				return rv;
			}
			if (rv != CKR_OK)
				ha_conn_put(conn);
		} else if (rv == CKR_OK) {
			rv = ha_conn_ready(conn);
			if (rv != CKR_OK) {
				password_error(rv, member->serial, 0, error, error_len);
				if (rv == CKR_PIN_INCORRECT)
					say(error, error_len,
					    "Member %s refuses the password that other members take: change it there (role changepw -name co).",
					    member->serial);
				refused = rv;
				ha_conn_put(conn);
			}
		}
		if (rv != CKR_OK) {
			snprintf(text, sizeof(text), "member %s is left out: %s", member->serial,
				 ha_member_reason(rv));
			if (token->progress)
				token->progress(token->progress_arg, 0, 0, text);
			ha_member_unusable(member, NULL, rv);
			continue;
		}
		first = false;
		ha_lock(ha, &token->lock);
		member->conn = conn;
		ha_member_set(member, HA_MEMBER_ALIVE, "%s", "");
		ha_unlock(ha, &token->lock);
	}
	if (first) {
		if (!*error)
			say(error, error_len, "No member of the group answers.");
		return CKR_DEVICE_REMOVED;
	}
	return refused;
}

struct ha_token *ha_group_open(struct ha *ha, const char *label, const void *pin, size_t pin_len,
			       ha_sync_progress progress, void *arg, CK_RV *rv, char *error,
			       size_t error_len)
{
	struct ha_config_group group;
	struct ha_token *token;

	say(error, error_len, "%s", "");
	if (!find_group(ha, label, &group)) {
		say(error, error_len, "There is no group \"%s\".", label);
		*rv = CKR_ARGUMENTS_BAD;
		return NULL;
	}
	ha_devices_refresh(ha, false);
	token = private_token(ha, &group, NULL, NULL);
	if (!token) {
		say(error, error_len, "No memory.");
		*rv = CKR_HOST_MEMORY;
		return NULL;
	}
	token->progress = progress;
	token->progress_arg = arg;
	*rv = connect_all(token, pin, pin_len, error, error_len);
	/* A member that refuses holds back none of the others. */
	if (atomic_load(&token->role) == PCIEHSM_ROLE_CO)
		return token;
	if (pciehsm_rv_is_transport(*rv))
		*rv = CKR_DEVICE_REMOVED;
	ha_token_free(token);
	return NULL;
}

/* It failed on the way: the others go on without it. *@failure: the first one's, with its text */
static void leave_out(struct ha_member *member, CK_RV rv, CK_RV *failure, char *error,
		      size_t error_len)
{
	struct ha_token *token = member->token;
	char text[192];

	snprintf(text, sizeof(text), "member %s is left out: %s", member->serial,
		 ha_member_reason(rv));
	if (token->progress)
		token->progress(token->progress_arg, 0, 0, text);
	if (*failure == CKR_OK) {
		*failure = rv;
		say(error, error_len, "Member %s failed on the way (%s); the others were synchronized without it.",
		    member->serial, ha_member_reason(rv));
	}
	ha_lock(token->ha, &token->lock);
	ha_member_drop(member);
	ha_member_set(member, HA_MEMBER_DOWN, "%s", ha_member_reason(rv));
	ha_unlock(token->ha, &token->lock);
	ha_token_flush(token);
}

/*
 * Once round: each member with the first. *@all: nobody differed at the end of it
 * Return: a failure that is no member's
 */
static CK_RV sync_round(struct ha_token *token, bool *all, CK_RV *failure, char *error,
			size_t error_len)
{
	struct ha_member *hub = NULL;
	unsigned int i;

	*all = true;
	for (i = 0; i < token->n_members; i++) {
		struct ha_member *member = token->members[i];
		struct ha_conn *culprit;
		bool equal, changed;
		uint32_t failed;
		CK_RV rv;

		if (!member->conn)
			continue;
		if (!hub) {
			hub = member;
			continue;
		}
		rv = ha_sync(member, member->conn, hub->conn, &equal, &failed, &changed, &culprit);
		if (rv == CKR_HOST_MEMORY || rv == CKR_CANCEL)
			return rv;
		if (rv != CKR_OK) {
			struct ha_member *left = culprit->member;

			leave_out(left, rv, failure, error, error_len);
			*all = false;
			/* The next round has another one to compare with. */
			if (left == hub)
				return CKR_OK;
			continue;
		}
		/* The hub has got something new: those before this one lack it. */
		if (changed || !equal)
			*all = false;
	}
	return CKR_OK;
}

CK_RV ha_group_synchronize(struct ha *ha, const char *label, const void *pin, size_t pin_len,
			   struct ha_sync_report *report, ha_sync_progress progress, void *arg,
			   char *error, size_t error_len)
{
	struct ha_token *token;
	struct pciehsm_digest_info info;
	struct ha_sync_report none;
	CK_RV rv = CKR_OK, refused, failure = CKR_OK;
	bool all = false;
	unsigned int i;

	if (!report)
		report = &none;
	memset(report, 0, sizeof(*report));
	token = ha_group_open(ha, label, pin, pin_len, progress, arg, &refused, error, error_len);
	if (!token)
		return refused;
	token->report = report;
	/* As many rounds as it takes news to go round, and some for what happens meanwhile. */
	for (i = 0; rv == CKR_OK && !all && i < 2 * HA_MAX_MEMBERS; i++)
		rv = sync_round(token, &all, &failure, error, error_len);
	for (i = 0; rv == CKR_OK && i < token->n_members; i++) {
		if (!token->members[i]->conn)
			continue;
		rv = pciehsm_digest(token->members[i]->conn->t, &info);
		if (rv == CKR_OK && info.objects > report->objects)
			report->objects = info.objects;
		if (rv != CKR_OK) {
			leave_out(token->members[i], rv, &failure, error, error_len);
			rv = CKR_OK;
		}
	}
	if (rv == CKR_OK)
		rv = refused != CKR_OK ? refused : failure;
	if (rv == CKR_OK && report->failed)
		rv = CKR_FUNCTION_FAILED;
	if (rv != CKR_OK && error_len && !*error)
		say(error, error_len, report->failed ?
		    "%u objects could not be brought to every member." :
		    "The members could not be synchronized (%u objects failed).", report->failed);
	ha_log(ha, HA_LOG_SYNCHRONIZED,
	       "group %s: synchronized on request: %u objects, %u copied, %u deleted, %u conflicts, %u failed",
	       token->number, report->objects, report->copied, report->deleted, report->conflicts,
	       report->failed);
	ha_token_free(token);
	return rv == CKR_OK || !pciehsm_rv_is_transport(rv) ? rv : CKR_DEVICE_REMOVED;
}
