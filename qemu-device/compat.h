/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What differs between the QEMU releases that the card is built in.
 *
 * Everything that needs to know a QEMU version is here; the rest of the device
 * is written once. The oldest release is 7.2.
 */
#ifndef HW_MISC_PCIEHSM_COMPAT_H
#define HW_MISC_PCIEHSM_COMPAT_H

#include "qemu/main-loop.h"
#include "block/aio.h"
#include "hw/pci/pci.h"
#include "hw/pci/pci_bridge.h"
#include "hw/pci/pcie.h"
#include "hw/pci/pcie_aer.h"
#include "hw/pci/msix.h"

#if __has_include("hw/pci/pci_device.h")
#include "hw/pci/pci_device.h"
#endif

#if __has_include("hw/core/qdev-properties.h")
#include "hw/core/qdev-properties.h"
#else
#include "hw/qdev-properties.h"
#endif

#if __has_include("system/runstate.h")
#include "system/cpus.h"
#include "system/iothread.h"
#include "system/runstate.h"
#else
#include "sysemu/cpus.h"
#include "sysemu/iothread.h"
#include "sysemu/runstate.h"
#endif

#define PCIEHSM_QEMU_AT_LEAST(major, minor) \
    (QEMU_VERSION_MAJOR > (major) || \
     (QEMU_VERSION_MAJOR == (major) && QEMU_VERSION_MINOR >= (minor)))

/* 7.2 as it was released has no guard; 7.2.6 and later stable releases do. */
#ifndef qemu_bh_new_guarded
#define qemu_bh_new_guarded(cb, opaque, guard) qemu_bh_new(cb, opaque)
#endif

/*
 * Since 10.2 a processor can get to a device's registers without the big lock.
 * Before that it always has it.
 */
#if PCIEHSM_QEMU_AT_LEAST(10, 2)
#define PCIEHSM_LOCKLESS_REGS(mr)  memory_region_enable_lockless_io(mr)
#else
#define PCIEHSM_LOCKLESS_REGS(mr)  do { } while (0)
#endif

/* The big lock had another name before 9.0. */
#if !PCIEHSM_QEMU_AT_LEAST(9, 0)
#define bql_locked()    qemu_mutex_iothread_locked()
#define bql_lock()      qemu_mutex_lock_iothread()
#define bql_unlock()    qemu_mutex_unlock_iothread()
#endif

/* Built without AddressSanitizer, these do nothing, and need not be there. */
#if __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(addr, size)   ((void)(addr), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(addr, size) ((void)(addr), (void)(size))
#endif

/* Property lists ended with a marker and were not const before 10.0. */
#ifdef DEFINE_PROP_END_OF_LIST
#define PCIEHSM_PROPERTIES      static Property
#define PCIEHSM_PROPERTIES_END  DEFINE_PROP_END_OF_LIST(),
#else
#define PCIEHSM_PROPERTIES      static const Property
#define PCIEHSM_PROPERTIES_END
#endif

#if PCIEHSM_QEMU_AT_LEAST(10, 1)
#define PCIEHSM_CLASS_DATA      const void
#define PCIEHSM_INTERFACES      const InterfaceInfo
#else
#define PCIEHSM_CLASS_DATA      void
#define PCIEHSM_INTERFACES      InterfaceInfo
#endif

static inline void pciehsm_class_set_reset(DeviceClass *dc,
                                           void (*reset)(DeviceState *dev))
{
#if PCIEHSM_QEMU_AT_LEAST(9, 2)
    device_class_set_legacy_reset(dc, reset);
#else
    dc->reset = reset;
#endif
}

#endif /* HW_MISC_PCIEHSM_COMPAT_H */
