// SPDX-License-Identifier: GPL-2.0-or-later
/* The card's identity and the cloning channel */
#include <endian.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "crypto/channel.h"
#include "crypto/maker_root.h"

#include "util.h"

#define SOURCE		"154438"
#define SOURCE_PAR	"154438865287"
#define TARGET		"1238700"
#define TARGET_PAR	"1238700701510"

static struct fw_identity *source, *target;
static uint8_t domain[FW_DOMAIN_KEY_LEN], other_domain[FW_DOMAIN_KEY_LEN];

static int setup(void **state)
{
	(void)state;
	assert_ok(fw_identity_create(SOURCE, &source));
	assert_ok(fw_identity_create(TARGET, &target));
	assert_ok(fw_random(domain, sizeof(domain)));
	assert_ok(fw_random(other_domain, sizeof(other_domain)));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fw_identity_free(source);
	fw_identity_free(target);
	return 0;
}

/* ---- certificates of our own making ---- */

static EVP_PKEY *new_key(const char *curve)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", curve);

	assert_non_null(key);
	return key;
}

static EVP_PKEY *maker_key(void)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BIGNUM *d = BN_bin2bn(fw_maker_key, FW_MAKER_KEY_LEN, NULL);
	OSSL_PARAM *params;
	EVP_PKEY *key = NULL;

	OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, "P-384", 0);
	OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, d);
	params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY_fromdata_init(ctx);
	EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params);
	assert_non_null(key);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	EVP_PKEY_CTX_free(ctx);
	BN_free(d);
	return key;
}

static X509 *maker_cert(void)
{
	BIO *bio = BIO_new_mem_buf(fw_maker_root_pem, -1);
	X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	assert_non_null(cert);
	BIO_free(bio);
	return cert;
}

struct recipe {
	const char	*cn[3];
	EVP_PKEY	*key;
	EVP_PKEY	*signer;
	X509		*issuer;
	const EVP_MD	*md;
	bool		ca;
	const char	*usage;
	long		days;		/* it lasts, from now; negative: it is over */
};

static X509 *make_cert(const struct recipe *r)
{
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);
	X509_EXTENSION *ext;
	size_t i;

	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 77);
	for (i = 0; i < 3 && r->cn[i]; i++)
		X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)r->cn[i], -1,
					   -1, 0);
	X509_set_issuer_name(cert, r->issuer ? X509_get_subject_name(r->issuer) : name);
	X509_gmtime_adj(X509_getm_notBefore(cert), -86400L * 400);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400L * r->days);
	X509_set_pubkey(cert, r->key);
	ext = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints,
				  r->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
	if (r->usage) {
		ext = X509V3_EXT_conf_nid(NULL, NULL, NID_key_usage, r->usage);
		X509_add_ext(cert, ext, -1);
		X509_EXTENSION_free(ext);
	}
	assert_true(X509_sign(cert, r->signer, r->md) > 0);
	return cert;
}

static struct fw_bytes der_of(X509 *a, X509 *b)
{
	uint8_t mem[4096], *p = mem;
	struct fw_bytes out;

	if (a)
		i2d_X509(a, &p);
	if (b)
		i2d_X509(b, &p);
	out = BYTES(mem, p - mem);
	return out.len ? flipped(flipped(out, 0, 0), 0, 0) : NONE;
}

static CK_RV peer_rv(struct fw_bytes certs)
{
	struct fw_peer *peer = NULL;
	CK_RV rv = fw_peer_from_certificates(certs, &peer);

	fw_peer_free(peer);
	return rv;
}

static void test_chains(void **state)
{
	EVP_PKEY *maker = maker_key(), *key = new_key("P-384"), *weak = new_key("P-256");
	EVP_PKEY *mid_key = new_key("P-384");
	X509 *root = maker_cert(), *cert, *mid;
	struct recipe good = {
		{ "4711" }, key, maker, root, EVP_sha384(), false, "critical,digitalSignature", 400,
	};
	struct recipe r, m = {
		{ "a plant of the maker" }, mid_key, maker, root, EVP_sha384(), true,
		"critical,keyCertSign", 400,
	};
	struct fw_peer *peer;
	int i;

	(void)state;
	for (i = 0; i < 13; i++) {
		CK_RV want = PCIEHSM_CKR_CERTIFICATE;

		r = good;
		switch (i) {
		case 0:
			want = CKR_OK;
			break;
		case 1:		/* over: a card has no clock */
			r.days = -1;
			want = CKR_OK;
			break;
		case 2:
			r.cn[0] = "not a serial";
			break;
		case 3:
			r.cn[0] = "1234567890123";
			break;
		case 4:
			r.cn[1] = "4712";
			break;
		case 5:
			r.cn[0] = NULL;
			break;
		case 6:
			r.key = weak;
			break;
		case 7:
			r.md = EVP_sha256();
			break;
		case 8:		/* by somebody else who has the maker's name */
			r.signer = mid_key;
			break;
		case 9:
			r.usage = "critical,keyAgreement";
			break;
		case 10:
			r.issuer = NULL;
			r.signer = key;
			break;
		case 11:
			r.cn[0] = "47 11";
			break;
		case 12:	/* who may not sign at all */
			r.usage = "critical,keyCertSign";
			break;
		}
		cert = make_cert(&r);
		assert_rv(peer_rv(der_of(cert, NULL)), want);
		X509_free(cert);
	}
	/* With one in between, that is a CA; and one that is not, which any card is */
	for (i = 0; i < 4; i++) {
		m.ca = i != 1;
		m.key = i == 2 ? weak : mid_key;
		mid = make_cert(&m);
		r = good;
		r.signer = i == 2 ? weak : mid_key;
		r.issuer = mid;
		cert = make_cert(&r);
		if (i == 3)
			assert_rv(peer_rv(der_of(cert, NULL)), PCIEHSM_CKR_CERTIFICATE);
		else
			assert_rv(peer_rv(der_of(cert, mid)), i ? PCIEHSM_CKR_CERTIFICATE : CKR_OK);
		X509_free(cert);
		X509_free(mid);
	}
	/* The root by itself is no card. Nothing, garbage, cut, with something behind */
	assert_rv(peer_rv(der_of(root, NULL)), PCIEHSM_CKR_CERTIFICATE);
	assert_rv(peer_rv(NONE), PCIEHSM_CKR_CERTIFICATE);
	assert_rv(peer_rv(pattern(500)), PCIEHSM_CKR_CERTIFICATE);
	cert = make_cert(&good);
	assert_rv(peer_rv(BYTES(der_of(cert, NULL).p, der_of(cert, NULL).len - 1)),
		  PCIEHSM_CKR_CERTIFICATE);
	assert_rv(peer_rv(BYTES(der_of(cert, cert).p, der_of(cert, NULL).len + 5)),
		  PCIEHSM_CKR_CERTIFICATE);
	assert_rv(peer_rv(flipped(der_of(cert, NULL), 200, 0)), PCIEHSM_CKR_CERTIFICATE);
	assert_ok(fw_peer_from_certificates(der_of(cert, NULL), &peer));
	assert_string_equal(fw_peer_serial(peer), "4711");
	fw_peer_free(peer);
	X509_free(cert);
	X509_free(root);
	EVP_PKEY_free(maker);
	EVP_PKEY_free(key);
	EVP_PKEY_free(weak);
	EVP_PKEY_free(mid_key);
}

static void test_identity(void **state)
{
	static const char *const bad[] = { "", "12a", "1234567890123", "-1", " 1" };
	struct fw_bytes parts[] = { TEXT("some "), TEXT("text") }, sig_bytes;
	struct fw_identity *id;
	struct fw_peer *peer;
	uint8_t sig[FW_IDENTITY_SIG_MAX];
	size_t len = sizeof(sig), i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_rv(fw_identity_create(bad[i], &id), CKR_ARGUMENTS_BAD);
	assert_string_equal(fw_identity_serial(source), SOURCE);
	assert_ok(fw_peer_from_certificates(fw_identity_certificates(source), &peer));
	assert_string_equal(fw_peer_serial(peer), SOURCE);
	/* Stored and loaded, it signs as the same. */
	assert_ok(fw_identity_load(fw_identity_secret(source), fw_identity_certificates(source),
				   &id));
	assert_string_equal(fw_identity_serial(id), SOURCE);
	assert_ok(fw_identity_sign(id, parts, 2, sig, &len));
	sig_bytes = BYTES(sig, len);
	assert_ok(fw_peer_verify(peer, parts, 2, sig_bytes));
	parts[0] = TEXT("some text");
	assert_ok(fw_peer_verify(peer, parts, 1, sig_bytes));
	parts[0] = TEXT("Some text");
	assert_rv(fw_peer_verify(peer, parts, 1, sig_bytes), CKR_SIGNATURE_INVALID);
	parts[0] = TEXT("some text");
	for (i = 0; i < len; i += 5)
		assert_rv(fw_peer_verify(peer, parts, 1, flipped(sig_bytes, i, 1)),
			  CKR_SIGNATURE_INVALID);
	assert_rv(fw_peer_verify(peer, parts, 1, NONE), CKR_SIGNATURE_INVALID);
	len = FW_IDENTITY_SIG_MAX - 1;
	assert_rv(fw_identity_sign(id, parts, 1, sig, &len), CKR_BUFFER_TOO_SMALL);
	fw_identity_free(id);
	fw_peer_free(peer);
	/* Key and certificate of different cards; a key that is none */
	assert_rv(fw_identity_load(fw_identity_secret(source), fw_identity_certificates(target),
				   &id), PCIEHSM_CKR_CERTIFICATE);
	assert_rv(fw_identity_load(pattern(100), fw_identity_certificates(target), &id),
		  PCIEHSM_CKR_CERTIFICATE);
	assert_rv(fw_identity_load(fw_identity_secret(source), NONE, &id), PCIEHSM_CKR_CERTIFICATE);
}

/* ---- the channel ---- */

struct ends {
	struct fw_channel	*source, *target;
	uint8_t			offer[FW_OFFER_MAX], hello[FW_HELLO_MAX];
	size_t			offer_len, hello_len;
};

static void make_offer(struct ends *e)
{
	memset(e, 0, sizeof(*e));
	e->offer_len = sizeof(e->offer);
	assert_ok(fw_channel_offer(target, TARGET_PAR, e->offer, &e->offer_len, &e->target));
}

static CK_RV start(struct ends *e, const uint8_t *key, struct fw_bytes offer)
{
	e->hello_len = sizeof(e->hello);
	return fw_channel_start(source, SOURCE_PAR, key, offer, e->hello, &e->hello_len,
				&e->source);
}

static void make_hello(struct ends *e, const uint8_t *key)
{
	make_offer(e);
	assert_ok(start(e, key, BYTES(e->offer, e->offer_len)));
}

static void finish(struct ends *e)
{
	fw_channel_free(e->source);
	fw_channel_free(e->target);
}

static struct fw_bytes seal(struct ends *e, struct fw_bytes plain)
{
	uint8_t mem[2000];
	size_t len = 0;

	assert_ok(fw_channel_seal(e->source, plain, mem, &len));
	assert_int_equal(len, plain.len + FW_CHANNEL_OVERHEAD);
	return flipped(flipped(BYTES(mem, len), 0, 0), 0, 0);
}

static CK_RV open_blob(struct ends *e, struct fw_bytes blob, struct fw_bytes want)
{
	uint8_t mem[2000];
	size_t len = 0;
	CK_RV rv;

	memset(mem, 0x55, sizeof(mem));
	rv = fw_channel_open(e->target, blob, mem, &len);
	if (rv == CKR_OK)
		assert_bytes(BYTES(mem, len), want);
	return rv;
}

static void test_channel(void **state)
{
	struct fw_bytes plain[] = { TEXT("first"), NONE, pattern(1500) };
	uint8_t mem[100];
	struct ends e;
	size_t i, len;

	(void)state;
	make_hello(&e, domain);
	assert_string_equal(fw_channel_peer(e.source), TARGET_PAR);
	assert_string_equal(fw_channel_peer(e.target), "");
	/* Nothing goes before the hello was accepted. */
	assert_rv(open_blob(&e, pattern(50), NONE), PCIEHSM_CKR_CHANNEL);
	assert_ok(fw_channel_accept(e.target, domain, BYTES(e.hello, e.hello_len)));
	assert_string_equal(fw_channel_peer(e.target), SOURCE_PAR);
	for (i = 0; i < ARRAY_SIZE(plain); i++)
		assert_ok(open_blob(&e, seal(&e, plain[i]), plain[i]));
	/* In place */
	memcpy(mem, "in place", 8);
	assert_ok(fw_channel_seal(e.source, BYTES(mem, 8), mem, &len));
	assert_memory_not_equal(mem, "in place", 8);
	assert_ok(fw_channel_open(e.target, BYTES(mem, len), mem, &len));
	assert_bytes(BYTES(mem, len), TEXT("in place"));
	/* Each end has one direction. */
	assert_rv(fw_channel_seal(e.target, TEXT("x"), mem, &len), PCIEHSM_CKR_CHANNEL);
	assert_rv(fw_channel_open(e.source, pattern(50), mem, &len), PCIEHSM_CKR_CHANNEL);
	assert_rv(fw_channel_accept(e.source, domain, BYTES(e.hello, e.hello_len)),
		  PCIEHSM_CKR_CHANNEL);
	assert_rv(fw_channel_accept(e.target, domain, BYTES(e.hello, e.hello_len)),
		  PCIEHSM_CKR_CHANNEL);
	finish(&e);
}

/* Nothing of a secret can be seen in what goes between the cards. */
static void test_secrecy(void **state)
{
	struct fw_bytes secret = pattern(32), blob;
	struct ends e;

	(void)state;
	make_hello(&e, domain);
	blob = seal(&e, secret);
	assert_null(memmem(blob.p, blob.len, secret.p, 8));
	assert_null(memmem(e.hello, e.hello_len, domain, 8));
	assert_null(memmem(e.hello, e.hello_len, "clone confirmation", 18));
	finish(&e);
}

static void test_wrong_domain(void **state)
{
	struct ends e;

	(void)state;
	make_hello(&e, other_domain);
	assert_rv(fw_channel_accept(e.target, domain, BYTES(e.hello, e.hello_len)),
		  PCIEHSM_CKR_DOMAIN_MISMATCH);
	/* That was its one try. */
	assert_rv(fw_channel_accept(e.target, other_domain, BYTES(e.hello, e.hello_len)),
		  PCIEHSM_CKR_CHANNEL);
	assert_rv(open_blob(&e, seal(&e, TEXT("x")), TEXT("x")), PCIEHSM_CKR_CHANNEL);
	finish(&e);
}

static void test_hello_for_another(void **state)
{
	struct ends e, f;

	(void)state;
	/* A hello fits the offer that it was made for, and no other of the same card. */
	make_hello(&e, domain);
	make_hello(&f, domain);
	assert_rv(fw_channel_accept(f.target, domain, BYTES(e.hello, e.hello_len)),
		  PCIEHSM_CKR_DOMAIN_MISMATCH);
	assert_ok(fw_channel_accept(e.target, domain, BYTES(e.hello, e.hello_len)));
	/* Nor do the batches. */
	assert_rv(open_blob(&e, seal(&f, TEXT("x")), TEXT("x")), PCIEHSM_CKR_CHANNEL_DATA);
	finish(&e);
	finish(&f);
}

/* Repeated, out of order, left out, cut, changed: the channel ends. */
static void test_batches(void **state)
{
	struct fw_bytes first, second;
	struct ends e;
	int i;

	(void)state;
	for (i = 0; i < 6; i++) {
		struct fw_bytes bad;

		make_hello(&e, domain);
		assert_ok(fw_channel_accept(e.target, domain, BYTES(e.hello, e.hello_len)));
		first = seal(&e, TEXT("first batch"));
		second = seal(&e, TEXT("second batch"));
		switch (i) {
		case 0:
			assert_ok(open_blob(&e, first, TEXT("first batch")));
			bad = first;
			break;
		case 1:
			bad = second;
			break;
		case 2:
			bad = BYTES(first.p, first.len - 1);
			break;
		case 3:
			bad = flipped(first, 3, 3);
			break;
		case 4:
			bad = BYTES(first.p, 15);
			break;
		default:
			bad = NONE;
			break;
		}
		assert_rv(open_blob(&e, bad, NONE), PCIEHSM_CKR_CHANNEL_DATA);
		assert_rv(open_blob(&e, i ? first : second, NONE), PCIEHSM_CKR_CHANNEL);
		finish(&e);
	}
}

/* Every byte of an offer counts: signed, or of the signature, or of the form. */
static void test_offer_changed(void **state)
{
	struct fw_bytes offer;
	struct ends e;
	CK_RV rv;
	size_t i;

	(void)state;
	make_offer(&e);
	offer = BYTES(e.offer, e.offer_len);
	for (i = 0; i < offer.len; i += i < 16 ? 1 : 13) {
		rv = start(&e, domain, flipped(offer, i, i % 8));
		assert_true(rv == CKR_ARGUMENTS_BAD || rv == PCIEHSM_CKR_CERTIFICATE);
		assert_null(e.source);
	}
	for (i = 0; i < offer.len; i += 8)
		assert_rv(start(&e, domain, BYTES(offer.p, i)), CKR_ARGUMENTS_BAD);
	memset(e.offer + offer.len, 0, 8);
	assert_rv(start(&e, domain, BYTES(offer.p, offer.len + 8)), CKR_ARGUMENTS_BAD);
	finish(&e);
}

static void test_hello_changed(void **state)
{
	struct fw_bytes hello;
	struct ends e;
	CK_RV rv;
	size_t i;

	(void)state;
	make_hello(&e, domain);
	hello = flipped(flipped(BYTES(e.hello, e.hello_len), 0, 0), 0, 0);
	fw_channel_free(e.target);
	fw_channel_free(e.source);
	for (i = 0; i < hello.len; i += i < 8 ? 1 : 17) {
		make_hello(&e, domain);
		/* Of this channel's own hello, one bit */
		rv = fw_channel_accept(e.target, domain,
				       flipped(BYTES(e.hello, e.hello_len), i, i % 8));
		assert_true(rv == CKR_ARGUMENTS_BAD || rv == PCIEHSM_CKR_CERTIFICATE ||
			    rv == PCIEHSM_CKR_DOMAIN_MISMATCH);
		assert_rv(fw_channel_accept(e.target, domain, BYTES(e.hello, e.hello_len)),
			  PCIEHSM_CKR_CHANNEL);
		finish(&e);
	}
	for (i = 0; i < hello.len; i += 24) {
		make_hello(&e, domain);
		assert_rv(fw_channel_accept(e.target, domain, BYTES(e.hello, i)),
			  CKR_ARGUMENTS_BAD);
		finish(&e);
	}
}

/* ---- offers that a liar makes ---- */

/* A field as fw.h encodes it, behind what is there */
static void put_field(uint8_t *mem, size_t *len, uint16_t id, struct fw_bytes data)
{
	struct pciehsm_field field = { htole16(id), 0, htole32(data.len) };

	memcpy(mem + *len, &field, sizeof(field));
	if (data.len)
		memcpy(mem + *len + sizeof(field), data.p, data.len);
	*len += sizeof(field) + data.len;
	while (*len % 8)
		mem[(*len)++] = 0;
}

/* An offer by @id's card with parts of our choice, signed as it should be */
static struct fw_bytes forge(const struct fw_identity *id, struct fw_bytes key, const char *serial,
			     struct fw_bytes nonce, struct fw_bytes certs)
{
	uint8_t mem[FW_OFFER_MAX], sig[FW_IDENTITY_SIG_MAX];
	size_t len = 0, sig_len = sizeof(sig);
	struct fw_bytes parts[2];

	put_field(mem, &len, PCIEHSM_F_OFFER_KEY, key);
	put_field(mem, &len, PCIEHSM_F_SERIAL, BYTES(serial, strlen(serial)));
	put_field(mem, &len, PCIEHSM_F_NONCE, nonce);
	put_field(mem, &len, PCIEHSM_F_CERTIFICATES, certs);
	parts[0] = TEXT("pciehsm offer v1");
	parts[1] = BYTES(mem, len);
	assert_ok(fw_identity_sign(id, parts, 2, sig, &sig_len));
	put_field(mem, &len, PCIEHSM_F_OFFER_SIGNATURE, BYTES(sig, sig_len));
	return flipped(flipped(BYTES(mem, len), 0, 0), 0, 0);
}

static void test_forged_offers(void **state)
{
	struct fw_bytes certs = fw_identity_certificates(target), key, nonce = pattern(16);
	struct ends e;

	(void)state;
	make_offer(&e);
	key = BYTES(e.offer + sizeof(struct pciehsm_field), 97);
	/* The form is as the contract has it: ours made by hand is taken. */
	assert_ok(start(&e, domain, forge(target, key, TARGET_PAR, nonce, certs)));
	fw_channel_free(e.source);
	e.source = NULL;
	/* Another card's partition; no partition at all; signed by another card */
	assert_rv(start(&e, domain, forge(target, key, SOURCE_PAR, nonce, certs)),
		  PCIEHSM_CKR_CERTIFICATE);
	assert_rv(start(&e, domain, forge(target, key, TARGET, nonce, certs)),
		  PCIEHSM_CKR_CERTIFICATE);
	assert_rv(start(&e, domain, forge(target, key, "1238700abcdef", nonce, certs)),
		  PCIEHSM_CKR_CERTIFICATE);
	assert_rv(start(&e, domain, forge(source, key, TARGET_PAR, nonce, certs)),
		  PCIEHSM_CKR_CERTIFICATE);
	assert_rv(start(&e, domain, forge(target, key, TARGET_PAR, nonce, NONE)),
		  PCIEHSM_CKR_CERTIFICATE);
	/* Lengths, and a key that is no point */
	assert_rv(start(&e, domain, forge(target, key, TARGET_PAR, pattern(15), certs)),
		  CKR_ARGUMENTS_BAD);
	assert_rv(start(&e, domain, forge(target, pattern(96), TARGET_PAR, nonce, certs)),
		  CKR_ARGUMENTS_BAD);
	assert_rv(start(&e, domain, forge(target, flipped(key, 50, 0), TARGET_PAR, nonce, certs)),
		  CKR_ARGUMENTS_BAD);
	assert_rv(start(&e, domain, forge(target, key, "", nonce, certs)), CKR_ARGUMENTS_BAD);
	assert_rv(start(&e, domain, forge(target, key, "123456789012345678901234567890", nonce,
					  certs)), CKR_ARGUMENTS_BAD);
	finish(&e);
}

/* Who is not of the maker does not get a hello, and his own is not taken. */
static void test_foreign_card(void **state)
{
	EVP_PKEY *key = new_key("P-384"), *forger = new_key("P-384");
	X509 *root = maker_cert(), *cert;
	struct recipe r = {
		{ TARGET }, key, forger, root, EVP_sha384(), false, "critical,digitalSignature",
		400,
	};
	struct fw_bytes certs, offer_key;
	uint8_t mem[FW_HELLO_MAX];
	struct ends e;
	size_t len = 0;

	(void)state;
	cert = make_cert(&r);
	certs = der_of(cert, NULL);
	make_hello(&e, domain);
	offer_key = flipped(flipped(BYTES(e.offer + 8, 97), 0, 0), 0, 0);
	fw_channel_free(e.source);
	e.source = NULL;
	assert_rv(start(&e, domain, forge(target, offer_key, TARGET_PAR, pattern(16), certs)),
		  PCIEHSM_CKR_CERTIFICATE);
	put_field(mem, &len, PCIEHSM_F_ENC, offer_key);
	put_field(mem, &len, PCIEHSM_F_SERIAL, TEXT(SOURCE_PAR));
	put_field(mem, &len, PCIEHSM_F_CERTIFICATES, certs);
	put_field(mem, &len, PCIEHSM_F_CONFIRMATION, pattern(42));
	assert_rv(fw_channel_accept(e.target, domain, BYTES(mem, len)), PCIEHSM_CKR_CERTIFICATE);
	finish(&e);
	/* A true certificate, of a card that is not the sender: the key is missing. */
	make_offer(&e);
	len = 0;
	put_field(mem, &len, PCIEHSM_F_ENC, offer_key);
	put_field(mem, &len, PCIEHSM_F_SERIAL, TEXT(SOURCE_PAR));
	put_field(mem, &len, PCIEHSM_F_CERTIFICATES, fw_identity_certificates(source));
	put_field(mem, &len, PCIEHSM_F_CONFIRMATION, pattern(42));
	assert_rv(fw_channel_accept(e.target, domain, BYTES(mem, len)),
		  PCIEHSM_CKR_DOMAIN_MISMATCH);
	finish(&e);
	/* The serial of another card's partition */
	make_offer(&e);
	len = 0;
	put_field(mem, &len, PCIEHSM_F_ENC, offer_key);
	put_field(mem, &len, PCIEHSM_F_SERIAL, TEXT(TARGET_PAR));
	put_field(mem, &len, PCIEHSM_F_CERTIFICATES, fw_identity_certificates(source));
	put_field(mem, &len, PCIEHSM_F_CONFIRMATION, pattern(42));
	assert_rv(fw_channel_accept(e.target, domain, BYTES(mem, len)), PCIEHSM_CKR_CERTIFICATE);
	finish(&e);
	X509_free(cert);
	X509_free(root);
	EVP_PKEY_free(key);
	EVP_PKEY_free(forger);
}

static void test_room_and_serials(void **state)
{
	uint8_t mem[FW_OFFER_MAX];
	struct fw_channel *channel = NULL;
	struct ends e;
	size_t len, need;

	(void)state;
	make_hello(&e, domain);
	for (need = 0; need < e.offer_len; need += 40) {
		len = need;
		assert_rv(fw_channel_offer(target, TARGET_PAR, mem, &len, &channel),
			  CKR_BUFFER_TOO_SMALL);
	}
	for (need = 0; need < e.hello_len; need += 40) {
		len = need;
		assert_rv(fw_channel_start(source, SOURCE_PAR, domain,
					   BYTES(e.offer, e.offer_len), mem, &len, &channel),
			  CKR_BUFFER_TOO_SMALL);
	}
	len = sizeof(mem);
	assert_rv(fw_channel_offer(target, SOURCE_PAR, mem, &len, &channel), CKR_ARGUMENTS_BAD);
	assert_rv(fw_channel_offer(target, TARGET, mem, &len, &channel), CKR_ARGUMENTS_BAD);
	assert_rv(fw_channel_start(source, TARGET_PAR, domain, BYTES(e.offer, e.offer_len), mem,
				   &len, &channel), CKR_ARGUMENTS_BAD);
	assert_null(channel);
	finish(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_channel),
		cmocka_unit_test(test_secrecy),
		cmocka_unit_test(test_wrong_domain),
		cmocka_unit_test(test_hello_for_another),
		cmocka_unit_test(test_batches),
		cmocka_unit_test(test_offer_changed),
		cmocka_unit_test(test_hello_changed),
		cmocka_unit_test(test_forged_offers),
		cmocka_unit_test(test_foreign_card),
		cmocka_unit_test(test_room_and_serials),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
