/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A set of PKCS#11 attributes, as fw.h encodes their values: CK_BBOOL 1 byte;
 * CK_ULONG 8 bytes, little-endian; big integers big-endian without leading zeroes.
 *
 * The set is kept in ascending order of type, each type once, so that two sets
 * with the same contents are the same bytes wherever they are walked.
 * Values of up to 8 bytes live in the entry and cost no memory of their own.
 * Everything that is removed or replaced is wiped: any value may be a secret.
 *
 * A set is not locked: several readers or one writer.
 */
#ifndef PCIEHSM_CRYPTO_ATTRS_H
#define PCIEHSM_CRYPTO_ATTRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/p11.h"

/** struct fw_bytes - bytes that belong to somebody else */
struct fw_bytes {
	const uint8_t	*p;
	size_t		len;
};

#define FW_ATTR_INLINE	8

/**
 * struct fw_attr - one attribute
 * @type:	CKA_*
 * @len:	bytes of the value
 * @small:	the value if @len is at most FW_ATTR_INLINE
 * @big:	the value otherwise, owned by the set
 */
struct fw_attr {
	uint32_t	type;
	uint32_t	len;
	union {
		uint8_t	small[FW_ATTR_INLINE];
		uint8_t	*big;
	};
};

/**
 * struct fw_attrs - a set of attributes
 * @list:	@count entries, ascending by type
 * @count:	entries in use
 * @room:	entries there is memory for
 *
 * All zero is a valid empty set.
 */
struct fw_attrs {
	struct fw_attr	*list;
	unsigned int	count;
	unsigned int	room;
};

/** fw_attr_value() - the value's bytes; valid until the set is changed */
static inline const uint8_t *fw_attr_value(const struct fw_attr *attr)
{
	return attr->len <= FW_ATTR_INLINE ? attr->small : attr->big;
}

/** fw_attrs_wipe() - wipe and free everything; leaves a valid empty set */
void fw_attrs_wipe(struct fw_attrs *attrs);

/** fw_attrs_find() - the attribute of @type, or NULL; valid until the set is changed */
const struct fw_attr *fw_attrs_find(const struct fw_attrs *attrs, CK_ULONG type);

/** fw_attrs_has() - is there an attribute of @type? */
static inline bool fw_attrs_has(const struct fw_attrs *attrs, CK_ULONG type)
{
	return fw_attrs_find(attrs, type) != NULL;
}

/**
 * fw_attrs_put() - set an attribute, whatever it was before
 * @attrs:	the set
 * @type:	CKA_*
 * @value:	is copied; may be NULL if @len is 0
 * @len:	of @value
 *
 * Return: CKR_OK, or CKR_HOST_MEMORY with the set as it was.
 */
CK_RV fw_attrs_put(struct fw_attrs *attrs, CK_ULONG type, const void *value, size_t len);

/** fw_attrs_put_bool() - as fw_attrs_put(), of a CK_BBOOL */
CK_RV fw_attrs_put_bool(struct fw_attrs *attrs, CK_ULONG type, bool value);

/** fw_attrs_put_ulong() - as fw_attrs_put(), of a CK_ULONG */
CK_RV fw_attrs_put_ulong(struct fw_attrs *attrs, CK_ULONG type, uint64_t value);

/** fw_attrs_remove() - wipe and remove an attribute, if it is there */
void fw_attrs_remove(struct fw_attrs *attrs, CK_ULONG type);

/**
 * fw_attrs_get() - an attribute's bytes
 * @attrs:	the set
 * @type:	CKA_*
 * @value:	out: the bytes, valid until the set is changed; {NULL, 0} if not there
 *
 * Return: true if it is there.
 */
bool fw_attrs_get(const struct fw_attrs *attrs, CK_ULONG type, struct fw_bytes *value);

/** fw_attrs_get_bool() - a CK_BBOOL, or @def if it is not there or not of 1 byte */
bool fw_attrs_get_bool(const struct fw_attrs *attrs, CK_ULONG type, bool def);

/**
 * fw_attrs_get_ulong() - a CK_ULONG
 * @attrs:	the set
 * @type:	CKA_*
 * @value:	out: the number; untouched if not there
 *
 * Return: true if it is there and of 8 bytes.
 */
bool fw_attrs_get_ulong(const struct fw_attrs *attrs, CK_ULONG type, uint64_t *value);

/**
 * fw_attrs_copy() - make @dst a copy of @src
 * @dst:	what was in it is wiped
 * @src:	the original
 *
 * Return: CKR_OK, or CKR_HOST_MEMORY with @dst empty.
 */
CK_RV fw_attrs_copy(struct fw_attrs *dst, const struct fw_attrs *src);

/** fw_attrs_equal() - have both the same attributes with the same values? */
bool fw_attrs_equal(const struct fw_attrs *a, const struct fw_attrs *b);

#endif /* PCIEHSM_CRYPTO_ATTRS_H */
