/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the card remembers of the HSM and of each partition beside the objects,
 * and how that is written down.
 */
#ifndef FIRMWARE_HSM_STATE_H
#define FIRMWARE_HSM_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pciehsm/fw.h>

#include "crypto/secret.h"

#define LABEL_MAX		32
#define INCARNATION_LEN		16

/**
 * struct role_secret - a password or a challenge
 * @iterations:	cost that @hash was made with; 0: there is none
 * @salt:	of @hash
 * @hash:	fw_pin_hash() of it
 */
struct role_secret {
	uint32_t	iterations;
	uint8_t		salt[FW_PIN_SALT_LEN];
	uint8_t		hash[FW_PIN_HASH_LEN];
};

/**
 * struct role - one role and its secrets
 * @initialised:	it has a password
 * @must_change:	set by somebody else: good for changing it only
 * @activated:		the challenge is good for a login. Written down with all the rest, as it
 *			costs nothing; partition_load() decides whether it outlived the power.
 * @failures:		wrong passwords in a row, counted before they are checked
 * @password:		its password
 * @challenge:		its challenge; see "Activation" in fw.h
 */
struct role {
	bool			initialised;
	bool			must_change;
	bool			activated;
	uint32_t		failures;
	struct role_secret	password;
	struct role_secret	challenge;
};

#define ROLE_COUNT		(PCIEHSM_ROLE_AU + 1)
#define POLICY_COUNT		64

/**
 * struct hsm_state - the HSM
 * @next_number:	of the partition to be created next
 * @power_on:		how often the card was switched on
 * @secret:		the identity's private key, as fw_identity_secret() gave it
 * @certs:		and its certificates
 */
struct hsm_state {
	bool		initialised;
	bool		zeroized;
	bool		tampered;
	char		label[LABEL_MAX + 1];
	uint32_t	next_number;
	uint64_t	power_on;
	struct role	roles[ROLE_COUNT];
	uint32_t	policies[POLICY_COUNT];
	uint8_t		*secret;
	size_t		secret_len;
	uint8_t		*certs;
	size_t		certs_len;
};

/** struct mark - a peer and how far it has followed this partition's change log */
struct mark {
	uint64_t	serial;
	uint64_t	seq;
};

/**
 * struct partition_state - a partition
 * @index:		1 to max_partitions
 * @size:		bytes of quota
 * @seq:		number of the last change; grows for as long as there is the partition,
 *			whatever becomes of its contents
 * @sum:		of the digest over all objects and tombstones, see objects/table.h
 * @rows:		over the sequences of their last changes, see there
 * @rows_known:		false: an older firmware wrote the record, without @rows
 * @objects:		how many objects the store must have
 * @tombstones:		and tombstones
 * @mark_count:		peers
 * @marks:		and what they have seen
 *
 * @seq to @tombstones make a store noticeable in which rows were deleted, restored
 * from an older copy or added.
 */
struct partition_state {
	uint32_t	index;
	uint64_t	size;
	bool		initialised;
	char		label[LABEL_MAX + 1];
	uint8_t		incarnation[INCARNATION_LEN];
	uint8_t		domain_key[FW_DOMAIN_KEY_LEN];
	struct role	roles[ROLE_COUNT];
	uint32_t	policies[POLICY_COUNT];
	uint64_t	seq;
	uint64_t	sum[4];
	uint64_t	rows[4];
	bool		rows_known;
	uint32_t	objects;
	uint32_t	tombstones;
	uint32_t	mark_count;
	struct mark	marks[PCIEHSM_PEERS_MAX];
};

/* The greatest record; the store has buffers of this size. */
#define RECORD_MAX		32768

/**
 * hsm_state_encode() - write the HSM's state down
 * @state:	the state
 * @out:	room for RECORD_MAX bytes; a secret
 *
 * Return: bytes, 0 if it does not fit.
 */
size_t hsm_state_encode(const struct hsm_state *state, uint8_t *out);

/** hsm_state_decode() - the reverse; false if it is not one. hsm_state_wipe() after use. */
bool hsm_state_decode(struct hsm_state *state, const uint8_t *in, size_t len);

/** hsm_state_copy() - a copy with memory of its own; false without memory */
bool hsm_state_copy(struct hsm_state *dst, const struct hsm_state *src);

/** hsm_state_wipe() - wipe, and free what it owns */
void hsm_state_wipe(struct hsm_state *state);

/** partition_state_encode() - as hsm_state_encode() */
size_t partition_state_encode(const struct partition_state *state, uint8_t *out);

/** partition_state_decode() - as hsm_state_decode(); owns no memory */
bool partition_state_decode(struct partition_state *state, const uint8_t *in, size_t len);

/** partition_state_blank() - no label, roles, domain or own policies any more: to be initialised */
void partition_state_blank(struct partition_state *state);

#endif /* FIRMWARE_HSM_STATE_H */
