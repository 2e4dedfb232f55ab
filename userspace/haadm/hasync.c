// SPDX-License-Identifier: LGPL-2.1-or-later
/* hagroup synchronize: members brought to the same contents, now and from now on. */
#include <inttypes.h>

#include "haadm.h"

#define INDENT	"        "

static enum status apply_synchronize(struct edit *edit, struct ha_config *config)
{
	struct ha_config_group *group;
	enum status st = group_get(edit->app, config, edit->label, &group);

	if (!st && !edit->flag && group->mincopies > 1)
		return fail(edit->app, ST_REFUSED, CODE_OF_STATUS,
			    "Lower it first: hagroup mincopies -copies 1",
			    "a new object of group %s needs %u copies", edit->label,
			    group->mincopies);
	if (!st)
		group->synchronize = edit->flag;
	return st;
}

struct sync {
	struct app	*app;
	struct progress	progress;
	bool		told;		/* something was printed below the password's line */
};

static void on_progress(void *arg, uint32_t done, uint32_t total, const char *text)
{
	struct sync *sync = arg;

	if (text) {
		progress_clear(&sync->progress);
		say(sync->app, "%s" INDENT "%s\n", sync->told ? "" : "\n", text);
		fflush(stdout);
		put_text_item(sync->app->out, "remarks", text);
		sync->told = true;
	}
	progress_step(&sync->progress, done, total);
}

static void carried_over(struct app *app, const struct ha_sync_report *report)
{
	say(app, "\n" INDENT "%" PRIu32 " object%s in the group; %" PRIu32 " cop%s and %" PRIu32
	    " deletion%s carried over,\n", report->objects, PLURAL(report->objects),
	    report->copied, report->copied == 1 ? "y" : "ies", report->deleted,
	    PLURAL(report->deleted));
}

enum status cmd_ha_synchronize(struct app *app, struct args *args)
{
	struct sync sync = { .app = app };
	struct edit edit = { .app = app, .apply = apply_synchronize,
			     .label = arg_text(args, "group"), .flag = arg_given(args, "enable") };
	struct ha_sync_report report = { 0 };
	char error[512] = "";
	struct secret secret;
	enum status st;
	CK_RV rv;

	if (arg_given(args, "enable") || arg_given(args, "disable")) {
		st = ha_edit(&edit);
		if (st)
			return st;
		put_text(app->out, "group", edit.label);
		put_bool(app->out, "synchronize", edit.flag);
		say(app, "\n" INDENT "Automatic synchronization of group %s has been %s.\n",
		    edit.label, edit.flag ? "enabled" : "disabled");
		return ST_OK;
	}
	st = need_group(app, edit.label);
	if (st)
		return st;
	say(app, "\n");
	st = secret_get(app, args, "password", "Enter the password", &secret);
	if (st)
		return st;
	progress_begin(&sync.progress, app, "objects");
	rv = ha_group_synchronize(app->ha, edit.label, secret.data, secret.len, &report,
				  on_progress, &sync, error, sizeof(error));
	progress_end(&sync.progress);
	secret_wipe(&secret);
	put_text(app->out, "group", edit.label);
	put_number(app->out, "objects", report.objects);
	put_number(app->out, "copied", report.copied);
	put_number(app->out, "deleted", report.deleted);
	put_number(app->out, "conflicts", report.conflicts);
	put_number(app->out, "failed", report.failed);
	if (rv && (report.copied || report.deleted || report.failed)) {
		carried_over(app, &report);
		say(app, INDENT "%" PRIu32 " could not be.\n", report.failed);
	}
	if (rv && error[0])
		return fail(app, rv_status(rv), rv, rv_advice(rv),
			    "synchronizing group %s: %s", edit.label, error);
	if (rv)
		return fail_rv(app, rv, "synchronizing group %s", edit.label);
	/* Nothing to tell of is the documented output; whatever was done is told. */
	if (arg_given(args, "verbose") || report.copied || report.deleted || report.conflicts ||
	    report.failed) {
		carried_over(app, &report);
		say(app, INDENT "%" PRIu32 " conflicting change%s decided by %s versions.\n",
		    report.conflicts, PLURAL(report.conflicts),
		    report.conflicts == 1 ? "its" : "their");
	}
	if (report.failed)
		say(app, INDENT "%" PRIu32 " object%s could not be brought to every member.\n",
		    report.failed, PLURAL(report.failed));
	say(app, "\n" INDENT "Synchronization completed.\n");
	return ST_OK;
}
