// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests as the contract has them, byte for byte where it matters, and answers as no
 * honest card would give them.
 */
#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pciehsm.h"
#include "pkcs11-3.h"

static const uint8_t ouid[16] = "the one we mean";
static CK_BBOOL yes = CK_TRUE;

/* ---- a transport that does what it is told ---- */

static struct {
	int			ret;
	enum pciehsm_outcome	outcome;
	uint32_t		rv;
	uint8_t			fields[4096];	/* of the answer */
	size_t			fields_len;
	bool			raw;		/* @fields is the whole answer */
	size_t			claim;		/* length to claim, 0: the true one */
	unsigned int		calls;
	size_t			room;		/* of the last call */
	unsigned int		timeout_ms;
	uint8_t			request[8192];	/* the last one */
	size_t			request_len;
} told;

static int fake_message(struct pciehsm_transport *t, const void *in, size_t in_len, void *out,
			size_t out_size, size_t *out_len, unsigned int timeout_ms,
			enum pciehsm_outcome *outcome)
{
	struct pciehsm_msg head;

	(void)t;
	told.calls++;
	told.room = out_size;
	told.timeout_ms = timeout_ms;
	told.request_len = in_len < sizeof(told.request) ? in_len : sizeof(told.request);
	memcpy(told.request, in, told.request_len);
	*outcome = told.outcome;
	if (told.ret)
		return told.ret;
	if (told.raw) {
		*out_len = told.fields_len < out_size ? told.fields_len : out_size;
		memcpy(out, told.fields, *out_len);
		return 0;
	}
	memcpy(&head, in, sizeof(head));
	*out_len = sizeof(head) + told.fields_len;
	assert_true(*out_len <= out_size);
	head.length = htole32((uint32_t)*out_len);
	head.rv = htole32(told.rv);
	memcpy(out, &head, sizeof(head));
	memcpy((uint8_t *)out + sizeof(head), told.fields, told.fields_len);
	if (told.claim)
		*out_len = told.claim;
	return 0;
}

static const struct pciehsm_transport_ops fake_ops = { .message = fake_message };
static struct pciehsm_transport fake = { .ops = &fake_ops, .max_msg = PCIEHSM_MSG_MAX };

static int reset(void **state)
{
	(void)state;
	memset(&told, 0, sizeof(told));
	fake.timeout_ms = 0;
	fake.max_msg = PCIEHSM_MSG_MAX;
	return 0;
}

static void answer_field(uint16_t id, const void *data, uint32_t len)
{
	struct pciehsm_field head = { .id = htole16(id), .len = htole32(len) };

	memcpy(told.fields + told.fields_len, &head, sizeof(head));
	told.fields_len += sizeof(head);
	if (len)
		memcpy(told.fields + told.fields_len, data, len);
	memset(told.fields + told.fields_len + len, 0, (8 - len % 8) % 8);
	told.fields_len += (len + 7) / 8 * 8;
}

static void answer_u32(uint16_t id, uint32_t value)
{
	value = htole32(value);
	answer_field(id, &value, sizeof(value));
}

/* A field of the last request; NULL if it has none. */
static const uint8_t *requested(uint16_t id, uint32_t *len)
{
	size_t at = sizeof(struct pciehsm_msg);

	while (at < told.request_len) {
		struct pciehsm_field head;

		memcpy(&head, told.request + at, sizeof(head));
		assert_int_equal(head.reserved, 0);
		at += sizeof(head);
		*len = le32toh(head.len);
		if (le16toh(head.id) == id)
			return told.request + at;
		at += (*len + 7) / 8 * 8;
	}
	assert_int_equal(at, told.request_len);
	return NULL;
}

static uint32_t requested_u32(uint16_t id)
{
	uint32_t len, value;
	const uint8_t *p = requested(id, &len);

	assert_non_null(p);
	assert_int_equal(len, 4);
	memcpy(&value, p, 4);
	return le32toh(value);
}

/* ---- requests ---- */

static void headers(void **state)
{
	struct pciehsm_msg head;

	(void)state;
	fake.timeout_ms = 1234;
	assert_int_equal(pciehsm_session_close(&fake, 77), CKR_OK);
	assert_int_equal(told.request_len, sizeof(head));
	assert_int_equal(told.timeout_ms, 1234);
	assert_true(told.room >= PCIEHSM_ANSWER_MIN);
	memcpy(&head, told.request, sizeof(head));
	assert_int_equal(le32toh(head.length), sizeof(head));
	assert_int_equal(le32toh(head.op), PCIEHSM_OP_SESSION_CLOSE);
	assert_int_equal(le32toh(head.session), 77);
	assert_int_equal(head.rv, 0);
}

static void login_fields(void **state)
{
	uint32_t len, flags = 0;
	const uint8_t *pin;

	(void)state;
	answer_u32(PCIEHSM_F_FLAGS, PCIEHSM_LOGIN_MUST_CHANGE);
	assert_int_equal(pciehsm_login(&fake, PCIEHSM_ROLE_CO, "password", 8, &flags, NULL),
			 CKR_OK);
	assert_int_equal(flags, PCIEHSM_LOGIN_MUST_CHANGE);
	assert_int_equal(requested_u32(PCIEHSM_F_ROLE), PCIEHSM_ROLE_CO);
	pin = requested(PCIEHSM_F_PIN, &len);
	assert_int_equal(len, 8);
	assert_memory_equal(pin, "password", 8);
}

static void attempts(void **state)
{
	uint32_t left = 99;

	(void)state;
	told.rv = CKR_PIN_INCORRECT;
	assert_int_equal(pciehsm_login(&fake, 3, "x", 1, NULL, &left), PCIEHSM_RV_BAD_ANSWER);
	assert_int_equal(left, 99);
	answer_u32(PCIEHSM_F_ATTEMPTS, 7);
	assert_int_equal(pciehsm_login(&fake, 3, "x", 1, NULL, &left), CKR_PIN_INCORRECT);
	assert_int_equal(left, 7);
}

static void template_values(void **state)
{
	static const uint8_t wanted[] = {
		/* CKA_CLASS, eight bytes */
		0, 0, 0, 0, 8, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0,
		/* CKA_TOKEN, one byte: what is not 0 is true */
		1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
		/* CKA_MODULUS without leading zeroes */
		0x20, 1, 0, 0, 2, 0, 0, 0, 0xaa, 0xbb, 0, 0, 0, 0, 0, 0,
		/* CKA_LABEL, empty */
		3, 0, 0, 0, 0, 0, 0, 0,
		/* CKA_ALLOWED_MECHANISMS */
		0, 6, 0, 0x40, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
		/* CKA_WRAP_TEMPLATE with CKA_ENCRYPT inside */
		0x11, 2, 0, 0x40, 16, 0, 0, 0, 4, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
	};
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_MECHANISM_TYPE mech = CKM_RSA_PKCS;
	CK_BBOOL any = 7;
	CK_ATTRIBUTE inner = { CKA_ENCRYPT, &yes, 1 };
	CK_ATTRIBUTE attrs[] = {
		{ CKA_CLASS, &class, sizeof(class) }, { CKA_TOKEN, &any, 1 },
		{ CKA_MODULUS, "\0\0\xaa\xbb", 4 }, { CKA_LABEL, NULL, 0 },
		{ CKA_ALLOWED_MECHANISMS, &mech, sizeof(mech) },
		{ CKA_WRAP_TEMPLATE, &inner, sizeof(inner) },
	};
	struct pciehsm_version version = { .counter = htole64(3), .writer = htole64(9) };
	struct pciehsm_object_version got;
	const uint8_t *p;
	uint32_t len;

	(void)state;
	answer_field(PCIEHSM_F_VERSION, &version, sizeof(version));
	answer_field(PCIEHSM_F_OUID, ouid, 16);
	assert_int_equal(pciehsm_object_create(&fake, 1, ouid, 5, attrs, 6, &got), CKR_OK);
	assert_int_equal(got.counter, 3);
	assert_int_equal(got.writer, 9);
	p = requested(PCIEHSM_F_TEMPLATE, &len);
	assert_int_equal(len, sizeof(wanted));
	assert_memory_equal(p, wanted, sizeof(wanted));
	p = requested(PCIEHSM_F_COUNTER, &len);
	assert_int_equal(len, 8);
	assert_int_equal(p[0], 5);
}

static void bad_templates(void **state)
{
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_ATTRIBUTE deep = { CKA_WRAP_TEMPLATE, &deep, sizeof(deep) };
	CK_ATTRIBUTE bad[] = {
		{ CKA_CLASS, &class, 4 }, { CKA_TOKEN, &yes, 2 }, { CKA_TOKEN, NULL, 1 },
		{ CKA_LABEL, NULL, 1 }, { CKA_ALLOWED_MECHANISMS, &class, 7 },
		{ CKA_WRAP_TEMPLATE, &deep, sizeof(deep) - 1 }, deep,
		{ CKA_LABEL, &class, (CK_ULONG)-1 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(pciehsm_object_create(&fake, 1, ouid, 0, &bad[i], 1, NULL),
				 CKR_ATTRIBUTE_VALUE_INVALID);
	assert_int_equal(pciehsm_object_create(&fake, 1, ouid, 0, NULL, 1, NULL),
			 CKR_ARGUMENTS_BAD);
	assert_int_equal(told.calls, 0);
}

static void mechanisms(void **state)
{
	uint8_t iv[16] = { 1 }, key[16] = "salt";
	CK_GCM_PARAMS gcm = { iv, 12, 0, (uint8_t *)"aad", 3, 128 };
	CK_AES_CTR_PARAMS ctr = { .ulCounterBits = 32 };
	CK_RSA_PKCS_PSS_PARAMS pss = { CKM_SHA384, CKG_MGF1_SHA384, 48 };
	CK_ECDH1_DERIVE_PARAMS ecdh = { CKD_NULL, 0, NULL, 3, (uint8_t *)"pub" };
	CK_HKDF_PARAMS hkdf = { CK_TRUE, CK_TRUE, CKM_SHA256, CKF_HKDF_SALT_KEY, NULL, 0,
				(CK_OBJECT_HANDLE)(uintptr_t)key, (uint8_t *)"info", 4 };
	CK_ULONG mac = 10;
	CK_MECHANISM m = { CKM_AES_GCM, &gcm, sizeof(gcm) };
	const uint8_t *p;
	uint32_t len;

	(void)state;
#define SEND() assert_int_equal(pciehsm_crypt_init(&fake, 1, PCIEHSM_FN_ENCRYPT, &m, ouid), CKR_OK)
#define BAD() assert_int_equal(pciehsm_mechanism_check(&m), CKR_MECHANISM_PARAM_INVALID)
	SEND();
	assert_int_equal(requested_u32(PCIEHSM_F_MECHANISM), CKM_AES_GCM);
	assert_int_equal(requested_u32(PCIEHSM_F_P_TAG_BITS), 128);
	p = requested(PCIEHSM_F_P_IV, &len);
	assert_int_equal(len, 12);
	assert_memory_equal(p, iv, 12);
	p = requested(PCIEHSM_F_P_AAD, &len);
	assert_int_equal(len, 3);
	gcm.ulTagBits = 0;
	BAD();
	gcm.ulTagBits = 100;
	BAD();
	gcm.ulTagBits = 128;
	gcm.ulIvLen = 0;
	BAD();
	gcm.ulIvLen = (CK_ULONG)-1;
	BAD();
	gcm.ulIvLen = 12;
	gcm.ulAADLen = 1UL << 40;
	BAD();

	m = (CK_MECHANISM){ CKM_AES_CTR, &ctr, sizeof(ctr) };
	SEND();
	assert_int_equal(requested_u32(PCIEHSM_F_P_COUNTER_BITS), 32);
	ctr.ulCounterBits = 129;
	BAD();

	m = (CK_MECHANISM){ CKM_RSA_PKCS_PSS, &pss, sizeof(pss) };
	SEND();
	assert_int_equal(requested_u32(PCIEHSM_F_P_HASH), CKM_SHA384);
	assert_int_equal(requested_u32(PCIEHSM_F_P_MGF), CKG_MGF1_SHA384);
	assert_int_equal(requested_u32(PCIEHSM_F_P_SALT_LEN), 48);
	pss.sLen = (CK_ULONG)-1;
	BAD();

	m = (CK_MECHANISM){ CKM_ECDH1_DERIVE, &ecdh, sizeof(ecdh) };
	SEND();
	assert_int_equal(requested_u32(PCIEHSM_F_P_KDF), CKD_NULL);
	ecdh.ulSharedDataLen = 1;
	BAD();

	m = (CK_MECHANISM){ CKM_HKDF_DERIVE, &hkdf, sizeof(hkdf) };
	SEND();
	assert_int_equal(requested_u32(PCIEHSM_F_P_HKDF), 3);
	p = requested(PCIEHSM_F_P_SALT_KEY, &len);
	assert_int_equal(len, 16);
	assert_memory_equal(p, key, 16);
	hkdf.bExtract = CK_FALSE;
	hkdf.bExpand = CK_FALSE;
	BAD();

	m = (CK_MECHANISM){ CKM_SHA256_HMAC_GENERAL, &mac, sizeof(mac) };
	SEND();
	assert_int_equal(requested_u32(PCIEHSM_F_P_MAC_LEN), 10);
	m.ulParameterLen = 4;
	BAD();
	m = (CK_MECHANISM){ CKM_AES_CBC, iv, 16 };
	SEND();
	m.ulParameterLen = 8;
	BAD();
	m = (CK_MECHANISM){ CKM_RSA_PKCS, iv, 1 };
	BAD();
	/* What is not known here goes through bare, and not otherwise. */
	m = (CK_MECHANISM){ 0x80000001UL, NULL, 0 };
	SEND();
	m = (CK_MECHANISM){ 0x80000001UL, iv, 1 };
	assert_int_equal(pciehsm_mechanism_check(&m), CKR_MECHANISM_INVALID);
	m = (CK_MECHANISM){ 1UL << 32, NULL, 0 };
	assert_int_equal(pciehsm_mechanism_check(&m), CKR_MECHANISM_INVALID);
	assert_int_equal(pciehsm_mechanism_check(NULL), CKR_ARGUMENTS_BAD);
}

static void too_long(void **state)
{
	size_t size = PCIEHSM_MSG_MAX;
	void *data = calloc(1, size);
	CK_MECHANISM m = { CKM_SHA256, NULL, 0 };
	size_t len = 0;

	(void)state;
	assert_int_equal(pciehsm_crypt(&fake, 0, PCIEHSM_FN_DIGEST, &m, NULL, data, size, NULL, 0,
				       NULL, &len), CKR_DATA_LEN_RANGE);
	assert_int_equal(pciehsm_crypt(&fake, 0, PCIEHSM_FN_DIGEST, &m, NULL, data, SIZE_MAX - 4,
				       NULL, 0, NULL, &len), CKR_DATA_LEN_RANGE);
	assert_int_equal(told.calls, 0);
	/* just what goes in: header, FUNCTION, MECHANISM, DATA */
	assert_int_equal(pciehsm_crypt(&fake, 0, PCIEHSM_FN_DIGEST, &m, NULL, data,
				       size - 16 - 16 - 16 - 8, NULL, 0, NULL, &len), CKR_OK);
	fake.max_msg = 4096;
	assert_int_equal(pciehsm_crypt(&fake, 0, PCIEHSM_FN_DIGEST, &m, NULL, data, 5000, NULL, 0,
				       NULL, &len), CKR_DATA_LEN_RANGE);
	free(data);
}

/* ---- answers ---- */

static void transport_errors(void **state)
{
	static const struct {
		int	error;
		CK_RV	not_executed;
		CK_RV	unknown;
	} cases[] = {
		{ ENODEV, PCIEHSM_RV_LOST_NOT_EXECUTED, PCIEHSM_RV_LOST_UNKNOWN },
		{ ECANCELED, PCIEHSM_RV_RESET_NOT_EXECUTED, PCIEHSM_RV_RESET_UNKNOWN },
		{ ETIMEDOUT, PCIEHSM_RV_TIMEOUT_NOT_EXECUTED, PCIEHSM_RV_TIMEOUT_UNKNOWN },
		{ EIO, PCIEHSM_RV_FAULT_NOT_EXECUTED, PCIEHSM_RV_FAULT_UNKNOWN },
		{ ENOMEM, PCIEHSM_RV_NO_ROOM, PCIEHSM_RV_NO_ROOM },
		{ EACCES, PCIEHSM_RV_ACCESS, PCIEHSM_RV_ACCESS },
		{ EINVAL, PCIEHSM_RV_MESSAGE, PCIEHSM_RV_MESSAGE },
		{ EMSGSIZE, PCIEHSM_RV_MESSAGE, PCIEHSM_RV_MESSAGE },
		{ ELIBBAD, PCIEHSM_RV_FAULT_NOT_EXECUTED, PCIEHSM_RV_FAULT_UNKNOWN },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		told.ret = -cases[i].error;
		told.outcome = PCIEHSM_OUTCOME_NOT_EXECUTED;
		assert_int_equal(pciehsm_ping(&fake), cases[i].not_executed);
		assert_true(pciehsm_rv_is_transport(cases[i].not_executed));
		assert_true(pciehsm_rv_not_executed(cases[i].not_executed));
		told.outcome = PCIEHSM_OUTCOME_UNKNOWN;
		assert_int_equal(pciehsm_ping(&fake), cases[i].unknown);
		/* An error without an answer: what was done is not known, whatever is claimed. */
		told.outcome = PCIEHSM_OUTCOME_DONE;
		assert_int_equal(pciehsm_ping(&fake), cases[i].unknown);
	}
	assert_true(pciehsm_rv_gone(PCIEHSM_RV_LOST_UNKNOWN));
	assert_true(pciehsm_rv_gone(PCIEHSM_RV_LOST_NOT_EXECUTED));
	assert_false(pciehsm_rv_gone(PCIEHSM_RV_RESET_UNKNOWN));
	assert_false(pciehsm_rv_not_executed(PCIEHSM_RV_BAD_ANSWER));
	assert_false(pciehsm_rv_is_transport(CKR_DEVICE_ERROR));
	assert_false(pciehsm_rv_is_transport(PCIEHSM_CKR_STALE));
	assert_false(pciehsm_rv_not_executed(CKR_OK));
}

static void hostile_heads(void **state)
{
	struct pciehsm_msg head = { .length = htole32(16), .op = htole32(PCIEHSM_OP_PING) };

	(void)state;
	/* A card does not speak for the transport. */
	told.rv = (uint32_t)PCIEHSM_RV_LOST_NOT_EXECUTED;
	assert_int_equal(pciehsm_ping(&fake), PCIEHSM_RV_BAD_ANSWER);
	told.rv = CKR_OK;
	told.claim = 17;
	assert_int_equal(pciehsm_ping(&fake), PCIEHSM_RV_BAD_ANSWER);
	told.claim = 1UL << 30;
	assert_int_equal(pciehsm_ping(&fake), PCIEHSM_RV_BAD_ANSWER);
	told.claim = 0;
	told.raw = true;
	assert_int_equal(pciehsm_ping(&fake), PCIEHSM_RV_BAD_ANSWER);
	memcpy(told.fields, &head, sizeof(head));
	told.fields_len = sizeof(head);
	assert_int_equal(pciehsm_ping(&fake), CKR_OK);
	head.session = htole32(1);
	memcpy(told.fields, &head, sizeof(head));
	assert_int_equal(pciehsm_ping(&fake), PCIEHSM_RV_BAD_ANSWER);
	head.session = 0;
	head.op = htole32(PCIEHSM_OP_LOGIN);
	memcpy(told.fields, &head, sizeof(head));
	assert_int_equal(pciehsm_ping(&fake), PCIEHSM_RV_BAD_ANSWER);
}

static void hostile_fields(void **state)
{
	struct pciehsm_field field = { .id = htole16(PCIEHSM_F_FLAGS) };
	uint32_t flags;
	size_t len;

	(void)state;
#define LOGIN() pciehsm_login(&fake, PCIEHSM_ROLE_CO, "x", 1, &flags, NULL)
	assert_int_equal(LOGIN(), PCIEHSM_RV_BAD_ANSWER); /* missing */
	answer_u32(PCIEHSM_F_FLAGS, 0);
	assert_int_equal(LOGIN(), CKR_OK);
	answer_u32(PCIEHSM_F_OBJECTS, 0); /* not asked for */
	assert_int_equal(LOGIN(), CKR_OK);
	len = told.fields_len;
	answer_u32(PCIEHSM_F_FLAGS, 0); /* twice */
	assert_int_equal(LOGIN(), PCIEHSM_RV_BAD_ANSWER);
	told.fields_len = len + 4; /* half a head */
	assert_int_equal(LOGIN(), PCIEHSM_RV_BAD_ANSWER);
	told.fields_len = 0;
	answer_field(PCIEHSM_F_FLAGS, "12345678", 8); /* wrong length */
	assert_int_equal(LOGIN(), PCIEHSM_RV_BAD_ANSWER);
	for (len = 1; len; len <<= 1) { /* lengths beyond the end */
		told.fields_len = 0;
		answer_u32(PCIEHSM_F_FLAGS, 0);
		if (len == 4 || len > UINT32_MAX)
			continue;
		field.len = htole32((uint32_t)len);
		memcpy(told.fields, &field, sizeof(field));
		assert_int_equal(LOGIN(), PCIEHSM_RV_BAD_ANSWER);
	}
	field.len = htole32(UINT32_MAX);
	memcpy(told.fields, &field, sizeof(field));
	assert_int_equal(LOGIN(), PCIEHSM_RV_BAD_ANSWER);
	field.len = htole32(4);
	field.reserved = htole16(1);
	memcpy(told.fields, &field, sizeof(field));
	assert_int_equal(LOGIN(), PCIEHSM_RV_BAD_ANSWER);
}

static void more_room(void **state)
{
	uint8_t *list = NULL;
	size_t n;

	(void)state;
	/* Ask again with what it needs, and not for ever. */
	told.rv = CKR_BUFFER_TOO_SMALL;
	answer_u32(PCIEHSM_F_NEED, 20000);
	assert_int_equal(pciehsm_mechanisms(&fake, (struct pciehsm_mechanism_info **)&list, &n),
			 PCIEHSM_RV_BAD_ANSWER);
	assert_int_equal(told.calls, 2);
	assert_int_equal(told.room, 20000);
	told.fields_len = 0;
	answer_u32(PCIEHSM_F_NEED, PCIEHSM_MSG_MAX + 1);
	told.calls = 0;
	assert_int_equal(pciehsm_mechanisms(&fake, (struct pciehsm_mechanism_info **)&list, &n),
			 PCIEHSM_RV_BAD_ANSWER);
	assert_int_equal(told.calls, 1);
	told.fields_len = 0;
	assert_int_equal(pciehsm_mechanisms(&fake, (struct pciehsm_mechanism_info **)&list, &n),
			 PCIEHSM_RV_BAD_ANSWER);
	/* Lists are of whole entries. */
	told.rv = CKR_OK;
	answer_field(PCIEHSM_F_MECHANISMS, "123456789012345678", 17);
	assert_int_equal(pciehsm_mechanisms(&fake, (struct pciehsm_mechanism_info **)&list, &n),
			 PCIEHSM_RV_BAD_ANSWER);
	told.fields_len = 0;
	answer_field(PCIEHSM_F_MECHANISMS, "1234567890123456", 16);
	assert_int_equal(pciehsm_mechanisms(&fake, (struct pciehsm_mechanism_info **)&list, &n),
			 CKR_OK);
	assert_int_equal(n, 1);
	free(list);
}

static void data_and_room(void **state)
{
	CK_MECHANISM m = { CKM_SHA256, NULL, 0 };
	uint8_t out[32];
	size_t len = 20;

	(void)state;
	answer_field(PCIEHSM_F_DATA, "0123456789abcdef0123456789abcde", 32);
	assert_int_equal(pciehsm_crypt(&fake, 0, PCIEHSM_FN_DIGEST, &m, NULL, "", 0, NULL, 0, out,
				       &len), CKR_BUFFER_TOO_SMALL);
	assert_int_equal(len, 32);
	assert_int_equal(pciehsm_crypt(&fake, 0, PCIEHSM_FN_DIGEST, &m, NULL, "", 0, NULL, 0, out,
				       &len), CKR_OK);
	assert_memory_equal(out, "0123456789abcdef0123456789abcde", 32);
	/* With a state on the card, an answer only comes when there is room for it. */
	len = 30;
	told.fields_len = 0;
	pciehsm_crypt_update(&fake, 1, PCIEHSM_FN_ENCRYPT, "x", 1, out, &len);
	assert_int_equal(told.room, 16 + 8 + 24);
	len = 32;
	told.rv = CKR_BUFFER_TOO_SMALL;
	answer_u32(PCIEHSM_F_NEED, 16 + 8 + 48);
	assert_int_equal(pciehsm_crypt_update(&fake, 1, PCIEHSM_FN_ENCRYPT, "x", 1, out, &len),
			 CKR_BUFFER_TOO_SMALL);
	assert_int_equal(len, 48);
}

static void creation_of_another(void **state)
{
	struct pciehsm_version version = { 0 };

	(void)state;
	answer_field(PCIEHSM_F_VERSION, &version, sizeof(version));
	answer_field(PCIEHSM_F_OUID, "another object!", 16);
	assert_int_equal(pciehsm_object_create(&fake, 1, ouid, 0, NULL, 0, NULL),
			 PCIEHSM_RV_BAD_ANSWER);
}

static void answered_attr(uint8_t *to, size_t *at, uint32_t type, uint32_t len, const void *data)
{
	struct pciehsm_attr head = { htole32(type), htole32(len) };

	memcpy(to + *at, &head, sizeof(head));
	*at += sizeof(head);
	if (data) {
		memset(to + *at, 0, (len + 7) / 8 * 8);
		memcpy(to + *at, data, len);
		*at += (len + 7) / 8 * 8;
	}
}

static void attribute_values(void **state)
{
	uint64_t wire = htole64(CKO_SECRET_KEY);
	uint8_t template[512], label[8];
	CK_OBJECT_CLASS class = 0;
	CK_BBOOL token = 0;
	CK_ATTRIBUTE attrs[] = {
		{ CKA_CLASS, &class, sizeof(class) }, { CKA_TOKEN, &token, 1 },
		{ CKA_LABEL, label, 3 }, { CKA_VALUE, label, 8 }, { CKA_ID, NULL, 0 },
	};
	size_t at = 0;

	(void)state;
	answered_attr(template, &at, CKA_CLASS, 8, &wire);
	answered_attr(template, &at, CKA_TOKEN, 1, "\1");
	answered_attr(template, &at, CKA_LABEL, 4, "four");
	answered_attr(template, &at, CKA_VALUE, PCIEHSM_ATTR_SENSITIVE, NULL);
	answered_attr(template, &at, CKA_ID, 2, "id");
	answer_field(PCIEHSM_F_TEMPLATE, template, (uint32_t)at);
	told.rv = CKR_ATTRIBUTE_SENSITIVE;
	assert_int_equal(pciehsm_object_get(&fake, 1, ouid, attrs, 5, NULL),
			 CKR_ATTRIBUTE_SENSITIVE);
	assert_int_equal(class, CKO_SECRET_KEY);
	assert_int_equal(token, 1);
	assert_int_equal(attrs[2].ulValueLen, CK_UNAVAILABLE_INFORMATION);
	assert_int_equal(attrs[3].ulValueLen, CK_UNAVAILABLE_INFORMATION);
	assert_int_equal(attrs[4].ulValueLen, 2);

	/* Another order, one less, one more, a wrong length. */
	told.rv = CKR_OK;
	attrs[0].type = CKA_TOKEN;
	assert_int_equal(pciehsm_object_get(&fake, 1, ouid, attrs, 5, NULL), PCIEHSM_RV_BAD_ANSWER);
	attrs[0].type = CKA_CLASS;
	assert_int_equal(pciehsm_object_get(&fake, 1, ouid, attrs, 4, NULL), PCIEHSM_RV_BAD_ANSWER);
	told.fields_len = 0;
	at = 0;
	answered_attr(template, &at, CKA_CLASS, 4, &wire);
	answer_field(PCIEHSM_F_TEMPLATE, template, (uint32_t)at);
	assert_int_equal(pciehsm_object_get(&fake, 1, ouid, attrs, 1, NULL), PCIEHSM_RV_BAD_ANSWER);
	told.fields_len = 0;
	at = 0;
	answered_attr(template, &at, CKA_CLASS, 4000, NULL);
	answer_field(PCIEHSM_F_TEMPLATE, template, (uint32_t)at);
	assert_int_equal(pciehsm_object_get(&fake, 1, ouid, attrs, 1, NULL), PCIEHSM_RV_BAD_ANSWER);
}

static void nested_values(void **state)
{
	uint8_t template[512], inner[64];
	CK_BBOOL encrypt = 0;
	CK_ATTRIBUTE array[2] = { { 0, &encrypt, 1 } };
	CK_ATTRIBUTE attr = { CKA_WRAP_TEMPLATE, NULL, 0 };
	size_t at = 0, inner_len = 0;

	(void)state;
	answered_attr(inner, &inner_len, CKA_ENCRYPT, 1, "\1");
	answered_attr(template, &at, (uint32_t)CKA_WRAP_TEMPLATE, (uint32_t)inner_len, inner);
	answer_field(PCIEHSM_F_TEMPLATE, template, (uint32_t)at);
	assert_int_equal(pciehsm_object_get(&fake, 1, ouid, &attr, 1, NULL), CKR_OK);
	assert_int_equal(attr.ulValueLen, sizeof(CK_ATTRIBUTE));
	attr.pValue = array;
	attr.ulValueLen = sizeof(array);
	assert_int_equal(pciehsm_object_get(&fake, 1, ouid, &attr, 1, NULL), CKR_OK);
	assert_int_equal(attr.ulValueLen, sizeof(CK_ATTRIBUTE));
	assert_int_equal(array[0].type, CKA_ENCRYPT);
	assert_int_equal(encrypt, 1);
	/* A template in a template in a template */
	told.fields_len = 0;
	at = 0;
	inner_len = 0;
	answered_attr(inner, &inner_len, (uint32_t)CKA_WRAP_TEMPLATE, 8, "12345678");
	answered_attr(template, &at, (uint32_t)CKA_WRAP_TEMPLATE, (uint32_t)inner_len, inner);
	answer_field(PCIEHSM_F_TEMPLATE, template, (uint32_t)at);
	attr.ulValueLen = sizeof(array);
	assert_int_equal(pciehsm_object_get(&fake, 1, ouid, &attr, 1, NULL), PCIEHSM_RV_BAD_ANSWER);
}

static void texts(void **state)
{
	struct pciehsm_hsm_info info;

	(void)state;
#define HSM(serial, label) do { \
	told.fields_len = 0; \
	answer_field(PCIEHSM_F_SERIAL, serial, (uint32_t)strlen(serial)); \
	answer_field(PCIEHSM_F_LABEL, label, (uint32_t)strlen(label)); \
	answer_field(PCIEHSM_F_MODEL, "m", 1); \
	answer_field(PCIEHSM_F_FW_VERSION, "1.0", 3); \
	answer_u32(PCIEHSM_F_FLAGS, 1); \
	answer_field(PCIEHSM_F_SPACE, "\1\0\0\0\0\0\0\0", 8); \
	answer_field(PCIEHSM_F_SPACE_FREE, "\1\0\0\0\0\0\0\0", 8); \
	answer_u32(PCIEHSM_F_PARTITIONS, 1); \
	answer_u32(PCIEHSM_F_PARTITIONS_MAX, 1); \
	answer_u32(PCIEHSM_F_ENGINES, 1); \
} while (0)
	HSM("154438", "label");
	assert_int_equal(pciehsm_hsm_info(&fake, &info), CKR_OK);
	assert_string_equal(info.serial, "154438");
	assert_string_equal(info.label, "label");
	assert_int_equal(info.space, 1);
	/* Nothing that a terminal would obey */
	HSM("154438", "\x1b[2Jlabel\x7f");
	assert_int_equal(pciehsm_hsm_info(&fake, &info), CKR_OK);
	assert_string_equal(info.label, "?[2Jlabel?");
	HSM("15443x", "label");
	assert_int_equal(pciehsm_hsm_info(&fake, &info), PCIEHSM_RV_BAD_ANSWER);
	HSM("154438", "a label that is longer than the thirty-two bytes it may have");
	assert_int_equal(pciehsm_hsm_info(&fake, &info), PCIEHSM_RV_BAD_ANSWER);
	HSM("1234567890123456789012345", "label");
	assert_int_equal(pciehsm_hsm_info(&fake, &info), PCIEHSM_RV_BAD_ANSWER);
}

static void pages(void **state)
{
	uint8_t found[32];
	uint64_t cursor = 0;
	uint32_t count;

	(void)state;
	answer_field(PCIEHSM_F_OUIDS, "0123456789abcdef0123456789abcdef0123456789abcdef", 48);
	answer_field(PCIEHSM_F_CURSOR, "\7\0\0\0\0\0\0\0", 8);
	/* more than was asked for */
	assert_int_equal(pciehsm_object_find(&fake, 1, NULL, 0, &cursor, found, 2, &count),
			 PCIEHSM_RV_BAD_ANSWER);
	assert_int_equal(cursor, 0);
	told.fields_len = 0;
	answer_field(PCIEHSM_F_OUIDS, "0123456789abcdef0123456789abcdef", 32);
	answer_field(PCIEHSM_F_CURSOR, "\7\0\0\0\0\0\0\0", 8);
	assert_int_equal(pciehsm_object_find(&fake, 1, NULL, 0, &cursor, found, 2, &count), CKR_OK);
	assert_int_equal(count, 2);
	assert_int_equal(cursor, 7);
	assert_int_equal(pciehsm_object_find(&fake, 1, NULL, 0, &cursor, found, 0, &count),
			 CKR_ARGUMENTS_BAD);
	/* the same page for ever */
	assert_int_equal(pciehsm_object_find(&fake, 1, NULL, 0, &cursor, found, 2, &count),
			 PCIEHSM_RV_BAD_ANSWER);
	/* nothing, and yet more to come */
	told.fields_len = 0;
	answer_field(PCIEHSM_F_OUIDS, "", 0);
	answer_field(PCIEHSM_F_CURSOR, "\10\0\0\0\0\0\0\0", 8);
	assert_int_equal(pciehsm_object_find(&fake, 1, NULL, 0, &cursor, found, 2, &count),
			 PCIEHSM_RV_BAD_ANSWER);
	assert_int_equal(cursor, 7);
}

static CK_RV changes_of(uint64_t first, uint64_t second, uint64_t after)
{
	struct pciehsm_change changes[2] = {
		{ .seq = htole64(first) }, { .seq = htole64(second) },
	}, *list;
	uint64_t last;
	size_t count;
	CK_RV rv;

	told.fields_len = 0;
	answer_field(PCIEHSM_F_CHANGES, changes, sizeof(changes));
	answer_field(PCIEHSM_F_SEQ, "\11\0\0\0\0\0\0\0", 8);
	rv = pciehsm_changes(&fake, after, 2, &list, &count, &last);
	if (rv == CKR_OK) {
		assert_int_equal(count, 2);
		assert_int_equal(last, 9);
		free(list);
	}
	return rv;
}

static void changes_in_order(void **state)
{
	(void)state;
	assert_int_equal(changes_of(5, 6, 4), CKR_OK);
	assert_int_equal(changes_of(6, 5, 4), PCIEHSM_RV_BAD_ANSWER);
	assert_int_equal(changes_of(5, 5, 4), PCIEHSM_RV_BAD_ANSWER);
	/* what was given before, for ever */
	assert_int_equal(changes_of(4, 5, 4), PCIEHSM_RV_BAD_ANSWER);
}

static void versions(void **state)
{
	const struct pciehsm_object_version old = { 1, 9 }, new = { 2, 1 }, newer = { 2, 2 };

	(void)state;
	assert_true(pciehsm_version_cmp(&old, &new) < 0);
	assert_true(pciehsm_version_cmp(&newer, &new) > 0);
	assert_int_equal(pciehsm_version_cmp(&new, &new), 0);
	assert_string_equal(pciehsm_rv_name(CKR_PIN_INCORRECT), "CKR_PIN_INCORRECT");
	assert_string_equal(pciehsm_rv_name(PCIEHSM_CKR_STALE), "PCIEHSM_CKR_STALE");
	assert_string_equal(pciehsm_rv_name(0x12345678), "unknown result");
}

static void capsules(void **state)
{
	CK_MECHANISM m = { 0x17, NULL, 0 };	/* CKM_ML_KEM */
	const struct pciehsm_version version = { .counter = htole64(1) };
	uint8_t out[128], text[96] = { 1, 2, 3 };
	size_t len = 0, whole;
	uint32_t n;

	(void)state;
#define CAPSULE(p) pciehsm_encapsulate(&fake, 1, &m, ouid, ouid, 0, NULL, 0, p, &len, NULL)
	/* What the card says it needs is what the ciphertext needs. */
	told.rv = CKR_BUFFER_TOO_SMALL;
	answer_u32(PCIEHSM_F_NEED, sizeof(struct pciehsm_msg) + 3 * 8 + 16 + sizeof(version) + 96);
	assert_int_equal(CAPSULE(NULL), CKR_BUFFER_TOO_SMALL);
	assert_int_equal(len, sizeof(text));
	assert_memory_equal(requested(PCIEHSM_F_KEY, &n), ouid, sizeof(ouid));
	reset(NULL);
	answer_field(PCIEHSM_F_OUID, ouid, sizeof(ouid));
	answer_field(PCIEHSM_F_VERSION, &version, sizeof(version));
	whole = told.fields_len;
	/* It is there already, and its ciphertext is lost. */
	assert_int_equal(CAPSULE(out), CKR_FUNCTION_FAILED);
	answer_field(PCIEHSM_F_DATA, text, sizeof(text));
	len = sizeof(text);
	assert_int_equal(CAPSULE(out), CKR_OK);
	assert_int_equal(told.room, sizeof(struct pciehsm_msg) + told.fields_len);
	assert_memory_equal(out, text, sizeof(text));
	/* Of another object */
	told.fields[8]++;
	assert_int_equal(CAPSULE(out), PCIEHSM_RV_BAD_ANSWER);
	told.fields[8]--;
	told.fields_len = whole;
	assert_int_equal(pciehsm_decapsulate(&fake, 1, &m, ouid, text, sizeof(text), ouid, 0,
					     NULL, 0, NULL), CKR_OK);
	assert_memory_equal(requested(PCIEHSM_F_DATA, &n), text, sizeof(text));
}

#define TEST(f) cmocka_unit_test_setup(f, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(headers), TEST(login_fields), TEST(attempts), TEST(template_values),
		TEST(bad_templates), TEST(mechanisms), TEST(too_long), TEST(transport_errors),
		TEST(hostile_heads), TEST(hostile_fields), TEST(more_room), TEST(data_and_room),
		TEST(creation_of_another), TEST(attribute_values), TEST(nested_values),
		TEST(texts), TEST(pages), TEST(changes_in_order), TEST(capsules),
		TEST(versions),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("messages", tests, NULL, NULL);
}
