// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Mechanisms with their parameters. An application's structures are checked in full
 * before anything of them is believed: sizes, pointers, ranges.
 */
#include "message.h"
#include "pkcs11-3.h"

#define AES_BLOCK	16

/* What a mechanism wants of its parameter. */
enum wants {
	WANTS_NOTHING,
	WANTS_IV16,
	WANTS_COUNTER,
	WANTS_GCM,
	WANTS_PSS,
	WANTS_OAEP,
	WANTS_ECDH,
	WANTS_HKDF,
	WANTS_EDDSA,		/* or nothing */
	WANTS_SIGN_CONTEXT,	/* or nothing */
	WANTS_MAC_LEN,
	WANTS_IV8,		/* or nothing */
	WANTS_IV4,		/* or nothing */
	WANTS_UNKNOWN,
};

static enum wants wants_of(CK_MECHANISM_TYPE type)
{
	switch (type) {
	case CKM_AES_CBC:
	case CKM_AES_CBC_PAD:
		return WANTS_IV16;
	case CKM_AES_CTR:
		return WANTS_COUNTER;
	case CKM_AES_GCM:
		return WANTS_GCM;
	case CKM_RSA_PKCS_PSS:
	case CKM_SHA1_RSA_PKCS_PSS:
	case CKM_SHA224_RSA_PKCS_PSS:
	case CKM_SHA256_RSA_PKCS_PSS:
	case CKM_SHA384_RSA_PKCS_PSS:
	case CKM_SHA512_RSA_PKCS_PSS:
	case CKM_SHA3_224_RSA_PKCS_PSS:
	case CKM_SHA3_256_RSA_PKCS_PSS:
	case CKM_SHA3_384_RSA_PKCS_PSS:
	case CKM_SHA3_512_RSA_PKCS_PSS:
		return WANTS_PSS;
	case CKM_RSA_PKCS_OAEP:
		return WANTS_OAEP;
	case CKM_ECDH1_DERIVE:
	case CKM_ECDH1_COFACTOR_DERIVE:
		return WANTS_ECDH;
	case CKM_HKDF_DERIVE:
	case CKM_HKDF_DATA:
		return WANTS_HKDF;
	case CKM_EDDSA:
		return WANTS_EDDSA;
	case CKM_ML_DSA:
	case CKM_SLH_DSA:
		return WANTS_SIGN_CONTEXT;
	case CKM_SHA_1_HMAC_GENERAL:
	case CKM_SHA224_HMAC_GENERAL:
	case CKM_SHA256_HMAC_GENERAL:
	case CKM_SHA384_HMAC_GENERAL:
	case CKM_SHA512_HMAC_GENERAL:
	case CKM_SHA512_224_HMAC_GENERAL:
	case CKM_SHA512_256_HMAC_GENERAL:
	case CKM_SHA3_224_HMAC_GENERAL:
	case CKM_SHA3_256_HMAC_GENERAL:
	case CKM_SHA3_384_HMAC_GENERAL:
	case CKM_SHA3_512_HMAC_GENERAL:
	case CKM_AES_CMAC_GENERAL:
		return WANTS_MAC_LEN;
	case CKM_AES_KEY_WRAP:
		return WANTS_IV8;
	case CKM_AES_KEY_WRAP_PAD:
	case CKM_AES_KEY_WRAP_KWP:
		return WANTS_IV4;
	case CKM_ML_KEM_KEY_PAIR_GEN:
	case CKM_ML_KEM:
	case CKM_ML_DSA_KEY_PAIR_GEN:
	case CKM_SLH_DSA_KEY_PAIR_GEN:
	case CKM_RSA_PKCS_KEY_PAIR_GEN:
	case CKM_RSA_X9_31_KEY_PAIR_GEN:
	case CKM_RSA_PKCS:
	case CKM_RSA_X_509:
	case CKM_SHA1_RSA_PKCS:
	case CKM_SHA224_RSA_PKCS:
	case CKM_SHA256_RSA_PKCS:
	case CKM_SHA384_RSA_PKCS:
	case CKM_SHA512_RSA_PKCS:
	case CKM_SHA3_224_RSA_PKCS:
	case CKM_SHA3_256_RSA_PKCS:
	case CKM_SHA3_384_RSA_PKCS:
	case CKM_SHA3_512_RSA_PKCS:
	case CKM_EC_KEY_PAIR_GEN:
	case CKM_EC_EDWARDS_KEY_PAIR_GEN:
	case CKM_EC_MONTGOMERY_KEY_PAIR_GEN:
	case CKM_ECDSA:
	case CKM_ECDSA_SHA1:
	case CKM_ECDSA_SHA224:
	case CKM_ECDSA_SHA256:
	case CKM_ECDSA_SHA384:
	case CKM_ECDSA_SHA512:
	case CKM_ECDSA_SHA3_224:
	case CKM_ECDSA_SHA3_256:
	case CKM_ECDSA_SHA3_384:
	case CKM_ECDSA_SHA3_512:
	case CKM_AES_KEY_GEN:
	case CKM_AES_ECB:
	case CKM_AES_CMAC:
	case CKM_GENERIC_SECRET_KEY_GEN:
	case CKM_HKDF_KEY_GEN:
	case CKM_SHA_1:
	case CKM_SHA224:
	case CKM_SHA256:
	case CKM_SHA384:
	case CKM_SHA512:
	case CKM_SHA512_224:
	case CKM_SHA512_256:
	case CKM_SHA3_224:
	case CKM_SHA3_256:
	case CKM_SHA3_384:
	case CKM_SHA3_512:
	case CKM_SHA_1_HMAC:
	case CKM_SHA224_HMAC:
	case CKM_SHA256_HMAC:
	case CKM_SHA384_HMAC:
	case CKM_SHA512_HMAC:
	case CKM_SHA512_224_HMAC:
	case CKM_SHA512_256_HMAC:
	case CKM_SHA3_224_HMAC:
	case CKM_SHA3_256_HMAC:
	case CKM_SHA3_384_HMAC:
	case CKM_SHA3_512_HMAC:
		return WANTS_NOTHING;
	default:
		return WANTS_UNKNOWN;
	}
}

/* A pointer and a length of an application: both or none, and of a sane size. */
static bool sane(const void *p, CK_ULONG len)
{
	return len <= PCIEHSM_MSG_MAX && (p || !len);
}

/*
 * The parameter structure, or NULL when it has not the size that it should. It is copied
 * out: an application's need not be aligned.
 */
#define PARAMETER(mech, to) \
	((mech)->pParameter && (mech)->ulParameterLen == sizeof(*(to)) && \
	 memcpy((to), (mech)->pParameter, sizeof(*(to))))

static bool put_iv(struct pmsg_request *r, const CK_MECHANISM *mech, size_t len, bool optional)
{
	if (optional && !mech->ulParameterLen)
		return true;
	if (!mech->pParameter || mech->ulParameterLen != len)
		return false;
	pmsg_bytes(r, PCIEHSM_F_P_IV, mech->pParameter, len);
	return true;
}

static bool put_counter(struct pmsg_request *r, const CK_MECHANISM *mech)
{
	CK_AES_CTR_PARAMS p;

	if (!PARAMETER(mech, &p) || !p.ulCounterBits || p.ulCounterBits > 8 * AES_BLOCK)
		return false;
	pmsg_bytes(r, PCIEHSM_F_P_IV, p.cb, sizeof(p.cb));
	pmsg_u32(r, PCIEHSM_F_P_COUNTER_BITS, (uint32_t)p.ulCounterBits);
	return true;
}

static bool put_gcm(struct pmsg_request *r, const CK_MECHANISM *mech)
{
	CK_GCM_PARAMS p;

	/* ulIvBits only repeats ulIvLen, and many applications leave it at 0. */
	if (!PARAMETER(mech, &p) || !p.ulIvLen || p.ulIvLen > 256 || !sane(p.pIv, p.ulIvLen) ||
	    !sane(p.pAAD, p.ulAADLen))
		return false;
	if (!p.ulTagBits || p.ulTagBits > 8 * AES_BLOCK || p.ulTagBits % 8)
		return false;
	pmsg_bytes(r, PCIEHSM_F_P_IV, p.pIv, p.ulIvLen);
	if (p.ulAADLen)
		pmsg_bytes(r, PCIEHSM_F_P_AAD, p.pAAD, p.ulAADLen);
	pmsg_u32(r, PCIEHSM_F_P_TAG_BITS, (uint32_t)p.ulTagBits);
	return true;
}

static bool put_pss(struct pmsg_request *r, const CK_MECHANISM *mech)
{
	CK_RSA_PKCS_PSS_PARAMS p;

	if (!PARAMETER(mech, &p) || p.hashAlg > UINT32_MAX || p.mgf > UINT32_MAX ||
	    p.sLen > PCIEHSM_MSG_MAX)
		return false;
	pmsg_u32(r, PCIEHSM_F_P_HASH, (uint32_t)p.hashAlg);
	pmsg_u32(r, PCIEHSM_F_P_MGF, (uint32_t)p.mgf);
	pmsg_u32(r, PCIEHSM_F_P_SALT_LEN, (uint32_t)p.sLen);
	return true;
}

static bool put_oaep(struct pmsg_request *r, const CK_MECHANISM *mech)
{
	CK_RSA_PKCS_OAEP_PARAMS p;

	if (!PARAMETER(mech, &p) || p.hashAlg > UINT32_MAX || p.mgf > UINT32_MAX ||
	    !sane(p.pSourceData, p.ulSourceDataLen))
		return false;
	/* A source of 0 with no data is what some applications say for the empty label. */
	if (p.source != CKZ_DATA_SPECIFIED && (p.source || p.ulSourceDataLen))
		return false;
	pmsg_u32(r, PCIEHSM_F_P_HASH, (uint32_t)p.hashAlg);
	pmsg_u32(r, PCIEHSM_F_P_MGF, (uint32_t)p.mgf);
	if (p.ulSourceDataLen)
		pmsg_bytes(r, PCIEHSM_F_P_SOURCE, p.pSourceData, p.ulSourceDataLen);
	return true;
}

static bool put_ecdh(struct pmsg_request *r, const CK_MECHANISM *mech)
{
	CK_ECDH1_DERIVE_PARAMS p;

	if (!PARAMETER(mech, &p) || p.kdf > UINT32_MAX || !p.ulPublicDataLen ||
	    !sane(p.pPublicData, p.ulPublicDataLen) || !sane(p.pSharedData, p.ulSharedDataLen))
		return false;
	/* CKD_NULL has no use for shared data (PKCS#11 2.40 current mechanisms, 2.3.5). */
	if (p.kdf == CKD_NULL && p.ulSharedDataLen)
		return false;
	pmsg_u32(r, PCIEHSM_F_P_KDF, (uint32_t)p.kdf);
	pmsg_bytes(r, PCIEHSM_F_P_PUBLIC, p.pPublicData, p.ulPublicDataLen);
	if (p.ulSharedDataLen)
		pmsg_bytes(r, PCIEHSM_F_P_SHARED, p.pSharedData, p.ulSharedDataLen);
	return true;
}

static bool put_hkdf(struct pmsg_request *r, const CK_MECHANISM *mech)
{
	CK_HKDF_PARAMS p;

	if (!PARAMETER(mech, &p) || p.prfHashMechanism > UINT32_MAX ||
	    !(p.bExtract || p.bExpand) || !sane(p.pInfo, p.ulInfoLen))
		return false;
	switch (p.ulSaltType) {
	case CKF_HKDF_SALT_NULL:
		break;
	case CKF_HKDF_SALT_DATA:
		if (!sane(p.pSalt, p.ulSaltLen))
			return false;
		pmsg_bytes(r, PCIEHSM_F_P_SALT, p.pSalt, p.ulSaltLen);
		break;
	case CKF_HKDF_SALT_KEY:
		if (!p.hSaltKey)
			return false;
		pmsg_ouid(r, PCIEHSM_F_P_SALT_KEY, (const uint8_t *)(uintptr_t)p.hSaltKey);
		break;
	default:
		return false;
	}
	pmsg_u32(r, PCIEHSM_F_P_HASH, (uint32_t)p.prfHashMechanism);
	pmsg_u32(r, PCIEHSM_F_P_HKDF, (p.bExtract ? 1 : 0) | (p.bExpand ? 2 : 0));
	if (p.ulInfoLen)
		pmsg_bytes(r, PCIEHSM_F_P_INFO, p.pInfo, p.ulInfoLen);
	return true;
}

static bool put_eddsa(struct pmsg_request *r, const CK_MECHANISM *mech)
{
	CK_EDDSA_PARAMS p;

	if (!mech->ulParameterLen)
		return true;
	/* RFC 8032 allows a context of 255 bytes. */
	if (!PARAMETER(mech, &p) || p.ulContextDataLen > 255 ||
	    !sane(p.pContextData, p.ulContextDataLen))
		return false;
	pmsg_u32(r, PCIEHSM_F_P_PREHASH, p.phFlag ? 1 : 0);
	if (p.ulContextDataLen)
		pmsg_bytes(r, PCIEHSM_F_P_CONTEXT, p.pContextData, p.ulContextDataLen);
	return true;
}

static bool put_sign_context(struct pmsg_request *r, const CK_MECHANISM *mech)
{
	CK_SIGN_ADDITIONAL_CONTEXT p;

	if (!mech->ulParameterLen)
		return true;
	/* FIPS 204 and 205 allow a context of 255 bytes. */
	if (!PARAMETER(mech, &p) || p.hedgeVariant > CKH_DETERMINISTIC_REQUIRED ||
	    p.ulContextLen > 255 || !sane(p.pContext, p.ulContextLen))
		return false;
	pmsg_u32(r, PCIEHSM_F_P_HEDGE, (uint32_t)p.hedgeVariant);
	if (p.ulContextLen)
		pmsg_bytes(r, PCIEHSM_F_P_CONTEXT, p.pContext, p.ulContextLen);
	return true;
}

static bool put_mac_len(struct pmsg_request *r, const CK_MECHANISM *mech)
{
	CK_ULONG len; /* CK_MAC_GENERAL_PARAMS */

	if (!PARAMETER(mech, &len) || len > PCIEHSM_MSG_MAX)
		return false;
	pmsg_u32(r, PCIEHSM_F_P_MAC_LEN, (uint32_t)len);
	return true;
}

static bool put_parameter(struct pmsg_request *r, const CK_MECHANISM *mech, enum wants wants)
{
	switch (wants) {
	case WANTS_IV16:
		return put_iv(r, mech, AES_BLOCK, false);
	case WANTS_IV8:
		return put_iv(r, mech, 8, true);
	case WANTS_IV4:
		return put_iv(r, mech, 4, true);
	case WANTS_COUNTER:
		return put_counter(r, mech);
	case WANTS_GCM:
		return put_gcm(r, mech);
	case WANTS_PSS:
		return put_pss(r, mech);
	case WANTS_OAEP:
		return put_oaep(r, mech);
	case WANTS_ECDH:
		return put_ecdh(r, mech);
	case WANTS_HKDF:
		return put_hkdf(r, mech);
	case WANTS_EDDSA:
		return put_eddsa(r, mech);
	case WANTS_SIGN_CONTEXT:
		return put_sign_context(r, mech);
	case WANTS_MAC_LEN:
		return put_mac_len(r, mech);
	case WANTS_NOTHING:
	case WANTS_UNKNOWN:
		break;
	}
	return !mech->ulParameterLen;
}

void pmsg_mechanism(struct pmsg_request *r, const CK_MECHANISM *mech)
{
	enum wants wants;

	if (!mech) {
		pmsg_fail(r, CKR_ARGUMENTS_BAD);
		return;
	}
	wants = wants_of(mech->mechanism);
	if (mech->mechanism > UINT32_MAX || (wants == WANTS_UNKNOWN && mech->ulParameterLen)) {
		pmsg_fail(r, CKR_MECHANISM_INVALID);
		return;
	}
	pmsg_u32(r, PCIEHSM_F_MECHANISM, (uint32_t)mech->mechanism);
	if (!put_parameter(r, mech, wants))
		pmsg_fail(r, CKR_MECHANISM_PARAM_INVALID);
}

CK_RV pciehsm_mechanism_check(const CK_MECHANISM *mech)
{
	static const struct pciehsm_transport anything = { .max_msg = PCIEHSM_MSG_MAX };
	struct pmsg_request r;

	pmsg_begin(&r, &anything, 0, 0);
	pmsg_mechanism(&r, mech);
	pmsg_end(&r, NULL);
	return r.rv;
}
