/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PCIEHSM_CRYPTO_SELFTEST_H
#define PCIEHSM_CRYPTO_SELFTEST_H

#include "crypto/attrs.h"

/**
 * fw_selftest() - known answers, to be asked for at power-on
 *
 * Each algorithm family is run once through the same functions that serve callers, against an
 * answer that is published. It takes a few ms, with SLH-DSA some 50. A card whose self test
 * fails must not work.
 *
 * Return: NULL, or the name of what failed (static).
 */
const char *fw_selftest(void);

/* ---- among the self tests ---- */

/** fw_selftest_pqc() - those of ML-KEM, ML-DSA, SLH-DSA that there are; as fw_selftest() */
const char *fw_selftest_pqc(void);

/** fw_unhex() - bytes of hexadecimal digits; the texts are ours: well formed, and they fit */
struct fw_bytes fw_unhex(const char *hex, uint8_t *out);

/** fw_put_hex() - the same into an attribute */
bool fw_put_hex(struct fw_attrs *attrs, CK_ULONG type, const char *hex);

/** fw_same() - are these bytes what the digits say? */
bool fw_same(const uint8_t *got, size_t len, const char *want);

#endif /* PCIEHSM_CRYPTO_SELFTEST_H */
