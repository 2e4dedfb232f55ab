// SPDX-License-Identifier: GPL-2.0-or-later
/* RFC 9180. Names in comments are the RFC's. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/kdf.h>

#include "crypto/hpke.h"
#include "crypto/internal.h"
#include "crypto/secret.h"

#define FW_NONCE	12
/* Longest of the fixed-length values: Nsecret, Nh, Nsk of P-521 and SHA-512 */
#define FW_HPKE_MAX	66
/* "HPKE" and three numbers, or "KEM" and one */
#define FW_SUITE_MAX	10
/* Section 5.1.2: for psk and psk_id */
#define FW_PSK_MIN	32

/* Section 5, table 1: modes */
#define FW_MODE_PSK	1
#define FW_MODE_AUTH	2

static const struct fw_hpke_kem {
	uint16_t	id;
	const char	*curve;
	CK_ULONG	hash;
	uint8_t		bitmask;	/* section 7.1.3 */
} fw_kems[] = {
	{ FW_HPKE_KEM_P256, "prime256v1", CKM_SHA256, 0xff },
	{ FW_HPKE_KEM_P384, "secp384r1", CKM_SHA384, 0xff },
	{ FW_HPKE_KEM_P521, "secp521r1", CKM_SHA512, 0x01 },
};

/* A suite looked up. @id is the RFC's suite_id of the place where it is used. */
struct fw_hpke_algs {
	const struct fw_curve	*curve;
	const struct fw_hash	*kem_hash;
	const struct fw_hash	*hash;
	uint8_t			bitmask;
	size_t			key_len;	/* Nk */
	uint8_t			kem_id[5];
	uint8_t			id[FW_SUITE_MAX];
};

struct fw_hpke {
	struct fw_hpke_algs	algs;
	EVP_CIPHER_CTX		*seal;
	EVP_CIPHER_CTX		*open;
	uint8_t			base_nonce[FW_NONCE];
	uint8_t			exporter[FW_HPKE_MAX];
	uint64_t		seq;
};

static void fw_put_be16(uint8_t *p, uint16_t v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static CK_RV fw_hpke_algs(struct fw_hpke_suite suite, struct fw_hpke_algs *algs)
{
	static const CK_ULONG kdfs[] = { CKM_SHA256, CKM_SHA384, CKM_SHA512 };
	const struct fw_hpke_kem *kem = NULL;
	size_t i;

	memset(algs, 0, sizeof(*algs));
	for (i = 0; i < sizeof(fw_kems) / sizeof(fw_kems[0]); i++)
		if (fw_kems[i].id == suite.kem)
			kem = &fw_kems[i];
	if (!kem || suite.kdf < FW_HPKE_KDF_SHA256 || suite.kdf > FW_HPKE_KDF_SHA512 ||
	    (suite.aead != FW_HPKE_AEAD_AES128 && suite.aead != FW_HPKE_AEAD_AES256))
		return CKR_MECHANISM_INVALID;
	algs->curve = fw_curve_by_name(kem->curve);
	algs->kem_hash = fw_hash_by_digest(kem->hash);
	algs->hash = fw_hash_by_digest(kdfs[suite.kdf - FW_HPKE_KDF_SHA256]);
	algs->bitmask = kem->bitmask;
	algs->key_len = suite.aead == FW_HPKE_AEAD_AES256 ? 32 : 16;
	memcpy(algs->kem_id, "KEM", 3);
	fw_put_be16(algs->kem_id + 3, suite.kem);
	memcpy(algs->id, "HPKE", 4);
	fw_put_be16(algs->id + 4, suite.kem);
	fw_put_be16(algs->id + 6, suite.kdf);
	fw_put_be16(algs->id + 8, suite.aead);
	return CKR_OK;
}

/* Pieces one after the other, in memory to be given back to fw_wipe_free(). */
static CK_RV fw_concat(const struct fw_bytes *parts, size_t count, uint8_t **out, size_t *len)
{
	size_t i, n = 0;

	*len = 0;
	for (i = 0; i < count; i++)
		*len += parts[i].len;
	*out = malloc(*len ? *len : 1);
	if (!*out)
		return CKR_HOST_MEMORY;
	for (i = 0; i < count; i++) {
		if (parts[i].len)
			memcpy(*out + n, parts[i].p, parts[i].len);
		n += parts[i].len;
	}
	return CKR_OK;
}

#define BYTES(ptr, length)	((struct fw_bytes){ (const uint8_t *)(ptr), (length) })
#define TEXT(s)			BYTES(s, sizeof(s) - 1)
#define NONE			((struct fw_bytes){ NULL, 0 })

/* LabeledExtract; @out has room for the hash */
static CK_RV fw_labeled_extract(const struct fw_hash *hash, struct fw_bytes suite,
				struct fw_bytes salt, struct fw_bytes label, struct fw_bytes ikm,
				uint8_t *out)
{
	struct fw_bytes parts[] = { TEXT("HPKE-v1"), suite, label, ikm };
	uint8_t *mem;
	size_t len;
	CK_RV rv;

	rv = fw_concat(parts, 4, &mem, &len);
	if (rv != CKR_OK)
		return rv;
	rv = fw_hkdf(hash, EVP_KDF_HKDF_MODE_EXTRACT_ONLY, BYTES(mem, len), salt, NONE, out,
		     hash->len);
	fw_wipe_free(mem, len);
	return rv;
}

/* LabeledExpand */
static CK_RV fw_labeled_expand(const struct fw_hash *hash, struct fw_bytes suite,
			       const uint8_t *prk, struct fw_bytes label, struct fw_bytes info,
			       uint8_t *out, size_t out_len)
{
	uint8_t l[2];
	struct fw_bytes parts[] = { BYTES(l, 2), TEXT("HPKE-v1"), suite, label, info };
	uint8_t *mem;
	size_t len;
	CK_RV rv;

	fw_put_be16(l, out_len);
	rv = fw_concat(parts, 5, &mem, &len);
	if (rv != CKR_OK)
		return rv;
	if (len > FW_HKDF_INFO_MAX)
		rv = CKR_FUNCTION_FAILED;
	else
		rv = fw_hkdf(hash, EVP_KDF_HKDF_MODE_EXPAND_ONLY, BYTES(prk, hash->len), NONE,
			     BYTES(mem, len), out, out_len);
	fw_wipe_free(mem, len);
	return rv;
}

static struct fw_bytes fw_kem_suite(const struct fw_hpke_algs *algs)
{
	return BYTES(algs->kem_id, sizeof(algs->kem_id));
}

static struct fw_bytes fw_full_suite(const struct fw_hpke_algs *algs)
{
	return BYTES(algs->id, sizeof(algs->id));
}

/* ---- keys ---- */

static bool fw_scalar_in_range(const struct fw_curve *curve, const uint8_t *scalar)
{
	EC_GROUP *group = EC_GROUP_new_by_curve_name_ex(fw_lib()->ctx, NULL, curve->nid);
	BIGNUM *d = BN_secure_new();
	bool ok;

	ok = group && d && BN_bin2bn(scalar, curve->len, d) && !BN_is_zero(d) &&
	     BN_cmp(d, EC_GROUP_get0_order(group)) < 0;
	BN_clear_free(d);
	EC_GROUP_free(group);
	return ok;
}

CK_RV fw_hpke_keypair(struct fw_hpke_suite suite, struct fw_bytes ikm, EVP_PKEY **pkey)
{
	uint8_t prk[EVP_MAX_MD_SIZE], scalar[FW_SCALAR_MAX], point[FW_POINT_MAX];
	struct fw_hpke_algs algs;
	unsigned int counter;
	uint8_t byte;
	CK_RV rv;

	rv = fw_hpke_algs(suite, &algs);
	if (rv != CKR_OK)
		return rv;
	rv = fw_labeled_extract(algs.kem_hash, fw_kem_suite(&algs), NONE, TEXT("dkp_prk"), ikm,
				prk);
	for (counter = 0; rv == CKR_OK && counter < 256; counter++) {
		byte = counter;
		rv = fw_labeled_expand(algs.kem_hash, fw_kem_suite(&algs), prk, TEXT("candidate"),
				       BYTES(&byte, 1), scalar, algs.curve->len);
		scalar[0] &= algs.bitmask;
		if (rv == CKR_OK && fw_scalar_in_range(algs.curve, scalar))
			break;
	}
	/* DeriveKeyPairError: with probability 2^-8192 */
	if (counter == 256)
		rv = CKR_FUNCTION_FAILED;
	if (rv == CKR_OK)
		rv = fw_ec_public(algs.curve, BYTES(scalar, algs.curve->len), point);
	if (rv == CKR_OK)
		rv = fw_curve_pkey(algs.curve, BYTES(point, fw_curve_point_len(algs.curve)),
				   BYTES(scalar, algs.curve->len), pkey);
	fw_wipe(prk, sizeof(prk));
	fw_wipe(scalar, sizeof(scalar));
	return rv;
}

CK_RV fw_hpke_generate(struct fw_hpke_suite suite, EVP_PKEY **pkey)
{
	struct fw_hpke_algs algs;
	CK_RV rv = fw_hpke_algs(suite, &algs);

	if (rv != CKR_OK)
		return rv;
	*pkey = EVP_PKEY_Q_keygen(fw_lib()->ctx, NULL, "EC", algs.curve->name);
	return *pkey ? CKR_OK : CKR_FUNCTION_FAILED;
}

static CK_RV fw_public(const struct fw_hpke_algs *algs, EVP_PKEY *pkey, uint8_t *out, size_t *len)
{
	/*
	 * libcrypto gives the form that the key came in, compressed or not. Asking for the
	 * other would change the key, which other threads use.
	 */
	if (!EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, out, FW_HPKE_ENC_MAX,
					     len) ||
	    *len != fw_curve_point_len(algs->curve))
		return CKR_FUNCTION_FAILED;
	return CKR_OK;
}

CK_RV fw_hpke_public(struct fw_hpke_suite suite, EVP_PKEY *pkey, uint8_t *out, size_t *len)
{
	struct fw_hpke_algs algs;
	CK_RV rv = fw_hpke_algs(suite, &algs);

	return rv == CKR_OK ? fw_public(&algs, pkey, out, len) : rv;
}

/* DeserializePublicKey, with the validation of section 7.1.4 */
static CK_RV fw_hpke_peer_key(const struct fw_hpke_algs *algs, struct fw_bytes point,
			      EVP_PKEY **pkey)
{
	CK_RV rv;

	if (point.len != fw_curve_point_len(algs->curve) ||
	    point.p[0] != POINT_CONVERSION_UNCOMPRESSED)
		return CKR_PUBLIC_KEY_INVALID;
	rv = fw_curve_pkey(algs->curve, point, NONE, pkey);
	return rv == CKR_OK || rv == CKR_HOST_MEMORY ? rv : CKR_PUBLIC_KEY_INVALID;
}

/* DH, which gives Ndh = the curve's length of bytes */
static CK_RV fw_dh(const struct fw_hpke_algs *algs, EVP_PKEY *sk, EVP_PKEY *pk, uint8_t *out)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(fw_lib()->ctx, sk, NULL);
	size_t len = algs->curve->len;
	CK_RV rv = CKR_FUNCTION_FAILED;

	if (ctx && EVP_PKEY_derive_init(ctx) > 0 && EVP_PKEY_derive_set_peer(ctx, pk) > 0 &&
	    EVP_PKEY_derive(ctx, out, &len) > 0 && len == algs->curve->len)
		rv = CKR_OK;
	EVP_PKEY_CTX_free(ctx);
	return rv;
}

/* ExtractAndExpand: @dh is one or two DH results, @context the keys that took part */
static CK_RV fw_kem_secret(const struct fw_hpke_algs *algs, struct fw_bytes dh,
			   struct fw_bytes context, uint8_t *secret)
{
	uint8_t prk[EVP_MAX_MD_SIZE];
	CK_RV rv;

	rv = fw_labeled_extract(algs->kem_hash, fw_kem_suite(algs), NONE, TEXT("eae_prk"), dh, prk);
	if (rv == CKR_OK)
		rv = fw_labeled_expand(algs->kem_hash, fw_kem_suite(algs), prk,
				       TEXT("shared_secret"), context, secret, algs->kem_hash->len);
	fw_wipe(prk, sizeof(prk));
	return rv;
}

/*
 * Encap and Decap are the same but for who has which private half: @a_sk with @a_pk is
 * the ephemeral exchange, @b_sk with @b_pk the authenticating one (b_sk NULL: none).
 */
static CK_RV fw_kem(const struct fw_hpke_algs *algs, EVP_PKEY *a_sk, EVP_PKEY *a_pk,
		    EVP_PKEY *b_sk, EVP_PKEY *b_pk, struct fw_bytes enc, struct fw_bytes pk_r,
		    struct fw_bytes pk_s, uint8_t *secret)
{
	struct fw_bytes parts[] = { enc, pk_r, pk_s };
	size_t n = algs->curve->len, len = n, context_len;
	uint8_t dh[2 * FW_SCALAR_MAX], *context;
	CK_RV rv;

	rv = fw_dh(algs, a_sk, a_pk, dh);
	if (rv == CKR_OK && b_sk) {
		rv = fw_dh(algs, b_sk, b_pk, dh + n);
		len = 2 * n;
	}
	if (rv == CKR_OK) {
		rv = fw_concat(parts, 3, &context, &context_len);
		if (rv == CKR_OK) {
			rv = fw_kem_secret(algs, BYTES(dh, len), BYTES(context, context_len),
					   secret);
			fw_wipe_free(context, context_len);
		}
	}
	fw_wipe(dh, sizeof(dh));
	return rv;
}

/* ---- key schedule (section 5.1) ---- */

static CK_RV fw_cipher(const struct fw_hpke_algs *algs, const uint8_t *key, int enc,
		       EVP_CIPHER_CTX **ctx)
{
	*ctx = EVP_CIPHER_CTX_new();
	if (!*ctx || !EVP_CipherInit_ex(*ctx, fw_aes_cipher(FW_AES_GCM, algs->key_len), NULL, key,
					NULL, enc))
		return CKR_HOST_MEMORY;
	return CKR_OK;
}

/* key_schedule_context: mode, psk_id_hash, info_hash */
static CK_RV fw_schedule_context(const struct fw_hpke_algs *algs, bool auth,
				 const struct fw_hpke_keys *keys, uint8_t *out)
{
	struct fw_bytes suite = fw_full_suite(algs);
	CK_RV rv;

	out[0] = (keys->psk.len ? FW_MODE_PSK : 0) + (auth ? FW_MODE_AUTH : 0);
	rv = fw_labeled_extract(algs->hash, suite, NONE, TEXT("psk_id_hash"), keys->psk_id,
				out + 1);
	if (rv == CKR_OK)
		rv = fw_labeled_extract(algs->hash, suite, NONE, TEXT("info_hash"), keys->info,
					out + 1 + algs->hash->len);
	return rv;
}

static CK_RV fw_schedule(struct fw_hpke *hpke, bool auth, const struct fw_hpke_keys *keys,
			 const uint8_t *shared)
{
	const struct fw_hpke_algs *algs = &hpke->algs;
	uint8_t context[1 + 2 * EVP_MAX_MD_SIZE], secret[EVP_MAX_MD_SIZE], key[32];
	struct fw_bytes suite = fw_full_suite(algs);
	struct fw_bytes ctx = BYTES(context, 1 + 2 * algs->hash->len);
	CK_RV rv;

	rv = fw_schedule_context(algs, auth, keys, context);
	if (rv == CKR_OK)
		rv = fw_labeled_extract(algs->hash, suite, BYTES(shared, algs->kem_hash->len),
					TEXT("secret"), keys->psk, secret);
	if (rv == CKR_OK)
		rv = fw_labeled_expand(algs->hash, suite, secret, TEXT("key"), ctx, key,
				       algs->key_len);
	if (rv == CKR_OK)
		rv = fw_labeled_expand(algs->hash, suite, secret, TEXT("base_nonce"), ctx,
				       hpke->base_nonce, FW_NONCE);
	if (rv == CKR_OK)
		rv = fw_labeled_expand(algs->hash, suite, secret, TEXT("exp"), ctx, hpke->exporter,
				       algs->hash->len);
	if (rv == CKR_OK)
		rv = fw_cipher(algs, key, 1, &hpke->seal);
	if (rv == CKR_OK)
		rv = fw_cipher(algs, key, 0, &hpke->open);
	fw_wipe(secret, sizeof(secret));
	fw_wipe(key, sizeof(key));
	return rv;
}

/* VerifyPSKInputs, and what a pre-shared key must have */
static CK_RV fw_psk_check(const struct fw_hpke_keys *keys)
{
	if (!keys->psk.len != !keys->psk_id.len || (keys->psk.len && keys->psk.len < FW_PSK_MIN))
		return CKR_ARGUMENTS_BAD;
	return CKR_OK;
}

static CK_RV fw_hpke_new(struct fw_hpke_suite suite, const struct fw_hpke_keys *keys,
			 struct fw_hpke **hpke)
{
	CK_RV rv;

	rv = fw_psk_check(keys);
	if (rv != CKR_OK)
		return rv;
	*hpke = calloc(1, sizeof(**hpke));
	if (!*hpke)
		return CKR_HOST_MEMORY;
	rv = fw_hpke_algs(suite, &(*hpke)->algs);
	if (rv != CKR_OK) {
		fw_hpke_free(*hpke);
		*hpke = NULL;
	}
	return rv;
}

CK_RV fw_hpke_sender(struct fw_hpke_suite suite, struct fw_bytes peer,
		     const struct fw_hpke_keys *keys, EVP_PKEY *own, EVP_PKEY *ephemeral,
		     uint8_t *enc, size_t *enc_len, struct fw_hpke **out)
{
	uint8_t pk_s[FW_HPKE_ENC_MAX], shared[EVP_MAX_MD_SIZE];
	EVP_PKEY *pk_r = NULL, *fresh = NULL;
	struct fw_hpke *hpke;
	size_t pk_s_len = 0;
	CK_RV rv;

	rv = fw_hpke_new(suite, keys, &hpke);
	if (rv != CKR_OK)
		return rv;
	rv = fw_hpke_peer_key(&hpke->algs, peer, &pk_r);
	if (rv == CKR_OK && !ephemeral) {
		rv = fw_hpke_generate(suite, &fresh);
		ephemeral = fresh;
	}
	if (rv == CKR_OK)
		rv = fw_public(&hpke->algs, ephemeral, enc, enc_len);
	if (rv == CKR_OK && own)
		rv = fw_public(&hpke->algs, own, pk_s, &pk_s_len);
	if (rv == CKR_OK)
		rv = fw_kem(&hpke->algs, ephemeral, pk_r, own, pk_r, BYTES(enc, *enc_len), peer,
			    BYTES(pk_s, pk_s_len), shared);
	if (rv == CKR_OK)
		rv = fw_schedule(hpke, own, keys, shared);
	fw_wipe(shared, sizeof(shared));
	EVP_PKEY_free(fresh);
	EVP_PKEY_free(pk_r);
	if (rv == CKR_OK)
		*out = hpke;
	else
		fw_hpke_free(hpke);
	return rv;
}

CK_RV fw_hpke_recipient(struct fw_hpke_suite suite, struct fw_bytes enc, EVP_PKEY *own,
			const struct fw_hpke_keys *keys, struct fw_bytes peer,
			struct fw_hpke **out)
{
	uint8_t pk_r[FW_HPKE_ENC_MAX], shared[EVP_MAX_MD_SIZE];
	EVP_PKEY *pk_e = NULL, *pk_s = NULL;
	struct fw_hpke *hpke;
	size_t pk_r_len;
	CK_RV rv;

	rv = fw_hpke_new(suite, keys, &hpke);
	if (rv != CKR_OK)
		return rv;
	rv = fw_hpke_peer_key(&hpke->algs, enc, &pk_e);
	if (rv == CKR_OK && peer.len)
		rv = fw_hpke_peer_key(&hpke->algs, peer, &pk_s);
	if (rv == CKR_OK)
		rv = fw_public(&hpke->algs, own, pk_r, &pk_r_len);
	if (rv == CKR_OK)
		rv = fw_kem(&hpke->algs, own, pk_e, pk_s ? own : NULL, pk_s, enc,
			    BYTES(pk_r, pk_r_len), peer, shared);
	if (rv == CKR_OK)
		rv = fw_schedule(hpke, pk_s, keys, shared);
	fw_wipe(shared, sizeof(shared));
	EVP_PKEY_free(pk_s);
	EVP_PKEY_free(pk_e);
	if (rv == CKR_OK)
		*out = hpke;
	else
		fw_hpke_free(hpke);
	return rv;
}

/* ComputeNonce; the number is counted in 64 bits, which no channel lives to see the end of */
static void fw_nonce(const struct fw_hpke *hpke, uint8_t nonce[FW_NONCE])
{
	unsigned int i;

	memcpy(nonce, hpke->base_nonce, FW_NONCE);
	for (i = 0; i < 8; i++)
		nonce[FW_NONCE - 1 - i] ^= hpke->seq >> (8 * i);
}

CK_RV fw_hpke_seal(struct fw_hpke *hpke, struct fw_bytes aad, struct fw_bytes plain, uint8_t *out)
{
	uint8_t nonce[FW_NONCE];
	int n;

	if (hpke->seq == UINT64_MAX || plain.len > INT_MAX || aad.len > INT_MAX)
		return CKR_FUNCTION_FAILED;
	fw_nonce(hpke, nonce);
	if (!EVP_CipherInit_ex(hpke->seal, NULL, NULL, NULL, nonce, -1) ||
	    (aad.len && !EVP_CipherUpdate(hpke->seal, NULL, &n, aad.p, aad.len)) ||
	    (plain.len && !EVP_CipherUpdate(hpke->seal, out, &n, plain.p, plain.len)) ||
	    !EVP_CipherFinal_ex(hpke->seal, out + plain.len, &n) ||
	    !EVP_CIPHER_CTX_ctrl(hpke->seal, EVP_CTRL_AEAD_GET_TAG, FW_HPKE_TAG_LEN,
				 out + plain.len))
		return CKR_FUNCTION_FAILED;
	hpke->seq++;
	return CKR_OK;
}

CK_RV fw_hpke_open(struct fw_hpke *hpke, struct fw_bytes aad, struct fw_bytes sealed, uint8_t *out)
{
	uint8_t nonce[FW_NONCE], tag[FW_HPKE_TAG_LEN], dummy;
	size_t len;
	int n;

	if (hpke->seq == UINT64_MAX || sealed.len > INT_MAX || aad.len > INT_MAX)
		return CKR_FUNCTION_FAILED;
	if (sealed.len < FW_HPKE_TAG_LEN)
		return CKR_ENCRYPTED_DATA_INVALID;
	len = sealed.len - FW_HPKE_TAG_LEN;
	memcpy(tag, sealed.p + len, FW_HPKE_TAG_LEN);
	fw_nonce(hpke, nonce);
	if (!EVP_CipherInit_ex(hpke->open, NULL, NULL, NULL, nonce, -1) ||
	    (aad.len && !EVP_CipherUpdate(hpke->open, NULL, &n, aad.p, aad.len)) ||
	    (len && !EVP_CipherUpdate(hpke->open, out, &n, sealed.p, len)) ||
	    !EVP_CIPHER_CTX_ctrl(hpke->open, EVP_CTRL_AEAD_SET_TAG, FW_HPKE_TAG_LEN, tag) ||
	    EVP_CipherFinal_ex(hpke->open, &dummy, &n) <= 0) {
		fw_wipe(out, len);
		return CKR_ENCRYPTED_DATA_INVALID;
	}
	hpke->seq++;
	return CKR_OK;
}

CK_RV fw_hpke_export(const struct fw_hpke *hpke, struct fw_bytes context, uint8_t *out, size_t len)
{
	if (len > 255 * hpke->algs.hash->len)
		return CKR_FUNCTION_FAILED;
	return fw_labeled_expand(hpke->algs.hash, fw_full_suite(&hpke->algs), hpke->exporter,
				 TEXT("sec"), context, out, len);
}

void fw_hpke_free(struct fw_hpke *hpke)
{
	if (!hpke)
		return;
	EVP_CIPHER_CTX_free(hpke->seal);
	EVP_CIPHER_CTX_free(hpke->open);
	fw_wipe_free(hpke, sizeof(*hpke));
}
