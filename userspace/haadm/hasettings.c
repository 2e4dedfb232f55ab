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

static enum status set(struct edit *edit)
{
	enum status st = ha_config_usable(edit->app);

	return st ? st : ha_edit(edit);
}

enum status cmd_ha_retry(struct app *app, struct args *args)
{
	struct edit edit = { .app = app, .apply = apply_retry,
			     .number = arg_number(args, "count", 0) };
	enum status st = set(&edit);

	if (!st)
		printf("\n" INDENT "HA Auto Recovery Count has been set to %ld\n", edit.number);
	return st;
}

enum status cmd_ha_interval(struct app *app, struct args *args)
{
	struct edit edit = { .app = app, .apply = apply_interval,
			     .number = arg_number(args, "interval", 0) };
	enum status st = set(&edit);

	if (!st)
		printf("\n" INDENT "HA Auto Recovery Interval has been set to %ld seconds.\n",
		       edit.number);
	return st;
}

enum status cmd_ha_recoverymode(struct app *app, struct args *args)
{
	bool enhanced = name_listed("activeEnhanced", arg_text(args, "mode"));
	struct edit edit = { .app = app, .apply = apply_mode,
			     .number = enhanced ? HA_RECOVERY_ENHANCED : HA_RECOVERY_BASIC };
	enum status st = set(&edit);

	if (!st)
		printf("\n" INDENT "HA Auto Recovery Mode has been set to %s.\n",
		       enhanced ? "activeEnhanced" : "activeBasic");
	return st;
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
		st = set(&edit);
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
	printf("\n" INDENT "HA Only %s %s.\n", arg_given(args, "show") ? "is" : "has been",
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
	st = arg_given(args, "show") ? ha_config_usable(app) : set(&edit);
	if (st)
		return st;
	config = ha_config_get(app->ha);
	if (!config)
		return fail_errno(app, -ENOMEM, "reading the HA configuration");
	printf("\n");
	printf("%30s:  %s\n", "HA logging", config->log_enabled ? "enabled" : "disabled");
	if (config->log_path[0])
		printf("%30s:  %s/haErrorLog.txt\n", "HA Log File", config->log_path);
	else
		printf("%30s:  <none>\n", "HA Log File");
	printf("%30s:  %zu bytes\n", "Maximum HA Log File Length", config->log_max_length);
	if (config->log_enabled && !config->log_path[0])
		warn_user("\nNothing is logged before a directory is set: hagroup halog -path <dir>");
	free(config);
	return ST_OK;
}
