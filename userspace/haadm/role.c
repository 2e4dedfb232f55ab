// SPDX-License-Identifier: LGPL-2.1-or-later
/* role list, show, init, login, logout, changepw, resetpw, createchallenge, deactivate. */
#include <endian.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "haadm.h"

#define INDENT	"        "

static void put_role(struct app *app, const struct context *context, uint32_t role)
{
	put_text(app->out, "serial", context->serial);
	put_text(app->out, "role", role_short(role));
}

/* The context that a role lives in: the SO and the Auditor are the card's. */
static enum status role_context(struct app *app, struct args *args, uint32_t role,
				struct context **context)
{
	bool hsm = role == PCIEHSM_ROLE_SO || role == PCIEHSM_ROLE_AU;
	struct ha_slot slot;
	enum status st;

	st = target_slot(app, args, hsm ? HA_SLOT_HSM : HA_SLOT_PARTITION, &slot);
	return st ? st : context_get(app, slot.serial, context);
}

/* Role commands without -name work on cards and partitions alike. */
static enum status any_context(struct app *app, struct args *args, struct context **context)
{
	struct ha_slot *list, slot = { .id = HA_SLOT_NONE };
	const char *serial = arg_text(args, "serialnumber");
	long number;
	enum status st;
	size_t i, n;

	slot_default(app);
	number = arg_number(args, "slot", app->slot);
	st = slots_get(app, &list, &n);
	if (st)
		return st;
	for (i = 0; i < n; i++)
		if (serial ? !strcmp(serial, list[i].serial) : (long)list[i].id == number)
			slot = list[i];
	free(list);
	/* Let target_slot() say what is wrong with anything but a card. */
	if (slot.id == HA_SLOT_NONE || slot.kind != HA_SLOT_HSM)
		st = target_slot(app, args, HA_SLOT_PARTITION, &slot);
	return st ? st : context_get(app, slot.serial, context);
}

static void append(char *text, size_t size, const char *more)
{
	size_t len = strlen(text);

	snprintf(text + len, size - len, "%s", more);
}

static void role_state(const struct pciehsm_role_info *info, char *text, size_t size)
{
	uint32_t flags = le32toh(info->flags);

	if (!(flags & PCIEHSM_ROLE_INITIALISED_FLAG))
		snprintf(text, size, "not initialized");
	else if (flags & PCIEHSM_ROLE_LOCKED_FLAG)
		snprintf(text, size, "locked");
	else if (flags & PCIEHSM_ROLE_MUST_CHANGE_FLAG)
		snprintf(text, size, "password must be changed");
	else
		snprintf(text, size, "initialized");
	if (flags & PCIEHSM_ROLE_ACTIVATED_FLAG)
		append(text, size, ", activated");
	else if (flags & PCIEHSM_ROLE_CHALLENGE_FLAG)
		append(text, size, ", has a challenge");
	if (flags & PCIEHSM_ROLE_LOGGED_IN_FLAG)
		append(text, size, ", logged in here");
}

static enum status print_roles(struct app *app, struct context *context, uint32_t only)
{
	struct pciehsm_role_info *list;
	struct json_object *array;
	char state[80];
	size_t i, n;
	CK_RV rv;

	rv = pciehsm_role_info(context->transport, &list, &n);
	if (rv)
		return fail_rv(app, rv, "asking %s for its roles", context->serial);
	say(app, "\n" INDENT "Roles of %s\n\n", context->serial);
	put_text(app->out, "serial", context->serial);
	array = put_list(app->out, "roles");
	for (i = 0; i < n; i++) {
		uint32_t role = le32toh(list[i].role);
		struct json_object *object;

		if (only && role != only)
			continue;
		role_state(&list[i], state, sizeof(state));
		say(app, INDENT "%-4s%-28s%" PRIu32 " of %" PRIu32 " attempts left, %s\n",
		    role_short(role), role_long(role), le32toh(list[i].attempts),
		    le32toh(list[i].limit), state);
		object = put_item(array);
		put_text(object, "role", role_short(role));
		put_text(object, "name", role_long(role));
		put_text(object, "state", state);
		put_number(object, "attempts", le32toh(list[i].attempts));
		put_number(object, "limit", le32toh(list[i].limit));
		put_bool(object, "challenge", le32toh(list[i].flags) & PCIEHSM_ROLE_CHALLENGE_FLAG);
		put_bool(object, "activated", le32toh(list[i].flags) & PCIEHSM_ROLE_ACTIVATED_FLAG);
	}
	free(list);
	return ST_OK;
}

enum status cmd_role_list(struct app *app, struct args *args)
{
	struct context *context;
	enum status st = any_context(app, args, &context);

	return st ? st : print_roles(app, context, PCIEHSM_ROLE_NONE);
}

enum status cmd_role_show(struct app *app, struct args *args)
{
	uint32_t role = role_by_name(arg_text(args, "name"));
	struct context *context;
	enum status st = role_context(app, args, role, &context);

	return st ? st : print_roles(app, context, role);
}

/* Who makes a role and resets its password: SO, PO, or the CO for the roles below. */
static uint32_t role_above(uint32_t role)
{
	if (role == PCIEHSM_ROLE_AU)
		return PCIEHSM_ROLE_SO;
	return role == PCIEHSM_ROLE_CO ? PCIEHSM_ROLE_PO : PCIEHSM_ROLE_CO;
}

typedef CK_RV (*set_role)(struct pciehsm_transport *t, uint32_t role, const void *pin,
			  size_t pin_len);

static enum status give_password(struct app *app, struct args *args, set_role set,
				 const char *doing, const char *done)
{
	uint32_t role = role_by_name(arg_text(args, "name"));
	struct context *context;
	struct progress waiting;
	struct secret secret;
	char prompt[80];
	enum status st;
	CK_RV rv;

	if (role == PCIEHSM_ROLE_SO || role == PCIEHSM_ROLE_PO)
		return fail(app, ST_USAGE, CODE_OF_STATUS,
			    "The SO of an HSM comes with hsm init, that of a partition with "
			    "partition init.", "the %s is not made by another role",
			    role_long(role));
	st = role_context(app, args, role, &context);
	if (st)
		return st;
	say(app, "\n");
	st = need_login(app, args, context, role_above(role), "loginpw");
	if (st)
		return st;
	snprintf(prompt, sizeof(prompt), "Enter new password for the %s", role_long(role));
	st = secret_new(app, args, "password", prompt, PCIEHSM_PIN_MIN, PCIEHSM_PIN_MAX, &secret);
	if (st)
		return st;
	waiting_begin(&waiting, app, "%s to take the password", context->serial);
	rv = set(context->transport, role, secret.data, secret.len);
	progress_end(&waiting);
	secret_wipe(&secret);
	if (rv == PCIEHSM_CKR_POLICY && role == PCIEHSM_ROLE_CO)
		return fail(app, ST_REFUSED, rv, "Without that password, the partition can only be "
			    "initialized again (partition init), which destroys its objects.",
			    "HSM policy 15 (SO can reset partition PIN) is off at %s",
			    context->serial);
	if (rv)
		return fail_rv(app, rv, "%s the %s of %s", doing, role_long(role),
			       context->serial);
	put_role(app, context, role);
	say(app, INDENT "%s %s at %s.\n", role_long(role), done, context->serial);
	say(app, INDENT "This password must be changed before it is used:\n");
	say(app, INDENT "role changepw -name %s\n", role_short(role));
	return ST_OK;
}

enum status cmd_role_init(struct app *app, struct args *args)
{
	return give_password(app, args, pciehsm_role_init, "initializing", "initialized");
}

enum status cmd_role_resetpw(struct app *app, struct args *args)
{
	return give_password(app, args, pciehsm_role_reset_pin, "resetting", "reset");
}

enum status cmd_role_login(struct app *app, struct args *args)
{
	uint32_t role = role_by_name(arg_text(args, "name"));
	uint32_t flags = 0, attempts = NO_ATTEMPTS;
	struct context *context;
	struct secret secret;
	enum status st;
	CK_RV rv;

	st = role_context(app, args, role, &context);
	if (st)
		return st;
	/* The card would say so, too, but after the password was asked for. */
	if (context->role != PCIEHSM_ROLE_NONE)
		return fail_rv(app, context->role == role ? CKR_USER_ALREADY_LOGGED_IN :
			       CKR_USER_ANOTHER_ALREADY_LOGGED_IN, 
			       "logging in as %s at %s", role_long(role), context->serial);
	st = last_attempt(app, args, context, role);
	if (st)
		return st;
	say(app, "\n");
	st = secret_get(app, args, "password", "Enter the password", &secret);
	if (st)
		return st;
	rv = context_login(app, context, role, &secret, &flags, &attempts);
	secret_wipe(&secret);
	if (rv)
		return fail_auth(app, rv, role, attempts, "logging in as %s at %s", role_long(role),
				 context->serial);
	put_role(app, context, role);
	put_bool(app->out, "must_change", flags & PCIEHSM_LOGIN_MUST_CHANGE);
	put_bool(app->out, "by_challenge", flags & PCIEHSM_LOGIN_CHALLENGE);
	put_bool(app->out, "activated", flags & PCIEHSM_LOGIN_ACTIVATED);
	say(app, INDENT "%s logged in at %s%s.\n", role_long(role), context->serial,
	    flags & PCIEHSM_LOGIN_CHALLENGE ? " by its challenge" : "");
	if (flags & PCIEHSM_LOGIN_ACTIVATED && !(flags & PCIEHSM_LOGIN_CHALLENGE))
		say(app, INDENT "It is activated: its challenge is good for logins now.\n");
	if (flags & PCIEHSM_LOGIN_MUST_CHANGE)
		say(app, INDENT "The password was set by somebody else; change it now:\n"
		       INDENT "role changepw -name %s\n", role_short(role));
	if (!app->interactive)
		warn_user(app, "Note: this login ends with the command. At the haadm prompt a login "
			  "lasts.");
	return ST_OK;
}

enum status cmd_role_logout(struct app *app, struct args *args)
{
	struct context *context;
	enum status st;
	CK_RV rv;

	st = any_context(app, args, &context);
	if (st)
		return st;
	rv = pciehsm_logout(context->transport);
	if (rv == CKR_USER_NOT_LOGGED_IN)
		return fail(app, ST_AUTH, rv, "Nothing has to be done: a login is over when its command "
			    "or prompt is.", "nobody is logged in at %s here", context->serial);
	if (rv)
		return fail_rv(app, rv, "logging out at %s", context->serial);
	put_role(app, context, context->role);
	say(app, "\n" INDENT "%s logged out at %s.\n", role_long(context->role), context->serial);
	context->role = PCIEHSM_ROLE_NONE;
	return ST_OK;
}

enum status cmd_role_changepw(struct app *app, struct args *args)
{
	uint32_t role = role_by_name(arg_text(args, "name"));
	const struct args *from = arg_given(args, "prompt") ? NULL : args;
	uint32_t attempts = NO_ATTEMPTS;
	struct secret old, new;
	struct context *context;
	struct progress waiting;
	enum status st;
	CK_RV rv;

	st = role_context(app, args, role, &context);
	if (!st)
		st = last_attempt(app, args, context, role);
	if (st)
		return st;
	say(app, "\n");
	st = secret_get(app, from, "oldpw", "Enter existing password", &old);
	if (st)
		return st;
	st = secret_new(app, from, "newpw", "Enter new password", PCIEHSM_PIN_MIN,
			PCIEHSM_PIN_MAX, &new);
	if (!st) {
		waiting_begin(&waiting, app, "%s to take the password", context->serial);
		rv = pciehsm_role_set_pin(context->transport, role, old.data, old.len, new.data,
					  new.len, &attempts);
		progress_end(&waiting);
		secret_wipe(&new);
		if (rv)
			st = fail_auth(app, rv, role, attempts, "changing the password of the %s of %s",
				       role_long(role), context->serial);
		else
			say(app, INDENT "Password of the %s of %s changed.\n", role_long(role),
			    context->serial);
		put_role(app, context, role);
	}
	secret_wipe(&old);
	return st;
}

static CK_RV set_challenge(struct app *app, struct context *context, uint32_t role,
			   const struct secret *password, const struct secret *challenge,
			   uint32_t *attempts)
{
	struct progress waiting;
	CK_RV rv;

	waiting_begin(&waiting, app, "%s to take the challenge", context->serial);
	rv = pciehsm_role_set_challenge(context->transport, role, password->data, password->len,
					challenge->data, challenge->len, attempts);
	progress_end(&waiting);
	return rv;
}

enum status cmd_role_createchallenge(struct app *app, struct args *args)
{
	uint32_t role = role_by_name(arg_text(args, "name")), attempts = NO_ATTEMPTS;
	struct secret password, challenge;
	struct context *context;
	enum status st;
	CK_RV rv;

	st = role_context(app, args, role, &context);
	if (st)
		return st;
	say(app, "\n");
	st = secret_get(app, args, "password", "Enter the role's password", &password);
	if (st)
		return st;
	st = secret_new(app, args, "challenge", "Enter new challenge", PCIEHSM_PIN_MIN,
			PCIEHSM_PIN_MAX, &challenge);
	if (st) {
		secret_wipe(&password);
		return st;
	}
	rv = set_challenge(app, context, role, &password, &challenge, &attempts);
	secret_wipe(&password);
	secret_wipe(&challenge);
	if (rv == PCIEHSM_CKR_POLICY)
		return fail(app, ST_REFUSED, rv, "The Partition SO switches it on: partition "
			    "changepolicy -policy 22 -value 1",
			    "partition policy 22 (Allow activation) is off at %s", context->serial);
	if (rv == CKR_PIN_INVALID)
		return fail(app, ST_USAGE, rv, "Whoever has the challenge, an application, is not to "
			    "know the password. Choose another one.",
			    "this challenge is the password of the %s", role_long(role));
	if (rv)
		return fail_auth(app, rv, role, attempts, "setting the challenge of the %s of %s",
				 role_long(role), context->serial);
	put_role(app, context, role);
	say(app, INDENT "Challenge of the %s of %s set.\n", role_long(role), context->serial);
	say(app, INDENT "It is good for logins when the role is activated by its password:\n");
	say(app, INDENT "role login -name %s\n", role_short(role));
	return ST_OK;
}

enum status cmd_role_deactivate(struct app *app, struct args *args)
{
	uint32_t role = role_by_name(arg_text(args, "name"));
	struct context *context;
	enum status st;
	CK_RV rv;

	st = role_context(app, args, role, &context);
	if (st)
		return st;
	say(app, "\n");
	if (context->role != role)
		st = need_login(app, args, context, role_above(role), "loginpw");
	if (st)
		return st;
	rv = pciehsm_role_deactivate(context->transport, role);
	if (rv)
		return fail_rv(app, rv, "deactivating the %s of %s", role_long(role),
			       context->serial);
	put_role(app, context, role);
	say(app, INDENT "%s of %s is not activated: its challenge is not good for logins.\n",
	    role_long(role), context->serial);
	return ST_OK;
}
