/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One end of a cloning channel, as a context keeps it.
 */
#ifndef FIRMWARE_CLONE_CHANNEL_H
#define FIRMWARE_CLONE_CHANNEL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "crypto/channel.h"

/**
 * struct channel - one end
 * @next:	of the context
 * @refs:	of the context and of messages that use it
 * @lock:	held while a message uses what follows
 * @id:		the context's number for it
 * @crypto:	what seals or opens
 * @source:	it is the source's end
 * @open:	batches can go: a source's end, or a target's that has accepted
 * @seq:	of the last batch that was sealed or opened
 * @collections: of the partition when the offer was made
 * @plain:	a batch that is open but not yet imported: its answer did not fit. A secret.
 * @plain_len:	its bytes
 * @blob:	SHA-256 of the blob it came from
 */
struct channel {
	struct channel		*next;
	atomic_uint		refs;
	pthread_mutex_t		lock;
	uint32_t		id;
	struct fw_channel	*crypto;
	bool			source;
	bool			open;
	uint64_t		seq;
	uint64_t		collections;
	uint8_t			*plain;
	size_t			plain_len;
	uint8_t			blob[FW_SHA256_LEN];
};

/** channel_put() - give a reference back; the last one wipes it */
void channel_put(struct channel *ch);

#endif /* FIRMWARE_CLONE_CHANNEL_H */
