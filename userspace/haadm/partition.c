// SPDX-License-Identifier: LGPL-2.1-or-later
/* partition create, init, show, contents, delete. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <libsmartcols/libsmartcols.h>

#include "haadm.h"
#include "pkcs11-3.h"

#define INDENT		"        "
#define FIND_AT_ONCE	256
/* Objects that are destroyed by one message: often enough to tell how it goes */
#define CLEAR_LOT	256

/* The slot that is meant, and its HSM with the SO logged in. */
static enum status as_so(struct app *app, struct args *args, enum ha_slot_kind kind,
			 struct ha_slot *slot, struct context **context)
{
	enum status st = target_slot(app, args, kind, slot);

	if (!st)
		st = context_get(app, kind == HA_SLOT_HSM ? slot->serial : slot->hsm_serial,
				 context);
	if (st)
		return st;
	say(app, "\n");
	return need_login(app, args, *context, PCIEHSM_ROLE_SO, "password");
}

enum status cmd_partition_create(struct app *app, struct args *args)
{
	struct pciehsm_device device;
	struct context *context;
	struct progress waiting;
	struct ha_slot slot;
	uint32_t card = 0;
	uint32_t index;
	char serial[25];
	enum status st;
	CK_RV rv;

	if (arg_number(args, "version", 0))
		return fail(app, ST_REFUSED, CODE_OF_STATUS, "Leave the option away.",
			    "this HSM makes partitions of version 0 alone");
	st = as_so(app, args, HA_SLOT_HSM, &slot, &context);
	if (st)
		return st;
	waiting_begin(&waiting, app, "HSM %s to create a partition", slot.serial);
	rv = pciehsm_partition_create(context->transport, arg_number(args, "size", 0), NULL,
				      &index, serial);
	progress_end(&waiting);
	if (rv)
		return fail_rv(app, rv, "creating a partition on HSM %s",
			       slot.serial);
	wait_device(app, serial, true, NULL);
	if (find_device(app, slot.serial, &device))
		card = device.card;
	put_text(app->out, "serial", serial);
	put_text(app->out, "hsm_serial", slot.serial);
	put_number(app->out, "slot", ha_slot_of(card, index));
	say(app, INDENT "Partition %s created in slot %" PRIu32 ".\n", serial,
	       ha_slot_of(card, index));
	return ST_OK;
}

static enum status open_partition(struct app *app, struct args *args, struct ha_slot *slot,
				  struct context **context, struct pciehsm_partition_info *info)
{
	enum status st;
	CK_RV rv;

	st = target_slot(app, args, HA_SLOT_PARTITION, slot);
	if (!st)
		st = context_get(app, slot->serial, context);
	if (st)
		return st;
	rv = pciehsm_partition_info((*context)->transport, info);
	return rv ? fail_rv(app, rv, "asking partition %s", slot->serial) : ST_OK;
}

/* An initialized partition is the PO's: the password that is given must be theirs. */
static enum status reinit_login(struct app *app, struct context *context,
				const struct secret *secret)
{
	uint32_t attempts = NO_ATTEMPTS;
	CK_RV rv;

	if (context->role == PCIEHSM_ROLE_PO)
		return ST_OK;
	rv = context_login(app, context, PCIEHSM_ROLE_PO, secret, NULL, &attempts);
	return rv ? fail_auth(app, rv, PCIEHSM_ROLE_PO, attempts,
			      "logging in as Partition SO at %s", context->serial) : ST_OK;
}

enum status cmd_partition_init(struct app *app, struct args *args)
{
	const char *label = arg_text(args, "label");
	struct pciehsm_partition_info info;
	struct secret secret, domain;
	uint32_t attempts = NO_ATTEMPTS;
	struct template template;
	struct context *context;
	struct progress waiting;
	struct ha_slot slot;
	enum status st;
	char text[300], *contents;
	bool again;
	CK_RV rv;

	if (arg_given(args, "defaultdomain"))
		return fail(app, ST_REFUSED, CODE_OF_STATUS,
			    "Give a domain of your own (-domain), or have it asked for.",
			    "there is no default domain: one that all the world knows protects nothing");
	st = open_partition(app, args, &slot, &context, &info);
	if (!st)
		st = template_read(app, args, HA_SLOT_PARTITION, context->transport, &template);
	if (st)
		return st;
	again = info.flags & PCIEHSM_PARTITION_INITIALISED;
	st = check_copies(app, args, slot.serial, &contents);
	if (st)
		return st;
	if (again)
		snprintf(text, sizeof(text), "Partition %s (%s) is going to be initialized again. "
			 "Its objects and all roles below the Partition SO will be destroyed:",
			 info.serial, info.label);
	else
		snprintf(text, sizeof(text), "Partition %s is going to be initialized.",
			 info.serial);
	st = confirm_destroying(app, args, text, again ? contents : "");
	free(contents);
	if (!st && again && context->role != PCIEHSM_ROLE_PO)
		st = last_attempt(app, args, context, PCIEHSM_ROLE_PO);
	if (st)
		return st;
	say(app, "\n");
	if (again)
		st = secret_get(app, args, "password", "Enter the Partition SO's password", &secret);
	else
		st = secret_new(app, args, "password", "Enter new password for the Partition SO",
				PCIEHSM_PIN_MIN, PCIEHSM_PIN_MAX, &secret);
	if (st)
		return st;
	st = secret_new(app, args, "domain", "Enter the cloning domain", 1, PCIEHSM_DOMAIN_MAX,
			&domain);
	if (!st && again)
		st = reinit_login(app, context, &secret);
	if (!st) {
		waiting_begin(&waiting, app, "partition %s to be initialized", slot.serial);
		rv = pciehsm_partition_init(context->transport, label, secret.data, secret.len,
					    domain.data, domain.len, &attempts);
		progress_end(&waiting);
		if (rv)
			st = fail_auth(app, rv, PCIEHSM_ROLE_PO, attempts, "initializing partition %s",
				       slot.serial);
		/* Whoever was logged in here is so no more. */
		context_drop(app, slot.serial);
	}
	secret_wipe(&domain);
	if (!st) {
		wait_device(app, slot.serial, true, label);
		put_text(app->out, "serial", slot.serial);
		put_text(app->out, "label", label);
		say(app, INDENT "Partition %s initialized, label %s.\n", slot.serial, label);
		st = after_init(app, args, slot.serial, HA_SLOT_PARTITION, &secret, &template);
	}
	secret_wipe(&secret);
	return st;
}

enum status cmd_partition_delete(struct app *app, struct args *args)
{
	struct pciehsm_device device = { 0 };
	char text[120], *contents;
	struct context *context;
	struct progress waiting;
	struct ha_slot slot;
	enum status st;
	CK_RV rv;

	st = target_slot(app, args, HA_SLOT_PARTITION, &slot);
	if (!st)
		st = context_get(app, slot.hsm_serial, &context);
	if (!st)
		st = check_copies(app, args, slot.serial, &contents);
	if (st)
		return st;
	find_device(app, slot.serial, &device);
	snprintf(text, sizeof(text), "Partition %s and all objects in it are going to be destroyed:",
		 slot.serial);
	st = confirm_destroying(app, args, text, contents);
	free(contents);
	if (st)
		return st;
	say(app, "\n");
	st = need_login(app, args, context, PCIEHSM_ROLE_SO, "password");
	if (st)
		return st;
	waiting_begin(&waiting, app, "partition %s to be deleted", slot.serial);
	rv = pciehsm_partition_delete(context->transport, device.number);
	progress_end(&waiting);
	if (rv)
		return fail_rv(app, rv, "deleting partition %s", slot.serial);
	wait_device(app, slot.serial, false, NULL);
	context_drop(app, slot.serial);
	put_text(app->out, "serial", slot.serial);
	say(app, INDENT "Partition %s deleted.\n", slot.serial);
	return ST_OK;
}

/* What it has, and all that no other partition has */
static enum status all_room(struct app *app, const struct ha_slot *slot, struct context *hsm,
			    uint64_t *size)
{
	struct pciehsm_partition_info partition;
	struct pciehsm_hsm_info card;
	struct context *context;
	enum status st;
	CK_RV rv;

	st = context_get(app, slot->serial, &context);
	if (st)
		return st;
	rv = pciehsm_partition_info(context->transport, &partition);
	if (!rv)
		rv = pciehsm_hsm_info(hsm->transport, &card);
	if (rv)
		return fail_rv(app, rv, "asking %s for its room", slot->serial);
	*size = partition.space + card.space_free;
	return ST_OK;
}

enum status cmd_partition_resize(struct app *app, struct args *args)
{
	uint64_t size = arg_number(args, "size", 0);
	struct pciehsm_device device = { 0 };
	struct context *context;
	struct progress waiting;
	struct ha_slot slot;
	enum status st;
	CK_RV rv;

	st = as_so(app, args, HA_SLOT_PARTITION, &slot, &context);
	if (!st && arg_given(args, "all"))
		st = all_room(app, &slot, context, &size);
	if (st)
		return st;
	find_device(app, slot.serial, &device);
	waiting_begin(&waiting, app, "partition %s to be resized", slot.serial);
	rv = pciehsm_partition_resize(context->transport, device.number, size);
	progress_end(&waiting);
	if (rv)
		return fail_rv(app, rv, "resizing partition %s", slot.serial);
	put_text(app->out, "serial", slot.serial);
	put_number(app->out, "space", size);
	say(app, INDENT "Partition %s has room for %" PRIu64 " bytes now.\n", slot.serial, size);
	return ST_OK;
}

enum status cmd_partition_clear(struct app *app, struct args *args)
{
	struct pciehsm_partition_info info;
	char text[300], *contents;
	struct context *context;
	struct progress progress;
	uint32_t left, done = 0;
	struct ha_slot slot;
	enum status st;
	CK_RV rv;

	st = open_partition(app, args, &slot, &context, &info);
	if (!st)
		st = describe_partition(app, &slot, &contents);
	if (st)
		return st;
	snprintf(text, sizeof(text), "All %" PRIu32 " object%s of partition %s %s going to be "
		 "destroyed. If it is a member of an HA group, the deletions are carried to all other "
		 "members: no copy will be left.", info.objects, PLURAL(info.objects),
		 slot.serial, info.objects == 1 ? "is" : "are");
	st = confirm_destroying(app, args, text, contents);
	free(contents);
	if (st)
		return st;
	say(app, "\n");
	st = need_login(app, args, context, PCIEHSM_ROLE_CO, "password");
	if (st)
		return st;
	/* What somebody makes meanwhile goes, too, as long as it is slower than this. */
	progress_begin(&progress, app, "objects");
	left = info.objects;
	do {
		info.objects = left;
		rv = pciehsm_partition_clear(context->transport, CLEAR_LOT, &left);
		if (rv)
			break;
		done += info.objects > left ? info.objects - left : 0;
		progress_step(&progress, done, done + left);
	} while (left);
	progress_end(&progress);
	put_text(app->out, "serial", slot.serial);
	put_number(app->out, "objects_destroyed", done);
	if (rv)
		return fail_rv(app, rv, "clearing partition %s, after %" PRIu32
			       " objects", slot.serial, done);
	say(app, INDENT "Partition %s was cleared; %" PRIu32 " object%s destroyed.\n",
	    slot.serial, done, done == 1 ? " was" : "s were");
	return ST_OK;
}

/* ---- show ---- */

static const char *const stat_names[PCIEHSM_STAT_COUNT] = {
	[PCIEHSM_STAT_SIGN] = "sign",
	[PCIEHSM_STAT_VERIFY] = "verify",
	[PCIEHSM_STAT_ENCRYPT] = "encrypt",
	[PCIEHSM_STAT_DECRYPT] = "decrypt",
	[PCIEHSM_STAT_DIGEST] = "digest",
	[PCIEHSM_STAT_GENERATE] = "generate",
	[PCIEHSM_STAT_DERIVE] = "derive",
	[PCIEHSM_STAT_WRAP] = "wrap",
	[PCIEHSM_STAT_UNWRAP] = "unwrap",
	[PCIEHSM_STAT_CREATE] = "create",
	[PCIEHSM_STAT_DESTROY] = "destroy",
	[PCIEHSM_STAT_FIND] = "find",
	[PCIEHSM_STAT_CLONED_OUT] = "cloned_out",
	[PCIEHSM_STAT_CLONED_IN] = "cloned_in",
	[PCIEHSM_STAT_LOGIN] = "login",
	[PCIEHSM_STAT_ERRORS] = "errors",
};

static void show_json(struct json_object *top, const struct ha_slot *slot,
		      const struct pciehsm_partition_info *info)
{
	struct json_object *stats = json_object_new_object();
	int i;

	put_number(top, "slot", slot->id);
	put_text(top, "serial", info->serial);
	put_text(top, "hsm_serial", info->hsm_serial);
	put_text(top, "label", info->label);
	put_text(top, "model", info->model);
	put_text(top, "firmware_version", info->fw_version);
	put_bool(top, "initialised", info->flags & PCIEHSM_PARTITION_INITIALISED);
	put_bool(top, "co_initialised", info->flags & PCIEHSM_PARTITION_CO_INITIALISED);
	put_bool(top, "cu_initialised", info->flags & PCIEHSM_PARTITION_CU_INITIALISED);
	put_number(top, "objects", info->objects);
	put_number(top, "sessions", info->sessions);
	put_number(top, "space", info->space);
	put_number(top, "space_free", info->space_free);
	for (i = 0; i < PCIEHSM_STAT_COUNT; i++)
		put_number(stats, stat_names[i], info->stats[i]);
	json_object_object_add(top, "counters", stats);
}

enum status cmd_partition_show(struct app *app, struct args *args)
{
	struct pciehsm_partition_info info;
	struct context *context;
	struct ha_slot slot;
	bool any = false;
	enum status st;
	int i;

	st = open_partition(app, args, &slot, &context, &info);
	if (st)
		return st;
	if (app->json) {
		show_json(app->out, &slot, &info);
		return ST_OK;
	}
	say(app, "\n");
	print_arrow(28, "Partition Label", "%s", info.label);
	print_arrow(28, "Partition Serial Number", "%s", info.serial);
	print_arrow(28, "HSM Serial Number", "%s", info.hsm_serial);
	print_arrow(28, "Model", "%s", info.model);
	print_arrow(28, "Firmware Version", "%s", info.fw_version);
	print_arrow(28, "Partition Status", "%s",
		    !(info.flags & PCIEHSM_PARTITION_INITIALISED) ? "Not initialized" :
		    info.flags & PCIEHSM_PARTITION_CO_INITIALISED ? "OK" : "No Crypto Officer yet");
	print_arrow(28, "Logged In", "%s", context->role ? role_long(context->role) : "nobody");
	print_arrow(28, "Object Count", "%" PRIu32, info.objects);
	print_arrow(28, "Sessions In Use", "%" PRIu32, info.sessions);
	print_arrow(28, "Storage Total", "%" PRIu64 " bytes", info.space);
	print_arrow(28, "Storage Free", "%" PRIu64 " bytes", info.space_free);
	for (i = 0; i < PCIEHSM_STAT_COUNT; i++)
		any |= info.stats[i] != 0;
	if (any)
		say(app, INDENT "Commands since power-on\n");
	else
		print_arrow(28, "Commands since power-on", "none");
	for (i = 0; i < PCIEHSM_STAT_COUNT; i++) {
		char name[32];

		snprintf(name, sizeof(name), "  %s", stat_names[i]);
		if (info.stats[i])
			print_arrow(28, name, "%" PRIu64, info.stats[i]);
	}
	return ST_OK;
}

/* ---- contents ---- */

static const char *class_name(CK_OBJECT_CLASS class)
{
	switch (class) {
	case CKO_DATA:
		return "data";
	case CKO_CERTIFICATE:
		return "certificate";
	case CKO_PUBLIC_KEY:
		return "public key";
	case CKO_PRIVATE_KEY:
		return "private key";
	case CKO_SECRET_KEY:
		return "secret key";
	default:
		return "other";
	}
}

static const char *key_type_name(CK_KEY_TYPE type)
{
	switch (type) {
	case CKK_RSA:
		return "RSA";
	case CKK_EC:
		return "EC";
	case CKK_AES:
		return "AES";
	case CKK_GENERIC_SECRET:
		return "generic";
	case CKK_EC_EDWARDS:
		return "EC Edwards";
	case CKK_EC_MONTGOMERY:
		return "EC Montgomery";
	default:
		return "other";
	}
}

/* What is shown of one object */
struct object_row {
	char		ouid[2 * PCIEHSM_OUID_LEN + 1];
	const char	*class;
	const char	*type;
	char		label[65];
	char		id[65];
};

static CK_RV read_object(struct pciehsm_transport *t, const uint8_t *ouid, struct object_row *row)
{
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_KEY_TYPE type = 0;
	uint8_t id[(sizeof(row->id) - 1) / 2];
	CK_ATTRIBUTE attrs[] = {
		{ CKA_CLASS, &class, sizeof(class) },
		{ CKA_LABEL, row->label, sizeof(row->label) - 1 },
		{ CKA_KEY_TYPE, &type, sizeof(type) },
		{ CKA_ID, id, sizeof(id) },
	};
	size_t i;
	CK_RV rv;

	rv = pciehsm_object_get(t, 0, ouid, attrs, 4, NULL);
	if (rv && rv != CKR_ATTRIBUTE_TYPE_INVALID && rv != CKR_ATTRIBUTE_SENSITIVE &&
	    rv != CKR_BUFFER_TOO_SMALL)
		return rv;
	hex_text(row->ouid, ouid, PCIEHSM_OUID_LEN);
	row->class = class_name(class);
	row->type = attrs[2].ulValueLen == sizeof(type) ? key_type_name(type) : "";
	row->label[attrs[1].ulValueLen == CK_UNAVAILABLE_INFORMATION ? 0 :
		   attrs[1].ulValueLen] = '\0';
	for (i = 0; row->label[i]; i++)
		if ((unsigned char)row->label[i] < ' ' || row->label[i] == 0x7f)
			row->label[i] = '?';
	hex_text(row->id, id, attrs[3].ulValueLen == CK_UNAVAILABLE_INFORMATION ? 0 :
	    attrs[3].ulValueLen);
	return CKR_OK;
}

/* @total: how many there are, as far as is known */
static CK_RV each_object(struct app *app, struct pciehsm_transport *t, uint32_t total,
			 void (*fn)(void *arg, const struct object_row *row), void *arg,
			 size_t *count)
{
	uint8_t ouids[FIND_AT_ONCE * PCIEHSM_OUID_LEN];
	struct progress progress;
	uint64_t cursor = 0;
	CK_RV rv;

	*count = 0;
	progress_begin(&progress, app, "objects");
	do {
		uint32_t i, n;

		rv = pciehsm_object_find(t, 0, NULL, 0, &cursor, ouids, FIND_AT_ONCE, &n);
		for (i = 0; !rv && i < n; i++) {
			struct object_row row = { 0 };

			rv = read_object(t, ouids + i * PCIEHSM_OUID_LEN, &row);
			/* Deleted since it was found: no failure of ours. */
			if (rv == CKR_OBJECT_HANDLE_INVALID) {
				rv = CKR_OK;
				continue;
			}
			if (!rv) {
				fn(arg, &row);
				progress_step(&progress, ++*count, total);
			}
		}
	} while (!rv && cursor);
	progress_end(&progress);
	return rv;
}

static void row_to_json(void *arg, const struct object_row *row)
{
	struct json_object *object = put_item(arg);

	put_text(object, "ouid", row->ouid);
	put_text(object, "class", row->class);
	put_text(object, "key_type", row->type[0] ? row->type : NULL);
	put_text(object, "label", row->label);
	put_text(object, "id", row->id);
}

static void row_to_table(void *arg, const struct object_row *row)
{
	struct libscols_line *line = scols_table_new_line(arg, NULL);

	if (!line)
		return;
	scols_line_set_data(line, 0, row->class);
	scols_line_set_data(line, 1, row->type);
	scols_line_set_data(line, 2, row->label);
	scols_line_set_data(line, 3, row->id);
	scols_line_set_data(line, 4, row->ouid);
}

enum status cmd_partition_contents(struct app *app, struct args *args)
{
	const char *name = arg_text(args, "name");
	struct libscols_table *table = NULL;
	struct pciehsm_partition_info info;
	struct context *context;
	struct ha_slot slot;
	enum status st;
	size_t count;
	CK_RV rv;

	st = open_partition(app, args, &slot, &context, &info);
	if (st)
		return st;
	say(app, "\n");
	/* Any role that sees private objects will do. */
	if (context->role != PCIEHSM_ROLE_CO && context->role != PCIEHSM_ROLE_LCO &&
	    context->role != PCIEHSM_ROLE_CU)
		st = need_login(app, args, context, name ? role_by_name(name) : PCIEHSM_ROLE_CO,
				"password");
	if (st)
		return st;
	if (app->json) {
		put_text(app->out, "serial", slot.serial);
		rv = each_object(app, context->transport, info.objects, row_to_json,
				 put_list(app->out, "objects"), &count);
	} else {
		table = scols_new_table();
		if (!table)
			return fail(app, ST_FAILED, CODE_OF_STATUS, NULL, "out of memory");
		scols_table_new_column(table, "Class", 0, 0);
		scols_table_new_column(table, "Type", 0, 0);
		scols_table_new_column(table, "Label", 0, 0);
		scols_table_new_column(table, "Id", 0, 0);
		scols_table_new_column(table, "OUID", 0, 0);
		rv = each_object(app, context->transport, info.objects, row_to_table, table,
				 &count);
	}
	if (rv) {
		st = fail_rv(app, rv, "listing the objects of partition %s",
			     slot.serial);
	} else if (!app->json) {
		say(app, INDENT "Partition %s (%s), seen by the %s\n\n", slot.serial, info.label,
		       role_long(context->role));
		if (count)
			scols_print_table(table);
		say(app, "%s" INDENT "%zu object%s\n", count ? "\n" : "", count,
		       count == 1 ? "" : "s");
	}
	scols_unref_table(table);
	return st;
}
