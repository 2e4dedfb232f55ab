// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/mem.h"

#include <stdio.h>
#include <stdlib.h>

void mem_die(void)
{
	fputs("pciehsm firmware: out of memory\n", stderr);
	abort();
}

static void *or_die(void *p)
{
	if (!p)
		mem_die();
	return p;
}

void *mem_zalloc(size_t size)
{
	return or_die(calloc(1, size));
}

void *mem_grow(void *p, size_t count, size_t size)
{
	return or_die(reallocarray(p, count, size));
}
