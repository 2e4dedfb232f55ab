// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs whose course a seed decides: a few processes work with a group of two to five
 * members, while members die, hang, are reset, lose messages, fail to write, lose power in a
 * write, come back, come back in an old state, are initialised anew and replaced; processes are killed; the configuration is edited. Then everything is
 * mended, the engines get time, and what has to hold is checked (check.c).
 *
 * A kind run always leaves one member alone that has been well for a while, and then
 * no call may fail. A cruel one does not; then calls may fail, but what was
 * acknowledged must hold all the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"

/* A member that has been well for so long is known to be well by every process. */
#define SETTLE		(25 * SIM_SECOND)
#define HANG_MAX	8
#define CLIENTS_MAX	3
#define FIBERS_EACH	2

struct world world;
struct random_totals totals;
struct random_shape shape = { .seconds = RUN_SECONDS };

struct client {
	struct process	process;
	struct fiber	*fibers[FIBERS_EACH];
	bool		threads;	/* its engine works in the background */
	bool		running;	/* not killed */
	bool		done;		/* all of its calls have returned */
	unsigned int	life;
};

struct worker {
	struct client	*client;
	unsigned int	index;
	uint32_t	session;
};

static struct client clients[CLIENTS_MAX];
static unsigned int n_clients;
static struct process admin;
static bool cruel, over;
static uint64_t well_since[CARDS_MAX];	/* SIM_FOREVER: something is wrong with it */
static bool listed[CARDS_MAX];
static unsigned int wrong_logins;
static uint64_t emptied_at;
static uint64_t last_emptied;		/* in whatever way */
static uint64_t copies_settled_at;	/* since when the copies wanted are as they are */

/* ---- things ---- */

static struct thing *new_thing(enum kind kind, int process)
{
	struct thing *thing;

	if (world.n_things == THINGS_MAX)
		return NULL;
	thing = &world.things[world.n_things];
	memset(thing, 0, sizeof(*thing));
	thing->kind = kind;
	thing->process = process;
	snprintf(thing->label, sizeof(thing->label), "thing %u", world.n_things++);
	return thing;
}

static struct thing *some_thing(enum kind kind)
{
	unsigned int i, at;

	if (!world.n_things)
		return NULL;
	at = sim_random(world.n_things);
	for (i = 0; i < world.n_things; i++) {
		struct thing *thing = &world.things[(at + i) % world.n_things];

		if (thing->acked && !thing->destroyed && (kind == ANY || thing->kind == kind))
			return thing;
	}
	return NULL;
}

/* ---- calls ---- */

/* May this call on this thing have failed? */
static bool excused(const struct thing *thing, CK_RV rv)
{
	if (cruel)
		return true;
	if (!thing)
		return false;
	if (thing->destroying)
		return rv == CKR_OBJECT_HANDLE_INVALID || rv == CKR_KEY_HANDLE_INVALID ||
		       rv == CKR_DEVICE_ERROR;
	return thing->exempt;
}

static void called(const char *what, const struct thing *thing, uint64_t begun, CK_RV rv)
{
	uint64_t took = sim_now() - begun;

	totals.calls++;
	if (took > totals.longest_us)
		totals.longest_us = took;
	sim_log("%s %s: %s, %.3f s", what, thing ? thing->label : "", pciehsm_rv_name(rv),
		(double)took / 1e6);
	if (rv == CKR_OK || excused(thing, rv))
		return;
	/* Nobody failed: there were too few members for the copies that are wanted. */
	if (rv == PCIEHSM_CKR_COPIES && thing && thing->creating && world.mincopies_ever)
		return;
	sim_fail("%s %s gives %s", what, thing ? thing->label : "", pciehsm_rv_name(rv));
}

static bool all_present(void)
{
	unsigned int i;

	for (i = 0; i < world.n_cards; i++)
		if (!machine_present(i))
			return false;
	return true;
}

static void create_thing(struct worker *w)
{
	static const enum kind kinds[] = { PAIR, AES, DATA, DATA };
	struct process *p = &w->client->process;
	struct thing *thing = new_thing(kinds[sim_random(4)], p->number);
	unsigned int copies = world.mincopies;
	uint64_t begun = sim_now();
	unsigned char point[80];
	size_t len;
	CK_RV rv;

	if (!thing)
		return;
	thing->life = w->client->life;
	thing->creating = true;
	if (thing->kind == PAIR)
		rv = make_pair(p, w->session, thing->label, true, &thing->ouid[0],
			       &thing->ouid[1]);
	else if (thing->kind == AES)
		rv = make_aes(p, w->session, thing->label, true, &thing->ouid[0]);
	else
		rv = make_data(p, w->session, thing->label, true, &thing->ouid[0]);
	called("create", thing, begun, rv);
	thing->creating = false;
	if (rv != CKR_OK) {
		thing->failed = true;
		return;
	}
	totals.objects++;
	thing->acked = true;
	thing->acked_at = sim_now();
	/* Nothing was emptied meanwhile, and the setting is older than any engine needs to see it. */
	if (copies > 1 && copies == world.mincopies && copies_settled_at + SETTLE < begun &&
	    last_emptied < begun && all_present() && copies_of(thing) < copies)
		sim_fail("%s has too few copies", thing->label);
	/* What was acknowledged is on the cards now, if all can be looked at. */
	if (all_present())
		thing->point_len = look_at_key(thing, thing->point);
	if (thing->kind != PAIR)
		return;
	begun = sim_now();
	rv = get_point(p, w->session, &thing->ouid[0], point, &len);
	called("get point", thing, begun, rv);
	if (rv == CKR_OK && thing->point_len &&
	    (len != thing->point_len || memcmp(point, thing->point, len)))
		sim_fail("%s has another public key than was made", thing->label);
}

static void destroy_thing(struct worker *w)
{
	struct thing *thing = some_thing(ANY);
	struct process *p = &w->client->process;
	unsigned int i, n;
	uint64_t begun = sim_now();
	CK_RV rv = CKR_OK;

	/* What others made only now and then: so that most live for a while. */
	if (!thing || (thing->process != p->number && !sim_chance(4)))
		return;
	thing->destroying = true;
	n = thing->kind == PAIR ? 2 : 1;
	for (i = 0; i < n && rv == CKR_OK; i++)
		rv = ha_destroy(p->token, w->session, &thing->ouid[i]);
	called("destroy", thing, begun, rv);
	if (rv == CKR_OK)
		thing->destroyed = true;
}

static void change_thing(struct worker *w)
{
	struct thing *thing = some_thing(sim_chance(2) ? PAIR : AES);
	struct process *p = &w->client->process;
	unsigned char value[3];
	CK_ATTRIBUTE attr = { CKA_ID, value, sizeof(value) };
	uint64_t begun = sim_now();
	CK_RV rv;

	if (!thing)
		return;
	sim_fill(value, sizeof(value));
	rv = ha_set_attributes(p->token, w->session, &thing->ouid[0], &attr, 1);
	called("change", thing, begun, rv);
}

static void sign(struct worker *w)
{
	struct thing *thing = some_thing(PAIR);
	bool verified = true;
	uint64_t begun = sim_now();
	CK_RV rv;

	if (!thing || !thing->point_len)
		return;
	rv = sign_and_verify(&w->client->process, w->session, &thing->ouid[1], thing->point,
			     thing->point_len, &verified);
	called("sign", thing, begun, rv);
	/* A name never means two keys, whatever was lost. */
	if (rv == CKR_OK && !verified)
		sim_fail("a signature by %s is not its key's", thing->label);
}

static void encrypt(struct worker *w)
{
	struct thing *thing = some_thing(AES);
	uint64_t begun = sim_now();
	unsigned char block[16];
	CK_RV rv;

	if (!thing)
		return;
	rv = encrypt_parts(&w->client->process, w->session, &thing->ouid[0]);
	called("encrypt", thing, begun, rv);
	if (rv != CKR_OK || !thing->point_len)
		return;
	begun = sim_now();
	rv = encrypt_nothing(&w->client->process, w->session, &thing->ouid[0], block);
	called("encrypt", thing, begun, rv);
	if (rv == CKR_OK && memcmp(block, thing->point, sizeof(block)))
		sim_fail("what %s encrypts is not its key's", thing->label);
}

static void find(struct worker *w)
{
	struct thing *thing = some_thing(ANY);
	struct process *p = &w->client->process;
	struct ha_ouid *list;
	CK_ULONG count, want;
	CK_ATTRIBUTE attr;
	uint64_t begun = sim_now();
	CK_RV rv;

	if (!thing)
		return;
	attr = (CK_ATTRIBUTE){ CKA_LABEL, thing->label, strlen(thing->label) };
	rv = ha_find(p->token, w->session, &attr, 1, &list, &count);
	called("find", thing, begun, rv);
	if (rv != CKR_OK)
		return;
	free(list);
	want = thing->kind == PAIR ? 2 : 1;
	/* What a lost attempt has left may be seen until its member is compared. */
	if (count > want && sim_now() > thing->acked_at + SETTLE && !cruel)
		sim_fail("%s is there %lu times", thing->label, count);
	/*
	 * What this process has made is found by it at once; but for the moment that the
	 * news takes of a member that was emptied in its place. Without threads
	 * that is until somebody calls.
	 */
	if (count < want && sim_now() > emptied_at + 50000 && (w->client->threads || !emptied_at) && !thing->destroying && !thing->exempt && !cruel &&
	    thing->process == p->number && thing->life == w->client->life)
		sim_fail("%s was made here and is not found", thing->label);
}

static void use_session_object(struct worker *w)
{
	struct process *p = &w->client->process;
	struct ha_ouid pub, priv;
	unsigned char point[80];
	bool verified = true;
	size_t len;
	uint64_t begun = sim_now();
	unsigned int i;
	CK_RV rv;

	rv = make_pair(p, w->session, "of a session", false, &pub, &priv);
	called("create for session", NULL, begun, rv);
	if (rv == CKR_OK)
		rv = get_point(p, w->session, &pub, point, &len);
	for (i = 0; i < 3 && rv == CKR_OK && verified; i++) {
		begun = sim_now();
		rv = sign_and_verify(p, w->session, &priv, point, len, &verified);
		called("sign in session", NULL, begun, rv);
		sim_sleep(sim_random(2000000));
	}
	if (rv == CKR_OK && !verified)
		sim_fail("a session key has changed");
	ha_session_close(p->token, w->session);
}

static void work(struct worker *w)
{
	switch (sim_random(32)) {
	case 0 ... 6:
		create_thing(w);
		break;
	case 7 ... 9:
		destroy_thing(w);
		break;
	case 10 ... 13:
		change_thing(w);
		break;
	case 14 ... 21:
		sign(w);
		break;
	case 22 ... 24:
		encrypt(w);
		break;
	case 25 ... 29:
		find(w);
		break;
	default:
		use_session_object(w);
		break;
	}
}

static void worker_main(void *arg)
{
	struct worker w = *(struct worker *)arg;

	free(arg);
	while (!over) {
		work(&w);
		/* Bursts, and pauses that let time pass. */
		sim_sleep(sim_chance(3) ? sim_random(4000000) : sim_random(20000));
	}
}

static void client_main(void *arg)
{
	struct client *c = arg;
	struct process *p = &c->process;
	uint64_t begun;
	unsigned int i;
	CK_RV rv;

	c->threads = !sim_chance(6);
	process_start(p, p->number, c->threads ? 0 : HA_OPEN_NO_THREADS);
	if (sim_chance(6)) {
		wrong_logins++;
		rv = ha_login(p->token, PCIEHSM_ROLE_CO, WRONG_PIN, strlen(WRONG_PIN), NULL);
		if (rv == CKR_OK || (rv != CKR_PIN_INCORRECT && !cruel))
			sim_fail("login with a wrong password: %s", pciehsm_rv_name(rv));
	}
	do {
		begun = sim_now();
		rv = ha_login(p->token, PCIEHSM_ROLE_CO, CO_PIN, strlen(CO_PIN), NULL);
		/*
		 * Its answer was lost while somebody else's wrong one was counted there: nobody can
		 * tell these apart. It is right when it is tried again.
		 */
		if (rv != CKR_PIN_INCORRECT || !wrong_logins)
			called("login", NULL, begun, rv);
		if (rv != CKR_OK)
			sim_sleep(SIM_SECOND);
	} while (rv != CKR_OK && !over);
	for (i = 0; i < FIBERS_EACH; i++) {
		struct worker *w = calloc(1, sizeof(*w));

		w->client = c;
		w->index = i;
		w->session = 1 + i;
		c->fibers[i] = sim_spawn(p->number, worker_main, w);
	}
	for (i = 0; i < FIBERS_EACH; i++)
		sim_join(c->fibers[i]);
	c->done = true;
}

/* ---- faults ---- */

static bool is_well(unsigned int card)
{
	return listed[card] && well_since[card] != SIM_FOREVER &&
	       well_since[card] + SETTLE <= sim_now();
}

/* Somebody else has to stay well. */
static bool may_hit(unsigned int victim)
{
	unsigned int i;

	if (cruel)
		return true;
	for (i = 0; i < world.n_cards; i++)
		if (i != victim && is_well(i))
			return true;
	return false;
}

static void is_ill(unsigned int card)
{
	totals.faults++;
	well_since[card] = SIM_FOREVER;
}

static int edit_members(struct ha_config *config, void *arg)
{
	struct ha_config_group *group = &config->groups[0];
	unsigned int i, k, n = 0;

	(void)arg;
	group->n_members = 0;
	for (k = 0; k < world.n_cards; k++) {
		i = world.reverse ? world.n_cards - 1 - k : k;
		if (!listed[i])
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
	int err = ha_config_edit(admin.ha, edit_members, NULL, error, sizeof(error));

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
	last_emptied = SIM_FOREVER;
	if (same_serial) {
		machine_empty(card);
		emptied_at = sim_now();
	} else {
		machine_reinit(card);
		sim_sleep(sim_random(5000000));
		write_members();
	}
	last_emptied = sim_now();
	well_since[card] = sim_now();
}

static void pull(unsigned int card)
{
	is_ill(card);
	machine_pull(card);
	sim_sleep(sim_random(20000000));
	machine_return(card);
	well_since[card] = sim_now();
}

static void hang(unsigned int card)
{
	uint64_t length = 1 + sim_random(HANG_MAX * 1000000);

	is_ill(card);
	machine_hang(card, sim_now() + length, sim_chance(2));
	sim_sleep(length);
	machine_unhang(card);
	well_since[card] = sim_now();
}

static void lose_messages(unsigned int card)
{
	is_ill(card);
	machine_faulty(card, 2 + sim_random(8));
	sim_sleep(sim_random(5000000));
	machine_faulty(card, 0);
	well_since[card] = sim_now();
}

static void fail_writes(unsigned int card)
{
	is_ill(card);
	machine_bad_writes(card, 1 + sim_random(8));
	sim_sleep(sim_random(10000000));
	machine_bad_writes(card, 0);
	well_since[card] = sim_now();
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
	well_since[card] = sim_now();
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
	last_emptied = SIM_FOREVER;
	totals.backs++;
	machine_go_back(card);
	sim_sleep(sim_random(20000000));
	machine_return(card);
	last_emptied = sim_now();
	well_since[card] = sim_now();
}

static void set_copies(unsigned int copies)
{
	world.mincopies = copies;
	world.mincopies_ever |= copies > 1;
	copies_settled_at = sim_now();
}

/* What takes no member away: who works, and what a new object needs */
static void change_settings(unsigned int card)
{
	unsigned int i, n = 0;

	for (i = 0; i < world.n_cards; i++)
		n += listed[i];
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
		others += i != card && listed[i];
	if (!others || !all_present())
		return;
	/* What only this member has is not lost, but not the group's any more. */
	is_ill(card);
	listed[card] = false;
	/* No more than there are members, so that this is no change of the copies wanted. */
	if (world.mincopies > others)
		set_copies(others);
	write_members();
	sim_sleep(sim_random(20000000));
	listed[card] = true;
	write_members();
	well_since[card] = sim_now();
}

static void start_client(struct client *c)
{
	memset(c->fibers, 0, sizeof(c->fibers));
	c->running = true;
	c->done = false;
	c->life++;
	sim_spawn(c->process.number, client_main, c);
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
	if (!over)
		start_client(c);
}

static void administer(void)
{
	static struct ha_group_status status;
	struct ha_sync_report report;
	char error[256];
	CK_RV rv;

	if (sim_chance(2)) {
		ha_group_status(admin.ha, GROUP_LABEL, &status);
		return;
	}
	rv = ha_group_synchronize(admin.ha, GROUP_LABEL, CO_PIN, strlen(CO_PIN), &report, NULL,
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
		well_since[card] = sim_now();
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
static void trouble_main(void *arg)
{
	unsigned int card;

	(void)arg;
	while (!over) {
		sim_sleep(500000 + sim_random(8000000));
		card = sim_random(world.n_cards);
		if (over || well_since[card] == SIM_FOREVER || !machine_present(card) ||
		    !may_hit(card) || !trouble_comes())
			continue;
		one_fault(card);
	}
}

static void killer_main(void *arg)
{
	(void)arg;
	while (!over) {
		sim_sleep(5000000 + sim_random(40000000));
		if (!over && n_clients > 1 && trouble_comes())
			kill_client(&clients[sim_random(n_clients)]);
		if (!over && sim_chance(3) && trouble_comes())
			administer();
	}
}

/* ---- a run ---- */

static void wait_for_clients(void)
{
	unsigned int i;
	uint64_t deadline = sim_now() + 120 * SIM_SECOND;
	bool busy;

	do {
		sim_sleep(SIM_SECOND);
		busy = false;
		for (i = 0; i < n_clients; i++)
			busy |= clients[i].running && !clients[i].done;
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
		for (k = 0; k < n_clients; k++)
			if (clients[k].running && !clients[k].threads)
				ha_random(clients[k].process.token, byte, sizeof(byte));
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
	unsigned int i, n_troubles = cruel ? 2 : 1;

	(void)arg;
	process_start(&admin, CLIENTS_MAX + 1, HA_OPEN_ADMIN);
	for (i = 0; i < n_clients; i++) {
		clients[i].process.number = (int)i + 1;
		start_client(&clients[i]);
	}
	for (i = 0; i < n_troubles; i++)
		troubles[i] = sim_spawn(0, trouble_main, NULL);
	killer = sim_spawn(0, killer_main, NULL);
	sim_sleep(shape.seconds * SIM_SECOND);
	over = true;
	for (i = 0; i < n_troubles; i++)
		sim_join(troubles[i]);
	sim_join(killer);
	wait_for_clients();
	settle();
	totals.untold += machine_counts.untold;
	if (machine_counts.refused > wrong_logins + machine_counts.untold)
		sim_fail("%llu attempts were burnt by %u wrong passwords",
			 (unsigned long long)machine_counts.refused, wrong_logins);
	for (i = 0; i < n_clients; i++)
		if (clients[i].running && clients[i].process.ha)
			process_stop(&clients[i].process);
	process_stop(&admin);
}

bool random_run(uint64_t seed)
{
	unsigned int i;

	memset(&world, 0, sizeof(world));
	memset(clients, 0, sizeof(clients));
	/* The shape of the run is of the seed, too. */
	world.n_cards = 2 + (unsigned int)(seed % 4);
	n_clients = 1 + (unsigned int)(seed / 4 % CLIENTS_MAX);
	cruel = seed % 5 == 4;
	world.standby = CARDS_MAX;
	/* Of two equal counters the greater serial wins: the first member has it, or the last. */
	world.reverse = seed / 2 % 2;
	over = false;
	wrong_logins = 0;
	emptied_at = 0;
	last_emptied = 0;
	copies_settled_at = 0;
	shape.troubles = 0;
	simenv_reset();
	machine_start(world.n_cards);
	for (i = 0; i < CARDS_MAX; i++) {
		well_since[i] = 0;
		listed[i] = i < world.n_cards;
	}
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
