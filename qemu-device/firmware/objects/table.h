/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The objects of a partition (or the session objects of a context) in memory.
 *
 * Four ways to an object: by OUID (hash), in the order of creation (array), by the
 * value of any attribute (hash of postings), and, of the
 * partition's, in the order of the last change (array). Tombstones are in the first
 * and the last.
 *
 * A table is not locked; its owner does that.
 */
#ifndef FIRMWARE_OBJECTS_TABLE_H
#define FIRMWARE_OBJECTS_TABLE_H

#include "objects/object.h"
#include "store/store.h"

/**
 * struct entry - an OUID that the table knows
 * @next:	in the hash chain
 * @object:	its present version, NULL for a tombstone
 * @ouid:	its name
 * @no:		place in the order of creation, for ever
 * @seq:	of its last change
 * @version:	of the object or the tombstone
 */
struct entry {
	struct entry	*next;
	struct object	*object;
	uint8_t		ouid[PCIEHSM_OUID_LEN];
	uint64_t	no;
	uint64_t	seq;
	struct version	version;
};

/* Entries in ascending order of their number */
struct entry_list {
	struct entry	**list;
	size_t		count;
	size_t		room;
};

struct log_slot {
	uint64_t	seq;
	struct entry	*entry;
};

struct posting;

/**
 * struct table - objects
 * @live:	how many objects
 * @dead:	how many tombstones
 * @bytes:	quota in use
 * @sum:	the digest: for each object and tombstone the SHA-256 of its OUID, version
 *		and whether it is one, as four 64-bit numbers; their sums modulo 2^64.
 *		So a change costs two hashes, and the order of changes does not show.
 * @rows:	the same of each one's @seq: which rows the store must have. A name can come
 *		back with a version that it has had, when all was wiped or its tombstone
 *		collected; a sequence does not, so an older row of that name shows.
 */
struct table {
	struct entry	**buckets;
	size_t		bucket_count;
	size_t		live;
	size_t		dead;
	uint64_t	bytes;
	uint64_t	sum[4];
	uint64_t	rows[4];
	struct entry_list order;
	struct log_slot	*log;
	size_t		log_count;
	size_t		log_room;
	struct posting	**postings;
	size_t		posting_buckets;
	size_t		posting_count;
	uint64_t	seed;
};

/** table_init() - an empty table; costs no memory until it is used */
void table_init(struct table *t);

/** table_clear() - forget everything; leaves an empty table */
void table_clear(struct table *t);

/** table_find() - the entry of an OUID (maybe a tombstone) or NULL */
struct entry *table_find(const struct table *t, const uint8_t ouid[PCIEHSM_OUID_LEN]);

/**
 * table_set() - put an object in its place
 * @t:		the table
 * @o:		a reference is taken over; what was there before is let go.
 *		@o->no is its number, if it is new.
 * @seq:	of the change; 0: not logged, no part of the digest (session objects)
 */
void table_set(struct table *t, struct object *o, uint64_t seq);

/**
 * table_bury() - put a tombstone in an object's place
 * @t:		the table
 * @ouid:	the object, known or not
 * @version:	of the tombstone
 * @no:		its number, if it is new
 * @seq:	of the change
 */
void table_bury(struct table *t, const uint8_t ouid[PCIEHSM_OUID_LEN],
		const struct version *version, uint64_t no, uint64_t seq);

/** table_remove() - forget an object without a trace (session objects) */
void table_remove(struct table *t, struct entry *e);

/** TOMBSTONE_BYTES - what a tombstone takes of the quota: less than any object */
#define TOMBSTONE_BYTES		store_object_size(0)

/** table_collect() - forget all tombstones whose last change is at most @seq */
void table_collect(struct table *t, uint64_t seq);

/** table_digest_delta() - what @sum becomes when an entry goes from one state to another */
void table_digest_delta(uint64_t sum[4], const uint8_t ouid[PCIEHSM_OUID_LEN],
			const struct version *version, bool deleted, bool add);

/** table_rows_delta() - the same for @rows, of an entry's last change */
void table_rows_delta(uint64_t rows[4], uint64_t seq, bool add);

/**
 * table_candidates() - entries among which all with an attribute value are
 * @t:		the table
 * @type:	an attribute
 * @value:	its value, of which rules_telling() says yes
 * @len:	of that
 *
 * Return: a list, which may be empty and may hold others too (hash).
 */
const struct entry_list *table_candidates(const struct table *t, uint32_t type,
					  const void *value, size_t len);

/** list_after() - index of the first entry of @l with a number greater than @no */
size_t list_after(const struct entry_list *l, uint64_t no);

/** table_log_after() - index of the first slot of the log with a sequence greater than @seq */
size_t table_log_after(const struct table *t, uint64_t seq);

/** table_sort_log() - after loading in another order than that of the changes */
void table_sort_log(struct table *t);

/** table_last_seq() - sequence of the last change in the log, 0 if there is none */
uint64_t table_last_seq(const struct table *t);

/** table_log_entry() - the entry whose last change is in slot @i, or NULL */
struct entry *table_log_entry(const struct table *t, size_t i);

#endif /* FIRMWARE_OBJECTS_TABLE_H */
