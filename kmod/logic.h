/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The decisions of the driver that need neither a card nor a kernel: states,
 * ring arithmetic, command ids, what a completion means, who may send what.
 *
 * logic.c is compiled into the module and, unchanged, into the unit tests in
 * userspace. So nothing here may sleep, lock, allocate or touch hardware, and
 * every number is in the byte order of the host.
 */
#ifndef HSM_LOGIC_H
#define HSM_LOGIC_H

#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/types.h>
#else
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <linux/types.h>
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
#endif

#include <pciehsm/fw.h>
#include <pciehsm/hw.h>
#include <pciehsm/ioctl.h>

/*
 * A command id is a slot of the queue and the generation of its use. 1023 slots
 * are far more than a card has engines for; 64 generations make it unlikely
 * that a completion which was repeated or delayed hits the same one again.
 */
#define HSM_SLOT_BITS		10
#define HSM_GEN_BITS		6
#define HSM_MAX_DEPTH		(1U << HSM_SLOT_BITS)
#define HSM_GEN_MASK		((1U << HSM_GEN_BITS) - 1)

static inline u16 hsm_cid(u16 slot, u8 gen)
{
	return (u16)((gen & HSM_GEN_MASK) << HSM_SLOT_BITS) |
	       (slot & (HSM_MAX_DEPTH - 1));
}

static inline u16 hsm_cid_slot(u16 cid)
{
	return cid & (HSM_MAX_DEPTH - 1);
}

static inline u8 hsm_cid_gen(u16 cid)
{
	return cid >> HSM_SLOT_BITS;
}

/* Index after @i in a ring of @depth entries. */
static inline u16 hsm_ring_next(u16 i, u16 depth)
{
	return i + 1U == depth ? 0 : i + 1;
}

u16 hsm_ring_used(u16 head, u16 tail, u16 depth);
bool hsm_ring_head_valid(u16 old, u16 new, u16 tail, u16 depth);

bool hsm_state_may_change(enum pciehsm_state from, enum pciehsm_state to);
bool hsm_state_terminal(enum pciehsm_state state);
const char *hsm_state_name(enum pciehsm_state state);

/* What a completion queue entry is to the slot that it names. */
enum hsm_cqe_kind {
	HSM_CQE_FINAL,		/* the command is over */
	HSM_CQE_PROGRESS,	/* the command is alive */
	HSM_CQE_UNKNOWN,	/* no such queue or slot, or a slot never used */
	HSM_CQE_STALE,		/* of an earlier use of the slot */
	HSM_CQE_DUPLICATE,	/* of a command that is over already */
};

/**
 * struct hsm_cqe_view - what the driver knows when a completion comes in
 * @qid:	queue on which it came
 * @sq_id:	as in the entry
 * @cid:	as in the entry
 * @status:	as in the entry
 * @nslots:	slots of the queue
 * @gen:	present generation of the slot; only read if the slot exists
 * @used:	the slot has been used since the queue was made
 * @inflight:	the slot's command has been sent and is not over
 */
struct hsm_cqe_view {
	u16	qid;
	u16	sq_id;
	u16	cid;
	u16	status;
	u16	nslots;
	u8	gen;
	bool	used;
	bool	inflight;
};

enum hsm_cqe_kind hsm_cqe_classify(const struct hsm_cqe_view *v);

int hsm_status_errno(u16 status, bool timed_out);
enum pciehsm_outcome hsm_status_outcome(u16 status);

int hsm_msg_lengths_ok(u32 in_len, u32 out_len, u32 max_msg);
int hsm_msg_header_ok(u32 length, u32 op, u32 in_len, bool hsm_node, bool writable);

unsigned int hsm_io_queues(unsigned int cpus, unsigned int card, unsigned int vectors,
			   unsigned int limit);

/* What the watchdog does with a command whose time is over. */
enum hsm_rung {
	HSM_RUNG_WAIT,		/* look again later */
	HSM_RUNG_ABORT,		/* ask the card to stop it */
	HSM_RUNG_RESET,		/* reset the card */
	HSM_RUNG_FAIL_START,	/* during start-up: give the command back, start-up fails */
	HSM_RUNG_DEAD,		/* the card is not there any more */
};

/**
 * struct hsm_ladder_view - what the watchdog knows about an overdue command
 * @state:	of the controller
 * @gone:	the card reads as all ones
 * @offline:	PCI error recovery has the channel; it will decide
 * @fatal:	CSTS.CFS is set, or CSTS.RDY is not although it should be
 * @admin:	the command is on the admin queue
 * @aborted:	an abort was sent (or should have been) and its time is over too
 */
struct hsm_ladder_view {
	enum pciehsm_state	state;
	bool			gone;
	bool			offline;
	bool			fatal;
	bool			admin;
	bool			aborted;
};

enum hsm_rung hsm_ladder(const struct hsm_ladder_view *v);

u32 hsm_recovery_ms(u32 abort_ms, u32 ready_ms);

#define HSM_STORM_MAX		32

/**
 * struct hsm_storm - when the last resets were
 * @at:		times, in any unit that only grows; a ring
 * @next:	where the next one goes
 * @n:		valid entries
 */
struct hsm_storm {
	u64		at[HSM_STORM_MAX];
	unsigned int	next;
	unsigned int	n;
};

bool hsm_storm_hit(struct hsm_storm *s, u64 now, u64 window, unsigned int limit);

#endif /* HSM_LOGIC_H */
