// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Cloning channels: setting them up and ending them.
 */
#include "clone/clone.h"

#include <stdlib.h>
#include <string.h>

#include "core/ops.h"
#include "hsm/policy.h"
#include "message/wire.h"

void channel_put(struct channel *ch)
{
	if (!ch || atomic_fetch_sub(&ch->refs, 1) != 1)
		return;
	fw_channel_free(ch->crypto);
	fw_wipe_free(ch->plain, ch->plain_len);
	pthread_mutex_destroy(&ch->lock);
	free(ch);
}

/* Keeps a channel under the context; takes it over if that succeeds. */
static CK_RV keep(struct call *c, struct fw_channel *crypto, bool source, uint32_t *id)
{
	struct context *ctx = c->ctx;
	struct channel *ch = calloc(1, sizeof(*ch));
	CK_RV rv;

	if (!ch)
		return CKR_HOST_MEMORY;
	atomic_init(&ch->refs, 1);
	pthread_mutex_init(&ch->lock, NULL);
	pthread_mutex_lock(&ctx->lock);
	rv = context_holds(ctx, c->role, c->epoch);
	if (rv == CKR_OK && ctx->channel_count >= CONTEXT_MAX_CHANNELS)
		rv = CKR_DEVICE_MEMORY;
	if (rv == CKR_OK) {
		ch->crypto = crypto;
		ch->source = source;
		ch->open = source;
		ch->collections = atomic_load(&c->part->collections);
		ch->id = ctx->next_channel++;
		ch->next = ctx->channels;
		ctx->channels = ch;
		ctx->channel_count++;
		*id = ch->id;
	}
	pthread_mutex_unlock(&ctx->lock);
	if (rv != CKR_OK)
		channel_put(ch);
	return rv;
}

struct channel *clone_hold(struct call *c)
{
	uint32_t id = message_u32(&c->in, PCIEHSM_F_CHANNEL, 0);
	struct channel *ch;

	pthread_mutex_lock(&c->ctx->lock);
	for (ch = c->ctx->channels; ch && ch->id != id; ch = ch->next)
		;
	if (ch)
		atomic_fetch_add(&ch->refs, 1);
	pthread_mutex_unlock(&c->ctx->lock);
	if (ch)
		pthread_mutex_lock(&ch->lock);
	return ch;
}

static void forget(struct context *ctx, struct channel *ch)
{
	struct channel **slot;

	pthread_mutex_lock(&ctx->lock);
	for (slot = &ctx->channels; *slot; slot = &(*slot)->next)
		if (*slot == ch) {
			*slot = ch->next;
			ctx->channel_count--;
			channel_put(ch);
			break;
		}
	pthread_mutex_unlock(&ctx->lock);
}

void clone_release(struct call *c, struct channel *ch, bool end)
{
	pthread_mutex_unlock(&ch->lock);
	if (end)
		forget(c->ctx, ch);
	channel_put(ch);
}

struct clone_rules clone_rules(struct call *c)
{
	struct clone_rules r;
	bool card = hsm_allows(c->fw, HSM_POLICY_CLONING);

	/* A partition is never less strict than its HSM. */
	r.private = card && partition_policy(c->part, POLICY_PRIVATE_CLONING);
	r.secret = card && partition_policy(c->part, POLICY_SECRET_CLONING);
	return r;
}

uint32_t clone_policies(struct call *c)
{
	return hsm_allows(c->fw, HSM_POLICY_NON_FIPS) ? 0 : PCIEHSM_BATCH_APPROVED_ONLY;
}

bool clone_allowed(const struct clone_rules *r, uint32_t class)
{
	if (class == CKO_PRIVATE_KEY)
		return r->private;
	if (class == CKO_SECRET_KEY)
		return r->secret;
	return true;
}

void clone_put_result(uint8_t *p, const uint8_t ouid[PCIEHSM_OUID_LEN], CK_RV rv)
{
	memcpy(p, ouid, PCIEHSM_OUID_LEN);
	wire_put32(p + 16, (uint32_t)rv);
	wire_put32(p + 20, 0);
}

static int compare(const void *a, const void *b)
{
	return memcmp(*(const uint8_t *const *)a, *(const uint8_t *const *)b, PCIEHSM_OUID_LEN);
}

bool clone_duplicates(const uint8_t *ouids, size_t count, size_t stride)
{
	const uint8_t **sorted = malloc(count * sizeof(*sorted) + 1);
	bool twice = false;
	size_t i;

	/* Without memory: rather refuse what is right. */
	if (!sorted)
		return true;
	for (i = 0; i < count; i++)
		sorted[i] = ouids + i * stride;
	if (count)
		qsort(sorted, count, sizeof(*sorted), compare);
	for (i = 1; i < count && !twice; i++)
		twice = memcmp(sorted[i - 1], sorted[i], PCIEHSM_OUID_LEN) == 0;
	free(sorted);
	return twice;
}

static void copy_domain_key(struct call *c, uint8_t key[FW_DOMAIN_KEY_LEN])
{
	pthread_rwlock_rdlock(&c->part->lock);
	memcpy(key, c->part->state.domain_key, FW_DOMAIN_KEY_LEN);
	pthread_rwlock_unlock(&c->part->lock);
}

/* Keeps the channel if what comes with it fits into the answer; takes it over. */
static CK_RV answer_channel(struct call *c, struct fw_channel *crypto, bool source,
			    uint16_t field, const uint8_t *data, size_t len)
{
	uint32_t id;
	CK_RV rv;

	rv = answer_room(&c->out, 2, 8 + wire_pad(len));
	if (rv == CKR_OK)
		rv = keep(c, crypto, source, &id);
	if (rv != CKR_OK) {
		fw_channel_free(crypto);
		return rv;
	}
	answer_u32(&c->out, PCIEHSM_F_CHANNEL, id);
	answer_put(&c->out, field, data, len);
	return CKR_OK;
}

CK_RV op_clone_offer(struct call *c)
{
	size_t len = FW_OFFER_MAX;
	uint8_t *offer = malloc(len);
	struct fw_channel *crypto;
	CK_RV rv;

	if (!offer)
		return CKR_HOST_MEMORY;
	rv = fw_channel_offer(c->fw->identity, c->part->serial_text, offer, &len, &crypto);
	if (rv == CKR_OK)
		rv = answer_channel(c, crypto, false, PCIEHSM_F_OFFER, offer, len);
	free(offer);
	return rv;
}

CK_RV op_clone_start(struct call *c)
{
	uint8_t key[FW_DOMAIN_KEY_LEN];
	size_t len = FW_HELLO_MAX;
	uint8_t *hello = malloc(len);
	struct fw_channel *crypto;
	struct fw_bytes offer;
	CK_RV rv;

	if (!hello)
		return CKR_HOST_MEMORY;
	offer.p = message_bytes(&c->in, PCIEHSM_F_OFFER, &offer.len);
	copy_domain_key(c, key);
	rv = fw_channel_start(c->fw->identity, c->part->serial_text, key, offer, hello, &len,
			      &crypto);
	fw_wipe(key, sizeof(key));
	if (rv == CKR_OK)
		rv = answer_channel(c, crypto, true, PCIEHSM_F_HELLO, hello, len);
	free(hello);
	return rv;
}

CK_RV op_clone_accept(struct call *c)
{
	uint8_t key[FW_DOMAIN_KEY_LEN];
	struct channel *ch = clone_hold(c);
	struct fw_bytes hello;
	CK_RV rv;

	if (!ch)
		return PCIEHSM_CKR_CHANNEL;
	hello.p = message_bytes(&c->in, PCIEHSM_F_HELLO, &hello.len);
	copy_domain_key(c, key);
	rv = fw_channel_accept(ch->crypto, key, hello);
	fw_wipe(key, sizeof(key));
	if (rv == CKR_OK)
		ch->open = true;
	/* Asking at the wrong end harms nothing; anything else ended the channel. */
	clone_release(c, ch, rv != CKR_OK && rv != PCIEHSM_CKR_CHANNEL);
	return rv;
}

CK_RV op_clone_close(struct call *c)
{
	struct channel *ch = clone_hold(c);

	if (!ch)
		return PCIEHSM_CKR_CHANNEL;
	clone_release(c, ch, true);
	return CKR_OK;
}
