// SPDX-License-Identifier: GPL-2.0-or-later
#include "faults.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* A part of a file as it was before a write that is not synced yet */
struct undo {
	struct undo	*next;
	sqlite3_int64	offset;
	sqlite3_int64	size;		/* of the file */
	int		len;
	unsigned char	before[];
};

struct file {
	sqlite3_file	base;
	struct undo	*undo;		/* newest first */
	int		watched;
	sqlite3_file	*real;		/* behind this struct */
};

static struct {
	sqlite3_vfs	vfs;
	sqlite3_vfs	*real;
	sqlite3_io_methods methods;
	enum fault	kind;
	unsigned int	at;
	unsigned int	moments;
	int		happened;
} disk;

void faults_arm(enum fault kind, unsigned int at)
{
	disk.kind = kind;
	disk.at = at;
	disk.moments = 0;
	disk.happened = 0;
}

unsigned int faults_moments(void)
{
	return disk.moments;
}

int faults_happened(void)
{
	return disk.happened;
}

#define CHUNK		65536
#define REAL(f)		(((struct file *)(f))->real)

static int forward(sqlite3_file *f, const void *p, int len, sqlite3_int64 offset)
{
	return REAL(f)->pMethods->xWrite(REAL(f), p, len, offset);
}

/* Is the disk dead, or does this operation fail? *now: it is the chosen moment. */
static int strikes(struct file *f, int *now)
{
	*now = 0;
	if (!f->watched)
		return 0;
	disk.moments++;
	if (disk.kind == FAULT_NONE)
		return 0;
	if (disk.happened)
		return disk.kind != FAULT_ERROR;
	if (disk.moments != disk.at)
		return 0;
	disk.happened = 1;
	*now = 1;
	return 1;
}

static void remember(struct file *f, sqlite3_int64 offset, int len)
{
	struct undo *u = calloc(1, sizeof(*u) + (size_t)len);

	if (!u)
		abort();
	f->real->pMethods->xFileSize(f->real, &u->size);
	u->offset = offset;
	u->len = len;
	/* A short read leaves zeroes behind the end of the file. */
	if (len)
		f->real->pMethods->xRead(f->real, u->before, len, offset);
	u->next = f->undo;
	f->undo = u;
}

static void forget(struct file *f)
{
	struct undo *u;

	while ((u = f->undo)) {
		f->undo = u->next;
		free(u);
	}
}

static void roll_back(struct file *f)
{
	struct undo *u;

	while ((u = f->undo)) {
		f->undo = u->next;
		if (u->len)
			f->real->pMethods->xWrite(f->real, u->before, u->len, u->offset);
		f->real->pMethods->xTruncate(f->real, u->size);
		free(u);
	}
}

static int on_write(sqlite3_file *file, const void *p, int len, sqlite3_int64 offset)
{
	struct file *f = (struct file *)file;
	int now;

	if (strikes(f, &now)) {
		if (now && disk.kind == FAULT_TORN)
			forward(file, p, len / 2, offset);
		return SQLITE_IOERR_WRITE;
	}
	if (f->watched && disk.kind == FAULT_POWER)
		remember(f, offset, len);
	return forward(file, p, len, offset);
}

static int on_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct file *f = (struct file *)file;
	sqlite3_int64 before, at;
	int now;

	if (strikes(f, &now))
		return SQLITE_IOERR_TRUNCATE;
	if (f->watched && disk.kind == FAULT_POWER) {
		f->real->pMethods->xFileSize(f->real, &before);
		/* SQLite's own VFS moves less than 128 KiB at once. */
		for (at = size; at < before; at += CHUNK)
			remember(f, at, before - at < CHUNK ? (int)(before - at) : CHUNK);
	}
	return f->real->pMethods->xTruncate(f->real, size);
}

static int on_sync(sqlite3_file *file, int flags)
{
	struct file *f = (struct file *)file;
	int now;

	if (strikes(f, &now))
		return SQLITE_IOERR_FSYNC;
	forget(f);
	/* The test's own power does not go: the order is what counts. */
	(void)flags;
	return SQLITE_OK;
}

static int on_close(sqlite3_file *file)
{
	struct file *f = (struct file *)file;

	if (disk.kind == FAULT_POWER && disk.happened)
		roll_back(f);
	forget(f);
	return f->real->pMethods->xClose(f->real);
}

static int on_read(sqlite3_file *f, void *p, int len, sqlite3_int64 offset)
{
	return REAL(f)->pMethods->xRead(REAL(f), p, len, offset);
}

static int on_size(sqlite3_file *f, sqlite3_int64 *size)
{
	return REAL(f)->pMethods->xFileSize(REAL(f), size);
}

static int on_lock(sqlite3_file *f, int level)
{
	return REAL(f)->pMethods->xLock(REAL(f), level);
}

static int on_unlock(sqlite3_file *f, int level)
{
	return REAL(f)->pMethods->xUnlock(REAL(f), level);
}

static int on_reserved(sqlite3_file *f, int *out)
{
	return REAL(f)->pMethods->xCheckReservedLock(REAL(f), out);
}

static int on_control(sqlite3_file *f, int op, void *arg)
{
	return REAL(f)->pMethods->xFileControl(REAL(f), op, arg);
}

static int on_sector(sqlite3_file *f)
{
	return REAL(f)->pMethods->xSectorSize(REAL(f));
}

static int on_device(sqlite3_file *f)
{
	return REAL(f)->pMethods->xDeviceCharacteristics(REAL(f));
}

static int on_map(sqlite3_file *f, int page, int size, int extend, void volatile **p)
{
	return REAL(f)->pMethods->xShmMap(REAL(f), page, size, extend, p);
}

static int on_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	return REAL(f)->pMethods->xShmLock(REAL(f), offset, n, flags);
}

static void on_barrier(sqlite3_file *f)
{
	REAL(f)->pMethods->xShmBarrier(REAL(f));
}

static int on_unmap(sqlite3_file *f, int delete)
{
	return REAL(f)->pMethods->xShmUnmap(REAL(f), delete);
}

static int on_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
	struct file *f = (struct file *)file;
	int rc;

	(void)vfs;
	memset(f, 0, sizeof(*f));
	f->real = (sqlite3_file *)(f + 1);
	f->watched = (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0;
	rc = disk.real->xOpen(disk.real, name, f->real, flags, out);
	if (rc == SQLITE_OK)
		f->base.pMethods = &disk.methods;
	return rc;
}

static int on_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	(void)vfs;
	/* The dead do not tidy up. */
	if (disk.happened && disk.kind != FAULT_ERROR)
		return SQLITE_IOERR_DELETE;
	return disk.real->xDelete(disk.real, name, sync);
}

void faults_install(void)
{
	disk.real = sqlite3_vfs_find(NULL);
	disk.vfs = *disk.real;
	disk.vfs.zName = "faults";
	disk.vfs.pNext = NULL;
	disk.vfs.szOsFile = (int)sizeof(struct file) + disk.real->szOsFile;
	disk.vfs.xOpen = on_open;
	disk.vfs.xDelete = on_delete;
	disk.methods = (sqlite3_io_methods){
		.iVersion = 2,
		.xClose = on_close,
		.xRead = on_read,
		.xWrite = on_write,
		.xTruncate = on_truncate,
		.xSync = on_sync,
		.xFileSize = on_size,
		.xLock = on_lock,
		.xUnlock = on_unlock,
		.xCheckReservedLock = on_reserved,
		.xFileControl = on_control,
		.xSectorSize = on_sector,
		.xDeviceCharacteristics = on_device,
		.xShmMap = on_map,
		.xShmLock = on_shm_lock,
		.xShmBarrier = on_barrier,
		.xShmUnmap = on_unmap,
	};
	sqlite3_vfs_register(&disk.vfs, 1);
}
