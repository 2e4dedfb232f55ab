/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * pciehsm firmware contract: the messages between a host and an HSM.
 *
 * A message is a header (struct pciehsm_msg) and a body of fields. It travels by
 * PCIEHSM_IO_MSG of hw.h or by any other means; this contract knows none of them.
 * The driver reads the header only, and of it only @length and @op.
 *
 * Byte order: little-endian everywhere. Nothing is aligned beyond what is said.
 *
 * Fields
 *   A body is a sequence of struct pciehsm_field, each followed by @len bytes and by
 *   zero to seven bytes of zero padding up to a multiple of 8. The order has no
 *   meaning. A field that an operation does not know, one that comes twice, one
 *   of a wrong length, or a missing one is CKR_ARGUMENTS_BAD, and nothing is done.
 *   Types: u32 and u64 are little-endian numbers; bytes are what they are; text
 *   is UTF-8 without NUL.
 *
 * Answers
 *   The answer has the request's @op and @session, @rv = the result as PKCS#11
 *   names it (CKR_*) or one of PCIEHSM_CKR_*, and fields. With @rv other than
 *   CKR_OK there are no fields but those named for that case. No layer between
 *   changes @rv. An answer that would not fit is replaced by CKR_BUFFER_TOO_SMALL
 *   with PCIEHSM_F_NEED; the operation is then not done, and may be asked again
 *   with more room.
 *
 * Contexts and sessions
 *   The transport stamps each message with a partition (0: the HSM) and a context
 *   (one opener). A login belongs to the context and holds for all of its sessions.
 *   @session is a number chosen by the caller, which names a PKCS#11 session of
 *   that context. It needs no opening: it exists as soon as something is kept
 *   under it (an operation in progress, a session object), and SESSION_CLOSE or
 *   the context's end removes that. So a session costs the card nothing until it
 *   is used, and a caller can have the same sessions on several cards.
 *
 * Objects
 *   Every object has an OUID, 128 random bits that are the same on each replica.
 *   It is the only way to name an object in a message; there are no handles.
 *   A caller creates an object under an OUID of its own choice, so that a creation
 *   can be repeated: when the OUID exists already in the partition, the
 *   answer is CKR_OK with what exists, and nothing is made. If it was deleted,
 *   the answer is PCIEHSM_CKR_OBJECT_DELETED.
 *   Each object has a version (struct pciehsm_version). A change adds one to the
 *   counter and sets the writer to the partition's serial. Of two versions of one
 *   object the one with the greater counter wins, at equal counters that with
 *   the greater writer. A creation starts at the counter that PCIEHSM_F_COUNTER gives
 *   (default 1): who repeats a creation on another partition because the first
 *   answer was lost gives a greater one, and so its copy wins everywhere.
 *   Deletion of a token object leaves a tombstone with a version of its own.
 *   Two partitions with the same PCIEHSM_F_DIGEST hold the same objects, versions and
 *   tombstones. Session objects have OUIDs and versions too, but no tombstone, and
 *   no part in the change log or the digest.
 *
 * Attributes
 *   A template is a sequence of struct pciehsm_attr, each followed by @len bytes and
 *   padding to a multiple of 8. Types are CKA_*. Values: CK_BBOOL 1 byte; CK_ULONG
 *   and everything derived from it 8 bytes, little-endian; CK_DATE 8 digits; big
 *   integers big-endian without leading zeroes; CKA_ALLOWED_MECHANISMS 8 bytes
 *   each; CKA_WRAP_TEMPLATE and its like nested templates.
 *
 * Rights
 *   "login CO" below means: the context has logged in as Crypto Officer. CO can do
 *   all that CU can. Public objects are seen by all; private ones by CO, LCO and CU.
 *   Token objects are changed by CO only; LCO may create them. What a key may be used
 *   for is widened by CO only, in copies and session objects too. A role without the
 *   power for an operation gets CKR_USER_NOT_LOGGED_IN, as if it were not there. A role whose
 *   password was set by somebody else must change it first: until then every
 *   operation but ROLE_SET_PIN, LOGOUT and the ones that need no login answers
 *   CKR_PIN_EXPIRED.
 *
 * Cloning
 *   Objects go from one partition to another only inside a cloning channel:
 *   HPKE (RFC 9180) in mode AuthPSK with DHKEM(P-384, HKDF-SHA384) 0x0011,
 *   HKDF-SHA384 0x0002, AES-256-GCM 0x0002.
 *   1. CLONE_OFFER at the target makes a recipient key pair for this channel and
 *      gives an offer: what stands under "offer" below.
 *   2. CLONE_START at the source checks the offer's certificates up to the maker's
 *      root, and its signature; sets up the sender's side; and gives a hello.
 *      skS is the card's identity key. psk is the domain key of the partition,
 *      PBKDF2-HMAC-SHA512(domain string, "pciehsm cloning domain v1", 100000, 48).
 *      psk_id is "pciehsm domain v1". info is "pciehsm clone v1" followed by the
 *      SHA-384 of the offer and by the SHA-384 of the source's DER certificate.
 *   3. CLONE_ACCEPT at the target checks the source's certificates, sets up the
 *      recipient's side and opens the hello's confirmation. Another domain or
 *      another sender does not open it: PCIEHSM_CKR_DOMAIN_MISMATCH. No key has
 *      left the source by then.
 *   4. CLONE_EXPORT at the source seals batches of records, CLONE_IMPORT at the
 *      target opens them, in the order of HPKE's sequence numbers (the confirmation
 *      was number 0). A batch that does not open ends the channel, and the answer says
 *      why: PCIEHSM_CKR_REPLAYED (it came before), PCIEHSM_CKR_OUT_OF_ORDER (one
 *      before it is missing), PCIEHSM_CKR_TRUNCATED (bytes are missing or too many),
 *      PCIEHSM_CKR_CHANNEL_DATA (changed, or not of this channel).
 *      PCIEHSM_CKR_CLONE_POLICY: the two cards do not agree about what is approved
 *      (HSM policy 12); nothing is taken, the channel stays.
 *   offer:  fields OFFER_KEY (the recipient's public key, 97 bytes uncompressed),
 *           SERIAL (the target partition's), NONCE (16 random bytes), CERTIFICATES,
 *           OFFER_SIGNATURE (ECDSA P-384 with SHA-384, DER, by the identity key, over
 *           "pciehsm offer v1" and the four fields before, as encoded, in
 *           this order; here the order has a meaning).
 *   hello:  fields ENC (97 bytes), SERIAL (the source partition's), CERTIFICATES,
 *           CONFIRMATION (the sealed text "pciehsm clone confirmation", aad = ENC
 *           and SERIAL fields as encoded).
 *   CERTIFICATES: DER X.509 certificates one after the other, the card's own first,
 *           without the root.
 *   blob:   struct pciehsm_blob, then HPKE ciphertext, aad "pciehsm batch v1", of
 *           struct pciehsm_batch followed by records one after the other:
 *           struct pciehsm_clone_record followed by its template (none for a
 *           tombstone), padded to a multiple of 8. The template holds every
 *           attribute, the sensitive ones too.
 *   The receiver takes a record if its version is greater than its own, and so keeps
 *   CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE and the rest as they were.
 *   It refuses a record that its policies do not allow.
 *
 * Tombstones
 *   A tombstone is needed as long as some replica may still hold the object. A
 *   partition keeps a mark for each of its peers (REPLICA_MARK): the number in *this*
 *   partition's change log up to which that peer has everything. TOMBSTONES_COLLECT
 *   forgets the tombstones that every peer has seen, and no other. What a host does:
 *     1. When partitions begin to be replicas of each other: REPLICA_MARK with SEQ 0
 *        on each of them for each of the others. A mark of 0 holds back everything.
 *     2. After everything up to n (DIGEST's or CHANGES' SEQ) of A was taken by B, or B
 *        had it: REPLICA_MARK at A, B's serial, SEQ n.
 *     3. Now and then TOMBSTONES_COLLECT on each, naming all peers.
 *     4. A replica that leaves for good: REPLICA_MARK with SEQ absent forgets it. It
 *        must not come back with its contents: INIT it before it joins again. (CLEAR
 *        leaves tombstones, which would delete what the others hold.)
 *   A partition that collected has another DIGEST than one that did not yet; if a host
 *   copies such a tombstone again in between, no harm is done: it is collected next time.
 *   Channels whose offer is older than the last collection end (PCIEHSM_CKR_CHANNEL):
 *   a batch that was sealed before could bring an object back. A tombstone counts
 *   for the quota like a small object.
 *
 * Audit log
 *   The card writes down what was done, by whom, with what result: struct
 *   pciehsm_audit_entry, durable before the command is answered. Which commands: by
 *   category, as the Auditor sets it (AUDIT_CONFIG); commands of the audit log itself,
 *   power-on and tampering always. It survives everything, a factory reset too.
 *   Entry n has a chain value c(n) = SHA-256(c(n-1), entry), c(0) = SHA-256("pciehsm audit
 *   v1" followed by the HSM's serial as text). AUDIT_EXPORT gives entries, the chain value
 *   before the first of them, and a signature of the card's identity key: who has
 *   the card's certificate can check them, and that one export follows another.
 *   When PCIEHSM_AUDIT_CAPACITY entries are kept, the log is full. Then, as the Auditor
 *   chose: the oldest entries are dropped (default; seen in an export by its first
 *   number), or (PCIEHSM_AUDIT_HALT) commands that would have to be written down answer
 *   PCIEHSM_CKR_AUDIT_FULL and are not done, until the Auditor truncates; logging in
 *   as Auditor and the Auditor's own commands go on.
 *
 * Attestation
 *   ATTEST gives a statement about a key, signed by the card's identity key with ECDSA
 *   P-384 and SHA-384 (DER) over "pciehsm attest v1" and the statement. A statement is a
 *   sequence of fields, in this order: HSM_SERIAL, SERIAL (the partition's), FW_VERSION,
 *   OUID, VERSION, NONCE (the caller's), FLAGS (PCIEHSM_ATTEST_*), TEMPLATE (the
 *   key's attributes that can be read; no label). A key with PCIEHSM_ATTEST_BOUND was
 *   generated in this card and can not leave it, nor ever could.
 *
 * Activation
 *   Where partition policy 22 is on, CO, LCO and CU may each have a second secret, the
 *   challenge (ROLE_SET_CHALLENGE): it is for applications, the password for a person. A login
 *   with the password activates a role that has a challenge. From then on a login with the
 *   challenge is one like any other; until then it is PCIEHSM_CKR_NOT_ACTIVATED. LOGIN takes
 *   either in PIN, and its answer says which it was. Nothing else takes the challenge.
 *   A role's activation ends with ROLE_DEACTIVATE, with a new password or challenge, when
 *   policy 22 is switched off, and when the card is switched off; the last not where policy
 *   23 is on as well. (A reset of the controller, or of a function, does not switch the card
 *   off.) Wherever it ends, the logins of that role in other contexts end, too.
 *   The challenge stays until another one is set; ROLE_RESET_PIN, PARTITION_INIT and whatever
 *   destroys the roles takes it away.
 *   A wrong PIN costs an attempt, whichever secret it was meant to be: the card can not tell,
 *   and guesses at the challenge that did not count would be guesses at the password. So
 *   policy 15, "ignore failed challenge responses", is off and fixed. The right challenge
 *   takes back the attempt it has cost, activated or not, and no other: who knows the challenge
 *   alone can not try passwords for ever. The right password takes back all.
 */
#ifndef _UAPI_PCIEHSM_FW_H
#define _UAPI_PCIEHSM_FW_H

#include <linux/types.h>

/**
 * struct pciehsm_msg - header of every message and answer
 * @length:	of the whole message, header included
 * @op:		enum pciehsm_op
 * @session:	caller's session number; 0 where none is needed
 * @rv:		answer: CKR_*; request: 0
 */
struct pciehsm_msg {
	__le32	length;
	__le32	op;
	__le32	session;
	__le32	rv;
};

#define PCIEHSM_MSG_MAX			(1U << 20)
/* Enough room for the answer of every operation that does not say otherwise. */
#define PCIEHSM_ANSWER_MIN		256

struct pciehsm_field {
	__le16	id;		/* enum pciehsm_field_id */
	__le16	reserved;	/* 0 */
	__le32	len;		/* of the data, without padding */
};

struct pciehsm_attr {
	__le32	type;		/* CKA_* */
	__le32	len;		/* bytes, or PCIEHSM_ATTR_* */
};

/* In answers of OBJECT_GET: the object has no such attribute, or keeps it to itself. */
#define PCIEHSM_ATTR_INVALID		0xffffffffU
#define PCIEHSM_ATTR_SENSITIVE		0xfffffffeU

#define PCIEHSM_OUID_LEN		16
#define PCIEHSM_DIGEST_LEN		32

struct pciehsm_version {
	__le64	counter;
	__le64	writer;		/* serial of the partition that made the change */
};

/* What the number of an operation says by itself, so that a driver can tell. */
#define PCIEHSM_OP_HSM			0x00010000	/* allowed on the HSM's node */
#define PCIEHSM_OP_PARTITION		0x00020000	/* allowed on a partition's node */
#define PCIEHSM_OP_WRITE		0x00040000	/* needs a writable descriptor */

#define PCIEHSM_OPC_H(n)		(PCIEHSM_OP_HSM | (n))
#define PCIEHSM_OPC_P(n)		(PCIEHSM_OP_PARTITION | (n))
#define PCIEHSM_OPC_B(n)		(PCIEHSM_OP_HSM | PCIEHSM_OP_PARTITION | (n))
#define PCIEHSM_OPC_HW(n)		(PCIEHSM_OPC_H(n) | PCIEHSM_OP_WRITE)
#define PCIEHSM_OPC_PW(n)		(PCIEHSM_OPC_P(n) | PCIEHSM_OP_WRITE)
#define PCIEHSM_OPC_BW(n)		(PCIEHSM_OPC_B(n) | PCIEHSM_OP_WRITE)

/*
 * Operations. "a, b -> c" is: fields of the request, fields of the answer; [x] is
 * optional; what stands behind ":" is what it needs and does. Numbers that are
 * not given here answer CKR_FUNCTION_NOT_SUPPORTED.
 */
enum pciehsm_op {
	/* -- both nodes -- */
	/* -> : nothing; answers as soon as the firmware runs */
	PCIEHSM_OP_PING			= PCIEHSM_OPC_B(0x001),
	/*
	 * ROLE, PIN -> FLAGS (PCIEHSM_LOGIN_*). On CKR_PIN_INCORRECT and
	 * CKR_PIN_LOCKED: ATTEMPTS (left). The attempt is recorded durably before
	 * the password is checked; the one that uses up the last attempt is still
	 * CKR_PIN_INCORRECT, with ATTEMPTS 0. A context has one login at a time:
	 * CKR_USER_ALREADY_LOGGED_IN, CKR_USER_ANOTHER_ALREADY_LOGGED_IN.
	 * HSM: SO, AU. Partition: PO, CO, LCO, CU. A role without password:
	 * CKR_USER_PIN_NOT_INITIALIZED.
	 */
	PCIEHSM_OP_LOGIN		= PCIEHSM_OPC_B(0x002),
	/* -> : ends the login, all private session objects and operations with it */
	PCIEHSM_OP_LOGOUT		= PCIEHSM_OPC_B(0x003),
	/* -> : ends what is kept under the header's session */
	PCIEHSM_OP_SESSION_CLOSE	= PCIEHSM_OPC_P(0x004),
	/*
	 * ROLE, PIN -> : SO makes AU; PO makes CO; CO makes LCO and CU. The first login must
	 * change it. CKR_ACTION_PROHIBITED if the role is there already. Here and
	 * everywhere a password of a length that is not allowed is CKR_PIN_LEN_RANGE.
	 */
	PCIEHSM_OP_ROLE_INIT		= PCIEHSM_OPC_BW(0x005),
	/*
	 * ROLE, PIN (old), NEW_PIN -> : the role's own business; needs no login. Errors as
	 * LOGIN's. Logins of that role in other contexts end, here and in ROLE_RESET_PIN.
	 */
	PCIEHSM_OP_ROLE_SET_PIN		= PCIEHSM_OPC_BW(0x006),
	/* ROLE, NEW_PIN -> : PO resets CO (HSM policy 15), CO resets LCO and CU; clears the attempts */
	PCIEHSM_OP_ROLE_RESET_PIN	= PCIEHSM_OPC_BW(0x007),
	/* -> ROLES (array of struct pciehsm_role_info) : needs no login */
	PCIEHSM_OP_ROLE_INFO		= PCIEHSM_OPC_B(0x008),
	/* -> POLICIES (array of struct pciehsm_policy) : needs no login */
	PCIEHSM_OP_POLICY_GET		= PCIEHSM_OPC_B(0x009),
	/*
	 * POLICY, VALUE -> : SO or PO. A destructive one destroys what its flag says, and
	 * ends every login but the caller's. A partition's policy can not be less strict
	 * than its HSM's: PCIEHSM_CKR_POLICY. CKR_ARGUMENTS_BAD: no such policy or
	 * value, or policy 25 (least PIN length) would be above 26 (greatest).
	 */
	PCIEHSM_OP_POLICY_SET		= PCIEHSM_OPC_BW(0x00a),
	/* [SEED] , LEN -> DATA : random bytes, at most 64 KiB */
	PCIEHSM_OP_RANDOM		= PCIEHSM_OPC_B(0x00b),

	/* -- HSM -- */
	/* -> SERIAL, MODEL, FW_VERSION, LABEL, FLAGS (PCIEHSM_HSM_*), SPACE, SPACE_FREE,
	 * PARTITIONS_MAX, PARTITIONS, ENGINES : needs no login
	 */
	PCIEHSM_OP_HSM_INFO		= PCIEHSM_OPC_H(0x101),
	/*
	 * LABEL, PIN -> : destroys all partitions. On a card that is initialised PIN
	 * must be the SO's (errors as LOGIN's) and stays so; on a blank one it
	 * becomes the SO's.
	 */
	PCIEHSM_OP_HSM_INIT		= PCIEHSM_OPC_HW(0x102),
	/*
	 * -> : destroys everything, roles and policies too; needs no login, as on the
	 * product. The only way out of the tampered state: until then HSM_INIT answers
	 * PCIEHSM_CKR_TAMPERED.
	 */
	PCIEHSM_OP_HSM_FACTORY_RESET	= PCIEHSM_OPC_HW(0x103),
	/* -> : destroys all partitions and the SO, keeps policies and tampering; needs no login */
	PCIEHSM_OP_HSM_ZEROIZE		= PCIEHSM_OPC_HW(0x104),
	/* [SIZE] -> NUMBER, SERIAL, INDEX : SO. PCIEHSM_CKR_CAPACITY when there is no room for another. */
	PCIEHSM_OP_PARTITION_CREATE	= PCIEHSM_OPC_HW(0x105),
	/* NUMBER -> : SO. The partition and all it holds are gone. CKR_SLOT_ID_INVALID: no such. */
	PCIEHSM_OP_PARTITION_DELETE	= PCIEHSM_OPC_HW(0x106),
	/* NUMBER, SIZE -> : SO */
	PCIEHSM_OP_PARTITION_RESIZE	= PCIEHSM_OPC_HW(0x107),
	/* -> CERTIFICATES : of the card's identity key */
	PCIEHSM_OP_HSM_IDENTITY		= PCIEHSM_OPC_B(0x108),

	/* -- partition -- */
	/* -> SERIAL, LABEL, FLAGS (PCIEHSM_PARTITION_*), HSM_SERIAL, MODEL, FW_VERSION, SPACE,
	 * SPACE_FREE, OBJECTS, SESSIONS (with something kept), STATS, INCARNATION,
	 * TOMBSTONES : needs no login
	 */
	PCIEHSM_OP_PARTITION_INFO	= PCIEHSM_OPC_P(0x201),
	/*
	 * LABEL, PIN (becomes the PO's), DOMAIN -> : if it is initialised already, PO
	 * only, and PIN must be the PO's; destroys all objects and the roles below PO.
	 */
	PCIEHSM_OP_PARTITION_INIT	= PCIEHSM_OPC_PW(0x202),
	/*
	 * [LIMIT] -> OBJECTS (that are left): CO. Deletes every object, or so many at most
	 * (with tombstones), whatever its CKA_DESTROYABLE.
	 */
	PCIEHSM_OP_PARTITION_CLEAR	= PCIEHSM_OPC_PW(0x203),

	/* -- objects -- */
	/* OUID, [COUNTER], TEMPLATE -> OUID, VERSION */
	PCIEHSM_OP_OBJECT_CREATE	= PCIEHSM_OPC_PW(0x301),
	/* OBJECT, OUID, [COUNTER], TEMPLATE -> OUID, VERSION */
	PCIEHSM_OP_OBJECT_COPY		= PCIEHSM_OPC_PW(0x302),
	/*
	 * OBJECT, [FLAGS PCIEHSM_DESTROY_REPEATED] -> VERSION (of the tombstone). With
	 * the flag an object that is already deleted is CKR_OK, else it is
	 * CKR_OBJECT_HANDLE_INVALID like one that never was.
	 */
	PCIEHSM_OP_OBJECT_DESTROY	= PCIEHSM_OPC_PW(0x303),
	/*
	 * OBJECT, TEMPLATE (types, lengths 0) -> TEMPLATE (with values, in that order),
	 * VERSION. On CKR_ATTRIBUTE_SENSITIVE and CKR_ATTRIBUTE_TYPE_INVALID also
	 * TEMPLATE, with PCIEHSM_ATTR_* where there is no value.
	 */
	PCIEHSM_OP_OBJECT_GET		= PCIEHSM_OPC_P(0x304),
	/* OBJECT, TEMPLATE -> VERSION */
	PCIEHSM_OP_OBJECT_SET		= PCIEHSM_OPC_PW(0x305),
	/*
	 * TEMPLATE, [CURSOR], LIMIT -> OUIDS, CURSOR (0: that was all). In the order of
	 * creation in this partition. An object that exists during the whole of a
	 * paged search and matches is found exactly once.
	 */
	PCIEHSM_OP_OBJECT_FIND		= PCIEHSM_OPC_P(0x306),
	/* OBJECT -> SIZE : bytes in the partition's store */
	PCIEHSM_OP_OBJECT_SIZE		= PCIEHSM_OPC_P(0x307),

	/* -- keys -- */
	/* MECHANISM, parameters, OUID, [COUNTER], TEMPLATE -> OUID, VERSION */
	PCIEHSM_OP_GENERATE_KEY		= PCIEHSM_OPC_PW(0x401),
	/* MECHANISM, parameters, OUID, OUID2, [COUNTER], TEMPLATE (public), TEMPLATE2 (private)
	 * -> OUID, OUID2, VERSION (the same for both). Both are made or none.
	 */
	PCIEHSM_OP_GENERATE_KEY_PAIR	= PCIEHSM_OPC_PW(0x402),
	/* MECHANISM, parameters, KEY, OBJECT -> DATA */
	PCIEHSM_OP_WRAP			= PCIEHSM_OPC_P(0x403),
	/* MECHANISM, parameters, KEY, DATA, OUID, [COUNTER], TEMPLATE -> OUID, VERSION */
	PCIEHSM_OP_UNWRAP		= PCIEHSM_OPC_PW(0x404),
	/* MECHANISM, parameters, KEY, OUID, [COUNTER], TEMPLATE -> OUID, VERSION */
	PCIEHSM_OP_DERIVE		= PCIEHSM_OPC_PW(0x405),
	/*
	 * MECHANISM, parameters, KEY (public), OUID, [COUNTER], TEMPLATE -> OUID, VERSION, DATA
	 * (the ciphertext). If the OUID is there already, there is no DATA: whoever lost the
	 * answer destroys the key and encapsulates another under another OUID.
	 */
	PCIEHSM_OP_ENCAPSULATE		= PCIEHSM_OPC_PW(0x406),
	/* MECHANISM, parameters, KEY (private), DATA, OUID, [COUNTER], TEMPLATE -> OUID, VERSION */
	PCIEHSM_OP_DECAPSULATE		= PCIEHSM_OPC_PW(0x407),

	/* -- cryptography -- */
	/*
	 * One part, nothing kept: FUNCTION, MECHANISM, parameters, [KEY], DATA,
	 * [SIGNATURE: verify] -> DATA. KEY is absent for digests.
	 */
	PCIEHSM_OP_CRYPT		= PCIEHSM_OPC_P(0x501),
	/*
	 * Several parts, kept under the header's session, one operation of each
	 * FUNCTION at a time (CKR_OPERATION_ACTIVE).
	 * INIT: FUNCTION, MECHANISM, parameters, [KEY] -> .
	 * UPDATE: FUNCTION, DATA -> [DATA]. FINAL: FUNCTION, [SIGNATURE] -> [DATA].
	 * DIGEST_KEY: KEY -> . CANCEL: FUNCTION -> .
	 * Any error but CKR_BUFFER_TOO_SMALL ends the operation.
	 */
	PCIEHSM_OP_CRYPT_INIT		= PCIEHSM_OPC_P(0x502),
	PCIEHSM_OP_CRYPT_UPDATE		= PCIEHSM_OPC_P(0x503),
	PCIEHSM_OP_CRYPT_FINAL		= PCIEHSM_OPC_P(0x504),
	PCIEHSM_OP_CRYPT_CANCEL		= PCIEHSM_OPC_P(0x505),
	PCIEHSM_OP_DIGEST_KEY		= PCIEHSM_OPC_P(0x506),
	/* -> MECHANISMS (array of struct pciehsm_mechanism_info) : needs no login */
	PCIEHSM_OP_MECHANISMS		= PCIEHSM_OPC_P(0x507),

	/* -- replication -- */
	/* -> DIGEST, SEQ (of the last change), OBJECTS, TOMBSTONES, INCARNATION : needs no login */
	PCIEHSM_OP_DIGEST		= PCIEHSM_OPC_P(0x601),
	/*
	 * SEQ, LIMIT -> CHANGES (array of struct pciehsm_change with a seq greater than
	 * that, ascending; each object once, at its last change), SEQ (of the last
	 * change of the partition). Token objects and tombstones. CO.
	 */
	PCIEHSM_OP_CHANGES		= PCIEHSM_OPC_P(0x602),
	/* -> CHANNEL, OFFER : CO, at the target */
	PCIEHSM_OP_CLONE_OFFER		= PCIEHSM_OPC_P(0x603),
	/* OFFER -> CHANNEL, HELLO : CO, at the source */
	PCIEHSM_OP_CLONE_START		= PCIEHSM_OPC_P(0x604),
	/* CHANNEL, HELLO -> : CO, at the target */
	PCIEHSM_OP_CLONE_ACCEPT		= PCIEHSM_OPC_P(0x605),
	/*
	 * CHANNEL, OUIDS -> BLOB, RESULTS (array of struct pciehsm_clone_result, for as
	 * many of OUIDS from the first as were dealt with; the rest did not fit).
	 */
	PCIEHSM_OP_CLONE_EXPORT		= PCIEHSM_OPC_P(0x606),
	/*
	 * CHANNEL, BLOB -> RESULTS. All in one transaction. Session objects become the
	 * header's session's. result: CKR_OK taken; PCIEHSM_CKR_STALE own version is
	 * greater or equal, nothing changed.
	 */
	PCIEHSM_OP_CLONE_IMPORT		= PCIEHSM_OPC_PW(0x607),
	/* CHANNEL -> */
	PCIEHSM_OP_CLONE_CLOSE		= PCIEHSM_OPC_P(0x608),

	/* -- tombstones: see above -- */
	/*
	 * SERIAL (the peer partition's), [SEQ] -> : CO. A mark never goes back but to 0;
	 * lower ones change nothing. CKR_ARGUMENTS_BAD: SEQ beyond the partition's last
	 * change, or its own serial. PCIEHSM_CKR_CAPACITY: PCIEHSM_PEERS_MAX are there.
	 */
	PCIEHSM_OP_REPLICA_MARK		= PCIEHSM_OPC_PW(0x609),
	/*
	 * SERIALS (u64 each; may be empty), [FLAGS PCIEHSM_COLLECT_DRY] -> TOMBSTONES (that
	 * were, or would be, collected), SEQ (up to which) : CO. PCIEHSM_CKR_PEERS: SERIALS are
	 * not exactly the peers that there are marks for; nothing is done.
	 */
	PCIEHSM_OP_TOMBSTONES_COLLECT	= PCIEHSM_OPC_PW(0x60a),
	/* -> MARKS (array of struct pciehsm_mark), SEQ (of the last change) : CO */
	PCIEHSM_OP_REPLICA_MARKS	= PCIEHSM_OPC_P(0x60b),

	/* -- statistics -- */
	/*
	 * -> POWER_ON, UPTIME, COMMANDS, STATS (sum over the partitions) : needs no login.
	 * Partitions that were deleted are not counted any more.
	 */
	PCIEHSM_OP_HSM_STATS		= PCIEHSM_OPC_H(0x109),

	/* -- audit log -- */
	/* -> AUDIT_MASK, FLAGS (PCIEHSM_AUDIT_*), AUDIT_FIRST (oldest kept), SEQ (newest, 0: none),
	 * LIMIT (capacity) : needs no login
	 */
	PCIEHSM_OP_AUDIT_INFO		= PCIEHSM_OPC_H(0x110),
	/* AUDIT_MASK (PCIEHSM_AUDIT_LOG_*), FLAGS (PCIEHSM_AUDIT_HALT) -> : AU */
	PCIEHSM_OP_AUDIT_CONFIG		= PCIEHSM_OPC_HW(0x111),
	/*
	 * SEQ, LIMIT -> HSM_SERIAL, SEQ (of the last entry here), DIGEST (chain value before the
	 * first entry here), AUDIT_ENTRIES (those after the request's SEQ, ascending),
	 * SIGNATURE (over "pciehsm audit v1" and the four fields, as encoded, in
	 * this order) : AU. No entries: that was all.
	 */
	PCIEHSM_OP_AUDIT_EXPORT		= PCIEHSM_OPC_H(0x112),
	/* SEQ -> : AU. Entries up to this number are forgotten. */
	PCIEHSM_OP_AUDIT_TRUNCATE	= PCIEHSM_OPC_HW(0x113),

	/* -- attestation -- */
	/*
	 * OBJECT (a key), NONCE (8 to 64 bytes) -> STATEMENT, SIGNATURE, CERTIFICATES : who may
	 * see the key. CKR_KEY_HANDLE_INVALID: no key.
	 */
	PCIEHSM_OP_ATTEST		= PCIEHSM_OPC_P(0x120),

	/* -- activation -- */
	/*
	 * ROLE (CO, LCO, CU), PIN (its password), NEW_PIN (the challenge, of a length that
	 * policies 25 and 26 allow) -> : the role's own business; needs no login. Errors as
	 * LOGIN's; PCIEHSM_CKR_POLICY: policy 22 is off; CKR_PIN_EXPIRED: the password must be
	 * changed first; CKR_PIN_INVALID: the challenge is the password (in ROLE_SET_PIN, too:
	 * the password is the challenge). Ends the role's activation.
	 */
	PCIEHSM_OP_ROLE_SET_CHALLENGE	= PCIEHSM_OPC_PW(0x00c),
	/*
	 * ROLE (CO, LCO, CU) -> : by the role itself or who makes it (see ROLE_INIT). Ends the
	 * role's activation, if there is one.
	 */
	PCIEHSM_OP_ROLE_DEACTIVATE	= PCIEHSM_OPC_PW(0x00d),
};

enum pciehsm_field_id {
	/* general */
	PCIEHSM_F_NEED			= 0x0001,	/* u32 bytes of room for the answer */
	PCIEHSM_F_FLAGS			= 0x0002,	/* u32 */
	PCIEHSM_F_LEN			= 0x0003,	/* u32 */
	PCIEHSM_F_LIMIT			= 0x0004,	/* u32 greatest number of entries, not 0 */
	PCIEHSM_F_CURSOR		= 0x0005,	/* u64 from an answer; 0 or absent: from the start */
	PCIEHSM_F_DATA			= 0x0006,	/* bytes */
	PCIEHSM_F_SEED			= 0x0007,	/* bytes */
	/* identity and state */
	PCIEHSM_F_SERIAL		= 0x0101,	/* text, digits */
	PCIEHSM_F_HSM_SERIAL		= 0x0102,	/* text, digits */
	PCIEHSM_F_LABEL			= 0x0103,	/* text, 1 to 32 bytes */
	PCIEHSM_F_MODEL			= 0x0104,	/* text */
	PCIEHSM_F_FW_VERSION		= 0x0105,	/* text */
	PCIEHSM_F_NUMBER		= 0x0106,	/* u32 partition number */
	PCIEHSM_F_INDEX			= 0x0107,	/* u32 see hw.h */
	PCIEHSM_F_SPACE			= 0x0108,	/* u64 bytes */
	PCIEHSM_F_SPACE_FREE		= 0x0109,	/* u64 bytes */
	PCIEHSM_F_SIZE			= 0x010a,	/* u64 bytes */
	PCIEHSM_F_PARTITIONS		= 0x010b,	/* u32 */
	PCIEHSM_F_PARTITIONS_MAX	= 0x010c,	/* u32 */
	PCIEHSM_F_ENGINES		= 0x010d,	/* u32 */
	PCIEHSM_F_OBJECTS		= 0x010e,	/* u32 token objects */
	PCIEHSM_F_SESSIONS		= 0x010f,	/* u32 */
	PCIEHSM_F_STATS			= 0x0110,	/* u64 each, by enum pciehsm_stat */
	PCIEHSM_F_INCARNATION		= 0x0111,	/* 16 bytes, new whenever the contents were destroyed */
	/* roles and policies */
	PCIEHSM_F_ROLE			= 0x0201,	/* u32 enum pciehsm_role */
	PCIEHSM_F_PIN			= 0x0202,	/* bytes, 8 to 255 where it is set */
	PCIEHSM_F_NEW_PIN		= 0x0203,	/* bytes, 8 to 255 */
	PCIEHSM_F_DOMAIN		= 0x0204,	/* bytes, 1 to 128 */
	PCIEHSM_F_ATTEMPTS		= 0x0205,	/* u32 */
	PCIEHSM_F_ROLES			= 0x0206,
	PCIEHSM_F_POLICY		= 0x0207,	/* u32 */
	PCIEHSM_F_VALUE			= 0x0208,	/* u32 */
	PCIEHSM_F_POLICIES		= 0x0209,
	/* objects */
	PCIEHSM_F_OUID			= 0x0301,	/* 16 bytes: the one to be made */
	PCIEHSM_F_OUID2			= 0x0302,	/* 16 bytes: of the private key */
	PCIEHSM_F_OBJECT		= 0x0303,	/* 16 bytes: the one that is meant */
	PCIEHSM_F_KEY			= 0x0304,	/* 16 bytes: the one that works */
	PCIEHSM_F_OUIDS			= 0x0305,	/* 16 bytes each */
	PCIEHSM_F_TEMPLATE		= 0x0306,
	PCIEHSM_F_TEMPLATE2		= 0x0307,
	PCIEHSM_F_COUNTER		= 0x0308,	/* u64, 1 to 2^62 */
	PCIEHSM_F_VERSION		= 0x0309,	/* struct pciehsm_version */
	/* cryptography */
	PCIEHSM_F_FUNCTION		= 0x0401,	/* u32 enum pciehsm_function */
	PCIEHSM_F_MECHANISM		= 0x0402,	/* u32 CKM_* */
	PCIEHSM_F_SIGNATURE		= 0x0403,	/* bytes */
	PCIEHSM_F_MECHANISMS		= 0x0404,
	/* mechanism parameters, named after those of PKCS#11 */
	PCIEHSM_F_P_IV			= 0x0481,	/* bytes: IV, nonce, or CTR's counter block */
	PCIEHSM_F_P_AAD			= 0x0482,	/* bytes */
	PCIEHSM_F_P_TAG_BITS		= 0x0483,	/* u32 */
	PCIEHSM_F_P_COUNTER_BITS	= 0x0484,	/* u32 */
	PCIEHSM_F_P_HASH		= 0x0485,	/* u32 CKM_*: PSS, OAEP, HKDF's PRF */
	PCIEHSM_F_P_MGF			= 0x0486,	/* u32 CKG_* */
	PCIEHSM_F_P_SALT_LEN		= 0x0487,	/* u32 */
	PCIEHSM_F_P_SOURCE		= 0x0488,	/* bytes: OAEP label */
	PCIEHSM_F_P_KDF			= 0x0489,	/* u32 CKD_* */
	PCIEHSM_F_P_SHARED		= 0x048a,	/* bytes: ECDH shared data */
	PCIEHSM_F_P_PUBLIC		= 0x048b,	/* bytes: ECDH other party's point */
	PCIEHSM_F_P_SALT		= 0x048c,	/* bytes: HKDF salt */
	PCIEHSM_F_P_SALT_KEY		= 0x048d,	/* 16 bytes: HKDF salt from a key */
	PCIEHSM_F_P_INFO		= 0x048e,	/* bytes: HKDF info */
	PCIEHSM_F_P_HKDF		= 0x048f,	/* u32: bit 0 extract, bit 1 expand */
	PCIEHSM_F_P_MAC_LEN		= 0x0490,	/* u32 bytes: general-length MACs */
	PCIEHSM_F_P_CONTEXT		= 0x0491,	/* bytes: EdDSA, ML-DSA, SLH-DSA */
	PCIEHSM_F_P_PREHASH		= 0x0492,	/* u32 0 or 1: EdDSA */
	PCIEHSM_F_P_HEDGE		= 0x0493,	/* u32 CKH_*: ML-DSA, SLH-DSA */
	PCIEHSM_F_P_LAST		= PCIEHSM_F_P_HEDGE,
	/* replication */
	PCIEHSM_F_DIGEST		= 0x0501,	/* 32 bytes */
	PCIEHSM_F_SEQ			= 0x0502,	/* u64 */
	PCIEHSM_F_TOMBSTONES		= 0x0503,	/* u32 */
	PCIEHSM_F_CHANGES		= 0x0504,
	PCIEHSM_F_CHANNEL		= 0x0505,	/* u32 */
	PCIEHSM_F_OFFER			= 0x0506,
	PCIEHSM_F_HELLO			= 0x0507,
	PCIEHSM_F_BLOB			= 0x0508,
	PCIEHSM_F_RESULTS		= 0x0509,
	PCIEHSM_F_SERIALS		= 0x050a,	/* u64 each: of peer partitions */
	PCIEHSM_F_MARKS			= 0x050b,
	/* inside offer and hello */
	PCIEHSM_F_OFFER_KEY		= 0x0581,
	PCIEHSM_F_NONCE			= 0x0582,
	PCIEHSM_F_CERTIFICATES		= 0x0583,
	PCIEHSM_F_OFFER_SIGNATURE	= 0x0584,
	PCIEHSM_F_ENC			= 0x0585,
	PCIEHSM_F_CONFIRMATION		= 0x0586,
	/* statistics */
	PCIEHSM_F_POWER_ON		= 0x0112,	/* u64 how often it was switched on */
	PCIEHSM_F_UPTIME		= 0x0113,	/* u64 ms since then */
	PCIEHSM_F_COMMANDS		= 0x0114,	/* u64 since then */
	/* audit log */
	PCIEHSM_F_AUDIT_MASK		= 0x0601,	/* u32 */
	PCIEHSM_F_AUDIT_FIRST		= 0x0602,	/* u64 */
	PCIEHSM_F_AUDIT_ENTRIES		= 0x0603,
	/* attestation */
	PCIEHSM_F_STATEMENT		= 0x0611,
};

enum pciehsm_role {
	PCIEHSM_ROLE_NONE		= 0,
	PCIEHSM_ROLE_SO			= 1,	/* HSM Security Officer */
	PCIEHSM_ROLE_PO			= 2,	/* Partition Security Officer */
	PCIEHSM_ROLE_CO			= 3,	/* Crypto Officer */
	PCIEHSM_ROLE_LCO		= 4,	/* Limited Crypto Officer */
	PCIEHSM_ROLE_CU			= 5,	/* Crypto User */
	PCIEHSM_ROLE_AU			= 6,	/* Auditor */
};

#define PCIEHSM_PIN_MIN			8
#define PCIEHSM_PIN_MAX			255
#define PCIEHSM_DOMAIN_MAX		128

/**
 * struct pciehsm_role_info - one role in the answer of ROLE_INFO
 * @role:	enum pciehsm_role
 * @flags:	PCIEHSM_ROLE_*_FLAG
 * @attempts:	wrong passwords left
 * @limit:	wrong passwords that lock it
 */
struct pciehsm_role_info {
	__le32	role;
	__le32	flags;
	__le32	attempts;
	__le32	limit;
};

#define PCIEHSM_ROLE_INITIALISED_FLAG	(1U << 0)
#define PCIEHSM_ROLE_LOCKED_FLAG	(1U << 1)
#define PCIEHSM_ROLE_MUST_CHANGE_FLAG	(1U << 2)
#define PCIEHSM_ROLE_LOGGED_IN_FLAG	(1U << 3)	/* in this context */
#define PCIEHSM_ROLE_CHALLENGE_FLAG	(1U << 4)	/* it has a challenge */
#define PCIEHSM_ROLE_ACTIVATED_FLAG	(1U << 5)	/* which is good for a login now */

/* PCIEHSM_F_FLAGS of LOGIN's answer */
#define PCIEHSM_LOGIN_MUST_CHANGE	(1U << 0)
#define PCIEHSM_LOGIN_CHALLENGE		(1U << 1)	/* it was by the challenge */
#define PCIEHSM_LOGIN_ACTIVATED		(1U << 2)	/* the role is activated now */
/* PCIEHSM_F_FLAGS of OBJECT_DESTROY */
#define PCIEHSM_DESTROY_REPEATED	(1U << 0)
/* PCIEHSM_F_FLAGS of HSM_INFO's answer */
#define PCIEHSM_HSM_INITIALISED		(1U << 0)
#define PCIEHSM_HSM_ZEROIZED		(1U << 1)
#define PCIEHSM_HSM_TAMPERED		(1U << 2)
/* PCIEHSM_F_FLAGS of PARTITION_INFO's answer */
#define PCIEHSM_PARTITION_INITIALISED	(1U << 0)
#define PCIEHSM_PARTITION_CO_INITIALISED (1U << 1)
#define PCIEHSM_PARTITION_CU_INITIALISED (1U << 2)
#define PCIEHSM_PARTITION_LCO_INITIALISED (1U << 3)
#define PCIEHSM_PARTITION_HA_RECOVERY	(1U << 4)	/* partition policy 21 is on */
/* PCIEHSM_F_FLAGS of TOMBSTONES_COLLECT: only count */
#define PCIEHSM_COLLECT_DRY		(1U << 0)

struct pciehsm_policy {
	__le32	id;		/* number of the product's tables */
	__le32	value;
	__le32	flags;		/* PCIEHSM_POLICY_* */
	__le32	def;		/* default */
};

#define PCIEHSM_POLICY_DESTROYS_ON	(1U << 0)	/* raising it destroys the contents */
#define PCIEHSM_POLICY_DESTROYS_OFF	(1U << 1)	/* lowering it does */
#define PCIEHSM_POLICY_FIXED		(1U << 2)

enum pciehsm_function {
	PCIEHSM_FN_ENCRYPT		= 1,
	PCIEHSM_FN_DECRYPT		= 2,
	PCIEHSM_FN_SIGN			= 3,
	PCIEHSM_FN_SIGN_RECOVER		= 4,
	PCIEHSM_FN_VERIFY		= 5,
	PCIEHSM_FN_VERIFY_RECOVER	= 6,
	PCIEHSM_FN_DIGEST		= 7,
};

struct pciehsm_mechanism_info {
	__le32	type;		/* CKM_* */
	__le32	min_key;	/* as CK_MECHANISM_INFO */
	__le32	max_key;
	__le32	flags;		/* CKF_* */
};

/* What PCIEHSM_F_STATS counts, since power-on; commands that succeeded. */
enum pciehsm_stat {
	PCIEHSM_STAT_SIGN		= 0,
	PCIEHSM_STAT_VERIFY		= 1,
	PCIEHSM_STAT_ENCRYPT		= 2,
	PCIEHSM_STAT_DECRYPT		= 3,
	PCIEHSM_STAT_DIGEST		= 4,
	PCIEHSM_STAT_GENERATE		= 5,
	PCIEHSM_STAT_DERIVE		= 6,
	PCIEHSM_STAT_WRAP		= 7,
	PCIEHSM_STAT_UNWRAP		= 8,
	PCIEHSM_STAT_CREATE		= 9,
	PCIEHSM_STAT_DESTROY		= 10,
	PCIEHSM_STAT_FIND		= 11,
	PCIEHSM_STAT_CLONED_OUT		= 12,	/* objects */
	PCIEHSM_STAT_CLONED_IN		= 13,
	PCIEHSM_STAT_LOGIN		= 14,
	PCIEHSM_STAT_ERRORS		= 15,	/* commands that failed */
	PCIEHSM_STAT_COUNT		= 16,
};

/**
 * struct pciehsm_change - one object in the change log, 48 bytes
 * @seq:	number of its last change in this partition
 * @ouid:	the object
 * @version:	its version, or that of the tombstone
 * @flags:	PCIEHSM_CHANGE_*
 * @class:	CKO_*; 0 for a tombstone
 */
struct pciehsm_change {
	__le64			seq;
	__u8			ouid[PCIEHSM_OUID_LEN];
	struct pciehsm_version	version;
	__le32			flags;
	__le32			class;
};

#define PCIEHSM_CHANGE_DELETED		(1U << 0)
#define PCIEHSM_CHANGE_PRIVATE		(1U << 1)

struct pciehsm_clone_result {
	__u8	ouid[PCIEHSM_OUID_LEN];
	__le32	rv;
	__le32	reserved;
};

/**
 * struct pciehsm_clone_record - one object inside a blob
 * @ouid:	the object
 * @version:	its version
 * @flags:	PCIEHSM_CHANGE_DELETED for a tombstone, PCIEHSM_RECORD_SESSION for a
 *		session object
 * @len:	bytes of the template that follows
 */
struct pciehsm_clone_record {
	__u8			ouid[PCIEHSM_OUID_LEN];
	struct pciehsm_version	version;
	__le32			flags;
	__le32			len;
};

#define PCIEHSM_RECORD_SESSION		(1U << 8)

/**
 * struct pciehsm_blob - what a batch begins with, not encrypted
 * @seq:	its number in the channel, from 1 on
 * @len:	bytes of the ciphertext that follows
 *
 * Nothing is believed because it stands here: it says why a batch does not open.
 */
struct pciehsm_blob {
	__le64	seq;
	__le64	len;
};

/**
 * struct pciehsm_batch - what a batch begins with, encrypted
 * @policies:	PCIEHSM_BATCH_* of the source
 * @reserved:	0
 */
struct pciehsm_batch {
	__le32	policies;
	__le32	reserved;
};

#define PCIEHSM_BATCH_APPROVED_ONLY	(1U << 0)	/* HSM policy 12 is off */

/**
 * struct pciehsm_mark - a peer and what it has seen
 * @serial:	the peer partition's
 * @seq:	it has everything of this partition up to there
 */
struct pciehsm_mark {
	__le64	serial;
	__le64	seq;
};

#define PCIEHSM_PEERS_MAX		64

/**
 * struct pciehsm_audit_entry - a line of the audit log, 80 bytes
 * @seq:	its number, from 1 on without gaps
 * @power_on:	the card was switched on so often by then
 * @time:	ms since it was
 * @partition:	number, 0 for the HSM
 * @context:	the transport's number of who asked
 * @op:		enum pciehsm_op, or enum pciehsm_audit_event
 * @rv:		the result
 * @role:	who was logged in when it began
 * @subject:	ROLE, POLICY, NUMBER, FUNCTION or AUDIT_MASK of the request, else 0
 * @value:	VALUE, SIZE, SEQ or MECHANISM of the request, else 0
 * @reserved:	0
 * @object:	OBJECT, KEY or OUID of the request, else zeroes
 */
struct pciehsm_audit_entry {
	__le64	seq;
	__le64	power_on;
	__le64	time;
	__le32	partition;
	__le32	context;
	__le32	op;
	__le32	rv;
	__le32	role;
	__le32	subject;
	__le64	value;
	__le64	reserved;
	__u8	object[PCIEHSM_OUID_LEN];
};

enum pciehsm_audit_event {
	PCIEHSM_AUDIT_POWER_ON		= 1,
	PCIEHSM_AUDIT_TAMPER		= 2,
};

#define PCIEHSM_AUDIT_LOG_LOGIN		(1U << 0)	/* LOGIN, LOGOUT */
#define PCIEHSM_AUDIT_LOG_ROLES		(1U << 1)	/* passwords and roles */
#define PCIEHSM_AUDIT_LOG_HSM		(1U << 2)	/* what changes the HSM */
#define PCIEHSM_AUDIT_LOG_PARTITION	(1U << 3)	/* what changes a partition as a whole */
#define PCIEHSM_AUDIT_LOG_OBJECTS	(1U << 4)	/* making, changing, deleting objects */
#define PCIEHSM_AUDIT_LOG_USE		(1U << 5)	/* using keys; wrapping */
#define PCIEHSM_AUDIT_LOG_CLONING	(1U << 6)	/* channels, marks, collection */
#define PCIEHSM_AUDIT_LOG_FAILED	(1U << 7)	/* whatever failed, of all categories */
#define PCIEHSM_AUDIT_LOG_ALL		0xffU
#define PCIEHSM_AUDIT_LOG_DEFAULT	(PCIEHSM_AUDIT_LOG_LOGIN | PCIEHSM_AUDIT_LOG_ROLES | \
					 PCIEHSM_AUDIT_LOG_HSM | PCIEHSM_AUDIT_LOG_PARTITION)
#define PCIEHSM_AUDIT_CAPACITY		16384

/* PCIEHSM_F_FLAGS of AUDIT_CONFIG and AUDIT_INFO's answer */
#define PCIEHSM_AUDIT_HALT		(1U << 0)	/* when full, stop what must be logged */
/* of AUDIT_INFO's answer only */
#define PCIEHSM_AUDIT_FULL		(1U << 1)	/* HALT, and it is full */

/* PCIEHSM_F_FLAGS of a statement */
#define PCIEHSM_ATTEST_GENERATED	(1U << 0)	/* in this card, by its random generator */
#define PCIEHSM_ATTEST_NOT_EXTRACTABLE	(1U << 1)	/* always sensitive, never extractable */
#define PCIEHSM_ATTEST_NOT_CLONABLE	(1U << 2)	/* cloning is off and was when it was made */
#define PCIEHSM_ATTEST_BOUND		(PCIEHSM_ATTEST_GENERATED | \
					 PCIEHSM_ATTEST_NOT_EXTRACTABLE | \
					 PCIEHSM_ATTEST_NOT_CLONABLE)

/*
 * An attribute of the card's own, of generated private and secret keys: the serial of
 * the HSM that generated it, as text, followed by "!" if keys of its class could not
 * be cloned then. Read-only.
 */
#define PCIEHSM_CKA_ORIGIN		0x80504801U

/* Results beside those of PKCS#11: CKR_VENDOR_DEFINED and a number. */
#define PCIEHSM_CKR_BASE		0x80504800U
#define PCIEHSM_CKR_NOT_INITIALISED	(PCIEHSM_CKR_BASE + 0x01)	/* HSM or partition */
#define PCIEHSM_CKR_CAPACITY		(PCIEHSM_CKR_BASE + 0x02)	/* no room for another partition */
#define PCIEHSM_CKR_POLICY		(PCIEHSM_CKR_BASE + 0x03)	/* a policy forbids it */
#define PCIEHSM_CKR_OBJECT_DELETED	(PCIEHSM_CKR_BASE + 0x04)	/* the OUID is a tombstone */
#define PCIEHSM_CKR_STALE		(PCIEHSM_CKR_BASE + 0x05)	/* own version is as new or newer */
#define PCIEHSM_CKR_STORE		(PCIEHSM_CKR_BASE + 0x06)	/* the store failed; nothing done */
#define PCIEHSM_CKR_TAMPERED		(PCIEHSM_CKR_BASE + 0x07)
#define PCIEHSM_CKR_DOMAIN_MISMATCH	(PCIEHSM_CKR_BASE + 0x10)
#define PCIEHSM_CKR_CERTIFICATE		(PCIEHSM_CKR_BASE + 0x11)	/* not of the maker, or broken */
#define PCIEHSM_CKR_CHANNEL		(PCIEHSM_CKR_BASE + 0x12)	/* no such channel, or wrong end */
#define PCIEHSM_CKR_CHANNEL_DATA	(PCIEHSM_CKR_BASE + 0x13)	/* changed, or of another channel */
#define PCIEHSM_CKR_NOT_CLONABLE	(PCIEHSM_CKR_BASE + 0x14)	/* policy or kind of key */
#define PCIEHSM_CKR_REPLAYED		(PCIEHSM_CKR_BASE + 0x15)	/* the batch came before */
#define PCIEHSM_CKR_OUT_OF_ORDER	(PCIEHSM_CKR_BASE + 0x16)	/* one before it is missing */
#define PCIEHSM_CKR_TRUNCATED		(PCIEHSM_CKR_BASE + 0x17)	/* the batch was cut */
#define PCIEHSM_CKR_CLONE_POLICY	(PCIEHSM_CKR_BASE + 0x18)	/* HSM policies 12 differ */
#define PCIEHSM_CKR_PEERS		(PCIEHSM_CKR_BASE + 0x19)	/* not the peers that are marked */
#define PCIEHSM_CKR_AUDIT_FULL		(PCIEHSM_CKR_BASE + 0x1a)	/* the Auditor must truncate */
#define PCIEHSM_CKR_NOT_ACTIVATED	(PCIEHSM_CKR_BASE + 0x1b)	/* see "Activation" above */
/* Not of a card, but of a group of them: */
#define PCIEHSM_CKR_COPIES		(PCIEHSM_CKR_BASE + 0x40)	/* too few members for the copies wanted */

#endif /* _UAPI_PCIEHSM_FW_H */
