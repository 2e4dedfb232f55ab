// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queue pairs: their memory, their interrupt, and the completion side.
 *
 * A completion ring has one reader at a time: its interrupt handler, or in its
 * place somebody who holds poll_lock and has disabled the interrupt.
 */

#include <linux/bitmap.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/slab.h>

#include "hsm.h"
#include "trace.h"

static void hsm_queue_bad_cqe(struct hsm_queue *q, enum hsm_cqe_kind kind,
			      const struct hsm_cqe_view *v)
{
	struct hsm_counters *c = &q->ctrl->counters;

	trace_pciehsm_bad_cqe(q, kind, v->sq_id, v->cid, v->status);
	switch (kind) {
	case HSM_CQE_STALE:
		atomic64_inc(&c->cqe_stale);
		break;
	case HSM_CQE_DUPLICATE:
		atomic64_inc(&c->cqe_duplicate);
		break;
	default:
		atomic64_inc(&c->cqe_unknown);
		break;
	}
	dev_warn_ratelimited(&q->ctrl->pdev->dev,
			     "queue %u: dropped a completion that is not ours (cid %#x)\n",
			     q->qid, v->cid);
}

/*
 * The card has read the submission ring up to @head. Before the slot of the same
 * completion is free: so there are never more entries behind @sq_head than slots.
 */
static void hsm_queue_sq_head(struct hsm_queue *q, u16 head)
{
	if (hsm_ring_head_valid(q->sq_head, head, READ_ONCE(q->sq_tail), q->depth))
		WRITE_ONCE(q->sq_head, head);
	else
		atomic64_inc(&q->ctrl->counters.bad_sq_head);
}

static void hsm_queue_cqe(struct hsm_queue *q, const struct pciehsm_cqe *cqe)
{
	struct hsm_cqe_view v = {
		.qid	= q->qid,
		.sq_id	= le16_to_cpu(cqe->sq_id),
		.cid	= le16_to_cpu(cqe->cid),
		.status	= le16_to_cpu(cqe->status),
		.nslots	= q->nslots,
	};
	u16 head = le16_to_cpu(cqe->sq_head);
	struct hsm_slot *slot = NULL;
	enum hsm_slot_state how;
	enum hsm_cqe_kind kind;

	if (hsm_cid_slot(v.cid) < q->nslots) {
		slot = &q->slots[hsm_cid_slot(v.cid)];
		/* In this order: a command in flight is seen with its own generation. */
		v.inflight = hsm_slot_inflight(slot);
		v.gen = READ_ONCE(slot->gen);
		v.used = READ_ONCE(slot->used);
	}
	kind = hsm_cqe_classify(&v);
	if (kind == HSM_CQE_PROGRESS) {
		WRITE_ONCE(slot->deadline, jiffies + slot->timeout);
		hsm_queue_sq_head(q, head);
	} else if (kind == HSM_CQE_FINAL && hsm_slot_claim(slot, &how)) {
		slot->err = 0;
		slot->status = v.status;
		slot->result = le32_to_cpu(cqe->result);
		slot->result2 = le32_to_cpu(cqe->result2);
		hsm_queue_sq_head(q, head);
		hsm_slot_complete(slot, how);
	} else {
		hsm_queue_bad_cqe(q, kind == HSM_CQE_FINAL ? HSM_CQE_DUPLICATE : kind, &v);
	}
}

/* Only for the one reader. Returns how many entries there were. */
static unsigned int hsm_queue_reap(struct hsm_queue *q, bool doorbell)
{
	struct pciehsm_cqe cqe, *p;
	unsigned int n;

	/* A card gone wild must not keep the handler busy for more than one pass. */
	for (n = 0; n < q->depth; n++) {
		p = &q->cq[q->cq_head];
		if ((le16_to_cpu(READ_ONCE(p->status)) & PCIEHSM_CQE_PHASE) != q->cq_phase)
			break;
		/* The rest of the entry is valid only after its phase was seen. */
		dma_rmb();
		cqe = *p;
		q->cq_head = hsm_ring_next(q->cq_head, q->depth);
		if (!q->cq_head)
			q->cq_phase ^= PCIEHSM_CQE_PHASE;
		hsm_queue_cqe(q, &cqe);
	}
	if (n && doorbell)
		writel(q->cq_head, q->cq_db);
	return n;
}

static irqreturn_t hsm_queue_irq(int irq, void *data)
{
	struct hsm_queue *q = data;

	if (hsm_inject(&q->ctrl->inject.drop_irqs))
		return IRQ_HANDLED;
	return hsm_queue_reap(data, true) ? IRQ_HANDLED : IRQ_NONE;
}

/**
 * hsm_queue_poll() - look for completions whose interrupt did not come
 * @q:	the queue
 *
 * May sleep. Return: how many there were.
 */
unsigned int hsm_queue_poll(struct hsm_queue *q)
{
	unsigned int n = 0;

	mutex_lock(&q->poll_lock);
	if (READ_ONCE(q->open)) {
		disable_irq(q->irq);
		n = hsm_queue_reap(q, true);
		enable_irq(q->irq);
	}
	mutex_unlock(&q->poll_lock);
	return n;
}

/**
 * hsm_queue_init() - empty rings, as the card expects them at creation
 * @q:	a closed and stopped queue, without commands in flight
 *
 * Turns the interrupt on. Caller holds shutdown_lock.
 */
void hsm_queue_init(struct hsm_queue *q)
{
	mutex_lock(&q->poll_lock);
	memset(q->cq, 0, q->depth * sizeof(*q->cq));
	memset(q->sq, 0, q->depth * sizeof(*q->sq));
	q->cq_head = 0;
	q->cq_phase = PCIEHSM_CQE_PHASE;
	q->sq_head = 0;
	spin_lock(&q->lock);
	q->sq_tail = 0;
	q->sq_rung = 0;
	spin_unlock(&q->lock);
	if (!q->irq_on) {
		q->irq_on = true;
		enable_irq(q->irq);
	}
	mutex_unlock(&q->poll_lock);
}

/**
 * hsm_queue_open() - let commands in
 * @q:	a queue that the card has created
 */
void hsm_queue_open(struct hsm_queue *q)
{
	spin_lock(&q->lock);
	WRITE_ONCE(q->open, true);
	spin_unlock(&q->lock);
	wake_up_all(&q->wait);
}

/**
 * hsm_queue_close() - let no more commands in
 * @q:	any queue
 *
 * When it returns, no doorbell of this queue will be written until it is opened.
 */
void hsm_queue_close(struct hsm_queue *q)
{
	spin_lock(&q->lock);
	WRITE_ONCE(q->open, false);
	spin_unlock(&q->lock);
	wake_up_all(&q->wait);
}

/**
 * hsm_queue_stop() - turn the interrupt off and take what has come in
 * @q:	a closed queue of a card that does no more DMA
 *
 * Caller holds shutdown_lock.
 */
void hsm_queue_stop(struct hsm_queue *q)
{
	mutex_lock(&q->poll_lock);
	if (q->irq_on) {
		q->irq_on = false;
		disable_irq(q->irq);
	}
	hsm_queue_reap(q, false);
	mutex_unlock(&q->poll_lock);
}

/**
 * hsm_queue_fail() - give back every command that is still in flight
 * @q:		a stopped queue
 * @err:	why: -ECANCELED (reset) or -ENODEV (gone)
 *
 * Nobody can tell how far the card got with them: sq_head of the last completion
 * only says what it had read by then, and not what it has read since.
 */
void hsm_queue_fail(struct hsm_queue *q, int err)
{
	enum hsm_slot_state how;
	struct hsm_slot *slot;
	u16 i;

	for (i = 0; i < q->nslots; i++) {
		slot = &q->slots[i];
		if (!hsm_slot_claim(slot, &how))
			continue;
		slot->err = err == -ECANCELED && slot->timed_out ? -ETIMEDOUT : err;
		slot->status = 0;
		slot->result = 0;
		slot->result2 = 0;
		hsm_slot_complete(slot, how);
	}
}

static int hsm_queue_alloc_slots(struct hsm_queue *q)
{
	struct device *dev = &q->ctrl->pdev->dev;
	struct hsm_slot *slot;
	u16 i;

	for (i = 0; i < q->nslots; i++) {
		slot = &q->slots[i];
		slot->queue = q;
		slot->index = i;
		atomic_set(&slot->state, HSM_SLOT_FREE);
		init_completion(&slot->done);
		INIT_WORK(&slot->work, hsm_slot_work);
		slot->area = dma_alloc_coherent(dev, HSM_SLOT_AREA, &slot->area_dma, GFP_KERNEL);
		if (!slot->area)
			return -ENOMEM;
	}
	atomic_set(&q->nfree, q->nslots);
	return 0;
}

static void hsm_queue_free_memory(struct hsm_queue *q)
{
	struct device *dev = &q->ctrl->pdev->dev;
	u16 i;

	for (i = 0; i < q->nslots; i++)
		if (q->slots[i].area)
			dma_free_coherent(dev, HSM_SLOT_AREA, q->slots[i].area,
					  q->slots[i].area_dma);
	if (q->cq)
		dma_free_coherent(dev, q->depth * sizeof(*q->cq), q->cq, q->cq_dma);
	if (q->sq)
		dma_free_coherent(dev, q->depth * sizeof(*q->sq), q->sq, q->sq_dma);
	bitmap_free(q->busy);
	kfree(q);
}

/**
 * hsm_queue_alloc() - memory and interrupt of a queue pair
 * @ctrl:	the card
 * @qid:	number
 * @depth:	entries of each ring, 2 to HSM_MAX_DEPTH
 * @vector:	index of the interrupt; may be shared
 *
 * Return: a closed queue that hsm_queue_free() takes back, or an ERR_PTR.
 */
struct hsm_queue *hsm_queue_alloc(struct hsm_ctrl *ctrl, u16 qid, u16 depth, u16 vector)
{
	struct device *dev = &ctrl->pdev->dev;
	struct hsm_queue *q;
	int ret = -ENOMEM;

	q = kzalloc(struct_size(q, slots, depth - 1), GFP_KERNEL);
	if (!q)
		return ERR_PTR(-ENOMEM);
	q->ctrl = ctrl;
	q->qid = qid;
	q->depth = depth;
	q->nslots = depth - 1;
	q->vector = vector;
	q->reserve = qid ? 0 : min_t(u16, HSM_ADMIN_RESERVE, q->nslots / 2);
	q->cq_phase = PCIEHSM_CQE_PHASE;
	q->sq_db = ctrl->bar + PCIEHSM_DB_SQ_TAIL(qid);
	q->cq_db = ctrl->bar + PCIEHSM_DB_CQ_HEAD(qid);
	spin_lock_init(&q->lock);
	mutex_init(&q->poll_lock);
	init_waitqueue_head(&q->wait);

	q->busy = bitmap_zalloc(q->nslots, GFP_KERNEL);
	q->sq = dma_alloc_coherent(dev, depth * sizeof(*q->sq), &q->sq_dma, GFP_KERNEL);
	q->cq = dma_alloc_coherent(dev, depth * sizeof(*q->cq), &q->cq_dma, GFP_KERNEL);
	if (!q->busy || !q->sq || !q->cq)
		goto err_free;
	/* Coherent memory is whole pages in practice, but the contract demands it. */
	if (!IS_ALIGNED(q->sq_dma | q->cq_dma, PCIEHSM_QUEUE_ALIGN))
		goto err_free;
	ret = hsm_queue_alloc_slots(q);
	if (ret)
		goto err_free;

	snprintf(q->name, sizeof(q->name), "pciehsm%dq%u", ctrl->id, qid);
	ret = pci_irq_vector(ctrl->pdev, vector);
	if (ret < 0)
		goto err_free;
	q->irq = ret;
	/* Shared, because with a single vector two queues use it. */
	ret = request_irq(q->irq, hsm_queue_irq, IRQF_SHARED, q->name, q);
	if (ret)
		goto err_free;
	q->irq_on = true;
	return q;

err_free:
	hsm_queue_free_memory(q);
	return ERR_PTR(ret);
}

/**
 * hsm_queue_free() - the end of a queue pair
 * @q:	closed, without any slot taken; the card does no more DMA
 */
void hsm_queue_free(struct hsm_queue *q)
{
	/* The handler may be called once more by this; the ring is still there. */
	irq_set_affinity_and_hint(q->irq, NULL);
	free_irq(q->irq, q);
	hsm_queue_free_memory(q);
}
