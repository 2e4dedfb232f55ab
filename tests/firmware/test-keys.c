// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Keys at work through messages: permissions, operations in parts, wrapping, deriving.
 */
#include <openssl/evp.h>

#include "objects.h"

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

static unsigned long extract(uint32_t n, uint32_t base, uint32_t salt)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_DERIVE, 1);
	fwmsg_u32(&m, PCIEHSM_F_MECHANISM, 0x402a);	/* CKM_HKDF_DERIVE */
	fwmsg_u32(&m, PCIEHSM_F_P_HASH, CKM_SHA256);
	fwmsg_u32(&m, PCIEHSM_F_P_HKDF, 1);
	put_ouid(&m, PCIEHSM_F_P_SALT_KEY, salt);
	put_ouid(&m, PCIEHSM_F_KEY, base);
	put_ouid(&m, PCIEHSM_F_OUID, n);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr_ulong(&m, CKA_KEY_TYPE, CKK_GENERIC_SECRET);
	return finish(&m);
}

/* With a known secret this is an HMAC of it by the salt's key, which must allow that. */
static void test_salt_key(void **state)
{
	struct fwmsg m;

	(void)state;
	create(&m, 1, CKO_SECRET_KEY);
	fwmsg_attr_ulong(&m, CKA_KEY_TYPE, CKK_GENERIC_SECRET);
	fwmsg_attr(&m, CKA_VALUE, "known", 5);
	fwmsg_attr_bool(&m, CKA_DERIVE, true);
	assert_ok(finish(&m));
	create_aes(&m, 2);
	assert_ok(finish(&m));
	assert_rv(extract(3, 1, 2), CKR_KEY_FUNCTION_NOT_PERMITTED);
	assert_rv(extract(3, 1, 9), CKR_KEY_HANDLE_INVALID);
	set(&m, 2);
	fwmsg_attr_bool(&m, CKA_DERIVE, true);
	assert_ok(finish(&m));
	assert_ok(extract(3, 1, 2));
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
		cmocka_unit_test_setup_teardown(test_permissions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_several_parts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_verify, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrap_and_unwrap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_derive, setup, teardown),
		cmocka_unit_test_setup_teardown(test_salt_key, setup, teardown),
		cmocka_unit_test_setup_teardown(test_generate_secret, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
