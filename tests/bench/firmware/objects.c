// SPDX-License-Identifier: GPL-2.0-or-later
/* Finding, making and importing objects. */
#include "bench.h"

#include <sqlite3.h>

#define FIND_MANY	100000
#define FIND_FEW	100
#define IMPORTED	10000
#define ONE_BY_ONE	1000
/* Of one message with OUIDs; the source may deal with fewer of them. */
#define BATCH		2000

static struct card *durable_card(uint64_t serial)
{
	struct card *c = card_ready(serial, DOMAIN);

	c->config.durable = true;
	card_power_cycle(c);
	assert_ok(card_login(c, c->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
	return c;
}

/* ---- find ---- */

struct find {
	struct card	*many;
	struct card	*few;
};

static void find_one(struct card *c, unsigned int n)
{
	unsigned int count;

	while (n--) {
		assert_ok(card_find(c, CTX_CO, "label 50", &count, NULL));
		assert_int_equal(count, 1);
	}
}

static void find_many(void *opaque, unsigned int n)
{
	find_one(((struct find *)opaque)->many, n);
}

static void find_few(void *opaque, unsigned int n)
{
	find_one(((struct find *)opaque)->few, n);
}

static struct card *filled_card(uint64_t serial, unsigned int count)
{
	struct card *c = card_ready(serial, DOMAIN);
	char label[32];
	unsigned int i;

	for (i = 0; i < count; i++) {
		snprintf(label, sizeof(label), "label %u", i);
		assert_ok(card_data(c, CTX_CO, 1000 + i, label, true));
	}
	return c;
}

void bench_find(void)
{
	struct find f = { filled_card(4720, FIND_MANY), filled_card(4721, FIND_FEW) };

	bench_cpu_ratio("find by label, 100,000 to 100", find_many, find_few, &f, 0.5);
	card_free(f.many);
	card_free(f.few);
}

/* ---- create ---- */

/**
 * struct create - creation against a bare commit of as many bytes
 * @card:	ours, with a durable store
 * @n:		number of the next object
 * @insert:	the peer's
 */
struct create {
	struct card	*card;
	uint32_t	n;
	sqlite3		*db;
	sqlite3_stmt	*insert;
};

static unsigned long create_key(struct card *c, uint32_t n)
{
	static const uint8_t value[32] = "0123456789abcdef0123456789abcde";

	return card_aes(c, CTX_CO, n, value, sizeof(value), true);
}

static void create_ours(void *opaque, unsigned int n)
{
	struct create *b = opaque;

	while (n--)
		assert_ok(create_key(b->card, b->n++));
}

static void create_peer(void *opaque, unsigned int n)
{
	struct create *b = opaque;

	while (n--) {
		assert_int_equal(sqlite3_step(b->insert), SQLITE_DONE);
		sqlite3_reset(b->insert);
	}
}

static void open_peer(struct create *b)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/peer.db", card_dir());
	assert_int_equal(sqlite3_open(path, &b->db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(b->db, "PRAGMA journal_mode = WAL;"
				      "PRAGMA synchronous = FULL;"
				      "CREATE TABLE t (v BLOB)", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(b->db, "INSERT INTO t VALUES (randomblob(1024))", -1,
					    &b->insert, NULL), SQLITE_OK);
}

/* ---- import ---- */

struct ends {
	struct card	*from;
	struct card	*to;
	uint32_t	source;
	uint32_t	target;
};

static unsigned long run(struct fwmsg *m, struct card *c)
{
	return fwmsg_run(m, c->fw, c->part, CTX_CO);
}

static void connect_ends(struct ends *e)
{
	struct fwmsg offer, hello, m;
	const uint8_t *p;
	size_t len;

	fwmsg_begin(&offer, PCIEHSM_OP_CLONE_OFFER, 0);
	assert_ok(run(&offer, e->to));
	e->target = fwmsg_get_u32(&offer, PCIEHSM_F_CHANNEL);
	p = fwmsg_get(&offer, PCIEHSM_F_OFFER, &len);
	fwmsg_begin(&hello, PCIEHSM_OP_CLONE_START, 0);
	fwmsg_bytes(&hello, PCIEHSM_F_OFFER, p, len);
	assert_ok(run(&hello, e->from));
	e->source = fwmsg_get_u32(&hello, PCIEHSM_F_CHANNEL);
	p = fwmsg_get(&hello, PCIEHSM_F_HELLO, &len);
	fwmsg_begin(&m, PCIEHSM_OP_CLONE_ACCEPT, 0);
	fwmsg_u32(&m, PCIEHSM_F_CHANNEL, e->target);
	fwmsg_bytes(&m, PCIEHSM_F_HELLO, p, len);
	assert_ok(run(&m, e->to));
	fwmsg_free(&m);
	fwmsg_free(&hello);
	fwmsg_free(&offer);
}

/* One batch beginning with object @n; returns how many it was. */
static unsigned int import_batch(struct ends *e, uint32_t n, unsigned int count, double *took)
{
	uint8_t *ouids = malloc((size_t)count * PCIEHSM_OUID_LEN);
	const struct pciehsm_clone_result *results;
	struct fwmsg out, in;
	const uint8_t *blob;
	unsigned int i;
	double begin;
	size_t len;

	assert_non_null(ouids);
	for (i = 0; i < count; i++)
		ouid_of(ouids + i * PCIEHSM_OUID_LEN, n + i);
	fwmsg_begin(&out, PCIEHSM_OP_CLONE_EXPORT, 0);
	fwmsg_u32(&out, PCIEHSM_F_CHANNEL, e->source);
	fwmsg_bytes(&out, PCIEHSM_F_OUIDS, ouids, (size_t)count * PCIEHSM_OUID_LEN);
	free(ouids);
	assert_ok(run(&out, e->from));
	fwmsg_begin(&in, PCIEHSM_OP_CLONE_IMPORT, 0);
	fwmsg_u32(&in, PCIEHSM_F_CHANNEL, e->target);
	blob = fwmsg_get(&out, PCIEHSM_F_BLOB, &len);
	fwmsg_bytes(&in, PCIEHSM_F_BLOB, blob, len);
	begin = bench_now();
	assert_ok(run(&in, e->to));
	*took += bench_now() - begin;
	results = (const void *)fwmsg_get(&in, PCIEHSM_F_RESULTS, &len);
	count = (unsigned int)(len / sizeof(*results));
	assert_true(count > 0);
	for (i = 0; i < count; i++)
		assert_int_equal(results[i].rv, CKR_OK);
	fwmsg_free(&out);
	fwmsg_free(&in);
	return count;
}

static void compare_import(void)
{
	struct ends e = { card_ready(4731, DOMAIN), durable_card(4732), 0, 0 };
	double took = 0, one = 0, begin;
	unsigned int done, i;

	for (i = 0; i < IMPORTED; i++)
		assert_ok(create_key(e.from, 1000 + i));
	connect_ends(&e);
	for (done = 0; done < IMPORTED; ) {
		unsigned int count = IMPORTED - done < BATCH ? IMPORTED - done : BATCH;

		done += import_batch(&e, 1000 + done, count, &took);
	}
	begin = bench_now();
	for (i = 0; i < ONE_BY_ONE; i++)
		assert_ok(create_key(e.to, 1000 + IMPORTED + i));
	one = bench_now() - begin;
	bench_line("import of 10,000, to one by one", IMPORTED / took, ONE_BY_ONE / one,
		   IMPORTED / took / (ONE_BY_ONE / one), 20);
	card_free(e.from);
	card_free(e.to);
}

void bench_create(void)
{
	struct create b = { .card = durable_card(4730), .n = 1000 };

	open_peer(&b);
	bench_ratio("create a token key", create_ours, create_peer, &b, 0.5);
	bench_note("create a token key: the peer is SQLite (WAL, FULL) committing 1 KiB.\n");
	sqlite3_finalize(b.insert);
	sqlite3_close(b.db);
	card_free(b.card);
	compare_import();
}
