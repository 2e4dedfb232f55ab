// SPDX-License-Identifier: LGPL-2.1-or-later
/* hagroup check, verify: what members hold, and whether they can use it. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "haadm.h"

#define INDENT	"        "

/* ---- check ---- */

struct check {
	struct app		*app;
	struct json_object	*list;
	struct progress		progress;
	uint32_t		differences;
	uint32_t		left_out;
};

static const char *copy_state(bool there, bool deleted)
{
	return !there ? "missing" : deleted ? "deleted" : "present";
}

static void difference_json(struct json_object *list, const struct ha_difference *d,
			    const char *name)
{
	struct json_object *object = put_item(list);
	struct json_object *copies;
	unsigned int i;

	put_text(object, "ouid", name);
	put_text(object, "label", d->label[0] ? d->label : NULL);
	put_text(object, "outcome", d->deleted ? "deleted" : "kept");
	put_text(object, "wins", d->copies[d->winner].serial);
	copies = put_list(object, "copies");
	for (i = 0; i < d->n; i++) {
		struct json_object *copy = put_item(copies);

		put_text(copy, "serial", d->copies[i].serial);
		put_text(copy, "state", copy_state(d->copies[i].there, d->copies[i].deleted));
		put_number_if(copy, "version", d->copies[i].there, d->copies[i].counter);
	}
}

static void on_difference(void *arg, const struct ha_difference *d)
{
	char name[2 * PCIEHSM_OUID_LEN + 1];
	struct check *check = arg;
	unsigned int i;

	check->differences++;
	hex_text(name, d->ouid.b, PCIEHSM_OUID_LEN);
	if (check->list) {
		difference_json(check->list, d, name);
		return;
	}
	progress_clear(&check->progress);
	printf("\n" INDENT "Object %s%s%s%s\n", name, d->label[0] ? " \"" : "", d->label,
	       d->label[0] ? "\"" : "");
	for (i = 0; i < d->n; i++) {
		printf(INDENT "  %-26s%s", d->copies[i].serial,
		       copy_state(d->copies[i].there, d->copies[i].deleted));
		if (d->copies[i].there)
			printf(", version %" PRIu64, d->copies[i].counter);
		printf("%s\n", i == d->winner ? "  <- wins" : "");
	}
}

static void on_left_out(void *arg, uint32_t done, uint32_t total, const char *text)
{
	struct check *check = arg;

	progress_step(&check->progress, done, total);
	if (!text)
		return;
	progress_clear(&check->progress);
	check->left_out++;
	warn_user(check->app, "%s", text);
}

enum status cmd_ha_check(struct app *app, struct args *args)
{
	const char *label = arg_text(args, "group");
	struct check check = { .app = app };
	uint32_t members, objects;
	char error[512] = "";
	struct secret secret;
	enum status st;
	CK_RV rv;

	st = need_group(app, label);
	if (st)
		return st;
	say(app, "\n");
	st = secret_get(app, args, "password", "Enter the password", &secret);
	if (st)
		return st;
	put_text(app->out, "group", label);
	check.list = put_list(app->out, "differences");
	progress_begin(&check.progress, app, "objects");
	rv = ha_group_check(app->ha, label, secret.data, secret.len, on_difference, on_left_out,
			    &check, &members, &objects, error, sizeof(error));
	progress_end(&check.progress);
	secret_wipe(&secret);
	if (rv && !members) {
		if (error[0])
			return fail(app, rv_status(rv), rv, rv_advice(rv),
				    "checking group %s: %s", label, error);
		return fail_rv(app, rv, "checking group %s", label);
	}
	put_number(app->out, "members_compared", members);
	put_number(app->out, "members_left_out", check.left_out);
	put_number(app->out, "objects", objects);
	say(app, "\n" INDENT "%" PRIu32 " member%s compared, %" PRIu32 " object%s, %" PRIu32
	    " differ%s.\n", members, PLURAL(members), objects, PLURAL(objects), check.differences,
	    check.differences == 1 ? "s" : "");
	if (!check.differences && !check.left_out)
		return ST_OK;
	if (check.left_out)
		return fail(app, ST_DEVICE, CODE_OF_STATUS, "See them with: hagroup status",
			    "not all members of group %s could be compared", label);
	return fail(app, ST_FAILED, CODE_OF_STATUS,
		    "Running applications bring them together by themselves; without one: hagroup "
		    "synchronize", "the members of group %s differ", label);
}

/* ---- verify ---- */

struct verify_key {
	uint8_t		priv[PCIEHSM_OUID_LEN];
	uint8_t		pub[PCIEHSM_OUID_LEN];
	CK_MECHANISM	mech;
};

struct verify_member {
	const char			*serial;
	struct pciehsm_transport	*t;	/* NULL: it could not be asked */
	bool				there;
	unsigned char			signature[1024];
	size_t				len;
	CK_RV				signed_rv, checked_rv;
};

/* What is signed: nothing that could be taken for a document, as long as a SHA-256 digest */
static const unsigned char challenge[32] = "pciehsm hagroup verify";

static CK_RV find_one(struct pciehsm_transport *t, CK_OBJECT_CLASS class, const char *label,
		      CK_ATTRIBUTE_TYPE may, uint8_t *ouid)
{
	CK_BBOOL yes = CK_TRUE;
	CK_ATTRIBUTE attrs[] = {
		{ CKA_CLASS, &class, sizeof(class) },
		{ CKA_LABEL, (void *)(uintptr_t)label, strlen(label) },
		{ may, &yes, sizeof(yes) },
	};
	uint64_t cursor = 0;
	uint32_t n = 0;
	CK_RV rv;

	do {
		rv = pciehsm_object_find(t, 0, attrs, 3, &cursor, ouid, 1, &n);
	} while (!rv && !n && cursor);
	return rv ? rv : n ? CKR_OK : CKR_KEY_HANDLE_INVALID;
}

static CK_RV find_key(struct pciehsm_transport *t, const char *label, struct verify_key *key)
{
	CK_KEY_TYPE type = 0;
	CK_ATTRIBUTE attr = { CKA_KEY_TYPE, &type, sizeof(type) };
	CK_RV rv;

	rv = find_one(t, CKO_PRIVATE_KEY, label, CKA_SIGN, key->priv);
	if (!rv)
		rv = find_one(t, CKO_PUBLIC_KEY, label, CKA_VERIFY, key->pub);
	if (!rv)
		rv = pciehsm_object_get(t, 0, key->priv, &attr, 1, NULL);
	key->mech.mechanism = type == CKK_RSA ? CKM_SHA256_RSA_PKCS :
			      type == CKK_EC_EDWARDS ? CKM_EDDSA : CKM_ECDSA;
	return rv;
}

/* Once; the first that refuses the password ends it, so that it costs one attempt. */
static enum status verify_open(struct app *app, struct verify_member *m,
			       const struct secret *secret)
{
	uint32_t attempts = NO_ATTEMPTS;
	CK_RV rv;

	if (!m->there || app->bus->ops->open(app->bus, m->serial, &m->t)) {
		m->t = NULL;
		m->signed_rv = CKR_DEVICE_REMOVED;
		return ST_OK;
	}
	rv = login_at(app, m->t, m->serial, PCIEHSM_ROLE_CO, secret, NULL, &attempts);
	if (!rv)
		return ST_OK;
	m->t->ops->close(m->t);
	m->t = NULL;
	m->signed_rv = rv;
	if (rv == CKR_PIN_INCORRECT)
		return fail_auth(app, rv, PCIEHSM_ROLE_CO, attempts,
				 "logging in as Crypto Officer at member %s", m->serial);
	return ST_OK;
}

/* Each signs; and the next one checks it with the public key that it has itself. */
static enum status verify_all(struct app *app, const char *label, struct verify_member *members,
			      unsigned int n)
{
	struct verify_key key = { .mech = { 0 } };
	struct verify_member *with = NULL;
	struct progress progress;
	unsigned int i, k;
	CK_RV rv = CKR_DEVICE_REMOVED;

	for (i = 0; i < n && rv; i++)
		if (members[i].t)
			rv = find_key(members[i].t, label, &key);
	if (rv == CKR_KEY_HANDLE_INVALID)
		return fail(app, ST_NOT_FOUND, CODE_OF_STATUS,
			    "A private key that may sign and its public key are needed, with one label. "
			    "See: partition contents",
			    "no member has a key pair \"%s\" for signing", label);
	if (rv)
		return fail_rv(app, rv, "looking for the key");
	/* Each signs, and each is checked. */
	progress_begin(&progress, app, "operations");
	for (i = 0; i < n; i++) {
		struct verify_member *m = &members[i];

		progress_step(&progress, i, 2 * n);
		m->len = sizeof(m->signature);
		if (m->t)
			m->signed_rv = pciehsm_crypt(m->t, 0, PCIEHSM_FN_SIGN, &key.mech, key.priv,
						     challenge, sizeof(challenge), NULL, 0,
						     m->signature, &m->len);
	}
	for (i = 0; i < n; i++) {
		progress_step(&progress, n + i, 2 * n);
		if (members[i].signed_rv)
			continue;
		for (with = NULL, k = 1; k <= n && !with; k++)
			if (members[(i + k) % n].t)
				with = &members[(i + k) % n];
		members[i].checked_rv = pciehsm_crypt(with->t, 0, PCIEHSM_FN_VERIFY, &key.mech,
						      key.pub, challenge, sizeof(challenge),
						      members[i].signature, members[i].len, NULL,
						      NULL);
	}
	progress_end(&progress);
	return ST_OK;
}

static enum status verify_report(struct app *app, const char *group, const char *label,
				 const struct verify_member *members, unsigned int n)
{
	struct json_object *list = put_list(app->out, "members");
	unsigned int i, bad = 0;

	say(app, "\n");
	for (i = 0; i < n; i++) {
		const struct verify_member *m = &members[i];
		CK_RV rv = m->signed_rv ? m->signed_rv : m->checked_rv;
		struct json_object *member = put_item(list);

		bad += rv != CKR_OK;
		put_text(member, "serial", m->serial);
		put_text(member, "result", !rv ? "good" : m->signed_rv ? "failed" : "wrong");
		put_text(member, "code", rv ? pciehsm_rv_name(rv) : NULL);
		say(app, INDENT "%-26s%s%s%s%s\n", m->serial, !rv ? "good" :
		    m->signed_rv ? "can not sign" : "the signature is wrong",
		    rv ? " (" : "", rv ? pciehsm_rv_name(rv) : "", rv ? ")" : "");
	}
	put_text(app->out, "group", group);
	put_text(app->out, "key", label);
	if (!bad)
		return ST_OK;
	return fail(app, ST_FAILED, CODE_OF_STATUS, "See what they hold with: hagroup check",
		    "%u of %u members of group %s did not pass", bad, n, group);
}

enum status cmd_ha_verify(struct app *app, struct args *args)
{
	const char *label = arg_text(args, "group"), *key = arg_text(args, "key");
	struct ha_group_status *status = malloc(sizeof(*status));
	struct verify_member *members = calloc(HA_MAX_MEMBERS, sizeof(*members));
	struct secret secret;
	unsigned int i, n = 0;
	enum status st;

	st = status && members ? need_group(app, label) :
	     fail_errno(app, -ENOMEM, "looking at group %s", label);
	if (!st)
		st = group_status(app, label, status);
	if (!st)
		say(app, "\n");
	if (!st)
		st = secret_get(app, args, "password", "Enter the password", &secret);
	if (st)
		goto out;
	n = status->n_members;
	for (i = 0; i < n && !st; i++) {
		members[i].serial = status->members[i].serial;
		members[i].there = status->members[i].state != HA_MEMBER_DOWN;
		st = verify_open(app, &members[i], &secret);
	}
	secret_wipe(&secret);
	if (!st)
		st = verify_all(app, key, members, n);
	if (!st)
		st = verify_report(app, label, key, members, n);
out:
	for (i = 0; i < n; i++)
		if (members[i].t)
			members[i].t->ops->close(members[i].t);
	free(members);
	free(status);
	return st;
}
