// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * haadm over cards inside this process, for tests without driver and QEMU.
 *
 * LOOPBACK_DIR    directory of the cards' stores, which last from run to run
 * LOOPBACK_CARDS  "serial:partition-base ..."; "none": the driver is not loaded
 * LOOPBACK_HANG   serial of a card that does not answer
 * PCIEHSM_CONF    the HA configuration
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "loopback.h"

static const char *need(const char *name)
{
	const char *value = getenv(name);

	if (!value) {
		fprintf(stderr, "haadm-loopback: %s is not set\n", name);
		exit(100);
	}
	return value;
}

int main(int argc, char **argv)
{
	struct loopback *lb = loopback_new(need("LOOPBACK_DIR"));
	const char *cards = need("LOOPBACK_CARDS");
	const char *hang = getenv("LOOPBACK_HANG");
	unsigned long long serial;
	struct ha_env *env;
	unsigned int base;
	int used, status;

	if (!strcmp(cards, "none"))
		loopback_no_driver(lb, true);
	for (; sscanf(cards, "%llu:%u%n", &serial, &base, &used) == 2; cards += used)
		loopback_add(lb, serial, base);
	if (hang)
		loopback_set_fault(lb, strtoull(hang, NULL, 10), LOOPBACK_HANGS);
	if (ha_env_system_over(loopback_bus(lb), need("PCIEHSM_CONF"), &env))
		return 100;
	status = haadm_main(env, argc, argv);
	ha_env_free(env);
	loopback_free(lb);
	return status;
}
