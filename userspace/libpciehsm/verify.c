// SPDX-License-Identifier: LGPL-2.1-or-later
/* Checking what a card has signed. See verify.h. */
#include "verify.h"

#include <endian.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#define AUDIT_TEXT	"pciehsm audit v1"
#define ATTEST_TEXT	"pciehsm attest v1"
#define CHAIN_MAX	8

struct field {
	const uint8_t	*p;
	size_t		len;
};

/* The next field of a sequence whose order has a meaning */
static bool next_field(struct field *in, uint16_t id, struct field *data)
{
	struct pciehsm_field head;
	size_t padded;

	if (in->len < sizeof(head))
		return false;
	memcpy(&head, in->p, sizeof(head));
	data->p = in->p + sizeof(head);
	data->len = le32toh(head.len);
	if (le16toh(head.id) != id || head.reserved || data->len > in->len - sizeof(head))
		return false;
	padded = (data->len + 7) & ~(size_t)7;
	if (padded > in->len - sizeof(head))
		return false;
	in->p += sizeof(head) + padded;
	in->len -= sizeof(head) + padded;
	return true;
}

static CK_RV signature_valid(EVP_PKEY *key, const char *text, const uint8_t *p, size_t len,
			     const struct field *sig)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok;

	if (!ctx)
		return CKR_HOST_MEMORY;
	ok = EVP_DigestVerifyInit(ctx, NULL, EVP_sha384(), NULL, key) > 0 &&
	     EVP_DigestVerifyUpdate(ctx, text, strlen(text)) > 0 &&
	     EVP_DigestVerifyUpdate(ctx, p, len) > 0 &&
	     EVP_DigestVerifyFinal(ctx, sig->p, sig->len) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok ? CKR_OK : CKR_SIGNATURE_INVALID;
}

/* ---- certificates ---- */

static X509 *read_certificate(struct field *in)
{
	const uint8_t *p = in->p;
	X509 *cert = d2i_X509(NULL, &p, (long)in->len);

	if (cert) {
		in->len -= (size_t)(p - in->p);
		in->p = p;
	}
	ERR_clear_error();
	return cert;
}

static bool read_serial(X509 *cert, char *serial)
{
	X509_NAME *name = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	const ASN1_STRING *cn;

	if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0)
		return false;
	cn = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
	if (ASN1_STRING_length(cn) < 1 || ASN1_STRING_length(cn) > 24)
		return false;
	memcpy(serial, ASN1_STRING_get0_data(cn), (size_t)ASN1_STRING_length(cn));
	serial[ASN1_STRING_length(cn)] = '\0';
	return strspn(serial, "0123456789") == strlen(serial);
}

static CK_RV verify_chain(STACK_OF(X509) *chain, const char *root_pem)
{
	BIO *bio = BIO_new_mem_buf(root_pem, -1);
	X509 *root = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_STORE *store = X509_STORE_new();
	CK_RV rv = CKR_HOST_MEMORY;

	if (bio && ctx && store) {
		rv = PCIEHSM_CKR_CERTIFICATE;
		if (root && X509_STORE_add_cert(store, root) &&
		    X509_STORE_CTX_init(ctx, store, sk_X509_value(chain, 0), chain)) {
			X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_NO_CHECK_TIME);
			if (X509_verify_cert(ctx) == 1)
				rv = CKR_OK;
		}
	}
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	X509_free(root);
	BIO_free(bio);
	ERR_clear_error();
	return rv;
}

CK_RV pciehsm_certificate_verify(const void *certificates, size_t len, const char *root,
				 char *serial)
{
	struct field rest = { certificates, len };
	STACK_OF(X509) *chain = sk_X509_new_null();
	CK_RV rv = CKR_OK;

	if (!chain)
		return CKR_HOST_MEMORY;
	while (rv == CKR_OK && rest.len) {
		X509 *cert = read_certificate(&rest);

		if (!cert || sk_X509_num(chain) == CHAIN_MAX || !sk_X509_push(chain, cert)) {
			X509_free(cert);
			rv = PCIEHSM_CKR_CERTIFICATE;
		}
	}
	if (rv == CKR_OK && (!sk_X509_num(chain) || !read_serial(sk_X509_value(chain, 0), serial)))
		rv = PCIEHSM_CKR_CERTIFICATE;
	if (rv == CKR_OK)
		rv = verify_chain(chain, root);
	sk_X509_pop_free(chain, X509_free);
	return rv;
}

/* The key and the serial of the first certificate */
static CK_RV card_of(const void *certificate, size_t len, EVP_PKEY **key, char *serial)
{
	struct field rest = { certificate, len };
	X509 *cert = read_certificate(&rest);
	CK_RV rv = PCIEHSM_CKR_CERTIFICATE;

	if (cert && read_serial(cert, serial)) {
		*key = X509_get_pubkey(cert);
		if (*key)
			rv = CKR_OK;
	}
	X509_free(cert);
	ERR_clear_error();
	return rv;
}

/* ---- audit log ---- */

struct chunk {
	struct field	serial, seq, before, entries, signature;
	size_t		signed_len;
};

static bool read_chunk(const void *p, size_t len, struct chunk *c)
{
	struct field rest = { p, len };

	if (!next_field(&rest, PCIEHSM_F_HSM_SERIAL, &c->serial) ||
	    !next_field(&rest, PCIEHSM_F_SEQ, &c->seq) ||
	    !next_field(&rest, PCIEHSM_F_DIGEST, &c->before) ||
	    !next_field(&rest, PCIEHSM_F_AUDIT_ENTRIES, &c->entries))
		return false;
	c->signed_len = len - rest.len;
	return next_field(&rest, PCIEHSM_F_SIGNATURE, &c->signature) && !rest.len &&
	       c->seq.len == 8 && c->before.len == PCIEHSM_DIGEST_LEN &&
	       c->entries.len % sizeof(struct pciehsm_audit_entry) == 0;
}

/* Each entry follows the one before, from what was checked already */
static CK_RV follow(const struct chunk *c, const char *serial, struct pciehsm_audit_check *check)
{
	uint8_t raw[PCIEHSM_DIGEST_LEN + sizeof(struct pciehsm_audit_entry)];
	uint8_t text[sizeof(AUDIT_TEXT) + 32];
	struct pciehsm_audit_check now = *check;
	struct pciehsm_audit_entry e;
	uint64_t last;
	size_t at, n;

	if (!now.last) {
		n = sizeof(AUDIT_TEXT) - 1;
		memcpy(text, AUDIT_TEXT, n);
		memcpy(text + n, serial, strlen(serial));
		SHA256(text, n + strlen(serial), now.chain);
	}
	for (at = 0; at < c->entries.len; at += sizeof(e)) {
		memcpy(&e, c->entries.p + at, sizeof(e));
		if (le64toh(e.seq) <= now.last)
			return CKR_DATA_INVALID;
		if (le64toh(e.seq) != now.last + 1) {
			/* Entries may be missing before a chunk, never inside one. */
			if (at)
				return CKR_DATA_INVALID;
			now.gaps += le64toh(e.seq) - now.last - 1;
		} else if (!at && memcmp(c->before.p, now.chain, sizeof(now.chain)) != 0) {
			return CKR_DATA_INVALID;
		}
		memcpy(raw, at ? now.chain : c->before.p, PCIEHSM_DIGEST_LEN);
		memcpy(raw + PCIEHSM_DIGEST_LEN, &e, sizeof(e));
		SHA256(raw, sizeof(raw), now.chain);
		now.last = le64toh(e.seq);
	}
	memcpy(&last, c->seq.p, sizeof(last));
	if (c->entries.len && le64toh(last) != now.last)
		return CKR_DATA_INVALID;
	*check = now;
	return CKR_OK;
}

CK_RV pciehsm_audit_verify(const void *certificate, size_t certificate_len,
			   const void *chunk, size_t len, struct pciehsm_audit_check *check,
			   const struct pciehsm_audit_entry **entries, size_t *count)
{
	EVP_PKEY *key = NULL;
	char serial[25];
	struct chunk c;
	CK_RV rv;

	if (!read_chunk(chunk, len, &c))
		return CKR_DATA_INVALID;
	rv = card_of(certificate, certificate_len, &key, serial);
	if (rv != CKR_OK)
		return rv;
	rv = signature_valid(key, AUDIT_TEXT, chunk, c.signed_len, &c.signature);
	EVP_PKEY_free(key);
	if (rv == CKR_OK && (c.serial.len != strlen(serial) ||
			     memcmp(c.serial.p, serial, c.serial.len) != 0))
		rv = CKR_SIGNATURE_INVALID;
	if (rv == CKR_OK)
		rv = follow(&c, serial, check);
	if (rv != CKR_OK)
		return rv;
	if (entries)
		*entries = (const struct pciehsm_audit_entry *)(const void *)c.entries.p;
	if (count)
		*count = c.entries.len / sizeof(struct pciehsm_audit_entry);
	return CKR_OK;
}

/* ---- attestation ---- */

static bool digits(const struct field *f, char *text)
{
	if (!f->len || f->len > 24)
		return false;
	memcpy(text, f->p, f->len);
	text[f->len] = '\0';
	return strspn(text, "0123456789") == f->len;
}

static bool read_statement(const struct pciehsm_attestation *att, struct pciehsm_statement *s,
			   struct field *nonce)
{
	struct field rest = { att->statement, att->statement_len };
	struct field hsm, serial, version, ouid, object_version, flags, attributes;
	uint32_t raw;

	if (!next_field(&rest, PCIEHSM_F_HSM_SERIAL, &hsm) ||
	    !next_field(&rest, PCIEHSM_F_SERIAL, &serial) ||
	    !next_field(&rest, PCIEHSM_F_FW_VERSION, &version) ||
	    !next_field(&rest, PCIEHSM_F_OUID, &ouid) ||
	    !next_field(&rest, PCIEHSM_F_VERSION, &object_version) ||
	    !next_field(&rest, PCIEHSM_F_NONCE, nonce) ||
	    !next_field(&rest, PCIEHSM_F_FLAGS, &flags) ||
	    !next_field(&rest, PCIEHSM_F_TEMPLATE, &attributes) || rest.len ||
	    !digits(&hsm, s->hsm_serial) || !digits(&serial, s->serial) ||
	    ouid.len != PCIEHSM_OUID_LEN || flags.len != sizeof(raw))
		return false;
	memcpy(s->ouid, ouid.p, PCIEHSM_OUID_LEN);
	memcpy(&raw, flags.p, sizeof(raw));
	s->flags = le32toh(raw);
	s->attributes = attributes.p;
	s->attributes_len = attributes.len;
	return true;
}

CK_RV pciehsm_attestation_verify(const struct pciehsm_attestation *att, const char *root,
				 const void *nonce, size_t nonce_len,
				 struct pciehsm_statement *statement)
{
	struct field sig = { att->signature, att->signature_len }, said;
	struct pciehsm_statement s;
	EVP_PKEY *key = NULL;
	char serial[25];
	CK_RV rv;

	rv = pciehsm_certificate_verify(att->certificates, att->certificates_len, root, serial);
	if (rv == CKR_OK)
		rv = card_of(att->certificates, att->certificates_len, &key, serial);
	if (rv == CKR_OK)
		rv = signature_valid(key, ATTEST_TEXT, att->statement, att->statement_len, &sig);
	EVP_PKEY_free(key);
	if (rv != CKR_OK)
		return rv;
	if (!read_statement(att, &s, &said) || said.len != nonce_len ||
	    memcmp(said.p, nonce, nonce_len) != 0)
		return CKR_DATA_INVALID;
	/* A card speaks for itself and for its own partitions only. */
	if (strcmp(s.hsm_serial, serial) != 0 ||
	    strncmp(s.serial, serial, strlen(serial)) != 0)
		return PCIEHSM_CKR_CERTIFICATE;
	*statement = s;
	return CKR_OK;
}
