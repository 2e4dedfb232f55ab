/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One version of one object. It never changes: who changes an object makes a new
 * struct object and puts it in the place of the old one. So an engine needs a
 * lock only to take a reference, and works on what it has got.
 */
#ifndef FIRMWARE_OBJECTS_OBJECT_H
#define FIRMWARE_OBJECTS_OBJECT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pciehsm/fw.h>

#include "crypto/attrs.h"
#include "crypto/key.h"

struct version {
	uint64_t	counter;
	uint64_t	writer;
};

/** version_newer() - does @a win over @b? */
static inline bool version_newer(const struct version *a, const struct version *b)
{
	return a->counter > b->counter ||
	       (a->counter == b->counter && a->writer > b->writer);
}

/* What is asked for often, from the attributes */
#define OBJ_TOKEN		(1U << 0)
#define OBJ_PRIVATE		(1U << 1)
#define OBJ_MODIFIABLE		(1U << 2)
#define OBJ_COPYABLE		(1U << 3)
#define OBJ_DESTROYABLE		(1U << 4)
#define OBJ_SENSITIVE		(1U << 5)
#define OBJ_EXTRACTABLE		(1U << 6)
#define OBJ_LOCAL		(1U << 7)
#define OBJ_ENCRYPT		(1U << 8)
#define OBJ_DECRYPT		(1U << 9)
#define OBJ_SIGN		(1U << 10)
#define OBJ_SIGN_RECOVER	(1U << 11)
#define OBJ_VERIFY		(1U << 12)
#define OBJ_VERIFY_RECOVER	(1U << 13)
#define OBJ_WRAP		(1U << 14)
#define OBJ_UNWRAP		(1U << 15)
#define OBJ_DERIVE		(1U << 16)
#define OBJ_WRAP_WITH_TRUSTED	(1U << 17)
#define OBJ_TRUSTED		(1U << 18)
/* It has CKA_ALLOWED_MECHANISMS, or a template for what is wrapped, unwrapped, derived */
#define OBJ_RESTRICTED		(1U << 19)
#define OBJ_ENCAPSULATE		(1U << 20)
#define OBJ_DECAPSULATE		(1U << 21)

/**
 * struct object - one version of an object
 * @refs:	references; object_get(), object_put()
 * @ouid:	its name
 * @version:	this version
 * @class:	CKO_*
 * @flags:	OBJ_*
 * @session:	session object: number of its session
 * @no:		its place in the partition's order of creation
 * @size:	bytes of quota
 * @attrs:	all attributes
 * @key:	what works with them, made when it is first needed
 */
struct object {
	atomic_uint		refs;
	uint8_t			ouid[PCIEHSM_OUID_LEN];
	struct version		version;
	uint32_t		class;
	uint32_t		flags;
	uint32_t		session;
	uint64_t		no;
	uint64_t		size;
	struct fw_attrs		attrs;
	_Atomic(struct fw_key *) key;
};

/**
 * object_new() - make an object of a finished set of attributes
 * @ouid:	its name
 * @version:	its version
 * @attrs:	taken over and left empty, whatever the result
 *
 * Return: the object with one reference, or NULL without memory.
 */
struct object *object_new(const uint8_t ouid[PCIEHSM_OUID_LEN], const struct version *version,
			  struct fw_attrs *attrs);

/** object_get() - another reference; returns @o */
struct object *object_get(struct object *o);

/** object_put() - give a reference back; the last one wipes the object. May be NULL. */
void object_put(struct object *o);

/**
 * object_key() - what works with this object's attributes
 * @o:		referenced by the caller
 * @key:	out: lives as long as @o
 *
 * Return: as fw_key_from_attrs().
 */
CK_RV object_key(struct object *o, struct fw_key **key);

/** object_is_key() - a public, private or secret key? */
bool object_is_key(const struct object *o);

/** object_unreadable() - may this attribute never leave the card in the clear? */
bool object_unreadable(const struct object *o, uint32_t type);

#endif /* FIRMWARE_OBJECTS_OBJECT_H */
