// SPDX-License-Identifier: GPL-2.0-or-later
#include "hsm/state.h"

#include <stdlib.h>

#include "hsm/policy.h"
#include "message/wire.h"

/* Of records: 1 had no marks of peers, 2 no challenges and no sum over rows */
#define STATE_FORMAT	3

/* A record is a sequence of numbers and of byte strings with their length. */
struct cursor {
	uint8_t		*out;
	const uint8_t	*in;
	size_t		at;
	size_t		size;
	bool		failed;
};

static bool take(struct cursor *c, size_t n)
{
	if (c->failed || n > c->size - c->at)
		c->failed = true;
	return !c->failed;
}

/* One function for both directions, so that they can not differ. */
static void number(struct cursor *c, uint64_t *value)
{
	if (!take(c, 8))
		return;
	if (c->out)
		wire_put64(c->out + c->at, *value);
	else
		*value = wire_get64(c->in + c->at);
	c->at += 8;
}

static void number32(struct cursor *c, uint32_t *value)
{
	uint64_t v = *value;

	number(c, &v);
	if (v > UINT32_MAX)
		c->failed = true;
	*value = (uint32_t)v;
}

static void boolean(struct cursor *c, bool *value)
{
	uint64_t v = *value;

	number(c, &v);
	if (v > 1)
		c->failed = true;
	*value = v != 0;
}

static void bytes(struct cursor *c, void *value, size_t len)
{
	if (!take(c, len))
		return;
	if (c->out)
		memcpy(c->out + c->at, value, len);
	else
		memcpy(value, c->in + c->at, len);
	c->at += len;
}

static void blob(struct cursor *c, uint8_t **value, size_t *len)
{
	uint64_t n = *len;

	number(c, &n);
	if (!take(c, n))
		return;
	if (!c->out) {
		*value = malloc(n ? n : 1);
		if (!*value) {
			c->failed = true;
			return;
		}
		*len = n;
	}
	if (n)
		bytes(c, *value, n);
}

static void role_secret(struct cursor *c, struct role_secret *s)
{
	number32(c, &s->iterations);
	bytes(c, s->salt, sizeof(s->salt));
	bytes(c, s->hash, sizeof(s->hash));
}

static void role(struct cursor *c, struct role *r)
{
	boolean(c, &r->initialised);
	boolean(c, &r->must_change);
	number32(c, &r->failures);
	role_secret(c, &r->password);
}

/* Few roles have one, and the record is written with every change: a bit for each that does. */
static void challenges(struct cursor *c, struct role *roles)
{
	uint32_t there = 0, activated = 0, i;

	for (i = 0; i < ROLE_COUNT; i++) {
		there |= (uint32_t)(roles[i].challenge.iterations != 0) << i;
		activated |= (uint32_t)roles[i].activated << i;
	}
	number32(c, &there);
	number32(c, &activated);
	if (there >> ROLE_COUNT || activated & ~there)
		c->failed = true;
	for (i = 0; !c->failed && i < ROLE_COUNT; i++) {
		roles[i].activated = activated >> i & 1;
		if (there >> i & 1)
			role_secret(c, &roles[i].challenge);
	}
}

static void roles_and_policies(struct cursor *c, uint32_t v, struct role *roles,
			       uint32_t *policies)
{
	unsigned int i;

	for (i = 0; i < ROLE_COUNT; i++)
		role(c, &roles[i]);
	for (i = 0; i < POLICY_COUNT; i++)
		number32(c, &policies[i]);
	if (v >= 3)
		challenges(c, roles);
}

static void label(struct cursor *c, char *text)
{
	bytes(c, text, LABEL_MAX);
	text[LABEL_MAX] = '\0';
}

/* The format of what is read; what is written has the newest. */
static uint32_t format(struct cursor *c)
{
	uint32_t v = STATE_FORMAT;

	number32(c, &v);
	if (v < 1 || v > STATE_FORMAT)
		c->failed = true;
	return v;
}

static void marks(struct cursor *c, struct partition_state *s)
{
	unsigned int i;

	number32(c, &s->mark_count);
	if (s->mark_count > PCIEHSM_PEERS_MAX)
		c->failed = true;
	for (i = 0; !c->failed && i < s->mark_count; i++) {
		number(c, &s->marks[i].serial);
		number(c, &s->marks[i].seq);
	}
}

static void hsm(struct cursor *c, struct hsm_state *s)
{
	uint32_t v = format(c);

	boolean(c, &s->initialised);
	boolean(c, &s->zeroized);
	boolean(c, &s->tampered);
	label(c, s->label);
	number32(c, &s->next_number);
	number(c, &s->power_on);
	roles_and_policies(c, v, s->roles, s->policies);
	blob(c, &s->secret, &s->secret_len);
	blob(c, &s->certs, &s->certs_len);
}

static void partition(struct cursor *c, struct partition_state *s)
{
	uint32_t v = format(c);
	unsigned int i;

	number32(c, &s->index);
	number(c, &s->size);
	boolean(c, &s->initialised);
	label(c, s->label);
	bytes(c, s->incarnation, sizeof(s->incarnation));
	bytes(c, s->domain_key, sizeof(s->domain_key));
	roles_and_policies(c, v, s->roles, s->policies);
	number(c, &s->seq);
	for (i = 0; i < 4; i++)
		number(c, &s->sum[i]);
	number32(c, &s->objects);
	number32(c, &s->tombstones);
	if (v >= 2)
		marks(c, s);
	if (!c->out)
		s->rows_known = v >= 3;
	for (i = 0; v >= 3 && i < 4; i++)
		number(c, &s->rows[i]);
}

size_t hsm_state_encode(const struct hsm_state *state, uint8_t *out)
{
	struct cursor c = { .out = out, .size = RECORD_MAX };

	/* Written to only when decoding. */
	hsm(&c, (struct hsm_state *)state);
	return c.failed ? 0 : c.at;
}

bool hsm_state_decode(struct hsm_state *state, const uint8_t *in, size_t len)
{
	struct cursor c = { .in = in, .size = len };

	memset(state, 0, sizeof(*state));
	hsm(&c, state);
	if (!c.failed && c.at == len)
		return true;
	hsm_state_wipe(state);
	return false;
}

bool hsm_state_copy(struct hsm_state *dst, const struct hsm_state *src)
{
	*dst = *src;
	dst->secret = malloc(src->secret_len + 1);
	dst->certs = malloc(src->certs_len + 1);
	if (!dst->secret || !dst->certs) {
		free(dst->secret);
		free(dst->certs);
		fw_wipe(dst, sizeof(*dst));
		return false;
	}
	if (src->secret_len)
		memcpy(dst->secret, src->secret, src->secret_len);
	if (src->certs_len)
		memcpy(dst->certs, src->certs, src->certs_len);
	return true;
}

void hsm_state_wipe(struct hsm_state *state)
{
	fw_wipe_free(state->secret, state->secret_len);
	free(state->certs);
	fw_wipe(state, sizeof(*state));
}

size_t partition_state_encode(const struct partition_state *state, uint8_t *out)
{
	struct cursor c = { .out = out, .size = RECORD_MAX };

	partition(&c, (struct partition_state *)state);
	return c.failed ? 0 : c.at;
}

bool partition_state_decode(struct partition_state *state, const uint8_t *in, size_t len)
{
	struct cursor c = { .in = in, .size = len };

	memset(state, 0, sizeof(*state));
	partition(&c, state);
	if (!c.failed && c.at == len)
		return true;
	fw_wipe(state, sizeof(*state));
	return false;
}

void partition_state_blank(struct partition_state *state)
{
	state->initialised = false;
	memset(state->label, 0, sizeof(state->label));
	fw_wipe(state->domain_key, sizeof(state->domain_key));
	fw_wipe(state->roles, sizeof(state->roles));
	policy_partition_defaults(state->policies);
}
