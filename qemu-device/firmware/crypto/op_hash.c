// SPDX-License-Identifier: GPL-2.0-or-later
/* Digests, and the hash in front of a signature. */
#include "crypto/internal.h"
#include "crypto/secret.h"

static CK_RV fw_digest_check(struct fw_work *w, const struct fw_mech_params *p)
{
	w->hash = w->mech->hash;
	return fw_params_only(p, 0, 0);
}

static size_t fw_digest_bound(const struct fw_work *w, size_t in_len)
{
	(void)in_len;
	return w->hash->len;
}

static CK_RV fw_digest_once(const struct fw_work *w, struct fw_bytes in,
			    const struct fw_bytes *sig, uint8_t *out, size_t *out_len)
{
	(void)sig;
	if (!EVP_Digest(in.p, in.len, out, NULL, fw_hash_md(w->hash), NULL))
		return CKR_FUNCTION_FAILED;
	*out_len = w->hash->len;
	return CKR_OK;
}

static CK_RV fw_md_begin(struct fw_op *op)
{
	op->md = EVP_MD_CTX_new();
	if (!op->md || !EVP_DigestInit_ex(op->md, fw_hash_md(op->w.hash), NULL))
		return CKR_HOST_MEMORY;
	return CKR_OK;
}

static CK_RV fw_md_update(struct fw_op *op, struct fw_bytes in, uint8_t *out, size_t *out_len)
{
	(void)out;
	*out_len = 0;
	return EVP_DigestUpdate(op->md, in.p, in.len) ? CKR_OK : CKR_FUNCTION_FAILED;
}

static size_t fw_digest_final_bound(const struct fw_op *op)
{
	return op->w.hash->len;
}

static CK_RV fw_digest_final(struct fw_op *op, const struct fw_bytes *sig, uint8_t *out,
			     size_t *out_len)
{
	(void)sig;
	if (!EVP_DigestFinal_ex(op->md, out, NULL))
		return CKR_FUNCTION_FAILED;
	*out_len = op->w.hash->len;
	return CKR_OK;
}

static const struct fw_stream fw_digest_stream = {
	.begin		= fw_md_begin,
	.update		= fw_md_update,
	.final_bound	= fw_digest_final_bound,
	.final		= fw_digest_final,
};

const struct fw_mech_ops fw_digest_ops = {
	.check	= fw_digest_check,
	.bound	= fw_digest_bound,
	.once	= fw_digest_once,
	.stream	= &fw_digest_stream,
};

/* ---- in front of a signature ---- */

CK_RV fw_hashed_once(const struct fw_work *w, struct fw_bytes in, const struct fw_bytes *sig,
		     uint8_t *out, size_t *out_len)
{
	uint8_t md[EVP_MAX_MD_SIZE];
	struct fw_bytes digest = { md, w->hash->len };

	if (!EVP_Digest(in.p, in.len, md, NULL, fw_hash_md(w->hash), NULL))
		return CKR_FUNCTION_FAILED;
	return w->mech->ops->finish(w, digest, sig, out, out_len);
}

static size_t fw_hashed_final_bound(const struct fw_op *op)
{
	return op->w.mech->ops->bound(&op->w, 0);
}

static CK_RV fw_hashed_final(struct fw_op *op, const struct fw_bytes *sig, uint8_t *out,
			     size_t *out_len)
{
	uint8_t md[EVP_MAX_MD_SIZE];
	struct fw_bytes digest = { md, op->w.hash->len };

	if (!EVP_DigestFinal_ex(op->md, md, NULL))
		return CKR_FUNCTION_FAILED;
	return op->w.mech->ops->finish(&op->w, digest, sig, out, out_len);
}

const struct fw_stream fw_hashed_stream = {
	.begin		= fw_md_begin,
	.update		= fw_md_update,
	.final_bound	= fw_hashed_final_bound,
	.final		= fw_hashed_final,
};
