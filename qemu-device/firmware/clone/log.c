// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a replica wants to know: same contents? What changed?
 */
#include <stdlib.h>
#include <string.h>

#include "core/ops.h"
#include "message/wire.h"

CK_RV op_digest(struct call *c)
{
	static const char name[16] = "pciehsm digest 1";
	uint8_t raw[sizeof(name) + 6 * 8], digest[PCIEHSM_DIGEST_LEN];
	uint8_t incarnation[INCARNATION_LEN];
	struct partition *p = c->part;
	struct fw_bytes part = { raw, sizeof(raw) };
	uint64_t seq, live, dead;
	unsigned int i;
	CK_RV rv;

	memcpy(raw, name, sizeof(name));
	pthread_rwlock_rdlock(&p->lock);
	live = p->table.live;
	dead = p->table.dead;
	seq = p->state.seq;
	for (i = 0; i < 4; i++)
		wire_put64(raw + 16 + 8 * i, p->table.sum[i]);
	memcpy(incarnation, p->state.incarnation, sizeof(incarnation));
	pthread_rwlock_unlock(&p->lock);
	wire_put64(raw + 48, live);
	wire_put64(raw + 56, dead);
	rv = fw_sha256(&part, 1, digest);
	if (rv != CKR_OK)
		return rv;
	answer_put(&c->out, PCIEHSM_F_DIGEST, digest, sizeof(digest));
	answer_u64(&c->out, PCIEHSM_F_SEQ, seq);
	answer_u32(&c->out, PCIEHSM_F_OBJECTS, (uint32_t)live);
	answer_u32(&c->out, PCIEHSM_F_TOMBSTONES, (uint32_t)dead);
	answer_put(&c->out, PCIEHSM_F_INCARNATION, incarnation, sizeof(incarnation));
	return CKR_OK;
}

static void put_change(uint8_t *p, const struct entry *e)
{
	uint32_t flags = 0, class = 0;

	if (!e->object)
		flags |= PCIEHSM_CHANGE_DELETED;
	else
		class = e->object->class;
	if (e->object && (e->object->flags & OBJ_PRIVATE))
		flags |= PCIEHSM_CHANGE_PRIVATE;
	wire_put64(p, e->seq);
	memcpy(p + 8, e->ouid, PCIEHSM_OUID_LEN);
	wire_put64(p + 24, e->version.counter);
	wire_put64(p + 32, e->version.writer);
	wire_put32(p + 40, flags);
	wire_put32(p + 44, class);
}

CK_RV op_changes(struct call *c)
{
	const size_t overhead = 2 * sizeof(struct pciehsm_field) + 8;
	const size_t entry_len = sizeof(struct pciehsm_change);
	uint64_t after = message_u64(&c->in, PCIEHSM_F_SEQ, 0), seq;
	size_t limit = message_u32(&c->in, PCIEHSM_F_LIMIT, 0);
	struct table *t = &c->part->table;
	size_t room, i, n = 0;
	struct entry *e;
	uint8_t *list;

	if (!limit)
		return CKR_ARGUMENTS_BAD;
	room = c->out.size - c->out.len;
	room = room > overhead ? (room - overhead) / entry_len : 0;
	if (limit > room)
		limit = room ? room : 1;
	list = malloc(limit * entry_len);
	if (!list)
		return CKR_HOST_MEMORY;
	pthread_rwlock_rdlock(&c->part->lock);
	for (i = table_log_after(t, after); i < t->log_count && n < limit; i++) {
		e = table_log_entry(t, i);
		if (e)
			put_change(list + n++ * entry_len, e);
	}
	seq = c->part->state.seq;
	pthread_rwlock_unlock(&c->part->lock);
	answer_put(&c->out, PCIEHSM_F_CHANGES, list, n * entry_len);
	answer_u64(&c->out, PCIEHSM_F_SEQ, seq);
	free(list);
	return CKR_OK;
}
