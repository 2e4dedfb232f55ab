/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The HA engine's environment on simulated time: one per process, one file for all. */
#ifndef PCIEHSM_SIMULATION_SIMENV_H
#define PCIEHSM_SIMULATION_SIMENV_H

#include "env.h"

/** simenv_new() - for a process; @bus stays the caller's */
struct ha_env *simenv_new(int process, struct pciehsm_bus *bus);
void simenv_free(struct ha_env *env);
/** simenv_killed() - a process was killed: give back what it had locked */
void simenv_killed(int process);
/** simenv_reset() - no configuration file */
void simenv_reset(void);
/** simenv_config() - what the file says now, or NULL */
const char *simenv_config(void);
/** simenv_write() - write the file as an editor does: whatever it is */
void simenv_write(const char *text);
/** simenv_log_lines() - HA log records so far that hold @text */
unsigned int simenv_log_lines(const char *text);

#endif /* PCIEHSM_SIMULATION_SIMENV_H */
