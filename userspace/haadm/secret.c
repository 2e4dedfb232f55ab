// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Passwords: from the operator without echo, from a file, from a descriptor, from systemd, or
 * from the command line, which is where they should not stand.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "haadm.h"

#define INDENT	"        "
/* Shown for every password when it has been entered, whatever its length. */
#define STARS	"********"

void secret_wipe(struct secret *secret)
{
	explicit_bzero(secret, sizeof(*secret));
}

bool can_ask(struct app *app)
{
	return app->terminal >= 0;
}

/*
 * Text that belongs to a question goes where the rest of the output goes if that is
 * a terminal; else to the terminal itself, so that redirected output stays clean.
 */
static FILE *ask_on(struct app *app)
{
	static FILE *terminal;

	if (!app->json && isatty(STDOUT_FILENO))
		return stdout;
	if (!terminal) {
		int fd = fcntl(app->terminal, F_DUPFD_CLOEXEC, 0);

		terminal = fd < 0 ? NULL : fdopen(fd, "w");
	}
	return terminal ? terminal : stderr;
}

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	interrupted = number;
}

/*
 * Ask and read a line from the terminal, with or without echo. Echo is off before the
 * question is seen. Signals end it, and are delivered once the terminal is as it was.
 * Return: length, or -errno; -ECANCELED at the end of input
 */
static ssize_t read_line(int fd, FILE *out, const char *question, bool echo, char *buf,
			 size_t size)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction old[4], action = { .sa_handler = on_signal };
	struct termios before, quiet;
	ssize_t ret = -EIO;
	size_t i, len = 0;

	if (tcgetattr(fd, &before))
		return -errno;
	quiet = before;
	quiet.c_lflag |= ICANON | ISIG;
	quiet.c_iflag |= ICRNL;
	if (echo)
		quiet.c_lflag |= ECHO;
	else
		quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	interrupted = 0;
	for (i = 0; i < 4; i++)
		sigaction(signals[i], &action, &old[i]);
	/* Not TCSAFLUSH: what a script has typed ahead is meant. */
	tcsetattr(fd, TCSADRAIN, &quiet);
	fprintf(out, INDENT "%s", question);
	fflush(out);
	for (;;) {
		char c;
		ssize_t n = read(fd, &c, 1);

		if (n < 0 && errno == EINTR && !interrupted)
			continue;
		if (n <= 0) {
			ret = -ECANCELED;
			break;
		}
		if (c == '\n') {
			ret = len < size ? (ssize_t)len : -EOVERFLOW;
			break;
		}
		if (len < size)
			buf[len] = c;
		len++;
	}
	tcsetattr(fd, TCSADRAIN, &before);
	for (i = 0; i < 4; i++)
		sigaction(signals[i], &old[i], NULL);
	if (interrupted && interrupted != SIGINT)
		raise(interrupted);
	return ret;
}

/* The line of a file or descriptor, one byte at a time: the next line is for the next one. */
static ssize_t read_fd(int fd, char *buf, size_t size)
{
	size_t len = 0;

	for (;;) {
		char c;
		ssize_t n = read(fd, &c, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n || c == '\n')
			break;
		if (len < size)
			buf[len] = c;
		if (++len > 2 * size)
			break;
	}
	if (len && len <= size && buf[len - 1] == '\r')
		len--;
	return len <= size ? (ssize_t)len : -EOVERFLOW;
}

static enum status finish(struct app *app, ssize_t len, struct secret *secret, const char *where)
{
	if (len >= 0) {
		secret->len = len;
		secret->data[len] = '\0';
		return ST_OK;
	}
	secret_wipe(secret);
	if (len == -ECANCELED)
		return fail_cancelled(app);
	if (len == -EOVERFLOW)
		return fail(app, ST_USAGE, CODE_OF_STATUS, NULL, "%s: longer than %d bytes", where,
			    PCIEHSM_PIN_MAX);
	if (len == -EISDIR || len == -EBADF)
		return fail(app, ST_USAGE, CODE_OF_STATUS, NULL, "%s: %s", where, strerror(-len));
	return fail_errno(app, len, "%s", where);
}

static enum status from_file(struct app *app, const char *path, struct secret *secret)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return fail_errno(app, -errno, "reading the password from %s", path);
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && (st.st_mode & 0077))
		warn_user(app, "Warning: others can read this password file; chmod 600 would keep it "
			  "to you.");
	len = read_fd(fd, secret->data, PCIEHSM_PIN_MAX);
	close(fd);
	return finish(app, len, secret, path);
}

/* systemd hands credentials over as files in a directory that it names; systemd.exec(5) */
static bool credential_path(const char *name, char *path, size_t size)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");

	return dir && *dir && !strchr(name, '/') &&
	       snprintf(path, size, "%s/%s", dir, name) < (int)size;
}

bool secret_passed(const char *name)
{
	char credential[64], path[PATH_MAX];

	snprintf(credential, sizeof(credential), HAADM_NAME ".%s", name);
	return credential_path(credential, path, sizeof(path)) && !access(path, F_OK);
}

static enum status from_credential(struct app *app, const char *name, struct secret *secret)
{
	char path[PATH_MAX];

	if (!credential_path(name, path, sizeof(path)))
		return fail(app, ST_NOT_FOUND, CODE_OF_STATUS,
			    "systemd passes them to services: LoadCredential=, SetCredential=",
			    "there is no credential \"%s\"", name);
	return from_file(app, path, secret);
}

static enum status from_text(struct app *app, const struct value *v, struct secret *secret)
{
	size_t len = strlen(v->text);

	if (!app->interactive)
		warn_user(app, "Warning: a password on the command line can be seen by every user of "
			  "this machine while the command starts. Use the prompt, "
			  "--password-file or --password-fd.");
	if (len > PCIEHSM_PIN_MAX)
		return finish(app, -EOVERFLOW, secret, "the password");
	memcpy(secret->data, v->text, len + 1);
	secret->len = len;
	explicit_bzero(v->text, len);
	return ST_OK;
}

static enum status ask(struct app *app, const char *prompt, struct secret *secret)
{
	FILE *out = ask_on(app);
	char question[100];
	ssize_t len;

	fflush(stdout);
	snprintf(question, sizeof(question), "%s: ", prompt);
	len = read_line(app->terminal, out, question, false, secret->data, PCIEHSM_PIN_MAX);
	fprintf(out, "%s\n", len >= 0 ? STARS : "");
	fflush(out);
	return finish(app, len, secret, "the password");
}

static enum status nobody_to_ask(struct app *app, const char *name)
{
	char advice[160];

	snprintf(advice, sizeof(advice), "Give it with --%s-file, --%s-fd or --%s-credential.",
		 name, name, name);
	return fail(app, ST_AUTH, CODE_OF_STATUS, advice,
		    "the %s is needed and there is no terminal to ask for it", name);
}

static enum status given_or_ask(struct app *app, const struct args *args, const char *name,
				const char *prompt, struct secret *secret, bool *asked)
{
	const struct value *v = args ? arg_value(args, name) : NULL;
	char credential[64], path[PATH_MAX];

	memset(secret, 0, sizeof(*secret));
	*asked = false;
	if (v && v->source == FROM_FILE)
		return from_file(app, v->text, secret);
	if (v && v->source == FROM_CREDENTIAL)
		return from_credential(app, v->text, secret);
	if (v && v->source == FROM_FD)
		return finish(app, read_fd(v->number, secret->data, PCIEHSM_PIN_MAX), secret,
			      "reading the password from the descriptor");
	if (v)
		return from_text(app, v, secret);
	snprintf(credential, sizeof(credential), HAADM_NAME ".%s", name);
	if (args && credential_path(credential, path, sizeof(path)) && !access(path, F_OK))
		return from_file(app, path, secret);
	if (!prompt || !can_ask(app))
		return nobody_to_ask(app, name);
	*asked = true;
	return ask(app, prompt, secret);
}

enum status secret_get(struct app *app, const struct args *args, const char *name,
		       const char *prompt, struct secret *secret)
{
	enum status st = secret_get_any(app, args, name, prompt, secret);

	/* It would cost an attempt. */
	if (!st && !secret->len)
		return fail(app, ST_USAGE, CODE_OF_STATUS, NULL, "the %s that was given is empty",
			    name);
	return st;
}

enum status secret_get_any(struct app *app, const struct args *args, const char *name,
			   const char *prompt, struct secret *secret)
{
	bool asked;

	return given_or_ask(app, args, name, prompt, secret, &asked);
}

enum status secret_new(struct app *app, const struct args *args, const char *name,
		       const char *prompt, size_t min, size_t max, struct secret *secret)
{
	struct secret again;
	char second[80];
	enum status st;
	bool asked;

	st = given_or_ask(app, args, name, prompt, secret, &asked);
	if (st)
		return st;
	if (secret->len < min || secret->len > max) {
		secret_wipe(secret);
		return fail(app, ST_USAGE, CODE_OF_STATUS, NULL,
			    "the %s must have %zu to %zu characters", name, min, max);
	}
	if (!asked)
		return ST_OK;
	snprintf(second, sizeof(second), "Re-%c%s", prompt[0] | 0x20, prompt + 1);
	st = ask(app, second, &again);
	if (!st && (again.len != secret->len || memcmp(again.data, secret->data, again.len)))
		st = fail(app, ST_CANCELLED, CODE_OF_STATUS, "Repeat the command.",
			  "what was entered first and second is not the same");
	secret_wipe(&again);
	if (st)
		secret_wipe(secret);
	return st;
}

/* Show what is going to happen, ask, and read the word that is the answer. */
static enum status ask_word(struct app *app, const struct args *args, const char *text,
			    const char *question, char *answer, size_t size)
{
	FILE *out;
	ssize_t len;

	answer[0] = '\0';
	if (arg_given(args, "force"))
		return ST_OK;
	if (!can_ask(app))
		return fail(app, ST_CANCELLED, CODE_OF_STATUS,
			    "Give -force if you are sure: there is no terminal to ask.",
			    "this needs to be confirmed");
	out = ask_on(app);
	fflush(stdout);
	fprintf(out, "\n");
	print_wrapped(out, text);
	fprintf(out, "\n");
	len = read_line(app->terminal, out, question, true, answer, size - 1);
	if (len < 0) {
		fprintf(out, "\n");
		return fail_cancelled(app);
	}
	answer[len] = '\0';
	return *answer ? ST_OK : fail_cancelled(app);
}

enum status confirm(struct app *app, const struct args *args, const char *text)
{
	char answer[32];
	enum status st = ask_word(app, args, text,
				  "Type 'proceed' to continue, or 'quit' to quit now -> ", answer,
				  sizeof(answer));

	/* A script's log is to have what was destroyed, too. */
	if (arg_given(args, "force"))
		warn_user(app, "%s", text);
	return !st && *answer && strcmp(answer, "proceed") ? fail_cancelled(app) : st;
}

enum status choose_contents(struct app *app, const struct args *args, const char *text,
			    bool *remove)
{
	char answer[32];
	enum status st = ask_word(app, args, text,
				  "Type 'copy' or 'remove' to continue, or 'quit' to quit now -> ",
				  answer, sizeof(answer));

	*remove = !strcmp(answer, "remove");
	return !st && *answer && !*remove && strcmp(answer, "copy") ? fail_cancelled(app) : st;
}
