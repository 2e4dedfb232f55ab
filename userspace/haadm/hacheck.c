// SPDX-License-Identifier: LGPL-2.1-or-later
/* hagroup status, check, verify: how a group is, looked at from outside. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "haadm.h"

#define INDENT	"        "
/* Of PKCS#11 3.0, which this p11-kit's header is older than. */
#define CKK_EC_EDWARDS_3_0	0x40UL
#define CKM_EDDSA_3_0		0x1057UL

/* Is the group there? */
static enum status need_group(struct app *app, const char *label)
{
	struct ha_config_group *group;
	struct ha_config *config;
	enum status st = ha_config_usable(app);

	if (st)
		return st;
	config = ha_config_get(app->ha);
	if (!config)
		return fail_errno(app, -ENOMEM, "reading the HA configuration");
	st = group_get(app, config, label, &group);
	free(config);
	return st;
}

/* ---- status ---- */

static void status_json(const struct ha_group_status *status)
{
	struct json_object *top = json_object_new_object();
	struct json_object *members = json_object_new_array();
	unsigned int i;

	put_text(top, "group", status->group.label);
	put_bool(top, "needs_sync", status->needs_sync);
	put_number(top, "min_copies", status->group.mincopies ? status->group.mincopies : 1);
	for (i = 0; i < status->n_members; i++) {
		const struct ha_member_status *m = &status->members[i];
		struct json_object *member = json_object_new_object();
		bool alive = m->state == HA_MEMBER_ALIVE;

		put_text(member, "serial", m->serial);
		put_text(member, "state", member_state_name(m->state));
		put_text(member, "reason", m->reason[0] ? m->reason : NULL);
		put_bool(member, "standby", m->standby);
		put_bool(member, "drain", m->drain);
		put_number(member, "weight", m->weight);
		put_number_if(member, "objects", alive, m->objects);
		put_number_if(member, "tombstones", alive, m->tombstones);
		put_number_if(member, "answer_us", alive, m->answer_us);
		put_number_if(member, "operations", alive, m->operations);
		put_number_if(member, "sessions", alive, m->sessions);
		json_object_array_add(members, member);
	}
	json_object_object_add(top, "members", members);
	put_print(top);
}

static void print_status(const struct ha_group_status *status)
{
	unsigned int i;

	printf("\n" INDENT "HA group %s: %s\n\n", status->group.label, status->needs_sync ?
	       "the members differ (hagroup check tells where)" : "the members agree");
	printf("%-26s%-10s%-10s%7s%9s%9s%12s%12s\n", "Member S/N", "State", "Role", "Weight",
	       "Objects", "Sessions", "Operations", "Answer");
	for (i = 0; i < status->n_members; i++) {
		const struct ha_member_status *m = &status->members[i];

		printf("%-26s%-10s%-10s%7u", m->serial, member_state_name(m->state),
		       m->drain ? "drained" : m->standby ? "standby" : "active", m->weight);
		if (m->state == HA_MEMBER_ALIVE)
			printf("%9" PRIu32 "%9" PRIu32 "%12" PRIu64 "%9.1f ms\n", m->objects,
			       m->sessions, m->operations, m->answer_us / 1000.0);
		else
			printf("  %s\n", m->reason);
	}
	printf("\n" INDENT "Sessions and operations are the card's own count for this partition, for\n"
	       INDENT "all programs, since power-on; the answer is to a short question from here.\n");
}

enum status cmd_ha_status(struct app *app, struct args *args)
{
	const char *label = arg_text(args, "group");
	struct ha_group_status *status;
	enum status st = need_group(app, label);

	if (st)
		return st;
	status = malloc(sizeof(*status));
	if (!status)
		return fail_errno(app, -ENOMEM, "looking at group %s", label);
	st = group_status(app, label, status);
	if (!st && app->json)
		status_json(status);
	else if (!st)
		print_status(status);
	free(status);
	return st;
}

/* ---- check ---- */

struct check {
	struct json_object	*json;		/* the list; NULL: print */
	uint32_t		differences;
	uint32_t		left_out;
};

static void ouid_text(const struct ha_ouid *ouid, char *out)
{
	int i;

	for (i = 0; i < PCIEHSM_OUID_LEN; i++)
		sprintf(out + 2 * i, "%02x", ouid->b[i]);
}

static const char *copy_state(bool there, bool deleted)
{
	return !there ? "missing" : deleted ? "deleted" : "present";
}

static void difference_json(struct json_object *list, const struct ha_difference *d,
			    const char *name)
{
	struct json_object *object = json_object_new_object();
	struct json_object *copies = json_object_new_array();
	unsigned int i;

	put_text(object, "ouid", name);
	put_text(object, "label", d->label[0] ? d->label : NULL);
	put_text(object, "outcome", d->deleted ? "deleted" : "kept");
	put_text(object, "wins", d->copies[d->winner].serial);
	for (i = 0; i < d->n; i++) {
		struct json_object *copy = json_object_new_object();

		put_text(copy, "serial", d->copies[i].serial);
		put_text(copy, "state", copy_state(d->copies[i].there, d->copies[i].deleted));
		put_number_if(copy, "version", d->copies[i].there, d->copies[i].counter);
		json_object_array_add(copies, copy);
	}
	json_object_object_add(object, "copies", copies);
	json_object_array_add(list, object);
}

static void on_difference(void *arg, const struct ha_difference *d)
{
	char name[2 * PCIEHSM_OUID_LEN + 1];
	struct check *check = arg;
	unsigned int i;

	check->differences++;
	ouid_text(&d->ouid, name);
	if (check->json) {
		difference_json(check->json, d, name);
		return;
	}
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

	(void)done;
	(void)total;
	if (!text)
		return;
	check->left_out++;
	warn_user("%s", text);
}

enum status cmd_ha_check(struct app *app, struct args *args)
{
	const char *label = arg_text(args, "group");
	struct check check = { .json = NULL };
	uint32_t members, objects;
	struct json_object *top;
	char error[512] = "";
	struct secret secret;
	enum status st;
	CK_RV rv;

	st = need_group(app, label);
	if (st)
		return st;
	if (!app->json)
		printf("\n");
	st = secret_get(app, args, "password", "Enter the password", &secret);
	if (st)
		return st;
	if (app->json)
		check.json = json_object_new_array();
	rv = ha_group_check(app->ha, label, secret.data, secret.len, on_difference, on_left_out,
			    &check, &members, &objects, error, sizeof(error));
	secret_wipe(&secret);
	if (rv && !members) {
		json_object_put(check.json);
		if (error[0])
			return fail(app, rv_status(rv), rv, NULL, "checking group %s: %s", label,
				    error);
		return fail_rv(app, rv, NO_ATTEMPTS, "checking group %s", label);
	}
	if (app->json) {
		top = json_object_new_object();
		put_text(top, "group", label);
		put_number(top, "members_compared", members);
		put_number(top, "members_left_out", check.left_out);
		put_number(top, "objects", objects);
		json_object_object_add(top, "differences", check.json);
		put_print(top);
	} else {
		printf("\n" INDENT "%" PRIu32 " members compared, %" PRIu32 " objects, %" PRIu32
		       " differ.\n", members, objects, check.differences);
	}
	if (!check.differences && !check.left_out)
		return ST_OK;
	if (app->json)
		return ST_FAILED;
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
			      type == CKK_EC_EDWARDS_3_0 ? CKM_EDDSA_3_0 : CKM_ECDSA;
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
	rv = pciehsm_login(m->t, PCIEHSM_ROLE_CO, secret->data, secret->len, NULL, &attempts);
	if (!rv)
		return ST_OK;
	m->t->ops->close(m->t);
	m->t = NULL;
	m->signed_rv = rv;
	if (rv == CKR_PIN_INCORRECT)
		return fail_rv(app, rv, attempts, "logging in as Crypto Officer at member %s",
			       m->serial);
	return ST_OK;
}

/* Each signs; and the next one checks it with the public key that it has itself. */
static enum status verify_all(struct app *app, const char *label, struct verify_member *members,
			      unsigned int n)
{
	struct verify_key key = { .mech = { 0 } };
	struct verify_member *with = NULL;
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
		return fail_rv(app, rv, NO_ATTEMPTS, "looking for the key");
	for (i = 0; i < n; i++) {
		struct verify_member *m = &members[i];

		m->len = sizeof(m->signature);
		if (m->t)
			m->signed_rv = pciehsm_crypt(m->t, 0, PCIEHSM_FN_SIGN, &key.mech, key.priv,
						     challenge, sizeof(challenge), NULL, 0,
						     m->signature, &m->len);
	}
	for (i = 0; i < n; i++) {
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
	return ST_OK;
}

static enum status verify_report(struct app *app, const char *group, const char *label,
				 const struct verify_member *members, unsigned int n)
{
	struct json_object *top = json_object_new_object(), *list = json_object_new_array();
	unsigned int i, bad = 0;

	if (!app->json)
		printf("\n");
	for (i = 0; i < n; i++) {
		const struct verify_member *m = &members[i];
		CK_RV rv = m->signed_rv ? m->signed_rv : m->checked_rv;
		struct json_object *member = json_object_new_object();

		bad += rv != CKR_OK;
		put_text(member, "serial", m->serial);
		put_text(member, "result", !rv ? "good" : m->signed_rv ? "failed" : "wrong");
		put_text(member, "code", rv ? pciehsm_rv_name(rv) : NULL);
		json_object_array_add(list, member);
		if (!app->json)
			printf(INDENT "%-26s%s%s%s%s\n", m->serial, !rv ? "good" :
			       m->signed_rv ? "can not sign" : "the signature is wrong",
			       rv ? " (" : "", rv ? pciehsm_rv_name(rv) : "", rv ? ")" : "");
	}
	put_text(top, "group", group);
	put_text(top, "key", label);
	json_object_object_add(top, "members", list);
	if (app->json)
		put_print(top);
	else
		json_object_put(top);
	if (!bad || app->json)
		return bad ? ST_FAILED : ST_OK;
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
	if (!st && !app->json)
		printf("\n");
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
