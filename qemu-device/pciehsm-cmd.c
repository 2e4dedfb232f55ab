/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pciehsm: a command from the ring to its completion, and the I/O commands.
 */
#include "qemu/osdep.h"
#include "pciehsm.h"
#include <pciehsm/fw.h>
#include "trace.h"

/* ---- outstanding commands ---- */

PciehsmCmd *pciehsm_cmd_find(PciehsmSq *sq, uint16_t cid)
{
    PciehsmCmd *cmd;

    QLIST_FOREACH(cmd, &sq->bucket[cid & sq->bucket_mask], hash) {
        if (cmd->cid == cid) {
            return cmd;
        }
    }
    return NULL;
}

static PciehsmCmd *pciehsm_cmd_new(PciehsmSq *sq, const struct pciehsm_sqe *sqe)
{
    PciehsmCmd *cmd = g_new0(PciehsmCmd, 1);

    cmd->sq = sq;
    cmd->cq = sq->cq;
    cmd->sq_id = sq->id;
    cmd->cid = le16_to_cpu(sqe->cid);
    cmd->opcode = sqe->opcode;
    cmd->context = le32_to_cpu(sqe->context);
    cmd->msg_op = le32_to_cpu(sqe->msg_op);
    cmd->state = PCIEHSM_CMD_NEW;
    sq->count++;
    QTAILQ_INSERT_TAIL(&sq->cmds, cmd, sq_link);
    return cmd;
}

void pciehsm_job_put(PciehsmState *s, PciehsmJob *job)
{
    pciehsm_job_free(job);
    if (!bitmap_empty(s->sq_stalled, PCIEHSM_QUEUES)) {
        bitmap_or(s->sq_work, s->sq_work, s->sq_stalled, PCIEHSM_QUEUES);
        bitmap_zero(s->sq_stalled, PCIEHSM_QUEUES);
        pciehsm_kick(s);
    }
}

void pciehsm_cmd_free(PciehsmState *s, PciehsmCmd *cmd)
{
    PciehsmSq *sq = cmd->sq;

    if (cmd->state == PCIEHSM_CMD_RUNNING) {
        cmd->job->cmd = NULL;
    } else if (cmd->job) {
        pciehsm_job_put(s, cmd->job);
    }
    pciehsm_sgl_free(&cmd->out);
    if (s->num_abort_cmds) {
        pciehsm_aborts_resolve(s, cmd);
    }
    if (sq) {
        if (cmd->hashed) {
            QLIST_REMOVE(cmd, hash);
        }
        QTAILQ_REMOVE(&sq->cmds, cmd, sq_link);
        sq->count--;
        if (sq->head != sq->tail) {
            set_bit(sq->id, s->sq_work);
        }
    }
    g_free(cmd);
}

/* ---- ends ---- */

static void pciehsm_cmd_unlink(PciehsmState *s, PciehsmCmd *cmd)
{
    switch (cmd->state) {
    case PCIEHSM_CMD_NEW:
        break;
    case PCIEHSM_CMD_RUNNING:
        QTAILQ_REMOVE(&s->running, cmd, link);
        break;
    case PCIEHSM_CMD_EVENT:
        QTAILQ_REMOVE(&s->event_cmds, cmd, link);
        s->num_event_cmds--;
        break;
    case PCIEHSM_CMD_ABORT:
        QTAILQ_REMOVE(&s->abort_cmds, cmd, link);
        s->num_abort_cmds--;
        break;
    case PCIEHSM_CMD_HELD:
        QTAILQ_REMOVE(&s->held, cmd, link);
        break;
    case PCIEHSM_CMD_PENDING:
        g_assert_not_reached();
    }
}

void pciehsm_cmd_release(PciehsmState *s, PciehsmCmd *cmd)
{
    pciehsm_cmd_unlink(s, cmd);
    cmd->state = PCIEHSM_CMD_PENDING;
    QTAILQ_INSERT_TAIL(&cmd->cq->pending, cmd, link);
    cmd->cq->num_pending++;
    set_bit(cmd->cq->id, s->cq_work);
    pciehsm_kick(s);
}

static void pciehsm_cmd_end(PciehsmState *s, PciehsmCmd *cmd, uint16_t status)
{
    const PciehsmRule *rule;

    cmd->status = status;
    if (s->num_rules) {
        cmd->stuck = pciehsm_rule(s, PCIEHSM_FAULT_WITHHOLD, cmd);
        rule = pciehsm_rule(s, PCIEHSM_FAULT_DELAY, cmd);
        if (rule) {
            cmd->due = MAX(cmd->due, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) +
                                     rule->us * 1000);
        }
    }
    if (!pciehsm_held_back(s, cmd)) {
        pciehsm_cmd_release(s, cmd);
        return;
    }
    trace_pciehsm_withheld(s->serial, cmd->sq_id, cmd->cid);
    pciehsm_cmd_unlink(s, cmd);
    cmd->state = PCIEHSM_CMD_HELD;
    QTAILQ_INSERT_TAIL(&s->held, cmd, link);
    if (cmd->aborting) {
        pciehsm_cmd_kill(s, cmd);
    } else if (cmd->due) {
        pciehsm_due_wait(s, cmd);
    }
}

void pciehsm_cmd_complete(PciehsmState *s, PciehsmCmd *cmd,
                          enum pciehsm_status status)
{
    pciehsm_cmd_end(s, cmd, status << 1);
}

void pciehsm_cmd_refuse(PciehsmState *s, PciehsmCmd *cmd,
                        enum pciehsm_status status)
{
    pciehsm_cmd_end(s, cmd, status << 1 | PCIEHSM_CQE_NOT_EXECUTED);
}

void pciehsm_cmd_kill(PciehsmState *s, PciehsmCmd *cmd)
{
    bool not_executed = false;

    switch (cmd->state) {
    case PCIEHSM_CMD_RUNNING:
        pciehsm_job_abort(cmd->job);
        not_executed = pciehsm_job_not_begun(cmd->job);
        cmd->job->cmd = NULL;
        cmd->job = NULL;
        break;
    case PCIEHSM_CMD_HELD:
        not_executed = cmd->status & PCIEHSM_CQE_NOT_EXECUTED;
        if (cmd->job) {
            pciehsm_job_put(s, cmd->job);
            cmd->job = NULL;
        }
        break;
    default:
        not_executed = true;
        break;
    }
    cmd->result = 0;
    cmd->result2 = 0;
    cmd->status = PCIEHSM_SC_ABORTED << 1 |
                  (not_executed ? PCIEHSM_CQE_NOT_EXECUTED : 0);
    pciehsm_cmd_release(s, cmd);
}

void pciehsm_cmd_run(PciehsmState *s, PciehsmCmd *cmd, PciehsmJob *job,
                     void (*submit)(PciehsmJob *job))
{
    job->cmd = cmd;
    cmd->job = job;
    cmd->state = PCIEHSM_CMD_RUNNING;
    cmd->reported = qemu_clock_get_ms(QEMU_CLOCK_VIRTUAL);
    QTAILQ_INSERT_TAIL(&s->running, cmd, link);
    if (!timer_pending(s->progress_timer)) {
        timer_mod(s->progress_timer, cmd->reported + PCIEHSM_PROGRESS_POLL_MS);
    }
    submit(job);
}

/* ---- messages ---- */

static void pciehsm_msg_finish(PciehsmState *s, PciehsmJob *job)
{
    PciehsmCmd *cmd = job->cmd;

    if (!cmd) {
        pciehsm_job_put(s, job);
        return;
    }
    if (job->req.status != HSM_FW_ANSWERED) {
        job->req.out_len = 0;
    }
    /* The firmware is ours, but a mistake there must not become one here. */
    job->req.out_len = MIN(job->req.out_len, job->req.out_size);
    cmd->result = job->req.out_len;

    switch (job->req.status) {
    case HSM_FW_ANSWERED:
        pciehsm_cmd_complete(s, cmd, PCIEHSM_SC_SUCCESS);
        break;
    case HSM_FW_NO_PARTITION:
        pciehsm_cmd_refuse(s, cmd, PCIEHSM_SC_INVALID_PARTITION);
        break;
    case HSM_FW_CONTEXT_LIMIT:
        pciehsm_cmd_refuse(s, cmd, PCIEHSM_SC_CONTEXT_LIMIT);
        break;
    case HSM_FW_MALFORMED:
        pciehsm_cmd_refuse(s, cmd, PCIEHSM_SC_MSG_SIZE);
        break;
    case HSM_FW_ABORTED:
        pciehsm_cmd_refuse(s, cmd, PCIEHSM_SC_ABORTED);
        break;
    case HSM_FW_ABORTED_RUNNING:
        pciehsm_cmd_complete(s, cmd, PCIEHSM_SC_ABORTED);
        break;
    default:
        pciehsm_cmd_complete(s, cmd, PCIEHSM_SC_INTERNAL);
        break;
    }
}

/*
 * Checks that cost nothing come first, then the one and only read of the
 * message: what the firmware sees and what msg_op is compared with is the same
 * copy.
 */
static enum pciehsm_status pciehsm_msg_check(PciehsmState *s, PciehsmCmd *cmd,
                                             const struct pciehsm_sqe *sqe,
                                             PciehsmSgl *in)
{
    enum pciehsm_status status;

    if (!cmd->context) {
        return PCIEHSM_SC_INVALID_FIELD;
    }
    if (le32_to_cpu(sqe->in.len) < sizeof(struct pciehsm_msg) ||
        le32_to_cpu(sqe->in.len) > s->max_msg) {
        return PCIEHSM_SC_MSG_SIZE;
    }
    if (le32_to_cpu(sqe->out.len) < sizeof(struct pciehsm_msg)) {
        return PCIEHSM_SC_OUT_SIZE;
    }
    status = pciehsm_dptr_parse(s, &sqe->in, in);
    if (status == PCIEHSM_SC_SUCCESS) {
        status = pciehsm_dptr_parse(s, &sqe->out, &cmd->out);
    }
    return status;
}

static PciehsmTake pciehsm_msg_take(PciehsmState *s, PciehsmCmd *cmd,
                                    const struct pciehsm_sqe *sqe)
{
    const struct pciehsm_msg *msg;
    PciehsmSgl in = { 0 };
    enum pciehsm_status status;
    PciehsmJob *job = NULL;
    PciehsmTake take = PCIEHSM_TAKEN;
    size_t out_size;

    status = pciehsm_msg_check(s, cmd, sqe, &in);
    if (status != PCIEHSM_SC_SUCCESS) {
        goto refuse;
    }
    /*
     * No answer is longer than the longest message, however much room there is.
     */
    out_size = MIN(cmd->out.len, s->max_msg);
    job = pciehsm_job_new(s->fw, in.len, out_size,
                          sizeof(*cmd) + cmd->out.nseg * sizeof(PciehsmSeg));
    if (!job) {
        take = PCIEHSM_STALLED;
        goto out;
    }
    if (!pciehsm_sgl_read(s, &in, job->in)) {
        status = PCIEHSM_SC_DATA_TRANSFER;
        goto refuse;
    }
    msg = (const struct pciehsm_msg *)job->in;
    if (msg->op != sqe->msg_op) {
        pciehsm_guest_error(s, msg_op, cmd->sq_id, cmd->cid);
        status = PCIEHSM_SC_MSG_MISMATCH;
        goto refuse;
    }

    job->req.partition = le32_to_cpu(sqe->partition);
    job->req.context = cmd->context;
    job->req.in = job->in;
    job->req.in_len = in.len;
    job->req.out = job->out;
    job->req.out_size = out_size;
    job->finish = pciehsm_msg_finish;
    s->used = true;
    s->stats.messages++;
    pciehsm_stats_message(s, cmd->msg_op);
    trace_pciehsm_message(s->serial, cmd->sq_id, cmd->cid, job->req.partition,
                          cmd->context, le32_to_cpu(msg->op), in.len);
    pciehsm_cmd_run(s, cmd, job, pciehsm_job_submit);
    goto out;

refuse:
    if (job) {
        pciehsm_job_put(s, job);
    }
    pciehsm_cmd_refuse(s, cmd, status);
out:
    pciehsm_sgl_free(&in);
    return take;
}

/* ---- taking ---- */

static PciehsmTake pciehsm_io_take(PciehsmState *s, PciehsmCmd *cmd,
                                   const struct pciehsm_sqe *sqe)
{
    switch (sqe->opcode) {
    case PCIEHSM_IO_NOP:
        if (pciehsm_dptr_none(&sqe->in) && pciehsm_dptr_none(&sqe->out)) {
            pciehsm_cmd_complete(s, cmd, PCIEHSM_SC_SUCCESS);
        } else {
            pciehsm_cmd_refuse(s, cmd, PCIEHSM_SC_INVALID_FIELD);
        }
        return PCIEHSM_TAKEN;
    case PCIEHSM_IO_MSG:
        return pciehsm_msg_take(s, cmd, sqe);
    default:
        pciehsm_guest_error(s, opcode, cmd->sq_id, sqe->opcode);
        pciehsm_cmd_refuse(s, cmd, PCIEHSM_SC_INVALID_OPCODE);
        return PCIEHSM_TAKEN;
    }
}

/* True if a rule has made it fail; else it may have given it a time. */
static bool pciehsm_cmd_fault(PciehsmState *s, PciehsmCmd *cmd)
{
    const PciehsmRule *rule = pciehsm_rule(s, PCIEHSM_FAULT_FAIL, cmd);

    if (rule) {
        if (rule->executed) {
            pciehsm_cmd_complete(s, cmd, rule->status);
        } else {
            pciehsm_cmd_refuse(s, cmd, rule->status);
        }
        return true;
    }
    rule = pciehsm_rule(s, PCIEHSM_FAULT_SERVICE, cmd);
    if (rule) {
        cmd->due = pciehsm_service_end(s, rule);
    }
    return false;
}

PciehsmTake pciehsm_cmd_take(PciehsmState *s, PciehsmSq *sq,
                             const struct pciehsm_sqe *sqe)
{
    PciehsmCmd *cmd = pciehsm_cmd_new(sq, sqe);
    PciehsmTake take = PCIEHSM_TAKEN;

    trace_pciehsm_command(s->serial, sq->id, cmd->cid, cmd->opcode);
    pciehsm_stats_taken(s, cmd);
    if (pciehsm_cmd_find(sq, cmd->cid)) {
        pciehsm_guest_error(s, cid, sq->id, cmd->cid);
        pciehsm_cmd_refuse(s, cmd, PCIEHSM_SC_CID_CONFLICT);
        return PCIEHSM_TAKEN;
    }
    QLIST_INSERT_HEAD(&sq->bucket[cmd->cid & sq->bucket_mask], cmd, hash);
    cmd->hashed = true;

    if (sqe->flags) {
        pciehsm_guest_error(s, flags, sq->id, sqe->flags);
        pciehsm_cmd_refuse(s, cmd, PCIEHSM_SC_INVALID_FIELD);
    } else if (s->num_rules && pciehsm_cmd_fault(s, cmd)) {
        take = PCIEHSM_TAKEN;
    } else if (sq->id) {
        take = pciehsm_io_take(s, cmd, sqe);
    } else {
        take = pciehsm_admin_take(s, cmd, sqe);
    }

    if (take == PCIEHSM_STALLED) {
        /* It stays in the ring and is read anew when there is memory. */
        s->stats.opcodes[!!sq->id][cmd->opcode]--;
        pciehsm_cmd_free(s, cmd);
    }
    return take;
}
