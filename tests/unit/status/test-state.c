// SPDX-License-Identifier: GPL-2.0-or-later
/* What libpciehsm-ha says of a group, with an application at work beside it. */
#include <errno.h>
#include <unistd.h>

#include "fixture.h"
#include "pciehsm-ha.h"

int __real_ha_env_system_over(struct pciehsm_bus *bus, const char *config, struct ha_env **env);
int __wrap_ha_env_system_over(struct pciehsm_bus *bus, const char *config, struct ha_env **env);

int __wrap_ha_env_system_over(struct pciehsm_bus *bus, const char *config, struct ha_env **env)
{
	return __real_ha_env_system_over(bus ? bus : loopback_bus(lb), config, env);
}

static struct pciehsm_ha *watch;

static struct pciehsm_ha_group *look(void)
{
	struct pciehsm_ha_group *group = NULL;

	assert_int_equal(pciehsm_ha_group_state(watch, GROUP_LABEL, &group), 0);
	assert_int_equal(group->n_members, 2);
	return group;
}

static int open_watch(void **state)
{
	int err = with_group(state);

	return err ? err : pciehsm_ha_open(config_path, &watch);
}

static int close_watch(void **state)
{
	pciehsm_ha_close(watch);
	return without_group(state);
}

static void tells_of_all(void **state)
{
	struct pciehsm_ha_group *group;
	struct ha_ouid pub, priv;
	char **labels;
	uint64_t done;

	(void)state;
	login();
	OK(ec_pair(1, "a", &pub, &priv));
	assert_int_equal(pciehsm_ha_groups(watch, &labels), 1);
	assert_string_equal(labels[0], GROUP_LABEL);
	assert_null(labels[1]);
	free(labels);
	group = look();
	assert_string_equal(group->label, GROUP_LABEL);
	assert_string_equal(group->number, GROUP_NUMBER);
	assert_int_equal(group->slot, GROUP_SLOT);
	assert_int_equal(group->n_alive, 2);
	assert_false(group->needs_sync);
	assert_string_equal(group->members[0].serial, PARTITION_A);
	assert_string_equal(group->members[0].label, "par0");
	assert_string_equal(group->members[1].serial, PARTITION_B);
	assert_int_equal(group->members[1].state, PCIEHSM_HA_ALIVE);
	assert_string_equal(group->members[1].reason, "");
	assert_int_equal(group->members[0].objects, 2);
	assert_int_equal(group->members[1].weight, 1);
	assert_true(group->members[1].slot >= 0);
	assert_int_equal(group->members[1].outstanding, 0);
	assert_memory_equal(group->members[0].digest, group->members[1].digest,
			    sizeof(group->members[0].digest));
	done = group->members[0].operations + group->members[1].operations;
	free(group);
	OK(sign_with(1, &priv));
	group = look();
	assert_true(group->members[0].operations + group->members[1].operations > done);
	free(group);
}

static void tells_of_losses(void **state)
{
	struct pciehsm_ha_group *group;

	(void)state;
	loopback_pull(lb, CARD_B);
	group = look();
	assert_int_equal(group->n_alive, 1);
	assert_int_equal(group->members[1].state, PCIEHSM_HA_DOWN);
	assert_string_equal(pciehsm_ha_state_name(group->members[1].state), "down");
	assert_string_equal(group->members[1].reason, "not there");
	assert_int_equal(group->members[1].slot, -1);
	assert_int_equal(group->members[1].outstanding, -1);
	free(group);
	loopback_return(lb, CARD_B);
	group = look();
	assert_int_equal(group->n_alive, 2);
	free(group);
}

/* A watcher is not told the application's password, and sees that one has what others lack. */
static void tells_of_differences(void **state)
{
	struct pciehsm_ha_group *group;
	struct ha_ouid pub, priv;

	(void)state;
	login();
	OK(ec_pair(1, "a", &pub, &priv));
	loopback_pull(lb, CARD_B);
	OK(ha_destroy(token, 1, &pub));
	/* Nobody is left who could bring it up to date. */
	ha_logout(token);
	loopback_return(lb, CARD_B);
	group = look();
	assert_int_equal(group->n_alive, 2);
	assert_true(group->needs_sync);
	assert_int_equal(group->members[0].objects, 1);
	assert_int_equal(group->members[1].objects, 2);
	free(group);
}

static void says_what_is_wrong(void **state)
{
	struct pciehsm_ha_group *group = NULL;
	char **labels, *why;

	(void)state;
	assert_int_equal(pciehsm_ha_group_state(watch, "another", &group), -ENOENT);
	assert_int_equal(pciehsm_ha_group_state(watch, NULL, &group), -EINVAL);
	assert_null(pciehsm_ha_config_error(watch));
	write_config("{ \"version\": 1,\n oops");
	why = pciehsm_ha_config_error(watch);
	assert_non_null(why);
	assert_non_null(strstr(why, "line 2"));
	free(why);
	/* What was in force before still is. */
	assert_int_equal(pciehsm_ha_groups(watch, &labels), 1);
	free(labels);
	group = look();
	free(group);
	pciehsm_ha_close(watch);
	assert_int_equal(pciehsm_ha_open(config_path, &watch), 0);
	assert_int_equal(pciehsm_ha_groups(watch, &labels), -EBADMSG);
	write_config("{ \"version\": 1 }");
	assert_int_equal(pciehsm_ha_groups(watch, &labels), 0);
	assert_null(labels[0]);
	free(labels);
	assert_string_equal(pciehsm_ha_state_name(-1), "unknown");
	assert_string_equal(pciehsm_ha_state_name(99), "unknown");
}

#define WITH_WATCH(f) cmocka_unit_test_setup_teardown(f, open_watch, close_watch)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_WATCH(tells_of_all),
		WITH_WATCH(tells_of_losses),
		WITH_WATCH(tells_of_differences),
		WITH_WATCH(says_what_is_wrong),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
