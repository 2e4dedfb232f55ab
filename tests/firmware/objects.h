/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One card for each test, and requests about objects that it is told by hand.
 */
#ifndef PCIEHSM_TESTS_FIRMWARE_OBJECTS_H
#define PCIEHSM_TESTS_FIRMWARE_OBJECTS_H

#include "card.h"

static struct card *card;

static inline int setup(void **state)
{
	(void)state;
	card = card_ready(154438, DOMAIN);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	card_free(card);
	return 0;
}

static inline void put_ouid(struct fwmsg *m, uint16_t id, uint32_t n)
{
	uint8_t ouid[PCIEHSM_OUID_LEN];

	ouid_of(ouid, n);
	fwmsg_bytes(m, id, ouid, sizeof(ouid));
}

static inline unsigned long send_as(struct fwmsg *m, uint32_t ctx)
{
	unsigned long rv = fwmsg_run(m, card->fw, card->part, ctx);

	fwmsg_free(m);
	return rv;
}

static inline unsigned long finish(struct fwmsg *m)
{
	fwmsg_template_end(m);
	return send_as(m, CTX_CO);
}

static inline void create(struct fwmsg *m, uint32_t n, uint64_t class)
{
	fwmsg_begin(m, PCIEHSM_OP_OBJECT_CREATE, 1);
	put_ouid(m, PCIEHSM_F_OUID, n);
	fwmsg_template(m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr_ulong(m, CKA_CLASS, class);
}

static inline void create_aes(struct fwmsg *m, uint32_t n)
{
	create(m, n, CKO_SECRET_KEY);
	fwmsg_attr_ulong(m, CKA_KEY_TYPE, CKK_AES);
	fwmsg_attr(m, CKA_VALUE, "0123456789abcdef", 16);
}

static inline void set(struct fwmsg *m, uint32_t n)
{
	fwmsg_begin(m, PCIEHSM_OP_OBJECT_SET, 1);
	put_ouid(m, PCIEHSM_F_OBJECT, n);
	fwmsg_template(m, PCIEHSM_F_TEMPLATE);
}

static inline void copy(struct fwmsg *m, uint32_t from, uint32_t to)
{
	fwmsg_begin(m, PCIEHSM_OP_OBJECT_COPY, 1);
	put_ouid(m, PCIEHSM_F_OBJECT, from);
	put_ouid(m, PCIEHSM_F_OUID, to);
	fwmsg_template(m, PCIEHSM_F_TEMPLATE);
}

static inline bool get_bool(uint32_t n, uint32_t type)
{
	uint8_t v;
	size_t len = 1;

	assert_ok(card_get(card, CTX_CO, n, type, &v, &len));
	assert_int_equal(len, 1);
	return v;
}

static inline unsigned long has(uint32_t n, uint32_t type)
{
	uint8_t v[1024];
	size_t len = sizeof(v);

	return card_get(card, CTX_CO, n, type, v, &len);
}

#endif /* PCIEHSM_TESTS_FIRMWARE_OBJECTS_H */
