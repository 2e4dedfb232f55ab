/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FIRMWARE_CLONE_CLONE_H
#define FIRMWARE_CLONE_CLONE_H

#include "clone/channel.h"
#include "core/firmware.h"

/**
 * struct clone_rules - which kinds of keys may be cloned, as policies say
 */
struct clone_rules {
	bool	private;
	bool	secret;
};

/** clone_rules() - the partition's rules at this moment */
struct clone_rules clone_rules(struct call *c);

/** clone_policies() - PCIEHSM_BATCH_* of this partition */
uint32_t clone_policies(struct call *c);

/** clone_allowed() - may an object of this class come or go? */
bool clone_allowed(const struct clone_rules *r, uint32_t class);

/** clone_put_result() - write one struct pciehsm_clone_result */
void clone_put_result(uint8_t *p, const uint8_t ouid[PCIEHSM_OUID_LEN], CK_RV rv);

/** clone_duplicates() - does an OUID come twice in @count of them, @stride bytes apart? */
bool clone_duplicates(const uint8_t *ouids, size_t count, size_t stride);

/** clone_hold() - the channel that PCIEHSM_F_CHANNEL names, locked; NULL if there is none */
struct channel *clone_hold(struct call *c);

/** clone_release() - unlock it; @end: it is over */
void clone_release(struct call *c, struct channel *ch, bool end);

#endif /* FIRMWARE_CLONE_CLONE_H */
