// SPDX-License-Identifier: LGPL-2.1-or-later
/* hagroup drain, undrain, weight, mincopies, recover: settings that running processes obey. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "haadm.h"

#define INDENT	"        "

static enum status apply_drain(struct edit *edit, struct ha_config *config)
{
	struct ha_config_member *member;
	struct ha_config_group *group;
	unsigned int i, working = 0;
	enum status st = edit_member(edit, config, &group, &member);

	if (st)
		return st;
	if (member->drain == edit->flag)
		return fail(edit->app, ST_REFUSED, CODE_OF_STATUS,
			    "Nothing has to be done. See: hagroup status",
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
		st = ha_edit(&edit);
	if (st)
		return st;
	put_member(&edit);
	put_bool(app->out, "drain", drain);
	if (drain)
		say(app, "\n" INDENT "Member %s of group %s is being drained: it gets no new work,\n"
		       INDENT "and what has begun on it comes to its end. It still gets all objects.\n",
		       edit.serial, edit.label);
	else
		say(app, "\n" INDENT "Member %s of group %s works again.\n", edit.serial, edit.label);
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
	struct ha_config_member *member;
	struct ha_config_group *group;
	enum status st = edit_member(edit, config, &group, &member);

	if (st)
		return st;
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
		st = ha_edit(&edit);
	if (st)
		return st;
	put_member(&edit);
	put_number(app->out, "weight", edit.number);
	say(app, "\n" INDENT "Weight of member %s of group %s has been set to %ld.\n",
	       edit.serial, edit.label, edit.number);
	return ST_OK;
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
	enum status st = ha_edit(&edit);

	if (st)
		return st;
	put_text(app->out, "group", edit.label);
	put_number(app->out, "min_copies", edit.number);
	say(app, "\n" INDENT "New objects of group %s need %ld cop%s from now on.\n",
	       edit.label, edit.number, edit.number == 1 ? "y" : "ies");
	return ST_OK;
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
	struct json_object *list;
	unsigned int i, away = 0;
	enum status st;

	st = ha_edit(&edit);
	if (st)
		return st;
	status = malloc(sizeof(*status));
	if (!status)
		return fail_errno(app, -ENOMEM, "looking at group %s", edit.label);
	say(app, "\n" INDENT "Applications that use group %s look for its lost members now.\n",
	       edit.label);
	put_text(app->out, "group", edit.label);
	list = put_list(app->out, "away");
	st = group_status(app, edit.label, status);
	for (i = 0; !st && i < status->n_members; i++) {
		const struct ha_member_status *m = &status->members[i];
		struct json_object *item;

		if (m->state == HA_MEMBER_ALIVE)
			continue;
		away++;
		item = put_item(list);
		put_text(item, "serial", m->serial);
		put_text(item, "state", member_state_name(m->state));
		put_text(item, "reason", m->reason);
		say(app, INDENT "Member %s: %s\n", m->serial, m->reason);
	}
	if (!st && !away)
		say(app, INDENT "All members are there.\n");
	free(status);
	return st;
}
