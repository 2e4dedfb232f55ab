// SPDX-License-Identifier: LGPL-2.1-or-later
/* The transport over a character device of the driver: one file, one context. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <pciehsm/fw.h>

#include "chardev.h"

/**
 * struct chardev - an open node
 * @base:	what others see
 * @fd:		the file
 * @resets:	the last number that was known
 */
struct chardev {
	struct pciehsm_transport	base;
	int				fd;
	_Atomic unsigned int		resets;
};

static struct chardev *of(struct pciehsm_transport *t)
{
	return (struct chardev *)((char *)t - offsetof(struct chardev, base));
}

static int chardev_message(struct pciehsm_transport *t, const void *in, size_t in_len,
			   void *out, size_t out_size, size_t *out_len,
			   unsigned int timeout_ms, enum pciehsm_outcome *outcome)
{
	struct pciehsm_ioc_msg io;
	int ret;

	if (in_len > UINT32_MAX || out_size > UINT32_MAX) {
		*outcome = PCIEHSM_OUTCOME_NOT_EXECUTED;
		return -EINVAL;
	}
	do {
		io = (struct pciehsm_ioc_msg){
			.size = sizeof(io),
			.in = (uintptr_t)in,
			.out = (uintptr_t)out,
			.in_len = (uint32_t)in_len,
			.out_len = (uint32_t)out_size,
			.timeout_ms = timeout_ms,
			.outcome = PCIEHSM_OUTCOME_UNKNOWN,
		};
		ret = ioctl(of(t)->fd, PCIEHSM_IOC_MSG, &io) ? -errno : 0;
		/* A signal of the application's; by the contract nothing was sent. */
	} while (ret == -EINTR);
	*outcome = io.outcome;
	*out_len = ret ? 0 : io.out_len;
	return ret;
}

static int chardev_alive(struct pciehsm_transport *t)
{
	struct pollfd fd = { .fd = of(t)->fd };

	if (poll(&fd, 1, 0) > 0 && fd.revents & (POLLHUP | POLLERR | POLLNVAL))
		return -ENODEV;
	return 0;
}

static int get_info(int fd, struct pciehsm_ioc_info *info)
{
	*info = (struct pciehsm_ioc_info){ .size = sizeof(*info) };
	return ioctl(fd, PCIEHSM_IOC_INFO, info) ? -errno : 0;
}

static unsigned int chardev_resets(struct pciehsm_transport *t)
{
	struct pciehsm_ioc_info info;

	/* A device that has gone does not answer; alive() tells of that. */
	if (!get_info(of(t)->fd, &info))
		of(t)->resets = info.resets;
	return of(t)->resets;
}

static int chardev_event_fd(struct pciehsm_transport *t)
{
	return of(t)->fd;
}

static void chardev_close(struct pciehsm_transport *t)
{
	close(of(t)->fd);
	free(of(t));
}

static const struct pciehsm_transport_ops chardev_ops = {
	.message	= chardev_message,
	.alive		= chardev_alive,
	.resets		= chardev_resets,
	.event_fd	= chardev_event_fd,
	.close		= chardev_close,
};

static bool is_device(const struct pciehsm_ioc_info *info, const char *serial)
{
	const char *own = info->index ? info->serial : info->hsm_serial;

	return !strncmp(own, serial, sizeof(info->serial));
}

int chardev_open(const char *path, const char *serial, struct pciehsm_transport **t)
{
	struct pciehsm_ioc_info info;
	struct chardev *dev;
	int fd, ret;

	/* O_NONBLOCK is for reading events. */
	fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	/* Whoever may only read can use keys, though not make any. */
	if (fd < 0 && errno == EACCES)
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT || errno == ENXIO ? -ENODEV : -errno;
	ret = get_info(fd, &info);
	if (!ret && !is_device(&info, serial))
		ret = -ENODEV;
	if (ret) {
		close(fd);
		/* ENOTTY: somebody else's device under this name */
		return ret == -ENOTTY ? -ENODEV : ret;
	}
	dev = calloc(1, sizeof(*dev));
	if (!dev) {
		close(fd);
		return -ENOMEM;
	}
	dev->base.ops = &chardev_ops;
	dev->base.max_msg = info.max_msg < PCIEHSM_MSG_MAX ? info.max_msg : PCIEHSM_MSG_MAX;
	dev->fd = fd;
	dev->resets = info.resets;
	*t = &dev->base;
	return 0;
}
