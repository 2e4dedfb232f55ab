// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages to the firmware: checked, copied, sent, waited for, wiped.
 *
 * Nothing here waits for user memory while it holds a slot: the request is copied
 * in before one is taken, the answer is copied out after it was given back. So a
 * process that makes its page faults last for ever (userfaultfd, FUSE) holds up
 * neither a queue nor a removal.
 */

#include <linux/jiffies.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "hsm.h"

/**
 * struct hsm_msg - one message on its way
 * @ctx:	who sends it; referenced
 * @op:		opcode, as it was checked
 * @in_len:	bytes of the request
 * @out_len:	bytes of room for the answer
 * @large:	@din and @dout are in use, else @in and @out
 * @in:		the request
 * @out:	the answer
 * @din:	memory of a large request
 * @dout:	memory of a large answer
 * @data:	memory of both, if they are small
 */
struct hsm_msg {
	struct hsm_ctx	*ctx;
	u32		op;
	u32		in_len;
	u32		out_len;
	bool		large;
	void		*in;
	void		*out;
	struct hsm_dma	din;
	struct hsm_dma	dout;
	u8		data[] __aligned(8);
};

static size_t hsm_msg_out_offset(size_t in_len)
{
	return ALIGN(in_len, HSM_SLOT_ALIGN);
}

static struct hsm_msg *hsm_msg_alloc(struct hsm_ctx *ctx, u32 in_len, u32 out_len)
{
	bool large = hsm_msg_out_offset(in_len) + out_len > HSM_SLOT_AREA;
	struct hsm_ctrl *ctrl = ctx->node->ctrl;
	struct hsm_msg *msg;

	msg = kmalloc(sizeof(*msg) + (large ? 0 : (size_t)ALIGN(in_len, 8) + out_len),
		      GFP_KERNEL_ACCOUNT);
	if (!msg)
		return NULL;
	memset(msg, 0, sizeof(*msg));
	msg->large = large;
	msg->in_len = in_len;
	msg->out_len = out_len;
	if (large) {
		if (hsm_dma_alloc(ctrl, &msg->din, in_len, DMA_TO_DEVICE) ||
		    hsm_dma_alloc(ctrl, &msg->dout, out_len, DMA_FROM_DEVICE)) {
			hsm_dma_free(&msg->din);
			kfree(msg);
			return NULL;
		}
		msg->in = msg->din.buf;
		msg->out = msg->dout.buf;
	} else {
		msg->in = msg->data;
		msg->out = msg->data + ALIGN(in_len, 8);
	}
	kref_get(&ctx->ref);
	msg->ctx = ctx;
	return msg;
}

static void hsm_msg_free(struct hsm_msg *msg)
{
	if (msg->large) {
		hsm_dma_free(&msg->din);
		hsm_dma_free(&msg->dout);
	} else {
		memzero_explicit(msg->data, ALIGN(msg->in_len, 8) + msg->out_len);
	}
	hsm_ctx_put(msg->ctx);
	kfree(msg);
}

/* Put the message where the card finds it, and say so in the slot's entry. */
static int hsm_msg_fill(struct hsm_msg *msg, struct hsm_slot *slot)
{
	struct hsm_ctrl *ctrl = slot->queue->ctrl;
	struct pciehsm_sqe *sqe = &slot->sqe;
	size_t out = hsm_msg_out_offset(msg->in_len);
	int ret;

	sqe->opcode = PCIEHSM_IO_MSG;
	sqe->partition = cpu_to_le32(msg->ctx->node->number);
	sqe->context = cpu_to_le32(msg->ctx->number);
	sqe->msg_op = cpu_to_le32(msg->op);
	if (!msg->large) {
		memcpy(slot->area, msg->in, msg->in_len);
		slot->wipe = out + msg->out_len;
		sqe->in.addr = cpu_to_le64(slot->area_dma);
		sqe->in.len = cpu_to_le32(msg->in_len);
		sqe->out.addr = cpu_to_le64(slot->area_dma + out);
		sqe->out.len = cpu_to_le32(msg->out_len);
		return 0;
	}
	/* Segment lists are no secret, but a free slot's area is all zero. */
	slot->wipe = HSM_SLOT_AREA;
	ret = hsm_dma_map(ctrl, &msg->din, msg->in_len, slot->area, slot->area_dma, &sqe->in);
	if (ret)
		return ret;
	ret = hsm_dma_map(ctrl, &msg->dout, msg->out_len, slot->area + HSM_SLOT_AREA / 2,
			  slot->area_dma + HSM_SLOT_AREA / 2, &sqe->out);
	if (ret)
		hsm_dma_unmap(ctrl, &msg->din);
	return ret;
}

static void hsm_msg_unfill(struct hsm_msg *msg, struct hsm_slot *slot)
{
	hsm_dma_unmap(slot->queue->ctrl, &msg->din);
	hsm_dma_unmap(slot->queue->ctrl, &msg->dout);
	hsm_slot_put(slot);
}

/* The sender was killed meanwhile: it is for us to clean up. */
static void hsm_msg_orphan(struct hsm_slot *slot)
{
	struct hsm_msg *msg = slot->priv;

	hsm_msg_unfill(msg, slot);
	hsm_msg_free(msg);
}

static void hsm_nop_orphan(struct hsm_slot *slot)
{
	hsm_slot_put(slot);
}

static bool hsm_live_or_over(struct hsm_ctx *ctx)
{
	return hsm_ctrl_state(ctx->node->ctrl) == PCIEHSM_STATE_LIVE || hsm_ctx_gone(ctx);
}

/*
 * Take a slot of the queue of this CPU, as soon as the card is LIVE. The CPU is a
 * hint only: being moved to another one afterwards does no harm.
 */
static struct hsm_slot *hsm_io_slot(struct hsm_ctx *ctx, unsigned long *left)
{
	struct hsm_ctrl *ctrl = ctx->node->ctrl;
	long ret;

	if (hsm_ctx_gone(ctx))
		return ERR_PTR(-ENODEV);
	if (hsm_ctrl_state(ctrl) != PCIEHSM_STATE_LIVE) {
		ret = wait_event_interruptible_timeout(ctrl->state_wq, hsm_live_or_over(ctx),
						       *left);
		if (ret < 0)
			return ERR_PTR(-EINTR);
		if (!ret)
			return ERR_PTR(-ETIMEDOUT);
		*left = ret;
		if (hsm_ctx_gone(ctx))
			return ERR_PTR(-ENODEV);
	}
	return hsm_slot_get(ctrl, READ_ONCE(ctrl->cpu_queue[raw_smp_processor_id()]), 0, left);
}

/*
 * The card knows the context from now on, until it is reset. Two senders may get
 * here in the wrong order around a reset: the later one of the resets counts.
 */
static void hsm_ctx_note_use(struct hsm_ctx *ctx, u32 resets)
{
	struct hsm_ctrl *ctrl = ctx->node->ctrl;

	if (READ_ONCE(ctx->used) && READ_ONCE(ctx->used_resets) == resets)
		return;
	spin_lock(&ctrl->ctx_lock);
	if (!ctx->used || (s32)(resets - ctx->used_resets) > 0)
		WRITE_ONCE(ctx->used_resets, resets);
	WRITE_ONCE(ctx->used, true);
	spin_unlock(&ctrl->ctx_lock);
}

/*
 * Send it and wait. Returns the answer's length, copied to msg->out, or a negative
 * errno. With -EINTR and PCIEHSM_OUTCOME_UNKNOWN the message is not the caller's any
 * more.
 */
static int hsm_msg_send(struct hsm_msg *msg, unsigned long timeout,
			enum pciehsm_outcome *outcome)
{
	struct hsm_ctx *ctx = msg->ctx;
	unsigned long left = timeout;
	struct hsm_slot *slot;
	u32 len = 0;
	int ret;

	*outcome = PCIEHSM_OUTCOME_NOT_EXECUTED;
	/* A queue that was closed at this moment sent nothing: wait for the next one. */
	do {
		slot = hsm_io_slot(ctx, &left);
		if (IS_ERR(slot)) {
			ret = PTR_ERR(slot);
			continue;
		}
		ret = hsm_msg_fill(msg, slot);
		if (ret) {
			hsm_slot_put(slot);
			return ret;
		}
		ret = hsm_slot_submit(slot, timeout);
		if (ret)
			hsm_msg_unfill(msg, slot);
	} while (ret == -EAGAIN);
	if (ret)
		return ret;

	hsm_ctx_note_use(ctx, slot->gen_resets);
	*outcome = PCIEHSM_OUTCOME_UNKNOWN;
	if (hsm_slot_wait(slot, hsm_msg_orphan, msg))
		return -EINTR;
	ret = hsm_slot_result(slot, outcome);
	if (!ret) {
		len = slot->result;
		if (len < sizeof(struct pciehsm_msg) || len > msg->out_len) {
			*outcome = PCIEHSM_OUTCOME_UNKNOWN;
			ret = -EIO;
		} else if (!msg->large) {
			memcpy(msg->out, slot->area + hsm_msg_out_offset(msg->in_len), len);
		}
	}
	hsm_msg_unfill(msg, slot);
	return ret ?: (int)len;
}

static unsigned long hsm_msg_timeout(u32 ms)
{
	return max(1UL, msecs_to_jiffies(ms ?: READ_ONCE(hsm_timeout_ms)));
}

/**
 * hsm_msg() - PCIEHSM_IOC_MSG
 * @ctx:	the open file
 * @writable:	it is open for writing
 * @arg:	kernel copy; @outcome and, on success, @out_len are set
 *
 * Return: 0 or a negative errno of the table in ioctl.h.
 */
int hsm_msg(struct hsm_ctx *ctx, bool writable, struct pciehsm_ioc_msg *arg)
{
	void __user *out = u64_to_user_ptr(arg->out);
	enum pciehsm_outcome outcome;
	const struct pciehsm_msg *hdr;
	struct hsm_msg *msg;
	int ret;

	arg->outcome = PCIEHSM_OUTCOME_NOT_EXECUTED;
	if (hsm_ctx_gone(ctx))
		return -ENODEV;
	if (arg->flags)
		return -EINVAL;
	ret = hsm_msg_lengths_ok(arg->in_len, arg->out_len, ctx->node->ctrl->max_msg);
	if (ret)
		return ret;
	msg = hsm_msg_alloc(ctx, arg->in_len, arg->out_len);
	if (!msg)
		return -ENOMEM;

	ret = -EFAULT;
	if (copy_from_user(msg->in, u64_to_user_ptr(arg->in), arg->in_len))
		goto out_free;
	/* What is checked is the copy that will be sent. */
	hdr = msg->in;
	msg->op = le32_to_cpu(hdr->op);
	ret = hsm_msg_header_ok(le32_to_cpu(hdr->length), msg->op, msg->in_len,
				!ctx->node->number, writable);
	if (ret)
		goto out_free;
	/* Find a bad pointer before the card has done something, not after. */
	ret = -EFAULT;
	if (fault_in_writeable(out, arg->out_len))
		goto out_free;

	ret = hsm_msg_send(msg, hsm_msg_timeout(arg->timeout_ms), &outcome);
	arg->outcome = outcome;
	if (ret == -EINTR && outcome == PCIEHSM_OUTCOME_UNKNOWN)
		return ret;
	if (ret > 0) {
		arg->out_len = ret;
		ret = copy_to_user(out, msg->out, ret) ? -EFAULT : 0;
	}
out_free:
	hsm_msg_free(msg);
	return ret;
}

/**
 * hsm_nop() - PCIEHSM_IOC_NOP
 * @ctx:	the open file
 *
 * Return: 0 or a negative errno of the table in ioctl.h.
 */
int hsm_nop(struct hsm_ctx *ctx)
{
	unsigned long timeout = hsm_msg_timeout(0), left = timeout;
	enum pciehsm_outcome outcome;
	struct hsm_slot *slot;
	int ret;

	do {
		slot = hsm_io_slot(ctx, &left);
		if (IS_ERR(slot)) {
			ret = PTR_ERR(slot);
			continue;
		}
		slot->sqe.opcode = PCIEHSM_IO_NOP;
		ret = hsm_slot_submit(slot, timeout);
		if (ret)
			hsm_slot_put(slot);
	} while (ret == -EAGAIN);
	if (ret)
		return ret;
	if (hsm_slot_wait(slot, hsm_nop_orphan, NULL))
		return -EINTR;
	ret = hsm_slot_result(slot, &outcome);
	hsm_slot_put(slot);
	return ret;
}
