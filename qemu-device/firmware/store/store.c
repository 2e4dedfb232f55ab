// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rows, sealing and transactions.
 *
 * Tables:
 *   meta    name -> value: "serial", "check" (tells a wrong master key from a
 *           damaged file), "key" (the store's own master key, if it has one)
 *   record  number -> counter, sealed state; number -1 is the root
 *   object  id = partition << 40 | no -> one object or tombstone
 *   audit   seq -> one line of the audit log (since schema 2)
 * An object's id puts a partition's rows next to each other, so that loading
 * and deleting a partition need no index.
 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hsm/state.h"
#include "message/wire.h"

#define STORE_SCHEMA		2
#define STORE_APPLICATION	0x7048534d	/* "pHSM" */
#define ROOT_RECORD		(-1)
#define NO_BITS			40
/* 100 partitions and the HSM, with room */
#define MAX_RECORDS		128
/* What a row costs beside its contents */
#define ROW_OVERHEAD		96
#define CHECK_LEN		16

enum statement {
	ST_BEGIN,
	ST_COMMIT,
	ST_ROLLBACK,
	ST_PUT_RECORD,
	ST_GET_RECORD,
	ST_DELETE_RECORD,
	ST_LIST_RECORDS,
	ST_PUT_OBJECT,
	ST_LIST_OBJECTS,
	ST_DELETE_OBJECTS,
	ST_DELETE_OBJECT,
	ST_PUT_AUDIT,
	ST_GET_AUDIT,
	ST_DELETE_AUDIT,
	ST_PUT_META,
	ST_GET_META,
	ST_COUNT,
};

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
			  "(id, seq, counter, writer, deleted, ouid, sealed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO UPDATE SET "
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

struct record {
	uint32_t	number;
	uint64_t	counter;
};

/* What a transaction changes in memory, to be put back by a rollback */
struct chain {
	uint64_t	epoch;
	unsigned int	count;
	struct record	records[MAX_RECORDS];
};

struct store {
	sqlite3		*db;
	sqlite3_stmt	*st[ST_COUNT];
	uint64_t	serial;
	uint8_t		key[FW_SEAL_KEY_LEN];
	pthread_mutex_t	lock;		/* held during a transaction */
	struct chain	now;
	struct chain	before;
	uint8_t		root_sum[FW_SHA256_LEN];	/* as loaded */
	uint8_t		plain[RECORD_MAX];
	uint8_t		sealed[RECORD_MAX + FW_SEAL_OVERHEAD];
};

static sqlite3_stmt *statement(struct store *s, enum statement which)
{
	if (!s->st[which])
		sqlite3_prepare_v3(s->db, statements[which], -1, SQLITE_PREPARE_PERSISTENT,
				   &s->st[which], NULL);
	return s->st[which];
}

/* Runs a statement that gives no rows, and makes it ready for the next time. */
static bool run(sqlite3_stmt *st)
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

static bool chain_sum(struct chain *c, uint8_t sum[FW_SHA256_LEN])
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
	sqlite3_stmt *st = statement(s, ST_PUT_RECORD);

	if (len > RECORD_MAX || !st || fw_seal(s->key, a, p, s->sealed) != CKR_OK)
		return false;
	sqlite3_bind_int64(st, 1, number);
	bind_u64(st, 2, counter);
	sqlite3_bind_blob(st, 3, s->sealed, (int)(len + FW_SEAL_OVERHEAD), SQLITE_STATIC);
	return run(st);
}

/* The root is written by every transaction that changed a record. */
static bool put_root(struct store *s)
{
	uint8_t plain[FW_SHA256_LEN];

	if (!chain_sum(&s->now, plain))
		return false;
	s->now.epoch++;
	return put_sealed(s, ROOT_RECORD, s->now.epoch, plain, sizeof(plain));
}

static int get_sealed(struct store *s, int64_t number, uint8_t *out, size_t *len,
		      uint64_t *counter)
{
	sqlite3_stmt *st = statement(s, ST_GET_RECORD);
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

	return get_sealed(s, number, out, len, &counter);
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
	sqlite3_stmt *st = statement(s, ST_LIST_OBJECTS);
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
	sqlite3_stmt *st = statement(s, ST_PUT_OBJECT);
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
	return run(st);
}

bool store_delete_objects(struct store *s, uint32_t number)
{
	sqlite3_stmt *st = statement(s, ST_DELETE_OBJECTS);

	if (!st)
		return false;
	id_range(st, number);
	return run(st);
}

bool store_delete_object(struct store *s, uint32_t partition, uint64_t no)
{
	sqlite3_stmt *st = statement(s, ST_DELETE_OBJECT);

	if (!st)
		return false;
	bind_u64(st, 1, (uint64_t)partition << NO_BITS | no);
	return run(st);
}

/* ---- audit log ---- */

bool store_put_audit(struct store *s, uint64_t seq, const uint8_t *plain, size_t len)
{
	uint8_t aad[32], sealed[STORE_AUDIT_MAX + FW_SEAL_OVERHEAD];
	struct fw_bytes a = { aad, audit_aad(s, seq, aad) };
	struct fw_bytes p = { plain, len };
	sqlite3_stmt *st = statement(s, ST_PUT_AUDIT);

	if (len > STORE_AUDIT_MAX || !st || fw_seal(s->key, a, p, sealed) != CKR_OK)
		return false;
	bind_u64(st, 1, seq);
	sqlite3_bind_blob(st, 2, sealed, (int)(len + FW_SEAL_OVERHEAD), SQLITE_STATIC);
	return run(st);
}

bool store_get_audit(struct store *s, uint64_t seq, uint8_t *plain, size_t *len)
{
	sqlite3_stmt *st = statement(s, ST_GET_AUDIT);
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
	sqlite3_stmt *st = statement(s, ST_DELETE_AUDIT);

	if (!st)
		return false;
	bind_u64(st, 1, below);
	return run(st);
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
	if (!run(statement(s, ST_BEGIN))) {
		pthread_mutex_unlock(&s->lock);
		return false;
	}
	s->before = s->now;
	return true;
}

void store_rollback(struct store *s)
{
	/* SQLite has rolled back by itself after some errors. */
	if (!sqlite3_get_autocommit(s->db))
		run(statement(s, ST_ROLLBACK));
	s->now = s->before;
	pthread_mutex_unlock(&s->lock);
}

bool store_commit(struct store *s)
{
	if (!put_root(s) || !run(statement(s, ST_COMMIT))) {
		store_rollback(s);
		return false;
	}
	pthread_mutex_unlock(&s->lock);
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
	sqlite3_stmt *st = statement(s, ST_DELETE_RECORD);

	if (!r || !st || number == STORE_HSM_RECORD)
		return false;
	*r = s->now.records[--s->now.count];
	sqlite3_bind_int64(st, 1, number);
	return run(st) && store_delete_objects(s, number);
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

/* ---- opening ---- */

struct opening {
	const char	*path;
	char		*error;
	size_t		error_len;
};

#define fail(o, ret, ...) \
	(snprintf((o)->error, (o)->error_len, __VA_ARGS__), (ret))

static int get_meta(struct store *s, const char *name, uint8_t *value, size_t room, size_t *len)
{
	sqlite3_stmt *st = statement(s, ST_GET_META);
	int rc, ret = 0;

	*len = 0;
	if (!st)
		return -EBADMSG;
	sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		*len = (size_t)sqlite3_column_bytes(st, 0);
		if (*len == 0 || *len > room)
			ret = -EBADMSG;
		else
			memcpy(value, sqlite3_column_blob(st, 0), *len);
	} else if (rc != SQLITE_DONE) {
		ret = -EBADMSG;
	}
	sqlite3_reset(st);
	return ret;
}

static bool put_meta(struct store *s, const char *name, const void *value, size_t len)
{
	sqlite3_stmt *st = statement(s, ST_PUT_META);

	if (!st)
		return false;
	sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_blob(st, 2, value, (int)len, SQLITE_STATIC);
	return run(st);
}

/* The keys that the master key stands for */
static bool derive_keys(struct store *s, const uint8_t *master, uint8_t check[CHECK_LEN])
{
	uint8_t full[FW_SEAL_KEY_LEN];
	bool ok;

	ok = fw_derive_subkey(master, "pciehsm store seal v1", s->key) == CKR_OK &&
	     fw_derive_subkey(master, "pciehsm store check v1", full) == CKR_OK;
	memcpy(check, full, CHECK_LEN);
	fw_wipe(full, sizeof(full));
	return ok;
}

#define AUDIT_TABLE "CREATE TABLE audit (seq INTEGER PRIMARY KEY, sealed BLOB NOT NULL);"

/* From what an older firmware wrote, one step after the other, all or nothing */
static int migrate(struct store *s, const struct opening *o, int64_t schema)
{
	static const char *const steps[STORE_SCHEMA] = {
		[1] = AUDIT_TABLE,
	};
	char text[64];
	bool ok = sqlite3_exec(s->db, "BEGIN EXCLUSIVE", NULL, NULL, NULL) == SQLITE_OK;

	for (; ok && schema < STORE_SCHEMA; schema++)
		ok = sqlite3_exec(s->db, steps[schema], NULL, NULL, NULL) == SQLITE_OK;
	snprintf(text, sizeof(text), "PRAGMA user_version = %d; COMMIT", STORE_SCHEMA);
	if (ok && sqlite3_exec(s->db, text, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	return fail(o, -EIO, "cannot bring the store %s to the present format: %s; make room on "
		    "its disk and try again", o->path, sqlite3_errmsg(s->db));
}

static bool make_tables(struct store *s)
{
	static const char schema[] =
		"CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
		"CREATE TABLE record (number INTEGER PRIMARY KEY, counter INTEGER NOT NULL, "
		"sealed BLOB NOT NULL);"
		"CREATE TABLE object (id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, "
		"counter INTEGER NOT NULL, writer INTEGER NOT NULL, deleted INTEGER NOT NULL, "
		"ouid BLOB NOT NULL, sealed BLOB NOT NULL);" AUDIT_TABLE;
	char text[128];

	snprintf(text, sizeof(text), "PRAGMA application_id = %d; PRAGMA user_version = %d;",
		 STORE_APPLICATION, STORE_SCHEMA);
	return sqlite3_exec(s->db, schema, NULL, NULL, NULL) == SQLITE_OK &&
	       sqlite3_exec(s->db, text, NULL, NULL, NULL) == SQLITE_OK;
}

static int create(struct store *s, const struct opening *o, const uint8_t *master_key)
{
	uint8_t master[FW_SEAL_KEY_LEN], check[CHECK_LEN], serial[8];
	bool ok;

	/* All in one transaction: a store that is half made does not exist. */
	if (sqlite3_exec(s->db, "BEGIN EXCLUSIVE", NULL, NULL, NULL) != SQLITE_OK)
		return fail(o, -EIO, "cannot write the store %s: %s", o->path,
			    sqlite3_errmsg(s->db));
	if (master_key)
		memcpy(master, master_key, sizeof(master));
	else if (fw_random(master, sizeof(master)) != CKR_OK)
		return fail(o, -EIO, "no random numbers for the master key of %s", o->path);
	wire_put64(serial, s->serial);
	ok = derive_keys(s, master, check) && make_tables(s) &&
	     put_meta(s, "serial", serial, sizeof(serial)) &&
	     put_meta(s, "check", check, sizeof(check)) &&
	     (master_key || put_meta(s, "key", master, sizeof(master))) &&
	     put_root(s) && run(statement(s, ST_COMMIT));
	fw_wipe(master, sizeof(master));
	if (!ok)
		return fail(o, -EIO, "cannot write the store %s: %s", o->path,
			    sqlite3_errmsg(s->db));
	return 0;
}

static int damaged(const struct opening *o)
{
	return fail(o, -EBADMSG, "the store %s is damaged or was changed by something else than "
		    "this card; restore it from a copy, or remove it for a blank card", o->path);
}

static int unlock(struct store *s, const struct opening *o, const uint8_t *master_key)
{
	uint8_t master[FW_SEAL_KEY_LEN], check[CHECK_LEN], found[CHECK_LEN], serial[8];
	size_t key_len, len;
	bool ok;

	if (get_meta(s, "serial", serial, sizeof(serial), &len) || len != sizeof(serial) ||
	    get_meta(s, "check", found, sizeof(found), &len) || len != sizeof(found) ||
	    get_meta(s, "key", master, sizeof(master), &key_len) ||
	    (key_len && key_len != sizeof(master)))
		return damaged(o);
	if (wire_get64(serial) != s->serial)
		return fail(o, -EBADMSG, "the store %s belongs to the HSM with serial %llu, not "
			    "%llu; give that serial or another store", o->path,
			    (unsigned long long)wire_get64(serial),
			    (unsigned long long)s->serial);
	if (key_len && master_key)
		return fail(o, -EBADMSG, "the store %s keeps its own master key; open it without "
			    "one", o->path);
	if (!key_len && !master_key)
		return fail(o, -EBADMSG, "the store %s is sealed with a master key; give it",
			    o->path);
	if (master_key)
		memcpy(master, master_key, sizeof(master));
	ok = derive_keys(s, master, check);
	fw_wipe(master, sizeof(master));
	if (!ok)
		return fail(o, -ENOMEM, "out of memory");
	if (!fw_secret_equal(check, found, sizeof(check)))
		return fail(o, -EBADMSG, "wrong master key for the store %s; give the one it was "
			    "made with", o->path);
	return 0;
}

static int load_chain(struct store *s, const struct opening *o)
{
	sqlite3_stmt *st = statement(s, ST_LIST_RECORDS);
	uint8_t sum[FW_SHA256_LEN];
	size_t len;
	int rc;

	if (!st || get_sealed(s, ROOT_RECORD, s->plain, &len, &s->now.epoch) ||
	    len != sizeof(s->root_sum))
		return damaged(o);
	memcpy(s->root_sum, s->plain, sizeof(s->root_sum));
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		sqlite3_int64 number = sqlite3_column_int64(st, 0);
		struct record *r = &s->now.records[s->now.count];

		if (s->now.count == MAX_RECORDS || number > STORE_AUDIT_RECORD)
			break;
		r->number = (uint32_t)number;
		r->counter = (uint64_t)sqlite3_column_int64(st, 1);
		s->now.count++;
	}
	sqlite3_reset(st);
	if (rc != SQLITE_DONE || !chain_sum(&s->now, sum) ||
	    !fw_secret_equal(sum, s->root_sum, sizeof(sum)))
		return damaged(o);
	return 0;
}

static int pragma_number(struct store *s, const char *sql, int64_t *value)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*value = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return rc;
}

/* How the file is used. The first access takes its lock, until it is closed. */
static int configure(struct store *s, const struct opening *o, bool durable, bool *blank,
		     int64_t *found)
{
	char *text = NULL;
	int64_t schema = 0, application = 0, tables = 0;
	int rc;

	sqlite3_busy_timeout(s->db, 0);
	/* The file may be hostile: nothing in its schema is to be run. */
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	rc = sqlite3_exec(s->db,
			  "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
			  "PRAGMA secure_delete = ON; PRAGMA cell_size_check = ON;",
			  NULL, NULL, &text);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(s->db, durable ? "PRAGMA synchronous = FULL" :
				  "PRAGMA synchronous = OFF", NULL, NULL, NULL);
	sqlite3_free(text);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(s->db, "BEGIN EXCLUSIVE; COMMIT", NULL, NULL, NULL);
	if ((rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED)
		return fail(o, -EBUSY, "the store %s is in use by another card; give each card a "
			    "store of its own", o->path);
	if ((rc & 0xff) == SQLITE_NOTADB || (rc & 0xff) == SQLITE_CORRUPT)
		return damaged(o);
	if (rc != SQLITE_OK)
		return fail(o, -EIO, "cannot use the store %s: %s", o->path,
			    sqlite3_errmsg(s->db));
	if (pragma_number(s, "PRAGMA user_version", &schema) != SQLITE_ROW ||
	    pragma_number(s, "PRAGMA application_id", &application) != SQLITE_ROW ||
	    pragma_number(s, "SELECT count(*) FROM sqlite_schema", &tables) != SQLITE_ROW)
		return damaged(o);
	*blank = tables == 0 && schema == 0 && application == 0;
	if (!*blank && application != STORE_APPLICATION)
		return fail(o, -EBADMSG, "%s is a database, but not the store of an HSM; give "
			    "another path", o->path);
	if (!*blank && (schema < 1 || schema > STORE_SCHEMA))
		return fail(o, -EBADMSG, "the store %s has format %lld, this firmware knows %d; "
			    "use the firmware that wrote it", o->path, (long long)schema, STORE_SCHEMA);
	*found = schema;
	return 0;
}

/* The file must be nobody else's to read, from its first moment. */
static int make_file(const struct opening *o)
{
	int fd;

	if (strcmp(o->path, ":memory:") == 0)
		return 0;
	/*
	 * O_EXCL: a file that exists is not opened here, because closing it again
	 * would drop the locks that a card in this process has on it (POSIX).
	 */
	fd = open(o->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	else if (errno != EEXIST)
		return fail(o, -errno, "cannot create the store %s: %s; make its directory, or "
			    "give a path that can be written", o->path, strerror(errno));
	return 0;
}

int store_open(const char *path, uint64_t serial, const uint8_t *master_key, bool durable,
	       struct store **store, char *error, size_t error_len)
{
	struct opening o = { path, error, error_len };
	struct store *s;
	int64_t schema;
	bool blank;
	int ret;

	ret = make_file(&o);
	if (ret)
		return ret;
	s = calloc(1, sizeof(*s));
	if (!s)
		return fail(&o, -ENOMEM, "out of memory");
	pthread_mutex_init(&s->lock, NULL);
	s->serial = serial;
	if (sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
			    SQLITE_OPEN_EXRESCODE, NULL) != SQLITE_OK) {
		ret = fail(&o, -EACCES, "cannot open the store %s: %s; it must be a file that "
			   "can be written", path, s->db ? sqlite3_errmsg(s->db) : "no memory");
	} else {
		ret = configure(s, &o, durable, &blank, &schema);
		if (!ret && blank)
			ret = create(s, &o, master_key);
		else if (!ret)
			ret = unlock(s, &o, master_key) ?: load_chain(s, &o);
		/* What is not ours, or damaged, is left as it is. */
		if (!ret && !blank && schema < STORE_SCHEMA)
			ret = migrate(s, &o, schema);
	}
	if (ret) {
		store_close(s);
		return ret;
	}
	*store = s;
	return 0;
}

void store_close(struct store *s)
{
	unsigned int i;

	if (!s)
		return;
	for (i = 0; i < ST_COUNT; i++)
		sqlite3_finalize(s->st[i]);
	sqlite3_close(s->db);
	pthread_mutex_destroy(&s->lock);
	fw_wipe(s, sizeof(*s));
	free(s);
}
