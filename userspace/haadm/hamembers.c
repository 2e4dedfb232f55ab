// SPDX-License-Identifier: LGPL-2.1-or-later
/* hagroup drain, undrain, weight, mincopies, recover: settings that running processes obey. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "haadm.h"

#define INDENT	"        "

/* NULL: fail() has said why, and @edit->st is its status */
static struct ha_config_member *find_member(struct edit *edit, struct ha_config *config,
					    struct ha_config_group **group)
{
	int at;

	edit->st = group_get(edit->app, config, edit->label, group);
	if (edit->st)
		return NULL;
	at = member_index(*group, edit->serial);
	if (at >= 0)
		return &(*group)->members[at];
	edit->st = fail(edit->app, ST_NOT_FOUND, CODE_OF_STATUS,
			"See its members with: hagroup listgroups",
			"partition %s is not a member of group %s", edit->serial, edit->label);
	return NULL;
}

static enum status edit_group(struct edit *edit)
{
	enum status st = ha_config_usable(edit->app);

	return st ? st : ha_edit(edit);
}

static enum status apply_drain(struct edit *edit, struct ha_config *config)
{
	struct ha_config_group *group;
	struct ha_config_member *member = find_member(edit, config, &group);
	unsigned int i, working = 0;

	if (!member)
		return edit->st;
	if (member->drain == edit->flag)
		return fail(edit->app, ST_REFUSED, CODE_OF_STATUS, NULL,
			    "member %s of group %s is %s", edit->serial, edit->label,
			    edit->flag ? "drained already" : "not drained");
	member->drain = edit->flag;
	for (i = 0; i < group->n_members; i++)
		working += !group->members[i].drain;
	if (!working)
		return fail(edit->app, ST_REFUSED, CODE_OF_STATUS,
			    "Somebody has to do the work. Add another member, or bring a drained one "
			    "back first: hagroup undrain",
			    "member %s is the only one of group %s that is not drained",
			    edit->serial, edit->label);
	return ST_OK;
}

static enum status set_drain(struct app *app, struct args *args, bool drain)
{
	struct edit edit = { .app = app, .apply = apply_drain, .flag = drain,
			     .label = arg_text(args, "group") };
	struct ha_slot slot;
	enum status st = member_serial(app, args, &slot, &edit.serial);

	if (!st)
		st = edit_group(&edit);
	if (st)
		return st;
	if (drain)
		printf("\n" INDENT "Member %s of group %s is being drained: it gets no new work,\n"
		       INDENT "and what has begun on it comes to its end. It still gets all objects.\n",
		       edit.serial, edit.label);
	else
		printf("\n" INDENT "Member %s of group %s works again.\n", edit.serial, edit.label);
	return ST_OK;
}

enum status cmd_ha_drain(struct app *app, struct args *args)
{
	return set_drain(app, args, true);
}

enum status cmd_ha_undrain(struct app *app, struct args *args)
{
	return set_drain(app, args, false);
}

static enum status apply_weight(struct edit *edit, struct ha_config *config)
{
	struct ha_config_group *group;
	struct ha_config_member *member = find_member(edit, config, &group);

	if (!member)
		return edit->st;
	member->weight = edit->number == 1 ? 0 : edit->number;
	return ST_OK;
}

enum status cmd_ha_weight(struct app *app, struct args *args)
{
	struct edit edit = { .app = app, .apply = apply_weight, .label = arg_text(args, "group"),
			     .number = arg_number(args, "weight", 1) };
	struct ha_slot slot;
	enum status st = member_serial(app, args, &slot, &edit.serial);

	if (!st)
		st = edit_group(&edit);
	if (!st)
		printf("\n" INDENT "Weight of member %s of group %s has been set to %ld.\n",
		       edit.serial, edit.label, edit.number);
	return st;
}

static enum status apply_mincopies(struct edit *edit, struct ha_config *config)
{
	struct ha_config_group *group;
	enum status st = group_get(edit->app, config, edit->label, &group);

	if (st)
		return st;
	if (edit->number > group->n_members)
		return fail(edit->app, ST_REFUSED, CODE_OF_STATUS,
			    "Add members first, or give a smaller number.",
			    "group %s has %u members: %ld copies can not be had", edit->label,
			    group->n_members, edit->number);
	if (edit->number > 1 && !group->synchronize)
		return fail(edit->app, ST_REFUSED, CODE_OF_STATUS,
			    "Switch it on first: hagroup synchronize -enable",
			    "objects of group %s are not replicated", edit->label);
	group->mincopies = edit->number == 1 ? 0 : edit->number;
	return ST_OK;
}

enum status cmd_ha_mincopies(struct app *app, struct args *args)
{
	struct edit edit = { .app = app, .apply = apply_mincopies,
			     .label = arg_text(args, "group"),
			     .number = arg_number(args, "copies", 1) };
	enum status st = edit_group(&edit);

	if (!st)
		printf("\n" INDENT "New objects of group %s need %ld cop%s from now on.\n",
		       edit.label, edit.number, edit.number == 1 ? "y" : "ies");
	return st;
}

static enum status apply_recover(struct edit *edit, struct ha_config *config)
{
	struct ha_config_group *group;
	enum status st = group_get(edit->app, config, edit->label, &group);

	if (!st)
		group->recover++;
	return st;
}

enum status cmd_ha_recover(struct app *app, struct args *args)
{
	struct edit edit = { .app = app, .apply = apply_recover, .label = arg_text(args, "group") };
	struct ha_group_status *status;
	unsigned int i, away = 0;
	enum status st;

	st = edit_group(&edit);
	if (st)
		return st;
	status = malloc(sizeof(*status));
	if (!status)
		return fail_errno(app, -ENOMEM, "looking at group %s", edit.label);
	printf("\n" INDENT "Applications that use group %s look for its lost members now.\n",
	       edit.label);
	st = group_status(app, edit.label, status);
	for (i = 0; !st && i < status->n_members; i++) {
		const struct ha_member_status *m = &status->members[i];

		if (m->state == HA_MEMBER_ALIVE)
			continue;
		away++;
		printf(INDENT "Member %s: %s\n", m->serial, m->reason);
	}
	if (!st && !away)
		printf(INDENT "All members are there.\n");
	free(status);
	return st;
}
