// SPDX-License-Identifier: LGPL-2.1-or-later
/* The part of haadm(8) that follows from the command table, as roff. */
#include <stdlib.h>
#include <string.h>

#include "haadm.h"

/* Hyphens that can be typed, and nothing that roff would take for its own */
static void roff(const char *text)
{
	for (; *text; text++) {
		if (*text == '-')
			fputs("\\-", stdout);
		else if (*text == '\\')
			fputs("\\e", stdout);
		else
			putchar(*text);
	}
}

/* The names behind the first one */
static void other_names(const char *names, const char *dash)
{
	const char *name = names + first_name(names);

	if (*name)
		fputs(" (also", stdout);
	while (*name) {
		size_t len = first_name(++name);
		char one[32];

		snprintf(one, sizeof(one), " %s%.*s", dash, (int)len, name);
		roff(one);
		name += len;
		if (!*name)
			putchar(')');
	}
}

static void man_option(const struct option *o)
{
	char name[64];

	snprintf(name, sizeof(name), "-%.*s", (int)first_name(o->names), o->names);
	fputs(".TP\n\\fB", stdout);
	roff(name);
	fputs("\\fR", stdout);
	if (o->arg) {
		fputs(" \\fI", stdout);
		roff(o->arg);
		fputs("\\fR", stdout);
	}
	other_names(o->names, "-");
	putchar('\n');
	roff(o->help);
	puts(o->required ? "; required" : "");
}

static void man_command(const struct command *command)
{
	const struct option *o;
	char *usage = NULL;
	size_t size;
	FILE *f;

	printf(".SS \"%.*s %.*s\"\n", (int)first_name(command->area), command->area,
	       (int)first_name(command->name), command->name);
	roff(command->summary);
	fputs(".", stdout);
	other_names(command->name, "");
	puts("\n.PP\n.nf");
	f = open_memstream(&usage, &size);
	if (f) {
		help_usage(f, command);
		fclose(f);
		roff(usage);
	}
	free(usage);
	puts(".fi");
	if (command->text) {
		puts(".PP");
		roff(command->text);
		putchar('\n');
	}
	for (o = command->options; o->names; o++)
		man_option(o);
}

void help_man(void)
{
	enum status st;
	size_t i;

	puts(".SH COMMANDS");
	for (i = 0; i < n_commands; i++)
		man_command(&commands[i]);
	puts(".SH \"EXIT STATUS\"");
	for (st = ST_OK; st <= ST_REFUSED; st++) {
		printf(".TP\n\\fB%d\\fR\n", st);
		roff(status_meaning(st));
		putchar('\n');
	}
}
