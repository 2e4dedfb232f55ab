/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pciehsm: rings, completions and interrupts.
 *
 * pciehsm_work() is the only place that touches guest memory. One run takes
 * what the firmware gave back, reads new commands, and posts whatever is
 * finished, then raises each interrupt once: a burst costs one wake-up and one
 * message in each direction.
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/host-utils.h"
#include "pciehsm.h"
#include "trace.h"

#define PCIEHSM_MAX_BUCKETS     1024

void pciehsm_kick(PciehsmState *s)
{
    qemu_bh_schedule(s->bh);
}

/* ---- completion queues ---- */

static bool pciehsm_cq_full(const PciehsmCq *cq)
{
    return (cq->tail + 1) % cq->entries == cq->head;
}

/*
 * The host reads the phase first, perhaps from another processor while we
 * write. So the word with the phase goes last, and it goes in one piece.
 */
static bool pciehsm_cqe_write(PciehsmState *s, PciehsmCq *cq,
                              struct pciehsm_cqe *cqe)
{
    dma_addr_t addr = cq->addr + (dma_addr_t)cq->tail * sizeof(*cqe);
    size_t last = offsetof(struct pciehsm_cqe, cid);

    QEMU_BUILD_BUG_ON(sizeof(*cqe) != 16);
    QEMU_BUILD_BUG_ON(offsetof(struct pciehsm_cqe, cid) != 12);
    if (!pciehsm_dma_write(s, addr, cqe, last)) {
        return false;
    }
    smp_wmb();
    return pciehsm_dma_write(s, addr + last, &cqe->cid, sizeof(*cqe) - last);
}

static bool pciehsm_cq_put(PciehsmState *s, PciehsmCq *cq,
                           const PciehsmCmd *cmd, uint32_t result,
                           uint16_t status, const PciehsmRule *corrupt)
{
    struct pciehsm_cqe cqe = {
        .result = cpu_to_le32(result),
        .result2 = cpu_to_le32(cmd->result2),
        .sq_head = cpu_to_le16(cmd->sq ? cmd->sq->head : cmd->sq_head),
        .sq_id = cpu_to_le16(cmd->sq_id),
        .cid = cpu_to_le16(cmd->cid),
        .status = cpu_to_le16(status | (cq->phase ? PCIEHSM_CQE_PHASE : 0)),
    };

    if (corrupt) {
        pciehsm_rule_corrupt(corrupt, &cqe);
    }
    if (!pciehsm_cqe_write(s, cq, &cqe)) {
        pciehsm_fatal(s, PCIEHSM_FATAL_QUEUE_DMA);
        return false;
    }
    if (++cq->tail == cq->entries) {
        cq->tail = 0;
        cq->phase = !cq->phase;
    }
    set_bit(cq->vector, s->irq_work);
    return true;
}

/* Write a completion as the rules have it: changed, twice, or elsewhere. */
static bool pciehsm_cq_put_faulty(PciehsmState *s, PciehsmCq *cq,
                                  const PciehsmCmd *cmd)
{
    const PciehsmRule *rule = pciehsm_rule(s, PCIEHSM_FAULT_MISDIRECT, cmd);
    const PciehsmRule *corrupt = pciehsm_rule(s, PCIEHSM_FAULT_CORRUPT, cmd);
    bool twice = pciehsm_rule(s, PCIEHSM_FAULT_DUPLICATE, cmd);

    if (rule) {
        cq = s->cq[rule->to];
        if (!cq || pciehsm_cq_full(cq)) {
            /* It went where nobody listens. */
            return true;
        }
    }
    if (!pciehsm_cq_put(s, cq, cmd, cmd->result, cmd->status, corrupt)) {
        return false;
    }
    return !twice || pciehsm_cq_full(cq) ||
           pciehsm_cq_put(s, cq, cmd, cmd->result, cmd->status, corrupt);
}

/* Post @cmd, which is the first of @cq, with its data before it. */
static bool pciehsm_cq_post(PciehsmState *s, PciehsmCq *cq, PciehsmCmd *cmd)
{
    size_t len = cmd->job ? cmd->job->req.out_len : 0;

    if (len && !pciehsm_sgl_write(s, &cmd->out, cmd->job->out, len)) {
        /* It was executed, and the answer is lost. */
        cmd->status = PCIEHSM_SC_DATA_TRANSFER << 1;
        cmd->result = 0;
        cmd->result2 = 0;
    }
    if (s->num_rules ? !pciehsm_cq_put_faulty(s, cq, cmd) :
                       !pciehsm_cq_put(s, cq, cmd, cmd->result, cmd->status,
                                       NULL)) {
        return false;
    }
    s->stats.completions++;
    pciehsm_stats_posted(s, cmd);
    trace_pciehsm_complete(s->serial, cmd->sq_id, cmd->cid, cmd->status,
                           cmd->result);
    return true;
}

static void pciehsm_cq_pop(PciehsmState *s, PciehsmCq *cq, PciehsmCmd *cmd)
{
    QTAILQ_REMOVE(&cq->pending, cmd, link);
    cq->num_pending--;
    pciehsm_cmd_free(s, cmd);
}

/* More than fit into the ring are waiting: no more work for it is taken. */
static bool pciehsm_cq_choked(const PciehsmCq *cq)
{
    return cq->num_pending >= cq->entries;
}

static void pciehsm_cq_unchoke(PciehsmState *s, PciehsmCq *cq)
{
    cq->choked = false;
    for (int id = 0; id < PCIEHSM_QUEUES; id++) {
        if (s->sq[id] && s->sq[id]->cq == cq) {
            set_bit(id, s->sq_work);
        }
    }
}

static void pciehsm_cq_run(PciehsmState *s, PciehsmCq *cq)
{
    PciehsmCmd *cmd;

    while ((cmd = QTAILQ_FIRST(&cq->pending))) {
        if (pciehsm_cq_full(cq)) {
            trace_pciehsm_cq_full(s->serial, cq->id);
            break;
        }
        if (!pciehsm_cq_post(s, cq, cmd)) {
            return;
        }
        pciehsm_cq_pop(s, cq, cmd);
    }
    if (cq->choked && !pciehsm_cq_choked(cq)) {
        pciehsm_cq_unchoke(s, cq);
    }
}

static void pciehsm_post(PciehsmState *s)
{
    unsigned long id;

    /*
     * Posting a command may complete an abort on the admin queue: look again.
     */
    while ((id = find_first_bit(s->cq_work, PCIEHSM_QUEUES)) < PCIEHSM_QUEUES) {
        clear_bit(id, s->cq_work);
        if (s->cq[id]) {
            pciehsm_cq_run(s, s->cq[id]);
        }
        if (!pciehsm_may_dma(s)) {
            return;
        }
    }
}

PciehsmCq *pciehsm_cq_new(PciehsmState *s, uint16_t id, dma_addr_t addr,
                          uint32_t entries, uint16_t vector)
{
    PciehsmCq *cq = g_new0(PciehsmCq, 1);

    cq->id = id;
    cq->addr = addr;
    cq->entries = entries;
    cq->vector = vector;
    cq->phase = true;
    QTAILQ_INIT(&cq->pending);
    s->cq[id] = cq;
    trace_pciehsm_create_cq(s->serial, id, addr, entries, vector);
    return cq;
}

void pciehsm_cq_delete(PciehsmState *s, PciehsmCq *cq)
{
    PciehsmCmd *cmd, *next;

    assert(!cq->users);
    trace_pciehsm_delete_cq(s->serial, cq->id);
    QTAILQ_FOREACH_SAFE(cmd, &cq->pending, link, next) {
        pciehsm_cq_pop(s, cq, cmd);
    }
    clear_bit(cq->id, s->cq_work);
    s->cq[cq->id] = NULL;
    g_free(cq);
}

/* ---- submission queues ---- */

PciehsmSq *pciehsm_sq_new(PciehsmState *s, uint16_t id, dma_addr_t addr,
                          uint32_t entries, PciehsmCq *cq)
{
    PciehsmSq *sq = g_new0(PciehsmSq, 1);
    uint32_t buckets = MIN(pow2ceil(entries), PCIEHSM_MAX_BUCKETS);

    sq->id = id;
    sq->addr = addr;
    sq->entries = entries;
    sq->cq = cq;
    sq->bucket_mask = buckets - 1;
    sq->bucket = g_malloc0_n(buckets, sizeof(*sq->bucket));
    QTAILQ_INIT(&sq->cmds);
    cq->users++;
    s->sq[id] = sq;
    trace_pciehsm_create_sq(s->serial, id, addr, entries, cq->id);
    return sq;
}

static void pciehsm_sq_free(PciehsmState *s, PciehsmSq *sq)
{
    assert(QTAILQ_EMPTY(&sq->cmds));
    clear_bit(sq->id, s->sq_work);
    clear_bit(sq->id, s->sq_stalled);
    s->sq[sq->id] = NULL;
    sq->cq->users--;
    g_free(sq->bucket);
    g_free(sq);
}

void pciehsm_sq_delete(PciehsmState *s, PciehsmSq *sq)
{
    PciehsmCmd *cmd, *next;

    trace_pciehsm_delete_sq(s->serial, sq->id, sq->count);
    QTAILQ_FOREACH_SAFE(cmd, &sq->cmds, sq_link, next) {
        if (cmd->state != PCIEHSM_CMD_PENDING) {
            pciehsm_cmd_kill(s, cmd);
        }
        QTAILQ_REMOVE(&sq->cmds, cmd, sq_link);
        cmd->sq = NULL;
        cmd->sq_head = sq->head;
        cmd->hashed = false;
    }
    pciehsm_sq_free(s, sq);
}

void pciehsm_queues_drop(PciehsmState *s)
{
    PciehsmCmd *cmd, *next;

    /* No abort is left that could want to complete for a command that goes. */
    s->num_abort_cmds = 0;
    QTAILQ_INIT(&s->abort_cmds);
    QTAILQ_INIT(&s->event_cmds);
    QTAILQ_INIT(&s->running);
    QTAILQ_INIT(&s->held);
    s->num_event_cmds = 0;

    /* Commands of deleted SQs are on their CQs only. */
    for (int id = 0; id < PCIEHSM_QUEUES; id++) {
        PciehsmCq *cq = s->cq[id];

        if (!cq) {
            continue;
        }
        QTAILQ_FOREACH_SAFE(cmd, &cq->pending, link, next) {
            pciehsm_cq_pop(s, cq, cmd);
        }
    }
    for (int id = 0; id < PCIEHSM_QUEUES; id++) {
        PciehsmSq *sq = s->sq[id];

        if (!sq) {
            continue;
        }
        QTAILQ_FOREACH_SAFE(cmd, &sq->cmds, sq_link, next) {
            pciehsm_cmd_free(s, cmd);
        }
        pciehsm_sq_free(s, sq);
    }
    for (int id = 0; id < PCIEHSM_QUEUES; id++) {
        if (s->cq[id]) {
            pciehsm_cq_delete(s, s->cq[id]);
        }
    }
    bitmap_zero(s->irq_work, PCIEHSM_MAX_VECTORS);
}

/*
 * At most as many commands are taken as the ring holds: our memory has an end.
 * Those that wait for events must not keep the admin queue from working.
 */
static unsigned pciehsm_sq_limit(const PciehsmSq *sq)
{
    return sq->entries + (sq->id ? 0 : PCIEHSM_MAX_EVENTS);
}

/* Returns false if there was more than the others should wait for. */
static bool pciehsm_sq_run(PciehsmState *s, PciehsmSq *sq)
{
    struct pciehsm_sqe batch[PCIEHSM_FETCH_BATCH];
    unsigned taken = 0;

    QEMU_BUILD_BUG_ON(sizeof(batch[0]) != 64);
    while (sq->head != sq->tail) {
        uint32_t end = sq->tail > sq->head ? sq->tail : sq->entries;
        uint32_t n = MIN(end - sq->head, PCIEHSM_FETCH_BATCH);

        dma_addr_t addr = sq->addr + (dma_addr_t)sq->head * sizeof(batch[0]);

        if (!pciehsm_dma_read(s, addr, batch, n * sizeof(batch[0]))) {
            pciehsm_fatal(s, PCIEHSM_FATAL_QUEUE_DMA);
            return true;
        }
        for (uint32_t i = 0; i < n; i++) {
            if (sq->count >= pciehsm_sq_limit(sq)) {
                trace_pciehsm_sq_busy(s->serial, sq->id, sq->count);
                return true;
            }
            if (pciehsm_cq_choked(sq->cq)) {
                trace_pciehsm_sq_choked(s->serial, sq->id, sq->cq->id);
                sq->cq->choked = true;
                return true;
            }
            if (pciehsm_cmd_take(s, sq, &batch[i]) == PCIEHSM_STALLED) {
                trace_pciehsm_sq_stalled(s->serial, sq->id);
                set_bit(sq->id, s->sq_stalled);
                clear_bit(sq->id, s->sq_work);
                return true;
            }
            sq->head = (sq->head + 1) % sq->entries;
            s->stats.commands++;
            taken++;
        }
        if (taken >= PCIEHSM_FETCH_BUDGET) {
            return sq->head == sq->tail;
        }
    }
    return true;
}

/* After a request for shutdown what is in the rings stays there. */
static bool pciehsm_may_fetch(PciehsmState *s)
{
    return pciehsm_may_dma(s) && !(s->cc & PCIEHSM_CC_SHN);
}

static void pciehsm_fetch(PciehsmState *s)
{
    DECLARE_BITMAP(again, PCIEHSM_QUEUES);
    unsigned long id;

    bitmap_zero(again, PCIEHSM_QUEUES);
    while ((id = find_first_bit(s->sq_work, PCIEHSM_QUEUES)) < PCIEHSM_QUEUES) {
        clear_bit(id, s->sq_work);
        if (s->sq[id] && !pciehsm_sq_run(s, s->sq[id])) {
            set_bit(id, again);
        }
        if (!pciehsm_may_dma(s)) {
            break;
        }
    }
    bitmap_or(s->sq_work, s->sq_work, again, PCIEHSM_QUEUES);
}

/* ---- progress ---- */

static void pciehsm_report_progress(PciehsmState *s)
{
    int64_t now = qemu_clock_get_ms(QEMU_CLOCK_VIRTUAL);
    PciehsmCmd *cmd;
    uint32_t permille;

    QTAILQ_FOREACH(cmd, &s->running, link) {
        PciehsmCq *cq = cmd->cq;

        if (now - cmd->reported < PCIEHSM_PROGRESS_AGE_MS ||
            pciehsm_withheld(s, cmd->sq_id)) {
            continue;
        }
        /* Completions wait already: the host has to look at those first. */
        if (!QTAILQ_EMPTY(&cq->pending) || pciehsm_cq_full(cq)) {
            continue;
        }
        if (!pciehsm_job_alive(cmd->job, &permille)) {
            trace_pciehsm_no_sign(s->serial, cmd->sq_id, cmd->cid);
            continue;
        }
        if (!pciehsm_cq_put(s, cq, cmd, permille, PCIEHSM_SC_PROGRESS << 1,
                            NULL)) {
            return;
        }
        cmd->reported = now;
        s->stats.progress++;
        trace_pciehsm_progress(s->serial, cmd->sq_id, cmd->cid, permille);
    }
}

/* ---- the bottom half ---- */

static void pciehsm_collect(PciehsmState *s)
{
    PciehsmJob *job;
    PciehsmEvent event;

    while ((job = pciehsm_fw_returned(s->fw))) {
        job->finish(s, job);
    }
    while (pciehsm_fw_event(s->fw, &event)) {
        if (event.type == PCIEHSM_EVENT_ENGINE_FAILED) {
            s->engines_failed++;
        }
        pciehsm_event(s, event.type, event.number);
    }
    if (s->rdy && s->engines_failed >= s->engines) {
        pciehsm_fatal(s, PCIEHSM_FATAL_FIRMWARE);
    }
    pciehsm_ctrl_update(s);
}

/*
 * A message-signalled interrupt is a write to wherever the guest says: it may
 * come back to us in any shape, a reset included. So no lock is held, and nothing
 * is remembered across it.
 */
void pciehsm_interrupts(void *opaque)
{
    PciehsmState *s = opaque;
    unsigned long vector;

    while (true) {
        pciehsm_lock(s);
        vector = pciehsm_may_dma(s) ?
                 find_first_bit(s->irq_work, PCIEHSM_MAX_VECTORS) :
                 PCIEHSM_MAX_VECTORS;
        if (vector < PCIEHSM_MAX_VECTORS) {
            clear_bit(vector, s->irq_work);
            s->stats.interrupts++;
        }
        pciehsm_unlock(s);
        if (vector == PCIEHSM_MAX_VECTORS) {
            return;
        }
        trace_pciehsm_interrupt(s->serial, vector);
        msix_notify(PCI_DEVICE(s), vector);
    }
}

void pciehsm_drain(PciehsmState *s)
{
    s->draining = true;
    pciehsm_collect(s);
    if (pciehsm_may_dma(s)) {
        pciehsm_post(s);
    }
    /* The bottom half leaves a card alone that is being drained. */
    pciehsm_unlock(s);
    pciehsm_interrupts(s);
    pciehsm_lock(s);
    s->draining = false;
}

static void pciehsm_work_locked(PciehsmState *s)
{
    /* Switched off, while the store is another's */
    if (!s->fw || s->draining) {
        return;
    }
    pciehsm_collect(s);
    if (!pciehsm_may_dma(s)) {
        return;
    }
    if (s->progress_due) {
        s->progress_due = false;
        pciehsm_report_progress(s);
    }
    if (pciehsm_may_fetch(s)) {
        pciehsm_fetch(s);
    }
    if (pciehsm_may_dma(s)) {
        pciehsm_post(s);
    }
    /* Posting makes room for commands that waited for it. */
    if (!bitmap_empty(s->sq_work, PCIEHSM_QUEUES) && pciehsm_may_fetch(s)) {
        pciehsm_kick(s);
    }
}

void pciehsm_work(void *opaque)
{
    PciehsmState *s = opaque;
    bool due;

    pciehsm_lock(s);
    pciehsm_work_locked(s);
    due = !bitmap_empty(s->irq_work, PCIEHSM_MAX_VECTORS);
    pciehsm_unlock(s);
    if (!due) {
        return;
    }
    if (s->irq_bh) {
        qemu_bh_schedule(s->irq_bh);
    } else {
        pciehsm_interrupts(s);
    }
}
