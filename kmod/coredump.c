// SPDX-License-Identifier: GPL-2.0-only
/*
 * devcoredump: what was the matter with a card that had to be reset, as text.
 *
 * Registers, indices of rings, what the slots were doing, the last states. Of a command
 * its opcode, lengths and numbers, as in the tracepoints; never memory that a
 * message was in, and no address of it.
 */

#include <linux/devcoredump.h>
#include <linux/io.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/jiffies.h>
#include <linux/timekeeping.h>
#include <linux/vmalloc.h>

#include "hsm.h"

#define HSM_DUMP_MAX	(128 * 1024)
/* A card that is reset again and again has told its story the first time. */
#define HSM_DUMP_MS	(5 * 60 * 1000)

struct hsm_dump {
	char	*text;
	size_t	len;
};

static __printf(2, 3) void hsm_dump_print(struct hsm_dump *d, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	d->len += vscnprintf(d->text + d->len, HSM_DUMP_MAX - d->len, fmt, args);
	va_end(args);
}

static void hsm_dump_registers(struct hsm_ctrl *ctrl, struct hsm_dump *d)
{
	void __iomem *bar = ctrl->bar;

	if (pci_channel_offline(ctrl->pdev) || pci_dev_is_disconnected(ctrl->pdev)) {
		hsm_dump_print(d, "registers: not in reach\n");
		return;
	}
	hsm_dump_print(d, "cap %#llx\nvs %#x\ncc %#x\ncsts %#x\nfatal %#x\naqa %#x\n",
		       lo_hi_readq(bar + PCIEHSM_REG_CAP), readl(bar + PCIEHSM_REG_VS),
		       readl(bar + PCIEHSM_REG_CC), readl(bar + PCIEHSM_REG_CSTS),
		       readl(bar + PCIEHSM_REG_FATAL), readl(bar + PCIEHSM_REG_AQA));
}

static void hsm_dump_history(struct hsm_ctrl *ctrl, struct hsm_dump *d)
{
	struct hsm_history history[HSM_HISTORY];
	unsigned int n, i;

	spin_lock(&ctrl->lock);
	n = ctrl->history_n;
	memcpy(history, ctrl->history, sizeof(history));
	spin_unlock(&ctrl->lock);
	for (i = n > HSM_HISTORY ? n - HSM_HISTORY : 0; i < n; i++) {
		struct hsm_history *h = &history[i % HSM_HISTORY];

		hsm_dump_print(d, "state at %llu ms: %s\n", h->at, hsm_state_name(h->to));
	}
}

static const char *hsm_dump_slot_state(int state)
{
	static const char * const names[] = {
		[HSM_SLOT_FREE]		= "free",
		[HSM_SLOT_OWNED]	= "owned",
		[HSM_SLOT_SENT]		= "sent",
		[HSM_SLOT_ASYNC]	= "async",
		[HSM_SLOT_CALL]		= "call",
		[HSM_SLOT_CLAIMED]	= "claimed",
		[HSM_SLOT_DONE]		= "done",
	};

	return state >= 0 && state < ARRAY_SIZE(names) ? names[state] : "?";
}

/* Without locks: nothing here is taken for more than it is, a look from outside. */
static void hsm_dump_queue(const struct hsm_queue *q, struct hsm_dump *d)
{
	unsigned int i;

	hsm_dump_print(d, "queue %u: depth %u open %d free %d ", q->qid, q->depth,
		       READ_ONCE(q->open), atomic_read(&q->nfree));
	hsm_dump_print(d, "sq_tail %u sq_head %u cq_head %u phase %u\n", READ_ONCE(q->sq_tail),
		       READ_ONCE(q->sq_head), READ_ONCE(q->cq_head), READ_ONCE(q->cq_phase));
	for (i = 0; i < q->nslots; i++) {
		const struct hsm_slot *slot = &q->slots[i];
		int state = atomic_read(&slot->state);

		if (state == HSM_SLOT_FREE)
			continue;
		hsm_dump_print(d, "slot %u: %s cid %#x opcode %#x ", i, hsm_dump_slot_state(state),
			       le16_to_cpu(slot->sqe.cid), slot->sqe.opcode);
		hsm_dump_print(d, "partition %u context %u op %#x in %u out %u ",
			       le32_to_cpu(slot->sqe.partition), le32_to_cpu(slot->sqe.context),
			       le32_to_cpu(slot->sqe.msg_op), le32_to_cpu(slot->sqe.in.len),
			       le32_to_cpu(slot->sqe.out.len));
		hsm_dump_print(d, "timed_out %d abort %d", slot->timed_out,
			       READ_ONCE(slot->abort));
		if (slot->timeout)
			hsm_dump_print(d, " left %d ms\n",
				       jiffies_delta_to_msecs(READ_ONCE(slot->deadline) - jiffies));
		else
			hsm_dump_print(d, "\n");
	}
}

/**
 * hsm_coredump_take() - keep what can be seen of a card before it is reset
 * @ctrl:	the card, with registers and queues
 *
 * At most once in HSM_DUMP_MS. May sleep, but does not wait for the card.
 */
void hsm_coredump_take(struct hsm_ctrl *ctrl)
{
	struct hsm_counters *c = &ctrl->counters;
	struct hsm_dump d = {};
	unsigned int i;

	if (ctrl->dumped && time_before(jiffies, ctrl->dumped_at + msecs_to_jiffies(HSM_DUMP_MS)))
		return;
	/* Callers wait for the reset: so the kernel does not try hard for this. */
	d.text = __vmalloc(HSM_DUMP_MAX, GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
	if (!d.text)
		return;
	ctrl->dumped = true;
	ctrl->dumped_at = jiffies;

	hsm_dump_print(&d, "pciehsm hsm%d\nserial %s\nfirmware %.*s\ntime %llu ms\nresets %u\n",
		       ctrl->id, ctrl->ident.serial, (int)sizeof(ctrl->ident.fw_version),
		       ctrl->ident.fw_version, ktime_to_ms(ktime_get()), READ_ONCE(ctrl->resets));
	hsm_dump_registers(ctrl, &d);
	hsm_dump_history(ctrl, &d);
	hsm_dump_print(&d, "timeouts %lld\naborts %lld\nmissed_irqs %lld\n",
		       (long long)atomic64_read(&c->timeouts),
		       (long long)atomic64_read(&c->aborts),
		       (long long)atomic64_read(&c->missed_irqs));
	for (i = 0; i < hsm_ctrl_queues(ctrl); i++)
		hsm_dump_queue(ctrl->queues[i], &d);
	dev_coredumpv(&ctrl->pdev->dev, d.text, d.len, GFP_KERNEL);
}

/**
 * hsm_coredump_drop() - the card goes, and its dump with it
 * @ctrl:	the card
 *
 * A dump holds the device in memory. Kernels that can not end it do so by themselves
 * after five minutes.
 */
void hsm_coredump_drop(struct hsm_ctrl *ctrl)
{
#ifdef HSM_HAVE_COREDUMP_PUT
	dev_coredump_put(&ctrl->pdev->dev);
#endif
}
