/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Contexts: one opener each, and what belongs to it: a login, session objects,
 * operations in several parts, cloning channels.
 */
#ifndef FIRMWARE_CORE_CONTEXT_H
#define FIRMWARE_CORE_CONTEXT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <pciehsm/fw.h>

#include "crypto/mech.h"
#include "objects/table.h"

struct channel;
struct hsm_fw;
struct partition;

/* What a caller can make the card keep under one context */
#define CONTEXT_MAX_OPERATIONS	8192
#define CONTEXT_MAX_CHANNELS	64
#define CONTEXT_MAX_OBJECTS	65536
#define CONTEXT_MAX_BYTES	(64ULL << 20)
/* And under all of them: session objects, and what operations collect */
#define CONTEXTS_MAX_BYTES	(512ULL << 20)
/* What an operation takes at least, in libcrypto and here */
#define OPERATION_BYTES		2048

/**
 * struct operation - an operation in several parts
 * @next:	of the context
 * @refs:	of the context and of messages that work on it
 * @lock:	held while a message works on @op
 * @session:	of the caller
 * @fn:		PCIEHSM_FN_*
 * @stat:	what its end counts as
 * @ended:	it is over, and no longer in the context's list; under @lock
 * @kept:	see struct contexts
 * @charged:	its part of that; under @lock
 * @op:		the work
 */
struct operation {
	struct operation	*next;
	atomic_uint		refs;
	pthread_mutex_t		lock;
	uint32_t		session;
	uint32_t		fn;
	bool			ended;
	atomic_uint_fast64_t	*kept;
	uint64_t		charged;
	struct fw_op		*op;
};

/**
 * struct context - one opener of one partition or of the HSM
 * @next:	in the table's chain
 * @id:		the front end's number
 * @number:	of the partition, 0 for the HSM
 * @users:	messages that are being worked on. Entering is done under the table's lock,
 *		leaving without. CONTEXT_CLOSING: it has left the table; what runs long
 *		gives up, and who leaves last says so
 * @lock:	of all below
 * @part:	the partition, referenced; NULL for the HSM
 * @login:	who is logged in and the epoch of the roles when that was, in one, so that it
 *		can be looked at without the lock; see context_role()
 * @objects:	session objects
 * @kept:	see struct contexts
 * @charged:	the objects' part of that
 * @operations:	in several parts
 * @operation_count: how many
 * @channels:	for cloning
 * @channel_count: how many
 * @next_channel: number for the next one
 */
struct context {
	struct context		*next;
	uint32_t		id;
	uint32_t		number;
	atomic_uint		users;
	pthread_mutex_t		lock;
	struct partition	*part;
	atomic_uint_fast64_t	login;
	struct table		objects;
	atomic_uint_fast64_t	*kept;
	uint64_t		charged;
	struct operation	*operations;
	unsigned int		operation_count;
	struct channel		*channels;
	unsigned int		channel_count;
	uint32_t		next_channel;
};

#define CONTEXT_CLOSING		(1U << 31)

/* Roles are below 16; epochs are counted, so they fit above. */
#define LOGIN_ROLE_BITS		4
#define LOGIN_ROLE		((1U << LOGIN_ROLE_BITS) - 1)

/** context_role() - who is logged in, of the epoch that holds now; may change any time */
static inline uint32_t context_role(const struct context *ctx, uint64_t epoch)
{
	uint64_t login = atomic_load_explicit(&ctx->login, memory_order_acquire);

	return login >> LOGIN_ROLE_BITS == epoch ? (uint32_t)login & LOGIN_ROLE :
						   PCIEHSM_ROLE_NONE;
}

/** context_set_login() - with the lock held: so it is from now on */
static inline void context_set_login(struct context *ctx, uint32_t role, uint64_t epoch)
{
	atomic_store_explicit(&ctx->login, epoch << LOGIN_ROLE_BITS | role,
			      memory_order_release);
}

/** context_closing() - is the context about to go? */
static inline bool context_closing(const struct context *ctx)
{
	return atomic_load_explicit(&ctx->users, memory_order_relaxed) & CONTEXT_CLOSING;
}

#define CONTEXT_BUCKETS		1024

/**
 * struct contexts - the table of all
 * @lock:	of the table
 * @kept:	bytes that all of them keep, at most about CONTEXTS_MAX_BYTES
 * @entered:	how many messages there were; under the lock, which each takes anyway
 */
struct contexts {
	atomic_uint_fast64_t	kept;
	pthread_mutex_t		lock;
	uint64_t		entered;
	pthread_cond_t		idle;	/* a closing context has no users any more */
	unsigned int		count;
	unsigned int		max;
	struct context		*buckets[CONTEXT_BUCKETS];
};

void contexts_init(struct contexts *t, unsigned int max);
void contexts_destroy(struct contexts *t);

/**
 * context_enter() - the context of a message; made if it is not there
 * @t:		the table
 * @id:		its number
 * @number:	the partition's
 * @part:	the partition or NULL
 *
 * Return: the context, to be left by context_leave(); NULL: no room for another.
 */
struct context *context_enter(struct contexts *t, uint32_t id, uint32_t number,
			      struct partition *part);

/** context_enter_known() - the same if it is there, and its partition too; else NULL */
struct context *context_enter_known(struct contexts *t, uint32_t id, uint32_t number);

void context_leave(struct contexts *t, struct context *ctx);

/** contexts_entered() - how many messages were worked on */
uint64_t contexts_entered(struct contexts *t);

/** contexts_close() - end the contexts with this number (0: all); waits for their users */
void contexts_close(struct contexts *t, uint32_t id);

/**
 * contexts_purge() - a partition's contents or roles are gone: so is what belongs to them
 * @t:		the table
 * @part:	the partition (NULL: the HSM)
 * @keep:	a context that keeps its login, or NULL
 */
void contexts_purge(struct contexts *t, const struct partition *part, const struct context *keep);

/**
 * contexts_end_role() - a role has another password: its logins of before end
 * @t:		the table
 * @part:	the partition (NULL: the HSM)
 * @role:	whose
 * @keep:	the context that set the password
 */
void contexts_end_role(struct contexts *t, const struct partition *part, uint32_t role,
		       const struct context *keep);

/** contexts_sessions() - number of sessions of @part under which something is kept */
unsigned int contexts_sessions(struct contexts *t, const struct partition *part);

/**
 * context_holds() - is what a message began with still so?
 * @ctx:	its context, locked
 * @role:	who was logged in then
 * @epoch:	of the partition then
 *
 * Asked before something is kept under the context: nothing is put where
 * contexts_purge() or context_logout() has been already.
 *
 * Return: CKR_OK; CKR_DEVICE_REMOVED; CKR_USER_NOT_LOGGED_IN.
 */
CK_RV context_holds(const struct context *ctx, uint32_t role, uint64_t epoch);

/** context_room() - is there room for so many bytes more? CKR_OK or CKR_DEVICE_MEMORY */
CK_RV context_room(const struct context *ctx, uint64_t bytes);

/** context_charge() - @ctx->objects, which is locked, has changed */
void context_charge(struct context *ctx);

/** context_renew() - the login that has begun an epoch holds in it; not locked */
void context_renew(struct context *ctx, uint64_t epoch);

/** context_logout() - end the login and what is private; caller does not hold the lock */
void context_logout(struct context *ctx);

/** context_session_close() - end what is kept under a session */
void context_session_close(struct context *ctx, uint32_t session);

/** operation_find() - the session's operation of this function, referenced, or NULL */
struct operation *operation_find(struct context *ctx, uint32_t session, uint32_t fn);

/**
 * operation_add() - keep an operation
 * @ctx:	the context
 * @role:	see context_holds()
 * @epoch:	see context_holds()
 * @session:	the caller's
 * @fn:		PCIEHSM_FN_*
 * @op:		taken over if it succeeds
 *
 * Return: CKR_OK, CKR_OPERATION_ACTIVE, CKR_SESSION_COUNT, CKR_HOST_MEMORY,
 * CKR_DEVICE_MEMORY, and as context_holds().
 */
CK_RV operation_add(struct context *ctx, uint32_t role, uint64_t epoch, uint32_t session,
		    uint32_t fn, struct fw_op *op);

/** operation_end() - take it out of the context; the caller keeps its reference */
void operation_end(struct context *ctx, struct operation *o);

/**
 * operation_charge() - the operation, which is locked, may have grown
 *
 * Return: CKR_OK, or CKR_DEVICE_MEMORY: it has to end.
 */
CK_RV operation_charge(struct operation *o);

/** operation_put() - give a reference back */
void operation_put(struct operation *o);

#endif /* FIRMWARE_CORE_CONTEXT_H */
