/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hybrid public key encryption, RFC 9180: DHKEM on the NIST curves, in the modes Base,
 * PSK, Auth and AuthPSK. The cloning channel uses one suite and one mode of it; the others
 * are here so that the RFC's test vectors test the same code.
 */
#ifndef PCIEHSM_CRYPTO_HPKE_H
#define PCIEHSM_CRYPTO_HPKE_H

#include <openssl/evp.h>

#include "crypto/attrs.h"

/* Section 7.1 */
#define FW_HPKE_KEM_P256	0x0010
#define FW_HPKE_KEM_P384	0x0011
#define FW_HPKE_KEM_P521	0x0012
/* Section 7.2 */
#define FW_HPKE_KDF_SHA256	0x0001
#define FW_HPKE_KDF_SHA384	0x0002
#define FW_HPKE_KDF_SHA512	0x0003
/* Section 7.3 */
#define FW_HPKE_AEAD_AES128	0x0001
#define FW_HPKE_AEAD_AES256	0x0002

/* Bytes that a seal adds, and the greatest encapsulated key */
#define FW_HPKE_TAG_LEN		16
#define FW_HPKE_ENC_MAX		133

/** struct fw_hpke_suite - identifiers of the three algorithms */
struct fw_hpke_suite {
	uint16_t	kem;
	uint16_t	kdf;
	uint16_t	aead;
};

/**
 * struct fw_hpke_keys - what both sides bring along
 * @info:	the application's
 * @psk:	{NULL, 0}: none. At least 32 bytes otherwise (section 9.5).
 * @psk_id:	given exactly if @psk is
 *
 * Whether the mode is an authenticated one says the sender's key: NULL or not.
 */
struct fw_hpke_keys {
	struct fw_bytes	info;
	struct fw_bytes	psk;
	struct fw_bytes	psk_id;
};

struct fw_hpke;

/**
 * fw_hpke_keypair() - DeriveKeyPair of section 7.1.3
 * @suite:	whose KEM it is for
 * @ikm:	at least as many bytes as a private key has (section 9.3.1: of that entropy)
 * @pkey:	out: to be freed by EVP_PKEY_free()
 *
 * Return: CKR_OK, CKR_MECHANISM_INVALID (no such suite), CKR_HOST_MEMORY, CKR_FUNCTION_FAILED.
 */
CK_RV fw_hpke_keypair(struct fw_hpke_suite suite, struct fw_bytes ikm, EVP_PKEY **pkey);

/**
 * fw_hpke_generate() - a random key pair for the suite's KEM
 *
 * Return: as fw_hpke_keypair().
 */
CK_RV fw_hpke_generate(struct fw_hpke_suite suite, EVP_PKEY **pkey);

/**
 * fw_hpke_public() - SerializePublicKey
 * @suite:	whose KEM the key is of
 * @pkey:	the key
 * @out:	room FW_HPKE_ENC_MAX
 * @len:	out: bytes
 *
 * Return: CKR_OK, CKR_MECHANISM_INVALID or CKR_FUNCTION_FAILED.
 */
CK_RV fw_hpke_public(struct fw_hpke_suite suite, EVP_PKEY *pkey, uint8_t *out, size_t *len);

/**
 * fw_hpke_sender() - SetupS
 * @suite:	the algorithms
 * @peer:	pkR, serialized
 * @keys:	info and PSK
 * @own:	skS, NULL: not authenticated
 * @ephemeral:	skE, for test vectors; NULL: a fresh one, as it must be
 * @enc:	out: the encapsulated key, room FW_HPKE_ENC_MAX
 * @enc_len:	out: its bytes
 * @hpke:	out: the context, to be freed by fw_hpke_free()
 *
 * Return: CKR_OK; CKR_MECHANISM_INVALID; CKR_ARGUMENTS_BAD (a PSK without its id, too short,
 * or the reverse); CKR_PUBLIC_KEY_INVALID (pkR is not on the curve); CKR_HOST_MEMORY;
 * CKR_FUNCTION_FAILED.
 */
CK_RV fw_hpke_sender(struct fw_hpke_suite suite, struct fw_bytes peer,
		     const struct fw_hpke_keys *keys, EVP_PKEY *own, EVP_PKEY *ephemeral,
		     uint8_t *enc, size_t *enc_len, struct fw_hpke **hpke);

/**
 * fw_hpke_recipient() - SetupR
 * @suite:	the algorithms
 * @enc:	the encapsulated key
 * @own:	skR
 * @keys:	info and PSK
 * @peer:	pkS, serialized; {NULL, 0}: not authenticated
 * @hpke:	out: the context, to be freed by fw_hpke_free()
 *
 * That it succeeds proves nothing: only opening does.
 *
 * Return: as fw_hpke_sender().
 */
CK_RV fw_hpke_recipient(struct fw_hpke_suite suite, struct fw_bytes enc, EVP_PKEY *own,
			const struct fw_hpke_keys *keys, struct fw_bytes peer,
			struct fw_hpke **hpke);

/**
 * fw_hpke_seal() - ContextS.Seal; adds one to the sequence number
 * @hpke:	the context
 * @aad:	associated data
 * @plain:	the plaintext
 * @out:	room for plain.len + FW_HPKE_TAG_LEN; may be plain.p
 *
 * Return: CKR_OK, or CKR_FUNCTION_FAILED (also: MessageLimitReachedError).
 */
CK_RV fw_hpke_seal(struct fw_hpke *hpke, struct fw_bytes aad, struct fw_bytes plain, uint8_t *out);

/**
 * fw_hpke_open() - ContextR.Open; adds one to the sequence number if it opens
 * @hpke:	the context
 * @aad:	associated data
 * @sealed:	the ciphertext
 * @out:	room for sealed.len - FW_HPKE_TAG_LEN; may be sealed.p; wiped on failure
 *
 * Return: CKR_OK; CKR_ENCRYPTED_DATA_INVALID; CKR_FUNCTION_FAILED.
 */
CK_RV fw_hpke_open(struct fw_hpke *hpke, struct fw_bytes aad, struct fw_bytes sealed,
		   uint8_t *out);

/**
 * fw_hpke_export() - Context.Export (section 5.3)
 *
 * Return: CKR_OK or CKR_FUNCTION_FAILED.
 */
CK_RV fw_hpke_export(const struct fw_hpke *hpke, struct fw_bytes context, uint8_t *out,
		     size_t len);

/** fw_hpke_free() - wipe and free. May be NULL. */
void fw_hpke_free(struct fw_hpke *hpke);

#endif /* PCIEHSM_CRYPTO_HPKE_H */
