// SPDX-License-Identifier: LGPL-2.1-or-later
/* From the command line to one command or the prompt. */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app.h"
#include "haadm.h"

/* Passwords pass through this memory: it must not end in a core file or be traced. */
static void no_dumps(void)
{
	static const struct rlimit none;

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
}

/* What is neither a command nor an option for one */
static bool is_mode(const char *word)
{
	return !strcmp(word, "--complete") || !strcmp(word, "--completion") ||
	       !strcmp(word, "--man");
}

static enum status run(struct app *app, struct ha_env *env, int n_words, char **words)
{
	enum status st;
	int ret;

	/* Help needs no driver. */
	if (n_words && (!strcasecmp(words[0], "help") || !strcmp(words[0], "?")))
		return help_command(app, n_words - 1, words + 1);
	if (n_words && !strcmp(words[0], "--completion"))
		return completion_script(app, n_words > 1 ? words[1] : NULL);
	if (n_words && !strcmp(words[0], "--man")) {
		help_man();
		return ST_OK;
	}
	app->env = env;
	/* A shell that completes a line has it on the same terminal. */
	app->quiet = n_words && !strcmp(words[0], "--complete");
	app->bus = watched_bus(app, env->bus);
	ret = app->bus ? ha_open(env, HA_OPEN_ADMIN, &app->ha) : -ENOMEM;
	if (ret) {
		free(app->bus);
		return fail_errno(app, ret, "starting the HA engine");
	}
	if (n_words && !strcmp(words[0], "--complete"))
		st = complete_command(app, n_words - 1, words + 1);
	else
		st = n_words ? run_words(app, n_words, words) : shell_run(app);
	contexts_close(app);
	app->bus->ops->close(app->bus);
	if (!app->hung)
		ha_close(app->ha);
	return st;
}

static enum status print_version(struct app *app)
{
	struct json_object *top;

	if (!app->json) {
		print_banner();
		return ST_OK;
	}
	top = json_object_new_object();
	put_text(top, "command", "version");
	put_text(top, "version", HAADM_VERSION);
	put_number(top, "status", ST_OK);
	put_print(top);
	return ST_OK;
}

int haadm_main(struct ha_env *env, int argc, char **argv)
{
	struct app app = { .slot = HA_SLOT_NONE, .terminal = -1 };
	bool version = false;
	enum status st;
	int first = 1;

	setlocale(LC_CTYPE, "");
	no_dumps();
	for (; first < argc && argv[first][0] == '-'; first++) {
		if (is_mode(argv[first]))
			break;
		if (!strcmp(argv[first], "--json")) {
			app.json = true;
		} else if (!strcmp(argv[first], "--version")) {
			version = true;
		} else if (!strcmp(argv[first], "--help") || !strcmp(argv[first], "-h") ||
			   !strcmp(argv[first], "-?")) {
			return help_command(&app, argc - first - 1, argv + first + 1);
		} else {
			return fail(&app, ST_USAGE, CODE_OF_STATUS, "See: haadm --help",
				    "unknown option \"%s\"", argv[first]);
		}
	}
	/* --json may stand at the end, too, where people add it. */
	if (first < argc && !is_mode(argv[first]) && !strcmp(argv[argc - 1], "--json")) {
		app.json = true;
		argc--;
	}
	if (version)
		return print_version(&app);
	app.terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	st = run(&app, env, argc - first, argv + first);
	progress_close(&app);
	if (app.terminal >= 0)
		close(app.terminal);
	if (fflush(stdout) || ferror(stdout))
		st = st ? st : ST_FAILED;
	/* Closing the engine waits until the driver gives a silent card up; the kernel need not. */
	if (app.hung)
		_exit(st);
	return st;
}

int haadm_no_env(int err)
{
	struct app app = { 0 };

	return fail_errno(&app, err, "starting haadm");
}
