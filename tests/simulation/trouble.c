// SPDX-License-Identifier: GPL-2.0-or-later
/* What goes wrong in a run by seed, and what administrators do. */
#include <stdio.h>
#include <string.h>

#include "random.h"

#define HANG_MAX	8

static bool is_well(unsigned int card)
{
	return run.listed[card] && run.well_since[card] != SIM_FOREVER &&
	       run.well_since[card] + SETTLE <= sim_now();
}

/* Somebody else has to stay well. */
static bool may_hit(unsigned int victim)
{
	unsigned int i;

	if (run.cruel)
		return true;
	for (i = 0; i < world.n_cards; i++)
		if (i != victim && is_well(i))
			return true;
	return false;
}

static void is_ill(unsigned int card)
{
	totals.faults++;
	run.well_since[card] = SIM_FOREVER;
}

static int edit_members(struct ha_config *config, void *arg)
{
	struct ha_config_group *group = &config->groups[0];
	unsigned int i, k, n = 0;

	(void)arg;
	group->n_members = 0;
	for (k = 0; k < world.n_cards; k++) {
		i = world.reverse ? world.n_cards - 1 - k : k;
		if (!run.listed[i])
			continue;
		snprintf(group->members[n].serial, sizeof(group->members[n].serial), "%s",
			 machine_serial(i));
		group->members[n].standby = n && world.standby == i;
		group->members[n].drain = world.drain & (1U << i);
		group->members[n].weight = world.weight[i];
		n++;
	}
	group->n_members = n;
	group->mincopies = world.mincopies < n ? world.mincopies : n;
	return 0;
}

static void write_members(void)
{
	char error[256];
	int err = ha_config_edit(run.admin.ha, edit_members, NULL, error, sizeof(error));

	if (err)
		sim_fail("configuration: %s", error);
	sim_log("members: %s", simenv_config() ? "edited" : "");
}

static void replace(unsigned int card, bool same_serial)
{
	if (!all_present())
		return;
	exempt_for(card);
	is_ill(card);
	run.last_emptied = SIM_FOREVER;
	if (same_serial) {
		machine_empty(card);
		run.emptied_at = sim_now();
	} else {
		machine_reinit(card);
		sim_sleep(sim_random(5000000));
		write_members();
	}
	run.last_emptied = sim_now();
	run.well_since[card] = sim_now();
}

static void pull(unsigned int card)
{
	is_ill(card);
	machine_pull(card);
	sim_sleep(sim_random(20000000));
	machine_return(card);
	run.well_since[card] = sim_now();
}

static void hang(unsigned int card)
{
	uint64_t length = 1 + sim_random(HANG_MAX * 1000000);

	is_ill(card);
	machine_hang(card, sim_now() + length, sim_chance(2));
	sim_sleep(length);
	machine_unhang(card);
	run.well_since[card] = sim_now();
}

static void lose_messages(unsigned int card)
{
	is_ill(card);
	machine_faulty(card, 2 + sim_random(8));
	sim_sleep(sim_random(5000000));
	machine_faulty(card, 0);
	run.well_since[card] = sim_now();
}

static void fail_writes(unsigned int card)
{
	is_ill(card);
	machine_bad_writes(card, 1 + sim_random(8));
	sim_sleep(sim_random(10000000));
	machine_bad_writes(card, 0);
	run.well_since[card] = sim_now();
}

/* The store is found as the last write that came to its end has left it. */
static void cut_power(unsigned int card)
{
	uint64_t limit = sim_now() + 10 * SIM_SECOND;

	is_ill(card);
	machine_power_fails(card, true);
	while (machine_present(card) && sim_now() < limit)
		sim_sleep(100000);
	if (machine_present(card)) {
		machine_power_fails(card, false);
	} else {
		sim_sleep(sim_random(10000000));
		machine_return(card);
	}
	run.well_since[card] = sim_now();
}

/* Back to an older state: somebody has put an old copy of its disk in its place. */
static void roll_back(unsigned int card)
{
	if (!machine_can_go_back(card) || sim_chance(4)) {
		machine_snapshot(card);
		return;
	}
	if (!all_present())
		return;
	exempt_for(card);
	is_ill(card);
	run.last_emptied = SIM_FOREVER;
	totals.backs++;
	machine_go_back(card);
	sim_sleep(sim_random(20000000));
	machine_return(card);
	run.last_emptied = sim_now();
	run.well_since[card] = sim_now();
}

static void set_copies(unsigned int copies)
{
	world.mincopies = copies;
	world.mincopies_ever |= copies > 1;
	run.copies_settled_at = sim_now();
}

/* What takes no member away: who works, and what a new object needs */
static void change_settings(unsigned int card)
{
	unsigned int i, n = 0;

	for (i = 0; i < world.n_cards; i++)
		n += run.listed[i];
	switch (sim_random(4)) {
	case 0:
		world.drain ^= 1U << card;
		break;
	case 1:
		world.weight[card] = sim_random(6);
		break;
	case 2:
		set_copies(1 + sim_random(n));
		break;
	default:
		world.standby = sim_random(2) ? card : CARDS_MAX;
		break;
	}
	write_members();
}

static void unlist(unsigned int card)
{
	unsigned int i, others = 0;

	for (i = 0; i < world.n_cards; i++)
		others += i != card && run.listed[i];
	if (!others || !all_present())
		return;
	/* What only this member has is not lost, but not the group's any more. */
	is_ill(card);
	run.listed[card] = false;
	/* No more than there are members, so that this is no change of the copies wanted. */
	if (world.mincopies > others)
		set_copies(others);
	write_members();
	sim_sleep(sim_random(20000000));
	run.listed[card] = true;
	write_members();
	run.well_since[card] = sim_now();
}

static void kill_client(struct client *c)
{
	unsigned int i;

	if (!c->running || !c->process.ha)
		return;
	totals.kills++;
	c->running = false;
	process_kill(&c->process);
	for (i = 0; i < world.n_things; i++) {
		struct thing *thing = &world.things[i];

		if (thing->creating && thing->process == c->process.number) {
			thing->creating = false;
			thing->killed = true;
		}
		/* What a lost answer left behind is deleted by who asked for it, if that lives. */
		if (thing->failed && thing->process == c->process.number) {
			thing->failed = false;
			thing->killed = true;
		}
	}
	sim_sleep(sim_random(3000000));
	if (!run.over)
		start_client(c);
}

static void administer(void)
{
	static struct ha_group_status status;
	struct ha_sync_report report;
	char error[256];
	CK_RV rv;

	if (sim_chance(2)) {
		ha_group_status(run.admin.ha, GROUP_LABEL, &status);
		return;
	}
	rv = ha_group_synchronize(run.admin.ha, GROUP_LABEL, CO_PIN, strlen(CO_PIN), &report, NULL,
				  NULL, error, sizeof(error));
	sim_log("synchronize: %s: %s", pciehsm_rv_name(rv), rv == CKR_OK ? "" : error);
}

static void one_fault(unsigned int card)
{
	switch (sim_random(26)) {
	case 18 ... 19:
		fail_writes(card);
		break;
	case 20 ... 21:
		cut_power(card);
		break;
	case 22 ... 25:
		roll_back(card);
		break;
	case 0 ... 3:
		pull(card);
		break;
	case 4 ... 6:
		hang(card);
		break;
	case 7 ... 9:
		lose_messages(card);
		break;
	case 10:
		is_ill(card);
		machine_reset(card);
		run.well_since[card] = sim_now();
		break;
	case 11 ... 12:
		replace(card, false);
		break;
	case 13:
		replace(card, true);
		break;
	case 14:
		unlist(card);
		break;
	default:
		change_settings(card);
		break;
	}
}

/* Troubles are counted, so that each can be left out. */
static bool trouble_comes(void)
{
	unsigned int number = shape.troubles++;

	return number >= TROUBLES_MAX || !shape.skip[number];
}

/* Several troubles at once, each with its own course */
void trouble_main(void *arg)
{
	unsigned int card;

	(void)arg;
	while (!run.over) {
		sim_sleep(500000 + sim_random(8000000));
		card = sim_random(world.n_cards);
		if (run.over || run.well_since[card] == SIM_FOREVER || !machine_present(card) ||
		    !may_hit(card) || !trouble_comes())
			continue;
		one_fault(card);
	}
}

void killer_main(void *arg)
{
	(void)arg;
	while (!run.over) {
		sim_sleep(5000000 + sim_random(40000000));
		if (!run.over && run.n_clients > 1 && trouble_comes())
			kill_client(&run.clients[sim_random(run.n_clients)]);
		if (!run.over && sim_chance(3) && trouble_comes())
			administer();
	}
}
