// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gone: a file that outlives its device.
 *
 *   gone NODE
 *
 * Opens the node, prints "polling" and sleeps in poll() without asking for any event,
 * until the device goes. Then every call has to say so. Exit status 1 if one does not.
 */
#include "ring.h"

static int failed;

static void expect(const char *what, long got, long want)
{
	if (got == want)
		return;
	fprintf(stderr, "gone: %s: %ld, not %ld\n", what, got, want);
	failed = 1;
}

int main(int argc, char **argv)
{
	struct pciehsm_msg req = { .length = htole32(sizeof(req)), .op = htole32(PCIEHSM_OP_PING) };
	struct pciehsm_ioc_info info = { .size = sizeof(info) };
	unsigned char answer[PCIEHSM_ANSWER_MIN];
	struct pciehsm_uring_cmd cmd = {
		.in = (uintptr_t)&req, .in_len = sizeof(req),
		.out = (uintptr_t)answer, .out_len = sizeof(answer),
	}, nothing = { 0 };
	struct pollfd pfd = { .events = 0 };
	struct pciehsm_ioc_msg msg;
	struct pciehsm_event event;
	uint64_t outcome;
	struct ring ring;

	if (argc != 2)
		return 2;
	pfd.fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (pfd.fd < 0 || ring_open(&ring, 4, RING_FLAGS))
		return 2;
	expect("before", ring_one(&ring, pfd.fd, PCIEHSM_URING_MSG, &cmd, &outcome), sizeof(req));
	puts("polling");
	fflush(stdout);

	expect("poll", poll(&pfd, 1, 60000), 1);
	expect("its events", pfd.revents, POLLHUP | POLLERR);
	expect("read", read(pfd.fd, &event, sizeof(event)) < 0 ? errno : 0, ENODEV);
	/* A card that was given up has its node until it is removed, to tell that. */
	if (ioctl(pfd.fd, PCIEHSM_IOC_INFO, &info))
		expect("info", errno, ENODEV);
	else
		expect("info", info.state >= PCIEHSM_STATE_DELETING, true);
	expect("nop", ioctl(pfd.fd, PCIEHSM_IOC_NOP) ? errno : 0, ENODEV);
	expect("msg", request_send(pfd.fd, &req, answer, sizeof(answer), NULL, &msg), ENODEV);
	expect("its outcome", msg.outcome, PCIEHSM_OUTCOME_NOT_EXECUTED);
	expect("uring nop", ring_one(&ring, pfd.fd, PCIEHSM_URING_NOP, &nothing, &outcome), -ENODEV);
	expect("its outcome", outcome, PCIEHSM_OUTCOME_NOT_EXECUTED);
	expect("uring msg", ring_one(&ring, pfd.fd, PCIEHSM_URING_MSG, &cmd, &outcome), -ENODEV);
	expect("its outcome", outcome, PCIEHSM_OUTCOME_NOT_EXECUTED);
	ring_close(&ring);
	close(pfd.fd);
	return failed;
}
