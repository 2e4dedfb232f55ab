// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * partition: make or delete one on a card that "prepare" has initialised.
 *
 *   partition create NODE		prints its number when it is there
 *   partition delete NODE NUMBER
 *
 * NODE is the card's.
 */
#include "common.h"

int main(int argc, char **argv)
{
	uint32_t number, rv;
	int fd;

	if (argc < 3 || (argc > 3) != !strcmp(argv[1], "delete"))
		return 2;
	fd = open(argv[2], O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		printf("partition: %s: %s\n", argv[2], strerror(errno));
		return 1;
	}
	rv = so_login(fd);
	if (!rv && argc > 3) {
		rv = partition_delete(fd, strtoul(argv[3], NULL, 10));
	} else if (!rv) {
		rv = partition_create(fd, &number);
		if (!rv)
			printf("%u\n", number);
	}
	if (rv)
		printf("partition: %s: result %#x\n", argv[1], rv);
	return !!rv;
}
