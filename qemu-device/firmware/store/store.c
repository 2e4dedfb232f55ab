// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rows, sealing and transactions. How a store is opened: opening.c.
 */
#include <errno.h>
#include <stdlib.h>

#include "message/wire.h"
#include "store/internal.h"

#define NO_BITS			40
/* What a row costs beside its contents */
#define ROW_OVERHEAD		96

static const char *const statements[ST_COUNT] = {
	[ST_BEGIN]	= "BEGIN IMMEDIATE",
	[ST_COMMIT]	= "COMMIT",
	[ST_ROLLBACK]	= "ROLLBACK",
	[ST_PUT_RECORD]	= "INSERT INTO record (number, counter, sealed) VALUES (?1, ?2, ?3) "
			  "ON CONFLICT (number) DO UPDATE SET counter = ?2, sealed = ?3",
	[ST_GET_RECORD]	= "SELECT counter, sealed FROM record WHERE number = ?1",
	[ST_DELETE_RECORD] = "DELETE FROM record WHERE number = ?1",
	[ST_LIST_RECORDS] = "SELECT number, counter FROM record WHERE number >= 0 ORDER BY number",
	[ST_PUT_OBJECT]	= "INSERT INTO object "
			  "(id, seq, counter, writer, deleted, ouid, sealed) "
			  "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO UPDATE SET "
			  "seq = ?2, counter = ?3, writer = ?4, deleted = ?5, "
			  "ouid = ?6, sealed = ?7",
	[ST_LIST_OBJECTS] = "SELECT id, seq, counter, writer, deleted, ouid, sealed FROM object "
			    "WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
	[ST_DELETE_OBJECTS] = "DELETE FROM object WHERE id BETWEEN ?1 AND ?2",
	[ST_DELETE_OBJECT] = "DELETE FROM object WHERE id = ?1",
	[ST_PUT_AUDIT]	= "INSERT INTO audit (seq, sealed) VALUES (?1, ?2)",
	[ST_GET_AUDIT]	= "SELECT sealed FROM audit WHERE seq = ?1",
	[ST_DELETE_AUDIT] = "DELETE FROM audit WHERE seq < ?1",
	[ST_PUT_META]	= "INSERT INTO meta (name, value) VALUES (?1, ?2)",
	[ST_GET_META]	= "SELECT value FROM meta WHERE name = ?1",
};

sqlite3_stmt *store_statement(struct store *s, enum statement which)
{
	if (!s->st[which])
		sqlite3_prepare_v3(s->db, statements[which], -1, SQLITE_PREPARE_PERSISTENT,
				   &s->st[which], NULL);
	return s->st[which];
}

bool store_run(sqlite3_stmt *st)
{
	int rc;

	if (!st)
		return false;
	rc = sqlite3_step(st);
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return rc == SQLITE_DONE;
}

static void bind_u64(sqlite3_stmt *st, int at, uint64_t value)
{
	sqlite3_bind_int64(st, at, (sqlite3_int64)value);
}

/* ---- sealing: associated data name the row ---- */

static size_t record_aad(const struct store *s, int64_t number, uint64_t counter, uint8_t *out)
{
	memcpy(out, "record v1\0\0\0\0\0\0\0", 16);
	wire_put64(out + 16, s->serial);
	wire_put64(out + 24, (uint64_t)number);
	wire_put64(out + 32, counter);
	return 40;
}

static size_t object_aad(const struct store *s, const struct store_object *o, uint8_t *out)
{
	memcpy(out, "object v1\0\0\0\0\0\0\0", 16);
	wire_put64(out + 16, s->serial);
	wire_put64(out + 24, o->partition);
	wire_put64(out + 32, o->no);
	wire_put64(out + 40, o->seq);
	memcpy(out + 48, o->ouid, PCIEHSM_OUID_LEN);
	wire_put64(out + 64, o->counter);
	wire_put64(out + 72, o->writer);
	wire_put64(out + 80, o->deleted);
	return 88;
}

static size_t audit_aad(const struct store *s, uint64_t seq, uint8_t *out)
{
	memcpy(out, "audit v1\0\0\0\0\0\0\0\0", 16);
	wire_put64(out + 16, s->serial);
	wire_put64(out + 24, seq);
	return 32;
}

/* ---- the chain of records ---- */

static struct record *chain_find(struct chain *c, uint32_t number)
{
	unsigned int i;

	for (i = 0; i < c->count; i++)
		if (c->records[i].number == number)
			return &c->records[i];
	return NULL;
}

bool store_chain_sum(struct chain *c, uint8_t sum[FW_SHA256_LEN])
{
	uint8_t raw[MAX_RECORDS * 12];
	struct fw_bytes part = { raw, 0 };
	uint32_t last = 0;
	unsigned int i, j;

	/* In ascending order, whatever order they have in memory. */
	for (i = 0; i < c->count; i++) {
		const struct record *least = NULL;

		for (j = 0; j < c->count; j++)
			if ((i == 0 || c->records[j].number > last) &&
			    (!least || c->records[j].number < least->number))
				least = &c->records[j];
		/* A number that is there twice: not in a file that is as it was left */
		if (!least)
			return false;
		wire_put32(raw + part.len, least->number);
		wire_put64(raw + part.len + 4, least->counter);
		part.len += 12;
		last = least->number;
	}
	return fw_sha256(&part, 1, sum) == CKR_OK;
}

static bool put_sealed(struct store *s, int64_t number, uint64_t counter,
		       const uint8_t *plain, size_t len)
{
	uint8_t aad[64];
	struct fw_bytes a = { aad, record_aad(s, number, counter, aad) };
	struct fw_bytes p = { plain, len };
	sqlite3_stmt *st = store_statement(s, ST_PUT_RECORD);

	if (len > RECORD_MAX || !st || fw_seal(s->key, a, p, s->sealed) != CKR_OK)
		return false;
	sqlite3_bind_int64(st, 1, number);
	bind_u64(st, 2, counter);
	sqlite3_bind_blob(st, 3, s->sealed, (int)(len + FW_SEAL_OVERHEAD), SQLITE_STATIC);
	return store_run(st);
}

/* The root is written by every transaction that changed a record. */
bool store_put_root(struct store *s)
{
	uint8_t plain[FW_SHA256_LEN];

	if (!store_chain_sum(&s->now, plain))
		return false;
	s->now.epoch++;
	return put_sealed(s, ROOT_RECORD, s->now.epoch, plain, sizeof(plain));
}

int store_get_sealed(struct store *s, int64_t number, uint8_t *out, size_t *len,
		     uint64_t *counter)
{
	sqlite3_stmt *st = store_statement(s, ST_GET_RECORD);
	uint8_t aad[64];
	struct fw_bytes a = { aad, 0 };
	struct fw_bytes sealed;
	int rc, ret = 0;

	*len = 0;
	if (!st)
		return -EBADMSG;
	sqlite3_bind_int64(st, 1, number);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		*counter = (uint64_t)sqlite3_column_int64(st, 0);
		sealed.p = sqlite3_column_blob(st, 1);
		sealed.len = (size_t)sqlite3_column_bytes(st, 1);
		a.len = record_aad(s, number, *counter, aad);
		if (sealed.len < FW_SEAL_OVERHEAD || sealed.len > RECORD_MAX + FW_SEAL_OVERHEAD ||
		    fw_unseal(s->key, a, sealed, out) != CKR_OK)
			ret = -EBADMSG;
		else
			*len = sealed.len - FW_SEAL_OVERHEAD;
	} else if (rc != SQLITE_DONE) {
		ret = -EBADMSG;
	}
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return ret;
}

int store_load_record(struct store *s, uint32_t number, uint8_t *out, size_t *len)
{
	uint64_t counter;

	return store_get_sealed(s, number, out, len, &counter);
}

int store_partitions(struct store *s, uint32_t *numbers, unsigned int max)
{
	unsigned int i, n = 0;

	for (i = 0; i < s->now.count; i++) {
		if (s->now.records[i].number == STORE_HSM_RECORD ||
		    s->now.records[i].number == STORE_AUDIT_RECORD)
			continue;
		if (n == max)
			return -EBADMSG;
		numbers[n++] = s->now.records[i].number;
	}
	return (int)n;
}

/* ---- objects ---- */

static void id_range(sqlite3_stmt *st, uint32_t partition)
{
	bind_u64(st, 1, (uint64_t)partition << NO_BITS);
	bind_u64(st, 2, ((uint64_t)partition << NO_BITS) + ((1ULL << NO_BITS) - 1));
}

static int load_row(struct store *s, sqlite3_stmt *st, uint32_t partition,
		    int (*take)(void *opaque, const struct store_object *o), void *opaque)
{
	struct store_object o = { .partition = partition };
	uint8_t aad[96];
	struct fw_bytes a = { aad, 0 };
	struct fw_bytes sealed;
	uint8_t *plain;
	int ret;

	o.no = (uint64_t)sqlite3_column_int64(st, 0) & ((1ULL << NO_BITS) - 1);
	o.seq = (uint64_t)sqlite3_column_int64(st, 1);
	o.counter = (uint64_t)sqlite3_column_int64(st, 2);
	o.writer = (uint64_t)sqlite3_column_int64(st, 3);
	o.deleted = sqlite3_column_int64(st, 4) != 0;
	if (sqlite3_column_bytes(st, 5) != PCIEHSM_OUID_LEN)
		return -EBADMSG;
	memcpy(o.ouid, sqlite3_column_blob(st, 5), PCIEHSM_OUID_LEN);
	sealed.p = sqlite3_column_blob(st, 6);
	sealed.len = (size_t)sqlite3_column_bytes(st, 6);
	if (sealed.len < FW_SEAL_OVERHEAD)
		return -EBADMSG;
	plain = malloc(sealed.len);
	if (!plain)
		return -ENOMEM;
	a.len = object_aad(s, &o, aad);
	if (fw_unseal(s->key, a, sealed, plain) != CKR_OK) {
		ret = -EBADMSG;
	} else {
		o.plain.p = plain;
		o.plain.len = sealed.len - FW_SEAL_OVERHEAD;
		ret = take(opaque, &o);
	}
	fw_wipe_free(plain, sealed.len);
	return ret;
}

int store_load_objects(struct store *s, uint32_t partition,
		       int (*take)(void *opaque, const struct store_object *o), void *opaque)
{
	sqlite3_stmt *st = store_statement(s, ST_LIST_OBJECTS);
	int rc, ret = 0;

	if (!st)
		return -EBADMSG;
	id_range(st, partition);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW && !ret)
		ret = load_row(s, st, partition, take, opaque);
	if (!ret && rc != SQLITE_DONE)
		ret = -EBADMSG;
	sqlite3_reset(st);
	return ret;
}

bool store_put_object(struct store *s, const struct store_object *o)
{
	sqlite3_stmt *st = store_statement(s, ST_PUT_OBJECT);
	size_t sealed_len = o->plain.len + FW_SEAL_OVERHEAD;
	uint8_t aad[96];
	struct fw_bytes a = { aad, object_aad(s, o, aad) };
	uint8_t *sealed;

	if (!st || o->no >> NO_BITS)
		return false;
	sealed = malloc(sealed_len);
	if (!sealed)
		return false;
	if (fw_seal(s->key, a, o->plain, sealed) != CKR_OK) {
		free(sealed);
		return false;
	}
	bind_u64(st, 1, (uint64_t)o->partition << NO_BITS | o->no);
	bind_u64(st, 2, o->seq);
	bind_u64(st, 3, o->counter);
	bind_u64(st, 4, o->writer);
	sqlite3_bind_int(st, 5, o->deleted);
	sqlite3_bind_blob(st, 6, o->ouid, PCIEHSM_OUID_LEN, SQLITE_STATIC);
	sqlite3_bind_blob(st, 7, sealed, (int)sealed_len, free);
	return store_run(st);
}

bool store_delete_objects(struct store *s, uint32_t number)
{
	sqlite3_stmt *st = store_statement(s, ST_DELETE_OBJECTS);

	if (!st)
		return false;
	id_range(st, number);
	return store_run(st);
}

bool store_delete_object(struct store *s, uint32_t partition, uint64_t no)
{
	sqlite3_stmt *st = store_statement(s, ST_DELETE_OBJECT);

	if (!st)
		return false;
	bind_u64(st, 1, (uint64_t)partition << NO_BITS | no);
	return store_run(st);
}

/* ---- audit log ---- */

bool store_put_audit(struct store *s, uint64_t seq, const uint8_t *plain, size_t len)
{
	uint8_t aad[32], sealed[STORE_AUDIT_MAX + FW_SEAL_OVERHEAD];
	struct fw_bytes a = { aad, audit_aad(s, seq, aad) };
	struct fw_bytes p = { plain, len };
	sqlite3_stmt *st = store_statement(s, ST_PUT_AUDIT);

	if (len > STORE_AUDIT_MAX || !st || fw_seal(s->key, a, p, sealed) != CKR_OK)
		return false;
	bind_u64(st, 1, seq);
	sqlite3_bind_blob(st, 2, sealed, (int)(len + FW_SEAL_OVERHEAD), SQLITE_STATIC);
	return store_run(st);
}

bool store_get_audit(struct store *s, uint64_t seq, uint8_t *plain, size_t *len)
{
	sqlite3_stmt *st = store_statement(s, ST_GET_AUDIT);
	struct fw_bytes sealed;
	uint8_t aad[32];
	struct fw_bytes a = { aad, audit_aad(s, seq, aad) };
	bool ok = false;

	if (!st)
		return false;
	bind_u64(st, 1, seq);
	if (sqlite3_step(st) == SQLITE_ROW) {
		sealed.p = sqlite3_column_blob(st, 0);
		sealed.len = (size_t)sqlite3_column_bytes(st, 0);
		ok = sealed.len >= FW_SEAL_OVERHEAD &&
		     sealed.len <= STORE_AUDIT_MAX + FW_SEAL_OVERHEAD &&
		     fw_unseal(s->key, a, sealed, plain) == CKR_OK;
		*len = sealed.len - FW_SEAL_OVERHEAD;
	}
	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return ok;
}

bool store_delete_audit(struct store *s, uint64_t below)
{
	sqlite3_stmt *st = store_statement(s, ST_DELETE_AUDIT);

	if (!st)
		return false;
	bind_u64(st, 1, below);
	return store_run(st);
}

void store_lock(struct store *s)
{
	pthread_mutex_lock(&s->lock);
}

void store_unlock(struct store *s)
{
	pthread_mutex_unlock(&s->lock);
}

/* ---- transactions ---- */

bool store_begin(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	if (!store_run(store_statement(s, ST_BEGIN))) {
		pthread_mutex_unlock(&s->lock);
		return false;
	}
	s->before = s->now;
	return true;
}

/* Steps of SQLite's machine, a handful for each row that is deleted */
#define WATCH_STEPS		64

static int on_steps(void *opaque)
{
	struct store *s = opaque;

	s->alive(s->alive_opaque);
	return 0;
}

void store_watch(struct store *s, void (*alive)(void *opaque), void *opaque)
{
	s->alive = alive;
	s->alive_opaque = opaque;
	sqlite3_progress_handler(s->db, WATCH_STEPS, on_steps, s);
}

/* The transaction is over. */
static void release(struct store *s)
{
	sqlite3_progress_handler(s->db, 0, NULL, NULL);
	pthread_mutex_unlock(&s->lock);
}

void store_rollback(struct store *s)
{
	/* SQLite has rolled back by itself after some errors. */
	if (!sqlite3_get_autocommit(s->db))
		store_run(store_statement(s, ST_ROLLBACK));
	s->now = s->before;
	release(s);
}

bool store_commit(struct store *s)
{
	if (!store_put_root(s) || !store_run(store_statement(s, ST_COMMIT))) {
		store_rollback(s);
		return false;
	}
	release(s);
	return true;
}

bool store_put_record(struct store *s, uint32_t number, const uint8_t *plain, size_t len)
{
	struct record *r = chain_find(&s->now, number);

	if (!r) {
		if (s->now.count == MAX_RECORDS)
			return false;
		r = &s->now.records[s->now.count++];
		r->number = number;
		r->counter = 0;
	}
	r->counter++;
	return put_sealed(s, number, r->counter, plain, len);
}

bool store_delete_partition(struct store *s, uint32_t number)
{
	struct record *r = chain_find(&s->now, number);
	sqlite3_stmt *st = store_statement(s, ST_DELETE_RECORD);

	if (!r || !st || number == STORE_HSM_RECORD)
		return false;
	*r = s->now.records[--s->now.count];
	sqlite3_bind_int64(st, 1, number);
	return store_run(st) && store_delete_objects(s, number);
}

void store_erase_traces(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	pthread_mutex_unlock(&s->lock);
}

size_t store_object_size(size_t plain)
{
	return plain + FW_SEAL_OVERHEAD + ROW_OVERHEAD;
}
