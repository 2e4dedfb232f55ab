// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files: open, close, read and poll without events, signals, and that a context ends
 * with the last descriptor, however that goes. The card has room for CONTEXTS
 * contexts (run gives it that property).
 */
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>

#include "common.h"
#include "harness.h"

#define CONTEXTS 64

FIXTURE(node) {
	const char *name;
	int fd;
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
	self->fd = open(self->name, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(node)
{
	close(self->fd);
}

TEST_F(node, mode)
{
	struct stat st;

	ASSERT_EQ(0, stat(self->name, &st));
	EXPECT_EQ(S_IFCHR | (variant->card ? 0600 : 0660), st.st_mode);
	EXPECT_EQ(0, st.st_uid);
}

TEST_F(node, read_nothing)
{
	struct pciehsm_event events[2];

	EXPECT_EQ(-1, read(self->fd, events, sizeof(events)));
	EXPECT_EQ(EAGAIN, errno);
}

TEST_F(node, read_short)
{
	struct pciehsm_event event;

	EXPECT_EQ(-1, read(self->fd, &event, sizeof(event) - 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, read(self->fd, &event, 0));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(node, write)
{
	EXPECT_EQ(-1, write(self->fd, "x", 1));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(node, seek)
{
	EXPECT_EQ(-1, pread(self->fd, &self, sizeof(self), 0));
	EXPECT_EQ(ESPIPE, errno);
}

TEST_F(node, poll_nothing)
{
	struct pollfd pfd = { .fd = self->fd, .events = POLLIN | POLLOUT };

	EXPECT_EQ(0, poll(&pfd, 1, 50));
}

static void handler(int sig)
{
	(void)sig;
}

TEST_F(node, read_signal)
{
	struct sigaction sa = { .sa_handler = handler };
	struct pciehsm_event event;

	ASSERT_EQ(0, sigaction(SIGALRM, &sa, NULL));
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, 0));
	/* Again and again: the first may come before the read does. */
	ualarm(200000, 200000);
	EXPECT_EQ(-1, read(self->fd, &event, sizeof(event)));
	EXPECT_EQ(EINTR, errno);
	ualarm(0, 0);
}

/* Signals that do not kill do not end a command that was sent. */
TEST_F(node, msg_signals)
{
	struct sigaction sa = { .sa_handler = handler };
	int i, err, interrupted = 0;

	ASSERT_EQ(0, sigaction(SIGALRM, &sa, NULL));
	ualarm(1000, 1000);
	for (i = 0; i < 500; i++) {
		err = ping(self->fd);
		/* Before it was sent, it may be. */
		if (err)
			ASSERT_EQ(EINTR, err);
		interrupted += !!err;
	}
	ualarm(0, 0);
	EXPECT_GT(500, interrupted);
}

TEST_F(node, proc)
{
	char path[64], target[64] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
	ASSERT_LT(0, readlink(path, target, sizeof(target) - 1));
	EXPECT_STREQ(self->name, target);
}

/* ---- contexts ---- */

/* Opens @n files and makes the card know each; returns how many it took. */
static int fill(const char *name, int *fds, int n)
{
	int i, err;

	for (i = 0; i < n; i++) {
		fds[i] = open(name, O_RDWR | O_CLOEXEC);
		if (fds[i] < 0)
			return -errno;
		err = ping(fds[i]);
		if (err) {
			close(fds[i]);
			return err == ENOMEM ? i : -err;
		}
	}
	return n;
}

static void empty(int *fds, int n)
{
	while (n-- > 0)
		close(fds[n]);
}

TEST_F(node, context_limit)
{
	struct pciehsm_msg req = { .length = htole32(sizeof(req)),
				   .op = htole32(PCIEHSM_OP_PING) };
	struct pciehsm_ioc_msg msg;
	unsigned char answer[PCIEHSM_ANSWER_MIN];
	int fds[CONTEXTS + 1], n, fd;

	n = fill(self->name, fds, CONTEXTS + 1);
	ASSERT_EQ(CONTEXTS, n);
	/* The one too many is told so, and that nothing was done. */
	fd = open(self->name, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(ENOMEM, request_send(fd, &req, answer, sizeof(answer), NULL,
				       &msg));
	EXPECT_EQ(PCIEHSM_OUTCOME_NOT_EXECUTED, msg.outcome);
	/* Room for one more at once when one is closed. */
	close(fds[0]);
	EXPECT_EQ(0, ping(fd));
	close(fd);
	empty(fds + 1, n - 1);
}

TEST_F(node, context_close)
{
	int fds[CONTEXTS], round;

	for (round = 0; round < 20; round++) {
		ASSERT_EQ(CONTEXTS, fill(self->name, fds, CONTEXTS));
		empty(fds, CONTEXTS);
	}
}

/* Opening alone costs the card nothing. */
TEST_F(node, context_unused)
{
	int fds[CONTEXTS * 4], i;

	for (i = 0; i < CONTEXTS * 4; i++) {
		fds[i] = open(self->name, O_RDWR | O_CLOEXEC);
		ASSERT_LE(0, fds[i]);
	}
	EXPECT_EQ(0, ping(fds[CONTEXTS * 4 - 1]));
	empty(fds, CONTEXTS * 4);
}

TEST_F(node, context_dup)
{
	int fds[CONTEXTS], copy;

	ASSERT_EQ(CONTEXTS - 1, fill(self->name, fds, CONTEXTS - 1));
	copy = dup(fds[0]);
	ASSERT_LE(0, copy);
	close(fds[0]);
	/* It lives on in its copy, so there is room for one only. */
	EXPECT_EQ(0, ping(copy));
	fds[0] = copy;
	fds[CONTEXTS - 1] = open(self->name, O_RDWR | O_CLOEXEC);
	EXPECT_EQ(0, ping(fds[CONTEXTS - 1]));
	EXPECT_EQ(ENOMEM, ping(self->fd));
	empty(fds, CONTEXTS);
	EXPECT_EQ(0, ping(self->fd));
}

static void child(const char *name, int ready)
{
	int fds[CONTEXTS];
	char c;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	c = fill(name, fds, CONTEXTS) == CONTEXTS;
	if (write(ready, &c, 1) != 1)
		_exit(1);
	/* To be killed in the middle of it. */
	for (;;)
		ping(fds[0]);
}

TEST_F(node, context_killed)
{
	int fds[CONTEXTS], ready[2], round, status, n;
	double begun;
	pid_t pid;
	char c;

	for (round = 0; round < 10; round++) {
		ASSERT_EQ(0, pipe(ready));
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			child(self->name, ready[1]);
		ASSERT_EQ(1, read(ready[0], &c, 1));
		ASSERT_EQ(1, c);
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		close(ready[0]);
		close(ready[1]);
		/*
		 * A command that it left behind holds its context until the card has
		 * answered, which is soon but not at once.
		 */
		for (begun = now(); now() - begun < 60; usleep(10000)) {
			n = fill(self->name, fds, CONTEXTS);
			ASSERT_LE(0, n);
			empty(fds, n);
			if (n == CONTEXTS)
				break;
		}
		ASSERT_EQ(CONTEXTS, n);
	}
}

struct opener {
	const char *name;
	unsigned int errors;
};

static void *open_close(void *arg)
{
	struct opener *o = arg;
	int i, fd;

	for (i = 0; i < 200; i++) {
		fd = open(o->name, O_RDWR | O_CLOEXEC);
		if (fd < 0 || ping(fd))
			o->errors++;
		close(fd);
	}
	return NULL;
}

TEST_F(node, context_threads)
{
	enum { THREADS = 16 };
	struct opener openers[THREADS];
	pthread_t threads[THREADS];
	unsigned int i, errors = 0;

	for (i = 0; i < THREADS; i++) {
		openers[i] = (struct opener) { .name = self->name };
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, open_close, &openers[i]));
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		errors += openers[i].errors;
	}
	EXPECT_EQ(0, errors);
}

TEST_HARNESS_MAIN
