// SPDX-License-Identifier: GPL-2.0-or-later
/* Keys that can work: making, sharing, and the contexts that wait in them. */
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>

#include "crypto/internal.h"
#include "crypto/key.h"
#include "crypto/secret.h"

CK_RV fw_attrs_put_bn(struct fw_attrs *attrs, CK_ULONG type, const BIGNUM *bn)
{
	int len = BN_num_bytes(bn);
	uint8_t *bytes;
	CK_RV rv;

	bytes = malloc(len ? len : 1);
	if (!bytes)
		return CKR_HOST_MEMORY;
	BN_bn2bin(bn, bytes);
	rv = fw_attrs_put(attrs, type, bytes, len);
	fw_wipe_free(bytes, len);
	return rv;
}

CK_RV fw_attrs_want(struct fw_attrs *attrs, CK_ULONG type, const void *value, size_t len)
{
	struct fw_bytes given;

	if (!fw_attrs_get(attrs, type, &given) || !given.len)
		return fw_attrs_put(attrs, type, value, len);
	if (given.len != len || !fw_secret_equal(given.p, value, len))
		return CKR_TEMPLATE_INCONSISTENT;
	return CKR_OK;
}

CK_RV fw_attrs_want_ulong(struct fw_attrs *attrs, CK_ULONG type, uint64_t value)
{
	uint64_t given;

	if (!fw_attrs_has(attrs, type))
		return fw_attrs_put_ulong(attrs, type, value);
	if (!fw_attrs_get_ulong(attrs, type, &given))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	return given == value ? CKR_OK : CKR_TEMPLATE_INCONSISTENT;
}

static CK_RV fw_key_kind(const struct fw_attrs *attrs, CK_ULONG *class, CK_ULONG *type)
{
	uint64_t c, t;

	if (!fw_attrs_has(attrs, CKA_CLASS))
		return CKR_TEMPLATE_INCOMPLETE;
	if (!fw_attrs_get_ulong(attrs, CKA_CLASS, &c))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	if (c != CKO_PUBLIC_KEY && c != CKO_PRIVATE_KEY && c != CKO_SECRET_KEY)
		return CKR_KEY_TYPE_INCONSISTENT;
	if (!fw_attrs_has(attrs, CKA_KEY_TYPE))
		return CKR_TEMPLATE_INCOMPLETE;
	if (!fw_attrs_get_ulong(attrs, CKA_KEY_TYPE, &t))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	/* A type that there is not, or one that does not belong to the class */
	if (c == CKO_SECRET_KEY ? !fw_secret_type(t) :
	    t != CKK_RSA && t != CKK_EC && t != CKK_EC_EDWARDS && t != CKK_EC_MONTGOMERY &&
	    !fw_pqc_type(t))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	*class = c;
	*type = t;
	return CKR_OK;
}

static CK_RV fw_key_load(struct fw_key *key, const struct fw_attrs *attrs)
{
	struct fw_bytes value;
	CK_RV rv;

	rv = fw_key_kind(attrs, &key->class, &key->type);
	if (rv != CKR_OK)
		return rv;
	if (key->class == CKO_SECRET_KEY) {
		if (!fw_attrs_get(attrs, CKA_VALUE, &value))
			return CKR_TEMPLATE_INCOMPLETE;
		rv = fw_secret_len_check(key->type, value.len);
		if (rv != CKR_OK)
			return rv;
		key->secret = malloc(value.len);
		if (!key->secret)
			return CKR_HOST_MEMORY;
		memcpy(key->secret, value.p, value.len);
		key->secret_len = value.len;
		key->bits = value.len * 8;
		return CKR_OK;
	}
	if (key->type == CKK_RSA)
		rv = fw_rsa_from_attrs(attrs, key->class, &key->pkey);
	else if (fw_pqc_type(key->type))
		rv = fw_pqc_from_attrs(attrs, key->class, key->type, &key->pqc, &key->pkey);
	else
		rv = fw_ec_from_attrs(attrs, key->class, key->type, &key->curve, &key->pkey);
	if (rv == CKR_OK)
		key->bits = key->curve ? key->curve->bits :
			    key->pqc ? (unsigned int)key->pqc->pub_len :
				       (unsigned int)EVP_PKEY_get_bits(key->pkey);
	return rv;
}

CK_RV fw_key_from_attrs(const struct fw_attrs *attrs, struct fw_key **out)
{
	struct fw_key *key;
	CK_RV rv;

	key = calloc(1, sizeof(*key));
	if (!key)
		return CKR_HOST_MEMORY;
	atomic_init(&key->refs, 1);
	rv = fw_key_load(key, attrs);
	if (rv != CKR_OK) {
		fw_key_unref(key);
		return rv;
	}
	*out = key;
	return CKR_OK;
}

struct fw_key *fw_key_ref(struct fw_key *key)
{
	atomic_fetch_add_explicit(&key->refs, 1, memory_order_relaxed);
	return key;
}

void fw_key_unref(struct fw_key *key)
{
	unsigned int i;

	/* The last one must see everything that the others did before they let go. */
	if (!key || atomic_fetch_sub_explicit(&key->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (i = 0; i < FW_POOL_SLOTS; i++)
		fw_ctx_free(atomic_load(&key->pool[i]));
	EVP_PKEY_free(key->pkey);
	fw_wipe_free(key->secret, key->secret_len);
	free(key);
}

CK_ULONG fw_key_class(const struct fw_key *key)
{
	return key->class;
}

CK_ULONG fw_key_type(const struct fw_key *key)
{
	return key->type;
}

unsigned int fw_key_bits(const struct fw_key *key)
{
	return key->bits;
}

/* ---- contexts ---- */

/*
 * Each thread prefers a slot of its own, so that engines that use one key at the same time
 * do not pass the same cache line and the same context to and fro.
 */
static unsigned int fw_pool_start(void)
{
	static atomic_uint next;
	static _Thread_local unsigned int mine;

	if (!mine)
		mine = 1 + atomic_fetch_add_explicit(&next, 1, memory_order_relaxed) %
			   FW_POOL_SLOTS;
	return mine - 1;
}

struct fw_ctx *fw_ctx_new(uint64_t tag, enum fw_ctx_kind kind)
{
	struct fw_ctx *ctx = calloc(1, sizeof(*ctx));

	if (ctx) {
		ctx->tag = tag;
		ctx->kind = kind;
	}
	return ctx;
}

void fw_ctx_free(struct fw_ctx *ctx)
{
	if (!ctx)
		return;
	/* libcrypto wipes what these hold of the key. */
	switch (ctx->kind) {
	case FW_CTX_MAC:
		EVP_MAC_CTX_free(ctx->mac);
		break;
	case FW_CTX_CIPHER:
		EVP_CIPHER_CTX_free(ctx->cipher);
		break;
	case FW_CTX_PKEY:
		EVP_PKEY_CTX_free(ctx->pkey);
		break;
	}
	free(ctx);
}

/* Into any empty slot, or away. */
static void fw_ctx_park(struct fw_key *key, struct fw_ctx *ctx, unsigned int start)
{
	unsigned int i;

	for (i = 0; i < FW_POOL_SLOTS; i++) {
		struct fw_ctx *empty = NULL;

		if (atomic_compare_exchange_strong(&key->pool[(start + i) % FW_POOL_SLOTS],
						   &empty, ctx))
			return;
	}
	fw_ctx_free(ctx);
}

struct fw_ctx *fw_ctx_take(struct fw_key *key, uint64_t tag)
{
	unsigned int start = fw_pool_start(), i;

	for (i = 0; i < FW_POOL_SLOTS; i++) {
		_Atomic(struct fw_ctx *) *slot = &key->pool[(start + i) % FW_POOL_SLOTS];
		struct fw_ctx *ctx;

		if (!atomic_load_explicit(slot, memory_order_relaxed))
			continue;
		/* Only what was taken out may be looked at: else it may be freed meanwhile. */
		ctx = atomic_exchange(slot, NULL);
		if (!ctx)
			continue;
		if (ctx->tag == tag)
			return ctx;
		fw_ctx_park(key, ctx, start + i);
	}
	return NULL;
}

void fw_ctx_give(struct fw_key *key, struct fw_ctx *ctx)
{
	unsigned int start = fw_pool_start();
	struct fw_ctx *old;

	/* The latest is the likeliest to be wanted again: it gets the best slot. */
	old = atomic_exchange(&key->pool[start], ctx);
	if (old)
		fw_ctx_park(key, old, start + 1);
}

/* ---- what is key material ---- */

/* Which keys have it, as bits */
#define HAS_RSA_PUB	(1U << 0)
#define HAS_RSA_PRIV	(1U << 1)
#define HAS_EC_PUB	(1U << 2)
#define HAS_EC_PRIV	(1U << 3)
#define HAS_PQC_PUB	(1U << 4)
#define HAS_PQC_PRIV	(1U << 5)
#define HAS_SECRET	(1U << 6)

static const struct {
	CK_ULONG	type;		/* attribute */
	bool		secret;		/* of private and secret keys: not to be read */
	bool		choice;		/* says which kind of key a new one shall be */
	unsigned int	has;
} fw_material[] = {
	{ CKA_MODULUS, false, false, HAS_RSA_PUB | HAS_RSA_PRIV },
	{ CKA_PUBLIC_EXPONENT, false, false, HAS_RSA_PUB | HAS_RSA_PRIV },
	{ CKA_PRIVATE_EXPONENT, true, false, HAS_RSA_PRIV },
	{ CKA_PRIME_1, true, false, HAS_RSA_PRIV },
	{ CKA_PRIME_2, true, false, HAS_RSA_PRIV },
	{ CKA_EXPONENT_1, true, false, HAS_RSA_PRIV },
	{ CKA_EXPONENT_2, true, false, HAS_RSA_PRIV },
	{ CKA_COEFFICIENT, true, false, HAS_RSA_PRIV },
	{ CKA_EC_PARAMS, false, true, HAS_EC_PUB | HAS_EC_PRIV },
	{ CKA_EC_POINT, false, false, HAS_EC_PUB | HAS_EC_PRIV },
	{ CKA_PARAMETER_SET, false, true, HAS_PQC_PUB | HAS_PQC_PRIV },
	{ CKA_SEED, true, false, HAS_PQC_PRIV },
	{ CKA_VALUE, true, false, HAS_EC_PRIV | HAS_PQC_PUB | HAS_PQC_PRIV | HAS_SECRET },
};

#define FW_MATERIAL_COUNT	(sizeof(fw_material) / sizeof(fw_material[0]))

static unsigned int fw_key_has(CK_ULONG class, CK_ULONG key_type)
{
	if (class == CKO_SECRET_KEY)
		return HAS_SECRET;
	if (class != CKO_PUBLIC_KEY && class != CKO_PRIVATE_KEY)
		return 0;
	if (key_type == CKK_RSA)
		return class == CKO_PUBLIC_KEY ? HAS_RSA_PUB : HAS_RSA_PRIV;
	if (fw_pqc_type(key_type))
		return class == CKO_PUBLIC_KEY ? HAS_PQC_PUB : HAS_PQC_PRIV;
	return class == CKO_PUBLIC_KEY ? HAS_EC_PUB : HAS_EC_PRIV;
}

bool fw_key_material_attr(CK_ULONG class, CK_ULONG key_type, CK_ULONG type)
{
	size_t i;

	for (i = 0; i < FW_MATERIAL_COUNT; i++)
		if (fw_material[i].type == type)
			return fw_material[i].has & fw_key_has(class, key_type);
	return false;
}

bool fw_key_any_material_attr(CK_ULONG type)
{
	size_t i;

	for (i = 0; i < FW_MATERIAL_COUNT; i++)
		if (fw_material[i].type == type)
			return true;
	return false;
}

bool fw_key_choice_attr(CK_ULONG class, CK_ULONG key_type, CK_ULONG type)
{
	size_t i;

	for (i = 0; i < FW_MATERIAL_COUNT; i++)
		if (fw_material[i].type == type)
			return fw_material[i].choice &&
			       fw_material[i].has & fw_key_has(class, key_type);
	return false;
}

bool fw_key_sensitive_attr(CK_ULONG class, CK_ULONG type)
{
	size_t i;

	if (class != CKO_PRIVATE_KEY && class != CKO_SECRET_KEY)
		return false;
	for (i = 0; i < FW_MATERIAL_COUNT; i++)
		if (fw_material[i].type == type)
			return fw_material[i].secret;
	return false;
}

CK_RV fw_key_complete(struct fw_attrs *attrs)
{
	CK_ULONG class, type;
	CK_RV rv;

	rv = fw_key_kind(attrs, &class, &type);
	if (rv != CKR_OK)
		return rv;
	if (class == CKO_SECRET_KEY)
		return fw_secret_complete(attrs, type);
	if (type == CKK_RSA)
		return fw_rsa_complete(attrs, class);
	if (fw_pqc_type(type))
		return fw_pqc_complete(attrs, class, type);
	return fw_ec_complete(attrs, class, type);
}
