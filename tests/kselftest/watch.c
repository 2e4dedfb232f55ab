// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * watch: what userspace is told of the state of a card.
 *
 *   watch NODE SECONDS
 *
 * NODE is a name in /sys/class/hsm. Prints a line for each thing that it hears:
 * "poll STATE" when poll() on the attribute "state" says that it has changed,
 * "uevent ACTION STATE" for each uevent of the node, "gone" when the attribute can not
 * be read any more, "lost uevents" if there were too many. Prints "watching" first,
 * and ends after SECONDS or at SIGTERM.
 */
#include <linux/netlink.h>
#include <signal.h>
#include <sys/socket.h>

#include "common.h"

static int listen_to_uevents(void)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
	int size = 8 << 20;

	/* A busy machine may let us run only after many more of them. */
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ? -1 : fd;
}

/* A uevent is "ACTION@PATH" and then NAME=VALUE, each with its NUL. */
static void uevent(int fd, const char *node)
{
	char text[8192], *p, *end, *slash;
	const char *state = "-";
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	if (n <= 0) {
		printf("lost uevents: %s\n", n ? strerror(errno) : "end of file");
		return;
	}
	text[n] = 0;
	end = text + n;
	slash = strrchr(text, '/');
	if (!slash || strcmp(slash + 1, node) || !strchr(text, '@'))
		return;
	for (p = text + strlen(text) + 1; p < end; p += strlen(p) + 1)
		if (!strncmp(p, "HSM_STATE=", 10))
			state = p + 10;
	*strchr(text, '@') = 0;
	printf("uevent %s %s\n", text, state);
}

static bool show_state(int fd, bool say)
{
	char text[32];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0) {
		printf("gone\n");
		return false;
	}
	text[n] = 0;
	text[strcspn(text, "\n")] = 0;
	if (say)
		printf("poll %s\n", text);
	return true;
}

int main(int argc, char **argv)
{
	struct pollfd fds[2] = { { .events = POLLPRI }, { .events = POLLIN } };
	char path[128];
	double end;

	if (argc != 3)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	end = now() + atoi(argv[2]);
	snprintf(path, sizeof(path), "/sys/class/hsm/%s/state", argv[1]);
	fds[0].fd = open(path, O_RDONLY | O_CLOEXEC);
	fds[1].fd = listen_to_uevents();
	/* The first read is what poll() compares with. */
	if (fds[0].fd < 0 || fds[1].fd < 0 || !show_state(fds[0].fd, false)) {
		printf("%s: %s\n", fds[1].fd < 0 ? "netlink socket" : path, strerror(errno));
		return 2;
	}
	printf("watching\n");
	while (now() < end) {
		if (poll(fds, 2, 100) <= 0)
			continue;
		/*
		 * The attribute tells of a change before the uevent does, but poll() may
		 * have looked at it first. So it is looked at again: what is printed is
		 * in the order in which it was told.
		 */
		if (fds[1].revents)
			poll(fds, 1, 0);
		if (fds[0].revents && !show_state(fds[0].fd, true))
			fds[0].fd = -1;
		if (fds[1].revents)
			uevent(fds[1].fd, argv[1]);
	}
	return 0;
}
