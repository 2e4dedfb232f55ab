// SPDX-License-Identifier: GPL-2.0-only
/* The driver's own commands, all on the admin queue. */

#include <linux/jiffies.h>
#include <linux/string.h>

#include "hsm.h"

/**
 * hsm_admin() - send an admin command and wait for it
 * @ctrl:	the card
 * @sqe:	the command; with @out, its @out is filled in here
 * @result:	out, may be NULL
 * @out:	room for its data, may be NULL
 * @out_len:	bytes, at most HSM_SLOT_AREA
 *
 * No signal ends the wait: the watchdog bounds it.
 *
 * Return: 0 or a negative errno.
 */
int hsm_admin(struct hsm_ctrl *ctrl, struct pciehsm_sqe *sqe, u32 *result,
	      void *out, size_t out_len)
{
	unsigned long timeout = msecs_to_jiffies(hsm_admin_timeout_ms);
	unsigned long left = timeout;
	enum pciehsm_outcome outcome;
	struct hsm_slot *slot;
	int ret;

	slot = hsm_slot_get(ctrl, 0, HSM_SLOT_NOSIGNAL, &left);
	if (IS_ERR(slot))
		return PTR_ERR(slot);
	slot->sqe = *sqe;
	if (out) {
		slot->sqe.out.addr = cpu_to_le64(slot->area_dma);
		slot->sqe.out.len = cpu_to_le32(out_len);
		slot->wipe = out_len;
	}
	ret = hsm_slot_submit(slot, timeout);
	if (!ret) {
		hsm_slot_wait(slot, NULL, NULL);
		ret = hsm_slot_result(slot, &outcome);
	}
	if (!ret && out)
		memcpy(out, slot->area, out_len);
	if (!ret && result)
		*result = slot->result;
	hsm_slot_put(slot);
	return ret;
}

/**
 * hsm_admin_identify() - ask the card who it is
 * @ctrl:	the card
 * @id:		out
 *
 * Return: 0 or a negative errno.
 */
int hsm_admin_identify(struct hsm_ctrl *ctrl, struct pciehsm_identify *id)
{
	struct pciehsm_sqe sqe = { .opcode = PCIEHSM_ADMIN_IDENTIFY };

	BUILD_BUG_ON(sizeof(*id) > HSM_SLOT_AREA);
	return hsm_admin(ctrl, &sqe, NULL, id, sizeof(*id));
}

/**
 * hsm_admin_set_queues() - ask for I/O queue pairs
 * @ctrl:	the card
 * @want:	how many
 *
 * Return: how many there are, at least 1, or a negative errno.
 */
int hsm_admin_set_queues(struct hsm_ctrl *ctrl, unsigned int want)
{
	struct pciehsm_sqe sqe = {
		.opcode	= PCIEHSM_ADMIN_SET_QUEUES,
		.arg[0]	= cpu_to_le32(want),
	};
	u32 granted = 0;
	int ret;

	ret = hsm_admin(ctrl, &sqe, &granted, NULL, 0);
	if (ret)
		return ret;
	if (!granted)
		return -EIO;
	return min(granted, want);
}

/**
 * hsm_admin_create_queue() - make the card use a queue pair
 * @q:	an I/O queue, initialised
 *
 * Return: 0 or a negative errno.
 */
int hsm_admin_create_queue(struct hsm_queue *q)
{
	u32 shape = q->qid | (u32)(q->depth - 1) << 16;
	struct pciehsm_sqe cq = {
		.opcode		= PCIEHSM_ADMIN_CREATE_CQ,
		.in.addr	= cpu_to_le64(q->cq_dma),
		.in.len		= cpu_to_le32(q->depth * sizeof(*q->cq)),
		.arg[0]		= cpu_to_le32(shape),
		.arg[1]		= cpu_to_le32(q->vector),
	};
	struct pciehsm_sqe sq = {
		.opcode		= PCIEHSM_ADMIN_CREATE_SQ,
		.in.addr	= cpu_to_le64(q->sq_dma),
		.in.len		= cpu_to_le32(q->depth * sizeof(*q->sq)),
		.arg[0]		= cpu_to_le32(shape),
		.arg[1]		= cpu_to_le32(q->qid),
	};
	int ret;

	ret = hsm_admin(q->ctrl, &cq, NULL, NULL, 0);
	if (ret)
		return ret;
	return hsm_admin(q->ctrl, &sq, NULL, NULL, 0);
}

/**
 * hsm_admin_partitions() - read the list of partitions into ctrl->list
 * @ctrl:	the card
 *
 * Only for one caller at a time (probe, then event_work).
 *
 * Return: how many there are, or a negative errno.
 */
int hsm_admin_partitions(struct hsm_ctrl *ctrl)
{
	size_t len = PCIEHSM_MAX_PARTITIONS * sizeof(*ctrl->list);
	struct pciehsm_sqe sqe = {
		.opcode		= PCIEHSM_ADMIN_PARTITIONS,
		.out.addr	= cpu_to_le64(ctrl->list_dma),
		.out.len	= cpu_to_le32(len),
	};
	u32 count = 0;
	int ret;

	memset(ctrl->list, 0, len);
	ret = hsm_admin(ctrl, &sqe, &count, NULL, 0);
	if (ret)
		return ret;
	if (count > PCIEHSM_MAX_PARTITIONS) {
		dev_warn(&ctrl->pdev->dev, "the card reports %u partitions, %u are used\n",
			 count, PCIEHSM_MAX_PARTITIONS);
		count = PCIEHSM_MAX_PARTITIONS;
	}
	return count;
}

/**
 * hsm_admin_context_close() - end everything that a context has on the card
 * @ctrl:	the card
 * @ctx:	without commands in flight
 *
 * Nothing to be done if the card never heard of the context, or was reset since:
 * a reset ends all of them. For the same reason a failure that comes of a reset is
 * none. May sleep, bounded by the ladder of the admin queue.
 */
void hsm_admin_context_close(struct hsm_ctrl *ctrl, struct hsm_ctx *ctx)
{
	struct pciehsm_sqe sqe = {
		.opcode		= PCIEHSM_ADMIN_CONTEXT_CLOSE,
		.partition	= cpu_to_le32(ctx->node->number),
		.context	= cpu_to_le32(ctx->number),
	};
	int ret = 0, tries;

	for (tries = 0; tries < 3; tries++) {
		if (!ctx->used || READ_ONCE(ctrl->resets) != ctx->used_resets ||
		    hsm_ctrl_state(ctrl) != PCIEHSM_STATE_LIVE)
			return;
		ret = hsm_admin(ctrl, &sqe, NULL, NULL, 0);
		if (!ret)
			return;
		/* Only a queue without free slots is worth another try. */
		if (ret != -ETIMEDOUT)
			break;
	}
	if (READ_ONCE(ctrl->resets) != ctx->used_resets ||
	    hsm_ctrl_state(ctrl) != PCIEHSM_STATE_LIVE)
		return;
	pr_warn_ratelimited("pciehsm: hsm%d: context %u could not be closed (%d)\n",
			    ctrl->id, ctx->number, ret);
}

static void hsm_abort_finish(struct hsm_slot *slot)
{
	struct hsm_ctrl *ctrl = slot->queue->ctrl;

	atomic_dec(&ctrl->naborts);
	/* There may be more commands to abort than the card takes at once. */
	hsm_watchdog_kick(ctrl, 1);
	hsm_slot_put(slot);
}

/**
 * hsm_abort_send() - ask the card to stop a command
 * @q:		its queue
 * @cid:	the command
 *
 * Does not wait: if the card obeys, the command completes. If it has completed
 * meanwhile and its slot is used anew, @cid names the old generation, and the card
 * does nothing.
 *
 * Return: false if no abort can be sent now.
 */
bool hsm_abort_send(struct hsm_queue *q, u16 cid)
{
	struct hsm_ctrl *ctrl = q->ctrl;
	u32 limit = clamp_t(u32, le32_to_cpu(ctrl->ident.max_aborts), 1, PCIEHSM_MAX_ABORTS);
	struct hsm_slot *slot;
	unsigned long left = 0;

	if (atomic_inc_return(&ctrl->naborts) > limit)
		goto no;
	slot = hsm_slot_get(ctrl, 0, HSM_SLOT_CARE, &left);
	if (IS_ERR(slot))
		goto no;
	slot->sqe.opcode = PCIEHSM_ADMIN_ABORT;
	slot->sqe.arg[0] = cpu_to_le32(q->qid | (u32)cid << 16);
	if (hsm_slot_submit_async(slot, msecs_to_jiffies(hsm_admin_timeout_ms),
				  hsm_abort_finish, NULL)) {
		hsm_slot_put(slot);
		goto no;
	}
	atomic64_inc(&ctrl->counters.aborts);
	return true;
no:
	atomic_dec(&ctrl->naborts);
	return false;
}
