// SPDX-License-Identifier: GPL-2.0-or-later
/* Tests whose course is written down, one thing each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scripted.h"

void key_made(struct process *p, const char *label, bool token, struct key *key)
{
	CHECK_RV(make_pair(p, 1, label, token, &key->pub, &key->priv), CKR_OK);
	CHECK_RV(get_point(p, 1, &key->pub, key->point, &key->len), CKR_OK);
}

void key_works(struct process *p, const struct key *key)
{
	bool verified = false;

	CHECK_RV(sign_and_verify(p, 1, &key->priv, key->point, key->len, &verified), CKR_OK);
	CHECK(verified);
}

bool exists_on(unsigned int card, const struct ha_ouid *ouid)
{
	struct pciehsm_transport *t = machine_direct(card, true);
	CK_RV rv = pciehsm_object_get(t, 0, ouid->b, NULL, 0, NULL);

	t->ops->close(t);
	return rv == CKR_OK;
}

enum ha_member_state state_of(struct process *p, unsigned int index)
{
	static struct ha_group_status status;

	if (ha_group_status(p->ha, GROUP_LABEL, &status) || index >= status.n_members)
		return HA_MEMBER_DOWN;
	return status.members[index].state;
}

/* ---- the tests ---- */

static void replicates(void *arg)
{
	struct process p;
	struct key key;

	(void)arg;
	process_start(&p, 1, 0);
	LOGIN(&p);
	key_made(&p, "a", true, &key);
	CHECK(exists_on(0, &key.priv) && exists_on(1, &key.priv));
	CHECK(members_equal(2));
	CHECK_RV(ha_destroy(p.token, 1, &key.priv), CKR_OK);
	CHECK(!exists_on(0, &key.priv) && !exists_on(1, &key.priv));
	CHECK(members_equal(2));
	process_stop(&p);
}

static void survives_removal(void *arg)
{
	struct process p;
	struct key a, b;
	int i;

	(void)arg;
	process_start(&p, 1, 0);
	LOGIN(&p);
	key_made(&p, "a", true, &a);
	machine_pull(0);
	for (i = 0; i < 10; i++)
		key_works(&p, &a);
	key_made(&p, "b", true, &b);
	CHECK_RV(ha_destroy(p.token, 1, &a.pub), CKR_OK);
	CHECK(state_of(&p, 0) == HA_MEMBER_DOWN);
	machine_return(0);
	sim_sleep(3 * SIM_SECOND);
	CHECK(state_of(&p, 0) == HA_MEMBER_ALIVE);
	/* Deletions come to it, too; nothing that was deleted comes back. */
	CHECK(!exists_on(0, &a.pub) && exists_on(0, &b.priv));
	CHECK(members_equal(2));
	machine_pull(1);
	key_works(&p, &a);
	key_works(&p, &b);
	machine_return(1);
	process_stop(&p);
}

static int swap_member(struct ha_config *config, void *arg)
{
	struct ha_config_group *group = &config->groups[0];

	snprintf(group->members[group->n_members++].serial, 25, "%s", (const char *)arg);
	return 0;
}

static int drop_second(struct ha_config *config, void *arg)
{
	struct ha_config_group *group = &config->groups[0];

	(void)arg;
	memmove(&group->members[1], &group->members[2], sizeof(group->members[0]));
	group->n_members--;
	return 0;
}

/* The procedure that all this is for: a member is initialised anew under a running process. */
static void replaces_member(void *arg)
{
	char old[25], error[256];
	struct process p, admin;
	struct key a, b;
	int i;

	(void)arg;
	process_start(&p, 1, 0);
	process_start(&admin, 2, HA_OPEN_ADMIN);
	LOGIN(&p);
	key_made(&p, "a", true, &a);
	snprintf(old, sizeof(old), "%s", machine_serial(1));
	machine_reinit(1);
	for (i = 0; i < 10; i++)
		key_works(&p, &a);
	CHECK(state_of(&admin, 1) == HA_MEMBER_DOWN);
	CHECK_RV(ha_group_admit(admin.ha, GROUP_LABEL, machine_serial(1), CO_PIN, strlen(CO_PIN),
				error, sizeof(error)), CKR_OK);
	CHECK(!ha_config_edit(admin.ha, swap_member, (void *)(uintptr_t)machine_serial(1), error,
			      sizeof(error)));
	sim_sleep(SIM_SECOND);
	CHECK(exists_on(1, &a.priv));
	key_made(&p, "b", true, &b);
	CHECK(exists_on(1, &b.priv));
	CHECK(!ha_config_edit(admin.ha, drop_second, NULL, error, sizeof(error)));
	sim_sleep(SIM_SECOND);
	CHECK(members_equal(2));
	machine_pull(0);
	key_works(&p, &a);
	key_works(&p, &b);
	machine_return(0);
	process_stop(&admin);
	process_stop(&p);
}

static uint32_t attempts_on(unsigned int card)
{
	struct pciehsm_transport *t = machine_direct(card, false);
	struct pciehsm_role_info *list;
	uint32_t attempts = 0;
	size_t i, n;

	CHECK_RV(pciehsm_role_info(t, &list, &n), CKR_OK);
	for (i = 0; i < n; i++)
		if (le32toh(list[i].role) == PCIEHSM_ROLE_CO)
			attempts = le32toh(list[i].attempts);
	free(list);
	t->ops->close(t);
	return attempts;
}

static void wrong_password(void *arg)
{
	uint32_t attempts = 0;
	struct process p;

	(void)arg;
	process_start(&p, 1, 0);
	CHECK_RV(ha_login(p.token, PCIEHSM_ROLE_CO, WRONG_PIN, strlen(WRONG_PIN), &attempts),
		 CKR_PIN_INCORRECT);
	CHECK(attempts == 9);
	CHECK(machine_counts.refused == 1);
	CHECK(ha_login_role(p.token) == PCIEHSM_ROLE_NONE);
	LOGIN(&p);
	process_stop(&p);
}

/* The one member that was asked knows what became of it; nobody else has to be. */
static void lost_password(void *arg)
{
	uint32_t attempts = 0;
	struct process p;

	(void)arg;
	process_start(&p, 1, 0);
	machine_lose_answer(0, PCIEHSM_OP_LOGIN);
	CHECK_RV(ha_login(p.token, PCIEHSM_ROLE_CO, WRONG_PIN, strlen(WRONG_PIN), &attempts),
		 CKR_PIN_INCORRECT);
	CHECK(attempts == 9);
	CHECK(machine_counts.lost == 1);
	CHECK(machine_counts.refused == 1);
	CHECK_RV(ha_set_pin(p.token, PCIEHSM_ROLE_CO, WRONG_PIN, strlen(WRONG_PIN), "new password",
			    12), CKR_PIN_INCORRECT);
	machine_lose_answer(0, PCIEHSM_OP_ROLE_SET_PIN);
	CHECK_RV(ha_set_pin(p.token, PCIEHSM_ROLE_CO, WRONG_PIN, strlen(WRONG_PIN), "new password",
			    12), CKR_PIN_INCORRECT);
	CHECK(attempts_on(0) == 7);
	CHECK(attempts_on(1) == 10);
	/* Of a right one the answer may be lost, too. */
	machine_lose_answer(0, PCIEHSM_OP_LOGIN);
	LOGIN(&p);
	CHECK(attempts_on(0) == 10);
	process_stop(&p);
}

static void refused_member(void *arg)
{
	struct pciehsm_transport *t = machine_direct(1, false);
	struct process p;
	struct key a;
	int i;

	(void)arg;
	CHECK_RV(pciehsm_role_set_pin(t, PCIEHSM_ROLE_CO, CO_PIN, strlen(CO_PIN), WRONG_PIN,
				      strlen(WRONG_PIN), NULL), CKR_OK);
	t->ops->close(t);
	process_start(&p, 1, 0);
	LOGIN(&p);
	key_made(&p, "a", true, &a);
	for (i = 0; i < 20; i++) {
		key_works(&p, &a);
		sim_sleep(10 * SIM_SECOND);
	}
	CHECK(state_of(&p, 1) == HA_MEMBER_REFUSED);
	CHECK(machine_counts.refused == 1);
	/* Also when the card comes back, the same password is not tried there again. */
	machine_pull(1);
	sim_sleep(SIM_SECOND);
	machine_return(1);
	sim_sleep(5 * SIM_SECOND);
	CHECK(machine_counts.refused == 1);
	process_stop(&p);
}

static void hang(void *arg)
{
	struct process p;
	struct key a;
	uint64_t begun, longest = 0;
	int i;

	(void)arg;
	process_start(&p, 1, 0);
	LOGIN(&p);
	key_made(&p, "a", true, &a);
	machine_hang(0, sim_now() + 60 * SIM_SECOND, true);
	for (i = 0; i < 50; i++) {
		begun = sim_now();
		key_works(&p, &a);
		if (sim_now() - begun > longest)
			longest = sim_now() - begun;
	}
	/* The card's time-out is 2 s here. */
	CHECK(longest < 2100000);
	sim_sleep(60 * SIM_SECOND);
	machine_unhang(0);
	sim_sleep(60 * SIM_SECOND);
	CHECK(state_of(&p, 0) == HA_MEMBER_ALIVE);
	CHECK(members_equal(2));
	process_stop(&p);
}

static void session_objects(void *arg)
{
	struct ha_ouid key;
	struct process p;
	struct key a;

	(void)arg;
	process_start(&p, 1, 0);
	LOGIN(&p);
	key_made(&p, "a", false, &a);
	CHECK_RV(make_aes(&p, 2, "b", false, &key), CKR_OK);
	machine_pull(0);
	key_works(&p, &a);
	CHECK_RV(encrypt_parts(&p, 2, &key), CKR_OK);
	machine_return(0);
	sim_sleep(3 * SIM_SECOND);
	/* It was given to the member that came back. */
	machine_pull(1);
	key_works(&p, &a);
	CHECK_RV(encrypt_parts(&p, 2, &key), CKR_OK);
	machine_return(1);
	ha_session_close(p.token, 2);
	CHECK_RV(encrypt_parts(&p, 1, &key), CKR_KEY_HANDLE_INVALID);
	key_works(&p, &a);
	process_stop(&p);
}

static void reset(void *arg)
{
	struct process p;
	struct key a;
	int i;

	(void)arg;
	process_start(&p, 1, 0);
	LOGIN(&p);
	key_made(&p, "a", false, &a);
	for (i = 0; i < 10; i++) {
		machine_reset((unsigned int)i % 2);
		key_works(&p, &a);
		key_works(&p, &a);
		sim_sleep(100000);
	}
	process_stop(&p);
}

static void all_lost(void *arg)
{
	struct process p;
	struct key a;
	bool verified;

	(void)arg;
	process_start(&p, 1, 0);
	LOGIN(&p);
	key_made(&p, "a", true, &a);
	machine_pull(0);
	machine_pull(1);
	CHECK_RV(sign_and_verify(&p, 1, &a.priv, a.point, a.len, &verified), CKR_DEVICE_REMOVED);
	CHECK(!ha_token_present(p.token));
	sim_sleep(100 * SIM_SECOND);
	machine_return(1);
	sim_sleep(SIM_SECOND);
	/* activeEnhanced: nobody has to log in again. */
	key_works(&p, &a);
	machine_return(0);
	process_stop(&p);
}

static void broken_file(void *arg)
{
	struct process p;
	char *error;
	struct key a;

	(void)arg;
	process_start(&p, 1, 0);
	LOGIN(&p);
	key_made(&p, "a", true, &a);
	simenv_write("{ \"version\": 1,\n  \"groups\": [ ");
	sim_sleep(SIM_SECOND);
	error = ha_config_error(p.ha);
	CHECK(error && strstr(error, "line 2"));
	free(error);
	key_works(&p, &a);
	make_group(1, false);
	sim_sleep(SIM_SECOND);
	CHECK(!ha_config_error(p.ha));
	key_works(&p, &a);
	process_stop(&p);
}

static void standby(void *arg)
{
	struct pciehsm_partition_info info;
	struct pciehsm_transport *t;
	struct process p;
	struct key a;
	char text[512];
	int i;

	(void)arg;
	snprintf(text, sizeof(text),
		 "{\"version\":1,\"groups\":[{\"label\":\"%s\",\"number\":\"1\",\"slot\":%d,\"members\":[{\"serial\":\"%s\"},{\"serial\":\"%s\",\"standby\":true}]}]}",
		 GROUP_LABEL, GROUP_SLOT, machine_serial(0), machine_serial(1));
	simenv_write(text);
	process_start(&p, 1, 0);
	LOGIN(&p);
	key_made(&p, "a", true, &a);
	for (i = 0; i < 20; i++)
		key_works(&p, &a);
	CHECK(exists_on(1, &a.priv));
	t = machine_direct(1, false);
	CHECK_RV(pciehsm_partition_info(t, &info), CKR_OK);
	CHECK(info.stats[PCIEHSM_STAT_SIGN] == 0);
	t->ops->close(t);
	machine_pull(0);
	key_works(&p, &a);
	machine_return(0);
	process_stop(&p);
}

static uint64_t signatures_on(unsigned int card)
{
	struct pciehsm_transport *t = machine_direct(card, false);
	struct pciehsm_partition_info info;

	CHECK_RV(pciehsm_partition_info(t, &info), CKR_OK);
	t->ops->close(t);
	return info.stats[PCIEHSM_STAT_SIGN];
}

static void write_settings(const char *group, const char *first, const char *second)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "{\"version\":1,\"groups\":[{\"label\":\"%s\",\"number\":\"1%s\",\"slot\":%d,%s\"members\":[{\"serial\":\"%s\"%s},{\"serial\":\"%s\"%s}]}]}",
		 GROUP_LABEL, machine_serial(0), GROUP_SLOT, group, machine_serial(0), first,
		 machine_serial(1), second);
	simenv_write(text);
	/* Running processes obey within a second. */
	sim_sleep(SIM_SECOND);
}

static void drained_and_weighted(void *arg)
{
	uint64_t before[2];
	struct process p;
	struct key a;
	int i;

	(void)arg;
	process_start(&p, 1, 0);
	LOGIN(&p);
	key_made(&p, "a", true, &a);
	write_settings("", ",\"drain\":true", "");
	before[0] = signatures_on(0);
	for (i = 0; i < 20; i++)
		key_works(&p, &a);
	CHECK(signatures_on(0) == before[0]);
	machine_pull(1);
	key_works(&p, &a);
	CHECK(signatures_on(0) == before[0] + 1);
	machine_return(1);
	sim_sleep(5 * SIM_SECOND);
	write_settings("", ",\"weight\":3", "");
	before[0] = signatures_on(0);
	before[1] = signatures_on(1);
	for (i = 0; i < 40; i++)
		key_works(&p, &a);
	CHECK(signatures_on(0) == before[0] + 30);
	CHECK(signatures_on(1) == before[1] + 10);
	process_stop(&p);
}

static void too_few_copies(void *arg)
{
	struct process p;
	struct ha_ouid ouid;
	struct key a;

	(void)arg;
	process_start(&p, 1, 0);
	LOGIN(&p);
	write_settings("\"mincopies\":2,", "", "");
	key_made(&p, "a", true, &a);
	machine_pull(1);
	CHECK_RV(make_aes(&p, 1, "b", true, &ouid), PCIEHSM_CKR_COPIES);
	CHECK_RV(make_aes(&p, 1, "of a session", false, &ouid), CKR_OK);
	machine_return(1);
	sim_sleep(5 * SIM_SECOND);
	CHECK_RV(make_aes(&p, 1, "c", true, &ouid), CKR_OK);
	CHECK(exists_on(0, &ouid) && exists_on(1, &ouid));
	process_stop(&p);
}

static void synchronizes(void *arg)
{
	struct process p, admin;
	struct ha_sync_report report;
	char error[256];
	struct key a, b;

	(void)arg;
	process_start(&p, 1, 0);
	LOGIN(&p);
	key_made(&p, "a", true, &a);
	machine_pull(1);
	key_made(&p, "b", true, &b);
	CHECK_RV(ha_destroy(p.token, 1, &a.priv), CKR_OK);
	process_stop(&p);
	machine_return(1);
	CHECK(!members_equal(2));
	process_start(&admin, 2, HA_OPEN_ADMIN);
	CHECK_RV(ha_group_synchronize(admin.ha, GROUP_LABEL, CO_PIN, strlen(CO_PIN), &report, NULL,
				      NULL, error, sizeof(error)), CKR_OK);
	CHECK(report.objects == 3 && report.copied == 2 && report.deleted == 1 &&
	      report.conflicts == 0 && report.failed == 0);
	CHECK(members_equal(2));
	CHECK_RV(ha_group_synchronize(admin.ha, GROUP_LABEL, WRONG_PIN, strlen(WRONG_PIN), &report,
				      NULL, NULL, error, sizeof(error)), CKR_PIN_INCORRECT);
	CHECK(machine_counts.refused == 1);
	process_stop(&admin);
}

/* Half a replication: whoever looks next finishes it. */
static void finishes_for_dead(void *arg)
{
	struct pciehsm_transport *t = machine_direct(0, true);
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_BBOOL yes = CK_TRUE;
	CK_ATTRIBUTE attrs[] = {
		{ CKA_CLASS, &class, sizeof(class) }, { CKA_TOKEN, &yes, sizeof(yes) },
	};
	struct ha_ouid ouid = { { 1 } };
	struct process p;

	(void)arg;
	process_start(&p, 1, 0);
	LOGIN(&p);
	CHECK_RV(pciehsm_object_create(t, 0, ouid.b, 1, attrs, 2, NULL), CKR_OK);
	t->ops->close(t);
	sim_sleep(10 * SIM_SECOND);
	CHECK(exists_on(1, &ouid));
	CHECK(members_equal(2));
	process_stop(&p);
}

static void without_threads(void *arg)
{
	struct process p;
	struct key a, b;

	(void)arg;
	process_start(&p, 1, HA_OPEN_NO_THREADS);
	LOGIN(&p);
	key_made(&p, "a", true, &a);
	machine_pull(0);
	key_works(&p, &a);
	key_made(&p, "b", true, &b);
	machine_return(0);
	sim_sleep(SIM_SECOND);
	key_works(&p, &a);
	CHECK(exists_on(0, &b.priv));
	CHECK(members_equal(2));
	machine_pull(1);
	key_works(&p, &b);
	machine_return(1);
	process_stop(&p);
}

static const struct scripted tests[] = {
	{ "created, replicated, deleted everywhere", replicates },
	{ "a member is pulled out and comes back", survives_removal },
	{ "a member is replaced under a running process", replaces_member },
	{ "a wrong password costs one attempt on one member", wrong_password },
	{ "nor when its answer is lost", lost_password },
	{ "a member with another password is asked once", refused_member },
	{ "a member that hangs is left and found again", hang },
	{ "session objects survive their members", session_objects },
	{ "a reset of a card is not noticed", reset },
	{ "activeEnhanced outlives the loss of all members", all_lost },
	{ "a broken file disturbs nobody", broken_file },
	{ "a standby member has the keys and no work", standby },
	{ "a drained member has no work, a weighted one its share", drained_and_weighted },
	{ "what has too few copies is not made", too_few_copies },
	{ "synchronize reports what it did", synchronizes },
	{ "what a dead process left half done is finished", finishes_for_dead },
	{ "without threads the same inside calls", without_threads },
};

static unsigned int run_list(const struct scripted *list, unsigned int n, unsigned int *number)
{
	unsigned int i, failed = 0;

	for (i = 0; i < n; i++) {
		simenv_reset();
		machine_start(2);
		make_group(2, false);
		sim_start(1 + *number, list[i].fn, NULL);
		machine_stop();
		printf("%sok %u - %s\n", sim_failures() ? "not " : "", ++*number, list[i].name);
		if (sim_failures()) {
			sim_history(60);
			failed++;
		}
		fflush(stdout);
	}
	return failed;
}

static unsigned int count_of(const struct scripted *list)
{
	unsigned int n = 0;

	while (list[n].name)
		n++;
	return n;
}

unsigned int scripted_tests(unsigned int *number)
{
	return run_list(tests, sizeof(tests) / sizeof(tests[0]), number) +
	       run_list(admin_tests, count_of(admin_tests), number) +
	       run_list(lost_tests, count_of(lost_tests), number);
}

unsigned int scripted_count(void)
{
	return (unsigned int)(sizeof(tests) / sizeof(tests[0])) + count_of(admin_tests) +
	       count_of(lost_tests);
}
