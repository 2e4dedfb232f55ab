// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What is said when a command fails: the error, what to do about it, and the last line
 * with the result's code; and the exit status that goes with it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "haadm.h"

#define LINE_WIDTH	78
#define INDENT		"        "

/* What the last line shows for a failure that is not a card's answer. */
static const struct {
	uint32_t	code;
	const char	*text;
	const char	*meaning;
	const char	*advice;	/* where a failure has none of its own */
} statuses[] = {
	[ST_OK]		= { 0x0, "No Error", "the command was carried out" },
	[ST_FAILED]	= { 0x6, "Function Failed", "failed, for a reason that has no number here, or when part of it was done",
			    "The kernel log may tell more; the command can be repeated." },
	[ST_USAGE]	= { 0x7, "Invalid Arguments",
			    "unknown command or option, or a bad value; nothing was done",
			    "See: help" },
	[ST_CANCELLED]	= { 0xb, "User Cancelled Operation", "the operator answered quit",
			    "To have it done, repeat the command." },
	[ST_NOT_FOUND]	= { 0x3, "Not Found", "no such slot, group, member or partition",
			    "Look at the name, and whether it is there." },
	[ST_PERMISSION]	= { 0xd, "Permission Denied",
			    "the rights to a device or to the configuration are missing",
			    "Run this as root, or as a user with the rights to it." },
	[ST_AUTH]	= { 0x101, "Authentication Required",
			    "a password is wrong, locked, expired or missing",
			    "See the state of the roles with: role list" },
	[ST_DEVICE]	= { 0x30, "Device Unavailable",
			    "no driver, no card, or it went away or does not answer",
			    "See what is there with: slot list" },
	[ST_CONFIG]	= { 0xc, "Bad Configuration", "the HA configuration file is broken",
			    "Repair the file, or take the one that was kept beside it." },
	[ST_REFUSED]	= { 0x9, "Operation Refused",
			    "it would do harm or something stands against it; nothing was changed",
			    "See how things stand with: hagroup listgroups, slot list" },
};

const char *status_meaning(enum status status)
{
	return statuses[status].meaning;
}

void print_wrapped(FILE *out, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		size_t room = LINE_WIDTH - strlen(INDENT);

		if (len > room) {
			len = room;
			while (len && text[len] != ' ')
				len--;
			if (!len)
				len = strcspn(text, " \n");
		}
		fprintf(out, "%s%.*s\n", len ? INDENT : "", (int)len, text);
		text += len;
		text += *text == ' ' || *text == '\n';
	}
}

void hex_text(char *out, const uint8_t *bytes, size_t n)
{
	size_t i;

	out[0] = '\0';
	for (i = 0; i < n; i++)
		sprintf(out + 2 * i, "%02x", bytes[i]);
}

void print_arrow(int width, const char *name, const char *fmt, ...)
{
	char arrow[48], value[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	snprintf(arrow, sizeof(arrow), "%s ->", name);
	if (*value)
		printf(INDENT "%-*s%s\n", width, arrow, value);
	else
		printf(INDENT "%s\n", arrow);
}

/* The report itself. With --json it is also an object on standard output, for programs. */
static void report(struct app *app, enum status status, uint32_t code, const char *name,
		   const char *what, const char *advice)
{
	char *line, where[32] = "";

	fflush(stdout);
	if (app->line)
		snprintf(where, sizeof(where), " in line %u", app->line);
	/* The HA engine's texts are whole sentences. */
	if (asprintf(&line, "Error%s: %s%s", where, what,
		     what[0] && what[strlen(what) - 1] == '.' ? "" : ".") < 0)
		line = NULL;
	fprintf(stderr, "\n");
	print_wrapped(stderr, line ? line : what);
	if (advice)
		print_wrapped(stderr, advice);
	fprintf(stderr, "\nCommand Result : 0x%" PRIx32 " (%s)\n", code, name);
	free(line);
	if (app->json) {
		struct json_object *top = app->out ? app->out : json_object_new_object();
		struct json_object *error = json_object_new_object();

		put_number(error, "status", status);
		put_number(error, "code", code);
		put_text(error, "name", name);
		put_text(error, "message", what);
		put_text(error, "advice", advice);
		json_object_object_add(top, "error", error);
		/* Before there is a command, nobody else prints it. */
		if (!app->out) {
			put_number(top, "status", status);
			put_print(top);
		}
	}
}

/* What is of use with any failure of this status */
static const char *general_advice(const struct app *app, enum status status, char *room,
				  size_t size)
{
	const struct command *c = app->command;

	if (status != ST_USAGE || !c)
		return statuses[status].advice;
	snprintf(room, size, "See: help %.*s %.*s", (int)first_name(c->area), c->area,
		 (int)first_name(c->name), c->name);
	return room;
}

static enum status vfail(struct app *app, enum status status, uint32_t code, const char *advice,
			 const char *fmt, va_list ap)
{
	char *what, room[80];

	/* They say that nothing was done. */
	if (app->acted && (status == ST_USAGE || status == ST_CANCELLED || status == ST_REFUSED))
		status = ST_FAILED;
	if (vasprintf(&what, fmt, ap) < 0)
		what = NULL;
	if (!advice)
		advice = general_advice(app, status, room, sizeof(room));
	if (code == CODE_OF_STATUS)
		report(app, status, statuses[status].code, statuses[status].text,
		       what ? what : "out of memory", advice);
	else
		report(app, status, code, pciehsm_rv_name(code), what ? what : "out of memory",
		       advice);
	free(what);
	return status;
}

enum status fail(struct app *app, enum status status, uint32_t code, const char *advice,
		 const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	status = vfail(app, status, code, advice, fmt, ap);
	va_end(ap);
	return status;
}

/* What results mean for an operator; those that are not here say it by their name. */
static const struct {
	CK_RV		rv;
	enum status	status;
	const char	*meaning;
	const char	*advice;
} results[] = {
	{ CKR_PIN_INCORRECT, ST_AUTH, "the password is wrong",
	  "Try again with the right password." },
	{ CKR_PIN_LOCKED, ST_AUTH, "the role is locked after too many wrong passwords",
	  "A Crypto Officer is reset by the Partition SO (role resetpw -name co), a Crypto "
	  "User by the Crypto Officer. An Auditor waits for ten minutes." },
	{ CKR_PIN_EXPIRED, ST_AUTH,
	  "the password was set by somebody else and must be changed before it is used",
	  "Change it with: role changepw -name <role>" },
	{ CKR_PIN_LEN_RANGE, ST_USAGE, "the password has a length that is not allowed",
	  "Passwords have 8 to 255 characters." },
	{ CKR_PIN_INVALID, ST_USAGE, "this password is not allowed",
	  "It has to be another one than before, of printable ASCII characters without \"." },
	{ CKR_ARGUMENTS_BAD, ST_USAGE, "the card does not take one of the values", NULL },
	{ CKR_USER_NOT_LOGGED_IN, ST_AUTH, "the role that may do this is not logged in",
	  "Log in first (role login -name <role>), or give the password with the command." },
	{ CKR_USER_PIN_NOT_INITIALIZED, ST_REFUSED, "that role has not been initialized",
	  "The role above it makes it: role init -name <role>. The SO of a partition comes "
	  "with partition init, that of an HSM with hsm init." },
	{ PCIEHSM_CKR_NOT_ACTIVATED, ST_AUTH,
	  "the challenge is right, but the role is not activated there",
	  "Log in with the role's password (role login -name <role>), which activates it." },
	{ CKR_USER_ALREADY_LOGGED_IN, ST_REFUSED, "that role is logged in already",
	  "Log it out first: role logout" },
	{ CKR_USER_ANOTHER_ALREADY_LOGGED_IN, ST_REFUSED, "another role is logged in",
	  "Log it out first: role logout" },
	{ CKR_USER_TYPE_INVALID, ST_USAGE, "there is no such role here",
	  "An HSM has so and au; a partition has po, co, lco and cu." },
	{ CKR_TOKEN_NOT_PRESENT, ST_DEVICE, "no member is there",
	  "See which members are missing with: hagroup listgroups" },
	{ CKR_DEVICE_REMOVED, ST_DEVICE, "the device has gone",
	  "See what is there with: slot list" },
	{ CKR_DEVICE_MEMORY, ST_FAILED, "there is no space left in the partition",
	  "Delete what is not needed any more, or make a bigger partition." },
	{ CKR_FUNCTION_NOT_SUPPORTED, ST_FAILED, "this card's firmware cannot do that",
	  "Which firmware it has is told by hsm show; members of a group should have the same." },
	{ PCIEHSM_CKR_NOT_INITIALISED, ST_REFUSED, "it has not been initialized",
	  "An HSM is initialized with hsm init, a partition with partition init." },
	{ PCIEHSM_CKR_CAPACITY, ST_REFUSED, "the HSM has no room for another partition",
	  "Make it smaller (-size), or others (partition resize); or delete one that is not "
	  "needed any more: partition delete -slot <slot>" },
	{ PCIEHSM_CKR_POLICY, ST_REFUSED, "a policy forbids it",
	  "See what is allowed with: hsm showpolicies, partition showpolicies" },
	{ PCIEHSM_CKR_STORE, ST_FAILED, "the card could not write to its store; nothing was done",
	  "Look at the card's storage, then repeat the command." },
	{ PCIEHSM_CKR_TAMPERED, ST_DEVICE, "the card has been tampered with",
	  "Its keys are gone. See hsm tamper; hsm factoryreset brings the card back to work." },
	{ PCIEHSM_CKR_AUDIT_FULL, ST_REFUSED, "the card's audit log is full",
	  "The Auditor has to take the log over and truncate it first." },
	{ PCIEHSM_CKR_COPIES, ST_REFUSED,
	  "too few members are there for the copies that the group wants",
	  "Bring members back (hagroup listgroups), or want fewer: hagroup mincopies" },
	{ PCIEHSM_CKR_DOMAIN_MISMATCH, ST_REFUSED, "the cloning domains are not the same",
	  "All members of a group must be of one domain. Initialize the new partition again "
	  "with the domain of the group's members." },
	{ PCIEHSM_RV_ACCESS, ST_PERMISSION, "you have no right to do that with the device",
	  "Run this as root or as a member of the device's group." },
	{ PCIEHSM_RV_NO_ROOM, ST_DEVICE, "the card has no room for another context",
	  "Close programs that use it, then repeat the command." },
	{ PCIEHSM_RV_LOST_NOT_EXECUTED, ST_DEVICE,
	  "the device has gone; the command was not executed",
	  "See what is there with: slot list" },
	{ PCIEHSM_RV_LOST_UNKNOWN, ST_DEVICE,
	  "the device went away during the command, which may have been executed",
	  "See what is there with: slot list" },
	{ PCIEHSM_RV_RESET_NOT_EXECUTED, ST_DEVICE,
	  "the card was reset; the command was not executed",
	  "Logins ended with the reset: log in again and repeat the command." },
	{ PCIEHSM_RV_RESET_UNKNOWN, ST_DEVICE,
	  "the card was reset during the command, which may have been executed",
	  "Logins ended with the reset. See what was done before you repeat the command." },
	{ PCIEHSM_RV_TIMEOUT_NOT_EXECUTED, ST_DEVICE,
	  "the card does not answer; the command was not executed",
	  "Look at the kernel log for what became of the card." },
	{ PCIEHSM_RV_TIMEOUT_UNKNOWN, ST_DEVICE,
	  "the card does not answer; the command may have been executed",
	  "Look at the kernel log for what became of the card." },
};

enum status rv_status(CK_RV rv)
{
	size_t i;

	for (i = 0; i < sizeof(results) / sizeof(results[0]); i++)
		if (results[i].rv == rv)
			return results[i].status;
	return rv ? ST_FAILED : ST_OK;
}

const char *rv_advice(CK_RV rv)
{
	size_t i;

	for (i = 0; i < sizeof(results) / sizeof(results[0]); i++)
		if (results[i].rv == rv)
			return results[i].advice;
	return NULL;
}

/* What it is that a role has only so many attempts before, and what it means that it came. */
static const struct cost {
	uint32_t	role;
	const char	*coming;
	const char	*came;
	const char	*advice;
} costs[] = {
	{ PCIEHSM_ROLE_SO, "the HSM with all its partitions and keys is destroyed",
	  "the HSM was zeroized, its partitions and all their keys are destroyed",
	  "Initialize it again: hsm init. Keys that other members of a group hold come back with: "
	  "hagroup replace" },
	{ PCIEHSM_ROLE_PO, "the partition and all its keys are destroyed",
	  "the partition was wiped, its roles and all its keys are destroyed",
	  "Initialize it again: partition init. Keys that other members of a group hold come back "
	  "with: hagroup replace" },
	{ PCIEHSM_ROLE_AU, "the role is locked", "the role is locked",
	  "The lock ends by itself after ten minutes." },
	/* Any other role */
	{ PCIEHSM_ROLE_NONE, "the role is locked", "the role is locked", NULL },
};

static const struct cost *cost_of(uint32_t role)
{
	const struct cost *cost = costs;

	while (cost->role != role && cost->role != PCIEHSM_ROLE_NONE)
		cost++;
	return cost;
}

static enum status vfail_rv(struct app *app, CK_RV rv, const char *more, const char *advice,
			    const char *fmt, va_list ap)
{
	const char *meaning = "the card refuses it";
	enum status status;
	char *what;
	size_t i;

	for (i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		if (results[i].rv == rv)
			meaning = results[i].meaning;
	}
	if (vasprintf(&what, fmt, ap) < 0)
		what = NULL;
	status = fail(app, rv_status(rv), (uint32_t)rv, advice, "%s: %s%s",
		      what ? what : "the command failed", meaning, more);
	free(what);
	return status;
}

enum status fail_rv(struct app *app, CK_RV rv, const char *fmt, ...)
{
	enum status status;
	va_list ap;

	va_start(ap, fmt);
	status = vfail_rv(app, rv, "", rv_advice(rv), fmt, ap);
	va_end(ap);
	return status;
}

enum status fail_auth(struct app *app, CK_RV rv, uint32_t role, uint32_t attempts,
		      const char *fmt, ...)
{
	const struct cost *cost = cost_of(role);
	const char *advice = rv_advice(rv);
	char more[160] = "", left[160];
	enum status status;
	va_list ap;

	if (rv == CKR_PIN_INCORRECT && attempts && attempts != NO_ATTEMPTS) {
		snprintf(left, sizeof(left), "%" PRIu32 " attempt%s left before %s. "
			 "Try again with the right password.", attempts, PLURAL(attempts),
			 cost->coming);
		advice = left;
	} else if (rv == CKR_PIN_INCORRECT && !attempts) {
		snprintf(more, sizeof(more), ", and that was the last attempt: %s", cost->came);
		advice = cost->advice ? cost->advice : rv_advice(CKR_PIN_LOCKED);
	}
	va_start(ap, fmt);
	status = vfail_rv(app, rv, more, advice, fmt, ap);
	va_end(ap);
	return status;
}

enum status fail_errno(struct app *app, int err, const char *fmt, ...)
{
	enum status status = ST_FAILED;
	const char *advice = NULL;
	char *what = NULL;
	va_list ap;

	switch (-err) {
	case EACCES:
	case EPERM:
		status = ST_PERMISSION;
		advice = "Run this as root, or as a user with the rights to it.";
		break;
	case EROFS:
		status = ST_PERMISSION;
		break;
	case ENODEV:
	case ENXIO:
		status = ST_DEVICE;
		advice = "See what is there with: slot list";
		break;
	case ENOENT:
		status = ST_NOT_FOUND;
		break;
	case EBADMSG:
		status = ST_CONFIG;
		break;
	case ETIMEDOUT:
	case ECANCELED:
	case EIO:
		status = ST_DEVICE;
		advice = "Look at the kernel log for what became of the card.";
		break;
	}
	va_start(ap, fmt);
	if (vasprintf(&what, fmt, ap) < 0)
		what = NULL;
	va_end(ap);
	status = fail(app, status, CODE_OF_STATUS, advice, "%s: %s",
		      what ? what : "the command failed", strerror(-err));
	free(what);
	return status;
}

enum status fail_cancelled(struct app *app)
{
	return fail(app, ST_CANCELLED, CODE_OF_STATUS, NULL, app->acted ?
		    "command cancelled before its end" : "command cancelled, nothing was changed");
}

void say(struct app *app, const char *fmt, ...)
{
	va_list ap;

	if (app->json)
		return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
}

void warn_user(struct app *app, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	fflush(stdout);
	if (text)
		print_wrapped(stderr, text);
	if (text)
		put_text_item(app->out, "warnings", text + strspn(text, "\n"));
	free(text);
}
