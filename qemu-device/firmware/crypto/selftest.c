// SPDX-License-Identifier: GPL-2.0-or-later
/* Known answers at power-on. Where each comes from stands beside it. */
#include <stdlib.h>
#include <string.h>

#include "crypto/hpke.h"
#include "crypto/internal.h"
#include "crypto/key.h"
#include "crypto/secret.h"
#include "crypto/selftest.h"

struct fw_bytes fw_unhex(const char *hex, uint8_t *out)
{
	size_t len = strlen(hex) / 2, i;
	char digits[3] = { 0 };

	for (i = 0; i < len; i++) {
		memcpy(digits, hex + 2 * i, 2);
		out[i] = strtoul(digits, NULL, 16);
	}
	return (struct fw_bytes){ out, len };
}

bool fw_put_hex(struct fw_attrs *attrs, CK_ULONG type, const char *hex)
{
	uint8_t value[FW_KAT_MAX];
	struct fw_bytes bytes = fw_unhex(hex, value);

	return fw_attrs_put(attrs, type, bytes.p, bytes.len) == CKR_OK;
}

bool fw_same(const uint8_t *got, size_t len, const char *want)
{
	uint8_t bytes[FW_KAT_MAX];
	struct fw_bytes w = fw_unhex(want, bytes);

	return len == w.len && !memcmp(got, w.p, len);
}

/* ---- secret keys and digests: @fn of @in is @out, and back where there is a way back ---- */

/* Key and text of RFC 2202, 3, 2 and RFC 4231, 4.3; text of NIST's examples of HMAC with SHA-3 */
#define FW_JEFE		"4a656665"
#define FW_JEFE_TEXT	"7768617420646f2079612077616e7420666f72206e6f7468696e673f"
#define FW_SHORT_TEXT	"53616d706c65206d65737361676520666f72206b65796c65" \
			"6e3c626c6f636b6c656e"

static const struct fw_kat {
	const char		*name;
	enum pciehsm_function	fn;
	CK_ULONG		mech;
	CK_ULONG		key_type;
	const char		*key;
	const char		*iv;
	const char		*aad;
	const char		*in;
	const char		*out;
} fw_kats[] = {
	/* FIPS 180-4 examples, "abc" */
	{ "SHA-1", PCIEHSM_FN_DIGEST, CKM_SHA_1, 0, NULL, NULL, NULL, "616263",
	  "a9993e364706816aba3e25717850c26c9cd0d89d" },
	{ "SHA-224", PCIEHSM_FN_DIGEST, CKM_SHA224, 0, NULL, NULL, NULL, "616263",
	  "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7" },
	{ "SHA-256", PCIEHSM_FN_DIGEST, CKM_SHA256, 0, NULL, NULL, NULL, "616263",
	  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "SHA-384", PCIEHSM_FN_DIGEST, CKM_SHA384, 0, NULL, NULL, NULL, "616263",
	  "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
	  "8086072ba1e7cc2358baeca134c825a7" },
	{ "SHA-512", PCIEHSM_FN_DIGEST, CKM_SHA512, 0, NULL, NULL, NULL, "616263",
	  "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
	  "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
	/* FIPS 202 examples, "abc" */
	{ "SHA3-224", PCIEHSM_FN_DIGEST, CKM_SHA3_224, 0, NULL, NULL, NULL, "616263",
	  "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf" },
	{ "SHA3-256", PCIEHSM_FN_DIGEST, CKM_SHA3_256, 0, NULL, NULL, NULL, "616263",
	  "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532" },
	{ "SHA3-384", PCIEHSM_FN_DIGEST, CKM_SHA3_384, 0, NULL, NULL, NULL, "616263",
	  "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b2"
	  "98d88cea927ac7f539f1edf228376d25" },
	{ "SHA3-512", PCIEHSM_FN_DIGEST, CKM_SHA3_512, 0, NULL, NULL, NULL, "616263",
	  "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e"
	  "10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0" },
	/* RFC 2202, 3, test case 2, and RFC 4231, 4.3 */
	{ "HMAC-SHA-1", PCIEHSM_FN_SIGN, CKM_SHA_1_HMAC, CKK_GENERIC_SECRET, FW_JEFE, NULL, NULL,
	  FW_JEFE_TEXT,
	  "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79" },
	{ "HMAC-SHA-224", PCIEHSM_FN_SIGN, CKM_SHA224_HMAC, CKK_GENERIC_SECRET, FW_JEFE, NULL, NULL,
	  FW_JEFE_TEXT,
	  "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44" },
	{ "HMAC-SHA-256", PCIEHSM_FN_SIGN, CKM_SHA256_HMAC, CKK_GENERIC_SECRET, FW_JEFE, NULL, NULL,
	  FW_JEFE_TEXT,
	  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
	{ "HMAC-SHA-384", PCIEHSM_FN_SIGN, CKM_SHA384_HMAC, CKK_GENERIC_SECRET, FW_JEFE, NULL, NULL,
	  FW_JEFE_TEXT,
	  "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
	  "8e2240ca5e69e2c78b3239ecfab21649" },
	{ "HMAC-SHA-512", PCIEHSM_FN_SIGN, CKM_SHA512_HMAC, CKK_GENERIC_SECRET, FW_JEFE, NULL, NULL,
	  FW_JEFE_TEXT,
	  "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
	  "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737" },
	/* NIST's examples HMAC_SHA3-*.pdf, "keylen<blocklen" */
	{ "HMAC-SHA3-224", PCIEHSM_FN_SIGN, CKM_SHA3_224_HMAC, CKK_GENERIC_SECRET,
	  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b", NULL, NULL,
	  FW_SHORT_TEXT,
	  "332cfd59347fdb8e576e77260be4aba2d6dc53117b3bfb52c6d18c04" },
	{ "HMAC-SHA3-256", PCIEHSM_FN_SIGN, CKM_SHA3_256_HMAC, CKK_GENERIC_SECRET,
	  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", NULL, NULL,
	  FW_SHORT_TEXT,
	  "4fe8e202c4f058e8dddc23d8c34e467343e23555e24fc2f025d598f558f67205" },
	{ "HMAC-SHA3-384", PCIEHSM_FN_SIGN, CKM_SHA3_384_HMAC, CKK_GENERIC_SECRET,
	  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	  "202122232425262728292a2b2c2d2e2f", NULL, NULL,
	  FW_SHORT_TEXT,
	  "d588a3c51f3f2d906e8298c1199aa8ff6296218127f6b38a90b6afe2c5617725"
	  "bc99987f79b22a557b6520db710b7f42" },
	{ "HMAC-SHA3-512", PCIEHSM_FN_SIGN, CKM_SHA3_512_HMAC, CKK_GENERIC_SECRET,
	  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	  "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f", NULL, NULL,
	  FW_SHORT_TEXT,
	  "4efd629d6c71bf86162658f29943b1c308ce27cdfa6db0d9c3ce81763f9cbce5"
	  "f7ebe9868031db1a8f8eb7b6b95e5c5e3f657a8996c86a2f6527e307f0213196" },
	/* RFC 4493, 4, example 2 */
	{ "AES-CMAC", PCIEHSM_FN_SIGN, CKM_AES_CMAC, CKK_AES, "2b7e151628aed2a6abf7158809cf4f3c",
	  NULL, NULL, "6bc1bee22e409f96e93d7e117393172a", "070a16b46b4d4144f79bdd9dd04a287c" },
	/* FIPS 197, C.3 */
	{ "AES-ECB", PCIEHSM_FN_ENCRYPT, CKM_AES_ECB, CKK_AES,
	  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", NULL, NULL,
	  "00112233445566778899aabbccddeeff", "8ea2b7ca516745bfeafc49904b496089" },
	/* SP 800-38A, F.2.5, first block */
	{ "AES-CBC", PCIEHSM_FN_ENCRYPT, CKM_AES_CBC, CKK_AES,
	  "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
	  "000102030405060708090a0b0c0d0e0f", NULL, "6bc1bee22e409f96e93d7e117393172a",
	  "f58c4c04d6e5f1ba779eabfb5f7bfbd6" },
	/* The same, and behind it a block of padding (RFC 5652, 6.3), computed with Python */
	{ "AES-CBC-PAD", PCIEHSM_FN_ENCRYPT, CKM_AES_CBC_PAD, CKK_AES,
	  "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
	  "000102030405060708090a0b0c0d0e0f", NULL, "6bc1bee22e409f96e93d7e117393172a",
	  "f58c4c04d6e5f1ba779eabfb5f7bfbd6485a5c81519cf378fa36d42b8547edc0" },
	/* SP 800-38A, F.5.5, first block */
	{ "AES-CTR", PCIEHSM_FN_ENCRYPT, CKM_AES_CTR, CKK_AES,
	  "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
	  "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", NULL, "6bc1bee22e409f96e93d7e117393172a",
	  "601ec313775789a5b7a7f504bbf3d228" },
	/* McGrew and Viega, "The Galois/Counter Mode of Operation", test case 16 */
	{ "AES-GCM", PCIEHSM_FN_ENCRYPT, CKM_AES_GCM, CKK_AES,
	  "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
	  "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	  "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
	  "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
	  "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
	  "76fc6ece0f4e1768cddf8853bb2d551b" },
	/* RFC 3394, 4.6 */
	{ "AES key wrap", PCIEHSM_FN_ENCRYPT, CKM_AES_KEY_WRAP, CKK_AES,
	  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", NULL, NULL,
	  "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f",
	  "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326"
	  "cbc7f0e71a99f43bfb988b9b7a02dd21" },
	/* RFC 5649, 6 */
	{ "AES key wrap with padding", PCIEHSM_FN_ENCRYPT, CKM_AES_KEY_WRAP_KWP, CKK_AES,
	  "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8", NULL, NULL,
	  "466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f" },
};

static bool fw_kat_key(const struct fw_kat *kat, struct fw_key **key)
{
	struct fw_attrs attrs = { 0 };
	bool ok;

	*key = NULL;
	if (!kat->key)
		return true;
	ok = fw_attrs_put_ulong(&attrs, CKA_CLASS, CKO_SECRET_KEY) == CKR_OK &&
	     fw_attrs_put_ulong(&attrs, CKA_KEY_TYPE, kat->key_type) == CKR_OK &&
	     fw_put_hex(&attrs, CKA_VALUE, kat->key) && fw_key_from_attrs(&attrs, key) == CKR_OK;
	fw_attrs_wipe(&attrs);
	return ok;
}

static bool fw_kat_run(const struct fw_kat *kat)
{
	uint8_t in[FW_KAT_MAX], out[FW_KAT_MAX], back[FW_KAT_MAX], iv[16], aad[32];
	size_t len = sizeof(out), back_len = sizeof(back);
	struct fw_mech_params p = { 0 };
	struct fw_bytes data = fw_unhex(kat->in, in);
	struct fw_key *key;
	bool ok;

	if (kat->iv) {
		p.iv = fw_unhex(kat->iv, iv);
		p.have |= FW_HAVE(PCIEHSM_F_P_IV);
	}
	if (kat->aad) {
		p.aad = fw_unhex(kat->aad, aad);
		p.tag_bits = 128;
		p.have |= FW_HAVE(PCIEHSM_F_P_AAD) | FW_HAVE(PCIEHSM_F_P_TAG_BITS);
	}
	if (kat->mech == CKM_AES_CTR) {
		p.counter_bits = 128;
		p.have |= FW_HAVE(PCIEHSM_F_P_COUNTER_BITS);
	}
	ok = fw_kat_key(kat, &key) &&
	     fw_op_once(kat->fn, kat->mech, &p, key, data.p, data.len, NULL, out, &len) == CKR_OK &&
	     fw_same(out, len, kat->out);
	if (kat->fn == PCIEHSM_FN_ENCRYPT)
		ok = ok && fw_op_once(PCIEHSM_FN_DECRYPT, kat->mech, &p, key, out, len, NULL, back,
				      &back_len) == CKR_OK &&
		     fw_same(back, back_len, kat->in);
	fw_key_unref(key);
	return ok;
}

/* ---- key pairs; those of RSA are in selftest_rsa.c ---- */

bool fw_pair_keys(struct fw_attrs *pub, struct fw_attrs *priv, CK_ULONG type,
		  struct fw_key **pub_key, struct fw_key **priv_key)
{
	bool ok;

	ok = fw_attrs_put_ulong(pub, CKA_CLASS, CKO_PUBLIC_KEY) == CKR_OK &&
	     fw_attrs_put_ulong(priv, CKA_CLASS, CKO_PRIVATE_KEY) == CKR_OK &&
	     fw_attrs_put_ulong(pub, CKA_KEY_TYPE, type) == CKR_OK &&
	     fw_attrs_put_ulong(priv, CKA_KEY_TYPE, type) == CKR_OK &&
	     fw_key_from_attrs(pub, pub_key) == CKR_OK &&
	     fw_key_from_attrs(priv, priv_key) == CKR_OK;
	fw_attrs_wipe(pub);
	fw_attrs_wipe(priv);
	return ok;
}

bool fw_verifies(CK_ULONG mech, const struct fw_mech_params *p, struct fw_key *key,
		 struct fw_bytes text, struct fw_bytes sig)
{
	return fw_op_once(PCIEHSM_FN_VERIFY, mech, p, key, text.p, text.len, &sig, NULL,
			  NULL) == CKR_OK;
}

bool fw_signs(CK_ULONG mech, const struct fw_mech_params *p, struct fw_key *key,
	      struct fw_bytes text, uint8_t out[FW_KAT_MAX], size_t *len)
{
	*len = FW_KAT_MAX;
	return fw_op_once(PCIEHSM_FN_SIGN, mech, p, key, text.p, text.len, NULL, out,
			  len) == CKR_OK;
}

static bool fw_test_curve(CK_ULONG type, const char *params, const char *secret,
			  const char *point, CK_ULONG mech, const char *text_hex,
			  const char *sig_hex, bool deterministic)
{
	uint8_t out[FW_KAT_MAX], text[FW_KAT_MAX], sig[FW_KAT_MAX];
	struct fw_key *pub_key = NULL, *priv_key = NULL;
	struct fw_bytes data = fw_unhex(text_hex, text), made = { out, 0 };
	struct fw_attrs pub = { 0 }, priv = { 0 };
	bool ok;

	ok = fw_put_hex(&pub, CKA_EC_PARAMS, params) && fw_put_hex(&priv, CKA_EC_PARAMS, params) &&
	     fw_put_hex(&pub, CKA_EC_POINT, point) && fw_put_hex(&priv, CKA_VALUE, secret) &&
	     fw_pair_keys(&pub, &priv, type, &pub_key, &priv_key);
	ok = ok && fw_verifies(mech, NULL, pub_key, data, fw_unhex(sig_hex, sig)) &&
	     fw_signs(mech, NULL, priv_key, data, out, &made.len) &&
	     fw_verifies(mech, NULL, pub_key, data, made) &&
	     (!deterministic || fw_same(out, made.len, sig_hex));
	fw_attrs_wipe(&pub);
	fw_attrs_wipe(&priv);
	fw_key_unref(pub_key);
	fw_key_unref(priv_key);
	return ok;
}

/* RFC 6979, A.2.5, SHA-256, "sample": its signature verifies, and so does ours. */
static bool fw_test_ecdsa(void)
{
	return fw_test_curve(CKK_EC, "06082a8648ce3d030107",
		"c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721",
		"04"
		"60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
		"7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
		CKM_ECDSA_SHA256, "73616d706c65",
		"efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
		"f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8", false);
}

/* RFC 8032, 7.1, test 2 */
static bool fw_test_ed25519(void)
{
	return fw_test_curve(CKK_EC_EDWARDS, "06032b6570",
		"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
		"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
		CKM_EDDSA, "72",
		"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
		"085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00", true);
}

/* ---- derivation ---- */

/* A derived generic secret of @len bytes must be @want; the base key is in @base. */
static bool fw_test_derive(struct fw_attrs *base, CK_ULONG mech, const struct fw_mech_params *p,
			   size_t len, const char *want)
{
	struct fw_attrs out = { 0 };
	struct fw_key *key = NULL;
	struct fw_bytes value;
	bool ok;

	ok = fw_key_from_attrs(base, &key) == CKR_OK &&
	     fw_attrs_put_ulong(&out, CKA_VALUE_LEN, len) == CKR_OK &&
	     fw_derive(mech, p, key, &out) == CKR_OK && fw_attrs_get(&out, CKA_VALUE, &value) &&
	     fw_same(value.p, value.len, want);
	fw_key_unref(key);
	fw_attrs_wipe(&out);
	fw_attrs_wipe(base);
	return ok;
}

/* RFC 5903, 8.1: i, gr */
static bool fw_test_ecdh(void)
{
	struct fw_attrs base = { 0 };
	struct fw_mech_params p = {
		.have = FW_HAVE(PCIEHSM_F_P_KDF) | FW_HAVE(PCIEHSM_F_P_PUBLIC), .kdf = CKD_NULL
	};
	uint8_t public[65];

	p.public = fw_unhex("04"
			    "d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"
			    "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab",
			    public);
	return fw_attrs_put_ulong(&base, CKA_CLASS, CKO_PRIVATE_KEY) == CKR_OK &&
	       fw_attrs_put_ulong(&base, CKA_KEY_TYPE, CKK_EC) == CKR_OK &&
	       fw_put_hex(&base, CKA_EC_PARAMS, "06082a8648ce3d030107") &&
	       fw_put_hex(&base, CKA_VALUE,
			  "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433") &&
	       fw_test_derive(&base, CKM_ECDH1_DERIVE, &p, 32,
			      "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de");
}

/* RFC 7748, 6.1: Alice's private key, Bob's public one */
static bool fw_test_x25519(void)
{
	struct fw_attrs base = { 0 };
	struct fw_mech_params p = {
		.have = FW_HAVE(PCIEHSM_F_P_KDF) | FW_HAVE(PCIEHSM_F_P_PUBLIC), .kdf = CKD_NULL
	};
	uint8_t public[32];

	p.public = fw_unhex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
			    public);
	return fw_attrs_put_ulong(&base, CKA_CLASS, CKO_PRIVATE_KEY) == CKR_OK &&
	       fw_attrs_put_ulong(&base, CKA_KEY_TYPE, CKK_EC_MONTGOMERY) == CKR_OK &&
	       fw_put_hex(&base, CKA_EC_PARAMS, "06032b656e") &&
	       fw_put_hex(&base, CKA_VALUE,
			  "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a") &&
	       fw_test_derive(&base, CKM_ECDH1_DERIVE, &p, 32,
			      "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
}

/* RFC 5869, A.1 */
static bool fw_test_hkdf(void)
{
	uint8_t salt[16], info[16];
	struct fw_attrs base = { 0 };
	struct fw_mech_params p = {
		.have = FW_HAVE(PCIEHSM_F_P_HASH) | FW_HAVE(PCIEHSM_F_P_HKDF) |
			FW_HAVE(PCIEHSM_F_P_SALT) | FW_HAVE(PCIEHSM_F_P_INFO),
		.hash = CKM_SHA256, .hkdf = 3,
	};

	p.salt = fw_unhex("000102030405060708090a0b0c", salt);
	p.info = fw_unhex("f0f1f2f3f4f5f6f7f8f9", info);
	return fw_attrs_put_ulong(&base, CKA_CLASS, CKO_SECRET_KEY) == CKR_OK &&
	       fw_attrs_put_ulong(&base, CKA_KEY_TYPE, CKK_GENERIC_SECRET) == CKR_OK &&
	       fw_put_hex(&base, CKA_VALUE, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b") &&
	       fw_test_derive(&base, CKM_HKDF_DERIVE, &p, 42,
			      "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
			      "34007208d5b887185865");
}

/* RFC 7914, 11: the first vector */
static bool fw_test_pbkdf2(void)
{
	struct fw_bytes password = { (const uint8_t *)"passwd", 6 };
	struct fw_bytes salt = { (const uint8_t *)"salt", 4 };
	uint8_t out[64];

	return fw_pbkdf2("SHA256", password, salt, 1, out, sizeof(out)) == CKR_OK &&
	       fw_same(out, sizeof(out),
		       "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
		       "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783");
}

/* ---- HPKE: keys and texts of RFC 9180, A.3.4, AuthPSK; the first encryption, there and back */

static bool fw_hpke_there_and_back(struct fw_hpke_suite suite, EVP_PKEY *e, EVP_PKEY *r,
				   EVP_PKEY *s, const char *want)
{
	uint8_t enc[FW_HPKE_ENC_MAX], to[FW_HPKE_ENC_MAX], from[FW_HPKE_ENC_MAX];
	uint8_t info[32], psk[32], psk_id[32], text[64], count[16], out[96], back[64];
	struct fw_hpke *sender = NULL, *recipient = NULL;
	size_t enc_len, to_len, from_len;
	struct fw_bytes plain, aad;
	struct fw_hpke_keys keys;
	bool ok;

	keys.info = fw_unhex("4f6465206f6e2061204772656369616e2055726e", info);
	keys.psk = fw_unhex("0247fd33b913760fa1fa51e1892d9f307fbe65eb171e8132c2af18555a738b82",
			    psk);
	keys.psk_id = fw_unhex("456e6e796e20447572696e206172616e204d6f726961", psk_id);
	plain = fw_unhex("4265617574792069732074727574682c20747275746820626561757479", text);
	aad = fw_unhex("436f756e742d30", count);
	ok = fw_hpke_public(suite, r, to, &to_len) == CKR_OK &&
	     fw_hpke_public(suite, s, from, &from_len) == CKR_OK &&
	     fw_hpke_sender(suite, (struct fw_bytes){ to, to_len }, &keys, s, e, enc, &enc_len,
			    &sender) == CKR_OK &&
	     fw_hpke_seal(sender, aad, plain, out) == CKR_OK &&
	     fw_same(out, plain.len + FW_HPKE_TAG_LEN, want) &&
	     fw_hpke_recipient(suite, (struct fw_bytes){ enc, enc_len }, r, &keys,
			       (struct fw_bytes){ from, from_len }, &recipient) == CKR_OK &&
	     fw_hpke_open(recipient, aad, (struct fw_bytes){ out, plain.len + FW_HPKE_TAG_LEN },
			  back) == CKR_OK &&
	     !memcmp(back, plain.p, plain.len);
	fw_hpke_free(sender);
	fw_hpke_free(recipient);
	return ok;
}

static bool fw_test_hpke_suite(struct fw_hpke_suite suite, const char *want)
{
	EVP_PKEY *e = NULL, *r = NULL, *s = NULL;
	uint8_t ikm[32];
	bool ok;

	ok = fw_hpke_keypair(suite, fw_unhex(
		"3c1fceb477ec954c8d58ef3249e4bb4c38241b5925b95f7486e4d9f1d0d35fbb", ikm), &e) ==
	     CKR_OK &&
	     fw_hpke_keypair(suite, fw_unhex(
		"abcc2da5b3fa81d8aabd91f7f800a8ccf60ec37b1b585a5d1d1ac77f258b6cca", ikm), &r) ==
	     CKR_OK &&
	     fw_hpke_keypair(suite, fw_unhex(
		"6262031f040a9db853edd6f91d2272596eabbc78a2ed2bd643f770ecd0f19b82", ikm), &s) ==
	     CKR_OK &&
	     fw_hpke_there_and_back(suite, e, r, s, want);
	EVP_PKEY_free(e);
	EVP_PKEY_free(r);
	EVP_PKEY_free(s);
	return ok;
}

/*
 * The RFC's own answer, and that of the suite of the cloning channel. The RFC has none for
 * P-384: it was computed with Python's hmac and cryptography from the same keys and texts.
 */
static bool fw_test_hpke(void)
{
	static const struct fw_hpke_suite published = {
		FW_HPKE_KEM_P256, FW_HPKE_KDF_SHA256, FW_HPKE_AEAD_AES128
	};
	static const struct fw_hpke_suite channel = {
		FW_HPKE_KEM_P384, FW_HPKE_KDF_SHA384, FW_HPKE_AEAD_AES256
	};

	return fw_test_hpke_suite(published,
				  "b9f36d58d9eb101629a3e5a7b63d2ee4af42b3644209ab37e0a272d44365407d"
				  "b8e655c72e4fa46f4ff81b9246") &&
	       fw_test_hpke_suite(channel,
				  "b51083786f6353ed1c96c04fa5f6337e1eaf91effccf793590713d18199a91ed"
				  "64c7671a169f3057d89eb3f0e9");
}

const char *fw_selftest(void)
{
	static const struct {
		const char	*name;
		bool		(*run)(void);
	} tests[] = {
		{ "ECDSA", fw_test_ecdsa },
		{ "Ed25519", fw_test_ed25519 },
		{ "ECDH", fw_test_ecdh },
		{ "X25519", fw_test_x25519 },
		{ "HKDF", fw_test_hkdf },
		{ "PBKDF2", fw_test_pbkdf2 },
		{ "HPKE", fw_test_hpke },
	};
	const char *failed;
	size_t i;

	for (i = 0; i < sizeof(fw_kats) / sizeof(fw_kats[0]); i++)
		if (!fw_kat_run(&fw_kats[i]))
			return fw_kats[i].name;
	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		if (!tests[i].run())
			return tests[i].name;
	failed = fw_selftest_rsa();
	return failed ? failed : fw_selftest_pqc();
}
