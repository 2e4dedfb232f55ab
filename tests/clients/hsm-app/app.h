/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hsm-app: an application that signs without pause, and notices every call that fails.
 *
 * It knows PKCS#11 and nothing else: it loads a module, takes the slot whose token has the
 * label it was told, and works. What it signs is checked with OpenSSL, outside the HSM.
 */
#ifndef HSM_APP_H
#define HSM_APP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>
#include <p11-kit/pkcs11.h>

#define LABEL_MAX	64

enum kind {
	KIND_RSA,		/* RSA-2048, PKCS#1 v1.5 with SHA-256 */
	KIND_EC,		/* P-256, ECDSA with SHA-256 */
	N_KINDS,
};

extern const char *const kind_names[N_KINDS];

/**
 * struct count - what happened, added up over all threads
 * @calls:	of PKCS#11 functions
 * @failed:	of them; and signatures that were wrong
 * @longest_us:	the longest call
 * @longest_sign_us: the longest C_Sign
 * @signatures:	that were verified
 * @created:	keys
 * @deleted:	keys
 */
struct count {
	atomic_ullong	calls;
	atomic_ullong	failed;
	atomic_ullong	longest_us;
	atomic_ullong	longest_sign_us;
	atomic_ullong	signatures[N_KINDS];
	atomic_ullong	created;
	atomic_ullong	deleted;
};

/** struct app - the application; what the command line says comes first */
struct app {
	const char		*module;
	const char		*token;
	const char		*prefix;	/* of the labels of its keys */
	unsigned int		threads;
	double			duration;	/* seconds; 0: until SIGTERM */
	double			churn;		/* seconds between new keys; 0: none */
	double			slow;		/* ms, to report calls that take longer; 0: do not */
	CK_FUNCTION_LIST	*p11;
	CK_SLOT_ID		slot;
	struct count		count;
	uint64_t		begun_us;
	atomic_bool		stop;
};

/** struct key - a key pair; the public half is here as well */
struct key {
	enum kind		kind;
	char			label[LABEL_MAX];
	CK_OBJECT_HANDLE	priv;
	CK_OBJECT_HANDLE	pub;
	EVP_PKEY		*openssl;
};

/* ---- calls (calls.c) ---- */

uint64_t now_us(void);

/** elapsed() - seconds since the application began */
double elapsed(const struct app *app);

/** call_ended() - take note of a call; one that failed is reported at once */
CK_RV call_ended(struct app *app, const char *function, uint64_t begun, CK_RV rv);

/** CALL() - call a PKCS#11 function, and take note of it */
#define CALL(app, function, ...) ({ \
	uint64_t begun_ = now_us(); \
	CK_RV rv_ = (app)->p11->function(__VA_ARGS__); \
	call_ended((app), #function, begun_, rv_); \
})

/** failure() - report something that is wrong though every call succeeded */
void failure(struct app *app, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** rv_name() - "CKR_DEVICE_ERROR" and the like, or the number */
const char *rv_name(CK_RV rv, char room[32]);

/* ---- the token (token.c) ---- */

/** token_open() - load the module and find the slot; says what is wrong and gives false */
bool token_open(struct app *app);
/** token_login() - open a session and log in; the login holds for all later sessions */
bool token_login(struct app *app, const char *pin, size_t pin_len, CK_SESSION_HANDLE *session);
void token_close(struct app *app);

/* ---- keys (keys.c) ---- */

/** key_create() - a new pair of token keys; false: it was reported */
bool key_create(struct app *app, CK_SESSION_HANDLE session, enum kind kind, const char *label,
		struct key *key);
/** key_find() - the pair with a label; 1 found, 0 there is none, -1 it was reported */
int key_find(struct app *app, CK_SESSION_HANDLE session, const char *label, struct key *key);
/** key_destroy() - delete it from the token, and forget it */
bool key_destroy(struct app *app, CK_SESSION_HANDLE session, struct key *key);
/** key_forget() - free what is here */
void key_forget(struct key *key);
/** keys_list() - private keys of this application; -1: it was reported; freed by the caller */
int keys_list(struct app *app, CK_SESSION_HANDLE session, struct key **list);

/* ---- signing (sign.c) ---- */

/** sign_and_verify() - one signature of random data; false: it was reported */
bool sign_and_verify(struct app *app, CK_SESSION_HANDLE session, const struct key *key);

/* ---- work (work.c) ---- */

/** work() - sign until the end; returns when all threads have */
void work(struct app *app, CK_SESSION_HANDLE session);
/** verify_all() - try every key of this application once; their number, -1: something failed */
int verify_all(struct app *app, CK_SESSION_HANDLE session);

#endif /* HSM_APP_H */
