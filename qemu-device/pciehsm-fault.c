/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pciehsm: a card that misbehaves, at the word of whoever tests its driver.
 *
 * All of these are properties of the device that can be set while it runs (qom-
 * set) and that have no effect on a card that is left alone. See pciehsm.rst.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qapi/visitor.h"
#include "pciehsm.h"
#include "trace.h"

/* ---- surprise removal ---- */

static uint64_t pciehsm_gone_read(void *opaque, hwaddr offset, unsigned size)
{
    return UINT64_MAX;
}

static void pciehsm_gone_write(void *opaque, hwaddr offset, uint64_t value,
                               unsigned size)
{
}

static const MemoryRegionOps pciehsm_gone_ops = {
    .read = pciehsm_gone_read,
    .write = pciehsm_gone_write,
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

static void pciehsm_gone_region(PciehsmState *s, MemoryRegion *bar,
                                MemoryRegion *gone, const char *name)
{
    memory_region_init_io(gone, OBJECT(s), &pciehsm_gone_ops, s, name,
                          memory_region_size(bar));
    memory_region_set_enabled(gone, s->gone);
    memory_region_add_subregion_overlap(bar, 0, gone, 1);
}

void pciehsm_fault_regions_init(PciehsmState *s)
{
    pciehsm_gone_region(s, &s->bar0, &s->regs_gone, "pciehsm-regs-gone");
    pciehsm_gone_region(s, &s->bar2, &s->msix_gone, "pciehsm-msix-gone");
}

void pciehsm_fault_regions_update(PciehsmState *s)
{
    memory_region_set_enabled(&s->regs_gone, s->gone);
    memory_region_set_enabled(&s->msix_gone, s->gone);
}

void pciehsm_fault_regions_exit(PciehsmState *s)
{
    memory_region_del_subregion(&s->bar0, &s->regs_gone);
    memory_region_del_subregion(&s->bar2, &s->msix_gone);
}

/*
 * Tell the port above that its link went down or came up. QEMU's ports have no
 * call for that; this does what they do when a device is unplugged, and lets
 * them raise the interrupt as for a command that was completed, which is the
 * one event that every driver of such ports enables.
 */
static void pciehsm_link_event(PciehsmState *s, bool up)
{
    PCIDevice *port = pci_bridge_get_device(pci_get_bus(PCI_DEVICE(s)));
    uint16_t slt_ctl, slt_sta;
    uint8_t *exp;

    if (!port || !pci_is_express_downstream_port(port)) {
        return;
    }
    exp = port->config + port->exp.exp_cap;
    if (!(pci_get_long(exp + PCI_EXP_SLTCAP) & PCI_EXP_SLTCAP_HPC)) {
        return;
    }

    pcie_cap_slot_get(port, &slt_ctl, &slt_sta);
    if (up) {
        pci_word_test_and_set_mask(exp + PCI_EXP_SLTSTA,
                                   PCI_EXP_SLTSTA_PDS);
        pci_word_test_and_set_mask(exp + PCI_EXP_LNKSTA,
                                   PCI_EXP_LNKSTA_DLLLA);
    } else {
        pci_word_test_and_clear_mask(exp + PCI_EXP_SLTSTA,
                                     PCI_EXP_SLTSTA_PDS);
        pci_word_test_and_clear_mask(exp + PCI_EXP_LNKSTA,
                                     PCI_EXP_LNKSTA_DLLLA);
    }
    pci_word_test_and_set_mask(exp + PCI_EXP_SLTSTA, PCI_EXP_SLTSTA_PDC);
    pcie_cap_slot_write_config(port, slt_ctl, slt_sta,
                               port->exp.exp_cap + PCI_EXP_SLTCTL, slt_ctl, 2);
}

static bool pciehsm_get_gone(Object *obj, Error **errp)
{
    return PCIEHSM(obj)->gone;
}

static void pciehsm_set_gone(Object *obj, bool gone, Error **errp)
{
    PciehsmState *s = PCIEHSM(obj);

    if (s->gone == gone) {
        return;
    }
    if (!DEVICE(s)->realized) {
        s->gone = gone;
        return;
    }
    trace_pciehsm_gone(s->serial, gone);
    /*
     * From here it changes which addresses are whose. Emulated processors
     * forget what they knew of that when they get to it, and until then QEMU
     * before 8.2 looks their knowledge up in the new map, which it does not
     * fit: so they stand still meanwhile.
     */
    pause_all_vcpus();
    pciehsm_lock(s);
    s->gone = gone;
    if (gone) {
        /*
         * Its addresses stay where they were: what is read there are all ones.
         */
        pciehsm_ctrl_reset(s);
    }
    pciehsm_unlock(s);
    if (!gone) {
        /* As from power-on. */
        pci_device_reset(PCI_DEVICE(s));
    }
    pciehsm_fault_regions_update(s);
    pciehsm_link_event(s, !gone);
    resume_all_vcpus();
}

/* ---- a hung card ---- */

static void pciehsm_unhold(PciehsmState *s)
{
    PciehsmCmd *cmd, *next;

    QTAILQ_FOREACH_SAFE(cmd, &s->held, link, next) {
        if (!pciehsm_held_back(s, cmd)) {
            pciehsm_cmd_release(s, cmd);
        } else if (cmd->due) {
            pciehsm_due_wait(s, cmd);
        }
    }
}

void pciehsm_due_wait(PciehsmState *s, const PciehsmCmd *cmd)
{
    timer_mod_anticipate_ns(s->due_timer, cmd->due);
}

void pciehsm_due_tick(void *opaque)
{
    PciehsmState *s = opaque;

    pciehsm_lock(s);
    pciehsm_unhold(s);
    pciehsm_unlock(s);
}

static char *pciehsm_get_faults(Object *obj, Error **errp)
{
    PciehsmState *s = PCIEHSM(obj);

    return g_strdup(s->rules_text ? s->rules_text : "");
}

static void pciehsm_set_faults(Object *obj, const char *value, Error **errp)
{
    PciehsmState *s = PCIEHSM(obj);
    PciehsmCmd *cmd;

    pciehsm_lock(s);
    if (pciehsm_rules_set(s, value, errp) && DEVICE(s)->realized) {
        /* What the old rules withheld goes on; a time that was set stays. */
        QTAILQ_FOREACH(cmd, &s->held, link) {
            cmd->stuck = false;
        }
        pciehsm_unhold(s);
    }
    pciehsm_unlock(s);
}

/* ---- firmware that stops, and what stops it ---- */

static const char *const pciehsm_disk_names[] = {
    [PCIEHSM_DISK_OK] = "ok",
    [PCIEHSM_DISK_FULL] = "full",
    [PCIEHSM_DISK_FAILING] = "failing",
};

static bool pciehsm_get_crash(Object *obj, Error **errp)
{
    return PCIEHSM(obj)->crashed;
}

static void pciehsm_set_crash(Object *obj, bool value, Error **errp)
{
    PciehsmState *s = PCIEHSM(obj);

    if (!value || !s->fw) {
        error_setg(errp, "x-crash can only be set to on, and only on a card "
                   "that is running; a reset of the controller undoes it");
        return;
    }
    trace_pciehsm_crash(s->serial);
    pciehsm_lock(s);
    s->crashed = true;
    s->used = false;
    s->ending = false;
    pciehsm_queues_drop(s);
    pciehsm_fw_close(s->fw);
    s->fw = NULL;
    pciehsm_fatal(s, PCIEHSM_FATAL_FIRMWARE);
    pciehsm_unlock(s);
}

static char *pciehsm_get_store(Object *obj, Error **errp)
{
    return g_strdup(pciehsm_disk_names[PCIEHSM(obj)->disk]);
}

static void pciehsm_set_store(Object *obj, const char *value, Error **errp)
{
    PciehsmState *s = PCIEHSM(obj);

    for (int i = 0; i < ARRAY_SIZE(pciehsm_disk_names); i++) {
        if (strcmp(value, pciehsm_disk_names[i])) {
            continue;
        }
        if (!DEVICE(s)->realized) {
            error_setg(errp, "x-store: the card is not there yet");
            return;
        }
        s->disk = i;
        pciehsm_disk_set(s->store, i);
        return;
    }
    error_setg(errp, "x-store=%s: give ok, full or failing", value);
}

void pciehsm_fault_restart(PciehsmState *s)
{
    Error *err = NULL;

    if (!s->crashed) {
        return;
    }
    s->crashed = false;
    s->engines_failed = 0;
    if (!pciehsm_power_on(s, &err)) {
        error_report_err(err);
        s->crashed = true;
        pciehsm_fatal(s, PCIEHSM_FATAL_STORE);
    }
}

static void pciehsm_get_engines_failed(Object *obj, Visitor *v,
                                       const char *name, void *opaque,
                                       Error **errp)
{
    visit_type_uint32(v, name, &PCIEHSM(obj)->engines_failed, errp);
}

static void pciehsm_set_engines_failed(Object *obj, Visitor *v,
                                       const char *name, void *opaque,
                                       Error **errp)
{
    PciehsmState *s = PCIEHSM(obj);
    uint32_t value;

    if (!visit_type_uint32(v, name, &value, errp)) {
        return;
    }
    if (!DEVICE(s)->realized || !s->fw || value > s->engines) {
        error_setg(errp, "x-engines-failed: give a number from 0 to %u, the "
                   "card's engines, while it runs", s->engines);
        return;
    }
    pciehsm_lock(s);
    pciehsm_fw_limit(s->fw, s->engines - value);
    while (s->engines_failed < value) {
        s->engines_failed++;
        pciehsm_event(s, PCIEHSM_EVENT_ENGINE_FAILED, 0);
    }
    s->engines_failed = value;
    pciehsm_unlock(s);
    pciehsm_kick(s);
}

static bool pciehsm_get_withhold(Object *obj, Error **errp)
{
    return PCIEHSM(obj)->withhold;
}

static void pciehsm_set_withhold(Object *obj, bool value, Error **errp)
{
    PciehsmState *s = PCIEHSM(obj);

    pciehsm_lock(s);
    s->withhold = value;
    if (DEVICE(s)->realized) {
        pciehsm_unhold(s);
    }
    pciehsm_unlock(s);
}

static bool pciehsm_get_withhold_admin(Object *obj, Error **errp)
{
    return PCIEHSM(obj)->withhold_admin;
}

static void pciehsm_set_withhold_admin(Object *obj, bool value, Error **errp)
{
    PciehsmState *s = PCIEHSM(obj);

    pciehsm_lock(s);
    s->withhold_admin = value;
    if (DEVICE(s)->realized) {
        pciehsm_unhold(s);
    }
    pciehsm_unlock(s);
}

/* ---- sensors ---- */

static void pciehsm_get_temperature(Object *obj, Visitor *v, const char *name,
                                    void *opaque, Error **errp)
{
    visit_type_uint32(v, name, &PCIEHSM(obj)->temperature, errp);
}

static void pciehsm_set_temperature(Object *obj, Visitor *v, const char *name,
                                    void *opaque, Error **errp)
{
    PciehsmState *s = PCIEHSM(obj);
    uint32_t value;

    if (!visit_type_uint32(v, name, &value, errp)) {
        return;
    }
    pciehsm_lock(s);
    s->temperature = value;
    if (DEVICE(s)->realized) {
        pciehsm_event(s, PCIEHSM_EVENT_TEMPERATURE, 0);
    }
    pciehsm_unlock(s);
}

static void pciehsm_tamper_run(struct hsm_fw *fw, PciehsmJob *job)
{
    hsm_fw_tamper(fw);
}

static bool pciehsm_get_tamper(Object *obj, Error **errp)
{
    PciehsmState *s = PCIEHSM(obj);
    struct hsm_fw_info info;

    if (!s->fw) {
        return false;
    }
    pciehsm_fw_info(s->fw, &info);
    return info.tampered;
}

static void pciehsm_set_tamper(Object *obj, bool value, Error **errp)
{
    PciehsmState *s = PCIEHSM(obj);
    PciehsmJob *job;

    if (!value || !s->fw) {
        error_setg(errp, "x-tamper can only be set to on, and only on a card "
                   "that is running; a factory reset undoes it");
        return;
    }
    pciehsm_lock(s);
    job = pciehsm_job_new(s->fw, 0, 0, 0);
    job->run = pciehsm_tamper_run;
    job->worker = PCIEHSM_WORKER_SLOW;
    job->finish = pciehsm_job_put;
    pciehsm_job_start(job);
    pciehsm_unlock(s);
}

void pciehsm_fault_class_init(ObjectClass *klass)
{
    object_class_property_add_bool(klass, "x-gone", pciehsm_get_gone,
                                   pciehsm_set_gone);
    object_class_property_set_description(klass, "x-gone",
        "on: the card was pulled out without warning; off: it is put back");
    object_class_property_add_bool(klass, "x-withhold", pciehsm_get_withhold,
                                   pciehsm_set_withhold);
    object_class_property_set_description(klass, "x-withhold",
        "on: completions of I/O commands are held back until off or aborted");
    object_class_property_add_str(klass, "x-faults", pciehsm_get_faults,
                                  pciehsm_set_faults);
    object_class_property_set_description(klass, "x-faults",
        "ACTION[,KEY=VALUE]...[;...]: fail, service, withhold, delay, corrupt, "
        "duplicate, misdirect; see pciehsm.rst");
    object_class_property_add_str(klass, "x-store", pciehsm_get_store,
                                  pciehsm_set_store);
    object_class_property_set_description(klass, "x-store",
        "the disk under the store: ok, full or failing");
    object_class_property_add_bool(klass, "x-crash", pciehsm_get_crash,
                                   pciehsm_set_crash);
    object_class_property_set_description(klass, "x-crash",
        "set to on: the firmware stops; a reset starts it again");
    object_class_property_add(klass, "x-engines-failed", "uint32",
                              pciehsm_get_engines_failed,
                              pciehsm_set_engines_failed, NULL, NULL);
    object_class_property_set_description(klass, "x-engines-failed",
        "so many engines are out of work; all of them: the card is fatal");
    object_class_property_add_bool(klass, "x-withhold-admin",
                                   pciehsm_get_withhold_admin,
                                   pciehsm_set_withhold_admin);
    object_class_property_set_description(klass, "x-withhold-admin",
        "on: completions of admin commands are held back until off");
    object_class_property_add_bool(klass, "x-tamper", pciehsm_get_tamper,
                                   pciehsm_set_tamper);
    object_class_property_set_description(klass, "x-tamper",
        "set to on: the card's case is opened, its keys are gone");
    object_class_property_add(klass, "x-temperature", "uint32",
                              pciehsm_get_temperature, pciehsm_set_temperature,
                              NULL, NULL);
    object_class_property_set_description(klass, "x-temperature",
        "1/1000 degrees Celsius (default 45000); setting it raises an event");
}
