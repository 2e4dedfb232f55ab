// SPDX-License-Identifier: GPL-2.0-or-later
/* ha.conf: its text, its errors, changing it, and how running engines take a change. */
#include "fixture.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"

/* A configuration around these members of its one group */
#define GROUP_TEXT(rest) \
	"{ \"version\": 1, \"groups\": [\n { \"label\": \"g\", \"number\": \"11\", \"slot\": 5, " \
	rest " } ] }"

static void says_everything(void **state)
{
	static const char text[] =
		"{\n"
		"  \"version\": 1, \"generation\": 41,\n"
		"  \"recovery_mode\": \"activeEnhanced\", \"retry_count\": 500,\n"
		"  \"retry_interval\": 61, \"ha_only\": true,\n"
		"  \"log\": { \"enabled\": true, \"path\": \"/var/log\", \"max_length\": 2048 },\n"
		"  \"replay_max\": 0, \"metrics\": { \"path\": \"/m\", \"interval\": 60 },\n"
		"  \"groups\": [ { \"label\": \"my group\", \"number\": \"1154438865287\", \"slot\": 5,\n"
		"    \"synchronize\": true, \"mincopies\": 2, \"recover\": 3, \"members\": [\n"
		"      { \"serial\": \"154438865287\", \"drain\": true, \"weight\": 100 },\n"
		"      { \"serial\": \"1238700701509\", \"standby\": true } ] } ]\n"
		"}\n";
	struct ha_config *config = calloc(1, sizeof(*config)), *again = calloc(1, sizeof(*again));
	char error[256] = "", *printed;

	(void)state;
	assert_int_equal(ha_config_parse(text, strlen(text), config, error, sizeof(error)), 0);
	assert_int_equal(config->generation, 41);
	assert_int_equal(config->recovery_mode, HA_RECOVERY_ENHANCED);
	assert_int_equal(config->retry_count, 500);
	assert_int_equal(config->retry_interval, 61);
	assert_true(config->ha_only && config->log_enabled);
	assert_string_equal(config->log_path, "/var/log");
	assert_int_equal(config->log_max_length, 2048);
	assert_int_equal(config->replay_max, 0);
	assert_string_equal(config->metrics_path, "/m");
	assert_int_equal(config->metrics_interval, 60);
	assert_int_equal(config->n_groups, 1);
	assert_string_equal(config->groups[0].label, "my group");
	assert_true(config->groups[0].synchronize);
	assert_int_equal(config->groups[0].mincopies, 2);
	assert_int_equal(config->groups[0].recover, 3);
	assert_true(config->groups[0].members[0].drain);
	assert_int_equal(config->groups[0].members[0].weight, 100);
	assert_false(config->groups[0].members[1].drain);
	assert_int_equal(config->groups[0].members[1].weight, 0);
	assert_int_equal(config->groups[0].n_members, 2);
	assert_true(config->groups[0].members[1].standby);

	/* Written and read again it is the same. */
	printed = ha_config_print(config);
	assert_int_equal(ha_config_parse(printed, strlen(printed), again, error, sizeof(error)), 0);
	assert_memory_equal(config, again, sizeof(*config));
	free(printed);
	free(config);
	free(again);
}

static void has_defaults(void **state)
{
	struct ha_config *config = calloc(1, sizeof(*config));
	static const char text[] = "{ \"version\": 1 }";
	char error[256];

	(void)state;
	assert_int_equal(ha_config_parse(text, strlen(text), config, error, sizeof(error)), 0);
	assert_int_equal(config->retry_count, -1);
	assert_int_equal(config->retry_interval, 60);
	assert_false(config->ha_only);
	assert_int_equal(config->n_groups, 0);
	assert_int_equal(config->replay_max, HA_REPLAY_MAX);
	assert_string_equal(config->metrics_path, "");
	free(config);
}

static void explains_errors(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "", "line 1" },
		{ "[]", "line 1" },
		{ "{ \"version\": 1,\n \"ha_only\": true,,\n}", "line 2" },
		{ "{ \"version\": 1,\n\n \"groups\": [", "line 3: the file ends too early" },
		{ "{ \"version\": 1 }\n{ }", "line 2" },
		{ "{ }", "\"version\" is missing" },
		{ "{ \"version\": 2 }", "version is 2" },
		{ "{ \"version\": 1, \"ha_onyl\": true }", "\"ha_onyl\" is not known" },
		{ "{ \"version\": 1, \"ha_only\": 1 }", "\"ha_only\" has to be true or false" },
		{ "{ \"version\": 1, \"retry_count\": 501 }", "\"retry_count\"" },
		{ "{ \"version\": 1, \"retry_count\": -2 }", "\"retry_count\"" },
		{ "{ \"version\": 1, \"retry_interval\": 59 }", "\"retry_interval\"" },
		{ "{ \"version\": 1, \"recovery_mode\": \"active\" }", "activeEnhanced" },
		{ "{ \"version\": 1, \"log\": { \"path\": \"log\" } }", "log.path" },
		{ "{ \"version\": 1, \"log\": { \"max_length\": 10 } }", "log.max_length" },
		{ "{ \"version\": 1, \"replay_max\": -1 }", "\"replay_max\"" },
		{ "{ \"version\": 1, \"replay_max\": 1073741825 }", "\"replay_max\"" },
		{ "{ \"version\": 1, \"metrics\": { \"path\": \"m\" } }", "metrics.path" },
		{ "{ \"version\": 1, \"metrics\": { \"interval\": 4 } }", "metrics.interval" },
		{ "{ \"version\": 1, \"metrics\": { \"file\": \"/m\" } }", "\"metrics.file\" is not known" },
		{ "{ \"version\": 1, \"groups\": [ 1 ] }", "groups[0]" },
		{ GROUP_TEXT("\"members\": []"), "groups[0].members is empty" },
		{ GROUP_TEXT("\"members\": [ { \"serial\": \"x\" } ]"), "groups[0].members[0].serial" },
		{ GROUP_TEXT("\"members\": [ { \"standby\": true } ]"),
		  "\"groups[0].members[0].serial\" is missing" },
		{ GROUP_TEXT("\"members\": [ { \"serial\": \"1\", \"weight\": 0 } ]"),
		  "\"groups[0].members[0].weight\"" },
		{ GROUP_TEXT("\"members\": [ { \"serial\": \"1\", \"weight\": 101 } ]"),
		  "\"groups[0].members[0].weight\"" },
		{ GROUP_TEXT("\"members\": [ { \"serial\": \"1\", \"drain\": 1 } ]"),
		  "\"groups[0].members[0].drain\" has to be true or false" },
		{ GROUP_TEXT("\"mincopies\": 0, \"members\": [ { \"serial\": \"1\" } ]"),
		  "\"groups[0].mincopies\"" },
		{ GROUP_TEXT("\"mincopies\": 2, \"members\": [ { \"serial\": \"1\" } ]"),
		  "groups[0].mincopies is 2: the group has 1 members" },
		{ GROUP_TEXT("\"mincopies\": 2, \"synchronize\": false, \"members\": [ { \"serial\": \"1\" }, { \"serial\": \"2\" } ]"),
		  "objects are not replicated" },
		{ GROUP_TEXT("\"members\": [ { \"serial\": \"1\" }, { \"serial\": \"1\" } ]"),
		  "groups[0].members[1]: partition 1 is a member" },
		{ "{ \"version\": 1, \"groups\": [ { \"label\": \"\", \"number\": \"1\", \"slot\": 5, \"members\": [] } ] }",
		  "groups[0].label is empty" },
		{ "{ \"version\": 1, \"groups\": [ { \"label\": \"a\", \"number\": \"1\", \"slot\": 4, \"members\": [ {\"serial\":\"1\"} ] } ] }",
		  "groups[0].slot is 4" },
	};
	struct ha_config *config = calloc(1, sizeof(*config)), *before = calloc(1, sizeof(*before));
	char error[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		*error = '\0';
		assert_int_equal(ha_config_parse(cases[i].text, strlen(cases[i].text), config,
						 error, sizeof(error)), -EBADMSG);
		if (!strstr(error, cases[i].error))
			fail_msg("\"%s\" does not say \"%s\"", error, cases[i].error);
		assert_memory_equal(config, before, sizeof(*config));
	}
	free(config);
	free(before);
}

static bool wait_for_generation(uint64_t generation)
{
	uint64_t end = now_ms() + WAIT_MS;
	bool there = false;

	while (!there && now_ms() < end) {
		struct ha_config *config = ha_config_get(ha);

		there = config->generation == generation;
		free(config);
		if (!there)
			usleep(2000);
	}
	return there;
}

static int set_interval(struct ha_config *config, void *arg)
{
	config->retry_interval = *(unsigned int *)arg;
	return 0;
}

static int refuse(struct ha_config *config, void *arg)
{
	(void)arg;
	config->retry_interval = 100;
	return -EPERM;
}

static int break_it(struct ha_config *config, void *arg)
{
	(void)arg;
	config->groups[0].n_members = 0;
	return 0;
}

static void edits(void **state)
{
	struct ha_config *config = ha_config_get(ha);
	uint64_t generation = config->generation;
	unsigned int interval = 77;
	char error[256], path[sizeof(config_path) + 8];

	(void)state;
	free(config);
	assert_int_equal(ha_config_edit(ha, set_interval, &interval, error, sizeof(error)), 0);
	config = ha_config_get(ha);
	assert_int_equal(config->retry_interval, 77);
	assert_int_equal(config->generation, generation + 1);
	free(config);
	snprintf(path, sizeof(path), "%s.old", config_path);
	assert_int_equal(access(path, R_OK), 0);
	snprintf(path, sizeof(path), "%s.new", config_path);
	assert_int_not_equal(access(path, F_OK), 0);

	/* What the caller refuses, and what would not be valid, is not written. */
	assert_int_equal(ha_config_edit(ha, refuse, NULL, error, sizeof(error)), -EPERM);
	assert_int_equal(ha_config_edit(ha, break_it, NULL, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "groups[0].members is empty"));
	config = ha_config_get(ha);
	assert_int_equal(config->generation, generation + 1);
	free(config);
}

/* Without an engine in the parent: it has threads, and they do not come along in a fork. */
static void edits_do_not_collide(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char path[4096], text[4096], error[256];
	struct ha_config *config = calloc(1, sizeof(*config));
	unsigned int i, k, interval = 60;
	struct ha_env *own;
	struct ha *admin;
	int status;
	size_t n;
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "%s/shared.conf", tmp ? tmp : "/tmp");
	unlink(path);
	for (i = 0; i < 4; i++) {
		if (fork())
			continue;
		if (ha_env_system_over(loopback_bus(loopback_new(tmp ? tmp : "/tmp")), path,
				       &own) || ha_open(own, HA_OPEN_ADMIN, &admin))
			_exit(1);
		for (k = 0; k < 25; k++)
			if (ha_config_edit(admin, set_interval, &interval, error, sizeof(error)))
				_exit(1);
		_exit(0);
	}
	for (i = 0; i < 4; i++) {
		wait(&status);
		assert_int_equal(status, 0);
	}
	/* None of 100 changes was lost. */
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	assert_int_equal(ha_config_parse(text, n, config, error, sizeof(error)), 0);
	assert_int_equal(config->generation, 100);
	free(config);
}

/* Until the engine says this of the file; NULL: that all is well with it */
static char *wait_for_error(const char *text)
{
	uint64_t end = now_ms() + WAIT_MS;
	char *why = ha_config_error(ha);

	while ((text ? !why || !strstr(why, text) : why != NULL) && now_ms() < end) {
		free(why);
		usleep(1000);
		why = ha_config_error(ha);
	}
	return why;
}

static void broken_file_is_left_alone(void **state)
{
	static const char broken[] = "{ \"version\": 1,\n\"groups\": oops }";
	unsigned int interval = 60;
	char error[512], *why, text[256];
	struct ha_ouid pub, priv;
	FILE *f;

	(void)state;
	login();
	OK(ec_pair(1, "a", &pub, &priv));
	write_config(broken);
	/* What is written is seen half written, too, which is another error. */
	why = wait_for_error("line 2");
	assert_non_null(why);
	assert_non_null(strstr(why, "line 2"));
	assert_non_null(strstr(why, config_path));
	free(why);
	OK(sign_with(1, &priv));
	assert_int_equal(ha_config_edit(ha, set_interval, &interval, error, sizeof(error)),
			 -EBADMSG);
	assert_non_null(strstr(error, "line 2"));
	f = fopen(config_path, "r");
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	assert_string_equal(text, "{ \"version\": 1,\n");

	/* Nor does a file that has gone take the group away. */
	assert_int_equal(unlink(config_path), 0);
	why = wait_for_error("stays in force");
	assert_non_null(why);
	assert_non_null(strstr(why, "stays in force"));
	free(why);
	OK(sign_with(1, &priv));
	cards_group(config_path, false);
	assert_null(wait_for_error(NULL));
}

static void log_is_written_and_turned(void **state)
{
	char text[1024], dir[sizeof(config_path) + 8], path[sizeof(config_path) + 64];
	struct ha_config *config;
	struct stat st;
	FILE *list;
	char error[256], line[512];
	unsigned int interval, files = 0, records = 0;

	(void)state;
	snprintf(dir, sizeof(dir), "%s.log", config_path);
	assert_int_equal(mkdir(dir, 0755), 0);
	snprintf(text, sizeof(text),
		 "{\"version\":1,\"generation\":9,\"log\":{\"enabled\":true,\"path\":\"%.900s\",\"max_length\":1024}}",
		 dir);
	write_config(text);
	assert_true(wait_for_generation(9));
	for (interval = 61; interval < 101; interval++)
		assert_int_equal(ha_config_edit(ha, set_interval, &interval, error,
						sizeof(error)), 0);
	snprintf(path, sizeof(path), "cat %s/haErrorLog*.txt", dir);
	list = popen(path, "r");
	while (fgets(line, sizeof(line), list)) {
		/* write_config() is not atomic: it may have been read while it was half there. */
		if (strstr(line, "PHSM-1102 configuration obeyed again"))
			continue;
		records++;
		assert_non_null(strstr(line, "PHSM-1007 settings"));
	}
	pclose(list);
	assert_int_equal(records, 40);
	snprintf(path, sizeof(path), "ls %s", dir);
	list = popen(path, "r");
	while (fgets(line, sizeof(line), list))
		files++;
	pclose(list);
	assert_true(files > 3);
	snprintf(path, sizeof(path), "%s/haErrorLog.txt", dir);
	if (!stat(path, &st))
		assert_true(st.st_size <= 1024);
	config = ha_config_get(ha);
	assert_int_equal(config->retry_interval, 100);
	free(config);
}

#define WITH_GROUP(f) cmocka_unit_test_setup_teardown(f, with_group, without_group)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_everything),
		cmocka_unit_test(has_defaults),
		cmocka_unit_test(explains_errors),
		WITH_GROUP(edits),
		cmocka_unit_test(edits_do_not_collide),
		WITH_GROUP(broken_file_is_left_alone),
		WITH_GROUP(log_is_written_and_turned),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
