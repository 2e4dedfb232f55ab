// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From a message to its answer: what every operation has in common.
 */
#include <string.h>
#include <time.h>

#include "core/firmware.h"
#include "message/wire.h"

/* Well under the 2 s after which a front end must have heard of a command */
#define PROGRESS_MS	500

void events_add(struct events *events, enum hsm_fw_event event, uint32_t number)
{
	if (events->count < EVENTS_MAX) {
		events->list[events->count].event = event;
		events->list[events->count].number = number;
		events->count++;
	}
}

void events_fire(struct hsm_fw *fw, const struct events *events)
{
	unsigned int i;

	for (i = 0; fw->config.event && i < events->count; i++)
		fw->config.event(fw->config.opaque, events->list[i].event, events->list[i].number);
}

uint64_t fw_now_ms(struct hsm_fw *fw)
{
	struct timespec ts;

	if (fw->config.now_ms)
		return fw->config.now_ms(fw->config.opaque);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

CK_RV fw_nonce(struct hsm_fw *fw, void *buf, size_t len)
{
	if (!fw->config.random)
		return fw_random(buf, len);
	fw->config.random(fw->config.opaque, buf, len);
	return CKR_OK;
}

void call_alive(void *opaque)
{
	struct call *c = opaque;
	uint64_t now;

	if (!c->queued || !c->req->progress)
		return;
	now = fw_now_ms(c->fw);
	if (now - c->progress_at >= PROGRESS_MS) {
		c->progress_at = now;
		c->req->progress(c->req, UINT32_MAX);
	}
}

bool call_step(void *opaque)
{
	struct call *c = opaque;

	if (context_closing(c->ctx))
		return false;
	if (!c->queued)
		return true;
	if (engine_cancelled(c->fw, c->req))
		return false;
	call_alive(c);
	return true;
}

/* Who is logged in, and since when that holds */
static void look_up_login(struct call *c)
{
	c->epoch = c->part ? atomic_load(&c->part->epoch) : atomic_load(&c->fw->epoch);
	c->role = context_role(c->ctx, c->epoch);
}

struct standing {
	bool	tampered;
	bool	initialised;
	bool	must_change;
};

static void look_up_standing(struct call *c, struct standing *s)
{
	s->tampered = atomic_load_explicit(&c->fw->tampered, memory_order_relaxed);
	if (c->part) {
		s->initialised = partition_initialised(c->part);
		s->must_change = partition_must_change(c->part, c->role);
	} else {
		pthread_rwlock_rdlock(&c->fw->lock);
		s->initialised = c->fw->hsm.initialised;
		s->must_change = c->fw->hsm.roles[c->role].must_change;
		pthread_rwlock_unlock(&c->fw->lock);
	}
}

/* What the operation's table entry demands */
static CK_RV admit(struct call *c)
{
	uint32_t flags = c->spec->flags;
	struct standing s;

	look_up_login(c);
	look_up_standing(c, &s);
	if (s.tampered && !(flags & OP_TAMPERED))
		return PCIEHSM_CKR_TAMPERED;
	if (flags & OP_OPEN)
		return CKR_OK;
	if (!s.initialised)
		return PCIEHSM_CKR_NOT_INITIALISED;
	if (c->role != PCIEHSM_ROLE_NONE && s.must_change)
		return CKR_PIN_EXPIRED;
	if (!(flags & (OP_SO | OP_PO | OP_CO | OP_AU)))
		return CKR_OK;
	if (((flags & OP_SO) && c->role == PCIEHSM_ROLE_SO) ||
	    ((flags & OP_PO) && c->role == PCIEHSM_ROLE_PO) ||
	    ((flags & OP_AU) && c->role == PCIEHSM_ROLE_AU) ||
	    ((flags & OP_CO) && c->role == PCIEHSM_ROLE_CO))
		return CKR_OK;
	return CKR_USER_NOT_LOGGED_IN;
}

static CK_RV perform(struct call *c)
{
	CK_RV rv = admit(c), logged;
	uint32_t role = c->role;

	if (rv == CKR_OK)
		rv = audit_admit(c);
	if (rv == CKR_OK)
		rv = c->spec->run(c);
	logged = audit_call(c, role, rv == CKR_OK && c->out.need ? CKR_BUFFER_TOO_SMALL : rv);
	if (logged != CKR_OK) {
		rv = logged;
		c->out.keep = false;
	}
	/* The partition went while this was being done: that something was missing says nothing. */
	if (rv != CKR_OK && c->part && atomic_load(&c->part->gone))
		rv = CKR_DEVICE_REMOVED;
	if (rv == CKR_DEVICE_REMOVED)
		c->status = HSM_FW_NO_PARTITION;
	else if (rv == CKR_FUNCTION_CANCELED)
		c->status = HSM_FW_ABORTED_RUNNING;
	return rv;
}

static void count(struct call *c, CK_RV rv)
{
	if (!c->part)
		return;
	if (rv != CKR_OK || c->out.need)
		partition_count(c->part, PCIEHSM_STAT_ERRORS, 1);
	else if (c->spec->stat != STAT_NONE)
		partition_count(c->part, c->spec->stat, 1);
}

/* A message with a header and room for an answer */
static void answer(struct call *c)
{
	struct hsm_fw_request *req = c->req;
	uint32_t op = wire_get32((const uint8_t *)req->in + offsetof(struct pciehsm_msg, op));
	uint32_t session = wire_get32((const uint8_t *)req->in +
				      offsetof(struct pciehsm_msg, session));
	CK_RV rv;

	answer_init(&c->out, req->out, req->out_size);
	c->spec = op_find(op);
	if (!c->spec || !(op & (c->part ? PCIEHSM_OP_PARTITION : PCIEHSM_OP_HSM))) {
		rv = CKR_FUNCTION_NOT_SUPPORTED;
		c->spec = NULL;
	} else {
		rv = message_parse(&c->in, req->in, req->in_len, op_takes(c->spec));
	}
	if (rv == CKR_OK)
		rv = perform(c);
	count(c, rv);
	if (c->status == HSM_FW_ANSWERED)
		req->out_len = answer_finish(&c->out, op, session, rv);
	else
		/* A partial answer may hold secrets that are nobody's now. */
		fw_wipe(req->out, c->out.len);
}

/*
 * The context, which keeps its partition. It mostly is there already, and then nobody
 * else's lock is needed to find that.
 */
static enum hsm_fw_status enter(struct call *c)
{
	struct contexts *contexts = &c->fw->contexts;
	struct partition *part = NULL;

	c->ctx = context_enter_known(contexts, c->req->context, c->req->partition);
	if (!c->ctx) {
		if (c->req->partition) {
			part = partition_find(c->fw, c->req->partition);
			if (!part)
				return HSM_FW_NO_PARTITION;
		}
		c->ctx = context_enter(contexts, c->req->context, c->req->partition, part);
		partition_put(part);
	}
	if (!c->ctx)
		return HSM_FW_CONTEXT_LIMIT;
	c->part = c->ctx->part;
	return HSM_FW_ANSWERED;
}

void call_execute(struct hsm_fw *fw, struct hsm_fw_request *req, bool queued)
{
	struct call c;

	c.fw = fw;
	c.req = req;
	c.spec = NULL;
	c.part = NULL;
	c.ctx = NULL;
	c.role = PCIEHSM_ROLE_NONE;
	c.status = HSM_FW_ANSWERED;
	c.queued = queued;
	c.progress_at = 0;
	c.events.count = 0;
	req->out_len = 0;
	if (!message_header_valid(req->in, req->in_len) || !req->context ||
	    req->out_size < sizeof(struct pciehsm_msg)) {
		req->status = HSM_FW_MALFORMED;
		return;
	}
	req->status = enter(&c);
	if (!c.ctx)
		return;
	answer(&c);
	context_leave(&fw->contexts, c.ctx);
	req->status = c.status;
	events_fire(fw, &c.events);
}

void hsm_fw_execute(struct hsm_fw *fw, struct hsm_fw_request *req)
{
	call_execute(fw, req, false);
}

void hsm_fw_context_close(struct hsm_fw *fw, uint32_t context)
{
	if (!context)
		return;
	engines_cancel(fw, context);
	contexts_close(&fw->contexts, context);
	/* What an engine had taken from the queue but not yet begun made a new one. */
	engines_wait(fw, context);
	contexts_close(&fw->contexts, context);
}

void hsm_fw_reset(struct hsm_fw *fw)
{
	engines_cancel(fw, 0);
	contexts_close(&fw->contexts, 0);
	engines_wait(fw, 0);
	contexts_close(&fw->contexts, 0);
}
