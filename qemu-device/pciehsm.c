/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pciehsm: a hardware security module on PCI Express.
 *
 * The interface to the guest is hw.h, that to the HSM itself pciehsm-
 * firmware.h; pciehsm.rst describes the device for its users. How the parts of
 * the model work together: pciehsm.h.
 *
 * Usage
 *   -device pcie-root-port,id=rp0,chassis=1
 *   -device pciehsm,bus=rp0,id=hsm0,serial=154438,store=/var/lib/hsm/154438.db
 *
 * Properties
 *   serial=<1..999999999999>  of the HSM; needed. It is burnt into a new store.
 *   store=<path>         the card's memory, made if it is not there; needed.
 *                        Two cards can not have one store at the same time.
 *   partition-base=<1..999999>  number of the first partition of a new
 *                        store (1)
 *   model=<name>         product name, at most 15 bytes (the firmware's)
 *   engines=<1..64>      messages worked on at the same time (2)
 *   queues=<1..64>       I/O queue pairs (64)
 *   vectors=<1..65>      MSI-X vectors (queues + 1)
 *   max-queue-entries=<2..65536>  greatest I/O queue (1024)
 *   max-partitions=<1..100>  (100)
 *   max-contexts=<n>     openers at once (the firmware's)
 *   memory=<size>        card memory for messages under way (64 MiB)
 *   master-secret=<id>   a "secret" object of 32 bytes that seals the store;
 *                        without it the store's file protects itself only by
 *                        its permissions
 *   iothread=<id>        an "iothread" object in which commands are taken and
 *                        completed; without it that is done in the main loop
 * Fault injection, while it runs (qom-set): x-faults, x-gone, x-crash,
 * x-store, x-engines-failed, x-withhold, x-withhold-admin, x-tamper, x-temperature.
 * Statistics (qom-get): stat-commands and its like; stats.
 */
#include "qemu/osdep.h"
#include "qemu/module.h"
#include "qemu/units.h"
#include "qapi/error.h"
#include "crypto/secret_common.h"
#include "pciehsm.h"
#include <pciehsm/fw.h>
#include "trace.h"

#define PCIEHSM_MASTER_KEY_LEN  32
#define PCIEHSM_SERIAL_MAX      999999999999ULL
#define PCIEHSM_PARTITION_MAX   999999
#define PCIEHSM_MEMORY_MIN      (4 * MiB)
#define PCIEHSM_DEF_TEMPERATURE 45000

/* Configuration space */
#define PCIEHSM_PM_CAP          0x40
#define PCIEHSM_EXP_CAP         0x80
#define PCIEHSM_AER_CAP         0x100
#define PCIEHSM_DSN_CAP         0x150

/* BAR2: the table, and in its upper half the pending bits */
#define PCIEHSM_BAR2_SIZE       4096
#define PCIEHSM_PBA_OFFSET      (PCIEHSM_BAR2_SIZE / 2)

void pciehsm_lock(PciehsmState *s)
{
    qemu_mutex_lock(&s->lock);
    /* What happens next happens after what the guest has rung for. */
    pciehsm_doorbells(s);
}

void pciehsm_unlock(PciehsmState *s)
{
    qemu_mutex_unlock(&s->lock);
}

/* ---- properties ---- */

static bool pciehsm_check_range(const char *name, uint64_t value, uint64_t min,
                                uint64_t max, Error **errp)
{
    if (value >= min && value <= max) {
        return true;
    }
    error_setg(errp, "pciehsm: %s is %" PRIu64 "; give a number from %" PRIu64
               " to %" PRIu64, name, value, min, max);
    return false;
}

static bool pciehsm_check(PciehsmState *s, Error **errp)
{
    if (!s->serial) {
        error_setg(errp, "pciehsm: the card needs a serial number: "
                   "give serial=<1 to 12 digits>");
        return false;
    }
    if (!s->store || !*s->store) {
        error_setg(errp, "pciehsm: the card needs a file to keep its objects "
                   "in: give store=<path>");
        return false;
    }
    if (s->model && strlen(s->model) >= PCIEHSM_MODEL_LEN) {
        error_setg(errp, "pciehsm: model \"%s\" is too long; give at most %d "
                   "bytes", s->model, PCIEHSM_MODEL_LEN - 1);
        return false;
    }
    if (!s->vectors) {
        s->vectors = s->num_queues + 1;
    }
    if (!pciehsm_check_range("serial", s->serial, 1, PCIEHSM_SERIAL_MAX,
                             errp) ||
        !pciehsm_check_range("partition-base", s->partition_base, 1,
                             PCIEHSM_PARTITION_MAX, errp) ||
        !pciehsm_check_range("engines", s->engines, 1, 64, errp) ||
        !pciehsm_check_range("queues", s->num_queues, 1, PCIEHSM_MAX_IO_QUEUES,
                             errp) ||
        !pciehsm_check_range("vectors", s->vectors, 1, PCIEHSM_MAX_VECTORS,
                             errp) ||
        !pciehsm_check_range("max-queue-entries", s->max_entries, 2, 65536,
                             errp) ||
        !pciehsm_check_range("max-partitions", s->max_partitions, 1,
                             PCIEHSM_MAX_PARTITIONS, errp) ||
        !pciehsm_check_range("memory", s->memory, PCIEHSM_MEMORY_MIN,
                             64ULL * GiB, errp)) {
        return false;
    }
    if (!pci_bus_is_express(pci_get_bus(PCI_DEVICE(s)))) {
        error_setg(errp, "pciehsm: the card needs a PCI Express slot: put it "
                   "behind a pcie-root-port of a q35 machine (bus=<its id>)");
        return false;
    }
    return true;
}

/* The key is the caller's to wipe and free. */
static bool pciehsm_master_key(PciehsmState *s, uint8_t **key, Error **errp)
{
    uint8_t *data;
    size_t len;

    *key = NULL;
    if (!s->master_secret) {
        return true;
    }
    if (qcrypto_secret_lookup(s->master_secret, &data, &len, errp) < 0) {
        error_prepend(errp, "pciehsm: master-secret: ");
        return false;
    }
    if (len != PCIEHSM_MASTER_KEY_LEN) {
        error_setg(errp, "pciehsm: the secret \"%s\" has %zu bytes; the master "
                   "key must have %d (a file of that length, or base64 with "
                   "format=base64)", s->master_secret, len,
                   PCIEHSM_MASTER_KEY_LEN);
        explicit_bzero(data, len);
        g_free(data);
        return false;
    }
    *key = data;
    return true;
}

/* QEMU exits. A bottom half that runs in a thread of its own does so to its end. */
static void pciehsm_abandon(PciehsmState *s)
{
    pciehsm_lock(s);
    s->fw = NULL;
    s->used = false;
    pciehsm_unlock(s);
}

bool pciehsm_power_on(PciehsmState *s, Error **errp)
{
    struct hsm_fw_config config = {
        .store = s->store,
        .serial = s->serial,
        .partition_base = s->partition_base,
        .model = s->model,
        .engines = s->engines,
        .max_partitions = s->max_partitions,
        .max_contexts = s->max_contexts,
        .durable = true,
    };
    struct hsm_fw_info info;
    uint8_t *key;

    if (!pciehsm_master_key(s, &key, errp)) {
        return false;
    }
    config.master_key = key;
    s->fw = pciehsm_fw_open(&config, s->memory, s->bh, pciehsm_abandon, s, errp);
    if (key) {
        explicit_bzero(key, PCIEHSM_MASTER_KEY_LEN);
        g_free(key);
    }
    if (!s->fw) {
        error_prepend(errp, "pciehsm: ");
        return false;
    }
    if (s->engines_failed) {
        pciehsm_fw_limit(s->fw, s->engines - s->engines_failed);
    }
    pciehsm_fw_info(s->fw, &info);
    s->max_msg = MIN(info.max_msg, PCIEHSM_MSG_MAX);
    return true;
}

/* ---- PCI ---- */

static uint32_t pciehsm_config_read(PCIDevice *pci, uint32_t address, int len)
{
    if (PCIEHSM(pci)->gone) {
        return UINT32_MAX;
    }
    return pci_default_read_config(pci, address, len);
}

static void pciehsm_config_write(PCIDevice *pci, uint32_t address,
                                 uint32_t value, int len)
{
    PciehsmState *s = PCIEHSM(pci);

    if (s->gone) {
        return;
    }
    /*
     * No DMA is under way when bus mastering or power change. The lock itself
     * can not be kept: an interrupt may be raised here, and come back to us.
     */
    pciehsm_lock(s);
    s->configuring++;
    pciehsm_unlock(s);
    pci_default_write_config(pci, address, value, len);
    pciehsm_lock(s);
    pciehsm_power_update(s);
    s->configuring--;
    pciehsm_unlock(s);
    pcie_aer_write_config(pci, address, value, len);
    pcie_cap_flr_write_config(pci, address, value, len);
    /* Bus mastering or power may be back, and work may have waited for it. */
    pciehsm_kick(s);
}

static bool pciehsm_pci_init(PciehsmState *s, Error **errp)
{
    PCIDevice *pci = PCI_DEVICE(s);
    int pos;

    pci_config_set_prog_interface(pci->config, PCIEHSM_PCI_CLASS & 0xff);

    pos = pci_add_capability(pci, PCI_CAP_ID_PM, PCIEHSM_PM_CAP,
                             PCI_PM_SIZEOF, errp);
    if (pos < 0) {
        return false;
    }
    s->pm_cap = pos;
    pci_set_word(pci->config + pos + PCI_PM_PMC, PCI_PM_CAP_VER_1_2);
    pci_set_word(pci->config + pos + PCI_PM_CTRL, PCI_PM_CTRL_NO_SOFT_RESET);
    pci_set_word(pci->wmask + pos + PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK);

    if (pcie_endpoint_cap_init(pci, PCIEHSM_EXP_CAP) < 0) {
        error_setg(errp, "pciehsm: no room for the PCI Express capability");
        return false;
    }
    pcie_cap_deverr_init(pci);
    pcie_cap_flr_init(pci);
    if (pcie_aer_init(pci, PCI_ERR_VER, PCIEHSM_AER_CAP, PCI_ERR_SIZEOF,
                      errp) < 0) {
        pcie_cap_exit(pci);
        return false;
    }
    pcie_dev_ser_num_init(pci, PCIEHSM_DSN_CAP, s->serial);

    memory_region_init(&s->bar0, OBJECT(s), "pciehsm-bar0", PCIEHSM_BAR0_SIZE);
    memory_region_init(&s->bar2, OBJECT(s), "pciehsm-bar2", PCIEHSM_BAR2_SIZE);
    if (msix_init(pci, s->vectors, &s->bar2, 2, 0, &s->bar2, 2,
                  PCIEHSM_PBA_OFFSET, 0, errp) < 0) {
        pcie_aer_exit(pci);
        pcie_cap_exit(pci);
        return false;
    }
    for (unsigned i = 0; i < s->vectors; i++) {
        msix_vector_use(pci, i);
    }
    return true;
}

static void pciehsm_pci_exit(PciehsmState *s)
{
    PCIDevice *pci = PCI_DEVICE(s);

    msix_uninit(pci, &s->bar2, &s->bar2);
    pcie_aer_exit(pci);
    pcie_cap_exit(pci);
}

/* Registers last: from here on the guest can find the card. */
static void pciehsm_bars_init(PciehsmState *s)
{
    PCIDevice *pci = PCI_DEVICE(s);

    pciehsm_regs_init(s);
    memory_region_add_subregion(&s->bar0, 0, &s->regs);
    pciehsm_fault_regions_init(s);
    pci_register_bar(pci, 0, PCI_BASE_ADDRESS_SPACE_MEMORY |
                     PCI_BASE_ADDRESS_MEM_TYPE_64, &s->bar0);
    pci_register_bar(pci, 2, PCI_BASE_ADDRESS_SPACE_MEMORY, &s->bar2);
}

/*
 * A region inside another holds on to its owner: the card would never be freed.
 */
static void pciehsm_bars_exit(PciehsmState *s)
{
    memory_region_del_subregion(&s->bar0, &s->regs);
    pciehsm_fault_regions_exit(s);
}

/* ---- life ---- */

static void pciehsm_progress_tick(void *opaque)
{
    PciehsmState *s = opaque;

    pciehsm_lock(s);
    if (!QTAILQ_EMPTY(&s->running)) {
        s->progress_due = true;
        pciehsm_kick(s);
        timer_mod(s->progress_timer, qemu_clock_get_ms(QEMU_CLOCK_VIRTUAL) +
                  PCIEHSM_PROGRESS_POLL_MS);
    }
    pciehsm_unlock(s);
}

static void pciehsm_reset(DeviceState *dev)
{
    PCIDevice *pci = PCI_DEVICE(dev);
    PciehsmState *s = PCIEHSM(dev);

    pciehsm_lock(s);
    pciehsm_ctrl_reset(s);
    pciehsm_unlock(s);
    pci_set_word(pci->config + s->pm_cap + PCI_PM_CTRL,
                 PCI_PM_CTRL_NO_SOFT_RESET);
    pciehsm_power_update(s);
    pcie_cap_deverr_reset(pci);
}

/*
 * Re-entrance: DMA reaches RAM only, so the bottom half can not come back to us
 * by it. Interrupts can, and are raised by one of the main loop, which is guarded.
 * A guard around one in another thread would refuse accesses of the processors.
 */
static void pciehsm_bh_new(PciehsmState *s)
{
    if (s->iothread) {
        /* The property's own reference goes before the bottom half does. */
        object_ref(OBJECT(s->iothread));
        s->bh = aio_bh_new(iothread_get_aio_context(s->iothread), pciehsm_work,
                           s);
        s->irq_bh = qemu_bh_new_guarded(pciehsm_interrupts, s,
                                        &DEVICE(s)->mem_reentrancy_guard);
    } else {
        s->bh = qemu_bh_new_guarded(pciehsm_work, s,
                                    &DEVICE(s)->mem_reentrancy_guard);
    }
}

typedef struct PciehsmEnd {
    QEMUBH *bh;
    QemuSemaphore done;
} PciehsmEnd;

static void pciehsm_bh_end(void *opaque)
{
    PciehsmEnd *end = opaque;

    qemu_bh_delete(end->bh);
    qemu_sem_post(&end->done);
}

/*
 * With the big lock, without s->lock. When it returns, the bottom half does not run
 * and never will.
 */
static void pciehsm_bh_delete(PciehsmState *s)
{
    PciehsmEnd end = { .bh = s->bh };

    s->bh = NULL;
    if (!s->iothread) {
        qemu_bh_delete(end.bh);
        return;
    }
    /* In that thread nothing waits for the big lock, which we have. */
    qemu_sem_init(&end.done, 0);
    aio_bh_schedule_oneshot(iothread_get_aio_context(s->iothread),
                            pciehsm_bh_end, &end);
    qemu_sem_wait(&end.done);
    qemu_sem_destroy(&end.done);
    qemu_bh_delete(s->irq_bh);
    s->irq_bh = NULL;
    object_unref(OBJECT(s->iothread));
}

static void pciehsm_realize(PCIDevice *pci, Error **errp)
{
    PciehsmState *s = PCIEHSM(pci);
    bool on;

    if (!pciehsm_check(s, errp) || !pciehsm_pci_init(s, errp)) {
        return;
    }
    pciehsm_disks_init();
    QTAILQ_INIT(&s->running);
    QTAILQ_INIT(&s->event_cmds);
    QTAILQ_INIT(&s->abort_cmds);
    QTAILQ_INIT(&s->held);
    pciehsm_bh_new(s);
    /* Where it is deferred, the machine that comes brings the card's state. */
    s->max_msg = PCIEHSM_MSG_MAX;
    pciehsm_lock(s);
    on = pciehsm_deferred() || pciehsm_power_on(s, errp);
    pciehsm_unlock(s);
    if (!on) {
        pciehsm_bh_delete(s);
        pciehsm_pci_exit(s);
        return;
    }
    s->progress_timer = timer_new_ms(QEMU_CLOCK_VIRTUAL, pciehsm_progress_tick,
                                     s);
    s->due_timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, pciehsm_due_tick, s);
    s->vm_state = qemu_add_vm_change_state_handler(pciehsm_vm_state, s);
    pciehsm_bars_init(s);
    trace_pciehsm_realize(s->serial, s->engines, s->num_queues, s->vectors);
}

/*
 * A processor may still be about to access the registers by the map that it knew. It
 * finds nobody, but what it touches is there until the last such map is gone: then
 * pciehsm_instance_finalize() comes.
 */
static void pciehsm_exit(PCIDevice *pci)
{
    PciehsmState *s = PCIEHSM(pci);

    qemu_del_vm_change_state_handler(s->vm_state);
    pciehsm_disk_set(s->store, PCIEHSM_DISK_OK);
    /*
     * No command, no memory access; what the engines still do comes to nothing.
     */
    pciehsm_lock(s);
    trace_pciehsm_exit(s->serial, s->fw ? pciehsm_fw_busy(s->fw) : 0);
    pciehsm_queues_drop(s);
    if (s->fw) {
        pciehsm_fw_close(s->fw);
        s->fw = NULL;
    }
    bitmap_zero(s->irq_work, PCIEHSM_MAX_VECTORS);
    s->unplugged = true;
    pciehsm_unlock(s);
    timer_free(s->progress_timer);
    timer_free(s->due_timer);
    pciehsm_bars_exit(s);
    pciehsm_pci_exit(s);
}

static void pciehsm_instance_init(Object *obj)
{
    static const struct {
        const char *name;
        size_t offset;
        const char *text;
    } stats[] = {
#define PCIEHSM_STAT(name, field, text) \
        { name, offsetof(PciehsmState, stats.field), text }
        PCIEHSM_STAT("stat-commands", commands, "taken off their queues"),
        PCIEHSM_STAT("stat-messages", messages, "given to the firmware"),
        PCIEHSM_STAT("stat-completions", completions, "commands completed"),
        PCIEHSM_STAT("stat-progress", progress, "reports of progress"),
        PCIEHSM_STAT("stat-interrupts", interrupts, "interrupts raised"),
        PCIEHSM_STAT("stat-bytes-read", bytes_read, "by DMA"),
        PCIEHSM_STAT("stat-bytes-written", bytes_written, "by DMA"),
        PCIEHSM_STAT("stat-guest-errors", guest_errors, "see pciehsm_ub_*"),
        PCIEHSM_STAT("stat-resets", resets, "that ended contexts"),
        PCIEHSM_STAT("stat-faults", faults, "how often x-faults acted"),
#undef PCIEHSM_STAT
    };
    PciehsmState *s = PCIEHSM(obj);

    qemu_mutex_init(&s->lock);
    s->temperature = PCIEHSM_DEF_TEMPERATURE;
    for (int i = 0; i < ARRAY_SIZE(stats); i++) {
        uint64_t *stat = (uint64_t *)((char *)s + stats[i].offset);

        object_property_add_uint64_ptr(obj, stats[i].name, stat,
                                       OBJ_PROP_FLAG_READ);
        object_property_set_description(obj, stats[i].name, stats[i].text);
    }
}

PCIEHSM_PROPERTIES pciehsm_properties[] = {
    DEFINE_PROP_UINT64("serial", PciehsmState, serial, 0),
    DEFINE_PROP_STRING("store", PciehsmState, store),
    DEFINE_PROP_UINT32("partition-base", PciehsmState, partition_base, 1),
    DEFINE_PROP_STRING("model", PciehsmState, model),
    DEFINE_PROP_UINT32("engines", PciehsmState, engines, 2),
    DEFINE_PROP_UINT32("queues", PciehsmState, num_queues,
                       PCIEHSM_MAX_IO_QUEUES),
    DEFINE_PROP_UINT32("vectors", PciehsmState, vectors, 0),
    DEFINE_PROP_UINT32("max-queue-entries", PciehsmState, max_entries, 1024),
    DEFINE_PROP_UINT32("max-partitions", PciehsmState, max_partitions,
                       PCIEHSM_MAX_PARTITIONS),
    DEFINE_PROP_UINT32("max-contexts", PciehsmState, max_contexts, 0),
    DEFINE_PROP_SIZE("memory", PciehsmState, memory, 64 * MiB),
    DEFINE_PROP_STRING("master-secret", PciehsmState, master_secret),
    DEFINE_PROP_LINK("iothread", PciehsmState, iothread, TYPE_IOTHREAD,
                     IOThread *),
    PCIEHSM_PROPERTIES_END
};

static void pciehsm_describe(ObjectClass *klass)
{
    static const char *const text[][2] = {
        { "serial", "of the HSM, 1 to 12 digits; needed" },
        { "store", "file that keeps the card's objects, made if it is not "
                   "there; needed" },
        { "partition-base", "number of the first partition of a new store" },
        { "model", "product name, at most 15 bytes" },
        { "engines", "messages worked on at the same time, 1 to 64" },
        { "queues", "I/O queue pairs, 1 to 64" },
        { "vectors", "MSI-X vectors, 1 to 65; default: queues + 1" },
        { "max-queue-entries", "greatest I/O queue, 2 to 65536" },
        { "max-partitions", "1 to 100" },
        { "max-contexts", "openers at once; 0: the firmware's default" },
        { "memory", "card memory for messages under way" },
        { "master-secret", "id of a secret object of 32 bytes that seals the "
                           "store" },
        { "iothread", "id of an iothread object to take and complete commands "
                      "in; default: the main loop" },
    };

    for (int i = 0; i < ARRAY_SIZE(text); i++) {
        object_class_property_set_description(klass, text[i][0], text[i][1]);
    }
}

static void pciehsm_instance_finalize(Object *obj)
{
    PciehsmState *s = PCIEHSM(obj);

    if (s->bh) {
        pciehsm_bh_delete(s);
    }
    pciehsm_stats_free(s);
    g_free(s->rules);
    g_free(s->rules_text);
    qemu_mutex_destroy(&s->lock);
}

static void pciehsm_class_init(ObjectClass *klass, PCIEHSM_CLASS_DATA *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    PCIDeviceClass *pc = PCI_DEVICE_CLASS(klass);

    pc->realize = pciehsm_realize;
    pc->exit = pciehsm_exit;
    pc->config_read = pciehsm_config_read;
    pc->config_write = pciehsm_config_write;
    pc->vendor_id = PCIEHSM_PCI_VENDOR_ID;
    pc->device_id = PCIEHSM_PCI_DEVICE_ID;
    pc->class_id = PCIEHSM_PCI_CLASS >> 8;
    pc->revision = 1;

    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
    dc->desc = "PCI Express hardware security module";
    dc->vmsd = &pciehsm_vmstate;
    pciehsm_class_set_reset(dc, pciehsm_reset);
    device_class_set_props(dc, pciehsm_properties);
    pciehsm_describe(klass);
    pciehsm_fault_class_init(klass);
    pciehsm_stats_class_init(klass);
}

static const TypeInfo pciehsm_info = {
    .name = TYPE_PCIEHSM,
    .parent = TYPE_PCI_DEVICE,
    .instance_size = sizeof(PciehsmState),
    .instance_init = pciehsm_instance_init,
    .instance_finalize = pciehsm_instance_finalize,
    .class_init = pciehsm_class_init,
    .interfaces = (PCIEHSM_INTERFACES[]) {
        { INTERFACE_PCIE_DEVICE },
        { },
    },
};

static void pciehsm_register_types(void)
{
    type_register_static(&pciehsm_info);
}

type_init(pciehsm_register_types)
