// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Keys of ML-KEM, ML-DSA and SLH-DSA through messages, where libcrypto has them; where it has not,
 * that they are refused.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "crypto/internal.h"
#include "objects.h"

/* Pairs whose halves do not fit together: the public one is that of another pair. */
CK_RV __real_fw_pqc_to_attrs(EVP_PKEY *pkey, CK_ULONG class, struct fw_attrs *attrs);
CK_RV __wrap_fw_pqc_to_attrs(EVP_PKEY *pkey, CK_ULONG class, struct fw_attrs *attrs);

static bool broken;

CK_RV __wrap_fw_pqc_to_attrs(EVP_PKEY *pkey, CK_ULONG class, struct fw_attrs *attrs)
{
	EVP_PKEY *other = NULL;
	EVP_PKEY_CTX *ctx;
	CK_RV rv;

	if (!broken || class != CKO_PUBLIC_KEY)
		return __real_fw_pqc_to_attrs(pkey, class, attrs);
	ctx = EVP_PKEY_CTX_new_from_pkey(fw_lib()->ctx, pkey, NULL);
	assert_true(ctx && EVP_PKEY_keygen_init(ctx) > 0 && EVP_PKEY_generate(ctx, &other) > 0);
	EVP_PKEY_CTX_free(ctx);
	rv = __real_fw_pqc_to_attrs(other, class, attrs);
	EVP_PKEY_free(other);
	return rv;
}

/* PKCS#11 3.2; the system's header may be older. */
#define ML_KEM_GEN	0x0f
#define ML_KEM		0x17
#define ML_DSA_GEN	0x1c
#define ML_DSA		0x1d
#define SLH_DSA_GEN	0x2d
#define SLH_DSA		0x2e
#define PARAMETER_SET	0x61d
#define ENCAPSULATE_TEMPLATE	0x62a
#define DECAPSULATE_TEMPLATE	0x62b
#define ENCAPSULATE	0x633
#define DECAPSULATE	0x634
#define SEED		0x637
#ifndef CKR_PARAMETER_SET_NOT_SUPPORTED
#define CKR_PARAMETER_SET_NOT_SUPPORTED	0x209
#endif

#define KEM		10
#define DSA		20
#define SLH		30
#define KEM_CIPHERTEXT	1088

static bool present(void)
{
	return OPENSSL_version_major() > 3 ||
	       (OPENSSL_version_major() == 3 && OPENSSL_version_minor() >= 5);
}

/* Public key n, private key n + 1 */
static unsigned long generate(uint32_t n, uint32_t mech, uint64_t set, bool token)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_GENERATE_KEY_PAIR, 1);
	fwmsg_u32(&m, PCIEHSM_F_MECHANISM, mech);
	put_ouid(&m, PCIEHSM_F_OUID, n);
	put_ouid(&m, PCIEHSM_F_OUID2, n + 1);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr_ulong(&m, PARAMETER_SET, set);
	fwmsg_attr_bool(&m, CKA_TOKEN, token);
	fwmsg_template_end(&m);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE2);
	fwmsg_attr_bool(&m, CKA_TOKEN, token);
	return finish(&m);
}

static void begin(struct fwmsg *m, uint32_t op, uint32_t key, uint32_t n)
{
	fwmsg_begin(m, op, 1);
	fwmsg_u32(m, PCIEHSM_F_MECHANISM, ML_KEM);
	put_ouid(m, PCIEHSM_F_KEY, key);
	put_ouid(m, PCIEHSM_F_OUID, n);
}

/* The template of a secret key that may be read, to see whether it is the same */
static void open_template(struct fwmsg *m)
{
	fwmsg_template(m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr_ulong(m, CKA_KEY_TYPE, CKK_GENERIC_SECRET);
	fwmsg_attr_bool(m, CKA_SENSITIVE, false);
	fwmsg_attr_bool(m, CKA_EXTRACTABLE, true);
	fwmsg_template_end(m);
}

static unsigned long encapsulate(uint32_t key, uint32_t n, uint8_t *out, size_t room, bool *data)
{
	const uint8_t *p;
	unsigned long rv;
	struct fwmsg m;
	size_t len = 0;

	begin(&m, PCIEHSM_OP_ENCAPSULATE, key, n);
	open_template(&m);
	if (room)
		m.out_size = room;
	rv = fwmsg_run(&m, card->fw, card->part, CTX_CO);
	p = rv == CKR_OK ? fwmsg_get(&m, PCIEHSM_F_DATA, &len) : NULL;
	*data = p != NULL;
	if (p) {
		assert_int_equal(len, KEM_CIPHERTEXT);
		memcpy(out, p, len);
	}
	fwmsg_free(&m);
	return rv;
}

static unsigned long decapsulate(uint32_t key, uint32_t n, const uint8_t *data, size_t len)
{
	struct fwmsg m;

	begin(&m, PCIEHSM_OP_DECAPSULATE, key, n);
	fwmsg_bytes(&m, PCIEHSM_F_DATA, data, len);
	open_template(&m);
	return send_as(&m, CTX_CO);
}

static void secret(uint32_t n, uint8_t value[32])
{
	size_t len = 32;

	assert_ok(card_get(card, CTX_CO, n, CKA_VALUE, value, &len));
	assert_int_equal(len, 32);
}

static bool listed(uint32_t mech)
{
	const uint8_t *p;
	struct fwmsg m;
	bool found = false;
	size_t len, i;

	fwmsg_begin(&m, PCIEHSM_OP_MECHANISMS, 0);
	assert_ok(fwmsg_run(&m, card->fw, card->part, CTX_CO));
	p = fwmsg_get(&m, PCIEHSM_F_MECHANISMS, &len);
	for (i = 0; i < len; i += sizeof(struct pciehsm_mechanism_info))
		found |= ((const struct pciehsm_mechanism_info *)(p + i))->type == mech;
	fwmsg_free(&m);
	return found;
}

static void test_listed(void **state)
{
	static const uint32_t mechs[] = { ML_KEM_GEN, ML_KEM, ML_DSA_GEN, ML_DSA, SLH_DSA_GEN,
					  SLH_DSA };
	uint8_t out[KEM_CIPHERTEXT];
	size_t i;
	bool data;

	(void)state;
	for (i = 0; i < sizeof(mechs) / sizeof(mechs[0]); i++)
		assert_int_equal(listed(mechs[i]), present());
	if (present())
		return;
	assert_rv(generate(KEM, ML_KEM_GEN, 2, false), CKR_MECHANISM_INVALID);
	assert_ok(card_ec(card, CTX_CO, DSA, "ec", false));
	/* Such a key may not, and there is nothing that it could do it with. */
	assert_rv(encapsulate(DSA, 3, out, 0, &data), CKR_KEY_FUNCTION_NOT_PERMITTED);
	assert_rv(decapsulate(DSA + 1, 3, out, sizeof(out)), CKR_KEY_FUNCTION_NOT_PERMITTED);
}

static void test_encapsulate(void **state)
{
	uint8_t sealed[KEM_CIPHERTEXT], again[KEM_CIPHERTEXT], a[32], b[32];
	struct fwmsg m;
	bool data;

	(void)state;
	if (!present())
		skip();
	assert_ok(generate(KEM, ML_KEM_GEN, 2, true));
	assert_true(get_bool(KEM, ENCAPSULATE));
	assert_true(get_bool(KEM + 1, DECAPSULATE));
	/* What the private half consists of stays inside. */
	assert_rv(has(KEM + 1, CKA_VALUE), CKR_ATTRIBUTE_SENSITIVE);
	assert_rv(has(KEM + 1, SEED), CKR_ATTRIBUTE_SENSITIVE);

	/* An answer for which there is no room is no encapsulation. */
	assert_rv(encapsulate(KEM, 1, sealed, KEM_CIPHERTEXT, &data), CKR_BUFFER_TOO_SMALL);
	assert_rv(has(1, CKA_LABEL), CKR_OBJECT_HANDLE_INVALID);
	assert_ok(encapsulate(KEM, 1, sealed, 0, &data));
	assert_true(data);
	/* The same again makes nothing, and has no ciphertext that would be of something else. */
	assert_ok(encapsulate(KEM, 1, again, 0, &data));
	assert_false(data);
	/* A session object does not outlive the power, the key pair does. */
	card_power_cycle(card);
	assert_ok(card_login(card, card->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
	assert_ok(encapsulate(KEM, 1, sealed, 0, &data));
	assert_true(data);
	assert_ok(decapsulate(KEM + 1, 2, sealed, sizeof(sealed)));
	secret(1, a);
	secret(2, b);
	assert_memory_equal(a, b, sizeof(a));
	/* Both ends know it. */
	assert_false(get_bool(1, CKA_LOCAL));
	assert_false(get_bool(1, CKA_NEVER_EXTRACTABLE));
	assert_false(get_bool(2, CKA_ALWAYS_SENSITIVE));

	assert_rv(decapsulate(KEM + 1, 3, sealed, sizeof(sealed) - 1), CKR_WRAPPED_KEY_LEN_RANGE);
	assert_rv(decapsulate(KEM, 3, sealed, sizeof(sealed)), CKR_KEY_FUNCTION_NOT_PERMITTED);
	assert_rv(encapsulate(KEM + 1, 3, again, 0, &data), CKR_KEY_FUNCTION_NOT_PERMITTED);
	assert_rv(encapsulate(99, 3, again, 0, &data), CKR_KEY_HANDLE_INVALID);
	assert_rv(decapsulate(99, 3, sealed, sizeof(sealed)), CKR_UNWRAPPING_KEY_HANDLE_INVALID);
	set(&m, KEM + 1);
	fwmsg_attr_bool(&m, DECAPSULATE, false);
	assert_ok(finish(&m));
	assert_rv(decapsulate(KEM + 1, 3, sealed, sizeof(sealed)), CKR_KEY_FUNCTION_NOT_PERMITTED);
	assert_rv(has(3, CKA_LABEL), CKR_OBJECT_HANDLE_INVALID);
}

/* An attribute that is a template: of keys that have this label and, if wanted, VALUE_LEN */
static void put_label_template(struct fwmsg *m, uint32_t type, const char *label, bool length)
{
	struct fwmsg inner;
	const struct pciehsm_field *f;

	fwmsg_begin(&inner, PCIEHSM_OP_OBJECT_CREATE, 0);
	fwmsg_template(&inner, PCIEHSM_F_TEMPLATE);
	fwmsg_attr(&inner, CKA_LABEL, label, strlen(label));
	if (length)
		fwmsg_attr_ulong(&inner, CKA_VALUE_LEN, 32);
	fwmsg_template_end(&inner);
	f = (const struct pciehsm_field *)((const uint8_t *)inner.in +
					   sizeof(struct pciehsm_msg));
	fwmsg_attr(m, type, f + 1, f->len);
	fwmsg_free(&inner);
}

static unsigned long labelled(struct fwmsg *m, const char *label)
{
	fwmsg_template(m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr_ulong(m, CKA_KEY_TYPE, CKK_GENERIC_SECRET);
	if (label)
		fwmsg_attr(m, CKA_LABEL, label, strlen(label));
	return finish(m);
}

/* PKCS#11 3.2: a public key has a template that must match, a private one that is applied. */
static void test_templates(void **state)
{
	uint8_t sealed[KEM_CIPHERTEXT], value[16];
	size_t len = sizeof(value);
	struct fwmsg m;
	bool data;

	(void)state;
	if (!present())
		skip();
	fwmsg_begin(&m, PCIEHSM_OP_GENERATE_KEY_PAIR, 1);
	fwmsg_u32(&m, PCIEHSM_F_MECHANISM, ML_KEM_GEN);
	put_ouid(&m, PCIEHSM_F_OUID, KEM);
	put_ouid(&m, PCIEHSM_F_OUID2, KEM + 1);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr_ulong(&m, PARAMETER_SET, 2);
	put_label_template(&m, ENCAPSULATE_TEMPLATE, "from here", true);
	fwmsg_template_end(&m);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE2);
	put_label_template(&m, DECAPSULATE_TEMPLATE, "to here", false);
	assert_ok(finish(&m));

	assert_rv(encapsulate(KEM, 1, sealed, 0, &data), CKR_TEMPLATE_INCONSISTENT);
	begin(&m, PCIEHSM_OP_ENCAPSULATE, KEM, 1);
	assert_rv(labelled(&m, "elsewhere"), CKR_TEMPLATE_INCONSISTENT);
	assert_rv(has(1, CKA_LABEL), CKR_OBJECT_HANDLE_INVALID);
	begin(&m, PCIEHSM_OP_ENCAPSULATE, KEM, 1);
	assert_ok(labelled(&m, "from here"));

	/* Any ciphertext gives a secret. */
	memset(sealed, 0x5a, sizeof(sealed));
	begin(&m, PCIEHSM_OP_DECAPSULATE, KEM + 1, 2);
	fwmsg_bytes(&m, PCIEHSM_F_DATA, sealed, sizeof(sealed));
	assert_rv(labelled(&m, "elsewhere"), CKR_TEMPLATE_INCONSISTENT);
	assert_rv(has(2, CKA_LABEL), CKR_OBJECT_HANDLE_INVALID);
	begin(&m, PCIEHSM_OP_DECAPSULATE, KEM + 1, 2);
	fwmsg_bytes(&m, PCIEHSM_F_DATA, sealed, sizeof(sealed));
	assert_ok(labelled(&m, NULL));
	assert_ok(card_get(card, CTX_CO, 2, CKA_LABEL, value, &len));
	assert_int_equal(len, 7);
	assert_memory_equal(value, "to here", 7);
}

static unsigned long sign(uint32_t mech, uint32_t key, uint32_t hedge, uint8_t *sig, size_t *len)
{
	const uint8_t *p;
	unsigned long rv;
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_CRYPT, 1);
	fwmsg_u32(&m, PCIEHSM_F_FUNCTION, PCIEHSM_FN_SIGN);
	fwmsg_u32(&m, PCIEHSM_F_MECHANISM, mech);
	fwmsg_bytes(&m, PCIEHSM_F_P_CONTEXT, "context", 7);
	fwmsg_u32(&m, PCIEHSM_F_P_HEDGE, hedge);
	put_ouid(&m, PCIEHSM_F_KEY, key);
	fwmsg_bytes(&m, PCIEHSM_F_DATA, "text", 4);
	rv = fwmsg_run(&m, card->fw, card->part, CTX_CO);
	if (rv == CKR_OK) {
		p = fwmsg_get(&m, PCIEHSM_F_DATA, len);
		memcpy(sig, p, *len);
	}
	fwmsg_free(&m);
	return rv;
}

static unsigned long check(uint32_t mech, uint32_t key, const char *context, const uint8_t *sig,
			   size_t len)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_CRYPT, 1);
	fwmsg_u32(&m, PCIEHSM_F_FUNCTION, PCIEHSM_FN_VERIFY);
	fwmsg_u32(&m, PCIEHSM_F_MECHANISM, mech);
	fwmsg_bytes(&m, PCIEHSM_F_P_CONTEXT, context, strlen(context));
	put_ouid(&m, PCIEHSM_F_KEY, key);
	fwmsg_bytes(&m, PCIEHSM_F_DATA, "text", 4);
	fwmsg_bytes(&m, PCIEHSM_F_SIGNATURE, sig, len);
	return send_as(&m, CTX_CO);
}

static void test_sign(void **state)
{
	static const struct {
		uint32_t	n, gen, mech, set;
		size_t		len;
	} cases[] = {
		{ DSA, ML_DSA_GEN, ML_DSA, 2, 3309 },
		{ SLH, SLH_DSA_GEN, SLH_DSA, 3, 17088 },
	};
	uint8_t *sig = malloc(65536), *again = malloc(65536);
	size_t len, len2, i;

	(void)state;
	if (!present()) {
		free(sig);
		free(again);
		skip();
	}
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t mech = cases[i].mech, n = cases[i].n;

		assert_ok(generate(n, cases[i].gen, cases[i].set, false));
		assert_ok(sign(mech, n + 1, 0, sig, &len));
		assert_int_equal(len, cases[i].len);
		assert_ok(check(mech, n, "context", sig, len));
		assert_rv(check(mech, n, "another", sig, len), CKR_SIGNATURE_INVALID);
		/* CKH_DETERMINISTIC_REQUIRED; what is not a CKH_* at all */
		assert_ok(sign(mech, n + 1, 2, sig, &len));
		assert_ok(sign(mech, n + 1, 2, again, &len2));
		assert_int_equal(len, len2);
		assert_memory_equal(sig, again, len);
		assert_rv(sign(mech, n + 1, 9, sig, &len), CKR_MECHANISM_PARAM_INVALID);
		assert_rv(generate(n + 5, cases[i].gen, 77, false),
			  CKR_PARAMETER_SET_NOT_SUPPORTED);
	}
	free(sig);
	free(again);
}

/* Each family has a check of its own; what fails it is no key, and the card stops. */
static void test_bad_pair(void **state)
{
	static const struct {
		uint32_t	gen, set;
	} cases[] = {
		{ ML_KEM_GEN, 2 }, { ML_DSA_GEN, 2 }, { SLH_DSA_GEN, 3 },
	};
	size_t i;

	(void)state;
	if (!present())
		skip();
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		card->events = 0;
		assert_ok(generate(KEM, cases[i].gen, cases[i].set, false));
		broken = true;
		assert_rv(generate(DSA, cases[i].gen, cases[i].set, false), CKR_DEVICE_ERROR);
		broken = false;
		assert_int_equal(count_events(card, HSM_FW_ENGINE_FAILED, 0), 1);
		assert_rv(has(DSA, CKA_LABEL), CKR_OBJECT_HANDLE_INVALID);
		assert_rv(has(DSA + 1, CKA_LABEL), CKR_OBJECT_HANDLE_INVALID);
		card_power_cycle(card);
		assert_ok(card_login(card, card->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_listed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_encapsulate, setup, teardown),
		cmocka_unit_test_setup_teardown(test_templates, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sign, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_pair, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
