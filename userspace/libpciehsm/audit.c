// SPDX-License-Identifier: LGPL-2.1-or-later
/* Commands of whoever keeps an eye on the card: statistics, audit log, attestation. */
#include <stdlib.h>

#include "message.h"

CK_RV pciehsm_hsm_stats(struct pciehsm_transport *t, struct pciehsm_hsm_stats *stats)
{
	struct pciehsm_hsm_stats s = { 0 };
	struct pmsg_span counts;
	struct pmsg_want wants[] = {
		{ PCIEHSM_F_POWER_ON, PMSG_U64, .to = &s.power_on },
		{ PCIEHSM_F_UPTIME, PMSG_U64, .to = &s.uptime_ms },
		{ PCIEHSM_F_COMMANDS, PMSG_U64, .to = &s.commands },
		{ PCIEHSM_F_STATS, PMSG_SPAN, .size = sizeof(uint64_t), .to = &counts },
	};
	struct pmsg_request r;
	struct pmsg_answer a;
	CK_RV rv;
	size_t n;

	pmsg_begin(&r, t, PCIEHSM_OP_HSM_STATS, 0);
	rv = pmsg_exchange(t, &r, &a, 0, true);
	if (rv == CKR_OK)
		rv = pmsg_read_all(&a, wants);
	if (rv == CKR_OK) {
		for (n = 0; n < PCIEHSM_STAT_COUNT && n < counts.len / 8; n++)
			s.stats[n] = pmsg_get64(counts.p + 8 * n);
		*stats = s;
	}
	pmsg_end(&r, &a);
	return rv;
}

/* ---- audit log ---- */

CK_RV pciehsm_audit_info(struct pciehsm_transport *t, struct pciehsm_audit_info *info)
{
	struct pciehsm_audit_info i = { 0 };
	struct pmsg_want wants[] = {
		{ PCIEHSM_F_AUDIT_MASK, PMSG_U32, .to = &i.mask },
		{ PCIEHSM_F_FLAGS, PMSG_U32, .to = &i.flags },
		{ PCIEHSM_F_AUDIT_FIRST, PMSG_U64, .to = &i.first },
		{ PCIEHSM_F_SEQ, PMSG_U64, .to = &i.last },
		{ PCIEHSM_F_LIMIT, PMSG_U32, .to = &i.capacity },
	};
	struct pmsg_request r;
	struct pmsg_answer a;
	CK_RV rv;

	pmsg_begin(&r, t, PCIEHSM_OP_AUDIT_INFO, 0);
	rv = pmsg_exchange(t, &r, &a, PCIEHSM_ANSWER_MIN, true);
	if (rv == CKR_OK)
		rv = pmsg_read_all(&a, wants);
	if (rv == CKR_OK)
		*info = i;
	pmsg_end(&r, &a);
	return rv;
}

CK_RV pciehsm_audit_config(struct pciehsm_transport *t, uint32_t mask, uint32_t flags)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_AUDIT_CONFIG, 0);
	pmsg_u32(&r, PCIEHSM_F_AUDIT_MASK, mask);
	pmsg_u32(&r, PCIEHSM_F_FLAGS, flags);
	return pmsg_simple(t, &r);
}

CK_RV pciehsm_audit_export(struct pciehsm_transport *t, uint64_t after, uint32_t limit,
			   void **chunk, size_t *len, uint64_t *last, size_t *count)
{
	struct pmsg_span entries, serial, before, signature;
	uint64_t seq;
	struct pmsg_want wants[] = {
		{ PCIEHSM_F_HSM_SERIAL, PMSG_SPAN, .to = &serial },
		{ PCIEHSM_F_SEQ, PMSG_U64, .to = &seq },
		{ PCIEHSM_F_DIGEST, PMSG_SPAN, .size = PCIEHSM_DIGEST_LEN, .to = &before },
		{ PCIEHSM_F_AUDIT_ENTRIES, PMSG_SPAN, .size = sizeof(struct pciehsm_audit_entry),
		  .to = &entries },
		{ PCIEHSM_F_SIGNATURE, PMSG_SPAN, .to = &signature },
	};
	struct pmsg_span body;
	struct pmsg_request r;
	struct pmsg_answer a;
	CK_RV rv;

	if (!limit || limit > PCIEHSM_AUDIT_EXPORT_MAX)
		return CKR_ARGUMENTS_BAD;
	pmsg_begin(&r, t, PCIEHSM_OP_AUDIT_EXPORT, 0);
	pmsg_u64(&r, PCIEHSM_F_SEQ, after);
	pmsg_u32(&r, PCIEHSM_F_LIMIT, limit);
	rv = pmsg_exchange(t, &r, &a,
			   limit * sizeof(struct pciehsm_audit_entry) + 2 * PCIEHSM_ANSWER_MIN,
			   true);
	if (rv == CKR_OK)
		rv = pmsg_read_all(&a, wants);
	if (rv == CKR_OK && (entries.len > limit * sizeof(struct pciehsm_audit_entry) ||
			     a.len < sizeof(struct pciehsm_msg)))
		rv = PCIEHSM_RV_BAD_ANSWER;
	if (rv == CKR_OK) {
		/* As it came: the signature is over the fields as they were encoded. */
		body.p = a.data + sizeof(struct pciehsm_msg);
		body.len = a.len - sizeof(struct pciehsm_msg);
		rv = pmsg_copy(&body, chunk);
	}
	if (rv == CKR_OK) {
		*len = body.len;
		*last = seq;
		*count = entries.len / sizeof(struct pciehsm_audit_entry);
	}
	pmsg_end(&r, &a);
	return rv;
}

CK_RV pciehsm_audit_truncate(struct pciehsm_transport *t, uint64_t seq)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_AUDIT_TRUNCATE, 0);
	pmsg_u64(&r, PCIEHSM_F_SEQ, seq);
	return pmsg_simple(t, &r);
}

/* ---- attestation ---- */

void pciehsm_attestation_free(struct pciehsm_attestation *att)
{
	free(att->statement);
	free(att->signature);
	free(att->certificates);
	memset(att, 0, sizeof(*att));
}

CK_RV pciehsm_attest(struct pciehsm_transport *t, uint32_t session, const uint8_t *object,
		     const void *nonce, size_t nonce_len, struct pciehsm_attestation *att)
{
	struct pmsg_span statement, signature, certificates;
	struct pmsg_want wants[] = {
		{ PCIEHSM_F_STATEMENT, PMSG_SPAN, .to = &statement },
		{ PCIEHSM_F_SIGNATURE, PMSG_SPAN, .to = &signature },
		{ PCIEHSM_F_CERTIFICATES, PMSG_SPAN, .to = &certificates },
	};
	struct pmsg_request r;
	struct pmsg_answer a;
	CK_RV rv;

	memset(att, 0, sizeof(*att));
	pmsg_begin(&r, t, PCIEHSM_OP_ATTEST, session);
	pmsg_ouid(&r, PCIEHSM_F_OBJECT, object);
	pmsg_bytes(&r, PCIEHSM_F_NONCE, nonce, nonce_len);
	rv = pmsg_exchange(t, &r, &a, 0, true);
	if (rv == CKR_OK)
		rv = pmsg_read_all(&a, wants);
	if (rv == CKR_OK)
		rv = pmsg_copy(&statement, &att->statement);
	if (rv == CKR_OK)
		rv = pmsg_copy(&signature, &att->signature);
	if (rv == CKR_OK)
		rv = pmsg_copy(&certificates, &att->certificates);
	if (rv == CKR_OK) {
		att->statement_len = statement.len;
		att->signature_len = signature.len;
		att->certificates_len = certificates.len;
	} else {
		pciehsm_attestation_free(att);
	}
	pmsg_end(&r, &a);
	return rv;
}
