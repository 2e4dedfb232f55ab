// SPDX-License-Identifier: GPL-2.0-or-later
#include "message/text.h"

bool text_valid(const uint8_t *text, size_t len)
{
	size_t i = 0;

	while (i < len) {
		uint32_t c = text[i++];
		uint32_t least;
		unsigned int more;

		if (c < 0x80) {
			if (c == 0)
				return false;
			continue;
		} else if ((c & 0xe0) == 0xc0) {
			c &= 0x1f;
			more = 1;
			least = 0x80;
		} else if ((c & 0xf0) == 0xe0) {
			c &= 0x0f;
			more = 2;
			least = 0x800;
		} else if ((c & 0xf8) == 0xf0) {
			c &= 0x07;
			more = 3;
			least = 0x10000;
		} else {
			return false;
		}
		for (; more; more--) {
			if (i == len || (text[i] & 0xc0) != 0x80)
				return false;
			c = c << 6 | (text[i++] & 0x3f);
		}
		/* Overlong forms, surrogates and beyond Unicode. */
		if (c < least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
			return false;
	}
	return true;
}
