// SPDX-License-Identifier: GPL-2.0-or-later
/* Tests whose course is written down: what an administrator does, slots, roles, settings. */
#include <stdio.h>
#include <stdlib.h>

#include "scripted.h"

#define CU_PIN		"crypto-user"

static void write_group(const char *settings, const char *members)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "{\"version\":1,%s\"groups\":[{\"label\":\"%s\",\"number\":\"1%s\",\"slot\":%d,\"members\":[%s]}]}",
		 settings, GROUP_LABEL, machine_serial(0), GROUP_SLOT, members);
	simenv_write(text);
}

static void write_first_only(const char *settings)
{
	char member[64];

	snprintf(member, sizeof(member), "{\"serial\":\"%s\"}", machine_serial(0));
	write_group(settings, member);
}

static CK_RV admit(struct process *p, const char *label, const char *serial, const char *pin,
		   const char *expected)
{
	char error[256] = "";
	CK_RV rv = ha_group_admit(p->ha, label, serial, pin, strlen(pin), error, sizeof(error));

	if (rv != CKR_OK && !strstr(error, expected))
		sim_fail("\"%s\" does not say \"%s\"", error, expected);
	return rv;
}

/* Initialise card 1's partition with these; CO's password is the initial one. */
static void init_second(const char *domain)
{
	struct pciehsm_transport *t = machine_direct(1, false);

	CHECK_RV(pciehsm_login(t, PCIEHSM_ROLE_PO, PO_PIN, strlen(PO_PIN), NULL, NULL), CKR_OK);
	CHECK_RV(pciehsm_partition_init(t, "other", PO_PIN, strlen(PO_PIN), domain,
					strlen(domain), NULL), CKR_OK);
	t->ops->close(t);
}

static void init_officer(bool change)
{
	struct pciehsm_transport *t = machine_direct(1, false);

	CHECK_RV(pciehsm_login(t, PCIEHSM_ROLE_PO, PO_PIN, strlen(PO_PIN), NULL, NULL), CKR_OK);
	CHECK_RV(pciehsm_role_init(t, PCIEHSM_ROLE_CO, "initial password", 16), CKR_OK);
	CHECK_RV(pciehsm_logout(t), CKR_OK);
	if (change)
		CHECK_RV(pciehsm_role_set_pin(t, PCIEHSM_ROLE_CO, "initial password", 16, CO_PIN,
					      strlen(CO_PIN), NULL), CKR_OK);
	t->ops->close(t);
}

static void admits(void *arg)
{
	struct process p;

	(void)arg;
	write_first_only("");
	process_start(&p, 1, HA_OPEN_ADMIN);
	CHECK_RV(admit(&p, GROUP_LABEL, machine_serial(1), CO_PIN, ""), CKR_OK);
	CHECK_RV(admit(&p, NULL, machine_serial(1), CO_PIN, ""), CKR_OK);
	CHECK_RV(admit(&p, GROUP_LABEL, machine_serial(0), CO_PIN, "is a member of group"),
		 CKR_ARGUMENTS_BAD);
	CHECK_RV(admit(&p, "other", machine_serial(1), CO_PIN, "no group \"other\""),
		 CKR_ARGUMENTS_BAD);
	CHECK_RV(admit(&p, GROUP_LABEL, "4711", CO_PIN, "no partition 4711"), CKR_DEVICE_REMOVED);
	CHECK_RV(admit(&p, GROUP_LABEL, machine_serial(1), WRONG_PIN, "9 attempts left"),
		 CKR_PIN_INCORRECT);
	CHECK(machine_counts.refused == 1);

	init_second("another domain");
	CHECK_RV(admit(&p, GROUP_LABEL, machine_serial(1), CO_PIN, "role init"),
		 CKR_USER_PIN_NOT_INITIALIZED);
	init_officer(false);
	CHECK_RV(admit(&p, GROUP_LABEL, machine_serial(1), "initial password", "role changepw"),
		 CKR_PIN_EXPIRED);
	init_second("another domain");
	init_officer(true);
	CHECK_RV(admit(&p, GROUP_LABEL, machine_serial(1), CO_PIN, "another cloning domain"),
		 PCIEHSM_CKR_DOMAIN_MISMATCH);
	init_second(DOMAIN);
	init_officer(true);
	CHECK_RV(admit(&p, GROUP_LABEL, machine_serial(1), CO_PIN, ""), CKR_OK);
	machine_pull(0);
	CHECK_RV(admit(&p, GROUP_LABEL, machine_serial(1), CO_PIN, "No member of the group"),
		 CKR_DEVICE_REMOVED);
	machine_return(0);
	CHECK(machine_counts.refused == 1);
	process_stop(&p);
}

/* A foreign member that got into the file all the same is kept out, and told of. */
static void other_domain(void *arg)
{
	static struct ha_group_status status;
	struct process p;
	struct key a;
	int i;

	(void)arg;
	init_second("another domain");
	init_officer(true);
	process_start(&p, 1, 0);
	LOGIN(&p);
	key_made(&p, "a", true, &a);
	for (i = 0; i < 10; i++)
		key_works(&p, &a);
	CHECK(!ha_group_status(p.ha, GROUP_LABEL, &status));
	CHECK(status.members[1].state == HA_MEMBER_REFUSED);
	CHECK(strstr(status.members[1].reason, "domain"));
	CHECK(!exists_on(1, &a.priv));
	process_stop(&p);
}

static void status(void *arg)
{
	static struct ha_group_status s;
	struct process p, admin;
	struct key a;
	uint64_t begun;

	(void)arg;
	process_start(&p, 1, 0);
	process_start(&admin, 2, HA_OPEN_ADMIN);
	LOGIN(&p);
	key_made(&p, "a", true, &a);
	CHECK(!ha_group_status(admin.ha, GROUP_LABEL, &s));
	CHECK(s.n_members == 2 && !s.needs_sync);
	CHECK(s.members[0].state == HA_MEMBER_ALIVE && s.members[1].state == HA_MEMBER_ALIVE);
	CHECK(s.members[0].slot == 0 && s.members[1].slot == 1);
	CHECK(s.members[0].objects == 2 && s.members[1].objects == 2);
	CHECK(!strcmp(s.members[0].label, "member"));
	CHECK(ha_group_status(admin.ha, "other", &s) == -ENOENT);

	/* Members that hang cost one time-out for all of them. */
	machine_hang(0, sim_now() + 30 * SIM_SECOND, false);
	machine_hang(1, sim_now() + 30 * SIM_SECOND, false);
	begun = sim_now();
	CHECK(!ha_group_status(admin.ha, GROUP_LABEL, &s));
	CHECK(sim_now() - begun < 3500000);
	CHECK(s.members[0].state == HA_MEMBER_DOWN && s.members[1].state == HA_MEMBER_DOWN);
	CHECK(!strcmp(s.members[0].reason, "does not answer"));
	machine_unhang(0);
	machine_unhang(1);

	/* One that lacks what another has */
	process_stop(&p);
	machine_pull(1);
	process_start(&p, 1, 0);
	LOGIN(&p);
	key_made(&p, "b", true, &a);
	process_stop(&p);
	CHECK(!ha_group_status(admin.ha, GROUP_LABEL, &s));
	CHECK(!s.needs_sync && s.members[1].state == HA_MEMBER_DOWN);
	CHECK(s.members[1].slot == HA_SLOT_NONE);
	machine_return(1);
	CHECK(!ha_group_status(admin.ha, GROUP_LABEL, &s));
	CHECK(s.needs_sync);
	process_stop(&admin);
}

static unsigned int count_slots(struct process *p, unsigned int flags, uint32_t id, bool *there)
{
	struct ha_slot *list;
	int i, n = ha_slots(p->ha, flags, &list);

	*there = false;
	for (i = 0; i < n; i++)
		if (list[i].id == id)
			*there = true;
	if (n >= 0)
		free(list);
	return (unsigned int)n;
}

static void slots(void *arg)
{
	struct process p;
	uint32_t slot;
	bool there;

	(void)arg;
	CHECK(ha_slot_of(0, 1) == 0 && ha_slot_of(4, 1) == 4 && ha_slot_of(3, 0) == 103);
	CHECK(ha_slot_of(5, 1) == 1501 && ha_slot_of(0, 2) == 1002);
	process_start(&p, 1, 0);
	CHECK(count_slots(&p, 0, 100, &there) == 5 && there);
	CHECK(count_slots(&p, HA_SLOTS_APPLICATION, 0, &there) == 3 && there);
	CHECK(ha_wait_slot_event(p.ha, 0, &slot) == -EAGAIN);
	write_first_only("\"ha_only\":true,");
	sim_sleep(100000);
	CHECK(count_slots(&p, HA_SLOTS_APPLICATION, 0, &there) == 2 && !there);
	CHECK(count_slots(&p, HA_SLOTS_APPLICATION, GROUP_SLOT, &there) == 2 && there);
	CHECK(count_slots(&p, 0, 0, &there) == 5 && there);
	CHECK(!ha_wait_slot_event(p.ha, 1000, &slot) && slot == 0);
	machine_pull(1);
	CHECK(!ha_wait_slot_event(p.ha, 1000, &slot) && slot == 1);
	CHECK(count_slots(&p, HA_SLOTS_APPLICATION, 1, &there) == 1 && !there);
	machine_return(1);
	CHECK(!ha_wait_slot_event(p.ha, 1000, &slot) && slot == 1);
	CHECK(ha_wait_slot_event(p.ha, 1000, &slot) == -EAGAIN);
	ha_wake(p.ha);
	CHECK(ha_wait_slot_event(p.ha, -1, &slot) == -ECANCELED);
	CHECK(!ha_token(p.ha, 42) && !ha_token(p.ha, 100));
	/* A group that is deleted: its token stays, but is not present. */
	CHECK(ha_token_present(p.token));
	simenv_write("{\"version\":1}");
	sim_sleep(100000);
	CHECK(!ha_token_present(p.token));
	CHECK(ha_token(p.ha, GROUP_SLOT) == p.token);
	CHECK_RV(ha_login(p.token, PCIEHSM_ROLE_CO, CO_PIN, strlen(CO_PIN), NULL),
		 CKR_TOKEN_NOT_PRESENT);
	process_stop(&p);
}

static void plain_partition(void *arg)
{
	struct ha_token_info info;
	struct process p;
	struct key a;

	(void)arg;
	process_start(&p, 1, 0);
	p.token = ha_token(p.ha, 1);
	CHECK_RV(ha_token_info(p.token, &info), CKR_OK);
	CHECK(!strcmp(info.slot.serial, machine_serial(1)) && info.slot.id == 1);
	CHECK(info.co_attempts == 10 && info.co_limit == 10 && !info.co_locked);
	LOGIN(&p);
	key_made(&p, "a", true, &a);
	key_works(&p, &a);
	CHECK(!exists_on(0, &a.priv));
	/* A reset costs it nothing but what it had for sessions. */
	machine_reset(1);
	key_works(&p, &a);
	/* Pulled out it is logged out, as any token. */
	machine_pull(1);
	sim_sleep(SIM_SECOND);
	CHECK(ha_login_role(p.token) == PCIEHSM_ROLE_NONE);
	machine_return(1);
	sim_sleep(SIM_SECOND);
	LOGIN(&p);
	key_works(&p, &a);
	process_stop(&p);
}

static void basic_mode(void *arg)
{
	struct process p;
	struct key a;

	(void)arg;
	write_first_only("\"recovery_mode\":\"activeBasic\",");
	process_start(&p, 1, 0);
	LOGIN(&p);
	key_made(&p, "a", true, &a);
	machine_pull(0);
	sim_sleep(SIM_SECOND);
	CHECK(ha_login_role(p.token) == PCIEHSM_ROLE_NONE);
	machine_return(0);
	sim_sleep(SIM_SECOND);
	LOGIN(&p);
	key_works(&p, &a);
	process_stop(&p);
}

static void recovery_off(void *arg)
{
	char members[128];
	struct process p;
	struct key a;

	(void)arg;
	snprintf(members, sizeof(members), "{\"serial\":\"%s\"},{\"serial\":\"%s\"}",
		 machine_serial(0), machine_serial(1));
	write_group("\"retry_count\":0,", members);
	process_start(&p, 1, 0);
	LOGIN(&p);
	machine_pull(0);
	sim_sleep(SIM_SECOND);
	key_made(&p, "a", true, &a);
	machine_return(0);
	sim_sleep(200 * SIM_SECOND);
	CHECK(!exists_on(0, &a.priv));
	/* Switched on it takes effect in the running process. */
	write_group("\"retry_count\":-1,", members);
	sim_sleep(SIM_SECOND);
	CHECK(exists_on(0, &a.priv));
	process_stop(&p);
}

static void changes_password(void *arg)
{
	static const char fresh[] = "a new password";
	struct process p;
	struct key a;

	(void)arg;
	process_start(&p, 1, 0);
	LOGIN(&p);
	key_made(&p, "a", true, &a);
	CHECK_RV(ha_set_pin(p.token, PCIEHSM_ROLE_CO, WRONG_PIN, strlen(WRONG_PIN), fresh,
			    strlen(fresh)), CKR_PIN_INCORRECT);
	CHECK_RV(ha_set_pin(p.token, PCIEHSM_ROLE_CO, CO_PIN, strlen(CO_PIN), "short", 5),
		 CKR_PIN_LEN_RANGE);
	CHECK_RV(ha_set_pin(p.token, PCIEHSM_ROLE_CO, CO_PIN, strlen(CO_PIN), fresh,
			    strlen(fresh)), CKR_OK);
	/* The engine knows it: a reset member is logged in with it. */
	machine_reset(0);
	machine_reset(1);
	key_works(&p, &a);
	key_works(&p, &a);
	CHECK_RV(ha_logout(p.token), CKR_OK);
	CHECK_RV(ha_login(p.token, PCIEHSM_ROLE_CO, fresh, strlen(fresh), NULL), CKR_OK);
	machine_pull(0);
	key_works(&p, &a);
	machine_return(0);
	process_stop(&p);
}

static void crypto_user(void *arg)
{
	struct pciehsm_transport *t;
	struct process officer, user;
	unsigned int i;
	struct key a, b;

	(void)arg;
	process_start(&officer, 1, 0);
	LOGIN(&officer);
	for (i = 0; i < 2; i++) {
		t = machine_direct(i, true);
		CHECK_RV(pciehsm_role_init(t, PCIEHSM_ROLE_CU, "initial password", 16), CKR_OK);
		CHECK_RV(pciehsm_role_set_pin(t, PCIEHSM_ROLE_CU, "initial password", 16, CU_PIN,
					      strlen(CU_PIN), NULL), CKR_OK);
		t->ops->close(t);
	}
	key_made(&officer, "a", true, &a);
	process_start(&user, 2, 0);
	CHECK_RV(ha_login(user.token, PCIEHSM_ROLE_CU, CU_PIN, strlen(CU_PIN), NULL), CKR_OK);
	for (i = 0; i < 4; i++)
		key_works(&user, &a);
	machine_pull(0);
	key_works(&user, &a);
	/* It can not bring the member up to date; it works on with who is. */
	key_made(&officer, "b", true, &b);
	process_stop(&officer);
	machine_return(0);
	sim_sleep(SIM_SECOND);
	for (i = 0; i < 4; i++)
		key_works(&user, &b);
	CHECK(!exists_on(0, &b.priv));
	process_start(&officer, 1, 0);
	LOGIN(&officer);
	CHECK(exists_on(0, &b.priv));
	sim_sleep(6 * SIM_SECOND);
	machine_pull(1);
	key_works(&user, &b);
	machine_return(1);
	process_stop(&officer);
	process_stop(&user);
}

static void writes_log(void *arg)
{
	char error[256];
	struct process p;

	(void)arg;
	process_start(&p, 1, 0);
	LOGIN(&p);
	CHECK(simenv_log_lines("PHSM-2002") == 2);
	machine_pull(1);
	sim_sleep(SIM_SECOND);
	CHECK(simenv_log_lines("PHSM-2001") == 1);
	machine_return(1);
	sim_sleep(SIM_SECOND);
	CHECK(simenv_log_lines("PHSM-2002") == 3);
	simenv_write("{");
	sim_sleep(SIM_SECOND);
	CHECK(simenv_log_lines("PHSM-1101") == 1);
	CHECK(ha_config_edit(p.ha, NULL, NULL, error, sizeof(error)) == -EBADMSG);
	make_group(1, false);
	sim_sleep(SIM_SECOND);
	CHECK(simenv_log_lines("PHSM-1102") == 1);
	process_stop(&p);
}

const struct scripted admin_tests[] = {
	{ "admission checks all that it says", admits },
	{ "a member of another domain is kept out", other_domain },
	{ "status tells of each member", status },
	{ "slots, HA-only and slot events", slots },
	{ "a partition of its own", plain_partition },
	{ "activeBasic: the login ends with the last member", basic_mode },
	{ "retry count 0 is obeyed", recovery_off },
	{ "a password is changed on all members", changes_password },
	{ "a Crypto User works with who is up to date", crypto_user },
	{ "the log has its records", writes_log },
	{ NULL, NULL },
};
