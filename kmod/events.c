// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events of the card. One PCIEHSM_ADMIN_EVENT is outstanding while the card is LIVE;
 * event_work handles what it brings, keeps the nodes equal to the card's list of
 * partitions, and passes the event on to the readers when the nodes are as it says.
 */

#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "hsm.h"
#include "trace.h"

/* With ctx_lock. A reader that does not read loses the newest, and is told so. */
static void hsm_event_push(struct hsm_ctx *ctx, const struct pciehsm_event *event)
{
	if (ctx->ev_n == HSM_EVENTS) {
		ctx->ev_lost = true;
		return;
	}
	ctx->events[(ctx->ev_first + ctx->ev_n) % HSM_EVENTS] = *event;
	ctx->ev_n++;
}

static void hsm_event_broadcast(struct hsm_ctrl *ctrl, const struct pciehsm_event *event)
{
	bool all = event->type == PCIEHSM_EVENT_OVERFLOW && !event->number;
	struct hsm_ctx *ctx;

	spin_lock(&ctrl->ctx_lock);
	list_for_each_entry(ctx, &ctrl->ctxs, entry)
		if (all || !ctx->node->number || ctx->node->number == event->number)
			hsm_event_push(ctx, event);
	spin_unlock(&ctrl->ctx_lock);
	wake_up_all(&ctrl->event_wq);
}

static void hsm_event_finish(struct hsm_slot *slot)
{
	struct hsm_ctrl *ctrl = slot->queue->ctrl;
	enum pciehsm_outcome outcome;

	/* There is one at a time, and event_work sends the next: nobody else writes. */
	if (!hsm_slot_result(slot, &outcome)) {
		ctrl->event = (struct pciehsm_event) {
			.type	= slot->result,
			.number	= slot->result2,
		};
		WRITE_ONCE(ctrl->event_valid, true);
	} else if (!slot->err) {
		dev_warn(&ctrl->pdev->dev, "the card refuses to report events (%#x)\n",
			 PCIEHSM_CQE_STATUS(slot->status));
		WRITE_ONCE(ctrl->event_broken, true);
	}
	/* After the event itself: pairs with the loads in event_work. */
	smp_store_release(&ctrl->event_sent, false);
	/* Before the slot is given back: removal waits for that, then for the work. */
	queue_work(hsm_wq, &ctrl->event_work);
	hsm_slot_put(slot);
}

static void hsm_event_ask(struct hsm_ctrl *ctrl)
{
	struct hsm_slot *slot;
	unsigned long left = 0;

	/* One that was not handled yet would be overwritten by the next. */
	if (smp_load_acquire(&ctrl->event_sent) || READ_ONCE(ctrl->event_valid) ||
	    READ_ONCE(ctrl->event_broken))
		return;
	slot = hsm_slot_get(ctrl, 0, HSM_SLOT_CARE, &left);
	if (IS_ERR(slot))
		return;
	slot->sqe.opcode = PCIEHSM_ADMIN_EVENT;
	WRITE_ONCE(ctrl->event_sent, true);
	if (hsm_slot_submit_async(slot, 0, hsm_event_finish, NULL)) {
		WRITE_ONCE(ctrl->event_sent, false);
		hsm_slot_put(slot);
	}
}

static void hsm_event_update(struct hsm_ctrl *ctrl, u32 type)
{
	struct pciehsm_identify id;
	int count;

	switch (type) {
	case PCIEHSM_EVENT_HSM_CHANGED:
	case PCIEHSM_EVENT_OVERFLOW:
		/* A factory reset ends a tamper. */
		hsm_hwmon_kick(ctrl);
		if (!hsm_admin_identify(ctrl, &id)) {
			spin_lock(&ctrl->lock);
			ctrl->ident = id;
			spin_unlock(&ctrl->lock);
			hsm_nodes_refresh_card(ctrl);
		}
		fallthrough;
	case PCIEHSM_EVENT_PARTITION_CREATED:
	case PCIEHSM_EVENT_PARTITION_DELETED:
	case PCIEHSM_EVENT_PARTITION_CHANGED:
		count = hsm_admin_partitions(ctrl);
		if (count >= 0)
			hsm_nodes_scan(ctrl, count);
		else if (hsm_ctrl_state(ctrl) == PCIEHSM_STATE_LIVE)
			dev_warn(&ctrl->pdev->dev, "no list of partitions (%d)\n", count);
		break;
	case PCIEHSM_EVENT_TAMPER:
	case PCIEHSM_EVENT_TEMPERATURE:
		hsm_hwmon_kick(ctrl);
		break;
	default:
		break;
	}
}

/**
 * hsm_event_work() - handle an event, and ask for the next one
 * @work:	ctrl->event_work
 */
void hsm_event_work(struct work_struct *work)
{
	struct hsm_ctrl *ctrl = container_of(work, struct hsm_ctrl, event_work);
	struct pciehsm_event event = { .type = PCIEHSM_EVENT_OVERFLOW };

	if (hsm_ctrl_state(ctrl) != PCIEHSM_STATE_LIVE)
		return;
	if (xchg(&ctrl->rescan, false)) {
		hsm_event_update(ctrl, PCIEHSM_EVENT_OVERFLOW);
		/* Nobody can tell what a reset has swallowed. */
		if (xchg(&ctrl->catch_up, false))
			hsm_event_broadcast(ctrl, &event);
	}
	/* The event is whole if it is not outstanding. */
	if (!smp_load_acquire(&ctrl->event_sent) && READ_ONCE(ctrl->event_valid)) {
		event = ctrl->event;
		WRITE_ONCE(ctrl->event_valid, false);
		trace_pciehsm_event(ctrl->id, event.type, event.number);
		/* A partition that goes has its index only before, a new one after. */
		event.index = hsm_nodes_index(ctrl, event.number);
		hsm_event_update(ctrl, event.type);
		if (!event.index)
			event.index = hsm_nodes_index(ctrl, event.number);
		hsm_event_broadcast(ctrl, &event);
	}
	hsm_event_ask(ctrl);
}

/**
 * hsm_event_kick() - the card has become LIVE
 * @ctrl:	the card
 * @lost:	events may have been lost: readers are told
 */
void hsm_event_kick(struct hsm_ctrl *ctrl, bool lost)
{
	WRITE_ONCE(ctrl->event_broken, false);
	if (lost)
		WRITE_ONCE(ctrl->catch_up, true);
	/* After catch_up: the work looks in the other order. */
	smp_store_release(&ctrl->rescan, true);
	queue_work(hsm_wq, &ctrl->event_work);
}

/**
 * hsm_event_waiting() - is there something to read?
 * @ctx:	the open file
 */
bool hsm_event_waiting(struct hsm_ctx *ctx)
{
	struct hsm_ctrl *ctrl = ctx->node->ctrl;
	bool waiting;

	spin_lock(&ctrl->ctx_lock);
	waiting = ctx->ev_n || ctx->ev_lost;
	spin_unlock(&ctrl->ctx_lock);
	return waiting;
}

/* The oldest event, or the news that some are missing. Stays until it is dropped. */
static bool hsm_event_peek(struct hsm_ctx *ctx, struct pciehsm_event *event)
{
	struct hsm_ctrl *ctrl = ctx->node->ctrl;
	bool any = true;

	spin_lock(&ctrl->ctx_lock);
	if (ctx->ev_n)
		*event = ctx->events[ctx->ev_first];
	else if (ctx->ev_lost)
		*event = (struct pciehsm_event) { .type = PCIEHSM_EVENT_OVERFLOW };
	else
		any = false;
	spin_unlock(&ctrl->ctx_lock);
	return any;
}

static void hsm_event_drop(struct hsm_ctx *ctx)
{
	struct hsm_ctrl *ctrl = ctx->node->ctrl;

	spin_lock(&ctrl->ctx_lock);
	if (ctx->ev_n) {
		ctx->ev_first = (ctx->ev_first + 1) % HSM_EVENTS;
		ctx->ev_n--;
	} else {
		ctx->ev_lost = false;
	}
	spin_unlock(&ctrl->ctx_lock);
}

/**
 * hsm_event_read() - read() of a node
 * @ctx:	the open file
 * @buf:	user memory
 * @len:	bytes there
 * @nonblock:	do not wait
 *
 * An event is dropped from the queue only after it has reached the reader.
 *
 * Return: bytes, or a negative errno as in ioctl.h.
 */
ssize_t hsm_event_read(struct hsm_ctx *ctx, char __user *buf, size_t len, bool nonblock)
{
	struct hsm_ctrl *ctrl = ctx->node->ctrl;
	struct pciehsm_event event;
	ssize_t done = 0;

	if (len < sizeof(event))
		return hsm_ctx_gone(ctx) ? -ENODEV : -EINVAL;
	for (;;) {
		if (mutex_lock_interruptible(&ctx->read_lock))
			return -ERESTARTSYS;
		while (!hsm_ctx_gone(ctx) && len - done >= sizeof(event) &&
		       hsm_event_peek(ctx, &event)) {
			if (copy_to_user(buf + done, &event, sizeof(event))) {
				done = done ?: -EFAULT;
				break;
			}
			hsm_event_drop(ctx);
			done += sizeof(event);
		}
		mutex_unlock(&ctx->read_lock);
		if (done)
			return done;
		if (hsm_ctx_gone(ctx))
			return -ENODEV;
		if (nonblock)
			return -EAGAIN;
		if (wait_event_interruptible(ctrl->event_wq,
					     hsm_event_waiting(ctx) || hsm_ctx_gone(ctx)))
			return -ERESTARTSYS;
	}
}
