/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PCIEHSM_CRYPTO_SELFTEST_H
#define PCIEHSM_CRYPTO_SELFTEST_H

/**
 * fw_selftest() - known answers, to be asked for at power-on
 *
 * Each algorithm family is run once through the same functions that serve callers, against an
 * answer that is published. It takes a few ms. A card whose self test fails must not
 * work.
 *
 * Return: NULL, or the name of what failed (static).
 */
const char *fw_selftest(void);

#endif /* PCIEHSM_CRYPTO_SELFTEST_H */
