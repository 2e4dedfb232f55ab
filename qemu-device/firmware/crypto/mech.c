// SPDX-License-Identifier: GPL-2.0-or-later
/* The mechanism list: one table that both tells and does. */
#include <pthread.h>
#include <stdlib.h>

#include "crypto/internal.h"
#include "crypto/key.h"

#define SIGNATURE	(CKF_SIGN | CKF_VERIFY)
#define CIPHER		(CKF_ENCRYPT | CKF_DECRYPT)
#define WRAPPING	(CKF_WRAP | CKF_UNWRAP)
#define CURVE		(CKF_EC_F_P | CKF_EC_OID | CKF_EC_UNCOMPRESS)
#define CURVE_255	(CKF_EC_OID | CKF_EC_CURVENAME)

/* The order has no meaning: the list is sorted when it is made. */
static const struct fw_mech fw_fixed_mechs[] = {
	/* RSA, sizes in bits */
	{ { CKM_RSA_PKCS_KEY_PAIR_GEN, FW_RSA_MIN, FW_RSA_MAX, CKF_GENERATE_KEY_PAIR },
	  NULL, NULL, 0 },
	{ { CKM_RSA_X9_31_KEY_PAIR_GEN, FW_RSA_MIN, FW_RSA_MAX, CKF_GENERATE_KEY_PAIR },
	  NULL, NULL, 0 },
	{ { CKM_RSA_PKCS, FW_RSA_MIN, FW_RSA_MAX, SIGNATURE | CKF_SIGN_RECOVER |
	    CKF_VERIFY_RECOVER | CIPHER | WRAPPING }, &fw_rsa_ops, NULL, FW_RSA_PKCS1 },
	{ { CKM_RSA_PKCS_PSS, FW_RSA_MIN, FW_RSA_MAX, SIGNATURE },
	  &fw_rsa_ops, NULL, FW_RSA_PSS },
	{ { CKM_RSA_PKCS_OAEP, FW_RSA_MIN, FW_RSA_MAX, CIPHER | WRAPPING },
	  &fw_rsa_ops, NULL, FW_RSA_OAEP },
	{ { CKM_RSA_X_509, FW_RSA_MIN, FW_RSA_MAX, SIGNATURE | CKF_SIGN_RECOVER |
	    CKF_VERIFY_RECOVER | CIPHER }, &fw_rsa_ops, NULL, FW_RSA_RAW },
	/* Curves, sizes in bits */
	{ { CKM_EC_KEY_PAIR_GEN, 256, 521, CKF_GENERATE_KEY_PAIR | CURVE }, NULL, NULL, 0 },
	{ { CKM_EC_EDWARDS_KEY_PAIR_GEN, 255, 255, CKF_GENERATE_KEY_PAIR | CURVE_255 },
	  NULL, NULL, 0 },
	{ { CKM_EC_MONTGOMERY_KEY_PAIR_GEN, 255, 255, CKF_GENERATE_KEY_PAIR | CURVE_255 },
	  NULL, NULL, 0 },
	{ { CKM_ECDSA, 256, 521, SIGNATURE | CURVE }, &fw_ecdsa_ops, NULL, 0 },
	{ { CKM_EDDSA, 255, 255, SIGNATURE | CURVE_255 }, &fw_eddsa_ops, NULL, 0 },
	{ { CKM_ECDH1_DERIVE, 255, 521, CKF_DERIVE | CURVE }, NULL, NULL, 0 },
	{ { CKM_ECDH1_COFACTOR_DERIVE, 255, 521, CKF_DERIVE | CURVE }, NULL, NULL, 0 },
	/* ML-KEM, ML-DSA, SLH-DSA: sizes of the public key in bytes */
	{ { CKM_ML_KEM_KEY_PAIR_GEN, 800, 1568, CKF_GENERATE_KEY_PAIR }, NULL, NULL, CKK_ML_KEM },
	{ { CKM_ML_KEM, 800, 1568, CKF_ENCAPSULATE | CKF_DECAPSULATE }, NULL, NULL, CKK_ML_KEM },
	{ { CKM_ML_DSA_KEY_PAIR_GEN, 1312, 2592, CKF_GENERATE_KEY_PAIR },
	  NULL, NULL, CKK_ML_DSA },
	{ { CKM_ML_DSA, 1312, 2592, SIGNATURE }, &fw_pqc_sign_ops, NULL, CKK_ML_DSA },
	{ { CKM_SLH_DSA_KEY_PAIR_GEN, 32, 64, CKF_GENERATE_KEY_PAIR }, NULL, NULL, CKK_SLH_DSA },
	{ { CKM_SLH_DSA, 32, 64, SIGNATURE }, &fw_pqc_sign_ops, NULL, CKK_SLH_DSA },
	/* AES, sizes in bytes */
	{ { CKM_AES_KEY_GEN, 16, 32, CKF_GENERATE }, NULL, NULL, 0 },
	{ { CKM_AES_ECB, 16, 32, CIPHER | WRAPPING }, &fw_aes_ops, NULL, FW_AES_ECB },
	{ { CKM_AES_CBC, 16, 32, CIPHER | WRAPPING }, &fw_aes_ops, NULL, FW_AES_CBC },
	{ { CKM_AES_CBC_PAD, 16, 32, CIPHER | WRAPPING },
	  &fw_aes_ops, NULL, FW_AES_CBC | FW_AES_PAD },
	{ { CKM_AES_CTR, 16, 32, CIPHER | WRAPPING }, &fw_aes_ops, NULL, FW_AES_CTR },
	{ { CKM_AES_GCM, 16, 32, CIPHER | WRAPPING }, &fw_aes_gcm_ops, NULL, FW_AES_GCM },
	{ { CKM_AES_CMAC, 16, 32, SIGNATURE }, &fw_cmac_ops, NULL, 0 },
	{ { CKM_AES_CMAC_GENERAL, 16, 32, SIGNATURE }, &fw_cmac_ops, NULL, FW_MAC_GENERAL },
	{ { CKM_AES_KEY_WRAP, 16, 32, CIPHER | WRAPPING }, &fw_aes_kw_ops, NULL, FW_AES_KW },
	/* 2.40's name for what most tokens take to be RFC 5649, which 3.0 calls _KWP */
	{ { CKM_AES_KEY_WRAP_PAD, 16, 32, CIPHER | WRAPPING },
	  &fw_aes_kw_ops, NULL, FW_AES_KWP },
	{ { CKM_AES_KEY_WRAP_KWP, 16, 32, CIPHER | WRAPPING },
	  &fw_aes_kw_ops, NULL, FW_AES_KWP },
	/* Other secrets, sizes in bytes */
	{ { CKM_GENERIC_SECRET_KEY_GEN, 1, FW_SECRET_MAX, CKF_GENERATE }, NULL, NULL, 0 },
	{ { CKM_HKDF_KEY_GEN, 1, FW_SECRET_MAX, CKF_GENERATE }, NULL, NULL, 0 },
	{ { CKM_HKDF_DERIVE, 1, FW_SECRET_MAX, CKF_DERIVE }, NULL, NULL, 0 },
	{ { CKM_HKDF_DATA, 1, FW_SECRET_MAX, CKF_DERIVE }, NULL, NULL, 0 },
};

#define FW_FIXED_COUNT	(sizeof(fw_fixed_mechs) / sizeof(fw_fixed_mechs[0]))
#define FW_PER_HASH	6
#define FW_MECH_MAX	(FW_FIXED_COUNT + FW_PER_HASH * FW_HASH_COUNT)

static struct fw_mech fw_mech_table[FW_MECH_MAX];
static struct fw_mech_info fw_mech_infos[FW_MECH_MAX];
static size_t fw_mech_count;
/* Where a number's mechanism is likely to be, plus 1: each message looks one up. */
#define FW_GUESSES	1024
static uint8_t fw_mech_guess[FW_GUESSES];
_Static_assert(FW_MECH_MAX < UINT8_MAX, "no room for the index of a mechanism");

static pthread_once_t fw_mech_once = PTHREAD_ONCE_INIT;

static int fw_mech_order(const void *a, const void *b)
{
	const struct fw_mech *x = a, *y = b;

	return x->info.type < y->info.type ? -1 : x->info.type > y->info.type;
}

/* Does libcrypto have what this needs? */
static bool fw_mech_present(const struct fw_mech *mech)
{
	const struct fw_lib *lib = fw_lib();

	if (mech->hash && !fw_hash_md(mech->hash))
		return false;
	if (mech->ops == &fw_aes_ops || mech->ops == &fw_aes_gcm_ops || mech->ops == &fw_aes_kw_ops)
		return fw_aes_cipher(mech->variant & ~FW_AES_PAD, 16) &&
		       fw_aes_cipher(mech->variant & ~FW_AES_PAD, 24) &&
		       fw_aes_cipher(mech->variant & ~FW_AES_PAD, 32);
	if (mech->ops == &fw_cmac_ops)
		return lib->cmac;
	if (mech->ops == &fw_hmac_ops)
		return lib->hmac;
	if (mech->info.type == CKM_HKDF_DERIVE || mech->info.type == CKM_HKDF_DATA)
		return lib->hkdf;
	/* Only these name a key type. */
	if ((!mech->ops || mech->ops == &fw_pqc_sign_ops) && mech->variant)
		return lib->ctx && fw_pqc_present(mech->variant);
	return lib->ctx;
}

static void fw_mech_add(uint32_t type, uint32_t min, uint32_t max, uint32_t flags,
			const struct fw_mech_ops *ops, const struct fw_hash *hash,
			unsigned int variant)
{
	struct fw_mech mech = { { type, min, max, flags }, ops, hash, variant };

	if (fw_mech_present(&mech))
		fw_mech_table[fw_mech_count++] = mech;
}

static unsigned int fw_mech_hash(CK_ULONG type)
{
	return (type ^ type >> 10) % FW_GUESSES;
}

static void fw_mech_init(void)
{
	size_t i;

	for (i = 0; i < FW_FIXED_COUNT; i++)
		if (fw_mech_present(&fw_fixed_mechs[i]))
			fw_mech_table[fw_mech_count++] = fw_fixed_mechs[i];
	for (i = 0; i < FW_HASH_COUNT; i++) {
		const struct fw_hash *hash = &fw_hashes[i];

		fw_mech_add(hash->digest, 0, 0, CKF_DIGEST, &fw_digest_ops, hash, 0);
		fw_mech_add(hash->hmac, 1, FW_SECRET_MAX, SIGNATURE, &fw_hmac_ops, hash, 0);
		fw_mech_add(hash->hmac_general, 1, FW_SECRET_MAX, SIGNATURE, &fw_hmac_ops, hash,
			    FW_MAC_GENERAL);
		fw_mech_add(hash->rsa, FW_RSA_MIN, FW_RSA_MAX, SIGNATURE, &fw_rsa_hash_ops, hash,
			    FW_RSA_PKCS1);
		fw_mech_add(hash->pss, FW_RSA_MIN, FW_RSA_MAX, SIGNATURE, &fw_rsa_hash_ops, hash,
			    FW_RSA_PSS);
		fw_mech_add(hash->ecdsa, 256, 521, SIGNATURE | CURVE, &fw_ecdsa_hash_ops, hash, 0);
	}
	qsort(fw_mech_table, fw_mech_count, sizeof(fw_mech_table[0]), fw_mech_order);
	for (i = 0; i < fw_mech_count; i++) {
		fw_mech_infos[i] = fw_mech_table[i].info;
		fw_mech_guess[fw_mech_hash(fw_mech_infos[i].type)] = (uint8_t)(i + 1);
	}
}

const struct fw_mech *fw_mech_get(CK_ULONG type)
{
	size_t lo, hi;

	pthread_once(&fw_mech_once, fw_mech_init);
	lo = fw_mech_guess[fw_mech_hash(type)];
	if (lo && fw_mech_table[lo - 1].info.type == type)
		return &fw_mech_table[lo - 1];
	lo = 0;
	hi = fw_mech_count;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (fw_mech_table[mid].info.type < type)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < fw_mech_count && fw_mech_table[lo].info.type == type ? &fw_mech_table[lo] :
									   NULL;
}

const struct fw_mech_info *fw_mechanisms(size_t *count)
{
	pthread_once(&fw_mech_once, fw_mech_init);
	*count = fw_mech_count;
	return fw_mech_infos;
}

const struct fw_mech_info *fw_mechanism_find(CK_ULONG type)
{
	const struct fw_mech *mech = fw_mech_get(type);

	return mech ? &fw_mech_infos[mech - fw_mech_table] : NULL;
}
