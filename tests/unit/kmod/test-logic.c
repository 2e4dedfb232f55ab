// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The driver's decisions (kmod/logic.c), where possible against all of their input.
 *
 * Built twice: as a module of KUnit, for the debug kernel, and as a plain program,
 * where userspace/kunit/test.h stands in for the kernel's.
 */
#include <kunit/test.h>

#include "logic.h"

#define STATES (PCIEHSM_STATE_DEAD + 1)

/* ---- rings ---- */

static void ring_next(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, hsm_ring_next(0, 2), 1);
	KUNIT_EXPECT_EQ(test, hsm_ring_next(1, 2), 0);
	KUNIT_EXPECT_EQ(test, hsm_ring_next(1022, 1024), 1023);
	KUNIT_EXPECT_EQ(test, hsm_ring_next(1023, 1024), 0);
	KUNIT_EXPECT_EQ(test, hsm_ring_next(65534, 65535), 0);
}

static void ring_used(struct kunit *test)
{
	/* Against counting. */
	for (u16 depth = 2; depth <= 9; depth++)
		for (u16 head = 0; head < depth; head++)
			for (u16 tail = 0; tail < depth; tail++) {
				u16 n = 0;

				for (u16 i = head; i != tail; i = hsm_ring_next(i, depth))
					n++;
				KUNIT_EXPECT_EQ(test, hsm_ring_used(head, tail, depth), n);
			}
}

static void ring_head_valid(struct kunit *test)
{
	for (u16 depth = 2; depth <= 9; depth++)
		for (u16 old = 0; old < depth; old++)
			for (u16 tail = 0; tail < depth; tail++)
				for (u16 new = 0; new < depth + 3; new++) {
					bool valid = new == old;

					for (u16 i = old; i != tail;) {
						i = hsm_ring_next(i, depth);
						valid |= new == i;
					}
					KUNIT_EXPECT_EQ(test, hsm_ring_head_valid(old, new, tail, depth),
							 valid);
				}
}

static void cid(struct kunit *test)
{
	for (unsigned int slot = 0; slot < HSM_MAX_DEPTH; slot++)
		for (unsigned int gen = 0; gen < 256; gen++) {
			u16 c = hsm_cid(slot, gen);

			KUNIT_EXPECT_EQ(test, hsm_cid_slot(c), slot);
			KUNIT_EXPECT_EQ(test, hsm_cid_gen(c), gen % (1 << HSM_GEN_BITS));
		}
	/* Two uses of a slot in a row never have the same name. */
	for (unsigned int gen = 0; gen < 256; gen++)
		KUNIT_EXPECT_NE(test, hsm_cid(5, gen), hsm_cid(5, (u8)(gen + 1)));
}

/* ---- states ---- */

static void states_allowed(struct kunit *test)
{
	static const struct {
		enum pciehsm_state from, to;
	} allowed[] = {
		{ PCIEHSM_STATE_NEW, PCIEHSM_STATE_CONNECTING },
		{ PCIEHSM_STATE_NEW, PCIEHSM_STATE_DELETING },
		{ PCIEHSM_STATE_CONNECTING, PCIEHSM_STATE_LIVE },
		{ PCIEHSM_STATE_CONNECTING, PCIEHSM_STATE_RESETTING },
		{ PCIEHSM_STATE_CONNECTING, PCIEHSM_STATE_DELETING },
		{ PCIEHSM_STATE_LIVE, PCIEHSM_STATE_RESETTING },
		{ PCIEHSM_STATE_LIVE, PCIEHSM_STATE_DELETING },
		{ PCIEHSM_STATE_RESETTING, PCIEHSM_STATE_CONNECTING },
		{ PCIEHSM_STATE_RESETTING, PCIEHSM_STATE_DELETING },
		{ PCIEHSM_STATE_DELETING, PCIEHSM_STATE_DEAD },
	};
	for (int from = 0; from < STATES + 2; from++)
		for (int to = 0; to < STATES + 2; to++) {
			bool want = false;

			for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
				want |= (int)allowed[i].from == from && (int)allowed[i].to == to;
			KUNIT_EXPECT_EQ(test, hsm_state_may_change(from, to), want);
		}
}

static void states_terminal(struct kunit *test)
{
	/* Terminal is what nothing else can be reached from. */
	for (int from = 0; from < STATES; from++) {
		bool live, seen[STATES] = { false };

		seen[from] = true;
		for (int pass = 0; pass < STATES; pass++)
			for (int a = 0; a < STATES; a++)
				for (int b = 0; b < STATES; b++)
					seen[b] |= seen[a] && hsm_state_may_change(a, b);
		live = seen[PCIEHSM_STATE_LIVE];
		KUNIT_EXPECT_EQ(test, hsm_state_terminal(from), !live);
		/* From everywhere there is a way to the end. */
		KUNIT_EXPECT_TRUE(test, seen[PCIEHSM_STATE_DEAD]);
	}
}

static void states_named(struct kunit *test)
{
	for (int a = 0; a < STATES; a++) {
		KUNIT_EXPECT_STRNEQ(test, hsm_state_name(a), "unknown");
		for (int b = 0; b < a; b++)
			KUNIT_EXPECT_STRNEQ(test, hsm_state_name(a), hsm_state_name(b));
	}
	KUNIT_EXPECT_STREQ(test, hsm_state_name(STATES), "unknown");
	KUNIT_EXPECT_STREQ(test, hsm_state_name(PCIEHSM_STATE_LIVE), "live");
}

/* ---- completions ---- */

static const struct hsm_cqe_view good = {
	.qid = 3, .sq_id = 3, .nslots = 63, .gen = 70, .used = true, .inflight = true,
};

static enum hsm_cqe_kind classify(struct hsm_cqe_view v)
{
	return hsm_cqe_classify(&v);
}

static void cqe(struct kunit *test)
{
	struct hsm_cqe_view v = good;

	v.cid = hsm_cid(7, 70);
	KUNIT_EXPECT_EQ(test, classify(v), HSM_CQE_FINAL);
	v.status = PCIEHSM_SC_PROGRESS << 1 | 1;
	KUNIT_EXPECT_EQ(test, classify(v), HSM_CQE_PROGRESS);
	v.status = PCIEHSM_SC_ABORTED << 1 | PCIEHSM_CQE_NOT_EXECUTED;
	KUNIT_EXPECT_EQ(test, classify(v), HSM_CQE_FINAL);
}

static void cqe_unknown(struct kunit *test)
{
	struct hsm_cqe_view v = good;

	v.cid = hsm_cid(7, 70);
	v.sq_id = 4;
	KUNIT_EXPECT_EQ(test, classify(v), HSM_CQE_UNKNOWN);
	v = good;
	v.cid = hsm_cid(63, 70);
	KUNIT_EXPECT_EQ(test, classify(v), HSM_CQE_UNKNOWN);
	v.cid = hsm_cid(62, 70);
	KUNIT_EXPECT_EQ(test, classify(v), HSM_CQE_FINAL);
	v.used = false;
	KUNIT_EXPECT_EQ(test, classify(v), HSM_CQE_UNKNOWN);
}

static void cqe_stale(struct kunit *test)
{
	for (unsigned int gen = 0; gen < 64; gen++) {
		struct hsm_cqe_view v = good;

		v.cid = hsm_cid(7, gen);
		KUNIT_EXPECT_EQ(test, classify(v), gen == 70 % 64 ? HSM_CQE_FINAL : HSM_CQE_STALE);
		v.inflight = false;
		KUNIT_EXPECT_EQ(test, classify(v), gen == 70 % 64 ? HSM_CQE_DUPLICATE : HSM_CQE_STALE);
		/* A late sign of life is no better. */
		v.status = PCIEHSM_SC_PROGRESS << 1;
		KUNIT_EXPECT_EQ(test, classify(v), gen == 70 % 64 ? HSM_CQE_DUPLICATE : HSM_CQE_STALE);
	}
}

static u16 status(enum pciehsm_status code)
{
	return code << 1;
}

static void status_errno(struct kunit *test)
{
	for (int timed_out = 0; timed_out < 2; timed_out++) {
		KUNIT_EXPECT_EQ(test, hsm_status_errno(status(PCIEHSM_SC_SUCCESS), timed_out), 0);
		KUNIT_EXPECT_EQ(test, hsm_status_errno(status(PCIEHSM_SC_INVALID_PARTITION), timed_out),
				 -ENODEV);
		KUNIT_EXPECT_EQ(test, hsm_status_errno(status(PCIEHSM_SC_CONTEXT_LIMIT), timed_out),
				 -ENOMEM);
		KUNIT_EXPECT_EQ(test, hsm_status_errno(status(PCIEHSM_SC_MSG_SIZE), timed_out),
				 -EMSGSIZE);
		KUNIT_EXPECT_EQ(test, hsm_status_errno(status(PCIEHSM_SC_MSG_MISMATCH), timed_out),
				 -EINVAL);
		KUNIT_EXPECT_EQ(test, hsm_status_errno(status(PCIEHSM_SC_OUT_SIZE), timed_out), -EINVAL);
		KUNIT_EXPECT_EQ(test, hsm_status_errno(status(PCIEHSM_SC_INTERNAL), timed_out), -EIO);
	}
	KUNIT_EXPECT_EQ(test, hsm_status_errno(status(PCIEHSM_SC_ABORTED), true), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, hsm_status_errno(status(PCIEHSM_SC_ABORTED), false), -ECANCELED);
	/* Whatever else a card may say is its own fault; phase and bit 15 mean nothing here. */
	for (unsigned int s = 0; s < 0x10000; s++) {
		int err = hsm_status_errno(s, false);

		KUNIT_EXPECT_EQ(test, err, hsm_status_errno(s & 0x7ffe, false));
		if (PCIEHSM_CQE_STATUS(s) > PCIEHSM_SC_OUT_SIZE)
			KUNIT_EXPECT_EQ(test, err, -EIO);
	}
}

static void status_outcome(struct kunit *test)
{
	for (unsigned int s = 0; s < 0x10000; s++) {
		enum pciehsm_outcome want = PCIEHSM_OUTCOME_UNKNOWN;

		if (!(s & 0x7ffe))
			want = PCIEHSM_OUTCOME_DONE;
		else if (s & 0x8000)
			want = PCIEHSM_OUTCOME_NOT_EXECUTED;
		KUNIT_EXPECT_EQ(test, hsm_status_outcome(s), want);
	}
}

/* ---- messages ---- */

static void msg_lengths(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, hsm_msg_lengths_ok(16, 16, 4096), 0);
	KUNIT_EXPECT_EQ(test, hsm_msg_lengths_ok(4096, 4096, 4096), 0);
	KUNIT_EXPECT_EQ(test, hsm_msg_lengths_ok(15, 16, 4096), -EINVAL);
	KUNIT_EXPECT_EQ(test, hsm_msg_lengths_ok(16, 15, 4096), -EINVAL);
	KUNIT_EXPECT_EQ(test, hsm_msg_lengths_ok(0, 16, 4096), -EINVAL);
	KUNIT_EXPECT_EQ(test, hsm_msg_lengths_ok(4097, 16, 4096), -EMSGSIZE);
	KUNIT_EXPECT_EQ(test, hsm_msg_lengths_ok(16, 4097, 4096), -EMSGSIZE);
	KUNIT_EXPECT_EQ(test, hsm_msg_lengths_ok(U32_MAX, U32_MAX, 4096), -EMSGSIZE);
}

static void msg_header(struct kunit *test)
{
	/* All combinations of the three bits, kinds of node and of descriptor. */
	for (unsigned int bits = 0; bits < 8; bits++)
		for (int node = 0; node < 2; node++)
			for (int writable = 0; writable < 2; writable++) {
				u32 op = bits << 16 | 0x123;
				bool ok = (bits & (node ? 1 : 2)) && (!(bits & 4) || writable);

				KUNIT_EXPECT_EQ(test, hsm_msg_header_ok(32, op, 32, node, writable),
						 ok ? 0 : -EACCES);
				KUNIT_EXPECT_EQ(test, hsm_msg_header_ok(31, op, 32, node, writable),
						 -EINVAL);
				KUNIT_EXPECT_EQ(test, hsm_msg_header_ok(33, op, 32, node, writable),
						 -EINVAL);
			}
	KUNIT_EXPECT_EQ(test, hsm_msg_header_ok(16, PCIEHSM_OP_PING, 16, true, false), 0);
	KUNIT_EXPECT_EQ(test, hsm_msg_header_ok(16, PCIEHSM_OP_PING, 16, false, false), 0);
	KUNIT_EXPECT_EQ(test, hsm_msg_header_ok(16, PCIEHSM_OP_HSM_INIT, 16, true, true), 0);
	KUNIT_EXPECT_EQ(test, hsm_msg_header_ok(16, PCIEHSM_OP_HSM_INIT, 16, true, false), -EACCES);
	KUNIT_EXPECT_EQ(test, hsm_msg_header_ok(16, PCIEHSM_OP_HSM_INIT, 16, false, true), -EACCES);
}

/* ---- queues ---- */

static void io_queues(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, hsm_io_queues(8, 64, 65, 64), 8);
	KUNIT_EXPECT_EQ(test, hsm_io_queues(8, 4, 65, 64), 4);
	KUNIT_EXPECT_EQ(test, hsm_io_queues(8, 64, 4, 64), 3);
	KUNIT_EXPECT_EQ(test, hsm_io_queues(8, 64, 65, 2), 2);
	KUNIT_EXPECT_EQ(test, hsm_io_queues(1000, 1000, 1000, 1000), PCIEHSM_MAX_IO_QUEUES);
	KUNIT_EXPECT_EQ(test, hsm_io_queues(8, 64, 2, 64), 1);
	/* One vector for all, and nonsense from the card. */
	KUNIT_EXPECT_EQ(test, hsm_io_queues(8, 64, 1, 64), 1);
	KUNIT_EXPECT_EQ(test, hsm_io_queues(8, 0, 65, 64), 1);
}

/* ---- the ladder ---- */

static void ladder(struct kunit *test)
{
	for (int s = 0; s < STATES; s++)
		for (unsigned int bits = 0; bits < 32; bits++) {
			struct hsm_ladder_view v = {
				.state		= s,
				.gone		= bits & 1,
				.offline	= bits & 2,
				.fatal		= bits & 4,
				.admin		= bits & 8,
				.aborted	= bits & 16,
			};
			enum hsm_rung want = HSM_RUNG_WAIT;

			if (s != PCIEHSM_STATE_DELETING && s != PCIEHSM_STATE_DEAD && !v.offline) {
				if (v.gone)
					want = HSM_RUNG_DEAD;
				else if (s == PCIEHSM_STATE_CONNECTING)
					want = HSM_RUNG_FAIL_START;
				else if (s == PCIEHSM_STATE_LIVE)
					want = v.fatal || v.admin || v.aborted ? HSM_RUNG_RESET :
										 HSM_RUNG_ABORT;
			}
			KUNIT_EXPECT_EQ(test, hsm_ladder(&v), want);
		}
}

/* Every way up the ladder ends, after at most one abort. */
static void ladder_ends(struct kunit *test)
{
	struct hsm_ladder_view v = { .state = PCIEHSM_STATE_LIVE };

	KUNIT_EXPECT_EQ(test, hsm_ladder(&v), HSM_RUNG_ABORT);
	v.aborted = true;
	KUNIT_EXPECT_EQ(test, hsm_ladder(&v), HSM_RUNG_RESET);
	v.state = PCIEHSM_STATE_RESETTING;
	KUNIT_EXPECT_EQ(test, hsm_ladder(&v), HSM_RUNG_WAIT);
	v.state = PCIEHSM_STATE_CONNECTING;
	KUNIT_EXPECT_EQ(test, hsm_ladder(&v), HSM_RUNG_FAIL_START);
}

static void recovery(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, hsm_recovery_ms(2000, 5000), 8000);
	KUNIT_EXPECT_TRUE(test, hsm_recovery_ms(100, 500) > 600);
}

static void storm(struct kunit *test)
{
	struct hsm_storm s = { 0 };

	for (unsigned int i = 0; i < 3; i++)
		KUNIT_EXPECT_FALSE(test, hsm_storm_hit(&s, 1000 + i, 3600, 3));
	KUNIT_EXPECT_TRUE(test, hsm_storm_hit(&s, 1003, 3600, 3));
	/* Later the first ones do not count any more. */
	memset(&s, 0, sizeof(s));
	for (unsigned int i = 0; i < 1000; i++)
		KUNIT_EXPECT_FALSE(test, hsm_storm_hit(&s, i * 1200, 3600, 3));
	KUNIT_EXPECT_TRUE(test, hsm_storm_hit(&s, 999 * 1200 + 1, 3600, 3));
	/* No limit, and the greatest that fits. */
	memset(&s, 0, sizeof(s));
	for (unsigned int i = 0; i < 1000; i++)
		KUNIT_EXPECT_FALSE(test, hsm_storm_hit(&s, 5, 3600, 0));
	memset(&s, 0, sizeof(s));
	for (unsigned int i = 0; i < HSM_STORM_MAX - 1; i++)
		KUNIT_EXPECT_FALSE(test, hsm_storm_hit(&s, i, 3600, HSM_STORM_MAX - 1));
	KUNIT_EXPECT_TRUE(test, hsm_storm_hit(&s, 100, 3600, HSM_STORM_MAX - 1));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(ring_next),
	KUNIT_CASE(ring_used),
	KUNIT_CASE(ring_head_valid),
	KUNIT_CASE(cid),
	KUNIT_CASE(states_allowed),
	KUNIT_CASE(states_terminal),
	KUNIT_CASE(states_named),
	KUNIT_CASE(cqe),
	KUNIT_CASE(cqe_unknown),
	KUNIT_CASE(cqe_stale),
	KUNIT_CASE(status_errno),
	KUNIT_CASE(status_outcome),
	KUNIT_CASE(msg_lengths),
	KUNIT_CASE(msg_header),
	KUNIT_CASE(io_queues),
	KUNIT_CASE(ladder),
	KUNIT_CASE(ladder_ends),
	KUNIT_CASE(recovery),
	KUNIT_CASE(storm),
	{}
};

static struct kunit_suite suite = {
	.name		= "pciehsm-logic",
	.test_cases	= cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("Tests of pciehsm's logic");
MODULE_LICENSE("GPL");
