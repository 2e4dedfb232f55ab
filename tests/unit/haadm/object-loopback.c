// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Create a token object in a partition of a card inside this process, as an application
 * would that works with that member alone.
 *
 * object-loopback SERIAL PASSWORD LABEL [key]; with "key" a key pair for signing, on P-256.
 * The environment as for haadm-loopback
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loopback.h"
#include "pciehsm.h"

static CK_RV make_key(struct pciehsm_transport *t, const char *label)
{
	/* The curve's object identifier, secp256r1 */
	static const unsigned char curve[] = { 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 };
	const CK_MECHANISM mech = { .mechanism = CKM_EC_KEY_PAIR_GEN };
	uint8_t ouids[2][PCIEHSM_OUID_LEN];
	CK_BBOOL yes = CK_TRUE;
	CK_ATTRIBUTE pub[] = {
		{ CKA_EC_PARAMS, (void *)curve, sizeof(curve) },
		{ CKA_TOKEN, &yes, sizeof(yes) },
		{ CKA_VERIFY, &yes, sizeof(yes) },
		{ CKA_LABEL, (void *)label, strlen(label) },
	};
	CK_ATTRIBUTE priv[] = {
		{ CKA_TOKEN, &yes, sizeof(yes) },
		{ CKA_SIGN, &yes, sizeof(yes) },
		{ CKA_LABEL, (void *)label, strlen(label) },
	};
	CK_RV rv = pciehsm_random(t, NULL, 0, ouids, sizeof(ouids));

	return rv ? rv : pciehsm_generate_key_pair(t, 0, &mech, ouids[0], ouids[1], 0, pub, 4, priv,
						   3, NULL);
}

int main(int argc, char **argv)
{
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_BBOOL yes = CK_TRUE;
	uint8_t ouid[PCIEHSM_OUID_LEN] = { 0 };
	struct pciehsm_transport *t;
	const char *cards = getenv("LOOPBACK_CARDS");
	unsigned long long serial;
	struct pciehsm_bus *bus;
	struct loopback *lb;
	unsigned int base;
	int used;
	CK_RV rv;

	if (argc < 4 || !cards || !getenv("LOOPBACK_DIR"))
		return 100;
	lb = loopback_new(getenv("LOOPBACK_DIR"));
	for (; sscanf(cards, "%llu:%u%n", &serial, &base, &used) == 2; cards += used)
		loopback_add(lb, serial, base);
	bus = loopback_bus(lb);
	if (bus->ops->open(bus, argv[1], &t)) {
		fprintf(stderr, "object-loopback: no partition %s\n", argv[1]);
		return 1;
	}
	CK_ATTRIBUTE attrs[] = {
		{ CKA_CLASS, &class, sizeof(class) },
		{ CKA_TOKEN, &yes, sizeof(yes) },
		{ CKA_PRIVATE, &yes, sizeof(yes) },
		{ CKA_LABEL, argv[3], strlen(argv[3]) },
	};
	rv = pciehsm_login(t, PCIEHSM_ROLE_CO, argv[2], strlen(argv[2]), NULL, NULL);
	if (!rv && argc > 4)
		rv = make_key(t, argv[3]);
	else if (!rv)
		rv = pciehsm_random(t, NULL, 0, ouid, sizeof(ouid));
	if (!rv && argc == 4)
		rv = pciehsm_object_create(t, 0, ouid, 0, attrs, 4, NULL);
	if (rv)
		fprintf(stderr, "object-loopback: %s\n", pciehsm_rv_name(rv));
	t->ops->close(t);
	bus->ops->close(bus);
	loopback_free(lb);
	return rv ? 1 : 0;
}
