// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What can stand where the cursor is, from the command table and from what is there: for
 * the prompt, and for shells (haadm --complete).
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "haadm.h"

const struct command *command_of(const char *area, const char *name)
{
	size_t i, k;

	for (i = 0; i < n_areas; i++) {
		if (!name_listed(areas[i].names, area))
			continue;
		for (k = 0; k < n_commands; k++)
			if (!strncmp(areas[i].names, commands[k].area, strlen(commands[k].area)) &&
			    name_listed(commands[k].name, name))
				return &commands[k];
	}
	return NULL;
}

static void offer(struct candidates *c, const char *before, const char *name, size_t len)
{
	size_t i = 0;
	char *word;

	if (c->n == CANDIDATES_MAX || asprintf(&word, "%s%.*s", before, (int)len, name) < 0)
		return;
	/* A member is a partition in a slot, too. */
	while (i < c->n && strcmp(c->list[i], word))
		i++;
	if (i < c->n || strncasecmp(word, c->prefix, strlen(c->prefix)))
		free(word);
	else
		c->list[c->n++] = word;
}

static void offer_quoted(struct candidates *c, const char *value)
{
	char *quoted;

	if (!strchr(value, ' ')) {
		offer(c, "", value, strlen(value));
	} else if (asprintf(&quoted, "\"%s\"", value) >= 0) {
		offer(c, "", quoted, strlen(quoted));
		free(quoted);
	}
}

static void offer_list(struct candidates *c, const char *before, const char *names)
{
	while (*names) {
		size_t len = first_name(names);

		offer(c, before, names, len);
		names += len;
		names += *names == ' ';
	}
}

static void offer_slots(struct app *app, struct candidates *c, enum option_type type)
{
	struct ha_slot *list = NULL;
	int i, n = ha_slots(app->ha, 0, &list);
	char number[16];

	for (i = 0; i < n; i++) {
		snprintf(number, sizeof(number), "%" PRIu32, list[i].id);
		offer_quoted(c, type == OPT_SLOT ? number : list[i].serial);
	}
	if (n >= 0)
		free(list);
}

/* Members that are down are in no slot; they are named by serial to be removed. */
static void offer_config(struct app *app, struct candidates *c, enum option_type type)
{
	struct ha_config *config = ha_config_get(app->ha);
	unsigned int g, m;

	for (g = 0; config && g < config->n_groups; g++) {
		if (type == OPT_GROUP)
			offer_quoted(c, config->groups[g].label);
		else
			for (m = 0; m < config->groups[g].n_members; m++)
				offer_quoted(c, config->groups[g].members[m].serial);
	}
	free(config);
}

static void offer_values(struct app *app, struct candidates *c, const struct option *o)
{
	switch (o->type) {
	case OPT_SLOT:
		offer_slots(app, c, o->type);
		break;
	case OPT_SERIAL:
		offer_slots(app, c, o->type);
		offer_config(app, c, o->type);
		break;
	case OPT_GROUP:
		offer_config(app, c, o->type);
		break;
	case OPT_CHOICE:
		offer_list(c, "", o->choices);
		break;
	default:
		break;
	}
}

static void offer_options(struct candidates *c, const struct command *command)
{
	const struct option *o;

	for (o = command->options; o->names; o++) {
		size_t len = first_name(o->names);
		char name[64];

		offer(c, "-", o->names, len);
		if (o->type != OPT_SECRET)
			continue;
		snprintf(name, sizeof(name), "%.*s-file", (int)len, o->names);
		offer(c, "--", name, strlen(name));
		snprintf(name, sizeof(name), "%.*s-fd", (int)len, o->names);
		offer(c, "--", name, strlen(name));
		snprintf(name, sizeof(name), "%.*s-credential", (int)len, o->names);
		offer(c, "--", name, strlen(name));
	}
}

/* Is this a name of the option, or of where to take its secret from? */
static bool takes_value(const struct option *o, const char *name)
{
	static const char *const sources[] = { "-file", "-fd", "-credential" };
	size_t len = first_name(o->names), i;

	if (name_listed(o->names, name))
		return true;
	for (i = 0; o->type == OPT_SECRET && i < 3; i++)
		if (!strncasecmp(name, o->names, len) && !strcasecmp(name + len, sources[i]))
			return true;
	return false;
}

void complete_words(struct app *app, int n_words, char **words, struct candidates *c)
{
	const struct command *command;
	const struct option *o;
	const char *last;
	size_t i, k;

	if (n_words && (!strcasecmp(words[0], "help") || !strcmp(words[0], "?"))) {
		n_words--;
		words++;
		if (n_words > 1)
			return;
	}
	if (!n_words) {
		for (i = 0; i < n_areas; i++)
			offer(c, "", areas[i].names, first_name(areas[i].names));
		offer_list(c, "", app->interactive ? "help exit" : "help");
		return;
	}
	if (n_words == 1) {
		for (i = 0; i < n_areas; i++)
			for (k = 0; name_listed(areas[i].names, words[0]) && k < n_commands; k++)
				if (!strncmp(areas[i].names, commands[k].area,
					     strlen(commands[k].area)))
					offer(c, "", commands[k].name,
					      first_name(commands[k].name));
		return;
	}
	command = command_of(words[0], words[1]);
	if (!command)
		return;
	last = words[n_words - 1];
	if (n_words > 2 && last[0] == '-') {
		last += 1 + (last[1] == '-');
		for (o = command->options; o->names; o++) {
			if (o->type != OPT_FLAG && takes_value(o, last)) {
				offer_values(app, c, o);
				return;
			}
		}
	}
	offer_options(c, command);
}

void candidates_free(struct candidates *c)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		free(c->list[i]);
	c->n = 0;
}

/* ---- shells ---- */

static const char global_options[] = "json help version completion";

enum status complete_command(struct app *app, int n_words, char **words)
{
	struct candidates c = { .prefix = n_words ? words[n_words - 1] : "" };
	size_t i;

	n_words -= n_words > 0;
	/* What stands before a command: --json alone goes on with one. */
	while (n_words && !strcmp(words[0], "--json")) {
		n_words--;
		words++;
	}
	if (n_words && !strcmp(words[0], "--completion"))
		offer_list(&c, "", "bash zsh");
	else if (!n_words && c.prefix[0] == '-')
		offer_list(&c, "--", global_options);
	else if (!n_words || words[0][0] != '-')
		complete_words(app, n_words, words, &c);
	for (i = 0; i < c.n; i++)
		puts(c.list[i]);
	candidates_free(&c);
	return ST_OK;
}

static const char bash_script[] =
	"# Completion of haadm for bash, printed by: haadm --completion bash\n"
	"_haadm()\n"
	"{\n"
	"	local IFS=$'\\n'\n"
	"	COMPREPLY=($(\"${COMP_WORDS[0]}\" --complete \"${COMP_WORDS[@]:1:COMP_CWORD}\" "
	"2>/dev/null))\n"
	"}\n"
	"complete -o default -F _haadm haadm\n";

static const char zsh_script[] =
	"#compdef haadm\n"
	"# Completion of haadm for zsh, printed by: haadm --completion zsh\n"
	"_haadm()\n"
	"{\n"
	"	local -a found\n"
	"	found=(${(f)\"$(\"${words[1]}\" --complete \"${(@)words[2,CURRENT]}\" "
	"2>/dev/null)\"})\n"
	"	if (( $#found )); then\n"
	"		compadd -Q -- \"${found[@]}\"\n"
	"	else\n"
	"		_files\n"
	"	fi\n"
	"}\n"
	"compdef _haadm haadm\n";

enum status completion_script(struct app *app, const char *shell)
{
	if (shell && !strcmp(shell, "bash"))
		fputs(bash_script, stdout);
	else if (shell && !strcmp(shell, "zsh"))
		fputs(zsh_script, stdout);
	else
		return fail(app, ST_USAGE, CODE_OF_STATUS, "There is one for bash and one for zsh.",
			    "there is no completion for \"%s\"", shell ? shell : "");
	return ST_OK;
}
