// SPDX-License-Identifier: GPL-2.0-or-later
/* What PKCS#11 3.0 and 3.2 add: messages, signatures known beforehand, two at once. */
#include "fixture.h"

#include <openssl/evp.h>

static CK_FUNCTION_LIST_3_2 *f;

CK_RV C_GetInterface(CK_UTF8CHAR *name, CK_VERSION *version, CK_INTERFACE **interface,
		     CK_FLAGS flags);

static CK_FUNCTION_LIST_3_0 *v3(void)
{
	CK_VERSION version = { 3, 2 };
	CK_INTERFACE *found;

	OK(C_GetInterface((CK_UTF8CHAR *)"PKCS 11", &version, &found, 0));
	f = found->pFunctionList;
	return &f->v3;
}

static CK_MECHANISM gcm = { CKM_AES_GCM, NULL, 0 };

/* The same by the functions of 2.40: a ciphertext with its tag. */
static void seal(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, CK_GCM_MESSAGE_PARAMS *p, void *aad,
		 CK_ULONG aad_len, void *in, CK_ULONG in_len, CK_BYTE *out)
{
	CK_GCM_PARAMS g = { p->pIv, p->ulIvLen, 8 * p->ulIvLen, aad, aad_len, p->ulTagBits };
	CK_MECHANISM mech = { CKM_AES_GCM, &g, sizeof(g) };
	CK_ULONG len = in_len + 16;

	OK(p11->C_EncryptInit(s, &mech, key));
	OK(p11->C_Encrypt(s, in, in_len, out, &len));
	assert_int_equal(len, in_len + p->ulTagBits / 8);
}

static void whole_messages(void **state)
{
	CK_FUNCTION_LIST_3_0 *m = v3();
	CK_SESSION_HANDLE s = login(), other = session();
	CK_OBJECT_HANDLE key = aes_key(s, 32);
	CK_BYTE iv[12] = { 1, 2, 3 }, tag[16], aad[] = "header", in[100] = "a message";
	CK_BYTE out[116], again[116], wanted[116];
	CK_GCM_MESSAGE_PARAMS p = { iv, 12, 0, CKG_NO_GENERATE, tag, 128 };
	CK_ULONG len, i;

	(void)state;
	IS(CKR_OPERATION_NOT_INITIALIZED, m->C_EncryptMessage(s, &p, sizeof(p), NULL, 0, in, 1,
							      out, &len));
	OK(m->C_MessageEncryptInit(s, &gcm, key));
	OK(m->C_MessageDecryptInit(s, &gcm, key));
	IS(CKR_OPERATION_ACTIVE, m->C_MessageEncryptInit(s, &gcm, key));
	IS(CKR_OPERATION_ACTIVE, p11->C_EncryptInit(s, &gcm, key));
	IS(CKR_OPERATION_NOT_INITIALIZED, p11->C_Encrypt(s, in, 1, out, &len));
	for (i = 0; i < 3; i++) {
		iv[0] = (CK_BYTE)i;
		len = 0;
		OK(m->C_EncryptMessage(s, &p, sizeof(p), aad, 6, in, sizeof(in), NULL, &len));
		assert_int_equal(len, sizeof(in));
		len = 99;
		IS(CKR_BUFFER_TOO_SMALL, m->C_EncryptMessage(s, &p, sizeof(p), aad, 6, in,
							     sizeof(in), out, &len));
		assert_int_equal(len, 100);
		OK(m->C_EncryptMessage(s, &p, sizeof(p), aad, 6, in, sizeof(in), out, &len));
		seal(other, key, &p, aad, 6, in, sizeof(in), wanted);
		assert_memory_equal(out, wanted, 100);
		assert_memory_equal(tag, wanted + 100, 16);
		OK(m->C_DecryptMessage(s, &p, sizeof(p), aad, 6, out, 100, again, &len));
		assert_memory_equal(again, in, 100);
		/* A wrong tag ends the message, not the operation. */
		tag[i] ^= 1;
		IS(CKR_ENCRYPTED_DATA_INVALID, m->C_DecryptMessage(s, &p, sizeof(p), aad, 6, out,
								   100, again, &len));
	}
	/* Nothing in a message but its header */
	len = 0;
	OK(m->C_EncryptMessage(s, &p, sizeof(p), aad, 6, NULL, 0, NULL, &len));
	OK(m->C_DecryptMessage(s, &p, sizeof(p), aad, 6, NULL, 0, NULL, &len));
	aad[0] ^= 1;
	IS(CKR_ENCRYPTED_DATA_INVALID, m->C_DecryptMessage(s, &p, sizeof(p), aad, 6, NULL, 0, NULL,
							   &len));
	IS(CKR_ARGUMENTS_BAD, m->C_EncryptMessage(s, NULL, 0, NULL, 0, in, 1, out, &len));
	IS(CKR_ARGUMENTS_BAD, m->C_EncryptMessage(s, &p, sizeof(p), NULL, 1, in, 1, out, &len));
	p.ulTagBits = 129;
	IS(CKR_ARGUMENTS_BAD, m->C_EncryptMessage(s, &p, sizeof(p), NULL, 0, in, 1, out, &len));
	OK(m->C_MessageEncryptFinal(s));
	OK(m->C_SessionCancel(s, CKF_DECRYPT));
	OK(m->C_MessageDecryptFinal(s));
	IS(CKR_OPERATION_NOT_INITIALIZED, m->C_MessageDecryptFinal(s));
	gcm.mechanism = CKM_AES_CBC;
	IS(CKR_MECHANISM_INVALID, m->C_MessageEncryptInit(s, &gcm, key));
	gcm.mechanism = CKM_AES_GCM;
	IS(CKR_KEY_HANDLE_INVALID, m->C_MessageEncryptInit(s, &gcm, 0));
}

static void made_ivs(void **state)
{
	CK_FUNCTION_LIST_3_0 *m = v3();
	CK_SESSION_HANDLE s = login();
	CK_OBJECT_HANDLE key = aes_key(s, 16);
	CK_BYTE iv[12] = "abcdefghijkl", tag[16], in[8] = "message", out[8];
	CK_GCM_MESSAGE_PARAMS p = { iv, 12, 32, CKG_GENERATE_COUNTER, tag, 96 };
	CK_ULONG len = 8;

	(void)state;
	OK(m->C_MessageEncryptInit(s, &gcm, key));
	OK(m->C_EncryptMessage(s, &p, sizeof(p), NULL, 0, in, 8, out, &len));
	assert_memory_equal(iv, "abcd\0\0\0\0\0\0\0\0", 12);
	OK(m->C_EncryptMessage(s, &p, sizeof(p), NULL, 0, in, 8, out, &len));
	assert_memory_equal(iv, "abcd\0\0\0\0\0\0\0\1", 12);
	OK(m->C_MessageEncryptFinal(s));
	/* Eight bits do for 256 messages. */
	OK(m->C_MessageEncryptInit(s, &gcm, key));
	p.ulIvFixedBits = 88;
	while (iv[11] != 255)
		OK(m->C_EncryptMessage(s, &p, sizeof(p), NULL, 0, in, 8, out, &len));
	IS(CKR_TOKEN_RESOURCE_EXCEEDED, m->C_EncryptMessage(s, &p, sizeof(p), NULL, 0, in, 8, out,
							    &len));
	OK(m->C_MessageEncryptFinal(s));
	/* As TLS 1.3 does it */
	memcpy(iv, "abcdefghijkl", 12);
	p.ulIvFixedBits = 32;
	p.ivGenerator = CKG_GENERATE_COUNTER_XOR;
	OK(m->C_MessageEncryptInit(s, &gcm, key));
	OK(m->C_EncryptMessage(s, &p, sizeof(p), NULL, 0, in, 8, out, &len));
	assert_memory_equal(iv, "abcdefghijkl", 12);
	OK(m->C_EncryptMessage(s, &p, sizeof(p), NULL, 0, in, 8, out, &len));
	assert_memory_equal(iv, "abcdefghijkm", 12);
	OK(m->C_EncryptMessage(s, &p, sizeof(p), NULL, 0, in, 8, out, &len));
	assert_memory_equal(iv, "abcdefghijkn", 12);
	/* Bits that are no whole byte are kept too. */
	p.ivGenerator = CKG_GENERATE_RANDOM;
	p.ulIvFixedBits = 4;
	OK(m->C_EncryptMessage(s, &p, sizeof(p), NULL, 0, in, 8, out, &len));
	assert_int_equal(iv[0] >> 4, 'a' >> 4);
	assert_memory_not_equal(iv + 1, "bcdefghijkn", 11);
	p.ulIvFixedBits = 96;
	IS(CKR_ARGUMENTS_BAD, m->C_EncryptMessage(s, &p, sizeof(p), NULL, 0, in, 8, out, &len));
	OK(m->C_MessageEncryptFinal(s));
}

static void messages_in_parts(void **state)
{
	static CK_BYTE in[2000], out[2000], wanted[2016], again[2000];
	CK_FUNCTION_LIST_3_0 *m = v3();
	CK_SESSION_HANDLE s = login(), other = session();
	CK_OBJECT_HANDLE key = aes_key(s, 16);
	CK_BYTE iv[12] = { 9 }, tag[16], aad[100] = { 7 };
	CK_GCM_MESSAGE_PARAMS p = { iv, 12, 0, CKG_NO_GENERATE, tag, 128 };
	static const CK_ULONG cuts[] = { 0, 1, 16, 777, 1999, 2000 };
	CK_ULONG len, i;

	(void)state;
	OK(m->C_MessageEncryptInit(s, &gcm, key));
	OK(m->C_MessageDecryptInit(s, &gcm, key));
	IS(CKR_OPERATION_NOT_INITIALIZED, m->C_EncryptMessageNext(s, &p, sizeof(p), in, 1, out,
								  &len, 0));
	for (i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		iv[1] = (CK_BYTE)i;
		seal(other, key, &p, aad, 100, in, 2000, wanted);
		OK(m->C_EncryptMessageBegin(s, &p, sizeof(p), aad, 100));
		IS(CKR_OPERATION_ACTIVE, m->C_EncryptMessageBegin(s, &p, sizeof(p), aad, 100));
		len = 2000;
		IS(CKR_OPERATION_ACTIVE, m->C_EncryptMessage(s, &p, sizeof(p), NULL, 0, in, 1, out,
							     &len));
		OK(m->C_EncryptMessageNext(s, &p, sizeof(p), in, cuts[i], out, &len, 0));
		assert_int_equal(len, cuts[i]);
		if (cuts[i] < 2000) {
			len = 0;
			IS(CKR_BUFFER_TOO_SMALL,
			   m->C_EncryptMessageNext(s, &p, sizeof(p), in + cuts[i], 2000 - cuts[i],
						   out + cuts[i], &len, CKF_END_OF_MESSAGE));
		}
		len = 2000 - cuts[i];
		OK(m->C_EncryptMessageNext(s, &p, sizeof(p), in + cuts[i], 2000 - cuts[i],
					   out + cuts[i], &len, CKF_END_OF_MESSAGE));
		assert_memory_equal(out, wanted, 2000);
		assert_memory_equal(tag, wanted + 2000, 16);

		OK(m->C_DecryptMessageBegin(s, &p, sizeof(p), aad, 100));
		len = 0;
		OK(m->C_DecryptMessageNext(s, &p, sizeof(p), out, cuts[i], again, &len, 0));
		assert_int_equal(len, 0);
		IS(CKR_BUFFER_TOO_SMALL, m->C_DecryptMessageNext(s, &p, sizeof(p), out + cuts[i],
								 2000 - cuts[i], again, &len,
								 CKF_END_OF_MESSAGE));
		assert_int_equal(len, 2000);
		OK(m->C_DecryptMessageNext(s, &p, sizeof(p), out + cuts[i], 2000 - cuts[i], again,
					   &len, CKF_END_OF_MESSAGE));
		assert_memory_equal(again, in, 2000);
	}
	/* Nothing is given before the tag has proved right. */
	memset(again, 0xee, sizeof(again));
	tag[3] ^= 1;
	OK(m->C_DecryptMessageBegin(s, &p, sizeof(p), aad, 100));
	len = 2000;
	IS(CKR_ENCRYPTED_DATA_INVALID, m->C_DecryptMessageNext(s, &p, sizeof(p), out, 2000, again,
							       &len, CKF_END_OF_MESSAGE));
	for (i = 0; i < 2000; i++)
		assert_int_equal(again[i], 0xee);
	/* The end of the operation ends a message, too. */
	OK(m->C_EncryptMessageBegin(s, &p, sizeof(p), aad, 100));
	OK(m->C_SessionCancel(s, CKF_MESSAGE_ENCRYPT));
	IS(CKR_OPERATION_NOT_INITIALIZED, m->C_MessageEncryptFinal(s));
	OK(m->C_MessageDecryptFinal(s));
}

static void signed_messages(void **state)
{
	CK_MECHANISM mech = { CKM_ECDSA_SHA256, NULL, 0 };
	CK_FUNCTION_LIST_3_0 *m = v3();
	CK_SESSION_HANDLE s = login();
	CK_OBJECT_HANDLE pub, priv;
	CK_BYTE sig[64], data[300] = "what is signed";
	struct evp_pkey_st *key;
	CK_ULONG len, i;

	(void)state;
	ec_pair(s, "messages", false, &pub, &priv);
	key = openssl_key(s, pub);
	OK(m->C_MessageSignInit(s, &mech, priv));
	OK(m->C_MessageVerifyInit(s, &mech, pub));
	IS(CKR_OPERATION_ACTIVE, p11->C_SignInit(s, &mech, priv));
	for (i = 0; i < 3; i++) {
		data[0]++;
		len = 0;
		OK(m->C_SignMessage(s, NULL, 0, data, 300, NULL, &len));
		assert_int_equal(len, 64);
		len = 63;
		IS(CKR_BUFFER_TOO_SMALL, m->C_SignMessage(s, NULL, 0, data, 300, sig, &len));
		OK(m->C_SignMessage(s, NULL, 0, data, 300, sig, &len));
		assert_true(openssl_verifies(key, data, 300, sig, 64));
		OK(m->C_VerifyMessage(s, NULL, 0, data, 300, sig, 64));
		sig[5] ^= 1;
		IS(CKR_SIGNATURE_INVALID, m->C_VerifyMessage(s, NULL, 0, data, 300, sig, 64));
		IS(CKR_SIGNATURE_LEN_RANGE, m->C_VerifyMessage(s, NULL, 0, data, 300, sig, 63));

		OK(m->C_SignMessageBegin(s, NULL, 0));
		IS(CKR_OPERATION_ACTIVE, m->C_SignMessageBegin(s, NULL, 0));
		IS(CKR_OPERATION_ACTIVE, m->C_SignMessage(s, NULL, 0, data, 300, sig, &len));
		OK(m->C_SignMessageNext(s, NULL, 0, data, 100, NULL, NULL));
		OK(m->C_SignMessageNext(s, NULL, 0, data + 100, 200, NULL, &len));
		len = 1;
		IS(CKR_BUFFER_TOO_SMALL, m->C_SignMessageNext(s, NULL, 0, data + 100, 200, sig,
							      &len));
		OK(m->C_SignMessageNext(s, NULL, 0, data + 100, 200, sig, &len));
		assert_true(openssl_verifies(key, data, 300, sig, 64));
		OK(m->C_VerifyMessageBegin(s, NULL, 0));
		OK(m->C_VerifyMessageNext(s, NULL, 0, data, 299, NULL, 0));
		OK(m->C_VerifyMessageNext(s, NULL, 0, data + 299, 1, sig, 64));
		IS(CKR_OPERATION_NOT_INITIALIZED, m->C_VerifyMessageNext(s, NULL, 0, data, 1, sig,
									 64));
	}
	IS(CKR_ARGUMENTS_BAD, m->C_SignMessage(s, data, 1, data, 300, sig, &len));
	OK(m->C_MessageSignFinal(s));
	OK(m->C_MessageVerifyFinal(s));
	IS(CKR_OPERATION_NOT_INITIALIZED, m->C_SignMessage(s, NULL, 0, data, 300, sig, &len));
	OK(m->C_MessageSignInit(s, &mech, priv));
	OK(m->C_MessageSignInit(s, NULL, 0));
	IS(CKR_OPERATION_NOT_INITIALIZED, m->C_MessageSignFinal(s));
	EVP_PKEY_free(key);
}

static void signatures_known_beforehand(void **state)
{
	CK_MECHANISM mech = { CKM_SHA256_RSA_PKCS, NULL, 0 };
	CK_SESSION_HANDLE s = login();
	CK_OBJECT_HANDLE pub, priv;
	CK_BYTE sig[256], data[300] = "what is signed";
	CK_ULONG len = 256;
	CK_FLAGS flags = 1;

	(void)state;
	v3();
	rsa_pair(s, "beforehand", false, &pub, &priv);
	OK(p11->C_SignInit(s, &mech, priv));
	OK(p11->C_Sign(s, data, 300, sig, &len));
	IS(CKR_OPERATION_NOT_INITIALIZED, f->C_VerifySignature(s, data, 300));
	OK(f->C_VerifySignatureInit(s, &mech, pub, sig, 256));
	IS(CKR_OPERATION_ACTIVE, f->C_VerifySignatureInit(s, &mech, pub, sig, 256));
	IS(CKR_OPERATION_NOT_INITIALIZED, p11->C_Verify(s, data, 300, sig, 256));
	OK(f->C_VerifySignature(s, data, 300));
	IS(CKR_OPERATION_NOT_INITIALIZED, f->C_VerifySignature(s, data, 300));
	OK(f->C_VerifySignatureInit(s, &mech, pub, sig, 256));
	OK(f->C_VerifySignatureUpdate(s, data, 100));
	IS(CKR_OPERATION_ACTIVE, f->C_VerifySignature(s, data, 300));
	OK(f->C_VerifySignatureUpdate(s, data + 100, 200));
	OK(f->C_VerifySignatureFinal(s));
	IS(CKR_OPERATION_NOT_INITIALIZED, f->C_VerifySignatureFinal(s));
	sig[9] ^= 1;
	OK(f->C_VerifySignatureInit(s, &mech, pub, sig, 256));
	IS(CKR_SIGNATURE_INVALID, f->C_VerifySignature(s, data, 300));
	IS(CKR_ARGUMENTS_BAD, f->C_VerifySignatureInit(s, &mech, pub, NULL, 256));
	OK(f->C_VerifySignatureInit(s, &mech, pub, sig, 256));
	OK(f->v3.C_SessionCancel(s, CKF_VERIFY));
	IS(CKR_OPERATION_NOT_INITIALIZED, f->C_VerifySignatureFinal(s));
	/* One is left behind: the session's end must free it. */
	OK(f->C_VerifySignatureInit(s, &mech, pub, sig, 256));

	OK(f->C_GetSessionValidationFlags(s, CKS_LAST_VALIDATION_OK, &flags));
	assert_int_equal(flags, 0);
	IS(CKR_ARGUMENTS_BAD, f->C_GetSessionValidationFlags(s, 99, &flags));
	IS(CKR_MECHANISM_INVALID, f->C_EncapsulateKey(s, &mech, pub, NULL, 0, NULL, &len,
							   &pub));
	IS(CKR_SESSION_HANDLE_INVALID, f->C_EncapsulateKey(0, &mech, pub, NULL, 0, NULL, &len,
							   &pub));
}

static void two_at_once(void **state)
{
	CK_BYTE iv[16] = { 0 }, in[64] = "both", out[64], again[64], digest[2][32];
	CK_MECHANISM cbc = { CKM_AES_CBC, iv, 16 }, sha = { CKM_SHA256, NULL, 0 };
	CK_SESSION_HANDLE s = login();
	CK_OBJECT_HANDLE key = aes_key(s, 16);
	CK_ULONG len, rest;

	(void)state;
	OK(p11->C_DigestInit(s, &sha));
	len = 32;
	OK(p11->C_Digest(s, in, 64, digest[0], &len));
	IS(CKR_OPERATION_NOT_INITIALIZED, p11->C_DigestEncryptUpdate(s, in, 64, out, &len));
	OK(p11->C_EncryptInit(s, &cbc, key));
	IS(CKR_OPERATION_NOT_INITIALIZED, p11->C_DigestEncryptUpdate(s, in, 64, out, &len));
	OK(p11->C_DigestInit(s, &sha));
	OK(p11->C_DigestEncryptUpdate(s, in, 64, NULL, &len));
	len = 10;
	IS(CKR_BUFFER_TOO_SMALL, p11->C_DigestEncryptUpdate(s, in, 64, out, &len));
	len = 64;
	OK(p11->C_DigestEncryptUpdate(s, in, 64, out, &len));
	rest = 64 - len;
	OK(p11->C_EncryptFinal(s, out + len, &rest));
	assert_int_equal(len + rest, 64);
	len = 32;
	OK(p11->C_DigestFinal(s, digest[1], &len));
	assert_memory_equal(digest[0], digest[1], 32);

	OK(p11->C_DecryptInit(s, &cbc, key));
	OK(p11->C_DigestInit(s, &sha));
	len = 64;
	OK(p11->C_DecryptDigestUpdate(s, out, 64, again, &len));
	assert_int_equal(len, 64);
	assert_memory_equal(again, in, 64);
	rest = 0;
	OK(p11->C_DecryptFinal(s, again, &rest));
	len = 32;
	OK(p11->C_DigestFinal(s, digest[1], &len));
	assert_memory_equal(digest[0], digest[1], 32);
}

#define IN_MODULE(name) cmocka_unit_test_setup_teardown(name, with_module, without_module)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_MODULE(whole_messages),
		IN_MODULE(made_ivs),
		IN_MODULE(messages_in_parts),
		IN_MODULE(signed_messages),
		IN_MODULE(signatures_known_beforehand),
		IN_MODULE(two_at_once),
	};

	return FIXTURE_RUN(tests, true, true);
}
