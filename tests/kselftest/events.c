// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Events and nodes: partitions are made and deleted, and readers, pollers, nodes and
 * files on nodes that are gone behave as ioctl.h promises.
 */
#include <pthread.h>
#include <signal.h>

#include "common.h"
#include "harness.h"

FIXTURE(card) {
	int fd;		/* Security Officer */
	int events;	/* reads events */
	const char *other;
	int other_events;
};

FIXTURE_SETUP(card)
{
	self->fd = open(CARD_NODE, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, so_login(self->fd));
	self->events = open(CARD_NODE, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ASSERT_LE(0, self->events);
	self->other = partition_node();
	ASSERT_NE(NULL, self->other);
	self->other_events = open(self->other, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ASSERT_LE(0, self->other_events);
}

FIXTURE_TEARDOWN(card)
{
	close(self->fd);
	close(self->events);
	close(self->other_events);
}

/* Waits for one event. Returns its type, or -errno. */
static int next_event(int fd, struct pciehsm_event *event)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	ssize_t n;

	if (poll(&pfd, 1, 60000) != 1)
		return -ETIMEDOUT;
	n = read(fd, event, sizeof(*event));
	if (n < 0)
		return -errno;
	return n == sizeof(*event) ? (int)event->type : -EMSGSIZE;
}

static void node_name(char *name, size_t len, uint32_t index)
{
	snprintf(name, len, "%sp%u", CARD_NODE, index);
}

TEST_F(card, created_and_deleted)
{
	struct pciehsm_ioc_info info = { .size = sizeof(info) };
	struct pciehsm_event event;
	struct pollfd pfd;
	uint32_t number = 0;
	char name[64];
	int fd;

	ASSERT_EQ(0, partition_create(self->fd, &number));
	ASSERT_EQ(PCIEHSM_EVENT_PARTITION_CREATED, next_event(self->events, &event));
	EXPECT_EQ(number, event.number);
	EXPECT_LT(0, event.index);
	EXPECT_EQ(0, event.reserved);

	/* The node is there when the event is. */
	node_name(name, sizeof(name), event.index);
	fd = open(name, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ioctl(fd, PCIEHSM_IOC_INFO, &info));
	EXPECT_EQ(number, info.number);
	EXPECT_EQ(event.index, info.index);
	EXPECT_EQ(0, ping(fd));

	ASSERT_EQ(0, partition_delete(self->fd, number));
	ASSERT_EQ(PCIEHSM_EVENT_PARTITION_DELETED, next_event(self->events, &event));
	EXPECT_EQ(number, event.number);

	/* The node has gone when the event is there; the file answers that. */
	EXPECT_EQ(-1, access(name, F_OK));
	pfd = (struct pollfd) { .fd = fd, .events = POLLIN };
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_EQ(POLLHUP | POLLERR, pfd.revents);
	EXPECT_EQ(ENODEV, ping(fd));
	EXPECT_EQ(-1, ioctl(fd, PCIEHSM_IOC_NOP));
	EXPECT_EQ(ENODEV, errno);
	info.size = sizeof(info);
	EXPECT_EQ(-1, ioctl(fd, PCIEHSM_IOC_INFO, &info));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(-1, read(fd, &event, sizeof(event)));
	EXPECT_EQ(ENODEV, errno);
	close(fd);

	/* None of this is the other partition's business. */
	EXPECT_EQ(-1, read(self->other_events, &event, sizeof(event)));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(0, ping(self->other_events));
}

/* The index is used again, the number is not, and the old file stays dead. */
TEST_F(card, index_reused)
{
	struct pciehsm_event event;
	uint32_t number = 0, second = 0, index;
	char name[64];
	int old, fd;

	ASSERT_EQ(0, partition_create(self->fd, &number));
	ASSERT_EQ(PCIEHSM_EVENT_PARTITION_CREATED, next_event(self->events, &event));
	index = event.index;
	node_name(name, sizeof(name), index);
	old = open(name, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, old);
	ASSERT_EQ(0, partition_delete(self->fd, number));
	ASSERT_EQ(0, partition_create(self->fd, &second));
	EXPECT_NE(number, second);
	ASSERT_EQ(PCIEHSM_EVENT_PARTITION_DELETED, next_event(self->events, &event));
	ASSERT_EQ(PCIEHSM_EVENT_PARTITION_CREATED, next_event(self->events, &event));
	EXPECT_EQ(index, event.index);
	fd = open(name, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(ENODEV, ping(old));
	EXPECT_EQ(0, ping(fd));
	close(old);
	close(fd);
	ASSERT_EQ(0, partition_delete(self->fd, second));
	EXPECT_EQ(PCIEHSM_EVENT_PARTITION_DELETED, next_event(self->events, &event));
}

static void *sleeping_reader(void *arg)
{
	struct pciehsm_event event;

	return (void *)(intptr_t)(read(*(int *)arg, &event, sizeof(event)) < 0 ? errno : 0);
}

static void *sleeping_poller(void *arg)
{
	struct pollfd pfd = { .fd = *(int *)arg, .events = POLLIN };

	return (void *)(intptr_t)(poll(&pfd, 1, 60000) == 1 ? pfd.revents : 0);
}

TEST_F(card, sleepers_wake)
{
	struct pciehsm_event event;
	pthread_t reader, poller;
	uint32_t number = 0;
	char name[64];
	void *result;
	int fd;

	ASSERT_EQ(0, partition_create(self->fd, &number));
	ASSERT_EQ(PCIEHSM_EVENT_PARTITION_CREATED, next_event(self->events, &event));
	node_name(name, sizeof(name), event.index);
	fd = open(name, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, pthread_create(&reader, NULL, sleeping_reader, &fd));
	ASSERT_EQ(0, pthread_create(&poller, NULL, sleeping_poller, &fd));
	/* Right too if they come late; better if they do not. */
	usleep(200000);
	ASSERT_EQ(0, partition_delete(self->fd, number));
	pthread_join(reader, &result);
	EXPECT_EQ(ENODEV, (intptr_t)result);
	pthread_join(poller, &result);
	EXPECT_EQ(POLLHUP | POLLERR, (intptr_t)result);
	close(fd);
	EXPECT_EQ(PCIEHSM_EVENT_PARTITION_DELETED, next_event(self->events, &event));
}

/* Who does not read is told that events are missing, once. */
TEST_F(card, overflow)
{
	struct pciehsm_event event, events[200];
	unsigned int i, made = 0;
	uint32_t number = 0;
	ssize_t n;
	int last;

	last = open(CARD_NODE, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ASSERT_LE(0, last);
	for (i = 0; i < 40; i++) {
		ASSERT_EQ(0, partition_create(self->fd, &number));
		ASSERT_EQ(0, partition_delete(self->fd, number));
		ASSERT_EQ(PCIEHSM_EVENT_PARTITION_CREATED, next_event(last, &event));
		ASSERT_EQ(PCIEHSM_EVENT_PARTITION_DELETED, next_event(last, &event));
		made += 2;
	}
	n = read(self->events, events, sizeof(events) - 1);
	ASSERT_LT(0, n);
	ASSERT_EQ(0, n % sizeof(event));
	n /= sizeof(event);
	EXPECT_GT(made, n);
	for (i = 0; (ssize_t)i < n - 1; i++)
		EXPECT_NE(PCIEHSM_EVENT_OVERFLOW, events[i].type);
	EXPECT_EQ(PCIEHSM_EVENT_OVERFLOW, events[n - 1].type);
	EXPECT_EQ(-1, read(self->events, &event, sizeof(event)));
	EXPECT_EQ(EAGAIN, errno);
	close(last);
}

/* An event that can not be copied to the reader is not lost. */
TEST_F(card, read_fault)
{
	void *nowhere = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct pciehsm_event event;
	uint32_t number = 0;

	ASSERT_NE(MAP_FAILED, nowhere);
	ASSERT_EQ(0, partition_create(self->fd, &number));
	ASSERT_EQ(1, poll(&(struct pollfd) { .fd = self->events, .events = POLLIN }, 1, 60000));
	EXPECT_EQ(-1, read(self->events, nowhere, sizeof(event)));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(PCIEHSM_EVENT_PARTITION_CREATED, next_event(self->events, &event));
	EXPECT_EQ(number, event.number);
	ASSERT_EQ(0, partition_delete(self->fd, number));
	EXPECT_EQ(PCIEHSM_EVENT_PARTITION_DELETED, next_event(self->events, &event));
}

static void read_line(const char *node, const char *attr, char *line, size_t len)
{
	char path[128];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/sys/class/hsm/%s/%s", node, attr);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		n = read(fd, line, len - 1);
	line[n > 0 ? n - (line[n - 1] == '\n') : 0] = 0;
	close(fd);
}

TEST_F(card, attributes)
{
	struct pciehsm_ioc_info info = { .size = sizeof(info) };
	char line[64], want[64];

	ASSERT_EQ(0, ioctl(self->other_events, PCIEHSM_IOC_INFO, &info));
	read_line("hsm0", "serial", line, sizeof(line));
	EXPECT_STREQ(info.hsm_serial, line);
	read_line("hsm0", "state", line, sizeof(line));
	EXPECT_STREQ("live", line);
	read_line("hsm0", "model", line, sizeof(line));
	EXPECT_STRNE("", line);
	read_line("hsm0", "fw_version", line, sizeof(line));
	EXPECT_STRNE("", line);
	snprintf(want, sizeof(want), "%u", info.resets);
	read_line("hsm0", "resets", line, sizeof(line));
	EXPECT_STREQ(want, line);
	read_line("hsm0", "label", line, sizeof(line));
	EXPECT_STREQ("kselftest", line);
	read_line(self->other + 5, "serial", line, sizeof(line));
	EXPECT_STREQ(info.serial, line);
	snprintf(want, sizeof(want), "%s%06u", info.hsm_serial, info.number);
	EXPECT_STREQ(want, line);
	snprintf(want, sizeof(want), "%u", info.number);
	read_line(self->other + 5, "number", line, sizeof(line));
	EXPECT_STREQ(want, line);
	read_line(self->other + 5, "state", line, sizeof(line));
	EXPECT_STREQ("live", line);
}

TEST_F(card, label)
{
	static struct request req;
	struct pciehsm_event event;
	unsigned char answer[PCIEHSM_ANSWER_MIN];
	uint32_t number = 0, rv;
	char line[64], node[64];
	int fd;

	ASSERT_EQ(0, partition_create(self->fd, &number));
	ASSERT_EQ(PCIEHSM_EVENT_PARTITION_CREATED, next_event(self->events, &event));
	node_name(node, sizeof(node), event.index);
	read_line(node + 5, "label", line, sizeof(line));
	EXPECT_STREQ("", line);
	fd = open(node, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	request_init(&req, PCIEHSM_OP_PARTITION_INIT);
	request_add_text(&req, PCIEHSM_F_LABEL, "par\tone");
	request_add_text(&req, PCIEHSM_F_PIN, "partition-password");
	request_add_text(&req, PCIEHSM_F_DOMAIN, "domain");
	ASSERT_EQ(0, request_send(fd, &req.hdr, answer, sizeof(answer), &rv, NULL));
	if (!rv) {
		ASSERT_EQ(PCIEHSM_EVENT_PARTITION_CHANGED, next_event(self->events, &event));
		read_line(node + 5, "label", line, sizeof(line));
		EXPECT_STREQ("par?one", line);
	}
	close(fd);
	ASSERT_EQ(0, partition_delete(self->fd, number));
	EXPECT_EQ(PCIEHSM_EVENT_PARTITION_DELETED, next_event(self->events, &event));
	EXPECT_EQ(0, rv) {
		TH_LOG("PARTITION_INIT: %#x", rv);
	}
}

TEST_HARNESS_MAIN
