/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inside of the PKCS#11 module.
 *
 * Everything that a token holds is reached through the group engine (ha.h); what is kept
 * here is what PKCS#11 has and a card has not: slots, sessions, object handles, and
 * operations that were begun and not used yet. So a call costs one message at most.
 *
 * Locks, in this order; none but the first three is held across a call of the engine:
 *   the application's, where C_Initialize was given one and no leave to use the system's
 *   a session's   calls on one session are one after the other
 *   token->login  logins and logouts of a token
 *   token->lock   its counts and its state
 *   token->handles.lock
 *   the module's  lists of tokens and of free session numbers
 */
#ifndef PCIEHSM_PKCS11_MODULE_H
#define PCIEHSM_PKCS11_MODULE_H

#include <endian.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ha.h"
#include "pciehsm.h"
#include "pkcs11-3.h"

#define MANUFACTURER	"pciehsm"

struct ha_env;

/* ---- the module (init.c, env.c) ---- */

/**
 * module_enter() - a call begins
 * @key:	any number; calls with different ones disturb each other less
 *
 * Return: the engine, or NULL: CKR_CRYPTOKI_NOT_INITIALIZED. module_leave() follows only
 * on the former, with the same key.
 */
struct ha *module_enter(unsigned long key);
void module_leave(unsigned long key);

/** module_pause() - let other calls of the application begin while this one only waits */
void module_pause(void);
void module_resume(void);

/** module_closing() - is C_Finalize waiting for this call to end? */
bool module_closing(void);

/** module_env() - the engine's environment; a test's own one may stand for it */
int module_env(struct ha_env **env);

/** text_fill() - @text in a field of the standard's: padded with blanks, no NUL */
void text_fill(unsigned char *to, size_t size, const char *text);

/** module_rv() - what an application is told: the standard's results alone */
CK_RV module_rv(CK_RV rv);

/* ---- objects ---- */

#define USAGE(fn)	(1U << (fn))
#define USAGE_WRAP	USAGE(8)
#define USAGE_UNWRAP	USAGE(9)
#define USAGE_DERIVE	USAGE(10)
#define USAGE_ENCAPSULATE USAGE(11)
#define USAGE_DECAPSULATE USAGE(12)

/**
 * struct object_info - what is remembered of an object, so that an operation can be begun
 * without a message
 * @known:	the rest is there
 * @token:	it is a token object
 * @private:	it is a private object
 * @usage:	USAGE() of what it may be used for
 * @class:	CKO_*
 * @key_type:	CKK_*, CK_UNAVAILABLE_INFORMATION where there is none
 * @bytes:	RSA: of the modulus; other keys that sign: of a signature; 0: not known
 */
struct object_info {
	bool		known;
	bool		token;
	bool		private;
	uint32_t	usage;
	CK_OBJECT_CLASS	class;
	CK_KEY_TYPE	key_type;
	uint32_t	bytes;
};

struct handle_entry;

/** struct handles - handles and OUIDs of one token's objects (handles.c) */
struct handles {
	pthread_rwlock_t	lock;
	atomic_uint		changes;	/* one more with each change of an entry */
	struct handle_entry	**entries;	/* by index; NULL: free */
	uint32_t		*generations;	/* by index */
	uint32_t		n_entries;
	uint32_t		room;
	uint32_t		*free;		/* indices */
	uint32_t		n_free;
	struct handle_entry	**buckets;
	uint32_t		n_buckets;
	uint32_t		used;
};

/* ---- tokens ---- */

/* What processors write to often is not next to what others read: memory comes in lines. */
#define LINE	64U

/** line_alloc() - zeroed memory that shares no line with other memory; NULL, free() */
void *line_alloc(size_t size);

/**
 * struct mechanisms - what a token can do
 * @older:	what was said of it before, for whoever still looks at that
 * @n:		how many there are
 * @list:	in ascending order
 */
struct mechanisms {
	struct mechanisms		*older;
	size_t				n;
	struct pciehsm_mechanism_info	list[];
};

/**
 * struct token - one partition or group, as long as the module lives
 * @ha:		the engine's
 * @login:	held for the whole of a login or logout
 * @lock:	guards what follows
 * @role:	enum pciehsm_role of who is logged in
 * @epoch:	one more at each logout: handles of private objects end with it
 * @sessions:	open ones
 * @ro_sessions: of them, read-only ones
 * @handles:	of its objects
 * @mechanisms:	what it can do; NULL: not asked yet
 * @initialised: was seen to be so
 */
struct token {
	struct ha_token			*ha;
	pthread_mutex_t			login;
	pthread_mutex_t			lock;
	atomic_uint			role;
	atomic_uint			epoch;
	unsigned long			sessions;
	unsigned long			ro_sessions;
	struct handles			handles;
	_Atomic(struct mechanisms *)	mechanisms;
	atomic_bool			initialised;
};

/**
 * token_find() - the token in a slot
 *
 * Return: CKR_OK; CKR_SLOT_ID_INVALID; CKR_TOKEN_NOT_PRESENT
 */
CK_RV token_find(struct ha *ha, CK_SLOT_ID slot, struct token **token);

/**
 * slot_find() - a slot that applications may see
 *
 * Return: CKR_OK; CKR_SLOT_ID_INVALID; CKR_TOKEN_NOT_PRESENT: it was there, and is not now
 */
CK_RV slot_find(struct ha *ha, CK_SLOT_ID slot, struct ha_slot *found);
/**
 * slot_is_blank() - is there a partition that nobody has initialised yet?
 *
 * The engine works with none of those, so all that is known of it is in @found.
 */
bool slot_is_blank(struct ha *ha, CK_SLOT_ID slot, struct ha_slot *found);
/** slot_learn() - an application has been told of it; CKR_HOST_MEMORY */
CK_RV slot_learn(CK_SLOT_ID slot);
/** slots_known() - all slots that applications were told of; returns how many there are */
size_t slots_known(CK_SLOT_ID *to, size_t room);

/** token_mechanisms() - what the token can do, asked anew; *@list is freed by the caller */
CK_RV token_mechanisms(struct token *token, struct pciehsm_mechanism_info **list, size_t *n);
/** token_mechanism() - can the token do that? All of @flags, CKF_* */
CK_RV token_mechanism(struct token *token, CK_MECHANISM_TYPE type, CK_FLAGS flags,
		      CK_MECHANISM_INFO *info);

/** tokens_free() - forget slots and tokens, at the end */
void tokens_free(void);
/** tokens_forget() - the same in a child, where nothing can be trusted: leave it */
void tokens_forget(void);

/* ---- handles (handles.c) ---- */

/** handles_init() - CKR_HOST_MEMORY */
CK_RV handles_init(struct handles *h);
void handles_free(struct handles *h);

/**
 * handles_add() - handles for objects
 * @session:	NULL, or whose objects these are: the handles end with it
 * @epoch:	of the token, read before the objects were seen
 *
 * An object that has a handle keeps it.
 */
CK_RV handles_add(struct handles *h, const struct ha_ouid *ouids, CK_ULONG n, uint32_t session,
		  unsigned int epoch, CK_OBJECT_HANDLE *handles);
/** handles_get() - false: there is none such; @epoch is the one it was added in */
bool handles_get(struct handles *h, CK_OBJECT_HANDLE handle, struct ha_ouid *ouid,
		 struct object_info *info, unsigned int *epoch);
/** handles_changes() - as long as this stays the same, so does what handles_get() says */
static inline unsigned int handles_changes(const struct handles *h)
{
	return atomic_load(&h->changes);
}

/** handles_remember() - keep what was learnt of an object */
void handles_remember(struct handles *h, CK_OBJECT_HANDLE handle,
		      const struct object_info *info);
void handles_remove(struct handles *h, CK_OBJECT_HANDLE handle);
/** handles_remove_session() - those of a session's objects */
void handles_remove_session(struct handles *h, uint32_t session);

/* ---- sessions (sessions.c) ---- */

struct operation;

#define N_FUNCTIONS	(PCIEHSM_FN_DIGEST + 1)

/**
 * struct session - a PKCS#11 session; of its number the card learns only when it
 * has to keep something
 * @lock:	held during calls
 * @token:	where
 * @slot:	as it was opened
 * @flags:	CKF_RW_SESSION and so on
 * @number:	its handle
 * @kept:	the card may keep something under it
 * @objects:	it has made session objects
 * @found:	of C_FindObjectsInit, in order
 * @finding:	between C_FindObjectsInit and Final
 * @ops:	by enum pciehsm_function; NULL where none was begun ever
 * @random:	NULL, or room for RANDOM_ROOM bytes that the card has given in advance
 * @n_random:	how many of them, the last ones, nobody has got yet
 */
struct session {
	pthread_mutex_t		lock;
	struct token		*token;
	CK_SLOT_ID		slot;
	CK_FLAGS		flags;
	uint32_t		number;
	bool			kept;
	bool			objects;
	bool			finding;
	struct ha_ouid		*found;
	CK_ULONG		n_found;
	CK_ULONG		next_found;
	unsigned int		found_epoch;
	struct operation	*ops[N_FUNCTIONS];
	uint8_t			*random;
	size_t			n_random;
};

#define RANDOM_ROOM	4096U

/**
 * session_enter() - a call on a session begins
 *
 * Return: CKR_OK, and session_leave() follows; CKR_CRYPTOKI_NOT_INITIALIZED;
 * CKR_SESSION_HANDLE_INVALID
 */
CK_RV session_enter(CK_SESSION_HANDLE handle, struct session **session);
/** session_leave() - ends it. Return: @rv as an application is told it */
CK_RV session_leave(struct session *session, CK_RV rv);

static inline bool session_rw(const struct session *session)
{
	return session->flags & CKF_RW_SESSION;
}

/** sessions_close_all() - of a slot, or of all with CK_UNAVAILABLE_INFORMATION */
void sessions_close_all(CK_SLOT_ID slot);
void sessions_free(void);
void sessions_forget(void);

/**
 * session_object() - the object behind a handle
 * @info:	NULL, or out: complete
 *
 * Return: CKR_OK, CKR_OBJECT_HANDLE_INVALID, or a result of the engine
 */
CK_RV session_object(struct session *session, CK_OBJECT_HANDLE handle, struct ha_ouid *ouid,
		     struct object_info *info);

/** session_end_search() - C_FindObjectsFinal, whether there is one or not */
void session_end_search(struct session *session);

/**
 * template_token() - will this template make a token object, and may this session?
 * @token_object: in: what it is without CKA_TOKEN; out
 *
 * Return: CKR_OK, CKR_ARGUMENTS_BAD, CKR_ATTRIBUTE_VALUE_INVALID, CKR_SESSION_READ_ONLY
 */
CK_RV template_token(struct session *session, const CK_ATTRIBUTE *attrs, CK_ULONG n,
		     bool *token_object);

/** session_made() - a handle for an object that this session has just made */
CK_RV session_made(struct session *session, const struct ha_ouid *ouid, bool token_object,
		   CK_OBJECT_HANDLE *handle);

/* ---- mechanisms (mechanism.c) ---- */

/**
 * struct mechanism - a mechanism with all that its parameter points to
 * @m:		the mechanism
 * @heap:	NULL, or what did not fit
 * @salt_key:	where CK_HKDF_PARAMS.hSaltKey points to
 * @small:	the parameter and what it points to
 */
struct mechanism {
	CK_MECHANISM	m;
	void		*heap;
	size_t		heap_len;
	struct ha_ouid	salt_key;
	uint8_t		small[192] __attribute__((aligned(16)));
};

/**
 * mechanism_copy() - check and keep what an application gave
 * @session:	whose object handles a parameter may hold
 *
 * Return: CKR_OK, CKR_ARGUMENTS_BAD, CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID,
 * CKR_HOST_MEMORY. mechanism_wipe() follows on CKR_OK.
 */
CK_RV mechanism_copy(struct mechanism *to, struct session *session, const CK_MECHANISM *from);
void mechanism_wipe(struct mechanism *mech);

/** mechanism_key_fits() - CKR_KEY_TYPE_INCONSISTENT when this kind of key is not for it */
CK_RV mechanism_key_fits(CK_MECHANISM_TYPE type, const struct object_info *key);

/** length_of_signature() - 0: not known */
size_t length_of_signature(const CK_MECHANISM *mech, const struct object_info *key);
size_t length_of_digest(CK_MECHANISM_TYPE type);
/** length_of_cipher() - at most, of encrypting or decrypting @in_len bytes in one part */
size_t length_of_cipher(enum pciehsm_function fn, const CK_MECHANISM *mech,
			const struct object_info *key, size_t in_len);

/* ---- operations (operation.c) ---- */

/**
 * enum operation_kind - how an operation was begun; of one function (signing, ...) a
 * session has one operation at a time, of whatever kind
 * @OPERATION_PLAIN:	C_SignInit and its like
 * @OPERATION_MESSAGES:	C_MessageSignInit and its like: many messages with one key
 * @OPERATION_SIGNATURE: C_VerifySignatureInit
 */
enum operation_kind {
	OPERATION_PLAIN,
	OPERATION_MESSAGES,
	OPERATION_SIGNATURE,
};

/**
 * operation_init() - C_*Init
 * @key:	0 for digests
 */
CK_RV operation_init(struct session *session, enum pciehsm_function fn,
		     enum operation_kind kind, const CK_MECHANISM *mech, CK_OBJECT_HANDLE key);
/**
 * key_for() - a key that may be used so
 * @usage:	USAGE()
 *
 * Return: CKR_OK, CKR_KEY_HANDLE_INVALID, CKR_KEY_TYPE_INCONSISTENT,
 * CKR_KEY_FUNCTION_NOT_PERMITTED, or a result of the engine
 */
CK_RV key_for(struct session *session, CK_OBJECT_HANDLE handle, CK_MECHANISM_TYPE type,
	      uint32_t usage, struct ha_ouid *ouid, struct object_info *info);
/** operation_single() - C_Encrypt and its like; @out and @out_len NULL for verifying */
CK_RV operation_single(struct session *session, enum pciehsm_function fn,
		       enum operation_kind kind,
		       const void *in, CK_ULONG in_len, const void *sig, CK_ULONG sig_len,
		       void *out, CK_ULONG *out_len);
/** operation_update() - @out and @out_len NULL where nothing comes */
CK_RV operation_update(struct session *session, enum pciehsm_function fn,
		       enum operation_kind kind,
		       const void *in, CK_ULONG in_len, void *out, CK_ULONG *out_len);
CK_RV operation_final(struct session *session, enum pciehsm_function fn,
		      enum operation_kind kind,
		      const void *sig, CK_ULONG sig_len, void *out, CK_ULONG *out_len);
CK_RV operation_digest_key(struct session *session, CK_OBJECT_HANDLE key);
/** operation_end() - whatever state it is in; cancels what the card keeps */
void operation_end(struct session *session, enum pciehsm_function fn);
/** operation_cancel() - the same for one of messages, or for one of another kind */
void operation_cancel(struct session *session, enum pciehsm_function fn, bool messages);
/** operation_is_plain() - is one going on that C_*Init began? */
bool operation_is_plain(struct session *session, enum pciehsm_function fn);
/** operations_free() - of a session that ends */
void operations_free(struct session *session);

/* ---- what PKCS#11 3.0 and 3.2 add (message.c, keys.c, list.c) ---- */

CK_RV encapsulate_key(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE public,
		      CK_ATTRIBUTE *attrs, CK_ULONG n, CK_BYTE *text, CK_ULONG *text_len,
		      CK_OBJECT_HANDLE *key);
CK_RV decapsulate_key(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE private,
		      CK_ATTRIBUTE *attrs, CK_ULONG n, CK_BYTE *text, CK_ULONG text_len,
		      CK_OBJECT_HANDLE *key);

CK_RV message_encrypt_init(CK_SESSION_HANDLE handle, CK_MECHANISM *mech, CK_OBJECT_HANDLE key);
CK_RV message_encrypt(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_len,
		      CK_BYTE *aad, CK_ULONG aad_len, CK_BYTE *in, CK_ULONG in_len, CK_BYTE *out,
		      CK_ULONG *out_len);
CK_RV message_encrypt_begin(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_len,
			    CK_BYTE *aad, CK_ULONG aad_len);
CK_RV message_encrypt_next(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_len,
			   CK_BYTE *in, CK_ULONG in_len, CK_BYTE *out, CK_ULONG *out_len,
			   CK_FLAGS flags);
CK_RV message_encrypt_final(CK_SESSION_HANDLE handle);
CK_RV message_decrypt_init(CK_SESSION_HANDLE handle, CK_MECHANISM *mech, CK_OBJECT_HANDLE key);
CK_RV message_decrypt(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_len,
		      CK_BYTE *aad, CK_ULONG aad_len, CK_BYTE *in, CK_ULONG in_len, CK_BYTE *out,
		      CK_ULONG *out_len);
CK_RV message_decrypt_begin(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_len,
			    CK_BYTE *aad, CK_ULONG aad_len);
CK_RV message_decrypt_next(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_len,
			   CK_BYTE *in, CK_ULONG in_len, CK_BYTE *out, CK_ULONG *out_len,
			   CK_FLAGS flags);
CK_RV message_decrypt_final(CK_SESSION_HANDLE handle);
CK_RV message_sign_init(CK_SESSION_HANDLE handle, CK_MECHANISM *mech, CK_OBJECT_HANDLE key);
CK_RV message_sign(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_len,
		   CK_BYTE *in, CK_ULONG in_len, CK_BYTE *sig, CK_ULONG *sig_len);
CK_RV message_sign_begin(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_len);
CK_RV message_sign_next(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_len,
			CK_BYTE *in, CK_ULONG in_len, CK_BYTE *sig, CK_ULONG *sig_len);
CK_RV message_sign_final(CK_SESSION_HANDLE handle);
CK_RV message_verify_init(CK_SESSION_HANDLE handle, CK_MECHANISM *mech, CK_OBJECT_HANDLE key);
CK_RV message_verify(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_len,
		     CK_BYTE *in, CK_ULONG in_len, CK_BYTE *sig, CK_ULONG sig_len);
CK_RV message_verify_begin(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_len);
CK_RV message_verify_next(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_len,
			  CK_BYTE *in, CK_ULONG in_len, CK_BYTE *sig, CK_ULONG sig_len);
CK_RV message_verify_final(CK_SESSION_HANDLE handle);

CK_RV verify_signature_init(CK_SESSION_HANDLE handle, CK_MECHANISM *mech, CK_OBJECT_HANDLE key,
			    CK_BYTE *sig, CK_ULONG sig_len);
CK_RV verify_signature(CK_SESSION_HANDLE handle, CK_BYTE *in, CK_ULONG in_len);
CK_RV verify_signature_update(CK_SESSION_HANDLE handle, CK_BYTE *in, CK_ULONG in_len);
CK_RV verify_signature_final(CK_SESSION_HANDLE handle);

#endif /* PCIEHSM_PKCS11_MODULE_H */
