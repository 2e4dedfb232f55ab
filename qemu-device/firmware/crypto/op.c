// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Operations: the checks, the room for results, and the choice between one part and
 * several. What a mechanism does itself is in op_*.c.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "crypto/internal.h"
#include "crypto/key.h"
#include "crypto/secret.h"

/* libcrypto's lengths are int; nothing near that comes in a message. */
#define FW_IN_MAX	(INT_MAX / 2)

static const struct fw_mech_params fw_no_params;

static CK_ULONG fw_fn_flag(enum pciehsm_function fn)
{
	switch (fn) {
	case PCIEHSM_FN_ENCRYPT:
		return CKF_ENCRYPT;
	case PCIEHSM_FN_DECRYPT:
		return CKF_DECRYPT;
	case PCIEHSM_FN_SIGN:
		return CKF_SIGN;
	case PCIEHSM_FN_SIGN_RECOVER:
		return CKF_SIGN_RECOVER;
	case PCIEHSM_FN_VERIFY:
		return CKF_VERIFY;
	case PCIEHSM_FN_VERIFY_RECOVER:
		return CKF_VERIFY_RECOVER;
	case PCIEHSM_FN_DIGEST:
		return CKF_DIGEST;
	}
	return 0;
}

CK_RV fw_params_only(const struct fw_mech_params *p, uint32_t must, uint32_t may)
{
	return (p->have & must) == must && !(p->have & ~(must | may)) ? CKR_OK :
		CKR_MECHANISM_PARAM_INVALID;
}

CK_RV fw_work_init(struct fw_work *w, enum pciehsm_function fn, CK_ULONG flag, CK_ULONG mech,
		   const struct fw_mech_params *params, struct fw_key *key)
{
	unsigned int size;

	memset(w, 0, sizeof(*w));
	w->fn = fn;
	w->mech = fw_mech_get(mech);
	w->p = params ? params : &fw_no_params;
	w->key = key;
	if (!flag)
		flag = fw_fn_flag(fn);
	if (!flag || !w->mech || !w->mech->ops || !(w->mech->info.flags & flag))
		return CKR_MECHANISM_INVALID;
	if (!key != (fn == PCIEHSM_FN_DIGEST))
		return CKR_ARGUMENTS_BAD;
	if (key) {
		CK_RV rv = w->mech->ops->check(w, w->p);

		if (rv != CKR_OK)
			return rv;
		size = key->class == CKO_SECRET_KEY ? key->bits / 8 : key->bits;
		if (size < w->mech->info.min_key || size > w->mech->info.max_key)
			return CKR_KEY_SIZE_RANGE;
		return CKR_OK;
	}
	return w->mech->ops->check(w, w->p);
}

/* What libcrypto noted about a failure is nobody's business and would pile up. */
static CK_RV fw_work_run(const struct fw_work *w, struct fw_bytes in, const struct fw_bytes *sig,
			 uint8_t *out, size_t *out_len)
{
	CK_RV rv = w->mech->ops->once(w, in, sig, out, out_len);

	if (rv != CKR_OK)
		ERR_clear_error();
	return rv;
}

/*
 * The families write without looking at the room, so that each has one way to do it. When
 * the caller has less than the bound, which may be more than the result, they write
 * into memory of our own first.
 */
CK_RV fw_work_once(const struct fw_work *w, struct fw_bytes in, const struct fw_bytes *sig,
		   uint8_t *out, size_t *out_len)
{
	size_t bound, len;
	uint8_t *mem;
	CK_RV rv;

	if (in.len > FW_IN_MAX)
		return fw_is_decrypt(w) ? CKR_ENCRYPTED_DATA_LEN_RANGE : CKR_DATA_LEN_RANGE;
	if (fw_is_verify(w))
		return fw_work_run(w, in, sig, NULL, NULL);
	bound = w->mech->ops->bound(w, in.len);
	if (!out) {
		*out_len = bound;
		return CKR_OK;
	}
	if (*out_len >= bound)
		return fw_work_run(w, in, NULL, out, out_len);
	mem = malloc(bound);
	if (!mem)
		return CKR_HOST_MEMORY;
	len = bound;
	rv = fw_work_run(w, in, NULL, mem, &len);
	if (rv == CKR_OK && len > *out_len)
		rv = CKR_BUFFER_TOO_SMALL;
	else if (rv == CKR_OK && len)
		memcpy(out, mem, len);
	if (rv == CKR_OK || rv == CKR_BUFFER_TOO_SMALL)
		*out_len = len;
	fw_wipe_free(mem, bound);
	return rv;
}

CK_RV fw_op_once(enum pciehsm_function fn, CK_ULONG mech, const struct fw_mech_params *params,
		 struct fw_key *key, const uint8_t *in, size_t in_len,
		 const struct fw_bytes *sig, uint8_t *out, size_t *out_len)
{
	struct fw_bytes data = { in, in_len };
	struct fw_work w;
	CK_RV rv;

	rv = fw_work_init(&w, fn, 0, mech, params, key);
	if (rv != CKR_OK)
		return rv;
	if (!sig != !fw_is_verify(&w))
		return CKR_ARGUMENTS_BAD;
	return fw_work_once(&w, data, sig, out, out_len);
}

/* ---- several parts ---- */

static void fw_op_copy_bytes(struct fw_op *op, struct fw_bytes *bytes, size_t *used)
{
	if (bytes->len)
		memcpy(op->param_mem + *used, bytes->p, bytes->len);
	bytes->p = op->param_mem + *used;
	*used += bytes->len;
}

/* The parameters live in the caller's message, which is gone when the next part comes. */
static CK_RV fw_op_copy_params(struct fw_op *op, const struct fw_mech_params *params)
{
	struct fw_mech_params *p = &op->params;
	size_t used = 0;

	if (!params)
		return CKR_OK;
	/* Members without their bit in @have are not to be read. */
	p->have = params->have;
#define COPY(member, field)	\
	do { if (p->have & FW_HAVE(field)) p->member = params->member; } while (0)
	COPY(iv, PCIEHSM_F_P_IV);
	COPY(aad, PCIEHSM_F_P_AAD);
	COPY(source, PCIEHSM_F_P_SOURCE);
	COPY(context, PCIEHSM_F_P_CONTEXT);
	COPY(tag_bits, PCIEHSM_F_P_TAG_BITS);
	COPY(counter_bits, PCIEHSM_F_P_COUNTER_BITS);
	COPY(hash, PCIEHSM_F_P_HASH);
	COPY(mgf, PCIEHSM_F_P_MGF);
	COPY(salt_len, PCIEHSM_F_P_SALT_LEN);
	COPY(mac_len, PCIEHSM_F_P_MAC_LEN);
	COPY(prehash, PCIEHSM_F_P_PREHASH);
	COPY(hedge, PCIEHSM_F_P_HEDGE);
#undef COPY
	op->param_len = p->iv.len + p->aad.len + p->source.len + p->context.len;
	op->param_mem = malloc(op->param_len ? op->param_len : 1);
	if (!op->param_mem)
		return CKR_HOST_MEMORY;
	fw_op_copy_bytes(op, &p->iv, &used);
	fw_op_copy_bytes(op, &p->aad, &used);
	fw_op_copy_bytes(op, &p->source, &used);
	fw_op_copy_bytes(op, &p->context, &used);
	return CKR_OK;
}

/* What is worked on as it comes; the rest is collected. */
static const struct fw_stream *fw_op_stream(const struct fw_op *op)
{
	/*
	 * Nothing that GCM decrypts is given out before its tag was checked: who has
	 * plaintext uses it.
	 */
	if (op->w.mech->ops == &fw_aes_gcm_ops && fw_is_decrypt(&op->w))
		return NULL;
	return op->w.mech->ops->stream;
}

CK_RV fw_op_init(enum pciehsm_function fn, CK_ULONG mech, const struct fw_mech_params *params,
		 struct fw_key *key, struct fw_op **out)
{
	struct fw_op *op = calloc(1, sizeof(*op));
	CK_RV rv;

	if (!op)
		return CKR_HOST_MEMORY;
	rv = fw_op_copy_params(op, params);
	if (rv == CKR_OK)
		rv = fw_work_init(&op->w, fn, 0, mech, &op->params, key);
	op->w.key = key ? fw_key_ref(key) : NULL;
	if (rv == CKR_OK && fw_op_stream(op))
		rv = fw_op_stream(op)->begin(op);
	if (rv != CKR_OK) {
		fw_op_free(op);
		return rv;
	}
	*out = op;
	return CKR_OK;
}

size_t fw_op_memory(const struct fw_op *op)
{
	return op->param_len + op->collect_room + op->pending_room;
}

void fw_op_free(struct fw_op *op)
{
	if (!op)
		return;
	EVP_MD_CTX_free(op->md);
	/* It has somebody's data in it: not for the pool. */
	fw_ctx_free(op->ctx);
	fw_wipe_free(op->param_mem, op->param_len);
	fw_wipe_free(op->collect, op->collect_room);
	fw_wipe_free(op->pending, op->pending_room);
	fw_key_unref(op->w.key);
	fw_wipe(op, sizeof(*op));
	free(op);
}

static CK_RV fw_op_collect(struct fw_op *op, struct fw_bytes in)
{
	size_t need, room;
	uint8_t *mem;

	if (in.len > FW_OP_COLLECT_MAX - op->collect_len)
		return fw_is_decrypt(&op->w) ? CKR_ENCRYPTED_DATA_LEN_RANGE : CKR_DATA_LEN_RANGE;
	need = op->collect_len + in.len;
	if (need > op->collect_room) {
		room = need < 512 ? 512 : need * 2;
		mem = malloc(room);
		if (!mem)
			return CKR_HOST_MEMORY;
		if (op->collect_len)
			memcpy(mem, op->collect, op->collect_len);
		fw_wipe_free(op->collect, op->collect_room);
		op->collect = mem;
		op->collect_room = room;
	}
	if (in.len)
		memcpy(op->collect + op->collect_len, in.p, in.len);
	op->collect_len = need;
	return CKR_OK;
}

size_t fw_op_update_bound(const struct fw_op *op, size_t in_len)
{
	const struct fw_stream *stream = fw_op_stream(op);

	return stream && stream->update_bound ? stream->update_bound(op, in_len) : 0;
}

size_t fw_op_final_bound(const struct fw_op *op)
{
	const struct fw_stream *stream = fw_op_stream(op);

	if (op->has_pending)
		return op->pending_len;
	if (fw_is_verify(&op->w))
		return 0;
	return stream ? stream->final_bound(op) : op->w.mech->ops->bound(&op->w, op->collect_len);
}

CK_RV fw_op_update(struct fw_op *op, const uint8_t *in, size_t in_len,
		   uint8_t *out, size_t *out_len)
{
	const struct fw_stream *stream = fw_op_stream(op);
	struct fw_bytes data = { in, in_len };
	size_t need, len = 0;
	CK_RV rv;

	if (in_len > FW_IN_MAX)
		return fw_is_decrypt(&op->w) ? CKR_ENCRYPTED_DATA_LEN_RANGE : CKR_DATA_LEN_RANGE;
	need = fw_op_update_bound(op, in_len);
	if (need && (!out || *out_len < need)) {
		if (out_len)
			*out_len = need;
		return CKR_BUFFER_TOO_SMALL;
	}
	rv = stream ? stream->update(op, data, out, &len) : fw_op_collect(op, data);
	if (out_len)
		*out_len = rv == CKR_OK ? len : 0;
	return rv;
}

CK_RV fw_op_digest_key(struct fw_op *op, struct fw_key *key)
{
	struct fw_bytes secret = { key->secret, key->secret_len };
	size_t len = 0;

	if (op->w.fn != PCIEHSM_FN_DIGEST)
		return CKR_OPERATION_NOT_INITIALIZED;
	if (key->class != CKO_SECRET_KEY)
		return CKR_KEY_INDIGESTIBLE;
	return fw_op_stream(op)->update(op, secret, NULL, &len);
}

static CK_RV fw_op_end(struct fw_op *op, const struct fw_bytes *sig, uint8_t *out,
		       size_t *out_len)
{
	const struct fw_stream *stream = fw_op_stream(op);
	struct fw_bytes collected = { op->collect, op->collect_len };

	if (stream)
		return stream->final(op, sig, out, out_len);
	return fw_work_run(&op->w, collected, sig, out, out_len);
}

CK_RV fw_op_final(struct fw_op *op, const struct fw_bytes *sig, uint8_t *out, size_t *out_len)
{
	size_t bound;
	CK_RV rv;

	if (!sig != !fw_is_verify(&op->w))
		return CKR_ARGUMENTS_BAD;
	if (sig)
		return fw_op_end(op, sig, NULL, NULL);

	if (!op->has_pending) {
		bound = fw_op_final_bound(op);
		if (out && *out_len >= bound)
			return fw_op_end(op, NULL, out, out_len);
		/* The bound may be too high: only the result itself tells. */
		op->pending = malloc(bound ? bound : 1);
		if (!op->pending)
			return CKR_HOST_MEMORY;
		op->pending_room = bound;
		op->pending_len = bound;
		rv = fw_op_end(op, NULL, op->pending, &op->pending_len);
		if (rv != CKR_OK)
			return rv;
		op->has_pending = true;
	}
	if (op->pending_len && (!out || *out_len < op->pending_len)) {
		*out_len = op->pending_len;
		return CKR_BUFFER_TOO_SMALL;
	}
	if (op->pending_len)
		memcpy(out, op->pending, op->pending_len);
	*out_len = op->pending_len;
	return CKR_OK;
}
