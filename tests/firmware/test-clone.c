// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Keys from one card to another: they work there, nobody between can read them, and
 * nothing else gets in.
 */
#include "card.h"

#include <endian.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

struct bytes {
	uint8_t	*p;
	size_t	len;
};

static struct bytes take(const struct fwmsg *m, uint16_t id)
{
	const uint8_t *p;
	struct bytes b;

	p = fwmsg_get(m, id, &b.len);
	assert_non_null(p);
	b.p = malloc(b.len + 1);
	memcpy(b.p, p, b.len);
	return b;
}

/* One end each; 0: none */
struct link {
	struct card	*from;
	struct card	*to;
	uint32_t	source;
	uint32_t	target;
};

static unsigned long offer(struct card *c, uint32_t ctx, uint32_t *channel, struct bytes *out)
{
	unsigned long rv;
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_CLONE_OFFER, 0);
	rv = fwmsg_run(&m, c->fw, c->part, ctx);
	if (rv == CKR_OK) {
		*channel = fwmsg_get_u32(&m, PCIEHSM_F_CHANNEL);
		*out = take(&m, PCIEHSM_F_OFFER);
	}
	fwmsg_free(&m);
	return rv;
}

static unsigned long start(struct card *c, const struct bytes *in, uint32_t *channel,
			   struct bytes *hello)
{
	unsigned long rv;
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_CLONE_START, 0);
	fwmsg_bytes(&m, PCIEHSM_F_OFFER, in->p, in->len);
	rv = fwmsg_run(&m, c->fw, c->part, CTX_CO);
	if (rv == CKR_OK) {
		*channel = fwmsg_get_u32(&m, PCIEHSM_F_CHANNEL);
		*hello = take(&m, PCIEHSM_F_HELLO);
	}
	fwmsg_free(&m);
	return rv;
}

static unsigned long accept_hello(struct card *c, uint32_t channel, const struct bytes *hello)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_CLONE_ACCEPT, 0);
	fwmsg_u32(&m, PCIEHSM_F_CHANNEL, channel);
	fwmsg_bytes(&m, PCIEHSM_F_HELLO, hello->p, hello->len);
	return card_run(&m, c, c->part, CTX_CO);
}

static struct link connect_cards(struct card *from, struct card *to)
{
	struct link l = { from, to, 0, 0 };
	struct bytes o, h;

	assert_ok(offer(to, CTX_CO, &l.target, &o));
	assert_ok(start(from, &o, &l.source, &h));
	assert_ok(accept_hello(to, l.target, &h));
	free(o.p);
	free(h.p);
	return l;
}

/* Exports objects n[0..count); results go to @rvs; returns the number dealt with. */
static unsigned long export_some(struct link *l, const uint32_t *n, unsigned int count,
				 size_t room, struct bytes *blob, uint32_t *rvs,
				 unsigned int *done)
{
	uint8_t *ouids = malloc(count * PCIEHSM_OUID_LEN);
	const uint8_t *p;
	unsigned long rv;
	struct fwmsg m;
	size_t len;

	for (unsigned int i = 0; i < count; i++)
		ouid_of(ouids + i * PCIEHSM_OUID_LEN, n[i]);
	fwmsg_begin(&m, PCIEHSM_OP_CLONE_EXPORT, 0);
	fwmsg_u32(&m, PCIEHSM_F_CHANNEL, l->source);
	fwmsg_bytes(&m, PCIEHSM_F_OUIDS, ouids, count * PCIEHSM_OUID_LEN);
	if (room)
		m.out_size = room;
	rv = fwmsg_run(&m, l->from->fw, l->from->part, CTX_CO);
	if (rv == CKR_OK) {
		*blob = take(&m, PCIEHSM_F_BLOB);
		p = fwmsg_get(&m, PCIEHSM_F_RESULTS, &len);
		*done = (unsigned int)(len / sizeof(struct pciehsm_clone_result));
		for (unsigned int i = 0; i < *done; i++) {
			assert_memory_equal(p + i * 24, ouids + i * PCIEHSM_OUID_LEN, 16);
			memcpy(&rvs[i], p + i * 24 + 16, 4);
		}
	}
	fwmsg_free(&m);
	free(ouids);
	return rv;
}

static unsigned long import_room(struct link *l, const struct bytes *blob, size_t room,
				 uint32_t *rvs, unsigned int *done)
{
	const uint8_t *p;
	unsigned long rv;
	struct fwmsg m;
	size_t len;

	fwmsg_begin(&m, PCIEHSM_OP_CLONE_IMPORT, 1);
	fwmsg_u32(&m, PCIEHSM_F_CHANNEL, l->target);
	fwmsg_bytes(&m, PCIEHSM_F_BLOB, blob->p, blob->len);
	if (room)
		m.out_size = room;
	rv = fwmsg_run(&m, l->to->fw, l->to->part, CTX_CO);
	*done = 0;
	if (rv == CKR_OK) {
		p = fwmsg_get(&m, PCIEHSM_F_RESULTS, &len);
		assert_non_null(p);
		*done = (unsigned int)(len / sizeof(struct pciehsm_clone_result));
		for (unsigned int i = 0; i < *done; i++)
			memcpy(&rvs[i], p + i * 24 + 16, 4);
	}
	fwmsg_free(&m);
	return rv;
}

static unsigned long import_blob(struct link *l, const struct bytes *blob, uint32_t *rvs)
{
	unsigned int done;

	return import_room(l, blob, 0, rvs, &done);
}

/* Clones one object; both sides must be content, or the import gives @expect. */
static void clone_one(struct link *l, uint32_t n, uint32_t expect)
{
	uint32_t rv = 0xdead;
	struct bytes blob;
	unsigned int done;

	assert_ok(export_some(l, &n, 1, 0, &blob, &rv, &done));
	assert_int_equal(done, 1);
	assert_int_equal(rv, CKR_OK);
	assert_ok(import_blob(l, &blob, &rv));
	assert_int_equal(rv, expect);
	free(blob.p);
}

static EVP_PKEY *public_key(struct card *c, uint32_t n)
{
	uint8_t der[1024];
	size_t len = sizeof(der);
	const uint8_t *p = der;
	EVP_PKEY *pkey;

	assert_ok(card_get(c, CTX_CO, n, CKA_PUBLIC_KEY_INFO, der, &len));
	pkey = d2i_PUBKEY(NULL, &p, (long)len);
	assert_non_null(pkey);
	return pkey;
}

/* Is it a signature over "data" by the key whose public half is @n of @c? */
static void check_signature(struct card *c, uint32_t n, const uint8_t *sig, size_t len)
{
	EVP_PKEY *pkey = public_key(c, n);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	uint8_t *der = NULL;
	int der_len = (int)len;

	if (EVP_PKEY_base_id(pkey) == EVP_PKEY_EC) {
		ECDSA_SIG *s = ECDSA_SIG_new();

		assert_int_equal(len, 64);
		ECDSA_SIG_set0(s, BN_bin2bn(sig, 32, NULL), BN_bin2bn(sig + 32, 32, NULL));
		der_len = i2d_ECDSA_SIG(s, &der);
		ECDSA_SIG_free(s);
	}
	assert_int_equal(EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, pkey), 1);
	assert_int_equal(EVP_DigestVerify(md, der ? der : sig, (size_t)der_len,
					  (const uint8_t *)"data", 4), 1);
	OPENSSL_free(der);
	EVP_MD_CTX_free(md);
	EVP_PKEY_free(pkey);
}

static void check_works(struct card *c, uint32_t n, uint32_t mech, struct card *verifier)
{
	uint8_t sig[512];
	size_t len = sizeof(sig);

	assert_ok(card_sign(c, CTX_CO, n + 1, mech, "data", 4, sig, &len));
	check_signature(verifier, n, sig, len);
}

static void test_works_there(void **state)
{
	struct card *a = card_ready(154438, DOMAIN), *b = card_ready(1238700, DOMAIN);
	uint8_t da[PCIEHSM_DIGEST_LEN], db[PCIEHSM_DIGEST_LEN], va[64], vb[64];
	static const uint32_t attrs[] = { CKA_LOCAL, CKA_ALWAYS_SENSITIVE, CKA_NEVER_EXTRACTABLE,
		CKA_SENSITIVE, CKA_EXTRACTABLE, CKA_KEY_GEN_MECHANISM, CKA_LABEL, 4 };
	struct link l;

	(void)state;
	assert_ok(card_rsa(a, CTX_CO, 1, "rsa", true));
	assert_ok(card_ec(a, CTX_CO, 3, "ec", true));
	assert_ok(card_data(a, CTX_CO, 5, "data", true));
	l = connect_cards(a, b);
	for (uint32_t n = 1; n <= 5; n++)
		clone_one(&l, n, CKR_OK);
	/* Signed there, verified with the public key from here, and the other way round */
	check_works(b, 1, CKM_SHA256_RSA_PKCS, a);
	check_works(a, 1, CKM_SHA256_RSA_PKCS, b);
	check_works(b, 3, CKM_ECDSA_SHA256, a);
	check_works(a, 3, CKM_ECDSA_SHA256, b);
	for (size_t i = 0; i < sizeof(attrs) / sizeof(attrs[0]); i++) {
		size_t la = sizeof(va), lb = sizeof(vb);

		assert_ok(card_get(a, CTX_CO, 2, attrs[i], va, &la));
		assert_ok(card_get(b, CTX_CO, 2, attrs[i], vb, &lb));
		assert_int_equal(la, lb);
		assert_memory_equal(va, vb, la);
	}
	card_digest(a, da);
	card_digest(b, db);
	assert_memory_equal(da, db, sizeof(da));
	/* And it is there for good. */
	card_power_cycle(b);
	assert_ok(card_login(b, b->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
	check_works(b, 3, CKM_ECDSA_SHA256, a);
	card_digest(b, db);
	assert_memory_equal(da, db, sizeof(da));
	card_free(a);
	card_free(b);
}

static const uint8_t secret[32] = "\x9c\x11\x42-the value that nobody sees";
static unsigned int seen;
static size_t looked_at;

static void look(const void *data, size_t len)
{
	looked_at += len;
	/* Eight bytes in a row are no accident. */
	for (size_t i = 0; i + 8 <= sizeof(secret); i++)
		if (memmem(data, len, secret + i, 8))
			seen++;
}

static void test_no_key_byte_between(void **state)
{
	struct card *a = card_ready(1, DOMAIN), *b = card_ready(2, DOMAIN);
	uint8_t value[64];
	size_t len = sizeof(value);
	struct link l;

	(void)state;
	fwmsg_tap = look;
	seen = 0;
	looked_at = 0;
	/* Not sensitive, so the test may know it; the channel does not care. */
	assert_ok(card_aes(a, CTX_CO, 1, secret, sizeof(secret), true));
	l = connect_cards(a, b);
	clone_one(&l, 1, CKR_OK);
	assert_int_equal(seen, 0);
	assert_true(looked_at > 1000);
	/* The search is able to find it: here it comes, on purpose. */
	assert_ok(card_get(b, CTX_CO, 1, CKA_VALUE, value, &len));
	assert_int_equal(len, sizeof(secret));
	assert_memory_equal(value, secret, len);
	assert_true(seen > 0);
	fwmsg_tap = NULL;
	card_free(a);
	card_free(b);
}

static void test_wrong_domain(void **state)
{
	struct card *a = card_ready(1, DOMAIN), *b = card_ready(2, "another domain");
	struct link l = { a, b, 0, 0 };
	uint32_t n = 1, rv;
	struct bytes o, h, blob;
	unsigned int done;

	(void)state;
	assert_ok(card_aes(a, CTX_CO, 1, secret, sizeof(secret), true));
	assert_ok(offer(b, CTX_CO, &l.target, &o));
	assert_ok(start(a, &o, &l.source, &h));
	assert_rv(accept_hello(b, l.target, &h), PCIEHSM_CKR_DOMAIN_MISMATCH);
	/* The channel is gone: what the source would still send finds nobody. */
	assert_ok(export_some(&l, &n, 1, 0, &blob, &rv, &done));
	assert_rv(import_blob(&l, &blob, &rv), PCIEHSM_CKR_CHANNEL);
	assert_rv(accept_hello(b, l.target, &h), PCIEHSM_CKR_CHANNEL);
	assert_rv(card_get(b, CTX_CO, 1, CKA_CLASS, NULL, &(size_t){ 0 }),
		  CKR_OBJECT_HANDLE_INVALID);
	free(o.p);
	free(h.p);
	free(blob.p);
	card_free(a);
	card_free(b);
}

static void test_changed_handshake(void **state)
{
	struct card *a = card_ready(1, DOMAIN), *b = card_ready(2, DOMAIN);
	uint32_t target, source;
	struct bytes o, h, ignored;
	unsigned long rv;

	(void)state;
	assert_ok(offer(b, CTX_CO, &target, &o));
	for (size_t i = 0; i < o.len; i += 13) {
		o.p[i] ^= 4;
		rv = start(a, &o, &source, &ignored);
		assert_true(rv == CKR_ARGUMENTS_BAD || rv == PCIEHSM_CKR_CERTIFICATE);
		o.p[i] ^= 4;
	}
	for (size_t len = 1; len < o.len; len += 97) {
		struct bytes cut = { o.p, len };

		assert_true(start(a, &cut, &source, &ignored) != CKR_OK);
	}
	assert_ok(start(a, &o, &source, &h));
	h.p[h.len - 9] ^= 1;
	assert_true(accept_hello(b, target, &h) != CKR_OK);
	h.p[h.len - 9] ^= 1;
	/* A failed acceptance ends the channel. */
	assert_rv(accept_hello(b, target, &h), PCIEHSM_CKR_CHANNEL);
	free(o.p);
	free(h.p);
	card_free(a);
	card_free(b);
}

enum trick { REPLAY, REORDER, CUT, CHANGE, OTHER_CHANNEL };

static void play(enum trick trick)
{
	struct card *a = card_ready(1, DOMAIN), *b = card_ready(2, DOMAIN);
	struct link l = connect_cards(a, b), other;
	uint32_t one = 1, two = 2, rv;
	struct bytes first, second;
	unsigned int done;

	assert_ok(card_data(a, CTX_CO, 1, "one", true));
	assert_ok(card_data(a, CTX_CO, 2, "two", true));
	assert_ok(export_some(&l, &one, 1, 0, &first, &rv, &done));
	assert_ok(export_some(&l, &two, 1, 0, &second, &rv, &done));
	switch (trick) {
	case REPLAY:
		assert_ok(import_blob(&l, &first, &rv));
		assert_rv(import_blob(&l, &first, &rv), PCIEHSM_CKR_REPLAYED);
		break;
	case REORDER:
		assert_rv(import_blob(&l, &second, &rv), PCIEHSM_CKR_OUT_OF_ORDER);
		break;
	case CUT:
		first.len -= 8;
		assert_rv(import_blob(&l, &first, &rv), PCIEHSM_CKR_TRUNCATED);
		first.len += 8;
		break;
	case CHANGE:
		first.p[20] ^= 1;
		assert_rv(import_blob(&l, &first, &rv), PCIEHSM_CKR_CHANNEL_DATA);
		first.p[20] ^= 1;
		break;
	case OTHER_CHANNEL:
		other = connect_cards(a, b);
		assert_rv(import_blob(&other, &first, &rv), PCIEHSM_CKR_CHANNEL_DATA);
		l = other;
		break;
	}
	/* The channel has ended: even what would have been right is refused now. */
	assert_rv(import_blob(&l, &first, &rv), PCIEHSM_CKR_CHANNEL);
	assert_rv(import_blob(&l, &second, &rv), PCIEHSM_CKR_CHANNEL);
	assert_rv(card_get(b, CTX_CO, 2, CKA_CLASS, NULL, &(size_t){ 0 }),
		  CKR_OBJECT_HANDLE_INVALID);
	free(first.p);
	free(second.p);
	card_free(a);
	card_free(b);
}

static void test_tricks(void **state)
{
	(void)state;
	play(REPLAY);
	play(REORDER);
	play(CUT);
	play(CHANGE);
	play(OTHER_CHANNEL);
}

static void test_channel_belongs_to_context(void **state)
{
	struct card *a = card_ready(1, DOMAIN);
	struct fwmsg m;
	uint32_t channel, i, last = 0;
	struct bytes o;

	(void)state;
	assert_rv(offer(a, CTX_CU, &channel, &o), CKR_USER_NOT_LOGGED_IN);
	assert_rv(offer(a, 50, &channel, &o), CKR_USER_NOT_LOGGED_IN);
	assert_ok(card_login(a, a->part, 50, PCIEHSM_ROLE_CO, CO_PIN));
	assert_ok(offer(a, 50, &channel, &o));
	free(o.p);
	fwmsg_begin(&m, PCIEHSM_OP_CLONE_CLOSE, 0);
	fwmsg_u32(&m, PCIEHSM_F_CHANNEL, channel);
	assert_rv(fwmsg_run(&m, a->fw, a->part, CTX_CO), PCIEHSM_CKR_CHANNEL);
	assert_ok(fwmsg_run(&m, a->fw, a->part, 50));
	assert_rv(fwmsg_run(&m, a->fw, a->part, 50), PCIEHSM_CKR_CHANNEL);
	fwmsg_free(&m);
	/* Not without end */
	for (i = 0; i < 1000 && offer(a, CTX_CO, &channel, &o) == CKR_OK; i++) {
		assert_true(channel > last);
		last = channel;
		free(o.p);
	}
	assert_in_range(i, 2, 999);
	card_free(a);
}

static void test_versions(void **state)
{
	struct card *a = card_ready(1, DOMAIN), *b = card_ready(2, DOMAIN);
	struct link ab = connect_cards(a, b), ba = connect_cards(b, a);
	uint8_t label[32], da[32], db[32], ouid[PCIEHSM_OUID_LEN];
	struct fwmsg m;
	size_t len;

	(void)state;
	assert_ok(card_data(a, CTX_CO, 1, "first", true));
	clone_one(&ab, 1, CKR_OK);
	clone_one(&ab, 1, PCIEHSM_CKR_STALE);
	clone_one(&ba, 1, PCIEHSM_CKR_STALE);
	/* Changed at both ends: at equal counters the greater writer wins, everywhere. */
	assert_ok(card_set_text(a, CTX_CO, 1, CKA_LABEL, "by a"));
	assert_ok(card_set_text(b, CTX_CO, 1, CKA_LABEL, "by b"));
	clone_one(&ab, 1, PCIEHSM_CKR_STALE);
	clone_one(&ba, 1, CKR_OK);
	len = sizeof(label);
	assert_ok(card_get(a, CTX_CO, 1, CKA_LABEL, label, &len));
	assert_int_equal(len, 4);
	assert_memory_equal(label, "by b", 4);
	card_digest(a, da);
	card_digest(b, db);
	assert_memory_equal(da, db, 32);
	/* A deletion wins over what it deleted, and an older object does not come back. */
	assert_ok(card_destroy(a, CTX_CO, 1, 0));
	clone_one(&ba, 1, PCIEHSM_CKR_STALE);
	assert_rv(card_get(a, CTX_CO, 1, CKA_CLASS, NULL, &(size_t){ 0 }),
		  CKR_OBJECT_HANDLE_INVALID);
	clone_one(&ab, 1, CKR_OK);
	assert_rv(card_get(b, CTX_CO, 1, CKA_CLASS, NULL, &(size_t){ 0 }),
		  CKR_OBJECT_HANDLE_INVALID);
	assert_rv(card_data(b, CTX_CO, 1, "again", true), PCIEHSM_CKR_OBJECT_DELETED);
	card_digest(a, da);
	card_digest(b, db);
	assert_memory_equal(da, db, 32);
	/* A tombstone of what the other never had is kept there, too. */
	assert_ok(card_data(a, CTX_CO, 2, "short-lived", true));
	assert_ok(card_destroy(a, CTX_CO, 2, 0));
	clone_one(&ab, 2, CKR_OK);
	assert_rv(card_data(b, CTX_CO, 2, "again", true), PCIEHSM_CKR_OBJECT_DELETED);
	/* The greatest counter that a creation may have leaves room for changes. */
	ouid_of(ouid, 3);
	fwmsg_begin(&m, PCIEHSM_OP_OBJECT_CREATE, 0);
	fwmsg_bytes(&m, PCIEHSM_F_OUID, ouid, sizeof(ouid));
	fwmsg_u64(&m, PCIEHSM_F_COUNTER, 1ULL << 62);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr_ulong(&m, CKA_CLASS, CKO_DATA);
	fwmsg_attr_bool(&m, CKA_TOKEN, true);
	fwmsg_template_end(&m);
	assert_ok(fwmsg_run(&m, a->fw, a->part, CTX_CO));
	fwmsg_free(&m);
	assert_ok(card_set_text(a, CTX_CO, 3, CKA_LABEL, "changed"));
	clone_one(&ab, 3, CKR_OK);
	card_free(a);
	card_free(b);
}

static void test_policies(void **state)
{
	struct card *a = card_ready(1, DOMAIN), *b = card_ready(2, DOMAIN);
	struct link l = connect_cards(a, b);
	uint32_t n[3] = { 1, 2, 3 }, rvs[3];
	struct bytes blob;
	unsigned int done;

	(void)state;
	assert_ok(card_ec(a, CTX_CO, 1, "ec", true));
	assert_ok(card_aes(a, CTX_CO, 3, secret, sizeof(secret), true));
	/* At the target */
	assert_ok(card_policy(b, b->part, CTX_PO, 0, 0));
	assert_ok(export_some(&l, n, 3, 0, &blob, rvs, &done));
	assert_ok(import_blob(&l, &blob, rvs));
	assert_int_equal(rvs[0], CKR_OK);
	assert_int_equal(rvs[1], PCIEHSM_CKR_NOT_CLONABLE);
	assert_int_equal(rvs[2], CKR_OK);
	free(blob.p);
	/* At the source */
	assert_ok(card_policy(a, a->part, CTX_PO, 4, 0));
	assert_ok(export_some(&l, n, 3, 0, &blob, rvs, &done));
	assert_int_equal(done, 3);
	assert_int_equal(rvs[1], CKR_OK);
	assert_int_equal(rvs[2], PCIEHSM_CKR_NOT_CLONABLE);
	free(blob.p);
	/* The HSM's policy is above the partition's. */
	assert_ok(card_policy(a, 0, CTX_SO, 7, 0));
	assert_ok(export_some(&l, n, 3, 0, &blob, rvs, &done));
	assert_int_equal(rvs[0], CKR_OK);
	assert_int_equal(rvs[1], PCIEHSM_CKR_NOT_CLONABLE);
	free(blob.p);
	/* Raising it again destroys what was made under the stricter rule. */
	assert_ok(card_policy(a, 0, CTX_SO, 7, 1));
	assert_int_equal(hsm_fw_partitions(a->fw, NULL, 0), 0);
	card_free(a);
	card_free(b);
}

/* A card with approved mechanisms only, and what else is asked of it */
static struct card *strict_card(uint64_t serial)
{
	struct card *c = card_new(serial);

	assert_ok(card_hsm_init(c, "card", SO_PIN));
	assert_ok(card_login(c, 0, CTX_SO, PCIEHSM_ROLE_SO, SO_PIN));
	assert_ok(card_policy(c, 0, CTX_SO, 12, 0));
	assert_ok(card_partition_create(c, CTX_SO, &c->part));
	assert_ok(card_partition_init(c, c->part, CTX_PO, "par0", PO_PIN, DOMAIN));
	card_make_roles(c, c->part);
	return c;
}

static void test_cards_that_disagree(void **state)
{
	struct card *a = card_ready(1, DOMAIN), *b = strict_card(2), *d = strict_card(3);
	struct link ab = connect_cards(a, b), ba = connect_cards(b, a), bd = connect_cards(b, d);
	uint32_t n = 1, rv;
	struct bytes blob;
	unsigned int done;

	(void)state;
	assert_ok(card_data(a, CTX_CO, 1, "one", true));
	assert_ok(card_data(b, CTX_CO, 2, "two", true));
	assert_ok(export_some(&ab, &n, 1, 0, &blob, &rv, &done));
	assert_rv(import_blob(&ab, &blob, &rv), PCIEHSM_CKR_CLONE_POLICY);
	/* Not by asking again either */
	assert_rv(import_blob(&ab, &blob, &rv), PCIEHSM_CKR_REPLAYED);
	free(blob.p);
	n = 2;
	assert_ok(export_some(&ba, &n, 1, 0, &blob, &rv, &done));
	assert_rv(import_blob(&ba, &blob, &rv), PCIEHSM_CKR_CLONE_POLICY);
	free(blob.p);
	assert_ok(export_some(&bd, &n, 1, 0, &blob, &rv, &done));
	assert_ok(import_blob(&bd, &blob, &rv));
	assert_ok(rv);
	free(blob.p);
	/* The partition's own policy can not be less strict. */
	assert_rv(card_policy(b, b->part, CTX_PO, 43, 1), PCIEHSM_CKR_POLICY);
	/* To change it destroys everything, in both directions. */
	assert_ok(card_policy(b, 0, CTX_SO, 12, 1));
	assert_int_equal(hsm_fw_partitions(b->fw, NULL, 0), 0);
	assert_ok(card_policy(a, 0, CTX_SO, 12, 0));
	assert_int_equal(hsm_fw_partitions(a->fw, NULL, 0), 0);
	card_free(a);
	card_free(b);
	card_free(d);
}

/* Whatever there is to be moved: at the wrong end there is no channel. */
static void test_wrong_end(void **state)
{
	struct card *a = card_ready(1, DOMAIN), *b = card_ready(2, DOMAIN);
	struct link l = connect_cards(a, b), back = { b, a, l.target, l.source };
	uint32_t n = 1, missing = 99, rv;
	struct bytes blob, nothing = { NULL, 0 };
	unsigned int done;

	(void)state;
	assert_ok(card_data(b, CTX_CO, 1, "one", true));
	assert_rv(export_some(&back, &n, 1, 0, &blob, &rv, &done), PCIEHSM_CKR_CHANNEL);
	assert_rv(export_some(&back, &missing, 1, 0, &blob, &rv, &done), PCIEHSM_CKR_CHANNEL);
	assert_rv(import_blob(&back, &nothing, &rv), PCIEHSM_CKR_CHANNEL);
	/* At the right one an empty batch is nothing wrong. */
	assert_ok(export_some(&l, &missing, 1, 0, &blob, &rv, &done));
	assert_int_equal(rv, CKR_OBJECT_HANDLE_INVALID);
	assert_int_equal(blob.len, 0);
	assert_ok(import_blob(&l, &blob, &rv));
	free(blob.p);
	card_free(a);
	card_free(b);
}

/* What was sealed before a tombstone was collected does not bring the object back. */
static void test_collection(void **state)
{
	struct card *a = card_ready(1, DOMAIN), *b = card_ready(2, DOMAIN);
	struct link l = connect_cards(a, b);
	uint32_t n = 1, rv;
	struct bytes blob;
	unsigned int done;
	struct fwmsg m;

	(void)state;
	assert_ok(card_data(a, CTX_CO, 1, "one", true));
	clone_one(&l, 1, CKR_OK);
	assert_ok(card_set_text(a, CTX_CO, 1, CKA_LABEL, "newer"));
	assert_ok(export_some(&l, &n, 1, 0, &blob, &rv, &done));
	assert_ok(card_destroy(b, CTX_CO, 1, 0));
	fwmsg_begin(&m, PCIEHSM_OP_TOMBSTONES_COLLECT, 0);
	fwmsg_bytes(&m, PCIEHSM_F_SERIALS, NULL, 0);
	assert_ok(fwmsg_run(&m, b->fw, b->part, CTX_CO));
	assert_int_equal(fwmsg_get_u32(&m, PCIEHSM_F_TOMBSTONES), 1);
	fwmsg_free(&m);
	assert_rv(import_blob(&l, &blob, &rv), PCIEHSM_CKR_CHANNEL);
	assert_rv(card_get(b, CTX_CO, 1, CKA_CLASS, NULL, &(size_t){ 0 }),
		  CKR_OBJECT_HANDLE_INVALID);
	free(blob.p);
	card_free(a);
	card_free(b);
}

static void test_batches(void **state)
{
	struct card *a = card_ready(1, DOMAIN), *b = card_ready(2, DOMAIN);
	struct link l = connect_cards(a, b);
	uint32_t n[200], rvs[200], dup[2] = { 1, 1 };
	unsigned int at = 0, done, got, batches = 0;
	struct bytes blob;
	uint8_t da[32], db[32];

	(void)state;
	for (unsigned int i = 0; i < 199; i++) {
		n[i] = i + 1;
		assert_ok(card_data(a, CTX_CO, n[i], "one of many", true));
	}
	n[199] = 4242;		/* that is none */
	assert_rv(export_some(&l, dup, 2, 0, &blob, rvs, &done), CKR_ARGUMENTS_BAD);
	assert_rv(export_some(&l, n, 200, 100, &blob, rvs, &done), CKR_BUFFER_TOO_SMALL);
	while (at < 200) {
		assert_ok(export_some(&l, n + at, 200 - at, 8192, &blob, rvs, &done));
		assert_true(done > 0);
		if (at + done == 200)
			assert_int_equal(rvs[done - 1], CKR_OBJECT_HANDLE_INVALID);
		/* No room for the results: nothing is lost, it may come again. */
		assert_rv(import_room(&l, &blob, 64, rvs, &got), CKR_BUFFER_TOO_SMALL);
		assert_ok(import_room(&l, &blob, 0, rvs, &got));
		assert_int_equal(got, at + done == 200 ? done - 1 : done);
		for (unsigned int i = 0; i < got; i++)
			assert_int_equal(rvs[i], CKR_OK);
		free(blob.p);
		at += done;
		batches++;
	}
	assert_true(batches > 5);
	card_digest(a, da);
	card_digest(b, db);
	assert_memory_equal(da, db, 32);
	/* Nothing to be sent uses no number up. */
	assert_ok(export_some(&l, n + 199, 1, 0, &blob, rvs, &done));
	assert_int_equal(blob.len, 0);
	assert_ok(import_blob(&l, &blob, rvs));
	free(blob.p);
	clone_one(&l, 1, PCIEHSM_CKR_STALE);
	card_free(a);
	card_free(b);
}

static void test_session_objects(void **state)
{
	struct card *a = card_ready(1, DOMAIN), *b = card_ready(2, DOMAIN);
	struct link l = connect_cards(a, b);
	uint8_t before[32], after[32];

	(void)state;
	card_digest(b, before);
	assert_ok(card_ec(a, CTX_CO, 1, "session", false));
	clone_one(&l, 1, CKR_OK);
	clone_one(&l, 2, CKR_OK);
	check_works(b, 1, CKM_ECDSA_SHA256, a);
	card_digest(b, after);
	assert_memory_equal(before, after, 32);
	/* It belongs to the context that imported it. */
	assert_rv(card_get(b, CTX_CU, 2, CKA_CLASS, NULL, &(size_t){ 0 }),
		  CKR_OBJECT_HANDLE_INVALID);
	card_power_cycle(b);
	assert_ok(card_login(b, b->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
	assert_rv(card_get(b, CTX_CO, 2, CKA_CLASS, NULL, &(size_t){ 0 }),
		  CKR_OBJECT_HANDLE_INVALID);
	card_free(a);
	card_free(b);
}

static void test_changes(void **state)
{
	struct card *a = card_ready(1, DOMAIN);
	uint64_t seq = 0, last, before = 0;
	const uint8_t *p;
	struct fwmsg m;
	size_t len;

	(void)state;
	for (unsigned int i = 1; i <= 10; i++)
		assert_ok(card_data(a, CTX_CO, i, "x", true));
	assert_ok(card_set_text(a, CTX_CO, 3, CKA_LABEL, "y"));
	assert_ok(card_destroy(a, CTX_CO, 5, 0));
	assert_ok(card_data(a, CTX_CO, 11, "session", false));
	/* In pages of four: each object once, the changed ones last */
	unsigned int total = 0, pages = 0;
	uint8_t seen_ouid[12][16];

	do {
		fwmsg_begin(&m, PCIEHSM_OP_CHANGES, 0);
		fwmsg_u64(&m, PCIEHSM_F_SEQ, seq);
		fwmsg_u32(&m, PCIEHSM_F_LIMIT, 4);
		assert_ok(fwmsg_run(&m, a->fw, a->part, CTX_CO));
		p = fwmsg_get(&m, PCIEHSM_F_CHANGES, &len);
		last = fwmsg_get_u64(&m, PCIEHSM_F_SEQ);
		assert_int_equal(len % sizeof(struct pciehsm_change), 0);
		for (; len; len -= 48, p += 48) {
			memcpy(&seq, p, 8);
			assert_true(seq > before);
			before = seq;
			memcpy(seen_ouid[total++], p + 8, 16);
		}
		fwmsg_free(&m);
		pages++;
	} while (seq < last);
	assert_int_equal(total, 10);
	assert_int_equal(pages, 3);
	assert_int_equal(seen_ouid[8][15], 3);
	assert_int_equal(seen_ouid[9][15], 5);
	assert_int_equal(last, 12);
	fwmsg_begin(&m, PCIEHSM_OP_CHANGES, 0);
	fwmsg_u64(&m, PCIEHSM_F_SEQ, 11);
	fwmsg_u32(&m, PCIEHSM_F_LIMIT, 4);
	assert_ok(fwmsg_run(&m, a->fw, a->part, CTX_CO));
	p = fwmsg_get(&m, PCIEHSM_F_CHANGES, &len);
	assert_int_equal(len, 48);
	assert_int_equal(p[40], PCIEHSM_CHANGE_DELETED);
	assert_rv(fwmsg_run(&m, a->fw, a->part, CTX_CU), CKR_USER_NOT_LOGGED_IN);
	fwmsg_free(&m);
	card_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_works_there),
		cmocka_unit_test(test_no_key_byte_between),
		cmocka_unit_test(test_wrong_domain),
		cmocka_unit_test(test_changed_handshake),
		cmocka_unit_test(test_tricks),
		cmocka_unit_test(test_channel_belongs_to_context),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_cards_that_disagree),
		cmocka_unit_test(test_wrong_end),
		cmocka_unit_test(test_collection),
		cmocka_unit_test(test_batches),
		cmocka_unit_test(test_session_objects),
		cmocka_unit_test(test_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
