// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The configuration in force: reading the file again when it changes, obeying it, and
 * changing it. A file that can not be read or understood changes nothing.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine.h"

static char *text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static char *text(const char *fmt, ...)
{
	char *out;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&out, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : out;
}

/* Take a new configuration over; ha->lock is held. */
static void obey(struct ha *ha, const struct ha_config *config)
{
	unsigned int i, k;

	*ha->config = *config;
	/* At once, if they are written at all: what is in force has changed. */
	atomic_store(&ha->next_metrics, *config->metrics_path || *ha->metrics_dir ? 0 :
		     UINT64_MAX);
	atomic_store(&ha->log_enabled, config->log_enabled && *config->log_path);
	for (i = 0; i < ha->n_tokens; i++) {
		struct ha_token *token = ha->tokens[i];
		const struct ha_config_group *group = NULL;

		ha_token_settings(token);
		if (!token->group)
			continue;
		for (k = 0; k < config->n_groups && !group; k++)
			if (!strcmp(config->groups[k].number, token->number))
				group = &config->groups[k];
		ha_token_configure(token, group);
	}
	ha_slots_changed(ha);
}

static void flush_tokens(struct ha *ha)
{
	unsigned int i;

	for (i = 0;; i++) {
		struct ha_token *token = NULL;

		ha_lock(ha, &ha->lock);
		if (i < ha->n_tokens)
			token = ha->tokens[i];
		ha_unlock(ha, &ha->lock);
		if (!token)
			return;
		ha_token_flush(token);
	}
}

void ha_config_reload(struct ha *ha)
{
	struct ha_env *env = ha->env;
	struct ha_config *config = NULL;
	char *buf = NULL, *error = NULL, why[256] = "";
	bool log = false, obeyed = false;
	uint64_t stamp;
	size_t len;
	int err;

	ha_lock(ha, &ha->reload_lock);
	if (ha->config_loaded && env->ops->config_stamp(env) == ha->config_stamp)
		goto out;
	config = malloc(sizeof(*config));
	if (!config)
		goto out;
	err = env->ops->config_read(env, &buf, &len, &stamp);
	if (!err) {
		err = ha_config_parse(buf, len, config, why, sizeof(why));
		free(buf);
		if (err)
			error = text("%s: %s", env->ops->config_name(env),
				     err == -ENOMEM ? "no memory" : why);
	} else if (err == -ENOENT && !ha->config_loaded) {
		/* Nothing was ever configured. */
		ha_config_defaults(config);
		err = 0;
	} else {
		error = text("%s: %s%s", env->ops->config_name(env), strerror(-err),
			     err == -ENOENT ? ": what it said before stays in force" : "");
	}
	ha_lock(ha, &ha->lock);
	ha->config_stamp = stamp;
	ha->config_loaded = true;
	if (!err) {
		obeyed = ha->config_error;
		obey(ha, config);
	}
	log = error && (!ha->config_error || strcmp(ha->config_error, error));
	free(ha->config_error);
	ha->config_error = error;
	ha_unlock(ha, &ha->lock);
	if (log)
		ha_log(ha, HA_LOG_CONFIG_BROKEN, "configuration not obeyed: %s", error);
	if (obeyed)
		ha_log(ha, HA_LOG_CONFIG_OBEYED, "configuration obeyed again");
	flush_tokens(ha);
	ha_kick(ha);
out:
	free(config);
	ha_unlock(ha, &ha->reload_lock);
}

struct ha_config *ha_config_get(struct ha *ha)
{
	struct ha_config *copy;

	if (!ha_threaded(ha))
		ha_config_reload(ha);
	copy = malloc(sizeof(*copy));
	if (!copy)
		return NULL;
	ha_lock(ha, &ha->lock);
	*copy = *ha->config;
	ha_unlock(ha, &ha->lock);
	return copy;
}

char *ha_config_error(struct ha *ha)
{
	char *copy = NULL;

	if (!ha_threaded(ha))
		ha_config_reload(ha);
	ha_lock(ha, &ha->lock);
	if (ha->config_error)
		copy = strdup(ha->config_error);
	ha_unlock(ha, &ha->lock);
	return copy;
}

static int explain(char *error, size_t error_len, int err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static int explain(char *error, size_t error_len, int err, const char *fmt, ...)
{
	va_list ap;

	if (error_len) {
		va_start(ap, fmt);
		vsnprintf(error, error_len, fmt, ap);
		va_end(ap);
	}
	return err;
}

/* The file's present contents; the writers' lock is held. */
static int read_config(struct ha *ha, struct ha_config *config, char *error, size_t error_len)
{
	struct ha_env *env = ha->env;
	const char *name = env->ops->config_name(env);
	char *buf, why[256];
	uint64_t stamp;
	size_t len;
	int err;

	err = env->ops->config_read(env, &buf, &len, &stamp);
	if (err == -ENOENT) {
		ha_config_defaults(config);
		return 0;
	}
	if (err)
		return explain(error, error_len, err, "%s can not be read: %s", name,
			       strerror(-err));
	err = ha_config_parse(buf, len, config, why, sizeof(why));
	free(buf);
	if (err == -EBADMSG)
		return explain(error, error_len, err,
			       "%s is broken: %s. Correct it, or put %s.old in its place", name,
			       why, name);
	return err;
}

int ha_config_edit(struct ha *ha, int (*edit)(struct ha_config *config, void *arg), void *arg,
		   char *error, size_t error_len)
{
	struct ha_env *env = ha->env;
	struct ha_config *before = malloc(sizeof(*before)), *after = malloc(sizeof(*after));
	const char *name = env->ops->config_name(env);
	char *out = NULL, why[256];
	void *lock;
	int err;

	if (error_len)
		*error = '\0';
	if (!before || !after) {
		err = explain(error, error_len, -ENOMEM, "no memory");
		goto free;
	}
	err = env->ops->config_lock(env, &lock);
	if (err) {
		explain(error, error_len, err, "%s can not be changed: %s%s", name, strerror(-err),
			err == -EACCES ? " (this needs administrator's rights)" : "");
		goto free;
	}
	err = read_config(ha, before, error, error_len);
	if (err)
		goto unlock;
	*after = *before;
	err = edit(after, arg);
	if (err)
		goto unlock;
	err = ha_config_check(after, why, sizeof(why));
	if (err) {
		explain(error, error_len, err, "this would make %s invalid: %s", name, why);
		goto unlock;
	}
	after->generation++;
	out = ha_config_print(after);
	if (!out) {
		err = explain(error, error_len, -ENOMEM, "no memory");
		goto unlock;
	}
	err = env->ops->config_write(env, lock, out, strlen(out));
	free(out);
	if (err)
		explain(error, error_len, err, "%s can not be written: %s", name, strerror(-err));
unlock:
	env->ops->config_unlock(env, lock);
	if (!err) {
		ha_config_reload(ha);
		ha_log_config(ha, before, after);
	}
free:
	free(before);
	free(after);
	return err;
}
