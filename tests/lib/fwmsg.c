// SPDX-License-Identifier: GPL-2.0-or-later
#include "fwmsg.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void (*fwmsg_tap)(const void *data, size_t len);

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "# fwmsg: %s\n", what);
	abort();
}

static uint8_t *append(struct fwmsg *m, size_t len)
{
	size_t padded = (len + 7) & ~(size_t)7;

	if (m->in_len + padded > m->in_room) {
		m->in_room = 2 * (m->in_len + padded) + 256;
		m->in = realloc(m->in, m->in_room);
		need(m->in, "no memory");
	}
	memset(m->in + m->in_len, 0, padded);
	m->in_len += padded;
	return m->in + m->in_len - padded;
}

static void put32(uint8_t *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, 4);
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return le32toh(v);
}

void fwmsg_begin(struct fwmsg *m, uint32_t op, uint32_t session)
{
	uint8_t *p;

	memset(m, 0, sizeof(*m));
	m->out_size = PCIEHSM_MSG_MAX;
	p = append(m, sizeof(struct pciehsm_msg));
	put32(p + 4, op);
	put32(p + 8, session);
}

void fwmsg_free(struct fwmsg *m)
{
	free(m->in);
	free(m->out);
	memset(m, 0, sizeof(*m));
}

void fwmsg_bytes(struct fwmsg *m, uint16_t id, const void *data, size_t len)
{
	uint8_t *p = append(m, sizeof(struct pciehsm_field));

	put32(p, id);
	put32(p + 4, (uint32_t)len);
	p = append(m, len);
	if (len)
		memcpy(p, data, len);
}

void fwmsg_text(struct fwmsg *m, uint16_t id, const char *text)
{
	fwmsg_bytes(m, id, text, strlen(text));
}

void fwmsg_u32(struct fwmsg *m, uint16_t id, uint32_t value)
{
	value = htole32(value);
	fwmsg_bytes(m, id, &value, sizeof(value));
}

void fwmsg_u64(struct fwmsg *m, uint16_t id, uint64_t value)
{
	value = htole64(value);
	fwmsg_bytes(m, id, &value, sizeof(value));
}

void fwmsg_template(struct fwmsg *m, uint16_t id)
{
	m->template_at = m->in_len;
	fwmsg_bytes(m, id, NULL, 0);
}

void fwmsg_attr(struct fwmsg *m, uint32_t type, const void *value, size_t len)
{
	uint8_t *p = append(m, sizeof(struct pciehsm_attr));

	put32(p, type);
	put32(p + 4, (uint32_t)len);
	p = append(m, len);
	if (len)
		memcpy(p, value, len);
}

void fwmsg_attr_bool(struct fwmsg *m, uint32_t type, bool value)
{
	uint8_t raw = value;

	fwmsg_attr(m, type, &raw, 1);
}

void fwmsg_attr_ulong(struct fwmsg *m, uint32_t type, uint64_t value)
{
	value = htole64(value);
	fwmsg_attr(m, type, &value, sizeof(value));
}

void fwmsg_attr_text(struct fwmsg *m, uint32_t type, const char *text)
{
	fwmsg_attr(m, type, text, strlen(text));
}

void fwmsg_template_end(struct fwmsg *m)
{
	put32(m->in + m->template_at + 4,
	      (uint32_t)(m->in_len - m->template_at - sizeof(struct pciehsm_field)));
}

/* An answer that is not exactly what fw.h describes is a failure by itself. */
static void check_answer(const struct fwmsg *m)
{
	size_t at = sizeof(struct pciehsm_msg), len, padded;

	need(m->out_len >= at && m->out_len <= m->out_size, "answer's length");
	need(get32(m->out) == m->out_len, "answer's length field");
	need(get32(m->out + 4) == get32(m->in + 4), "answer's op");
	need(get32(m->out + 8) == get32(m->in + 8), "answer's session");
	while (at < m->out_len) {
		need(m->out_len - at >= sizeof(struct pciehsm_field), "answer's field header");
		need(m->out[at + 2] == 0 && m->out[at + 3] == 0, "answer's reserved bytes");
		len = get32(m->out + at + 4);
		padded = (len + 7) & ~(size_t)7;
		at += sizeof(struct pciehsm_field);
		need(padded <= m->out_len - at, "answer's field length");
		for (; len < padded; len++)
			need(m->out[at + len] == 0, "answer's padding");
		at += padded;
	}
}

unsigned long fwmsg_run(struct fwmsg *m, struct hsm_fw *fw, uint32_t partition, uint32_t context)
{
	struct hsm_fw_request req = { .partition = partition, .context = context };

	put32(m->in, (uint32_t)m->in_len);
	free(m->out);
	/* Exactly as much as is promised: a sanitizer sees what goes beyond. */
	m->out = malloc(m->out_size ? m->out_size : 1);
	need(m->out, "no memory");
	memset(m->out, 0xa5, m->out_size);
	req.in = m->in;
	req.in_len = m->in_len;
	req.out = m->out;
	req.out_size = m->out_size;
	hsm_fw_execute(fw, &req);
	m->out_len = req.out_len;
	m->status = req.status;
	if (fwmsg_tap)
		fwmsg_tap(m->out, m->out_size);
	if (req.status != HSM_FW_ANSWERED) {
		need(m->out_len == 0, "an answer's length without an answer");
		return FWMSG_NO_ANSWER + req.status;
	}
	check_answer(m);
	return get32(m->out + 12);
}

const uint8_t *fwmsg_get(const struct fwmsg *m, uint16_t id, size_t *len)
{
	size_t at = sizeof(struct pciehsm_msg), n;

	while (at < m->out_len) {
		n = get32(m->out + at + 4);
		if ((get32(m->out + at) & 0xffff) == id) {
			if (len)
				*len = n;
			return m->out + at + sizeof(struct pciehsm_field);
		}
		at += sizeof(struct pciehsm_field) + ((n + 7) & ~(size_t)7);
	}
	if (len)
		*len = 0;
	return NULL;
}

bool fwmsg_has(const struct fwmsg *m, uint16_t id)
{
	return fwmsg_get(m, id, NULL) != NULL;
}

uint32_t fwmsg_get_u32(const struct fwmsg *m, uint16_t id)
{
	size_t len;
	const uint8_t *p = fwmsg_get(m, id, &len);

	need(p && len == 4, "u32 field in the answer");
	return get32(p);
}

uint64_t fwmsg_get_u64(const struct fwmsg *m, uint16_t id)
{
	size_t len;
	const uint8_t *p = fwmsg_get(m, id, &len);
	uint64_t v;

	need(p && len == 8, "u64 field in the answer");
	memcpy(&v, p, 8);
	return le64toh(v);
}

uint32_t fwmsg_get_attr(const struct fwmsg *m, unsigned int n, uint32_t *type,
			const uint8_t **value)
{
	size_t len, at = 0;
	const uint8_t *p = fwmsg_get(m, PCIEHSM_F_TEMPLATE, &len);
	uint32_t attr_len;

	need(p, "template in the answer");
	for (;;) {
		need(at + 8 <= len, "attribute in the answer");
		attr_len = get32(p + at + 4);
		if (type)
			*type = get32(p + at);
		if (value)
			*value = p + at + 8;
		if (!n--)
			return attr_len;
		at += 8;
		if (attr_len < PCIEHSM_ATTR_SENSITIVE)
			at += (attr_len + 7) & ~7U;
	}
}
