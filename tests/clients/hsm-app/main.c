// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app.h"

static const char usage[] =
"usage: hsm-app --module FILE --token LABEL {--pin-file FILE | --pin-fd N} [option ...]\n"
"\n"
"Signs without pause with an RSA-2048 and a P-256 key of a PKCS#11 token, verifies every\n"
"signature with OpenSSL, and creates and deletes a key now and then. A call that fails\n"
"is reported at once. The last line of the output is one of JSON.\n"
"\n"
"  --module FILE      the PKCS#11 module\n"
"  --token LABEL      work in the slot whose token has this label\n"
"  --pin-file FILE    the user's PIN, one line\n"
"  --pin-fd N         the same from a descriptor\n"
"  --threads N        that sign (default: 4)\n"
"  --duration S       end after so many seconds (default: on SIGTERM or SIGINT)\n"
"  --change S         seconds between new keys (default: 2; 0: none)\n"
"  --slow MS          also report calls that take longer than this\n"
"  --prefix TEXT      how the labels of its keys begin (default: hsm-app)\n"
"  --verify-all       only find every private key of its own, and try it\n"
"\n"
"exit status: 0 if no call failed and every signature was right, 1 if not, 2 wrong usage\n";

enum {
	OPT_MODULE = 1,
	OPT_TOKEN,
	OPT_PIN_FILE,
	OPT_PIN_FD,
	OPT_THREADS,
	OPT_DURATION,
	OPT_CHANGE,
	OPT_SLOW,
	OPT_PREFIX,
	OPT_VERIFY_ALL,
	OPT_HELP,
};

static const struct option options[] = {
	{ "module", required_argument, NULL, OPT_MODULE },
	{ "token", required_argument, NULL, OPT_TOKEN },
	{ "pin-file", required_argument, NULL, OPT_PIN_FILE },
	{ "pin-fd", required_argument, NULL, OPT_PIN_FD },
	{ "threads", required_argument, NULL, OPT_THREADS },
	{ "duration", required_argument, NULL, OPT_DURATION },
	{ "change", required_argument, NULL, OPT_CHANGE },
	{ "slow", required_argument, NULL, OPT_SLOW },
	{ "prefix", required_argument, NULL, OPT_PREFIX },
	{ "verify-all", no_argument, NULL, OPT_VERIFY_ALL },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static void wrong_usage(const char *what)
{
	if (what)
		fprintf(stderr, "hsm-app: %s\n", what);
	fputs("Try \"hsm-app --help\".\n", stderr);
	exit(2);
}

static double number(const char *name, const char *text, double least, double most)
{
	char message[128], *end;
	double value = strtod(text, &end);

	if (end == text || *end || value < least || value > most) {
		snprintf(message, sizeof(message), "--%s %s: not a number from %g to %g", name,
			 text, least, most);
		wrong_usage(message);
	}
	return value;
}

/* The first line of a descriptor, without its end. */
static size_t read_pin(int fd, char *pin, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size && (n = read(fd, pin + len, size - len)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			perror("hsm-app: the PIN cannot be read");
			exit(2);
		}
		len += (size_t)n;
		if (memchr(pin, '\n', len))
			break;
	}
	if (memchr(pin, '\n', len))
		len = (size_t)((char *)memchr(pin, '\n', len) - pin);
	return len;
}

/* With one digit after the point, which is plenty. */
static struct json_object *rounded(double value)
{
	char text[32];

	snprintf(text, sizeof(text), "%.1f", value);
	return json_object_new_double_s(value, text);
}

static void show_result(const struct app *app, int keys)
{
	const struct count *c = &app->count;
	struct json_object *signatures = json_object_new_object();
	struct json_object *result = json_object_new_object();
	unsigned int kind;

	for (kind = 0; kind < N_KINDS; kind++)
		json_object_object_add(signatures, kind_names[kind],
				       json_object_new_int64((int64_t)c->signatures[kind]));
	json_object_object_add(result, "token", json_object_new_string(app->token));
	json_object_object_add(result, "seconds", rounded(elapsed(app)));
	json_object_object_add(result, "calls", json_object_new_int64((int64_t)c->calls));
	json_object_object_add(result, "failed", json_object_new_int64((int64_t)c->failed));
	json_object_object_add(result, "longest_ms", rounded((double)c->longest_us / 1000));
	json_object_object_add(result, "longest_sign_ms",
			       rounded((double)c->longest_sign_us / 1000));
	json_object_object_add(result, "signatures", signatures);
	json_object_object_add(result, "keys_created", json_object_new_int64((int64_t)c->created));
	json_object_object_add(result, "keys_deleted", json_object_new_int64((int64_t)c->deleted));
	if (keys >= 0)
		json_object_object_add(result, "keys_verified", json_object_new_int(keys));
	puts(json_object_to_json_string_ext(result, JSON_C_TO_STRING_SPACED));
	json_object_put(result);
}

int main(int argc, char **argv)
{
	static struct app app = { .prefix = "hsm-app", .threads = 4, .churn = 2 };
	bool only_verify = false, ready;
	CK_SESSION_HANDLE session;
	int option, pin_fd = -1, keys = -1;
	sigset_t ends;
	char pin[256];
	size_t pin_len;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case OPT_MODULE:
			app.module = optarg;
			break;
		case OPT_TOKEN:
			app.token = optarg;
			break;
		case OPT_PIN_FILE:
			pin_fd = open(optarg, O_RDONLY | O_CLOEXEC);
			if (pin_fd < 0) {
				fprintf(stderr, "hsm-app: %s: %s\n", optarg, strerror(errno));
				return 2;
			}
			break;
		case OPT_PIN_FD:
			pin_fd = (int)number("pin-fd", optarg, 0, 65535);
			break;
		case OPT_THREADS:
			app.threads = (unsigned int)number("threads", optarg, 1, 256);
			break;
		case OPT_DURATION:
			app.duration = number("duration", optarg, 0, 1e9);
			break;
		case OPT_CHANGE:
			app.churn = number("change", optarg, 0, 1e9);
			break;
		case OPT_SLOW:
			app.slow = number("slow", optarg, 0, 1e9);
			break;
		case OPT_PREFIX:
			app.prefix = optarg;
			break;
		case OPT_VERIFY_ALL:
			only_verify = true;
			break;
		case OPT_HELP:
			fputs(usage, stdout);
			return 0;
		default:
			wrong_usage(NULL);
		}
	}
	if (optind < argc)
		wrong_usage("it takes options only");
	if (!app.module || !app.token || pin_fd < 0)
		wrong_usage("--module, --token and a PIN are needed");
	if (strlen(app.prefix) > LABEL_MAX - 16)
		wrong_usage("--prefix is too long");

	/* The end comes to the main thread, which waits for it. */
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);

	app.begun_us = now_us();
	pin_len = read_pin(pin_fd, pin, sizeof(pin));
	ready = token_open(&app) && token_login(&app, pin, pin_len, &session);
	explicit_bzero(pin, sizeof(pin));
	if (ready && only_verify)
		keys = verify_all(&app, session);
	else if (ready)
		work(&app, session);
	token_close(&app);
	if (!ready)
		return 1;
	show_result(&app, keys);
	if (app.count.failed)
		return 1;
	if (only_verify && keys <= 0) {
		if (!keys)
			fprintf(stderr, "hsm-app: there is no key of its own (\"%s...\")\n",
				app.prefix);
		return 1;
	}
	return 0;
}
