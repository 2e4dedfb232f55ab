// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Messages that are not what fw.h says: each is refused, and nothing is done.
 */
#include "card.h"

static struct card *card;

static int setup(void **state)
{
	(void)state;
	card = card_ready(4711, DOMAIN);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	card_free(card);
	return 0;
}

static struct hsm_fw_request raw(const void *in, size_t len, void *out, size_t room)
{
	struct hsm_fw_request req = { .partition = card->part, .context = CTX_CO, .in = in,
				      .in_len = len, .out = out, .out_size = room };

	hsm_fw_execute(card->fw, &req);
	return req;
}

static void test_header(void **state)
{
	uint8_t in[64] = { 16, 0, 0, 0, 1, 0, 3, 0 }, out[64];
	uint32_t length;

	(void)state;
	assert_int_equal(raw(in, 16, out, 64).status, HSM_FW_ANSWERED);
	for (size_t len = 0; len < 16; len++) {
		uint8_t *exact = malloc(len + 1);

		memcpy(exact, in, len);
		assert_int_equal(raw(exact, len, out, 64).status, HSM_FW_MALFORMED);
		free(exact);
	}
	assert_int_equal(raw(in, 17, out, 64).status, HSM_FW_MALFORMED);
	assert_int_equal(raw(in, 24, out, 64).status, HSM_FW_MALFORMED);
	assert_int_equal(raw(in, 16, out, 15).status, HSM_FW_MALFORMED);
	assert_int_equal(raw(in, 16, out, 0).status, HSM_FW_MALFORMED);
	for (unsigned int bit = 0; bit < 32; bit++) {
		length = 16 ^ 1U << bit;
		memcpy(in, &length, 4);
		assert_int_equal(raw(in, 16, out, 64).status, HSM_FW_MALFORMED);
	}
}

static void test_too_long(void **state)
{
	size_t len = PCIEHSM_MSG_MAX + 8;
	uint8_t *in = calloc(1, len), out[64];
	uint32_t length = (uint32_t)len, op = PCIEHSM_OP_PING;

	(void)state;
	memcpy(in, &length, 4);
	memcpy(in + 4, &op, 4);
	assert_int_equal(raw(in, len, out, sizeof(out)).status, HSM_FW_MALFORMED);
	free(in);
}

static void test_context_and_partition(void **state)
{
	uint8_t in[16] = { 16, 0, 0, 0, 1, 0, 3, 0 }, out[64];
	struct hsm_fw_request req = { .partition = card->part, .in = in, .in_len = 16,
				      .out = out, .out_size = 64 };

	(void)state;
	hsm_fw_execute(card->fw, &req);
	assert_int_equal(req.status, HSM_FW_MALFORMED);
	req.context = CTX_CO;
	req.partition = card->part + 1;
	hsm_fw_execute(card->fw, &req);
	assert_int_equal(req.status, HSM_FW_NO_PARTITION);
}

static void test_unknown_op(void **state)
{
	static const uint32_t ops[] = { 0, 1, PCIEHSM_OP_PING ^ 0x40000, 0xffffffff, 0x20609,
		PCIEHSM_OPC_P(0x7ff), PCIEHSM_OPC_B(0xffff), PCIEHSM_OP_HSM_INIT };

	(void)state;
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		assert_rv(card_simple(card, card->part, CTX_CO, ops[i]),
			  CKR_FUNCTION_NOT_SUPPORTED);
	assert_rv(card_simple(card, 0, CTX_SO, PCIEHSM_OP_PARTITION_INFO),
		  CKR_FUNCTION_NOT_SUPPORTED);
}

/* A message with the fields of a random request, made wrong in one way */
static unsigned long random_with(void (*spoil)(struct fwmsg *m))
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_RANDOM, 0);
	fwmsg_u32(&m, PCIEHSM_F_LEN, 20);
	spoil(&m);
	return card_run(&m, card, card->part, CTX_CO);
}

static void nothing(struct fwmsg *m)
{
	(void)m;
}

static void twice(struct fwmsg *m)
{
	fwmsg_u32(m, PCIEHSM_F_LEN, 20);
}

static void unknown(struct fwmsg *m)
{
	fwmsg_u32(m, 0x7777, 20);
}

static void not_of_this_op(struct fwmsg *m)
{
	fwmsg_u32(m, PCIEHSM_F_LIMIT, 20);
}

static void reserved(struct fwmsg *m)
{
	m->in[18] = 1;
}

static void padding(struct fwmsg *m)
{
	m->in[28] = 1;
}

static void wrong_length(struct fwmsg *m)
{
	m->in[20] = 5;
}

static void short_length(struct fwmsg *m)
{
	m->in[20] = 3;
}

static void beyond(struct fwmsg *m)
{
	m->in[20] = 9;
}

static void far_beyond(struct fwmsg *m)
{
	memset(m->in + 20, 0xff, 4);
}

static void almost_wraps(struct fwmsg *m)
{
	memset(m->in + 20, 0xff, 4);
	m->in[20] = 0xf9;
}

static void half_a_header(struct fwmsg *m)
{
	m->in_len -= 4;
}

static void rv_set(struct fwmsg *m)
{
	m->in[12] = 1;
}

static void no_field(struct fwmsg *m)
{
	m->in_len = 16;
}

static void test_fields(void **state)
{
	static void (*const spoilers[])(struct fwmsg *) = {
		twice, unknown, not_of_this_op, reserved, padding, wrong_length, short_length,
		beyond, far_beyond, almost_wraps, half_a_header, rv_set, no_field,
	};

	(void)state;
	assert_ok(random_with(nothing));
	for (size_t i = 0; i < sizeof(spoilers) / sizeof(spoilers[0]); i++)
		assert_rv(random_with(spoilers[i]), CKR_ARGUMENTS_BAD);
}

static unsigned long find_with(const uint8_t *template, size_t len)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_OBJECT_FIND, 0);
	fwmsg_bytes(&m, PCIEHSM_F_TEMPLATE, template, len);
	fwmsg_u32(&m, PCIEHSM_F_LIMIT, 10);
	return card_run(&m, card, card->part, CTX_CO);
}

static void test_template(void **state)
{
	uint8_t t[32] = { 3, 0, 0, 0, 5, 0, 0, 0, 'l', 'a', 'b', 'e', 'l', 0, 0, 0 };

	(void)state;
	assert_ok(find_with(t, 16));
	assert_ok(find_with(t, 0));
	assert_rv(find_with(t, 15), CKR_ARGUMENTS_BAD);
	assert_rv(find_with(t, 13), CKR_ARGUMENTS_BAD);
	assert_rv(find_with(t, 7), CKR_ARGUMENTS_BAD);
	t[13] = 1;
	assert_rv(find_with(t, 16), CKR_ARGUMENTS_BAD);
	t[13] = 0;
	t[4] = 9;
	assert_rv(find_with(t, 16), CKR_ARGUMENTS_BAD);
	memset(t + 4, 0xff, 4);
	assert_rv(find_with(t, 16), CKR_ARGUMENTS_BAD);
}

static unsigned long init_with_label(const char *label, size_t len)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_HSM_INIT, 0);
	fwmsg_bytes(&m, PCIEHSM_F_LABEL, label, len);
	fwmsg_text(&m, PCIEHSM_F_PIN, "wrong-password");
	return card_run(&m, card, 0, CTX_SO);
}

static void test_text(void **state)
{
	(void)state;
	/* The wrong password is behind the label: CKR_PIN_INCORRECT means a good label. */
	assert_rv(init_with_label("gr\xc3\xbc\xc3\x9f", 6), CKR_PIN_INCORRECT);
	assert_rv(init_with_label("", 0), CKR_ARGUMENTS_BAD);
	assert_rv(init_with_label("123456789012345678901234567890123", 33), CKR_ARGUMENTS_BAD);
	assert_rv(init_with_label("a\0b", 3), CKR_ARGUMENTS_BAD);
	assert_rv(init_with_label("\xc3", 1), CKR_ARGUMENTS_BAD);
	assert_rv(init_with_label("\xc0\x80", 2), CKR_ARGUMENTS_BAD);
	assert_rv(init_with_label("\xed\xa0\x80", 3), CKR_ARGUMENTS_BAD);
	assert_rv(init_with_label("\xf5\x80\x80\x80", 4), CKR_ARGUMENTS_BAD);
	assert_ok(card_hsm_init(card, "card", SO_PIN));
	/* That was a soft init: the partition is gone, so make it again for the others. */
	card_free(card);
	card = card_ready(4711, DOMAIN);
}

static void test_room(void **state)
{
	unsigned long rv;
	struct fwmsg m;
	uint32_t need;

	(void)state;
	for (size_t room = 16; room < 16 + 8 + 24; room++) {
		fwmsg_begin(&m, PCIEHSM_OP_RANDOM, 0);
		fwmsg_u32(&m, PCIEHSM_F_LEN, 20);
		m.out_size = room;
		rv = fwmsg_run(&m, card->fw, card->part, CTX_CO);
		assert_rv(rv, CKR_BUFFER_TOO_SMALL);
		if (room >= 32)
			assert_int_equal(fwmsg_get_u32(&m, PCIEHSM_F_NEED), 48);
		fwmsg_free(&m);
	}
	/* What is needed is what is used, for every answer that varies. */
	fwmsg_begin(&m, PCIEHSM_OP_MECHANISMS, 0);
	m.out_size = 64;
	assert_rv(fwmsg_run(&m, card->fw, card->part, CTX_CO), CKR_BUFFER_TOO_SMALL);
	need = fwmsg_get_u32(&m, PCIEHSM_F_NEED);
	m.out_size = need;
	assert_ok(fwmsg_run(&m, card->fw, card->part, CTX_CO));
	assert_int_equal(m.out_len, need);
	fwmsg_free(&m);
}

/* No room for the answer: the operation has not happened. */
static void test_room_before_effect(void **state)
{
	uint8_t ouid[PCIEHSM_OUID_LEN];
	unsigned int count;
	struct fwmsg m;

	(void)state;
	ouid_of(ouid, 900);
	fwmsg_begin(&m, PCIEHSM_OP_OBJECT_CREATE, 0);
	fwmsg_bytes(&m, PCIEHSM_F_OUID, ouid, sizeof(ouid));
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr_ulong(&m, CKA_CLASS, CKO_DATA);
	fwmsg_attr_text(&m, CKA_LABEL, "no room");
	fwmsg_attr_bool(&m, CKA_TOKEN, true);
	fwmsg_template_end(&m);
	m.out_size = 56;
	assert_rv(fwmsg_run(&m, card->fw, card->part, CTX_CO), CKR_BUFFER_TOO_SMALL);
	assert_ok(card_find(card, CTX_CO, "no room", &count, NULL));
	assert_int_equal(count, 0);
	m.out_size = fwmsg_get_u32(&m, PCIEHSM_F_NEED);
	assert_int_equal(m.out_size, 64);
	assert_ok(fwmsg_run(&m, card->fw, card->part, CTX_CO));
	assert_ok(card_find(card, CTX_CO, "no room", &count, NULL));
	assert_int_equal(count, 1);
	fwmsg_free(&m);
	fwmsg_begin(&m, PCIEHSM_OP_PARTITION_CREATE, 0);
	m.out_size = 40;
	assert_ok(card_login(card, 0, CTX_SO + 10, PCIEHSM_ROLE_SO, SO_PIN));
	assert_rv(fwmsg_run(&m, card->fw, 0, CTX_SO + 10), CKR_BUFFER_TOO_SMALL);
	assert_int_equal(hsm_fw_partitions(card->fw, NULL, 0), 1);
	fwmsg_free(&m);
	/* A wrong password whose answer does not fit costs no attempt. */
	fwmsg_begin(&m, PCIEHSM_OP_LOGIN, 0);
	fwmsg_u32(&m, PCIEHSM_F_ROLE, PCIEHSM_ROLE_CO);
	fwmsg_text(&m, PCIEHSM_F_PIN, "wrong-password");
	m.out_size = 24;
	assert_rv(fwmsg_run(&m, card->fw, card->part, 77), CKR_BUFFER_TOO_SMALL);
	m.out_size = 256;
	assert_rv(fwmsg_run(&m, card->fw, card->part, 77), CKR_PIN_INCORRECT);
	assert_int_equal(fwmsg_get_u32(&m, PCIEHSM_F_ATTEMPTS), 9);
	fwmsg_free(&m);
}

/* Random damage to real messages: any answer is fine, a crash is not. */
static void test_damage(void **state)
{
	static const uint16_t ids[] = { 1, 2, 3, 4, 5, 6, 7, 0x103, 0x106, 0x201, 0x202, 0x203,
		0x204, 0x301, 0x302, 0x303, 0x304, 0x305, 0x306, 0x307, 0x308, 0x401, 0x402,
		0x403, 0x481, 0x482, 0x483, 0x485, 0x48d, 0x502, 0x505, 0x506, 0x507, 0x508 };
	static const uint32_t ops[] = { PCIEHSM_OP_OBJECT_CREATE, PCIEHSM_OP_OBJECT_COPY,
		PCIEHSM_OP_OBJECT_GET, PCIEHSM_OP_OBJECT_SET, PCIEHSM_OP_OBJECT_FIND,
		PCIEHSM_OP_GENERATE_KEY, PCIEHSM_OP_WRAP, PCIEHSM_OP_UNWRAP, PCIEHSM_OP_DERIVE,
		PCIEHSM_OP_CRYPT, PCIEHSM_OP_CRYPT_INIT, PCIEHSM_OP_CRYPT_UPDATE,
		PCIEHSM_OP_CRYPT_FINAL, PCIEHSM_OP_CLONE_START, PCIEHSM_OP_CLONE_ACCEPT,
		PCIEHSM_OP_CLONE_IMPORT, PCIEHSM_OP_CLONE_EXPORT, PCIEHSM_OP_RANDOM };
	uint8_t data[64];
	struct fwmsg m;

	(void)state;
	srandom(1);
	for (unsigned int i = 0; i < 20000; i++) {
		fwmsg_begin(&m, ops[random() % (sizeof(ops) / sizeof(ops[0]))], 1);
		for (long n = random() % 7; n > 0; n--) {
			size_t len = random() % 3 ? (size_t)(random() % 2 ? 16 : 4) :
						    (size_t)random() % sizeof(data);

			for (size_t k = 0; k < len; k++)
				data[k] = (uint8_t)(random() % 4 ? random() % 3 : random());
			fwmsg_bytes(&m, ids[random() % (sizeof(ids) / sizeof(ids[0]))], data, len);
		}
		if (random() % 4 == 0)
			m.in[4 + random() % (long)(m.in_len - 4)] ^= 1 << random() % 8;
		m.out_size = 16 + (size_t)random() % 400;
		fwmsg_run(&m, card->fw, card->part, CTX_CO);
		fwmsg_free(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_context_and_partition),
		cmocka_unit_test(test_unknown_op),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_template),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_room_before_effect),
		cmocka_unit_test(test_damage),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
