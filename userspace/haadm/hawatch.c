// SPDX-License-Identifier: LGPL-2.1-or-later
/* hagroup status: a group's members at work, once or as a screen that goes on. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "haadm.h"

#define INDENT	"        "

/**
 * struct look - a look at a group
 * @at:		ms of a clock that only goes forward
 * @rates:	operations per second of each member since the look before; below 0: not known
 */
struct look {
	struct ha_group_status	status;
	int64_t			at;
	double			rates[HA_MAX_MEMBERS];
};

/* How many live members hold what the others hold; 0: they differ */
static unsigned int full_copies(const struct ha_group_status *status)
{
	unsigned int i, n = 0;

	for (i = 0; i < status->n_members; i++)
		n += status->members[i].state == HA_MEMBER_ALIVE;
	return status->needs_sync ? 0 : n;
}

static enum status take_look(struct app *app, const char *label, const struct look *before,
			     struct look *look)
{
	enum status st = group_status(app, label, &look->status);
	unsigned int i, k;

	look->at = now_ms();
	for (i = 0; !st && i < look->status.n_members; i++) {
		const struct ha_member_status *m = &look->status.members[i];

		look->rates[i] = -1;
		for (k = 0; before && k < before->status.n_members; k++) {
			const struct ha_member_status *was = &before->status.members[k];

			/* A card that was switched off and on counts from the beginning. */
			if (!strcmp(was->serial, m->serial) && look->at > before->at &&
			    was->state == HA_MEMBER_ALIVE && m->state == HA_MEMBER_ALIVE &&
			    m->operations >= was->operations)
				look->rates[i] = (m->operations - was->operations) * 1000.0 /
						 (look->at - before->at);
		}
	}
	return st;
}

static const char *role_name(const struct ha_member_status *m)
{
	return m->drain ? "drained" : m->standby ? "standby" : "active";
}

static void look_json(struct json_object *top, const struct look *look)
{
	const struct ha_group_status *status = &look->status;
	struct json_object *members;
	unsigned int i;

	put_text(top, "group", status->group.label);
	put_bool(top, "needs_sync", status->needs_sync);
	put_number(top, "min_copies", status->group.mincopies ? status->group.mincopies : 1);
	put_number_if(top, "copies", !status->needs_sync, full_copies(status));
	members = put_list(top, "members");
	for (i = 0; i < status->n_members; i++) {
		const struct ha_member_status *m = &status->members[i];
		struct json_object *member = put_item(members);
		bool alive = m->state == HA_MEMBER_ALIVE;

		put_text(member, "serial", m->serial);
		put_text(member, "state", member_state_name(m->state));
		put_text(member, "reason", m->reason[0] ? m->reason : NULL);
		put_bool(member, "standby", m->standby);
		put_bool(member, "drain", m->drain);
		put_number(member, "weight", m->weight);
		put_number_if(member, "objects", alive, m->objects);
		put_number_if(member, "tombstones", alive, m->tombstones);
		put_number_if(member, "outstanding", m->outstanding >= 0, m->outstanding);
		put_number_if(member, "answer_us", alive, m->answer_us);
		put_number_if(member, "operations", alive, m->operations);
		put_number_if(member, "operations_per_second", look->rates[i] >= 0,
			      (int64_t)(look->rates[i] + 0.5));
		put_number_if(member, "sessions", alive, m->sessions);
	}
}

static void print_look(const struct look *look)
{
	const struct ha_group_status *status = &look->status;
	unsigned int i, copies = full_copies(status);
	char text[24] = "is 1 copy";

	if (copies > 1)
		snprintf(text, sizeof(text), "are %u copies", copies);
	printf("\n" INDENT "HA group %s: ", status->group.label);
	if (copies)
		printf("the members agree, there %s of each object\n\n", text);
	else
		printf("%s\n\n", status->needs_sync ? "the members differ (hagroup check tells where)" :
		       "no member is there");
	printf("%-26s%-10s%-10s%7s%9s%9s%13s%10s%12s\n", "Member S/N", "State", "Role", "Weight",
	       "Copies", "Sessions", "Outstanding", "Ops/s", "Latency");
	for (i = 0; i < status->n_members; i++) {
		const struct ha_member_status *m = &status->members[i];
		char rate[24] = "-";

		if (look->rates[i] >= 0)
			snprintf(rate, sizeof(rate), "%.0f", look->rates[i]);
		printf("%-26s%-10s%-10s%7u", m->serial, member_state_name(m->state), role_name(m),
		       m->weight);
		if (m->state == HA_MEMBER_ALIVE)
			printf("%9" PRIu32 "%9" PRIu32 "%13" PRId64 "%10s%9.1f ms\n", m->objects,
			       m->sessions, m->outstanding, rate, m->answer_us / 1000.0);
		else
			printf("  %s\n", m->reason);
	}
	printf("\n" INDENT "Copies are the objects that the member holds. Sessions, commands\n"
	       INDENT "outstanding and operations are those of all programs; the latency is that\n"
	       INDENT "of a short question from here.\n");
}

/* ---- the screen ---- */

static volatile sig_atomic_t ended;

static void on_end(int number)
{
	(void)number;
	ended = 1;
}

/* Wait; true when somebody has typed q, or wants an end otherwise. */
static bool pause_or_end(struct app *app, int ms)
{
	struct pollfd fd = { .fd = app->terminal, .events = POLLIN };
	int64_t until = now_ms() + ms;
	int64_t left;
	char c;

	while (!ended && (left = until - now_ms()) > 0) {
		/* poll() passes over a descriptor below 0. */
		if (poll(&fd, 1, left) <= 0)
			continue;
		if (read(app->terminal, &c, 1) != 1 || c == 'q' || c == 'Q')
			return true;
	}
	return ended;
}

static bool screen_here(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb");
}

static void show_look(struct app *app, const struct look *look, bool screen)
{
	if (app->json) {
		struct json_object *line = json_object_new_object();

		/* As the object of the command, so that programs need to know one alone. */
		put_text(line, "command", "hagroup status");
		look_json(line, look);
		put_number(line, "status", ST_OK);
		puts(json_object_to_json_string_ext(line, JSON_C_TO_STRING_PLAIN |
						    JSON_C_TO_STRING_NOSLASHESCAPE));
		json_object_put(line);
	} else {
		if (screen)
			printf("\033[H\033[2J");
		print_look(look);
		if (screen)
			printf("\n" INDENT "q ends this.\n");
	}
	fflush(stdout);
}

/* @count 0: until the operator ends it */
static enum status watch(struct app *app, const char *label, long interval, long count,
			 struct look *looks)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction old[3], action = { .sa_handler = on_end };
	struct termios before, raw;
	bool screen = screen_here();
	bool keys = screen && app->terminal >= 0 && !tcgetattr(app->terminal, &before);
	enum status st = ST_OK;
	size_t i;
	long n;

	ended = 0;
	for (i = 0; i < 3; i++)
		sigaction(signals[i], &action, &old[i]);
	if (keys) {
		raw = before;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		tcsetattr(app->terminal, TCSADRAIN, &raw);
	}
	for (n = 0; !st && (!count || n < count); n++) {
		if (n && pause_or_end(app, interval * 1000))
			break;
		st = take_look(app, label, n ? &looks[(n - 1) % 2] : NULL, &looks[n % 2]);
		if (!st)
			show_look(app, &looks[n % 2], screen);
	}
	if (!st && app->json)
		look_json(app->out, &looks[(n - 1) % 2]);
	if (keys)
		tcsetattr(app->terminal, TCSADRAIN, &before);
	for (i = 0; i < 3; i++)
		sigaction(signals[i], &old[i], NULL);
	return st;
}

enum status cmd_ha_status(struct app *app, struct args *args)
{
	const struct timespec second = { .tv_sec = 1 };
	const char *label = arg_text(args, "group");
	long interval = arg_number(args, "interval", 1);
	enum status st = need_group(app, label);
	struct look *looks;

	if (st)
		return st;
	looks = malloc(2 * sizeof(*looks));
	if (!looks)
		return fail_errno(app, -ENOMEM, "looking at group %s", label);
	if (arg_given(args, "watch")) {
		st = watch(app, label, interval, arg_number(args, "count", 0), looks);
	} else {
		/* A rate takes two looks. */
		st = take_look(app, label, NULL, &looks[0]);
		if (!st) {
			nanosleep(&second, NULL);
			st = take_look(app, label, &looks[0], &looks[1]);
		}
		if (!st && app->json)
			look_json(app->out, &looks[1]);
		else if (!st)
			print_look(&looks[1]);
	}
	free(looks);
	return st;
}
