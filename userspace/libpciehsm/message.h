/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The wire form of messages: a writer that cannot run over and a reader that
 * trusts nothing, for the functions of pciehsm.h alone.
 */
#ifndef PCIEHSM_MESSAGE_H
#define PCIEHSM_MESSAGE_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "pciehsm.h"

/*
 * Messages up to here live on the caller's stack: enough for 4 KiB of data with
 * its mechanism. Longer ones are allocated.
 */
#define PMSG_SMALL	4608U

/**
 * struct pmsg_request - a request that is being written
 * @data:	the message: @small or allocated
 * @len:	bytes written
 * @size:	room
 * @max:	what the transport takes
 * @rv:		the first thing that went wrong; later writes do nothing
 */
struct pmsg_request {
	uint8_t	*data;
	size_t	len;
	size_t	size;
	size_t	max;
	CK_RV	rv;
	uint8_t	small[PMSG_SMALL] __attribute__((aligned(8)));
};

void pmsg_begin(struct pmsg_request *r, const struct pciehsm_transport *t, uint32_t op,
		uint32_t session);
void pmsg_u32(struct pmsg_request *r, uint16_t id, uint32_t value);
void pmsg_u64(struct pmsg_request *r, uint16_t id, uint64_t value);
/** pmsg_bytes() - @p may be NULL when @len is 0 */
void pmsg_bytes(struct pmsg_request *r, uint16_t id, const void *p, size_t len);

static inline void pmsg_ouid(struct pmsg_request *r, uint16_t id, const uint8_t *ouid)
{
	pmsg_bytes(r, id, ouid, PCIEHSM_OUID_LEN);
}

/** pmsg_fail() - give up; the request will not be sent */
static inline void pmsg_fail(struct pmsg_request *r, CK_RV rv)
{
	if (r->rv == CKR_OK)
		r->rv = rv;
}

/**
 * pmsg_open() - begin a field (@attr false) or an attribute whose length is not known yet
 *
 * Return: what pmsg_close() wants, which writes the length and the padding
 */
size_t pmsg_open(struct pmsg_request *r, bool attr, uint32_t id);
void pmsg_close(struct pmsg_request *r, size_t opened);
/** pmsg_raw() - room for @len bytes at the end, NULL when there is none */
uint8_t *pmsg_raw(struct pmsg_request *r, size_t len);
/** pmsg_pad() - zeroes up to a multiple of 8 */
void pmsg_pad(struct pmsg_request *r);

/** struct pmsg_answer - an answer; @data is @small or allocated */
struct pmsg_answer {
	uint8_t	*data;
	size_t	len;
	size_t	size;
	uint8_t	small[PMSG_SMALL] __attribute__((aligned(8)));
};

/**
 * pmsg_exchange() - send a request and take the answer, both to be ended with pmsg_end()
 * @room:	bytes that the answer may take; 0: what fits the stack
 * @grow:	ask again with what it needs when the answer does not fit
 *
 * Return: the card's result, or one of PCIEHSM_RV_*. The answer's fields can be
 * read after any result of the card.
 */
CK_RV pmsg_exchange(struct pciehsm_transport *t, struct pmsg_request *r,
		    struct pmsg_answer *a, size_t room, bool grow);
/** pmsg_end() - wipe and free */
void pmsg_end(struct pmsg_request *r, struct pmsg_answer *a);

/** pmsg_simple() - exchange where CKR_OK brings nothing; ends both */
CK_RV pmsg_simple(struct pciehsm_transport *t, struct pmsg_request *r);

struct pmsg_span {
	const uint8_t	*p;
	size_t		len;
};

enum pmsg_kind {
	PMSG_U32,	/* uint32_t */
	PMSG_U64,	/* uint64_t */
	PMSG_FIXED,	/* @size bytes */
	PMSG_TEXT,	/* char[@size], terminated here; unprintable bytes become '?' */
	PMSG_DIGITS,	/* the same, of digits only */
	PMSG_SPAN,	/* struct pmsg_span; its length is a multiple of @size */
	PMSG_VERSION,	/* struct pciehsm_object_version */
};

/** struct pmsg_want - a field that an answer should have */
struct pmsg_want {
	uint16_t	id;
	uint8_t		kind;		/* enum pmsg_kind */
	bool		optional;
	bool		seen;		/* out */
	size_t		size;
	void		*to;
};

/**
 * pmsg_read() - take an answer apart
 *
 * Fields that nobody asked for are passed over, so that a card can grow.
 * Return: CKR_OK or PCIEHSM_RV_BAD_ANSWER
 */
CK_RV pmsg_read(const struct pmsg_answer *a, struct pmsg_want *wants, size_t n);

#define pmsg_read_all(a, wants) pmsg_read((a), (wants), sizeof(wants) / sizeof((wants)[0]))

/** pmsg_copy() - a span's bytes in memory of their own; CKR_HOST_MEMORY */
CK_RV pmsg_copy(const struct pmsg_span *span, void **to);

static inline uint64_t pmsg_get64(const uint8_t *p)
{
	uint64_t value;

	memcpy(&value, p, sizeof(value));
	return le64toh(value);
}

/**
 * pmsg_exchange_data() - exchange where CKR_OK brings PCIEHSM_F_DATA or nothing; ends both
 * @kept:	the card keeps a state that moves on with this command, so an answer
 *		must not arrive that @out has no room for
 * @out:	NULL, or room
 * @out_len:	NULL where @out is, or in: room, out: bytes written or needed
 */
CK_RV pmsg_exchange_data(struct pciehsm_transport *t, struct pmsg_request *r, bool kept,
			 void *out, size_t *out_len);

/* ---- templates and mechanisms ---- */

void pmsg_template(struct pmsg_request *r, uint16_t id, const CK_ATTRIBUTE *attrs, CK_ULONG n);
/** pmsg_types() - a template of types alone, for OBJECT_GET */
void pmsg_types(struct pmsg_request *r, const CK_ATTRIBUTE *attrs, CK_ULONG n);
/**
 * pmsg_values() - fill a template from OBJECT_GET's answer
 *
 * Return: as pciehsm_object_get()
 */
CK_RV pmsg_values(const struct pmsg_span *template, CK_ATTRIBUTE *attrs, CK_ULONG n);
void pmsg_mechanism(struct pmsg_request *r, const CK_MECHANISM *mech);

#endif /* PCIEHSM_MESSAGE_H */
