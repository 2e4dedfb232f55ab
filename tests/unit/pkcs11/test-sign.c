// SPDX-License-Identifier: GPL-2.0-or-later
/* Signatures, MACs and digests: right ones by OpenSSL's word, and the rules of buffers. */
#include "fixture.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

static CK_BYTE data[5000] = "what is signed";

static void rsa_sign(void **state)
{
	CK_MECHANISM mech = { CKM_SHA256_RSA_PKCS, NULL, 0 };
	CK_SESSION_HANDLE s = login();
	CK_OBJECT_HANDLE pub, priv;
	CK_BYTE sig[256], first[256];
	CK_ULONG len = sizeof(sig);
	EVP_PKEY *key;

	(void)state;
	rsa_pair(s, "rsa", false, &pub, &priv);
	key = openssl_key(s, pub);
	OK(p11->C_SignInit(s, &mech, priv));
	OK(p11->C_Sign(s, data, sizeof(data), sig, &len));
	assert_int_equal(len, 256);
	assert_true(openssl_verifies(key, data, sizeof(data), sig, len));
	assert_false(openssl_verifies(key, data, sizeof(data) - 1, sig, len));
	IS(CKR_OPERATION_NOT_INITIALIZED, p11->C_Sign(s, data, sizeof(data), sig, &len));

	/* In parts, the same signature comes out. */
	memcpy(first, sig, sizeof(sig));
	OK(p11->C_SignInit(s, &mech, priv));
	OK(p11->C_SignUpdate(s, data, 1));
	OK(p11->C_SignUpdate(s, NULL, 0));
	OK(p11->C_SignUpdate(s, data + 1, sizeof(data) - 1));
	OK(p11->C_SignFinal(s, sig, &len));
	assert_memory_equal(sig, first, sizeof(sig));

	OK(p11->C_VerifyInit(s, &mech, pub));
	OK(p11->C_Verify(s, data, sizeof(data), sig, len));
	OK(p11->C_VerifyInit(s, &mech, pub));
	OK(p11->C_VerifyUpdate(s, data, 10));
	OK(p11->C_VerifyUpdate(s, data + 10, sizeof(data) - 10));
	OK(p11->C_VerifyFinal(s, sig, len));
	sig[0] ^= 1;
	OK(p11->C_VerifyInit(s, &mech, pub));
	IS(CKR_SIGNATURE_INVALID, p11->C_Verify(s, data, sizeof(data), sig, len));
	IS(CKR_OPERATION_NOT_INITIALIZED, p11->C_Verify(s, data, sizeof(data), sig, len));
	OK(p11->C_VerifyInit(s, &mech, pub));
	IS(CKR_SIGNATURE_LEN_RANGE, p11->C_Verify(s, data, sizeof(data), sig, len - 1));
	EVP_PKEY_free(key);
}

static void ec_sign(void **state)
{
	CK_MECHANISM mech = { CKM_ECDSA, NULL, 0 };
	CK_SESSION_HANDLE s = login();
	CK_OBJECT_HANDLE pub, priv;
	CK_BYTE sig[64], digest[32];
	CK_ULONG len = sizeof(sig);
	EVP_PKEY *key;

	(void)state;
	ec_pair(s, "ec", false, &pub, &priv);
	key = openssl_key(s, pub);
	SHA256(data, sizeof(data), digest);
	OK(p11->C_SignInit(s, &mech, priv));
	OK(p11->C_Sign(s, digest, sizeof(digest), sig, &len));
	assert_int_equal(len, 64);
	assert_true(openssl_verifies(key, data, sizeof(data), sig, len));
	mech.mechanism = CKM_ECDSA_SHA256;
	OK(p11->C_SignInit(s, &mech, priv));
	OK(p11->C_Sign(s, data, sizeof(data), sig, &len));
	assert_true(openssl_verifies(key, data, sizeof(data), sig, len));
	OK(p11->C_VerifyInit(s, &mech, pub));
	OK(p11->C_Verify(s, data, sizeof(data), sig, len));
	EVP_PKEY_free(key);
}

static void pss(void **state)
{
	CK_RSA_PKCS_PSS_PARAMS p = { CKM_SHA256, CKG_MGF1_SHA256, 32 };
	CK_MECHANISM mech = { CKM_SHA256_RSA_PKCS_PSS, &p, sizeof(p) };
	CK_SESSION_HANDLE s = login();
	CK_OBJECT_HANDLE pub, priv;
	CK_BYTE sig[256];
	CK_ULONG len = sizeof(sig);

	(void)state;
	rsa_pair(s, "pss", false, &pub, &priv);
	OK(p11->C_SignInit(s, &mech, priv));
	OK(p11->C_Sign(s, data, 100, sig, &len));
	OK(p11->C_VerifyInit(s, &mech, pub));
	OK(p11->C_Verify(s, data, 100, sig, len));
	mech.ulParameterLen = sizeof(p) - 1;
	IS(CKR_MECHANISM_PARAM_INVALID, p11->C_SignInit(s, &mech, priv));
	mech.ulParameterLen = 0;
	IS(CKR_MECHANISM_PARAM_INVALID, p11->C_SignInit(s, &mech, priv));
}

static void lengths_and_buffers(void **state)
{
	CK_MECHANISM mech = { CKM_SHA256_RSA_PKCS, NULL, 0 };
	CK_SESSION_HANDLE s = login();
	CK_OBJECT_HANDLE pub, priv;
	CK_BYTE sig[300];
	CK_ULONG len = 1;

	(void)state;
	rsa_pair(s, "rsa", false, &pub, &priv);
	OK(p11->C_SignInit(s, &mech, priv));
	OK(p11->C_Sign(s, data, 10, NULL, &len));
	assert_int_equal(len, 256);
	len = 255;
	IS(CKR_BUFFER_TOO_SMALL, p11->C_Sign(s, data, 10, sig, &len));
	assert_int_equal(len, 256);
	len = sizeof(sig);
	OK(p11->C_Sign(s, data, 10, sig, &len));
	assert_int_equal(len, 256);

	/* the same in parts */
	OK(p11->C_SignInit(s, &mech, priv));
	OK(p11->C_SignUpdate(s, data, 10));
	OK(p11->C_SignFinal(s, NULL, &len));
	len = 0;
	IS(CKR_BUFFER_TOO_SMALL, p11->C_SignFinal(s, sig, &len));
	assert_int_equal(len, 256);
	OK(p11->C_SignFinal(s, sig, &len));
	IS(CKR_OPERATION_NOT_INITIALIZED, p11->C_SignFinal(s, sig, &len));

	/* What ends an operation and what does not. */
	OK(p11->C_SignInit(s, &mech, priv));
	IS(CKR_OPERATION_ACTIVE, p11->C_SignInit(s, &mech, priv));
	IS(CKR_ARGUMENTS_BAD, p11->C_Sign(s, NULL, 5, sig, &len));
	IS(CKR_OPERATION_NOT_INITIALIZED, p11->C_Sign(s, data, 5, sig, &len));
	OK(p11->C_SignInit(s, &mech, priv));
	IS(CKR_ARGUMENTS_BAD, p11->C_Sign(s, data, 5, sig, NULL));
	IS(CKR_OPERATION_NOT_INITIALIZED, p11->C_SignUpdate(s, data, 5));
	OK(p11->C_SignInit(s, &mech, priv));
	OK(p11->C_SignUpdate(s, data, 5));
	IS(CKR_OPERATION_ACTIVE, p11->C_Sign(s, data, 5, sig, &len));
	OK(p11->C_SignFinal(s, sig, &len));
	/* Nothing to be signed, given as nothing. */
	OK(p11->C_SignInit(s, &mech, priv));
	OK(p11->C_Sign(s, NULL, 0, sig, &len));
	OK(p11->C_VerifyInit(s, &mech, pub));
	OK(p11->C_Verify(s, NULL, 0, sig, len));
	OK(p11->C_SignInit(s, &mech, priv));
	OK(p11->C_SignFinal(s, sig, &len));
	OK(p11->C_VerifyInit(s, &mech, pub));
	OK(p11->C_Verify(s, data, 0, sig, len));
	/* No mechanism ends what is going on; without any of that it is an error. */
	OK(p11->C_SignInit(s, &mech, priv));
	OK(p11->C_SignInit(s, NULL, priv));
	IS(CKR_ARGUMENTS_BAD, p11->C_SignInit(s, NULL, priv));
	/* Different kinds do not disturb each other. */
	OK(p11->C_SignInit(s, &mech, priv));
	OK(p11->C_VerifyInit(s, &mech, pub));
	OK(p11->C_Sign(s, data, 7, sig, &len));
	OK(p11->C_Verify(s, data, 7, sig, len));
}

static void wrong_keys(void **state)
{
	CK_MECHANISM rsa = { CKM_SHA256_RSA_PKCS, NULL, 0 }, ec = { CKM_ECDSA, NULL, 0 };
	CK_MECHANISM none = { CKM_SKIPJACK_CBC64, NULL, 0 };
	CK_MECHANISM extra = { CKM_SHA256_RSA_PKCS, data, 5 };
	CK_SESSION_HANDLE s = login();
	CK_OBJECT_HANDLE pub, priv;

	(void)state;
	rsa_pair(s, "rsa", false, &pub, &priv);
	IS(CKR_KEY_HANDLE_INVALID, p11->C_SignInit(s, &rsa, 0));
	IS(CKR_KEY_HANDLE_INVALID, p11->C_SignInit(s, &rsa, 12345678));
	IS(CKR_KEY_TYPE_INCONSISTENT, p11->C_SignInit(s, &ec, priv));
	IS(CKR_KEY_FUNCTION_NOT_PERMITTED, p11->C_SignInit(s, &rsa, pub));
	IS(CKR_MECHANISM_INVALID, p11->C_SignInit(s, &none, priv));
	IS(CKR_MECHANISM_PARAM_INVALID, p11->C_SignInit(s, &extra, priv));
	IS(CKR_MECHANISM_INVALID, p11->C_DigestInit(s, &rsa));
	OK(p11->C_DestroyObject(s, priv));
	IS(CKR_KEY_HANDLE_INVALID, p11->C_SignInit(s, &rsa, priv));
}

static void macs(void **state)
{
	static const CK_BYTE secret[] = "a secret of some length";
	CK_MECHANISM mech = { CKM_SHA256_HMAC, NULL, 0 };
	CK_SESSION_HANDLE s = login();
	CK_OBJECT_HANDLE key = mac_key_of(s, secret, sizeof(secret));
	CK_BYTE mac[64], right[64];
	CK_ULONG len = sizeof(mac), part = 10;
	unsigned int right_len;

	(void)state;
	HMAC(EVP_sha256(), secret, sizeof(secret), data, sizeof(data), right, &right_len);
	OK(p11->C_SignInit(s, &mech, key));
	OK(p11->C_Sign(s, data, sizeof(data), mac, &len));
	assert_int_equal(len, 32);
	assert_memory_equal(mac, right, 32);
	OK(p11->C_VerifyInit(s, &mech, key));
	OK(p11->C_Verify(s, data, sizeof(data), right, 32));

	mech = (CK_MECHANISM){ CKM_SHA256_HMAC_GENERAL, &part, sizeof(part) };
	OK(p11->C_SignInit(s, &mech, key));
	OK(p11->C_Sign(s, data, sizeof(data), NULL, &len));
	assert_int_equal(len, 10);
	OK(p11->C_Sign(s, data, sizeof(data), mac, &len));
	assert_memory_equal(mac, right, 10);
	assert_int_equal(len, 10);
}

/* Of more than is kept in memory, and of more than goes into a message. */
static void long_ones(void **state)
{
	CK_MECHANISM mech = { CKM_SHA256, NULL, 0 };
	CK_MECHANISM sign = { CKM_ECDSA_SHA256, NULL, 0 };
	CK_SESSION_HANDLE s = login();
	size_t size = 3000000, at, part;
	CK_BYTE *big = malloc(size), digest[32], right[32], sig[64];
	CK_OBJECT_HANDLE pub, priv;
	CK_ULONG len = sizeof(digest);
	EVP_PKEY *key;

	(void)state;
	for (at = 0; at < size; at++)
		big[at] = (CK_BYTE)(at * 7 + at / 255);
	SHA256(big, size, right);
	OK(p11->C_DigestInit(s, &mech));
	OK(p11->C_Digest(s, big, size, NULL, &len));
	assert_int_equal(len, 32);
	OK(p11->C_Digest(s, big, size, digest, &len));
	assert_memory_equal(digest, right, 32);

	OK(p11->C_DigestInit(s, &mech));
	for (at = 0; at < size; at += part) {
		part = size - at < 70001 ? size - at : 70001;
		OK(p11->C_DigestUpdate(s, big + at, part));
	}
	len = 31;
	IS(CKR_BUFFER_TOO_SMALL, p11->C_DigestFinal(s, digest, &len));
	memset(digest, 0, sizeof(digest));
	OK(p11->C_DigestFinal(s, digest, &len));
	assert_memory_equal(digest, right, 32);

	ec_pair(s, "ec", false, &pub, &priv);
	key = openssl_key(s, pub);
	len = sizeof(sig);
	OK(p11->C_SignInit(s, &sign, priv));
	OK(p11->C_Sign(s, big, size, sig, &len));
	assert_true(openssl_verifies(key, big, size, sig, len));
	OK(p11->C_VerifyInit(s, &sign, pub));
	OK(p11->C_Verify(s, big, size, sig, len));
	OK(p11->C_VerifyInit(s, &sign, pub));
	IS(CKR_SIGNATURE_INVALID, p11->C_Verify(s, big, size - 1, sig, len));
	OK(p11->C_SignInit(s, &sign, priv));
	OK(p11->C_SignUpdate(s, big, size / 2));
	OK(p11->C_SignUpdate(s, big + size / 2, size / 2));
	OK(p11->C_SignFinal(s, sig, &len));
	assert_true(openssl_verifies(key, big, size, sig, len));
	EVP_PKEY_free(key);
	free(big);
}

static void digests(void **state)
{
	static const struct {
		CK_MECHANISM_TYPE type;
		const char *name;
	} known[] = {
		{ CKM_SHA_1, "SHA1" }, { CKM_SHA224, "SHA224" }, { CKM_SHA256, "SHA256" },
		{ CKM_SHA384, "SHA384" }, { CKM_SHA512, "SHA512" }, { CKM_SHA3_256, "SHA3-256" },
	};
	static const CK_BYTE secret[] = "digest this key";
	CK_SESSION_HANDLE s = login();
	CK_BYTE out[64], right[64];
	unsigned int right_len;
	CK_ULONG len;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		CK_MECHANISM mech = { known[i].type, NULL, 0 };

		EVP_Digest(data, 1000, right, &right_len, EVP_get_digestbyname(known[i].name),
			   NULL);
		OK(p11->C_DigestInit(s, &mech));
		len = sizeof(out);
		OK(p11->C_Digest(s, data, 1000, out, &len));
		assert_int_equal(len, right_len);
		assert_memory_equal(out, right, len);
	}
	/* text, then a key */
	{
		CK_MECHANISM mech = { CKM_SHA256, NULL, 0 };
		CK_OBJECT_HANDLE key = mac_key_of(s, secret, sizeof(secret));
		CK_BYTE all[5 + sizeof(secret) + 6];

		memcpy(all, data, 5);
		memcpy(all + 5, secret, sizeof(secret));
		memcpy(all + 5 + sizeof(secret), data, 6);
		SHA256(all, sizeof(all), right);
		OK(p11->C_DigestInit(s, &mech));
		OK(p11->C_DigestUpdate(s, data, 5));
		OK(p11->C_DigestKey(s, key));
		OK(p11->C_DigestUpdate(s, data, 6));
		len = sizeof(out);
		OK(p11->C_DigestFinal(s, out, &len));
		assert_memory_equal(out, right, 32);
		IS(CKR_OPERATION_NOT_INITIALIZED, p11->C_DigestKey(s, key));
	}
}

static void recover(void **state)
{
	CK_MECHANISM mech = { CKM_RSA_PKCS, NULL, 0 };
	CK_SESSION_HANDLE s = login();
	CK_OBJECT_HANDLE pub, priv;
	CK_BYTE sig[256], out[256];
	CK_ULONG len = sizeof(sig);
	CK_ATTRIBUTE allow_verify = ATTR(CKA_VERIFY_RECOVER, yes);
	CK_ATTRIBUTE allow_sign = ATTR(CKA_SIGN_RECOVER, yes);
	CK_MECHANISM_INFO info;

	(void)state;
	OK(p11->C_GetMechanismInfo(slot, CKM_RSA_PKCS, &info));
	rsa_pair(s, "rsa", false, &pub, &priv);
	if (!(info.flags & CKF_SIGN_RECOVER)) {
		IS(CKR_MECHANISM_INVALID, p11->C_SignRecoverInit(s, &mech, priv));
		return;
	}
	OK(p11->C_SetAttributeValue(s, priv, &allow_sign, 1));
	OK(p11->C_SetAttributeValue(s, pub, &allow_verify, 1));
	OK(p11->C_SignRecoverInit(s, &mech, priv));
	OK(p11->C_SignRecover(s, (CK_BYTE *)"to be recovered", 15, sig, &len));
	assert_int_equal(len, 256);
	OK(p11->C_VerifyRecoverInit(s, &mech, pub));
	len = sizeof(out);
	OK(p11->C_VerifyRecover(s, sig, 256, out, &len));
	assert_int_equal(len, 15);
	assert_memory_equal(out, "to be recovered", 15);
}

#define IN_MODULE(f) cmocka_unit_test_setup_teardown(f, with_module, without_module)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_MODULE(rsa_sign),
		IN_MODULE(ec_sign),
		IN_MODULE(pss),
		IN_MODULE(lengths_and_buffers),
		IN_MODULE(wrong_keys),
		IN_MODULE(macs),
		IN_MODULE(digests),
		IN_MODULE(recover),
		IN_MODULE(long_ones),
	};

	return FIXTURE_RUN(tests, true, true);
}
