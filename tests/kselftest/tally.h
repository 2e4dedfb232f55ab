/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What load and uload have in common: many threads that use nodes until it is time to
 * stop, what became of their calls, and what was allowed to.
 *
 * Options that both take
 *   -t THREADS
 *   -s SECONDS	how long; else until SIGTERM
 *   -m MS	no call may take longer
 *   -b		nor longer than what PCIEHSM_IOC_INFO promises (timeout and recovery)
 *   -e ERRNO,...	numbers of the errors that calls may end with; else any
 */
#ifndef TALLY_H
#define TALLY_H

#include <pthread.h>
#include <signal.h>

#include "common.h"

#define TALLY_OPTIONS	"t:s:m:be:"
#define TALLY_USAGE	"[-t THREADS] [-s SECONDS] [-m MS] [-b] [-e ERRNO,...]"

enum { MAX_ERRNO = 256 };

static atomic_bool stop;
static atomic_ulong calls, wrong;
static atomic_ulong errors[MAX_ERRNO];
static _Atomic double longest;
/* What the driver promises, ms */
static atomic_uint bound;

static struct {
	unsigned int	threads;
	unsigned int	seconds;
	unsigned int	limit;
	bool		bounded;
	bool		check;
	bool		allowed[MAX_ERRNO];
} tally;

/* A call has ended that began at @begun, with 0 or the errno @err. */
static inline void account(double begun, int err)
{
	double took = now() - begun, old = longest;

	while (took > old && !atomic_compare_exchange_weak(&longest, &old, took))
		;
	atomic_fetch_add(&calls, 1);
	if (err)
		atomic_fetch_add(&errors[err < MAX_ERRNO ? err : 0], 1);
}

/* Open a node, which may be away at the moment: that is a call, too. Returns -1 then. */
static inline int tally_open(const char *node)
{
	double begun = now();
	int fd = open(node, O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		/* ENXIO: between the node's removal and that of its name. */
		account(begun, errno == ENOENT || errno == ENXIO ? ENODEV : errno);
		usleep(5000);
	} else {
		note_bound(fd, &bound);
	}
	return fd;
}

/* Returns false if the option is not one of TALLY_OPTIONS. */
static inline bool tally_option(int opt, char *arg)
{
	char *word;

	switch (opt) {
	case 't':
		tally.threads = atoi(arg);
		return true;
	case 's':
		tally.seconds = atoi(arg);
		return true;
	case 'm':
		tally.limit = atoi(arg);
		return true;
	case 'b':
		tally.bounded = true;
		return true;
	case 'e':
		tally.check = true;
		for (word = strtok(arg, ","); word; word = strtok(NULL, ","))
			tally.allowed[atoi(word) % MAX_ERRNO] = true;
		return true;
	default:
		return false;
	}
}

static inline void tally_ended(int sig)
{
	/* However slow the machine: as long as nothing was tried nothing is known. */
	if (sig == SIGALRM && !calls)
		alarm(1);
	else
		stop = true;
}

/* From now on, until it is time. */
static inline void tally_begin(void)
{
	signal(SIGTERM, tally_ended);
	signal(SIGALRM, tally_ended);
	alarm(tally.seconds);
}

/*
 * One line: calls, errors by name, @more, answers that were wrong, the longest call.
 * Returns the exit status: 1 if there was an error that may not be, a wrong answer, a
 * call that took too long, or none that succeeded.
 */
static inline int tally_report(const char *more)
{
	unsigned long good = calls;
	unsigned int i;
	int status = 0;

	printf("%lu calls", calls);
	for (i = 0; i < MAX_ERRNO; i++) {
		if (!errors[i])
			continue;
		printf(", %lu %s", errors[i], strerrorname_np(i));
		good -= errors[i];
		if (tally.check && !tally.allowed[i])
			status = 1;
	}
	printf("%s, %lu wrong, longest %.0f ms", more, wrong, longest * 1000);
	if (tally.bounded)
		printf(" of %u", bound);
	printf("\n");
	if (wrong || !good || (tally.limit && longest * 1000 > tally.limit) ||
	    (tally.bounded && longest * 1000 > bound))
		status = 1;
	return status;
}

#endif /* TALLY_H */
