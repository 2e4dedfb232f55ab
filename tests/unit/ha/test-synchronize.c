// SPDX-License-Identifier: GPL-2.0-or-later
/* Synchronizing on request: a member that fails on the way holds back none of the others. */
#include <pthread.h>

#include "fixture.h"

#define CARD_C		777777
#define CARD_C_BASE	700001
#define PARTITION_C	"777777700001"

static char failing[32];
static pthread_t who_synchronizes;

/*
 * Only at a question of who synchronizes. The other engine's threads compare the members, too,
 * as one has just come: pulled out at their question the member would be gone before
 * synchronizing begins, and who is not there has not failed.
 */
static enum loopback_fault fails_at_digest(void *arg, const char *serial, uint32_t op)
{
	(void)arg;
	return op == PCIEHSM_OP_DIGEST && !strcmp(serial, failing) &&
	       pthread_equal(pthread_self(), who_synchronizes) ? LOOPBACK_PULLED : LOOPBACK_WORKS;
}

static void third_member(void)
{
	struct pciehsm_bus *bus = loopback_bus(lb);
	char serial[25];

	loopback_add(lb, CARD_C, CARD_C_BASE);
	cards_partition(bus, CARD_C, "par2", DOMAIN, serial);
	assert_string_equal(serial, PARTITION_C);
	bus->ops->close(bus);
	write_config("{ \"version\": 1, \"generation\": 7, \"groups\": [ {"
		     " \"label\": \"" GROUP_LABEL "\", \"number\": \"" GROUP_NUMBER "\","
		     " \"slot\": 5, \"synchronize\": false,"
		     " \"members\": [ { \"serial\": \"" PARTITION_A "\" },"
		     " { \"serial\": \"" PARTITION_B "\" }, { \"serial\": \"" PARTITION_C "\" } ] } ] }");
}

static CK_RV synchronize(struct ha *admin, struct ha_sync_report *report, char *error, size_t len)
{
	return ha_group_synchronize(admin, GROUP_LABEL, CO_PIN, strlen(CO_PIN), report, NULL, NULL,
				    error, len);
}

static uint32_t objects_on(const char *serial)
{
	struct pciehsm_bus *bus = loopback_bus(lb);
	struct pciehsm_transport *t = cards_open(bus, serial);
	struct pciehsm_digest_info info;

	OK(pciehsm_digest(t, &info));
	t->ops->close(t);
	bus->ops->close(bus);
	return info.objects;
}

static void one_fails(unsigned int card, const char *serial, const char *other)
{
	struct ha_sync_report report;
	struct ha_ouid pub, priv;
	char error[512] = "";
	struct ha_env *env;
	struct ha *admin;

	login();
	OK(ec_pair(1, "a", &pub, &priv));
	ha_logout(token);
	third_member();
	assert_int_equal(ha_env_system_over(loopback_bus(lb), config_path, &env), 0);
	assert_int_equal(ha_open(env, HA_OPEN_ADMIN, &admin), 0);
	snprintf(failing, sizeof(failing), "%s", serial);
	/* An administrator's engine has no threads of its own: its questions come from this one. */
	who_synchronizes = pthread_self();
	loopback_set_filter(lb, fails_at_digest, NULL);
	assert_int_not_equal(synchronize(admin, &report, error, sizeof(error)), CKR_OK);
	loopback_set_filter(lb, NULL, NULL);
	if (!strstr(error, serial) || strstr(error, other))
		fail_msg("\"%s\"", error);
	/* The new one has got everything from the one that was left. */
	assert_int_equal(report.copied, 2);
	assert_int_equal(report.objects, 2);
	assert_int_equal(objects_on(PARTITION_C), 2);
	loopback_return(lb, card);
	OK(synchronize(admin, &report, error, sizeof(error)));
	assert_int_equal(objects_on(serial), 2);
	ha_close(admin);
	ha_env_free(env);
}

static void member_fails(void **state)
{
	(void)state;
	one_fails(CARD_B, PARTITION_B, PARTITION_A);
}

static void first_member_fails(void **state)
{
	(void)state;
	one_fails(CARD_A, PARTITION_A, PARTITION_B);
}

#define WITH_GROUP(f) cmocka_unit_test_setup_teardown(f, with_group, without_group)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_GROUP(member_fails),
		WITH_GROUP(first_member_fails),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
