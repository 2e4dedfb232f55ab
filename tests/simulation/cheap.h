/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PCIEHSM_SIMULATION_CHEAP_H
#define PCIEHSM_SIMULATION_CHEAP_H

#include <stdbool.h>

/** cheap_crypto - do without what is costly and what no run is about; see cheap.c */
extern bool cheap_crypto;

#endif /* PCIEHSM_SIMULATION_CHEAP_H */
