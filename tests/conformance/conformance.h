/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A conformance test for any PKCS#11 module. An assertion has a name, is checked against
 * what the standard allows, and either holds, or is a difference that has been explained,
 * or is a failure.
 */
#ifndef PCIEHSM_CONFORMANCE_H
#define PCIEHSM_CONFORMANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pkcs11-3.h"

/* given: the list as the module has it; p11: the same through what notes the answers */
extern CK_FUNCTION_LIST *p11, *given;
/* NULL where a module has no such interface */
extern CK_FUNCTION_LIST_3_0 *p11_3_0;
extern CK_FUNCTION_LIST_3_2 *p11_3_2;
extern CK_SLOT_ID slot;
extern const char *user_pin, *so_pin;

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/** result() - an assertion: @rv is one of @n @allowed */
bool result(CK_RV rv, const CK_RV *allowed, size_t n, const char *name, ...)
	__attribute__((format(printf, 4, 5)));
/** holds() - an assertion of another kind */
bool holds(bool good, const char *name, ...) __attribute__((format(printf, 2, 3)));

/**
 * harmful() - would the module crash? That is what an explanation of this name says, and then
 * the assertion is not tried
 */
bool harmful(const char *name, ...) __attribute__((format(printf, 1, 2)));

/* IS(rv, "name", CKR_...): one of these. The name tells assertions apart. */
#define ALLOW(...) (const CK_RV[]){ __VA_ARGS__ }, COUNT(((const CK_RV[]){ __VA_ARGS__ }))
#define IS(rv, name, ...) result((rv), ALLOW(__VA_ARGS__), "%s", (name))
#define OK(rv, name) IS(rv, name, CKR_OK)

/** need() - what the rest of the test stands on; ends it */
void need(CK_RV rv, const char *what);

/* Keys that tests work with, session objects of one session */
enum key {
	KEY_RSA_PUBLIC,
	KEY_RSA_PRIVATE,
	KEY_EC_PUBLIC,
	KEY_EC_PRIVATE,
	KEY_AES,
	KEY_GENERIC,
	KEY_DATA,		/* no key at all */
	N_KEYS
};

extern const char *const key_names[N_KEYS];

CK_SESSION_HANDLE open_session(bool rw);
/** log_in() - a read-write session with the user logged in */
CK_SESSION_HANDLE log_in(void);
void log_out(CK_SESSION_HANDLE s);
void make_keys(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE *keys);

/** struct mechanism_name - one that the standard has */
struct mechanism_name {
	CK_MECHANISM_TYPE	type;
	const char		*name;
};

extern const struct mechanism_name mechanism_names[];
extern const size_t n_mechanism_names;
const char *mechanism_name(CK_MECHANISM_TYPE type);

/** parameter_for() - a good parameter for a mechanism, valid until the next call */
CK_MECHANISM parameter_for(CK_MECHANISM_TYPE type);
bool supports(CK_MECHANISM_TYPE type, CK_FLAGS flags);

/** codes_watch() - from here on the answers of all functions are noted */
void codes_watch(void);
/** codes_check() - assertions on what they were, against a file of what they may be */
void codes_check(const char *path);

/* The chapters, one after the other, between C_Initialize and C_Finalize but for the first */
void chapter_general(void);
void chapter_handles(void);
void chapter_arguments(void);
void chapter_sessions(void);
void chapter_objects(void);
void chapter_attributes(void);
void chapter_mechanisms(void);
void chapter_operations(void);
void chapter_keys(void);
void chapter_messages(void);
void chapter_functions(void);

#define ATTR(type, value) { (type), &(value), sizeof(value) }

extern CK_BBOOL yes, no;

#endif /* PCIEHSM_CONFORMANCE_H */
