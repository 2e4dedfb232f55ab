// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Cloning channels between members: made when they are first needed, kept, and made anew
 * when one end has forgotten them. A channel's batches have to arrive in the order in
 * which they were sealed, so its lock is held over a batch's way.
 */
#include <endian.h>
#include <stdlib.h>

#include "engine.h"

/*
 * End a channel: a card has room for few in each context, so it has to be told. But after a
 * reset the number may be another one's already. @from, @to: is that end worth a message?
 */
static void channel_close(struct ha_channel *channel, bool from, bool to)
{
	if (!channel->open)
		return;
	channel->open = false;
	if (from && atomic_load(&channel->from->resets) == channel->from_resets)
		pciehsm_clone_close(channel->from->t, channel->from_id);
	if (to && atomic_load(&channel->to->resets) == channel->to_resets)
		pciehsm_clone_close(channel->to->t, channel->to_id);
}

/* No lock is held. */
static void channel_put(struct ha_channel *channel)
{
	struct ha_token *token = channel->from->token;
	struct ha *ha = channel->from->ha;
	bool from, to;

	if (atomic_fetch_sub(&channel->refs, 1) != 1)
		return;
	/* A context that was dropped is about to end, and its channels with it. */
	ha_lock(ha, &token->lock);
	from = !channel->from->dropped;
	to = !channel->to->dropped;
	ha_unlock(ha, &token->lock);
	channel_close(channel, from, to);
	ha->env->ops->mutex_destroy(ha->env, &channel->lock);
	ha_conn_put(channel->from);
	ha_conn_put(channel->to);
	free(channel);
}

static struct ha_channel *channel_get(struct ha_conn *from, struct ha_conn *to)
{
	struct ha_token *token = from->token;
	struct ha *ha = from->ha;
	struct ha_channel *channel;

	ha_lock(ha, &token->lock);
	for (channel = token->channels; channel; channel = channel->next)
		if (channel->from == from && channel->to == to)
			break;
	if (!channel) {
		channel = calloc(1, sizeof(*channel));
		if (channel) {
			channel->from = ha_conn_get(from);
			channel->to = ha_conn_get(to);
			ha->env->ops->mutex_init(ha->env, &channel->lock);
			atomic_init(&channel->refs, 0);
			/* The last calls of a context that was dropped: nobody would free it. */
			if (!from->dropped && !to->dropped) {
				channel->next = token->channels;
				token->channels = channel;
				atomic_init(&channel->refs, 1);
			}
		}
	}
	if (channel)
		atomic_fetch_add(&channel->refs, 1);
	ha_unlock(ha, &token->lock);
	return channel;
}

void ha_channels_drop(struct ha_conn *conn)
{
	struct ha_token *token = conn->token;
	struct ha *ha = conn->ha;
	struct ha_channel **at, *channel, *dropped = NULL;

	ha_lock(ha, &token->lock);
	for (at = &token->channels; (channel = *at);) {
		if (channel->from != conn && channel->to != conn) {
			at = &channel->next;
			continue;
		}
		*at = channel->next;
		channel->next = dropped;
		dropped = channel;
	}
	ha_unlock(ha, &token->lock);
	while (dropped) {
		channel = dropped;
		dropped = channel->next;
		channel_put(channel);
	}
}

/* The handshake; channel->lock is held. */
static CK_RV channel_open(struct ha_channel *channel, bool *source)
{
	void *offer = NULL, *hello = NULL;
	size_t offer_len, hello_len;
	CK_RV rv;

	*source = false;
	channel->from_resets = atomic_load(&channel->from->resets);
	channel->to_resets = atomic_load(&channel->to->resets);
	rv = pciehsm_clone_offer(channel->to->t, &channel->to_id, &offer, &offer_len);
	if (rv != CKR_OK)
		return rv;
	rv = pciehsm_clone_start(channel->from->t, offer, offer_len, &channel->from_id,
				 &hello, &hello_len);
	free(offer);
	if (rv != CKR_OK) {
		pciehsm_clone_close(channel->to->t, channel->to_id);
		*source = true;
		/* A bad offer is the fault of who made it. */
		if (rv == PCIEHSM_CKR_CERTIFICATE)
			*source = false;
		return rv;
	}
	rv = pciehsm_clone_accept(channel->to->t, channel->to_id, hello, hello_len);
	free(hello);
	channel->open = true;
	if (rv != CKR_OK)
		channel_close(channel, true, !pciehsm_rv_is_transport(rv));
	return rv;
}

/* One batch; channel->lock is held. */
static CK_RV channel_batch(struct ha_channel *channel, uint32_t session,
			   const struct ha_ouid *ouids, size_t n, size_t *done, CK_RV *results,
			   bool *source)
{
	struct pciehsm_clone_result *out = NULL, *in = NULL;
	size_t n_out = 0, n_in = 0, i, k;
	size_t blob_len = 0;
	void *blob = NULL;
	CK_RV rv;

	*source = true;
	rv = pciehsm_clone_export(channel->from->t, session, channel->from_id, ouids->b, n, &blob,
				  &blob_len, &out, &n_out);
	if (rv != CKR_OK)
		return rv;
	if (n_out > n || !n_out) {
		rv = PCIEHSM_RV_BAD_ANSWER;
		goto out;
	}
	*source = false;
	rv = pciehsm_clone_import(channel->to->t, session, channel->to_id, blob, blob_len, &in,
				  &n_in);
	if (rv != CKR_OK)
		goto out;
	for (i = 0; i < n_out; i++) {
		results[i] = le32toh(out[i].rv);
		if (results[i] != CKR_OK)
			continue;
		/* What was sealed has a result of its own at the other end. */
		results[i] = CKR_DEVICE_ERROR;
		for (k = 0; k < n_in; k++)
			if (!memcmp(in[k].ouid, ouids[i].b, PCIEHSM_OUID_LEN))
				results[i] = le32toh(in[k].rv);
	}
	*done = n_out;
out:
	free(blob);
	free(out);
	free(in);
	return rv;
}

/* A new channel may do: the ends have lost count, or one message was lost. */
static bool worth_repeating(CK_RV rv)
{
	switch (rv & ~PCIEHSM_RV_UNKNOWN_BIT) {
	case PCIEHSM_RV_RESET_NOT_EXECUTED:
	case PCIEHSM_RV_FAULT_NOT_EXECUTED:
		return true;
	default:
		return rv == PCIEHSM_CKR_CHANNEL || rv == PCIEHSM_CKR_CHANNEL_DATA ||
		       rv == PCIEHSM_CKR_REPLAYED || rv == PCIEHSM_CKR_OUT_OF_ORDER ||
		       rv == PCIEHSM_CKR_TRUNCATED;
	}
}

CK_RV ha_channel_move(struct ha_conn *from, struct ha_conn *to, uint32_t session,
		      const struct ha_ouid *ouids, size_t n, size_t *done, CK_RV *results,
		      bool *source)
{
	struct ha *ha = from->ha;
	struct ha_channel *channel;
	unsigned int from_logins, to_logins;
	CK_RV rv = CKR_OK;
	bool lost;
	int tries;

	*done = 0;
	*source = true;
	if (n > HA_BATCH)
		n = HA_BATCH;
	channel = channel_get(from, to);
	if (!channel)
		return CKR_HOST_MEMORY;
	for (tries = 0; tries < HA_STRIKES_MAX; tries++) {
		*source = true;
		rv = ha_conn_ready(from);
		if (rv != CKR_OK)
			break;
		*source = false;
		rv = ha_conn_ready(to);
		if (rv != CKR_OK)
			break;
		from_logins = atomic_load(&from->logins);
		to_logins = atomic_load(&to->logins);
		ha_lock(ha, &channel->lock);
		rv = channel->open ? CKR_OK : channel_open(channel, source);
		if (rv == CKR_OK)
			rv = channel_batch(channel, session, ouids, n, done, results, source);
		/* After any failure nobody knows whether both ends still count alike. */
		lost = pciehsm_rv_is_transport(rv);
		if (rv != CKR_OK)
			channel_close(channel, !lost || !*source, !lost || *source);
		ha_unlock(ha, &channel->lock);
		if (rv == CKR_USER_NOT_LOGGED_IN)
			ha_conn_logged_out(*source ? from : to,
					   *source ? from_logins : to_logins);
		else if (!worth_repeating(rv))
			break;
	}
	channel_put(channel);
	return rv;
}
