// SPDX-License-Identifier: GPL-2.0-or-later
/* What applications do in a run by seed, and what they may find. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"

/* No call may take longer, whatever happens. */
#define CALL_MAX	(20 * SIM_SECOND)

struct worker {
	struct client	*client;
	unsigned int	index;
	uint32_t	session;
};

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
	if (run.cruel)
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
	/* Each member is tried a few times at most, and each message has its time-out. */
	if (took > CALL_MAX)
		sim_fail("%s %s comes to no end", what, thing ? thing->label : "");
	if (rv == CKR_OK || excused(thing, rv))
		return;
	/* Nobody failed: there were too few members for the copies that are wanted. */
	if (rv == PCIEHSM_CKR_COPIES && thing && thing->creating && world.mincopies_ever)
		return;
	sim_fail("%s %s gives %s", what, thing ? thing->label : "", pciehsm_rv_name(rv));
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
	if (copies > 1 && copies == world.mincopies && run.copies_settled_at + SETTLE < begun &&
	    run.last_emptied < begun && all_present() && copies_of(thing) < copies)
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
	if (count > want && sim_now() > thing->acked_at + SETTLE && !run.cruel)
		sim_fail("%s is there %lu times", thing->label, count);
	/*
	 * What this process has made is found by it at once; but for the moment that the
	 * news takes of a member that was emptied in its place. Without threads
	 * that is until somebody calls.
	 */
	if (count < want && sim_now() > run.emptied_at + 50000 &&
	    (w->client->threads || !run.emptied_at) && !thing->destroying && !thing->exempt &&
	    !run.cruel && thing->process == p->number && thing->life == w->client->life)
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
	while (!run.over) {
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
		run.wrong_logins++;
		rv = ha_login(p->token, PCIEHSM_ROLE_CO, WRONG_PIN, strlen(WRONG_PIN), NULL);
		if (rv == CKR_OK || (rv != CKR_PIN_INCORRECT && !run.cruel))
			sim_fail("login with a wrong password: %s", pciehsm_rv_name(rv));
	}
	do {
		begun = sim_now();
		rv = ha_login(p->token, PCIEHSM_ROLE_CO, CO_PIN, strlen(CO_PIN), NULL);
		/*
		 * Its answer was lost while somebody else's wrong one was counted there: nobody can
		 * tell these apart. It is right when it is tried again.
		 */
		if (rv != CKR_PIN_INCORRECT || !run.wrong_logins)
			called("login", NULL, begun, rv);
		if (rv != CKR_OK)
			sim_sleep(SIM_SECOND);
	} while (rv != CKR_OK && !run.over);
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

void start_client(struct client *c)
{
	memset(c->fibers, 0, sizeof(c->fibers));
	c->running = true;
	c->done = false;
	c->life++;
	sim_spawn(c->process.number, client_main, c);
}
