// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * From words to a command and its checked options, by the command table.
 *
 * Names of commands and options are taken in any case, in full or in a listed short
 * form; prefixes are not guessed. Values are taken as they are.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "haadm.h"

/* ---- lists of names ---- */

size_t first_name(const char *names)
{
	return strcspn(names, " ");
}

bool name_listed(const char *names, const char *name)
{
	size_t len = strlen(name);

	if (!len)
		return false;
	while (*names) {
		size_t n = first_name(names);

		if (n == len && !strncasecmp(names, name, n))
			return true;
		names += n;
		names += *names == ' ';
	}
	return false;
}

/* Levenshtein's distance, of names only: both are short. */
static unsigned int edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	unsigned int row[64];
	size_t i, j;

	if (b_len >= sizeof(row) / sizeof(row[0]))
		return UINT_MAX;
	for (j = 0; j <= b_len; j++)
		row[j] = j;
	for (i = 1; i <= a_len; i++) {
		unsigned int diagonal = row[0];

		row[0] = i;
		for (j = 1; j <= b_len; j++) {
			unsigned int best = diagonal +
				(tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]));

			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = row[j];
			row[j] = best;
		}
	}
	return row[b_len];
}

void nearest_offer(struct nearest *n, const char *names)
{
	size_t len = first_name(names);
	unsigned int d = edit_distance(names, len, n->wanted, strlen(n->wanted));

	/* The beginning of a longer name is more likely meant than a similar short one. */
	if (strlen(n->wanted) >= 2 && !strncasecmp(names, n->wanted, strlen(n->wanted)))
		d = 1;
	if (!n->best[0] || d < n->distance) {
		snprintf(n->best, sizeof(n->best), "%.*s", (int)len, names);
		n->distance = d;
	}
}

const char *nearest_found(const struct nearest *n)
{
	size_t len = strlen(n->wanted);

	return n->best[0] && n->distance <= 1 + len / 3 ? n->best : NULL;
}

/* ---- words ---- */

enum status split_line(struct app *app, const char *line, int *n_words, char ***words)
{
	/* No line has more words than every second character. */
	char **list = calloc(strlen(line) / 2 + 2, sizeof(*list));
	int n = 0;

	*words = NULL;
	*n_words = 0;
	if (!list)
		return fail_errno(app, -ENOMEM, "reading the command");
	for (;;) {
		char *word;
		size_t len = 0;
		bool quoted = false;

		line += strspn(line, " \t\r\n");
		if (!*line)
			break;
		word = malloc(strlen(line) + 1);
		if (!word) {
			free_words(n, list);
			return fail_errno(app, -ENOMEM, "reading the command");
		}
		for (; *line && (quoted || !strchr(" \t\r\n", *line)); line++) {
			if (*line == '"')
				quoted = !quoted;
			else
				word[len++] = *line;
		}
		word[len] = '\0';
		list[n++] = word;
		if (quoted) {
			free_words(n, list);
			return fail(app, ST_USAGE, CODE_OF_STATUS,
				    "Values with blanks stand in \"double quotes\".",
				    "a quotation mark is not closed");
		}
	}
	*words = list;
	*n_words = n;
	return ST_OK;
}

void free_words(int n_words, char **words)
{
	int i;

	for (i = 0; i < n_words; i++) {
		explicit_bzero(words[i], strlen(words[i]));
		free(words[i]);
	}
	free(words);
}

/* ---- commands ---- */

static enum status unknown_command(struct app *app, const char *area, const char *word)
{
	struct nearest nearest = { .wanted = word };
	char advice[200];
	const char *best;
	size_t i;

	if (area) {
		for (i = 0; i < n_commands; i++)
			if (commands[i].name && name_listed(commands[i].area, area))
				nearest_offer(&nearest, commands[i].name);
	} else {
		for (i = 0; i < n_areas; i++)
			nearest_offer(&nearest, areas[i].names);
		nearest_offer(&nearest, "help");
	}
	best = nearest_found(&nearest);
	if (best)
		snprintf(advice, sizeof(advice), "Did you mean \"%s%s%s\"? See: help%s%s",
			 area ? area : "", area ? " " : "", best, area ? " " : "",
			 area ? area : "");
	else
		snprintf(advice, sizeof(advice), "See what there is with: help%s%s",
			 area ? " " : "", area ? area : "");
	return fail(app, ST_USAGE, CODE_OF_STATUS, advice, "there is no command \"%s%s%s\"",
		    area ? area : "", area ? " " : "", word);
}

static enum status find_command(struct app *app, int n_words, char **words,
				const struct command **found)
{
	const char *area = NULL;
	char area_name[32];
	size_t i;

	for (i = 0; i < n_areas; i++)
		if (name_listed(areas[i].names, words[0]))
			area = areas[i].names;
	if (!area)
		return unknown_command(app, NULL, words[0]);
	snprintf(area_name, sizeof(area_name), "%.*s", (int)first_name(area), area);
	if (n_words < 2 || words[1][0] == '-') {
		char advice[80];

		snprintf(advice, sizeof(advice), "See what it can do with: help %s", area_name);
		return fail(app, ST_USAGE, CODE_OF_STATUS, advice,
			    "\"%s\" is not a whole command", area_name);
	}
	for (i = 0; i < n_commands; i++) {
		if (name_listed(commands[i].area, area_name) &&
		    name_listed(commands[i].name, words[1])) {
			*found = &commands[i];
			return ST_OK;
		}
	}
	return unknown_command(app, area_name, words[1]);
}

/* ---- options ---- */

/* NAME, or for a secret NAME-file, NAME-fd and NAME-credential */
static const struct option *find_option(const struct command *command, const char *name,
					int *source)
{
	static const char *const suffixes[] = {
		[FROM_FILE] = "-file", [FROM_FD] = "-fd", [FROM_CREDENTIAL] = "-credential",
	};
	const struct option *o;

	for (o = command->options; o->names; o++) {
		size_t len = first_name(o->names);

		*source = FROM_TEXT;
		if (name_listed(o->names, name))
			return o;
		if (o->type != OPT_SECRET || strncasecmp(name, o->names, len))
			continue;
		for (*source = FROM_FILE; *source <= FROM_CREDENTIAL; ++*source)
			if (!strcasecmp(name + len, suffixes[*source]))
				return o;
	}
	return NULL;
}

static void command_advice(const struct command *command, char *advice, size_t size)
{
	snprintf(advice, size, "See: help %.*s %.*s", (int)first_name(command->area), command->area,
		 (int)first_name(command->name), command->name);
}

static enum status unknown_option(struct app *app, const struct command *command,
				  const char *name)
{
	struct nearest nearest = { .wanted = name };
	char see[120], advice[220];
	const struct option *o;
	const char *best;

	for (o = command->options; o->names; o++)
		nearest_offer(&nearest, o->names);
	best = nearest_found(&nearest);
	command_advice(command, see, sizeof(see));
	if (best)
		snprintf(advice, sizeof(advice), "Did you mean \"-%s\"? %s", best, see);
	else
		snprintf(advice, sizeof(advice), "%s", see);
	return fail(app, ST_USAGE, CODE_OF_STATUS, advice,
		    "%.*s %.*s has no option \"-%s\"", (int)first_name(command->area),
		    command->area, (int)first_name(command->name), command->name, name);
}

/* A whole decimal number, nothing around it. */
static bool parse_number(const char *text, long *number)
{
	char *end;

	if (!isdigit((unsigned char)text[0]) &&
	    !(text[0] == '-' && isdigit((unsigned char)text[1])))
		return false;
	errno = 0;
	*number = strtol(text, &end, 10);
	return !errno && !*end;
}

static bool printable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f || *text == '"')
			return false;
	return true;
}

/* NULL, or what is wrong with a value */
static const char *value_trouble(struct value *v, char *room, size_t size)
{
	const struct option *o = v->option;
	char *text = v->text;

	switch (o->type) {
	case OPT_FLAG:
	case OPT_TEXT:
	case OPT_GROUP:
		return NULL;
	case OPT_LABEL:
		if (!*text || strlen(text) > 32 || !printable(text))
			return "is not a label: 1 to 32 bytes, without control characters and quotes";
		return NULL;
	case OPT_SLOT:
		if (!parse_number(text, &v->number) || v->number < 0 || v->number > INT_MAX)
			return "is not the number of a slot; slot list shows them";
		return NULL;
	case OPT_SERIAL:
		if (!*text || strlen(text) > 24 || text[strspn(text, "0123456789")])
			return "is not a serial number: digits only; slot list shows them";
		return NULL;
	case OPT_NUMBER:
		if (parse_number(text, &v->number) && v->number >= o->min && v->number <= o->max)
			return NULL;
		snprintf(room, size, "is not a number from %ld to %ld", o->min, o->max);
		return room;
	case OPT_CHOICE:
		if (name_listed(o->choices, text))
			return NULL;
		snprintf(room, size, "is not one of: %s", o->choices);
		return room;
	case OPT_SECRET:
		if (v->source == FROM_FD &&
		    (!parse_number(text, &v->number) || v->number < 0 || v->number > INT_MAX))
			return "is not the number of a file descriptor";
		return NULL;
	}
	return NULL;
}

static enum status take_option(struct app *app, struct args *args, int n_words, char **words,
			       int *i)
{
	const struct command *command = args->command;
	char see[120], room[120], name[64];
	struct value *v = &args->v[args->n];
	const char *trouble;
	char *word = words[*i];
	char *equals = NULL;
	int source;
	size_t k;

	if (word[0] != '-' || !word[1 + (word[1] == '-')]) {
		command_advice(command, see, sizeof(see));
		return fail(app, ST_USAGE, CODE_OF_STATUS, see,
			    "\"%s\" is not an option: options begin with '-'", word);
	}
	word += 1 + (word[1] == '-');
	/* --name=value, in the two-dash form only: a password may well begin with it */
	if (words[*i][1] == '-')
		equals = strchr(word, '=');
	snprintf(name, sizeof(name), "%.*s", equals ? (int)(equals - word) : (int)strlen(word), word);
	v->option = find_option(command, name, &source);
	if (!v->option)
		return unknown_option(app, command, name);
	v->source = source;
	for (k = 0; k < args->n; k++)
		if (args->v[k].option == v->option)
			return fail(app, ST_USAGE, CODE_OF_STATUS, NULL,
				    "option \"-%.*s\" is given twice",
				    (int)first_name(v->option->names), v->option->names);
	if (args->n == ARGS_MAX - 1)
		return fail(app, ST_USAGE, CODE_OF_STATUS, NULL, "there are too many options");
	args->n++;
	if (v->option->type == OPT_FLAG) {
		if (equals)
			return fail(app, ST_USAGE, CODE_OF_STATUS, NULL,
				    "option \"-%s\" takes no value", name);
		return ST_OK;
	}
	if (equals) {
		v->text = equals + 1;
	} else if (*i + 1 < n_words) {
		v->text = words[++*i];
	} else {
		command_advice(command, see, sizeof(see));
		return fail(app, ST_USAGE, CODE_OF_STATUS, see,
			    "option \"-%s\" needs a value (%s)", name,
			    source == FROM_FILE ? "<file>" : source == FROM_FD ? "<descriptor>" :
			    source == FROM_CREDENTIAL ? "<name>" : v->option->arg);
	}
	trouble = value_trouble(v, room, sizeof(room));
	if (trouble)
		return fail(app, ST_USAGE, CODE_OF_STATUS, NULL, "the value \"%s\" of \"-%s\" %s",
			    v->text, name, trouble);
	return ST_OK;
}

static bool given(const struct args *args, const struct option *o)
{
	size_t i;

	for (i = 0; i < args->n; i++)
		if (args->v[i].option == o)
			return true;
	return false;
}

/* What is missing, and what excludes what */
static enum status check_options(struct app *app, const struct args *args)
{
	const struct command *command = args->command;
	const struct option *o, *p;
	char see[120], names[160];

	command_advice(command, see, sizeof(see));
	for (o = command->options; o->names; o++) {
		unsigned int count = 0;
		bool first = true;

		if (o->required && !given(args, o))
			return fail(app, ST_USAGE, CODE_OF_STATUS, see,
				    "option \"-%.*s\" is missing", (int)first_name(o->names),
				    o->names);
		if (!o->one_of)
			continue;
		names[0] = '\0';
		for (p = command->options; p->names; p++) {
			size_t len = strlen(names);

			if (p->one_of != o->one_of)
				continue;
			first = first && p >= o;
			count += given(args, p);
			snprintf(names + len, sizeof(names) - len, "%s-%.*s", len ? ", " : "",
				 (int)first_name(p->names), p->names);
		}
		if (!first)
			continue;
		if (count > 1)
			return fail(app, ST_USAGE, CODE_OF_STATUS, see,
				    "only one of these can be given: %s", names);
		if (!count && !(o->one_of & ONE_OR_NONE))
			return fail(app, ST_USAGE, CODE_OF_STATUS, see,
				    "one of these must be given: %s", names);
	}
	return ST_OK;
}

enum status parse_command(struct app *app, int n_words, char **words, struct args *args)
{
	enum status st;
	int i;

	memset(args, 0, sizeof(*args));
	st = find_command(app, n_words, words, &args->command);
	app->command = args->command;
	for (i = 2; !st && i < n_words; i++)
		st = take_option(app, args, n_words, words, &i);
	return st ? st : check_options(app, args);
}

void args_wipe(struct args *args)
{
	size_t i;

	for (i = 0; i < args->n; i++)
		if (args->v[i].option->type == OPT_SECRET && args->v[i].source == FROM_TEXT &&
		    args->v[i].text)
			explicit_bzero(args->v[i].text, strlen(args->v[i].text));
}

const struct value *arg_value(const struct args *args, const char *name)
{
	size_t i;

	for (i = 0; i < args->n; i++)
		if (name_listed(args->v[i].option->names, name))
			return &args->v[i];
	return NULL;
}

bool arg_given(const struct args *args, const char *name)
{
	return arg_value(args, name);
}

const char *arg_text(const struct args *args, const char *name)
{
	const struct value *v = arg_value(args, name);

	return v ? v->text : NULL;
}

long arg_number(const struct args *args, const char *name, long otherwise)
{
	const struct value *v = arg_value(args, name);

	return v ? v->number : otherwise;
}
