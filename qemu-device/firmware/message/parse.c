// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The strict parser of requests.
 */
#include <string.h>

#include "message/message.h"
#include "message/template.h"
#include "message/text.h"
#include "message/wire.h"

/* From KIND_TEXT on there is more to look at than the length. */
enum kind {
	KIND_BYTES,
	KIND_U32,
	KIND_U64,
	KIND_TEXT,
	KIND_OUIDS,
	KIND_TEMPLATE,
};

/* What each field of a request may look like, whatever the operation; by its place. */
static const struct shape {
	bool		known;
	uint8_t		kind;
	uint32_t	min;
	uint32_t	max;
} shapes[MESSAGE_PLACES] = {
	[MESSAGE_PLACE(PCIEHSM_F_FLAGS)] = { true, KIND_U32, 4, 4 },
	[MESSAGE_PLACE(PCIEHSM_F_LEN)] = { true, KIND_U32, 4, 4 },
	[MESSAGE_PLACE(PCIEHSM_F_LIMIT)] = { true, KIND_U32, 4, 4 },
	[MESSAGE_PLACE(PCIEHSM_F_CURSOR)] = { true, KIND_U64, 8, 8 },
	[MESSAGE_PLACE(PCIEHSM_F_DATA)] = { true, KIND_BYTES, 0, PCIEHSM_MSG_MAX },
	[MESSAGE_PLACE(PCIEHSM_F_SEED)] = { true, KIND_BYTES, 0, PCIEHSM_MSG_MAX },
	[MESSAGE_PLACE(PCIEHSM_F_LABEL)] = { true, KIND_TEXT, 1, 32 },
	[MESSAGE_PLACE(PCIEHSM_F_SERIAL)] = { true, KIND_TEXT, 1, 24 },
	[MESSAGE_PLACE(PCIEHSM_F_NUMBER)] = { true, KIND_U32, 4, 4 },
	[MESSAGE_PLACE(PCIEHSM_F_SIZE)] = { true, KIND_U64, 8, 8 },
	[MESSAGE_PLACE(PCIEHSM_F_ROLE)] = { true, KIND_U32, 4, 4 },
	/*
	 * A password of a bad length has a code of its own (CKR_PIN_LEN_RANGE),
	 * so the field itself may have any.
	 */
	[MESSAGE_PLACE(PCIEHSM_F_PIN)] = { true, KIND_BYTES, 0, PCIEHSM_MSG_MAX },
	[MESSAGE_PLACE(PCIEHSM_F_NEW_PIN)] = { true, KIND_BYTES, 0, PCIEHSM_MSG_MAX },
	[MESSAGE_PLACE(PCIEHSM_F_DOMAIN)] = { true, KIND_BYTES, 1, PCIEHSM_DOMAIN_MAX },
	[MESSAGE_PLACE(PCIEHSM_F_POLICY)] = { true, KIND_U32, 4, 4 },
	[MESSAGE_PLACE(PCIEHSM_F_VALUE)] = { true, KIND_U32, 4, 4 },
	[MESSAGE_PLACE(PCIEHSM_F_OUID)] = { true, KIND_BYTES, PCIEHSM_OUID_LEN, PCIEHSM_OUID_LEN },
	[MESSAGE_PLACE(PCIEHSM_F_OUID2)] = { true, KIND_BYTES, PCIEHSM_OUID_LEN, PCIEHSM_OUID_LEN },
	[MESSAGE_PLACE(PCIEHSM_F_OBJECT)] = {
		true, KIND_BYTES, PCIEHSM_OUID_LEN, PCIEHSM_OUID_LEN },
	[MESSAGE_PLACE(PCIEHSM_F_KEY)] = { true, KIND_BYTES, PCIEHSM_OUID_LEN, PCIEHSM_OUID_LEN },
	[MESSAGE_PLACE(PCIEHSM_F_OUIDS)] = { true, KIND_OUIDS, PCIEHSM_OUID_LEN, PCIEHSM_MSG_MAX },
	[MESSAGE_PLACE(PCIEHSM_F_TEMPLATE)] = { true, KIND_TEMPLATE, 0, PCIEHSM_MSG_MAX },
	[MESSAGE_PLACE(PCIEHSM_F_TEMPLATE2)] = { true, KIND_TEMPLATE, 0, PCIEHSM_MSG_MAX },
	[MESSAGE_PLACE(PCIEHSM_F_COUNTER)] = { true, KIND_U64, 8, 8 },
	[MESSAGE_PLACE(PCIEHSM_F_FUNCTION)] = { true, KIND_U32, 4, 4 },
	[MESSAGE_PLACE(PCIEHSM_F_MECHANISM)] = { true, KIND_U32, 4, 4 },
	[MESSAGE_PLACE(PCIEHSM_F_SIGNATURE)] = { true, KIND_BYTES, 0, PCIEHSM_MSG_MAX },
	[MESSAGE_PLACE(PCIEHSM_F_P_IV)] = { true, KIND_BYTES, 0, PCIEHSM_MSG_MAX },
	[MESSAGE_PLACE(PCIEHSM_F_P_AAD)] = { true, KIND_BYTES, 0, PCIEHSM_MSG_MAX },
	[MESSAGE_PLACE(PCIEHSM_F_P_TAG_BITS)] = { true, KIND_U32, 4, 4 },
	[MESSAGE_PLACE(PCIEHSM_F_P_COUNTER_BITS)] = { true, KIND_U32, 4, 4 },
	[MESSAGE_PLACE(PCIEHSM_F_P_HASH)] = { true, KIND_U32, 4, 4 },
	[MESSAGE_PLACE(PCIEHSM_F_P_MGF)] = { true, KIND_U32, 4, 4 },
	[MESSAGE_PLACE(PCIEHSM_F_P_SALT_LEN)] = { true, KIND_U32, 4, 4 },
	[MESSAGE_PLACE(PCIEHSM_F_P_SOURCE)] = { true, KIND_BYTES, 0, PCIEHSM_MSG_MAX },
	[MESSAGE_PLACE(PCIEHSM_F_P_KDF)] = { true, KIND_U32, 4, 4 },
	[MESSAGE_PLACE(PCIEHSM_F_P_SHARED)] = { true, KIND_BYTES, 0, PCIEHSM_MSG_MAX },
	[MESSAGE_PLACE(PCIEHSM_F_P_PUBLIC)] = { true, KIND_BYTES, 0, PCIEHSM_MSG_MAX },
	[MESSAGE_PLACE(PCIEHSM_F_P_SALT)] = { true, KIND_BYTES, 0, PCIEHSM_MSG_MAX },
	[MESSAGE_PLACE(PCIEHSM_F_P_SALT_KEY)] = {
		true, KIND_BYTES, PCIEHSM_OUID_LEN, PCIEHSM_OUID_LEN },
	[MESSAGE_PLACE(PCIEHSM_F_P_INFO)] = { true, KIND_BYTES, 0, PCIEHSM_MSG_MAX },
	[MESSAGE_PLACE(PCIEHSM_F_P_HKDF)] = { true, KIND_U32, 4, 4 },
	[MESSAGE_PLACE(PCIEHSM_F_P_MAC_LEN)] = { true, KIND_U32, 4, 4 },
	[MESSAGE_PLACE(PCIEHSM_F_P_CONTEXT)] = { true, KIND_BYTES, 0, PCIEHSM_MSG_MAX },
	[MESSAGE_PLACE(PCIEHSM_F_P_PREHASH)] = { true, KIND_U32, 4, 4 },
	[MESSAGE_PLACE(PCIEHSM_F_P_HEDGE)] = { true, KIND_U32, 4, 4 },
	[MESSAGE_PLACE(PCIEHSM_F_SEQ)] = { true, KIND_U64, 8, 8 },
	[MESSAGE_PLACE(PCIEHSM_F_SERIALS)] = { true, KIND_BYTES, 0, 8 * PCIEHSM_PEERS_MAX },
	[MESSAGE_PLACE(PCIEHSM_F_NONCE)] = { true, KIND_BYTES, 8, 64 },
	[MESSAGE_PLACE(PCIEHSM_F_AUDIT_MASK)] = { true, KIND_U32, 4, 4 },
	[MESSAGE_PLACE(PCIEHSM_F_CHANNEL)] = { true, KIND_U32, 4, 4 },
	[MESSAGE_PLACE(PCIEHSM_F_OFFER)] = { true, KIND_BYTES, 1, PCIEHSM_MSG_MAX },
	[MESSAGE_PLACE(PCIEHSM_F_HELLO)] = { true, KIND_BYTES, 1, PCIEHSM_MSG_MAX },
	/* Empty: a batch in which nothing could be exported. */
	[MESSAGE_PLACE(PCIEHSM_F_BLOB)] = { true, KIND_BYTES, 0, PCIEHSM_MSG_MAX },
};

static bool fits(const struct field *f, const struct shape *s)
{
	if (!s->known || f->len < s->min || f->len > s->max)
		return false;
	if (s->kind < KIND_TEXT)
		return true;
	switch (s->kind) {
	case KIND_TEXT:
		return text_valid(f->data, f->len);
	case KIND_OUIDS:
		return f->len % PCIEHSM_OUID_LEN == 0;
	default:
		return template_valid(f->data, f->len);
	}
}

static inline int next(struct field_iter *it, struct field *field)
{
	size_t left = (size_t)(it->end - it->p);
	size_t padded;
	uint64_t head;

	if (left == 0)
		return 0;
	if (left < sizeof(struct pciehsm_field))
		return -1;
	/* id, reserved, len: 16, 16 and 32 bits */
	head = wire_get64(it->p);
	field->id = (uint16_t)head;
	field->len = (uint32_t)(head >> 32);
	if (head & 0xffff0000U)
		return -1;
	left -= sizeof(struct pciehsm_field);
	/* Compared before it is padded: the sum can not wrap. */
	if (field->len > left)
		return -1;
	padded = wire_pad(field->len);
	if (padded > left)
		return -1;
	field->data = it->p + sizeof(struct pciehsm_field);
	it->p = field->data + padded;
	/* What the last 8 bytes have behind the data is to be zero. */
	if (padded != field->len && wire_get64(it->p - 8) >> (field->len & 7) * 8)
		return -1;
	return 1;
}

int field_next(struct field_iter *it, struct field *field)
{
	return next(it, field);
}

bool message_header_valid(const void *data, size_t len)
{
	const uint8_t *p = data;

	return len >= sizeof(struct pciehsm_msg) && len <= PCIEHSM_MSG_MAX &&
	       wire_get32(p + offsetof(struct pciehsm_msg, length)) == len;
}

static void set_bit(uint64_t bits[MESSAGE_GROUPS], uint16_t id)
{
	unsigned int place = message_place(id);

	bits[place / 64] |= 1ULL << place % 64;
}

void message_takes_init(struct message_takes *takes, const uint16_t *ids)
{
	uint16_t id;

	memset(takes, 0, sizeof(*takes));
	for (; *ids; ids++) {
		if (*ids == FIELD_PARAMETERS) {
			for (id = PCIEHSM_F_P_IV; id <= PCIEHSM_F_P_LAST; id++)
				set_bit(takes->may, id);
			continue;
		}
		set_bit(takes->may, *ids & ~FIELD_OPTIONAL);
		if (!(*ids & FIELD_OPTIONAL))
			set_bit(takes->must, *ids);
	}
}

CK_RV message_parse(struct message *msg, const uint8_t *data, size_t len,
		    const struct message_takes *takes)
{
	struct field_iter it = { data + sizeof(struct pciehsm_msg), data + len };
	unsigned int place, i;
	struct field *f;
	uint64_t bit;
	int rc;

	msg->op = wire_get32(data + offsetof(struct pciehsm_msg, op));
	msg->session = wire_get32(data + offsetof(struct pciehsm_msg, session));
	msg->count = 0;
	memset(msg->there, 0, sizeof(msg->there));
	if (wire_get32(data + offsetof(struct pciehsm_msg, rv)) != 0)
		return CKR_ARGUMENTS_BAD;
	/* Each is read into the place that it stays in, if it is good. */
	while (f = &msg->fields[msg->count], (rc = next(&it, f)) > 0) {
		place = message_place(f->id);
		if (place == MESSAGE_PLACES || msg->count == MESSAGE_MAX_FIELDS)
			return CKR_ARGUMENTS_BAD;
		bit = 1ULL << place % 64;
		if (!(takes->may[place / 64] & ~msg->there[place / 64] & bit) ||
		    !fits(f, &shapes[place]))
			return CKR_ARGUMENTS_BAD;
		msg->there[place / 64] |= bit;
		msg->place[place] = (uint8_t)msg->count++;
	}
	if (rc < 0)
		return CKR_ARGUMENTS_BAD;
	for (i = 0; i < MESSAGE_GROUPS; i++)
		if (takes->must[i] & ~msg->there[i])
			return CKR_ARGUMENTS_BAD;
	return CKR_OK;
}
