// SPDX-License-Identifier: GPL-2.0-or-later
/* What has to hold in the end, looked at past the engine, on the cards themselves. */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"

struct contents {
	struct pciehsm_change	*list;
	size_t			n;
};

static int by_ouid(const void *a, const void *b)
{
	return memcmp(((const struct pciehsm_change *)a)->ouid,
		      ((const struct pciehsm_change *)b)->ouid, PCIEHSM_OUID_LEN);
}

static struct contents contents_of(unsigned int card)
{
	struct pciehsm_transport *t = machine_direct(card, true);
	struct pciehsm_change *page;
	struct contents c = { 0 };
	uint64_t seq = 0, last;
	size_t n;

	do {
		if (pciehsm_changes(t, seq, PCIEHSM_CHANGES_MAX, &page, &n, &last) != CKR_OK) {
			sim_fail("the contents of card %u can not be listed", card);
			break;
		}
		c.list = realloc(c.list, (c.n + n + 1) * sizeof(*c.list));
		memcpy(c.list + c.n, page, n * sizeof(*page));
		c.n += n;
		seq = n ? le64toh(page[n - 1].seq) : last;
		free(page);
	} while (seq < last);
	t->ops->close(t);
	if (c.n)
		qsort(c.list, c.n, sizeof(*c.list), by_ouid);
	return c;
}

static const struct pciehsm_change *entry_of(const struct contents *c, const struct ha_ouid *ouid)
{
	struct pciehsm_change key;

	memcpy(key.ouid, ouid->b, PCIEHSM_OUID_LEN);
	return c->n ? bsearch(&key, c->list, c->n, sizeof(key), by_ouid) : NULL;
}

static bool is_live(const struct contents *c, const struct ha_ouid *ouid)
{
	const struct pciehsm_change *entry = entry_of(c, ouid);

	return entry && !(le32toh(entry->flags) & PCIEHSM_CHANGE_DELETED);
}

static unsigned int parts_of(const struct thing *thing)
{
	return thing->kind == PAIR ? 2 : 1;
}

/* How many objects of this label a card has */
static CK_ULONG count_label(struct pciehsm_transport *t, const char *label)
{
	CK_ATTRIBUTE attr = { CKA_LABEL, (void *)(uintptr_t)label, strlen(label) };
	uint8_t ouids[16 * PCIEHSM_OUID_LEN];
	uint64_t cursor = 0;
	uint32_t n = 0, total = 0;

	do {
		if (pciehsm_object_find(t, 0, &attr, 1, &cursor, ouids, 16, &n) != CKR_OK)
			break;
		total += n;
	} while (cursor);
	return total;
}

/* Is what this card has of an object newer than what any other has? */
static bool has_newest(const struct contents *all, unsigned int card, const struct ha_ouid *ouid)
{
	const struct pciehsm_change *mine = entry_of(&all[card], ouid), *theirs;
	struct pciehsm_object_version a, b;
	unsigned int k;

	for (k = 0; k < world.n_cards; k++) {
		theirs = k == card ? NULL : entry_of(&all[k], ouid);
		if (!theirs)
			continue;
		if (!mine)
			return false;
		a = pciehsm_version_read(&mine->version);
		b = pciehsm_version_read(&theirs->version);
		if (pciehsm_version_cmp(&a, &b) <= 0)
			return false;
	}
	return true;
}

void exempt_for(unsigned int card)
{
	struct contents all[CARDS_MAX];
	unsigned int i, k, part;

	for (k = 0; k < world.n_cards; k++)
		all[k] = contents_of(k);
	for (i = 0; i < world.n_things; i++) {
		struct thing *thing = &world.things[i];

		/* What is just being made may have no copy at all yet. */
		for (part = 0; part < parts_of(thing); part++)
			if (has_newest(all, card, &thing->ouid[part]))
				thing->exempt = true;
	}
	for (k = 0; k < world.n_cards; k++)
		free(all[k].list);
}

unsigned int copies_of(const struct thing *thing)
{
	unsigned int k, part, found, copies = 0;

	for (k = 0; k < world.n_cards; k++) {
		struct pciehsm_transport *t = machine_direct(k, true);

		for (part = 0, found = 0; part < parts_of(thing); part++)
			found += pciehsm_object_get(t, 0, thing->ouid[part].b, NULL, 0, NULL) ==
				 CKR_OK;
		t->ops->close(t);
		copies += found == parts_of(thing);
	}
	return copies;
}

size_t look_at_key(const struct thing *thing, unsigned char *point)
{
	struct pciehsm_object_version best = { 0 }, version;
	unsigned char zero[16] = { 0 }, iv[16] = { 0 }, room[80];
	CK_MECHANISM mech = { CKM_AES_CBC, iv, sizeof(iv) };
	CK_ATTRIBUTE attr = { CKA_EC_POINT, NULL, 0 };
	const uint8_t *ouid = thing->ouid[0].b;
	size_t len = 0, got;
	unsigned int k;
	CK_RV rv;

	for (k = 0; k < world.n_cards && thing->kind != DATA; k++) {
		struct pciehsm_transport *t = machine_direct(k, true);

		attr.pValue = thing->kind == PAIR ? room : NULL;
		attr.ulValueLen = sizeof(room);
		got = sizeof(room);
		rv = pciehsm_object_get(t, 0, ouid, &attr, thing->kind == PAIR, &version);
		if (rv == CKR_OK && thing->kind == AES)
			rv = pciehsm_crypt(t, 0, PCIEHSM_FN_ENCRYPT, &mech, ouid, zero,
					   sizeof(zero), NULL, 0, room, &got);
		t->ops->close(t);
		if (rv != CKR_OK || pciehsm_version_cmp(&version, &best) <= 0)
			continue;
		best = version;
		/* A point is an octet string in DER: 04 20 and 32 bytes. */
		len = thing->kind == PAIR ? attr.ulValueLen - 2 : got;
		memcpy(point, thing->kind == PAIR ? room + 2 : room, len);
	}
	return len;
}

static void check_thing(struct process *p, const struct thing *thing, const struct contents *all,
			struct pciehsm_transport *first)
{
	CK_ULONG n = count_label(first, thing->label);
	unsigned char point[80];
	bool verified = false;
	unsigned int k, part;
	size_t len;
	CK_RV rv;

	if (n > parts_of(thing))
		sim_fail("%s exists %lu times", thing->label, n);
	if (thing->failed && n && !thing->exempt)
		sim_fail("%s was reported as failed and exists", thing->label);
	if (thing->destroyed && n && !thing->exempt)
		sim_fail("%s was deleted and is back", thing->label);
	if (!thing->acked || thing->destroying || thing->exempt)
		return;
	for (part = 0; part < parts_of(thing); part++)
		for (k = 0; k < world.n_cards; k++)
			if (!is_live(&all[k], &thing->ouid[part]))
				sim_fail("%s is lost on card %u", thing->label, k);
	if (thing->kind == AES && thing->point_len) {
		rv = encrypt_nothing(p, 9, &thing->ouid[0], point);
		if (rv != CKR_OK || memcmp(point, thing->point, thing->point_len))
			sim_fail("%s has another key than it had: %s", thing->label,
				 pciehsm_rv_name(rv));
	}
	if (thing->kind != PAIR || !thing->point_len)
		return;
	rv = get_point(p, 9, &thing->ouid[0], point, &len);
	if (rv != CKR_OK || len != thing->point_len || memcmp(point, thing->point, len))
		sim_fail("%s has another public key than it had: %s", thing->label,
			 pciehsm_rv_name(rv));
	rv = sign_and_verify(p, 9, &thing->ouid[1], thing->point, thing->point_len, &verified);
	if (rv != CKR_OK || !verified)
		sim_fail("%s has another private key than it had: %s", thing->label,
			 pciehsm_rv_name(rv));
}

void check_things(struct process *p)
{
	struct contents all[CARDS_MAX];
	struct pciehsm_transport *t = machine_direct(0, true);
	unsigned int i, k;

	for (k = 0; k < world.n_cards; k++)
		all[k] = contents_of(k);
	for (i = 0; i < world.n_things; i++)
		check_thing(p, &world.things[i], all, t);
	t->ops->close(t);
	for (k = 0; k < world.n_cards; k++)
		free(all[k].list);
}
