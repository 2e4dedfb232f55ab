// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Policy templates: the policies of an HSM or a partition as a file, and a new one that is
 * initialised with them, so that members of a group are alike.
 *
 * A line for each policy that can be changed: its number, what it is, its value, with colons
 * between them; lines that begin with # are for people. A card takes what it knows alone.
 */
#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "haadm.h"

#define INDENT	"        "
#define MAGIC	"# pciehsm policy template 1: "

static const char *kind_word(enum ha_slot_kind kind)
{
	return kind == HA_SLOT_HSM ? "HSM" : "partition";
}

enum status template_write(struct app *app, const char *path, enum ha_slot_kind kind,
			   const struct pciehsm_policy *list, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
	int err = errno;
	size_t i;

	if (!f) {
		if (fd >= 0)
			close(fd);
		if (err == EEXIST)
			return fail(app, ST_REFUSED, CODE_OF_STATUS, "Give another name.",
				    "%s is there already", path);
		return fail_errno(app, -err, "%s", path);
	}
	fprintf(f, MAGIC "%s\n", kind_word(kind));
	for (i = 0; i < n; i++)
		if (!(le32toh(list[i].flags) & PCIEHSM_POLICY_FIXED))
			fprintf(f, "%" PRIu32 ":%s:%" PRIu32 "\n", le32toh(list[i].id),
				policy_text(kind, le32toh(list[i].id)), le32toh(list[i].value));
	err = ferror(f) ? EIO : 0;
	if (fclose(f) && !err)
		err = errno;
	if (err) {
		unlink(path);
		return fail_errno(app, -err, "writing %s", path);
	}
	put_text(app->out, "template", path);
	say(app, "\n" INDENT "Written to %s.\n", path);
	return ST_OK;
}

static enum status bad_line(struct app *app, const char *path, unsigned int number)
{
	return fail(app, ST_USAGE, CODE_OF_STATUS,
		    "Take what showpolicies -exporttemplate writes, and change values alone.",
		    "line %u of %s is not of a policy template", number, path);
}

/* "20:Max failed user logins allowed:10" */
static bool parse_line(const char *line, uint32_t *id, uint32_t *value)
{
	const char *colon = strrchr(line, ':');
	char *end;
	unsigned long n;

	if (!isdigit((unsigned char)line[0]) || !colon || !isdigit((unsigned char)colon[1]))
		return false;
	n = strtoul(line, &end, 10);
	*id = n;
	if (*end != ':' || end == colon || n > UINT32_MAX)
		return false;
	n = strtoul(colon + 1, &end, 10);
	*value = n;
	return n <= UINT32_MAX && !end[strspn(end, " \t\r\n")];
}

static enum status take_line(struct app *app, const char *path, unsigned int number,
			     const char *line, struct template *t)
{
	struct template_policy *p = &t->policies[t->n];

	line += strspn(line, " \t\r\n");
	if (!*line || *line == '#')
		return ST_OK;
	if (t->n == TEMPLATE_MAX || !parse_line(line, &p->id, &p->value))
		return bad_line(app, path, number);
	t->n++;
	return ST_OK;
}

/* What the card would not take is said before anything is done. */
static enum status fits(struct app *app, const char *path, enum ha_slot_kind kind,
			struct pciehsm_transport *transport, const struct template *t)
{
	struct pciehsm_policy *list;
	enum status st = ST_OK;
	size_t i, k, n;
	CK_RV rv = pciehsm_policy_get(transport, &list, &n);

	if (rv)
		return fail_rv(app, rv, "asking for the policies");
	for (i = 0; i < t->n && !st; i++) {
		const struct template_policy *p = &t->policies[i];

		for (k = 0; k < n && le32toh(list[k].id) != p->id; k++)
			;
		if (k < n && le32toh(list[k].value) == p->value)
			continue;
		if (k < n && !(le32toh(list[k].flags) & PCIEHSM_POLICY_FIXED)) {
			if (!policy_takes(kind, p->id, p->value))
				st = fail(app, ST_USAGE, CODE_OF_STATUS,
					  "Correct the value in the template. Nothing was changed.",
					  "policy %" PRIu32 " (%s) of %s can not be %" PRIu32, p->id,
					  policy_text(kind, p->id), path, p->value);
			continue;
		}
		st = fail(app, ST_REFUSED, PCIEHSM_CKR_POLICY,
			  "Take the line out of the template, or another card. Nothing was changed.",
			  k < n ? "policy %" PRIu32 " (%s) of %s can not be changed on this card" :
			  "policy %" PRIu32 " (%s) of %s is not one of this card's", p->id,
			  policy_text(kind, p->id), path);
	}
	free(list);
	return st;
}

enum status template_read(struct app *app, const struct args *args, enum ha_slot_kind kind,
			  struct pciehsm_transport *transport, struct template *t)
{
	const char *path = arg_text(args, "applytemplate");
	char line[256], magic[64];
	unsigned int number = 0;
	enum status st = ST_OK;
	FILE *f;

	t->n = 0;
	if (!path)
		return ST_OK;
	f = fopen(path, "re");
	if (!f)
		return fail_errno(app, -errno, "%s", path);
	snprintf(magic, sizeof(magic), MAGIC "%s\n", kind_word(kind));
	while (!st && fgets(line, sizeof(line), f)) {
		if (!number++ && strcmp(line, magic))
			st = fail(app, ST_USAGE, CODE_OF_STATUS,
				  "Such a file is written by: showpolicies -exporttemplate <file>",
				  "%s is not a policy template of a%s %s", path,
				  kind == HA_SLOT_HSM ? "n" : "", kind_word(kind));
		else
			st = take_line(app, path, number, line, t);
	}
	if (!st && !number)
		st = bad_line(app, path, 1);
	fclose(f);
	return st ? st : fits(app, path, kind, transport, t);
}

static enum status apply(struct app *app, struct context *context, const struct template *t,
			 enum ha_slot_kind kind)
{
	struct pciehsm_policy *list;
	size_t i, k, n, changed = 0;
	enum status st = ST_OK;
	CK_RV rv = pciehsm_policy_get(context->transport, &list, &n);

	if (rv)
		return fail_rv(app, rv, "asking %s for its policies", context->serial);
	for (i = 0; i < t->n && !rv; i++) {
		const struct template_policy *p = &t->policies[i];

		for (k = 0; k < n; k++)
			if (le32toh(list[k].id) == p->id && le32toh(list[k].value) != p->value)
				break;
		if (k == n)
			continue;
		rv = pciehsm_policy_set(context->transport, p->id, p->value);
		if (rv)
			st = fail(app, ST_FAILED, (uint32_t)rv, "What it held is destroyed, and the "
				  "template's policies before this one are set. Set the others with "
				  "changepolicy; what the HSM forbids, a partition can not allow.",
				  "%s is initialized, but policy %" PRIu32 " (%s) could not be set to %"
				  PRIu32, context->serial, p->id, policy_text(kind, p->id), p->value);
		else
			changed++;
	}
	free(list);
	put_number(app->out, "policies_set", changed);
	if (!st)
		say(app, INDENT "%zu policies were set as the template has them.\n", changed);
	return st;
}

enum status after_init(struct app *app, const struct args *args, const char *serial,
		       enum ha_slot_kind kind, const struct secret *secret,
		       const struct template *t)
{
	uint32_t role = kind == HA_SLOT_HSM ? PCIEHSM_ROLE_SO : PCIEHSM_ROLE_PO;
	uint32_t attempts = NO_ATTEMPTS;
	struct context *context;
	enum status st;
	CK_RV rv;

	if (!arg_given(args, "auth") && !t->n)
		return ST_OK;
	st = context_get(app, serial, &context);
	if (st)
		return st;
	rv = context_login(app, context, role, secret, NULL, &attempts);
	if (rv)
		return fail_auth(app, rv, role, attempts, "logging in as %s at %s", role_long(role),
				 serial);
	if (t->n)
		st = apply(app, context, t, kind);
	if (!st && arg_given(args, "auth"))
		say(app, INDENT "%s logged in at %s.\n", role_long(role), serial);
	else
		context_drop(app, serial);
	return st;
}
