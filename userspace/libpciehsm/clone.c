// SPDX-License-Identifier: LGPL-2.1-or-later
/* Commands of replication: digest, change log, cloning channels. */
#include <stdio.h>
#include <stdlib.h>

#include "message.h"

CK_RV pciehsm_digest(struct pciehsm_transport *t, struct pciehsm_digest_info *info)
{
	struct pciehsm_digest_info i = { 0 };
	struct pmsg_want wants[] = {
		{ PCIEHSM_F_DIGEST, PMSG_FIXED, .size = sizeof(i.digest), .to = i.digest },
		{ PCIEHSM_F_SEQ, PMSG_U64, .to = &i.seq },
		{ PCIEHSM_F_OBJECTS, PMSG_U32, .to = &i.objects },
		{ PCIEHSM_F_TOMBSTONES, PMSG_U32, .to = &i.tombstones },
		{ PCIEHSM_F_INCARNATION, PMSG_FIXED, .size = sizeof(i.incarnation),
		  .to = i.incarnation },
	};
	struct pmsg_request r;
	struct pmsg_answer a;
	CK_RV rv;

	pmsg_begin(&r, t, PCIEHSM_OP_DIGEST, 0);
	rv = pmsg_exchange(t, &r, &a, PCIEHSM_ANSWER_MIN, true);
	if (rv == CKR_OK)
		rv = pmsg_read_all(&a, wants);
	if (rv == CKR_OK)
		*info = i;
	pmsg_end(&r, &a);
	return rv;
}

/* The order is what lets a reader come to an end. */
static bool ascending(const struct pmsg_span *changes, uint64_t after)
{
	struct pciehsm_change change;
	size_t at;

	for (at = 0; at < changes->len; at += sizeof(change)) {
		memcpy(&change, changes->p + at, sizeof(change));
		if (le64toh(change.seq) <= after)
			return false;
		after = le64toh(change.seq);
	}
	return true;
}

CK_RV pciehsm_changes(struct pciehsm_transport *t, uint64_t seq, uint32_t limit,
		      struct pciehsm_change **list, size_t *count, uint64_t *last)
{
	struct pmsg_span span;
	uint64_t newest;
	struct pmsg_want wants[] = {
		{ PCIEHSM_F_CHANGES, PMSG_SPAN, .size = sizeof(**list), .to = &span },
		{ PCIEHSM_F_SEQ, PMSG_U64, .to = &newest },
	};
	struct pmsg_request r;
	struct pmsg_answer a;
	CK_RV rv;

	if (!limit || limit > PCIEHSM_CHANGES_MAX)
		return CKR_ARGUMENTS_BAD;
	pmsg_begin(&r, t, PCIEHSM_OP_CHANGES, 0);
	pmsg_u64(&r, PCIEHSM_F_SEQ, seq);
	pmsg_u32(&r, PCIEHSM_F_LIMIT, limit);
	rv = pmsg_exchange(t, &r, &a, 0, true);
	if (rv == CKR_OK)
		rv = pmsg_read_all(&a, wants);
	if (rv == CKR_OK && (span.len > limit * sizeof(**list) || !ascending(&span, seq)))
		rv = PCIEHSM_RV_BAD_ANSWER;
	if (rv == CKR_OK)
		rv = pmsg_copy(&span, (void **)list);
	if (rv == CKR_OK) {
		*count = span.len / sizeof(**list);
		*last = newest;
	}
	pmsg_end(&r, &a);
	return rv;
}

/* What OFFER and START answer: a channel and bytes for the other end. */
static CK_RV exchange_channel(struct pciehsm_transport *t, struct pmsg_request *r,
			      uint16_t field, uint32_t *channel, void **bytes, size_t *len)
{
	struct pmsg_span span;
	uint32_t number;
	struct pmsg_want wants[] = {
		{ PCIEHSM_F_CHANNEL, PMSG_U32, .to = &number },
		{ field, PMSG_SPAN, .to = &span },
	};
	struct pmsg_answer a;
	CK_RV rv;

	rv = pmsg_exchange(t, r, &a, 0, true);
	if (rv == CKR_OK)
		rv = pmsg_read_all(&a, wants);
	if (rv == CKR_OK)
		rv = pmsg_copy(&span, bytes);
	if (rv == CKR_OK) {
		*channel = number;
		*len = span.len;
	}
	pmsg_end(r, &a);
	return rv;
}

CK_RV pciehsm_clone_offer(struct pciehsm_transport *t, uint32_t *channel,
			  void **offer, size_t *offer_len)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_CLONE_OFFER, 0);
	return exchange_channel(t, &r, PCIEHSM_F_OFFER, channel, offer, offer_len);
}

CK_RV pciehsm_clone_start(struct pciehsm_transport *t, const void *offer, size_t offer_len,
			  uint32_t *channel, void **hello, size_t *hello_len)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_CLONE_START, 0);
	pmsg_bytes(&r, PCIEHSM_F_OFFER, offer, offer_len);
	return exchange_channel(t, &r, PCIEHSM_F_HELLO, channel, hello, hello_len);
}

CK_RV pciehsm_clone_accept(struct pciehsm_transport *t, uint32_t channel,
			   const void *hello, size_t hello_len)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_CLONE_ACCEPT, 0);
	pmsg_u32(&r, PCIEHSM_F_CHANNEL, channel);
	pmsg_bytes(&r, PCIEHSM_F_HELLO, hello, hello_len);
	return pmsg_simple(t, &r);
}

/* Results of a batch; a card tells of no more objects than were in it. */
static CK_RV take_results(const struct pmsg_span *span, size_t at_most,
			  struct pciehsm_clone_result **results, size_t *n_results)
{
	size_t n = span->len / sizeof(**results);
	CK_RV rv;

	if (n > at_most)
		return PCIEHSM_RV_BAD_ANSWER;
	rv = pmsg_copy(span, (void **)results);
	if (rv == CKR_OK)
		*n_results = n;
	return rv;
}

CK_RV pciehsm_clone_export(struct pciehsm_transport *t, uint32_t session, uint32_t channel,
			   const uint8_t *ouids, size_t n, void **blob, size_t *blob_len,
			   struct pciehsm_clone_result **results, size_t *n_results)
{
	struct pmsg_span sealed, dealt;
	struct pmsg_want wants[] = {
		{ PCIEHSM_F_BLOB, PMSG_SPAN, .to = &sealed },
		{ PCIEHSM_F_RESULTS, PMSG_SPAN, .size = sizeof(**results), .to = &dealt },
	};
	struct pmsg_request r;
	struct pmsg_answer a;
	CK_RV rv;

	if (n > PCIEHSM_CLONE_MAX)
		n = PCIEHSM_CLONE_MAX;
	pmsg_begin(&r, t, PCIEHSM_OP_CLONE_EXPORT, session);
	pmsg_u32(&r, PCIEHSM_F_CHANNEL, channel);
	pmsg_bytes(&r, PCIEHSM_F_OUIDS, ouids, n * PCIEHSM_OUID_LEN);
	/*
	 * The room decides how much goes into a blob: the card fills it. Some 4 KiB for each
	 * key is plenty; a batch of many gets the most that there is.
	 */
	rv = pmsg_exchange(t, &r, &a, 4096 * (n + 1), true);
	if (rv == CKR_OK)
		rv = pmsg_read_all(&a, wants);
	if (rv == CKR_OK)
		rv = take_results(&dealt, n, results, n_results);
	if (rv == CKR_OK) {
		rv = pmsg_copy(&sealed, blob);
		if (rv == CKR_OK)
			*blob_len = sealed.len;
		else
			free(*results);
	}
	pmsg_end(&r, &a);
	return rv;
}

CK_RV pciehsm_clone_import(struct pciehsm_transport *t, uint32_t session, uint32_t channel,
			   const void *blob, size_t blob_len,
			   struct pciehsm_clone_result **results, size_t *n_results)
{
	struct pmsg_span taken;
	struct pmsg_want want = {
		PCIEHSM_F_RESULTS, PMSG_SPAN, .size = sizeof(**results), .to = &taken,
	};
	struct pmsg_request r;
	struct pmsg_answer a;
	CK_RV rv;

	pmsg_begin(&r, t, PCIEHSM_OP_CLONE_IMPORT, session);
	pmsg_u32(&r, PCIEHSM_F_CHANNEL, channel);
	pmsg_bytes(&r, PCIEHSM_F_BLOB, blob, blob_len);
	/* A record is longer than its result, so this is room for all of them. */
	rv = pmsg_exchange(t, &r, &a, PCIEHSM_ANSWER_MIN + blob_len, true);
	if (rv == CKR_OK)
		rv = pmsg_read(&a, &want, 1);
	if (rv == CKR_OK)
		rv = take_results(&taken, blob_len / sizeof(struct pciehsm_clone_record),
				  results, n_results);
	pmsg_end(&r, &a);
	return rv;
}

CK_RV pciehsm_clone_close(struct pciehsm_transport *t, uint32_t channel)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_CLONE_CLOSE, 0);
	pmsg_u32(&r, PCIEHSM_F_CHANNEL, channel);
	return pmsg_simple(t, &r);
}

/* ---- tombstones ---- */

static CK_RV mark(struct pciehsm_transport *t, uint64_t peer, const uint64_t *seq)
{
	struct pmsg_request r;
	char digits[24];

	snprintf(digits, sizeof(digits), "%llu", (unsigned long long)peer);
	pmsg_begin(&r, t, PCIEHSM_OP_REPLICA_MARK, 0);
	pmsg_bytes(&r, PCIEHSM_F_SERIAL, digits, strlen(digits));
	if (seq)
		pmsg_u64(&r, PCIEHSM_F_SEQ, *seq);
	return pmsg_simple(t, &r);
}

CK_RV pciehsm_replica_mark(struct pciehsm_transport *t, uint64_t peer, uint64_t seq)
{
	return mark(t, peer, &seq);
}

CK_RV pciehsm_replica_forget(struct pciehsm_transport *t, uint64_t peer)
{
	return mark(t, peer, NULL);
}

CK_RV pciehsm_replica_marks(struct pciehsm_transport *t, struct pciehsm_mark **list,
			    size_t *count, uint64_t *last)
{
	struct pmsg_span marks;
	uint64_t seq;
	struct pmsg_want wants[] = {
		{ PCIEHSM_F_MARKS, PMSG_SPAN, .size = sizeof(**list), .to = &marks },
		{ PCIEHSM_F_SEQ, PMSG_U64, .to = &seq },
	};
	struct pmsg_request r;
	struct pmsg_answer a;
	CK_RV rv;

	pmsg_begin(&r, t, PCIEHSM_OP_REPLICA_MARKS, 0);
	rv = pmsg_exchange(t, &r, &a, 0, true);
	if (rv == CKR_OK)
		rv = pmsg_read_all(&a, wants);
	if (rv == CKR_OK)
		rv = pmsg_copy(&marks, (void **)list);
	if (rv == CKR_OK) {
		*count = marks.len / sizeof(**list);
		*last = seq;
	}
	pmsg_end(&r, &a);
	return rv;
}

CK_RV pciehsm_tombstones_collect(struct pciehsm_transport *t, const uint64_t *peers, size_t n,
				 bool dry, uint32_t *collected, uint64_t *seq)
{
	uint32_t tombstones;
	uint64_t up_to;
	struct pmsg_want wants[] = {
		{ PCIEHSM_F_TOMBSTONES, PMSG_U32, .to = &tombstones },
		{ PCIEHSM_F_SEQ, PMSG_U64, .to = &up_to },
	};
	uint64_t raw[PCIEHSM_PEERS_MAX];
	struct pmsg_request r;
	struct pmsg_answer a;
	CK_RV rv;
	size_t i;

	if (n > PCIEHSM_PEERS_MAX)
		return CKR_ARGUMENTS_BAD;
	for (i = 0; i < n; i++)
		raw[i] = htole64(peers[i]);
	pmsg_begin(&r, t, PCIEHSM_OP_TOMBSTONES_COLLECT, 0);
	pmsg_bytes(&r, PCIEHSM_F_SERIALS, raw, n * sizeof(raw[0]));
	if (dry)
		pmsg_u32(&r, PCIEHSM_F_FLAGS, PCIEHSM_COLLECT_DRY);
	rv = pmsg_exchange(t, &r, &a, PCIEHSM_ANSWER_MIN, true);
	if (rv == CKR_OK)
		rv = pmsg_read_all(&a, wants);
	if (rv == CKR_OK) {
		if (collected)
			*collected = tombstones;
		if (seq)
			*seq = up_to;
	}
	pmsg_end(&r, &a);
	return rv;
}
