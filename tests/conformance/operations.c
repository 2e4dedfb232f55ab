// SPDX-License-Identifier: GPL-2.0-or-later
/* Chapters on mechanisms and operations: what may be begun, and what ends it. */
#include "conformance.h"

static CK_BYTE data[1024] = "data", out[2048];
static CK_ULONG len;

enum function { ENCRYPT, DECRYPT, SIGN, VERIFY, SIGN_RECOVER, VERIFY_RECOVER, N_FUNCTIONS };

static const struct {
	const char	*name;
	CK_FLAGS	flag;
} functions[N_FUNCTIONS] = {
	{ "C_EncryptInit", CKF_ENCRYPT },
	{ "C_DecryptInit", CKF_DECRYPT },
	{ "C_SignInit", CKF_SIGN },
	{ "C_VerifyInit", CKF_VERIFY },
	{ "C_SignRecoverInit", CKF_SIGN_RECOVER },
	{ "C_VerifyRecoverInit", CKF_VERIFY_RECOVER },
};

static CK_RV init(enum function f, CK_SESSION_HANDLE s, CK_MECHANISM *mech, CK_OBJECT_HANDLE key)
{
	switch (f) {
	case ENCRYPT:
		return p11->C_EncryptInit(s, mech, key);
	case DECRYPT:
		return p11->C_DecryptInit(s, mech, key);
	case SIGN:
		return p11->C_SignInit(s, mech, key);
	case VERIFY:
		return p11->C_VerifyInit(s, mech, key);
	case SIGN_RECOVER:
		return p11->C_SignRecoverInit(s, mech, key);
	default:
		return p11->C_VerifyRecoverInit(s, mech, key);
	}
}

/* ---- mechanisms ---- */

static bool in_list(CK_MECHANISM_TYPE type)
{
	CK_MECHANISM_TYPE list[512];
	CK_ULONG n = COUNT(list), i;

	need(p11->C_GetMechanismList(slot, list, &n), "C_GetMechanismList");
	for (i = 0; i < n; i++)
		if (list[i] == type)
			return true;
	return false;
}

/*
 * Every mechanism of the standard with every function and every kind of key: what the token
 * does not have is CKR_MECHANISM_INVALID, with whatever key; what it has is begun with
 * a key that is for it, and refused with one that is not.
 */
static void matrix(CK_OBJECT_HANDLE *keys)
{
	CK_MECHANISM_INFO info;
	CK_SESSION_HANDLE s;
	enum function f;
	unsigned int k, begun;
	CK_MECHANISM mech;
	size_t i;
	CK_RV rv;

	for (i = 0; i < n_mechanism_names; i++) {
		CK_MECHANISM_TYPE type = mechanism_names[i].type;
		const char *name = mechanism_names[i].name;
		bool listed = in_list(type);

		memset(&info, 0, sizeof(info));
		rv = p11->C_GetMechanismInfo(slot, type, &info);
		result(rv, ALLOW(listed ? CKR_OK : CKR_MECHANISM_INVALID), "info of %s", name);
		if (listed)
			holds(info.ulMinKeySize <= info.ulMaxKeySize, "key sizes of %s", name);
		s = open_session(true);
		for (f = 0; f < N_FUNCTIONS; f++) {
			begun = 0;
			for (k = 0; k < N_KEYS; k++) {
				mech = parameter_for(type);
				rv = init(f, s, &mech, keys[k]);
				if (rv == CKR_OK) {
					begun++;
					need(p11->C_CloseSession(s), "C_CloseSession");
					s = open_session(true);
				}
				if (!(info.flags & functions[f].flag))
					result(rv, ALLOW(CKR_MECHANISM_INVALID,
							 f >= SIGN_RECOVER ?
							 CKR_FUNCTION_NOT_SUPPORTED :
							 CKR_MECHANISM_INVALID),
					       "%s %s with %s", functions[f].name, name,
					       key_names[k]);
				else if (k == KEY_DATA)
					result(rv, ALLOW(CKR_KEY_HANDLE_INVALID,
							 CKR_KEY_TYPE_INCONSISTENT),
					       "%s %s with %s", functions[f].name, name,
					       key_names[k]);
				else
					result(rv, ALLOW(CKR_OK, CKR_KEY_TYPE_INCONSISTENT,
							 CKR_KEY_FUNCTION_NOT_PERMITTED,
							 CKR_KEY_SIZE_RANGE),
					       "%s %s with %s", functions[f].name, name,
					       key_names[k]);
			}
			if (info.flags & functions[f].flag && type != CKM_EDDSA &&
			    strncmp(name, "CKM_DES", 7) && strncmp(name, "CKM_DSA", 7))
				holds(begun == 1 || (begun == 2 && strstr(name, "HMAC")),
				      "%s %s is for one kind of key", functions[f].name, name);
			if (!(info.flags & functions[f].flag))
				continue;
			mech = parameter_for(type);
			result(init(f, s, &mech, 0), ALLOW(CKR_KEY_HANDLE_INVALID),
			       "%s %s with key 0", functions[f].name, name);
			result(init(f, s, &mech, ~0UL), ALLOW(CKR_KEY_HANDLE_INVALID),
			       "%s %s with key ~0", functions[f].name, name);
		}
		mech = parameter_for(type);
		rv = p11->C_DigestInit(s, &mech);
		result(rv, ALLOW(info.flags & CKF_DIGEST ? CKR_OK : CKR_MECHANISM_INVALID),
		       "C_DigestInit %s", name);
		need(p11->C_CloseSession(s), "C_CloseSession");
	}
}

/* Lengths of parameters that can not be right */
static void parameters(CK_OBJECT_HANDLE *keys)
{
	static const CK_ULONG lengths[] = { 0, 1, 7, 15, 17, 23, 1000, ~0UL };
	static const struct {
		CK_MECHANISM_TYPE	type;
		enum function		f;
		enum key		key;
	} list[] = {
		{ CKM_AES_CBC, ENCRYPT, KEY_AES }, { CKM_AES_CBC_PAD, DECRYPT, KEY_AES },
		{ CKM_AES_CTR, ENCRYPT, KEY_AES }, { CKM_AES_GCM, ENCRYPT, KEY_AES },
		{ CKM_RSA_PKCS_OAEP, ENCRYPT, KEY_RSA_PUBLIC },
		{ CKM_RSA_PKCS_PSS, SIGN, KEY_RSA_PRIVATE },
		{ CKM_SHA256_RSA_PKCS_PSS, VERIFY, KEY_RSA_PUBLIC },
		{ CKM_SHA256_HMAC_GENERAL, SIGN, KEY_GENERIC },
		{ CKM_AES_CMAC_GENERAL, SIGN, KEY_AES },
	};
	CK_SESSION_HANDLE s;
	CK_MECHANISM mech;
	CK_GCM_PARAMS gcm;
	size_t i, k;

	for (i = 0; i < COUNT(list); i++) {
		if (!supports(list[i].type, functions[list[i].f].flag))
			continue;
		s = open_session(true);
		for (k = 0; k < COUNT(lengths); k++) {
			mech = parameter_for(list[i].type);
			if (mech.ulParameterLen == lengths[k])
				continue;
			if (lengths[k] == ~0UL &&
			    harmful("parameter of ~0 bytes for %s", mechanism_name(list[i].type)))
				continue;
			mech.ulParameterLen = lengths[k];
			if (lengths[k] < ~0UL) {
				mech.pParameter = calloc(1, lengths[k] + 1);
				memset(mech.pParameter, 1, lengths[k]);
			}
			if (!result(init(list[i].f, s, &mech, keys[list[i].key]),
				    ALLOW(CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD),
				    "%s %s with a parameter of %lu bytes",
				    functions[list[i].f].name, mechanism_name(list[i].type),
				    lengths[k])) {
				p11->C_CloseSession(s);
				s = open_session(true);
			}
		}
		mech = parameter_for(list[i].type);
		mech.pParameter = NULL;
		result(init(list[i].f, s, &mech, keys[list[i].key]),
		       ALLOW(CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD),
		       "%s %s with a parameter that is not there", functions[list[i].f].name,
		       mechanism_name(list[i].type));
		p11->C_CloseSession(s);
	}
	if (!supports(CKM_AES_GCM, CKF_ENCRYPT))
		return;
	for (i = 0; i <= 136; i++) {
		if (i >= 32 && !(i % 8) && i <= 128)
			continue;
		mech = parameter_for(CKM_AES_GCM);
		gcm = *(CK_GCM_PARAMS *)mech.pParameter;
		gcm.ulTagBits = i;
		mech.pParameter = &gcm;
		s = open_session(true);
		/* The standard allows 0 to 128; what is no tag at all must not be taken for one. */
		if (i > 128)
			result(init(ENCRYPT, s, &mech, keys[KEY_AES]),
			       ALLOW(CKR_MECHANISM_PARAM_INVALID, CKR_ARGUMENTS_BAD),
			       "GCM tag of %zu bits", i);
		p11->C_CloseSession(s);
	}
}

void chapter_mechanisms(void)
{
	CK_SESSION_HANDLE s = log_in();
	CK_OBJECT_HANDLE keys[N_KEYS];

	make_keys(s, keys);
	matrix(keys);
	parameters(keys);
	log_out(s);
}

/* ---- operations ---- */

/* The calls of one function, alike for all that give output */
struct giver {
	const char	*name;
	enum function	f;		/* N_FUNCTIONS: digest */
	CK_RV		(*single)(CK_SESSION_HANDLE s, CK_BYTE *in, CK_ULONG in_len, CK_BYTE *o,
				  CK_ULONG *o_len);
	CK_RV		(*final)(CK_SESSION_HANDLE s, CK_BYTE *o, CK_ULONG *o_len);
};

static CK_RV update(const struct giver *g, CK_SESSION_HANDLE s, CK_BYTE *in, CK_ULONG in_len)
{
	CK_ULONG room = sizeof(out);

	switch (g->f) {
	case ENCRYPT:
		return p11->C_EncryptUpdate(s, in, in_len, out, &room);
	case DECRYPT:
		return p11->C_DecryptUpdate(s, in, in_len, out, &room);
	case SIGN:
		return p11->C_SignUpdate(s, in, in_len);
	default:
		return p11->C_DigestUpdate(s, in, in_len);
	}
}

static CK_RV begin(const struct giver *g, CK_SESSION_HANDLE s, CK_MECHANISM_TYPE type,
		   CK_OBJECT_HANDLE key)
{
	CK_MECHANISM mech = parameter_for(type);

	return g->f == N_FUNCTIONS ? p11->C_DigestInit(s, &mech) : init(g->f, s, &mech, key);
}

static void giver(const struct giver *g, CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE key, CK_BYTE *in,
		  CK_ULONG in_len, bool parts)
{
	const char *m = mechanism_name(type);
	CK_SESSION_HANDLE s = open_session(true);
	CK_ULONG needed, room;

#define SAYS(call, what, ...) \
	result((call), ALLOW(__VA_ARGS__), "%s %s: %s", g->name, m, what)
	SAYS(begin(g, s, type, key), "begin", CKR_OK);
	SAYS(begin(g, s, type, key), "begin twice", CKR_OPERATION_ACTIVE);
	needed = 0;
	SAYS(g->single(s, in, in_len, NULL, &needed), "ask for the length", CKR_OK);
	SAYS(g->single(s, in, in_len, NULL, &needed), "ask for the length again", CKR_OK);
	holds(needed > 0 && needed <= sizeof(out), "%s %s: a length", g->name, m);
	if (type != CKM_AES_CBC_PAD || g->f != DECRYPT) {
		room = 0;
		SAYS(g->single(s, in, in_len, out, &room), "no room", CKR_BUFFER_TOO_SMALL);
		holds(room && room <= needed, "%s %s: length with no room", g->name, m);
		room--;
		SAYS(g->single(s, in, in_len, out, &room), "little room", CKR_BUFFER_TOO_SMALL);
	}
	room = sizeof(out);
	SAYS(g->single(s, in, in_len, out, &room), "after all that", CKR_OK);
	holds(room <= needed, "%s %s: no more than was told", g->name, m);
	SAYS(g->single(s, in, in_len, out, &room), "when it is over",
	     CKR_OPERATION_NOT_INITIALIZED);
	SAYS(g->final(s, out, &room), "final when it is over", CKR_OPERATION_NOT_INITIALIZED);
	/* An error ends it: here a pointer that is none. */
	SAYS(begin(g, s, type, key), "begin again", CKR_OK);
	SAYS(g->single(s, NULL, in_len, out, &room), "no data", CKR_ARGUMENTS_BAD);
	SAYS(begin(g, s, type, key), "begin after an error", CKR_OK);
	SAYS(g->single(s, in, in_len, out, NULL), "no length", CKR_ARGUMENTS_BAD);
	SAYS(begin(g, s, type, key), "begin after another error", CKR_OK);
	if (parts) {
		SAYS(update(g, s, in, in_len), "a part", CKR_OK);
		room = sizeof(out);
		SAYS(g->single(s, in, in_len, out, &room), "single after a part",
		     CKR_OPERATION_ACTIVE, CKR_FUNCTION_FAILED, CKR_OPERATION_NOT_INITIALIZED);
		SAYS(begin(g, s, type, key), "begin after a part", CKR_OPERATION_ACTIVE);
		if (g->f == SIGN || g->f == N_FUNCTIONS) {
			room = 0;
			SAYS(g->final(s, NULL, &needed), "ask final for the length", CKR_OK);
			SAYS(g->final(s, out, &room), "final without room",
			     CKR_BUFFER_TOO_SMALL);
		}
		room = sizeof(out);
		SAYS(g->final(s, out, &room), "final", CKR_OK);
		SAYS(g->final(s, out, &room), "final twice", CKR_OPERATION_NOT_INITIALIZED);
		SAYS(begin(g, s, type, key), "begin after final", CKR_OK);
		if (g->f == SIGN || g->f == N_FUNCTIONS) {
			SAYS(update(g, s, NULL, 0), "a part of nothing", CKR_OK);
			room = sizeof(out);
			SAYS(g->final(s, out, &room), "final of nothing", CKR_OK);
			SAYS(begin(g, s, type, key), "begin after nothing", CKR_OK);
		}
		SAYS(update(g, s, NULL, 5), "a part that is not there", CKR_ARGUMENTS_BAD);
		SAYS(begin(g, s, type, key), "begin after a bad part", CKR_OK);
	}
	if (p11_3_0) {
		/* 3.0: C_*Init without a mechanism ends what is going on. */
		CK_RV rv = g->f == N_FUNCTIONS ? p11->C_DigestInit(s, NULL) :
						 init(g->f, s, NULL, key);

		SAYS(rv, "begin without mechanism", CKR_OK);
		room = sizeof(out);
		SAYS(g->single(s, in, in_len, out, &room), "after its end",
		     CKR_OPERATION_NOT_INITIALIZED);
		SAYS(begin(g, s, type, key), "begin after its end", CKR_OK);
		SAYS(p11_3_0->C_SessionCancel(s, g->f == N_FUNCTIONS ? CKF_DIGEST :
					      functions[g->f].flag), "cancel", CKR_OK);
		SAYS(begin(g, s, type, key), "begin after cancel", CKR_OK);
	}
	need(p11->C_CloseSession(s), "C_CloseSession");
}

/* A new session with an operation, so that what another one left behind is no matter. */
static CK_SESSION_HANDLE fresh(CK_SESSION_HANDLE old, enum function f, CK_MECHANISM *mech,
			       CK_OBJECT_HANDLE key)
{
	CK_SESSION_HANDLE s = open_session(true);

	if (old)
		need(p11->C_CloseSession(old), "C_CloseSession");
	need(init(f, s, mech, key), functions[f].name);
	return s;
}

/* Wrong lengths of input */
static void ciphers(CK_OBJECT_HANDLE key)
{
	static const CK_MECHANISM_TYPE blocks[] = { CKM_AES_ECB, CKM_AES_CBC };
	static const CK_MECHANISM_TYPE pads[] = { CKM_AES_CBC_PAD };
	CK_SESSION_HANDLE s = 0;
	CK_MECHANISM mech;
	CK_ULONG n, room;
	size_t i;

	for (i = 0; i < COUNT(blocks); i++) {
		if (!supports(blocks[i], CKF_ENCRYPT))
			continue;
		for (n = 1; n < 64; n++) {
			CK_RV in_wanted = n % 16 ? CKR_DATA_LEN_RANGE : CKR_OK;
			CK_RV out_wanted = n % 16 ? CKR_ENCRYPTED_DATA_LEN_RANGE : CKR_OK;

			mech = parameter_for(blocks[i]);
			s = fresh(s, ENCRYPT, &mech, key);
			room = sizeof(out);
			result(p11->C_Encrypt(s, data, n, out, &room), &in_wanted, 1,
			       "%s encrypts %lu bytes", mechanism_name(blocks[i]), n);
			s = fresh(s, DECRYPT, &mech, key);
			room = sizeof(out);
			result(p11->C_Decrypt(s, data, n, out, &room), &out_wanted, 1,
			       "%s decrypts %lu bytes", mechanism_name(blocks[i]), n);
		}
	}
	for (i = 0; i < COUNT(pads); i++) {
		if (!supports(pads[i], CKF_ENCRYPT))
			continue;
		for (n = 0; n < 64; n++) {
			CK_BYTE text[80], again[80];
			CK_ULONG text_len = sizeof(text), again_len = sizeof(again);

			mech = parameter_for(pads[i]);
			s = fresh(s, ENCRYPT, &mech, key);
			result(p11->C_Encrypt(s, data, n, text, &text_len), ALLOW(CKR_OK),
			       "CBC-PAD encrypts %lu bytes", n);
			holds(text_len == (n / 16 + 1) * 16, "CBC-PAD pads %lu bytes", n);
			s = fresh(s, DECRYPT, &mech, key);
			result(p11->C_Decrypt(s, text, text_len, again, &again_len),
			       ALLOW(CKR_OK), "CBC-PAD decrypts %lu bytes", n);
			holds(again_len == n && !memcmp(again, data, n),
			      "CBC-PAD gives back %lu bytes", n);
			if (!(n % 16))
				continue;
			s = fresh(s, DECRYPT, &mech, key);
			room = sizeof(out);
			result(p11->C_Decrypt(s, text, n, out, &room),
			       ALLOW(CKR_ENCRYPTED_DATA_LEN_RANGE, CKR_ENCRYPTED_DATA_INVALID),
			       "CBC-PAD decrypts %lu bytes that are no blocks", n);
		}
	}
	if (s)
		p11->C_CloseSession(s);
}

static void verifies(CK_OBJECT_HANDLE pub, CK_OBJECT_HANDLE priv, CK_MECHANISM_TYPE type,
		     CK_ULONG in_len)
{
	const char *m = mechanism_name(type);
	CK_SESSION_HANDLE s = 0;
	CK_MECHANISM mech = parameter_for(type);
	CK_BYTE sig[512];
	CK_ULONG sig_len = sizeof(sig), i;

	s = fresh(s, SIGN, &mech, priv);
	need(p11->C_Sign(s, data, in_len, sig, &sig_len), m);
#define VERIFY_SAYS(d, d_len, g, g_len, what, ...)						\
	do {											\
		s = fresh(s, VERIFY, &mech, pub);						\
		result(p11->C_Verify(s, d, d_len, g, g_len), ALLOW(__VA_ARGS__),		\
		       "C_Verify %s: %s", m, what);						\
		result(p11->C_Verify(s, d, d_len, g, g_len),					\
		       ALLOW(CKR_OPERATION_NOT_INITIALIZED), "C_Verify %s: %s, over", m, what);	\
	} while (0)
	VERIFY_SAYS(data, in_len, sig, sig_len, "good", CKR_OK);
	VERIFY_SAYS(data, in_len, sig, sig_len - 1, "short", CKR_SIGNATURE_LEN_RANGE);
	VERIFY_SAYS(data, in_len, sig, 0, "empty", CKR_SIGNATURE_LEN_RANGE);
	VERIFY_SAYS(data, in_len, sig, sig_len + 1, "long", CKR_SIGNATURE_LEN_RANGE);
	VERIFY_SAYS(data, in_len, NULL, sig_len, "missing", CKR_ARGUMENTS_BAD);
	VERIFY_SAYS(NULL, in_len, sig, sig_len, "no data", CKR_ARGUMENTS_BAD);
	data[0] ^= 1;
	VERIFY_SAYS(data, in_len, sig, sig_len, "other data", CKR_SIGNATURE_INVALID);
	data[0] ^= 1;
	for (i = 0; i < sig_len; i += sig_len / 8) {
		char what[32];

		snprintf(what, sizeof(what), "bit %lu wrong", 8 * i);
		sig[i] ^= 1;
		VERIFY_SAYS(data, in_len, sig, sig_len, what, CKR_SIGNATURE_INVALID);
		sig[i] ^= 1;
	}
	memset(sig, 0, sig_len);
	VERIFY_SAYS(data, in_len, sig, sig_len, "zeroes", CKR_SIGNATURE_INVALID);
	memset(sig, 0xff, sig_len);
	VERIFY_SAYS(data, in_len, sig, sig_len, "ones", CKR_SIGNATURE_INVALID);
	p11->C_CloseSession(s);
}

void chapter_operations(void)
{
	const struct giver encrypt = { "C_Encrypt", ENCRYPT, p11->C_Encrypt, p11->C_EncryptFinal };
	const struct giver decrypt = { "C_Decrypt", DECRYPT, p11->C_Decrypt, p11->C_DecryptFinal };
	const struct giver sign = { "C_Sign", SIGN, p11->C_Sign, p11->C_SignFinal };
	const struct giver digest = { "C_Digest", N_FUNCTIONS, p11->C_Digest, p11->C_DigestFinal };
	static const struct {
		CK_MECHANISM_TYPE	type;
		enum key		key;
		CK_ULONG		in_len;
		bool			parts;
	} signers[] = {
		{ CKM_RSA_PKCS, KEY_RSA_PRIVATE, 100, false },
		{ CKM_RSA_X_509, KEY_RSA_PRIVATE, 256, false },
		{ CKM_SHA1_RSA_PKCS, KEY_RSA_PRIVATE, 100, true },
		{ CKM_SHA256_RSA_PKCS, KEY_RSA_PRIVATE, 100, true },
		{ CKM_SHA512_RSA_PKCS, KEY_RSA_PRIVATE, 100, true },
		{ CKM_RSA_PKCS_PSS, KEY_RSA_PRIVATE, 32, false },
		{ CKM_SHA256_RSA_PKCS_PSS, KEY_RSA_PRIVATE, 100, true },
		{ CKM_SHA384_RSA_PKCS_PSS, KEY_RSA_PRIVATE, 100, true },
		{ CKM_ECDSA, KEY_EC_PRIVATE, 32, false },
		{ CKM_ECDSA_SHA1, KEY_EC_PRIVATE, 100, true },
		{ CKM_ECDSA_SHA256, KEY_EC_PRIVATE, 100, true },
		{ CKM_ECDSA_SHA384, KEY_EC_PRIVATE, 100, true },
		{ CKM_SHA_1_HMAC, KEY_GENERIC, 100, true },
		{ CKM_SHA256_HMAC, KEY_GENERIC, 100, true },
		{ CKM_SHA512_HMAC, KEY_GENERIC, 100, true },
		{ CKM_SHA256_HMAC_GENERAL, KEY_GENERIC, 100, true },
		{ CKM_AES_CMAC, KEY_AES, 100, true },
		{ CKM_AES_CMAC_GENERAL, KEY_AES, 100, true },
	};
	static const CK_MECHANISM_TYPE digests[] = {
		CKM_SHA_1, CKM_SHA224, CKM_SHA256, CKM_SHA384, CKM_SHA512, CKM_SHA512_256,
		CKM_SHA3_256, CKM_SHA3_512,
	};
	static const CK_MECHANISM_TYPE aes[] = {
		CKM_AES_ECB, CKM_AES_CBC, CKM_AES_CBC_PAD, CKM_AES_CTR, CKM_AES_GCM,
	};
	CK_SESSION_HANDLE s = log_in(), t;
	CK_OBJECT_HANDLE keys[N_KEYS];
	CK_MECHANISM mech;
	CK_BYTE text[300];
	size_t i;

	make_keys(s, keys);
	for (i = 0; i < COUNT(digests); i++)
		if (supports(digests[i], CKF_DIGEST))
			giver(&digest, digests[i], 0, data, 100, true);
	for (i = 0; i < COUNT(aes); i++) {
		if (!supports(aes[i], CKF_ENCRYPT))
			continue;
		giver(&encrypt, aes[i], keys[KEY_AES], data, 64, true);
		t = open_session(true);
		mech = parameter_for(aes[i]);
		len = sizeof(text);
		need(p11->C_EncryptInit(t, &mech, keys[KEY_AES]), "C_EncryptInit");
		need(p11->C_Encrypt(t, data, 64, text, &len), "C_Encrypt");
		p11->C_CloseSession(t);
		giver(&decrypt, aes[i], keys[KEY_AES], text, len, true);
	}
	for (i = 0; i < COUNT(signers); i++) {
		if (!supports(signers[i].type, CKF_SIGN))
			continue;
		/* A raw RSA block must be less than the modulus. */
		data[0] = signers[i].type == CKM_RSA_X_509 ? 0 : 'd';
		giver(&sign, signers[i].type, keys[signers[i].key], data, signers[i].in_len,
		      signers[i].parts);
		verifies(signers[i].key == KEY_RSA_PRIVATE ? keys[KEY_RSA_PUBLIC] :
			 signers[i].key == KEY_EC_PRIVATE ? keys[KEY_EC_PUBLIC] :
			 keys[signers[i].key], keys[signers[i].key], signers[i].type,
			 signers[i].in_len);
	}
	ciphers(keys[KEY_AES]);
	log_out(s);
}
