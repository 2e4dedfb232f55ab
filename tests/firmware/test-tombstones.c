// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tombstones: collected when every peer has seen them, never before; and nothing that
 * was on its way comes back. Domain parameters, finding by any attribute, who may
 * widen what a key does.
 */
#include "card.h"

#include <endian.h>

/* PKCS#11 3.0; p11-kit's header has not got it */
#define CKA_UNIQUE_ID	4UL

#define PEER_A	1000100ULL
#define PEER_B	2000100ULL

static unsigned long mark(struct card *c, uint32_t ctx, const char *serial, const uint64_t *seq)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_REPLICA_MARK, 0);
	fwmsg_text(&m, PCIEHSM_F_SERIAL, serial);
	if (seq)
		fwmsg_u64(&m, PCIEHSM_F_SEQ, *seq);
	return card_run(&m, c, c->part, ctx);
}

static unsigned long mark_at(struct card *c, const char *serial, uint64_t seq)
{
	return mark(c, CTX_CO, serial, &seq);
}

static unsigned long collect(struct card *c, const uint64_t *peers, size_t n, uint32_t flags,
			     uint32_t *count)
{
	uint64_t raw[4];
	unsigned long rv;
	struct fwmsg m;

	for (size_t i = 0; i < n; i++)
		raw[i] = htole64(peers[i]);
	fwmsg_begin(&m, PCIEHSM_OP_TOMBSTONES_COLLECT, 0);
	fwmsg_bytes(&m, PCIEHSM_F_SERIALS, raw, n * 8);
	if (flags)
		fwmsg_u32(&m, PCIEHSM_F_FLAGS, flags);
	rv = fwmsg_run(&m, c->fw, c->part, CTX_CO);
	if (rv == CKR_OK)
		*count = fwmsg_get_u32(&m, PCIEHSM_F_TOMBSTONES);
	fwmsg_free(&m);
	return rv;
}

static void digest(struct card *c, uint64_t *seq, uint32_t *objects, uint32_t *tombstones)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_DIGEST, 0);
	assert_ok(fwmsg_run(&m, c->fw, c->part, CTX_CO));
	*seq = fwmsg_get_u64(&m, PCIEHSM_F_SEQ);
	*objects = fwmsg_get_u32(&m, PCIEHSM_F_OBJECTS);
	*tombstones = fwmsg_get_u32(&m, PCIEHSM_F_TOMBSTONES);
	fwmsg_free(&m);
}

static uint64_t space_free(struct card *c)
{
	uint64_t left;
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_PARTITION_INFO, 0);
	assert_ok(fwmsg_run(&m, c->fw, c->part, CTX_CO));
	left = fwmsg_get_u64(&m, PCIEHSM_F_SPACE_FREE);
	fwmsg_free(&m);
	return left;
}

static void test_collect(void **state)
{
	static const uint64_t peers[] = { PEER_A, PEER_B }, strangers[] = { PEER_A, 5 };
	struct card *c = card_ready(3000, DOMAIN);
	uint32_t count, objects, tombstones, n;
	uint64_t seq, first, before, empty = space_free(c);

	(void)state;
	for (n = 1; n <= 10; n++)
		assert_ok(card_data(c, CTX_CO, n, "x", true));
	for (n = 1; n <= 4; n++)
		assert_ok(card_destroy(c, CTX_CO, n, 0));
	digest(c, &first, &objects, &tombstones);
	assert_int_equal(tombstones, 4);
	/* Marks: who may, and which there can be */
	assert_rv(mark(c, CTX_CU, "1000100", &first), CKR_USER_NOT_LOGGED_IN);
	assert_rv(mark_at(c, "10x", 0), CKR_ARGUMENTS_BAD);
	assert_rv(mark_at(c, "0", 0), CKR_ARGUMENTS_BAD);
	assert_rv(mark_at(c, "9999999999999999999", 0), CKR_ARGUMENTS_BAD);
	assert_rv(mark_at(c, "3000000100", 0), CKR_ARGUMENTS_BAD);
	assert_rv(mark_at(c, "1000100", first + 1), CKR_ARGUMENTS_BAD);
	assert_ok(mark_at(c, "1000100", first));
	assert_ok(mark_at(c, "2000100", 0));
	/* One of them has seen nothing: nothing goes. Both sides must mean the same. */
	assert_ok(collect(c, peers, 2, 0, &count));
	assert_int_equal(count, 0);
	assert_rv(collect(c, peers, 1, 0, &count), PCIEHSM_CKR_PEERS);
	assert_rv(collect(c, strangers, 2, 0, &count), PCIEHSM_CKR_PEERS);
	assert_rv(collect(c, NULL, 0, 0, &count), PCIEHSM_CKR_PEERS);
	assert_rv(collect(c, peers, 2, 8, &count), CKR_ARGUMENTS_BAD);
	/* It has seen two of the deletions. What came later stays. */
	assert_ok(mark_at(c, "2000100", first - 2));
	assert_ok(card_destroy(c, CTX_CO, 5, 0));
	assert_ok(collect(c, peers, 2, PCIEHSM_COLLECT_DRY, &count));
	assert_int_equal(count, 2);
	before = space_free(c);
	assert_ok(collect(c, peers, 2, 0, &count));
	assert_int_equal(count, 2);
	assert_true(space_free(c) > before);
	digest(c, &seq, &objects, &tombstones);
	assert_int_equal(tombstones, 3);
	assert_int_equal(objects, 5);
	/* Marks do not go back, but to nothing; and they survive. */
	assert_ok(mark_at(c, "1000100", 3));
	card_power_cycle(c);
	assert_ok(card_login(c, c->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
	digest(c, &seq, &objects, &tombstones);
	assert_int_equal(tombstones, 3);
	assert_ok(mark_at(c, "2000100", seq));
	assert_ok(collect(c, peers, 2, 0, &count));
	assert_int_equal(count, 2);
	assert_ok(mark_at(c, "1000100", 0));
	assert_ok(collect(c, peers, 2, 0, &count));
	assert_int_equal(count, 0);
	/* Who is left alone needs none. */
	assert_ok(mark(c, CTX_CO, "1000100", NULL));
	assert_ok(mark(c, CTX_CO, "2000100", NULL));
	assert_ok(collect(c, NULL, 0, 0, &count));
	assert_int_equal(count, 1);
	/* The log goes on where it was. */
	for (n = 6; n <= 10; n++)
		assert_ok(card_destroy(c, CTX_CO, n, 0));
	assert_ok(card_data(c, CTX_CO, 20, "later", true));
	assert_ok(collect(c, NULL, 0, 0, &count));
	assert_int_equal(count, 5);
	assert_ok(card_destroy(c, CTX_CO, 20, 0));
	assert_ok(collect(c, NULL, 0, 0, &count));
	assert_int_equal(space_free(c), empty);
	card_power_cycle(c);
	card_free(c);
}

/* Tombstones take room, and leave it to deletions. */
static void test_quota(void **state)
{
	struct card *c = card_ready(3001, DOMAIN);
	unsigned long rv;
	uint32_t n, count;
	struct fwmsg m;

	(void)state;
	fwmsg_begin(&m, PCIEHSM_OP_PARTITION_RESIZE, 0);
	fwmsg_u32(&m, PCIEHSM_F_NUMBER, c->part);
	fwmsg_u64(&m, PCIEHSM_F_SIZE, 65536);
	assert_ok(fwmsg_run(&m, c->fw, 0, CTX_SO));
	fwmsg_free(&m);
	for (n = 1; (rv = card_data(c, CTX_CO, n, "x", true)) == CKR_OK; n++)
		assert_ok(card_destroy(c, CTX_CO, n, 0));
	assert_rv(rv, CKR_DEVICE_MEMORY);
	assert_true(n > 300 && n < 65536 / 100);
	assert_ok(collect(c, NULL, 0, 0, &count));
	assert_int_equal(count, n - 1);
	for (n = 1; card_data(c, CTX_CO, n, "x", true) == CKR_OK; n++)
		;
	/* In a full partition everything can be deleted. */
	for (count = 1; count < n; count++)
		assert_ok(card_destroy(c, CTX_CO, count, 0));
	card_free(c);
}

/* ---- domain parameters ---- */

static unsigned long domain(struct card *c, uint32_t n, uint64_t type, const char *p,
			    const char *q, const char *g, const void *ec, size_t ec_len)
{
	uint8_t ouid[PCIEHSM_OUID_LEN];
	struct fwmsg m;

	ouid_of(ouid, n);
	fwmsg_begin(&m, PCIEHSM_OP_OBJECT_CREATE, 1);
	fwmsg_bytes(&m, PCIEHSM_F_OUID, ouid, sizeof(ouid));
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr_ulong(&m, CKA_CLASS, CKO_DOMAIN_PARAMETERS);
	fwmsg_attr_ulong(&m, CKA_KEY_TYPE, type);
	fwmsg_attr_bool(&m, CKA_TOKEN, true);
	if (p)
		fwmsg_attr_text(&m, CKA_PRIME, p);
	if (q)
		fwmsg_attr_text(&m, CKA_SUBPRIME, q);
	if (g)
		fwmsg_attr_text(&m, CKA_BASE, g);
	if (ec)
		fwmsg_attr(&m, CKA_EC_PARAMS, ec, ec_len);
	fwmsg_template_end(&m);
	return card_run(&m, c, c->part, CTX_CO);
}

static void test_domain_parameters(void **state)
{
	static const uint8_t p256[] = { 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 };
	struct card *c = card_ready(3002, DOMAIN);
	uint8_t value[64];
	size_t len = sizeof(value);

	(void)state;
	assert_ok(domain(c, 1, CKK_EC, NULL, NULL, NULL, p256, sizeof(p256)));
	assert_ok(domain(c, 2, CKK_DH, "\x1f prime", NULL, "base", NULL, 0));
	assert_ok(domain(c, 3, CKK_DSA, "prime", "sub", "base", NULL, 0));
	assert_ok(card_get(c, CTX_CO, 2, CKA_PRIME_BITS, value, &len));
	assert_int_equal(value[0], 6 * 8 + 5);
	len = sizeof(value);
	assert_ok(card_get(c, CTX_CO, 3, CKA_SUB_PRIME_BITS, value, &len));
	assert_int_equal(value[0], 23);
	len = sizeof(value);
	assert_ok(card_get(c, CTX_CO, 1, CKA_EC_PARAMS, value, &len));
	assert_int_equal(len, sizeof(p256));
	assert_rv(domain(c, 4, CKK_EC, NULL, NULL, NULL, NULL, 0), CKR_TEMPLATE_INCOMPLETE);
	assert_rv(domain(c, 4, CKK_DSA, "p", NULL, "g", NULL, 0), CKR_TEMPLATE_INCOMPLETE);
	assert_rv(domain(c, 4, CKK_DH, "p", "q", "g", NULL, 0), CKR_TEMPLATE_INCONSISTENT);
	assert_rv(domain(c, 4, CKK_EC, "p", NULL, NULL, p256, sizeof(p256)),
		  CKR_TEMPLATE_INCONSISTENT);
	assert_rv(domain(c, 4, CKK_AES, NULL, NULL, NULL, NULL, 0), CKR_ATTRIBUTE_VALUE_INVALID);
	assert_rv(domain(c, 4, CKK_DH, "", NULL, "g", NULL, 0), CKR_ATTRIBUTE_VALUE_INVALID);
	card_power_cycle(c);
	assert_ok(card_login(c, c->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
	len = sizeof(value);
	assert_ok(card_get(c, CTX_CO, 3, CKA_BASE, value, &len));
	card_free(c);
}

/* ---- who widens what a key does ---- */

static unsigned long change(struct card *c, uint32_t ctx, uint32_t op, uint32_t n, uint32_t to,
			    uint32_t type, bool value)
{
	uint8_t ouid[PCIEHSM_OUID_LEN];
	struct fwmsg m;

	ouid_of(ouid, n);
	fwmsg_begin(&m, op, 1);
	fwmsg_bytes(&m, PCIEHSM_F_OBJECT, ouid, sizeof(ouid));
	if (to) {
		ouid_of(ouid, to);
		fwmsg_bytes(&m, PCIEHSM_F_OUID, ouid, sizeof(ouid));
	}
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	if (to)
		fwmsg_attr_bool(&m, CKA_TOKEN, false);
	fwmsg_attr_bool(&m, type, value);
	fwmsg_template_end(&m);
	return card_run(&m, c, c->part, ctx);
}

static void test_widening(void **state)
{
	struct card *c = card_ready(3003, DOMAIN);
	const uint32_t set = PCIEHSM_OP_OBJECT_SET, copy = PCIEHSM_OP_OBJECT_COPY;

	(void)state;
	assert_ok(card_ec(c, CTX_CO, 1, "key", true));
	assert_ok(change(c, CTX_CO, set, 2, 0, CKA_UNWRAP, false));
	/* CU may copy a key into his session, and may not make more of the copy. */
	assert_rv(change(c, CTX_CU, copy, 2, 10, CKA_UNWRAP, true), CKR_ATTRIBUTE_READ_ONLY);
	assert_ok(change(c, CTX_CU, copy, 2, 11, CKA_UNWRAP, false));
	assert_rv(change(c, CTX_CU, set, 11, 0, CKA_UNWRAP, true), CKR_ATTRIBUTE_READ_ONLY);
	assert_ok(change(c, CTX_CU, set, 11, 0, CKA_SIGN, false));
	assert_rv(change(c, CTX_CU, set, 11, 0, CKA_SIGN, true), CKR_ATTRIBUTE_READ_ONLY);
	assert_ok(change(c, CTX_CO, copy, 2, 12, CKA_UNWRAP, true));
	/* Policy 11: nobody at all. To turn it on again destroys what was made without. */
	assert_ok(card_policy(c, c->part, CTX_PO, 11, 0));
	assert_rv(change(c, CTX_CO, copy, 2, 13, CKA_UNWRAP, true), PCIEHSM_CKR_POLICY);
	assert_rv(change(c, CTX_CO, set, 2, 0, CKA_SIGN, false), PCIEHSM_CKR_POLICY);
	assert_ok(card_policy(c, c->part, CTX_PO, 11, 1));
	assert_rv(card_login(c, c->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN), CKR_OK);
	assert_rv(change(c, CTX_CO, set, 2, 0, CKA_SIGN, false), CKR_OBJECT_HANDLE_INVALID);
	card_free(c);
}

/* ---- finding by anything ---- */

/* Objects that were looked at one by one */
static unsigned int looked_at;

bool __real_rules_match(const void *attrs, const uint8_t *template, size_t len);
bool __wrap_rules_match(const void *attrs, const uint8_t *template, size_t len);

bool __wrap_rules_match(const void *attrs, const uint8_t *template, size_t len)
{
	looked_at++;
	return __real_rules_match(attrs, template, len);
}

static unsigned int find(struct card *c, uint32_t type, const void *value, size_t len)
{
	unsigned int n;
	struct fwmsg m;
	size_t got;

	fwmsg_begin(&m, PCIEHSM_OP_OBJECT_FIND, 1);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr(&m, type, value, len);
	fwmsg_template_end(&m);
	fwmsg_u32(&m, PCIEHSM_F_LIMIT, 3500);
	m.out_size = 65536;
	looked_at = 0;
	assert_ok(fwmsg_run(&m, c->fw, c->part, CTX_CO));
	fwmsg_get(&m, PCIEHSM_F_OUIDS, &got);
	n = (unsigned int)(got / PCIEHSM_OUID_LEN);
	fwmsg_free(&m);
	return n;
}

static void test_find(void **state)
{
	static const uint8_t value[16] = "0123456789abcdef", hidden[16] = "ABCDEFGHIJKLMNOP";
	const uint8_t yes = 1, no = 0;
	struct card *c = card_ready(3004, DOMAIN);
	uint8_t app[] = "application", check[3], point[200];
	size_t len;
	struct fwmsg m;
	uint32_t n;

	(void)state;
	assert_ok(card_aes(c, CTX_CO, 1, value, 16, true));
	assert_ok(card_aes(c, CTX_CO, 2, hidden, 16, false));
	assert_ok(card_ec(c, CTX_CO, 3, "pair", true));
	for (n = 100; n < 3000; n++)
		assert_ok(card_data(c, CTX_CO, n, "many", true));
	/* One object that differs in something that is not its label */
	fwmsg_begin(&m, PCIEHSM_OP_OBJECT_CREATE, 1);
	ouid_of(point, 50);
	fwmsg_bytes(&m, PCIEHSM_F_OUID, point, PCIEHSM_OUID_LEN);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr_ulong(&m, CKA_CLASS, CKO_DATA);
	fwmsg_attr_bool(&m, CKA_TOKEN, true);
	fwmsg_attr_bool(&m, CKA_MODIFIABLE, false);
	fwmsg_attr_text(&m, CKA_APPLICATION, (char *)app);
	fwmsg_template_end(&m);
	assert_ok(fwmsg_run(&m, c->fw, c->part, CTX_CO));
	fwmsg_free(&m);
	assert_int_equal(find(c, CKA_APPLICATION, app, sizeof(app) - 1), 1);
	assert_int_equal(find(c, CKA_MODIFIABLE, &no, 1), 1);
	assert_int_equal(find(c, CKA_MODIFIABLE, &yes, 1), 2904);
	assert_int_equal(find(c, CKA_APPLICATION, NULL, 0), 2900);
	/* Of keys: what can be read, and nothing else */
	assert_int_equal(find(c, CKA_VALUE, value, 16), 1);
	assert_int_equal(find(c, CKA_VALUE, hidden, 16), 0);
	len = sizeof(check);
	assert_ok(card_get(c, CTX_CO, 2, CKA_CHECK_VALUE, check, &len));
	assert_int_equal(find(c, CKA_CHECK_VALUE, check, len), 1);
	len = sizeof(point);
	assert_ok(card_get(c, CTX_CO, 3, CKA_EC_POINT, point, &len));
	assert_int_equal(find(c, CKA_EC_POINT, point, len), 1);
	assert_int_equal(find(c, CKA_LOCAL, &yes, 1), 2);
	assert_int_equal(find(c, CKA_LOCAL, &no, 1), 2);
	assert_int_equal(find(c, CKA_EXTRACTABLE, &yes, 1), 1);
	assert_int_equal(find(c, CKA_TOKEN, &yes, 1), 2905);
	assert_int_equal(find(c, CKA_TOKEN, &no, 1), 0);
	/* Through an index: what can not be it is not looked at. */
	assert_int_equal(find(c, CKA_EC_POINT, point, len), 1);
	assert_int_equal(looked_at, 1);
	assert_int_equal(find(c, CKA_MODIFIABLE, &no, 1), 1);
	assert_int_equal(looked_at, 1);
	/* What nearly all have would make an index of nearly all. */
	assert_int_equal(find(c, CKA_MODIFIABLE, &yes, 1), 2904);
	assert_int_equal(looked_at, 2905);
	/* What an object was is not found any more. */
	assert_ok(card_set_text(c, CTX_CO, 100, CKA_LABEL, "other"));
	assert_int_equal(find(c, CKA_LABEL, "many", 4), 2899);
	assert_int_equal(find(c, CKA_LABEL, "other", 5), 1);
	assert_ok(card_destroy(c, CTX_CO, 100, 0));
	assert_int_equal(find(c, CKA_LABEL, "other", 5), 0);
	card_free(c);
}

static void unique_id(struct card *c, uint32_t n, uint8_t id[2 * PCIEHSM_OUID_LEN])
{
	size_t len = 2 * PCIEHSM_OUID_LEN;

	assert_ok(card_get(c, CTX_CO, n, CKA_UNIQUE_ID, id, &len));
	assert_int_equal(len, 2 * PCIEHSM_OUID_LEN);
}

static void test_find_by_unique_id(void **state)
{
	struct card *c = card_ready(3005, DOMAIN);
	uint8_t id[2 * PCIEHSM_OUID_LEN + 1], gone[2 * PCIEHSM_OUID_LEN];
	uint8_t ouid[PCIEHSM_OUID_LEN];
	const uint8_t *p;
	struct fwmsg m;
	uint32_t n;
	size_t len;

	(void)state;
	for (n = 1; n <= 30; n++)
		assert_ok(card_data(c, CTX_CO, n, "many", true));
	assert_ok(card_data(c, CTX_CO, 200, "of a session", false));
	unique_id(c, 200, id);
	assert_int_equal(find(c, CKA_UNIQUE_ID, id, 32), 1);
	assert_int_equal(looked_at, 1);
	unique_id(c, 7, id);
	assert_int_equal(find(c, CKA_UNIQUE_ID, id, 32), 1);
	assert_int_equal(looked_at, 1);
	/* Together with what it has, and with what it has not; the right one is found. */
	fwmsg_begin(&m, PCIEHSM_OP_OBJECT_FIND, 1);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr_text(&m, CKA_LABEL, "many");
	fwmsg_attr(&m, CKA_UNIQUE_ID, id, 32);
	fwmsg_template_end(&m);
	fwmsg_u32(&m, PCIEHSM_F_LIMIT, 10);
	looked_at = 0;
	assert_ok(fwmsg_run(&m, c->fw, c->part, CTX_CO));
	assert_int_equal(looked_at, 1);
	p = fwmsg_get(&m, PCIEHSM_F_OUIDS, &len);
	ouid_of(ouid, 7);
	assert_int_equal(len, sizeof(ouid));
	assert_memory_equal(p, ouid, sizeof(ouid));
	fwmsg_free(&m);
	fwmsg_begin(&m, PCIEHSM_OP_OBJECT_FIND, 1);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr(&m, CKA_UNIQUE_ID, id, 32);
	fwmsg_attr_text(&m, CKA_LABEL, "another");
	fwmsg_template_end(&m);
	fwmsg_u32(&m, PCIEHSM_F_LIMIT, 10);
	assert_ok(fwmsg_run(&m, c->fw, c->part, CTX_CO));
	fwmsg_get(&m, PCIEHSM_F_OUIDS, &len);
	assert_int_equal(len, 0);
	fwmsg_free(&m);
	/* What is no object's: other lengths, other digits, nothing, one that is gone */
	id[32] = '0';
	assert_int_equal(find(c, CKA_UNIQUE_ID, id, 33), 0);
	assert_int_equal(find(c, CKA_UNIQUE_ID, id, 31), 0);
	assert_int_equal(find(c, CKA_UNIQUE_ID, NULL, 0), 0);
	ouid_of(ouid, 7);
	assert_int_equal(find(c, CKA_UNIQUE_ID, ouid, sizeof(ouid)), 0);
	assert_int_equal(id[1], 'f');
	id[1] = 'F';
	assert_int_equal(find(c, CKA_UNIQUE_ID, id, 32), 0);
	id[1] = 'g';
	assert_int_equal(find(c, CKA_UNIQUE_ID, id, 32), 0);
	id[1] = '\0';
	assert_int_equal(find(c, CKA_UNIQUE_ID, id, 32), 0);
	unique_id(c, 8, gone);
	assert_ok(card_destroy(c, CTX_CO, 8, 0));
	assert_int_equal(find(c, CKA_UNIQUE_ID, gone, 32), 0);
	assert_int_equal(looked_at, 0);
	card_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_collect),
		cmocka_unit_test(test_quota),
		cmocka_unit_test(test_domain_parameters),
		cmocka_unit_test(test_widening),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_find_by_unique_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
