// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * hagroup: creating and deleting groups, members coming and going, synchronizing. Every
 * change goes through ha_config_edit(): what it depends on is checked again with the
 * file locked, against what the file says then.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "haadm.h"

#define INDENT	"        "

/* ---- the configuration ---- */

enum status ha_config_usable(struct app *app)
{
	char *error = ha_config_error(app->ha);
	enum status st = ST_OK;

	if (error)
		st = fail(app, ST_CONFIG, CODE_OF_STATUS,
			  "Repair the file, or take the one that was kept beside it. Nothing was "
			  "changed.", "the HA configuration is broken: %s", error);
	free(error);
	return st;
}

enum status need_group(struct app *app, const char *label)
{
	struct ha_config_group *group;
	struct ha_config *config;
	enum status st = ha_config_usable(app);

	if (st)
		return st;
	config = ha_config_get(app->ha);
	if (!config)
		return fail_errno(app, -ENOMEM, "reading the HA configuration");
	st = group_get(app, config, label, &group);
	free(config);
	return st;
}

void put_member(const struct edit *edit)
{
	put_text(edit->app->out, "group", edit->label);
	put_text(edit->app->out, "serial", edit->serial);
}

int member_index(const struct ha_config_group *group, const char *serial)
{
	unsigned int i;

	for (i = 0; i < group->n_members; i++)
		if (!strcmp(group->members[i].serial, serial))
			return i;
	return -1;
}

static struct ha_config_group *group_find(struct ha_config *config, const char *label)
{
	unsigned int i;

	for (i = 0; i < config->n_groups; i++)
		if (!strcmp(config->groups[i].label, label))
			return &config->groups[i];
	return NULL;
}

enum status group_get(struct app *app, struct ha_config *config, const char *label,
		      struct ha_config_group **group)
{
	struct nearest nearest = { .wanted = label };
	char advice[200];
	const char *best;
	unsigned int i;

	*group = group_find(config, label);
	if (*group)
		return ST_OK;
	for (i = 0; i < config->n_groups; i++)
		nearest_offer(&nearest, config->groups[i].label);
	best = nearest_found(&nearest);
	if (best)
		snprintf(advice, sizeof(advice), "Did you mean \"%s\"? See: hagroup listgroups",
			 best);
	else
		snprintf(advice, sizeof(advice), "%s", config->n_groups ?
			 "See what there is with: hagroup listgroups" :
			 "There are no groups yet. Make one with: hagroup creategroup");
	return fail(app, ST_NOT_FOUND, CODE_OF_STATUS, advice,
		    "there is no HA group with label \"%s\"", label);
}

static int apply_edit(struct ha_config *config, void *arg)
{
	struct edit *edit = arg;

	edit->st = edit->apply(edit, config);
	return edit->st ? -ECANCELED : 0;
}

enum status ha_edit(struct edit *edit)
{
	char error[512] = "";
	int ret;

	edit->st = ha_config_usable(edit->app);
	if (edit->st)
		return edit->st;
	ret = ha_config_edit(edit->app->ha, apply_edit, edit, error, sizeof(error));
	if (!ret)
		return ST_OK;
	if (edit->st)
		return edit->st;
	if (ret == -EBADMSG)
		return fail(edit->app, ST_CONFIG, CODE_OF_STATUS, NULL,
			    "the HA configuration is broken: %s", error);
	/* What the engine says has the reason in it. */
	if (error[0])
		return fail(edit->app, ret == -EACCES || ret == -EPERM || ret == -EROFS ?
			    ST_PERMISSION : ST_FAILED, CODE_OF_STATUS, NULL,
			    "changing the HA configuration: %s", error);
	return fail_errno(edit->app, ret, "changing the HA configuration");
}

/* ---- members coming ---- */

/* A serial is in one group at most: two groups over one partition would mix their keys. */
static enum status not_a_member(struct app *app, struct ha_config *config, const char *serial)
{
	unsigned int i;

	for (i = 0; i < config->n_groups; i++)
		if (member_index(&config->groups[i], serial) >= 0)
			return fail(app, ST_REFUSED, CODE_OF_STATUS,
				    "See the groups with: hagroup listgroups",
				    "partition %s is a member of group %s already", serial,
				    config->groups[i].label);
	return ST_OK;
}

static enum status apply_create(struct edit *edit, struct ha_config *config)
{
	struct ha_config_group *group;
	char number[sizeof(group->number)];
	uint32_t slot;
	enum status st;
	unsigned int i;

	if (group_find(config, edit->label))
		return fail(edit->app, ST_REFUSED, CODE_OF_STATUS, "Choose another label.",
			    "there is an HA group with label \"%s\" already", edit->label);
	st = not_a_member(edit->app, config, edit->serial);
	if (st)
		return st;
	if (config->n_groups == HA_MAX_GROUPS)
		return fail(edit->app, ST_REFUSED, CODE_OF_STATUS,
			    "Delete one that is not needed any more: hagroup deletegroup",
			    "there are %d HA groups already, and that is the limit",
			    HA_MAX_GROUPS);
	snprintf(number, sizeof(number), "1%s", edit->serial);
	for (i = 0; i < config->n_groups; i++)
		if (!strcmp(config->groups[i].number, number))
			return fail(edit->app, ST_REFUSED, CODE_OF_STATUS,
				    "A group keeps the number of its founder. Create this one with "
				    "another partition, and add this partition to it.",
				    "group %s has the number %s already", config->groups[i].label,
				    number);
	for (slot = HA_SLOT_GROUP_FIRST; slot <= HA_SLOT_GROUP_LAST; slot++) {
		for (i = 0; i < config->n_groups; i++)
			if (config->groups[i].slot == slot)
				break;
		if (i == config->n_groups)
			break;
	}
	group = &config->groups[config->n_groups++];
	memset(group, 0, sizeof(*group));
	snprintf(group->label, sizeof(group->label), "%s", edit->label);
	snprintf(group->number, sizeof(group->number), "%s", number);
	group->slot = slot;
	group->synchronize = true;
	group->n_members = 1;
	snprintf(group->members[0].serial, sizeof(group->members[0].serial), "%s", edit->serial);
	return ST_OK;
}

enum status edit_add(struct edit *edit, struct ha_config *config)
{
	struct ha_config_group *group;
	enum status st;

	st = group_get(edit->app, config, edit->label, &group);
	if (!st)
		st = not_a_member(edit->app, config, edit->serial);
	if (st)
		return st;
	if (group->n_members == HA_MAX_MEMBERS)
		return fail(edit->app, ST_REFUSED, CODE_OF_STATUS,
			    "Remove one first (hagroup removemember), or have the new one take its "
			    "place: hagroup replace",
			    "group %s has %d members, and that is the limit", edit->label,
			    HA_MAX_MEMBERS);
	memset(&group->members[group->n_members], 0, sizeof(group->members[0]));
	snprintf(group->members[group->n_members++].serial, sizeof(group->members[0].serial), "%s",
		 edit->serial);
	return ST_OK;
}

enum status try_edit(struct edit *edit)
{
	struct ha_config *config;
	enum status st;

	st = ha_config_usable(edit->app);
	if (st)
		return st;
	config = ha_config_get(edit->app->ha);
	if (!config)
		return fail_errno(edit->app, -ENOMEM, "reading the HA configuration");
	st = edit->apply(edit, config);
	free(config);
	return st;
}

CK_RV admit_member(struct app *app, const char *group, const char *serial,
		   const struct secret *secret, char *error, size_t size)
{
	struct progress waiting;
	CK_RV rv;

	waiting_begin(&waiting, app, "%s to be checked", serial);
	rv = ha_group_admit(app->ha, group, serial, secret->data, secret->len, error, size);
	progress_end(&waiting);
	return rv;
}

static enum status admit(struct app *app, struct args *args, const char *group,
			 const struct ha_slot *slot, struct secret *secret)
{
	char error[512] = "";
	enum status st;
	CK_RV rv;

	if (!slot->initialised)
		return fail(app, ST_REFUSED, PCIEHSM_CKR_NOT_INITIALISED,
			    "The Partition SO initializes it (partition init), then makes the Crypto "
			    "Officer (role init -name co).",
			    "partition %s (slot %" PRIu32 ") has not been initialized",
			    slot->serial, slot->id);
	say(app, "\n");
	st = secret_get(app, args, "password", "Enter the password", secret);
	if (st)
		return st;
	rv = admit_member(app, group, slot->serial, secret, error, sizeof(error));
	if (rv) {
		secret_wipe(secret);
		if (error[0])
			return fail(app, rv_status(rv), rv, rv_advice(rv),
				    "partition %s cannot be a member: %s", slot->serial, error);
		return fail_rv(app, rv, "partition %s cannot be a member",
			       slot->serial);
	}
	return ST_OK;
}

static enum status show_group(struct app *app, const char *label)
{
	struct ha_group_status *status = malloc(sizeof(*status));
	enum status st;

	if (!status)
		return fail_errno(app, -ENOMEM, "looking at group %s", label);
	st = group_status(app, label, status);
	if (!st && app->json)
		group_json(put_item(put_list(app->out, "groups")), status);
	else if (!st)
		print_group(status, true);
	free(status);
	return st;
}

enum status cmd_ha_creategroup(struct app *app, struct args *args)
{
	struct edit edit = { .app = app, .apply = apply_create, .label = arg_text(args, "label") };
	struct secret secret;
	struct ha_slot slot;
	bool remove = false;
	enum status st;

	st = target_member(app, args, &slot);
	if (st)
		return st;
	edit.serial = slot.serial;
	st = try_edit(&edit);
	if (!st && slot.initialised)
		st = ask_about_contents(app, args, NULL, slot.serial, &remove);
	if (!st)
		st = admit(app, args, NULL, &slot, &secret);
	if (st)
		return st;
	if (remove)
		st = remove_contents(app, NULL, slot.serial, &secret);
	secret_wipe(&secret);
	if (!st)
		st = ha_edit(&edit);
	if (st)
		return st;
	put_member(&edit);
	say(app, INDENT "New group with label \"%s\" created with group number 1%s.\n", edit.label,
	       edit.serial);
	say(app, INDENT "Group configuration is:\n\n");
	return show_group(app, edit.label);
}

static void on_copied(void *arg, uint32_t done, uint32_t total, const char *text)
{
	/* What could not be done is told by the result. */
	(void)text;
	progress_step(arg, done, total);
}

enum status cmd_ha_addmember(struct app *app, struct args *args)
{
	struct edit edit = { .app = app, .apply = edit_add, .label = arg_text(args, "group") };
	struct ha_sync_report report;
	struct progress progress;
	char error[512] = "";
	struct secret secret;
	struct ha_slot slot;
	bool remove = false;
	enum status st;
	CK_RV rv;

	st = target_member(app, args, &slot);
	if (st)
		return st;
	edit.serial = slot.serial;
	st = try_edit(&edit);
	if (!st && slot.initialised)
		st = ask_about_contents(app, args, edit.label, slot.serial, &remove);
	if (!st)
		st = admit(app, args, edit.label, &slot, &secret);
	if (st)
		return st;
	if (remove)
		st = remove_contents(app, edit.label, slot.serial, &secret);
	if (!st)
		st = ha_edit(&edit);
	if (st) {
		secret_wipe(&secret);
		return st;
	}
	/* A running application does this too; without one, somebody has to. */
	progress_begin(&progress, app, "objects");
	rv = ha_group_synchronize(app->ha, edit.label, secret.data, secret.len, &report,
				  on_copied, &progress, error, sizeof(error));
	progress_end(&progress);
	secret_wipe(&secret);
	put_member(&edit);
	put_bool(app->out, "synchronized", !rv);
	say(app, INDENT "Member %s successfully added to group %s. New group\n", edit.serial,
	       edit.label);
	say(app, INDENT "configuration is:\n\n");
	st = show_group(app, edit.label);
	if (st)
		return st;
	say(app, "\n\n" INDENT "Please use the command \"ha synchronize\" when you are ready\n"
	       INDENT "to replicate data between all members of the HA group.\n"
	       INDENT "(If you have additional members to add, you may wish to wait\n"
	       INDENT "until you have added them before synchronizing to save time by\n"
	       INDENT "avoiding multiple synchronizations.)\n");
	if (rv) {
		warn_user(app, "\nWarning: the new member does not hold everything yet:");
		warn_user(app, "%s", error[0] ? error : pciehsm_rv_name(rv));
	}
	return ST_OK;
}

/* ---- members going ---- */

enum status edit_member(struct edit *edit, struct ha_config *config,
			struct ha_config_group **group, struct ha_config_member **member)
{
	enum status st = group_get(edit->app, config, edit->label, group);
	int at;

	if (st)
		return st;
	at = member_index(*group, edit->serial);
	if (at < 0)
		return fail(edit->app, ST_NOT_FOUND, CODE_OF_STATUS,
			    "See its members with: hagroup listgroups",
			    "partition %s is not a member of group %s", edit->serial, edit->label);
	*member = &(*group)->members[at];
	return ST_OK;
}

enum status edit_remove(struct edit *edit, struct ha_config *config)
{
	struct ha_config_member *member;
	struct ha_config_group *group;
	enum status st;

	st = edit_member(edit, config, &group, &member);
	if (st)
		return st;
	if (group->n_members == 1)
		return fail(edit->app, ST_REFUSED, CODE_OF_STATUS,
			    "Add another member first, or delete the group: hagroup deletegroup",
			    "partition %s is the only member of group %s", edit->serial,
			    edit->label);
	if (group->mincopies >= group->n_members)
		return fail(edit->app, ST_REFUSED, CODE_OF_STATUS,
			    "Add another member first, or lower it: hagroup mincopies",
			    "a new object of group %s needs %u copies, and there would be fewer members",
			    edit->label, group->mincopies);
	memmove(member, member + 1,
		(&group->members[group->n_members] - member - 1) * sizeof(*member));
	group->n_members--;
	return ST_OK;
}

enum status member_serial(struct app *app, struct args *args, struct ha_slot *slot,
			  const char **serial)
{
	enum status st = ST_OK;

	*serial = arg_text(args, "serialnumber");
	if (!*serial) {
		st = target_member(app, args, slot);
		*serial = slot->serial;
	}
	return st;
}

enum status cmd_ha_removemember(struct app *app, struct args *args)
{
	struct edit edit = { .app = app, .apply = edit_remove, .label = arg_text(args, "group") };
	struct ha_slot slot;
	enum status st;

	st = member_serial(app, args, &slot, &edit.serial);
	if (!st)
		st = try_edit(&edit);
	if (!st && !arg_given(args, "force"))
		st = check_copies_leaving(app, edit.label, edit.serial);
	if (!st)
		st = ha_edit(&edit);
	if (st)
		return st;
	put_member(&edit);
	say(app, "\n" INDENT "Member %s successfully removed from group %s.\n", edit.serial,
	       edit.label);
	return ST_OK;
}

static enum status apply_standby(struct edit *edit, struct ha_config *config)
{
	struct ha_config_group *group;
	struct ha_config_member *member;
	unsigned int i, active = 0;
	enum status st;

	st = edit_member(edit, config, &group, &member);
	if (st)
		return st;
	if (member->standby == edit->flag)
		return fail(edit->app, ST_REFUSED, CODE_OF_STATUS,
			    "Nothing has to be done. See: hagroup listgroups",
			    "member %s of group %s is %s already", edit->serial, edit->label,
			    edit->flag ? "standby" : "active");
	member->standby = edit->flag;
	for (i = 0; i < group->n_members; i++)
		active += !group->members[i].standby;
	if (!active)
		return fail(edit->app, ST_REFUSED, CODE_OF_STATUS,
			    "A group needs an active member. Add another one first.",
			    "partition %s is the only active member of group %s", edit->serial,
			    edit->label);
	return ST_OK;
}

/* Nothing here needs it; the product's command takes it, and a wrong one is told. */
static enum status try_password(struct app *app, const struct args *args, const char *label)
{
	struct ha_group_status *status = malloc(sizeof(*status));
	struct secret secret;
	enum status st;

	if (!status)
		return fail_errno(app, -ENOMEM, "looking at group %s", label);
	st = group_status(app, label, status);
	if (!st)
		st = secret_get(app, args, "password", NULL, &secret);
	if (!st) {
		st = check_password(app, status, &secret);
		secret_wipe(&secret);
	}
	free(status);
	return st;
}

static enum status set_standby(struct app *app, struct args *args, bool standby)
{
	struct edit edit = { .app = app, .apply = apply_standby, .flag = standby,
			     .label = arg_text(args, "group") };
	struct ha_slot slot;
	enum status st;

	st = member_serial(app, args, &slot, &edit.serial);
	if (!st && arg_given(args, "password"))
		st = try_edit(&edit);
	if (!st && arg_given(args, "password"))
		st = try_password(app, args, edit.label);
	if (!st)
		st = ha_edit(&edit);
	if (st)
		return st;
	put_member(&edit);
	put_bool(app->out, "standby", standby);
	say(app, "\n" INDENT "Member %s of group %s is now %s.\n", edit.serial, edit.label,
	       standby ? "standby" : "active");
	return ST_OK;
}

enum status cmd_ha_addstandby(struct app *app, struct args *args)
{
	return set_standby(app, args, true);
}

enum status cmd_ha_removestandby(struct app *app, struct args *args)
{
	return set_standby(app, args, false);
}

static enum status apply_delete(struct edit *edit, struct ha_config *config)
{
	struct ha_config_group *group;
	enum status st = group_get(edit->app, config, edit->label, &group);

	if (st)
		return st;
	memmove(group, group + 1, (&config->groups[config->n_groups] - group - 1) * sizeof(*group));
	config->n_groups--;
	return ST_OK;
}

enum status cmd_ha_deletegroup(struct app *app, struct args *args)
{
	struct edit edit = { .app = app, .apply = apply_delete, .label = arg_text(args, "label") };
	char text[300];
	enum status st;

	st = try_edit(&edit);
	if (st)
		return st;
	snprintf(text, sizeof(text), "HA group %s is going to be deleted. Applications that use it "
		 "lose it at once; its members keep their objects.", edit.label);
	st = confirm(app, args, text);
	if (!st)
		st = ha_edit(&edit);
	if (st)
		return st;
	put_text(app->out, "group", edit.label);
	say(app, "\n" INDENT "The HA group %s was deleted.\n", edit.label);
	return ST_OK;
}
