/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A card for a test: made, switched off and on again, set up, asked.
 */
#ifndef PCIEHSM_TESTS_FIRMWARE_CARD_H
#define PCIEHSM_TESTS_FIRMWARE_CARD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <p11-kit-1/p11-kit/pkcs11.h>

#include "fwmsg.h"

#define CARD_EVENTS	512

struct card {
	struct hsm_fw		*fw;
	struct hsm_fw_config	config;
	char			store[128];
	uint32_t		part;		/* number of the partition in use */
	unsigned int		events;
	struct {
		enum hsm_fw_event	event;
		uint32_t		number;
	} event[CARD_EVENTS];
};

/* Contexts that the helpers use; tests may use others from 10 on. */
#define CTX_SO		1
#define CTX_PO		2
#define CTX_CO		3
#define CTX_CU		4

#define SO_PIN		"so-password"
#define PO_PIN		"po-password"
#define CO_PIN		"co-password"
#define CU_PIN		"cu-password"
#define FIRST_PIN	"first-password"
#define DOMAIN		"the cloning domain"

/* The directory that all stores of this process are in; removed at exit */
const char *card_dir(void);

/** card_new() - a blank card; cheap passwords, nothing synced */
struct card *card_new(uint64_t serial);
/** card_new_durable() - the same, and every change is synced to the disk */
struct card *card_new_durable(uint64_t serial);
/** card_power() - off, and on again with the same store */
void card_power_cycle(struct card *c);
/** card_free() - off, and the store is removed */
void card_free(struct card *c);

/** card_ready() - a new card with a partition whose roles PO, CO, CU are made and logged in */
struct card *card_ready(uint64_t serial, const char *domain);

/* Steps of the above */
unsigned long card_hsm_init(struct card *c, const char *label, const char *pin);
unsigned long card_login(struct card *c, uint32_t part, uint32_t ctx, uint32_t role,
			 const char *pin);
unsigned long card_logout(struct card *c, uint32_t part, uint32_t ctx);
unsigned long card_partition_create(struct card *c, uint32_t ctx, uint32_t *number);
unsigned long card_partition_init(struct card *c, uint32_t part, uint32_t ctx,
				  const char *label, const char *pin, const char *domain);
unsigned long card_role_init(struct card *c, uint32_t part, uint32_t ctx, uint32_t role,
			     const char *pin);
unsigned long card_set_pin(struct card *c, uint32_t part, uint32_t ctx, uint32_t role,
			   const char *old, const char *pin);
unsigned long card_set_challenge(struct card *c, uint32_t part, uint32_t ctx, uint32_t role,
				 const char *pin, const char *challenge);
unsigned long card_deactivate(struct card *c, uint32_t part, uint32_t ctx, uint32_t role);
unsigned long card_policy(struct card *c, uint32_t part, uint32_t ctx, uint32_t policy,
			  uint32_t value);
/** card_make_roles() - CO and CU of an initialised partition, logged in to CTX_CO and CTX_CU */
void card_make_roles(struct card *c, uint32_t part);

/** card_run() - have the card work on a message, whose answer nobody looks at; ends it */
unsigned long card_run(struct fwmsg *m, struct card *c, uint32_t part, uint32_t ctx);
/** card_simple() - an operation without fields */
unsigned long card_simple(struct card *c, uint32_t part, uint32_t ctx, uint32_t op);

/* Objects; all in c->part as CTX_CO */
void ouid_of(uint8_t ouid[PCIEHSM_OUID_LEN], uint32_t n);
unsigned long card_data(struct card *c, uint32_t ctx, uint32_t n, const char *label, bool token);
unsigned long card_rsa(struct card *c, uint32_t ctx, uint32_t n, const char *label, bool token);
/** card_ec() - P-256 pair: public key n, private key n + 1 */
unsigned long card_ec(struct card *c, uint32_t ctx, uint32_t n, const char *label, bool token);
/** card_aes() - a known AES key */
unsigned long card_aes(struct card *c, uint32_t ctx, uint32_t n, const uint8_t *value, size_t len,
		       bool open);
unsigned long card_destroy(struct card *c, uint32_t ctx, uint32_t n, uint32_t flags);
unsigned long card_find(struct card *c, uint32_t ctx, const char *label, unsigned int *count,
			uint8_t *ouids);
/** card_get() - one attribute */
unsigned long card_get(struct card *c, uint32_t ctx, uint32_t n, uint32_t type, uint8_t *value,
		       size_t *len);
unsigned long card_set_text(struct card *c, uint32_t ctx, uint32_t n, uint32_t type,
			    const char *text);
unsigned long card_sign(struct card *c, uint32_t ctx, uint32_t n, uint32_t mech,
			const void *data, size_t len, uint8_t *sig, size_t *sig_len);
/** card_version() - the version's counter and writer in the last answer */
void version_of(const struct fwmsg *m, uint64_t *counter, uint64_t *writer);
void card_digest(struct card *c, uint8_t digest[PCIEHSM_DIGEST_LEN]);

/** count_events() - how many of that kind and number (0: any) were told since the last reset */
unsigned int count_events(const struct card *c, enum hsm_fw_event event, uint32_t number);

#define assert_ok(rv)		assert_int_equal((rv), CKR_OK)
#define assert_rv(rv, what)	assert_int_equal((rv), (what))

#endif /* PCIEHSM_TESTS_FIRMWARE_CARD_H */
