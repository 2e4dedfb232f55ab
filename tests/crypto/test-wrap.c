// SPDX-License-Identifier: GPL-2.0-or-later
/* Wrapping, unwrapping, HKDF */
#include "util.h"

#define KEK	"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static struct fw_key *kek, *pub, *priv;

static int setup(void **state)
{
	(void)state;
	kek = secret_key(CKK_AES, hex(KEK));
	pub = rsa_key(CKO_PUBLIC_KEY);
	priv = rsa_key(CKO_PRIVATE_KEY);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fw_key_unref(kek);
	fw_key_unref(pub);
	fw_key_unref(priv);
	return 0;
}

static CK_RV wrap(CK_ULONG mech, const struct fw_mech_params *p, struct fw_key *key,
		  struct fw_key *target, struct fw_bytes *out)
{
	static uint8_t mem[8192];
	size_t bound = 0, len;
	CK_RV rv;

	*out = NONE;
	rv = fw_wrap(mech, p, key, target, NULL, &bound);
	if (rv != CKR_OK)
		return rv;
	assert_true(bound <= sizeof(mem));
	len = bound;
	rv = fw_wrap(mech, p, key, target, mem, &len);
	if (rv != CKR_OK)
		return rv;
	*out = BYTES(mem, len);
	/* One byte less is too little, and says so. */
	len--;
	assert_rv(fw_wrap(mech, p, key, target, mem + 4096, &len), CKR_BUFFER_TOO_SMALL);
	return CKR_OK;
}

/* The parameters of each mechanism that wraps */
static const struct {
	CK_ULONG	mech;
	bool		rsa;
	bool		secrets_only;
	bool		zero_pads;
} mechs[] = {
	{ CKM_AES_KEY_WRAP, false, false, false },
	{ CKM_AES_KEY_WRAP_KWP, false, false, false },
	{ CKM_AES_KEY_WRAP_PAD, false, false, false },
	{ CKM_AES_ECB, false, true, true },
	{ CKM_AES_CBC, false, true, true },
	{ CKM_AES_CBC_PAD, false, false, false },
	{ CKM_AES_CTR, false, false, false },
	{ CKM_AES_GCM, false, false, false },
	{ CKM_RSA_PKCS, true, true, false },
	{ CKM_RSA_PKCS_OAEP, true, true, false },
};

static struct fw_mech_params params_of(CK_ULONG mech)
{
	struct fw_mech_params p = { 0 };

	switch (mech) {
	case CKM_AES_CTR:
		p.have = HAVE(COUNTER_BITS);
		p.counter_bits = 128;
		/* fall through */
	case CKM_AES_CBC:
	case CKM_AES_CBC_PAD:
		p.have |= HAVE(IV);
		p.iv = TEXT("0123456789abcdef");
		break;
	case CKM_AES_GCM:
		p.have = HAVE(IV) | HAVE(TAG_BITS);
		p.iv = TEXT("0123456789ab");
		p.tag_bits = 128;
		break;
	case CKM_RSA_PKCS_OAEP:
		p.have = HAVE(HASH) | HAVE(MGF);
		p.hash = CKM_SHA256;
		p.mgf = CKG_MGF1_SHA256;
		break;
	}
	return p;
}

static void test_wrap_published(void **state)
{
	/* RFC 3394, 4.6 */
	struct fw_key *target = secret_key(CKK_AES,
		hex("00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f"));
	struct fw_bytes out;
	struct fw_attrs a;

	(void)state;
	assert_ok(wrap(CKM_AES_KEY_WRAP, NULL, kek, target, &out));
	assert_hex(out, "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326"
			"cbc7f0e71a99f43bfb988b9b7a02dd21");
	start_key(&a, CKO_SECRET_KEY, CKK_AES);
	assert_ok(fw_unwrap(CKM_AES_KEY_WRAP, NULL, kek, out.p, out.len, &a));
	assert_hex(get(&a, CKA_VALUE),
		   "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f");
	assert_int_equal(get_ulong(&a, CKA_VALUE_LEN), 32);
	assert_int_equal(get(&a, CKA_CHECK_VALUE).len, 3);
	fw_attrs_wipe(&a);
	fw_key_unref(target);
}

static void test_wrap_secrets(void **state)
{
	static const size_t lens[] = { 1, 16, 20, 24, 32, 100 };
	struct fw_mech_params p;
	struct fw_bytes out, value;
	struct fw_attrs a;
	size_t i, j, at;
	CK_RV rv;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(mechs); i++) {
		struct fw_key *key = mechs[i].rsa ? pub : kek, *back = mechs[i].rsa ? priv : kek;

		p = params_of(mechs[i].mech);
		for (j = 0; j < ARRAY_SIZE(lens); j++) {
			/* Zeroes at its end must survive the padding. */
			uint8_t mem[100] = { 0 };
			struct fw_key *target;

			memcpy(mem, pattern(lens[j]).p, lens[j]);
			mem[lens[j] - 1] = lens[j] == 20 ? 0 : 1;
			value = BYTES(mem, lens[j]);
			target = secret_key(CKK_GENERIC_SECRET, value);
			rv = wrap(mechs[i].mech, &p, key, target, &out);
			fw_key_unref(target);
			if (mechs[i].mech == CKM_AES_KEY_WRAP && (lens[j] % 8 || lens[j] < 16)) {
				assert_rv(rv, CKR_KEY_SIZE_RANGE);
				continue;
			}
			assert_ok(rv);
			start_key(&a, CKO_SECRET_KEY, CKK_GENERIC_SECRET);
			if (mechs[i].zero_pads)
				assert_ok(fw_attrs_put_ulong(&a, CKA_VALUE_LEN, lens[j]));
			assert_ok(fw_unwrap(mechs[i].mech, &p, back, out.p, out.len, &a));
			assert_bytes(get(&a, CKA_VALUE), value);
			fw_attrs_wipe(&a);
			/* A length that it has not */
			start_key(&a, CKO_SECRET_KEY, CKK_GENERIC_SECRET);
			assert_ok(fw_attrs_put_ulong(&a, CKA_VALUE_LEN, lens[j] + 32));
			assert_rv(fw_unwrap(mechs[i].mech, &p, back, out.p, out.len, &a),
				  CKR_TEMPLATE_INCONSISTENT);
			fw_attrs_wipe(&a);
			/* Changed: what has integrity says so. */
			if (mechs[i].mech == CKM_AES_ECB || mechs[i].mech == CKM_AES_CBC ||
			    mechs[i].mech == CKM_AES_CBC_PAD || mechs[i].mech == CKM_AES_CTR)
				continue;
			for (at = 0; at < out.len; at += 11) {
				struct fw_bytes bad = flipped(out, at, 6);

				start_key(&a, CKO_SECRET_KEY, CKK_GENERIC_SECRET);
				assert_rv(fw_unwrap(mechs[i].mech, &p, back, bad.p, bad.len, &a),
					  CKR_WRAPPED_KEY_INVALID);
				fw_attrs_wipe(&a);
			}
		}
	}
}

/* The zeroes that ECB and CBC add are cut off, nothing else is. */
static void test_zero_padding(void **state)
{
	struct fw_key *target = secret_key(CKK_GENERIC_SECRET, TEXT("0123456789abcdefXY"));
	struct fw_bytes out;
	struct fw_attrs a;

	(void)state;
	assert_ok(wrap(CKM_AES_ECB, NULL, kek, target, &out));
	assert_int_equal(out.len, 32);
	start_key(&a, CKO_SECRET_KEY, CKK_GENERIC_SECRET);
	assert_ok(fw_unwrap(CKM_AES_ECB, NULL, kek, out.p, out.len, &a));
	assert_int_equal(get(&a, CKA_VALUE).len, 32);
	fw_attrs_wipe(&a);
	start_key(&a, CKO_SECRET_KEY, CKK_GENERIC_SECRET);
	assert_ok(fw_attrs_put_ulong(&a, CKA_VALUE_LEN, 17));
	assert_rv(fw_unwrap(CKM_AES_ECB, NULL, kek, out.p, out.len, &a), CKR_TEMPLATE_INCONSISTENT);
	fw_attrs_wipe(&a);
	start_key(&a, CKO_SECRET_KEY, CKK_GENERIC_SECRET);
	assert_ok(fw_attrs_put_ulong(&a, CKA_VALUE_LEN, 16));
	assert_rv(fw_unwrap(CKM_AES_ECB, NULL, kek, out.p, out.len, &a), CKR_TEMPLATE_INCONSISTENT);
	fw_attrs_wipe(&a);
	fw_key_unref(target);
}

static void test_wrap_private(void **state)
{
	static const struct {
		CK_ULONG	gen;
		CK_ULONG	type;
		const char	*params;
	} keys[] = {
		{ CKM_EC_KEY_PAIR_GEN, CKK_EC, P256 },
		{ CKM_EC_KEY_PAIR_GEN, CKK_EC, P521 },
		{ CKM_EC_KEY_PAIR_GEN, CKK_EC, K256 },
		{ CKM_EC_EDWARDS_KEY_PAIR_GEN, CKK_EC_EDWARDS, ED25519 },
		{ CKM_EC_MONTGOMERY_KEY_PAIR_GEN, CKK_EC_MONTGOMERY, X25519 },
		{ 0, CKK_RSA, NULL },
	};
	struct fw_attrs want = { 0 }, ignored = { 0 }, a;
	struct fw_mech_params p;
	struct fw_key *target;
	struct fw_bytes out;
	size_t i, j;
	CK_RV rv;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		if (keys[i].params) {
			put_hex(&ignored, CKA_EC_PARAMS, keys[i].params);
			assert_ok(fw_generate_key_pair(keys[i].gen, &ignored, &want, NULL));
			fw_attrs_remove(&want, CKA_LOCAL);
			fw_attrs_remove(&want, CKA_KEY_GEN_MECHANISM);
		} else {
			rsa_attrs(CKO_PRIVATE_KEY, &want);
			assert_ok(fw_key_complete(&want));
		}
		assert_ok(fw_key_from_attrs(&want, &target));
		for (j = 0; j < ARRAY_SIZE(mechs); j++) {
			p = params_of(mechs[j].mech);
			rv = wrap(mechs[j].mech, &p, mechs[j].rsa ? pub : kek, target, &out);
			if (mechs[j].secrets_only) {
				assert_rv(rv, CKR_KEY_NOT_WRAPPABLE);
				continue;
			}
			/* KW takes whole semiblocks; whether PKCS#8 is such is chance. */
			if (mechs[j].mech == CKM_AES_KEY_WRAP && rv == CKR_KEY_SIZE_RANGE)
				continue;
			assert_ok(rv);
			start_key(&a, CKO_PRIVATE_KEY, keys[i].type);
			assert_ok(fw_unwrap(mechs[j].mech, &p, kek, out.p, out.len, &a));
			assert_true(fw_attrs_equal(&a, &want));
			fw_attrs_wipe(&a);
			/* Of another type, or as a secret key */
			start_key(&a, CKO_PRIVATE_KEY, keys[i].type == CKK_RSA ? CKK_EC : CKK_RSA);
			assert_rv(fw_unwrap(mechs[j].mech, &p, kek, out.p, out.len, &a),
				  CKR_TEMPLATE_INCONSISTENT);
			fw_attrs_wipe(&a);
			start_key(&a, CKO_SECRET_KEY, CKK_AES);
			assert_rv(fw_unwrap(mechs[j].mech, &p, kek, out.p, out.len, &a),
				  CKR_WRAPPED_KEY_LEN_RANGE);
			fw_attrs_wipe(&a);
		}
		fw_key_unref(target);
		fw_attrs_wipe(&want);
		fw_attrs_wipe(&ignored);
	}
}

/* What opens but is no private key */
static void test_unwrap_garbage(void **state)
{
	struct fw_mech_params p = params_of(CKM_AES_CBC_PAD);
	struct fw_key *target;
	struct fw_bytes out, good;
	uint8_t mem[2048];
	struct fw_attrs a;
	size_t i;

	(void)state;
	target = rsa_key(CKO_PRIVATE_KEY);
	assert_ok(wrap(CKM_AES_CBC_PAD, &p, kek, target, &out));
	fw_key_unref(target);
	assert_ok(once(PCIEHSM_FN_DECRYPT, CKM_AES_CBC_PAD, &p, kek, out, &good));
	/* Bytes behind it; cut; changed in its algorithm, its length, a prime */
	for (i = 0; i < 5; i++) {
		size_t len = good.len;

		memcpy(mem, good.p, len);
		if (i == 0)
			mem[len++] = 0;
		else if (i == 1)
			len--;
		else
			mem[i == 2 ? 15 : i == 3 ? 2 : 900] ^= 0x10;
		assert_ok(once(PCIEHSM_FN_ENCRYPT, CKM_AES_CBC_PAD, &p, kek, BYTES(mem, len),
			       &out));
		start_key(&a, CKO_PRIVATE_KEY, CKK_RSA);
		/* A part that does not fit the others is CKR_TEMPLATE_INCONSISTENT. */
		if (i == 4)
			assert_rv(fw_unwrap(CKM_AES_CBC_PAD, &p, kek, out.p, out.len, &a),
				  CKR_TEMPLATE_INCONSISTENT);
		else
			assert_rv(fw_unwrap(CKM_AES_CBC_PAD, &p, kek, out.p, out.len, &a),
				  CKR_WRAPPED_KEY_INVALID);
		fw_attrs_wipe(&a);
	}
}

static void test_wrap_errors(void **state)
{
	struct fw_key *hmac = secret_key(CKK_SHA256_HMAC, pattern(32));
	struct fw_key *big = secret_key(CKK_GENERIC_SECRET, pattern(300));
	struct fw_mech_params p = params_of(CKM_AES_CBC);
	struct fw_bytes out;
	struct fw_attrs a;

	(void)state;
	assert_rv(wrap(CKM_AES_KEY_WRAP, NULL, hmac, hmac, &out),
		  CKR_WRAPPING_KEY_TYPE_INCONSISTENT);
	assert_rv(wrap(CKM_RSA_PKCS, NULL, priv, hmac, &out), CKR_WRAPPING_KEY_TYPE_INCONSISTENT);
	assert_rv(wrap(CKM_RSA_PKCS, NULL, pub, big, &out), CKR_KEY_SIZE_RANGE);
	assert_rv(wrap(CKM_AES_KEY_WRAP_KWP, NULL, kek, pub, &out), CKR_KEY_NOT_WRAPPABLE);
	assert_rv(wrap(CKM_RSA_X_509, NULL, pub, hmac, &out), CKR_MECHANISM_INVALID);
	assert_rv(wrap(CKM_SHA256_HMAC, NULL, hmac, hmac, &out), CKR_MECHANISM_INVALID);
	assert_rv(wrap(CKM_AES_KEY_WRAP, &p, kek, hmac, &out), CKR_MECHANISM_PARAM_INVALID);

	start_key(&a, CKO_SECRET_KEY, CKK_AES);
	assert_rv(fw_unwrap(CKM_AES_KEY_WRAP, NULL, hmac, pattern(24).p, 24, &a),
		  CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT);
	assert_rv(fw_unwrap(CKM_RSA_PKCS, NULL, pub, pattern(RSA_LEN).p, RSA_LEN, &a),
		  CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT);
	assert_rv(fw_unwrap(CKM_RSA_PKCS, NULL, priv, pattern(9).p, 9, &a),
		  CKR_WRAPPED_KEY_LEN_RANGE);
	assert_rv(fw_unwrap(CKM_AES_KEY_WRAP, NULL, kek, pattern(25).p, 25, &a),
		  CKR_WRAPPED_KEY_LEN_RANGE);
	assert_rv(fw_unwrap(CKM_AES_KEY_WRAP, NULL, kek, pattern(24).p, 24, &a),
		  CKR_WRAPPED_KEY_INVALID);
	put_hex(&a, CKA_VALUE, "00");
	assert_rv(fw_unwrap(CKM_AES_KEY_WRAP, NULL, kek, pattern(24).p, 24, &a),
		  CKR_TEMPLATE_INCONSISTENT);
	fw_attrs_wipe(&a);
	assert_rv(fw_unwrap(CKM_AES_KEY_WRAP, NULL, kek, pattern(24).p, 24, &a),
		  CKR_TEMPLATE_INCOMPLETE);
	start_key(&a, CKO_PUBLIC_KEY, CKK_RSA);
	assert_rv(fw_unwrap(CKM_AES_KEY_WRAP, NULL, kek, pattern(24).p, 24, &a),
		  CKR_TEMPLATE_INCONSISTENT);
	fw_attrs_wipe(&a);
	/* A length that the type does not allow: 20 bytes as AES */
	fw_key_unref(big);
	big = secret_key(CKK_GENERIC_SECRET, pattern(20));
	assert_ok(wrap(CKM_RSA_PKCS, NULL, pub, big, &out));
	start_key(&a, CKO_SECRET_KEY, CKK_AES);
	assert_rv(fw_unwrap(CKM_RSA_PKCS, NULL, priv, out.p, out.len, &a),
		  CKR_WRAPPED_KEY_LEN_RANGE);
	fw_attrs_wipe(&a);
	fw_key_unref(hmac);
	fw_key_unref(big);
}

/* ---- HKDF: RFC 5869, appendix A ---- */

static const struct {
	uint32_t	hash;
	const char	*ikm;
	const char	*salt;
	const char	*info;
	const char	*prk;
	const char	*okm;
} hkdfs[] = {
	{ CKM_SHA256, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
	  "f0f1f2f3f4f5f6f7f8f9",
	  "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
	  "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865" },
	{ CKM_SHA256,
	  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	  "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
	  "404142434445464748494a4b4c4d4e4f",
	  "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f"
	  "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
	  "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
	  "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
	  "d0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeef"
	  "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
	  "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
	  "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
	  "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
	  "cc30c58179ec3e87c14c01d5c1f3434f1d87" },
	{ CKM_SHA256, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
	  "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
	  "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8" },
	{ CKM_SHA_1, "0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
	  "9b6c18c432a7bf8f0e71c8eb88f4b30baa2ba243",
	  "085a01ea1b10f36933068b56efa5ad81a4f14b822f5b091568a9cdd4f155fda2c22e422478d305f3f896" },
	{ CKM_SHA_1, "0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c", "", "",
	  "2adccada18779e7c2077ad2eb19d3f3e731385dd",
	  "2c91117204d745f3500d636a62f64f0ab3bae548aa53d423b0d1f27ebba6f5e5673a081d70cce7acfc48" },
};

static CK_RV hkdf(CK_ULONG mech, struct fw_key *key, const struct fw_mech_params *p, size_t len,
		  struct fw_attrs *a)
{
	memset(a, 0, sizeof(*a));
	if (len)
		assert_ok(fw_attrs_put_ulong(a, CKA_VALUE_LEN, len));
	return fw_derive(mech, p, key, a);
}

static void test_hkdf(void **state)
{
	struct fw_key *key, *salt_key;
	struct fw_mech_params p;
	struct fw_attrs a;
	size_t i, len;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(hkdfs); i++) {
		len = strlen(hkdfs[i].okm) / 2;
		p = (struct fw_mech_params){
			.have = HAVE(HASH) | HAVE(HKDF) | HAVE(SALT) | HAVE(INFO),
			.hash = hkdfs[i].hash, .hkdf = 3,
			.salt = hex(hkdfs[i].salt), .info = hex(hkdfs[i].info),
		};
		key = secret_key(CKK_HKDF, hex(hkdfs[i].ikm));
		/* All in one, as a key and as data */
		assert_ok(hkdf(CKM_HKDF_DERIVE, key, &p, len, &a));
		assert_hex(get(&a, CKA_VALUE), hkdfs[i].okm);
		fw_attrs_wipe(&a);
		assert_ok(hkdf(CKM_HKDF_DATA, key, &p, len, &a));
		assert_hex(get(&a, CKA_VALUE), hkdfs[i].okm);
		assert_int_equal(get_ulong(&a, CKA_CLASS), CKO_DATA);
		assert_false(fw_attrs_has(&a, CKA_VALUE_LEN));
		assert_false(fw_attrs_has(&a, CKA_KEY_TYPE));
		fw_attrs_wipe(&a);
		/* The salt from a key; none at all is the same as an empty one */
		if (p.salt.len) {
			salt_key = secret_key(CKK_GENERIC_SECRET, p.salt);
			p.have = (p.have & ~HAVE(SALT)) | HAVE(SALT_KEY);
			p.salt_key = salt_key;
			assert_ok(hkdf(CKM_HKDF_DERIVE, key, &p, len, &a));
			assert_hex(get(&a, CKA_VALUE), hkdfs[i].okm);
			fw_attrs_wipe(&a);
			p.have |= HAVE(SALT);
			assert_rv(hkdf(CKM_HKDF_DERIVE, key, &p, len, &a),
				  CKR_MECHANISM_PARAM_INVALID);
			fw_attrs_wipe(&a);
			p.have &= ~HAVE(SALT_KEY);
			fw_key_unref(salt_key);
		} else {
			p.have &= ~(HAVE(SALT) | HAVE(INFO));
			assert_ok(hkdf(CKM_HKDF_DERIVE, key, &p, len, &a));
			assert_hex(get(&a, CKA_VALUE), hkdfs[i].okm);
			fw_attrs_wipe(&a);
		}
		/* In two steps */
		p.hkdf = 1;
		assert_ok(hkdf(CKM_HKDF_DERIVE, key, &p, 0, &a));
		assert_hex(get(&a, CKA_VALUE), hkdfs[i].prk);
		fw_key_unref(key);
		key = make_key(&a);
		p.hkdf = 2;
		assert_ok(hkdf(CKM_HKDF_DERIVE, key, &p, len, &a));
		assert_hex(get(&a, CKA_VALUE), hkdfs[i].okm);
		fw_attrs_wipe(&a);
		fw_key_unref(key);
	}
}

static void test_hkdf_errors(void **state)
{
	struct fw_key *key = secret_key(CKK_GENERIC_SECRET, pattern(32));
	const struct fw_mech_params good = {
		.have = HAVE(HASH) | HAVE(HKDF), .hash = CKM_SHA256, .hkdf = 3,
	};
	struct fw_mech_params p;
	struct fw_attrs a;

	(void)state;
	/* How much it can give: 255 hashes; keys are limited to 512 bytes. */
	assert_ok(hkdf(CKM_HKDF_DATA, key, &good, 255 * 32, &a));
	fw_attrs_wipe(&a);
	assert_rv(hkdf(CKM_HKDF_DATA, key, &good, 255 * 32 + 1, &a), CKR_KEY_SIZE_RANGE);
	fw_attrs_wipe(&a);
	assert_rv(hkdf(CKM_HKDF_DERIVE, key, &good, 513, &a), CKR_KEY_SIZE_RANGE);
	fw_attrs_wipe(&a);
	assert_rv(hkdf(CKM_HKDF_DERIVE, key, &good, 0, &a), CKR_TEMPLATE_INCOMPLETE);
	fw_attrs_wipe(&a);
	p = good;
	p.hkdf = 1;
	assert_rv(hkdf(CKM_HKDF_DERIVE, key, &p, 31, &a), CKR_TEMPLATE_INCONSISTENT);
	fw_attrs_wipe(&a);
	p.hkdf = 0;
	assert_rv(hkdf(CKM_HKDF_DERIVE, key, &p, 32, &a), CKR_MECHANISM_PARAM_INVALID);
	fw_attrs_wipe(&a);
	p.hkdf = 4;
	assert_rv(hkdf(CKM_HKDF_DERIVE, key, &p, 32, &a), CKR_MECHANISM_PARAM_INVALID);
	fw_attrs_wipe(&a);
	p = good;
	p.hash = CKM_SHA256_HMAC;
	assert_rv(hkdf(CKM_HKDF_DERIVE, key, &p, 32, &a), CKR_MECHANISM_PARAM_INVALID);
	fw_attrs_wipe(&a);
	p = good;
	p.have |= HAVE(INFO);
	p.info = pattern(1024);
	assert_ok(hkdf(CKM_HKDF_DERIVE, key, &p, 32, &a));
	fw_attrs_wipe(&a);
	p.info = pattern(1025);
	assert_rv(hkdf(CKM_HKDF_DERIVE, key, &p, 32, &a), CKR_MECHANISM_PARAM_INVALID);
	fw_attrs_wipe(&a);
	assert_rv(hkdf(CKM_HKDF_DERIVE, kek, &good, 32, &a), CKR_KEY_TYPE_INCONSISTENT);
	fw_attrs_wipe(&a);
	assert_rv(hkdf(CKM_HKDF_DERIVE, priv, &good, 32, &a), CKR_KEY_TYPE_INCONSISTENT);
	fw_attrs_wipe(&a);
	/* Templates */
	start_key(&a, CKO_PRIVATE_KEY, CKK_RSA);
	assert_rv(fw_derive(CKM_HKDF_DERIVE, &good, key, &a), CKR_TEMPLATE_INCONSISTENT);
	fw_attrs_wipe(&a);
	start_key(&a, CKO_SECRET_KEY, CKK_RSA);
	assert_rv(fw_derive(CKM_HKDF_DERIVE, &good, key, &a), CKR_TEMPLATE_INCONSISTENT);
	fw_attrs_wipe(&a);
	start_key(&a, CKO_SECRET_KEY, CKK_AES);
	assert_rv(fw_derive(CKM_HKDF_DERIVE, &good, key, &a), CKR_TEMPLATE_INCOMPLETE);
	put_hex(&a, CKA_VALUE, "00");
	assert_rv(fw_derive(CKM_HKDF_DERIVE, &good, key, &a), CKR_TEMPLATE_INCONSISTENT);
	fw_attrs_wipe(&a);
	fw_key_unref(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrap_published),
		cmocka_unit_test(test_wrap_secrets),
		cmocka_unit_test(test_zero_padding),
		cmocka_unit_test(test_wrap_private),
		cmocka_unit_test(test_unwrap_garbage),
		cmocka_unit_test(test_wrap_errors),
		cmocka_unit_test(test_hkdf),
		cmocka_unit_test(test_hkdf_errors),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
