// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The environment of a real process: POSIX threads, the system's clocks and
 * randomness, and the driver's devices. Its files are in env_files.c.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "env_system.h"

_Static_assert(sizeof(pthread_mutex_t) <= sizeof(struct ha_mutex), "room for a mutex");
_Static_assert(sizeof(pthread_cond_t) <= sizeof(struct ha_cond), "room for a condition");

struct ha_thread {
	pthread_t	id;
	void		(*fn)(void *arg);
	void		*arg;
};

static uint64_t system_now(struct ha_env *env)
{
	struct timespec ts;

	(void)env;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static int64_t system_wall(struct ha_env *env)
{
	struct timespec ts;

	(void)env;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int system_random(struct ha_env *env, void *buf, size_t len)
{
	unsigned char *p = buf;

	(void)env;
	while (len) {
		ssize_t got = getrandom(p, len, 0);

		if (got < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		p += got;
		len -= (size_t)got;
	}
	return 0;
}

static uint32_t system_process(struct ha_env *env)
{
	(void)env;
	return (uint32_t)getpid();
}

static void system_mutex_init(struct ha_env *env, struct ha_mutex *mutex)
{
	(void)env;
	pthread_mutex_init((pthread_mutex_t *)mutex->room, NULL);
}

static void system_mutex_destroy(struct ha_env *env, struct ha_mutex *mutex)
{
	(void)env;
	pthread_mutex_destroy((pthread_mutex_t *)mutex->room);
}

static void system_mutex_lock(struct ha_env *env, struct ha_mutex *mutex)
{
	(void)env;
	pthread_mutex_lock((pthread_mutex_t *)mutex->room);
}

static void system_mutex_unlock(struct ha_env *env, struct ha_mutex *mutex)
{
	(void)env;
	pthread_mutex_unlock((pthread_mutex_t *)mutex->room);
}

static void system_cond_init(struct ha_env *env, struct ha_cond *cond)
{
	pthread_condattr_t attr;

	(void)env;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init((pthread_cond_t *)cond->room, &attr);
	pthread_condattr_destroy(&attr);
}

static void system_cond_destroy(struct ha_env *env, struct ha_cond *cond)
{
	(void)env;
	pthread_cond_destroy((pthread_cond_t *)cond->room);
}

static bool system_cond_wait(struct ha_env *env, struct ha_cond *cond, struct ha_mutex *mutex,
			     uint64_t deadline)
{
	pthread_cond_t *c = (pthread_cond_t *)cond->room;
	pthread_mutex_t *m = (pthread_mutex_t *)mutex->room;
	struct timespec ts;

	(void)env;
	if (deadline == HA_ENV_FOREVER) {
		pthread_cond_wait(c, m);
		return true;
	}
	ts.tv_sec = (time_t)(deadline / 1000000);
	ts.tv_nsec = (long)(deadline % 1000000) * 1000;
	return pthread_cond_timedwait(c, m, &ts) != ETIMEDOUT;
}

static void system_cond_broadcast(struct ha_env *env, struct ha_cond *cond)
{
	(void)env;
	pthread_cond_broadcast((pthread_cond_t *)cond->room);
}

static void *system_thread_main(void *arg)
{
	struct ha_thread *thread = arg;

	thread->fn(thread->arg);
	return NULL;
}

static int system_thread_start(struct ha_env *env, struct ha_thread **thread,
			       void (*fn)(void *arg), void *arg)
{
	struct ha_thread *t = malloc(sizeof(*t));
	sigset_t all, before;
	int err;

	(void)env;
	if (!t)
		return -ENOMEM;
	t->fn = fn;
	t->arg = arg;
	/* The application's signals are not for threads that it does not know. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&t->id, NULL, system_thread_main, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err) {
		free(t);
		return -err;
	}
	*thread = t;
	return 0;
}

static void system_thread_join(struct ha_env *env, struct ha_thread *thread)
{
	(void)env;
	pthread_join(thread->id, NULL);
	free(thread);
}

static const struct ha_env_ops system_ops = {
	.now = system_now,
	.wall = system_wall,
	.random = system_random,
	.process = system_process,
	.mutex_init = system_mutex_init,
	.mutex_destroy = system_mutex_destroy,
	.mutex_lock = system_mutex_lock,
	.mutex_unlock = system_mutex_unlock,
	.cond_init = system_cond_init,
	.cond_destroy = system_cond_destroy,
	.cond_wait = system_cond_wait,
	.cond_broadcast = system_cond_broadcast,
	.thread_start = system_thread_start,
	.thread_join = system_thread_join,
	.config_name = ha_files_config_name,
	.config_read = ha_files_config_read,
	.config_stamp = ha_files_config_stamp,
	.config_watch = ha_files_config_watch,
	.config_wake = ha_files_config_wake,
	.config_lock = ha_files_config_lock,
	.config_write = ha_files_config_write,
	.config_unlock = ha_files_config_unlock,
	.log = ha_files_log,
	.metrics = ha_files_metrics,
};

int ha_env_system_over(struct pciehsm_bus *bus, const char *config, struct ha_env **env)
{
	struct ha_env_system *sys = calloc(1, sizeof(*sys));
	int err = sys ? 0 : -ENOMEM;

	if (!err)
		err = ha_files_init(sys, config);
	if (!err && !bus)
		err = pciehsm_chardev_bus(&bus);
	if (err) {
		if (bus)
			bus->ops->close(bus);
		if (sys)
			ha_files_fini(sys);
		free(sys);
		return err;
	}
	sys->env.ops = &system_ops;
	sys->env.bus = bus;
	*env = &sys->env;
	return 0;
}

int ha_env_system(struct ha_env **env)
{
	return ha_env_system_over(NULL, NULL, env);
}

void ha_env_free(struct ha_env *env)
{
	struct ha_env_system *sys = (struct ha_env_system *)env;

	if (!env)
		return;
	env->bus->ops->close(env->bus);
	ha_files_fini(sys);
	free(sys);
}
