/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The PCI side of a card */
#ifndef PCI_SIDE_H
#define PCI_SIDE_H

#include <stdbool.h>
#include <stdint.h>

struct pci_side {
	char		address[32];
	char		slot[32];
	unsigned int	speed, speed_max;	/* generation: 1 is 2.5 GT/s */
	unsigned int	width, width_max;
	int		numa;			/* -1: does not apply */
	char		driver[32];
	char		state[32];		/* as the driver has it */
	uint64_t	resets;
	uint64_t	correctable, nonfatal, fatal;
	bool		aer;
};

/**
 * pci_config_read() - what libpci knows of a device: link, slot and node
 *
 * Return: false if it is not there, or went away meanwhile
 */
bool pci_config_read(unsigned int domain, unsigned int bus, unsigned int slot,
		     unsigned int function, struct pci_side *side);

#endif /* PCI_SIDE_H */
