// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Operations on messages (PKCS#11 3.0, 5.10 to 5.17), and verification of a signature that
 * is known beforehand (3.2).
 *
 * A message is to an operation on messages what an operation is to a key: it ends with
 * its last call or with an error, and the next one may follow. For ciphers there is
 * AES-GCM, whose parameter comes with each message; for signatures there are all
 * mechanisms that sign, which have none.
 */
#include <stdlib.h>
#include <string.h>

#include "operation.h"

/* ---- the parameter of AES-GCM ---- */

static bool gcm_parameter(const void *parameter, CK_ULONG len, CK_GCM_MESSAGE_PARAMS *p)
{
	if (!parameter || len != sizeof(*p))
		return false;
	memcpy(p, parameter, sizeof(*p));
	return p->pIv && p->ulIvLen && p->ulIvLen <= 256 && p->pTag && p->ulTagBits &&
	       p->ulTagBits <= 128 && !(p->ulTagBits % 8) &&
	       p->ulIvFixedBits <= 8 * p->ulIvLen && p->ivGenerator <= CKG_GENERATE_COUNTER_XOR;
}

static void as_mechanism(const CK_GCM_MESSAGE_PARAMS *p, const void *aad, CK_ULONG aad_len,
			 CK_GCM_PARAMS *gcm, CK_MECHANISM *mech)
{
	*gcm = (CK_GCM_PARAMS){
		.pIv = p->pIv, .ulIvLen = p->ulIvLen, .ulIvBits = 8 * p->ulIvLen,
		.pAAD = (CK_BYTE *)aad, .ulAADLen = aad_len, .ulTagBits = p->ulTagBits,
	};
	*mech = (CK_MECHANISM){ CKM_AES_GCM, gcm, sizeof(*gcm) };
}

/* The counter, as many bits of it as are not fixed; false: there are no more values. */
static bool count(struct operation *op, CK_ULONG bits, uint8_t *made, size_t len)
{
	uint64_t n = op->messages;
	size_t i;

	if (bits < 64 && n >> bits)
		return false;
	for (i = len; i && n; n >>= 8)
		made[--i] = (uint8_t)n;
	return true;
}

/*
 * Make up the part of an IV that is not fixed. The counter belongs to the operation; who
 * uses a key in several at once gives each a fixed part of its own (SP 800-38D, 8.2.1).
 */
static CK_RV make_iv(struct session *session, struct operation *op, CK_GCM_MESSAGE_PARAMS *p)
{
	CK_ULONG bits = 8 * p->ulIvLen - p->ulIvFixedBits, i, fixed;
	uint8_t made[IV_MAX] = { 0 }, mask;
	CK_RV rv = CKR_OK;

	if (p->ivGenerator == CKG_NO_GENERATE)
		return CKR_OK;
	if (p->ulIvLen > IV_MAX || !bits)
		return CKR_ARGUMENTS_BAD;
	if (!op->messages)
		memcpy(op->iv, p->pIv, p->ulIvLen);
	if (p->ivGenerator == CKG_GENERATE || p->ivGenerator == CKG_GENERATE_RANDOM)
		rv = ha_random(session->token->ha, made, p->ulIvLen);
	else if (!count(op, bits, made, p->ulIvLen))
		rv = CKR_TOKEN_RESOURCE_EXCEEDED;
	if (rv != CKR_OK)
		return rv;
	for (i = 0; i < p->ulIvLen; i++) {
		fixed = p->ulIvFixedBits > 8 * i ? p->ulIvFixedBits - 8 * i : 0;
		mask = fixed >= 8 ? 0xff : (uint8_t)~(0xff >> fixed);
		if (p->ivGenerator == CKG_GENERATE_COUNTER_XOR)
			p->pIv[i] = op->iv[i] ^ (made[i] & (uint8_t)~mask);
		else
			p->pIv[i] = (p->pIv[i] & mask) | (made[i] & (uint8_t)~mask);
	}
	op->messages++;
	return CKR_OK;
}

/* ---- ciphers ---- */

static CK_RV cipher_init(CK_SESSION_HANDLE handle, enum pciehsm_function fn, CK_MECHANISM *mech,
			 CK_OBJECT_HANDLE key)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);

	if (rv != CKR_OK)
		return rv;
	if (mech && mech->mechanism != CKM_AES_GCM)
		rv = CKR_MECHANISM_INVALID;
	else
		rv = operation_init(session, fn, OPERATION_MESSAGES, mech, key);
	return session_leave(session, rv);
}

/* A message with its tag behind it: from @in to @out, both of room for both. */
static CK_RV whole(struct session *session, struct operation *op, enum pciehsm_function fn,
		   const CK_MECHANISM *mech, const uint8_t *in, size_t in_len, uint8_t *out,
		   size_t *out_len)
{
	struct operation_call call = { session, op, fn, in, in_len };
	CK_RV rv;

	op->mech.m = *mech;
	rv = in_len > PART_MAX ? operation_do_long(&call, out, out_len) :
				 operation_do_single(&call, out, out_len);
	op->mech.m = (CK_MECHANISM){ .mechanism = CKM_AES_GCM };
	operation_end_message(session, fn);
	return rv == CKR_BUFFER_TOO_SMALL ? CKR_DEVICE_ERROR : rv;
}

static CK_RV encrypt_whole(struct session *session, struct operation *op,
			   CK_GCM_MESSAGE_PARAMS *p, const CK_MECHANISM *mech, const uint8_t *in,
			   size_t in_len, uint8_t *out)
{
	size_t tag = p->ulTagBits / 8, room = (in_len + tag + PART_EXTRA) & ~7UL, len = room;
	uint8_t *both = malloc(room);
	CK_RV rv;

	if (!both)
		return CKR_HOST_MEMORY;
	rv = make_iv(session, op, p);
	if (rv == CKR_OK)
		rv = whole(session, op, PCIEHSM_FN_ENCRYPT, mech, in, in_len, both, &len);
	if (rv == CKR_OK && len != in_len + tag)
		rv = CKR_DEVICE_ERROR;
	if (rv == CKR_OK) {
		if (in_len)
			memcpy(out, both, in_len);
		memcpy(p->pTag, both + in_len, tag);
	}
	operation_drop(&both, room);
	return rv;
}

/* @first and @in are one after the other what the application has; only the tag is behind. */
static CK_RV decrypt_whole(struct session *session, struct operation *op,
			   const CK_GCM_MESSAGE_PARAMS *p, const CK_MECHANISM *mech,
			   const uint8_t *first, size_t first_len, const uint8_t *in,
			   size_t in_len, uint8_t *out)
{
	size_t tag = p->ulTagBits / 8, len = first_len + in_len;
	uint8_t *both = malloc(len + tag), *plain = malloc(len + PART_EXTRA);
	size_t plain_len = (len + PART_EXTRA) & ~7UL;
	CK_RV rv = CKR_HOST_MEMORY;

	if (both && plain) {
		if (first_len)
			memcpy(both, first, first_len);
		if (in_len)
			memcpy(both + first_len, in, in_len);
		memcpy(both + len, p->pTag, tag);
		rv = whole(session, op, PCIEHSM_FN_DECRYPT, mech, both, len + tag, plain,
			   &plain_len);
		if (rv == CKR_OK && plain_len != len)
			rv = CKR_DEVICE_ERROR;
		if (rv == CKR_OK && len)
			memcpy(out, plain, len);
	}
	operation_drop(&plain, len + PART_EXTRA);
	free(both);
	return rv;
}

/* What C_EncryptMessage and C_DecryptMessage have in common: the output's length first. */
static CK_RV cipher_message(struct session *session, enum pciehsm_function fn,
			    void *parameter, CK_ULONG parameter_len, const uint8_t *aad,
			    CK_ULONG aad_len, const uint8_t *in, CK_ULONG in_len, uint8_t *out,
			    CK_ULONG *out_len)
{
	struct operation *op = operation_active(session, fn, OPERATION_MESSAGES);
	CK_GCM_MESSAGE_PARAMS p;
	CK_MECHANISM mech;
	CK_GCM_PARAMS gcm;
	CK_RV rv;

	if (!op)
		return CKR_OPERATION_NOT_INITIALIZED;
	if (op->several)
		return CKR_OPERATION_ACTIVE;
	if (!gcm_parameter(parameter, parameter_len, &p) || (!aad && aad_len) ||
	    (!in && in_len) || !out_len || in_len > SIZE_MAX / 2)
		return CKR_ARGUMENTS_BAD;
	if ((!out && in_len) || *out_len < in_len) {
		*out_len = in_len;
		return out ? CKR_BUFFER_TOO_SMALL : CKR_OK;
	}
	as_mechanism(&p, aad, aad_len, &gcm, &mech);
	rv = fn == PCIEHSM_FN_ENCRYPT ?
		encrypt_whole(session, op, &p, &mech, in, in_len, out) :
		decrypt_whole(session, op, &p, &mech, NULL, 0, in, in_len, out);
	if (rv == CKR_OK)
		*out_len = in_len;
	return rv;
}

static CK_RV cipher_begin(struct session *session, enum pciehsm_function fn, void *parameter,
			  CK_ULONG parameter_len, const uint8_t *aad, CK_ULONG aad_len)
{
	struct operation *op = operation_active(session, fn, OPERATION_MESSAGES);
	CK_GCM_MESSAGE_PARAMS p;
	CK_MECHANISM mech;
	CK_GCM_PARAMS gcm;
	CK_RV rv = CKR_OK;

	if (!op)
		return CKR_OPERATION_NOT_INITIALIZED;
	if (op->several)
		return CKR_OPERATION_ACTIVE;
	if (!gcm_parameter(parameter, parameter_len, &p) || (!aad && aad_len))
		return CKR_ARGUMENTS_BAD;
	if (fn == PCIEHSM_FN_ENCRYPT)
		rv = make_iv(session, op, &p);
	if (rv != CKR_OK)
		return rv;
	as_mechanism(&p, aad, aad_len, &gcm, &mech);
	rv = mechanism_copy(&op->mech, session, &mech);
	if (rv == CKR_OK && fn == PCIEHSM_FN_ENCRYPT) {
		rv = operation_begin_on_card(session, fn);
		if (rv != CKR_OK)
			mechanism_wipe(&op->mech);
	}
	op->several = rv == CKR_OK;
	if (rv != CKR_OK)
		op->mech.m = (CK_MECHANISM){ .mechanism = CKM_AES_GCM };
	return rv;
}

/* The end of a message of several parts, good or bad */
static CK_RV end_parts(struct session *session, enum pciehsm_function fn, CK_RV rv)
{
	struct operation *op = session->ops[fn];

	operation_end_message(session, fn);
	mechanism_wipe(&op->mech);
	op->mech.m = (CK_MECHANISM){ .mechanism = CKM_AES_GCM };
	return rv;
}

static CK_RV encrypt_part(struct session *session, struct operation *op,
			  const CK_GCM_MESSAGE_PARAMS *p, const uint8_t *in, size_t in_len,
			  uint8_t *out, bool last)
{
	struct operation_call call = { session, op, PCIEHSM_FN_ENCRYPT, in, in_len };
	size_t tag = p->ulTagBits / 8, room = (in_len + tag + 2 * PART_EXTRA) & ~7UL;
	size_t len = room, rest = 0;
	uint8_t *own = malloc(room);
	CK_RV rv = CKR_OK;

	if (!own)
		return CKR_HOST_MEMORY;
	if (in_len)
		rv = operation_do_update(&call, own, &len);
	else
		len = 0;
	if (rv == CKR_OK && last) {
		rest = (room - len) & ~7UL;
		rv = operation_do_final(&call, own + len, &rest);
		if (rv == CKR_OK)
			op->on_card = false;
	}
	/* A stream cipher holds nothing back. */
	if (rv == CKR_OK && (len != in_len || (last && rest != tag)))
		rv = CKR_DEVICE_ERROR;
	if (rv == CKR_OK && in_len)
		memcpy(out, own, in_len);
	if (rv == CKR_OK && last)
		memcpy(p->pTag, own + len, tag);
	operation_drop(&own, room);
	return rv == CKR_BUFFER_TOO_SMALL ? CKR_DEVICE_ERROR : rv;
}

/*
 * Plaintext is given when the tag has proved right, and that is at the end: until then
 * the parts give nothing, and the last one gives it all.
 */
static CK_RV decrypt_part(struct session *session, struct operation *op,
			  const CK_GCM_MESSAGE_PARAMS *p, const uint8_t *in, size_t in_len,
			  uint8_t *out, bool last)
{
	CK_MECHANISM mech = op->mech.m;
	uint8_t *first = op->input;
	size_t first_len = op->input_len;
	CK_RV rv;

	if (!last)
		return in_len ? operation_keep_input(op, in, in_len) : CKR_OK;
	/* Ending the message would drop what was kept, and forgets the mechanism. */
	op->input = NULL;
	rv = decrypt_whole(session, op, p, &mech, first, first_len, in, in_len, out);
	op->mech.m = mech;
	operation_drop(&first, first_len);
	return rv;
}

static CK_RV cipher_next(struct session *session, enum pciehsm_function fn, void *parameter,
			 CK_ULONG parameter_len, const uint8_t *in, CK_ULONG in_len, uint8_t *out,
			 CK_ULONG *out_len, CK_FLAGS flags)
{
	struct operation *op = operation_active(session, fn, OPERATION_MESSAGES);
	bool last = flags & CKF_END_OF_MESSAGE, encrypt = fn == PCIEHSM_FN_ENCRYPT;
	CK_GCM_MESSAGE_PARAMS p;
	size_t gives;
	CK_RV rv;

	if (!op || !op->several)
		return CKR_OPERATION_NOT_INITIALIZED;
	if (!gcm_parameter(parameter, parameter_len, &p) || (!in && in_len) || !out_len ||
	    in_len > SIZE_MAX / 4)
		return end_parts(session, fn, CKR_ARGUMENTS_BAD);
	/* The tag's length was said when the message began. */
	if (((const CK_GCM_PARAMS *)op->mech.m.pParameter)->ulTagBits != p.ulTagBits)
		return end_parts(session, fn, CKR_ARGUMENTS_BAD);
	if (!encrypt && op->input_len + in_len > PART_MAX)
		return end_parts(session, fn, CKR_ENCRYPTED_DATA_LEN_RANGE);
	gives = encrypt ? in_len : last ? op->input_len + in_len : 0;
	if ((!out && gives) || *out_len < gives) {
		*out_len = gives;
		return out ? CKR_BUFFER_TOO_SMALL : CKR_OK;
	}
	rv = encrypt ? encrypt_part(session, op, &p, in, in_len, out, last) :
		       decrypt_part(session, op, &p, in, in_len, out, last);
	if (rv == CKR_OK)
		*out_len = gives;
	return rv == CKR_OK && !last ? rv : end_parts(session, fn, rv);
}

/* ---- signatures ---- */

static CK_RV sign_init(CK_SESSION_HANDLE handle, enum pciehsm_function fn, CK_MECHANISM *mech,
		       CK_OBJECT_HANDLE key)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);

	return rv == CKR_OK ? session_leave(session, operation_init(session, fn,
							OPERATION_MESSAGES, mech, key)) : rv;
}

static CK_RV sign_whole(CK_SESSION_HANDLE handle, enum pciehsm_function fn, const void *parameter,
			CK_ULONG parameter_len, const void *in, CK_ULONG in_len, const void *sig,
			CK_ULONG sig_len, void *out, CK_ULONG *out_len)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);

	if (rv != CKR_OK)
		return rv;
	if (!operation_active(session, fn, OPERATION_MESSAGES))
		rv = CKR_OPERATION_NOT_INITIALIZED;
	else if (parameter || parameter_len)
		rv = CKR_ARGUMENTS_BAD;
	else
		rv = operation_single(session, fn, OPERATION_MESSAGES, in, in_len, sig, sig_len,
				      out, out_len);
	return session_leave(session, rv);
}

static CK_RV sign_begin(CK_SESSION_HANDLE handle, enum pciehsm_function fn, const void *parameter,
			CK_ULONG parameter_len)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);
	struct operation *op;

	if (rv != CKR_OK)
		return rv;
	op = operation_active(session, fn, OPERATION_MESSAGES);
	if (!op)
		rv = CKR_OPERATION_NOT_INITIALIZED;
	else if (op->several)
		rv = CKR_OPERATION_ACTIVE;
	else if (parameter || parameter_len)
		rv = CKR_ARGUMENTS_BAD;
	else
		op->several = true;
	return session_leave(session, rv);
}

/* @sig or @out_len: it is the last part. */
static CK_RV sign_next(CK_SESSION_HANDLE handle, enum pciehsm_function fn, const void *parameter,
		       CK_ULONG parameter_len, const void *in, CK_ULONG in_len, const void *sig,
		       CK_ULONG sig_len, void *out, CK_ULONG *out_len)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);
	struct operation *op;
	size_t bound;

	if (rv != CKR_OK)
		return rv;
	op = operation_active(session, fn, OPERATION_MESSAGES);
	if (!op || !op->several)
		return session_leave(session, CKR_OPERATION_NOT_INITIALIZED);
	if (parameter || parameter_len) {
		operation_end_message(session, fn);
		return session_leave(session, CKR_ARGUMENTS_BAD);
	}
	/* With the signature's length only asked for, or no room for it, the part comes again. */
	bound = out_len ? length_of_signature(&op->mech.m, &op->info) : 0;
	if (out && *out_len < bound) {
		*out_len = bound;
		return session_leave(session, CKR_BUFFER_TOO_SMALL);
	}
	if (!out_len || out)
		rv = operation_update(session, fn, OPERATION_MESSAGES, in, in_len, NULL, NULL);
	if (rv == CKR_OK && (sig || out_len))
		rv = operation_final(session, fn, OPERATION_MESSAGES, sig, sig_len, out, out_len);
	return session_leave(session, rv);
}

static CK_RV end(CK_SESSION_HANDLE handle, enum pciehsm_function fn)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);

	if (rv != CKR_OK)
		return rv;
	if (operation_active(session, fn, OPERATION_MESSAGES))
		operation_end(session, fn);
	else
		rv = CKR_OPERATION_NOT_INITIALIZED;
	return session_leave(session, rv);
}

/* ---- by the standard's names ---- */

#define CIPHER(name, fn)									\
CK_RV message_##name##_init(CK_SESSION_HANDLE handle, CK_MECHANISM *mech, CK_OBJECT_HANDLE key)	\
{												\
	return cipher_init(handle, fn, mech, key);						\
}												\
												\
CK_RV message_##name(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_len,		\
		     CK_BYTE *aad, CK_ULONG aad_len, CK_BYTE *in, CK_ULONG in_len, CK_BYTE *out,	\
		     CK_ULONG *out_len)								\
{												\
	struct session *session;								\
	CK_RV rv = session_enter(handle, &session);						\
												\
	return rv == CKR_OK ?									\
		session_leave(session, cipher_message(session, fn, parameter, parameter_len,	\
						      aad, aad_len, in, in_len, out,		\
						      out_len)) : rv;				\
}												\
												\
CK_RV message_##name##_begin(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_len,	\
			     CK_BYTE *aad, CK_ULONG aad_len)					\
{												\
	struct session *session;								\
	CK_RV rv = session_enter(handle, &session);						\
												\
	return rv == CKR_OK ?									\
		session_leave(session, cipher_begin(session, fn, parameter, parameter_len,	\
						    aad, aad_len)) : rv;			\
}												\
												\
CK_RV message_##name##_next(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_len,	\
			    CK_BYTE *in, CK_ULONG in_len, CK_BYTE *out, CK_ULONG *out_len,	\
			    CK_FLAGS flags)							\
{												\
	struct session *session;								\
	CK_RV rv = session_enter(handle, &session);						\
												\
	return rv == CKR_OK ?									\
		session_leave(session, cipher_next(session, fn, parameter, parameter_len, in,	\
						   in_len, out, out_len, flags)) : rv;		\
}												\
												\
CK_RV message_##name##_final(CK_SESSION_HANDLE handle)						\
{												\
	return end(handle, fn);									\
}

CIPHER(encrypt, PCIEHSM_FN_ENCRYPT)
CIPHER(decrypt, PCIEHSM_FN_DECRYPT)

CK_RV message_sign_init(CK_SESSION_HANDLE handle, CK_MECHANISM *mech, CK_OBJECT_HANDLE key)
{
	return sign_init(handle, PCIEHSM_FN_SIGN, mech, key);
}

CK_RV message_sign(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_len,
		   CK_BYTE *in, CK_ULONG in_len, CK_BYTE *sig, CK_ULONG *sig_len)
{
	return sign_whole(handle, PCIEHSM_FN_SIGN, parameter, parameter_len, in, in_len, NULL, 0,
			  sig, sig_len);
}

CK_RV message_sign_begin(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_len)
{
	return sign_begin(handle, PCIEHSM_FN_SIGN, parameter, parameter_len);
}

CK_RV message_sign_next(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_len,
			CK_BYTE *in, CK_ULONG in_len, CK_BYTE *sig, CK_ULONG *sig_len)
{
	return sign_next(handle, PCIEHSM_FN_SIGN, parameter, parameter_len, in, in_len, NULL, 0,
			 sig, sig_len);
}

CK_RV message_sign_final(CK_SESSION_HANDLE handle)
{
	return end(handle, PCIEHSM_FN_SIGN);
}

CK_RV message_verify_init(CK_SESSION_HANDLE handle, CK_MECHANISM *mech, CK_OBJECT_HANDLE key)
{
	return sign_init(handle, PCIEHSM_FN_VERIFY, mech, key);
}

CK_RV message_verify(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_len,
		     CK_BYTE *in, CK_ULONG in_len, CK_BYTE *sig, CK_ULONG sig_len)
{
	return sign_whole(handle, PCIEHSM_FN_VERIFY, parameter, parameter_len, in, in_len, sig,
			  sig_len, NULL, NULL);
}

CK_RV message_verify_begin(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_len)
{
	return sign_begin(handle, PCIEHSM_FN_VERIFY, parameter, parameter_len);
}

CK_RV message_verify_next(CK_SESSION_HANDLE handle, void *parameter, CK_ULONG parameter_len,
			  CK_BYTE *in, CK_ULONG in_len, CK_BYTE *sig, CK_ULONG sig_len)
{
	return sign_next(handle, PCIEHSM_FN_VERIFY, parameter, parameter_len, in, in_len, sig,
			 sig_len, NULL, NULL);
}

CK_RV message_verify_final(CK_SESSION_HANDLE handle)
{
	return end(handle, PCIEHSM_FN_VERIFY);
}

/* ---- a signature that is known beforehand ---- */

CK_RV verify_signature_init(CK_SESSION_HANDLE handle, CK_MECHANISM *mech, CK_OBJECT_HANDLE key,
			    CK_BYTE *sig, CK_ULONG sig_len)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);
	uint8_t *copy = NULL;

	if (rv != CKR_OK)
		return rv;
	if (mech && ((!sig && sig_len) || sig_len > PCIEHSM_MSG_MAX))
		return session_leave(session, CKR_ARGUMENTS_BAD);
	if (mech) {
		copy = malloc(sig_len ? sig_len : 1);
		if (!copy)
			return session_leave(session, CKR_HOST_MEMORY);
		if (sig_len)
			memcpy(copy, sig, sig_len);
	}
	rv = operation_init(session, PCIEHSM_FN_VERIFY, OPERATION_SIGNATURE, mech, key);
	if (rv == CKR_OK && mech) {
		session->ops[PCIEHSM_FN_VERIFY]->sig = copy;
		session->ops[PCIEHSM_FN_VERIFY]->sig_len = sig_len;
	} else {
		free(copy);
	}
	return session_leave(session, rv);
}

/* The signature as the end of the operation needs it: this ends with the operation. */
static uint8_t *take_signature(struct session *session, size_t *len)
{
	struct operation *op = operation_active(session, PCIEHSM_FN_VERIFY, OPERATION_SIGNATURE);
	uint8_t *sig = op ? op->sig : NULL;

	*len = op ? op->sig_len : 0;
	if (op)
		op->sig = NULL;
	return sig;
}

CK_RV verify_signature(CK_SESSION_HANDLE handle, CK_BYTE *in, CK_ULONG in_len)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);
	struct operation *op;
	uint8_t *sig;
	size_t len;

	if (rv != CKR_OK)
		return rv;
	op = operation_active(session, PCIEHSM_FN_VERIFY, OPERATION_SIGNATURE);
	if (op && op->several)
		return session_leave(session, CKR_OPERATION_ACTIVE);
	sig = take_signature(session, &len);
	rv = operation_single(session, PCIEHSM_FN_VERIFY, OPERATION_SIGNATURE, in, in_len, sig,
			      len, NULL, NULL);
	operation_drop(&sig, len);
	return session_leave(session, rv);
}

CK_RV verify_signature_update(CK_SESSION_HANDLE handle, CK_BYTE *in, CK_ULONG in_len)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);

	return rv == CKR_OK ?
		session_leave(session, operation_update(session, PCIEHSM_FN_VERIFY,
							OPERATION_SIGNATURE, in, in_len, NULL,
							NULL)) : rv;
}

CK_RV verify_signature_final(CK_SESSION_HANDLE handle)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);
	uint8_t *sig;
	size_t len;

	if (rv != CKR_OK)
		return rv;
	sig = take_signature(session, &len);
	rv = operation_final(session, PCIEHSM_FN_VERIFY, OPERATION_SIGNATURE, sig, len, NULL,
			     NULL);
	operation_drop(&sig, len);
	return session_leave(session, rv);
}
