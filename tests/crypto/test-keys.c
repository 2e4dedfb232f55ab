// SPDX-License-Identifier: GPL-2.0-or-later
/* Keys: generation, what comes from outside, use by several threads at once */
#include <pthread.h>
#include <stdatomic.h>

#include <openssl/bn.h>
#include <openssl/x509.h>

#include "util.h"

/* ---- generation ---- */

static void test_generate_secret(void **state)
{
	static const struct {
		CK_ULONG	mech;
		CK_ULONG	type;
		size_t		len;
		CK_RV		rv;
	} cases[] = {
		{ CKM_AES_KEY_GEN, CKK_AES, 16, CKR_OK },
		{ CKM_AES_KEY_GEN, CKK_AES, 24, CKR_OK },
		{ CKM_AES_KEY_GEN, CKK_AES, 32, CKR_OK },
		{ CKM_AES_KEY_GEN, CKK_AES, 17, CKR_KEY_SIZE_RANGE },
		{ CKM_AES_KEY_GEN, CKK_AES, 0, CKR_KEY_SIZE_RANGE },
		{ CKM_GENERIC_SECRET_KEY_GEN, CKK_GENERIC_SECRET, 1, CKR_OK },
		{ CKM_GENERIC_SECRET_KEY_GEN, CKK_GENERIC_SECRET, 512, CKR_OK },
		{ CKM_GENERIC_SECRET_KEY_GEN, CKK_GENERIC_SECRET, 513, CKR_KEY_SIZE_RANGE },
		{ CKM_GENERIC_SECRET_KEY_GEN, CKK_SHA256_HMAC, 32, CKR_OK },
		{ CKM_GENERIC_SECRET_KEY_GEN, CKK_SHA3_512_HMAC, 72, CKR_OK },
		{ CKM_GENERIC_SECRET_KEY_GEN, CKK_AES, 32, CKR_TEMPLATE_INCONSISTENT },
		{ CKM_GENERIC_SECRET_KEY_GEN, CKK_RSA, 32, CKR_TEMPLATE_INCONSISTENT },
		{ CKM_HKDF_KEY_GEN, CKK_HKDF, 48, CKR_OK },
		{ CKM_HKDF_KEY_GEN, CKK_GENERIC_SECRET, 48, CKR_TEMPLATE_INCONSISTENT },
		{ CKM_AES_KEY_GEN, CKK_GENERIC_SECRET, 32, CKR_TEMPLATE_INCONSISTENT },
		{ CKM_AES_CBC, CKK_AES, 32, CKR_MECHANISM_INVALID },
	};
	struct fw_attrs a = { 0 }, b;
	struct fw_key *key;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		start_key(&a, CKO_SECRET_KEY, cases[i].type);
		assert_ok(fw_attrs_put_ulong(&a, CKA_VALUE_LEN, cases[i].len));
		assert_ok(fw_attrs_put(&a, CKA_LABEL, "label", 5));
		memset(&b, 0, sizeof(b));
		assert_ok(fw_attrs_copy(&b, &a));
		assert_rv(fw_generate_key(cases[i].mech, &a), cases[i].rv);
		assert_rv(fw_generate_key(cases[i].mech, &b), cases[i].rv);
		if (cases[i].rv == CKR_OK) {
			assert_int_equal(get(&a, CKA_VALUE).len, cases[i].len);
			assert_true(fw_attrs_get_bool(&a, CKA_LOCAL, false));
			assert_int_equal(get_ulong(&a, CKA_KEY_GEN_MECHANISM), cases[i].mech);
			assert_int_equal(get(&a, CKA_CHECK_VALUE).len, 3);
			assert_bytes(get(&a, CKA_LABEL), TEXT("label"));
			if (cases[i].len > 8)
				assert_memory_not_equal(get(&a, CKA_VALUE).p, get(&b, CKA_VALUE).p,
							cases[i].len);
			assert_ok(fw_key_complete(&a));
			key = make_key(&a);
			assert_int_equal(fw_key_bits(key), cases[i].len * 8);
			assert_int_equal(fw_key_type(key), cases[i].type);
			assert_int_equal(fw_key_class(key), CKO_SECRET_KEY);
			fw_key_unref(key);
		}
		fw_attrs_wipe(&a);
		fw_attrs_wipe(&b);
	}

	/* Class and type need not be said; the length must; the value must not. */
	assert_rv(fw_generate_key(CKM_AES_KEY_GEN, &a), CKR_TEMPLATE_INCOMPLETE);
	fw_attrs_wipe(&a);
	assert_ok(fw_attrs_put_ulong(&a, CKA_VALUE_LEN, 32));
	assert_ok(fw_generate_key(CKM_AES_KEY_GEN, &a));
	assert_int_equal(get_ulong(&a, CKA_CLASS), CKO_SECRET_KEY);
	fw_attrs_wipe(&a);
	assert_ok(fw_attrs_put_ulong(&a, CKA_VALUE_LEN, 32));
	assert_ok(fw_attrs_put(&a, CKA_VALUE, pattern(32).p, 32));
	assert_rv(fw_generate_key(CKM_AES_KEY_GEN, &a), CKR_TEMPLATE_INCONSISTENT);
	fw_attrs_wipe(&a);
	start_key(&a, CKO_PRIVATE_KEY, CKK_AES);
	assert_ok(fw_attrs_put_ulong(&a, CKA_VALUE_LEN, 32));
	assert_rv(fw_generate_key(CKM_AES_KEY_GEN, &a), CKR_TEMPLATE_INCONSISTENT);
	fw_attrs_wipe(&a);
	assert_ok(fw_attrs_put(&a, CKA_VALUE_LEN, "\x20", 1));
	assert_rv(fw_generate_key(CKM_AES_KEY_GEN, &a), CKR_ATTRIBUTE_VALUE_INVALID);
	fw_attrs_wipe(&a);
}

static const struct {
	CK_ULONG	gen;
	CK_ULONG	type;
	const char	*params;
	CK_ULONG	sign;
	unsigned int	bits;
} pairs[] = {
	{ CKM_EC_KEY_PAIR_GEN, CKK_EC, P256, CKM_ECDSA_SHA256, 256 },
	{ CKM_EC_KEY_PAIR_GEN, CKK_EC, P384, CKM_ECDSA_SHA256, 384 },
	{ CKM_EC_KEY_PAIR_GEN, CKK_EC, P521, CKM_ECDSA_SHA256, 521 },
	{ CKM_EC_KEY_PAIR_GEN, CKK_EC, K256, CKM_ECDSA_SHA256, 256 },
	{ CKM_EC_EDWARDS_KEY_PAIR_GEN, CKK_EC_EDWARDS, ED25519, CKM_EDDSA, 255 },
	/* PrintableString "edwards25519", "curve25519" (PKCS#11 3.0) */
	{ CKM_EC_EDWARDS_KEY_PAIR_GEN, CKK_EC_EDWARDS, "130c656477617264733235353139", CKM_EDDSA,
	  255 },
	{ CKM_EC_MONTGOMERY_KEY_PAIR_GEN, CKK_EC_MONTGOMERY, X25519, 0, 255 },
	{ CKM_EC_MONTGOMERY_KEY_PAIR_GEN, CKK_EC_MONTGOMERY, "130a63757276653235353139", 0, 255 },
	{ CKM_RSA_PKCS_KEY_PAIR_GEN, CKK_RSA, NULL, CKM_SHA256_RSA_PKCS, 2048 },
};

/* libcrypto reads CKA_PUBLIC_KEY_INFO, and its own encoder gives the same. */
static void check_spki(const struct fw_attrs *attrs)
{
	struct fw_bytes spki = get(attrs, CKA_PUBLIC_KEY_INFO);
	const uint8_t *p = spki.p;
	EVP_PKEY *pkey = d2i_PUBKEY(NULL, &p, spki.len);
	uint8_t *der = NULL;
	int len;

	assert_non_null(pkey);
	assert_ptr_equal(p, spki.p + spki.len);
	len = i2d_PUBKEY(pkey, &der);
	assert_bytes(BYTES(der, len), spki);
	OPENSSL_free(der);
	EVP_PKEY_free(pkey);
}

static void test_generate_pair(void **state)
{
	struct fw_attrs pub = { 0 }, priv = { 0 }, copy = { 0 };
	struct fw_key *pub_key, *priv_key;
	struct fw_bytes out;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(pairs); i++) {
		if (pairs[i].params)
			put_hex(&pub, CKA_EC_PARAMS, pairs[i].params);
		else
			assert_ok(fw_attrs_put_ulong(&pub, CKA_MODULUS_BITS, pairs[i].bits));
		assert_ok(fw_generate_key_pair(pairs[i].gen, &pub, &priv, NULL));
		assert_int_equal(get_ulong(&pub, CKA_CLASS), CKO_PUBLIC_KEY);
		assert_int_equal(get_ulong(&priv, CKA_CLASS), CKO_PRIVATE_KEY);
		assert_int_equal(get_ulong(&pub, CKA_KEY_TYPE), pairs[i].type);
		assert_int_equal(get_ulong(&priv, CKA_KEY_TYPE), pairs[i].type);
		assert_int_equal(get_ulong(&priv, CKA_KEY_GEN_MECHANISM), pairs[i].gen);
		assert_bytes(get(&pub, CKA_PUBLIC_KEY_INFO), get(&priv, CKA_PUBLIC_KEY_INFO));
		check_spki(&pub);
		/* It is a key that would be let in, and is complete already. */
		assert_ok(fw_attrs_copy(&copy, &pub));
		assert_ok(fw_key_complete(&copy));
		assert_true(fw_attrs_equal(&copy, &pub));
		assert_ok(fw_attrs_copy(&copy, &priv));
		assert_ok(fw_key_complete(&copy));
		assert_true(fw_attrs_equal(&copy, &priv));
		fw_attrs_wipe(&copy);
		pub_key = make_key(&pub);
		priv_key = make_key(&priv);
		assert_int_equal(fw_key_bits(pub_key), pairs[i].bits);
		assert_int_equal(fw_key_bits(priv_key), pairs[i].bits);
		if (pairs[i].sign) {
			assert_ok(once(PCIEHSM_FN_SIGN, pairs[i].sign, NULL, priv_key, TEXT("text"),
				       &out));
			assert_ok(verify(pairs[i].sign, NULL, pub_key, TEXT("text"), out));
		}
		fw_key_unref(pub_key);
		fw_key_unref(priv_key);
	}
}

static void test_generate_pair_templates(void **state)
{
	static const struct {
		CK_ULONG	gen;
		const char	*params;
		CK_RV		rv;
	} cases[] = {
		{ CKM_EC_KEY_PAIR_GEN, NULL, CKR_TEMPLATE_INCOMPLETE },
		{ CKM_EC_KEY_PAIR_GEN, ED25519, CKR_CURVE_NOT_SUPPORTED },
		{ CKM_EC_EDWARDS_KEY_PAIR_GEN, P256, CKR_CURVE_NOT_SUPPORTED },
		{ CKM_EC_EDWARDS_KEY_PAIR_GEN, X25519, CKR_CURVE_NOT_SUPPORTED },
		/* P-224 */
		{ CKM_EC_KEY_PAIR_GEN, "06052b81040021", CKR_CURVE_NOT_SUPPORTED },
		{ CKM_EC_KEY_PAIR_GEN, "", CKR_CURVE_NOT_SUPPORTED },
		{ CKM_EC_KEY_PAIR_GEN, "06082a8648ce3d030107ff", CKR_CURVE_NOT_SUPPORTED },
		{ CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, CKR_TEMPLATE_INCOMPLETE },
		{ CKM_AES_KEY_GEN, P256, CKR_MECHANISM_INVALID },
	};
	static const struct {
		uint64_t	bits;
		const char	*e;
		CK_RV		rv;
	} rsa[] = {
		{ 1024, NULL, CKR_KEY_SIZE_RANGE },
		{ 2047, NULL, CKR_KEY_SIZE_RANGE },
		{ 4097, NULL, CKR_KEY_SIZE_RANGE },
		{ UINT64_MAX, NULL, CKR_KEY_SIZE_RANGE },
		{ 2048, "01", CKR_ATTRIBUTE_VALUE_INVALID },
		{ 2048, "010000", CKR_ATTRIBUTE_VALUE_INVALID },
		{ 2048, "", CKR_ATTRIBUTE_VALUE_INVALID },
		{ 2048, "01000000000000000001", CKR_ATTRIBUTE_VALUE_INVALID },
	};
	struct fw_attrs pub = { 0 }, priv = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		if (cases[i].params)
			put_hex(&pub, CKA_EC_PARAMS, cases[i].params);
		assert_rv(fw_generate_key_pair(cases[i].gen, &pub, &priv, NULL), cases[i].rv);
		fw_attrs_wipe(&pub);
		fw_attrs_wipe(&priv);
	}
	for (i = 0; i < ARRAY_SIZE(rsa); i++) {
		assert_ok(fw_attrs_put_ulong(&pub, CKA_MODULUS_BITS, rsa[i].bits));
		if (rsa[i].e)
			put_hex(&pub, CKA_PUBLIC_EXPONENT, rsa[i].e);
		assert_rv(fw_generate_key_pair(CKM_RSA_PKCS_KEY_PAIR_GEN, &pub, &priv, NULL),
			  rsa[i].rv);
		fw_attrs_wipe(&pub);
		fw_attrs_wipe(&priv);
	}
	/* An exponent of one's own */
	assert_ok(fw_attrs_put_ulong(&pub, CKA_MODULUS_BITS, 2048));
	put_hex(&pub, CKA_PUBLIC_EXPONENT, "0003");
	assert_ok(fw_generate_key_pair(CKM_RSA_X9_31_KEY_PAIR_GEN, &pub, &priv, NULL));
	assert_hex(get(&pub, CKA_PUBLIC_EXPONENT), "03");
	assert_hex(get(&priv, CKA_PUBLIC_EXPONENT), "03");
	fw_attrs_wipe(&pub);
	fw_attrs_wipe(&priv);
	/* Material, and another class or type */
	put_hex(&pub, CKA_EC_PARAMS, P256);
	put_hex(&priv, CKA_VALUE, "01");
	assert_rv(fw_generate_key_pair(CKM_EC_KEY_PAIR_GEN, &pub, &priv, NULL),
		  CKR_TEMPLATE_INCONSISTENT);
	fw_attrs_wipe(&priv);
	assert_ok(fw_attrs_put_ulong(&priv, CKA_KEY_TYPE, CKK_RSA));
	assert_rv(fw_generate_key_pair(CKM_EC_KEY_PAIR_GEN, &pub, &priv, NULL),
		  CKR_TEMPLATE_INCONSISTENT);
	fw_attrs_wipe(&priv);
	put_hex(&priv, CKA_EC_PARAMS, P384);
	assert_rv(fw_generate_key_pair(CKM_EC_KEY_PAIR_GEN, &pub, &priv, NULL),
		  CKR_TEMPLATE_INCONSISTENT);
	fw_attrs_wipe(&priv);
	fw_attrs_wipe(&pub);
}

static bool count_steps(void *opaque)
{
	int *left = opaque;

	return --*left > 0;
}

static void test_progress(void **state)
{
	struct fw_attrs pub = { 0 }, priv = { 0 };
	int left = 5;
	struct fw_progress progress = { count_steps, &left };

	(void)state;
	assert_ok(fw_attrs_put_ulong(&pub, CKA_MODULUS_BITS, 4096));
	assert_rv(fw_generate_key_pair(CKM_RSA_PKCS_KEY_PAIR_GEN, &pub, &priv, &progress),
		  CKR_FUNCTION_CANCELED);
	/* Asked no more after the "no" */
	assert_int_equal(left, 0);
	fw_attrs_wipe(&pub);
	fw_attrs_wipe(&priv);
	left = 1000000;
	assert_ok(fw_attrs_put_ulong(&pub, CKA_MODULUS_BITS, 2048));
	assert_ok(fw_generate_key_pair(CKM_RSA_PKCS_KEY_PAIR_GEN, &pub, &priv, &progress));
	assert_true(left < 1000000);
	fw_attrs_wipe(&pub);
	fw_attrs_wipe(&priv);
}

/* ---- from outside ---- */

static void test_complete_rsa(void **state)
{
	static const CK_ULONG crt[] = { CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT };
	static const CK_ULONG primes[] = { CKA_PRIME_1, CKA_PRIME_2 };
	struct fw_attrs whole, a = { 0 };
	const uint8_t *p;
	size_t i, round;

	(void)state;
	rsa_attrs(CKO_PRIVATE_KEY, &whole);
	assert_ok(fw_key_complete(&whole));
	check_spki(&whole);
	/* Without CRT parts; also without the exponent; with nothing but n, e, d */
	for (round = 0; round < 3; round++) {
		assert_ok(fw_attrs_copy(&a, &whole));
		for (i = 0; i < 3; i++)
			fw_attrs_remove(&a, crt[i]);
		if (round == 1)
			fw_attrs_remove(&a, CKA_PUBLIC_EXPONENT);
		for (i = 0; round == 2 && i < 2; i++)
			fw_attrs_remove(&a, primes[i]);
		assert_ok(fw_key_complete(&a));
		if (round < 2)
			assert_true(fw_attrs_equal(&a, &whole));
		/* Found again, the primes may have changed places. */
		p = get(&a, CKA_PRIME_1).p;
		assert_true(fw_secret_equal(p, get(&whole, CKA_PRIME_1).p, 128) ||
			    fw_secret_equal(p, get(&whole, CKA_PRIME_2).p, 128));
		fw_attrs_wipe(&a);
	}
	/* Leading zeroes go. */
	assert_ok(fw_attrs_copy(&a, &whole));
	put_hex(&a, CKA_PUBLIC_EXPONENT, "0000010001");
	assert_ok(fw_key_complete(&a));
	assert_true(fw_attrs_equal(&a, &whole));
	fw_attrs_wipe(&a);
	fw_attrs_wipe(&whole);

	rsa_attrs(CKO_PUBLIC_KEY, &a);
	assert_ok(fw_key_complete(&a));
	assert_int_equal(get_ulong(&a, CKA_MODULUS_BITS), 2048);
	check_spki(&a);
	assert_ok(fw_attrs_put_ulong(&a, CKA_MODULUS_BITS, 2047));
	assert_rv(fw_key_complete(&a), CKR_TEMPLATE_INCONSISTENT);
	fw_attrs_wipe(&a);
}

static void test_complete_rsa_wrong(void **state)
{
	static const CK_ULONG every[] = {
		CKA_MODULUS, CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2, CKA_EXPONENT_1,
		CKA_EXPONENT_2, CKA_COEFFICIENT,
	};
	struct fw_attrs a;
	struct fw_bytes bad;
	size_t i;

	(void)state;
	/* Any part that does not fit */
	for (i = 0; i < ARRAY_SIZE(every); i++) {
		rsa_attrs(CKO_PRIVATE_KEY, &a);
		bad = flipped(get(&a, every[i]), get(&a, every[i]).len - 2, 3);
		assert_ok(fw_attrs_put(&a, every[i], bad.p, bad.len));
		assert_rv(fw_key_complete(&a), CKR_TEMPLATE_INCONSISTENT);
		fw_attrs_wipe(&a);
	}
	/* e, d that belong to no primes: found out without an endless search */
	rsa_attrs(CKO_PRIVATE_KEY, &a);
	fw_attrs_remove(&a, CKA_PRIME_1);
	fw_attrs_remove(&a, CKA_PRIME_2);
	bad = flipped(get(&a, CKA_PRIVATE_EXPONENT), 100, 3);
	assert_ok(fw_attrs_put(&a, CKA_PRIVATE_EXPONENT, bad.p, bad.len));
	assert_rv(fw_key_complete(&a), CKR_TEMPLATE_INCONSISTENT);
	fw_attrs_wipe(&a);
	/* Parts missing */
	for (i = 0; i < 4; i++) {
		static const CK_ULONG missing[] = {
			CKA_MODULUS, CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2,
		};

		rsa_attrs(CKO_PRIVATE_KEY, &a);
		fw_attrs_remove(&a, missing[i]);
		assert_rv(fw_key_complete(&a), CKR_TEMPLATE_INCOMPLETE);
		fw_attrs_wipe(&a);
	}
	rsa_attrs(CKO_PUBLIC_KEY, &a);
	fw_attrs_remove(&a, CKA_PUBLIC_EXPONENT);
	assert_rv(fw_key_complete(&a), CKR_TEMPLATE_INCOMPLETE);
	/* Exponents and moduli that are none */
	put_hex(&a, CKA_PUBLIC_EXPONENT, "01");
	assert_rv(fw_key_complete(&a), CKR_ATTRIBUTE_VALUE_INVALID);
	put_hex(&a, CKA_PUBLIC_EXPONENT, "0100");
	assert_rv(fw_key_complete(&a), CKR_ATTRIBUTE_VALUE_INVALID);
	put_hex(&a, CKA_PUBLIC_EXPONENT, "010001");
	assert_ok(fw_attrs_put(&a, CKA_MODULUS, pattern(128).p, 128));
	assert_rv(fw_key_complete(&a), CKR_KEY_SIZE_RANGE);
	assert_ok(fw_attrs_put(&a, CKA_MODULUS, pattern(2000).p, 2000));
	assert_rv(fw_key_complete(&a), CKR_KEY_SIZE_RANGE);
	assert_ok(fw_attrs_put(&a, CKA_MODULUS, NULL, 0));
	assert_rv(fw_key_complete(&a), CKR_TEMPLATE_INCOMPLETE);
	fw_attrs_wipe(&a);
	rsa_attrs(CKO_PUBLIC_KEY, &a);
	bad = flipped(get(&a, CKA_MODULUS), 255, 0);
	assert_ok(fw_attrs_put(&a, CKA_MODULUS, bad.p, bad.len));
	assert_rv(fw_key_complete(&a), CKR_ATTRIBUTE_VALUE_INVALID);
	fw_attrs_wipe(&a);
}

/* Numbers that fit together as if they were a key's, but one "prime" is a product. */
static void test_composite_prime(void **state)
{
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *e = NULL, *d = BN_new(), *p1 = BN_new(), *q1 = BN_new(), *l = BN_new();
	BIGNUM *p, *q, *n = BN_new(), *g = BN_new();
	struct fw_attrs a;
	uint8_t mem[256];

	(void)state;
	rsa_attrs(CKO_PRIVATE_KEY, &a);
	q = BN_bin2bn(get(&a, CKA_PRIME_2).p, 128, NULL);
	p = BN_bin2bn(get(&a, CKA_PRIME_1).p, 128, NULL);
	BN_hex2bn(&e, "010001");
	BN_sub(q1, q, BN_value_one());
	/* The next odd number that is no prime and whose predecessor e does not divide */
	do {
		BN_add_word(p, 2);
		BN_sub(p1, p, BN_value_one());
		BN_gcd(g, p1, e, ctx);
	} while (!BN_is_one(g) || BN_check_prime(p, ctx, NULL) == 1);
	BN_mul(n, p, q, ctx);
	BN_gcd(g, p1, q1, ctx);
	BN_mul(l, p1, q1, ctx);
	BN_div(l, NULL, l, g, ctx);
	assert_non_null(BN_mod_inverse(d, e, l, ctx));
	fw_attrs_wipe(&a);
	start_key(&a, CKO_PRIVATE_KEY, CKK_RSA);
	assert_ok(fw_attrs_put(&a, CKA_MODULUS, mem, BN_bn2bin(n, mem)));
	assert_ok(fw_attrs_put(&a, CKA_PRIVATE_EXPONENT, mem, BN_bn2bin(d, mem)));
	assert_ok(fw_attrs_put(&a, CKA_PUBLIC_EXPONENT, mem, BN_bn2bin(e, mem)));
	assert_ok(fw_attrs_put(&a, CKA_PRIME_1, mem, BN_bn2bin(p, mem)));
	assert_ok(fw_attrs_put(&a, CKA_PRIME_2, mem, BN_bn2bin(q, mem)));
	assert_rv(fw_key_complete(&a), CKR_TEMPLATE_INCONSISTENT);
	fw_attrs_wipe(&a);
	BN_free(e);
	BN_free(d);
	BN_free(p1);
	BN_free(q1);
	BN_free(l);
	BN_free(p);
	BN_free(q);
	BN_free(n);
	BN_free(g);
	BN_CTX_free(ctx);
}

#define SCALAR	"c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"
#define POINT	\
	"04" \
	"60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6" \
	"7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"

static void test_complete_ec(void **state)
{
	static const struct {
		const char	*value;
		CK_RV		rv;
	} scalars[] = {
		{ SCALAR, CKR_OK },
		{ "01", CKR_OK },
		{ "0000000000000000000000000000000000000000000000000000000000000000000001",
		  CKR_OK },
		{ "00", CKR_ATTRIBUTE_VALUE_INVALID },
		{ "", CKR_ATTRIBUTE_VALUE_INVALID },
		/* The order, and one less */
		{ "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
		  CKR_ATTRIBUTE_VALUE_INVALID },
		{ "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550", CKR_OK },
		{ "01" SCALAR, CKR_ATTRIBUTE_VALUE_INVALID },
	};
	struct fw_attrs a;
	struct fw_bytes good = hex(POINT), bad;
	size_t i;

	(void)state;
	/* Public: with and without the OCTET STRING around it; afterwards with it */
	for (i = 0; i < 2; i++) {
		start_key(&a, CKO_PUBLIC_KEY, CKK_EC);
		put_hex(&a, CKA_EC_PARAMS, P256);
		put_hex(&a, CKA_EC_POINT, i ? "0441" POINT : POINT);
		assert_ok(fw_key_complete(&a));
		assert_hex(get(&a, CKA_EC_POINT), "0441" POINT);
		check_spki(&a);
		/* Another key's info */
		bad = flipped(get(&a, CKA_PUBLIC_KEY_INFO), 40, 0);
		assert_ok(fw_attrs_put(&a, CKA_PUBLIC_KEY_INFO, bad.p, bad.len));
		assert_rv(fw_key_complete(&a), CKR_TEMPLATE_INCONSISTENT);
		fw_attrs_wipe(&a);
	}
	for (i = 1; i < good.len; i += 7) {
		start_key(&a, CKO_PUBLIC_KEY, CKK_EC);
		put_hex(&a, CKA_EC_PARAMS, P256);
		bad = flipped(good, i, i % 8);
		assert_ok(fw_attrs_put(&a, CKA_EC_POINT, bad.p, bad.len));
		assert_rv(fw_key_complete(&a), CKR_PUBLIC_KEY_INVALID);
		assert_ok(fw_attrs_put(&a, CKA_EC_POINT, good.p, i));
		assert_rv(fw_key_complete(&a), CKR_ATTRIBUTE_VALUE_INVALID);
		fw_attrs_wipe(&a);
	}
	start_key(&a, CKO_PUBLIC_KEY, CKK_EC);
	assert_rv(fw_key_complete(&a), CKR_TEMPLATE_INCOMPLETE);
	put_hex(&a, CKA_EC_PARAMS, P256);
	assert_rv(fw_key_complete(&a), CKR_TEMPLATE_INCOMPLETE);
	put_hex(&a, CKA_EC_PARAMS, "0500");
	assert_rv(fw_key_complete(&a), CKR_CURVE_NOT_SUPPORTED);
	fw_attrs_wipe(&a);

	for (i = 0; i < ARRAY_SIZE(scalars); i++) {
		start_key(&a, CKO_PRIVATE_KEY, CKK_EC);
		put_hex(&a, CKA_EC_PARAMS, P256);
		put_hex(&a, CKA_VALUE, scalars[i].value);
		assert_rv(fw_key_complete(&a), scalars[i].rv);
		if (scalars[i].rv == CKR_OK) {
			check_spki(&a);
			assert_int_not_equal(get(&a, CKA_VALUE).p[0], 0);
		}
		if (!i)
			assert_bytes(BYTES(get(&a, CKA_PUBLIC_KEY_INFO).p + 26, 65), good);
		fw_attrs_wipe(&a);
	}
	/* A point that is another key's */
	start_key(&a, CKO_PRIVATE_KEY, CKK_EC);
	put_hex(&a, CKA_EC_PARAMS, P256);
	put_hex(&a, CKA_VALUE, SCALAR);
	put_hex(&a, CKA_EC_POINT, POINT);
	assert_ok(fw_key_complete(&a));
	put_hex(&a, CKA_VALUE, "02");
	fw_attrs_remove(&a, CKA_PUBLIC_KEY_INFO);
	assert_rv(fw_key_complete(&a), CKR_TEMPLATE_INCONSISTENT);
	fw_attrs_wipe(&a);
}

static void test_complete_25519(void **state)
{
	struct fw_attrs a;

	(void)state;
	start_key(&a, CKO_PRIVATE_KEY, CKK_EC_EDWARDS);
	put_hex(&a, CKA_EC_PARAMS, ED25519);
	/* A leading zero is part of it. */
	put_hex(&a, CKA_VALUE, "00cd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
	assert_ok(fw_key_complete(&a));
	assert_hex(get(&a, CKA_VALUE),
		   "00cd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
	check_spki(&a);
	assert_ok(fw_attrs_put(&a, CKA_VALUE, pattern(31).p, 31));
	assert_rv(fw_key_complete(&a), CKR_ATTRIBUTE_VALUE_INVALID);
	fw_attrs_wipe(&a);
	start_key(&a, CKO_PUBLIC_KEY, CKK_EC_MONTGOMERY);
	put_hex(&a, CKA_EC_PARAMS, X25519);
	assert_ok(fw_attrs_put(&a, CKA_EC_POINT, pattern(32).p, 32));
	assert_ok(fw_key_complete(&a));
	assert_int_equal(get(&a, CKA_EC_POINT).len, 34);
	assert_ok(fw_attrs_put(&a, CKA_EC_POINT, pattern(33).p, 33));
	assert_rv(fw_key_complete(&a), CKR_ATTRIBUTE_VALUE_INVALID);
	fw_attrs_wipe(&a);
}

static void test_complete_secret(void **state)
{
	struct fw_attrs a;
	struct fw_key *key;

	(void)state;
	/* Check value of AES: FIPS 197's key encrypts zeroes; of others: SHA-1 ("abc") */
	start_key(&a, CKO_SECRET_KEY, CKK_AES);
	put_hex(&a, CKA_VALUE, "00000000000000000000000000000000");
	assert_ok(fw_key_complete(&a));
	assert_int_equal(get_ulong(&a, CKA_VALUE_LEN), 16);
	assert_hex(get(&a, CKA_CHECK_VALUE), "66e94b");
	put_hex(&a, CKA_CHECK_VALUE, "66e94c");
	assert_rv(fw_key_complete(&a), CKR_ATTRIBUTE_VALUE_INVALID);
	put_hex(&a, CKA_CHECK_VALUE, "");
	assert_ok(fw_key_complete(&a));
	assert_int_equal(get(&a, CKA_CHECK_VALUE).len, 0);
	assert_ok(fw_attrs_put_ulong(&a, CKA_VALUE_LEN, 32));
	assert_rv(fw_key_complete(&a), CKR_TEMPLATE_INCONSISTENT);
	fw_attrs_wipe(&a);
	start_key(&a, CKO_SECRET_KEY, CKK_GENERIC_SECRET);
	assert_rv(fw_key_complete(&a), CKR_TEMPLATE_INCOMPLETE);
	assert_ok(fw_attrs_put(&a, CKA_VALUE, "abc", 3));
	assert_ok(fw_key_complete(&a));
	assert_hex(get(&a, CKA_CHECK_VALUE), "a9993e");
	assert_ok(fw_attrs_put(&a, CKA_VALUE, NULL, 0));
	assert_rv(fw_key_complete(&a), CKR_KEY_SIZE_RANGE);
	assert_rv(fw_key_from_attrs(&a, &key), CKR_KEY_SIZE_RANGE);
	fw_attrs_wipe(&a);
	start_key(&a, CKO_SECRET_KEY, CKK_AES);
	assert_ok(fw_attrs_put(&a, CKA_VALUE, pattern(20).p, 20));
	assert_rv(fw_key_complete(&a), CKR_KEY_SIZE_RANGE);
	fw_attrs_wipe(&a);
}

static void test_kinds(void **state)
{
	static const struct {
		CK_ULONG	class;
		CK_ULONG	type;
		CK_RV		rv;
	} kinds[] = {
		{ CKO_DATA, CKK_AES, CKR_KEY_TYPE_INCONSISTENT },
		{ CKO_CERTIFICATE, CKK_RSA, CKR_KEY_TYPE_INCONSISTENT },
		{ CKO_SECRET_KEY, CKK_RSA, CKR_ATTRIBUTE_VALUE_INVALID },
		{ CKO_SECRET_KEY, CKK_DES3, CKR_ATTRIBUTE_VALUE_INVALID },
		{ CKO_PRIVATE_KEY, CKK_AES, CKR_ATTRIBUTE_VALUE_INVALID },
		{ CKO_PUBLIC_KEY, CKK_DSA, CKR_ATTRIBUTE_VALUE_INVALID },
		{ CKO_PUBLIC_KEY, CKK_RSA, CKR_TEMPLATE_INCOMPLETE },
	};
	struct fw_attrs a = { 0 };
	struct fw_key *key;
	size_t i;

	(void)state;
	assert_rv(fw_key_complete(&a), CKR_TEMPLATE_INCOMPLETE);
	assert_rv(fw_key_from_attrs(&a, &key), CKR_TEMPLATE_INCOMPLETE);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		start_key(&a, kinds[i].class, kinds[i].type);
		assert_rv(fw_key_complete(&a), kinds[i].rv);
		assert_rv(fw_key_from_attrs(&a, &key), kinds[i].rv);
		fw_attrs_wipe(&a);
	}
	assert_true(fw_key_sensitive_attr(CKO_PRIVATE_KEY, CKA_PRIME_1));
	assert_true(fw_key_sensitive_attr(CKO_SECRET_KEY, CKA_VALUE));
	assert_false(fw_key_sensitive_attr(CKO_PRIVATE_KEY, CKA_MODULUS));
	assert_false(fw_key_sensitive_attr(CKO_CERTIFICATE, CKA_VALUE));
	assert_false(fw_key_sensitive_attr(CKO_DATA, CKA_VALUE));
	assert_true(fw_key_material_attr(CKO_PUBLIC_KEY, CKK_EC, CKA_EC_POINT));
	assert_true(fw_key_material_attr(CKO_PRIVATE_KEY, CKK_EC, CKA_VALUE));
	assert_false(fw_key_material_attr(CKO_PRIVATE_KEY, CKK_RSA, CKA_VALUE));
	assert_false(fw_key_material_attr(CKO_SECRET_KEY, CKK_AES, CKA_LABEL));
}

/* ---- threads ---- */

#define THREADS	4
#define ROUNDS	150

struct shared {
	struct fw_key	*rsa;
	struct fw_key	*rsa_pub;
	struct fw_key	*ec;
	struct fw_key	*aes;
	struct fw_key	*hmac;
	struct fw_bytes	mac;
	struct fw_bytes	sealed;
	struct fw_bytes	sig;
	atomic_uint	wrong;
};

static void *work(void *arg)
{
	struct fw_mech_params p = {
		.have = HAVE(IV) | HAVE(TAG_BITS), .iv = TEXT("0123456789ab"), .tag_bits = 128,
	};
	struct shared *s = arg;
	uint8_t out[512];
	size_t len;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		len = sizeof(out);
		if (fw_op_once(PCIEHSM_FN_SIGN, CKM_SHA256_HMAC, NULL, s->hmac,
			       (const uint8_t *)"text", 4, NULL, out, &len) != CKR_OK ||
		    len != s->mac.len || memcmp(out, s->mac.p, len))
			atomic_fetch_add(&s->wrong, 1);
		len = sizeof(out);
		if (fw_op_once(PCIEHSM_FN_ENCRYPT, CKM_AES_GCM, &p, s->aes, (const uint8_t *)"text",
			       4, NULL, out, &len) != CKR_OK ||
		    len != s->sealed.len || memcmp(out, s->sealed.p, len))
			atomic_fetch_add(&s->wrong, 1);
		len = sizeof(out);
		if (fw_op_once(PCIEHSM_FN_SIGN, CKM_ECDSA_SHA256, NULL, s->ec,
			       (const uint8_t *)"text", 4, NULL, out, &len) != CKR_OK)
			atomic_fetch_add(&s->wrong, 1);
		if (fw_op_once(PCIEHSM_FN_VERIFY, CKM_SHA256_RSA_PKCS, NULL, s->rsa_pub,
			       (const uint8_t *)"text", 4, &s->sig, NULL, NULL) != CKR_OK)
			atomic_fetch_add(&s->wrong, 1);
		if (i % 8)
			continue;
		len = sizeof(out);
		if (fw_op_once(PCIEHSM_FN_SIGN, CKM_SHA256_RSA_PKCS, NULL, s->rsa,
			       (const uint8_t *)"text", 4, NULL, out, &len) != CKR_OK ||
		    len != s->sig.len || memcmp(out, s->sig.p, len))
			atomic_fetch_add(&s->wrong, 1);
	}
	fw_key_unref(s->hmac);
	return NULL;
}

static void test_threads(void **state)
{
	struct fw_mech_params p = {
		.have = HAVE(IV) | HAVE(TAG_BITS), .iv = TEXT("0123456789ab"), .tag_bits = 128,
	};
	struct shared s = {
		.rsa = rsa_key(CKO_PRIVATE_KEY), .rsa_pub = rsa_key(CKO_PUBLIC_KEY),
		.ec = curve_private(CKK_EC, P256, SCALAR),
		.aes = secret_key(CKK_AES, pattern(32)),
		.hmac = secret_key(CKK_GENERIC_SECRET, pattern(32)),
	};
	pthread_t threads[THREADS];
	int i;

	(void)state;
	assert_ok(once(PCIEHSM_FN_SIGN, CKM_SHA256_HMAC, NULL, s.hmac, TEXT("text"), &s.mac));
	assert_ok(once(PCIEHSM_FN_ENCRYPT, CKM_AES_GCM, &p, s.aes, TEXT("text"), &s.sealed));
	assert_ok(once(PCIEHSM_FN_SIGN, CKM_SHA256_RSA_PKCS, NULL, s.rsa, TEXT("text"), &s.sig));
	for (i = 0; i < THREADS; i++) {
		fw_key_ref(s.hmac);
		assert_int_equal(pthread_create(&threads[i], NULL, work, &s), 0);
	}
	/* The threads' references keep it. */
	fw_key_unref(s.hmac);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(s.wrong, 0);
	fw_key_unref(s.rsa);
	fw_key_unref(s.rsa_pub);
	fw_key_unref(s.ec);
	fw_key_unref(s.aes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_generate_secret),
		cmocka_unit_test(test_generate_pair),
		cmocka_unit_test(test_generate_pair_templates),
		cmocka_unit_test(test_progress),
		cmocka_unit_test(test_complete_rsa),
		cmocka_unit_test(test_complete_rsa_wrong),
		cmocka_unit_test(test_composite_prime),
		cmocka_unit_test(test_complete_ec),
		cmocka_unit_test(test_complete_25519),
		cmocka_unit_test(test_complete_secret),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
