/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the HA engine takes from the world: clock, randomness, locks, threads, the
 * configuration file, the log and the devices. The engine reaches none of these
 * in another way, so that it can be run on simulated time by a deterministic
 * scheduler.
 *
 * ha_env_system() is the world as it is. Another implementation embeds struct ha_env
 * in a structure of its own and fills in every operation.
 */
#ifndef PCIEHSM_HA_ENV_H
#define PCIEHSM_HA_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "transport.h"

struct ha_env;
struct ha_thread;

/* Room for whatever an environment makes of these; it belongs to the environment. */
struct ha_mutex {
	_Alignas(16) unsigned char room[64];
};

struct ha_cond {
	_Alignas(16) unsigned char room[64];
};

#define HA_ENV_FOREVER		UINT64_MAX

/**
 * struct ha_env_ops - the operations of an environment
 *
 * All may be called from any thread of the engine.
 *
 * @now:	monotonic clock, microseconds; the base of all deadlines
 * @wall:	time of day, microseconds since 1970 UTC; for log records alone
 * @random:	unpredictable bytes. Return: 0 or -errno
 * @process:	a number for this process in log records
 *
 * @mutex_init: @mutex_destroy: @mutex_lock: @mutex_unlock: not recursive
 * @cond_init: @cond_destroy: @cond_broadcast: as usual
 * @cond_wait:	may wake up for no reason. @deadline: of @now, or HA_ENV_FOREVER.
 *		Return: false once @deadline has passed
 *
 * @thread_start: run @fn(@arg). Return: 0 with *@thread to be joined, or -errno
 * @thread_join: wait for its end and free it
 *
 * @config_name: of the configuration file, for messages to people
 * @config_read: the whole file with a NUL behind it, to be freed by the caller, and the
 *		stamp of what was read. Return: 0, -ENOENT (*@stamp is 0), -EFBIG, or
 *		another -errno
 * @config_stamp: cheap; another value whenever the file may be another one, 0: no file
 * @config_watch: wait until the file may have changed since the last call,
 *		@config_wake was called, or the time is over. Return: true for the first
 * @config_wake: end a running or the next @config_watch
 * @config_lock: wait for the lock that all writers take, of whatever process. Return: 0
 *		with *@lock for the two below, or -errno (-EACCES, -EROFS, ...)
 * @config_write: replace the file, whole or not at all, and keep the previous one
 *		beside it; durable when it returns. Return: 0 or -errno
 * @config_unlock: give the lock back
 *
 * @log:	append one record (a line with its end) to the HA log in directory
 *		@dir; once the file is longer than @max_length it is renamed and a
 *		new one is begun. An engine opened with HA_OPEN_EVENTS calls it with an
 *		empty @dir while no log is to be written. Return: 0 or -errno
 * @metrics:	replace this process's metrics in directory @dir, whole or not at all; @text
 *		is NULL: remove them. Those of processes that have ended go, too.
 *		Return: 0 or -errno
 */
struct ha_env_ops {
	uint64_t (*now)(struct ha_env *env);
	int64_t (*wall)(struct ha_env *env);
	int (*random)(struct ha_env *env, void *buf, size_t len);
	uint32_t (*process)(struct ha_env *env);

	void (*mutex_init)(struct ha_env *env, struct ha_mutex *mutex);
	void (*mutex_destroy)(struct ha_env *env, struct ha_mutex *mutex);
	void (*mutex_lock)(struct ha_env *env, struct ha_mutex *mutex);
	void (*mutex_unlock)(struct ha_env *env, struct ha_mutex *mutex);
	void (*cond_init)(struct ha_env *env, struct ha_cond *cond);
	void (*cond_destroy)(struct ha_env *env, struct ha_cond *cond);
	bool (*cond_wait)(struct ha_env *env, struct ha_cond *cond, struct ha_mutex *mutex,
			  uint64_t deadline);
	void (*cond_broadcast)(struct ha_env *env, struct ha_cond *cond);

	int (*thread_start)(struct ha_env *env, struct ha_thread **thread,
			    void (*fn)(void *arg), void *arg);
	void (*thread_join)(struct ha_env *env, struct ha_thread *thread);

	const char *(*config_name)(struct ha_env *env);
	int (*config_read)(struct ha_env *env, char **text, size_t *len, uint64_t *stamp);
	uint64_t (*config_stamp)(struct ha_env *env);
	bool (*config_watch)(struct ha_env *env, unsigned int timeout_ms);
	void (*config_wake)(struct ha_env *env);
	int (*config_lock)(struct ha_env *env, void **lock);
	int (*config_write)(struct ha_env *env, void *lock, const char *text, size_t len);
	void (*config_unlock)(struct ha_env *env, void *lock);

	int (*log)(struct ha_env *env, const char *dir, size_t max_length, const char *record);
	int (*metrics)(struct ha_env *env, const char *dir, const char *text);
};

/**
 * struct ha_env - to be embedded in an implementation's own structure
 * @ops:	what it does
 * @bus:	the devices; belongs to the environment
 */
struct ha_env {
	const struct ha_env_ops	*ops;
	struct pciehsm_bus	*bus;
};

/**
 * ha_env_system() - this machine
 * @env:	out: to be freed by ha_env_free(), after the engine
 *
 * POSIX threads, CLOCK_MONOTONIC, getrandom(), the cards of the driver, and
 * /etc/pciehsm/ha.conf or the file that PCIEHSM_CONF names (not obeyed where the
 * process has more rights than its user).
 *
 * Return: 0 or -errno
 */
int ha_env_system(struct ha_env **env);

/**
 * ha_env_system_over() - this machine, with other devices or another file
 * @bus:	is the environment's from now on, on failure too; NULL: the cards of the driver
 * @config:	path of the configuration file; NULL: as in ha_env_system()
 */
int ha_env_system_over(struct pciehsm_bus *bus, const char *config, struct ha_env **env);

/** ha_env_free() - close the devices and free what the two above made; NULL is nothing */
void ha_env_free(struct ha_env *env);

#endif /* PCIEHSM_HA_ENV_H */
