// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Searching. The cursor of a page is the number of its last object: numbers grow in
 * the order of creation and are never used again, so a page begins where the
 * one before ended, whatever was created or destroyed between.
 */
#include <stdlib.h>
#include <string.h>

#include "core/ops.h"
#include "message/template.h"
#include "objects/access.h"
#include "objects/rules.h"

struct hit {
	uint64_t	no;
	uint8_t		ouid[PCIEHSM_OUID_LEN];
};

struct search {
	uint32_t	role;
	const uint8_t	*template;
	size_t		len;
	uint64_t	after;
	size_t		max;
	bool		tokens;
	bool		sessions;
};

static bool matches(const struct search *s, const struct object *o)
{
	struct template_iter it = TEMPLATE_ITER(s->template, s->len);
	struct attr a;

	if (!access_sees(s->role, o) || !rules_match(&o->attrs, s->template, s->len))
		return false;
	/* Nobody can find out a secret by guessing it. */
	while (template_next(&it, &a))
		if (object_unreadable(o, a.type))
			return false;
	return true;
}

/* The OUID in a CKA_UNIQUE_ID, see rules_unique_id(); false: no object's is written so. */
static bool read_ouid(const struct attr *a, uint8_t ouid[PCIEHSM_OUID_LEN])
{
	static const char digits[] = "0123456789abcdef";
	const char *high, *low;
	unsigned int i;

	if (a->len != 2 * PCIEHSM_OUID_LEN)
		return false;
	for (i = 0; i < PCIEHSM_OUID_LEN; i++) {
		high = memchr(digits, a->value[2 * i], 16);
		low = memchr(digits, a->value[2 * i + 1], 16);
		if (!high || !low)
			return false;
		ouid[i] = (uint8_t)((high - digits) << 4 | (low - digits));
	}
	return true;
}

/* The one object that can have this CKA_UNIQUE_ID, or none */
static size_t look_up(const struct table *t, const struct attr *a, struct entry **entry)
{
	uint8_t ouid[PCIEHSM_OUID_LEN];

	*entry = read_ouid(a, ouid) ? table_find(t, ouid) : NULL;
	return *entry && (*entry)->object;
}

/*
 * The shortest list among which all that match are; @one is room for a list of one. All
 * objects, if nothing that is asked for tells them apart: values that nearly all have
 * (what an attribute is by default, the empty value) are in no index, whose lists would
 * be no shorter.
 */
static const struct entry_list *shortest(const struct search *s, const struct table *t,
					 struct entry_list *one)
{
	struct template_iter it = TEMPLATE_ITER(s->template, s->len);
	const struct entry_list *best = &t->order, *l;
	struct attr a;

	while (template_next(&it, &a)) {
		if (a.type == CKA_UNIQUE_ID) {
			one->count = look_up(t, &a, one->list);
			return one;
		}
		if (!rules_telling(a.type, a.value, a.len))
			continue;
		l = table_candidates(t, a.type, a.value, a.len);
		if (l->count < best->count)
			best = l;
	}
	return best;
}

/* Fills in up to @s->max hits of one table; the table is locked. */
static size_t search_table(const struct search *s, const struct table *t, struct hit *hits)
{
	struct entry *entry;
	struct entry_list one = { .list = &entry };
	const struct entry_list *l = shortest(s, t, &one);
	size_t i, n = 0;

	for (i = list_after(l, s->after); i < l->count && n < s->max; i++) {
		if (!matches(s, l->list[i]->object))
			continue;
		hits[n].no = l->list[i]->no;
		memcpy(hits[n].ouid, l->list[i]->ouid, PCIEHSM_OUID_LEN);
		n++;
	}
	return n;
}

/* CKA_TOKEN says in which of the two tables it can be. */
static void look_where(struct search *s)
{
	struct template_iter it = TEMPLATE_ITER(s->template, s->len);
	struct attr a;

	s->tokens = true;
	s->sessions = true;
	while (template_next(&it, &a))
		if (a.type == CKA_TOKEN && a.len == 1) {
			s->tokens &= a.value[0] == 1;
			s->sessions &= a.value[0] == 0;
		}
}

static CK_RV put_page(struct call *c, const struct hit *a, size_t a_count,
		      const struct hit *b, size_t b_count, size_t limit)
{
	size_t count = a_count + b_count, i;
	bool more = count > limit;
	const struct hit *next;
	uint64_t last = 0;
	uint8_t *p;

	if (more)
		count = limit;
	p = answer_open(&c->out, PCIEHSM_F_OUIDS, count * PCIEHSM_OUID_LEN);
	if (!p)
		return CKR_BUFFER_TOO_SMALL;
	for (i = 0; i < count; i++, p += PCIEHSM_OUID_LEN) {
		/* Token and session objects have numbers from one counter. */
		if (!b_count || (a_count && a->no < b->no)) {
			next = a++;
			a_count--;
		} else {
			next = b++;
			b_count--;
		}
		memcpy(p, next->ouid, PCIEHSM_OUID_LEN);
		last = next->no;
	}
	answer_close(&c->out, count * PCIEHSM_OUID_LEN);
	answer_u64(&c->out, PCIEHSM_F_CURSOR, more ? last : 0);
	return CKR_OK;
}

CK_RV op_object_find(struct call *c)
{
	const size_t overhead = 2 * sizeof(struct pciehsm_field) + 8;
	struct search s = { .role = c->role };
	size_t limit, room, token, session;
	struct hit *hits;
	CK_RV rv;

	s.template = message_bytes(&c->in, PCIEHSM_F_TEMPLATE, &s.len);
	s.after = message_u64(&c->in, PCIEHSM_F_CURSOR, 0);
	limit = message_u32(&c->in, PCIEHSM_F_LIMIT, 0);
	if (!limit)
		return CKR_ARGUMENTS_BAD;
	/* A page is as long as the answer has room for, but at least one object. */
	room = c->out.size - c->out.len;
	room = room > overhead ? (room - overhead) / PCIEHSM_OUID_LEN : 0;
	if (limit > room)
		limit = room ? room : 1;
	s.max = limit + 1;
	hits = malloc(2 * s.max * sizeof(*hits));
	if (!hits)
		return CKR_HOST_MEMORY;
	look_where(&s);
	pthread_rwlock_rdlock(&c->part->lock);
	token = !s.tokens ? 0 : search_table(&s, &c->part->table, hits);
	pthread_rwlock_unlock(&c->part->lock);
	pthread_mutex_lock(&c->ctx->lock);
	session = !s.sessions ? 0 : search_table(&s, &c->ctx->objects, hits + s.max);
	pthread_mutex_unlock(&c->ctx->lock);
	rv = put_page(c, hits, token, hits + s.max, session, limit);
	free(hits);
	return rv;
}
