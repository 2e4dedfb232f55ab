// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * load: keep a card busy from many threads, and see that every call is answered.
 *
 *   load [-t THREADS] [-r READERS] [-s SECONDS] [-m MILLISECONDS] [-b] [-e ERRNO,...] NODE...
 *
 * Each thread uses one of the nodes: no-operations, small and large messages, opening
 * and closing. A node that goes away is opened again when it is back. Each reader
 * sleeps in read() of a node until there is an event or the node goes. Ends after
 * SECONDS or at SIGTERM, and prints one line: calls, errors by name, the longest
 * call. With -m, exit status 1 if a call took longer than that; with -b, if one took
 * longer than what PCIEHSM_IOC_INFO promises (timeout and recovery). With -e, exit
 * status 1 if there was another error than these (numbers). Exit status 1 too if an
 * answer was not the caller's, if a command that failed claims to be done, if no
 * call succeeded, and if a reader was told anything but an event or ENODEV.
 *
 * Messages are full of MARKER, so that one can look for them where they must not be.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "common.h"

#define MARKER "payload-of-load."

enum { MAX_ERRNO = 256, MAX_THREADS = 256 };

static atomic_bool stop;
static atomic_ulong calls, wrong, events, ends;
static atomic_uint bound, reading;
static atomic_ulong errors[MAX_ERRNO];
static _Atomic double longest;

struct thread {
	pthread_t id;
	const char *node;
	unsigned int seed;
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
			begun = now();
			fd = open(t->node, O_RDWR | O_CLOEXEC);
			if (fd < 0) {
				/* ENXIO: between the node's removal and that of its name. */
				account(begun, errno == ENOENT || errno == ENXIO ? ENODEV : errno);
				usleep(5000);
				continue;
			}
			note_bound(fd, &bound);
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

static void ended(int sig)
{
	(void)sig;
	stop = true;
}

int main(int argc, char **argv)
{
	static struct thread threads[MAX_THREADS];
	unsigned int n = 8, readers = 0, i, seconds = 0, limit = 0;
	bool allowed[MAX_ERRNO] = { 0 }, check = false, bounded = false;
	struct sigaction wake = { .sa_handler = ended };
	unsigned long good;
	int opt, status = 0;
	char *word;

	while ((opt = getopt(argc, argv, "t:r:s:m:be:")) != -1) {
		switch (opt) {
		case 't':
			n = atoi(optarg);
			break;
		case 'r':
			readers = atoi(optarg);
			break;
		case 'b':
			bounded = true;
			break;
		case 's':
			seconds = atoi(optarg);
			break;
		case 'm':
			limit = atoi(optarg);
			break;
		case 'e':
			check = true;
			for (word = strtok(optarg, ","); word; word = strtok(NULL, ","))
				allowed[atoi(word) % MAX_ERRNO] = true;
			break;
		default:
			return 2;
		}
	}
	if (optind == argc || !n || n + readers > MAX_THREADS) {
		fprintf(stderr, "usage: load [-t THREADS] [-r READERS] [-s SECONDS] [-m MS] [-b] [-e ERRNO,...] NODE...\n");
		return 2;
	}
	signal(SIGTERM, ended);
	signal(SIGALRM, ended);
	/* Without SA_RESTART: it gets a reader out of its sleep. */
	sigaction(SIGUSR1, &wake, NULL);
	alarm(seconds);
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
	if (readers)
		printf(", %lu events, %lu readers told of the end", events, ends);
	printf(", %lu wrong, longest %.0f ms", wrong, longest * 1000);
	if (bounded)
		printf(" of %u", bound);
	printf("\n");
	if (wrong || !good || (limit && longest * 1000 > limit) ||
	    (bounded && longest * 1000 > bound))
		status = 1;
	return status;
}
