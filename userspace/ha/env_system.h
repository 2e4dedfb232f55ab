/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the files of the real environment: env_system.c, env_files.c and env_metrics.c. */
#ifndef PCIEHSM_HA_ENV_SYSTEM_H
#define PCIEHSM_HA_ENV_SYSTEM_H

#include "env.h"

/**
 * struct ha_env_system - the real environment
 * @env:	what the engine sees; must be first
 * @config:	path of the configuration file
 * @config_dir:	its directory
 * @inotify:	watches @config_dir, or -1
 * @watch:	inotify's number for it, or -1 while it can not be watched
 * @wake:	eventfd that ends a watch
 * @seen:	stamp at the end of the last watch; used by the watching thread alone
 */
struct ha_env_system {
	struct ha_env	env;
	char		*config;
	char		*config_dir;
	int		inotify;
	int		watch;
	int		wake;
	uint64_t	seen;
};

int ha_files_init(struct ha_env_system *sys, const char *config);
void ha_files_fini(struct ha_env_system *sys);

const char *ha_files_config_name(struct ha_env *env);
int ha_files_config_read(struct ha_env *env, char **text, size_t *len, uint64_t *stamp);
uint64_t ha_files_config_stamp(struct ha_env *env);
bool ha_files_config_watch(struct ha_env *env, unsigned int timeout_ms);
void ha_files_config_wake(struct ha_env *env);
int ha_files_config_lock(struct ha_env *env, void **lock);
int ha_files_config_write(struct ha_env *env, void *lock, const char *text, size_t len);
void ha_files_config_unlock(struct ha_env *env, void *lock);
int ha_files_log(struct ha_env *env, const char *dir, size_t max_length, const char *record);
int ha_files_metrics(struct ha_env *env, const char *dir, const char *text);

#endif /* PCIEHSM_HA_ENV_SYSTEM_H */
