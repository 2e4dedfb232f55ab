/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the HA engine begin with: cards, a group of their partitions, an engine. */
#ifndef PCIEHSM_TESTS_HA_FIXTURE_H
#define PCIEHSM_TESTS_HA_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cards.h"
#include "env.h"
#include "ha.h"

extern struct loopback *lb;
extern struct ha *ha;
extern struct ha_token *token;
/* The configuration file. */
extern char config_path[4096];

/*
 * A limit against hangs alone, for what should be there within a second: how long a busy machine
 * lets a thread wait is not the engine's. The second itself is checked on simulated time.
 */
#define WAIT_MS		30000

/** with_group(), without_group() - two cards, a group, an engine with the group's token */
int with_group(void **state);
int without_group(void **state);

#define IS(wanted, call) do { \
	CK_RV got_ = (call); \
	if (got_ != (wanted)) \
		fail_msg("%s: %s, wanted %s", #call, pciehsm_rv_name(got_), \
			 pciehsm_rv_name(wanted)); \
} while (0)
#define OK(call) IS(CKR_OK, call)

/** login() - the Crypto Officer */
void login(void);
/** ec_pair() - a P-256 token key pair */
CK_RV ec_pair(uint32_t session, const char *label, struct ha_ouid *pub, struct ha_ouid *priv);
/** aes_key() - an AES-256 key */
CK_RV aes_key(uint32_t session, bool of_token, struct ha_ouid *key);
/** sign_with() - one ECDSA signature */
CK_RV sign_with(uint32_t session, const struct ha_ouid *priv);
/** at() - a partition as such, not through the engine; to be closed */
struct pciehsm_transport *at(const char *serial);
/** set_policy() - by its Partition SO */
void set_policy(const char *serial, uint32_t policy, uint32_t value);
/** now_ms() - of a monotonic clock */
uint64_t now_ms(void);
/** write_config() - the whole file, as an editor would, not atomically */
void write_config(const char *text);

#endif /* PCIEHSM_TESTS_HA_FIXTURE_H */
