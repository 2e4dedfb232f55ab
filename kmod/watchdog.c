// SPDX-License-Identifier: GPL-2.0-only
/*
 * The watchdog: the only place where time runs out. It runs at the earliest deadline
 * and at least every HSM_TICK_MS, idle or not (so that a card which has failed or
 * gone is found before somebody needs it), and climbs the ladder (hsm_ladder()) for
 * what is late. It never waits for the card, but for the one case of a failed start.
 */

#include <linux/io.h>
#include <linux/jiffies.h>

#include "hsm.h"
#include "trace.h"

/* What the card's state is, as far as the ladder cares. */
static void hsm_watchdog_look(struct hsm_ctrl *ctrl, struct hsm_ladder_view *v)
{
	bool lost;
	u32 csts;

	v->state = hsm_ctrl_state(ctrl);
	v->offline = pci_channel_offline(ctrl->pdev);
	if (v->offline || (v->state != PCIEHSM_STATE_LIVE &&
			   v->state != PCIEHSM_STATE_CONNECTING)) {
		ctrl->gone_since = 0;
		return;
	}
	csts = readl(ctrl->bar + PCIEHSM_REG_CSTS);
	/* Not ready although nobody has disabled it: it has lost its state. */
	lost = v->state == PCIEHSM_STATE_LIVE && !(csts & PCIEHSM_CSTS_RDY);
	/* Where nothing answers, some machines read 0. */
	if (csts != U32_MAX && !(lost && !readl(ctrl->bar + PCIEHSM_REG_VS))) {
		ctrl->gone_since = 0;
		v->fatal = lost || (csts & PCIEHSM_CSTS_CFS);
		return;
	}
	/*
	 * A link that is down may come back by PCI error recovery, which will then
	 * say so through error_detected(). Nothing comes back from a removal.
	 */
	if (!ctrl->gone_since)
		ctrl->gone_since = jiffies ?: 1;
	v->gone = pci_dev_is_disconnected(ctrl->pdev) ||
		  time_after(jiffies, ctrl->gone_since + msecs_to_jiffies(HSM_GONE_MS));
}

/* Is the slot's command late? With q->lock it stays the same command meanwhile. */
static bool hsm_watchdog_late(const struct hsm_slot *slot)
{
	return hsm_slot_inflight(slot) && slot->timeout &&
	       time_after_eq(jiffies, READ_ONCE(slot->deadline));
}

/* The first step, before anything is done about late commands: a lost interrupt? */
static void hsm_watchdog_poll(struct hsm_queue *q)
{
	unsigned int i, n, late = 0;

	for (i = 0; i < q->nslots; i++)
		late += hsm_watchdog_late(&q->slots[i]);
	if (!late)
		return;
	n = hsm_queue_poll(q);
	if (n) {
		atomic64_add(n, &q->ctrl->counters.missed_irqs);
		dev_warn_ratelimited(&q->ctrl->pdev->dev,
				     "queue %u: %u completions without an interrupt\n",
				     q->qid, n);
	}
}

/*
 * Take the next step for one slot. Returns it if it concerns the whole card. @next
 * is the earliest deadline so far.
 */
static enum hsm_rung hsm_watchdog_slot(struct hsm_slot *slot, struct hsm_ladder_view *v,
				       unsigned long *next)
{
	struct hsm_queue *q = slot->queue;
	enum hsm_rung rung = HSM_RUNG_WAIT;
	bool abort = false;
	u16 cid;

	spin_lock(&q->lock);
	cid = hsm_cid(slot->index, slot->gen);
	if (hsm_watchdog_late(slot)) {
		v->admin = !q->qid;
		v->aborted = slot->timed_out;
		rung = hsm_ladder(v);
		trace_pciehsm_rung(slot, rung);
		if (rung != HSM_RUNG_WAIT && !slot->timed_out) {
			slot->timed_out = true;
			atomic64_inc(&q->ctrl->counters.timeouts);
		}
		if (rung == HSM_RUNG_ABORT) {
			WRITE_ONCE(slot->deadline,
				   jiffies + msecs_to_jiffies(hsm_abort_timeout_ms));
			if (slot->abort == HSM_ABORT_NO)
				slot->abort = HSM_ABORT_WANTED;
			rung = HSM_RUNG_WAIT;
		}
	}
	if (hsm_slot_inflight(slot)) {
		abort = READ_ONCE(slot->abort) == HSM_ABORT_WANTED;
		if (slot->timeout && !hsm_watchdog_late(slot) &&
		    time_before(READ_ONCE(slot->deadline), *next))
			*next = READ_ONCE(slot->deadline);
	}
	spin_unlock(&q->lock);

	if (abort && hsm_abort_send(q, cid)) {
		spin_lock(&q->lock);
		if (hsm_slot_inflight(slot) && cid == hsm_cid(slot->index, slot->gen))
			slot->abort = HSM_ABORT_SENT;
		spin_unlock(&q->lock);
	}
	return rung;
}

static void hsm_watchdog_reset(struct hsm_ctrl *ctrl, bool fatal)
{
	u32 code = fatal ? hsm_ctrl_fatal(ctrl) : PCIEHSM_FATAL_NONE;
	char why[48] = "a command got no answer";

	if (fatal)
		snprintf(why, sizeof(why), "the card does not go on, code %u", code);
	/* Its memory did not come along: nothing that speaks against the card. */
	if (code == PCIEHSM_FATAL_MIGRATED)
		hsm_ctrl_reset(ctrl, "the machine was migrated or restored", false);
	else
		hsm_ctrl_reset(ctrl, why, true);
}

static void hsm_watchdog_rearm(struct hsm_ctrl *ctrl, unsigned long at)
{
	long delay = at - jiffies;

	spin_lock(&ctrl->watchdog_lock);
	if (!delayed_work_pending(&ctrl->watchdog) || time_before(at, ctrl->watchdog_at)) {
		ctrl->watchdog_at = at;
		mod_delayed_work(hsm_wq, &ctrl->watchdog, delay > 0 ? delay : 1);
	}
	spin_unlock(&ctrl->watchdog_lock);
}

/**
 * hsm_watchdog_kick() - make sure that the watchdog runs in time
 * @ctrl:	the card
 * @timeout:	jiffies until something may be late
 */
void hsm_watchdog_kick(struct hsm_ctrl *ctrl, unsigned long timeout)
{
	unsigned long tick = msecs_to_jiffies(HSM_TICK_MS);

	/* The usual case: it will run within the tick anyway. */
	if (timeout >= tick && delayed_work_pending(&ctrl->watchdog))
		return;
	hsm_watchdog_rearm(ctrl, jiffies + min(timeout, tick));
}

/**
 * hsm_watchdog() - look after what is in flight
 * @work:	ctrl->watchdog
 */
void hsm_watchdog(struct work_struct *work)
{
	struct hsm_ctrl *ctrl = container_of(to_delayed_work(work), struct hsm_ctrl, watchdog);
	unsigned long next = jiffies + msecs_to_jiffies(HSM_TICK_MS);
	struct hsm_ladder_view v = {};
	enum hsm_rung rung = HSM_RUNG_WAIT;
	struct hsm_queue *q;
	bool again = false;
	unsigned int i, j;

	hsm_watchdog_look(ctrl, &v);
	if (hsm_state_terminal(v.state))
		return;
	if (v.gone)
		rung = HSM_RUNG_DEAD;
	else if (v.fatal)
		rung = v.state == PCIEHSM_STATE_LIVE ? HSM_RUNG_RESET : HSM_RUNG_FAIL_START;
	else if (ctrl->gone_since)
		next = jiffies + msecs_to_jiffies(HSM_GONE_MS);

	/* Queue 0 last: an abort that is late is a reason to reset at once. */
	for (i = hsm_ctrl_queues(ctrl); i-- > 0 && rung == HSM_RUNG_WAIT;) {
		q = ctrl->queues[i];
		hsm_watchdog_poll(q);
		for (j = 0; j < q->nslots && rung == HSM_RUNG_WAIT; j++) {
			if (!hsm_slot_inflight(&q->slots[j]))
				continue;
			again = true;
			rung = hsm_watchdog_slot(&q->slots[j], &v, &next);
		}
	}

	switch (rung) {
	case HSM_RUNG_RESET:
		hsm_watchdog_reset(ctrl, v.fatal);
		break;
	case HSM_RUNG_FAIL_START:
		if (v.fatal && hsm_ctrl_fatal(ctrl) == PCIEHSM_FATAL_MIGRATED)
			WRITE_ONCE(ctrl->migrated, true);
		/* The worker that starts the card waits for one of these commands. */
		hsm_ctrl_quiesce(ctrl, 0, -ECANCELED);
		break;
	case HSM_RUNG_DEAD:
		hsm_ctrl_kill(ctrl, "the card has gone");
		return;
	default:
		break;
	}
	/* Held in a reset without anything in flight: the next start wakes it. */
	if (again || v.state == PCIEHSM_STATE_LIVE || v.state == PCIEHSM_STATE_CONNECTING)
		hsm_watchdog_rearm(ctrl, next);
}
