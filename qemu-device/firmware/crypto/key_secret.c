// SPDX-License-Identifier: GPL-2.0-or-later
/* Secret keys: types, lengths, check values. */
#include <string.h>

#include "crypto/internal.h"
#include "crypto/key.h"
#include "crypto/secret.h"

/* Bytes of CKA_CHECK_VALUE, PKCS#11 2.40 section 4.10.2 */
#define FW_CHECK_LEN	3

bool fw_secret_type(CK_ULONG type)
{
	unsigned int i;

	if (type == CKK_AES || type == CKK_GENERIC_SECRET || type == CKK_HKDF)
		return true;
	for (i = 0; i < FW_HASH_COUNT; i++)
		if (fw_hashes[i].hmac_key == type)
			return true;
	return false;
}

CK_RV fw_secret_len_check(CK_ULONG type, size_t len)
{
	bool ok = type == CKK_AES ? len == 16 || len == 24 || len == 32 :
				    len >= 1 && len <= FW_SECRET_MAX;

	return ok ? CKR_OK : CKR_KEY_SIZE_RANGE;
}

/* AES: a block of zeroes encrypted; the others: SHA-1 of the value; the first 3 bytes. */
static CK_RV fw_check_value(CK_ULONG type, struct fw_bytes value, uint8_t check[FW_CHECK_LEN])
{
	static const uint8_t zeroes[16];
	uint8_t buf[EVP_MAX_MD_SIZE];
	EVP_CIPHER_CTX *ctx;
	bool ok;
	int n;

	if (type == CKK_AES) {
		ctx = EVP_CIPHER_CTX_new();
		ok = ctx && EVP_EncryptInit_ex(ctx, fw_aes_cipher(FW_AES_ECB, value.len), NULL,
					       value.p, NULL) &&
		     EVP_EncryptUpdate(ctx, buf, &n, zeroes, sizeof(zeroes));
		EVP_CIPHER_CTX_free(ctx);
	} else {
		ok = EVP_Digest(value.p, value.len, buf, NULL,
				fw_hash_md(fw_hash_by_digest(CKM_SHA_1)), NULL);
	}
	if (ok)
		memcpy(check, buf, FW_CHECK_LEN);
	fw_wipe(buf, sizeof(buf));
	return ok ? CKR_OK : CKR_HOST_MEMORY;
}

CK_RV fw_secret_complete(struct fw_attrs *attrs, CK_ULONG type)
{
	struct fw_bytes value, given;
	uint8_t check[FW_CHECK_LEN];
	CK_RV rv;

	if (!fw_attrs_get(attrs, CKA_VALUE, &value))
		return CKR_TEMPLATE_INCOMPLETE;
	rv = fw_secret_len_check(type, value.len);
	if (rv != CKR_OK)
		return rv;
	rv = fw_check_value(type, value, check);
	if (rv != CKR_OK)
		return rv;
	rv = fw_attrs_want_ulong(attrs, CKA_VALUE_LEN, value.len);
	if (rv != CKR_OK)
		return rv;
	/* An empty one says that the caller wants none. */
	if (fw_attrs_get(attrs, CKA_CHECK_VALUE, &given)) {
		if (given.len && (given.len != FW_CHECK_LEN || memcmp(given.p, check, given.len)))
			return CKR_ATTRIBUTE_VALUE_INVALID;
		return CKR_OK;
	}
	return fw_attrs_put(attrs, CKA_CHECK_VALUE, check, sizeof(check));
}
