/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the driver share: nodes, messages, fields. */
#ifndef COMMON_H
#define COMMON_H

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <pciehsm/fw.h>
#include <pciehsm/hw.h>
#include <pciehsm/ioctl.h>

#define CARD_NODE	"/dev/hsm0"
#define PIN		"kselftest-so-password"
#define MEBI		(1U << 20)

/* The first partition's node, or NULL. */
static inline const char *partition_node(void)
{
	static char name[64];
	glob_t found = { 0 };

	name[0] = 0;
	if (!glob("/dev/hsm0p*", 0, NULL, &found))
		snprintf(name, sizeof(name), "%s", found.gl_pathv[0]);
	globfree(&found);
	return name[0] ? name : NULL;
}

/* The greatest message that a test builds is 1 MiB. */
struct request {
	struct pciehsm_msg	hdr;
	unsigned char		body[MEBI - sizeof(struct pciehsm_msg)];
};

static inline void request_init(struct request *req, uint32_t op)
{
	memset(&req->hdr, 0, sizeof(req->hdr));
	req->hdr.length = htole32(sizeof(req->hdr));
	req->hdr.op = htole32(op);
}

static inline void request_add(struct request *req, uint16_t id, const void *data, uint32_t len)
{
	uint32_t at = le32toh(req->hdr.length) - sizeof(req->hdr), padded = (len + 7) & ~7U;
	struct pciehsm_field field = { .id = htole16(id), .len = htole32(len) };

	memcpy(req->body + at, &field, sizeof(field));
	memset(req->body + at + sizeof(field), 0, padded);
	memcpy(req->body + at + sizeof(field), data, len);
	req->hdr.length = htole32(sizeof(req->hdr) + at + sizeof(field) + padded);
}

static inline void request_add_u32(struct request *req, uint16_t id, uint32_t value)
{
	value = htole32(value);
	request_add(req, id, &value, sizeof(value));
}

static inline void request_add_text(struct request *req, uint16_t id, const char *text)
{
	request_add(req, id, text, strlen(text));
}

/* The number in a field of an answer, or 0. */
static inline uint32_t answer_u32(const void *answer, uint16_t id)
{
	const struct pciehsm_msg *hdr = answer;
	const unsigned char *p = answer, *end = p + le32toh(hdr->length);
	struct pciehsm_field field;
	uint32_t value;

	for (p += sizeof(*hdr); p + sizeof(field) <= end;
	     p += sizeof(field) + ((le32toh(field.len) + 7) & ~7U)) {
		memcpy(&field, p, sizeof(field));
		if (le16toh(field.id) == id && le32toh(field.len) == sizeof(value)) {
			memcpy(&value, p + sizeof(field), sizeof(value));
			return le32toh(value);
		}
	}
	return 0;
}

/*
 * Send a request. Returns 0, with the answer's result in @rv, or the errno. @arg, if
 * given, is left as the driver has left it.
 */
static inline int request_send(int fd, const struct pciehsm_msg *req, void *answer,
			       uint32_t room, uint32_t *rv, struct pciehsm_ioc_msg *arg)
{
	struct pciehsm_ioc_msg msg = {
		.size	= sizeof(msg),
		.in	= (uintptr_t)req,
		.out	= (uintptr_t)answer,
		.in_len	= le32toh(req->length),
		.out_len = room,
		.outcome = 77,
	};
	int ret = ioctl(fd, PCIEHSM_IOC_MSG, &msg) ? errno : 0;

	if (arg)
		*arg = msg;
	if (!ret && rv)
		*rv = le32toh(((struct pciehsm_msg *)answer)->rv);
	return ret;
}

static inline int ping(int fd)
{
	struct pciehsm_msg req = { .length = htole32(sizeof(req)),
				   .op = htole32(PCIEHSM_OP_PING) };
	unsigned char answer[PCIEHSM_ANSWER_MIN];

	return request_send(fd, &req, answer, sizeof(answer), NULL, NULL);
}

static inline double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* Note what the driver promises at most for one call on this file, if it is more. */
static inline void note_bound(int fd, atomic_uint *bound)
{
	struct pciehsm_ioc_info info = { .size = sizeof(info) };
	unsigned int ms, old = *bound;

	if (ioctl(fd, PCIEHSM_IOC_INFO, &info))
		return;
	ms = info.timeout_ms + info.recovery_ms;
	while (ms > old && !atomic_compare_exchange_weak(bound, &old, ms))
		;
}

/* As Security Officer, through an open card node. Return a CKR_* or 0x1000000 + errno. */
#define TRANSPORT(e)	(0x1000000U + (e))

static inline uint32_t so_login(int fd)
{
	static __thread struct request req;
	unsigned char answer[PCIEHSM_ANSWER_MIN];
	uint32_t rv;
	int err;

	request_init(&req, PCIEHSM_OP_LOGIN);
	request_add_u32(&req, PCIEHSM_F_ROLE, PCIEHSM_ROLE_SO);
	request_add_text(&req, PCIEHSM_F_PIN, PIN);
	err = request_send(fd, &req.hdr, answer, sizeof(answer), &rv, NULL);
	return err ? TRANSPORT(err) : rv;
}

static inline uint32_t partition_create(int fd, uint32_t *number)
{
	static __thread struct request req;
	unsigned char answer[PCIEHSM_ANSWER_MIN];
	uint32_t rv;
	int err;

	request_init(&req, PCIEHSM_OP_PARTITION_CREATE);
	err = request_send(fd, &req.hdr, answer, sizeof(answer), &rv, NULL);
	if (!err && !rv)
		*number = answer_u32(answer, PCIEHSM_F_NUMBER);
	return err ? TRANSPORT(err) : rv;
}

static inline uint32_t partition_delete(int fd, uint32_t number)
{
	static __thread struct request req;
	unsigned char answer[PCIEHSM_ANSWER_MIN];
	uint32_t rv;
	int err;

	request_init(&req, PCIEHSM_OP_PARTITION_DELETE);
	request_add_u32(&req, PCIEHSM_F_NUMBER, number);
	err = request_send(fd, &req.hdr, answer, sizeof(answer), &rv, NULL);
	return err ? TRANSPORT(err) : rv;
}

#endif /* COMMON_H */
