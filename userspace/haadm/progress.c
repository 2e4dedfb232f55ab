// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Progress: how much is done, how fast it goes, how long it will take; or for how long we
 * wait for what. A thread writes the line, so that it goes on when a card is silent.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "haadm.h"

#define INDENT		"        "
#define TAKE_BACK	"\r\033[K"
/* What is over sooner than this shows nothing; and how often the line is written again. */
#define FIRST_MS	1000
#define AGAIN_MS	200

/**
 * struct ticker - the line on the terminal, and the thread that writes it
 * @lock:	for all below, and for writing
 * @changed:	@top is there again, or @over
 * @top:	the innermost of what is under way; NULL: nothing
 * @idle:	the thread sleeps until @changed
 * @held:	the line was taken away for something else, until there is news
 * @shown:	the line is there
 */
struct ticker {
	pthread_mutex_t	lock;
	pthread_cond_t	changed;
	pthread_t	thread;
	struct progress	*top;
	bool		idle;
	bool		held;
	bool		shown;
	bool		over;
};

static double seconds_since(const struct timespec *then)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - then->tv_sec + (now.tv_nsec - then->tv_nsec) / 1e9;
}

static void take_back(struct ticker *t)
{
	if (t->shown)
		fputs(TAKE_BACK, stderr);
	t->shown = false;
}

static void write_counted(const struct progress *p, double seconds)
{
	double rate = p->done / seconds;

	fprintf(stderr, INDENT "%" PRIu64, p->done);
	if (p->total)
		fprintf(stderr, " of %" PRIu64, p->total);
	fprintf(stderr, rate < 10 ? " %s, %.1f per second" : " %s, %.0f per second", p->what,
		rate);
	if (p->total >= p->done && rate > 0)
		fprintf(stderr, ", %.0f s left", (p->total - p->done) / rate);
}

/* What is counted says more than a wait, and of waits the outermost says what it is about. */
static void write_line(struct ticker *t)
{
	const struct progress *p, *of = t->top, *top = t->top;
	double seconds;

	for (p = t->top; p && !of->counts; p = p->outer)
		of = p;
	seconds = seconds_since(&of->begun);
	if (seconds * 1000 < FIRST_MS)
		return;
	fflush(stdout);
	fputs(TAKE_BACK, stderr);
	t->shown = true;
	if (of->counts && of->done)
		write_counted(of, seconds);
	else if (of->counts)
		fprintf(stderr, INDENT "no %s yet, %d s", of->what, (int)seconds);
	else
		fprintf(stderr, INDENT "waiting for %s, %d s", of->what, (int)seconds);
	seconds = seconds_since(&top->begun);
	if (of != top && of->counts && seconds * 1000 >= FIRST_MS)
		fprintf(stderr, "; waiting for %s, %d s", top->what, (int)seconds);
}

static void *tick(void *arg)
{
	struct ticker *t = arg;
	struct timespec next;

	pthread_mutex_lock(&t->lock);
	while (!t->over) {
		if (!t->top) {
			t->idle = true;
			pthread_cond_wait(&t->changed, &t->lock);
			t->idle = false;
			continue;
		}
		clock_gettime(CLOCK_MONOTONIC, &next);
		next.tv_nsec += AGAIN_MS * 1000000L;
		next.tv_sec += next.tv_nsec / 1000000000L;
		next.tv_nsec %= 1000000000L;
		pthread_cond_timedwait(&t->changed, &t->lock, &next);
		if (t->top && !t->held)
			write_line(t);
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

/* Without memory or a thread nothing is shown; the command works all the same. */
static struct ticker *ticker_new(void)
{
	struct ticker *t = calloc(1, sizeof(*t));
	pthread_condattr_t attr;
	sigset_t all, before;
	int err;

	if (!t)
		return NULL;
	pthread_mutex_init(&t->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&t->changed, &attr);
	pthread_condattr_destroy(&attr);
	/* Signals are for the thread that reads what is typed. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&t->thread, NULL, tick, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!err)
		return t;
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->lock);
	free(t);
	return NULL;
}

static struct ticker *ticker_of(struct app *app)
{
	const char *term;

	if (app->ticker || app->quiet || app->json)
		return app->ticker;
	term = getenv("TERM");
	if (isatty(STDERR_FILENO) && term && strcmp(term, "dumb"))
		app->ticker = ticker_new();
	app->quiet = !app->ticker;
	return app->ticker;
}

void progress_close(struct app *app)
{
	struct ticker *t = app->ticker;

	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	t->over = true;
	pthread_cond_signal(&t->changed);
	pthread_mutex_unlock(&t->lock);
	pthread_join(t->thread, NULL);
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->lock);
	free(t);
	app->ticker = NULL;
}

static void push(struct progress *p)
{
	struct ticker *t = p->ticker;

	clock_gettime(CLOCK_MONOTONIC, &p->begun);
	pthread_mutex_lock(&t->lock);
	p->outer = t->top;
	t->top = p;
	t->held = false;
	if (t->idle)
		pthread_cond_signal(&t->changed);
	pthread_mutex_unlock(&t->lock);
}

void progress_begin(struct progress *p, struct app *app, const char *what)
{
	memset(p, 0, sizeof(*p));
	p->ticker = ticker_of(app);
	if (!p->ticker)
		return;
	snprintf(p->what, sizeof(p->what), "%s", what);
	p->counts = true;
	push(p);
}

void waiting_begin(struct progress *p, struct app *app, const char *fmt, ...)
{
	va_list ap;

	memset(p, 0, sizeof(*p));
	p->ticker = ticker_of(app);
	if (!p->ticker)
		return;
	va_start(ap, fmt);
	vsnprintf(p->what, sizeof(p->what), fmt, ap);
	va_end(ap);
	push(p);
}

void progress_step(struct progress *p, uint64_t done, uint64_t total)
{
	struct ticker *t = p->ticker;

	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	p->done = done;
	p->total = total;
	t->held = false;
	pthread_mutex_unlock(&t->lock);
}

void progress_clear(struct progress *p)
{
	struct ticker *t = p->ticker;

	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	take_back(t);
	t->held = true;
	pthread_mutex_unlock(&t->lock);
}

void progress_end(struct progress *p)
{
	struct ticker *t = p->ticker;

	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	t->top = p->outer;
	/* A counted one around it goes on where it was, and nothing is printed there yet. */
	if (!t->top)
		take_back(t);
	pthread_mutex_unlock(&t->lock);
}
