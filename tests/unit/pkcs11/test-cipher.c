// SPDX-License-Identifier: GPL-2.0-or-later
/* Encryption against OpenSSL, in one part and in several; wrapping and deriving. */
#include "fixture.h"

#include <openssl/evp.h>

static CK_BYTE data[1000];
static CK_BYTE secret[32] = "0123456789abcdef0123456789abcde";
static CK_BYTE iv[16] = "initialisation!";

/* What OpenSSL makes of it. Return: length */
static size_t openssl_encrypts(const char *name, const void *in, size_t len, CK_BYTE *out,
			       const void *aad, size_t aad_len)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0, more = 0;

	assert_int_equal(EVP_EncryptInit_ex2(ctx, cipher, secret, iv, NULL), 1);
	if (aad)
		assert_int_equal(EVP_EncryptUpdate(ctx, NULL, &n, aad, (int)aad_len), 1);
	assert_int_equal(EVP_EncryptUpdate(ctx, out, &n, in, (int)len), 1);
	assert_int_equal(EVP_EncryptFinal_ex(ctx, out + n, &more), 1);
	n += more;
	if (aad) {
		assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, out + n), 1);
		n += 16;
	}
	EVP_CIPHER_CTX_free(ctx);
	EVP_CIPHER_free(cipher);
	return (size_t)n;
}

static void one_part(void **state)
{
	CK_AES_CTR_PARAMS counter = { .ulCounterBits = 128 };
	CK_GCM_PARAMS gcm = { iv, 12, 96, (CK_BYTE *)"header", 6, 128 };
	const struct {
		CK_MECHANISM	mech;
		const char	*name;
		size_t		len;
		bool		aead;
	} cases[] = {
		{ { CKM_AES_ECB, NULL, 0 }, "AES-256-ECB", 960, false },
		{ { CKM_AES_CBC, iv, 16 }, "AES-256-CBC", 960, false },
		{ { CKM_AES_CBC_PAD, iv, 16 }, "AES-256-CBC", 1000, false },
		{ { CKM_AES_CBC_PAD, iv, 16 }, "AES-256-CBC", 0, false },
		{ { CKM_AES_CTR, &counter, sizeof(counter) }, "AES-256-CTR", 1000, false },
		{ { CKM_AES_GCM, &gcm, sizeof(gcm) }, "AES-256-GCM", 1000, true },
		{ { CKM_AES_GCM, &gcm, sizeof(gcm) }, "AES-256-GCM", 0, true },
	};
	CK_SESSION_HANDLE s = login();
	CK_OBJECT_HANDLE key = aes_key_of(s, secret, 32);
	CK_BYTE out[1100], right[1100], back[1100];
	size_t i, right_len;
	CK_ULONG len;

	(void)state;
	memcpy(counter.cb, iv, 16);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CK_MECHANISM mech = cases[i].mech;
		bool pad = mech.mechanism == CKM_AES_CBC_PAD;

		right_len = openssl_encrypts(cases[i].name, data, cases[i].len, right,
					     cases[i].aead ? "header" : NULL, 6);
		/* OpenSSL pads block modes whether asked or not. */
		if (!pad && (mech.mechanism == CKM_AES_ECB || mech.mechanism == CKM_AES_CBC))
			right_len -= 16;
		OK(p11->C_EncryptInit(s, &mech, key));
		OK(p11->C_Encrypt(s, data, cases[i].len, NULL, &len));
		assert_in_range(len, right_len, right_len + 32);
		len = right_len - (right_len ? 1 : 0);
		if (right_len) {
			IS(CKR_BUFFER_TOO_SMALL, p11->C_Encrypt(s, data, cases[i].len, out, &len));
			assert_int_equal(len, right_len);
		}
		/* exactly the room that it takes */
		OK(p11->C_Encrypt(s, data, cases[i].len, out, &len));
		assert_int_equal(len, right_len);
		assert_memory_equal(out, right, len);

		OK(p11->C_DecryptInit(s, &mech, key));
		len = cases[i].len;
		OK(p11->C_Decrypt(s, out, right_len, back, &len));
		assert_int_equal(len, cases[i].len);
		assert_memory_equal(back, data, len);
		IS(CKR_OPERATION_NOT_INITIALIZED, p11->C_Decrypt(s, out, right_len, back, &len));
		if (cases[i].len > 16) {
			OK(p11->C_DecryptInit(s, &mech, key));
			len = cases[i].len - 1;
			IS(CKR_BUFFER_TOO_SMALL, p11->C_Decrypt(s, out, right_len, back, &len));
			assert_int_equal(len, cases[i].len);
			OK(p11->C_Decrypt(s, out, right_len, back, &len));
		}
	}
}

/* Parts of odd lengths, into exactly as much room as the application thinks it needs. */
static void in_parts(void **state)
{
	CK_AES_CTR_PARAMS counter = { .ulCounterBits = 128 };
	CK_GCM_PARAMS gcm = { iv, 12, 96, (CK_BYTE *)"header", 6, 128 };
	const struct {
		CK_MECHANISM	mech;
		const char	*name;
		bool		aead;
	} cases[] = {
		{ { CKM_AES_CBC_PAD, iv, 16 }, "AES-256-CBC", false },
		{ { CKM_AES_CTR, &counter, sizeof(counter) }, "AES-256-CTR", false },
		{ { CKM_AES_GCM, &gcm, sizeof(gcm) }, "AES-256-GCM", true },
	};
	CK_SESSION_HANDLE s = login();
	CK_OBJECT_HANDLE key = aes_key_of(s, secret, 32);
	CK_BYTE out[1100], right[1100], back[1100];
	size_t i, at, part, total, right_len;
	CK_ULONG len;
	CK_RV rv;

	(void)state;
	memcpy(counter.cb, iv, 16);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CK_MECHANISM mech = cases[i].mech;

		right_len = openssl_encrypts(cases[i].name, data, sizeof(data), right,
					     cases[i].aead ? "header" : NULL, 6);
		OK(p11->C_EncryptInit(s, &mech, key));
		for (at = 0, total = 0; at < sizeof(data); at += part, total += len) {
			part = sizeof(data) - at < 37 ? sizeof(data) - at : 37;
			/* Ask how much it will be, and first come with too little. */
			OK(p11->C_EncryptUpdate(s, data + at, part, NULL, &len));
			assert_true(len >= part);
			len = 3;
			rv = p11->C_EncryptUpdate(s, data + at, part, out + total, &len);
			if (rv == CKR_BUFFER_TOO_SMALL)
				rv = p11->C_EncryptUpdate(s, data + at, part, out + total, &len);
			OK(rv);
		}
		len = 0;
		rv = p11->C_EncryptFinal(s, out + total, &len);
		if (rv == CKR_BUFFER_TOO_SMALL)
			rv = p11->C_EncryptFinal(s, out + total, &len);
		OK(rv);
		total += len;
		assert_int_equal(total, right_len);
		assert_memory_equal(out, right, total);

		OK(p11->C_DecryptInit(s, &mech, key));
		for (at = 0, total = 0; at < right_len; at += part, total += len) {
			part = right_len - at < 129 ? right_len - at : 129;
			len = sizeof(back) - total;
			OK(p11->C_DecryptUpdate(s, out + at, part, back + total, &len));
		}
		OK(p11->C_DecryptFinal(s, NULL, &len));
		assert_true(total + len >= sizeof(data));
		len = sizeof(back) - total;
		OK(p11->C_DecryptFinal(s, back + total, &len));
		assert_int_equal(total + len, sizeof(data));
		assert_memory_equal(back, data, sizeof(data));
	}
}

static void bad_input(void **state)
{
	CK_GCM_PARAMS gcm = { iv, 12, 96, NULL, 0, 128 };
	CK_MECHANISM mech = { CKM_AES_GCM, &gcm, sizeof(gcm) };
	CK_MECHANISM pad = { CKM_AES_CBC_PAD, iv, 16 }, cbc = { CKM_AES_CBC, iv, 16 };
	CK_SESSION_HANDLE s = login();
	CK_OBJECT_HANDLE key = aes_key_of(s, secret, 32);
	CK_BYTE out[100], back[100];
	CK_ULONG len = sizeof(out);

	(void)state;
	OK(p11->C_EncryptInit(s, &mech, key));
	OK(p11->C_Encrypt(s, data, 40, out, &len));
	out[0] ^= 1;
	OK(p11->C_DecryptInit(s, &mech, key));
	len = sizeof(back);
	memset(back, 0x77, sizeof(back));
	IS(CKR_ENCRYPTED_DATA_INVALID, p11->C_Decrypt(s, out, 56, back, &len));
	assert_int_equal(back[0], 0x77);
	IS(CKR_OPERATION_NOT_INITIALIZED, p11->C_Decrypt(s, out, 56, back, &len));

	cbc.ulParameterLen = 15;
	IS(CKR_MECHANISM_PARAM_INVALID, p11->C_EncryptInit(s, &cbc, key));
	cbc.ulParameterLen = 16;
	cbc.pParameter = NULL;
	IS(CKR_MECHANISM_PARAM_INVALID, p11->C_EncryptInit(s, &cbc, key));
	cbc.pParameter = iv;
	OK(p11->C_EncryptInit(s, &cbc, key));
	len = sizeof(out);
	IS(CKR_DATA_LEN_RANGE, p11->C_Encrypt(s, data, 17, out, &len));
	IS(CKR_OPERATION_NOT_INITIALIZED, p11->C_Encrypt(s, data, 16, out, &len));
	OK(p11->C_DecryptInit(s, &pad, key));
	IS(CKR_ENCRYPTED_DATA_LEN_RANGE, p11->C_Decrypt(s, out, 17, back, &len));

	gcm.ulTagBits = 129;
	IS(CKR_MECHANISM_PARAM_INVALID, p11->C_EncryptInit(s, &mech, key));
	gcm.ulTagBits = 128;
	gcm.pIv = NULL;
	IS(CKR_MECHANISM_PARAM_INVALID, p11->C_EncryptInit(s, &mech, key));
	gcm.pIv = iv;
	gcm.ulAADLen = 5;
	IS(CKR_MECHANISM_PARAM_INVALID, p11->C_EncryptInit(s, &mech, key));
	/* Whoever does not do what CKR_BUFFER_TOO_SMALL asks for gets no wrong data. */
	OK(p11->C_EncryptInit(s, &pad, key));
	len = 1;
	IS(CKR_BUFFER_TOO_SMALL, p11->C_EncryptUpdate(s, data, 32, out, &len));
	len = sizeof(out);
	IS(CKR_GENERAL_ERROR, p11->C_EncryptFinal(s, out, &len));
	IS(CKR_OPERATION_NOT_INITIALIZED, p11->C_EncryptFinal(s, out, &len));
	OK(p11->C_EncryptInit(s, &pad, key));
	OK(p11->C_Encrypt(s, data, 32, out, &len));
}

/* A parameter is the application's only until C_EncryptInit returns. */
static void parameters_are_copied(void **state)
{
	CK_BYTE nonce[12] = "nonce", header[300] = "header";
	CK_GCM_PARAMS gcm = { nonce, 12, 96, header, sizeof(header), 128 };
	CK_MECHANISM mech = { CKM_AES_GCM, &gcm, sizeof(gcm) };
	CK_SESSION_HANDLE s = login();
	CK_OBJECT_HANDLE key = aes_key_of(s, secret, 32);
	CK_BYTE first[100], second[100];
	CK_ULONG len = sizeof(first);

	(void)state;
	OK(p11->C_EncryptInit(s, &mech, key));
	OK(p11->C_Encrypt(s, data, 40, first, &len));
	OK(p11->C_EncryptInit(s, &mech, key));
	memset(&gcm, 0xff, sizeof(gcm));
	memset(nonce, 0xff, sizeof(nonce));
	memset(header, 0xff, sizeof(header));
	len = sizeof(second);
	OK(p11->C_Encrypt(s, data, 40, second, &len));
	assert_memory_equal(first, second, len);
}

static void rsa_oaep(void **state)
{
	CK_RSA_PKCS_OAEP_PARAMS p = { CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, "label", 5 };
	CK_MECHANISM mech = { CKM_RSA_PKCS_OAEP, &p, sizeof(p) };
	CK_SESSION_HANDLE s = login();
	CK_OBJECT_HANDLE pub, priv;
	CK_BYTE out[256], back[256];
	CK_ULONG len = sizeof(out);

	(void)state;
	rsa_pair(s, "rsa", false, &pub, &priv);
	OK(p11->C_EncryptInit(s, &mech, pub));
	OK(p11->C_Encrypt(s, data, 32, out, &len));
	assert_int_equal(len, 256);
	OK(p11->C_DecryptInit(s, &mech, priv));
	len = 31;
	IS(CKR_BUFFER_TOO_SMALL, p11->C_Decrypt(s, out, 256, back, &len));
	assert_int_equal(len, 32);
	OK(p11->C_Decrypt(s, out, 256, back, &len));
	assert_int_equal(len, 32);
	assert_memory_equal(back, data, 32);
}

static void wrapping(void **state)
{
	CK_MECHANISM mech = { CKM_AES_KEY_WRAP_PAD, NULL, 0 };
	CK_MECHANISM gen = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE aes = CKK_AES;
	CK_ULONG key_len = 32;
	CK_ATTRIBUTE wrapper[] = {
		ATTR(CKA_VALUE_LEN, key_len), ATTR(CKA_WRAP, yes), ATTR(CKA_UNWRAP, yes),
	};
	CK_ATTRIBUTE unwrapped[] = {
		ATTR(CKA_CLASS, class), ATTR(CKA_KEY_TYPE, aes), ATTR(CKA_ENCRYPT, yes),
	};
	CK_ATTRIBUTE target[] = {
		ATTR(CKA_CLASS, class), ATTR(CKA_KEY_TYPE, aes), { CKA_VALUE, secret, 32 },
		ATTR(CKA_EXTRACTABLE, yes), ATTR(CKA_ENCRYPT, yes), ATTR(CKA_WRAP, no),
	};
	CK_MECHANISM ecb = { CKM_AES_ECB, NULL, 0 };
	CK_SESSION_HANDLE s = login();
	CK_OBJECT_HANDLE kek, key, again;
	CK_BYTE out[64], a[16], b[16];
	CK_ULONG len = 0;

	(void)state;
	OK(p11->C_GenerateKey(s, &gen, wrapper, 3, &kek));
	OK(p11->C_CreateObject(s, target, 6, &key));
	OK(p11->C_WrapKey(s, &mech, kek, key, NULL, &len));
	assert_int_equal(len, 40);
	len = 39;
	IS(CKR_BUFFER_TOO_SMALL, p11->C_WrapKey(s, &mech, kek, key, out, &len));
	assert_int_equal(len, 40);
	OK(p11->C_WrapKey(s, &mech, kek, key, out, &len));
	IS(CKR_WRAPPING_KEY_HANDLE_INVALID, p11->C_WrapKey(s, &mech, 0, key, out, &len));
	IS(CKR_KEY_HANDLE_INVALID, p11->C_WrapKey(s, &mech, kek, 0, out, &len));
	IS(CKR_KEY_FUNCTION_NOT_PERMITTED, p11->C_WrapKey(s, &mech, key, kek, out, &len));

	OK(p11->C_UnwrapKey(s, &mech, kek, out, len, unwrapped, 3, &again));
	OK(p11->C_EncryptInit(s, &ecb, key));
	len = 16;
	OK(p11->C_Encrypt(s, data, 16, a, &len));
	OK(p11->C_EncryptInit(s, &ecb, again));
	OK(p11->C_Encrypt(s, data, 16, b, &len));
	assert_memory_equal(a, b, 16);
	out[5] ^= 1;
	IS(CKR_WRAPPED_KEY_INVALID,
	   p11->C_UnwrapKey(s, &mech, kek, out, 40, unwrapped, 3, &again));
	IS(CKR_UNWRAPPING_KEY_HANDLE_INVALID,
	   p11->C_UnwrapKey(s, &mech, 0, out, 40, unwrapped, 3, &again));
}

/* More than goes into a message. */
static void long_ones(void **state)
{
	CK_MECHANISM mech = { CKM_AES_CBC_PAD, iv, 16 };
	CK_SESSION_HANDLE s = login();
	CK_OBJECT_HANDLE key = aes_key_of(s, secret, 32);
	size_t size = 2500000;
	CK_BYTE *big = calloc(1, size), *out = malloc(size + 64), *right = malloc(size + 64);
	CK_ULONG len = 0;
	size_t right_len;

	(void)state;
	right_len = openssl_encrypts("AES-256-CBC", big, size, right, NULL, 0);
	OK(p11->C_EncryptInit(s, &mech, key));
	OK(p11->C_Encrypt(s, big, size, NULL, &len));
	assert_int_equal(len, right_len);
	OK(p11->C_Encrypt(s, big, size, out, &len));
	assert_int_equal(len, right_len);
	assert_memory_equal(out, right, len);
	OK(p11->C_DecryptInit(s, &mech, key));
	len = size - 1;
	IS(CKR_BUFFER_TOO_SMALL, p11->C_Decrypt(s, out, right_len, right, &len));
	assert_int_equal(len, size);
	OK(p11->C_Decrypt(s, out, right_len, right, &len));
	assert_memory_equal(right, big, size);
	OK(p11->C_EncryptInit(s, &mech, key));
	len = size + 64;
	OK(p11->C_EncryptUpdate(s, big, size, out, &len));
	assert_true(len >= size - 16);
	OK(p11->C_EncryptInit(s, NULL, key));
	free(big);
	free(out);
	free(right);
}

#define IN_MODULE(f) cmocka_unit_test_setup_teardown(f, with_module, without_module)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_MODULE(one_part),
		IN_MODULE(in_parts),
		IN_MODULE(bad_input),
		IN_MODULE(parameters_are_copied),
		IN_MODULE(rsa_oaep),
		IN_MODULE(wrapping),
		IN_MODULE(long_ones),
	};

	return FIXTURE_RUN(tests, true, true);
}
