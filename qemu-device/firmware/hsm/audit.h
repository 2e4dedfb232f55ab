/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The audit log: see "Audit log" in <pciehsm/fw.h>.
 *
 * Entries are rows of the store, each with its chain value, sealed; how far the log
 * goes is a record of its own, so that nothing can be cut off or put back unseen.
 */
#ifndef FIRMWARE_HSM_AUDIT_H
#define FIRMWARE_HSM_AUDIT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "crypto/secret.h"

struct call;
struct hsm_fw;

/**
 * struct audit_state - how far the log goes; what the store's record says
 * @mask:	PCIEHSM_AUDIT_LOG_*
 * @flags:	PCIEHSM_AUDIT_HALT
 * @first:	number of the oldest entry kept
 * @last:	number of the newest entry
 * @before:	chain value before @first
 * @chain:	chain value of @last
 */
struct audit_state {
	uint32_t	mask;
	uint32_t	flags;
	uint64_t	first;
	uint64_t	last;
	uint8_t		before[FW_SHA256_LEN];
	uint8_t		chain[FW_SHA256_LEN];
};

/**
 * struct audit - the log in memory
 * @lock:	of @state; taken before the store's
 * @state:	see above
 * @power_on:	as struct hsm_state has it; does not change while the card is on
 * @wanted:	what of @state every message asks for: the mask, and AUDIT_STOPPED
 */
struct audit {
	pthread_mutex_t		lock;
	struct audit_state	state;
	atomic_uint_fast32_t	wanted;
	uint64_t		power_on;
};

/** audit_init() - before anything else; audit_destroy() when all is over */
void audit_init(struct hsm_fw *fw);
void audit_destroy(struct hsm_fw *fw);

/** audit_load() - from the store; 0 or -EBADMSG */
int audit_load(struct hsm_fw *fw);

/** audit_event() - write down what no command did; enum pciehsm_audit_event */
CK_RV audit_event(struct hsm_fw *fw, uint32_t event);

/** audit_admit() - CKR_OK, or PCIEHSM_CKR_AUDIT_FULL: it could not be written down */
CK_RV audit_admit(struct call *c);

/**
 * audit_call() - write down what became of a message, if that is wanted
 * @c:		the message, done
 * @role:	who was logged in when it began
 * @rv:		its result
 *
 * Return: CKR_OK, or CKR_DEVICE_ERROR: it was done, but could not be written down.
 */
CK_RV audit_call(struct call *c, uint32_t role, CK_RV rv);

#endif /* FIRMWARE_HSM_AUDIT_H */
