// SPDX-License-Identifier: GPL-2.0-or-later
/* Digests, HMAC, CMAC */
#include "util.h"

static const struct {
	CK_ULONG	mech;
	const char	*empty;		/* of nothing */
	const char	*abc;
} digests[] = {
	/* FIPS 180-4 and FIPS 202: NIST's example values for "abc" and the empty message */
	{ CKM_SHA_1, "da39a3ee5e6b4b0d3255bfef95601890afd80709",
	  "a9993e364706816aba3e25717850c26c9cd0d89d" },
	{ CKM_SHA224, "d14a028c2a3a2bc9476102bb288234c415a2b01f828ea62ac5b3e42f",
	  "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7" },
	{ CKM_SHA256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ CKM_SHA384, "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da"
	  "274edebfe76f65fbd51ad2f14898b95b",
	  "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
	  "8086072ba1e7cc2358baeca134c825a7" },
	{ CKM_SHA512, "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
	  "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
	  "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
	  "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
	{ CKM_SHA3_224, "6b4e03423667dbb73b6e15454f0eb1abd4597f9a1b078e3f5b5a6bc7",
	  "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf" },
	{ CKM_SHA3_256, "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a",
	  "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532" },
	{ CKM_SHA3_384, "0c63a75b845e4f7d01107d852e4c2485c51a50aaaa94fc61995e71bbee983a2a"
	  "c3713831264adb47fb6bd1e058d5f004",
	  "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b2"
	  "98d88cea927ac7f539f1edf228376d25" },
	{ CKM_SHA3_512, "a69f73cca23a9ac5c8b567dc185a756e97c982164fe25859e0d1dcc1475c80a6"
	  "15b2123af1f5f94c11e3e9402c3ac558f500199d95b6d3e301758586281dcd26",
	  "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e"
	  "10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0" },
};

static void test_digest(void **state)
{
	struct fw_bytes out;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(digests); i++) {
		assert_ok(run(PCIEHSM_FN_DIGEST, digests[i].mech, NULL, NULL, NONE, &out));
		assert_hex(out, digests[i].empty);
		assert_ok(run(PCIEHSM_FN_DIGEST, digests[i].mech, NULL, NULL, TEXT("abc"), &out));
		assert_hex(out, digests[i].abc);
		/* Longer than any block */
		assert_ok(run(PCIEHSM_FN_DIGEST, digests[i].mech, NULL, NULL, pattern(5000), &out));
	}
}

static void test_digest_wrong(void **state)
{
	struct fw_key *key = secret_key(CKK_GENERIC_SECRET, TEXT("key"));
	struct fw_mech_params p = { .have = HAVE(IV), .iv = TEXT("0123456789abcdef") };
	struct fw_bytes out;

	(void)state;
	assert_rv(once(PCIEHSM_FN_DIGEST, CKM_SHA256, &p, NULL, NONE, &out),
		  CKR_MECHANISM_PARAM_INVALID);
	assert_rv(once(PCIEHSM_FN_DIGEST, CKM_SHA256, NULL, key, NONE, &out), CKR_ARGUMENTS_BAD);
	assert_rv(once(PCIEHSM_FN_SIGN, CKM_SHA256, NULL, key, NONE, &out), CKR_MECHANISM_INVALID);
	assert_rv(once(PCIEHSM_FN_DIGEST, CKM_SHA256_HMAC, NULL, NULL, NONE, &out),
		  CKR_MECHANISM_INVALID);
	assert_rv(once(PCIEHSM_FN_DIGEST, CKM_MD5, NULL, NULL, NONE, &out), CKR_MECHANISM_INVALID);
	assert_rv(once(99, CKM_SHA256, NULL, NULL, NONE, &out), CKR_MECHANISM_INVALID);
	fw_key_unref(key);
}

static void test_digest_key(void **state)
{
	struct fw_key *key = secret_key(CKK_GENERIC_SECRET, TEXT("bc"));
	struct fw_key *pub = rsa_key(CKO_PUBLIC_KEY);
	struct fw_op *op;
	uint8_t out[32];
	size_t len = sizeof(out);

	(void)state;
	assert_ok(fw_op_init(PCIEHSM_FN_DIGEST, CKM_SHA256, NULL, NULL, &op));
	assert_ok(fw_op_update(op, (const uint8_t *)"a", 1, NULL, NULL));
	assert_rv(fw_op_digest_key(op, pub), CKR_KEY_INDIGESTIBLE);
	assert_ok(fw_op_digest_key(op, key));
	assert_ok(fw_op_final(op, NULL, out, &len));
	assert_hex(BYTES(out, len), digests[2].abc);
	fw_op_free(op);
	assert_ok(fw_op_init(PCIEHSM_FN_SIGN, CKM_SHA256_HMAC, NULL, key, &op));
	assert_rv(fw_op_digest_key(op, key), CKR_OPERATION_NOT_INITIALIZED);
	fw_op_free(op);
	fw_key_unref(key);
	fw_key_unref(pub);
}

static const struct {
	CK_ULONG	mech;
	CK_ULONG	general;
	CK_ULONG	key_type;
	const char	*key;
	const char	*text;
	const char	*mac;
} hmacs[] = {
	/* RFC 2202, 3, test case 1 */
	{ CKM_SHA_1_HMAC, CKM_SHA_1_HMAC_GENERAL, CKK_SHA_1_HMAC,
	  "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "Hi There",
	  "b617318655057264e28bc0b6fb378c8ef146be00" },
	/* RFC 4231, 4.2 */
	{ CKM_SHA224_HMAC, CKM_SHA224_HMAC_GENERAL, CKK_SHA224_HMAC,
	  "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "Hi There",
	  "896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22" },
	{ CKM_SHA256_HMAC, CKM_SHA256_HMAC_GENERAL, CKK_SHA256_HMAC,
	  "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "Hi There",
	  "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
	{ CKM_SHA384_HMAC, CKM_SHA384_HMAC_GENERAL, CKK_SHA384_HMAC,
	  "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "Hi There",
	  "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
	  "faea9ea9076ede7f4af152e8b2fa9cb6" },
	{ CKM_SHA512_HMAC, CKM_SHA512_HMAC_GENERAL, CKK_SHA512_HMAC,
	  "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "Hi There",
	  "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
	  "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854" },
	/* NIST's examples HMAC_SHA3-*.pdf, "keylen<blocklen" */
	{ CKM_SHA3_224_HMAC, CKM_SHA3_224_HMAC_GENERAL, CKK_SHA3_224_HMAC,
	  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b",
	  "Sample message for keylen<blocklen",
	  "332cfd59347fdb8e576e77260be4aba2d6dc53117b3bfb52c6d18c04" },
	{ CKM_SHA3_256_HMAC, CKM_SHA3_256_HMAC_GENERAL, CKK_SHA3_256_HMAC,
	  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	  "Sample message for keylen<blocklen",
	  "4fe8e202c4f058e8dddc23d8c34e467343e23555e24fc2f025d598f558f67205" },
	{ CKM_SHA3_384_HMAC, CKM_SHA3_384_HMAC_GENERAL, CKK_SHA3_384_HMAC,
	  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	  "202122232425262728292a2b2c2d2e2f", "Sample message for keylen<blocklen",
	  "d588a3c51f3f2d906e8298c1199aa8ff6296218127f6b38a90b6afe2c5617725"
	  "bc99987f79b22a557b6520db710b7f42" },
	{ CKM_SHA3_512_HMAC, CKM_SHA3_512_HMAC_GENERAL, CKK_SHA3_512_HMAC,
	  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	  "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f",
	  "Sample message for keylen<blocklen",
	  "4efd629d6c71bf86162658f29943b1c308ce27cdfa6db0d9c3ce81763f9cbce5"
	  "f7ebe9868031db1a8f8eb7b6b95e5c5e3f657a8996c86a2f6527e307f0213196" },
};

static void check_mac(CK_ULONG mech, CK_ULONG general, struct fw_key *key, struct fw_bytes text,
		      struct fw_bytes mac)
{
	struct fw_mech_params p = { .have = HAVE(MAC_LEN) };
	struct fw_bytes out;

	assert_ok(run(PCIEHSM_FN_SIGN, mech, NULL, key, text, &out));
	assert_bytes(out, mac);
	/* Again: the second use takes a context that waits in the key. */
	assert_ok(run(PCIEHSM_FN_SIGN, mech, NULL, key, text, &out));
	assert_bytes(out, mac);
	assert_ok(verify(mech, NULL, key, text, mac));
	assert_rv(verify(mech, NULL, key, text, flipped(mac, mac.len - 1, 0)),
		  CKR_SIGNATURE_INVALID);
	assert_rv(verify(mech, NULL, key, text, BYTES(mac.p, mac.len - 1)),
		  CKR_SIGNATURE_LEN_RANGE);
	assert_rv(verify(mech, NULL, key, BYTES(text.p, text.len - 1), mac), CKR_SIGNATURE_INVALID);
	assert_rv(verify(mech, NULL, key, text, NONE), CKR_SIGNATURE_LEN_RANGE);

	for (p.mac_len = 1; p.mac_len <= mac.len; p.mac_len += 5) {
		struct fw_bytes cut = BYTES(mac.p, p.mac_len);

		assert_ok(run(PCIEHSM_FN_SIGN, general, &p, key, text, &out));
		assert_bytes(out, cut);
		assert_ok(verify(general, &p, key, text, cut));
		assert_rv(verify(general, &p, key, text, flipped(cut, 0, 7)),
			  CKR_SIGNATURE_INVALID);
	}
	p.mac_len = 0;
	assert_rv(once(PCIEHSM_FN_SIGN, general, &p, key, text, &out), CKR_MECHANISM_PARAM_INVALID);
	p.mac_len = mac.len + 1;
	assert_rv(once(PCIEHSM_FN_SIGN, general, &p, key, text, &out), CKR_MECHANISM_PARAM_INVALID);
	assert_rv(once(PCIEHSM_FN_SIGN, general, NULL, key, text, &out),
		  CKR_MECHANISM_PARAM_INVALID);
	p.mac_len = 4;
	assert_rv(once(PCIEHSM_FN_SIGN, mech, &p, key, text, &out), CKR_MECHANISM_PARAM_INVALID);
}

static void test_hmac(void **state)
{
	struct fw_key *key, *aes = secret_key(CKK_AES, pattern(16)), *other;
	struct fw_bytes out;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(hmacs); i++) {
		struct fw_bytes text = BYTES(hmacs[i].text, strlen(hmacs[i].text));
		struct fw_bytes mac = hex(hmacs[i].mac);

		key = secret_key(CKK_GENERIC_SECRET, hex(hmacs[i].key));
		check_mac(hmacs[i].mech, hmacs[i].general, key, text, mac);
		/* The empty message, several times */
		assert_ok(run(PCIEHSM_FN_SIGN, hmacs[i].mech, NULL, key, NONE, &out));
		fw_key_unref(key);
		key = secret_key(hmacs[i].key_type, hex(hmacs[i].key));
		assert_ok(run(PCIEHSM_FN_SIGN, hmacs[i].mech, NULL, key, text, &out));
		assert_bytes(out, mac);
		/* A key of a type that says "for another hash" */
		other = secret_key(hmacs[(i + 1) % ARRAY_SIZE(hmacs)].key_type, pattern(20));
		assert_rv(once(PCIEHSM_FN_SIGN, hmacs[i].mech, NULL, other, text, &out),
			  CKR_KEY_TYPE_INCONSISTENT);
		assert_rv(once(PCIEHSM_FN_SIGN, hmacs[i].mech, NULL, aes, text, &out),
			  CKR_KEY_TYPE_INCONSISTENT);
		fw_key_unref(other);
		fw_key_unref(key);
	}
	fw_key_unref(aes);
}

/* One key, several hashes in turn: its waiting contexts must not be mistaken. */
static void test_hmac_mixed(void **state)
{
	struct fw_key *key = secret_key(CKK_GENERIC_SECRET, hex(hmacs[0].key));
	struct fw_bytes out;
	int round, i;

	(void)state;
	for (round = 0; round < 30; round++) {
		i = (round * 7) % 5;
		assert_ok(once(PCIEHSM_FN_SIGN, hmacs[i].mech, NULL, key, TEXT("Hi There"), &out));
		assert_hex(out, hmacs[i].mac);
	}
	fw_key_unref(key);
}

static void test_cmac(void **state)
{
	/* RFC 4493, 4; SP 800-38B, D.3 */
	static const struct {
		const char	*key;
		size_t		len;
		const char	*mac;
	} cmacs[] = {
		{ "2b7e151628aed2a6abf7158809cf4f3c", 0, "bb1d6929e95937287fa37d129b756746" },
		{ "2b7e151628aed2a6abf7158809cf4f3c", 16, "070a16b46b4d4144f79bdd9dd04a287c" },
		{ "2b7e151628aed2a6abf7158809cf4f3c", 40, "dfa66747de9ae63030ca32611497c827" },
		{ "2b7e151628aed2a6abf7158809cf4f3c", 64, "51f0bebf7e3b9d92fc49741779363cfe" },
		{ "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", 0,
		  "028962f61b7bf89efc6b551f4667d983" },
		{ "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", 16,
		  "28a7023f452e8f82bd4bf28d8c37c35c" },
		{ "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", 40,
		  "aaf3d8f1de5640c232f5b169b9c911e6" },
		{ "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4", 64,
		  "e1992190549f6ed5696a2c056c315410" },
	};
	struct fw_bytes text = hex(
		"6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
		"30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710");
	struct fw_key *key, *generic = secret_key(CKK_GENERIC_SECRET, pattern(16));
	struct fw_bytes out;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cmacs); i++) {
		key = secret_key(CKK_AES, hex(cmacs[i].key));
		text.len = cmacs[i].len;
		if (text.len)
			check_mac(CKM_AES_CMAC, CKM_AES_CMAC_GENERAL, key, text, hex(cmacs[i].mac));
		assert_ok(run(PCIEHSM_FN_SIGN, CKM_AES_CMAC, NULL, key, text, &out));
		assert_hex(out, cmacs[i].mac);
		fw_key_unref(key);
	}
	assert_rv(once(PCIEHSM_FN_SIGN, CKM_AES_CMAC, NULL, generic, text, &out),
		  CKR_KEY_TYPE_INCONSISTENT);
	fw_key_unref(generic);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_digest_wrong),
		cmocka_unit_test(test_digest_key),
		cmocka_unit_test(test_hmac),
		cmocka_unit_test(test_hmac_mixed),
		cmocka_unit_test(test_cmac),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
