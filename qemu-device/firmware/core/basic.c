// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/ops.h"

/* As fw.h says; also what one field of an answer can hold. */
#define RANDOM_MAX	65536

CK_RV op_ping(struct call *c)
{
	(void)c;
	return CKR_OK;
}

CK_RV op_session_close(struct call *c)
{
	context_session_close(c->ctx, c->in.session);
	return CKR_OK;
}

CK_RV op_random(struct call *c)
{
	uint32_t len = message_u32(&c->in, PCIEHSM_F_LEN, 0);
	const uint8_t *seed;
	size_t seed_len;
	uint8_t *out;
	CK_RV rv;

	if (len > RANDOM_MAX)
		return CKR_ARGUMENTS_BAD;
	out = answer_open(&c->out, PCIEHSM_F_DATA, len);
	if (!out)
		return CKR_BUFFER_TOO_SMALL;
	seed = message_bytes(&c->in, PCIEHSM_F_SEED, &seed_len);
	if (seed)
		fw_random_seed(seed, seed_len);
	rv = fw_random(out, len);
	if (rv == CKR_OK)
		answer_close(&c->out, len);
	return rv;
}
