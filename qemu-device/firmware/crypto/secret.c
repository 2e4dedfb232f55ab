// SPDX-License-Identifier: GPL-2.0-or-later
/* Passwords, the cloning domain, sealing of the store. See secret.h. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>

#include "crypto/internal.h"
#include "crypto/secret.h"

#define FW_SEAL_NONCE	12
#define FW_SEAL_TAG	16

static const char fw_domain_salt[] = "pciehsm cloning domain v1";
#define FW_DOMAIN_ITERATIONS	100000U

CK_RV fw_random(void *buf, size_t len)
{
	return RAND_priv_bytes_ex(fw_lib()->ctx, buf, len, 0) == 1 ? CKR_OK : CKR_RANDOM_NO_RNG;
}

void fw_random_seed(const void *seed, size_t len)
{
	EVP_RAND_CTX *rand = RAND_get0_private(fw_lib()->ctx);

	/*
	 * As additional input of a reseed from libcrypto's own source: a seed known to
	 * an enemy takes nothing away (SP 800-90A, 9.2).
	 */
	if (rand && len)
		EVP_RAND_reseed(rand, 0, NULL, 0, seed, len);
}

bool fw_secret_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

void fw_wipe(void *p, size_t len)
{
	if (p && len)
		OPENSSL_cleanse(p, len);
}

void fw_wipe_free(void *p, size_t len)
{
	fw_wipe(p, len);
	free(p);
}

CK_RV fw_sha256(const struct fw_bytes *parts, size_t count, uint8_t out[FW_SHA256_LEN])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok;
	size_t i;

	ok = ctx && EVP_DigestInit_ex(ctx, fw_hash_md(fw_hash_by_digest(CKM_SHA256)), NULL);
	for (i = 0; ok && i < count; i++)
		ok = EVP_DigestUpdate(ctx, parts[i].p, parts[i].len);
	ok = ok && EVP_DigestFinal_ex(ctx, out, NULL);
	EVP_MD_CTX_free(ctx);
	return ok ? CKR_OK : CKR_HOST_MEMORY;
}

CK_RV fw_pbkdf2(const char *digest, struct fw_bytes password, struct fw_bytes salt,
		unsigned int iterations, uint8_t *out, size_t len)
{
	const struct fw_lib *lib = fw_lib();
	/* Without SP 800-132's lower limits: simulations ask for few iterations. */
	int unchecked = 1;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD, (void *)password.p,
						  password.len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt.p, salt.len),
		OSSL_PARAM_construct_uint(OSSL_KDF_PARAM_ITER, &iterations),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)digest, 0),
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_PKCS5, &unchecked),
		OSSL_PARAM_construct_end()
	};
	EVP_KDF_CTX *ctx;
	CK_RV rv;

	if (!lib->pbkdf2)
		return CKR_FUNCTION_FAILED;
	ctx = EVP_KDF_CTX_new(lib->pbkdf2);
	if (!ctx)
		return CKR_HOST_MEMORY;
	rv = EVP_KDF_derive(ctx, out, len, params) > 0 ? CKR_OK : CKR_FUNCTION_FAILED;
	EVP_KDF_CTX_free(ctx);
	return rv;
}

CK_RV fw_pin_hash(const uint8_t *pin, size_t pin_len, const uint8_t salt[FW_PIN_SALT_LEN],
		  unsigned int iterations, uint8_t hash[FW_PIN_HASH_LEN])
{
	return fw_pbkdf2("SHA256", (struct fw_bytes){ pin, pin_len },
			 (struct fw_bytes){ salt, FW_PIN_SALT_LEN }, iterations, hash,
			 FW_PIN_HASH_LEN);
}

CK_RV fw_domain_key(const uint8_t *domain, size_t len, uint8_t key[FW_DOMAIN_KEY_LEN])
{
	struct fw_bytes salt = { (const uint8_t *)fw_domain_salt, sizeof(fw_domain_salt) - 1 };

	return fw_pbkdf2("SHA512", (struct fw_bytes){ domain, len }, salt, FW_DOMAIN_ITERATIONS,
			 key, FW_DOMAIN_KEY_LEN);
}

CK_RV fw_seal(const uint8_t key[FW_SEAL_KEY_LEN], struct fw_bytes aad, struct fw_bytes plain,
	      uint8_t *out)
{
	uint8_t *text = out + FW_SEAL_NONCE;
	EVP_CIPHER_CTX *ctx;
	CK_RV rv;
	int n;

	if (aad.len > INT_MAX || plain.len > INT_MAX)
		return CKR_FUNCTION_FAILED;
	rv = fw_random(out, FW_SEAL_NONCE);
	if (rv != CKR_OK)
		return rv;
	ctx = EVP_CIPHER_CTX_new();
	if (!ctx)
		return CKR_HOST_MEMORY;
	rv = CKR_FUNCTION_FAILED;
	/* Empty pieces are left out: a NULL input means something else to libcrypto. */
	if (EVP_EncryptInit_ex(ctx, fw_aes_cipher(FW_AES_GCM, FW_SEAL_KEY_LEN), NULL, key, out) &&
	    (!aad.len || EVP_EncryptUpdate(ctx, NULL, &n, aad.p, aad.len)) &&
	    (!plain.len || EVP_EncryptUpdate(ctx, text, &n, plain.p, plain.len)) &&
	    EVP_EncryptFinal_ex(ctx, text + plain.len, &n) &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, FW_SEAL_TAG, text + plain.len))
		rv = CKR_OK;
	EVP_CIPHER_CTX_free(ctx);
	return rv;
}

CK_RV fw_unseal(const uint8_t key[FW_SEAL_KEY_LEN], struct fw_bytes aad, struct fw_bytes sealed,
		uint8_t *out)
{
	const uint8_t *text = sealed.p + FW_SEAL_NONCE;
	EVP_CIPHER_CTX *ctx;
	uint8_t dummy;
	size_t len;
	CK_RV rv;
	int n;

	if (sealed.len < FW_SEAL_OVERHEAD || sealed.len > INT_MAX || aad.len > INT_MAX)
		return CKR_ENCRYPTED_DATA_INVALID;
	len = sealed.len - FW_SEAL_OVERHEAD;
	ctx = EVP_CIPHER_CTX_new();
	if (!ctx)
		return CKR_HOST_MEMORY;
	rv = CKR_ENCRYPTED_DATA_INVALID;
	if (EVP_DecryptInit_ex(ctx, fw_aes_cipher(FW_AES_GCM, FW_SEAL_KEY_LEN), NULL, key,
			       sealed.p) &&
	    (!aad.len || EVP_DecryptUpdate(ctx, NULL, &n, aad.p, aad.len)) &&
	    (!len || EVP_DecryptUpdate(ctx, out, &n, text, len)) &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, FW_SEAL_TAG, (void *)(text + len)) &&
	    EVP_DecryptFinal_ex(ctx, &dummy, &n) > 0)
		rv = CKR_OK;
	else
		fw_wipe(out, len);
	EVP_CIPHER_CTX_free(ctx);
	return rv;
}

CK_RV fw_derive_subkey(const uint8_t key[FW_SEAL_KEY_LEN], const char *purpose,
		       uint8_t out[FW_SEAL_KEY_LEN])
{
	struct fw_bytes ikm = { key, FW_SEAL_KEY_LEN }, none = { NULL, 0 };
	struct fw_bytes info = { (const uint8_t *)purpose, strlen(purpose) };

	if (info.len > FW_HKDF_INFO_MAX)
		return CKR_FUNCTION_FAILED;
	return fw_hkdf(fw_hash_by_digest(CKM_SHA256), EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND,
		       ikm, none, info, out, FW_SEAL_KEY_LEN);
}
