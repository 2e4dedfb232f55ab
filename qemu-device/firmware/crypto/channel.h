/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cloning channel, as the "Cloning" paragraph of <pciehsm/fw.h> says: from the
 * target's offer to batches that only the target can open, in order.
 *
 *	target				source
 *	fw_channel_offer()	offer ->
 *				<- hello	fw_channel_start()
 *	fw_channel_accept()
 *				<- blob		fw_channel_seal()
 *	fw_channel_open()
 *
 * A channel is not locked: one thread at a time. An error of accept or open ends
 * it: every later call answers PCIEHSM_CKR_CHANNEL.
 */
#ifndef PCIEHSM_CRYPTO_CHANNEL_H
#define PCIEHSM_CRYPTO_CHANNEL_H

#include "crypto/identity.h"
#include "crypto/secret.h"

struct fw_channel;

/* Room that an offer and a hello never need more than; certificates included. */
#define FW_OFFER_MAX		16384
#define FW_HELLO_MAX		16384
/* What a blob is longer than its contents */
#define FW_CHANNEL_OVERHEAD	16

/**
 * fw_channel_offer() - the target makes an offer
 * @id:		the target's card; must outlive the call only
 * @serial:	the target partition's
 * @offer:	out: the offer's bytes, room FW_OFFER_MAX
 * @offer_len:	in: room; out: bytes
 * @channel:	out: to be freed by fw_channel_free()
 *
 * Return: CKR_OK, CKR_ARGUMENTS_BAD (@serial is not one of this card's),
 * CKR_BUFFER_TOO_SMALL, CKR_HOST_MEMORY, CKR_FUNCTION_FAILED.
 */
CK_RV fw_channel_offer(const struct fw_identity *id, const char *serial,
		       uint8_t *offer, size_t *offer_len, struct fw_channel **channel);

/**
 * fw_channel_start() - the source takes an offer up
 * @id:		the source's card
 * @serial:	the source partition's
 * @domain_key:	of the source partition
 * @offer:	what fw_channel_offer() gave, from the other card
 * @hello:	out: the hello's bytes, room FW_HELLO_MAX
 * @hello_len:	in: room; out: bytes
 * @channel:	out: to be freed by fw_channel_free()
 *
 * Return: CKR_OK; PCIEHSM_CKR_CERTIFICATE (the chain is not the maker's, the signature
 * is wrong, or the serial is not that card's); CKR_ARGUMENTS_BAD (not an offer, or
 * @serial is not one of this card's); CKR_BUFFER_TOO_SMALL; CKR_HOST_MEMORY;
 * CKR_FUNCTION_FAILED.
 */
CK_RV fw_channel_start(const struct fw_identity *id, const char *serial,
		       const uint8_t domain_key[FW_DOMAIN_KEY_LEN], struct fw_bytes offer,
		       uint8_t *hello, size_t *hello_len, struct fw_channel **channel);

/**
 * fw_channel_accept() - the target takes the hello
 * @channel:	from fw_channel_offer()
 * @domain_key:	of the target partition
 * @hello:	what fw_channel_start() gave
 *
 * Return: CKR_OK; PCIEHSM_CKR_DOMAIN_MISMATCH (the confirmation does not open);
 * PCIEHSM_CKR_CERTIFICATE; CKR_ARGUMENTS_BAD (not a hello);
 * PCIEHSM_CKR_CHANNEL (not an offer's end, accepted already, or ended).
 */
CK_RV fw_channel_accept(struct fw_channel *channel, const uint8_t domain_key[FW_DOMAIN_KEY_LEN],
			struct fw_bytes hello);

/**
 * fw_channel_seal() - the source seals the next batch
 * @channel:	from fw_channel_start()
 * @plain:	the records
 * @out:	room for plain.len + FW_CHANNEL_OVERHEAD bytes; may be @plain's own memory
 * @out_len:	out: bytes
 *
 * Each batch sealed must be opened, in this order: what is sealed and then thrown away
 * makes the next one fail.
 *
 * Return: CKR_OK; PCIEHSM_CKR_CHANNEL (not a source's end); CKR_FUNCTION_FAILED.
 */
CK_RV fw_channel_seal(struct fw_channel *channel, struct fw_bytes plain,
		      uint8_t *out, size_t *out_len);

/**
 * fw_channel_open() - the target opens the next batch
 * @channel:	that accepted
 * @blob:	from fw_channel_seal()
 * @out:	room for @blob's length; may be its own memory. Wiped on failure.
 * @out_len:	out: bytes; a secret
 *
 * Return: CKR_OK; PCIEHSM_CKR_CHANNEL_DATA (repeated, out of order, cut, changed);
 * PCIEHSM_CKR_CHANNEL (not accepted yet, or ended).
 */
CK_RV fw_channel_open(struct fw_channel *channel, struct fw_bytes blob,
		      uint8_t *out, size_t *out_len);

/** fw_channel_peer() - serial of the partition at the other end; "" while not known */
const char *fw_channel_peer(const struct fw_channel *channel);

/** fw_channel_free() - wipe and free. May be NULL. */
void fw_channel_free(struct fw_channel *channel);

#endif /* PCIEHSM_CRYPTO_CHANNEL_H */
