// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Keys of PKCS#11 3.2: ML-KEM, ML-DSA, SLH-DSA, where the card's libcrypto has them (OpenSSL 3.5);
 * elsewhere what is said of them is that they are not there.
 */
#include "fixture.h"

CK_RV C_GetInterface(CK_UTF8CHAR *name, CK_VERSION *version, CK_INTERFACE **interface,
		     CK_FLAGS flags);

static CK_OBJECT_CLASS secret_class = CKO_SECRET_KEY;
static CK_KEY_TYPE generic = CKK_GENERIC_SECRET;
static CK_MECHANISM kem = { CKM_ML_KEM, NULL, 0 };

static CK_FUNCTION_LIST_3_2 *v3_2(void)
{
	CK_VERSION version = { 3, 2 };
	CK_INTERFACE *found;

	OK(C_GetInterface((CK_UTF8CHAR *)"PKCS 11", &version, &found, 0));
	return found->pFunctionList;
}

static bool has(CK_MECHANISM_TYPE type)
{
	CK_MECHANISM_INFO info;
	CK_RV rv = p11->C_GetMechanismInfo(slot, type, &info);

	if (rv != CKR_OK)
		IS(CKR_MECHANISM_INVALID, rv);
	return rv == CKR_OK;
}

/* @more: an attribute of the public key and one of the private one, or NULL */
static void pair(CK_SESSION_HANDLE s, CK_MECHANISM_TYPE type, CK_ULONG set, bool token,
		 const CK_ATTRIBUTE *more, CK_OBJECT_HANDLE *pub, CK_OBJECT_HANDLE *priv)
{
	CK_MECHANISM mech = { type, NULL, 0 };
	CK_BBOOL on_token = token;
	CK_ATTRIBUTE public[3] = { ATTR(CKA_PARAMETER_SET, set), ATTR(CKA_TOKEN, on_token) };
	CK_ATTRIBUTE private[2] = { ATTR(CKA_TOKEN, on_token) };

	if (more) {
		public[2] = more[0];
		private[1] = more[1];
	}
	OK(p11->C_GenerateKeyPair(s, &mech, public, more ? 3 : 2, private, more ? 2 : 1, pub,
				  priv));
}

static void value_of(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, CK_BYTE *value)
{
	CK_ATTRIBUTE get = { CKA_VALUE, value, 32 };

	OK(p11->C_GetAttributeValue(s, key, &get, 1));
	assert_int_equal(get.ulValueLen, 32);
}

static void not_there(CK_FUNCTION_LIST_3_2 *f, CK_SESSION_HANDLE s)
{
	CK_MECHANISM generate = { CKM_ML_KEM_KEY_PAIR_GEN, NULL, 0 };
	CK_OBJECT_HANDLE pub, priv, key;
	CK_ULONG set = CKP_ML_KEM_768, len = 1568;
	CK_ATTRIBUTE t[] = { ATTR(CKA_PARAMETER_SET, set) };
	CK_BYTE text[1568];

	ec_pair(s, "other", false, &pub, &priv);
	IS(CKR_MECHANISM_INVALID, f->C_EncapsulateKey(s, &kem, pub, NULL, 0, text, &len, &key));
	IS(CKR_MECHANISM_INVALID, f->C_DecapsulateKey(s, &kem, priv, NULL, 0, text, len, &key));
	IS(CKR_MECHANISM_INVALID,
	   p11->C_GenerateKeyPair(s, &generate, t, 1, NULL, 0, &pub, &priv));
}

/* What is checked before the card is asked, whatever it can do */
static void arguments(CK_FUNCTION_LIST_3_2 *f, CK_SESSION_HANDLE s)
{
	CK_MECHANISM digest = { CKM_SHA256, NULL, 0 };
	CK_BBOOL token = CK_TRUE;
	CK_ATTRIBUTE t[] = { ATTR(CKA_TOKEN, token) };
	CK_OBJECT_HANDLE key;
	CK_ULONG len = 1568;
	CK_BYTE text[1568];
	CK_SESSION_HANDLE ro;

	IS(CKR_ARGUMENTS_BAD, f->C_EncapsulateKey(s, &kem, 1, NULL, 0, text, NULL, &key));
	IS(CKR_ARGUMENTS_BAD, f->C_EncapsulateKey(s, &kem, 1, NULL, 0, text, &len, NULL));
	IS(CKR_ARGUMENTS_BAD, f->C_EncapsulateKey(s, &kem, 1, NULL, 1, text, &len, &key));
	IS(CKR_ARGUMENTS_BAD, f->C_EncapsulateKey(s, NULL, 1, NULL, 0, text, &len, &key));
	IS(CKR_MECHANISM_INVALID, f->C_EncapsulateKey(s, &digest, 1, NULL, 0, text, &len, &key));
	IS(CKR_ARGUMENTS_BAD, f->C_DecapsulateKey(s, &kem, 1, NULL, 0, NULL, len, &key));
	IS(CKR_ARGUMENTS_BAD, f->C_DecapsulateKey(s, &kem, 1, NULL, 0, text, len, NULL));
	IS(CKR_ARGUMENTS_BAD, f->C_DecapsulateKey(s, &kem, 1, NULL, 1, text, len, &key));
	IS(CKR_MECHANISM_INVALID, f->C_DecapsulateKey(s, &digest, 1, NULL, 0, text, len, &key));
	OK(p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &ro));
	IS(CKR_SESSION_READ_ONLY, f->C_EncapsulateKey(ro, &kem, 1, t, 1, text, &len, &key));
	IS(CKR_SESSION_READ_ONLY, f->C_DecapsulateKey(ro, &kem, 1, t, 1, text, len, &key));
	OK(p11->C_CloseSession(ro));
}

static void both_ends_get_the_same(CK_FUNCTION_LIST_3_2 *f, CK_SESSION_HANDLE s, CK_ULONG set,
				   CK_ULONG wanted)
{
	CK_ATTRIBUTE t[] = {
		ATTR(CKA_CLASS, secret_class), ATTR(CKA_KEY_TYPE, generic),
		ATTR(CKA_SENSITIVE, no), ATTR(CKA_EXTRACTABLE, yes),
		{ CKA_LABEL, (void *)"shared", 6 },
	};
	CK_OBJECT_HANDLE pub, priv, ours, theirs, other, key;
	CK_BYTE text[1600], a[32], b[32];
	CK_ULONG len = 0;
	CK_BBOOL local;
	CK_ATTRIBUTE get = ATTR(CKA_LOCAL, local);

	pair(s, CKM_ML_KEM_KEY_PAIR_GEN, set, false, NULL, &pub, &priv);
	OK(f->C_EncapsulateKey(s, &kem, pub, t, 5, NULL, &len, NULL));
	assert_int_equal(len, wanted);
	len--;
	IS(CKR_BUFFER_TOO_SMALL, f->C_EncapsulateKey(s, &kem, pub, t, 5, text, &len, &ours));
	assert_int_equal(len, wanted);
	assert_int_equal(count_objects(s, "shared"), 0);
	len = sizeof(text);
	OK(f->C_EncapsulateKey(s, &kem, pub, t, 5, text, &len, &ours));
	assert_int_equal(len, wanted);
	OK(f->C_DecapsulateKey(s, &kem, priv, t, 5, text, len, &theirs));
	assert_int_not_equal(ours, theirs);
	value_of(s, ours, a);
	value_of(s, theirs, b);
	assert_memory_equal(a, b, 32);
	OK(p11->C_GetAttributeValue(s, ours, &get, 1));
	assert_false(local);
	/* FIPS 203 answers a damaged ciphertext with another secret, and one of no length not. */
	text[0] ^= 1;
	OK(f->C_DecapsulateKey(s, &kem, priv, t, 5, text, len, &other));
	value_of(s, other, b);
	assert_memory_not_equal(a, b, 32);
	IS(CKR_WRAPPED_KEY_LEN_RANGE, f->C_DecapsulateKey(s, &kem, priv, t, 5, text, len - 1,
							  &key));
	/* Keys that may not, and none */
	IS(CKR_KEY_FUNCTION_NOT_PERMITTED, f->C_DecapsulateKey(s, &kem, pub, t, 5, text, len,
							       &key));
	IS(CKR_KEY_HANDLE_INVALID, f->C_EncapsulateKey(s, &kem, 0, t, 5, text, &len, &key));
	IS(CKR_UNWRAPPING_KEY_HANDLE_INVALID, f->C_DecapsulateKey(s, &kem, 0, t, 5, text, len,
								  &key));
	ec_pair(s, "other", false, &pub, &priv);
	IS(CKR_KEY_TYPE_INCONSISTENT, f->C_EncapsulateKey(s, &kem, pub, t, 5, text, &len, &key));
	IS(CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT, f->C_DecapsulateKey(s, &kem, priv, t, 5, text,
								     len, &key));
	assert_int_equal(count_objects(s, "shared"), 3);
	OK(p11->C_DestroyObject(s, ours));
	OK(p11->C_DestroyObject(s, theirs));
	OK(p11->C_DestroyObject(s, other));
}

/* What a key's templates say of the keys that come of it, and what is on the token stays. */
static void templates_and_token_keys(CK_FUNCTION_LIST_3_2 *f, CK_SESSION_HANDLE s)
{
	CK_ATTRIBUTE inner[] = { ATTR(CKA_EXTRACTABLE, no) };
	CK_ATTRIBUTE more[] = {
		{ CKA_ENCAPSULATE_TEMPLATE, inner, sizeof(inner) },
		{ CKA_DECAPSULATE_TEMPLATE, inner, sizeof(inner) },
	};
	CK_ATTRIBUTE t[] = {
		ATTR(CKA_CLASS, secret_class), ATTR(CKA_KEY_TYPE, generic), ATTR(CKA_TOKEN, yes),
		{ CKA_LABEL, (void *)"kept", 4 }, ATTR(CKA_EXTRACTABLE, yes),
	};
	CK_OBJECT_HANDLE pub, priv, key, again;
	CK_BBOOL extractable = CK_TRUE;
	CK_ATTRIBUTE get = ATTR(CKA_EXTRACTABLE, extractable);
	CK_BYTE text[1088], mac[32], same[32];
	CK_ULONG len = sizeof(text), n = 32;
	CK_MECHANISM hmac = { CKM_SHA256_HMAC, NULL, 0 };

	pair(s, CKM_ML_KEM_KEY_PAIR_GEN, CKP_ML_KEM_768, true, more, &pub, &priv);
	IS(CKR_TEMPLATE_INCONSISTENT, f->C_EncapsulateKey(s, &kem, pub, t, 5, text, &len, &key));
	IS(CKR_TEMPLATE_INCONSISTENT, f->C_DecapsulateKey(s, &kem, priv, t, 5, text, sizeof(text),
							  &key));
	assert_int_equal(count_objects(s, "kept"), 0);
	t[4] = (CK_ATTRIBUTE)ATTR(CKA_EXTRACTABLE, no);
	len = sizeof(text);
	OK(f->C_EncapsulateKey(s, &kem, pub, t, 5, text, &len, &key));
	OK(f->C_DecapsulateKey(s, &kem, priv, t, 4, text, len, &again));
	OK(p11->C_GetAttributeValue(s, again, &get, 1));
	assert_false(extractable);
	OK(p11->C_SignInit(s, &hmac, key));
	OK(p11->C_Sign(s, (CK_BYTE *)"text", 4, mac, &n));
	if (slot == GROUP_SLOT)
		/* The other member has both. */
		loopback_pull(lb, CARD_A);
	OK(p11->C_SignInit(s, &hmac, again));
	OK(p11->C_Sign(s, (CK_BYTE *)"text", 4, same, &n));
	assert_memory_equal(mac, same, 32);
	assert_int_equal(count_objects(s, "kept"), 2);
	if (slot == GROUP_SLOT)
		loopback_return(lb, CARD_A);
	OK(p11->C_DestroyObject(s, key));
	OK(p11->C_DestroyObject(s, again));
	OK(p11->C_DestroyObject(s, pub));
	OK(p11->C_DestroyObject(s, priv));
}

static void encapsulation(void **state)
{
	CK_FUNCTION_LIST_3_2 *f = v3_2();
	CK_SESSION_HANDLE s = login();

	(void)state;
	arguments(f, s);
	if (!has(CKM_ML_KEM)) {
		not_there(f, s);
		return;
	}
	both_ends_get_the_same(f, s, CKP_ML_KEM_512, 768);
	both_ends_get_the_same(f, s, CKP_ML_KEM_768, 1088);
	both_ends_get_the_same(f, s, CKP_ML_KEM_1024, 1568);
	templates_and_token_keys(f, s);
}

/* A signature's length is known without making one, and its context is part of what it says. */
static void signs(CK_MECHANISM_TYPE type, CK_MECHANISM_TYPE generate, CK_ULONG set,
		  CK_ULONG wanted)
{
	CK_SIGN_ADDITIONAL_CONTEXT c = { CKH_DETERMINISTIC_REQUIRED, (CK_BYTE *)"here", 4 };
	CK_MECHANISM plain = { type, NULL, 0 }, mech = { type, &c, sizeof(c) };
	CK_SESSION_HANDLE s = session();
	CK_BYTE *sig = malloc(wanted), *again = malloc(wanted), data[100] = "data";
	CK_BYTE hers[256] = "hers";
	CK_OBJECT_HANDLE pub, priv;
	CK_ULONG len = 0;

	pair(s, generate, set, false, NULL, &pub, &priv);
	OK(p11->C_SignInit(s, &mech, priv));
	OK(p11->C_Sign(s, data, sizeof(data), NULL, &len));
	assert_int_equal(len, wanted);
	len--;
	IS(CKR_BUFFER_TOO_SMALL, p11->C_Sign(s, data, sizeof(data), sig, &len));
	len = wanted;
	OK(p11->C_Sign(s, data, sizeof(data), sig, &len));
	assert_int_equal(len, wanted);
	OK(p11->C_VerifyInit(s, &mech, pub));
	OK(p11->C_Verify(s, data, sizeof(data), sig, len));
	/* The same once more, in parts */
	OK(p11->C_SignInit(s, &mech, priv));
	OK(p11->C_SignUpdate(s, data, 40));
	OK(p11->C_SignUpdate(s, data + 40, 60));
	OK(p11->C_SignFinal(s, again, &len));
	assert_memory_equal(sig, again, wanted);
	c.hedgeVariant = CKH_HEDGE_REQUIRED;
	OK(p11->C_SignInit(s, &mech, priv));
	OK(p11->C_Sign(s, data, sizeof(data), again, &len));
	assert_memory_not_equal(sig, again, wanted);
	OK(p11->C_VerifyInit(s, &mech, pub));
	OK(p11->C_Verify(s, data, sizeof(data), again, len));
	OK(p11->C_VerifyInit(s, &plain, pub));
	IS(CKR_SIGNATURE_INVALID, p11->C_Verify(s, data, sizeof(data), sig, len));
	c.pContext = hers;
	OK(p11->C_VerifyInit(s, &mech, pub));
	IS(CKR_SIGNATURE_INVALID, p11->C_Verify(s, data, sizeof(data), sig, len));
	OK(p11->C_VerifyInit(s, &mech, pub));
	IS(CKR_SIGNATURE_LEN_RANGE, p11->C_Verify(s, data, sizeof(data), sig, len - 1));
	c.ulContextLen = sizeof(hers);
	IS(CKR_MECHANISM_PARAM_INVALID, p11->C_SignInit(s, &mech, priv));
	c.ulContextLen = 4;
	c.hedgeVariant = CKH_DETERMINISTIC_REQUIRED + 1;
	IS(CKR_MECHANISM_PARAM_INVALID, p11->C_SignInit(s, &mech, priv));
	mech.ulParameterLen = 3;
	IS(CKR_MECHANISM_PARAM_INVALID, p11->C_SignInit(s, &mech, priv));
	OK(p11->C_SignInit(s, &plain, priv));
	OK(p11->C_Sign(s, data, sizeof(data), sig, &len));
	OK(p11->C_VerifyInit(s, &plain, pub));
	OK(p11->C_Verify(s, data, sizeof(data), sig, len));
	ec_pair(s, "other", false, &pub, &priv);
	IS(CKR_KEY_TYPE_INCONSISTENT, p11->C_SignInit(s, &plain, priv));
	OK(p11->C_CloseSession(s));
	free(sig);
	free(again);
}

static void signatures(void **state)
{
	CK_MECHANISM dsa = { CKM_ML_DSA, NULL, 0 };
	CK_OBJECT_HANDLE pub, priv;
	CK_SESSION_HANDLE s = login();

	(void)state;
	if (!has(CKM_ML_DSA)) {
		ec_pair(s, "other", false, &pub, &priv);
		IS(CKR_MECHANISM_INVALID, p11->C_SignInit(s, &dsa, priv));
		return;
	}
	signs(CKM_ML_DSA, CKM_ML_DSA_KEY_PAIR_GEN, CKP_ML_DSA_44, 2420);
	signs(CKM_ML_DSA, CKM_ML_DSA_KEY_PAIR_GEN, CKP_ML_DSA_65, 3309);
	signs(CKM_ML_DSA, CKM_ML_DSA_KEY_PAIR_GEN, CKP_ML_DSA_87, 4627);
	signs(CKM_SLH_DSA, CKM_SLH_DSA_KEY_PAIR_GEN, CKP_SLH_DSA_SHA2_128F, 17088);
}

#define IN_MODULE(f) cmocka_unit_test_setup_teardown(f, with_module, without_module)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_MODULE(encapsulation),
		IN_MODULE(signatures),
	};

	return FIXTURE_RUN(tests, true, true);
}
