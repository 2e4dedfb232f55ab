/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ratios of the firmware to a named peer, both measured in the same run and by turns: what
 * the machine does meanwhile happens to both.
 */
#ifndef PCIEHSM_BENCH_FIRMWARE_H
#define PCIEHSM_BENCH_FIRMWARE_H

#include "card.h"

/* How long one side works before it is the other one's turn, seconds */
#define BENCH_TURN	0.2

/** bench_now() - monotonic time, seconds */
double bench_now(void);

/** bench_rounds() - how many turns each side gets */
unsigned int bench_rounds(void);

/**
 * bench_side_t - do something @n times
 * @opaque:	the bench's own
 */
typedef void bench_side_t(void *opaque, unsigned int n);

/**
 * bench_ratio() - measure two sides by turns, and print a line
 * @name:	of the line
 * @what:	what is counted: "op" and the like
 * @ours:	the side that is judged
 * @peer:	the one that it is judged by
 * @opaque:	for both
 * @bar:	least ratio of their rates, ours divided by the peer's
 *
 * The ratio is the median of those of the rounds.
 */
void bench_ratio(const char *name, bench_side_t *ours, bench_side_t *peer, void *opaque,
		 double bar);

/** bench_cpu_ratio() - the same by the CPU time of this thread, for work that waits for nothing */
void bench_cpu_ratio(const char *name, bench_side_t *ours, bench_side_t *peer, void *opaque,
		     double bar);

/**
 * bench_engines_ratio() - the same for sides that work in threads of their own
 * @ours_count:	threads of our side
 * @peer_count:	threads of the peer
 *
 * By the time that passes, less what those threads could have run in and did not, because others
 * had the processors (schedstat): so it shows how much the threads hold each other up, and
 * not how busy the machine is.
 */
void bench_engines_ratio(const char *name, bench_side_t *ours, unsigned int ours_count,
			 bench_side_t *peer, unsigned int peer_count, void *opaque, double bar);

/** bench_line() - print a line for two rates that were measured already */
void bench_line(const char *name, double ours, double peer, double ratio, double bar);

/** bench_note() - a line below the table that explains a figure */
void bench_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The parts; each makes its own cards. */
void bench_crypto(void);
void bench_engines(void);
void bench_find(void);
void bench_create(void);

#endif /* PCIEHSM_BENCH_FIRMWARE_H */
