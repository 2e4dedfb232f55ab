// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * When a tombstone is not needed any more: what every peer has seen, nobody will bring
 * back. See "Tombstones" in <pciehsm/fw.h>.
 */
#include <stdlib.h>
#include <string.h>

#include "core/ops.h"
#include "message/wire.h"

static bool read_serial(struct call *c, uint64_t *serial)
{
	const uint8_t *text;
	uint64_t value = 0;
	size_t len, i;

	text = message_bytes(&c->in, PCIEHSM_F_SERIAL, &len);
	/* A partition's serial has at most 18 digits. */
	if (len < 1 || len > 18)
		return false;
	for (i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (text[i] - '0');
	}
	*serial = value;
	return value != 0;
}

static struct mark *find(struct partition_state *s, uint64_t serial)
{
	unsigned int i;

	for (i = 0; i < s->mark_count; i++)
		if (s->marks[i].serial == serial)
			return &s->marks[i];
	return NULL;
}

/* Sets, raises or takes away a mark. @changed: out: there is something to be stored. */
static CK_RV set_mark(struct partition_state *s, uint64_t serial, const uint64_t *seq,
		      bool *changed)
{
	struct mark *m = find(s, serial);

	*changed = false;
	if (!seq) {
		if (m) {
			*m = s->marks[--s->mark_count];
			*changed = true;
		}
		return CKR_OK;
	}
	if (*seq > s->seq)
		return CKR_ARGUMENTS_BAD;
	if (!m) {
		if (s->mark_count == PCIEHSM_PEERS_MAX)
			return PCIEHSM_CKR_CAPACITY;
		m = &s->marks[s->mark_count++];
		m->serial = serial;
		m->seq = *seq;
		*changed = true;
	} else if (*seq > m->seq || (!*seq && m->seq)) {
		m->seq = *seq;
		*changed = true;
	}
	return CKR_OK;
}

CK_RV op_replica_mark(struct call *c)
{
	bool has = message_has(&c->in, PCIEHSM_F_SEQ), changed;
	uint64_t seq = message_u64(&c->in, PCIEHSM_F_SEQ, 0), serial;
	struct change ch;
	CK_RV rv;

	if (!read_serial(c, &serial) || serial == c->part->serial)
		return CKR_ARGUMENTS_BAD;
	rv = change_begin(&ch, c->part);
	if (rv != CKR_OK)
		return rv;
	if (atomic_load(&c->part->epoch) != c->epoch)
		rv = CKR_USER_NOT_LOGGED_IN;
	else
		rv = set_mark(&ch.state, serial, has ? &seq : NULL, &changed);
	if (rv != CKR_OK || !changed) {
		change_abort(&ch);
		return rv;
	}
	return change_commit(&ch);
}

CK_RV op_replica_marks(struct call *c)
{
	uint8_t raw[PCIEHSM_PEERS_MAX * sizeof(struct pciehsm_mark)];
	struct partition *p = c->part;
	unsigned int i, count;
	uint64_t seq;

	pthread_rwlock_rdlock(&p->lock);
	count = p->state.mark_count;
	seq = p->state.seq;
	for (i = 0; i < count; i++) {
		wire_put64(raw + i * 16, p->state.marks[i].serial);
		wire_put64(raw + i * 16 + 8, p->state.marks[i].seq);
	}
	pthread_rwlock_unlock(&p->lock);
	answer_put(&c->out, PCIEHSM_F_MARKS, raw, count * sizeof(struct pciehsm_mark));
	answer_u64(&c->out, PCIEHSM_F_SEQ, seq);
	return CKR_OK;
}

/* Does the host mean the same peers as we do? */
static bool peers_agree(const struct partition_state *s, const uint8_t *serials, size_t count)
{
	unsigned int i, j;

	if (count != s->mark_count)
		return false;
	for (i = 0; i < s->mark_count; i++) {
		for (j = 0; j < count; j++)
			if (wire_get64(serials + j * 8) == s->marks[i].serial)
				break;
		if (j == count)
			return false;
	}
	return true;
}

static uint64_t seen_by_all(const struct partition_state *s)
{
	uint64_t seq = s->seq;
	unsigned int i;

	for (i = 0; i < s->mark_count; i++)
		if (s->marks[i].seq < seq)
			seq = s->marks[i].seq;
	return seq;
}

CK_RV op_tombstones_collect(struct call *c)
{
	uint32_t flags = message_u32(&c->in, PCIEHSM_F_FLAGS, 0), count = 0;
	const uint8_t *serials;
	struct change ch;
	uint64_t seq = 0;
	size_t len;
	CK_RV rv;

	serials = message_bytes(&c->in, PCIEHSM_F_SERIALS, &len);
	if ((flags & ~PCIEHSM_COLLECT_DRY) || len % 8)
		return CKR_ARGUMENTS_BAD;
	rv = answer_room(&c->out, 2, 16);
	if (rv == CKR_OK)
		rv = change_begin(&ch, c->part);
	if (rv != CKR_OK)
		return rv;
	if (atomic_load(&c->part->epoch) != c->epoch)
		rv = CKR_USER_NOT_LOGGED_IN;
	else if (!peers_agree(&ch.state, serials, len / 8))
		rv = PCIEHSM_CKR_PEERS;
	if (rv == CKR_OK) {
		ch.call = c;
		seq = seen_by_all(&ch.state);
		count = change_collect(&ch, seq);
	}
	if (rv != CKR_OK || !count || (flags & PCIEHSM_COLLECT_DRY)) {
		change_abort(&ch);
	} else {
		/* Within the change: no batch of before comes after it. */
		atomic_fetch_add(&c->part->collections, 1);
		rv = change_commit(&ch);
	}
	if (rv == CKR_OK) {
		answer_u32(&c->out, PCIEHSM_F_TOMBSTONES, count);
		answer_u64(&c->out, PCIEHSM_F_SEQ, seq);
	}
	return rv;
}
