// SPDX-License-Identifier: GPL-2.0-or-later
/* Attribute sets */
#include "util.h"

static void test_put_get(void **state)
{
	struct fw_attrs a = { 0 };
	struct fw_bytes value;
	uint64_t number = 77;

	(void)state;
	assert_false(fw_attrs_get(&a, CKA_LABEL, &value));
	assert_null(value.p);
	assert_ok(fw_attrs_put(&a, CKA_LABEL, "12345678", 8));
	assert_ok(fw_attrs_put(&a, CKA_ID, "123456789", 9));
	assert_ok(fw_attrs_put(&a, CKA_SUBJECT, NULL, 0));
	assert_ok(fw_attrs_put_bool(&a, CKA_TOKEN, true));
	assert_ok(fw_attrs_put_ulong(&a, CKA_KEY_TYPE, 0x0102030405060708));
	assert_bytes(get(&a, CKA_LABEL), TEXT("12345678"));
	assert_bytes(get(&a, CKA_ID), TEXT("123456789"));
	assert_true(fw_attrs_has(&a, CKA_SUBJECT));
	assert_int_equal(get(&a, CKA_SUBJECT).len, 0);
	assert_hex(get(&a, CKA_TOKEN), "01");
	assert_hex(get(&a, CKA_KEY_TYPE), "0807060504030201");
	assert_true(get_ulong(&a, CKA_KEY_TYPE) == 0x0102030405060708);
	assert_true(fw_attrs_get_bool(&a, CKA_TOKEN, false));
	assert_true(fw_attrs_get_bool(&a, CKA_PRIVATE, true));
	assert_false(fw_attrs_get_bool(&a, CKA_PRIVATE, false));
	/* Not of the right length */
	assert_false(fw_attrs_get_ulong(&a, CKA_ID, &number));
	assert_int_equal(number, 77);
	assert_false(fw_attrs_get_bool(&a, CKA_LABEL, false));
	fw_attrs_wipe(&a);
	assert_int_equal(a.count, 0);
	assert_null(a.list);
}

static void test_replace(void **state)
{
	static const size_t lens[] = { 0, 1, 8, 9, 100, 3, 2000, 8 };
	struct fw_attrs a = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		struct fw_bytes value = pattern(lens[i]);

		assert_ok(fw_attrs_put(&a, CKA_VALUE, value.p, value.len));
		assert_int_equal(a.count, 1);
		assert_bytes(get(&a, CKA_VALUE), value);
	}
	/* By a part of itself */
	assert_ok(fw_attrs_put(&a, CKA_VALUE, "0123456789abcdef", 16));
	assert_ok(fw_attrs_put(&a, CKA_VALUE, get(&a, CKA_VALUE).p + 4, 10));
	assert_bytes(get(&a, CKA_VALUE), TEXT("456789abcd"));
	fw_attrs_wipe(&a);
}

static void test_order(void **state)
{
	struct fw_attrs a = { 0 }, b = { 0 };
	unsigned int i;

	(void)state;
	for (i = 0; i < 200; i++) {
		/* 199 is prime: every type once, in an order that is not theirs. */
		CK_ULONG type = (i * 83) % 199;

		assert_ok(fw_attrs_put_ulong(&a, type, type));
		assert_ok(fw_attrs_put_ulong(&b, 198 - type, 198 - type));
	}
	assert_int_equal(a.count, 199);
	for (i = 0; i < a.count; i++) {
		assert_int_equal(a.list[i].type, i);
		assert_int_equal(get_ulong(&a, i), i);
	}
	assert_true(fw_attrs_equal(&a, &b));
	for (i = 0; i < 199; i += 2)
		fw_attrs_remove(&a, i);
	fw_attrs_remove(&a, 1000);
	assert_int_equal(a.count, 99);
	for (i = 0; i < 199; i++)
		assert_int_equal(fw_attrs_has(&a, i), i % 2);
	assert_false(fw_attrs_equal(&a, &b));
	fw_attrs_wipe(&a);
	fw_attrs_wipe(&b);
}

static void test_copy(void **state)
{
	struct fw_attrs a = { 0 }, b = { 0 };
	struct fw_bytes value = pattern(50);

	(void)state;
	assert_ok(fw_attrs_put(&b, CKA_ID, value.p, value.len));
	assert_ok(fw_attrs_copy(&b, &a));
	assert_int_equal(b.count, 0);
	assert_ok(fw_attrs_put(&a, CKA_VALUE, value.p, value.len));
	assert_ok(fw_attrs_put_bool(&a, CKA_TOKEN, false));
	assert_ok(fw_attrs_copy(&b, &a));
	assert_true(fw_attrs_equal(&a, &b));
	/* A copy of its own */
	assert_ok(fw_attrs_put(&a, CKA_VALUE, value.p, value.len - 1));
	assert_bytes(get(&b, CKA_VALUE), value);
	assert_false(fw_attrs_equal(&a, &b));
	assert_ok(fw_attrs_put(&b, CKA_VALUE, value.p + 1, value.len - 1));
	assert_false(fw_attrs_equal(&a, &b));
	fw_attrs_wipe(&a);
	fw_attrs_wipe(&b);
}

static void test_too_big(void **state)
{
	struct fw_attrs a = { 0 };

	(void)state;
	assert_rv(fw_attrs_put(&a, 0x100000000, "x", 1), CKR_ATTRIBUTE_VALUE_INVALID);
	assert_rv(fw_attrs_put(&a, CKA_VALUE, "x", 0x100000001), CKR_ATTRIBUTE_VALUE_INVALID);
	assert_int_equal(a.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_get),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_too_big),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
