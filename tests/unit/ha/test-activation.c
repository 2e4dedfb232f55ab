// SPDX-License-Identifier: GPL-2.0-or-later
/* An application that logs in with a challenge, and members whose role is not activated. */
#include "fixture.h"

#include <endian.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHALLENGE	"the challenge"
#define LIT(text)	(text), strlen(text)

static const char *const partitions[] = { PARTITION_A, PARTITION_B };

/* As "role login" does */
static void activate(const char *serial)
{
	struct pciehsm_transport *t = at(serial);
	uint32_t flags;

	OK(pciehsm_login(t, PCIEHSM_ROLE_CO, LIT(CO_PIN), &flags, NULL));
	assert_true(flags & PCIEHSM_LOGIN_ACTIVATED);
	t->ops->close(t);
}

static void set_challenges(void)
{
	int i;

	for (i = 0; i < 2; i++) {
		struct pciehsm_transport *t;

		set_policy(partitions[i], 22, 1);
		t = at(partitions[i]);
		OK(pciehsm_role_set_challenge(t, PCIEHSM_ROLE_CO, LIT(CO_PIN), LIT(CHALLENGE),
					      NULL));
		t->ops->close(t);
	}
}

static uint32_t attempts(const char *serial)
{
	struct pciehsm_transport *t = at(serial);
	struct pciehsm_role_info *list;
	uint32_t left = 0;
	size_t i, n;

	OK(pciehsm_role_info(t, &list, &n));
	for (i = 0; i < n; i++)
		if (le32toh(list[i].role) == PCIEHSM_ROLE_CO)
			left = le32toh(list[i].attempts);
	free(list);
	t->ops->close(t);
	return left;
}

/* Waits until the engine itself finds the member to be so, with a reason that has @text in it. */
static void wait_for(int member, enum ha_member_state state, const char *text)
{
	struct ha_group_status *status = malloc(sizeof(*status));
	uint64_t end = now_ms() + WAIT_MS;

	assert_non_null(status);
	for (;;) {
		assert_int_equal(ha_group_known(ha, GROUP_LABEL, status), 0);
		if (status->members[member].state == state &&
		    strstr(status->members[member].reason, text))
			break;
		if (now_ms() > end)
			fail_msg("member %s is %d (%s), wanted %d (%s)",
				 status->members[member].serial, status->members[member].state,
				 status->members[member].reason, state, text);
		usleep(2000);
	}
	free(status);
}

static void login_by_challenge(void)
{
	OK(ha_login(token, PCIEHSM_ROLE_CO, LIT(CHALLENGE), NULL));
}

static int log_to(struct ha_config *config, void *arg)
{
	config->log_enabled = true;
	snprintf(config->log_path, sizeof(config->log_path), "%s", (const char *)arg);
	return 0;
}

static void count_in_log(const char *dir, const char *text, unsigned int wanted)
{
	char path[sizeof(config_path) + 64], line[512];
	unsigned int n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/haErrorLog.txt", dir);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, text) != NULL;
	fclose(f);
	if (n != wanted)
		fail_msg("\"%s\" is %u times in %s, wanted %u", text, n, path, wanted);
}

static void power_lost(void **state)
{
	struct ha_ouid pub, first, second;
	char dir[sizeof(config_path) + 8], error[256];
	uint64_t asked, end;

	(void)state;
	snprintf(dir, sizeof(dir), "%s.log", config_path);
	assert_int_equal(mkdir(dir, 0755), 0);
	assert_int_equal(ha_config_edit(ha, log_to, dir, error, sizeof(error)), 0);
	set_challenges();
	activate(PARTITION_A);
	activate(PARTITION_B);
	login_by_challenge();
	OK(ec_pair(1, "first", &pub, &first));
	wait_for(1, HA_MEMBER_ALIVE, "");
	loopback_pull(lb, CARD_B);
	OK(sign_with(1, &first));
	loopback_return(lb, CARD_B);
	wait_for(1, HA_MEMBER_DOWN, "not activated");
	/* The group goes on without it. It is looked at again, and nothing is tried there. */
	OK(ec_pair(1, "second", &pub, &second));
	asked = loopback_messages(lb, CARD_B);
	end = now_ms() + WAIT_MS;
	while (loopback_messages(lb, CARD_B) < asked + 4) {
		assert_true(now_ms() < end);
		OK(sign_with(1, &second));
		usleep(10000);
	}
	wait_for(1, HA_MEMBER_DOWN, "not activated");
	assert_int_equal(attempts(PARTITION_B), 10);
	activate(PARTITION_B);
	wait_for(1, HA_MEMBER_ALIVE, "");
	/* It has what was made meanwhile, and works with it. */
	loopback_pull(lb, CARD_A);
	OK(sign_with(1, &second));
	count_in_log(dir, "member " PARTITION_B " down: the role is not activated", 1);
	assert_int_equal(attempts(PARTITION_B), 10);
}

static void power_lost_with_policy_23(void **state)
{
	struct ha_ouid pub, priv;

	(void)state;
	set_challenges();
	set_policy(PARTITION_B, 23, 1);
	activate(PARTITION_A);
	activate(PARTITION_B);
	login_by_challenge();
	loopback_pull(lb, CARD_B);
	OK(ec_pair(1, "a", &pub, &priv));
	loopback_return(lb, CARD_B);
	wait_for(1, HA_MEMBER_ALIVE, "");
	loopback_pull(lb, CARD_A);
	OK(sign_with(1, &priv));
}

static void deactivate(const char *serial)
{
	struct pciehsm_transport *t = at(serial);

	OK(pciehsm_login(t, PCIEHSM_ROLE_PO, LIT(PO_PIN), NULL, NULL));
	OK(pciehsm_role_deactivate(t, PCIEHSM_ROLE_CO));
	t->ops->close(t);
}

/* Private keys are out of sight then, which is not to be taken for an answer. */
static void deactivated_everywhere(void **state)
{
	uint64_t end = now_ms() + WAIT_MS;
	struct ha_ouid pub, priv;

	(void)state;
	set_challenges();
	activate(PARTITION_A);
	activate(PARTITION_B);
	login_by_challenge();
	OK(ec_pair(1, "a", &pub, &priv));
	wait_for(1, HA_MEMBER_ALIVE, "");
	deactivate(PARTITION_A);
	deactivate(PARTITION_B);
	assert_int_not_equal(sign_with(1, &priv), CKR_OK);
	wait_for(0, HA_MEMBER_DOWN, "not activated");
	wait_for(1, HA_MEMBER_DOWN, "not activated");
	/* Recovery is activeEnhanced: the application need not log in again. */
	activate(PARTITION_B);
	while (sign_with(1, &priv) != CKR_OK) {
		assert_true(now_ms() < end);
		usleep(10000);
	}
	assert_int_equal(attempts(PARTITION_A), 10);
}

static void deactivated_at_work(void **state)
{
	struct ha_ouid pub, priv;
	int i;

	(void)state;
	set_challenges();
	activate(PARTITION_A);
	activate(PARTITION_B);
	login_by_challenge();
	OK(ec_pair(1, "a", &pub, &priv));
	wait_for(1, HA_MEMBER_ALIVE, "");
	deactivate(PARTITION_A);
	for (i = 0; i < 20; i++)
		OK(sign_with(1, &priv));
	wait_for(0, HA_MEMBER_DOWN, "not activated");
	activate(PARTITION_A);
	wait_for(0, HA_MEMBER_ALIVE, "");
	loopback_pull(lb, CARD_B);
	OK(sign_with(1, &priv));
	assert_int_equal(attempts(PARTITION_A), 10);
}

static void login_where_one_is_activated(void **state)
{
	struct ha_ouid pub, priv;

	(void)state;
	set_challenges();
	IS(PCIEHSM_CKR_NOT_ACTIVATED, ha_login(token, PCIEHSM_ROLE_CO, LIT(CHALLENGE), NULL));
	assert_int_equal(attempts(PARTITION_A), 10);
	assert_int_equal(attempts(PARTITION_B), 10);
	activate(PARTITION_B);
	login_by_challenge();
	OK(ec_pair(1, "a", &pub, &priv));
	wait_for(0, HA_MEMBER_DOWN, "not activated");
	OK(ha_logout(token));
	/* The password is good everywhere, and activates what it is used on. */
	login();
	wait_for(0, HA_MEMBER_ALIVE, "");
	OK(ha_logout(token));
	login_by_challenge();
	wait_for(0, HA_MEMBER_ALIVE, "");
	wait_for(1, HA_MEMBER_ALIVE, "");
	/* Where the challenge is not known it is not tried either. */
	OK(ha_logout(token));
	set_policy(PARTITION_B, 22, 0);
	login_by_challenge();
	wait_for(1, HA_MEMBER_DOWN, "not activated");
	assert_int_equal(attempts(PARTITION_B), 10);
}

#define WITH_GROUP(f) cmocka_unit_test_setup_teardown(f, with_group, without_group)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_GROUP(power_lost),
		WITH_GROUP(power_lost_with_policy_23),
		WITH_GROUP(deactivated_at_work),
		WITH_GROUP(deactivated_everywhere),
		WITH_GROUP(login_where_one_is_activated),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
