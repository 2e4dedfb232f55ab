// SPDX-License-Identifier: GPL-2.0-or-later
/* The application's keys: made on the token, with the public half read back once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/param_build.h>

#include "app.h"

#define MAX_KEYS	1024

const char *const kind_names[N_KINDS] = { "RSA-2048", "P-256" };

static CK_BBOOL yes = CK_TRUE;

#define ATTR(type, value) { (type), &(value), sizeof(value) }

/* ---- the public half ---- */

static EVP_PKEY *make_public(const char *type, OSSL_PARAM_BLD *build)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (!ctx || !params || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return key;
}

static EVP_PKEY *read_rsa(struct app *app, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE pub,
			  OSSL_PARAM_BLD *build)
{
	CK_BYTE modulus[512], exponent[16];
	CK_ATTRIBUTE attrs[] = { ATTR(CKA_MODULUS, modulus), ATTR(CKA_PUBLIC_EXPONENT, exponent) };
	EVP_PKEY *key = NULL;
	BIGNUM *n, *e;

	if (CALL(app, C_GetAttributeValue, session, pub, attrs, 2) != CKR_OK)
		return NULL;
	n = BN_bin2bn(modulus, (int)attrs[0].ulValueLen, NULL);
	e = BN_bin2bn(exponent, (int)attrs[1].ulValueLen, NULL);
	if (OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e))
		key = make_public("RSA", build);
	BN_free(n);
	BN_free(e);
	return key;
}

static EVP_PKEY *read_ec(struct app *app, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE pub,
			 OSSL_PARAM_BLD *build)
{
	/* CKA_EC_POINT: a DER OCTET STRING around 04 X Y */
	CK_BYTE point[2 + 65];
	CK_ATTRIBUTE attr = ATTR(CKA_EC_POINT, point);

	if (CALL(app, C_GetAttributeValue, session, pub, &attr, 1) != CKR_OK)
		return NULL;
	if (attr.ulValueLen != sizeof(point) || point[0] != 0x04 || point[1] != 65)
		return NULL;
	if (!OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) ||
	    !OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point + 2, 65))
		return NULL;
	return make_public("EC", build);
}

static bool read_public(struct app *app, CK_SESSION_HANDLE session, struct key *key)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();

	key->openssl = key->kind == KIND_RSA ? read_rsa(app, session, key->pub, build) :
					       read_ec(app, session, key->pub, build);
	OSSL_PARAM_BLD_free(build);
	if (!key->openssl)
		failure(app, "the public key of %s cannot be used", key->label);
	return key->openssl;
}

/* ---- making and deleting ---- */

bool key_create(struct app *app, CK_SESSION_HANDLE session, enum kind kind, const char *label,
		struct key *key)
{
	static CK_BYTE p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
	static CK_BYTE exponent[] = { 0x01, 0x00, 0x01 };
	CK_MECHANISM mechs[N_KINDS] = {
		[KIND_RSA] = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 },
		[KIND_EC] = { CKM_EC_KEY_PAIR_GEN, NULL, 0 },
	};
	CK_ULONG bits = 2048;
	CK_BYTE id[16];
	CK_ATTRIBUTE pub[6] = {
		ATTR(CKA_TOKEN, yes), ATTR(CKA_VERIFY, yes), ATTR(CKA_ID, id),
		{ CKA_LABEL, (void *)label, strlen(label) },
	};
	CK_ATTRIBUTE priv[] = {
		ATTR(CKA_TOKEN, yes), ATTR(CKA_PRIVATE, yes), ATTR(CKA_SENSITIVE, yes),
		ATTR(CKA_SIGN, yes), ATTR(CKA_ID, id),
		{ CKA_LABEL, (void *)label, strlen(label) },
	};
	CK_ULONG n_pub = 4;

	if (kind == KIND_RSA) {
		pub[n_pub++] = (CK_ATTRIBUTE)ATTR(CKA_MODULUS_BITS, bits);
		pub[n_pub++] = (CK_ATTRIBUTE)ATTR(CKA_PUBLIC_EXPONENT, exponent);
	} else {
		pub[n_pub++] = (CK_ATTRIBUTE)ATTR(CKA_EC_PARAMS, p256);
	}
	*key = (struct key){ .kind = kind };
	snprintf(key->label, sizeof(key->label), "%s", label);
	if (CALL(app, C_GenerateRandom, session, id, sizeof(id)) != CKR_OK ||
	    CALL(app, C_GenerateKeyPair, session, &mechs[kind], pub, n_pub, priv,
		 sizeof(priv) / sizeof(priv[0]), &key->pub, &key->priv) != CKR_OK)
		return false;
	app->count.created++;
	return read_public(app, session, key);
}

void key_forget(struct key *key)
{
	EVP_PKEY_free(key->openssl);
	key->openssl = NULL;
}

bool key_destroy(struct app *app, CK_SESSION_HANDLE session, struct key *key)
{
	bool pub, priv;

	priv = CALL(app, C_DestroyObject, session, key->priv) == CKR_OK;
	pub = CALL(app, C_DestroyObject, session, key->pub) == CKR_OK;
	if (pub && priv)
		app->count.deleted++;
	key_forget(key);
	return pub && priv;
}

/* ---- finding ---- */

/* Return: how many were found, at most @max; -1: it was reported */
static int find(struct app *app, CK_SESSION_HANDLE session, CK_ATTRIBUTE *attrs, CK_ULONG n,
		CK_OBJECT_HANDLE *found, CK_ULONG max)
{
	CK_ULONG count = 0, total = 0;
	CK_RV rv;

	if (CALL(app, C_FindObjectsInit, session, attrs, n) != CKR_OK)
		return -1;
	do {
		rv = CALL(app, C_FindObjects, session, found + total, max - total, &count);
		total += rv == CKR_OK ? count : 0;
	} while (rv == CKR_OK && count && total < max);
	if (CALL(app, C_FindObjectsFinal, session) != CKR_OK)
		rv = CKR_GENERAL_ERROR;
	return rv == CKR_OK ? (int)total : -1;
}

/* From a private key to all of a struct key. */
static bool complete(struct app *app, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE priv,
		     struct key *key)
{
	CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
	CK_KEY_TYPE type = 0;
	CK_BYTE id[64];
	CK_ATTRIBUTE attrs[] = {
		ATTR(CKA_KEY_TYPE, type), ATTR(CKA_ID, id),
		{ CKA_LABEL, key->label, sizeof(key->label) - 1 },
	};
	CK_ATTRIBUTE half[] = { ATTR(CKA_CLASS, class), { CKA_ID, id, 0 } };

	*key = (struct key){ .priv = priv };
	if (CALL(app, C_GetAttributeValue, session, priv, attrs, 3) != CKR_OK)
		return false;
	key->label[attrs[2].ulValueLen] = 0;
	key->kind = type == CKK_RSA ? KIND_RSA : KIND_EC;
	half[1].ulValueLen = attrs[1].ulValueLen;
	switch (find(app, session, half, 2, &key->pub, 1)) {
	case 1:
		return read_public(app, session, key);
	case 0:
		failure(app, "the public half of %s is not there", key->label);
	}
	return false;
}

int key_find(struct app *app, CK_SESSION_HANDLE session, const char *label, struct key *key)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE attrs[] = {
		ATTR(CKA_CLASS, class), { CKA_LABEL, (void *)label, strlen(label) },
	};
	CK_OBJECT_HANDLE priv;
	int n = find(app, session, attrs, 2, &priv, 1);

	if (n < 1)
		return n;
	return complete(app, session, priv, key) ? 1 : -1;
}

int keys_list(struct app *app, CK_SESSION_HANDLE session, struct key **list)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE attr = ATTR(CKA_CLASS, class);
	CK_OBJECT_HANDLE *found = calloc(MAX_KEYS, sizeof(*found));
	struct key *keys = calloc(MAX_KEYS, sizeof(*keys));
	int n = found && keys ? find(app, session, &attr, 1, found, MAX_KEYS) : -1;
	int i, own = 0;

	for (i = 0; i < n; i++) {
		char label[LABEL_MAX];
		CK_ATTRIBUTE ask = { CKA_LABEL, label, sizeof(label) };

		if (app->p11->C_GetAttributeValue(session, found[i], &ask, 1) != CKR_OK ||
		    ask.ulValueLen < strlen(app->prefix) ||
		    memcmp(label, app->prefix, strlen(app->prefix)))
			continue;
		if (!complete(app, session, found[i], &keys[own++])) {
			n = -1;
			break;
		}
	}
	free(found);
	if (n < 0) {
		for (i = 0; keys && i < own; i++)
			key_forget(&keys[i]);
		free(keys);
		return -1;
	}
	*list = keys;
	return own;
}
