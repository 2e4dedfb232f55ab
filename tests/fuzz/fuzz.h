/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fuzz targets share: a card that is ready, made again when an input broke it.
 */
#ifndef PCIEHSM_TESTS_FUZZ_H
#define PCIEHSM_TESTS_FUZZ_H

#include "card.h"

/* libFuzzer's own names */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/**
 * struct input - bytes that are taken one by one; behind the end there are zeroes
 */
struct input {
	const uint8_t	*p;
	size_t		left;
};

static inline uint8_t take8(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->p++;
}

static inline uint32_t take16(struct input *in)
{
	uint32_t low = take8(in);

	return low | (uint32_t)take8(in) << 8;
}

/* At most @want bytes; @len says how many there were. */
static inline const uint8_t *take_bytes(struct input *in, size_t want, size_t *len)
{
	const uint8_t *p = in->p;

	*len = want < in->left ? want : in->left;
	in->p += *len;
	in->left -= *len;
	return p;
}

#endif /* PCIEHSM_TESTS_FUZZ_H */
