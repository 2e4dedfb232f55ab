// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * haadm monitor: an engine that works with all groups while no application does. It brings
 * members that come back up to date, writes metrics and the HA log as any application does,
 * and tells the journal of every event.
 *
 * All of that is done by the engine's own threads. This thread logs in, says how things are,
 * and shows the service manager that the engine's locks are free. Nothing depends on it.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "env.h"
#include "haadm.h"
#include "monitor.h"

#define TICK_MS		1000
/* -once waits so long for members that are being brought up to date; in ms */
#define ONCE_MS		60000
#define ONCE_TICK_MS	50
/* Records of the HA log begin with time, process and code. */
#define CODE		"PHSM-"

/**
 * struct watched - a group, from look to look
 * @refused:	its password is wrong: not to be tried again, which would lock the role
 * @failure:	why the last login failed, so that it is said once
 */
struct watched {
	char	number[26];
	bool	refused;
	CK_RV	failure;
};

/**
 * struct monitor - the service
 * @secret:	in memory that is not swapped; NULL: members are watched, not logged in to
 * @at_work:	some member is being brought up, or up to date
 * @status:	what the service manager was told last
 */
struct monitor {
	struct app		*app;
	const char		*only;
	struct secret		*secret;
	struct watched		groups[HA_MAX_GROUPS];
	unsigned int		n_groups;
	unsigned int		n_members;
	unsigned int		n_alive;
	bool			at_work;
	char			status[512];
};

/* ---- events ---- */

static const struct ha_env_ops *real_ops;

static enum monitor_priority priority_of(int code)
{
	switch (code) {
	case 2005:	/* no member is left */
		return MONITOR_ERROR;
	case 1101:	/* the configuration is broken */
	case 2001:	/* a member is down, */
	case 2004:	/* refused */
	case 3001:	/* or lacks objects */
	case 3003:	/* an object was changed on two sides */
	case 3004:	/* too few copies */
		return MONITOR_WARNING;
	case 2002:	/* a member is alive */
	case 3002:	/* and was brought up to date */
		return MONITOR_NOTICE;
	default:
		return MONITOR_INFO;
	}
}

/* What goes to the HA log goes to the journal, which knows time and process by itself. */
static int on_record(struct ha_env *env, const char *dir, size_t max_length, const char *record)
{
	const char *text = strstr(record, CODE);
	char line[640];

	if (text) {
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(text, "\n"), text);
		journal_print(priority_of(atoi(text + strlen(CODE))), line);
	}
	return real_ops->log(env, dir, max_length, record);
}

static void complain(enum monitor_priority priority, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void complain(enum monitor_priority priority, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	journal_print(priority, text);
}

/* ---- one look ---- */

static struct watched *watch_of(struct monitor *m, const char *number)
{
	unsigned int i;

	for (i = 0; i < m->n_groups; i++)
		if (!strcmp(m->groups[i].number, number))
			return &m->groups[i];
	/* Groups that were deleted are forgotten when there is no room. */
	if (m->n_groups == HA_MAX_GROUPS)
		m->n_groups = 0;
	memset(&m->groups[m->n_groups], 0, sizeof(m->groups[0]));
	snprintf(m->groups[m->n_groups].number, sizeof(m->groups[0].number), "%s", number);
	return &m->groups[m->n_groups++];
}

static void login_failed(struct watched *w, const char *label, CK_RV rv, uint32_t attempts)
{
	const char *advice = "its members are watched, but not brought up to date";

	w->refused = rv == CKR_PIN_INCORRECT || rv == CKR_PIN_LOCKED || rv == CKR_PIN_EXPIRED ||
		     rv == CKR_PIN_LEN_RANGE || rv == CKR_PIN_INVALID;
	if (rv == w->failure)
		return;
	w->failure = rv;
	if (rv == CKR_PIN_INCORRECT && attempts != NO_ATTEMPTS)
		complain(MONITOR_ERROR, "group \"%s\": the password is wrong, %u attempts are left; %s "
			 "until this service is reloaded with another password", label, attempts,
			 advice);
	else if (w->refused)
		complain(MONITOR_ERROR, "group \"%s\": the password is refused (%s); %s until this "
			 "service is reloaded", label, rv == CKR_PIN_LOCKED ? "the role is locked" :
			 rv == CKR_PIN_EXPIRED ? "it has to be changed first" : "not a password",
			 advice);
	else if (rv == PCIEHSM_CKR_NOT_ACTIVATED)
		complain(MONITOR_WARNING, "group \"%s\": this is the Crypto Officer's challenge, which is "
			 "not activated on any member; it is tried again, and costs no attempt. Activate "
			 "it on the members: haadm role login -name co", label);
	else if (rv == CKR_TOKEN_NOT_PRESENT)
		complain(MONITOR_WARNING, "group \"%s\": no member is there yet", label);
	else
		complain(MONITOR_WARNING, "group \"%s\": logging in fails with 0x%lx; it is tried again",
			 label, rv);
}

static void look_after(struct monitor *m, const struct ha_config_group *group)
{
	struct ha_token *token = ha_token(m->app->ha, group->slot);
	struct watched *w = watch_of(m, group->number);
	uint32_t attempts = NO_ATTEMPTS;
	struct ha_token_info info;
	CK_RV rv;

	/* The engine reads the file before long. */
	if (!token)
		return;
	if (!m->secret || w->refused) {
		/* Whoever is asked about is worked with: connected, compared, watched. */
		ha_token_info(token, &info);
		return;
	}
	if (ha_login_role(token) == PCIEHSM_ROLE_CO)
		return;
	rv = ha_login(token, PCIEHSM_ROLE_CO, m->secret->data, m->secret->len, &attempts);
	if (rv == CKR_OK)
		w->failure = CKR_OK;
	else
		login_failed(w, group->label, rv, attempts);
}

static size_t add(char *text, size_t size, size_t len, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static size_t add(char *text, size_t size, size_t len, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text + len, size - len, fmt, ap);
	va_end(ap);
	return n < 0 ? len : len + (size_t)n < size ? len + (size_t)n : size - 1;
}

/* A sentence that "systemctl status" shows, told when it has changed */
static void tell_status(struct monitor *m, const struct ha_config *config)
{
	char text[sizeof(m->status)], trouble[300] = "";
	struct ha_group_status *status = malloc(sizeof(*status));
	unsigned int g, i, n_groups = 0;
	size_t len = 0;

	m->n_members = 0;
	m->n_alive = 0;
	m->at_work = false;
	for (g = 0; status && g < config->n_groups; g++) {
		if (m->only && strcmp(m->only, config->groups[g].label))
			continue;
		if (ha_group_known(m->app->ha, config->groups[g].label, status))
			continue;
		n_groups++;
		m->at_work |= status->needs_sync;
		for (i = 0; i < status->n_members; i++) {
			const struct ha_member_status *one = &status->members[i];

			m->n_members++;
			m->n_alive += one->state == HA_MEMBER_ALIVE;
			if (one->state != HA_MEMBER_ALIVE)
				len = add(trouble, sizeof(trouble), len, "; %s %s",
					  one->serial, member_state_name(one->state));
		}
	}
	free(status);
	snprintf(text, sizeof(text), "STATUS=%u group%s, %u of %u members alive%s", n_groups,
		 n_groups == 1 ? "" : "s", m->n_alive, m->n_members, trouble);
	if (!strcmp(text, m->status))
		return;
	memcpy(m->status, text, sizeof(text));
	manager_tell(text);
}

static void look(struct monitor *m)
{
	/* This takes the engine's lock: whoever holds it for ever ends the watchdog's patience. */
	struct ha_config *config = ha_config_get(m->app->ha);
	unsigned int g;

	for (g = 0; config && g < config->n_groups; g++) {
		if (m->only && strcmp(m->only, config->groups[g].label))
			continue;
		look_after(m, &config->groups[g]);
		manager_tell("WATCHDOG=1");
	}
	if (config)
		tell_status(m, config);
	free(config);
	manager_tell("WATCHDOG=1");
}

/* ---- the service ---- */

static void forget_secret(struct monitor *m)
{
	if (!m->secret)
		return;
	secret_wipe(m->secret);
	munmap(m->secret, sizeof(*m->secret));
	m->secret = NULL;
}

/* @again: from where it came before; whoever was asked is not asked again */
static enum status read_secret(struct monitor *m, const struct args *args, bool again)
{
	const struct value *v = arg_value(args, "password");
	bool file = v && (v->source == FROM_FILE || v->source == FROM_CREDENTIAL);
	bool given = v || secret_passed("password");
	struct secret *fresh;
	enum status st;

	if (again ? v && !file : !given && !can_ask(m->app))
		return ST_OK;
	if (again && !given)
		return ST_OK;
	fresh = mmap(NULL, sizeof(*fresh), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		     -1, 0);
	if (fresh == MAP_FAILED)
		return fail_errno(m->app, -errno, "keeping the password");
	/* Where the limit is too low, it is kept all the same. */
	mlock(fresh, sizeof(*fresh));
	/* Nothing is an answer of a person's; an empty file is a mistake. */
	st = given ? secret_get(m->app, args, "password", NULL, fresh) :
	     secret_get_any(m->app, args, "password",
			    "Enter the members' password, or nothing to watch alone", fresh);
	if (st || !fresh->len) {
		munmap(fresh, sizeof(*fresh));
		return st;
	}
	forget_secret(m);
	m->secret = fresh;
	return ST_OK;
}

static void reload(struct monitor *m, const struct args *args)
{
	manager_reloading();
	if (read_secret(m, args, true))
		complain(MONITOR_WARNING, "the password can not be read; the one of before is used");
	m->n_groups = 0;
	look(m);
	manager_tell("READY=1");
}

static struct timespec timespec_of(int64_t ms)
{
	return (struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
}

static void look_once(struct monitor *m, const sigset_t *signals)
{
	const struct timespec pause = timespec_of(ONCE_TICK_MS);
	int64_t end = now_ms() + ONCE_MS;

	/* Without the password nobody is brought up to date, whatever time they get. */
	do {
		look(m);
	} while (m->at_work && m->secret && now_ms() < end &&
		 sigtimedwait(signals, NULL, &pause) < 0);
}

static void serve(struct monitor *m, const struct args *args, const sigset_t *signals)
{
	int64_t watchdog = manager_watchdog(), ms = TICK_MS;
	struct timespec pause;
	int number;

	if (watchdog && watchdog / 3 < ms)
		ms = watchdog / 3;
	pause = timespec_of(ms);
	look(m);
	manager_tell("READY=1");
	complain(MONITOR_INFO, "%s%s", m->status + strlen("STATUS="),
		 m->secret ? "" : "; there is no password: members are watched, but not brought up "
				  "to date");
	for (;;) {
		number = sigtimedwait(signals, NULL, &pause);
		if (number == SIGHUP)
			reload(m, args);
		else if (number > 0)
			return;
		look(m);
	}
}

/*
 * The engine that commands use does nothing by itself, so another takes its place.
 * Return: 0 or -errno, and then there is none
 */
static int exchange_engine(struct app *app, unsigned int flags)
{
	struct ha *ha = app->ha;

	app->ha = NULL;
	ha_close(ha);
	return ha_open(app->env, flags, &app->ha);
}

enum status cmd_ha_monitor(struct app *app, struct args *args)
{
	struct monitor *m = calloc(1, sizeof(*m));
	struct ha_env_ops ops = *app->env->ops;
	sigset_t signals, before;
	enum status st;
	int ret;

	if (!m)
		return fail_errno(app, -ENOMEM, "watching the groups");
	m->app = app;
	m->only = arg_text(args, "group");
	st = m->only ? need_group(app, m->only) : ST_OK;
	if (!st)
		st = read_secret(m, args, false);
	if (st) {
		free(m);
		return st;
	}
	/* Threads that the engine starts leave these to this one. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &signals, &before);
	contexts_close(app);
	real_ops = app->env->ops;
	ops.log = on_record;
	app->env->ops = &ops;
	ret = exchange_engine(app, HA_OPEN_EVENTS);
	if (!ret) {
		if (arg_given(args, "once"))
			look_once(m, &signals);
		else
			serve(m, args, &signals);
		manager_tell("STOPPING=1");
		put_number(app->out, "members", m->n_members);
		put_number(app->out, "alive", m->n_alive);
		if (arg_given(args, "once"))
			say(app, "\n        %s\n", m->status + strlen("STATUS="));
	}
	/* Before the operations that it was opened with go */
	ha_close(app->ha);
	app->ha = NULL;
	app->env->ops = real_ops;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	forget_secret(m);
	free(m);
	if (ret)
		return fail_errno(app, ret, "starting the HA engine");
	/* At the prompt commands go on. */
	ret = ha_open(app->env, HA_OPEN_ADMIN, &app->ha);
	return ret ? fail_errno(app, ret, "starting the HA engine") : ST_OK;
}
