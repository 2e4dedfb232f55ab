// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What differs between the members of a group, object by object, without changing it. The
 * outcome is said by the rules of sync.c: who is deleted anywhere stays deleted, else the
 * greater version wins.
 */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine.h"

/* What still differs, and is the same, after so long is not just on its way. */
#define SECOND_LOOK	(SECOND / 2)

/* One look: what each member that answers knows of */
struct look {
	unsigned int		n;
	struct ha_conn		*conns[HA_MAX_MEMBERS];
	struct pciehsm_change	*lists[HA_MAX_MEMBERS];
	size_t			counts[HA_MAX_MEMBERS];
	size_t			at[HA_MAX_MEMBERS];
};

static bool is_deleted(const struct pciehsm_change *change)
{
	return le32toh(change->flags) & PCIEHSM_CHANGE_DELETED;
}

static void look_end(struct look *look)
{
	unsigned int i;

	for (i = 0; i < look->n; i++)
		free(look->lists[i]);
}

static CK_RV look_begin(struct ha_token *token, struct look *look, struct ha_member **culprit)
{
	unsigned int i;
	CK_RV rv = CKR_OK;

	memset(look, 0, sizeof(*look));
	for (i = 0; i < token->n_members && rv == CKR_OK; i++) {
		if (!token->members[i]->conn)
			continue;
		look->conns[look->n] = token->members[i]->conn;
		rv = ha_changes(look->conns[look->n], &look->lists[look->n],
				&look->counts[look->n]);
		look->n++;
		*culprit = token->members[i];
	}
	if (rv != CKR_OK)
		look_end(look);
	return rv;
}

static const struct pciehsm_change *head(const struct look *look, unsigned int i)
{
	return look->at[i] < look->counts[i] ? &look->lists[i][look->at[i]] : NULL;
}

/* The next object that somebody knows of. Return: false at the end */
static bool look_next(struct look *look, struct ha_difference *d, bool *differs)
{
	struct pciehsm_object_version best = { 0 }, first = { 0 }, version;
	const struct pciehsm_change *least = NULL, *change;
	unsigned int i;

	for (i = 0; i < look->n; i++) {
		change = head(look, i);
		if (change && (!least || memcmp(change->ouid, least->ouid, PCIEHSM_OUID_LEN) < 0))
			least = change;
	}
	if (!least)
		return false;
	memset(d, 0, sizeof(*d));
	memcpy(d->ouid.b, least->ouid, PCIEHSM_OUID_LEN);
	d->n = look->n;
	*differs = false;
	for (i = 0; i < look->n; i++) {
		memcpy(d->copies[i].serial, look->conns[i]->member->serial,
		       sizeof(d->copies[i].serial));
		change = head(look, i);
		if (!change || memcmp(change->ouid, d->ouid.b, PCIEHSM_OUID_LEN)) {
			*differs = true;
			continue;
		}
		look->at[i]++;
		version = pciehsm_version_read(&change->version);
		d->copies[i].there = true;
		d->copies[i].deleted = is_deleted(change);
		d->copies[i].counter = version.counter;
		if (!best.counter)
			first = version;
		if (pciehsm_version_cmp(&version, &first))
			*differs = true;
		/* A deletion beats what is not deleted, whatever its version. */
		if (!best.counter || (is_deleted(change) && !d->deleted) ||
		    (is_deleted(change) == d->deleted &&
		     pciehsm_version_cmp(&version, &best) > 0)) {
			best = version;
			d->winner = i;
		}
		d->deleted |= is_deleted(change);
	}
	return true;
}

static void read_label(struct look *look, struct ha_difference *d)
{
	CK_ATTRIBUTE attr = { CKA_LABEL, d->label, sizeof(d->label) - 1 };
	size_t i;

	if (d->deleted ||
	    pciehsm_object_get(look->conns[d->winner]->t, 0, d->ouid.b, &attr, 1, NULL) != CKR_OK)
		attr.ulValueLen = 0;
	d->label[attr.ulValueLen] = '\0';
	for (i = 0; d->label[i]; i++)
		if ((unsigned char)d->label[i] < ' ' || d->label[i] == 0x7f)
			d->label[i] = '?';
}

static bool is_same(const struct ha_difference *a, const struct ha_difference *b)
{
	return !memcmp(&a->ouid, &b->ouid, sizeof(a->ouid)) && a->deleted == b->deleted &&
	       a->copies[a->winner].counter == b->copies[b->winner].counter;
}

static CK_RV second_look(struct ha_token *token, const struct ha_difference *before, size_t n,
			 void (*found)(void *arg, const struct ha_difference *difference),
			 void *arg, struct ha_member **culprit)
{
	struct ha_difference now;
	struct look look;
	bool differs;
	size_t i = 0;
	CK_RV rv;

	rv = look_begin(token, &look, culprit);
	if (rv != CKR_OK)
		return rv;
	while (look_next(&look, &now, &differs)) {
		while (i < n && memcmp(&before[i].ouid, &now.ouid, sizeof(now.ouid)) < 0)
			i++;
		if (!differs || i == n || !is_same(&before[i], &now))
			continue;
		read_label(&look, &now);
		found(arg, &now);
	}
	look_end(&look);
	return CKR_OK;
}

/* All that differ now, by OUID */
static CK_RV first_look(struct ha_token *token, struct ha_difference **list, size_t *n,
			uint32_t *members, uint32_t *objects, struct ha_member **culprit)
{
	struct ha_difference *more, d;
	struct look look;
	bool differs;
	CK_RV rv;

	rv = look_begin(token, &look, culprit);
	if (rv != CKR_OK)
		return rv;
	*members = look.n;
	while (look_next(&look, &d, &differs)) {
		*objects += !d.deleted;
		if (!differs)
			continue;
		more = realloc(*list, (*n + 1) * sizeof(d));
		if (!more) {
			rv = CKR_HOST_MEMORY;
			break;
		}
		*list = more;
		more[(*n)++] = d;
	}
	look_end(&look);
	return rv;
}

static void pause_for(struct ha_token *token, uint64_t time)
{
	struct ha *ha = token->ha;
	uint64_t end = ha_now(ha) + time;

	ha_lock(ha, &token->lock);
	while (ha_now(ha) < end)
		ha_wait(ha, &token->changed, &token->lock, end);
	ha_unlock(ha, &token->lock);
}

CK_RV ha_group_check(struct ha *ha, const char *label, const void *pin, size_t pin_len,
		     void (*found)(void *arg, const struct ha_difference *difference),
		     ha_sync_progress progress, void *arg, uint32_t *members, uint32_t *objects,
		     char *error, size_t error_len)
{
	struct ha_difference *list = NULL;
	struct ha_member *culprit = NULL;
	struct ha_token *token;
	CK_RV rv, refused;
	size_t n = 0;

	*members = 0;
	*objects = 0;
	token = ha_group_open(ha, label, pin, pin_len, progress, arg, &refused, error, error_len);
	if (!token)
		return refused;
	rv = first_look(token, &list, &n, members, objects, &culprit);
	if (rv == CKR_OK && n) {
		pause_for(token, SECOND_LOOK);
		rv = second_look(token, list, n, found, arg, &culprit);
	}
	if (rv != CKR_OK && error_len)
		snprintf(error, error_len, "Member %s can not be looked at: %s.",
			 culprit ? culprit->serial : "(none)", ha_member_reason(rv));
	free(list);
	ha_token_free(token);
	if (rv == CKR_OK)
		rv = refused;
	return rv == CKR_OK || !pciehsm_rv_is_transport(rv) ? rv : CKR_DEVICE_REMOVED;
}
