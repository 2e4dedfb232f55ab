/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FIRMWARE_OBJECTS_ANSWER_H
#define FIRMWARE_OBJECTS_ANSWER_H

#include "message/message.h"
#include "message/wire.h"
#include "objects/object.h"

/** answer_version() - add PCIEHSM_F_VERSION */
static inline void answer_version(struct answer *a, const struct version *version)
{
	uint8_t raw[sizeof(struct pciehsm_version)];

	wire_put64(raw, version->counter);
	wire_put64(raw + 8, version->writer);
	answer_put(a, PCIEHSM_F_VERSION, raw, sizeof(raw));
}

#endif /* FIRMWARE_OBJECTS_ANSWER_H */
