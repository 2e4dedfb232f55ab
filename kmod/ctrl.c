// SPDX-License-Identifier: GPL-2.0-only
/*
 * The controller: its state machine, its start, its end, and what lies between two
 * starts. One function changes the state, one function quiesces, whoever calls.
 */

#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/jiffies.h>
#include <linux/timekeeping.h>

#include "hsm.h"
#include "trace.h"

/**
 * hsm_ctrl_change_state() - the only way to another state
 * @ctrl:	the card
 * @to:		wanted state
 *
 * Wakes everybody who waits for a state and everybody who waits for events. May sleep.
 *
 * Return: false if the state machine does not allow it (or, for CONNECTING, if
 * somebody holds the card in RESETTING). The caller must then leave the card to
 * whoever got there first.
 */
bool hsm_ctrl_change_state(struct hsm_ctrl *ctrl, enum pciehsm_state to)
{
	enum pciehsm_state from;
	bool ok;

	spin_lock(&ctrl->lock);
	from = ctrl->state;
	ok = hsm_state_may_change(from, to) &&
	     !(to == PCIEHSM_STATE_CONNECTING && ctrl->held);
	if (ok) {
		/* Before any command is given back: who sees the one can see the other. */
		if (to == PCIEHSM_STATE_RESETTING)
			WRITE_ONCE(ctrl->resets, ctrl->resets + 1);
		WRITE_ONCE(ctrl->state, to);
		ctrl->history[ctrl->history_n++ % HSM_HISTORY] = (struct hsm_history) {
			.at	= ktime_to_ms(ktime_get()),
			.to	= to,
		};
	}
	spin_unlock(&ctrl->lock);
	if (!ok)
		return false;
	trace_pciehsm_state(ctrl->id, from, to);
	wake_up_all(&ctrl->state_wq);
	wake_up_all(&ctrl->event_wq);
	queue_work(hsm_wq, &ctrl->notify_work);
	if (to == PCIEHSM_STATE_LIVE || to == PCIEHSM_STATE_DEAD)
		hsm_hwrng_kick(ctrl);
	return true;
}

/**
 * hsm_notify_work() - tell userspace that the state has changed
 * @work:	ctrl->notify_work
 *
 * Several changes in quick succession may be told once.
 */
void hsm_notify_work(struct work_struct *work)
{
	struct hsm_ctrl *ctrl = container_of(work, struct hsm_ctrl, notify_work);
	struct hsm_node *node;
	char env[32];
	char *envp[] = { env, NULL };

	mutex_lock(&ctrl->scan_lock);
	snprintf(env, sizeof(env), "HSM_STATE=%s", hsm_state_name(hsm_ctrl_state(ctrl)));
	list_for_each_entry(node, &ctrl->nodes, entry) {
		sysfs_notify(&node->dev.kobj, NULL, "state");
		kobject_uevent_env(&node->dev.kobj, KOBJ_CHANGE, envp);
	}
	mutex_unlock(&ctrl->scan_lock);
}

/*
 * Wait until (CSTS & mask) == want, for the time that the card asks for. Returns 0,
 * -ENODEV (all ones), -EIO (fatal; only if @starting), -ETIMEDOUT, or -ECANCELED if
 * somebody wants the card to stop while it is starting.
 */
static int hsm_ctrl_wait_csts(struct hsm_ctrl *ctrl, u32 mask, u32 want, bool starting)
{
	unsigned long end = jiffies + msecs_to_jiffies(ctrl->ready_ms);
	unsigned int pause = 50;
	bool last;
	u32 csts;

	for (;;) {
		/* A late scheduler must not be taken for a late card. */
		last = time_after(jiffies, end);
		csts = readl(ctrl->bar + PCIEHSM_REG_CSTS);
		if (csts == U32_MAX)
			return -ENODEV;
		if ((csts & mask) == want)
			return 0;
		if (starting && (csts & PCIEHSM_CSTS_CFS))
			return -EIO;
		if (starting && hsm_ctrl_state(ctrl) != PCIEHSM_STATE_CONNECTING)
			return -ECANCELED;
		if (last)
			return -ETIMEDOUT;
		usleep_range(pause, 2 * pause);
		pause = min(pause * 2, 5000U);
	}
}

/* Returns 0 when the card has confirmed that it does no more DMA, or is not there. */
static int hsm_ctrl_disable(struct hsm_ctrl *ctrl)
{
	writel(0, ctrl->bar + PCIEHSM_REG_CC);
	return hsm_ctrl_wait_csts(ctrl, PCIEHSM_CSTS_RDY, 0, false);
}

/*
 * Let the card end its I/O queues, so that every command gets the true answer to
 * what has become of it. A courtesy of HSM_POLITE_MS in all: what is left then is
 * cut off. Returns whether all have ended; if not, @stuck may be a command that is still
 * outstanding.
 */
static bool hsm_ctrl_end_queues(struct hsm_ctrl *ctrl, struct hsm_slot **stuck)
{
	unsigned long left = msecs_to_jiffies(HSM_POLITE_MS), none = 0;
	struct hsm_slot *slot;
	unsigned int i;

	for (i = 1; i <= ctrl->nr_io; i++) {
		slot = hsm_slot_get(ctrl, 0, HSM_SLOT_CARE, &none);
		if (IS_ERR(slot))
			return false;
		slot->sqe.opcode = PCIEHSM_ADMIN_DELETE_SQ;
		slot->sqe.arg[0] = cpu_to_le32(ctrl->queues[i]->qid);
		if (hsm_slot_submit(slot, 0)) {
			hsm_slot_put(slot);
			return false;
		}
		left = wait_for_completion_timeout(&slot->done, left);
		if (!left) {
			*stuck = slot;
			return false;
		}
		hsm_slot_put(slot);
	}
	return true;
}

/**
 * hsm_ctrl_quiesce() - no command in flight, no DMA, no interrupt
 * @ctrl:	the card
 * @how:	HSM_QUIESCE_*
 * @err:	for commands that are lost: -ECANCELED or -ENODEV
 *
 * For a reset, a failed start, removal, shutdown, suspend, PCI errors. The state must
 * have been changed before, so that nobody starts the card behind it (but for the
 * failed start, which the state makes fail). May be called again at any time.
 *
 * A card that ends its queues is then waited for up to twice CAP.TO, with nothing in
 * flight. One that does not is not asked for a shutdown either: its callers wait, and
 * all that was answered is durable without. So a command in flight is given back after
 * HSM_POLITE_MS (if @how says so) and CAP.TO.
 */
void hsm_ctrl_quiesce(struct hsm_ctrl *ctrl, unsigned int how, int err)
{
	bool stopped = false, ended = true;
	struct hsm_slot *stuck = NULL;
	u32 csts = U32_MAX;
	unsigned int i, n;

	mutex_lock(&ctrl->shutdown_lock);
	n = hsm_ctrl_queues(ctrl);
	if (!pci_channel_offline(ctrl->pdev) && !pci_dev_is_disconnected(ctrl->pdev))
		csts = readl(ctrl->bar + PCIEHSM_REG_CSTS);

	for (i = 1; i < n; i++)
		hsm_queue_close(ctrl->queues[i]);
	if (csts != U32_MAX) {
		bool sane = (csts & PCIEHSM_CSTS_RDY) && !(csts & PCIEHSM_CSTS_CFS);

		if (sane && (how & HSM_QUIESCE_POLITE))
			ended = hsm_ctrl_end_queues(ctrl, &stuck);
		if (n)
			hsm_queue_close(ctrl->queues[0]);
		if (sane && ended && (how & HSM_QUIESCE_SHUTDOWN)) {
			writel(PCIEHSM_CC_EN | PCIEHSM_CC_SHN, ctrl->bar + PCIEHSM_REG_CC);
			if (hsm_ctrl_wait_csts(ctrl, PCIEHSM_CSTS_SHST_MASK,
					       PCIEHSM_CSTS_SHST_DONE, false))
				dev_warn(&ctrl->pdev->dev,
					 "the card did not confirm the shutdown\n");
		}
		stopped = !hsm_ctrl_disable(ctrl);
	} else if (n) {
		hsm_queue_close(ctrl->queues[0]);
	}
	/* No word from the card that it has stopped: take the bus away from it. */
	if (!stopped)
		pci_clear_master(ctrl->pdev);

	for (i = 0; i < n; i++)
		hsm_queue_stop(ctrl->queues[i]);
	for (i = 0; i < n; i++)
		hsm_queue_fail(ctrl->queues[i], err);
	if (stuck)
		hsm_slot_put(stuck);
	mutex_unlock(&ctrl->shutdown_lock);
}

/* From disabled to an admin queue that takes commands. */
static int hsm_ctrl_enable(struct hsm_ctrl *ctrl)
{
	struct hsm_queue *admin = ctrl->queues[0];
	unsigned int i;
	int ret;
	u32 vs;

	lockdep_assert_held(&ctrl->shutdown_lock);
	if (hsm_ctrl_state(ctrl) != PCIEHSM_STATE_CONNECTING)
		return -ECANCELED;
	/* It may have gone: then this is found faster than by waiting for it. */
	vs = readl(ctrl->bar + PCIEHSM_REG_VS);
	if (PCIEHSM_VS_MAJOR(vs) != PCIEHSM_VS_MAJOR(PCIEHSM_VS_CURRENT))
		return -ENODEV;
	pci_set_master(ctrl->pdev);
	ret = hsm_ctrl_disable(ctrl);
	if (ret)
		return ret;
	/* All at once: queues that share a vector turn it on only together. */
	for (i = 0; i < ctrl->nr_queues; i++)
		hsm_queue_init(ctrl->queues[i]);
	writel((u32)(admin->depth - 1) << 16 | (admin->depth - 1),
	       ctrl->bar + PCIEHSM_REG_AQA);
	lo_hi_writeq(admin->sq_dma, ctrl->bar + PCIEHSM_REG_ASQ);
	lo_hi_writeq(admin->cq_dma, ctrl->bar + PCIEHSM_REG_ACQ);
	writel(PCIEHSM_CC_EN, ctrl->bar + PCIEHSM_REG_CC);
	ret = hsm_ctrl_wait_csts(ctrl, PCIEHSM_CSTS_RDY, PCIEHSM_CSTS_RDY, true);
	if (ret == -EIO)
		dev_err(&ctrl->pdev->dev, "the card refuses to start, code %u\n",
			readl(ctrl->bar + PCIEHSM_REG_FATAL));
	if (!ret)
		hsm_queue_open(admin);
	return ret;
}

static int hsm_ctrl_check_identity(struct hsm_ctrl *ctrl)
{
	struct pciehsm_identify id;
	bool first = !ctrl->ident.max_msg;
	int ret;

	ret = hsm_admin_identify(ctrl, &id);
	if (ret)
		return ret;
	if (!le32_to_cpu(id.max_msg) || !id.serial[0] ||
	    strnlen(id.serial, sizeof(id.serial)) == sizeof(id.serial)) {
		dev_err(&ctrl->pdev->dev, "the card's identity makes no sense\n");
		return -EPROTO;
	}
	if (!first && memcmp(id.serial, ctrl->ident.serial, sizeof(id.serial))) {
		dev_err(&ctrl->pdev->dev, "another card answers in this slot\n");
		return -ENODEV;
	}
	spin_lock(&ctrl->lock);
	ctrl->ident = id;
	spin_unlock(&ctrl->lock);
	/* The limit must not move under messages that are checked against it. */
	if (first)
		ctrl->max_msg = min3(ctrl->max_msg, le32_to_cpu(id.max_msg), PCIEHSM_MSG_MAX);
	return 0;
}

/* Memory of I/O queues up to @want, as far as there is any. */
static int hsm_ctrl_alloc_io(struct hsm_ctrl *ctrl, unsigned int want)
{
	struct hsm_queue *q;
	unsigned int i;

	for (i = ctrl->nr_queues; i <= want; i++) {
		q = hsm_queue_alloc(ctrl, i, ctrl->io_depth, ctrl->vectors > 1 ? i : 0);
		if (IS_ERR(q)) {
			dev_warn(&ctrl->pdev->dev, "no memory or vector for queue %u (%ld)\n",
				 i, PTR_ERR(q));
			break;
		}
		ctrl->queues[i] = q;
		/* The watchdog walks them. */
		smp_store_release(&ctrl->nr_queues, i + 1);
	}
	return min(want, ctrl->nr_queues - 1);
}

/* Each CPU its own queue as far as they go round, and each vector its CPU. */
static void hsm_ctrl_spread(struct hsm_ctrl *ctrl, unsigned int nr_io)
{
	unsigned int cpu, n = 0;

	for_each_possible_cpu(cpu)
		WRITE_ONCE(ctrl->cpu_queue[cpu], 1 + cpu % nr_io);
	for_each_online_cpu(cpu) {
		WRITE_ONCE(ctrl->cpu_queue[cpu], 1 + n % nr_io);
		if (n < nr_io && ctrl->vectors > 1)
			irq_set_affinity_and_hint(ctrl->queues[1 + n]->irq, cpumask_of(cpu));
		n++;
	}
}

static int hsm_ctrl_try_start(struct hsm_ctrl *ctrl)
{
	unsigned int want, i;
	int ret;

	mutex_lock(&ctrl->shutdown_lock);
	ret = hsm_ctrl_enable(ctrl);
	mutex_unlock(&ctrl->shutdown_lock);
	if (ret)
		return ret;
	ret = hsm_ctrl_check_identity(ctrl);
	if (ret)
		return ret;

	want = hsm_io_queues(num_online_cpus(), le32_to_cpu(ctrl->ident.max_io_queues),
			     ctrl->vectors, hsm_max_queues);
	ret = hsm_admin_set_queues(ctrl, want);
	if (ret < 0)
		return ret;
	ret = hsm_ctrl_alloc_io(ctrl, ret);
	if (!ret)
		return -ENOMEM;
	want = ret;
	for (i = 1; i <= want; i++) {
		ret = hsm_admin_create_queue(ctrl->queues[i]);
		if (ret)
			break;
	}
	if (i == 1)
		return ret ?: -EIO;
	if (i <= want)
		dev_warn(&ctrl->pdev->dev, "the card made %u of %u queues (%d)\n",
			 i - 1, want, ret);
	want = i - 1;

	mutex_lock(&ctrl->shutdown_lock);
	if (hsm_ctrl_state(ctrl) != PCIEHSM_STATE_CONNECTING) {
		ret = -ECANCELED;
	} else {
		hsm_ctrl_spread(ctrl, want);
		WRITE_ONCE(ctrl->nr_io, want);
		for (i = 1; i <= want; i++)
			hsm_queue_open(ctrl->queues[i]);
		ret = 0;
	}
	mutex_unlock(&ctrl->shutdown_lock);
	return ret;
}

/**
 * hsm_ctrl_fatal() - why can the card not go on?
 * @ctrl:	the card
 *
 * Return: enum pciehsm_fatal; PCIEHSM_FATAL_NONE if it can, or is not there.
 */
u32 hsm_ctrl_fatal(struct hsm_ctrl *ctrl)
{
	u32 csts = readl(ctrl->bar + PCIEHSM_REG_CSTS);

	if (csts == U32_MAX || !(csts & PCIEHSM_CSTS_CFS))
		return PCIEHSM_FATAL_NONE;
	return readl(ctrl->bar + PCIEHSM_REG_FATAL);
}

/**
 * hsm_ctrl_start() - from nothing to I/O queues that take commands
 * @ctrl:	the card, in CONNECTING
 *
 * Begins anew if the machine was migrated meanwhile.
 *
 * Return: 0; the caller then changes the state to LIVE. Or a negative errno: if the
 * state is still CONNECTING, the card failed; if not, somebody took it away.
 */
int hsm_ctrl_start(struct hsm_ctrl *ctrl)
{
	unsigned int tries = HSM_START_TRIES;
	int ret;

	do {
		ret = hsm_ctrl_try_start(ctrl);
		/* The watchdog may have seen it, and disabled the card, which forgets it. */
	} while (ret && --tries && (xchg(&ctrl->migrated, false) ||
				    hsm_ctrl_fatal(ctrl) == PCIEHSM_FATAL_MIGRATED));
	return ret;
}

/**
 * hsm_ctrl_reset() - the card needs a reset
 * @ctrl:	the card
 * @why:	for the log
 * @fault:	it is the card's own: there is a dump, and it may not be too many
 *
 * Does not wait. Does nothing if a reset is under way or the card is going.
 */
void hsm_ctrl_reset(struct hsm_ctrl *ctrl, const char *why, bool fault)
{
	if (!hsm_ctrl_change_state(ctrl, PCIEHSM_STATE_RESETTING))
		return;
	dev_warn(&ctrl->pdev->dev, "%s: resetting\n", why);
	WRITE_ONCE(ctrl->storm_tick, fault);
	queue_work(hsm_wq, &ctrl->reset_work);
}

/**
 * hsm_reset_work() - reset the card and start it again
 * @work:	ctrl->reset_work
 */
void hsm_reset_work(struct work_struct *work)
{
	struct hsm_ctrl *ctrl = container_of(work, struct hsm_ctrl, reset_work);
	bool storm;
	int ret;

	if (hsm_ctrl_state(ctrl) != PCIEHSM_STATE_RESETTING)
		return;
	/* Before anything is touched that could tell why. */
	if (READ_ONCE(ctrl->storm_tick))
		hsm_coredump_take(ctrl);
	hsm_ctrl_quiesce(ctrl, 0, -ECANCELED);

	/* Resets that somebody asked for say nothing against the card. */
	storm = xchg(&ctrl->storm_tick, false) &&
		hsm_storm_hit(&ctrl->storm, ktime_to_ms(ktime_get()), HSM_STORM_WINDOW_MS,
			      hsm_reset_limit);
	if (storm) {
		hsm_ctrl_kill(ctrl, "too many resets within an hour");
		return;
	}
	if (!hsm_ctrl_change_state(ctrl, PCIEHSM_STATE_CONNECTING))
		return;
	ret = hsm_ctrl_start(ctrl);
	if (!ret && hsm_ctrl_change_state(ctrl, PCIEHSM_STATE_LIVE)) {
		dev_info(&ctrl->pdev->dev, "reset done, %u queues\n", ctrl->nr_io);
		hsm_event_kick(ctrl, true);
		return;
	}
	/* Taken away while it started, or about to be: it is not for us any more. */
	if (hsm_ctrl_state(ctrl) != PCIEHSM_STATE_CONNECTING || pci_channel_offline(ctrl->pdev))
		return;
	dev_err(&ctrl->pdev->dev, "the card does not start again (%d), code %u\n", ret,
		hsm_ctrl_fatal(ctrl));
	hsm_ctrl_kill(ctrl, "the reset failed");
}

/**
 * hsm_ctrl_kill() - give the card up
 * @ctrl:	the card
 * @why:	for the log
 *
 * Its own node stays, for those who want to know; what can be done with it is to
 * remove it or to bind the driver anew. May sleep; not under scan_lock.
 */
void hsm_ctrl_kill(struct hsm_ctrl *ctrl, const char *why)
{
	if (!hsm_ctrl_change_state(ctrl, PCIEHSM_STATE_DELETING))
		return;
	dev_err(&ctrl->pdev->dev, "%s: the card is out of service\n", why);
	hsm_ctrl_quiesce(ctrl, 0, -ENODEV);
	if (hsm_ctrl_change_state(ctrl, PCIEHSM_STATE_DEAD))
		hsm_nodes_remove(ctrl, false);
}

/**
 * hsm_ctrl_hold() - take the card to RESETTING and keep it there
 * @ctrl:	the card
 * @who:	HSM_HELD_*; each may hold it once
 * @how:	HSM_QUIESCE_*
 *
 * When it returns true the card is quiet, the workers keep off, and the registers
 * may go away. hsm_ctrl_unhold() must follow. The device lock, which all callers
 * have, keeps probe and remove out.
 *
 * Return: false if the card is out of service.
 */
bool hsm_ctrl_hold(struct hsm_ctrl *ctrl, unsigned int who, unsigned int how)
{
	bool over;

	spin_lock(&ctrl->lock);
	over = hsm_state_terminal(ctrl->state);
	if (!over)
		ctrl->held |= who;
	spin_unlock(&ctrl->lock);
	if (over)
		return false;

	/* If it is refused the state is RESETTING already: @held keeps it there. */
	(void)hsm_ctrl_change_state(ctrl, PCIEHSM_STATE_RESETTING);
	hsm_ctrl_quiesce(ctrl, how, -ECANCELED);
	cancel_work_sync(&ctrl->reset_work);
	cancel_delayed_work_sync(&ctrl->watchdog);
	return true;
}

/**
 * hsm_ctrl_unhold() - let the card start again
 * @ctrl:	the card
 * @who:	HSM_HELD_*; nothing happens if it does not hold the card
 *
 * Does not wait for the start: flush reset_work for that.
 */
void hsm_ctrl_unhold(struct hsm_ctrl *ctrl, unsigned int who)
{
	bool go;

	spin_lock(&ctrl->lock);
	go = (ctrl->held & who) && !(ctrl->held & ~who) &&
	     ctrl->state == PCIEHSM_STATE_RESETTING;
	ctrl->held &= ~who;
	spin_unlock(&ctrl->lock);
	if (go)
		queue_work(hsm_wq, &ctrl->reset_work);
}
