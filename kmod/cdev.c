// SPDX-License-Identifier: GPL-2.0-only
/* Operations of the device nodes, as ioctl.h promises them. */

#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "hsm.h"

/* Sizes of the first version; smaller ones were never valid. */
#define HSM_INFO_MIN	offsetofend(struct pciehsm_ioc_info, reserved)
#define HSM_MSG_MIN	offsetofend(struct pciehsm_ioc_msg, outcome)

static void hsm_ctx_free(struct kref *ref)
{
	struct hsm_ctx *ctx = container_of(ref, struct hsm_ctx, ref);
	struct hsm_node *node = ctx->node;
	struct hsm_ctrl *ctrl = node->ctrl;

	/* No command of it is in flight any more, so none can bring it back to life. */
	hsm_admin_context_close(ctrl, ctx);
	xa_erase(&ctrl->ctx_numbers, ctx->number);
	kfree(ctx);
	put_device(&node->dev);
}

/**
 * hsm_ctx_put() - drop a reference
 * @ctx:	the open file
 *
 * The last one ends the context on the card: may sleep.
 */
void hsm_ctx_put(struct hsm_ctx *ctx)
{
	kref_put(&ctx->ref, hsm_ctx_free);
}

static int hsm_open(struct inode *inode, struct file *file)
{
	struct hsm_node *node = container_of(inode->i_cdev, struct hsm_node, cdev);
	struct hsm_ctrl *ctrl = node->ctrl;
	struct hsm_ctx *ctx;
	int ret;

	if (READ_ONCE(node->gone))
		return -ENODEV;
	ctx = kzalloc(sizeof(*ctx), GFP_KERNEL_ACCOUNT);
	if (!ctx)
		return -ENOMEM;
	kref_init(&ctx->ref);
	mutex_init(&ctx->read_lock);
	ctx->node = node;
	/* Cyclic: a number comes back only after all others were used. */
	ret = xa_alloc_cyclic(&ctrl->ctx_numbers, &ctx->number, ctx, xa_limit_32b,
			      &ctrl->ctx_next, GFP_KERNEL);
	if (ret < 0) {
		kfree(ctx);
		return ret == -EBUSY ? -ENOMEM : ret;
	}
	get_device(&node->dev);
	spin_lock(&ctrl->ctx_lock);
	list_add_tail(&ctx->entry, &ctrl->ctxs);
	spin_unlock(&ctrl->ctx_lock);
	file->private_data = ctx;
	return stream_open(inode, file);
}

static int hsm_release(struct inode *inode, struct file *file)
{
	struct hsm_ctx *ctx = file->private_data;
	struct hsm_ctrl *ctrl = ctx->node->ctrl;

	spin_lock(&ctrl->ctx_lock);
	list_del(&ctx->entry);
	spin_unlock(&ctrl->ctx_lock);
	hsm_ctx_put(ctx);
	return 0;
}

static ssize_t hsm_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	return hsm_event_read(file->private_data, buf, len, file->f_flags & O_NONBLOCK);
}

static __poll_t hsm_poll(struct file *file, poll_table *wait)
{
	struct hsm_ctx *ctx = file->private_data;
	__poll_t mask = 0;

	poll_wait(file, &ctx->node->ctrl->event_wq, wait);
	if (hsm_ctx_gone(ctx))
		mask |= EPOLLHUP | EPOLLERR;
	else if (hsm_event_waiting(ctx))
		mask |= EPOLLIN | EPOLLRDNORM;
	return mask;
}

/*
 * Read a structure that begins with its size. Returns the size that the caller
 * gave, or a negative errno.
 */
static int hsm_copy_arg(void *arg, size_t known, size_t least, void __user *user)
{
	u32 size;
	int ret;

	if (get_user(size, (u32 __user *)user))
		return -EFAULT;
	if (size < least)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	ret = copy_struct_from_user(arg, known, user, size);
	return ret ?: (int)size;
}

static int hsm_ioctl_info(struct hsm_ctx *ctx, void __user *user)
{
	struct hsm_node *node = ctx->node;
	struct hsm_ctrl *ctrl = node->ctrl;
	struct pciehsm_ioc_info info;
	int size;

	size = hsm_copy_arg(&info, sizeof(info), HSM_INFO_MIN, user);
	if (size < 0)
		return size;
	if (info.flags || info.reserved)
		return -EINVAL;
	if (READ_ONCE(node->gone))
		return -ENODEV;

	memset(&info, 0, sizeof(info));
	info.size = sizeof(info);
	info.card = ctrl->id;
	info.index = node->index;
	info.number = node->number;
	info.state = hsm_ctrl_state(ctrl);
	info.max_msg = ctrl->max_msg;
	info.queues = READ_ONCE(ctrl->nr_io);
	info.timeout_ms = READ_ONCE(hsm_timeout_ms);
	info.recovery_ms = hsm_recovery_ms(max(READ_ONCE(hsm_abort_timeout_ms), HSM_POLITE_MS),
					   ctrl->ready_ms);
	info.resets = READ_ONCE(ctrl->resets);
	spin_lock(&ctrl->lock);
	memcpy(info.hsm_serial, ctrl->ident.serial, sizeof(info.hsm_serial));
	spin_unlock(&ctrl->lock);
	if (node->index)
		strscpy_pad(info.serial, node->serial, sizeof(info.serial));
	/* What the caller knows beyond that stays 0, as it has been checked. */
	return copy_to_user(user, &info, min_t(size_t, size, sizeof(info))) ? -EFAULT : 0;
}

static int hsm_ioctl_msg(struct hsm_ctx *ctx, bool writable, void __user *user)
{
	struct pciehsm_ioc_msg __user *umsg = user;
	struct pciehsm_ioc_msg msg;
	int size, ret;

	size = hsm_copy_arg(&msg, sizeof(msg), HSM_MSG_MIN, user);
	if (size < 0) {
		/* If the structure is there at all, say that nothing was done. */
		if (size == -E2BIG && put_user(PCIEHSM_OUTCOME_NOT_EXECUTED, &umsg->outcome))
			return -EFAULT;
		return size;
	}
	ret = hsm_msg(ctx, writable, &msg);
	if (put_user(msg.outcome, &umsg->outcome) ||
	    (!ret && put_user(msg.out_len, &umsg->out_len)))
		return -EFAULT;
	return ret;
}

static long hsm_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct hsm_ctx *ctx = file->private_data;
	void __user *user = (void __user *)arg;

	if (cmd == PCIEHSM_IOC_NOP)
		return hsm_nop(ctx);
	/* A structure that has grown has another number of the same kind. */
	if (_IOC_TYPE(cmd) != PCIEHSM_IOC_MAGIC || _IOC_DIR(cmd) != (_IOC_READ | _IOC_WRITE))
		return -ENOTTY;
	switch (_IOC_NR(cmd)) {
	case _IOC_NR(PCIEHSM_IOC_INFO):
		return hsm_ioctl_info(ctx, user);
	case _IOC_NR(PCIEHSM_IOC_MSG):
		return hsm_ioctl_msg(ctx, file->f_mode & FMODE_WRITE, user);
	default:
		return -ENOTTY;
	}
}

const struct file_operations hsm_fops = {
	.owner		= THIS_MODULE,
	.open		= hsm_open,
	.release	= hsm_release,
	.read		= hsm_read,
	.poll		= hsm_poll,
	.unlocked_ioctl	= hsm_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.uring_cmd	= hsm_uring_cmd,
	.llseek		= noop_llseek,
};
