/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FIRMWARE_HSM_DOMAIN_H
#define FIRMWARE_HSM_DOMAIN_H

#include "core/firmware.h"

/**
 * domain_key() - fw_domain_key(), for simulations remembered
 *
 * A simulation makes partitions by the thousand, all in a few domains. It is known by
 * its cheap passwords; a real card keeps no key of a domain but where it is in use.
 */
CK_RV domain_key(struct hsm_fw *fw, const uint8_t *domain, size_t len,
		 uint8_t key[FW_DOMAIN_KEY_LEN]);

#endif /* FIRMWARE_HSM_DOMAIN_H */
