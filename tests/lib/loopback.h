/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cards inside the process: the firmware library behind libpciehsm's transport interface,
 * so that the userspace runs without a driver or QEMU, and with faults on demand.
 *
 * A message is worked on in the thread that sends it. Cards can be pulled out, put back
 * (which is a power cycle), reset, and made to hang; partitions come and go with what the
 * firmware does. All functions may be called from any thread while messages run.
 */
#ifndef PCIEHSM_TESTS_LOOPBACK_H
#define PCIEHSM_TESTS_LOOPBACK_H

#include <pciehsm-firmware.h>

#include "transport.h"

struct loopback;

/**
 * loopback_new() - a machine without cards
 * @dir:	an existing directory for the cards' stores
 */
struct loopback *loopback_new(const char *dir);

/** loopback_free() - end it, after its bus was closed; the stores stay */
void loopback_free(struct loopback *lb);

/**
 * loopback_bus() - the machine's bus, to be closed by who uses it
 *
 * There may be several at once, for processes that are played by threads.
 */
struct pciehsm_bus *loopback_bus(struct loopback *lb);

/**
 * loopback_add() - put in a new card
 * @serial:		of the HSM
 * @partition_base:	number of its first partition
 *
 * The store is @dir/<serial>.card; what it holds already is found again. Passwords cost
 * little and nothing is flushed to disk.
 */
void loopback_add(struct loopback *lb, uint64_t serial, uint32_t partition_base);

/**
 * loopback_add_config() - the same with everything up to the caller
 * @config:	copied, with the strings and the key; @event and @opaque of it are not used
 */
void loopback_add_config(struct loopback *lb, const struct hsm_fw_config *config);

/** loopback_pull() - surprise removal: files answer ENODEV for good, the power is off */
void loopback_pull(struct loopback *lb, uint64_t serial);
/** loopback_return() - put a card that was pulled out back; it gets the lowest free number */
void loopback_return(struct loopback *lb, uint64_t serial);
/** loopback_reset() - the driver resets the card: every context on it has ended */
void loopback_reset(struct loopback *lb, uint64_t serial);
/** loopback_tamper() - a card's case is opened */
void loopback_tamper(struct loopback *lb, uint64_t serial);

/** loopback_no_driver() - from now on (or not any more) there is no driver */
void loopback_no_driver(struct loopback *lb, bool none);

/** enum loopback_fault - what becomes of a message */
enum loopback_fault {
	LOOPBACK_WORKS,
	LOOPBACK_HANGS,			/* ETIMEDOUT, outcome unknown; it was not executed */
	LOOPBACK_HANGS_AFTER,		/* ETIMEDOUT, outcome unknown; it was executed */
	LOOPBACK_TIMES_OUT,		/* ETIMEDOUT, not executed */
	LOOPBACK_FAULT,			/* EIO, not executed */
	LOOPBACK_NO_ROOM,		/* ENOMEM, not executed */
	LOOPBACK_GARBAGE,		/* an answer that is none */
	LOOPBACK_PULLED,		/* the card is pulled out before it is executed */
	LOOPBACK_PULLED_AFTER,		/* the card is pulled out before it answers */
};

/** loopback_set_fault() - of all messages to a card */
void loopback_set_fault(struct loopback *lb, uint64_t serial, enum loopback_fault fault);

/**
 * loopback_set_hang_ms() - how long a message that hangs keeps its caller waiting
 * @ms:		0 (the default): not at all; or the message's own time-out, if that is less
 */
void loopback_set_hang_ms(struct loopback *lb, unsigned int ms);

/* @serial is the partition's, or the HSM's; @op is enum pciehsm_op */
typedef enum loopback_fault (*loopback_filter)(void *arg, const char *serial, uint32_t op);

/**
 * loopback_set_filter() - decide of each message
 * @filter:	called before each message that set_fault has nothing against, from the
 *		sender's thread; NULL: none
 */
void loopback_set_filter(struct loopback *lb, loopback_filter filter, void *arg);

/** loopback_forked() - in a child: the locks are as if no thread but this had ever been */
void loopback_forked(struct loopback *lb);

/** loopback_messages() - how many messages a card was sent since it was added */
uint64_t loopback_messages(struct loopback *lb, uint64_t serial);

#endif /* PCIEHSM_TESTS_LOOPBACK_H */
