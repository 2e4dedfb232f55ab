/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PKCS#11 numbers: those of the system's header (2.40), and here what PKCS#11 3.0
 * to 3.2 added and this firmware uses.
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

/* PKCS#11 3.2: ML-KEM, ML-DSA, SLH-DSA */
#ifndef CKK_ML_KEM
#define CKK_ML_KEM			0x49UL
#define CKK_ML_DSA			0x4aUL
#define CKK_SLH_DSA			0x4bUL
#endif
#ifndef CKM_ML_KEM
#define CKM_ML_KEM_KEY_PAIR_GEN		0x0fUL
#define CKM_ML_KEM			0x17UL
#define CKM_ML_DSA_KEY_PAIR_GEN		0x1cUL
#define CKM_ML_DSA			0x1dUL
#define CKM_SLH_DSA_KEY_PAIR_GEN	0x2dUL
#define CKM_SLH_DSA			0x2eUL
#endif
#ifndef CKF_ENCAPSULATE
#define CKF_ENCAPSULATE			(1UL << 28)
#define CKF_DECAPSULATE			(1UL << 29)
#endif
#ifndef CKA_PARAMETER_SET
#define CKA_PARAMETER_SET		0x61dUL
#endif
#ifndef CKA_ENCAPSULATE
#define CKA_ENCAPSULATE			0x633UL
#define CKA_DECAPSULATE			0x634UL
#endif
#ifndef CKA_ENCAPSULATE_TEMPLATE
#define CKA_ENCAPSULATE_TEMPLATE	0x62aUL
#define CKA_DECAPSULATE_TEMPLATE	0x62bUL
#endif
#ifndef CKA_SEED
#define CKA_SEED			0x637UL
#endif
#ifndef CKP_ML_KEM_512
#define CKP_ML_KEM_512			1UL
#define CKP_ML_KEM_768			2UL
#define CKP_ML_KEM_1024			3UL
#define CKP_ML_DSA_44			1UL
#define CKP_ML_DSA_65			2UL
#define CKP_ML_DSA_87			3UL
#define CKP_SLH_DSA_SHA2_128S		1UL
#define CKP_SLH_DSA_SHAKE_128S		2UL
#define CKP_SLH_DSA_SHA2_128F		3UL
#define CKP_SLH_DSA_SHAKE_128F		4UL
#define CKP_SLH_DSA_SHA2_192S		5UL
#define CKP_SLH_DSA_SHAKE_192S		6UL
#define CKP_SLH_DSA_SHA2_192F		7UL
#define CKP_SLH_DSA_SHAKE_192F		8UL
#define CKP_SLH_DSA_SHA2_256S		9UL
#define CKP_SLH_DSA_SHAKE_256S		10UL
#define CKP_SLH_DSA_SHA2_256F		11UL
#define CKP_SLH_DSA_SHAKE_256F		12UL
#endif
#ifndef CKH_HEDGE_PREFERRED
#define CKH_HEDGE_PREFERRED		0UL
#define CKH_HEDGE_REQUIRED		1UL
#define CKH_DETERMINISTIC_REQUIRED	2UL
#endif
#ifndef CKR_PARAMETER_SET_NOT_SUPPORTED
#define CKR_PARAMETER_SET_NOT_SUPPORTED	0x209UL
#endif

#endif /* PCIEHSM_CRYPTO_P11_H */
