// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Challenges: who may set one, when it is a login, what ends that, and what attempts it costs.
 */
#include "card.h"

#define CHALLENGE	"the challenge"
#define OTHER		"another challenge"

/* Contexts in which nobody is logged in at first */
#define CTX_A		20
#define CTX_B		21

#define NOT_ACTIVATED	PCIEHSM_CKR_NOT_ACTIVATED

static struct pciehsm_role_info info(struct card *c, uint32_t role)
{
	struct pciehsm_role_info found = { 0 };
	const uint8_t *p;
	struct fwmsg m;
	size_t len;

	fwmsg_begin(&m, PCIEHSM_OP_ROLE_INFO, 0);
	assert_ok(fwmsg_run(&m, c->fw, c->part, 90));
	p = fwmsg_get(&m, PCIEHSM_F_ROLES, &len);
	for (; len; len -= sizeof(found), p += sizeof(found)) {
		memcpy(&found, p, sizeof(found));
		if (found.role == role)
			break;
	}
	assert_true(len > 0);
	fwmsg_free(&m);
	return found;
}

static uint32_t attempts(struct card *c, uint32_t role)
{
	return info(c, role).attempts;
}

static bool has_challenge(struct card *c, uint32_t role)
{
	return info(c, role).flags & PCIEHSM_ROLE_CHALLENGE_FLAG;
}

static bool activated(struct card *c, uint32_t role)
{
	return info(c, role).flags & PCIEHSM_ROLE_ACTIVATED_FLAG;
}

/* Logs in and out again, in a context of its own; *@flags: of the answer */
static unsigned long try_login(struct card *c, uint32_t role, const char *pin, uint32_t *flags)
{
	unsigned long rv;
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_LOGIN, 0);
	fwmsg_u32(&m, PCIEHSM_F_ROLE, role);
	fwmsg_text(&m, PCIEHSM_F_PIN, pin);
	rv = fwmsg_run(&m, c->fw, c->part, 91);
	if (flags)
		*flags = rv == CKR_OK ? fwmsg_get_u32(&m, PCIEHSM_F_FLAGS) : 0;
	/* Attempts are told where one was lost, and nowhere else. */
	assert_int_equal(fwmsg_has(&m, PCIEHSM_F_ATTEMPTS),
			 rv == CKR_PIN_INCORRECT || rv == CKR_PIN_LOCKED);
	fwmsg_free(&m);
	if (rv == CKR_OK)
		assert_ok(card_logout(c, c->part, 91));
	return rv;
}

static unsigned long by(struct card *c, uint32_t role, const char *pin)
{
	return try_login(c, role, pin, NULL);
}

/* A card with policy 22 (and 23) on, whose CO has a challenge and is not activated */
static struct card *with_challenge(bool automatic)
{
	struct card *c = card_ready(5, DOMAIN);

	assert_ok(card_policy(c, c->part, CTX_PO, 22, 1));
	if (automatic)
		assert_ok(card_policy(c, c->part, CTX_PO, 23, 1));
	assert_ok(card_set_challenge(c, c->part, CTX_A, PCIEHSM_ROLE_CO, CO_PIN, CHALLENGE));
	return c;
}

static struct card *with_activation(bool automatic)
{
	struct card *c = with_challenge(automatic);

	assert_ok(by(c, PCIEHSM_ROLE_CO, CO_PIN));
	assert_ok(by(c, PCIEHSM_ROLE_CO, CHALLENGE));
	return c;
}

/* It was activated; now its challenge is right, and no login. The password makes it one again. */
static void assert_ended(struct card *c)
{
	uint32_t before = attempts(c, PCIEHSM_ROLE_CO);

	assert_false(activated(c, PCIEHSM_ROLE_CO));
	assert_rv(by(c, PCIEHSM_ROLE_CO, CHALLENGE), NOT_ACTIVATED);
	assert_int_equal(attempts(c, PCIEHSM_ROLE_CO), before);
	assert_ok(by(c, PCIEHSM_ROLE_CO, CO_PIN));
	assert_ok(by(c, PCIEHSM_ROLE_CO, CHALLENGE));
}

static void test_without_policy(void **state)
{
	struct card *c = card_ready(5, DOMAIN);
	uint32_t flags;

	(void)state;
	assert_rv(card_set_challenge(c, c->part, CTX_A, PCIEHSM_ROLE_CO, CO_PIN, CHALLENGE),
		  PCIEHSM_CKR_POLICY);
	/* Refused before the password was looked at */
	assert_rv(card_set_challenge(c, c->part, CTX_A, PCIEHSM_ROLE_CO, "wrong-one", CHALLENGE),
		  PCIEHSM_CKR_POLICY);
	assert_int_equal(attempts(c, PCIEHSM_ROLE_CO), 10);
	/* 23 alone is nothing. */
	assert_ok(card_policy(c, c->part, CTX_PO, 23, 1));
	assert_rv(card_set_challenge(c, c->part, CTX_A, PCIEHSM_ROLE_CO, CO_PIN, CHALLENGE),
		  PCIEHSM_CKR_POLICY);
	assert_ok(try_login(c, PCIEHSM_ROLE_CO, CO_PIN, &flags));
	assert_int_equal(flags, 0);
	assert_false(activated(c, PCIEHSM_ROLE_CO));
	/* The PO's to decide; and what failed responses do is not. */
	assert_rv(card_policy(c, c->part, CTX_CO, 22, 1), CKR_USER_NOT_LOGGED_IN);
	assert_rv(card_policy(c, c->part, CTX_PO, 22, 2), CKR_ARGUMENTS_BAD);
	assert_rv(card_policy(c, c->part, CTX_PO, 15, 1), PCIEHSM_CKR_POLICY);
	card_free(c);
}

static void test_set(void **state)
{
	struct card *c = card_ready(5, DOMAIN);
	uint32_t p = c->part;

	(void)state;
	assert_ok(card_policy(c, p, CTX_PO, 22, 1));
	assert_rv(card_set_challenge(c, p, CTX_PO, PCIEHSM_ROLE_PO, PO_PIN, CHALLENGE),
		  CKR_USER_TYPE_INVALID);
	assert_rv(card_set_challenge(c, p, CTX_A, 77, CO_PIN, CHALLENGE), CKR_USER_TYPE_INVALID);
	assert_rv(card_set_challenge(c, p, CTX_A, PCIEHSM_ROLE_LCO, FIRST_PIN, CHALLENGE),
		  CKR_USER_PIN_NOT_INITIALIZED);
	assert_rv(card_set_challenge(c, p, CTX_A, PCIEHSM_ROLE_CO, CO_PIN, "short"),
		  CKR_PIN_LEN_RANGE);
	assert_rv(card_set_challenge(c, p, CTX_A, PCIEHSM_ROLE_CO, CO_PIN, CO_PIN),
		  CKR_PIN_INVALID);
	assert_int_equal(attempts(c, PCIEHSM_ROLE_CO), 10);
	/* The password's attempts are those of a login. */
	assert_rv(card_set_challenge(c, p, CTX_A, PCIEHSM_ROLE_CO, "wrong-one", CHALLENGE),
		  CKR_PIN_INCORRECT);
	assert_int_equal(attempts(c, PCIEHSM_ROLE_CO), 9);
	assert_false(has_challenge(c, PCIEHSM_ROLE_CO));
	assert_ok(card_set_challenge(c, p, CTX_A, PCIEHSM_ROLE_CO, CO_PIN, CHALLENGE));
	assert_int_equal(attempts(c, PCIEHSM_ROLE_CO), 10);
	assert_true(has_challenge(c, PCIEHSM_ROLE_CO));
	assert_false(activated(c, PCIEHSM_ROLE_CO));
	assert_false(has_challenge(c, PCIEHSM_ROLE_CU));
	/* A password that somebody else knows makes none. */
	assert_ok(card_role_init(c, p, CTX_CO, PCIEHSM_ROLE_LCO, FIRST_PIN));
	assert_rv(card_set_challenge(c, p, CTX_A, PCIEHSM_ROLE_LCO, FIRST_PIN, CHALLENGE),
		  CKR_PIN_EXPIRED);
	assert_false(has_challenge(c, PCIEHSM_ROLE_LCO));
	/* Nor does the HSM know any. */
	assert_rv(card_set_challenge(c, 0, CTX_SO, PCIEHSM_ROLE_CO, SO_PIN, CHALLENGE),
		  CKR_FUNCTION_NOT_SUPPORTED);
	card_free(c);
}

static void test_activation(void **state)
{
	struct card *c = with_challenge(false);
	unsigned int n;
	uint32_t flags;

	(void)state;
	assert_rv(by(c, PCIEHSM_ROLE_CO, CHALLENGE), NOT_ACTIVATED);
	assert_int_equal(attempts(c, PCIEHSM_ROLE_CO), 10);
	assert_ok(try_login(c, PCIEHSM_ROLE_CO, CO_PIN, &flags));
	assert_int_equal(flags, PCIEHSM_LOGIN_ACTIVATED);
	assert_true(activated(c, PCIEHSM_ROLE_CO));
	assert_ok(try_login(c, PCIEHSM_ROLE_CO, CHALLENGE, &flags));
	assert_int_equal(flags, PCIEHSM_LOGIN_ACTIVATED | PCIEHSM_LOGIN_CHALLENGE);
	/* It is a full login. */
	assert_ok(card_login(c, c->part, CTX_A, PCIEHSM_ROLE_CO, CHALLENGE));
	assert_ok(card_data(c, CTX_A, 1, "by challenge", true));
	assert_ok(card_find(c, CTX_A, "by challenge", &n, NULL));
	assert_int_equal(n, 1);
	assert_ok(card_destroy(c, CTX_A, 1, 0));
	/* But no password: what needs that does not take it. */
	assert_rv(card_set_pin(c, c->part, CTX_A, PCIEHSM_ROLE_CO, CHALLENGE, "a new password"),
		  CKR_PIN_INCORRECT);
	assert_rv(card_set_challenge(c, c->part, CTX_A, PCIEHSM_ROLE_CO, CHALLENGE, OTHER),
		  CKR_PIN_INCORRECT);
	assert_int_equal(attempts(c, PCIEHSM_ROLE_CO), 8);
	/* Roles are activated each by itself. */
	assert_ok(card_set_challenge(c, c->part, CTX_B, PCIEHSM_ROLE_CU, CU_PIN, CHALLENGE));
	assert_rv(by(c, PCIEHSM_ROLE_CU, CHALLENGE), NOT_ACTIVATED);
	assert_ok(by(c, PCIEHSM_ROLE_CU, CU_PIN));
	assert_ok(by(c, PCIEHSM_ROLE_CU, CHALLENGE));
	card_free(c);
}

static void test_attempts(void **state)
{
	struct card *c = with_activation(false);
	unsigned int i;

	(void)state;
	/* Wrong is wrong, activated or not; what is right for the challenge takes back its own. */
	for (i = 1; i < 5; i++) {
		assert_rv(by(c, PCIEHSM_ROLE_CO, "neither of them"), CKR_PIN_INCORRECT);
		assert_int_equal(attempts(c, PCIEHSM_ROLE_CO), 10 - i);
		assert_ok(by(c, PCIEHSM_ROLE_CO, CHALLENGE));
		assert_int_equal(attempts(c, PCIEHSM_ROLE_CO), 10 - i);
	}
	/* Nor does switching it off give one back. */
	card_power_cycle(c);
	assert_int_equal(attempts(c, PCIEHSM_ROLE_CO), 6);
	assert_rv(by(c, PCIEHSM_ROLE_CO, CHALLENGE), NOT_ACTIVATED);
	assert_rv(by(c, PCIEHSM_ROLE_CO, "neither of them"), CKR_PIN_INCORRECT);
	assert_int_equal(attempts(c, PCIEHSM_ROLE_CO), 5);
	assert_ok(by(c, PCIEHSM_ROLE_CO, CO_PIN));
	assert_int_equal(attempts(c, PCIEHSM_ROLE_CO), 10);
	/* Locked is locked for both. */
	for (i = 0; i < 10; i++)
		assert_rv(by(c, PCIEHSM_ROLE_CO, "neither of them"), CKR_PIN_INCORRECT);
	assert_rv(by(c, PCIEHSM_ROLE_CO, CHALLENGE), CKR_PIN_LOCKED);
	assert_rv(by(c, PCIEHSM_ROLE_CO, CO_PIN), CKR_PIN_LOCKED);
	card_free(c);
}

static void test_power(void **state)
{
	struct card *c = with_activation(false);

	(void)state;
	/* A reset of the controller ends contexts; the card stays on. */
	hsm_fw_reset(c->fw);
	assert_ok(by(c, PCIEHSM_ROLE_CO, CHALLENGE));
	card_power_cycle(c);
	assert_ended(c);
	/* Switched on while it is activated, 23 holds for that, too; */
	assert_ok(card_login(c, c->part, CTX_PO, PCIEHSM_ROLE_PO, PO_PIN));
	assert_ok(card_policy(c, c->part, CTX_PO, 23, 1));
	card_power_cycle(c);
	assert_true(activated(c, PCIEHSM_ROLE_CO));
	assert_ok(by(c, PCIEHSM_ROLE_CO, CHALLENGE));
	/* and what was lost before it was on does not come back. */
	assert_ok(card_login(c, c->part, CTX_PO, PCIEHSM_ROLE_PO, PO_PIN));
	assert_ok(card_policy(c, c->part, CTX_PO, 23, 0));
	assert_ok(by(c, PCIEHSM_ROLE_CO, CHALLENGE));
	card_power_cycle(c);
	assert_ok(card_login(c, c->part, CTX_PO, PCIEHSM_ROLE_PO, PO_PIN));
	assert_ok(card_policy(c, c->part, CTX_PO, 23, 1));
	card_power_cycle(c);
	assert_ended(c);
	card_free(c);
}

static void test_automatic(void **state)
{
	struct card *c = with_activation(true);

	(void)state;
	card_power_cycle(c);
	assert_ok(by(c, PCIEHSM_ROLE_CO, CHALLENGE));
	card_power_cycle(c);
	card_power_cycle(c);
	assert_ok(by(c, PCIEHSM_ROLE_CO, CHALLENGE));
	/* What ends it ends it for good. */
	assert_ok(card_login(c, c->part, CTX_PO, PCIEHSM_ROLE_PO, PO_PIN));
	assert_ok(card_deactivate(c, c->part, CTX_PO, PCIEHSM_ROLE_CO));
	card_power_cycle(c);
	assert_ended(c);
	/* Without 22 it is nothing. */
	assert_ok(card_login(c, c->part, CTX_PO, PCIEHSM_ROLE_PO, PO_PIN));
	assert_ok(card_policy(c, c->part, CTX_PO, 22, 0));
	card_power_cycle(c);
	assert_rv(by(c, PCIEHSM_ROLE_CO, CHALLENGE), CKR_PIN_INCORRECT);
	card_free(c);
}

static void test_deactivate(void **state)
{
	struct card *c = with_activation(false);
	uint32_t p = c->part;
	unsigned int n;

	(void)state;
	assert_rv(card_deactivate(c, p, 92, PCIEHSM_ROLE_CO), CKR_USER_NOT_LOGGED_IN);
	assert_rv(card_deactivate(c, p, CTX_CU, PCIEHSM_ROLE_CO), CKR_USER_NOT_LOGGED_IN);
	assert_rv(card_deactivate(c, p, CTX_PO, PCIEHSM_ROLE_CU), CKR_USER_NOT_LOGGED_IN);
	assert_rv(card_deactivate(c, p, CTX_PO, PCIEHSM_ROLE_PO), CKR_USER_TYPE_INVALID);
	assert_rv(card_deactivate(c, p, CTX_CO, PCIEHSM_ROLE_LCO), CKR_USER_PIN_NOT_INITIALIZED);
	assert_true(activated(c, PCIEHSM_ROLE_CO));
	/* Who is in goes out, but the one who does it. */
	assert_ok(card_login(c, p, CTX_A, PCIEHSM_ROLE_CO, CHALLENGE));
	assert_ok(card_deactivate(c, p, CTX_CO, PCIEHSM_ROLE_CO));
	assert_rv(card_data(c, CTX_A, 1, "x", true), CKR_USER_NOT_LOGGED_IN);
	assert_ok(card_data(c, CTX_CO, 1, "x", true));
	assert_ended(c);
	assert_ok(card_login(c, p, CTX_A, PCIEHSM_ROLE_CO, CHALLENGE));
	assert_ok(card_deactivate(c, p, CTX_PO, PCIEHSM_ROLE_CO));
	assert_rv(card_data(c, CTX_A, 2, "x", true), CKR_USER_NOT_LOGGED_IN);
	/* Once more is no harm. */
	assert_ok(card_deactivate(c, p, CTX_PO, PCIEHSM_ROLE_CO));
	assert_ok(card_login(c, p, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
	/* The CO is over the CU. Others' logins stay. */
	assert_ok(card_set_challenge(c, p, CTX_B, PCIEHSM_ROLE_CU, CU_PIN, OTHER));
	assert_ok(by(c, PCIEHSM_ROLE_CU, CU_PIN));
	assert_ok(card_login(c, p, CTX_A, PCIEHSM_ROLE_CO, CHALLENGE));
	assert_ok(card_deactivate(c, p, CTX_CO, PCIEHSM_ROLE_CU));
	assert_rv(by(c, PCIEHSM_ROLE_CU, OTHER), NOT_ACTIVATED);
	assert_ok(card_find(c, CTX_A, NULL, &n, NULL));
	assert_ok(card_data(c, CTX_A, 3, "x", true));
	card_free(c);
}

static void test_policy_off(void **state)
{
	struct card *c = with_activation(false);
	uint32_t p = c->part;

	(void)state;
	assert_ok(card_login(c, p, CTX_A, PCIEHSM_ROLE_CO, CHALLENGE));
	/* Other policies leave it alone. */
	assert_ok(card_policy(c, p, CTX_PO, 20, 8));
	assert_ok(card_data(c, CTX_A, 1, "x", true));
	assert_ok(card_policy(c, p, CTX_PO, 22, 0));
	assert_rv(card_data(c, CTX_A, 2, "x", true), CKR_USER_NOT_LOGGED_IN);
	assert_false(activated(c, PCIEHSM_ROLE_CO));
	/* There is no such thing as a challenge now: it is a wrong password. */
	assert_rv(by(c, PCIEHSM_ROLE_CO, CHALLENGE), CKR_PIN_INCORRECT);
	assert_int_equal(attempts(c, PCIEHSM_ROLE_CO), 7);
	assert_ok(by(c, PCIEHSM_ROLE_CO, CO_PIN));
	assert_false(activated(c, PCIEHSM_ROLE_CO));
	assert_rv(by(c, PCIEHSM_ROLE_CO, CHALLENGE), CKR_PIN_INCORRECT);
	assert_ok(card_policy(c, p, CTX_PO, 22, 1));
	assert_ended(c);
	card_free(c);
}

static void test_new_secrets(void **state)
{
	struct card *c = with_activation(true);
	uint32_t p = c->part;

	(void)state;
	/* A new challenge: those of the old one go, and it has to be activated. */
	assert_ok(card_login(c, p, CTX_A, PCIEHSM_ROLE_CO, CHALLENGE));
	assert_ok(card_set_challenge(c, p, CTX_B, PCIEHSM_ROLE_CO, CO_PIN, OTHER));
	assert_rv(card_data(c, CTX_A, 1, "x", true), CKR_USER_NOT_LOGGED_IN);
	assert_rv(by(c, PCIEHSM_ROLE_CO, OTHER), NOT_ACTIVATED);
	assert_rv(by(c, PCIEHSM_ROLE_CO, CHALLENGE), CKR_PIN_INCORRECT);
	assert_ok(card_set_challenge(c, p, CTX_B, PCIEHSM_ROLE_CO, CO_PIN, CHALLENGE));
	assert_ended(c);
	/* A new password, which must not be the challenge. */
	assert_rv(card_set_pin(c, p, CTX_B, PCIEHSM_ROLE_CO, CO_PIN, CHALLENGE), CKR_PIN_INVALID);
	assert_ok(by(c, PCIEHSM_ROLE_CO, CHALLENGE));
	assert_ok(card_login(c, p, CTX_A, PCIEHSM_ROLE_CO, CHALLENGE));
	assert_ok(card_set_pin(c, p, CTX_B, PCIEHSM_ROLE_CO, CO_PIN, "a new password"));
	assert_rv(card_data(c, CTX_A, 1, "x", true), CKR_USER_NOT_LOGGED_IN);
	assert_true(has_challenge(c, PCIEHSM_ROLE_CO));
	assert_rv(by(c, PCIEHSM_ROLE_CO, CHALLENGE), NOT_ACTIVATED);
	assert_ok(card_set_pin(c, p, CTX_B, PCIEHSM_ROLE_CO, "a new password", CO_PIN));
	/* To change a password is no login: it activates nothing. */
	assert_ended(c);
	card_free(c);
}

static void test_reset_by_maker(void **state)
{
	struct card *c = with_activation(true);
	uint32_t p = c->part;
	struct fwmsg m;

	(void)state;
	assert_ok(card_set_challenge(c, p, CTX_B, PCIEHSM_ROLE_CU, CU_PIN, OTHER));
	assert_ok(by(c, PCIEHSM_ROLE_CU, CU_PIN));
	assert_ok(card_login(c, p, CTX_A, PCIEHSM_ROLE_CU, OTHER));
	fwmsg_begin(&m, PCIEHSM_OP_ROLE_RESET_PIN, 0);
	fwmsg_u32(&m, PCIEHSM_F_ROLE, PCIEHSM_ROLE_CU);
	fwmsg_text(&m, PCIEHSM_F_NEW_PIN, FIRST_PIN);
	assert_ok(fwmsg_run(&m, c->fw, p, CTX_CO));
	fwmsg_free(&m);
	assert_rv(card_logout(c, p, CTX_A), CKR_USER_NOT_LOGGED_IN);
	/* Whoever is the CU now has not chosen that challenge. */
	assert_false(has_challenge(c, PCIEHSM_ROLE_CU));
	assert_rv(by(c, PCIEHSM_ROLE_CU, OTHER), CKR_PIN_INCORRECT);
	assert_ok(by(c, PCIEHSM_ROLE_CU, FIRST_PIN));
	assert_false(activated(c, PCIEHSM_ROLE_CU));
	assert_true(activated(c, PCIEHSM_ROLE_CO));
	card_free(c);
}

/* The roles of a new life know nothing of before, even where activation outlives the power. */
static void test_destroyed(void **state)
{
	struct card *c = with_activation(true);
	uint32_t p = c->part;

	(void)state;
	assert_ok(card_partition_init(c, p, CTX_PO, "again", PO_PIN, DOMAIN));
	assert_false(has_challenge(c, PCIEHSM_ROLE_CO));
	assert_false(activated(c, PCIEHSM_ROLE_CO));
	assert_rv(by(c, PCIEHSM_ROLE_CO, CHALLENGE), CKR_USER_PIN_NOT_INITIALIZED);
	assert_ok(card_role_init(c, p, CTX_PO, PCIEHSM_ROLE_CO, FIRST_PIN));
	assert_ok(card_set_pin(c, p, CTX_CO, PCIEHSM_ROLE_CO, FIRST_PIN, CO_PIN));
	assert_rv(by(c, PCIEHSM_ROLE_CO, CHALLENGE), CKR_PIN_INCORRECT);
	/* The policies are the PO's and stay. */
	assert_ok(card_set_challenge(c, p, CTX_A, PCIEHSM_ROLE_CO, CO_PIN, CHALLENGE));
	assert_ended(c);
	/* Ten wrong passwords of the PO take the policies, too. */
	for (unsigned int i = 0; i < 10; i++)
		assert_rv(by(c, PCIEHSM_ROLE_PO, "neither of them"), CKR_PIN_INCORRECT);
	assert_ok(card_partition_init(c, p, CTX_PO, "again", PO_PIN, DOMAIN));
	card_make_roles(c, p);
	assert_rv(card_set_challenge(c, p, CTX_A, PCIEHSM_ROLE_CO, CO_PIN, CHALLENGE),
		  PCIEHSM_CKR_POLICY);
	assert_rv(by(c, PCIEHSM_ROLE_CO, CHALLENGE), CKR_PIN_INCORRECT);
	card_free(c);
}

static void test_tamper(void **state)
{
	struct card *c = with_activation(true);

	(void)state;
	hsm_fw_tamper(c->fw);
	assert_int_equal(hsm_fw_partitions(c->fw, NULL, 0), 0);
	card_power_cycle(c);
	assert_int_equal(hsm_fw_partitions(c->fw, NULL, 0), 0);
	assert_ok(card_simple(c, 0, CTX_SO, PCIEHSM_OP_HSM_FACTORY_RESET));
	assert_ok(card_hsm_init(c, "again", SO_PIN));
	assert_ok(card_login(c, 0, CTX_SO, PCIEHSM_ROLE_SO, SO_PIN));
	assert_ok(card_partition_create(c, CTX_SO, &c->part));
	assert_ok(card_partition_init(c, c->part, CTX_PO, "par0", PO_PIN, DOMAIN));
	card_make_roles(c, c->part);
	assert_false(has_challenge(c, PCIEHSM_ROLE_CO));
	assert_rv(by(c, PCIEHSM_ROLE_CO, CHALLENGE), CKR_PIN_INCORRECT);
	card_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_policy),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_activation),
		cmocka_unit_test(test_attempts),
		cmocka_unit_test(test_power),
		cmocka_unit_test(test_automatic),
		cmocka_unit_test(test_deactivate),
		cmocka_unit_test(test_policy_off),
		cmocka_unit_test(test_new_secrets),
		cmocka_unit_test(test_reset_by_maker),
		cmocka_unit_test(test_destroyed),
		cmocka_unit_test(test_tamper),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
