/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cards inside the process, set up as an operator would, for tests of what uses them. */
#ifndef PCIEHSM_TESTS_CARDS_H
#define PCIEHSM_TESTS_CARDS_H

#include "loopback.h"
#include "pciehsm.h"

/* The cards of the documented procedure and their first partitions. */
#define CARD_A			154438ULL
#define CARD_A_BASE		865287
#define PARTITION_A		"154438865287"
#define CARD_B			1238700ULL
#define CARD_B_BASE		701509
#define PARTITION_B		"1238700701509"

#define SO_PIN			"so-password"
#define PO_PIN			"po-password"
#define CO_PIN			"co-password"
#define CU_PIN			"cu-password"
#define DOMAIN			"a cloning domain"

#define GROUP_LABEL		"myHAgroup"
#define GROUP_NUMBER		"1154438865287"
#define GROUP_SLOT		5

/**
 * cards_partition() - initialise a card's HSM if it is blank and make a partition on it
 * @domain:	of the partition
 * @serial:	NULL, or out: of the partition, room for 25 bytes
 *
 * With Partition SO, Crypto Officer and Crypto User, whose passwords are the ones above and need
 * not be changed. Anything that goes wrong ends the test.
 */
void cards_partition(struct pciehsm_bus *bus, uint64_t card, const char *label,
		     const char *domain, char *serial);

/** cards_open() - a context at a partition or HSM */
struct pciehsm_transport *cards_open(struct pciehsm_bus *bus, const char *serial);

/** cards_group() - write an HA configuration with one group of partitions A and B */
void cards_group(const char *path, bool ha_only);

#endif /* PCIEHSM_TESTS_CARDS_H */
