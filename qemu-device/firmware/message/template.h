/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Templates in the form of <pciehsm/fw.h>: reading and building.
 */
#ifndef FIRMWARE_MESSAGE_TEMPLATE_H
#define FIRMWARE_MESSAGE_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/attrs.h"

/**
 * struct attr - one attribute
 * @type:	CKA_*
 * @len:	bytes at @value
 * @value:	in the template's own memory
 */
struct attr {
	uint32_t	type;
	uint32_t	len;
	const uint8_t	*value;
};

/** struct template_iter - walk over a template; begin with TEMPLATE_ITER */
struct template_iter {
	const uint8_t	*p;
	const uint8_t	*end;
};

#define TEMPLATE_ITER(data, len) { (data), (data) + (len) }

/** template_valid() - lengths within bounds, padding zero */
bool template_valid(const uint8_t *data, size_t len);

/** template_next() - the next attribute of a valid template; false at the end */
bool template_next(struct template_iter *it, struct attr *attr);

/** template_find() - the first attribute of a type in a valid template */
bool template_find(const uint8_t *data, size_t len, uint32_t type, struct attr *attr);

/** attr_bool() - value of a CK_BBOOL of valid length */
static inline bool attr_bool(const struct attr *a)
{
	return a->value[0] != 0;
}

/** attr_ulong() - value of a CK_ULONG of valid length */
uint64_t attr_ulong(const struct attr *a);

/**
 * template_to_attrs() - a valid template as a set
 * @data:	the template
 * @len:	its bytes
 * @attrs:	out: replaced; to be wiped by the caller whatever the result
 *
 * Return: CKR_OK, CKR_TEMPLATE_INCONSISTENT (a type comes twice), CKR_HOST_MEMORY.
 */
CK_RV template_to_attrs(const uint8_t *data, size_t len, struct fw_attrs *attrs);

/** attrs_encoded_len() - bytes of the set as a template */
size_t attrs_encoded_len(const struct fw_attrs *attrs);

/** attrs_encode() - write the set as a template to attrs_encoded_len() bytes at @out */
void attrs_encode(const struct fw_attrs *attrs, uint8_t *out);

#endif /* FIRMWARE_MESSAGE_TEMPLATE_H */
