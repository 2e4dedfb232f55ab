// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Opening a store: making the file, finding out whether it is one of ours, this card's, of a
 * format that is known, and as it was left.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "message/wire.h"
#include "store/internal.h"

/* 2 had no table less: its records know less, which their own format tells. */
#define STORE_SCHEMA		3
#define STORE_APPLICATION	0x7048534d	/* "pHSM" */
#define CHECK_LEN		16

struct opening {
	const char	*path;
	char		*error;
	size_t		error_len;
};

#define fail(o, ret, ...) \
	(snprintf((o)->error, (o)->error_len, __VA_ARGS__), (ret))

static int get_meta(struct store *s, const char *name, uint8_t *value, size_t room, size_t *len)
{
	sqlite3_stmt *st = store_statement(s, ST_GET_META);
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
	sqlite3_stmt *st = store_statement(s, ST_PUT_META);

	if (!st)
		return false;
	sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_blob(st, 2, value, (int)len, SQLITE_STATIC);
	return store_run(st);
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
		/* Older firmware is to say that it does not know the format, not that it is damaged. */
		[2] = "",
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
	     store_put_root(s) && store_run(store_statement(s, ST_COMMIT));
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
	sqlite3_stmt *st = store_statement(s, ST_LIST_RECORDS);
	uint8_t sum[FW_SHA256_LEN];
	size_t len;
	int rc;

	if (!st || store_get_sealed(s, ROOT_RECORD, s->plain, &len, &s->now.epoch) ||
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
	if (rc != SQLITE_DONE || !store_chain_sum(&s->now, sum) ||
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
			    "use the firmware that wrote it", o->path, (long long)schema,
			    STORE_SCHEMA);
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
