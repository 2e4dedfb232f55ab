// SPDX-License-Identifier: LGPL-2.1-or-later
/* What is read of a device with libpci. */
#include <setjmp.h>
#include <stdio.h>

#include <pci/pci.h>

#include "pci_side.h"

static void read_link(struct pci_dev *dev, struct pci_side *side)
{
	struct pci_cap *cap = pci_find_cap(dev, PCI_CAP_ID_EXP, PCI_CAP_NORMAL);
	uint32_t able;
	uint16_t is;

	if (!cap)
		return;
	able = pci_read_long(dev, cap->addr + PCI_EXP_LNKCAP);
	is = pci_read_word(dev, cap->addr + PCI_EXP_LNKSTA);
	side->speed_max = able & PCI_EXP_LNKCAP_SPEED;
	side->width_max = (able & PCI_EXP_LNKCAP_WIDTH) >> 4;
	side->speed = is & PCI_EXP_LNKSTA_SPEED;
	side->width = (is & PCI_EXP_LNKSTA_WIDTH) >> 4;
}

static void quiet(char *fmt, ...)
{
	(void)fmt;
}

/* One at a time: haadm has one thread for commands. */
static jmp_buf on_error;

/* libpci's own ends the process, and must not be returned from; a card can go away any time. */
static void __attribute__((noreturn)) give_up(char *fmt, ...)
{
	(void)fmt;
	longjmp(on_error, 1);
}

static bool read_device(struct pci_access *access, unsigned int domain, unsigned int bus,
			unsigned int slot, unsigned int function, struct pci_side *side)
{
	struct pci_dev *dev;

	if (setjmp(on_error))
		return false;
	pci_init(access);
	/* libpci finds slots for devices of its own list only, not for one of pci_get_dev(). */
	pci_scan_bus(access);
	for (dev = access->devices; dev; dev = dev->next)
		if ((unsigned int)dev->domain == domain && dev->bus == bus && dev->dev == slot &&
		    dev->func == function)
			break;
	if (!dev)
		return false;
	pci_fill_info(dev, PCI_FILL_IDENT | PCI_FILL_CAPS | PCI_FILL_PHYS_SLOT | PCI_FILL_NUMA_NODE);
	read_link(dev, side);
	if (dev->phy_slot)
		snprintf(side->slot, sizeof(side->slot), "%s", dev->phy_slot);
	side->numa = dev->numa_node;
	return true;
}

bool pci_config_read(unsigned int domain, unsigned int bus, unsigned int slot,
		     unsigned int function, struct pci_side *side)
{
	struct pci_access *access = pci_alloc();
	bool found;

	access->warning = quiet;
	access->error = give_up;
	found = read_device(access, domain, bus, slot, function, side);
	pci_cleanup(access);
	return found;
}
