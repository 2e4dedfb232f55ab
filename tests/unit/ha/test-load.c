// SPDX-License-Identifier: GPL-2.0-or-later
/* Who gets the work; and eight threads that work while members are lost under them. */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define THREADS		8
#define ROUNDS		20

static uint64_t signatures_on(const char *serial)
{
	struct pciehsm_bus *bus = loopback_bus(lb);
	struct pciehsm_transport *t = cards_open(bus, serial);
	struct pciehsm_partition_info info;

	OK(pciehsm_partition_info(t, &info));
	t->ops->close(t);
	bus->ops->close(bus);
	return info.stats[PCIEHSM_STAT_SIGN];
}

static void work_is_shared(void **state)
{
	struct ha_ouid pub, priv;
	int i;

	(void)state;
	login();
	OK(ec_pair(1, "a", &pub, &priv));
	for (i = 0; i < 100; i++)
		OK(sign_with(1, &priv));
	assert_int_equal(signatures_on(PARTITION_A), 50);
	assert_int_equal(signatures_on(PARTITION_B), 50);
}

/* ---- the busy one gets less ---- */

static enum loopback_fault slow_card(void *arg, const char *serial, uint32_t op)
{
	(void)arg;
	if (op == PCIEHSM_OP_CRYPT && !strcmp(serial, PARTITION_A))
		usleep(20000);
	return LOOPBACK_WORKS;
}

struct thread {
	pthread_t	id;
	unsigned int	number;
	struct ha_ouid	priv;
	unsigned int	rounds;
	CK_RV		rv;
};

static void *sign_rounds(void *arg)
{
	struct thread *self = arg;
	unsigned int i;

	for (i = 0; i < self->rounds && self->rv == CKR_OK; i++)
		self->rv = sign_with(self->number, &self->priv);
	return NULL;
}

static void busy_member_gets_less(void **state)
{
	struct thread threads[4];
	struct ha_ouid pub, priv;
	unsigned int i;

	(void)state;
	login();
	OK(ec_pair(1, "a", &pub, &priv));
	loopback_set_filter(lb, slow_card, NULL);
	for (i = 0; i < 4; i++) {
		threads[i] = (struct thread){ .number = i + 1, .priv = priv, .rounds = 100 };
		pthread_create(&threads[i].id, NULL, sign_rounds, &threads[i]);
	}
	for (i = 0; i < 4; i++)
		pthread_join(threads[i].id, NULL);
	loopback_set_filter(lb, NULL, NULL);
	for (i = 0; i < 4; i++)
		OK(threads[i].rv);
	assert_true(signatures_on(PARTITION_B) > 3 * signatures_on(PARTITION_A));
}

/* ---- losing members under load ---- */

static atomic_bool stop;
static atomic_uint failed;
static atomic_ullong calls;
static _Atomic CK_RV failure;
/* When a call was last answered by a member, and the longest single call */
static _Atomic uint64_t longest;
static struct ha_ouid shared_key;
/* Keys of sessions are on each member once; who is reset needs a moment to get them back. */
static bool token_keys;

static void note(CK_RV rv, uint64_t begun)
{
	uint64_t took = now_ms() - begun, before = longest;

	while (took > before && !atomic_compare_exchange_weak(&longest, &before, took))
		;
	atomic_fetch_add(&calls, 1);
	if (rv != CKR_OK) {
		failure = rv;
		atomic_fetch_add(&failed, 1);
	}
}

static CK_RV encrypt_parts(uint32_t session, const struct ha_ouid *key)
{
	unsigned char iv[16] = { 0 }, block[64] = { 0 }, out[256];
	CK_MECHANISM mech = { CKM_AES_CBC_PAD, iv, sizeof(iv) };
	size_t len;
	CK_RV rv;
	int i;

	rv = ha_crypt_init(token, session, PCIEHSM_FN_ENCRYPT, &mech, key);
	for (i = 0; i < 4 && rv == CKR_OK; i++) {
		len = sizeof(out);
		rv = ha_crypt_update(token, session, PCIEHSM_FN_ENCRYPT, block, sizeof(block), out,
				     &len);
	}
	len = sizeof(out);
	return rv == CKR_OK ? ha_crypt_final(token, session, PCIEHSM_FN_ENCRYPT, NULL, 0, out,
					     &len) : rv;
}

static void *work(void *arg)
{
	struct thread *self = arg;
	struct ha_ouid pub, priv, key;
	uint64_t begun;
	CK_RV rv;
	int i;

	note(aes_key(self->number, token_keys, &key), now_ms());
	while (!stop) {
		for (i = 0; i < 20 && !stop; i++) {
			begun = now_ms();
			note(sign_with(self->number, &shared_key), begun);
		}
		begun = now_ms();
		note(encrypt_parts(self->number, &key), begun);
		begun = now_ms();
		rv = ec_pair(self->number, "short-lived", &pub, &priv);
		note(rv, begun);
		if (rv != CKR_OK)
			continue;
		begun = now_ms();
		note(sign_with(self->number, &priv), begun);
		note(ha_destroy(token, self->number, &priv), now_ms());
		note(ha_destroy(token, self->number, &pub), now_ms());
	}
	ha_session_close(token, self->number);
	return NULL;
}

static void begin_load(struct thread *threads)
{
	struct ha_ouid pub;
	unsigned int i;

	login();
	OK(ec_pair(1, "shared", &pub, &shared_key));
	stop = false;
	failed = 0;
	calls = 0;
	longest = 0;
	for (i = 0; i < THREADS; i++) {
		threads[i].number = i + 1;
		pthread_create(&threads[i].id, NULL, work, &threads[i]);
	}
}

static void end_load(struct thread *threads)
{
	unsigned int i;

	stop = true;
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i].id, NULL);
	print_message("# %llu calls, the longest %llu ms\n", (unsigned long long)calls,
		      (unsigned long long)longest);
	if (failed)
		fail_msg("%u calls failed: %s", failed, pciehsm_rv_name(failure));
}

static bool is_equal(void)
{
	struct ha_group_status *status = calloc(1, sizeof(*status));
	bool equal;

	assert_int_equal(ha_group_status(ha, GROUP_LABEL, status), 0);
	equal = !status->needs_sync && status->members[0].state == HA_MEMBER_ALIVE &&
		status->members[1].state == HA_MEMBER_ALIVE;
	free(status);
	return equal;
}

/*
 * Both members there, up to date, and told so to the scheduler: the other may be lost now.
 * Who gives up ends the threads first: they work with what a failed test takes away.
 */
static void wait_until_both_work(struct thread *threads)
{
	uint64_t end = now_ms() + 120000, a = signatures_on(PARTITION_A),
		 b = signatures_on(PARTITION_B);

	while (signatures_on(PARTITION_A) == a || signatures_on(PARTITION_B) == b) {
		if (now_ms() >= end) {
			end_load(threads);
			fail_msg("a member does no work");
		}
		usleep(1000);
	}
}

static void members_are_pulled_out(void **state)
{
	struct thread threads[THREADS];
	unsigned long long before;
	uint64_t begun, worst = 0;
	int i;

	(void)state;
	token_keys = false;
	begin_load(threads);
	for (i = 0; i < ROUNDS; i++) {
		wait_until_both_work(threads);
		loopback_pull(lb, i % 2 ? CARD_A : CARD_B);
		begun = now_ms();
		before = calls;
		while (calls == before)
			usleep(200);
		if (now_ms() - begun > worst)
			worst = now_ms() - begun;
		usleep(20000);
		loopback_return(lb, i % 2 ? CARD_A : CARD_B);
	}
	wait_until_both_work(threads);
	end_load(threads);
	print_message("# next success after at most %llu ms\n", (unsigned long long)worst);
	for (i = 0; i < 100 && !is_equal(); i++)
		usleep(100000);
	assert_true(is_equal());
}

static void cards_are_reset(void **state)
{
	struct thread threads[THREADS];
	int i;

	(void)state;
	token_keys = true;
	begin_load(threads);
	for (i = 0; i < ROUNDS; i++) {
		wait_until_both_work(threads);
		loopback_reset(lb, i % 2 ? CARD_A : CARD_B);
		usleep(50000);
	}
	end_load(threads);
	for (i = 0; i < 100 && !is_equal(); i++)
		usleep(100000);
	assert_true(is_equal());
}

static void member_hangs(void **state)
{
	struct thread threads[THREADS];
	int i;

	(void)state;
	token_keys = false;
	loopback_set_hang_ms(lb, 500);
	begin_load(threads);
	for (i = 0; i < 3; i++) {
		wait_until_both_work(threads);
		loopback_set_fault(lb, CARD_A, i % 2 ? LOOPBACK_HANGS : LOOPBACK_HANGS_AFTER);
		usleep(1500000);
		loopback_set_fault(lb, CARD_A, LOOPBACK_WORKS);
	}
	wait_until_both_work(threads);
	end_load(threads);
	for (i = 0; i < 100 && !is_equal(); i++)
		usleep(100000);
	assert_true(is_equal());
}

/* The one that stays has room for few channels, and each return takes a new one. */
static void member_returns_often(void **state)
{
	struct ha_ouid key;
	int i, k;

	(void)state;
	login();
	for (i = 0; i < 70; i++) {
		loopback_pull(lb, CARD_B);
		OK(aes_key(1, true, &key));
		loopback_return(lb, CARD_B);
		for (k = 0; k < 200 && !is_equal(); k++)
			usleep(20000);
		if (k == 200)
			fail_msg("not brought up to date after return %d", i + 1);
	}
}

/* ---- a creation that was reported as failed ---- */

static enum loopback_fault lost_with_the_answer(void *arg, const char *serial, uint32_t op)
{
	(void)arg;
	(void)serial;
	return op == PCIEHSM_OP_GENERATE_KEY ? LOOPBACK_PULLED_AFTER : LOOPBACK_WORKS;
}

static CK_ULONG secret_keys(void)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	const CK_ATTRIBUTE attr = { CKA_CLASS, &class, sizeof(class) };
	struct ha_ouid *list;
	CK_ULONG n;

	OK(ha_find(token, 1, &attr, 1, &list, &n));
	free(list);
	return n;
}

static void basic_recovery(void)
{
	struct ha_config *config;
	enum ha_recovery_mode mode;
	int i;

	write_config("{ \"version\": 1, \"recovery_mode\": \"activeBasic\", \"groups\": [ {"
		     " \"label\": \"" GROUP_LABEL "\", \"number\": \"" GROUP_NUMBER "\","
		     " \"slot\": 5, \"members\": [ { \"serial\": \"" PARTITION_A "\" },"
		     " { \"serial\": \"" PARTITION_B "\" } ] } ] }");
	for (i = 0; i < 100; i++) {
		config = ha_config_get(ha);
		assert_non_null(config);
		mode = config->recovery_mode;
		free(config);
		if (mode == HA_RECOVERY_BASIC)
			return;
		usleep(50000);
	}
	fail_msg("the configuration is not obeyed");
}

/* The login is over with the last member: only the next one can delete what was left behind. */
static void failed_creation_does_not_turn_up(void **state)
{
	struct ha_ouid key;
	CK_RV rv;
	int i;

	(void)state;
	basic_recovery();
	login();
	loopback_set_filter(lb, lost_with_the_answer, NULL);
	IS(CKR_DEVICE_REMOVED, aes_key(1, true, &key));
	loopback_set_filter(lb, NULL, NULL);
	loopback_return(lb, CARD_A);
	loopback_return(lb, CARD_B);
	for (i = 0; i < 100 && !is_equal(); i++)
		usleep(50000);
	for (i = 0; i < 100; i++) {
		rv = ha_login(token, PCIEHSM_ROLE_CO, CO_PIN, strlen(CO_PIN), NULL);
		if (rv != CKR_TOKEN_NOT_PRESENT)
			break;
		usleep(50000);
	}
	OK(rv);
	for (i = 0; i < 100 && secret_keys(); i++)
		usleep(50000);
	assert_int_equal(secret_keys(), 0);
}

static void deleted_group_is_logged_out(void **state)
{
	int i;

	(void)state;
	login();
	write_config("{ \"version\": 1 }");
	for (i = 0; i < 100 && ha_token_present(token); i++)
		usleep(50000);
	assert_false(ha_token_present(token));
	assert_int_equal(ha_login_role(token), PCIEHSM_ROLE_NONE);
	/* Another one of the same number, which is that of its first member */
	basic_recovery();
	for (i = 0; i < 100 && !ha_token_present(token); i++)
		usleep(50000);
	assert_int_equal(ha_login_role(token), PCIEHSM_ROLE_NONE);
	login();
}

#define WITH_GROUP(f) cmocka_unit_test_setup_teardown(f, with_group, without_group)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		WITH_GROUP(work_is_shared),
		WITH_GROUP(busy_member_gets_less),
		WITH_GROUP(members_are_pulled_out),
		WITH_GROUP(cards_are_reset),
		WITH_GROUP(member_hangs),
		WITH_GROUP(member_returns_often),
		WITH_GROUP(failed_creation_does_not_turn_up),
		WITH_GROUP(deleted_group_is_logged_out),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
