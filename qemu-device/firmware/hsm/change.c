// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Changes of a partition: first durable, then visible, never half.
 */
#include <stdlib.h>
#include <string.h>

#include "core/firmware.h"
#include "core/mem.h"
#include "message/template.h"

CK_RV change_begin(struct change *ch, struct partition *p)
{
	pthread_mutex_lock(&p->change);
	if (atomic_load(&p->gone)) {
		pthread_mutex_unlock(&p->change);
		return CKR_DEVICE_REMOVED;
	}
	/* Only who holds p->change writes state and table: reading needs no more. */
	memset(ch, 0, sizeof(*ch));
	ch->p = p;
	ch->state = p->state;
	ch->bytes = p->table.bytes;
	return CKR_OK;
}

static void end(struct change *ch)
{
	struct partition *p = ch->p;
	size_t i;

	for (i = 0; i < ch->count; i++)
		object_put(ch->items[i].object);
	free(ch->items);
	fw_wipe(ch, sizeof(*ch));
	pthread_mutex_unlock(&p->change);
}

void change_abort(struct change *ch)
{
	end(ch);
}

static struct entry *present(const struct change *ch, const uint8_t *ouid)
{
	return ch->wipe ? NULL : table_find(&ch->p->table, ouid);
}

/* What an entry is now goes out of the state, with the room it takes. */
static void uncount(struct change *ch, const struct entry *e)
{
	table_digest_delta(ch->state.sum, e->ouid, &e->version, !e->object, false);
	table_rows_delta(ch->state.rows, e->seq, false);
	if (e->object) {
		ch->state.objects--;
		ch->bytes -= e->object->size;
	} else {
		ch->state.tombstones--;
		ch->bytes -= TOMBSTONE_BYTES;
	}
}

/* An item with its place and sequence; the sums and the counts follow it. */
static struct change_item *add_item(struct change *ch, const uint8_t *ouid,
				    const struct version *version, bool deleted)
{
	struct entry *e = present(ch, ouid);
	struct change_item *item;

	if (ch->count == ch->room) {
		ch->room = ch->room ? ch->room * 2 : 4;
		ch->items = mem_grow(ch->items, ch->room, sizeof(*ch->items));
	}
	item = &ch->items[ch->count++];
	memset(item, 0, sizeof(*item));
	memcpy(item->ouid, ouid, PCIEHSM_OUID_LEN);
	item->version = *version;
	item->no = e ? e->no : atomic_fetch_add(&ch->p->next_no, 1);
	item->seq = ++ch->state.seq;
	if (e)
		uncount(ch, e);
	table_digest_delta(ch->state.sum, ouid, version, deleted, true);
	table_rows_delta(ch->state.rows, item->seq, true);
	if (deleted) {
		ch->state.tombstones++;
		ch->bytes += TOMBSTONE_BYTES;
	} else {
		ch->state.objects++;
	}
	return item;
}

CK_RV change_put(struct change *ch, struct object *o)
{
	struct entry *e = present(ch, o->ouid);
	uint64_t before = !e ? 0 : e->object ? e->object->size : TOMBSTONE_BYTES;
	struct change_item *item;

	/* What gets no bigger is welcome even where a quota was lowered. */
	if (o->size > before && ch->bytes - before + o->size > ch->state.size) {
		object_put(o);
		return CKR_DEVICE_MEMORY;
	}
	item = add_item(ch, o->ouid, &o->version, false);
	item->object = o;
	ch->bytes += o->size;
	o->no = item->no;
	return CKR_OK;
}

CK_RV change_bury(struct change *ch, const uint8_t ouid[PCIEHSM_OUID_LEN],
		  const struct version *version)
{
	/* Less than any object: where one was, there is room. */
	if (!present(ch, ouid) && ch->bytes + TOMBSTONE_BYTES > ch->state.size)
		return CKR_DEVICE_MEMORY;
	add_item(ch, ouid, version, true);
	return CKR_OK;
}

uint32_t change_collect(struct change *ch, uint64_t seq)
{
	const struct table *t = &ch->p->table;
	uint32_t count = 0;
	struct entry *e;
	size_t i;

	for (i = 0; i < t->log_count && t->log[i].seq <= seq; i++) {
		e = table_log_entry(t, i);
		if (!e || e->object)
			continue;
		uncount(ch, e);
		count++;
	}
	ch->collect = seq;
	return count;
}

static bool store_collect(struct change *ch)
{
	const struct table *t = &ch->p->table;
	struct entry *e;
	size_t i;

	for (i = 0; i < t->log_count && t->log[i].seq <= ch->collect; i++) {
		e = table_log_entry(t, i);
		if (e && !e->object &&
		    !store_delete_object(ch->p->fw->store, ch->p->number, e->no))
			return false;
		if (ch->call)
			call_alive(ch->call);
	}
	return true;
}

CK_RV change_wipe(struct change *ch)
{
	ch->wipe = true;
	ch->bytes = 0;
	/* @seq goes on: no row of before can be taken for one that is made from here on. */
	memset(ch->state.sum, 0, sizeof(ch->state.sum));
	memset(ch->state.rows, 0, sizeof(ch->state.rows));
	ch->state.objects = 0;
	ch->state.tombstones = 0;
	/* What peers have seen is gone; who they are is another story from here on. */
	ch->state.mark_count = 0;
	return fw_nonce(ch->p->fw, ch->state.incarnation, sizeof(ch->state.incarnation));
}

static bool store_item(struct change *ch, const struct change_item *item)
{
	struct store_object so = {
		.partition = ch->p->number,
		.no = item->no,
		.seq = item->seq,
		.counter = item->version.counter,
		.writer = item->version.writer,
		.deleted = !item->object,
	};
	uint8_t *plain = NULL;
	bool ok;

	memcpy(so.ouid, item->ouid, PCIEHSM_OUID_LEN);
	if (item->object) {
		so.plain.len = attrs_encoded_len(&item->object->attrs);
		plain = malloc(so.plain.len + 1);
		if (!plain)
			return false;
		attrs_encode(&item->object->attrs, plain);
		so.plain.p = plain;
	}
	ok = store_put_object(ch->p->fw->store, &so);
	fw_wipe_free(plain, so.plain.len);
	return ok;
}

static CK_RV store_all(struct change *ch)
{
	struct store *store = ch->p->fw->store;
	uint8_t *record = malloc(RECORD_MAX);
	size_t i, len;
	CK_RV rv = PCIEHSM_CKR_STORE;
	bool ok;

	if (!record)
		return rv;
	if (!store_begin(store)) {
		free(record);
		return rv;
	}
	if (ch->call)
		store_watch(store, call_alive, ch->call);
	len = partition_state_encode(&ch->state, record);
	ok = len && store_put_record(store, ch->p->number, record, len);
	fw_wipe_free(record, RECORD_MAX);
	if (ok && ch->wipe)
		ok = store_delete_objects(store, ch->p->number);
	if (ok && ch->collect)
		ok = store_collect(ch);
	for (i = 0; ok && i < ch->count; i++) {
		ok = store_item(ch, &ch->items[i]);
		if (ok && ch->call && !call_step(ch->call)) {
			rv = CKR_FUNCTION_CANCELED;
			ok = false;
		}
	}
	if (!ok) {
		store_rollback(store);
		return rv;
	}
	return store_commit(store) ? CKR_OK : rv;
}

CK_RV change_commit(struct change *ch)
{
	struct partition *p = ch->p;
	struct change_item *item;
	struct table old;
	bool wiped = ch->wipe;
	size_t i;
	CK_RV rv;

	rv = store_all(ch);
	if (rv != CKR_OK) {
		end(ch);
		return rv;
	}
	pthread_rwlock_wrlock(&p->lock);
	p->state = ch->state;
	partition_publish(p);
	if (wiped) {
		old = p->table;
		table_init(&p->table);
		/*
		 * Within the change: who waits for it with a login, or with an object, of
		 * before must not bring anything of that into what comes after.
		 */
		atomic_fetch_add(&p->epoch, 1);
	}
	if (ch->collect)
		table_collect(&p->table, ch->collect);
	for (i = 0; i < ch->count; i++) {
		item = &ch->items[i];
		if (item->object)
			table_set(&p->table, item->object, item->seq);
		else
			table_bury(&p->table, item->ouid, &item->version, item->no, item->seq);
		item->object = NULL;
	}
	pthread_rwlock_unlock(&p->lock);
	end(ch);
	if (wiped) {
		/* Freeing many objects takes its time: readers need not wait for it. */
		table_clear(&old);
		store_erase_traces(p->fw->store);
	}
	return CKR_OK;
}
