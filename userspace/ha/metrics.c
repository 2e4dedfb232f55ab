// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What this process has seen of its groups, in the Prometheus text format, as a file for the
 * textfile collector of node_exporter. Every process has a file of its own; the series tell
 * them apart by the label "process". Nobody's call fails because it can not be written.
 */
#include <stdio.h>
#include <stdlib.h>

#include "engine.h"

/* One series for each member or for each group; what it says is of that one. */
struct metric {
	const char	*name;
	const char	*type;
	const char	*help;
	uint64_t	(*of_member)(struct ha_member *member);
	uint64_t	(*of_group)(struct ha_token *token);
};

static uint64_t is_alive(struct ha_member *member)
{
	return member->state == HA_MEMBER_ALIVE;
}

static uint64_t state_of(struct ha_member *member)
{
	return member->state;
}

static uint64_t is_standby(struct ha_member *member)
{
	return member->standby;
}

static uint64_t is_drained(struct ha_member *member)
{
	return member->drain;
}

static uint64_t outstanding(struct ha_member *member)
{
	return atomic_load(&member->outstanding);
}

static uint64_t commands(struct ha_member *member)
{
	return atomic_load(&member->commands);
}

static uint64_t failures(struct ha_member *member)
{
	return atomic_load(&member->failures);
}

static uint64_t returns(struct ha_member *member)
{
	return member->returns;
}

static uint64_t members(struct ha_token *token)
{
	return token->n_members;
}

static uint64_t alive_members(struct ha_token *token)
{
	unsigned int i;
	uint64_t n = 0;

	for (i = 0; i < token->n_members; i++)
		n += is_alive(token->members[i]);
	return n;
}

static uint64_t conflicts(struct ha_token *token)
{
	return atomic_load(&token->conflicts);
}

static const struct metric metrics[] = {
	{ "pciehsm_ha_group_members", "gauge", "Members that the configuration lists.",
	  NULL, members },
	{ "pciehsm_ha_group_alive", "gauge", "Members that are alive for this process.",
	  NULL, alive_members },
	{ "pciehsm_ha_group_conflicts_total", "counter",
	  "Objects that were found changed on two members.", NULL, conflicts },
	{ "pciehsm_ha_member_alive", "gauge", "1: this process works with the member.",
	  is_alive, NULL },
	{ "pciehsm_ha_member_state", "gauge", "0 alive, 1 down, 2 syncing, 3 refused.",
	  state_of, NULL },
	{ "pciehsm_ha_member_standby", "gauge", "1: it works only when no active one is left.",
	  is_standby, NULL },
	{ "pciehsm_ha_member_drain", "gauge", "1: it gets no new work.", is_drained, NULL },
	{ "pciehsm_ha_member_outstanding", "gauge", "Commands that it has not answered yet.",
	  outstanding, NULL },
	{ "pciehsm_ha_member_commands_total", "counter", "Commands that it was given.",
	  commands, NULL },
	{ "pciehsm_ha_member_failures_total", "counter", "How often it was taken out.",
	  failures, NULL },
	{ "pciehsm_ha_member_returns_total", "counter", "How often it became alive.",
	  returns, NULL },
};

/* Backslash, quote and line end are what the format wants escaped. */
static void print_label(FILE *out, const char *name, const char *value)
{
	fprintf(out, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			putc('\\', out);
		if (*value == '\n')
			fputs("\\n", out);
		else
			putc(*value, out);
	}
	putc('"', out);
}

static void print_series(FILE *out, const struct metric *metric, struct ha_token *token,
			 struct ha_member *member, uint64_t value)
{
	fprintf(out, "%s{process=\"%u\",", metric->name,
		token->ha->env->ops->process(token->ha->env));
	print_label(out, "group", token->label);
	if (member) {
		putc(',', out);
		print_label(out, "member", member->serial);
	}
	fprintf(out, "} %llu\n", (unsigned long long)value);
}

/* The samples of one token; ha->lock is held, for the label. */
static void print_token(FILE *out, const struct metric *metric, struct ha_token *token)
{
	unsigned int i;

	if (!token->group || !token->configured)
		return;
	ha_lock(token->ha, &token->lock);
	if (metric->of_group)
		print_series(out, metric, token, NULL, metric->of_group(token));
	for (i = 0; metric->of_member && i < token->n_members; i++)
		print_series(out, metric, token, token->members[i],
			     metric->of_member(token->members[i]));
	ha_unlock(token->ha, &token->lock);
}

static char *print_all(struct ha *ha)
{
	size_t m, len;
	unsigned int i;
	char *text = NULL;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	ha_lock(ha, &ha->lock);
	for (m = 0; m < sizeof(metrics) / sizeof(metrics[0]); m++) {
		fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", metrics[m].name, metrics[m].help,
			metrics[m].name, metrics[m].type);
		for (i = 0; i < ha->n_tokens; i++)
			print_token(out, &metrics[m], ha->tokens[i]);
	}
	ha_unlock(ha, &ha->lock);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

uint64_t ha_metrics_due(struct ha *ha)
{
	const struct ha_env_ops *ops = ha->env->ops;
	char dir[sizeof(ha->metrics_dir)];
	uint64_t interval, next = atomic_load(&ha->next_metrics);
	char *text;

	if (ha->flags & HA_OPEN_ADMIN)
		return UINT64_MAX;
	if (ha_now(ha) < next)
		return next;
	ha_lock(ha, &ha->reload_lock);
	ha_lock(ha, &ha->lock);
	memcpy(dir, ha->config->metrics_path, sizeof(dir));
	interval = ha->config->metrics_interval * SECOND;
	ha_unlock(ha, &ha->lock);
	if (*ha->metrics_dir && strcmp(ha->metrics_dir, dir))
		ops->metrics(ha->env, ha->metrics_dir, NULL);
	memcpy(ha->metrics_dir, dir, sizeof(dir));
	text = *dir ? print_all(ha) : NULL;
	if (text)
		ops->metrics(ha->env, dir, text);
	free(text);
	next = *dir ? ha_now(ha) + interval : UINT64_MAX;
	atomic_store(&ha->next_metrics, next);
	ha_unlock(ha, &ha->reload_lock);
	return next;
}

void ha_metrics_end(struct ha *ha)
{
	if (*ha->metrics_dir)
		ha->env->ops->metrics(ha->env, ha->metrics_dir, NULL);
}
