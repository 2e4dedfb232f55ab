/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests taken apart, answers put together.
 *
 * The parser trusts nothing: after message_parse() has succeeded, every field is
 * known to the operation, comes once, has a length that its type allows and
 * lies within the message. Handlers need not look at lengths again.
 */
#ifndef FIRMWARE_MESSAGE_MESSAGE_H
#define FIRMWARE_MESSAGE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pciehsm/fw.h>

#include "crypto/p11.h"
#include "message/wire.h"

/* An operation knows at most this many fields, mechanism parameters included. */
#define MESSAGE_MAX_FIELDS	32

/**
 * struct field - one field of a request
 * @id:		enum pciehsm_field_id
 * @len:	bytes at @data
 * @data:	in the request's own memory
 */
struct field {
	uint16_t	id;
	uint32_t	len;
	const uint8_t	*data;
};

/* Field ids are few and far between: 0x0Gnn and 0x0G80 + nn, nn below 32. */
#define MESSAGE_GROUPS		7
#define MESSAGE_PLACES		(MESSAGE_GROUPS * 64)

/**
 * struct message - a request taken apart
 * @op:		enum pciehsm_op
 * @session:	of the header
 * @count:	of @fields
 * @there:	by message_place() of an id, a bit: the field is there
 * @place:	by the same, for those: index into @fields. Every handler asks for several
 *		fields by their ids.
 * @fields:	in the order of the message; the last one is room to read what is refused
 */
struct message {
	uint32_t	op;
	uint32_t	session;
	unsigned int	count;
	uint64_t	there[MESSAGE_GROUPS];
	uint8_t		place[MESSAGE_PLACES];
	struct field	fields[MESSAGE_MAX_FIELDS + 1];
};

/* Where a field of that id is noted, if it is one of those */
#define MESSAGE_PLACE(id)	(((id) >> 8) * 64U + ((id) >> 2 & 0x20U) + ((id) & 0x1fU))

/** message_place() - the same; MESSAGE_PLACES: no field has such an id */
static inline unsigned int message_place(uint16_t id)
{
	if (id >= MESSAGE_GROUPS << 8 || id & 0x60)
		return MESSAGE_PLACES;
	return MESSAGE_PLACE(id);
}

/* The fields that an operation takes: ids with these marks, ended by 0. */
#define FIELD_OPTIONAL		0x8000
/* Instead of an id: every mechanism parameter, optional. */
#define FIELD_PARAMETERS	0x7fff

/**
 * message_header_valid() - is there a header, and does it describe this message?
 * @data:	what came in
 * @len:	its length
 */
bool message_header_valid(const void *data, size_t len);

/**
 * struct message_takes - the same as bits by message_place(), which are faster looked up
 * @may:	what the operation knows
 * @must:	what has to be there
 */
struct message_takes {
	uint64_t	may[MESSAGE_GROUPS];
	uint64_t	must[MESSAGE_GROUPS];
};

/** message_takes_init() - @takes from ids as above, ended by 0 */
void message_takes_init(struct message_takes *takes, const uint16_t *ids);

/**
 * message_parse() - take the body of a request apart
 * @msg:	out
 * @data:	message with a valid header
 * @len:	its length
 * @takes:	the fields of the operation
 *
 * Return: CKR_OK or CKR_ARGUMENTS_BAD.
 */
CK_RV message_parse(struct message *msg, const uint8_t *data, size_t len,
		    const struct message_takes *takes);

/* Each handler asks several times, so these are inline. */

/** message_is_there() - the same as message_has() by the place */
static inline bool message_is_there(const struct message *msg, unsigned int place)
{
	return msg->there[place / 64] >> place % 64 & 1;
}

/** message_field() - the field @id or NULL */
static inline const struct field *message_field(const struct message *msg, uint16_t id)
{
	unsigned int place = message_place(id);

	if (place == MESSAGE_PLACES || !message_is_there(msg, place))
		return NULL;
	return &msg->fields[msg->place[place]];
}

/** message_has() - is the field there? */
static inline bool message_has(const struct message *msg, uint16_t id)
{
	return message_field(msg, id) != NULL;
}

/** message_u32() - its number, @def if it is not there */
static inline uint32_t message_u32(const struct message *msg, uint16_t id, uint32_t def)
{
	const struct field *f = message_field(msg, id);

	return f ? wire_get32(f->data) : def;
}

/** message_u64() - its number, @def if it is not there */
static inline uint64_t message_u64(const struct message *msg, uint16_t id, uint64_t def)
{
	const struct field *f = message_field(msg, id);

	return f ? wire_get64(f->data) : def;
}

/** message_bytes() - its data, NULL and length 0 if it is not there */
static inline const uint8_t *message_bytes(const struct message *msg, uint16_t id, size_t *len)
{
	const struct field *f = message_field(msg, id);

	*len = f ? f->len : 0;
	return f ? f->data : NULL;
}

/**
 * struct field_iter - walk over a sequence of fields
 * @p:		next field
 * @end:	behind the last one
 */
struct field_iter {
	const uint8_t	*p;
	const uint8_t	*end;
};

/**
 * field_next() - read one field of a sequence
 * @it:		where
 * @field:	out
 *
 * Return: 1: there was one; 0: end; -1: malformed.
 */
int field_next(struct field_iter *it, struct field *field);

/**
 * struct answer - an answer under construction
 * @buf:	the caller's room
 * @size:	of it, at least a header
 * @len:	bytes in use
 * @need:	0, or bytes that would have been needed
 * @keep:	the fields go out with an error code, too
 */
struct answer {
	uint8_t	*buf;
	size_t	size;
	size_t	len;
	size_t	need;
	bool	keep;
};

/** answer_init() - begin an answer in @size bytes at @buf */
void answer_init(struct answer *a, void *buf, size_t size);

/**
 * answer_room() - is there room for fields to come?
 * @a:		the answer
 * @fields:	number of fields
 * @bytes:	sum of their data, each padded
 *
 * To be asked before anything is changed: an operation whose answer does not fit
 * must not have happened.
 *
 * Return: CKR_OK or CKR_BUFFER_TOO_SMALL.
 */
CK_RV answer_room(struct answer *a, unsigned int fields, size_t bytes);

/**
 * answer_put() - add a field; without room, only notes the need
 */
void answer_put(struct answer *a, uint16_t id, const void *data, size_t len);
void answer_u32(struct answer *a, uint16_t id, uint32_t value);
void answer_u64(struct answer *a, uint16_t id, uint64_t value);
void answer_text(struct answer *a, uint16_t id, const char *text);

/**
 * answer_open() - room for the data of a field whose length is not yet known
 * @a:		the answer
 * @id:		the field
 * @max:	its greatest length
 *
 * Return: @max bytes to be filled, or NULL without room (the need is noted).
 * answer_close() must follow before any other field.
 */
uint8_t *answer_open(struct answer *a, uint16_t id, size_t max);
void answer_close(struct answer *a, size_t len);

/** answer_left() - data bytes that one more field could hold */
size_t answer_left(const struct answer *a);

/**
 * answer_finish() - complete the header
 * @a:		the answer
 * @op:		of the request
 * @session:	of the request
 * @rv:		result
 *
 * Return: bytes of the answer.
 */
size_t answer_finish(struct answer *a, uint32_t op, uint32_t session, CK_RV rv);

#endif /* FIRMWARE_MESSAGE_MESSAGE_H */
