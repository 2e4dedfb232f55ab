// SPDX-License-Identifier: LGPL-2.1-or-later
/* What an administrator asks of groups: admission of members, synchronization. */
#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine.h"

static void say(char *error, size_t error_len, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void say(char *error, size_t error_len, const char *fmt, ...)
{
	va_list ap;

	if (!error_len)
		return;
	va_start(ap, fmt);
	vsnprintf(error, error_len, fmt, ap);
	va_end(ap);
}

/* ---- admission ---- */

/* A token that nobody else sees, with a group's members but for one, or with one alone */
static struct ha_token *private_token(struct ha *ha, const struct ha_config_group *group,
				      const char *but, const char *only)
{
	struct ha_config_group members = { 0 };
	struct ha_token *token;
	unsigned int i;

	if (group) {
		members = *group;
		members.n_members = 0;
		for (i = 0; i < group->n_members; i++)
			if (!but || strcmp(group->members[i].serial, but))
				members.members[members.n_members++] = group->members[i];
	}
	if (only) {
		snprintf(members.members[0].serial, sizeof(members.members[0].serial), "%s", only);
		members.n_members = 1;
	}
	token = ha_token_new(ha, true, group ? group->number : only);
	if (!token)
		return NULL;
	ha_lock(ha, &ha->lock);
	token->retry_interval = ha->config->retry_interval * SECOND;
	token->retry_count = -1;
	token->enhanced = true;
	ha_token_configure(token, &members);
	ha_unlock(ha, &ha->lock);
	token->synchronize = true;
	/* The caller does the work itself, step by step. */
	atomic_store(&token->active, true);
	return token;
}

static CK_RV password_error(CK_RV rv, const char *serial, uint32_t attempts, char *error,
			    size_t error_len)
{
	if (rv == CKR_PIN_INCORRECT)
		say(error, error_len,
		    "The Crypto Officer's password was refused by partition %s (%u attempts left). No other partition was asked.",
		    serial, attempts);
	else if (rv == CKR_PIN_LOCKED)
		say(error, error_len,
		    "The Crypto Officer of partition %s is locked. The Partition SO can reset it (role resetpw).",
		    serial);
	else if (rv == CKR_USER_PIN_NOT_INITIALIZED)
		say(error, error_len,
		    "Partition %s has no Crypto Officer yet. Let the Partition SO make one (role init -name co).",
		    serial);
	else if (rv == PCIEHSM_CKR_NOT_ACTIVATED)
		say(error, error_len,
		    "The challenge is right, but the Crypto Officer of partition %s is not activated. Let them log in with the password (role login -name co).",
		    serial);
	else if (rv == CKR_PIN_EXPIRED)
		say(error, error_len,
		    "The Crypto Officer of partition %s has to change the initial password first (role changepw -name co).",
		    serial);
	else
		say(error, error_len, "Partition %s: %s.", serial, ha_member_reason(rv));
	return rv;
}

/* Log the first context of a private token in; no other member is asked. */
static CK_RV officer_login(struct ha_token *token, struct ha_conn *conn, const void *pin,
			   size_t pin_len, char *error, size_t error_len)
{
	struct ha *ha = token->ha;
	struct ha_secret *secret = ha_secret_new(PCIEHSM_ROLE_CO, pin, pin_len);
	uint32_t attempts = 0, flags = 0;
	CK_RV rv;

	if (!secret) {
		say(error, error_len, "The password is too long.");
		return CKR_PIN_LEN_RANGE;
	}
	ha_lock(ha, &conn->lock);
	rv = pciehsm_login(conn->t, PCIEHSM_ROLE_CO, pin, pin_len, &flags, &attempts);
	/* Of no use; and the next member may be asked, whose login is to be the token's. */
	if (rv == CKR_OK && flags & PCIEHSM_LOGIN_MUST_CHANGE)
		rv = CKR_PIN_EXPIRED;
	if (rv == CKR_OK) {
		ha_secret_took(secret, flags);
		conn->role = PCIEHSM_ROLE_CO;
		ha_lock(ha, &token->lock);
		token->secret = ha_secret_get(secret);
		atomic_store(&token->role, PCIEHSM_ROLE_CO);
		atomic_store(&conn->login_gen, atomic_fetch_add(&token->login_gen, 1) + 1);
		ha_unlock(ha, &token->lock);
	}
	ha_unlock(ha, &conn->lock);
	ha_secret_put(secret);
	if (rv != CKR_OK)
		password_error(rv, conn->member->serial, attempts, error, error_len);
	return rv;
}

static CK_RV check_policies(struct ha_conn *conn, const char *serial, char *error,
			    size_t error_len)
{
	/* What a group needs of its members, by number of the partition's policy */
	static const struct {
		uint32_t	id;
		const char	*what;
	} needed[] = {
		{ 0, "private keys to be cloned" },
		{ 4, "secret keys to be cloned" },
		{ 21, "high availability recovery" },
	};
	struct pciehsm_policy *list;
	size_t i, k, n;
	CK_RV rv = pciehsm_policy_get(conn->t, &list, &n);

	if (rv != CKR_OK) {
		say(error, error_len, "Partition %s: %s.", serial, ha_member_reason(rv));
		return rv;
	}
	for (k = 0; rv == CKR_OK && k < sizeof(needed) / sizeof(needed[0]); k++) {
		for (i = 0; i < n && le32toh(list[i].id) != needed[k].id; i++)
			;
		if (i < n && le32toh(list[i].value))
			continue;
		say(error, error_len,
		    "Partition %s does not allow %s (partition policy %u), which a group needs. Let the Partition SO switch it on (partition changepolicy).",
		    serial, needed[k].what, needed[k].id);
		rv = PCIEHSM_CKR_POLICY;
	}
	free(list);
	return rv;
}

/* Both ends of a channel, and it is closed again: that the domains are the same. */
static CK_RV check_domain(struct ha_conn *candidate, struct ha_conn *member, char *error,
			  size_t error_len)
{
	uint32_t to_id, from_id;
	void *offer, *hello;
	size_t offer_len, hello_len;
	CK_RV rv;

	rv = pciehsm_clone_offer(member->t, &to_id, &offer, &offer_len);
	if (rv == CKR_OK) {
		rv = pciehsm_clone_start(candidate->t, offer, offer_len, &from_id, &hello,
					 &hello_len);
		free(offer);
	}
	if (rv == CKR_OK) {
		rv = pciehsm_clone_accept(member->t, to_id, hello, hello_len);
		free(hello);
		pciehsm_clone_close(candidate->t, from_id);
		pciehsm_clone_close(member->t, to_id);
	}
	if (rv == PCIEHSM_CKR_DOMAIN_MISMATCH)
		say(error, error_len,
		    "Partition %s is of another cloning domain than member %s. Initialise it with the group's domain (partition init -domain).",
		    candidate->member->serial, member->member->serial);
	else if (rv != CKR_OK)
		say(error, error_len, "Partition %s can not clone with member %s: %s.",
		    candidate->member->serial, member->member->serial, ha_member_reason(rv));
	return rv;
}

static CK_RV admit_to(struct ha_conn *candidate, struct ha_token *others, const void *pin,
		      size_t pin_len, char *error, size_t error_len)
{
	CK_RV rv = CKR_OK, last = CKR_DEVICE_REMOVED;
	struct ha_conn *conn;
	unsigned int i;

	for (i = 0; i < others->n_members; i++) {
		struct ha_member *member = others->members[i];

		if (!member->present)
			continue;
		last = ha_conn_open(member, &conn);
		if (last != CKR_OK)
			continue;
		rv = officer_login(others, conn, pin, pin_len, error, error_len);
		if (rv == CKR_PIN_INCORRECT)
			say(error, error_len,
			    "Partition %s takes the password, member %s does not: all members need the same Crypto Officer password.",
			    candidate->member->serial, member->serial);
		if (rv == CKR_OK)
			rv = check_domain(candidate, conn, error, error_len);
		ha_conn_put(conn);
		return rv;
	}
	say(error, error_len,
	    "No member of the group answers, so it can not be checked whether partition %s belongs to it. Bring one back first (%s).",
	    candidate->member->serial, ha_member_reason(last));
	return CKR_DEVICE_REMOVED;
}

CK_RV ha_group_admit(struct ha *ha, const char *label, const char *serial,
		     const void *pin, size_t pin_len, char *error, size_t error_len)
{
	struct ha_config_group group = { 0 };
	struct ha_token *token, *others = NULL;
	struct ha_conn *conn = NULL;
	unsigned int i;
	CK_RV rv;

	say(error, error_len, "No memory.");
	if (label && !ha_group_find(ha, label, &group)) {
		say(error, error_len, "There is no group \"%s\".", label);
		return CKR_ARGUMENTS_BAD;
	}
	for (i = 0; label && i < group.n_members; i++) {
		if (strcmp(group.members[i].serial, serial))
			continue;
		say(error, error_len, "Partition %s is a member of group \"%s\" already.", serial,
		    label);
		return CKR_ARGUMENTS_BAD;
	}
	ha_devices_refresh(ha, false);
	token = private_token(ha, NULL, NULL, serial);
	if (!token || !token->n_members) {
		rv = CKR_HOST_MEMORY;
		goto out;
	}
	rv = ha_conn_open(token->members[0], &conn);
	if (rv == PCIEHSM_CKR_NOT_INITIALISED)
		say(error, error_len,
		    "Partition %s is not initialised. Let the Partition SO do that (partition init), with the group's cloning domain.",
		    serial);
	else if (pciehsm_rv_gone(rv))
		say(error, error_len, "There is no partition %s. \"slot list\" shows those that are there.",
		    serial);
	else if (rv != CKR_OK)
		say(error, error_len, "Partition %s: %s.", serial, ha_member_reason(rv));
	if (rv == CKR_OK)
		rv = officer_login(token, conn, pin, pin_len, error, error_len);
	if (rv == CKR_OK)
		rv = check_policies(conn, serial, error, error_len);
	if (rv == CKR_OK && label) {
		others = private_token(ha, &group, serial, NULL);
		rv = others ? admit_to(conn, others, pin, pin_len, error, error_len) :
		     CKR_HOST_MEMORY;
	}
	if (rv == CKR_OK)
		say(error, error_len, "%s", "");
out:
	ha_conn_put(conn);
	if (others)
		ha_token_free(others);
	if (token)
		ha_token_free(token);
	return rv == CKR_OK || !pciehsm_rv_is_transport(rv) ? rv : CKR_DEVICE_REMOVED;
}

/* ---- synchronization ---- */

/* Open what is there; log the first in, and then, as its password is right, the others. */
static CK_RV connect_all(struct ha_token *token, const void *pin, size_t pin_len, char *error,
			 size_t error_len)
{
	struct ha *ha = token->ha;
	CK_RV rv, refused = CKR_OK;
	char text[192];
	unsigned int i;
	bool first = true;

	for (i = 0; i < token->n_members; i++) {
		struct ha_member *member = token->members[i];
		struct ha_conn *conn;

		rv = member->present ? ha_conn_open(member, &conn) : PCIEHSM_RV_LOST_NOT_EXECUTED;
		if (rv == CKR_OK && first) {
			rv = officer_login(token, conn, pin, pin_len, error, error_len);
			if (rv == CKR_PIN_INCORRECT) {
				ha_conn_put(conn);
				return rv;
			}
			if (rv != CKR_OK)
				ha_conn_put(conn);
		} else if (rv == CKR_OK) {
			rv = ha_conn_ready(conn);
			if (rv != CKR_OK) {
				password_error(rv, member->serial, 0, error, error_len);
				if (rv == CKR_PIN_INCORRECT)
					say(error, error_len,
					    "Member %s refuses the password that other members take: change it there (role changepw -name co).",
					    member->serial);
				refused = rv;
				ha_conn_put(conn);
			}
		}
		if (rv != CKR_OK) {
			snprintf(text, sizeof(text), "member %s is left out: %s", member->serial,
				 ha_member_reason(rv));
			if (token->progress)
				token->progress(token->progress_arg, 0, 0, text);
			ha_member_unusable(member, NULL, rv);
			continue;
		}
		first = false;
		ha_lock(ha, &token->lock);
		member->conn = conn;
		ha_member_set(member, HA_MEMBER_ALIVE, "%s", "");
		ha_unlock(ha, &token->lock);
	}
	if (first) {
		if (!*error)
			say(error, error_len, "No member of the group answers.");
		return CKR_DEVICE_REMOVED;
	}
	return refused;
}

struct ha_token *ha_group_open(struct ha *ha, const char *label, const void *pin, size_t pin_len,
			       ha_sync_progress progress, void *arg, CK_RV *rv, char *error,
			       size_t error_len)
{
	struct ha_config_group group;
	struct ha_token *token;

	say(error, error_len, "%s", "");
	if (!ha_group_find(ha, label, &group)) {
		say(error, error_len, "There is no group \"%s\".", label);
		*rv = CKR_ARGUMENTS_BAD;
		return NULL;
	}
	ha_devices_refresh(ha, false);
	token = private_token(ha, &group, NULL, NULL);
	if (!token) {
		say(error, error_len, "No memory.");
		*rv = CKR_HOST_MEMORY;
		return NULL;
	}
	token->progress = progress;
	token->progress_arg = arg;
	*rv = connect_all(token, pin, pin_len, error, error_len);
	/* A member that refuses holds back none of the others. */
	if (atomic_load(&token->role) == PCIEHSM_ROLE_CO)
		return token;
	if (pciehsm_rv_is_transport(*rv))
		*rv = CKR_DEVICE_REMOVED;
	ha_token_free(token);
	return NULL;
}

/* It failed on the way: the others go on without it. *@failure: the first one's, with its text */
static void leave_out(struct ha_member *member, CK_RV rv, CK_RV *failure, char *error,
		      size_t error_len)
{
	struct ha_token *token = member->token;
	char text[192];

	snprintf(text, sizeof(text), "member %s is left out: %s", member->serial,
		 ha_member_reason(rv));
	if (token->progress)
		token->progress(token->progress_arg, 0, 0, text);
	if (*failure == CKR_OK) {
		*failure = rv;
		say(error, error_len, "Member %s failed on the way (%s); the others were synchronized without it.",
		    member->serial, ha_member_reason(rv));
	}
	ha_lock(token->ha, &token->lock);
	ha_member_drop(member);
	ha_member_set(member, HA_MEMBER_DOWN, "%s", ha_member_reason(rv));
	ha_unlock(token->ha, &token->lock);
	ha_token_flush(token);
}

/*
 * Once round: each member with the first. *@all: nobody differed at the end of it
 * Return: a failure that is no member's
 */
static CK_RV sync_round(struct ha_token *token, bool *all, CK_RV *failure, char *error,
			size_t error_len)
{
	struct ha_member *hub = NULL;
	unsigned int i;

	*all = true;
	for (i = 0; i < token->n_members; i++) {
		struct ha_member *member = token->members[i];
		struct ha_conn *culprit;
		bool equal, changed;
		uint32_t failed;
		CK_RV rv;

		if (!member->conn)
			continue;
		if (!hub) {
			hub = member;
			continue;
		}
		rv = ha_sync(member, member->conn, hub->conn, &equal, &failed, &changed, &culprit);
		if (rv == CKR_HOST_MEMORY || rv == CKR_CANCEL)
			return rv;
		if (rv != CKR_OK) {
			struct ha_member *left = culprit->member;

			leave_out(left, rv, failure, error, error_len);
			*all = false;
			/* The next round has another one to compare with. */
			if (left == hub)
				return CKR_OK;
			continue;
		}
		/* The hub has got something new: those before this one lack it. */
		if (changed || !equal)
			*all = false;
	}
	return CKR_OK;
}

CK_RV ha_group_synchronize(struct ha *ha, const char *label, const void *pin, size_t pin_len,
			   struct ha_sync_report *report, ha_sync_progress progress, void *arg,
			   char *error, size_t error_len)
{
	struct ha_token *token;
	struct pciehsm_digest_info info;
	struct ha_sync_report none;
	CK_RV rv = CKR_OK, refused, failure = CKR_OK;
	bool all = false;
	unsigned int i;

	if (!report)
		report = &none;
	memset(report, 0, sizeof(*report));
	token = ha_group_open(ha, label, pin, pin_len, progress, arg, &refused, error, error_len);
	if (!token)
		return refused;
	token->report = report;
	/* As many rounds as it takes news to go round, and some for what happens meanwhile. */
	for (i = 0; rv == CKR_OK && !all && i < 2 * HA_MAX_MEMBERS; i++)
		rv = sync_round(token, &all, &failure, error, error_len);
	for (i = 0; rv == CKR_OK && i < token->n_members; i++) {
		if (!token->members[i]->conn)
			continue;
		rv = pciehsm_digest(token->members[i]->conn->t, &info);
		if (rv == CKR_OK && info.objects > report->objects)
			report->objects = info.objects;
		if (rv != CKR_OK) {
			leave_out(token->members[i], rv, &failure, error, error_len);
			rv = CKR_OK;
		}
	}
	if (rv == CKR_OK)
		rv = refused != CKR_OK ? refused : failure;
	if (rv == CKR_OK && report->failed)
		rv = CKR_FUNCTION_FAILED;
	if (rv != CKR_OK && error_len && !*error)
		say(error, error_len, report->failed ?
		    "%u objects could not be brought to every member." :
		    "The members could not be synchronized (%u objects failed).", report->failed);
	ha_log(ha, HA_LOG_SYNCHRONIZED,
	       "group %s: synchronized on request: %u objects, %u copied, %u deleted, %u conflicts, %u failed",
	       token->number, report->objects, report->copied, report->deleted, report->conflicts,
	       report->failed);
	ha_token_free(token);
	return rv == CKR_OK || !pciehsm_rv_is_transport(rv) ? rv : CKR_DEVICE_REMOVED;
}
