/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How new objects come into a partition or session, under OUIDs that the caller chose.
 */
#ifndef FIRMWARE_OBJECTS_MAKE_H
#define FIRMWARE_OBJECTS_MAKE_H

#include "core/firmware.h"

/* Callers begin at most here, and nobody lives to see the changes up to the limit. */
#define COUNTER_MAX	(1ULL << 62)
/* Greater counters are refused, so that adding one never wraps. */
#define COUNTER_LIMIT	(1ULL << 63)

/**
 * struct making - one or two objects on their way
 * @c:		the message
 * @count:	1, or 2 for a key pair
 * @ouid:	their names
 * @counter:	of their first version
 * @attrs:	to be filled in by the caller; wiped by make_end()
 * @done:	the answer is written: they were there already
 * @check:	a check value that the template claims
 * @check_len:	its bytes, 0 if it claims none
 */
struct making {
	struct call	*c;
	unsigned int	count;
	const uint8_t	*ouid[2];
	uint64_t	counter;
	struct fw_attrs	attrs[2];
	bool		done;
	uint8_t		check[32];
	size_t		check_len;
};

/**
 * make_begin() - what can be said before the work is done
 * @m:		out; make_end() must follow
 * @c:		the message, with OUID, maybe OUID2 and COUNTER
 * @count:	1 or 2
 *
 * If the objects are there, this answers, and @m->done is true.
 *
 * Return: CKR_OK; CKR_BUFFER_TOO_SMALL; CKR_ARGUMENTS_BAD; PCIEHSM_CKR_OBJECT_DELETED;
 * CKR_USER_NOT_LOGGED_IN.
 */
CK_RV make_begin(struct making *m, struct call *c, unsigned int count);

/**
 * make_allowed() - may the one who is logged in make an object like this?
 * @m:		the making
 * @attrs:	its attributes, defaults included
 *
 * Return: CKR_OK, CKR_USER_NOT_LOGGED_IN, PCIEHSM_CKR_POLICY.
 */
CK_RV make_allowed(const struct making *m, const struct fw_attrs *attrs);

/**
 * make_set_check_value_aside() - a template's CKA_CHECK_VALUE is a claim, not a fact
 *
 * To be called before the material is completed, of attrs[0].
 */
CK_RV make_set_check_value_aside(struct making *m);

/** make_compare_check_value() - is the claim true? Else CKR_ATTRIBUTE_VALUE_INVALID. */
CK_RV make_compare_check_value(const struct making *m);

/** make_commit() - put the finished objects in their place, and answer */
CK_RV make_commit(struct making *m);

/**
 * make_session_object() - put a finished object under the message's session
 * @c:		the message
 * @o:		taken over, whatever the result
 *
 * Return: CKR_OK, CKR_DEVICE_MEMORY (too many), and as context_holds().
 */
CK_RV make_session_object(struct call *c, struct object *o);

/** make_end() - wipe what is left */
void make_end(struct making *m);

#endif /* FIRMWARE_OBJECTS_MAKE_H */
