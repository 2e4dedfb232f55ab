/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pciehsm: a disk under the card's store that is full, or fails.
 *
 * The firmware keeps its store by SQLite, which reaches files through a layer
 * that can be replaced. The one here passes everything on to SQLite's own, but
 * for files of a card whose property x-store says that they fail. So the
 * firmware needs no code for it, and meets what it would meet on a bad disk.
 *
 * This is the only file beside the firmware that knows SQLite, and it knows no more
 * than how that asks for bytes: the disk is hardware, and a firmware that could be
 * told to find it bad would not be the one that is used. What is in the files,
 * and what becomes of it when they fail, is the firmware's alone.
 *
 * Called by the firmware's threads: the table of bad disks has its own lock,
 * inside of which nothing is called.
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/thread.h"
#include <sqlite3.h>
#include "pciehsm.h"

typedef struct PciehsmFile {
    sqlite3_file base;
    const char *name;           /* SQLite's: lives as long as the file is open */
    sqlite3_file *real;
} PciehsmFile;

static struct {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    QemuMutex lock;
    GHashTable *bad;            /* path of a store: PciehsmDisk */
    bool any;                   /* is there a bad one? read without the lock */
} pciehsm_disks;

/* A store's other files have its name and something behind it. */
static PciehsmDisk pciehsm_disk(const PciehsmFile *file)
{
    PciehsmDisk disk = PCIEHSM_DISK_OK;
    GHashTableIter iter;
    gpointer path, value;

    if (!qatomic_read(&pciehsm_disks.any) || !file->name) {
        return PCIEHSM_DISK_OK;
    }
    qemu_mutex_lock(&pciehsm_disks.lock);
    g_hash_table_iter_init(&iter, pciehsm_disks.bad);
    while (g_hash_table_iter_next(&iter, &path, &value)) {
        const char *rest;

        if (g_str_has_prefix(file->name, path)) {
            rest = file->name + strlen(path);
            if (!*rest || *rest == '-') {
                disk = GPOINTER_TO_INT(value);
            }
        }
    }
    qemu_mutex_unlock(&pciehsm_disks.lock);
    return disk;
}

#define REAL(file)      (((PciehsmFile *)(file))->real)
#define PASS(file, method, ...) \
    (REAL(file)->pMethods->method(REAL(file), ## __VA_ARGS__))

static int pciehsm_disk_close(sqlite3_file *file)
{
    return PASS(file, xClose);
}

static int pciehsm_disk_read(sqlite3_file *file, void *buf, int len,
                             sqlite3_int64 at)
{
    if (pciehsm_disk((PciehsmFile *)file) == PCIEHSM_DISK_FAILING) {
        return SQLITE_IOERR_READ;
    }
    return PASS(file, xRead, buf, len, at);
}

static int pciehsm_disk_write(sqlite3_file *file, const void *buf, int len,
                              sqlite3_int64 at)
{
    switch (pciehsm_disk((PciehsmFile *)file)) {
    case PCIEHSM_DISK_FULL:
        return SQLITE_FULL;
    case PCIEHSM_DISK_FAILING:
        return SQLITE_IOERR_WRITE;
    default:
        return PASS(file, xWrite, buf, len, at);
    }
}

static int pciehsm_disk_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    if (pciehsm_disk((PciehsmFile *)file) == PCIEHSM_DISK_FAILING) {
        return SQLITE_IOERR_TRUNCATE;
    }
    return PASS(file, xTruncate, size);
}

static int pciehsm_disk_sync(sqlite3_file *file, int flags)
{
    if (pciehsm_disk((PciehsmFile *)file) == PCIEHSM_DISK_FAILING) {
        return SQLITE_IOERR_FSYNC;
    }
    return PASS(file, xSync, flags);
}

static int pciehsm_disk_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return PASS(file, xFileSize, size);
}

static int pciehsm_disk_lock(sqlite3_file *file, int level)
{
    return PASS(file, xLock, level);
}

static int pciehsm_disk_unlock(sqlite3_file *file, int level)
{
    return PASS(file, xUnlock, level);
}

static int pciehsm_disk_check(sqlite3_file *file, int *reserved)
{
    return PASS(file, xCheckReservedLock, reserved);
}

static int pciehsm_disk_control(sqlite3_file *file, int op, void *arg)
{
    return PASS(file, xFileControl, op, arg);
}

static int pciehsm_disk_sector(sqlite3_file *file)
{
    return PASS(file, xSectorSize);
}

static int pciehsm_disk_traits(sqlite3_file *file)
{
    return PASS(file, xDeviceCharacteristics);
}

static int pciehsm_disk_shm_map(sqlite3_file *file, int page, int size,
                                int extend, void volatile **where)
{
    return PASS(file, xShmMap, page, size, extend, where);
}

static int pciehsm_disk_shm_lock(sqlite3_file *file, int offset, int n,
                                 int flags)
{
    return PASS(file, xShmLock, offset, n, flags);
}

static void pciehsm_disk_shm_barrier(sqlite3_file *file)
{
    PASS(file, xShmBarrier);
}

static int pciehsm_disk_shm_unmap(sqlite3_file *file, int remove)
{
    return PASS(file, xShmUnmap, remove);
}

/* Version 2: without memory mapping, which no fault could reach. */
static const sqlite3_io_methods pciehsm_disk_methods = {
    .iVersion = 2,
    .xClose = pciehsm_disk_close,
    .xRead = pciehsm_disk_read,
    .xWrite = pciehsm_disk_write,
    .xTruncate = pciehsm_disk_truncate,
    .xSync = pciehsm_disk_sync,
    .xFileSize = pciehsm_disk_size,
    .xLock = pciehsm_disk_lock,
    .xUnlock = pciehsm_disk_unlock,
    .xCheckReservedLock = pciehsm_disk_check,
    .xFileControl = pciehsm_disk_control,
    .xSectorSize = pciehsm_disk_sector,
    .xDeviceCharacteristics = pciehsm_disk_traits,
    .xShmMap = pciehsm_disk_shm_map,
    .xShmLock = pciehsm_disk_shm_lock,
    .xShmBarrier = pciehsm_disk_shm_barrier,
    .xShmUnmap = pciehsm_disk_shm_unmap,
};

static int pciehsm_disk_open(sqlite3_vfs *vfs, const char *name,
                             sqlite3_file *base, int flags, int *out_flags)
{
    PciehsmFile *file = (PciehsmFile *)base;
    int ret;

    file->base.pMethods = NULL;
    file->name = name;
    file->real = (sqlite3_file *)(file + 1);
    ret = pciehsm_disks.real->xOpen(pciehsm_disks.real, name, file->real, flags,
                                    out_flags);
    if (file->real->pMethods) {
        file->base.pMethods = &pciehsm_disk_methods;
    }
    return ret;
}

void pciehsm_disk_set(const char *store, PciehsmDisk disk)
{
    g_autofree char *path = NULL;
    char *real = realpath(store, NULL);

    /* A name for SQLite is free of links; a file that is not there has none. */
    path = g_strdup(real ? real : store);
    free(real);
    qemu_mutex_lock(&pciehsm_disks.lock);
    if (disk == PCIEHSM_DISK_OK) {
        g_hash_table_remove(pciehsm_disks.bad, path);
    } else {
        g_hash_table_replace(pciehsm_disks.bad, g_steal_pointer(&path),
                             GINT_TO_POINTER(disk));
    }
    qatomic_set(&pciehsm_disks.any, g_hash_table_size(pciehsm_disks.bad) > 0);
    qemu_mutex_unlock(&pciehsm_disks.lock);
}

void pciehsm_disks_init(void)
{
    if (pciehsm_disks.real) {
        return;
    }
    pciehsm_disks.real = sqlite3_vfs_find(NULL);
    qemu_mutex_init(&pciehsm_disks.lock);
    pciehsm_disks.bad = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                              NULL);
    pciehsm_disks.vfs = *pciehsm_disks.real;
    pciehsm_disks.vfs.zName = "pciehsm";
    pciehsm_disks.vfs.pNext = NULL;
    pciehsm_disks.vfs.szOsFile += sizeof(PciehsmFile);
    pciehsm_disks.vfs.xOpen = pciehsm_disk_open;
    /* The default from here on: nothing else in QEMU uses SQLite. */
    sqlite3_vfs_register(&pciehsm_disks.vfs, 1);
}
