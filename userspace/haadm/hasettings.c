// SPDX-License-Identifier: LGPL-2.1-or-later
/* hagroup retry, interval, recoverymode, haonly, halog: settings that hold for all groups. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "haadm.h"

#define INDENT	"        "

static enum status apply_retry(struct edit *edit, struct ha_config *config)
{
	config->retry_count = edit->number;
	return ST_OK;
}

static enum status apply_interval(struct edit *edit, struct ha_config *config)
{
	config->retry_interval = edit->number;
	return ST_OK;
}

static enum status apply_mode(struct edit *edit, struct ha_config *config)
{
	config->recovery_mode = edit->number;
	return ST_OK;
}

static enum status apply_haonly(struct edit *edit, struct ha_config *config)
{
	config->ha_only = edit->flag;
	return ST_OK;
}

enum status cmd_ha_retry(struct app *app, struct args *args)
{
	struct edit edit = { .app = app, .apply = apply_retry,
			     .number = arg_number(args, "count", 0) };
	enum status st = ha_edit(&edit);

	if (st)
		return st;
	put_number(app->out, "retry_count", edit.number);
	say(app, "\n" INDENT "HA Auto Recovery Count has been set to %ld\n", edit.number);
	return ST_OK;
}

enum status cmd_ha_interval(struct app *app, struct args *args)
{
	struct edit edit = { .app = app, .apply = apply_interval,
			     .number = arg_number(args, "interval", 0) };
	enum status st = ha_edit(&edit);

	if (st)
		return st;
	put_number(app->out, "retry_interval", edit.number);
	say(app, "\n" INDENT "HA Auto Recovery Interval has been set to %ld seconds.\n",
	       edit.number);
	return ST_OK;
}

enum status cmd_ha_recoverymode(struct app *app, struct args *args)
{
	bool enhanced = name_listed("activeEnhanced", arg_text(args, "mode"));
	struct edit edit = { .app = app, .apply = apply_mode,
			     .number = enhanced ? HA_RECOVERY_ENHANCED : HA_RECOVERY_BASIC };
	enum status st = ha_edit(&edit);

	if (st)
		return st;
	put_text(app->out, "recovery_mode", enhanced ? "activeEnhanced" : "activeBasic");
	say(app, "\n" INDENT "HA Auto Recovery Mode has been set to %s.\n",
	       enhanced ? "activeEnhanced" : "activeBasic");
	return ST_OK;
}

static enum status apply_log(struct edit *edit, struct ha_config *config)
{
	if (edit->label)
		snprintf(config->log_path, sizeof(config->log_path), "%s", edit->label);
	else if (edit->number)
		config->log_max_length = edit->number;
	else
		config->log_enabled = edit->flag;
	return ST_OK;
}

enum status cmd_ha_haonly(struct app *app, struct args *args)
{
	struct edit edit = { .app = app, .apply = apply_haonly, .flag = arg_given(args, "enable") };
	struct ha_config *config;
	enum status st;

	if (!arg_given(args, "show")) {
		st = ha_edit(&edit);
		if (st)
			return st;
	} else {
		st = ha_config_usable(app);
		if (st)
			return st;
		config = ha_config_get(app->ha);
		if (!config)
			return fail_errno(app, -ENOMEM, "reading the HA configuration");
		edit.flag = config->ha_only;
		free(config);
	}
	put_bool(app->out, "ha_only", edit.flag);
	say(app, "\n" INDENT "HA Only %s %s.\n", arg_given(args, "show") ? "is" : "has been",
	       edit.flag ? "enabled" : "disabled");
	return ST_OK;
}

enum status cmd_ha_halog(struct app *app, struct args *args)
{
	struct edit edit = { .app = app, .apply = apply_log, .label = arg_text(args, "path"),
			     .number = arg_number(args, "maxlength", 0),
			     .flag = arg_given(args, "enable") };
	struct ha_config *config;
	enum status st;

	if (edit.label && (edit.label[0] != '/' || strlen(edit.label) >= sizeof(config->log_path)))
		return fail(app, ST_USAGE, CODE_OF_STATUS, "Give an absolute path of up to 255 bytes.",
			    "\"%s\" is not the path of a directory", edit.label);
	st = arg_given(args, "show") ? ha_config_usable(app) : ha_edit(&edit);
	if (st)
		return st;
	config = ha_config_get(app->ha);
	if (!config)
		return fail_errno(app, -ENOMEM, "reading the HA configuration");
	put_bool(app->out, "log_enabled", config->log_enabled);
	put_text(app->out, "log_path", config->log_path[0] ? config->log_path : NULL);
	put_number(app->out, "log_max_length", config->log_max_length);
	say(app, "\n");
	say(app, "%30s:  %s\n", "HA logging", config->log_enabled ? "enabled" : "disabled");
	if (config->log_path[0])
		say(app, "%30s:  %s/haErrorLog.txt\n", "HA Log File", config->log_path);
	else
		say(app, "%30s:  <none>\n", "HA Log File");
	say(app, "%30s:  %zu bytes\n", "Maximum HA Log File Length", config->log_max_length);
	if (config->log_enabled && !config->log_path[0])
		warn_user(app, "\nNothing is logged before a directory is set: hagroup halog -path <dir>");
	free(config);
	return ST_OK;
}
