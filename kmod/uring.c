// SPDX-License-Identifier: GPL-2.0-only
/*
 * io_uring_cmd: commands that nobody sleeps for.
 *
 * What a command needs of its process (request, room for the answer) is copied or
 * pinned while it is submitted. From then on it needs no process: hsm_uring_finish()
 * delivers the answer and gives the slot back in the interrupt, so a process that is
 * stopped, or never looks at its ring, holds up nobody. What is left is told to
 * io_uring by a work of the task, which may run in the task at its end or in a worker of
 * the kernel: no user address is ever used there.
 *
 * Between the two a command is in no list of ours; io_uring has it, and it ends by
 * itself: answered, aborted after its time, or given back by a reset or a removal.
 */

#include <linux/jiffies.h>
#include <linux/uio.h>

#include "hsm.h"

/**
 * struct hsm_uring - what a command is while it is io_uring's
 * @msg:	its message; NULL: PCIEHSM_URING_NOP
 * @slot:	the slot that it was sent with last, or NULL
 * @ret:	for the CQE
 * @outcome:	for the CQE: enum pciehsm_outcome
 * @cqe32:	there is room for it
 */
struct hsm_uring {
	struct hsm_msg	*msg;
	struct hsm_slot	*slot;
	int		ret;
	u8		outcome;
	bool		cqe32;
};

static_assert(sizeof(struct hsm_uring) <= sizeof_field(struct io_uring_cmd, pdu));
static_assert(sizeof(struct pciehsm_uring_cmd) == 80);

static struct hsm_uring *hsm_uring_of(struct io_uring_cmd *ioucmd)
{
	return (struct hsm_uring *)ioucmd->pdu;
}

/* The end, in task context. */
static void hsm_uring_end(struct io_uring_cmd *ioucmd, unsigned int issue_flags)
{
	struct hsm_uring *u = hsm_uring_of(ioucmd);

	if (u->msg)
		hsm_msg_free(u->msg);
	hsm_uring_done(ioucmd, u->ret, u->outcome, u->cqe32, issue_flags);
}

HSM_URING_WORK(hsm_uring_work, hsm_uring_end)

/* The command is over: in the interrupt, or where a reset or a removal gives it back. */
static void hsm_uring_finish(struct hsm_slot *slot)
{
	struct io_uring_cmd *ioucmd = slot->priv;
	struct hsm_uring *u = hsm_uring_of(ioucmd);
	enum pciehsm_outcome outcome;

	if (u->msg) {
		u->ret = hsm_msg_result(u->msg, slot, &outcome);
	} else {
		u->ret = hsm_slot_result(slot, &outcome);
		hsm_slot_put(slot);
	}
	u->outcome = outcome;
	io_uring_cmd_complete_in_task(ioucmd, hsm_uring_work);
}

/*
 * Send it. In an attempt that must not wait, -EAGAIN is returned only as long as nobody
 * has been told that the command can be cancelled: io_uring's worker tries again.
 */
static int hsm_uring_send(struct io_uring_cmd *ioucmd, struct hsm_ctx *ctx, u32 timeout_ms,
			  unsigned int issue_flags)
{
	bool nowait = issue_flags & IO_URING_F_NONBLOCK;
	unsigned long timeout = hsm_msg_timeout(timeout_ms), left = timeout;
	struct hsm_uring *u = hsm_uring_of(ioucmd);
	struct hsm_slot *slot;
	u32 resets;
	int ret;

	do {
		slot = hsm_io_slot(ctx, nowait ? HSM_SLOT_NOWAIT : 0, &left);
		if (IS_ERR(slot)) {
			ret = PTR_ERR(slot);
			if (nowait && (ret == -EAGAIN || ret == -EBUSY))
				return -EAGAIN;
			continue;
		}
		if (u->msg) {
			ret = hsm_msg_fill(u->msg, slot);
			if (ret) {
				hsm_slot_put(slot);
				return ret;
			}
		} else {
			slot->sqe.opcode = PCIEHSM_IO_NOP;
		}
		WRITE_ONCE(u->slot, slot);
		/* Once it is sent it may be over, so first of all: */
		hsm_uring_mark_cancelable(ioucmd, issue_flags);
		ret = hsm_slot_submit_call(slot, timeout, hsm_uring_finish, ioucmd, &resets);
		if (!ret) {
			/* The file, and with it @ctx, is held by io_uring until we return. */
			hsm_ctx_note_use(ctx, resets);
			return -EIOCBQUEUED;
		}
		/* The queue was closed at this moment: wait for the next one. */
		WRITE_ONCE(u->slot, NULL);
		if (u->msg)
			hsm_msg_unfill(u->msg, slot);
		else
			hsm_slot_put(slot);
		if (nowait && ret == -EAGAIN)
			return hsm_ctx_gone(ctx) ? -ENODEV : -ECANCELED;
	} while (ret == -EAGAIN);
	return ret;
}

/* Registered memory, if @flag says that it is. */
static const struct iov_iter *hsm_uring_fixed(struct io_uring_cmd *ioucmd, u32 flags, u32 flag,
					      u64 addr, u32 len, int rw, struct iov_iter *iter,
					      unsigned int issue_flags)
{
	int ret;

	if (!(flags & flag))
		return NULL;
	ret = hsm_uring_import(addr, len, rw, iter, ioucmd, issue_flags);
	return ret < 0 ? ERR_PTR(ret) : iter;
}

static int hsm_uring_msg(struct io_uring_cmd *ioucmd, const struct hsm_msg_args *in, u32 flags,
			 u32 timeout_ms, unsigned int issue_flags)
{
	struct hsm_ctx *ctx = ioucmd->file->private_data;
	struct hsm_uring *u = hsm_uring_of(ioucmd);
	struct hsm_msg_args args = *in;
	struct iov_iter from, to;
	struct hsm_msg *msg;
	int ret;

	/* Before memory of any size is pinned; the same as hsm_msg_new() would say. */
	ret = hsm_msg_lengths_ok(args.in_len, args.out_len, ctx->node->ctrl->max_msg);
	if (ret)
		return ret;
	args.no_user = true;
	args.in_fixed = hsm_uring_fixed(ioucmd, flags, PCIEHSM_URING_IN_FIXED, args.in,
					args.in_len, WRITE, &from, issue_flags);
	if (IS_ERR(args.in_fixed))
		return PTR_ERR(args.in_fixed);
	args.out_fixed = hsm_uring_fixed(ioucmd, flags, PCIEHSM_URING_OUT_FIXED, args.out,
					 args.out_len, READ, &to, issue_flags);
	if (IS_ERR(args.out_fixed))
		return PTR_ERR(args.out_fixed);
	msg = hsm_msg_new(ctx, &args, ioucmd->file->f_mode & FMODE_WRITE);
	if (IS_ERR(msg))
		return PTR_ERR(msg);
	u->msg = msg;
	ret = hsm_uring_send(ioucmd, ctx, timeout_ms, issue_flags);
	if (ret == -EIOCBQUEUED)
		return ret;
	hsm_msg_free(msg);
	u->msg = NULL;
	return ret;
}

/* Is it worth while to get hold of memory, if we must not wait? */
static bool hsm_uring_ready(struct hsm_ctx *ctx)
{
	struct hsm_ctrl *ctrl = ctx->node->ctrl;

	return hsm_ctrl_state(ctrl) == PCIEHSM_STATE_LIVE || hsm_ctx_gone(ctx);
}

static int hsm_uring_issue(struct io_uring_cmd *ioucmd, unsigned int issue_flags)
{
	/* In memory that the submitter may change at any time: each field is read once. */
	const struct pciehsm_uring_cmd *cmd = hsm_uring_sqe(ioucmd);
	struct hsm_msg_args args = {
		.in		= READ_ONCE(cmd->in),
		.out		= READ_ONCE(cmd->out),
		.in_len		= READ_ONCE(cmd->in_len),
		.out_len	= READ_ONCE(cmd->out_len),
	};
	u32 timeout_ms = READ_ONCE(cmd->timeout_ms), flags = READ_ONCE(cmd->flags);
	struct hsm_ctx *ctx = ioucmd->file->private_data;
	unsigned int i;
	u64 rest = 0;

	for (i = 0; i < ARRAY_SIZE(cmd->reserved); i++)
		rest |= READ_ONCE(cmd->reserved[i]);
	if (hsm_ctx_gone(ctx))
		return -ENODEV;
	/* io_uring has looked up the registered memory if, and only if, it was asked to. */
	if (rest || flags & ~(PCIEHSM_URING_IN_FIXED | PCIEHSM_URING_OUT_FIXED) ||
	    !flags != !(ioucmd->flags & IORING_URING_CMD_FIXED))
		return -EINVAL;
	if ((issue_flags & IO_URING_F_NONBLOCK) && !hsm_uring_ready(ctx))
		return -EAGAIN;

	switch (ioucmd->cmd_op) {
	case PCIEHSM_URING_MSG:
		return hsm_uring_msg(ioucmd, &args, flags, timeout_ms, issue_flags);
	case PCIEHSM_URING_NOP:
		if (args.in || args.out || args.in_len || args.out_len || flags)
			return -EINVAL;
		return hsm_uring_send(ioucmd, ctx, timeout_ms, issue_flags);
	default:
		return -ENOTTY;
	}
}

/* The process ends: the command need not be waited for any longer than necessary. */
static void hsm_uring_cancel(struct io_uring_cmd *ioucmd)
{
	struct hsm_ctx *ctx = ioucmd->file->private_data;
	struct hsm_ctrl *ctrl = ctx->node->ctrl;
	struct hsm_slot *slot = READ_ONCE(hsm_uring_of(ioucmd)->slot);

	/* Being removed, it gives everything back anyway. */
	if (!slot || !percpu_ref_tryget_live(&ctrl->users))
		return;
	hsm_slot_cancel(slot, ioucmd);
	percpu_ref_put(&ctrl->users);
}

/**
 * hsm_uring_cmd() - IORING_OP_URING_CMD, as ioctl.h describes it
 * @ioucmd:	the command
 * @issue_flags: IO_URING_F_*, as io_uring gives them
 *
 * Return: -EIOCBQUEUED: it has ended or will end by hsm_uring_done(); -EAGAIN: again, where
 * it may wait; -EOPNOTSUPP: the entry has no room for a command.
 */
int hsm_uring_cmd(struct io_uring_cmd *ioucmd, unsigned int issue_flags)
{
	struct hsm_uring *u = hsm_uring_of(ioucmd);
	int ret;

	if (hsm_uring_is_cancel(issue_flags)) {
		hsm_uring_cancel(ioucmd);
		return 0;
	}
	if (!(issue_flags & IO_URING_F_SQE128))
		return -EOPNOTSUPP;
	u->msg = NULL;
	u->slot = NULL;
	u->cqe32 = issue_flags & IO_URING_F_CQE32;
	ret = hsm_uring_issue(ioucmd, issue_flags);
	if (ret == -EAGAIN)
		hsm_uring_keep(ioucmd);
	if (ret == -EIOCBQUEUED || ret == -EAGAIN)
		return ret;
	/* Not by the value that is returned: that has no room for the outcome. */
	hsm_uring_done(ioucmd, ret, PCIEHSM_OUTCOME_NOT_EXECUTED, u->cqe32, issue_flags);
	return -EIOCBQUEUED;
}
