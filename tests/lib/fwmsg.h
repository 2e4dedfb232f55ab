/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Building and reading messages of <pciehsm/fw.h> in tests, without any library of ours
 * in between: what a test sends is what it says, right or wrong.
 *
 *	struct fwmsg m;
 *
 *	fwmsg_begin(&m, PCIEHSM_OP_LOGIN, 0);
 *	fwmsg_u32(&m, PCIEHSM_F_ROLE, PCIEHSM_ROLE_CO);
 *	fwmsg_bytes(&m, PCIEHSM_F_PIN, "password", 8);
 *	assert_int_equal(fwmsg_run(&m, fw, partition, context), CKR_OK);
 *	flags = fwmsg_get_u32(&m, PCIEHSM_F_FLAGS);
 *
 * The same struct holds the answer. fwmsg_free() ends it. Memory errors abort.
 */
#ifndef PCIEHSM_TESTS_FWMSG_H
#define PCIEHSM_TESTS_FWMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pciehsm-firmware.h>
#include <pciehsm/fw.h>

/**
 * struct fwmsg - a request and its answer
 * @in:		the request
 * @in_len:	its bytes
 * @out:	the answer
 * @out_len:	its bytes, 0 if there was none
 * @out_size:	room that the answer gets; fwmsg_begin() sets all there can be, a
 *		test may lower it
 * @status:	what became of it
 * @template_at: where the open template's field began
 */
struct fwmsg {
	uint8_t			*in;
	size_t			in_len;
	size_t			in_room;
	uint8_t			*out;
	size_t			out_len;
	size_t			out_size;
	enum hsm_fw_status	status;
	size_t			template_at;
};

/* What fwmsg_run() gives when there was no answer: this plus the status. */
#define FWMSG_NO_ANSWER		0xffff0000UL

/** fwmsg_begin() - begin a request; what @m held must have been freed, or never used */
void fwmsg_begin(struct fwmsg *m, uint32_t op, uint32_t session);
void fwmsg_free(struct fwmsg *m);

/* Fields */
void fwmsg_bytes(struct fwmsg *m, uint16_t id, const void *data, size_t len);
void fwmsg_text(struct fwmsg *m, uint16_t id, const char *text);
void fwmsg_u32(struct fwmsg *m, uint16_t id, uint32_t value);
void fwmsg_u64(struct fwmsg *m, uint16_t id, uint64_t value);

/* A template field: open, attributes, close */
void fwmsg_template(struct fwmsg *m, uint16_t id);
void fwmsg_attr(struct fwmsg *m, uint32_t type, const void *value, size_t len);
void fwmsg_attr_bool(struct fwmsg *m, uint32_t type, bool value);
void fwmsg_attr_ulong(struct fwmsg *m, uint32_t type, uint64_t value);
void fwmsg_attr_text(struct fwmsg *m, uint32_t type, const char *text);
void fwmsg_template_end(struct fwmsg *m);

/**
 * fwmsg_run() - have the card work on it, in this thread
 *
 * Return: the answer's rv, or FWMSG_NO_ANSWER + status. The answer is checked to be well
 * formed; aborts if it is not.
 */
unsigned long fwmsg_run(struct fwmsg *m, struct hsm_fw *fw, uint32_t partition, uint32_t context);

/* Reading the answer */
/** fwmsg_get() - data of a field, NULL if it is not there */
const uint8_t *fwmsg_get(const struct fwmsg *m, uint16_t id, size_t *len);
bool fwmsg_has(const struct fwmsg *m, uint16_t id);
/* These abort if the field is not there or of another length. */
uint32_t fwmsg_get_u32(const struct fwmsg *m, uint16_t id);
uint64_t fwmsg_get_u64(const struct fwmsg *m, uint16_t id);

/** fwmsg_get_attr() - the @n-th attribute of the answer's template; returns its len field */
uint32_t fwmsg_get_attr(const struct fwmsg *m, unsigned int n, uint32_t *type,
			const uint8_t **value);

/* Every answer of every fwmsg_run() goes by here, if it is set: to look for secrets. */
extern void (*fwmsg_tap)(const void *data, size_t len);

#endif /* PCIEHSM_TESTS_FWMSG_H */
