// SPDX-License-Identifier: GPL-2.0-or-later
/* Passwords, domains, sealing, random bytes; the mechanism list; the self test */
#include "crypto/selftest.h"

#include "util.h"

static void test_sha256(void **state)
{
	struct fw_bytes parts[] = { TEXT("a"), NONE, TEXT("bc") };
	uint8_t out[FW_SHA256_LEN];

	(void)state;
	assert_ok(fw_sha256(parts, 3, out));
	assert_hex(BYTES(out, 32),
		   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_ok(fw_sha256(NULL, 0, out));
	assert_hex(BYTES(out, 32),
		   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void test_pin_hash(void **state)
{
	/* Computed with Python's hashlib.pbkdf2_hmac('sha256', ...) */
	static const struct {
		const char	*pin;
		const char	*salt;
		unsigned int	iterations;
		const char	*hash;
	} cases[] = {
		{ "userpin1", "000102030405060708090a0b0c0d0e0f", 1,
		  "b180a473c2cfe3eebf2e599a32ec01fd61ef73f5f440401a52988da34aec5fb6" },
		{ "userpin1", "000102030405060708090a0b0c0d0e0f", 1000,
		  "d73e1e79530b7e29b843c88682c05275900419b2e0b8f8f8bbbd9f4929969615" },
		{ "correct horse battery staple", "ffeeddccbbaa99887766554433221100", 100000,
		  "ca1bdf5a087fc5055ced89705b8b12245c17c7dfad908406def0d145e34bd7e4" },
	};
	uint8_t hash[FW_PIN_HASH_LEN];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_ok(fw_pin_hash((const uint8_t *)cases[i].pin, strlen(cases[i].pin),
				      hex(cases[i].salt).p, cases[i].iterations, hash));
		assert_hex(BYTES(hash, sizeof(hash)), cases[i].hash);
	}
	/* No password at all is one too: whether it is allowed is not asked here. */
	assert_ok(fw_pin_hash(NULL, 0, hex(cases[0].salt).p, 1, hash));
	assert_rv(fw_pin_hash((const uint8_t *)"x", 1, hex(cases[0].salt).p, 0, hash),
		  CKR_FUNCTION_FAILED);
}

static void test_domain_key(void **state)
{
	uint8_t key[FW_DOMAIN_KEY_LEN];

	(void)state;
	/* hashlib.pbkdf2_hmac('sha512', b'myDomain', b'pciehsm cloning domain v1', 100000, 48) */
	assert_ok(fw_domain_key((const uint8_t *)"myDomain", 8, key));
	assert_hex(BYTES(key, sizeof(key)),
		   "fbb109334e7746f7d8de5b6c0c2e21e8564fda150381f5f8752ebcd97f051f89"
		   "bc8312373d78ae2aaa89750781e8330c");
}

static void test_seal(void **state)
{
	uint8_t key[FW_SEAL_KEY_LEN], other[FW_SEAL_KEY_LEN], sealed[128], again[128], out[128];
	struct fw_bytes aad = TEXT("object 1, version 7"), plain, blob;
	size_t len, i;

	(void)state;
	assert_ok(fw_random(key, sizeof(key)));
	assert_ok(fw_random(other, sizeof(other)));
	for (len = 0; len < 80; len += 13) {
		plain = pattern(len);
		assert_ok(fw_seal(key, aad, plain, sealed));
		assert_ok(fw_seal(key, aad, plain, again));
		blob = BYTES(sealed, len + FW_SEAL_OVERHEAD);
		/* A nonce of its own each time */
		assert_memory_not_equal(sealed, again, 12);
		assert_ok(fw_unseal(key, aad, blob, out));
		assert_bytes(BYTES(out, len), plain);
		assert_rv(fw_unseal(other, aad, blob, out), CKR_ENCRYPTED_DATA_INVALID);
		assert_rv(fw_unseal(key, TEXT("object 1, version 6"), blob, out),
			  CKR_ENCRYPTED_DATA_INVALID);
		assert_rv(fw_unseal(key, NONE, blob, out), CKR_ENCRYPTED_DATA_INVALID);
		for (i = 0; i < blob.len; i++) {
			memset(out, 0x55, sizeof(out));
			assert_rv(fw_unseal(key, aad, flipped(blob, i, i % 8), out),
				  CKR_ENCRYPTED_DATA_INVALID);
			assert_int_equal(out[0], len ? 0 : 0x55);
			assert_rv(fw_unseal(key, aad, BYTES(blob.p, i), out),
				  CKR_ENCRYPTED_DATA_INVALID);
		}
	}
	assert_ok(fw_seal(key, NONE, TEXT("x"), sealed));
	assert_ok(fw_unseal(key, NONE, BYTES(sealed, 1 + FW_SEAL_OVERHEAD), out));
	/* The form: nonce, ciphertext, tag, as AES-GCM by itself gives them */
	{
		struct fw_mech_params p = {
			.have = HAVE(IV) | HAVE(TAG_BITS), .iv = BYTES(sealed, 12), .tag_bits = 128,
		};
		struct fw_key *aes = secret_key(CKK_AES, BYTES(key, 32));
		struct fw_bytes want;

		assert_ok(once(PCIEHSM_FN_ENCRYPT, CKM_AES_GCM, &p, aes, TEXT("x"), &want));
		assert_bytes(BYTES(sealed + 12, 17), want);
		fw_key_unref(aes);
	}
}

static void test_subkey(void **state)
{
	uint8_t key[FW_SEAL_KEY_LEN], out[FW_SEAL_KEY_LEN];

	(void)state;
	/* HKDF-SHA256 (RFC 5869) computed with Python's hmac */
	memset(key, 0x0b, sizeof(key));
	assert_ok(fw_derive_subkey(key, "pciehsm test", out));
	assert_hex(BYTES(out, 32),
		   "e76da452dd55f45a55c59640bf4672d9cefc7149df6777b1a36bf4e47bd05748");
}

static void test_random(void **state)
{
	uint8_t a[64] = { 0 }, b[64] = { 0 };
	unsigned int i, set = 0;

	(void)state;
	assert_ok(fw_random(a, sizeof(a)));
	fw_random_seed(a, sizeof(a));
	fw_random_seed(NULL, 0);
	assert_ok(fw_random(b, sizeof(b)));
	assert_memory_not_equal(a, b, sizeof(a));
	for (i = 0; i < 512; i++)
		set += b[i / 8] >> (i % 8) & 1;
	/* 256 and 15 times the standard deviation: never by chance */
	assert_in_range(set, 86, 426);
	assert_ok(fw_random(a, 0));
}

static void test_equal_and_wipe(void **state)
{
	uint8_t a[4] = { 1, 2, 3, 4 }, b[4] = { 1, 2, 3, 5 };

	(void)state;
	assert_true(fw_secret_equal(a, b, 3));
	assert_false(fw_secret_equal(a, b, 4));
	assert_true(fw_secret_equal(a, b, 0));
	fw_wipe(a, sizeof(a));
	assert_hex(BYTES(a, 4), "00000000");
	fw_wipe(NULL, 5);
	fw_wipe_free(NULL, 5);
}

/* The list tells the truth: ascending, with functions that each mechanism really has. */
static void test_mechanisms(void **state)
{
	static const struct {
		CK_ULONG			flag;
		enum pciehsm_function		fn;
	} functions[] = {
		{ CKF_ENCRYPT, PCIEHSM_FN_ENCRYPT }, { CKF_DECRYPT, PCIEHSM_FN_DECRYPT },
		{ CKF_SIGN, PCIEHSM_FN_SIGN }, { CKF_SIGN_RECOVER, PCIEHSM_FN_SIGN_RECOVER },
		{ CKF_VERIFY, PCIEHSM_FN_VERIFY },
		{ CKF_VERIFY_RECOVER, PCIEHSM_FN_VERIFY_RECOVER },
		{ CKF_DIGEST, PCIEHSM_FN_DIGEST },
	};
	const struct fw_mech_info *list;
	struct fw_key *key = secret_key(CKK_GENERIC_SECRET, pattern(8));
	struct fw_bytes sig = pattern(8);
	struct fw_attrs a = { 0 }, b = { 0 };
	size_t count, later, i, j, len;
	CK_RV rv;

	(void)state;
	list = fw_mechanisms(&count);
	/* What libcrypto has from 3.5 on: two mechanisms each */
	later = 2 * (!!fw_mechanism_find(CKM_ML_KEM) + !!fw_mechanism_find(CKM_ML_DSA) +
		     !!fw_mechanism_find(CKM_SLH_DSA));
	assert_int_equal(count, 82 + later);
	for (i = 0; i < count; i++) {
		if (i)
			assert_true(list[i - 1].type < list[i].type);
		assert_ptr_equal(fw_mechanism_find(list[i].type), &list[i]);
		assert_true(list[i].min_key <= list[i].max_key);
		for (j = 0; j < ARRAY_SIZE(functions); j++) {
			bool verify_fn = functions[j].fn == PCIEHSM_FN_VERIFY;
			uint8_t out[64];

			len = sizeof(out);
			rv = fw_op_once(functions[j].fn, list[i].type, NULL,
					functions[j].fn == PCIEHSM_FN_DIGEST ? NULL : key, NULL, 0,
					verify_fn ? &sig : NULL, verify_fn ? NULL : out, &len);
			if (list[i].flags & functions[j].flag)
				assert_int_not_equal(rv, CKR_MECHANISM_INVALID);
			else
				assert_rv(rv, CKR_MECHANISM_INVALID);
		}
		/* Empty templates: the mechanism is known or not before they are looked at. */
		rv = fw_generate_key(list[i].type, &a);
		assert_int_equal(rv != CKR_MECHANISM_INVALID, !!(list[i].flags & CKF_GENERATE));
		fw_attrs_wipe(&a);
		rv = fw_generate_key_pair(list[i].type, &a, &b, NULL);
		assert_int_equal(rv != CKR_MECHANISM_INVALID,
				 !!(list[i].flags & CKF_GENERATE_KEY_PAIR));
		fw_attrs_wipe(&a);
		fw_attrs_wipe(&b);
		rv = fw_derive(list[i].type, NULL, key, &a);
		assert_int_equal(rv != CKR_MECHANISM_INVALID, !!(list[i].flags & CKF_DERIVE));
		rv = fw_wrap(list[i].type, NULL, key, key, NULL, &len);
		assert_int_equal(rv != CKR_MECHANISM_INVALID, !!(list[i].flags & CKF_WRAP));
		rv = fw_unwrap(list[i].type, NULL, key, sig.p, sig.len, &a);
		assert_int_equal(rv != CKR_MECHANISM_INVALID, !!(list[i].flags & CKF_UNWRAP));
	}
	assert_null(fw_mechanism_find(CKM_DES3_CBC));
	fw_key_unref(key);
}

static void test_selftest(void **state)
{
	(void)state;
	assert_null(fw_selftest());
	assert_null(fw_selftest());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha256),
		cmocka_unit_test(test_pin_hash),
		cmocka_unit_test(test_domain_key),
		cmocka_unit_test(test_seal),
		cmocka_unit_test(test_subkey),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_equal_and_wipe),
		cmocka_unit_test(test_mechanisms),
		cmocka_unit_test(test_selftest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
