/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulated machine: cards with the real firmware, a bus for each process, and what
 * can go wrong between them. Every message is a scheduling point before and after its
 * execution.
 */
#ifndef PCIEHSM_SIMULATION_MACHINE_H
#define PCIEHSM_SIMULATION_MACHINE_H

#include "pciehsm.h"
#include "transport.h"

#define CARDS_MAX	6
#define CO_PIN		"crypto-officer"
#define WRONG_PIN	"not the password"
#define PO_PIN		"partition-so"
#define SO_PIN		"security-officer"
#define DOMAIN		"domain of the simulation"

/** machine_start() - @n cards, each with a partition that is ready to be a member */
void machine_start(unsigned int n);
/** machine_stop() - all processes have ended; the stores are removed */
void machine_stop(void);
/** machine_clean() - remove what is kept from run to run */
void machine_clean(void);

/** machine_forked() - in a child: a directory of its own */
void machine_forked(void);

struct pciehsm_bus *machine_bus(int process);
/** machine_killed() - the driver closes what a killed process had open */
void machine_killed(int process);

/** machine_serial() - of a card's partition, "" if it has none */
const char *machine_serial(unsigned int card);
/** machine_card() - on which card a partition is, CARDS_MAX if it is nowhere */
unsigned int machine_card(const char *serial);
bool machine_present(unsigned int card);

/* Faults */
void machine_pull(unsigned int card);
void machine_return(unsigned int card);
void machine_reset(unsigned int card);
/** machine_hang() - until @until no message is answered; then the card is reset if @reset */
void machine_hang(unsigned int card, uint64_t until, bool reset);
void machine_unhang(unsigned int card);
/** machine_faulty() - one message of @one_in is lost in some way; 0: none */
void machine_faulty(unsigned int card, unsigned int one_in);
/** machine_lose_answer() - the next message of this kind is executed, and its answer lost */
void machine_lose_answer(unsigned int card, uint32_t op);
/** machine_pull_at() - when it has executed the next message of this kind it is pulled out */
void machine_pull_at(unsigned int card, uint32_t op);
/** machine_bad_writes() - a write of the store fails in one message of @one_in; 0: none */
void machine_bad_writes(unsigned int card, unsigned int one_in);
/** machine_power_fails() - at one of its next writes, in the middle of it; then it is off */
void machine_power_fails(unsigned int card, bool fails);
/** machine_snapshot() - keep its state, in place of what was kept before */
void machine_snapshot(unsigned int card);
/** machine_can_go_back() - is there a kept state of the partition that it has now? */
bool machine_can_go_back(unsigned int card);
/** machine_go_back() - pull it out; machine_return() brings it back in the state that was kept */
void machine_go_back(unsigned int card);
/** machine_reinit() - hsm init, and a new partition with another number */
void machine_reinit(unsigned int card);
/** machine_empty() - partition init: the same serial, nothing in it */
void machine_empty(unsigned int card);

/**
 * machine_direct() - a context at a card's partition past all scheduling and faults
 * @officer:	log the Crypto Officer in
 */
struct pciehsm_transport *machine_direct(unsigned int card, bool officer);

/* Counters of this run */
struct machine_counts {
	uint64_t messages;
	uint64_t lost;			/* answered with an errno */
	uint64_t refused;		/* logins with a wrong password, whether it was heard or not */
	/* Of these, one more because a card that counted one could not be asked about it. */
	uint64_t untold;
	uint64_t bad_writes;		/* of a store that failed */
};

extern struct machine_counts machine_counts;

#endif /* PCIEHSM_SIMULATION_MACHINE_H */
