// SPDX-License-Identifier: GPL-2.0-or-later
/* The HA engine's environment on simulated time. See simenv.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sched.h"
#include "simenv.h"

/* Once in so often a lock is a scheduling point although it is free. */
#define LOCK_YIELD	4

struct sim_env {
	struct ha_env	env;
	int		process;
	uint64_t	seen;
	bool		woken;
};

struct sim_mutex {
	bool		held;
};

/* The file, as all processes see it */
static char *file_text;
static uint64_t file_stamp;
static int file_owner = -1;

static char **log_lines;
static unsigned int n_log_lines;

static uint64_t env_now(struct ha_env *env)
{
	(void)env;
	return sim_now();
}

static int64_t env_wall(struct ha_env *env)
{
	(void)env;
	return 1900000000LL * 1000000 + (int64_t)sim_now();
}

static int env_random(struct ha_env *env, void *buf, size_t len)
{
	(void)env;
	sim_fill(buf, len);
	return 0;
}

static uint32_t env_process(struct ha_env *env)
{
	return (uint32_t)((struct sim_env *)env)->process;
}

static struct sim_mutex *mutex_of(struct ha_mutex *mutex)
{
	return (struct sim_mutex *)mutex->room;
}

static void mutex_init(struct ha_env *env, struct ha_mutex *mutex)
{
	(void)env;
	mutex_of(mutex)->held = false;
}

static void mutex_destroy(struct ha_env *env, struct ha_mutex *mutex)
{
	(void)env;
	if (mutex_of(mutex)->held)
		sim_fail("a lock is destroyed while it is held");
}

static void take(struct sim_mutex *m)
{
	while (m->held)
		sim_wait(m, SIM_FOREVER);
	m->held = true;
}

static void mutex_lock(struct ha_env *env, struct ha_mutex *mutex)
{
	(void)env;
	if (sim_chance(LOCK_YIELD))
		sim_yield();
	take(mutex_of(mutex));
}

static void mutex_unlock(struct ha_env *env, struct ha_mutex *mutex)
{
	struct sim_mutex *m = mutex_of(mutex);

	(void)env;
	if (!m->held)
		sim_fail("a lock is given back that is not held");
	m->held = false;
	sim_wake(m);
}

static void cond_init(struct ha_env *env, struct ha_cond *cond)
{
	(void)env;
	(void)cond;
}

static bool cond_wait(struct ha_env *env, struct ha_cond *cond, struct ha_mutex *mutex,
		      uint64_t deadline)
{
	bool woken;

	mutex_unlock(env, mutex);
	woken = sim_wait(cond, deadline);
	take(mutex_of(mutex));
	return woken || sim_now() < deadline;
}

static void cond_broadcast(struct ha_env *env, struct ha_cond *cond)
{
	(void)env;
	sim_wake(cond);
}

static int thread_start(struct ha_env *env, struct ha_thread **thread, void (*fn)(void *arg),
			void *arg)
{
	*thread = (struct ha_thread *)sim_spawn(((struct sim_env *)env)->process, fn, arg);
	return 0;
}

static void thread_join(struct ha_env *env, struct ha_thread *thread)
{
	(void)env;
	sim_join((struct fiber *)thread);
}

/* ---- the file ---- */

static const char *config_name(struct ha_env *env)
{
	(void)env;
	return "ha.conf";
}

static int config_read(struct ha_env *env, char **text, size_t *len, uint64_t *stamp)
{
	(void)env;
	sim_yield();
	*stamp = file_stamp;
	if (!file_text)
		return -ENOENT;
	*text = strdup(file_text);
	*len = strlen(file_text);
	return 0;
}

static uint64_t config_stamp(struct ha_env *env)
{
	(void)env;
	return file_stamp;
}

static bool config_watch(struct ha_env *env, unsigned int timeout_ms)
{
	struct sim_env *e = (struct sim_env *)env;
	uint64_t deadline = sim_now() + (uint64_t)timeout_ms * 1000;

	while (!e->woken) {
		if (e->seen != file_stamp) {
			e->seen = file_stamp;
			return true;
		}
		if (!sim_wait(&file_stamp, deadline) && sim_now() >= deadline)
			return false;
	}
	e->woken = false;
	return false;
}

static void config_wake(struct ha_env *env)
{
	((struct sim_env *)env)->woken = true;
	sim_wake(&file_stamp);
}

static int config_lock(struct ha_env *env, void **lock)
{
	while (file_owner >= 0)
		sim_wait(&file_owner, SIM_FOREVER);
	file_owner = ((struct sim_env *)env)->process;
	*lock = env;
	sim_yield();
	return 0;
}

void simenv_write(const char *text)
{
	free(file_text);
	file_text = strdup(text);
	file_stamp++;
	sim_wake(&file_stamp);
}

static int config_write(struct ha_env *env, void *lock, const char *text, size_t len)
{
	(void)env;
	(void)lock;
	(void)len;
	sim_yield();
	simenv_write(text);
	return 0;
}

static void config_unlock(struct ha_env *env, void *lock)
{
	(void)env;
	(void)lock;
	file_owner = -1;
	sim_wake(&file_owner);
}

static int env_log(struct ha_env *env, const char *dir, size_t max_length, const char *text)
{
	(void)env;
	(void)dir;
	(void)max_length;
	log_lines = realloc(log_lines, (n_log_lines + 1) * sizeof(*log_lines));
	log_lines[n_log_lines++] = strdup(text);
	sim_log("log: %.*s", (int)strcspn(text, "\n"), text);
	return 0;
}

/* What they say is looked at where files are real; here, that their writing harms nobody. */
static int env_metrics(struct ha_env *env, const char *dir, const char *text)
{
	(void)env;
	(void)dir;
	sim_yield();
	return text ? 0 : -ENOENT;
}

static const struct ha_env_ops ops = {
	.now = env_now,
	.wall = env_wall,
	.random = env_random,
	.process = env_process,
	.mutex_init = mutex_init,
	.mutex_destroy = mutex_destroy,
	.mutex_lock = mutex_lock,
	.mutex_unlock = mutex_unlock,
	.cond_init = cond_init,
	.cond_destroy = cond_init,
	.cond_wait = cond_wait,
	.cond_broadcast = cond_broadcast,
	.thread_start = thread_start,
	.thread_join = thread_join,
	.config_name = config_name,
	.config_read = config_read,
	.config_stamp = config_stamp,
	.config_watch = config_watch,
	.config_wake = config_wake,
	.config_lock = config_lock,
	.config_write = config_write,
	.config_unlock = config_unlock,
	.log = env_log,
	.metrics = env_metrics,
};

struct ha_env *simenv_new(int process, struct pciehsm_bus *bus)
{
	struct sim_env *e = calloc(1, sizeof(*e));

	e->env.ops = &ops;
	e->env.bus = bus;
	e->process = process;
	return &e->env;
}

void simenv_free(struct ha_env *env)
{
	free(env);
}

void simenv_killed(int process)
{
	if (file_owner == process)
		config_unlock(NULL, NULL);
}

void simenv_reset(void)
{
	unsigned int i;

	free(file_text);
	file_text = NULL;
	file_stamp = 0;
	file_owner = -1;
	for (i = 0; i < n_log_lines; i++)
		free(log_lines[i]);
	n_log_lines = 0;
}

const char *simenv_config(void)
{
	return file_text;
}

unsigned int simenv_log_lines(const char *text)
{
	unsigned int i, n = 0;

	for (i = 0; i < n_log_lines; i++)
		n += strstr(log_lines[i], text) != NULL;
	return n;
}
