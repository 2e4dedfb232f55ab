/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pciehsm card: what the parts of the device model share.
 *
 *   pciehsm.c        PCI function, properties, life and death
 *   pciehsm-regs.c   registers, doorbells, enabling, reset and shutdown
 *   pciehsm-queue.c  rings: fetching commands, posting completions, interrupts
 *   pciehsm-cmd.c    a command's life; I/O commands and messages
 *   pciehsm-admin.c  admin commands, events
 *   pciehsm-dma.c    data descriptors
 *   pciehsm-fw.c     the firmware's threads, and the memory of messages
 *   pciehsm-fault.c  properties that make the card misbehave
 *   pciehsm-store.c  a disk under the card's store that is full, or fails
 *   pciehsm-stats.c  what the card has done, for whoever looks from outside
 *   pciehsm-inject.c rules by which single commands go wrong
 *   pciehsm-migrate.c  saving, loading and handing over to another QEMU
 *
 * Guest memory is touched in one place only, the card's bottom half
 * (pciehsm_work), and there only while pciehsm_may_dma(). An MMIO access, a
 * reset or the firmware's threads do no more than leave a note for it. So
 * whoever takes a command off its queue can be sure that nothing is written for
 * it any more. The bottom half runs in the main loop, or in the thread that the
 * property iothread names: then commands go from the processor that rings the
 * doorbell to the firmware's engines and back into guest memory without the
 * main loop, which only raises the interrupts.
 *
 * Locking
 *   the big lock  is held by whoever comes from QEMU: MMIO (but for doorbells,
 *               where QEMU can do without), configuration space, resets,
 *               timers, properties, migration. The bottom half does not have it
 *               in a thread of its own, and never waits for it: so who has it
 *               may wait for the bottom half.
 *   s->lock     registers, queues, commands, faults, the memory of messages.
 *               Taken by pciehsm_lock() inside of the big lock, and held by the
 *               bottom half for as long as it runs: so who has it knows that no
 *               DMA is under way. Not held around anything that changes QEMU's
 *               memory map or raises an interrupt, both of which may come back.
 *   fw->lock    see pciehsm-fw.c; taken inside of both.
 * s->fw and what realize has set change only with both the big lock and s->lock
 * held. Functions here are called with s->lock held unless they say otherwise.
 *
 * A command (PciehsmCmd) is what the host sees and lives from fetch to
 * completion. The card's work on it (PciehsmJob) is in the hands of a thread
 * that nobody can take it away from. Each knows the other; whichever goes first
 * cuts the tie, and a job without a command is freed when its thread gives it
 * back.
 */
#ifndef HW_MISC_PCIEHSM_H
#define HW_MISC_PCIEHSM_H

#include "qemu/bitmap.h"
#include "qemu/queue.h"
#include "qemu/thread.h"
#include "migration/vmstate.h"
#include "qemu/timer.h"
#include "qom/object.h"
#include "compat.h"
#include <pciehsm/hw.h>
#include <pciehsm-firmware.h>

#define TYPE_PCIEHSM "pciehsm"
OBJECT_DECLARE_SIMPLE_TYPE(PciehsmState, PCIEHSM)

/* Queue pairs with the admin queue's */
#define PCIEHSM_QUEUES          (PCIEHSM_MAX_IO_QUEUES + 1)
/* Even ones are those of SQs, odd ones those of CQs. */
#define PCIEHSM_DOORBELLS       (2 * PCIEHSM_QUEUES)
/* log2 of the greatest admin queue */
#define PCIEHSM_AQES            12
/*
 * How long RDY takes at most to change: the longest step that libcrypto takes
 */
#define PCIEHSM_READY_MS        15000
/* Commands taken from one queue before the others get their turn */
#define PCIEHSM_FETCH_BUDGET    64
#define PCIEHSM_FETCH_BATCH     16
/* Events kept for the host; every partition may change once without overflow */
#define PCIEHSM_EVENT_QUEUE     (PCIEHSM_MAX_PARTITIONS + 8)
/*
 * A command is reported once it has had no report for this long, looked at in
 * steps of PROGRESS_POLL_MS: both together stay below PCIEHSM_PROGRESS_MS.
 */
#define PCIEHSM_PROGRESS_AGE_MS 1200
#define PCIEHSM_PROGRESS_POLL_MS 400

typedef struct PciehsmCmd PciehsmCmd;
typedef struct PciehsmCq PciehsmCq;
typedef struct PciehsmFw PciehsmFw;
typedef struct PciehsmJob PciehsmJob;
typedef struct PciehsmSq PciehsmSq;

/* ---- guest errors ---- */

/* A mistake of the guest: counted, and traced by its own event. */
#define pciehsm_guest_error(s, event, ...) do {         \
        (s)->stats.guest_errors++;                      \
        trace_pciehsm_ub_##event((s)->serial, ## __VA_ARGS__); \
    } while (0)

/* ---- data in guest memory ---- */

typedef struct PciehsmSeg {
    dma_addr_t addr;
    uint32_t len;
} PciehsmSeg;

/**
 * PciehsmSgl - a validated data descriptor
 * @len:   bytes in all; 0: no data
 * @nseg:  pieces
 * @one:   the piece when there is only one
 * @many:  the pieces otherwise, owned by the list
 */
typedef struct PciehsmSgl {
    uint32_t len;
    uint32_t nseg;
    PciehsmSeg one;
    PciehsmSeg *many;
} PciehsmSgl;

/* ---- queues ---- */

struct PciehsmCq {
    uint16_t id;
    uint16_t vector;
    uint32_t entries;
    uint32_t head;              /* next that the host frees */
    uint32_t tail;              /* next that the card writes */
    bool phase;
    unsigned users;             /* SQs that complete here */
    dma_addr_t addr;
    QTAILQ_HEAD(, PciehsmCmd) pending; /* finished, in order, not yet posted */
    unsigned num_pending;
    bool choked;                /* an SQ waits until there are fewer */
};

struct PciehsmSq {
    uint16_t id;
    uint32_t entries;
    uint32_t head;              /* next that the card reads */
    uint32_t tail;              /* next that the host writes */
    dma_addr_t addr;
    PciehsmCq *cq;
    unsigned count;             /* commands taken and not completed */
    uint32_t bucket_mask;
    QLIST_HEAD(, PciehsmCmd) *bucket; /* outstanding ones by cid */
    QTAILQ_HEAD(, PciehsmCmd) cmds;
};

/* ---- commands ---- */

typedef enum PciehsmCmdState {
    PCIEHSM_CMD_NEW,            /* being looked at */
    PCIEHSM_CMD_RUNNING,        /* has a job that is not back; in s->running */
    PCIEHSM_CMD_EVENT,          /* waits for an event; in s->event_cmds */
    PCIEHSM_CMD_ABORT,          /* waits for another; in s->abort_cmds */
    PCIEHSM_CMD_HELD,           /* finished, withheld; in s->held */
    PCIEHSM_CMD_PENDING,        /* finished; in cq->pending */
} PciehsmCmdState;

/**
 * PciehsmCmd - a command of the host
 * @sq:       its queue; NULL once that was deleted
 * @cq:       where it completes
 * @job:      the card's work on it, and the answer's data; may be NULL
 * @target:   PCIEHSM_ADMIN_ABORT: the command that is waited for; NULL once
 *            that was posted
 * @out:      where the answer goes
 * @sq_head:  position of the SQ when it was deleted
 * @status:   as in struct pciehsm_cqe, without phase
 * @aborting: an abort waits for it, and takes it if it is withheld
 * @hashed:   is in the SQ's table, i.e. its cid is its own
 * @stuck:    a rule withholds its completion
 * @msg_op:   opcode of the message, if it is one
 * @taken:    when it was, QEMU_CLOCK_REALTIME ns
 * @due:      not to be posted before, QEMU_CLOCK_VIRTUAL ns
 * @reported: when the host heard last of it, QEMU_CLOCK_VIRTUAL ms
 */
struct PciehsmCmd {
    PciehsmSq *sq;
    PciehsmCq *cq;
    PciehsmJob *job;
    PciehsmCmd *target;
    PciehsmSgl out;
    PciehsmCmdState state;
    uint16_t cid;
    uint16_t sq_id;
    uint16_t sq_head;
    uint8_t opcode;
    bool hashed;
    bool aborting;
    bool stuck;
    uint32_t msg_op;
    int64_t taken;
    int64_t due;
    uint32_t context;
    uint32_t result;
    uint32_t result2;
    uint16_t status;
    int64_t reported;
    QLIST_ENTRY(PciehsmCmd) hash;
    QTAILQ_ENTRY(PciehsmCmd) sq_link;
    QTAILQ_ENTRY(PciehsmCmd) link; /* in the list that @state names */
};

typedef QTAILQ_HEAD(PciehsmCmdList, PciehsmCmd) PciehsmCmdList;

/* ---- faults by rule ---- */

typedef enum PciehsmFault {
    PCIEHSM_FAULT_FAIL,
    PCIEHSM_FAULT_SERVICE,
    PCIEHSM_FAULT_WITHHOLD,
    PCIEHSM_FAULT_DELAY,
    PCIEHSM_FAULT_CORRUPT,
    PCIEHSM_FAULT_DUPLICATE,
    PCIEHSM_FAULT_MISDIRECT,
} PciehsmFault;

typedef enum PciehsmField {
    PCIEHSM_FIELD_CID,
    PCIEHSM_FIELD_SQ,
    PCIEHSM_FIELD_HEAD,
    PCIEHSM_FIELD_STATUS,
    PCIEHSM_FIELD_RESULT,
} PciehsmField;

/**
 * PciehsmRule - what goes wrong with which commands
 * @action:   PciehsmFault
 * @field:    PciehsmField, of the completion
 * @queue:    SQ; negative: all but the admin queue
 * @opcode:   of the queue entry; negative: any
 * @op:       of the message; negative: any
 * @skip:     so many that fit are left alone first
 * @count:    so many are left to act on; negative: all
 * @us:       microseconds
 * @status:   enum pciehsm_status
 * @executed: the status does not say that the command was not executed
 * @xor:      what the field is changed by
 * @to:       CQ
 */
typedef struct PciehsmRule {
    int action;
    int field;
    int64_t queue;
    int64_t opcode;
    int64_t op;
    int64_t skip;
    int64_t count;
    int64_t us;
    int64_t status;
    int64_t executed;
    int64_t xor;
    int64_t to;
} PciehsmRule;

/* ---- the card ---- */

typedef struct PciehsmEvent {
    uint32_t type;
    uint32_t number;
} PciehsmEvent;

/* Powers of two in microseconds: up to half an hour */
#define PCIEHSM_STAT_LATENCIES  32
/* Opcodes of messages that are counted, more than fw.h has */
#define PCIEHSM_STAT_OPS        512

/**
 * PciehsmStats - counted since the card was made
 * @opcodes:        commands of the admin queue, and of all others
 * @messages_by_op: uint64_t by opcode of the message; NULL before the first
 * @latency:        [n]: below 2^n us from taking to posting; the last: the rest
 * @deepest:        most commands of an SQ under way at the same time
 */
typedef struct PciehsmStats {
    uint64_t commands;
    uint64_t messages;
    uint64_t completions;
    uint64_t progress;
    uint64_t interrupts;
    uint64_t bytes_read;
    uint64_t bytes_written;
    uint64_t guest_errors;
    uint64_t resets;
    uint64_t faults;
    uint64_t opcodes[2][UINT8_MAX + 1];
    GHashTable *messages_by_op;
    uint64_t latency[PCIEHSM_STAT_LATENCIES];
    unsigned deepest[PCIEHSM_QUEUES];
} PciehsmStats;

struct PciehsmState {
    PCIDevice parent_obj;

    /* properties */
    uint64_t serial;
    uint32_t partition_base;
    char *model;
    char *store;
    char *master_secret;
    uint32_t engines;
    uint32_t num_queues;        /* I/O queue pairs */
    uint32_t vectors;
    uint32_t max_entries;
    uint32_t max_partitions;
    uint32_t max_contexts;
    uint64_t memory;
    IOThread *iothread;

    QemuMutex lock;

    /* faults, see pciehsm-fault.c */
    bool gone;
    bool withhold;
    bool withhold_admin;
    uint32_t temperature;
    int disk;                   /* PciehsmDisk */
    bool crashed;               /* the firmware is off until the next reset */
    char *rules_text;
    PciehsmRule *rules;
    unsigned num_rules;
    int64_t engine_free[64];    /* QEMU_CLOCK_VIRTUAL ns */
    QEMUTimer *due_timer;

    /* PCI */
    MemoryRegion bar0;
    MemoryRegion regs;
    MemoryRegion regs_gone;
    MemoryRegion bar2;
    MemoryRegion msix_gone;
    uint8_t pm_cap;
    bool low_power;             /* qatomic: doorbells come without a lock */
    bool unplugged;             /* see pciehsm_exit() */
    VMChangeStateEntry *vm_state;

    /* registers */
    uint64_t cap;
    uint32_t cc;
    uint32_t aqa;
    uint32_t fatal;             /* enum pciehsm_fatal */
    uint32_t shst;              /* as in CSTS */
    uint64_t asq;
    uint64_t acq;
    bool rdy;
    bool draining;              /* stopped to be saved: what is done is posted */
    unsigned configuring;       /* bus mastering or power may be changing */
    bool ending;                /* the firmware is ending all contexts */
    bool used;                  /* a message was sent since that was done */

    /* firmware */
    PciehsmFw *fw;
    uint32_t max_msg;

    /* doorbells rung and not looked at: from any processor, without s->lock */
    uint32_t doorbell[PCIEHSM_DOORBELLS];
    unsigned long rung[BITS_TO_LONGS(PCIEHSM_DOORBELLS)];

    /* queues */
    PciehsmSq *sq[PCIEHSM_QUEUES];
    PciehsmCq *cq[PCIEHSM_QUEUES];
    DECLARE_BITMAP(sq_work, PCIEHSM_QUEUES);
    DECLARE_BITMAP(sq_stalled, PCIEHSM_QUEUES); /* wait for memory */
    DECLARE_BITMAP(cq_work, PCIEHSM_QUEUES);
    DECLARE_BITMAP(irq_work, PCIEHSM_MAX_VECTORS);
    QEMUBH *bh;
    QEMUBH *irq_bh;             /* of the main loop; NULL if that has @bh, too */
    QEMUTimer *progress_timer;
    bool progress_due;

    /* commands */
    PciehsmCmdList running;
    PciehsmCmdList event_cmds;
    PciehsmCmdList abort_cmds;
    PciehsmCmdList held;
    unsigned num_event_cmds;
    unsigned num_abort_cmds;

    /* events that no command has taken yet */
    PciehsmEvent events[PCIEHSM_EVENT_QUEUE];
    unsigned num_events;
    uint32_t engines_failed;

    PciehsmStats stats;
};

/* ---- pciehsm.c ---- */

/** pciehsm_lock() - have the card for oneself; doorbells rung so far are heard */
void pciehsm_lock(PciehsmState *s);
void pciehsm_unlock(PciehsmState *s);

/** pciehsm_power_on() - open the store and switch the firmware on; may block */
bool pciehsm_power_on(PciehsmState *s, Error **errp);

/* ---- pciehsm-migrate.c ---- */

extern const VMStateDescription pciehsm_vmstate;

/** pciehsm_deferred() - is the store still another QEMU's? */
bool pciehsm_deferred(void);

/**
 * pciehsm_vm_state() - the machine starts or stops; @opaque is the card
 *
 * Without s->lock.
 */
void pciehsm_vm_state(void *opaque, bool running, RunState state);

/* ---- pciehsm-regs.c ---- */

/** pciehsm_regs_init() - make the register region */
void pciehsm_regs_init(PciehsmState *s);

/** pciehsm_may_dma() - may the card touch guest memory and interrupt now? */
bool pciehsm_may_dma(PciehsmState *s);

/** pciehsm_powered() - true unless the function is in a low power state */
bool pciehsm_powered(PciehsmState *s);

/** pciehsm_power_update() - look at the power state after it may have changed */
void pciehsm_power_update(PciehsmState *s);

/**
 * pciehsm_fatal() - the controller can not go on
 *
 * Queues and commands stay where they are for the reset to remove.
 */
void pciehsm_fatal(PciehsmState *s, enum pciehsm_fatal why);

/**
 * pciehsm_ctrl_reset() - bring the registers to their state after power-on
 *
 * When it returns, nothing will touch guest memory for any command. Contexts
 * may still be ending in the background; RDY waits for that.
 */
void pciehsm_ctrl_reset(PciehsmState *s);

/** pciehsm_doorbells() - do what the doorbells say that were rung */
void pciehsm_doorbells(PciehsmState *s);

/** pciehsm_ctrl_update() - let RDY and SHST follow what was awaited */
void pciehsm_ctrl_update(PciehsmState *s);

/* ---- pciehsm-queue.c ---- */

/** pciehsm_kick() - have pciehsm_work() run soon; from any thread */
void pciehsm_kick(PciehsmState *s);

/** pciehsm_work() - the card's bottom half; @opaque is the card. Takes s->lock */
void pciehsm_work(void *opaque);

/**
 * pciehsm_interrupts() - raise those that are due; @opaque is the card
 *
 * With the big lock and without s->lock.
 */
void pciehsm_interrupts(void *opaque);

/** pciehsm_drain() - give the host whatever is finished; takes nothing new */
void pciehsm_drain(PciehsmState *s);

PciehsmCq *pciehsm_cq_new(PciehsmState *s, uint16_t id, dma_addr_t addr,
                          uint32_t entries, uint16_t vector);
PciehsmSq *pciehsm_sq_new(PciehsmState *s, uint16_t id, dma_addr_t addr,
                          uint32_t entries, PciehsmCq *cq);

/** pciehsm_cq_delete() - remove a CQ that no SQ uses, and what waits in it */
void pciehsm_cq_delete(PciehsmState *s, PciehsmCq *cq);

/** pciehsm_sq_delete() - remove an SQ; its commands complete as aborted */
void pciehsm_sq_delete(PciehsmState *s, PciehsmSq *sq);

/** pciehsm_queues_drop() - remove all queues and commands without a word */
void pciehsm_queues_drop(PciehsmState *s);

/* ---- pciehsm-cmd.c ---- */

typedef enum PciehsmTake {
    PCIEHSM_TAKEN,
    PCIEHSM_STALLED,            /* no memory now: it stays in the ring */
} PciehsmTake;

/** pciehsm_cmd_take() - begin a command that was read from @sq */
PciehsmTake pciehsm_cmd_take(PciehsmState *s, PciehsmSq *sq,
                             const struct pciehsm_sqe *sqe);

PciehsmCmd *pciehsm_cmd_find(PciehsmSq *sq, uint16_t cid);

/** pciehsm_cmd_complete() - it was executed, or may have been: @status */
void pciehsm_cmd_complete(PciehsmState *s, PciehsmCmd *cmd,
                          enum pciehsm_status status);

/** pciehsm_cmd_refuse() - it was not executed and never will be */
void pciehsm_cmd_refuse(PciehsmState *s, PciehsmCmd *cmd,
                        enum pciehsm_status status);

/** pciehsm_cmd_release() - post a finished command, withheld or not */
void pciehsm_cmd_release(PciehsmState *s, PciehsmCmd *cmd);

/** pciehsm_cmd_run() - hand @job to @submit; the command waits for it */
void pciehsm_cmd_run(PciehsmState *s, PciehsmCmd *cmd, PciehsmJob *job,
                     void (*submit)(PciehsmJob *job));

/**
 * pciehsm_cmd_kill() - complete an unfinished or withheld command as aborted,
 * now
 *
 * Its job, if a thread has it, is told to stop and left alone.
 */
void pciehsm_cmd_kill(PciehsmState *s, PciehsmCmd *cmd);

/**
 * pciehsm_cmd_free() - forget a command; aborts that wait for it complete
 *
 * It is in no list but its SQ's any more.
 */
void pciehsm_cmd_free(PciehsmState *s, PciehsmCmd *cmd);

/** pciehsm_job_put() - free a job; queues that wait for memory try again */
void pciehsm_job_put(PciehsmState *s, PciehsmJob *job);

/* ---- pciehsm-admin.c ---- */

PciehsmTake pciehsm_admin_take(PciehsmState *s, PciehsmCmd *cmd,
                               const struct pciehsm_sqe *sqe);

/** pciehsm_event() - give an event to the host, now or when it asks */
void pciehsm_event(PciehsmState *s, uint32_t type, uint32_t number);

/** pciehsm_aborts_resolve() - @target is done: complete the aborts of it */
void pciehsm_aborts_resolve(PciehsmState *s, PciehsmCmd *target);

/* ---- pciehsm-dma.c ---- */

/**
 * pciehsm_dptr_parse() - read and check a data descriptor
 * @sgl: out: to be freed by pciehsm_sgl_free(), whatever is returned
 *
 * Return: PCIEHSM_SC_SUCCESS, _INVALID_FIELD or _DATA_TRANSFER.
 */
enum pciehsm_status pciehsm_dptr_parse(PciehsmState *s,
                                       const struct pciehsm_dptr *dptr,
                                       PciehsmSgl *sgl);

/** pciehsm_dptr_none() - true if @dptr says that there is no data */
bool pciehsm_dptr_none(const struct pciehsm_dptr *dptr);

void pciehsm_sgl_free(PciehsmSgl *sgl);

/** pciehsm_sgl_read() - copy all of @sgl to @buf; false if memory failed */
bool pciehsm_sgl_read(PciehsmState *s, const PciehsmSgl *sgl, void *buf);

/** pciehsm_sgl_write() - copy @len bytes, at most @sgl->len; false: failed */
bool pciehsm_sgl_write(PciehsmState *s, const PciehsmSgl *sgl,
                       const void *buf, size_t len);

/** pciehsm_dma_read(), pciehsm_dma_write() - false if not all of it is RAM */
bool pciehsm_dma_read(PciehsmState *s, dma_addr_t addr, void *buf, size_t len);
bool pciehsm_dma_write(PciehsmState *s, dma_addr_t addr, const void *buf,
                       size_t len);

/** pciehsm_range_valid() - does [@addr, @addr + @len) not wrap around? */
static inline bool pciehsm_range_valid(uint64_t addr, uint64_t len)
{
    return len && addr <= UINT64_MAX - (len - 1);
}

/* ---- pciehsm-fw.c ---- */

typedef enum PciehsmWorker {
    PCIEHSM_WORKER_QUICK,       /* questions */
    PCIEHSM_WORKER_SLOW,        /* what waits for running messages */
    PCIEHSM_WORKERS,
} PciehsmWorker;

/**
 * PciehsmJob - work of the firmware
 * @req:       the request when it is a message
 * @fw:        whose it is
 * @cmd:       the command that it is for; NULL: nobody cares any more
 * @finish:    called by pciehsm_work() when it is back; @job is then its own
 * @run:       the work when it is no message, done by thread @worker
 * @arg:       for @run
 * @result:    from @run
 * @in, @out:  card memory; wiped when the job is freed
 * @begun:     a sign of life was seen
 * @signs:     signs of life of the card when it was looked at last
 */
struct PciehsmJob {
    struct hsm_fw_request req;
    PciehsmFw *fw;
    PciehsmCmd *cmd;
    void (*finish)(PciehsmState *s, PciehsmJob *job);
    void (*run)(struct hsm_fw *fw, PciehsmJob *job);
    PciehsmWorker worker;
    uint32_t arg;
    uint32_t result;
    uint8_t *in;
    uint8_t *out;
    bool begun;
    uint32_t signs;

    /* pciehsm-fw.c's own */
    void *buf;
    size_t buf_len;
    size_t charge;
    bool returned;
    bool active;                /* one of those that are counted */
    uint32_t alive;
    uint32_t permille;
    QTAILQ_ENTRY(PciehsmJob) link;
    QTAILQ_ENTRY(PciehsmJob) wait; /* in the backlog, if not @active */
};

/**
 * pciehsm_fw_open() - switch the firmware on
 * @config: the card; @event and @opaque are set here
 * @memory: bytes that jobs may take
 * @bh:     to be scheduled when a job is back or an event came; must live until
 *          pciehsm_fw_close()
 * @leave:  called with @card when QEMU exits: the firmware is not to be used from
 *          then on. It takes s->lock.
 *
 * Return: the firmware, or NULL with @errp set.
 */
PciehsmFw *pciehsm_fw_open(struct hsm_fw_config *config, uint64_t memory,
                           QEMUBH *bh, void (*leave)(PciehsmState *card),
                           PciehsmState *card, Error **errp);

/**
 * pciehsm_fw_close() - switch it off
 *
 * Returns at once: what runs is stopped or finished in the background, and jobs
 * that are out are freed there. pciehsm_fw_open() of the same store waits for
 * it.
 */
void pciehsm_fw_close(PciehsmFw *fw);

/** pciehsm_fw_close_wait() - the same; the store is free when it returns */
void pciehsm_fw_close_wait(PciehsmFw *fw);

/**
 * pciehsm_fw_wait() - wait until a job is back that nobody has taken
 *
 * Return: false if none came within @ms.
 */
bool pciehsm_fw_wait(PciehsmFw *fw, int ms);

void pciehsm_fw_info(PciehsmFw *fw, struct hsm_fw_info *info);

/** pciehsm_fw_busy() - how many jobs are out */
unsigned pciehsm_fw_busy(PciehsmFw *fw);

/**
 * pciehsm_job_new() - make a job
 * @in, @out: bytes of card memory wanted; may be 0. @out is zeroed.
 * @extra:    bytes that the caller uses besides, to be charged
 *
 * Return: the job, to be freed by pciehsm_job_free(), or NULL if the card's
 * memory is in use. A job alone gets what it wants, one that wants nothing
 * always.
 */
PciehsmJob *pciehsm_job_new(PciehsmFw *fw, size_t in, size_t out, size_t extra);
void pciehsm_job_free(PciehsmJob *job);

/** pciehsm_job_submit() - give the job to the firmware's engines */
void pciehsm_job_submit(PciehsmJob *job);

/** pciehsm_job_start() - give the job to a thread of ours, which calls @run */
void pciehsm_job_start(PciehsmJob *job);

/**
 * pciehsm_job_abort() - stop a message
 *
 * Return: true if it is back or will be soon, see hsm_fw_abort().
 */
bool pciehsm_job_abort(PciehsmJob *job);

/** pciehsm_job_not_begun() - true if the job is back and was never executed */
bool pciehsm_job_not_begun(PciehsmJob *job);

/** pciehsm_fw_abort_all() - stop all messages that can be stopped */
void pciehsm_fw_abort_all(PciehsmFw *fw);

/**
 * pciehsm_job_alive() - may the host be told that the job goes on?
 * @permille: out: what is done
 *
 * A job that gave signs of life must have given another one since the last
 * call. One that did not begin yet waits for its turn, which it will have as
 * long as anything moves in the card.
 */
bool pciehsm_job_alive(PciehsmJob *job, uint32_t *permille);

/** pciehsm_fw_busy_ns() - time that engines have worked, added up */
uint64_t pciehsm_fw_busy_ns(PciehsmFw *fw);

/** pciehsm_fw_limit() - no more than @engines messages at the same time */
void pciehsm_fw_limit(PciehsmFw *fw, unsigned engines);

/** pciehsm_fw_returned() - take a job that is back, or NULL */
PciehsmJob *pciehsm_fw_returned(PciehsmFw *fw);

/** pciehsm_fw_event() - take an event; false if there is none */
bool pciehsm_fw_event(PciehsmFw *fw, PciehsmEvent *event);

/* ---- pciehsm-fault.c ---- */

/** pciehsm_fault_regions_init() - make what a card reads as that has gone */
void pciehsm_fault_regions_init(PciehsmState *s);
void pciehsm_fault_regions_exit(PciehsmState *s);

/**
 * pciehsm_fault_regions_update() - show them, or not, as s->gone says
 *
 * Like the two above with the big lock only.
 */
void pciehsm_fault_regions_update(PciehsmState *s);

/**
 * pciehsm_due_tick() - post what had to wait for its time; @opaque: the card
 *
 * Takes s->lock.
 */
void pciehsm_due_tick(void *opaque);

/** pciehsm_due_wait() - have pciehsm_due_tick() called when @cmd is due */
void pciehsm_due_wait(PciehsmState *s, const PciehsmCmd *cmd);

/** pciehsm_fault_restart() - a reset brings firmware back that has crashed */
void pciehsm_fault_restart(PciehsmState *s);

/** pciehsm_withheld() - true if completions of this SQ are held back */
static inline bool pciehsm_withheld(PciehsmState *s, uint16_t sq_id)
{
    return sq_id ? s->withhold : s->withhold_admin;
}

/** pciehsm_held_back() - true if the completion of @cmd has to wait */
static inline bool pciehsm_held_back(PciehsmState *s, const PciehsmCmd *cmd)
{
    return pciehsm_withheld(s, cmd->sq_id) || cmd->stuck ||
           (cmd->due && cmd->due > qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL));
}

/** pciehsm_fault_class_init() - add the properties */
void pciehsm_fault_class_init(ObjectClass *klass);

/* ---- pciehsm-store.c ---- */

typedef enum PciehsmDisk {
    PCIEHSM_DISK_OK,
    PCIEHSM_DISK_FULL,
    PCIEHSM_DISK_FAILING,
} PciehsmDisk;

/** pciehsm_disks_init() - be between SQLite and its files, once for all cards */
void pciehsm_disks_init(void);

/** pciehsm_disk_set() - what becomes of accesses to this store from now on */
void pciehsm_disk_set(const char *store, PciehsmDisk disk);

/* ---- pciehsm-stats.c ---- */

/** pciehsm_stats_taken() - a command was taken off its queue */
void pciehsm_stats_taken(PciehsmState *s, PciehsmCmd *cmd);

/** pciehsm_stats_message() - a message goes to the firmware */
void pciehsm_stats_message(PciehsmState *s, uint32_t op);

/** pciehsm_stats_posted() - the host can see that a command is complete */
void pciehsm_stats_posted(PciehsmState *s, const PciehsmCmd *cmd);

void pciehsm_stats_free(PciehsmState *s);

/** pciehsm_stats_class_init() - add the property */
void pciehsm_stats_class_init(ObjectClass *klass);

/* ---- pciehsm-inject.c ---- */

/** pciehsm_rules_set() - replace the rules by those in @text */
bool pciehsm_rules_set(PciehsmState *s, const char *text, Error **errp);

/**
 * pciehsm_rule() - is there a rule for this action and command?
 *
 * It is counted as having acted.
 */
const PciehsmRule *pciehsm_rule(PciehsmState *s, PciehsmFault action,
                                const PciehsmCmd *cmd);

/** pciehsm_rule_corrupt() - change @cqe as the rule says */
void pciehsm_rule_corrupt(const PciehsmRule *rule, struct pciehsm_cqe *cqe);

/** pciehsm_service_end() - when an engine has had its time with a message */
int64_t pciehsm_service_end(PciehsmState *s, const PciehsmRule *rule);

#endif /* HW_MISC_PCIEHSM_H */
