/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pciehsm: saving, loading and handing over to another QEMU.
 *
 * What a card keeps for good is in its store, which is not a part of the
 * machine's state: source and destination share the file, and a snapshot that
 * is loaded finds it as it is today, password counters included. What a card
 * holds in volatile memory, i.e. contexts with their logins and running
 * operations, must not leave it in any form. So it is gone after a migration or
 * when a snapshot was loaded, and an enabled controller says so by its fatal
 * status: the guest's driver resets it as for any failure.
 *
 * Before that commands are drained: a machine that stops in order to be saved
 * waits until the engines have finished, and what they did is in the guest's
 * memory before that is saved.
 *
 * Two QEMUs can not have one store open at the same time. The source closes it
 * before its last word, and the destination opens it when it has that. A source
 * that goes on after all opens it again, and is then in the same position as
 * the destination would have been.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "migration/vmstate.h"
#include "pciehsm.h"
#include "trace.h"

/* Messages that take longer are stopped, if they can be. */
#define PCIEHSM_DRAIN_MS        500

bool pciehsm_deferred(void)
{
    return runstate_check(RUN_STATE_INMIGRATE);
}

static void pciehsm_drain_all(PciehsmState *s)
{
    bool aborted = false;

    while (pciehsm_fw_busy(s->fw)) {
        if (!pciehsm_fw_wait(s->fw, PCIEHSM_DRAIN_MS) && !aborted) {
            pciehsm_fw_abort_all(s->fw);
            aborted = true;
        }
        pciehsm_drain(s);
    }
    pciehsm_drain(s);
    trace_pciehsm_drained(s->serial, aborted);
}

/* Nothing of before is left but the registers and the store. */
static void pciehsm_lost(PciehsmState *s)
{
    if (s->cc & PCIEHSM_CC_EN) {
        pciehsm_fatal(s, PCIEHSM_FATAL_MIGRATED);
    }
}

/* Back from a migration that did not happen, or that nobody waited for */
static void pciehsm_reopen(PciehsmState *s)
{
    Error *err = NULL;

    pciehsm_lost(s);
    if (!pciehsm_power_on(s, &err)) {
        error_report_err(err);
        s->fatal = PCIEHSM_FATAL_STORE;
    }
}

void pciehsm_vm_state(void *opaque, bool running, RunState state)
{
    PciehsmState *s = opaque;

    /* When a machine stops: now it is certain that no DMA is under way. */
    pciehsm_lock(s);
    if (running) {
        if (!s->fw && !s->crashed) {
            pciehsm_reopen(s);
        }
        pciehsm_kick(s);
    } else if (s->fw && (state == RUN_STATE_FINISH_MIGRATE ||
                         state == RUN_STATE_SAVE_VM)) {
        pciehsm_drain_all(s);
    }
    pciehsm_unlock(s);
}

static int pciehsm_pre_save(void *opaque)
{
    PciehsmState *s = opaque;

    /* A snapshot leaves the card with whom it is. */
    if (!runstate_check(RUN_STATE_FINISH_MIGRATE) || !s->fw) {
        return 0;
    }
    trace_pciehsm_handed_over(s->serial);
    pciehsm_lock(s);
    pciehsm_queues_drop(s);
    s->used = false;
    s->ending = false;
    pciehsm_fw_close_wait(s->fw);
    s->fw = NULL;
    pciehsm_unlock(s);
    return 0;
}

static int pciehsm_post_load(void *opaque, int version_id)
{
    PciehsmState *s = opaque;
    Error *err = NULL;
    int ret = 0;

    pciehsm_fault_regions_update(s);
    pciehsm_lock(s);
    pciehsm_power_update(s);
    pciehsm_lost(s);
    trace_pciehsm_loaded(s->serial, s->fatal);
    if (!s->fw && !pciehsm_power_on(s, &err)) {
        error_report_err(err);
        ret = -EBUSY;
    }
    pciehsm_unlock(s);
    return ret;
}

const VMStateDescription pciehsm_vmstate = {
    .name = TYPE_PCIEHSM,
    .version_id = 1,
    .minimum_version_id = 1,
    .pre_save = pciehsm_pre_save,
    .post_load = pciehsm_post_load,
    .fields = (VMStateField[]) {
        /* First, as they tell best why the other end has another card. */
        VMSTATE_UINT64_EQUAL(serial, PciehsmState,
                             "pciehsm: give both ends the same serial"),
        VMSTATE_UINT64_EQUAL(cap, PciehsmState, "pciehsm: give both ends "
                             "the same max-queue-entries"),
        VMSTATE_UINT32_EQUAL(num_queues, PciehsmState,
                             "pciehsm: give both ends the same queues"),
        VMSTATE_UINT32_EQUAL(vectors, PciehsmState,
                             "pciehsm: give both ends the same vectors"),
        VMSTATE_PCI_DEVICE(parent_obj, PciehsmState),
        VMSTATE_MSIX(parent_obj, PciehsmState),
        VMSTATE_STRUCT(parent_obj.exp.aer_log, PciehsmState, 0,
                       vmstate_pcie_aer_log, PCIEAERLog),
        VMSTATE_UINT32(cc, PciehsmState),
        VMSTATE_UINT32(aqa, PciehsmState),
        VMSTATE_UINT64(asq, PciehsmState),
        VMSTATE_UINT64(acq, PciehsmState),
        VMSTATE_UINT32(fatal, PciehsmState),
        VMSTATE_UINT32(shst, PciehsmState),
        VMSTATE_BOOL(rdy, PciehsmState),
        VMSTATE_BOOL(gone, PciehsmState),
        VMSTATE_UINT32(temperature, PciehsmState),
        VMSTATE_END_OF_LIST()
    }
};
