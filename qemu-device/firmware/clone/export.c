// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The source's side: objects into sealed batches.
 */
#include <stdlib.h>
#include <string.h>

#include "clone/clone.h"
#include "core/ops.h"
#include "message/template.h"
#include "message/wire.h"

#define RECORD_LEN	sizeof(struct pciehsm_clone_record)
#define RESULT_LEN	sizeof(struct pciehsm_clone_result)
/* What a blob is longer than its records, the batch's own head aside */
#define BLOB_OVERHEAD	(sizeof(struct pciehsm_blob) + FW_CHANNEL_OVERHEAD)
/* A blob and what else the message that imports it holds must fit into one. */
#define PLAIN_MAX	(PCIEHSM_MSG_MAX - sizeof(struct pciehsm_msg) - \
			 3 * sizeof(struct pciehsm_field) - BLOB_OVERHEAD - 8)

/**
 * struct batch - a batch under construction
 * @plain:	struct pciehsm_batch and records; a secret
 * @len:	bytes of them
 * @size:	room for them
 * @results:	one for each OUID that was dealt with
 * @count:	of them
 * @records:	how many objects and tombstones are in it
 * @room:	of the answer
 */
struct batch {
	uint8_t		*plain;
	size_t		len;
	size_t		size;
	uint8_t		*results;
	size_t		count;
	size_t		records;
	size_t		room;
};

/* An object at one moment */
struct source {
	struct object	*object;
	bool		deleted;
	struct version	version;
};

static bool find(struct call *c, const uint8_t *ouid, struct source *s)
{
	struct entry *e;

	memset(s, 0, sizeof(*s));
	pthread_rwlock_rdlock(&c->part->lock);
	e = table_find(&c->part->table, ouid);
	if (e) {
		s->deleted = !e->object;
		s->object = e->object ? object_get(e->object) : NULL;
		s->version = e->version;
	}
	pthread_rwlock_unlock(&c->part->lock);
	if (e)
		return true;
	pthread_mutex_lock(&c->ctx->lock);
	e = table_find(&c->ctx->objects, ouid);
	if (e) {
		s->object = object_get(e->object);
		s->version = e->version;
	}
	pthread_mutex_unlock(&c->ctx->lock);
	return e != NULL;
}

/* Bytes of the answer with @plain bytes of records and @count results */
static size_t answer_len(size_t plain, size_t count)
{
	return 2 * sizeof(struct pciehsm_field) + wire_pad(plain + BLOB_OVERHEAD) +
	       count * RESULT_LEN;
}

/* Adds a record if there is room; @need: bytes of the answer that it takes. */
static bool add_record(struct batch *b, const uint8_t *ouid, const struct source *s, size_t *need)
{
	size_t len = s->object ? attrs_encoded_len(&s->object->attrs) : 0;
	uint8_t *p = b->plain + b->len;
	uint32_t flags = 0;

	*need = answer_len(b->len + RECORD_LEN + len, b->count + 1);
	if (*need > b->room || b->len + RECORD_LEN + len > b->size)
		return false;
	if (s->deleted)
		flags |= PCIEHSM_CHANGE_DELETED;
	else if (!(s->object->flags & OBJ_TOKEN))
		flags |= PCIEHSM_RECORD_SESSION;
	memcpy(p, ouid, PCIEHSM_OUID_LEN);
	wire_put64(p + 16, s->version.counter);
	wire_put64(p + 24, s->version.writer);
	wire_put32(p + 32, flags);
	wire_put32(p + 36, (uint32_t)len);
	if (len)
		attrs_encode(&s->object->attrs, p + RECORD_LEN);
	b->len += RECORD_LEN + len;
	b->records++;
	return true;
}

/* Deals with one OUID; false: it did not fit any more. */
static bool add(struct call *c, struct batch *b, const struct clone_rules *rules,
		const uint8_t *ouid, size_t *need)
{
	struct source s;
	CK_RV rv = CKR_OK;
	bool fits;

	if (!find(c, ouid, &s))
		rv = CKR_OBJECT_HANDLE_INVALID;
	else if (s.object && !clone_allowed(rules, s.object->class))
		rv = PCIEHSM_CKR_NOT_CLONABLE;
	if (rv == CKR_OK) {
		fits = add_record(b, ouid, &s, need);
	} else {
		*need = answer_len(b->len, b->count + 1);
		fits = *need <= b->room;
	}
	object_put(s.object);
	if (fits)
		clone_put_result(b->results + b->count++ * RESULT_LEN, ouid, rv);
	return fits;
}

static CK_RV collect(struct call *c, struct batch *b, const uint8_t *ouids, size_t count)
{
	struct clone_rules rules = clone_rules(c);
	size_t i, need = 0;

	wire_put32(b->plain, clone_policies(c));
	wire_put32(b->plain + 4, 0);
	b->len = sizeof(struct pciehsm_batch);
	for (i = 0; i < count; i++) {
		if (!add(c, b, &rules, ouids + i * PCIEHSM_OUID_LEN, &need))
			break;
		if (!call_step(c))
			return CKR_FUNCTION_CANCELED;
	}
	if (b->count)
		return CKR_OK;
	c->out.need = c->out.len + need;
	return CKR_BUFFER_TOO_SMALL;
}

/* From here on the sequence of the channel has moved. */
static CK_RV seal(struct call *c, struct channel *ch, struct batch *b)
{
	struct fw_bytes plain = { b->plain, b->len };
	size_t len = 0;
	uint8_t *out;
	CK_RV rv = CKR_OK;

	/* Where there is nothing to be said, no number is used up. */
	out = answer_open(&c->out, PCIEHSM_F_BLOB, b->records ? b->len + BLOB_OVERHEAD : 0);
	if (!out)
		return CKR_BUFFER_TOO_SMALL;
	if (b->records) {
		rv = fw_channel_seal(ch->crypto, plain, out + sizeof(struct pciehsm_blob), &len);
		if (rv != CKR_OK) {
			ch->open = false;
			return rv;
		}
		wire_put64(out, ++ch->seq);
		wire_put64(out + 8, len);
		len += sizeof(struct pciehsm_blob);
	}
	answer_close(&c->out, len);
	answer_put(&c->out, PCIEHSM_F_RESULTS, b->results, b->count * RESULT_LEN);
	partition_count(c->part, PCIEHSM_STAT_CLONED_OUT, b->records);
	return CKR_OK;
}

static CK_RV export(struct call *c, struct channel *ch)
{
	struct batch b = { 0 };
	const uint8_t *ouids;
	size_t count;
	CK_RV rv;

	ouids = message_bytes(&c->in, PCIEHSM_F_OUIDS, &count);
	count /= PCIEHSM_OUID_LEN;
	if (clone_duplicates(ouids, count, PCIEHSM_OUID_LEN))
		return CKR_ARGUMENTS_BAD;
	b.room = c->out.size - c->out.len;
	b.size = b.room < PLAIN_MAX ? b.room : PLAIN_MAX;
	b.size = b.size > sizeof(struct pciehsm_batch) ? b.size : sizeof(struct pciehsm_batch);
	b.plain = malloc(b.size);
	b.results = malloc(count * RESULT_LEN);
	if (!b.plain || !b.results)
		rv = CKR_HOST_MEMORY;
	else
		rv = collect(c, &b, ouids, count);
	if (rv == CKR_OK)
		rv = seal(c, ch, &b);
	fw_wipe_free(b.plain, b.len);
	free(b.results);
	return rv;
}

CK_RV op_clone_export(struct call *c)
{
	struct channel *ch = clone_hold(c);
	CK_RV rv;

	if (!ch)
		return PCIEHSM_CKR_CHANNEL;
	/* Whatever there is to be exported: this is the wrong end, or it is over. */
	rv = ch->source && ch->open ? export(c, ch) : PCIEHSM_CKR_CHANNEL;
	clone_release(c, ch, ch->source && !ch->open);
	return rv;
}
