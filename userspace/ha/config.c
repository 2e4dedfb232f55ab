// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * ha.conf: its text, and the checks that every configuration passes before it is
 * obeyed or written.
 *
 * A key that is not known is an error, not ignored: a typing mistake in "ha_only"
 * must not silently mean something else. The version number is raised when a
 * key is added that older programs must not overlook.
 */
#include <errno.h>
#include <json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

#define LOG_LENGTH_DEFAULT	262144
#define LOG_LENGTH_MIN		1024
#define LOG_LENGTH_MAX		(1LL << 40)
#define METRICS_INTERVAL	15
#define METRICS_INTERVAL_MIN	5
#define METRICS_INTERVAL_MAX	3600
#define DEPTH_MAX		8

struct where {
	char	*error;
	size_t	error_len;
};

static int bad(const struct where *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int bad(const struct where *w, const char *fmt, ...)
{
	va_list ap;

	if (w->error_len) {
		va_start(ap, fmt);
		vsnprintf(w->error, w->error_len, fmt, ap);
		va_end(ap);
	}
	return -EBADMSG;
}

void ha_config_defaults(struct ha_config *config)
{
	memset(config, 0, sizeof(*config));
	config->recovery_mode = HA_RECOVERY_BASIC;
	config->retry_count = -1;
	config->retry_interval = 60;
	config->log_max_length = LOG_LENGTH_DEFAULT;
	config->replay_max = HA_REPLAY_MAX;
	config->metrics_interval = METRICS_INTERVAL;
}

const struct ha_config_group *ha_config_group(const struct ha_config *config, const char *label)
{
	unsigned int i;

	for (i = 0; i < config->n_groups; i++)
		if (!strcmp(config->groups[i].label, label))
			return &config->groups[i];
	return NULL;
}

/* ---- checks ---- */

static bool is_digits(const char *s)
{
	return *s && strspn(s, "0123456789") == strlen(s);
}

static int check_group(const struct ha_config *config, unsigned int i, const struct where *w)
{
	const struct ha_config_group *g = &config->groups[i];
	unsigned int j, k, m;
	const char *p;

	if (!*g->label)
		return bad(w, "groups[%u].label is empty: give the group a name", i);
	for (p = g->label; *p; p++)
		if ((unsigned char)*p < ' ' || *p == '"' || *p == 0x7f)
			return bad(w, "groups[%u].label holds a quote or a control character", i);
	if (!is_digits(g->number))
		return bad(w, "groups[%u].number is \"%s\": it has to be digits", i, g->number);
	if (g->slot < HA_SLOT_GROUP_FIRST || g->slot > HA_SLOT_GROUP_LAST)
		return bad(w, "groups[%u].slot is %u: it has to be %u to %u", i, g->slot,
			   HA_SLOT_GROUP_FIRST, HA_SLOT_GROUP_LAST);
	if (!g->n_members)
		return bad(w, "groups[%u].members is empty: a group has at least one member", i);
	if (g->n_members > HA_MAX_MEMBERS)
		return bad(w, "groups[%u].members: more than %u members", i, HA_MAX_MEMBERS);
	if (g->mincopies > g->n_members)
		return bad(w, "groups[%u].mincopies is %u: the group has %u members", i,
			   g->mincopies, g->n_members);
	if (g->mincopies > 1 && !g->synchronize)
		return bad(w, "groups[%u].mincopies is %u, but objects are not replicated (synchronize is false)",
			   i, g->mincopies);
	for (m = 0; m < g->n_members; m++) {
		const char *serial = g->members[m].serial;

		if (g->members[m].weight > HA_WEIGHT_MAX)
			return bad(w, "groups[%u].members[%u].weight is %u: it has to be 1 to %u", i,
				   m, g->members[m].weight, HA_WEIGHT_MAX);
		if (!is_digits(serial))
			return bad(w, "groups[%u].members[%u].serial is \"%s\": it has to be digits",
				   i, m, serial);
		for (j = 0; j <= i; j++) {
			const struct ha_config_group *other = &config->groups[j];
			unsigned int end = j == i ? m : other->n_members;

			for (k = 0; k < end; k++)
				if (!strcmp(serial, other->members[k].serial))
					return bad(w, "groups[%u].members[%u]: partition %s is a member of group \"%s\" already",
						   i, m, serial, other->label);
		}
	}
	for (j = 0; j < i; j++) {
		const struct ha_config_group *other = &config->groups[j];

		if (!strcmp(g->label, other->label))
			return bad(w, "groups[%u].label: there is another group \"%s\"", i,
				   g->label);
		if (!strcmp(g->number, other->number))
			return bad(w, "groups[%u].number: group \"%s\" has number %s, too", i,
				   other->label, g->number);
		if (g->slot == other->slot)
			return bad(w, "groups[%u].slot: group \"%s\" has slot %u, too", i,
				   other->label, g->slot);
	}
	return 0;
}

int ha_config_check(const struct ha_config *config, char *error, size_t error_len)
{
	const struct where w = { error, error_len };
	unsigned int i;
	int err = 0;

	if (config->recovery_mode != HA_RECOVERY_BASIC &&
	    config->recovery_mode != HA_RECOVERY_ENHANCED)
		err = bad(&w, "recovery_mode has to be \"activeBasic\" or \"activeEnhanced\"");
	else if (config->retry_count < -1 || config->retry_count > 500)
		err = bad(&w, "retry_count is %d: it has to be -1 (for ever), 0 (never) or up to 500",
			  config->retry_count);
	else if (config->retry_interval < 60 || config->retry_interval > 1200)
		err = bad(&w, "retry_interval is %u: it has to be 60 to 1200 seconds",
			  config->retry_interval);
	else if (*config->log_path && *config->log_path != '/')
		err = bad(&w, "log.path is \"%s\": it has to be the full path of a directory",
			  config->log_path);
	else if (config->log_max_length < LOG_LENGTH_MIN ||
		 config->log_max_length > LOG_LENGTH_MAX)
		err = bad(&w, "log.max_length is %zu: it has to be at least %d bytes",
			  config->log_max_length, LOG_LENGTH_MIN);
	else if (config->replay_max > HA_REPLAY_LIMIT)
		err = bad(&w, "replay_max is %zu: it has to be 0 to %u bytes", config->replay_max,
			  HA_REPLAY_LIMIT);
	else if (*config->metrics_path && *config->metrics_path != '/')
		err = bad(&w, "metrics.path is \"%s\": it has to be the full path of a directory",
			  config->metrics_path);
	else if (config->metrics_interval < METRICS_INTERVAL_MIN ||
		 config->metrics_interval > METRICS_INTERVAL_MAX)
		err = bad(&w, "metrics.interval is %u: it has to be %d to %d seconds",
			  config->metrics_interval, METRICS_INTERVAL_MIN, METRICS_INTERVAL_MAX);
	else if (config->n_groups > HA_MAX_GROUPS)
		err = bad(&w, "groups: more than %u groups", HA_MAX_GROUPS);
	for (i = 0; !err && i < config->n_groups; i++)
		err = check_group(config, i, &w);
	return err ? -EINVAL : 0;
}

/* ---- reading ---- */

/* What may stand in an object: its name, its type, and who takes it. */
struct key {
	const char	*name;
	json_type	type;
	bool		required;
	int		(*take)(void *into, const char *path, json_object *value,
				const struct where *w);
};

static const char *type_name(json_type type)
{
	switch (type) {
	case json_type_boolean:
		return "true or false";
	case json_type_int:
		return "a number without a fraction";
	case json_type_string:
		return "text in quotes";
	case json_type_array:
		return "a list in [ ]";
	case json_type_object:
		return "an object in { }";
	default:
		return "something else";
	}
}

static int take_object(void *into, const char *path, json_object *object,
		       const struct key *keys, const struct where *w)
{
	const struct key *key;

	json_object_object_foreach(object, name, value) {
		char full[128];
		int err;

		snprintf(full, sizeof(full), "%s%s%s", path, *path ? "." : "", name);
		for (key = keys; key->name && strcmp(key->name, name); key++)
			;
		if (!key->name)
			return bad(w, "key \"%s\" is not known", full);
		if (!json_object_is_type(value, key->type))
			return bad(w, "key \"%s\" has to be %s", full, type_name(key->type));
		err = key->take(into, full, value, w);
		if (err)
			return err;
	}
	for (key = keys; key->name; key++)
		if (key->required && !json_object_object_get_ex(object, key->name, NULL))
			return bad(w, "key \"%s%s%s\" is missing", path, *path ? "." : "",
				   key->name);
	return 0;
}

static int take_text(char *out, size_t room, const char *path, json_object *value,
		     const struct where *w)
{
	const char *text = json_object_get_string(value);
	size_t len = (size_t)json_object_get_string_len(value);

	if (len >= room)
		return bad(w, "key \"%s\" is longer than %zu bytes", path, room - 1);
	if (strlen(text) != len)
		return bad(w, "key \"%s\" holds a NUL", path);
	memcpy(out, text, len + 1);
	return 0;
}

static int take_number(int64_t *out, int64_t min, int64_t max, const char *path,
		       json_object *value, const struct where *w)
{
	*out = json_object_get_int64(value);
	if (*out < min || *out > max)
		return bad(w, "key \"%s\" is %lld: out of range", path, (long long)*out);
	return 0;
}

static int take_serial(void *into, const char *path, json_object *value, const struct where *w)
{
	struct ha_config_member *member = into;

	return take_text(member->serial, sizeof(member->serial), path, value, w);
}

static int take_standby(void *into, const char *path, json_object *value, const struct where *w)
{
	struct ha_config_member *member = into;

	(void)path;
	(void)w;
	member->standby = json_object_get_boolean(value);
	return 0;
}

static int take_drain(void *into, const char *path, json_object *value, const struct where *w)
{
	struct ha_config_member *member = into;

	(void)path;
	(void)w;
	member->drain = json_object_get_boolean(value);
	return 0;
}

static int take_weight(void *into, const char *path, json_object *value, const struct where *w)
{
	struct ha_config_member *member = into;
	int64_t weight;
	int err = take_number(&weight, 1, HA_WEIGHT_MAX, path, value, w);

	member->weight = err ? 0 : (unsigned int)weight;
	return err;
}

static const struct key member_keys[] = {
	{ "serial", json_type_string, true, take_serial },
	{ "standby", json_type_boolean, false, take_standby },
	{ "drain", json_type_boolean, false, take_drain },
	{ "weight", json_type_int, false, take_weight },
	{ NULL, json_type_null, false, NULL },
};

static int take_label(void *into, const char *path, json_object *value, const struct where *w)
{
	struct ha_config_group *group = into;

	return take_text(group->label, sizeof(group->label), path, value, w);
}

static int take_group_number(void *into, const char *path, json_object *value,
			     const struct where *w)
{
	struct ha_config_group *group = into;

	return take_text(group->number, sizeof(group->number), path, value, w);
}

static int take_slot(void *into, const char *path, json_object *value, const struct where *w)
{
	struct ha_config_group *group = into;
	int64_t slot;
	int err = take_number(&slot, 0, UINT32_MAX, path, value, w);

	group->slot = err ? 0 : (uint32_t)slot;
	return err;
}

static int take_synchronize(void *into, const char *path, json_object *value,
			    const struct where *w)
{
	struct ha_config_group *group = into;

	(void)path;
	(void)w;
	group->synchronize = json_object_get_boolean(value);
	return 0;
}

static int take_mincopies(void *into, const char *path, json_object *value,
			  const struct where *w)
{
	struct ha_config_group *group = into;
	int64_t copies;
	int err = take_number(&copies, 1, HA_MAX_MEMBERS, path, value, w);

	group->mincopies = err ? 0 : (unsigned int)copies;
	return err;
}

static int take_recover(void *into, const char *path, json_object *value, const struct where *w)
{
	struct ha_config_group *group = into;
	int64_t requests;
	int err = take_number(&requests, 0, INT64_MAX, path, value, w);

	group->recover = err ? 0 : (uint64_t)requests;
	return err;
}

static int take_members(void *into, const char *path, json_object *value, const struct where *w)
{
	struct ha_config_group *group = into;
	size_t i, n = json_object_array_length(value);

	if (n > HA_MAX_MEMBERS)
		return bad(w, "key \"%s\" has more than %u members", path, HA_MAX_MEMBERS);
	for (i = 0; i < n; i++) {
		json_object *entry = json_object_array_get_idx(value, i);
		char full[160];
		int err;

		snprintf(full, sizeof(full), "%s[%zu]", path, i);
		if (!json_object_is_type(entry, json_type_object))
			return bad(w, "key \"%s\" has to be %s", full,
				   type_name(json_type_object));
		err = take_object(&group->members[i], full, entry, member_keys, w);
		if (err)
			return err;
	}
	group->n_members = (unsigned int)n;
	return 0;
}

static const struct key group_keys[] = {
	{ "label", json_type_string, true, take_label },
	{ "number", json_type_string, true, take_group_number },
	{ "slot", json_type_int, true, take_slot },
	{ "synchronize", json_type_boolean, false, take_synchronize },
	{ "mincopies", json_type_int, false, take_mincopies },
	{ "recover", json_type_int, false, take_recover },
	{ "members", json_type_array, true, take_members },
	{ NULL, json_type_null, false, NULL },
};

static int take_log_enabled(void *into, const char *path, json_object *value,
			    const struct where *w)
{
	struct ha_config *config = into;

	(void)path;
	(void)w;
	config->log_enabled = json_object_get_boolean(value);
	return 0;
}

static int take_log_path(void *into, const char *path, json_object *value, const struct where *w)
{
	struct ha_config *config = into;

	return take_text(config->log_path, sizeof(config->log_path), path, value, w);
}

static int take_log_length(void *into, const char *path, json_object *value,
			   const struct where *w)
{
	struct ha_config *config = into;
	int64_t length;
	int err = take_number(&length, 0, LOG_LENGTH_MAX, path, value, w);

	config->log_max_length = err ? 0 : (size_t)length;
	return err;
}

static const struct key log_keys[] = {
	{ "enabled", json_type_boolean, false, take_log_enabled },
	{ "path", json_type_string, false, take_log_path },
	{ "max_length", json_type_int, false, take_log_length },
	{ NULL, json_type_null, false, NULL },
};

static int take_metrics_path(void *into, const char *path, json_object *value,
			     const struct where *w)
{
	struct ha_config *config = into;

	return take_text(config->metrics_path, sizeof(config->metrics_path), path, value, w);
}

static int take_metrics_interval(void *into, const char *path, json_object *value,
				 const struct where *w)
{
	struct ha_config *config = into;
	int64_t seconds;
	int err = take_number(&seconds, 0, METRICS_INTERVAL_MAX, path, value, w);

	config->metrics_interval = err ? 0 : (unsigned int)seconds;
	return err;
}

static const struct key metrics_keys[] = {
	{ "path", json_type_string, false, take_metrics_path },
	{ "interval", json_type_int, false, take_metrics_interval },
	{ NULL, json_type_null, false, NULL },
};

static int take_version(void *into, const char *path, json_object *value, const struct where *w)
{
	int64_t version = json_object_get_int64(value);

	(void)into;
	(void)path;
	if (version != HA_CONFIG_VERSION)
		return bad(w, "version is %lld, this program knows version %d: use the version of the software that wrote the file",
			   (long long)version, HA_CONFIG_VERSION);
	return 0;
}

static int take_generation(void *into, const char *path, json_object *value,
			   const struct where *w)
{
	struct ha_config *config = into;
	int64_t generation;
	int err = take_number(&generation, 0, INT64_MAX, path, value, w);

	config->generation = err ? 0 : (uint64_t)generation;
	return err;
}

static int take_recovery_mode(void *into, const char *path, json_object *value,
			      const struct where *w)
{
	struct ha_config *config = into;
	const char *text = json_object_get_string(value);

	if (!strcmp(text, "activeBasic"))
		config->recovery_mode = HA_RECOVERY_BASIC;
	else if (!strcmp(text, "activeEnhanced"))
		config->recovery_mode = HA_RECOVERY_ENHANCED;
	else
		return bad(w, "key \"%s\" is \"%.32s\": it has to be \"activeBasic\" or \"activeEnhanced\"",
			   path, text);
	return 0;
}

static int take_retry_count(void *into, const char *path, json_object *value,
			    const struct where *w)
{
	struct ha_config *config = into;
	int64_t count;
	int err = take_number(&count, -1, 500, path, value, w);

	config->retry_count = (int)count;
	return err;
}

static int take_retry_interval(void *into, const char *path, json_object *value,
			       const struct where *w)
{
	struct ha_config *config = into;
	int64_t seconds;
	int err = take_number(&seconds, 60, 1200, path, value, w);

	config->retry_interval = (unsigned int)seconds;
	return err;
}

static int take_ha_only(void *into, const char *path, json_object *value, const struct where *w)
{
	struct ha_config *config = into;

	(void)path;
	(void)w;
	config->ha_only = json_object_get_boolean(value);
	return 0;
}

static int take_log(void *into, const char *path, json_object *value, const struct where *w)
{
	return take_object(into, path, value, log_keys, w);
}

static int take_metrics(void *into, const char *path, json_object *value, const struct where *w)
{
	return take_object(into, path, value, metrics_keys, w);
}

static int take_replay_max(void *into, const char *path, json_object *value,
			   const struct where *w)
{
	struct ha_config *config = into;
	int64_t bytes;
	int err = take_number(&bytes, 0, HA_REPLAY_LIMIT, path, value, w);

	config->replay_max = err ? 0 : (size_t)bytes;
	return err;
}

static int take_groups(void *into, const char *path, json_object *value, const struct where *w)
{
	struct ha_config *config = into;
	size_t i, n = json_object_array_length(value);

	if (n > HA_MAX_GROUPS)
		return bad(w, "key \"%s\" has more than %u groups", path, HA_MAX_GROUPS);
	for (i = 0; i < n; i++) {
		json_object *entry = json_object_array_get_idx(value, i);
		char full[32];
		int err;

		snprintf(full, sizeof(full), "groups[%zu]", i);
		if (!json_object_is_type(entry, json_type_object))
			return bad(w, "key \"%s\" has to be %s", full,
				   type_name(json_type_object));
		config->groups[i].synchronize = true;
		err = take_object(&config->groups[i], full, entry, group_keys, w);
		if (err)
			return err;
	}
	config->n_groups = (unsigned int)n;
	return 0;
}

static const struct key config_keys[] = {
	{ "version", json_type_int, true, take_version },
	{ "generation", json_type_int, false, take_generation },
	{ "recovery_mode", json_type_string, false, take_recovery_mode },
	{ "retry_count", json_type_int, false, take_retry_count },
	{ "retry_interval", json_type_int, false, take_retry_interval },
	{ "ha_only", json_type_boolean, false, take_ha_only },
	{ "log", json_type_object, false, take_log },
	{ "replay_max", json_type_int, false, take_replay_max },
	{ "metrics", json_type_object, false, take_metrics },
	{ "groups", json_type_array, false, take_groups },
	{ NULL, json_type_null, false, NULL },
};

static unsigned int line_of(const char *text, size_t len, size_t at)
{
	unsigned int line = 1;
	size_t i;

	for (i = 0; i < at && i < len; i++)
		line += text[i] == '\n';
	return line;
}

static int parse_text(const char *text, size_t len, json_object **root, const struct where *w)
{
	json_tokener *tok = json_tokener_new_ex(DEPTH_MAX);
	enum json_tokener_error result;
	size_t end;

	if (!tok)
		return -ENOMEM;
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	*root = json_tokener_parse_ex(tok, text, (int)len);
	result = json_tokener_get_error(tok);
	end = json_tokener_get_parse_end(tok);
	json_tokener_free(tok);
	if (result == json_tokener_success) {
		end += strspn(text + end, " \t\r\n");
		if (end >= len)
			return 0;
		json_object_put(*root);
		return bad(w, "line %u: something follows the end of the configuration",
			   line_of(text, len, end));
	}
	if (result == json_tokener_continue)
		return bad(w, "line %u: the file ends too early (a bracket or quote is not closed)",
			   line_of(text, len, len));
	return bad(w, "line %u: %s", line_of(text, len, end), json_tokener_error_desc(result));
}

int ha_config_parse(const char *text, size_t len, struct ha_config *config,
		    char *error, size_t error_len)
{
	const struct where w = { error, error_len };
	struct ha_config *next;
	json_object *root;
	int err;

	if (strlen(text) != len)
		return bad(&w, "the file holds a NUL");
	err = parse_text(text, len, &root, &w);
	if (err)
		return err;
	next = malloc(sizeof(*next));
	if (!next) {
		json_object_put(root);
		return -ENOMEM;
	}
	ha_config_defaults(next);
	if (!json_object_is_type(root, json_type_object))
		err = bad(&w, "line 1: the file has to be %s", type_name(json_type_object));
	else
		err = take_object(next, "", root, config_keys, &w);
	json_object_put(root);
	if (!err && ha_config_check(next, error, error_len))
		err = -EBADMSG;
	if (!err)
		*config = *next;
	free(next);
	return err;
}

/* ---- writing ---- */

static json_object *print_group(const struct ha_config_group *group)
{
	json_object *out = json_object_new_object();
	json_object *members = json_object_new_array();
	unsigned int i;

	for (i = 0; i < group->n_members; i++) {
		json_object *member = json_object_new_object();

		json_object_object_add(member, "serial",
				       json_object_new_string(group->members[i].serial));
		json_object_object_add(member, "standby",
				       json_object_new_boolean(group->members[i].standby));
		if (group->members[i].drain)
			json_object_object_add(member, "drain", json_object_new_boolean(true));
		if (group->members[i].weight)
			json_object_object_add(member, "weight",
					       json_object_new_int64(group->members[i].weight));
		json_object_array_add(members, member);
	}
	json_object_object_add(out, "label", json_object_new_string(group->label));
	json_object_object_add(out, "number", json_object_new_string(group->number));
	json_object_object_add(out, "slot", json_object_new_int64(group->slot));
	json_object_object_add(out, "synchronize", json_object_new_boolean(group->synchronize));
	if (group->mincopies)
		json_object_object_add(out, "mincopies", json_object_new_int64(group->mincopies));
	if (group->recover)
		json_object_object_add(out, "recover",
				       json_object_new_int64((int64_t)group->recover));
	json_object_object_add(out, "members", members);
	return out;
}

char *ha_config_print(const struct ha_config *config)
{
	bool enhanced = config->recovery_mode == HA_RECOVERY_ENHANCED;
	json_object *root = json_object_new_object();
	json_object *groups = json_object_new_array();
	json_object *log = json_object_new_object();
	const char *text;
	char *out = NULL;
	unsigned int i;

	json_object_object_add(log, "enabled", json_object_new_boolean(config->log_enabled));
	json_object_object_add(log, "path", json_object_new_string(config->log_path));
	json_object_object_add(log, "max_length",
			       json_object_new_int64((int64_t)config->log_max_length));
	for (i = 0; i < config->n_groups; i++)
		json_object_array_add(groups, print_group(&config->groups[i]));
	json_object_object_add(root, "version", json_object_new_int(HA_CONFIG_VERSION));
	json_object_object_add(root, "generation",
			       json_object_new_int64((int64_t)config->generation));
	json_object_object_add(root, "recovery_mode",
			       json_object_new_string(enhanced ? "activeEnhanced" : "activeBasic"));
	json_object_object_add(root, "retry_count", json_object_new_int(config->retry_count));
	json_object_object_add(root, "retry_interval",
			       json_object_new_int64(config->retry_interval));
	json_object_object_add(root, "ha_only", json_object_new_boolean(config->ha_only));
	json_object_object_add(root, "log", log);
	if (config->replay_max != HA_REPLAY_MAX)
		json_object_object_add(root, "replay_max",
				       json_object_new_int64((int64_t)config->replay_max));
	if (*config->metrics_path) {
		json_object *metrics = json_object_new_object();

		json_object_object_add(metrics, "path",
				       json_object_new_string(config->metrics_path));
		json_object_object_add(metrics, "interval",
				       json_object_new_int64(config->metrics_interval));
		json_object_object_add(root, "metrics", metrics);
	}
	json_object_object_add(root, "groups", groups);
	text = json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
					      JSON_C_TO_STRING_SPACED |
					      JSON_C_TO_STRING_NOSLASHESCAPE);
	if (text && asprintf(&out, "%s\n", text) < 0)
		out = NULL;
	json_object_put(root);
	return out;
}
