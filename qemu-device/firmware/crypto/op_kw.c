// SPDX-License-Identifier: GPL-2.0-or-later
/* AES key wrap: RFC 3394 (KW) and RFC 5649 (KWP). */
#include <string.h>

#include "crypto/internal.h"
#include "crypto/secret.h"

#define FW_SEMIBLOCK	8

/* RFC 3394 section 2.2.3.1 and RFC 5649 section 3, for callers who give none */
static const uint8_t fw_kw_iv[8] = { 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6 };
static const uint8_t fw_kwp_iv[4] = { 0xa6, 0x59, 0x59, 0xa6 };

static bool fw_is_kwp(const struct fw_work *w)
{
	return w->mech->variant == FW_AES_KWP;
}

static CK_RV fw_kw_check(struct fw_work *w, const struct fw_mech_params *p)
{
	CK_RV rv;

	if (w->key->class != CKO_SECRET_KEY || w->key->type != CKK_AES)
		return CKR_KEY_TYPE_INCONSISTENT;
	rv = fw_params_only(p, 0, FW_HAVE(PCIEHSM_F_P_IV));
	if (rv == CKR_OK && p->have &&
	    p->iv.len != (fw_is_kwp(w) ? sizeof(fw_kwp_iv) : sizeof(fw_kw_iv)))
		rv = CKR_MECHANISM_PARAM_INVALID;
	return rv;
}

static size_t fw_kw_bound(const struct fw_work *w, size_t in_len)
{
	if (fw_is_decrypt(w))
		return in_len;
	return (in_len + FW_SEMIBLOCK - 1) / FW_SEMIBLOCK * FW_SEMIBLOCK + FW_SEMIBLOCK;
}

static bool fw_kw_len_ok(const struct fw_work *w, size_t len)
{
	if (fw_is_decrypt(w))
		return len % FW_SEMIBLOCK == 0 && len >= (fw_is_kwp(w) ? 2 : 3) * FW_SEMIBLOCK;
	return fw_is_kwp(w) ? len >= 1 : len % FW_SEMIBLOCK == 0 && len >= 2 * FW_SEMIBLOCK;
}

static CK_RV fw_kw_once(const struct fw_work *w, struct fw_bytes in, const struct fw_bytes *sig,
			uint8_t *out, size_t *out_len)
{
	const uint8_t *iv = w->p->have ? w->p->iv.p : fw_is_kwp(w) ? fw_kwp_iv : fw_kw_iv;
	EVP_CIPHER_CTX *ctx;
	uint8_t *mem;
	CK_RV rv;
	int n;

	(void)sig;
	if (!fw_kw_len_ok(w, in.len))
		return fw_is_decrypt(w) ? CKR_ENCRYPTED_DATA_LEN_RANGE : CKR_DATA_LEN_RANGE;
	ctx = EVP_CIPHER_CTX_new();
	/* libcrypto's unwrapping uses a block more of the room than the result has. */
	mem = OPENSSL_malloc(in.len + 2 * FW_SEMIBLOCK);
	rv = CKR_HOST_MEMORY;
	if (!ctx || !mem)
		goto out;
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	rv = CKR_FUNCTION_FAILED;
	if (!EVP_CipherInit_ex(ctx, fw_aes_cipher(w->mech->variant, w->key->secret_len), NULL,
			       w->key->secret, iv, !fw_is_decrypt(w)))
		goto out;
	if (EVP_CipherUpdate(ctx, mem, &n, in.p, in.len) && n > 0) {
		memcpy(out, mem, n);
		*out_len = n;
		rv = CKR_OK;
	} else if (fw_is_decrypt(w)) {
		rv = CKR_ENCRYPTED_DATA_INVALID;
	}
out:
	OPENSSL_clear_free(mem, in.len + 2 * FW_SEMIBLOCK);
	EVP_CIPHER_CTX_free(ctx);
	return rv;
}

const struct fw_mech_ops fw_aes_kw_ops = {
	.check	= fw_kw_check,
	.bound	= fw_kw_bound,
	.once	= fw_kw_once,
};
