// SPDX-License-Identifier: LGPL-2.1-or-later
/* The state of groups: what a look at all members shows, and what the engine knows. */
#include <errno.h>
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

bool ha_group_find(struct ha *ha, const char *label, struct ha_config_group *out)
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
	if (!ha_group_find(ha, label, &status->group))
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
			status->needs_sync |= m->state == HA_MEMBER_SYNCING ||
					      ha_work_pending(member, ha_now(ha));
		}
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
	if (!ha_group_find(ha, label, &status->group))
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
