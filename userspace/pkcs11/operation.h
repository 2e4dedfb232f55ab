/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside of operations, for the files that do them: operation.c and message.c. */
#ifndef PCIEHSM_PKCS11_OPERATION_H
#define PCIEHSM_PKCS11_OPERATION_H

#include "module.h"

/* Input that is kept here before a card has to. */
#define KEEP_MAX	(64U << 10)
/* Input that goes into one message; the rest of it is for mechanism and headers. */
#define PART_MAX	(PCIEHSM_MSG_MAX - (64U << 10))
/* What a part of a cipher gives at most beyond its input: a block held back, a tag. */
#define PART_EXTRA	64U
/* The longest IV that is made up here */
#define IV_MAX		16

/**
 * struct operation - one operation of a session
 * @active:	C_*Init was called
 * @kind:	which C_*Init
 * @several:	C_*Update was called: it is one of several parts; of messages: one is
 *		between its beginning and its end
 * @on_card:	the card keeps its state
 * @has_key:	@key and @info mean something
 * @handle:	the last key's, whether the operation is active or not; 0: none
 * @changes:	handles_changes() before it was looked up: as long as that stays the same,
 * @epoch:	and this of the token, @key and @info are what its handle means
 * @mech:	what C_*Init said
 * @total:	bytes of input so far
 * @input:	input that the card has not got yet; @input_len of @input_room
 * @output:	NULL, or output of the last call, which did not fit: the caller comes
 *		again for it, with input of the same length
 * @sig:	OPERATION_SIGNATURE: what is to be verified
 * @messages:	OPERATION_MESSAGES: how many IVs were made up
 * @iv:		OPERATION_MESSAGES: the first one that an application gave
 */
struct operation {
	bool			active;
	enum operation_kind	kind;
	bool			several;
	bool			on_card;
	bool			has_key;
	CK_OBJECT_HANDLE	handle;
	unsigned int		changes;
	unsigned int		epoch;
	struct mechanism	mech;
	struct ha_ouid		key;
	struct object_info	info;
	size_t			total;
	uint8_t			*input;
	size_t			input_len;
	size_t			input_room;
	uint8_t			*output;
	size_t			output_len;
	CK_ULONG		output_of;
	bool			output_final;
	uint8_t			*sig;
	size_t			sig_len;
	uint64_t		messages;
	uint8_t			iv[IV_MAX];
};

/** struct operation_call - the argument of an operation_step */
struct operation_call {
	struct session		*session;
	struct operation	*op;
	enum pciehsm_function	fn;
	const void		*in;
	size_t			in_len;
};

/* Does something that gives output; @out and @out_len as in ha_crypt(). */
typedef CK_RV (*operation_step)(void *arg, void *out, size_t *out_len);

/* One part in one message; one part in as many as it takes; a part; the end */
CK_RV operation_do_single(void *arg, void *out, size_t *out_len);
CK_RV operation_do_long(void *arg, void *out, size_t *out_len);
CK_RV operation_do_update(void *arg, void *out, size_t *out_len);
CK_RV operation_do_final(void *arg, void *out, size_t *out_len);

/** operation_active() - NULL if there is none of that kind */
struct operation *operation_active(struct session *session, enum pciehsm_function fn,
				   enum operation_kind kind);
/** operation_begin_on_card() - let the card keep its state */
CK_RV operation_begin_on_card(struct session *session, enum pciehsm_function fn);
/** operation_keep_input() - CKR_HOST_MEMORY */
CK_RV operation_keep_input(struct operation *op, const void *in, size_t len);
/** operation_end_message() - the next one may begin */
void operation_end_message(struct session *session, enum pciehsm_function fn);
/** operation_drop() - wipe, free, NULL */
void operation_drop(uint8_t **p, size_t len);

#endif /* PCIEHSM_PKCS11_OPERATION_H */
