// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mechanisms through messages: answers known beforehand, input that is not what it should
 * be, approved mechanisms only, and keys that do not fit together. What each mechanism
 * gives in every corner is tested in tests/crypto.
 */
#include <openssl/evp.h>

#include "crypto/internal.h"
#include "crypto/mech.h"
#include "objects.h"

/* Generating pairs whose halves do not fit together: one bit of the private one is another. */
CK_RV __real_fw_ec_to_attrs(EVP_PKEY *pkey, CK_ULONG class, struct fw_attrs *attrs);
CK_RV __wrap_fw_ec_to_attrs(EVP_PKEY *pkey, CK_ULONG class, struct fw_attrs *attrs);
CK_RV __real_fw_rsa_to_attrs(EVP_PKEY *pkey, CK_ULONG class, struct fw_attrs *attrs);
CK_RV __wrap_fw_rsa_to_attrs(EVP_PKEY *pkey, CK_ULONG class, struct fw_attrs *attrs);

static bool broken;

static CK_RV spoil(CK_RV rv, CK_ULONG class, CK_ULONG type, struct fw_attrs *attrs)
{
	struct fw_bytes value;
	uint8_t copy[512];

	if (!broken || class != CKO_PRIVATE_KEY)
		return rv;
	assert_true(fw_attrs_get(attrs, type, &value) && value.len && value.len <= sizeof(copy));
	memcpy(copy, value.p, value.len);
	copy[value.len / 2] ^= 1;
	return fw_attrs_put(attrs, type, copy, value.len);
}

CK_RV __wrap_fw_ec_to_attrs(EVP_PKEY *pkey, CK_ULONG class, struct fw_attrs *attrs)
{
	return spoil(__real_fw_ec_to_attrs(pkey, class, attrs), class, CKA_VALUE, attrs);
}

CK_RV __wrap_fw_rsa_to_attrs(EVP_PKEY *pkey, CK_ULONG class, struct fw_attrs *attrs)
{
	CK_RV rv = __real_fw_rsa_to_attrs(pkey, class, attrs);

	/* libcrypto does with one of them what it finds it can not do with the other. */
	rv = spoil(rv, class, CKA_EXPONENT_1, attrs);
	return spoil(rv, class, CKA_PRIVATE_EXPONENT, attrs);
}

static size_t unhex(const char *hex, uint8_t *out)
{
	size_t n = 0;
	unsigned int byte;

	for (; hex && *hex; hex += 2) {
		assert_int_equal(sscanf(hex, "%2x", &byte), 1);
		out[n++] = (uint8_t)byte;
	}
	return n;
}

static void put_hex(struct fwmsg *m, uint16_t id, const char *hex)
{
	uint8_t bytes[512];
	size_t len = unhex(hex, bytes);

	fwmsg_bytes(m, id, bytes, len);
}

static void create_secret(uint32_t n, uint32_t type, const char *hex)
{
	uint8_t value[512];
	size_t len = unhex(hex, value);
	struct fwmsg m;

	create(&m, n, CKO_SECRET_KEY);
	fwmsg_attr_ulong(&m, CKA_KEY_TYPE, type);
	fwmsg_attr_bool(&m, CKA_DERIVE, true);
	fwmsg_attr_bool(&m, CKA_EXTRACTABLE, true);
	fwmsg_attr_bool(&m, CKA_SENSITIVE, false);
	fwmsg_attr(&m, CKA_VALUE, value, len);
	assert_ok(finish(&m));
}

/**
 * struct known - an operation with a known answer
 * @origin:	where the numbers are from
 * @key:	NULL for digests
 * @more:	a number for the field @more_id, if that is not 0
 */
static const struct known {
	const char	*origin;
	uint32_t	fn;
	uint32_t	mech;
	uint32_t	key_type;
	const char	*key;
	const char	*iv;
	const char	*aad;
	uint16_t	more_id;
	uint32_t	more;
	const char	*in;
	const char	*out;
} known[] = {
	{ "FIPS 180-4 example", PCIEHSM_FN_DIGEST, CKM_SHA_1, 0, NULL, NULL, NULL, 0, 0,
	  "616263", "a9993e364706816aba3e25717850c26c9cd0d89d" },
	{ "FIPS 180-4 example", PCIEHSM_FN_DIGEST, CKM_SHA224, 0, NULL, NULL, NULL, 0, 0,
	  "616263", "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7" },
	{ "FIPS 180-4 example", PCIEHSM_FN_DIGEST, CKM_SHA256, 0, NULL, NULL, NULL, 0, 0,
	  "616263", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "FIPS 180-4 example", PCIEHSM_FN_DIGEST, CKM_SHA384, 0, NULL, NULL, NULL, 0, 0,
	  "616263", "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
	  "8086072ba1e7cc2358baeca134c825a7" },
	{ "FIPS 180-4 example", PCIEHSM_FN_DIGEST, CKM_SHA512, 0, NULL, NULL, NULL, 0, 0,
	  "616263", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
	  "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
	{ "RFC 2202, 3, 2", PCIEHSM_FN_SIGN, CKM_SHA_1_HMAC, CKK_GENERIC_SECRET, "4a656665",
	  NULL, NULL, 0, 0, "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
	  "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79" },
	{ "RFC 4231, 4.3", PCIEHSM_FN_SIGN, CKM_SHA256_HMAC, CKK_GENERIC_SECRET, "4a656665",
	  NULL, NULL, 0, 0, "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
	  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
	{ "RFC 4231, 4.3, cut", PCIEHSM_FN_SIGN, CKM_SHA256_HMAC_GENERAL, CKK_GENERIC_SECRET,
	  "4a656665", NULL, NULL, PCIEHSM_F_P_MAC_LEN, 10,
	  "7768617420646f2079612077616e7420666f72206e6f7468696e673f", "5bdcc146bf60754e6a04" },
	{ "RFC 4493, 4, 2", PCIEHSM_FN_SIGN, CKM_AES_CMAC, CKK_AES,
	  "2b7e151628aed2a6abf7158809cf4f3c", NULL, NULL, 0, 0,
	  "6bc1bee22e409f96e93d7e117393172a", "070a16b46b4d4144f79bdd9dd04a287c" },
	{ "RFC 4493, 4, 1", PCIEHSM_FN_SIGN, CKM_AES_CMAC, CKK_AES,
	  "2b7e151628aed2a6abf7158809cf4f3c", NULL, NULL, 0, 0,
	  "", "bb1d6929e95937287fa37d129b756746" },
	{ "FIPS 197, C.3", PCIEHSM_FN_ENCRYPT, CKM_AES_ECB, CKK_AES,
	  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", NULL, NULL, 0, 0,
	  "00112233445566778899aabbccddeeff", "8ea2b7ca516745bfeafc49904b496089" },
	{ "SP 800-38A, F.2.5", PCIEHSM_FN_ENCRYPT, CKM_AES_CBC, CKK_AES,
	  "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
	  "000102030405060708090a0b0c0d0e0f", NULL, 0, 0, "6bc1bee22e409f96e93d7e117393172a",
	  "f58c4c04d6e5f1ba779eabfb5f7bfbd6" },
	{ "SP 800-38A, F.5.5", PCIEHSM_FN_ENCRYPT, CKM_AES_CTR, CKK_AES,
	  "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
	  "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", NULL, PCIEHSM_F_P_COUNTER_BITS, 128,
	  "6bc1bee22e409f96e93d7e117393172a", "601ec313775789a5b7a7f504bbf3d228" },
	{ "McGrew and Viega, GCM, case 16", PCIEHSM_FN_ENCRYPT, CKM_AES_GCM, CKK_AES,
	  "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
	  "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	  PCIEHSM_F_P_TAG_BITS, 128,
	  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	  "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
	  "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
	  "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
	  "76fc6ece0f4e1768cddf8853bb2d551b" },
	{ "RFC 3394, 4.6", PCIEHSM_FN_ENCRYPT, CKM_AES_KEY_WRAP, CKK_AES,
	  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", NULL, NULL, 0, 0,
	  "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f",
	  "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326"
	  "cbc7f0e71a99f43bfb988b9b7a02dd21" },
	{ "RFC 5649, 6", PCIEHSM_FN_ENCRYPT, CKM_AES_KEY_WRAP_PAD, CKK_AES,
	  "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8", NULL, NULL, 0, 0,
	  "466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f" },
};

static void put_known(struct fwmsg *m, const struct known *k, uint32_t key)
{
	fwmsg_u32(m, PCIEHSM_F_MECHANISM, k->mech);
	if (k->iv)
		put_hex(m, PCIEHSM_F_P_IV, k->iv);
	if (k->aad)
		put_hex(m, PCIEHSM_F_P_AAD, k->aad);
	if (k->more_id)
		fwmsg_u32(m, k->more_id, k->more);
	if (k->key)
		put_ouid(m, PCIEHSM_F_KEY, key);
}

static void assert_data(struct fwmsg *m, const char *hex)
{
	uint8_t want[512];
	size_t want_len = unhex(hex, want), len;
	const uint8_t *p = fwmsg_get(m, PCIEHSM_F_DATA, &len);

	assert_non_null(p);
	assert_int_equal(len, want_len);
	assert_memory_equal(p, want, len);
}

static void known_once(const struct known *k, uint32_t key)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_CRYPT, 1);
	fwmsg_u32(&m, PCIEHSM_F_FUNCTION, k->fn);
	put_known(&m, k, key);
	put_hex(&m, PCIEHSM_F_DATA, k->in);
	assert_ok(fwmsg_run(&m, card->fw, card->part, CTX_CO));
	assert_data(&m, k->out);
	fwmsg_free(&m);
}

/* The way back, with what came out as it is, and with its last byte changed */
static void known_back(const struct known *k, uint32_t key)
{
	bool mac = k->fn == PCIEHSM_FN_SIGN;
	uint8_t out[512];
	size_t len = unhex(k->out, out);
	unsigned long rv;
	struct fwmsg m;
	int bad;

	for (bad = 0; bad < 2; bad++) {
		out[len - 1] ^= (uint8_t)bad;
		fwmsg_begin(&m, PCIEHSM_OP_CRYPT, 1);
		fwmsg_u32(&m, PCIEHSM_F_FUNCTION, mac ? PCIEHSM_FN_VERIFY : PCIEHSM_FN_DECRYPT);
		put_known(&m, k, key);
		if (mac)
			put_hex(&m, PCIEHSM_F_DATA, k->in);
		fwmsg_bytes(&m, mac ? PCIEHSM_F_SIGNATURE : PCIEHSM_F_DATA, out, len);
		rv = fwmsg_run(&m, card->fw, card->part, CTX_CO);
		if (!bad) {
			assert_ok(rv);
			if (!mac)
				assert_data(&m, k->in);
		} else if (mac) {
			assert_rv(rv, CKR_SIGNATURE_INVALID);
		} else if (k->mech == CKM_AES_GCM || k->mech == CKM_AES_KEY_WRAP ||
			   k->mech == CKM_AES_KEY_WRAP_PAD) {
			assert_rv(rv, CKR_ENCRYPTED_DATA_INVALID);
		}
		fwmsg_free(&m);
	}
}

static unsigned long part_of(uint32_t op, uint32_t fn, const uint8_t *data, size_t len,
			     uint8_t *out, size_t *at)
{
	unsigned long rv;
	const uint8_t *p;
	struct fwmsg m;
	size_t got;

	fwmsg_begin(&m, op, 1);
	fwmsg_u32(&m, PCIEHSM_F_FUNCTION, fn);
	if (op == PCIEHSM_OP_CRYPT_UPDATE)
		fwmsg_bytes(&m, PCIEHSM_F_DATA, data, len);
	rv = fwmsg_run(&m, card->fw, card->part, CTX_CO);
	p = rv == CKR_OK ? fwmsg_get(&m, PCIEHSM_F_DATA, &got) : NULL;
	if (p) {
		memcpy(out + *at, p, got);
		*at += got;
	}
	fwmsg_free(&m);
	return rv;
}

static void known_in_parts(const struct known *k, uint32_t key)
{
	uint8_t in[512], out[512], want[512];
	size_t len = unhex(k->in, in), want_len = unhex(k->out, want), at = 0, i;
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_CRYPT_INIT, 1);
	fwmsg_u32(&m, PCIEHSM_F_FUNCTION, k->fn);
	put_known(&m, k, key);
	assert_ok(send_as(&m, CTX_CO));
	for (i = 0; i < len; i += 5)
		assert_ok(part_of(PCIEHSM_OP_CRYPT_UPDATE, k->fn, in + i,
				  len - i < 5 ? len - i : 5, out, &at));
	assert_ok(part_of(PCIEHSM_OP_CRYPT_FINAL, k->fn, NULL, 0, out, &at));
	assert_int_equal(at, want_len);
	assert_memory_equal(out, want, at);
}

static void test_known(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		uint32_t key = 100 + (uint32_t)i;

		print_message("%s\n", known[i].origin);
		if (known[i].key)
			create_secret(key, known[i].key_type, known[i].key);
		known_once(&known[i], key);
		known_in_parts(&known[i], key);
		if (known[i].key)
			known_back(&known[i], key);
	}
}

/* RFC 5869, A.1 */
static void test_hkdf(void **state)
{
	uint8_t got[64], want[64];
	size_t len = sizeof(got);
	struct fwmsg m;

	(void)state;
	create_secret(1, CKK_GENERIC_SECRET, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
	fwmsg_begin(&m, PCIEHSM_OP_DERIVE, 1);
	fwmsg_u32(&m, PCIEHSM_F_MECHANISM, 0x402a);	/* CKM_HKDF_DERIVE */
	fwmsg_u32(&m, PCIEHSM_F_P_HASH, CKM_SHA256);
	fwmsg_u32(&m, PCIEHSM_F_P_HKDF, 3);
	put_hex(&m, PCIEHSM_F_P_SALT, "000102030405060708090a0b0c");
	put_hex(&m, PCIEHSM_F_P_INFO, "f0f1f2f3f4f5f6f7f8f9");
	put_ouid(&m, PCIEHSM_F_KEY, 1);
	put_ouid(&m, PCIEHSM_F_OUID, 2);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr_ulong(&m, CKA_CLASS, CKO_SECRET_KEY);
	fwmsg_attr_ulong(&m, CKA_KEY_TYPE, CKK_GENERIC_SECRET);
	fwmsg_attr_ulong(&m, CKA_VALUE_LEN, 42);
	fwmsg_attr_bool(&m, CKA_SENSITIVE, false);
	fwmsg_attr_bool(&m, CKA_EXTRACTABLE, true);
	assert_ok(finish(&m));
	assert_ok(card_get(card, CTX_CO, 2, CKA_VALUE, got, &len));
	assert_int_equal(len, unhex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5b"
				    "f34007208d5b887185865", want));
	assert_memory_equal(got, want, len);
}

static unsigned long generate_curve(uint32_t n, uint32_t mech, const char *params)
{
	uint8_t der[16];
	size_t len = unhex(params, der);
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_GENERATE_KEY_PAIR, 1);
	fwmsg_u32(&m, PCIEHSM_F_MECHANISM, mech);
	put_ouid(&m, PCIEHSM_F_OUID, n);
	put_ouid(&m, PCIEHSM_F_OUID2, n + 1);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr(&m, CKA_EC_PARAMS, der, len);
	fwmsg_template_end(&m);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE2);
	return finish(&m);
}

static unsigned long generate_ec(uint32_t n, const char *params)
{
	return generate_curve(n, CKM_EC_KEY_PAIR_GEN, params);
}

#define P256		"06082a8648ce3d030107"
#define SECP256K1	"06052b8104000a"

/* RFC 6979, A.2.5: P-256 with SHA-256 of "sample" */
static void test_ecdsa(void **state)
{
	uint8_t params[16], point[80], sig[64];
	size_t len;
	struct fwmsg m;
	int bad;

	(void)state;
	create(&m, 1, CKO_PUBLIC_KEY);
	fwmsg_attr_ulong(&m, CKA_KEY_TYPE, CKK_EC);
	len = unhex(P256, params);
	fwmsg_attr(&m, CKA_EC_PARAMS, params, len);
	len = unhex("044104"
		    "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
		    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299", point);
	fwmsg_attr(&m, CKA_EC_POINT, point, len);
	assert_ok(finish(&m));
	unhex("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
	      "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8", sig);
	for (bad = 0; bad < 4; bad++) {
		fwmsg_begin(&m, PCIEHSM_OP_CRYPT, 1);
		fwmsg_u32(&m, PCIEHSM_F_FUNCTION, PCIEHSM_FN_VERIFY);
		fwmsg_u32(&m, PCIEHSM_F_MECHANISM, CKM_ECDSA_SHA256);
		put_ouid(&m, PCIEHSM_F_KEY, 1);
		fwmsg_bytes(&m, PCIEHSM_F_DATA, "sample", 6);
		/* Changed, of another length, of zeroes: as Wycheproof tries them */
		sig[63] ^= bad == 1;
		if (bad == 3)
			memset(sig, 0, sizeof(sig));
		fwmsg_bytes(&m, PCIEHSM_F_SIGNATURE, sig, bad == 2 ? 63 : 64);
		assert_rv(send_as(&m, CTX_CO), bad == 0 ? CKR_OK :
			  bad == 2 ? CKR_SIGNATURE_LEN_RANGE : CKR_SIGNATURE_INVALID);
	}
	/* A point that is not on the curve is no key. */
	create(&m, 2, CKO_PUBLIC_KEY);
	fwmsg_attr_ulong(&m, CKA_KEY_TYPE, CKK_EC);
	len = unhex(P256, params);
	fwmsg_attr(&m, CKA_EC_PARAMS, params, len);
	point[len = 66] ^= 1;
	fwmsg_attr(&m, CKA_EC_POINT, point, len + 1);
	assert_true(finish(&m) != CKR_OK);
}

/* ---- approved only ---- */

#define HSM_POLICY_NON_FIPS	12
#define POLICY_NON_FIPS		43

/* By the partition's policy, which destroys its objects */
static void partition_approved_only(void)
{
	assert_ok(card_policy(card, card->part, CTX_PO, POLICY_NON_FIPS, 0));
	assert_ok(card_login(card, card->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
}

/* By the HSM's, which destroys its partitions; that of a new one is as delivered, and held down. */
static void hsm_approved_only(void)
{
	assert_ok(card_policy(card, 0, CTX_SO, HSM_POLICY_NON_FIPS, 0));
	assert_ok(card_partition_create(card, CTX_SO, &card->part));
	assert_ok(card_partition_init(card, card->part, CTX_PO, "par0", PO_PIN, DOMAIN));
	card_make_roles(card, card->part);
	assert_rv(card_policy(card, card->part, CTX_PO, POLICY_NON_FIPS, 1), PCIEHSM_CKR_POLICY);
}

static unsigned long sign(uint32_t mech, uint32_t key)
{
	uint8_t sig[512];
	size_t len = sizeof(sig);

	return card_sign(card, CTX_CO, key, mech, "data to be signed", 17, sig, &len);
}

static uint32_t listed(uint32_t mech)
{
	const struct pciehsm_mechanism_info *list;
	uint32_t flags = 0;
	struct fwmsg m;
	size_t len, i;

	fwmsg_begin(&m, PCIEHSM_OP_MECHANISMS, 0);
	assert_ok(fwmsg_run(&m, card->fw, card->part, CTX_CO));
	list = (const void *)fwmsg_get(&m, PCIEHSM_F_MECHANISMS, &len);
	for (i = 0; i < len / sizeof(*list); i++)
		if (list[i].type == mech)
			flags = list[i].flags;
	fwmsg_free(&m);
	return flags;
}

/* Wraps key 11 with key 10, whose value is known: a mechanism without parameter, or with an IV */
static unsigned long wrap(uint32_t mech, const char *iv)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_WRAP, 1);
	fwmsg_u32(&m, PCIEHSM_F_MECHANISM, mech);
	if (iv)
		put_hex(&m, PCIEHSM_F_P_IV, iv);
	put_ouid(&m, PCIEHSM_F_KEY, 10);
	put_ouid(&m, PCIEHSM_F_OBJECT, 11);
	return send_as(&m, CTX_CO);
}

static unsigned long unwrap(uint32_t mech, const char *iv, const char *wrapped, uint32_t n)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_UNWRAP, 1);
	fwmsg_u32(&m, PCIEHSM_F_MECHANISM, mech);
	if (iv)
		put_hex(&m, PCIEHSM_F_P_IV, iv);
	put_ouid(&m, PCIEHSM_F_KEY, 10);
	put_hex(&m, PCIEHSM_F_DATA, wrapped);
	put_ouid(&m, PCIEHSM_F_OUID, n);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr_ulong(&m, CKA_CLASS, CKO_SECRET_KEY);
	fwmsg_attr_ulong(&m, CKA_KEY_TYPE, CKK_GENERIC_SECRET);
	return finish(&m);
}

static const struct {
	uint32_t	mech;
	const char	*iv;
} unauthenticated[] = {
	{ CKM_AES_ECB, NULL },
	{ CKM_AES_CBC, "000102030405060708090a0b0c0d0e0f" },
	{ CKM_AES_CBC_PAD, "000102030405060708090a0b0c0d0e0f" },
};

#define UNAUTHENTICATED	(sizeof(unauthenticated) / sizeof(unauthenticated[0]))

static void wrapping_keys(void)
{
	create_secret(10, CKK_AES,
		      "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
	create_secret(11, CKK_GENERIC_SECRET,
		      "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f");
}

/* SP 800-38F: only what authenticates the key wraps it. Data may be encrypted by any mode. */
static void wraps_approved(void)
{
	static const uint32_t modes[] = {
		CKM_AES_ECB, CKM_AES_CBC, CKM_AES_CBC_PAD, CKM_AES_CTR
	};
	static const uint32_t fit[] = {
		CKM_AES_KEY_WRAP, CKM_AES_KEY_WRAP_KWP, CKM_AES_GCM, CKM_RSA_PKCS_OAEP
	};
	const uint32_t wrapping = CKF_WRAP | CKF_UNWRAP, data = CKF_ENCRYPT | CKF_DECRYPT;
	size_t i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		assert_int_equal(listed(modes[i]) & (wrapping | data), data);
	for (i = 0; i < sizeof(fit) / sizeof(fit[0]); i++)
		assert_int_equal(listed(fit[i]) & wrapping, wrapping);
	wrapping_keys();
	for (i = 0; i < UNAUTHENTICATED; i++) {
		assert_rv(wrap(unauthenticated[i].mech, unauthenticated[i].iv),
			  CKR_MECHANISM_INVALID);
		assert_rv(unwrap(unauthenticated[i].mech, unauthenticated[i].iv,
				 "00112233445566778899aabbccddeeff", 12), CKR_MECHANISM_INVALID);
	}
	assert_ok(wrap(CKM_AES_KEY_WRAP, NULL));
	/* RFC 3394, 4.6 */
	assert_ok(unwrap(CKM_AES_KEY_WRAP, NULL, "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326"
			 "cbc7f0e71a99f43bfb988b9b7a02dd21", 12));
}

static void check_approved(void (*approved_only)(void))
{
	size_t i;

	/* As delivered everything goes. */
	wrapping_keys();
	for (i = 0; i < UNAUTHENTICATED; i++)
		assert_ok(wrap(unauthenticated[i].mech, unauthenticated[i].iv));
	assert_ok(unwrap(CKM_AES_ECB, NULL, "00112233445566778899aabbccddeeff", 12));
	assert_ok(card_rsa(card, CTX_CO, 1, "rsa", false));
	assert_ok(generate_ec(3, SECP256K1));
	assert_ok(sign(CKM_SHA1_RSA_PKCS, 2));
	assert_ok(sign(CKM_RSA_PKCS, 2));
	assert_ok(sign(CKM_ECDSA_SHA256, 4));
	assert_true(listed(CKM_RSA_X_509) & CKF_SIGN);
	approved_only();
	assert_ok(card_rsa(card, CTX_CO, 1, "rsa", false));
	assert_ok(sign(CKM_SHA256_RSA_PKCS, 2));
	assert_rv(sign(CKM_SHA1_RSA_PKCS, 2), CKR_MECHANISM_INVALID);
	assert_rv(sign(CKM_RSA_X_509, 2), CKR_MECHANISM_INVALID);
	assert_int_equal(listed(CKM_RSA_X_509), 0);
	assert_int_equal(listed(CKM_SHA1_RSA_PKCS) & (CKF_SIGN | CKF_VERIFY), CKF_VERIFY);
	assert_int_equal(listed(CKM_RSA_PKCS) & (CKF_SIGN | CKF_ENCRYPT | CKF_WRAP), CKF_SIGN);
	assert_true(listed(CKM_ECDSA) & CKF_EC_F_P);
	assert_ok(generate_ec(3, P256));
	assert_ok(sign(CKM_ECDSA_SHA256, 4));
	assert_rv(generate_ec(5, SECP256K1), PCIEHSM_CKR_POLICY);
	/* Too short for a MAC that is to last */
	create_secret(7, CKK_GENERIC_SECRET, "4a656665");
	assert_rv(sign(CKM_SHA256_HMAC, 7), PCIEHSM_CKR_POLICY);
	create_secret(8, CKK_GENERIC_SECRET, "000102030405060708090a0b0c0d");
	assert_ok(sign(CKM_SHA256_HMAC, 8));
	wraps_approved();
}

static void test_approved_partition(void **state)
{
	(void)state;
	check_approved(partition_approved_only);
}

static void test_approved_hsm(void **state)
{
	(void)state;
	check_approved(hsm_approved_only);
}

/* ---- pairs ---- */

static unsigned long generate_p256(uint32_t n)
{
	return generate_ec(n, P256);
}

static unsigned long generate_p521(uint32_t n)
{
	return generate_ec(n, "06052b81040023");
}

static unsigned long generate_ed25519(uint32_t n)
{
	return generate_curve(n, CKM_EC_EDWARDS_KEY_PAIR_GEN, "06032b6570");
}

static unsigned long generate_x25519(uint32_t n)
{
	return generate_curve(n, CKM_EC_MONTGOMERY_KEY_PAIR_GEN, "06032b656e");
}

static unsigned long generate_rsa(uint32_t n)
{
	return card_rsa(card, CTX_CO, n, "rsa", false);
}

/* Each kind of pair has a check of its own. */
static void test_bad_pair(void **state)
{
	static unsigned long (*const generate[])(uint32_t n) = {
		generate_p256, generate_p521, generate_ed25519, generate_x25519, generate_rsa,
	};
	unsigned int count;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(generate) / sizeof(generate[0]); i++) {
		card->events = 0;
		assert_ok(generate_ec(1, P256));
		assert_ok(generate[i](3));
		broken = true;
		assert_rv(generate[i](5), CKR_DEVICE_ERROR);
		broken = false;
		assert_int_equal(count_events(card, HSM_FW_ENGINE_FAILED, 0), 1);
		/* There is no such key, and no other one works, until the self test. */
		assert_rv(sign(CKM_ECDSA_SHA256, 2), CKR_DEVICE_ERROR);
		assert_rv(generate[i](5), CKR_DEVICE_ERROR);
		assert_ok(card_find(card, CTX_CO, NULL, &count, NULL));
		assert_int_equal(count, 4);
		card_power_cycle(card);
		assert_ok(card_login(card, card->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
		assert_ok(generate[i](5));
		assert_ok(generate_ec(1, P256));
		assert_ok(sign(CKM_ECDSA_SHA256, 2));
		hsm_fw_context_close(card->fw, CTX_CO);
		assert_ok(card_login(card, card->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_known, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hkdf, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ecdsa, setup, teardown),
		cmocka_unit_test_setup_teardown(test_approved_partition, setup, teardown),
		cmocka_unit_test_setup_teardown(test_approved_hsm, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_pair, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
