// SPDX-License-Identifier: GPL-2.0-or-later
/* The driver's decisions (kmod/logic.c), where possible against all of their input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "logic.h"

#define STATES (PCIEHSM_STATE_DEAD + 1)

/* ---- rings ---- */

static void ring_next(void **state)
{
	(void)state;
	assert_int_equal(hsm_ring_next(0, 2), 1);
	assert_int_equal(hsm_ring_next(1, 2), 0);
	assert_int_equal(hsm_ring_next(1022, 1024), 1023);
	assert_int_equal(hsm_ring_next(1023, 1024), 0);
	assert_int_equal(hsm_ring_next(65534, 65535), 0);
}

static void ring_used(void **state)
{
	(void)state;
	/* Against counting. */
	for (u16 depth = 2; depth <= 9; depth++)
		for (u16 head = 0; head < depth; head++)
			for (u16 tail = 0; tail < depth; tail++) {
				u16 n = 0;

				for (u16 i = head; i != tail; i = hsm_ring_next(i, depth))
					n++;
				assert_int_equal(hsm_ring_used(head, tail, depth), n);
			}
}

static void ring_head_valid(void **state)
{
	(void)state;
	for (u16 depth = 2; depth <= 9; depth++)
		for (u16 old = 0; old < depth; old++)
			for (u16 tail = 0; tail < depth; tail++)
				for (u16 new = 0; new < depth + 3; new++) {
					bool valid = new == old;

					for (u16 i = old; i != tail;) {
						i = hsm_ring_next(i, depth);
						valid |= new == i;
					}
					assert_int_equal(hsm_ring_head_valid(old, new, tail, depth),
							 valid);
				}
}

static void cid(void **state)
{
	(void)state;
	for (unsigned int slot = 0; slot < HSM_MAX_DEPTH; slot++)
		for (unsigned int gen = 0; gen < 256; gen++) {
			u16 c = hsm_cid(slot, gen);

			assert_int_equal(hsm_cid_slot(c), slot);
			assert_int_equal(hsm_cid_gen(c), gen % (1 << HSM_GEN_BITS));
		}
	/* Two uses of a slot in a row never have the same name. */
	for (unsigned int gen = 0; gen < 256; gen++)
		assert_int_not_equal(hsm_cid(5, gen), hsm_cid(5, (u8)(gen + 1)));
}

/* ---- states ---- */

static void states_allowed(void **state)
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
	(void)state;
	for (int from = 0; from < STATES + 2; from++)
		for (int to = 0; to < STATES + 2; to++) {
			bool want = false;

			for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
				want |= (int)allowed[i].from == from && (int)allowed[i].to == to;
			assert_int_equal(hsm_state_may_change(from, to), want);
		}
}

static void states_terminal(void **state)
{
	(void)state;
	/* Terminal is what nothing else can be reached from. */
	for (int from = 0; from < STATES; from++) {
		bool live, seen[STATES] = { false };

		seen[from] = true;
		for (int pass = 0; pass < STATES; pass++)
			for (int a = 0; a < STATES; a++)
				for (int b = 0; b < STATES; b++)
					seen[b] |= seen[a] && hsm_state_may_change(a, b);
		live = seen[PCIEHSM_STATE_LIVE];
		assert_int_equal(hsm_state_terminal(from), !live);
		/* From everywhere there is a way to the end. */
		assert_true(seen[PCIEHSM_STATE_DEAD]);
	}
}

static void states_named(void **state)
{
	(void)state;
	for (int a = 0; a < STATES; a++) {
		assert_string_not_equal(hsm_state_name(a), "unknown");
		for (int b = 0; b < a; b++)
			assert_string_not_equal(hsm_state_name(a), hsm_state_name(b));
	}
	assert_string_equal(hsm_state_name(STATES), "unknown");
	assert_string_equal(hsm_state_name(PCIEHSM_STATE_LIVE), "live");
}

/* ---- completions ---- */

static const struct hsm_cqe_view good = {
	.qid = 3, .sq_id = 3, .nslots = 63, .gen = 70, .used = true, .inflight = true,
};

static enum hsm_cqe_kind classify(struct hsm_cqe_view v)
{
	return hsm_cqe_classify(&v);
}

static void cqe(void **state)
{
	struct hsm_cqe_view v = good;

	(void)state;
	v.cid = hsm_cid(7, 70);
	assert_int_equal(classify(v), HSM_CQE_FINAL);
	v.status = PCIEHSM_SC_PROGRESS << 1 | 1;
	assert_int_equal(classify(v), HSM_CQE_PROGRESS);
	v.status = PCIEHSM_SC_ABORTED << 1 | PCIEHSM_CQE_NOT_EXECUTED;
	assert_int_equal(classify(v), HSM_CQE_FINAL);
}

static void cqe_unknown(void **state)
{
	struct hsm_cqe_view v = good;

	(void)state;
	v.cid = hsm_cid(7, 70);
	v.sq_id = 4;
	assert_int_equal(classify(v), HSM_CQE_UNKNOWN);
	v = good;
	v.cid = hsm_cid(63, 70);
	assert_int_equal(classify(v), HSM_CQE_UNKNOWN);
	v.cid = hsm_cid(62, 70);
	assert_int_equal(classify(v), HSM_CQE_FINAL);
	v.used = false;
	assert_int_equal(classify(v), HSM_CQE_UNKNOWN);
}

static void cqe_stale(void **state)
{
	(void)state;
	for (unsigned int gen = 0; gen < 64; gen++) {
		struct hsm_cqe_view v = good;

		v.cid = hsm_cid(7, gen);
		assert_int_equal(classify(v), gen == 70 % 64 ? HSM_CQE_FINAL : HSM_CQE_STALE);
		v.inflight = false;
		assert_int_equal(classify(v), gen == 70 % 64 ? HSM_CQE_DUPLICATE : HSM_CQE_STALE);
		/* A late sign of life is no better. */
		v.status = PCIEHSM_SC_PROGRESS << 1;
		assert_int_equal(classify(v), gen == 70 % 64 ? HSM_CQE_DUPLICATE : HSM_CQE_STALE);
	}
}

static u16 status(enum pciehsm_status code)
{
	return code << 1;
}

static void status_errno(void **state)
{
	(void)state;
	for (int timed_out = 0; timed_out < 2; timed_out++) {
		assert_int_equal(hsm_status_errno(status(PCIEHSM_SC_SUCCESS), timed_out), 0);
		assert_int_equal(hsm_status_errno(status(PCIEHSM_SC_INVALID_PARTITION), timed_out),
				 -ENODEV);
		assert_int_equal(hsm_status_errno(status(PCIEHSM_SC_CONTEXT_LIMIT), timed_out),
				 -ENOMEM);
		assert_int_equal(hsm_status_errno(status(PCIEHSM_SC_MSG_SIZE), timed_out),
				 -EMSGSIZE);
		assert_int_equal(hsm_status_errno(status(PCIEHSM_SC_MSG_MISMATCH), timed_out),
				 -EINVAL);
		assert_int_equal(hsm_status_errno(status(PCIEHSM_SC_OUT_SIZE), timed_out), -EINVAL);
		assert_int_equal(hsm_status_errno(status(PCIEHSM_SC_INTERNAL), timed_out), -EIO);
	}
	assert_int_equal(hsm_status_errno(status(PCIEHSM_SC_ABORTED), true), -ETIMEDOUT);
	assert_int_equal(hsm_status_errno(status(PCIEHSM_SC_ABORTED), false), -ECANCELED);
	/* Whatever else a card may say is its own fault; phase and bit 15 mean nothing here. */
	for (unsigned int s = 0; s < 0x10000; s++) {
		int err = hsm_status_errno(s, false);

		assert_int_equal(err, hsm_status_errno(s & 0x7ffe, false));
		if (PCIEHSM_CQE_STATUS(s) > PCIEHSM_SC_OUT_SIZE)
			assert_int_equal(err, -EIO);
	}
}

static void status_outcome(void **state)
{
	(void)state;
	for (unsigned int s = 0; s < 0x10000; s++) {
		enum pciehsm_outcome want = PCIEHSM_OUTCOME_UNKNOWN;

		if (!(s & 0x7ffe))
			want = PCIEHSM_OUTCOME_DONE;
		else if (s & 0x8000)
			want = PCIEHSM_OUTCOME_NOT_EXECUTED;
		assert_int_equal(hsm_status_outcome(s), want);
	}
}

/* ---- messages ---- */

static void msg_lengths(void **state)
{
	(void)state;
	assert_int_equal(hsm_msg_lengths_ok(16, 16, 4096), 0);
	assert_int_equal(hsm_msg_lengths_ok(4096, 4096, 4096), 0);
	assert_int_equal(hsm_msg_lengths_ok(15, 16, 4096), -EINVAL);
	assert_int_equal(hsm_msg_lengths_ok(16, 15, 4096), -EINVAL);
	assert_int_equal(hsm_msg_lengths_ok(0, 16, 4096), -EINVAL);
	assert_int_equal(hsm_msg_lengths_ok(4097, 16, 4096), -EMSGSIZE);
	assert_int_equal(hsm_msg_lengths_ok(16, 4097, 4096), -EMSGSIZE);
	assert_int_equal(hsm_msg_lengths_ok(UINT32_MAX, UINT32_MAX, 4096), -EMSGSIZE);
}

static void msg_header(void **state)
{
	(void)state;
	/* All combinations of the three bits, kinds of node and of descriptor. */
	for (unsigned int bits = 0; bits < 8; bits++)
		for (int node = 0; node < 2; node++)
			for (int writable = 0; writable < 2; writable++) {
				u32 op = bits << 16 | 0x123;
				bool ok = (bits & (node ? 1 : 2)) && (!(bits & 4) || writable);

				assert_int_equal(hsm_msg_header_ok(32, op, 32, node, writable),
						 ok ? 0 : -EACCES);
				assert_int_equal(hsm_msg_header_ok(31, op, 32, node, writable),
						 -EINVAL);
				assert_int_equal(hsm_msg_header_ok(33, op, 32, node, writable),
						 -EINVAL);
			}
	assert_int_equal(hsm_msg_header_ok(16, PCIEHSM_OP_PING, 16, true, false), 0);
	assert_int_equal(hsm_msg_header_ok(16, PCIEHSM_OP_PING, 16, false, false), 0);
	assert_int_equal(hsm_msg_header_ok(16, PCIEHSM_OP_HSM_INIT, 16, true, true), 0);
	assert_int_equal(hsm_msg_header_ok(16, PCIEHSM_OP_HSM_INIT, 16, true, false), -EACCES);
	assert_int_equal(hsm_msg_header_ok(16, PCIEHSM_OP_HSM_INIT, 16, false, true), -EACCES);
}

/* ---- queues ---- */

static void io_queues(void **state)
{
	(void)state;
	assert_int_equal(hsm_io_queues(8, 64, 65, 64), 8);
	assert_int_equal(hsm_io_queues(8, 4, 65, 64), 4);
	assert_int_equal(hsm_io_queues(8, 64, 4, 64), 3);
	assert_int_equal(hsm_io_queues(8, 64, 65, 2), 2);
	assert_int_equal(hsm_io_queues(1000, 1000, 1000, 1000), PCIEHSM_MAX_IO_QUEUES);
	assert_int_equal(hsm_io_queues(8, 64, 2, 64), 1);
	/* One vector for all, and nonsense from the card. */
	assert_int_equal(hsm_io_queues(8, 64, 1, 64), 1);
	assert_int_equal(hsm_io_queues(8, 0, 65, 64), 1);
}

/* ---- the ladder ---- */

static void ladder(void **state)
{
	(void)state;
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
			assert_int_equal(hsm_ladder(&v), want);
		}
}

/* Every way up the ladder ends, after at most one abort. */
static void ladder_ends(void **state)
{
	struct hsm_ladder_view v = { .state = PCIEHSM_STATE_LIVE };

	(void)state;
	assert_int_equal(hsm_ladder(&v), HSM_RUNG_ABORT);
	v.aborted = true;
	assert_int_equal(hsm_ladder(&v), HSM_RUNG_RESET);
	v.state = PCIEHSM_STATE_RESETTING;
	assert_int_equal(hsm_ladder(&v), HSM_RUNG_WAIT);
	v.state = PCIEHSM_STATE_CONNECTING;
	assert_int_equal(hsm_ladder(&v), HSM_RUNG_FAIL_START);
}

static void recovery(void **state)
{
	(void)state;
	assert_int_equal(hsm_recovery_ms(2000, 5000), 8000);
	assert_true(hsm_recovery_ms(100, 500) > 600);
}

static void storm(void **state)
{
	struct hsm_storm s = { 0 };

	(void)state;
	for (unsigned int i = 0; i < 3; i++)
		assert_false(hsm_storm_hit(&s, 1000 + i, 3600, 3));
	assert_true(hsm_storm_hit(&s, 1003, 3600, 3));
	/* Later the first ones do not count any more. */
	memset(&s, 0, sizeof(s));
	for (unsigned int i = 0; i < 1000; i++)
		assert_false(hsm_storm_hit(&s, i * 1200, 3600, 3));
	assert_true(hsm_storm_hit(&s, 999 * 1200 + 1, 3600, 3));
	/* No limit, and the greatest that fits. */
	memset(&s, 0, sizeof(s));
	for (unsigned int i = 0; i < 1000; i++)
		assert_false(hsm_storm_hit(&s, 5, 3600, 0));
	memset(&s, 0, sizeof(s));
	for (unsigned int i = 0; i < HSM_STORM_MAX - 1; i++)
		assert_false(hsm_storm_hit(&s, i, 3600, HSM_STORM_MAX - 1));
	assert_true(hsm_storm_hit(&s, 100, 3600, HSM_STORM_MAX - 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ring_next),
		cmocka_unit_test(ring_used),
		cmocka_unit_test(ring_head_valid),
		cmocka_unit_test(cid),
		cmocka_unit_test(states_allowed),
		cmocka_unit_test(states_terminal),
		cmocka_unit_test(states_named),
		cmocka_unit_test(cqe),
		cmocka_unit_test(cqe_unknown),
		cmocka_unit_test(cqe_stale),
		cmocka_unit_test(status_errno),
		cmocka_unit_test(status_outcome),
		cmocka_unit_test(msg_lengths),
		cmocka_unit_test(msg_header),
		cmocka_unit_test(io_queues),
		cmocka_unit_test(ladder),
		cmocka_unit_test(ladder_ends),
		cmocka_unit_test(recovery),
		cmocka_unit_test(storm),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
