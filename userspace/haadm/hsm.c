// SPDX-License-Identifier: LGPL-2.1-or-later
/* hsm init, show, factoryreset: what concerns a whole card. */
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "haadm.h"

#define INDENT	"        "
#define WAIT_MS	10000

/* Serials of a card's partitions: they have to be gone before we say that they are. */
static void wait_partitions_gone(struct app *app, const char *hsm_serial)
{
	struct pciehsm_device *list = NULL;
	int i, n = app->bus->ops->list(app->bus, &list);

	for (i = 0; i < n; i++)
		if (list[i].number && !strcmp(list[i].hsm_serial, hsm_serial))
			wait_device(app, list[i].serial, false, NULL);
	if (n >= 0)
		free(list);
}

enum status open_hsm(struct app *app, struct args *args, struct ha_slot *slot,
		     struct context **context, struct pciehsm_hsm_info *info)
{
	enum status st;
	CK_RV rv;

	st = target_slot(app, args, HA_SLOT_HSM, slot);
	if (!st)
		st = context_get(app, slot->serial, context);
	if (st)
		return st;
	rv = pciehsm_hsm_info((*context)->transport, info);
	return rv ? fail_rv(app, rv, "asking HSM %s", slot->serial) : ST_OK;
}

/* What the product's command has for other models than this one */
static enum status not_of_this_hsm(struct app *app, const struct args *args)
{
	if (arg_given(args, "iped"))
		return fail(app, ST_REFUSED, CODE_OF_STATUS,
			    "Leave the option away: roles are authenticated by passwords.",
			    "this HSM has no PIN entry device");
	if (arg_given(args, "domain"))
		return fail(app, ST_REFUSED, CODE_OF_STATUS,
			    "Leave the option away, and give each partition its domain: partition "
			    "init -domain",
			    "this HSM has no cloning domain of its own");
	return ST_OK;
}

enum status cmd_hsm_init(struct app *app, struct args *args)
{
	uint32_t attempts = NO_ATTEMPTS;
	struct pciehsm_hsm_info info;
	struct template template;
	struct context *context;
	struct progress waiting;
	struct secret secret;
	char *partitions;
	struct ha_slot slot;
	enum status st;
	char text[120];
	CK_RV rv;

	st = not_of_this_hsm(app, args);
	if (!st)
		st = open_hsm(app, args, &slot, &context, &info);
	if (!st)
		st = template_read(app, args, HA_SLOT_HSM, context->transport, &template);
	if (!st)
		st = check_copies_hsm(app, args, slot.serial, &partitions);
	if (st)
		return st;
	snprintf(text, sizeof(text), "HSM %s is going to be initialized. %s", slot.serial,
		 partitions[0] ? "All that it holds will be destroyed:" :
		 "It holds no partitions.");
	st = confirm_destroying(app, args, text, partitions);
	free(partitions);
	if (!st && info.flags & PCIEHSM_HSM_INITIALISED)
		st = last_attempt(app, args, context, PCIEHSM_ROLE_SO);
	if (st)
		return st;
	say(app, "\n");
	if (info.flags & PCIEHSM_HSM_INITIALISED)
		st = secret_get(app, args, "password", "Enter the HSM SO's password", &secret);
	else
		st = secret_new(app, args, "password", "Enter new password for the HSM SO",
				PCIEHSM_PIN_MIN, PCIEHSM_PIN_MAX, &secret);
	if (st)
		return st;
	waiting_begin(&waiting, app, "HSM %s to be initialized", slot.serial);
	rv = pciehsm_hsm_init(context->transport, arg_text(args, "label"), secret.data,
			      secret.len, &attempts);
	progress_end(&waiting);
	context_drop(app, slot.serial);
	if (rv) {
		secret_wipe(&secret);
		return fail_auth(app, rv, PCIEHSM_ROLE_SO, attempts, "initializing HSM %s",
				 slot.serial);
	}
	wait_partitions_gone(app, slot.serial);
	put_text(app->out, "serial", slot.serial);
	put_text(app->out, "label", arg_text(args, "label"));
	say(app, INDENT "HSM %s initialized, label %s.\n", slot.serial, arg_text(args, "label"));
	st = after_init(app, args, slot.serial, HA_SLOT_HSM, &secret, &template);
	secret_wipe(&secret);
	return st;
}

/* Without a login, as the product: what is left of it is what the maker has put there. */
static enum status destroy_all(struct app *app, struct args *args, const char *what,
			       CK_RV (*command)(struct pciehsm_transport *t), const char *doing,
			       const char *done)
{
	struct pciehsm_hsm_info info;
	struct context *context;
	struct ha_slot slot;
	struct progress waiting;
	char *partitions;
	enum status st;
	char text[200];
	CK_RV rv;

	st = open_hsm(app, args, &slot, &context, &info);
	if (!st)
		st = check_copies_hsm(app, args, slot.serial, &partitions);
	if (st)
		return st;
	snprintf(text, sizeof(text), "HSM %s is going to be %s.", slot.serial, what);
	st = confirm_destroying(app, args, text, partitions);
	free(partitions);
	if (st)
		return st;
	waiting_begin(&waiting, app, "HSM %s to be %s", slot.serial, done);
	rv = command(context->transport);
	progress_end(&waiting);
	context_drop(app, slot.serial);
	if (rv)
		return fail_rv(app, rv, "%s HSM %s", doing, slot.serial);
	wait_partitions_gone(app, slot.serial);
	put_text(app->out, "serial", slot.serial);
	say(app, "\n" INDENT "HSM %s was %s.\n", slot.serial, done);
	return ST_OK;
}

enum status cmd_hsm_zeroize(struct app *app, struct args *args)
{
	return destroy_all(app, args, "zeroized: its Security Officer and its partitions will be "
			   "destroyed, its policies stay", pciehsm_hsm_zeroize, "zeroizing",
			   "zeroized");
}

enum status cmd_hsm_factoryreset(struct app *app, struct args *args)
{
	return destroy_all(app, args, "reset to what it was when it left the factory: its roles, "
			   "policies and partitions will be destroyed", pciehsm_hsm_factory_reset,
			   "resetting", "reset");
}

static const char *hsm_state(uint32_t flags)
{
	if (flags & PCIEHSM_HSM_TAMPERED)
		return "Tampered";
	if (flags & PCIEHSM_HSM_INITIALISED)
		return "OK";
	return "Zeroized";
}

enum status cmd_hsm_show(struct app *app, struct args *args)
{
	struct pciehsm_hsm_info info;
	struct context *context;
	struct ha_slot slot;
	enum status st;

	st = open_hsm(app, args, &slot, &context, &info);
	if (st)
		return st;
	if (app->json) {
		struct json_object *top = app->out;

		put_number(top, "slot", slot.id);
		put_text(top, "serial", info.serial);
		put_text(top, "label", info.label);
		put_text(top, "model", info.model);
		put_text(top, "firmware_version", info.fw_version);
		put_text(top, "state", hsm_state(info.flags));
		put_bool(top, "initialised", info.flags & PCIEHSM_HSM_INITIALISED);
		put_number(top, "partitions", info.partitions);
		put_number(top, "partitions_max", info.partitions_max);
		put_number(top, "engines", info.engines);
		put_number(top, "space", info.space);
		put_number(top, "space_free", info.space_free);
		pci_show(app, slot.serial, top);
		return ST_OK;
	}
	say(app, "\n");
	print_arrow(28, "HSM Label", "%s", info.label);
	print_arrow(28, "HSM Serial Number", "%s", info.serial);
	print_arrow(28, "HSM Model", "%s", info.model);
	print_arrow(28, "HSM Firmware Version", "%s", info.fw_version);
	print_arrow(28, "HSM Status", "%s", hsm_state(info.flags));
	print_arrow(28, "Partitions", "%" PRIu32 " of %" PRIu32, info.partitions,
		    info.partitions_max);
	print_arrow(28, "Engines", "%" PRIu32, info.engines);
	print_arrow(28, "Storage Total", "%" PRIu64 " bytes", info.space);
	print_arrow(28, "Storage Free", "%" PRIu64 " bytes", info.space_free);
	print_arrow(28, "Logged In", "%s", context->role ? role_long(context->role) : "nobody");
	pci_show(app, slot.serial, NULL);
	return ST_OK;
}
