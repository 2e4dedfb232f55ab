// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages to the firmware: checked, copied, sent, waited for, wiped. hsm_msg_new()
 * is the one place where a message is checked, whichever way it comes.
 *
 * Nothing here waits for user memory while it holds a slot: the request is copied
 * in, or its pages are pinned, before one is taken; the answer is copied out after
 * it was given back. So a process that makes its page faults last for ever
 * (userfaultfd, FUSE) holds up neither a queue nor a removal.
 */

#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "hsm.h"

/**
 * struct hsm_msg - one message on its way
 * @ctx:	who sends it; referenced
 * @op:		opcode, as it was checked
 * @in_len:	bytes of the request
 * @out_len:	bytes of room for the answer
 * @large:	it goes by segment lists, from and to the memory of @din and @dout, else
 *		by the slot's area
 * @in:		the request, if the driver has a copy
 * @out:	the answer, if the driver has a copy
 * @din:	what the card reads of a large message
 * @dout:	where the card writes a large answer
 * @uin:	the request, if it stays where it is
 * @uout:	where the answer goes, if nobody will copy @out
 * @dirty:	bytes of @data that hold something
 * @data:	memory of @in and @out of a small message
 */
struct hsm_msg {
	struct hsm_ctx		*ctx;
	u32			op;
	u32			in_len;
	u32			out_len;
	bool			large;
	void			*in;
	void			*out;
	struct hsm_dma		din;
	struct hsm_dma		dout;
	struct hsm_pages	uin;
	struct hsm_pages	uout;
	size_t			dirty;
	u8			data[] __aligned(8);
};

static size_t hsm_msg_out_offset(size_t in_len)
{
	return ALIGN(in_len, HSM_SLOT_ALIGN);
}

static struct hsm_msg *hsm_msg_alloc(struct hsm_ctx *ctx, const struct hsm_msg_args *args)
{
	bool large = hsm_msg_out_offset(args->in_len) + args->out_len > HSM_SLOT_AREA;
	size_t in_room = ALIGN(args->in_len, 8), size = 0;
	struct hsm_msg *msg;

	if (!large)
		size = in_room + (args->no_user ? 0 : args->out_len);
	msg = kmalloc(sizeof(*msg) + size, GFP_KERNEL_ACCOUNT);
	if (!msg)
		return NULL;
	/* Not all of it is zeroed: most messages are small and need little of it. */
	msg->large = large;
	msg->in_len = args->in_len;
	msg->out_len = args->out_len;
	msg->in = large ? NULL : msg->data;
	msg->out = large ? NULL : msg->data + in_room;
	msg->dirty = 0;
	msg->din.mapped = false;
	msg->dout.mapped = false;
	if (large) {
		memset(&msg->din, 0, sizeof(msg->din));
		memset(&msg->dout, 0, sizeof(msg->dout));
	}
	hsm_pages_init(&msg->uin);
	hsm_pages_init(&msg->uout);
	kref_get(&ctx->ref);
	msg->ctx = ctx;
	atomic_inc(&ctx->node->outstanding);
	return msg;
}

/**
 * hsm_msg_free() - the end of a message
 * @msg:	not in flight
 */
void hsm_msg_free(struct hsm_msg *msg)
{
	if (msg->large) {
		hsm_dma_free(&msg->din);
		hsm_dma_free(&msg->dout);
	}
	hsm_pages_put(&msg->uin);
	hsm_pages_put(&msg->uout);
	memzero_explicit(msg->data, msg->dirty);
	atomic_dec(&msg->ctx->node->outstanding);
	hsm_ctx_put(msg->ctx);
	kfree(msg);
}

static int hsm_msg_hold(struct hsm_pages *p, u64 addr, size_t len,
			const struct iov_iter *fixed, bool write)
{
	return fixed ? hsm_pages_import(p, fixed, write) : hsm_pages_pin(p, addr, len, write);
}

/* Get the request, or hold of it; @hdr is what will be checked. */
static int hsm_msg_get_in(struct hsm_msg *msg, const struct hsm_msg_args *args,
			  struct pciehsm_msg *hdr)
{
	struct hsm_ctrl *ctrl = msg->ctx->node->ctrl;
	int ret;

	if (!msg->large)
		msg->dirty = msg->in_len;
	if (args->in_fixed || (msg->large && args->no_user)) {
		ret = hsm_msg_hold(&msg->uin, args->in, args->in_len, args->in_fixed, false);
		if (ret)
			return ret;
		/*
		 * Small, it is checked as it was copied. Large, the card reads it where it
		 * is, later: see dma.c for why this read of the header is enough.
		 */
		if (!msg->large)
			hsm_pages_read(&msg->uin, msg->in, msg->in_len);
		else
			hsm_pages_read(&msg->uin, hdr, sizeof(*hdr));
	} else {
		if (msg->large) {
			ret = hsm_dma_alloc(ctrl, &msg->din, args->in_len, DMA_TO_DEVICE);
			if (ret)
				return ret;
			msg->in = msg->din.buf;
		}
		if (copy_from_user(msg->in, u64_to_user_ptr(args->in), args->in_len))
			return -EFAULT;
	}
	if (msg->in)
		memcpy(hdr, msg->in, sizeof(*hdr));
	return 0;
}

/* Make sure that the answer can be delivered before the card has done something. */
static int hsm_msg_get_out(struct hsm_msg *msg, const struct hsm_msg_args *args)
{
	struct hsm_ctrl *ctrl = msg->ctx->node->ctrl;
	int ret;

	if (!args->no_user) {
		if (fault_in_writeable(u64_to_user_ptr(args->out), args->out_len))
			return -EFAULT;
		if (!msg->large)
			return 0;
		ret = hsm_dma_alloc(ctrl, &msg->dout, args->out_len, DMA_FROM_DEVICE);
		msg->out = msg->dout.buf;
		return ret;
	}
	ret = hsm_msg_hold(&msg->uout, args->out, args->out_len, args->out_fixed, true);
	if (ret || !msg->large)
		return ret;
	if (msg->uin.n + msg->uout.n > HSM_SLOT_SEGS)
		return -EINVAL;
	ret = hsm_dma_pages(ctrl, &msg->din, &msg->uin);
	return ret ?: hsm_dma_pages(ctrl, &msg->dout, &msg->uout);
}

/**
 * hsm_msg_new() - take a message from a caller, and check it
 * @ctx:	the open file
 * @args:	what the caller gave
 * @writable:	the file is open for writing
 *
 * May sleep in page faults.
 *
 * Return: the message, which hsm_msg_free() takes back, or an ERR_PTR of the table in
 * ioctl.h; nothing was done then.
 */
struct hsm_msg *hsm_msg_new(struct hsm_ctx *ctx, const struct hsm_msg_args *args,
			    bool writable)
{
	struct pciehsm_msg hdr;
	struct hsm_msg *msg;
	int ret;

	ret = hsm_msg_lengths_ok(args->in_len, args->out_len, ctx->node->ctrl->max_msg);
	if (ret)
		return ERR_PTR(ret);
	msg = hsm_msg_alloc(ctx, args);
	if (!msg)
		return ERR_PTR(-ENOMEM);
	ret = hsm_msg_get_in(msg, args, &hdr);
	if (ret)
		goto err_free;
	msg->op = le32_to_cpu(hdr.op);
	ret = hsm_msg_header_ok(le32_to_cpu(hdr.length), msg->op, msg->in_len,
				!ctx->node->number, writable);
	if (ret)
		goto err_free;
	ret = hsm_msg_get_out(msg, args);
	if (ret)
		goto err_free;
	return msg;

err_free:
	hsm_msg_free(msg);
	return ERR_PTR(ret);
}

/**
 * hsm_msg_fill() - put the message where the card finds it, and say so in the entry
 * @msg:	the message
 * @slot:	owned
 *
 * Return: 0, then hsm_msg_unfill() or hsm_msg_result() gives the slot back; or -ENOMEM.
 */
int hsm_msg_fill(struct hsm_msg *msg, struct hsm_slot *slot)
{
	struct hsm_ctrl *ctrl = slot->queue->ctrl;
	struct pciehsm_sqe *sqe = &slot->sqe;
	size_t out = hsm_msg_out_offset(msg->in_len);
	unsigned int seg = 0;
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
	ret = hsm_dma_map(ctrl, &msg->din, msg->in_len, slot, &seg, &sqe->in);
	if (ret)
		return ret;
	ret = hsm_dma_map(ctrl, &msg->dout, msg->out_len, slot, &seg, &sqe->out);
	if (ret)
		hsm_dma_unmap(ctrl, &msg->din);
	return ret;
}

/**
 * hsm_msg_unfill() - take the message out of the card's reach, give the slot back
 * @msg:	the message
 * @slot:	filled; its command is over or was never sent
 *
 * Works in interrupt context.
 */
void hsm_msg_unfill(struct hsm_msg *msg, struct hsm_slot *slot)
{
	hsm_dma_unmap(slot->queue->ctrl, &msg->din);
	hsm_dma_unmap(slot->queue->ctrl, &msg->dout);
	hsm_slot_put(slot);
}

/**
 * hsm_msg_result() - what became of a message
 * @msg:	the message
 * @slot:	owned; its command is over. Given back.
 * @outcome:	out: was it executed
 *
 * The answer is where it was to be delivered, or in @msg->out. Works in interrupt
 * context.
 *
 * Return: the answer's length or a negative errno of the table in ioctl.h.
 */
int hsm_msg_result(struct hsm_msg *msg, struct hsm_slot *slot, enum pciehsm_outcome *outcome)
{
	void *answer = slot->area + hsm_msg_out_offset(msg->in_len);
	int ret = hsm_slot_result(slot, outcome);
	u32 len = slot->result;

	if (!ret && (len < sizeof(struct pciehsm_msg) || len > msg->out_len)) {
		*outcome = PCIEHSM_OUTCOME_UNKNOWN;
		ret = -EIO;
	}
	if (!ret && !msg->large) {
		if (msg->uout.n) {
			hsm_pages_write(&msg->uout, answer, len);
		} else {
			memcpy(msg->out, answer, len);
			msg->dirty = msg->out + len - (void *)msg->data;
		}
	}
	hsm_msg_unfill(msg, slot);
	return ret ?: (int)len;
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

/**
 * hsm_io_slot() - take a slot of the queue of this CPU, as soon as the card is LIVE
 * @ctx:	the open file
 * @how:	HSM_SLOT_NOWAIT or 0
 * @left:	jiffies to wait at most; what remains is written back
 *
 * The CPU is a hint only: being moved to another one afterwards does no harm.
 *
 * Return: as hsm_slot_get(); -EAGAIN also if the card is not LIVE and @how says not to
 * wait.
 */
struct hsm_slot *hsm_io_slot(struct hsm_ctx *ctx, unsigned int how, unsigned long *left)
{
	struct hsm_ctrl *ctrl = ctx->node->ctrl;
	long ret;

	if (hsm_ctx_gone(ctx))
		return ERR_PTR(-ENODEV);
	if (hsm_ctrl_state(ctrl) != PCIEHSM_STATE_LIVE) {
		if (how & HSM_SLOT_NOWAIT)
			return ERR_PTR(-EAGAIN);
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
	return hsm_slot_get(ctrl, READ_ONCE(ctrl->cpu_queue[raw_smp_processor_id()]), how, left);
}

/**
 * hsm_ctx_note_use() - the card knows the context from now on, until it is reset
 * @ctx:	the open file
 * @resets:	ctrl->resets when a message of it was sent
 *
 * Two senders may get here in the wrong order around a reset: the later one of the
 * resets counts.
 */
void hsm_ctx_note_use(struct hsm_ctx *ctx, u32 resets)
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
	int ret;

	*outcome = PCIEHSM_OUTCOME_NOT_EXECUTED;
	/* A queue that was closed at this moment sent nothing: wait for the next one. */
	do {
		slot = hsm_io_slot(ctx, 0, &left);
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
	return hsm_msg_result(msg, slot, outcome);
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
	struct hsm_msg_args args = {
		.in		= arg->in,
		.out		= arg->out,
		.in_len		= arg->in_len,
		.out_len	= arg->out_len,
	};
	enum pciehsm_outcome outcome;
	struct hsm_msg *msg;
	int ret;

	arg->outcome = PCIEHSM_OUTCOME_NOT_EXECUTED;
	if (hsm_ctx_gone(ctx))
		return -ENODEV;
	if (arg->flags)
		return -EINVAL;
	msg = hsm_msg_new(ctx, &args, writable);
	if (IS_ERR(msg))
		return PTR_ERR(msg);
	ret = hsm_msg_send(msg, hsm_msg_timeout(arg->timeout_ms), &outcome);
	arg->outcome = outcome;
	if (ret == -EINTR && outcome == PCIEHSM_OUTCOME_UNKNOWN)
		return ret;
	if (ret > 0) {
		arg->out_len = ret;
		ret = copy_to_user(u64_to_user_ptr(arg->out), msg->out, ret) ? -EFAULT : 0;
	}
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
		slot = hsm_io_slot(ctx, 0, &left);
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
