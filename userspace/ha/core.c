// SPDX-License-Identifier: LGPL-2.1-or-later
/* The engine's life: open, background threads, close; and the same without threads. */
#include <errno.h>
#include <stdlib.h>

#include "engine.h"

/* Without threads, calls look around at most so often. */
#define POLL_INTERVAL		(SECOND / 4)
/* The longest wait for the bus; whatever happens ends it. */
#define WATCH_MAX_MS		3600000U

/* Whatever is due at the devices: see what is there, and let members be brought up. */
static void bus_main(void *arg)
{
	struct ha *ha = arg;
	struct pciehsm_bus *bus = ha->env->bus;
	bool event = false;

	while (!atomic_load(&ha->stopping)) {
		uint64_t now, next;
		unsigned int ms = 0;

		if (event || atomic_exchange(&ha->relist, false))
			ha_devices_refresh(ha, event);
		next = ha_work_due(ha);
		now = ha_now(ha);
		if (next > now)
			ms = next - now > WATCH_MAX_MS * UINT64_C(1000) ? WATCH_MAX_MS :
			     (unsigned int)((next - now + 999) / 1000);
		event = bus->ops->watch(bus, ms);
	}
}

static void config_main(void *arg)
{
	struct ha *ha = arg;

	while (!atomic_load(&ha->stopping)) {
		uint64_t next = ha_metrics_due(ha), now = ha_now(ha);
		unsigned int ms = WATCH_MAX_MS;

		if (next < now + WATCH_MAX_MS * UINT64_C(1000))
			ms = next > now ? (unsigned int)((next - now + 999) / 1000) : 0;
		if (ha->env->ops->config_watch(ha->env, ms))
			ha_config_reload(ha);
	}
}

static int start_threads(struct ha *ha)
{
	const struct ha_env_ops *ops = ha->env->ops;
	int err = ops->thread_start(ha->env, &ha->bus_thread, bus_main, ha);

	if (!err)
		err = ops->thread_start(ha->env, &ha->config_thread, config_main, ha);
	return err;
}

static void stop_threads(struct ha *ha)
{
	const struct ha_env_ops *ops = ha->env->ops;
	unsigned int i;

	atomic_store(&ha->stopping, true);
	if (ha->bus_thread) {
		ha->env->bus->ops->wake(ha->env->bus);
		ops->thread_join(ha->env, ha->bus_thread);
	}
	if (ha->config_thread) {
		ops->config_wake(ha->env);
		ops->thread_join(ha->env, ha->config_thread);
	}
	for (i = 0; i < ha->n_tokens; i++)
		ha_workers_join(ha->tokens[i]);
	for (i = 0; i < ha->n_probes; i++)
		ops->thread_join(ha->env, ha->probes[i]);
}

static void free_engine(struct ha *ha)
{
	const struct ha_env_ops *ops = ha->env->ops;
	unsigned int i;

	for (i = 0; i < ha->n_tokens; i++)
		ha_token_free(ha->tokens[i]);
	free(ha->tokens);
	free(ha->probes);
	free(ha->events);
	free(ha->slots);
	free(ha->devices);
	free(ha->config);
	free(ha->config_error);
	ops->mutex_destroy(ha->env, &ha->reload_lock);
	ops->mutex_destroy(ha->env, &ha->lock);
	ops->cond_destroy(ha->env, &ha->changed);
	free(ha);
}

int ha_open(struct ha_env *env, unsigned int flags, struct ha **out)
{
	struct ha *ha = calloc(1, sizeof(*ha));
	int err;

	if (!ha)
		return -ENOMEM;
	ha->config = calloc(1, sizeof(*ha->config));
	if (!ha->config) {
		free(ha);
		return -ENOMEM;
	}
	ha->env = env;
	ha->flags = flags;
	ha->n_devices = -ENODEV;
	env->ops->mutex_init(env, &ha->reload_lock);
	env->ops->mutex_init(env, &ha->lock);
	env->ops->cond_init(env, &ha->changed);
	atomic_init(&ha->stopping, false);
	atomic_init(&ha->relist, false);
	atomic_init(&ha->log_enabled, false);
	ha_config_defaults(ha->config);
	ha_config_reload(ha);
	ha_devices_refresh(ha, false);
	/* What is there from the start is no event. */
	ha->n_events = 0;
	ha->polled_at = ha_now(ha);
	if (ha_threaded(ha)) {
		err = start_threads(ha);
		if (err) {
			stop_threads(ha);
			free_engine(ha);
			return err;
		}
	}
	*out = ha;
	return 0;
}

void ha_close(struct ha *ha)
{
	if (!ha)
		return;
	stop_threads(ha);
	ha_metrics_end(ha);
	/* A context takes its login and sessions along. */
	free_engine(ha);
}

void ha_forked(struct ha *ha)
{
	/*
	 * The threads are the parent's, and so may be any lock; whatever another thread was
	 * changing stays half changed, so its memory is left alone. The contexts are shared
	 * with the parent: closing our descriptors leaves them to it, and not closing them
	 * would keep its logins alive when it ends.
	 */
	unsigned int i;

	for (i = 0; ha && i < ha->n_tokens; i++)
		ha_token_abandon(ha->tokens[i]);
}

void ha_poll(struct ha *ha)
{
	struct pciehsm_bus *bus = ha->env->bus;
	uint64_t now = ha_now(ha);
	unsigned int i;
	bool event;

	ha_lock(ha, &ha->lock);
	if (now - ha->polled_at < POLL_INTERVAL) {
		ha_unlock(ha, &ha->lock);
		return;
	}
	ha->polled_at = now;
	ha_unlock(ha, &ha->lock);
	ha_config_reload(ha);
	ha_metrics_due(ha);
	event = bus->ops->watch(bus, 0);
	if (event || atomic_exchange(&ha->relist, false))
		ha_devices_refresh(ha, event);
	if (ha->flags & HA_OPEN_ADMIN)
		return;
	for (i = 0;; i++) {
		struct ha_token *token = NULL;

		ha_lock(ha, &ha->lock);
		if (i < ha->n_tokens)
			token = ha->tokens[i];
		ha_unlock(ha, &ha->lock);
		if (!token)
			return;
		ha_work_inline(token);
	}
}
