/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One function for each command of the firmware.
 *
 * Every function sends one message through a transport, waits for the answer and
 * takes it apart; <pciehsm/fw.h> says what each command does, which login it
 * needs and what it answers. Any number of threads may use a transport at once.
 *
 * Results
 *   CKR_* and PCIEHSM_CKR_* are the card's own, unchanged. CKR_HOST_MEMORY is
 *   this library's. When there is no answer of a card, the result is one of
 *   PCIEHSM_RV_* below; these are for the group engine and never reach an
 *   application.
 *   Outputs are set on CKR_OK only, but where it says otherwise.
 *
 * Conventions
 *   @t		the transport; its timeout_ms bounds how long the card may be silent
 *   @session	the caller's session number, 0 where none is needed
 *   OUIDs	PCIEHSM_OUID_LEN bytes
 *   @counter	of the version that a creation starts with; 0: the default
 *   @version	NULL, or out: the version that came of it
 *   lists	of the contract's structures are as the contract has them: their
 *		numbers are little-endian. Lists and bytes given back through a
 *		pointer to a pointer are freed by the caller with free().
 *   templates	as PKCS#11 has them, see pciehsm_object_get() for answers. A value
 *		of a wrong length is CKR_ATTRIBUTE_VALUE_INVALID.
 *   mechanisms	as PKCS#11 has them, with the parameter structures of the standard,
 *		checked in full: CKR_MECHANISM_PARAM_INVALID. A mechanism that this
 *		library does not know is sent without parameters when it has none,
 *		and is CKR_MECHANISM_INVALID when it has some. Where a structure
 *		holds an object handle (CK_HKDF_PARAMS.hSaltKey), it is the address
 *		of that object's OUID here, cast to CK_OBJECT_HANDLE.
 *   secrets	every request and answer is wiped from this library's memory.
 */
#ifndef PCIEHSM_H
#define PCIEHSM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <p11-kit/pkcs11.h>
#include <pciehsm/fw.h>

#include "transport.h"

/* ---- results without an answer ---- */

/* Bit 0 of these: the card may have executed the command. */
#define PCIEHSM_RV_BASE			0x80504900UL
#define PCIEHSM_RV_UNKNOWN_BIT		0x01UL
/* the device has gone for good: ENODEV */
#define PCIEHSM_RV_LOST_NOT_EXECUTED	(PCIEHSM_RV_BASE + 0x10)
#define PCIEHSM_RV_LOST_UNKNOWN		(PCIEHSM_RV_BASE + 0x11)
/* aborted, or lost in a reset; the context on the card may be gone: ECANCELED */
#define PCIEHSM_RV_RESET_NOT_EXECUTED	(PCIEHSM_RV_BASE + 0x20)
#define PCIEHSM_RV_RESET_UNKNOWN	(PCIEHSM_RV_BASE + 0x21)
/* no answer in time: ETIMEDOUT */
#define PCIEHSM_RV_TIMEOUT_NOT_EXECUTED	(PCIEHSM_RV_BASE + 0x30)
#define PCIEHSM_RV_TIMEOUT_UNKNOWN	(PCIEHSM_RV_BASE + 0x31)
/* a fault that the card reports of itself, or an errno that the contract lacks: EIO */
#define PCIEHSM_RV_FAULT_NOT_EXECUTED	(PCIEHSM_RV_BASE + 0x40)
#define PCIEHSM_RV_FAULT_UNKNOWN	(PCIEHSM_RV_BASE + 0x41)
/* the card has no room for another context, or the driver no memory: ENOMEM */
#define PCIEHSM_RV_NO_ROOM		(PCIEHSM_RV_BASE + 0x50)
/* the right to do so is missing, or the node is the wrong one: EACCES */
#define PCIEHSM_RV_ACCESS		(PCIEHSM_RV_BASE + 0x60)
/* this library made a message that the driver does not take: EINVAL, EFAULT */
#define PCIEHSM_RV_MESSAGE		(PCIEHSM_RV_BASE + 0x70)
/* the card's answer is not what the contract says; it may have executed the command */
#define PCIEHSM_RV_BAD_ANSWER		(PCIEHSM_RV_BASE + 0x81)

/** pciehsm_rv_is_transport() - is this result not the card's? */
static inline bool pciehsm_rv_is_transport(CK_RV rv)
{
	return (rv & ~0xffUL) == PCIEHSM_RV_BASE;
}

/**
 * pciehsm_rv_not_executed() - has the card not executed the command for certain?
 *
 * Of a transport's result; false for any other.
 */
static inline bool pciehsm_rv_not_executed(CK_RV rv)
{
	return pciehsm_rv_is_transport(rv) && !(rv & PCIEHSM_RV_UNKNOWN_BIT);
}

/** pciehsm_rv_gone() - does this result say that the device has gone for good? */
static inline bool pciehsm_rv_gone(CK_RV rv)
{
	return (rv & ~PCIEHSM_RV_UNKNOWN_BIT) == PCIEHSM_RV_LOST_NOT_EXECUTED;
}

/**
 * pciehsm_rv_from_errno() - the result that stands for a transport's failure
 * @error:	0 or -errno
 * @outcome:	as the transport gave it
 *
 * For who opens a transport: -ENODEV of an open gives PCIEHSM_RV_LOST_NOT_EXECUTED.
 */
CK_RV pciehsm_rv_from_errno(int error, enum pciehsm_outcome outcome);

/**
 * pciehsm_rv_name() - name of a result, for people and logs
 *
 * Return: "CKR_PIN_INCORRECT" and the like, never NULL; "unknown result" for
 * a number without a name
 */
const char *pciehsm_rv_name(CK_RV rv);

/* ---- versions ---- */

/** struct pciehsm_object_version - struct pciehsm_version in the host's byte order */
struct pciehsm_object_version {
	uint64_t counter;
	uint64_t writer;
};

/** pciehsm_version_cmp() - below, equal to or above 0, as @a is older, the same or newer */
int pciehsm_version_cmp(const struct pciehsm_object_version *a,
			const struct pciehsm_object_version *b);

/** pciehsm_version_read() - from the contract's form */
struct pciehsm_object_version pciehsm_version_read(const struct pciehsm_version *v);

/* ---- both nodes ---- */

CK_RV pciehsm_ping(struct pciehsm_transport *t);

/**
 * pciehsm_login() - log this context in
 * @role:	enum pciehsm_role
 * @flags:	NULL, or out: PCIEHSM_LOGIN_*
 * @attempts:	NULL, or out: wrong passwords left, on CKR_PIN_INCORRECT and CKR_PIN_LOCKED
 */
CK_RV pciehsm_login(struct pciehsm_transport *t, uint32_t role, const void *pin,
		    size_t pin_len, uint32_t *flags, uint32_t *attempts);
CK_RV pciehsm_logout(struct pciehsm_transport *t);
CK_RV pciehsm_session_close(struct pciehsm_transport *t, uint32_t session);

CK_RV pciehsm_role_init(struct pciehsm_transport *t, uint32_t role, const void *pin,
			size_t pin_len);
/** pciehsm_role_set_pin() - change a password; @attempts as in pciehsm_login() */
CK_RV pciehsm_role_set_pin(struct pciehsm_transport *t, uint32_t role, const void *old_pin,
			   size_t old_len, const void *new_pin, size_t new_len,
			   uint32_t *attempts);
CK_RV pciehsm_role_reset_pin(struct pciehsm_transport *t, uint32_t role, const void *new_pin,
			     size_t new_len);
/**
 * pciehsm_role_set_challenge() - give a role the secret that applications log in with
 *
 * @pin is the role's password; @attempts as in pciehsm_login(). See "Activation" in fw.h.
 */
CK_RV pciehsm_role_set_challenge(struct pciehsm_transport *t, uint32_t role, const void *pin,
				 size_t pin_len, const void *challenge, size_t challenge_len,
				 uint32_t *attempts);
/** pciehsm_role_deactivate() - a login with the role's challenge needs one with its password first */
CK_RV pciehsm_role_deactivate(struct pciehsm_transport *t, uint32_t role);
CK_RV pciehsm_role_info(struct pciehsm_transport *t, struct pciehsm_role_info **list,
			size_t *count);
CK_RV pciehsm_policy_get(struct pciehsm_transport *t, struct pciehsm_policy **list,
			 size_t *count);
CK_RV pciehsm_policy_set(struct pciehsm_transport *t, uint32_t policy, uint32_t value);

/** pciehsm_random() - @len random bytes, any number; @seed is mixed in, or NULL */
CK_RV pciehsm_random(struct pciehsm_transport *t, const void *seed, size_t seed_len,
		     void *out, size_t len);

/** pciehsm_hsm_identity() - the card's certificates: DER, one after the other, its own first */
CK_RV pciehsm_hsm_identity(struct pciehsm_transport *t, void **certificates, size_t *len);

/* ---- HSM ---- */

/** struct pciehsm_hsm_info - what HSM_INFO answers; @flags is PCIEHSM_HSM_* */
struct pciehsm_hsm_info {
	char		serial[25];
	char		label[33];
	char		model[17];
	char		fw_version[17];
	uint32_t	flags;
	uint32_t	partitions;
	uint32_t	partitions_max;
	uint32_t	engines;
	uint64_t	space;
	uint64_t	space_free;
};

CK_RV pciehsm_hsm_info(struct pciehsm_transport *t, struct pciehsm_hsm_info *info);
CK_RV pciehsm_hsm_init(struct pciehsm_transport *t, const char *label, const void *pin,
		       size_t pin_len, uint32_t *attempts);
CK_RV pciehsm_hsm_factory_reset(struct pciehsm_transport *t);
CK_RV pciehsm_hsm_zeroize(struct pciehsm_transport *t);

/**
 * pciehsm_partition_create() - a new partition
 * @size:	bytes of its store, 0: the default
 * @number:	NULL, or out
 * @index:	NULL, or out
 * @serial:	NULL, or out: room for 25 bytes
 */
CK_RV pciehsm_partition_create(struct pciehsm_transport *t, uint64_t size, uint32_t *number,
			       uint32_t *index, char *serial);
CK_RV pciehsm_partition_delete(struct pciehsm_transport *t, uint32_t number);
CK_RV pciehsm_partition_resize(struct pciehsm_transport *t, uint32_t number, uint64_t size);

/** struct pciehsm_hsm_stats - what HSM_STATS answers; since the card was switched on */
struct pciehsm_hsm_stats {
	uint64_t	power_on;	/* how often it was */
	uint64_t	uptime_ms;
	uint64_t	commands;
	uint64_t	stats[PCIEHSM_STAT_COUNT];	/* sum over its partitions */
};

/** pciehsm_hsm_stats() - what the card has done; needs no login */
CK_RV pciehsm_hsm_stats(struct pciehsm_transport *t, struct pciehsm_hsm_stats *stats);

/* ---- audit log; checking what it gives: verify.h ---- */

/**
 * struct pciehsm_audit_info - what AUDIT_INFO answers
 * @mask:	PCIEHSM_AUDIT_LOG_*
 * @flags:	PCIEHSM_AUDIT_HALT, PCIEHSM_AUDIT_FULL
 * @capacity:	entries that are kept
 * @first:	number of the oldest entry kept
 * @last:	number of the newest entry, 0: there never was one
 */
struct pciehsm_audit_info {
	uint32_t	mask;
	uint32_t	flags;
	uint32_t	capacity;
	uint64_t	first;
	uint64_t	last;
};

CK_RV pciehsm_audit_info(struct pciehsm_transport *t, struct pciehsm_audit_info *info);
/** pciehsm_audit_config() - what is logged, and what happens when it is full; Auditor */
CK_RV pciehsm_audit_config(struct pciehsm_transport *t, uint32_t mask, uint32_t flags);
/**
 * pciehsm_audit_export() - a chunk of the log, signed; Auditor
 * @after:	number of the last entry that is there already, 0: from the oldest
 * @limit:	1 to PCIEHSM_AUDIT_EXPORT_MAX entries
 * @chunk:	out: what pciehsm_audit_verify() takes; to be kept as it is
 * @last:	out: number of the last entry in it
 * @count:	out: how many are in it; 0: that was all
 */
CK_RV pciehsm_audit_export(struct pciehsm_transport *t, uint64_t after, uint32_t limit,
			   void **chunk, size_t *len, uint64_t *last, size_t *count);
#define PCIEHSM_AUDIT_EXPORT_MAX	4096U
/** pciehsm_audit_truncate() - forget entries up to number @seq; Auditor */
CK_RV pciehsm_audit_truncate(struct pciehsm_transport *t, uint64_t seq);

/* ---- partition ---- */

#define PCIEHSM_INCARNATION_LEN		16

/** struct pciehsm_partition_info - what PARTITION_INFO answers; @flags is PCIEHSM_PARTITION_* */
struct pciehsm_partition_info {
	char		serial[25];
	char		hsm_serial[25];
	char		label[33];
	char		model[17];
	char		fw_version[17];
	uint32_t	flags;
	uint32_t	objects;
	uint32_t	sessions;
	uint32_t	tombstones;
	uint64_t	space;
	uint64_t	space_free;
	uint8_t		incarnation[PCIEHSM_INCARNATION_LEN];
	uint64_t	stats[PCIEHSM_STAT_COUNT];
};

CK_RV pciehsm_partition_info(struct pciehsm_transport *t, struct pciehsm_partition_info *info);
CK_RV pciehsm_partition_init(struct pciehsm_transport *t, const char *label,
			     const void *pin, size_t pin_len,
			     const void *domain, size_t domain_len, uint32_t *attempts);
/**
 * pciehsm_partition_clear() - delete objects, each with a tombstone
 * @limit:	so many at most; 0: all
 * @left:	how many there are now
 */
CK_RV pciehsm_partition_clear(struct pciehsm_transport *t, uint32_t limit, uint32_t *left);

/* ---- objects ---- */

CK_RV pciehsm_object_create(struct pciehsm_transport *t, uint32_t session,
			    const uint8_t *ouid, uint64_t counter,
			    const CK_ATTRIBUTE *attrs, CK_ULONG n,
			    struct pciehsm_object_version *version);
CK_RV pciehsm_object_copy(struct pciehsm_transport *t, uint32_t session,
			  const uint8_t *object, const uint8_t *ouid, uint64_t counter,
			  const CK_ATTRIBUTE *attrs, CK_ULONG n,
			  struct pciehsm_object_version *version);
/**
 * pciehsm_object_destroy() - delete an object
 * @repeated:	this is a repetition: one that is deleted already is CKR_OK
 * @version:	NULL, or out: of the tombstone; 0, 0 where there is none (session objects)
 */
CK_RV pciehsm_object_destroy(struct pciehsm_transport *t, uint32_t session,
			     const uint8_t *object, bool repeated,
			     struct pciehsm_object_version *version);
/**
 * pciehsm_object_get() - attributes of an object, by the rules of C_GetAttributeValue
 * @attrs:	pValue NULL: ulValueLen becomes the length. Else the value is copied if it
 *		fits ulValueLen, which becomes its length. Nested templates are filled by
 *		the same rules. ulValueLen becomes CK_UNAVAILABLE_INFORMATION where there
 *		is no value to give.
 * @version:	NULL, or out: of the object
 *
 * Return: CKR_OK; CKR_ATTRIBUTE_SENSITIVE, CKR_ATTRIBUTE_TYPE_INVALID or
 * CKR_BUFFER_TOO_SMALL with all of @attrs treated; or another error
 */
CK_RV pciehsm_object_get(struct pciehsm_transport *t, uint32_t session, const uint8_t *object,
			 CK_ATTRIBUTE *attrs, CK_ULONG n,
			 struct pciehsm_object_version *version);
CK_RV pciehsm_object_set(struct pciehsm_transport *t, uint32_t session, const uint8_t *object,
			 const CK_ATTRIBUTE *attrs, CK_ULONG n,
			 struct pciehsm_object_version *version);
/**
 * pciehsm_object_find() - one page of a search
 * @cursor:	in: 0 or what the page before gave; out: for the next, 0: there is none
 * @ouids:	out: room for @limit OUIDs, one after the other
 * @limit:	1 to PCIEHSM_FIND_MAX
 * @count:	out: OUIDs found; may be 0 although @cursor is not
 */
CK_RV pciehsm_object_find(struct pciehsm_transport *t, uint32_t session,
			  const CK_ATTRIBUTE *attrs, CK_ULONG n, uint64_t *cursor,
			  uint8_t *ouids, uint32_t limit, uint32_t *count);
#define PCIEHSM_FIND_MAX	4096U

CK_RV pciehsm_object_size(struct pciehsm_transport *t, uint32_t session,
			  const uint8_t *object, uint64_t *size);

/* ---- keys ---- */

CK_RV pciehsm_generate_key(struct pciehsm_transport *t, uint32_t session,
			   const CK_MECHANISM *mech, const uint8_t *ouid, uint64_t counter,
			   const CK_ATTRIBUTE *attrs, CK_ULONG n,
			   struct pciehsm_object_version *version);
CK_RV pciehsm_generate_key_pair(struct pciehsm_transport *t, uint32_t session,
				const CK_MECHANISM *mech, const uint8_t *pub_ouid,
				const uint8_t *priv_ouid, uint64_t counter,
				const CK_ATTRIBUTE *pub, CK_ULONG n_pub,
				const CK_ATTRIBUTE *priv, CK_ULONG n_priv,
				struct pciehsm_object_version *version);
/**
 * pciehsm_wrap() - a key under another one
 * @out:	room
 * @out_len:	in: its size; out: what was written, or what is needed on
 *		CKR_BUFFER_TOO_SMALL (may be rounded up a little)
 */
CK_RV pciehsm_wrap(struct pciehsm_transport *t, uint32_t session, const CK_MECHANISM *mech,
		   const uint8_t *key, const uint8_t *object, void *out, size_t *out_len);
CK_RV pciehsm_unwrap(struct pciehsm_transport *t, uint32_t session, const CK_MECHANISM *mech,
		     const uint8_t *key, const void *in, size_t in_len,
		     const uint8_t *ouid, uint64_t counter,
		     const CK_ATTRIBUTE *attrs, CK_ULONG n,
		     struct pciehsm_object_version *version);
CK_RV pciehsm_derive(struct pciehsm_transport *t, uint32_t session, const CK_MECHANISM *mech,
		     const uint8_t *key, const uint8_t *ouid, uint64_t counter,
		     const CK_ATTRIBUTE *attrs, CK_ULONG n,
		     struct pciehsm_object_version *version);
/**
 * pciehsm_encapsulate() - make a secret key together with what only @key's owner gets it from
 * @key:	a public key
 * @out:	room for the ciphertext
 * @out_len:	in: its size; out: what was written, or what is needed on
 *		CKR_BUFFER_TOO_SMALL, with which nothing is made
 *
 * Not to be repeated under one OUID: if the object is there already, its ciphertext is
 * known to nobody any more, and the result is CKR_FUNCTION_FAILED. Whoever lost the
 * answer destroys that object and encapsulates another.
 */
CK_RV pciehsm_encapsulate(struct pciehsm_transport *t, uint32_t session,
			  const CK_MECHANISM *mech, const uint8_t *key,
			  const uint8_t *ouid, uint64_t counter,
			  const CK_ATTRIBUTE *attrs, CK_ULONG n, void *out, size_t *out_len,
			  struct pciehsm_object_version *version);
/** pciehsm_decapsulate() - the secret key again, of the ciphertext @in; @key: a private key */
CK_RV pciehsm_decapsulate(struct pciehsm_transport *t, uint32_t session,
			  const CK_MECHANISM *mech, const uint8_t *key,
			  const void *in, size_t in_len, const uint8_t *ouid, uint64_t counter,
			  const CK_ATTRIBUTE *attrs, CK_ULONG n,
			  struct pciehsm_object_version *version);

/** struct pciehsm_attestation - a signed statement about a key; pciehsm_attestation_free() */
struct pciehsm_attestation {
	void	*statement;
	size_t	statement_len;
	void	*signature;
	size_t	signature_len;
	void	*certificates;
	size_t	certificates_len;
};

/**
 * pciehsm_attest() - have the card say where a key comes from and whether it can leave
 * @object:	a key that the login may see
 * @nonce:	8 to 64 bytes that show that the statement is new
 * @att:	out; checking it: pciehsm_attestation_verify() of verify.h
 */
CK_RV pciehsm_attest(struct pciehsm_transport *t, uint32_t session, const uint8_t *object,
		     const void *nonce, size_t nonce_len, struct pciehsm_attestation *att);
void pciehsm_attestation_free(struct pciehsm_attestation *att);

/*
 * ---- cryptography ----
 *
 * @out and @out_len as in pciehsm_wrap(). With CKR_BUFFER_TOO_SMALL nothing was done,
 * and the command can be repeated. In operations of several parts, where the card
 * keeps a state, room counts in whole units of 8 bytes, and of at least one.
 */

/**
 * pciehsm_crypt() - an operation of one part, about which nothing is kept
 * @key:	NULL for digests
 * @sig:	the signature, for PCIEHSM_FN_VERIFY alone
 * @out:	NULL where nothing comes (verify)
 */
CK_RV pciehsm_crypt(struct pciehsm_transport *t, uint32_t session, enum pciehsm_function fn,
		    const CK_MECHANISM *mech, const uint8_t *key,
		    const void *in, size_t in_len, const void *sig, size_t sig_len,
		    void *out, size_t *out_len);
CK_RV pciehsm_crypt_init(struct pciehsm_transport *t, uint32_t session,
			 enum pciehsm_function fn, const CK_MECHANISM *mech,
			 const uint8_t *key);
CK_RV pciehsm_crypt_update(struct pciehsm_transport *t, uint32_t session,
			   enum pciehsm_function fn, const void *in, size_t in_len,
			   void *out, size_t *out_len);
CK_RV pciehsm_crypt_final(struct pciehsm_transport *t, uint32_t session,
			  enum pciehsm_function fn, const void *sig, size_t sig_len,
			  void *out, size_t *out_len);
CK_RV pciehsm_crypt_cancel(struct pciehsm_transport *t, uint32_t session,
			   enum pciehsm_function fn);
CK_RV pciehsm_digest_key(struct pciehsm_transport *t, uint32_t session, const uint8_t *key);
CK_RV pciehsm_mechanisms(struct pciehsm_transport *t, struct pciehsm_mechanism_info **list,
			 size_t *count);

/**
 * pciehsm_mechanism_check() - would this mechanism with its parameters be sent?
 *
 * What every function with a mechanism checks before it sends anything.
 * Return: CKR_OK, CKR_MECHANISM_INVALID or CKR_MECHANISM_PARAM_INVALID
 */
CK_RV pciehsm_mechanism_check(const CK_MECHANISM *mech);

/* ---- replication ---- */

struct pciehsm_digest_info {
	uint8_t		digest[PCIEHSM_DIGEST_LEN];
	uint8_t		incarnation[PCIEHSM_INCARNATION_LEN];
	uint64_t	seq;
	uint32_t	objects;
	uint32_t	tombstones;
};

CK_RV pciehsm_digest(struct pciehsm_transport *t, struct pciehsm_digest_info *info);
/**
 * pciehsm_changes() - what changed after @seq
 * @limit:	1 to PCIEHSM_CHANGES_MAX
 * @last:	out: number of the partition's last change
 */
CK_RV pciehsm_changes(struct pciehsm_transport *t, uint64_t seq, uint32_t limit,
		      struct pciehsm_change **list, size_t *count, uint64_t *last);
#define PCIEHSM_CHANGES_MAX	4096U

CK_RV pciehsm_clone_offer(struct pciehsm_transport *t, uint32_t *channel,
			  void **offer, size_t *offer_len);
CK_RV pciehsm_clone_start(struct pciehsm_transport *t, const void *offer, size_t offer_len,
			  uint32_t *channel, void **hello, size_t *hello_len);
CK_RV pciehsm_clone_accept(struct pciehsm_transport *t, uint32_t channel,
			   const void *hello, size_t hello_len);
/**
 * pciehsm_clone_export() - seal objects for the other end of a channel
 * @ouids:	@n of them, one after the other; what goes beyond PCIEHSM_CLONE_MAX is
 *		left for the next call
 * @results:	out: of the first of them, as many as were dealt with
 */
CK_RV pciehsm_clone_export(struct pciehsm_transport *t, uint32_t session, uint32_t channel,
			   const uint8_t *ouids, size_t n, void **blob, size_t *blob_len,
			   struct pciehsm_clone_result **results, size_t *n_results);
#define PCIEHSM_CLONE_MAX	1024U
CK_RV pciehsm_clone_import(struct pciehsm_transport *t, uint32_t session, uint32_t channel,
			   const void *blob, size_t blob_len,
			   struct pciehsm_clone_result **results, size_t *n_results);
CK_RV pciehsm_clone_close(struct pciehsm_transport *t, uint32_t channel);

/*
 * Tombstones, see fw.h: every member of a group is told how far each of the others has
 * followed it; then what all of them have seen can be forgotten. CO.
 */

/**
 * pciehsm_replica_mark() - a peer has everything of this partition up to @seq
 * @peer:	serial of the peer's partition
 * @seq:	number in this partition's change log; 0: it may lack anything
 */
CK_RV pciehsm_replica_mark(struct pciehsm_transport *t, uint64_t peer, uint64_t seq);
/** pciehsm_replica_forget() - a peer is no replica any more, and will not come back as it is */
CK_RV pciehsm_replica_forget(struct pciehsm_transport *t, uint64_t peer);
/** pciehsm_replica_marks() - which peers are known; @last: number of the last change */
CK_RV pciehsm_replica_marks(struct pciehsm_transport *t, struct pciehsm_mark **list,
			    size_t *count, uint64_t *last);
/**
 * pciehsm_tombstones_collect() - forget the tombstones that every peer has seen
 * @peers:	serials of all of them, to be sure that both sides mean the same
 * @n:		how many; 0: this partition has no replicas
 * @dry:	only count
 * @collected:	NULL, or out: how many were, or would be, forgotten
 * @seq:	NULL, or out: up to this change
 *
 * Return: CKR_OK; PCIEHSM_CKR_PEERS: the partition has marks for other peers
 */
CK_RV pciehsm_tombstones_collect(struct pciehsm_transport *t, const uint64_t *peers, size_t n,
				 bool dry, uint32_t *collected, uint64_t *seq);

#endif /* PCIEHSM_H */
