// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Known answers at power-on of ML-KEM, ML-DSA and SLH-DSA, where libcrypto has them. Keys and
 * signatures are long, so what is known of them is a SHA-256.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>

#include "crypto/internal.h"
#include "crypto/key.h"
#include "crypto/secret.h"
#include "crypto/selftest.h"

/* libcrypto's name of the random bytes of an encapsulation; headers before 3.5 have none */
#define FW_PARAM_IKME	"ikme"
/* ML-DSA-87 has the longest public key. */
#define FW_PUB_MAX	2592

/**
 * struct fw_pqc_kat - a key and what is known of it
 * @attr:	what @key is: CKA_SEED or CKA_VALUE
 * @random:	ML-KEM: random bytes of the encapsulation
 * @text:	else: what is signed, without random bytes
 * @sum:	SHA-256, see fw_pqc_kem() and fw_pqc_sign()
 */
struct fw_pqc_kat {
	const char	*name;
	CK_ULONG	type;
	CK_ULONG	set;
	CK_ULONG	mech;
	CK_ULONG	attr;
	const char	*key;
	const char	*random;
	const char	*text;
	const char	*sum;
};

/*
 * The first round of the accumulated vectors of ML-KEM-768 (Go, crypto/mlkem) and of
 * ML-DSA-65 (C2SP/CCTV): key and random bytes are the beginning of SHAKE128 of nothing.
 * That all rounds together give what is published, tests/crypto/test-pqc.c sees. SLH-DSA:
 * NIST ACVP-Server, SLH-DSA-keyGen-FIPS205, tcId 21; a signature leads to the root of the
 * tree that is made from the seeds, so it verifies only if that is the published one.
 */
static const struct fw_pqc_kat fw_pqc_kats[] = {
	{ "ML-KEM", CKK_ML_KEM, CKP_ML_KEM_768, CKM_ML_KEM, CKA_SEED,
	  "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26"
	  "3cb1eea988004b93103cfb0aeefd2a686e01fa4a58e8a3639ca8a1e3f9ae57e2",
	  "35b8cc873c23dc62b8d260169afa2f75ab916a58d974918835d25e6a435085b2", NULL,
	  "f27be7633b1151aea0cf2b0b9eebed6c0a53ec3c5d3d691ac37d841597fb8123" },
	{ "ML-DSA", CKK_ML_DSA, CKP_ML_DSA_65, CKM_ML_DSA, CKA_SEED,
	  "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26", NULL, "",
	  "f41a414d16ddf1c5e9f77abc820697369eedf6ff1dca0c9ad71e43babde96f68" },
	{ "SLH-DSA", CKK_SLH_DSA, CKP_SLH_DSA_SHA2_128F, CKM_SLH_DSA, CKA_VALUE,
	  "aed6f6f5c5408bbffa1136bc9049a7014d4ce0711e176a0c8a023508a692c207"
	  "74d98d5000af53b98f36389a1292bed3f4a650c56c426fcfdb88e3355459440c", NULL, "abc",
	  "89055eab3e25188c0046f452b65792d347dafa420b2dddaae5b7aa5e9ee74b06" },
};

static bool fw_pqc_private(const struct fw_pqc_kat *kat, struct fw_key **key)
{
	struct fw_attrs attrs = { 0 };
	bool ok;

	ok = fw_attrs_put_ulong(&attrs, CKA_CLASS, CKO_PRIVATE_KEY) == CKR_OK &&
	     fw_attrs_put_ulong(&attrs, CKA_KEY_TYPE, kat->type) == CKR_OK &&
	     fw_attrs_put_ulong(&attrs, CKA_PARAMETER_SET, kat->set) == CKR_OK &&
	     fw_put_hex(&attrs, kat->attr, kat->key) && fw_key_from_attrs(&attrs, key) == CKR_OK;
	fw_attrs_wipe(&attrs);
	return ok;
}

static bool fw_pqc_public(const struct fw_pqc_kat *kat, struct fw_bytes value, struct fw_key **key)
{
	struct fw_attrs attrs = { 0 };
	bool ok;

	ok = fw_attrs_put_ulong(&attrs, CKA_CLASS, CKO_PUBLIC_KEY) == CKR_OK &&
	     fw_attrs_put_ulong(&attrs, CKA_KEY_TYPE, kat->type) == CKR_OK &&
	     fw_attrs_put_ulong(&attrs, CKA_PARAMETER_SET, kat->set) == CKR_OK &&
	     fw_attrs_put(&attrs, CKA_VALUE, value.p, value.len) == CKR_OK &&
	     fw_key_from_attrs(&attrs, key) == CKR_OK;
	fw_attrs_wipe(&attrs);
	return ok;
}

static bool fw_pqc_sum(const struct fw_bytes *parts, size_t count, const char *want)
{
	uint8_t sum[FW_SHA256_LEN];

	return fw_sha256(parts, count, sum) == CKR_OK && fw_same(sum, sizeof(sum), want);
}

/* Encapsulating with random bytes that are given: nobody but libcrypto itself is asked for that. */
static bool fw_pqc_encapsulate(const struct fw_pqc_kat *kat, struct fw_key *key, uint8_t *out,
			       uint8_t secret[FW_KEM_SECRET])
{
	size_t len = key->pqc->out_len, secret_len = FW_KEM_SECRET;
	uint8_t random[32];
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(FW_PARAM_IKME, random, sizeof(random)),
		OSSL_PARAM_construct_end()
	};
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(fw_lib()->ctx, key->pkey, NULL);
	bool ok;

	fw_unhex(kat->random, random);
	ok = ctx && EVP_PKEY_encapsulate_init(ctx, params) > 0 &&
	     EVP_PKEY_encapsulate(ctx, out, &len, secret, &secret_len) > 0 &&
	     len == key->pqc->out_len && secret_len == FW_KEM_SECRET;
	EVP_PKEY_CTX_free(ctx);
	return ok;
}

static bool fw_pqc_decapsulate(struct fw_key *key, struct fw_bytes in,
			       uint8_t secret[FW_KEM_SECRET])
{
	struct fw_bytes value = { NULL, 0 };
	struct fw_attrs attrs = { 0 };
	bool ok;

	ok = fw_decapsulate(CKM_ML_KEM, NULL, key, in.p, in.len, &attrs) == CKR_OK &&
	     fw_attrs_get(&attrs, CKA_VALUE, &value) && value.len == FW_KEM_SECRET;
	if (ok)
		memcpy(secret, value.p, FW_KEM_SECRET);
	fw_attrs_wipe(&attrs);
	return ok;
}

/* Sum of: public key, ciphertext, secret, and that of a changed ciphertext (FIPS 203, 6.3) */
static bool fw_pqc_kem(const struct fw_pqc_kat *kat, struct fw_key *pub, struct fw_key *priv,
		       struct fw_bytes value, uint8_t *out)
{
	uint8_t secret[FW_KEM_SECRET], same[FW_KEM_SECRET], other[FW_KEM_SECRET];
	struct fw_bytes sealed = { out, pub->pqc->out_len };
	struct fw_bytes parts[4] = { value, sealed, { secret, sizeof(secret) },
				     { other, sizeof(other) } };
	bool ok;

	ok = fw_pqc_encapsulate(kat, pub, out, secret) && fw_pqc_decapsulate(priv, sealed, same) &&
	     fw_secret_equal(secret, same, sizeof(secret));
	out[0] ^= 1;
	ok = ok && fw_pqc_decapsulate(priv, sealed, other);
	out[0] ^= 1;
	return ok && fw_pqc_sum(parts, 4, kat->sum);
}

/* Sum of: public key, signature */
static bool fw_pqc_sign(const struct fw_pqc_kat *kat, struct fw_key *pub, struct fw_key *priv,
			struct fw_bytes value, uint8_t *out)
{
	struct fw_mech_params p = {
		.have = FW_HAVE(PCIEHSM_F_P_HEDGE), .hedge = CKH_DETERMINISTIC_REQUIRED
	};
	const uint8_t *text = (const uint8_t *)kat->text;
	struct fw_bytes sig = { out, priv->pqc->out_len };
	struct fw_bytes parts[2];
	size_t len = strlen(kat->text);
	bool ok;

	ok = fw_op_once(PCIEHSM_FN_SIGN, kat->mech, &p, priv, text, len, NULL, out,
			&sig.len) == CKR_OK;
	parts[0] = value;
	parts[1] = sig;
	ok = ok && fw_pqc_sum(parts, 2, kat->sum) &&
	     fw_op_once(PCIEHSM_FN_VERIFY, kat->mech, NULL, pub, text, len, &sig, NULL,
			NULL) == CKR_OK;
	out[0] ^= 1;
	return ok && fw_op_once(PCIEHSM_FN_VERIFY, kat->mech, NULL, pub, text, len, &sig, NULL,
				NULL) == CKR_SIGNATURE_INVALID;
}

static bool fw_pqc_kat_run(const struct fw_pqc_kat *kat)
{
	struct fw_key *pub = NULL, *priv = NULL;
	struct fw_bytes value = { NULL, 0 };
	uint8_t bytes[FW_PUB_MAX], *out;
	bool ok;

	ok = fw_pqc_private(kat, &priv) &&
	     EVP_PKEY_get_octet_string_param(priv->pkey, OSSL_PKEY_PARAM_PUB_KEY, bytes,
					     sizeof(bytes), &value.len);
	value.p = bytes;
	ok = ok && fw_pqc_public(kat, value, &pub);
	out = ok ? malloc(priv->pqc->out_len) : NULL;
	ok = out && (kat->type == CKK_ML_KEM ? fw_pqc_kem(kat, pub, priv, value, out) :
					       fw_pqc_sign(kat, pub, priv, value, out));
	free(out);
	fw_key_unref(pub);
	fw_key_unref(priv);
	ERR_clear_error();
	return ok;
}

const char *fw_selftest_pqc(void)
{
	size_t i;

	for (i = 0; i < sizeof(fw_pqc_kats) / sizeof(fw_pqc_kats[0]); i++)
		if (fw_mech_get(fw_pqc_kats[i].mech) && !fw_pqc_kat_run(&fw_pqc_kats[i]))
			return fw_pqc_kats[i].name;
	return NULL;
}
