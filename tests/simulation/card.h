/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A card of the simulated machine, and what its two halves know of each other: machine.c, in
 * which cards are made and things happen to them, and driver.c, through which processes see them.
 */
#ifndef PCIEHSM_SIMULATION_CARD_H
#define PCIEHSM_SIMULATION_CARD_H

#include <pciehsm-firmware.h>

#include "machine.h"

#define SERIAL_BASE	1000

struct card {
	char			path[512];
	struct hsm_fw		*fw;
	bool			present;
	unsigned int		life;
	unsigned int		resets;
	uint32_t		contexts;
	uint64_t		hung_until;
	bool			reset_after;
	unsigned int		one_in;
	uint32_t		lose_op;	/* the answer to the next of these */
	uint32_t		pull_op;	/* it is pulled out before it answers one of these */
	unsigned int		bad_writes;	/* one message in so many */
	bool			power_fails;	/* with its next write */
	char			serial[25];	/* of its partition */
	uint32_t		number;
	bool			kept;		/* there is an old state */
	char			kept_serial[25];
};

extern struct card cards[CARDS_MAX];
extern unsigned int n_cards;
/* Counts what a bus tells of; who waits for that waits for this. */
extern uint64_t card_changes;

/* What the simulation itself can not do ends it. */
void card_die(const char *what, const char *why) __attribute__((noreturn));

/* Its power is gone: nothing answers, and no file that was opened works again. */
void card_switch_off(struct card *card);

/* A file past all scheduling and faults. The caller closes it. */
struct pciehsm_transport *card_direct(struct card *card, uint32_t partition);

/* No file is open, at the beginning of a run. */
void card_files_reset(void);

#endif
