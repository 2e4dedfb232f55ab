// SPDX-License-Identifier: GPL-2.0-or-later
#include "objects/table.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "crypto/secret.h"
#include "message/wire.h"
#include "objects/rules.h"

/**
 * struct posting - the objects that have one value of one attribute
 * @next:	in the hash chain
 * @hash:	of attribute and value; two values with the same hash share a posting
 * @entries:	the objects
 */
struct posting {
	struct posting		*next;
	uint64_t		hash;
	struct entry_list	entries;
};

#define FIRST_BUCKETS	16

void table_init(struct table *t)
{
	memset(t, 0, sizeof(*t));
	/* Callers choose labels; they should not be able to choose hashes, too. */
	fw_random(&t->seed, sizeof(t->seed));
}

/* ---- ordered lists ---- */

size_t list_after(const struct entry_list *l, uint64_t no)
{
	size_t lo = 0, hi = l->count, mid;

	/* Most often it is behind the last one. */
	if (hi && l->list[hi - 1]->no <= no)
		return hi;
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (l->list[mid]->no <= no)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void list_add(struct entry_list *l, struct entry *e)
{
	size_t at = list_after(l, e->no);

	if (l->count == l->room) {
		l->room = l->room ? l->room * 2 : 1;
		l->list = mem_grow(l->list, l->room, sizeof(*l->list));
	}
	memmove(l->list + at + 1, l->list + at, (l->count - at) * sizeof(*l->list));
	l->list[at] = e;
	l->count++;
}

static void list_remove(struct entry_list *l, const struct entry *e)
{
	size_t at = list_after(l, e->no);

	if (at == 0 || l->list[at - 1] != e)
		return;
	memmove(l->list + at - 1, l->list + at, (l->count - at) * sizeof(*l->list));
	l->count--;
}

/* ---- index over attributes ---- */

static uint64_t mix(uint64_t h)
{
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93ULL;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93ULL;
	h ^= h >> 32;
	return h;
}

static uint64_t hash_value(const struct table *t, uint32_t type, const uint8_t *value, size_t len)
{
	uint64_t h = mix(t->seed ^ ((uint64_t)type << 32 | (uint32_t)len));
	uint64_t word;

	for (; len >= 8; len -= 8, value += 8)
		h = mix(h ^ wire_get64(value));
	if (len) {
		word = 0;
		memcpy(&word, value, len);
		h = mix(h ^ word);
	}
	return h;
}

static struct posting **posting_slot(const struct table *t, uint64_t hash)
{
	struct posting **p = &t->postings[hash & (t->posting_buckets - 1)];

	while (*p && (*p)->hash != hash)
		p = &(*p)->next;
	return p;
}

static void grow_postings(struct table *t)
{
	size_t count = t->posting_buckets ? t->posting_buckets * 2 : FIRST_BUCKETS;
	struct posting **old = t->postings;
	struct posting *p, *next;
	size_t i;

	t->postings = mem_zalloc(count * sizeof(*t->postings));
	for (i = 0; i < t->posting_buckets; i++)
		for (p = old[i]; p; p = next) {
			next = p->next;
			p->next = t->postings[p->hash & (count - 1)];
			t->postings[p->hash & (count - 1)] = p;
		}
	t->posting_buckets = count;
	free(old);
}

static void post(struct table *t, uint64_t hash, struct entry *e)
{
	struct posting **slot;

	if (t->posting_count >= t->posting_buckets)
		grow_postings(t);
	slot = posting_slot(t, hash);
	if (!*slot) {
		*slot = mem_zalloc(sizeof(**slot));
		(*slot)->hash = hash;
		t->posting_count++;
	}
	list_add(&(*slot)->entries, e);
}

static void unpost(struct table *t, uint64_t hash, struct entry *e)
{
	struct posting **slot, *p;

	if (!t->posting_buckets)
		return;
	slot = posting_slot(t, hash);
	p = *slot;
	if (!p)
		return;
	list_remove(&p->entries, e);
	if (p->entries.count)
		return;
	*slot = p->next;
	free(p->entries.list);
	free(p);
	t->posting_count--;
}

/* The hash of attribute @i of @o; false if it has no place in the index. */
static bool attr_hash(const struct table *t, const struct object *o, unsigned int i,
		      uint64_t *hash)
{
	const struct fw_attr *a = &o->attrs.list[i];
	const uint8_t *value = fw_attr_value(a);

	/* What can not be read is not to be found either. */
	if (!rules_telling((uint32_t)a->type, value, a->len) ||
	    object_unreadable(o, (uint32_t)a->type))
		return false;
	*hash = hash_value(t, (uint32_t)a->type, value, a->len);
	return true;
}

const struct entry_list *table_candidates(const struct table *t, uint32_t type,
					  const void *value, size_t len)
{
	static const struct entry_list none;
	struct posting *p;

	if (!t->posting_buckets)
		return &none;
	p = *posting_slot(t, hash_value(t, type, value, len));
	return p ? &p->entries : &none;
}

/* ---- by OUID ---- */

static size_t ouid_hash(const struct table *t, const uint8_t *ouid)
{
	return mix(t->seed ^ wire_get64(ouid) ^ mix(wire_get64(ouid + 8)));
}

struct entry *table_find(const struct table *t, const uint8_t ouid[PCIEHSM_OUID_LEN])
{
	struct entry *e;

	if (!t->bucket_count)
		return NULL;
	e = t->buckets[ouid_hash(t, ouid) & (t->bucket_count - 1)];
	while (e && memcmp(e->ouid, ouid, PCIEHSM_OUID_LEN) != 0)
		e = e->next;
	return e;
}

static void grow_buckets(struct table *t)
{
	size_t count = t->bucket_count ? t->bucket_count * 2 : FIRST_BUCKETS;
	struct entry **old = t->buckets;
	struct entry *e, *next, **slot;
	size_t i;

	t->buckets = mem_zalloc(count * sizeof(*t->buckets));
	for (i = 0; i < t->bucket_count; i++)
		for (e = old[i]; e; e = next) {
			next = e->next;
			slot = &t->buckets[ouid_hash(t, e->ouid) & (count - 1)];
			e->next = *slot;
			*slot = e;
		}
	t->bucket_count = count;
	free(old);
}

static struct entry *new_entry(struct table *t, const uint8_t *ouid, uint64_t no)
{
	struct entry *e, **slot;

	if (t->live + t->dead >= t->bucket_count)
		grow_buckets(t);
	e = mem_zalloc(sizeof(*e));
	memcpy(e->ouid, ouid, PCIEHSM_OUID_LEN);
	e->no = no;
	slot = &t->buckets[ouid_hash(t, ouid) & (t->bucket_count - 1)];
	e->next = *slot;
	*slot = e;
	return e;
}

/* ---- change log ---- */

/*
 * The log is an array in ascending order. An entry that changes again goes to the
 * end and leaves a hole, which is known by its sequence not being the entry's;
 * when half of the slots are holes they are squeezed out.
 */
static void log_change(struct table *t, struct entry *e, uint64_t seq)
{
	size_t i, n;

	if (t->log_count == t->log_room) {
		for (i = 0, n = 0; i < t->log_count; i++)
			if (t->log[i].entry->seq == t->log[i].seq)
				t->log[n++] = t->log[i];
		t->log_count = n;
		if (n * 2 >= t->log_room) {
			t->log_room = t->log_room ? t->log_room * 2 : 64;
			t->log = mem_grow(t->log, t->log_room, sizeof(*t->log));
		}
	}
	e->seq = seq;
	t->log[t->log_count].seq = seq;
	t->log[t->log_count].entry = e;
	t->log_count++;
}

size_t table_log_after(const struct table *t, uint64_t seq)
{
	size_t lo = 0, hi = t->log_count, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (t->log[mid].seq <= seq)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct entry *table_log_entry(const struct table *t, size_t i)
{
	struct entry *e = t->log[i].entry;

	return e->seq == t->log[i].seq ? e : NULL;
}

static int by_seq(const void *a, const void *b)
{
	const struct log_slot *x = a, *y = b;

	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

void table_sort_log(struct table *t)
{
	if (t->log_count)
		qsort(t->log, t->log_count, sizeof(*t->log), by_seq);
}

uint64_t table_last_seq(const struct table *t)
{
	return t->log_count ? t->log[t->log_count - 1].seq : 0;
}

static void add_hash(uint64_t sum[4], const uint8_t *raw, size_t len, bool add)
{
	struct fw_bytes part = { raw, len };
	uint8_t hash[FW_SHA256_LEN];
	unsigned int i;

	if (fw_sha256(&part, 1, hash) != CKR_OK)
		mem_die();
	for (i = 0; i < 4; i++)
		if (add)
			sum[i] += wire_get64(hash + i * 8);
		else
			sum[i] -= wire_get64(hash + i * 8);
}

void table_digest_delta(uint64_t sum[4], const uint8_t ouid[PCIEHSM_OUID_LEN],
			const struct version *version, bool deleted, bool add)
{
	uint8_t raw[PCIEHSM_OUID_LEN + 17];

	memcpy(raw, ouid, PCIEHSM_OUID_LEN);
	wire_put64(raw + 16, version->counter);
	wire_put64(raw + 24, version->writer);
	raw[32] = deleted;
	add_hash(sum, raw, sizeof(raw), add);
}

void table_rows_delta(uint64_t rows[4], uint64_t seq, bool add)
{
	uint8_t raw[8];

	wire_put64(raw, seq);
	add_hash(rows, raw, sizeof(raw), add);
}

/* ---- changes ---- */

static void attach(struct table *t, struct entry *e, struct object *o)
{
	uint64_t hash;
	unsigned int i;

	for (i = 0; i < o->attrs.count; i++)
		if (attr_hash(t, o, i, &hash))
			post(t, hash, e);
	list_add(&t->order, e);
	t->live++;
	t->bytes += o->size;
	e->object = o;
	e->version = o->version;
}

static void detach(struct table *t, struct entry *e)
{
	struct object *o = e->object;
	uint64_t hash;
	unsigned int i;

	for (i = 0; i < o->attrs.count; i++)
		if (attr_hash(t, o, i, &hash))
			unpost(t, hash, e);
	list_remove(&t->order, e);
	t->live--;
	t->bytes -= o->size;
	e->object = NULL;
	object_put(o);
}

/* Takes an entry out of the count and the sums, as it is now. */
static void forget_state(struct table *t, struct entry *e)
{
	bool deleted = !e->object;

	if (e->seq) {
		table_digest_delta(t->sum, e->ouid, &e->version, deleted, false);
		table_rows_delta(t->rows, e->seq, false);
	}
	if (deleted) {
		t->dead--;
		t->bytes -= TOMBSTONE_BYTES;
	} else {
		detach(t, e);
	}
}

void table_set(struct table *t, struct object *o, uint64_t seq)
{
	struct entry *e = table_find(t, o->ouid);

	if (e)
		forget_state(t, e);
	else
		e = new_entry(t, o->ouid, o->no);
	o->no = e->no;
	attach(t, e, o);
	if (seq) {
		table_digest_delta(t->sum, e->ouid, &e->version, false, true);
		table_rows_delta(t->rows, seq, true);
		log_change(t, e, seq);
	}
}

void table_bury(struct table *t, const uint8_t ouid[PCIEHSM_OUID_LEN],
		const struct version *version, uint64_t no, uint64_t seq)
{
	struct entry *e = table_find(t, ouid);

	if (e)
		forget_state(t, e);
	else
		e = new_entry(t, ouid, no);
	e->version = *version;
	t->dead++;
	t->bytes += TOMBSTONE_BYTES;
	table_digest_delta(t->sum, e->ouid, &e->version, true, true);
	table_rows_delta(t->rows, seq, true);
	log_change(t, e, seq);
}

static void unlink_entry(struct table *t, struct entry *e)
{
	struct entry **slot = &t->buckets[ouid_hash(t, e->ouid) & (t->bucket_count - 1)];

	while (*slot != e)
		slot = &(*slot)->next;
	*slot = e->next;
}

void table_remove(struct table *t, struct entry *e)
{
	forget_state(t, e);
	unlink_entry(t, e);
	free(e);
}

void table_collect(struct table *t, uint64_t seq)
{
	struct entry *e, *gone = NULL;
	size_t i, n = 0;

	for (i = 0; i < t->log_count && t->log[i].seq <= seq; i++) {
		e = table_log_entry(t, i);
		if (!e || e->object)
			continue;
		forget_state(t, e);
		unlink_entry(t, e);
		e->seq = 0;
		e->next = gone;
		gone = e;
	}
	/* Older slots may be theirs, too: none stays. */
	for (i = 0; i < t->log_count; i++)
		if (t->log[i].entry->seq == t->log[i].seq)
			t->log[n++] = t->log[i];
	t->log_count = n;
	while ((e = gone)) {
		gone = e->next;
		free(e);
	}
}

void table_clear(struct table *t)
{
	struct entry *e, *next;
	struct posting *p, *following;
	size_t i;

	for (i = 0; i < t->bucket_count; i++)
		for (e = t->buckets[i]; e; e = next) {
			next = e->next;
			object_put(e->object);
			free(e);
		}
	for (i = 0; i < t->posting_buckets; i++)
		for (p = t->postings[i]; p; p = following) {
			following = p->next;
			free(p->entries.list);
			free(p);
		}
	free(t->buckets);
	free(t->postings);
	free(t->order.list);
	free(t->log);
	table_init(t);
}
