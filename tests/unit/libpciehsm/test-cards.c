// SPDX-License-Identifier: GPL-2.0-or-later
/* Every command of the library against the real firmware, and cards that go and come. */
#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cards.h"

static struct loopback *lb;
static struct pciehsm_bus *bus;
static struct pciehsm_transport *a, *b;	/* partitions, Crypto Officer logged in */
static CK_BBOOL yes = CK_TRUE;

#define ATTR(type, value) { (type), &(value), sizeof(value) }

static void rv_is(CK_RV rv, CK_RV wanted, const char *what, int line)
{
	if (rv != wanted) {
		print_error("%s: %s, wanted %s\n", what, pciehsm_rv_name(rv),
			    pciehsm_rv_name(wanted));
		_fail(__FILE__, line);
	}
}

#define IS(wanted, call) rv_is((call), (wanted), #call, __LINE__)
#define OK(call) IS(CKR_OK, call)

static struct pciehsm_transport *officer(const char *serial)
{
	struct pciehsm_transport *t = cards_open(bus, serial);

	OK(pciehsm_login(t, PCIEHSM_ROLE_CO, CO_PIN, strlen(CO_PIN), NULL, NULL));
	return t;
}

static int start(void **state)
{
	(void)state;
	lb = loopback_new(getenv("TMPDIR") ? getenv("TMPDIR") : ".");
	loopback_add(lb, CARD_A, CARD_A_BASE);
	loopback_add(lb, CARD_B, CARD_B_BASE);
	bus = loopback_bus(lb);
	cards_partition(bus, CARD_A, "par0", DOMAIN, NULL);
	cards_partition(bus, CARD_B, "par1", DOMAIN, NULL);
	a = officer(PARTITION_A);
	b = officer(PARTITION_B);
	return 0;
}

static int end(void **state)
{
	(void)state;
	a->ops->close(a);
	b->ops->close(b);
	bus->ops->close(bus);
	loopback_free(lb);
	return 0;
}

/* A name for the n-th object of a test */
static const uint8_t *name(uint8_t test, uint8_t n)
{
	static uint8_t names[8][16];
	static unsigned int next;
	uint8_t *p = names[next++ % 8];

	memset(p, 0x11, 16);
	p[0] = test;
	p[1] = n;
	return p;
}

/* ---- information ---- */

static void information(void **state)
{
	struct pciehsm_transport *hsm = cards_open(bus, "154438");
	struct pciehsm_partition_info partition;
	struct pciehsm_mechanism_info *mechs;
	struct pciehsm_role_info *roles;
	struct pciehsm_policy *policies;
	struct pciehsm_hsm_info info;
	uint8_t random[100000] = { 0 };
	void *certificates;
	size_t n;

	(void)state;
	OK(pciehsm_ping(hsm));
	OK(pciehsm_hsm_info(hsm, &info));
	assert_string_equal(info.serial, "154438");
	assert_true(info.flags & PCIEHSM_HSM_INITIALISED);
	assert_int_equal(info.partitions, 1);
	OK(pciehsm_partition_info(a, &partition));
	assert_string_equal(partition.serial, PARTITION_A);
	assert_string_equal(partition.hsm_serial, "154438");
	assert_string_equal(partition.label, "par0");
	assert_true(partition.flags & PCIEHSM_PARTITION_CU_INITIALISED);
	assert_true(partition.stats[PCIEHSM_STAT_LOGIN] > 0);
	OK(pciehsm_role_info(a, &roles, &n));
	assert_true(n >= 3);
	free(roles);
	OK(pciehsm_policy_get(a, &policies, &n));
	assert_true(n > 0);
	free(policies);
	OK(pciehsm_mechanisms(a, &mechs, &n));
	assert_true(n > 20);
	free(mechs);
	OK(pciehsm_hsm_identity(hsm, &certificates, &n));
	assert_memory_equal(certificates, "\x30\x82", 2);
	free(certificates);
	OK(pciehsm_random(a, NULL, 0, random, sizeof(random)));
	OK(pciehsm_random(a, "seed", 4, random, 0));
	assert_memory_not_equal(random + sizeof(random) - 32, random, 32);
	hsm->ops->close(hsm);
}

static void roles(void **state)
{
	struct pciehsm_transport *hsm = cards_open(bus, "154438");
	struct pciehsm_transport *t = cards_open(bus, PARTITION_A);
	uint32_t left = 0, first, number;
	char serial[25];

	(void)state;
	IS(CKR_PIN_INCORRECT, pciehsm_login(t, PCIEHSM_ROLE_CO, "wrong-one", 9, NULL, &first));
	IS(CKR_PIN_INCORRECT, pciehsm_role_set_pin(t, PCIEHSM_ROLE_CO, "wrong-one", 9, "not-this-1",
						   10, &left));
	assert_int_equal(left, first - 1);
	OK(pciehsm_login(t, PCIEHSM_ROLE_CO, CO_PIN, strlen(CO_PIN), NULL, NULL));
	IS(CKR_USER_ALREADY_LOGGED_IN,
	   pciehsm_login(t, PCIEHSM_ROLE_CO, CO_PIN, strlen(CO_PIN), NULL, NULL));
	OK(pciehsm_role_reset_pin(t, PCIEHSM_ROLE_CU, "first-password", 14));
	OK(pciehsm_role_set_pin(t, PCIEHSM_ROLE_CU, "first-password", 14, CU_PIN, strlen(CU_PIN),
				NULL));
	OK(pciehsm_logout(t));

	IS(CKR_USER_NOT_LOGGED_IN, pciehsm_partition_create(hsm, 0, NULL, NULL, NULL));
	OK(pciehsm_login(hsm, PCIEHSM_ROLE_SO, SO_PIN, strlen(SO_PIN), NULL, NULL));
	OK(pciehsm_partition_create(hsm, 0, &number, NULL, serial));
	assert_string_equal(serial, "154438865288");
	assert_int_equal(number, CARD_A_BASE + 1);
	OK(pciehsm_partition_delete(hsm, number));
	/* its node's number is known no more */
	IS(PCIEHSM_RV_ACCESS, pciehsm_partition_clear(hsm, 0, &left));
	hsm->ops->close(hsm);
	t->ops->close(t);
}

/* ---- objects ---- */

static void objects(void **state)
{
	CK_OBJECT_CLASS class = CKO_DATA;
	char label[16];
	CK_ATTRIBUTE attrs[] = {
		ATTR(CKA_CLASS, class), ATTR(CKA_TOKEN, yes), { CKA_LABEL, "object", 6 },
		{ CKA_VALUE, "value", 5 },
	};
	CK_ATTRIBUTE changed = { CKA_LABEL, "changed", 7 }, ask = ATTR(CKA_LABEL, label);
	struct pciehsm_object_version made, again, later;
	uint8_t found[32];
	uint64_t cursor = 0, size;
	uint32_t n;

	(void)state;
	OK(pciehsm_object_create(a, 1, name(1, 1), 5, attrs, 4, &made));
	assert_int_equal(made.counter, 5);
	assert_int_equal(made.writer, 154438865287);
	/* Once more is the same object. */
	OK(pciehsm_object_create(a, 1, name(1, 1), 5, attrs, 4, &again));
	assert_int_equal(pciehsm_version_cmp(&made, &again), 0);
	OK(pciehsm_object_set(a, 1, name(1, 1), &changed, 1, &later));
	assert_true(pciehsm_version_cmp(&later, &made) > 0);
	OK(pciehsm_object_get(a, 1, name(1, 1), &ask, 1, &again));
	assert_int_equal(pciehsm_version_cmp(&later, &again), 0);
	assert_memory_equal(label, "changed", 7);
	OK(pciehsm_object_copy(a, 1, name(1, 1), name(1, 2), 0, NULL, 0, NULL));
	OK(pciehsm_object_size(a, 1, name(1, 1), &size));
	assert_true(size > 0);
	OK(pciehsm_object_find(a, 1, &changed, 1, &cursor, found, 1, &n));
	assert_int_equal(n, 1);
	assert_memory_equal(found, name(1, 1), 16);
	OK(pciehsm_object_find(a, 1, &changed, 1, &cursor, found, 2, &n));
	assert_int_equal(n, 1);
	assert_int_equal(cursor, 0);
	OK(pciehsm_object_destroy(a, 1, name(1, 1), false, &again));
	assert_true(pciehsm_version_cmp(&again, &later) > 0);
	IS(CKR_OBJECT_HANDLE_INVALID, pciehsm_object_destroy(a, 1, name(1, 1), false, NULL));
	OK(pciehsm_object_destroy(a, 1, name(1, 1), true, NULL));
	IS(PCIEHSM_CKR_OBJECT_DELETED, pciehsm_object_create(a, 1, name(1, 1), 9, attrs, 4, NULL));
	OK(pciehsm_object_destroy(a, 1, name(1, 2), false, NULL));
	/* A session object leaves nothing. */
	attrs[1].type = CKA_PRIVATE;
	OK(pciehsm_object_create(a, 1, name(1, 3), 0, attrs, 4, NULL));
	OK(pciehsm_object_destroy(a, 1, name(1, 3), false, &again));
	OK(pciehsm_object_create(a, 1, name(1, 4), 0, attrs, 4, NULL));
	OK(pciehsm_session_close(a, 1));
	IS(CKR_OBJECT_HANDLE_INVALID, pciehsm_object_get(a, 1, name(1, 4), &ask, 1, NULL));
}

/* Keys and ciphers: what they compute is tried elsewhere, here that all arrives. */
static void keys(void **state)
{
	CK_MECHANISM gen = { CKM_AES_KEY_GEN, NULL, 0 }, kwp = { CKM_AES_KEY_WRAP_PAD, NULL, 0 };
	CK_MECHANISM pair = { CKM_EC_KEY_PAIR_GEN, NULL, 0 }, ecdsa = { CKM_ECDSA_SHA256, NULL, 0 };
	CK_MECHANISM ecdh = { CKM_ECDH1_DERIVE, NULL, 0 }, sha = { CKM_SHA256, NULL, 0 };
	CK_BYTE p256[] = { 0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 }, point[67];
	CK_OBJECT_CLASS secret = CKO_SECRET_KEY;
	CK_KEY_TYPE aes = CKK_AES;
	CK_ULONG bytes = 32;
	CK_ATTRIBUTE aes_attrs[] = {
		ATTR(CKA_VALUE_LEN, bytes), ATTR(CKA_EXTRACTABLE, yes), ATTR(CKA_WRAP, yes),
		ATTR(CKA_UNWRAP, yes), ATTR(CKA_ENCRYPT, yes),
	};
	CK_ATTRIBUTE unwrapped[] = {
		ATTR(CKA_CLASS, secret), ATTR(CKA_KEY_TYPE, aes), ATTR(CKA_ENCRYPT, yes),
	};
	CK_ATTRIBUTE derived[] = {
		ATTR(CKA_CLASS, secret), ATTR(CKA_KEY_TYPE, aes), ATTR(CKA_VALUE_LEN, bytes),
	};
	CK_ATTRIBUTE pub[] = { ATTR(CKA_EC_PARAMS, p256), ATTR(CKA_VERIFY, yes) };
	CK_ATTRIBUTE priv[] = { ATTR(CKA_SIGN, yes), ATTR(CKA_DERIVE, yes) };
	CK_ATTRIBUTE ask = ATTR(CKA_EC_POINT, point);
	CK_ECDH1_DERIVE_PARAMS params = { CKD_NULL, 0, NULL, 65, point + 2 };
	uint8_t out[64], sig[64];
	size_t len = 39;

	(void)state;
	OK(pciehsm_generate_key(a, 2, &gen, name(2, 1), 0, aes_attrs, 5, NULL));
	OK(pciehsm_generate_key(a, 2, &gen, name(2, 2), 0, aes_attrs, 5, NULL));
	IS(CKR_BUFFER_TOO_SMALL, pciehsm_wrap(a, 2, &kwp, name(2, 1), name(2, 2), out, &len));
	assert_int_equal(len, 40);
	OK(pciehsm_wrap(a, 2, &kwp, name(2, 1), name(2, 2), out, &len));
	OK(pciehsm_unwrap(a, 2, &kwp, name(2, 1), out, len, name(2, 3), 0, unwrapped, 3, NULL));
	OK(pciehsm_generate_key_pair(a, 2, &pair, name(2, 4), name(2, 5), 0, pub, 2, priv, 2,
				     NULL));
	OK(pciehsm_object_get(a, 2, name(2, 4), &ask, 1, NULL));
	ecdh.pParameter = &params;
	ecdh.ulParameterLen = sizeof(params);
	OK(pciehsm_derive(a, 2, &ecdh, name(2, 5), name(2, 6), 0, derived, 3, NULL));

	len = sizeof(sig);
	OK(pciehsm_crypt(a, 2, PCIEHSM_FN_SIGN, &ecdsa, name(2, 5), "text", 4, NULL, 0, sig, &len));
	assert_int_equal(len, 64);
	OK(pciehsm_crypt(a, 2, PCIEHSM_FN_VERIFY, &ecdsa, name(2, 4), "text", 4, sig, 64, NULL,
			 NULL));
	IS(CKR_SIGNATURE_INVALID, pciehsm_crypt(a, 2, PCIEHSM_FN_VERIFY, &ecdsa, name(2, 4), "test",
						4, sig, 64, NULL, NULL));
	OK(pciehsm_crypt_init(a, 2, PCIEHSM_FN_VERIFY, &ecdsa, name(2, 4)));
	OK(pciehsm_crypt_update(a, 2, PCIEHSM_FN_VERIFY, "te", 2, NULL, NULL));
	OK(pciehsm_crypt_update(a, 2, PCIEHSM_FN_VERIFY, "xt", 2, NULL, NULL));
	OK(pciehsm_crypt_final(a, 2, PCIEHSM_FN_VERIFY, sig, 64, NULL, NULL));
	IS(CKR_OPERATION_NOT_INITIALIZED,
	   pciehsm_crypt_final(a, 2, PCIEHSM_FN_VERIFY, sig, 64, NULL, NULL));
	OK(pciehsm_crypt_init(a, 2, PCIEHSM_FN_DIGEST, &sha, NULL));
	IS(CKR_OPERATION_ACTIVE, pciehsm_crypt_init(a, 2, PCIEHSM_FN_DIGEST, &sha, NULL));
	OK(pciehsm_digest_key(a, 2, name(2, 3)));
	len = 8;
	IS(CKR_BUFFER_TOO_SMALL, pciehsm_crypt_final(a, 2, PCIEHSM_FN_DIGEST, NULL, 0, out, &len));
	assert_int_equal(len, 32);
	OK(pciehsm_crypt_final(a, 2, PCIEHSM_FN_DIGEST, NULL, 0, out, &len));
	OK(pciehsm_crypt_init(a, 2, PCIEHSM_FN_DIGEST, &sha, NULL));
	OK(pciehsm_crypt_cancel(a, 2, PCIEHSM_FN_DIGEST));
	OK(pciehsm_session_close(a, 2));
}

/* ---- replication ---- */

static void cloning(void **state)
{
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_ATTRIBUTE attrs[] = {
		ATTR(CKA_CLASS, class), ATTR(CKA_TOKEN, yes), { CKA_VALUE, "to be cloned", 12 },
	};
	char value[16];
	CK_ATTRIBUTE ask = ATTR(CKA_VALUE, value);
	struct pciehsm_clone_result *results;
	struct pciehsm_digest_info da, db;
	struct pciehsm_change *changes;
	uint32_t target, source, left = 1;
	void *offer, *hello, *blob;
	size_t offer_len, hello_len, blob_len, n;
	uint8_t ouids[32];
	uint64_t last;

	(void)state;
	OK(pciehsm_partition_clear(a, 0, &left));
	assert_int_equal(left, 0);
	OK(pciehsm_partition_clear(b, 0, &left));
	OK(pciehsm_digest(a, &da));
	OK(pciehsm_object_create(a, 1, name(3, 1), 0, attrs, 3, NULL));
	OK(pciehsm_changes(a, da.seq, 10, &changes, &n, &last));
	assert_int_equal(n, 1);
	assert_memory_equal(changes[0].ouid, name(3, 1), 16);
	assert_int_equal(le64toh(changes[0].seq), last);
	free(changes);
	/* everything there ever was, one by one */
	for (last = 0, n = 1; n;) {
		uint64_t end_of_log;

		OK(pciehsm_changes(a, last, 1, &changes, &n, &end_of_log));
		assert_true(n <= 1);
		if (n)
			last = le64toh(changes[0].seq);
		else
			assert_int_equal(last, end_of_log);
		free(changes);
	}
	IS(CKR_ARGUMENTS_BAD, pciehsm_changes(a, 0, 0, &changes, &n, &last));

	OK(pciehsm_clone_offer(b, &target, &offer, &offer_len));
	OK(pciehsm_clone_start(a, offer, offer_len, &source, &hello, &hello_len));
	OK(pciehsm_clone_accept(b, target, hello, hello_len));
	memcpy(ouids, name(3, 1), 16);
	memcpy(ouids + 16, name(3, 9), 16); /* there is none such */
	OK(pciehsm_clone_export(a, 1, source, ouids, 2, &blob, &blob_len, &results, &n));
	assert_int_equal(n, 2);
	assert_int_equal(le32toh(results[0].rv), CKR_OK);
	assert_int_not_equal(le32toh(results[1].rv), CKR_OK);
	free(results);
	OK(pciehsm_clone_import(b, 1, target, blob, blob_len, &results, &n));
	assert_int_equal(n, 1);
	assert_int_equal(le32toh(results[0].rv), CKR_OK);
	free(results);
	OK(pciehsm_object_get(b, 1, name(3, 1), &ask, 1, NULL));
	assert_memory_equal(value, "to be cloned", 12);
	/* A second time, it is no message of this channel any more. */
	IS(PCIEHSM_CKR_REPLAYED,
	   pciehsm_clone_import(b, 1, target, blob, blob_len, &results, &n));
	OK(pciehsm_clone_close(a, source));
	IS(PCIEHSM_CKR_CHANNEL, pciehsm_clone_close(a, source));
	OK(pciehsm_digest(b, &db));
	assert_int_equal(db.objects, 1);
	free(offer);
	free(hello);
	free(blob);
}

/* ---- cards that go and come ---- */

/* ---- tombstones, audit log, attestation, statistics ---- */

static void tombstones(void **state)
{
	const uint64_t peer = strtoull(PARTITION_B, NULL, 10), stranger = 77;
	CK_OBJECT_CLASS data = CKO_DATA;
	CK_ATTRIBUTE attrs[] = { ATTR(CKA_CLASS, data), ATTR(CKA_TOKEN, yes) };
	struct pciehsm_digest_info digest;
	struct pciehsm_partition_info info;
	struct pciehsm_mark *marks;
	uint32_t collected;
	uint64_t last, seq;
	size_t n;

	(void)state;
	OK(pciehsm_object_create(a, 0, name(7, 1), 0, attrs, 2, NULL));
	OK(pciehsm_object_destroy(a, 0, name(7, 1), false, NULL));
	OK(pciehsm_digest(a, &digest));
	assert_true(digest.tombstones > 0);
	OK(pciehsm_partition_info(a, &info));
	assert_int_equal(info.tombstones, digest.tombstones);
	OK(pciehsm_replica_mark(a, peer, 0));
	OK(pciehsm_tombstones_collect(a, &peer, 1, false, &collected, &seq));
	assert_int_equal(collected, 0);
	IS(PCIEHSM_CKR_PEERS, pciehsm_tombstones_collect(a, &stranger, 1, false, NULL, NULL));
	IS(CKR_ARGUMENTS_BAD, pciehsm_replica_mark(a, peer, digest.seq + 1));
	OK(pciehsm_replica_mark(a, peer, digest.seq));
	OK(pciehsm_replica_marks(a, &marks, &n, &last));
	assert_int_equal(n, 1);
	assert_true(le64toh(marks[0].serial) == peer && le64toh(marks[0].seq) == digest.seq);
	assert_true(last == digest.seq);
	free(marks);
	OK(pciehsm_tombstones_collect(a, &peer, 1, true, &collected, NULL));
	assert_int_equal(collected, digest.tombstones);
	OK(pciehsm_tombstones_collect(a, &peer, 1, false, &collected, &seq));
	assert_int_equal(collected, digest.tombstones);
	OK(pciehsm_replica_forget(a, peer));
	OK(pciehsm_tombstones_collect(a, NULL, 0, false, &collected, NULL));
	assert_int_equal(collected, 0);
}

static void watching(void **state)
{
	struct pciehsm_transport *hsm = cards_open(bus, "154438");
	CK_MECHANISM gen = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_ULONG len = 16;
	CK_ATTRIBUTE attrs[] = { ATTR(CKA_VALUE_LEN, len) };
	struct pciehsm_attestation att;
	struct pciehsm_audit_info info;
	struct pciehsm_hsm_stats stats;
	uint64_t last;
	size_t n, size;
	void *chunk;

	(void)state;
	OK(pciehsm_hsm_stats(hsm, &stats));
	assert_true(stats.power_on >= 1 && stats.commands > 0);
	assert_true(stats.stats[PCIEHSM_STAT_LOGIN] > 0);
	OK(pciehsm_audit_info(hsm, &info));
	assert_true(info.last >= info.first && info.capacity == PCIEHSM_AUDIT_CAPACITY);
	assert_int_equal(info.mask, PCIEHSM_AUDIT_LOG_DEFAULT);
	IS(CKR_USER_NOT_LOGGED_IN, pciehsm_audit_config(hsm, 0, 0));
	OK(pciehsm_login(hsm, PCIEHSM_ROLE_SO, SO_PIN, strlen(SO_PIN), NULL, NULL));
	OK(pciehsm_role_init(hsm, PCIEHSM_ROLE_AU, "first-password", 14));
	OK(pciehsm_logout(hsm));
	OK(pciehsm_role_set_pin(hsm, PCIEHSM_ROLE_AU, "first-password", 14, "au-password", 11,
				NULL));
	OK(pciehsm_login(hsm, PCIEHSM_ROLE_AU, "au-password", 11, NULL, NULL));
	OK(pciehsm_audit_config(hsm, PCIEHSM_AUDIT_LOG_ALL, 0));
	OK(pciehsm_audit_export(hsm, 0, 2, &chunk, &size, &last, &n));
	assert_true(n == 2 && last == 2);
	free(chunk);
	OK(pciehsm_audit_truncate(hsm, 1));
	OK(pciehsm_audit_info(hsm, &info));
	assert_true(info.first == 2);
	OK(pciehsm_audit_config(hsm, PCIEHSM_AUDIT_LOG_DEFAULT, 0));
	IS(CKR_ARGUMENTS_BAD, pciehsm_audit_export(hsm, 0, 0, &chunk, &size, &last, &n));
	hsm->ops->close(hsm);
	OK(pciehsm_generate_key(a, 1, &gen, name(7, 9), 0, attrs, 1, NULL));
	OK(pciehsm_attest(a, 1, name(7, 9), "a nonce!", 8, &att));
	assert_true(att.statement_len > 100 && att.signature_len > 60 && att.certificates_len);
	pciehsm_attestation_free(&att);
	IS(CKR_ARGUMENTS_BAD, pciehsm_attest(a, 1, name(7, 9), "short", 5, &att));
	IS(CKR_KEY_HANDLE_INVALID, pciehsm_attest(a, 1, name(7, 10), "a nonce!", 8, &att));
	OK(pciehsm_session_close(a, 1));
}

static void devices(void **state)
{
	struct pciehsm_device *list;
	struct pciehsm_transport *t;
	int n;

	(void)state;
	n = bus->ops->list(bus, &list);
	assert_int_equal(n, 4);
	assert_string_equal(list[0].serial, "154438");
	assert_int_equal(list[0].index, 0);
	assert_string_equal(list[1].serial, PARTITION_A);
	assert_string_equal(list[1].hsm_serial, "154438");
	assert_string_equal(list[1].label, "par0");
	assert_int_equal(list[1].index, 1);
	assert_int_equal(list[3].card, 1);
	free(list);
	assert_int_equal(bus->ops->open(bus, "12345", &t), -ENODEV);
	bus->ops->watch(bus, 0);
	assert_false(bus->ops->watch(bus, 0));
	loopback_pull(lb, CARD_B);
	assert_true(bus->ops->watch(bus, 10000));
	n = bus->ops->list(bus, &list);
	assert_int_equal(n, 2);
	free(list);
	assert_int_equal(b->ops->alive(b), -ENODEV);
	assert_int_equal(a->ops->alive(a), 0);
	assert_true(pciehsm_rv_gone(pciehsm_ping(b)));
	loopback_return(lb, CARD_B);
	assert_true(bus->ops->watch(bus, 10000));
	/* What was opened before stays dead. */
	assert_int_equal(b->ops->alive(b), -ENODEV);
	assert_true(pciehsm_rv_gone(pciehsm_ping(b)));
	b->ops->close(b);
	b = officer(PARTITION_B);
	bus->ops->wake(bus);
	assert_false(bus->ops->watch(bus, 10000));
	loopback_no_driver(lb, true);
	assert_int_equal(bus->ops->list(bus, &list), -ENODEV);
	loopback_no_driver(lb, false);
}

static void faults(void **state)
{
	unsigned int resets;

	(void)state;
	loopback_set_fault(lb, CARD_B, LOOPBACK_HANGS);
	IS(PCIEHSM_RV_TIMEOUT_UNKNOWN, pciehsm_ping(b));
	IS(CKR_OK, pciehsm_ping(a));
	loopback_set_fault(lb, CARD_B, LOOPBACK_TIMES_OUT);
	IS(PCIEHSM_RV_TIMEOUT_NOT_EXECUTED, pciehsm_ping(b));
	loopback_set_fault(lb, CARD_B, LOOPBACK_FAULT);
	IS(PCIEHSM_RV_FAULT_NOT_EXECUTED, pciehsm_ping(b));
	loopback_set_fault(lb, CARD_B, LOOPBACK_NO_ROOM);
	IS(PCIEHSM_RV_NO_ROOM, pciehsm_ping(b));
	loopback_set_fault(lb, CARD_B, LOOPBACK_GARBAGE);
	IS(PCIEHSM_RV_BAD_ANSWER, pciehsm_ping(b));
	/* This one was executed, and nobody was told. */
	loopback_set_fault(lb, CARD_B, LOOPBACK_HANGS_AFTER);
	IS(PCIEHSM_RV_TIMEOUT_UNKNOWN, pciehsm_logout(b));
	loopback_set_fault(lb, CARD_B, LOOPBACK_WORKS);
	IS(CKR_USER_NOT_LOGGED_IN, pciehsm_logout(b));
	OK(pciehsm_login(b, PCIEHSM_ROLE_CO, CO_PIN, strlen(CO_PIN), NULL, NULL));
	resets = b->ops->resets(b);
	loopback_reset(lb, CARD_B);
	assert_int_equal(b->ops->resets(b), resets + 1);
	IS(CKR_USER_NOT_LOGGED_IN, pciehsm_logout(b));
	loopback_set_fault(lb, CARD_B, LOOPBACK_PULLED_AFTER);
	IS(PCIEHSM_RV_LOST_UNKNOWN, pciehsm_ping(b));
	loopback_set_fault(lb, CARD_B, LOOPBACK_WORKS);
	IS(PCIEHSM_RV_LOST_NOT_EXECUTED, pciehsm_ping(b));
	loopback_return(lb, CARD_B);
}

/* A partition that is gone does not come back under another one's name. */
static void re_initialised(void **state)
{
	struct pciehsm_transport *hsm = cards_open(bus, "1238700");
	char serial[25];

	(void)state;
	b->ops->close(b);
	b = officer(PARTITION_B);
	OK(pciehsm_hsm_init(hsm, "again", SO_PIN, strlen(SO_PIN), NULL));
	assert_int_equal(b->ops->alive(b), -ENODEV);
	assert_true(pciehsm_rv_gone(pciehsm_ping(b)));
	cards_partition(bus, CARD_B, "par1", DOMAIN, serial);
	assert_string_equal(serial, "1238700701510");
	assert_int_equal(b->ops->alive(b), -ENODEV);
	assert_true(pciehsm_rv_gone(pciehsm_ping(b)));
	hsm->ops->close(hsm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(information), cmocka_unit_test(roles), cmocka_unit_test(objects),
		cmocka_unit_test(keys), cmocka_unit_test(cloning), cmocka_unit_test(tombstones),
		cmocka_unit_test(watching), cmocka_unit_test(devices),
		cmocka_unit_test(faults), cmocka_unit_test(re_initialised),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("cards", tests, start, end);
}
