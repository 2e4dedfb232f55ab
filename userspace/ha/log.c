// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The HA log: one record a line,
 *   2031-01-31T12:00:00.123456Z [process] PHSM-code text
 * The codes never change their meaning. Nobody's call fails because the log can
 * not be written.
 */
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "engine.h"

void ha_log(struct ha *ha, enum ha_log_code code, const char *fmt, ...)
{
	struct ha_env *env = ha->env;
	char path[sizeof(ha->config->log_path)];
	char text[512], record[640], when[32];
	size_t max_length;
	int64_t wall;
	time_t seconds;
	struct tm tm;
	va_list ap;
	char *p;
	bool events = ha->flags & HA_OPEN_EVENTS;

	if (!atomic_load(&ha->log_enabled) && !events)
		return;
	ha_lock(ha, &ha->lock);
	memcpy(path, ha->config->log_path, sizeof(path));
	max_length = ha->config->log_max_length;
	ha_unlock(ha, &ha->lock);
	if (!atomic_load(&ha->log_enabled))
		*path = '\0';
	if (!*path && !events)
		return;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* Labels are the user's: a record stays one line. */
	for (p = text; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = '?';
	wall = env->ops->wall(env);
	seconds = (time_t)(wall / 1000000);
	gmtime_r(&seconds, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(record, sizeof(record), "%s.%06dZ [%u] PHSM-%d %s\n", when,
		 (int)(wall % 1000000), env->ops->process(env), (int)code, text);
	env->ops->log(env, path, max_length, record);
}

static const struct ha_config_member *member_of(const struct ha_config_group *group,
						const char *serial)
{
	unsigned int i;

	for (i = 0; group && i < group->n_members; i++)
		if (!strcmp(group->members[i].serial, serial))
			return &group->members[i];
	return NULL;
}

static void log_group(struct ha *ha, const struct ha_config_group *before,
		      const struct ha_config_group *after)
{
	unsigned int i;

	for (i = 0; i < after->n_members; i++) {
		const struct ha_config_member *now = &after->members[i];
		const struct ha_config_member *was = member_of(before, now->serial);

		if (!was)
			ha_log(ha, HA_LOG_MEMBER_ADDED, "group \"%s\": member %s added%s",
			       after->label, now->serial, now->standby ? " as standby" : "");
		else if (now->standby && !was->standby)
			ha_log(ha, HA_LOG_MEMBER_STANDBY, "group \"%s\": member %s made standby",
			       after->label, now->serial);
		else if (!now->standby && was->standby)
			ha_log(ha, HA_LOG_MEMBER_ACTIVE, "group \"%s\": member %s made active",
			       after->label, now->serial);
		if (now->drain != (was && was->drain))
			ha_log(ha, now->drain ? HA_LOG_MEMBER_DRAIN : HA_LOG_MEMBER_UNDRAIN,
			       "group \"%s\": member %s %s", after->label, now->serial,
			       now->drain ? "drained" : "not drained any more");
		if (now->weight != (was ? was->weight : 0))
			ha_log(ha, HA_LOG_MEMBER_WEIGHT, "group \"%s\": member %s has weight %u",
			       after->label, now->serial, now->weight ? now->weight : 1);
	}
	if (after->mincopies != (before ? before->mincopies : 0))
		ha_log(ha, HA_LOG_MINCOPIES, "group \"%s\": new objects need %u copies",
		       after->label, after->mincopies ? after->mincopies : 1);
	for (i = 0; before && i < before->n_members; i++)
		if (!member_of(after, before->members[i].serial))
			ha_log(ha, HA_LOG_MEMBER_REMOVED, "group \"%s\": member %s removed",
			       after->label, before->members[i].serial);
}

void ha_log_config(struct ha *ha, const struct ha_config *before, const struct ha_config *after)
{
	unsigned int i;

	for (i = 0; i < after->n_groups; i++) {
		const struct ha_config_group *group = &after->groups[i];
		const struct ha_config_group *was = ha_config_group(before, group->label);

		if (!was)
			ha_log(ha, HA_LOG_GROUP_CREATED, "group \"%s\" created, number %s",
			       group->label, group->number);
		log_group(ha, was, group);
	}
	for (i = 0; i < before->n_groups; i++)
		if (!ha_config_group(after, before->groups[i].label))
			ha_log(ha, HA_LOG_GROUP_DELETED, "group \"%s\" deleted, number %s",
			       before->groups[i].label, before->groups[i].number);
	if (before->recovery_mode != after->recovery_mode ||
	    before->retry_count != after->retry_count ||
	    before->retry_interval != after->retry_interval || before->ha_only != after->ha_only)
		ha_log(ha, HA_LOG_SETTINGS,
		       "settings: recovery mode %s, retry count %d, interval %u s, HA only %s",
		       after->recovery_mode == HA_RECOVERY_ENHANCED ? "activeEnhanced" :
		       "activeBasic", after->retry_count, after->retry_interval,
		       after->ha_only ? "yes" : "no");
}
