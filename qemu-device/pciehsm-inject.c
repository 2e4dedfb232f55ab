/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pciehsm: rules by which single commands go wrong, or take their time.
 *
 * The property x-faults holds a list of rules, "ACTION[,KEY=VALUE]...[;...]";
 * pciehsm.rst describes them. A rule is asked at the point of a command's life
 * that its action is about: when the command is taken (fail, service), when it
 * is finished (withhold, delay), when its completion is written (corrupt,
 * duplicate, misdirect). Of several that fit the first one acts.
 */
#include "qemu/osdep.h"
#include "qemu/cutils.h"
#include "qapi/error.h"
#include "pciehsm.h"
#include "trace.h"

#define PCIEHSM_ANY             (-1)
#define PCIEHSM_MAX_RULES       32
#define PCIEHSM_MAX_DELAY_US    (3600ULL * 1000 * 1000)

static const char *const pciehsm_actions[] = {
    [PCIEHSM_FAULT_FAIL] = "fail",
    [PCIEHSM_FAULT_SERVICE] = "service",
    [PCIEHSM_FAULT_WITHHOLD] = "withhold",
    [PCIEHSM_FAULT_DELAY] = "delay",
    [PCIEHSM_FAULT_CORRUPT] = "corrupt",
    [PCIEHSM_FAULT_DUPLICATE] = "duplicate",
    [PCIEHSM_FAULT_MISDIRECT] = "misdirect",
};

static const char *const pciehsm_fields[] = {
    [PCIEHSM_FIELD_CID] = "cid",
    [PCIEHSM_FIELD_SQ] = "sq",
    [PCIEHSM_FIELD_HEAD] = "head",
    [PCIEHSM_FIELD_STATUS] = "status",
    [PCIEHSM_FIELD_RESULT] = "result",
};

/* ---- reading ---- */

static int pciehsm_lookup(const char *const *names, int n, const char *name)
{
    for (int i = 0; i < n; i++) {
        if (!strcmp(names[i], name)) {
            return i;
        }
    }
    return -1;
}

static bool pciehsm_rule_key(PciehsmRule *rule, const char *key,
                             const char *value, Error **errp)
{
    struct {
        const char *key;
        uint64_t max;
        uint64_t value;
    } numbers[] = {
        { "queue", PCIEHSM_MAX_IO_QUEUES },
        { "opcode", UINT8_MAX },
        { "op", UINT32_MAX },
        { "skip", UINT32_MAX },
        { "count", UINT32_MAX },
        { "us", PCIEHSM_MAX_DELAY_US },
        { "status", 0x3fff },
        { "executed", 1 },
        { "xor", UINT32_MAX },
        { "to", PCIEHSM_MAX_IO_QUEUES },
    };
    int64_t *const into[] = {
        &rule->queue, &rule->opcode, &rule->op, &rule->skip, &rule->count,
        &rule->us, &rule->status, &rule->executed, &rule->xor, &rule->to,
    };
    uint64_t number;

    QEMU_BUILD_BUG_ON(ARRAY_SIZE(into) != ARRAY_SIZE(numbers));
    if (!strcmp(key, "field")) {
        rule->field = pciehsm_lookup(pciehsm_fields,
                                     ARRAY_SIZE(pciehsm_fields), value);
        if (rule->field < 0) {
            error_setg(errp, "x-faults: field=%s: give cid, sq, head, status "
                       "or result", value);
            return false;
        }
        return true;
    }
    for (int i = 0; i < ARRAY_SIZE(numbers); i++) {
        if (strcmp(numbers[i].key, key)) {
            continue;
        }
        if (qemu_strtou64(value, NULL, 0, &number) < 0 ||
            number > numbers[i].max) {
            error_setg(errp, "x-faults: %s=%s: give a number from 0 to %"
                       PRIu64, key, value, numbers[i].max);
            return false;
        }
        *into[i] = number;
        return true;
    }
    error_setg(errp, "x-faults: there is no \"%s\"; give queue, opcode, op, "
               "skip, count, us, status, executed, field, xor or to", key);
    return false;
}

static bool pciehsm_rule_check(const PciehsmRule *rule, Error **errp)
{
    const char *missing = NULL;

    switch (rule->action) {
    case PCIEHSM_FAULT_FAIL:
        missing = rule->status <= PCIEHSM_SC_PROGRESS ? "status" : NULL;
        break;
    case PCIEHSM_FAULT_SERVICE:
    case PCIEHSM_FAULT_DELAY:
        missing = !rule->us ? "us" : NULL;
        break;
    case PCIEHSM_FAULT_CORRUPT:
        missing = !rule->xor ? "xor" : NULL;
        break;
    case PCIEHSM_FAULT_MISDIRECT:
        missing = rule->to == PCIEHSM_ANY ? "to" : NULL;
        break;
    default:
        break;
    }
    if (missing) {
        error_setg(errp, "x-faults: %s needs %s=<number>",
                   pciehsm_actions[rule->action], missing);
    }
    return !missing;
}

static bool pciehsm_rule_parse(PciehsmRule *rule, const char *text,
                               Error **errp)
{
    g_auto(GStrv) words = g_strsplit(text, ",", 0);
    const char *action = words[0] ? g_strstrip(words[0]) : "";

    *rule = (PciehsmRule) {
        .queue = PCIEHSM_ANY,
        .opcode = PCIEHSM_ANY,
        .op = PCIEHSM_ANY,
        .to = PCIEHSM_ANY,
        .count = PCIEHSM_ANY,
    };
    rule->action = pciehsm_lookup(pciehsm_actions,
                                  ARRAY_SIZE(pciehsm_actions), action);
    if (rule->action < 0) {
        error_setg(errp, "x-faults: there is no action \"%s\"; give fail, "
                   "service, withhold, delay, corrupt, duplicate or misdirect",
                   action);
        return false;
    }
    for (int i = 1; words[i]; i++) {
        char *value = strchr(words[i], '=');

        if (!value) {
            error_setg(errp, "x-faults: \"%s\" is not KEY=VALUE", words[i]);
            return false;
        }
        *value++ = '\0';
        if (!pciehsm_rule_key(rule, g_strstrip(words[i]), value, errp)) {
            return false;
        }
    }
    return pciehsm_rule_check(rule, errp);
}

bool pciehsm_rules_set(PciehsmState *s, const char *text, Error **errp)
{
    g_auto(GStrv) parts = g_strsplit(text, ";", 0);
    g_autofree PciehsmRule *rules = g_new0(PciehsmRule, PCIEHSM_MAX_RULES);
    unsigned n = 0;

    for (int i = 0; parts[i]; i++) {
        if (!*g_strstrip(parts[i])) {
            continue;
        }
        if (n == PCIEHSM_MAX_RULES) {
            error_setg(errp, "x-faults: more than %d rules", PCIEHSM_MAX_RULES);
            return false;
        }
        if (!pciehsm_rule_parse(&rules[n++], parts[i], errp)) {
            return false;
        }
    }
    g_free(s->rules);
    g_free(s->rules_text);
    s->rules = n ? g_steal_pointer(&rules) : NULL;
    s->num_rules = n;
    s->rules_text = g_strdup(text);
    memset(s->engine_free, 0, sizeof(s->engine_free));
    return true;
}

/* ---- acting ---- */

static bool pciehsm_rule_fits(const PciehsmRule *rule, const PciehsmCmd *cmd)
{
    /* Unless it says so, a rule leaves the admin queue alone. */
    if (rule->queue == PCIEHSM_ANY ? !cmd->sq_id : rule->queue != cmd->sq_id) {
        return false;
    }
    return (rule->opcode == PCIEHSM_ANY || rule->opcode == cmd->opcode) &&
           (rule->op == PCIEHSM_ANY ||
            (cmd->sq_id && cmd->opcode == PCIEHSM_IO_MSG &&
             rule->op == cmd->msg_op));
}

const PciehsmRule *pciehsm_rule(PciehsmState *s, PciehsmFault action,
                                const PciehsmCmd *cmd)
{
    for (unsigned i = 0; i < s->num_rules; i++) {
        PciehsmRule *rule = &s->rules[i];

        if (rule->action != action || !rule->count ||
            !pciehsm_rule_fits(rule, cmd)) {
            continue;
        }
        if (rule->skip) {
            rule->skip--;
            continue;
        }
        if (rule->count > 0) {
            rule->count--;
        }
        s->stats.faults++;
        trace_pciehsm_fault(s->serial, pciehsm_actions[action], cmd->sq_id,
                            cmd->cid);
        return rule;
    }
    return NULL;
}

void pciehsm_rule_corrupt(const PciehsmRule *rule, struct pciehsm_cqe *cqe)
{
    switch (rule->field) {
    case PCIEHSM_FIELD_CID:
        cqe->cid ^= cpu_to_le16(rule->xor);
        break;
    case PCIEHSM_FIELD_SQ:
        cqe->sq_id ^= cpu_to_le16(rule->xor);
        break;
    case PCIEHSM_FIELD_HEAD:
        cqe->sq_head ^= cpu_to_le16(rule->xor);
        break;
    case PCIEHSM_FIELD_STATUS:
        /* Not the phase: a completion without it is none. */
        cqe->status ^= cpu_to_le16((uint16_t)(rule->xor << 1));
        break;
    default:
        cqe->result ^= cpu_to_le32(rule->xor);
        break;
    }
}

/*
 * Engines with nothing to do but wait: a message begins when the first of them
 * is free, and keeps it for as long as the rule says. So throughput can be
 * measured against the number of engines or cards on a machine with too few
 * processors for it.
 */
int64_t pciehsm_service_end(PciehsmState *s, const PciehsmRule *rule)
{
    unsigned engines = MAX(s->engines - MIN(s->engines_failed, s->engines), 1);
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
    unsigned first = 0;

    for (unsigned i = 1; i < engines; i++) {
        if (s->engine_free[i] < s->engine_free[first]) {
            first = i;
        }
    }
    s->engine_free[first] = MAX(now, s->engine_free[first]) + rule->us * 1000;
    return s->engine_free[first];
}
