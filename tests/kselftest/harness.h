/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's harness, for machines of any speed. */
#ifndef HARNESS_H
#define HARNESS_H

#include "kselftest_harness.h"

/* Seconds for each test: a limit against hanging for ever, no measurement. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 600

#endif
