// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * uload: keep a card busy through io_uring, and see that every command is answered.
 *
 *   uload [OPTION...] [-q DEPTH] [-l MS] NODE...
 *   uload -x [-q DEPTH] [-l MS] NODE
 *
 * Each thread has a ring and one of the nodes, and DEPTH commands in flight: null
 * commands, small and large messages, in registered and in plain memory. A node that
 * goes away is opened again when it is back. Options, what is printed at the end and the
 * exit status: see tally.h. -l is the timeout of each command.
 *
 * -x: submits DEPTH commands, closes the file and the ring, prints "closed" and waits to
 * be killed.
 */
#include "ring.h"
#include "tally.h"

enum { MAX_THREADS = 64, MAX_DEPTH = 256, ROOM = 65536 };

static unsigned int depth = 32, timeout_ms;

struct command {
	double begun;
	uint32_t session;	/* 0: a null command */
	unsigned char *in;
	unsigned char *out;
};

struct thread {
	pthread_t id;
	const char *node;
	unsigned int seed;
	unsigned int inflight;
	struct ring ring;
	struct command commands[MAX_DEPTH];
};

static void prepare(struct thread *t, unsigned int i, int fd)
{
	struct pciehsm_uring_cmd cmd = { .timeout_ms = timeout_ms };
	struct command *c = &t->commands[i];
	struct pciehsm_msg *in = (void *)c->in;
	unsigned int kind = rand_r(&t->seed) % 8;
	struct io_uring_sqe *sqe = ring_sqe(&t->ring);
	uint32_t size = 16 + rand_r(&t->seed) % (kind < 2 ? ROOM - 16 : 3000);

	c->begun = now();
	c->session = kind < 5 ? 1 + rand_r(&t->seed) : 0;
	if (c->session) {
		*in = (struct pciehsm_msg) {
			.length = htole32(size),
			.op = htole32(PCIEHSM_OP_PING),
			.session = c->session,
		};
		memset(c->out, 0, sizeof(*in));
		cmd.in = (uintptr_t)in;
		cmd.in_len = size;
		cmd.out = (uintptr_t)c->out;
		cmd.out_len = kind < 2 ? ROOM : 4096;
		cmd.flags = rand_r(&t->seed) % 4;
	}
	ring_command(sqe, fd, c->session ? PCIEHSM_URING_MSG : PCIEHSM_URING_NOP, &cmd);
	sqe->user_data = i;
	t->inflight++;
}

/* Returns the errno of a completed command. */
static int completed(struct thread *t, const struct io_uring_cqe *cqe)
{
	struct command *c = &t->commands[cqe->user_data];
	const struct pciehsm_msg *out = (void *)c->out;
	int err = cqe->res < 0 ? -cqe->res : 0;

	account(c->begun, err);
	if (!err && c->session &&
	    (cqe->res != (int)le32toh(out->length) || out->session != c->session))
		atomic_fetch_add(&wrong, 1);
	if (!err != (ring_outcome(&t->ring, cqe) == PCIEHSM_OUTCOME_DONE))
		atomic_fetch_add(&wrong, 1);
	t->inflight--;
	return err;
}

static int setup(struct thread *t)
{
	size_t size = (size_t)depth * 2 * ROOM;
	unsigned char *area = mmap(NULL, size, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned int i;

	if (area == MAP_FAILED || ring_open(&t->ring, MAX_DEPTH, RING_FLAGS) ||
	    ring_register(&t->ring, area, size))
		return 1;
	for (i = 0; i < depth; i++) {
		t->commands[i].in = area + i * 2 * ROOM;
		t->commands[i].out = area + (i * 2 + 1) * ROOM;
	}
	return 0;
}

static void *run(void *arg)
{
	struct thread *t = arg;
	struct io_uring_cqe *cqe;
	unsigned int i;
	bool gone;
	int fd = -1;

	if (setup(t)) {
		atomic_fetch_add(&wrong, 1);
		return NULL;
	}
	while (!stop) {
		if (fd < 0) {
			fd = tally_open(t->node);
			continue;
		}
		for (i = 0; i < depth; i++)
			prepare(t, i, fd);
		gone = rand_r(&t->seed) % 256 == 0;
		while (t->inflight) {
			while (!(cqe = ring_cqe(&t->ring)))
				ring_submit(&t->ring, 1);
			i = cqe->user_data;
			if (completed(t, cqe) == ENODEV)
				gone = true;
			ring_seen(&t->ring);
			if (!gone && !stop)
				prepare(t, i, fd);
		}
		close(fd);
		fd = -1;
		usleep(2000);
	}
	if (fd >= 0)
		close(fd);
	return NULL;
}

static int leave(const char *node)
{
	static struct thread t;
	unsigned int i;
	int fd = open(node, O_RDWR | O_CLOEXEC);

	t.node = node;
	if (fd < 0 || setup(&t))
		return 2;
	for (i = 0; i < depth; i++)
		prepare(&t, i, fd);
	if (ring_submit(&t.ring, 0))
		return 2;
	close(fd);
	ring_close(&t.ring);
	puts("closed");
	fflush(stdout);
	pause();
	return 0;
}

int main(int argc, char **argv)
{
	static struct thread threads[MAX_THREADS];
	bool leaving = false;
	unsigned int n, i;
	int opt;

	tally.threads = 2;
	while ((opt = getopt(argc, argv, TALLY_OPTIONS "q:l:x")) != -1) {
		switch (opt) {
		case 'q':
			depth = atoi(optarg);
			break;
		case 'l':
			timeout_ms = atoi(optarg);
			break;
		case 'x':
			leaving = true;
			break;
		default:
			if (!tally_option(opt, optarg))
				return 2;
		}
	}
	n = tally.threads;
	if (optind == argc || !n || n > MAX_THREADS || !depth || depth > MAX_DEPTH) {
		fprintf(stderr, "usage: uload " TALLY_USAGE " [-q DEPTH] [-l MS] [-x] NODE...\n");
		return 2;
	}
	if (leaving)
		return leave(argv[optind]);
	tally_begin();
	for (i = 0; i < n; i++) {
		threads[i].node = argv[optind + i % (argc - optind)];
		threads[i].seed = i + 1;
		if (pthread_create(&threads[i].id, NULL, run, &threads[i]))
			return 2;
	}
	for (i = 0; i < n; i++)
		pthread_join(threads[i].id, NULL);
	return tally_report("");
}
