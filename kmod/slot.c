// SPDX-License-Identifier: GPL-2.0-only
/*
 * Slots: taking one, sending its command, waiting, giving it back.
 *
 * A command belongs to whoever changed its slot from SENT, ASYNC or CALL to CLAIMED: the
 * completion or hsm_queue_fail(). A waiter that leaves changes SENT to ASYNC. So
 * every command is completed once, and has exactly one owner at any time.
 */

#include <linux/bitops.h>
#include <linux/blkdev.h>
#include <linux/io.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "hsm.h"
#include "trace.h"

/* Count oneself in for one of the free slots, but for @keep of them. */
static bool hsm_queue_reserve(struct hsm_queue *q, int keep)
{
	int n = atomic_read(&q->nfree);

	do {
		if (n <= keep)
			return false;
	} while (!atomic_try_cmpxchg_acquire(&q->nfree, &n, n - 1));
	return true;
}

/* Returns a slot, or NULL if there is none to be had now. */
static struct hsm_slot *hsm_slot_try(struct hsm_queue *q, unsigned int how)
{
	struct hsm_slot *slot;
	unsigned long i;

	if (!READ_ONCE(q->open) || !hsm_queue_reserve(q, how & HSM_SLOT_CARE ? 0 : q->reserve))
		return NULL;
	/* There is a clear bit for each who has counted himself in. */
	do {
		i = find_first_zero_bit(q->busy, q->nslots);
	} while (i >= q->nslots || test_and_set_bit_lock(i, q->busy));

	slot = &q->slots[i];
	slot->err = 0;
	slot->wipe = 0;
	memset(&slot->sqe, 0, sizeof(slot->sqe));
	atomic_set(&slot->state, HSM_SLOT_OWNED);
	return slot;
}

static bool hsm_slot_may_try(struct hsm_queue *q)
{
	return !READ_ONCE(q->open) || atomic_read(&q->nfree) > q->reserve;
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
 * (none free, with HSM_SLOT_CARE or HSM_SLOT_NOWAIT) or -ENODEV (the driver is leaving) as ERR_PTR.
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
		else if (how & (HSM_SLOT_CARE | HSM_SLOT_NOWAIT))
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
 *
 * Works in interrupt context.
 */
void hsm_slot_put(struct hsm_slot *slot)
{
	struct hsm_queue *q = slot->queue;
	struct hsm_ctrl *ctrl = q->ctrl;

	if (slot->wipe)
		memzero_explicit(slot->area, slot->wipe);
	atomic_set(&slot->state, HSM_SLOT_FREE);
	clear_bit_unlock(slot->index, q->busy);
	/* Fully ordered: the bit is clear before it counts. */
	atomic_inc_return(&q->nfree);
	/* Nor is it looked up earlier who waits; who comes later sees the count. */
	if (waitqueue_active(&q->wait))
		wake_up(&q->wait);
	/* The queue may be freed after this. */
	percpu_ref_put(&ctrl->users);
}

/* With q->lock: tell the card of all entries that it does not know of. */
static void hsm_queue_ring(struct hsm_queue *q)
{
	if (q->sq_rung == q->sq_tail)
		return;
	q->sq_rung = q->sq_tail;
	/* writel() orders the entries and the data before the doorbell. */
	writel(q->sq_tail, q->sq_db);
}

#ifdef CONFIG_BLOCK
/**
 * struct hsm_plug - one doorbell for several commands
 * @cb:		its data is the queue
 * @held:	it has a reference to the users of the card
 *
 * io_uring plugs block devices while it goes through what was submitted in one go.
 * The plug is flushed at the end of that, and before the task sleeps for whatever
 * reason: so no command waits for anybody but a running task.
 */
struct hsm_plug {
	struct blk_plug_cb	cb;
	bool			held;
};

static void hsm_queue_unplug(struct blk_plug_cb *cb, bool from_schedule)
{
	struct hsm_queue *q = cb->data;
	struct hsm_ctrl *ctrl = q->ctrl;

	spin_lock(&q->lock);
	/* Closed: the entries are lost, and their commands were given back. */
	if (q->open)
		hsm_queue_ring(q);
	spin_unlock(&q->lock);
	kfree(container_of(cb, struct hsm_plug, cb));
	percpu_ref_put(&ctrl->users);
}

/* Returns true if hsm_queue_unplug() will follow. */
static bool hsm_queue_plug(struct hsm_queue *q)
{
	struct blk_plug_cb *cb = blk_check_plugged(hsm_queue_unplug, q,
						   sizeof(struct hsm_plug));
	struct hsm_plug *plug;

	if (!cb)
		return false;
	plug = container_of(cb, struct hsm_plug, cb);
	if (!plug->held) {
		/* The caller has one, too: it is alive. */
		percpu_ref_get(&q->ctrl->users);
		plug->held = true;
	}
	return true;
}
#else
static bool hsm_queue_plug(struct hsm_queue *q)
{
	return false;
}
#endif

static int hsm_slot_send(struct hsm_slot *slot, unsigned long timeout,
			 enum hsm_slot_state state, u32 *resets)
{
	/* Who sleeps for one command has no other to send. */
	bool plugged = state == HSM_SLOT_CALL && hsm_queue_plug(slot->queue);
	struct hsm_queue *q = slot->queue;
	struct hsm_ctrl *ctrl = q->ctrl;
	int ret = 0;

	slot->timeout = timeout;
	/* Once it is sent the slot may be over and given back at any time. */
	percpu_ref_get(&ctrl->users);
	spin_lock(&q->lock);
	if (!q->open) {
		ret = -EAGAIN;
		goto unlock;
	}
	if (q->qid && hsm_inject(&ctrl->inject.fail_submits)) {
		ret = -EIO;
		goto unlock;
	}
	/* Before it is in flight, and locked: nobody takes it for the old command. */
	WRITE_ONCE(slot->gen, slot->gen + 1);
	WRITE_ONCE(slot->used, true);
	slot->timed_out = false;
	slot->abort = HSM_ABORT_NO;
	slot->sqe.cid = cpu_to_le16(hsm_cid(slot->index, slot->gen));
	slot->gen_resets = READ_ONCE(ctrl->resets);
	if (resets)
		*resets = slot->gen_resets;
	WRITE_ONCE(slot->deadline, jiffies + timeout);
	trace_pciehsm_submit(slot);
	q->sq[q->sq_tail] = slot->sqe;
	atomic_set_release(&slot->state, state);
	WRITE_ONCE(q->sq_tail, hsm_ring_next(q->sq_tail, q->depth));
	if (!plugged)
		hsm_queue_ring(q);
unlock:
	spin_unlock(&q->lock);
	if (!ret && timeout)
		hsm_watchdog_kick(ctrl, timeout);
	percpu_ref_put(&ctrl->users);
	return ret;
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
	reinit_completion(&slot->done);
	slot->priv = NULL;
	return hsm_slot_send(slot, timeout, HSM_SLOT_SENT, NULL);
}

/**
 * hsm_slot_submit_async() - send a command that nobody waits for
 * @slot:	owned; its @sqe is filled in but for the command id
 * @timeout:	jiffies that the card may be silent, 0: for ever
 * @finish:	called in process context when it is over; owns the slot then
 * @priv:	for @finish
 *
 * Return: 0, then the slot is not the caller's any more; or -EAGAIN as above.
 */
int hsm_slot_submit_async(struct hsm_slot *slot, unsigned long timeout,
			  void (*finish)(struct hsm_slot *slot), void *priv)
{
	slot->finish = finish;
	slot->priv = priv;
	return hsm_slot_send(slot, timeout, HSM_SLOT_ASYNC, NULL);
}

/**
 * hsm_slot_submit_call() - send a command whose end is a call
 * @slot:	owned; its @sqe is filled in but for the command id
 * @timeout:	jiffies that the card may be silent, 0: for ever
 * @finish:	called where the completion is seen, in an interrupt as a rule, and maybe
 *		before this returns; owns the slot then
 * @priv:	for @finish, and for hsm_slot_cancel()
 * @resets:	out: ctrl->resets when it was sent
 *
 * Return: 0, then the slot is not the caller's any more; or -EAGAIN as above.
 */
int hsm_slot_submit_call(struct hsm_slot *slot, unsigned long timeout,
			 void (*finish)(struct hsm_slot *slot), void *priv, u32 *resets)
{
	slot->finish = finish;
	slot->priv = priv;
	return hsm_slot_send(slot, timeout, HSM_SLOT_CALL, resets);
}

/**
 * hsm_slot_cancel() - nobody needs a command of hsm_slot_submit_call() any more
 * @slot:	was the command's, which may be over long since; the caller makes sure that
 *		the card is not freed
 * @priv:	the command's
 *
 * Asks the card to abort it, and does not wait.
 */
void hsm_slot_cancel(struct hsm_slot *slot, const void *priv)
{
	struct hsm_queue *q = slot->queue;
	bool ours;

	spin_lock(&q->lock);
	/* Nothing is sent meanwhile, so it is not another command of the same slot. */
	ours = hsm_slot_inflight(slot) && slot->priv == priv;
	if (ours && slot->abort == HSM_ABORT_NO)
		slot->abort = HSM_ABORT_WANTED;
	spin_unlock(&q->lock);
	if (ours)
		hsm_watchdog_kick(q->ctrl, 1);
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
 * @how:	out: how it was sent
 *
 * Return: true if it was in flight. hsm_slot_complete() must follow.
 */
bool hsm_slot_claim(struct hsm_slot *slot, enum hsm_slot_state *how)
{
	int state = atomic_read_acquire(&slot->state);

	while (state == HSM_SLOT_SENT || state == HSM_SLOT_ASYNC || state == HSM_SLOT_CALL) {
		*how = state;
		if (atomic_try_cmpxchg(&slot->state, &state, HSM_SLOT_CLAIMED))
			return true;
	}
	return false;
}

/**
 * hsm_slot_complete() - hand a command that is over to its owner
 * @slot:	claimed, results filled in
 * @how:	as hsm_slot_claim() told
 *
 * Works in interrupt context. The slot is not the caller's after this.
 */
void hsm_slot_complete(struct hsm_slot *slot, enum hsm_slot_state how)
{
	trace_pciehsm_complete(slot);
	atomic_set_release(&slot->state, HSM_SLOT_DONE);
	switch (how) {
	case HSM_SLOT_CALL:
		slot->finish(slot);
		break;
	case HSM_SLOT_ASYNC:
		queue_work(hsm_wq, &slot->work);
		break;
	default:
		complete(&slot->done);
		break;
	}
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
