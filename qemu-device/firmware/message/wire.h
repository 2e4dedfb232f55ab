/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Little-endian numbers in byte streams that are not aligned.
 */
#ifndef FIRMWARE_MESSAGE_WIRE_H
#define FIRMWARE_MESSAGE_WIRE_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t wire_get16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

static inline uint32_t wire_get32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static inline uint64_t wire_get64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static inline void wire_put16(void *p, uint16_t v)
{
	v = htole16(v);
	memcpy(p, &v, sizeof(v));
}

static inline void wire_put32(void *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof(v));
}

static inline void wire_put64(void *p, uint64_t v)
{
	v = htole64(v);
	memcpy(p, &v, sizeof(v));
}

/* Fields, attributes and clone records are padded to a multiple of 8 bytes. */
static inline size_t wire_pad(size_t len)
{
	return (len + 7) & ~(size_t)7;
}

#endif /* FIRMWARE_MESSAGE_WIRE_H */
