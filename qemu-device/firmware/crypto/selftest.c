// SPDX-License-Identifier: GPL-2.0-or-later
/* Known answers at power-on. Where each comes from stands beside it. */
#include <stdlib.h>
#include <string.h>

#include "crypto/hpke.h"
#include "crypto/internal.h"
#include "crypto/key.h"
#include "crypto/secret.h"
#include "crypto/selftest.h"

#define FW_KAT_MAX	512

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
	{ "SHA-256", PCIEHSM_FN_DIGEST, CKM_SHA256, 0, NULL, NULL, NULL, "616263",
	  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "SHA-512", PCIEHSM_FN_DIGEST, CKM_SHA512, 0, NULL, NULL, NULL, "616263",
	  "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
	  "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
	/* FIPS 202 examples, "abc" */
	{ "SHA3-256", PCIEHSM_FN_DIGEST, CKM_SHA3_256, 0, NULL, NULL, NULL, "616263",
	  "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532" },
	/* RFC 4231, 4.3 */
	{ "HMAC-SHA-256", PCIEHSM_FN_SIGN, CKM_SHA256_HMAC, CKK_GENERIC_SECRET, "4a656665",
	  NULL, NULL, "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
	  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
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

/* ---- key pairs ---- */

/* RFC 7515, A.2: key and signature of the text; primes as in that key's JWK */
static const struct {
	CK_ULONG	type;
	const char	*hex;
} fw_rsa_key[] = {
	{ CKA_MODULUS,
	  "a1f8160ae2e3c9b465ce8d2d656263362b927dbe29e1f02477fc1625cc90a136"
	  "e38bd93497c5b6ea63dd7711e67c7429f956b0fb8a8f089adc4b69893cc1333f"
	  "53edd019b87784252fec914fe4857769594bea4280d32c0f55bf62944f130396"
	  "bc6e9bdf6ebdd2bda3678eeca0c668f701b38dbffb38c8342ce2fe6d27fade4a"
	  "5a4874979dd4b9cf9adec4c75b05852c2c0f5ef8a5c1750392f944e8ed64c110"
	  "c6b647609aa4783aeb9c6c9ad755313050638b83665c6f6f7a82a396702a1f64"
	  "1b82d3ebf2392219491fb686872c5716f50af8358d9a8b9d17c340728f7f87d8"
	  "9a18d8fcab67ad84590c2ecf759339363c07034d6f606f9e21e05456cae5e9a1" },
	{ CKA_PUBLIC_EXPONENT,
	  "010001" },
	{ CKA_PRIVATE_EXPONENT,
	  "12ae71a469cd0a2bc37e526c4500571f1d61751d64e949707b62590f9d0ba57c"
	  "963c401e3fcf2f2cd3bdec88e503bfc6439b0b28c82f7d3797671f5213eed8c1"
	  "5a25d8d5cea0025ee3ab2e8b7f79216fc63bea562753b40644c6a15127d9b295"
	  "4540a0bbe1a30556982d4e9fde5f6425f14d4b713441b55dc73b9b4aedcc92ac"
	  "e3927e37f57d0cfd5e7581fa512c8f4961a9eb0b80f8a80746728a55ff46471f"
	  "3425063b9d53642f5ede1e84d613081afa5c22d051285bd63b943b565d898a05"
	  "685413e53c3c6c6525ff1fe34e3ddc70f0d56450fda48ba12e104e9deb9fb818"
	  "81e1c4bdf25d9247f450c865927968e77334f4414f75a750e139546e3a8a739d" },
	{ CKA_PRIME_1,
	  "e01cc410eb48a6655d54464d0aa4bb6da0b872b774a6a9d11ffe480778f0ddb7"
	  "311a7e902ef9c4b5f75476262ba8176cb35979f014372a1a2829e4136bd001d0"
	  "7c3f3f2e4f25d4c934f63c7109fba2e67628a0dc9a73c6058e6def22dcd50950"
	  "e711ddc16d5586f2a7fa75ea8494c18083e0b65742f8a0d5e73fb2d970f01947" },
	{ CKA_PRIME_2,
	  "b903c47e0995b632f4532cb1f3c199145d5f3ae9c7dfeedc7a92a6b47e29c61b"
	  "42a07aa95a64fc600999c5a7b01e01c08cb62ca756527bbcc56078fb0baba5ed"
	  "38de2d07990ff6300faeadeb6c039a97bf1e507e4e7040fa78db8257c8b112ed"
	  "5e59c3cd092fe5d4e5b51275d41281072a5e785ebaf3dae3709203133f5159d7" },
	{ CKA_EXPONENT_1,
	  "07029f577024ab9fcc1590c56429d6fb0ce5f820a8f375a866f9cb430093783b"
	  "fcbb396e4529e6ef52374022dd86ba84d9ef58931beec5d05fa53fcf23b633f8"
	  "538a9eed51e87b097830a39f5d92937be6024b55db36f7e0c09dcbb72975387f"
	  "615afbb6cb36bbabe7793c2b03ceab66dbb931baf50b55ec9af9311d001d628d" },
	{ CKA_EXPONENT_2,
	  "87ff7afa62b547fee0961b2e9bcd5d6718d39d8ca73db6691f38998de7877176"
	  "2c5da68cc243a5383b166bb23dc570e84706ca801ef5f6bae6236a0aafa3770e"
	  "8f54d1a8da1c5f8d2899f082331ddb0f5c8f3dfffa4c8d97102bdafe082a118d"
	  "a6633988880e4b55599ce67af26ebfa5b2c14a9de7b2c4dd96abddd2d2224c75" },
	{ CKA_COEFFICIENT,
	  "21877b0c73a1ad6bf19303d0b11336b4e82b8db72b7efb50262a5df8395cc725"
	  "6eb8cf6c40b7608d5936a32dba174126a527062ead8ca305fb7e177f409437c9"
	  "dcb9718ed82018bcef0f7720a2c475f9db26da0e3cb516d084eb25178e828d5c"
	  "abd49bb3161ac0181fa7f821e80e7ad37936f9943054ad092921ee2c592e4375" },
};

static const char fw_rsa_text[] =
	"eyJhbGciOiJSUzI1NiJ9"
	"."
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
	"cGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
static const char fw_rsa_sig[] =
	"702e218943e88fd11eb5d82dbf7845f34106ae1b81fff7731116add1717d8365"
	"6d420afd3c96eedd73a2663e5166687b000b87226e0187ed1073f945e582adfc"
	"ef16d85a798ee8c66ddb3db8975b17d09402beedd5d9d97007108db28160d5f8"
	"040ca7445762b81fbe7ff9d92e0ae76f24f25b33bbe6f44ae61eb1040acb2004"
	"4d3ef9128ed40130795bd4bd3b41eecad066ab651981fde48df77f372dc38b9f"
	"afdd3befb18b5da3cc3c2eb02f9e3a41d612caad15911273a05f23b9e838faaf"
	"849d698429ef5a1e88798236c3d40e604522a544c8f27a7a2db80663d16cf7ca"
	"ea56de405cb2215a45b2c25566b55ac1a748a070dfc8a32a469543d019eefb47";

static bool fw_pair_keys(struct fw_attrs *pub, struct fw_attrs *priv, CK_ULONG type,
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

static bool fw_verifies(CK_ULONG mech, struct fw_key *key, struct fw_bytes text,
			struct fw_bytes sig)
{
	return fw_op_once(PCIEHSM_FN_VERIFY, mech, NULL, key, text.p, text.len, &sig, NULL,
			  NULL) == CKR_OK;
}

static bool fw_signs(CK_ULONG mech, struct fw_key *key, struct fw_bytes text, uint8_t *out,
		     size_t *len)
{
	*len = FW_KAT_MAX;
	return fw_op_once(PCIEHSM_FN_SIGN, mech, NULL, key, text.p, text.len, NULL, out,
			  len) == CKR_OK;
}

static bool fw_test_rsa(void)
{
	struct fw_bytes text = { (const uint8_t *)fw_rsa_text, sizeof(fw_rsa_text) - 1 };
	struct fw_key *pub_key = NULL, *priv_key = NULL;
	struct fw_attrs pub = { 0 }, priv = { 0 };
	uint8_t out[FW_KAT_MAX], sig[FW_KAT_MAX];
	bool ok = true;
	size_t len, i;

	for (i = 0; i < sizeof(fw_rsa_key) / sizeof(fw_rsa_key[0]); i++)
		ok = ok && fw_put_hex(&priv, fw_rsa_key[i].type, fw_rsa_key[i].hex) &&
		     fw_put_hex(&pub, fw_rsa_key[i].type, fw_rsa_key[i].hex);
	ok = ok && fw_pair_keys(&pub, &priv, CKK_RSA, &pub_key, &priv_key) &&
	     fw_signs(CKM_SHA256_RSA_PKCS, priv_key, text, out, &len) &&
	     fw_same(out, len, fw_rsa_sig) &&
	     fw_verifies(CKM_SHA256_RSA_PKCS, pub_key, text, fw_unhex(fw_rsa_sig, sig));
	fw_attrs_wipe(&pub);
	fw_attrs_wipe(&priv);
	fw_key_unref(pub_key);
	fw_key_unref(priv_key);
	return ok;
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
	ok = ok && fw_verifies(mech, pub_key, data, fw_unhex(sig_hex, sig)) &&
	     fw_signs(mech, priv_key, data, out, &made.len) &&
	     fw_verifies(mech, pub_key, data, made) &&
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

/* ---- HPKE: RFC 9180, A.3.4, AuthPSK, the first encryption ---- */

static bool fw_test_hpke(void)
{
	static const struct fw_hpke_suite suite = {
		FW_HPKE_KEM_P256, FW_HPKE_KDF_SHA256, FW_HPKE_AEAD_AES128
	};
	uint8_t ikm[32], info[32], psk[32], psk_id[32], enc[FW_HPKE_ENC_MAX], pk[FW_HPKE_ENC_MAX];
	uint8_t text[64], aad[16], out[96];
	EVP_PKEY *e = NULL, *r = NULL, *s = NULL;
	struct fw_hpke *hpke = NULL;
	struct fw_hpke_keys keys;
	struct fw_bytes plain;
	size_t enc_len, pk_len;
	bool ok;

	keys.info = fw_unhex("4f6465206f6e2061204772656369616e2055726e", info);
	keys.psk = fw_unhex("0247fd33b913760fa1fa51e1892d9f307fbe65eb171e8132c2af18555a738b82",
			    psk);
	keys.psk_id = fw_unhex("456e6e796e20447572696e206172616e204d6f726961", psk_id);
	plain = fw_unhex("4265617574792069732074727574682c20747275746820626561757479", text);
	ok = fw_hpke_keypair(suite, fw_unhex(
		"3c1fceb477ec954c8d58ef3249e4bb4c38241b5925b95f7486e4d9f1d0d35fbb", ikm), &e) ==
	     CKR_OK &&
	     fw_hpke_keypair(suite, fw_unhex(
		"abcc2da5b3fa81d8aabd91f7f800a8ccf60ec37b1b585a5d1d1ac77f258b6cca", ikm), &r) ==
	     CKR_OK &&
	     fw_hpke_keypair(suite, fw_unhex(
		"6262031f040a9db853edd6f91d2272596eabbc78a2ed2bd643f770ecd0f19b82", ikm), &s) ==
	     CKR_OK &&
	     fw_hpke_public(suite, r, pk, &pk_len) == CKR_OK &&
	     fw_hpke_sender(suite, (struct fw_bytes){ pk, pk_len }, &keys, s, e, enc, &enc_len,
			    &hpke) == CKR_OK &&
	     fw_hpke_seal(hpke, fw_unhex("436f756e742d30", aad), plain, out) == CKR_OK &&
	     fw_same(out, plain.len + FW_HPKE_TAG_LEN,
		     "b9f36d58d9eb101629a3e5a7b63d2ee4af42b3644209ab37e0a272d44365407d"
		     "b8e655c72e4fa46f4ff81b9246");
	fw_hpke_free(hpke);
	EVP_PKEY_free(e);
	EVP_PKEY_free(r);
	EVP_PKEY_free(s);
	return ok;
}

const char *fw_selftest(void)
{
	static const struct {
		const char	*name;
		bool		(*run)(void);
	} tests[] = {
		{ "RSA", fw_test_rsa },
		{ "ECDSA", fw_test_ecdsa },
		{ "Ed25519", fw_test_ed25519 },
		{ "X25519", fw_test_x25519 },
		{ "HKDF", fw_test_hkdf },
		{ "HPKE", fw_test_hpke },
	};
	size_t i;

	for (i = 0; i < sizeof(fw_kats) / sizeof(fw_kats[0]); i++)
		if (!fw_kat_run(&fw_kats[i]))
			return fw_kats[i].name;
	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		if (!tests[i].run())
			return tests[i].name;
	return fw_selftest_pqc();
}
