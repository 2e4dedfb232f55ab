// SPDX-License-Identifier: LGPL-2.1-or-later
/* Progress: how much is done, how fast it goes, how long it will take. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "haadm.h"

#define INDENT		"        "
/* What is over sooner than this shows nothing; and how often the line is written again. */
#define FIRST_MS	1000
#define AGAIN_MS	200

static long ms_since(const struct timespec *then, const struct timespec *now)
{
	return (now->tv_sec - then->tv_sec) * 1000 + (now->tv_nsec - then->tv_nsec) / 1000000;
}

void progress_begin(struct progress *p, struct app *app, const char *what)
{
	const char *term = getenv("TERM");

	memset(p, 0, sizeof(*p));
	p->what = what;
	p->quiet = app->json || !isatty(STDERR_FILENO) || !term || !strcmp(term, "dumb");
	clock_gettime(CLOCK_MONOTONIC, &p->begun);
}

/* ms since the beginning if the line is to be written again now; else 0 */
static long due(struct progress *p)
{
	struct timespec now;
	long ms;

	if (p->quiet)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	ms = ms_since(&p->begun, &now);
	if (ms < FIRST_MS || (p->shown && ms_since(&p->last, &now) < AGAIN_MS))
		return 0;
	p->shown = true;
	p->last = now;
	fflush(stdout);
	fprintf(stderr, "\r\033[K");
	return ms;
}

void progress_wait(struct progress *p)
{
	long ms = due(p);

	if (ms)
		fprintf(stderr, INDENT "waiting for %s, %ld s", p->what, ms / 1000);
}

void progress_step(struct progress *p, uint64_t done, uint64_t total)
{
	long ms = due(p);
	double rate;

	if (!ms)
		return;
	rate = done * 1000.0 / ms;
	fprintf(stderr, INDENT "%" PRIu64, done);
	if (total)
		fprintf(stderr, " of %" PRIu64, total);
	fprintf(stderr, " %s, %.0f per second", p->what, rate);
	if (total >= done && total && rate > 0)
		fprintf(stderr, ", %.0f s left", (total - done) / rate);
}

void progress_clear(struct progress *p)
{
	if (p->shown)
		fprintf(stderr, "\r\033[K");
	p->shown = false;
}

static void *show_waiting(void *arg)
{
	struct waiting *w = arg;
	struct timespec next;

	pthread_mutex_lock(&w->lock);
	while (!w->over) {
		clock_gettime(CLOCK_MONOTONIC, &next);
		next.tv_nsec += AGAIN_MS * 1000000L;
		next.tv_sec += next.tv_nsec / 1000000000L;
		next.tv_nsec %= 1000000000L;
		if (pthread_cond_timedwait(&w->end, &w->lock, &next))
			progress_wait(&w->progress);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

void waiting_begin(struct waiting *w, struct app *app, const char *fmt, ...)
{
	pthread_condattr_t attr;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->what, sizeof(w->what), fmt, ap);
	va_end(ap);
	w->over = false;
	w->running = false;
	progress_begin(&w->progress, app, w->what);
	if (w->progress.quiet)
		return;
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->end, &attr);
	pthread_condattr_destroy(&attr);
	/* Without a thread nothing is shown; the command works all the same. */
	w->running = !pthread_create(&w->thread, NULL, show_waiting, w);
}

void waiting_end(struct waiting *w)
{
	if (w->progress.quiet)
		return;
	if (w->running) {
		pthread_mutex_lock(&w->lock);
		w->over = true;
		pthread_cond_signal(&w->end);
		pthread_mutex_unlock(&w->lock);
		pthread_join(w->thread, NULL);
	}
	pthread_cond_destroy(&w->end);
	pthread_mutex_destroy(&w->lock);
	progress_clear(&w->progress);
}
