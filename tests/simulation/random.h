/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a run by seed knows of what it has made. */
#ifndef PCIEHSM_SIMULATION_RANDOM_H
#define PCIEHSM_SIMULATION_RANDOM_H

#include "tests.h"

#define THINGS_MAX	4096

enum kind {
	ANY,
	PAIR,
	AES,
	DATA,
};

/**
 * struct thing - something that some process made, or tried to
 * @label:	no two things have the same
 * @ouid:	public or only one; private
 * @point:	what was read after it was acknowledged
 * @process: @life: who made it
 * @creating:	the call has not returned
 * @acked:	it said CKR_OK
 * @failed:	it said something else
 * @killed:	its process died in it
 * @destroying:	somebody has asked for its deletion
 * @destroyed:	and was told that it is done
 * @changing:	calls that change it and have not returned
 * @contested:	it was changed and deleted at the same time: the greater version wins,
 *		and that may be the change's
 * @exempt:	its newest version was on a single member, which was then initialised
 */
struct thing {
	enum kind	kind;
	char		label[24];
	struct ha_ouid	ouid[2];
	unsigned char	point[80];
	size_t		point_len;
	int		process;
	unsigned int	life;
	unsigned int	changing;
	bool		creating, acked, failed, killed, destroying, destroyed, contested, exempt;
};

struct world {
	unsigned int	n_cards;
	unsigned int	standby;
	unsigned int	n_things;
	struct thing	things[THINGS_MAX];
};

extern struct world world;

/** exempt_for() - this card is about to be emptied: what is nowhere else is lost with it */
void exempt_for(unsigned int card);
/** check_things() - what must hold when all is mended and quiet */
void check_things(struct process *p);

#endif /* PCIEHSM_SIMULATION_RANDOM_H */
