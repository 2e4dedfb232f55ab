// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * many: thousands of contexts.
 *
 *   many NODE FILES
 *
 * Opens the node FILES times and makes the card know each of them, then closes them
 * all. Prints how many the card had room for. Exit status 1 if one is refused in
 * another way than ioctl.h says, if not all can be opened, or if one works after another
 * was refused (nothing is closed meanwhile).
 */
#include <sys/resource.h>

#include "common.h"

int main(int argc, char **argv)
{
	struct pciehsm_msg req = { .length = htole32(sizeof(req)), .op = htole32(PCIEHSM_OP_PING) };
	unsigned char answer[PCIEHSM_ANSWER_MIN];
	struct pciehsm_ioc_msg msg;
	struct rlimit limit;
	int i, n, err, room = 0;
	int *fds;

	n = argc == 3 ? atoi(argv[2]) : 0;
	if (n <= 0)
		return 2;
	limit.rlim_cur = limit.rlim_max = n + 100;
	fds = calloc(n, sizeof(*fds));
	if (!fds || setrlimit(RLIMIT_NOFILE, &limit))
		return 2;
	for (i = 0; i < n; i++) {
		fds[i] = open(argv[1], O_RDWR | O_CLOEXEC);
		if (fds[i] < 0) {
			fprintf(stderr, "many: file %d: %s\n", i, strerror(errno));
			return 1;
		}
		err = request_send(fds[i], &req, answer, sizeof(answer), NULL, &msg);
		if (!err && room == i) {
			room++;
		} else if (err != ENOMEM || msg.outcome != PCIEHSM_OUTCOME_NOT_EXECUTED) {
			fprintf(stderr, "many: message of file %d: %s, outcome %u\n", i,
				strerror(err), msg.outcome);
			return 1;
		}
	}
	for (i = 0; i < n; i++)
		close(fds[i]);
	printf("%d\n", room);
	return 0;
}
