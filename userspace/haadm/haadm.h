/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * haadm: administration of HSMs, partitions and HA groups.
 *
 * One table of commands (table.c) drives parsing, help and completion. A command is a
 * function that gets its parsed arguments and returns an exit status; everything that
 * it has to say about a failure goes through fail() and its like, so that each error
 * says what failed, what to do about it, and ends with the same last line.
 */
#ifndef HAADM_H
#define HAADM_H

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <json-c/json.h>
#include <p11-kit/pkcs11.h>
#include <pciehsm/fw.h>

#include "ha.h"
#include "pciehsm.h"
#include "transport.h"

#define HAADM_NAME	"haadm"
#define HAADM_VERSION	"1.0.0"

struct app;
struct args;
struct context;

/* ---- results ---- */

/* Exit statuses. They are documented in `haadm --help` and never change their meaning. */
enum status {
	ST_OK		= 0,
	ST_FAILED	= 1,	/* anything that has no number of its own */
	ST_USAGE	= 2,	/* unknown command or option, bad value */
	ST_CANCELLED	= 3,	/* the operator said quit */
	ST_NOT_FOUND	= 4,	/* no such slot, group, member, partition */
	ST_PERMISSION	= 5,	/* the operating system says no */
	ST_AUTH		= 6,	/* wrong, locked or missing password; not logged in */
	ST_DEVICE	= 7,	/* no driver, no card, member gone or silent */
	ST_CONFIG	= 8,	/* ha.conf is broken */
	ST_REFUSED	= 9,	/* would do harm, or is in the way: nothing was changed */
};

/* Codes of the last line for what is not a card's answer (those are CKR_*). */
#define CODE_OF_STATUS	UINT32_MAX	/* use the status' own code and text */

/**
 * fail() - report that a command failed
 * @status:	what the command is to return
 * @code:	CKR_* that a card gave, or CODE_OF_STATUS
 * @advice:	what to do about it; lines are broken for a terminal. NULL: what is of use with
 *		any failure of this status
 * @fmt:	what failed, where; a sentence without a full stop
 *
 * Return: @status
 */
enum status fail(struct app *app, enum status status, uint32_t code, const char *advice,
		 const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/** fail_rv() - report what a card (or the HA engine) answered; @rv decides the status */
enum status fail_rv(struct app *app, CK_RV rv, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * fail_auth() - the same where a password was given; says what the next wrong one costs
 * @role:	whose
 * @attempts:	that the role has left; NO_ATTEMPTS: not known
 */
enum status fail_auth(struct app *app, CK_RV rv, uint32_t role, uint32_t attempts,
		      const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/** rv_status() - the exit status that goes with a result */
enum status rv_status(CK_RV rv);
/** rv_advice() - what to do about a result, for fail(); NULL: nothing special */
const char *rv_advice(CK_RV rv);

/** fail_errno() - the same for -errno; @err is negative */
enum status fail_errno(struct app *app, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** fail_cancelled() - the operator said no */
enum status fail_cancelled(struct app *app);

/** warn_user() - something to know, on stderr and in the JSON, that is no failure */
void warn_user(struct app *app, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** say() - print for a person: nothing with --json */
void say(struct app *app, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** status_meaning() - for the table in the help */
const char *status_meaning(enum status status);

/** NO_ATTEMPTS - for @attempts of fail_auth() where they are not known */
#define NO_ATTEMPTS	UINT32_MAX

/** PLURAL() - what follows the name of what is counted */
#define PLURAL(n)	((n) == 1 ? "" : "s")

/** print_wrapped() - text in lines that fit a terminal, each after the usual indent */
void print_wrapped(FILE *out, const char *text);

/** print_arrow() - "name ->" in @width columns, and its value; no blanks at a line's end */
void print_arrow(int width, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- the command table ---- */

enum option_type {
	OPT_FLAG,		/* no value */
	OPT_TEXT,
	OPT_LABEL,		/* text of 1 to 32 bytes, printable, no quotes */
	OPT_GROUP,		/* label of a group */
	OPT_SLOT,		/* number of a slot */
	OPT_SERIAL,		/* digits */
	OPT_NUMBER,		/* within @min and @max */
	OPT_CHOICE,		/* one of @choices */
	OPT_SECRET,		/* also NAME-file, NAME-fd and NAME-credential */
};

/**
 * struct option - one option of a command
 * @names:	"long short ...": the first is the name, the rest are what else is taken
 * @arg:	placeholder for the value in help; NULL for flags
 * @type:	what a value has to look like
 * @min: @max:	limits of OPT_NUMBER
 * @choices:	values of OPT_CHOICE, separated by blanks
 * @required:	the command is useless without it
 * @one_of:	not 0: exactly one of the options with this number must be given, at
 *		most one if ONE_OR_NONE is added
 * @help:	what it means, with default and limits
 */
struct option {
	const char		*names;
	const char		*arg;
	enum option_type	type;
	long			min, max;
	const char		*choices;
	bool			required;
	unsigned int		one_of;
	const char		*help;
};

#define ONE_OR_NONE	0x100

/**
 * struct command - one command
 * @area: @name: "hagroup", "listgroups"; names separated by blanks as in struct option.
 *		@name is NULL for commands of one word.
 * @summary:	one line
 * @text:	the whole story for help; NULL if the summary is all
 * @run:	does it
 * @own_end:	it prints its own end: no "Command Result : No Error" behind it
 * @options:	ends with one that has no names
 */
struct command {
	const char		*area;
	const char		*name;
	const char		*summary;
	const char		*text;
	enum status		(*run)(struct app *app, struct args *args);
	bool			own_end;
	const struct option	*options;
};

/**
 * struct area - the first word of commands
 * @names:	as in struct option
 */
struct area {
	const char *names;
	const char *summary;
};

extern const struct area areas[];
extern const size_t n_areas;
extern const struct command commands[];
extern const size_t n_commands;

/** first_name() - length of the first name in a list of names */
size_t first_name(const char *names);
/** name_listed() - is this one of the names, whatever its case? */
bool name_listed(const char *names, const char *name);
/** nearest_of - for "did you mean": the best so far of names that are offered one by one */
struct nearest {
	const char	*wanted;
	char		best[64];
	unsigned int	distance;
};
void nearest_offer(struct nearest *n, const char *names);
/** nearest_found() - NULL if nothing came close */
const char *nearest_found(const struct nearest *n);

/* ---- parsed arguments ---- */

#define ARGS_MAX	24

struct value {
	const struct option	*option;
	enum { FROM_TEXT, FROM_FILE, FROM_FD, FROM_CREDENTIAL } source;
	char			*text;
	long			number;
};

struct args {
	const struct command	*command;
	size_t			n;
	struct value		v[ARGS_MAX];
};

/**
 * parse_command() - find the command and check its options
 * @words:	are kept by reference; values of secrets among them are wiped by
 *		args_wipe(), which also is to be called after a failure
 *
 * Return: ST_OK, or what fail() said
 */
enum status parse_command(struct app *app, int n_words, char **words, struct args *args);
void args_wipe(struct args *args);

const struct value *arg_value(const struct args *args, const char *name);
bool arg_given(const struct args *args, const char *name);
/** arg_text() - NULL if it was not given */
const char *arg_text(const struct args *args, const char *name);
long arg_number(const struct args *args, const char *name, long otherwise);

/** split_line() - a line into words, with "double quotes"; free_words() wipes and frees */
enum status split_line(struct app *app, const char *line, int *n_words, char ***words);
void free_words(int n_words, char **words);

/** run_words() - one command, from its words to its last line */
enum status run_words(struct app *app, int n_words, char **words);

/** help_man() - the command table and the exit statuses for the manual page, as roff */
void help_man(void);
/** help_command() - `help`, `haadm --help` */
enum status help_command(struct app *app, int n_words, char **words);
/** help_usage() - "hagroup addmember -group <label> {-slot <n> | ...}" */
void help_usage(FILE *out, const struct command *command);

/* ---- completion ---- */

#define CANDIDATES_MAX	256

/**
 * struct candidates - for a word that is being typed
 * @prefix:	what is there of it
 * @list:	words that begin so
 */
struct candidates {
	const char	*prefix;
	size_t		n;
	char		*list[CANDIDATES_MAX];
};

/** complete_words() - what can stand after these words; candidates_free() when it is done with */
void complete_words(struct app *app, int n_words, char **words, struct candidates *c);
void candidates_free(struct candidates *c);
/** command_of() - the command with these names; NULL: none */
const struct command *command_of(const char *area, const char *name);
/** complete_command() - `haadm --complete`: for shells, the last word is the one being typed */
enum status complete_command(struct app *app, int n_words, char **words);
/** completion_script() - `haadm --completion`: what a shell has to read for it */
enum status completion_script(struct app *app, const char *shell);

/** shell_run() - the interactive prompt, or a script on standard input */
enum status shell_run(struct app *app);

/* ---- secrets ---- */

/** struct secret - a password; lives on a stack and is wiped by secret_wipe() */
struct secret {
	size_t	len;
	char	data[PCIEHSM_PIN_MAX + 1];
};

/**
 * secret_get() - from the option, its -file, -fd or -credential, or from the operator
 * @args:	NULL: from the operator alone
 * @name:	of the option
 * @prompt:	"Enter the password"; NULL: do not ask
 *
 * A credential that systemd has passed on under the name haadm.NAME is taken before the
 * operator is asked.
 *
 * Return: ST_OK, or what fail() said, as for an empty one
 */
enum status secret_get(struct app *app, const struct args *args, const char *name,
		       const char *prompt, struct secret *secret);
/** secret_get_any() - the same; it may be empty, too */
enum status secret_get_any(struct app *app, const struct args *args, const char *name,
			   const char *prompt, struct secret *secret);
/**
 * secret_new() - one that is being set: asked for twice
 * @min: @max:	lengths that the card takes
 */
enum status secret_new(struct app *app, const struct args *args, const char *name,
		       const char *prompt, size_t min, size_t max, struct secret *secret);
void secret_wipe(struct secret *secret);

/** secret_passed() - has systemd passed on a credential haadm.NAME? */
bool secret_passed(const char *name);

/** can_ask() - is there somebody at a terminal? */
bool can_ask(struct app *app);

/**
 * confirm() - 'proceed' or 'quit'; -force among @args answers it, and makes @text a warning
 * @text:	what is going to happen
 */
enum status confirm(struct app *app, const struct args *args, const char *text);
/** choose_contents() - the same with 'copy', 'remove' or 'quit'; -force is 'copy' */
enum status choose_contents(struct app *app, const struct args *args, const char *text,
			    bool *remove);

/* ---- slots and contexts ---- */

/**
 * struct app - what lasts from command to command
 * @slot:	current slot
 * @contexts:	open contexts at partitions and cards; logins live in them
 * @terminal:	-1, or where the operator is asked
 * @interactive: at a prompt or in a script: logins last
 * @json:	results are for programs
 * @out:	the object that the command at hand fills with its result; NULL without @json,
 *		and then the put functions below do nothing
 * @command:	the command at hand; NULL before it is known
 * @acted:	it has changed something: no failure may say that nothing was done
 * @ticker: @quiet: the progress that is shown; that none is
 * @line:	of a script; 0: it is none
 * @hung:	a member did not answer: the engine still waits for it
 */
struct app {
	struct ha_env		*env;
	struct pciehsm_bus	*bus;
	struct ha		*ha;
	uint32_t		slot;
	bool			slot_chosen;
	bool			interactive;
	bool			json;
	unsigned int		line;
	bool			hung;
	bool			quiet;
	struct ticker		*ticker;
	struct json_object	*out;
	const struct command	*command;
	bool			acted;
	int			terminal;
	struct context		*contexts;
};

/**
 * struct context - an open context at one device
 * @role:	that is logged in, as far as we know
 */
struct context {
	struct context			*next;
	char				serial[25];
	struct pciehsm_transport	*transport;
	unsigned int			resets;
	uint32_t			role;
};

/** context_get() - open, or still open, at the device with this serial */
enum status context_get(struct app *app, const char *serial, struct context **context);
/** context_drop() - close the one at this serial, if there is one: logs out */
void context_drop(struct app *app, const char *serial);
void contexts_close(struct app *app);

/** slots_get() - what is there; says why if there is nothing. Free with free(). */
enum status slots_get(struct app *app, struct ha_slot **list, size_t *count);
/** slot_default() - make the lowest slot the current one if none was chosen */
void slot_default(struct app *app);

/**
 * target_slot() - the slot that a command is about: -slot, -serial, or the current one
 * @kind:	what it has to be
 */
enum status target_slot(struct app *app, const struct args *args, enum ha_slot_kind kind,
			struct ha_slot *slot);

/** source_slot() - the partition named by -from, or the current one */
enum status source_slot(struct app *app, const struct args *args, struct ha_slot *slot);

/** target_member() - a partition named by -slot or -serial, for a group command */
enum status target_member(struct app *app, const struct args *args, struct ha_slot *slot);

/** print_slots() - the list of the seed; @hsms: the cards' own slots, too */
enum status print_slots(struct app *app, bool hsms);
/** print_banner() - what the prompt begins with */
void print_banner(void);

/**
 * need_login() - make sure that a role is logged in at a context
 * @name:	option with the password if it is not
 */
enum status need_login(struct app *app, const struct args *args, struct context *context,
		       uint32_t role, const char *name);
/**
 * last_attempt() - may the last attempt of a Security Officer be used?
 *
 * To be called before their password is asked for. If one attempt is left, a wrong password
 * would destroy the HSM or the partition: that is a question, and refused where nobody can be
 * asked and -force is not given.
 */
enum status last_attempt(struct app *app, const struct args *args, struct context *context,
			 uint32_t role);
/** login_at() - pciehsm_login(), with progress; context_login() - the same, noted there */
CK_RV login_at(struct app *app, struct pciehsm_transport *t, const char *serial, uint32_t role,
	       const struct secret *secret, uint32_t *flags, uint32_t *attempts);
CK_RV context_login(struct app *app, struct context *context, uint32_t role,
		    const struct secret *secret, uint32_t *flags, uint32_t *attempts);
/** role_short() - "co"; role_long() - "Crypto Officer"; role_by_name() - or ROLE_NONE */
const char *role_short(uint32_t role);
const char *role_long(uint32_t role);
uint32_t role_by_name(const char *name);

/* ---- commands ---- */

enum status cmd_slot_list(struct app *app, struct args *args);
enum status cmd_slot_set(struct app *app, struct args *args);
enum status cmd_slot_partitionlist(struct app *app, struct args *args);

enum status cmd_hsm_init(struct app *app, struct args *args);
enum status cmd_hsm_show(struct app *app, struct args *args);
enum status cmd_hsm_factoryreset(struct app *app, struct args *args);
enum status cmd_hsm_zeroize(struct app *app, struct args *args);
enum status cmd_hsm_tamper(struct app *app, struct args *args);
enum status cmd_hsm_audit(struct app *app, struct args *args);
/** open_hsm() - a context at the card that a command is about, and what the card says of itself */
enum status open_hsm(struct app *app, struct args *args, struct ha_slot *slot,
		     struct context **context, struct pciehsm_hsm_info *info);
enum status cmd_hsm_showpolicies(struct app *app, struct args *args);
enum status cmd_hsm_changepolicy(struct app *app, struct args *args);

enum status cmd_partition_create(struct app *app, struct args *args);
enum status cmd_partition_init(struct app *app, struct args *args);
enum status cmd_partition_show(struct app *app, struct args *args);
enum status cmd_partition_contents(struct app *app, struct args *args);
enum status cmd_partition_delete(struct app *app, struct args *args);
enum status cmd_partition_clone(struct app *app, struct args *args);
enum status cmd_partition_clear(struct app *app, struct args *args);
enum status cmd_partition_resize(struct app *app, struct args *args);
enum status cmd_partition_showpolicies(struct app *app, struct args *args);
enum status cmd_partition_changepolicy(struct app *app, struct args *args);

enum status cmd_role_list(struct app *app, struct args *args);
enum status cmd_role_show(struct app *app, struct args *args);
enum status cmd_role_init(struct app *app, struct args *args);
enum status cmd_role_login(struct app *app, struct args *args);
enum status cmd_role_logout(struct app *app, struct args *args);
enum status cmd_role_changepw(struct app *app, struct args *args);
enum status cmd_role_resetpw(struct app *app, struct args *args);
enum status cmd_role_createchallenge(struct app *app, struct args *args);
enum status cmd_role_deactivate(struct app *app, struct args *args);

enum status cmd_ha_creategroup(struct app *app, struct args *args);
enum status cmd_ha_deletegroup(struct app *app, struct args *args);
enum status cmd_ha_addmember(struct app *app, struct args *args);
enum status cmd_ha_removemember(struct app *app, struct args *args);
enum status cmd_ha_addstandby(struct app *app, struct args *args);
enum status cmd_ha_removestandby(struct app *app, struct args *args);
enum status cmd_ha_listgroups(struct app *app, struct args *args);
enum status cmd_ha_synchronize(struct app *app, struct args *args);
enum status cmd_ha_drain(struct app *app, struct args *args);
enum status cmd_ha_monitor(struct app *app, struct args *args);
enum status cmd_ha_undrain(struct app *app, struct args *args);
enum status cmd_ha_weight(struct app *app, struct args *args);
enum status cmd_ha_mincopies(struct app *app, struct args *args);
enum status cmd_ha_replace(struct app *app, struct args *args);
enum status cmd_ha_recover(struct app *app, struct args *args);
enum status cmd_ha_status(struct app *app, struct args *args);
enum status cmd_ha_check(struct app *app, struct args *args);
enum status cmd_ha_verify(struct app *app, struct args *args);
enum status cmd_ha_recoverymode(struct app *app, struct args *args);
enum status cmd_ha_retry(struct app *app, struct args *args);
enum status cmd_ha_interval(struct app *app, struct args *args);
enum status cmd_ha_haonly(struct app *app, struct args *args);
enum status cmd_ha_halog(struct app *app, struct args *args);

/* ---- policies and their templates ---- */

/** policy_text() - what a policy of a card or a partition is about */
const char *policy_text(enum ha_slot_kind kind, uint32_t id);

/** policy_takes() - can a policy have that value? One that is fixed has no choice at all. */
bool policy_takes(enum ha_slot_kind kind, uint32_t id, uint32_t value);

#define TEMPLATE_MAX	64

/**
 * struct template - policies to be set on what is initialised
 * @n:	0: there is none
 */
struct template {
	size_t n;
	struct template_policy {
		uint32_t id;
		uint32_t value;
	} policies[TEMPLATE_MAX];
};

/** template_write() - what can be changed of these policies, as a new file */
enum status template_write(struct app *app, const char *path, enum ha_slot_kind kind,
			   const struct pciehsm_policy *list, size_t n);
/**
 * template_read() - the file of -applytemplate, if it is given
 * @transport:	of what it is for: the file is refused if that can not have such policies
 */
enum status template_read(struct app *app, const struct args *args, enum ha_slot_kind kind,
			  struct pciehsm_transport *transport, struct template *t);
/**
 * after_init() - what -applytemplate and -auth want once something is initialised
 * @secret:	of its Security Officer
 */
enum status after_init(struct app *app, const struct args *args, const char *serial,
		       enum ha_slot_kind kind, const struct secret *secret,
		       const struct template *t);

/* ---- shared by the hagroup commands (hagroup.c, hastatus.c) ---- */

/**
 * struct edit - a change of the configuration
 * @apply:	makes it in what the file says at present, with the file locked; returns ST_OK or
 *		what fail() said, and then nothing is written
 */
struct edit {
	struct app	*app;
	enum status	(*apply)(struct edit *edit, struct ha_config *config);
	const char	*label;
	const char	*serial;
	long		number;
	bool		flag;
	enum status	st;
};

/** ha_edit() - carry it out, failures reported */
enum status ha_edit(struct edit *edit);
/** try_edit() - what is wrong with it, before the operator is asked for anything */
enum status try_edit(struct edit *edit);
/** edit_member() - the group and the member that an edit is about, failures reported */
enum status edit_member(struct edit *edit, struct ha_config *config,
			struct ha_config_group **group, struct ha_config_member **member);
/** edit_add() - add the partition to the group */
enum status edit_add(struct edit *edit, struct ha_config *config);
/** edit_remove() - take it out of the group */
enum status edit_remove(struct edit *edit, struct ha_config *config);
/**
 * ask_about_contents() - is what a new member brings along to become the group's?
 * @label:	NULL: it founds a group
 * @remove:	out: what the group does not have is to go first, by remove_contents()
 *
 * Its objects do, and its deletions, which may be of objects that the group still has. A
 * member that comes back brings nothing new, and nothing is asked.
 */
enum status ask_about_contents(struct app *app, const struct args *args, const char *label,
			       const char *serial, bool *remove);
/** remove_contents() - destroy the objects of a partition that the group does not have */
enum status remove_contents(struct app *app, const char *label, const char *serial,
			    const struct secret *secret);
/** put_member() - names of the group and the member, for JSON */
void put_member(const struct edit *edit);
/** ha_config_usable() - is the configuration file good? Says what is wrong if not. */
enum status ha_config_usable(struct app *app);
/** need_group() - is there a group of that label? */
enum status need_group(struct app *app, const char *label);
/** group_get() - the group of that label; says that there is none, and what there is */
enum status group_get(struct app *app, struct ha_config *config, const char *label,
		      struct ha_config_group **group);
/** member_serial() - of -serial or -slot: members are named by serial even if they are not there */
enum status member_serial(struct app *app, struct args *args, struct ha_slot *slot,
			  const char **serial);
/** member_index() - index of a member, or -1 */
int member_index(const struct ha_config_group *group, const char *serial);

/**
 * group_status() - look at a group, failures reported
 *
 * While an application changes objects, its members differ for moments. So when they do,
 * this looks again, until they agree or nothing moves any more.
 */
enum status group_status(struct app *app, const char *label, struct ha_group_status *status);
/** look_at_group() - ha_group_status(), with progress */
int look_at_group(struct app *app, const char *label, struct ha_group_status *status);
/** check_password() - try the Crypto Officer's on one live member, failures reported */
enum status check_password(struct app *app, const struct ha_group_status *status,
			   const struct secret *secret);
/** admit_member() - ha_group_admit(), with progress */
CK_RV admit_member(struct app *app, const char *group, const char *serial,
		   const struct secret *secret, char *error, size_t size);
/** print_group() - the block and the table of one group; @slots: with slot numbers */
void print_group(const struct ha_group_status *status, bool slots);
/** group_json() - the same */
void group_json(struct json_object *group, const struct ha_group_status *status);
/** members_agree() - do these two live members hold the same? */
bool members_agree(const struct ha_member_status *a, const struct ha_member_status *b);
/**
 * check_copies() - would what a partition holds be lost with it?
 * @text:	out: what is in it and who else holds the same, for confirm_destroying(); to be
 *		freed
 *
 * Refused if it is a member of a group, holds objects, and no other live member holds the
 * same, or if it could not be asked; a warning alone if -force is among @args.
 */
enum status check_copies(struct app *app, const struct args *args, const char *serial,
			 char **text);
/** check_copies_hsm() - the same for all partitions of a card; copies on the card do not count */
enum status check_copies_hsm(struct app *app, const struct args *args, const char *hsm_serial,
			     char **text);
/** check_copies_leaving() - would a group miss what a member holds if that left it? */
enum status check_copies_leaving(struct app *app, const char *label, const char *serial);
/** describe_partition() - @text of check_copies() alone */
enum status describe_partition(struct app *app, const struct ha_slot *slot, char **text);
/** confirm_destroying() - confirm(), with what stands to be destroyed below the question */
enum status confirm_destroying(struct app *app, const struct args *args, const char *text,
			       const char *what);
/** member_state_name() - "alive" */
const char *member_state_name(enum ha_member_state state);
/** now_ms() - ms of a clock that only goes forward */
int64_t now_ms(void);
/** find_device() - a partition or card by its serial; false: it is not there */
bool find_device(struct app *app, const char *serial, struct pciehsm_device *device);
/** wait_device() - until the device with that serial is there, or is not; at most 10 s */
bool wait_device(struct app *app, const char *serial, bool there, const char *label);

/** hex_text() - bytes as text; @out has room for 2 * @n + 1 */
void hex_text(char *out, const uint8_t *bytes, size_t n);

/* ---- progress ---- */

/**
 * struct progress - what is shown while something takes its time
 * @ticker:	what shows it; NULL: nothing does
 * @outer:	what was under way before it
 * @begun:	when it was
 * @counts:	something is counted; else it is a wait
 * @done:	so much
 * @total:	of so many; 0: nobody knows of how many
 * @what:	that is counted ("objects"), or waited for ("HSM 154438 to be initialized")
 *
 * A line on the terminal that is standard error, from the first second on; nothing where
 * there is no terminal that can take a line back, and nothing with --json. Lives on a
 * stack, between progress_begin() or waiting_begin() and progress_end(); nothing else may be
 * printed meanwhile without progress_clear().
 */
struct progress {
	struct ticker	*ticker;
	struct progress	*outer;
	struct timespec	begun;
	bool		counts;
	uint64_t	done;
	uint64_t	total;
	char		what[100];
};

/** progress_begin() - @what is going to be counted */
void progress_begin(struct progress *p, struct app *app, const char *what);
/** waiting_begin() - nothing can be counted; @fmt: what is waited for */
void waiting_begin(struct progress *p, struct app *app, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/** progress_step() - so much is done */
void progress_step(struct progress *p, uint64_t done, uint64_t total);
/** progress_clear() - take the line away until there is news: something else is printed */
void progress_clear(struct progress *p);
void progress_end(struct progress *p);
/** progress_close() - at the end of the program */
void progress_close(struct app *app);

/**
 * watched_bus() - the cards, with a wait shown for every message that takes its time
 * @real:	where they are; stays the caller's
 *
 * Return: to be closed after everything that was opened there; NULL: no memory
 */
struct pciehsm_bus *watched_bus(struct app *app, struct pciehsm_bus *real);

/**
 * pci_show() - the PCI side of a card, if it has one here
 * @json:	NULL: print it; else add it there as "pci"
 */
void pci_show(struct app *app, const char *serial, struct json_object *json);

/*
 * ---- JSON ----
 *
 * Each command prints one object; fields.json says what is in it. Where @to is NULL,
 * nothing is done, so commands need not ask what is wanted.
 */

/** put_text() - add a text */
void put_text(struct json_object *to, const char *name, const char *text);
void put_number(struct json_object *to, const char *name, int64_t number);
/** put_number_if() - null where it is not known */
void put_number_if(struct json_object *to, const char *name, bool known, int64_t number);
void put_bool(struct json_object *to, const char *name, bool value);
/** put_list() - a new list; the caller fills it with put_item() */
struct json_object *put_list(struct json_object *to, const char *name);
/** put_item() - a new object at the end of a list */
struct json_object *put_item(struct json_object *list);
/** put_text_item() - add a text to a list, which is made if need be */
void put_text_item(struct json_object *to, const char *name, const char *text);
/** put_print() - print and free */
void put_print(struct json_object *object);

#endif /* HAADM_H */
