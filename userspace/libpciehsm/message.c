// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Writing requests, reading answers. Both may hold PINs, keys or payloads, so
 * whatever memory they used is wiped before it is let go.
 */
#include <stdlib.h>

#include "message.h"

/* How often an answer may ask for still more room before it is not believed. */
#define MAX_TRIES	4

static size_t padded(size_t len)
{
	return (len + 7) & ~(size_t)7;
}

/* ---- requests ---- */

void pmsg_begin(struct pmsg_request *r, const struct pciehsm_transport *t, uint32_t op,
		uint32_t session)
{
	struct pciehsm_msg *head = (struct pciehsm_msg *)r->small;

	r->data = r->small;
	r->size = sizeof(r->small);
	r->max = t->max_msg < PCIEHSM_MSG_MAX ? t->max_msg : PCIEHSM_MSG_MAX;
	r->len = sizeof(*head);
	r->rv = CKR_OK;
	memset(head, 0, sizeof(*head));
	head->op = htole32(op);
	head->session = htole32(session);
}

static bool grow(struct pmsg_request *r, size_t need)
{
	size_t size = r->size * 2;
	uint8_t *data;

	while (size < need)
		size *= 2;
	if (size > r->max)
		size = r->max;
	data = malloc(size);
	if (!data) {
		pmsg_fail(r, CKR_HOST_MEMORY);
		return false;
	}
	memcpy(data, r->data, r->len);
	explicit_bzero(r->data, r->len);
	if (r->data != r->small)
		free(r->data);
	r->data = data;
	r->size = size;
	return true;
}

uint8_t *pmsg_raw(struct pmsg_request *r, size_t len)
{
	uint8_t *p;

	if (r->rv != CKR_OK)
		return NULL;
	if (len > r->max || r->len > r->max - len) {
		pmsg_fail(r, CKR_DATA_LEN_RANGE);
		return NULL;
	}
	if (r->len + len > r->size && !grow(r, r->len + len))
		return NULL;
	p = r->data + r->len;
	r->len += len;
	return p;
}

void pmsg_pad(struct pmsg_request *r)
{
	size_t pad = padded(r->len) - r->len;
	uint8_t *p = pmsg_raw(r, pad);

	if (p)
		memset(p, 0, pad);
}

static uint8_t *field(struct pmsg_request *r, uint16_t id, size_t len)
{
	struct pciehsm_field head = { .id = htole16(id), .len = htole32((uint32_t)len) };
	uint8_t *p;

	if (len > r->max) {
		pmsg_fail(r, CKR_DATA_LEN_RANGE);
		return NULL;
	}
	p = pmsg_raw(r, sizeof(head) + padded(len));
	if (!p)
		return NULL;
	memcpy(p, &head, sizeof(head));
	p += sizeof(head);
	memset(p + len, 0, padded(len) - len);
	return p;
}

void pmsg_u32(struct pmsg_request *r, uint16_t id, uint32_t value)
{
	uint8_t *p = field(r, id, sizeof(value));

	value = htole32(value);
	if (p)
		memcpy(p, &value, sizeof(value));
}

void pmsg_u64(struct pmsg_request *r, uint16_t id, uint64_t value)
{
	uint8_t *p = field(r, id, sizeof(value));

	value = htole64(value);
	if (p)
		memcpy(p, &value, sizeof(value));
}

void pmsg_bytes(struct pmsg_request *r, uint16_t id, const void *p, size_t len)
{
	uint8_t *to = field(r, id, len);

	if (to && len)
		memcpy(to, p, len);
}

size_t pmsg_open(struct pmsg_request *r, bool attr, uint32_t id)
{
	uint8_t *p = pmsg_raw(r, sizeof(struct pciehsm_field));

	_Static_assert(sizeof(struct pciehsm_field) == sizeof(struct pciehsm_attr) &&
		       offsetof(struct pciehsm_field, len) == offsetof(struct pciehsm_attr, len),
		       "pmsg_close() patches either");
	if (!p)
		return 0;
	if (attr) {
		struct pciehsm_attr head = { .type = htole32(id) };

		memcpy(p, &head, sizeof(head));
	} else {
		struct pciehsm_field head = { .id = htole16((uint16_t)id) };

		memcpy(p, &head, sizeof(head));
	}
	return r->len;
}

void pmsg_close(struct pmsg_request *r, size_t opened)
{
	uint32_t len;

	if (r->rv != CKR_OK)
		return;
	len = htole32((uint32_t)(r->len - opened));
	memcpy(r->data + opened - sizeof(len), &len, sizeof(len));
	pmsg_pad(r);
}

/* ---- the exchange ---- */

static bool room_for(struct pmsg_answer *a, size_t room)
{
	a->len = 0;
	if (room <= sizeof(a->small)) {
		a->data = a->small;
		a->size = room ? room : sizeof(a->small);
		return true;
	}
	a->data = malloc(room);
	a->size = room;
	return a->data;
}

static void end_answer(struct pmsg_answer *a)
{
	if (!a->data)
		return;
	explicit_bzero(a->data, a->len);
	if (a->data != a->small)
		free(a->data);
	a->data = NULL;
}

void pmsg_end(struct pmsg_request *r, struct pmsg_answer *a)
{
	explicit_bzero(r->data, r->len);
	if (r->data != r->small)
		free(r->data);
	if (a)
		end_answer(a);
}

/* Is this an answer to that request at all? */
static bool valid_head(const struct pmsg_answer *a, const struct pmsg_request *r)
{
	struct pciehsm_msg head, asked;

	if (a->len < sizeof(head) || a->len > a->size)
		return false;
	memcpy(&head, a->data, sizeof(head));
	memcpy(&asked, r->data, sizeof(asked));
	return le32toh(head.length) == a->len && head.op == asked.op &&
	       head.session == asked.session;
}

static CK_RV once(struct pciehsm_transport *t, struct pmsg_request *r, struct pmsg_answer *a)
{
	enum pciehsm_outcome outcome = PCIEHSM_OUTCOME_UNKNOWN;
	struct pciehsm_msg head;
	CK_RV rv;
	int ret;

	ret = t->ops->message(t, r->data, r->len, a->data, a->size, &a->len, t->timeout_ms,
			      &outcome);
	if (ret) {
		a->len = 0;
		return pciehsm_rv_from_errno(ret, outcome);
	}
	if (!valid_head(a, r)) {
		/* Whatever the length claims, all of the room may have been written. */
		a->len = a->size;
		return PCIEHSM_RV_BAD_ANSWER;
	}
	memcpy(&head, a->data, sizeof(head));
	rv = le32toh(head.rv);
	/* A card does not speak for the transport. */
	return pciehsm_rv_is_transport(rv) ? PCIEHSM_RV_BAD_ANSWER : rv;
}

CK_RV pmsg_exchange(struct pciehsm_transport *t, struct pmsg_request *r,
		    struct pmsg_answer *a, size_t room, bool may_grow)
{
	uint32_t length = htole32((uint32_t)r->len);
	uint32_t need;
	struct pmsg_want want = { PCIEHSM_F_NEED, PMSG_U32, .to = &need };
	CK_RV rv;
	int i;

	a->data = NULL;
	if (r->rv != CKR_OK)
		return r->rv;
	memcpy(r->data, &length, sizeof(length));
	if (room > r->max)
		room = r->max;
	for (i = 0; ; i++) {
		if (!room_for(a, room))
			return CKR_HOST_MEMORY;
		rv = once(t, r, a);
		if (rv != CKR_BUFFER_TOO_SMALL || !may_grow)
			return rv;
		want.seen = false;
		if (pmsg_read(a, &want, 1) != CKR_OK || need <= a->size || need > r->max ||
		    i == MAX_TRIES)
			return PCIEHSM_RV_BAD_ANSWER;
		end_answer(a);
		room = need;
	}
}

CK_RV pmsg_simple(struct pciehsm_transport *t, struct pmsg_request *r)
{
	struct pmsg_answer a;
	CK_RV rv = pmsg_exchange(t, r, &a, PCIEHSM_ANSWER_MIN, true);

	pmsg_end(r, &a);
	return rv;
}

/* ---- answers ---- */

static bool take_text(const struct pmsg_want *want, const uint8_t *p, size_t len)
{
	char *to = want->to;
	size_t i;

	if (len >= want->size)
		return false;
	for (i = 0; i < len; i++) {
		if (want->kind == PMSG_DIGITS && (p[i] < '0' || p[i] > '9'))
			return false;
		/* Terminals obey control characters, and a card is not to be trusted. */
		to[i] = p[i] < 0x20 || p[i] == 0x7f ? '?' : (char)p[i];
	}
	to[len] = 0;
	return true;
}

static bool take(const struct pmsg_want *want, const uint8_t *p, size_t len)
{
	struct pciehsm_version version;
	uint32_t u32;
	uint64_t u64;

	switch ((enum pmsg_kind)want->kind) {
	case PMSG_U32:
		if (len != sizeof(u32))
			return false;
		memcpy(&u32, p, sizeof(u32));
		*(uint32_t *)want->to = le32toh(u32);
		return true;
	case PMSG_U64:
		if (len != sizeof(u64))
			return false;
		memcpy(&u64, p, sizeof(u64));
		*(uint64_t *)want->to = le64toh(u64);
		return true;
	case PMSG_FIXED:
		if (len != want->size)
			return false;
		memcpy(want->to, p, len);
		return true;
	case PMSG_TEXT:
	case PMSG_DIGITS:
		return take_text(want, p, len);
	case PMSG_SPAN:
		if (want->size && len % want->size)
			return false;
		*(struct pmsg_span *)want->to = (struct pmsg_span){ p, len };
		return true;
	case PMSG_VERSION:
		if (len != sizeof(version))
			return false;
		memcpy(&version, p, sizeof(version));
		*(struct pciehsm_object_version *)want->to = pciehsm_version_read(&version);
		return true;
	}
	return false;
}

CK_RV pmsg_read(const struct pmsg_answer *a, struct pmsg_want *wants, size_t n)
{
	size_t at = sizeof(struct pciehsm_msg), len, i;
	struct pciehsm_field head;

	while (at < a->len) {
		if (a->len - at < sizeof(head))
			return PCIEHSM_RV_BAD_ANSWER;
		memcpy(&head, a->data + at, sizeof(head));
		at += sizeof(head);
		len = le32toh(head.len);
		if (head.reserved || len > a->len - at || padded(len) > a->len - at)
			return PCIEHSM_RV_BAD_ANSWER;
		for (i = 0; i < n && wants[i].id != le16toh(head.id); i++)
			;
		if (i < n) {
			if (wants[i].seen || !take(&wants[i], a->data + at, len))
				return PCIEHSM_RV_BAD_ANSWER;
			wants[i].seen = true;
		}
		at += padded(len);
	}
	for (i = 0; i < n; i++)
		if (!wants[i].seen && !wants[i].optional)
			return PCIEHSM_RV_BAD_ANSWER;
	return CKR_OK;
}

CK_RV pmsg_copy(const struct pmsg_span *span, void **to)
{
	void *p = malloc(span->len ? span->len : 1);

	if (!p)
		return CKR_HOST_MEMORY;
	memcpy(p, span->p, span->len);
	*to = p;
	return CKR_OK;
}
