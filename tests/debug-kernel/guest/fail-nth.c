// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fail-nth: do something again and again, with the first, second, third ... allocation
 * of memory on its way failing, until there are no more.
 *
 *   fail-nth [-0] [-s STEP] OPERATION [ARGUMENT...]
 *
 *   open NODE          open and close: a context
 *   nop NODE           a command
 *   message NODE SIZE  a message of that many bytes
 *   uring NODE SIZE    the same through io_uring
 *   bind ADDRESS       the driver to a card, and off it again
 *   insmod FILE [PARAMETERS]	the driver with all cards, and out again
 *
 * Whatever failed, the next try must find everything as it was, and the one without a
 * failure must succeed. Prints how many failures there were. With -s, after the first
 * fifty only each STEPth. Without an allocation that could fail nothing has been tried, and that
 * is wrong; with -0 it is what is wanted.
 */
#include <sys/syscall.h>

#include "ring.h"

enum { THOROUGH = 50 };

static int control = -1;

static int fail(const char *what, long n, int err)
{
	fprintf(stderr, "fail-nth: allocation %ld: %s: %s\n", n, what, strerror(err));
	return 1;
}

static void arm(long n)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%ld", n);

	if (pwrite(control, text, len, 0) != len)
		exit(fail("/proc/thread-self/fail-nth", n, errno));
}

/* Disarms. Returns whether the failure has happened. */
static bool fired(void)
{
	char text[24] = "";

	if (pread(control, text, sizeof(text) - 1, 0) <= 0)
		exit(fail("/proc/thread-self/fail-nth", 0, errno));
	arm(0);
	return !atol(text);
}

static int write_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		err = errno;
	close(fd);
	return err;
}

struct operation {
	const char	*name;
	/* What it needs, and no failure shall hit; before each time. Returns 0 or an errno. */
	int		(*ready)(char **args);
	/* Returns 0 or an errno; what it did is undone with undo(), after success only. */
	int		(*once)(char **args);
	int		(*undo)(char **args);
};

static int fd = -1;

static int open_once(char **args)
{
	fd = open(args[0], O_RDWR | O_CLOEXEC);
	return fd < 0 ? errno : 0;
}

static int open_undo(char **args)
{
	(void)args;
	return close(fd) ? errno : 0;
}

/* On a descriptor that stays, so that only the command itself can fail. */
static int node_ready(char **args)
{
	return fd < 0 ? open_once(args) : 0;
}

static int nop_once(char **args)
{
	(void)args;
	return ioctl(fd, PCIEHSM_IOC_NOP) ? errno : 0;
}

static int message_once(char **args)
{
	static struct request req;
	static unsigned char answer[MEBI] __attribute__((aligned(8)));
	static uint32_t session;
	struct pciehsm_ioc_msg arg;
	int err;

	request_init(&req, PCIEHSM_OP_PING);
	req.hdr.length = htole32(atoi(args[1]));
	/* That the card finds fault with the rest of it is an answer, too, if it is to this. */
	req.hdr.session = ++session;
	err = request_send(fd, &req.hdr, answer, sizeof(answer), NULL, &arg);
	/* What failed for want of memory was not sent. */
	if (err && arg.outcome != PCIEHSM_OUTCOME_NOT_EXECUTED)
		exit(fail("executed, and yet failed", 0, err));
	return err ? err : ((struct pciehsm_msg *)answer)->session == session ? 0 : EBADMSG;
}

static struct ring ring;

static int ring_ready(char **args)
{
	int err = node_ready(args);

	return err || ring.sq ? err : ring_open(&ring, 4, RING_FLAGS);
}

/*
 * Where io_uring itself has no memory for a command, the ring is left in the middle of it,
 * and so is done with.
 */
static int uring_once(char **args)
{
	static struct request req;
	static unsigned char answer[MEBI] __attribute__((aligned(4096)));
	static uint32_t session;
	struct pciehsm_uring_cmd cmd = {
		.in = (uintptr_t)&req, .in_len = atoi(args[1]),
		.out = (uintptr_t)answer, .out_len = sizeof(answer),
	};
	uint64_t outcome = PCIEHSM_OUTCOME_NOT_EXECUTED;
	int err;

	request_init(&req, PCIEHSM_OP_PING);
	req.hdr.length = htole32(cmd.in_len);
	req.hdr.session = ++session;
	err = -ring_one(&ring, fd, PCIEHSM_URING_MSG, &cmd, &outcome);
	if (err > 0) {
		if (outcome != PCIEHSM_OUTCOME_NOT_EXECUTED)
			exit(fail("executed, and yet failed", 0, err));
		ring_close(&ring);
		ring.sq = NULL;
		return err == EAGAIN ? ENOMEM : err;
	}
	return ((struct pciehsm_msg *)answer)->session == session ? 0 : EBADMSG;
}

/* A resource for which there is no memory is said to be taken (pci_request_region()). */
static int bind_once(char **args)
{
	int err = write_file("/sys/bus/pci/drivers/pciehsm/bind", args[0]);

	return err == EBUSY ? ENOMEM : err;
}

static int bind_undo(char **args)
{
	return write_file("/sys/bus/pci/drivers/pciehsm/unbind", args[0]);
}

static int module = -1;

static int insmod_once(char **args)
{
	return syscall(SYS_finit_module, module, args[1] ? args[1] : "", 0) ? errno : 0;
}

static int insmod_undo(char **args)
{
	(void)args;
	return syscall(SYS_delete_module, "pciehsm", O_NONBLOCK) ? errno : 0;
}

static const struct operation operations[] = {
	{ "open", NULL, open_once, open_undo },
	{ "nop", node_ready, nop_once, NULL },
	{ "message", node_ready, message_once, NULL },
	{ "uring", ring_ready, uring_once, NULL },
	{ "bind", NULL, bind_once, bind_undo },
	{ "insmod", NULL, insmod_once, insmod_undo },
};

int main(int argc, char **argv)
{
	const struct operation *op = NULL;
	long n, step = 1, failures = 0, survived = 0;
	bool hit, none = false;
	int opt, err;

	while ((opt = getopt(argc, argv, "+0s:")) != -1) {
		if (opt == '0')
			none = true;
		else if (opt == 's' && atol(optarg) >= 1)
			step = atol(optarg);
		else
			return 2;
	}
	for (size_t i = 0; argc - optind >= 2 && i < sizeof(operations) / sizeof(operations[0]); i++)
		if (!strcmp(operations[i].name, argv[optind]))
			op = &operations[i];
	if (!op) {
		fprintf(stderr, "usage: fail-nth [-0] [-s STEP] OPERATION ARGUMENT...\n");
		return 2;
	}
	argv += optind + 1;
	control = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return fail("/proc/thread-self/fail-nth", 0, errno);
	if (op->once == insmod_once) {
		module = open(argv[0], O_RDONLY | O_CLOEXEC);
		if (module < 0)
			return fail(argv[0], 0, errno);
	}

	for (n = 1; ; n += n < THOROUGH ? 1 : step) {
		err = op->ready ? op->ready(argv) : 0;
		if (err)
			return fail(argv[0], n, err);
		arm(n);
		err = op->once(argv);
		hit = fired();
		if (!hit)
			break;
		failures++;
		if (!err)
			survived++;
		else if (err != ENOMEM && err != ENODEV && err != EIO && err != ENOSPC)
			return fail(op->name, n, err);
		if (!err && op->undo) {
			err = op->undo(argv);
			if (err)
				return fail("undoing it", n, err);
		}
	}
	if (err)
		return fail("without a failure", n, err);
	if (op->undo) {
		err = op->undo(argv);
		if (err)
			return fail("undoing it", n, err);
	}
	printf("%s: %ld failures, %ld of them without harm\n", op->name, failures, survived);
	return none == !failures ? 0 : 1;
}
