/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pciehsm: registers and doorbells, enabling, reset and shutdown.
 *
 * Enabling and disabling
 *   CC.EN 1 -> 0   All commands and queues are dropped at once; no memory is
 *                  touched from here on. Then the firmware ends all contexts,
 *                  which may take as long as one step of a running message.
 *                  RDY follows when it has done so.
 *   reset, FLR     The same, but RDY reads 0 at once, as everything else does.
 *   CC.EN 0 -> 1   RDY follows when no context of before is ending any more.
 * pciehsm_ctrl_update() is called whenever something of that may have changed.
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/bitops.h"
#include "qemu/host-utils.h"
#include "pciehsm.h"
#include "trace.h"

/* ---- state ---- */

bool pciehsm_powered(PciehsmState *s)
{
    return !qatomic_read(&s->low_power);
}

void pciehsm_power_update(PciehsmState *s)
{
    uint8_t *pm = PCI_DEVICE(s)->config + s->pm_cap;
    uint16_t ctrl = pci_get_word(pm + PCI_PM_CTRL);

    qatomic_set(&s->low_power, ctrl & PCI_PM_CTRL_STATE_MASK);
}

bool pciehsm_may_dma(PciehsmState *s)
{
    PCIDevice *pci = PCI_DEVICE(s);

    /* First: what is unplugged has no configuration space any more. */
    return !s->unplugged && s->rdy && (s->cc & PCIEHSM_CC_EN) && !s->fatal &&
           !s->gone && !s->configuring &&
           (pci_get_word(pci->config + PCI_COMMAND) & PCI_COMMAND_MASTER) &&
           pciehsm_powered(s) && (runstate_is_running() || s->draining);
}

void pciehsm_fatal(PciehsmState *s, enum pciehsm_fatal why)
{
    /* The first one is the one that tells. */
    if (s->fatal) {
        return;
    }
    s->fatal = why;
    trace_pciehsm_fatal(s->serial, why);
}

static void pciehsm_contexts_ended(PciehsmState *s, PciehsmJob *job)
{
    pciehsm_job_put(s, job);
    s->ending = false;
    trace_pciehsm_contexts_ended(s->serial);
    pciehsm_ctrl_update(s);
}

static void pciehsm_reset_run(struct hsm_fw *fw, PciehsmJob *job)
{
    hsm_fw_reset(fw);
}

/* Everything of the host goes; what it began in the firmware is being ended. */
static void pciehsm_ctrl_stop(PciehsmState *s)
{
    PciehsmJob *job;

    pciehsm_queues_drop(s);
    s->num_events = 0;
    s->progress_due = false;
    s->fatal = PCIEHSM_FATAL_NONE;
    s->shst = PCIEHSM_CSTS_SHST_NONE;
    pciehsm_fault_restart(s);
    if (!s->used) {
        return;
    }
    s->used = false;
    s->ending = true;
    s->stats.resets++;

    pciehsm_fw_abort_all(s->fw);
    job = pciehsm_job_new(s->fw, 0, 0, 0);
    job->run = pciehsm_reset_run;
    job->worker = PCIEHSM_WORKER_SLOW;
    job->finish = pciehsm_contexts_ended;
    pciehsm_job_start(job);
}

static bool pciehsm_admin_ring_ok(uint64_t addr, uint32_t entries, size_t entry)
{
    return entries >= 2 && entries <= 1U << PCIEHSM_AQES &&
           addr % PCIEHSM_QUEUE_ALIGN == 0 &&
           pciehsm_range_valid(addr, entries * entry);
}

static void pciehsm_ctrl_start(PciehsmState *s)
{
    uint32_t sq_entries = (s->aqa & 0xffff) + 1;
    uint32_t cq_entries = (s->aqa >> 16) + 1;

    if (!pciehsm_admin_ring_ok(s->asq, sq_entries,
                               sizeof(struct pciehsm_sqe)) ||
        !pciehsm_admin_ring_ok(s->acq, cq_entries,
                               sizeof(struct pciehsm_cqe))) {
        pciehsm_guest_error(s, admin_queue, s->aqa, s->asq, s->acq);
        pciehsm_fatal(s, PCIEHSM_FATAL_ADMIN_QUEUE);
        return;
    }
    pciehsm_sq_new(s, 0, s->asq, sq_entries,
                   pciehsm_cq_new(s, 0, s->acq, cq_entries, 0));
    s->rdy = true;
    trace_pciehsm_ready(s->serial, true);
}

void pciehsm_ctrl_update(PciehsmState *s)
{
    bool enable = s->cc & PCIEHSM_CC_EN;

    if (s->ending) {
        return;
    }
    /*
     * Queue 0 is there exactly from the start to the stop, or until the card lost
     * everything, which then is its fatal status. One that is disabled is not
     * ready, even if it could not start its firmware again.
     */
    if (s->rdy && !s->sq[0] && !(enable && s->fatal)) {
        s->rdy = false;
        trace_pciehsm_ready(s->serial, false);
    }
    if (enable && !s->rdy && !s->fatal) {
        pciehsm_ctrl_start(s);
    }
    if (s->shst == PCIEHSM_CSTS_SHST_BUSY &&
        !(s->fw && pciehsm_fw_busy(s->fw))) {
        s->shst = PCIEHSM_CSTS_SHST_DONE;
        trace_pciehsm_shutdown(s->serial, true);
    }
}

void pciehsm_ctrl_reset(PciehsmState *s)
{
    trace_pciehsm_reset(s->serial);
    s->cc = 0;
    s->aqa = 0;
    s->asq = 0;
    s->acq = 0;
    s->rdy = false;
    pciehsm_ctrl_stop(s);
}

/* ---- registers ---- */

static uint32_t pciehsm_csts(PciehsmState *s)
{
    return (s->rdy ? PCIEHSM_CSTS_RDY : 0) |
           (s->fatal ? PCIEHSM_CSTS_CFS : 0) | s->shst;
}

static void pciehsm_cc_write(PciehsmState *s, uint32_t value)
{
    uint32_t old = s->cc;

    trace_pciehsm_cc(s->serial, value);
    if (value & ~(PCIEHSM_CC_EN | PCIEHSM_CC_SHN)) {
        pciehsm_guest_error(s, cc, value);
        value &= PCIEHSM_CC_EN | PCIEHSM_CC_SHN;
    }
    if (old & value & PCIEHSM_CC_EN) {
        /* There is no way back from a shutdown but a reset. */
        value |= old & PCIEHSM_CC_SHN;
    } else if (old & PCIEHSM_CC_EN) {
        pciehsm_ctrl_stop(s);
    } else {
        s->shst = PCIEHSM_CSTS_SHST_NONE;
        if ((value & PCIEHSM_CC_EN) && s->crashed) {
            /* The firmware did not start at the last reset: once more. */
            s->fatal = PCIEHSM_FATAL_NONE;
            pciehsm_fault_restart(s);
        }
    }
    s->cc = value;
    if ((value & PCIEHSM_CC_SHN) && s->shst == PCIEHSM_CSTS_SHST_NONE) {
        trace_pciehsm_shutdown(s->serial, false);
        s->shst = PCIEHSM_CSTS_SHST_BUSY;
    }
    pciehsm_ctrl_update(s);
}

/* The register that covers @offset, NULL if there is none. */
typedef struct PciehsmReg {
    uint16_t offset;
    uint8_t size;
    bool config;                /* writable while disabled */
    const char *name;
} PciehsmReg;

static const PciehsmReg *pciehsm_reg_find(hwaddr offset)
{
    static const PciehsmReg regs[] = {
        { PCIEHSM_REG_CAP, 8, false, "CAP" },
        { PCIEHSM_REG_VS, 4, false, "VS" },
        { PCIEHSM_REG_CC, 4, false, "CC" },
        { PCIEHSM_REG_CSTS, 4, false, "CSTS" },
        { PCIEHSM_REG_AQA, 4, true, "AQA" },
        { PCIEHSM_REG_FATAL, 4, false, "FATAL" },
        { PCIEHSM_REG_ASQ, 8, true, "ASQ" },
        { PCIEHSM_REG_ACQ, 8, true, "ACQ" },
    };

    for (int i = 0; i < ARRAY_SIZE(regs); i++) {
        if (offset >= regs[i].offset &&
            offset < regs[i].offset + regs[i].size) {
            return &regs[i];
        }
    }
    return NULL;
}

/*
 * 4-byte accesses anywhere, 8-byte ones to registers of 8 bytes; all aligned.
 */
static bool pciehsm_access_ok(hwaddr offset, unsigned size)
{
    const PciehsmReg *reg;

    if (size == 4) {
        return offset % 4 == 0;
    }
    if (size != 8 || offset % 8 != 0) {
        return false;
    }
    reg = pciehsm_reg_find(offset);
    return reg && reg->size == 8;
}

static uint64_t pciehsm_reg_value(PciehsmState *s, const PciehsmReg *reg)
{
    switch (reg->offset) {
    case PCIEHSM_REG_CAP:
        return s->cap;
    case PCIEHSM_REG_VS:
        return PCIEHSM_VS_CURRENT;
    case PCIEHSM_REG_CC:
        return s->cc;
    case PCIEHSM_REG_CSTS:
        return pciehsm_csts(s);
    case PCIEHSM_REG_AQA:
        return s->aqa;
    case PCIEHSM_REG_FATAL:
        return s->fatal;
    case PCIEHSM_REG_ASQ:
        return s->asq;
    case PCIEHSM_REG_ACQ:
        return s->acq;
    default:
        g_assert_not_reached();
    }
}

static uint64_t pciehsm_reg_read(PciehsmState *s, hwaddr offset, unsigned size)
{
    const PciehsmReg *reg = pciehsm_reg_find(offset);
    uint64_t value = 0;

    if (!pciehsm_powered(s)) {
        return UINT64_MAX;
    }
    if (!pciehsm_access_ok(offset, size)) {
        pciehsm_guest_error(s, reg_access, offset, size, false);
        return UINT64_MAX;
    }
    if (reg) {
        value = pciehsm_reg_value(s, reg) >> (offset - reg->offset) * 8;
    } else if (offset < PCIEHSM_DB_BASE) {
        pciehsm_guest_error(s, reg_reserved, offset, false);
    }
    trace_pciehsm_reg_read(s->serial, offset, size, value);
    return value;
}

/* Writes the accessed part of a register that configures the admin queue. */
static void pciehsm_config_write(PciehsmState *s, const PciehsmReg *reg,
                                 hwaddr offset, unsigned size, uint64_t value)
{
    unsigned shift = (offset - reg->offset) * 8;
    uint64_t whole = deposit64(pciehsm_reg_value(s, reg), shift, size * 8,
                               value);

    if (s->cc & PCIEHSM_CC_EN) {
        pciehsm_guest_error(s, reg_enabled, reg->name);
        return;
    }
    switch (reg->offset) {
    case PCIEHSM_REG_AQA:
        s->aqa = whole;
        break;
    case PCIEHSM_REG_ASQ:
        s->asq = whole;
        break;
    case PCIEHSM_REG_ACQ:
        s->acq = whole;
        break;
    }
}

/* ---- doorbells ---- */

static void pciehsm_sq_doorbell(PciehsmState *s, unsigned qid, uint32_t tail)
{
    PciehsmSq *sq = s->sq[qid];

    if (!sq) {
        pciehsm_guest_error(s, doorbell_queue, qid, false);
        return;
    }
    if (tail >= sq->entries) {
        pciehsm_guest_error(s, doorbell_value, qid, false, tail);
        pciehsm_fatal(s, PCIEHSM_FATAL_DOORBELL);
        return;
    }
    sq->tail = tail;
    set_bit(qid, s->sq_work);
    pciehsm_kick(s);
}

static void pciehsm_cq_doorbell(PciehsmState *s, unsigned qid, uint32_t head)
{
    PciehsmCq *cq = s->cq[qid];
    uint32_t posted, freed;

    if (!cq) {
        pciehsm_guest_error(s, doorbell_queue, qid, true);
        return;
    }
    posted = (cq->tail + cq->entries - cq->head) % cq->entries;
    freed = head < cq->entries ?
            (head + cq->entries - cq->head) % cq->entries : UINT32_MAX;
    /* Freeing what was never posted would lose the completions in between. */
    if (freed > posted) {
        pciehsm_guest_error(s, doorbell_value, qid, true, head);
        pciehsm_fatal(s, PCIEHSM_FATAL_DOORBELL);
        return;
    }
    cq->head = head;
    if (!QTAILQ_EMPTY(&cq->pending)) {
        set_bit(qid, s->cq_work);
        pciehsm_kick(s);
    }
}

static void pciehsm_doorbell(PciehsmState *s, unsigned n, uint32_t value)
{
    unsigned qid = n / 2;

    if (s->fatal || !(s->cc & PCIEHSM_CC_EN)) {
        pciehsm_guest_error(s, doorbell_queue, qid, n % 2);
    } else if (n % 2) {
        pciehsm_cq_doorbell(s, qid, value);
    } else {
        pciehsm_sq_doorbell(s, qid, value);
    }
}

void pciehsm_doorbells(PciehsmState *s)
{
    for (unsigned word = 0; word < ARRAY_SIZE(s->rung); word++) {
        unsigned long rung;

        if (!qatomic_read(&s->rung[word])) {
            continue;
        }
        /* In this order: what is rung after this is looked at again. */
        rung = qatomic_xchg(&s->rung[word], 0);
        while (rung) {
            unsigned n = word * BITS_PER_LONG + ctzl(rung);

            rung &= rung - 1;
            pciehsm_doorbell(s, n, qatomic_read(&s->doorbell[n]));
        }
    }
}

/*
 * On the processor that rings it. Nobody is waited for here: not for the card,
 * which may be in the midst of a thousand commands. As on real hardware only the
 * last of several values of a doorbell counts.
 */
static void pciehsm_ring(PciehsmState *s, hwaddr offset, uint32_t value)
{
    hwaddr n = (offset - PCIEHSM_DB_BASE) / 4;

    trace_pciehsm_doorbell(s->serial, n / 2, n % 2, value);
    if (n >= PCIEHSM_DOORBELLS) {
        pciehsm_lock(s);
        pciehsm_guest_error(s, doorbell_queue, n / 2, n % 2);
        pciehsm_unlock(s);
        return;
    }
    qatomic_set(&s->doorbell[n], value);
    set_bit_atomic(n, s->rung);
    pciehsm_kick(s);
}

static void pciehsm_reg_write(PciehsmState *s, hwaddr offset, unsigned size,
                              uint64_t value)
{
    const PciehsmReg *reg = pciehsm_reg_find(offset);

    if (!pciehsm_powered(s)) {
        return;
    }
    if (!pciehsm_access_ok(offset, size)) {
        pciehsm_guest_error(s, reg_access, offset, size, true);
        return;
    }
    trace_pciehsm_reg_write(s->serial, offset, size, value);
    if (!reg) {
        pciehsm_guest_error(s, reg_reserved, offset, true);
    } else if (reg->offset == PCIEHSM_REG_CC) {
        pciehsm_cc_write(s, value);
    } else if (reg->config) {
        pciehsm_config_write(s, reg, offset, size, value);
    } else {
        pciehsm_guest_error(s, reg_readonly, reg->name);
    }
}

/* ---- accesses ---- */

/* The big lock, for what is no doorbell, where QEMU comes without it */
static bool pciehsm_enter(PciehsmState *s)
{
    bool locked = bql_locked();

    if (!locked) {
        bql_lock();
    }
    pciehsm_lock(s);
    return !locked;
}

static void pciehsm_leave(PciehsmState *s, bool unlock)
{
    pciehsm_unlock(s);
    if (unlock) {
        bql_unlock();
    }
}

static uint64_t pciehsm_regs_read(void *opaque, hwaddr offset, unsigned size)
{
    PciehsmState *s = opaque;
    bool unlock = pciehsm_enter(s);
    uint64_t value = s->unplugged ? UINT64_MAX :
                     pciehsm_reg_read(s, offset, size);

    pciehsm_leave(s, unlock);
    return value;
}

static void pciehsm_regs_write(void *opaque, hwaddr offset, uint64_t value,
                               unsigned size)
{
    PciehsmState *s = opaque;
    bool unlock;

    if (offset >= PCIEHSM_DB_BASE && pciehsm_access_ok(offset, size)) {
        if (pciehsm_powered(s)) {
            pciehsm_ring(s, offset, value);
        }
        return;
    }
    unlock = pciehsm_enter(s);
    if (!s->unplugged) {
        pciehsm_reg_write(s, offset, size, value);
    }
    pciehsm_leave(s, unlock);
}

/* All accesses come here as they are, so that wrong ones can be told. */
static const MemoryRegionOps pciehsm_regs_ops = {
    .read = pciehsm_regs_read,
    .write = pciehsm_regs_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = {
        .min_access_size = 1,
        .max_access_size = 8,
        .unaligned = true,
    },
    .impl = {
        .min_access_size = 1,
        .max_access_size = 8,
        .unaligned = true,
    },
};

void pciehsm_regs_init(PciehsmState *s)
{
    memory_region_init_io(&s->regs, OBJECT(s), &pciehsm_regs_ops, s,
                          "pciehsm-regs", PCIEHSM_BAR0_SIZE);
    if (s->iothread) {
        PCIEHSM_LOCKLESS_REGS(&s->regs);
    }
    s->cap = (uint64_t)(s->max_entries - 1) |
             (uint64_t)(PCIEHSM_READY_MS / PCIEHSM_CAP_TO_UNIT_MS) << 16 |
             (uint64_t)PCIEHSM_AQES << 24 |
             (uint64_t)(s->max_msg / PCIEHSM_CAP_MSGMAX_UNIT) << 32;
}
