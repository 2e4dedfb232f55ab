// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Answers, written straight into the caller's room.
 */
#include "message/message.h"
#include "message/wire.h"

void answer_init(struct answer *a, void *buf, size_t size)
{
	a->buf = buf;
	a->size = size < PCIEHSM_MSG_MAX ? size : PCIEHSM_MSG_MAX;
	a->len = sizeof(struct pciehsm_msg);
	a->need = 0;
	a->keep = false;
}

CK_RV answer_room(struct answer *a, unsigned int fields, size_t bytes)
{
	size_t need = a->len + fields * sizeof(struct pciehsm_field) + bytes;

	if (need <= a->size)
		return CKR_OK;
	a->need = need;
	return CKR_BUFFER_TOO_SMALL;
}

uint8_t *answer_open(struct answer *a, uint16_t id, size_t max)
{
	uint8_t *p;

	/* Once something did not fit, the rest is only counted. */
	if (a->need) {
		a->need += sizeof(struct pciehsm_field) + wire_pad(max);
		return NULL;
	}
	if (answer_room(a, 1, wire_pad(max)) != CKR_OK)
		return NULL;
	p = a->buf + a->len;
	wire_put16(p, id);
	wire_put16(p + 2, 0);
	return p + sizeof(struct pciehsm_field);
}

void answer_close(struct answer *a, size_t len)
{
	uint8_t *p = a->buf + a->len;
	size_t padded = wire_pad(len);

	wire_put32(p + 4, (uint32_t)len);
	p += sizeof(struct pciehsm_field);
	memset(p + len, 0, padded - len);
	a->len += sizeof(struct pciehsm_field) + padded;
}

void answer_put(struct answer *a, uint16_t id, const void *data, size_t len)
{
	uint8_t *p = answer_open(a, id, len);

	if (!p)
		return;
	if (len)
		memcpy(p, data, len);
	answer_close(a, len);
}

void answer_u32(struct answer *a, uint16_t id, uint32_t value)
{
	uint8_t raw[4];

	wire_put32(raw, value);
	answer_put(a, id, raw, sizeof(raw));
}

void answer_u64(struct answer *a, uint16_t id, uint64_t value)
{
	uint8_t raw[8];

	wire_put64(raw, value);
	answer_put(a, id, raw, sizeof(raw));
}

void answer_text(struct answer *a, uint16_t id, const char *text)
{
	answer_put(a, id, text, strlen(text));
}

size_t answer_left(const struct answer *a)
{
	size_t left = a->size - a->len;

	if (a->need || left < sizeof(struct pciehsm_field))
		return 0;
	return (left - sizeof(struct pciehsm_field)) & ~(size_t)7;
}

size_t answer_finish(struct answer *a, uint32_t op, uint32_t session, CK_RV rv)
{
	size_t need = a->need;

	if (need && (rv == CKR_OK || a->keep))
		rv = CKR_BUFFER_TOO_SMALL;
	if (rv == CKR_BUFFER_TOO_SMALL || (rv != CKR_OK && !a->keep))
		a->len = sizeof(struct pciehsm_msg);
	if (rv == CKR_BUFFER_TOO_SMALL) {
		a->need = 0;
		answer_u32(a, PCIEHSM_F_NEED, need < UINT32_MAX ? (uint32_t)need : UINT32_MAX);
	}
	wire_put32(a->buf + offsetof(struct pciehsm_msg, length), (uint32_t)a->len);
	wire_put32(a->buf + offsetof(struct pciehsm_msg, op), op);
	wire_put32(a->buf + offsetof(struct pciehsm_msg, session), session);
	wire_put32(a->buf + offsetof(struct pciehsm_msg, rv), (uint32_t)rv);
	return a->len;
}
