// SPDX-License-Identifier: LGPL-2.1-or-later
/* Devices that are there, the slots that they and the groups make, and slot events. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine.h"

uint32_t ha_slot_of(unsigned int card, unsigned int index)
{
	if (!index)
		return HA_SLOT_HSM_FIRST + card;
	if (index == 1 && card < HA_SLOT_GROUP_FIRST)
		return card;
	return 1000 + 100 * card + index;
}

/* ha->lock is held. */
const struct pciehsm_device *ha_device(struct ha *ha, const char *serial)
{
	int i;

	for (i = 0; i < ha->n_devices; i++)
		if (ha->devices[i].index && !strcmp(ha->devices[i].serial, serial))
			return &ha->devices[i];
	return NULL;
}

static bool is_member(const struct ha_config *config, const char *serial)
{
	unsigned int i, k;

	for (i = 0; i < config->n_groups; i++)
		for (k = 0; k < config->groups[i].n_members; k++)
			if (!strcmp(config->groups[i].members[k].serial, serial))
				return true;
	return false;
}

static void device_slot(struct ha_slot *slot, const struct pciehsm_device *device)
{
	memset(slot, 0, sizeof(*slot));
	slot->id = ha_slot_of(device->card, device->index);
	slot->kind = device->index ? HA_SLOT_PARTITION : HA_SLOT_HSM;
	snprintf(slot->serial, sizeof(slot->serial), "%s", device->serial);
	snprintf(slot->hsm_serial, sizeof(slot->hsm_serial), "%s", device->hsm_serial);
	snprintf(slot->label, sizeof(slot->label), "%s", device->label);
	snprintf(slot->model, sizeof(slot->model), "%s", device->model);
	snprintf(slot->fw_version, sizeof(slot->fw_version), "%s", device->fw_version);
	slot->initialised = *device->label;
}

static void group_slot(struct ha *ha, struct ha_slot *slot, const struct ha_config_group *group)
{
	unsigned int i;

	memset(slot, 0, sizeof(*slot));
	slot->id = group->slot;
	slot->kind = HA_SLOT_GROUP;
	/* A number has one digit more than the longest serial may have. */
	snprintf(slot->serial, sizeof(slot->serial), "%.24s", group->number);
	snprintf(slot->label, sizeof(slot->label), "%s", group->label);
	snprintf(slot->model, sizeof(slot->model), "HA group");
	for (i = 0; i < group->n_members && !slot->initialised; i++) {
		const struct pciehsm_device *device = ha_device(ha, group->members[i].serial);

		if (!device)
			continue;
		snprintf(slot->fw_version, sizeof(slot->fw_version), "%s", device->fw_version);
		slot->initialised = *device->label;
	}
}

/* ha->lock is held. Return: their number or -errno */
static int make_slots(struct ha *ha, unsigned int flags, struct ha_slot **list)
{
	bool application = flags & HA_SLOTS_APPLICATION;
	struct ha_slot *slots;
	unsigned int g;
	int i, n = 0;

	if (ha->n_devices < 0)
		return ha->n_devices;
	slots = calloc((size_t)ha->n_devices + ha->config->n_groups + 1, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (i = 0; i < ha->n_devices; i++) {
		const struct pciehsm_device *device = &ha->devices[i];

		if (!device->index)
			continue;
		if (application && ha->config->ha_only && is_member(ha->config, device->serial))
			continue;
		device_slot(&slots[n++], device);
	}
	for (g = 0; g < ha->config->n_groups; g++)
		group_slot(ha, &slots[n++], &ha->config->groups[g]);
	for (i = 0; i < ha->n_devices && !application; i++)
		if (!ha->devices[i].index)
			device_slot(&slots[n++], &ha->devices[i]);
	*list = slots;
	return n;
}

int ha_slots(struct ha *ha, unsigned int flags, struct ha_slot **list)
{
	int n;

	if (!ha_threaded(ha))
		ha_config_reload(ha);
	ha_devices_refresh(ha, false);
	ha_lock(ha, &ha->lock);
	n = make_slots(ha, flags, list);
	ha_unlock(ha, &ha->lock);
	return n;
}

/* ---- events ---- */

static void add_event(struct ha *ha, uint32_t slot)
{
	uint32_t *events;
	unsigned int i;

	for (i = 0; i < ha->n_events; i++)
		if (ha->events[i] == slot)
			return;
	events = realloc(ha->events, (ha->n_events + 1) * sizeof(*events));
	if (!events)
		return;
	ha->events = events;
	events[ha->n_events++] = slot;
}

static const struct ha_slot *slot_in(const struct ha_slot *list, int n, uint32_t id)
{
	int i;

	for (i = 0; i < n; i++)
		if (list[i].id == id)
			return &list[i];
	return NULL;
}

void ha_slots_changed(struct ha *ha)
{
	struct ha_slot *now = NULL;
	int i, n = make_slots(ha, HA_SLOTS_APPLICATION, &now);

	if (n < 0)
		n = 0;
	for (i = 0; i < n; i++) {
		const struct ha_slot *was = slot_in(ha->slots, ha->n_slots, now[i].id);

		if (!was || memcmp(was, &now[i], sizeof(*was)))
			add_event(ha, now[i].id);
	}
	for (i = 0; i < ha->n_slots; i++)
		if (!slot_in(now, n, ha->slots[i].id))
			add_event(ha, ha->slots[i].id);
	free(ha->slots);
	ha->slots = now;
	ha->n_slots = n;
	if (ha->n_events)
		ha_wake_all(ha, &ha->changed);
}

int ha_wait_slot_event(struct ha *ha, int timeout_ms, uint32_t *slot)
{
	struct pciehsm_bus *bus = ha->env->bus;
	uint64_t deadline = timeout_ms < 0 ? HA_ENV_FOREVER :
			    ha_now(ha) + (uint64_t)timeout_ms * 1000;
	int err = -EAGAIN;
	bool event;

	if (!ha_threaded(ha)) {
		ha_config_reload(ha);
		ha_devices_refresh(ha, false);
	}
	ha_lock(ha, &ha->lock);
	for (;;) {
		uint64_t now = ha_now(ha);

		if (ha->woken) {
			ha->woken = false;
			err = -ECANCELED;
			break;
		}
		if (ha->n_events) {
			*slot = ha->events[0];
			ha->n_events--;
			memmove(ha->events, ha->events + 1, ha->n_events * sizeof(*ha->events));
			err = 0;
			break;
		}
		if (now >= deadline)
			break;
		if (ha_threaded(ha)) {
			ha_wait(ha, &ha->changed, &ha->lock, deadline);
		} else {
			/* In steps, as nobody else looks at the configuration. */
			uint64_t ms = deadline - now > SECOND ? 1000 : (deadline - now + 999) / 1000;

			ha_unlock(ha, &ha->lock);
			event = bus->ops->watch(bus, (unsigned int)ms);
			ha_config_reload(ha);
			ha_devices_refresh(ha, event);
			ha_lock(ha, &ha->lock);
		}
	}
	ha_unlock(ha, &ha->lock);
	return err;
}

void ha_wake(struct ha *ha)
{
	ha_lock(ha, &ha->lock);
	ha->woken = true;
	ha_wake_all(ha, &ha->changed);
	ha_unlock(ha, &ha->lock);
	if (!ha_threaded(ha))
		ha->env->bus->ops->wake(ha->env->bus);
}

/* ---- devices ---- */

static void tell_members(struct ha *ha, struct ha_token *token, bool event)
{
	unsigned int i;

	ha_lock(ha, &token->lock);
	for (i = 0; i < token->n_members; i++) {
		struct ha_member *member = token->members[i];
		bool present = ha_device(ha, member->serial);

		if (present && !member->present) {
			/* The event that everybody waits for: look at it at once. */
			member->next_try = 0;
			member->tries = 0;
			member->backoff = 0;
		}
		member->present = present;
		/* A partition can be initialised in its place; then it is empty. */
		if (event && member->conn)
			member->audit = true;
	}
	ha_unlock(ha, &token->lock);
}

void ha_devices_refresh(struct ha *ha, bool event)
{
	struct pciehsm_bus *bus = ha->env->bus;
	struct pciehsm_device *list = NULL;
	unsigned int i;
	int n;

	ha_lock(ha, &ha->reload_lock);
	n = bus->ops->list(bus, &list);
	ha_lock(ha, &ha->lock);
	if (n >= 0 || n == -ENODEV) {
		free(ha->devices);
		ha->devices = n < 0 ? NULL : list;
		ha->n_devices = n;
		for (i = 0; i < ha->n_tokens; i++)
			tell_members(ha, ha->tokens[i], event);
		ha_slots_changed(ha);
	}
	ha_unlock(ha, &ha->lock);
	ha_unlock(ha, &ha->reload_lock);
}
