// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Open contexts, and the logins that live in them. At the prompt they stay open between
 * commands, so that "role login" lasts; they go when the device does.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "haadm.h"

static const struct {
	uint32_t	role;
	const char	*names;
	const char	*text;
} roles[] = {
	{ PCIEHSM_ROLE_SO, "so", "HSM Security Officer" },
	{ PCIEHSM_ROLE_PO, "po", "Partition Security Officer" },
	{ PCIEHSM_ROLE_CO, "co", "Crypto Officer" },
	{ PCIEHSM_ROLE_LCO, "lco", "Limited Crypto Officer" },
	{ PCIEHSM_ROLE_CU, "cu", "Crypto User" },
	{ PCIEHSM_ROLE_AU, "au", "Auditor" },
};

#define N_ROLES	(sizeof(roles) / sizeof(roles[0]))

const char *role_short(uint32_t role)
{
	size_t i;

	for (i = 0; i < N_ROLES; i++)
		if (roles[i].role == role)
			return roles[i].names;
	return "?";
}

const char *role_long(uint32_t role)
{
	size_t i;

	for (i = 0; i < N_ROLES; i++)
		if (roles[i].role == role)
			return roles[i].text;
	return "unknown role";
}

uint32_t role_by_name(const char *name)
{
	size_t i;

	for (i = 0; i < N_ROLES; i++)
		if (!strcasecmp(roles[i].names, name))
			return roles[i].role;
	return PCIEHSM_ROLE_NONE;
}

static void free_context(struct context *c)
{
	c->transport->ops->close(c->transport);
	free(c);
}

void context_drop(struct app *app, const char *serial)
{
	struct context **at, *c;

	for (at = &app->contexts; (c = *at); at = &c->next) {
		if (!strcmp(c->serial, serial)) {
			*at = c->next;
			free_context(c);
			return;
		}
	}
}

void contexts_close(struct app *app)
{
	struct context *c;

	while ((c = app->contexts)) {
		app->contexts = c->next;
		free_context(c);
	}
}

enum status context_get(struct app *app, const char *serial, struct context **context)
{
	struct context *c;
	unsigned int resets;
	int ret;

	for (c = app->contexts; c; c = c->next)
		if (!strcmp(c->serial, serial))
			break;
	if (c && c->transport->ops->alive(c->transport)) {
		context_drop(app, serial);
		c = NULL;
	}
	if (c) {
		/* A reset of the card has ended what we had there. */
		resets = c->transport->ops->resets(c->transport);
		if (resets != c->resets)
			c->role = PCIEHSM_ROLE_NONE;
		c->resets = resets;
		*context = c;
		return ST_OK;
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		return fail_errno(app, -ENOMEM, "opening %s", serial);
	ret = app->bus->ops->open(app->bus, serial, &c->transport);
	if (ret) {
		free(c);
		return fail_errno(app, ret, "opening the device with serial number %s", serial);
	}
	snprintf(c->serial, sizeof(c->serial), "%s", serial);
	c->resets = c->transport->ops->resets(c->transport);
	c->next = app->contexts;
	app->contexts = c;
	*context = c;
	return ST_OK;
}

enum status last_attempt(struct app *app, const struct args *args, struct context *context,
			 uint32_t role)
{
	const char *cost = role == PCIEHSM_ROLE_SO ?
			   "zeroizes the HSM: its partitions and all their keys are destroyed" :
			   "wipes the partition: its roles and all its keys are destroyed";
	struct pciehsm_role_info *list;
	uint32_t attempts = NO_ATTEMPTS;
	char text[300];
	size_t i, n;
	CK_RV rv;

	/* Of the others, a wrong password costs none but the role. */
	if (role != PCIEHSM_ROLE_SO && role != PCIEHSM_ROLE_PO)
		return ST_OK;
	rv = pciehsm_role_info(context->transport, &list, &n);
	if (rv)
		return fail_rv(app, rv, "asking %s for its roles", context->serial);
	for (i = 0; i < n; i++)
		if (le32toh(list[i].role) == role)
			attempts = le32toh(list[i].attempts);
	free(list);
	if (attempts != 1)
		return ST_OK;
	if (!can_ask(app) && !arg_given(args, "force"))
		return fail(app, ST_REFUSED, CODE_OF_STATUS,
			    "The right password gives all attempts back: give it at a terminal, or "
			    "with role login -force, if you are sure of it.",
			    "the %s has one attempt left at %s, and a wrong password %s",
			    role_long(role), context->serial, cost);
	snprintf(text, sizeof(text), "This is the last attempt of the %s at %s. A wrong password %s.",
		 role_long(role), context->serial, cost);
	return confirm(app, args, text);
}

CK_RV login_at(struct app *app, struct pciehsm_transport *t, const char *serial, uint32_t role,
	       const struct secret *secret, uint32_t *flags, uint32_t *attempts)
{
	struct progress waiting;
	CK_RV rv;

	waiting_begin(&waiting, app, "the login at %s", serial);
	rv = pciehsm_login(t, role, secret->data, secret->len, flags, attempts);
	progress_end(&waiting);
	return rv;
}

CK_RV context_login(struct app *app, struct context *context, uint32_t role,
		    const struct secret *secret, uint32_t *flags, uint32_t *attempts)
{
	CK_RV rv = login_at(app, context->transport, context->serial, role, secret, flags,
			    attempts);

	if (!rv)
		context->role = role;
	return rv;
}

enum status need_login(struct app *app, const struct args *args, struct context *context,
		       uint32_t role, const char *name)
{
	struct secret secret;
	uint32_t attempts = NO_ATTEMPTS;
	char prompt[80];
	enum status st;
	CK_RV rv;

	if (context->role == role)
		return ST_OK;
	if (context->role != PCIEHSM_ROLE_NONE)
		return fail(app, ST_AUTH, CKR_USER_ANOTHER_ALREADY_LOGGED_IN,
			    "Log it out with role logout; then log in the right one, or give the "
			    "password with the command.",
			    "this is for the %s, but the %s is logged in at %s", role_long(role),
			    role_long(context->role), context->serial);
	st = last_attempt(app, args, context, role);
	if (st)
		return st;
	snprintf(prompt, sizeof(prompt), "Enter the %s's password", role_long(role));
	st = secret_get(app, args, name, prompt, &secret);
	if (st)
		return st;
	rv = context_login(app, context, role, &secret, NULL, &attempts);
	secret_wipe(&secret);
	return rv ? fail_auth(app, rv, role, attempts, "logging in as %s at %s", role_long(role),
			      context->serial) : ST_OK;
}
