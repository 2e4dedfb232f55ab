/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The card's memory: one SQLite file.
 *
 * Everything in it is sealed with AES-256-GCM under a key that is derived from the
 * master key. What a row is about (which partition, which object, which
 * version) is associated data, so that a row opens only where it was
 * written. The sealed root row holds a sum over the counters of all records, and each
 * partition's record a sum over the versions and one over the changes of all its objects:
 * a row that was deleted, or replaced by what it, or another of its name, was earlier, is
 * noticed when the card is switched on. A whole file that is replaced by an older copy is
 * not: that takes a counter outside the file.
 *
 * One transaction at a time: store_begin() to store_commit() or store_rollback().
 */
#ifndef FIRMWARE_STORE_STORE_H
#define FIRMWARE_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pciehsm/fw.h>

#include "crypto/secret.h"

struct store;

/**
 * struct store_object - a row of an object or tombstone
 * @partition:	number
 * @no:		its number within the partition, for ever
 * @seq:	of its last change
 * @ouid:	the object
 * @counter:	its version
 * @writer:	its version
 * @deleted:	it is a tombstone
 * @plain:	its attributes as a template; of a tombstone nothing. A secret.
 */
struct store_object {
	uint32_t	partition;
	uint64_t	no;
	uint64_t	seq;
	uint8_t		ouid[PCIEHSM_OUID_LEN];
	uint64_t	counter;
	uint64_t	writer;
	bool		deleted;
	struct fw_bytes	plain;
};

/* The numbers of the HSM's own record and of the audit log's; partitions have theirs. */
#define STORE_HSM_RECORD	0
#define STORE_AUDIT_RECORD	1000000

/* The longest line of the audit log */
#define STORE_AUDIT_MAX		256

/**
 * store_open() - open the store, make it if it is not there
 * @path:	of the file, or ":memory:"
 * @serial:	of the card
 * @master_key:	32 bytes or NULL: the store's own
 * @durable:	every commit is on the disk when it returns
 * @store:	out
 * @error:	out: on failure, what is wrong and what to do
 * @error_len:	room of @error
 *
 * Return: 0 or -errno as hsm_fw_open().
 */
int store_open(const char *path, uint64_t serial, const uint8_t *master_key, bool durable,
	       struct store **store, char *error, size_t error_len);

/** store_close() - may be NULL */
void store_close(struct store *store);

/**
 * store_load_record() - the HSM's or a partition's record
 * @store:	the store
 * @number:	STORE_HSM_RECORD or a partition's number
 * @out:	room for RECORD_MAX bytes; a secret
 * @len:	out: bytes; 0 if there is no such record
 *
 * Return: 0 or -EBADMSG.
 */
int store_load_record(struct store *store, uint32_t number, uint8_t *out, size_t *len);

/**
 * store_partitions() - which partitions are there?
 * @store:	the store
 * @numbers:	out
 * @max:	room
 *
 * Return: how many, at most @max, or -EBADMSG.
 */
int store_partitions(struct store *store, uint32_t *numbers, unsigned int max);

/**
 * store_load_objects() - all rows of a partition, ascending by their number
 * @store:	the store
 * @partition:	its number
 * @take:	called for each; @o is valid during the call; returns 0 or -errno
 * @opaque:	handed to @take
 *
 * Return: 0, -EBADMSG, or what @take gave.
 */
int store_load_objects(struct store *store, uint32_t partition,
		       int (*take)(void *opaque, const struct store_object *o), void *opaque);

/**
 * store_get_audit() - a line of the audit log
 * @store:	the store
 * @seq:	its number
 * @plain:	out: room for STORE_AUDIT_MAX bytes
 * @len:	out: bytes
 *
 * To be called within a transaction or between store_lock() and store_unlock().
 *
 * Return: false if it is not there, or is not what was written.
 */
bool store_get_audit(struct store *store, uint64_t seq, uint8_t *plain, size_t *len);

/** store_lock(), store_unlock() - for reading lines while nobody writes */
void store_lock(struct store *store);
void store_unlock(struct store *store);

/**
 * store_begin() - begin a transaction; waits for the one under way
 *
 * Return: true; false if the store failed, then there is no transaction.
 */
bool store_begin(struct store *store);

/**
 * store_watch() - have somebody hear of it while this transaction's statements run
 * @store:	the store
 * @alive:	called from time to time, in this thread, until the transaction ends
 * @opaque:	handed to @alive
 */
void store_watch(struct store *store, void (*alive)(void *opaque), void *opaque);

/* Each returns false if the store failed: then store_rollback(). */
bool store_put_record(struct store *store, uint32_t number, const uint8_t *plain, size_t len);
bool store_delete_partition(struct store *store, uint32_t number);
bool store_delete_objects(struct store *store, uint32_t number);
bool store_put_object(struct store *store, const struct store_object *o);
bool store_delete_object(struct store *store, uint32_t partition, uint64_t no);
/* A line of the audit log: @len bytes under its number; and all lines below @seq */
bool store_put_audit(struct store *store, uint64_t seq, const uint8_t *plain, size_t len);
bool store_delete_audit(struct store *store, uint64_t below);

/**
 * store_commit() - end the transaction
 *
 * Return: true: it is in force, and on the disk if the store is durable; false:
 * nothing of it happened.
 */
bool store_commit(struct store *store);
void store_rollback(struct store *store);

/** store_erase_traces() - after something secret was deleted: empty the write-ahead log */
void store_erase_traces(struct store *store);

/** store_object_size() - bytes that an object of @plain bytes takes of a quota */
size_t store_object_size(size_t plain);

#endif /* FIRMWARE_STORE_STORE_H */
