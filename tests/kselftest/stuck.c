// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * stuck: a caller that never gets out of its page faults.
 *
 *   stuck NODE
 *
 * Sends messages whose request or room for the answer lies in memory that nobody ever
 * fills (userfaultfd): one thread for each. Prints "stuck" when all of them wait, and
 * ends when it is killed.
 */
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "common.h"

static int fd;

static void *caller(void *arg)
{
	struct pciehsm_ioc_msg *msg = arg;

	ioctl(fd, PCIEHSM_IOC_MSG, msg);
	fprintf(stderr, "stuck: a call has returned\n");
	exit(1);
}

int main(int argc, char **argv)
{
	struct pciehsm_msg req = { .length = htole32(MEBI), .op = htole32(PCIEHSM_OP_PING) };
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct pciehsm_ioc_msg msgs[3];
	struct uffd_msg fault;
	unsigned int i, waiting;
	pthread_t thread;
	char *area;
	int uffd;

	if (argc != 2)
		return 2;
	fd = open(argv[1], O_RDWR);
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (fd < 0 || uffd < 0 || ioctl(uffd, UFFDIO_API, &api))
		return 2;
	area = mmap(NULL, 8 * MEBI, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	/* Without huge pages: one page is to be there and the next one not. */
	if (area == MAP_FAILED || madvise(area, 8 * MEBI, MADV_NOHUGEPAGE))
		return 2;
	/* The first page of each request is there, so that one gets as far as possible. */
	for (i = 0; i < 8; i++)
		memcpy(area + i * MEBI, &req, sizeof(req));
	reg.range.start = (uintptr_t)area;
	reg.range.len = 8 * MEBI;
	if (ioctl(uffd, UFFDIO_REGISTER, &reg))
		return 2;
	for (i = 0; i < 3; i++)
		msgs[i] = (struct pciehsm_ioc_msg) {
			.size	= sizeof(msgs[i]),
			.in	= (uintptr_t)area + i * 2 * MEBI,
			.out	= (uintptr_t)area + (i * 2 + 1) * MEBI,
			.in_len	= MEBI,
			.out_len = MEBI,
		};
	/* One of them gets stuck in its answer's room: a small, complete request. */
	req.length = htole32(sizeof(req));
	memcpy(area + 4 * MEBI, &req, sizeof(req));
	msgs[2].in_len = sizeof(req);
	for (i = 0; i < 3; i++)
		if (pthread_create(&thread, NULL, caller, &msgs[i]))
			return 2;
	for (waiting = 0; waiting < 3; waiting++)
		if (read(uffd, &fault, sizeof(fault)) != sizeof(fault))
			return 2;
	puts("stuck");
	fflush(stdout);
	pause();
	return 0;
}
