// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The library for who watches over groups: the engine's look from outside, in structures that
 * do not change when the engine's own do.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "env.h"
#include "ha.h"
#include "pciehsm-ha.h"

#define PUBLIC __attribute__((visibility("default")))

struct pciehsm_ha {
	struct ha_env	*env;
	struct ha	*ha;
};

_Static_assert((int)PCIEHSM_HA_ALIVE == (int)HA_MEMBER_ALIVE, "state");
_Static_assert((int)PCIEHSM_HA_DOWN == (int)HA_MEMBER_DOWN, "state");
_Static_assert((int)PCIEHSM_HA_SYNCING == (int)HA_MEMBER_SYNCING, "state");
_Static_assert((int)PCIEHSM_HA_REFUSED == (int)HA_MEMBER_REFUSED, "state");
_Static_assert(sizeof(((struct pciehsm_ha_member *)0)->digest) == PCIEHSM_DIGEST_LEN, "digest");

#define COPY_TEXT(to, from) do { \
	_Static_assert(sizeof(to) >= sizeof(from), "text"); \
	memcpy(to, from, sizeof(from)); \
} while (0)

PUBLIC int pciehsm_ha_open(const char *config, struct pciehsm_ha **out)
{
	struct pciehsm_ha *ha = calloc(1, sizeof(*ha));
	int err;

	if (!ha)
		return -ENOMEM;
	err = ha_env_system_over(NULL, config, &ha->env);
	if (!err) {
		err = ha_open(ha->env, HA_OPEN_ADMIN, &ha->ha);
		if (err)
			ha_env_free(ha->env);
	}
	if (err) {
		free(ha);
		return err;
	}
	*out = ha;
	return 0;
}

PUBLIC void pciehsm_ha_close(struct pciehsm_ha *ha)
{
	if (!ha)
		return;
	ha_close(ha->ha);
	ha_env_free(ha->env);
	free(ha);
}

PUBLIC int pciehsm_ha_groups(struct pciehsm_ha *ha, char ***labels)
{
	struct ha_config *config = ha_config_get(ha->ha);
	unsigned int i;
	char **list;
	char *text;
	int n;

	if (!config)
		return -ENOMEM;
	n = (int)config->n_groups;
	if (!n) {
		text = ha_config_error(ha->ha);
		free(text);
		if (text) {
			free(config);
			return -EBADMSG;
		}
	}
	/* One piece of memory: the pointers, then what they point to. */
	list = malloc(((size_t)n + 1) * sizeof(*list) + (size_t)n * (HA_GROUP_LABEL_MAX + 1));
	if (!list) {
		free(config);
		return -ENOMEM;
	}
	text = (char *)(list + n + 1);
	for (i = 0; i < (unsigned int)n; i++, text += HA_GROUP_LABEL_MAX + 1) {
		memcpy(text, config->groups[i].label, HA_GROUP_LABEL_MAX + 1);
		list[i] = text;
	}
	list[n] = NULL;
	free(config);
	*labels = list;
	return n;
}

static void copy_member(struct pciehsm_ha_member *to, const struct ha_member_status *from)
{
	COPY_TEXT(to->serial, from->serial);
	COPY_TEXT(to->label, from->label);
	COPY_TEXT(to->reason, from->reason);
	to->state = (int32_t)from->state;
	to->slot = from->slot == HA_SLOT_NONE ? -1 : (int32_t)from->slot;
	to->standby = from->standby;
	to->drain = from->drain;
	to->weight = from->weight;
	to->objects = from->objects;
	to->sessions = from->sessions;
	to->operations = from->operations;
	to->answer_us = from->answer_us;
	to->outstanding = from->outstanding;
	memcpy(to->digest, from->digest, sizeof(to->digest));
}

PUBLIC int pciehsm_ha_group_state(struct pciehsm_ha *ha, const char *label,
				  struct pciehsm_ha_group **out)
{
	struct ha_group_status *status;
	struct pciehsm_ha_group *group = NULL;
	struct ha_config *config;
	unsigned int i;
	int err;

	if (!label)
		return -EINVAL;
	status = malloc(sizeof(*status));
	config = ha_config_get(ha->ha);
	err = status && config ? ha_group_status(ha->ha, label, status) : -ENOMEM;
	if (!err) {
		group = calloc(1, sizeof(*group) + status->n_members * sizeof(group->members[0]));
		err = group ? 0 : -ENOMEM;
	}
	if (!err) {
		COPY_TEXT(group->label, status->group.label);
		COPY_TEXT(group->number, status->group.number);
		group->slot = (int32_t)status->group.slot;
		group->needs_sync = status->needs_sync;
		group->n_members = status->n_members;
		group->generation = config->generation;
		for (i = 0; i < status->n_members; i++) {
			copy_member(&group->members[i], &status->members[i]);
			group->n_alive += status->members[i].state == HA_MEMBER_ALIVE;
		}
		*out = group;
	}
	free(config);
	free(status);
	return err;
}

PUBLIC char *pciehsm_ha_config_error(struct pciehsm_ha *ha)
{
	return ha_config_error(ha->ha);
}

PUBLIC const char *pciehsm_ha_state_name(int state)
{
	static const char *const names[] = {
		[PCIEHSM_HA_ALIVE] = "alive",
		[PCIEHSM_HA_DOWN] = "down",
		[PCIEHSM_HA_SYNCING] = "syncing",
		[PCIEHSM_HA_REFUSED] = "refused",
	};

	return state >= 0 && (size_t)state < sizeof(names) / sizeof(names[0]) ? names[state] :
	       "unknown";
}
