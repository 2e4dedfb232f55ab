// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Preloaded into a program: it is killed before something that it changes, so that it dies in
 * the same place each time.
 *
 * KILLER=card:N    before its N-th message that may change something on a card
 * KILLER=config:N  before the N-th time that it puts a new ha.conf in place
 */
#include <endian.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <pciehsm/fw.h>
#include <pciehsm/ioctl.h>

static atomic_int changes;

static void change(const char *what)
{
	const char *killer = getenv("KILLER");
	size_t len = strlen(what);

	if (killer && !strncmp(killer, what, len) && killer[len] == ':' &&
	    atomic_fetch_add(&changes, 1) + 1 == atoi(killer + len + 1))
		raise(SIGKILL);
}

int ioctl(int fd, unsigned long request, ...)
{
	const struct pciehsm_ioc_msg *io;
	struct pciehsm_msg head;
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (request == PCIEHSM_IOC_MSG) {
		io = arg;
		memcpy(&head, (const void *)(uintptr_t)io->in, sizeof(head));
		if (le32toh(head.op) & PCIEHSM_OP_WRITE)
			change("card");
	}
	return (int)syscall(SYS_ioctl, fd, request, arg);
}

int rename(const char *from, const char *to)
{
	size_t len = strlen(to);

	/* The copy of the old one gets its name, with something behind it, in the same way. */
	if (len > 8 && !strcmp(to + len - 8, "/ha.conf"))
		change("config");
	return (int)syscall(SYS_rename, from, to);
}
