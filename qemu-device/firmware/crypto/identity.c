// SPDX-License-Identifier: GPL-2.0-or-later
/* The card's identity: key, certificates, and those of others. See identity.h. */
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "crypto/identity.h"
#include "crypto/internal.h"
#include "crypto/maker_root.h"
#include "crypto/secret.h"

#define FW_IDENTITY_CURVE	"secp384r1"
#define FW_IDENTITY_BITS	384
/* Cards' serials have 1 to 12 digits, partitions' six more. */
#define FW_HSM_DIGITS		12
#define FW_PARTITION_DIGITS	6
/* Longest chain that is looked at */
#define FW_CHAIN_MAX		8
/* RFC 5280 4.1.2.5: no well-defined end */
#define FW_NOT_BEFORE		"20000101000000Z"
#define FW_NOT_AFTER		"99991231235959Z"

struct fw_identity {
	EVP_PKEY	*key;
	uint8_t		*secret;
	size_t		secret_len;
	uint8_t		*certs;
	size_t		certs_len;
	struct fw_peer	*self;		/* what others make of @certs */
};

struct fw_peer {
	EVP_PKEY	*key;
	char		serial[FW_SERIAL_MAX];
	uint8_t		leaf_hash[FW_SHA384_LEN];
};

static bool fw_hsm_serial_ok(const char *serial, size_t len)
{
	return len >= 1 && len <= FW_HSM_DIGITS && strspn(serial, "0123456789") == len;
}

bool fw_partition_serial_of(const char *partition, const char *hsm)
{
	size_t len = strlen(hsm), n = strlen(partition);

	return n == len + FW_PARTITION_DIGITS && !strncmp(partition, hsm, len) &&
	       strspn(partition, "0123456789") == n;
}

/* ---- making ---- */

static EVP_PKEY *fw_maker_pkey(void)
{
	const struct fw_curve *curve = fw_curve_by_name(FW_IDENTITY_CURVE);
	struct fw_bytes secret = { fw_maker_key, FW_MAKER_KEY_LEN }, none = { NULL, 0 };
	EVP_PKEY *pkey = NULL;

	return fw_curve_pkey(curve, none, secret, &pkey) == CKR_OK ? pkey : NULL;
}

static X509 *fw_maker_cert(void)
{
	BIO *bio = BIO_new_mem_buf(fw_maker_root_pem, -1);
	X509 *cert = X509_new_ex(fw_lib()->ctx, NULL);

	if (bio && cert && !PEM_read_bio_X509(bio, &cert, NULL, NULL)) {
		X509_free(cert);
		cert = NULL;
	}
	BIO_free(bio);
	return cert;
}

static bool fw_cert_extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	bool ok = ext && X509_add_ext(cert, ext, -1);

	X509_EXTENSION_free(ext);
	return ok;
}

static bool fw_cert_number(X509 *cert)
{
	uint8_t bytes[16];
	BIGNUM *bn;
	bool ok;

	if (fw_random(bytes, sizeof(bytes)) != CKR_OK)
		return false;
	/* RFC 5280 4.1.2.2: positive */
	bytes[0] = (bytes[0] & 0x7f) | 0x40;
	bn = BN_bin2bn(bytes, sizeof(bytes), NULL);
	ok = bn && BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(cert));
	BN_free(bn);
	return ok;
}

/* The card's certificate, by the maker. */
static X509 *fw_certify(const char *serial, EVP_PKEY *key)
{
	X509 *root = fw_maker_cert(), *cert = X509_new_ex(fw_lib()->ctx, NULL);
	EVP_PKEY *maker = fw_maker_pkey();
	X509_NAME *name;
	bool ok = false;

	if (!root || !cert || !maker)
		goto out;
	name = X509_get_subject_name(cert);
	ok = X509_set_version(cert, X509_VERSION_3) && fw_cert_number(cert) &&
	     X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)serial, -1, -1,
					0) &&
	     X509_set_issuer_name(cert, X509_get_subject_name(root)) &&
	     ASN1_TIME_set_string(X509_getm_notBefore(cert), FW_NOT_BEFORE) &&
	     ASN1_TIME_set_string(X509_getm_notAfter(cert), FW_NOT_AFTER) &&
	     X509_set_pubkey(cert, key) &&
	     fw_cert_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
	     fw_cert_extension(cert, NID_key_usage, "critical,digitalSignature,keyAgreement") &&
	     X509_sign(cert, maker, fw_hash_md(fw_hash_by_digest(CKM_SHA384))) > 0;
out:
	if (!ok) {
		X509_free(cert);
		cert = NULL;
	}
	X509_free(root);
	EVP_PKEY_free(maker);
	return cert;
}

static CK_RV fw_copy(struct fw_bytes in, uint8_t **out, size_t *len)
{
	*out = malloc(in.len ? in.len : 1);
	if (!*out)
		return CKR_HOST_MEMORY;
	if (in.len)
		memcpy(*out, in.p, in.len);
	*len = in.len;
	return CKR_OK;
}

CK_RV fw_identity_create(const char *serial, struct fw_identity **id)
{
	PKCS8_PRIV_KEY_INFO *p8 = NULL;
	uint8_t *secret = NULL, *cert_der = NULL;
	int secret_len = 0, cert_len = 0;
	EVP_PKEY *key;
	X509 *cert = NULL;
	CK_RV rv = CKR_FUNCTION_FAILED;

	if (!fw_hsm_serial_ok(serial, strlen(serial)))
		return CKR_ARGUMENTS_BAD;
	key = EVP_PKEY_Q_keygen(fw_lib()->ctx, NULL, "EC", FW_IDENTITY_CURVE);
	if (key)
		cert = fw_certify(serial, key);
	if (cert)
		p8 = EVP_PKEY2PKCS8(key);
	if (p8) {
		secret_len = i2d_PKCS8_PRIV_KEY_INFO(p8, &secret);
		cert_len = i2d_X509(cert, &cert_der);
	}
	if (secret_len > 0 && cert_len > 0) {
		struct fw_bytes s = { secret, secret_len }, c = { cert_der, cert_len };

		/* By the way that a stored one takes: what it checks is checked here too. */
		rv = fw_identity_load(s, c, id);
	}
	PKCS8_PRIV_KEY_INFO_free(p8);
	if (secret_len > 0)
		OPENSSL_clear_free(secret, secret_len);
	OPENSSL_free(cert_der);
	X509_free(cert);
	EVP_PKEY_free(key);
	return rv;
}

CK_RV fw_identity_load(struct fw_bytes secret, struct fw_bytes certs, struct fw_identity **out)
{
	struct fw_identity *id = calloc(1, sizeof(*id));
	const uint8_t *p = secret.p;
	PKCS8_PRIV_KEY_INFO *p8;
	CK_RV rv;

	if (!id)
		return CKR_HOST_MEMORY;
	rv = fw_peer_from_certificates(certs, &id->self);
	if (rv != CKR_OK)
		goto fail;
	p8 = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, secret.len);
	if (p8)
		id->key = EVP_PKCS82PKEY_ex(p8, fw_lib()->ctx, NULL);
	PKCS8_PRIV_KEY_INFO_free(p8);
	rv = PCIEHSM_CKR_CERTIFICATE;
	if (!id->key || EVP_PKEY_eq(id->key, id->self->key) != 1)
		goto fail;
	rv = fw_copy(secret, &id->secret, &id->secret_len);
	if (rv == CKR_OK)
		rv = fw_copy(certs, &id->certs, &id->certs_len);
	if (rv != CKR_OK)
		goto fail;
	*out = id;
	return CKR_OK;
fail:
	ERR_clear_error();
	fw_identity_free(id);
	return rv;
}

void fw_identity_free(struct fw_identity *id)
{
	if (!id)
		return;
	EVP_PKEY_free(id->key);
	fw_peer_free(id->self);
	fw_wipe_free(id->secret, id->secret_len);
	free(id->certs);
	free(id);
}

const char *fw_identity_serial(const struct fw_identity *id)
{
	return id->self->serial;
}

struct fw_bytes fw_identity_certificates(const struct fw_identity *id)
{
	return (struct fw_bytes){ id->certs, id->certs_len };
}

struct fw_bytes fw_identity_secret(const struct fw_identity *id)
{
	return (struct fw_bytes){ id->secret, id->secret_len };
}

EVP_PKEY *fw_identity_key(const struct fw_identity *id)
{
	return id->key;
}

const uint8_t *fw_identity_leaf_hash(const struct fw_identity *id)
{
	return id->self->leaf_hash;
}

CK_RV fw_identity_sign(const struct fw_identity *id, const struct fw_bytes *parts, size_t count,
		       uint8_t *sig, size_t *sig_len)
{
	EVP_MD_CTX *ctx;
	bool ok;
	size_t i;

	if (*sig_len < FW_IDENTITY_SIG_MAX) {
		*sig_len = FW_IDENTITY_SIG_MAX;
		return CKR_BUFFER_TOO_SMALL;
	}
	ctx = EVP_MD_CTX_new();
	if (!ctx)
		return CKR_HOST_MEMORY;
	ok = EVP_DigestSignInit_ex(ctx, NULL, "SHA384", fw_lib()->ctx, NULL, id->key, NULL) > 0;
	for (i = 0; ok && i < count; i++)
		ok = EVP_DigestSignUpdate(ctx, parts[i].p, parts[i].len) > 0;
	ok = ok && EVP_DigestSignFinal(ctx, sig, sig_len) > 0;
	EVP_MD_CTX_free(ctx);
	return ok ? CKR_OK : CKR_FUNCTION_FAILED;
}

/* ---- others ---- */

/* Only what we would do ourselves: no weaker key or signature anywhere in the chain. */
static bool fw_cert_strong(X509 *cert)
{
	EVP_PKEY *key = X509_get0_pubkey(cert);
	char group[32];
	size_t len;

	return key && EVP_PKEY_is_a(key, "EC") &&
	       EVP_PKEY_get_group_name(key, group, sizeof(group), &len) &&
	       !strcmp(group, FW_IDENTITY_CURVE) &&
	       X509_get_signature_nid(cert) == NID_ecdsa_with_SHA384;
}

static CK_RV fw_chain_parse(struct fw_bytes certs, STACK_OF(X509) *chain, size_t *leaf_len)
{
	const uint8_t *p = certs.p, *end = certs.p + certs.len;

	while (p < end) {
		X509 *cert = X509_new_ex(fw_lib()->ctx, NULL);

		if (!cert)
			return CKR_HOST_MEMORY;
		/* On failure this frees what it was given. */
		if (!d2i_X509(&cert, &p, end - p))
			return PCIEHSM_CKR_CERTIFICATE;
		if (!fw_cert_strong(cert) || sk_X509_num(chain) >= FW_CHAIN_MAX) {
			X509_free(cert);
			return PCIEHSM_CKR_CERTIFICATE;
		}
		if (!sk_X509_push(chain, cert)) {
			X509_free(cert);
			return CKR_HOST_MEMORY;
		}
		if (sk_X509_num(chain) == 1)
			*leaf_len = p - certs.p;
	}
	return sk_X509_num(chain) ? CKR_OK : PCIEHSM_CKR_CERTIFICATE;
}

/* From the first certificate through the others to the maker's root */
static CK_RV fw_chain_verify(STACK_OF(X509) *chain)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new_ex(fw_lib()->ctx, NULL);
	X509_STORE *store = X509_STORE_new();
	X509 *root = fw_maker_cert();
	CK_RV rv = CKR_HOST_MEMORY;

	if (!ctx || !store || !root || !X509_STORE_add_cert(store, root) ||
	    !X509_STORE_CTX_init(ctx, store, sk_X509_value(chain, 0), chain))
		goto out;
	X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_NO_CHECK_TIME);
	rv = X509_verify_cert(ctx) == 1 ? CKR_OK : PCIEHSM_CKR_CERTIFICATE;
out:
	X509_free(root);
	X509_STORE_free(store);
	X509_STORE_CTX_free(ctx);
	return rv;
}

/* The subject has one CN, which is a card's serial; the key may sign. */
static CK_RV fw_leaf_read(X509 *leaf, struct fw_peer *peer)
{
	X509_NAME *name = X509_get_subject_name(leaf);
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	const ASN1_STRING *cn;
	int len;

	if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0 ||
	    !(X509_get_key_usage(leaf) & KU_DIGITAL_SIGNATURE))
		return PCIEHSM_CKR_CERTIFICATE;
	cn = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
	len = ASN1_STRING_length(cn);
	if (len < 1 || len > FW_HSM_DIGITS)
		return PCIEHSM_CKR_CERTIFICATE;
	memcpy(peer->serial, ASN1_STRING_get0_data(cn), len);
	peer->serial[len] = '\0';
	if (!fw_hsm_serial_ok(peer->serial, len))
		return PCIEHSM_CKR_CERTIFICATE;
	peer->key = X509_get_pubkey(leaf);
	return peer->key ? CKR_OK : PCIEHSM_CKR_CERTIFICATE;
}

CK_RV fw_peer_from_certificates(struct fw_bytes certs, struct fw_peer **out)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	struct fw_peer *peer = calloc(1, sizeof(*peer));
	size_t leaf_len = 0;
	CK_RV rv = CKR_HOST_MEMORY;

	if (chain && peer)
		rv = fw_chain_parse(certs, chain, &leaf_len);
	if (rv == CKR_OK)
		rv = fw_chain_verify(chain);
	if (rv == CKR_OK)
		rv = fw_leaf_read(sk_X509_value(chain, 0), peer);
	if (rv == CKR_OK &&
	    !EVP_Digest(certs.p, leaf_len, peer->leaf_hash, NULL,
			fw_hash_md(fw_hash_by_digest(CKM_SHA384)), NULL))
		rv = CKR_HOST_MEMORY;
	sk_X509_pop_free(chain, X509_free);
	if (rv == CKR_OK) {
		*out = peer;
	} else {
		ERR_clear_error();
		fw_peer_free(peer);
	}
	return rv;
}

void fw_peer_free(struct fw_peer *peer)
{
	if (!peer)
		return;
	EVP_PKEY_free(peer->key);
	free(peer);
}

const char *fw_peer_serial(const struct fw_peer *peer)
{
	return peer->serial;
}

EVP_PKEY *fw_peer_key(const struct fw_peer *peer)
{
	return peer->key;
}

const uint8_t *fw_peer_leaf_hash(const struct fw_peer *peer)
{
	return peer->leaf_hash;
}

CK_RV fw_peer_verify(const struct fw_peer *peer, const struct fw_bytes *parts, size_t count,
		     struct fw_bytes sig)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok;
	size_t i;

	if (!ctx)
		return CKR_HOST_MEMORY;
	ok = EVP_DigestVerifyInit_ex(ctx, NULL, "SHA384", fw_lib()->ctx, NULL, peer->key, NULL) > 0;
	for (i = 0; ok && i < count; i++)
		ok = EVP_DigestVerifyUpdate(ctx, parts[i].p, parts[i].len) > 0;
	ok = ok && EVP_DigestVerifyFinal(ctx, sig.p, sig.len) == 1;
	EVP_MD_CTX_free(ctx);
	if (!ok)
		ERR_clear_error();
	return ok ? CKR_OK : CKR_SIGNATURE_INVALID;
}
