// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Object handles. The engine names objects by OUID; applications want numbers. A handle
 * is an index and a generation, so that one which has ended does not come to mean
 * another object. An object that is seen again keeps its handle.
 */
#include <stdlib.h>
#include <string.h>

#include "module.h"

#define INDEX_BITS	24
#define INDEX_MASK	((1UL << INDEX_BITS) - 1)
#define FIRST_BUCKETS	64

/**
 * struct handle_entry - one object
 * @ouid:	its name
 * @handle:	its handle
 * @epoch:	of the token, when the object was last seen
 * @session:	whose object it is, 0: nobody's
 * @info:	what is remembered
 * @next:	in the bucket
 */
struct handle_entry {
	struct ha_ouid		ouid;
	CK_OBJECT_HANDLE	handle;
	unsigned int		epoch;
	uint32_t		session;
	struct object_info	info;
	struct handle_entry	*next;
};

/* OUIDs are random already. */
static uint32_t hash(const struct ha_ouid *ouid)
{
	uint32_t value;

	memcpy(&value, ouid->b, sizeof(value));
	return value;
}

CK_RV handles_init(struct handles *h)
{
	memset(h, 0, sizeof(*h));
	pthread_rwlock_init(&h->lock, NULL);
	h->n_buckets = FIRST_BUCKETS;
	h->buckets = calloc(h->n_buckets, sizeof(*h->buckets));
	return h->buckets ? CKR_OK : CKR_HOST_MEMORY;
}

void handles_free(struct handles *h)
{
	uint32_t i;

	for (i = 0; i < h->n_entries; i++)
		free(h->entries[i]);
	free(h->entries);
	free(h->generations);
	free(h->free);
	free(h->buckets);
	pthread_rwlock_destroy(&h->lock);
}

static struct handle_entry *by_handle(const struct handles *h, CK_OBJECT_HANDLE handle)
{
	unsigned long index = (handle & INDEX_MASK) - 1;
	struct handle_entry *entry = index < h->n_entries ? h->entries[index] : NULL;

	return entry && entry->handle == handle ? entry : NULL;
}

static struct handle_entry *by_ouid(const struct handles *h, const struct ha_ouid *ouid)
{
	struct handle_entry *entry = h->buckets[hash(ouid) & (h->n_buckets - 1)];

	while (entry && memcmp(&entry->ouid, ouid, sizeof(*ouid)))
		entry = entry->next;
	return entry;
}

static void link_entry(struct handles *h, struct handle_entry *entry)
{
	struct handle_entry **bucket = &h->buckets[hash(&entry->ouid) & (h->n_buckets - 1)];

	entry->next = *bucket;
	*bucket = entry;
}

static void more_buckets(struct handles *h)
{
	struct handle_entry **buckets;
	uint32_t i;

	buckets = calloc(2 * h->n_buckets, sizeof(*buckets));
	/* Without memory the lists only get longer. */
	if (!buckets)
		return;
	free(h->buckets);
	h->buckets = buckets;
	h->n_buckets *= 2;
	for (i = 0; i < h->n_entries; i++)
		if (h->entries[i])
			link_entry(h, h->entries[i]);
}

static bool more_room(struct handles *h)
{
	uint32_t room = h->room ? 2 * h->room : 64;
	void *entries, *generations, *unused;

	if (room > INDEX_MASK)
		return false;
	entries = realloc(h->entries, room * sizeof(*h->entries));
	if (entries)
		h->entries = entries;
	generations = realloc(h->generations, room * sizeof(*h->generations));
	if (generations)
		h->generations = generations;
	unused = realloc(h->free, room * sizeof(*h->free));
	if (unused)
		h->free = unused;
	if (!entries || !generations || !unused)
		return false;
	h->room = room;
	return true;
}

static struct handle_entry *add(struct handles *h, const struct ha_ouid *ouid)
{
	struct handle_entry *entry;
	uint32_t index;

	if (!h->n_free && h->n_entries == h->room && !more_room(h))
		return NULL;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	if (h->n_free) {
		index = h->free[--h->n_free];
	} else {
		index = h->n_entries++;
		h->generations[index] = 0;
	}
	h->entries[index] = entry;
	entry->ouid = *ouid;
	entry->handle = (CK_OBJECT_HANDLE)h->generations[index] << INDEX_BITS | (index + 1);
	link_entry(h, entry);
	if (++h->used > h->n_buckets)
		more_buckets(h);
	return entry;
}

static void drop(struct handles *h, struct handle_entry *entry)
{
	uint32_t index = (uint32_t)(entry->handle & INDEX_MASK) - 1;
	struct handle_entry **link = &h->buckets[hash(&entry->ouid) & (h->n_buckets - 1)];

	while (*link != entry)
		link = &(*link)->next;
	*link = entry->next;
	h->entries[index] = NULL;
	h->generations[index]++;
	h->free[h->n_free++] = index;
	h->used--;
	free(entry);
}

/* Who remembers what an entry said asks again from here on, and then waits for the lock. */
static void lock_to_change(struct handles *h)
{
	pthread_rwlock_wrlock(&h->lock);
	atomic_fetch_add(&h->changes, 1);
}

CK_RV handles_add(struct handles *h, const struct ha_ouid *ouids, CK_ULONG n, uint32_t session,
		  unsigned int epoch, CK_OBJECT_HANDLE *handles)
{
	CK_RV rv = CKR_OK;
	CK_ULONG i;

	lock_to_change(h);
	for (i = 0; i < n; i++) {
		struct handle_entry *entry = by_ouid(h, &ouids[i]);

		if (!entry) {
			entry = add(h, &ouids[i]);
			if (!entry) {
				rv = CKR_HOST_MEMORY;
				break;
			}
			entry->session = session;
		} else if (entry->epoch != epoch) {
			/* Seen again after a logout: what was known may be another's view. */
			entry->info.known = false;
		}
		entry->epoch = epoch;
		handles[i] = entry->handle;
	}
	pthread_rwlock_unlock(&h->lock);
	return rv;
}

bool handles_get(struct handles *h, CK_OBJECT_HANDLE handle, struct ha_ouid *ouid,
		 struct object_info *info, unsigned int *epoch)
{
	struct handle_entry *entry;

	pthread_rwlock_rdlock(&h->lock);
	entry = by_handle(h, handle);
	if (entry) {
		*ouid = entry->ouid;
		*info = entry->info;
		*epoch = entry->epoch;
	}
	pthread_rwlock_unlock(&h->lock);
	return entry;
}

void handles_remember(struct handles *h, CK_OBJECT_HANDLE handle, const struct object_info *info)
{
	struct handle_entry *entry;

	lock_to_change(h);
	entry = by_handle(h, handle);
	if (entry)
		entry->info = *info;
	pthread_rwlock_unlock(&h->lock);
}

void handles_remove(struct handles *h, CK_OBJECT_HANDLE handle)
{
	struct handle_entry *entry;

	lock_to_change(h);
	entry = by_handle(h, handle);
	if (entry)
		drop(h, entry);
	pthread_rwlock_unlock(&h->lock);
}

void handles_remove_session(struct handles *h, uint32_t session)
{
	uint32_t i;

	lock_to_change(h);
	for (i = 0; i < h->n_entries; i++)
		if (h->entries[i] && h->entries[i]->session == session)
			drop(h, h->entries[i]);
	pthread_rwlock_unlock(&h->lock);
}
