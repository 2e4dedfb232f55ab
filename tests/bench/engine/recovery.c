// SPDX-License-Identifier: GPL-2.0-or-later
/* Bringing members up to date: what it takes, and what applications see of it. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define MISSED		10
#define REPEATS		15

static struct ha_ouid key, *list;
static CK_ULONG n_list;
static atomic_bool stop;
static double longest;

static void make_objects(struct pciehsm_transport *t, unsigned int n)
{
	static CK_BBOOL yes = CK_TRUE;
	CK_OBJECT_CLASS class = CKO_DATA;
	const CK_ATTRIBUTE attrs[] = {
		{ CKA_CLASS, &class, sizeof(class) },
		{ CKA_TOKEN, &yes, sizeof(yes) },
		{ CKA_LABEL, (void *)(uintptr_t)"some object", 11 },
		{ CKA_VALUE, (void *)(uintptr_t)"some value of it", 16 },
	};
	uint8_t ouid[PCIEHSM_OUID_LEN] = { 0xbe, 0x9c };
	unsigned int i;

	for (i = 0; i < n; i++) {
		memcpy(ouid + 8, &i, sizeof(i));
		need(pciehsm_object_create(t, 0, ouid, 0, attrs, 4, NULL), "create object");
	}
}

static struct pciehsm_transport *officer_at(struct pciehsm_bus *bus, unsigned int member)
{
	struct pciehsm_transport *t = cards_open(bus, serial_of(member));

	need(pciehsm_login(t, PCIEHSM_ROLE_CO, CO_PIN, strlen(CO_PIN), NULL, NULL), "login");
	return t;
}

/* Seconds until both hold the same */
static double until_equal(struct pciehsm_bus *bus, double begun)
{
	struct pciehsm_transport *a = cards_open(bus, serial_of(0));
	struct pciehsm_transport *b = cards_open(bus, serial_of(1));
	struct pciehsm_digest_info x, y;

	do {
		usleep(500);
		need(pciehsm_digest(a, &x), "digest");
		need(pciehsm_digest(b, &y), "digest");
		if (now() > begun + 600)
			die("the members never become equal");
	} while (memcmp(x.digest, y.digest, sizeof(x.digest)));
	a->ops->close(a);
	b->ops->close(b);
	return now() - begun;
}

/* An application that works and makes keys meanwhile */
static void *work(void *arg)
{
	struct ha_ouid made;
	double begun;

	while (!stop) {
		begun = now();
		need(encrypt(&key), "encrypt");
		if (now() - begun > longest)
			longest = now() - begun;
		begun = now();
		aes_key(&made);
		if (now() - begun > longest)
			longest = now() - begun;
		need(ha_destroy(token, 1, &made), "destroy");
	}
	return arg;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Processor time of the whole process: what recovery costs, however busy the machine is */
static double worked(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/*
 * Median time to bring over what was changed while the second member was away; @cost: processor
 * time, with that of the looks whether it is done
 */
static double missed_changes(struct pciehsm_bus *bus, double *cost)
{
	double took[REPEATS], costs[REPEATS], before;
	unsigned int i, k;
	CK_ATTRIBUTE attr = { CKA_LABEL, NULL, 0 };
	char label[32];

	for (i = 0; i < REPEATS; i++) {
		loopback_pull(lb, card_of(1));
		for (k = 0; k < MISSED; k++) {
			attr.pValue = label;
			attr.ulValueLen = (CK_ULONG)snprintf(label, sizeof(label), "%u.%u", i, k);
			need(ha_set_attributes(token, 1, &list[k * (n_list / MISSED)], &attr, 1),
			     "set attribute");
		}
		/* Putting it back is switching the card on, which reads its store. */
		loopback_return(lb, card_of(1));
		before = worked();
		took[i] = until_equal(bus, now());
		costs[i] = worked() - before;
	}
	qsort(took, REPEATS, sizeof(took[0]), by_size);
	qsort(costs, REPEATS, sizeof(costs[0]), by_size);
	*cost = costs[REPEATS / 2];
	return took[REPEATS / 2];
}

/* @join: seconds that the second one took to become a member; @cost: see missed_changes() */
static double with_objects(unsigned int n, double *join, double *cost)
{
	struct pciehsm_bus *bus;
	struct pciehsm_transport *t;
	struct pciehsm_digest_info contents;
	pthread_t thread;
	double took, begun;

	group_begin(2, 1);
	bus = loopback_bus(lb);
	t = officer_at(bus, 0);
	make_objects(t, n);
	t->ops->close(t);
	aes_key(&key);
	stop = false;
	longest = 0;
	if (pthread_create(&thread, NULL, work, NULL))
		die("no thread");
	group_write(2);
	/* It is equal for a moment only while the application makes keys. */
	wait_until_work(&key, 2);
	stop = true;
	pthread_join(thread, NULL);
	loopback_pull(lb, card_of(1));
	group_write(1);
	loopback_return(lb, card_of(1));

	/* And once more, an empty one, with nobody about: how fast. */
	t = cards_open(bus, serial_of(1));
	need(pciehsm_login(t, PCIEHSM_ROLE_PO, PO_PIN, strlen(PO_PIN), NULL, NULL), "PO login");
	need(pciehsm_partition_init(t, "member", PO_PIN, strlen(PO_PIN), DOMAIN, strlen(DOMAIN),
				    NULL), "partition init");
	t->ops->close(t);
	t = cards_open(bus, serial_of(1));
	need(pciehsm_login(t, PCIEHSM_ROLE_PO, PO_PIN, strlen(PO_PIN), NULL, NULL), "PO login");
	need(pciehsm_role_init(t, PCIEHSM_ROLE_CO, "first-password", 14), "role init");
	need(pciehsm_role_set_pin(t, PCIEHSM_ROLE_CO, "first-password", 14, CO_PIN, strlen(CO_PIN),
				  NULL), "role set pin");
	need(pciehsm_digest(t, &contents), "digest");
	t->ops->close(t);
	if (contents.objects)
		die("the new member is not empty");
	begun = now();
	group_write(2);
	*join = until_equal(bus, begun);
	wait_until_work(&key, 2);

	need(ha_find(token, 1, NULL, 0, &list, &n_list), "find");
	took = missed_changes(bus, cost);
	free(list);
	bus->ops->close(bus);
	group_end();
	return took;
}

void bench_recovery(void)
{
	double join, few, many, few_cost, many_cost;
	char name[64];

	few = with_objects(100, &join, &few_cost);
	many = with_objects(objects, &join, &many_cost);
	snprintf(name, sizeof(name), "a new member of %u objects", objects);
	line(name, "objects/s", objects / join, 5000, true);
	line("... longest call of an application meanwhile", "ms", longest * 1e3, 100, false);
	printf("%-50s %12.2f %s\n", "10 missed changes among 100 objects", few * 1e3, "ms");
	snprintf(name, sizeof(name), "... among %u objects, times that", objects);
	line(name, "times", many / few, 2, false);
	line("... processor time of that, times", "times", many_cost / few_cost, 2, false);
}
