// SPDX-License-Identifier: LGPL-2.1-or-later
/* hsm tamper, audit: what happened to a card, and what was done with it. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "haadm.h"
#include "verify.h"

#define INDENT		"        "
#define AT_ONCE		1024U
/* An exported log: this line, then blocks, each behind its length (32 bits, little-endian):
 * the card's certificates, then chunks as the card has signed them.
 */
#define FILE_MAGIC	"pciehsm audit log 1\n"
#define BLOCK_MAX	(16U << 20)

enum status cmd_hsm_tamper(struct app *app, struct args *args)
{
	struct pciehsm_hsm_info info;
	struct context *context;
	struct ha_slot slot;
	enum status st;

	st = open_hsm(app, args, &slot, &context, &info);
	if (st)
		return st;
	put_text(app->out, "serial", slot.serial);
	put_bool(app->out, "tampered", info.flags & PCIEHSM_HSM_TAMPERED);
	if (info.flags & PCIEHSM_HSM_TAMPERED)
		return fail(app, ST_DEVICE, PCIEHSM_CKR_TAMPERED,
			    "Its keys are gone. The audit log tells when (hsm audit). Only hsm "
			    "factoryreset brings the card back to work.",
			    "HSM %s was tampered with: its case was opened", slot.serial);
	say(app, "\n" INDENT "HSM %s was not tampered with.\n", slot.serial);
	return ST_OK;
}

/* ---- what is logged ---- */

static const struct {
	uint32_t	bit;
	const char	*name;
	const char	*text;
} categories[] = {
	{ PCIEHSM_AUDIT_LOG_LOGIN, "login", "logins and logouts" },
	{ PCIEHSM_AUDIT_LOG_ROLES, "roles", "passwords and roles" },
	{ PCIEHSM_AUDIT_LOG_HSM, "hsm", "what changes the HSM" },
	{ PCIEHSM_AUDIT_LOG_PARTITION, "partition", "what changes a partition as a whole" },
	{ PCIEHSM_AUDIT_LOG_OBJECTS, "objects", "making, changing, deleting objects" },
	{ PCIEHSM_AUDIT_LOG_USE, "use", "using keys" },
	{ PCIEHSM_AUDIT_LOG_CLONING, "cloning", "cloning" },
	{ PCIEHSM_AUDIT_LOG_FAILED, "failed", "whatever failed" },
};

#define N_CATEGORIES	(sizeof(categories) / sizeof(categories[0]))

/* "login,roles", "all", "none" */
static bool parse_mask(const char *text, uint32_t *mask)
{
	size_t i, len;

	*mask = 0;
	if (!strcmp(text, "none"))
		return true;
	if (!strcmp(text, "all")) {
		*mask = PCIEHSM_AUDIT_LOG_ALL;
		return true;
	}
	for (;; text += len + 1) {
		len = strcspn(text, ",");
		for (i = 0; i < N_CATEGORIES; i++)
			if (strlen(categories[i].name) == len &&
			    !strncmp(categories[i].name, text, len))
				break;
		if (i == N_CATEGORIES)
			return false;
		*mask |= categories[i].bit;
		if (!text[len])
			return true;
	}
}

static enum status show(struct app *app, struct context *context, const char *serial)
{
	struct pciehsm_audit_info info;
	uint64_t kept;
	size_t i;
	CK_RV rv = pciehsm_audit_info(context->transport, &info);

	if (rv)
		return fail_rv(app, rv, "asking HSM %s for its audit log", serial);
	kept = info.last ? info.last - info.first + 1 : 0;
	put_text(app->out, "serial", serial);
	put_number(app->out, "first", info.first);
	put_number(app->out, "last", info.last);
	put_number(app->out, "capacity", info.capacity);
	put_text(app->out, "when_full", info.flags & PCIEHSM_AUDIT_HALT ? "halt" : "drop");
	put_bool(app->out, "full", info.flags & PCIEHSM_AUDIT_FULL);
	for (i = 0; i < N_CATEGORIES; i++)
		if (info.mask & categories[i].bit)
			put_text_item(app->out, "logged", categories[i].name);
	if (app->json)
		return ST_OK;
	printf("\n");
	print_arrow(28, "HSM Serial Number", "%s", serial);
	print_arrow(28, "Entries Kept", "%" PRIu64 " of %" PRIu32, kept, info.capacity);
	if (kept)
		print_arrow(28, "Entries", "%" PRIu64 " to %" PRIu64, info.first, info.last);
	print_arrow(28, "When It Is Full", "%s", !(info.flags & PCIEHSM_AUDIT_HALT) ?
		    "the oldest entries are dropped" : info.flags & PCIEHSM_AUDIT_FULL ?
		    "commands stop: it is FULL" : "commands stop");
	printf(INDENT "Logged\n");
	for (i = 0; i < N_CATEGORIES; i++)
		printf(INDENT "  %-4s%-12s%s\n", info.mask & categories[i].bit ? "yes" : "no",
		       categories[i].name, categories[i].text);
	return ST_OK;
}

static enum status configure(struct app *app, const struct args *args, struct context *context,
			     const char *serial)
{
	const char *log = arg_text(args, "log"), *full = arg_text(args, "full");
	struct pciehsm_audit_info info;
	uint32_t mask, flags;
	enum status st;
	CK_RV rv;

	rv = pciehsm_audit_info(context->transport, &info);
	if (rv)
		return fail_rv(app, rv, "asking HSM %s for its audit log", serial);
	mask = info.mask;
	if (log && !parse_mask(log, &mask))
		return fail(app, ST_USAGE, CODE_OF_STATUS,
			    "Give all, none, or some of login, roles, hsm, partition, objects, use, "
			    "cloning, failed, with commas and no blanks between them.",
			    "\"%s\" is not what can be logged", log);
	flags = full ? name_listed("halt", full) ? PCIEHSM_AUDIT_HALT : 0 :
		info.flags & PCIEHSM_AUDIT_HALT;
	say(app, "\n");
	st = need_login(app, args, context, PCIEHSM_ROLE_AU, "password");
	if (st)
		return st;
	rv = pciehsm_audit_config(context->transport, mask, flags);
	if (rv)
		return fail_rv(app, rv, "setting what HSM %s logs", serial);
	return show(app, context, serial);
}

/* ---- export ---- */

static bool write_block(FILE *f, const void *data, size_t len)
{
	uint32_t size = htole32(len);

	return fwrite(&size, sizeof(size), 1, f) == 1 && fwrite(data, 1, len, f) == len;
}

static enum status copy_log(struct app *app, struct context *context, const char *serial, FILE *f,
			    uint64_t *entries)
{
	struct pciehsm_audit_info info;
	struct progress progress;
	uint64_t last = 0;
	size_t len, n = 1;
	bool good;
	void *data;
	CK_RV rv;

	rv = pciehsm_audit_info(context->transport, &info);
	if (!rv)
		rv = pciehsm_hsm_identity(context->transport, &data, &len);
	if (rv)
		return fail_rv(app, rv, "asking HSM %s for its certificates", serial);
	good = fputs(FILE_MAGIC, f) >= 0 && write_block(f, data, len);
	free(data);
	progress_begin(&progress, app, "entries");
	while (good && n && last < info.last) {
		rv = pciehsm_audit_export(context->transport, last, AT_ONCE, &data, &len, &last, &n);
		if (rv) {
			progress_end(&progress);
			return fail_rv(app, rv, "reading the audit log of HSM %s",
				       serial);
		}
		good = !n || write_block(f, data, len);
		free(data);
		*entries += n;
		progress_step(&progress, *entries, info.last - info.first + 1);
	}
	progress_end(&progress);
	/* Entries may be truncated on the card next: they have to be on the disk. */
	if (!good || fflush(f) || fsync(fileno(f)))
		return fail_errno(app, -errno, "writing the audit log");
	return ST_OK;
}

static enum status export(struct app *app, const struct args *args, struct context *context,
			  const char *serial)
{
	const char *path = arg_text(args, "export");
	uint64_t entries = 0;
	enum status st;
	FILE *f;
	int fd;

	say(app, "\n");
	st = need_login(app, args, context, PCIEHSM_ROLE_AU, "password");
	if (st)
		return st;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!f) {
		st = errno == EEXIST ?
		     fail(app, ST_REFUSED, CODE_OF_STATUS, "Give another name.",
			  "%s is there already", path) : fail_errno(app, -errno, "%s", path);
		if (fd >= 0)
			close(fd);
		return st;
	}
	st = copy_log(app, context, serial, f, &entries);
	fclose(f);
	if (st) {
		unlink(path);
		return st;
	}
	put_text(app->out, "serial", serial);
	put_text(app->out, "file", path);
	put_number(app->out, "entries", entries);
	say(app, INDENT "%" PRIu64 " entr%s written to %s.\n", entries, entries == 1 ? "y" : "ies",
	    path);
	say(app, INDENT "Check them with: hsm audit -verify %s\n", path);
	return ST_OK;
}

static enum status truncate_log(struct app *app, const struct args *args, struct context *context,
				const char *serial)
{
	uint64_t upto = arg_number(args, "truncate", 0);
	char text[200];
	enum status st;
	CK_RV rv;

	snprintf(text, sizeof(text), "Entries up to number %" PRIu64 " of the audit log of HSM %s are "
		 "going to be destroyed. Export them first: hsm audit -export <file>", upto, serial);
	st = confirm(app, args, text);
	if (st)
		return st;
	say(app, "\n");
	st = need_login(app, args, context, PCIEHSM_ROLE_AU, "password");
	if (st)
		return st;
	rv = pciehsm_audit_truncate(context->transport, upto);
	if (rv)
		return fail_rv(app, rv, "truncating the audit log of HSM %s", serial);
	return show(app, context, serial);
}

/* ---- verify ---- */

static const struct {
	uint32_t	op;
	const char	*name;
} operations[] = {
	{ PCIEHSM_AUDIT_POWER_ON, "power on" },
	{ PCIEHSM_AUDIT_TAMPER, "TAMPER" },
	{ PCIEHSM_OP_LOGIN, "login" },
	{ PCIEHSM_OP_LOGOUT, "logout" },
	{ PCIEHSM_OP_ROLE_INIT, "role init" },
	{ PCIEHSM_OP_ROLE_SET_PIN, "role changepw" },
	{ PCIEHSM_OP_ROLE_RESET_PIN, "role resetpw" },
	{ PCIEHSM_OP_ROLE_SET_CHALLENGE, "role createchallenge" },
	{ PCIEHSM_OP_ROLE_DEACTIVATE, "role deactivate" },
	{ PCIEHSM_OP_POLICY_SET, "changepolicy" },
	{ PCIEHSM_OP_HSM_INIT, "hsm init" },
	{ PCIEHSM_OP_HSM_FACTORY_RESET, "hsm factoryreset" },
	{ PCIEHSM_OP_HSM_ZEROIZE, "hsm zeroize" },
	{ PCIEHSM_OP_PARTITION_CREATE, "partition create" },
	{ PCIEHSM_OP_PARTITION_DELETE, "partition delete" },
	{ PCIEHSM_OP_PARTITION_RESIZE, "partition resize" },
	{ PCIEHSM_OP_PARTITION_INIT, "partition init" },
	{ PCIEHSM_OP_PARTITION_CLEAR, "partition clear" },
	{ PCIEHSM_OP_AUDIT_CONFIG, "audit config" },
	{ PCIEHSM_OP_AUDIT_EXPORT, "audit export" },
	{ PCIEHSM_OP_AUDIT_TRUNCATE, "audit truncate" },
};

static void print_entry(struct app *app, struct json_object *list,
			const struct pciehsm_audit_entry *e)
{
	uint32_t op = le32toh(e->op), rv = le32toh(e->rv), role = le32toh(e->role);
	struct json_object *item = put_item(list);
	char name[32];
	size_t i;

	snprintf(name, sizeof(name), "command 0x%" PRIx32, op);
	for (i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		if (operations[i].op == op)
			snprintf(name, sizeof(name), "%s", operations[i].name);
	say(app, INDENT "%8" PRIu64 "  %4" PRIu64 " %12.3f  %7" PRIu32 "  %-4s %-20s %s\n",
	    le64toh(e->seq), le64toh(e->power_on), le64toh(e->time) / 1000.0,
	    le32toh(e->partition), role ? role_short(role) : "-", name,
	    rv ? pciehsm_rv_name(rv) : "ok");
	put_number(item, "number", le64toh(e->seq));
	put_number(item, "power_on", le64toh(e->power_on));
	put_number(item, "time_ms", le64toh(e->time));
	put_number(item, "partition", le32toh(e->partition));
	put_text(item, "role", role ? role_short(role) : NULL);
	put_text(item, "operation", name);
	put_text(item, "result", pciehsm_rv_name(rv));
}

/* NULL: the end, or *@bad */
static void *read_block(FILE *f, size_t *len, bool *bad)
{
	uint32_t size;
	size_t n = fread(&size, 1, sizeof(size), f);
	void *data;

	*bad = n && n != sizeof(size);
	if (n != sizeof(size))
		return NULL;
	*len = le32toh(size);
	*bad = !*len || *len > BLOCK_MAX;
	data = *bad ? NULL : malloc(*len);
	if (data && fread(data, 1, *len, f) != *len) {
		free(data);
		data = NULL;
	}
	*bad = !data;
	return data;
}

static char *read_text(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = f ? malloc(65536) : NULL;
	size_t len;

	if (text) {
		len = fread(text, 1, 65535, f);
		text[len] = '\0';
	}
	if (f)
		fclose(f);
	return text;
}

static enum status check_root(struct app *app, const char *path, const void *certificates,
			      size_t len)
{
	char serial[25], *root;
	CK_RV rv;

	if (!path) {
		warn_user(app, "Note: whether the card's certificate is genuine is not known without "
			  "its maker's (-root).");
		return ST_OK;
	}
	root = read_text(path);
	if (!root)
		return fail_errno(app, -errno, "%s", path);
	rv = pciehsm_certificate_verify(certificates, len, root, serial);
	free(root);
	if (rv)
		return fail_rv(app, rv, "checking the card's certificate with %s", path);
	put_text(app->out, "serial", serial);
	say(app, INDENT "The certificate is that of HSM %s.\n", serial);
	return ST_OK;
}

static enum status damaged(struct app *app, const char *path)
{
	return fail(app, ST_FAILED, CODE_OF_STATUS, "Export it again.",
		    "%s is not an exported audit log, or it is damaged", path);
}

static enum status verify_chunks(struct app *app, const char *path, FILE *f,
				 const void *certificates, size_t certificates_len)
{
	struct pciehsm_audit_check check = { .last = 0 };
	const struct pciehsm_audit_entry *entries;
	struct json_object *list = put_list(app->out, "entries");
	struct progress progress;
	struct stat file = { .st_size = 0 };
	uint64_t total = 0, done = 0;
	size_t len, n, i;
	bool bad;
	void *chunk;
	CK_RV rv = CKR_OK;

	say(app, INDENT "%8s  %4s %12s  %7s  %-4s %-20s %s\n", "Number", "Boot", "Time (s)",
	    "Part.", "Role", "Command", "Result");
	/* What is no plain file, as a pipe, has no size. */
	fstat(fileno(f), &file);
	progress_begin(&progress, app, "bytes");
	while (!rv && (chunk = read_block(f, &len, &bad))) {
		progress_clear(&progress);
		rv = pciehsm_audit_verify(certificates, certificates_len, chunk, len, &check, &entries,
					  &n);
		for (i = 0; !rv && i < n; i++)
			print_entry(app, list, &entries[i]);
		total += rv ? 0 : n;
		free(chunk);
		done += sizeof(uint32_t) + len;
		progress_step(&progress, done, file.st_size);
	}
	progress_end(&progress);
	if (rv)
		return fail(app, ST_FAILED, rv, "It was changed after the card had signed it.",
			    "%s is not genuine behind entry %" PRIu64, path, check.last);
	if (bad)
		return damaged(app, path);
	put_text(app->out, "file", path);
	put_number(app->out, "verified", total);
	put_number(app->out, "missing", check.gaps);
	say(app, "\n" INDENT "%" PRIu64 " entries are as the card has signed them; %" PRIu64
	    " are missing.\n", total, check.gaps);
	return ST_OK;
}

static enum status verify(struct app *app, const struct args *args)
{
	const char *path = arg_text(args, "verify");
	FILE *f = fopen(path, "re");
	char magic[sizeof(FILE_MAGIC)] = "";
	void *certificates = NULL;
	enum status st;
	size_t len;
	bool bad;

	if (!f)
		return fail_errno(app, -errno, "%s", path);
	say(app, "\n");
	if (fread(magic, 1, sizeof(magic) - 1, f) == sizeof(magic) - 1 && !strcmp(magic, FILE_MAGIC))
		certificates = read_block(f, &len, &bad);
	st = certificates ? check_root(app, arg_text(args, "root"), certificates, len) :
	     damaged(app, path);
	if (!st)
		st = verify_chunks(app, path, f, certificates, len);
	free(certificates);
	fclose(f);
	return st;
}

enum status cmd_hsm_audit(struct app *app, struct args *args)
{
	struct pciehsm_hsm_info info;
	struct context *context;
	struct ha_slot slot;
	enum status st;

	if (arg_given(args, "verify"))
		return verify(app, args);
	st = open_hsm(app, args, &slot, &context, &info);
	if (st)
		return st;
	if (arg_given(args, "export"))
		return export(app, args, context, slot.serial);
	if (arg_given(args, "truncate"))
		return truncate_log(app, args, context, slot.serial);
	if (arg_given(args, "log") || arg_given(args, "full"))
		return configure(app, args, context, slot.serial);
	return show(app, context, slot.serial);
}
