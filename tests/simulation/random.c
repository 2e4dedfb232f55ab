// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs whose course a seed decides: a few processes work with a group of two to five
 * members (work.c), while members die, hang, are reset, lose messages, fail to write, lose power
 * in a write, come back, come back in an old state, are initialised anew and replaced; processes
 * are killed; the configuration is edited (trouble.c). Then everything is mended, the engines
 * get time, and what has to hold is checked (check.c).
 *
 * A kind run always leaves one member alone that has been well for a while, and then
 * no call may fail. A cruel one does not; then calls may fail, but what was
 * acknowledged must hold all the same.
 */
#include <stdio.h>
#include <string.h>

#include "random.h"

struct world world;
struct run run;
struct random_totals totals;
struct random_shape shape = { .seconds = RUN_SECONDS };

bool all_present(void)
{
	unsigned int i;

	for (i = 0; i < world.n_cards; i++)
		if (!machine_present(i))
			return false;
	return true;
}

static void wait_for_clients(void)
{
	unsigned int i;
	uint64_t deadline = sim_now() + 120 * SIM_SECOND;
	bool busy;

	do {
		sim_sleep(SIM_SECOND);
		busy = false;
		for (i = 0; i < run.n_clients; i++)
			busy |= run.clients[i].running && !run.clients[i].done;
	} while (busy && sim_now() < deadline);
	if (busy)
		sim_fail("a call does not come to its end");
}

static void settle(void)
{
	uint64_t deadline = sim_now() + 300 * SIM_SECOND;
	struct process settler;
	unsigned char byte[1];
	unsigned int i, k;
	CK_RV rv;

	/* All clients may have died: somebody has to be there who looks. */
	process_start(&settler, CLIENTS_MAX + 2, 0);
	do {
		rv = ha_login(settler.token, PCIEHSM_ROLE_CO, CO_PIN, strlen(CO_PIN), NULL);
		if (rv != CKR_OK)
			sim_sleep(SIM_SECOND);
	} while (rv != CKR_OK && sim_now() < deadline);
	if (rv != CKR_OK)
		sim_fail("nobody can log in after everything was mended: %s",
			 pciehsm_rv_name(rv));
	/* What failed creations may have left is removed when their member comes back. */
	for (i = 0; i < 100; i++) {
		sim_sleep(SIM_SECOND);
		/* Without threads that is done in calls. */
		for (k = 0; k < run.n_clients; k++)
			if (run.clients[k].running && !run.clients[k].threads)
				ha_random(run.clients[k].process.token, byte, sizeof(byte));
	}
	while (!members_equal(world.n_cards) && sim_now() < deadline)
		sim_sleep(SIM_SECOND);
	if (!members_equal(world.n_cards))
		sim_fail("the members never become equal");
	sim_log("settled");
	check_things(&settler);
	process_stop(&settler);
}

static void run_main(void *arg)
{
	struct fiber *troubles[2], *killer;
	unsigned int i, n_troubles = run.cruel ? 2 : 1;

	(void)arg;
	process_start(&run.admin, CLIENTS_MAX + 1, HA_OPEN_ADMIN);
	for (i = 0; i < run.n_clients; i++) {
		run.clients[i].process.number = (int)i + 1;
		start_client(&run.clients[i]);
	}
	for (i = 0; i < n_troubles; i++)
		troubles[i] = sim_spawn(0, trouble_main, NULL);
	killer = sim_spawn(0, killer_main, NULL);
	sim_sleep(shape.seconds * SIM_SECOND);
	run.over = true;
	for (i = 0; i < n_troubles; i++)
		sim_join(troubles[i]);
	sim_join(killer);
	wait_for_clients();
	settle();
	totals.untold += machine_counts.untold;
	if (machine_counts.refused > run.wrong_logins + machine_counts.untold)
		sim_fail("%llu attempts were burnt by %u wrong passwords",
			 (unsigned long long)machine_counts.refused, run.wrong_logins);
	for (i = 0; i < run.n_clients; i++)
		if (run.clients[i].running && run.clients[i].process.ha)
			process_stop(&run.clients[i].process);
	process_stop(&run.admin);
}

bool random_run(uint64_t seed)
{
	unsigned int i;

	memset(&world, 0, sizeof(world));
	memset(&run, 0, sizeof(run));
	/* The shape of the run is of the seed, too. */
	world.n_cards = 2 + (unsigned int)(seed % 4);
	run.n_clients = 1 + (unsigned int)(seed / 4 % CLIENTS_MAX);
	run.cruel = seed % 5 == 4;
	world.standby = CARDS_MAX;
	/* Of two equal counters the greater serial wins: the first member has it, or the last. */
	world.reverse = seed / 2 % 2;
	shape.troubles = 0;
	simenv_reset();
	machine_start(world.n_cards);
	for (i = 0; i < world.n_cards; i++)
		run.listed[i] = true;
	make_group(world.n_cards, world.reverse);
	sim_start(seed, run_main, NULL);
	totals.runs++;
	totals.messages += machine_counts.messages;
	totals.lost += machine_counts.lost;
	totals.bad_writes += machine_counts.bad_writes;
	totals.seconds += sim_now() / SIM_SECOND;
	machine_stop();
	return !sim_failures();
}
