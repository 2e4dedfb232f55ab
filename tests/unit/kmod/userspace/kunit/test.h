/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of KUnit that test-logic.c uses, on cmocka. A failed expectation ends the case. */
#ifndef KUNIT_TEST_H
#define KUNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define U32_MAX		UINT32_MAX

struct kunit {
	int unused;
};

struct kunit_case {
	void		(*run)(struct kunit *test);
	const char	*name;
};

struct kunit_suite {
	const char		*name;
	struct kunit_case	*test_cases;
};

#define KUNIT_CASE(fn)			{ .run = fn, .name = #fn }

#define KUNIT_EXPECT_EQ(test, a, b)	((void)(test), assert_int_equal(a, b))
#define KUNIT_EXPECT_NE(test, a, b)	((void)(test), assert_int_not_equal(a, b))
#define KUNIT_EXPECT_TRUE(test, a)	((void)(test), assert_true(a))
#define KUNIT_EXPECT_FALSE(test, a)	((void)(test), assert_false(a))
#define KUNIT_EXPECT_STREQ(test, a, b)	((void)(test), assert_string_equal(a, b))
#define KUNIT_EXPECT_STRNEQ(test, a, b)	((void)(test), assert_string_not_equal(a, b))

#define MODULE_DESCRIPTION(text)	_Static_assert(1, text)
#define MODULE_LICENSE(text)		_Static_assert(1, text)

static inline void kunit_run_case(void **state)
{
	struct kunit test = { 0 };

	((const struct kunit_case *)*state)->run(&test);
}

static inline int kunit_run_suite(const struct kunit_suite *suite)
{
	struct CMUnitTest tests[64] = { 0 };
	size_t n = 0;

	for (struct kunit_case *c = suite->test_cases; c->run; c++, n++) {
		if (n == sizeof(tests) / sizeof(tests[0]))
			abort();
		tests[n].name = c->name;
		tests[n].test_func = kunit_run_case;
		tests[n].initial_state = c;
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return _cmocka_run_group_tests(suite->name, tests, n, NULL, NULL);
}

#define kunit_test_suite(suite)			\
	int main(void)				\
	{					\
		return kunit_run_suite(&(suite)); \
	}					\
	_Static_assert(1, "for the semicolon")

#endif /* KUNIT_TEST_H */
