/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What processes may know of wrong passwords whose answers were lost. */
#ifndef PCIEHSM_SIMULATION_GUESS_H
#define PCIEHSM_SIMULATION_GUESS_H

#include <stdbool.h>

/** guess_reset() - a new run */
void guess_reset(void);
/** guess_killed() - what a process knew is gone with it */
void guess_killed(int process);
/** guess_told() - a card has answered this process about its roles */
void guess_told(int process, unsigned int card);
/**
 * guess_refused() - a card has counted a wrong password of this process
 * @lost:	its answer does not reach the process
 *
 * Return: true if the process could not know that the one before had been counted
 */
bool guess_refused(int process, unsigned int card, bool lost);

#endif /* PCIEHSM_SIMULATION_GUESS_H */
