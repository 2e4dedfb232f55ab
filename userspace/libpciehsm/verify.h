/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checking what a card has signed, without the card: audit logs and attestations.
 *
 * The only part of this library that needs libcrypto: who uses it links -lcrypto.
 */
#ifndef PCIEHSM_VERIFY_H
#define PCIEHSM_VERIFY_H

#include "pciehsm.h"

/**
 * struct pciehsm_audit_check - how far a log has been checked; zeroed for a beginning
 * @last:	number of the last entry that was checked
 * @chain:	its chain value
 * @gaps:	out: entries that are missing, because the card had dropped them, or because
 *		the first chunk did not begin with entry 1
 */
struct pciehsm_audit_check {
	uint64_t	last;
	uint8_t		chain[32];
	uint64_t	gaps;
};

/**
 * pciehsm_audit_verify() - is this chunk of a log genuine, and does it go on from before?
 * @certificate: the card's, DER (the first of pciehsm_hsm_identity(); what follows it is
 *		not looked at). That it is the card's own, the caller knows or checks
 *		with pciehsm_certificate_verify().
 * @chunk:	from pciehsm_audit_export()
 * @check:	in and out, from chunk to chunk; unchanged on failure
 * @entries:	NULL, or out: the entries, inside @chunk
 * @count:	NULL, or out: how many
 *
 * Return: CKR_OK; CKR_SIGNATURE_INVALID (not of this card, or changed); CKR_DATA_INVALID
 * (no chunk, or its entries do not follow each other or those before);
 * PCIEHSM_CKR_CERTIFICATE (no certificate); CKR_HOST_MEMORY
 */
CK_RV pciehsm_audit_verify(const void *certificate, size_t certificate_len,
			   const void *chunk, size_t len, struct pciehsm_audit_check *check,
			   const struct pciehsm_audit_entry **entries, size_t *count);

/**
 * pciehsm_certificate_verify() - does the card's chain lead to a maker's root?
 * @certificates: of pciehsm_hsm_identity() or an attestation
 * @root:	the root's certificate, PEM
 * @serial:	out: the HSM's serial that it was given to, room for 25 bytes
 *
 * Dates are not looked at: a card's identity ends with the card.
 *
 * Return: CKR_OK, PCIEHSM_CKR_CERTIFICATE, CKR_HOST_MEMORY
 */
CK_RV pciehsm_certificate_verify(const void *certificates, size_t len, const char *root,
				 char *serial);

/**
 * struct pciehsm_statement - what an attestation says
 * @hsm_serial:	of the card
 * @serial:	of the partition
 * @flags:	PCIEHSM_ATTEST_*
 * @ouid:	the key
 * @attributes:	struct pciehsm_attr each, as fw.h has templates; inside the statement
 */
struct pciehsm_statement {
	char		hsm_serial[25];
	char		serial[25];
	uint32_t	flags;
	uint8_t		ouid[PCIEHSM_OUID_LEN];
	const uint8_t	*attributes;
	size_t		attributes_len;
};

/**
 * pciehsm_attestation_verify() - is this statement the card's, and about this request?
 * @att:	from pciehsm_attest()
 * @root:	the maker's root, PEM
 * @nonce:	what the caller gave
 * @statement:	out: what it says; lives as long as @att
 *
 * Return: CKR_OK; PCIEHSM_CKR_CERTIFICATE (the chain does not lead to the root, or the
 * serials differ); CKR_SIGNATURE_INVALID; CKR_DATA_INVALID (no statement, or another
 * nonce); CKR_HOST_MEMORY
 */
CK_RV pciehsm_attestation_verify(const struct pciehsm_attestation *att, const char *root,
				 const void *nonce, size_t nonce_len,
				 struct pciehsm_statement *statement);

#endif /* PCIEHSM_VERIFY_H */
