/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the crypto layer share. Order of the first headers is cmocka's wish. */
#ifndef TESTS_CRYPTO_UTIL_H
#define TESTS_CRYPTO_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/attrs.h"
#include "crypto/key.h"
#include "crypto/mech.h"
#include "crypto/secret.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define BYTES(ptr, length)	((struct fw_bytes){ (const uint8_t *)(ptr), (length) })
#define TEXT(s)		BYTES(s, sizeof(s) - 1)
#define NONE		((struct fw_bytes){ NULL, 0 })

/* Bits of struct fw_mech_params */
#define HAVE(name)	FW_HAVE(PCIEHSM_F_P_##name)

#define assert_ok(rv)		assert_rv(rv, CKR_OK)
#define assert_rv(rv, want)	\
	_assert_rv((rv), (want), #rv, __FILE__, __LINE__)

void _assert_rv(CK_RV rv, CK_RV want, const char *what, const char *file, int line);

/* Bytes of hexadecimal digits, blanks allowed; freed when the test program ends */
struct fw_bytes hex(const char *digits);

/* Fails the test unless @bytes are what @digits say. */
#define assert_hex(bytes, digits)	_assert_hex(bytes, digits, __FILE__, __LINE__)
void _assert_hex(struct fw_bytes bytes, const char *digits, const char *file, int line);

/* Fails the test unless both are the same bytes. */
#define assert_bytes(a, b)	_assert_bytes(a, b, __FILE__, __LINE__)
void _assert_bytes(struct fw_bytes a, struct fw_bytes b, const char *file, int line);

/* A pseudorandom pattern of @len bytes, freed as hex() */
struct fw_bytes pattern(size_t len);

void put_hex(struct fw_attrs *attrs, CK_ULONG type, const char *digits);
struct fw_bytes get(const struct fw_attrs *attrs, CK_ULONG type);
uint64_t get_ulong(const struct fw_attrs *attrs, CK_ULONG type);

/* Class and key type of a template */
void start_key(struct fw_attrs *attrs, CK_ULONG class, CK_ULONG type);
/* From attributes, which are wiped; for the test to give back */
struct fw_key *make_key(struct fw_attrs *attrs);
struct fw_key *secret_key(CK_ULONG type, struct fw_bytes value);
/* Halves of an elliptic curve key. @point without OCTET STRING is taken too. */
struct fw_key *curve_private(CK_ULONG type, const char *params, const char *value);
struct fw_key *curve_public(CK_ULONG type, const char *params, const char *point);

/* The 2048 bit key of Wycheproof's RSA tests, and its parts as attributes */
void rsa_attrs(CK_ULONG class, struct fw_attrs *attrs);
struct fw_key *rsa_key(CK_ULONG class);
#define RSA_LEN	256

#define P256	"06082a8648ce3d030107"
#define P384	"06052b81040022"
#define P521	"06052b81040023"
#define K256	"06052b8104000a"
#define ED25519	"06032b6570"
#define X25519	"06032b656e"

/*
 * One operation, in one part and then in parts of several sizes, which must all agree.
 * @out: room for @bound bytes more than the result; returns the result code of the one part.
 */
CK_RV run(enum pciehsm_function fn, CK_ULONG mech, const struct fw_mech_params *p,
	  struct fw_key *key, struct fw_bytes in, struct fw_bytes *result);
/* The same for verification */
CK_RV verify(CK_ULONG mech, const struct fw_mech_params *p, struct fw_key *key,
	     struct fw_bytes in, struct fw_bytes sig);
/* One part only: for mechanisms whose result is another each time */
CK_RV once(enum pciehsm_function fn, CK_ULONG mech, const struct fw_mech_params *p,
	   struct fw_key *key, struct fw_bytes in, struct fw_bytes *result);
/* In several parts of @step bytes */
CK_RV parts(enum pciehsm_function fn, CK_ULONG mech, const struct fw_mech_params *p,
	    struct fw_key *key, struct fw_bytes in, const struct fw_bytes *sig, size_t step,
	    struct fw_bytes *result);

/* A changed copy: bit @bit of byte @at flipped */
struct fw_bytes flipped(struct fw_bytes in, size_t at, unsigned int bit);

#endif /* TESTS_CRYPTO_UTIL_H */
