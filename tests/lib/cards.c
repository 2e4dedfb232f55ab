// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cards.h"

#define SECRET(text) (text), strlen(text)

static void need(CK_RV rv, const char *what)
{
	if (rv == CKR_OK)
		return;
	fprintf(stderr, "cards: %s: %s (0x%lx)\n", what, pciehsm_rv_name(rv), rv);
	abort();
}

struct pciehsm_transport *cards_open(struct pciehsm_bus *bus, const char *serial)
{
	struct pciehsm_transport *t;
	int ret = bus->ops->open(bus, serial, &t);

	if (ret) {
		fprintf(stderr, "cards: open %s: %s\n", serial, strerror(-ret));
		abort();
	}
	return t;
}

static void set_role(struct pciehsm_transport *t, uint32_t role, const char *pin)
{
	static const char first[] = "first-password";

	need(pciehsm_role_init(t, role, SECRET(first)), "role init");
	need(pciehsm_role_set_pin(t, role, SECRET(first), SECRET(pin), NULL), "role set pin");
}

void cards_partition(struct pciehsm_bus *bus, uint64_t card, const char *label,
		     const char *domain, char *serial)
{
	struct pciehsm_hsm_info info;
	struct pciehsm_transport *t;
	char hsm[24], made[25];

	snprintf(hsm, sizeof(hsm), "%llu", (unsigned long long)card);
	t = cards_open(bus, hsm);
	need(pciehsm_hsm_info(t, &info), "hsm info");
	if (!(info.flags & PCIEHSM_HSM_INITIALISED))
		need(pciehsm_hsm_init(t, "hsm", SECRET(SO_PIN), NULL), "hsm init");
	need(pciehsm_login(t, PCIEHSM_ROLE_SO, SECRET(SO_PIN), NULL, NULL), "SO login");
	need(pciehsm_partition_create(t, 0, NULL, NULL, made), "partition create");
	t->ops->close(t);

	t = cards_open(bus, made);
	need(pciehsm_partition_init(t, label, SECRET(PO_PIN), SECRET(domain), NULL),
	     "partition init");
	need(pciehsm_login(t, PCIEHSM_ROLE_PO, SECRET(PO_PIN), NULL, NULL), "PO login");
	set_role(t, PCIEHSM_ROLE_CO, CO_PIN);
	need(pciehsm_logout(t), "PO logout");
	need(pciehsm_login(t, PCIEHSM_ROLE_CO, SECRET(CO_PIN), NULL, NULL), "CO login");
	set_role(t, PCIEHSM_ROLE_CU, CU_PIN);
	t->ops->close(t);
	if (serial)
		memcpy(serial, made, sizeof(made));
}

void cards_group(const char *path, bool ha_only)
{
	FILE *f = fopen(path, "w");

	if (!f) {
		perror(path);
		abort();
	}
	fprintf(f, "{ \"version\": 1, \"recovery_mode\": \"activeEnhanced\", \"retry_count\": -1,\n"
		"  \"retry_interval\": 60, \"ha_only\": %s, \"groups\": [\n"
		"  { \"label\": \"" GROUP_LABEL "\", \"number\": \"" GROUP_NUMBER "\",\n"
		"    \"slot\": %d,\n"
		"    \"members\": [ { \"serial\": \"" PARTITION_A "\" },\n"
		"                 { \"serial\": \"" PARTITION_B "\" } ] } ] }\n",
		ha_only ? "true" : "false", GROUP_SLOT);
	if (fclose(f)) {
		perror(path);
		abort();
	}
}
