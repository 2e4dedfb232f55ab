// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Before something is destroyed: what is it, and does a live member elsewhere hold the
 * same? What only a group's lost or differing members could give back is not destroyed by
 * accident.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "haadm.h"

bool members_agree(const struct ha_member_status *a, const struct ha_member_status *b)
{
	return !memcmp(a->digest, b->digest, sizeof(a->digest));
}

static bool live(const struct ha_member_status *m)
{
	return m->slot != HA_SLOT_NONE && m->state != HA_MEMBER_DOWN;
}

/**
 * struct copies - who else holds what a member holds
 * @unknown:	the member is there, and could not be asked what it holds
 * @objects:	of the member; 0 as well where it is not there
 * @others:	other live members, on other cards than the one that is emptied
 * @same:	those of them that hold the same
 * @where:	their serials, as text
 */
struct copies {
	bool		unknown;
	uint32_t	objects;
	unsigned int	others;
	unsigned int	same;
	char		where[HA_MAX_MEMBERS * 27];
};

/*
 * Of a member that is down: one that is gone takes nothing along any more, but one that is
 * there may just be slow. Nothing is lost with it only if it says itself that it is empty.
 */
static bool unknown_contents(struct app *app, const struct ha_member_status *m)
{
	struct pciehsm_partition_info info;
	struct pciehsm_transport *t;
	CK_RV rv;

	if (m->slot == HA_SLOT_NONE)
		return false;
	if (app->bus->ops->open(app->bus, m->serial, &t))
		return true;
	rv = pciehsm_partition_info(t, &info);
	t->ops->close(t);
	return rv || info.objects;
}

/* @hsm: what is on this card does not count; NULL: everything does */
static enum status count_copies(struct app *app, const char *label, const char *serial,
				const char *hsm, struct copies *copies)
{
	struct ha_group_status *status = malloc(sizeof(*status));
	const struct ha_member_status *m = NULL;
	struct pciehsm_device device;
	enum status st;
	unsigned int i;
	size_t len = 0;

	memset(copies, 0, sizeof(*copies));
	if (!status)
		return fail_errno(app, -ENOMEM, "looking at group %s", label);
	st = group_status(app, label, status);
	for (i = 0; !st && i < status->n_members; i++) {
		if (strcmp(status->members[i].serial, serial))
			continue;
		if (live(&status->members[i]))
			m = &status->members[i];
		else
			copies->unknown = unknown_contents(app, &status->members[i]);
	}
	for (i = 0; m && i < status->n_members; i++) {
		const struct ha_member_status *o = &status->members[i];

		if (o == m || !live(o) || (hsm && find_device(app, o->serial, &device) &&
					   !strcmp(device.hsm_serial, hsm)))
			continue;
		copies->others++;
		if (!members_agree(o, m))
			continue;
		len += snprintf(copies->where + len, sizeof(copies->where) - len, "%s%s",
				copies->same++ ? ", " : "", o->serial);
	}
	if (m)
		copies->objects = m->objects;
	free(status);
	return st;
}

enum status check_copies_leaving(struct app *app, const char *label, const char *serial)
{
	struct copies copies;
	enum status st = count_copies(app, label, serial, NULL, &copies);

	if (!st && copies.unknown)
		return fail(app, ST_REFUSED, CODE_OF_STATUS,
			    "Try again when it answers; the kernel log may tell why it does not. "
			    "-force removes it all the same; its objects stay in the partition.",
			    "partition %s is there, but could not be asked whether the other members "
			    "of group %s hold what it holds", serial, label);
	if (st || !copies.objects || copies.same)
		return st;
	if (!copies.others)
		return fail(app, ST_REFUSED, CODE_OF_STATUS,
			    "Bring another member back or add one first. -force removes this one all "
			    "the same; its objects stay in the partition.",
			    "partition %s is the only live member of group %s and holds %" PRIu32
			    " object%s", serial, label, copies.objects, PLURAL(copies.objects));
	return fail(app, ST_REFUSED, CODE_OF_STATUS,
		    "Bring the members to the same contents first: hagroup synchronize. -force "
		    "removes this one all the same; its objects stay in the partition.",
		    "partition %s holds contents that no other live member of group %s has", serial,
		    label);
}

static enum status check_in_group(struct app *app, const struct args *args,
				  const struct ha_config_group *group, const char *serial,
				  const char *hsm)
{
	struct copies copies;
	enum status st = count_copies(app, group->label, serial, hsm, &copies);

	if (!st && copies.unknown && !arg_given(args, "force"))
		return fail(app, ST_REFUSED, CODE_OF_STATUS,
			    "Try again when it answers; the kernel log may tell why it does not. "
			    "-force destroys its objects all the same, and what only this member has "
			    "is lost.",
			    "partition %s could not be asked whether the other members of group %s "
			    "hold what it holds", serial, group->label);
	if (!st && copies.unknown)
		warn_user(app, "Warning: partition %s could not be asked whether the other members of "
			  "group %s hold what it holds.", serial, group->label);
	if (st || !copies.objects || copies.same)
		return st;
	if (!arg_given(args, "force"))
		return fail(app, ST_REFUSED, CODE_OF_STATUS,
			    "Bring another member back, or to the same contents (hagroup "
			    "synchronize), first. -force destroys the objects all the same, and what "
			    "only this member has is lost.",
			    "partition %s holds %" PRIu32 " object%s of group %s that would be lost: "
			    "no other live member holds the same", serial, copies.objects,
			    PLURAL(copies.objects), group->label);
	warn_user(app, "Warning: no other live member of group %s holds what is in partition %s (%"
		  PRIu32 " object%s).", group->label, serial, copies.objects,
		  PLURAL(copies.objects));
	return ST_OK;
}

/* The group that a partition is in; NULL: none */
static const struct ha_config_group *group_of(const struct ha_config *config, const char *serial)
{
	unsigned int g;

	for (g = 0; g < config->n_groups; g++)
		if (member_index(&config->groups[g], serial) >= 0)
			return &config->groups[g];
	return NULL;
}

/* One line of what is going to be destroyed, and where else it is */
static enum status describe(struct app *app, const struct ha_config *config,
			    const struct ha_slot *slot, const char *hsm, FILE *out)
{
	const struct ha_config_group *group = group_of(config, slot->serial);
	struct pciehsm_partition_info info;
	struct context *context;
	struct copies copies;
	enum status st;
	CK_RV rv;

	st = context_get(app, slot->serial, &context);
	if (st)
		return st;
	rv = pciehsm_partition_info(context->transport, &info);
	fprintf(out, "\n  partition %s (%s): ", slot->serial,
		slot->label[0] ? slot->label : "no label");
	if (rv)
		fprintf(out, "does not say what it holds (%s)", pciehsm_rv_name(rv));
	else
		fprintf(out, "%" PRIu32 " object%s", info.objects, PLURAL(info.objects));
	if (!group) {
		fprintf(out, rv || info.objects ? "; in no HA group, no other copy is known" : "");
		return ST_OK;
	}
	fprintf(out, "; member of HA group %s", group->label);
	st = count_copies(app, group->label, slot->serial, hsm, &copies);
	if (st || !copies.objects)
		return st;
	if (copies.same)
		fprintf(out, ", the same on %s", copies.where);
	else
		fprintf(out, ", NO OTHER live member holds the same");
	return ST_OK;
}

/*
 * Check and describe what stands on a card, or one partition. The checks come first: what is
 * refused needs no description.
 */
static enum status survey(struct app *app, const struct args *args, const char *serial,
			  const char *hsm, char **text)
{
	struct ha_config *config;
	struct ha_slot *list = NULL;
	enum status st = ha_config_usable(app);
	FILE *out = NULL;
	size_t i, n = 0, size;
	int pass;

	*text = NULL;
	/* A broken file would look like one without groups. */
	if (st)
		return st;
	config = ha_config_get(app->ha);
	if (config)
		out = open_memstream(text, &size);
	if (!out)
		st = fail_errno(app, -ENOMEM, "looking for copies");
	else
		st = slots_get(app, &list, &n);
	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < n && !st; i++) {
			const struct ha_slot *slot = &list[i];

			if (slot->kind != HA_SLOT_PARTITION ||
			    strcmp(serial ? slot->serial : slot->hsm_serial, serial ? serial : hsm))
				continue;
			if (pass)
				st = describe(app, config, slot, hsm, out);
			else if (group_of(config, slot->serial))
				st = check_in_group(app, args, group_of(config, slot->serial),
						    slot->serial, hsm);
		}
	}
	if (out)
		fclose(out);
	if (st) {
		free(*text);
		*text = NULL;
	}
	free(list);
	free(config);
	return st;
}

enum status check_copies(struct app *app, const struct args *args, const char *serial,
			 char **text)
{
	return survey(app, args, serial, NULL, text);
}

enum status check_copies_hsm(struct app *app, const struct args *args, const char *hsm_serial,
			     char **text)
{
	return survey(app, args, NULL, hsm_serial, text);
}

enum status describe_partition(struct app *app, const struct ha_slot *slot, char **text)
{
	enum status st = ha_config_usable(app);
	struct ha_config *config;
	FILE *out;

	if (st)
		return st;
	config = ha_config_get(app->ha);
	out = config ? open_memstream(text, &(size_t){ 0 }) : NULL;
	if (!out) {
		free(config);
		return fail_errno(app, -ENOMEM, "looking for copies");
	}
	st = describe(app, config, slot, NULL, out);
	fclose(out);
	free(config);
	if (st) {
		free(*text);
		*text = NULL;
	}
	return st;
}

enum status confirm_destroying(struct app *app, const struct args *args, const char *text,
			       const char *what)
{
	enum status st;
	char *question;

	if (asprintf(&question, "%s%s", text, what) < 0)
		return fail_errno(app, -ENOMEM, "asking");
	st = confirm(app, args, question);
	free(question);
	return st;
}
