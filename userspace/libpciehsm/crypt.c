// SPDX-License-Identifier: LGPL-2.1-or-later
/* Cryptographic commands, in one part and in several. */
#include "message.h"

/* What an answer with @len bytes of data takes. */
static size_t data_answer(size_t len)
{
	return sizeof(struct pciehsm_msg) + sizeof(struct pciehsm_field) + ((len + 7) & ~7UL);
}

/*
 * Where the card keeps a state, room is counted in whole units of a field's padding,
 * so that what comes does fit. Where it does not, more room than the caller's is given:
 * then the length that is needed comes out exact.
 */
static size_t data_room(size_t room, bool kept)
{
	if (room > PCIEHSM_MSG_MAX)
		room = PCIEHSM_MSG_MAX;
	if (kept)
		/* a refusal, with PCIEHSM_F_NEED, always has to fit */
		return data_answer(room < 8 ? 8 : room & ~7UL);
	room = data_answer(room);
	return room < PCIEHSM_ANSWER_MIN ? PCIEHSM_ANSWER_MIN : room;
}

static CK_RV read_data(const struct pmsg_answer *a, void *out, size_t *out_len)
{
	struct pmsg_span data = { NULL, 0 };
	struct pmsg_want want = { PCIEHSM_F_DATA, PMSG_SPAN, true, .to = &data };
	size_t room = out && out_len ? *out_len : 0;
	CK_RV rv = pmsg_read(a, &want, 1);

	if (rv != CKR_OK)
		return rv;
	if (out_len)
		*out_len = data.len;
	if (data.len > room)
		return out_len ? CKR_BUFFER_TOO_SMALL : PCIEHSM_RV_BAD_ANSWER;
	if (data.len)
		memcpy(out, data.p, data.len);
	return CKR_OK;
}

static CK_RV read_need(const struct pmsg_answer *a, const struct pmsg_request *r, size_t *out_len)
{
	uint32_t need;
	struct pmsg_want want = { PCIEHSM_F_NEED, PMSG_U32, .to = &need };

	if (pmsg_read(a, &want, 1) != CKR_OK || need <= data_answer(0) || need > r->max)
		return PCIEHSM_RV_BAD_ANSWER;
	if (out_len)
		*out_len = need - data_answer(0);
	return CKR_BUFFER_TOO_SMALL;
}

CK_RV pmsg_exchange_data(struct pciehsm_transport *t, struct pmsg_request *r, bool kept,
			 void *out, size_t *out_len)
{
	struct pmsg_answer a;
	CK_RV rv;

	rv = pmsg_exchange(t, r, &a, data_room(out && out_len ? *out_len : 0, kept), false);
	if (rv == CKR_OK)
		rv = read_data(&a, out, out_len);
	else if (rv == CKR_BUFFER_TOO_SMALL)
		rv = read_need(&a, r, out_len);
	pmsg_end(r, &a);
	return rv;
}

CK_RV pciehsm_crypt(struct pciehsm_transport *t, uint32_t session, enum pciehsm_function fn,
		    const CK_MECHANISM *mech, const uint8_t *key,
		    const void *in, size_t in_len, const void *sig, size_t sig_len,
		    void *out, size_t *out_len)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_CRYPT, session);
	pmsg_u32(&r, PCIEHSM_F_FUNCTION, fn);
	pmsg_mechanism(&r, mech);
	if (key)
		pmsg_ouid(&r, PCIEHSM_F_KEY, key);
	pmsg_bytes(&r, PCIEHSM_F_DATA, in, in_len);
	if (fn == PCIEHSM_FN_VERIFY)
		pmsg_bytes(&r, PCIEHSM_F_SIGNATURE, sig, sig_len);
	return pmsg_exchange_data(t, &r, false, out, out_len);
}

CK_RV pciehsm_crypt_init(struct pciehsm_transport *t, uint32_t session,
			 enum pciehsm_function fn, const CK_MECHANISM *mech,
			 const uint8_t *key)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_CRYPT_INIT, session);
	pmsg_u32(&r, PCIEHSM_F_FUNCTION, fn);
	pmsg_mechanism(&r, mech);
	if (key)
		pmsg_ouid(&r, PCIEHSM_F_KEY, key);
	return pmsg_simple(t, &r);
}

CK_RV pciehsm_crypt_update(struct pciehsm_transport *t, uint32_t session,
			   enum pciehsm_function fn, const void *in, size_t in_len,
			   void *out, size_t *out_len)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_CRYPT_UPDATE, session);
	pmsg_u32(&r, PCIEHSM_F_FUNCTION, fn);
	pmsg_bytes(&r, PCIEHSM_F_DATA, in, in_len);
	return pmsg_exchange_data(t, &r, true, out, out_len);
}

CK_RV pciehsm_crypt_final(struct pciehsm_transport *t, uint32_t session,
			  enum pciehsm_function fn, const void *sig, size_t sig_len,
			  void *out, size_t *out_len)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_CRYPT_FINAL, session);
	pmsg_u32(&r, PCIEHSM_F_FUNCTION, fn);
	if (fn == PCIEHSM_FN_VERIFY)
		pmsg_bytes(&r, PCIEHSM_F_SIGNATURE, sig, sig_len);
	return pmsg_exchange_data(t, &r, true, out, out_len);
}

CK_RV pciehsm_crypt_cancel(struct pciehsm_transport *t, uint32_t session,
			   enum pciehsm_function fn)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_CRYPT_CANCEL, session);
	pmsg_u32(&r, PCIEHSM_F_FUNCTION, fn);
	return pmsg_simple(t, &r);
}

CK_RV pciehsm_digest_key(struct pciehsm_transport *t, uint32_t session, const uint8_t *key)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_DIGEST_KEY, session);
	pmsg_ouid(&r, PCIEHSM_F_KEY, key);
	return pmsg_simple(t, &r);
}
