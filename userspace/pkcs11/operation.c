// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Operations, from C_*Init to the call that ends them.
 *
 * Init sends nothing. An operation of one part is one message. One of several parts that
 * gives its result at the end (sign, verify, digest) keeps its input here while that is
 * little, and so is one message too, which any member of a group can answer; else, and
 * for encryption, the card keeps a state.
 *
 * What ends an operation (PKCS#11 2.40, 5.2): every result but CKR_BUFFER_TOO_SMALL and
 * a length that was asked for.
 */
#include <stdlib.h>
#include <string.h>

#include "operation.h"

static bool gives_at_end(enum pciehsm_function fn)
{
	return fn == PCIEHSM_FN_SIGN || fn == PCIEHSM_FN_VERIFY || fn == PCIEHSM_FN_DIGEST;
}

void operation_drop(uint8_t **p, size_t len)
{
	if (*p) {
		explicit_bzero(*p, len);
		free(*p);
		*p = NULL;
	}
}

static void forget_data(struct operation *op)
{
	operation_drop(&op->input, op->input_room);
	operation_drop(&op->output, op->output_len);
	op->input_len = 0;
	op->input_room = 0;
	op->several = false;
	op->on_card = false;
	op->total = 0;
}

static void forget(struct operation *op)
{
	forget_data(op);
	operation_drop(&op->sig, op->sig_len);
	mechanism_wipe(&op->mech);
	op->active = false;
}

void operation_end(struct session *session, enum pciehsm_function fn)
{
	struct operation *op = session->ops[fn];

	if (!op || !op->active)
		return;
	if (op->on_card)
		ha_crypt_cancel(session->token->ha, session->number, fn);
	forget(op);
}

void operation_cancel(struct session *session, enum pciehsm_function fn, bool messages)
{
	struct operation *op = session->ops[fn];

	if (op && op->active && (op->kind == OPERATION_MESSAGES) == messages)
		operation_end(session, fn);
}

void operations_free(struct session *session)
{
	unsigned int fn;

	/* What the card keeps ends with the session. */
	for (fn = 0; fn < N_FUNCTIONS; fn++) {
		if (session->ops[fn] && session->ops[fn]->active)
			forget(session->ops[fn]);
		free(session->ops[fn]);
	}
}

void operation_end_message(struct session *session, enum pciehsm_function fn)
{
	struct operation *op = session->ops[fn];

	if (op->on_card)
		ha_crypt_cancel(session->token->ha, session->number, fn);
	forget_data(op);
}

/*
 * The end of a call that ends the operation, or the message where there are many. With
 * success the card has no state of it any more; with an error it may have, depending on
 * where that was found.
 */
static CK_RV settle(struct session *session, enum pciehsm_function fn, CK_RV rv)
{
	struct operation *op = session->ops[fn];

	if (rv == CKR_BUFFER_TOO_SMALL)
		return rv;
	if (rv == CKR_OK)
		op->on_card = false;
	if (op->kind == OPERATION_MESSAGES)
		operation_end_message(session, fn);
	else
		operation_end(session, fn);
	return rv;
}

struct operation *operation_active(struct session *session, enum pciehsm_function fn,
				   enum operation_kind kind)
{
	struct operation *op = session->ops[fn];

	return op && op->active && op->kind == kind ? op : NULL;
}

bool operation_is_plain(struct session *session, enum pciehsm_function fn)
{
	return operation_active(session, fn, OPERATION_PLAIN);
}

/* ---- beginning ---- */

static CK_FLAGS flag_of(enum pciehsm_function fn)
{
	static const CK_FLAGS flags[N_FUNCTIONS] = {
		[PCIEHSM_FN_ENCRYPT]		= CKF_ENCRYPT,
		[PCIEHSM_FN_DECRYPT]		= CKF_DECRYPT,
		[PCIEHSM_FN_SIGN]		= CKF_SIGN,
		[PCIEHSM_FN_SIGN_RECOVER]	= CKF_SIGN_RECOVER,
		[PCIEHSM_FN_VERIFY]		= CKF_VERIFY,
		[PCIEHSM_FN_VERIFY_RECOVER]	= CKF_VERIFY_RECOVER,
		[PCIEHSM_FN_DIGEST]		= CKF_DIGEST,
	};

	return flags[fn];
}

CK_RV key_for(struct session *session, CK_OBJECT_HANDLE handle, CK_MECHANISM_TYPE type,
	      uint32_t usage, struct ha_ouid *ouid, struct object_info *info)
{
	CK_RV rv = session_object(session, handle, ouid, info);

	if (rv != CKR_OK)
		return rv == CKR_OBJECT_HANDLE_INVALID ? CKR_KEY_HANDLE_INVALID : rv;
	if (info->key_type == CK_UNAVAILABLE_INFORMATION)
		return CKR_KEY_HANDLE_INVALID;
	rv = mechanism_key_fits(type, info);
	if (rv != CKR_OK || info->usage & usage)
		return rv;
	/* Somebody may have allowed it meanwhile. */
	info->known = false;
	handles_remember(&session->token->handles, handle, info);
	rv = session_object(session, handle, ouid, info);
	if (rv != CKR_OK)
		return rv == CKR_OBJECT_HANDLE_INVALID ? CKR_KEY_HANDLE_INVALID : rv;
	return info->usage & usage ? CKR_OK : CKR_KEY_FUNCTION_NOT_PERMITTED;
}

/*
 * The key of an operation. Most applications use one key again and again, and each look at the
 * handles costs what all threads share.
 */
static CK_RV take_key(struct session *session, struct operation *op, enum pciehsm_function fn,
		      CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE handle)
{
	struct token *token = session->token;
	unsigned int changes = handles_changes(&token->handles), epoch = token->epoch;
	CK_RV rv;

	if (op->handle && op->handle == handle && op->changes == changes && op->epoch == epoch &&
	    op->info.usage & USAGE(fn))
		return mechanism_key_fits(type, &op->info);
	op->handle = 0;
	rv = key_for(session, handle, type, USAGE(fn), &op->key, &op->info);
	if (rv == CKR_OK) {
		op->handle = handle;
		op->changes = changes;
		op->epoch = epoch;
	}
	return rv;
}

CK_RV operation_init(struct session *session, enum pciehsm_function fn,
		     enum operation_kind kind, const CK_MECHANISM *mech, CK_OBJECT_HANDLE key)
{
	struct operation *op = session->ops[fn];
	CK_RV rv;

	if (!mech) {
		/* PKCS#11 3.0: no mechanism ends what is going on. */
		if (!operation_active(session, fn, kind))
			return CKR_ARGUMENTS_BAD;
		operation_end(session, fn);
		return CKR_OK;
	}
	if (op && op->active)
		return CKR_OPERATION_ACTIVE;
	if (!op) {
		op = line_alloc(sizeof(*op));
		if (!op)
			return CKR_HOST_MEMORY;
		session->ops[fn] = op;
	}
	rv = token_mechanism(session->token, mech->mechanism, flag_of(fn), NULL);
	if (rv != CKR_OK)
		return rv;
	op->has_key = fn != PCIEHSM_FN_DIGEST;
	if (op->has_key) {
		rv = take_key(session, op, fn, mech->mechanism, key);
		if (rv != CKR_OK)
			return rv;
	}
	/* Of a cipher for messages, each of these brings the parameter. */
	if (kind == OPERATION_MESSAGES && !gives_at_end(fn))
		op->mech.m = (CK_MECHANISM){ .mechanism = mech->mechanism };
	else
		rv = mechanism_copy(&op->mech, session, mech);
	if (rv != CKR_OK)
		return rv;
	forget_data(op);
	op->kind = kind;
	op->messages = 0;
	op->active = true;
	return CKR_OK;
}

/* ---- lengths ---- */

/* What comes of @in_len bytes in one part, at most. *@exact: that, and no less. */
static size_t expected(const struct operation *op, enum pciehsm_function fn, size_t in_len,
		       bool *exact)
{
	size_t len;

	*exact = true;
	switch (fn) {
	case PCIEHSM_FN_SIGN:
	case PCIEHSM_FN_SIGN_RECOVER:
		len = length_of_signature(&op->mech.m, &op->info);
		break;
	case PCIEHSM_FN_DIGEST:
		len = length_of_digest(op->mech.m.mechanism);
		break;
	case PCIEHSM_FN_VERIFY_RECOVER:
		*exact = false;
		len = op->info.bytes;
		break;
	default:
		*exact = false;
		len = length_of_cipher(fn, &op->mech.m, &op->info, in_len);
	}
	if (!len)
		*exact = false;
	return len;
}

/*
 * Run an output-giving step into the caller's room if it is certainly enough, else into
 * memory of our own, so that the true length comes out.
 *
 * @step:	does it; @out and @out_len as in ha_crypt()
 * @bound:	what it may need
 * @kept:	NULL, or where the output goes if it did not fit
 */
static CK_RV run_step(operation_step fn, void *arg, size_t bound, void *out, CK_ULONG *out_len,
		      uint8_t **kept, size_t *kept_len)
{
	size_t len = *out_len;
	uint8_t *own;
	CK_RV rv;

	if (out && len >= bound) {
		rv = fn(arg, out, &len);
		/* With @kept the room is what was asked for: anything else is lost. */
		if (rv == CKR_OK || (rv == CKR_BUFFER_TOO_SMALL && !kept))
			*out_len = len;
		return rv == CKR_BUFFER_TOO_SMALL && kept ? CKR_DEVICE_ERROR : rv;
	}
	for (;;) {
		own = malloc(bound ? bound : 1);
		if (!own)
			return CKR_HOST_MEMORY;
		len = bound;
		rv = fn(arg, own, &len);
		if (rv != CKR_BUFFER_TOO_SMALL || len <= bound || len > PCIEHSM_MSG_MAX)
			break;
		free(own);
		bound = len;
	}
	if (rv != CKR_OK) {
		operation_drop(&own, bound);
		/* The room was what the answer itself asked for. */
		return rv == CKR_BUFFER_TOO_SMALL ? CKR_DEVICE_ERROR : rv;
	}
	if (!out || len > *out_len) {
		rv = out ? CKR_BUFFER_TOO_SMALL : CKR_OK;
		*out_len = len;
		if (kept) {
			*kept = own;
			*kept_len = len;
			return rv;
		}
	} else {
		memcpy(out, own, len);
		*out_len = len;
	}
	operation_drop(&own, bound);
	return rv;
}

/* ---- one part ---- */

CK_RV operation_do_single(void *arg, void *out, size_t *out_len)
{
	const struct operation_call *s = arg;

	return ha_crypt(s->session->token->ha, s->session->number, s->fn, &s->op->mech.m,
			s->op->has_key ? &s->op->key : NULL, s->in, s->in_len, NULL, 0,
			out, out_len);
}

CK_RV operation_begin_on_card(struct session *session, enum pciehsm_function fn)
{
	struct operation *op = session->ops[fn];
	CK_RV rv;

	session->kept = true;
	rv = ha_crypt_init(session->token->ha, session->number, fn, &op->mech.m,
			   op->has_key ? &op->key : NULL);
	op->on_card = rv == CKR_OK;
	return rv;
}

/* One part, as far as the application knows, that is too long for a message. */
CK_RV operation_do_long(void *arg, void *out, size_t *out_len)
{
	const struct operation_call *s = arg;
	struct ha_token *ha = s->session->token->ha;
	size_t at = 0, done = 0, room, part;
	CK_RV rv;

	rv = operation_begin_on_card(s->session, s->fn);
	while (rv == CKR_OK && at < s->in_len) {
		part = s->in_len - at < PART_MAX ? s->in_len - at : PART_MAX;
		room = *out_len - done;
		rv = ha_crypt_update(ha, s->session->number, s->fn, (const uint8_t *)s->in + at,
				     part, (uint8_t *)out + done, &room);
		at += part;
		done += room;
	}
	if (rv == CKR_OK) {
		room = *out_len - done;
		rv = ha_crypt_final(ha, s->session->number, s->fn, NULL, 0, (uint8_t *)out + done,
				    &room);
		done += room;
	}
	if (rv == CKR_OK)
		s->op->on_card = false;
	*out_len = done;
	/* The room was as much as can come. */
	return rv == CKR_BUFFER_TOO_SMALL ? CKR_DEVICE_ERROR : rv;
}

static CK_RV verify_single(struct session *session, struct operation *op, const void *in,
			   size_t in_len, const void *sig, size_t sig_len)
{
	struct ha_token *ha = session->token->ha;
	size_t at, part;
	CK_RV rv;

	if (in_len <= PART_MAX)
		return ha_crypt(ha, session->number, PCIEHSM_FN_VERIFY, &op->mech.m, &op->key,
				in, in_len, sig, sig_len, NULL, NULL);
	rv = operation_begin_on_card(session, PCIEHSM_FN_VERIFY);
	for (at = 0; rv == CKR_OK && at < in_len; at += part) {
		part = in_len - at < PART_MAX ? in_len - at : PART_MAX;
		rv = ha_crypt_update(ha, session->number, PCIEHSM_FN_VERIFY,
				     (const uint8_t *)in + at, part, NULL, NULL);
	}
	if (rv == CKR_OK)
		rv = ha_crypt_final(ha, session->number, PCIEHSM_FN_VERIFY, sig, sig_len, NULL,
				    NULL);
	return rv;
}

CK_RV operation_single(struct session *session, enum pciehsm_function fn,
		       enum operation_kind kind,
		       const void *in, CK_ULONG in_len, const void *sig, CK_ULONG sig_len,
		       void *out, CK_ULONG *out_len)
{
	struct operation *op = operation_active(session, fn, kind);
	struct operation_call s = { session, op, fn, in, in_len };
	size_t bound;
	bool exact;
	CK_RV rv;

	if (!op)
		return CKR_OPERATION_NOT_INITIALIZED;
	/* It can not end an operation of several parts, nor harm it. */
	if (op->several)
		return CKR_OPERATION_ACTIVE;
	if ((!in && in_len) || (!sig && sig_len) || (fn != PCIEHSM_FN_VERIFY && !out_len))
		return settle(session, fn, CKR_ARGUMENTS_BAD);
	if (fn == PCIEHSM_FN_VERIFY)
		return settle(session, fn,
			      verify_single(session, op, in, in_len, sig, sig_len));

	bound = expected(op, fn, in_len, &exact);
	if (!out && bound) {
		*out_len = bound;
		return CKR_OK;
	}
	if (exact && *out_len < bound) {
		*out_len = bound;
		return CKR_BUFFER_TOO_SMALL;
	}
	/* Stream ciphers and the like give no more than room for one message. */
	if (!bound)
		bound = in_len < PART_MAX ? 16384 : in_len;
	if (in_len > PART_MAX)
		rv = run_step(operation_do_long, &s, bound + PART_EXTRA, out, out_len, NULL, NULL);
	else
		rv = run_step(operation_do_single, &s, bound, out, out_len, NULL, NULL);
	if (!out && rv == CKR_OK)
		return rv;
	return settle(session, fn, rv);
}

/* ---- several parts: sign, verify, digest ---- */

/* Give the card what was kept here. */
static CK_RV flush_input(struct session *session, enum pciehsm_function fn)
{
	struct operation *op = session->ops[fn];
	CK_RV rv = CKR_OK;

	if (!op->on_card)
		rv = operation_begin_on_card(session, fn);
	if (rv == CKR_OK && op->input_len)
		rv = ha_crypt_update(session->token->ha, session->number, fn, op->input,
				     op->input_len, NULL, NULL);
	operation_drop(&op->input, op->input_room);
	op->input_len = 0;
	op->input_room = 0;
	return rv;
}

CK_RV operation_keep_input(struct operation *op, const void *in, size_t len)
{
	size_t room = op->input_room ? op->input_room : 1024;
	uint8_t *input;

	if (op->input_len + len > op->input_room) {
		while (room < op->input_len + len)
			room *= 2;
		input = malloc(room);
		if (!input)
			return CKR_HOST_MEMORY;
		if (op->input_len)
			memcpy(input, op->input, op->input_len);
		operation_drop(&op->input, op->input_room);
		op->input = input;
		op->input_room = room;
	}
	memcpy(op->input + op->input_len, in, len);
	op->input_len += len;
	return CKR_OK;
}

static CK_RV update_kept(struct session *session, enum pciehsm_function fn, const uint8_t *in,
			 size_t len)
{
	struct operation *op = session->ops[fn];
	size_t part;
	CK_RV rv;

	if (!len)
		return CKR_OK;
	if (!op->on_card && len <= KEEP_MAX && op->input_len + len <= KEEP_MAX)
		return operation_keep_input(op, in, len);
	rv = op->on_card ? CKR_OK : flush_input(session, fn);
	for (; rv == CKR_OK && len; in += part, len -= part) {
		part = len < PART_MAX ? len : PART_MAX;
		rv = ha_crypt_update(session->token->ha, session->number, fn, in, part, NULL, NULL);
	}
	return rv;
}

CK_RV operation_do_final(void *arg, void *out, size_t *out_len)
{
	const struct operation_call *s = arg;

	return ha_crypt_final(s->session->token->ha, s->session->number, s->fn, NULL, 0, out,
			      out_len);
}

static CK_RV final_kept(struct session *session, enum pciehsm_function fn, const void *sig,
			size_t sig_len, void *out, CK_ULONG *out_len)
{
	struct operation *op = session->ops[fn];
	struct operation_call s = { session, op, fn, op->input, op->input_len };
	struct ha_token *ha = session->token->ha;
	size_t bound;
	bool exact;

	if (fn == PCIEHSM_FN_VERIFY) {
		if (op->on_card)
			return ha_crypt_final(ha, session->number, fn, sig, sig_len, NULL, NULL);
		return ha_crypt(ha, session->number, fn, &op->mech.m, &op->key, op->input,
				op->input_len, sig, sig_len, NULL, NULL);
	}
	bound = expected(op, fn, 0, &exact);
	if (exact && *out_len < bound) {
		*out_len = bound;
		return CKR_BUFFER_TOO_SMALL;
	}
	if (!op->on_card)
		return run_step(operation_do_single, &s, bound ? bound : 16384, out, out_len, NULL, NULL);
	op->output_final = true;
	return run_step(operation_do_final, &s, bound ? bound : 16384, out, out_len, &op->output,
			&op->output_len);
}

CK_RV operation_digest_key(struct session *session, CK_OBJECT_HANDLE key)
{
	struct operation *op = operation_active(session, PCIEHSM_FN_DIGEST, OPERATION_PLAIN);
	struct ha_ouid ouid;
	CK_RV rv;

	if (!op)
		return CKR_OPERATION_NOT_INITIALIZED;
	rv = session_object(session, key, &ouid, NULL);
	if (rv != CKR_OK)
		return settle(session, PCIEHSM_FN_DIGEST,
			      rv == CKR_OBJECT_HANDLE_INVALID ? CKR_KEY_HANDLE_INVALID : rv);
	op->several = true;
	rv = flush_input(session, PCIEHSM_FN_DIGEST);
	if (rv == CKR_OK)
		rv = ha_digest_key(session->token->ha, session->number, &ouid);
	return rv == CKR_OK ? rv : settle(session, PCIEHSM_FN_DIGEST, rv);
}

/* ---- several parts: encrypt, decrypt ---- */

CK_RV operation_do_update(void *arg, void *out, size_t *out_len)
{
	const struct operation_call *s = arg;
	struct ha_token *ha = s->session->token->ha;
	size_t at = 0, done = 0, room, part;
	CK_RV rv;

	do {
		part = s->in_len - at < PART_MAX ? s->in_len - at : PART_MAX;
		/* The card counts room in units of 8. */
		room = *out_len - done;
		rv = ha_crypt_update(ha, s->session->number, s->fn,
				     s->in ? (const uint8_t *)s->in + at : NULL, part,
				     (uint8_t *)out + done, &room);
		at += part;
		if (rv == CKR_OK)
			done += room;
	} while (rv == CKR_OK && at < s->in_len);
	*out_len = done;
	return rv;
}

/* Is the output of the last call still to be fetched, and is it this call's? */
static bool fetch(struct session *session, enum pciehsm_function fn, CK_ULONG in_len, bool final,
		  void *out, CK_ULONG *out_len, CK_RV *rv)
{
	struct operation *op = session->ops[fn];

	if (!op->output)
		return false;
	if (op->output_of != in_len || op->output_final != final) {
		/*
		 * The call that CKR_BUFFER_TOO_SMALL asked to be repeated was not. What the
		 * card has taken in can not be taken back, so this is the end.
		 */
		*rv = settle(session, fn, CKR_GENERAL_ERROR);
		return true;
	}
	*rv = CKR_OK;
	if (out && *out_len < op->output_len) {
		*rv = CKR_BUFFER_TOO_SMALL;
	} else if (out) {
		memcpy(out, op->output, op->output_len);
		*out_len = op->output_len;
		operation_drop(&op->output, op->output_len);
		if (final)
			*rv = settle(session, fn, CKR_OK);
		return true;
	}
	*out_len = op->output_len;
	return true;
}

static CK_RV update_cipher(struct session *session, enum pciehsm_function fn, const void *in,
			   CK_ULONG in_len, void *out, CK_ULONG *out_len)
{
	struct operation *op = session->ops[fn];
	struct operation_call s = { session, op, fn, in, in_len };
	size_t bound = (in_len + PART_EXTRA) & ~7UL;
	CK_RV rv;

	if (!out_len || in_len > SIZE_MAX / 2)
		return settle(session, fn, CKR_ARGUMENTS_BAD);
	if (fetch(session, fn, in_len, false, out, out_len, &rv))
		return rv;
	if (!out) {
		*out_len = in_len + 16;
		return CKR_OK;
	}
	op->several = true;
	rv = op->on_card ? CKR_OK : operation_begin_on_card(session, fn);
	if (rv == CKR_OK) {
		op->output_of = in_len;
		op->output_final = false;
		rv = run_step(operation_do_update, &s, bound, out, out_len, &op->output, &op->output_len);
	}
	if (rv == CKR_OK || rv == CKR_BUFFER_TOO_SMALL)
		op->total += in_len;
	return rv == CKR_OK ? rv : settle(session, fn, rv);
}

static CK_RV final_cipher(struct session *session, enum pciehsm_function fn, void *out,
			  CK_ULONG *out_len)
{
	struct operation *op = session->ops[fn];
	struct operation_call s = { session, op, fn, NULL, 0 };
	size_t bound = PART_EXTRA;
	CK_RV rv;

	if (fetch(session, fn, 0, true, out, out_len, &rv))
		return rv;
	/* A plaintext with a tag is given when the tag has proved right, and all at once. */
	if (fn == PCIEHSM_FN_DECRYPT && op->mech.m.mechanism == CKM_AES_GCM)
		bound += op->total & ~7UL;
	if (!out) {
		*out_len = bound;
		return CKR_OK;
	}
	rv = op->on_card ? CKR_OK : operation_begin_on_card(session, fn);
	if (rv == CKR_OK) {
		op->output_of = 0;
		op->output_final = true;
		rv = run_step(operation_do_final, &s, bound, out, out_len, &op->output, &op->output_len);
	}
	return settle(session, fn, rv);
}

/* ---- several parts ---- */

CK_RV operation_update(struct session *session, enum pciehsm_function fn,
		       enum operation_kind kind,
		       const void *in, CK_ULONG in_len, void *out, CK_ULONG *out_len)
{
	struct operation *op = operation_active(session, fn, kind);
	CK_RV rv;

	if (!op)
		return CKR_OPERATION_NOT_INITIALIZED;
	if (!in && in_len)
		return settle(session, fn, CKR_ARGUMENTS_BAD);
	if (!gives_at_end(fn))
		return update_cipher(session, fn, in, in_len, out, out_len);
	op->several = true;
	rv = update_kept(session, fn, in, in_len);
	return rv == CKR_OK ? rv : settle(session, fn, rv);
}

CK_RV operation_final(struct session *session, enum pciehsm_function fn,
		      enum operation_kind kind,
		      const void *sig, CK_ULONG sig_len, void *out, CK_ULONG *out_len)
{
	struct operation *op = operation_active(session, fn, kind);
	size_t bound;
	bool exact;
	CK_RV rv;

	if (!op)
		return CKR_OPERATION_NOT_INITIALIZED;
	if ((!sig && sig_len) || (fn != PCIEHSM_FN_VERIFY && !out_len))
		return settle(session, fn, CKR_ARGUMENTS_BAD);
	if (!gives_at_end(fn))
		return final_cipher(session, fn, out, out_len);
	if (fn != PCIEHSM_FN_VERIFY) {
		if (fetch(session, fn, 0, true, out, out_len, &rv))
			return rv;
		bound = expected(op, fn, 0, &exact);
		if (!out && bound) {
			*out_len = bound;
			return CKR_OK;
		}
	}
	op->output_of = 0;
	rv = final_kept(session, fn, sig, sig_len, out, out_len);
	if (!out && fn != PCIEHSM_FN_VERIFY && rv == CKR_OK)
		return rv;
	return settle(session, fn, rv);
}
