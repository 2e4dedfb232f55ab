// SPDX-License-Identifier: GPL-2.0-or-later
/* What grows: threads, sessions, objects; and locks that an application brings. */
#include "fixture.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

/* A limit against hangs alone. */
#define HANG_SECONDS	120

/* ---- calls that are in the cards at once ---- */

#define N_THREADS	8

static struct {
	pthread_mutex_t	lock;
	pthread_cond_t	changed;
	uint32_t	op;		/* which messages count */
	bool		meet;		/* each waits until all have come */
	unsigned int	inside;
	unsigned int	most;
	bool		failed;
} cards = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

/* Called in the thread that sends a message, before the card works on it. */
static enum loopback_fault meet(void *arg, const char *serial, uint32_t op)
{
	struct timespec end;

	(void)arg;
	(void)serial;
	if (op != cards.op)
		return LOOPBACK_WORKS;
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += HANG_SECONDS;
	pthread_mutex_lock(&cards.lock);
	if (++cards.inside > cards.most)
		cards.most = cards.inside;
	pthread_cond_broadcast(&cards.changed);
	while (cards.meet && cards.most < N_THREADS && !cards.failed)
		if (pthread_cond_timedwait(&cards.changed, &cards.lock, &end) == ETIMEDOUT)
			cards.failed = true;
	cards.inside--;
	pthread_mutex_unlock(&cards.lock);
	return LOOPBACK_WORKS;
}

static void watch(uint32_t op, bool all_at_once)
{
	cards.op = op;
	cards.meet = all_at_once;
	cards.inside = 0;
	cards.most = 0;
	cards.failed = false;
	loopback_set_filter(lb, meet, NULL);
}

struct caller {
	pthread_t		thread;
	CK_SESSION_HANDLE	s;
	CK_OBJECT_HANDLE	key;
	unsigned int		rounds;
	CK_RV			rv;
};

static void *sign_once(void *arg)
{
	CK_MECHANISM mech = { CKM_ECDSA_SHA256, NULL, 0 };
	struct caller *c = arg;
	CK_BYTE sig[64];
	CK_ULONG len = sizeof(sig);

	c->rv = p11->C_SignInit(c->s, &mech, c->key);
	if (c->rv == CKR_OK)
		c->rv = p11->C_Sign(c->s, (CK_BYTE *)"text", 4, sig, &len);
	return NULL;
}

static void *encrypt_once(void *arg)
{
	CK_BYTE iv[12] = { 0 }, out[32];
	CK_GCM_PARAMS p = { iv, 12, 96, NULL, 0, 128 };
	CK_MECHANISM mech = { CKM_AES_GCM, &p, sizeof(p) };
	struct caller *c = arg;
	CK_ULONG len = sizeof(out);

	c->rv = p11->C_EncryptInit(c->s, &mech, c->key);
	if (c->rv == CKR_OK)
		c->rv = p11->C_Encrypt(c->s, (CK_BYTE *)"text", 4, out, &len);
	return NULL;
}

static void *random_rounds(void *arg)
{
	struct caller *c = arg;
	CK_BYTE out[16];
	unsigned int i;

	for (i = 0; i < c->rounds && c->rv == CKR_OK; i++)
		c->rv = p11->C_GenerateRandom(c->s, out, sizeof(out));
	return NULL;
}

static void *find_once(void *arg)
{
	struct caller *c = arg;

	c->rv = p11->C_FindObjectsInit(c->s, NULL, 0);
	if (c->rv == CKR_OK)
		c->rv = p11->C_FindObjectsFinal(c->s);
	return NULL;
}

/* One session per thread, and a key that all of them use */
static void run_all(void *(*what)(void *), CK_OBJECT_HANDLE key, unsigned int rounds)
{
	struct caller callers[N_THREADS];
	unsigned int i;

	for (i = 0; i < N_THREADS; i++) {
		callers[i] = (struct caller){ .s = session(), .key = key, .rounds = rounds };
		assert_int_equal(pthread_create(&callers[i].thread, NULL, what, &callers[i]), 0);
	}
	for (i = 0; i < N_THREADS; i++) {
		pthread_join(callers[i].thread, NULL);
		OK(callers[i].rv);
		OK(p11->C_CloseSession(callers[i].s));
	}
	loopback_set_filter(lb, NULL, NULL);
}

/*
 * Eight threads have eight calls in the cards at the same time: whatever a card's engines can
 * do at once is theirs, for nothing of the module's stands in between.
 */
static void calls_of_eight_threads_meet(void **state)
{
	CK_SESSION_HANDLE s = login();
	CK_OBJECT_HANDLE pub, priv, key;

	(void)state;
	ec_pair(s, "all", false, &pub, &priv);
	key = aes_key(s, 32);

	watch(PCIEHSM_OP_CRYPT, true);
	run_all(sign_once, priv, 0);
	assert_false(cards.failed);
	watch(PCIEHSM_OP_CRYPT, true);
	run_all(encrypt_once, key, 0);
	assert_false(cards.failed);
	watch(PCIEHSM_OP_RANDOM, true);
	run_all(random_rounds, 0, 1);
	assert_false(cards.failed);
	watch(PCIEHSM_OP_OBJECT_FIND, true);
	run_all(find_once, 0, 0);
	assert_false(cards.failed);
}

/*
 * Engines that each take a fixed time for a call. What eight threads get of them through the
 * module is compared with what they get when they ask for an engine and nothing else, in
 * turns; where a lock of the module's kept them from each other, no turn would come near.
 */
#define N_ENGINES	4
#define SERVICE_NS	20000000L
#define EACH		8
#define TURNS		10

static sem_t engines;

static enum loopback_fault serve(void *arg, const char *serial, uint32_t op)
{
	struct timespec service = { .tv_nsec = SERVICE_NS };

	(void)arg;
	(void)serial;
	if (op != PCIEHSM_OP_CRYPT)
		return LOOPBACK_WORKS;
	sem_wait(&engines);
	nanosleep(&service, NULL);
	sem_post(&engines);
	return LOOPBACK_WORKS;
}

static void *sign_rounds(void *arg)
{
	struct caller *c = arg;
	unsigned int i;

	for (i = 0; i < c->rounds; i++) {
		sign_once(c);
		if (c->rv != CKR_OK)
			break;
	}
	return NULL;
}

static void *engine_rounds(void *arg)
{
	struct caller *c = arg;
	unsigned int i;

	for (i = 0; i < c->rounds; i++)
		serve(NULL, NULL, PCIEHSM_OP_CRYPT);
	return NULL;
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void eight_threads_get_what_the_engines_give(void **state)
{
	CK_SESSION_HANDLE s = login();
	CK_OBJECT_HANDLE pub, priv;
	double begin, through, alone, ratio, best = 0;
	unsigned int i;

	(void)state;
	ec_pair(s, "shared", false, &pub, &priv);
	sem_init(&engines, 0, N_ENGINES);
	for (i = 0; i < TURNS && best < 0.9; i++) {
		begin = seconds();
		run_all(engine_rounds, 0, EACH);
		alone = seconds() - begin;
		loopback_set_filter(lb, serve, NULL);
		begin = seconds();
		run_all(sign_rounds, priv, EACH);
		through = seconds() - begin;
		ratio = alone / through;
		best = ratio > best ? ratio : best;
	}
	print_message("%.3f of what %d engines give, after %u turns\n", best, N_ENGINES, i);
	sem_destroy(&engines);
	assert_true(best >= 0.9);
}

/* ---- an application's own locks ---- */

static struct {
	atomic_uint	created;
	atomic_uint	destroyed;
	atomic_uint	locked;
	atomic_uint	unlocked;
	CK_RV		answer;
} mutexes;

static CK_RV create_mutex(void **mutex)
{
	pthread_mutex_t *m;

	if (mutexes.answer != CKR_OK)
		return mutexes.answer;
	m = malloc(sizeof(*m));
	pthread_mutex_init(m, NULL);
	*mutex = m;
	mutexes.created++;
	return CKR_OK;
}

static CK_RV destroy_mutex(void *mutex)
{
	/* EBUSY: it is destroyed while it is locked */
	assert_int_equal(pthread_mutex_destroy(mutex), 0);
	free(mutex);
	mutexes.destroyed++;
	return CKR_OK;
}

static CK_RV lock_mutex(void *mutex)
{
	mutexes.locked++;
	return pthread_mutex_lock(mutex) ? CKR_MUTEX_BAD : CKR_OK;
}

static CK_RV unlock_mutex(void *mutex)
{
	mutexes.unlocked++;
	return pthread_mutex_unlock(mutex) ? CKR_MUTEX_NOT_LOCKED : CKR_OK;
}

static void *wait_for_event(void *arg)
{
	CK_SLOT_ID id;

	(void)arg;
	return (void *)p11->C_WaitForSlotEvent(0, &id, NULL);
}

static void locks_of_the_application(void **state)
{
	CK_C_INITIALIZE_ARGS args = {
		.CreateMutex = create_mutex, .DestroyMutex = destroy_mutex,
		.LockMutex = lock_mutex, .UnlockMutex = unlock_mutex,
	};
	CK_SESSION_INFO info;
	pthread_t waiting;
	void *result;

	(void)state;
	memset(&mutexes, 0, sizeof(mutexes));
	mutexes.answer = CKR_GENERAL_ERROR;
	IS(CKR_CANT_LOCK, p11->C_Initialize(&args));
	mutexes.answer = CKR_HOST_MEMORY;
	IS(CKR_HOST_MEMORY, p11->C_Initialize(&args));
	mutexes.answer = CKR_OK;
	/* With the system's locks allowed, those are used. */
	args.flags = CKF_OS_LOCKING_OK;
	OK(p11->C_Initialize(&args));
	OK(p11->C_Finalize(NULL));
	assert_int_equal(mutexes.created + mutexes.locked, 0);

	args.flags = 0;
	OK(p11->C_Initialize(&args));
	assert_int_equal(mutexes.created, 1);
	IS(CKR_CRYPTOKI_ALREADY_INITIALIZED, p11->C_Initialize(&args));
	assert_int_equal(mutexes.created, 1);
	watch(PCIEHSM_OP_RANDOM, false);
	run_all(random_rounds, 0, 100);
	/* Its lock is held from the beginning of a call to its end. */
	assert_int_equal(cards.most, 1);
	assert_true(mutexes.locked >= 100 * N_THREADS);
	IS(CKR_SESSION_HANDLE_INVALID, p11->C_GetSessionInfo(1, &info));
	assert_int_equal(mutexes.locked, mutexes.unlocked);
	/* A call that only waits does not hold it. */
	pthread_create(&waiting, NULL, wait_for_event, NULL);
	run_all(random_rounds, 0, 1);
	OK(p11->C_Finalize(NULL));
	pthread_join(waiting, &result);
	assert_int_equal((CK_RV)result, CKR_CRYPTOKI_NOT_INITIALIZED);
	assert_int_equal(mutexes.locked, mutexes.unlocked);
	assert_int_equal(mutexes.destroyed, 1);
	IS(CKR_CRYPTOKI_NOT_INITIALIZED, p11->C_GetSessionInfo(1, &info));
	assert_int_equal(mutexes.locked, mutexes.unlocked);
}

/* ---- sessions ---- */

#define N_SESSIONS	10000

static void ten_thousand_sessions(void **state)
{
	CK_SESSION_HANDLE *s = calloc(N_SESSIONS, sizeof(*s)), owner = login();
	CK_BYTE hash[32];
	CK_MECHANISM mech = { CKM_SHA256, NULL, 0 };
	CK_SESSION_INFO info;
	CK_TOKEN_INFO token;
	unsigned int i;
	CK_ULONG len;

	(void)state;
	for (i = 0; i < N_SESSIONS; i++)
		OK(p11->C_OpenSession(slot, CKF_SERIAL_SESSION | (i & 1 ? CKF_RW_SESSION : 0),
				      NULL, NULL, &s[i]));
	OK(p11->C_GetTokenInfo(slot, &token));
	assert_int_equal(token.ulSessionCount, N_SESSIONS + 1);
	assert_int_equal(token.ulRwSessionCount, N_SESSIONS / 2 + 1);
	/* Each has an operation of its own, and all of them at once. */
	for (i = 0; i < N_SESSIONS; i++) {
		OK(p11->C_DigestInit(s[i], &mech));
		OK(p11->C_DigestUpdate(s[i], (CK_BYTE *)&i, sizeof(i)));
	}
	for (i = 0; i < N_SESSIONS; i++) {
		len = sizeof(hash);
		if (i % 100 == 0)
			OK(p11->C_DigestFinal(s[i], hash, &len));
		OK(p11->C_GetSessionInfo(s[i], &info));
		assert_int_equal(info.state, i & 1 ? CKS_RW_USER_FUNCTIONS : CKS_RO_USER_FUNCTIONS);
	}
	for (i = 0; i < N_SESSIONS; i += 2)
		OK(p11->C_CloseSession(s[i]));
	for (i = 0; i < N_SESSIONS; i += 2) {
		IS(CKR_SESSION_HANDLE_INVALID, p11->C_GetSessionInfo(s[i], &info));
		s[i] = session();
	}
	for (i = 1; i < N_SESSIONS; i += 2) {
		len = sizeof(hash);
		OK(p11->C_DigestFinal(s[i], hash, &len));
	}
	OK(p11->C_CloseAllSessions(slot));
	IS(CKR_SESSION_HANDLE_INVALID, p11->C_GetSessionInfo(owner, &info));
	OK(p11->C_GetTokenInfo(slot, &token));
	assert_int_equal(token.ulSessionCount, 0);
	free(s);
}

/* ---- objects ---- */

static void add_objects(unsigned int n)
{
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_ATTRIBUTE what[] = {
		ATTR(CKA_CLASS, class), ATTR(CKA_TOKEN, yes), { CKA_LABEL, (void *)"many", 4 },
	};
	CK_OBJECT_HANDLE object;
	CK_SESSION_HANDLE s;
	unsigned int i;

	OK(p11->C_Initialize(NULL));
	s = login();
	for (i = 0; i < n; i++)
		OK(p11->C_CreateObject(s, what, 3, &object));
	OK(p11->C_Finalize(NULL));
}

/* Messages that both cards get until an application is logged in */
static uint64_t messages_to_begin(void)
{
	/* The engine's own threads would come with theirs at any time. */
	CK_C_INITIALIZE_ARGS args = {
		.flags = CKF_OS_LOCKING_OK | CKF_LIBRARY_CANT_CREATE_OS_THREADS,
	};
	uint64_t before = loopback_messages(lb, CARD_A) + loopback_messages(lb, CARD_B);
	CK_ULONG n;

	OK(p11->C_Initialize(&args));
	OK(p11->C_GetSlotList(CK_TRUE, NULL, &n));
	login();
	before = loopback_messages(lb, CARD_A) + loopback_messages(lb, CARD_B) - before;
	OK(p11->C_Finalize(NULL));
	return before;
}

static void beginning_costs_the_same_with_any_objects(void **state)
{
	uint64_t few, many;
	CK_SESSION_HANDLE s;
	CK_OBJECT_HANDLE found[64];
	CK_ULONG n;

	(void)state;
	add_objects(10);
	few = messages_to_begin();
	add_objects(990);
	many = messages_to_begin();
	print_message("%llu messages with 10 objects, %llu with 1000\n",
		      (unsigned long long)few, (unsigned long long)many);
	assert_int_equal(few, many);

	OK(p11->C_Initialize(NULL));
	s = login();
	OK(p11->C_FindObjectsInit(s, NULL, 0));
	while (p11->C_FindObjects(s, found, 64, &n) == CKR_OK && n)
		while (n)
			OK(p11->C_DestroyObject(s, found[--n]));
	OK(p11->C_Finalize(NULL));
}

#define IN_MODULE(f) cmocka_unit_test_setup_teardown(f, with_module, without_module)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_MODULE(calls_of_eight_threads_meet),
		IN_MODULE(eight_threads_get_what_the_engines_give),
		cmocka_unit_test(locks_of_the_application),
		IN_MODULE(ten_thousand_sessions),
		cmocka_unit_test(beginning_costs_the_same_with_any_objects),
	};

	return FIXTURE_RUN(tests, true, true);
}
