// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hsm-uring: round trips per second to a card, by ioctl and by io_uring.
 *
 *   hsm-uring [-r ROUNDS] [-n COMMANDS]
 *
 * Null commands, and messages that the firmware does nothing with: small ones, and ones
 * of 64 KiB each way, which the ioctl copies and io_uring does not. Everything in
 * turns, on one processor; printed are medians of the rounds: name, number, unit.
 */
#include <sched.h>

#include "ring.h"

enum { MAX_ROUNDS = 200, LARGE = 65536, MAX_DEPTH = 32 };

static int card = -1;
static struct ring ring;
static unsigned char *area;

static void fail(const char *what, int err)
{
	fprintf(stderr, "hsm-uring: %s: %s\n", what, strerror(err));
	exit(1);
}

struct way {
	const char	*name;
	unsigned int	depth;		/* 0: by ioctl */
	uint32_t	size;		/* of the message, 0: a null command */
	uint32_t	flags;		/* PCIEHSM_URING_* */
};

static const struct way ways[] = {
	{ "nop-ioctl", 0, 0, 0 },
	{ "nop-uring-1", 1, 0, 0 },
	{ "nop-uring-32", 32, 0, 0 },
	{ "small-ioctl", 0, 256, 0 },
	{ "small-uring-1", 1, 256, 0 },
	{ "small-uring-32", 32, 256, 0 },
	{ "small-uring-32-fixed", 32, 256, 3 },
	{ "64k-ioctl", 0, LARGE, 0 },
	{ "64k-uring-1", 1, LARGE, 0 },
	{ "64k-uring-1-fixed", 1, LARGE, 3 },
	{ "64k-uring-8-fixed", 8, LARGE, 3 },
};

enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

static void prepare(const struct way *way, unsigned int i)
{
	struct pciehsm_msg *in = (void *)(area + (size_t)i * 2 * LARGE);
	struct pciehsm_uring_cmd cmd = { 0 };
	struct io_uring_sqe *sqe = ring_sqe(&ring);

	if (way->size) {
		*in = (struct pciehsm_msg) {
			.length = htole32(way->size), .op = htole32(PCIEHSM_OP_PING),
		};
		cmd = (struct pciehsm_uring_cmd) {
			.in = (uintptr_t)in, .in_len = way->size,
			.out = (uintptr_t)in + LARGE, .out_len = way->size,
			.flags = way->flags,
		};
	}
	ring_command(sqe, card, way->size ? PCIEHSM_URING_MSG : PCIEHSM_URING_NOP, &cmd);
	sqe->user_data = i;
}

static void by_uring(const struct way *way, unsigned int n)
{
	unsigned int sent = 0, done = 0;
	struct io_uring_cqe *cqe;
	int err;

	for (; sent < way->depth && sent < n; sent++)
		prepare(way, sent);
	while (done < n) {
		err = ring_submit(&ring, 1);
		if (err && err != EINTR)
			fail(way->name, err);
		while ((cqe = ring_cqe(&ring))) {
			unsigned int i = cqe->user_data;

			if (cqe->res < 0)
				fail(way->name, -cqe->res);
			ring_seen(&ring);
			done++;
			if (sent < n) {
				prepare(way, i);
				sent++;
			}
		}
	}
}

static void by_ioctl(const struct way *way, unsigned int n)
{
	struct pciehsm_msg *in = (void *)area;
	int err = 0;

	*in = (struct pciehsm_msg) { .length = htole32(way->size), .op = htole32(PCIEHSM_OP_PING) };
	while (n-- && !err) {
		if (way->size)
			err = request_send(card, in, area + LARGE, way->size, NULL, NULL);
		else if (ioctl(card, PCIEHSM_IOC_NOP))
			err = errno;
	}
	if (err)
		fail(way->name, err);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static double rate[WAYS][MAX_ROUNDS];
	const size_t size = (size_t)MAX_DEPTH * 2 * LARGE;
	const char *node = partition_node();
	int opt, rounds = 10, n = 500;
	double begun;
	cpu_set_t one;

	while ((opt = getopt(argc, argv, "r:n:")) != -1) {
		if (opt == 'r')
			rounds = atoi(optarg);
		else if (opt == 'n')
			n = atoi(optarg);
		else
			return 2;
	}
	if (optind != argc || rounds < 1 || rounds > MAX_ROUNDS || n < 1) {
		fprintf(stderr, "usage: hsm-uring [-r ROUNDS] [-n COMMANDS]\n");
		return 2;
	}
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		fail("sched_setaffinity", errno);
	card = node ? open(node, O_RDWR | O_CLOEXEC) : -1;
	if (card < 0)
		fail("a partition's node", node ? errno : ENOENT);
	area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		fail("memory", errno);
	opt = ring_open(&ring, MAX_DEPTH, RING_FLAGS);
	if (opt || (opt = ring_register(&ring, area, size)))
		fail("io_uring", opt);

	/* One round more, to warm up. */
	for (int r = -1; r < rounds; r++)
		for (int w = 0; w < WAYS; w++) {
			begun = now();
			if (ways[w].depth)
				by_uring(&ways[w], n);
			else
				by_ioctl(&ways[w], n);
			if (r >= 0)
				rate[w][r] = n / (now() - begun);
		}
	for (int w = 0; w < WAYS; w++) {
		qsort(rate[w], rounds, sizeof(double), compare);
		printf("%s %.0f 1/s\n", ways[w].name, rate[w][rounds / 2]);
	}
	return 0;
}
