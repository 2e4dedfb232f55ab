// SPDX-License-Identifier: GPL-2.0-or-later
/* Threads, forks, ends in the middle of calls, and cards that go and come. */
#include "fixture.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

static atomic_bool stop;

/* ---- many threads ---- */

struct signer {
	pthread_t		thread;
	CK_OBJECT_HANDLE	rsa;
	CK_OBJECT_HANDLE	ec;
	EVP_PKEY		*rsa_key;
	EVP_PKEY		*ec_key;
	unsigned int		rounds;
	unsigned int		done;
};

/* Signs with its own session and keys that all share, and creates and destroys others. */
static void *sign(void *arg)
{
	CK_MECHANISM mechs[] = { { CKM_SHA256_RSA_PKCS, NULL, 0 }, { CKM_ECDSA_SHA256, NULL, 0 } };
	CK_SESSION_HANDLE s = session();
	struct signer *self = arg;
	CK_BYTE sig[256];
	unsigned int i;
	CK_ULONG len;

	for (i = 0; self->rounds ? i < self->rounds : !stop; i++) {
		bool ec = i & 1;

		len = sizeof(sig);
		OK(p11->C_SignInit(s, &mechs[ec], ec ? self->ec : self->rsa));
		OK(p11->C_Sign(s, (CK_BYTE *)&i, sizeof(i), sig, &len));
		assert_true(openssl_verifies(ec ? self->ec_key : self->rsa_key, &i, sizeof(i), sig,
					     len));
		if (i % 16 == 3) {
			CK_OBJECT_HANDLE pub, priv;

			ec_pair(s, "now and then", i % 32 == 3, &pub, &priv);
			OK(p11->C_DestroyObject(s, pub));
			OK(p11->C_DestroyObject(s, priv));
		}
		self->done++;
	}
	OK(p11->C_CloseSession(s));
	return NULL;
}

#define N_THREADS 4

static void start_signers(CK_SESSION_HANDLE s, struct signer *signers, unsigned int rounds)
{
	struct signer each = { .rounds = rounds };
	CK_OBJECT_HANDLE rsa_pub, ec_pub;
	unsigned int i;

	stop = false;
	rsa_pair(s, "shared", true, &rsa_pub, &each.rsa);
	ec_pair(s, "shared", true, &ec_pub, &each.ec);
	each.rsa_key = openssl_key(s, rsa_pub);
	each.ec_key = openssl_key(s, ec_pub);
	for (i = 0; i < N_THREADS; i++) {
		signers[i] = each;
		assert_int_equal(pthread_create(&signers[i].thread, NULL, sign, &signers[i]), 0);
	}
}

static void end_signers(struct signer *signers)
{
	unsigned int i;

	stop = true;
	for (i = 0; i < N_THREADS; i++) {
		pthread_join(signers[i].thread, NULL);
		assert_true(signers[i].done > 0);
	}
	EVP_PKEY_free(signers[0].rsa_key);
	EVP_PKEY_free(signers[0].ec_key);
}

static void destroy_all(CK_SESSION_HANDLE s)
{
	CK_OBJECT_HANDLE found;
	CK_ULONG n;

	OK(p11->C_FindObjectsInit(s, NULL, 0));
	while (p11->C_FindObjects(s, &found, 1, &n) == CKR_OK && n)
		OK(p11->C_DestroyObject(s, found));
	OK(p11->C_FindObjectsFinal(s));
}

static void threads(void **state)
{
	struct signer signers[N_THREADS];
	CK_SESSION_HANDLE s = login();

	(void)state;
	start_signers(s, signers, 100);
	end_signers(signers);
	destroy_all(s);
}

static void *open_and_close(void *arg)
{
	CK_SESSION_INFO info;
	unsigned int i;

	(void)arg;
	for (i = 0; i < 2000; i++) {
		CK_SESSION_HANDLE s = session();

		OK(p11->C_GetSessionInfo(s, &info));
		assert_int_equal(info.slotID, slot);
		OK(p11->C_CloseSession(s));
		IS(CKR_SESSION_HANDLE_INVALID, p11->C_GetSessionInfo(s, &info));
	}
	return NULL;
}

static void sessions_come_and_go(void **state)
{
	pthread_t t[N_THREADS];
	CK_TOKEN_INFO token;
	int i;

	(void)state;
	for (i = 0; i < N_THREADS; i++)
		pthread_create(&t[i], NULL, open_and_close, NULL);
	for (i = 0; i < N_THREADS; i++)
		pthread_join(t[i], NULL);
	OK(p11->C_GetTokenInfo(slot, &token));
	assert_int_equal(token.ulSessionCount, 0);
}

/* ---- the end in the middle ---- */

static void *until_the_end(void *arg)
{
	CK_SESSION_HANDLE s = *(CK_SESSION_HANDLE *)arg;
	CK_BYTE random[64];
	CK_RV rv;

	do {
		rv = p11->C_GenerateRandom(s, random, sizeof(random));
	} while (rv == CKR_OK);
	return (void *)rv;
}

static void *wait_for_event(void *arg)
{
	CK_SLOT_ID id = 0;

	return (void *)p11->C_WaitForSlotEvent(0, arg ? arg : &id, NULL);
}

static void finalize_while_calls_run(void **state)
{
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
	pthread_t t[N_THREADS], waiting;
	CK_SESSION_HANDLE s[N_THREADS];
	void *result;
	int i, round;

	(void)state;
	for (round = 0; round < 5; round++) {
		OK(p11->C_Initialize(&args));
		for (i = 0; i < N_THREADS; i++) {
			s[i] = session();
			pthread_create(&t[i], NULL, until_the_end, &s[i]);
		}
		pthread_create(&waiting, NULL, wait_for_event, NULL);
		usleep(1000 * (useconds_t)round);
		OK(p11->C_Finalize(NULL));
		for (i = 0; i < N_THREADS; i++) {
			pthread_join(t[i], &result);
			assert_int_equal((CK_RV)result, CKR_CRYPTOKI_NOT_INITIALIZED);
		}
		pthread_join(waiting, &result);
		assert_int_equal((CK_RV)result, CKR_CRYPTOKI_NOT_INITIALIZED);
	}
}

/* A session that is closed under a call ends with that call. */
static void close_while_calls_run(void **state)
{
	CK_SESSION_HANDLE s[N_THREADS];
	pthread_t t[N_THREADS];
	CK_TOKEN_INFO token;
	void *result;
	int i;

	(void)state;
	for (i = 0; i < N_THREADS; i++) {
		s[i] = session();
		pthread_create(&t[i], NULL, until_the_end, &s[i]);
	}
	usleep(2000);
	OK(p11->C_CloseAllSessions(slot));
	for (i = 0; i < N_THREADS; i++) {
		pthread_join(t[i], &result);
		assert_int_equal((CK_RV)result, CKR_SESSION_HANDLE_INVALID);
	}
	OK(p11->C_GetTokenInfo(slot, &token));
	assert_int_equal(token.ulSessionCount, 0);
}

/* ---- forks ---- */

static int in_child(CK_SESSION_HANDLE s)
{
	CK_SESSION_INFO info;
	CK_ULONG n;

	loopback_forked(lb);
	if (p11->C_GetSessionInfo(s, &info) != CKR_CRYPTOKI_NOT_INITIALIZED)
		return 1;
	if (p11->C_Finalize(NULL) != CKR_CRYPTOKI_NOT_INITIALIZED)
		return 2;
	if (p11->C_Initialize(NULL) != CKR_OK)
		return 3;
	if (p11->C_GetSlotList(CK_TRUE, NULL, &n) != CKR_OK || n != 3)
		return 4;
	if (p11->C_GetSessionInfo(s, &info) != CKR_SESSION_HANDLE_INVALID)
		return 5;
	if (p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &s) != CKR_OK)
		return 6;
	/* Nobody is logged in here. */
	if (p11->C_GetSessionInfo(s, &info) != CKR_OK || info.state != CKS_RO_PUBLIC_SESSION)
		return 7;
	return p11->C_Finalize(NULL) == CKR_OK ? 0 : 8;
}

static void forks(void **state)
{
	CK_SESSION_HANDLE s = login();
	CK_SESSION_INFO info;
	CK_OBJECT_HANDLE key;
	pid_t child;
	int status;

	(void)state;
#ifdef __SANITIZE_THREAD__
	skip(); /* it knows no threads in the child of a process with threads */
#endif
	key = aes_key(s, 32);
	child = fork();
	if (!child)
		_exit(in_child(s));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	/* The parent has noticed nothing. */
	OK(p11->C_GetSessionInfo(s, &info));
	assert_int_equal(info.state, CKS_RW_USER_FUNCTIONS);
	OK(p11->C_DestroyObject(s, key));
}

/* ---- cards ---- */

static void member_goes_and_comes(void **state)
{
	struct signer signers[N_THREADS];
	CK_SESSION_HANDLE s;
	int round;

	(void)state;
	if (slot != GROUP_SLOT)
		return;
	s = login();
	start_signers(s, signers, 0);
	for (round = 0; round < 3; round++) {
		usleep(200000);
		loopback_pull(lb, CARD_B);
		usleep(200000);
		loopback_return(lb, CARD_B);
	}
	usleep(200000);
	end_signers(signers);
	/* Also the one whose number the group bears */
	loopback_pull(lb, CARD_A);
	assert_int_equal(count_objects(s, "shared"), 4);
	loopback_return(lb, CARD_A);
	destroy_all(s);
}

/* A partition that is pulled out logs out; whoever has a session there can log in again. */
static void login_ends_with_the_token(void **state)
{
	CK_SESSION_HANDLE s;
	CK_TOKEN_INFO info;
	CK_OBJECT_HANDLE key;
	CK_RV rv;
	int i;

	(void)state;
	if (slot == GROUP_SLOT)
		return;
	s = login();
	key = aes_key(s, 16);
	loopback_pull(lb, CARD_A);
	IS(CKR_TOKEN_NOT_PRESENT, p11->C_GetTokenInfo(slot, &info));
	loopback_return(lb, CARD_A);
	/* At the latest when the return has been noticed */
	for (i = 0; i < 100; i++) {
		rv = p11->C_Login(s, CKU_USER, (CK_UTF8CHAR *)CO_PIN, strlen(CO_PIN));
		if (rv == CKR_OK)
			break;
		IS(CKR_TOKEN_NOT_PRESENT, rv);
		usleep(50000);
	}
	OK(rv);
	IS(CKR_USER_ALREADY_LOGGED_IN,
	   p11->C_Login(s, CKU_USER, (CK_UTF8CHAR *)CO_PIN, strlen(CO_PIN)));
	IS(CKR_OBJECT_HANDLE_INVALID, p11->C_DestroyObject(s, key));
	OK(p11->C_Logout(s));
}

/* An application that forbids threads is served all the same, within its own calls. */
static void no_threads_of_ours(void **state)
{
	CK_C_INITIALIZE_ARGS args = {
		.flags = CKF_OS_LOCKING_OK | CKF_LIBRARY_CANT_CREATE_OS_THREADS,
	};
	CK_MECHANISM mech = { CKM_ECDSA_SHA256, NULL, 0 };
	CK_OBJECT_HANDLE pub, priv;
	CK_SESSION_HANDLE s;
	CK_BYTE sig[64];
	CK_ULONG len;
	EVP_PKEY *key;
	int i;

	(void)state;
	if (slot != GROUP_SLOT)
		return;
	OK(p11->C_Initialize(&args));
	s = login();
	ec_pair(s, "no threads", true, &pub, &priv);
	key = openssl_key(s, pub);
	for (i = 0; i < 400; i++) {
		if (i == 100)
			loopback_pull(lb, CARD_B);
		if (i == 200)
			loopback_return(lb, CARD_B);
		if (i == 300)
			loopback_pull(lb, CARD_A);
		if (i > 200 && i < 300)
			usleep(10000);
		len = sizeof(sig);
		OK(p11->C_SignInit(s, &mech, priv));
		OK(p11->C_Sign(s, (CK_BYTE *)&i, sizeof(i), sig, &len));
		assert_true(openssl_verifies(key, &i, sizeof(i), sig, len));
	}
	loopback_return(lb, CARD_A);
	EVP_PKEY_free(key);
	destroy_all(s);
	OK(p11->C_Finalize(NULL));
}

static void slot_events(void **state)
{
	CK_SLOT_ID id = 99;
	CK_SLOT_INFO info;
	CK_SESSION_HANDLE s;
	CK_TOKEN_INFO token;
	pthread_t waiting;
	CK_SLOT_ID list[8];
	CK_ULONG n = 8;
	void *result;

	(void)state;
	OK(p11->C_GetSlotList(CK_FALSE, list, &n));
	assert_int_equal(n, 3);
	IS(CKR_NO_EVENT, p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, &id, NULL));
	IS(CKR_ARGUMENTS_BAD, p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, NULL, NULL));
	assert_int_equal(pthread_create(&waiting, NULL, wait_for_event, &id), 0);
	loopback_pull(lb, CARD_B);
	pthread_join(waiting, &result);
	assert_int_equal((CK_RV)result, CKR_OK);
	assert_int_equal(id, 1);
	/* The slot stays, empty. */
	OK(p11->C_GetSlotInfo(1, &info));
	assert_false(info.flags & CKF_TOKEN_PRESENT);
	IS(CKR_TOKEN_NOT_PRESENT, p11->C_GetTokenInfo(1, &token));
	IS(CKR_TOKEN_NOT_PRESENT, p11->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &s));
	n = 8;
	OK(p11->C_GetSlotList(CK_TRUE, list, &n));
	assert_int_equal(n, 2);
	n = 8;
	OK(p11->C_GetSlotList(CK_FALSE, list, &n));
	assert_int_equal(n, 3);
	loopback_return(lb, CARD_B);
	assert_int_equal((CK_RV)wait_for_event(NULL), CKR_OK);
	OK(p11->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &s));
}

static void without_any_card(void **state)
{
	CK_SESSION_HANDLE s = login();
	CK_BYTE random[8];
	CK_SLOT_ID list[8];
	CK_ULONG n = 8;
	CK_RV rv;

	(void)state;
	/* So that there are some in advance, which are all that can still come */
	OK(p11->C_GenerateRandom(s, random, 8));
	OK(p11->C_GenerateRandom(s, random, 8));
	loopback_pull(lb, CARD_A);
	loopback_pull(lb, CARD_B);
	n = 0;
	do {
		rv = p11->C_GenerateRandom(s, random, 8);
	} while (rv == CKR_OK && n++ < 600);
	IS(CKR_DEVICE_REMOVED, rv);
	n = 8;
	OK(p11->C_GetSlotList(CK_TRUE, list, &n));
	assert_int_equal(n, 0);
	loopback_return(lb, CARD_A);
	loopback_return(lb, CARD_B);
	/* It works again by itself, at the latest when the return has been noticed. */
	for (n = 0; n < 100; n++) {
		rv = p11->C_GenerateRandom(s, random, 8);
		if (rv == CKR_OK)
			break;
		IS(CKR_DEVICE_REMOVED, rv);
		usleep(50000);
	}
	OK(rv);
}

static void ha_only(void **state)
{
	CK_SESSION_HANDLE s;
	CK_SLOT_ID list[8];
	CK_ULONG n = 8;
	char path[4096];

	(void)state;
	snprintf(path, sizeof(path), "%s/ha.conf", getenv("TMPDIR"));
	cards_group(path, true);
	with_module(NULL);
	OK(p11->C_GetSlotList(CK_TRUE, list, &n));
	assert_int_equal(n, 1);
	assert_int_equal(list[0], GROUP_SLOT);
	IS(CKR_SLOT_ID_INVALID, p11->C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &s));
	OK(p11->C_OpenSession(GROUP_SLOT, CKF_SERIAL_SESSION, NULL, NULL, &s));
	without_module(NULL);
	cards_group(path, false);
}

static void no_driver(void **state)
{
	CK_SLOT_ID list[8];
	CK_ULONG n = 8;

	(void)state;
	loopback_no_driver(lb, true);
	with_module(NULL);
	OK(p11->C_GetSlotList(CK_TRUE, list, &n));
	assert_int_equal(n, 0);
	without_module(NULL);
	loopback_no_driver(lb, false);
}

#define IN_MODULE(f) cmocka_unit_test_setup_teardown(f, with_module, without_module)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_MODULE(threads),
		IN_MODULE(sessions_come_and_go),
		cmocka_unit_test(finalize_while_calls_run),
		IN_MODULE(close_while_calls_run),
		IN_MODULE(forks),
		IN_MODULE(member_goes_and_comes),
		IN_MODULE(login_ends_with_the_token),
		cmocka_unit_test(no_threads_of_ours),
		IN_MODULE(slot_events),
		IN_MODULE(without_any_card),
		cmocka_unit_test(ha_only),
		cmocka_unit_test(no_driver),
	};

	return FIXTURE_RUN(tests, true, true);
}
