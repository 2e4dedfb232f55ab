// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The cards as haadm's own commands reach them: whatever a card takes its time for, the
 * operator sees what is waited for.
 */
#include <errno.h>
#include <stdlib.h>

#include "haadm.h"

struct watched_bus {
	struct pciehsm_bus	bus;
	struct pciehsm_bus	*real;
	struct app		*app;
};

struct watched {
	struct pciehsm_transport	t;
	struct pciehsm_transport	*real;
	struct app			*app;
	char				serial[25];
};

static struct watched *watched_of(struct pciehsm_transport *t)
{
	return (struct watched *)t;
}

static struct watched_bus *watched_bus_of(struct pciehsm_bus *bus)
{
	return (struct watched_bus *)bus;
}

static int watched_message(struct pciehsm_transport *t, const void *in, size_t in_len, void *out,
			   size_t out_size, size_t *out_len, unsigned int timeout_ms,
			   enum pciehsm_outcome *outcome)
{
	struct watched *w = watched_of(t);
	struct progress waiting;
	int ret;

	waiting_begin(&waiting, w->app, "%s", w->serial);
	ret = w->real->ops->message(w->real, in, in_len, out, out_size, out_len, timeout_ms,
				    outcome);
	progress_end(&waiting);
	return ret;
}

static int watched_alive(struct pciehsm_transport *t)
{
	return watched_of(t)->real->ops->alive(watched_of(t)->real);
}

static unsigned int watched_resets(struct pciehsm_transport *t)
{
	return watched_of(t)->real->ops->resets(watched_of(t)->real);
}

static int watched_event_fd(struct pciehsm_transport *t)
{
	return watched_of(t)->real->ops->event_fd(watched_of(t)->real);
}

static void watched_close(struct pciehsm_transport *t)
{
	struct watched *w = watched_of(t);

	w->real->ops->close(w->real);
	free(w);
}

static const struct pciehsm_transport_ops transport_ops = {
	.message	= watched_message,
	.alive		= watched_alive,
	.resets		= watched_resets,
	.event_fd	= watched_event_fd,
	.close		= watched_close,
};

static int watched_open(struct pciehsm_bus *bus, const char *serial,
			struct pciehsm_transport **t)
{
	struct watched_bus *b = watched_bus_of(bus);
	struct watched *w = calloc(1, sizeof(*w));
	struct progress waiting;
	int ret;

	if (!w)
		return -ENOMEM;
	waiting_begin(&waiting, b->app, "%s", serial);
	ret = b->real->ops->open(b->real, serial, &w->real);
	progress_end(&waiting);
	if (ret) {
		free(w);
		return ret;
	}
	w->t.ops = &transport_ops;
	w->t.max_msg = w->real->max_msg;
	w->t.timeout_ms = w->real->timeout_ms;
	w->app = b->app;
	snprintf(w->serial, sizeof(w->serial), "%s", serial);
	*t = &w->t;
	return 0;
}

static int watched_list(struct pciehsm_bus *bus, struct pciehsm_device **list)
{
	struct watched_bus *b = watched_bus_of(bus);
	struct progress waiting;
	int ret;

	waiting_begin(&waiting, b->app, "the list of cards");
	ret = b->real->ops->list(b->real, list);
	progress_end(&waiting);
	return ret;
}

static bool watched_watch(struct pciehsm_bus *bus, unsigned int timeout_ms)
{
	return watched_bus_of(bus)->real->ops->watch(watched_bus_of(bus)->real, timeout_ms);
}

static void watched_wake(struct pciehsm_bus *bus)
{
	watched_bus_of(bus)->real->ops->wake(watched_bus_of(bus)->real);
}

/* The real one is not ours. */
static void watched_bus_close(struct pciehsm_bus *bus)
{
	free(bus);
}

static const struct pciehsm_bus_ops bus_ops = {
	.list	= watched_list,
	.open	= watched_open,
	.watch	= watched_watch,
	.wake	= watched_wake,
	.close	= watched_bus_close,
};

struct pciehsm_bus *watched_bus(struct app *app, struct pciehsm_bus *real)
{
	struct watched_bus *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->bus.ops = &bus_ops;
	b->real = real;
	b->app = app;
	return &b->bus;
}
