// SPDX-License-Identifier: GPL-2.0-or-later
/* Members whose engine does one thing at a time, in a fixed time. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bench.h"

#define SERVICE_NS	10000000LL
#define THREADS_EACH	8
#define SECONDS		4

static struct engine {
	pthread_mutex_t	lock;
	struct timespec	free_at;
} engines[MEMBERS_MAX];

static struct ha_ouid key;
static atomic_bool stop;
static atomic_ullong done;

static bool before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

/* The engine is taken when it is free, and not later because somebody woke up late. */
static enum loopback_fault serve(void *arg, const char *serial, uint32_t op)
{
	struct timespec at;
	unsigned int i;

	(void)arg;
	if (op != PCIEHSM_OP_CRYPT)
		return LOOPBACK_WORKS;
	for (i = 0; strcmp(serial, serial_of(i)); i++)
		;
	pthread_mutex_lock(&engines[i].lock);
	clock_gettime(CLOCK_MONOTONIC, &at);
	if (before(&at, &engines[i].free_at))
		at = engines[i].free_at;
	at.tv_nsec += SERVICE_NS;
	if (at.tv_nsec >= 1000000000) {
		at.tv_nsec -= 1000000000;
		at.tv_sec++;
	}
	engines[i].free_at = at;
	pthread_mutex_unlock(&engines[i].lock);
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL))
		;
	return LOOPBACK_WORKS;
}

static void *load(void *arg)
{
	while (!stop) {
		need(encrypt(&key), "encrypt");
		done++;
	}
	return arg;
}

static double throughput(unsigned int n)
{
	pthread_t threads[MEMBERS_MAX * THREADS_EACH];
	struct timespec while_measured = { .tv_sec = SECONDS };
	unsigned long long first;
	double begun, rate;
	unsigned int i;

	group_begin(n, n);
	aes_key(&key);
	wait_until_work(&key, n);
	for (i = 0; i < n; i++)
		engines[i] = (struct engine){ .lock = PTHREAD_MUTEX_INITIALIZER };
	loopback_set_filter(lb, serve, NULL);
	stop = false;
	for (i = 0; i < n * THREADS_EACH; i++)
		if (pthread_create(&threads[i], NULL, load, NULL))
			die("no thread");
	begun = now();
	first = done;
	nanosleep(&while_measured, NULL);
	rate = (double)(done - first) / (now() - begun);
	stop = true;
	for (i = 0; i < n * THREADS_EACH; i++)
		pthread_join(threads[i], NULL);
	loopback_set_filter(lb, NULL, NULL);
	group_end();
	return rate;
}

void bench_scaling(void)
{
	double one = throughput(1);
	unsigned int n;
	char name[64];

	printf("%-50s %12.2f %s\n", "one member whose engine takes 10 ms", one, "ops/s");
	for (n = 2; n <= MEMBERS_MAX; n *= 2) {
		snprintf(name, sizeof(name), "... %u of them, times one", n);
		line(name, "times", throughput(n) / one, 0.95 * n, true);
	}
}
