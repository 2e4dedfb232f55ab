// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A partition that is to be a member and is not empty: what it brings along becomes the
 * group's, or goes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "haadm.h"

#define INDENT		"        "
#define FIND_AT_ONCE	256

/* Does a live member of the group hold exactly this? */
static bool group_holds(struct app *app, const char *label, const uint8_t *digest)
{
	struct ha_group_status *status = malloc(sizeof(*status));
	bool holds = false;
	unsigned int i;

	if (status && !look_at_group(app, label, status))
		for (i = 0; i < status->n_members; i++)
			holds |= status->members[i].state != HA_MEMBER_DOWN &&
				 !memcmp(status->members[i].digest, digest, PCIEHSM_DIGEST_LEN);
	free(status);
	return holds;
}

enum status ask_about_contents(struct app *app, const struct args *args, const char *label,
			       const char *serial, bool *remove)
{
	struct pciehsm_digest_info digest;
	struct context *context;
	char text[600];
	enum status st;
	CK_RV rv;

	*remove = false;
	st = context_get(app, serial, &context);
	if (st)
		return st;
	rv = pciehsm_digest(context->transport, &digest);
	if (rv)
		return fail_rv(app, rv, "asking partition %s", serial);
	/* The founder's deletions concern nobody else. */
	if (!digest.objects && (!label || !digest.tombstones))
		return ST_OK;
	if (label && group_holds(app, label, digest.digest))
		return ST_OK;
	if (!label) {
		/* Nobody else has objects that could suffer: without an answer they are kept. */
		if (!can_ask(app))
			return ST_OK;
		snprintf(text, sizeof(text), "Partition %s is not empty: what it holds (%" PRIu32
			 " object%s) becomes the group's (copy), or is destroyed first (remove).",
			 serial, digest.objects, PLURAL(digest.objects));
	} else {
		snprintf(text, sizeof(text),
			 "Partition %s is not empty. What it holds (%" PRIu32 " object%s) becomes the "
			 "group's (copy), or what of it the group does not have is destroyed first "
			 "(remove). Its record of %" PRIu32 " deletion%s will be applied to the group "
			 "either way. To have it join without, initialize it first (partition init).",
			 serial, digest.objects, PLURAL(digest.objects), digest.tombstones,
			 PLURAL(digest.tombstones));
	}
	return choose_contents(app, args, text, remove);
}

/* A live member of the group, logged in; *@t is NULL without a group */
static enum status open_member(struct app *app, const char *label, const struct secret *secret,
			       struct pciehsm_transport **t)
{
	struct ha_group_status *status;
	uint32_t attempts = NO_ATTEMPTS;
	enum status st;
	unsigned int i;
	CK_RV rv;

	*t = NULL;
	if (!label)
		return ST_OK;
	status = malloc(sizeof(*status));
	if (!status)
		return fail_errno(app, -ENOMEM, "looking at group %s", label);
	st = group_status(app, label, status);
	for (i = 0; !st && !*t && i < status->n_members; i++) {
		const char *serial = status->members[i].serial;

		if (status->members[i].state != HA_MEMBER_ALIVE ||
		    app->bus->ops->open(app->bus, serial, t))
			continue;
		rv = login_at(app, *t, serial, PCIEHSM_ROLE_CO, secret, NULL, &attempts);
		if (rv)
			st = fail_auth(app, rv, PCIEHSM_ROLE_CO, attempts,
				       "logging in as Crypto Officer at %s", serial);
	}
	if (!st && !*t)
		st = fail(app, ST_DEVICE, CODE_OF_STATUS,
			  "Bring a member back first, or let the objects join (copy).",
			  "no member of group %s is there to compare with", label);
	if (st && *t)
		(*t)->ops->close(*t);
	free(status);
	return st;
}

/* Destroy it unless @group has an object of that name, whatever its version. */
static CK_RV remove_one(struct pciehsm_transport *t, struct pciehsm_transport *group,
			const uint8_t *ouid, uint32_t *removed)
{
	CK_OBJECT_CLASS class;
	CK_ATTRIBUTE attr = { CKA_CLASS, &class, sizeof(class) };
	CK_RV rv = CKR_OBJECT_HANDLE_INVALID;

	if (group)
		rv = pciehsm_object_get(group, 0, ouid, &attr, 1, NULL);
	if (rv != CKR_OBJECT_HANDLE_INVALID)
		return rv;
	rv = pciehsm_object_destroy(t, 0, ouid, false, NULL);
	if (rv == CKR_OBJECT_HANDLE_INVALID)
		return CKR_OK;
	*removed += !rv;
	return rv;
}

enum status remove_contents(struct app *app, const char *label, const char *serial,
			    const struct secret *secret)
{
	uint8_t ouids[FIND_AT_ONCE * PCIEHSM_OUID_LEN];
	struct pciehsm_transport *t, *group;
	uint32_t i, n, seen = 0, removed = 0, attempts = NO_ATTEMPTS;
	struct pciehsm_partition_info info = { .objects = 0 };
	struct progress progress;
	uint64_t cursor = 0;
	enum status st;
	CK_RV rv;
	int ret;

	st = open_member(app, label, secret, &group);
	if (st)
		return st;
	ret = app->bus->ops->open(app->bus, serial, &t);
	if (ret) {
		if (group)
			group->ops->close(group);
		return fail_errno(app, ret, "opening partition %s", serial);
	}
	rv = login_at(app, t, serial, PCIEHSM_ROLE_CO, secret, NULL, &attempts);
	if (!rv)
		rv = pciehsm_partition_info(t, &info);
	progress_begin(&progress, app, "objects");
	for (i = 0; !rv && (!i || cursor); i = 1) {
		uint32_t k;

		rv = pciehsm_object_find(t, 0, NULL, 0, &cursor, ouids, FIND_AT_ONCE, &n);
		for (k = 0; !rv && k < n; k++) {
			rv = remove_one(t, group, ouids + k * PCIEHSM_OUID_LEN, &removed);
			progress_step(&progress, ++seen, info.objects);
		}
	}
	progress_end(&progress);
	t->ops->close(t);
	if (group)
		group->ops->close(group);
	put_number(app->out, "removed", removed);
	if (rv)
		return fail_auth(app, rv, PCIEHSM_ROLE_CO, attempts, "removing objects from partition "
				 "%s, after %" PRIu32 " of them", serial, removed);
	say(app, INDENT "%" PRIu32 " object%s removed from partition %s.\n", removed,
	    PLURAL(removed), serial);
	return ST_OK;
}
