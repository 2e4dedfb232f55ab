// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * PCIEHSM_URING_MSG and PCIEHSM_URING_NOP on both kinds of nodes: what is right works,
 * each field wrong, with all others right, gives the errno and the outcome that ioctl.h
 * promises, and rings of every make get their answers.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include "flip.h"
#include "ring.h"
#include "harness.h"

#define AREA	(4 * MEBI)	/* request in the first half, answer in the second */

FIXTURE(node) {
	const char *name;
	int fd;
	struct ring ring;
	unsigned char *area;
	struct request *req;
	unsigned char *out;
	struct pciehsm_uring_cmd cmd;
	uint64_t outcome;
};

FIXTURE_VARIANT(node) {
	bool card;
};

FIXTURE_VARIANT_ADD(node, card) {
	.card = true,
};

FIXTURE_VARIANT_ADD(node, partition) {
	.card = false,
};

FIXTURE_SETUP(node)
{
	self->name = variant->card ? CARD_NODE : partition_node();
	ASSERT_NE(NULL, self->name);
	self->fd = open(self->name, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ring_open(&self->ring, 64, RING_FLAGS));
	self->area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->area);
	ASSERT_EQ(0, madvise(self->area, AREA, MADV_NOHUGEPAGE));
	self->req = (struct request *)self->area;
	self->out = self->area + AREA / 2;
	request_init(self->req, PCIEHSM_OP_PING);
	self->cmd = (struct pciehsm_uring_cmd) {
		.in		= (uintptr_t)self->req,
		.out		= (uintptr_t)self->out,
		.in_len		= sizeof(struct pciehsm_msg),
		.out_len	= PCIEHSM_ANSWER_MIN,
	};
	self->outcome = GARBAGE;
}

FIXTURE_TEARDOWN(node)
{
	ring_close(&self->ring);
	close(self->fd);
}

static int send_msg(FIXTURE_DATA(node) *self)
{
	self->outcome = GARBAGE;
	return ring_one(&self->ring, self->fd, PCIEHSM_URING_MSG, &self->cmd, &self->outcome);
}

#define EXPECT_REFUSED(err)							\
	do {									\
		EXPECT_EQ(-(err), send_msg(self));				\
		EXPECT_EQ(PCIEHSM_OUTCOME_NOT_EXECUTED, self->outcome);		\
	} while (0)

#define ASSERT_ANSWERED()							\
	do {									\
		const struct pciehsm_msg *answer = (void *)(uintptr_t)self->cmd.out; \
		int res = send_msg(self);					\
		ASSERT_LE((int)sizeof(*answer), res) {				\
			TH_LOG("in %u out %u flags %u", self->cmd.in_len,	\
			       self->cmd.out_len, self->cmd.flags);		\
		}								\
		ASSERT_EQ(PCIEHSM_OUTCOME_DONE, self->outcome);			\
		ASSERT_EQ(res, (int)le32toh(answer->length));			\
		ASSERT_EQ(PCIEHSM_OP_PING, le32toh(answer->op));		\
	} while (0)

/* ---- right ---- */

TEST_F(node, nop)
{
	struct pciehsm_uring_cmd cmd = { 0 };
	int i;

	for (i = 0; i < 500; i++) {
		cmd.timeout_ms = i % 2 ? 60000 : 0;
		self->outcome = GARBAGE;
		ASSERT_EQ(0, ring_one(&self->ring, self->fd, PCIEHSM_URING_NOP, &cmd,
				      &self->outcome));
		ASSERT_EQ(PCIEHSM_OUTCOME_DONE, self->outcome);
	}
}

TEST_F(node, msg)
{
	int i;

	for (i = 0; i < 100; i++)
		ASSERT_ANSWERED();
}

/* As message.c does it, by plain memory and by registered memory. */
TEST_F(node, msg_sizes)
{
	static const uint32_t sizes[] = {
		16, 17, 63, 64, 65, 255, 256, 257, 4031, 4032, 4095, 4096, 4097, 7935, 7936,
		8127, 8128, 8175, 8176, 8191, 8192, 8193, 12288, 65535, 65536, 65537, 262144,
		524288 + 1, MEBI - 4097, MEBI - 4096, MEBI - 1, MEBI,
	};
	const unsigned int n = sizeof(sizes) / sizeof(sizes[0]);
	unsigned int i, j, flags;
	int res;

	ASSERT_EQ(0, ring_register(&self->ring, self->area, AREA));
	for (i = 0; i < n; i++) {
		for (j = i % 3; j < n; j += 3) {
			flags = (i + j) % 4;
			self->cmd.flags = flags;
			self->cmd.in_len = sizes[i];
			self->cmd.out_len = sizes[j];
			self->req->hdr.length = htole32(sizes[i]);
			memset(self->out, 0xee, sizes[j] + 1);
			ASSERT_ANSWERED();
			res = le32toh(((struct pciehsm_msg *)self->out)->length);
			/* Nothing behind the answer. */
			ASSERT_EQ(0xee, self->out[sizes[j]]);
			if ((uint32_t)res < sizes[j])
				ASSERT_EQ(0xee, self->out[res]);
		}
	}
}

/* Across page boundaries at every place, and not at the beginning of what is registered. */
TEST_F(node, msg_unaligned)
{
	static const uint32_t lengths[] = { 16, 4096, 20000 };
	unsigned int i, offset;

	ASSERT_EQ(0, ring_register(&self->ring, self->area + 16, AREA - 32));
	for (i = 0; i < 180; i++) {
		offset = 4096 - 90 + i;
		memset(self->area, 0, 65536);
		self->req = (struct request *)(self->area + offset);
		request_init(self->req, PCIEHSM_OP_PING);
		self->req->hdr.length = htole32(lengths[i % 3]);
		self->cmd.in = (uintptr_t)self->req;
		self->cmd.in_len = lengths[i % 3];
		self->cmd.out = (uintptr_t)(self->out + 8192 - 90 + i);
		self->cmd.out_len = lengths[i / 3 % 3] + 240;
		self->cmd.flags = i % 4;
		ASSERT_ANSWERED();
	}
}

/* The longest messages, page by page in memory, need one segment too many if unaligned. */
TEST_F(node, msg_segments)
{
	self->cmd.in_len = MEBI;
	self->cmd.out_len = MEBI;
	self->req->hdr.length = htole32(MEBI);
	ASSERT_ANSWERED();
	self->cmd.out++;
	EXPECT_REFUSED(EINVAL);
	self->cmd.out--;
	self->cmd.out_len -= 4096;
	self->cmd.out++;
	ASSERT_ANSWERED();
}

TEST_F(node, msg_readonly)
{
	int fd = open(self->name, O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	close(self->fd);
	self->fd = fd;
	ASSERT_ANSWERED();
	self->req->hdr.op = htole32((variant->card ? PCIEHSM_OP_HSM : PCIEHSM_OP_PARTITION) |
				    PCIEHSM_OP_WRITE | 0xfff);
	EXPECT_REFUSED(EACCES);
	/* The same where the card itself reads the request. */
	self->cmd.in_len = 10000;
	self->req->hdr.length = htole32(10000);
	EXPECT_REFUSED(EACCES);
}

TEST_F(node, msg_timeout)
{
	self->cmd.timeout_ms = UINT32_MAX;
	ASSERT_ANSWERED();
}

/* ---- one field wrong ---- */

TEST_F(node, no_sqe128)
{
	struct ring ring;
	struct pciehsm_uring_cmd cmd = { 0 };
	struct io_uring_sqe *sqe;
	unsigned int i;

	ASSERT_EQ(0, ring_open(&ring, 4, IORING_SETUP_CQE32));
	for (i = 0; i < 2; i++) {
		sqe = ring_sqe(&ring);
		sqe->opcode = IORING_OP_URING_CMD;
		sqe->fd = self->fd;
		sqe->cmd_op = i ? PCIEHSM_URING_MSG : PCIEHSM_URING_NOP;
		memcpy(sqe->cmd, &cmd, 16);
		ASSERT_EQ(0, ring_submit(&ring, 1));
		EXPECT_EQ(-EOPNOTSUPP, ring_cqe(&ring)->res);
		ring_seen(&ring);
	}
	ring_close(&ring);
}

TEST_F(node, cmd_op)
{
	const unsigned int ops[] = { 0, PCIEHSM_IOC_NOP, PCIEHSM_IOC_MSG, PCIEHSM_URING_MSG + 1,
				     PCIEHSM_URING_NOP + 1, UINT32_MAX };
	unsigned int i;

	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		EXPECT_EQ(-ENOTTY, ring_one(&self->ring, self->fd, ops[i], &self->cmd,
					    &self->outcome)) {
			TH_LOG("cmd_op %#x", ops[i]);
		}
		EXPECT_EQ(PCIEHSM_OUTCOME_NOT_EXECUTED, self->outcome);
	}
}

TEST_F(node, nop_fields)
{
	struct pciehsm_uring_cmd cmds[] = {
		{ .in = 1 }, { .out = 1 }, { .in_len = 1 }, { .out_len = 1 }, { .flags = 1 },
		{ .flags = 4 }, { .reserved[0] = 1 }, { .reserved[5] = 1 },
	};
	unsigned int i;

	ASSERT_EQ(0, ring_register(&self->ring, self->area, AREA));
	for (i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++) {
		EXPECT_EQ(-EINVAL, ring_one(&self->ring, self->fd, PCIEHSM_URING_NOP, &cmds[i],
					    &self->outcome)) {
			TH_LOG("command %u", i);
		}
		EXPECT_EQ(PCIEHSM_OUTCOME_NOT_EXECUTED, self->outcome);
	}
}

TEST_F(node, flags)
{
	unsigned int bit;

	/* So that io_uring has what the flag of the SQE asks for. */
	ASSERT_EQ(0, ring_register(&self->ring, self->area, AREA));
	for (bit = 2; bit < 32; bit++) {
		self->cmd.flags = 1U << bit;
		EXPECT_REFUSED(EINVAL);
	}
}

TEST_F(node, reserved)
{
	unsigned int i;

	for (i = 0; i < sizeof(self->cmd.reserved) / sizeof(self->cmd.reserved[0]); i++) {
		self->cmd.reserved[i] = 1ULL << (i * 12);
		EXPECT_REFUSED(EINVAL);
		self->cmd.reserved[i] = 0;
	}
	ASSERT_ANSWERED();
}

TEST_F(node, in_len)
{
	self->cmd.in_len = 0;
	EXPECT_REFUSED(EINVAL);
	self->cmd.in_len = sizeof(struct pciehsm_msg) - 1;
	EXPECT_REFUSED(EINVAL);
	/* Not what the header says. */
	self->cmd.in_len = sizeof(struct pciehsm_msg) + 1;
	EXPECT_REFUSED(EINVAL);
	self->cmd.in_len = 10000;
	EXPECT_REFUSED(EINVAL);
	self->cmd.in_len = MEBI + 1;
	EXPECT_REFUSED(EMSGSIZE);
	self->cmd.in_len = UINT32_MAX;
	EXPECT_REFUSED(EMSGSIZE);
}

TEST_F(node, out_len)
{
	self->cmd.out_len = 0;
	EXPECT_REFUSED(EINVAL);
	self->cmd.out_len = sizeof(struct pciehsm_msg) - 1;
	EXPECT_REFUSED(EINVAL);
	self->cmd.out_len = MEBI + 1;
	EXPECT_REFUSED(EMSGSIZE);
	self->cmd.out_len = UINT32_MAX;
	EXPECT_REFUSED(EMSGSIZE);
}

TEST_F(node, in_pointer)
{
	const uint32_t lengths[] = { sizeof(struct pciehsm_msg), 100000 };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		self->cmd.in_len = lengths[i];
		self->req->hdr.length = htole32(lengths[i]);
		self->cmd.in = 0;
		EXPECT_REFUSED(EFAULT);
		self->cmd.in = UINT64_MAX - 8;
		EXPECT_REFUSED(EFAULT);
		self->cmd.in = 1ULL << 63;
		EXPECT_REFUSED(EFAULT);
		self->cmd.in = (uintptr_t)self->req;
		ASSERT_ANSWERED();
	}
	/* Its last page is missing. */
	ASSERT_EQ(0, munmap(self->area + (100000 & ~4095), 4096));
	EXPECT_REFUSED(EFAULT);
}

TEST_F(node, out_pointer)
{
	const uint32_t lengths[] = { 256, 100000 };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		self->cmd.out_len = lengths[i];
		self->cmd.out = 0;
		EXPECT_REFUSED(EFAULT);
		self->cmd.out = UINT64_MAX - 8;
		EXPECT_REFUSED(EFAULT);
		self->cmd.out = 1ULL << 63;
		EXPECT_REFUSED(EFAULT);
		self->cmd.out = (uintptr_t)self->out;
		ASSERT_ANSWERED();
	}
	ASSERT_EQ(0, mprotect(self->out, 4096, PROT_READ));
	EXPECT_REFUSED(EFAULT);
	self->cmd.out_len = 256;
	EXPECT_REFUSED(EFAULT);
}

TEST_F(node, length)
{
	self->req->hdr.length = 0;
	EXPECT_REFUSED(EINVAL);
	self->req->hdr.length = htole32(sizeof(struct pciehsm_msg) + 1);
	EXPECT_REFUSED(EINVAL);
	self->req->hdr.length = htole32(UINT32_MAX);
	EXPECT_REFUSED(EINVAL);
}

TEST_F(node, op)
{
	self->req->hdr.op = htole32(variant->card ? PCIEHSM_OP_PARTITION_INFO :
						    PCIEHSM_OP_HSM_INFO);
	EXPECT_REFUSED(EACCES);
	self->req->hdr.op = htole32(0x001);
	EXPECT_REFUSED(EACCES);
}

/* ---- registered memory ---- */

TEST_F(node, fixed_bounds)
{
	/* A page is missing at either end. */
	ASSERT_EQ(0, ring_register(&self->ring, self->area + 4096, AREA - 8192));
	self->cmd.flags = PCIEHSM_URING_IN_FIXED;
	EXPECT_REFUSED(EFAULT);
	self->cmd.flags = PCIEHSM_URING_OUT_FIXED;
	ASSERT_ANSWERED();
	self->cmd.out = (uintptr_t)self->area + AREA - 4096 - 100;
	EXPECT_REFUSED(EFAULT);
	self->cmd.out = (uintptr_t)self->area;
	EXPECT_REFUSED(EFAULT);
	self->cmd.out = UINT64_MAX - 8;
	EXPECT_REFUSED(EFAULT);
}

TEST_F(node, fixed_flags)
{
	struct io_uring_sqe *sqe;
	unsigned int i;

	ASSERT_EQ(0, ring_register(&self->ring, self->area, AREA));
	for (i = 0; i < 2; i++) {
		/* The SQE and the command do not say the same. */
		sqe = ring_sqe(&self->ring);
		self->cmd.flags = i ? PCIEHSM_URING_IN_FIXED : 0;
		ring_command(sqe, self->fd, PCIEHSM_URING_MSG, &self->cmd);
		sqe->uring_cmd_flags = i ? 0 : IORING_URING_CMD_FIXED;
		ASSERT_EQ(0, ring_submit(&self->ring, 1));
		EXPECT_EQ(-EINVAL, ring_cqe(&self->ring)->res);
		EXPECT_EQ(PCIEHSM_OUTCOME_NOT_EXECUTED,
			  ring_outcome(&self->ring, ring_cqe(&self->ring)));
		ring_seen(&self->ring);
	}
	/* There is no such buffer: io_uring's own answer. */
	sqe = ring_sqe(&self->ring);
	self->cmd.flags = PCIEHSM_URING_IN_FIXED;
	ring_command(sqe, self->fd, PCIEHSM_URING_MSG, &self->cmd);
	sqe->buf_index = 1;
	ASSERT_EQ(0, ring_submit(&self->ring, 1));
	EXPECT_EQ(-EFAULT, ring_cqe(&self->ring)->res);
	ring_seen(&self->ring);
}

/* ---- who checks what ---- */

/*
 * A request that changes after it was checked, in memory that the card itself reads:
 * refused by the driver (EACCES), refused by the card (EINVAL), or what it was when it
 * was checked. The card never works on an opcode that the driver had not allowed.
 */
TEST_F(node, changing)
{
	struct flip flip = { .op = &self->req->hdr.op };
	unsigned int i, sent = 0, refused = 0;
	pthread_t thread;
	int res;

	ASSERT_EQ(0, ring_register(&self->ring, self->area, AREA));
	self->cmd.flags = PCIEHSM_URING_IN_FIXED;
	self->cmd.in_len = 10000;
	self->req->hdr.length = htole32(10000);
	ASSERT_EQ(0, pthread_create(&thread, NULL, flipper, &flip));
	for (i = 0; i < 2000 || (i < 50000 && (!sent || !refused)); i++) {
		res = send_msg(self);
		if (res < 0) {
			if (res != -EINVAL)
				ASSERT_EQ(-EACCES, res);
			ASSERT_EQ(PCIEHSM_OUTCOME_NOT_EXECUTED, self->outcome);
			refused++;
		} else {
			ASSERT_EQ(PCIEHSM_OP_PING,
				  le32toh(((struct pciehsm_msg *)self->out)->op));
			sent++;
		}
	}
	flip.stop = true;
	pthread_join(thread, NULL);
	EXPECT_LT(0, sent);
	EXPECT_LT(0, refused);
}

/* ---- many, and rings of other makes ---- */

enum { MANY = 1024, STRIDE = 512, ROUNDS = 4 };

/* Far more at once than there are slots: all are answered, each with its own answer. */
static void many(struct __test_metadata *_metadata, FIXTURE_DATA(node) *self, unsigned int flags)
{
	struct ring ring;
	struct pciehsm_msg *in, *out;
	struct pciehsm_uring_cmd cmd;
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	unsigned int round, i, seen;

	ASSERT_EQ(0, ring_open(&ring, MANY, IORING_SETUP_SQE128 | flags));
	ASSERT_EQ(0, ring_register(&ring, self->area, AREA));
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < MANY; i++) {
			in = (void *)(self->area + i * STRIDE);
			out = (void *)(self->out + i * STRIDE);
			memset(out, 0, sizeof(*out));
			*in = (struct pciehsm_msg) {
				.length = htole32(sizeof(*in)),
				.op = htole32(PCIEHSM_OP_PING),
				.session = round * MANY + i + 1,
			};
			cmd = (struct pciehsm_uring_cmd) {
				.in = (uintptr_t)in, .in_len = sizeof(*in),
				.out = (uintptr_t)out, .out_len = PCIEHSM_ANSWER_MIN,
				.flags = i % 4,
			};
			sqe = ring_sqe(&ring);
			ASSERT_NE(NULL, sqe);
			ring_command(sqe, self->fd, PCIEHSM_URING_MSG, &cmd);
			sqe->user_data = i;
		}
		for (seen = 0; seen < MANY; seen++) {
			while (!(cqe = ring_cqe(&ring)))
				ASSERT_EQ(0, ring_submit(&ring, 1));
			out = (void *)(self->out + cqe->user_data * STRIDE);
			ASSERT_EQ(sizeof(*out), cqe->res) {
				TH_LOG("command %u", (unsigned int)cqe->user_data);
			}
			ASSERT_EQ(round * MANY + cqe->user_data + 1, out->session);
			if (flags & IORING_SETUP_CQE32)
				ASSERT_EQ(PCIEHSM_OUTCOME_DONE, ring_outcome(&ring, cqe));
			ring_seen(&ring);
		}
	}
	ring_close(&ring);
}

TEST_F(node, many)
{
	many(_metadata, self, IORING_SETUP_CQE32);
}

TEST_F(node, many_cqe16)
{
	many(_metadata, self, 0);
}

TEST_F(node, many_sqpoll)
{
	many(_metadata, self, IORING_SETUP_SQPOLL | IORING_SETUP_CQE32);
}

TEST_F(node, many_defer)
{
	many(_metadata, self, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
}

TEST_F(node, iopoll)
{
	struct pciehsm_uring_cmd cmd = { 0 };
	struct ring ring;
	int res;

	ASSERT_EQ(0, ring_open(&ring, 4, RING_FLAGS | IORING_SETUP_IOPOLL));
	res = ring_one(&ring, self->fd, PCIEHSM_URING_NOP, &cmd, &self->outcome);
	/* Newer kernels complete it as if it were another ring. */
	if (res)
		EXPECT_EQ(-EOPNOTSUPP, res);
	ring_close(&ring);
}

/*
 * Who does not look at his ring holds no slot: the tasks' part of the completion waits
 * for the next io_uring_enter(), the driver's does not.
 */
TEST_F(node, idle_ring)
{
	struct pciehsm_uring_cmd cmd = { 0 };
	struct ring ring;
	cpu_set_t one;
	unsigned int i;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(one), &one));
	ASSERT_EQ(0, ring_open(&ring, MANY, RING_FLAGS | IORING_SETUP_SINGLE_ISSUER |
			       IORING_SETUP_DEFER_TASKRUN));
	for (i = 0; i < 63; i++)
		ring_command(ring_sqe(&ring), self->fd, PCIEHSM_URING_NOP, &cmd);
	ASSERT_EQ(0, ring_submit(&ring, 0));
	for (i = 0; i < 100; i++)
		ASSERT_EQ(0, ioctl(self->fd, PCIEHSM_IOC_NOP));
	EXPECT_EQ(NULL, ring_cqe(&ring));
	ASSERT_EQ(0, ring_submit(&ring, 63));
	for (i = 0; i < 63; i++) {
		ASSERT_NE(NULL, ring_cqe(&ring));
		ASSERT_EQ(0, ring_cqe(&ring)->res);
		ring_seen(&ring);
	}
	ring_close(&ring);
}

/* poll() on the ring tells of completions. */
TEST_F(node, poll)
{
	struct pollfd pfd = { .fd = self->ring.fd, .events = POLLIN };
	struct pciehsm_uring_cmd cmd = { 0 };
	int i;

	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, poll(&pfd, 1, 0));
		ring_command(ring_sqe(&self->ring), self->fd, PCIEHSM_URING_NOP, &cmd);
		ASSERT_EQ(0, ring_submit(&self->ring, 0));
		ASSERT_EQ(1, poll(&pfd, 1, 60000));
		ASSERT_EQ(POLLIN, pfd.revents);
		ASSERT_NE(NULL, ring_cqe(&self->ring));
		ASSERT_EQ(0, ring_cqe(&self->ring)->res);
		ring_seen(&self->ring);
	}
}

/* ---- the end of things ---- */

/*
 * Large answers are written by the card itself, so each has memory of its own: two of
 * them in one place are nobody's fault but the caller's, and DMA debugging says so.
 */
static void submit_some(struct ring *ring, int fd, unsigned char *area, unsigned int n)
{
	enum { LARGE = 5 * 4096 };
	struct pciehsm_uring_cmd cmd;
	struct io_uring_sqe *sqe;
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct pciehsm_msg *in = (void *)(area + i * STRIDE);

		*in = (struct pciehsm_msg) { .length = htole32(i % 3 ? 16 : 9000),
					     .op = htole32(PCIEHSM_OP_PING) };
		cmd = (struct pciehsm_uring_cmd) {
			.in = (uintptr_t)in, .in_len = i % 3 ? 16 : 9000,
			.out = (uintptr_t)area + AREA / 2 + i * STRIDE,
			.out_len = PCIEHSM_ANSWER_MIN,
		};
		if (i % 5 == 0) {
			cmd.out = (uintptr_t)area + AREA - (i / 5 + 1) * LARGE;
			cmd.out_len = 20000;
		}
		sqe = ring_sqe(ring);
		if (!sqe)
			break;
		ring_command(sqe, fd, PCIEHSM_URING_MSG, &cmd);
	}
	ring_submit(ring, 0);
}

/* The file and the ring are closed, the memory unmapped, while commands are in flight. */
TEST_F(node, closed_in_flight)
{
	struct ring ring;
	unsigned char *area;
	int i, fd;

	for (i = 0; i < 100; i++) {
		fd = open(self->name, O_RDWR | O_CLOEXEC);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, ring_open(&ring, 256, RING_FLAGS));
		area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ASSERT_NE(MAP_FAILED, area);
		submit_some(&ring, fd, area, i % 2 ? 20 : 200);
		if (i % 3)
			close(fd);
		if (i % 4)
			ASSERT_EQ(0, munmap(area, AREA));
		ring_close(&ring);
		if (i % 3 == 0)
			close(fd);
		if (i % 4 == 0)
			ASSERT_EQ(0, munmap(area, AREA));
	}
	/* The contexts of all of them end: the card has room again. */
	for (i = 0; ping(self->fd) && i < 1200; i++)
		usleep(50000);
	EXPECT_GT(1200, i);
}

TEST_F(node, killed_in_flight)
{
	int i, n, status, ready[2];
	struct ring ring;
	pid_t pid;
	char c;

	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, pipe(ready));
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			if (ring_open(&ring, 256, RING_FLAGS) || write(ready[1], "x", 1) != 1)
				_exit(1);
			for (;;) {
				submit_some(&ring, self->fd, self->area, 200);
				for (n = 0; n < 200; n++) {
					while (!ring_cqe(&ring))
						ring_submit(&ring, 1);
					ring_seen(&ring);
				}
			}
		}
		ASSERT_EQ(1, read(ready[0], &c, 1));
		usleep(1000 * i);
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		close(ready[0]);
		close(ready[1]);
	}
	ASSERT_ANSWERED();
}

/* ---- thousands of contexts ---- */

TEST_F(node, thousands)
{
	enum { FILES = 5000 };
	struct rlimit limit = { .rlim_cur = FILES + 100, .rlim_max = FILES + 100 };
	static int fds[FILES];
	int i, round;

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	for (round = 0; round < 2; round++) {
		for (i = 0; i < FILES; i++) {
			fds[i] = open(self->name, O_RDWR | O_CLOEXEC);
			ASSERT_LE(0, fds[i]) {
				TH_LOG("file %d: %s", i, strerror(errno));
			}
		}
		/* Opening alone costs the card nothing: the last one works like the first. */
		EXPECT_EQ(0, ping(fds[0]));
		EXPECT_EQ(0, ping(fds[FILES - 1]));
		while (i-- > 0)
			close(fds[i]);
	}
	EXPECT_EQ(0, ping(self->fd));
}

TEST_HARNESS_MAIN
