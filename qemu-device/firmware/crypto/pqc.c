// SPDX-License-Identifier: GPL-2.0-or-later
/* Keys of ML-KEM, ML-DSA and SLH-DSA (FIPS 203 to 205), where libcrypto has them. */
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include "crypto/internal.h"
#include "crypto/key.h"
#include "crypto/secret.h"

/* libcrypto's name of the parameter; headers before 3.5 have no macro for it */
#define FW_PARAM_SEED	"seed"

/* Sizes: FIPS 203 table 3, FIPS 204 table 2, FIPS 205 table 2 */
static const struct fw_pqc fw_pqcs[] = {
	{ CKK_ML_KEM, CKP_ML_KEM_512, "ML-KEM-512", 800, 1632, 64, 768 },
	{ CKK_ML_KEM, CKP_ML_KEM_768, "ML-KEM-768", 1184, 2400, 64, 1088 },
	{ CKK_ML_KEM, CKP_ML_KEM_1024, "ML-KEM-1024", 1568, 3168, 64, 1568 },
	{ CKK_ML_DSA, CKP_ML_DSA_44, "ML-DSA-44", 1312, 2560, 32, 2420 },
	{ CKK_ML_DSA, CKP_ML_DSA_65, "ML-DSA-65", 1952, 4032, 32, 3309 },
	{ CKK_ML_DSA, CKP_ML_DSA_87, "ML-DSA-87", 2592, 4896, 32, 4627 },
	{ CKK_SLH_DSA, CKP_SLH_DSA_SHA2_128S, "SLH-DSA-SHA2-128s", 32, 64, 0, 7856 },
	{ CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_128S, "SLH-DSA-SHAKE-128s", 32, 64, 0, 7856 },
	{ CKK_SLH_DSA, CKP_SLH_DSA_SHA2_128F, "SLH-DSA-SHA2-128f", 32, 64, 0, 17088 },
	{ CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_128F, "SLH-DSA-SHAKE-128f", 32, 64, 0, 17088 },
	{ CKK_SLH_DSA, CKP_SLH_DSA_SHA2_192S, "SLH-DSA-SHA2-192s", 48, 96, 0, 16224 },
	{ CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_192S, "SLH-DSA-SHAKE-192s", 48, 96, 0, 16224 },
	{ CKK_SLH_DSA, CKP_SLH_DSA_SHA2_192F, "SLH-DSA-SHA2-192f", 48, 96, 0, 35664 },
	{ CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_192F, "SLH-DSA-SHAKE-192f", 48, 96, 0, 35664 },
	{ CKK_SLH_DSA, CKP_SLH_DSA_SHA2_256S, "SLH-DSA-SHA2-256s", 64, 128, 0, 29792 },
	{ CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_256S, "SLH-DSA-SHAKE-256s", 64, 128, 0, 29792 },
	{ CKK_SLH_DSA, CKP_SLH_DSA_SHA2_256F, "SLH-DSA-SHA2-256f", 64, 128, 0, 49856 },
	{ CKK_SLH_DSA, CKP_SLH_DSA_SHAKE_256F, "SLH-DSA-SHAKE-256f", 64, 128, 0, 49856 },
};

#define FW_PQC_COUNT	(sizeof(fw_pqcs) / sizeof(fw_pqcs[0]))
#define FW_PQC_PRIV_MAX	4896

bool fw_pqc_type(CK_ULONG type)
{
	return type == CKK_ML_KEM || type == CKK_ML_DSA || type == CKK_SLH_DSA;
}

bool fw_pqc_present(CK_ULONG type)
{
	EVP_KEYMGMT *keymgmt;
	size_t i;

	for (i = 0; i < FW_PQC_COUNT; i++) {
		if (fw_pqcs[i].type != type)
			continue;
		keymgmt = EVP_KEYMGMT_fetch(fw_lib()->ctx, fw_pqcs[i].name, NULL);
		EVP_KEYMGMT_free(keymgmt);
		if (!keymgmt) {
			ERR_clear_error();
			return false;
		}
	}
	return true;
}

CK_RV fw_pqc_set(const struct fw_attrs *attrs, CK_ULONG type, const struct fw_pqc **pqc)
{
	uint64_t set;
	size_t i;

	if (!fw_attrs_has(attrs, CKA_PARAMETER_SET))
		return CKR_TEMPLATE_INCOMPLETE;
	if (!fw_attrs_get_ulong(attrs, CKA_PARAMETER_SET, &set))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	for (i = 0; i < FW_PQC_COUNT; i++) {
		if (fw_pqcs[i].type != type || fw_pqcs[i].set != set)
			continue;
		*pqc = &fw_pqcs[i];
		return CKR_OK;
	}
	return CKR_PARAMETER_SET_NOT_SUPPORTED;
}

const struct fw_pqc *fw_pqc_of(const EVP_PKEY *pkey)
{
	size_t i;

	for (i = 0; i < FW_PQC_COUNT; i++)
		if (EVP_PKEY_is_a(pkey, fw_pqcs[i].name))
			return &fw_pqcs[i];
	return NULL;
}

/* An attribute of exactly @len bytes, as libcrypto's parameter; none: @p stays. */
static CK_RV fw_pqc_param(const struct fw_attrs *attrs, CK_ULONG attr, const char *name,
			  size_t len, OSSL_PARAM **p)
{
	struct fw_bytes value;

	if (!fw_attrs_get(attrs, attr, &value) || !value.len)
		return CKR_OK;
	if (value.len != len)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	*(*p)++ = OSSL_PARAM_construct_octet_string(name, (void *)value.p, value.len);
	return CKR_OK;
}

CK_RV fw_pqc_from_attrs(const struct fw_attrs *attrs, CK_ULONG class, CK_ULONG type,
			const struct fw_pqc **pqc, EVP_PKEY **pkey)
{
	bool public = class == CKO_PUBLIC_KEY;
	OSSL_PARAM params[3], *p = params;
	EVP_PKEY_CTX *ctx;
	CK_RV rv;

	rv = fw_pqc_set(attrs, type, pqc);
	if (rv == CKR_OK)
		rv = fw_pqc_param(attrs, CKA_VALUE,
				  public ? OSSL_PKEY_PARAM_PUB_KEY : OSSL_PKEY_PARAM_PRIV_KEY,
				  public ? (*pqc)->pub_len : (*pqc)->priv_len, &p);
	/* A seed is the whole private key; with a value, libcrypto compares the two. */
	if (rv == CKR_OK && !public && (*pqc)->seed_len)
		rv = fw_pqc_param(attrs, CKA_SEED, FW_PARAM_SEED, (*pqc)->seed_len, &p);
	if (rv == CKR_OK && p == params)
		rv = CKR_TEMPLATE_INCOMPLETE;
	if (rv != CKR_OK)
		return rv;
	*p = OSSL_PARAM_construct_end();
	ctx = EVP_PKEY_CTX_new_from_name(fw_lib()->ctx, (*pqc)->name, NULL);
	if (!ctx) {
		ERR_clear_error();
		/* As on a card whose libcrypto is older than the one that made the key */
		return CKR_PARAMETER_SET_NOT_SUPPORTED;
	}
	*pkey = NULL;
	if (EVP_PKEY_fromdata_init(ctx) <= 0 ||
	    EVP_PKEY_fromdata(ctx, pkey, public ? EVP_PKEY_PUBLIC_KEY : EVP_PKEY_KEYPAIR,
			      params) <= 0) {
		ERR_clear_error();
		rv = public ? CKR_PUBLIC_KEY_INVALID : CKR_ATTRIBUTE_VALUE_INVALID;
	}
	EVP_PKEY_CTX_free(ctx);
	return rv;
}

static CK_RV fw_pqc_put_spki(EVP_PKEY *pkey, struct fw_attrs *attrs)
{
	uint8_t *der = NULL;
	int len = i2d_PUBKEY(pkey, &der);
	CK_RV rv = CKR_HOST_MEMORY;

	if (len > 0)
		rv = fw_attrs_want(attrs, CKA_PUBLIC_KEY_INFO, der, len);
	OPENSSL_free(der);
	return rv;
}

CK_RV fw_pqc_to_attrs(EVP_PKEY *pkey, CK_ULONG class, struct fw_attrs *attrs)
{
	const struct fw_pqc *pqc = fw_pqc_of(pkey);
	bool public = class == CKO_PUBLIC_KEY;
	uint8_t bytes[FW_PQC_PRIV_MAX];
	size_t len = 0;
	CK_RV rv;

	if (!pqc)
		return CKR_FUNCTION_FAILED;
	rv = fw_attrs_want_ulong(attrs, CKA_KEY_TYPE, pqc->type);
	if (rv == CKR_OK)
		rv = fw_attrs_want_ulong(attrs, CKA_PARAMETER_SET, pqc->set);
	if (rv == CKR_OK && !EVP_PKEY_get_octet_string_param(pkey,
			public ? OSSL_PKEY_PARAM_PUB_KEY : OSSL_PKEY_PARAM_PRIV_KEY,
			bytes, sizeof(bytes), &len))
		rv = CKR_FUNCTION_FAILED;
	if (rv == CKR_OK)
		rv = fw_attrs_want(attrs, CKA_VALUE, bytes, len);
	/* A key that came without its seed has none. */
	if (rv == CKR_OK && !public && pqc->seed_len &&
	    EVP_PKEY_get_octet_string_param(pkey, FW_PARAM_SEED, bytes, sizeof(bytes), &len))
		rv = fw_attrs_want(attrs, CKA_SEED, bytes, len);
	ERR_clear_error();
	fw_wipe(bytes, sizeof(bytes));
	return rv == CKR_OK ? fw_pqc_put_spki(pkey, attrs) : rv;
}

CK_RV fw_pqc_complete(struct fw_attrs *attrs, CK_ULONG class, CK_ULONG type)
{
	const struct fw_pqc *pqc;
	EVP_PKEY *pkey = NULL;
	CK_RV rv;

	rv = fw_pqc_from_attrs(attrs, class, type, &pqc, &pkey);
	if (rv == CKR_OK)
		rv = fw_pqc_to_attrs(pkey, class, attrs);
	EVP_PKEY_free(pkey);
	return rv;
}
