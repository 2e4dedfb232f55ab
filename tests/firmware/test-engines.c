// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Many messages at once: engines, fairness, abort, progress, and the end of contexts and
 * partitions under load. Run with ThreadSanitizer, too.
 */
#include "card.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

/**
 * struct job - a submitted message
 * @hold:	when it reports progress, it stays in there: it takes as long as a test wants
 * @order:	when it was done, among all
 */
struct job {
	struct hsm_fw_request	req;
	struct fwmsg		m;
	uint8_t			out[2048];
	atomic_int		done;
	atomic_uint		progress;
	bool			hold;
	unsigned int		order;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned int sequence;

static void on_done(struct hsm_fw_request *req)
{
	struct job *j = (struct job *)req;

	pthread_mutex_lock(&lock);
	j->order = sequence++;
	atomic_fetch_add(&j->done, 1);
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void on_progress(struct hsm_fw_request *req, uint32_t permille)
{
	struct job *j = (struct job *)req;

	(void)permille;
	pthread_mutex_lock(&lock);
	atomic_fetch_add(&j->progress, 1);
	pthread_cond_broadcast(&changed);
	while (j->hold)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static void set_hold(struct job *j, bool yes)
{
	pthread_mutex_lock(&lock);
	j->hold = yes;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void wait_done(struct job *j)
{
	pthread_mutex_lock(&lock);
	while (!atomic_load(&j->done))
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	assert_int_equal(atomic_load(&j->done), 1);
}

static void submit(struct card *c, struct job *j, uint32_t part, uint32_t ctx)
{
	uint32_t len = (uint32_t)j->m.in_len;

	memcpy(j->m.in, &len, 4);
	memset(&j->req, 0, sizeof(j->req));
	j->req.partition = part;
	j->req.context = ctx;
	j->req.in = j->m.in;
	j->req.in_len = j->m.in_len;
	j->req.out = j->out;
	j->req.out_size = sizeof(j->out);
	j->req.done = on_done;
	j->req.progress = on_progress;
	atomic_store(&j->done, 0);
	atomic_store(&j->progress, 0);
	hsm_fw_submit(c->fw, &j->req);
}

static uint32_t rv_of(const struct job *j)
{
	uint32_t rv;

	assert_int_equal(j->req.status, HSM_FW_ANSWERED);
	assert_true(j->req.out_len >= 16);
	memcpy(&rv, j->out + 12, 4);
	return rv;
}

static void sign_message(struct fwmsg *m, uint32_t key, uint32_t mech)
{
	uint8_t ouid[16];

	ouid_of(ouid, key);
	fwmsg_begin(m, PCIEHSM_OP_CRYPT, 1);
	fwmsg_u32(m, PCIEHSM_F_FUNCTION, PCIEHSM_FN_SIGN);
	fwmsg_u32(m, PCIEHSM_F_MECHANISM, mech);
	fwmsg_bytes(m, PCIEHSM_F_KEY, ouid, 16);
	fwmsg_bytes(m, PCIEHSM_F_DATA, "data", 4);
}

static void rsa_message(struct fwmsg *m, uint32_t n, uint32_t bits)
{
	uint8_t a[16], b[16];

	ouid_of(a, n);
	ouid_of(b, n + 1);
	fwmsg_begin(m, PCIEHSM_OP_GENERATE_KEY_PAIR, 1);
	fwmsg_u32(m, PCIEHSM_F_MECHANISM, CKM_RSA_PKCS_KEY_PAIR_GEN);
	fwmsg_bytes(m, PCIEHSM_F_OUID, a, 16);
	fwmsg_bytes(m, PCIEHSM_F_OUID2, b, 16);
	fwmsg_template(m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr_ulong(m, CKA_MODULUS_BITS, bits);
	fwmsg_attr_bool(m, CKA_TOKEN, true);
	fwmsg_template_end(m);
	fwmsg_template(m, PCIEHSM_F_TEMPLATE2);
	fwmsg_attr_bool(m, CKA_TOKEN, true);
	fwmsg_template_end(m);
}

static atomic_uint_fast64_t fake;

/* A clock that runs fast, so that a test need not wait for progress. */
static uint64_t fast_clock(void *opaque)
{
	(void)opaque;
	return atomic_fetch_add(&fake, 600);
}

static struct card *with_engines(unsigned int engines)
{
	struct card *c = card_ready(7, DOMAIN);

	hsm_fw_close(c->fw);
	c->config.engines = engines;
	c->config.now_ms = fast_clock;
	assert_int_equal(hsm_fw_open(&c->config, &c->fw, NULL, 0), 0);
	assert_ok(card_login(c, c->part, CTX_PO, PCIEHSM_ROLE_PO, PO_PIN));
	assert_ok(card_login(c, c->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
	assert_ok(card_login(c, c->part, CTX_CU, PCIEHSM_ROLE_CU, CU_PIN));
	assert_ok(card_login(c, 0, CTX_SO, PCIEHSM_ROLE_SO, SO_PIN));
	return c;
}

#define JOBS	400

static void test_many(void **state)
{
	struct card *c = with_engines(4);
	struct job *jobs = calloc(JOBS, sizeof(*jobs));

	(void)state;
	assert_ok(card_ec(c, CTX_CO, 1, "ec", true));
	for (unsigned int i = 0; i < JOBS; i++) {
		sign_message(&jobs[i].m, 2, CKM_ECDSA_SHA256);
		submit(c, &jobs[i], c->part, i % 3 ? CTX_CO : CTX_CU);
	}
	for (unsigned int i = 0; i < JOBS; i++) {
		wait_done(&jobs[i]);
		assert_rv(rv_of(&jobs[i]), CKR_OK);
		fwmsg_free(&jobs[i].m);
	}
	free(jobs);
	card_free(c);
}

static void test_fair(void **state)
{
	struct card *c = with_engines(1);
	struct job *jobs = calloc(101, sizeof(*jobs)), *late = &jobs[100];

	(void)state;
	assert_ok(card_ec(c, CTX_CO, 1, "ec", true));
	/* A hundred of one context are waiting when another one comes. */
	for (unsigned int i = 0; i < 100; i++) {
		if (i)
			sign_message(&jobs[i].m, 2, CKM_ECDSA_SHA256);
		else
			rsa_message(&jobs[i].m, 10, 2048);
		submit(c, &jobs[i], c->part, CTX_CO);
	}
	sign_message(&late->m, 2, CKM_ECDSA_SHA256);
	submit(c, late, c->part, CTX_CU);
	for (unsigned int i = 0; i <= 100; i++) {
		wait_done(&jobs[i]);
		assert_rv(rv_of(&jobs[i]), CKR_OK);
	}
	/* After the one that ran, and at most one of the hundred's next */
	assert_true(late->order - jobs[0].order <= 2);
	for (unsigned int i = 1; i < 100; i++)
		assert_true(jobs[i].order > jobs[i - 1].order);
	for (unsigned int i = 0; i <= 100; i++)
		fwmsg_free(&jobs[i].m);
	free(jobs);
	card_free(c);
}

static void wait_progress(struct job *j)
{
	pthread_mutex_lock(&lock);
	while (!atomic_load(&j->progress) && !atomic_load(&j->done))
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static void begin_slow(struct card *c, struct job *j, uint32_t n, uint32_t ctx)
{
	set_hold(j, true);
	rsa_message(&j->m, n, 4096);
	submit(c, j, c->part, ctx);
	wait_progress(j);
}

static void give_up(struct card *c, struct job *j)
{
	assert_int_equal(atomic_load(&j->done), 0);
	assert_true(hsm_fw_abort(c->fw, &j->req));
	set_hold(j, false);
	wait_done(j);
	assert_int_equal(j->req.status, HSM_FW_ABORTED_RUNNING);
	fwmsg_free(&j->m);
}

/* Has an engine work on it; gives how often it was said that it is still at work. */
static unsigned int reports(struct card *c, struct job *j, uint32_t part, uint32_t ctx)
{
	unsigned int n;

	submit(c, j, part, ctx);
	wait_done(j);
	assert_rv(rv_of(j), CKR_OK);
	n = atomic_load(&j->progress);
	fwmsg_free(&j->m);
	return n;
}

static void fill(struct card *c, bool bury)
{
	uint32_t n;

	assert_ok(card_login(c, c->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
	for (n = 1; n <= 200; n++)
		assert_ok(card_data(c, CTX_CO, n, "one of many", true));
	for (n = 1; bury && n <= 200; n++)
		assert_ok(card_destroy(c, CTX_CO, n, 0));
}

static void begin_policy(struct fwmsg *m, uint32_t policy, uint32_t value)
{
	fwmsg_begin(m, PCIEHSM_OP_POLICY_SET, 0);
	fwmsg_u32(m, PCIEHSM_F_POLICY, policy);
	fwmsg_u32(m, PCIEHSM_F_VALUE, value);
}

/* What deletes many rows is heard of all the while. */
static void test_wiping_reports(void **state)
{
	struct card *c = with_engines(1);
	struct job *j = calloc(1, sizeof(*j));

	(void)state;
	hsm_fw_context_close(c->fw, CTX_CO);
	fill(c, true);
	fwmsg_begin(&j->m, PCIEHSM_OP_TOMBSTONES_COLLECT, 0);
	fwmsg_bytes(&j->m, PCIEHSM_F_SERIALS, NULL, 0);
	assert_in_range(reports(c, j, c->part, CTX_CO), 100, 10000);
	hsm_fw_context_close(c->fw, CTX_CO);
	fill(c, false);
	assert_ok(card_policy(c, c->part, CTX_PO, 11, 0));
	begin_policy(&j->m, 11, 1);
	assert_in_range(reports(c, j, c->part, CTX_PO), 5, 10000);
	/* What destroys nothing is done before there is anything to say. */
	begin_policy(&j->m, 20, 9);
	assert_in_range(reports(c, j, c->part, CTX_PO), 0, 4);
	hsm_fw_context_close(c->fw, CTX_CO);
	fill(c, false);
	fwmsg_begin(&j->m, PCIEHSM_OP_PARTITION_INIT, 0);
	fwmsg_text(&j->m, PCIEHSM_F_LABEL, "again");
	fwmsg_text(&j->m, PCIEHSM_F_PIN, PO_PIN);
	fwmsg_text(&j->m, PCIEHSM_F_DOMAIN, DOMAIN);
	assert_in_range(reports(c, j, c->part, CTX_PO), 5, 10000);
	assert_ok(card_role_init(c, c->part, CTX_PO, PCIEHSM_ROLE_CO, FIRST_PIN));
	assert_ok(card_set_pin(c, c->part, CTX_CO, PCIEHSM_ROLE_CO, FIRST_PIN, CO_PIN));
	fill(c, false);
	fwmsg_begin(&j->m, PCIEHSM_OP_HSM_ZEROIZE, 0);
	assert_in_range(reports(c, j, 0, CTX_SO), 5, 10000);
	free(j);
	card_free(c);
}

/* A long generation takes one engine: with another, nothing else gets slower. */
static void test_slow_takes_one_engine(void **state)
{
	struct card *c = with_engines(2);
	struct job *slow = calloc(2, sizeof(*slow)), *job = calloc(1, sizeof(*job));

	(void)state;
	assert_ok(card_ec(c, CTX_CO, 1, "ec", true));
	assert_ok(card_login(c, c->part, 20, PCIEHSM_ROLE_CO, CO_PIN));
	begin_slow(c, &slow[0], 10, CTX_CO);
	/* Of the same context, and of another one */
	for (unsigned int i = 0; i < 50; i++) {
		sign_message(&job->m, 2, CKM_ECDSA_SHA256);
		submit(c, job, c->part, i % 2 ? CTX_CO : CTX_CU);
		wait_done(job);
		assert_rv(rv_of(job), CKR_OK);
		fwmsg_free(&job->m);
	}
	/* When both are taken, it waits for one of them, not for both. */
	begin_slow(c, &slow[1], 20, 20);
	sign_message(&job->m, 2, CKM_ECDSA_SHA256);
	submit(c, job, c->part, CTX_CU);
	assert_int_equal(atomic_load(&job->done), 0);
	give_up(c, &slow[1]);
	wait_done(job);
	assert_rv(rv_of(job), CKR_OK);
	fwmsg_free(&job->m);
	give_up(c, &slow[0]);
	free(job);
	free(slow);
	card_free(c);
}

static void test_abort(void **state)
{
	struct card *c = with_engines(1);
	struct job *jobs = calloc(4, sizeof(*jobs));
	unsigned int n;

	(void)state;
	rsa_message(&jobs[0].m, 1, 4096);
	submit(c, &jobs[0], c->part, CTX_CO);
	wait_progress(&jobs[0]);
	assert_int_equal(atomic_load(&jobs[0].done), 0);
	rsa_message(&jobs[1].m, 3, 2048);
	submit(c, &jobs[1], c->part, CTX_CO);
	rsa_message(&jobs[2].m, 5, 2048);
	submit(c, &jobs[2], c->part, CTX_CO);
	/* One that waits is given back in the call itself. */
	assert_true(hsm_fw_abort(c->fw, &jobs[1].req));
	assert_int_equal(atomic_load(&jobs[1].done), 1);
	assert_int_equal(jobs[1].req.status, HSM_FW_ABORTED);
	/* One that runs gives up between two steps. */
	assert_true(hsm_fw_abort(c->fw, &jobs[0].req));
	wait_done(&jobs[0]);
	assert_int_equal(jobs[0].req.status, HSM_FW_ABORTED_RUNNING);
	assert_int_equal(jobs[0].req.out_len, 0);
	wait_done(&jobs[2]);
	assert_rv(rv_of(&jobs[2]), CKR_OK);
	assert_ok(card_find(c, CTX_CO, NULL, &n, NULL));
	assert_int_equal(n, 2);
	for (unsigned int i = 0; i < 3; i++)
		fwmsg_free(&jobs[i].m);
	free(jobs);
	card_free(c);
}

static void test_context_close(void **state)
{
	struct card *c = with_engines(1);
	struct job *jobs = calloc(20, sizeof(*jobs));
	unsigned int aborted = 0;

	(void)state;
	assert_ok(card_login(c, c->part, 30, PCIEHSM_ROLE_CO, CO_PIN));
	for (unsigned int i = 0; i < 20; i++) {
		rsa_message(&jobs[i].m, 10 + 2 * i, i ? 2048 : 4096);
		submit(c, &jobs[i], c->part, i % 2 ? CTX_CO : 30);
	}
	wait_progress(&jobs[0]);
	hsm_fw_context_close(c->fw, 30);
	/* Nothing of that context is left anywhere. */
	for (unsigned int i = 0; i < 20; i += 2) {
		assert_int_equal(atomic_load(&jobs[i].done), 1);
		aborted += jobs[i].req.status == HSM_FW_ABORTED;
	}
	assert_in_range(aborted, 8, 9);
	assert_int_equal(jobs[0].req.status, HSM_FW_ABORTED_RUNNING);
	hsm_fw_reset(c->fw);
	for (unsigned int i = 0; i < 20; i++) {
		assert_int_equal(atomic_load(&jobs[i].done), 1);
		fwmsg_free(&jobs[i].m);
	}
	free(jobs);
	card_free(c);
}

static void test_close_with_work(void **state)
{
	struct card *c = with_engines(2);
	struct job *jobs = calloc(30, sizeof(*jobs));

	(void)state;
	for (unsigned int i = 0; i < 30; i++) {
		rsa_message(&jobs[i].m, 10 + 2 * i, 3072);
		submit(c, &jobs[i], c->part, CTX_CO);
	}
	wait_progress(&jobs[0]);
	hsm_fw_close(c->fw);
	for (unsigned int i = 0; i < 30; i++) {
		assert_int_equal(atomic_load(&jobs[i].done), 1);
		fwmsg_free(&jobs[i].m);
	}
	free(jobs);
	assert_int_equal(hsm_fw_open(&c->config, &c->fw, NULL, 0), 0);
	card_free(c);
}

/* ---- everything at once ---- */

static struct card *shared;
static atomic_bool stop;
static atomic_uint failures, signatures, changes;

static void note(bool ok)
{
	if (!ok)
		atomic_fetch_add(&failures, 1);
}

static void *signer(void *arg)
{
	uint32_t ctx = (uint32_t)(uintptr_t)arg;
	struct fwmsg m;
	unsigned long rv;

	while (!atomic_load(&stop)) {
		sign_message(&m, 2, CKM_ECDSA_SHA256);
		rv = card_run(&m, shared, shared->part, ctx);
		if (rv == CKR_OK)
			atomic_fetch_add(&signatures, 1);
		else
			note(rv == FWMSG_NO_ANSWER + HSM_FW_NO_PARTITION);
	}
	return NULL;
}

static void *changer(void *arg)
{
	uint32_t n = (uint32_t)(uintptr_t)arg * 100000;
	unsigned long rv;
	unsigned int count;

	while (!atomic_load(&stop)) {
		n += 2;
		rv = card_ec(shared, CTX_CO, n, "coming and going", n % 4 == 0);
		note(rv == CKR_OK || rv == FWMSG_NO_ANSWER + HSM_FW_NO_PARTITION);
		rv = card_set_text(shared, CTX_CO, n, CKA_LABEL, "changed");
		note(rv == CKR_OK || rv == FWMSG_NO_ANSWER + HSM_FW_NO_PARTITION);
		rv = card_find(shared, CTX_CO, "changed", &count, NULL);
		note(rv == CKR_OK || rv == FWMSG_NO_ANSWER + HSM_FW_NO_PARTITION);
		rv = card_destroy(shared, CTX_CO, n, 0);
		note(rv == CKR_OK || rv == FWMSG_NO_ANSWER + HSM_FW_NO_PARTITION);
		rv = card_destroy(shared, CTX_CO, n + 1, 0);
		note(rv == CKR_OK || rv == FWMSG_NO_ANSWER + HSM_FW_NO_PARTITION);
		atomic_fetch_add(&changes, 1);
	}
	return NULL;
}

static void *watcher(void *arg)
{
	struct hsm_fw_partition list[4];
	struct hsm_fw_info info;
	uint32_t ctx = 1000;
	struct fwmsg m;
	unsigned long rv;

	(void)arg;
	while (!atomic_load(&stop)) {
		hsm_fw_partitions(shared->fw, list, 4);
		hsm_fw_info(shared->fw, &info);
		fwmsg_begin(&m, PCIEHSM_OP_PARTITION_INFO, 0);
		rv = card_run(&m, shared, shared->part, ctx);
		note(rv == CKR_OK || rv == FWMSG_NO_ANSWER + HSM_FW_NO_PARTITION);
		fwmsg_begin(&m, PCIEHSM_OP_DIGEST, 0);
		rv = card_run(&m, shared, shared->part, ctx);
		note(rv == CKR_OK || rv == FWMSG_NO_ANSWER + HSM_FW_NO_PARTITION);
		rv = card_login(shared, shared->part, ctx, PCIEHSM_ROLE_CU, CU_PIN);
		note(rv == CKR_OK || rv == FWMSG_NO_ANSWER + HSM_FW_NO_PARTITION);
		hsm_fw_context_close(shared->fw, ctx++);
	}
	return NULL;
}

static void test_partition_goes_under_load(void **state)
{
	pthread_t threads[6];
	unsigned int n = 0;

	(void)state;
	shared = with_engines(2);
	atomic_store(&stop, false);
	assert_ok(card_ec(shared, CTX_CO, 1, "ec", true));
	pthread_create(&threads[n++], NULL, signer, (void *)CTX_CO);
	pthread_create(&threads[n++], NULL, signer, (void *)CTX_CU);
	pthread_create(&threads[n++], NULL, changer, (void *)1);
	pthread_create(&threads[n++], NULL, changer, (void *)2);
	pthread_create(&threads[n++], NULL, watcher, NULL);
	while (atomic_load(&signatures) < 200 || atomic_load(&changes) < 60)
		usleep(1000);
	assert_ok(card_hsm_init(shared, "again", SO_PIN));
	assert_rv(card_simple(shared, shared->part, CTX_CO, PCIEHSM_OP_PING),
		  FWMSG_NO_ANSWER + HSM_FW_NO_PARTITION);
	usleep(20000);
	atomic_store(&stop, true);
	while (n)
		pthread_join(threads[--n], NULL);
	assert_int_equal(atomic_load(&failures), 0);
	assert_int_equal(hsm_fw_partitions(shared->fw, NULL, 0), 0);
	card_free(shared);
}

/* The same creation by several at once makes one object. */
static atomic_uint made;

static void *same_name(void *arg)
{
	uint8_t *modulus = arg;
	size_t len = 256;
	unsigned long rv;

	rv = card_rsa(shared, CTX_CO, 1, "one", true);
	if (rv == CKR_OK)
		rv = card_get(shared, CTX_CO, 1, CKA_MODULUS, modulus, &len);
	if (rv == CKR_OK && len == 256)
		atomic_fetch_add(&made, 1);
	return NULL;
}

static void test_same_creation_at_once(void **state)
{
	static uint8_t modulus[4][256];
	pthread_t threads[4];
	unsigned int n;

	(void)state;
	shared = with_engines(0);
	for (unsigned int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, same_name, modulus[i]);
	for (unsigned int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&made), 4);
	for (unsigned int i = 1; i < 4; i++)
		assert_memory_equal(modulus[0], modulus[i], 256);
	assert_ok(card_find(shared, CTX_CO, "one", &n, NULL));
	assert_int_equal(n, 2);
	card_free(shared);
}

/* One operation in parts, used by several at once: in some order, never broken. */
static void *updater(void *arg)
{
	struct fwmsg m;

	(void)arg;
	for (unsigned int i = 0; i < 100; i++) {
		fwmsg_begin(&m, PCIEHSM_OP_CRYPT_UPDATE, 9);
		fwmsg_u32(&m, PCIEHSM_F_FUNCTION, PCIEHSM_FN_DIGEST);
		fwmsg_bytes(&m, PCIEHSM_F_DATA, "same", 4);
		note(card_run(&m, shared, shared->part, CTX_CO) == CKR_OK);
	}
	return NULL;
}

static void test_same_operation_at_once(void **state)
{
	pthread_t threads[3];
	struct fwmsg m;

	(void)state;
	shared = with_engines(0);
	atomic_store(&failures, 0);
	fwmsg_begin(&m, PCIEHSM_OP_CRYPT_INIT, 9);
	fwmsg_u32(&m, PCIEHSM_F_FUNCTION, PCIEHSM_FN_DIGEST);
	fwmsg_u32(&m, PCIEHSM_F_MECHANISM, CKM_SHA256);
	assert_ok(card_run(&m, shared, shared->part, CTX_CO));
	for (unsigned int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, updater, NULL);
	for (unsigned int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&failures), 0);
	card_free(shared);
}

/* Wrong passwords from several at once are counted one by one. */
static void *guesser(void *arg)
{
	unsigned long rv = card_login(shared, shared->part, (uint32_t)(uintptr_t)arg,
				      PCIEHSM_ROLE_CO, "wrong-password");

	if (rv == CKR_PIN_INCORRECT)
		atomic_fetch_add(&made, 1);
	return NULL;
}

static void test_guesses_at_once(void **state)
{
	pthread_t threads[16];

	(void)state;
	shared = with_engines(0);
	atomic_store(&made, 0);
	for (uintptr_t i = 0; i < 16; i++)
		pthread_create(&threads[i], NULL, guesser, (void *)(100 + i));
	for (unsigned int i = 0; i < 16; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&made), 10);
	assert_rv(card_login(shared, shared->part, 99, PCIEHSM_ROLE_CO, CO_PIN), CKR_PIN_LOCKED);
	card_free(shared);
}

/* What is being made while everything is destroyed goes with it, or was never made. */
static void *maker(void *arg)
{
	uint32_t n = (uint32_t)(uintptr_t)arg << 16;

	while (card_data(shared, CTX_CO, ++n, "late", true) == CKR_OK)
		atomic_fetch_add(&changes, 1);
	return NULL;
}

static void make_while(unsigned long (*destroy)(void))
{
	pthread_t threads[4];
	unsigned int n;

	shared = with_engines(0);
	/* Enough for the end to take its time. */
	for (n = 1; n <= 300; n++)
		assert_ok(card_data(shared, CTX_CO, n, "early", true));
	atomic_store(&changes, 0);
	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, maker, (void *)(i + 1));
	while (atomic_load(&changes) < 20)
		usleep(100);
	assert_ok(destroy());
	for (unsigned int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_ok(card_find(shared, CTX_PO, NULL, &n, NULL));
	assert_int_equal(n, 0);
	/* Who destroyed it is still who he was. */
	assert_rv(card_login(shared, shared->part, CTX_PO, PCIEHSM_ROLE_PO, PO_PIN),
		  CKR_USER_ALREADY_LOGGED_IN);
	assert_rv(card_data(shared, CTX_CO, 1, "x", true), CKR_USER_NOT_LOGGED_IN);
	card_free(shared);
}

static unsigned long init_again(void)
{
	return card_partition_init(shared, shared->part, CTX_PO, "again", PO_PIN, DOMAIN);
}

static unsigned long allow_wrapping(void)
{
	return card_policy(shared, shared->part, CTX_PO, 1, 1);
}

static void test_making_while_it_is_destroyed(void **state)
{
	(void)state;
	make_while(init_again);
	make_while(allow_wrapping);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_fair),
		cmocka_unit_test(test_slow_takes_one_engine),
		cmocka_unit_test(test_wiping_reports),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_context_close),
		cmocka_unit_test(test_close_with_work),
		cmocka_unit_test(test_partition_goes_under_load),
		cmocka_unit_test(test_same_creation_at_once),
		cmocka_unit_test(test_same_operation_at_once),
		cmocka_unit_test(test_guesses_at_once),
		cmocka_unit_test(test_making_while_it_is_destroyed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
