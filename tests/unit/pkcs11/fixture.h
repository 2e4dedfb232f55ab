/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all tests of the PKCS#11 module begin with: two cards, two partitions, a group. */
#ifndef PCIEHSM_TESTS_PKCS11_FIXTURE_H
#define PCIEHSM_TESTS_PKCS11_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cards.h"
#include "pkcs11-3.h"

#define SLOT_A		0UL

extern struct loopback *lb;
extern CK_FUNCTION_LIST *p11;
/* The slot that tests of one token use: a member's or the group's. */
extern CK_SLOT_ID slot;

/** fixture_run() - run tests on a member's slot, or on the group's, or on both in turn */
int fixture_run(const struct CMUnitTest *tests, size_t n, bool member, bool group);
#define FIXTURE_RUN(tests, member, group) \
	fixture_run(tests, sizeof(tests) / sizeof((tests)[0]), member, group)

/* Setup and teardown of a test: a module that is initialised, with nobody logged in. */
int with_module(void **state);
int without_module(void **state);

/** rv_is() - fail unless a call gave that */
void rv_is_at(CK_RV rv, CK_RV wanted, const char *what, const char *file, int line);
#define IS(wanted, call) rv_is_at((call), (wanted), #call, __FILE__, __LINE__)
#define OK(call) IS(CKR_OK, call)

/** session() - a new read-write session; login() - one with the Crypto Officer logged in */
CK_SESSION_HANDLE session(void);
CK_SESSION_HANDLE login(void);

#define ATTR(type, value) { (type), &(value), sizeof(value) }

extern CK_BBOOL yes, no;

/** rsa_pair(), ec_pair() - a key pair with a label; token objects when @token */
void rsa_pair(CK_SESSION_HANDLE s, const char *label, bool token, CK_OBJECT_HANDLE *pub,
	      CK_OBJECT_HANDLE *priv);
void ec_pair(CK_SESSION_HANDLE s, const char *label, bool token, CK_OBJECT_HANDLE *pub,
	     CK_OBJECT_HANDLE *priv);
/** aes_key() - of @len bytes, a session object */
CK_OBJECT_HANDLE aes_key(CK_SESSION_HANDLE s, CK_ULONG len);
/** aes_key_of() - the same with a known value */
CK_OBJECT_HANDLE aes_key_of(CK_SESSION_HANDLE s, const void *value, CK_ULONG len);
/** mac_key_of() - a generic secret with a known value */
CK_OBJECT_HANDLE mac_key_of(CK_SESSION_HANDLE s, const void *value, CK_ULONG len);

/** openssl_key() - a public key of the token, as OpenSSL has it; to be freed (EVP_PKEY *) */
struct evp_pkey_st *openssl_key(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE pub);

/** openssl_verifies() - is this a signature of a SHA-256 digest's preimage by that key? */
bool openssl_verifies(struct evp_pkey_st *key, const void *data, size_t len,
		      const void *sig, size_t sig_len);

/** count_objects() - how many there are with that label */
CK_ULONG count_objects(CK_SESSION_HANDLE s, const char *label);

#endif /* PCIEHSM_TESTS_PKCS11_FIXTURE_H */
