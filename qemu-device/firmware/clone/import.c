// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The target's side: sealed batches into objects.
 */
#include <stdlib.h>
#include <string.h>

#include "clone/clone.h"
#include "core/ops.h"
#include "message/template.h"
#include "message/wire.h"
#include "objects/make.h"
#include "objects/rules.h"

#define RECORD_LEN	sizeof(struct pciehsm_clone_record)
#define RESULT_LEN	sizeof(struct pciehsm_clone_result)

struct record {
	uint8_t		ouid[PCIEHSM_OUID_LEN];
	struct version	version;
	uint32_t	flags;
	struct fw_bytes	template;
	CK_RV		rv;
	struct object	*session;	/* to be put under the session afterwards */
};

/* ---- opening ---- */

static void drop_plain(struct channel *ch)
{
	fw_wipe_free(ch->plain, ch->plain_len);
	ch->plain = NULL;
	ch->plain_len = 0;
}

/*
 * Why it will not open, if that can be seen. Whoever changes the head gets another
 * reason, and nothing else: the seal is what counts.
 */
static CK_RV look_at_head(const struct channel *ch, struct fw_bytes *blob)
{
	uint64_t seq, len;

	if (blob->len < sizeof(struct pciehsm_blob))
		return PCIEHSM_CKR_TRUNCATED;
	seq = wire_get64(blob->p);
	len = wire_get64(blob->p + 8);
	blob->p += sizeof(struct pciehsm_blob);
	blob->len -= sizeof(struct pciehsm_blob);
	if (len != blob->len)
		return PCIEHSM_CKR_TRUNCATED;
	if (seq <= ch->seq)
		return PCIEHSM_CKR_REPLAYED;
	return seq == ch->seq + 1 ? CKR_OK : PCIEHSM_CKR_OUT_OF_ORDER;
}

/*
 * Opens the blob, or finds that it is open already: its answer did not fit, or the
 * store failed, and now it comes again.
 */
static CK_RV open_blob(struct call *c, struct channel *ch)
{
	uint8_t hash[FW_SHA256_LEN];
	struct fw_bytes blob;
	CK_RV rv;

	blob.p = message_bytes(&c->in, PCIEHSM_F_BLOB, &blob.len);
	rv = fw_sha256(&blob, 1, hash);
	if (rv != CKR_OK)
		return rv;
	if (ch->plain && memcmp(hash, ch->blob, sizeof(hash)) == 0)
		return CKR_OK;
	drop_plain(ch);
	rv = look_at_head(ch, &blob);
	if (rv != CKR_OK)
		return rv;
	ch->plain = malloc(blob.len);
	if (!ch->plain)
		return CKR_HOST_MEMORY;
	ch->plain_len = blob.len;
	memcpy(ch->blob, hash, sizeof(hash));
	rv = fw_channel_open(ch->crypto, blob, ch->plain, &ch->plain_len);
	if (rv == CKR_OK)
		ch->seq++;
	else
		drop_plain(ch);
	return rv;
}

/* Keys of a card that does not keep the same rules are not taken. */
static CK_RV policies_agree(struct call *c, const struct channel *ch)
{
	if (ch->plain_len < sizeof(struct pciehsm_batch))
		return PCIEHSM_CKR_CHANNEL_DATA;
	return wire_get32(ch->plain) == clone_policies(c) ? CKR_OK : PCIEHSM_CKR_CLONE_POLICY;
}

/* One record; what a card of ours never writes ends the channel. */
static bool read_record(const uint8_t **p, size_t *left, struct record *r)
{
	static const uint8_t zero[PCIEHSM_OUID_LEN];
	size_t len;

	if (*left < RECORD_LEN)
		return false;
	memset(r, 0, sizeof(*r));
	memcpy(r->ouid, *p, PCIEHSM_OUID_LEN);
	r->version.counter = wire_get64(*p + 16);
	r->version.writer = wire_get64(*p + 24);
	r->flags = wire_get32(*p + 32);
	len = wire_get32(*p + 36);
	*p += RECORD_LEN;
	*left -= RECORD_LEN;
	if (len > *left || len % 8 || memcmp(r->ouid, zero, sizeof(zero)) == 0 ||
	    r->version.counter < 1 || r->version.counter > COUNTER_LIMIT || !r->version.writer)
		return false;
	r->template.p = *p;
	r->template.len = len;
	*p += len;
	*left -= len;
	if (r->flags == PCIEHSM_CHANGE_DELETED)
		return len == 0;
	return (r->flags == 0 || r->flags == PCIEHSM_RECORD_SESSION) &&
	       template_valid(r->template.p, len);
}

static CK_RV read_records(const struct channel *ch, struct record **list, size_t *count)
{
	size_t left = ch->plain_len - sizeof(struct pciehsm_batch), room = left / RECORD_LEN;
	size_t n = 0;
	struct record *records = malloc((room + 1) * sizeof(*records));
	const uint8_t *p = ch->plain + sizeof(struct pciehsm_batch);

	if (!records)
		return CKR_HOST_MEMORY;
	while (left && n < room && read_record(&p, &left, &records[n]))
		n++;
	if (left || clone_duplicates(records[0].ouid, n, sizeof(*records))) {
		free(records);
		return PCIEHSM_CKR_CHANNEL_DATA;
	}
	*list = records;
	*count = n;
	return CKR_OK;
}

/* ---- taking ---- */

static CK_RV object_of(const struct record *r, const struct clone_rules *rules,
		       struct object **object)
{
	struct fw_attrs attrs = { 0 };
	struct object *o;
	CK_RV rv;

	rv = template_to_attrs(r->template.p, r->template.len, &attrs);
	if (rv == CKR_OK && !rules_sound(&attrs))
		rv = CKR_TEMPLATE_INCONSISTENT;
	if (rv != CKR_OK) {
		fw_attrs_wipe(&attrs);
		return rv;
	}
	o = object_new(r->ouid, &r->version, &attrs);
	if (!o)
		return CKR_HOST_MEMORY;
	if (!clone_allowed(rules, o->class))
		rv = PCIEHSM_CKR_NOT_CLONABLE;
	else if (!(o->flags & OBJ_TOKEN) != (r->flags == PCIEHSM_RECORD_SESSION))
		rv = CKR_TEMPLATE_INCONSISTENT;
	if (rv != CKR_OK)
		object_put(o);
	else
		*object = o;
	return rv;
}

static CK_RV take_token(struct change *ch, struct record *r, const struct clone_rules *rules)
{
	struct entry *e = table_find(&ch->p->table, r->ouid);
	struct object *o;
	CK_RV rv;

	if (e && !version_newer(&r->version, &e->version))
		return PCIEHSM_CKR_STALE;
	if (r->flags & PCIEHSM_CHANGE_DELETED)
		return change_bury(ch, r->ouid, &r->version);
	rv = object_of(r, rules, &o);
	if (rv == CKR_OK)
		rv = change_put(ch, o);
	return rv;
}

static CK_RV take_session(struct call *c, struct record *r, const struct clone_rules *rules)
{
	struct version have;
	struct entry *e;

	pthread_mutex_lock(&c->ctx->lock);
	e = table_find(&c->ctx->objects, r->ouid);
	if (e)
		have = e->version;
	pthread_mutex_unlock(&c->ctx->lock);
	if (e && !version_newer(&r->version, &have))
		return PCIEHSM_CKR_STALE;
	return object_of(r, rules, &r->session);
}

static CK_RV take_all(struct call *c, const struct channel *channel, struct record *records,
		      size_t count)
{
	struct clone_rules rules = clone_rules(c);
	struct change ch;
	struct record *r;
	CK_RV rv;

	rv = change_begin(&ch, c->part);
	if (rv != CKR_OK)
		return rv;
	ch.call = c;
	if (atomic_load(&c->part->epoch) != c->epoch)
		rv = CKR_USER_NOT_LOGGED_IN;
	else if (channel->collections != atomic_load(&c->part->collections))
		rv = PCIEHSM_CKR_CHANNEL;
	for (r = records; rv == CKR_OK && r < records + count; r++) {
		if (r->flags == PCIEHSM_RECORD_SESSION)
			r->rv = take_session(c, r, &rules);
		else
			r->rv = take_token(&ch, r, &rules);
		if (r->rv == CKR_HOST_MEMORY)
			rv = r->rv;
		else if (!call_step(c))
			rv = CKR_FUNCTION_CANCELED;
	}
	if (rv != CKR_OK || !ch.count) {
		change_abort(&ch);
		return rv;
	}
	return change_commit(&ch);
}

static void put_results(struct call *c, struct record *records, size_t count)
{
	uint64_t taken = 0;
	struct record *r;
	uint8_t *p;

	/* There is room: that was asked for before anything was done. */
	p = answer_open(&c->out, PCIEHSM_F_RESULTS, count * RESULT_LEN);
	for (r = records; r < records + count; r++, p += RESULT_LEN) {
		if (r->session) {
			r->rv = make_session_object(c, r->session);
			r->session = NULL;
		}
		taken += r->rv == CKR_OK;
		clone_put_result(p, r->ouid, r->rv);
	}
	answer_close(&c->out, count * RESULT_LEN);
	partition_count(c->part, PCIEHSM_STAT_CLONED_IN, taken);
}

static CK_RV import(struct call *c, struct channel *ch)
{
	struct record *records = NULL;
	size_t count = 0, i;
	CK_RV rv;

	rv = open_blob(c, ch);
	if (rv == CKR_OK)
		rv = policies_agree(c, ch);
	/* It stays refused, whatever else comes of this channel. */
	if (rv == PCIEHSM_CKR_CLONE_POLICY)
		drop_plain(ch);
	if (rv == CKR_OK)
		rv = read_records(ch, &records, &count);
	if (rv == CKR_OK)
		rv = answer_room(&c->out, 1, count * RESULT_LEN);
	if (rv == CKR_OK)
		rv = take_all(c, ch, records, count);
	if (rv == CKR_OK) {
		put_results(c, records, count);
		drop_plain(ch);
	}
	for (i = 0; i < count; i++)
		object_put(records[i].session);
	free(records);
	return rv;
}

/* A batch like this never comes from the other end as it was sealed. */
static bool broken(CK_RV rv)
{
	return rv == PCIEHSM_CKR_CHANNEL_DATA || rv == PCIEHSM_CKR_REPLAYED ||
	       rv == PCIEHSM_CKR_OUT_OF_ORDER || rv == PCIEHSM_CKR_TRUNCATED;
}

CK_RV op_clone_import(struct call *c)
{
	struct channel *ch = clone_hold(c);
	bool end = false;
	CK_RV rv;

	if (!ch)
		return PCIEHSM_CKR_CHANNEL;
	if (ch->source || !ch->open) {
		rv = PCIEHSM_CKR_CHANNEL;
	} else if (ch->collections != atomic_load(&c->part->collections)) {
		/* What it brings may have a tombstone that is not there any more. */
		rv = PCIEHSM_CKR_CHANNEL;
		end = true;
	} else if (message_field(&c->in, PCIEHSM_F_BLOB)->len) {
		rv = import(c, ch);
		end = broken(rv);
	} else {
		answer_put(&c->out, PCIEHSM_F_RESULTS, NULL, 0);
		rv = CKR_OK;
	}
	clone_release(c, ch, end);
	return rv;
}
