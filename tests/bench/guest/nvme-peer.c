// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nvme-peer: commands to a pciehsm card beside commands to an NVMe controller, the
 * same way, in turns.
 *
 *   nvme-peer ioctl [-r ROUNDS] [-n COMMANDS]	one at a time, by ioctl
 *   nvme-peer uring [-r ROUNDS] [-n COMMANDS]	32 at a time, by io_uring, on one processor
 *   nvme-peer device [-r ROUNDS] [-n COMMANDS]	so too: nothing, and 4 KiB of data
 *   nvme-peer only PEER -n COMMANDS		that one alone, prints nothing
 *
 * The card's commands go to its first partition, or to the node that -c NODE names.
 * Rounds alternate between the peers, so that what else the machine does hits all of
 * them. Printed is the lower quartile of each peer's rounds.
 */
#include <liburing.h>
#include <linux/nvme_ioctl.h>
#include <sched.h>

#include "common.h"

enum { QUEUE_DEPTH = 32, MAX_ROUNDS = 200, BLOCK = 512, PAGE = 4096 };
enum { NVME_GET_FEATURES = 0x0a, NVME_FEAT_TEMPERATURE = 0x04 };
enum { NVME_FLUSH = 0x00, NVME_WRITE = 0x01, NVME_READ = 0x02 };

static int card = -1, nvme = -1, space = -1;
static unsigned char buffers[QUEUE_DEPTH][PAGE] __attribute__((aligned(4096)));
static unsigned char answers[QUEUE_DEPTH][PCIEHSM_ANSWER_MIN];
static const struct pciehsm_msg ping_msg = { .length = sizeof(ping_msg), .op = PCIEHSM_OP_PING };

static void fail(const char *what, int err)
{
	fprintf(stderr, "nvme-peer: %s: %s\n", what, strerror(err));
	exit(1);
}

/* ---- one at a time ---- */

static void hsm_nop(void)
{
	if (ioctl(card, PCIEHSM_IOC_NOP))
		fail("PCIEHSM_IOC_NOP", errno);
}

static void hsm_ping(void)
{
	int err = ping(card);

	if (err)
		fail("PCIEHSM_IOC_MSG", err);
}

static void nvme_admin(void)
{
	struct nvme_admin_cmd cmd = { .opcode = NVME_GET_FEATURES,
				      .cdw10 = NVME_FEAT_TEMPERATURE };
	int status = ioctl(nvme, NVME_IOCTL_ADMIN_CMD, &cmd);

	if (status)
		fail("NVME_IOCTL_ADMIN_CMD", status < 0 ? errno : EIO);
}

static void nvme_read(void)
{
	struct nvme_passthru_cmd cmd = { .opcode = NVME_READ, .nsid = 1, .data_len = BLOCK,
					 .addr = (uintptr_t)buffers };
	int status = ioctl(space, NVME_IOCTL_IO_CMD, &cmd);

	if (status)
		fail("NVME_IOCTL_IO_CMD", status < 0 ? errno : EIO);
}

/* ---- many at a time ---- */

static void hsm_uring(struct io_uring_sqe *sqe, unsigned int i)
{
	struct pciehsm_uring_cmd *cmd = (void *)sqe->cmd;

	sqe->fd = card;
	sqe->cmd_op = PCIEHSM_URING_MSG;
	cmd->in = (uintptr_t)&ping_msg;
	cmd->in_len = sizeof(ping_msg);
	cmd->out = (uintptr_t)answers[i];
	cmd->out_len = sizeof(answers[i]);
}

static void hsm_nop_uring(struct io_uring_sqe *sqe, unsigned int i)
{
	(void)i;
	sqe->fd = card;
	sqe->cmd_op = PCIEHSM_URING_NOP;
}

/* The firmware reads all of it, and does nothing: a ping has no such field. */
static void hsm_page_uring(struct io_uring_sqe *sqe, unsigned int i)
{
	struct pciehsm_uring_cmd *cmd = (void *)sqe->cmd;
	struct pciehsm_msg *msg = (void *)buffers[i];
	struct pciehsm_field *field = (void *)(msg + 1);

	*msg = (struct pciehsm_msg) { .length = htole32(PAGE), .op = htole32(PCIEHSM_OP_PING) };
	field->len = htole32(PAGE - sizeof(*msg) - sizeof(*field));
	sqe->fd = card;
	sqe->cmd_op = PCIEHSM_URING_MSG;
	cmd->in = (uintptr_t)msg;
	cmd->in_len = PAGE;
	cmd->out = (uintptr_t)answers[i];
	cmd->out_len = sizeof(answers[i]);
}

static void nvme_admin_uring(struct io_uring_sqe *sqe, unsigned int i)
{
	struct nvme_uring_cmd *cmd = (void *)sqe->cmd;

	(void)i;
	sqe->fd = nvme;
	sqe->cmd_op = NVME_URING_CMD_ADMIN;
	cmd->opcode = NVME_GET_FEATURES;
	cmd->cdw10 = NVME_FEAT_TEMPERATURE;
}

static void nvme_read_uring(struct io_uring_sqe *sqe, unsigned int i)
{
	struct nvme_uring_cmd *cmd = (void *)sqe->cmd;

	sqe->fd = space;
	sqe->cmd_op = NVME_URING_CMD_IO;
	cmd->opcode = NVME_READ;
	cmd->nsid = 1;
	cmd->data_len = BLOCK;
	cmd->addr = (uintptr_t)buffers[i];
}

static void nvme_flush_uring(struct io_uring_sqe *sqe, unsigned int i)
{
	struct nvme_uring_cmd *cmd = (void *)sqe->cmd;

	(void)i;
	sqe->fd = space;
	sqe->cmd_op = NVME_URING_CMD_IO;
	cmd->opcode = NVME_FLUSH;
	cmd->nsid = 1;
}

static void nvme_page_uring(struct io_uring_sqe *sqe, unsigned int i)
{
	struct nvme_uring_cmd *cmd = (void *)sqe->cmd;

	sqe->fd = space;
	sqe->cmd_op = NVME_URING_CMD_IO;
	cmd->opcode = NVME_WRITE;
	cmd->nsid = 1;
	cmd->cdw12 = PAGE / BLOCK - 1;
	cmd->data_len = PAGE;
	cmd->addr = (uintptr_t)buffers[i];
}

static struct io_uring ring;

static void uring_begin(void)
{
	static bool begun;
	cpu_set_t one;
	int err;

	if (begun)
		return;
	begun = true;
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		fail("sched_setaffinity", errno);
	err = io_uring_queue_init(QUEUE_DEPTH, &ring, IORING_SETUP_SQE128 | IORING_SETUP_CQE32);
	if (err)
		fail("io_uring", -err);
}

static void submit(void (*prepare)(struct io_uring_sqe *, unsigned int), unsigned int i)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (!sqe)
		fail("io_uring_get_sqe", EBUSY);
	/* With SQE128, an entry is two of these. */
	memset(sqe, 0, 2 * sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->user_data = i;
	prepare(sqe, i);
}

static void run_uring(const char *name, void (*prepare)(struct io_uring_sqe *, unsigned int),
		      unsigned int n)
{
	unsigned int sent = 0, done = 0;
	struct io_uring_cqe *cqe;
	unsigned int head, seen;
	int err;

	uring_begin();
	for (; sent < QUEUE_DEPTH && sent < n; sent++)
		submit(prepare, sent);
	while (done < n) {
		err = io_uring_submit_and_wait(&ring, 1);
		if (err < 0)
			fail(name, -err);
		seen = 0;
		io_uring_for_each_cqe(&ring, head, cqe) {
			seen++;
			if (cqe->res < 0)
				fail(name, -cqe->res);
			if (sent < n) {
				submit(prepare, cqe->user_data);
				sent++;
			}
		}
		io_uring_cq_advance(&ring, seen);
		done += seen;
	}
}

/* ---- peers ---- */

struct peer {
	const char	*name;
	void		(*one)(void);
	void		(*prepare)(struct io_uring_sqe *sqe, unsigned int i);
};

/* Ours first, in each set. */
static const struct peer by_ioctl[] = {
	{ "hsm-nop", hsm_nop, NULL },
	{ "hsm-ping", hsm_ping, NULL },
	{ "nvme-admin", nvme_admin, NULL },
	{ "nvme-read", nvme_read, NULL },
	{ NULL, NULL, NULL },
};

static const struct peer by_uring[] = {
	{ "hsm-nop-uring", NULL, hsm_nop_uring },
	{ "hsm-ping-uring", NULL, hsm_uring },
	{ "nvme-admin-uring", NULL, nvme_admin_uring },
	{ "nvme-read-uring", NULL, nvme_read_uring },
	{ NULL, NULL, NULL },
};

static const struct peer by_device[] = {
	{ "hsm-null", NULL, hsm_nop_uring },
	{ "hsm-4k", NULL, hsm_page_uring },
	{ "nvme-null", NULL, nvme_admin_uring },
	{ "nvme-flush", NULL, nvme_flush_uring },
	{ "nvme-4k", NULL, nvme_page_uring },
	{ NULL, NULL, NULL },
};

static const struct {
	const char		*name;
	const struct peer	*peers;
} sets[] = {
	{ "ioctl", by_ioctl },
	{ "uring", by_uring },
	{ "device", by_device },
};

enum { MAX_PEERS = 5, SETS = sizeof(sets) / sizeof(sets[0]) };

static const struct peer *find(const struct peer *peers, const char *name)
{
	while (peers->name && strcmp(peers->name, name))
		peers++;
	return peers->name ? peers : NULL;
}

static void run(const struct peer *peer, unsigned int n)
{
	if (peer->prepare)
		run_uring(peer->name, peer->prepare, n);
	else
		while (n--)
			peer->one();
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Of the rounds, which others on the machine can make slower, but never faster. */
static double quartile(double *values, unsigned int n)
{
	qsort(values, n, sizeof(*values), compare);
	return values[n / 4];
}

/* Lines of: name, microseconds per command. */
static void in_turns(const struct peer *peers, unsigned int rounds, unsigned int n)
{
	static double took[MAX_PEERS][MAX_ROUNDS];
	double begun;

	for (unsigned int p = 0; peers[p].name; p++)
		run(&peers[p], n);
	for (unsigned int r = 0; r < rounds; r++)
		for (unsigned int p = 0; peers[p].name; p++) {
			begun = now();
			run(&peers[p], n);
			took[p][r] = (now() - begun) / n * 1e6;
		}
	for (unsigned int p = 0; peers[p].name; p++)
		printf("%s %.1f\n", peers[p].name, quartile(took[p], rounds));
}

static void usage(void)
{
	fprintf(stderr, "usage: nvme-peer ioctl | uring | device | only PEER "
		"[-c NODE] [-r ROUNDS] [-n COMMANDS]\n");
	exit(2);
}

int main(int argc, char **argv)
{
	const struct peer *only = NULL, *peers = NULL;
	const char *mode = argc > 1 ? argv[1] : "", *node = NULL;
	unsigned int rounds = 60, n = 100;
	int opt;

	optind = 2;
	for (unsigned int s = 0; s < SETS; s++) {
		if (!strcmp(mode, sets[s].name))
			peers = sets[s].peers;
		if (!strcmp(mode, "only") && argc > 2 && !only)
			only = find(sets[s].peers, argv[2]);
	}
	if (only)
		optind = 3;
	else if (!peers)
		usage();
	while ((opt = getopt(argc, argv, "c:r:n:")) != -1) {
		if (opt == 'c')
			node = optarg;
		else if (opt == 'r')
			rounds = atoi(optarg);
		else if (opt == 'n')
			n = atoi(optarg);
		else
			usage();
	}
	if (optind != argc || !rounds || rounds > MAX_ROUNDS)
		usage();

	if (!node)
		node = partition_node();
	card = node ? open(node, O_RDWR | O_CLOEXEC) : -1;
	if (card < 0)
		fail(node ? node : "a partition's node", node ? errno : ENOENT);
	nvme = open("/dev/nvme0", O_RDWR | O_CLOEXEC);
	space = open("/dev/ng0n1", O_RDWR | O_CLOEXEC);
	if (nvme < 0 || space < 0)
		fail("/dev/nvme0, /dev/ng0n1", errno);

	if (only)
		run(only, n);
	else
		in_turns(peers, rounds, n);
	return 0;
}
