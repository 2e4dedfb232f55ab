// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench [--clock] MODULE SLOT PEER|- PEER-SLOT|first [OPERATION]...
 * bench --repeat N OPERATION MODULE SLOT
 * bench --initialize N MODULE SLOT
 *
 * The first form measures a PKCS#11 module, a peer, and libcrypto itself, in turns in one
 * process, with one thread and with several, and prints a table. The second one does an
 * operation N times and nothing else, for a profiler to look at. The third one makes sure that
 * there are N objects and prints how many microseconds C_Initialize takes. The PIN is
 * USER_PIN's.
 *
 * One thread is measured by the processor time that it took, so that what else runs on the
 * machine does not count; several are measured by the clock, for waiting is what they may do
 * to each other. With --clock everything is: a card works while its caller waits. There
 * libcrypto, which works elsewhere than the card, is no measure.
 *
 * exit status: 0 every bar was reached; 1 not; 2 it could not be measured
 */
#include <dlfcn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pkcs11-3.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MAX_THREADS	8
#define TURN		0.04	/* seconds */
#define ROUNDS		12

/**
 * struct side - a module with a token, or libcrypto
 * @p11:	NULL: libcrypto
 */
struct side {
	const char		*name;
	CK_FUNCTION_LIST	*p11;
	CK_SLOT_ID		slot;
	CK_SESSION_HANDLE	s[MAX_THREADS];
	CK_OBJECT_HANDLE	rsa, ec, aes, mac;
};

static const unsigned int thread_counts[] = { 1, 2, 8 };
static bool by_clock;

/* What libcrypto works with */
static EVP_PKEY *raw_rsa, *raw_ec;
static CK_BYTE data[4096], secret[32] = "the secret of the test";

struct raw {
	EVP_PKEY_CTX	*rsa, *ec;
	EVP_CIPHER_CTX	*gcm;
	EVP_MAC_CTX	*mac;
	EVP_CIPHER	*cipher;
};

static struct raw raws[MAX_THREADS];

static void need(bool good, const char *what, CK_RV rv)
{
	if (good)
		return;
	fprintf(stderr, "bench: %s: 0x%lx\n", what, rv);
	exit(2);
}

#define OK(call)				\
	do {					\
		CK_RV rv_ = (call);		\
						\
		need(rv_ == CKR_OK, #call, rv_);	\
	} while (0)
#define ONE(call) need((call) == 1, #call, 0)

/* ---- operations ---- */

static void rsa_sign(struct side *side, unsigned int t)
{
	CK_MECHANISM mech = { CKM_RSA_PKCS, NULL, 0 };
	CK_BYTE out[256];
	CK_ULONG len = sizeof(out);

	if (!side->p11) {
		ONE(EVP_PKEY_sign(raws[t].rsa, out, &len, data, 32));
		return;
	}
	OK(side->p11->C_SignInit(side->s[t], &mech, side->rsa));
	OK(side->p11->C_Sign(side->s[t], data, 32, out, &len));
}

static void ec_sign(struct side *side, unsigned int t)
{
	CK_MECHANISM mech = { CKM_ECDSA, NULL, 0 };
	CK_BYTE out[80];
	CK_ULONG len = sizeof(out);

	if (!side->p11) {
		ONE(EVP_PKEY_sign(raws[t].ec, out, &len, data, 32));
		return;
	}
	OK(side->p11->C_SignInit(side->s[t], &mech, side->ec));
	OK(side->p11->C_Sign(side->s[t], data, 32, out, &len));
}

static void gcm(struct side *side, unsigned int t)
{
	CK_BYTE iv[12] = { 1 }, out[4096 + 16];
	CK_GCM_PARAMS p = { iv, 12, 96, NULL, 0, 128 };
	CK_MECHANISM mech = { CKM_AES_GCM, &p, sizeof(p) };
	CK_ULONG len = sizeof(out);
	int n, rest;

	if (!side->p11) {
		ONE(EVP_EncryptInit_ex(raws[t].gcm, raws[t].cipher, NULL, secret, iv));
		ONE(EVP_EncryptUpdate(raws[t].gcm, out, &n, data, 4096));
		ONE(EVP_EncryptFinal_ex(raws[t].gcm, out + n, &rest));
		ONE(EVP_CIPHER_CTX_ctrl(raws[t].gcm, EVP_CTRL_GCM_GET_TAG, 16, out + 4096));
		return;
	}
	OK(side->p11->C_EncryptInit(side->s[t], &mech, side->aes));
	OK(side->p11->C_Encrypt(side->s[t], data, 4096, out, &len));
}

static void hmac(struct side *side, unsigned int t)
{
	CK_MECHANISM mech = { CKM_SHA256_HMAC, NULL, 0 };
	CK_BYTE out[32];
	CK_ULONG len = sizeof(out);

	if (!side->p11) {
		ONE(EVP_MAC_init(raws[t].mac, secret, 32, NULL));
		ONE(EVP_MAC_update(raws[t].mac, data, 1024));
		ONE(EVP_MAC_final(raws[t].mac, out, &len, sizeof(out)));
		return;
	}
	OK(side->p11->C_SignInit(side->s[t], &mech, side->mac));
	OK(side->p11->C_Sign(side->s[t], data, 1024, out, &len));
}

static void random_of(struct side *side, unsigned int t, CK_ULONG len)
{
	CK_BYTE out[4096];

	if (!side->p11)
		ONE(RAND_bytes(out, (int)len));
	else
		OK(side->p11->C_GenerateRandom(side->s[t], out, len));
}

static void random_32(struct side *side, unsigned int t)
{
	random_of(side, t, 32);
}

static void random_4096(struct side *side, unsigned int t)
{
	random_of(side, t, 4096);
}

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static void pair(struct side *side, unsigned int t, CK_MECHANISM_TYPE type, CK_ATTRIBUTE *what,
		 CK_ULONG n, CK_OBJECT_HANDLE *priv)
{
	CK_MECHANISM mech = { type, NULL, 0 };
	CK_ATTRIBUTE private[] = { { CKA_SIGN, &yes, 1 }, { CKA_SENSITIVE, &yes, 1 },
				   { CKA_PRIVATE, &yes, 1 }, { CKA_TOKEN, &no, 1 } };
	CK_OBJECT_HANDLE pub;

	OK(side->p11->C_GenerateKeyPair(side->s[t], &mech, what, n, private, COUNT(private), &pub,
					priv));
	OK(side->p11->C_DestroyObject(side->s[t], pub));
}

static void ec_pair(struct side *side, unsigned int t, CK_OBJECT_HANDLE *priv)
{
	static CK_BYTE p256[] = { 0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 };
	CK_ATTRIBUTE what[] = { { CKA_EC_PARAMS, p256, sizeof(p256) } };

	pair(side, t, CKM_EC_KEY_PAIR_GEN, what, 1, priv);
}

static void rsa_pair(struct side *side, unsigned int t, CK_OBJECT_HANDLE *priv)
{
	CK_ULONG bits = 2048;
	CK_BYTE exponent[] = { 1, 0, 1 };
	CK_ATTRIBUTE what[] = { { CKA_MODULUS_BITS, &bits, sizeof(bits) },
				{ CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent) } };

	pair(side, t, CKM_RSA_PKCS_KEY_PAIR_GEN, what, 2, priv);
}

static void ec_keygen(struct side *side, unsigned int t)
{
	CK_OBJECT_HANDLE priv;

	if (!side->p11) {
		EVP_PKEY_free(EVP_EC_gen("P-256"));
		return;
	}
	ec_pair(side, t, &priv);
	OK(side->p11->C_DestroyObject(side->s[t], priv));
}

static void find_label(struct side *side, unsigned int t)
{
	static _Thread_local unsigned int next;
	char label[32];
	CK_ATTRIBUTE what = { CKA_LABEL, label, 0 };
	CK_OBJECT_HANDLE found;
	CK_ULONG n;

	what.ulValueLen = (CK_ULONG)snprintf(label, sizeof(label), "object %u", next++ % 1000);
	OK(side->p11->C_FindObjectsInit(side->s[t], &what, 1));
	OK(side->p11->C_FindObjects(side->s[t], &found, 1, &n));
	need(n == 1, "nothing was found", n);
	OK(side->p11->C_FindObjectsFinal(side->s[t]));
}

static void attribute(struct side *side, unsigned int t)
{
	CK_OBJECT_CLASS class;
	CK_ATTRIBUTE what = { CKA_CLASS, &class, sizeof(class) };

	OK(side->p11->C_GetAttributeValue(side->s[t], side->rsa, &what, 1));
}

static void open_close(struct side *side, unsigned int t)
{
	CK_SESSION_HANDLE s;

	(void)t;
	OK(side->p11->C_OpenSession(side->slot, CKF_SERIAL_SESSION, NULL, NULL, &s));
	OK(side->p11->C_CloseSession(s));
}

/**
 * struct bench - an operation
 * @bar:	ratio to libcrypto; 0: there is nothing to compare with
 * @least:	NULL or operations per second that are the least
 * @objects:	that there have to be
 */
static const struct bench {
	const char	*name;
	void		(*run)(struct side *side, unsigned int t);
	double		bar;
	double		least;
	unsigned int	objects;
} benches[] = {
	{ "rsa2048-sign", rsa_sign, 0.95, 0, 0 },
	{ "p256-sign", ec_sign, 0.85, 0, 0 },
	{ "aes256-gcm-4k", gcm, 0.5, 0, 0 },
	{ "hmac-sha256-1k", hmac, 0.5, 0, 0 },
	{ "random-32", random_32, 0.01, 0, 0 },
	{ "random-4k", random_4096, 0.01, 0, 0 },
	{ "p256-keygen", ec_keygen, 0.01, 0, 0 },
	{ "attribute", attribute, 0, 0, 0 },
	{ "open-close", open_close, 0, 0, 0 },
	{ "find-1000", find_label, 0, 8500, 1000 },
	/* the best soft token does 85 a second */
	{ "find-10000", find_label, 0, 8500, 10000 },
};

/* ---- measuring ---- */

struct run {
	const struct bench	*bench;
	struct side		*side;
	unsigned int		thread;
	pthread_barrier_t	*barrier;
	unsigned int		n;
	pthread_t		id;
	double			begin, end;
};

static double now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void *repeat(void *arg)
{
	struct run *r = arg;
	unsigned int i;

	if (r->barrier)
		pthread_barrier_wait(r->barrier);
	r->begin = now(CLOCK_MONOTONIC);
	for (i = 0; i < r->n; i++)
		r->bench->run(r->side, r->thread);
	r->end = now(CLOCK_MONOTONIC);
	return NULL;
}

/* Seconds that @n operations of each thread took */
static double turn(const struct bench *b, struct side *side, unsigned int threads, unsigned int n)
{
	struct run runs[MAX_THREADS];
	pthread_barrier_t barrier;
	double begin, end;
	unsigned int t;

	if (threads == 1 && !by_clock) {
		runs[0] = (struct run){ .bench = b, .side = side, .n = n };
		begin = now(CLOCK_THREAD_CPUTIME_ID);
		repeat(&runs[0]);
		return now(CLOCK_THREAD_CPUTIME_ID) - begin;
	}
	pthread_barrier_init(&barrier, NULL, threads);
	for (t = 0; t < threads; t++) {
		runs[t] = (struct run){ .bench = b, .side = side, .thread = t,
					.barrier = &barrier, .n = n };
		pthread_create(&runs[t].id, NULL, repeat, &runs[t]);
	}
	for (t = 0; t < threads; t++)
		pthread_join(runs[t].id, NULL);
	pthread_barrier_destroy(&barrier);
	begin = runs[0].begin;
	end = runs[0].end;
	for (t = 1; t < threads; t++) {
		begin = runs[t].begin < begin ? runs[t].begin : begin;
		end = runs[t].end > end ? runs[t].end : end;
	}
	return end - begin;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Rates per second: the median of turns, which go round so that all see the same machine. */
static void measure(const struct bench *b, struct side **sides, size_t n_sides,
		    unsigned int threads, double *rates)
{
	double seen[3][ROUNDS], took;
	unsigned int n[3], round;
	size_t i;

	for (i = 0; i < n_sides; i++)
		for (n[i] = 1; (took = turn(b, sides[i], threads, n[i])) < TURN / 2; )
			n[i] = took < TURN / 100 ? n[i] * 10 :
			       (unsigned int)(n[i] * TURN / took) + 1;
	for (round = 0; round < ROUNDS; round++)
		for (i = 0; i < n_sides; i++)
			seen[i][round] = threads * n[i] / turn(b, sides[i], threads, n[i]);
	for (i = 0; i < n_sides; i++) {
		qsort(seen[i], ROUNDS, sizeof(double), by_value);
		/* With the clock, the best turns are those that nobody disturbed. */
		rates[i] = seen[i][threads == 1 ? ROUNDS / 2 : ROUNDS - 2];
	}
}

/* ---- sides ---- */

static CK_OBJECT_HANDLE secret_of(struct side *side, CK_KEY_TYPE type, CK_ATTRIBUTE_TYPE use)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_ATTRIBUTE what[] = {
		{ CKA_CLASS, &class, sizeof(class) }, { CKA_KEY_TYPE, &type, sizeof(type) },
		{ CKA_VALUE, secret, sizeof(secret) }, { use, &yes, 1 }, { CKA_TOKEN, &no, 1 },
		{ CKA_SENSITIVE, &yes, 1 }, { CKA_PRIVATE, &yes, 1 },
	};
	CK_OBJECT_HANDLE key;

	OK(side->p11->C_CreateObject(side->s[0], what, COUNT(what), &key));
	return key;
}

static void make_objects(struct side *side, unsigned int from, unsigned int to)
{
	CK_OBJECT_CLASS class = CKO_DATA;
	char label[32];
	CK_ATTRIBUTE what[] = {
		{ CKA_CLASS, &class, sizeof(class) }, { CKA_TOKEN, &yes, 1 },
		{ CKA_PRIVATE, &yes, 1 }, { CKA_LABEL, label, 0 }, { CKA_VALUE, secret, 32 },
	};
	CK_OBJECT_HANDLE object;

	for (; from < to; from++) {
		what[3].ulValueLen = (CK_ULONG)snprintf(label, sizeof(label), "object %u", from);
		OK(side->p11->C_CreateObject(side->s[0], what, COUNT(what), &object));
	}
}

/* @rsa: make RSA keys, which takes a different number of instructions each time */
static struct side load(const char *name, const char *path, const char *slot, bool rsa)
{
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
	void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	const char *pin = getenv("USER_PIN");
	struct side side = { .name = name };
	CK_C_GetFunctionList get_list;
	CK_SLOT_ID slots[64];
	CK_ULONG n = COUNT(slots);
	unsigned int t;

	need(module && pin, module ? "USER_PIN is not set" : dlerror(), 0);
	get_list = (CK_C_GetFunctionList)dlsym(module, "C_GetFunctionList");
	OK(get_list(&side.p11));
	OK(side.p11->C_Initialize(&args));
	OK(side.p11->C_GetSlotList(CK_TRUE, slots, &n));
	side.slot = strcmp(slot, "first") ? strtoul(slot, NULL, 0) : slots[0];
	for (t = 0; t < MAX_THREADS; t++)
		OK(side.p11->C_OpenSession(side.slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL,
					   NULL, &side.s[t]));
	OK(side.p11->C_Login(side.s[0], CKU_USER, (CK_UTF8CHAR *)pin, strlen(pin)));
	ec_pair(&side, 0, &side.ec);
	if (rsa)
		rsa_pair(&side, 0, &side.rsa);
	side.aes = secret_of(&side, CKK_AES, CKA_ENCRYPT);
	side.mac = secret_of(&side, CKK_GENERIC_SECRET, CKA_SIGN);
	return side;
}

static struct side libcrypto(void)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	OSSL_PARAM digest[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_end(),
	};
	unsigned int t;

	raw_rsa = EVP_RSA_gen(2048);
	raw_ec = EVP_EC_gen("P-256");
	for (t = 0; t < MAX_THREADS; t++) {
		struct raw *r = &raws[t];

		r->rsa = EVP_PKEY_CTX_new(raw_rsa, NULL);
		ONE(EVP_PKEY_sign_init(r->rsa));
		ONE(EVP_PKEY_CTX_set_rsa_padding(r->rsa, RSA_PKCS1_PADDING));
		r->ec = EVP_PKEY_CTX_new(raw_ec, NULL);
		ONE(EVP_PKEY_sign_init(r->ec));
		r->gcm = EVP_CIPHER_CTX_new();
		r->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
		r->mac = EVP_MAC_CTX_new(mac);
		ONE(EVP_MAC_CTX_set_params(r->mac, digest));
	}
	return (struct side){ .name = "libcrypto" };
}

static const struct bench *by_name(const char *name)
{
	size_t i;

	for (i = 0; i < COUNT(benches); i++)
		if (!strcmp(benches[i].name, name))
			return &benches[i];
	fprintf(stderr, "bench: there is no %s\n", name);
	exit(2);
}

static bool line(const struct bench *b, unsigned int threads, struct side *ours, struct side *peer,
		 struct side *raw)
{
	struct side *sides[3] = { ours };
	double rates[3];
	size_t n = 1, at_peer = 0, at_raw = 0;
	char text[2][16] = { "-", "-" };
	bool good = true;

	/* 10,000 objects cost most peers minutes. */
	if (peer && b->objects <= 1000) {
		sides[n] = peer;
		at_peer = n++;
	}
	if (b->bar > 0 && !by_clock) {
		sides[n] = raw;
		at_raw = n++;
	}
	measure(b, sides, n, threads, rates);
	if (at_raw) {
		/* With more threads than processors it is the scheduler that is measured. */
		good &= threads > 2 || rates[0] >= b->bar * rates[at_raw];
		snprintf(text[0], sizeof(text[0]), "%.3f", rates[0] / rates[at_raw]);
	}
	if (at_peer) {
		good &= rates[0] > rates[at_peer];
		snprintf(text[1], sizeof(text[1]), "%.2f", rates[0] / rates[at_peer]);
	}
	good &= by_clock || rates[0] >= b->least;
	printf("%-16s %7u %12.0f %12.0f %12.0f %10s %6.2f %10s  %s\n", b->name, threads, rates[0],
	       at_peer ? rates[at_peer] : 0, at_raw ? rates[at_raw] : 0, text[0],
	       at_raw && threads <= 2 ? b->bar : 0, text[1], good ? "reached" : "MISSED");
	fflush(stdout);
	return good;
}

static int profile(int argc, char **argv)
{
	const struct bench *b;
	struct side side;
	unsigned int i, n;

	if (argc != 6)
		return 2;
	n = (unsigned int)strtoul(argv[2], NULL, 0);
	b = by_name(argv[3]);
	side = load("module", argv[4], argv[5], b->run == rsa_sign || b->run == attribute);
	if (b->objects)
		make_objects(&side, 0, b->objects);
	for (i = 0; i < n; i++)
		b->run(&side, 0);
	return 0;
}

static int initialize(int argc, char **argv)
{
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
	double took[50], begin;
	CK_ULONG found[64], n, have = 0;
	struct side side;
	size_t i;

	if (argc != 5)
		return 2;
	side = load("module", argv[3], argv[4], false);
	OK(side.p11->C_FindObjectsInit(side.s[0], NULL, 0));
	do {
		OK(side.p11->C_FindObjects(side.s[0], found, COUNT(found), &n));
		have += n;
	} while (n);
	OK(side.p11->C_FindObjectsFinal(side.s[0]));
	make_objects(&side, (unsigned int)have, (unsigned int)strtoul(argv[2], NULL, 0));
	for (i = 0; i < COUNT(took); i++) {
		OK(side.p11->C_Finalize(NULL));
		begin = now(CLOCK_MONOTONIC);
		OK(side.p11->C_Initialize(&args));
		took[i] = now(CLOCK_MONOTONIC) - begin;
	}
	qsort(took, COUNT(took), sizeof(took[0]), by_value);
	printf("%.0f\n", 1e6 * took[COUNT(took) / 4]);
	return 0;
}

int main(int argc, char **argv)
{
	struct side ours, peer = { 0 }, raw;
	unsigned int objects = 0;
	bool good = true, wanted;
	size_t i, t;
	int k;

	if (argc > 1 && !strcmp(argv[1], "--repeat"))
		return profile(argc, argv);
	if (argc > 1 && !strcmp(argv[1], "--initialize"))
		return initialize(argc, argv);
	if (argc > 1 && !strcmp(argv[1], "--clock")) {
		by_clock = true;
		argc--;
		argv++;
	}
	if (argc < 5) {
		fprintf(stderr, "usage: bench [--clock] MODULE SLOT PEER|- PEER-SLOT "
				"[OPERATION]...\n");
		return 2;
	}
	for (k = 5; k < argc; k++)
		by_name(argv[k]);
	raw = libcrypto();
	ours = load("pciehsm", argv[1], argv[2], true);
	if (strcmp(argv[3], "-"))
		peer = load("peer", argv[3], argv[4], true);
	printf("%-16s %7s %12s %12s %12s %10s %6s %10s\n", "operations/s", "threads", "pciehsm",
	       "peer", "libcrypto", "/libcrypto", "bar", "/peer");
	for (i = 0; i < COUNT(benches); i++) {
		wanted = argc == 5;
		for (k = 5; k < argc; k++)
			wanted |= !strcmp(argv[k], benches[i].name);
		if (!wanted)
			continue;
		if (benches[i].objects > objects) {
			make_objects(&ours, objects, benches[i].objects);
			if (peer.p11 && benches[i].objects <= 1000)
				make_objects(&peer, objects, benches[i].objects);
			objects = benches[i].objects;
		}
		for (t = 0; t < COUNT(thread_counts); t++)
			good &= line(&benches[i], thread_counts[t], &ours,
				     peer.p11 ? &peer : NULL, &raw);
	}
	return good ? 0 : 1;
}
