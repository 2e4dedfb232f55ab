// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The HSM as a whole: init, reset, zeroize, tamper; partitions, policies, quota.
 */
#include "card.h"

static struct card *with_so(void)
{
	struct card *c = card_new(1238700);

	assert_ok(card_hsm_init(c, "hsm", SO_PIN));
	assert_ok(card_login(c, 0, CTX_SO, PCIEHSM_ROLE_SO, SO_PIN));
	return c;
}

static unsigned long delete(struct card *c, uint32_t number)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_PARTITION_DELETE, 0);
	fwmsg_u32(&m, PCIEHSM_F_NUMBER, number);
	return card_run(&m, c, 0, CTX_SO);
}

static void test_numbers(void **state)
{
	struct card *c = with_so();
	struct hsm_fw_partition list[4];
	uint32_t number;
	size_t len;
	struct fwmsg m;

	(void)state;
	fwmsg_begin(&m, PCIEHSM_OP_PARTITION_CREATE, 0);
	assert_ok(fwmsg_run(&m, c->fw, 0, CTX_SO));
	assert_int_equal(fwmsg_get_u32(&m, PCIEHSM_F_NUMBER), 100);
	assert_int_equal(fwmsg_get_u32(&m, PCIEHSM_F_INDEX), 1);
	assert_memory_equal(fwmsg_get(&m, PCIEHSM_F_SERIAL, &len), "1238700000100", 13);
	assert_int_equal(len, 13);
	fwmsg_free(&m);
	assert_ok(card_partition_create(c, CTX_SO, &number));
	assert_ok(card_partition_create(c, CTX_SO, &number));
	assert_int_equal(number, 102);
	assert_ok(delete(c, 101));
	assert_rv(delete(c, 101), CKR_SLOT_ID_INVALID);
	assert_rv(card_simple(c, 101, 20, PCIEHSM_OP_PING), FWMSG_NO_ANSWER + HSM_FW_NO_PARTITION);
	/* The lowest free index, but never an old number; not even after a power cycle. */
	card_power_cycle(c);
	assert_ok(card_login(c, 0, CTX_SO, PCIEHSM_ROLE_SO, SO_PIN));
	assert_ok(card_partition_create(c, CTX_SO, &number));
	assert_int_equal(number, 103);
	assert_int_equal(hsm_fw_partitions(c->fw, list, 4), 3);
	assert_int_equal(list[1].number, 103);
	assert_int_equal(list[1].index, 2);
	assert_string_equal(list[1].serial, "1238700000103");
	assert_int_equal(list[2].index, 3);
	assert_ok(delete(c, 102));
	assert_ok(delete(c, 103));
	assert_ok(card_partition_create(c, CTX_SO, &number));
	assert_int_equal(number, 104);
	assert_int_equal(count_events(c, HSM_FW_PARTITION_CREATED, 0), 5);
	assert_int_equal(count_events(c, HSM_FW_PARTITION_DELETED, 0), 3);
	card_free(c);
}

static void test_hsm_init(void **state)
{
	struct card *c = card_ready(1238700, DOMAIN);
	uint32_t p = c->part, number;
	struct hsm_fw_info info;
	unsigned int n;

	(void)state;
	assert_ok(card_data(c, CTX_CO, 1, "x", true));
	c->events = 0;
	assert_ok(card_hsm_init(c, "new label", SO_PIN));
	assert_int_equal(count_events(c, HSM_FW_PARTITION_DELETED, p), 1);
	assert_int_equal(count_events(c, HSM_FW_HSM_CHANGED, 0), 1);
	assert_rv(card_find(c, CTX_CO, NULL, &n, NULL), FWMSG_NO_ANSWER + HSM_FW_NO_PARTITION);
	hsm_fw_info(c->fw, &info);
	assert_string_equal(info.label, "new label");
	assert_int_equal(info.power_on, 1);
	/* The SO stays who he was. */
	assert_ok(card_partition_create(c, CTX_SO, &number));
	assert_int_equal(number, p + 1);
	card_power_cycle(c);
	hsm_fw_info(c->fw, &info);
	assert_string_equal(info.label, "new label");
	assert_int_equal(info.power_on, 2);
	assert_ok(card_login(c, 0, CTX_SO, PCIEHSM_ROLE_SO, SO_PIN));
	card_free(c);
}

static uint32_t policy(struct card *c, uint32_t part, uint32_t id)
{
	const uint8_t *p;
	uint32_t v[4];
	struct fwmsg m;
	size_t len;

	fwmsg_begin(&m, PCIEHSM_OP_POLICY_GET, 0);
	assert_ok(fwmsg_run(&m, c->fw, part, 20));
	p = fwmsg_get(&m, PCIEHSM_F_POLICIES, &len);
	for (; len; len -= 16, p += 16) {
		memcpy(v, p, 16);
		if (v[0] == id)
			break;
	}
	assert_true(len > 0);
	fwmsg_free(&m);
	return v[1];
}

static void test_reset_and_zeroize(void **state)
{
	struct card *c = card_ready(1238700, DOMAIN);

	(void)state;
	assert_int_equal(policy(c, 0, 15), 0);
	assert_ok(card_policy(c, 0, CTX_SO, 15, 1));
	/* Turning that on is destructive. */
	assert_int_equal(hsm_fw_partitions(c->fw, NULL, 0), 0);
	assert_ok(card_simple(c, 0, 20, PCIEHSM_OP_HSM_ZEROIZE));
	assert_int_equal(policy(c, 0, 15), 1);
	assert_rv(card_login(c, 0, 20, PCIEHSM_ROLE_SO, SO_PIN), CKR_USER_PIN_NOT_INITIALIZED);
	assert_rv(card_partition_create(c, CTX_SO, &c->part), PCIEHSM_CKR_NOT_INITIALISED);
	assert_ok(card_simple(c, 0, 20, PCIEHSM_OP_HSM_FACTORY_RESET));
	assert_int_equal(policy(c, 0, 15), 0);
	assert_ok(card_hsm_init(c, "again", "another password"));
	card_free(c);
}

static void test_policies(void **state)
{
	struct card *c = card_ready(1238700, DOMAIN);
	unsigned int n;

	(void)state;
	assert_rv(card_policy(c, 0, CTX_SO, 46, 1), PCIEHSM_CKR_POLICY);
	assert_rv(card_policy(c, 0, CTX_SO, 3, 0), CKR_ARGUMENTS_BAD);
	assert_rv(card_policy(c, 0, CTX_SO, 1000, 0), CKR_ARGUMENTS_BAD);
	assert_rv(card_policy(c, 0, CTX_SO, 7, 2), CKR_ARGUMENTS_BAD);
	assert_rv(card_policy(c, 0, 20, 7, 0), CKR_USER_NOT_LOGGED_IN);
	assert_rv(card_policy(c, c->part, CTX_CO, 0, 0), CKR_USER_NOT_LOGGED_IN);
	assert_int_equal(policy(c, c->part, 25), 247);
	assert_int_equal(policy(c, c->part, 20), 10);
	/* Off and on again: what was made between is destroyed. */
	assert_ok(card_data(c, CTX_CO, 1, "x", true));
	assert_ok(card_policy(c, c->part, CTX_PO, 0, 0));
	assert_ok(card_find(c, CTX_CO, NULL, &n, NULL));
	assert_int_equal(n, 1);
	card_power_cycle(c);
	assert_int_equal(policy(c, c->part, 0), 0);
	assert_ok(card_login(c, c->part, CTX_PO, PCIEHSM_ROLE_PO, PO_PIN));
	assert_ok(card_login(c, c->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
	assert_ok(card_policy(c, c->part, CTX_PO, 0, 1));
	assert_ok(card_login(c, c->part, 30, PCIEHSM_ROLE_CO, CO_PIN));
	assert_ok(card_find(c, 30, NULL, &n, NULL));
	assert_int_equal(n, 0);
	/* Longer passwords */
	assert_ok(card_policy(c, c->part, CTX_PO, 25, 255 - 20));
	assert_rv(card_set_pin(c, c->part, 20, PCIEHSM_ROLE_CO, CO_PIN, "nineteen characters"),
		  CKR_PIN_LEN_RANGE);
	assert_ok(card_set_pin(c, c->part, 20, PCIEHSM_ROLE_CO, CO_PIN, "exactly 20 character"));
	/* Who came in with the password of before is out. */
	assert_rv(card_ec(c, 30, 1, "x", true), CKR_USER_NOT_LOGGED_IN);
	assert_ok(card_login(c, c->part, 30, PCIEHSM_ROLE_CO, "exactly 20 character"));
	/* The least length is never above the greatest one, whichever is changed. */
	assert_rv(card_policy(c, c->part, CTX_PO, 26, 19), CKR_ARGUMENTS_BAD);
	assert_ok(card_policy(c, c->part, CTX_PO, 26, 20));
	assert_rv(card_policy(c, c->part, CTX_PO, 25, 255 - 21), CKR_ARGUMENTS_BAD);
	/* No key management at all */
	assert_ok(card_policy(c, c->part, CTX_PO, 28, 0));
	assert_rv(card_ec(c, 30, 1, "x", true), PCIEHSM_CKR_POLICY);
	card_free(c);
}

static unsigned long resize(struct card *c, uint64_t size)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_PARTITION_RESIZE, 0);
	fwmsg_u32(&m, PCIEHSM_F_NUMBER, c->part);
	fwmsg_u64(&m, PCIEHSM_F_SIZE, size);
	return card_run(&m, c, 0, CTX_SO);
}

static void test_quota(void **state)
{
	struct card *c = card_ready(1238700, DOMAIN);
	uint64_t space, free_space;
	unsigned int n = 0;
	struct fwmsg m;

	(void)state;
	assert_rv(resize(c, 100), CKR_ARGUMENTS_BAD);
	assert_rv(resize(c, UINT64_MAX), PCIEHSM_CKR_CAPACITY);
	assert_ok(resize(c, 65536));
	while (card_data(c, CTX_CO, n + 1, "filler", true) == CKR_OK)
		n++;
	assert_in_range(n, 50, 500);
	assert_rv(card_data(c, CTX_CO, n + 1, "filler", true), CKR_DEVICE_MEMORY);
	assert_rv(resize(c, 65535), CKR_ARGUMENTS_BAD);
	fwmsg_begin(&m, PCIEHSM_OP_PARTITION_INFO, 0);
	assert_ok(fwmsg_run(&m, c->fw, c->part, 20));
	space = fwmsg_get_u64(&m, PCIEHSM_F_SPACE);
	free_space = fwmsg_get_u64(&m, PCIEHSM_F_SPACE_FREE);
	assert_int_equal(space, 65536);
	assert_in_range(free_space, 0, 1000);
	assert_int_equal(fwmsg_get_u32(&m, PCIEHSM_F_OBJECTS), n);
	fwmsg_free(&m);
	/* What is destroyed makes room, what is made smaller or stays may. */
	assert_ok(card_destroy(c, CTX_CO, 1, 0));
	assert_ok(card_data(c, CTX_CO, n + 1, "filler", true));
	assert_ok(card_set_text(c, CTX_CO, 2, CKA_LABEL, "fille2"));
	card_power_cycle(c);
	assert_ok(card_login(c, c->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
	assert_rv(card_data(c, CTX_CO, n + 2, "filler", true), CKR_DEVICE_MEMORY);
	assert_ok(card_login(c, 0, CTX_SO, PCIEHSM_ROLE_SO, SO_PIN));
	assert_ok(resize(c, 1 << 20));
	assert_rv(resize(c, 65536 - 8), CKR_ARGUMENTS_BAD);
	assert_ok(card_data(c, CTX_CO, n + 2, "filler", true));
	assert_rv(resize(c, 65536), CKR_DEVICE_MEMORY);
	card_free(c);
}

static void test_capacity(void **state)
{
	struct card *c = card_new(3);
	uint32_t number;
	unsigned int n = 0;

	(void)state;
	hsm_fw_close(c->fw);
	c->config.max_partitions = 3;
	assert_int_equal(hsm_fw_open(&c->config, &c->fw, NULL, 0), 0);
	assert_ok(card_hsm_init(c, "hsm", SO_PIN));
	assert_ok(card_login(c, 0, CTX_SO, PCIEHSM_ROLE_SO, SO_PIN));
	while (card_partition_create(c, CTX_SO, &number) == CKR_OK)
		n++;
	assert_int_equal(n, 3);
	assert_rv(card_partition_create(c, CTX_SO, &number), PCIEHSM_CKR_CAPACITY);
	card_free(c);
}

/* As many as a card has by default, over a power cycle; and not one more */
static void test_hundred(void **state)
{
	struct card *c = card_new(5);
	uint32_t number, first = 0;
	unsigned int n;

	(void)state;
	assert_ok(card_hsm_init(c, "hsm", SO_PIN));
	assert_ok(card_login(c, 0, CTX_SO, PCIEHSM_ROLE_SO, SO_PIN));
	for (n = 0; n < 100; n++) {
		assert_ok(card_partition_create(c, CTX_SO, &number));
		if (!n)
			first = number;
	}
	assert_rv(card_partition_create(c, CTX_SO, &number), PCIEHSM_CKR_CAPACITY);
	card_power_cycle(c);
	assert_ok(card_login(c, 0, CTX_SO, PCIEHSM_ROLE_SO, SO_PIN));
	assert_rv(card_partition_create(c, CTX_SO, &number), PCIEHSM_CKR_CAPACITY);
	/* The first and the last are still what they were. */
	assert_ok(card_partition_init(c, first, CTX_PO, "first", PO_PIN, DOMAIN));
	assert_ok(card_partition_init(c, first + n - 1, CTX_PO, "last", PO_PIN, DOMAIN));
	card_free(c);
}

static void test_tamper(void **state)
{
	struct card *c = card_ready(1238700, DOMAIN);
	struct hsm_fw_info info;
	uint32_t p = c->part;

	(void)state;
	assert_ok(card_ec(c, CTX_CO, 1, "key", true));
	c->events = 0;
	hsm_fw_tamper(c->fw);
	assert_int_equal(count_events(c, HSM_FW_TAMPER, 0), 1);
	assert_int_equal(count_events(c, HSM_FW_PARTITION_DELETED, p), 1);
	hsm_fw_info(c->fw, &info);
	assert_true(info.tampered);
	assert_rv(card_hsm_init(c, "hsm", SO_PIN), PCIEHSM_CKR_TAMPERED);
	assert_rv(card_login(c, 0, 20, PCIEHSM_ROLE_SO, SO_PIN), PCIEHSM_CKR_TAMPERED);
	assert_ok(card_simple(c, 0, 20, PCIEHSM_OP_HSM_INFO));
	card_power_cycle(c);
	hsm_fw_info(c->fw, &info);
	assert_true(info.tampered);
	assert_ok(card_simple(c, 0, 20, PCIEHSM_OP_HSM_FACTORY_RESET));
	assert_ok(card_hsm_init(c, "hsm", SO_PIN));
	card_free(c);
}

/* A lot of so many objects; how many are left */
static void clear_lot(struct card *c, uint32_t limit, uint32_t left)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_PARTITION_CLEAR, 0);
	fwmsg_u32(&m, PCIEHSM_F_LIMIT, limit);
	assert_ok(fwmsg_run(&m, c->fw, c->part, CTX_CO));
	assert_int_equal(fwmsg_get_u32(&m, PCIEHSM_F_OBJECTS), left);
	fwmsg_free(&m);
}

static void test_clear(void **state)
{
	struct card *c = card_ready(1238700, DOMAIN);
	unsigned int n;
	struct fwmsg m;

	(void)state;
	for (unsigned int i = 1; i <= 20; i++)
		assert_ok(card_data(c, CTX_CO, i, "x", true));
	fwmsg_begin(&m, PCIEHSM_OP_PARTITION_CLEAR, 0);
	fwmsg_u32(&m, PCIEHSM_F_LIMIT, 0);
	assert_rv(fwmsg_run(&m, c->fw, c->part, CTX_CO), CKR_ARGUMENTS_BAD);
	fwmsg_free(&m);
	clear_lot(c, 12, 8);
	assert_ok(card_find(c, CTX_CO, NULL, &n, NULL));
	assert_int_equal(n, 8);
	clear_lot(c, 7, 1);
	assert_ok(card_simple(c, c->part, CTX_CO, PCIEHSM_OP_PARTITION_CLEAR));
	assert_ok(card_find(c, CTX_CO, NULL, &n, NULL));
	assert_int_equal(n, 0);
	fwmsg_begin(&m, PCIEHSM_OP_DIGEST, 0);
	assert_ok(fwmsg_run(&m, c->fw, c->part, 20));
	assert_int_equal(fwmsg_get_u32(&m, PCIEHSM_F_OBJECTS), 0);
	assert_int_equal(fwmsg_get_u32(&m, PCIEHSM_F_TOMBSTONES), 20);
	assert_int_equal(fwmsg_get_u64(&m, PCIEHSM_F_SEQ), 40);
	fwmsg_free(&m);
	assert_rv(card_data(c, CTX_CO, 7, "x", true), PCIEHSM_CKR_OBJECT_DELETED);
	card_power_cycle(c);
	assert_ok(card_login(c, c->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
	assert_rv(card_data(c, CTX_CO, 7, "x", true), PCIEHSM_CKR_OBJECT_DELETED);
	card_free(c);
}

static void incarnation(struct card *c, uint8_t out[16])
{
	struct fwmsg m;
	size_t len;

	fwmsg_begin(&m, PCIEHSM_OP_PARTITION_INFO, 0);
	assert_ok(fwmsg_run(&m, c->fw, c->part, 20));
	memcpy(out, fwmsg_get(&m, PCIEHSM_F_INCARNATION, &len), 16);
	assert_int_equal(len, 16);
	fwmsg_free(&m);
}

static void test_incarnation(void **state)
{
	struct card *c = card_ready(1238700, DOMAIN);
	uint8_t a[16], b[16];

	(void)state;
	incarnation(c, a);
	assert_ok(card_data(c, CTX_CO, 1, "x", true));
	card_power_cycle(c);
	incarnation(c, b);
	assert_memory_equal(a, b, 16);
	assert_ok(card_login(c, c->part, CTX_PO, PCIEHSM_ROLE_PO, PO_PIN));
	assert_ok(card_partition_init(c, c->part, CTX_PO, "x", PO_PIN, DOMAIN));
	incarnation(c, b);
	assert_memory_not_equal(a, b, 16);
	card_free(c);
}

static void test_context_limit(void **state)
{
	struct card *c = card_new(3);

	(void)state;
	hsm_fw_close(c->fw);
	c->config.max_contexts = 4;
	assert_int_equal(hsm_fw_open(&c->config, &c->fw, NULL, 0), 0);
	for (uint32_t i = 1; i <= 4; i++)
		assert_ok(card_simple(c, 0, i, PCIEHSM_OP_PING));
	assert_rv(card_simple(c, 0, 5, PCIEHSM_OP_PING), FWMSG_NO_ANSWER + HSM_FW_CONTEXT_LIMIT);
	assert_ok(card_simple(c, 0, 4, PCIEHSM_OP_PING));
	hsm_fw_context_close(c->fw, 2);
	hsm_fw_context_close(c->fw, 2);
	assert_ok(card_simple(c, 0, 5, PCIEHSM_OP_PING));
	card_free(c);
}

static void test_info(void **state)
{
	struct card *c = card_ready(1238700, DOMAIN);
	uint8_t ouid[16];
	uint64_t stat[PCIEHSM_STAT_COUNT];
	const uint8_t *p;
	struct fwmsg m;
	size_t len;

	(void)state;
	assert_ok(card_data(c, CTX_CO, 1, "x", true));
	assert_rv(card_destroy(c, CTX_CO, 5, 0), CKR_OBJECT_HANDLE_INVALID);
	ouid_of(ouid, 7);
	fwmsg_begin(&m, PCIEHSM_OP_CRYPT_INIT, 5);
	fwmsg_u32(&m, PCIEHSM_F_FUNCTION, PCIEHSM_FN_DIGEST);
	fwmsg_u32(&m, PCIEHSM_F_MECHANISM, CKM_SHA256);
	assert_ok(fwmsg_run(&m, c->fw, c->part, CTX_CO));
	fwmsg_free(&m);
	fwmsg_begin(&m, PCIEHSM_OP_PARTITION_INFO, 0);
	assert_ok(fwmsg_run(&m, c->fw, c->part, 20));
	assert_int_equal(fwmsg_get_u32(&m, PCIEHSM_F_SESSIONS), 1);
	assert_int_equal(fwmsg_get_u32(&m, PCIEHSM_F_FLAGS), 7 | PCIEHSM_PARTITION_HA_RECOVERY);
	p = fwmsg_get(&m, PCIEHSM_F_STATS, &len);
	assert_int_equal(len, sizeof(stat));
	memcpy(stat, p, len);
	assert_int_equal(stat[PCIEHSM_STAT_CREATE], 1);
	assert_int_equal(stat[PCIEHSM_STAT_ERRORS], 1);
	assert_int_equal(stat[PCIEHSM_STAT_LOGIN], 3);
	assert_memory_equal(fwmsg_get(&m, PCIEHSM_F_LABEL, &len), "par0", 4);
	assert_memory_equal(fwmsg_get(&m, PCIEHSM_F_HSM_SERIAL, &len), "1238700", 7);
	fwmsg_free(&m);
	fwmsg_begin(&m, PCIEHSM_OP_HSM_IDENTITY, 0);
	assert_ok(fwmsg_run(&m, c->fw, c->part, 20));
	assert_non_null(fwmsg_get(&m, PCIEHSM_F_CERTIFICATES, &len));
	assert_true(len > 300);
	fwmsg_free(&m);
	card_free(c);
}

/* What happens between a message's being let in and its being worked on */
static void (*meanwhile)(void);
static struct card *shared;

CK_RV __real_audit_admit(void *call);
CK_RV __wrap_audit_admit(void *call);

CK_RV __wrap_audit_admit(void *call)
{
	void (*now)(void) = meanwhile;

	meanwhile = NULL;
	if (now)
		now();
	return __real_audit_admit(call);
}

static void initialise_again(void)
{
	assert_ok(card_hsm_init(shared, "again", SO_PIN));
}

/*
 * The HSM is initialised while a message is on its way: whatever it finds missing then (its
 * key, a role, its login), the answer is that the partition has gone.
 */
static void test_gone_meanwhile(void **state)
{
	static const unsigned long gone = FWMSG_NO_ANSWER + HSM_FW_NO_PARTITION;
	uint8_t signature[64];
	size_t len = sizeof(signature);
	unsigned int what, n;
	unsigned long rv;

	(void)state;
	for (what = 0; what < 4; what++) {
		shared = card_ready(1238700, DOMAIN);
		assert_ok(card_ec(shared, CTX_CO, 1, "ec", true));
		meanwhile = initialise_again;
		if (what == 0)
			rv = card_sign(shared, CTX_CO, 2, CKM_ECDSA_SHA256, "x", 1, signature,
				       &len);
		else if (what == 1)
			rv = card_login(shared, shared->part, 77, PCIEHSM_ROLE_CU, CU_PIN);
		else if (what == 2)
			rv = card_destroy(shared, CTX_CO, 1, 0);
		else
			rv = card_find(shared, CTX_CO, "ec", &n, NULL);
		assert_null(meanwhile);
		/* What still finds all that it needs may be answered as if it came before. */
		assert_true(rv == gone || (what == 3 && rv == CKR_OK));
		card_free(shared);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_hsm_init),
		cmocka_unit_test(test_reset_and_zeroize),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_quota),
		cmocka_unit_test(test_capacity),
		cmocka_unit_test(test_hundred),
		cmocka_unit_test(test_tamper),
		cmocka_unit_test(test_clear),
		cmocka_unit_test(test_incarnation),
		cmocka_unit_test(test_context_limit),
		cmocka_unit_test(test_info),
		cmocka_unit_test(test_gone_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
