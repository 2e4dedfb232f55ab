// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * confined: what a container reaches that was given one partition's node.
 *
 *   confined NODE OTHER...
 *
 * Runs as root of the container. NODE works; the OTHERs, which are there by name, can
 * not be opened, nor can a node be made for them. Through NODE nothing can be asked of the HSM,
 * and what another process has on the same partition (a login, an operation) is not
 * there. Prints what is otherwise; exit status 1 then.
 *
 *   confined -o NODE
 *
 * Outside: logs in on NODE and leaves an operation open in session SESSION. Prints "ready"
 * and waits for the end of its input.
 */
#include <sys/sysmacros.h>

#include "common.h"

enum { SESSION = 7 };

/* Of PKCS#11 */
enum {
	OK = 0,
	SHA256 = 0x250,
	OPERATION_NOT_INITIALIZED = 0x91,
	USER_NOT_LOGGED_IN = 0x101,
};

static struct request req;
static unsigned char answer[65536];
static int failed;

static void wrong(const char *what, const char *name, const char *how)
{
	printf("confined: %s %s: %s\n", what, name, how);
	failed = 1;
}

static uint32_t send_req(int fd)
{
	uint32_t rv;
	int err = request_send(fd, &req.hdr, answer, sizeof(answer), &rv, NULL);

	return err ? TRANSPORT(err) : rv;
}

static void expect(int fd, uint32_t want, const char *what)
{
	uint32_t rv = send_req(fd);

	if (rv != want) {
		printf("confined: %s: %#x instead of %#x\n", what, rv, want);
		failed = 1;
	}
}

/* Node files that were put there, and such that it makes by itself */
static void unreachable(const char *name)
{
	struct stat st;
	int fd;

	if (stat(name, &st)) {
		wrong("stat", name, strerror(errno));
		return;
	}
	fd = open(name, O_RDWR | O_CLOEXEC);
	if (fd >= 0 || errno != EPERM)
		wrong("open", name, fd >= 0 ? "can be opened" : strerror(errno));
	if (!mknod("/dev/made", S_IFCHR | 0600, st.st_rdev) || errno != EPERM)
		wrong("mknod", name, "can be made");
}

static void digest(uint32_t op, const char *data)
{
	request_init(&req, op);
	req.hdr.session = htole32(SESSION);
	request_add_u32(&req, PCIEHSM_F_FUNCTION, PCIEHSM_FN_DIGEST);
	if (op == PCIEHSM_OP_CRYPT_INIT)
		request_add_u32(&req, PCIEHSM_F_MECHANISM, SHA256);
	else
		request_add_text(&req, PCIEHSM_F_DATA, data);
}

static void login(uint32_t role, const char *pin)
{
	request_init(&req, PCIEHSM_OP_LOGIN);
	request_add_u32(&req, PCIEHSM_F_ROLE, role);
	request_add_text(&req, PCIEHSM_F_PIN, pin);
}

static int outside(const char *name)
{
	int fd = open(name, O_RDWR | O_CLOEXEC);
	char c;

	if (fd < 0)
		return 2;
	request_init(&req, PCIEHSM_OP_PARTITION_INIT);
	request_add_text(&req, PCIEHSM_F_LABEL, "confined");
	request_add_text(&req, PCIEHSM_F_PIN, PIN);
	request_add_text(&req, PCIEHSM_F_DOMAIN, "domain");
	expect(fd, OK, "PARTITION_INIT");
	login(PCIEHSM_ROLE_PO, PIN);
	expect(fd, OK, "LOGIN");
	digest(PCIEHSM_OP_CRYPT_INIT, NULL);
	expect(fd, OK, "CRYPT_INIT");
	digest(PCIEHSM_OP_CRYPT_UPDATE, "something");
	expect(fd, OK, "CRYPT_UPDATE");
	if (!failed)
		puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	/* It is still there for those that it belongs to. */
	digest(PCIEHSM_OP_CRYPT_UPDATE, "more");
	expect(fd, OK, "CRYPT_UPDATE at the end");
	return failed;
}

int main(int argc, char **argv)
{
	unsigned int i, bit;
	int fd, n;

	if (argc == 3 && !strcmp(argv[1], "-o"))
		return outside(argv[2]);
	if (argc < 3)
		return 2;
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (fd < 0 || ping(fd)) {
		wrong("use of", argv[1], strerror(errno));
		return 1;
	}
	for (n = 2; n < argc; n++)
		unreachable(argv[n]);

	/* Whatever is the HSM's: all numbers there are, with and without PCIEHSM_OP_WRITE */
	for (i = 0; i < 0x1000; i++) {
		for (bit = 0; bit < 2; bit++) {
			request_init(&req, PCIEHSM_OPC_H(i) | (bit ? PCIEHSM_OP_WRITE : 0));
			if (send_req(fd) == TRANSPORT(EACCES))
				continue;
			printf("confined: operation %#x of the HSM is not refused\n", i);
			failed = 1;
		}
	}
	request_init(&req, PCIEHSM_OP_ROLE_INIT);
	request_add_u32(&req, PCIEHSM_F_ROLE, PCIEHSM_ROLE_CO);
	request_add_text(&req, PCIEHSM_F_PIN, PIN);
	expect(fd, USER_NOT_LOGGED_IN, "somebody else's login");
	digest(PCIEHSM_OP_CRYPT_UPDATE, "mine");
	expect(fd, OPERATION_NOT_INITIALIZED, "somebody else's operation");
	return failed;
}
