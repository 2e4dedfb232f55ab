/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pciehsm: admin commands, asynchronous events, aborts.
 *
 * What asks the firmware something is done by a worker thread, see
 * pciehsm-fw.c: it may be writing to its store while the main loop goes on.
 */
#include "qemu/osdep.h"
#include "qemu/cutils.h"
#include "pciehsm.h"
#include "trace.h"

static void pciehsm_set_text(char *to, size_t room, const char *from)
{
    /* Fills with NUL; a text may fill all of its room. */
    strpadcpy(to, room, from, '\0');
}

/* ---- answers that come from the firmware ---- */

static void pciehsm_admin_finish(PciehsmState *s, PciehsmJob *job)
{
    PciehsmCmd *cmd = job->cmd;

    if (!cmd) {
        pciehsm_job_put(s, job);
        return;
    }
    cmd->result = job->result;
    pciehsm_cmd_complete(s, cmd, PCIEHSM_SC_SUCCESS);
}

/*
 * pciehsm_admin_ask() - have @run fill @size bytes for the command's out
 *
 * Of these the host gets as many as it has room for, in units of @unit. Less
 * than one unit is refused, but for @size 0.
 */
static PciehsmTake pciehsm_admin_ask(PciehsmState *s, PciehsmCmd *cmd,
                                     const struct pciehsm_sqe *sqe,
                                     size_t size, size_t unit, uint32_t arg,
                                     PciehsmWorker worker,
                                     void (*run)(struct hsm_fw *, PciehsmJob *))
{
    enum pciehsm_status status;
    PciehsmJob *job;
    size_t room;

    if (!pciehsm_dptr_none(&sqe->in) ||
        (!size && !pciehsm_dptr_none(&sqe->out))) {
        pciehsm_cmd_refuse(s, cmd, PCIEHSM_SC_INVALID_FIELD);
        return PCIEHSM_TAKEN;
    }
    status = pciehsm_dptr_parse(s, &sqe->out, &cmd->out);
    if (status != PCIEHSM_SC_SUCCESS) {
        pciehsm_cmd_refuse(s, cmd, status);
        return PCIEHSM_TAKEN;
    }
    room = MIN(cmd->out.len, size);
    room -= size ? room % unit : 0;
    if (size && !room) {
        pciehsm_cmd_refuse(s, cmd, PCIEHSM_SC_OUT_SIZE);
        return PCIEHSM_TAKEN;
    }
    job = pciehsm_job_new(s->fw, 0, room, 0);
    if (!job) {
        return PCIEHSM_STALLED;
    }
    job->req.out_size = room;
    job->arg = arg;
    job->run = run;
    job->worker = worker;
    job->finish = pciehsm_admin_finish;
    pciehsm_cmd_run(s, cmd, job, pciehsm_job_start);
    return PCIEHSM_TAKEN;
}

static void pciehsm_identify_run(struct hsm_fw *fw, PciehsmJob *job)
{
    struct pciehsm_identify *id = (struct pciehsm_identify *)job->out;
    struct hsm_fw_info info;

    QEMU_BUILD_BUG_ON(sizeof(*id) != 256);
    hsm_fw_info(fw, &info);
    pciehsm_set_text(id->serial, sizeof(id->serial), info.serial);
    pciehsm_set_text(id->model, sizeof(id->model), info.model);
    pciehsm_set_text(id->fw_version, sizeof(id->fw_version), info.fw_version);
    pciehsm_set_text(id->label, sizeof(id->label), info.label);
    id->max_io_queues = cpu_to_le32(job->arg);
    id->max_msg = cpu_to_le32(info.max_msg);
    id->max_partitions = cpu_to_le32(info.max_partitions);
    id->max_contexts = cpu_to_le32(info.max_contexts);
    id->engines = cpu_to_le32(info.engines);
    id->max_aborts = cpu_to_le32(PCIEHSM_MAX_ABORTS);
    job->req.out_len = sizeof(*id);
}

static void pciehsm_partitions_run(struct hsm_fw *fw, PciehsmJob *job)
{
    g_autofree struct hsm_fw_partition *list =
        g_new0(struct hsm_fw_partition, PCIEHSM_MAX_PARTITIONS);
    struct pciehsm_partition *p = (struct pciehsm_partition *)job->out;
    size_t room = job->req.out_size / sizeof(*p);
    unsigned n = hsm_fw_partitions(fw, list, PCIEHSM_MAX_PARTITIONS);

    QEMU_BUILD_BUG_ON(sizeof(*p) != 128);
    for (unsigned i = 0; i < MIN(MIN(n, PCIEHSM_MAX_PARTITIONS), room); i++) {
        p[i].number = cpu_to_le32(list[i].number);
        p[i].index = cpu_to_le32(list[i].index);
        p[i].flags = cpu_to_le32(list[i].initialised ?
                                 PCIEHSM_PART_INITIALISED : 0);
        pciehsm_set_text(p[i].serial, sizeof(p[i].serial), list[i].serial);
        pciehsm_set_text(p[i].label, sizeof(p[i].label), list[i].label);
        job->req.out_len += sizeof(*p);
    }
    job->result = n;
}

static void pciehsm_health_run(struct hsm_fw *fw, PciehsmJob *job)
{
    struct pciehsm_health *health = (struct pciehsm_health *)job->out;
    struct hsm_fw_info info;

    QEMU_BUILD_BUG_ON(sizeof(*health) != 64);
    hsm_fw_info(fw, &info);
    health->tamper = cpu_to_le32(info.tampered);
    health->power_on = cpu_to_le64(info.power_on);
    health->commands = cpu_to_le64(info.commands);
    job->req.out_len = sizeof(*health);
}

/* What the card knows besides, at the time of the answer. */
static void pciehsm_health_finish(PciehsmState *s, PciehsmJob *job)
{
    struct pciehsm_health *health = (struct pciehsm_health *)job->out;

    health->temperature = cpu_to_le32(s->temperature);
    health->engines_failed = cpu_to_le32(s->engines_failed);
    pciehsm_admin_finish(s, job);
}

static void pciehsm_random_run(struct hsm_fw *fw, PciehsmJob *job)
{
    if (hsm_fw_random(fw, job->out, job->req.out_size)) {
        job->req.out_len = job->req.out_size;
        job->result = job->req.out_len;
    }
}

/* No byte is not an answer that somebody could take for random. */
static void pciehsm_random_finish(PciehsmState *s, PciehsmJob *job)
{
    if (job->cmd && !job->result) {
        pciehsm_cmd_complete(s, job->cmd, PCIEHSM_SC_INTERNAL);
        return;
    }
    pciehsm_admin_finish(s, job);
}

static void pciehsm_context_close_run(struct hsm_fw *fw, PciehsmJob *job)
{
    hsm_fw_context_close(fw, job->arg);
}

static PciehsmTake pciehsm_context_close(PciehsmState *s, PciehsmCmd *cmd,
                                         const struct pciehsm_sqe *sqe)
{
    PciehsmCmd *other;

    if (!cmd->context) {
        pciehsm_cmd_refuse(s, cmd, PCIEHSM_SC_INVALID_FIELD);
        return PCIEHSM_TAKEN;
    }
    /* What still runs for nobody should not keep the end waiting. */
    QTAILQ_FOREACH(other, &s->running, link) {
        if (other->sq_id && other->context == cmd->context) {
            pciehsm_job_abort(other->job);
        }
    }
    return pciehsm_admin_ask(s, cmd, sqe, 0, 0, cmd->context,
                             PCIEHSM_WORKER_SLOW, pciehsm_context_close_run);
}

/* ---- queues ---- */

/*
 * Refuses and returns false, or gives the qid and the ring of a create command.
 */
static bool pciehsm_create_args(PciehsmState *s, PciehsmCmd *cmd,
                                const struct pciehsm_sqe *sqe, size_t entry,
                                uint16_t *qid, uint32_t *entries,
                                dma_addr_t *addr)
{
    uint32_t arg = le32_to_cpu(sqe->arg[0]);
    enum pciehsm_status status;

    *qid = arg & 0xffff;
    *entries = (arg >> 16) + 1;
    *addr = le64_to_cpu(sqe->in.addr);

    if (!*qid || *qid > s->num_queues) {
        status = PCIEHSM_SC_INVALID_QUEUE;
    } else if (*entries < 2 || *entries > s->max_entries) {
        status = PCIEHSM_SC_INVALID_QUEUE_SIZE;
    } else if (*addr % PCIEHSM_QUEUE_ALIGN ||
               !pciehsm_range_valid(*addr, *entries * entry)) {
        status = PCIEHSM_SC_INVALID_FIELD;
    } else {
        return true;
    }
    pciehsm_guest_error(s, create_queue, *qid, *entries, *addr);
    pciehsm_cmd_refuse(s, cmd, status);
    return false;
}

static void pciehsm_create_cq(PciehsmState *s, PciehsmCmd *cmd,
                              const struct pciehsm_sqe *sqe)
{
    uint32_t vector = le32_to_cpu(sqe->arg[1]);
    uint32_t entries;
    dma_addr_t addr;
    uint16_t qid;

    if (!pciehsm_create_args(s, cmd, sqe, sizeof(struct pciehsm_cqe),
                             &qid, &entries, &addr)) {
        return;
    }
    if (s->cq[qid]) {
        pciehsm_cmd_refuse(s, cmd, PCIEHSM_SC_INVALID_QUEUE);
    } else if (vector >= s->vectors) {
        pciehsm_cmd_refuse(s, cmd, PCIEHSM_SC_INVALID_VECTOR);
    } else {
        pciehsm_cq_new(s, qid, addr, entries, vector);
        pciehsm_cmd_complete(s, cmd, PCIEHSM_SC_SUCCESS);
    }
}

static void pciehsm_create_sq(PciehsmState *s, PciehsmCmd *cmd,
                              const struct pciehsm_sqe *sqe)
{
    uint32_t cqid = le32_to_cpu(sqe->arg[1]);
    uint32_t entries;
    dma_addr_t addr;
    uint16_t qid;

    if (!pciehsm_create_args(s, cmd, sqe, sizeof(struct pciehsm_sqe),
                             &qid, &entries, &addr)) {
        return;
    }
    if (s->sq[qid] || !cqid || cqid >= PCIEHSM_QUEUES || !s->cq[cqid]) {
        pciehsm_cmd_refuse(s, cmd, PCIEHSM_SC_INVALID_QUEUE);
        return;
    }
    pciehsm_sq_new(s, qid, addr, entries, s->cq[cqid]);
    pciehsm_cmd_complete(s, cmd, PCIEHSM_SC_SUCCESS);
}

static void pciehsm_delete_queue(PciehsmState *s, PciehsmCmd *cmd,
                                 const struct pciehsm_sqe *sqe)
{
    uint32_t qid = le32_to_cpu(sqe->arg[0]);
    bool valid = qid && qid < PCIEHSM_QUEUES;

    if (valid && sqe->opcode == PCIEHSM_ADMIN_DELETE_SQ && s->sq[qid]) {
        pciehsm_sq_delete(s, s->sq[qid]);
        pciehsm_cmd_complete(s, cmd, PCIEHSM_SC_SUCCESS);
    } else if (valid && sqe->opcode == PCIEHSM_ADMIN_DELETE_CQ && s->cq[qid] &&
               !s->cq[qid]->users) {
        pciehsm_cq_delete(s, s->cq[qid]);
        pciehsm_cmd_complete(s, cmd, PCIEHSM_SC_SUCCESS);
    } else {
        pciehsm_guest_error(s, delete_queue, sqe->opcode, qid);
        pciehsm_cmd_refuse(s, cmd, PCIEHSM_SC_INVALID_QUEUE);
    }
}

static void pciehsm_set_queues(PciehsmState *s, PciehsmCmd *cmd,
                               const struct pciehsm_sqe *sqe)
{
    uint32_t wanted = le32_to_cpu(sqe->arg[0]);

    if (!wanted) {
        pciehsm_cmd_refuse(s, cmd, PCIEHSM_SC_INVALID_FIELD);
        return;
    }
    cmd->result = MIN(wanted, s->num_queues);
    pciehsm_cmd_complete(s, cmd, PCIEHSM_SC_SUCCESS);
}

/* ---- abort ---- */

static void pciehsm_abort_end(PciehsmState *s, PciehsmCmd *cmd, bool aborted)
{
    cmd->target = NULL;
    cmd->result = aborted ? 0 : 1;
    pciehsm_cmd_complete(s, cmd, PCIEHSM_SC_SUCCESS);
}

void pciehsm_aborts_resolve(PciehsmState *s, PciehsmCmd *target)
{
    PciehsmCmd *cmd, *next;

    QTAILQ_FOREACH_SAFE(cmd, &s->abort_cmds, link, next) {
        if (cmd->target == target) {
            pciehsm_abort_end(s, cmd, PCIEHSM_CQE_STATUS(target->status) ==
                                      PCIEHSM_SC_ABORTED);
        }
    }
}

/* True if @target ends now or soon because of the abort, or by itself. */
static bool pciehsm_abort_target(PciehsmState *s, PciehsmCmd *target)
{
    switch (target->state) {
    case PCIEHSM_CMD_RUNNING:
        if (!pciehsm_job_abort(target->job)) {
            return false;
        }
        target->aborting = !s->withhold_admin;
        return true;
    case PCIEHSM_CMD_HELD:
        /* A card that is hung altogether does not abort either. */
        if (s->withhold_admin) {
            return false;
        }
        pciehsm_cmd_kill(s, target);
        return true;
    case PCIEHSM_CMD_EVENT:
        pciehsm_cmd_kill(s, target);
        return true;
    case PCIEHSM_CMD_PENDING:
        /* Perhaps it was aborted by another one that waits for it as well. */
        return true;
    default:
        return false;
    }
}

static void pciehsm_abort(PciehsmState *s, PciehsmCmd *cmd,
                          const struct pciehsm_sqe *sqe)
{
    uint32_t arg = le32_to_cpu(sqe->arg[0]);
    uint16_t qid = arg & 0xffff;
    PciehsmCmd *target;

    if (qid >= PCIEHSM_QUEUES || !s->sq[qid]) {
        pciehsm_cmd_refuse(s, cmd, PCIEHSM_SC_INVALID_QUEUE);
        return;
    }
    if (s->num_abort_cmds == PCIEHSM_MAX_ABORTS) {
        pciehsm_cmd_refuse(s, cmd, PCIEHSM_SC_ABORT_LIMIT);
        return;
    }
    target = pciehsm_cmd_find(s->sq[qid], arg >> 16);
    trace_pciehsm_abort(s->serial, qid, arg >> 16, target ? target->state : -1);
    if (!target || !pciehsm_abort_target(s, target)) {
        pciehsm_abort_end(s, cmd, false);
        return;
    }
    /* Completed by pciehsm_aborts_resolve() once that of @target is posted. */
    cmd->target = target;
    cmd->state = PCIEHSM_CMD_ABORT;
    QTAILQ_INSERT_TAIL(&s->abort_cmds, cmd, link);
    s->num_abort_cmds++;
}

/* ---- events ---- */

static void pciehsm_event_give(PciehsmState *s)
{
    while (s->num_events && s->num_event_cmds) {
        PciehsmCmd *cmd = QTAILQ_FIRST(&s->event_cmds);

        cmd->result = s->events[0].type;
        cmd->result2 = s->events[0].number;
        s->num_events--;
        memmove(&s->events[0], &s->events[1],
                s->num_events * sizeof(s->events[0]));
        pciehsm_cmd_complete(s, cmd, PCIEHSM_SC_SUCCESS);
    }
}

void pciehsm_event(PciehsmState *s, uint32_t type, uint32_t number)
{
    trace_pciehsm_event(s->serial, type, number);
    /* A host that is about to come up reads everything anyway. */
    if (!s->rdy) {
        return;
    }
    for (unsigned i = 0; i < s->num_events; i++) {
        /*
         * After an overflow, or for what it will look at anyway, nothing is
         * new.
         */
        if (s->events[i].type == PCIEHSM_EVENT_OVERFLOW ||
            (s->events[i].type == type && s->events[i].number == number)) {
            return;
        }
    }
    if (s->num_events == PCIEHSM_EVENT_QUEUE) {
        type = PCIEHSM_EVENT_OVERFLOW;
        number = 0;
        s->num_events = 0;
    }
    s->events[s->num_events++] = (PciehsmEvent) { type, number };
    pciehsm_event_give(s);
}

static void pciehsm_event_wait(PciehsmState *s, PciehsmCmd *cmd)
{
    if (s->num_event_cmds == PCIEHSM_MAX_EVENTS) {
        pciehsm_cmd_refuse(s, cmd, PCIEHSM_SC_EVENT_LIMIT);
        return;
    }
    cmd->state = PCIEHSM_CMD_EVENT;
    QTAILQ_INSERT_TAIL(&s->event_cmds, cmd, link);
    s->num_event_cmds++;
    pciehsm_event_give(s);
}

/* ---- taking ---- */

/* Commands whose only data, if any, is the ring's address. */
static bool pciehsm_admin_no_data(const struct pciehsm_sqe *sqe)
{
    bool ring = sqe->opcode == PCIEHSM_ADMIN_CREATE_CQ ||
                sqe->opcode == PCIEHSM_ADMIN_CREATE_SQ;

    return pciehsm_dptr_none(&sqe->out) &&
           (ring || pciehsm_dptr_none(&sqe->in));
}

static PciehsmTake pciehsm_admin_simple(PciehsmState *s, PciehsmCmd *cmd,
                                        const struct pciehsm_sqe *sqe,
                                        void (*fn)(PciehsmState *, PciehsmCmd *,
                                                   const struct pciehsm_sqe *))
{
    if (pciehsm_admin_no_data(sqe)) {
        fn(s, cmd, sqe);
    } else {
        pciehsm_cmd_refuse(s, cmd, PCIEHSM_SC_INVALID_FIELD);
    }
    return PCIEHSM_TAKEN;
}

static void pciehsm_nop(PciehsmState *s, PciehsmCmd *cmd,
                        const struct pciehsm_sqe *sqe)
{
    pciehsm_cmd_complete(s, cmd, PCIEHSM_SC_SUCCESS);
}

static void pciehsm_event_cmd(PciehsmState *s, PciehsmCmd *cmd,
                              const struct pciehsm_sqe *sqe)
{
    pciehsm_event_wait(s, cmd);
}

PciehsmTake pciehsm_admin_take(PciehsmState *s, PciehsmCmd *cmd,
                               const struct pciehsm_sqe *sqe)
{
    PciehsmTake take;

    switch (sqe->opcode) {
    case PCIEHSM_ADMIN_DELETE_SQ:
    case PCIEHSM_ADMIN_DELETE_CQ:
        return pciehsm_admin_simple(s, cmd, sqe, pciehsm_delete_queue);
    case PCIEHSM_ADMIN_CREATE_SQ:
        return pciehsm_admin_simple(s, cmd, sqe, pciehsm_create_sq);
    case PCIEHSM_ADMIN_CREATE_CQ:
        return pciehsm_admin_simple(s, cmd, sqe, pciehsm_create_cq);
    case PCIEHSM_ADMIN_ABORT:
        return pciehsm_admin_simple(s, cmd, sqe, pciehsm_abort);
    case PCIEHSM_ADMIN_SET_QUEUES:
        return pciehsm_admin_simple(s, cmd, sqe, pciehsm_set_queues);
    case PCIEHSM_ADMIN_EVENT:
        return pciehsm_admin_simple(s, cmd, sqe, pciehsm_event_cmd);
    case PCIEHSM_ADMIN_NOP:
        return pciehsm_admin_simple(s, cmd, sqe, pciehsm_nop);
    case PCIEHSM_ADMIN_IDENTIFY:
        return pciehsm_admin_ask(s, cmd, sqe, sizeof(struct pciehsm_identify),
                                 sizeof(struct pciehsm_identify), s->num_queues,
                                 PCIEHSM_WORKER_QUICK, pciehsm_identify_run);
    case PCIEHSM_ADMIN_PARTITIONS:
        return pciehsm_admin_ask(s, cmd, sqe, PCIEHSM_MAX_PARTITIONS *
                                 sizeof(struct pciehsm_partition),
                                 sizeof(struct pciehsm_partition), 0,
                                 PCIEHSM_WORKER_QUICK, pciehsm_partitions_run);
    case PCIEHSM_ADMIN_HEALTH:
        take = pciehsm_admin_ask(s, cmd, sqe, sizeof(struct pciehsm_health),
                                 sizeof(struct pciehsm_health), 0,
                                 PCIEHSM_WORKER_QUICK, pciehsm_health_run);
        if (cmd->state == PCIEHSM_CMD_RUNNING) {
            cmd->job->finish = pciehsm_health_finish;
        }
        return take;
    case PCIEHSM_ADMIN_RANDOM:
        take = pciehsm_admin_ask(s, cmd, sqe, PCIEHSM_RANDOM_MAX, 1, 0,
                                 PCIEHSM_WORKER_QUICK, pciehsm_random_run);
        if (cmd->state == PCIEHSM_CMD_RUNNING) {
            cmd->job->finish = pciehsm_random_finish;
        }
        return take;
    case PCIEHSM_ADMIN_CONTEXT_CLOSE:
        return pciehsm_context_close(s, cmd, sqe);
    default:
        pciehsm_guest_error(s, opcode, 0, sqe->opcode);
        pciehsm_cmd_refuse(s, cmd, PCIEHSM_SC_INVALID_OPCODE);
        return PCIEHSM_TAKEN;
    }
}
