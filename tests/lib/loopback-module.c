// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The PKCS#11 module with two cards inside: what any client loads to be tried without
 * driver and QEMU. LOOPBACK_DIR is an existing directory for the cards and the group's
 * configuration; what is in it is found again, by one process at a time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cards.h"
#include "env.h"

static struct loopback *lb;

int module_env(struct ha_env **env);

int module_env(struct ha_env **env)
{
	const char *dir = getenv("LOOPBACK_DIR");
	struct pciehsm_bus *bus;
	char config[4096];

	if (!dir) {
		fprintf(stderr, "loopback module: LOOPBACK_DIR is not set\n");
		abort();
	}
	snprintf(config, sizeof(config), "%s/ha.conf", dir);
	if (!lb) {
		lb = loopback_new(dir);
		loopback_add(lb, CARD_A, CARD_A_BASE);
		loopback_add(lb, CARD_B, CARD_B_BASE);
	}
	if (access(config, F_OK)) {
		bus = loopback_bus(lb);
		cards_partition(bus, CARD_A, "par0", DOMAIN, NULL);
		cards_partition(bus, CARD_B, "par1", DOMAIN, NULL);
		bus->ops->close(bus);
		cards_group(config, false);
	}
	return ha_env_system_over(loopback_bus(lb), config, env);
}
