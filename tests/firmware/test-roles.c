// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Roles, passwords and what wrong ones bring about.
 */
#include "card.h"

#include <sys/wait.h>
#include <unistd.h>

/* Logs in with a wrong password; gives the attempts that the answer says are left. */
static unsigned long wrong(struct card *c, uint32_t part, uint32_t role, uint32_t *left)
{
	unsigned long rv;
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_LOGIN, 0);
	fwmsg_u32(&m, PCIEHSM_F_ROLE, role);
	fwmsg_text(&m, PCIEHSM_F_PIN, "not the password");
	rv = fwmsg_run(&m, c->fw, part, 99);
	*left = fwmsg_has(&m, PCIEHSM_F_ATTEMPTS) ? fwmsg_get_u32(&m, PCIEHSM_F_ATTEMPTS) : 1000;
	fwmsg_free(&m);
	return rv;
}

static uint32_t role_flags(struct card *c, uint32_t part, uint32_t ctx, uint32_t role,
			   uint32_t *attempts)
{
	const uint8_t *p;
	struct fwmsg m;
	uint32_t v[4];
	size_t len;

	fwmsg_begin(&m, PCIEHSM_OP_ROLE_INFO, 0);
	assert_ok(fwmsg_run(&m, c->fw, part, ctx));
	p = fwmsg_get(&m, PCIEHSM_F_ROLES, &len);
	for (; len; len -= 16, p += 16) {
		memcpy(v, p, 16);
		if (v[0] == role)
			break;
	}
	assert_true(len > 0);
	fwmsg_free(&m);
	if (attempts)
		*attempts = v[2];
	return v[1];
}

static void test_blank_card(void **state)
{
	struct card *c = card_new(5);
	uint32_t number;

	(void)state;
	assert_rv(card_login(c, 0, CTX_SO, PCIEHSM_ROLE_SO, SO_PIN), CKR_USER_PIN_NOT_INITIALIZED);
	assert_rv(card_partition_create(c, CTX_SO, &number), PCIEHSM_CKR_NOT_INITIALISED);
	assert_rv(card_hsm_init(c, "card", "short"), CKR_PIN_LEN_RANGE);
	assert_ok(card_hsm_init(c, "card", SO_PIN));
	assert_rv(card_partition_create(c, CTX_SO, &number), CKR_USER_NOT_LOGGED_IN);
	assert_ok(card_login(c, 0, CTX_SO, PCIEHSM_ROLE_SO, SO_PIN));
	assert_rv(card_login(c, 0, CTX_SO, PCIEHSM_ROLE_SO, SO_PIN), CKR_USER_ALREADY_LOGGED_IN);
	assert_rv(card_login(c, 0, CTX_SO, PCIEHSM_ROLE_AU, SO_PIN),
		  CKR_USER_ANOTHER_ALREADY_LOGGED_IN);
	assert_rv(card_login(c, 0, 9, PCIEHSM_ROLE_PO, SO_PIN), CKR_USER_TYPE_INVALID);
	assert_rv(card_login(c, 0, 9, 77, SO_PIN), CKR_USER_TYPE_INVALID);
	assert_ok(card_logout(c, 0, CTX_SO));
	assert_rv(card_logout(c, 0, CTX_SO), CKR_USER_NOT_LOGGED_IN);
	card_free(c);
}

static void test_who_makes_whom(void **state)
{
	struct card *c = card_ready(5, DOMAIN);
	uint32_t p = c->part;

	(void)state;
	assert_rv(card_role_init(c, p, CTX_CO, PCIEHSM_ROLE_CO, FIRST_PIN),
		  CKR_USER_NOT_LOGGED_IN);
	assert_rv(card_role_init(c, p, CTX_PO, PCIEHSM_ROLE_CO, FIRST_PIN),
		  CKR_ACTION_PROHIBITED);
	assert_rv(card_role_init(c, p, CTX_PO, PCIEHSM_ROLE_CU, FIRST_PIN),
		  CKR_USER_NOT_LOGGED_IN);
	assert_rv(card_role_init(c, p, CTX_CO, PCIEHSM_ROLE_PO, FIRST_PIN),
		  CKR_USER_TYPE_INVALID);
	assert_rv(card_role_init(c, p, CTX_CO, PCIEHSM_ROLE_LCO, "1234567"), CKR_PIN_LEN_RANGE);
	assert_ok(card_role_init(c, p, CTX_CO, PCIEHSM_ROLE_LCO, "12345678"));
	assert_ok(card_role_init(c, 0, CTX_SO, PCIEHSM_ROLE_AU, FIRST_PIN));
	assert_rv(card_role_init(c, 0, CTX_SO, PCIEHSM_ROLE_CO, FIRST_PIN),
		  CKR_USER_TYPE_INVALID);
	card_free(c);
}

static void test_must_change(void **state)
{
	struct card *c = card_ready(5, DOMAIN);
	uint32_t p = c->part;
	unsigned int n;
	struct fwmsg m;

	(void)state;
	assert_ok(card_role_init(c, p, CTX_CO, PCIEHSM_ROLE_LCO, FIRST_PIN));
	fwmsg_begin(&m, PCIEHSM_OP_LOGIN, 0);
	fwmsg_u32(&m, PCIEHSM_F_ROLE, PCIEHSM_ROLE_LCO);
	fwmsg_text(&m, PCIEHSM_F_PIN, FIRST_PIN);
	assert_ok(fwmsg_run(&m, c->fw, p, 20));
	assert_int_equal(fwmsg_get_u32(&m, PCIEHSM_F_FLAGS), PCIEHSM_LOGIN_MUST_CHANGE);
	fwmsg_free(&m);
	assert_true(role_flags(c, p, 20, PCIEHSM_ROLE_LCO, NULL) & PCIEHSM_ROLE_MUST_CHANGE_FLAG);
	assert_rv(card_find(c, 20, NULL, &n, NULL), CKR_PIN_EXPIRED);
	assert_rv(card_data(c, 20, 1, "x", false), CKR_PIN_EXPIRED);
	/* What needs no login works. */
	assert_ok(card_simple(c, p, 20, PCIEHSM_OP_PARTITION_INFO));
	assert_ok(card_simple(c, p, 20, PCIEHSM_OP_PING));
	assert_rv(card_set_pin(c, p, 20, PCIEHSM_ROLE_LCO, FIRST_PIN, FIRST_PIN),
		  CKR_PIN_INVALID);
	assert_ok(card_set_pin(c, p, 20, PCIEHSM_ROLE_LCO, FIRST_PIN, "my own password"));
	assert_ok(card_find(c, 20, NULL, &n, NULL));
	assert_ok(card_data(c, 20, 1, "x", true));
	assert_rv(card_destroy(c, 20, 1, 0), CKR_USER_NOT_LOGGED_IN);
	assert_rv(card_set_text(c, 20, 1, CKA_LABEL, "y"), CKR_USER_NOT_LOGGED_IN);
	assert_rv(card_login(c, p, 21, PCIEHSM_ROLE_LCO, FIRST_PIN), CKR_PIN_INCORRECT);
	card_free(c);
}

static void test_set_pin(void **state)
{
	struct card *c = card_ready(5, DOMAIN);
	uint32_t p = c->part, left;

	(void)state;
	/* A new password that can not be is refused before the old one is tried. */
	assert_rv(card_set_pin(c, p, 20, PCIEHSM_ROLE_CO, "wrong-password", "short"),
		  CKR_PIN_LEN_RANGE);
	role_flags(c, p, 20, PCIEHSM_ROLE_CO, &left);
	assert_int_equal(left, 10);
	assert_rv(card_set_pin(c, p, 20, PCIEHSM_ROLE_CO, "wrong-password", "long enough"),
		  CKR_PIN_INCORRECT);
	role_flags(c, p, 20, PCIEHSM_ROLE_CO, &left);
	assert_int_equal(left, 9);
	assert_ok(card_set_pin(c, p, 20, PCIEHSM_ROLE_CO, CO_PIN, "long enough"));
	role_flags(c, p, 20, PCIEHSM_ROLE_CO, &left);
	assert_int_equal(left, 10);
	assert_rv(card_login(c, p, 20, PCIEHSM_ROLE_CO, CO_PIN), CKR_PIN_INCORRECT);
	card_power_cycle(c);
	assert_ok(card_login(c, p, 20, PCIEHSM_ROLE_CO, "long enough"));
	card_free(c);
}

static void test_co_lockout(void **state)
{
	struct card *c = card_ready(5, DOMAIN);
	uint32_t p = c->part, left, i;
	struct fwmsg m;

	(void)state;
	for (i = 9; i > 4; i--) {
		assert_rv(wrong(c, p, PCIEHSM_ROLE_CO, &left), CKR_PIN_INCORRECT);
		assert_int_equal(left, i);
	}
	/* Switching the card off gives no attempt back. */
	card_power_cycle(c);
	role_flags(c, p, 20, PCIEHSM_ROLE_CO, &left);
	assert_int_equal(left, 5);
	/* The right one does. */
	assert_ok(card_login(c, p, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
	for (i = 10; i-- > 0; ) {
		assert_rv(wrong(c, p, PCIEHSM_ROLE_CO, &left), CKR_PIN_INCORRECT);
		assert_int_equal(left, i);
	}
	assert_rv(wrong(c, p, PCIEHSM_ROLE_CO, &left), CKR_PIN_LOCKED);
	assert_int_equal(left, 0);
	assert_rv(card_login(c, p, 20, PCIEHSM_ROLE_CO, CO_PIN), CKR_PIN_LOCKED);
	/* Whoever is below is locked out, too. */
	assert_rv(card_login(c, p, 20, PCIEHSM_ROLE_CU, CU_PIN), CKR_PIN_LOCKED);
	assert_true(role_flags(c, p, 20, PCIEHSM_ROLE_CO, NULL) & PCIEHSM_ROLE_LOCKED_FLAG);
	card_power_cycle(c);
	assert_rv(card_login(c, p, 20, PCIEHSM_ROLE_CO, CO_PIN), CKR_PIN_LOCKED);
	/* The PO resets it only where the HSM's policy says so. */
	assert_ok(card_login(c, p, CTX_PO, PCIEHSM_ROLE_PO, PO_PIN));
	fwmsg_begin(&m, PCIEHSM_OP_ROLE_RESET_PIN, 0);
	fwmsg_u32(&m, PCIEHSM_F_ROLE, PCIEHSM_ROLE_CO);
	fwmsg_text(&m, PCIEHSM_F_NEW_PIN, "from the PO");
	assert_rv(fwmsg_run(&m, c->fw, p, CTX_PO), PCIEHSM_CKR_POLICY);
	fwmsg_free(&m);
	card_free(c);
}

static void test_reset(void **state)
{
	struct card *c = card_new(5);
	uint32_t p, left;
	unsigned int n;
	struct fwmsg m;

	(void)state;
	assert_ok(card_hsm_init(c, "card", SO_PIN));
	assert_ok(card_login(c, 0, CTX_SO, PCIEHSM_ROLE_SO, SO_PIN));
	assert_ok(card_policy(c, 0, CTX_SO, 15, 1));
	assert_ok(card_partition_create(c, CTX_SO, &p));
	c->part = p;
	assert_ok(card_partition_init(c, p, CTX_PO, "p", PO_PIN, DOMAIN));
	card_make_roles(c, p);
	for (unsigned int i = 0; i < 11; i++)
		wrong(c, p, PCIEHSM_ROLE_CO, &left);
	fwmsg_begin(&m, PCIEHSM_OP_ROLE_RESET_PIN, 0);
	fwmsg_u32(&m, PCIEHSM_F_ROLE, PCIEHSM_ROLE_CO);
	fwmsg_text(&m, PCIEHSM_F_NEW_PIN, "from the PO");
	assert_rv(fwmsg_run(&m, c->fw, p, CTX_CO), CKR_USER_NOT_LOGGED_IN);
	assert_ok(fwmsg_run(&m, c->fw, p, CTX_PO));
	fwmsg_free(&m);
	/* Who was logged in is out; who comes in anew must change somebody else's choice. */
	assert_rv(card_data(c, CTX_CO, 1, "x", true), CKR_USER_NOT_LOGGED_IN);
	assert_ok(card_login(c, p, CTX_CO, PCIEHSM_ROLE_CO, "from the PO"));
	assert_rv(card_find(c, CTX_CO, NULL, &n, NULL), CKR_PIN_EXPIRED);
	assert_ok(card_set_pin(c, p, CTX_CO, PCIEHSM_ROLE_CO, "from the PO", CO_PIN));
	assert_ok(card_find(c, CTX_CO, NULL, &n, NULL));
	/* The CO resets the CU; the attempts are as new. */
	for (unsigned int i = 0; i < 11; i++)
		wrong(c, p, PCIEHSM_ROLE_CU, &left);
	assert_int_equal(left, 0);
	fwmsg_begin(&m, PCIEHSM_OP_ROLE_RESET_PIN, 0);
	fwmsg_u32(&m, PCIEHSM_F_ROLE, PCIEHSM_ROLE_CU);
	fwmsg_text(&m, PCIEHSM_F_NEW_PIN, "from the CO");
	assert_ok(fwmsg_run(&m, c->fw, p, CTX_CO));
	fwmsg_free(&m);
	role_flags(c, p, 20, PCIEHSM_ROLE_CU, &left);
	assert_int_equal(left, 10);
	card_free(c);
}

static void test_limit_by_policy(void **state)
{
	struct card *c = card_ready(5, DOMAIN);
	uint32_t left;

	(void)state;
	assert_rv(card_policy(c, c->part, CTX_PO, 20, 0), CKR_ARGUMENTS_BAD);
	assert_rv(card_policy(c, c->part, CTX_PO, 20, 11), CKR_ARGUMENTS_BAD);
	assert_rv(card_policy(c, c->part, CTX_CO, 20, 3), CKR_USER_NOT_LOGGED_IN);
	assert_ok(card_policy(c, c->part, CTX_PO, 20, 3));
	wrong(c, c->part, PCIEHSM_ROLE_CU, &left);
	assert_int_equal(left, 2);
	wrong(c, c->part, PCIEHSM_ROLE_CU, &left);
	wrong(c, c->part, PCIEHSM_ROLE_CU, &left);
	assert_rv(card_login(c, c->part, 20, PCIEHSM_ROLE_CU, CU_PIN), CKR_PIN_LOCKED);
	/* The one above is not. */
	assert_ok(card_login(c, c->part, 20, PCIEHSM_ROLE_CO, CO_PIN));
	card_free(c);
}

static void test_po_ten_times(void **state)
{
	struct card *c = card_ready(5, DOMAIN);
	struct hsm_fw_partition list;
	uint32_t p = c->part, left;
	unsigned int n;

	(void)state;
	assert_ok(card_data(c, CTX_CO, 1, "doomed", true));
	for (uint32_t i = 10; i-- > 1; ) {
		assert_rv(wrong(c, p, PCIEHSM_ROLE_PO, &left), CKR_PIN_INCORRECT);
		assert_int_equal(left, i);
	}
	assert_ok(card_find(c, CTX_CO, "doomed", &n, NULL));
	assert_int_equal(n, 1);
	c->events = 0;
	assert_rv(wrong(c, p, PCIEHSM_ROLE_PO, &left), CKR_PIN_INCORRECT);
	assert_int_equal(left, 0);
	assert_int_equal(count_events(c, HSM_FW_PARTITION_CHANGED, p), 1);
	/* The partition is there, but nothing of what was in it. */
	assert_int_equal(hsm_fw_partitions(c->fw, &list, 1), 1);
	assert_false(list.initialised);
	assert_rv(card_find(c, CTX_CO, NULL, &n, NULL), PCIEHSM_CKR_NOT_INITIALISED);
	assert_rv(card_login(c, p, 20, PCIEHSM_ROLE_PO, PO_PIN), CKR_USER_PIN_NOT_INITIALIZED);
	card_power_cycle(c);
	assert_rv(card_login(c, p, 20, PCIEHSM_ROLE_CO, CO_PIN), CKR_USER_PIN_NOT_INITIALIZED);
	assert_ok(card_partition_init(c, p, CTX_PO, "again", PO_PIN, DOMAIN));
	card_make_roles(c, p);
	assert_ok(card_find(c, CTX_CO, NULL, &n, NULL));
	assert_int_equal(n, 0);
	card_free(c);
}

static void test_so_three_times(void **state)
{
	struct card *c = card_ready(5, DOMAIN);
	uint32_t left, p = c->part;
	struct fwmsg m;

	(void)state;
	assert_rv(wrong(c, 0, PCIEHSM_ROLE_SO, &left), CKR_PIN_INCORRECT);
	assert_int_equal(left, 2);
	card_power_cycle(c);
	/* hsm init with a wrong password is an attempt like any other. */
	assert_rv(card_hsm_init(c, "mine", "not the password"), CKR_PIN_INCORRECT);
	assert_int_equal(hsm_fw_partitions(c->fw, NULL, 0), 1);
	c->events = 0;
	assert_rv(wrong(c, 0, PCIEHSM_ROLE_SO, &left), CKR_PIN_INCORRECT);
	assert_int_equal(left, 0);
	assert_int_equal(count_events(c, HSM_FW_PARTITION_DELETED, p), 1);
	assert_int_equal(count_events(c, HSM_FW_HSM_CHANGED, 0), 1);
	assert_int_equal(hsm_fw_partitions(c->fw, NULL, 0), 0);
	fwmsg_begin(&m, PCIEHSM_OP_HSM_INFO, 0);
	assert_ok(fwmsg_run(&m, c->fw, 0, 20));
	assert_int_equal(fwmsg_get_u32(&m, PCIEHSM_F_FLAGS), PCIEHSM_HSM_ZEROIZED);
	fwmsg_free(&m);
	assert_rv(card_login(c, 0, 20, PCIEHSM_ROLE_SO, SO_PIN), CKR_USER_PIN_NOT_INITIALIZED);
	card_power_cycle(c);
	assert_int_equal(hsm_fw_partitions(c->fw, NULL, 0), 0);
	assert_ok(card_hsm_init(c, "again", "another password"));
	assert_ok(card_login(c, 0, 20, PCIEHSM_ROLE_SO, "another password"));
	/* Numbers are never used again. */
	assert_ok(card_partition_create(c, 20, &c->part));
	assert_int_equal(c->part, p + 1);
	card_free(c);
}

/* Each password is as good as it is, until the power goes where it would be looked at. */
static bool power_fails;

unsigned long __real_fw_pin_hash(const uint8_t *pin, size_t len, const uint8_t *salt,
				 uint32_t iterations, uint8_t *hash);
unsigned long __wrap_fw_pin_hash(const uint8_t *pin, size_t len, const uint8_t *salt,
				 uint32_t iterations, uint8_t *hash);

unsigned long __wrap_fw_pin_hash(const uint8_t *pin, size_t len, const uint8_t *salt,
				 uint32_t iterations, uint8_t *hash)
{
	if (power_fails)
		_exit(0);
	return __real_fw_pin_hash(pin, len, salt, iterations, hash);
}

/* Logs in when the attempt is recorded and the password not yet compared: there it ends. */
static void die_while_checking(struct card *c, uint32_t part, uint32_t role, const char *pin)
{
	char error[256] = "";
	int status;
	pid_t pid;

	hsm_fw_close(c->fw);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		if (hsm_fw_open(&c->config, &c->fw, error, sizeof(error)))
			_exit(1);
		power_fails = true;
		card_login(c, part, 99, role, pin);
		_exit(2);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	if (hsm_fw_open(&c->config, &c->fw, error, sizeof(error)))
		fail_msg("%s", error);
}

/* What the last attempt costs is not saved by cutting the power, whatever the password was. */
static void test_so_power_lost(void **state)
{
	static const char *const pins[] = { "not the password", SO_PIN };
	uint32_t left, i;
	struct card *c;
	struct fwmsg m;

	(void)state;
	for (i = 0; i < 2; i++) {
		c = card_ready(5, DOMAIN);
		wrong(c, 0, PCIEHSM_ROLE_SO, &left);
		/* One that is not the last one costs no more than itself. */
		die_while_checking(c, 0, PCIEHSM_ROLE_SO, pins[i]);
		role_flags(c, 0, 20, PCIEHSM_ROLE_SO, &left);
		assert_int_equal(left, 1);
		assert_int_equal(hsm_fw_partitions(c->fw, NULL, 0), 1);
		die_while_checking(c, 0, PCIEHSM_ROLE_SO, pins[i]);
		assert_int_equal(hsm_fw_partitions(c->fw, NULL, 0), 0);
		fwmsg_begin(&m, PCIEHSM_OP_HSM_INFO, 0);
		assert_ok(fwmsg_run(&m, c->fw, 0, 20));
		assert_int_equal(fwmsg_get_u32(&m, PCIEHSM_F_FLAGS), PCIEHSM_HSM_ZEROIZED);
		fwmsg_free(&m);
		assert_rv(card_login(c, 0, 20, PCIEHSM_ROLE_SO, SO_PIN),
			  CKR_USER_PIN_NOT_INITIALIZED);
		assert_ok(card_hsm_init(c, "again", SO_PIN));
		card_free(c);
	}
}

static void test_po_power_lost(void **state)
{
	struct card *c = card_ready(5, DOMAIN);
	uint32_t other, left, i;
	unsigned int n;

	(void)state;
	assert_ok(card_partition_create(c, CTX_SO, &other));
	assert_ok(card_partition_init(c, other, CTX_PO, "par1", PO_PIN, DOMAIN));
	assert_ok(card_data(c, CTX_CO, 1, "doomed", true));
	for (i = 0; i < 8; i++)
		wrong(c, c->part, PCIEHSM_ROLE_PO, &left);
	die_while_checking(c, c->part, PCIEHSM_ROLE_PO, "not the password");
	assert_ok(card_find(c, CTX_CO, "doomed", &n, NULL));
	assert_int_equal(n, 1);
	die_while_checking(c, c->part, PCIEHSM_ROLE_PO, "not the password");
	assert_ok(card_simple(c, c->part, 20, PCIEHSM_OP_PARTITION_INFO));
	assert_rv(card_login(c, c->part, 20, PCIEHSM_ROLE_PO, PO_PIN),
		  CKR_USER_PIN_NOT_INITIALIZED);
	/* Nobody else has to do with it. */
	assert_ok(card_login(c, 0, CTX_SO, PCIEHSM_ROLE_SO, SO_PIN));
	assert_ok(card_login(c, other, CTX_PO, PCIEHSM_ROLE_PO, PO_PIN));
	assert_ok(card_partition_init(c, c->part, CTX_PO, "again", PO_PIN, DOMAIN));
	card_make_roles(c, c->part);
	assert_ok(card_find(c, CTX_CO, NULL, &n, NULL));
	assert_int_equal(n, 0);
	card_free(c);
}

static uint64_t now;

static uint64_t fake_now(void *opaque)
{
	(void)opaque;
	return now;
}

static void test_auditor(void **state)
{
	struct card *c = card_ready(5, DOMAIN);
	uint32_t left;

	(void)state;
	hsm_fw_close(c->fw);
	c->config.now_ms = fake_now;
	assert_int_equal(hsm_fw_open(&c->config, &c->fw, NULL, 0), 0);
	assert_ok(card_login(c, 0, CTX_SO, PCIEHSM_ROLE_SO, SO_PIN));
	assert_ok(card_role_init(c, 0, CTX_SO, PCIEHSM_ROLE_AU, FIRST_PIN));
	for (unsigned int i = 0; i < 3; i++)
		assert_rv(wrong(c, 0, PCIEHSM_ROLE_AU, &left), CKR_PIN_INCORRECT);
	assert_rv(card_login(c, 0, 20, PCIEHSM_ROLE_AU, FIRST_PIN), CKR_PIN_LOCKED);
	now += 10 * 60 * 1000 - 1;
	assert_rv(card_login(c, 0, 20, PCIEHSM_ROLE_AU, FIRST_PIN), CKR_PIN_LOCKED);
	now += 1;
	assert_ok(card_login(c, 0, 20, PCIEHSM_ROLE_AU, FIRST_PIN));
	/* Switching it off does not end the lock, however long the machine is up. */
	for (unsigned int i = 0; i < 3; i++)
		assert_rv(wrong(c, 0, PCIEHSM_ROLE_AU, &left), CKR_PIN_INCORRECT);
	card_power_cycle(c);
	assert_rv(wrong(c, 0, PCIEHSM_ROLE_AU, &left), CKR_PIN_LOCKED);
	now += 10 * 60 * 1000;
	assert_ok(card_login(c, 0, 20, PCIEHSM_ROLE_AU, FIRST_PIN));
	card_free(c);
}

static void test_reinit_by_po(void **state)
{
	struct card *c = card_ready(5, DOMAIN);
	uint32_t p = c->part;
	unsigned int n;

	(void)state;
	assert_ok(card_data(c, CTX_CO, 1, "doomed", true));
	assert_rv(card_partition_init(c, p, CTX_CO, "new", PO_PIN, DOMAIN),
		  CKR_USER_NOT_LOGGED_IN);
	assert_rv(card_partition_init(c, p, CTX_PO, "new", "not the password", DOMAIN),
		  CKR_PIN_INCORRECT);
	assert_ok(card_find(c, CTX_CO, "doomed", &n, NULL));
	assert_int_equal(n, 1);
	assert_ok(card_partition_init(c, p, CTX_PO, "new", PO_PIN, "new domain"));
	/* Everybody else's login is void; the roles below are gone. */
	assert_rv(card_data(c, CTX_CO, 2, "x", true), CKR_USER_NOT_LOGGED_IN);
	assert_rv(card_login(c, p, 20, PCIEHSM_ROLE_CO, CO_PIN), CKR_USER_PIN_NOT_INITIALIZED);
	assert_ok(card_role_init(c, p, CTX_PO, PCIEHSM_ROLE_CO, FIRST_PIN));
	assert_ok(card_set_pin(c, p, 20, PCIEHSM_ROLE_CO, FIRST_PIN, CO_PIN));
	assert_ok(card_login(c, p, 20, PCIEHSM_ROLE_CO, CO_PIN));
	assert_ok(card_find(c, 20, NULL, &n, NULL));
	assert_int_equal(n, 0);
	/* Not even a tombstone: the name is free. */
	assert_ok(card_data(c, 20, 1, "x", true));
	card_free(c);
}

static void test_powers(void **state)
{
	struct card *c = card_ready(5, DOMAIN);
	uint8_t sig[64];
	size_t len = sizeof(sig);
	unsigned int n;

	(void)state;
	assert_ok(card_ec(c, CTX_CO, 1, "key", true));
	/* CU uses, but does not change the token. */
	assert_ok(card_sign(c, CTX_CU, 2, CKM_ECDSA, "12345678901234567890", 20, sig, &len));
	assert_rv(card_destroy(c, CTX_CU, 2, 0), CKR_USER_NOT_LOGGED_IN);
	assert_rv(card_set_text(c, CTX_CU, 2, CKA_LABEL, "x"), CKR_USER_NOT_LOGGED_IN);
	assert_rv(card_data(c, CTX_CU, 10, "x", true), CKR_USER_NOT_LOGGED_IN);
	assert_ok(card_data(c, CTX_CU, 10, "x", false));
	assert_rv(card_simple(c, c->part, CTX_CU, PCIEHSM_OP_PARTITION_CLEAR),
		  CKR_USER_NOT_LOGGED_IN);
	/* PO and nobody see what is public. */
	assert_ok(card_find(c, CTX_PO, "key", &n, NULL));
	assert_int_equal(n, 1);
	assert_ok(card_find(c, 50, "key", &n, NULL));
	assert_int_equal(n, 1);
	assert_rv(card_sign(c, 50, 2, CKM_ECDSA, "12345678901234567890", 20, sig, &len),
		  CKR_KEY_HANDLE_INVALID);
	assert_rv(card_sign(c, CTX_PO, 2, CKM_ECDSA, "12345678901234567890", 20, sig, &len),
		  CKR_KEY_HANDLE_INVALID);
	/* A login ends, and so does what it could see. */
	assert_ok(card_logout(c, c->part, CTX_CU));
	assert_rv(card_sign(c, CTX_CU, 2, CKM_ECDSA, "12345678901234567890", 20, sig, &len),
		  CKR_KEY_HANDLE_INVALID);
	card_free(c);
}

static void test_login_is_the_contexts(void **state)
{
	struct card *c = card_ready(5, DOMAIN);
	unsigned int n;

	(void)state;
	assert_ok(card_ec(c, CTX_CO, 1, "key", true));
	hsm_fw_context_close(c->fw, CTX_CO);
	assert_ok(card_find(c, CTX_CO, "key", &n, NULL));
	assert_int_equal(n, 1);
	hsm_fw_reset(c->fw);
	assert_rv(card_destroy(c, CTX_CU, 1, 0), CKR_USER_NOT_LOGGED_IN);
	assert_rv(card_role_init(c, c->part, CTX_PO, PCIEHSM_ROLE_LCO, FIRST_PIN),
		  CKR_USER_NOT_LOGGED_IN);
	card_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blank_card),
		cmocka_unit_test(test_who_makes_whom),
		cmocka_unit_test(test_must_change),
		cmocka_unit_test(test_set_pin),
		cmocka_unit_test(test_co_lockout),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_limit_by_policy),
		cmocka_unit_test(test_po_ten_times),
		cmocka_unit_test(test_so_three_times),
		cmocka_unit_test(test_so_power_lost),
		cmocka_unit_test(test_po_power_lost),
		cmocka_unit_test(test_auditor),
		cmocka_unit_test(test_reinit_by_po),
		cmocka_unit_test(test_powers),
		cmocka_unit_test(test_login_is_the_contexts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
