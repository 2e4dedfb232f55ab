// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The PCI side of a card, for hsm show: where it sits, how fast its link is, what errors
 * were counted. Read from configuration space (pci_config.c), and from sysfs what the kernel
 * alone knows. A card that is not on this machine's PCI bus simply has none of it.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "haadm.h"
#include "pci_side.h"

static bool read_attribute(const char *dir, const char *name, char *text, size_t size)
{
	char path[PATH_MAX + 64];
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "re");
	if (!f)
		return false;
	len = fread(text, 1, size - 1, f);
	fclose(f);
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return true;
}

/* The file is a list of counters by kind; the last line is their sum. */
static bool read_aer(const char *dir, const char *name, uint64_t *count)
{
	char path[PATH_MAX + 64], line[128];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "re");
	if (!f)
		return false;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "TOTAL_ERR_%*s %" SCNu64, count) == 1)
			found = true;
	fclose(f);
	return found;
}

static bool read_pci(const char *serial, unsigned int card, struct pci_side *side)
{
	char dir[PATH_MAX + 16], real[PATH_MAX], link[PATH_MAX], text[64];
	unsigned int domain, bus, slot, function;

	memset(side, 0, sizeof(*side));
	snprintf(dir, sizeof(dir), "/sys/class/hsm/hsm%u", card);
	if (!read_attribute(dir, "serial", text, sizeof(text)) || strcmp(text, serial))
		return false;
	if (!read_attribute(dir, "state", side->state, sizeof(side->state)))
		return false;
	if (read_attribute(dir, "resets", text, sizeof(text)))
		side->resets = strtoull(text, NULL, 10);
	strcat(dir, "/device");
	if (!realpath(dir, real))
		return false;
	snprintf(side->address, sizeof(side->address), "%s", strrchr(real, '/') + 1);
	if (sscanf(side->address, "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4)
		return false;
	snprintf(dir, sizeof(dir), "%s/driver", real);
	if (realpath(dir, link))
		snprintf(side->driver, sizeof(side->driver), "%s", strrchr(link, '/') + 1);
	if (!pci_config_read(domain, bus, slot, function, side))
		return false;
	side->aer = read_aer(real, "aer_dev_correctable", &side->correctable) &&
		    read_aer(real, "aer_dev_nonfatal", &side->nonfatal) &&
		    read_aer(real, "aer_dev_fatal", &side->fatal);
	return true;
}

static const char *speed_name(unsigned int generation)
{
	static const char *const names[] = {
		"unknown", "2.5 GT/s", "5 GT/s", "8 GT/s", "16 GT/s", "32 GT/s", "64 GT/s"
	};

	return names[generation < sizeof(names) / sizeof(names[0]) ? generation : 0];
}

void pci_show(struct app *app, const char *serial, struct json_object *json)
{
	struct json_object *pci;
	struct pciehsm_device device;
	struct pci_side side;
	char text[80];

	if (!find_device(app, serial, &device) || !read_pci(serial, device.card, &side)) {
		if (json)
			put_text(json, "pci", NULL);
		return;
	}
	if (json) {
		pci = json_object_new_object();
		put_text(pci, "address", side.address);
		put_text(pci, "slot", side.slot[0] ? side.slot : NULL);
		put_text(pci, "link_speed", speed_name(side.speed));
		put_text(pci, "link_speed_max", speed_name(side.speed_max));
		put_number(pci, "link_width", side.width);
		put_number(pci, "link_width_max", side.width_max);
		put_number(pci, "numa_node", side.numa);
		put_text(pci, "driver", side.driver[0] ? side.driver : NULL);
		put_text(pci, "driver_state", side.state);
		put_number(pci, "resets", side.resets);
		put_number_if(pci, "aer_correctable", side.aer, side.correctable);
		put_number_if(pci, "aer_nonfatal", side.aer, side.nonfatal);
		put_number_if(pci, "aer_fatal", side.aer, side.fatal);
		json_object_object_add(json, "pci", pci);
		return;
	}
	print_arrow(28, "PCI Address", "%s", side.address);
	if (side.slot[0])
		print_arrow(28, "PCI Slot", "%s", side.slot);
	snprintf(text, sizeof(text), "%s x%u (can do %s x%u)", speed_name(side.speed), side.width,
		 speed_name(side.speed_max), side.width_max);
	print_arrow(28, "PCI Link", "%s", text);
	if (side.numa >= 0)
		print_arrow(28, "NUMA Node", "%d", side.numa);
	else
		print_arrow(28, "NUMA Node", "none");
	print_arrow(28, "Driver", "%s, card is %s, %" PRIu64 " resets", side.driver, side.state,
		    side.resets);
	if (side.aer)
		print_arrow(28, "PCI Errors", "%" PRIu64 " corrected, %" PRIu64 " non-fatal, %"
			    PRIu64 " fatal", side.correctable, side.nonfatal, side.fatal);
}
