/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints: numbers and codes only. Nothing of a message but its opcode and its
 * length ever gets here.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM pciehsm

#if !defined(HSM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define HSM_TRACE_H

#include <linux/tracepoint.h>

#include "hsm.h"

TRACE_EVENT(pciehsm_submit,
	TP_PROTO(const struct hsm_slot *slot),
	TP_ARGS(slot),
	TP_STRUCT__entry(
		__field(int, card)
		__field(u16, qid)
		__field(u16, cid)
		__field(u8, opcode)
		__field(u32, partition)
		__field(u32, context)
		__field(u32, msg_op)
		__field(u32, in_len)
		__field(u32, out_len)
	),
	TP_fast_assign(
		__entry->card = slot->queue->ctrl->id;
		__entry->qid = slot->queue->qid;
		__entry->cid = le16_to_cpu(slot->sqe.cid);
		__entry->opcode = slot->sqe.opcode;
		__entry->partition = le32_to_cpu(slot->sqe.partition);
		__entry->context = le32_to_cpu(slot->sqe.context);
		__entry->msg_op = le32_to_cpu(slot->sqe.msg_op);
		__entry->in_len = le32_to_cpu(slot->sqe.in.len);
		__entry->out_len = le32_to_cpu(slot->sqe.out.len);
	),
	TP_printk("card=%d qid=%u cid=%#x opcode=%#x partition=%u context=%u op=%#x in=%u out=%u",
		  __entry->card, __entry->qid, __entry->cid, __entry->opcode,
		  __entry->partition, __entry->context, __entry->msg_op,
		  __entry->in_len, __entry->out_len)
);

TRACE_EVENT(pciehsm_complete,
	TP_PROTO(const struct hsm_slot *slot),
	TP_ARGS(slot),
	TP_STRUCT__entry(
		__field(int, card)
		__field(u16, qid)
		__field(u16, cid)
		__field(u16, status)
		__field(u32, result)
		__field(int, err)
	),
	TP_fast_assign(
		__entry->card = slot->queue->ctrl->id;
		__entry->qid = slot->queue->qid;
		__entry->cid = le16_to_cpu(slot->sqe.cid);
		__entry->status = slot->status;
		__entry->result = slot->result;
		__entry->err = slot->err;
	),
	TP_printk("card=%d qid=%u cid=%#x status=%#x not_executed=%d result=%u err=%d",
		  __entry->card, __entry->qid, __entry->cid,
		  PCIEHSM_CQE_STATUS(__entry->status),
		  !!(__entry->status & PCIEHSM_CQE_NOT_EXECUTED),
		  __entry->result, __entry->err)
);

TRACE_EVENT(pciehsm_bad_cqe,
	TP_PROTO(const struct hsm_queue *q, int kind, u16 sq_id, u16 cid, u16 status),
	TP_ARGS(q, kind, sq_id, cid, status),
	TP_STRUCT__entry(
		__field(int, card)
		__field(u16, qid)
		__field(int, kind)
		__field(u16, sq_id)
		__field(u16, cid)
		__field(u16, status)
	),
	TP_fast_assign(
		__entry->card = q->ctrl->id;
		__entry->qid = q->qid;
		__entry->kind = kind;
		__entry->sq_id = sq_id;
		__entry->cid = cid;
		__entry->status = status;
	),
	TP_printk("card=%d qid=%u %s sq_id=%u cid=%#x status=%#x",
		  __entry->card, __entry->qid,
		  __print_symbolic(__entry->kind,
				   { HSM_CQE_UNKNOWN, "unknown" },
				   { HSM_CQE_STALE, "stale" },
				   { HSM_CQE_DUPLICATE, "duplicate" }),
		  __entry->sq_id, __entry->cid, __entry->status)
);

TRACE_EVENT(pciehsm_rung,
	TP_PROTO(const struct hsm_slot *slot, int rung),
	TP_ARGS(slot, rung),
	TP_STRUCT__entry(
		__field(int, card)
		__field(u16, qid)
		__field(u16, cid)
		__field(int, rung)
	),
	TP_fast_assign(
		__entry->card = slot->queue->ctrl->id;
		__entry->qid = slot->queue->qid;
		__entry->cid = le16_to_cpu(slot->sqe.cid);
		__entry->rung = rung;
	),
	TP_printk("card=%d qid=%u cid=%#x %s", __entry->card, __entry->qid, __entry->cid,
		  __print_symbolic(__entry->rung,
				   { HSM_RUNG_WAIT, "wait" },
				   { HSM_RUNG_ABORT, "abort" },
				   { HSM_RUNG_RESET, "reset" },
				   { HSM_RUNG_FAIL_START, "fail_start" },
				   { HSM_RUNG_DEAD, "dead" }))
);

TRACE_EVENT(pciehsm_state,
	TP_PROTO(int card, int from, int to),
	TP_ARGS(card, from, to),
	TP_STRUCT__entry(
		__field(int, card)
		__field(int, from)
		__field(int, to)
	),
	TP_fast_assign(
		__entry->card = card;
		__entry->from = from;
		__entry->to = to;
	),
	TP_printk("card=%d from=%d to=%d", __entry->card, __entry->from, __entry->to)
);

TRACE_EVENT(pciehsm_event,
	TP_PROTO(int card, u32 type, u32 number),
	TP_ARGS(card, type, number),
	TP_STRUCT__entry(
		__field(int, card)
		__field(u32, type)
		__field(u32, number)
	),
	TP_fast_assign(
		__entry->card = card;
		__entry->type = type;
		__entry->number = number;
	),
	TP_printk("card=%d type=%u partition=%u", __entry->card, __entry->type,
		  __entry->number)
);

#endif /* HSM_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
