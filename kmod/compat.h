/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between kernels, by feature and never by version: distributions
 * carry features back. The HSM_HAVE_* macros come from Kbuild, which looks for
 * the feature in the headers.
 */
#ifndef HSM_COMPAT_H
#define HSM_COMPAT_H

#include <linux/device.h>

/* class.devnode and its like got a const device. */
#ifdef HSM_HAVE_CONST_DEVNODE
#define HSM_DEVNODE_DEVICE	const struct device
#else
#define HSM_DEVNODE_DEVICE	struct device
#endif

/*
 * Commands of io_uring. Everything that differs is behind these names:
 *   hsm_uring_sqe()		the command in the submission entry; in shared memory
 *   hsm_uring_keep()		the entry stays what it is, though the command is tried later
 *   hsm_uring_import()		registered memory
 *   HSM_URING_WORK()		defines a callback of io_uring_cmd_complete_in_task()
 *   hsm_uring_done()		the end of a command
 *   hsm_uring_is_cancel(), hsm_uring_mark_cancelable()
 */
#ifdef HSM_HAVE_URING_CMD_H
#include <linux/io_uring/cmd.h>
#endif
#include <linux/io_uring.h>
#include <uapi/linux/io_uring.h>

static inline const void *hsm_uring_sqe(const struct io_uring_cmd *ioucmd)
{
#ifdef HSM_HAVE_URING_SQE
	return ioucmd->sqe->cmd;
#else
	return ioucmd->cmd;
#endif
}

/*
 * A command that would have to wait is tried again by a worker, when its entry may hold
 * another one. Kernels from 6.10 to 6.13 do copy the entry on -EAGAIN, and (6.12.117) go on
 * to point to where it was: the copy is made here, where they would, and pointed to.
 */
static inline void hsm_uring_keep(struct io_uring_cmd *ioucmd)
{
#ifdef HSM_HAVE_URING_CACHE
	struct io_kiocb *req = cmd_to_io_kiocb(ioucmd);

	if (!(req->flags & REQ_F_ASYNC_DATA) || ioucmd->sqe == req->async_data)
		return;
	/* With IORING_SETUP_SQE128, without which there is no command of ours */
	memcpy(req->async_data, ioucmd->sqe, 2 * sizeof(*ioucmd->sqe));
	ioucmd->sqe = req->async_data;
#endif
}

struct iov_iter;
static inline int hsm_uring_import(u64 addr, unsigned long len, int rw, struct iov_iter *iter,
				   struct io_uring_cmd *ioucmd, unsigned int issue_flags)
{
#ifdef HSM_HAVE_URING_IMPORT_5
	return io_uring_cmd_import_fixed(addr, len, rw, iter, ioucmd);
#else
	return io_uring_cmd_import_fixed(addr, len, rw, iter, ioucmd, issue_flags);
#endif
}

#ifdef HSM_HAVE_URING_TW_REQ
#define HSM_URING_WORK(name, fn)						\
	static void name(struct io_tw_req tw_req, io_tw_token_t tw)		\
	{									\
		fn(io_uring_cmd_from_tw(tw_req), IO_URING_CMD_TASK_WORK_ISSUE_FLAGS); \
	}
#else
#define HSM_URING_WORK(name, fn)						\
	static void name(struct io_uring_cmd *ioucmd, unsigned int issue_flags)	\
	{									\
		fn(ioucmd, issue_flags);					\
	}
#endif

/* @res2 is told only to a ring that has room for it. */
static inline void hsm_uring_done(struct io_uring_cmd *ioucmd, int ret, u64 res2, bool cqe32,
				  unsigned int issue_flags)
{
#ifdef HSM_HAVE_URING_DONE32
	if (cqe32)
		io_uring_cmd_done32(ioucmd, ret, res2, issue_flags);
	else
		io_uring_cmd_done(ioucmd, ret, issue_flags);
#else
	io_uring_cmd_done(ioucmd, ret, res2, issue_flags);
#endif
}

#ifdef HSM_HAVE_URING_CANCEL
static inline bool hsm_uring_is_cancel(unsigned int issue_flags)
{
	return issue_flags & IO_URING_F_CANCEL;
}

static inline void hsm_uring_mark_cancelable(struct io_uring_cmd *ioucmd,
					     unsigned int issue_flags)
{
	io_uring_cmd_mark_cancelable(ioucmd, issue_flags);
}
#else
static inline bool hsm_uring_is_cancel(unsigned int issue_flags)
{
	return false;
}

static inline void hsm_uring_mark_cancelable(struct io_uring_cmd *ioucmd,
					     unsigned int issue_flags)
{
}
#endif

#endif /* HSM_COMPAT_H */
