// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Objects: the attribute rules of PKCS#11, search, idempotent creation, versions.
 */
#include "objects.h"

static void x509(struct fwmsg *m, uint32_t n)
{
	create(m, n, CKO_CERTIFICATE);
	fwmsg_attr_ulong(m, CKA_CERTIFICATE_TYPE, CKC_X_509);
	fwmsg_attr_text(m, CKA_SUBJECT, "s");
}

/* PKCS#11 3.0, 4.6: object 1 is there already, nothing else is made but 20 to 23. */
static void certificates(void)
{
	static const struct {
		uint32_t	type;
		uint64_t	value;
		unsigned long	rv;
	} numbers[] = {
		{ CKA_CERTIFICATE_CATEGORY, 4, CKR_ATTRIBUTE_VALUE_INVALID },
		{ CKA_JAVA_MIDP_SECURITY_DOMAIN, 4, CKR_ATTRIBUTE_VALUE_INVALID },
		{ CKA_CERTIFICATE_CATEGORY, 3, CKR_OK },
	};
	struct fwmsg m;
	size_t i;

	create(&m, 20, CKO_CERTIFICATE);
	fwmsg_attr_ulong(&m, CKA_CERTIFICATE_TYPE, 77);
	fwmsg_attr_text(&m, CKA_VALUE, "abc");
	fwmsg_attr_text(&m, CKA_SUBJECT, "s");
	assert_rv(finish(&m), CKR_ATTRIBUTE_VALUE_INVALID);
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		x509(&m, 20);
		fwmsg_attr_text(&m, CKA_VALUE, "abc");
		fwmsg_attr_ulong(&m, numbers[i].type, numbers[i].value);
		assert_rv(finish(&m), numbers[i].rv);
	}
	/* Elsewhere, and known by the hashes of both keys */
	x509(&m, 21);
	fwmsg_attr_text(&m, CKA_URL, "http://example/");
	fwmsg_attr_text(&m, CKA_HASH_OF_SUBJECT_PUBLIC_KEY, "01234567890123456789");
	assert_rv(finish(&m), CKR_TEMPLATE_INCOMPLETE);
	x509(&m, 21);
	fwmsg_attr_text(&m, CKA_URL, "http://example/");
	fwmsg_attr_text(&m, CKA_HASH_OF_SUBJECT_PUBLIC_KEY, "01234567890123456789");
	fwmsg_attr_text(&m, CKA_HASH_OF_ISSUER_PUBLIC_KEY, "01234567890123456789");
	assert_ok(finish(&m));
	/* The check value of "abc" begins as its SHA-1, a9993e36... */
	x509(&m, 22);
	fwmsg_attr_text(&m, CKA_VALUE, "abc");
	fwmsg_attr(&m, CKA_CHECK_VALUE, "\xa9\x99\x3f", 3);
	assert_rv(finish(&m), CKR_ATTRIBUTE_VALUE_INVALID);
	x509(&m, 22);
	fwmsg_attr_text(&m, CKA_VALUE, "abc");
	fwmsg_attr_text(&m, CKA_PUBLIC_KEY_INFO, "cb");
	assert_rv(finish(&m), CKR_ATTRIBUTE_VALUE_INVALID);
	x509(&m, 22);
	fwmsg_attr_text(&m, CKA_VALUE, "abc");
	fwmsg_attr_text(&m, CKA_PUBLIC_KEY_INFO, "bc");
	fwmsg_attr(&m, CKA_CHECK_VALUE, "\xa9\x99\x3e", 3);
	assert_ok(finish(&m));
	/* An attribute certificate is somebody's. */
	create(&m, 23, CKO_CERTIFICATE);
	fwmsg_attr_ulong(&m, CKA_CERTIFICATE_TYPE, CKC_X_509_ATTR_CERT);
	fwmsg_attr_text(&m, CKA_VALUE, "abc");
	assert_rv(finish(&m), CKR_TEMPLATE_INCOMPLETE);
	create(&m, 23, CKO_CERTIFICATE);
	fwmsg_attr_ulong(&m, CKA_CERTIFICATE_TYPE, CKC_X_509_ATTR_CERT);
	fwmsg_attr_text(&m, CKA_OWNER, "o");
	assert_rv(finish(&m), CKR_TEMPLATE_INCOMPLETE);
	create(&m, 23, CKO_CERTIFICATE);
	fwmsg_attr_ulong(&m, CKA_CERTIFICATE_TYPE, CKC_X_509_ATTR_CERT);
	fwmsg_attr_text(&m, CKA_OWNER, "o");
	fwmsg_attr_text(&m, CKA_VALUE, "abc");
	assert_ok(finish(&m));
}

static void test_templates(void **state)
{
	struct fwmsg m;

	(void)state;
	fwmsg_begin(&m, PCIEHSM_OP_OBJECT_CREATE, 1);
	put_ouid(&m, PCIEHSM_F_OUID, 1);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	assert_rv(finish(&m), CKR_TEMPLATE_INCOMPLETE);
	create(&m, 1, CKO_SECRET_KEY);
	assert_rv(finish(&m), CKR_TEMPLATE_INCOMPLETE);
	create(&m, 1, CKO_SECRET_KEY);
	fwmsg_attr_ulong(&m, CKA_KEY_TYPE, CKK_AES);
	assert_rv(finish(&m), CKR_TEMPLATE_INCOMPLETE);
	create(&m, 1, 0x777);
	assert_rv(finish(&m), CKR_ATTRIBUTE_VALUE_INVALID);
	create(&m, 1, CKO_DATA);
	fwmsg_attr_bool(&m, CKA_SENSITIVE, true);
	assert_rv(finish(&m), CKR_ATTRIBUTE_TYPE_INVALID);
	create(&m, 1, CKO_DATA);
	fwmsg_attr_bool(&m, 0x99999, true);
	assert_rv(finish(&m), CKR_ATTRIBUTE_TYPE_INVALID);
	create(&m, 1, CKO_DATA);
	fwmsg_attr_text(&m, CKA_LABEL, "a");
	fwmsg_attr_text(&m, CKA_LABEL, "b");
	assert_rv(finish(&m), CKR_TEMPLATE_INCONSISTENT);
	create(&m, 1, CKO_DATA);
	fwmsg_attr(&m, CKA_TOKEN, "\2", 1);
	assert_rv(finish(&m), CKR_ATTRIBUTE_VALUE_INVALID);
	create(&m, 1, CKO_DATA);
	fwmsg_attr(&m, CKA_TOKEN, "\1\1", 2);
	assert_rv(finish(&m), CKR_ATTRIBUTE_VALUE_INVALID);
	create_aes(&m, 1);
	fwmsg_attr_text(&m, CKA_START_DATE, "20261301");
	assert_rv(finish(&m), CKR_ATTRIBUTE_VALUE_INVALID);
	create_aes(&m, 1);
	fwmsg_attr_text(&m, CKA_START_DATE, "2026120");
	assert_rv(finish(&m), CKR_ATTRIBUTE_VALUE_INVALID);
	create_aes(&m, 1);
	fwmsg_attr(&m, CKA_ALLOWED_MECHANISMS, "1234567", 7);
	assert_rv(finish(&m), CKR_ATTRIBUTE_VALUE_INVALID);
	create_aes(&m, 1);
	fwmsg_attr(&m, CKA_WRAP_TEMPLATE, "1234567", 7);
	assert_rv(finish(&m), CKR_ATTRIBUTE_VALUE_INVALID);
	create(&m, 1, CKO_CERTIFICATE);
	assert_rv(finish(&m), CKR_TEMPLATE_INCOMPLETE);
	create(&m, 1, CKO_CERTIFICATE);
	fwmsg_attr_ulong(&m, CKA_CERTIFICATE_TYPE, CKC_X_509);
	fwmsg_attr_text(&m, CKA_VALUE, "not looked into");
	assert_rv(finish(&m), CKR_TEMPLATE_INCOMPLETE);
	create(&m, 1, CKO_CERTIFICATE);
	fwmsg_attr_ulong(&m, CKA_CERTIFICATE_TYPE, CKC_X_509);
	fwmsg_attr_text(&m, CKA_VALUE, "not looked into");
	fwmsg_attr_text(&m, CKA_SUBJECT, "s");
	assert_ok(finish(&m));
	certificates();
	/* What is the card's to say */
	static const uint32_t own[] = { CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE,
					CKA_KEY_GEN_MECHANISM, 4 };

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		create_aes(&m, 2);
		fwmsg_attr_bool(&m, own[i], true);
		assert_rv(finish(&m), CKR_ATTRIBUTE_READ_ONLY);
	}
	create_aes(&m, 2);
	fwmsg_attr_bool(&m, CKA_TRUSTED, true);
	assert_rv(finish(&m), CKR_ATTRIBUTE_READ_ONLY);
	create_aes(&m, 2);
	fwmsg_attr(&m, CKA_CHECK_VALUE, "abc", 3);
	assert_rv(finish(&m), CKR_ATTRIBUTE_VALUE_INVALID);
	create_aes(&m, 2);
	fwmsg_attr_ulong(&m, CKA_VALUE_LEN, 16);
	assert_rv(finish(&m), CKR_ATTRIBUTE_READ_ONLY);
	create_aes(&m, 2);
	fwmsg_attr(&m, CKA_MODULUS, "abc", 3);
	assert_rv(finish(&m), CKR_ATTRIBUTE_TYPE_INVALID);
	assert_rv(has(2, CKA_CLASS), CKR_OBJECT_HANDLE_INVALID);
}

static void test_defaults(void **state)
{
	struct fwmsg m;
	uint8_t v[64];
	size_t len;

	(void)state;
	create_aes(&m, 1);
	assert_ok(finish(&m));
	assert_false(get_bool(1, CKA_TOKEN));
	assert_true(get_bool(1, CKA_PRIVATE));
	assert_true(get_bool(1, CKA_SENSITIVE));
	assert_false(get_bool(1, CKA_EXTRACTABLE));
	assert_true(get_bool(1, CKA_MODIFIABLE));
	assert_true(get_bool(1, CKA_COPYABLE));
	assert_true(get_bool(1, CKA_DESTROYABLE));
	assert_true(get_bool(1, CKA_ENCRYPT));
	assert_true(get_bool(1, CKA_SIGN));
	assert_true(get_bool(1, CKA_UNWRAP));
	assert_false(get_bool(1, CKA_DERIVE));
	assert_false(get_bool(1, CKA_LOCAL));
	assert_false(get_bool(1, CKA_ALWAYS_SENSITIVE));
	assert_false(get_bool(1, CKA_NEVER_EXTRACTABLE));
	len = sizeof(v);
	assert_ok(card_get(card, CTX_CO, 1, CKA_LABEL, v, &len));
	assert_int_equal(len, 0);
	len = sizeof(v);
	assert_ok(card_get(card, CTX_CO, 1, 4, v, &len));
	assert_int_equal(len, 32);
	assert_memory_equal(v, "4f554944000000000000000000000001", 32);
	len = sizeof(v);
	assert_ok(card_get(card, CTX_CO, 1, CKA_VALUE_LEN, v, &len));
	assert_int_equal(v[0], 16);
	/* A generated key has a history. */
	assert_ok(card_ec(card, CTX_CO, 10, "ec", false));
	assert_true(get_bool(11, CKA_LOCAL));
	assert_true(get_bool(11, CKA_ALWAYS_SENSITIVE));
	assert_true(get_bool(11, CKA_NEVER_EXTRACTABLE));
	assert_false(get_bool(10, CKA_PRIVATE));
	assert_true(get_bool(10, CKA_LOCAL));
}

static void test_secrets_stay_inside(void **state)
{
	static const uint32_t types[] = { CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2,
					  CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT };
	const uint8_t *v;
	uint32_t type;
	struct fwmsg m;
	unsigned int n;

	(void)state;
	assert_ok(card_rsa(card, CTX_CO, 1, "rsa", false));
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		assert_rv(has(2, types[i]), CKR_ATTRIBUTE_SENSITIVE);
	assert_ok(has(2, CKA_MODULUS));
	assert_ok(has(2, CKA_PUBLIC_EXPONENT));
	create_aes(&m, 3);
	assert_ok(finish(&m));
	assert_rv(has(3, CKA_VALUE), CKR_ATTRIBUTE_SENSITIVE);
	/* Neither sensitive nor unextractable alone gives it out. */
	create_aes(&m, 4);
	fwmsg_attr_bool(&m, CKA_SENSITIVE, false);
	assert_ok(finish(&m));
	assert_rv(has(4, CKA_VALUE), CKR_ATTRIBUTE_SENSITIVE);
	create_aes(&m, 5);
	fwmsg_attr_bool(&m, CKA_EXTRACTABLE, true);
	assert_ok(finish(&m));
	assert_rv(has(5, CKA_VALUE), CKR_ATTRIBUTE_SENSITIVE);
	create_aes(&m, 6);
	fwmsg_attr_bool(&m, CKA_EXTRACTABLE, true);
	fwmsg_attr_bool(&m, CKA_SENSITIVE, false);
	assert_ok(finish(&m));
	assert_ok(has(6, CKA_VALUE));
	/* Several at once: what may be told is told, in the order of the question. */
	fwmsg_begin(&m, PCIEHSM_OP_OBJECT_GET, 1);
	put_ouid(&m, PCIEHSM_F_OBJECT, 3);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr(&m, CKA_KEY_TYPE, NULL, 0);
	fwmsg_attr(&m, CKA_VALUE, NULL, 0);
	fwmsg_attr(&m, CKA_MODULUS, NULL, 0);
	fwmsg_attr(&m, CKA_CLASS, NULL, 0);
	fwmsg_template_end(&m);
	assert_rv(fwmsg_run(&m, card->fw, card->part, CTX_CO), CKR_ATTRIBUTE_SENSITIVE);
	assert_int_equal(fwmsg_get_attr(&m, 0, &type, &v), 8);
	assert_int_equal(v[0], CKK_AES);
	assert_int_equal(fwmsg_get_attr(&m, 1, &type, &v), PCIEHSM_ATTR_SENSITIVE);
	assert_int_equal(type, CKA_VALUE);
	assert_int_equal(fwmsg_get_attr(&m, 2, &type, &v), PCIEHSM_ATTR_INVALID);
	assert_int_equal(fwmsg_get_attr(&m, 3, &type, &v), 8);
	assert_int_equal(v[0], CKO_SECRET_KEY);
	fwmsg_free(&m);
	/* Searching for a value is no way to find it out. */
	fwmsg_begin(&m, PCIEHSM_OP_OBJECT_FIND, 1);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr(&m, CKA_VALUE, "0123456789abcdef", 16);
	fwmsg_template_end(&m);
	fwmsg_u32(&m, PCIEHSM_F_LIMIT, 10);
	assert_ok(fwmsg_run(&m, card->fw, card->part, CTX_CO));
	size_t len;

	fwmsg_get(&m, PCIEHSM_F_OUIDS, &len);
	assert_int_equal(len, 16);	/* number 6 */
	fwmsg_free(&m);
	/* Nor is a label that is not there. */
	assert_ok(card_find(card, CTX_CO, "no such label", &n, NULL));
	assert_int_equal(n, 0);
}

static void test_one_way(void **state)
{
	struct fwmsg m;

	(void)state;
	create_aes(&m, 1);
	fwmsg_attr_bool(&m, CKA_SENSITIVE, false);
	fwmsg_attr_bool(&m, CKA_EXTRACTABLE, true);
	assert_ok(finish(&m));
	set(&m, 1);
	fwmsg_attr_bool(&m, CKA_SENSITIVE, true);
	assert_ok(finish(&m));
	set(&m, 1);
	fwmsg_attr_bool(&m, CKA_SENSITIVE, false);
	assert_rv(finish(&m), CKR_ATTRIBUTE_READ_ONLY);
	set(&m, 1);
	fwmsg_attr_bool(&m, CKA_EXTRACTABLE, false);
	assert_ok(finish(&m));
	set(&m, 1);
	fwmsg_attr_bool(&m, CKA_EXTRACTABLE, true);
	assert_rv(finish(&m), CKR_ATTRIBUTE_READ_ONLY);
	set(&m, 1);
	fwmsg_attr_bool(&m, CKA_WRAP_WITH_TRUSTED, true);
	assert_ok(finish(&m));
	set(&m, 1);
	fwmsg_attr_bool(&m, CKA_WRAP_WITH_TRUSTED, false);
	assert_rv(finish(&m), CKR_ATTRIBUTE_READ_ONLY);
	/* Several, one of them wrong: none is changed. */
	set(&m, 1);
	fwmsg_attr_text(&m, CKA_LABEL, "changed");
	fwmsg_attr_bool(&m, CKA_TOKEN, true);
	assert_rv(finish(&m), CKR_ATTRIBUTE_READ_ONLY);
	unsigned int n;

	assert_ok(card_find(card, CTX_CO, "changed", &n, NULL));
	assert_int_equal(n, 0);
	set(&m, 1);
	fwmsg_attr(&m, CKA_VALUE, "fedcba9876543210", 16);
	assert_rv(finish(&m), CKR_ATTRIBUTE_READ_ONLY);
	set(&m, 1);
	fwmsg_attr_bool(&m, CKA_LOCAL, true);
	assert_rv(finish(&m), CKR_ATTRIBUTE_READ_ONLY);
	/* Copies follow the same rules. */
	copy(&m, 1, 2);
	fwmsg_attr_bool(&m, CKA_SENSITIVE, false);
	assert_rv(finish(&m), CKR_TEMPLATE_INCONSISTENT);
	copy(&m, 1, 2);
	fwmsg_attr_bool(&m, CKA_PRIVATE, false);
	assert_rv(finish(&m), CKR_TEMPLATE_INCONSISTENT);
	copy(&m, 1, 2);
	fwmsg_attr_bool(&m, CKA_MODIFIABLE, false);
	fwmsg_attr_bool(&m, CKA_COPYABLE, false);
	fwmsg_attr_bool(&m, CKA_DESTROYABLE, false);
	fwmsg_attr_text(&m, CKA_LABEL, "the copy");
	assert_ok(finish(&m));
	assert_true(get_bool(2, CKA_SENSITIVE));
	set(&m, 2);
	fwmsg_attr_text(&m, CKA_LABEL, "x");
	assert_rv(finish(&m), CKR_ACTION_PROHIBITED);
	copy(&m, 2, 3);
	assert_rv(finish(&m), CKR_ACTION_PROHIBITED);
	assert_rv(card_destroy(card, CTX_CO, 2, 0), CKR_ACTION_PROHIBITED);
	copy(&m, 1, 4);
	fwmsg_attr_bool(&m, CKA_TOKEN, true);
	assert_ok(finish(&m));
	assert_true(get_bool(4, CKA_TOKEN));
	assert_false(get_bool(1, CKA_TOKEN));
	/* Where a key's use must stay as it is, a copy's must, too. */
	assert_ok(card_policy(card, card->part, CTX_PO, 11, 0));
	set(&m, 4);
	fwmsg_attr_bool(&m, CKA_DERIVE, true);
	assert_rv(finish(&m), PCIEHSM_CKR_POLICY);
	copy(&m, 4, 5);
	fwmsg_attr_bool(&m, CKA_DERIVE, true);
	assert_rv(finish(&m), PCIEHSM_CKR_POLICY);
	copy(&m, 4, 5);
	fwmsg_attr_text(&m, CKA_LABEL, "same use");
	assert_ok(finish(&m));
}

/* Session objects of this size until there is no room for another. */
static uint32_t fill_context(uint32_t n, size_t size)
{
	uint8_t *value = calloc(1, size);
	unsigned long rv;
	struct fwmsg m;

	do {
		create(&m, n++, CKO_DATA);
		fwmsg_attr(&m, CKA_VALUE, value, size);
		rv = finish(&m);
	} while (rv == CKR_OK);
	assert_rv(rv, CKR_DEVICE_MEMORY);
	free(value);
	return n;
}

/* A session object of a megabyte, of a context that has not logged in */
static unsigned long megabyte(uint32_t ctx, uint32_t n)
{
	static const uint8_t value[1000000];
	struct fwmsg m;

	create(&m, n, CKO_DATA);
	fwmsg_attr(&m, CKA_VALUE, value, sizeof(value));
	fwmsg_template_end(&m);
	return send_as(&m, ctx);
}

/* However many contexts somebody opens, they do not eat all memory. */
static void test_memory_of_all(void **state)
{
	static const uint8_t value[1000000];
	uint32_t ctx, n;
	struct fwmsg m;

	(void)state;
	for (ctx = 10; ctx < 20; ctx++) {
		n = 1;
		while (megabyte(ctx, n) == CKR_OK)
			n++;
		if (n == 1)
			break;
	}
	assert_in_range(ctx, 17, 19);
	assert_rv(megabyte(CTX_CO, 1), CKR_DEVICE_MEMORY);
	/* What collects its data is no way around it. */
	assert_ok(card_rsa(card, CTX_CO, 1000, "rsa", true));
	fwmsg_begin(&m, PCIEHSM_OP_CRYPT_INIT, 1);
	fwmsg_u32(&m, PCIEHSM_F_FUNCTION, PCIEHSM_FN_SIGN);
	fwmsg_u32(&m, PCIEHSM_F_MECHANISM, CKM_RSA_PKCS);
	put_ouid(&m, PCIEHSM_F_KEY, 1001);
	assert_ok(send_as(&m, CTX_CO));
	fwmsg_begin(&m, PCIEHSM_OP_CRYPT_UPDATE, 1);
	fwmsg_u32(&m, PCIEHSM_F_FUNCTION, PCIEHSM_FN_SIGN);
	fwmsg_bytes(&m, PCIEHSM_F_DATA, value, 10);
	assert_ok(send_as(&m, CTX_CO));
	fwmsg_begin(&m, PCIEHSM_OP_CRYPT_UPDATE, 1);
	fwmsg_u32(&m, PCIEHSM_F_FUNCTION, PCIEHSM_FN_SIGN);
	fwmsg_bytes(&m, PCIEHSM_F_DATA, value, sizeof(value));
	assert_rv(send_as(&m, CTX_CO), CKR_DEVICE_MEMORY);
	fwmsg_begin(&m, PCIEHSM_OP_CRYPT_CANCEL, 1);
	fwmsg_u32(&m, PCIEHSM_F_FUNCTION, PCIEHSM_FN_SIGN);
	assert_rv(send_as(&m, CTX_CO), CKR_OPERATION_NOT_INITIALIZED);
	/* All ways to let go give it back. */
	fwmsg_begin(&m, PCIEHSM_OP_OBJECT_DESTROY, 1);
	put_ouid(&m, PCIEHSM_F_OBJECT, 1);
	assert_ok(send_as(&m, 10));
	assert_ok(megabyte(CTX_CO, 1));
	assert_rv(megabyte(10, 1), CKR_DEVICE_MEMORY);
	fwmsg_begin(&m, PCIEHSM_OP_SESSION_CLOSE, 1);
	assert_ok(send_as(&m, 10));
	assert_ok(megabyte(10, 1));
	hsm_fw_context_close(card->fw, 11);
	for (n = 2; n <= 60; n++) {
		assert_ok(megabyte(10, n));
		assert_ok(megabyte(11, n));
	}
}

/* A pair of which one half is a session object that has no room: neither is made. */
static void test_half_a_pair(void **state)
{
	static const uint8_t p256[] = { 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 };
	uint32_t n = 10;
	struct fwmsg m;

	(void)state;
	for (size_t size = 1000000; size >= 10; size /= 10)
		n = fill_context(n, size);
	fwmsg_begin(&m, PCIEHSM_OP_GENERATE_KEY_PAIR, 1);
	fwmsg_u32(&m, PCIEHSM_F_MECHANISM, CKM_EC_KEY_PAIR_GEN);
	put_ouid(&m, PCIEHSM_F_OUID, 1);
	put_ouid(&m, PCIEHSM_F_OUID2, 2);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr(&m, CKA_EC_PARAMS, p256, sizeof(p256));
	fwmsg_template_end(&m);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE2);
	fwmsg_attr_bool(&m, CKA_TOKEN, true);
	assert_rv(finish(&m), CKR_DEVICE_MEMORY);
	assert_rv(has(1, CKA_CLASS), CKR_OBJECT_HANDLE_INVALID);
	assert_rv(has(2, CKA_CLASS), CKR_OBJECT_HANDLE_INVALID);
}

static unsigned long create_counted(uint32_t n, uint64_t counter, uint64_t *got, uint64_t *writer)
{
	unsigned long rv;
	struct fwmsg m;

	create(&m, n, CKO_DATA);
	fwmsg_attr_bool(&m, CKA_TOKEN, true);
	fwmsg_template_end(&m);
	fwmsg_u64(&m, PCIEHSM_F_COUNTER, counter);
	rv = fwmsg_run(&m, card->fw, card->part, CTX_CO);
	if (rv == CKR_OK)
		version_of(&m, got, writer);
	fwmsg_free(&m);
	return rv;
}

static void test_idempotent(void **state)
{
	uint64_t counter, writer;
	uint8_t a[1024], b[1024];
	size_t la = sizeof(a), lb = sizeof(b);
	unsigned int n;
	struct fwmsg m;

	(void)state;
	assert_ok(card_rsa(card, CTX_CO, 1, "pair", true));
	assert_ok(card_get(card, CTX_CO, 1, CKA_MODULUS, a, &la));
	assert_ok(card_rsa(card, CTX_CO, 1, "pair", true));
	assert_ok(card_get(card, CTX_CO, 1, CKA_MODULUS, b, &lb));
	assert_int_equal(la, lb);
	assert_memory_equal(a, b, la);
	assert_ok(card_find(card, CTX_CO, "pair", &n, NULL));
	assert_int_equal(n, 2);
	/* Half of another pair */
	assert_rv(card_rsa(card, CTX_CO, 2, "other", true), CKR_ARGUMENTS_BAD);
	/* Counters */
	assert_ok(create_counted(50, 7, &counter, &writer));
	assert_int_equal(counter, 7);
	assert_int_equal(writer, 154438000100ULL);
	assert_ok(create_counted(50, 9, &counter, &writer));
	assert_int_equal(counter, 7);
	assert_rv(create_counted(51, 0, &counter, &writer), CKR_ARGUMENTS_BAD);
	assert_rv(create_counted(51, UINT64_MAX, &counter, &writer), CKR_ARGUMENTS_BAD);
	set(&m, 50);
	fwmsg_attr_text(&m, CKA_LABEL, "next");
	fwmsg_template_end(&m);
	assert_ok(fwmsg_run(&m, card->fw, card->part, CTX_CO));
	version_of(&m, &counter, &writer);
	assert_int_equal(counter, 8);
	fwmsg_free(&m);
	/* Destroyed is destroyed. */
	fwmsg_begin(&m, PCIEHSM_OP_OBJECT_DESTROY, 1);
	put_ouid(&m, PCIEHSM_F_OBJECT, 50);
	assert_ok(fwmsg_run(&m, card->fw, card->part, CTX_CO));
	version_of(&m, &counter, &writer);
	assert_int_equal(counter, 9);
	assert_rv(fwmsg_run(&m, card->fw, card->part, CTX_CO), CKR_OBJECT_HANDLE_INVALID);
	fwmsg_free(&m);
	assert_rv(card_destroy(card, CTX_CO, 50, 2), CKR_ARGUMENTS_BAD);
	fwmsg_begin(&m, PCIEHSM_OP_OBJECT_DESTROY, 1);
	put_ouid(&m, PCIEHSM_F_OBJECT, 50);
	fwmsg_u32(&m, PCIEHSM_F_FLAGS, PCIEHSM_DESTROY_REPEATED);
	assert_ok(fwmsg_run(&m, card->fw, card->part, CTX_CO));
	version_of(&m, &counter, &writer);
	assert_int_equal(counter, 9);
	fwmsg_free(&m);
	assert_rv(card_destroy(card, CTX_CO, 51, PCIEHSM_DESTROY_REPEATED),
		  CKR_OBJECT_HANDLE_INVALID);
	assert_rv(create_counted(50, 100, &counter, &writer), PCIEHSM_CKR_OBJECT_DELETED);
	assert_rv(card_destroy(card, CTX_CO, 2, 0), CKR_OK);
	assert_rv(card_rsa(card, CTX_CO, 1, "pair", true), PCIEHSM_CKR_OBJECT_DELETED);
	/* No name at all */
	fwmsg_begin(&m, PCIEHSM_OP_OBJECT_CREATE, 1);
	fwmsg_bytes(&m, PCIEHSM_F_OUID, (uint8_t[16]){ 0 }, 16);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr_ulong(&m, CKA_CLASS, CKO_DATA);
	assert_rv(finish(&m), CKR_ARGUMENTS_BAD);
}

static void test_find_pages(void **state)
{
	uint8_t seen[300] = { 0 }, wanted[300] = { 0 };
	uint64_t cursor = 0;
	unsigned int i, found = 0, pages = 0, last = 0;
	const uint8_t *p;
	struct fwmsg m;
	size_t len;

	(void)state;
	/* Token and session objects in turns, and others between */
	for (i = 1; i <= 200; i++) {
		assert_ok(card_data(card, CTX_CO, i, i % 3 ? "wanted" : "other", i % 2));
		wanted[i] = i % 3 != 0;
	}
	do {
		fwmsg_begin(&m, PCIEHSM_OP_OBJECT_FIND, 1);
		fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
		fwmsg_attr_text(&m, CKA_LABEL, "wanted");
		fwmsg_attr_ulong(&m, CKA_CLASS, CKO_DATA);
		fwmsg_template_end(&m);
		fwmsg_u32(&m, PCIEHSM_F_LIMIT, 7);
		if (cursor)
			fwmsg_u64(&m, PCIEHSM_F_CURSOR, cursor);
		assert_ok(fwmsg_run(&m, card->fw, card->part, CTX_CO));
		cursor = fwmsg_get_u64(&m, PCIEHSM_F_CURSOR);
		p = fwmsg_get(&m, PCIEHSM_F_OUIDS, &len);
		assert_true(cursor == 0 || len == 7 * 16);
		for (; len; len -= 16, p += 16) {
			unsigned int n = p[14] * 256U + p[15];

			assert_true(n > last);
			last = n;
			seen[n]++;
			found++;
		}
		fwmsg_free(&m);
		pages++;
		/* The world goes on: some go, some come, some change. */
		if (pages == 3) {
			assert_ok(card_destroy(card, CTX_CO, 199, 0));
			assert_ok(card_destroy(card, CTX_CO, 1, 0));
			wanted[199] = 0;
			assert_ok(card_set_text(card, CTX_CO, 2, CKA_LABEL, "other"));
			assert_ok(card_data(card, CTX_CO, 201, "wanted", true));
			wanted[201] = 1;
		}
	} while (cursor);
	assert_true(pages > 15);
	for (i = 1; i <= 201; i++)
		assert_int_equal(seen[i], wanted[i]);
	/* A page is as long as the answer has room. */
	fwmsg_begin(&m, PCIEHSM_OP_OBJECT_FIND, 1);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_template_end(&m);
	fwmsg_u32(&m, PCIEHSM_F_LIMIT, 1000000);
	m.out_size = 200;
	assert_ok(fwmsg_run(&m, card->fw, card->part, CTX_CO));
	fwmsg_get(&m, PCIEHSM_F_OUIDS, &len);
	assert_int_equal(len, 160);
	m.out_size = 40;
	assert_rv(fwmsg_run(&m, card->fw, card->part, CTX_CO), CKR_BUFFER_TOO_SMALL);
	fwmsg_free(&m);
	fwmsg_begin(&m, PCIEHSM_OP_OBJECT_FIND, 1);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_template_end(&m);
	fwmsg_u32(&m, PCIEHSM_F_LIMIT, 0);
	assert_rv(send_as(&m, CTX_CO), CKR_ARGUMENTS_BAD);
}

static void test_sessions(void **state)
{
	unsigned int n;
	struct fwmsg m;

	(void)state;
	assert_ok(card_data(card, CTX_CO, 1, "s", false));
	create_aes(&m, 2);
	fwmsg_attr_text(&m, CKA_LABEL, "s");
	assert_ok(finish(&m));
	/* Another context does not see them, another session of this one does. */
	assert_ok(card_find(card, CTX_CU, "s", &n, NULL));
	assert_int_equal(n, 0);
	fwmsg_begin(&m, PCIEHSM_OP_SESSION_CLOSE, 2);
	assert_ok(send_as(&m, CTX_CO));
	assert_ok(card_find(card, CTX_CO, "s", &n, NULL));
	assert_int_equal(n, 2);
	/* The logout takes the private ones. */
	assert_ok(card_logout(card, card->part, CTX_CO));
	assert_ok(card_login(card, card->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
	assert_ok(card_find(card, CTX_CO, "s", &n, NULL));
	assert_int_equal(n, 1);
	fwmsg_begin(&m, PCIEHSM_OP_SESSION_CLOSE, 1);
	assert_ok(send_as(&m, CTX_CO));
	assert_ok(card_find(card, CTX_CO, "s", &n, NULL));
	assert_int_equal(n, 0);
	/* A session object leaves no tombstone. */
	assert_ok(card_data(card, CTX_CO, 1, "s", false));
	assert_ok(card_destroy(card, CTX_CO, 1, 0));
	assert_rv(card_destroy(card, CTX_CO, 1, 0), CKR_OBJECT_HANDLE_INVALID);
	assert_ok(card_data(card, CTX_CO, 1, "s", false));
}

static unsigned long trust(uint32_t ctx, uint32_t n, bool value)
{
	struct fwmsg m;

	set(&m, n);
	fwmsg_attr_bool(&m, CKA_TRUSTED, value);
	fwmsg_template_end(&m);
	return send_as(&m, ctx);
}

static unsigned long wrap_with(uint32_t key, uint32_t n)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_WRAP, 1);
	fwmsg_u32(&m, PCIEHSM_F_MECHANISM, CKM_AES_KEY_WRAP);
	put_ouid(&m, PCIEHSM_F_KEY, key);
	put_ouid(&m, PCIEHSM_F_OBJECT, n);
	return send_as(&m, CTX_CO);
}

/* What may be wrapped by trusted keys alone can be wrapped once the PO has said which they are. */
static void test_trusted(void **state)
{
	struct fwmsg m;

	(void)state;
	create_aes(&m, 1);
	fwmsg_attr_bool(&m, CKA_TOKEN, true);
	fwmsg_attr_bool(&m, CKA_PRIVATE, false);
	assert_ok(finish(&m));
	create_aes(&m, 2);
	fwmsg_attr_bool(&m, CKA_EXTRACTABLE, true);
	fwmsg_attr_bool(&m, CKA_WRAP_WITH_TRUSTED, true);
	assert_ok(finish(&m));
	create_aes(&m, 3);
	fwmsg_attr_bool(&m, CKA_TOKEN, true);
	assert_ok(finish(&m));
	assert_rv(wrap_with(1, 2), CKR_KEY_NOT_WRAPPABLE);
	/* Nobody else trusts, and the PO does not see private keys. */
	assert_rv(trust(CTX_CO, 1, true), CKR_ATTRIBUTE_READ_ONLY);
	assert_rv(trust(CTX_CU, 1, true), CKR_USER_NOT_LOGGED_IN);
	assert_rv(trust(CTX_PO, 3, true), CKR_OBJECT_HANDLE_INVALID);
	assert_ok(trust(CTX_PO, 1, true));
	assert_true(get_bool(1, CKA_TRUSTED));
	assert_ok(wrap_with(1, 2));
	/* That is all that the PO may change of it. */
	set(&m, 1);
	fwmsg_attr_bool(&m, CKA_TRUSTED, true);
	fwmsg_attr_text(&m, CKA_LABEL, "mine");
	fwmsg_template_end(&m);
	assert_rv(send_as(&m, CTX_PO), CKR_USER_NOT_LOGGED_IN);
	card_power_cycle(card);
	assert_ok(card_login(card, card->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
	assert_true(get_bool(1, CKA_TRUSTED));
	/* To trust less anybody may who may change the key. */
	assert_ok(trust(CTX_CO, 1, false));
	assert_rv(trust(CTX_CO, 1, true), CKR_ATTRIBUTE_READ_ONLY);
	/* A certificate is trusted in the same way. */
	x509(&m, 10);
	fwmsg_attr_bool(&m, CKA_TOKEN, true);
	fwmsg_attr_text(&m, CKA_VALUE, "abc");
	assert_ok(finish(&m));
	assert_rv(trust(CTX_CO, 10, true), CKR_ATTRIBUTE_READ_ONLY);
	assert_ok(card_login(card, card->part, CTX_PO, PCIEHSM_ROLE_PO, PO_PIN));
	assert_ok(trust(CTX_PO, 10, true));
	assert_true(get_bool(10, CKA_TRUSTED));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_templates, setup, teardown),
		cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
		cmocka_unit_test_setup_teardown(test_secrets_stay_inside, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_way, setup, teardown),
		cmocka_unit_test_setup_teardown(test_half_a_pair, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory_of_all, setup, teardown),
		cmocka_unit_test_setup_teardown(test_idempotent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_find_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sessions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_trusted, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
