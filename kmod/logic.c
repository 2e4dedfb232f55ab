// SPDX-License-Identifier: GPL-2.0-only
/* See logic.h: pure functions, also compiled into the unit tests. */

#include "logic.h"

/**
 * hsm_ring_used() - entries between @head and @tail
 * @head:	index of the consumer
 * @tail:	index of the producer
 * @depth:	entries of the ring
 */
u16 hsm_ring_used(u16 head, u16 tail, u16 depth)
{
	return tail >= head ? tail - head : depth - head + tail;
}

/**
 * hsm_ring_head_valid() - may the card have read a ring up to @new?
 * @old:	up to where it had read it before
 * @new:	up to where it says that it has read it
 * @tail:	up to where there is something to read
 * @depth:	entries of the ring
 *
 * Completions of one queue come in one ring, so their heads never go back. One that
 * stands still is right, one beyond the tail is not.
 */
bool hsm_ring_head_valid(u16 old, u16 new, u16 tail, u16 depth)
{
	return new < depth &&
	       hsm_ring_used(old, new, depth) <= hsm_ring_used(old, tail, depth);
}

/**
 * hsm_state_may_change() - the table of the state machine
 * @from:	present state
 * @to:		wanted state
 *
 * LIVE is reached only from CONNECTING, DEAD only from DELETING, and nothing
 * leads back from these two last ones. CONNECTING to RESETTING is for those who
 * take the card away in the middle of its start: PCI error recovery, FLR, suspend.
 */
bool hsm_state_may_change(enum pciehsm_state from, enum pciehsm_state to)
{
	switch (to) {
	case PCIEHSM_STATE_CONNECTING:
		return from == PCIEHSM_STATE_NEW || from == PCIEHSM_STATE_RESETTING;
	case PCIEHSM_STATE_LIVE:
		return from == PCIEHSM_STATE_CONNECTING;
	case PCIEHSM_STATE_RESETTING:
		return from == PCIEHSM_STATE_LIVE || from == PCIEHSM_STATE_CONNECTING;
	case PCIEHSM_STATE_DELETING:
		return from == PCIEHSM_STATE_NEW || from == PCIEHSM_STATE_CONNECTING ||
		       from == PCIEHSM_STATE_LIVE || from == PCIEHSM_STATE_RESETTING;
	case PCIEHSM_STATE_DEAD:
		return from == PCIEHSM_STATE_DELETING;
	default:
		return false;
	}
}

/**
 * hsm_state_terminal() - will the controller never work again?
 * @state:	its state
 */
bool hsm_state_terminal(enum pciehsm_state state)
{
	return state == PCIEHSM_STATE_DELETING || state == PCIEHSM_STATE_DEAD;
}

/**
 * hsm_state_name() - as it stands in sysfs
 * @state:	any value
 */
const char *hsm_state_name(enum pciehsm_state state)
{
	switch (state) {
	case PCIEHSM_STATE_NEW:
		return "new";
	case PCIEHSM_STATE_CONNECTING:
		return "connecting";
	case PCIEHSM_STATE_LIVE:
		return "live";
	case PCIEHSM_STATE_RESETTING:
		return "resetting";
	case PCIEHSM_STATE_DELETING:
		return "deleting";
	case PCIEHSM_STATE_DEAD:
		return "dead";
	}
	return "unknown";
}

/**
 * hsm_cqe_classify() - is this completion for a command of ours?
 * @v:	what is known
 *
 * Nothing that a card writes is believed: an entry that does not name a command
 * in flight is counted and dropped.
 */
enum hsm_cqe_kind hsm_cqe_classify(const struct hsm_cqe_view *v)
{
	if (v->sq_id != v->qid || hsm_cid_slot(v->cid) >= v->nslots || !v->used)
		return HSM_CQE_UNKNOWN;
	if (hsm_cid_gen(v->cid) != (v->gen & HSM_GEN_MASK))
		return HSM_CQE_STALE;
	if (!v->inflight)
		return HSM_CQE_DUPLICATE;
	if (PCIEHSM_CQE_STATUS(v->status) == PCIEHSM_SC_PROGRESS)
		return HSM_CQE_PROGRESS;
	return HSM_CQE_FINAL;
}

/**
 * hsm_status_errno() - errno for the status of a completion
 * @status:	as in the entry
 * @timed_out:	the driver had asked for the abort because the time was over
 *
 * Return: 0 or a negative errno of the table in ioctl.h.
 */
int hsm_status_errno(u16 status, bool timed_out)
{
	switch (PCIEHSM_CQE_STATUS(status)) {
	case PCIEHSM_SC_SUCCESS:
		return 0;
	case PCIEHSM_SC_ABORTED:
		return timed_out ? -ETIMEDOUT : -ECANCELED;
	case PCIEHSM_SC_INVALID_PARTITION:
		return -ENODEV;
	case PCIEHSM_SC_CONTEXT_LIMIT:
		return -ENOMEM;
	case PCIEHSM_SC_MSG_SIZE:
		return -EMSGSIZE;
	case PCIEHSM_SC_MSG_MISMATCH:
	case PCIEHSM_SC_OUT_SIZE:
		return -EINVAL;
	default:
		return -EIO;
	}
}

/**
 * hsm_status_outcome() - was the command executed?
 * @status:	as in the entry
 */
enum pciehsm_outcome hsm_status_outcome(u16 status)
{
	if (PCIEHSM_CQE_STATUS(status) == PCIEHSM_SC_SUCCESS)
		return PCIEHSM_OUTCOME_DONE;
	return status & PCIEHSM_CQE_NOT_EXECUTED ? PCIEHSM_OUTCOME_NOT_EXECUTED :
						   PCIEHSM_OUTCOME_UNKNOWN;
}

/**
 * hsm_msg_lengths_ok() - check the sizes that a caller gave
 * @in_len:	bytes of the request
 * @out_len:	bytes of room for the answer
 * @max_msg:	greatest message of the card, bytes
 *
 * Return: 0, -EINVAL (no room for a header) or -EMSGSIZE.
 */
int hsm_msg_lengths_ok(u32 in_len, u32 out_len, u32 max_msg)
{
	if (in_len < sizeof(struct pciehsm_msg) || out_len < sizeof(struct pciehsm_msg))
		return -EINVAL;
	if (in_len > max_msg || out_len > max_msg)
		return -EMSGSIZE;
	return 0;
}

/**
 * hsm_msg_header_ok() - may this message be sent through this file?
 * @length:	as in the message
 * @op:		as in the message
 * @in_len:	bytes of the request that the caller gave
 * @hsm_node:	the file is of the card's node, not of a partition's
 * @writable:	the file is open for writing
 *
 * Return: 0, -EINVAL (length) or -EACCES.
 */
int hsm_msg_header_ok(u32 length, u32 op, u32 in_len, bool hsm_node, bool writable)
{
	if (length != in_len)
		return -EINVAL;
	if (!(op & (hsm_node ? PCIEHSM_OP_HSM : PCIEHSM_OP_PARTITION)))
		return -EACCES;
	if ((op & PCIEHSM_OP_WRITE) && !writable)
		return -EACCES;
	return 0;
}

/**
 * hsm_io_queues() - how many I/O queue pairs to ask for
 * @cpus:	online ones
 * @card:	queue pairs of the card
 * @vectors:	interrupt vectors that were granted, at least 1
 * @limit:	module parameter
 *
 * The admin queue has a vector for itself if there is more than one; with a single
 * vector it shares it with one I/O queue.
 *
 * Return: at least 1.
 */
unsigned int hsm_io_queues(unsigned int cpus, unsigned int card, unsigned int vectors,
			   unsigned int limit)
{
	unsigned int n = vectors > 1 ? vectors - 1 : 1;

	if (n > cpus)
		n = cpus;
	if (n > card)
		n = card;
	if (n > limit)
		n = limit;
	if (n > PCIEHSM_MAX_IO_QUEUES)
		n = PCIEHSM_MAX_IO_QUEUES;
	return n ? n : 1;
}

/**
 * hsm_ladder() - the next step for a command whose time is over
 * @v:	what is known; the completion queue has been polled already
 *
 * A command that can not be aborted in its time costs a reset of the card; so does
 * an admin command at once, because aborts go through the same queue. While the
 * card starts nobody else is waiting: start-up fails.
 */
enum hsm_rung hsm_ladder(const struct hsm_ladder_view *v)
{
	if (hsm_state_terminal(v->state))
		return HSM_RUNG_WAIT;
	if (v->offline)
		return HSM_RUNG_WAIT;
	if (v->gone)
		return HSM_RUNG_DEAD;
	switch (v->state) {
	case PCIEHSM_STATE_CONNECTING:
		return HSM_RUNG_FAIL_START;
	case PCIEHSM_STATE_LIVE:
		if (v->fatal || v->admin || v->aborted)
			return HSM_RUNG_RESET;
		return HSM_RUNG_ABORT;
	default:
		/* A reset is on its way and gives every command back. */
		return HSM_RUNG_WAIT;
	}
}

/**
 * hsm_recovery_ms() - greatest time between a command's timeout and its answer
 * @abort_ms:	time that an abort may take, or the orderly end of the queues
 * @ready_ms:	time that the card may take to disable itself
 *
 * The abort, then clearing CC.EN, then 1 s for the watchdog to be scheduled twice.
 * After that the command is given back, whatever becomes of the card.
 */
u32 hsm_recovery_ms(u32 abort_ms, u32 ready_ms)
{
	return abort_ms + ready_ms + 1000;
}

/**
 * hsm_storm_hit() - note a reset; has the card had too many of them?
 * @s:		history
 * @now:	present time
 * @window:	in the unit of @now
 * @limit:	resets allowed within @window; 0: any number
 */
bool hsm_storm_hit(struct hsm_storm *s, u64 now, u64 window, unsigned int limit)
{
	unsigned int i, recent = 0;

	s->at[s->next] = now;
	s->next = (s->next + 1) % HSM_STORM_MAX;
	if (s->n < HSM_STORM_MAX)
		s->n++;
	for (i = 0; i < s->n; i++)
		if (now - s->at[i] < window)
			recent++;
	return limit && recent > limit;
}
