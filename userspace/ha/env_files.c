// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The files of the real environment: ha.conf, read, watched and replaced, and the HA
 * log.
 *
 * Beside ha.conf lie ha.conf.old (what it was before the last change), ha.conf.lock (what
 * writers lock: the file itself is replaced by every change, so a lock on it would
 * be on the wrong one) and, while it is written, ha.conf.new.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "env_system.h"

#define CONFIG_DEFAULT		"/etc/pciehsm/ha.conf"
#define CONFIG_MAX		(1U << 20)
#define LOG_NAME		"haErrorLog"
/* How often the file is looked at where inotify can not watch it. */
#define POLL_MS			500

int ha_files_init(struct ha_env_system *sys, const char *config)
{
	char *slash;

	sys->inotify = -1;
	sys->watch = -1;
	sys->wake = -1;
	if (!config)
		config = secure_getenv("PCIEHSM_CONF");
	if (!config || !*config)
		config = CONFIG_DEFAULT;
	sys->config = strdup(config);
	sys->config_dir = strdup(config);
	if (!sys->config || !sys->config_dir)
		return -ENOMEM;
	slash = strrchr(sys->config_dir, '/');
	if (!slash)
		strcpy(sys->config_dir, ".");
	else
		slash[slash == sys->config_dir] = '\0';
	sys->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (sys->wake < 0)
		return -errno;
	/* Without inotify (its number per user is limited) the file is polled. */
	sys->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	return 0;
}

void ha_files_fini(struct ha_env_system *sys)
{
	if (sys->inotify >= 0)
		close(sys->inotify);
	if (sys->wake >= 0)
		close(sys->wake);
	free(sys->config);
	free(sys->config_dir);
}

const char *ha_files_config_name(struct ha_env *env)
{
	return ((struct ha_env_system *)env)->config;
}

/* FNV-1a over what changes when a file is replaced or rewritten; never 0 */
static uint64_t stamp_of(const struct stat *st)
{
	const uint64_t parts[] = {
		st->st_dev, st->st_ino, (uint64_t)st->st_size,
		(uint64_t)st->st_mtim.tv_sec, (uint64_t)st->st_mtim.tv_nsec,
		(uint64_t)st->st_ctim.tv_sec, (uint64_t)st->st_ctim.tv_nsec,
	};
	uint64_t hash = 0xcbf29ce484222325ULL;
	size_t i, shift;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		for (shift = 0; shift < 64; shift += 8)
			hash = (hash ^ ((parts[i] >> shift) & 0xff)) * 0x100000001b3ULL;
	return hash ? hash : 1;
}

uint64_t ha_files_config_stamp(struct ha_env *env)
{
	struct stat st;

	if (stat(ha_files_config_name(env), &st))
		return 0;
	return stamp_of(&st);
}

static int read_all(int fd, char **text, size_t *len, uint64_t *stamp)
{
	struct stat st;
	size_t have = 0;
	char *buf;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size > CONFIG_MAX)
		return -EFBIG;
	buf = malloc((size_t)st.st_size + 1);
	if (!buf)
		return -ENOMEM;
	while (have < (size_t)st.st_size) {
		ssize_t got = read(fd, buf + have, (size_t)st.st_size - have);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			int err = -errno;

			free(buf);
			return err;
		}
		if (!got)
			break;
		have += (size_t)got;
	}
	buf[have] = '\0';
	*text = buf;
	*len = have;
	*stamp = stamp_of(&st);
	return 0;
}

int ha_files_config_read(struct ha_env *env, char **text, size_t *len, uint64_t *stamp)
{
	/* O_NONBLOCK: a FIFO in its place must not hang the application. */
	int fd = open(ha_files_config_name(env), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int err;

	*stamp = 0;
	if (fd < 0)
		return -errno;
	err = read_all(fd, text, len, stamp);
	close(fd);
	return err;
}

static void watch_again(struct ha_env_system *sys)
{
	if (sys->watch < 0 && sys->inotify >= 0)
		sys->watch = inotify_add_watch(sys->inotify, sys->config_dir,
					       IN_MOVED_TO | IN_MOVED_FROM | IN_CLOSE_WRITE |
					       IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF |
					       IN_ONLYDIR);
}

/* Throw away what inotify says: the stamp decides, which sees a change just once. */
static void drain(struct ha_env_system *sys)
{
	_Alignas(struct inotify_event) char buf[4096];
	ssize_t got;

	while ((got = read(sys->inotify, buf, sizeof(buf))) > 0) {
		const char *p = buf;

		while (p < buf + got) {
			const struct inotify_event *event = (const void *)p;

			/* The directory itself has gone, or moved away. */
			if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED)) {
				if (event->wd == sys->watch) {
					inotify_rm_watch(sys->inotify, sys->watch);
					sys->watch = -1;
				}
			}
			p += sizeof(*event) + event->len;
		}
	}
}

bool ha_files_config_watch(struct ha_env *env, unsigned int timeout_ms)
{
	struct ha_env_system *sys = (struct ha_env_system *)env;
	uint64_t end = env->ops->now(env) + (uint64_t)timeout_ms * 1000;

	for (;;) {
		struct pollfd fds[2] = {
			{ .fd = sys->wake, .events = POLLIN },
			{ .fd = sys->inotify, .events = POLLIN },
		};
		uint64_t now, stamp, wait, count;
		struct stat st;

		watch_again(sys);
		stamp = ha_files_config_stamp(env);
		if (stamp != sys->seen) {
			sys->seen = stamp;
			return true;
		}
		now = env->ops->now(env);
		if (now >= end)
			return false;
		wait = (end - now + 999) / 1000;
		/* The target of a symbolic link lies where nobody watches. */
		if (wait > POLL_MS && (sys->watch < 0 || (!lstat(sys->config, &st) &&
							  S_ISLNK(st.st_mode))))
			wait = POLL_MS;
		if (poll(fds, 2, wait > INT_MAX ? INT_MAX : (int)wait) < 0 && errno != EINTR)
			return false;
		if (fds[0].revents & POLLIN) {
			if (read(sys->wake, &count, sizeof(count)) == sizeof(count))
				return false;
		}
		if (fds[1].revents & POLLIN)
			drain(sys);
	}
}

void ha_files_config_wake(struct ha_env *env)
{
	struct ha_env_system *sys = (struct ha_env_system *)env;
	uint64_t one = 1;

	/* It can only fail by being full, and then it wakes anyway. */
	if (write(sys->wake, &one, sizeof(one)) < 0)
		return;
}

/* ---- writing ---- */

struct config_lock {
	int	fd;
	char	*target;	/* the file, symbolic links followed */
	char	*dir;
};

static void lock_free(struct config_lock *lock)
{
	if (lock->fd >= 0)
		close(lock->fd);
	free(lock->target);
	free(lock->dir);
	free(lock);
}

int ha_files_config_lock(struct ha_env *env, void **out)
{
	struct ha_env_system *sys = (struct ha_env_system *)env;
	struct config_lock *lock = calloc(1, sizeof(*lock));
	char *path = NULL, *slash;
	int err = -ENOMEM;

	if (!lock)
		return -ENOMEM;
	lock->fd = -1;
	if (mkdir(sys->config_dir, 0755) && errno != EEXIST && errno != EROFS &&
	    errno != EACCES) {
		err = -errno;
		goto fail;
	}
	lock->target = realpath(sys->config, NULL);
	if (!lock->target)
		lock->target = strdup(sys->config);
	if (!lock->target)
		goto fail;
	lock->dir = strdup(lock->target);
	if (!lock->dir || asprintf(&path, "%s.lock", lock->target) < 0) {
		path = NULL;
		goto fail;
	}
	slash = strrchr(lock->dir, '/');
	if (slash)
		slash[slash == lock->dir] = '\0';
	else
		strcpy(lock->dir, ".");
	lock->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (lock->fd < 0) {
		err = -errno;
		goto fail;
	}
	while (flock(lock->fd, LOCK_EX)) {
		err = -errno;
		if (err != -EINTR)
			goto fail;
	}
	free(path);
	*out = lock;
	return 0;
fail:
	free(path);
	lock_free(lock);
	return err;
}

void ha_files_config_unlock(struct ha_env *env, void *lock)
{
	(void)env;
	lock_free(lock);
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t done = write(fd, text, len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		text += done;
		len -= (size_t)done;
	}
	return 0;
}

/* A new file with these contents, on the disk; owner and mode are those of @like. */
static int write_file(const char *path, const char *text, size_t len, const struct stat *like)
{
	int fd, err = 0;

	if (unlink(path) && errno != ENOENT)
		return -errno;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (fchown(fd, like->st_uid, like->st_gid) && errno != EPERM)
		err = -errno;
	if (!err && fchmod(fd, like->st_mode & 0777))
		err = -errno;
	if (!err)
		err = write_all(fd, text, len);
	if (!err && fsync(fd))
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	if (err)
		unlink(path);
	return err;
}

/* Keep the present file as @old. A copy: file systems without hard links exist. */
static int keep_previous(const char *target, const char *old, const char *tmp,
			 const struct stat *st)
{
	uint64_t stamp;
	size_t len;
	char *text;
	int err, fd = open(target, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	err = read_all(fd, &text, &len, &stamp);
	close(fd);
	if (err)
		return err;
	err = write_file(tmp, text, len, st);
	free(text);
	if (!err && rename(tmp, old))
		err = -errno;
	return err;
}

int ha_files_config_write(struct ha_env *env, void *arg, const char *text, size_t len)
{
	struct config_lock *lock = arg;
	struct stat st = { .st_uid = geteuid(), .st_gid = getegid(), .st_mode = 0644 };
	char *tmp = NULL, *old = NULL;
	int err = 0, dir;

	(void)env;
	if (asprintf(&tmp, "%s.new", lock->target) < 0) {
		tmp = NULL;
		err = -ENOMEM;
	}
	if (asprintf(&old, "%s.old", lock->target) < 0) {
		old = NULL;
		err = -ENOMEM;
	}
	if (!err && !stat(lock->target, &st))
		err = keep_previous(lock->target, old, tmp, &st);
	if (!err)
		err = write_file(tmp, text, len, &st);
	if (!err && rename(tmp, lock->target))
		err = -errno;
	if (!err) {
		/* The rename itself has to be on the disk, too. */
		dir = open(lock->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir >= 0) {
			fsync(dir);
			close(dir);
		}
	}
	free(tmp);
	free(old);
	return err;
}

/* ---- the HA log ---- */

/* Open the log and lock it; not one that another process has just renamed. */
static int log_open(const char *path)
{
	for (;;) {
		struct stat mine, named;
		int err, fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW |
				   O_NONBLOCK, 0640);

		if (fd < 0)
			return -errno;
		while (flock(fd, LOCK_EX)) {
			err = -errno;
			if (err != -EINTR) {
				close(fd);
				return err;
			}
		}
		if (!fstat(fd, &mine) && !stat(path, &named) && mine.st_ino == named.st_ino &&
		    mine.st_dev == named.st_dev)
			return fd;
		close(fd);
	}
}

static void log_rotate(const char *dir, const char *path)
{
	char name[PATH_MAX], when[32];
	time_t now = time(NULL);
	struct stat st;
	struct tm tm;
	int i;

	gmtime_r(&now, &tm);
	strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &tm);
	for (i = 0; i < 1000; i++) {
		int n;

		if (i)
			n = snprintf(name, sizeof(name), "%s/%s_%s_%d.txt", dir, LOG_NAME, when, i);
		else
			n = snprintf(name, sizeof(name), "%s/%s_%s.txt", dir, LOG_NAME, when);
		if (n < 0 || (size_t)n >= sizeof(name))
			return;
		if (!lstat(name, &st))
			continue;
		/* If it fails, the next record tries again. */
		if (!rename(path, name) || errno != EEXIST)
			return;
	}
}

/* Where the directory gives its group to what is made in it, that group is to write it, too. */
static void log_share(int fd, const char *dir)
{
	struct stat st, parent;

	if (!fstat(fd, &st) && !stat(dir, &parent) && (parent.st_mode & S_ISGID) &&
	    !(st.st_mode & S_IWGRP) && st.st_uid == geteuid() && st.st_gid == parent.st_gid)
		/* If it fails, it is as without it. */
		(void)!fchmod(fd, (st.st_mode & 07777) | S_IRGRP | S_IWGRP);
}

int ha_files_log(struct ha_env *env, const char *dir, size_t max_length, const char *record)
{
	char path[PATH_MAX];
	struct stat st;
	int fd, err;

	(void)env;
	if (!*dir)
		return 0;
	if ((size_t)snprintf(path, sizeof(path), "%s/%s.txt", dir, LOG_NAME) >= sizeof(path))
		return -ENAMETOOLONG;
	fd = log_open(path);
	if (fd < 0)
		return fd;
	log_share(fd, dir);
	err = write_all(fd, record, strlen(record));
	/* The record that makes it too long is still in the old file. */
	if (!err && max_length && !fstat(fd, &st) && (uint64_t)st.st_size > max_length)
		log_rotate(dir, path);
	close(fd);
	return err;
}
