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
 * @point:	its public key, or what its AES key makes of zeroes, when it was
 *		acknowledged, if it could be looked at
 * @process: @life: who made it
 * @creating:	the call has not returned
 * @acked:	it said CKR_OK
 * @failed:	it said something else
 * @killed:	its process died in it
 * @destroying:	somebody has asked for its deletion
 * @destroyed:	and was told that it is done
 * @exempt:	its newest version was on a single member, which was then initialised
 */
struct thing {
	enum kind	kind;
	char		label[24];
	struct ha_ouid	ouid[2];
	unsigned char	point[80];
	size_t		point_len;
	uint64_t	acked_at;
	int		process;
	unsigned int	life;
	bool		creating, acked, failed, killed, destroying, destroyed, exempt;
};

struct world {
	unsigned int	n_cards;
	unsigned int	standby;
	unsigned int	drain;		/* a bit for each card */
	unsigned int	weight[CARDS_MAX];
	unsigned int	mincopies;
	bool		mincopies_ever;	/* was more than one */
	bool		reverse;	/* the order of members against that of cards */
	unsigned int	n_things;
	struct thing	things[THINGS_MAX];
};

extern struct world world;

/* A member that has been well for so long is known to be well by every process. */
#define SETTLE		(25 * SIM_SECOND)
#define CLIENTS_MAX	3
#define FIBERS_EACH	2

/**
 * struct client - a process that works
 * @threads:	its engine works in the background
 * @running:	it was not killed
 * @done:	all of its calls have returned
 */
struct client {
	struct process	process;
	struct fiber	*fibers[FIBERS_EACH];
	bool		threads, running, done;
	unsigned int	life;
};

/**
 * struct run - how it goes
 * @cruel:	nobody is spared, so calls may fail
 * @over:	the processes come to an end
 * @well_since:	of each card; SIM_FOREVER: something is wrong with it
 * @listed:	is it a member now?
 * @emptied_at: @last_emptied: when one was initialised with its number kept; in whatever way
 * @copies_settled_at: since when the copies wanted are as they are
 */
struct run {
	struct client	clients[CLIENTS_MAX];
	unsigned int	n_clients;
	struct process	admin;
	bool		cruel, over;
	uint64_t	well_since[CARDS_MAX];
	bool		listed[CARDS_MAX];
	unsigned int	wrong_logins;
	uint64_t	emptied_at, last_emptied, copies_settled_at;
};

extern struct run run;

/** all_present() - can all cards be looked at? */
bool all_present(void);
/** start_client() - its process begins, or begins again */
void start_client(struct client *c);
/** trouble_main() - fibers: one trouble of a card after the other; killed processes */
void trouble_main(void *arg);
void killer_main(void *arg);

/** exempt_for() - this card is about to be emptied: what is nowhere else is lost with it */
void exempt_for(unsigned int card);
/** copies_of() - on how many cards all of it is */
unsigned int copies_of(const struct thing *thing);
/** look_at_key() - what tells the newest version's key from others; its length or 0 */
size_t look_at_key(const struct thing *thing, unsigned char *point);
/** check_things() - what must hold when all is mended and quiet */
void check_things(struct process *p);

#endif /* PCIEHSM_SIMULATION_RANDOM_H */
