// SPDX-License-Identifier: GPL-2.0-or-later
/* Objects: attributes, templates, finding, read-only sessions, handles across logouts. */
#include "fixture.h"

static CK_OBJECT_HANDLE make_data(CK_SESSION_HANDLE s, const char *label, bool token,
				  bool private)
{
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_BBOOL on_token = token, is_private = private;
	CK_ATTRIBUTE attrs[] = {
		ATTR(CKA_CLASS, class), ATTR(CKA_TOKEN, on_token), ATTR(CKA_PRIVATE, is_private),
		{ CKA_LABEL, (void *)label, strlen(label) }, { CKA_VALUE, "content", 7 },
	};
	CK_OBJECT_HANDLE object;

	OK(p11->C_CreateObject(s, attrs, 5, &object));
	return object;
}

static void attributes(void **state)
{
	CK_SESSION_HANDLE s = login();
	CK_OBJECT_HANDLE pub, priv;
	CK_OBJECT_CLASS class;
	CK_KEY_TYPE type;
	CK_BYTE label[16], modulus[256];
	CK_BBOOL sensitive;
	CK_ATTRIBUTE attrs[] = {
		ATTR(CKA_CLASS, class), ATTR(CKA_LABEL, label), ATTR(CKA_KEY_TYPE, type),
	};
	CK_ATTRIBUTE secret = { CKA_PRIVATE_EXPONENT, NULL, 0 };
	CK_ATTRIBUTE mixed[] = {
		{ CKA_VALUE_LEN, NULL, 0 }, ATTR(CKA_MODULUS, modulus),
		{ CKA_PRIME_1, modulus, sizeof(modulus) }, ATTR(CKA_SENSITIVE, sensitive),
	};

	(void)state;
	rsa_pair(s, "attributes", false, &pub, &priv);
	OK(p11->C_GetAttributeValue(s, pub, attrs, 3));
	assert_int_equal(class, CKO_PUBLIC_KEY);
	assert_int_equal(type, CKK_RSA);
	assert_int_equal(attrs[1].ulValueLen, 10);
	assert_memory_equal(label, "attributes", 10);

	/* lengths first */
	attrs[1].pValue = NULL;
	OK(p11->C_GetAttributeValue(s, pub, attrs, 3));
	assert_int_equal(attrs[1].ulValueLen, 10);
	attrs[1].pValue = label;
	attrs[1].ulValueLen = 9;
	class = 0;
	IS(CKR_BUFFER_TOO_SMALL, p11->C_GetAttributeValue(s, pub, attrs, 3));
	assert_int_equal(attrs[1].ulValueLen, CK_UNAVAILABLE_INFORMATION);
	assert_int_equal(class, CKO_PUBLIC_KEY);

	IS(CKR_ATTRIBUTE_SENSITIVE, p11->C_GetAttributeValue(s, priv, &secret, 1));
	assert_int_equal(secret.ulValueLen, CK_UNAVAILABLE_INFORMATION);
	/* One that it has not, one that it keeps to itself, and two to be told. */
	assert_int_not_equal(p11->C_GetAttributeValue(s, priv, mixed, 4), CKR_OK);
	assert_int_equal(mixed[0].ulValueLen, CK_UNAVAILABLE_INFORMATION);
	assert_int_equal(mixed[1].ulValueLen, 256);
	assert_int_equal(mixed[2].ulValueLen, CK_UNAVAILABLE_INFORMATION);
	assert_int_equal(mixed[3].ulValueLen, 1);
	assert_int_equal(sensitive, CK_TRUE);
	IS(CKR_OBJECT_HANDLE_INVALID, p11->C_GetAttributeValue(s, 0, attrs, 1));
	IS(CKR_ARGUMENTS_BAD, p11->C_GetAttributeValue(s, pub, NULL, 1));
}

static void allowed_mechanisms(void **state)
{
	CK_MECHANISM mech = { CKM_AES_KEY_GEN, NULL, 0 }, ecb = { CKM_AES_ECB, NULL, 0 };
	CK_BYTE iv[16] = { 0 };
	CK_MECHANISM cbc = { CKM_AES_CBC, iv, 16 };
	CK_MECHANISM_TYPE allowed[] = { CKM_AES_ECB, CKM_AES_CMAC }, back[4];
	CK_ULONG len = 16;
	CK_ATTRIBUTE attrs[] = {
		ATTR(CKA_VALUE_LEN, len), ATTR(CKA_ALLOWED_MECHANISMS, allowed),
		ATTR(CKA_ENCRYPT, yes),
	};
	CK_ATTRIBUTE ask = ATTR(CKA_ALLOWED_MECHANISMS, back);
	CK_SESSION_HANDLE s = login();
	CK_OBJECT_HANDLE key;
	CK_BYTE out[16];

	(void)state;
	OK(p11->C_GenerateKey(s, &mech, attrs, 3, &key));
	OK(p11->C_GetAttributeValue(s, key, &ask, 1));
	assert_int_equal(ask.ulValueLen, sizeof(allowed));
	assert_memory_equal(back, allowed, sizeof(allowed));
	OK(p11->C_EncryptInit(s, &ecb, key));
	OK(p11->C_Encrypt(s, iv, 16, out, &len));
	OK(p11->C_EncryptInit(s, &cbc, key));
	IS(CKR_MECHANISM_INVALID, p11->C_Encrypt(s, iv, 16, out, &len));
}

static void templates(void **state)
{
	CK_MECHANISM mech = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_MECHANISM pair = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
	CK_ULONG len = 32, odd = 17;
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_ATTRIBUTE good[] = { ATTR(CKA_VALUE_LEN, len), ATTR(CKA_ENCRYPT, yes) };
	CK_ATTRIBUTE short_bool[] = { good[0], { CKA_ENCRYPT, &yes, 0 } };
	CK_ATTRIBUTE short_ulong[] = { { CKA_VALUE_LEN, &len, 4 } };
	CK_ATTRIBUTE null_value[] = { good[0], { CKA_LABEL, NULL, 5 } };
	CK_ATTRIBUTE wrong_size[] = { ATTR(CKA_VALUE_LEN, odd) };
	CK_ATTRIBUTE twice[] = { good[0], good[0] };
	CK_ATTRIBUTE no_class[] = { { CKA_LABEL, "x", 1 } };
	CK_ATTRIBUTE data[] = { ATTR(CKA_CLASS, class), { CKA_VALUE, "v", 1 } };
	CK_SESSION_HANDLE s = login();
	CK_OBJECT_HANDLE key, other;
	CK_RV rv;

	(void)state;
	OK(p11->C_GenerateKey(s, &mech, good, 2, &key));
	IS(CKR_ARGUMENTS_BAD, p11->C_GenerateKey(s, &mech, good, 2, NULL));
	IS(CKR_ARGUMENTS_BAD, p11->C_GenerateKey(s, NULL, good, 2, &key));
	IS(CKR_ARGUMENTS_BAD, p11->C_GenerateKey(s, &mech, NULL, 2, &key));
	IS(CKR_ATTRIBUTE_VALUE_INVALID, p11->C_GenerateKey(s, &mech, short_bool, 2, &key));
	IS(CKR_ATTRIBUTE_VALUE_INVALID, p11->C_GenerateKey(s, &mech, short_ulong, 1, &key));
	IS(CKR_ATTRIBUTE_VALUE_INVALID, p11->C_GenerateKey(s, &mech, null_value, 2, &key));
	rv = p11->C_GenerateKey(s, &mech, wrong_size, 1, &key);
	assert_true(rv == CKR_ATTRIBUTE_VALUE_INVALID || rv == CKR_KEY_SIZE_RANGE);
	IS(CKR_TEMPLATE_INCONSISTENT, p11->C_GenerateKey(s, &mech, twice, 2, &key));
	IS(CKR_TEMPLATE_INCOMPLETE, p11->C_CreateObject(s, no_class, 1, &key));
	OK(p11->C_CreateObject(s, data, 2, &key));
	IS(CKR_MECHANISM_INVALID, p11->C_GenerateKey(s, &pair, good, 2, &key));
	IS(CKR_ARGUMENTS_BAD, p11->C_GenerateKeyPair(s, &pair, good, 2, good, 2, &key, NULL));
	IS(CKR_ARGUMENTS_BAD, p11->C_GenerateKeyPair(s, &pair, good, 2, good, 2, NULL, &other));
}

static void find(void **state)
{
	CK_SESSION_HANDLE s = login();
	CK_OBJECT_HANDLE found[3], made[5];
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_ATTRIBUTE by_label = { CKA_LABEL, "find-me", 7 };
	CK_ATTRIBUTE both[] = { by_label, ATTR(CKA_CLASS, class) };
	CK_ULONG n, i;

	(void)state;
	for (i = 0; i < 5; i++)
		made[i] = make_data(s, "find-me", false, true);
	IS(CKR_OPERATION_NOT_INITIALIZED, p11->C_FindObjects(s, found, 3, &n));
	IS(CKR_OPERATION_NOT_INITIALIZED, p11->C_FindObjectsFinal(s));
	IS(CKR_ARGUMENTS_BAD, p11->C_FindObjectsInit(s, NULL, 1));
	OK(p11->C_FindObjectsInit(s, &by_label, 1));
	IS(CKR_OPERATION_ACTIVE, p11->C_FindObjectsInit(s, &by_label, 1));
	IS(CKR_ARGUMENTS_BAD, p11->C_FindObjects(s, found, 3, NULL));
	OK(p11->C_FindObjects(s, found, 3, &n));
	assert_int_equal(n, 3);
	/* An object has one handle, and objects come in the order of their creation. */
	for (i = 0; i < 3; i++)
		assert_int_equal(found[i], made[i]);
	/* Between, other things can be done. */
	make_data(s, "find-me", false, true);
	OK(p11->C_FindObjects(s, found, 3, &n));
	assert_int_equal(n, 2);
	OK(p11->C_FindObjects(s, found, 3, &n));
	assert_int_equal(n, 0);
	OK(p11->C_FindObjectsFinal(s));
	OK(p11->C_FindObjectsInit(s, both, 2));
	OK(p11->C_FindObjectsFinal(s));
	assert_int_equal(count_objects(s, "find-me"), 6);
	assert_int_equal(count_objects(s, "not-there"), 0);
	/* Session objects end with their session. */
	OK(p11->C_CloseSession(s));
	s = login();
	assert_int_equal(count_objects(s, "find-me"), 0);
	OK(p11->C_FindObjectsInit(s, NULL, 0));
	OK(p11->C_FindObjectsFinal(s));
}

static void change_and_destroy(void **state)
{
	CK_SESSION_HANDLE s = login();
	CK_OBJECT_HANDLE object = make_data(s, "before", true, true), copy;
	CK_ATTRIBUTE label = { CKA_LABEL, "after", 5 }, copied = { CKA_LABEL, "copy", 4 };
	CK_OBJECT_CLASS class = CKO_CERTIFICATE;
	CK_ATTRIBUTE other = ATTR(CKA_CLASS, class);
	CK_ULONG size = 0;

	(void)state;
	OK(p11->C_SetAttributeValue(s, object, &label, 1));
	assert_int_equal(count_objects(s, "before"), 0);
	assert_int_equal(count_objects(s, "after"), 1);
	IS(CKR_ATTRIBUTE_READ_ONLY, p11->C_SetAttributeValue(s, object, &other, 1));
	OK(p11->C_GetObjectSize(s, object, &size));
	assert_true(size > 0);
	OK(p11->C_CopyObject(s, object, &copied, 1, &copy));
	assert_int_equal(count_objects(s, "copy"), 1);
	assert_int_equal(count_objects(s, "after"), 1);
	OK(p11->C_DestroyObject(s, object));
	IS(CKR_OBJECT_HANDLE_INVALID, p11->C_DestroyObject(s, object));
	IS(CKR_OBJECT_HANDLE_INVALID, p11->C_SetAttributeValue(s, object, &label, 1));
	IS(CKR_OBJECT_HANDLE_INVALID, p11->C_GetObjectSize(s, object, &size));
	assert_int_equal(count_objects(s, "after"), 0);
	OK(p11->C_DestroyObject(s, copy));
	/* A handle that has ended does not come to mean another object. */
	make_data(s, "new", false, true);
	make_data(s, "new", false, true);
	IS(CKR_OBJECT_HANDLE_INVALID, p11->C_GetObjectSize(s, object, &size));
	IS(CKR_OBJECT_HANDLE_INVALID, p11->C_GetObjectSize(s, copy, &size));
}

static void read_only_sessions(void **state)
{
	CK_SESSION_HANDLE ro, s = login();
	CK_OBJECT_HANDLE on_token = make_data(s, "read-only", true, true), object;
	CK_ATTRIBUTE label = { CKA_LABEL, "changed", 7 };
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_ATTRIBUTE attrs[] = { ATTR(CKA_CLASS, class), ATTR(CKA_TOKEN, yes) };

	(void)state;
	OK(p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &ro));
	IS(CKR_SESSION_READ_ONLY, p11->C_CreateObject(ro, attrs, 2, &object));
	IS(CKR_SESSION_READ_ONLY, p11->C_SetAttributeValue(ro, on_token, &label, 1));
	IS(CKR_SESSION_READ_ONLY, p11->C_DestroyObject(ro, on_token));
	IS(CKR_SESSION_READ_ONLY, p11->C_CopyObject(ro, on_token, NULL, 0, &object));
	object = make_data(ro, "its own", false, true);
	OK(p11->C_SetAttributeValue(ro, object, &label, 1));
	OK(p11->C_DestroyObject(ro, object));
	OK(p11->C_DestroyObject(s, on_token));
}

static void handles_and_logins(void **state)
{
	CK_SESSION_HANDLE s = login();
	CK_OBJECT_HANDLE private = make_data(s, "private", true, true), found;
	CK_OBJECT_HANDLE public = make_data(s, "public", true, false);
	CK_ATTRIBUTE label = { CKA_LABEL, NULL, 0 }, by_label = { CKA_LABEL, "private", 7 };
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_ATTRIBUTE attrs[] = { ATTR(CKA_CLASS, class), ATTR(CKA_PRIVATE, yes) };
	CK_ULONG n;

	(void)state;
	OK(p11->C_Logout(s));
	IS(CKR_OBJECT_HANDLE_INVALID, p11->C_GetAttributeValue(s, private, &label, 1));
	OK(p11->C_GetAttributeValue(s, public, &label, 1));
	assert_int_equal(count_objects(s, "private"), 0);
	assert_int_equal(count_objects(s, "public"), 1);
	IS(CKR_USER_NOT_LOGGED_IN, p11->C_CreateObject(s, attrs, 2, &found));
	/* The handle has ended, whoever logs in again; the object is found anew. */
	OK(p11->C_Login(s, CKU_USER, (CK_BYTE *)CO_PIN, strlen(CO_PIN)));
	IS(CKR_OBJECT_HANDLE_INVALID, p11->C_GetAttributeValue(s, private, &label, 1));
	OK(p11->C_FindObjectsInit(s, &by_label, 1));
	OK(p11->C_FindObjects(s, &found, 1, &n));
	OK(p11->C_FindObjectsFinal(s));
	assert_int_equal(n, 1);
	OK(p11->C_GetAttributeValue(s, found, &label, 1));
	OK(p11->C_DestroyObject(s, found));
	OK(p11->C_DestroyObject(s, public));
}

static void crypto_user(void **state)
{
	CK_MECHANISM mech = { CKM_SHA256_RSA_PKCS, NULL, 0 };
	CK_SESSION_HANDLE s = login();
	CK_OBJECT_HANDLE pub, priv, found;
	CK_ATTRIBUTE by_label = { CKA_LABEL, "cu", 2 };
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE both[] = { by_label, ATTR(CKA_CLASS, class) };
	CK_BYTE sig[256];
	CK_ULONG n, len = sizeof(sig);

	(void)state;
	rsa_pair(s, "cu", true, &pub, &priv);
	OK(p11->C_Logout(s));
	OK(p11->C_Login(s, 0x80000001UL, (CK_BYTE *)CU_PIN, strlen(CU_PIN)));
	OK(p11->C_FindObjectsInit(s, both, 2));
	OK(p11->C_FindObjects(s, &found, 1, &n));
	OK(p11->C_FindObjectsFinal(s));
	assert_int_equal(n, 1);
	OK(p11->C_SignInit(s, &mech, found));
	OK(p11->C_Sign(s, (CK_BYTE *)"x", 1, sig, &len));
	/* It may use keys and not change them. */
	assert_int_not_equal(p11->C_DestroyObject(s, found), CKR_OK);
	OK(p11->C_Logout(s));
	OK(p11->C_Login(s, CKU_USER, (CK_BYTE *)CO_PIN, strlen(CO_PIN)));
	OK(p11->C_FindObjectsInit(s, &by_label, 1));
	while (p11->C_FindObjects(s, &found, 1, &n) == CKR_OK && n)
		OK(p11->C_DestroyObject(s, found));
	OK(p11->C_FindObjectsFinal(s));
}

static void many_objects(void **state)
{
	CK_SESSION_HANDLE s = login(), other = session();
	CK_OBJECT_HANDLE *made = calloc(3000, sizeof(*made)), *found = calloc(3000, sizeof(*found));
	CK_ATTRIBUTE by_label = { CKA_LABEL, "many", 4 };
	CK_ULONG n, i;

	(void)state;
	for (i = 0; i < 3000; i++)
		made[i] = make_data(s, "many", false, true);
	OK(p11->C_FindObjectsInit(other, &by_label, 1));
	OK(p11->C_FindObjects(other, found, 3000, &n));
	OK(p11->C_FindObjectsFinal(other));
	assert_int_equal(n, 3000);
	assert_memory_equal(made, found, 3000 * sizeof(*made));
	for (i = 0; i < 3000; i += 2)
		OK(p11->C_DestroyObject(s, made[i]));
	assert_int_equal(count_objects(s, "many"), 1500);
	OK(p11->C_CloseSession(s));
	assert_int_equal(count_objects(other, "many"), 0);
	free(made);
	free(found);
}

#define IN_MODULE(f) cmocka_unit_test_setup_teardown(f, with_module, without_module)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_MODULE(attributes),
		IN_MODULE(allowed_mechanisms),
		IN_MODULE(templates),
		IN_MODULE(find),
		IN_MODULE(change_and_destroy),
		IN_MODULE(read_only_sessions),
		IN_MODULE(handles_and_logins),
		IN_MODULE(crypto_user),
		IN_MODULE(many_objects),
	};

	return FIXTURE_RUN(tests, true, true);
}
