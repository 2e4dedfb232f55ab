// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Objects: the attribute rules of PKCS#11, search, idempotent creation, versions,
 * operations with keys through messages.
 */
#include "card.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

static struct card *card;

static int setup(void **state)
{
	(void)state;
	card = card_ready(154438, DOMAIN);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	card_free(card);
	return 0;
}

static void put_ouid(struct fwmsg *m, uint16_t id, uint32_t n)
{
	uint8_t ouid[PCIEHSM_OUID_LEN];

	ouid_of(ouid, n);
	fwmsg_bytes(m, id, ouid, sizeof(ouid));
}

static unsigned long send_as(struct fwmsg *m, uint32_t ctx)
{
	unsigned long rv = fwmsg_run(m, card->fw, card->part, ctx);

	fwmsg_free(m);
	return rv;
}

static unsigned long finish(struct fwmsg *m)
{
	fwmsg_template_end(m);
	return send_as(m, CTX_CO);
}

static void create(struct fwmsg *m, uint32_t n, uint64_t class)
{
	fwmsg_begin(m, PCIEHSM_OP_OBJECT_CREATE, 1);
	put_ouid(m, PCIEHSM_F_OUID, n);
	fwmsg_template(m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr_ulong(m, CKA_CLASS, class);
}

static void create_aes(struct fwmsg *m, uint32_t n)
{
	create(m, n, CKO_SECRET_KEY);
	fwmsg_attr_ulong(m, CKA_KEY_TYPE, CKK_AES);
	fwmsg_attr(m, CKA_VALUE, "0123456789abcdef", 16);
}

static void set(struct fwmsg *m, uint32_t n)
{
	fwmsg_begin(m, PCIEHSM_OP_OBJECT_SET, 1);
	put_ouid(m, PCIEHSM_F_OBJECT, n);
	fwmsg_template(m, PCIEHSM_F_TEMPLATE);
}

static void copy(struct fwmsg *m, uint32_t from, uint32_t to)
{
	fwmsg_begin(m, PCIEHSM_OP_OBJECT_COPY, 1);
	put_ouid(m, PCIEHSM_F_OBJECT, from);
	put_ouid(m, PCIEHSM_F_OUID, to);
	fwmsg_template(m, PCIEHSM_F_TEMPLATE);
}

static bool get_bool(uint32_t n, uint32_t type)
{
	uint8_t v;
	size_t len = 1;

	assert_ok(card_get(card, CTX_CO, n, type, &v, &len));
	assert_int_equal(len, 1);
	return v;
}

static unsigned long has(uint32_t n, uint32_t type)
{
	uint8_t v[1024];
	size_t len = sizeof(v);

	return card_get(card, CTX_CO, n, type, v, &len);
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

/* ---- operations with keys ---- */

static unsigned long crypt_as(uint32_t ctx, uint32_t op, uint32_t fn, uint32_t mech, uint32_t key,
			      const void *data, size_t len, uint8_t *out, size_t *out_len)
{
	const uint8_t *p;
	unsigned long rv;
	struct fwmsg m;

	fwmsg_begin(&m, op, 3);
	fwmsg_u32(&m, PCIEHSM_F_FUNCTION, fn);
	if (op == PCIEHSM_OP_CRYPT || op == PCIEHSM_OP_CRYPT_INIT)
		fwmsg_u32(&m, PCIEHSM_F_MECHANISM, mech);
	if (mech == CKM_AES_CBC_PAD)
		fwmsg_bytes(&m, PCIEHSM_F_P_IV, "initial vector..", 16);
	if (key)
		put_ouid(&m, PCIEHSM_F_KEY, key);
	if (op == PCIEHSM_OP_CRYPT || op == PCIEHSM_OP_CRYPT_UPDATE)
		fwmsg_bytes(&m, PCIEHSM_F_DATA, data, len);
	rv = fwmsg_run(&m, card->fw, card->part, ctx);
	if (rv == CKR_OK && out_len) {
		p = fwmsg_get(&m, PCIEHSM_F_DATA, out_len);
		assert_non_null(p);
		memcpy(out, p, *out_len);
	}
	fwmsg_free(&m);
	return rv;
}

#define once(fn, mech, key, data, len, out, out_len) \
	crypt_as(CTX_CO, PCIEHSM_OP_CRYPT, fn, mech, key, data, len, out, out_len)

static void test_permissions(void **state)
{
	uint8_t out[64];
	uint64_t only[2] = { CKM_AES_CMAC, 0 };
	struct fwmsg m;
	size_t len;

	(void)state;
	create_aes(&m, 1);
	fwmsg_attr_bool(&m, CKA_ENCRYPT, false);
	assert_ok(finish(&m));
	assert_rv(once(PCIEHSM_FN_ENCRYPT, CKM_AES_CBC_PAD, 1, "x", 1, out, &len),
		  CKR_KEY_FUNCTION_NOT_PERMITTED);
	set(&m, 1);
	fwmsg_attr_bool(&m, CKA_ENCRYPT, true);
	assert_ok(finish(&m));
	assert_ok(once(PCIEHSM_FN_ENCRYPT, CKM_AES_CBC_PAD, 1, "x", 1, out, &len));
	assert_int_equal(len, 16);
	assert_rv(once(PCIEHSM_FN_SIGN, CKM_SHA256_RSA_PKCS, 1, "x", 1, out, &len),
		  CKR_KEY_TYPE_INCONSISTENT);
	assert_rv(once(PCIEHSM_FN_ENCRYPT, 0x7777777, 1, "x", 1, out, &len),
		  CKR_MECHANISM_INVALID);
	assert_rv(once(PCIEHSM_FN_ENCRYPT, CKM_AES_ECB, 99, "x", 1, out, &len),
		  CKR_KEY_HANDLE_INVALID);
	assert_rv(once(PCIEHSM_FN_DIGEST, CKM_SHA256, 1, "x", 1, out, &len), CKR_ARGUMENTS_BAD);
	assert_rv(once(PCIEHSM_FN_SIGN, CKM_AES_CMAC, 0, "x", 1, out, &len), CKR_ARGUMENTS_BAD);
	assert_rv(once(77, CKM_AES_CMAC, 1, "x", 1, out, &len), CKR_ARGUMENTS_BAD);
	create_aes(&m, 2);
	fwmsg_attr(&m, CKA_ALLOWED_MECHANISMS, only, 8);
	assert_ok(finish(&m));
	assert_ok(once(PCIEHSM_FN_SIGN, CKM_AES_CMAC, 2, "x", 1, out, &len));
	assert_rv(once(PCIEHSM_FN_ENCRYPT, CKM_AES_CBC_PAD, 2, "x", 1, out, &len),
		  CKR_MECHANISM_INVALID);
	/* A data object is no key. */
	assert_ok(card_data(card, CTX_CO, 3, "x", false));
	assert_rv(once(PCIEHSM_FN_SIGN, CKM_AES_CMAC, 3, "x", 1, out, &len),
		  CKR_KEY_HANDLE_INVALID);
}

static void test_several_parts(void **state)
{
	uint8_t whole[64], parts[64], out[64];
	size_t whole_len, len, at = 0;
	struct fwmsg m;

	(void)state;
	create_aes(&m, 1);
	assert_ok(finish(&m));
	assert_ok(once(PCIEHSM_FN_ENCRYPT, CKM_AES_CBC_PAD, 1, "the quick brown fox jumps", 25,
		       whole, &whole_len));
	fwmsg_begin(&m, PCIEHSM_OP_CRYPT_UPDATE, 3);
	fwmsg_u32(&m, PCIEHSM_F_FUNCTION, PCIEHSM_FN_ENCRYPT);
	fwmsg_bytes(&m, PCIEHSM_F_DATA, "x", 1);
	assert_rv(send_as(&m, CTX_CO), CKR_OPERATION_NOT_INITIALIZED);
	assert_ok(crypt_as(CTX_CO, PCIEHSM_OP_CRYPT_INIT, PCIEHSM_FN_ENCRYPT, CKM_AES_CBC_PAD, 1,
			   NULL, 0, NULL, NULL));
	assert_rv(crypt_as(CTX_CO, PCIEHSM_OP_CRYPT_INIT, PCIEHSM_FN_ENCRYPT, CKM_AES_CBC_PAD, 1,
			   NULL, 0, NULL, NULL), CKR_OPERATION_ACTIVE);
	/* Another function and another session have operations of their own. */
	assert_ok(crypt_as(CTX_CO, PCIEHSM_OP_CRYPT_INIT, PCIEHSM_FN_DIGEST, CKM_SHA256, 0,
			   NULL, 0, NULL, NULL));
	fwmsg_begin(&m, PCIEHSM_OP_CRYPT_UPDATE, 3);
	fwmsg_u32(&m, PCIEHSM_F_FUNCTION, PCIEHSM_FN_ENCRYPT);
	fwmsg_bytes(&m, PCIEHSM_F_DATA, "the quick brown fox ", 20);
	m.out_size = 30;
	/* Without room nothing happens, and it goes on with more. */
	assert_rv(fwmsg_run(&m, card->fw, card->part, CTX_CO), CKR_BUFFER_TOO_SMALL);
	m.out_size = 256;
	assert_ok(fwmsg_run(&m, card->fw, card->part, CTX_CO));
	const uint8_t *p = fwmsg_get(&m, PCIEHSM_F_DATA, &len);

	memcpy(parts, p, len);
	at = len;
	fwmsg_free(&m);
	fwmsg_begin(&m, PCIEHSM_OP_CRYPT_UPDATE, 3);
	fwmsg_u32(&m, PCIEHSM_F_FUNCTION, PCIEHSM_FN_ENCRYPT);
	fwmsg_bytes(&m, PCIEHSM_F_DATA, "jumps", 5);
	assert_ok(fwmsg_run(&m, card->fw, card->part, CTX_CO));
	p = fwmsg_get(&m, PCIEHSM_F_DATA, &len);
	memcpy(parts + at, p, len);
	at += len;
	fwmsg_free(&m);
	fwmsg_begin(&m, PCIEHSM_OP_CRYPT_FINAL, 3);
	fwmsg_u32(&m, PCIEHSM_F_FUNCTION, PCIEHSM_FN_ENCRYPT);
	assert_ok(fwmsg_run(&m, card->fw, card->part, CTX_CO));
	p = fwmsg_get(&m, PCIEHSM_F_DATA, &len);
	memcpy(parts + at, p, len);
	at += len;
	assert_int_equal(at, whole_len);
	assert_memory_equal(parts, whole, at);
	assert_rv(fwmsg_run(&m, card->fw, card->part, CTX_CO), CKR_OPERATION_NOT_INITIALIZED);
	fwmsg_free(&m);
	/* An error ends it. */
	assert_ok(crypt_as(CTX_CO, PCIEHSM_OP_CRYPT_INIT, PCIEHSM_FN_SIGN, CKM_AES_CMAC, 1,
			   NULL, 0, NULL, NULL));
	fwmsg_begin(&m, PCIEHSM_OP_CRYPT_FINAL, 3);
	fwmsg_u32(&m, PCIEHSM_F_FUNCTION, PCIEHSM_FN_SIGN);
	fwmsg_bytes(&m, PCIEHSM_F_SIGNATURE, "x", 1);
	assert_rv(fwmsg_run(&m, card->fw, card->part, CTX_CO), CKR_ARGUMENTS_BAD);
	assert_rv(fwmsg_run(&m, card->fw, card->part, CTX_CO), CKR_OPERATION_NOT_INITIALIZED);
	fwmsg_free(&m);
	/* The digest of before is still there, until it is cancelled. */
	fwmsg_begin(&m, PCIEHSM_OP_DIGEST_KEY, 3);
	put_ouid(&m, PCIEHSM_F_KEY, 1);
	assert_ok(send_as(&m, CTX_CO));
	fwmsg_begin(&m, PCIEHSM_OP_CRYPT_FINAL, 3);
	fwmsg_u32(&m, PCIEHSM_F_FUNCTION, PCIEHSM_FN_DIGEST);
	assert_ok(fwmsg_run(&m, card->fw, card->part, CTX_CO));
	unsigned int n;

	EVP_Digest("0123456789abcdef", 16, out, &n, EVP_sha256(), NULL);
	assert_memory_equal(fwmsg_get(&m, PCIEHSM_F_DATA, &len), out, 32);
	fwmsg_free(&m);
	/* A logout and the end of a session take operations along. */
	assert_ok(crypt_as(CTX_CO, PCIEHSM_OP_CRYPT_INIT, PCIEHSM_FN_SIGN, CKM_AES_CMAC, 1,
			   NULL, 0, NULL, NULL));
	fwmsg_begin(&m, PCIEHSM_OP_SESSION_CLOSE, 3);
	assert_ok(send_as(&m, CTX_CO));
	fwmsg_begin(&m, PCIEHSM_OP_CRYPT_CANCEL, 3);
	fwmsg_u32(&m, PCIEHSM_F_FUNCTION, PCIEHSM_FN_SIGN);
	assert_rv(send_as(&m, CTX_CO), CKR_OPERATION_NOT_INITIALIZED);
}

static unsigned long verify(uint32_t key, uint32_t mech, const uint8_t *sig, size_t len)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_CRYPT, 1);
	fwmsg_u32(&m, PCIEHSM_F_FUNCTION, PCIEHSM_FN_VERIFY);
	fwmsg_u32(&m, PCIEHSM_F_MECHANISM, mech);
	put_ouid(&m, PCIEHSM_F_KEY, key);
	fwmsg_bytes(&m, PCIEHSM_F_DATA, "data", 4);
	if (sig)
		fwmsg_bytes(&m, PCIEHSM_F_SIGNATURE, sig, len);
	return send_as(&m, CTX_CO);
}

static void test_verify(void **state)
{
	uint8_t sig[512];
	size_t len = sizeof(sig);

	(void)state;
	assert_ok(card_ec(card, CTX_CO, 1, "ec", false));
	assert_ok(card_sign(card, CTX_CO, 2, CKM_ECDSA_SHA256, "data", 4, sig, &len));
	assert_ok(verify(1, CKM_ECDSA_SHA256, sig, len));
	assert_rv(verify(1, CKM_ECDSA_SHA256, sig, len - 1), CKR_SIGNATURE_LEN_RANGE);
	sig[5] ^= 1;
	assert_rv(verify(1, CKM_ECDSA_SHA256, sig, len), CKR_SIGNATURE_INVALID);
	assert_rv(verify(1, CKM_ECDSA_SHA256, NULL, 0), CKR_ARGUMENTS_BAD);
}

static void test_wrap_and_unwrap(void **state)
{
	uint8_t wrapped[64], a[64], b[64];
	size_t len, la, lb;
	const uint8_t *p;
	struct fwmsg m;

	(void)state;
	create_aes(&m, 1);
	assert_ok(finish(&m));
	create_aes(&m, 2);
	assert_ok(finish(&m));
	assert_ok(card_aes(card, CTX_CO, 3, (const uint8_t *)"a key that goes out and comes in",
			   32, true));
	/* An unextractable key does not go out; nor a private one, as policy 1 says. */
	fwmsg_begin(&m, PCIEHSM_OP_WRAP, 1);
	fwmsg_u32(&m, PCIEHSM_F_MECHANISM, CKM_AES_KEY_WRAP);
	put_ouid(&m, PCIEHSM_F_KEY, 1);
	put_ouid(&m, PCIEHSM_F_OBJECT, 2);
	assert_rv(send_as(&m, CTX_CO), CKR_KEY_UNEXTRACTABLE);
	fwmsg_begin(&m, PCIEHSM_OP_WRAP, 1);
	fwmsg_u32(&m, PCIEHSM_F_MECHANISM, CKM_AES_KEY_WRAP);
	put_ouid(&m, PCIEHSM_F_KEY, 1);
	put_ouid(&m, PCIEHSM_F_OBJECT, 3);
	assert_ok(fwmsg_run(&m, card->fw, card->part, CTX_CO));
	p = fwmsg_get(&m, PCIEHSM_F_DATA, &len);
	assert_int_equal(len, 40);
	memcpy(wrapped, p, len);
	fwmsg_free(&m);
	fwmsg_begin(&m, PCIEHSM_OP_UNWRAP, 1);
	fwmsg_u32(&m, PCIEHSM_F_MECHANISM, CKM_AES_KEY_WRAP);
	put_ouid(&m, PCIEHSM_F_KEY, 1);
	put_ouid(&m, PCIEHSM_F_OUID, 4);
	fwmsg_bytes(&m, PCIEHSM_F_DATA, wrapped, len);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr_ulong(&m, CKA_CLASS, CKO_SECRET_KEY);
	fwmsg_attr_ulong(&m, CKA_KEY_TYPE, CKK_AES);
	assert_ok(finish(&m));
	assert_false(get_bool(4, CKA_LOCAL));
	assert_false(get_bool(4, CKA_ALWAYS_SENSITIVE));
	assert_ok(once(PCIEHSM_FN_SIGN, CKM_AES_CMAC, 3, "x", 1, a, &la));
	assert_ok(once(PCIEHSM_FN_SIGN, CKM_AES_CMAC, 4, "x", 1, b, &lb));
	assert_int_equal(la, lb);
	assert_memory_equal(a, b, la);
	wrapped[3] ^= 1;
	fwmsg_begin(&m, PCIEHSM_OP_UNWRAP, 1);
	fwmsg_u32(&m, PCIEHSM_F_MECHANISM, CKM_AES_KEY_WRAP);
	put_ouid(&m, PCIEHSM_F_KEY, 1);
	put_ouid(&m, PCIEHSM_F_OUID, 5);
	fwmsg_bytes(&m, PCIEHSM_F_DATA, wrapped, len);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr_ulong(&m, CKA_CLASS, CKO_SECRET_KEY);
	fwmsg_attr_ulong(&m, CKA_KEY_TYPE, CKK_AES);
	assert_rv(finish(&m), CKR_WRAPPED_KEY_INVALID);
	assert_rv(has(5, CKA_CLASS), CKR_OBJECT_HANDLE_INVALID);
}

static void derive(uint32_t n, uint32_t base, uint32_t peer)
{
	uint8_t point[128];
	size_t len = sizeof(point);
	struct fwmsg m;

	assert_ok(card_get(card, CTX_CO, peer, CKA_EC_POINT, point, &len));
	fwmsg_begin(&m, PCIEHSM_OP_DERIVE, 1);
	fwmsg_u32(&m, PCIEHSM_F_MECHANISM, CKM_ECDH1_DERIVE);
	fwmsg_u32(&m, PCIEHSM_F_P_KDF, CKD_NULL);
	fwmsg_bytes(&m, PCIEHSM_F_P_PUBLIC, point, len);
	put_ouid(&m, PCIEHSM_F_KEY, base);
	put_ouid(&m, PCIEHSM_F_OUID, n);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr_ulong(&m, CKA_CLASS, CKO_SECRET_KEY);
	fwmsg_attr_ulong(&m, CKA_KEY_TYPE, CKK_AES);
	fwmsg_attr_ulong(&m, CKA_VALUE_LEN, 32);
	assert_ok(finish(&m));
}

static void test_derive(void **state)
{
	uint8_t a[64], b[64];
	size_t la, lb;

	(void)state;
	assert_ok(card_ec(card, CTX_CO, 1, "a", false));
	assert_ok(card_ec(card, CTX_CO, 3, "b", false));
	derive(10, 2, 3);
	derive(11, 4, 1);
	assert_ok(once(PCIEHSM_FN_SIGN, CKM_AES_CMAC, 10, "x", 1, a, &la));
	assert_ok(once(PCIEHSM_FN_SIGN, CKM_AES_CMAC, 11, "x", 1, b, &lb));
	assert_memory_equal(a, b, la);
	/* Its history is that of the key it came from. */
	assert_true(get_bool(10, CKA_ALWAYS_SENSITIVE));
	assert_true(get_bool(10, CKA_NEVER_EXTRACTABLE));
	assert_false(get_bool(10, CKA_LOCAL));
}

static void test_generate_secret(void **state)
{
	struct fwmsg m;

	(void)state;
	fwmsg_begin(&m, PCIEHSM_OP_GENERATE_KEY, 1);
	fwmsg_u32(&m, PCIEHSM_F_MECHANISM, CKM_AES_KEY_GEN);
	put_ouid(&m, PCIEHSM_F_OUID, 1);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr_ulong(&m, CKA_VALUE_LEN, 32);
	assert_ok(finish(&m));
	assert_true(get_bool(1, CKA_LOCAL));
	fwmsg_begin(&m, PCIEHSM_OP_GENERATE_KEY, 1);
	fwmsg_u32(&m, PCIEHSM_F_MECHANISM, CKM_AES_KEY_GEN);
	put_ouid(&m, PCIEHSM_F_OUID, 2);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr_ulong(&m, CKA_VALUE_LEN, 32);
	fwmsg_attr_ulong(&m, CKA_CLASS, CKO_PRIVATE_KEY);
	assert_rv(finish(&m), CKR_TEMPLATE_INCONSISTENT);
	fwmsg_begin(&m, PCIEHSM_OP_GENERATE_KEY, 1);
	fwmsg_u32(&m, PCIEHSM_F_MECHANISM, CKM_AES_KEY_GEN);
	fwmsg_bytes(&m, PCIEHSM_F_P_IV, "x", 1);
	put_ouid(&m, PCIEHSM_F_OUID, 2);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr_ulong(&m, CKA_VALUE_LEN, 32);
	assert_rv(finish(&m), CKR_MECHANISM_PARAM_INVALID);
	fwmsg_begin(&m, PCIEHSM_OP_GENERATE_KEY, 1);
	fwmsg_u32(&m, PCIEHSM_F_MECHANISM, CKM_AES_KEY_GEN);
	put_ouid(&m, PCIEHSM_F_OUID, 2);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	assert_rv(finish(&m), CKR_TEMPLATE_INCOMPLETE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_templates, setup, teardown),
		cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
		cmocka_unit_test_setup_teardown(test_secrets_stay_inside, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_way, setup, teardown),
		cmocka_unit_test_setup_teardown(test_idempotent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_find_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sessions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_permissions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_several_parts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_verify, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrap_and_unwrap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_derive, setup, teardown),
		cmocka_unit_test_setup_teardown(test_generate_secret, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
