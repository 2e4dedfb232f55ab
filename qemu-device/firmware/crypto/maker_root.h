/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PCIEHSM_CRYPTO_MAKER_ROOT_H
#define PCIEHSM_CRYPTO_MAKER_ROOT_H

#include <stdint.h>

#define FW_MAKER_KEY_LEN	48

/* The certificate that every card trusts, self-signed, P-384 */
extern const char fw_maker_root_pem[];
/* Its private value; published, see maker_root.c */
extern const uint8_t fw_maker_key[FW_MAKER_KEY_LEN];

#endif /* PCIEHSM_CRYPTO_MAKER_ROOT_H */
