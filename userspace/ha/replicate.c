// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Replication: what was made or changed on one member is brought to all that live, before
 * the application is told that it is done.
 *
 * The targets are looked up after the source has executed the change. So a member that
 * is being brought up either is among them, or lists the source's changes only
 * later; in both ways it gets the change.
 */
#include "engine.h"

struct targets {
	struct ha_conn	*conn[HA_MAX_MEMBERS];
	unsigned int	n;
};

static void find_targets(struct ha_conn *source, struct targets *targets)
{
	struct ha_token *token = source->token;
	unsigned int i;

	targets->n = 0;
	ha_lock(token->ha, &token->lock);
	if (token->synchronize && atomic_load(&token->role) == PCIEHSM_ROLE_CO) {
		for (i = 0; i < token->n_members; i++) {
			struct ha_member *member = token->members[i];

			if (member->conn && member != source->member)
				targets->conn[targets->n++] = ha_conn_get(member->conn);
		}
	}
	ha_unlock(token->ha, &token->lock);
}

/* Has this member a newer version than the one that it was to get? */
static bool has_newer(struct ha_conn *conn, uint32_t session, const struct ha_ouid *ouid,
		      const struct pciehsm_object_version *version)
{
	struct pciehsm_object_version theirs;
	CK_RV rv = pciehsm_object_get(conn->t, session, ouid->b, NULL, 0, &theirs);

	/* Nothing there and yet newer: it was deleted. */
	if (ha_rv_missing(rv))
		return true;
	return rv == CKR_OK && pciehsm_version_cmp(&theirs, version) > 0;
}

/*
 * Bring all to one target. Return: CKR_OK, or a failure whose side *@from_failed tells.
 */
static CK_RV to_target(struct ha_conn *from, struct ha_conn *to, uint32_t session,
		       const struct ha_ouid *ouids, unsigned int n,
		       const struct pciehsm_object_version *version,
		       struct ha_replication *result, bool *from_failed)
{
	CK_RV results[HA_BATCH];
	size_t done, i;
	CK_RV rv;

	while (n) {
		rv = ha_channel_move(from, to, session, ouids, n, &done, results, from_failed);
		if (rv != CKR_OK)
			return rv;
		for (i = 0; i < done; i++) {
			if (results[i] == CKR_OK || ha_rv_missing(results[i]))
				continue;
			if (results[i] == PCIEHSM_CKR_STALE) {
				if (!result->stale && version &&
				    has_newer(to, session, &ouids[i], version))
					result->stale = ha_conn_get(to);
				continue;
			}
			*from_failed = results[i] == PCIEHSM_CKR_NOT_CLONABLE;
			return results[i];
		}
		ouids += done;
		n -= (unsigned int)done;
	}
	return CKR_OK;
}

/*
 * Is there nothing at this member that could be changed? It may be that it lacks the object;
 * or it has its tombstone, which the change must not replace. Comparing the two
 * members tells which.
 */
static bool lacks(struct ha_conn *conn, uint32_t session, const struct ha_ouid *ouid)
{
	return ha_conn_ready(conn) == CKR_OK &&
	       ha_rv_missing(pciehsm_object_get(conn->t, session, ouid->b, NULL, 0, NULL));
}

/* The card will never give it, however often it is asked. */
static bool refuses(CK_RV rv)
{
	return rv == PCIEHSM_CKR_NOT_CLONABLE || rv == PCIEHSM_CKR_POLICY;
}

CK_RV ha_replicate(struct ha_conn *source, uint32_t session, const struct ha_ouid *ouids,
		   unsigned int n, const struct pciehsm_object_version *version, bool change,
		   struct ha_replication *result)
{
	struct ha_conn *from = source, *copy = NULL;
	struct targets targets;
	unsigned int i = 0;
	CK_RV rv = CKR_OK;

	memset(result, 0, sizeof(*result));
	find_targets(source, &targets);
	while (i < targets.n && rv == CKR_OK) {
		struct ha_conn *to = targets.conn[i];
		bool from_failed = false;
		CK_RV failure = CKR_DEVICE_REMOVED;

		if (from && change && lacks(to, session, ouids))
			failure = CKR_OBJECT_HANDLE_INVALID;
		else if (from)
			failure = to_target(from, to, session, ouids, n, version, result,
					    &from_failed);
		if (failure == CKR_OK) {
			result->copies++;
			copy = to;
			i++;
		} else if (!from) {
			ha_member_missed(to->member, to, failure);
			i++;
		} else if (from_failed && refuses(failure)) {
			result->refused = failure;
			if (!result->copies)
				break;
			ha_member_missed(to->member, to, failure);
			i++;
		} else if (from_failed) {
			result->lost |= from == source;
			ha_member_failed(from->member, from, failure);
			/* Go on from a member that has got it, with the same target. */
			from = from == copy ? NULL : copy;
			if (!result->copies)
				rv = failure;
		} else {
			ha_member_failed(to->member, to, failure);
			ha_member_missed(to->member, to, failure);
			i++;
		}
	}
	for (i = 0; i < targets.n; i++)
		ha_conn_put(targets.conn[i]);
	return rv;
}
