// SPDX-License-Identifier: LGPL-2.1-or-later
/* partition clone: objects from one partition to another of the same cloning domain. */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "haadm.h"

#define INDENT	"        "

struct ends {
	struct pciehsm_transport	*from, *to;
	uint32_t			from_channel, to_channel;
};

static CK_RV channel_open(struct ends *e)
{
	void *offer, *hello;
	size_t offer_len, hello_len;
	CK_RV rv;

	rv = pciehsm_clone_offer(e->to, &e->to_channel, &offer, &offer_len);
	if (rv)
		return rv;
	rv = pciehsm_clone_start(e->from, offer, offer_len, &e->from_channel, &hello, &hello_len);
	free(offer);
	if (rv) {
		pciehsm_clone_close(e->to, e->to_channel);
		return rv;
	}
	rv = pciehsm_clone_accept(e->to, e->to_channel, hello, hello_len);
	free(hello);
	if (rv) {
		pciehsm_clone_close(e->from, e->from_channel);
		pciehsm_clone_close(e->to, e->to_channel);
	}
	return rv;
}

static void not_cloned(struct app *app, struct json_object *failed, const uint8_t *ouid, CK_RV rv)
{
	struct json_object *item = put_item(failed);
	char name[2 * PCIEHSM_OUID_LEN + 1];

	hex_text(name, ouid, PCIEHSM_OUID_LEN);
	say(app, INDENT "Object %s: %s\n", name, pciehsm_rv_name(rv));
	put_text(item, "ouid", name);
	put_text(item, "code", pciehsm_rv_name(rv));
}

/* Those of the first @n that could be sealed, at the other end */
static CK_RV move_batch(struct app *app, struct json_object *failed, const struct ends *e,
			const uint8_t *ouids, size_t n, size_t *dealt, size_t *copied,
			size_t *kept)
{
	struct pciehsm_clone_result *out, *in = NULL;
	size_t n_out, n_in = 0, blob_len, i;
	void *blob;
	CK_RV rv;

	rv = pciehsm_clone_export(e->from, 0, e->from_channel, ouids, n, &blob, &blob_len, &out,
				  &n_out);
	if (rv)
		return rv;
	rv = !n_out || n_out > n ? PCIEHSM_RV_BAD_ANSWER :
	     pciehsm_clone_import(e->to, 0, e->to_channel, blob, blob_len, &in, &n_in);
	for (i = 0; !rv && i < n_out; i++)
		if (le32toh(out[i].rv))
			not_cloned(app, failed, out[i].ouid, le32toh(out[i].rv));
	for (i = 0; !rv && i < n_in; i++) {
		if (le32toh(in[i].rv) == PCIEHSM_CKR_STALE)
			++*kept;
		else if (le32toh(in[i].rv))
			not_cloned(app, failed, in[i].ouid, le32toh(in[i].rv));
		else
			++*copied;
	}
	*dealt = n_out;
	free(blob);
	free(out);
	free(in);
	return rv;
}

/* *@ouids is to be freed, after a failure, too. */
static CK_RV all_objects(struct pciehsm_transport *t, uint8_t **ouids, size_t *n)
{
	uint8_t page[256 * PCIEHSM_OUID_LEN], *grown;
	uint64_t cursor = 0;
	uint32_t found;
	CK_RV rv;

	do {
		rv = pciehsm_object_find(t, 0, NULL, 0, &cursor, page, 256, &found);
		if (rv)
			return rv;
		grown = realloc(*ouids, (*n + found + 1) * PCIEHSM_OUID_LEN);
		if (!grown)
			return CKR_HOST_MEMORY;
		*ouids = grown;
		memcpy(grown + *n * PCIEHSM_OUID_LEN, page, (size_t)found * PCIEHSM_OUID_LEN);
		*n += found;
	} while (cursor);
	return CKR_OK;
}

/* 32 hexadecimal digits each, with commas */
static bool parse_ouids(const char *text, uint8_t **ouids, size_t *n)
{
	size_t i, most = strlen(text) / (2 * PCIEHSM_OUID_LEN);

	*ouids = malloc((most + 1) * PCIEHSM_OUID_LEN);
	if (!*ouids)
		return false;
	for (;; text++) {
		if (strspn(text, "0123456789abcdefABCDEF") != 2 * PCIEHSM_OUID_LEN)
			return false;
		for (i = 0; i < PCIEHSM_OUID_LEN; i++)
			sscanf(text + 2 * i, "%2hhx", *ouids + *n * PCIEHSM_OUID_LEN + i);
		++*n;
		text += 2 * PCIEHSM_OUID_LEN;
		if (!*text)
			return true;
		if (*text != ',')
			return false;
	}
}

/* What comes into a member becomes its group's. */
static enum status ask_about_group(struct app *app, const struct args *args, const char *serial)
{
	enum status st = ha_config_usable(app);
	struct ha_config *config;
	char text[200];
	unsigned int g;

	if (st)
		return st;
	config = ha_config_get(app->ha);
	if (!config)
		return fail_errno(app, -ENOMEM, "reading the HA configuration");
	for (g = 0; g < config->n_groups && !st; g++) {
		if (member_index(&config->groups[g], serial) < 0)
			continue;
		snprintf(text, sizeof(text), "Partition %s is a member of HA group %s. What is cloned "
			 "to it will be copied to all its members.", serial, config->groups[g].label);
		st = confirm(app, args, text);
	}
	free(config);
	return st;
}

static enum status log_in(struct app *app, const struct args *args, struct context *from,
			  struct context *to)
{
	struct context *ends[] = { from, to };
	uint32_t attempts = NO_ATTEMPTS;
	struct secret secret;
	enum status st;
	size_t i;
	CK_RV rv;

	if (arg_given(args, "targetpassword") || to->role == PCIEHSM_ROLE_CO ||
	    from->role == PCIEHSM_ROLE_CO) {
		st = need_login(app, args, from, PCIEHSM_ROLE_CO, "password");
		return st ? st : need_login(app, args, to, PCIEHSM_ROLE_CO, "targetpassword");
	}
	/* One password for both, as members of a group have it */
	st = secret_get(app, args, "password", "Enter the Crypto Officer's password", &secret);
	for (i = 0; i < 2 && !st; i++) {
		rv = context_login(app, ends[i], PCIEHSM_ROLE_CO, &secret, NULL, &attempts);
		if (rv)
			st = fail_auth(app, rv, PCIEHSM_ROLE_CO, attempts,
				       "logging in as Crypto Officer at %s", ends[i]->serial);
	}
	secret_wipe(&secret);
	return st;
}

static enum status clone_all(struct app *app, struct context *from, struct context *to,
			     const uint8_t *ouids, size_t n)
{
	struct ends ends = { .from = from->transport, .to = to->transport };
	struct json_object *failed = put_list(app->out, "failed");
	size_t done = 0, dealt, copied = 0, kept = 0;
	struct progress progress;
	CK_RV rv = n ? channel_open(&ends) : CKR_OK;

	if (rv)
		return fail_rv(app, rv, "opening a channel from %s to %s", from->serial,
			       to->serial);
	progress_begin(&progress, app, "objects");
	while (done < n && !rv) {
		rv = move_batch(app, failed, &ends, ouids + done * PCIEHSM_OUID_LEN,
				n - done < PCIEHSM_CLONE_MAX ? n - done : PCIEHSM_CLONE_MAX, &dealt,
				&copied, &kept);
		if (!rv)
			done += dealt;
		progress_step(&progress, done, n);
	}
	progress_end(&progress);
	if (n) {
		pciehsm_clone_close(ends.from, ends.from_channel);
		pciehsm_clone_close(ends.to, ends.to_channel);
	}
	put_text(app->out, "serial", from->serial);
	put_text(app->out, "target", to->serial);
	put_number(app->out, "copied", copied);
	put_number(app->out, "kept", kept);
	if (rv)
		return fail_rv(app, rv, "cloning from %s to %s, after %zu objects",
			       from->serial, to->serial, done);
	say(app, INDENT "%zu of %zu object%s cloned from %s to %s.\n", copied, n, PLURAL(n),
	    from->serial, to->serial);
	if (kept)
		say(app, INDENT "%zu are there in the same or a newer version, or were deleted there.\n",
		    kept);
	if (copied + kept != n)
		return fail(app, ST_FAILED, CODE_OF_STATUS,
			    "See what the target holds with: partition contents",
			    "%zu objects were not cloned", n - copied - kept);
	return ST_OK;
}

enum status cmd_partition_clone(struct app *app, struct args *args)
{
	const char *objects = arg_text(args, "objects");
	struct context *from_context, *to_context;
	struct ha_slot from, to;
	uint8_t *ouids = NULL;
	enum status st;
	size_t n = 0;
	CK_RV rv;

	st = source_slot(app, args, &from);
	if (!st)
		st = target_member(app, args, &to);
	if (st)
		return st;
	if (!strcmp(from.serial, to.serial))
		return fail(app, ST_USAGE, CODE_OF_STATUS, "Give the target with -slot, and the "
			    "source with -from or slot set.", "%s is source and target", from.serial);
	if (strcmp(objects, "0") && !parse_ouids(objects, &ouids, &n)) {
		free(ouids);
		return fail(app, ST_USAGE, CODE_OF_STATUS,
			    "Give 0 for all, or OUIDs with commas between them; partition contents "
			    "shows them.", "\"%s\" are not objects", objects);
	}
	st = context_get(app, from.serial, &from_context);
	if (!st)
		st = context_get(app, to.serial, &to_context);
	if (!st)
		st = ask_about_group(app, args, to.serial);
	say(app, "\n");
	if (!st)
		st = log_in(app, args, from_context, to_context);
	if (!st && !ouids) {
		rv = all_objects(from_context->transport, &ouids, &n);
		if (rv)
			st = fail_rv(app, rv, "listing the objects of partition %s",
				     from.serial);
	}
	if (!st)
		st = clone_all(app, from_context, to_context, ouids, n);
	free(ouids);
	return st;
}
