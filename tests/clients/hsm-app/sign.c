// SPDX-License-Identifier: GPL-2.0-or-later
/* A signature made by the token, and OpenSSL's word on it. */
#include <openssl/ecdsa.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "app.h"

/* PKCS#11 gives r and s one after the other; OpenSSL wants them in DER. */
static int ecdsa_to_der(const CK_BYTE *sig, size_t len, unsigned char **der)
{
	int half = (int)len / 2, n = -1;
	ECDSA_SIG *ec = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(sig, half, NULL);
	BIGNUM *s = BN_bin2bn(sig + half, half, NULL);

	if (ec && r && s && ECDSA_SIG_set0(ec, r, s))
		n = i2d_ECDSA_SIG(ec, der);
	ECDSA_SIG_free(ec);
	return n;
}

static bool verifies(const struct key *key, const void *data, size_t len, const CK_BYTE *sig,
		     size_t sig_len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char *der = NULL;
	bool good;
	int n;

	if (key->kind == KIND_EC) {
		n = ecdsa_to_der(sig, sig_len, &der);
		sig = der;
		sig_len = n < 0 ? 0 : (size_t)n;
	}
	good = ctx && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key->openssl) == 1 &&
	       EVP_DigestVerify(ctx, sig, sig_len, data, len) == 1;
	EVP_MD_CTX_free(ctx);
	OPENSSL_free(der);
	return good;
}

bool sign_and_verify(struct app *app, CK_SESSION_HANDLE session, const struct key *key)
{
	CK_MECHANISM mechs[N_KINDS] = {
		[KIND_RSA] = { CKM_SHA256_RSA_PKCS, NULL, 0 },
		[KIND_EC] = { CKM_ECDSA, NULL, 0 },
	};
	CK_BYTE data[100], digest[SHA256_DIGEST_LENGTH], sig[512];
	CK_BYTE *in = data;
	CK_ULONG in_len = sizeof(data), len = sizeof(sig);

	if (RAND_bytes(data, sizeof(data)) != 1) {
		failure(app, "OpenSSL gives no random bytes");
		return false;
	}
	if (key->kind == KIND_EC) {
		SHA256(data, sizeof(data), digest);
		in = digest;
		in_len = sizeof(digest);
	}
	if (CALL(app, C_SignInit, session, &mechs[key->kind], key->priv) != CKR_OK ||
	    CALL(app, C_Sign, session, in, in_len, sig, &len) != CKR_OK)
		return false;
	if (!verifies(key, data, sizeof(data), sig, len)) {
		failure(app, "a signature by %s is wrong", key->label);
		return false;
	}
	app->count.signatures[key->kind]++;
	return true;
}
