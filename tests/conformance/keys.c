// SPDX-License-Identifier: GPL-2.0-or-later
/* Chapters on making keys, wrapping and deriving them, and on messages of 3.0. */
#include "conformance.h"

static CK_BYTE wrapped[4096];
static CK_ULONG len;
static CK_OBJECT_CLASS secret = CKO_SECRET_KEY, private = CKO_PRIVATE_KEY;
static CK_KEY_TYPE generic = CKK_GENERIC_SECRET, aes = CKK_AES, rsa = CKK_RSA;

static void generation(CK_SESSION_HANDLE s)
{
	static CK_BYTE p256[] = { 0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 };
	static CK_BYTE no_curve[] = { 0x06, 3, 0x2a, 0x03, 0x04 };
	CK_MECHANISM mech = { CKM_AES_KEY_GEN, NULL, 0 }, ec = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
	CK_MECHANISM rsa_pair = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
	CK_ULONG n, bits = 2048;
	CK_BYTE value[16] = { 0 }, even[] = { 2 };
	CK_ATTRIBUTE t[] = { ATTR(CKA_VALUE_LEN, n), { 0, NULL, 0 } };
	CK_ATTRIBUTE pub[] = { ATTR(CKA_EC_PARAMS, p256), { 0, NULL, 0 } };
	CK_MECHANISM_INFO info;
	CK_OBJECT_HANDLE key, other;

	for (n = 0; n < 48; n++) {
		if (n == 16 || n == 24 || n == 32)
			result(p11->C_GenerateKey(s, &mech, t, 1, &key), ALLOW(CKR_OK),
			       "generate an AES key of %lu bytes", n);
		else
			result(p11->C_GenerateKey(s, &mech, t, 1, &key),
			       ALLOW(CKR_KEY_SIZE_RANGE, CKR_ATTRIBUTE_VALUE_INVALID,
				     CKR_TEMPLATE_INCONSISTENT),
			       "generate an AES key of %lu bytes", n);
	}
	n = 16;
	IS(p11->C_GenerateKey(s, &mech, t, 0, &key), "generate without length",
	   CKR_TEMPLATE_INCOMPLETE);
	t[1] = (CK_ATTRIBUTE)ATTR(CKA_VALUE, value);
	IS(p11->C_GenerateKey(s, &mech, t, 2, &key), "generate with a value",
	   CKR_ATTRIBUTE_READ_ONLY, CKR_TEMPLATE_INCONSISTENT, CKR_ATTRIBUTE_TYPE_INVALID);
	t[1] = (CK_ATTRIBUTE)ATTR(CKA_KEY_TYPE, rsa);
	IS(p11->C_GenerateKey(s, &mech, t, 2, &key), "generate another type",
	   CKR_TEMPLATE_INCONSISTENT);
	t[1] = (CK_ATTRIBUTE)ATTR(CKA_CLASS, private);
	IS(p11->C_GenerateKey(s, &mech, t, 2, &key), "generate another class",
	   CKR_TEMPLATE_INCONSISTENT, CKR_ATTRIBUTE_VALUE_INVALID);
	t[1] = (CK_ATTRIBUTE)ATTR(CKA_KEY_TYPE, aes);
	OK(p11->C_GenerateKey(s, &mech, t, 2, &key), "generate with its type");
	mech.pParameter = value;
	mech.ulParameterLen = 16;
	IS(p11->C_GenerateKey(s, &mech, t, 2, &key), "generate with a parameter",
	   CKR_MECHANISM_PARAM_INVALID);
	mech.mechanism = CKM_SHA256;
	mech.ulParameterLen = 0;
	IS(p11->C_GenerateKey(s, &mech, t, 2, &key), "generate by a digest",
	   CKR_MECHANISM_INVALID);
	IS(p11->C_GenerateKeyPair(s, &ec, pub, 0, NULL, 0, &key, &other),
	   "EC pair without curve", CKR_TEMPLATE_INCOMPLETE);
	OK(p11->C_GenerateKeyPair(s, &ec, pub, 1, NULL, 0, &key, &other), "EC pair");
	pub[0] = (CK_ATTRIBUTE)ATTR(CKA_EC_PARAMS, no_curve);
	IS(p11->C_GenerateKeyPair(s, &ec, pub, 1, NULL, 0, &key, &other), "EC pair, no curve",
	   CKR_CURVE_NOT_SUPPORTED, CKR_DOMAIN_PARAMS_INVALID, CKR_ATTRIBUTE_VALUE_INVALID);
	pub[0].ulValueLen = 2;
	IS(p11->C_GenerateKeyPair(s, &ec, pub, 1, NULL, 0, &key, &other), "EC pair, bad DER",
	   CKR_CURVE_NOT_SUPPORTED, CKR_DOMAIN_PARAMS_INVALID, CKR_ATTRIBUTE_VALUE_INVALID);
	IS(p11->C_GenerateKeyPair(s, &rsa_pair, pub, 0, NULL, 0, &key, &other),
	   "RSA pair without size", CKR_TEMPLATE_INCOMPLETE);
	pub[0] = (CK_ATTRIBUTE)ATTR(CKA_MODULUS_BITS, bits);
	need(p11->C_GetMechanismInfo(slot, CKM_RSA_PKCS_KEY_PAIR_GEN, &info), "C_GetMechanismInfo");
	for (bits = 0; bits < info.ulMinKeySize; bits += 511)
		result(p11->C_GenerateKeyPair(s, &rsa_pair, pub, 1, NULL, 0, &key, &other),
		       ALLOW(CKR_KEY_SIZE_RANGE, CKR_ATTRIBUTE_VALUE_INVALID), "RSA pair of %lu bits",
		       bits);
	bits = 2048;
	pub[1] = (CK_ATTRIBUTE)ATTR(CKA_PUBLIC_EXPONENT, even);
	IS(p11->C_GenerateKeyPair(s, &rsa_pair, pub, 2, NULL, 0, &key, &other),
	   "RSA pair, even exponent", CKR_ATTRIBUTE_VALUE_INVALID, CKR_TEMPLATE_INCONSISTENT);
}

static CK_OBJECT_HANDLE secret_of(CK_SESSION_HANDLE s, CK_BBOOL extractable, CK_BBOOL wrap)
{
	CK_BYTE value[32] = "what is to be wrapped";
	CK_ATTRIBUTE t[] = {
		ATTR(CKA_CLASS, secret), ATTR(CKA_KEY_TYPE, aes), ATTR(CKA_VALUE, value),
		ATTR(CKA_EXTRACTABLE, extractable), ATTR(CKA_WRAP, wrap), ATTR(CKA_UNWRAP, wrap),
		ATTR(CKA_SENSITIVE, yes),
	};
	CK_OBJECT_HANDLE key;

	need(p11->C_CreateObject(s, t, COUNT(t), &key), "a key to be wrapped");
	return key;
}

static void wrapping(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE *keys)
{
	CK_OBJECT_HANDLE key = secret_of(s, CK_TRUE, CK_FALSE), stays, back, no_wrapper;
	CK_ATTRIBUTE t[] = { ATTR(CKA_CLASS, secret), ATTR(CKA_KEY_TYPE, aes), { 0, NULL, 0 } };
	static const CK_MECHANISM_TYPE list[] = {
		CKM_AES_KEY_WRAP, CKM_AES_KEY_WRAP_PAD, CKM_AES_CBC_PAD, CKM_RSA_PKCS,
		CKM_RSA_PKCS_OAEP,
	};
	CK_BYTE small[64];
	CK_BBOOL flag;
	CK_ATTRIBUTE get = ATTR(CKA_LOCAL, flag);
	CK_ULONG needed, i, n;

	stays = secret_of(s, CK_FALSE, CK_FALSE);
	no_wrapper = secret_of(s, CK_TRUE, CK_FALSE);
	for (i = 0; i < COUNT(list); i++) {
		CK_MECHANISM mech = parameter_for(list[i]);
		const char *m = mechanism_name(list[i]);
		bool by_rsa = list[i] == CKM_RSA_PKCS || list[i] == CKM_RSA_PKCS_OAEP;
		CK_OBJECT_HANDLE by = by_rsa ? keys[KEY_RSA_PUBLIC] : keys[KEY_AES];
		CK_OBJECT_HANDLE with = by_rsa ? keys[KEY_RSA_PRIVATE] : keys[KEY_AES];

		if (!supports(list[i], CKF_WRAP))
			continue;
#define SAYS(call, what, ...) result((call), ALLOW(__VA_ARGS__), "%s: %s", m, what)
		needed = 0;
		SAYS(p11->C_WrapKey(s, &mech, by, key, NULL, &needed), "ask for the length",
		     CKR_OK);
		holds(needed >= 32 && needed <= sizeof(wrapped), "%s: a length", m);
		len = 1;
		SAYS(p11->C_WrapKey(s, &mech, by, key, small, &len), "little room",
		     CKR_BUFFER_TOO_SMALL);
		holds(len <= needed, "%s: length with little room", m);
		len = sizeof(wrapped);
		SAYS(p11->C_WrapKey(s, &mech, by, key, wrapped, &len), "wrap", CKR_OK);
		holds(len <= needed, "%s: no more than was told", m);
		n = len;
		SAYS(p11->C_WrapKey(s, &mech, by, stays, wrapped + 2048, &(CK_ULONG){ 2048 }),
		     "wrap what stays", CKR_KEY_UNEXTRACTABLE);
		SAYS(p11->C_WrapKey(s, &mech, by, 0, wrapped + 2048, &(CK_ULONG){ 2048 }),
		     "wrap nothing", CKR_KEY_HANDLE_INVALID);
		SAYS(p11->C_WrapKey(s, &mech, 0, key, wrapped + 2048, &(CK_ULONG){ 2048 }),
		     "wrap by nothing", CKR_WRAPPING_KEY_HANDLE_INVALID);
		SAYS(p11->C_WrapKey(s, &mech, keys[KEY_EC_PUBLIC], key, wrapped + 2048,
				    &(CK_ULONG){ 2048 }), "wrap by another type",
		     CKR_WRAPPING_KEY_TYPE_INCONSISTENT, CKR_KEY_FUNCTION_NOT_PERMITTED);
		if (!by_rsa) {
			SAYS(p11->C_WrapKey(s, &mech, no_wrapper, key, wrapped + 2048,
					    &(CK_ULONG){ 2048 }), "wrap without CKA_WRAP",
			     CKR_KEY_FUNCTION_NOT_PERMITTED);
			SAYS(p11->C_UnwrapKey(s, &mech, no_wrapper, wrapped, n, t, 2, &back),
			     "unwrap without CKA_UNWRAP", CKR_KEY_FUNCTION_NOT_PERMITTED);
		}
		SAYS(p11->C_UnwrapKey(s, &mech, 0, wrapped, n, t, 2, &back), "unwrap by nothing",
		     CKR_UNWRAPPING_KEY_HANDLE_INVALID);
		SAYS(p11->C_UnwrapKey(s, &mech, with, wrapped, n, t, 2, &back), "unwrap", CKR_OK);
		OK(p11->C_GetAttributeValue(s, back, &get, 1), "attribute of what was unwrapped");
		holds(!flag, "%s: what was unwrapped is not local", m);
		SAYS(p11->C_UnwrapKey(s, &mech, with, wrapped, n, t, 1, &back),
		     "unwrap without type", CKR_TEMPLATE_INCOMPLETE);
		wrapped[n / 2] ^= 1;
		SAYS(p11->C_UnwrapKey(s, &mech, with, wrapped, n, t, 2, &back), "unwrap damaged",
		     CKR_WRAPPED_KEY_INVALID, list[i] == CKM_AES_CBC_PAD ||
		     list[i] == CKM_RSA_PKCS ? CKR_OK : CKR_WRAPPED_KEY_INVALID);
		wrapped[n / 2] ^= 1;
		SAYS(p11->C_UnwrapKey(s, &mech, with, wrapped, n - 1, t, 2, &back), "unwrap short",
		     CKR_WRAPPED_KEY_LEN_RANGE, CKR_WRAPPED_KEY_INVALID);
		SAYS(p11->C_UnwrapKey(s, &mech, with, wrapped, 0, t, 2, &back), "unwrap empty",
		     CKR_WRAPPED_KEY_LEN_RANGE, CKR_WRAPPED_KEY_INVALID);
		t[2] = (CK_ATTRIBUTE)ATTR(CKA_LOCAL, yes);
		SAYS(p11->C_UnwrapKey(s, &mech, with, wrapped, n, t, 3, &back),
		     "unwrap with CKA_LOCAL", CKR_ATTRIBUTE_READ_ONLY, CKR_TEMPLATE_INCONSISTENT);
#undef SAYS
	}
}

static void derivation(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE *keys)
{
	CK_BYTE point[256] = { 4 };
	CK_ECDH1_DERIVE_PARAMS p = { CKD_NULL, 0, NULL, 65, point };
	CK_MECHANISM mech = { CKM_ECDH1_DERIVE, &p, sizeof(p) };
	CK_ULONG n = 32;
	CK_ATTRIBUTE t[] = {
		ATTR(CKA_CLASS, secret), ATTR(CKA_KEY_TYPE, generic), ATTR(CKA_VALUE_LEN, n),
	};
	CK_ATTRIBUTE get = ATTR(CKA_EC_POINT, point);
	CK_OBJECT_HANDLE key;

	if (!supports(CKM_ECDH1_DERIVE, CKF_DERIVE))
		return;
	IS(p11->C_DeriveKey(s, &mech, keys[KEY_EC_PRIVATE], t, 3, &key), "point off the curve",
	   CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD);
	need(p11->C_GetAttributeValue(s, keys[KEY_EC_PUBLIC], &get, 1), "CKA_EC_POINT");
	p.pPublicData = point;
	p.ulPublicDataLen = get.ulValueLen;
	OK(p11->C_DeriveKey(s, &mech, keys[KEY_EC_PRIVATE], t, 3, &key), "point in DER");
	p.pPublicData = point + 2;
	p.ulPublicDataLen = get.ulValueLen - 2;
	OK(p11->C_DeriveKey(s, &mech, keys[KEY_EC_PRIVATE], t, 3, &key), "raw point");
	IS(p11->C_DeriveKey(s, &mech, keys[KEY_AES], t, 3, &key), "derive from AES",
	   CKR_KEY_TYPE_INCONSISTENT, CKR_KEY_FUNCTION_NOT_PERMITTED);
	IS(p11->C_DeriveKey(s, &mech, 0, t, 3, &key), "derive from nothing",
	   CKR_KEY_HANDLE_INVALID);
	n = 33;
	IS(p11->C_DeriveKey(s, &mech, keys[KEY_EC_PRIVATE], t, 3, &key), "derive too much",
	   CKR_KEY_SIZE_RANGE, CKR_ATTRIBUTE_VALUE_INVALID, CKR_TEMPLATE_INCONSISTENT);
	n = 32;
	p.pPublicData = NULL;
	IS(p11->C_DeriveKey(s, &mech, keys[KEY_EC_PRIVATE], t, 3, &key), "no point",
	   CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD);
	mech.pParameter = NULL;
	mech.ulParameterLen = 0;
	IS(p11->C_DeriveKey(s, &mech, keys[KEY_EC_PRIVATE], t, 3, &key), "no parameter",
	   CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD);
	mech.mechanism = CKM_SHA256;
	IS(p11->C_DeriveKey(s, &mech, keys[KEY_EC_PRIVATE], t, 3, &key), "derive by a digest",
	   CKR_MECHANISM_INVALID);
}

void chapter_keys(void)
{
	CK_SESSION_HANDLE s = log_in();
	CK_OBJECT_HANDLE keys[N_KEYS];

	make_keys(s, keys);
	generation(s);
	wrapping(s, keys);
	derivation(s, keys);
	log_out(s);
}

void chapter_messages(void)
{
	CK_SESSION_HANDLE s = log_in();
	CK_OBJECT_HANDLE keys[N_KEYS];
	CK_MECHANISM mech = { CKM_ECDSA_SHA256, NULL, 0 }, gcm = { CKM_AES_GCM, NULL, 0 };
	CK_BYTE iv[12] = { 0 }, tag[16], in[64] = "in", out[64], again[64];
	CK_GCM_MESSAGE_PARAMS p = { iv, 12, 0, CKG_NO_GENERATE, tag, 128 };
	CK_ULONG n;
	size_t i;

	make_keys(s, keys);
	holds(!p11_3_0 || p11_3_0->v2.version.major == 3, "the list's version");
	if (p11_3_0 && supports(CKM_AES_GCM, CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT)) {
		OK(p11_3_0->C_MessageEncryptInit(s, &gcm, keys[KEY_AES]), "message encrypt init");
		OK(p11_3_0->C_MessageDecryptInit(s, &gcm, keys[KEY_AES]), "message decrypt init");
		for (i = 0; i < sizeof(in); i++) {
			iv[0] = (CK_BYTE)i;
			n = sizeof(out);
			result(p11_3_0->C_EncryptMessage(s, &p, sizeof(p), in, i, in, i, out, &n),
			       ALLOW(CKR_OK), "encrypt a message of %zu bytes", i);
			holds(n == i, "length of an encrypted message of %zu bytes", i);
			result(p11_3_0->C_DecryptMessage(s, &p, sizeof(p), in, i, out, i, again,
							 &n), ALLOW(CKR_OK),
			       "decrypt a message of %zu bytes", i);
			holds(n == i && !memcmp(in, again, i), "a message of %zu bytes comes back",
			      i);
			tag[i % 16] ^= 1;
			result(p11_3_0->C_DecryptMessage(s, &p, sizeof(p), in, i, out, i, again,
							 &n), ALLOW(CKR_ENCRYPTED_DATA_INVALID,
								    CKR_AEAD_DECRYPT_FAILED),
			       "a wrong tag of a message of %zu bytes", i);
		}
		OK(p11_3_0->C_MessageEncryptFinal(s), "message encrypt final");
		OK(p11_3_0->C_MessageDecryptFinal(s), "message decrypt final");
	}
	if (p11_3_0 && supports(CKM_ECDSA_SHA256, CKF_MESSAGE_SIGN | CKF_MESSAGE_VERIFY)) {
		OK(p11_3_0->C_MessageSignInit(s, &mech, keys[KEY_EC_PRIVATE]), "message sign init");
		OK(p11_3_0->C_MessageVerifyInit(s, &mech, keys[KEY_EC_PUBLIC]),
		   "message verify init");
		for (i = 0; i < sizeof(in); i++) {
			n = sizeof(out);
			result(p11_3_0->C_SignMessage(s, NULL, 0, in, i, out, &n), ALLOW(CKR_OK),
			       "sign a message of %zu bytes", i);
			result(p11_3_0->C_VerifyMessage(s, NULL, 0, in, i, out, n), ALLOW(CKR_OK),
			       "verify a message of %zu bytes", i);
			out[i] ^= 1;
			result(p11_3_0->C_VerifyMessage(s, NULL, 0, in, i, out, n),
			       ALLOW(CKR_SIGNATURE_INVALID), "a wrong signature of %zu bytes", i);
		}
		OK(p11_3_0->C_MessageSignFinal(s), "message sign final");
		OK(p11_3_0->C_MessageVerifyFinal(s), "message verify final");
	}
	log_out(s);
}
