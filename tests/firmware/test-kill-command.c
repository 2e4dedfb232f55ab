// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Killed at every write of one command: those that destroy, those that write in a place of
 * their own, and switching a card on. Each begins with the same store; afterwards the card
 * is as it was before or as it is after the command, and if that was answered, after.
 *
 *	test-kill-command		killed at every moment, the other kinds at each seventh
 *	KILL_STRIDE=1 test-kill-command	every moment of each kind
 */
#include "card.h"

#include <unistd.h>

#include "faults.h"

#define CTX_AU		5
#define CTX_OTHER	20
#define AU_PIN		"au-password"

/* What can be seen of a card without a login, but for what each switching on changes */
struct seen {
	char	text[4096];
	size_t	len;
};

/**
 * struct command - what is cut off
 * @name:	for who reads the test's output
 * @prepare:	NULL, or what comes before; not cut off
 * @run:	the command
 * @answer:	CKR_OK, or what it answers when it has done what it does
 */
struct command {
	const char	*name;
	void		(*prepare)(struct card *c);
	unsigned long	(*run)(struct card *c);
	unsigned long	answer;
};

/* The store that each command begins with, and its second partition */
static struct card *card;
static char begin[160];
static uint32_t other;

/* The self tests take longer than all the rest; once is enough here. */
const char *__real_fw_selftest(void);
const char *__wrap_fw_selftest(void);

const char *__wrap_fw_selftest(void)
{
	static bool passed;
	const char *broken = passed ? NULL : __real_fw_selftest();

	passed = !broken;
	return broken;
}

static void copy_file(const char *from, const char *to)
{
	static const char *const sides[] = { "-wal", "-shm", "-journal" };
	uint8_t data[65536];
	char side[200];
	FILE *in, *out;
	unsigned int i;
	size_t len;

	for (i = 0; i < 3; i++) {
		snprintf(side, sizeof(side), "%s%s", to, sides[i]);
		unlink(side);
	}
	unlink(to);
	if (!from)
		return;
	in = fopen(from, "rb");
	out = fopen(to, "wb");
	assert_true(in && out);
	while ((len = fread(data, 1, sizeof(data), in)) > 0)
		assert_int_equal(fwrite(data, 1, len, out), len);
	fclose(in);
	assert_int_equal(fclose(out), 0);
}

static void on(struct card *c)
{
	char error[256] = "";

	if (hsm_fw_open(&c->config, &c->fw, error, sizeof(error)))
		fail_msg("%s", error);
}

static void note(struct seen *s, const char *what, const void *p, size_t len)
{
	size_t i;

	s->len += (size_t)snprintf(s->text + s->len, sizeof(s->text) - s->len, "%s ", what);
	for (i = 0; i < len; i++) {
		assert_true(s->len + 4 < sizeof(s->text));
		s->len += (size_t)snprintf(s->text + s->len, sizeof(s->text) - s->len, "%02x",
					   ((const uint8_t *)p)[i]);
	}
	assert_true(s->len + 2 < sizeof(s->text));
	s->text[s->len++] = '\n';
	s->text[s->len] = '\0';
}

static void ask(struct card *c, struct seen *s, uint32_t part, uint32_t op, const char *name,
		const uint16_t *fields)
{
	const uint8_t *p;
	struct fwmsg m;
	size_t len;

	fwmsg_begin(&m, op, 0);
	m.out_size = 4096;
	assert_ok(fwmsg_run(&m, c->fw, part, 99));
	for (; *fields; fields++) {
		p = fwmsg_get(&m, *fields, &len);
		assert_non_null(p);
		note(s, name, p, len);
	}
	fwmsg_free(&m);
}

/* Without the attempts that are left: commands with a password cost one, done or not. */
static void ask_roles(struct card *c, struct seen *s, uint32_t part)
{
	struct pciehsm_role_info role;
	const uint8_t *p;
	struct fwmsg m;
	size_t len;

	fwmsg_begin(&m, PCIEHSM_OP_ROLE_INFO, 0);
	m.out_size = 4096;
	assert_ok(fwmsg_run(&m, c->fw, part, 99));
	p = fwmsg_get(&m, PCIEHSM_F_ROLES, &len);
	for (; len; len -= sizeof(role), p += sizeof(role)) {
		memcpy(&role, p, sizeof(role));
		role.attempts = 0;
		note(s, "role", &role, sizeof(role));
	}
	fwmsg_free(&m);
}

static void look(struct card *c, struct seen *s)
{
	static const uint16_t hsm[] = {
		PCIEHSM_F_LABEL, PCIEHSM_F_FLAGS, PCIEHSM_F_PARTITIONS, PCIEHSM_F_SPACE_FREE, 0
	};
	static const uint16_t part[] = {
		PCIEHSM_F_LABEL, PCIEHSM_F_FLAGS, PCIEHSM_F_SPACE, PCIEHSM_F_SPACE_FREE,
		PCIEHSM_F_OBJECTS, PCIEHSM_F_TOMBSTONES, 0
	};
	static const uint16_t policies[] = { PCIEHSM_F_POLICIES, 0 };
	static const uint16_t audit[] = {
		PCIEHSM_F_AUDIT_MASK, PCIEHSM_F_FLAGS, PCIEHSM_F_AUDIT_FIRST, 0
	};
	struct hsm_fw_partition list[4];
	unsigned int i, count = hsm_fw_partitions(c->fw, list, 4);

	s->len = 0;
	ask(c, s, 0, PCIEHSM_OP_HSM_INFO, "hsm", hsm);
	ask(c, s, 0, PCIEHSM_OP_AUDIT_INFO, "audit", audit);
	ask_roles(c, s, 0);
	ask(c, s, 0, PCIEHSM_OP_POLICY_GET, "policies", policies);
	for (i = 0; i < count; i++) {
		note(s, "number", &list[i].number, sizeof(list[i].number));
		ask(c, s, list[i].number, PCIEHSM_OP_PARTITION_INFO, "partition", part);
		ask_roles(c, s, list[i].number);
		ask(c, s, list[i].number, PCIEHSM_OP_POLICY_GET, "policies", policies);
	}
}

/* ---- the commands ---- */

static void wrong(struct card *c, uint32_t part, uint32_t role, unsigned int times)
{
	while (times--)
		assert_rv(card_login(c, part, 98, role, "not the password"), CKR_PIN_INCORRECT);
}

static void so_twice_wrong(struct card *c)
{
	wrong(c, 0, PCIEHSM_ROLE_SO, 2);
}

static void po_nine_times_wrong(struct card *c)
{
	wrong(c, c->part, PCIEHSM_ROLE_PO, 9);
}

static unsigned long so_third(struct card *c)
{
	return card_login(c, 0, 98, PCIEHSM_ROLE_SO, "not the password");
}

static unsigned long po_tenth(struct card *c)
{
	return card_login(c, c->part, 98, PCIEHSM_ROLE_PO, "not the password");
}

static unsigned long hsm_init(struct card *c)
{
	return card_hsm_init(c, "again", SO_PIN);
}

static unsigned long zeroize(struct card *c)
{
	return card_simple(c, 0, 99, PCIEHSM_OP_HSM_ZEROIZE);
}

static unsigned long factory_reset(struct card *c)
{
	return card_simple(c, 0, 99, PCIEHSM_OP_HSM_FACTORY_RESET);
}

/* What can not be erased is not used either, but the next one at this disk finds it. */
static unsigned long tamper(struct card *c)
{
	struct hsm_fw_info info;

	hsm_fw_tamper(c->fw);
	hsm_fw_info(c->fw, &info);
	assert_true(info.tampered);
	return faults_happened() ? PCIEHSM_CKR_STORE : CKR_OK;
}

static unsigned long hsm_policy(struct card *c)
{
	return card_policy(c, 0, CTX_SO, 12, 0);
}

static unsigned long delete_partition(struct card *c)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_PARTITION_DELETE, 0);
	fwmsg_u32(&m, PCIEHSM_F_NUMBER, c->part);
	return card_run(&m, c, 0, CTX_SO);
}

static unsigned long resize(struct card *c)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_PARTITION_RESIZE, 0);
	fwmsg_u32(&m, PCIEHSM_F_NUMBER, c->part);
	fwmsg_u64(&m, PCIEHSM_F_SIZE, 1 << 20);
	return card_run(&m, c, 0, CTX_SO);
}

static unsigned long partition_init(struct card *c)
{
	return card_partition_init(c, c->part, CTX_PO, "again", PO_PIN, DOMAIN);
}

static unsigned long partition_policy(struct card *c)
{
	return card_policy(c, c->part, CTX_PO, 11, 1);
}

static unsigned long clear(struct card *c)
{
	return card_simple(c, c->part, CTX_CO, PCIEHSM_OP_PARTITION_CLEAR);
}

static unsigned long collect(struct card *c)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_TOMBSTONES_COLLECT, 0);
	fwmsg_bytes(&m, PCIEHSM_F_SERIALS, NULL, 0);
	return card_run(&m, c, c->part, CTX_CO);
}

static unsigned long audit_config(struct card *c)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_AUDIT_CONFIG, 0);
	fwmsg_u32(&m, PCIEHSM_F_AUDIT_MASK, PCIEHSM_AUDIT_LOG_LOGIN);
	fwmsg_u32(&m, PCIEHSM_F_FLAGS, PCIEHSM_AUDIT_HALT);
	return card_run(&m, c, 0, CTX_AU);
}

static unsigned long audit_truncate(struct card *c)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_AUDIT_TRUNCATE, 0);
	fwmsg_u64(&m, PCIEHSM_F_SEQ, 5);
	return card_run(&m, c, 0, CTX_AU);
}

static const struct command commands[] = {
	{ "the HSM SO's third wrong password", so_twice_wrong, so_third, CKR_PIN_INCORRECT },
	{ "a PO's tenth", po_nine_times_wrong, po_tenth, CKR_PIN_INCORRECT },
	{ "hsm init", NULL, hsm_init, CKR_OK },
	{ "zeroize", NULL, zeroize, CKR_OK },
	{ "factory reset", NULL, factory_reset, CKR_OK },
	{ "tamper", NULL, tamper, CKR_OK },
	{ "a destructive policy of the HSM", NULL, hsm_policy, CKR_OK },
	{ "partition delete", NULL, delete_partition, CKR_OK },
	{ "partition resize", NULL, resize, CKR_OK },
	{ "partition init by the PO", NULL, partition_init, CKR_OK },
	{ "a destructive policy of a partition", NULL, partition_policy, CKR_OK },
	{ "clear", NULL, clear, CKR_OK },
	{ "collection of tombstones", NULL, collect, CKR_OK },
	{ "audit configuration", NULL, audit_config, CKR_OK },
	{ "audit truncation", NULL, audit_truncate, CKR_OK },
};

/* ---- one of them, cut off ---- */

static void start(struct card *c, const struct command *cmd)
{
	copy_file(begin, c->store);
	on(c);
	assert_ok(card_login(c, 0, CTX_SO, PCIEHSM_ROLE_SO, SO_PIN));
	assert_ok(card_login(c, 0, CTX_AU, PCIEHSM_ROLE_AU, AU_PIN));
	assert_ok(card_login(c, c->part, CTX_PO, PCIEHSM_ROLE_PO, PO_PIN));
	assert_ok(card_login(c, c->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
	if (cmd->prepare)
		cmd->prepare(c);
}

static void power_cycle(struct card *c, struct seen *s)
{
	hsm_fw_close(c->fw);
	faults_arm(FAULT_NONE, 0);
	on(c);
	look(c, s);
}

/* Returns whether the chosen moment came. */
static bool cut_off(const struct command *cmd, enum fault kind, unsigned int at,
		    const struct seen *before, const struct seen *after)
{
	struct card *c = card;
	unsigned long rv;
	bool happened;
	struct seen s;

	start(c, cmd);
	faults_arm(kind, at);
	rv = cmd->run(c);
	happened = faults_happened();
	power_cycle(c, &s);
	if (strcmp(s.text, before->text) != 0 && strcmp(s.text, after->text) != 0)
		fail_msg("%s, moment %u of kind %d: neither before nor after:\n%s\nbefore:\n%s\n"
			 "after:\n%s", cmd->name, at, kind, s.text, before->text, after->text);
	if (rv == cmd->answer && strcmp(s.text, after->text) != 0)
		fail_msg("%s, moment %u of kind %d: it was answered and has not happened",
			 cmd->name, at, kind);
	hsm_fw_close(c->fw);
	return happened;
}

static void each_command(enum fault kind, unsigned int stride)
{
	const char *text = getenv("KILL_STRIDE");
	const struct command *cmd;
	struct seen before, after;
	unsigned int i, at, count = 0;

	if (text && atoi(text) > 0)
		stride = (unsigned int)atoi(text);
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		cmd = &commands[i];
		start(card, cmd);
		power_cycle(card, &before);
		hsm_fw_close(card->fw);
		start(card, cmd);
		assert_rv(cmd->run(card), cmd->answer);
		power_cycle(card, &after);
		hsm_fw_close(card->fw);
		assert_string_not_equal(before.text, after.text);
		/* Not the same ones of each */
		for (at = 1 + i % stride; cut_off(cmd, kind, at, &before, &after); at += stride)
			count++;
	}
	print_message("# %u moments of %zu commands, 1 of %u\n", count,
		      sizeof(commands) / sizeof(commands[0]), stride);
	assert_true(count > 200 / stride);
}

static void test_error(void **state)
{
	(void)state;
	each_command(FAULT_ERROR, 7);
}

static void test_kill(void **state)
{
	(void)state;
	each_command(FAULT_KILL, 1);
}

static void test_torn(void **state)
{
	(void)state;
	each_command(FAULT_TORN, 7);
}

static void test_power(void **state)
{
	(void)state;
	each_command(FAULT_POWER, 7);
}

/* ---- switching on ---- */

/* Objects of the older stores; see test-store.c */
static void check_older(struct card *c)
{
	uint8_t sig[80];
	size_t len = sizeof(sig);
	unsigned int n;

	assert_ok(card_login(c, c->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
	assert_ok(card_find(c, CTX_CO, NULL, &n, NULL));
	assert_int_equal(n, 3);
	assert_ok(card_sign(c, CTX_CO, 11, CKM_ECDSA, "32 bytes, as long as SHA-256 is.", 32, sig,
			    &len));
}

/* Switched on with a store, killed at each moment or cut off in other ways; then once more. */
static void each_opening(const char *name, const char *store, uint64_t serial,
			 void (*check)(struct card *c))
{
	static const enum fault kinds[] = { FAULT_ERROR, FAULT_KILL, FAULT_TORN, FAULT_POWER };
	struct card *c = card_new_durable(serial);
	unsigned int i, at, stride, count = 0;
	struct seen expected, s;
	char error[256];
	bool happened;

	c->part = 100;
	hsm_fw_close(c->fw);
	copy_file(store, c->store);
	on(c);
	look(c, &expected);
	hsm_fw_close(c->fw);
	for (i = 0; i < 4; i++) {
		stride = kinds[i] == FAULT_KILL ? 1 : 3;
		for (at = 1, happened = true; happened; at += stride) {
			copy_file(store, c->store);
			faults_arm(kinds[i], at);
			error[0] = '\0';
			if (!hsm_fw_open(&c->config, &c->fw, error, sizeof(error)))
				hsm_fw_close(c->fw);
			else
				assert_true(error[0] != '\0');
			happened = faults_happened();
			faults_arm(FAULT_NONE, 0);
			on(c);
			look(c, &s);
			if (strcmp(s.text, expected.text) != 0)
				fail_msg("%s, moment %u of kind %d: it was\n%s\nand should be\n%s",
					 name, at, kinds[i], s.text, expected.text);
			if (check)
				check(c);
			hsm_fw_close(c->fw);
			count += happened;
		}
	}
	print_message("# %s: %u moments\n", name, count);
	assert_true(count > 16);
	on(c);
	card_free(c);
}

static void test_on_blank(void **state)
{
	(void)state;
	each_opening("a blank store", NULL, 6100, NULL);
}

static void test_on_older(void **state)
{
	(void)state;
	each_opening("the first format", STORE_1, 7000, check_older);
	each_opening("the second format", STORE_2, 7002, check_older);
}

static void test_on(void **state)
{
	(void)state;
	each_opening("a store in use", begin, 6000, NULL);
}

static int setup(void **state)
{
	uint32_t first, n;

	(void)state;
	faults_install();
	card = card_ready(6000, DOMAIN);
	first = card->part;
	assert_ok(card_role_init(card, 0, CTX_SO, PCIEHSM_ROLE_AU, FIRST_PIN));
	assert_ok(card_set_pin(card, 0, CTX_AU, PCIEHSM_ROLE_AU, FIRST_PIN, AU_PIN));
	assert_ok(card_policy(card, first, CTX_PO, 11, 0));
	/* A second partition with something in it, which is nobody's business but the HSM's */
	assert_ok(card_partition_create(card, CTX_SO, &other));
	assert_ok(card_partition_init(card, other, CTX_OTHER, "par1", PO_PIN, DOMAIN));
	assert_ok(card_login(card, other, CTX_OTHER, PCIEHSM_ROLE_PO, PO_PIN));
	assert_ok(card_role_init(card, other, CTX_OTHER, PCIEHSM_ROLE_CO, FIRST_PIN));
	assert_ok(card_set_pin(card, other, 21, PCIEHSM_ROLE_CO, FIRST_PIN, CO_PIN));
	assert_ok(card_login(card, other, 21, PCIEHSM_ROLE_CO, CO_PIN));
	card->part = other;
	assert_ok(card_data(card, 21, 1, "of the second", true));
	card->part = first;
	assert_ok(card_ec(card, CTX_CO, 10, "pair", true));
	for (n = 1; n <= 8; n++)
		assert_ok(card_data(card, CTX_CO, n, "data", true));
	assert_ok(card_destroy(card, CTX_CO, 7, 0));
	assert_ok(card_destroy(card, CTX_CO, 8, 0));
	hsm_fw_close(card->fw);
	/* It is not durable yet: only what is cut off has to be. */
	card->config.durable = true;
	snprintf(begin, sizeof(begin), "%s.begin", card->store);
	copy_file(card->store, begin);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	/* Its files go with the directory. */
	free(card);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_kill),
		cmocka_unit_test(test_torn),
		cmocka_unit_test(test_power),
		cmocka_unit_test(test_on_blank),
		cmocka_unit_test(test_on_older),
		cmocka_unit_test(test_on),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
