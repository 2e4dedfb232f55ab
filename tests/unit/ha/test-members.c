// SPDX-License-Identifier: GPL-2.0-or-later
/* What the configuration says of single members, obeyed by an engine that is at work. */
#include "fixture.h"

#include <unistd.h>

/* Work is looked at in pieces of so many signatures. */
#define PIECE	120

static uint64_t count_on(const char *serial, enum pciehsm_stat stat)
{
	struct pciehsm_bus *bus = loopback_bus(lb);
	struct pciehsm_transport *t = cards_open(bus, serial);
	struct pciehsm_partition_info info;

	OK(pciehsm_partition_info(t, &info));
	t->ops->close(t);
	bus->ops->close(bus);
	return info.stats[stat];
}

struct setting {
	bool		drain[2];
	unsigned int	weight[2];
	unsigned int	mincopies;
};

static int apply(struct ha_config *config, void *arg)
{
	const struct setting *setting = arg;
	int i;

	for (i = 0; i < 2; i++) {
		config->groups[0].members[i].drain = setting->drain[i];
		config->groups[0].members[i].weight = setting->weight[i];
	}
	config->groups[0].mincopies = setting->mincopies;
	return 0;
}

/* By another program, as it were: the engine at work has to notice by itself. */
static void set(const struct setting *setting)
{
	struct ha_config *config;
	uint64_t end = now_ms() + WAIT_MS;
	struct ha_env *env;
	struct ha *other;
	bool obeyed = false;
	char error[256];

	assert_int_equal(ha_env_system_over(loopback_bus(lb), config_path, &env), 0);
	assert_int_equal(ha_open(env, HA_OPEN_ADMIN, &other), 0);
	assert_int_equal(ha_config_edit(other, apply, (void *)(uintptr_t)setting, error,
					sizeof(error)), 0);
	ha_close(other);
	ha_env_free(env);
	while (!obeyed) {
		assert_true(now_ms() < end);
		config = ha_config_get(ha);
		obeyed = config->groups[0].members[0].drain == setting->drain[0] &&
			 config->groups[0].members[1].drain == setting->drain[1] &&
			 config->groups[0].members[0].weight == setting->weight[0] &&
			 config->groups[0].members[1].weight == setting->weight[1] &&
			 config->groups[0].mincopies == setting->mincopies;
		free(config);
		usleep(1000);
	}
}

/* How many of a piece of work the first member does */
static unsigned int share_of_first(const struct ha_ouid *priv)
{
	uint64_t a = count_on(PARTITION_A, PCIEHSM_STAT_SIGN);
	uint64_t b = count_on(PARTITION_B, PCIEHSM_STAT_SIGN);
	int i;

	for (i = 0; i < PIECE; i++)
		OK(sign_with(1, priv));
	a = count_on(PARTITION_A, PCIEHSM_STAT_SIGN) - a;
	b = count_on(PARTITION_B, PCIEHSM_STAT_SIGN) - b;
	assert_int_equal(a + b, PIECE);
	return (unsigned int)a;
}

static void drained_member_does_not_work(void **state)
{
	struct ha_ouid pub, priv, other;

	(void)state;
	login();
	OK(ec_pair(1, "a", &pub, &priv));
	assert_int_equal(share_of_first(&priv), PIECE / 2);
	set(&(struct setting){ .drain = { true } });
	assert_int_equal(share_of_first(&priv), 0);
	/* Keys are made on the other one, and it gets them all the same. */
	OK(ec_pair(1, "b", &pub, &other));
	set(&(struct setting){ .drain = { false, true } });
	assert_int_equal(share_of_first(&other), PIECE);
	/* Both: somebody has to do it. */
	set(&(struct setting){ .drain = { true, true } });
	assert_int_equal(share_of_first(&priv), PIECE / 2);
	set(&(struct setting){ .drain = { true } });
	loopback_pull(lb, CARD_B);
	OK(sign_with(1, &priv));
	loopback_return(lb, CARD_B);
	set(&(struct setting){ .mincopies = 0 });
}

static void what_has_begun_comes_to_its_end(void **state)
{
	unsigned char iv[16] = { 0 }, block[64] = { 0 }, out[128];
	CK_MECHANISM mech = { CKM_AES_CBC_PAD, iv, sizeof(iv) };
	struct ha_ouid key;
	size_t len = sizeof(out);
	uint64_t before;

	(void)state;
	login();
	OK(aes_key(1, true, &key));
	set(&(struct setting){ .drain = { false, true } });
	OK(ha_crypt_init(token, 1, PCIEHSM_FN_ENCRYPT, &mech, &key));
	OK(ha_crypt_update(token, 1, PCIEHSM_FN_ENCRYPT, block, sizeof(block), out, &len));
	before = count_on(PARTITION_B, PCIEHSM_STAT_ENCRYPT);
	set(&(struct setting){ .drain = { true } });
	len = sizeof(out);
	OK(ha_crypt_final(token, 1, PCIEHSM_FN_ENCRYPT, NULL, 0, out, &len));
	/* The other one has not done it over again; what begins now begins there. */
	assert_int_equal(count_on(PARTITION_B, PCIEHSM_STAT_ENCRYPT), before);
	OK(ha_crypt_init(token, 1, PCIEHSM_FN_ENCRYPT, &mech, &key));
	len = sizeof(out);
	OK(ha_crypt_final(token, 1, PCIEHSM_FN_ENCRYPT, NULL, 0, out, &len));
	assert_int_equal(count_on(PARTITION_B, PCIEHSM_STAT_ENCRYPT), before + 1);
}

static void weights_share_the_work(void **state)
{
	struct ha_ouid pub, priv;

	(void)state;
	login();
	OK(ec_pair(1, "a", &pub, &priv));
	set(&(struct setting){ .weight = { 3, 1 } });
	assert_int_equal(share_of_first(&priv), PIECE * 3 / 4);
	set(&(struct setting){ .weight = { 0, 5 } });
	assert_int_equal(share_of_first(&priv), PIECE / 6);
	set(&(struct setting){ .weight = { 100, 100 } });
	assert_int_equal(share_of_first(&priv), PIECE / 2);
}

static CK_ULONG objects(void)
{
	struct ha_ouid *list;
	CK_ULONG n;

	OK(ha_find(token, 1, NULL, 0, &list, &n));
	free(list);
	return n;
}

static enum loopback_fault no_channel(void *arg, const char *serial, uint32_t op)
{
	(void)arg;
	(void)serial;
	return op == PCIEHSM_OP_CLONE_IMPORT ? LOOPBACK_PULLED : LOOPBACK_WORKS;
}

static void too_few_copies(void **state)
{
	struct ha_ouid pub, priv, key;
	int i;

	(void)state;
	login();
	set(&(struct setting){ .mincopies = 2 });
	OK(ec_pair(1, "a", &pub, &priv));
	assert_int_equal(objects(), 2);
	/* The other member is away: it is said before anything is made. */
	loopback_pull(lb, CARD_B);
	IS(PCIEHSM_CKR_COPIES, ec_pair(1, "b", &pub, &priv));
	IS(PCIEHSM_CKR_COPIES, aes_key(1, true, &key));
	assert_int_equal(objects(), 2);
	/* What is gone with its session needs no copy. */
	OK(aes_key(1, false, &key));
	OK(ha_destroy(token, 1, &key));
	loopback_return(lb, CARD_B);
	for (i = 0; i < 100 && ec_pair(1, "c", &pub, &priv) != CKR_OK; i++)
		usleep(20000);
	assert_true(i < 100);
	assert_int_equal(objects(), 4);
	/* It is lost when it was to get its copy: what was made is taken back. */
	loopback_set_filter(lb, no_channel, NULL);
	IS(PCIEHSM_CKR_COPIES, ec_pair(1, "d", &pub, &priv));
	loopback_set_filter(lb, NULL, NULL);
	assert_int_equal(objects(), 4);
	loopback_return(lb, CARD_B);
	set(&(struct setting){ .mincopies = 0 });
	loopback_pull(lb, CARD_B);
	OK(ec_pair(1, "e", &pub, &priv));
	assert_int_equal(objects(), 6);
}

/* What a group needs is looked at when a partition is to be a member. */
static void policies_of_a_member(void **state)
{
	/* The other way round than they are looked at: each is the first that is missing. */
	static const uint32_t needed[] = { 21, 4, 0 };
	char error[256], named[16];
	size_t i;

	(void)state;
	OK(ha_group_admit(ha, NULL, PARTITION_B, CO_PIN, strlen(CO_PIN), error, sizeof(error)));
	for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		set_policy(PARTITION_B, needed[i], 0);
		IS(PCIEHSM_CKR_POLICY, ha_group_admit(ha, NULL, PARTITION_B, CO_PIN,
						      strlen(CO_PIN), error, sizeof(error)));
		snprintf(named, sizeof(named), "policy %u)", needed[i]);
		assert_non_null(strstr(error, named));
	}
}

#define WITH_GROUP(f) cmocka_unit_test_setup_teardown(f, with_group, without_group)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_GROUP(drained_member_does_not_work),
		WITH_GROUP(what_has_begun_comes_to_its_end),
		WITH_GROUP(weights_share_the_work),
		WITH_GROUP(too_few_copies),
		WITH_GROUP(policies_of_a_member),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
