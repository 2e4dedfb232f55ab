// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is approved: FIPS 186-5, SP 800-131A Rev. 2, SP 800-38F, SP 800-56A, SP 800-186 and
 * FIPS 203 to 205, as far as they speak of what is here.
 */
#include <openssl/objects.h>

#include "crypto/internal.h"
#include "crypto/key.h"

/* SP 800-131A, section 10: shorter HMAC keys are good for old MACs only. */
#define FW_HMAC_KEY_MIN		14

#define MAKES	(CKF_SIGN | CKF_SIGN_RECOVER | CKF_ENCRYPT | CKF_WRAP)

/* SHA-1 in front of a signature: only what was signed before can be verified. */
static bool fw_sha1_signature(CK_ULONG mech)
{
	return mech == CKM_SHA1_RSA_PKCS || mech == CKM_SHA1_RSA_PKCS_PSS ||
	       mech == CKM_ECDSA_SHA1;
}

uint32_t fw_approved_flags(CK_ULONG mech)
{
	const struct fw_mech_info *info = fw_mechanism_find(mech);
	uint32_t uses = CKF_DIGEST | CKF_GENERATE | CKF_GENERATE_KEY_PAIR | CKF_DERIVE |
			CKF_ENCRYPT | CKF_DECRYPT | CKF_SIGN | CKF_VERIFY | CKF_SIGN_RECOVER |
			CKF_VERIFY_RECOVER | CKF_WRAP | CKF_UNWRAP | CKF_ENCAPSULATE |
			CKF_DECAPSULATE;

	if (!info)
		return 0;
	switch (mech) {
	case CKM_RSA_X_509:			/* no padding at all */
	case CKM_RSA_X9_31_KEY_PAIR_GEN:	/* X9.31 is withdrawn */
	case CKM_EC_MONTGOMERY_KEY_PAIR_GEN:	/* X25519 is not in SP 800-56A */
		return 0;
	case CKM_RSA_PKCS:
		/* Signatures only: as encryption it is no longer allowed. */
		return info->flags & (CKF_SIGN | CKF_VERIFY | CKF_SIGN_RECOVER |
				      CKF_VERIFY_RECOVER);
	case CKM_AES_ECB:
	case CKM_AES_CBC:
	case CKM_AES_CBC_PAD:
	case CKM_AES_CTR:
		/* SP 800-38F wraps keys by what also authenticates them: KW, KWP, GCM. */
		uses &= ~(CKF_WRAP | CKF_UNWRAP);
		break;
	default:
		break;
	}
	uses &= info->flags;
	return fw_sha1_signature(mech) ? uses & ~MAKES : uses;
}

bool fw_approved_curve(CK_ULONG key_type, struct fw_bytes params)
{
	const struct fw_curve *curve = fw_curve_find(key_type, params);

	return curve && curve->kind != FW_CURVE_MONTGOMERY && curve->nid != NID_secp256k1;
}

bool fw_approved_key(const struct fw_key *key)
{
	if (key->curve)
		return fw_approved_curve(key->type, key->curve->params);
	return key->class != CKO_SECRET_KEY || key->secret_len >= FW_HMAC_KEY_MIN;
}
