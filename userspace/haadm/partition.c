// SPDX-License-Identifier: LGPL-2.1-or-later
/* partition create, init, show, contents, delete. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <libsmartcols/libsmartcols.h>

#include "haadm.h"

#define INDENT		"        "
#define FIND_AT_ONCE	256
/* Of PKCS#11 3.0, which this p11-kit's header is older than. */
#define CKK_EC_EDWARDS_3_0	0x40UL
#define CKK_EC_MONTGOMERY_3_0	0x41UL

enum status cmd_partition_create(struct app *app, struct args *args)
{
	struct pciehsm_device *list = NULL;
	struct context *context;
	struct ha_slot slot;
	uint32_t card = 0;
	uint32_t index;
	char serial[25];
	enum status st;
	int i, n;
	CK_RV rv;

	st = target_slot(app, args, HA_SLOT_HSM, &slot);
	if (!st)
		st = context_get(app, slot.serial, &context);
	if (st)
		return st;
	printf("\n");
	st = need_login(app, args, context, PCIEHSM_ROLE_SO, "password");
	if (st)
		return st;
	rv = pciehsm_partition_create(context->transport, arg_number(args, "size", 0), NULL,
				      &index, serial);
	if (rv)
		return fail_rv(app, rv, NO_ATTEMPTS, "creating a partition on HSM %s",
			       slot.serial);
	wait_device(app, serial, true, NULL);
	n = app->bus->ops->list(app->bus, &list);
	for (i = 0; i < n; i++)
		if (!strcmp(list[i].serial, slot.serial))
			card = list[i].card;
	if (n >= 0)
		free(list);
	printf(INDENT "Partition %s created in slot %" PRIu32 ".\n", serial,
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
	return rv ? fail_rv(app, rv, NO_ATTEMPTS, "asking partition %s", slot->serial) : ST_OK;
}

/* An initialized partition is the PO's: the password that is given must be theirs. */
static enum status reinit_login(struct app *app, struct context *context,
				const struct secret *secret)
{
	uint32_t attempts = NO_ATTEMPTS;
	CK_RV rv;

	if (context->role == PCIEHSM_ROLE_PO)
		return ST_OK;
	rv = pciehsm_login(context->transport, PCIEHSM_ROLE_PO, secret->data, secret->len, NULL,
			   &attempts);
	if (rv)
		return fail_rv(app, rv, attempts, "logging in as Partition SO at %s",
			       context->serial);
	context->role = PCIEHSM_ROLE_PO;
	return ST_OK;
}

enum status cmd_partition_init(struct app *app, struct args *args)
{
	const char *label = arg_text(args, "label");
	struct pciehsm_partition_info info;
	struct secret secret, domain;
	uint32_t attempts = NO_ATTEMPTS;
	struct context *context;
	struct ha_slot slot;
	enum status st;
	char text[300];
	bool again;
	CK_RV rv;

	st = open_partition(app, args, &slot, &context, &info);
	if (st)
		return st;
	again = info.flags & PCIEHSM_PARTITION_INITIALISED;
	st = check_copies(app, args, slot.serial);
	if (st)
		return st;
	if (again)
		snprintf(text, sizeof(text), "Partition %s (%s) is going to be initialized again. "
			 "Its %" PRIu32 " objects and all roles below the Partition SO will be "
			 "destroyed.", info.serial, info.label, info.objects);
	else
		snprintf(text, sizeof(text), "Partition %s is going to be initialized.",
			 info.serial);
	st = confirm(app, args, text);
	if (st)
		return st;
	printf("\n");
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
		rv = pciehsm_partition_init(context->transport, label, secret.data, secret.len,
					    domain.data, domain.len, &attempts);
		if (rv)
			st = fail_rv(app, rv, attempts, "initializing partition %s", slot.serial);
		/* Whoever was logged in here is so no more. */
		context_drop(app, slot.serial);
	}
	secret_wipe(&secret);
	secret_wipe(&domain);
	if (st)
		return st;
	wait_device(app, slot.serial, true, label);
	printf(INDENT "Partition %s initialized, label %s.\n", slot.serial, label);
	return ST_OK;
}

/* What its card calls a partition */
static uint32_t partition_number(struct app *app, const char *serial)
{
	struct pciehsm_device *list = NULL;
	int i, n = app->bus->ops->list(app->bus, &list);
	uint32_t number = 0;

	for (i = 0; i < n; i++)
		if (!strcmp(list[i].serial, serial))
			number = list[i].number;
	if (n >= 0)
		free(list);
	return number;
}

enum status cmd_partition_delete(struct app *app, struct args *args)
{
	struct context *context;
	struct ha_config *config;
	struct ha_slot slot;
	uint32_t number;
	enum status st;
	char text[400];
	unsigned int g;
	size_t len;
	CK_RV rv;

	st = target_slot(app, args, HA_SLOT_PARTITION, &slot);
	if (!st)
		st = context_get(app, slot.hsm_serial, &context);
	if (!st)
		st = check_copies(app, args, slot.serial);
	if (st)
		return st;
	number = partition_number(app, slot.serial);
	len = snprintf(text, sizeof(text), "Partition %s (%s) and all objects in it are going to be "
		       "destroyed.", slot.serial, slot.label[0] ? slot.label : "no label");
	config = ha_config_get(app->ha);
	for (g = 0; config && g < config->n_groups && len < sizeof(text); g++)
		if (member_index(&config->groups[g], slot.serial) >= 0)
			len += snprintf(text + len, sizeof(text) - len,
					" It is a member of HA group %s.", config->groups[g].label);
	free(config);
	st = confirm(app, args, text);
	if (st)
		return st;
	printf("\n");
	st = need_login(app, args, context, PCIEHSM_ROLE_SO, "password");
	if (st)
		return st;
	rv = pciehsm_partition_delete(context->transport, number);
	if (rv)
		return fail_rv(app, rv, NO_ATTEMPTS, "deleting partition %s", slot.serial);
	wait_device(app, slot.serial, false, NULL);
	context_drop(app, slot.serial);
	printf(INDENT "Partition %s deleted.\n", slot.serial);
	return ST_OK;
}

enum status cmd_partition_resize(struct app *app, struct args *args)
{
	uint64_t size = arg_number(args, "size", 0);
	struct context *context;
	struct ha_slot slot;
	enum status st;
	CK_RV rv;

	st = target_slot(app, args, HA_SLOT_PARTITION, &slot);
	if (!st)
		st = context_get(app, slot.hsm_serial, &context);
	if (st)
		return st;
	printf("\n");
	st = need_login(app, args, context, PCIEHSM_ROLE_SO, "password");
	if (st)
		return st;
	rv = pciehsm_partition_resize(context->transport, partition_number(app, slot.serial), size);
	if (rv)
		return fail_rv(app, rv, NO_ATTEMPTS, "resizing partition %s", slot.serial);
	printf(INDENT "Partition %s has room for %" PRIu64 " bytes now.\n", slot.serial, size);
	return ST_OK;
}

enum status cmd_partition_clear(struct app *app, struct args *args)
{
	struct pciehsm_partition_info info;
	struct context *context;
	struct ha_config *config;
	struct ha_slot slot;
	enum status st;
	unsigned int g;
	char text[400];
	size_t len;
	CK_RV rv;

	st = open_partition(app, args, &slot, &context, &info);
	if (st)
		return st;
	len = snprintf(text, sizeof(text), "All %" PRIu32 " objects of partition %s (%s) are going "
		       "to be destroyed.", info.objects, slot.serial,
		       info.label[0] ? info.label : "no label");
	config = ha_config_get(app->ha);
	for (g = 0; config && g < config->n_groups && len < sizeof(text); g++)
		if (member_index(&config->groups[g], slot.serial) >= 0)
			len += snprintf(text + len, sizeof(text) - len,
					" It is a member of HA group %s: the deletions will be "
					"carried to all other members.", config->groups[g].label);
	free(config);
	st = confirm(app, args, text);
	if (st)
		return st;
	printf("\n");
	st = need_login(app, args, context, PCIEHSM_ROLE_CO, "password");
	if (st)
		return st;
	rv = pciehsm_partition_clear(context->transport);
	if (rv)
		return fail_rv(app, rv, NO_ATTEMPTS, "clearing partition %s", slot.serial);
	printf(INDENT "Partition %s was cleared; %" PRIu32 " objects were destroyed.\n",
	       slot.serial, info.objects);
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

static void show_json(const struct ha_slot *slot, const struct pciehsm_partition_info *info)
{
	struct json_object *top = json_object_new_object();
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
	put_print(top);
}

enum status cmd_partition_show(struct app *app, struct args *args)
{
	struct pciehsm_partition_info info;
	struct context *context;
	struct ha_slot slot;
	enum status st;
	int i;

	st = open_partition(app, args, &slot, &context, &info);
	if (st)
		return st;
	if (app->json) {
		show_json(&slot, &info);
		return ST_OK;
	}
	printf("\n");
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
	printf(INDENT "Commands since power-on\n");
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
	case CKK_EC_EDWARDS_3_0:
		return "EC Edwards";
	case CKK_EC_MONTGOMERY_3_0:
		return "EC Montgomery";
	default:
		return "other";
	}
}

static void hex(char *out, const uint8_t *bytes, size_t n)
{
	size_t i;

	out[0] = '\0';
	for (i = 0; i < n; i++)
		sprintf(out + 2 * i, "%02x", bytes[i]);
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
	hex(row->ouid, ouid, PCIEHSM_OUID_LEN);
	row->class = class_name(class);
	row->type = attrs[2].ulValueLen == sizeof(type) ? key_type_name(type) : "";
	row->label[attrs[1].ulValueLen == CK_UNAVAILABLE_INFORMATION ? 0 :
		   attrs[1].ulValueLen] = '\0';
	for (i = 0; row->label[i]; i++)
		if ((unsigned char)row->label[i] < ' ' || row->label[i] == 0x7f)
			row->label[i] = '?';
	hex(row->id, id, attrs[3].ulValueLen == CK_UNAVAILABLE_INFORMATION ? 0 :
	    attrs[3].ulValueLen);
	return CKR_OK;
}

static CK_RV each_object(struct pciehsm_transport *t,
			 void (*fn)(void *arg, const struct object_row *row), void *arg,
			 size_t *count)
{
	uint8_t ouids[FIND_AT_ONCE * PCIEHSM_OUID_LEN];
	uint64_t cursor = 0;
	CK_RV rv;

	*count = 0;
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
				++*count;
			}
		}
	} while (!rv && cursor);
	return rv;
}

static void row_to_json(void *arg, const struct object_row *row)
{
	struct json_object *object = json_object_new_object();

	put_text(object, "ouid", row->ouid);
	put_text(object, "class", row->class);
	put_text(object, "key_type", row->type[0] ? row->type : NULL);
	put_text(object, "label", row->label);
	put_text(object, "id", row->id);
	json_object_array_add(arg, object);
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
	struct json_object *array = NULL;
	struct pciehsm_partition_info info;
	struct context *context;
	struct ha_slot slot;
	enum status st;
	size_t count;
	CK_RV rv;

	st = open_partition(app, args, &slot, &context, &info);
	if (st)
		return st;
	if (!app->json)
		printf("\n");
	/* Any role that sees private objects will do. */
	if (context->role != PCIEHSM_ROLE_CO && context->role != PCIEHSM_ROLE_LCO &&
	    context->role != PCIEHSM_ROLE_CU)
		st = need_login(app, args, context, name ? role_by_name(name) : PCIEHSM_ROLE_CO,
				"password");
	if (st)
		return st;
	if (app->json) {
		array = json_object_new_array();
		rv = each_object(context->transport, row_to_json, array, &count);
	} else {
		table = scols_new_table();
		if (!table)
			return fail(app, ST_FAILED, CODE_OF_STATUS, NULL, "out of memory");
		scols_table_new_column(table, "Class", 0, 0);
		scols_table_new_column(table, "Type", 0, 0);
		scols_table_new_column(table, "Label", 0, 0);
		scols_table_new_column(table, "Id", 0, 0);
		scols_table_new_column(table, "OUID", 0, 0);
		rv = each_object(context->transport, row_to_table, table, &count);
	}
	if (rv) {
		st = fail_rv(app, rv, NO_ATTEMPTS, "listing the objects of partition %s",
			     slot.serial);
	} else if (app->json) {
		struct json_object *top = json_object_new_object();

		put_text(top, "serial", slot.serial);
		json_object_object_add(top, "objects", json_object_get(array));
		put_print(top);
	} else {
		printf(INDENT "Partition %s (%s), seen by the %s\n\n", slot.serial, info.label,
		       role_long(context->role));
		if (count)
			scols_print_table(table);
		printf("%s" INDENT "%zu object%s\n", count ? "\n" : "", count,
		       count == 1 ? "" : "s");
	}
	json_object_put(array);
	scols_unref_table(table);
	return st;
}
