/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PCIEHSM_CRYPTO_SELFTEST_H
#define PCIEHSM_CRYPTO_SELFTEST_H

#include "crypto/attrs.h"
#include "crypto/key.h"
#include "crypto/mech.h"

/**
 * fw_selftest() - known answers, to be asked for at power-on
 *
 * Each algorithm is run once through the same functions that serve callers, against an
 * answer that is published. It takes some 15 ms, with SLH-DSA 50 more. A card whose self test
 * fails must not work.
 *
 * Return: NULL, or the name of what failed (static).
 */
const char *fw_selftest(void);

/* ---- among the self tests ---- */

/* Bytes of the longest number */
#define FW_KAT_MAX	512

/** fw_selftest_rsa() - those of RSA; as fw_selftest() */
const char *fw_selftest_rsa(void);

/** fw_selftest_pqc() - those of ML-KEM, ML-DSA, SLH-DSA that there are; as fw_selftest() */
const char *fw_selftest_pqc(void);

/** fw_unhex() - bytes of hexadecimal digits; the texts are ours: well formed, and they fit */
struct fw_bytes fw_unhex(const char *hex, uint8_t *out);

/** fw_put_hex() - the same into an attribute */
bool fw_put_hex(struct fw_attrs *attrs, CK_ULONG type, const char *hex);

/** fw_same() - are these bytes what the digits say? */
bool fw_same(const uint8_t *got, size_t len, const char *want);

/** fw_pair_keys() - the two keys of these attributes, which are wiped; class and type are added */
bool fw_pair_keys(struct fw_attrs *pub, struct fw_attrs *priv, CK_ULONG type,
		  struct fw_key **pub_key, struct fw_key **priv_key);

/** fw_verifies() - is @sig a signature of @text? @p: the mechanism's parameters, or NULL */
bool fw_verifies(CK_ULONG mech, const struct fw_mech_params *p, struct fw_key *key,
		 struct fw_bytes text, struct fw_bytes sig);

/** fw_signs() - sign; false if it fails */
bool fw_signs(CK_ULONG mech, const struct fw_mech_params *p, struct fw_key *key,
	      struct fw_bytes text, uint8_t out[FW_KAT_MAX], size_t *len);

#endif /* PCIEHSM_CRYPTO_SELFTEST_H */
