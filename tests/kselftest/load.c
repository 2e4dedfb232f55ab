// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * load: keep a card busy from many threads, and see that every call is answered.
 *
 *   load [OPTION...] [-r READERS] NODE...
 *
 * Each thread uses one of the nodes: no-operations, small and large messages, opening
 * and closing. A node that goes away is opened again when it is back. Each reader
 * sleeps in read() of a node until there is an event or the node goes. Options, what
 * is printed at the end and the exit status: see tally.h. Wrong is an answer that was
 * not the caller's, a command that failed and claims to be done, and a reader that was
 * told anything but an event or ENODEV.
 *
 * Messages are full of MARKER, so that one can look for them where they must not be.
 */
#include "tally.h"

#define MARKER "payload-of-load."

enum { MAX_THREADS = 256 };

static atomic_ulong events, ends;
static atomic_uint reading;

struct thread {
	pthread_t id;
	const char *node;
	unsigned int seed;
};

static int message(struct thread *t, int fd, struct request *req, unsigned char *out,
		   uint32_t size)
{
	struct pciehsm_ioc_msg msg;
	int err;

	request_init(req, PCIEHSM_OP_PING);
	req->hdr.session = rand_r(&t->seed);
	req->hdr.length = htole32(size);
	err = request_send(fd, &req->hdr, out, size < 4096 ? 4096 : size, NULL, &msg);
	if (!err && ((struct pciehsm_msg *)out)->session != req->hdr.session)
		atomic_fetch_add(&wrong, 1);
	if (!err != (msg.outcome == PCIEHSM_OUTCOME_DONE))
		atomic_fetch_add(&wrong, 1);
	return err;
}

static void *run(void *arg)
{
	struct thread *t = arg;
	struct request *req = calloc(1, sizeof(*req));
	unsigned char *out = calloc(1, sizeof(*req));
	int fd = -1, err;
	double begun;
	size_t i;

	for (i = 0; req && i < sizeof(req->body); i++)
		req->body[i] = MARKER[i % (sizeof(MARKER) - 1)];
	while (!stop && req && out) {
		if (fd < 0) {
			fd = tally_open(t->node);
			continue;
		}
		begun = now();
		switch (rand_r(&t->seed) % 8) {
		case 0:
			err = message(t, fd, req, out, 16 + rand_r(&t->seed) % 100000);
			break;
		case 1: case 2: case 3:
			err = message(t, fd, req, out, 16 + rand_r(&t->seed) % 3000);
			break;
		default:
			err = ioctl(fd, PCIEHSM_IOC_NOP) ? errno : 0;
			break;
		}
		account(begun, err);
		if (err == ENODEV || rand_r(&t->seed) % 64 == 0) {
			close(fd);
			fd = -1;
			if (err)
				usleep(5000);
		}
	}
	if (fd >= 0)
		close(fd);
	free(req);
	free(out);
	return NULL;
}

static void *read_events(void *arg)
{
	struct thread *t = arg;
	struct pciehsm_event event;
	ssize_t n;
	int fd;

	while (!stop) {
		fd = open(t->node, O_RDONLY | O_CLOEXEC);
		if (fd < 0) {
			usleep(5000);
			continue;
		}
		while (!stop) {
			n = read(fd, &event, sizeof(event));
			if (n == sizeof(event)) {
				atomic_fetch_add(&events, 1);
				continue;
			}
			/* EINTR: it is over. */
			if (n >= 0 || (errno != ENODEV && errno != EINTR))
				atomic_fetch_add(&wrong, 1);
			if (n < 0 && errno == ENODEV)
				atomic_fetch_add(&ends, 1);
			break;
		}
		close(fd);
	}
	atomic_fetch_sub(&reading, 1);
	return NULL;
}

int main(int argc, char **argv)
{
	static struct thread threads[MAX_THREADS];
	/* Without SA_RESTART: it gets a reader out of its sleep. */
	struct sigaction wake = { .sa_handler = tally_ended };
	unsigned int n, readers = 0, i;
	char more[80] = "";
	int opt;

	tally.threads = 8;
	while ((opt = getopt(argc, argv, TALLY_OPTIONS "r:")) != -1) {
		if (opt == 'r')
			readers = atoi(optarg);
		else if (!tally_option(opt, optarg))
			return 2;
	}
	n = tally.threads;
	if (optind == argc || !n || n + readers > MAX_THREADS) {
		fprintf(stderr, "usage: load " TALLY_USAGE " [-r READERS] NODE...\n");
		return 2;
	}
	sigaction(SIGUSR1, &wake, NULL);
	tally_begin();
	reading = readers;
	for (i = 0; i < n + readers; i++) {
		threads[i].node = argv[optind + i % (argc - optind)];
		threads[i].seed = i + 1;
		if (pthread_create(&threads[i].id, NULL, i < n ? run : read_events, &threads[i]))
			return 2;
	}
	for (i = 0; i < n; i++)
		pthread_join(threads[i].id, NULL);
	/* Again and again: one may come just before the reader falls asleep. */
	while (reading) {
		for (i = n; i < n + readers; i++)
			pthread_kill(threads[i].id, SIGUSR1);
		usleep(10000);
	}
	for (i = n; i < n + readers; i++)
		pthread_join(threads[i].id, NULL);

	if (readers)
		snprintf(more, sizeof(more), ", %lu events, %lu readers told of the end", events,
			 ends);
	return tally_report(more);
}
