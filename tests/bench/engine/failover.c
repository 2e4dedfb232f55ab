// SPDX-License-Identifier: GPL-2.0-or-later
/* Members that are pulled out, or hang, under the load of eight threads. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "bench.h"

#define THREADS		8
#define HANG_MS		200

static struct ha_ouid key;
static atomic_bool stop;
static atomic_uint failed;
static atomic_uint longest_us;
/* In microseconds: the event that nobody has succeeded after yet, 0: none; and how long that took */
#define TAKEN		1
static atomic_ullong event_at;
static atomic_ullong next_success;
static atomic_ullong calls_of[THREADS];
static pthread_t threads[THREADS];

static unsigned long long now_us(void)
{
	return (unsigned long long)(now() * 1e6);
}

static void *load(void *arg)
{
	atomic_ullong *calls = arg;

	for (; !stop; ++*calls) {
		unsigned long long begun = now_us(), ended, event;
		unsigned int took, before = longest_us;
		bool well = encrypt(&key) == CKR_OK;

		ended = now_us();
		event = event_at;
		/* Told by who succeeds: who waits for it would have to be woken first. */
		if (!well) {
			failed++;
		} else if (event > TAKEN && atomic_compare_exchange_strong(&event_at, &event, TAKEN)) {
			next_success = ended > event ? ended - event : 0;
			event_at = 0;
		}
		took = (unsigned int)(ended - begun);
		while (took > before && !atomic_compare_exchange_weak(&longest_us, &before, took))
			;
	}
	return arg;
}

static void begin(void)
{
	int i;

	group_begin(2, 2);
	aes_key(&key);
	stop = false;
	failed = 0;
	for (i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, load, &calls_of[i]))
			die("no thread");
}

static void end(void)
{
	int i;

	stop = true;
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	group_end();
}

/* Nobody waits any more for what was asked before. */
static void wait_for_all(void)
{
	unsigned long long before[THREADS];
	int i;

	for (i = 0; i < THREADS; i++)
		before[i] = calls_of[i];
	for (i = 0; i < THREADS; i++)
		while (calls_of[i] == before[i])
			usleep(1000);
	/* Nor the engine itself. */
	usleep(HANG_MS * 1000);
}

void bench_removal(void)
{
	unsigned long long worst = 0;
	unsigned int i;
	char name[64];

	begin();
	for (i = 0; i < rounds; i++) {
		wait_until_work(&key, 2);
		loopback_pull(lb, card_of(i % 2));
		/* It is gone now; what the card itself does in its last moment is not counted. */
		event_at = now_us();
		while (event_at)
			usleep(50);
		if (next_success > worst)
			worst = next_success;
		loopback_return(lb, card_of(i % 2));
	}
	wait_until_work(&key, 2);
	end();
	snprintf(name, sizeof(name), "pulled out %u times: calls that failed", rounds);
	line(name, "calls", failed, 0, false);
	line("... next success after the event, at most", "ms", (double)worst / 1e3, 10, false);
}

void bench_hang(void)
{
	unsigned int round;
	char name[64];

	begin();
	loopback_set_hang_ms(lb, HANG_MS);
	longest_us = 0;
	for (round = 0; round < rounds; round++) {
		wait_until_work(&key, 2);
		loopback_set_fault(lb, card_of(round % 2), round % 4 < 2 ? LOOPBACK_HANGS :
				   LOOPBACK_HANGS_AFTER);
		wait_for_all();
		loopback_set_fault(lb, card_of(round % 2), LOOPBACK_WORKS);
		wait_for_all();
		/* Nothing tells of a hang's end but time, or an administrator (hagroup recover). */
		group_write(2);
	}
	wait_until_work(&key, 2);
	end();
	snprintf(name, sizeof(name), "hung %u times: calls that failed", rounds);
	line(name, "calls", failed, 0, false);
	snprintf(name, sizeof(name), "... longest call; the time-out is %d ms", HANG_MS);
	line(name, "ms", longest_us / 1e3, HANG_MS + 100, false);
}
