// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A chapter on functions that the others have little of: recovering, two functions at once,
 * messages, signatures known beforehand, the last parts of operations; and on templates of
 * everything that makes an object. It is what codes.c stands on, too.
 */
#include "conformance.h"

static CK_BYTE in[4096], out[4096], iv[16], tag[16];
static CK_ULONG len;
static CK_OBJECT_HANDLE object, object2;
static CK_OBJECT_HANDLE keys[N_KEYS];
static CK_OBJECT_CLASS secret = CKO_SECRET_KEY;
static CK_KEY_TYPE generic = CKK_GENERIC_SECRET;

#define SAYS(call, what, ...) result((call), ALLOW(__VA_ARGS__), "%s", what)
#define BAD(call, what) SAYS(call, what, CKR_ARGUMENTS_BAD)
#define LITTLE(call, what)					\
	do {							\
		len = 1;					\
		SAYS(call, what, CKR_BUFFER_TOO_SMALL);		\
	} while (0)
#define ROOM(call, what)					\
	do {							\
		len = sizeof(out);				\
		SAYS(call, what, CKR_OK);			\
	} while (0)

static CK_SESSION_HANDLE again(CK_SESSION_HANDLE s)
{
	need(p11->C_CloseSession(s), "C_CloseSession");
	return open_session(true);
}

static void little_ones(CK_SESSION_HANDLE s)
{
	CK_SLOT_INFO slot_info;
	CK_SLOT_ID id;
	CK_INFO info;

	OK(p11->C_GetInfo(&info), "C_GetInfo");
	OK(p11->C_GetSlotInfo(slot, &slot_info), "C_GetSlotInfo");
	OK(p11->C_GenerateRandom(s, out, 100), "C_GenerateRandom");
	OK(p11->C_GenerateRandom(s, NULL, 0), "C_GenerateRandom of nothing");
	BAD(p11->C_GenerateRandom(s, NULL, 100), "C_GenerateRandom NULL");
	SAYS(p11->C_SeedRandom(s, in, 100), "C_SeedRandom", CKR_OK,
	     CKR_RANDOM_SEED_NOT_SUPPORTED);
	SAYS(p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, &id, NULL), "C_WaitForSlotEvent",
	     CKR_NO_EVENT, CKR_FUNCTION_NOT_SUPPORTED);
	len = sizeof(out);
	SAYS(p11->C_GetOperationState(s, out, &len), "C_GetOperationState",
	     CKR_OPERATION_NOT_INITIALIZED, CKR_FUNCTION_NOT_SUPPORTED);
	SAYS(p11->C_SetOperationState(s, in, 16, 0, 0), "C_SetOperationState",
	     CKR_SAVED_STATE_INVALID, CKR_FUNCTION_NOT_SUPPORTED);
	BAD(p11->C_InitPIN(s, NULL, 5), "C_InitPIN NULL");
	BAD(p11->C_SetPIN(s, NULL, 5, in, 8), "C_SetPIN NULL");
	BAD(p11->C_InitToken(slot, in, 8, NULL), "C_InitToken NULL");
}

static void interfaces(void)
{
	CK_VERSION v2_40 = { 2, 40 };
	CK_INTERFACE list[16], *one;
	CK_ULONG n = 0;

	if (!p11_3_0)
		return;
	BAD(p11_3_0->C_GetInterfaceList(list, NULL), "C_GetInterfaceList NULL");
	OK(p11_3_0->C_GetInterfaceList(NULL, &n), "C_GetInterfaceList for the count");
	holds(n > 1 && n <= COUNT(list), "a count of interfaces");
	n--;
	SAYS(p11_3_0->C_GetInterfaceList(list, &n), "C_GetInterfaceList with little room",
	     CKR_BUFFER_TOO_SMALL);
	OK(p11_3_0->C_GetInterfaceList(list, &n), "C_GetInterfaceList");
	BAD(p11_3_0->C_GetInterface(NULL, NULL, NULL, 0), "C_GetInterface NULL");
	OK(p11_3_0->C_GetInterface(NULL, NULL, &one, 0), "C_GetInterface, the default one");
	OK(p11_3_0->C_GetInterface(NULL, &v2_40, &one, 0), "C_GetInterface of 2.40");
	SAYS(p11_3_0->C_GetInterface((CK_UTF8CHAR *)"none such", NULL, &one, 0),
	     "C_GetInterface of another name", CKR_FUNCTION_FAILED);
}

static void login_user(void)
{
	CK_SESSION_HANDLE s = open_session(true), ro = open_session(false);
	CK_FUNCTION_LIST_3_0 *f = p11_3_0;
	CK_UTF8CHAR *user = (CK_UTF8CHAR *)user_pin, *so = (CK_UTF8CHAR *)so_pin;
	CK_ULONG n = strlen(user_pin), so_len = strlen(so_pin);

	if (!f)
		return;
	BAD(f->C_LoginUser(s, CKU_USER, NULL, 5, NULL, 0), "C_LoginUser no PIN");
	BAD(f->C_LoginUser(s, CKU_USER, user, n, NULL, 5), "C_LoginUser no name");
	SAYS(f->C_LoginUser(s, 77, user, n, NULL, 0), "C_LoginUser 77", CKR_USER_TYPE_INVALID);
	SAYS(f->C_LoginUser(s, CKU_CONTEXT_SPECIFIC, user, n, NULL, 0), "C_LoginUser context",
	     CKR_OPERATION_NOT_INITIALIZED);
	SAYS(f->C_LoginUser(s, CKU_USER, (CK_UTF8CHAR *)"wrong-pin", 9, NULL, 0),
	     "C_LoginUser wrong", CKR_PIN_INCORRECT);
	SAYS(f->C_LoginUser(s, CKU_SO, so, so_len, NULL, 0), "C_LoginUser SO with R/O",
	     CKR_SESSION_READ_ONLY_EXISTS);
	OK(f->C_LoginUser(ro, CKU_USER, user, n, NULL, 0), "C_LoginUser");
	SAYS(f->C_LoginUser(s, CKU_USER, user, n, NULL, 0), "C_LoginUser twice",
	     CKR_USER_ALREADY_LOGGED_IN);
	need(p11->C_CloseSession(ro), "C_CloseSession");
	SAYS(f->C_LoginUser(s, CKU_SO, so, so_len, NULL, 0), "C_LoginUser SO and user",
	     CKR_USER_ANOTHER_ALREADY_LOGGED_IN);
	log_out(s);
}

static void recovering(CK_SESSION_HANDLE s)
{
	CK_MECHANISM rsa = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 }, mech = { CKM_RSA_PKCS, NULL, 0 };
	CK_MECHANISM odd = { CKM_RSA_PKCS, in, 5 };
	CK_ULONG bits = 2048, sig_len = 256;
	CK_BYTE exponent[] = { 1, 0, 1 }, sig[256];
	CK_ATTRIBUTE pub[] = {
		ATTR(CKA_MODULUS_BITS, bits), ATTR(CKA_PUBLIC_EXPONENT, exponent),
		ATTR(CKA_VERIFY_RECOVER, yes),
	};
	CK_ATTRIBUTE priv[] = { ATTR(CKA_SIGN_RECOVER, yes) };

	if (!supports(CKM_RSA_PKCS, CKF_SIGN_RECOVER | CKF_VERIFY_RECOVER))
		return;
	need(p11->C_GenerateKeyPair(s, &rsa, pub, 3, priv, 1, &object, &object2), "RSA keys");
	BAD(p11->C_SignRecoverInit(s, NULL, object2), "C_SignRecoverInit NULL");
	SAYS(p11->C_SignRecoverInit(s, &odd, object2), "C_SignRecoverInit with a parameter",
	     CKR_MECHANISM_PARAM_INVALID);
	OK(p11->C_SignRecoverInit(s, &mech, object2), "C_SignRecoverInit");
	SAYS(p11->C_SignRecoverInit(s, &mech, object2), "C_SignRecoverInit twice",
	     CKR_OPERATION_ACTIVE);
	OK(p11->C_SignRecover(s, in, 20, NULL, &len), "C_SignRecover for the length");
	LITTLE(p11->C_SignRecover(s, in, 20, sig, &len), "C_SignRecover, little room");
	len = sizeof(sig);
	OK(p11->C_SignRecover(s, in, 20, sig, &len), "C_SignRecover");
	need(p11->C_SignRecoverInit(s, &mech, object2), "C_SignRecoverInit");
	BAD(p11->C_SignRecover(s, NULL, 20, sig, &len), "C_SignRecover NULL");
	need(p11->C_SignRecoverInit(s, &mech, object2), "C_SignRecoverInit");
	len = sizeof(out);
	SAYS(p11->C_SignRecover(s, in, 300, out, &len), "C_SignRecover of too much",
	     CKR_DATA_LEN_RANGE);

	BAD(p11->C_VerifyRecoverInit(s, NULL, object), "C_VerifyRecoverInit NULL");
	SAYS(p11->C_VerifyRecoverInit(s, &odd, object), "C_VerifyRecoverInit with a parameter",
	     CKR_MECHANISM_PARAM_INVALID);
	OK(p11->C_VerifyRecoverInit(s, &mech, object), "C_VerifyRecoverInit");
	SAYS(p11->C_VerifyRecoverInit(s, &mech, object), "C_VerifyRecoverInit twice",
	     CKR_OPERATION_ACTIVE);
	LITTLE(p11->C_VerifyRecover(s, sig, sig_len, out, &len), "C_VerifyRecover, little room");
	ROOM(p11->C_VerifyRecover(s, sig, sig_len, out, &len), "C_VerifyRecover");
	holds(len == 20 && !memcmp(out, in, 20), "what was signed is recovered");
	need(p11->C_VerifyRecoverInit(s, &mech, object), "C_VerifyRecoverInit");
	BAD(p11->C_VerifyRecover(s, NULL, sig_len, out, &len), "C_VerifyRecover NULL");
	need(p11->C_VerifyRecoverInit(s, &mech, object), "C_VerifyRecoverInit");
	SAYS(p11->C_VerifyRecover(s, sig, sig_len - 1, out, &len), "C_VerifyRecover short",
	     CKR_SIGNATURE_LEN_RANGE);
	need(p11->C_VerifyRecoverInit(s, &mech, object), "C_VerifyRecoverInit");
	sig[100] ^= 1;
	len = sizeof(out);
	SAYS(p11->C_VerifyRecover(s, sig, sig_len, out, &len), "C_VerifyRecover forged",
	     CKR_SIGNATURE_INVALID);
	p11->C_DestroyObject(s, object);
	p11->C_DestroyObject(s, object2);
}

/* @call: C_DigestEncryptUpdate and its like */
static void two(const char *name, CK_RV (*call)(CK_SESSION_HANDLE, CK_BYTE *, CK_ULONG, CK_BYTE *,
						CK_ULONG *),
		bool encrypt, CK_RV (*other)(CK_SESSION_HANDLE s))
{
	CK_MECHANISM mech = { CKM_AES_CBC, iv, 16 };
	CK_SESSION_HANDLE s = open_session(true);

#define BEGIN()										\
	(encrypt ? p11->C_EncryptInit(s, &mech, keys[KEY_AES]) :			\
		   p11->C_DecryptInit(s, &mech, keys[KEY_AES]))
	need(BEGIN(), "the cipher");
	if (!result(call(s, in, 16, out, &len), ALLOW(CKR_OPERATION_NOT_INITIALIZED),
		    "%s with one of two", name)) {
		need(p11->C_CloseSession(s), "C_CloseSession");
		return;
	}
	need(other(s), "the other");
	len = sizeof(out);
	result(call(s, in, 64, out, &len), ALLOW(CKR_OK), "%s", name);
	holds(len <= 64, "%s gives no more than it got", name);
	len = 1;
	result(call(s, in, 64, out, &len), ALLOW(CKR_BUFFER_TOO_SMALL), "%s, little room", name);
	len = sizeof(out);
	result(call(s, in, 64, out, &len), ALLOW(CKR_OK), "%s after that", name);
	result(call(s, NULL, 64, out, &len), ALLOW(CKR_ARGUMENTS_BAD), "%s NULL", name);
	need(p11->C_CloseSession(s), "C_CloseSession");
#undef BEGIN
}

static CK_RV begin_digest(CK_SESSION_HANDLE s)
{
	CK_MECHANISM mech = { CKM_SHA256, NULL, 0 };

	return p11->C_DigestInit(s, &mech);
}

static CK_MECHANISM hmac = { CKM_SHA256_HMAC, NULL, 0 };

static CK_RV begin_sign(CK_SESSION_HANDLE s)
{
	return p11->C_SignInit(s, &hmac, keys[KEY_GENERIC]);
}

static CK_RV begin_verify(CK_SESSION_HANDLE s)
{
	return p11->C_VerifyInit(s, &hmac, keys[KEY_GENERIC]);
}

/* Parts and last parts of ciphers, MACs and digests */
static void parts(CK_SESSION_HANDLE s)
{
	CK_MECHANISM pad = { CKM_AES_CBC_PAD, iv, 16 }, cbc = { CKM_AES_CBC, iv, 16 };
	CK_GCM_PARAMS g = { iv, 12, 96, NULL, 0, 128 };
	CK_MECHANISM gcm = { CKM_AES_GCM, &g, sizeof(g) }, raw = { CKM_RSA_PKCS, NULL, 0 };
	CK_BYTE text[128], mac[32];
	CK_ULONG text_len = sizeof(text), mac_len = sizeof(mac);

	need(p11->C_EncryptInit(s, &pad, keys[KEY_AES]), "C_EncryptInit");
	LITTLE(p11->C_EncryptUpdate(s, in, 64, out, &len), "C_EncryptUpdate, little room");
	ROOM(p11->C_EncryptUpdate(s, in, 64, out, &len), "C_EncryptUpdate after that");
	LITTLE(p11->C_EncryptFinal(s, out, &len), "C_EncryptFinal, little room");
	ROOM(p11->C_EncryptFinal(s, out, &len), "C_EncryptFinal after that");
	need(p11->C_EncryptInit(s, &pad, keys[KEY_AES]), "C_EncryptInit");
	BAD(p11->C_EncryptFinal(s, out, NULL), "C_EncryptFinal NULL");
	s = again(s);
	need(p11->C_EncryptInit(s, &cbc, keys[KEY_AES]), "C_EncryptInit");
	ROOM(p11->C_EncryptUpdate(s, in, 5, out, &len), "C_EncryptUpdate of less than a block");
	len = sizeof(out);
	SAYS(p11->C_EncryptFinal(s, out, &len), "C_EncryptFinal of less than a block",
	     CKR_DATA_LEN_RANGE);
	s = again(s);
	need(p11->C_EncryptInit(s, &pad, keys[KEY_AES]), "C_EncryptInit");
	need(p11->C_Encrypt(s, in, 64, text, &text_len), "C_Encrypt");
	need(p11->C_DecryptInit(s, &pad, keys[KEY_AES]), "C_DecryptInit");
	LITTLE(p11->C_DecryptUpdate(s, text, text_len, out, &len), "C_DecryptUpdate, little room");
	ROOM(p11->C_DecryptUpdate(s, text, text_len, out, &len), "C_DecryptUpdate after that");
	ROOM(p11->C_DecryptFinal(s, out, &len), "C_DecryptFinal");
	need(p11->C_DecryptInit(s, &pad, keys[KEY_AES]), "C_DecryptInit");
	BAD(p11->C_DecryptFinal(s, out, NULL), "C_DecryptFinal NULL");
	s = again(s);
	need(p11->C_DecryptInit(s, &cbc, keys[KEY_AES]), "C_DecryptInit");
	ROOM(p11->C_DecryptUpdate(s, text, 21, out, &len), "C_DecryptUpdate of no blocks");
	len = sizeof(out);
	SAYS(p11->C_DecryptFinal(s, out, &len), "C_DecryptFinal of no blocks",
	     CKR_ENCRYPTED_DATA_LEN_RANGE);
	s = again(s);
	/* The last block's padding becomes something else. */
	text[text_len - 17] ^= 0x55;
	need(p11->C_DecryptInit(s, &pad, keys[KEY_AES]), "C_DecryptInit");
	ROOM(p11->C_DecryptUpdate(s, text, text_len, out, &len), "C_DecryptUpdate, bad padding");
	len = sizeof(out);
	SAYS(p11->C_DecryptFinal(s, out, &len), "C_DecryptFinal, bad padding",
	     CKR_ENCRYPTED_DATA_INVALID);
	s = again(s);
	need(p11->C_DecryptInit(s, &pad, keys[KEY_AES]), "C_DecryptInit");
	len = sizeof(out);
	SAYS(p11->C_Decrypt(s, text, text_len, out, &len), "C_Decrypt, bad padding",
	     CKR_ENCRYPTED_DATA_INVALID);
	s = again(s);
	need(p11->C_DecryptInit(s, &gcm, keys[KEY_AES]), "C_DecryptInit");
	len = sizeof(out);
	SAYS(p11->C_Decrypt(s, text, 64, out, &len), "C_Decrypt, wrong tag",
	     CKR_ENCRYPTED_DATA_INVALID, CKR_AEAD_DECRYPT_FAILED);
	/* GCM gives its last bytes with the tag, and so may want room at the end. */
	s = again(s);
	text_len = sizeof(text);
	need(p11->C_EncryptInit(s, &gcm, keys[KEY_AES]), "C_EncryptInit");
	need(p11->C_Encrypt(s, in, 40, text, &text_len), "C_Encrypt");
	need(p11->C_DecryptInit(s, &gcm, keys[KEY_AES]), "C_DecryptInit");
	len = sizeof(out);
	OK(p11->C_DecryptUpdate(s, text, text_len, out, &len), "C_DecryptUpdate of GCM");
	if (len < 40)
		LITTLE(p11->C_DecryptFinal(s, out, &len), "C_DecryptFinal of GCM, little room");
	ROOM(p11->C_DecryptFinal(s, out, &len), "C_DecryptFinal of GCM");

	s = again(s);
	need(begin_digest(s), "C_DigestInit");
	BAD(p11->C_DigestFinal(s, out, NULL), "C_DigestFinal NULL");
	s = again(s);
	need(begin_digest(s), "C_DigestInit");
	OK(p11->C_DigestKey(s, keys[KEY_GENERIC]), "C_DigestKey");
	SAYS(p11->C_DigestKey(s, keys[KEY_RSA_PRIVATE]), "C_DigestKey of a key pair's",
	     CKR_KEY_INDIGESTIBLE);
	s = again(s);
	need(begin_digest(s), "C_DigestInit");
	SAYS(p11->C_DigestKey(s, 0), "C_DigestKey of nothing", CKR_KEY_HANDLE_INVALID);
	s = again(s);
	pad = (CK_MECHANISM){ CKM_SHA256, in, 5 };
	SAYS(p11->C_DigestInit(s, &pad), "C_DigestInit with a parameter",
	     CKR_MECHANISM_PARAM_INVALID);

	s = again(s);
	need(begin_sign(s), "C_SignInit");
	BAD(p11->C_SignFinal(s, mac, NULL), "C_SignFinal NULL");
	s = again(s);
	need(begin_sign(s), "C_SignInit");
	need(p11->C_Sign(s, in, 10, mac, &mac_len), "C_Sign");
	need(begin_verify(s), "C_VerifyInit");
	SAYS(begin_verify(s), "C_VerifyInit twice", CKR_OPERATION_ACTIVE);
	OK(p11->C_VerifyUpdate(s, in, 4), "C_VerifyUpdate");
	SAYS(p11->C_Verify(s, in, 6, mac, mac_len), "C_Verify after a part",
	     CKR_OPERATION_ACTIVE, CKR_FUNCTION_FAILED, CKR_OPERATION_NOT_INITIALIZED);
	s = again(s);
	need(begin_verify(s), "C_VerifyInit");
	OK(p11->C_VerifyUpdate(s, in, 10), "C_VerifyUpdate of all");
	OK(p11->C_VerifyFinal(s, mac, mac_len), "C_VerifyFinal");
	need(begin_verify(s), "C_VerifyInit");
	SAYS(p11->C_VerifyFinal(s, mac, mac_len), "C_VerifyFinal of nothing",
	     CKR_SIGNATURE_INVALID);
	s = again(s);
	need(begin_verify(s), "C_VerifyInit");
	SAYS(p11->C_VerifyFinal(s, mac, mac_len - 1), "C_VerifyFinal short",
	     CKR_SIGNATURE_LEN_RANGE);
	s = again(s);
	need(begin_verify(s), "C_VerifyInit");
	BAD(p11->C_VerifyFinal(s, NULL, mac_len), "C_VerifyFinal NULL");
	s = again(s);
	need(begin_verify(s), "C_VerifyInit");
	BAD(p11->C_VerifyUpdate(s, NULL, 5), "C_VerifyUpdate NULL");
	s = again(s);
	need(p11->C_SignInit(s, &raw, keys[KEY_RSA_PRIVATE]), "C_SignInit");
	len = sizeof(out);
	SAYS(p11->C_Sign(s, in, 300, out, &len), "C_Sign of too much", CKR_DATA_LEN_RANGE);
	s = again(s);
	need(p11->C_VerifyInit(s, &raw, keys[KEY_RSA_PUBLIC]), "C_VerifyInit");
	SAYS(p11->C_Verify(s, in, 300, out, 256), "C_Verify of too much", CKR_DATA_LEN_RANGE,
	     CKR_SIGNATURE_INVALID);
	need(p11->C_CloseSession(s), "C_CloseSession");
}

typedef CK_RV (*begin_messages)(CK_SESSION_HANDLE s, CK_MECHANISM *mech, CK_OBJECT_HANDLE key);

/* What all four C_Message*Init refuse */
static void message_init(const char *name, begin_messages init, CK_MECHANISM *mech,
			 CK_OBJECT_HANDLE key, CK_OBJECT_HANDLE other, CK_OBJECT_HANDLE may_not,
			 CK_MECHANISM *odd)
{
	CK_MECHANISM generate = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_SESSION_HANDLE s = open_session(true);

	result(init(s, NULL, key), ALLOW(CKR_ARGUMENTS_BAD), "%s NULL", name);
	result(init(s, &generate, key), ALLOW(CKR_MECHANISM_INVALID), "%s of generating", name);
	result(init(s, mech, 0), ALLOW(CKR_KEY_HANDLE_INVALID), "%s with nothing", name);
	result(init(s, mech, other), ALLOW(CKR_KEY_TYPE_INCONSISTENT), "%s with another key",
	       name);
	result(init(s, mech, may_not), ALLOW(CKR_KEY_FUNCTION_NOT_PERMITTED),
	       "%s with a key that may not", name);
	if (odd)
		result(init(s, odd, key), ALLOW(CKR_MECHANISM_PARAM_INVALID),
		       "%s with a parameter", name);
	result(init(s, mech, key), ALLOW(CKR_OK), "%s", name);
	result(init(s, mech, key), ALLOW(CKR_OPERATION_ACTIVE), "%s twice", name);
	result(init(s, NULL, key), ALLOW(CKR_OK), "%s NULL ends it", name);
	need(p11->C_CloseSession(s), "C_CloseSession");
}

/* Ciphers of messages */
static void sealing(bool encrypt)
{
	CK_FUNCTION_LIST_3_0 *f = p11_3_0;
	const char *n = encrypt ? "encrypt" : "decrypt";
	CK_GCM_MESSAGE_PARAMS p = { iv, 12, 0, CKG_NO_GENERATE, tag, 128 };
	CK_MECHANISM gcm = { CKM_AES_GCM, NULL, 0 };
	CK_SESSION_HANDLE s = open_session(true);
	CK_BYTE text[64];

	/* A message to decrypt */
	need(f->C_MessageEncryptInit(s, &gcm, keys[KEY_AES]), "C_MessageEncryptInit");
	len = sizeof(text);
	need(f->C_EncryptMessage(s, &p, sizeof(p), NULL, 0, in, 64, text, &len), "message");
	need(f->C_MessageEncryptFinal(s), "C_MessageEncryptFinal");
#define M(call, what, ...) result((call), ALLOW(__VA_ARGS__), "%s: %s", n, what)
#define WHOLE(pl, i, il, o, ol) (encrypt ? \
	f->C_EncryptMessage(s, &p, pl, NULL, 0, i, il, o, ol) : \
	f->C_DecryptMessage(s, &p, pl, NULL, 0, i, il, o, ol))
#define START(pl) (encrypt ? f->C_EncryptMessageBegin(s, &p, pl, NULL, 0) : \
	f->C_DecryptMessageBegin(s, &p, pl, NULL, 0))
#define NEXT(pl, i, il, o, ol, fl) (encrypt ? \
	f->C_EncryptMessageNext(s, &p, pl, i, il, o, ol, fl) : \
	f->C_DecryptMessageNext(s, &p, pl, i, il, o, ol, fl))
	s = again(s);
	need(encrypt ? f->C_MessageEncryptInit(s, &gcm, keys[KEY_AES]) :
		       f->C_MessageDecryptInit(s, &gcm, keys[KEY_AES]), "init");
	len = sizeof(out);
	M(WHOLE(5, text, 64, out, &len), "a parameter of another size",
	  CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD);
	M(WHOLE(sizeof(p), NULL, 64, out, &len), "no data", CKR_ARGUMENTS_BAD);
	p.ulTagBits = 200;
	M(WHOLE(sizeof(p), text, 64, out, &len), "a tag that is too long",
	  CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD);
	M(START(sizeof(p)), "begin with a tag that is too long", CKR_MECHANISM_PARAM_INVALID,
	  CKR_ARGUMENTS_BAD);
	p.ulTagBits = 128;
	len = 1;
	M(WHOLE(sizeof(p), text, 64, out, &len), "little room", CKR_BUFFER_TOO_SMALL);
	len = sizeof(out);
	M(WHOLE(sizeof(p), encrypt ? in : text, 64, out, &len), "a message", CKR_OK);
	M(NEXT(sizeof(p), text, 16, out, &len, 0), "a part before the beginning",
	  CKR_OPERATION_NOT_INITIALIZED);
	M(START(5), "begin with a parameter of another size", CKR_MECHANISM_PARAM_INVALID,
	  CKR_ARGUMENTS_BAD);
	M(encrypt ? f->C_EncryptMessageBegin(s, &p, sizeof(p), NULL, 5) :
		    f->C_DecryptMessageBegin(s, &p, sizeof(p), NULL, 5), "begin without data",
	  CKR_ARGUMENTS_BAD);
	M(START(sizeof(p)), "begin", CKR_OK);
	M(START(sizeof(p)), "begin twice", CKR_OPERATION_ACTIVE);
	M(WHOLE(sizeof(p), text, 64, out, &len), "a message in a message", CKR_OPERATION_ACTIVE);
	M(encrypt ? f->C_MessageEncryptFinal(s) : f->C_MessageDecryptFinal(s),
	  "the end in a message", CKR_OPERATION_ACTIVE, CKR_OK);
	s = again(s);
	need(encrypt ? f->C_MessageEncryptInit(s, &gcm, keys[KEY_AES]) :
		       f->C_MessageDecryptInit(s, &gcm, keys[KEY_AES]), "init");
	need(START(sizeof(p)), "begin");
	len = 1;
	M(NEXT(sizeof(p), text, 64, out, &len, CKF_END_OF_MESSAGE), "a part, little room",
	  CKR_BUFFER_TOO_SMALL);
	len = sizeof(out);
	M(NEXT(sizeof(p), encrypt ? in : text, 64, out, &len, CKF_END_OF_MESSAGE), "a last part",
	  CKR_OK);
	need(START(sizeof(p)), "begin");
	M(NEXT(5, text, 16, out, &len, 0), "a part with a parameter of another size",
	  CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD);
	s = again(s);
	need(encrypt ? f->C_MessageEncryptInit(s, &gcm, keys[KEY_AES]) :
		       f->C_MessageDecryptInit(s, &gcm, keys[KEY_AES]), "init");
	need(START(sizeof(p)), "begin");
	M(NEXT(sizeof(p), NULL, 16, out, &len, 0), "a part that is not there", CKR_ARGUMENTS_BAD);
	if (!encrypt) {
		s = again(s);
		need(f->C_MessageDecryptInit(s, &gcm, keys[KEY_AES]), "init");
		need(START(sizeof(p)), "begin");
		tag[3] ^= 1;
		len = sizeof(out);
		M(NEXT(sizeof(p), text, 64, out, &len, CKF_END_OF_MESSAGE), "a wrong tag",
		  CKR_ENCRYPTED_DATA_INVALID, CKR_AEAD_DECRYPT_FAILED);
	}
	need(p11->C_CloseSession(s), "C_CloseSession");
#undef WHOLE
#undef START
#undef NEXT
}

static void signing_messages(void)
{
	CK_MECHANISM mech = { CKM_ECDSA_SHA256, NULL, 0 };
	CK_FUNCTION_LIST_3_0 *f = p11_3_0;
	CK_SESSION_HANDLE s = open_session(true);
	const char *n = "sign";
	CK_BYTE sig[64];

	need(f->C_MessageSignInit(s, &mech, keys[KEY_EC_PRIVATE]), "C_MessageSignInit");
	M(f->C_SignMessage(s, in, 5, in, 10, sig, &len), "a parameter",
	  CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD);
	M(f->C_SignMessage(s, NULL, 0, NULL, 10, sig, &len), "no data", CKR_ARGUMENTS_BAD);
	len = 1;
	M(f->C_SignMessage(s, NULL, 0, in, 10, sig, &len), "little room", CKR_BUFFER_TOO_SMALL);
	M(f->C_SignMessageNext(s, NULL, 0, in, 10, NULL, NULL), "a part before the beginning",
	  CKR_OPERATION_NOT_INITIALIZED);
	M(f->C_SignMessageBegin(s, in, 5), "begin with a parameter", CKR_MECHANISM_PARAM_INVALID,
	  CKR_ARGUMENTS_BAD);
	M(f->C_SignMessageBegin(s, NULL, 5), "begin, no parameter", CKR_ARGUMENTS_BAD,
	  CKR_MECHANISM_PARAM_INVALID);
	M(f->C_SignMessageBegin(s, NULL, 0), "begin", CKR_OK);
	M(f->C_SignMessageBegin(s, NULL, 0), "begin twice", CKR_OPERATION_ACTIVE);
	M(f->C_SignMessage(s, NULL, 0, in, 10, sig, &len), "a message in a message",
	  CKR_OPERATION_ACTIVE);
	M(f->C_MessageSignFinal(s), "the end in a message", CKR_OPERATION_ACTIVE, CKR_OK);
	s = again(s);
	need(f->C_MessageSignInit(s, &mech, keys[KEY_EC_PRIVATE]), "C_MessageSignInit");
	need(f->C_SignMessageBegin(s, NULL, 0), "begin");
	M(f->C_SignMessageNext(s, NULL, 0, in, 5, NULL, NULL), "a part", CKR_OK);
	len = 1;
	M(f->C_SignMessageNext(s, NULL, 0, in + 5, 5, sig, &len), "a last part, little room",
	  CKR_BUFFER_TOO_SMALL);
	len = sizeof(sig);
	M(f->C_SignMessageNext(s, NULL, 0, in + 5, 5, sig, &len), "a last part", CKR_OK);
	need(f->C_SignMessageBegin(s, NULL, 0), "begin");
	M(f->C_SignMessageNext(s, in, 5, in, 5, NULL, NULL), "a part with a parameter",
	  CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD);
	s = again(s);
	need(f->C_MessageSignInit(s, &mech, keys[KEY_EC_PRIVATE]), "C_MessageSignInit");
	need(f->C_SignMessageBegin(s, NULL, 0), "begin");
	M(f->C_SignMessageNext(s, NULL, 0, NULL, 5, NULL, NULL), "a part that is not there",
	  CKR_ARGUMENTS_BAD);

	n = "verify";
	s = again(s);
	need(f->C_MessageVerifyInit(s, &mech, keys[KEY_EC_PUBLIC]), "C_MessageVerifyInit");
	M(f->C_VerifyMessage(s, in, 5, in, 10, sig, 64), "a parameter",
	  CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD);
	M(f->C_VerifyMessage(s, NULL, 0, NULL, 10, sig, 64), "no data", CKR_ARGUMENTS_BAD);
	M(f->C_VerifyMessage(s, NULL, 0, in, 10, sig, 63), "a short one", CKR_SIGNATURE_LEN_RANGE);
	M(f->C_VerifyMessage(s, NULL, 0, in, 10, sig, 64), "one of parts", CKR_OK);
	M(f->C_VerifyMessageNext(s, NULL, 0, in, 10, NULL, 0), "a part before the beginning",
	  CKR_OPERATION_NOT_INITIALIZED);
	M(f->C_VerifyMessageBegin(s, in, 5), "begin with a parameter",
	  CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD);
	M(f->C_VerifyMessageBegin(s, NULL, 5), "begin, no parameter", CKR_ARGUMENTS_BAD,
	  CKR_MECHANISM_PARAM_INVALID);
	M(f->C_VerifyMessageBegin(s, NULL, 0), "begin", CKR_OK);
	M(f->C_VerifyMessageBegin(s, NULL, 0), "begin twice", CKR_OPERATION_ACTIVE);
	M(f->C_VerifyMessage(s, NULL, 0, in, 10, sig, 64), "a message in a message",
	  CKR_OPERATION_ACTIVE);
	M(f->C_VerifyMessageNext(s, NULL, 0, in, 5, NULL, 0), "a part", CKR_OK);
	M(f->C_VerifyMessageNext(s, NULL, 0, in + 5, 5, sig, 64), "a last part", CKR_OK);
	need(f->C_VerifyMessageBegin(s, NULL, 0), "begin");
	M(f->C_VerifyMessageNext(s, NULL, 0, in, 9, sig, 64), "another message",
	  CKR_SIGNATURE_INVALID);
	need(f->C_VerifyMessageBegin(s, NULL, 0), "begin");
	M(f->C_VerifyMessageNext(s, NULL, 0, in, 9, sig, 63), "a short signature",
	  CKR_SIGNATURE_LEN_RANGE);
	need(f->C_VerifyMessageBegin(s, NULL, 0), "begin");
	M(f->C_MessageVerifyFinal(s), "the end in a message", CKR_OPERATION_ACTIVE, CKR_OK);
	s = again(s);
	need(f->C_MessageVerifyInit(s, &mech, keys[KEY_EC_PUBLIC]), "C_MessageVerifyInit");
	need(f->C_VerifyMessageBegin(s, NULL, 0), "begin");
	M(f->C_VerifyMessageNext(s, in, 5, in, 5, NULL, 0), "a part with a parameter",
	  CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD);
	s = again(s);
	need(f->C_MessageVerifyInit(s, &mech, keys[KEY_EC_PUBLIC]), "C_MessageVerifyInit");
	need(f->C_VerifyMessageBegin(s, NULL, 0), "begin");
	M(f->C_VerifyMessageNext(s, NULL, 0, NULL, 5, NULL, 0), "a part that is not there",
	  CKR_ARGUMENTS_BAD);
	need(p11->C_CloseSession(s), "C_CloseSession");
}

static CK_RV init_known(CK_SESSION_HANDLE s, CK_MECHANISM *mech, CK_OBJECT_HANDLE key)
{
	return p11_3_2->C_VerifySignatureInit(s, mech, key, out, 64);
}

static void known_signatures(void)
{
	CK_MECHANISM mech = { CKM_ECDSA_SHA256, NULL, 0 };
	CK_FUNCTION_LIST_3_2 *f = p11_3_2;
	CK_SESSION_HANDLE s = open_session(true);
	const char *n = "known signature";
	CK_BYTE sig[64];
	CK_FLAGS flags;

	len = sizeof(sig);
	need(p11->C_SignInit(s, &mech, keys[KEY_EC_PRIVATE]), "C_SignInit");
	need(p11->C_Sign(s, in, 10, sig, &len), "C_Sign");
#define KNOWN(data, data_len) f->C_VerifySignatureInit(s, &mech, keys[KEY_EC_PUBLIC], data, data_len)
	BAD(KNOWN(NULL, 64), "C_VerifySignatureInit NULL");
	M(f->C_VerifySignature(s, in, 10), "none", CKR_OPERATION_NOT_INITIALIZED);
	M(f->C_VerifySignatureUpdate(s, in, 10), "none, a part", CKR_OPERATION_NOT_INITIALIZED);
	M(f->C_VerifySignatureFinal(s), "none, the end", CKR_OPERATION_NOT_INITIALIZED);
	M(KNOWN(sig, 64), "init", CKR_OK);
	M(f->C_VerifySignature(s, in, 10), "good", CKR_OK);
	need(KNOWN(sig, 64), "C_VerifySignatureInit");
	M(f->C_VerifySignature(s, in, 9), "of other data", CKR_SIGNATURE_INVALID);
	M(KNOWN(sig, 63), "short", CKR_SIGNATURE_LEN_RANGE, CKR_OK);
	M(f->C_VerifySignature(s, in, 10), "short, data", CKR_SIGNATURE_LEN_RANGE,
	  CKR_OPERATION_NOT_INITIALIZED);
	need(KNOWN(sig, 64), "C_VerifySignatureInit");
	M(f->C_VerifySignature(s, NULL, 10), "no data", CKR_ARGUMENTS_BAD);
	need(KNOWN(sig, 64), "C_VerifySignatureInit");
	M(f->C_VerifySignatureUpdate(s, in, 5), "a part", CKR_OK);
	M(f->C_VerifySignature(s, in, 10), "whole after a part", CKR_OPERATION_ACTIVE);
	M(f->C_VerifySignatureUpdate(s, in + 5, 5), "another part", CKR_OK);
	M(f->C_VerifySignatureFinal(s), "the end", CKR_OK);
	need(KNOWN(sig, 64), "C_VerifySignatureInit");
	M(f->C_VerifySignatureFinal(s), "of nothing", CKR_SIGNATURE_INVALID);
	need(KNOWN(sig, 64), "C_VerifySignatureInit");
	M(f->C_VerifySignatureUpdate(s, NULL, 5), "a part that is not there", CKR_ARGUMENTS_BAD);
	s = again(s);
	if (KNOWN(sig, 63) == CKR_OK)
		M(f->C_VerifySignatureFinal(s), "short, the end", CKR_SIGNATURE_LEN_RANGE);
	OK(f->C_GetSessionValidationFlags(s, CKS_LAST_VALIDATION_OK, &flags),
	   "C_GetSessionValidationFlags");
	BAD(f->C_GetSessionValidationFlags(s, CKS_LAST_VALIDATION_OK, NULL),
	    "C_GetSessionValidationFlags NULL");
	need(p11->C_CloseSession(s), "C_CloseSession");
}

/* ---- everything that makes an object ---- */

static CK_BYTE wrapped[64];
static CK_ULONG wrapped_len;

static CK_RV by_create(CK_SESSION_HANDLE s, CK_ATTRIBUTE *t, CK_ULONG n)
{
	return p11->C_CreateObject(s, t, n, &object);
}

static CK_RV by_copy(CK_SESSION_HANDLE s, CK_ATTRIBUTE *t, CK_ULONG n)
{
	/* But what tells what it is */
	return p11->C_CopyObject(s, keys[KEY_GENERIC], t + 3, n - 3, &object);
}

static CK_RV by_generate(CK_SESSION_HANDLE s, CK_ATTRIBUTE *t, CK_ULONG n)
{
	CK_MECHANISM mech = { CKM_GENERIC_SECRET_KEY_GEN, NULL, 0 };

	return p11->C_GenerateKey(s, &mech, t, n, &object);
}

static CK_RV by_pair(CK_SESSION_HANDLE s, CK_ATTRIBUTE *t, CK_ULONG n)
{
	static CK_BYTE p256[] = { 0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 };
	CK_MECHANISM mech = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
	CK_ATTRIBUTE pub[] = { ATTR(CKA_EC_PARAMS, p256) };

	return p11->C_GenerateKeyPair(s, &mech, pub, 1, t + 3, n - 3, &object, &object2);
}

static CK_RV by_unwrap(CK_SESSION_HANDLE s, CK_ATTRIBUTE *t, CK_ULONG n)
{
	CK_MECHANISM mech = { CKM_AES_CBC_PAD, iv, 16 };
	CK_ATTRIBUTE whole[8];

	/* Its value and its length come with it. */
	whole[0] = t[0];
	whole[1] = t[1];
	memcpy(whole + 2, t + 3, (n - 3) * sizeof(*t));
	return p11->C_UnwrapKey(s, &mech, keys[KEY_AES], wrapped, wrapped_len, whole, n - 1,
				&object);
}

static CK_RV by_derive(CK_SESSION_HANDLE s, CK_ATTRIBUTE *t, CK_ULONG n)
{
	static CK_BYTE point[128];
	CK_ATTRIBUTE get = ATTR(CKA_EC_POINT, point);
	CK_ECDH1_DERIVE_PARAMS p = { CKD_NULL, 0, NULL, 0, point };
	CK_MECHANISM mech = { CKM_ECDH1_DERIVE, &p, sizeof(p) };

	need(p11->C_GetAttributeValue(s, keys[KEY_EC_PUBLIC], &get, 1), "CKA_EC_POINT");
	p.ulPublicDataLen = get.ulValueLen;
	return p11->C_DeriveKey(s, &mech, keys[KEY_EC_PRIVATE], t, n, &object);
}

static void templates(CK_SESSION_HANDLE s)
{
	static CK_BYTE secret_value[16] = "a generic secret";
	static CK_ULONG bytes = 16;
	const struct {
		const char	*name;
		CK_RV		(*make)(CK_SESSION_HANDLE s, CK_ATTRIBUTE *t, CK_ULONG n);
		CK_ATTRIBUTE	third;
	} makers[] = {
		{ "C_CreateObject", by_create, ATTR(CKA_VALUE, secret_value) },
		{ "C_CopyObject", by_copy, ATTR(CKA_VALUE, secret_value) },
		{ "C_GenerateKey", by_generate, ATTR(CKA_VALUE_LEN, bytes) },
		{ "C_GenerateKeyPair", by_pair, ATTR(CKA_VALUE_LEN, bytes) },
		{ "C_UnwrapKey", by_unwrap, ATTR(CKA_VALUE_LEN, bytes) },
		{ "C_DeriveKey", by_derive, ATTR(CKA_VALUE_LEN, bytes) },
	};
	CK_MECHANISM pad = { CKM_AES_CBC_PAD, iv, 16 };
	CK_SESSION_HANDLE ro = open_session(false);
	CK_ATTRIBUTE t[4] = { ATTR(CKA_CLASS, secret), ATTR(CKA_KEY_TYPE, generic) };
	size_t i;

	wrapped_len = sizeof(wrapped);
	need(p11->C_EncryptInit(s, &pad, keys[KEY_AES]), "C_EncryptInit");
	need(p11->C_Encrypt(s, secret_value, 16, wrapped, &wrapped_len), "C_Encrypt");
	for (i = 0; i < COUNT(makers); i++) {
		const char *n = makers[i].name;

		if (makers[i].make == by_unwrap && !supports(CKM_AES_CBC_PAD, CKF_UNWRAP))
			continue;
		t[2] = makers[i].third;
		t[3] = (CK_ATTRIBUTE)ATTR(CKA_LABEL, "made");
		M(makers[i].make(s, t, 4), "with a label", CKR_OK);
		t[3] = (CK_ATTRIBUTE)ATTR(CKA_LOCAL, yes);
		M(makers[i].make(s, t, 4), "with CKA_LOCAL", CKR_ATTRIBUTE_READ_ONLY,
		  CKR_TEMPLATE_INCONSISTENT);
		t[3] = (CK_ATTRIBUTE){ 0x7fffff00, secret_value, 4 };
		M(makers[i].make(s, t, 4), "with an unknown attribute",
		  CKR_ATTRIBUTE_TYPE_INVALID, CKR_TEMPLATE_INCONSISTENT);
		t[3] = (CK_ATTRIBUTE){ CKA_PRIVATE, secret_value, 2 };
		M(makers[i].make(s, t, 4), "with a long boolean", CKR_ATTRIBUTE_VALUE_INVALID);
		t[3] = (CK_ATTRIBUTE)ATTR(CKA_MODULUS, secret_value);
		M(makers[i].make(s, t, 4), "with another class's attribute",
		  CKR_ATTRIBUTE_TYPE_INVALID, CKR_TEMPLATE_INCONSISTENT,
		  CKR_ATTRIBUTE_READ_ONLY);
		t[3] = (CK_ATTRIBUTE)ATTR(CKA_TOKEN, yes);
		M(makers[i].make(ro, t, 4), "a token object by R/O", CKR_SESSION_READ_ONLY);
		if (makers[i].make == by_create || makers[i].make == by_copy ||
		    makers[i].make == by_pair)
			continue;
		t[3] = (CK_ATTRIBUTE){ CKA_KEY_TYPE, secret_value, 8 };
		M(makers[i].make(s, t, 4), "with two types", CKR_TEMPLATE_INCONSISTENT,
		  CKR_ATTRIBUTE_VALUE_INVALID);
	}
	need(p11->C_CloseSession(ro), "C_CloseSession");
	{
		/* What a session that nobody has logged in may not make */
		const char *n = "by nobody";

		ro = open_session(true);
		p11->C_Logout(s);
		t[2] = makers[0].third;
		t[3] = (CK_ATTRIBUTE)ATTR(CKA_PRIVATE, yes);
		M(by_create(ro, t, 4), "C_CreateObject", CKR_USER_NOT_LOGGED_IN);
		t[2] = makers[2].third;
		M(by_generate(ro, t, 4), "C_GenerateKey", CKR_USER_NOT_LOGGED_IN);
		M(by_pair(ro, t, 4), "C_GenerateKeyPair", CKR_USER_NOT_LOGGED_IN);
	}
	need(p11->C_CloseAllSessions(slot), "C_CloseAllSessions");
}

/* Keys and mechanisms that are not for it */
static void misused(CK_SESSION_HANDLE s)
{
	static CK_BYTE p256[] = { 0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 };
	static CK_BYTE no_curve[] = { 0x06, 3, 0x2a, 0x03, 0x04 };
	CK_MECHANISM digest = { CKM_SHA256, NULL, 0 }, pad = { CKM_AES_CBC_PAD, NULL, 0 };
	CK_MECHANISM pair = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
	CK_MECHANISM odd_pair = { CKM_EC_KEY_PAIR_GEN, in, 5 };
	CK_OBJECT_CLASS public = CKO_PUBLIC_KEY;
	CK_KEY_TYPE ec = CKK_EC;
	CK_BYTE point[67] = { 4, 65, 4 };
	CK_ATTRIBUTE curve[] = { ATTR(CKA_EC_PARAMS, p256) };
	CK_ATTRIBUTE idle[] = { ATTR(CKA_SIGN, yes), ATTR(CKA_DERIVE, no) };
	CK_ATTRIBUTE t[] = { ATTR(CKA_CLASS, secret), ATTR(CKA_KEY_TYPE, generic) };
	CK_ATTRIBUTE other[] = {
		ATTR(CKA_CLASS, public), ATTR(CKA_KEY_TYPE, ec), ATTR(CKA_EC_PARAMS, no_curve),
		ATTR(CKA_EC_POINT, point),
	};
	CK_ATTRIBUTE flag = { CKA_ENCRYPT, in, 2 };
	CK_ECDH1_DERIVE_PARAMS p = { CKD_NULL, 0, NULL, sizeof(point), point };
	CK_MECHANISM ecdh = { CKM_ECDH1_DERIVE, &p, sizeof(p) };
	CK_ATTRIBUTE get = ATTR(CKA_EC_POINT, point);

	SAYS(p11->C_SetAttributeValue(s, keys[KEY_AES], &flag, 1), "set a long boolean",
	     CKR_ATTRIBUTE_VALUE_INVALID);
	SAYS(p11->C_GenerateKeyPair(s, &digest, curve, 1, NULL, 0, &object, &object2),
	     "a pair by a digest", CKR_MECHANISM_INVALID);
	SAYS(p11->C_GenerateKeyPair(s, &odd_pair, curve, 1, NULL, 0, &object, &object2),
	     "a pair with a parameter", CKR_MECHANISM_PARAM_INVALID);
	len = sizeof(out);
	if (supports(CKM_AES_CBC_PAD, CKF_WRAP | CKF_UNWRAP)) {
		SAYS(p11->C_WrapKey(s, &pad, keys[KEY_AES], keys[KEY_GENERIC], out, &len),
		     "wrap without parameter", CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD);
		SAYS(p11->C_UnwrapKey(s, &pad, keys[KEY_AES], in, 32, t, 2, &object),
		     "unwrap without parameter", CKR_MECHANISM_PARAM_INVALID,
		     CKR_ARGUMENTS_BAD);
		pad = (CK_MECHANISM){ CKM_AES_CBC_PAD, iv, 16 };
		SAYS(p11->C_UnwrapKey(s, &pad, keys[KEY_EC_PRIVATE], in, 32, t, 2, &object),
		     "unwrap by another type", CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT,
		     CKR_KEY_FUNCTION_NOT_PERMITTED);
	}
	SAYS(p11->C_WrapKey(s, &digest, keys[KEY_AES], keys[KEY_GENERIC], out, &len),
	     "wrap by a digest", CKR_MECHANISM_INVALID);
	SAYS(p11->C_UnwrapKey(s, &digest, keys[KEY_AES], in, 32, t, 2, &object),
	     "unwrap by a digest", CKR_MECHANISM_INVALID);
	SAYS(p11->C_CreateObject(s, other, 4, &object), "import on no curve",
	     CKR_CURVE_NOT_SUPPORTED, CKR_DOMAIN_PARAMS_INVALID, CKR_ATTRIBUTE_VALUE_INVALID);
	if (!supports(CKM_ECDH1_DERIVE, CKF_DERIVE))
		return;
	need(p11->C_GenerateKeyPair(s, &pair, curve, 1, idle, 2, &object, &object2), "EC keys");
	need(p11->C_GetAttributeValue(s, object, &get, 1), "CKA_EC_POINT");
	SAYS(p11->C_DeriveKey(s, &ecdh, object2, t, 2, &object),
	     "derive by a key that may not", CKR_KEY_FUNCTION_NOT_PERMITTED);
	SAYS(p11->C_DeriveKey(s, &ecdh, keys[KEY_EC_PRIVATE], t, 1, &object),
	     "derive without type", CKR_TEMPLATE_INCOMPLETE, CKR_OK);
}

void chapter_functions(void)
{
	CK_MECHANISM gcm = { CKM_AES_GCM, NULL, 0 }, ecdsa = { CKM_ECDSA_SHA256, NULL, 0 };
	CK_MECHANISM odd = { CKM_ECDSA_SHA256, in, 5 };
	CK_OBJECT_HANDLE idle;
	CK_SESSION_HANDLE s;
	CK_KEY_TYPE aes = CKK_AES;
	CK_ATTRIBUTE t[] = {
		ATTR(CKA_CLASS, secret), ATTR(CKA_KEY_TYPE, aes), { CKA_VALUE, in, 32 },
		ATTR(CKA_ENCRYPT, no), ATTR(CKA_DECRYPT, no),
	};

	interfaces();
	login_user();
	s = log_in();
	make_keys(s, keys);
	need(p11->C_CreateObject(s, t, 5, &idle), "a key that may not");
	little_ones(s);
	recovering(s);
	misused(s);
	if (supports(CKM_AES_CBC, CKF_ENCRYPT | CKF_DECRYPT)) {
		two("C_DigestEncryptUpdate", p11->C_DigestEncryptUpdate, true, begin_digest);
		two("C_SignEncryptUpdate", p11->C_SignEncryptUpdate, true, begin_sign);
		two("C_DecryptDigestUpdate", p11->C_DecryptDigestUpdate, false, begin_digest);
		two("C_DecryptVerifyUpdate", p11->C_DecryptVerifyUpdate, false, begin_verify);
	}
	parts(open_session(true));
	if (p11_3_0 && supports(CKM_AES_GCM, CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT)) {
		message_init("C_MessageEncryptInit", p11_3_0->C_MessageEncryptInit, &gcm,
			     keys[KEY_AES], keys[KEY_RSA_PUBLIC], idle, NULL);
		message_init("C_MessageDecryptInit", p11_3_0->C_MessageDecryptInit, &gcm,
			     keys[KEY_AES], keys[KEY_RSA_PRIVATE], idle, NULL);
		sealing(true);
		sealing(false);
	}
	if (p11_3_0 && supports(CKM_ECDSA_SHA256, CKF_MESSAGE_SIGN | CKF_MESSAGE_VERIFY)) {
		message_init("C_MessageSignInit", p11_3_0->C_MessageSignInit, &ecdsa,
			     keys[KEY_EC_PRIVATE], keys[KEY_AES], keys[KEY_EC_PUBLIC], &odd);
		message_init("C_MessageVerifyInit", p11_3_0->C_MessageVerifyInit, &ecdsa,
			     keys[KEY_EC_PUBLIC], keys[KEY_AES], keys[KEY_EC_PRIVATE], &odd);
		signing_messages();
	}
	if (p11_3_2) {
		message_init("C_VerifySignatureInit", init_known, &ecdsa, keys[KEY_EC_PUBLIC],
			     keys[KEY_AES], keys[KEY_EC_PRIVATE], &odd);
		known_signatures();
	}
	/* It logs out at its end. */
	templates(s);
}
