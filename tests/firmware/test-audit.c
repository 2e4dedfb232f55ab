// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the card says about itself and its keys: the audit log, checked with the
 * certificate alone, and attestations, checked with plain libcrypto.
 */
#include "card.h"

#include <endian.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sqlite3.h>
#include <unistd.h>

#include "crypto/maker_root.h"
#include "verify.h"

#define CTX_AU		9
#define AU_PIN		"au-password"

struct chunk {
	uint8_t	*p;
	size_t	len;
	uint64_t last;
	size_t	count;
};

static unsigned long export(struct card *c, uint64_t after, uint32_t limit, struct chunk *out)
{
	unsigned long rv;
	struct fwmsg m;
	size_t len;

	fwmsg_begin(&m, PCIEHSM_OP_AUDIT_EXPORT, 0);
	fwmsg_u64(&m, PCIEHSM_F_SEQ, after);
	fwmsg_u32(&m, PCIEHSM_F_LIMIT, limit);
	rv = fwmsg_run(&m, c->fw, 0, CTX_AU);
	if (rv == CKR_OK) {
		out->len = m.out_len - sizeof(struct pciehsm_msg);
		out->p = malloc(out->len);
		memcpy(out->p, m.out + sizeof(struct pciehsm_msg), out->len);
		out->last = fwmsg_get_u64(&m, PCIEHSM_F_SEQ);
		fwmsg_get(&m, PCIEHSM_F_AUDIT_ENTRIES, &len);
		out->count = len / sizeof(struct pciehsm_audit_entry);
	}
	fwmsg_free(&m);
	return rv;
}

static unsigned long configure(struct card *c, uint32_t ctx, uint32_t mask, uint32_t flags)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_AUDIT_CONFIG, 0);
	fwmsg_u32(&m, PCIEHSM_F_AUDIT_MASK, mask);
	fwmsg_u32(&m, PCIEHSM_F_FLAGS, flags);
	return card_run(&m, c, 0, ctx);
}

static unsigned long truncate_log(struct card *c, uint64_t seq)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_AUDIT_TRUNCATE, 0);
	fwmsg_u64(&m, PCIEHSM_F_SEQ, seq);
	return card_run(&m, c, 0, CTX_AU);
}

static void info(struct card *c, uint64_t *first, uint64_t *last, uint32_t *flags)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_AUDIT_INFO, 0);
	assert_ok(fwmsg_run(&m, c->fw, 0, 77));
	*first = fwmsg_get_u64(&m, PCIEHSM_F_AUDIT_FIRST);
	*last = fwmsg_get_u64(&m, PCIEHSM_F_SEQ);
	*flags = fwmsg_get_u32(&m, PCIEHSM_F_FLAGS);
	assert_int_equal(fwmsg_get_u32(&m, PCIEHSM_F_LIMIT), PCIEHSM_AUDIT_CAPACITY);
	fwmsg_free(&m);
}

static void certificates(struct card *c, uint8_t **p, size_t *len)
{
	const uint8_t *data;
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_HSM_IDENTITY, 0);
	assert_ok(fwmsg_run(&m, c->fw, 0, 77));
	data = fwmsg_get(&m, PCIEHSM_F_CERTIFICATES, len);
	*p = malloc(*len);
	memcpy(*p, data, *len);
	fwmsg_free(&m);
}

static void make_auditor(struct card *c)
{
	assert_ok(card_role_init(c, 0, CTX_SO, PCIEHSM_ROLE_AU, FIRST_PIN));
	assert_ok(card_set_pin(c, 0, CTX_AU, PCIEHSM_ROLE_AU, FIRST_PIN, AU_PIN));
	assert_ok(card_login(c, 0, CTX_AU, PCIEHSM_ROLE_AU, AU_PIN));
}

static bool has(const struct pciehsm_audit_entry *e, size_t count, uint32_t op, uint32_t rv,
		uint32_t part)
{
	for (; count--; e++)
		if (le32toh(e->op) == op && le32toh(e->rv) == rv && le32toh(e->partition) == part)
			return true;
	return false;
}

static void test_log(void **state)
{
	struct card *c = card_ready(1547, DOMAIN);
	const struct pciehsm_audit_entry *entries;
	struct pciehsm_audit_check check = { 0 };
	struct chunk all, more;
	uint64_t first, last;
	uint32_t flags;
	uint8_t *certs;
	size_t len, count;
	char serial[25];

	(void)state;
	/* Only the Auditor's. */
	assert_rv(configure(c, CTX_SO, 1, 0), CKR_USER_NOT_LOGGED_IN);
	make_auditor(c);
	assert_rv(configure(c, CTX_AU, 1U << 20, 0), CKR_ARGUMENTS_BAD);
	assert_rv(configure(c, CTX_AU, 1, 2), CKR_ARGUMENTS_BAD);
	assert_rv(card_login(c, c->part, 30, PCIEHSM_ROLE_CO, "wrong"), CKR_PIN_INCORRECT);
	assert_ok(card_policy(c, c->part, CTX_PO, 22, 1));
	assert_ok(card_set_challenge(c, c->part, 30, PCIEHSM_ROLE_CO, CO_PIN, "a challenge"));
	assert_rv(card_login(c, c->part, 30, PCIEHSM_ROLE_CO, "a challenge"),
		  PCIEHSM_CKR_NOT_ACTIVATED);
	assert_ok(card_deactivate(c, c->part, CTX_PO, PCIEHSM_ROLE_CO));
	assert_ok(export(c, 0, 1000, &all));
	certificates(c, &certs, &len);
	assert_ok(pciehsm_certificate_verify(certs, len, fw_maker_root_pem, serial));
	assert_string_equal(serial, "1547");
	assert_ok(pciehsm_audit_verify(certs, len, all.p, all.len, &check, &entries, &count));
	assert_int_equal(count, all.count);
	assert_int_equal(check.gaps, 0);
	assert_true(has(entries, count, PCIEHSM_AUDIT_POWER_ON, CKR_OK, 0));
	assert_true(has(entries, count, PCIEHSM_OP_HSM_INIT, CKR_OK, 0));
	assert_true(has(entries, count, PCIEHSM_OP_PARTITION_INIT, CKR_OK, c->part));
	assert_true(has(entries, count, PCIEHSM_OP_LOGIN, CKR_PIN_INCORRECT, c->part));
	assert_true(has(entries, count, PCIEHSM_OP_LOGIN, PCIEHSM_CKR_NOT_ACTIVATED, c->part));
	assert_true(has(entries, count, PCIEHSM_OP_ROLE_SET_CHALLENGE, CKR_OK, c->part));
	assert_true(has(entries, count, PCIEHSM_OP_ROLE_DEACTIVATE, CKR_OK, c->part));
	/* Not wanted, so not written */
	assert_ok(card_data(c, CTX_CO, 1, "one", true));
	assert_ok(configure(c, CTX_AU, PCIEHSM_AUDIT_LOG_ALL, 0));
	assert_ok(card_data(c, CTX_CO, 2, "two", true));
	assert_rv(card_destroy(c, CTX_CU, 2, 0), CKR_USER_NOT_LOGGED_IN);
	/* It goes on after a power cycle, and one export follows the other. */
	card_power_cycle(c);
	assert_ok(card_login(c, 0, CTX_AU, PCIEHSM_ROLE_AU, AU_PIN));
	assert_ok(export(c, all.last, 1000, &more));
	assert_ok(pciehsm_audit_verify(certs, len, more.p, more.len, &check, &entries, &count));
	assert_true(has(entries, count, PCIEHSM_OP_OBJECT_CREATE, CKR_OK, c->part));
	assert_true(has(entries, count, PCIEHSM_OP_OBJECT_DESTROY, CKR_USER_NOT_LOGGED_IN,
			c->part));
	assert_true(has(entries, count, PCIEHSM_AUDIT_POWER_ON, CKR_OK, 0));
	assert_int_equal(check.last, more.last);
	assert_int_equal(check.gaps, 0);
	/* The same again does not follow, nor does anything changed. */
	assert_rv(pciehsm_audit_verify(certs, len, more.p, more.len, &check, NULL, NULL),
		  CKR_DATA_INVALID);
	memset(&check, 0, sizeof(check));
	all.p[all.len / 2] ^= 1;
	assert_rv(pciehsm_audit_verify(certs, len, all.p, all.len, &check, NULL, NULL),
		  CKR_SIGNATURE_INVALID);
	all.p[all.len / 2] ^= 1;
	assert_rv(pciehsm_audit_verify(certs, len, all.p, all.len - 8, &check, NULL, NULL),
		  CKR_DATA_INVALID);
	assert_rv(pciehsm_audit_verify(certs, 5, all.p, all.len, &check, NULL, NULL),
		  PCIEHSM_CKR_CERTIFICATE);
	free(all.p);
	free(more.p);
	/* What was taken away is seen to be missing. */
	info(c, &first, &last, &flags);
	assert_int_equal(first, 1);
	assert_rv(truncate_log(c, last + 100), CKR_ARGUMENTS_BAD);
	assert_ok(truncate_log(c, 5));
	info(c, &first, &last, &flags);
	assert_int_equal(first, 6);
	assert_ok(export(c, 0, 3, &all));
	assert_int_equal(all.count, 3);
	assert_int_equal(all.last, 8);
	assert_ok(pciehsm_audit_verify(certs, len, all.p, all.len, &check, NULL, NULL));
	assert_int_equal(check.gaps, 5);
	free(all.p);
	/* It survives what nothing else does. */
	assert_ok(card_simple(c, 0, 77, PCIEHSM_OP_HSM_FACTORY_RESET));
	info(c, &first, &last, &flags);
	assert_int_equal(first, 6);
	assert_rv(export(c, 0, 10, &all), PCIEHSM_CKR_NOT_INITIALISED);
	assert_ok(card_hsm_init(c, "again", SO_PIN));
	assert_ok(card_login(c, 0, CTX_SO, PCIEHSM_ROLE_SO, SO_PIN));
	make_auditor(c);
	memset(&check, 0, sizeof(check));
	assert_ok(export(c, 5, 1000, &all));
	assert_ok(pciehsm_audit_verify(certs, len, all.p, all.len, &check, &entries, &count));
	assert_true(has(entries, count, PCIEHSM_OP_HSM_FACTORY_RESET, CKR_OK, 0));
	free(all.p);
	free(certs);
	card_free(c);
}

static void test_full(void **state)
{
	struct card *c = card_ready(1548, DOMAIN);
	uint64_t first, last;
	struct chunk chunk;
	uint32_t flags, n;

	(void)state;
	make_auditor(c);
	/* By default the oldest go. */
	assert_ok(configure(c, CTX_AU, PCIEHSM_AUDIT_LOG_LOGIN, 0));
	for (n = 0; n < PCIEHSM_AUDIT_CAPACITY; n++)
		assert_rv(card_logout(c, c->part, 40), CKR_USER_NOT_LOGGED_IN);
	info(c, &first, &last, &flags);
	assert_int_equal(last - first + 1, PCIEHSM_AUDIT_CAPACITY);
	assert_true(first > 1);
	assert_int_equal(flags, 0);
	/* Or everything that would have to be written down waits for the Auditor. */
	assert_ok(configure(c, CTX_AU, PCIEHSM_AUDIT_LOG_LOGIN, PCIEHSM_AUDIT_HALT));
	info(c, &first, &last, &flags);
	assert_int_equal(flags, PCIEHSM_AUDIT_HALT | PCIEHSM_AUDIT_FULL);
	assert_rv(card_login(c, c->part, 40, PCIEHSM_ROLE_CU, CU_PIN), PCIEHSM_CKR_AUDIT_FULL);
	assert_ok(card_data(c, CTX_CO, 1, "not logged, so not stopped", true));
	card_power_cycle(c);
	assert_rv(card_login(c, c->part, 40, PCIEHSM_ROLE_CU, CU_PIN), PCIEHSM_CKR_AUDIT_FULL);
	assert_ok(card_login(c, 0, CTX_AU, PCIEHSM_ROLE_AU, AU_PIN));
	assert_ok(export(c, 0, 100000, &chunk));
	assert_true(chunk.count > 10000);
	assert_ok(truncate_log(c, chunk.last));
	free(chunk.p);
	assert_ok(card_login(c, c->part, 40, PCIEHSM_ROLE_CU, CU_PIN));
	card_free(c);
}

/* Switches the card off and changes its store behind its back. */
static void meddle(struct card *c, const char *deed)
{
	sqlite3 *db;

	hsm_fw_close(c->fw);
	assert_int_equal(sqlite3_open(c->store, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, deed, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* The end of the log is looked at when the card is switched on. */
static void test_end_of_log_taken(void **state)
{
	static const char *const deeds[] = {
		"DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)",
		"DELETE FROM record WHERE number = 1000000",
	};
	char error[256];
	struct card *c;
	struct hsm_fw *fw;
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		c = card_ready(1549, DOMAIN);
		meddle(c, deeds[i]);
		assert_int_equal(hsm_fw_open(&c->config, &fw, error, sizeof(error)), -EBADMSG);
		unlink(c->store);
		free(c);
	}
}

/* What lies before it, when it is exported: nothing is signed that was not so. */
static void middle_of_log(const char *deed)
{
	struct card *c = card_ready(1549, DOMAIN);
	struct pciehsm_audit_check check = { 0 };
	struct chunk chunk;
	char error[256];
	uint8_t *certs;
	size_t len;

	make_auditor(c);
	meddle(c, deed);
	assert_int_equal(hsm_fw_open(&c->config, &c->fw, error, sizeof(error)), 0);
	assert_ok(card_login(c, 0, CTX_AU, PCIEHSM_ROLE_AU, AU_PIN));
	certificates(c, &certs, &len);
	assert_rv(export(c, 0, 1000, &chunk), PCIEHSM_CKR_STORE);
	assert_rv(export(c, 5, 2, &chunk), PCIEHSM_CKR_STORE);
	/* What is as it was before and behind it is to be had, and a gap between them. */
	assert_ok(export(c, 0, 5, &chunk));
	assert_ok(pciehsm_audit_verify(certs, len, chunk.p, chunk.len, &check, NULL, NULL));
	assert_int_equal(check.gaps, 0);
	free(chunk.p);
	assert_ok(export(c, 8, 1000, &chunk));
	assert_ok(pciehsm_audit_verify(certs, len, chunk.p, chunk.len, &check, NULL, NULL));
	assert_int_equal(check.gaps, 3);
	free(chunk.p);
	/* The Auditor can leave it behind. */
	assert_rv(truncate_log(c, 7), PCIEHSM_CKR_STORE);
	assert_ok(truncate_log(c, 8));
	assert_ok(export(c, 0, 1000, &chunk));
	free(chunk.p);
	free(certs);
	card_free(c);
}

static void test_middle_of_log_changed(void **state)
{
	(void)state;
	middle_of_log("DELETE FROM audit WHERE seq IN (6, 7)");
	middle_of_log("UPDATE audit SET sealed = (SELECT sealed FROM audit WHERE seq = 6) "
		      "WHERE seq = 7");
	middle_of_log("UPDATE audit SET seq = -7 WHERE seq = 7;"
		      "UPDATE audit SET seq = 7 WHERE seq = 6;"
		      "UPDATE audit SET seq = 6 WHERE seq = -7");
}

/* ---- attestation ---- */

static unsigned long attest(struct card *c, uint32_t ctx, uint32_t n, const void *nonce,
			    size_t nonce_len, struct pciehsm_attestation *att)
{
	uint8_t ouid[PCIEHSM_OUID_LEN];
	unsigned long rv;
	struct fwmsg m;

	ouid_of(ouid, n);
	memset(att, 0, sizeof(*att));
	fwmsg_begin(&m, PCIEHSM_OP_ATTEST, 0);
	fwmsg_bytes(&m, PCIEHSM_F_OBJECT, ouid, sizeof(ouid));
	fwmsg_bytes(&m, PCIEHSM_F_NONCE, nonce, nonce_len);
	rv = fwmsg_run(&m, c->fw, c->part, ctx);
	if (rv == CKR_OK) {
		const uint8_t *p = fwmsg_get(&m, PCIEHSM_F_STATEMENT, &att->statement_len);

		att->statement = malloc(att->statement_len);
		memcpy(att->statement, p, att->statement_len);
		p = fwmsg_get(&m, PCIEHSM_F_SIGNATURE, &att->signature_len);
		att->signature = malloc(att->signature_len);
		memcpy(att->signature, p, att->signature_len);
		p = fwmsg_get(&m, PCIEHSM_F_CERTIFICATES, &att->certificates_len);
		att->certificates = malloc(att->certificates_len);
		memcpy(att->certificates, p, att->certificates_len);
	}
	fwmsg_free(&m);
	return rv;
}

static void release(struct pciehsm_attestation *att)
{
	free(att->statement);
	free(att->signature);
	free(att->certificates);
}

static uint32_t attested(struct card *c, uint32_t n)
{
	static const char nonce[] = "fresh nonce";
	struct pciehsm_attestation att;
	struct pciehsm_statement s;
	uint8_t ouid[PCIEHSM_OUID_LEN];

	assert_ok(attest(c, CTX_CO, n, nonce, sizeof(nonce), &att));
	assert_ok(pciehsm_attestation_verify(&att, fw_maker_root_pem, nonce, sizeof(nonce), &s));
	assert_rv(pciehsm_attestation_verify(&att, fw_maker_root_pem, "other nonce", 12, &s),
		  CKR_DATA_INVALID);
	ouid_of(ouid, n);
	assert_memory_equal(s.ouid, ouid, sizeof(ouid));
	release(&att);
	return s.flags;
}

/* By hand, with nothing of ours: X.509 and ECDSA are enough to believe a card. */
static void plain_check(const struct pciehsm_attestation *att)
{
	const uint8_t *p = att->certificates;
	BIO *bio = BIO_new_mem_buf(fw_maker_root_pem, -1);
	X509 *root = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	X509 *cert = d2i_X509(NULL, &p, (long)att->certificates_len);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	assert_non_null(root);
	assert_non_null(cert);
	assert_int_equal(X509_verify(cert, X509_get0_pubkey(root)), 1);
	assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha384(), NULL,
					      X509_get0_pubkey(cert)), 1);
	EVP_DigestVerifyUpdate(ctx, "pciehsm attest v1", 17);
	EVP_DigestVerifyUpdate(ctx, att->statement, att->statement_len);
	assert_int_equal(EVP_DigestVerifyFinal(ctx, att->signature, att->signature_len), 1);
	EVP_MD_CTX_free(ctx);
	X509_free(cert);
	X509_free(root);
	BIO_free(bio);
}

static void test_attest(void **state)
{
	static const uint8_t value[16] = "0123456789abcdef";
	struct card *c = card_ready(1550, DOMAIN);
	struct pciehsm_attestation att;
	struct pciehsm_statement s;

	(void)state;
	assert_ok(card_ec(c, CTX_CO, 1, "key", true));
	assert_ok(card_aes(c, CTX_CO, 3, value, 16, true));
	assert_ok(card_data(c, CTX_CO, 4, "no key", true));
	/* Generated here, but it can be cloned. */
	assert_int_equal(attested(c, 2), PCIEHSM_ATTEST_GENERATED | PCIEHSM_ATTEST_NOT_EXTRACTABLE);
	/* It came from outside and is open. */
	assert_int_equal(attested(c, 3), 0);
	assert_rv(attest(c, CTX_CO, 4, "nonce 8b", 8, &att), CKR_KEY_HANDLE_INVALID);
	assert_rv(attest(c, CTX_CO, 1, "nonce 8b", 8, &att), CKR_KEY_HANDLE_INVALID);
	assert_rv(attest(c, CTX_CO, 99, "nonce 8b", 8, &att), CKR_KEY_HANDLE_INVALID);
	assert_rv(attest(c, 55, 2, "nonce 8b", 8, &att), CKR_KEY_HANDLE_INVALID);
	assert_rv(attest(c, CTX_CO, 2, "short", 5, &att), CKR_ARGUMENTS_BAD);
	assert_ok(attest(c, CTX_CU, 2, "nonce 8b", 8, &att));
	plain_check(&att);
	/* The open key's value is in no statement; nothing changed is believed. */
	((uint8_t *)att.statement)[40] ^= 1;
	assert_rv(pciehsm_attestation_verify(&att, fw_maker_root_pem, "nonce 8b", 8, &s),
		  CKR_SIGNATURE_INVALID);
	release(&att);
	assert_ok(attest(c, CTX_CO, 3, "nonce 8b", 8, &att));
	assert_null(memmem(att.statement, att.statement_len, value, sizeof(value)));
	release(&att);
	/* A key that was made when cloning was on is not bound when it is turned off. */
	assert_ok(card_policy(c, c->part, CTX_PO, 0, 0));
	assert_int_equal(attested(c, 2), PCIEHSM_ATTEST_GENERATED | PCIEHSM_ATTEST_NOT_EXTRACTABLE);
	assert_ok(card_ec(c, CTX_CO, 11, "bound", true));
	assert_int_equal(attested(c, 12), PCIEHSM_ATTEST_BOUND);
	card_power_cycle(c);
	assert_ok(card_login(c, c->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
	assert_int_equal(attested(c, 12), PCIEHSM_ATTEST_BOUND);
	card_free(c);
}

static void test_stats(void **state)
{
	struct card *c = card_ready(1551, DOMAIN);
	uint64_t stats[PCIEHSM_STAT_COUNT];
	const uint8_t *p;
	struct fwmsg m;
	size_t len;

	(void)state;
	card_power_cycle(c);
	assert_ok(card_login(c, c->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
	assert_ok(card_data(c, CTX_CO, 1, "one", true));
	assert_ok(card_simple(c, 0, 9, PCIEHSM_OP_PING));
	fwmsg_begin(&m, PCIEHSM_OP_HSM_STATS, 0);
	assert_ok(fwmsg_run(&m, c->fw, 0, 9));
	assert_int_equal(fwmsg_get_u64(&m, PCIEHSM_F_POWER_ON), 2);
	assert_int_equal(fwmsg_get_u64(&m, PCIEHSM_F_COMMANDS), 3);
	assert_true(fwmsg_has(&m, PCIEHSM_F_UPTIME));
	p = fwmsg_get(&m, PCIEHSM_F_STATS, &len);
	assert_int_equal(len, sizeof(stats));
	memcpy(stats, p, len);
	assert_int_equal(stats[PCIEHSM_STAT_CREATE], 1);
	assert_int_equal(stats[PCIEHSM_STAT_LOGIN], 1);
	fwmsg_free(&m);
	card_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_end_of_log_taken),
		cmocka_unit_test(test_middle_of_log_changed),
		cmocka_unit_test(test_attest),
		cmocka_unit_test(test_stats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
