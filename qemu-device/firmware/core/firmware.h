/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The card as a whole, and one message on its way through it.
 *
 * Locks, in the order in which they may be taken:
 *   hsm_fw.auth		a password of the HSM is being checked
 *   hsm_fw.admin		the HSM's state or the set of partitions is being changed
 *   partition.auth		a password of the partition is being checked
 *   partition.change		the partition's state or objects are being changed
 *   hsm_fw.audit.lock		the audit log is being written or read
 *   the store's		a transaction is under way
 *   hsm_fw.lock, partition.lock, a context's lock: held briefly, to look
 *				something up or to make a committed change visible.
 *				Inside hsm_fw.lock a partition.lock may be taken,
 *				inside the context table's lock a context's.
 * Nobody computes or waits for the disk with one of the last line. Several
 * partition.change are taken only by who holds hsm_fw.admin.
 */
#ifndef FIRMWARE_CORE_FIRMWARE_H
#define FIRMWARE_CORE_FIRMWARE_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/context.h"
#include "core/engine.h"
#include "crypto/identity.h"
#include "hsm/audit.h"
#include "hsm/partition.h"
#include "hsm/state.h"
#include "include/pciehsm-firmware.h"
#include "message/message.h"
#include "store/store.h"

#define FW_VERSION		"1.0.0"
#define FW_MODEL		"pciehsm"
#define FW_MAX_PARTITIONS	100
#define FW_MAX_CONTEXTS		4096
#define FW_MAX_ENGINES		64
/* Quota that a card has in all, and what a partition gets unasked */
#define FW_SPACE		(16ULL << 30)
#define FW_PARTITION_SIZE	(128ULL << 20)
#define FW_PARTITION_SIZE_MIN	(64ULL << 10)

/**
 * struct hsm_fw - a card
 * @config:		as given; strings and key are not kept in here
 * @serial_text:	the serial, digits
 * @identity:		of the card; set when it is opened
 * @auth:		see above
 * @admin:		see above
 * @lock:		of @hsm and @partitions
 * @hsm:		the HSM's state
 * @partitions:		by index - 1; each one referenced
 * @allowed:		a bit for each policy of the HSM that is not 0: looked at by many,
 *			with no lock
 * @epoch:		grows when the HSM's roles are destroyed: earlier logins are void
 * @started_at:		when the card was switched on, ms
 * @audit:		the audit log
 * @failed:		a new pair of keys did not fit together: no key works until the card
 *			is switched on again, with its self tests
 * @auditor_locked_at:	when the auditor's password was locked, ms; under @auth
 */
struct hsm_fw {
	struct hsm_fw_config	config;
	char			serial_text[FW_SERIAL_MAX];
	char			model[16];
	struct store		*store;
	struct fw_identity	*identity;
	pthread_mutex_t		auth;
	pthread_mutex_t		admin;
	pthread_rwlock_t	lock;
	struct hsm_state	hsm;
	struct partition	*partitions[FW_MAX_PARTITIONS];
	struct contexts		contexts;
	struct engines		engines;
	atomic_bool		tampered;
	atomic_bool		failed;
	atomic_uint_fast64_t	allowed;
	atomic_uint_fast64_t	epoch;
	uint64_t		auditor_locked_at;
	uint64_t		started_at;
	struct audit		audit;
};

/** hsm_publish() - @fw->hsm was changed; under @fw->lock, or before others see @fw */
void hsm_publish(struct hsm_fw *fw);

/** hsm_allows() - is a policy of the HSM other than 0? */
static inline bool hsm_allows(struct hsm_fw *fw, uint32_t policy)
{
	return atomic_load_explicit(&fw->allowed, memory_order_relaxed) >> policy & 1;
}

/** approved_only() - HSM policy 12 or partition policy 43: approved mechanisms alone */
bool approved_only(struct hsm_fw *fw, struct partition *p);

/* Each partition may change once, and the HSM */
#define EVENTS_MAX		(2 * FW_MAX_PARTITIONS + 8)

struct event {
	enum hsm_fw_event	event;
	uint32_t		number;
};

/**
 * struct events - what the front end is to be told when no lock is held any more
 */
struct events {
	unsigned int	count;
	struct event	list[EVENTS_MAX];
};

/** events_add() - note an event */
void events_add(struct events *events, enum hsm_fw_event event, uint32_t number);

/** events_fire() - tell the front end, without locks held */
void events_fire(struct hsm_fw *fw, const struct events *events);

/**
 * struct call - one message that is being worked on
 * @fw:		the card
 * @req:	the front end's request
 * @spec:	the operation
 * @part:	the partition, referenced; NULL for the HSM
 * @ctx:	the context, entered
 * @role:	who is logged in (PCIEHSM_ROLE_*), as of the beginning
 * @queued:	it was submitted
 * @epoch:	of the roles, as of the beginning
 * @progress_at: when progress was last reported, ms
 * @status:	HSM_FW_ANSWERED unless a handler finds that there is nobody to answer
 * @in:		the request
 * @out:	the answer
 * @events:	to be fired afterwards
 */
struct call {
	struct hsm_fw		*fw;
	struct hsm_fw_request	*req;
	const struct op_spec	*spec;
	struct partition	*part;
	struct context		*ctx;
	uint32_t		role;
	enum hsm_fw_status	status;
	bool			queued;
	uint64_t		epoch;
	uint64_t		progress_at;
	struct message		in;
	struct answer		out;
	struct events		events;
};

/**
 * struct op_spec - one operation
 * @op:		its number
 * @flags:	OP_*
 * @takes:	fields of its request, see message_takes_init()
 * @stat:	what it counts as, PCIEHSM_STAT_*, or STAT_NONE
 * @run:	does it; the fields are checked, and what @flags say holds
 */
struct op_spec {
	uint32_t	op;
	uint32_t	flags;
	const uint16_t	*takes;
	int		stat;
	CK_RV		(*run)(struct call *c);
};

/* Needs no login: works for a role that must change its password, and on a blank card */
#define OP_OPEN			(1U << 0)
/* Needs one of these roles */
#define OP_SO			(1U << 1)
#define OP_PO			(1U << 2)
#define OP_CO			(1U << 3)
#define OP_AU			(1U << 4)
/* Answers even when the card was tampered with */
#define OP_TAMPERED		(1U << 5)

#define STAT_NONE		(-1)

/** op_find() - the operation with this number, or NULL */
const struct op_spec *op_find(uint32_t op);

/** op_takes() - the fields of its requests, for message_parse() */
const struct message_takes *op_takes(const struct op_spec *spec);

/**
 * call_execute() - work on a message; the outcome is in @req
 * @fw:		the card
 * @req:	the message
 * @queued:	it was submitted: it can be aborted and wants to hear of progress
 */
void call_execute(struct hsm_fw *fw, struct hsm_fw_request *req, bool queued);

/**
 * call_step() - to be called often by what takes long
 * @opaque:	the struct call
 *
 * Reports progress. Return: false if the work is to be given up.
 */
bool call_step(void *opaque);

/** call_alive() - the same for what is not given up any more: reports, and no more than that */
void call_alive(void *opaque);

/** fw_now_ms() - the card's monotonic clock */
uint64_t fw_now_ms(struct hsm_fw *fw);

/** fw_nonce() - random bytes that are no key material (may be a simulation's) */
CK_RV fw_nonce(struct hsm_fw *fw, void *buf, size_t len);

/**
 * struct hsm_change - the HSM's state on its way to another one
 * @fw:		the card, @fw->admin held
 * @state:	as it will be
 * @create:	partition to be added, or NULL; the reference goes over with the commit
 * @remove:	which partitions go
 * @removing:	there are any
 * @end_logins:	all logins to the HSM are void with the commit
 * @call:	NULL, or the message, which hears of progress
 */
struct hsm_change {
	struct hsm_fw		*fw;
	struct hsm_state	state;
	struct partition	*create;
	struct partition	*remove[FW_MAX_PARTITIONS];
	unsigned int		removing;
	bool			end_logins;
	struct call		*call;
};

/** hsm_change_begin() - begin a change of the HSM; takes @fw->admin */
CK_RV hsm_change_begin(struct hsm_change *ch, struct hsm_fw *fw);

/** hsm_change_remove() - a partition goes with this change; waits for its writer */
void hsm_change_remove(struct hsm_change *ch, struct partition *p);

/** hsm_change_remove_all() - every partition goes */
void hsm_change_remove_all(struct hsm_change *ch);

/**
 * hsm_change_commit() - make it durable, then visible
 * @ch:		the change, ended in any case
 * @events:	gets an event for each partition that came or went
 *
 * Return: CKR_OK or PCIEHSM_CKR_STORE, and then nothing happened.
 */
CK_RV hsm_change_commit(struct hsm_change *ch, struct events *events);

/** hsm_change_abort() - end the change, nothing happens */
void hsm_change_abort(struct hsm_change *ch);

/**
 * hsm_destroy() - within a change: all partitions and the roles go
 *
 * contexts_purge() must follow the commit.
 */
void hsm_destroy(struct hsm_change *ch);

#endif /* FIRMWARE_CORE_FIRMWARE_H */
