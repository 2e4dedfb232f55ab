// SPDX-License-Identifier: GPL-2.0-or-later
/* What the application does all day. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app.h"

/* After a failure a thread waits a little: one that can not work should not flood. */
static const struct timespec after_failure = { 0, 100000000 };

struct worker {
	struct app		*app;
	pthread_t		thread;
	const struct key	*keys;		/* of each kind */
};

static bool open_session(struct app *app, CK_SESSION_HANDLE *session)
{
	return CALL(app, C_OpenSession, app->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
		    session) == CKR_OK;
}

static void *sign_all_day(void *arg)
{
	struct worker *self = arg;
	struct app *app = self->app;
	CK_SESSION_HANDLE session;
	unsigned int i;

	if (!open_session(app, &session))
		return NULL;
	for (i = 0; !app->stop; i++)
		if (!sign_and_verify(app, session, &self->keys[i % N_KINDS]))
			nanosleep(&after_failure, NULL);
	CALL(app, C_CloseSession, session);
	return NULL;
}

/* Wait for a while, or for the end. Return: it goes on */
static bool pause_for(struct app *app, double seconds)
{
	static const struct timespec slice = { 0, 50000000 };
	double until = elapsed(app) + seconds;

	while (!app->stop && elapsed(app) < until)
		nanosleep(&slice, NULL);
	return !app->stop;
}

/* Now and then a new key: it has to work at once, and the one before is deleted. */
static void *change_keys(void *arg)
{
	struct worker *self = arg;
	struct app *app = self->app;
	CK_SESSION_HANDLE session;
	struct key key, last;
	char label[LABEL_MAX];
	bool have_last;
	unsigned int i;

	if (!open_session(app, &session))
		return NULL;
	/* One may be left of a run before. */
	snprintf(label, sizeof(label), "%s-changing", app->prefix);
	have_last = key_find(app, session, label, &last) == 1;
	for (i = 0; pause_for(app, app->churn); i++) {
		if (!key_create(app, session, KIND_EC, label, &key))
			continue;
		sign_and_verify(app, session, &key);
		if (have_last)
			key_destroy(app, session, &last);
		last = key;
		have_last = true;
	}
	if (have_last)
		key_forget(&last);
	CALL(app, C_CloseSession, session);
	return NULL;
}

static void show_status(const struct app *app)
{
	const struct count *c = &app->count;

	printf("%7.1f s  %9llu calls  %llu failed  %8llu %s  %8llu %s  longest %.1f ms\n",
	       elapsed(app), c->calls, c->failed,
	       c->signatures[KIND_RSA], kind_names[KIND_RSA],
	       c->signatures[KIND_EC], kind_names[KIND_EC], (double)c->longest_us / 1000);
	fflush(stdout);
}

/* The main thread: a line each second, and the end when it comes. */
static void watch(struct app *app)
{
	static const struct timespec second = { 1, 0 };
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	while (sigtimedwait(&ends, NULL, &second) < 0) {
		show_status(app);
		if (app->duration > 0 && elapsed(app) >= app->duration)
			break;
	}
	app->stop = true;
}

/* The application's keys: those of a run before, or new ones. */
static bool get_keys(struct app *app, CK_SESSION_HANDLE session, struct key keys[N_KINDS])
{
	static const char *const suffixes[N_KINDS] = { [KIND_RSA] = "rsa", [KIND_EC] = "ec" };
	char label[LABEL_MAX];
	unsigned int kind;
	int found;

	for (kind = 0; kind < N_KINDS; kind++) {
		snprintf(label, sizeof(label), "%s-%s", app->prefix, suffixes[kind]);
		found = key_find(app, session, label, &keys[kind]);
		if (found < 0 || (!found && !key_create(app, session, kind, label, &keys[kind])))
			return false;
		printf("%s key \"%s\": %s\n", kind_names[kind], label,
		       found ? "found" : "created");
	}
	fflush(stdout);
	return true;
}

void work(struct app *app, CK_SESSION_HANDLE session)
{
	struct key keys[N_KINDS] = { 0 };
	struct worker *workers = calloc(app->threads + 1, sizeof(*workers));
	unsigned int n = app->threads + (app->churn > 0), started, i;

	if (!workers || !get_keys(app, session, keys)) {
		free(workers);
		return;
	}
	for (started = 0; started < n; started++) {
		workers[started] = (struct worker){ .app = app, .keys = keys };
		if (pthread_create(&workers[started].thread, NULL,
				   started < app->threads ? sign_all_day : change_keys,
				   &workers[started])) {
			failure(app, "no more threads");
			break;
		}
	}
	watch(app);
	for (i = 0; i < started; i++)
		pthread_join(workers[i].thread, NULL);
	free(workers);
	for (i = 0; i < N_KINDS; i++)
		key_forget(&keys[i]);
}

int verify_all(struct app *app, CK_SESSION_HANDLE session)
{
	struct key *keys;
	int n = keys_list(app, session, &keys), i, good = 0;

	if (n < 0)
		return -1;
	for (i = 0; i < n; i++) {
		bool works = sign_and_verify(app, session, &keys[i]);

		printf("%-24s %-8s  %s\n", keys[i].label, kind_names[keys[i].kind],
		       works ? "signs, and OpenSSL verifies" : "FAILED");
		good += works;
		key_forget(&keys[i]);
	}
	free(keys);
	return good == n ? n : -1;
}
