// SPDX-License-Identifier: GPL-2.0-or-later
/* New keys. */
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/rsa.h>

#include "crypto/internal.h"
#include "crypto/key.h"
#include "crypto/secret.h"

/* A template for a new key must not say what it will be; on which curve and the like, it may. */
static CK_RV fw_no_material(const struct fw_attrs *attrs, CK_ULONG class, CK_ULONG type,
			    CK_ULONG but)
{
	unsigned int i;

	for (i = 0; i < attrs->count; i++) {
		CK_ULONG attr = attrs->list[i].type;

		if (fw_key_choice_attr(class, type, attr) ||
		    (attr == but && fw_key_material_attr(class, type, attr)))
			continue;
		/* Nor what belongs to another kind of key */
		if (fw_key_any_material_attr(attr))
			return CKR_TEMPLATE_INCONSISTENT;
	}
	return CKR_OK;
}

static CK_RV fw_generated(struct fw_attrs *attrs, CK_ULONG class, CK_ULONG mech)
{
	CK_RV rv = fw_attrs_want_ulong(attrs, CKA_CLASS, class);

	if (rv == CKR_OK)
		rv = fw_attrs_put_bool(attrs, CKA_LOCAL, true);
	if (rv == CKR_OK)
		rv = fw_attrs_put_ulong(attrs, CKA_KEY_GEN_MECHANISM, mech);
	return rv;
}

CK_RV fw_generate_key(CK_ULONG mech, struct fw_attrs *attrs)
{
	uint8_t value[FW_SECRET_MAX];
	uint64_t type, len;
	CK_RV rv;

	switch (mech) {
	case CKM_AES_KEY_GEN:
		type = CKK_AES;
		break;
	case CKM_HKDF_KEY_GEN:
		type = CKK_HKDF;
		break;
	case CKM_GENERIC_SECRET_KEY_GEN:
		type = CKK_GENERIC_SECRET;
		/* HMAC's types are generic secrets that say what they are for. */
		if (fw_attrs_has(attrs, CKA_KEY_TYPE) &&
		    (!fw_attrs_get_ulong(attrs, CKA_KEY_TYPE, &type) || !fw_secret_type(type) ||
		     type == CKK_AES || type == CKK_HKDF))
			return CKR_TEMPLATE_INCONSISTENT;
		break;
	default:
		return CKR_MECHANISM_INVALID;
	}
	rv = fw_attrs_want_ulong(attrs, CKA_KEY_TYPE, type);
	if (rv == CKR_OK)
		rv = fw_no_material(attrs, CKO_SECRET_KEY, type, CKA_CLASS);
	if (rv == CKR_OK)
		rv = fw_generated(attrs, CKO_SECRET_KEY, mech);
	if (rv != CKR_OK)
		return rv;
	if (!fw_attrs_has(attrs, CKA_VALUE_LEN))
		return CKR_TEMPLATE_INCOMPLETE;
	if (!fw_attrs_get_ulong(attrs, CKA_VALUE_LEN, &len))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	rv = fw_secret_len_check(type, len);
	if (rv == CKR_OK)
		rv = fw_random(value, len);
	if (rv == CKR_OK)
		rv = fw_attrs_put(attrs, CKA_VALUE, value, len);
	fw_wipe(value, sizeof(value));
	return rv == CKR_OK ? fw_secret_complete(attrs, type) : rv;
}

/* ---- pairs ---- */

struct fw_gen {
	const struct fw_progress	*progress;
	bool				cancelled;
};

static int fw_gen_step(EVP_PKEY_CTX *ctx)
{
	struct fw_gen *gen = EVP_PKEY_CTX_get_app_data(ctx);

	if (!gen->cancelled && !gen->progress->step(gen->progress->opaque))
		gen->cancelled = true;
	return !gen->cancelled;
}

static CK_RV fw_rsa_gen_setup(EVP_PKEY_CTX *ctx, const struct fw_attrs *pub)
{
	struct fw_bytes value;
	BIGNUM *e = NULL;
	uint64_t bits;
	CK_RV rv;

	if (!fw_attrs_has(pub, CKA_MODULUS_BITS))
		return CKR_TEMPLATE_INCOMPLETE;
	if (!fw_attrs_get_ulong(pub, CKA_MODULUS_BITS, &bits))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	if (bits < FW_RSA_MIN || bits > FW_RSA_MAX)
		return CKR_KEY_SIZE_RANGE;
	if (EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, bits) <= 0)
		return CKR_KEY_SIZE_RANGE;
	if (!fw_attrs_get(pub, CKA_PUBLIC_EXPONENT, &value))
		return CKR_OK;	/* libcrypto's default is 65537 */
	rv = CKR_ATTRIBUTE_VALUE_INVALID;
	e = BN_bin2bn(value.p, value.len, NULL);
	if (e && BN_is_odd(e) && !BN_is_one(e) && BN_num_bits(e) <= FW_RSA_E_BITS &&
	    EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, e) > 0)
		rv = CKR_OK;
	BN_free(e);
	return rv;
}

static CK_RV fw_ec_gen_setup(EVP_PKEY_CTX **ctx, const struct fw_attrs *pub, CK_ULONG type)
{
	const struct fw_curve *curve;
	struct fw_bytes params;

	if (!fw_attrs_get(pub, CKA_EC_PARAMS, &params))
		return CKR_TEMPLATE_INCOMPLETE;
	curve = fw_curve_find(type, params);
	if (!curve)
		return CKR_CURVE_NOT_SUPPORTED;
	*ctx = EVP_PKEY_CTX_new_from_name(fw_lib()->ctx,
					  type == CKK_EC ? "EC" : curve->name, NULL);
	if (!*ctx || EVP_PKEY_keygen_init(*ctx) <= 0 ||
	    (type == CKK_EC && EVP_PKEY_CTX_set_group_name(*ctx, curve->name) <= 0))
		return CKR_HOST_MEMORY;
	return CKR_OK;
}

static CK_RV fw_pqc_gen_setup(EVP_PKEY_CTX **ctx, const struct fw_attrs *pub, CK_ULONG type)
{
	const struct fw_pqc *pqc;
	CK_RV rv;

	rv = fw_pqc_set(pub, type, &pqc);
	if (rv != CKR_OK)
		return rv;
	*ctx = EVP_PKEY_CTX_new_from_name(fw_lib()->ctx, pqc->name, NULL);
	return *ctx && EVP_PKEY_keygen_init(*ctx) > 0 ? CKR_OK : CKR_HOST_MEMORY;
}

/* X25519 has no signatures: agree with a third key from both sides. */
static CK_RV fw_pair_agree(struct fw_key *pub, struct fw_key *priv)
{
	EVP_PKEY *other = EVP_PKEY_Q_keygen(fw_lib()->ctx, NULL, pub->curve->name);
	EVP_PKEY_CTX *a = EVP_PKEY_CTX_new_from_pkey(fw_lib()->ctx, priv->pkey, NULL);
	EVP_PKEY_CTX *b = other ? EVP_PKEY_CTX_new_from_pkey(fw_lib()->ctx, other, NULL) : NULL;
	uint8_t x[FW_SCALAR_MAX], y[FW_SCALAR_MAX];
	size_t x_len = sizeof(x), y_len = sizeof(y);
	CK_RV rv = CKR_DEVICE_ERROR;

	if (a && b && EVP_PKEY_derive_init(a) > 0 && EVP_PKEY_derive_set_peer(a, other) > 0 &&
	    EVP_PKEY_derive_init(b) > 0 && EVP_PKEY_derive_set_peer(b, pub->pkey) > 0 &&
	    EVP_PKEY_derive(a, x, &x_len) > 0 && EVP_PKEY_derive(b, y, &y_len) > 0 &&
	    x_len == y_len && fw_secret_equal(x, y, x_len))
		rv = CKR_OK;
	fw_wipe(x, sizeof(x));
	fw_wipe(y, sizeof(y));
	EVP_PKEY_CTX_free(a);
	EVP_PKEY_CTX_free(b);
	EVP_PKEY_free(other);
	return rv;
}

/* ML-KEM: what is encapsulated for one is what the other decapsulates (FIPS 203, 7.1). */
static CK_RV fw_pair_encapsulate(struct fw_key *pub, struct fw_key *priv)
{
	struct fw_attrs a = { 0 }, b = { 0 };
	struct fw_bytes x = { NULL, 0 }, y = { NULL, 0 };
	size_t len = pub->pqc->out_len;
	uint8_t *out = malloc(len);
	CK_RV rv;

	rv = out ? fw_encapsulate(CKM_ML_KEM, NULL, pub, &a, out, &len) : CKR_HOST_MEMORY;
	if (rv == CKR_OK)
		rv = fw_decapsulate(CKM_ML_KEM, NULL, priv, out, len, &b);
	if (rv == CKR_OK &&
	    (!fw_attrs_get(&a, CKA_VALUE, &x) || !fw_attrs_get(&b, CKA_VALUE, &y) ||
	     x.len != y.len || !fw_secret_equal(x.p, y.p, x.len)))
		rv = CKR_DEVICE_ERROR;
	fw_attrs_wipe(&a);
	fw_attrs_wipe(&b);
	free(out);
	return rv == CKR_OK || rv == CKR_HOST_MEMORY ? rv : CKR_DEVICE_ERROR;
}

static CK_ULONG fw_pair_mech(CK_ULONG type)
{
	switch (type) {
	case CKK_RSA:
		return CKM_SHA256_RSA_PKCS;
	case CKK_ML_DSA:
		return CKM_ML_DSA;
	case CKK_SLH_DSA:
		return CKM_SLH_DSA;
	default:
		return CKM_EDDSA;
	}
}

static CK_RV fw_pair_sign(CK_ULONG mech, struct fw_key *pub, struct fw_key *priv)
{
	static const uint8_t text[] = "pairwise consistency";
	size_t room = priv->pqc ? priv->pqc->out_len : FW_RSA_MAX / 8;
	uint8_t *sig = malloc(room);
	struct fw_bytes bytes = { sig, room };
	CK_RV rv = CKR_HOST_MEMORY;

	if (sig)
		rv = fw_op_once(PCIEHSM_FN_SIGN, mech, NULL, priv, text, sizeof(text), NULL,
				sig, &bytes.len);
	if (rv == CKR_OK)
		rv = fw_op_once(PCIEHSM_FN_VERIFY, mech, NULL, pub, text, sizeof(text), &bytes,
				NULL, NULL);
	free(sig);
	return rv == CKR_OK || rv == CKR_HOST_MEMORY ? rv : CKR_DEVICE_ERROR;
}

/*
 * On keys read back from the attributes, so that what is stored is what was checked.
 *
 * Keys on Weierstrass curves sign or agree, which of the two nobody knows yet: of the checks
 * in SP 800-56A Rev. 3, 5.6.2.1.4, it is the one by recomputation. To sign and to verify would
 * take three times as long as all the rest.
 */
static CK_RV fw_pair_check(const struct fw_attrs *pub_attrs, const struct fw_attrs *priv_attrs,
			   CK_ULONG type)
{
	struct fw_key *pub = NULL, *priv = NULL;
	CK_RV rv;

	if (type == CKK_EC)
		return fw_ec_recompute(pub_attrs, priv_attrs, type);
	rv = fw_key_from_attrs(pub_attrs, &pub);
	if (rv == CKR_OK)
		rv = fw_key_from_attrs(priv_attrs, &priv);
	if (rv != CKR_OK)
		rv = rv == CKR_HOST_MEMORY ? rv : CKR_DEVICE_ERROR;
	else if (type == CKK_EC_MONTGOMERY)
		rv = fw_pair_agree(pub, priv);
	else if (type == CKK_ML_KEM)
		rv = fw_pair_encapsulate(pub, priv);
	else
		rv = fw_pair_sign(fw_pair_mech(type), pub, priv);
	fw_key_unref(pub);
	fw_key_unref(priv);
	return rv;
}

static CK_RV fw_pair_type(CK_ULONG mech, CK_ULONG *type)
{
	if (!fw_mech_get(mech))
		return CKR_MECHANISM_INVALID;
	switch (mech) {
	case CKM_RSA_PKCS_KEY_PAIR_GEN:
	case CKM_RSA_X9_31_KEY_PAIR_GEN:
		*type = CKK_RSA;
		return CKR_OK;
	case CKM_EC_KEY_PAIR_GEN:
		*type = CKK_EC;
		return CKR_OK;
	case CKM_EC_EDWARDS_KEY_PAIR_GEN:
		*type = CKK_EC_EDWARDS;
		return CKR_OK;
	case CKM_EC_MONTGOMERY_KEY_PAIR_GEN:
		*type = CKK_EC_MONTGOMERY;
		return CKR_OK;
	case CKM_ML_KEM_KEY_PAIR_GEN:
		*type = CKK_ML_KEM;
		return CKR_OK;
	case CKM_ML_DSA_KEY_PAIR_GEN:
		*type = CKK_ML_DSA;
		return CKR_OK;
	case CKM_SLH_DSA_KEY_PAIR_GEN:
		*type = CKK_SLH_DSA;
		return CKR_OK;
	default:
		return CKR_MECHANISM_INVALID;
	}
}

static CK_RV fw_pair_templates(struct fw_attrs *pub, struct fw_attrs *priv, CK_ULONG mech,
			       CK_ULONG type)
{
	CK_RV rv;

	/* The exponent is the one part that may be chosen. */
	rv = fw_no_material(pub, CKO_PUBLIC_KEY, type, CKA_PUBLIC_EXPONENT);
	if (rv == CKR_OK)
		rv = fw_no_material(priv, CKO_PRIVATE_KEY, type, CKA_CLASS);
	if (rv == CKR_OK)
		rv = fw_generated(pub, CKO_PUBLIC_KEY, mech);
	if (rv == CKR_OK)
		rv = fw_generated(priv, CKO_PRIVATE_KEY, mech);
	if (rv == CKR_OK)
		rv = fw_attrs_want_ulong(pub, CKA_KEY_TYPE, type);
	if (rv == CKR_OK)
		rv = fw_attrs_want_ulong(priv, CKA_KEY_TYPE, type);
	return rv;
}

CK_RV fw_generate_key_pair(CK_ULONG mech, struct fw_attrs *pub, struct fw_attrs *priv,
			   const struct fw_progress *progress)
{
	struct fw_gen gen = { progress, false };
	EVP_PKEY_CTX *ctx = NULL;
	EVP_PKEY *pkey = NULL;
	CK_ULONG type;
	CK_RV rv;

	rv = fw_pair_type(mech, &type);
	if (rv == CKR_OK)
		rv = fw_pair_templates(pub, priv, mech, type);
	if (rv != CKR_OK)
		return rv;
	if (type == CKK_RSA) {
		ctx = EVP_PKEY_CTX_new_from_name(fw_lib()->ctx, "RSA", NULL);
		rv = ctx && EVP_PKEY_keygen_init(ctx) > 0 ? fw_rsa_gen_setup(ctx, pub) :
							    CKR_HOST_MEMORY;
	} else if (fw_pqc_type(type)) {
		rv = fw_pqc_gen_setup(&ctx, pub, type);
	} else {
		rv = fw_ec_gen_setup(&ctx, pub, type);
	}
	if (rv != CKR_OK)
		goto out;
	if (progress) {
		EVP_PKEY_CTX_set_app_data(ctx, &gen);
		EVP_PKEY_CTX_set_cb(ctx, fw_gen_step);
	}
	if (EVP_PKEY_generate(ctx, &pkey) <= 0) {
		rv = gen.cancelled ? CKR_FUNCTION_CANCELED : CKR_FUNCTION_FAILED;
		goto out;
	}
	rv = fw_pkey_to_attrs(pkey, CKO_PUBLIC_KEY, pub);
	if (rv == CKR_OK)
		rv = fw_pkey_to_attrs(pkey, CKO_PRIVATE_KEY, priv);
	if (rv == CKR_OK)
		rv = fw_pair_check(pub, priv, type);
out:
	EVP_PKEY_free(pkey);
	EVP_PKEY_CTX_free(ctx);
	return rv;
}
