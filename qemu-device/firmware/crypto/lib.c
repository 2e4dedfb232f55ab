// SPDX-License-Identifier: GPL-2.0-or-later
/* libcrypto: fetched once, because each implicit fetch costs more than a small MAC. */
#include <pthread.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/provider.h>

#include "crypto/internal.h"

const struct fw_hash fw_hashes[FW_HASH_COUNT] = {
	{ "SHA1", 20, CKM_SHA_1, CKM_SHA_1_HMAC, CKM_SHA_1_HMAC_GENERAL, CKK_SHA_1_HMAC,
	  CKM_SHA1_RSA_PKCS, CKM_SHA1_RSA_PKCS_PSS, CKM_ECDSA_SHA1,
	  CKG_MGF1_SHA1, CKD_SHA1_KDF },
	{ "SHA224", 28, CKM_SHA224, CKM_SHA224_HMAC, CKM_SHA224_HMAC_GENERAL, CKK_SHA224_HMAC,
	  CKM_SHA224_RSA_PKCS, CKM_SHA224_RSA_PKCS_PSS, CKM_ECDSA_SHA224,
	  CKG_MGF1_SHA224, CKD_SHA224_KDF },
	{ "SHA256", 32, CKM_SHA256, CKM_SHA256_HMAC, CKM_SHA256_HMAC_GENERAL, CKK_SHA256_HMAC,
	  CKM_SHA256_RSA_PKCS, CKM_SHA256_RSA_PKCS_PSS, CKM_ECDSA_SHA256,
	  CKG_MGF1_SHA256, CKD_SHA256_KDF },
	{ "SHA384", 48, CKM_SHA384, CKM_SHA384_HMAC, CKM_SHA384_HMAC_GENERAL, CKK_SHA384_HMAC,
	  CKM_SHA384_RSA_PKCS, CKM_SHA384_RSA_PKCS_PSS, CKM_ECDSA_SHA384,
	  CKG_MGF1_SHA384, CKD_SHA384_KDF },
	{ "SHA512", 64, CKM_SHA512, CKM_SHA512_HMAC, CKM_SHA512_HMAC_GENERAL, CKK_SHA512_HMAC,
	  CKM_SHA512_RSA_PKCS, CKM_SHA512_RSA_PKCS_PSS, CKM_ECDSA_SHA512,
	  CKG_MGF1_SHA512, CKD_SHA512_KDF },
	{ "SHA3-224", 28, CKM_SHA3_224, CKM_SHA3_224_HMAC, CKM_SHA3_224_HMAC_GENERAL,
	  CKK_SHA3_224_HMAC, CKM_SHA3_224_RSA_PKCS, CKM_SHA3_224_RSA_PKCS_PSS,
	  CKM_ECDSA_SHA3_224, CKG_MGF1_SHA3_224, CKD_SHA3_224_KDF },
	{ "SHA3-256", 32, CKM_SHA3_256, CKM_SHA3_256_HMAC, CKM_SHA3_256_HMAC_GENERAL,
	  CKK_SHA3_256_HMAC, CKM_SHA3_256_RSA_PKCS, CKM_SHA3_256_RSA_PKCS_PSS,
	  CKM_ECDSA_SHA3_256, CKG_MGF1_SHA3_256, CKD_SHA3_256_KDF },
	{ "SHA3-384", 48, CKM_SHA3_384, CKM_SHA3_384_HMAC, CKM_SHA3_384_HMAC_GENERAL,
	  CKK_SHA3_384_HMAC, CKM_SHA3_384_RSA_PKCS, CKM_SHA3_384_RSA_PKCS_PSS,
	  CKM_ECDSA_SHA3_384, CKG_MGF1_SHA3_384, CKD_SHA3_384_KDF },
	{ "SHA3-512", 64, CKM_SHA3_512, CKM_SHA3_512_HMAC, CKM_SHA3_512_HMAC_GENERAL,
	  CKK_SHA3_512_HMAC, CKM_SHA3_512_RSA_PKCS, CKM_SHA3_512_RSA_PKCS_PSS,
	  CKM_ECDSA_SHA3_512, CKG_MGF1_SHA3_512, CKD_SHA3_512_KDF },
};

/* KW is also "wrap" in libcrypto, with the inverse cipher as decryption. */
static const char *const fw_aes_names[FW_AES_MODES][3] = {
	[FW_AES_ECB] = { "AES-128-ECB", "AES-192-ECB", "AES-256-ECB" },
	[FW_AES_CBC] = { "AES-128-CBC", "AES-192-CBC", "AES-256-CBC" },
	[FW_AES_CTR] = { "AES-128-CTR", "AES-192-CTR", "AES-256-CTR" },
	[FW_AES_GCM] = { "AES-128-GCM", "AES-192-GCM", "AES-256-GCM" },
	[FW_AES_KW]  = { "AES-128-WRAP", "AES-192-WRAP", "AES-256-WRAP" },
	[FW_AES_KWP] = { "AES-128-WRAP-PAD", "AES-192-WRAP-PAD", "AES-256-WRAP-PAD" },
};

static struct fw_lib fw_the_lib;
static pthread_once_t fw_lib_once = PTHREAD_ONCE_INIT;

static void fw_lib_init(void)
{
	struct fw_lib *lib = &fw_the_lib;
	unsigned int i, j;

	/*
	 * Everything stays for the life of the process: a library in a host program does not
	 * know when the last thread has done with it.
	 */
	lib->ctx = OSSL_LIB_CTX_new();
	if (!lib->ctx || !OSSL_PROVIDER_load(lib->ctx, "default"))
		return;
	for (i = 0; i < FW_HASH_COUNT; i++)
		lib->md[i] = EVP_MD_fetch(lib->ctx, fw_hashes[i].name, NULL);
	for (i = 0; i < FW_AES_MODES; i++)
		for (j = 0; j < 3; j++)
			lib->aes[i][j] = EVP_CIPHER_fetch(lib->ctx, fw_aes_names[i][j], NULL);
	lib->hmac = EVP_MAC_fetch(lib->ctx, "HMAC", NULL);
	lib->cmac = EVP_MAC_fetch(lib->ctx, "CMAC", NULL);
	lib->hkdf = EVP_KDF_fetch(lib->ctx, "HKDF", NULL);
	lib->x963kdf = EVP_KDF_fetch(lib->ctx, "X963KDF", NULL);
	lib->pbkdf2 = EVP_KDF_fetch(lib->ctx, "PBKDF2", NULL);
	ERR_clear_error();
}

const struct fw_lib *fw_lib(void)
{
	pthread_once(&fw_lib_once, fw_lib_init);
	return &fw_the_lib;
}

const struct fw_hash *fw_hash_by_digest(CK_ULONG mech)
{
	unsigned int i;

	for (i = 0; i < FW_HASH_COUNT; i++)
		if (fw_hashes[i].digest == mech)
			return &fw_hashes[i];
	return NULL;
}

const struct fw_hash *fw_hash_by_mgf(CK_ULONG mgf)
{
	unsigned int i;

	for (i = 0; i < FW_HASH_COUNT; i++)
		if (fw_hashes[i].mgf == mgf)
			return &fw_hashes[i];
	return NULL;
}

const struct fw_hash *fw_hash_by_kdf(CK_ULONG kdf)
{
	unsigned int i;

	for (i = 0; i < FW_HASH_COUNT; i++)
		if (fw_hashes[i].kdf == kdf)
			return &fw_hashes[i];
	return NULL;
}

const EVP_CIPHER *fw_aes_cipher(enum fw_aes_mode mode, size_t key_len)
{
	if (key_len != 16 && key_len != 24 && key_len != 32)
		return NULL;
	return fw_lib()->aes[mode][key_len / 8 - 2];
}

CK_RV fw_hkdf(const struct fw_hash *hash, int mode, struct fw_bytes key, struct fw_bytes salt,
	      struct fw_bytes info, uint8_t *out, size_t len)
{
	const struct fw_lib *lib = fw_lib();
	OSSL_PARAM params[6], *p = params;
	EVP_KDF_CTX *ctx;
	CK_RV rv;

	if (!lib->hkdf)
		return CKR_FUNCTION_FAILED;
	ctx = EVP_KDF_CTX_new(lib->hkdf);
	if (!ctx)
		return CKR_HOST_MEMORY;
	*p++ = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
	*p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)hash->name, 0);
	*p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)key.p, key.len);
	/* An empty salt is the same as none; libcrypto does not take an empty one. */
	if (salt.len)
		*p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt.p,
							 salt.len);
	if (info.len)
		*p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info.p,
							 info.len);
	*p = OSSL_PARAM_construct_end();
	rv = EVP_KDF_derive(ctx, out, len, params) > 0 ? CKR_OK : CKR_FUNCTION_FAILED;
	EVP_KDF_CTX_free(ctx);
	return rv;
}
