// SPDX-License-Identifier: LGPL-2.1-or-later
/* slot list, slot set, the banner, and how commands find what they are about. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "haadm.h"

#define INDENT	"        "

enum status slots_get(struct app *app, struct ha_slot **list, size_t *count)
{
	int n = ha_slots(app->ha, 0, list);

	*count = 0;
	if (n == -ENODEV)
		return fail(app, ST_DEVICE, CODE_OF_STATUS,
			    "Load it with: modprobe pciehsm (or insmod pciehsm.ko)",
			    "the driver is not loaded");
	if (n < 0)
		return fail_errno(app, n, "looking for HSMs");
	*count = n;
	return ST_OK;
}

void slot_default(struct app *app)
{
	struct ha_slot *list = NULL;
	int i, n;

	if (app->slot_chosen)
		return;
	app->slot = HA_SLOT_NONE;
	n = ha_slots(app->ha, 0, &list);
	/* Commands are about partitions and cards: a group is never meant by default. */
	for (i = 0; i < n; i++)
		if (list[i].kind != HA_SLOT_GROUP && list[i].id < app->slot)
			app->slot = list[i].id;
	if (n >= 0)
		free(list);
}

static const char *kind_name(enum ha_slot_kind kind)
{
	switch (kind) {
	case HA_SLOT_PARTITION:
		return "a partition";
	case HA_SLOT_GROUP:
		return "an HA group";
	case HA_SLOT_HSM:
		return "an HSM";
	}
	return "unknown";
}

static enum status find_slot(struct app *app, const struct args *args, bool use_current,
			     struct ha_slot *slot)
{
	const char *serial = arg_text(args, "serialnumber");
	long number = arg_number(args, "slot", -1);
	struct ha_slot *list;
	bool devices = false;
	enum status st;
	size_t i, n;

	st = slots_get(app, &list, &n);
	if (st)
		return st;
	if (!serial && number < 0 && use_current) {
		slot_default(app);
		number = app->slot;
	}
	st = ST_NOT_FOUND;
	for (i = 0; i < n && st; i++) {
		devices |= list[i].kind != HA_SLOT_GROUP;
		if (serial ? !strcmp(list[i].serial, serial) : (long)list[i].id == number) {
			*slot = list[i];
			st = ST_OK;
		}
	}
	free(list);
	if (!st)
		return ST_OK;
	if (!devices && !serial && !arg_given(args, "slot"))
		return fail(app, ST_DEVICE, CODE_OF_STATUS,
			    "Look for the cards with: lspci -d 1af4:10f0", "no HSM was found");
	if (serial)
		return fail(app, st, CODE_OF_STATUS, "See what is there with: slot list",
			    "there is nothing with serial number %s", serial);
	return fail(app, st, CODE_OF_STATUS, "See what is there with: slot list",
		    "there is no slot %ld", number);
}

enum status target_slot(struct app *app, const struct args *args, enum ha_slot_kind kind,
			struct ha_slot *slot)
{
	enum status st = find_slot(app, args, true, slot);
	char advice[160];

	if (st || slot->kind == kind)
		return st;
	if (kind == HA_SLOT_HSM && slot->kind == HA_SLOT_PARTITION)
		snprintf(advice, sizeof(advice), "This is for a card's own slot: give -slot, from "
			 "%d on, or -serial %s.", HA_SLOT_HSM_FIRST, slot->hsm_serial);
	else if (slot->kind == HA_SLOT_GROUP)
		snprintf(advice, sizeof(advice), "A group is administered through its members: "
			 "name the slot of one, or see: help hagroup");
	else
		snprintf(advice, sizeof(advice), "Give the slot of %s with -slot. See: slot list",
			 kind_name(kind));
	return fail(app, ST_USAGE, CODE_OF_STATUS, advice, "slot %" PRIu32 " (%s) is %s, not %s",
		    slot->id, slot->serial, kind_name(slot->kind), kind_name(kind));
}

enum status source_slot(struct app *app, const struct args *args, struct ha_slot *slot)
{
	struct args from = { .command = args->command };
	const struct value *v = arg_value(args, "from");
	static const struct option slot_option = { .names = "slot", .type = OPT_SLOT };

	if (v) {
		from.v[from.n] = *v;
		from.v[from.n++].option = &slot_option;
	}
	return target_slot(app, &from, HA_SLOT_PARTITION, slot);
}

enum status target_member(struct app *app, const struct args *args, struct ha_slot *slot)
{
	enum status st = find_slot(app, args, false, slot);

	if (!st && slot->kind != HA_SLOT_PARTITION)
		return fail(app, ST_USAGE, CODE_OF_STATUS,
			    "Members of a group are partitions. See: slot list",
			    "slot %" PRIu32 " (%s) is %s, not a partition", slot->id, slot->serial,
			    kind_name(slot->kind));
	return st;
}

/* ---- output ---- */

static void print_field(const char *name, const char *value)
{
	print_arrow(24, name, "%s", value);
}

static void print_slot(const struct ha_slot *slot)
{
	bool group = slot->kind == HA_SLOT_GROUP;
	char id[16];

	snprintf(id, sizeof(id), "%" PRIu32, slot->id);
	print_field("Slot Id", id);
	print_field(group ? "HSM Label" : "Label", slot->label);
	print_field(group ? "HSM Serial Number" : "Serial Number", slot->serial);
	print_field(group ? "HSM Model" : "Model", group ? "PcieHsmVirtual" : slot->model);
	print_field(group ? "HSM Firmware Version" : "Firmware Version", slot->fw_version);
	switch (slot->kind) {
	case HA_SLOT_GROUP:
		print_field("HSM Configuration",
			    "PcieHsm Virtual HSM (PW) Key Export With Cloning Mode");
		print_field("HSM Status", "N/A - HA Group");
		break;
	case HA_SLOT_PARTITION:
		print_field("Configuration",
			    "PcieHsm User Partition With SO (PW) Key Export With Cloning Mode");
		print_field("Slot Description", "User Token Slot");
		break;
	case HA_SLOT_HSM:
		print_field("Configuration",
			    "PcieHsm HSM Admin Partition (PW) Key Export With Cloning Mode");
		print_field("Slot Description", "Admin Token Slot");
		print_field("HSM Configuration", "PcieHsm HSM Admin Partition (PW)");
		print_field("HSM Status", slot->initialised ? "OK" : "Zeroized");
		break;
	}
}

enum status print_slots(struct app *app, bool hsms)
{
	struct ha_slot *list;
	bool cards = false;
	char *error;
	enum status st;
	size_t i, n;

	st = slots_get(app, &list, &n);
	if (st)
		return st;
	say(app, "\n\n" INDENT "Available HSMs:\n");
	for (i = 0; i < n; i++) {
		cards |= list[i].kind == HA_SLOT_HSM;
		if (list[i].kind == HA_SLOT_HSM && !hsms)
			continue;
		say(app, "\n");
		print_slot(&list[i]);
	}
	if (!n) {
		say(app, "\n" INDENT "none\n");
		warn_user(app, "\nNo card was found. Look for it with: lspci -d 1af4:10f0");
	} else if (!hsms && cards && list[0].kind == HA_SLOT_HSM) {
		say(app, "\n" INDENT "none; there are cards without partitions: slot list\n");
	}
	free(list);
	slot_default(app);
	say(app, "\n\n");
	if (app->slot == HA_SLOT_NONE)
		say(app, "Current Slot Id: none\n");
	else
		say(app, "Current Slot Id: %" PRIu32 "\n", app->slot);
	error = ha_config_error(app->ha);
	if (error) {
		warn_user(app, "\nWarning: the HA configuration is broken, groups are not available:");
		warn_user(app, "%s", error);
	}
	free(error);
	return ST_OK;
}

void print_banner(void)
{
	printf(HAADM_NAME " (%zu-bit) v" HAADM_VERSION ", part of pciehsm.\n", 8 * sizeof(void *));
}

static enum status slots_json(struct app *app)
{
	static const char *const kinds[] = { "partition", "group", "hsm" };
	struct json_object *array;
	struct ha_slot *list;
	enum status st;
	size_t i, n;

	st = slots_get(app, &list, &n);
	if (st)
		return st;
	slot_default(app);
	array = put_list(app->out, "slots");
	for (i = 0; i < n; i++) {
		struct json_object *slot = put_item(array);

		put_number(slot, "slot", list[i].id);
		put_text(slot, "kind", kinds[list[i].kind]);
		put_text(slot, "serial", list[i].serial);
		put_text(slot, "hsm_serial", list[i].hsm_serial[0] ? list[i].hsm_serial : NULL);
		put_text(slot, "label", list[i].label);
		put_text(slot, "model", list[i].model);
		put_text(slot, "firmware_version", list[i].fw_version);
		put_bool(slot, "initialised", list[i].initialised);
	}
	free(list);
	put_number_if(app->out, "current_slot", app->slot != HA_SLOT_NONE, app->slot);
	return ST_OK;
}

enum status cmd_slot_partitionlist(struct app *app, struct args *args)
{
	struct json_object *array, *partition;
	struct ha_slot *list, hsm;
	size_t i, n, count = 0;
	enum status st;

	st = target_slot(app, args, HA_SLOT_HSM, &hsm);
	if (!st)
		st = slots_get(app, &list, &n);
	if (st)
		return st;
	put_text(app->out, "hsm_serial", hsm.serial);
	array = put_list(app->out, "partitions");
	say(app, "\n" INDENT "Partitions of HSM %s (%s)\n\n", hsm.serial,
	    hsm.label[0] ? hsm.label : "no label");
	for (i = 0; i < n; i++) {
		if (list[i].kind != HA_SLOT_PARTITION || strcmp(list[i].hsm_serial, hsm.serial))
			continue;
		say(app, INDENT "slot %6" PRIu32 "  %24s  %s\n", list[i].id, list[i].serial,
		    list[i].initialised ? list[i].label : "<not initialized>");
		partition = put_item(array);
		put_number(partition, "slot", list[i].id);
		put_text(partition, "serial", list[i].serial);
		put_text(partition, "label", list[i].label);
		put_bool(partition, "initialised", list[i].initialised);
		count++;
	}
	say(app, "%s" INDENT "%zu partition%s\n", count ? "\n" : "", count, count == 1 ? "" : "s");
	free(list);
	return ST_OK;
}

enum status cmd_slot_list(struct app *app, struct args *args)
{
	(void)args;
	return app->json ? slots_json(app) : print_slots(app, true);
}

enum status cmd_slot_set(struct app *app, struct args *args)
{
	struct ha_slot slot;
	enum status st;

	st = find_slot(app, args, false, &slot);
	if (st)
		return st;
	app->slot = slot.id;
	app->slot_chosen = true;
	put_number(app->out, "slot", slot.id);
	put_text(app->out, "serial", slot.serial);
	put_text(app->out, "label", slot.label);
	say(app, "\n" INDENT "Current Slot Id:        %" PRIu32 "     (%s, %s)\n", slot.id,
	       slot.label[0] ? slot.label : "no label", slot.serial);
	return ST_OK;
}
