/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FIRMWARE_MESSAGE_TEXT_H
#define FIRMWARE_MESSAGE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** text_valid() - is it UTF-8 (RFC 3629) without NUL? */
bool text_valid(const uint8_t *text, size_t len);

#endif /* FIRMWARE_MESSAGE_TEXT_H */
