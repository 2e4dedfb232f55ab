// SPDX-License-Identifier: GPL-2.0-or-later
/* RSA: PKCS#1 v1.5, PSS, OAEP, raw */
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "util.h"

static struct fw_key *pub, *priv;

static int setup(void **state)
{
	(void)state;
	pub = rsa_key(CKO_PUBLIC_KEY);
	priv = rsa_key(CKO_PRIVATE_KEY);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fw_key_unref(pub);
	fw_key_unref(priv);
	return 0;
}

static const struct {
	CK_ULONG	hash;
	CK_ULONG	pkcs1;
	CK_ULONG	pss;
	uint32_t	mgf;
	size_t		len;
	const char	*prefix;	/* of DigestInfo: RFC 8017, 9.2 note 1; SHA-3: its OIDs */
} hashes[] = {
	{ CKM_SHA_1, CKM_SHA1_RSA_PKCS, CKM_SHA1_RSA_PKCS_PSS, CKG_MGF1_SHA1, 20,
	  "3021300906052b0e03021a05000414" },
	{ CKM_SHA224, CKM_SHA224_RSA_PKCS, CKM_SHA224_RSA_PKCS_PSS, CKG_MGF1_SHA224, 28,
	  "302d300d06096086480165030402040500041c" },
	{ CKM_SHA256, CKM_SHA256_RSA_PKCS, CKM_SHA256_RSA_PKCS_PSS, CKG_MGF1_SHA256, 32,
	  "3031300d060960864801650304020105000420" },
	{ CKM_SHA384, CKM_SHA384_RSA_PKCS, CKM_SHA384_RSA_PKCS_PSS, CKG_MGF1_SHA384, 48,
	  "3041300d060960864801650304020205000430" },
	{ CKM_SHA512, CKM_SHA512_RSA_PKCS, CKM_SHA512_RSA_PKCS_PSS, CKG_MGF1_SHA512, 64,
	  "3051300d060960864801650304020305000440" },
	{ CKM_SHA3_224, CKM_SHA3_224_RSA_PKCS, CKM_SHA3_224_RSA_PKCS_PSS, CKG_MGF1_SHA3_224, 28,
	  "302d300d06096086480165030402070500041c" },
	{ CKM_SHA3_256, CKM_SHA3_256_RSA_PKCS, CKM_SHA3_256_RSA_PKCS_PSS, CKG_MGF1_SHA3_256, 32,
	  "3031300d060960864801650304020805000420" },
	{ CKM_SHA3_384, CKM_SHA3_384_RSA_PKCS, CKM_SHA3_384_RSA_PKCS_PSS, CKG_MGF1_SHA3_384, 48,
	  "3041300d060960864801650304020905000430" },
	{ CKM_SHA3_512, CKM_SHA3_512_RSA_PKCS, CKM_SHA3_512_RSA_PKCS_PSS, CKG_MGF1_SHA3_512, 64,
	  "3051300d060960864801650304020a05000440" },
};

static struct fw_bytes digest(size_t i, struct fw_bytes text)
{
	struct fw_bytes out;

	assert_ok(once(PCIEHSM_FN_DIGEST, hashes[i].hash, NULL, NULL, text, &out));
	return out;
}

/* RFC 7515, A.2: another key, with a signature that is published */
static void test_pkcs1_published(void **state)
{
	static const char n[] =
		"a1f8160ae2e3c9b465ce8d2d656263362b927dbe29e1f02477fc1625cc90a136"
		"e38bd93497c5b6ea63dd7711e67c7429f956b0fb8a8f089adc4b69893cc1333f"
		"53edd019b87784252fec914fe4857769594bea4280d32c0f55bf62944f130396"
		"bc6e9bdf6ebdd2bda3678eeca0c668f701b38dbffb38c8342ce2fe6d27fade4a"
		"5a4874979dd4b9cf9adec4c75b05852c2c0f5ef8a5c1750392f944e8ed64c110"
		"c6b647609aa4783aeb9c6c9ad755313050638b83665c6f6f7a82a396702a1f64"
		"1b82d3ebf2392219491fb686872c5716f50af8358d9a8b9d17c340728f7f87d8"
		"9a18d8fcab67ad84590c2ecf759339363c07034d6f606f9e21e05456cae5e9a1";
	static const char sig[] =
		"702e218943e88fd11eb5d82dbf7845f34106ae1b81fff7731116add1717d8365"
		"6d420afd3c96eedd73a2663e5166687b000b87226e0187ed1073f945e582adfc"
		"ef16d85a798ee8c66ddb3db8975b17d09402beedd5d9d97007108db28160d5f8"
		"040ca7445762b81fbe7ff9d92e0ae76f24f25b33bbe6f44ae61eb1040acb2004"
		"4d3ef9128ed40130795bd4bd3b41eecad066ab651981fde48df77f372dc38b9f"
		"afdd3befb18b5da3cc3c2eb02f9e3a41d612caad15911273a05f23b9e838faaf"
		"849d698429ef5a1e88798236c3d40e604522a544c8f27a7a2db80663d16cf7ca"
		"ea56de405cb2215a45b2c25566b55ac1a748a070dfc8a32a469543d019eefb47";
	struct fw_bytes text = TEXT("eyJhbGciOiJSUzI1NiJ9."
		"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
		"cGxlLmNvbS9pc19yb290Ijp0cnVlfQ");
	struct fw_attrs attrs;
	struct fw_key *key;
	struct fw_bytes out;

	(void)state;
	start_key(&attrs, CKO_PUBLIC_KEY, CKK_RSA);
	put_hex(&attrs, CKA_MODULUS, n);
	put_hex(&attrs, CKA_PUBLIC_EXPONENT, "010001");
	key = make_key(&attrs);
	assert_ok(verify(CKM_SHA256_RSA_PKCS, NULL, key, text, hex(sig)));
	assert_rv(verify(CKM_SHA256_RSA_PKCS, NULL, key, BYTES(text.p, text.len - 1), hex(sig)),
		  CKR_SIGNATURE_INVALID);
	assert_rv(verify(CKM_SHA384_RSA_PKCS, NULL, key, text, hex(sig)), CKR_SIGNATURE_INVALID);
	/* What is inside: DigestInfo */
	assert_ok(run(PCIEHSM_FN_VERIFY_RECOVER, CKM_RSA_PKCS, NULL, key, hex(sig), &out));
	assert_int_equal(out.len, 19 + 32);
	assert_bytes(BYTES(out.p, 19), hex(hashes[2].prefix));
	assert_bytes(BYTES(out.p + 19, 32), digest(2, text));
	fw_key_unref(key);
}

/* With each hash: the raw mechanism over DigestInfo must give the same. */
static void test_pkcs1_hashes(void **state)
{
	struct fw_bytes sig, raw, text, info;
	uint8_t mem[128];
	size_t i, len;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(hashes); i++) {
		for (len = 0; len < 600; len += 299) {
			text = pattern(len);
			info = hex(hashes[i].prefix);
			memcpy(mem, info.p, info.len);
			memcpy(mem + info.len, digest(i, text).p, hashes[i].len);
			info = BYTES(mem, info.len + hashes[i].len);
			assert_ok(run(PCIEHSM_FN_SIGN, hashes[i].pkcs1, NULL, priv, text, &sig));
			assert_int_equal(sig.len, RSA_LEN);
			assert_ok(run(PCIEHSM_FN_SIGN, CKM_RSA_PKCS, NULL, priv, info, &raw));
			assert_bytes(raw, sig);
			assert_ok(verify(hashes[i].pkcs1, NULL, pub, text, sig));
			assert_ok(verify(CKM_RSA_PKCS, NULL, pub, info, sig));
			assert_rv(verify(hashes[(i + 1) % ARRAY_SIZE(hashes)].pkcs1, NULL, pub,
					 text, sig), CKR_SIGNATURE_INVALID);
		}
	}
}

static void test_pkcs1_raw(void **state)
{
	struct fw_bytes sig, out;
	size_t len;

	(void)state;
	for (len = 0; len <= RSA_LEN - 11; len += len < 3 ? 1 : 11) {
		struct fw_bytes text = pattern(len);

		assert_ok(run(PCIEHSM_FN_SIGN, CKM_RSA_PKCS, NULL, priv, text, &sig));
		assert_ok(verify(CKM_RSA_PKCS, NULL, pub, text, sig));
		assert_ok(run(PCIEHSM_FN_SIGN_RECOVER, CKM_RSA_PKCS, NULL, priv, text, &out));
		assert_bytes(out, sig);
		assert_ok(run(PCIEHSM_FN_VERIFY_RECOVER, CKM_RSA_PKCS, NULL, pub, sig, &out));
		assert_bytes(out, text);
	}
	assert_rv(run(PCIEHSM_FN_SIGN, CKM_RSA_PKCS, NULL, priv, pattern(RSA_LEN - 10), &out),
		  CKR_DATA_LEN_RANGE);
	assert_rv(verify(CKM_RSA_PKCS, NULL, pub, pattern(RSA_LEN - 10), sig), CKR_DATA_LEN_RANGE);
}

static void test_wrong_signatures(void **state)
{
	struct fw_bytes text = TEXT("a text"), sig, out;
	size_t i;

	(void)state;
	assert_ok(run(PCIEHSM_FN_SIGN, CKM_SHA256_RSA_PKCS, NULL, priv, text, &sig));
	for (i = 0; i < RSA_LEN; i += 17)
		assert_rv(verify(CKM_SHA256_RSA_PKCS, NULL, pub, text, flipped(sig, i, i % 8)),
			  CKR_SIGNATURE_INVALID);
	assert_rv(verify(CKM_SHA256_RSA_PKCS, NULL, pub, text, BYTES(sig.p, RSA_LEN - 1)),
		  CKR_SIGNATURE_LEN_RANGE);
	assert_rv(verify(CKM_SHA256_RSA_PKCS, NULL, pub, text, pattern(RSA_LEN + 1)),
		  CKR_SIGNATURE_LEN_RANGE);
	assert_rv(verify(CKM_SHA256_RSA_PKCS, NULL, pub, text, NONE), CKR_SIGNATURE_LEN_RANGE);
	assert_rv(run(PCIEHSM_FN_VERIFY_RECOVER, CKM_RSA_PKCS, NULL, pub, pattern(RSA_LEN), &out),
		  CKR_SIGNATURE_INVALID);
	assert_rv(run(PCIEHSM_FN_VERIFY_RECOVER, CKM_RSA_PKCS, NULL, pub, pattern(9), &out),
		  CKR_SIGNATURE_LEN_RANGE);
}

static void test_wrong_keys(void **state)
{
	struct fw_key *aes = secret_key(CKK_AES, pattern(16));
	struct fw_bytes out;

	(void)state;
	assert_rv(run(PCIEHSM_FN_SIGN, CKM_RSA_PKCS, NULL, pub, TEXT("x"), &out),
		  CKR_KEY_TYPE_INCONSISTENT);
	assert_rv(run(PCIEHSM_FN_SIGN, CKM_RSA_PKCS, NULL, aes, TEXT("x"), &out),
		  CKR_KEY_TYPE_INCONSISTENT);
	assert_rv(verify(CKM_RSA_PKCS, NULL, priv, TEXT("x"), pattern(RSA_LEN)),
		  CKR_KEY_TYPE_INCONSISTENT);
	assert_rv(run(PCIEHSM_FN_ENCRYPT, CKM_RSA_PKCS, NULL, priv, TEXT("x"), &out),
		  CKR_KEY_TYPE_INCONSISTENT);
	assert_rv(run(PCIEHSM_FN_DECRYPT, CKM_RSA_PKCS, NULL, pub, pattern(RSA_LEN), &out),
		  CKR_KEY_TYPE_INCONSISTENT);
	assert_rv(run(PCIEHSM_FN_ENCRYPT, CKM_SHA256_RSA_PKCS, NULL, pub, TEXT("x"), &out),
		  CKR_MECHANISM_INVALID);
	fw_key_unref(aes);
}

/* ---- PSS ---- */

static struct fw_mech_params pss(size_t i, uint32_t salt_len)
{
	return (struct fw_mech_params){
		.have = HAVE(HASH) | HAVE(MGF) | HAVE(SALT_LEN),
		.hash = hashes[i].hash, .mgf = hashes[i].mgf, .salt_len = salt_len,
	};
}

static void test_pss_published(void **state)
{
	/* Wycheproof, rsa_pss_2048_sha256_mgf1_32_test.json, 1, 3 and 6 */
	static const struct {
		const char	*text;
		const char	*sig;
	} vectors[] = {
		{ "",
		  "4f01e0c12b08625ecac89a69231906edf826380f37c959a96690d046316d68ffce9d5c471694fceb"
		  "fc6b45534864689256e4fc81c78e583f675d0c94b449647451e81beff01a11a516d5e5ce3f1a9104"
		  "37cb8a3a5096b19fb15f4524a35b23d89cdba12cf5b71aac1047b28c562df7c5542c34ce23a182cf"
		  "7e0e231934b17294799d44877a1d68ef1b8f073619b7618e6b7c22db20030d98cf591ffc3d4da5f5"
		  "8613ecd5ecfc3b40a1d02f40891ca43695cd4c088b05a8054c89c595a47e274816f35384226f7445"
		  "9ee63e25a1bfc03c360490552ec38343f8ace502f065303b00bc0ec320711b211fde92e57feb9013"
		  "c3609342495ec0d7cabdec21e54acc38" },
		{ "54657374",
		  "401eb03cdb47ca88033e3030f6bdecbac8f5c8fc1dd6a13d23d379ed9a2b309891d13d74fea9d21d"
		  "159b9e6d8f37efa2489962e24555f56dd434ff1d31ce4f9f5abd3f22cbea8b691d6a11e44efb83e2"
		  "bca155e6a164325e0fde2a8865afd5c9f51161a9d615f62af7ec2e31b3e5ab649c164490d31d88cf"
		  "ae35b84aea7925690f929a144b6d2f48e8fb894a52deecd1b9a6496990c4ecf1588699a42cacd10c"
		  "53af350514e4291ea9a058e77f101e32c1c0cefa61d945f7bc931f8bd19e7ba3169358a60e5a8b01"
		  "23bc3199b9fdcafe8e519c41ba675491a27b85e44ef2d77277c10fe107293c8290186913bc9a99b6"
		  "40d8da041b64f31eab1d35920985f4a5" },
		{ "61",
		  "4e68a8375e086990bde05fc4bbde2d368f8d96a5bbcf16d9239fcdd45942d764fc2317d90f4f62ec"
		  "80059490240be8f32dfc32414a427c7e34be25ed0dcaee6927881e797db97a0341fdde459b9cc915"
		  "d0a348e15dcbfe1b0780472f52a887faffc988a9ceb677e1cf5638e44a9d6f2532417ed0bde5d67f"
		  "5dc9229ef1f3cfd9cb46c695738fd006cc62d02f5df76996270223060f72505ccfbdf4e88d961e2e"
		  "7763705480335148ecdd23d1202c26a963860dc769a43e44c72285092ba7f24d81844e612bf03f9c"
		  "2ddd4e5960622f71672f4e42b8a8f36c6847a05f70400207471c575d6a960fac1de809118efb5290"
		  "3ca37f12d40f6de74decb9a5b8a415d4" },
	};
	struct fw_mech_params p = pss(2, 32), q;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(vectors); i++) {
		struct fw_bytes text = hex(vectors[i].text), sig = hex(vectors[i].sig);

		assert_ok(verify(CKM_SHA256_RSA_PKCS_PSS, &p, pub, text, sig));
		assert_ok(verify(CKM_RSA_PKCS_PSS, &p, pub, digest(2, text), sig));
		/* Each parameter counts. */
		q = p;
		q.salt_len = 31;
		assert_rv(verify(CKM_SHA256_RSA_PKCS_PSS, &q, pub, text, sig),
			  CKR_SIGNATURE_INVALID);
		q = p;
		q.mgf = CKG_MGF1_SHA1;
		assert_rv(verify(CKM_SHA256_RSA_PKCS_PSS, &q, pub, text, sig),
			  CKR_SIGNATURE_INVALID);
		assert_rv(verify(CKM_SHA256_RSA_PKCS, NULL, pub, text, sig),
			  CKR_SIGNATURE_INVALID);
		assert_rv(verify(CKM_SHA256_RSA_PKCS_PSS, &p, pub, text, flipped(sig, 100, 1)),
			  CKR_SIGNATURE_INVALID);
	}
}

/* Verified by libcrypto's own interface, so that a fault that both of ours had shows. */
static bool openssl_verifies(size_t i, struct fw_bytes text, struct fw_bytes sig, int salt_len)
{
	static const char *const names[] = {
		"SHA1", "SHA224", "SHA256", "SHA384", "SHA512",
		"SHA3-224", "SHA3-256", "SHA3-384", "SHA3-512",
	};
	const uint8_t *der;
	struct fw_attrs attrs;
	EVP_PKEY_CTX *pctx;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY *key;
	bool ok;

	rsa_attrs(CKO_PUBLIC_KEY, &attrs);
	assert_ok(fw_key_complete(&attrs));
	der = get(&attrs, CKA_PUBLIC_KEY_INFO).p;
	key = d2i_PUBKEY(NULL, &der, get(&attrs, CKA_PUBLIC_KEY_INFO).len);
	fw_attrs_wipe(&attrs);
	ok = EVP_DigestVerifyInit_ex(ctx, &pctx, names[i], NULL, NULL, key, NULL) > 0 &&
	     EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) > 0 &&
	     EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, salt_len) > 0 &&
	     EVP_DigestVerify(ctx, sig.p, sig.len, text.p, text.len) == 1;
	EVP_PKEY_free(key);
	EVP_MD_CTX_free(ctx);
	return ok;
}

static void test_pss_hashes(void **state)
{
	struct fw_bytes text = pattern(500), sig, again;
	struct fw_mech_params p;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(hashes); i++) {
		uint32_t salts[] = { 0, 1, hashes[i].len, RSA_LEN - hashes[i].len - 2 };
		size_t j;

		for (j = 0; j < ARRAY_SIZE(salts); j++) {
			p = pss(i, salts[j]);
			assert_ok(once(PCIEHSM_FN_SIGN, hashes[i].pss, &p, priv, text, &sig));
			assert_ok(verify(hashes[i].pss, &p, pub, text, sig));
			assert_ok(verify(CKM_RSA_PKCS_PSS, &p, pub, digest(i, text), sig));
			assert_true(openssl_verifies(i, text, sig, salts[j]));
			assert_ok(parts(PCIEHSM_FN_SIGN, hashes[i].pss, &p, priv, text, NULL, 99,
					&again));
			assert_ok(verify(hashes[i].pss, &p, pub, text, again));
			assert_ok(once(PCIEHSM_FN_SIGN, CKM_RSA_PKCS_PSS, &p, priv, digest(i, text),
				       &again));
			assert_ok(verify(hashes[i].pss, &p, pub, text, again));
		}
		p = pss(i, salts[3] + 1);
		assert_rv(once(PCIEHSM_FN_SIGN, hashes[i].pss, &p, priv, text, &sig),
			  CKR_MECHANISM_PARAM_INVALID);
		p = pss(i, UINT32_MAX);
		assert_rv(once(PCIEHSM_FN_SIGN, hashes[i].pss, &p, priv, text, &sig),
			  CKR_MECHANISM_PARAM_INVALID);
		p = pss((i + 1) % ARRAY_SIZE(hashes), 0);
		assert_rv(once(PCIEHSM_FN_SIGN, hashes[i].pss, &p, priv, text, &sig),
			  CKR_MECHANISM_PARAM_INVALID);
		p = pss(i, 20);
		assert_rv(run(PCIEHSM_FN_SIGN, CKM_RSA_PKCS_PSS, &p, priv,
			      pattern(hashes[i].len + 1), &sig), CKR_DATA_LEN_RANGE);
		assert_rv(run(PCIEHSM_FN_SIGN, CKM_RSA_PKCS_PSS, &p, priv,
			      pattern(hashes[i].len - 1), &sig), CKR_DATA_LEN_RANGE);
	}
	p = pss(2, 32);
	p.have &= ~HAVE(MGF);
	assert_rv(run(PCIEHSM_FN_SIGN, CKM_SHA256_RSA_PKCS_PSS, &p, priv, text, &sig),
		  CKR_MECHANISM_PARAM_INVALID);
	p = pss(2, 32);
	p.mgf = 99;
	assert_rv(run(PCIEHSM_FN_SIGN, CKM_SHA256_RSA_PKCS_PSS, &p, priv, text, &sig),
		  CKR_MECHANISM_PARAM_INVALID);
	assert_rv(run(PCIEHSM_FN_SIGN, CKM_SHA256_RSA_PKCS_PSS, NULL, priv, text, &sig),
		  CKR_MECHANISM_PARAM_INVALID);
}

/* ---- encryption ---- */

static struct fw_mech_params oaep(size_t hash, size_t mgf, struct fw_bytes label)
{
	return (struct fw_mech_params){
		.have = HAVE(HASH) | HAVE(MGF) | (label.len ? HAVE(SOURCE) : 0),
		.hash = hashes[hash].hash, .mgf = hashes[mgf].mgf, .source = label,
	};
}

static void test_oaep_published(void **state)
{
	/* Wycheproof, rsa_oaep_2048_sha256_mgf1sha256_test.json, 1, 3, 8 */
	static const struct {
		const char	*text;
		const char	*label;
		const char	*sealed;
	} vectors[] = {
		{ "", "",
		  "6e62bf24d95aff6868afec2a92a445b6458f16f688c19fe1212f66a63137831653cedd359d8cff4d"
		  "d485d77dfd55812c181373201f54aafd65730d2a304e623455d51125d891e65d97fce52341cae45f"
		  "b64c38a384a1c621e2713ee6794633f029a9fd4d774f56551eac2176162e162640f25eab873a3451"
		  "c475570f19228bcede4c67c370a75ed7fabccd538c9819eff182481b10d42f1a9f6a05373b8cf9b7"
		  "1818d467bd3b8ebacb619e8ad42916e600c043effceb3855bc48a629e60ae886f51b2a7876b0e623"
		  "fb2ce68af4b039242f963adb0e4240aed0ed07f65f1ee7c0cc77d210d0c2d1dc10c81b881aa0c9c9"
		  "e9499665cf2970d2ccfeeb3191531765" },
		{ "54657374", "",
		  "5eab3f0741e63986ed647d53e1cd71df041986900803d0f99c68355d249a15a47dc5b4f70a191477"
		  "654299e5a2731f3b4eec76dea18262fc696ac794e5f66cbfcddac4472c578e246c26707598055584"
		  "540b839836b1404c5611ae558a984cee8fd036cea924e0be2474a940f61e0acc14fcae95ebdc5994"
		  "2a9ce9af9a9c81999f7f6815f057ffdc2533cb15d6391d1e2d95f16f9c04209c889a4c359c7d2926"
		  "d28a66e2b030a416b928d2825627998e5191fb4983a6e65024262d94fc09187a2d78162122433251"
		  "d1bfcc8e507d06eba2d229c10031261da32ab8ccd15f1c5f9fbf07ed158483d736a110af4b44d6a4"
		  "da60d6cb519b4454213cf9f0dc560f2b" },
		{ "313233343030", "0000000000000000",
		  "6583e2f176aa7e7f655d2c53497349c156c8851fb23325589e85fb83bfa857346caba222cdaa3234"
		  "e71564154298c24dbb85e18822a1d5e7faa47863a64d76874a3cbc70f4d9f137426a344c473fac1d"
		  "d7008a9973765e9f66c5b492535a647c273c4f78ceb5aa7ba963a2142f2ce4a81f804c002b9b2eab"
		  "b3c75e80a3c6ceafe5384a544c672a5d28d32bb87115f43eb79775fd9b3f4a2f6e6a89368bdd95ef"
		  "1d014877b60afdb1234acd57653a65459f01b2fbe381f22a739504b4897a7e6c33b6349b276db608"
		  "3abad9c169405859b800c812237634b503de6ada43013c1d86697a135be78a9784576d796d62aa78"
		  "19e2ea0e2d902ffdd9cfdd1ae66212ee" },
	};
	struct fw_mech_params p;
	struct fw_bytes out;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(vectors); i++) {
		p = oaep(2, 2, hex(vectors[i].label));
		assert_ok(run(PCIEHSM_FN_DECRYPT, CKM_RSA_PKCS_OAEP, &p, priv,
			      hex(vectors[i].sealed), &out));
		assert_hex(out, vectors[i].text);
		p = oaep(2, 2, TEXT("another"));
		assert_rv(run(PCIEHSM_FN_DECRYPT, CKM_RSA_PKCS_OAEP, &p, priv,
			      hex(vectors[i].sealed), &out), CKR_ENCRYPTED_DATA_INVALID);
		p = oaep(2, 0, hex(vectors[i].label));
		assert_rv(run(PCIEHSM_FN_DECRYPT, CKM_RSA_PKCS_OAEP, &p, priv,
			      hex(vectors[i].sealed), &out), CKR_ENCRYPTED_DATA_INVALID);
	}
}

static void test_oaep_hashes(void **state)
{
	struct fw_mech_params p;
	struct fw_bytes out;
	size_t i, most;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(hashes); i++) {
		most = RSA_LEN - 2 * hashes[i].len - 2;
		p = oaep(i, (i + 3) % ARRAY_SIZE(hashes), i % 2 ? TEXT("label") : NONE);
		assert_ok(once(PCIEHSM_FN_ENCRYPT, CKM_RSA_PKCS_OAEP, &p, pub, pattern(most),
			       &out));
		assert_ok(run(PCIEHSM_FN_DECRYPT, CKM_RSA_PKCS_OAEP, &p, priv, out, &out));
		assert_bytes(out, pattern(most));
		assert_ok(parts(PCIEHSM_FN_ENCRYPT, CKM_RSA_PKCS_OAEP, &p, pub, NONE, NULL, 1,
				&out));
		assert_ok(run(PCIEHSM_FN_DECRYPT, CKM_RSA_PKCS_OAEP, &p, priv, out, &out));
		assert_int_equal(out.len, 0);
		assert_rv(run(PCIEHSM_FN_ENCRYPT, CKM_RSA_PKCS_OAEP, &p, pub, pattern(most + 1),
			      &out), CKR_DATA_LEN_RANGE);
	}
	assert_rv(run(PCIEHSM_FN_DECRYPT, CKM_RSA_PKCS_OAEP, &p, priv, pattern(RSA_LEN - 1), &out),
		  CKR_ENCRYPTED_DATA_LEN_RANGE);
	p.hash = CKM_MD5;
	assert_rv(run(PCIEHSM_FN_ENCRYPT, CKM_RSA_PKCS_OAEP, &p, pub, NONE, &out),
		  CKR_MECHANISM_PARAM_INVALID);
	assert_rv(run(PCIEHSM_FN_ENCRYPT, CKM_RSA_PKCS_OAEP, NULL, pub, NONE, &out),
		  CKR_MECHANISM_PARAM_INVALID);
}

static void test_pkcs1_encryption(void **state)
{
	uint8_t block[RSA_LEN];
	struct fw_bytes sealed, out;
	size_t len, i;

	(void)state;
	for (len = 0; len <= RSA_LEN - 11; len += 49) {
		assert_ok(once(PCIEHSM_FN_ENCRYPT, CKM_RSA_PKCS, NULL, pub, pattern(len), &sealed));
		assert_int_equal(sealed.len, RSA_LEN);
		assert_ok(run(PCIEHSM_FN_DECRYPT, CKM_RSA_PKCS, NULL, priv, sealed, &out));
		assert_bytes(out, pattern(len));
	}
	assert_rv(run(PCIEHSM_FN_ENCRYPT, CKM_RSA_PKCS, NULL, pub, pattern(RSA_LEN - 10), &out),
		  CKR_DATA_LEN_RANGE);
	/* Blocks that are no padding: 00 02, at least 8 bytes other than 0, 00 */
	for (i = 0; i < 4; i++) {
		memset(block, 0x77, sizeof(block));
		block[0] = 0;
		block[1] = i == 0 ? 1 : 2;
		if (i != 1)
			block[100] = 0;
		if (i == 2)
			block[9] = 0;
		assert_ok(once(PCIEHSM_FN_ENCRYPT, CKM_RSA_X_509, NULL, pub,
			       BYTES(block, sizeof(block)), &sealed));
		assert_rv(run(PCIEHSM_FN_DECRYPT, CKM_RSA_PKCS, NULL, priv, sealed, &out),
			  i == 3 ? CKR_OK : CKR_ENCRYPTED_DATA_INVALID);
	}
	assert_int_equal(out.len, RSA_LEN - 101);
	assert_rv(run(PCIEHSM_FN_DECRYPT, CKM_RSA_PKCS, NULL, priv, pattern(RSA_LEN + 1), &out),
		  CKR_ENCRYPTED_DATA_LEN_RANGE);
}

/* ---- raw ---- */

static void test_raw(void **state)
{
	uint8_t block[RSA_LEN];
	struct fw_bytes sig, out, modulus;
	struct fw_attrs attrs;
	size_t len;

	(void)state;
	for (len = 0; len < RSA_LEN; len += 51) {
		memset(block, 0, sizeof(block));
		memcpy(block + RSA_LEN - len, pattern(len).p, len);
		assert_ok(run(PCIEHSM_FN_SIGN, CKM_RSA_X_509, NULL, priv, pattern(len), &sig));
		assert_ok(verify(CKM_RSA_X_509, NULL, pub, pattern(len), sig));
		assert_ok(verify(CKM_RSA_X_509, NULL, pub, BYTES(block, RSA_LEN), sig));
		assert_ok(run(PCIEHSM_FN_VERIFY_RECOVER, CKM_RSA_X_509, NULL, pub, sig, &out));
		assert_bytes(out, BYTES(block, RSA_LEN));
		assert_ok(run(PCIEHSM_FN_ENCRYPT, CKM_RSA_X_509, NULL, pub, pattern(len), &out));
		assert_ok(run(PCIEHSM_FN_DECRYPT, CKM_RSA_X_509, NULL, priv, out, &out));
		assert_bytes(out, BYTES(block, RSA_LEN));
		if (len)
			assert_rv(verify(CKM_RSA_X_509, NULL, pub, pattern(len),
					 flipped(sig, 99, 0)), CKR_SIGNATURE_INVALID);
	}
	assert_rv(run(PCIEHSM_FN_SIGN, CKM_RSA_X_509, NULL, priv, pattern(RSA_LEN + 1), &out),
		  CKR_DATA_LEN_RANGE);
	/* The modulus itself is too big a number, one less is not. */
	rsa_attrs(CKO_PUBLIC_KEY, &attrs);
	modulus = flipped(get(&attrs, CKA_MODULUS), 0, 0);
	modulus = flipped(modulus, 0, 0);
	fw_attrs_wipe(&attrs);
	assert_rv(run(PCIEHSM_FN_SIGN, CKM_RSA_X_509, NULL, priv, modulus, &out), CKR_DATA_INVALID);
	assert_rv(run(PCIEHSM_FN_ENCRYPT, CKM_RSA_X_509, NULL, pub, modulus, &out),
		  CKR_DATA_INVALID);
	assert_ok(run(PCIEHSM_FN_SIGN, CKM_RSA_X_509, NULL, priv, flipped(modulus, RSA_LEN - 1, 0),
		      &out));
	assert_rv(verify(CKM_RSA_X_509, NULL, pub, pattern(4), modulus), CKR_SIGNATURE_INVALID);
	assert_rv(run(PCIEHSM_FN_DECRYPT, CKM_RSA_X_509, NULL, priv, modulus, &out),
		  CKR_ENCRYPTED_DATA_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pkcs1_published),
		cmocka_unit_test(test_pkcs1_hashes),
		cmocka_unit_test(test_pkcs1_raw),
		cmocka_unit_test(test_wrong_signatures),
		cmocka_unit_test(test_wrong_keys),
		cmocka_unit_test(test_pss_published),
		cmocka_unit_test(test_pss_hashes),
		cmocka_unit_test(test_oaep_published),
		cmocka_unit_test(test_oaep_hashes),
		cmocka_unit_test(test_pkcs1_encryption),
		cmocka_unit_test(test_raw),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
