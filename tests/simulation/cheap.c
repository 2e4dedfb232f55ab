// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the firmware spends nine tenths of a run's time on, and what no run is about: the
 * arithmetic of P-384 between cards, stretching the domain's secret, and the self-tests of
 * every power-on. The linker puts these functions in front of the firmware's own (--wrap),
 * so that all of the firmware's code and all of its messages are as ever.
 *
 * What each result depends on stays: two ends agree on a secret if and only if each has the
 * other's public key, a signature holds for one key and one text only. That nobody else
 * could make them is not true here, and tested with the firmware.
 *
 * The scripted tests do without it, and so does every run with --costly.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "crypto/hpke.h"
#include "crypto/identity.h"
#include "crypto/internal.h"
#include "crypto/secret.h"
#include "crypto/selftest.h"

#include "cheap.h"

#define HASH_LEN	48
#define POINT_LEN	97
/* Keys for one handshake; they take turns. Two handshakes differ in their nonces anyway. */
#define POOL_SIZE	16
#define ED_KEY_LEN	32
#define ED_SIG_LEN	64
#define ED_TEXT_MAX	256
#define PEERS_MAX	256
#define POINTS_MAX	256
#define IDENTITIES_MAX	64

bool cheap_crypto;

/* ---- what is made once ---- */

const char *__real_fw_selftest(void);
const char *__wrap_fw_selftest(void);
CK_RV __real_fw_domain_key(const uint8_t *domain, size_t len, uint8_t *key);
CK_RV __wrap_fw_domain_key(const uint8_t *domain, size_t len, uint8_t *key);

const char *__wrap_fw_selftest(void)
{
	static const char *result;
	static bool done;
	const bool cheap = cheap_crypto;

	if (done && cheap)
		return result;
	cheap_crypto = false;
	result = __real_fw_selftest();
	cheap_crypto = cheap;
	done = true;
	return result;
}

CK_RV __wrap_fw_domain_key(const uint8_t *domain, size_t len, uint8_t *key)
{
	static uint8_t last[FW_DOMAIN_KEY_LEN], *text;
	static size_t text_len;
	CK_RV rv;

	if (cheap_crypto && text && text_len == len && !memcmp(text, domain, len)) {
		memcpy(key, last, sizeof(last));
		return CKR_OK;
	}
	rv = __real_fw_domain_key(domain, len, key);
	if (rv != CKR_OK)
		return rv;
	free(text);
	text = malloc(len + 1);
	memcpy(text, domain, len);
	text_len = len;
	memcpy(last, key, sizeof(last));
	return CKR_OK;
}

/* ---- keys of handshakes ---- */

CK_RV __real_fw_hpke_generate(struct fw_hpke_suite suite, EVP_PKEY **pkey);
CK_RV __wrap_fw_hpke_generate(struct fw_hpke_suite suite, EVP_PKEY **pkey);
CK_RV __real_fw_hpke_sender(struct fw_hpke_suite suite, struct fw_bytes peer,
			    const struct fw_hpke_keys *keys, EVP_PKEY *own, EVP_PKEY *ephemeral,
			    uint8_t *enc, size_t *enc_len, struct fw_hpke **out);
CK_RV __wrap_fw_hpke_sender(struct fw_hpke_suite suite, struct fw_bytes peer,
			    const struct fw_hpke_keys *keys, EVP_PKEY *own, EVP_PKEY *ephemeral,
			    uint8_t *enc, size_t *enc_len, struct fw_hpke **out);
CK_RV __real_fw_curve_pkey(const struct fw_curve *curve, struct fw_bytes point,
			   struct fw_bytes scalar, EVP_PKEY **out);
CK_RV __wrap_fw_curve_pkey(const struct fw_curve *curve, struct fw_bytes point,
			   struct fw_bytes scalar, EVP_PKEY **out);

CK_RV __wrap_fw_hpke_generate(struct fw_hpke_suite suite, EVP_PKEY **pkey)
{
	static EVP_PKEY *pool[POOL_SIZE];
	static unsigned int turn;
	EVP_PKEY **slot = &pool[turn % POOL_SIZE];
	CK_RV rv = CKR_OK;

	if (!cheap_crypto || suite.kem != FW_HPKE_KEM_P384)
		return __real_fw_hpke_generate(suite, pkey);
	turn++;
	if (!*slot)
		rv = __real_fw_hpke_generate(suite, slot);
	if (rv != CKR_OK)
		return rv;
	EVP_PKEY_up_ref(*slot);
	*pkey = *slot;
	return CKR_OK;
}

CK_RV __wrap_fw_hpke_sender(struct fw_hpke_suite suite, struct fw_bytes peer,
			    const struct fw_hpke_keys *keys, EVP_PKEY *own, EVP_PKEY *ephemeral,
			    uint8_t *enc, size_t *enc_len, struct fw_hpke **out)
{
	EVP_PKEY *pooled = NULL;
	CK_RV rv;

	if (cheap_crypto && !ephemeral && suite.kem == FW_HPKE_KEM_P384) {
		rv = __wrap_fw_hpke_generate(suite, &pooled);
		if (rv != CKR_OK)
			return rv;
		ephemeral = pooled;
	}
	rv = __real_fw_hpke_sender(suite, peer, keys, own, ephemeral, enc, enc_len, out);
	EVP_PKEY_free(pooled);
	return rv;
}

/* A point that was on the curve once is there again. */
CK_RV __wrap_fw_curve_pkey(const struct fw_curve *curve, struct fw_bytes point,
			   struct fw_bytes scalar, EVP_PKEY **out)
{
	static struct {
		uint8_t		point[POINT_LEN];
		EVP_PKEY	*pkey;
	} known[POINTS_MAX];
	static unsigned int n;
	unsigned int i;
	CK_RV rv;

	if (!cheap_crypto || scalar.len || point.len != POINT_LEN)
		return __real_fw_curve_pkey(curve, point, scalar, out);
	for (i = 0; i < n; i++) {
		if (memcmp(known[i].point, point.p, POINT_LEN))
			continue;
		EVP_PKEY_up_ref(known[i].pkey);
		*out = known[i].pkey;
		return CKR_OK;
	}
	rv = __real_fw_curve_pkey(curve, point, scalar, out);
	if (rv == CKR_OK && n < POINTS_MAX) {
		memcpy(known[n].point, point.p, POINT_LEN);
		EVP_PKEY_up_ref(*out);
		known[n++].pkey = *out;
	}
	return rv;
}

/* ---- cards that are switched on again ---- */

CK_RV __real_fw_identity_load(struct fw_bytes secret, struct fw_bytes certs,
			      struct fw_identity **out);
CK_RV __wrap_fw_identity_load(struct fw_bytes secret, struct fw_bytes certs,
			      struct fw_identity **out);
void __real_fw_identity_free(struct fw_identity *id);
void __wrap_fw_identity_free(struct fw_identity *id);

static struct fw_identity *identities[IDENTITIES_MAX];
static unsigned int n_identities;

static bool same_bytes(struct fw_bytes a, struct fw_bytes b)
{
	return a.len == b.len && !memcmp(a.p, b.p, a.len);
}

CK_RV __wrap_fw_identity_load(struct fw_bytes secret, struct fw_bytes certs,
			      struct fw_identity **out)
{
	unsigned int i;
	CK_RV rv;

	for (i = 0; cheap_crypto && i < n_identities; i++) {
		if (!same_bytes(secret, fw_identity_secret(identities[i])) ||
		    !same_bytes(certs, fw_identity_certificates(identities[i])))
			continue;
		*out = identities[i];
		return CKR_OK;
	}
	rv = __real_fw_identity_load(secret, certs, out);
	if (rv == CKR_OK && cheap_crypto && n_identities < IDENTITIES_MAX)
		identities[n_identities++] = *out;
	return rv;
}

void __wrap_fw_identity_free(struct fw_identity *id)
{
	unsigned int i;

	for (i = 0; i < n_identities; i++)
		if (identities[i] == id)
			return;
	__real_fw_identity_free(id);
}

/* ---- agreement ---- */

int __real_EVP_PKEY_derive_set_peer(EVP_PKEY_CTX *ctx, EVP_PKEY *peer);
int __wrap_EVP_PKEY_derive_set_peer(EVP_PKEY_CTX *ctx, EVP_PKEY *peer);
int __real_EVP_PKEY_derive(EVP_PKEY_CTX *ctx, unsigned char *key, size_t *len);
int __wrap_EVP_PKEY_derive(EVP_PKEY_CTX *ctx, unsigned char *key, size_t *len);

/* Between the two calls nothing else happens. */
static EVP_PKEY_CTX *agreeing;
static EVP_PKEY *agreeing_with;

int __wrap_EVP_PKEY_derive_set_peer(EVP_PKEY_CTX *ctx, EVP_PKEY *peer)
{
	EVP_PKEY *own = EVP_PKEY_CTX_get0_pkey(ctx);

	agreeing = NULL;
	if (!cheap_crypto || !EVP_PKEY_is_a(own, "EC") || EVP_PKEY_get_bits(own) != 384)
		return __real_EVP_PKEY_derive_set_peer(ctx, peer);
	agreeing = ctx;
	agreeing_with = peer;
	return 1;
}

/* The same from both ends: a digest of both public keys, the smaller first. */
int __wrap_EVP_PKEY_derive(EVP_PKEY_CTX *ctx, unsigned char *key, size_t *len)
{
	unsigned char points[2][POINT_LEN], both[2 * POINT_LEN];
	EVP_PKEY *ends[2];
	size_t got;
	int i, first;

	if (ctx != agreeing)
		return __real_EVP_PKEY_derive(ctx, key, len);
	ends[0] = EVP_PKEY_CTX_get0_pkey(ctx);
	ends[1] = agreeing_with;
	agreeing = NULL;
	for (i = 0; i < 2; i++)
		if (!EVP_PKEY_get_octet_string_param(ends[i], OSSL_PKEY_PARAM_PUB_KEY, points[i],
						     POINT_LEN, &got) || got != POINT_LEN)
			return 0;
	first = memcmp(points[0], points[1], POINT_LEN) > 0;
	memcpy(both, points[first], POINT_LEN);
	memcpy(both + POINT_LEN, points[!first], POINT_LEN);
	*len = HASH_LEN;
	return EVP_Digest(both, sizeof(both), key, NULL, EVP_sha384(), NULL);
}

/* ---- Ed25519, by which runs tell keys: a digest of the public key and the text ---- */

int __real_EVP_DigestSign(EVP_MD_CTX *ctx, unsigned char *sig, size_t *sig_len,
			  const unsigned char *text, size_t len);
int __wrap_EVP_DigestSign(EVP_MD_CTX *ctx, unsigned char *sig, size_t *sig_len,
			  const unsigned char *text, size_t len);
int __real_EVP_DigestVerify(EVP_MD_CTX *ctx, const unsigned char *sig, size_t sig_len,
			    const unsigned char *text, size_t len);
int __wrap_EVP_DigestVerify(EVP_MD_CTX *ctx, const unsigned char *sig, size_t sig_len,
			    const unsigned char *text, size_t len);

static bool ed_digest(EVP_MD_CTX *ctx, const unsigned char *text, size_t len, unsigned char *out)
{
	EVP_PKEY *key = EVP_PKEY_CTX_get0_pkey(EVP_MD_CTX_get_pkey_ctx(ctx));
	unsigned char both[ED_KEY_LEN + ED_TEXT_MAX];
	size_t key_len = ED_KEY_LEN;

	if (!cheap_crypto || len > ED_TEXT_MAX || !key || !EVP_PKEY_is_a(key, "ED25519") ||
	    !EVP_PKEY_get_raw_public_key(key, both, &key_len))
		return false;
	memcpy(both + ED_KEY_LEN, text, len);
	return EVP_Digest(both, ED_KEY_LEN + len, out, NULL, EVP_sha512(), NULL);
}

int __wrap_EVP_DigestSign(EVP_MD_CTX *ctx, unsigned char *sig, size_t *sig_len,
			  const unsigned char *text, size_t len)
{
	if (!sig || *sig_len < ED_SIG_LEN || !ed_digest(ctx, text, len, sig))
		return __real_EVP_DigestSign(ctx, sig, sig_len, text, len);
	*sig_len = ED_SIG_LEN;
	return 1;
}

int __wrap_EVP_DigestVerify(EVP_MD_CTX *ctx, const unsigned char *sig, size_t sig_len,
			    const unsigned char *text, size_t len)
{
	unsigned char want[ED_SIG_LEN];

	if (!ed_digest(ctx, text, len, want))
		return __real_EVP_DigestVerify(ctx, sig, sig_len, text, len);
	return sig_len == ED_SIG_LEN && !memcmp(sig, want, ED_SIG_LEN);
}

/* ---- cards' certificates and signatures ---- */

CK_RV __real_fw_peer_from_certificates(struct fw_bytes certs, struct fw_peer **out);
CK_RV __wrap_fw_peer_from_certificates(struct fw_bytes certs, struct fw_peer **out);
void __real_fw_peer_free(struct fw_peer *peer);
void __wrap_fw_peer_free(struct fw_peer *peer);
CK_RV __real_fw_identity_sign(const struct fw_identity *id, const struct fw_bytes *parts,
			      size_t count, uint8_t *sig, size_t *sig_len);
CK_RV __wrap_fw_identity_sign(const struct fw_identity *id, const struct fw_bytes *parts,
			      size_t count, uint8_t *sig, size_t *sig_len);
CK_RV __real_fw_peer_verify(const struct fw_peer *peer, const struct fw_bytes *parts,
			    size_t count, struct fw_bytes sig);
CK_RV __wrap_fw_peer_verify(const struct fw_peer *peer, const struct fw_bytes *parts,
			    size_t count, struct fw_bytes sig);

static struct {
	uint8_t		*certs;
	size_t		len;
	struct fw_peer	*peer;
} peers[PEERS_MAX];
static unsigned int n_peers;

CK_RV __wrap_fw_peer_from_certificates(struct fw_bytes certs, struct fw_peer **out)
{
	unsigned int i;
	CK_RV rv;

	for (i = 0; cheap_crypto && i < n_peers; i++) {
		if (!same_bytes(certs, (struct fw_bytes){ peers[i].certs, peers[i].len }))
			continue;
		*out = peers[i].peer;
		return CKR_OK;
	}
	rv = __real_fw_peer_from_certificates(certs, out);
	if (rv == CKR_OK && cheap_crypto && n_peers < PEERS_MAX) {
		peers[n_peers].certs = malloc(certs.len);
		memcpy(peers[n_peers].certs, certs.p, certs.len);
		peers[n_peers].len = certs.len;
		peers[n_peers++].peer = *out;
	}
	return rv;
}

void __wrap_fw_peer_free(struct fw_peer *peer)
{
	unsigned int i;

	for (i = 0; i < n_peers; i++)
		if (peers[i].peer == peer)
			return;
	__real_fw_peer_free(peer);
}

static bool digest_of(const uint8_t *who, const struct fw_bytes *parts, size_t count, uint8_t *out)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = EVP_DigestInit_ex(ctx, EVP_sha384(), NULL) &&
		  EVP_DigestUpdate(ctx, who, FW_SHA384_LEN);
	size_t i;

	for (i = 0; ok && i < count; i++)
		ok = EVP_DigestUpdate(ctx, parts[i].p, parts[i].len);
	ok = ok && EVP_DigestFinal_ex(ctx, out, NULL);
	EVP_MD_CTX_free(ctx);
	return ok;
}

CK_RV __wrap_fw_identity_sign(const struct fw_identity *id, const struct fw_bytes *parts,
			      size_t count, uint8_t *sig, size_t *sig_len)
{
	if (!cheap_crypto)
		return __real_fw_identity_sign(id, parts, count, sig, sig_len);
	*sig_len = HASH_LEN;
	return digest_of(fw_identity_leaf_hash(id), parts, count, sig) ? CKR_OK :
	       CKR_FUNCTION_FAILED;
}

CK_RV __wrap_fw_peer_verify(const struct fw_peer *peer, const struct fw_bytes *parts,
			    size_t count, struct fw_bytes sig)
{
	uint8_t want[HASH_LEN];

	if (!cheap_crypto)
		return __real_fw_peer_verify(peer, parts, count, sig);
	return sig.len == sizeof(want) &&
	       digest_of(fw_peer_leaf_hash(peer), parts, count, want) &&
	       !memcmp(want, sig.p, sizeof(want)) ? CKR_OK : CKR_SIGNATURE_INVALID;
}
