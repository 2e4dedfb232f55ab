// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ML-KEM, ML-DSA, SLH-DSA: with a libcrypto that has them. With one that has not, that they
 * are refused. on-suite runs this where there is one.
 */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "util.h"

static bool have(CK_ULONG mech)
{
	return fw_mechanism_find(mech) != NULL;
}

#define NEED(mech)	\
	do { if (!have(mech)) skip(); } while (0)

/* ---- the list ---- */

static const struct {
	CK_ULONG	gen;
	CK_ULONG	mech;
	CK_ULONG	type;
	CK_ULONG	flags;
} families[] = {
	{ CKM_ML_KEM_KEY_PAIR_GEN, CKM_ML_KEM, CKK_ML_KEM, CKF_ENCAPSULATE | CKF_DECAPSULATE },
	{ CKM_ML_DSA_KEY_PAIR_GEN, CKM_ML_DSA, CKK_ML_DSA, CKF_SIGN | CKF_VERIFY },
	{ CKM_SLH_DSA_KEY_PAIR_GEN, CKM_SLH_DSA, CKK_SLH_DSA, CKF_SIGN | CKF_VERIFY },
};

static void start_pair(struct fw_attrs *pub, CK_ULONG set)
{
	memset(pub, 0, sizeof(*pub));
	assert_ok(fw_attrs_put_ulong(pub, CKA_PARAMETER_SET, set));
}

/* What is in the list works, and what is not is refused: never one without the other. */
static void test_list(void **state)
{
	bool expected = OPENSSL_version_major() > 3 ||
			(OPENSSL_version_major() == 3 && OPENSSL_version_minor() >= 5);
	struct fw_attrs pub, priv = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(families); i++) {
		assert_int_equal(have(families[i].gen), expected);
		assert_int_equal(have(families[i].mech), expected);
		start_pair(&pub, 1);
		if (!expected) {
			assert_rv(fw_generate_key_pair(families[i].gen, &pub, &priv, NULL),
				  CKR_MECHANISM_INVALID);
		} else {
			assert_int_equal(fw_mechanism_find(families[i].mech)->flags,
					 families[i].flags);
			assert_int_equal(fw_mechanism_find(families[i].gen)->flags,
					 CKF_GENERATE_KEY_PAIR);
			/* FIPS 203 to 205 */
			assert_int_equal(fw_approved_flags(families[i].mech), families[i].flags);
		}
		fw_attrs_wipe(&pub);
		fw_attrs_wipe(&priv);
	}
}

/* ---- known answers ---- */

/* SHAKE128 of nothing, as a stream */
static uint8_t *stream(size_t len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t *out = malloc(len);

	assert_true(out && ctx && EVP_DigestInit_ex(ctx, EVP_shake128(), NULL) &&
		    EVP_DigestFinalXOF(ctx, out, len));
	EVP_MD_CTX_free(ctx);
	return out;
}

static EVP_MD_CTX *accumulator(void)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	assert_true(ctx && EVP_DigestInit_ex(ctx, EVP_shake128(), NULL));
	return ctx;
}

static void add(EVP_MD_CTX *acc, struct fw_bytes bytes)
{
	assert_true(EVP_DigestUpdate(acc, bytes.p, bytes.len));
}

static void assert_sum(EVP_MD_CTX *acc, const char *want)
{
	uint8_t sum[32];

	assert_true(EVP_DigestFinalXOF(acc, sum, sizeof(sum)));
	EVP_MD_CTX_free(acc);
	assert_hex(BYTES(sum, sizeof(sum)), want);
}

/* Both halves of the key that a seed gives, by the way of C_CreateObject */
static void from_seed(CK_ULONG type, CK_ULONG set, struct fw_bytes seed, struct fw_attrs *pub,
		      struct fw_attrs *priv)
{
	struct fw_bytes spki;
	EVP_PKEY *pkey;
	uint8_t bytes[2592];
	const uint8_t *p;
	size_t len;

	start_key(priv, CKO_PRIVATE_KEY, type);
	assert_ok(fw_attrs_put_ulong(priv, CKA_PARAMETER_SET, set));
	assert_ok(fw_attrs_put(priv, CKA_SEED, seed.p, seed.len));
	assert_ok(fw_key_complete(priv));
	/* The public key stands in CKA_PUBLIC_KEY_INFO. */
	spki = get(priv, CKA_PUBLIC_KEY_INFO);
	p = spki.p;
	pkey = d2i_PUBKEY(NULL, &p, spki.len);
	assert_true(pkey && EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, bytes,
							    sizeof(bytes), &len));
	EVP_PKEY_free(pkey);
	start_key(pub, CKO_PUBLIC_KEY, type);
	assert_ok(fw_attrs_put_ulong(pub, CKA_PARAMETER_SET, set));
	assert_ok(fw_attrs_put(pub, CKA_VALUE, bytes, len));
	assert_ok(fw_key_complete(pub));
	assert_bytes(get(pub, CKA_PUBLIC_KEY_INFO), get(priv, CKA_PUBLIC_KEY_INFO));
}

#define ROUNDS	100

/* C2SP/CCTV, ML-DSA/accumulated, 100 rounds */
static void test_ml_dsa_accumulated(void **state)
{
	static const struct {
		CK_ULONG	set;
		const char	*sum;
	} cases[] = {
		{ CKP_ML_DSA_44,
		  "d51148e1f9f4fa1a723a6cf42e25f2a99eb5c1b378b3d2dbbd561b1203beeae4" },
		{ CKP_ML_DSA_65,
		  "8358a1843220194417cadbc2651295cd8fc65125b5a5c1a239a16dc8b57ca199" },
		{ CKP_ML_DSA_87,
		  "8c3ad714777622b8f21ce31bb35f71394f23bc0fcf3c78ace5d608990f3b061b" },
	};
	struct fw_mech_params p = { .have = HAVE(HEDGE), .hedge = CKH_DETERMINISTIC_REQUIRED };
	uint8_t *seeds = NULL;
	size_t i, j;

	(void)state;
	NEED(CKM_ML_DSA);
	seeds = stream(ROUNDS * 32);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		EVP_MD_CTX *acc = accumulator();

		for (j = 0; j < ROUNDS; j++) {
			struct fw_attrs pub = { 0 }, priv = { 0 };
			struct fw_key *pub_key, *priv_key;
			struct fw_bytes sig;

			from_seed(CKK_ML_DSA, cases[i].set, BYTES(seeds + j * 32, 32), &pub, &priv);
			add(acc, get(&pub, CKA_VALUE));
			pub_key = make_key(&pub);
			priv_key = make_key(&priv);
			assert_ok(once(PCIEHSM_FN_SIGN, CKM_ML_DSA, &p, priv_key, NONE, &sig));
			assert_ok(verify(CKM_ML_DSA, NULL, pub_key, NONE, sig));
			add(acc, sig);
			fw_key_unref(pub_key);
			fw_key_unref(priv_key);
		}
		assert_sum(acc, cases[i].sum);
	}
	free(seeds);
}

/* libcrypto's encapsulation with the random bytes given: ours has no such thing. */
static struct fw_bytes encapsulate_with(struct fw_bytes spki, const uint8_t *random, size_t len,
					uint8_t secret[32])
{
	const uint8_t *p = spki.p;
	EVP_PKEY *pkey = d2i_PUBKEY(NULL, &p, spki.len);
	EVP_PKEY_CTX *ctx = pkey ? EVP_PKEY_CTX_new(pkey, NULL) : NULL;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string("ikme", (void *)random, 32),
		OSSL_PARAM_construct_end()
	};
	struct fw_bytes out = pattern(len);
	size_t secret_len = 32;

	assert_true(ctx && EVP_PKEY_encapsulate_init(ctx, params) > 0 &&
		    EVP_PKEY_encapsulate(ctx, (uint8_t *)out.p, &len, secret, &secret_len) > 0);
	assert_int_equal(len, out.len);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	return out;
}

static struct fw_bytes decapsulated(struct fw_key *key, struct fw_bytes in, uint8_t secret[32])
{
	struct fw_attrs a = { 0 };

	assert_ok(fw_decapsulate(CKM_ML_KEM, NULL, key, in.p, in.len, &a));
	assert_int_equal(get(&a, CKA_VALUE).len, 32);
	memcpy(secret, get(&a, CKA_VALUE).p, 32);
	fw_attrs_wipe(&a);
	return BYTES(secret, 32);
}

/*
 * The accumulated vectors of Go's crypto/mlkem (768, 1024) and its like for 512, on which
 * CIRCL agrees: 100 rounds, with a ciphertext that nobody made (implicit rejection)
 */
static void test_ml_kem_accumulated(void **state)
{
	static const struct {
		CK_ULONG	set;
		size_t		len;
		const char	*sum;
	} cases[] = {
		{ CKP_ML_KEM_512, 768,
		  "86b1b4703b8ffef6f7f3290c6dbce4ad954498a0673ded401a94828e8c519a59" },
		{ CKP_ML_KEM_768, 1088,
		  "1114b1b6699ed191734fa339376afa7e285c9e6acf6ff0177d346696ce564415" },
		{ CKP_ML_KEM_1024, 1568,
		  "800018fec3e2723f73f1d657fe239b4d5d8782efaade297e8cd448e54cc2ac00" },
	};
	size_t i, j;

	(void)state;
	NEED(CKM_ML_KEM);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t step = 64 + 32 + cases[i].len;
		uint8_t *in = stream(ROUNDS * step), a[32], b[32];
		EVP_MD_CTX *acc = accumulator();

		for (j = 0; j < ROUNDS; j++) {
			const uint8_t *round = in + j * step;
			struct fw_attrs pub = { 0 }, priv = { 0 };
			struct fw_bytes sealed;
			struct fw_key *key;

			from_seed(CKK_ML_KEM, cases[i].set, BYTES(round, 64), &pub, &priv);
			add(acc, get(&pub, CKA_VALUE));
			sealed = encapsulate_with(get(&pub, CKA_PUBLIC_KEY_INFO), round + 64,
						  cases[i].len, a);
			add(acc, sealed);
			add(acc, BYTES(a, 32));
			fw_attrs_wipe(&pub);
			key = make_key(&priv);
			assert_bytes(decapsulated(key, sealed, b), BYTES(a, 32));
			add(acc, decapsulated(key, BYTES(round + 96, cases[i].len), b));
			fw_key_unref(key);
		}
		assert_sum(acc, cases[i].sum);
		free(in);
	}
}

/*
 * NIST ACVP-Server, SLH-DSA-keyGen-FIPS205, SLH-DSA-SHA2-128s. A signature leads to the root of
 * the tree that is made from the seeds: it verifies only if that is the published one.
 */
static void test_slh_dsa_published(void **state)
{
	static const char seeds[] =
		"ac379f047faab2004f3ae32350ac9a3d829fff0aa59e956a87f3971c4d58e710";
	static const char pub[] =
		"0566d240cc519834322eafbcc73c79f5a4b84f02e8bf0cbd54017b2d3c494b57";
	struct fw_mech_params p = { .have = HAVE(HEDGE), .hedge = CKH_DETERMINISTIC_REQUIRED };
	struct fw_key *priv_key, *pub_key;
	struct fw_attrs a = { 0 };
	struct fw_bytes sig, again;
	char both[sizeof(seeds) + sizeof(pub)];

	(void)state;
	NEED(CKM_SLH_DSA);
	snprintf(both, sizeof(both), "%s%s", seeds, pub);
	start_key(&a, CKO_PRIVATE_KEY, CKK_SLH_DSA);
	assert_ok(fw_attrs_put_ulong(&a, CKA_PARAMETER_SET, CKP_SLH_DSA_SHA2_128S));
	put_hex(&a, CKA_VALUE, both);
	priv_key = make_key(&a);
	start_key(&a, CKO_PUBLIC_KEY, CKK_SLH_DSA);
	assert_ok(fw_attrs_put_ulong(&a, CKA_PARAMETER_SET, CKP_SLH_DSA_SHA2_128S));
	put_hex(&a, CKA_VALUE, pub);
	pub_key = make_key(&a);
	assert_ok(once(PCIEHSM_FN_SIGN, CKM_SLH_DSA, &p, priv_key, TEXT("text"), &sig));
	assert_int_equal(sig.len, 7856);
	assert_ok(once(PCIEHSM_FN_SIGN, CKM_SLH_DSA, &p, priv_key, TEXT("text"), &again));
	assert_bytes(sig, again);
	assert_ok(verify(CKM_SLH_DSA, NULL, pub_key, TEXT("text"), sig));
	fw_key_unref(pub_key);
	/* Another root */
	start_key(&a, CKO_PUBLIC_KEY, CKK_SLH_DSA);
	assert_ok(fw_attrs_put_ulong(&a, CKA_PARAMETER_SET, CKP_SLH_DSA_SHA2_128S));
	assert_ok(fw_attrs_put(&a, CKA_VALUE, flipped(hex(pub), 31, 0).p, 32));
	pub_key = make_key(&a);
	assert_rv(verify(CKM_SLH_DSA, NULL, pub_key, TEXT("text"), sig), CKR_SIGNATURE_INVALID);
	fw_key_unref(pub_key);
	fw_key_unref(priv_key);
}

/* ---- generation, and what comes in ---- */

static const struct {
	CK_ULONG	gen;
	CK_ULONG	type;
	CK_ULONG	set;
	CK_ULONG	mech;
	size_t		pub, priv, seed, out;
} sets[] = {
	{ CKM_ML_KEM_KEY_PAIR_GEN, CKK_ML_KEM, CKP_ML_KEM_512, CKM_ML_KEM, 800, 1632, 64, 768 },
	{ CKM_ML_KEM_KEY_PAIR_GEN, CKK_ML_KEM, CKP_ML_KEM_768, CKM_ML_KEM, 1184, 2400, 64, 1088 },
	{ CKM_ML_KEM_KEY_PAIR_GEN, CKK_ML_KEM, CKP_ML_KEM_1024, CKM_ML_KEM, 1568, 3168, 64, 1568 },
	{ CKM_ML_DSA_KEY_PAIR_GEN, CKK_ML_DSA, CKP_ML_DSA_44, CKM_ML_DSA, 1312, 2560, 32, 2420 },
	{ CKM_ML_DSA_KEY_PAIR_GEN, CKK_ML_DSA, CKP_ML_DSA_65, CKM_ML_DSA, 1952, 4032, 32, 3309 },
	{ CKM_ML_DSA_KEY_PAIR_GEN, CKK_ML_DSA, CKP_ML_DSA_87, CKM_ML_DSA, 2592, 4896, 32, 4627 },
	/* The small ("s") ones take seconds each; the published key above is of one of them. */
	{ CKM_SLH_DSA_KEY_PAIR_GEN, CKK_SLH_DSA, CKP_SLH_DSA_SHA2_128F, CKM_SLH_DSA,
	  32, 64, 0, 17088 },
	{ CKM_SLH_DSA_KEY_PAIR_GEN, CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_128F, CKM_SLH_DSA,
	  32, 64, 0, 17088 },
	{ CKM_SLH_DSA_KEY_PAIR_GEN, CKK_SLH_DSA, CKP_SLH_DSA_SHA2_192F, CKM_SLH_DSA,
	  48, 96, 0, 35664 },
	{ CKM_SLH_DSA_KEY_PAIR_GEN, CKK_SLH_DSA, CKP_SLH_DSA_SHA2_256F, CKM_SLH_DSA,
	  64, 128, 0, 49856 },
};

static void check_signatures(size_t i, struct fw_key *pub, struct fw_key *priv)
{
	struct fw_mech_params p = { .have = HAVE(CONTEXT), .context = TEXT("context") };
	struct fw_bytes text = TEXT("the quick brown fox"), sig, again;
	CK_ULONG mech = sets[i].mech;

	assert_ok(once(PCIEHSM_FN_SIGN, mech, NULL, priv, text, &sig));
	assert_int_equal(sig.len, sets[i].out);
	assert_ok(verify(mech, NULL, pub, text, sig));
	assert_rv(verify(mech, NULL, pub, TEXT("another"), sig), CKR_SIGNATURE_INVALID);
	assert_rv(verify(mech, NULL, pub, text, flipped(sig, sig.len / 2, 3)),
		  CKR_SIGNATURE_INVALID);
	assert_rv(verify(mech, NULL, pub, text, BYTES(sig.p, sig.len - 1)),
		  CKR_SIGNATURE_LEN_RANGE);
	/* Hedged: another one each time */
	assert_ok(parts(PCIEHSM_FN_SIGN, mech, NULL, priv, text, NULL, 5, &again));
	assert_memory_not_equal(sig.p, again.p, sig.len);
	assert_ok(verify(mech, NULL, pub, text, again));
	/* The context belongs to what is signed. */
	assert_ok(once(PCIEHSM_FN_SIGN, mech, &p, priv, text, &sig));
	assert_ok(verify(mech, &p, pub, text, sig));
	assert_rv(verify(mech, NULL, pub, text, sig), CKR_SIGNATURE_INVALID);
	p.context = pattern(256);
	assert_rv(once(PCIEHSM_FN_SIGN, mech, &p, priv, text, &sig),
		  CKR_MECHANISM_PARAM_INVALID);
	p.have = HAVE(HEDGE);
	p.hedge = 3;
	assert_rv(once(PCIEHSM_FN_SIGN, mech, &p, priv, text, &sig),
		  CKR_MECHANISM_PARAM_INVALID);
	p.hedge = CKH_HEDGE_REQUIRED;
	assert_ok(once(PCIEHSM_FN_SIGN, mech, &p, priv, text, &sig));
	p.have = HAVE(IV);
	p.iv = TEXT("iv");
	assert_rv(once(PCIEHSM_FN_SIGN, mech, &p, priv, text, &sig),
		  CKR_MECHANISM_PARAM_INVALID);
	assert_rv(once(PCIEHSM_FN_SIGN, mech, NULL, pub, text, &sig), CKR_KEY_TYPE_INCONSISTENT);
	assert_rv(verify(mech, NULL, priv, text, sig), CKR_KEY_TYPE_INCONSISTENT);
}

static void check_encapsulation(size_t i, struct fw_key *pub, struct fw_key *priv)
{
	struct fw_attrs a = { 0 }, b = { 0 };
	size_t len = 0;
	uint8_t *out = (uint8_t *)pattern(sets[i].out).p;

	assert_ok(fw_encapsulate(CKM_ML_KEM, NULL, pub, NULL, NULL, &len));
	assert_int_equal(len, sets[i].out);
	len--;
	assert_rv(fw_encapsulate(CKM_ML_KEM, NULL, pub, &a, out, &len), CKR_BUFFER_TOO_SMALL);
	fw_attrs_wipe(&a);
	start_key(&a, CKO_SECRET_KEY, CKK_AES);
	assert_ok(fw_encapsulate(CKM_ML_KEM, NULL, pub, &a, out, &len));
	assert_ok(fw_decapsulate(CKM_ML_KEM, NULL, priv, out, len, &b));
	assert_int_equal(get_ulong(&a, CKA_VALUE_LEN), 32);
	assert_int_equal(get_ulong(&b, CKA_KEY_TYPE), CKK_GENERIC_SECRET);
	assert_bytes(get(&a, CKA_VALUE), get(&b, CKA_VALUE));
	fw_attrs_wipe(&b);
	/* Changed: another secret, no error */
	assert_ok(fw_decapsulate(CKM_ML_KEM, NULL, priv, flipped(BYTES(out, len), 7, 1).p, len,
				 &b));
	assert_memory_not_equal(get(&a, CKA_VALUE).p, get(&b, CKA_VALUE).p, 32);
	fw_attrs_wipe(&a);
	fw_attrs_wipe(&b);
	assert_rv(fw_decapsulate(CKM_ML_KEM, NULL, priv, out, len - 1, &b),
		  CKR_WRAPPED_KEY_LEN_RANGE);
	fw_attrs_wipe(&b);
	assert_rv(fw_decapsulate(CKM_ML_KEM, NULL, pub, out, len, &b), CKR_KEY_TYPE_INCONSISTENT);
	assert_rv(fw_encapsulate(CKM_ML_KEM, NULL, priv, &a, out, &len),
		  CKR_KEY_TYPE_INCONSISTENT);
	assert_rv(fw_encapsulate(CKM_ECDSA, NULL, pub, &a, out, &len), CKR_MECHANISM_INVALID);
	start_key(&a, CKO_SECRET_KEY, CKK_AES);
	assert_ok(fw_attrs_put_ulong(&a, CKA_VALUE_LEN, 16));
	assert_rv(fw_encapsulate(CKM_ML_KEM, NULL, pub, &a, out, &len), CKR_KEY_SIZE_RANGE);
	fw_attrs_wipe(&a);
}

/* Out under an AES key and in again: the same key, its seed included */
static void check_wrapping(const struct fw_attrs *attrs, CK_ULONG type)
{
	struct fw_key *kek = secret_key(CKK_AES, pattern(32)), *key;
	struct fw_attrs copy = { 0 };
	uint8_t out[8192];
	size_t len = sizeof(out);

	assert_ok(fw_key_from_attrs(attrs, &key));
	assert_ok(fw_wrap(CKM_AES_KEY_WRAP_KWP, NULL, kek, key, out, &len));
	fw_key_unref(key);
	start_key(&copy, CKO_PRIVATE_KEY, type);
	assert_ok(fw_unwrap(CKM_AES_KEY_WRAP_KWP, NULL, kek, out, len, &copy));
	assert_bytes(get(&copy, CKA_VALUE), get(attrs, CKA_VALUE));
	assert_int_equal(get_ulong(&copy, CKA_PARAMETER_SET), get_ulong(attrs, CKA_PARAMETER_SET));
	if (type != CKK_SLH_DSA)
		assert_bytes(get(&copy, CKA_SEED), get(attrs, CKA_SEED));
	fw_attrs_wipe(&copy);
	start_key(&copy, CKO_PRIVATE_KEY, CKK_RSA);
	assert_rv(fw_unwrap(CKM_AES_KEY_WRAP_KWP, NULL, kek, out, len, &copy),
		  CKR_TEMPLATE_INCONSISTENT);
	fw_attrs_wipe(&copy);
	fw_key_unref(kek);
}

static void test_pairs(void **state)
{
	struct fw_attrs pub, priv = { 0 }, copy = { 0 };
	struct fw_key *pub_key, *priv_key;
	size_t i;

	(void)state;
	NEED(CKM_ML_KEM);
	for (i = 0; i < ARRAY_SIZE(sets); i++) {
		start_pair(&pub, sets[i].set);
		assert_ok(fw_generate_key_pair(sets[i].gen, &pub, &priv, NULL));
		assert_int_equal(get_ulong(&pub, CKA_KEY_TYPE), sets[i].type);
		assert_int_equal(get_ulong(&priv, CKA_PARAMETER_SET), sets[i].set);
		assert_int_equal(get(&pub, CKA_VALUE).len, sets[i].pub);
		assert_int_equal(get(&priv, CKA_VALUE).len, sets[i].priv);
		if (sets[i].seed)
			assert_int_equal(get(&priv, CKA_SEED).len, sets[i].seed);
		else
			assert_false(fw_attrs_has(&priv, CKA_SEED));
		assert_bytes(get(&pub, CKA_PUBLIC_KEY_INFO), get(&priv, CKA_PUBLIC_KEY_INFO));
		assert_true(fw_key_sensitive_attr(CKO_PRIVATE_KEY, CKA_SEED));
		/* Bringing it in again changes nothing; nor does doing without the seed. */
		assert_ok(fw_attrs_copy(&copy, &priv));
		assert_ok(fw_key_complete(&copy));
		assert_true(fw_attrs_equal(&copy, &priv));
		fw_attrs_remove(&copy, CKA_SEED);
		assert_ok(fw_key_complete(&copy));
		fw_attrs_wipe(&copy);
		check_wrapping(&priv, sets[i].type);
		pub_key = make_key(&pub);
		priv_key = make_key(&priv);
		assert_int_equal(fw_key_bits(priv_key), sets[i].pub);
		if (sets[i].type == CKK_ML_KEM)
			check_encapsulation(i, pub_key, priv_key);
		else
			check_signatures(i, pub_key, priv_key);
		fw_key_unref(pub_key);
		fw_key_unref(priv_key);
	}
}

static void test_refused(void **state)
{
	struct fw_attrs pub = { 0 }, priv = { 0 }, other = { 0 };
	struct fw_bytes value;

	(void)state;
	NEED(CKM_ML_DSA);
	assert_rv(fw_generate_key_pair(CKM_ML_DSA_KEY_PAIR_GEN, &pub, &priv, NULL),
		  CKR_TEMPLATE_INCOMPLETE);
	fw_attrs_wipe(&pub);
	fw_attrs_wipe(&priv);
	start_pair(&pub, 4);
	assert_rv(fw_generate_key_pair(CKM_ML_DSA_KEY_PAIR_GEN, &pub, &priv, NULL),
		  CKR_PARAMETER_SET_NOT_SUPPORTED);
	fw_attrs_wipe(&pub);
	fw_attrs_wipe(&priv);
	/* The halves of one pair are of one kind. */
	start_pair(&pub, CKP_ML_DSA_44);
	assert_ok(fw_attrs_put_ulong(&priv, CKA_PARAMETER_SET, CKP_ML_DSA_65));
	assert_rv(fw_generate_key_pair(CKM_ML_DSA_KEY_PAIR_GEN, &pub, &priv, NULL),
		  CKR_TEMPLATE_INCONSISTENT);
	fw_attrs_wipe(&pub);
	fw_attrs_wipe(&priv);
	/* A seed cannot be chosen for a key that is to be generated. */
	start_pair(&pub, CKP_ML_DSA_44);
	assert_ok(fw_attrs_put(&priv, CKA_SEED, pattern(32).p, 32));
	assert_rv(fw_generate_key_pair(CKM_ML_DSA_KEY_PAIR_GEN, &pub, &priv, NULL),
		  CKR_TEMPLATE_INCONSISTENT);
	fw_attrs_wipe(&pub);
	fw_attrs_wipe(&priv);

	start_pair(&pub, CKP_ML_DSA_44);
	assert_ok(fw_generate_key_pair(CKM_ML_DSA_KEY_PAIR_GEN, &pub, &priv, NULL));
	/* A seed that is not the value's */
	assert_ok(fw_attrs_copy(&other, &priv));
	assert_ok(fw_attrs_put(&other, CKA_SEED, pattern(32).p, 32));
	assert_rv(fw_key_complete(&other), CKR_ATTRIBUTE_VALUE_INVALID);
	/* A value of a wrong length */
	assert_ok(fw_attrs_copy(&other, &pub));
	value = get(&pub, CKA_VALUE);
	assert_ok(fw_attrs_put(&other, CKA_VALUE, value.p, value.len - 1));
	assert_rv(fw_key_complete(&other), CKR_ATTRIBUTE_VALUE_INVALID);
	/* Neither value nor seed; no parameter set */
	assert_ok(fw_attrs_copy(&other, &priv));
	fw_attrs_remove(&other, CKA_VALUE);
	fw_attrs_remove(&other, CKA_SEED);
	assert_rv(fw_key_complete(&other), CKR_TEMPLATE_INCOMPLETE);
	assert_ok(fw_attrs_copy(&other, &priv));
	fw_attrs_remove(&other, CKA_PARAMETER_SET);
	assert_rv(fw_key_complete(&other), CKR_TEMPLATE_INCOMPLETE);
	fw_attrs_wipe(&other);
	fw_attrs_wipe(&pub);
	fw_attrs_wipe(&priv);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_ml_kem_accumulated),
		cmocka_unit_test(test_ml_dsa_accumulated),
		cmocka_unit_test(test_slh_dsa_published),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
