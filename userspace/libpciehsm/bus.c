// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The cards of this machine: the driver's class in sysfs says what they are, /dev what
 * this process may see of them (a container is given some nodes and not others).
 *
 * That something came or went is told by the kernel in two ways, and both are listened
 * to: nodes in /dev, which works without udev and in containers, and the driver's
 * uevents, which tell of new labels too but reach the first network namespace alone.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "chardev.h"

#define SYSFS		"/sys/class/hsm"
#define DEV		"/dev"
#define UEVENT_GROUP	1	/* the kernel's own messages, not udev's */

/**
 * struct chardev_bus - what is there, through the driver
 * @base:	what others see
 * @nodes:	inotify on /dev, -1 if there is none
 * @uevents:	netlink, -1 if there is none
 * @woken:	eventfd of wake()
 */
struct chardev_bus {
	struct pciehsm_bus	base;
	int			nodes;
	int			uevents;
	int			woken;
};

static struct chardev_bus *of(struct pciehsm_bus *bus)
{
	return (struct chardev_bus *)((char *)bus - offsetof(struct chardev_bus, base));
}

/* ---- what is there ---- */

/* "hsm<card>" or "hsm<card>p<index>" */
static bool parse_name(const char *name, unsigned int *card, unsigned int *index)
{
	int len = -1;

	*index = 0;
	if (strncmp(name, "hsm", 3) || !isdigit((unsigned char)name[3]))
		return false;
	if (sscanf(name, "hsm%6u%n", card, &len) == 1 && len > 0 && !name[len])
		return true;
	len = -1;
	return sscanf(name, "hsm%6up%6u%n", card, index, &len) == 2 && len > 0 && !name[len] &&
	       *index;
}

/* One attribute of a node; empty if there is no such one. */
static void read_attr(const char *name, const char *attr, char *to, size_t size)
{
	char path[PATH_MAX];
	ssize_t n;
	int fd;

	to[0] = 0;
	snprintf(path, sizeof(path), SYSFS "/%s/%s", name, attr);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, to, size - 1);
	close(fd);
	if (n < 0)
		n = 0;
	to[n] = 0;
	to[strcspn(to, "\n")] = 0;
}

static unsigned int parse_state(const char *text)
{
	static const char *const names[] = {
		[PCIEHSM_STATE_NEW] = "new",
		[PCIEHSM_STATE_CONNECTING] = "connecting",
		[PCIEHSM_STATE_LIVE] = "live",
		[PCIEHSM_STATE_RESETTING] = "resetting",
		[PCIEHSM_STATE_DELETING] = "deleting",
		[PCIEHSM_STATE_DEAD] = "dead",
	};
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcasecmp(text, names[i]))
			return i;
	return PCIEHSM_STATE_DEAD;
}

static bool describe(const char *name, struct pciehsm_device *dev)
{
	char card_name[32], text[16];

	memset(dev, 0, sizeof(*dev));
	if (!parse_name(name, &dev->card, &dev->index))
		return false;
	snprintf(dev->path, sizeof(dev->path), DEV "/%.32s", name);
	if (access(dev->path, F_OK))
		return false;
	snprintf(card_name, sizeof(card_name), "hsm%u", dev->card);
	read_attr(name, "serial", dev->serial, sizeof(dev->serial));
	read_attr(card_name, "serial", dev->hsm_serial, sizeof(dev->hsm_serial));
	read_attr(name, "label", dev->label, sizeof(dev->label));
	read_attr(card_name, "model", dev->model, sizeof(dev->model));
	read_attr(card_name, "fw_version", dev->fw_version, sizeof(dev->fw_version));
	read_attr(card_name, "state", text, sizeof(text));
	dev->state = parse_state(text);
	read_attr(name, "number", text, sizeof(text));
	dev->number = (uint32_t)strtoul(text, NULL, 10);
	read_attr(name, "outstanding", text, sizeof(text));
	dev->outstanding = (uint32_t)strtoul(text, NULL, 10);
	/* Without a serial it is on its way in or out. */
	return dev->serial[0];
}

static int by_place(const void *a, const void *b)
{
	const struct pciehsm_device *x = a, *y = b;

	if (x->card != y->card)
		return x->card < y->card ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static int bus_list(struct pciehsm_bus *bus, struct pciehsm_device **list)
{
	struct pciehsm_device *devs = NULL, *more;
	size_t n = 0, room = 0;
	struct dirent *entry;
	DIR *dir;

	(void)bus;
	dir = opendir(SYSFS);
	if (!dir)
		return errno == ENOENT ? -ENODEV : -errno;
	while ((entry = readdir(dir))) {
		if (n == room) {
			room = room ? 2 * room : 8;
			more = realloc(devs, room * sizeof(*devs));
			if (!more) {
				free(devs);
				closedir(dir);
				return -ENOMEM;
			}
			devs = more;
		}
		if (describe(entry->d_name, &devs[n]))
			n++;
	}
	closedir(dir);
	if (n)
		qsort(devs, n, sizeof(*devs), by_place);
	*list = devs;
	return (int)n;
}

static int bus_open(struct pciehsm_bus *bus, const char *serial, struct pciehsm_transport **t)
{
	struct pciehsm_device *list;
	int n = bus_list(bus, &list), i, ret = -ENODEV;

	if (n < 0)
		return n;
	for (i = 0; i < n; i++)
		if (!strcmp(list[i].serial, serial)) {
			ret = chardev_open(list[i].path, serial, t);
			break;
		}
	free(list);
	return ret;
}

/* ---- what changes ---- */

/* Take what inotify has. Return: was it about a node of ours? */
static bool drain_nodes(int fd)
{
	char buf[4096] __attribute__((aligned(8)));
	const struct inotify_event *event;
	bool ours = false;
	ssize_t n, at;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (at = 0; at < n; at += (ssize_t)(sizeof(*event) + event->len)) {
			event = (const struct inotify_event *)(buf + at);
			if (event->mask & IN_Q_OVERFLOW ||
			    (event->len && !strncmp(event->name, "hsm", 3)))
				ours = true;
		}
	}
	return ours;
}

static bool drain_uevents(int fd)
{
	static const char subsystem[] = "SUBSYSTEM=hsm";
	char buf[8192];
	bool ours = false;
	ssize_t n;

	/* ENOBUFS: some were lost, and any could have been ours. */
	while ((n = recv(fd, buf, sizeof(buf) - 1, 0)) > 0 || (n < 0 && errno == ENOBUFS)) {
		if (n < 0) {
			ours = true;
			continue;
		}
		buf[n] = 0;
		if (memmem(buf, (size_t)n + 1, subsystem, sizeof(subsystem)))
			ours = true;
	}
	return ours;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static bool bus_watch(struct pciehsm_bus *bus, unsigned int timeout_ms)
{
	struct chardev_bus *b = of(bus);
	struct pollfd fds[] = {
		{ .fd = b->woken, .events = POLLIN },
		{ .fd = b->nodes, .events = POLLIN },
		{ .fd = b->uevents, .events = POLLIN },
	};
	int64_t deadline = now_ms() + timeout_ms, left;
	bool changed = false;
	uint64_t count;

	do {
		left = deadline - now_ms();
		if (left < 0)
			left = 0;
		if (left > INT_MAX)
			left = INT_MAX;
		if (poll(fds, sizeof(fds) / sizeof(fds[0]), (int)left) <= 0)
			continue;
		if (fds[1].revents)
			changed |= drain_nodes(b->nodes);
		if (fds[2].revents)
			changed |= drain_uevents(b->uevents);
		if (fds[0].revents) {
			if (read(b->woken, &count, sizeof(count)) < 0)
				count = 0;
			return changed;
		}
	} while (!changed && left);
	return changed;
}

static void bus_wake(struct pciehsm_bus *bus)
{
	static const uint64_t one = 1;

	/* It fails only when the counter is at its end, and then the other end is awake. */
	if (write(of(bus)->woken, &one, sizeof(one)) < 0)
		return;
}

static void bus_close(struct pciehsm_bus *bus)
{
	struct chardev_bus *b = of(bus);

	if (b->nodes >= 0)
		close(b->nodes);
	if (b->uevents >= 0)
		close(b->uevents);
	close(b->woken);
	free(b);
}

static const struct pciehsm_bus_ops bus_ops = {
	.list	= bus_list,
	.open	= bus_open,
	.watch	= bus_watch,
	.wake	= bus_wake,
	.close	= bus_close,
};

static int open_nodes(void)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	/* IN_ATTRIB: udev gives a new node its owner and mode after it has appeared. */
	if (fd >= 0 && inotify_add_watch(fd, DEV, IN_CREATE | IN_DELETE | IN_MOVED_TO |
					 IN_MOVED_FROM | IN_ATTRIB) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int open_uevents(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = UEVENT_GROUP };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			NETLINK_KOBJECT_UEVENT);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

int pciehsm_chardev_bus(struct pciehsm_bus **bus)
{
	struct chardev_bus *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->base.ops = &bus_ops;
	b->woken = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b->woken < 0) {
		int error = errno;

		free(b);
		return -error;
	}
	/* Without either the caller's own period of looking is what remains. */
	b->nodes = open_nodes();
	b->uevents = open_uevents();
	*bus = &b->base;
	return 0;
}
