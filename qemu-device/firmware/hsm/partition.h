/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A partition, and how its contents change.
 */
#ifndef FIRMWARE_HSM_PARTITION_H
#define FIRMWARE_HSM_PARTITION_H

#include <pthread.h>
#include <stdatomic.h>

#include "crypto/identity.h"
#include "hsm/state.h"
#include "objects/table.h"

struct call;
struct context;
struct hsm_fw;

/* Above the bits of the roles */
#define PARTITION_INITIALISED_BIT	32

/**
 * struct partition - one partition
 * @fw:		its card
 * @refs:	of the card's list, of contexts and of messages
 * @gone:	it was deleted; set with @change held
 * @number:	never reused
 * @serial:	of the card followed by @number
 * @serial_text: the same, digits
 * @auth:	see core/firmware.h
 * @change:	see core/firmware.h
 * @lock:	of @state and @table
 * @state:	what the store's record says
 * @standing:	what every message asks of @state, so that it need not be locked: bit
 *		PARTITION_INITIALISED_BIT, and a bit for each role that must change its
 *		password; partition_publish() sets it
 * @allowed:	a bit for each policy that is not 0, in the same way
 * @table:	token objects and tombstones
 * @next_no:	for the next object, session objects included
 * @epoch:	grows when roles or contents are destroyed: earlier logins are void
 * @collections: how often tombstones were collected since power-on
 * @stats:	by enum pciehsm_stat
 */
struct partition {
	struct hsm_fw		*fw;
	atomic_uint		refs;
	atomic_bool		gone;
	uint32_t		number;
	uint64_t		serial;
	char			serial_text[FW_SERIAL_MAX];
	pthread_mutex_t		auth;
	pthread_mutex_t		change;
	pthread_rwlock_t	lock;
	struct partition_state	state;
	atomic_uint_fast64_t	standing;
	atomic_uint_fast64_t	allowed;
	struct table		table;
	atomic_uint_fast64_t	next_no;
	atomic_uint_fast64_t	epoch;
	atomic_uint_fast64_t	collections;
	atomic_uint_fast64_t	stats[PCIEHSM_STAT_COUNT];
};

/** partition_new() - a partition of that number, not yet in any list; NULL without memory */
struct partition *partition_new(struct hsm_fw *fw, uint32_t number);

/** partition_load() - its state and objects from the store; 0 or -errno */
int partition_load(struct partition *p);

struct partition *partition_get(struct partition *p);
/** partition_put() - the last one frees it. May be NULL. */
void partition_put(struct partition *p);

/** partition_find() - the partition of that number, referenced, or NULL */
struct partition *partition_find(struct hsm_fw *fw, uint32_t number);

/** partition_publish() - @p->state was changed; under @p->lock, or before others see @p */
void partition_publish(struct partition *p);

/** partition_initialised() - has it a label, a domain and a Partition SO? */
static inline bool partition_initialised(struct partition *p)
{
	return atomic_load(&p->standing) >> PARTITION_INITIALISED_BIT & 1;
}

/** partition_must_change() - must this role change its password before all else? */
static inline bool partition_must_change(struct partition *p, uint32_t role)
{
	return atomic_load(&p->standing) >> role & 1;
}

/** partition_allows() - is a policy other than 0? */
static inline bool partition_allows(struct partition *p, uint32_t policy)
{
	return atomic_load(&p->allowed) >> policy & 1;
}

/** partition_policy() - a policy's present value */
uint32_t partition_policy(struct partition *p, uint32_t policy);

/** partition_count() - add to a statistic */
static inline void partition_count(struct partition *p, enum pciehsm_stat stat, uint64_t n)
{
	atomic_fetch_add_explicit(&p->stats[stat], n, memory_order_relaxed);
}

/**
 * partition_object() - an object that a message names
 * @c:		the message: its context's session objects are looked at, too
 * @ouid:	the name
 *
 * Return: a reference to its present version, or NULL: there is none, or the
 * one who is logged in must not see it.
 */
struct object *partition_object(struct call *c, const uint8_t ouid[PCIEHSM_OUID_LEN]);

struct change_item {
	struct object	*object;	/* NULL: a tombstone */
	uint8_t		ouid[PCIEHSM_OUID_LEN];
	struct version	version;
	uint64_t	no;
	uint64_t	seq;
};

/**
 * struct change - a partition on its way to another state
 * @p:		the partition, its @change held
 * @state:	as it will be; who changes roles or policies writes here
 * @wipe:	all objects and tombstones go first
 * @items:	objects and tombstones to come
 * @count:	of @items
 * @room:	of @items
 * @bytes:	quota that will be in use
 * @collect:	tombstones up to this change are forgotten
 * @call:	NULL, or the message, which hears of progress and may be given up while
 *		objects are put; what wipes or collects goes through
 */
struct change {
	struct partition	*p;
	struct partition_state	state;
	bool			wipe;
	struct change_item	*items;
	size_t			count;
	size_t			room;
	uint64_t		bytes;
	uint64_t		collect;
	struct call		*call;
};

/**
 * change_begin() - begin a change; waits for the one under way
 * @ch:		out
 * @p:		the partition
 *
 * Return: CKR_OK; CKR_DEVICE_REMOVED: the partition is gone, there is no change.
 */
CK_RV change_begin(struct change *ch, struct partition *p);

/**
 * change_put() - make or replace a token object
 * @ch:		the change; each object at most once in it
 * @o:		taken over, whatever the result
 *
 * Return: CKR_OK; CKR_DEVICE_MEMORY: no room in the quota; CKR_HOST_MEMORY.
 */
CK_RV change_put(struct change *ch, struct object *o);

/** change_bury() - put a tombstone in the place of an object, known or not */
CK_RV change_bury(struct change *ch, const uint8_t ouid[PCIEHSM_OUID_LEN],
		  const struct version *version);

/**
 * change_collect() - forget all tombstones whose last change is at most @seq
 *
 * Alone in its change. Return: how many they are.
 */
uint32_t change_collect(struct change *ch, uint64_t seq);

/**
 * change_wipe() - all objects and tombstones go, and the incarnation is another
 *
 * With the commit all logins are void; contexts_purge() must follow.
 */
CK_RV change_wipe(struct change *ch);

/**
 * change_commit() - make it durable, then visible
 * @ch:		the change, ended in any case
 *
 * Return: CKR_OK; PCIEHSM_CKR_STORE, CKR_FUNCTION_CANCELED (@ch->call): nothing happened.
 */
CK_RV change_commit(struct change *ch);

/** change_abort() - end it, nothing happens */
void change_abort(struct change *ch);

#endif /* FIRMWARE_HSM_PARTITION_H */
