/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A thread that changes a request's opcode all the time: who checks what, and when? */
#ifndef FLIP_H
#define FLIP_H

#include "common.h"

struct flip {
	volatile uint32_t *op;
	volatile bool stop;
};

/*
 * Each of the two is there for a moment or for as long as a command takes, at random: on an
 * emulated processor one that is overwritten at once may never be seen by anybody.
 */
static void *flipper(void *arg)
{
	static const uint32_t ops[] = { PCIEHSM_OP_PING, 0x001 };
	struct flip *flip = arg;
	unsigned int i, seed = 1;
	volatile unsigned int n;

	for (i = 0; !flip->stop; i++) {
		*flip->op = htole32(ops[i % 2]);
		for (n = rand_r(&seed) % (1U << rand_r(&seed) % 18); n; n--)
			;
	}
	return NULL;
}

#endif /* FLIP_H */
