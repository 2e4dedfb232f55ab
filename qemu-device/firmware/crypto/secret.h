/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Passwords, the cloning domain, sealing of the store, random bytes, digests.
 */
#ifndef PCIEHSM_CRYPTO_SECRET_H
#define PCIEHSM_CRYPTO_SECRET_H

#include "crypto/attrs.h"

#define FW_SHA256_LEN		32
#define FW_PIN_HASH_LEN		32
#define FW_PIN_SALT_LEN		16
/* Default cost of a password check: about 50 ms on a machine of 2020. */
#define FW_PIN_ITERATIONS	100000U
#define FW_DOMAIN_KEY_LEN	48
#define FW_SEAL_KEY_LEN		32
/* Nonce before and tag behind the ciphertext */
#define FW_SEAL_OVERHEAD	(12 + 16)

/**
 * fw_random() - random bytes from libcrypto's private generator
 *
 * Return: CKR_OK or CKR_RANDOM_NO_RNG.
 */
CK_RV fw_random(void *buf, size_t len);

/** fw_random_seed() - stir in what a caller gives (C_SeedRandom); never makes it weaker */
void fw_random_seed(const void *seed, size_t len);

/** fw_secret_equal() - compare in a time that does not depend on the contents */
bool fw_secret_equal(const void *a, const void *b, size_t len);

/** fw_wipe() - overwrite in a way that no compiler leaves out. @p may be NULL. */
void fw_wipe(void *p, size_t len);

/** fw_wipe_free() - wipe and free() memory from malloc(). @p may be NULL. */
void fw_wipe_free(void *p, size_t len);

/**
 * fw_sha256() - SHA-256 of several pieces, one after the other
 *
 * Return: CKR_OK or CKR_HOST_MEMORY.
 */
CK_RV fw_sha256(const struct fw_bytes *parts, size_t count, uint8_t out[FW_SHA256_LEN]);

/**
 * fw_pbkdf2() - PBKDF2 (RFC 8018, 5.2) with HMAC
 * @digest:	libcrypto's name of the digest
 * @password:	the password
 * @salt:	the salt
 * @iterations:	cost, at least 1
 * @out:	the key
 * @len:	its bytes
 *
 * Return: CKR_OK, CKR_HOST_MEMORY or CKR_FUNCTION_FAILED.
 */
CK_RV fw_pbkdf2(const char *digest, struct fw_bytes password, struct fw_bytes salt,
		unsigned int iterations, uint8_t *out, size_t len);

/**
 * fw_pin_hash() - what is stored in place of a password: PBKDF2-HMAC-SHA256
 * @pin:	the password
 * @pin_len:	its bytes
 * @salt:	FW_PIN_SALT_LEN random bytes, one per role and password
 * @iterations:	cost, at least 1
 * @hash:	out
 *
 * Return: CKR_OK, CKR_HOST_MEMORY or CKR_FUNCTION_FAILED.
 */
CK_RV fw_pin_hash(const uint8_t *pin, size_t pin_len, const uint8_t salt[FW_PIN_SALT_LEN],
		  unsigned int iterations, uint8_t hash[FW_PIN_HASH_LEN]);

/**
 * fw_domain_key() - the key of a cloning domain, as fw.h says. It takes some 100 ms.
 * @domain:	the domain string
 * @len:	its bytes
 * @key:	out: a secret
 *
 * Return: CKR_OK, CKR_HOST_MEMORY or CKR_FUNCTION_FAILED.
 */
CK_RV fw_domain_key(const uint8_t *domain, size_t len, uint8_t key[FW_DOMAIN_KEY_LEN]);

/**
 * fw_seal() - AES-256-GCM with a random nonce, for the store
 * @key:	the sealing key
 * @aad:	what the contents are bound to
 * @plain:	the contents
 * @out:	room for plain.len + FW_SEAL_OVERHEAD bytes: nonce, ciphertext, tag
 *
 * The nonce is random, 96 bits: one key is good for 2^32 seals (SP 800-38D, 8.3).
 *
 * Return: CKR_OK, CKR_HOST_MEMORY, CKR_RANDOM_NO_RNG or CKR_FUNCTION_FAILED.
 */
CK_RV fw_seal(const uint8_t key[FW_SEAL_KEY_LEN], struct fw_bytes aad, struct fw_bytes plain,
	      uint8_t *out);

/**
 * fw_unseal() - the reverse
 * @key:	the sealing key
 * @aad:	what the contents are bound to
 * @sealed:	what fw_seal() gave
 * @out:	room for sealed.len - FW_SEAL_OVERHEAD bytes
 *
 * Return: CKR_OK; CKR_ENCRYPTED_DATA_INVALID (another key, other associated data,
 * changed or cut; @out is wiped); CKR_HOST_MEMORY.
 */
CK_RV fw_unseal(const uint8_t key[FW_SEAL_KEY_LEN], struct fw_bytes aad, struct fw_bytes sealed,
		uint8_t *out);

/**
 * fw_derive_subkey() - a key for another purpose from a key: HKDF-SHA256
 * @key:	the parent key
 * @purpose:	a text that no other purpose has
 * @out:	the key
 *
 * Return: CKR_OK, CKR_HOST_MEMORY or CKR_FUNCTION_FAILED.
 */
CK_RV fw_derive_subkey(const uint8_t key[FW_SEAL_KEY_LEN], const char *purpose,
		       uint8_t out[FW_SEAL_KEY_LEN]);

#endif /* PCIEHSM_CRYPTO_SECRET_H */
