// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Before something is destroyed: does a live member elsewhere hold the same? What
 * only a group's lost or differing members could give back is not destroyed by accident.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "haadm.h"

/* Is there another live member with the same contents, on another card than @hsm? */
static bool copied_elsewhere(struct app *app, const struct ha_group_status *status,
			     const struct ha_member_status *m, const char *hsm)
{
	struct ha_slot *list = NULL;
	int k, n = ha_slots(app->ha, 0, &list);
	bool copied = false;
	unsigned int i;

	for (i = 0; i < status->n_members && !copied; i++) {
		const struct ha_member_status *o = &status->members[i];
		bool same_card = false;

		if (o == m || o->state == HA_MEMBER_DOWN ||
		    memcmp(o->digest, m->digest, sizeof(m->digest)))
			continue;
		for (k = 0; hsm && k < n; k++)
			same_card |= !strcmp(list[k].serial, o->serial) &&
				     !strcmp(list[k].hsm_serial, hsm);
		copied = !same_card;
	}
	if (n >= 0)
		free(list);
	return copied;
}

static enum status check_in_group(struct app *app, const struct args *args,
				  const struct ha_config_group *group, const char *serial,
				  const char *hsm)
{
	struct ha_group_status *status = malloc(sizeof(*status));
	enum status st;
	unsigned int i;

	if (!status)
		return fail_errno(app, -ENOMEM, "looking at group %s", group->label);
	st = group_status(app, group->label, status);
	for (i = 0; !st && i < status->n_members; i++) {
		const struct ha_member_status *m = &status->members[i];

		if (strcmp(m->serial, serial) || m->state == HA_MEMBER_DOWN || !m->objects ||
		    copied_elsewhere(app, status, m, hsm))
			continue;
		if (arg_given(args, "force"))
			warn_user("Warning: no other live member of group %s holds what is in "
				  "partition %s (%" PRIu32 " objects).", group->label, serial,
				  m->objects);
		else
			st = fail(app, ST_REFUSED, CODE_OF_STATUS,
				  "Bring another member back, or to the same contents (hagroup "
				  "synchronize), first. -force destroys the objects all the same, "
				  "and what only this member has is lost.",
				  "partition %s holds %" PRIu32 " objects of group %s that would be "
				  "lost: no other live member holds the same", serial, m->objects,
				  group->label);
	}
	free(status);
	return st;
}

static enum status check_member(struct app *app, const struct args *args,
				const struct ha_config *config, const char *serial, const char *hsm)
{
	enum status st = ST_OK;
	unsigned int g;

	for (g = 0; g < config->n_groups && !st; g++)
		if (member_index(&config->groups[g], serial) >= 0)
			st = check_in_group(app, args, &config->groups[g], serial, hsm);
	return st;
}

enum status check_copies(struct app *app, const struct args *args, const char *serial)
{
	struct ha_config *config = ha_config_get(app->ha);
	enum status st;

	if (!config)
		return fail_errno(app, -ENOMEM, "reading the HA configuration");
	st = check_member(app, args, config, serial, NULL);
	free(config);
	return st;
}

enum status check_copies_hsm(struct app *app, const struct args *args, const char *hsm_serial)
{
	struct ha_config *config = ha_config_get(app->ha);
	struct ha_slot *list = NULL;
	int i, n = ha_slots(app->ha, 0, &list);
	enum status st = ST_OK;

	if (!config)
		st = fail_errno(app, -ENOMEM, "reading the HA configuration");
	for (i = 0; i < n && !st; i++)
		if (list[i].kind == HA_SLOT_PARTITION && !strcmp(list[i].hsm_serial, hsm_serial))
			st = check_member(app, args, config, list[i].serial, hsm_serial);
	if (n >= 0)
		free(list);
	free(config);
	return st;
}
