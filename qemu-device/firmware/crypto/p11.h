/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PKCS#11 numbers: those of the system's header (2.40), and here what PKCS#11 3.0
 * and 3.1 added and this firmware uses.
 */
#ifndef PCIEHSM_CRYPTO_P11_H
#define PCIEHSM_CRYPTO_P11_H

#include <p11-kit-1/p11-kit/pkcs11.h>

/* Key types */
#ifndef CKK_EC_MONTGOMERY
#define CKK_EC_MONTGOMERY		0x41UL
#endif
#ifndef CKK_HKDF
#define CKK_HKDF			0x42UL
#endif
#ifndef CKK_SHA3_224_HMAC
#define CKK_SHA3_224_HMAC		0x33UL
#define CKK_SHA3_256_HMAC		0x34UL
#define CKK_SHA3_384_HMAC		0x35UL
#define CKK_SHA3_512_HMAC		0x36UL
#endif

/* Curves without a mechanism of their own in 2.40 */
#ifndef CKM_EC_EDWARDS_KEY_PAIR_GEN
#define CKM_EC_EDWARDS_KEY_PAIR_GEN	0x1055UL
#endif
#ifndef CKM_EC_MONTGOMERY_KEY_PAIR_GEN
#define CKM_EC_MONTGOMERY_KEY_PAIR_GEN	0x1056UL
#endif
#ifndef CKM_EDDSA
#define CKM_EDDSA			0x1057UL
#endif
#ifndef CKM_ECDSA_SHA3_224
#define CKM_ECDSA_SHA3_224		0x1047UL
#define CKM_ECDSA_SHA3_256		0x1048UL
#define CKM_ECDSA_SHA3_384		0x1049UL
#define CKM_ECDSA_SHA3_512		0x104aUL
#endif

/* RSA with SHA-3 */
#ifndef CKM_SHA3_256_RSA_PKCS
#define CKM_SHA3_256_RSA_PKCS		0x60UL
#define CKM_SHA3_384_RSA_PKCS		0x61UL
#define CKM_SHA3_512_RSA_PKCS		0x62UL
#define CKM_SHA3_256_RSA_PKCS_PSS	0x63UL
#define CKM_SHA3_384_RSA_PKCS_PSS	0x64UL
#define CKM_SHA3_512_RSA_PKCS_PSS	0x65UL
#define CKM_SHA3_224_RSA_PKCS		0x66UL
#define CKM_SHA3_224_RSA_PKCS_PSS	0x67UL
#endif

/* SHA-3 and its HMAC */
#ifndef CKM_SHA3_256
#define CKM_SHA3_256			0x2b0UL
#define CKM_SHA3_256_HMAC		0x2b1UL
#define CKM_SHA3_256_HMAC_GENERAL	0x2b2UL
#define CKM_SHA3_224			0x2b5UL
#define CKM_SHA3_224_HMAC		0x2b6UL
#define CKM_SHA3_224_HMAC_GENERAL	0x2b7UL
#define CKM_SHA3_384			0x2c0UL
#define CKM_SHA3_384_HMAC		0x2c1UL
#define CKM_SHA3_384_HMAC_GENERAL	0x2c2UL
#define CKM_SHA3_512			0x2d0UL
#define CKM_SHA3_512_HMAC		0x2d1UL
#define CKM_SHA3_512_HMAC_GENERAL	0x2d2UL
#endif

/* Key wrap with padding as RFC 5649 has it */
#ifndef CKM_AES_KEY_WRAP_KWP
#define CKM_AES_KEY_WRAP_KWP		0x210bUL
#endif

/* HKDF */
#ifndef CKM_HKDF_DERIVE
#define CKM_HKDF_DERIVE			0x402aUL
#define CKM_HKDF_DATA			0x402bUL
#define CKM_HKDF_KEY_GEN		0x402cUL
#endif

/* Mask generation and key derivation functions */
#ifndef CKG_MGF1_SHA3_224
#define CKG_MGF1_SHA3_224		0x06UL
#define CKG_MGF1_SHA3_256		0x07UL
#define CKG_MGF1_SHA3_384		0x08UL
#define CKG_MGF1_SHA3_512		0x09UL
#endif
#ifndef CKD_SHA3_224_KDF
#define CKD_SHA3_224_KDF		0x0aUL
#define CKD_SHA3_256_KDF		0x0bUL
#define CKD_SHA3_384_KDF		0x0cUL
#define CKD_SHA3_512_KDF		0x0dUL
#endif

/* 3.0's name of the flag that 2.40 called CKF_EC_NAMEDCURVE */
#ifndef CKF_EC_OID
#define CKF_EC_OID			CKF_EC_NAMEDCURVE
#endif
#ifndef CKF_EC_CURVENAME
#define CKF_EC_CURVENAME		(1UL << 26)
#endif

#endif /* PCIEHSM_CRYPTO_P11_H */
