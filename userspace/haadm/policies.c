// SPDX-License-Identifier: LGPL-2.1-or-later
/* hsm and partition showpolicies, changepolicy. The numbers are those of the product's tables. */
#include <endian.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "haadm.h"

#define INDENT	"        "

struct policy_name {
	uint32_t	id;
	const char	*text;
};

static const struct policy_name hsm_names[] = {
	{ 7, "Allow cloning" },
	{ 12, "Allow non-FIPS algorithms" },
	{ 15, "SO can reset partition PIN" },
	{ 16, "Allow network replication" },
	{ 40, "Decommission on tamper" },
	{ 46, "Disable decommission" },
	{ 50, "Allow functionality modules" },
	{ 0, NULL }
};

static const struct policy_name partition_names[] = {
	{ 0, "Allow private key cloning" },
	{ 1, "Allow private key wrapping" },
	{ 2, "Allow private key unwrapping" },
	{ 3, "Allow private key masking" },
	{ 4, "Allow secret key cloning" },
	{ 5, "Allow secret key wrapping" },
	{ 6, "Allow secret key unwrapping" },
	{ 7, "Allow secret key masking" },
	{ 10, "Allow multipurpose keys" },
	{ 11, "Allow changing key attributes" },
	{ 15, "Ignore failed challenge responses" },
	{ 16, "Operate without RSA blinding" },
	{ 17, "Allow signing with non-local keys" },
	{ 18, "Allow raw RSA operations" },
	{ 20, "Max failed user logins allowed" },
	{ 21, "Allow high availability recovery" },
	{ 22, "Allow activation" },
	{ 23, "Allow auto-activation" },
	{ 25, "Minimum PIN length (255 minus it)" },
	{ 26, "Maximum PIN length" },
	{ 28, "Allow key management functions" },
	{ 29, "Perform RSA signing without confirmation" },
	{ 31, "Allow private key unmasking" },
	{ 32, "Allow secret key unmasking" },
	{ 33, "Allow RSA PKCS mechanism" },
	{ 34, "Allow CBC-PAD (un)wrap keys of any size" },
	{ 37, "Force secure trusted channel" },
	{ 39, "Allow start/end date attributes" },
	{ 40, "Require per-key authorization data" },
	{ 41, "Partition version" },
	{ 42, "Allow CPv1" },
	{ 43, "Allow non-FIPS algorithms" },
	{ 44, "Allow extended domain management" },
	{ 0, NULL }
};

const char *policy_text(enum ha_slot_kind kind, uint32_t id)
{
	const struct policy_name *n = kind == HA_SLOT_HSM ? hsm_names : partition_names;

	for (; n->text; n++)
		if (n->id == id)
			return n->text;
	return "(no name)";
}

bool policy_takes(enum ha_slot_kind kind, uint32_t id, uint32_t value)
{
	if (kind == HA_SLOT_PARTITION && id == 20)
		return value >= 1 && value <= 10;
	/* The lengths of passwords; the least one is 255 minus its value. */
	if (kind == HA_SLOT_PARTITION && id == 25)
		return value <= 255 - PCIEHSM_PIN_MIN;
	if (kind == HA_SLOT_PARTITION && id == 26)
		return value >= PCIEHSM_PIN_MIN && value <= PCIEHSM_PIN_MAX;
	return value <= 1;
}

/* What happens to the contents when it is set to this value */
static bool destroys(const struct pciehsm_policy *policy, uint32_t value)
{
	uint32_t old = le32toh(policy->value), flags = le32toh(policy->flags);

	return (value > old && flags & PCIEHSM_POLICY_DESTROYS_ON) ||
	       (value < old && flags & PCIEHSM_POLICY_DESTROYS_OFF);
}

static const char *destructive_text(uint32_t flags)
{
	bool on = flags & PCIEHSM_POLICY_DESTROYS_ON, off = flags & PCIEHSM_POLICY_DESTROYS_OFF;

	return on && off ? "yes" : on ? "off to on" : off ? "on to off" : "no";
}

static enum status get_policies(struct app *app, struct args *args, enum ha_slot_kind kind,
				struct ha_slot *slot, struct context **context,
				struct pciehsm_policy **list, size_t *n)
{
	enum status st = target_slot(app, args, kind, slot);
	CK_RV rv;

	if (!st)
		st = context_get(app, slot->serial, context);
	if (st)
		return st;
	rv = pciehsm_policy_get((*context)->transport, list, n);
	return rv ? fail_rv(app, rv, "asking %s for its policies", slot->serial) :
	       ST_OK;
}

static void policy_json(struct json_object *object, enum ha_slot_kind kind,
			const struct pciehsm_policy *policy)
{
	uint32_t flags = le32toh(policy->flags);

	put_number(object, "policy", le32toh(policy->id));
	put_text(object, "name", policy_text(kind, le32toh(policy->id)));
	put_number(object, "value", le32toh(policy->value));
	put_number(object, "default", le32toh(policy->def));
	put_bool(object, "fixed", flags & PCIEHSM_POLICY_FIXED);
	put_bool(object, "destroys_on", flags & PCIEHSM_POLICY_DESTROYS_ON);
	put_bool(object, "destroys_off", flags & PCIEHSM_POLICY_DESTROYS_OFF);
}

static enum status show_policies(struct app *app, struct args *args, enum ha_slot_kind kind)
{
	bool all = arg_given(args, "verbose");
	struct pciehsm_policy *list;
	struct context *context;
	struct ha_slot slot;
	enum status st;
	size_t i, n;

	st = get_policies(app, args, kind, &slot, &context, &list, &n);
	if (st)
		return st;
	if (arg_given(args, "exporttemplate")) {
		put_text(app->out, "serial", slot.serial);
		st = template_write(app, arg_text(args, "exporttemplate"), kind, list, n);
		free(list);
		return st;
	}
	if (app->json) {
		struct json_object *array = put_list(app->out, "policies");

		put_text(app->out, "serial", slot.serial);
		for (i = 0; i < n; i++)
			policy_json(put_item(array), kind, &list[i]);
		free(list);
		return ST_OK;
	}
	say(app, "\n" INDENT "%s Policies of %s\n\n", kind == HA_SLOT_HSM ? "HSM" : "Partition",
	       slot.serial);
	say(app, INDENT "%4s  %-40s  %5s  %7s  %s\n", "Code", "Description", "Value", "Default",
	       "Destructive");
	for (i = 0; i < n; i++) {
		uint32_t flags = le32toh(list[i].flags);

		if (flags & PCIEHSM_POLICY_FIXED && !all)
			continue;
		say(app, INDENT "%4" PRIu32 "  %-40s  %5" PRIu32 "  %7" PRIu32 "  %s\n",
		       le32toh(list[i].id), policy_text(kind, le32toh(list[i].id)),
		       le32toh(list[i].value), le32toh(list[i].def),
		       flags & PCIEHSM_POLICY_FIXED ? "fixed" : destructive_text(flags));
	}
	if (!all)
		say(app, "\n" INDENT "Policies that can not be changed are shown with -verbose.\n");
	free(list);
	return ST_OK;
}

enum status cmd_hsm_showpolicies(struct app *app, struct args *args)
{
	return show_policies(app, args, HA_SLOT_HSM);
}

enum status cmd_partition_showpolicies(struct app *app, struct args *args)
{
	return show_policies(app, args, HA_SLOT_PARTITION);
}

static enum status change_policy(struct app *app, struct args *args, enum ha_slot_kind kind)
{
	uint32_t role = kind == HA_SLOT_HSM ? PCIEHSM_ROLE_SO : PCIEHSM_ROLE_PO;
	uint32_t id = arg_number(args, "policy", 0), value = arg_number(args, "value", 0);
	const struct pciehsm_policy *policy = NULL;
	struct pciehsm_policy *list;
	struct context *context;
	bool destroying = false, fixed = false;
	struct ha_slot slot;
	char text[300], *contents;
	struct progress waiting;
	enum status st;
	size_t i, n;
	CK_RV rv;

	st = get_policies(app, args, kind, &slot, &context, &list, &n);
	if (st)
		return st;
	for (i = 0; i < n && !policy; i++)
		if (le32toh(list[i].id) == id)
			policy = &list[i];
	if (policy) {
		destroying = destroys(policy, value);
		fixed = le32toh(policy->flags) & PCIEHSM_POLICY_FIXED;
	}
	free(list);
	if (!policy)
		return fail(app, ST_NOT_FOUND, CODE_OF_STATUS, kind == HA_SLOT_HSM ?
			    "See what there is with: hsm showpolicies -verbose" :
			    "See what there is with: partition showpolicies -verbose",
			    "%s has no policy %" PRIu32, slot.serial, id);
	if (fixed)
		return fail(app, ST_REFUSED, PCIEHSM_CKR_POLICY,
			    "The card's maker has fixed it: showpolicies shows those that can be "
			    "changed.",
			    "policy %" PRIu32 " (%s) of %s can not be changed", id,
			    policy_text(kind, id), slot.serial);
	if (destroying) {
		snprintf(text, sizeof(text), "Setting policy %" PRIu32 " (%s) of %s to %" PRIu32
			 " destroys %s:", id, policy_text(kind, id), slot.serial, value,
			 kind == HA_SLOT_HSM ? "all partitions of the HSM" :
			 "all objects of the partition");
		st = kind == HA_SLOT_HSM ? check_copies_hsm(app, args, slot.serial, &contents) :
		     check_copies(app, args, slot.serial, &contents);
		if (!st) {
			st = confirm_destroying(app, args, text, contents);
			free(contents);
		}
		if (st)
			return st;
	}
	say(app, "\n");
	st = need_login(app, args, context, role, "password");
	if (st)
		return st;
	waiting_begin(&waiting, app, "%s to set the policy", slot.serial);
	rv = pciehsm_policy_set(context->transport, id, value);
	progress_end(&waiting);
	if (rv)
		return fail_rv(app, rv, "setting policy %" PRIu32 " (%s) of %s to %"
			       PRIu32, id, policy_text(kind, id), slot.serial, value);
	put_text(app->out, "serial", slot.serial);
	put_number(app->out, "policy", id);
	put_text(app->out, "name", policy_text(kind, id));
	put_number(app->out, "value", value);
	say(app, INDENT "Policy %" PRIu32 " (%s) of %s has been set to %" PRIu32 ".\n", id,
	       policy_text(kind, id), slot.serial, value);
	return ST_OK;
}

enum status cmd_hsm_changepolicy(struct app *app, struct args *args)
{
	return change_policy(app, args, HA_SLOT_HSM);
}

enum status cmd_partition_changepolicy(struct app *app, struct args *args)
{
	return change_policy(app, args, HA_SLOT_PARTITION);
}
