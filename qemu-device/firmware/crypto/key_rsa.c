// SPDX-License-Identifier: GPL-2.0-or-later
/* RSA keys: from and to attributes, and whether the parts fit together. */
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

#include "crypto/internal.h"
#include "crypto/key.h"
#include "crypto/secret.h"

enum fw_rsa_part { RSA_N, RSA_E, RSA_D, RSA_P, RSA_Q, RSA_DP, RSA_DQ, RSA_QINV, RSA_PARTS };

static const struct {
	CK_ULONG	attr;
	const char	*param;
} fw_rsa_parts[RSA_PARTS] = {
	[RSA_N]	   = { CKA_MODULUS, OSSL_PKEY_PARAM_RSA_N },
	[RSA_E]	   = { CKA_PUBLIC_EXPONENT, OSSL_PKEY_PARAM_RSA_E },
	[RSA_D]	   = { CKA_PRIVATE_EXPONENT, OSSL_PKEY_PARAM_RSA_D },
	[RSA_P]	   = { CKA_PRIME_1, OSSL_PKEY_PARAM_RSA_FACTOR1 },
	[RSA_Q]	   = { CKA_PRIME_2, OSSL_PKEY_PARAM_RSA_FACTOR2 },
	[RSA_DP]   = { CKA_EXPONENT_1, OSSL_PKEY_PARAM_RSA_EXPONENT1 },
	[RSA_DQ]   = { CKA_EXPONENT_2, OSSL_PKEY_PARAM_RSA_EXPONENT2 },
	[RSA_QINV] = { CKA_COEFFICIENT, OSSL_PKEY_PARAM_RSA_COEFFICIENT1 },
};

/* A key taken apart; what is missing is NULL. */
struct fw_rsa {
	BIGNUM	*part[RSA_PARTS];
};

static void fw_rsa_free(struct fw_rsa *rsa)
{
	unsigned int i;

	for (i = 0; i < RSA_PARTS; i++)
		BN_clear_free(rsa->part[i]);
}

/* The parts are in wiped memory even where they are public: one way for all. */
static CK_RV fw_rsa_read(const struct fw_attrs *attrs, unsigned int parts, struct fw_rsa *rsa)
{
	unsigned int i;

	memset(rsa, 0, sizeof(*rsa));
	for (i = 0; i < parts; i++) {
		struct fw_bytes value;

		if (!fw_attrs_get(attrs, fw_rsa_parts[i].attr, &value) || !value.len)
			continue;
		if (value.len > FW_RSA_MAX / 8 + 1)
			return CKR_KEY_SIZE_RANGE;
		rsa->part[i] = BN_secure_new();
		if (!rsa->part[i] || !BN_bin2bn(value.p, value.len, rsa->part[i]))
			return CKR_HOST_MEMORY;
		if (i >= RSA_D)
			BN_set_flags(rsa->part[i], BN_FLG_CONSTTIME);
	}
	return CKR_OK;
}

static CK_RV fw_rsa_range(const struct fw_rsa *rsa)
{
	int bits = BN_num_bits(rsa->part[RSA_N]);

	if (bits < FW_RSA_MIN || bits > FW_RSA_MAX)
		return CKR_KEY_SIZE_RANGE;
	if (!BN_is_odd(rsa->part[RSA_N]))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	if (rsa->part[RSA_E] &&
	    (!BN_is_odd(rsa->part[RSA_E]) || BN_is_one(rsa->part[RSA_E]) ||
	     BN_num_bits(rsa->part[RSA_E]) > FW_RSA_E_BITS))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	return CKR_OK;
}

static CK_RV fw_rsa_pkey(const struct fw_rsa *rsa, bool private, EVP_PKEY **pkey)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(fw_lib()->ctx, "RSA", NULL);
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	CK_RV rv = CKR_HOST_MEMORY;
	unsigned int i;

	*pkey = NULL;
	if (!ctx || !bld)
		goto out;
	for (i = 0; i < (private ? RSA_PARTS : RSA_D); i++)
		if (rsa->part[i] &&
		    !OSSL_PARAM_BLD_push_BN(bld, fw_rsa_parts[i].param, rsa->part[i]))
			goto out;
	params = OSSL_PARAM_BLD_to_param(bld);
	if (!params || EVP_PKEY_fromdata_init(ctx) <= 0)
		goto out;
	rv = EVP_PKEY_fromdata(ctx, pkey, private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
			       params) > 0 ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID;
out:
	/* Built from secure BIGNUMs, so this wipes. */
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	EVP_PKEY_CTX_free(ctx);
	return rv;
}

CK_RV fw_rsa_from_attrs(const struct fw_attrs *attrs, CK_ULONG class, EVP_PKEY **pkey)
{
	bool private = class == CKO_PRIVATE_KEY;
	unsigned int parts = private ? RSA_PARTS : RSA_D, i;
	struct fw_rsa rsa;
	CK_RV rv;

	rv = fw_rsa_read(attrs, parts, &rsa);
	for (i = 0; rv == CKR_OK && i < parts; i++)
		if (!rsa.part[i])
			rv = CKR_TEMPLATE_INCOMPLETE;
	if (rv == CKR_OK)
		rv = fw_rsa_range(&rsa);
	if (rv == CKR_OK)
		rv = fw_rsa_pkey(&rsa, private, pkey);
	fw_rsa_free(&rsa);
	return rv;
}

/*
 * The primes from n, e, d: with e * d - 1 = 2^s * t, t odd, a random g gives by squaring
 * g^t a root of one other than 1 and -1 with probability of at least one half; n and
 * that root minus one have a common factor (Handbook of Applied Cryptography, 8.2.2).
 */
static CK_RV fw_rsa_factor(struct fw_rsa *rsa, BN_CTX *ctx)
{
	const BIGNUM *n = rsa->part[RSA_N];
	BIGNUM *t, *g, *x, *y, *n1;
	CK_RV rv = CKR_HOST_MEMORY;
	int s, try, i;

	rsa->part[RSA_P] = BN_secure_new();
	rsa->part[RSA_Q] = BN_secure_new();
	BN_CTX_start(ctx);
	t = BN_CTX_get(ctx);
	g = BN_CTX_get(ctx);
	x = BN_CTX_get(ctx);
	y = BN_CTX_get(ctx);
	n1 = BN_CTX_get(ctx);
	if (!n1 || !rsa->part[RSA_P] || !rsa->part[RSA_Q] ||
	    !BN_mul(t, rsa->part[RSA_E], rsa->part[RSA_D], ctx) || !BN_sub_word(t, 1) ||
	    !BN_copy(n1, n) || !BN_sub_word(n1, 1))
		goto out;
	rv = CKR_TEMPLATE_INCONSISTENT;
	if (BN_is_zero(t) || BN_is_odd(t))
		goto out;
	for (s = 0; !BN_is_odd(t); s++)
		if (!BN_rshift1(t, t))
			goto out;
	/* 2^-64 that a true key is refused; a false one takes this long. */
	for (try = 0; try < 64; try++) {
		if (!BN_priv_rand_range_ex(g, n1, 0, ctx) || BN_is_zero(g) ||
		    !BN_mod_exp(x, g, t, n, ctx))
			continue;
		for (i = 0; i < s && !BN_is_one(x) && BN_cmp(x, n1); i++) {
			if (!BN_mod_sqr(y, x, n, ctx))
				goto out;
			if (BN_is_one(y)) {
				if (BN_sub_word(x, 1) && BN_gcd(rsa->part[RSA_P], x, n, ctx) &&
				    BN_div(rsa->part[RSA_Q], NULL, n, rsa->part[RSA_P], ctx))
					rv = CKR_OK;
				goto out;
			}
			BN_swap(x, y);
		}
	}
out:
	BN_CTX_end(ctx);
	return rv;
}

/* CKA_PUBLIC_EXPONENT is optional in a private key: e = d^-1 mod lcm(p - 1, q - 1). */
static CK_RV fw_rsa_exponent(struct fw_rsa *rsa, BN_CTX *ctx)
{
	BIGNUM *p1, *q1, *gcd, *lcm;
	CK_RV rv = CKR_HOST_MEMORY;

	rsa->part[RSA_E] = BN_secure_new();
	BN_CTX_start(ctx);
	p1 = BN_CTX_get(ctx);
	q1 = BN_CTX_get(ctx);
	gcd = BN_CTX_get(ctx);
	lcm = BN_CTX_get(ctx);
	if (!lcm || !rsa->part[RSA_E] ||
	    !BN_sub(p1, rsa->part[RSA_P], BN_value_one()) ||
	    !BN_sub(q1, rsa->part[RSA_Q], BN_value_one()) || !BN_gcd(gcd, p1, q1, ctx) ||
	    !BN_mul(lcm, p1, q1, ctx))
		goto out;
	rv = CKR_TEMPLATE_INCONSISTENT;
	if (BN_is_zero(gcd) || !BN_div(lcm, NULL, lcm, gcd, ctx))
		goto out;
	if (BN_mod_inverse(rsa->part[RSA_E], rsa->part[RSA_D], lcm, ctx))
		rv = fw_rsa_range(rsa);
out:
	BN_CTX_end(ctx);
	return rv;
}

/* A CRT part: take it if it is missing, else it must be @value. */
static CK_RV fw_rsa_crt(struct fw_rsa *rsa, enum fw_rsa_part part, const BIGNUM *value)
{
	if (rsa->part[part])
		return BN_cmp(rsa->part[part], value) ? CKR_TEMPLATE_INCONSISTENT : CKR_OK;
	rsa->part[part] = BN_secure_new();
	return rsa->part[part] && BN_copy(rsa->part[part], value) ? CKR_OK : CKR_HOST_MEMORY;
}

/* SP 800-56B, 6.4.1.2.1 in substance: primes, their product, exponents, CRT parts. */
static CK_RV fw_rsa_check(struct fw_rsa *rsa, BN_CTX *ctx)
{
	BIGNUM *p = rsa->part[RSA_P], *q = rsa->part[RSA_Q], *p1, *q1, *x, *y;
	CK_RV rv = CKR_HOST_MEMORY;

	BN_CTX_start(ctx);
	p1 = BN_CTX_get(ctx);
	q1 = BN_CTX_get(ctx);
	x = BN_CTX_get(ctx);
	y = BN_CTX_get(ctx);
	if (!y || !BN_sub(p1, p, BN_value_one()) || !BN_sub(q1, q, BN_value_one()) ||
	    !BN_mul(x, p, q, ctx))
		goto out;
	rv = CKR_TEMPLATE_INCONSISTENT;
	if (BN_cmp(x, rsa->part[RSA_N]) || BN_cmp(p, q) == 0 || BN_is_zero(p1) || BN_is_zero(q1))
		goto out;
	if (!BN_mul(x, rsa->part[RSA_E], rsa->part[RSA_D], ctx) ||
	    !BN_mod(y, x, p1, ctx) || !BN_is_one(y) ||
	    !BN_mod(y, x, q1, ctx) || !BN_is_one(y))
		goto out;
	if (BN_check_prime(p, ctx, NULL) != 1 || BN_check_prime(q, ctx, NULL) != 1)
		goto out;
	if (!BN_mod(x, rsa->part[RSA_D], p1, ctx))
		goto out;
	rv = fw_rsa_crt(rsa, RSA_DP, x);
	if (rv != CKR_OK)
		goto out;
	rv = CKR_TEMPLATE_INCONSISTENT;
	if (!BN_mod(x, rsa->part[RSA_D], q1, ctx))
		goto out;
	rv = fw_rsa_crt(rsa, RSA_DQ, x);
	if (rv != CKR_OK)
		goto out;
	rv = CKR_TEMPLATE_INCONSISTENT;
	if (!BN_mod_inverse(x, q, p, ctx))
		goto out;
	rv = fw_rsa_crt(rsa, RSA_QINV, x);
out:
	BN_CTX_end(ctx);
	return rv;
}

static CK_RV fw_rsa_put_spki(struct fw_attrs *attrs, EVP_PKEY *pkey)
{
	uint8_t *der = NULL;
	int len = i2d_PUBKEY(pkey, &der);
	CK_RV rv;

	if (len <= 0)
		return CKR_HOST_MEMORY;
	rv = fw_attrs_want(attrs, CKA_PUBLIC_KEY_INFO, der, len);
	OPENSSL_free(der);
	return rv;
}

/* All parts in their normal form. */
static CK_RV fw_rsa_write(struct fw_attrs *attrs, const struct fw_rsa *rsa, unsigned int parts)
{
	CK_RV rv = CKR_OK;
	unsigned int i;

	for (i = 0; rv == CKR_OK && i < parts; i++)
		rv = fw_attrs_put_bn(attrs, fw_rsa_parts[i].attr, rsa->part[i]);
	return rv;
}

CK_RV fw_rsa_complete(struct fw_attrs *attrs, CK_ULONG class)
{
	bool private = class == CKO_PRIVATE_KEY;
	BN_CTX *ctx = BN_CTX_secure_new_ex(fw_lib()->ctx);
	EVP_PKEY *pkey = NULL;
	struct fw_rsa rsa;
	CK_RV rv;

	rv = fw_rsa_read(attrs, private ? RSA_PARTS : RSA_D, &rsa);
	if (rv == CKR_OK && !ctx)
		rv = CKR_HOST_MEMORY;
	if (rv != CKR_OK)
		goto out;
	if (!rsa.part[RSA_N] || (private ? !rsa.part[RSA_D] : !rsa.part[RSA_E]) ||
	    !rsa.part[RSA_P] != !rsa.part[RSA_Q] || (!rsa.part[RSA_P] && !rsa.part[RSA_E])) {
		rv = CKR_TEMPLATE_INCOMPLETE;
		goto out;
	}
	rv = fw_rsa_range(&rsa);
	if (rv != CKR_OK)
		goto out;
	if (private) {
		if (!rsa.part[RSA_P])
			rv = fw_rsa_factor(&rsa, ctx);
		else if (!rsa.part[RSA_E])
			rv = fw_rsa_exponent(&rsa, ctx);
		if (rv == CKR_OK)
			rv = fw_rsa_check(&rsa, ctx);
	} else {
		rv = fw_attrs_want_ulong(attrs, CKA_MODULUS_BITS, BN_num_bits(rsa.part[RSA_N]));
	}
	if (rv == CKR_OK)
		rv = fw_rsa_pkey(&rsa, private, &pkey);
	if (rv == CKR_OK)
		rv = fw_rsa_put_spki(attrs, pkey);
	if (rv == CKR_OK)
		rv = fw_rsa_write(attrs, &rsa, private ? RSA_PARTS : RSA_D);
out:
	EVP_PKEY_free(pkey);
	fw_rsa_free(&rsa);
	BN_CTX_free(ctx);
	return rv;
}

CK_RV fw_rsa_to_attrs(EVP_PKEY *pkey, CK_ULONG class, struct fw_attrs *attrs)
{
	unsigned int parts = class == CKO_PRIVATE_KEY ? RSA_PARTS : RSA_D, i;
	struct fw_rsa rsa = { 0 };
	CK_RV rv = CKR_OK;

	for (i = 0; rv == CKR_OK && i < parts; i++) {
		rsa.part[i] = BN_secure_new();
		if (!rsa.part[i] ||
		    !EVP_PKEY_get_bn_param(pkey, fw_rsa_parts[i].param, &rsa.part[i]))
			rv = CKR_FUNCTION_FAILED;
	}
	if (rv == CKR_OK)
		rv = fw_attrs_want_ulong(attrs, CKA_KEY_TYPE, CKK_RSA);
	if (rv == CKR_OK && class == CKO_PUBLIC_KEY)
		rv = fw_attrs_want_ulong(attrs, CKA_MODULUS_BITS, EVP_PKEY_get_bits(pkey));
	if (rv == CKR_OK)
		rv = fw_rsa_write(attrs, &rsa, parts);
	if (rv == CKR_OK)
		rv = fw_rsa_put_spki(attrs, pkey);
	fw_rsa_free(&rsa);
	return rv;
}
