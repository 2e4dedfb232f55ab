// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Killed at every write: a sequence of commands is run again and again, each time with
 * a disk that fails, dies or loses power at the next moment. Then the card is switched
 * on again, and what it had answered must be there; what it had not, whole or absent.
 *
 *	test-kill		killed at every moment, the other kinds at each seventh
 *	KILL_STRIDE=1 test-kill	every moment of each kind
 */
#include "card.h"

#include <unistd.h>

#include "faults.h"

#define CHALLENGE	"the challenge"

/* The steps of the sequence. Each is seen afterwards by looking at the card. */
enum step {
	STEP_HSM_INIT,
	STEP_PARTITION,
	STEP_PARTITION_INIT,
	STEP_CO,
	STEP_CO_PIN,
	STEP_CREATE,
	STEP_PAIR,
	STEP_CHANGE,
	STEP_DESTROY,
	STEP_CLONE,
	STEP_COLLECT,
	STEP_POLICY,
	STEP_CHALLENGE,
	STEP_ACTIVATE,
	STEP_DEACTIVATE,
	STEP_DELETE_OTHER,
	STEP_COUNT,
};

struct run {
	struct card	*c;
	unsigned int	done;		/* steps that were answered CKR_OK */
	uint32_t	other;		/* a second partition */
	uint32_t	wrong;		/* passwords that were answered as wrong */
};

/* What is cloned from: made once, on a disk that never fails */
static struct card *giver;

static unsigned long simple_bytes(struct card *c, uint32_t op, uint16_t id, const void *p,
				  size_t len, uint32_t channel, uint16_t want, uint8_t **out,
				  size_t *out_len, uint32_t *got_channel)
{
	const uint8_t *data;
	unsigned long rv;
	struct fwmsg m;

	fwmsg_begin(&m, op, 0);
	if (channel)
		fwmsg_u32(&m, PCIEHSM_F_CHANNEL, channel);
	if (id)
		fwmsg_bytes(&m, id, p, len);
	rv = fwmsg_run(&m, c->fw, c->part, CTX_CO);
	if (rv == CKR_OK && want) {
		data = fwmsg_get(&m, want, out_len);
		*out = malloc(*out_len + 1);
		memcpy(*out, data, *out_len);
	}
	if (rv == CKR_OK && got_channel)
		*got_channel = fwmsg_get_u32(&m, PCIEHSM_F_CHANNEL);
	fwmsg_free(&m);
	return rv;
}

/* Objects 50 and 51 come from the giver in one batch. */
static unsigned long clone(struct card *c)
{
	uint8_t *offer = NULL, *hello = NULL, *blob = NULL, ouids[2 * PCIEHSM_OUID_LEN];
	size_t offer_len, hello_len, blob_len;
	uint32_t target, source;
	unsigned long rv;

	ouid_of(ouids, 50);
	ouid_of(ouids + PCIEHSM_OUID_LEN, 51);
	rv = simple_bytes(c, PCIEHSM_OP_CLONE_OFFER, 0, NULL, 0, 0, PCIEHSM_F_OFFER, &offer,
			  &offer_len, &target);
	if (rv != CKR_OK)
		return rv;
	assert_ok(simple_bytes(giver, PCIEHSM_OP_CLONE_START, PCIEHSM_F_OFFER, offer, offer_len,
			       0, PCIEHSM_F_HELLO, &hello, &hello_len, &source));
	rv = simple_bytes(c, PCIEHSM_OP_CLONE_ACCEPT, PCIEHSM_F_HELLO, hello, hello_len, target,
			  0, NULL, NULL, NULL);
	assert_ok(simple_bytes(giver, PCIEHSM_OP_CLONE_EXPORT, PCIEHSM_F_OUIDS, ouids,
			       sizeof(ouids), source, PCIEHSM_F_BLOB, &blob, &blob_len,
			       NULL));
	if (rv == CKR_OK)
		rv = simple_bytes(c, PCIEHSM_OP_CLONE_IMPORT, PCIEHSM_F_BLOB, blob,
				  blob_len, target, 0, NULL, NULL, NULL);
	simple_bytes(giver, PCIEHSM_OP_CLONE_CLOSE, 0, NULL, 0, source, 0, NULL, NULL, NULL);
	free(offer);
	free(hello);
	free(blob);
	return rv;
}

static unsigned long collect(struct card *c)
{
	return simple_bytes(c, PCIEHSM_OP_TOMBSTONES_COLLECT, PCIEHSM_F_SERIALS, NULL, 0, 0, 0,
			    NULL, NULL, NULL);
}

static unsigned long delete_other(struct run *r)
{
	unsigned long rv;
	struct fwmsg m;

	rv = card_partition_create(r->c, CTX_SO, &r->other);
	if (rv != CKR_OK)
		return rv;
	fwmsg_begin(&m, PCIEHSM_OP_PARTITION_DELETE, 0);
	fwmsg_u32(&m, PCIEHSM_F_NUMBER, r->other);
	rv = fwmsg_run(&m, r->c->fw, 0, CTX_SO);
	fwmsg_free(&m);
	return rv;
}

static unsigned long step(struct run *r, enum step s)
{
	struct card *c = r->c;
	unsigned long rv;

	switch (s) {
	case STEP_HSM_INIT:
		rv = card_hsm_init(c, "card", SO_PIN);
		return rv != CKR_OK ? rv : card_login(c, 0, CTX_SO, PCIEHSM_ROLE_SO, SO_PIN);
	case STEP_PARTITION:
		return card_partition_create(c, CTX_SO, &c->part);
	case STEP_PARTITION_INIT:
		rv = card_partition_init(c, c->part, CTX_PO, "par0", PO_PIN, DOMAIN);
		return rv != CKR_OK ? rv :
		       card_login(c, c->part, CTX_PO, PCIEHSM_ROLE_PO, PO_PIN);
	case STEP_CO:
		return card_role_init(c, c->part, CTX_PO, PCIEHSM_ROLE_CO, FIRST_PIN);
	case STEP_CO_PIN:
		rv = card_set_pin(c, c->part, CTX_CO, PCIEHSM_ROLE_CO, FIRST_PIN, CO_PIN);
		if (rv != CKR_OK)
			return rv;
		rv = card_login(c, c->part, 40, PCIEHSM_ROLE_CO, "wrong password");
		if (rv != CKR_PIN_INCORRECT)
			return rv;
		r->wrong++;
		return CKR_OK;
	case STEP_CREATE:
		/* A right password clears the wrong ones, maybe even if that was not answered. */
		r->wrong = 0;
		rv = card_login(c, c->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN);
		if (rv != CKR_OK)
			return rv;
		return card_data(c, CTX_CO, 1, "one", true);
	case STEP_PAIR:
		return card_ec(c, CTX_CO, 10, "pair", true);
	case STEP_CHANGE:
		return card_set_text(c, CTX_CO, 1, CKA_LABEL, "changed");
	case STEP_DESTROY:
		rv = card_data(c, CTX_CO, 2, "two", true);
		return rv != CKR_OK ? rv : card_destroy(c, CTX_CO, 2, 0);
	case STEP_CLONE:
		return clone(c);
	case STEP_COLLECT:
		return collect(c);
	case STEP_POLICY:
		return card_policy(c, c->part, CTX_PO, 20, 7);
	case STEP_CHALLENGE:
		rv = card_policy(c, c->part, CTX_PO, 22, 1);
		if (rv == CKR_OK)
			rv = card_policy(c, c->part, CTX_PO, 23, 1);
		return rv != CKR_OK ? rv :
		       card_set_challenge(c, c->part, 40, PCIEHSM_ROLE_CO, CO_PIN, CHALLENGE);
	case STEP_ACTIVATE:
		return card_login(c, c->part, 40, PCIEHSM_ROLE_CO, CO_PIN);
	case STEP_DEACTIVATE:
		return card_deactivate(c, c->part, CTX_CO, PCIEHSM_ROLE_CO);
	default:
		return delete_other(r);
	}
}

static unsigned int found(struct card *c, const char *label)
{
	unsigned int n;

	assert_ok(card_find(c, CTX_CO, label, &n, NULL));
	return n;
}

static struct pciehsm_role_info role_info(struct card *c, uint32_t role)
{
	struct pciehsm_role_info info[4];
	const uint8_t *p;
	struct fwmsg m;
	size_t len, i;

	fwmsg_begin(&m, PCIEHSM_OP_ROLE_INFO, 0);
	assert_ok(fwmsg_run(&m, c->fw, c->part, 60));
	p = fwmsg_get(&m, PCIEHSM_F_ROLES, &len);
	assert_int_equal(len, sizeof(info));
	memcpy(info, p, len);
	fwmsg_free(&m);
	for (i = 0; info[i].role != role; i++)
		;
	return info[i];
}

static uint32_t role_attempts(struct card *c, uint32_t role)
{
	return role_info(c, role).attempts;
}

static uint32_t tombstones(struct card *c)
{
	struct fwmsg m;
	uint32_t n;

	fwmsg_begin(&m, PCIEHSM_OP_DIGEST, 0);
	assert_ok(fwmsg_run(&m, c->fw, c->part, CTX_CO));
	n = fwmsg_get_u32(&m, PCIEHSM_F_TOMBSTONES);
	fwmsg_free(&m);
	return n;
}

/* The second partition is there while it is being deleted, and not before or after. */
static void check_partitions(struct run *r)
{
	struct hsm_fw_partition list[3];
	unsigned int count = hsm_fw_partitions(r->c->fw, list, 3);

	assert_in_range(count, 1, r->done == STEP_DELETE_OTHER ? 2 : 1);
	assert_int_equal(list[0].number, r->c->part);
}

/* What the policy says is seen where it has its effect. */
static void check_policy(struct card *c, unsigned int done)
{
	uint32_t limit = role_info(c, PCIEHSM_ROLE_CO).limit;

	if (done > STEP_POLICY || (done == STEP_POLICY && limit != 10))
		assert_int_equal(limit, 7);
	else
		assert_int_equal(limit, 10);
}

/* Objects: @done steps were answered, the next one may or may not have happened. */
static void check_objects(struct card *c, unsigned int done)
{
	unsigned int one, changed, pair, two, cloned;

	one = found(c, "one");
	changed = found(c, "changed");
	pair = found(c, "pair");
	two = found(c, "two");
	cloned = found(c, "from afar");
	assert_true(one + changed <= 1);
	if (done > STEP_CREATE)
		assert_int_equal(one + changed, 1);
	else if (done < STEP_CREATE)
		assert_int_equal(one + changed, 0);
	if (done > STEP_CHANGE)
		assert_int_equal(changed, 1);
	/* A pair is whole or absent, and so is a batch. */
	assert_true(pair == 0 || pair == 2);
	assert_true(cloned == 0 || cloned == 2);
	if (done > STEP_PAIR)
		assert_int_equal(pair, 2);
	if (done > STEP_DESTROY)
		assert_int_equal(two, 0);
	if (done > STEP_CLONE)
		assert_int_equal(cloned, 2);
	if (done < STEP_CLONE)
		assert_int_equal(cloned, 0);
	/* The one of what was destroyed stays until it is collected, and not longer. */
	if (done > STEP_COLLECT || done < STEP_DESTROY)
		assert_int_equal(tombstones(c), 0);
	else if (done > STEP_DESTROY && done < STEP_COLLECT)
		assert_int_equal(tombstones(c), 1);
	else
		assert_in_range(tombstones(c), 0, 1);
}

/* The challenge: what was answered holds, what was not is so or not, and no attempt is lost. */
static void check_challenge(struct card *c, unsigned int done)
{
	uint32_t before = role_attempts(c, PCIEHSM_ROLE_CO);
	unsigned long rv = card_login(c, c->part, 41, PCIEHSM_ROLE_CO, CHALLENGE);

	if (done < STEP_CHALLENGE || (done == STEP_CHALLENGE && rv == CKR_PIN_INCORRECT)) {
		assert_rv(rv, CKR_PIN_INCORRECT);
		return;
	}
	assert_int_equal(role_attempts(c, PCIEHSM_ROLE_CO), before);
	if (rv != CKR_OK || (done != STEP_ACTIVATE && done != STEP_DEACTIVATE))
		assert_rv(rv, PCIEHSM_CKR_NOT_ACTIVATED);
}

static void check(struct run *r)
{
	struct card *c = r->c;
	unsigned long rv;
	uint32_t attempts;

	rv = card_login(c, 0, CTX_SO, PCIEHSM_ROLE_SO, SO_PIN);
	if (r->done > STEP_HSM_INIT)
		assert_ok(rv);
	if (r->done <= STEP_PARTITION)
		return;
	check_partitions(r);
	rv = card_login(c, c->part, CTX_PO, PCIEHSM_ROLE_PO, PO_PIN);
	if (r->done > STEP_PARTITION_INIT)
		assert_ok(rv);
	if (r->done <= STEP_CO)
		return;
	/* Wrong passwords that were told are not forgotten. */
	check_policy(c, r->done);
	attempts = role_attempts(c, PCIEHSM_ROLE_CO);
	assert_true(attempts <= 10 - r->wrong);
	if (r->done > STEP_CO_PIN)
		check_challenge(c, r->done);
	rv = card_login(c, c->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN);
	if (r->done > STEP_CO_PIN)
		assert_ok(rv);
	if (rv != CKR_OK) {
		assert_ok(card_login(c, c->part, CTX_CO, PCIEHSM_ROLE_CO, FIRST_PIN));
		return;
	}
	check_objects(c, r->done);
	/* And it works: the rest of the sequence can be done. */
	assert_ok(card_data(c, CTX_CO, 90, "afterwards", true));
	assert_ok(card_destroy(c, CTX_CO, 90, 0));
}

/* Returns how many moments there were; 0: the chosen one did not come any more. */
static unsigned int run_once(enum fault kind, unsigned int at)
{
	struct run r = { .c = card_new_durable(6000) };
	unsigned int moments;
	enum step s;

	faults_arm(kind, at);
	for (s = 0; s < STEP_COUNT; s++) {
		if (step(&r, s) != CKR_OK)
			break;
		r.done = s + 1;
	}
	moments = faults_moments();
	if (!faults_happened()) {
		assert_int_equal(r.done, STEP_COUNT);
		moments = kind == FAULT_NONE ? moments : 0;
	}
	if (kind == FAULT_ERROR && r.done < STEP_COUNT && r.done > STEP_CREATE) {
		/* It failed once: the card goes on, with nothing half in its memory either. */
		check_objects(r.c, r.done);
	}
	hsm_fw_close(r.c->fw);
	faults_arm(FAULT_NONE, 0);
	assert_int_equal(hsm_fw_open(&r.c->config, &r.c->fw, (char[256]){ 0 }, 256), 0);
	check(&r);
	card_free(r.c);
	return moments;
}

/* Each @stride-th moment, until there was none any more */
static void every_moment(enum fault kind, const char *name, unsigned int stride)
{
	const char *text = getenv("KILL_STRIDE");
	unsigned int first, at, count = 0;

	if (text && atoi(text) > 0)
		stride = (unsigned int)atoi(text);
	/* Not always the same ones, but all of them in the long run; said if it fails. */
	first = 1 + (unsigned int)getpid() % stride;
	for (at = first; run_once(kind, at); at += stride)
		count++;
	print_message("# %s: %u moments, 1 of %u, from %u on\n", name, count, stride, first);
	assert_true(count > 150 / stride);
}

static void test_error(void **state)
{
	(void)state;
	every_moment(FAULT_ERROR, "a write that fails", 7);
}

static void test_kill(void **state)
{
	(void)state;
	every_moment(FAULT_KILL, "killed", 1);
}

static void test_torn(void **state)
{
	(void)state;
	every_moment(FAULT_TORN, "killed within a write", 7);
}

static void test_power(void **state)
{
	(void)state;
	every_moment(FAULT_POWER, "power lost", 7);
}

static int setup(void **state)
{
	uint32_t n;

	(void)state;
	faults_install();
	giver = card_ready(6001, DOMAIN);
	for (n = 50; n < 52; n++)
		assert_ok(card_data(giver, CTX_CO, n, "from afar", true));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	card_free(giver);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_kill),
		cmocka_unit_test(test_torn),
		cmocka_unit_test(test_power),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
