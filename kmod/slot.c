// SPDX-License-Identifier: GPL-2.0-only
/*
 * Slots: taking one, sending its command, waiting, giving it back.
 *
 * A command belongs to whoever changed its slot from SENT or ASYNC to CLAIMED: the
 * completion or hsm_queue_fail(). A waiter that leaves changes SENT to ASYNC. So
 * every command is completed once, and has exactly one owner at any time.
 */

#include <linux/io.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "hsm.h"
#include "trace.h"

/* Returns a slot, or NULL if there is none to be had now. */
static struct hsm_slot *hsm_slot_try(struct hsm_queue *q, unsigned int how)
{
	struct hsm_slot *slot = NULL;

	spin_lock(&q->lock);
	if (q->open && q->nfree > (how & HSM_SLOT_CARE ? 0 : q->reserve))
		slot = &q->slots[q->free[--q->nfree]];
	spin_unlock(&q->lock);
	if (!slot)
		return NULL;

	/* The old generation must not be taken for the new command's. */
	WRITE_ONCE(slot->gen, slot->gen + 1);
	WRITE_ONCE(slot->used, true);
	WRITE_ONCE(slot->abort, HSM_ABORT_NO);
	slot->timed_out = false;
	slot->err = 0;
	slot->wipe = 0;
	memset(&slot->sqe, 0, sizeof(slot->sqe));
	reinit_completion(&slot->done);
	atomic_set(&slot->state, HSM_SLOT_OWNED);
	return slot;
}

static bool hsm_slot_may_try(struct hsm_queue *q)
{
	return !READ_ONCE(q->open) || READ_ONCE(q->nfree) > q->reserve;
}

/**
 * hsm_slot_get() - take a slot of a queue
 * @ctrl:	the card
 * @qid:	number of the queue, which exists unless the card is being removed
 * @how:	HSM_SLOT_*
 * @left:	jiffies to wait at most; what remains is written back
 *
 * The caller owns the slot until hsm_slot_put() or hsm_slot_submit_async().
 *
 * Return: the slot, or -EAGAIN (the queue is closed), -ETIMEDOUT, -EINTR, -EBUSY
 * (HSM_SLOT_CARE and none free) or -ENODEV (the driver is leaving) as ERR_PTR.
 */
struct hsm_slot *hsm_slot_get(struct hsm_ctrl *ctrl, unsigned int qid, unsigned int how,
			      unsigned long *left)
{
	struct hsm_queue *q;
	struct hsm_slot *slot;
	long ret;

	/* There may be no queue any more, so first of all: */
	if (!percpu_ref_tryget_live(&ctrl->users))
		return ERR_PTR(-ENODEV);
	q = ctrl->queues[qid];
	for (;;) {
		slot = hsm_slot_try(q, how);
		if (slot)
			return slot;
		if (!READ_ONCE(q->open))
			ret = -EAGAIN;
		else if (how & HSM_SLOT_CARE)
			ret = -EBUSY;
		else if (!*left)
			ret = -ETIMEDOUT;
		else if (how & HSM_SLOT_NOSIGNAL)
			ret = wait_event_timeout(q->wait, hsm_slot_may_try(q), *left);
		else
			ret = wait_event_interruptible_timeout(q->wait, hsm_slot_may_try(q),
							       *left);
		if (ret < 0)
			break;
		*left = ret;
	}
	percpu_ref_put(&ctrl->users);
	return ERR_PTR(ret == -ERESTARTSYS ? -EINTR : ret);
}

/**
 * hsm_slot_put() - give a slot back
 * @slot:	owned by the caller; its command is over or was never sent
 */
void hsm_slot_put(struct hsm_slot *slot)
{
	struct hsm_queue *q = slot->queue;
	struct hsm_ctrl *ctrl = q->ctrl;

	if (slot->wipe)
		memzero_explicit(slot->area, slot->wipe);
	atomic_set(&slot->state, HSM_SLOT_FREE);
	spin_lock(&q->lock);
	q->free[q->nfree++] = slot->index;
	spin_unlock(&q->lock);
	if (wq_has_sleeper(&q->wait))
		wake_up(&q->wait);
	/* The queue may be freed after this. */
	percpu_ref_put(&ctrl->users);
}

static int hsm_slot_send(struct hsm_slot *slot, unsigned long timeout, enum hsm_slot_state state)
{
	struct hsm_queue *q = slot->queue;

	slot->sqe.cid = cpu_to_le16(hsm_cid(slot->index, slot->gen));
	slot->timeout = timeout;
	trace_pciehsm_submit(slot);

	if (q->qid && hsm_inject(&q->ctrl->inject.fail_submits))
		return -EIO;
	spin_lock(&q->lock);
	if (!q->open) {
		spin_unlock(&q->lock);
		return -EAGAIN;
	}
	slot->gen_resets = READ_ONCE(q->ctrl->resets);
	WRITE_ONCE(slot->deadline, jiffies + timeout);
	atomic_set_release(&slot->state, state);
	q->sq[q->sq_tail] = slot->sqe;
	WRITE_ONCE(q->sq_tail, hsm_ring_next(q->sq_tail, q->depth));
	/* writel() orders the entry and the data before the doorbell. */
	writel(q->sq_tail, q->sq_db);
	spin_unlock(&q->lock);

	if (timeout)
		hsm_watchdog_kick(q->ctrl, timeout);
	return 0;
}

/**
 * hsm_slot_submit() - send a command that the caller will wait for
 * @slot:	owned; its @sqe is filled in but for the command id
 * @timeout:	jiffies that the card may be silent, 0: for ever
 *
 * Return: 0, then hsm_slot_wait() must follow. Else nothing was sent: -EAGAIN, the
 * queue is closed; or -EIO, a test wants it so.
 */
int hsm_slot_submit(struct hsm_slot *slot, unsigned long timeout)
{
	return hsm_slot_send(slot, timeout, HSM_SLOT_SENT);
}

/**
 * hsm_slot_submit_async() - send a command that nobody waits for
 * @slot:	owned; its @sqe is filled in but for the command id
 * @timeout:	jiffies that the card may be silent, 0: for ever
 * @finish:	called in process context when it is over; owns the slot then
 * @priv:	for @finish
 *
 * The caller is one of the card's workers, which removal waits for, or takes care in
 * another way that the card is not freed before this has returned.
 *
 * Return: 0, then the slot is not the caller's any more; or -EAGAIN as above.
 */
int hsm_slot_submit_async(struct hsm_slot *slot, unsigned long timeout,
			  void (*finish)(struct hsm_slot *slot), void *priv)
{
	slot->finish = finish;
	slot->priv = priv;
	return hsm_slot_send(slot, timeout, HSM_SLOT_ASYNC);
}

/**
 * hsm_slot_wait() - wait for a command that was sent
 * @slot:	submitted by the caller
 * @finish:	NULL: no signal ends the wait. Else a fatal one does, and @finish
 *		owns the slot when the command is over.
 * @priv:	for @finish
 *
 * The wait is bounded by the watchdog (see hsm.h). A command that nobody waits for
 * any more is aborted, if the card can, but its memory stays until it is over.
 *
 * Return: 0, the slot is the caller's; or -EINTR, it is not any more.
 */
int hsm_slot_wait(struct hsm_slot *slot, void (*finish)(struct hsm_slot *slot), void *priv)
{
	struct hsm_ctrl *ctrl = slot->queue->ctrl;
	int state = HSM_SLOT_SENT, ret = 0;

	if (!finish) {
		wait_for_completion(&slot->done);
		return 0;
	}
	if (!wait_for_completion_killable(&slot->done))
		return 0;
	slot->finish = finish;
	slot->priv = priv;
	WRITE_ONCE(slot->abort, HSM_ABORT_WANTED);
	/* The slot's own may be dropped next, and nobody kicks what is being removed. */
	percpu_ref_get(&ctrl->users);
	/* After this exchange the slot may be over and used anew at any time. */
	if (atomic_try_cmpxchg(&slot->state, &state, HSM_SLOT_ASYNC)) {
		atomic64_inc(&ctrl->counters.orphans);
		hsm_watchdog_kick(ctrl, 1);
		ret = -EINTR;
	} else {
		/* It is being completed at this moment. */
		wait_for_completion(&slot->done);
	}
	percpu_ref_put(&ctrl->users);
	return ret;
}

/**
 * hsm_slot_claim() - become the one who completes a command
 * @slot:	any slot
 * @async:	out: nobody waits for it
 *
 * Return: true if it was in flight. hsm_slot_complete() must follow.
 */
bool hsm_slot_claim(struct hsm_slot *slot, bool *async)
{
	int state = atomic_read_acquire(&slot->state);

	while (state == HSM_SLOT_SENT || state == HSM_SLOT_ASYNC) {
		*async = state == HSM_SLOT_ASYNC;
		if (atomic_try_cmpxchg(&slot->state, &state, HSM_SLOT_CLAIMED))
			return true;
	}
	return false;
}

/**
 * hsm_slot_complete() - hand a command that is over to its owner
 * @slot:	claimed, results filled in
 * @async:	as hsm_slot_claim() told
 *
 * Works in interrupt context. The slot is not the caller's after this.
 */
void hsm_slot_complete(struct hsm_slot *slot, bool async)
{
	trace_pciehsm_complete(slot);
	atomic_set_release(&slot->state, HSM_SLOT_DONE);
	if (async)
		queue_work(hsm_wq, &slot->work);
	else
		complete(&slot->done);
}

/**
 * hsm_slot_work() - the end of a command that nobody waited for
 * @work:	of the slot
 */
void hsm_slot_work(struct work_struct *work)
{
	struct hsm_slot *slot = container_of(work, struct hsm_slot, work);

	slot->finish(slot);
}

/**
 * hsm_slot_result() - what became of a command
 * @slot:	owned; its command is over
 * @outcome:	out: was it executed
 *
 * Return: 0 or a negative errno of the table in ioctl.h.
 */
int hsm_slot_result(const struct hsm_slot *slot, enum pciehsm_outcome *outcome)
{
	int ret;

	if (slot->err) {
		*outcome = PCIEHSM_OUTCOME_UNKNOWN;
		return slot->err;
	}
	*outcome = hsm_status_outcome(slot->status);
	ret = hsm_status_errno(slot->status, slot->timed_out);
	/* Aborted because the card is being removed. */
	if (ret == -ECANCELED && hsm_ctrl_gone(slot->queue->ctrl))
		ret = -ENODEV;
	return ret;
}
