// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Power-on self tests: whichever known answer is not what it should be, the card does not
 * start, and says what is broken.
 */
#include "card.h"

#include <errno.h>

#include <openssl/evp.h>

#include "crypto/hpke.h"
#include "crypto/key.h"
#include "crypto/mech.h"
#include "crypto/secret.h"

/* The calls of the self tests that are counted here, and which of them goes wrong (0: none) */
static unsigned int calls, bad;

static bool goes_wrong(void)
{
	return ++calls == bad;
}

CK_RV __real_fw_op_once(enum pciehsm_function fn, CK_ULONG mech,
			const struct fw_mech_params *params, struct fw_key *key,
			const uint8_t *in, size_t in_len, const struct fw_bytes *sig,
			uint8_t *out, size_t *out_len);
CK_RV __wrap_fw_op_once(enum pciehsm_function fn, CK_ULONG mech,
			const struct fw_mech_params *params, struct fw_key *key,
			const uint8_t *in, size_t in_len, const struct fw_bytes *sig,
			uint8_t *out, size_t *out_len);
CK_RV __real_fw_derive(CK_ULONG mech, const struct fw_mech_params *params, struct fw_key *base,
		       struct fw_attrs *attrs);
CK_RV __wrap_fw_derive(CK_ULONG mech, const struct fw_mech_params *params, struct fw_key *base,
		       struct fw_attrs *attrs);
CK_RV __real_fw_decapsulate(CK_ULONG mech, const struct fw_mech_params *params,
			    struct fw_key *key, const uint8_t *in, size_t in_len,
			    struct fw_attrs *attrs);
CK_RV __wrap_fw_decapsulate(CK_ULONG mech, const struct fw_mech_params *params,
			    struct fw_key *key, const uint8_t *in, size_t in_len,
			    struct fw_attrs *attrs);

CK_RV __wrap_fw_op_once(enum pciehsm_function fn, CK_ULONG mech,
			const struct fw_mech_params *params, struct fw_key *key,
			const uint8_t *in, size_t in_len, const struct fw_bytes *sig,
			uint8_t *out, size_t *out_len)
{
	CK_RV rv = __real_fw_op_once(fn, mech, params, key, in, in_len, sig, out, out_len);

	if (!goes_wrong())
		return rv;
	if (fn == PCIEHSM_FN_VERIFY)
		return rv == CKR_OK ? CKR_SIGNATURE_INVALID : CKR_OK;
	/* The last bit: of a signature in DER, too, that is one of its numbers. */
	out[*out_len - 1] ^= 1;
	return rv;
}

static void spoil_value(struct fw_attrs *attrs)
{
	struct fw_bytes value;
	uint8_t copy[64];

	assert_true(fw_attrs_get(attrs, CKA_VALUE, &value) && value.len <= sizeof(copy));
	memcpy(copy, value.p, value.len);
	copy[0] ^= 1;
	assert_ok(fw_attrs_put(attrs, CKA_VALUE, copy, value.len));
}

CK_RV __wrap_fw_derive(CK_ULONG mech, const struct fw_mech_params *params, struct fw_key *base,
		       struct fw_attrs *attrs)
{
	CK_RV rv = __real_fw_derive(mech, params, base, attrs);

	if (goes_wrong())
		spoil_value(attrs);
	return rv;
}

CK_RV __wrap_fw_decapsulate(CK_ULONG mech, const struct fw_mech_params *params,
			    struct fw_key *key, const uint8_t *in, size_t in_len,
			    struct fw_attrs *attrs)
{
	CK_RV rv = __real_fw_decapsulate(mech, params, key, in, in_len, attrs);

	if (goes_wrong())
		spoil_value(attrs);
	return rv;
}

CK_RV __real_fw_pbkdf2(const char *digest, struct fw_bytes password, struct fw_bytes salt,
		       unsigned int iterations, uint8_t *out, size_t len);
CK_RV __wrap_fw_pbkdf2(const char *digest, struct fw_bytes password, struct fw_bytes salt,
		       unsigned int iterations, uint8_t *out, size_t len);
CK_RV __real_fw_hpke_seal(struct fw_hpke *hpke, struct fw_bytes aad, struct fw_bytes plain,
			  uint8_t *out);
CK_RV __wrap_fw_hpke_seal(struct fw_hpke *hpke, struct fw_bytes aad, struct fw_bytes plain,
			  uint8_t *out);
CK_RV __real_fw_hpke_open(struct fw_hpke *hpke, struct fw_bytes aad, struct fw_bytes sealed,
			  uint8_t *out);
CK_RV __wrap_fw_hpke_open(struct fw_hpke *hpke, struct fw_bytes aad, struct fw_bytes sealed,
			  uint8_t *out);
int __real_EVP_PKEY_encapsulate(EVP_PKEY_CTX *ctx, unsigned char *out, size_t *len,
				unsigned char *secret, size_t *secret_len);
int __wrap_EVP_PKEY_encapsulate(EVP_PKEY_CTX *ctx, unsigned char *out, size_t *len,
				unsigned char *secret, size_t *secret_len);

CK_RV __wrap_fw_pbkdf2(const char *digest, struct fw_bytes password, struct fw_bytes salt,
		       unsigned int iterations, uint8_t *out, size_t len)
{
	CK_RV rv = __real_fw_pbkdf2(digest, password, salt, iterations, out, len);

	if (goes_wrong())
		out[len - 1] ^= 1;
	return rv;
}

CK_RV __wrap_fw_hpke_seal(struct fw_hpke *hpke, struct fw_bytes aad, struct fw_bytes plain,
			  uint8_t *out)
{
	CK_RV rv = __real_fw_hpke_seal(hpke, aad, plain, out);

	if (goes_wrong())
		out[0] ^= 1;
	return rv;
}

CK_RV __wrap_fw_hpke_open(struct fw_hpke *hpke, struct fw_bytes aad, struct fw_bytes sealed,
			  uint8_t *out)
{
	CK_RV rv = __real_fw_hpke_open(hpke, aad, sealed, out);

	if (goes_wrong())
		out[0] ^= 1;
	return rv;
}

/* Of ML-KEM, where libcrypto has it; the self test gives it the random bytes. */
int __wrap_EVP_PKEY_encapsulate(EVP_PKEY_CTX *ctx, unsigned char *out, size_t *len,
				unsigned char *secret, size_t *secret_len)
{
	int ok = __real_EVP_PKEY_encapsulate(ctx, out, len, secret, secret_len);

	if (goes_wrong())
		out[0] ^= 1;
	return ok;
}

static int open_card(struct card *c, char *error, size_t len)
{
	calls = 0;
	return hsm_fw_open(&c->config, &c->fw, error, len);
}

static void test_every_answer(void **state)
{
	struct card *c = card_new(4711);
	unsigned int count, last = 0;
	char error[256];

	(void)state;
	hsm_fw_close(c->fw);
	for (count = 1;; count++) {
		bad = count;
		error[0] = '\0';
		if (!open_card(c, error, sizeof(error)))
			break;
		/* It stops at the first thing that is wrong. */
		assert_true(calls >= count && calls >= last);
		last = calls;
		assert_non_null(strstr(error, "the self test of "));
	}
	/* It went well, as there was no such call. */
	assert_true(calls < count);
	print_message("# %u answers\n", count - 1);
	assert_true(count > 50);
	bad = 0;
	hsm_fw_close(c->fw);
	assert_int_equal(open_card(c, error, sizeof(error)), 0);
	card_free(c);
}

static void test_named(void **state)
{
	struct card *c = card_new(4711);
	char error[256];

	(void)state;
	hsm_fw_close(c->fw);
	bad = 1;
	assert_int_equal(open_card(c, error, sizeof(error)), -EIO);
	assert_string_equal(error, "the self test of SHA-1 failed; libcrypto can not be used");
	bad = 0;
	assert_int_equal(open_card(c, error, sizeof(error)), 0);
	card_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_answer),
		cmocka_unit_test(test_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
