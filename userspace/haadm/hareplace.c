// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * hagroup replace: the whole procedure in one command. How far it has come is seen in the
 * cards and in the configuration alone, so that it goes on from there when it was
 * interrupted, whoever runs it again and wherever. The lost member is taken out last, when
 * the new one holds what the others hold.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "haadm.h"

#define INDENT	"        "

/**
 * struct replace - a replacement under way
 * @old: @new:	serials; @new is empty until the partition is there
 * @hsm:	serial of the card that the new partition is made on; empty: it was named
 * @was:	the old member's place in the group
 * @officer: @po: passwords of the Crypto Officer and the Partition SO
 * @steps:	for JSON
 * @number:	of the step
 * @acted:	something was changed
 * @planned:	something is left to do
 * @full:	the group has as many members as it can
 * @dry:	only say what would be done
 */
struct replace {
	struct app		*app;
	const struct args	*args;
	const char		*label;
	const char		*old;
	char			new[25];
	char			hsm[25];
	struct ha_config_member	was;
	bool			old_in, new_in;
	bool			old_live;
	struct secret		officer;
	struct secret		po;	/* len 0: not asked for yet */
	struct json_object	*steps;
	unsigned int		number;
	bool			acted;
	bool			planned;
	bool			full;
	bool			dry;
};

enum step_state { STEP_DONE, STEP_BEFORE, STEP_PLANNED, STEP_FAILED };

/* From now on no failure says that nothing was changed. */
static void acted(struct replace *r)
{
	r->acted = true;
	r->app->acted = true;
}

static void tell(struct replace *r, const char *step, enum step_state state, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static void tell(struct replace *r, const char *step, enum step_state state, const char *fmt, ...)
{
	static const char *const names[] = { "done", "done_before", "planned", "failed" };
	static const char *const texts[] = { "done", "done before", "to be done", "FAILED" };
	struct json_object *item = put_item(r->steps);
	char text[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->number++;
	if (state == STEP_DONE)
		acted(r);
	r->planned |= state == STEP_PLANNED;
	say(r->app, INDENT "%u. %-54s %s\n", r->number, text, texts[state]);
	fflush(stdout);
	put_text(item, "step", step);
	put_text(item, "text", text);
	put_text(item, "state", names[state]);
}

static const char *new_name(const struct replace *r)
{
	return r->new[0] ? r->new : "the new partition";
}

/* ---- where things stand ---- */

static enum status read_group(struct replace *r)
{
	struct ha_config *config = ha_config_get(r->app->ha);
	struct ha_config_group *group;
	enum status st;
	int at;

	if (!config)
		return fail_errno(r->app, -ENOMEM, "reading the HA configuration");
	st = group_get(r->app, config, r->label, &group);
	if (!st) {
		at = member_index(group, r->old);
		r->old_in = at >= 0;
		if (r->old_in)
			r->was = group->members[at];
		r->new_in = r->new[0] && member_index(group, r->new) >= 0;
		r->full = group->n_members == HA_MAX_MEMBERS;
	}
	free(config);
	return st;
}

static bool in_other_group(const struct ha_config *config, const char *label, const char *serial)
{
	unsigned int g;

	for (g = 0; g < config->n_groups; g++)
		if (strcmp(config->groups[g].label, label) &&
		    member_index(&config->groups[g], serial) >= 0)
			return true;
	return false;
}

static bool in_group(const struct ha_config *config, const char *label, const char *serial)
{
	unsigned int g;

	for (g = 0; g < config->n_groups; g++)
		if (!strcmp(config->groups[g].label, label))
			return member_index(&config->groups[g], serial) >= 0;
	return false;
}

/*
 * The partition on the card that is, or is to be, the new member: one with its label, else
 * one that nobody has initialised.
 */
static enum status find_new(struct replace *r)
{
	const char *label = arg_text(r->args, "label");
	struct ha_config *config = ha_config_get(r->app->ha);
	const struct ha_slot *labelled = NULL, *blank = NULL;
	struct ha_slot *list = NULL;
	enum status st = ST_OK;
	int i, n = ha_slots(r->app->ha, 0, &list);

	if (!config)
		st = fail_errno(r->app, -ENOMEM, "reading the HA configuration");
	for (i = 0; i < n && !st; i++) {
		const struct ha_slot *slot = &list[i];

		if (slot->kind != HA_SLOT_PARTITION || strcmp(slot->hsm_serial, r->hsm) ||
		    !strcmp(slot->serial, r->old) ||
		    in_other_group(config, r->label, slot->serial))
			continue;
		if (!slot->initialised && !in_group(config, r->label, slot->serial) && !blank)
			blank = slot;
		if (!slot->initialised || strcmp(slot->label, label))
			continue;
		if (labelled)
			st = fail(r->app, ST_REFUSED, CODE_OF_STATUS,
				  "Choose a label that no other partition of the HSM has, or name the "
				  "new member with -serial.",
				  "several partitions of HSM %s have the label \"%s\"", r->hsm,
				  label);
		labelled = slot;
	}
	if (!st && (labelled || blank))
		snprintf(r->new, sizeof(r->new), "%s", (labelled ? labelled : blank)->serial);
	if (n >= 0)
		free(list);
	free(config);
	return st;
}

static enum status find_card(struct replace *r)
{
	long number = arg_number(r->args, "hsm", -1);
	struct ha_slot *list;
	enum status st;
	size_t i, n;

	st = slots_get(r->app, &list, &n);
	if (st)
		return st;
	for (i = 0; i < n; i++)
		if ((long)list[i].id == number && list[i].kind == HA_SLOT_HSM) {
			snprintf(r->hsm, sizeof(r->hsm), "%s", list[i].serial);
			if (!list[i].initialised)
				st = fail(r->app, ST_REFUSED, PCIEHSM_CKR_NOT_INITIALISED,
					  "Initialize it first: hsm init", "HSM %s is blank",
					  r->hsm);
		}
	free(list);
	if (!st && !r->hsm[0])
		return fail(r->app, ST_NOT_FOUND, CODE_OF_STATUS, "See what is there with: slot list",
			    "there is no HSM in slot %ld", number);
	return st;
}

/* Does the new member hold what all live members hold? And is there one at all? */
static enum status compare(struct replace *r, bool *equal, bool *source)
{
	struct ha_group_status *status = malloc(sizeof(*status));
	const struct ha_member_status *m, *new = NULL;
	enum status st;
	unsigned int i;

	*equal = false;
	*source = false;
	r->old_live = false;
	if (!status)
		return fail_errno(r->app, -ENOMEM, "looking at group %s", r->label);
	st = group_status(r->app, r->label, status);
	for (i = 0; !st && i < status->n_members; i++)
		if (!strcmp(status->members[i].serial, r->new) &&
		    status->members[i].state == HA_MEMBER_ALIVE)
			new = &status->members[i];
	/* With nobody to compare it with, it may as well lack everything. */
	*equal = new;
	for (i = 0; !st && i < status->n_members; i++) {
		m = &status->members[i];
		if (m == new || m->state == HA_MEMBER_DOWN)
			continue;
		*source = true;
		r->old_live |= !strcmp(m->serial, r->old);
		if (new && !members_agree(m, new))
			*equal = false;
	}
	*equal &= *source || !r->old_in;
	free(status);
	return st;
}

/* ---- the steps ---- */

static enum status create(struct replace *r)
{
	struct app *app = r->app;
	struct context *context;
	struct progress waiting;
	char serial[25];
	enum status st;
	CK_RV rv;

	if (r->new[0]) {
		tell(r, "create", STEP_BEFORE, "create partition %s on HSM %s", r->new, r->hsm);
		return ST_OK;
	}
	if (r->dry) {
		tell(r, "create", STEP_PLANNED, "create a partition on HSM %s", r->hsm);
		return ST_OK;
	}
	st = context_get(app, r->hsm, &context);
	if (!st)
		st = need_login(app, r->args, context, PCIEHSM_ROLE_SO, "sopassword");
	if (st)
		return st;
	waiting_begin(&waiting, app, "HSM %s to create a partition", r->hsm);
	rv = pciehsm_partition_create(context->transport, 0, NULL, NULL, serial);
	progress_end(&waiting);
	if (rv)
		return fail_rv(app, rv, "creating a partition on HSM %s", r->hsm);
	wait_device(app, serial, true, NULL);
	snprintf(r->new, sizeof(r->new), "%s", serial);
	tell(r, "create", STEP_DONE, "create partition %s on HSM %s", r->new, r->hsm);
	return ST_OK;
}

static enum status initialize(struct replace *r)
{
	const char *label = arg_text(r->args, "label");
	struct app *app = r->app;
	struct pciehsm_device device = { 0 };
	uint32_t attempts = NO_ATTEMPTS;
	struct context *context;
	struct progress waiting;
	struct secret domain;
	enum status st;
	CK_RV rv;

	if (r->new[0] && find_device(app, r->new, &device) && device.label[0]) {
		tell(r, "init", STEP_BEFORE, "initialize partition %s", r->new);
		return ST_OK;
	}
	if (r->dry) {
		tell(r, "init", STEP_PLANNED, "initialize %s, label %s", new_name(r), label);
		return ST_OK;
	}
	st = context_get(app, r->new, &context);
	if (!st)
		st = secret_new(app, r->args, "popassword", "Enter new password for the Partition SO",
				PCIEHSM_PIN_MIN, PCIEHSM_PIN_MAX, &r->po);
	if (st)
		return st;
	st = secret_new(app, r->args, "domain", "Enter the cloning domain", 1, PCIEHSM_DOMAIN_MAX,
			&domain);
	if (st)
		return st;
	waiting_begin(&waiting, app, "partition %s to be initialized", r->new);
	rv = pciehsm_partition_init(context->transport, label, r->po.data, r->po.len, domain.data,
				    domain.len, &attempts);
	progress_end(&waiting);
	secret_wipe(&domain);
	context_drop(app, r->new);
	if (rv)
		return fail_auth(app, rv, PCIEHSM_ROLE_PO, attempts, "initializing partition %s", r->new);
	wait_device(app, r->new, true, label);
	tell(r, "init", STEP_DONE, "initialize partition %s, label %s", r->new, label);
	return ST_OK;
}

/*
 * A first password that the Crypto Officer has to change. It follows from the final one, so
 * that who comes after an interruption knows it.
 */
static void first_password(const struct secret *final, struct secret *first)
{
	*first = *final;
	if (first->len < PCIEHSM_PIN_MAX)
		first->data[first->len++] = '1';
	else
		first->len--;
	first->data[first->len] = '\0';
}

static enum status officer_state(struct replace *r, struct context *context, uint32_t *flags)
{
	struct pciehsm_role_info *list;
	size_t i, n;
	CK_RV rv;

	*flags = 0;
	rv = pciehsm_role_info(context->transport, &list, &n);
	if (rv)
		return fail_rv(r->app, rv, "asking partition %s for its roles", r->new);
	for (i = 0; i < n; i++)
		if (le32toh(list[i].role) == PCIEHSM_ROLE_CO)
			*flags = le32toh(list[i].flags);
	free(list);
	return ST_OK;
}

static enum status make_officer(struct replace *r, struct context *context,
				const struct secret *first)
{
	struct app *app = r->app;
	uint32_t attempts = NO_ATTEMPTS;
	enum status st = ST_OK;
	CK_RV rv;

	if (!r->po.len) {
		st = last_attempt(app, r->args, context, PCIEHSM_ROLE_PO);
		if (!st)
			st = secret_get(app, r->args, "popassword",
					"Enter the Partition SO's password", &r->po);
	}
	if (st)
		return st;
	rv = login_at(app, context->transport, r->new, PCIEHSM_ROLE_PO, &r->po, NULL, &attempts);
	if (rv)
		return fail_auth(app, rv, PCIEHSM_ROLE_PO, attempts,
				 "logging in as Partition SO at %s", r->new);
	rv = pciehsm_role_init(context->transport, PCIEHSM_ROLE_CO, first->data, first->len);
	pciehsm_logout(context->transport);
	return rv ? fail_rv(app, rv, "initializing the Crypto Officer of %s", r->new) :
	       ST_OK;
}

static enum status officer(struct replace *r)
{
	static const char text[] = "give the Crypto Officer the group's password";
	uint32_t flags = 0, attempts = NO_ATTEMPTS;
	struct app *app = r->app;
	struct context *context;
	struct secret first;
	enum status st = ST_OK;
	CK_RV rv;

	if (r->new[0]) {
		st = context_get(app, r->new, &context);
		if (!st)
			st = officer_state(r, context, &flags);
	}
	if (st)
		return st;
	if (flags & PCIEHSM_ROLE_INITIALISED_FLAG && !(flags & PCIEHSM_ROLE_MUST_CHANGE_FLAG)) {
		tell(r, "officer", STEP_BEFORE, "%s", text);
		return ST_OK;
	}
	if (r->dry) {
		tell(r, "officer", STEP_PLANNED, "%s", text);
		return ST_OK;
	}
	first_password(&r->officer, &first);
	if (!(flags & PCIEHSM_ROLE_INITIALISED_FLAG))
		st = make_officer(r, context, &first);
	if (!st) {
		rv = pciehsm_role_set_pin(context->transport, PCIEHSM_ROLE_CO, first.data,
					  first.len, r->officer.data, r->officer.len, &attempts);
		if (rv)
			st = fail_auth(app, rv, PCIEHSM_ROLE_CO, attempts,
				       "setting the Crypto Officer's password at %s", r->new);
	}
	secret_wipe(&first);
	if (!st)
		tell(r, "officer", STEP_DONE, "%s", text);
	return st;
}

/* The new member takes the old one's place: standby or not, and its share of the work. */
struct replace_edit {
	struct edit	edit;
	struct replace	*r;
};

static enum status apply_join(struct edit *edit, struct ha_config *config)
{
	struct replace *r = ((struct replace_edit *)edit)->r;
	struct ha_config_member *member;
	struct ha_config_group *group;
	struct edit old = *edit;
	enum status st;

	st = group_get(edit->app, config, edit->label, &group);
	if (st)
		return st;
	/* In a full group there is no room for both; then nobody misses one that is not there. */
	if (group->n_members == HA_MAX_MEMBERS && !r->old_live) {
		old.serial = r->old;
		st = edit_member(&old, config, &group, &member);
		if (!st)
			snprintf(member->serial, sizeof(member->serial), "%s", edit->serial);
		return st;
	}
	st = edit_add(edit, config);
	if (!st)
		st = edit_member(edit, config, &group, &member);
	if (!st) {
		member->standby = r->was.standby;
		member->weight = r->was.weight;
	}
	return st;
}

static enum status join(struct replace *r)
{
	struct replace_edit join = { .r = r, .edit = { .app = r->app, .apply = apply_join,
						       .label = r->label, .serial = r->new } };
	struct app *app = r->app;
	char error[512] = "";
	bool remove = false;
	enum status st;
	CK_RV rv;

	if (r->new_in) {
		tell(r, "add", STEP_BEFORE, "add %s to group %s", r->new, r->label);
		return ST_OK;
	}
	if (r->new[0]) {
		st = try_edit(&join.edit);
		if (!st && !r->dry)
			st = ask_about_contents(app, r->args, r->label, r->new, &remove);
		if (!st && r->officer.len) {
			rv = admit_member(app, r->label, r->new, &r->officer, error,
					  sizeof(error));
			if (rv)
				st = error[0] ? fail(app, rv_status(rv), rv, rv_advice(rv),
						     "partition %s cannot be a member: %s", r->new,
						     error) :
				     fail_rv(app, rv, 
					     "partition %s cannot be a member", r->new);
		}
		if (!st && remove) {
			acted(r);
			st = remove_contents(app, r->label, r->new, &r->officer);
		}
		if (st)
			return st;
	}
	if (r->dry) {
		tell(r, "add", STEP_PLANNED, "add %s to group %s%s", new_name(r), r->label,
		     r->was.standby ? " (standby)" : "");
		return ST_OK;
	}
	st = ha_edit(&join.edit);
	if (!st)
		tell(r, "add", STEP_DONE, "add %s to group %s%s", r->new, r->label,
		     r->was.standby ? " (standby)" : "");
	return st;
}

static void on_progress(void *arg, uint32_t done, uint32_t total, const char *text)
{
	/* What a member could not take is found by comparing. */
	(void)text;
	progress_step(arg, done, total);
}

static enum status not_equal(struct replace *r, CK_RV rv, const char *error)
{
	return fail(r->app, rv ? rv_status(rv) : ST_FAILED, rv ? (uint32_t)rv : CODE_OF_STATUS,
		    "See what differs with: hagroup check. Then run the same command again.",
		    "%s does not hold what the live members of group %s hold%s%s; %s was not removed",
		    r->new, r->label, error[0] ? ": " : "", error, r->old);
}

static enum status synchronize(struct replace *r)
{
	struct app *app = r->app;
	struct ha_sync_report report = { 0 };
	struct progress progress;
	bool equal = false, source;
	char error[512] = "";
	enum status st;
	CK_RV rv;

	if (!r->dry || r->new_in) {
		st = compare(r, &equal, &source);
		if (st)
			return st;
	}
	if (equal) {
		tell(r, "synchronize", STEP_BEFORE, "bring all objects to %s, and compare", r->new);
		return ST_OK;
	}
	if (r->dry) {
		tell(r, "synchronize", STEP_PLANNED, "bring all objects to %s, and compare",
		     new_name(r));
		return ST_OK;
	}
	progress_begin(&progress, app, "objects");
	rv = ha_group_synchronize(app->ha, r->label, r->officer.data, r->officer.len, &report,
				  on_progress, &progress, error, sizeof(error));
	progress_end(&progress);
	if (report.copied || report.deleted)
		acted(r);
	st = compare(r, &equal, &source);
	if (st)
		return st;
	if (!equal)
		return not_equal(r, rv, error);
	tell(r, "synchronize", STEP_DONE, "bring %" PRIu32 " object%s to %s, and compare",
	     report.objects, PLURAL(report.objects), r->new);
	return ST_OK;
}

static enum status leave(struct replace *r)
{
	struct edit edit = { .app = r->app, .apply = edit_remove, .label = r->label,
			     .serial = r->old };
	enum status st;

	if (!r->old_in) {
		tell(r, "remove", STEP_BEFORE, "remove %s from group %s", r->old, r->label);
		return ST_OK;
	}
	if (r->dry) {
		tell(r, "remove", STEP_PLANNED, "remove %s from group %s", r->old, r->label);
		return ST_OK;
	}
	/* A full group has it replaced already. */
	st = read_group(r);
	if (!st && r->old_in)
		st = ha_edit(&edit);
	if (!st)
		tell(r, "remove", STEP_DONE, "remove %s from group %s", r->old, r->label);
	return st;
}

static const struct {
	const char	*name;
	const char	*text;
	bool		prepares;	/* only where the new partition is made, too */
	enum status	(*run)(struct replace *r);
} all_steps[] = {
	{ "create", "create the new partition", true, create },
	{ "init", "initialize it", true, initialize },
	{ "officer", "give the Crypto Officer the group's password", true, officer },
	{ "add", "add it to the group", false, join },
	{ "synchronize", "bring all objects to it, and compare", false, synchronize },
	{ "remove", "remove the old member", false, leave },
};

static enum status do_steps(struct replace *r)
{
	enum status st = ST_OK;
	size_t i;

	for (i = 0; !st && i < sizeof(all_steps) / sizeof(all_steps[0]); i++) {
		if (all_steps[i].prepares && !r->hsm[0])
			continue;
		st = all_steps[i].run(r);
		if (st)
			tell(r, all_steps[i].name, STEP_FAILED, "%s", all_steps[i].text);
	}
	secret_wipe(&r->po);
	return st;
}

/* Everything that can be found out before anything is asked or changed */
static enum status survey(struct replace *r)
{
	bool equal, source;
	struct ha_slot slot;
	enum status st;

	if (arg_given(r->args, "hsm")) {
		if (!arg_given(r->args, "label"))
			return fail(r->app, ST_USAGE, CODE_OF_STATUS,
				    "It is how the partition is found again if this is interrupted.",
				    "the new partition needs a label (-label)");
		st = find_card(r);
		if (!st)
			st = find_new(r);
	} else {
		st = target_member(r->app, r->args, &slot);
		if (!st)
			snprintf(r->new, sizeof(r->new), "%s", slot.serial);
		if (!st && !slot.initialised)
			st = fail(r->app, ST_REFUSED, PCIEHSM_CKR_NOT_INITIALISED,
				  "Initialize it first (partition init), or let this command do it: "
				  "-hsm.", "partition %s has not been initialized", r->new);
	}
	if (!st && !strcmp(r->new, r->old))
		st = fail(r->app, ST_USAGE, CODE_OF_STATUS, NULL,
			  "%s cannot be replaced by itself", r->old);
	if (!st)
		st = read_group(r);
	if (st)
		return st;
	if (!r->old_in && !r->new_in)
		return fail(r->app, ST_NOT_FOUND, CODE_OF_STATUS,
			    "See its members with: hagroup listgroups",
			    "partition %s is not a member of group %s", r->old, r->label);
	st = compare(r, &equal, &source);
	if (!st && !source && !equal)
		return fail(r->app, ST_DEVICE, CODE_OF_STATUS,
			    "Bring a member back: the new one gets its objects from one.",
			    "no member of group %s is there", r->label);
	/* Both would have to be members until the new one holds everything. */
	if (!st && r->full && r->old_live && !r->new_in)
		return fail(r->app, ST_REFUSED, CODE_OF_STATUS,
			    "Remove it first (hagroup removemember), which keeps its objects in its "
			    "partition; then add the new one: hagroup addmember",
			    "group %s has %d members, and that is the limit: there is no room for "
			    "another one beside %s, which is alive", r->label, HA_MAX_MEMBERS, r->old);
	return st;
}

/* What is going to be done, or would be; nothing is asked. */
static enum status plan(struct replace *r)
{
	enum status st;

	r->dry = true;
	st = do_steps(r);
	r->dry = arg_given(r->args, "dryrun");
	return st;
}

static enum status carry_out(struct replace *r)
{
	struct app *app = r->app;
	enum status st;

	say(app, "\n");
	st = secret_get(app, r->args, "password", "Enter the password", &r->officer);
	if (st)
		return st;
	r->steps = put_list(app->out, "steps");
	r->number = 0;
	return do_steps(r);
}

enum status cmd_ha_replace(struct app *app, struct args *args)
{
	struct replace r = { .app = app, .args = args, .label = arg_text(args, "group"),
			     .old = arg_text(args, "old") };
	enum status st = need_group(app, r.label);

	if (!st)
		st = survey(&r);
	if (st)
		return st;
	say(app, "\n");
	if (arg_given(args, "dryrun") && arg_given(args, "password"))
		st = secret_get(app, args, "password", NULL, &r.officer);
	if (st)
		return st;
	put_text(app->out, "group", r.label);
	put_text(app->out, "old", r.old);
	put_bool(app->out, "dry_run", arg_given(args, "dryrun"));
	r.steps = put_list(app->out, "steps");
	say(app, INDENT "Replacing member %s of group %s:\n\n", r.old, r.label);
	st = plan(&r);
	if (!st && r.planned && !r.dry)
		st = carry_out(&r);
	secret_wipe(&r.officer);
	put_text(app->out, "new", r.new[0] ? r.new : NULL);
	if (st) {
		if (r.acted)
			warn_user(app, "What was done stays. The same command goes on from there.");
		return st;
	}
	if (r.dry)
		say(app, "\n" INDENT "Nothing was changed: this is what the command would do.\n");
	else if (r.acted)
		say(app, "\n" INDENT "Member %s of group %s is replaced by %s.\n", r.old, r.label,
		    r.new);
	else
		say(app, "\n" INDENT "%s is not a member of group %s, and %s\n" INDENT "is: nothing was "
		    "left to do.\n", r.old, r.label, r.new);
	return ST_OK;
}
