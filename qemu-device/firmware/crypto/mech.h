/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mechanisms: what there is, their parameters, and operations with them.
 */
#ifndef PCIEHSM_CRYPTO_MECH_H
#define PCIEHSM_CRYPTO_MECH_H

#include <pciehsm/fw.h>

#include "crypto/attrs.h"

struct fw_key;

/**
 * struct fw_mech_info - one line of the mechanism list
 * @type:	CKM_*
 * @min_key:	as CK_MECHANISM_INFO: bits for RSA and curves, bytes for AES and HMAC,
 *		bytes of the public key for ML-KEM, ML-DSA and SLH-DSA
 * @max_key:	the same; both 0 where no key is
 * @flags:	CKF_*: which functions accept it
 */
struct fw_mech_info {
	uint32_t	type;
	uint32_t	min_key;
	uint32_t	max_key;
	uint32_t	flags;
};

/**
 * fw_mechanisms() - the mechanism list
 * @count:	out: entries
 *
 * Return: the list, ascending by type; static. A mechanism that the libcrypto present
 * does not have is not in it.
 */
const struct fw_mech_info *fw_mechanisms(size_t *count);

/** fw_mechanism_find() - one entry of the list, or NULL */
const struct fw_mech_info *fw_mechanism_find(CK_ULONG mech);

/**
 * fw_approved_flags() - which functions of a mechanism are approved
 *
 * Return: those of its CKF_SIGN, CKF_ENCRYPT and so on that may be used where only
 * approved algorithms are allowed; 0: none.
 */
uint32_t fw_approved_flags(CK_ULONG mech);

/** fw_approved_curve() - is a curve (CKA_EC_PARAMS of a CKK_*) approved? */
bool fw_approved_curve(CK_ULONG key_type, struct fw_bytes params);

/** fw_approved_key() - is this key approved: its curve, or its length? */
bool fw_approved_key(const struct fw_key *key);

/* The bit of @have for the field PCIEHSM_F_P_* */
#define FW_HAVE(field)	(1U << ((field) - PCIEHSM_F_P_IV))

/**
 * struct fw_mech_params - parameters of a mechanism, one member per PCIEHSM_F_P_* field
 * @have:	FW_HAVE() of each that was given; the others are not read
 * @iv:		PCIEHSM_F_P_IV
 * @aad:	PCIEHSM_F_P_AAD
 * @source:	PCIEHSM_F_P_SOURCE
 * @shared:	PCIEHSM_F_P_SHARED
 * @public:	PCIEHSM_F_P_PUBLIC
 * @salt:	PCIEHSM_F_P_SALT
 * @info:	PCIEHSM_F_P_INFO
 * @context:	PCIEHSM_F_P_CONTEXT
 * @salt_key:	the key that PCIEHSM_F_P_SALT_KEY names, looked up by the caller
 * @tag_bits:	PCIEHSM_F_P_TAG_BITS
 * @counter_bits: PCIEHSM_F_P_COUNTER_BITS
 * @hash:	PCIEHSM_F_P_HASH
 * @mgf:	PCIEHSM_F_P_MGF
 * @salt_len:	PCIEHSM_F_P_SALT_LEN
 * @kdf:	PCIEHSM_F_P_KDF
 * @hkdf:	PCIEHSM_F_P_HKDF
 * @mac_len:	PCIEHSM_F_P_MAC_LEN
 * @prehash:	PCIEHSM_F_P_PREHASH
 * @hedge:	PCIEHSM_F_P_HEDGE
 *
 * All zero: no parameters. A parameter that is missing or that the mechanism does not
 * have is CKR_MECHANISM_PARAM_INVALID. The bytes are read only during the call.
 */
struct fw_mech_params {
	uint32_t	have;
	struct fw_bytes	iv;
	struct fw_bytes	aad;
	struct fw_bytes	source;
	struct fw_bytes	shared;
	struct fw_bytes	public;
	struct fw_bytes	salt;
	struct fw_bytes	info;
	struct fw_bytes	context;
	struct fw_key	*salt_key;
	uint32_t	tag_bits;
	uint32_t	counter_bits;
	uint32_t	hash;
	uint32_t	mgf;
	uint32_t	salt_len;
	uint32_t	kdf;
	uint32_t	hkdf;
	uint32_t	mac_len;
	uint32_t	prehash;
	uint32_t	hedge;
};

/**
 * fw_op_once() - one part, nothing kept
 * @fn:		PCIEHSM_FN_*
 * @mech:	CKM_*
 * @params:	NULL: none
 * @key:	NULL for digests. Whether the object may be used for @fn
 *		(CKA_SIGN, CKA_ALLOWED_MECHANISMS ...) is the caller's to know.
 * @in:		the data; verify recover: the signature. May be NULL if @in_len is 0.
 * @in_len:	of @in
 * @sig:	verify: the signature; else NULL
 * @out:	room for the result, must not overlap @in; NULL: only ask for the length
 * @out_len:	in: bytes of room; out: bytes of the result, or an upper bound of what
 *		is needed. NULL for verify.
 *
 * Return: CKR_OK (with @out NULL: @out_len is the bound); CKR_BUFFER_TOO_SMALL, nothing
 * lost;
 * CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID; CKR_KEY_TYPE_INCONSISTENT,
 * CKR_KEY_SIZE_RANGE; CKR_DATA_LEN_RANGE, CKR_DATA_INVALID;
 * CKR_ENCRYPTED_DATA_LEN_RANGE, CKR_ENCRYPTED_DATA_INVALID (padding, tag);
 * CKR_SIGNATURE_LEN_RANGE, CKR_SIGNATURE_INVALID; CKR_HOST_MEMORY;
 * CKR_FUNCTION_FAILED (libcrypto would not).
 */
CK_RV fw_op_once(enum pciehsm_function fn, CK_ULONG mech, const struct fw_mech_params *params,
		 struct fw_key *key, const uint8_t *in, size_t in_len,
		 const struct fw_bytes *sig, uint8_t *out, size_t *out_len);

struct fw_op;

/**
 * fw_op_init() - begin an operation in several parts
 * @fn:		PCIEHSM_FN_*
 * @mech:	CKM_*
 * @params:	NULL: none; copied as far as needed
 * @key:	NULL for digests; the operation takes a reference of its own
 * @op:		out: to be freed by fw_op_free(); belongs to one thread at a time
 *
 * Every mechanism works in several parts. Those that cannot begin before all the data
 * is there (RSA without a hash, raw ECDSA, EdDSA, key wrap, decryption with GCM,
 * which gives out nothing that is not authenticated) collect it, up to
 * FW_OP_COLLECT_MAX bytes or what the mechanism can take.
 *
 * Return: as fw_op_once().
 */
CK_RV fw_op_init(enum pciehsm_function fn, CK_ULONG mech, const struct fw_mech_params *params,
		 struct fw_key *key, struct fw_op **op);

/* What is collected comes out in one answer, so it must fit into a message. */
#define FW_OP_COLLECT_MAX	(PCIEHSM_MSG_MAX - 4096U)

/** fw_op_update_bound() - upper bound of what fw_op_update() of @in_len bytes gives */
size_t fw_op_update_bound(const struct fw_op *op, size_t in_len);

/** fw_op_final_bound() - upper bound of what fw_op_final() gives */
size_t fw_op_final_bound(const struct fw_op *op);

/**
 * fw_op_update() - another part
 * @op:		the operation
 * @in:		the part; may be NULL if @in_len is 0
 * @in_len:	of @in
 * @out:	room, must not overlap @in; NULL if the function gives none here (sign,
 *		verify, digest)
 * @out_len:	in: bytes of room; out: bytes of result, or needed. May be NULL if
 *		@out is.
 *
 * Return: as fw_op_once(). After CKR_BUFFER_TOO_SMALL nothing was done and it may be
 * called again; any other error ends the operation, which is then only to be freed.
 */
CK_RV fw_op_update(struct fw_op *op, const uint8_t *in, size_t in_len,
		   uint8_t *out, size_t *out_len);

/**
 * fw_op_digest_key() - C_DigestKey: put a secret key's value into a digest
 *
 * Return: CKR_OK; CKR_KEY_INDIGESTIBLE (not a secret key);
 * CKR_OPERATION_NOT_INITIALIZED (@op is not a digest).
 */
CK_RV fw_op_digest_key(struct fw_op *op, struct fw_key *key);

/**
 * fw_op_final() - the end
 * @op:		the operation; to be freed by the caller unless CKR_BUFFER_TOO_SMALL
 * @sig:	verify: the signature; else NULL
 * @out:	room; NULL for verify
 * @out_len:	in: bytes of room; out: bytes of the result, or needed
 *
 * Return: as fw_op_update().
 */
CK_RV fw_op_final(struct fw_op *op, const struct fw_bytes *sig, uint8_t *out, size_t *out_len);

/** fw_op_memory() - bytes that callers made the operation keep; never gets less */
size_t fw_op_memory(const struct fw_op *op);

/** fw_op_free() - end an operation and wipe what it knows. May be NULL. */
void fw_op_free(struct fw_op *op);

#endif /* PCIEHSM_CRYPTO_MECH_H */
