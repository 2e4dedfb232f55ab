// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * slow: commands that take the card long, and that it reports progress of.
 *
 *   slow MS NODE
 *
 * Lets the partition generate RSA keys of 4096 bits, more and more at once, so that
 * each of them waits for those before it in the card, until one has taken longer than MS
 * from its call to its answer. Prints how long. Exit status 1 at the first error, or if
 * the card is too fast for that. Those that are still in flight then are left behind.
 */
#include <pthread.h>
#include <sys/random.h>

#include "common.h"

/* As many as there are slots in a queue of the default depth */
enum { MOST = 60, PATIENCE = 600 };

/* Of PKCS#11 */
enum {
	RSA_PKCS_KEY_PAIR_GEN = 0,
	USER_PIN_NOT_INITIALIZED = 0x102,
	TOKEN = 0x001,
	SIGN = 0x108,
	VERIFY = 0x10a,
	MODULUS_BITS = 0x121,
};

static int fd;
static unsigned int limit;
static atomic_uint running, done;

static void fail(const char *what, int err, uint32_t rv)
{
	if (err)
		printf("slow: %s: %s\n", what, strerror(err));
	else
		printf("slow: %s: result %#x\n", what, rv);
	fflush(stdout);
	_exit(1);
}

static uint32_t role_pin(uint32_t op, uint32_t role, const char *pin, const char *new_pin)
{
	static struct request req;
	unsigned char answer[PCIEHSM_ANSWER_MIN];
	uint32_t rv;
	int err;

	request_init(&req, op);
	request_add_u32(&req, PCIEHSM_F_ROLE, role);
	request_add_text(&req, PCIEHSM_F_PIN, pin);
	if (new_pin)
		request_add_text(&req, PCIEHSM_F_NEW_PIN, new_pin);
	err = request_send(fd, &req.hdr, answer, sizeof(answer), &rv, NULL);
	if (err)
		fail("login", err, 0);
	return rv;
}

/* A fresh partition, up to a Crypto Officer who has the password PIN */
static void initialise(void)
{
	static struct request req;
	unsigned char answer[PCIEHSM_ANSWER_MIN];
	uint32_t rv;
	int err;

	request_init(&req, PCIEHSM_OP_PARTITION_INIT);
	request_add_text(&req, PCIEHSM_F_LABEL, "slow");
	request_add_text(&req, PCIEHSM_F_PIN, PIN);
	request_add_text(&req, PCIEHSM_F_DOMAIN, "domain");
	err = request_send(fd, &req.hdr, answer, sizeof(answer), &rv, NULL);
	if (err || rv)
		fail("PARTITION_INIT", err, rv);
	rv = role_pin(PCIEHSM_OP_LOGIN, PCIEHSM_ROLE_PO, PIN, NULL);
	if (rv)
		fail("LOGIN of the Partition SO", 0, rv);
	rv = role_pin(PCIEHSM_OP_ROLE_INIT, PCIEHSM_ROLE_CO, PIN "-first", NULL);
	if (rv)
		fail("ROLE_INIT", 0, rv);
	request_init(&req, PCIEHSM_OP_LOGOUT);
	err = request_send(fd, &req.hdr, answer, sizeof(answer), &rv, NULL);
	if (err || rv)
		fail("LOGOUT", err, rv);
	rv = role_pin(PCIEHSM_OP_ROLE_SET_PIN, PCIEHSM_ROLE_CO, PIN "-first", PIN);
	if (rv)
		fail("ROLE_SET_PIN", 0, rv);
}

static unsigned int add_attr(unsigned char *to, uint32_t type, uint64_t value, uint32_t len)
{
	struct pciehsm_attr attr = { .type = htole32(type), .len = htole32(len) };

	value = htole64(value);
	memcpy(to, &attr, sizeof(attr));
	memcpy(to + sizeof(attr), &value, sizeof(value));
	return sizeof(attr) + sizeof(value);
}

static void *generate(void *arg)
{
	struct request *req = malloc(sizeof(*req));
	unsigned char *answer = malloc(65536), public[64], private[64], ouid[2][16];
	unsigned int n;
	uint32_t rv = 0;
	double begun;
	int err;

	(void)arg;
	if (!req || !answer)
		fail("memory", ENOMEM, 0);
	for (;;) {
		if (getrandom(ouid, sizeof(ouid), 0) != sizeof(ouid))
			fail("getrandom", errno, 0);
		request_init(req, PCIEHSM_OP_GENERATE_KEY_PAIR);
		request_add_u32(req, PCIEHSM_F_MECHANISM, RSA_PKCS_KEY_PAIR_GEN);
		request_add(req, PCIEHSM_F_OUID, ouid[0], sizeof(ouid[0]));
		request_add(req, PCIEHSM_F_OUID2, ouid[1], sizeof(ouid[1]));
		n = add_attr(public, TOKEN, 0, 1);
		n += add_attr(public + n, VERIFY, 1, 1);
		n += add_attr(public + n, MODULUS_BITS, 4096, 8);
		request_add(req, PCIEHSM_F_TEMPLATE, public, n);
		n = add_attr(private, TOKEN, 0, 1);
		n += add_attr(private + n, SIGN, 1, 1);
		request_add(req, PCIEHSM_F_TEMPLATE2, private, n);
		begun = now();
		err = request_send(fd, &req->hdr, answer, 65536, &rv, NULL);
		if (err || rv)
			fail("GENERATE_KEY_PAIR", err, rv);
		if ((now() - begun) * 1000 > limit) {
			printf("%.0f ms, with %u at once\n", (now() - begun) * 1000, running);
			fflush(stdout);
			_exit(0);
		}
		atomic_fetch_add(&done, 1);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	double begun;
	uint32_t rv;

	if (argc != 3)
		return 2;
	limit = atoi(argv[1]);
	fd = open(argv[2], O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail(argv[2], errno, 0);
	rv = role_pin(PCIEHSM_OP_LOGIN, PCIEHSM_ROLE_CO, PIN, NULL);
	if (rv == USER_PIN_NOT_INITIALIZED) {
		initialise();
		rv = role_pin(PCIEHSM_OP_LOGIN, PCIEHSM_ROLE_CO, PIN, NULL);
	}
	if (rv)
		fail("LOGIN of the Crypto Officer", 0, rv);
	/* One more whenever one has ended, and eight to begin with. */
	for (begun = now(); now() - begun < PATIENCE; usleep(10000)) {
		while (running < MOST && running < 8 + done) {
			atomic_fetch_add(&running, 1);
			if (pthread_create(&thread, NULL, generate, NULL))
				fail("thread", EAGAIN, 0);
		}
	}
	printf("slow: the card is too fast: %u keys, and none took %u ms\n", done, limit);
	return 1;
}
