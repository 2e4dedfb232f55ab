// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * PCIEHSM_IOC_INFO, PCIEHSM_IOC_MSG and PCIEHSM_IOC_NOP on both kinds of nodes: what
 * is right works, and each field wrong, with all others right, gives the errno and
 * the outcome that ioctl.h promises.
 */
#include <pthread.h>
#include <stddef.h>

#include "flip.h"
#include "harness.h"

#define GARBAGE	77	/* no enum pciehsm_outcome */

FIXTURE(node) {
	int fd;
	struct request *req;
	unsigned char *out;
	struct pciehsm_ioc_msg msg;
	struct pciehsm_ioc_info info;
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
	const char *name = variant->card ? CARD_NODE : partition_node();

	ASSERT_NE(NULL, name);
	self->fd = open(name, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	/* Room for one byte and a page more than the card takes. */
	self->req = mmap(NULL, 2 * MEBI, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	ASSERT_NE(MAP_FAILED, self->req);
	self->out = mmap(NULL, 2 * MEBI, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	ASSERT_NE(MAP_FAILED, self->out);
	request_init(self->req, PCIEHSM_OP_PING);
	self->msg = (struct pciehsm_ioc_msg) {
		.size		= sizeof(self->msg),
		.in		= (uintptr_t)self->req,
		.out		= (uintptr_t)self->out,
		.in_len		= sizeof(struct pciehsm_msg),
		.out_len	= PCIEHSM_ANSWER_MIN,
		.outcome	= GARBAGE,
	};
	self->info = (struct pciehsm_ioc_info) { .size = sizeof(self->info) };
}

FIXTURE_TEARDOWN(node)
{
	close(self->fd);
}

static int send_msg(FIXTURE_DATA(node) *self)
{
	return ioctl(self->fd, PCIEHSM_IOC_MSG, &self->msg) ? errno : 0;
}

static int send_info(FIXTURE_DATA(node) *self)
{
	return ioctl(self->fd, PCIEHSM_IOC_INFO, &self->info) ? errno : 0;
}

#define EXPECT_REFUSED(err)							\
	do {									\
		EXPECT_EQ(err, send_msg(self));					\
		EXPECT_EQ(PCIEHSM_OUTCOME_NOT_EXECUTED, self->msg.outcome);	\
	} while (0)

#define EXPECT_ANSWERED()							\
	do {									\
		const struct pciehsm_msg *answer = (void *)self->out;		\
		EXPECT_EQ(0, send_msg(self));					\
		EXPECT_EQ(PCIEHSM_OUTCOME_DONE, self->msg.outcome);		\
		EXPECT_LE(sizeof(*answer), self->msg.out_len);			\
		EXPECT_EQ(self->msg.out_len, le32toh(answer->length));		\
		EXPECT_EQ(PCIEHSM_OP_PING, le32toh(answer->op));		\
	} while (0)

/* ---- INFO ---- */

TEST_F(node, info)
{
	memset(&self->info, 0, sizeof(self->info));
	self->info.size = sizeof(self->info);
	ASSERT_EQ(0, send_info(self));
	EXPECT_EQ(sizeof(self->info), self->info.size);
	EXPECT_EQ(0, self->info.flags);
	EXPECT_EQ(0, self->info.card);
	EXPECT_EQ(variant->card, !self->info.index);
	EXPECT_EQ(variant->card, !self->info.number);
	EXPECT_EQ(PCIEHSM_STATE_LIVE, self->info.state);
	EXPECT_EQ(MEBI, self->info.max_msg);
	EXPECT_LE(1, self->info.queues);
	EXPECT_LT(0, self->info.timeout_ms);
	EXPECT_LT(0, self->info.recovery_ms);
	EXPECT_NE(0, self->info.hsm_serial[0]);
	EXPECT_EQ(variant->card, !self->info.serial[0]);
	EXPECT_EQ(0, self->info.reserved);
}

TEST_F(node, info_size_small)
{
	self->info.size--;
	EXPECT_EQ(EINVAL, send_info(self));
	self->info.size = 0;
	EXPECT_EQ(EINVAL, send_info(self));
}

TEST_F(node, info_size_grown)
{
	struct {
		struct pciehsm_ioc_info info;
		uint32_t more[8];
	} grown = { .info.size = sizeof(grown) };

	ASSERT_EQ(0, ioctl(self->fd, PCIEHSM_IOC_INFO, &grown));
	EXPECT_EQ(sizeof(struct pciehsm_ioc_info), grown.info.size);
	EXPECT_EQ(0, grown.more[0]);
	grown.info = (struct pciehsm_ioc_info) { .size = sizeof(grown) };
	grown.more[7] = 1;
	EXPECT_EQ(-1, ioctl(self->fd, PCIEHSM_IOC_INFO, &grown));
	EXPECT_EQ(E2BIG, errno);
	EXPECT_EQ(1, grown.more[7]);
}

TEST_F(node, info_size_huge)
{
	self->info.size = UINT32_MAX;
	EXPECT_EQ(E2BIG, send_info(self));
}

TEST_F(node, info_flags)
{
	self->info.flags = 1;
	EXPECT_EQ(EINVAL, send_info(self));
}

TEST_F(node, info_reserved)
{
	self->info.reserved = 1;
	EXPECT_EQ(EINVAL, send_info(self));
}

TEST_F(node, info_pointer)
{
	EXPECT_EQ(-1, ioctl(self->fd, PCIEHSM_IOC_INFO, NULL));
	EXPECT_EQ(EFAULT, errno);
}

TEST_F(node, info_grown_number)
{
	unsigned int cmd = _IOC(_IOC_READ | _IOC_WRITE, PCIEHSM_IOC_MAGIC,
				_IOC_NR(PCIEHSM_IOC_INFO), sizeof(self->info) + 64);

	EXPECT_EQ(0, ioctl(self->fd, cmd, &self->info));
}

/* ---- NOP and unknown numbers ---- */

TEST_F(node, nop)
{
	int i;

	for (i = 0; i < 1000; i++)
		ASSERT_EQ(0, ioctl(self->fd, PCIEHSM_IOC_NOP));
}

TEST_F(node, unknown)
{
	const unsigned int cmds[] = {
		_IOWR(PCIEHSM_IOC_MAGIC, 0x7f, struct pciehsm_ioc_info),
		_IOWR(PCIEHSM_IOC_MAGIC + 1, 0x00, struct pciehsm_ioc_info),
		_IOR(PCIEHSM_IOC_MAGIC, 0x00, struct pciehsm_ioc_info),
		_IO(PCIEHSM_IOC_MAGIC, 0x01),
		_IO(PCIEHSM_IOC_MAGIC, 0x03),
		PCIEHSM_URING_MSG,
		0, UINT32_MAX,
	};
	unsigned int i;

	for (i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++) {
		EXPECT_EQ(-1, ioctl(self->fd, cmds[i], &self->info));
		EXPECT_EQ(ENOTTY, errno) {
			TH_LOG("command %#x", cmds[i]);
		}
	}
}

/* ---- MSG: right ---- */

TEST_F(node, msg)
{
	EXPECT_ANSWERED();
	EXPECT_EQ(sizeof(self->msg), self->msg.size);
	EXPECT_EQ(sizeof(struct pciehsm_msg), self->msg.in_len);
	EXPECT_EQ(0, self->msg.flags);
}

TEST_F(node, msg_readonly)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	close(self->fd);
	self->fd = fd;
	EXPECT_ANSWERED();
	/* The firmware has no operation of this number: it could do no harm. */
	self->req->hdr.op = htole32((variant->card ? PCIEHSM_OP_HSM : PCIEHSM_OP_PARTITION) |
				    PCIEHSM_OP_WRITE | 0xfff);
	EXPECT_REFUSED(EACCES);
}

TEST_F(node, msg_writable)
{
	/* The same as above, and it reaches the firmware, which answers. */
	self->req->hdr.op = htole32((variant->card ? PCIEHSM_OP_HSM : PCIEHSM_OP_PARTITION) |
				    PCIEHSM_OP_WRITE | 0xfff);
	EXPECT_EQ(0, send_msg(self));
	EXPECT_EQ(PCIEHSM_OUTCOME_DONE, self->msg.outcome);
}

/* Around every limit between the two ways that data goes: a page, a slot, segments. */
TEST_F(node, msg_sizes)
{
	static const uint32_t sizes[] = {
		16, 17, 63, 64, 65, 255, 256, 257, 4031, 4032, 4095, 4096, 4097, 7935, 7936,
		8127, 8128, 8175, 8176, 8191, 8192, 8193, 12288, 65535, 65536, 65537, 262144,
		524288 + 1, MEBI - 4097, MEBI - 4096, MEBI - 1, MEBI,
	};
	const unsigned int n = sizeof(sizes) / sizeof(sizes[0]);
	const struct pciehsm_msg *answer = (void *)self->out;
	unsigned int i, j;

	for (i = 0; i < n; i++) {
		for (j = 0; j < n; j += 1 + i % 3) {
			self->msg.in_len = sizes[i];
			self->msg.out_len = sizes[j];
			self->req->hdr.length = htole32(sizes[i]);
			self->msg.outcome = GARBAGE;
			memset(self->out, 0xee, sizes[j] + 1);
			ASSERT_EQ(0, send_msg(self)) {
				TH_LOG("in %u, out %u", sizes[i], sizes[j]);
			}
			ASSERT_EQ(PCIEHSM_OUTCOME_DONE, self->msg.outcome);
			ASSERT_GE(sizes[j], self->msg.out_len);
			ASSERT_EQ(self->msg.out_len, le32toh(answer->length));
			/* Nothing behind the answer. */
			ASSERT_EQ(0xee, self->out[sizes[j]]);
			if (self->msg.out_len < sizes[j])
				ASSERT_EQ(0xee, self->out[self->msg.out_len]);
		}
	}
}

TEST_F(node, msg_unaligned)
{
	unsigned char *in = (unsigned char *)self->req;
	unsigned int i;

	for (i = 1; i < 64; i++) {
		memmove(in + i, in + i - 1, sizeof(struct pciehsm_msg));
		self->msg.in = (uintptr_t)(in + i);
		self->msg.out = (uintptr_t)(self->out + i);
		self->msg.out_len = PCIEHSM_ANSWER_MIN;
		ASSERT_EQ(0, send_msg(self));
		ASSERT_EQ(PCIEHSM_OP_PING,
			  le32toh(((struct pciehsm_msg *)(self->out + i))->op));
	}
}

TEST_F(node, msg_timeout)
{
	self->msg.timeout_ms = 3600000;
	EXPECT_ANSWERED();
	self->msg.timeout_ms = UINT32_MAX;
	self->msg.out_len = PCIEHSM_ANSWER_MIN;
	EXPECT_ANSWERED();
}

TEST_F(node, msg_size_grown)
{
	struct {
		struct pciehsm_ioc_msg msg;
		uint64_t more;
	} grown = { .msg = self->msg };

	grown.msg.size = sizeof(grown);
	EXPECT_EQ(0, ioctl(self->fd, PCIEHSM_IOC_MSG, &grown));
	EXPECT_EQ(PCIEHSM_OUTCOME_DONE, grown.msg.outcome);
	grown.msg = self->msg;
	grown.msg.size = sizeof(grown);
	grown.more = 1;
	EXPECT_EQ(-1, ioctl(self->fd, PCIEHSM_IOC_MSG, &grown));
	EXPECT_EQ(E2BIG, errno);
	EXPECT_EQ(PCIEHSM_OUTCOME_NOT_EXECUTED, grown.msg.outcome);
}

/* ---- MSG: one field wrong ---- */

TEST_F(node, msg_size_small)
{
	self->msg.size--;
	EXPECT_EQ(EINVAL, send_msg(self));
	self->msg.size = 0;
	EXPECT_EQ(EINVAL, send_msg(self));
}

TEST_F(node, msg_size_huge)
{
	self->msg.size = UINT32_MAX;
	EXPECT_REFUSED(E2BIG);
}

TEST_F(node, msg_flags)
{
	unsigned int bit;

	for (bit = 0; bit < 32; bit++) {
		self->msg.flags = 1U << bit;
		self->msg.outcome = GARBAGE;
		EXPECT_REFUSED(EINVAL);
	}
}

TEST_F(node, msg_in_len)
{
	self->msg.in_len = 0;
	EXPECT_REFUSED(EINVAL);
	self->msg.in_len = sizeof(struct pciehsm_msg) - 1;
	EXPECT_REFUSED(EINVAL);
	/* Not what the header says. */
	self->msg.in_len = sizeof(struct pciehsm_msg) + 1;
	EXPECT_REFUSED(EINVAL);
	self->msg.in_len = MEBI + 1;
	self->req->hdr.length = htole32(MEBI + 1);
	EXPECT_REFUSED(EMSGSIZE);
	self->msg.in_len = UINT32_MAX;
	self->req->hdr.length = htole32(UINT32_MAX);
	EXPECT_REFUSED(EMSGSIZE);
}

TEST_F(node, msg_out_len)
{
	self->msg.out_len = 0;
	EXPECT_REFUSED(EINVAL);
	self->msg.out_len = sizeof(struct pciehsm_msg) - 1;
	EXPECT_REFUSED(EINVAL);
	self->msg.out_len = MEBI + 1;
	EXPECT_REFUSED(EMSGSIZE);
	self->msg.out_len = UINT32_MAX;
	EXPECT_REFUSED(EMSGSIZE);
}

TEST_F(node, msg_in_pointer)
{
	self->msg.in = 0;
	EXPECT_REFUSED(EFAULT);
	self->msg.in = UINT64_MAX - 8;
	EXPECT_REFUSED(EFAULT);
	/* The last page of it is missing. */
	self->msg.in = (uintptr_t)self->req;
	self->msg.in_len = MEBI;
	self->req->hdr.length = htole32(MEBI);
	ASSERT_EQ(0, munmap((char *)self->req + MEBI - 4096, 4096));
	EXPECT_REFUSED(EFAULT);
}

TEST_F(node, msg_out_pointer)
{
	self->msg.out = 0;
	EXPECT_REFUSED(EFAULT);
	self->msg.out = UINT64_MAX - 8;
	EXPECT_REFUSED(EFAULT);
	self->msg.out = (uintptr_t)self->out;
	self->msg.out_len = MEBI;
	ASSERT_EQ(0, munmap(self->out + MEBI - 4096, 4096));
	EXPECT_REFUSED(EFAULT);
}

TEST_F(node, msg_out_readonly)
{
	ASSERT_EQ(0, mprotect(self->out, 4096, PROT_READ));
	EXPECT_REFUSED(EFAULT);
}

TEST_F(node, msg_pointer)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, munmap(page + 4096, 4096));
	EXPECT_EQ(-1, ioctl(self->fd, PCIEHSM_IOC_MSG, NULL));
	EXPECT_EQ(EFAULT, errno);
	/* The second half of the structure is missing. */
	memcpy(page + 4096 - 16, &self->msg, 16);
	EXPECT_EQ(-1, ioctl(self->fd, PCIEHSM_IOC_MSG, page + 4096 - 16));
	EXPECT_EQ(EFAULT, errno);
}

TEST_F(node, msg_length)
{
	self->req->hdr.length = 0;
	EXPECT_REFUSED(EINVAL);
	self->req->hdr.length = htole32(sizeof(struct pciehsm_msg) - 1);
	EXPECT_REFUSED(EINVAL);
	self->req->hdr.length = htole32(sizeof(struct pciehsm_msg) + 1);
	EXPECT_REFUSED(EINVAL);
	self->req->hdr.length = htole32(UINT32_MAX);
	EXPECT_REFUSED(EINVAL);
}

TEST_F(node, msg_op)
{
	/* Of the other kind of node. */
	self->req->hdr.op = htole32(variant->card ? PCIEHSM_OP_PARTITION_INFO :
						    PCIEHSM_OP_HSM_INFO);
	EXPECT_REFUSED(EACCES);
	/* Of no kind. */
	self->req->hdr.op = htole32(0x001);
	EXPECT_REFUSED(EACCES);
	self->req->hdr.op = htole32(PCIEHSM_OP_WRITE | 0x001);
	EXPECT_REFUSED(EACCES);
}

/* ---- who checks what ---- */

/*
 * A request that changes while it is being sent is either checked and sent as it was
 * or checked and refused as it was: the card never sees an opcode that the driver
 * had not allowed (it would refuse the difference: EINVAL).
 */
TEST_F(node, msg_changing)
{
	struct flip flip = { .op = &self->req->hdr.op };
	unsigned int i, sent = 0, refused = 0;
	pthread_t thread;
	int err;

	ASSERT_EQ(0, pthread_create(&thread, NULL, flipper, &flip));
	for (i = 0; i < 3000 || (i < 100000 && (!sent || !refused)); i++) {
		self->msg.out_len = PCIEHSM_ANSWER_MIN;
		err = send_msg(self);
		if (err) {
			ASSERT_EQ(EACCES, err);
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

struct worker {
	int fd;
	unsigned int seed;
	unsigned int errors;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	struct request *req = malloc(sizeof(*req));
	unsigned char *out = malloc(sizeof(*req));
	unsigned int i, size;
	int err;

	if (!req || !out) {
		w->errors = 1;
		return NULL;
	}
	memset(req, 0, sizeof(*req));
	for (i = 0; i < 200; i++) {
		request_init(req, PCIEHSM_OP_PING);
		req->hdr.session = rand_r(&w->seed);
		size = i % 8 ? rand_r(&w->seed) % 4000 : rand_r(&w->seed) % 100000;
		req->hdr.length = htole32(sizeof(req->hdr) + size);
		err = request_send(w->fd, &req->hdr, out, sizeof(req->hdr) + 4096, NULL, NULL);
		/* The session tells whose answer this is. */
		if (err || ((struct pciehsm_msg *)out)->session != req->hdr.session)
			w->errors++;
	}
	free(req);
	free(out);
	return NULL;
}

/* More callers than slots in a queue, each with its own answers. */
TEST_F(node, msg_threads)
{
	enum { THREADS = 150 };
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	unsigned int i, errors = 0;

	for (i = 0; i < THREADS; i++) {
		workers[i] = (struct worker) { .fd = self->fd, .seed = i + 1 };
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, work, &workers[i]));
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		errors += workers[i].errors;
	}
	EXPECT_EQ(0, errors);
}

TEST_HARNESS_MAIN
