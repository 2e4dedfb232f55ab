// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Bringing two members to the same contents: what is newer goes over, in either
 * direction, deletions included. Versions decide, so it does not matter who does it, how
 * often, or what is changed meanwhile.
 *
 * Only what changed since the two were last known to agree is listed. That knowledge
 * is this process's own; without it, and when it leads nowhere, all is listed.
 */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine.h"

#define PASSES_MAX	6
#define PAGE		1024

struct listing {
	struct pciehsm_change	*list;
	size_t			n;
	uint64_t		last;
};

struct moves {
	struct ha_ouid	*ouids;
	bool		*deletes;	/* the target still has what was deleted */
	size_t		n;
};

/* What has to be done with the differences of two partitions, a and b */
struct plan {
	struct moves	to_a;
	struct moves	to_b;
	struct moves	gone_a;		/* changed here, deleted there: it stays deleted */
	struct moves	gone_b;
};

static int by_ouid(const void *a, const void *b)
{
	const struct pciehsm_change *x = a, *y = b;
	int order = memcmp(x->ouid, y->ouid, PCIEHSM_OUID_LEN);

	if (order)
		return order;
	return le64toh(x->seq) < le64toh(y->seq) ? -1 : le64toh(x->seq) > le64toh(y->seq);
}

/* All changes of a partition after @since, by OUID, each object once */
static CK_RV list_changes(struct ha_conn *conn, uint64_t since, struct listing *out)
{
	struct pciehsm_change *page, *list;
	size_t i, k, n;
	bool end;
	CK_RV rv;

	memset(out, 0, sizeof(*out));
	out->last = since;
	for (;;) {
		rv = atomic_load(&conn->ha->stopping) ? CKR_CANCEL : ha_conn_ready(conn);
		if (rv == CKR_OK)
			rv = pciehsm_changes(conn->t, out->last, PAGE, &page, &n, &out->last);
		if (rv != CKR_OK)
			return rv;
		if (!n) {
			free(page);
			break;
		}
		list = realloc(out->list, (out->n + n) * sizeof(*list));
		if (!list) {
			free(page);
			return CKR_HOST_MEMORY;
		}
		memcpy(list + out->n, page, n * sizeof(*list));
		out->list = list;
		out->n += n;
		/* The page's end, not the log's: the next page begins there. */
		end = le64toh(page[n - 1].seq) >= out->last;
		out->last = le64toh(page[n - 1].seq);
		free(page);
		if (end)
			break;
	}
	if (!out->n)
		return CKR_OK;
	/* An object that changed between two pages is on both: its last change counts. */
	qsort(out->list, out->n, sizeof(*out->list), by_ouid);
	for (i = 0, k = 0; i < out->n; i++)
		if (i + 1 == out->n || memcmp(out->list[i].ouid, out->list[i + 1].ouid,
					      PCIEHSM_OUID_LEN))
			out->list[k++] = out->list[i];
	out->n = k;
	return CKR_OK;
}

CK_RV ha_changes(struct ha_conn *conn, struct pciehsm_change **list, size_t *n)
{
	struct listing all;
	CK_RV rv = list_changes(conn, 0, &all);

	*list = all.list;
	*n = all.n;
	return rv;
}

static bool is_deleted(const struct pciehsm_change *change)
{
	return le32toh(change->flags) & PCIEHSM_CHANGE_DELETED;
}

static void add_move(struct moves *moves, const struct pciehsm_change *change,
		     const struct pciehsm_change *theirs)
{
	memcpy(moves->ouids[moves->n].b, change->ouid, PCIEHSM_OUID_LEN);
	moves->deletes[moves->n++] = is_deleted(change) && theirs && !is_deleted(theirs);
}

static void tell(struct ha_token *token, uint32_t done, uint32_t total, const char *text)
{
	if (token->progress)
		token->progress(token->progress_arg, done, total, text);
}

static void ouid_text(const uint8_t *ouid, char *out)
{
	int i;

	for (i = 0; i < PCIEHSM_OUID_LEN; i++)
		sprintf(out + 2 * i, "%02x", ouid[i]);
}

/* Changed on two sides by two writers: one of the changes is lost, and that is said. */
static void note_conflict(struct ha_conn *a, struct ha_conn *b, const struct pciehsm_change *x,
			  const struct pciehsm_change *y, bool a_wins)
{
	struct ha_token *token = a->token;
	char name[2 * PCIEHSM_OUID_LEN + 1], text[192];
	bool deleted = is_deleted(x) != is_deleted(y);
	const char *kept;

	if (x->version.counter != y->version.counter && !deleted)
		return;
	/* A deletion that is simply newer than what the other has is no conflict. */
	if (deleted && a_wins == is_deleted(x))
		return;
	kept = deleted ? "the deletion" : a_wins ? a->member->serial : b->member->serial;
	ouid_text(x->ouid, name);
	snprintf(text, sizeof(text), "object %s was %s on %s and %s on %s: %s%s is kept", name,
		 is_deleted(x) ? "deleted" : "changed", a->member->serial,
		 is_deleted(y) ? "deleted" : "changed", b->member->serial,
		 deleted ? "" : "that of ", kept);
	atomic_fetch_add(&token->conflicts, 1);
	if (token->report)
		token->report->conflicts++;
	tell(token, 0, 0, text);
	ha_log(a->ha, HA_LOG_CONFLICT, "group %s: %s", token->number, text);
}

/*
 * What both have listed. The greater version wins; but an object that one side has deleted
 * stays deleted, whatever the other has made of it meanwhile: an OUID is never used
 * again, so nothing that is wanted can be hidden by that.
 */
static void compare_both(struct ha_conn *a, struct ha_conn *b, const struct pciehsm_change *x,
			 const struct pciehsm_change *y, struct plan *plan)
{
	struct pciehsm_object_version vx = pciehsm_version_read(&x->version);
	struct pciehsm_object_version vy = pciehsm_version_read(&y->version);
	int newer = pciehsm_version_cmp(&vx, &vy);

	if (!newer)
		return;
	if (newer > 0 && is_deleted(y) && !is_deleted(x))
		add_move(&plan->gone_a, x, NULL);
	else if (newer < 0 && is_deleted(x) && !is_deleted(y))
		add_move(&plan->gone_b, y, NULL);
	else if (newer > 0)
		add_move(&plan->to_b, x, y);
	else
		add_move(&plan->to_a, y, x);
	note_conflict(a, b, x, y, newer > 0);
}

static void compare(struct ha_conn *a, struct ha_conn *b, const struct listing *la,
		    const struct listing *lb, struct plan *plan)
{
	size_t i = 0, k = 0;

	while (i < la->n || k < lb->n) {
		const struct pciehsm_change *x = i < la->n ? &la->list[i] : NULL;
		const struct pciehsm_change *y = k < lb->n ? &lb->list[k] : NULL;
		int order = !x ? 1 : !y ? -1 : memcmp(x->ouid, y->ouid, PCIEHSM_OUID_LEN);

		if (order < 0)
			add_move(&plan->to_b, x, NULL);
		else if (order > 0)
			add_move(&plan->to_a, y, NULL);
		else
			compare_both(a, b, x, y, plan);
		i += order <= 0;
		k += order >= 0;
	}
}

/* Delete again, on top of the change; the next pass brings the tombstone to the other. */
static CK_RV bury(struct ha_conn *conn, const struct moves *moves, bool *changed)
{
	struct ha_token *token = conn->token;
	size_t i;
	CK_RV rv;

	for (i = 0; i < moves->n; i++) {
		rv = pciehsm_object_destroy(conn->t, 0, moves->ouids[i].b, true, NULL);
		if (rv == CKR_OK) {
			*changed = true;
			if (token->report)
				token->report->deleted++;
		} else if (!ha_rv_missing(rv)) {
			return rv;
		}
	}
	return CKR_OK;
}

static CK_RV move_all(struct ha_conn *from, struct ha_conn *to, const struct moves *moves,
		      uint32_t *failed, bool *changed, bool *source)
{
	struct ha_token *token = from->token;
	CK_RV results[HA_BATCH];
	char name[2 * PCIEHSM_OUID_LEN + 1], text[192];
	size_t at = 0, done, i;
	CK_RV rv;

	while (at < moves->n) {
		*source = true;
		if (atomic_load(&from->ha->stopping))
			return CKR_CANCEL;
		rv = ha_channel_move(from, to, 0, &moves->ouids[at], moves->n - at, &done, results,
				     source);
		if (rv != CKR_OK)
			return rv;
		for (i = 0; i < done; i++) {
			/* It vanished meanwhile, or came by another way. */
			if (results[i] == PCIEHSM_CKR_STALE || ha_rv_missing(results[i]))
				continue;
			if (results[i] == CKR_OK) {
				*changed = true;
				if (token->report && moves->deletes[at + i])
					token->report->deleted++;
				else if (token->report)
					token->report->copied++;
				continue;
			}
			(*failed)++;
			if (token->report)
				token->report->failed++;
			ouid_text(moves->ouids[at + i].b, name);
			snprintf(text, sizeof(text), "object %s can not be brought from %s to %s: %s",
				 name, from->member->serial, to->member->serial,
				 pciehsm_rv_name(results[i]));
			tell(token, (uint32_t)(at + i), (uint32_t)moves->n, text);
			ha_log(from->ha, HA_LOG_REPLICATION_FAILED, "group %s: %s", token->number,
			       text);
		}
		at += done;
		tell(token, (uint32_t)at, (uint32_t)moves->n, NULL);
	}
	return CKR_OK;
}

static bool make_moves(struct moves *moves, size_t n)
{
	moves->ouids = calloc(n + 1, sizeof(*moves->ouids));
	moves->deletes = calloc(n + 1, sizeof(*moves->deletes));
	return moves->ouids && moves->deletes;
}

static void free_moves(struct moves *moves)
{
	free(moves->ouids);
	free(moves->deletes);
}

static CK_RV carry_out(struct ha_conn *a, struct ha_conn *b, const struct plan *plan,
		       uint32_t *failed, bool *b_changed, struct ha_conn **culprit)
{
	bool source = false, a_changed = false;
	CK_RV rv;

	*culprit = a;
	rv = bury(a, &plan->gone_a, &a_changed);
	if (rv == CKR_OK) {
		*culprit = b;
		rv = bury(b, &plan->gone_b, b_changed);
	}
	if (rv == CKR_OK) {
		rv = move_all(a, b, &plan->to_b, failed, b_changed, &source);
		*culprit = source ? a : b;
	}
	if (rv == CKR_OK) {
		rv = move_all(b, a, &plan->to_a, failed, &a_changed, &source);
		*culprit = source ? b : a;
	}
	return rv;
}

/* One pass in both directions. On failure *@culprit is whose it was. */
static CK_RV pass(struct ha_conn *a, struct ha_conn *b, struct ha_base *base, uint32_t *failed,
		  bool *b_changed, struct ha_conn **culprit)
{
	struct listing la = { 0 }, lb = { 0 };
	struct plan plan = { 0 };
	CK_RV rv;

	*failed = 0;
	*culprit = a;
	rv = list_changes(a, base->seq, &la);
	if (rv == CKR_OK) {
		*culprit = b;
		rv = list_changes(b, base->peer_seq, &lb);
	}
	if (rv == CKR_OK && (!make_moves(&plan.to_b, la.n) || !make_moves(&plan.gone_a, la.n) ||
			     !make_moves(&plan.to_a, lb.n) || !make_moves(&plan.gone_b, lb.n)))
		rv = CKR_HOST_MEMORY;
	if (rv == CKR_OK) {
		compare(a, b, &la, &lb, &plan);
		rv = carry_out(a, b, &plan, failed, b_changed, culprit);
	}
	/* What was listed is on both now: the next pass begins behind it. */
	if (rv == CKR_OK && !*failed) {
		base->seq = la.last;
		base->peer_seq = lb.last;
	}
	free(la.list);
	free(lb.list);
	free_moves(&plan.to_a);
	free_moves(&plan.to_b);
	free_moves(&plan.gone_a);
	free_moves(&plan.gone_b);
	return rv;
}

static struct ha_base *base_of(struct ha_member *member, const char *peer)
{
	struct ha_base *bases;
	unsigned int i;

	for (i = 0; i < member->n_bases; i++)
		if (!strcmp(member->bases[i].peer, peer))
			return &member->bases[i];
	bases = realloc(member->bases, (member->n_bases + 1) * sizeof(*bases));
	if (!bases)
		return NULL;
	member->bases = bases;
	memset(&bases[member->n_bases], 0, sizeof(*bases));
	snprintf(bases[member->n_bases].peer, sizeof(bases->peer), "%s", peer);
	return &bases[member->n_bases++];
}

static CK_RV get_digest(struct ha_conn *conn, struct pciehsm_digest_info *info,
			struct ha_conn **culprit)
{
	CK_RV rv = ha_conn_ready(conn);

	*culprit = conn;
	return rv == CKR_OK ? pciehsm_digest(conn->t, info) : rv;
}

CK_RV ha_sync(struct ha_member *member, struct ha_conn *conn, struct ha_conn *with,
	      bool *equal, uint32_t *failed, bool *changed, struct ha_conn **culprit)
{
	struct ha_base *base = base_of(member, with->member->serial);
	struct pciehsm_digest_info a, b;
	int i;
	CK_RV rv;

	*equal = false;
	*failed = 0;
	*changed = false;
	*culprit = conn;
	if (!base)
		return CKR_HOST_MEMORY;
	for (i = 0;; i++) {
		rv = get_digest(conn, &a, culprit);
		if (rv == CKR_OK)
			rv = get_digest(with, &b, culprit);
		if (rv != CKR_OK)
			return rv;
		if (memcmp(base->incarnation, a.incarnation, sizeof(a.incarnation)) ||
		    memcmp(base->peer_incarnation, b.incarnation, sizeof(b.incarnation)) ||
		    base->seq > a.seq || base->peer_seq > b.seq) {
			/* Not what it was: initialised, or put back to an older state. */
			memcpy(base->incarnation, a.incarnation, sizeof(a.incarnation));
			memcpy(base->peer_incarnation, b.incarnation, sizeof(b.incarnation));
			base->seq = 0;
			base->peer_seq = 0;
		}
		if (!memcmp(a.digest, b.digest, sizeof(a.digest))) {
			base->seq = a.seq;
			base->peer_seq = b.seq;
			*equal = true;
			*failed = 0;
			return CKR_OK;
		}
		if (i == PASSES_MAX || (i && *failed))
			return CKR_OK;
		/* What changed since then does not explain the difference: look at all. */
		if (i >= PASSES_MAX / 2) {
			base->seq = 0;
			base->peer_seq = 0;
		}
		rv = pass(conn, with, base, failed, changed, culprit);
		if (rv != CKR_OK)
			return rv;
	}
}
