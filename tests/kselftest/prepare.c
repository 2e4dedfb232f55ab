// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * prepare: bring a blank card into the state that the tests expect: initialised, and
 * with one partition. Does nothing to a card that has a partition.
 */
#include "common.h"

static int fail(const char *what, uint32_t rv)
{
	if (rv > TRANSPORT(0) && rv < TRANSPORT(4096))
		fprintf(stderr, "prepare: %s: %s\n", what, strerror(rv - TRANSPORT(0)));
	else
		fprintf(stderr, "prepare: %s: result %#x\n", what, rv);
	return 1;
}

int main(void)
{
	static struct request req;
	unsigned char answer[PCIEHSM_ANSWER_MIN];
	uint32_t rv, number;
	int fd, err, tries;

	if (partition_node())
		return 0;
	fd = open(CARD_NODE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fail(CARD_NODE, TRANSPORT(errno));
	request_init(&req, PCIEHSM_OP_HSM_INIT);
	request_add_text(&req, PCIEHSM_F_LABEL, "kselftest");
	request_add_text(&req, PCIEHSM_F_PIN, PIN);
	err = request_send(fd, &req.hdr, answer, sizeof(answer), &rv, NULL);
	if (err || rv)
		return fail("HSM_INIT", err ? TRANSPORT(err) : rv);
	rv = so_login(fd);
	if (rv)
		return fail("LOGIN", rv);
	rv = partition_create(fd, &number);
	if (rv)
		return fail("PARTITION_CREATE", rv);
	for (tries = 0; !partition_node(); tries++) {
		if (tries == 1200)
			return fail("the partition's node", TRANSPORT(ETIMEDOUT));
		usleep(100000);
	}
	return 0;
}
