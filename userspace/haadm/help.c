// SPDX-License-Identifier: LGPL-2.1-or-later
/* help: made from the command table alone. */
#include <stdlib.h>
#include <string.h>

#include "haadm.h"

#define INDENT	"        "
#define WIDTH	78

/* One word of a usage line, on the next line if it does not fit. */
static void usage_word(FILE *out, size_t *column, const char *word)
{
	size_t len = strlen(word);

	if (*column + 1 + len > WIDTH) {
		fprintf(out, "\n" INDENT INDENT);
		*column = 2 * strlen(INDENT);
	}
	*column += fprintf(out, " %s", word);
}

static void option_word(char *word, size_t size, const struct option *o)
{
	snprintf(word, size, "-%.*s%s%s", (int)first_name(o->names), o->names, o->arg ? " " : "",
		 o->arg ? o->arg : "");
}

void help_usage(FILE *out, const struct command *command)
{
	char word[80], joined[300];
	const struct option *o, *p;
	size_t column;

	column = fprintf(out, INDENT "%.*s %.*s", (int)first_name(command->area), command->area,
			 (int)first_name(command->name), command->name);
	for (o = command->options; o->names; o++) {
		size_t len = 0;
		bool first = true;

		if (!o->one_of) {
			option_word(word, sizeof(word), o);
			snprintf(joined, sizeof(joined), o->required ? "%s" : "[%s]", word);
			usage_word(out, &column, joined);
			continue;
		}
		for (p = command->options; p->names; p++) {
			if (p->one_of != o->one_of)
				continue;
			first = first && p >= o;
			option_word(word, sizeof(word), p);
			len += snprintf(joined + len, sizeof(joined) - len, "%s%s", len ? " | " :
					o->one_of & ONE_OR_NONE ? "[" : "{", word);
		}
		if (!first)
			continue;
		snprintf(joined + len, sizeof(joined) - len, "%s",
			 o->one_of & ONE_OR_NONE ? "]" : "}");
		usage_word(out, &column, joined);
	}
	fprintf(out, "\n");
}

static void help_options(FILE *out, const struct command *command)
{
	const struct option *o;

	if (!command->options->names)
		return;
	fprintf(out, "\n" INDENT "Options\n\n");
	for (o = command->options; o->names; o++) {
		char word[80], text[300];
		const char *shorts = o->names + first_name(o->names);

		option_word(word, sizeof(word), o);
		snprintf(text, sizeof(text), "%s%s%s%s", word, *shorts ? "  (also" : "", shorts,
			 *shorts ? ")" : "");
		fprintf(out, INDENT "  %s\n", text);
		snprintf(text, sizeof(text), "%s%s", o->help,
			 o->required ? "; required" : "");
		fprintf(out, INDENT "      %s\n", text);
		if (o->type == OPT_SECRET)
			fprintf(out, INDENT "      --%.*s-file, --%.*s-fd, --%.*s-credential: take it "
				"from there\n", (int)first_name(o->names), o->names,
				(int)first_name(o->names), o->names, (int)first_name(o->names),
				o->names);
	}
}

static void help_one(const struct command *command)
{
	const char *shorts = command->name + first_name(command->name);

	printf("\n");
	print_wrapped(stdout, command->summary);
	if (command->text)
		print_wrapped(stdout, command->text);
	printf("\n");
	help_usage(stdout, command);
	if (*shorts)
		printf("\n" INDENT "Short form:%s\n", shorts);
	help_options(stdout, command);
	printf("\n");
}

static void help_area(const struct area *area)
{
	char name[32];
	size_t i;

	snprintf(name, sizeof(name), "%.*s", (int)first_name(area->names), area->names);
	printf("\n" INDENT "%s: %s\n\n", name, area->summary);
	for (i = 0; i < n_commands; i++)
		if (name_listed(commands[i].area, name))
			printf(INDENT "  %-15.*s %s\n", (int)first_name(commands[i].name),
			       commands[i].name, commands[i].summary);
	printf("\n" INDENT "help %s <command> tells more.\n\n", name);
}

static void help_all(struct app *app)
{
	enum status st;
	size_t i;

	printf("\n");
	if (!app->interactive)
		printf(INDENT HAADM_NAME " [--json] <command> ...   carry out one command\n"
		       INDENT HAADM_NAME "                          prompt, or a script from standard "
		       "input\n"
		       INDENT HAADM_NAME " --completion bash|zsh    print what that shell has to read\n"
		       INDENT HAADM_NAME " --version\n\n");
	printf(INDENT "Commands\n\n");
	for (i = 0; i < n_areas; i++)
		printf(INDENT "  %-15s %s\n", areas[i].names, areas[i].summary);
	printf(INDENT "  %-15s %s\n", "help ?", "help [<area> [<command>]]");
	if (app->interactive)
		printf(INDENT "  %-15s %s\n", "exit quit", "leave");
	printf("\n");
	print_wrapped(stdout, "Names of commands and options may be written in any case and in the "
		      "short forms that their help lists. Values with blanks stand in \"double "
		      "quotes\". Passwords are asked for; every -password option also exists as "
		      "--password-file <file>, --password-fd <descriptor> (first line) and "
		      "--password-credential <name> (of systemd; haadm.password is found by itself). "
		      "With --json each command prints one JSON object, errors included.");
	printf("\n" INDENT "Exit status\n\n");
	for (st = ST_OK; st <= ST_REFUSED; st++)
		printf(INDENT "  %d  %s\n", st, status_meaning(st));
	printf("\n");
}

static void put_names(struct json_object *to, const char *names)
{
	char name[32];

	snprintf(name, sizeof(name), "%.*s", (int)first_name(names), names);
	put_text(to, "name", name);
	put_list(to, "short");
	while (*(names += first_name(names))) {
		names++;
		snprintf(name, sizeof(name), "%.*s", (int)first_name(names), names);
		put_text_item(to, "short", name);
	}
}

/* The table; @area, @only: of it what was asked for, if it is not NULL */
static void help_json(const struct area *area, const struct command *only)
{
	struct json_object *top = json_object_new_object(), *list, *item, *options, *one;
	const struct option *o;
	enum status st;
	size_t i;

	put_text(top, "command", "help");
	list = put_list(top, "commands");
	for (i = 0; i < n_commands; i++) {
		char name[32];

		if ((area && strncmp(area->names, commands[i].area, strlen(commands[i].area))) ||
		    (only && only != &commands[i]))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)first_name(commands[i].area),
			 commands[i].area);
		item = put_item(list);
		put_text(item, "area", name);
		put_names(item, commands[i].name);
		put_text(item, "summary", commands[i].summary);
		options = put_list(item, "options");
		for (o = commands[i].options; o->names; o++) {
			one = put_item(options);
			put_names(one, o->names);
			put_text(one, "value", o->arg);
			put_bool(one, "required", o->required);
			put_text(one, "help", o->help);
		}
	}
	list = put_list(top, "exit_statuses");
	for (st = ST_OK; st <= ST_REFUSED; st++) {
		item = put_item(list);
		put_number(item, "status", st);
		put_text(item, "meaning", status_meaning(st));
	}
	put_number(top, "status", ST_OK);
	put_print(top);
}

enum status help_command(struct app *app, int n_words, char **words)
{
	const struct command *command = NULL;
	const struct area *area = NULL;
	size_t i;

	for (i = 0; n_words && i < n_areas; i++)
		if (name_listed(areas[i].names, words[0]))
			area = &areas[i];
	if (area && n_words > 1)
		command = command_of(words[0], words[1]);
	if ((n_words && !area) || (n_words > 1 && !command))
		return fail(app, ST_USAGE, CODE_OF_STATUS, "See what there is with: help",
			    "there is no command \"%s%s%s\" to tell of", words[0],
			    n_words > 1 ? " " : "", n_words > 1 ? words[1] : "");
	if (app->json)
		help_json(area, command);
	else if (command)
		help_one(command);
	else if (area)
		help_area(area);
	else
		help_all(app);
	return ST_OK;
}
