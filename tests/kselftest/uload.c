// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * uload: keep a card busy through io_uring, and see that every command is answered.
 *
 *   uload [-q DEPTH] [-t THREADS] [-s SECONDS] [-m MS] [-b] [-e ERRNO,...] [-l MS] NODE...
 *   uload -x [-q DEPTH] [-l MS] NODE
 *
 * Each thread has a ring and one of the nodes, and DEPTH commands in flight: null
 * commands, small and large messages, in registered and in plain memory. A node that
 * goes away is opened again when it is back. Ends after SECONDS or at SIGTERM, and
 * prints one line like load's; -m, -b and -e, and the exit status, as load has them. -l is
 * the timeout of each command.
 *
 * -x: submits DEPTH commands, closes the file and the ring, prints "closed" and waits to
 * be killed.
 */
#include <pthread.h>
#include <signal.h>

#include "ring.h"

enum { MAX_ERRNO = 256, MAX_THREADS = 64, MAX_DEPTH = 256, ROOM = 65536 };

static atomic_bool stop;
static atomic_ulong calls, wrong;
static atomic_uint bound;
static atomic_ulong errors[MAX_ERRNO];
static _Atomic double longest;
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

static void account(double begun, int err)
{
	double took = now() - begun, old = longest;

	while (took > old && !atomic_compare_exchange_weak(&longest, &old, took))
		;
	atomic_fetch_add(&calls, 1);
	if (err)
		atomic_fetch_add(&errors[err < MAX_ERRNO ? err : 0], 1);
}

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

static int open_node(struct thread *t)
{
	double begun = now();
	int fd = open(t->node, O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		/* ENXIO: between the node's removal and that of its name. */
		account(begun, errno == ENOENT || errno == ENXIO ? ENODEV : errno);
		usleep(5000);
		return fd;
	}
	note_bound(fd, &bound);
	return fd;
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
			fd = open_node(t);
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

static void ended(int sig)
{
	(void)sig;
	stop = true;
}

int main(int argc, char **argv)
{
	static struct thread threads[MAX_THREADS];
	unsigned int n = 2, i, seconds = 0, limit = 0;
	bool allowed[MAX_ERRNO] = { 0 }, check = false, bounded = false;
	bool leaving = false;
	unsigned long good;
	int opt, status = 0;
	char *word;

	while ((opt = getopt(argc, argv, "q:t:s:m:be:l:x")) != -1) {
		switch (opt) {
		case 'q':
			depth = atoi(optarg);
			break;
		case 't':
			n = atoi(optarg);
			break;
		case 's':
			seconds = atoi(optarg);
			break;
		case 'm':
			limit = atoi(optarg);
			break;
		case 'b':
			bounded = true;
			break;
		case 'e':
			check = true;
			for (word = strtok(optarg, ","); word; word = strtok(NULL, ","))
				allowed[atoi(word) % MAX_ERRNO] = true;
			break;
		case 'l':
			timeout_ms = atoi(optarg);
			break;
		case 'x':
			leaving = true;
			break;
		default:
			return 2;
		}
	}
	if (optind == argc || !n || n > MAX_THREADS || !depth || depth > MAX_DEPTH) {
		fprintf(stderr, "usage: uload [-q DEPTH] [-t THREADS] [-s SECONDS] [-m MS] [-b] [-e ERRNO,...] [-l MS] [-x] NODE...\n");
		return 2;
	}
	if (leaving)
		return leave(argv[optind]);
	signal(SIGTERM, ended);
	signal(SIGALRM, ended);
	alarm(seconds);
	for (i = 0; i < n; i++) {
		threads[i].node = argv[optind + i % (argc - optind)];
		threads[i].seed = i + 1;
		if (pthread_create(&threads[i].id, NULL, run, &threads[i]))
			return 2;
	}
	for (i = 0; i < n; i++)
		pthread_join(threads[i].id, NULL);

	good = calls;
	printf("%lu calls", calls);
	for (i = 0; i < MAX_ERRNO; i++) {
		if (!errors[i])
			continue;
		printf(", %lu %s", errors[i], strerrorname_np(i));
		good -= errors[i];
		if (check && !allowed[i])
			status = 1;
	}
	printf(", %lu wrong, longest %.0f ms", wrong, longest * 1000);
	if (bounded)
		printf(" of %u", bound);
	printf("\n");
	if (wrong || !good || (limit && longest * 1000 > limit) ||
	    (bounded && longest * 1000 > bound))
		status = 1;
	return status;
}
