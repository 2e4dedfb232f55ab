/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io_uring by its system calls: rings whose entries are large enough for commands.
 * Nothing here is for more than one thread on a ring.
 */
#ifndef RING_H
#define RING_H

#include <linux/io_uring.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "common.h"

#define RING_FLAGS	(IORING_SETUP_SQE128 | IORING_SETUP_CQE32)
#define GARBAGE		77	/* no enum pciehsm_outcome */

struct ring {
	int fd;
	struct io_uring_params p;
	char *sq;
	char *cq;
	char *sqes;
	size_t sq_size, cq_size, sqes_size;
	unsigned int sqe_size, cqe_size;
	unsigned int tail;	/* what has been prepared; the kernel sees it by ring_submit() */
};

static inline atomic_uint *ring_word(char *base, unsigned int offset)
{
	return (atomic_uint *)(base + offset);
}

/* Returns 0 or the errno. */
static inline int ring_open(struct ring *r, unsigned int entries, unsigned int flags)
{
	memset(r, 0, sizeof(*r));
	r->p.flags = flags;
	r->fd = syscall(SYS_io_uring_setup, entries, &r->p);
	if (r->fd < 0)
		return errno;
	r->sqe_size = flags & IORING_SETUP_SQE128 ? 128 : 64;
	r->cqe_size = flags & IORING_SETUP_CQE32 ? 32 : 16;
	r->sq_size = r->p.sq_off.array + r->p.sq_entries * sizeof(unsigned int);
	r->cq_size = r->p.cq_off.cqes + r->p.cq_entries * r->cqe_size;
	r->sqes_size = r->p.sq_entries * r->sqe_size;
	r->sq = mmap(NULL, r->sq_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		     r->fd, IORING_OFF_SQ_RING);
	r->cq = mmap(NULL, r->cq_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		     r->fd, IORING_OFF_CQ_RING);
	r->sqes = mmap(NULL, r->sqes_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		       r->fd, IORING_OFF_SQES);
	if (r->sq == MAP_FAILED || r->cq == MAP_FAILED || r->sqes == MAP_FAILED)
		return ENOMEM;
	return 0;
}

static inline void ring_close(struct ring *r)
{
	munmap(r->sqes, r->sqes_size);
	munmap(r->cq, r->cq_size);
	munmap(r->sq, r->sq_size);
	close(r->fd);
}

/* The next submission entry, all zero, or NULL if there is no room. */
static inline struct io_uring_sqe *ring_sqe(struct ring *r)
{
	unsigned int mask = r->p.sq_entries - 1;
	struct io_uring_sqe *sqe = (void *)(r->sqes + (r->tail & mask) * r->sqe_size);

	if (r->tail - atomic_load(ring_word(r->sq, r->p.sq_off.head)) == r->p.sq_entries)
		return NULL;
	((unsigned int *)(r->sq + r->p.sq_off.array))[r->tail & mask] = r->tail & mask;
	r->tail++;
	memset(sqe, 0, r->sqe_size);
	return sqe;
}

/*
 * Submit what is prepared, and wait until @wait completions are there. Returns 0 or the
 * errno.
 */
static inline int ring_submit(struct ring *r, unsigned int wait)
{
	unsigned int n = r->tail - atomic_load(ring_word(r->sq, r->p.sq_off.head));
	unsigned int flags = wait ? IORING_ENTER_GETEVENTS : 0;

	atomic_store(ring_word(r->sq, r->p.sq_off.tail), r->tail);
	if (r->p.flags & IORING_SETUP_SQPOLL)
		flags |= IORING_ENTER_SQ_WAKEUP;
	return syscall(SYS_io_uring_enter, r->fd, n, wait, flags, NULL, 0) < 0 ? errno : 0;
}

/* The oldest completion, or NULL if there is none. */
static inline struct io_uring_cqe *ring_cqe(struct ring *r)
{
	unsigned int head = atomic_load(ring_word(r->cq, r->p.cq_off.head));

	if (head == atomic_load(ring_word(r->cq, r->p.cq_off.tail)))
		return NULL;
	return (void *)(r->cq + r->p.cq_off.cqes + (head & (r->p.cq_entries - 1)) * r->cqe_size);
}

static inline void ring_seen(struct ring *r)
{
	atomic_fetch_add(ring_word(r->cq, r->p.cq_off.head), 1);
}

/* enum pciehsm_outcome of a completion, if the ring has room for it */
static inline uint64_t ring_outcome(const struct ring *r, const struct io_uring_cqe *cqe)
{
	return r->p.flags & IORING_SETUP_CQE32 ? ((const uint64_t *)(cqe + 1))[0] : GARBAGE;
}

/* Returns 0 or the errno. */
static inline int ring_register(struct ring *r, void *addr, size_t len)
{
	struct iovec iov = { .iov_base = addr, .iov_len = len };

	return syscall(SYS_io_uring_register, r->fd, IORING_REGISTER_BUFFERS, &iov, 1) ? errno : 0;
}

static inline void ring_command(struct io_uring_sqe *sqe, int fd, unsigned int op,
				const struct pciehsm_uring_cmd *cmd)
{
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = fd;
	sqe->cmd_op = op;
	if (cmd->flags)
		sqe->uring_cmd_flags = IORING_URING_CMD_FIXED;
	memcpy(sqe->cmd, cmd, sizeof(*cmd));
}

/* Prepare, submit and wait. Returns the CQE's res. */
static inline int ring_one(struct ring *r, int fd, unsigned int op,
			   const struct pciehsm_uring_cmd *cmd, uint64_t *outcome)
{
	struct io_uring_sqe *sqe = ring_sqe(r);
	struct io_uring_cqe *cqe;
	int res;

	ring_command(sqe, fd, op, cmd);
	if (ring_submit(r, 1))
		return -errno;
	while (!(cqe = ring_cqe(r)))
		if (ring_submit(r, 1) && errno != EINTR)
			return -errno;
	res = cqe->res;
	*outcome = ring_outcome(r, cqe);
	ring_seen(r);
	return res;
}

#endif /* RING_H */
