// SPDX-License-Identifier: GPL-2.0-or-later
#include "fixture.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <sys/stat.h>

#include "env.h"

struct loopback *lb;
CK_FUNCTION_LIST *p11;
CK_SLOT_ID slot;
CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static char config[4096];

/* The module's: its environment is this one. */
int module_env(struct ha_env **env);

int module_env(struct ha_env **env)
{
	return ha_env_system_over(loopback_bus(lb), config, env);
}

static void make_cards(void)
{
	const char *tmp = getenv("TMPDIR");
	struct pciehsm_bus *bus;

	snprintf(config, sizeof(config), "%s/ha.conf", tmp ? tmp : ".");
	lb = loopback_new(tmp ? tmp : ".");
	loopback_add(lb, CARD_A, CARD_A_BASE);
	loopback_add(lb, CARD_B, CARD_B_BASE);
	bus = loopback_bus(lb);
	cards_partition(bus, CARD_A, "par0", DOMAIN, NULL);
	cards_partition(bus, CARD_B, "par1", DOMAIN, NULL);
	bus->ops->close(bus);
	cards_group(config, false);
	if (C_GetFunctionList(&p11) != CKR_OK)
		abort();
}

int fixture_run(const struct CMUnitTest *tests, size_t n, bool member, bool group)
{
	int failed = 0;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	make_cards();
	if (member) {
		slot = SLOT_A;
		failed += _cmocka_run_group_tests("member", tests, n, NULL, NULL);
	}
	if (group) {
		slot = GROUP_SLOT;
		failed += _cmocka_run_group_tests("group", tests, n, NULL, NULL);
	}
	loopback_free(lb);
	return failed ? 1 : 0;
}

int with_module(void **state)
{
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };

	(void)state;
	OK(p11->C_Initialize(&args));
	return 0;
}

int without_module(void **state)
{
	(void)state;
	OK(p11->C_Finalize(NULL));
	return 0;
}

void rv_is_at(CK_RV rv, CK_RV wanted, const char *what, const char *file, int line)
{
	if (rv != wanted) {
		print_error("%s: %s, wanted %s\n", what, pciehsm_rv_name(rv),
			    pciehsm_rv_name(wanted));
		_fail(file, line);
	}
}

CK_SESSION_HANDLE session(void)
{
	CK_SESSION_HANDLE s;

	OK(p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s));
	return s;
}

CK_SESSION_HANDLE login(void)
{
	CK_SESSION_HANDLE s = session();

	OK(p11->C_Login(s, CKU_USER, (CK_BYTE *)CO_PIN, strlen(CO_PIN)));
	return s;
}

void rsa_pair(CK_SESSION_HANDLE s, const char *label, bool token, CK_OBJECT_HANDLE *pub,
	      CK_OBJECT_HANDLE *priv)
{
	CK_MECHANISM mech = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
	CK_ULONG bits = 2048;
	CK_BYTE exponent[] = { 1, 0, 1 };
	CK_BBOOL on_token = token;
	CK_ATTRIBUTE public[] = {
		ATTR(CKA_MODULUS_BITS, bits), ATTR(CKA_PUBLIC_EXPONENT, exponent),
		ATTR(CKA_TOKEN, on_token), ATTR(CKA_VERIFY, yes), ATTR(CKA_ENCRYPT, yes),
		{ CKA_LABEL, (void *)label, strlen(label) },
	};
	CK_ATTRIBUTE private[] = {
		ATTR(CKA_TOKEN, on_token), ATTR(CKA_SIGN, yes), ATTR(CKA_DECRYPT, yes),
		{ CKA_LABEL, (void *)label, strlen(label) },
	};

	OK(p11->C_GenerateKeyPair(s, &mech, public, 6, private, 4, pub, priv));
}

void ec_pair(CK_SESSION_HANDLE s, const char *label, bool token, CK_OBJECT_HANDLE *pub,
	     CK_OBJECT_HANDLE *priv)
{
	static CK_BYTE p256[] = { 0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 };
	CK_MECHANISM mech = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
	CK_BBOOL on_token = token;
	CK_ATTRIBUTE public[] = {
		ATTR(CKA_EC_PARAMS, p256), ATTR(CKA_TOKEN, on_token), ATTR(CKA_VERIFY, yes),
		{ CKA_LABEL, (void *)label, strlen(label) },
	};
	CK_ATTRIBUTE private[] = {
		ATTR(CKA_TOKEN, on_token), ATTR(CKA_SIGN, yes),
		{ CKA_LABEL, (void *)label, strlen(label) },
	};

	OK(p11->C_GenerateKeyPair(s, &mech, public, 4, private, 3, pub, priv));
}

CK_OBJECT_HANDLE aes_key(CK_SESSION_HANDLE s, CK_ULONG len)
{
	CK_MECHANISM mech = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_ATTRIBUTE attrs[] = {
		ATTR(CKA_VALUE_LEN, len), ATTR(CKA_ENCRYPT, yes), ATTR(CKA_DECRYPT, yes),
	};
	CK_OBJECT_HANDLE key;

	OK(p11->C_GenerateKey(s, &mech, attrs, 3, &key));
	return key;
}

static CK_OBJECT_HANDLE secret_of(CK_SESSION_HANDLE s, CK_KEY_TYPE type, const void *value,
				  CK_ULONG len)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_ATTRIBUTE attrs[] = {
		ATTR(CKA_CLASS, class), ATTR(CKA_KEY_TYPE, type), { CKA_VALUE, (void *)value, len },
		ATTR(CKA_ENCRYPT, yes), ATTR(CKA_DECRYPT, yes), ATTR(CKA_SIGN, yes),
		ATTR(CKA_VERIFY, yes),
	};
	CK_OBJECT_HANDLE key;

	OK(p11->C_CreateObject(s, attrs, 7, &key));
	return key;
}

CK_OBJECT_HANDLE aes_key_of(CK_SESSION_HANDLE s, const void *value, CK_ULONG len)
{
	return secret_of(s, CKK_AES, value, len);
}

CK_OBJECT_HANDLE mac_key_of(CK_SESSION_HANDLE s, const void *value, CK_ULONG len)
{
	return secret_of(s, CKK_GENERIC_SECRET, value, len);
}

CK_ULONG count_objects(CK_SESSION_HANDLE s, const char *label)
{
	CK_ATTRIBUTE attr = { CKA_LABEL, (void *)label, strlen(label) };
	CK_OBJECT_HANDLE found[16];
	CK_ULONG n, total = 0;

	OK(p11->C_FindObjectsInit(s, &attr, 1));
	do {
		OK(p11->C_FindObjects(s, found, 16, &n));
		total += n;
	} while (n);
	OK(p11->C_FindObjectsFinal(s));
	return total;
}

/* ---- OpenSSL ---- */

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *build)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
	assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params), 1);
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	return key;
}

EVP_PKEY *openssl_key(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE pub)
{
	CK_KEY_TYPE type;
	CK_ATTRIBUTE which = ATTR(CKA_KEY_TYPE, type);
	CK_BYTE modulus[512], exponent[16], point[256];
	CK_ATTRIBUTE rsa[] = { ATTR(CKA_MODULUS, modulus), ATTR(CKA_PUBLIC_EXPONENT, exponent) };
	CK_ATTRIBUTE ec = ATTR(CKA_EC_POINT, point);
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY *key;
	BIGNUM *n, *e;

	OK(p11->C_GetAttributeValue(s, pub, &which, 1));
	if (type == CKK_RSA) {
		OK(p11->C_GetAttributeValue(s, pub, rsa, 2));
		n = BN_bin2bn(modulus, (int)rsa[0].ulValueLen, NULL);
		e = BN_bin2bn(exponent, (int)rsa[1].ulValueLen, NULL);
		OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n);
		OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e);
		key = from_params("RSA", build);
		BN_free(n);
		BN_free(e);
		return key;
	}
	OK(p11->C_GetAttributeValue(s, pub, &ec, 1));
	/* A DER OCTET STRING of 65 bytes */
	assert_int_equal(ec.ulValueLen, 67);
	assert_memory_equal(point, "\x04\x41\x04", 3);
	OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0);
	OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point + 2, 65);
	return from_params("EC", build);
}

bool openssl_verifies(EVP_PKEY *key, const void *data, size_t len, const void *sig, size_t sig_len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char *der = NULL;
	ECDSA_SIG *ec = NULL;
	int good;

	if (EVP_PKEY_is_a(key, "EC")) {
		int half = (int)sig_len / 2;

		ec = ECDSA_SIG_new();
		ECDSA_SIG_set0(ec, BN_bin2bn(sig, half, NULL),
			       BN_bin2bn((const unsigned char *)sig + half, half, NULL));
		sig_len = (size_t)i2d_ECDSA_SIG(ec, &der);
		sig = der;
	}
	assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
	good = EVP_DigestVerify(ctx, sig, sig_len, data, len);
	EVP_MD_CTX_free(ctx);
	OPENSSL_free(der);
	ECDSA_SIG_free(ec);
	return good == 1;
}
