/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who a card is: an ECDSA P-384 key made at its first power-on, and a chain of X.509
 * certificates from it up to the maker's root.
 *
 * The maker of these cards is the emulation itself. Its root key is published in
 * maker_root.c, because each emulated card is "made" by the program that runs it.
 * So a chain proves "made by this emulation" and nothing more. Who builds cards puts a
 * root certificate of his own there, no private key, and has
 * each card certified when it is made.
 */
#ifndef PCIEHSM_CRYPTO_IDENTITY_H
#define PCIEHSM_CRYPTO_IDENTITY_H

#include "crypto/attrs.h"

/* Text of an HSM's or partition's serial, with its NUL */
#define FW_SERIAL_MAX	24

struct fw_identity;

/**
 * fw_identity_create() - what the maker does: make a key and certify it
 * @serial:	the card's, digits; becomes the subject's CN
 * @id:		out: to be freed by fw_identity_free()
 *
 * Return: CKR_OK, CKR_ARGUMENTS_BAD (not a serial), CKR_HOST_MEMORY, CKR_FUNCTION_FAILED.
 */
CK_RV fw_identity_create(const char *serial, struct fw_identity **id);

/**
 * fw_identity_load() - the identity from what was stored
 * @secret:	from fw_identity_secret(); copied
 * @certs:	from fw_identity_certificates(); copied
 * @id:		out: to be freed by fw_identity_free()
 *
 * Return: CKR_OK; PCIEHSM_CKR_CERTIFICATE (the chain is not the maker's or not
 * of that key); CKR_HOST_MEMORY.
 */
CK_RV fw_identity_load(struct fw_bytes secret, struct fw_bytes certs, struct fw_identity **id);

/** fw_identity_free() - wipe and free. May be NULL. */
void fw_identity_free(struct fw_identity *id);

/** fw_identity_serial() - the card's serial; lives as long as @id */
const char *fw_identity_serial(const struct fw_identity *id);

/** fw_identity_certificates() - as fw.h's CERTIFICATES; lives as long as @id */
struct fw_bytes fw_identity_certificates(const struct fw_identity *id);

/**
 * fw_identity_secret() - the private key, for the store to seal
 *
 * Return: its encoding, which lives as long as @id and must not be kept in the clear.
 */
struct fw_bytes fw_identity_secret(const struct fw_identity *id);

/**
 * fw_identity_sign() - ECDSA with SHA-384, DER, as fw.h's offer has it
 * @id:		the signer
 * @parts:	what is signed: pieces one after the other
 * @count:	pieces
 * @sig:	out: the signature
 * @sig_len:	in: room, at least FW_IDENTITY_SIG_MAX; out: bytes
 *
 * Return: CKR_OK, CKR_BUFFER_TOO_SMALL, CKR_HOST_MEMORY or CKR_FUNCTION_FAILED.
 */
CK_RV fw_identity_sign(const struct fw_identity *id, const struct fw_bytes *parts, size_t count,
		       uint8_t *sig, size_t *sig_len);

#define FW_IDENTITY_SIG_MAX	104

struct fw_peer;

/**
 * fw_peer_from_certificates() - who else a card is
 * @certs:	as fw.h's CERTIFICATES
 * @peer:	out: to be freed by fw_peer_free()
 *
 * The chain must lead to the maker's root. Dates are not looked at: a card has no
 * clock that could be trusted, and its identity ends with it. Strength is:
 * every key P-384, every signature ECDSA with SHA-384.
 *
 * Return: CKR_OK, PCIEHSM_CKR_CERTIFICATE or CKR_HOST_MEMORY.
 */
CK_RV fw_peer_from_certificates(struct fw_bytes certs, struct fw_peer **peer);

/** fw_peer_free() - may be NULL */
void fw_peer_free(struct fw_peer *peer);

/** fw_peer_serial() - the card's serial as its certificate says; lives as long as @peer */
const char *fw_peer_serial(const struct fw_peer *peer);

/**
 * fw_peer_verify() - check a signature of fw_identity_sign()
 *
 * Return: CKR_OK, CKR_SIGNATURE_INVALID or CKR_HOST_MEMORY.
 */
CK_RV fw_peer_verify(const struct fw_peer *peer, const struct fw_bytes *parts, size_t count,
		     struct fw_bytes sig);

#endif /* PCIEHSM_CRYPTO_IDENTITY_H */
