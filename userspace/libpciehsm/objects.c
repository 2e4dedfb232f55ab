// SPDX-License-Identifier: LGPL-2.1-or-later
/* Commands on objects and on keys. */
#include "message.h"

static void put_creation(struct pmsg_request *r, const uint8_t *ouid, uint64_t counter,
			 const CK_ATTRIBUTE *attrs, CK_ULONG n)
{
	pmsg_ouid(r, PCIEHSM_F_OUID, ouid);
	if (counter)
		pmsg_u64(r, PCIEHSM_F_COUNTER, counter);
	pmsg_template(r, PCIEHSM_F_TEMPLATE, attrs, n);
}

/* The end of a creation: the object has to be the one that was named. */
static CK_RV exchange_creation(struct pciehsm_transport *t, struct pmsg_request *r,
			       const uint8_t *ouid, const uint8_t *ouid2,
			       struct pciehsm_object_version *version)
{
	uint8_t made[PCIEHSM_OUID_LEN], made2[PCIEHSM_OUID_LEN];
	struct pciehsm_object_version got;
	struct pmsg_want wants[] = {
		{ PCIEHSM_F_VERSION, PMSG_VERSION, .to = &got },
		{ PCIEHSM_F_OUID, PMSG_FIXED, .size = sizeof(made), .to = made },
		{ PCIEHSM_F_OUID2, PMSG_FIXED, .size = sizeof(made2), .to = made2 },
	};
	struct pmsg_answer a;
	CK_RV rv;

	rv = pmsg_exchange(t, r, &a, PCIEHSM_ANSWER_MIN, true);
	if (rv == CKR_OK)
		rv = pmsg_read(&a, wants, ouid2 ? 3 : 2);
	if (rv == CKR_OK && (memcmp(made, ouid, sizeof(made)) ||
			     (ouid2 && memcmp(made2, ouid2, sizeof(made2)))))
		rv = PCIEHSM_RV_BAD_ANSWER;
	if (rv == CKR_OK && version)
		*version = got;
	pmsg_end(r, &a);
	return rv;
}

CK_RV pciehsm_object_create(struct pciehsm_transport *t, uint32_t session,
			    const uint8_t *ouid, uint64_t counter,
			    const CK_ATTRIBUTE *attrs, CK_ULONG n,
			    struct pciehsm_object_version *version)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_OBJECT_CREATE, session);
	put_creation(&r, ouid, counter, attrs, n);
	return exchange_creation(t, &r, ouid, NULL, version);
}

CK_RV pciehsm_object_copy(struct pciehsm_transport *t, uint32_t session,
			  const uint8_t *object, const uint8_t *ouid, uint64_t counter,
			  const CK_ATTRIBUTE *attrs, CK_ULONG n,
			  struct pciehsm_object_version *version)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_OBJECT_COPY, session);
	pmsg_ouid(&r, PCIEHSM_F_OBJECT, object);
	put_creation(&r, ouid, counter, attrs, n);
	return exchange_creation(t, &r, ouid, NULL, version);
}

CK_RV pciehsm_object_destroy(struct pciehsm_transport *t, uint32_t session,
			     const uint8_t *object, bool repeated,
			     struct pciehsm_object_version *version)
{
	struct pciehsm_object_version got = { 0, 0 };
	struct pmsg_want want = { PCIEHSM_F_VERSION, PMSG_VERSION, true, .to = &got };
	struct pmsg_request r;
	struct pmsg_answer a;
	CK_RV rv;

	pmsg_begin(&r, t, PCIEHSM_OP_OBJECT_DESTROY, session);
	pmsg_ouid(&r, PCIEHSM_F_OBJECT, object);
	if (repeated)
		pmsg_u32(&r, PCIEHSM_F_FLAGS, PCIEHSM_DESTROY_REPEATED);
	rv = pmsg_exchange(t, &r, &a, PCIEHSM_ANSWER_MIN, true);
	if (rv == CKR_OK)
		rv = pmsg_read(&a, &want, 1);
	if (rv == CKR_OK && version)
		*version = got;
	pmsg_end(&r, &a);
	return rv;
}

CK_RV pciehsm_object_get(struct pciehsm_transport *t, uint32_t session, const uint8_t *object,
			 CK_ATTRIBUTE *attrs, CK_ULONG n,
			 struct pciehsm_object_version *version)
{
	struct pciehsm_object_version got;
	struct pmsg_span template;
	struct pmsg_want wants[] = {
		{ PCIEHSM_F_TEMPLATE, PMSG_SPAN, .to = &template },
		{ PCIEHSM_F_VERSION, PMSG_VERSION, true, .to = &got },
	};
	struct pmsg_request r;
	struct pmsg_answer a;
	CK_RV rv, read;

	pmsg_begin(&r, t, PCIEHSM_OP_OBJECT_GET, session);
	pmsg_ouid(&r, PCIEHSM_F_OBJECT, object);
	pmsg_types(&r, attrs, n);
	rv = pmsg_exchange(t, &r, &a, 0, true);
	if (rv == CKR_OK || rv == CKR_ATTRIBUTE_SENSITIVE || rv == CKR_ATTRIBUTE_TYPE_INVALID) {
		read = pmsg_read_all(&a, wants);
		if (read == CKR_OK)
			read = pmsg_values(&template, attrs, n);
		/* The values tell more than the card's result: what did not fit. */
		if (rv == CKR_OK || pciehsm_rv_is_transport(read))
			rv = read;
		if (version && wants[1].seen && !pciehsm_rv_is_transport(read))
			*version = got;
	}
	pmsg_end(&r, &a);
	return rv;
}

CK_RV pciehsm_object_set(struct pciehsm_transport *t, uint32_t session, const uint8_t *object,
			 const CK_ATTRIBUTE *attrs, CK_ULONG n,
			 struct pciehsm_object_version *version)
{
	struct pciehsm_object_version got;
	struct pmsg_want want = { PCIEHSM_F_VERSION, PMSG_VERSION, .to = &got };
	struct pmsg_request r;
	struct pmsg_answer a;
	CK_RV rv;

	pmsg_begin(&r, t, PCIEHSM_OP_OBJECT_SET, session);
	pmsg_ouid(&r, PCIEHSM_F_OBJECT, object);
	pmsg_template(&r, PCIEHSM_F_TEMPLATE, attrs, n);
	rv = pmsg_exchange(t, &r, &a, PCIEHSM_ANSWER_MIN, true);
	if (rv == CKR_OK)
		rv = pmsg_read(&a, &want, 1);
	if (rv == CKR_OK && version)
		*version = got;
	pmsg_end(&r, &a);
	return rv;
}

CK_RV pciehsm_object_find(struct pciehsm_transport *t, uint32_t session,
			  const CK_ATTRIBUTE *attrs, CK_ULONG n, uint64_t *cursor,
			  uint8_t *ouids, uint32_t limit, uint32_t *count)
{
	struct pmsg_span found;
	uint64_t next;
	struct pmsg_want wants[] = {
		{ PCIEHSM_F_OUIDS, PMSG_SPAN, .size = PCIEHSM_OUID_LEN, .to = &found },
		{ PCIEHSM_F_CURSOR, PMSG_U64, .to = &next },
	};
	struct pmsg_request r;
	struct pmsg_answer a;
	CK_RV rv;

	if (!limit || limit > PCIEHSM_FIND_MAX)
		return CKR_ARGUMENTS_BAD;
	pmsg_begin(&r, t, PCIEHSM_OP_OBJECT_FIND, session);
	pmsg_template(&r, PCIEHSM_F_TEMPLATE, attrs, n);
	if (*cursor)
		pmsg_u64(&r, PCIEHSM_F_CURSOR, *cursor);
	pmsg_u32(&r, PCIEHSM_F_LIMIT, limit);
	rv = pmsg_exchange(t, &r, &a, PCIEHSM_ANSWER_MIN + (size_t)limit * PCIEHSM_OUID_LEN, true);
	if (rv == CKR_OK)
		rv = pmsg_read_all(&a, wants);
	if (rv == CKR_OK && found.len > (size_t)limit * PCIEHSM_OUID_LEN)
		rv = PCIEHSM_RV_BAD_ANSWER;
	/* A page that leads nowhere: whoever turns the pages would never come to the end. */
	if (rv == CKR_OK && next && (!found.len || next == *cursor))
		rv = PCIEHSM_RV_BAD_ANSWER;
	if (rv == CKR_OK) {
		memcpy(ouids, found.p, found.len);
		*count = (uint32_t)(found.len / PCIEHSM_OUID_LEN);
		*cursor = next;
	}
	pmsg_end(&r, &a);
	return rv;
}

CK_RV pciehsm_object_size(struct pciehsm_transport *t, uint32_t session,
			  const uint8_t *object, uint64_t *size)
{
	struct pmsg_want want = { PCIEHSM_F_SIZE, PMSG_U64, .to = size };
	struct pmsg_request r;
	struct pmsg_answer a;
	CK_RV rv;

	pmsg_begin(&r, t, PCIEHSM_OP_OBJECT_SIZE, session);
	pmsg_ouid(&r, PCIEHSM_F_OBJECT, object);
	rv = pmsg_exchange(t, &r, &a, PCIEHSM_ANSWER_MIN, true);
	if (rv == CKR_OK)
		rv = pmsg_read(&a, &want, 1);
	pmsg_end(&r, &a);
	return rv;
}

/* ---- keys ---- */

CK_RV pciehsm_generate_key(struct pciehsm_transport *t, uint32_t session,
			   const CK_MECHANISM *mech, const uint8_t *ouid, uint64_t counter,
			   const CK_ATTRIBUTE *attrs, CK_ULONG n,
			   struct pciehsm_object_version *version)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_GENERATE_KEY, session);
	pmsg_mechanism(&r, mech);
	put_creation(&r, ouid, counter, attrs, n);
	return exchange_creation(t, &r, ouid, NULL, version);
}

CK_RV pciehsm_generate_key_pair(struct pciehsm_transport *t, uint32_t session,
				const CK_MECHANISM *mech, const uint8_t *pub_ouid,
				const uint8_t *priv_ouid, uint64_t counter,
				const CK_ATTRIBUTE *pub, CK_ULONG n_pub,
				const CK_ATTRIBUTE *priv, CK_ULONG n_priv,
				struct pciehsm_object_version *version)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_GENERATE_KEY_PAIR, session);
	pmsg_mechanism(&r, mech);
	put_creation(&r, pub_ouid, counter, pub, n_pub);
	pmsg_ouid(&r, PCIEHSM_F_OUID2, priv_ouid);
	pmsg_template(&r, PCIEHSM_F_TEMPLATE2, priv, n_priv);
	return exchange_creation(t, &r, pub_ouid, priv_ouid, version);
}

CK_RV pciehsm_wrap(struct pciehsm_transport *t, uint32_t session, const CK_MECHANISM *mech,
		   const uint8_t *key, const uint8_t *object, void *out, size_t *out_len)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_WRAP, session);
	pmsg_mechanism(&r, mech);
	pmsg_ouid(&r, PCIEHSM_F_KEY, key);
	pmsg_ouid(&r, PCIEHSM_F_OBJECT, object);
	return pmsg_exchange_data(t, &r, false, out, out_len);
}

/* Unwrapping and decapsulating: the new key is in @in, and @key gets it out. */
static CK_RV make_from(struct pciehsm_transport *t, uint32_t op, uint32_t session,
		       const CK_MECHANISM *mech, const uint8_t *key, const void *in, size_t in_len,
		       const uint8_t *ouid, uint64_t counter, const CK_ATTRIBUTE *attrs,
		       CK_ULONG n, struct pciehsm_object_version *version)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, op, session);
	pmsg_mechanism(&r, mech);
	pmsg_ouid(&r, PCIEHSM_F_KEY, key);
	pmsg_bytes(&r, PCIEHSM_F_DATA, in, in_len);
	put_creation(&r, ouid, counter, attrs, n);
	return exchange_creation(t, &r, ouid, NULL, version);
}

CK_RV pciehsm_unwrap(struct pciehsm_transport *t, uint32_t session, const CK_MECHANISM *mech,
		     const uint8_t *key, const void *in, size_t in_len,
		     const uint8_t *ouid, uint64_t counter,
		     const CK_ATTRIBUTE *attrs, CK_ULONG n,
		     struct pciehsm_object_version *version)
{
	return make_from(t, PCIEHSM_OP_UNWRAP, session, mech, key, in, in_len, ouid, counter,
			 attrs, n, version);
}

CK_RV pciehsm_derive(struct pciehsm_transport *t, uint32_t session, const CK_MECHANISM *mech,
		     const uint8_t *key, const uint8_t *ouid, uint64_t counter,
		     const CK_ATTRIBUTE *attrs, CK_ULONG n,
		     struct pciehsm_object_version *version)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_DERIVE, session);
	pmsg_mechanism(&r, mech);
	pmsg_ouid(&r, PCIEHSM_F_KEY, key);
	put_creation(&r, ouid, counter, attrs, n);
	return exchange_creation(t, &r, ouid, NULL, version);
}

/* What an answer takes that brings a new object's name and version, and @len bytes of data */
static size_t capsule_answer(size_t len)
{
	return sizeof(struct pciehsm_msg) + 3 * sizeof(struct pciehsm_field) + PCIEHSM_OUID_LEN +
	       sizeof(struct pciehsm_version) + ((len + 7) & ~7UL);
}

/*
 * Nothing may be made whose ciphertext the caller has no room for, so the card is given the
 * caller's room, in whole units of a field's padding, and refuses before it makes anything.
 */
static CK_RV exchange_capsule(struct pciehsm_transport *t, struct pmsg_request *r,
			      const uint8_t *ouid, void *out, size_t *out_len,
			      struct pciehsm_object_version *version)
{
	const size_t room = out ? *out_len & ~7UL : 0;
	struct pmsg_span data = { NULL, 0 };
	struct pciehsm_object_version got;
	uint8_t made[PCIEHSM_OUID_LEN];
	struct pmsg_want wants[] = {
		{ PCIEHSM_F_VERSION, PMSG_VERSION, .to = &got },
		{ PCIEHSM_F_OUID, PMSG_FIXED, .size = sizeof(made), .to = made },
		{ PCIEHSM_F_DATA, PMSG_SPAN, true, .to = &data },
	};
	uint32_t need;
	struct pmsg_want want = { PCIEHSM_F_NEED, PMSG_U32, .to = &need };
	struct pmsg_answer a;
	CK_RV rv;

	rv = pmsg_exchange(t, r, &a, capsule_answer(room < r->max ? room : r->max), false);
	if (rv == CKR_BUFFER_TOO_SMALL) {
		if (pmsg_read(&a, &want, 1) != CKR_OK || need <= a.size || need > r->max)
			rv = PCIEHSM_RV_BAD_ANSWER;
		else
			*out_len = need - capsule_answer(0);
	} else if (rv == CKR_OK) {
		rv = pmsg_read_all(&a, wants);
		if (rv == CKR_OK && (memcmp(made, ouid, sizeof(made)) || data.len > room))
			rv = PCIEHSM_RV_BAD_ANSWER;
		if (rv == CKR_OK && !data.len)
			rv = CKR_FUNCTION_FAILED;
	}
	if (rv == CKR_OK) {
		memcpy(out, data.p, data.len);
		*out_len = data.len;
		if (version)
			*version = got;
	}
	pmsg_end(r, &a);
	return rv;
}

CK_RV pciehsm_encapsulate(struct pciehsm_transport *t, uint32_t session,
			  const CK_MECHANISM *mech, const uint8_t *key,
			  const uint8_t *ouid, uint64_t counter,
			  const CK_ATTRIBUTE *attrs, CK_ULONG n, void *out, size_t *out_len,
			  struct pciehsm_object_version *version)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_ENCAPSULATE, session);
	pmsg_mechanism(&r, mech);
	pmsg_ouid(&r, PCIEHSM_F_KEY, key);
	put_creation(&r, ouid, counter, attrs, n);
	return exchange_capsule(t, &r, ouid, out, out_len, version);
}

CK_RV pciehsm_decapsulate(struct pciehsm_transport *t, uint32_t session,
			  const CK_MECHANISM *mech, const uint8_t *key,
			  const void *in, size_t in_len, const uint8_t *ouid, uint64_t counter,
			  const CK_ATTRIBUTE *attrs, CK_ULONG n,
			  struct pciehsm_object_version *version)
{
	return make_from(t, PCIEHSM_OP_DECAPSULATE, session, mech, key, in, in_len, ouid, counter,
			 attrs, n, version);
}
