/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pciehsm: what a card has done, for whoever looks from outside (qom-get).
 *
 * Simple counters are properties of their own; "stats" holds the rest in one
 * piece. Times are those of the host: they tell what the emulation costs.
 */
#include "qemu/osdep.h"
#include "qemu/host-utils.h"
#include "qapi/visitor.h"
#include "pciehsm.h"

void pciehsm_stats_taken(PciehsmState *s, PciehsmCmd *cmd)
{
    cmd->taken = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    s->stats.opcodes[!!cmd->sq_id][cmd->opcode]++;
    if (cmd->sq->count > s->stats.deepest[cmd->sq_id]) {
        s->stats.deepest[cmd->sq_id] = cmd->sq->count;
    }
}

void pciehsm_stats_message(PciehsmState *s, uint32_t op)
{
    uint64_t *count;

    if (!s->stats.messages_by_op) {
        s->stats.messages_by_op = g_hash_table_new_full(NULL, NULL, NULL,
                                                        g_free);
    }
    count = g_hash_table_lookup(s->stats.messages_by_op, GUINT_TO_POINTER(op));
    if (!count) {
        /* The guest chooses the numbers: it can not make the table endless. */
        if (g_hash_table_size(s->stats.messages_by_op) == PCIEHSM_STAT_OPS) {
            return;
        }
        count = g_new0(uint64_t, 1);
        g_hash_table_insert(s->stats.messages_by_op, GUINT_TO_POINTER(op),
                            count);
    }
    ++*count;
}

void pciehsm_stats_posted(PciehsmState *s, const PciehsmCmd *cmd)
{
    int64_t us = (qemu_clock_get_ns(QEMU_CLOCK_REALTIME) - cmd->taken) / 1000;
    int bucket = us > 0 ? 64 - clz64(us) : 0;

    s->stats.latency[MIN(bucket, PCIEHSM_STAT_LATENCIES - 1)]++;
}

void pciehsm_stats_free(PciehsmState *s)
{
    if (s->stats.messages_by_op) {
        g_hash_table_destroy(s->stats.messages_by_op);
    }
}

/* ---- showing ---- */

static void pciehsm_visit_u64(Visitor *v, const char *name, uint64_t value)
{
    visit_type_uint64(v, name, &value, &error_abort);
}

static void pciehsm_visit_begin(Visitor *v)
{
    visit_start_struct(v, NULL, NULL, 0, &error_abort);
}

static void pciehsm_visit_end(Visitor *v)
{
    visit_check_struct(v, &error_abort);
    visit_end_struct(v, NULL);
}

static void pciehsm_visit_opcode(Visitor *v, uint64_t opcode, uint64_t count)
{
    pciehsm_visit_begin(v);
    pciehsm_visit_u64(v, "opcode", opcode);
    pciehsm_visit_u64(v, "count", count);
    pciehsm_visit_end(v);
}

static void pciehsm_visit_opcodes(Visitor *v, const char *name,
                                  const uint64_t *counts)
{
    visit_start_list(v, name, NULL, 0, &error_abort);
    for (int i = 0; i <= UINT8_MAX; i++) {
        if (counts[i]) {
            pciehsm_visit_opcode(v, i, counts[i]);
        }
    }
    visit_end_list(v, NULL);
}

static void pciehsm_visit_messages(Visitor *v, PciehsmState *s)
{
    GHashTableIter iter;
    gpointer op, count;

    visit_start_list(v, "messages", NULL, 0, &error_abort);
    if (s->stats.messages_by_op) {
        g_hash_table_iter_init(&iter, s->stats.messages_by_op);
        while (g_hash_table_iter_next(&iter, &op, &count)) {
            pciehsm_visit_opcode(v, GPOINTER_TO_UINT(op), *(uint64_t *)count);
        }
    }
    visit_end_list(v, NULL);
}

static void pciehsm_visit_latency(Visitor *v, PciehsmState *s)
{
    visit_start_list(v, "latency", NULL, 0, &error_abort);
    for (int i = 0; i < PCIEHSM_STAT_LATENCIES; i++) {
        if (!s->stats.latency[i]) {
            continue;
        }
        pciehsm_visit_begin(v);
        pciehsm_visit_u64(v, "below-us", 1ULL << i);
        pciehsm_visit_u64(v, "count", s->stats.latency[i]);
        pciehsm_visit_end(v);
    }
    visit_end_list(v, NULL);
}

static void pciehsm_visit_queues(Visitor *v, PciehsmState *s)
{
    visit_start_list(v, "queues", NULL, 0, &error_abort);
    for (int id = 0; id < PCIEHSM_QUEUES; id++) {
        const PciehsmSq *sq = s->sq[id];

        if (!sq) {
            continue;
        }
        pciehsm_visit_begin(v);
        pciehsm_visit_u64(v, "queue", id);
        pciehsm_visit_u64(v, "entries", sq->entries);
        pciehsm_visit_u64(v, "in-ring", (sq->tail + sq->entries - sq->head) %
                                        sq->entries);
        pciehsm_visit_u64(v, "taken", sq->count);
        pciehsm_visit_u64(v, "deepest", s->stats.deepest[id]);
        pciehsm_visit_u64(v, "unposted", sq->cq->num_pending);
        pciehsm_visit_end(v);
    }
    visit_end_list(v, NULL);
}

static void pciehsm_get_stats(Object *obj, Visitor *v, const char *name,
                              void *opaque, Error **errp)
{
    PciehsmState *s = PCIEHSM(obj);

    if (!visit_start_struct(v, name, NULL, 0, errp)) {
        return;
    }
    pciehsm_lock(s);
    pciehsm_visit_opcodes(v, "admin-commands", s->stats.opcodes[0]);
    pciehsm_visit_opcodes(v, "io-commands", s->stats.opcodes[1]);
    pciehsm_visit_messages(v, s);
    pciehsm_visit_latency(v, s);
    pciehsm_visit_queues(v, s);
    pciehsm_visit_u64(v, "dma-bytes-read", s->stats.bytes_read);
    pciehsm_visit_u64(v, "dma-bytes-written", s->stats.bytes_written);
    pciehsm_visit_u64(v, "engines", s->engines);
    pciehsm_visit_u64(v, "engine-busy-us",
                      s->fw ? pciehsm_fw_busy_ns(s->fw) / 1000 : 0);
    pciehsm_unlock(s);
    pciehsm_visit_end(v);
}

void pciehsm_stats_class_init(ObjectClass *klass)
{
    object_class_property_add(klass, "stats", "struct", pciehsm_get_stats,
                              NULL, NULL, NULL);
    object_class_property_set_description(klass, "stats",
        "commands by opcode, latencies, queue depths, DMA, engine time");
}
