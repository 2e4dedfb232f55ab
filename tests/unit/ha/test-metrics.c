// SPDX-License-Identifier: GPL-2.0-or-later
/* Metrics of a process, and how much of an operation is kept for another member. */
#include <dirent.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

static char dir[sizeof(config_path) + 16];
static char file[sizeof(dir) + 64];

static void configure(unsigned int generation, const char *more)
{
	char text[8192];

	snprintf(text, sizeof(text),
		 "{ \"version\": 1, \"generation\": %u, %s \"groups\": [ {"
		 " \"label\": \"" GROUP_LABEL "\", \"number\": \"" GROUP_NUMBER "\","
		 " \"slot\": 5, \"members\": [ { \"serial\": \"" PARTITION_A "\" },"
		 " { \"serial\": \"" PARTITION_B "\", \"standby\": true } ] } ] }",
		 generation, more);
	write_config(text);
}

static void wait_for_generation(uint64_t generation)
{
	uint64_t end = now_ms() + WAIT_MS, is;

	do {
		struct ha_config *config = ha_config_get(ha);

		is = config->generation;
		free(config);
		if (is != generation && now_ms() > end)
			fail_msg("the configuration is not obeyed");
		usleep(1000);
	} while (is != generation);
}

/* The value of a series of this process, -1 if it is not there */
static long long value_of(const char *metric, const char *member)
{
	char line[512], series[256];
	FILE *f = fopen(file, "r");
	long long value = -1;

	if (!f)
		return -1;
	if (member)
		snprintf(series, sizeof(series),
			 "%s{process=\"%d\",group=\"" GROUP_LABEL "\",member=\"%s\"} ", metric,
			 (int)getpid(), member);
	else
		snprintf(series, sizeof(series), "%s{process=\"%d\",group=\"" GROUP_LABEL "\"} ",
			 metric, (int)getpid());
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, series, strlen(series)))
			value = strtoll(line + strlen(series), NULL, 10);
	fclose(f);
	return value;
}

static void wait_for_value(const char *metric, const char *member, long long wanted)
{
	uint64_t end = now_ms() + WAIT_MS;
	long long is;

	while ((is = value_of(metric, member)) != wanted) {
		if (now_ms() > end)
			fail_msg("%s of %s is %lld, not %lld", metric, member ? member : "the group", is,
				 wanted);
		usleep(1000);
	}
}

static void metrics_on(unsigned int generation)
{
	char more[sizeof(dir) + 64];

	snprintf(more, sizeof(more), "\"metrics\": { \"path\": \"%s\", \"interval\": 5 },", dir);
	configure(generation, more);
}

/* Nothing but what the format allows, and each metric said once what it is. */
static void check_format(void)
{
	char line[512], name[128], help[128] = "";
	unsigned int helps = 0, samples = 0;
	FILE *f = fopen(file, "r");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "# HELP %127s", help) == 1) {
			helps++;
			continue;
		}
		if (sscanf(line, "# TYPE %127s", name) != 1) {
			assert_int_equal(sscanf(line, "%127[a-z_]{", name), 1);
			samples++;
		}
		assert_string_equal(name, help);
	}
	fclose(f);
	assert_true(helps >= 10);
	assert_true(samples > helps);
}

static void metrics_are_written(void **state)
{
	char dead[sizeof(dir) + 64];
	struct ha_ouid pub, priv;
	struct ha_env *env;
	long long before;
	struct ha *admin;
	pid_t child;
	FILE *f;
	int i;

	(void)state;
	snprintf(dir, sizeof(dir), "%s.metrics", config_path);
	snprintf(file, sizeof(file), "%s/pciehsm_ha_%d.prom", dir, (int)getpid());
	assert_int_equal(mkdir(dir, 0755), 0);
	/* What a process that was killed has left */
	child = fork();
	if (!child)
		_exit(0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	snprintf(dead, sizeof(dead), "%s/pciehsm_ha_%d.prom", dir, (int)child);
	f = fopen(dead, "w");
	assert_non_null(f);
	fclose(f);

	login();
	metrics_on(2);
	wait_for_value("pciehsm_ha_group_alive", NULL, 2);
	check_format();
	assert_int_not_equal(access(dead, F_OK), 0);
	assert_int_equal(value_of("pciehsm_ha_group_members", NULL), 2);
	assert_int_equal(value_of("pciehsm_ha_member_standby", PARTITION_A), 0);
	assert_int_equal(value_of("pciehsm_ha_member_standby", PARTITION_B), 1);
	assert_int_equal(value_of("pciehsm_ha_member_failures_total", PARTITION_A), 0);
	assert_int_equal(value_of("pciehsm_ha_member_returns_total", PARTITION_A), 1);
	OK(ec_pair(1, "a", &pub, &priv));
	before = value_of("pciehsm_ha_member_commands_total", PARTITION_A);
	assert_true(before >= 0);
	for (i = 0; i < 50; i++)
		OK(sign_with(1, &priv));
	/* The pair and the signatures; nobody else works. A change of the file is an occasion. */
	metrics_on(3);
	wait_for_value("pciehsm_ha_member_commands_total", PARTITION_A, before + 51);
	loopback_pull(lb, CARD_A);
	OK(sign_with(1, &priv));
	metrics_on(4);
	wait_for_value("pciehsm_ha_member_alive", PARTITION_A, 0);
	assert_int_equal(value_of("pciehsm_ha_member_failures_total", PARTITION_A), 1);
	assert_int_equal(value_of("pciehsm_ha_group_alive", NULL), 1);
	/* And without one, at the interval */
	loopback_return(lb, CARD_A);
	wait_for_value("pciehsm_ha_member_returns_total", PARTITION_A, 2);

	/* An administrator's tool that looks at the group has no work to tell of. */
	assert_int_equal(ha_env_system_over(loopback_bus(lb), config_path, &env), 0);
	assert_int_equal(ha_open(env, HA_OPEN_ADMIN, &admin), 0);
	ha_close(admin);
	ha_env_free(env);
	assert_int_equal(access(file, F_OK), 0);
	configure(5, "");
	for (i = 0; i < WAIT_MS && !access(file, F_OK); i++)
		usleep(1000);
	assert_int_not_equal(access(file, F_OK), 0);
}

/* A place that is not there, or not to be written to, is no reason to fail. */
static void nowhere_to_write(void **state)
{
	struct ha_ouid pub, priv;

	(void)state;
	login();
	configure(2, "\"metrics\": { \"path\": \"/nonexistent\" },");
	wait_for_generation(2);
	OK(ec_pair(1, "a", &pub, &priv));
	OK(sign_with(1, &priv));
}

/* ---- operations of many parts ---- */

#define PARTS		8
#define PART		64

static CK_RV encrypt_with_a_loss(const struct ha_ouid *key, int lost_after)
{
	unsigned char iv[16] = { 0 }, block[PART] = { 0 }, out[2 * PART];
	CK_MECHANISM mech = { CKM_AES_CBC_PAD, iv, sizeof(iv) };
	size_t len;
	CK_RV rv;
	int i;

	rv = ha_crypt_init(token, 1, PCIEHSM_FN_ENCRYPT, &mech, key);
	for (i = 0; i < PARTS && rv == CKR_OK; i++) {
		if (i == lost_after)
			loopback_pull(lb, CARD_A);
		len = sizeof(out);
		rv = ha_crypt_update(token, 1, PCIEHSM_FN_ENCRYPT, block, sizeof(block), out, &len);
	}
	if (rv != CKR_OK)
		return rv;
	len = sizeof(out);
	return ha_crypt_final(token, 1, PCIEHSM_FN_ENCRYPT, NULL, 0, out, &len);
}

static uint64_t encryptions_on_first(void)
{
	struct pciehsm_bus *bus = loopback_bus(lb);
	struct pciehsm_transport *t = cards_open(bus, PARTITION_A);
	struct pciehsm_partition_info info;

	OK(pciehsm_partition_info(t, &info));
	t->ops->close(t);
	bus->ops->close(bus);
	return info.stats[PCIEHSM_STAT_ENCRYPT];
}

/* The other one is standby: when the first has come back, all work is its own. */
static void wait_until_first_works(const struct ha_ouid *key)
{
	uint64_t end = now_ms() + WAIT_MS, before = encryptions_on_first();

	do {
		if (now_ms() > end)
			fail_msg("the first member does not work");
		OK(encrypt_with_a_loss(key, -1));
	} while (encryptions_on_first() == before);
}

/* Up to the limit it goes on elsewhere; beyond, it fails, and the session is as if new. */
static void as_much_is_kept_as_is_said(void **state)
{
	static const struct {
		const char	*more;
		int		lost_after;
		CK_RV		wanted;
	} cases[] = {
		{ "", PARTS - 1, CKR_OK },
		{ "\"replay_max\": 256,", 4, CKR_OK },
		{ "\"replay_max\": 255,", 4, CKR_DEVICE_ERROR },
		{ "\"replay_max\": 0,", 1, CKR_DEVICE_ERROR },
		{ "\"replay_max\": 0,", 0, CKR_OK },
	};
	struct ha_ouid key;
	unsigned int i;

	(void)state;
	login();
	OK(aes_key(1, true, &key));
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		configure(2 + i, cases[i].more);
		wait_for_generation(2 + i);
		wait_until_first_works(&key);
		IS(cases[i].wanted, encrypt_with_a_loss(&key, cases[i].lost_after));
		OK(encrypt_with_a_loss(&key, -1));
		loopback_return(lb, CARD_A);
	}
}

#define WITH_GROUP(f) cmocka_unit_test_setup_teardown(f, with_group, without_group)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_GROUP(metrics_are_written),
		WITH_GROUP(nowhere_to_write),
		WITH_GROUP(as_much_is_kept_as_is_said),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
