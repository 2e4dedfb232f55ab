// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Metrics in the real environment: a file pciehsm_ha_PID.prom for each process, in the directory
 * that the textfile collector of node_exporter reads. A new one takes the place of the old
 * one, so that nobody reads half of it; its name while it is written is one that the
 * collector does not look at.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "env_system.h"

#define PREFIX		"pciehsm_ha_"
#define SUFFIX		".prom"

/* Whose file is it? 0: it is none of ours */
static pid_t owner(const char *name)
{
	char *end;
	long pid;

	if (strncmp(name, PREFIX, strlen(PREFIX)) ||
	    !isdigit((unsigned char)name[strlen(PREFIX)]))
		return 0;
	pid = strtol(name + strlen(PREFIX), &end, 10);
	return pid > 0 && !strcmp(end, SUFFIX) ? (pid_t)pid : 0;
}

/* A process that was killed could not take its file away: its figures would stay for ever. */
static void remove_dead(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(d))) {
		pid_t pid = owner(entry->d_name);

		if (pid && kill(pid, 0) && errno == ESRCH)
			unlinkat(dir, entry->d_name, 0);
	}
	closedir(d);
}

static int write_text(int dir, const char *name, const char *text)
{
	size_t len = strlen(text);
	int fd, err = 0;

	/* Left by a process of this number that was killed in it. */
	unlinkat(dir, name, 0);
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	while (len && !err) {
		ssize_t done = write(fd, text, len);

		if (done >= 0) {
			text += done;
			len -= (size_t)done;
		} else if (errno != EINTR) {
			err = -errno;
		}
	}
	if (close(fd) && !err)
		err = -errno;
	return err;
}

int ha_files_metrics(struct ha_env *env, const char *path, const char *text)
{
	char name[64], fresh[sizeof(name) + 8];
	int dir, err;

	(void)env;
	snprintf(name, sizeof(name), PREFIX "%d" SUFFIX, (int)getpid());
	snprintf(fresh, sizeof(fresh), "%s.new", name);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	if (text) {
		remove_dead(dir);
		err = write_text(dir, fresh, text);
		if (!err && renameat(dir, fresh, dir, name))
			err = -errno;
		if (err)
			unlinkat(dir, fresh, 0);
	} else {
		err = unlinkat(dir, name, 0) ? -errno : 0;
	}
	close(dir);
	return err;
}
