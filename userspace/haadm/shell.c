// SPDX-License-Identifier: LGPL-2.1-or-later
/* The prompt, with history and completion; and scripts. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <histedit.h>

#include "haadm.h"

#define PROMPT		HAADM_NAME ":> "
#define HISTORY_SIZE	500
/* Longer than any line that makes sense */
#define SCRIPT_LINE	65536

/* ---- one command ---- */

static bool asks_for_help(const char *word)
{
	return !strcasecmp(word, "-help") || !strcasecmp(word, "--help") || !strcmp(word, "-?") ||
	       !strcmp(word, "-h");
}

static enum status run_monitor(struct app *app, int n_words, char **words)
{
	char **longer = calloc(n_words + 2, sizeof(*longer));
	char area[] = "hagroup";
	enum status st;

	if (!longer)
		return fail_errno(app, -ENOMEM, "reading the command");
	longer[0] = area;
	memcpy(longer + 1, words, n_words * sizeof(*words));
	st = run_words(app, n_words + 1, longer);
	free(longer);
	return st;
}

enum status run_words(struct app *app, int n_words, char **words)
{
	struct args args;
	enum status st;
	char name[64];
	int i;

	if (!strcasecmp(words[0], "help") || !strcmp(words[0], "?"))
		return help_command(app, n_words - 1, words + 1);
	/* A service has a name of its own for who starts it. */
	if (!strcasecmp(words[0], "monitor"))
		return run_monitor(app, n_words, words);
	for (i = 1; i < n_words; i++)
		if (i <= 2 ? asks_for_help(words[i]) : !strcmp(words[i], "--help"))
			return help_command(app, i < 2 ? i : 2, words);
	if (app->json)
		app->out = json_object_new_object();
	st = parse_command(app, n_words, words, &args);
	if (args.command) {
		snprintf(name, sizeof(name), "%.*s %.*s", (int)first_name(args.command->area),
			 args.command->area, (int)first_name(args.command->name),
			 args.command->name);
		put_text(app->out, "command", name);
	}
	if (!st) {
		st = args.command->run(app, &args);
		if (!st && !args.command->own_end)
			say(app, "\nCommand Result : No Error\n");
	}
	args_wipe(&args);
	put_number(app->out, "status", st);
	if (app->out)
		put_print(app->out);
	app->out = NULL;
	app->command = NULL;
	app->acted = false;
	fflush(stdout);
	return st;
}

/* ---- completion ---- */

static unsigned char complete(EditLine *el, int key)
{
	const LineInfo *line = el_line(el);
	struct candidates c = { 0 };
	char **words = NULL, *before;
	unsigned char result = CC_ERROR;
	size_t common = 0, i, len;
	struct app *app;
	char *prefix;
	int n_words = 0;

	(void)key;
	el_get(el, EL_CLIENTDATA, &app);
	before = strndup(line->buffer, line->cursor - line->buffer);
	if (!before)
		return CC_ERROR;
	len = strlen(before);
	while (len && !isspace((unsigned char)before[len - 1]))
		len--;
	prefix = strdup(before + len);
	before[len] = '\0';
	/* An open quotation mark is not worth a message here. */
	if (!prefix || (strchr(before, '"') && strchr(strchr(before, '"') + 1, '"') == NULL) ||
	    split_line(app, before, &n_words, &words))
		goto out;
	c.prefix = prefix;
	complete_words(app, n_words, words, &c);
	if (!c.n)
		goto out;
	common = strlen(c.list[0]);
	for (i = 1; i < c.n; i++) {
		size_t k = 0;

		while (k < common && tolower((unsigned char)c.list[0][k]) ==
		       tolower((unsigned char)c.list[i][k]))
			k++;
		common = k;
	}
	len = strlen(prefix);
	if (common > len || c.n == 1) {
		/* In the table's spelling, whatever was typed */
		el_deletestr(el, len);
		c.list[0][common] = '\0';
		el_insertstr(el, c.list[0]);
		if (c.n == 1)
			el_insertstr(el, " ");
		result = CC_REFRESH;
	} else {
		printf("\n");
		for (i = 0; i < c.n; i++)
			printf("%s%s", c.list[i], i + 1 < c.n ? "  " : "\n");
		fflush(stdout);
		result = CC_REDISPLAY;
	}
out:
	candidates_free(&c);
	if (words)
		free_words(n_words, words);
	free(prefix);
	free(before);
	return result;
}

/* ---- the loop ---- */

static const char *prompt(EditLine *el)
{
	(void)el;
	return PROMPT;
}

static bool is_exit(const char *word)
{
	return !strcasecmp(word, "exit") || !strcasecmp(word, "quit") || !strcasecmp(word, "bye");
}

/* A line with a password in it does not belong in a history. */
static bool has_secret(int n_words, char **words)
{
	const struct command *command = n_words > 1 ? command_of(words[0], words[1]) : NULL;
	const struct option *o;
	int i;

	for (i = 2; command && i < n_words; i++)
		for (o = command->options; words[i][0] == '-' && o->names; o++) {
			const char *word = words[i] + 1 + (words[i][1] == '-');
			char name[64];

			snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
			if (o->type == OPT_SECRET && name_listed(o->names, name))
				return true;
		}
	return false;
}

static enum status run_line(struct app *app, const char *line, History *past, bool *leave)
{
	enum status st;
	char **words;
	HistEvent ev;
	int n;

	st = split_line(app, line, &n, &words);
	if (st)
		return st;
	if (n && past && !has_secret(n, words)) {
		char *entry = strndup(line, strcspn(line, "\n"));

		if (entry)
			history(past, &ev, H_ENTER, entry);
		free(entry);
	}
	if (n && is_exit(words[0]))
		*leave = true;
	else if (n && words[0][0] != '#')
		st = run_words(app, n, words);
	free_words(n, words);
	return st;
}

static void on_interrupt(int number)
{
	(void)number;
}

/* Ctrl-C at the prompt abandons the line. While a command runs, it ends the program. */
static const char *read_prompt(EditLine *el)
{
	const struct sigaction action = { .sa_handler = on_interrupt };
	struct sigaction before;
	const char *line;
	int len, err;

	sigaction(SIGINT, &action, &before);
	/* The line editor would show its prompt first, and what is typed at once be seen twice. */
	el_set(el, EL_PREP_TERM, 1);
	errno = 0;
	line = el_gets(el, &len);
	err = errno;
	sigaction(SIGINT, &before, NULL);
	errno = err;
	return line;
}

/* The line editor keeps the line, twice: there may be a password in it. */
static void forget_line(EditLine *el, const char *line)
{
	const LineInfoW *wide = el_wline(el);

	explicit_bzero((void *)line, strlen(line));
	explicit_bzero((void *)wide->buffer,
		       (size_t)(wide->lastchar - wide->buffer) * sizeof(*wide->buffer));
}

static enum status run_prompt(struct app *app)
{
	History *past = history_init();
	EditLine *el = el_init(HAADM_NAME, stdin, stdout, stderr);
	enum status st = ST_OK;
	const char *line;
	bool leave = false;
	HistEvent ev;

	if (!past || !el) {
		if (el)
			el_end(el);
		if (past)
			history_end(past);
		return fail(app, ST_FAILED, CODE_OF_STATUS, NULL, "the terminal cannot be used");
	}
	history(past, &ev, H_SETSIZE, HISTORY_SIZE);
	history(past, &ev, H_SETUNIQUE, 1);
	el_set(el, EL_PROMPT, prompt);
	el_set(el, EL_EDITOR, "emacs");
	el_set(el, EL_SIGNAL, 1);
	el_set(el, EL_HIST, history, past);
	el_set(el, EL_CLIENTDATA, app);
	el_set(el, EL_ADDFN, "haadm-complete", "Complete commands, options and values", complete);
	el_set(el, EL_BIND, "^I", "haadm-complete", NULL);
	el_source(el, NULL);
	while (!leave) {
		printf("\n");
		fflush(stdout);
		line = read_prompt(el);
		if (!line && errno == EINTR)
			continue;
		if (!line) {
			printf("\n");
			break;
		}
		st = run_line(app, line, past, &leave);
		forget_line(el, line);
	}
	el_end(el);
	history_end(past);
	return leave ? ST_OK : st;
}

/*
 * A script ends with the first command that fails: what follows was meant to build on it. There
 * may be passwords in it: no copy is left in a buffer of stdio's, nor in one that grows.
 */
static enum status run_script(struct app *app)
{
	size_t size = SCRIPT_LINE;
	char *line = malloc(size);
	enum status st = ST_OK;
	bool leave = false;

	if (!line)
		return fail(app, ST_FAILED, CKR_HOST_MEMORY, NULL, "no memory");
	setvbuf(stdin, NULL, _IONBF, 0);
	while (!st && !leave && getline(&line, &size, stdin) > 0) {
		app->line++;
		st = run_line(app, line, NULL, &leave);
		explicit_bzero(line, size);
	}
	free(line);
	return st;
}

enum status shell_run(struct app *app)
{
	enum status st;

	app->interactive = true;
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return run_script(app);
	print_banner();
	/* No driver or no card is said there; the prompt still is of use: help. */
	st = print_slots(app, false);
	(void)st;
	return run_prompt(app);
}
