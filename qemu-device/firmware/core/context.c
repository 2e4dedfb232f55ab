// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/context.h"

#include <stdlib.h>
#include <string.h>

#include "clone/channel.h"
#include "core/mem.h"
#include "crypto/secret.h"
#include "hsm/partition.h"

void contexts_init(struct contexts *t, unsigned int max)
{
	memset(t, 0, sizeof(*t));
	t->max = max;
	atomic_init(&t->kept, 0);
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->idle, NULL);
}

void contexts_destroy(struct contexts *t)
{
	contexts_close(t, 0);
	pthread_cond_destroy(&t->idle);
	pthread_mutex_destroy(&t->lock);
}

/* ---- what a context holds ---- */

void operation_put(struct operation *o)
{
	if (!o || atomic_fetch_sub(&o->refs, 1) != 1)
		return;
	fw_op_free(o->op);
	atomic_fetch_sub(o->kept, o->charged);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

CK_RV operation_charge(struct operation *o)
{
	uint64_t bytes = OPERATION_BYTES + fw_op_memory(o->op);

	/* It never gets smaller. */
	atomic_fetch_add(o->kept, bytes - o->charged);
	o->charged = bytes;
	return atomic_load(o->kept) > CONTEXTS_MAX_BYTES ? CKR_DEVICE_MEMORY : CKR_OK;
}

CK_RV context_room(const struct context *ctx, uint64_t bytes)
{
	return atomic_load(ctx->kept) + bytes > CONTEXTS_MAX_BYTES ? CKR_DEVICE_MEMORY : CKR_OK;
}

void context_charge(struct context *ctx)
{
	/* Modulo 2^64, as the objects may have become fewer. */
	atomic_fetch_add(ctx->kept, ctx->objects.bytes - ctx->charged);
	ctx->charged = ctx->objects.bytes;
}

static void unlink_operation(struct context *ctx, struct operation **slot)
{
	struct operation *o = *slot;

	*slot = o->next;
	ctx->operation_count--;
	/* Who works on it just now finishes that, and frees it. */
	operation_put(o);
}

/* Session 0 stands for every session here: it is none that a caller can use. */
static void drop_operations(struct context *ctx, bool all, uint32_t session)
{
	struct operation **slot = &ctx->operations;

	while (*slot) {
		if (all || (*slot)->session == session)
			unlink_operation(ctx, slot);
		else
			slot = &(*slot)->next;
	}
}

static void drop_objects(struct context *ctx, bool all, bool private, uint32_t session)
{
	size_t i = ctx->objects.order.count;
	struct entry *e;

	/* From the end: then nothing has to be moved up. */
	while (i--) {
		e = ctx->objects.order.list[i];
		if (all || (private && (e->object->flags & OBJ_PRIVATE)) ||
		    (!private && e->object->session == session))
			table_remove(&ctx->objects, e);
	}
	context_charge(ctx);
}

static void drop_channels(struct context *ctx)
{
	struct channel *ch;

	while ((ch = ctx->channels)) {
		ctx->channels = ch->next;
		channel_put(ch);
	}
	ctx->channel_count = 0;
}

CK_RV context_holds(const struct context *ctx, uint32_t role, uint64_t epoch)
{
	if (atomic_load(&ctx->part->gone))
		return CKR_DEVICE_REMOVED;
	if (atomic_load(&ctx->part->epoch) != epoch)
		return CKR_USER_NOT_LOGGED_IN;
	return role == PCIEHSM_ROLE_NONE || context_role(ctx, epoch) == role ?
	       CKR_OK : CKR_USER_NOT_LOGGED_IN;
}

void context_renew(struct context *ctx, uint64_t epoch)
{
	pthread_mutex_lock(&ctx->lock);
	context_set_login(ctx, atomic_load(&ctx->login) & LOGIN_ROLE, epoch);
	pthread_mutex_unlock(&ctx->lock);
}

static void end_login(struct context *ctx)
{
	context_set_login(ctx, PCIEHSM_ROLE_NONE, 0);
	drop_operations(ctx, true, 0);
	drop_objects(ctx, false, true, 0);
	drop_channels(ctx);
}

void context_logout(struct context *ctx)
{
	pthread_mutex_lock(&ctx->lock);
	end_login(ctx);
	pthread_mutex_unlock(&ctx->lock);
}

void context_session_close(struct context *ctx, uint32_t session)
{
	pthread_mutex_lock(&ctx->lock);
	drop_operations(ctx, false, session);
	drop_objects(ctx, false, false, session);
	pthread_mutex_unlock(&ctx->lock);
}

static void context_free(struct context *ctx)
{
	drop_operations(ctx, true, 0);
	drop_channels(ctx);
	table_clear(&ctx->objects);
	context_charge(ctx);
	partition_put(ctx->part);
	pthread_mutex_destroy(&ctx->lock);
	free(ctx);
}

/* ---- the table ---- */

static struct context **bucket(struct contexts *t, uint32_t id)
{
	return &t->buckets[(id ^ id >> 10) % CONTEXT_BUCKETS];
}

static struct context *find(struct contexts *t, uint32_t id, uint32_t number)
{
	struct context *ctx;

	for (ctx = *bucket(t, id); ctx; ctx = ctx->next)
		if (ctx->id == id && ctx->number == number)
			break;
	return ctx;
}

static void enter(struct contexts *t, struct context *ctx)
{
	atomic_fetch_add_explicit(&ctx->users, 1, memory_order_relaxed);
	t->entered++;
}

struct context *context_enter_known(struct contexts *t, uint32_t id, uint32_t number)
{
	struct context *ctx;

	pthread_mutex_lock(&t->lock);
	ctx = find(t, id, number);
	if (ctx && ctx->part && atomic_load(&ctx->part->gone))
		ctx = NULL;
	if (ctx)
		enter(t, ctx);
	pthread_mutex_unlock(&t->lock);
	return ctx;
}

struct context *context_enter(struct contexts *t, uint32_t id, uint32_t number,
			      struct partition *part)
{
	struct context **slot = bucket(t, id);
	struct context *ctx;

	pthread_mutex_lock(&t->lock);
	ctx = find(t, id, number);
	if (!ctx && t->count < t->max)
		ctx = calloc(1, sizeof(*ctx));
	if (ctx && !ctx->id) {
		ctx->id = id;
		ctx->number = number;
		ctx->part = part ? partition_get(part) : NULL;
		ctx->next_channel = 1;
		atomic_init(&ctx->users, 0);
		atomic_init(&ctx->login, PCIEHSM_ROLE_NONE);
		pthread_mutex_init(&ctx->lock, NULL);
		table_init(&ctx->objects);
		ctx->kept = &t->kept;
		ctx->next = *slot;
		*slot = ctx;
		t->count++;
	}
	if (ctx)
		enter(t, ctx);
	pthread_mutex_unlock(&t->lock);
	return ctx;
}

void context_leave(struct contexts *t, struct context *ctx)
{
	/*
	 * Who closes it frees it as soon as nobody is in it: not to be looked at behind this.
	 * What was done in it is to be seen by that one.
	 */
	if (atomic_fetch_sub_explicit(&ctx->users, 1, memory_order_acq_rel) !=
	    (CONTEXT_CLOSING | 1))
		return;
	pthread_mutex_lock(&t->lock);
	pthread_cond_broadcast(&t->idle);
	pthread_mutex_unlock(&t->lock);
}

uint64_t contexts_entered(struct contexts *t)
{
	uint64_t count;

	pthread_mutex_lock(&t->lock);
	count = t->entered;
	pthread_mutex_unlock(&t->lock);
	return count;
}

void contexts_close(struct contexts *t, uint32_t id)
{
	struct context **slot, *ctx, *closed = NULL;
	unsigned int i;

	pthread_mutex_lock(&t->lock);
	for (i = 0; i < CONTEXT_BUCKETS; i++) {
		slot = id ? bucket(t, id) : &t->buckets[i];
		while ((ctx = *slot)) {
			if (id && ctx->id != id) {
				slot = &ctx->next;
				continue;
			}
			*slot = ctx->next;
			t->count--;
			ctx->next = closed;
			closed = ctx;
			atomic_fetch_or(&ctx->users, CONTEXT_CLOSING);
		}
		if (id)
			break;
	}
	for (ctx = closed; ctx; ctx = ctx->next)
		while (atomic_load_explicit(&ctx->users, memory_order_acquire) != CONTEXT_CLOSING)
			pthread_cond_wait(&t->idle, &t->lock);
	pthread_mutex_unlock(&t->lock);
	while ((ctx = closed)) {
		closed = ctx->next;
		context_free(ctx);
	}
}

void contexts_purge(struct contexts *t, const struct partition *part, const struct context *keep)
{
	struct context *ctx;
	unsigned int i;

	pthread_mutex_lock(&t->lock);
	for (i = 0; i < CONTEXT_BUCKETS; i++)
		for (ctx = t->buckets[i]; ctx; ctx = ctx->next) {
			if (ctx->part != part)
				continue;
			pthread_mutex_lock(&ctx->lock);
			drop_operations(ctx, true, 0);
			drop_channels(ctx);
			table_clear(&ctx->objects);
			context_charge(ctx);
			if (ctx != keep)
				context_set_login(ctx, PCIEHSM_ROLE_NONE, 0);
			pthread_mutex_unlock(&ctx->lock);
		}
	pthread_mutex_unlock(&t->lock);
}

void contexts_end_role(struct contexts *t, const struct partition *part, uint32_t role,
		       const struct context *keep)
{
	struct context *ctx;
	unsigned int i;

	pthread_mutex_lock(&t->lock);
	for (i = 0; i < CONTEXT_BUCKETS; i++)
		for (ctx = t->buckets[i]; ctx; ctx = ctx->next) {
			if (ctx->part != part || ctx == keep)
				continue;
			pthread_mutex_lock(&ctx->lock);
			if ((atomic_load(&ctx->login) & LOGIN_ROLE) == role)
				end_login(ctx);
			pthread_mutex_unlock(&ctx->lock);
		}
	pthread_mutex_unlock(&t->lock);
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static unsigned int context_sessions(struct context *ctx)
{
	unsigned int count = 0, distinct = 0, i;
	const struct operation *o;
	uint32_t *all = NULL;
	size_t room;

	pthread_mutex_lock(&ctx->lock);
	room = ctx->operation_count + ctx->objects.order.count;
	if (room)
		all = malloc(room * sizeof(*all));
	if (all) {
		for (o = ctx->operations; o; o = o->next)
			all[count++] = o->session;
		for (i = 0; i < ctx->objects.order.count; i++)
			all[count++] = ctx->objects.order.list[i]->object->session;
	}
	pthread_mutex_unlock(&ctx->lock);
	if (count)
		qsort(all, count, sizeof(*all), by_number);
	for (i = 0; i < count; i++)
		distinct += i == 0 || all[i] != all[i - 1];
	free(all);
	return distinct;
}

unsigned int contexts_sessions(struct contexts *t, const struct partition *part)
{
	unsigned int i, count = 0;
	struct context *ctx;

	pthread_mutex_lock(&t->lock);
	for (i = 0; i < CONTEXT_BUCKETS; i++)
		for (ctx = t->buckets[i]; ctx; ctx = ctx->next)
			if (ctx->part == part)
				count += context_sessions(ctx);
	pthread_mutex_unlock(&t->lock);
	return count;
}

/* ---- operations in several parts ---- */

struct operation *operation_find(struct context *ctx, uint32_t session, uint32_t fn)
{
	struct operation *o;

	pthread_mutex_lock(&ctx->lock);
	for (o = ctx->operations; o; o = o->next)
		if (o->session == session && o->fn == fn)
			break;
	if (o)
		atomic_fetch_add(&o->refs, 1);
	pthread_mutex_unlock(&ctx->lock);
	return o;
}

CK_RV operation_add(struct context *ctx, uint32_t role, uint64_t epoch, uint32_t session,
		    uint32_t fn, struct fw_op *op)
{
	struct operation *o, *new = calloc(1, sizeof(*new));
	CK_RV rv;

	if (!new)
		return CKR_HOST_MEMORY;
	pthread_mutex_lock(&ctx->lock);
	rv = context_holds(ctx, role, epoch);
	for (o = ctx->operations; o; o = o->next)
		if (o->session == session && o->fn == fn)
			rv = CKR_OPERATION_ACTIVE;
	if (rv == CKR_OK && ctx->operation_count >= CONTEXT_MAX_OPERATIONS)
		rv = CKR_SESSION_COUNT;
	if (rv == CKR_OK)
		rv = context_room(ctx, OPERATION_BYTES);
	if (rv == CKR_OK) {
		atomic_init(&new->refs, 1);
		pthread_mutex_init(&new->lock, NULL);
		new->session = session;
		new->fn = fn;
		new->op = op;
		new->kept = ctx->kept;
		operation_charge(new);
		new->next = ctx->operations;
		ctx->operations = new;
		ctx->operation_count++;
	} else {
		free(new);
	}
	pthread_mutex_unlock(&ctx->lock);
	return rv;
}

void operation_end(struct context *ctx, struct operation *o)
{
	struct operation **slot;

	pthread_mutex_lock(&ctx->lock);
	for (slot = &ctx->operations; *slot; slot = &(*slot)->next)
		if (*slot == o) {
			unlink_operation(ctx, slot);
			break;
		}
	pthread_mutex_unlock(&ctx->lock);
}
