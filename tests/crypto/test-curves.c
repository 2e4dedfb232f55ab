// SPDX-License-Identifier: GPL-2.0-or-later
/* ECDSA, Ed25519, ECDH */
#include <openssl/crypto.h>

#include "util.h"

static const struct {
	const char	*params;
	size_t		len;
	const char	*secret;	/* NULL: not published */
	const char	*point;
	CK_ULONG	mech;
	CK_ULONG	hash;
	const char	*text;
	const char	*sig;
} ecdsas[] = {
	/* RFC 6979, A.2.5, "sample" */
	{ P256, 32, "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721",
	  "04"
	  "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
	  "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
	  CKM_ECDSA_SHA256, CKM_SHA256, "73616d706c65",
	  "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
	  "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8" },
	/* RFC 6979, A.2.6, "sample" */
	{ P384, 48, "6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d8"
	  "96d5724e4c70a825f872c9ea60d2edf5",
	  "04"
	  "ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64"
	  "def8f0ea9055866064a254515480bc13"
	  "8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1"
	  "288b231c3ae0d4fe7344fd2533264720",
	  CKM_ECDSA_SHA384, CKM_SHA384, "73616d706c65",
	  "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c"
	  "81a648152e44acf96e36dd1e80fabe46"
	  "99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94f"
	  "a329c145786e679e7b82c71a38628ac8" },
	/* RFC 6979, A.2.7, "sample" */
	{ P521, 66, "00fad06daa62ba3b25d2fb40133da757205de67f5bb0018fee8c86e1b68c7e75"
	  "caa896eb32f1f47c70855836a6d16fcc1466f6d8fbec67db89ec0c08b0e996b83538",
	  "04"
	  "01894550d0785932e00eaa23b694f213f8c3121f86dc97a04e5a7167db4e5bcd"
	  "371123d46e45db6b5d5370a7f20fb633155d38ffa16d2bd761dcac474b9a2f5023a4"
	  "00493101c962cd4d2fddf782285e64584139c2f91b47f87ff82354d6630f746a"
	  "28a0db25741b5b34a828008b22acc23f924faafbd4d33f81ea66956dfeaa2bfdfcf5",
	  CKM_ECDSA_SHA512, CKM_SHA512, "73616d706c65",
	  "00c328fafcbd79dd77850370c46325d987cb525569fb63c5d3bc53950e6d4c5f"
	  "174e25a1ee9017b5d450606add152b534931d7d4e8455cc91f9b15bf05ec36e377fa"
	  "00617cce7cf5064806c467f678d3b4080d6f1cc50af26ca209417308281b68af"
	  "282623eaa63e5b5c0723d8b8c37ff0777b1a20f8ccb1dccc43997f1ee0e44da4a67a" },
	/* Wycheproof, ecdsa_secp256k1_sha256_p1363_test.json, 1 */
	{ K256, 32, NULL,
	  "04"
	  "b838ff44e5bc177bf21189d0766082fc9d843226887fc9760371100b7ee20a6f"
	  "f0c9d75bfba7b31a6bca1974496eeb56de357071955d83c4b1badaa0b21832e9",
	  CKM_ECDSA_SHA256, CKM_SHA256, "313233343030",
	  "813ef79ccefa9a56f7ba805f0e478584fe5f0dd5f567bc09b5123ccbc9832365"
	  "900e75ad233fcc908509dbff5922647db37c21f4afd3203ae8dc4ae7794b0f87" },
};

static const struct {
	CK_ULONG	hash;
	CK_ULONG	mech;
} hashes[] = {
	{ CKM_SHA_1, CKM_ECDSA_SHA1 }, { CKM_SHA224, CKM_ECDSA_SHA224 },
	{ CKM_SHA256, CKM_ECDSA_SHA256 }, { CKM_SHA384, CKM_ECDSA_SHA384 },
	{ CKM_SHA512, CKM_ECDSA_SHA512 }, { CKM_SHA3_224, CKM_ECDSA_SHA3_224 },
	{ CKM_SHA3_256, CKM_ECDSA_SHA3_256 }, { CKM_SHA3_384, CKM_ECDSA_SHA3_384 },
	{ CKM_SHA3_512, CKM_ECDSA_SHA3_512 },
};

static struct fw_bytes digest(CK_ULONG mech, struct fw_bytes text)
{
	struct fw_bytes out;

	assert_ok(once(PCIEHSM_FN_DIGEST, mech, NULL, NULL, text, &out));
	return out;
}

static void test_ecdsa_published(void **state)
{
	size_t i, j;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(ecdsas); i++) {
		struct fw_key *pub = curve_public(CKK_EC, ecdsas[i].params, ecdsas[i].point);
		struct fw_bytes text = hex(ecdsas[i].text), sig = hex(ecdsas[i].sig);
		size_t n = ecdsas[i].len;

		assert_ok(verify(ecdsas[i].mech, NULL, pub, text, sig));
		assert_ok(verify(CKM_ECDSA, NULL, pub, digest(ecdsas[i].hash, text), sig));
		assert_rv(verify(ecdsas[i].mech, NULL, pub, TEXT("another"), sig),
			  CKR_SIGNATURE_INVALID);
		for (j = 0; j < 2 * n; j += 9)
			assert_rv(verify(ecdsas[i].mech, NULL, pub, text, flipped(sig, j, 5)),
				  CKR_SIGNATURE_INVALID);
		assert_rv(verify(ecdsas[i].mech, NULL, pub, text, BYTES(sig.p, 2 * n - 1)),
			  CKR_SIGNATURE_LEN_RANGE);
		assert_rv(verify(ecdsas[i].mech, NULL, pub, text, pattern(2 * n + 1)),
			  CKR_SIGNATURE_LEN_RANGE);
		assert_rv(verify(ecdsas[i].mech, NULL, pub, text, NONE), CKR_SIGNATURE_LEN_RANGE);
		fw_key_unref(pub);
	}
}

/* Numbers that r and s must not be: 0, the order, all bits */
static void test_ecdsa_numbers(void **state)
{
	static const char order[] =
		"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
	struct fw_key *pub = curve_public(CKK_EC, P256, ecdsas[0].point);
	struct fw_bytes text = hex(ecdsas[0].text);
	uint8_t sig[64];
	int i, half;

	(void)state;
	for (i = 0; i < 3; i++) {
		for (half = 0; half < 3; half++) {
			memcpy(sig, hex(ecdsas[0].sig).p, 64);
			if (half != 1) {
				memset(sig, i == 2 ? 0xff : 0, 32);
				if (i == 1)
					memcpy(sig, hex(order).p, 32);
			}
			if (half != 0) {
				memset(sig + 32, i == 2 ? 0xff : 0, 32);
				if (i == 1)
					memcpy(sig + 32, hex(order).p, 32);
			}
			assert_rv(verify(CKM_ECDSA_SHA256, NULL, pub, text, BYTES(sig, 64)),
				  CKR_SIGNATURE_INVALID);
		}
	}
	fw_key_unref(pub);
}

static void test_ecdsa_sign(void **state)
{
	struct fw_bytes sig, again;
	size_t i, j;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(ecdsas); i++) {
		struct fw_key *priv, *pub;

		if (!ecdsas[i].secret)
			continue;
		priv = curve_private(CKK_EC, ecdsas[i].params, ecdsas[i].secret);
		pub = curve_public(CKK_EC, ecdsas[i].params, ecdsas[i].point);
		for (j = 0; j < ARRAY_SIZE(hashes); j++) {
			struct fw_bytes text = pattern(j * 77);

			assert_ok(once(PCIEHSM_FN_SIGN, hashes[j].mech, NULL, priv, text, &sig));
			assert_int_equal(sig.len, 2 * ecdsas[i].len);
			assert_ok(verify(hashes[j].mech, NULL, pub, text, sig));
			assert_ok(verify(CKM_ECDSA, NULL, pub, digest(hashes[j].hash, text), sig));
			assert_ok(parts(PCIEHSM_FN_SIGN, hashes[j].mech, NULL, priv, text, NULL, 13,
					&again));
			assert_ok(verify(hashes[j].mech, NULL, pub, text, again));
			/* A nonce is used once. */
			assert_int_not_equal(memcmp(sig.p, again.p, ecdsas[i].len), 0);
		}
		/* Raw: nothing, something short, and something longer than the order */
		for (j = 0; j < 200; j += 33) {
			assert_ok(once(PCIEHSM_FN_SIGN, CKM_ECDSA, NULL, priv, pattern(j), &sig));
			assert_ok(verify(CKM_ECDSA, NULL, pub, pattern(j), sig));
			assert_ok(parts(PCIEHSM_FN_SIGN, CKM_ECDSA, NULL, priv, pattern(j), NULL,
					13, &sig));
			assert_ok(verify(CKM_ECDSA, NULL, pub, pattern(j), sig));
		}
		/* What is longer is cut at its end (PKCS#11 2.3.6). */
		assert_ok(once(PCIEHSM_FN_SIGN, CKM_ECDSA, NULL, priv, pattern(100), &sig));
		assert_ok(verify(CKM_ECDSA, NULL, pub, pattern(ecdsas[i].len), sig));
		assert_rv(verify(CKM_ECDSA, NULL, pub, pattern(ecdsas[i].len - 1), sig),
			  CKR_SIGNATURE_INVALID);
		fw_key_unref(priv);
		fw_key_unref(pub);
	}
}

static void test_ecdsa_wrong_keys(void **state)
{
	struct fw_key *priv = curve_private(CKK_EC, P256, ecdsas[0].secret);
	struct fw_key *pub = curve_public(CKK_EC, P256, ecdsas[0].point);
	struct fw_key *ed = curve_private(CKK_EC_EDWARDS, ED25519,
		"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
	struct fw_mech_params p = { .have = HAVE(HASH), .hash = CKM_SHA256 };
	struct fw_bytes out;

	(void)state;
	assert_rv(run(PCIEHSM_FN_SIGN, CKM_ECDSA, NULL, pub, TEXT("x"), &out),
		  CKR_KEY_TYPE_INCONSISTENT);
	assert_rv(verify(CKM_ECDSA, NULL, priv, TEXT("x"), pattern(64)), CKR_KEY_TYPE_INCONSISTENT);
	assert_rv(run(PCIEHSM_FN_SIGN, CKM_ECDSA, NULL, ed, TEXT("x"), &out),
		  CKR_KEY_TYPE_INCONSISTENT);
	assert_rv(run(PCIEHSM_FN_SIGN, CKM_EDDSA, NULL, priv, TEXT("x"), &out),
		  CKR_KEY_TYPE_INCONSISTENT);
	assert_rv(run(PCIEHSM_FN_SIGN, CKM_ECDSA_SHA256, &p, priv, TEXT("x"), &out),
		  CKR_MECHANISM_PARAM_INVALID);
	assert_rv(run(PCIEHSM_FN_ENCRYPT, CKM_ECDSA, NULL, priv, TEXT("x"), &out),
		  CKR_MECHANISM_INVALID);
	fw_key_unref(priv);
	fw_key_unref(pub);
	fw_key_unref(ed);
}

/* RFC 8032, 7.1, tests 1, 2, 3 and SHA(abc) */
static const struct {
	const char	*secret;
	const char	*point;
	const char	*text;
	const char	*sig;
} eddsas[] = {
	{ "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
	  "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
	  "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
	  "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b" },
	{ "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
	  "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
	  "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
	  "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00" },
	{ "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
	  "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
	  "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
	  "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a" },
	{ "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
	  "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
	  "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
	  "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
	  "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
	  "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704" },
};

static void test_eddsa(void **state)
{
	struct fw_mech_params p = { .have = HAVE(PREHASH) | HAVE(CONTEXT) };
	struct fw_bytes out;
	size_t i, j;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(eddsas); i++) {
		struct fw_key *priv = curve_private(CKK_EC_EDWARDS, ED25519, eddsas[i].secret);
		struct fw_key *pub = curve_public(CKK_EC_EDWARDS, ED25519, eddsas[i].point);
		struct fw_bytes text = hex(eddsas[i].text), sig = hex(eddsas[i].sig);

		assert_ok(run(PCIEHSM_FN_SIGN, CKM_EDDSA, NULL, priv, text, &out));
		assert_bytes(out, sig);
		assert_ok(verify(CKM_EDDSA, NULL, pub, text, sig));
		/* Parameters that say nothing are the same as none. */
		assert_ok(run(PCIEHSM_FN_SIGN, CKM_EDDSA, &p, priv, text, &out));
		assert_bytes(out, sig);
		for (j = 0; j < 64; j += 7)
			assert_rv(verify(CKM_EDDSA, NULL, pub, text, flipped(sig, j, 2)),
				  CKR_SIGNATURE_INVALID);
		assert_rv(verify(CKM_EDDSA, NULL, pub, TEXT("another"), sig),
			  CKR_SIGNATURE_INVALID);
		assert_rv(verify(CKM_EDDSA, NULL, pub, text, BYTES(sig.p, 63)),
			  CKR_SIGNATURE_LEN_RANGE);
		fw_key_unref(priv);
		fw_key_unref(pub);
	}
}

/* RFC 8032, 7.2 ("foo") and 7.3 */
static const struct {
	bool		prehash;
	const char	*context;
	const char	*secret;
	const char	*point;
	const char	*text;
	const char	*sig;
} variants[] = {
	{ false, "foo", "0305334e381af78f141cb666f6199f57bc3495335a256a95bd2a55bf546663f6",
	  "dfc9425e4f968f7f0c29f0259cf5f9aed6851c2bb4ad8bfb860cfee0ab248292",
	  "f726936d19c800494e3fdaff20b276a8",
	  "55a4cc2f70a54e04288c5f4cd1e45a7bb520b36292911876cada7323198dd87a"
	  "8b36950b95130022907a7fb7c4e9b2d5f6cca685a587b4b21f4b888e4e7edb0d" },
	{ true, "", "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
	  "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf", "616263",
	  "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41"
	  "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406" },
};

static void test_eddsa_variants(void **state)
{
	uint8_t long_context[256] = { 0 };
	struct fw_mech_params p;
	struct fw_bytes out;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(variants); i++) {
		struct fw_key *priv = curve_private(CKK_EC_EDWARDS, ED25519, variants[i].secret);
		struct fw_key *pub = curve_public(CKK_EC_EDWARDS, ED25519, variants[i].point);
		struct fw_bytes text = hex(variants[i].text), sig = hex(variants[i].sig);

		p = (struct fw_mech_params){ .have = HAVE(PREHASH) | HAVE(CONTEXT),
					     .prehash = variants[i].prehash };
		p.context.p = (const uint8_t *)variants[i].context;
		p.context.len = strlen(variants[i].context);
		if (OpenSSL_version_num() < 0x30200000UL) {
			/* Refused, never taken for plain Ed25519 */
			assert_rv(run(PCIEHSM_FN_SIGN, CKM_EDDSA, &p, priv, text, &out),
				  CKR_MECHANISM_PARAM_INVALID);
		} else {
			assert_ok(run(PCIEHSM_FN_SIGN, CKM_EDDSA, &p, priv, text, &out));
			assert_bytes(out, sig);
			assert_ok(verify(CKM_EDDSA, &p, pub, text, sig));
			assert_rv(verify(CKM_EDDSA, NULL, pub, text, sig), CKR_SIGNATURE_INVALID);
			assert_rv(verify(CKM_EDDSA, &p, pub, text, flipped(sig, 0, 0)),
				  CKR_SIGNATURE_INVALID);
		}
		p.context = (struct fw_bytes){ long_context, sizeof(long_context) };
		assert_rv(run(PCIEHSM_FN_SIGN, CKM_EDDSA, &p, priv, text, &out),
			  CKR_MECHANISM_PARAM_INVALID);
		p = (struct fw_mech_params){ .have = HAVE(PREHASH), .prehash = 2 };
		assert_rv(run(PCIEHSM_FN_SIGN, CKM_EDDSA, &p, priv, text, &out),
			  CKR_MECHANISM_PARAM_INVALID);
		fw_key_unref(priv);
		fw_key_unref(pub);
	}
}

/* ---- ECDH ---- */

static const struct {
	CK_ULONG	type;
	const char	*params;
	const char	*secret;
	const char	*peer;
	const char	*z;
} ecdhs[] = {
	/* RFC 5903, 8.1: i, gr, the common value */
	{ CKK_EC, P256, "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433",
	  "04"
	  "d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"
	  "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab",
	  "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de" },
	/* RFC 5903, 8.2 */
	{ CKK_EC, P384, "099f3c7034d4a2c699884d73a375a67f7624ef7c6b3c0f160647b67414dce655"
	  "e35b538041e649ee3faef896783ab194",
	  "04"
	  "e558dbef53eecde3d3fccfc1aea08a89a987475d12fd950d83cfa41732bc509d"
	  "0d1ac43a0336def96fda41d0774a3571"
	  "dcfbec7aacf3196472169e838430367f66eebe3c6e70c416dd5f0c68759dd1ff"
	  "f83fa40142209dff5eaad96db9e6386c",
	  "11187331c279962d93d604243fd592cb9d0a926f422e47187521287e7156c5c4"
	  "d603135569b9e9d09cf5d4a270f59746" },
	/* RFC 7748, 6.1: from both sides */
	{ CKK_EC_MONTGOMERY, X25519,
	  "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
	  "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
	  "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742" },
	{ CKK_EC_MONTGOMERY, X25519,
	  "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
	  "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
	  "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742" },
};

static CK_RV derive(CK_ULONG mech, struct fw_key *key, const struct fw_mech_params *p,
		    CK_ULONG type, size_t len, struct fw_bytes *out)
{
	struct fw_attrs attrs = { 0 };
	CK_RV rv;

	*out = NONE;
	if (type)
		assert_ok(fw_attrs_put_ulong(&attrs, CKA_KEY_TYPE, type));
	if (len)
		assert_ok(fw_attrs_put_ulong(&attrs, CKA_VALUE_LEN, len));
	rv = fw_derive(mech, p, key, &attrs);
	if (rv == CKR_OK) {
		*out = get(&attrs, CKA_VALUE);
		assert_int_equal(get_ulong(&attrs, CKA_CLASS), CKO_SECRET_KEY);
		assert_int_equal(get_ulong(&attrs, CKA_KEY_TYPE), type ? type : CKK_GENERIC_SECRET);
		assert_int_equal(get_ulong(&attrs, CKA_VALUE_LEN), out->len);
		/* Out of the set, which goes. */
		if (out->len)
			*out = flipped(flipped(*out, 0, 0), 0, 0);
	}
	fw_attrs_wipe(&attrs);
	return rv;
}

static struct fw_mech_params ecdh(struct fw_bytes peer, uint32_t kdf)
{
	return (struct fw_mech_params){
		.have = HAVE(KDF) | HAVE(PUBLIC), .kdf = kdf, .public = peer,
	};
}

static void test_ecdh_published(void **state)
{
	struct fw_mech_params p;
	struct fw_bytes out, z;
	uint8_t der[200];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(ecdhs); i++) {
		struct fw_key *key = curve_private(ecdhs[i].type, ecdhs[i].params, ecdhs[i].secret);

		z = hex(ecdhs[i].z);
		p = ecdh(hex(ecdhs[i].peer), CKD_NULL);
		assert_ok(derive(CKM_ECDH1_DERIVE, key, &p, CKK_GENERIC_SECRET, 0, &out));
		assert_bytes(out, z);
		assert_ok(derive(CKM_ECDH1_COFACTOR_DERIVE, key, &p, 0, z.len, &out));
		assert_bytes(out, z);
		/* Shorter: from the leading end something is missing. */
		assert_ok(derive(CKM_ECDH1_DERIVE, key, &p, CKK_AES, 16, &out));
		assert_bytes(out, BYTES(z.p + z.len - 16, 16));
		assert_ok(derive(CKM_ECDH1_DERIVE, key, &p, CKK_SHA256_HMAC, 20, &out));
		assert_bytes(out, BYTES(z.p + z.len - 20, 20));
		assert_rv(derive(CKM_ECDH1_DERIVE, key, &p, CKK_GENERIC_SECRET, z.len + 1, &out),
			  CKR_KEY_SIZE_RANGE);
		assert_rv(derive(CKM_ECDH1_DERIVE, key, &p, CKK_AES, 17, &out), CKR_KEY_SIZE_RANGE);
		assert_rv(derive(CKM_ECDH1_DERIVE, key, &p, CKK_AES, 0, &out),
			  CKR_TEMPLATE_INCOMPLETE);
		/* The point as an OCTET STRING too */
		der[0] = 4;
		der[1] = p.public.len;
		memcpy(der + 2, p.public.p, p.public.len);
		p.public = BYTES(der, p.public.len + 2);
		assert_ok(derive(CKM_ECDH1_DERIVE, key, &p, 0, 0, &out));
		assert_bytes(out, z);
		fw_key_unref(key);
	}
}

/* X9.63 as it is defined: hash of Z, a counter from 1 in 4 bytes, and the shared data */
static struct fw_bytes x963(CK_ULONG hash, struct fw_bytes z, struct fw_bytes shared, size_t len)
{
	static uint8_t out[640];
	uint8_t mem[256];
	size_t n = 0;
	uint8_t counter;

	for (counter = 1; n < len; counter++) {
		struct fw_bytes block;

		memcpy(mem, z.p, z.len);
		memset(mem + z.len, 0, 4);
		mem[z.len + 3] = counter;
		memcpy(mem + z.len + 4, shared.p, shared.len);
		block = digest(hash, BYTES(mem, z.len + 4 + shared.len));
		memcpy(out + n, block.p, block.len);
		n += block.len;
	}
	return BYTES(out, len);
}

static void test_ecdh_kdf(void **state)
{
	static const struct {
		uint32_t	kdf;
		CK_ULONG	hash;
	} kdfs[] = {
		{ CKD_SHA1_KDF, CKM_SHA_1 }, { CKD_SHA224_KDF, CKM_SHA224 },
		{ CKD_SHA256_KDF, CKM_SHA256 }, { CKD_SHA384_KDF, CKM_SHA384 },
		{ CKD_SHA512_KDF, CKM_SHA512 }, { CKD_SHA3_224_KDF, CKM_SHA3_224 },
		{ CKD_SHA3_256_KDF, CKM_SHA3_256 }, { CKD_SHA3_384_KDF, CKM_SHA3_384 },
		{ CKD_SHA3_512_KDF, CKM_SHA3_512 },
	};
	static const size_t lens[] = { 1, 16, 32, 77, 512 };
	struct fw_mech_params p;
	struct fw_bytes out, z;
	size_t i, j, k;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(ecdhs); i++) {
		struct fw_key *key = curve_private(ecdhs[i].type, ecdhs[i].params, ecdhs[i].secret);

		z = hex(ecdhs[i].z);
		for (j = 0; j < ARRAY_SIZE(kdfs); j++) {
			for (k = 0; k < ARRAY_SIZE(lens); k++) {
				struct fw_bytes shared = k % 2 ? TEXT("shared data") : TEXT("");

				p = ecdh(hex(ecdhs[i].peer), kdfs[j].kdf);
				p.have |= HAVE(SHARED);
				p.shared = shared;
				assert_ok(derive(CKM_ECDH1_DERIVE, key, &p, CKK_GENERIC_SECRET,
						 lens[k], &out));
				assert_bytes(out, x963(kdfs[j].hash, z, shared, lens[k]));
			}
		}
		p = ecdh(hex(ecdhs[i].peer), CKD_NULL);
		p.have |= HAVE(SHARED);
		p.shared = TEXT("x");
		assert_rv(derive(CKM_ECDH1_DERIVE, key, &p, 0, 16, &out),
			  CKR_MECHANISM_PARAM_INVALID);
		p = ecdh(hex(ecdhs[i].peer), 77);
		assert_rv(derive(CKM_ECDH1_DERIVE, key, &p, 0, 16, &out),
			  CKR_MECHANISM_PARAM_INVALID);
		fw_key_unref(key);
	}
}

static void test_ecdh_bad_points(void **state)
{
	struct fw_key *key = curve_private(CKK_EC, P256, ecdhs[0].secret);
	struct fw_key *mont = curve_private(CKK_EC_MONTGOMERY, X25519, ecdhs[2].secret);
	struct fw_key *pub = curve_public(CKK_EC, P256, ecdhs[0].peer);
	struct fw_bytes good = hex(ecdhs[0].peer), out;
	struct fw_mech_params p;
	size_t i;

	(void)state;
	/* Not on the curve: any bit of it */
	for (i = 1; i < good.len; i += 5) {
		p = ecdh(flipped(good, i, i % 8), CKD_NULL);
		assert_rv(derive(CKM_ECDH1_DERIVE, key, &p, 0, 0, &out),
			  CKR_MECHANISM_PARAM_INVALID);
	}
	/* Too short, too long, none, compressed, infinity, of another curve */
	for (i = 0; i < 6; i++) {
		struct fw_bytes bad[] = {
			BYTES(good.p, 64), pattern(66), NONE,
			hex("03d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"),
			hex("00"), hex(ecdhs[1].peer),
		};

		p = ecdh(bad[i], CKD_NULL);
		assert_rv(derive(CKM_ECDH1_DERIVE, key, &p, 0, 0, &out),
			  CKR_MECHANISM_PARAM_INVALID);
	}
	/* X25519: the points of small order give nothing but zeroes (RFC 7748, 6.1). */
	p = ecdh(hex("0000000000000000000000000000000000000000000000000000000000000000"), CKD_NULL);
	assert_rv(derive(CKM_ECDH1_DERIVE, mont, &p, 0, 0, &out), CKR_MECHANISM_PARAM_INVALID);
	p = ecdh(hex("0100000000000000000000000000000000000000000000000000000000000000"), CKD_NULL);
	assert_rv(derive(CKM_ECDH1_DERIVE, mont, &p, 0, 0, &out), CKR_MECHANISM_PARAM_INVALID);
	/* Keys that cannot */
	p = ecdh(good, CKD_NULL);
	assert_rv(derive(CKM_ECDH1_DERIVE, pub, &p, 0, 0, &out), CKR_KEY_TYPE_INCONSISTENT);
	assert_rv(fw_derive(CKM_ECDSA, &p, key, NULL), CKR_MECHANISM_INVALID);
	assert_rv(fw_derive(CKM_ECDH1_DERIVE, NULL, key, NULL), CKR_MECHANISM_PARAM_INVALID);
	fw_key_unref(key);
	fw_key_unref(mont);
	fw_key_unref(pub);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ecdsa_published),
		cmocka_unit_test(test_ecdsa_numbers),
		cmocka_unit_test(test_ecdsa_sign),
		cmocka_unit_test(test_ecdsa_wrong_keys),
		cmocka_unit_test(test_eddsa),
		cmocka_unit_test(test_eddsa_variants),
		cmocka_unit_test(test_ecdh_published),
		cmocka_unit_test(test_ecdh_kdf),
		cmocka_unit_test(test_ecdh_bad_points),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
