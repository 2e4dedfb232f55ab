// SPDX-License-Identifier: GPL-2.0-or-later
/* What the chapters share: sessions, keys, and what is known of mechanisms. */
#include "conformance.h"

CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

const char *const key_names[N_KEYS] = {
	"rsa-public", "rsa-private", "ec-public", "ec-private", "aes", "generic", "data",
};

CK_SESSION_HANDLE open_session(bool rw)
{
	CK_SESSION_HANDLE s;

	need(p11->C_OpenSession(slot, CKF_SERIAL_SESSION | (rw ? CKF_RW_SESSION : 0), NULL, NULL,
				&s), "C_OpenSession");
	return s;
}

CK_SESSION_HANDLE log_in(void)
{
	CK_SESSION_HANDLE s = open_session(true);

	need(p11->C_Login(s, CKU_USER, (CK_UTF8CHAR *)user_pin, strlen(user_pin)), "C_Login");
	return s;
}

void log_out(CK_SESSION_HANDLE s)
{
	need(p11->C_Logout(s), "C_Logout");
	need(p11->C_CloseAllSessions(slot), "C_CloseAllSessions");
}

void make_keys(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE *keys)
{
	static CK_BYTE p256[] = { 0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 };
	CK_MECHANISM rsa = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
	CK_MECHANISM ec = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
	CK_MECHANISM aes = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_ULONG bits = 2048, len = 32;
	CK_OBJECT_CLASS data = CKO_DATA, secret = CKO_SECRET_KEY;
	CK_KEY_TYPE generic = CKK_GENERIC_SECRET;
	CK_BYTE exponent[] = { 1, 0, 1 }, value[64] = "a secret that is no secret";
	CK_ATTRIBUTE rsa_pub[] = {
		ATTR(CKA_MODULUS_BITS, bits), ATTR(CKA_PUBLIC_EXPONENT, exponent),
		ATTR(CKA_VERIFY, yes), ATTR(CKA_ENCRYPT, yes), ATTR(CKA_WRAP, yes),
	};
	CK_ATTRIBUTE rsa_priv[] = {
		ATTR(CKA_SIGN, yes), ATTR(CKA_DECRYPT, yes), ATTR(CKA_UNWRAP, yes),
	};
	CK_ATTRIBUTE ec_pub[] = { ATTR(CKA_EC_PARAMS, p256), ATTR(CKA_VERIFY, yes) };
	CK_ATTRIBUTE ec_priv[] = { ATTR(CKA_SIGN, yes), ATTR(CKA_DERIVE, yes) };
	CK_ATTRIBUTE aes_key[] = {
		ATTR(CKA_VALUE_LEN, len), ATTR(CKA_ENCRYPT, yes), ATTR(CKA_DECRYPT, yes),
		ATTR(CKA_WRAP, yes), ATTR(CKA_UNWRAP, yes), ATTR(CKA_SIGN, yes),
		ATTR(CKA_VERIFY, yes),
	};
	CK_ATTRIBUTE generic_key[] = {
		ATTR(CKA_CLASS, secret), ATTR(CKA_KEY_TYPE, generic), ATTR(CKA_VALUE, value),
		ATTR(CKA_SIGN, yes), ATTR(CKA_VERIFY, yes), ATTR(CKA_DERIVE, yes),
		ATTR(CKA_EXTRACTABLE, yes), ATTR(CKA_SENSITIVE, no),
	};
	CK_ATTRIBUTE object[] = { ATTR(CKA_CLASS, data), ATTR(CKA_VALUE, value) };

	need(p11->C_GenerateKeyPair(s, &rsa, rsa_pub, COUNT(rsa_pub), rsa_priv, COUNT(rsa_priv),
				    &keys[KEY_RSA_PUBLIC], &keys[KEY_RSA_PRIVATE]), "RSA keys");
	need(p11->C_GenerateKeyPair(s, &ec, ec_pub, COUNT(ec_pub), ec_priv, COUNT(ec_priv),
				    &keys[KEY_EC_PUBLIC], &keys[KEY_EC_PRIVATE]), "EC keys");
	need(p11->C_GenerateKey(s, &aes, aes_key, COUNT(aes_key), &keys[KEY_AES]), "AES key");
	need(p11->C_CreateObject(s, generic_key, COUNT(generic_key), &keys[KEY_GENERIC]),
	     "generic key");
	need(p11->C_CreateObject(s, object, COUNT(object), &keys[KEY_DATA]), "data object");
}

#define M(name) { name, #name }

const struct mechanism_name mechanism_names[] = {
	M(CKM_RSA_PKCS_KEY_PAIR_GEN), M(CKM_RSA_PKCS), M(CKM_RSA_9796), M(CKM_RSA_X_509),
	M(CKM_MD5_RSA_PKCS), M(CKM_SHA1_RSA_PKCS), M(CKM_RSA_PKCS_OAEP), M(CKM_RSA_PKCS_PSS),
	M(CKM_SHA1_RSA_PKCS_PSS), M(CKM_SHA224_RSA_PKCS), M(CKM_SHA256_RSA_PKCS),
	M(CKM_SHA384_RSA_PKCS), M(CKM_SHA512_RSA_PKCS), M(CKM_SHA224_RSA_PKCS_PSS),
	M(CKM_SHA256_RSA_PKCS_PSS), M(CKM_SHA384_RSA_PKCS_PSS), M(CKM_SHA512_RSA_PKCS_PSS),
	M(CKM_SHA3_256_RSA_PKCS), M(CKM_SHA3_512_RSA_PKCS_PSS),
	M(CKM_DSA_KEY_PAIR_GEN), M(CKM_DSA), M(CKM_DSA_SHA1), M(CKM_DSA_SHA256),
	M(CKM_DH_PKCS_KEY_PAIR_GEN), M(CKM_DH_PKCS_DERIVE),
	M(CKM_DES_KEY_GEN), M(CKM_DES_ECB), M(CKM_DES_CBC), M(CKM_DES3_KEY_GEN), M(CKM_DES3_ECB),
	M(CKM_DES3_CBC), M(CKM_DES3_CBC_PAD), M(CKM_DES3_CMAC),
	M(CKM_MD5), M(CKM_MD5_HMAC), M(CKM_SHA_1), M(CKM_SHA_1_HMAC), M(CKM_SHA_1_HMAC_GENERAL),
	M(CKM_SHA224), M(CKM_SHA224_HMAC), M(CKM_SHA256), M(CKM_SHA256_HMAC),
	M(CKM_SHA256_HMAC_GENERAL), M(CKM_SHA384), M(CKM_SHA384_HMAC), M(CKM_SHA512),
	M(CKM_SHA512_HMAC), M(CKM_SHA512_224), M(CKM_SHA512_256), M(CKM_SHA512_256_HMAC),
	M(CKM_SHA3_224), M(CKM_SHA3_256), M(CKM_SHA3_384), M(CKM_SHA3_512),
	M(CKM_SHA3_256_HMAC), M(CKM_SHA3_512_HMAC_GENERAL),
	M(CKM_GENERIC_SECRET_KEY_GEN), M(CKM_EC_KEY_PAIR_GEN), M(CKM_ECDSA), M(CKM_ECDSA_SHA1),
	M(CKM_ECDSA_SHA224), M(CKM_ECDSA_SHA256), M(CKM_ECDSA_SHA384), M(CKM_ECDSA_SHA512),
	M(CKM_ECDSA_SHA3_256), M(CKM_ECDH1_DERIVE), M(CKM_ECDH1_COFACTOR_DERIVE),
	M(CKM_ECMQV_DERIVE), M(CKM_EDDSA), M(CKM_EC_EDWARDS_KEY_PAIR_GEN),
	M(CKM_EC_MONTGOMERY_KEY_PAIR_GEN),
	M(CKM_AES_KEY_GEN), M(CKM_AES_ECB), M(CKM_AES_CBC), M(CKM_AES_MAC), M(CKM_AES_CBC_PAD),
	M(CKM_AES_CTR), M(CKM_AES_GCM), M(CKM_AES_CCM), M(CKM_AES_CMAC), M(CKM_AES_CMAC_GENERAL),
	M(CKM_AES_KEY_WRAP), M(CKM_AES_KEY_WRAP_PAD), M(CKM_AES_OFB), M(CKM_AES_CFB8),
	M(CKM_AES_ECB_ENCRYPT_DATA), M(CKM_HKDF_DERIVE), M(CKM_HKDF_DATA), M(CKM_HKDF_KEY_GEN),
	M(CKM_CAMELLIA_KEY_GEN), M(CKM_CAMELLIA_CBC), M(CKM_BLOWFISH_CBC), M(CKM_RC4),
	M(CKM_SSL3_PRE_MASTER_KEY_GEN), M(CKM_TLS_MASTER_KEY_DERIVE), M(CKM_PBE_SHA1_RC4_128),
	{ 0x7fffffffUL, "CKM_none" }, { CKM_VENDOR_DEFINED, "CKM_VENDOR_DEFINED" },
	{ CK_UNAVAILABLE_INFORMATION, "CKM_all-ones" },
};

const size_t n_mechanism_names = COUNT(mechanism_names);

const char *mechanism_name(CK_MECHANISM_TYPE type)
{
	size_t i;

	for (i = 0; i < n_mechanism_names; i++)
		if (mechanism_names[i].type == type)
			return mechanism_names[i].name;
	return "CKM_unnamed";
}

CK_MECHANISM parameter_for(CK_MECHANISM_TYPE type)
{
	static CK_BYTE iv[16] = { 1 };
	static CK_ULONG mac_len;
	static CK_AES_CTR_PARAMS ctr;
	static CK_GCM_PARAMS gcm;
	static CK_RSA_PKCS_PSS_PARAMS pss;
	static CK_RSA_PKCS_OAEP_PARAMS oaep;
	CK_MECHANISM mech = { type, NULL, 0 };

	switch (type) {
	case CKM_AES_CBC:
	case CKM_AES_CBC_PAD:
		mech.pParameter = iv;
		mech.ulParameterLen = 16;
		break;
	case CKM_DES_CBC:
	case CKM_DES3_CBC:
	case CKM_DES3_CBC_PAD:
		mech.pParameter = iv;
		mech.ulParameterLen = 8;
		break;
	case CKM_AES_CTR:
		ctr = (CK_AES_CTR_PARAMS){ .ulCounterBits = 32 };
		mech.pParameter = &ctr;
		mech.ulParameterLen = sizeof(ctr);
		break;
	case CKM_AES_GCM:
		gcm = (CK_GCM_PARAMS){ iv, 12, 96, NULL, 0, 128 };
		mech.pParameter = &gcm;
		mech.ulParameterLen = sizeof(gcm);
		break;
	case CKM_SHA_1_HMAC_GENERAL:
	case CKM_SHA256_HMAC_GENERAL:
	case CKM_SHA3_512_HMAC_GENERAL:
	case CKM_AES_CMAC_GENERAL:
		mac_len = 8;
		mech.pParameter = &mac_len;
		mech.ulParameterLen = sizeof(mac_len);
		break;
#define PSS(mechanism, hash, mgf, len)						\
	case mechanism:								\
		pss = (CK_RSA_PKCS_PSS_PARAMS){ hash, mgf, len };		\
		mech.pParameter = &pss;						\
		mech.ulParameterLen = sizeof(pss);				\
		break
	PSS(CKM_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA256, 32);
	PSS(CKM_SHA1_RSA_PKCS_PSS, CKM_SHA_1, CKG_MGF1_SHA1, 20);
	PSS(CKM_SHA224_RSA_PKCS_PSS, CKM_SHA224, CKG_MGF1_SHA224, 28);
	PSS(CKM_SHA256_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA256, 32);
	PSS(CKM_SHA384_RSA_PKCS_PSS, CKM_SHA384, CKG_MGF1_SHA384, 48);
	PSS(CKM_SHA512_RSA_PKCS_PSS, CKM_SHA512, CKG_MGF1_SHA512, 64);
	PSS(CKM_SHA3_512_RSA_PKCS_PSS, CKM_SHA3_512, 9UL, 64);
	case CKM_RSA_PKCS_OAEP:
		oaep = (CK_RSA_PKCS_OAEP_PARAMS){ CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED,
						  NULL, 0 };
		mech.pParameter = &oaep;
		mech.ulParameterLen = sizeof(oaep);
		break;
	default:
		break;
	}
	return mech;
}

bool supports(CK_MECHANISM_TYPE type, CK_FLAGS flags)
{
	/* SoftHSM 2.6 adds flags to what it finds there. */
	CK_MECHANISM_INFO info = { 0 };

	return p11->C_GetMechanismInfo(slot, type, &info) == CKR_OK &&
	       (info.flags & flags) == flags;
}
