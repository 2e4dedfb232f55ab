// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Encapsulated keys: each attempt makes another secret, so none may be repeated under one name.
 *
 * Where libcrypto has no ML-KEM, cards refuse the command; what the engine does about lost
 * answers is tested with a key that is generated in its place, and a ciphertext that
 * tells whose it is.
 */
#include <stdatomic.h>
#include <unistd.h>

#include <p11-kit/pkcs11.h>

#include "fixture.h"
#include "pciehsm.h"

#ifndef CKM_ML_KEM
#define CKM_ML_KEM_KEY_PAIR_GEN	0x0000000fUL
#define CKM_ML_KEM		0x00000017UL
#endif
#ifndef CKA_ENCAPSULATE
#define CKA_ENCAPSULATE		0x00000633UL
#define CKA_DECAPSULATE		0x00000634UL
#endif
#ifndef CKA_PARAMETER_SET
#define CKA_PARAMETER_SET	0x0000061dUL
#endif
#define ML_KEM_768		2UL
#define CIPHERTEXT_LEN		64

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static bool standing_in;

CK_RV __real_pciehsm_encapsulate(struct pciehsm_transport *t, uint32_t session,
				 const CK_MECHANISM *mech, const uint8_t *key,
				 const uint8_t *ouid, uint64_t counter,
				 const CK_ATTRIBUTE *attrs, CK_ULONG n, void *out, size_t *out_len,
				 struct pciehsm_object_version *version);
CK_RV __wrap_pciehsm_encapsulate(struct pciehsm_transport *t, uint32_t session,
				 const CK_MECHANISM *mech, const uint8_t *key,
				 const uint8_t *ouid, uint64_t counter,
				 const CK_ATTRIBUTE *attrs, CK_ULONG n, void *out, size_t *out_len,
				 struct pciehsm_object_version *version);

CK_RV __wrap_pciehsm_encapsulate(struct pciehsm_transport *t, uint32_t session,
				 const CK_MECHANISM *mech, const uint8_t *key,
				 const uint8_t *ouid, uint64_t counter,
				 const CK_ATTRIBUTE *attrs, CK_ULONG n, void *out, size_t *out_len,
				 struct pciehsm_object_version *version)
{
	CK_MECHANISM generate = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_RV rv;

	if (!standing_in)
		return __real_pciehsm_encapsulate(t, session, mech, key, ouid, counter, attrs, n,
						  out, out_len, version);
	if (!out || *out_len < CIPHERTEXT_LEN) {
		*out_len = CIPHERTEXT_LEN;
		return CKR_BUFFER_TOO_SMALL;
	}
	rv = pciehsm_generate_key(t, session, &generate, ouid, counter, attrs, n, version);
	if (rv == CKR_OK) {
		memset(out, 0, CIPHERTEXT_LEN);
		memcpy(out, ouid, PCIEHSM_OUID_LEN);
		*out_len = CIPHERTEXT_LEN;
	}
	return rv;
}

static int with_stand_in(void **state)
{
	standing_in = true;
	return with_group(state);
}

static CK_ULONG objects(const char *label)
{
	const CK_ATTRIBUTE attr = { CKA_LABEL, (void *)(uintptr_t)label, strlen(label) };
	struct ha_ouid *list;
	CK_ULONG n;

	OK(ha_find(token, 1, &attr, 1, &list, &n));
	free(list);
	return n;
}

/* How the answer to the first of these that a member gets is lost */
static struct {
	enum loopback_fault	fault;
	atomic_int		times;
} losing;

static enum loopback_fault lose(void *arg, const char *serial, uint32_t op)
{
	(void)arg;
	(void)serial;
	return op == PCIEHSM_OP_GENERATE_KEY && atomic_fetch_sub(&losing.times, 1) > 0 ?
	       losing.fault : LOOPBACK_WORKS;
}

static CK_RV encapsulate(const char *label, bool of_token, const struct ha_ouid *pub,
			 unsigned char *out, size_t *len, struct ha_ouid *made)
{
	CK_MECHANISM mech = { CKM_ML_KEM, NULL, 0 };
	CK_ULONG value_len = 32;
	const CK_ATTRIBUTE attrs[] = {
		{ CKA_TOKEN, of_token ? &yes : &no, sizeof(yes) },
		{ CKA_LABEL, (void *)(uintptr_t)label, strlen(label) },
		{ CKA_VALUE_LEN, &value_len, sizeof(value_len) },
	};

	return ha_encapsulate(token, 1, &mech, pub, attrs, 3, out, len, made);
}

static void room_first(void **state)
{
	struct ha_ouid pub, priv, made;
	unsigned char out[CIPHERTEXT_LEN];
	size_t len = 0;

	(void)state;
	login();
	OK(ec_pair(1, "stands in", &pub, &priv));
	IS(CKR_BUFFER_TOO_SMALL, encapsulate("a", true, &pub, NULL, &len, &made));
	assert_int_equal(len, CIPHERTEXT_LEN);
	len = CIPHERTEXT_LEN - 8;
	IS(CKR_BUFFER_TOO_SMALL, encapsulate("a", true, &pub, out, &len, &made));
	assert_int_equal(len, CIPHERTEXT_LEN);
	assert_int_equal(objects("a"), 0);
	OK(encapsulate("a", true, &pub, out, &len, &made));
	assert_int_equal(objects("a"), 1);
	assert_memory_equal(out, made.b, sizeof(made.b));
}

static bool settled(void)
{
	static struct ha_group_status status;
	unsigned int i, alive = 0;

	assert_int_equal(ha_group_status(ha, GROUP_LABEL, &status), 0);
	for (i = 0; i < status.n_members; i++)
		alive += status.members[i].state == HA_MEMBER_ALIVE;
	return alive == 2 && !status.needs_sync;
}

static void lost(enum loopback_fault fault, int times, bool of_token)
{
	unsigned char out[CIPHERTEXT_LEN];
	struct ha_ouid pub, priv, made;
	size_t len = sizeof(out);
	int i;

	login();
	OK(ec_pair(1, "stands in", &pub, &priv));
	losing.fault = fault;
	atomic_store(&losing.times, times);
	loopback_set_filter(lb, lose, NULL);
	OK(encapsulate("a", of_token, &pub, out, &len, &made));
	loopback_set_filter(lb, NULL, NULL);
	assert_int_equal(atomic_load(&losing.times) <= 0, true);
	/* The ciphertext is of the key that is there, and there is no other. */
	assert_memory_equal(out, made.b, sizeof(made.b));
	assert_int_equal(objects("a"), 1);
	loopback_return(lb, CARD_A);
	loopback_return(lb, CARD_B);
	/* Nor when all members are there again and hold the same. */
	for (i = 0; i < WAIT_MS && !settled(); i += 10)
		usleep(10000);
	assert_true(settled());
	assert_int_equal(objects("a"), 1);
}

static void answer_lost(void **state)
{
	(void)state;
	lost(LOOPBACK_HANGS_AFTER, 1, true);
}

static void answer_lost_of_session(void **state)
{
	(void)state;
	lost(LOOPBACK_HANGS_AFTER, 1, false);
}

static void member_lost(void **state)
{
	(void)state;
	lost(LOOPBACK_PULLED_AFTER, 1, true);
}

static void both_ends(void **state)
{
	CK_MECHANISM generate = { CKM_ML_KEM_KEY_PAIR_GEN, NULL, 0 };
	CK_MECHANISM mech = { CKM_ML_KEM, NULL, 0 };
	CK_ULONG set = ML_KEM_768, value_len = 32;
	const CK_ATTRIBUTE public[] = {
		{ CKA_TOKEN, &yes, sizeof(yes) },
		{ CKA_ENCAPSULATE, &yes, sizeof(yes) },
		{ CKA_PARAMETER_SET, &set, sizeof(set) },
	};
	const CK_ATTRIBUTE private[] = {
		{ CKA_TOKEN, &yes, sizeof(yes) },
		{ CKA_DECAPSULATE, &yes, sizeof(yes) },
	};
	const CK_ATTRIBUTE secret[] = {
		{ CKA_TOKEN, &yes, sizeof(yes) },
		{ CKA_SENSITIVE, &no, sizeof(no) },
		{ CKA_EXTRACTABLE, &yes, sizeof(yes) },
		{ CKA_VALUE_LEN, &value_len, sizeof(value_len) },
	};
	unsigned char out[2048], values[2][32];
	CK_ATTRIBUTE value = { CKA_VALUE, values[0], sizeof(values[0]) };
	struct ha_ouid pub, priv, ours, theirs;
	size_t len = sizeof(out);
	CK_RV rv;

	(void)state;
	standing_in = false;
	login();
	rv = ha_generate_key_pair(token, 1, &generate, public, 3, private, 2, &pub, &priv);
	if (rv == CKR_MECHANISM_INVALID) {
		print_message("libcrypto has no ML-KEM here\n");
		skip();
	}
	OK(rv);
	OK(ha_encapsulate(token, 1, &mech, &pub, secret, 4, out, &len, &ours));
	assert_int_equal(len, 1088);
	/* The other end is another member. */
	loopback_pull(lb, CARD_A);
	OK(ha_decapsulate(token, 1, &mech, &priv, out, len, secret, 4, &theirs));
	OK(ha_get_attributes(token, 1, &ours, &value, 1));
	value.pValue = values[1];
	OK(ha_get_attributes(token, 1, &theirs, &value, 1));
	assert_memory_equal(values[0], values[1], sizeof(values[0]));
	loopback_return(lb, CARD_A);
}

#define WITH_STAND_IN(f) cmocka_unit_test_setup_teardown(f, with_stand_in, without_group)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STAND_IN(room_first),
		WITH_STAND_IN(answer_lost),
		WITH_STAND_IN(answer_lost_of_session),
		WITH_STAND_IN(member_lost),
		WITH_STAND_IN(both_ends),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
