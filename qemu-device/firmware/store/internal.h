/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The store's own: what opening it and working with it share.
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
#ifndef FIRMWARE_STORE_INTERNAL_H
#define FIRMWARE_STORE_INTERNAL_H

#include <pthread.h>
#include <sqlite3.h>

#include "hsm/state.h"
#include "store/store.h"

#define ROOT_RECORD		(-1)
/* 100 partitions and the HSM, with room */
#define MAX_RECORDS		128

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
	void		(*alive)(void *opaque);	/* of the transaction, see store_watch() */
	void		*alive_opaque;
	struct chain	now;
	struct chain	before;
	uint8_t		root_sum[FW_SHA256_LEN];	/* as loaded */
	uint8_t		plain[RECORD_MAX];
	uint8_t		sealed[RECORD_MAX + FW_SEAL_OVERHEAD];
};

/** store_statement() - one of the statements, made when it is first wanted; NULL: it can not be */
sqlite3_stmt *store_statement(struct store *s, enum statement which);

/** store_run() - run a statement that gives no rows, and make it ready for the next time */
bool store_run(sqlite3_stmt *st);

/**
 * store_get_sealed() - a record, opened
 * @s:		the store
 * @number:	of the record, or ROOT_RECORD
 * @out:	room for RECORD_MAX bytes
 * @len:	out: bytes; 0 if there is no such record
 * @counter:	out: how often it was written
 *
 * Return: 0 or -EBADMSG.
 */
int store_get_sealed(struct store *s, int64_t number, uint8_t *out, size_t *len,
		     uint64_t *counter);

/** store_chain_sum() - over the counters of all records; false: one is there twice */
bool store_chain_sum(struct chain *c, uint8_t sum[FW_SHA256_LEN]);

/** store_put_root() - within a transaction: write down what store_chain_sum() gives */
bool store_put_root(struct store *s);

#endif /* FIRMWARE_STORE_INTERNAL_H */
