// SPDX-License-Identifier: LGPL-2.1-or-later
/* hagroup listgroups, and how a group looks. The layout is the product's, quirks included. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "haadm.h"

#define INDENT		"        "
#define NO_SLOT		"------"
#define NO_LABEL	"------------"
/*
 * For how long a group is looked at while its members differ and move, and the time between.
 * A member that hangs makes each look long: then the first one has to do.
 */
#define LOOK_AGAIN_MS	2000
#define LOOK_MS		100

const char *member_state_name(enum ha_member_state state)
{
	switch (state) {
	case HA_MEMBER_ALIVE:
		return "alive";
	case HA_MEMBER_DOWN:
		return "down";
	case HA_MEMBER_SYNCING:
		return "syncing";
	case HA_MEMBER_REFUSED:
		return "refused";
	}
	return "unknown";
}

static bool moved(const struct ha_group_status *a, const struct ha_group_status *b)
{
	unsigned int i;

	if (a->n_members != b->n_members)
		return true;
	for (i = 0; i < a->n_members; i++)
		if (a->members[i].state != b->members[i].state ||
		    memcmp(a->members[i].digest, b->members[i].digest,
			   sizeof(a->members[i].digest)))
			return true;
	return false;
}

int look_at_group(struct app *app, const char *label, struct ha_group_status *status)
{
	struct progress waiting;
	unsigned int i;
	int ret;

	waiting_begin(&waiting, app, "the members of group %s", label);
	ret = ha_group_status(app->ha, label, status);
	progress_end(&waiting);
	for (i = 0; !ret && i < status->n_members; i++)
		app->hung |= status->members[i].state == HA_MEMBER_DOWN &&
			     status->members[i].slot != HA_SLOT_NONE;
	return ret;
}

enum status group_status(struct app *app, const char *label, struct ha_group_status *status)
{
	const struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };
	struct ha_group_status *before = malloc(sizeof(*before));
	int64_t begun = now_ms();
	int ret, still = 0;

	if (!before)
		return fail_errno(app, -ENOMEM, "looking at group %s", label);
	ret = look_at_group(app, label, status);
	while (!ret && status->needs_sync && still < 3 && now_ms() - begun < LOOK_AGAIN_MS) {
		*before = *status;
		nanosleep(&pause, NULL);
		ret = look_at_group(app, label, status);
		still = moved(before, status) ? 0 : still + 1;
	}
	free(before);
	return ret ? fail_errno(app, ret, "looking at group %s", label) : ST_OK;
}

/* What the product does not have is shown where it is set, below what the product shows. */
static void print_own(const struct ha_config_group *group)
{
	bool any = group->mincopies;
	unsigned int i;

	for (i = 0; i < group->n_members; i++)
		any |= group->members[i].drain || group->members[i].weight;
	if (!any)
		return;
	printf("\n");
	if (group->mincopies)
		printf(INDENT "A new object needs %u copies.\n", group->mincopies);
	for (i = 0; i < group->n_members; i++) {
		const struct ha_config_member *m = &group->members[i];

		if (m->drain)
			printf(INDENT "Member %s is drained.\n", m->serial);
		if (m->weight)
			printf(INDENT "Member %s has weight %u.\n", m->serial, m->weight);
	}
}

void print_group(const struct ha_group_status *status, bool slots)
{
	const struct ha_config_group *group = &status->group;
	bool any = false;
	unsigned int i;

	printf("%23s:  %s\n", "HA Group Label", group->label);
	printf("%23s:  %s\n", "HA Group Number", group->number);
	printf("%23s:  %" PRIu32 "\n", "HA Group Slot ID", group->slot);
	/* One column off, as documented. */
	printf("%22s: %s\n", "Synchronization", group->synchronize ? "enabled" : "disabled");
	printf("%23s:  ", "Group Members");
	for (i = 0; i < group->n_members; i++)
		printf("%s%s", i ? ", " : "", group->members[i].serial);
	printf("\n%23s:  %s\n", "Needs sync", status->needs_sync ? "yes" : "no");
	printf("%23s:  ", "Standby Members");
	for (i = 0; i < group->n_members; i++) {
		if (!group->members[i].standby)
			continue;
		printf("%s%s", any ? ", " : "", group->members[i].serial);
		any = true;
	}
	printf("%s\n\n\n", any ? "" : "<none>");
	printf("Slot #    Member S/N                      Member Label    Status\n"
	       "======    ==========                      ============    ======\n");
	for (i = 0; i < status->n_members; i++) {
		const struct ha_member_status *m = &status->members[i];
		char slot[16] = NO_SLOT;

		if (slots && m->slot != HA_SLOT_NONE)
			snprintf(slot, sizeof(slot), "%" PRIu32, m->slot);
		printf("%6s  %s%34s%10s\n", slot, m->serial, m->label[0] ? m->label : NO_LABEL,
		       member_state_name(m->state));
	}
	print_own(group);
	for (i = 0; i < status->n_members; i++) {
		const struct ha_member_status *m = &status->members[i];

		if (m->reason[0] && m->state != HA_MEMBER_ALIVE && m->state != HA_MEMBER_DOWN)
			printf("\n" INDENT "Member %s: %s\n", m->serial, m->reason);
	}
}

static const char *mode_name(enum ha_recovery_mode mode)
{
	return mode == HA_RECOVERY_ENHANCED ? "activeEnhanced" : "activeBasic";
}

static void print_settings(const struct ha_config *config)
{
	printf("%30s:  %s\n", "HA auto recovery", config->retry_count ? "enabled" : "disabled");
	printf("%30s:  %s\n", "HA recovery mode", mode_name(config->recovery_mode));
	printf("%30s:  %d\n", "Maximum auto recovery retry", config->retry_count);
	printf("%30s:  %u seconds\n", "Auto recovery poll interval", config->retry_interval);
	printf("%30s:  %s\n", "HA logging", config->log_enabled ? "enabled" : "disabled");
	printf("%30s:  %s\n", "Only Show HA Slots", config->ha_only ? "yes" : "no");
}

void group_json(struct json_object *group, const struct ha_group_status *status)
{
	struct json_object *members = put_list(group, "members");
	unsigned int i;

	put_text(group, "label", status->group.label);
	put_text(group, "number", status->group.number);
	put_number(group, "slot", status->group.slot);
	put_bool(group, "synchronize", status->group.synchronize);
	put_number(group, "min_copies", status->group.mincopies ? status->group.mincopies : 1);
	put_bool(group, "needs_sync", status->needs_sync);
	for (i = 0; i < status->n_members; i++) {
		const struct ha_member_status *m = &status->members[i];
		struct json_object *member = put_item(members);
		bool there = m->state != HA_MEMBER_DOWN;

		put_text(member, "serial", m->serial);
		put_text(member, "label", m->label[0] ? m->label : NULL);
		put_number_if(member, "slot", m->slot != HA_SLOT_NONE, m->slot);
		put_bool(member, "standby", m->standby);
		put_bool(member, "drain", m->drain);
		put_number(member, "weight", m->weight);
		put_text(member, "state", member_state_name(m->state));
		put_text(member, "reason", m->reason[0] ? m->reason : NULL);
		put_number_if(member, "objects", there, m->objects);
		put_number_if(member, "tombstones", there, m->tombstones);
	}
}

static void list_json(struct json_object *top, const struct ha_config *config,
		      const struct ha_group_status *status, unsigned int n)
{
	struct json_object *groups = put_list(top, "groups");
	unsigned int i;

	put_bool(top, "auto_recovery", config->retry_count);
	put_text(top, "recovery_mode", mode_name(config->recovery_mode));
	put_number(top, "retry_count", config->retry_count);
	put_number(top, "retry_interval", config->retry_interval);
	put_bool(top, "log_enabled", config->log_enabled);
	put_bool(top, "ha_only", config->ha_only);
	for (i = 0; i < n; i++)
		group_json(put_item(groups), &status[i]);
}

/*
 * In a context of its own: a login of the operator at the prompt is not touched, and a wrong
 * password costs one attempt in the whole group.
 */
enum status check_password(struct app *app, const struct ha_group_status *status,
			   const struct secret *secret)
{
	struct pciehsm_transport *t;
	uint32_t attempts = NO_ATTEMPTS;
	unsigned int i;
	CK_RV rv;

	for (i = 0; i < status->n_members; i++) {
		const char *serial = status->members[i].serial;

		if (status->members[i].state == HA_MEMBER_DOWN ||
		    app->bus->ops->open(app->bus, serial, &t))
			continue;
		rv = login_at(app, t, serial, PCIEHSM_ROLE_CO, secret, NULL, &attempts);
		t->ops->close(t);
		if (pciehsm_rv_gone(rv))
			continue;
		return rv ? fail_auth(app, rv, PCIEHSM_ROLE_CO, attempts, "logging in as Crypto Officer at "
				      "member %s of group %s", serial, status->group.label) : ST_OK;
	}
	return ST_OK;
}

/* Is the operator going to be asked for a password, which takes time? */
static bool will_ask(struct app *app, const struct args *args)
{
	return !arg_given(args, "password") && !app->json && can_ask(app);
}

/* Ask as the product does; nobody to ask, or nothing entered, is no obstacle to the list. */
static enum status ask_for_group(struct app *app, struct args *args,
				 const struct ha_group_status *status)
{
	bool given = arg_given(args, "password");
	struct secret secret;
	enum status st;

	if (!given && !will_ask(app, args))
		return ST_OK;
	if (!given)
		say(app, "\n" INDENT "If you would like to see synchronization data for group %s,\n"
		       INDENT "please enter the password for the group members. Sync info\n"
		       INDENT "not available in HA Only mode.\n\n\n", status->group.label);
	st = secret_get_any(app, args, "password", "Enter the password", &secret);
	if (!given)
		say(app, "\n");
	if (!st && secret.len)
		st = check_password(app, status, &secret);
	secret_wipe(&secret);
	return st;
}

static enum status list_groups(struct app *app, struct args *args, struct ha_config *config,
			       struct ha_group_status *status)
{
	const char *only = arg_text(args, "group");
	struct ha_config_group *group;
	enum status st = ST_OK;
	unsigned int i, n = 0;
	int64_t begun, looked;
	bool slow;

	if (only)
		st = group_get(app, config, only, &group);
	for (i = 0; !st && i < config->n_groups; i++) {
		if (only && &config->groups[i] != group)
			continue;
		/* Where the password is asked for, time passes after this look. */
		begun = now_ms();
		if (look_at_group(app, config->groups[i].label, &status[n]))
			continue;
		looked = now_ms();
		/* A password that is given is one for all; it is gone once it is used. */
		if (!n || !arg_given(args, "password"))
			st = ask_for_group(app, args, &status[n]);
		/* Looking again takes as long as the first time, for members that hang. */
		slow = looked - begun >= LOOK_AGAIN_MS / 2;
		if (!st && (will_ask(app, args) || (status[n].needs_sync && !slow)))
			st = group_status(app, config->groups[i].label, &status[n]);
		n++;
	}
	if (st)
		return st;
	if (app->json) {
		list_json(app->out, config, status, n);
		return ST_OK;
	}
	say(app, "\n");
	print_settings(config);
	for (i = 0; i < n; i++) {
		say(app, "\n\n");
		print_group(&status[i], !config->ha_only);
	}
	if (!n)
		say(app, "\n\n" INDENT "There are no HA groups. Make one with: hagroup creategroup\n");
	return ST_OK;
}

enum status cmd_ha_listgroups(struct app *app, struct args *args)
{
	struct ha_group_status *status;
	struct ha_config *config;
	enum status st;

	st = ha_config_usable(app);
	if (st)
		return st;
	config = ha_config_get(app->ha);
	status = calloc(HA_MAX_GROUPS, sizeof(*status));
	if (!config || !status)
		st = fail_errno(app, -ENOMEM, "reading the HA configuration");
	else
		st = list_groups(app, args, config, status);
	free(status);
	free(config);
	return st;
}
