/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the crypto layer share among themselves.
 */
#ifndef PCIEHSM_CRYPTO_INTERNAL_H
#define PCIEHSM_CRYPTO_INTERNAL_H

#include <stdatomic.h>

#include <openssl/evp.h>

#include "crypto/attrs.h"
#include "crypto/mech.h"

/* ---- the library: everything fetched once (lib.c) ---- */

/**
 * struct fw_hash - a digest and the numbers of everything that is built on it
 * @name:	libcrypto's
 * @len:	bytes of the digest
 * @digest:	CKM_* of the digest itself
 * @hmac:	CKM_*; @hmac_general is the one with a length
 * @hmac_general: CKM_*_HMAC_GENERAL
 * @hmac_key:	CKK_*
 * @rsa:	CKM_* of PKCS#1 v1.5 signatures
 * @pss:	CKM_*
 * @ecdsa:	CKM_*
 * @mgf:	CKG_*
 * @kdf:	CKD_*
 */
struct fw_hash {
	const char	*name;
	uint32_t	len;
	uint32_t	digest;
	uint32_t	hmac;
	uint32_t	hmac_general;
	uint32_t	hmac_key;
	uint32_t	rsa;
	uint32_t	pss;
	uint32_t	ecdsa;
	uint32_t	mgf;
	uint32_t	kdf;
};

#define FW_HASH_COUNT	9
extern const struct fw_hash fw_hashes[FW_HASH_COUNT];

enum fw_aes_mode {
	FW_AES_ECB,
	FW_AES_CBC,
	FW_AES_CTR,
	FW_AES_GCM,
	FW_AES_KW,
	FW_AES_KWP,
	FW_AES_MODES
};

/**
 * struct fw_lib - what was fetched from libcrypto
 *
 * A library context of our own: neither the host program's openssl.cnf nor what it
 * loads there changes what a card does. What libcrypto does not have is NULL, and the
 * mechanisms that need it are not in the list.
 */
struct fw_lib {
	OSSL_LIB_CTX	*ctx;
	EVP_MD		*md[FW_HASH_COUNT];
	EVP_CIPHER	*aes[FW_AES_MODES][3];	/* 128, 192, 256 bits */
	EVP_MAC		*hmac;
	EVP_MAC		*cmac;
	EVP_KDF		*hkdf;
	EVP_KDF		*x963kdf;
	EVP_KDF		*pbkdf2;
};

/** fw_lib() - the library; never NULL, lives as long as the process */
const struct fw_lib *fw_lib(void);

/** fw_hash_md() - libcrypto's object for a hash */
static inline const EVP_MD *fw_hash_md(const struct fw_hash *hash)
{
	return fw_lib()->md[hash - fw_hashes];
}

/* By CKM_* of the digest, CKG_* or CKD_*; NULL: no such. */
const struct fw_hash *fw_hash_by_digest(CK_ULONG mech);
const struct fw_hash *fw_hash_by_mgf(CK_ULONG mgf);
const struct fw_hash *fw_hash_by_kdf(CK_ULONG kdf);

/** fw_aes_cipher() - the cipher for a key of @key_len bytes, or NULL */
const EVP_CIPHER *fw_aes_cipher(enum fw_aes_mode mode, size_t key_len);

/** fw_hkdf() - HKDF (RFC 5869); mode is EVP_KDF_HKDF_MODE_* */
CK_RV fw_hkdf(const struct fw_hash *hash, int mode, struct fw_bytes key, struct fw_bytes salt,
	      struct fw_bytes info, uint8_t *out, size_t len);

/*
 * HKDF's "info" has no limit in RFC 5869; libcrypto has one (1024 bytes in 3.0).
 */
#define FW_HKDF_INFO_MAX	1024

/* ---- curves (curve.c) ---- */

enum fw_curve_kind {
	FW_CURVE_WEIERSTRASS,
	FW_CURVE_EDWARDS,
	FW_CURVE_MONTGOMERY
};

/**
 * struct fw_curve - a named curve
 * @kind:	which key type it belongs to
 * @name:	libcrypto's group name, or algorithm name if there are no groups
 * @nid:	libcrypto's number
 * @bits:	of the order, or what PKCS#11 says of the others
 * @len:	bytes of a coordinate and of a private value
 * @params:	CKA_EC_PARAMS: the OID in DER
 * @params_name: the same as a PrintableString in DER; {NULL, 0}: has none
 */
struct fw_curve {
	enum fw_curve_kind	kind;
	const char		*name;
	int			nid;
	unsigned int		bits;
	unsigned int		len;
	struct fw_bytes		params;
	struct fw_bytes		params_name;
};

/** fw_curve_find() - by CKA_EC_PARAMS and key type; NULL: not supported */
const struct fw_curve *fw_curve_find(CK_ULONG key_type, struct fw_bytes params);

/** fw_curve_by_group() - by libcrypto's group or algorithm name; NULL: not supported */
const struct fw_curve *fw_curve_by_name(const char *name);

/** fw_curve_key_type() - CKK_* */
CK_ULONG fw_curve_key_type(const struct fw_curve *curve);

/** fw_curve_point_len() - bytes of a public point without the OCTET STRING around it */
size_t fw_curve_point_len(const struct fw_curve *curve);

/**
 * fw_curve_point() - the bare point from CKA_EC_POINT or CK_ECDH1_DERIVE_PARAMS
 *
 * PKCS#11 wants a DER OCTET STRING in the former and allows both in the latter; callers
 * give both in both. Only uncompressed points are taken. No check of the curve's equation.
 *
 * Return: the part of @in that is the point; {NULL, 0}: not of this curve's form.
 */
struct fw_bytes fw_curve_point(const struct fw_curve *curve, struct fw_bytes in);

/**
 * fw_curve_pkey() - libcrypto's key
 * @curve:	the curve
 * @point:	the bare point, or {NULL, 0}
 * @secret:	the private value of exactly curve->len bytes, or {NULL, 0}
 * @pkey:	out
 *
 * Return: CKR_OK; CKR_PUBLIC_KEY_INVALID (not on the curve); CKR_ATTRIBUTE_VALUE_INVALID;
 * CKR_HOST_MEMORY.
 */
CK_RV fw_curve_pkey(const struct fw_curve *curve, struct fw_bytes point, struct fw_bytes secret,
		    EVP_PKEY **pkey);

/* Greatest point: P-521, uncompressed; greatest coordinate */
#define FW_POINT_MAX	(1 + 2 * 66)
#define FW_SCALAR_MAX	66

/**
 * fw_ec_public() - the public point of a private value
 * @curve:	the curve
 * @secret:	the private value of exactly curve->len bytes
 * @point:	out: the bare point
 *
 * Return: CKR_OK; CKR_ATTRIBUTE_VALUE_INVALID (not in range); CKR_HOST_MEMORY.
 */
CK_RV fw_ec_public(const struct fw_curve *curve, struct fw_bytes secret,
		   uint8_t point[FW_POINT_MAX]);

/**
 * fw_ec_recompute() - do the halves of a pair fit together?
 * @pub:	attributes of the public key
 * @priv:	of the private key
 * @type:	CKK_EC or another with curves
 *
 * The public point is computed once more from what is stored of the private key.
 *
 * Return: CKR_OK; CKR_DEVICE_ERROR: they do not; CKR_HOST_MEMORY.
 */
CK_RV fw_ec_recompute(const struct fw_attrs *pub, const struct fw_attrs *priv, CK_ULONG type);

/* ---- ML-KEM, ML-DSA, SLH-DSA (pqc.c) ---- */

/**
 * struct fw_pqc - a parameter set
 * @type:	CKK_*
 * @set:	CKP_*
 * @name:	libcrypto's algorithm name
 * @pub_len:	bytes of the public key
 * @priv_len:	bytes of the private key in its expanded form
 * @seed_len:	bytes that the private key can be made from; 0: no such
 * @out_len:	bytes of a signature or of a ciphertext
 */
struct fw_pqc {
	CK_ULONG	type;
	CK_ULONG	set;
	const char	*name;
	size_t		pub_len;
	size_t		priv_len;
	size_t		seed_len;
	size_t		out_len;
};

/** fw_pqc_type() - is it one of these key types? */
bool fw_pqc_type(CK_ULONG type);

/** fw_pqc_present() - has libcrypto every parameter set of this key type? */
bool fw_pqc_present(CK_ULONG type);

/**
 * fw_pqc_set() - what CKA_PARAMETER_SET names
 *
 * Return: CKR_OK; CKR_TEMPLATE_INCOMPLETE, CKR_ATTRIBUTE_VALUE_INVALID,
 * CKR_PARAMETER_SET_NOT_SUPPORTED.
 */
CK_RV fw_pqc_set(const struct fw_attrs *attrs, CK_ULONG type, const struct fw_pqc **pqc);

/** fw_pqc_of() - the parameter set of libcrypto's key; NULL: not one of these */
const struct fw_pqc *fw_pqc_of(const EVP_PKEY *pkey);

/* ---- keys (key.c) ---- */

#define FW_POOL_SLOTS	8

enum fw_ctx_kind {
	FW_CTX_MAC,
	FW_CTX_CIPHER,
	FW_CTX_PKEY
};

/**
 * struct fw_ctx - a libcrypto context that has a key in it already
 * @tag:	what it is set up for, FW_TAG()
 * @kind:	which member of the union
 * @iv_len:	GCM: what it is set to
 */
struct fw_ctx {
	uint64_t		tag;
	enum fw_ctx_kind	kind;
	size_t			iv_len;
	union {
		EVP_MAC_CTX	*mac;
		EVP_CIPHER_CTX	*cipher;
		EVP_PKEY_CTX	*pkey;
	};
};

#define FW_TAG(what, a, b, c)	\
	((uint64_t)(what) << 48 | (uint64_t)(a) << 32 | (uint64_t)(b) << 16 | (uint64_t)(c))

enum fw_tag {
	FW_TAG_HMAC = 1,
	FW_TAG_CMAC,
	FW_TAG_AES,
	FW_TAG_RSA,
	FW_TAG_ECDSA,
};

/**
 * struct fw_key - key material that can work
 * @refs:	references
 * @class:	CKO_*
 * @type:	CKK_*
 * @bits:	strength in the unit of the mechanism list times 8 for secret keys
 * @curve:	of EC, Edwards and Montgomery keys
 * @pqc:	of ML-KEM, ML-DSA and SLH-DSA keys, whose @bits are the bytes of the public key
 * @pkey:	of asymmetric keys
 * @secret:	of secret keys: @secret_len bytes
 * @secret_len:	may be 0 only in no valid key
 * @pool:	contexts that nobody uses at the moment. A thread takes one out, works, and
 *		puts it back; so no lock, and no thread sees another's.
 */
struct fw_key {
	atomic_uint			refs;
	CK_ULONG			class;
	CK_ULONG			type;
	unsigned int			bits;
	const struct fw_curve		*curve;
	const struct fw_pqc		*pqc;
	EVP_PKEY			*pkey;
	uint8_t				*secret;
	size_t				secret_len;
	_Atomic(struct fw_ctx *)	pool[FW_POOL_SLOTS];
};

/** fw_ctx_take() - a context set up for @tag, or NULL: make one */
struct fw_ctx *fw_ctx_take(struct fw_key *key, uint64_t tag);

/** fw_ctx_new() - an empty one; the caller sets the union's member */
struct fw_ctx *fw_ctx_new(uint64_t tag, enum fw_ctx_kind kind);

/** fw_ctx_give() - put back for the next one. Only what is fit to be used again. */
void fw_ctx_give(struct fw_key *key, struct fw_ctx *ctx);

/** fw_ctx_free() - may be NULL */
void fw_ctx_free(struct fw_ctx *ctx);

/* key_rsa.c, curve.c, pqc.c: from attributes, and check and completion of attributes */
CK_RV fw_rsa_from_attrs(const struct fw_attrs *attrs, CK_ULONG class, EVP_PKEY **pkey);
CK_RV fw_rsa_complete(struct fw_attrs *attrs, CK_ULONG class);
CK_RV fw_ec_from_attrs(const struct fw_attrs *attrs, CK_ULONG class, CK_ULONG type,
		       const struct fw_curve **curve, EVP_PKEY **pkey);
CK_RV fw_ec_complete(struct fw_attrs *attrs, CK_ULONG class, CK_ULONG type);
CK_RV fw_pqc_from_attrs(const struct fw_attrs *attrs, CK_ULONG class, CK_ULONG type,
			const struct fw_pqc **pqc, EVP_PKEY **pkey);
CK_RV fw_pqc_complete(struct fw_attrs *attrs, CK_ULONG class, CK_ULONG type);

/* The material of libcrypto's key as attributes of @class, with CKA_PUBLIC_KEY_INFO */
CK_RV fw_rsa_to_attrs(EVP_PKEY *pkey, CK_ULONG class, struct fw_attrs *attrs);
CK_RV fw_ec_to_attrs(EVP_PKEY *pkey, CK_ULONG class, struct fw_attrs *attrs);
CK_RV fw_pqc_to_attrs(EVP_PKEY *pkey, CK_ULONG class, struct fw_attrs *attrs);

static inline CK_RV fw_pkey_to_attrs(EVP_PKEY *pkey, CK_ULONG class, struct fw_attrs *attrs)
{
	if (EVP_PKEY_is_a(pkey, "RSA"))
		return fw_rsa_to_attrs(pkey, class, attrs);
	return fw_pqc_of(pkey) ? fw_pqc_to_attrs(pkey, class, attrs) :
				 fw_ec_to_attrs(pkey, class, attrs);
}

/** fw_ec_put_point() - CKA_EC_POINT from a bare point */
CK_RV fw_ec_put_point(struct fw_attrs *attrs, struct fw_bytes point);

/** fw_ec_put_spki() - CKA_PUBLIC_KEY_INFO from a bare point; if given already, it must agree */
CK_RV fw_ec_put_spki(struct fw_attrs *attrs, const struct fw_curve *curve, struct fw_bytes point);

/* key_secret.c */
bool fw_secret_type(CK_ULONG type);
/** fw_secret_len_check() - CKR_KEY_SIZE_RANGE if the type does not allow that length */
CK_RV fw_secret_len_check(CK_ULONG type, size_t len);
CK_RV fw_secret_complete(struct fw_attrs *attrs, CK_ULONG type);

/** fw_key_any_material_attr() - is it material of any kind of key at all? */
bool fw_key_any_material_attr(CK_ULONG type);

/**
 * fw_key_choice_attr() - material that a template for a new key may have, because it says
 * which kind of key
 */
bool fw_key_choice_attr(CK_ULONG class, CK_ULONG key_type, CK_ULONG type);

/* derive.c */
/**
 * fw_derive_template() - what a template for a secret asks for
 * @len:	out: 0 if it does not say and its type leaves it open
 */
CK_RV fw_derive_template(struct fw_attrs *attrs, CK_ULONG class, uint64_t *type, uint64_t *len);
/** fw_derive_done() - the secret's value, and what follows from it */
CK_RV fw_derive_done(struct fw_attrs *attrs, CK_ULONG class, uint64_t type,
		     const uint8_t *value, size_t len);

/* Longest secret key, bytes */
#define FW_SECRET_MAX	512
#define FW_RSA_MIN	2048
#define FW_RSA_MAX	4096
/* libcrypto takes no longer public exponent for moduli over 3072 bits */
#define FW_RSA_E_BITS	64

/** fw_attrs_put_bn() - a big integer from BIGNUM, as attrs.h says */
CK_RV fw_attrs_put_bn(struct fw_attrs *attrs, CK_ULONG type, const BIGNUM *bn);

/**
 * fw_attrs_want() - an attribute that must be these bytes, or is set to them
 *
 * Return: CKR_OK; CKR_TEMPLATE_INCONSISTENT if there are other ones (an empty value counts as
 * none).
 */
CK_RV fw_attrs_want(struct fw_attrs *attrs, CK_ULONG type, const void *value, size_t len);

/** fw_attrs_want_ulong() - the same with a number */
CK_RV fw_attrs_want_ulong(struct fw_attrs *attrs, CK_ULONG type, uint64_t value);

/* ---- mechanisms (mech.c) ---- */

struct fw_work;
struct fw_op;

/**
 * struct fw_mech_ops - how a family of mechanisms works
 * @check:	parameters and key against the mechanism; fills in struct fw_work
 * @bound:	upper bound of the result for so much input
 * @once:	all in one; @out has room for @bound; @sig only to verify
 * @finish:	families with a hash in front: the rest, from the digest on
 * @stream:	several parts; NULL: the input is collected, and @once is called
 */
struct fw_mech_ops {
	CK_RV	(*check)(struct fw_work *w, const struct fw_mech_params *p);
	size_t	(*bound)(const struct fw_work *w, size_t in_len);
	CK_RV	(*once)(const struct fw_work *w, struct fw_bytes in,
			const struct fw_bytes *sig, uint8_t *out, size_t *out_len);
	CK_RV	(*finish)(const struct fw_work *w, struct fw_bytes digest,
			  const struct fw_bytes *sig, uint8_t *out, size_t *out_len);
	const struct fw_stream *stream;
};

/**
 * struct fw_stream - how a family works in several parts
 * @begin:	set up op->md or op->ctx
 * @update_bound: exact length of what the next update gives; NULL: nothing
 * @update:	@out has room for that
 * @final_bound: upper bound of what the end gives; not called to verify
 * @final:	@out has room for that
 */
struct fw_stream {
	CK_RV	(*begin)(struct fw_op *op);
	size_t	(*update_bound)(const struct fw_op *op, size_t in_len);
	CK_RV	(*update)(struct fw_op *op, struct fw_bytes in, uint8_t *out, size_t *out_len);
	size_t	(*final_bound)(const struct fw_op *op);
	CK_RV	(*final)(struct fw_op *op, const struct fw_bytes *sig, uint8_t *out,
			 size_t *out_len);
};

/**
 * struct fw_mech - a mechanism
 * @info:	its line in the list
 * @ops:	how it works; NULL: only for keys (generate, derive)
 * @hash:	that is part of it
 * @variant:	the family's own: enum fw_aes_mode, padding, or the like
 */
struct fw_mech {
	struct fw_mech_info		info;
	const struct fw_mech_ops	*ops;
	const struct fw_hash		*hash;
	unsigned int			variant;
};

const struct fw_mech *fw_mech_get(CK_ULONG mech);

/**
 * struct fw_work - an operation that was checked: what, with what
 * @fn:		PCIEHSM_FN_*
 * @mech:	the mechanism
 * @p:		its parameters, checked
 * @key:	borrowed
 * @hash:	the mechanism's or the parameter's
 * @mgf:	PSS, OAEP
 * @len:	bytes of the MAC or of GCM's tag
 */
struct fw_work {
	enum pciehsm_function		fn;
	const struct fw_mech		*mech;
	const struct fw_mech_params	*p;
	struct fw_key			*key;
	const struct fw_hash		*hash;
	const struct fw_hash		*mgf;
	size_t				len;
};

/**
 * fw_work_init() - check everything that can be checked before there are data
 *
 * fn 0 with @flag = CKF_WRAP or CKF_UNWRAP: for fw_wrap() and fw_unwrap(), which
 * encrypt and decrypt.
 */
CK_RV fw_work_init(struct fw_work *w, enum pciehsm_function fn, CK_ULONG flag, CK_ULONG mech,
		   const struct fw_mech_params *params, struct fw_key *key);

/**
 * fw_work_once() - run it, with room for whatever comes
 *
 * As fw_op_once() from where that has checked its arguments.
 */
CK_RV fw_work_once(const struct fw_work *w, struct fw_bytes in, const struct fw_bytes *sig,
		   uint8_t *out, size_t *out_len);

/** fw_params_only() - CKR_MECHANISM_PARAM_INVALID unless @must are given and no more than @may */
CK_RV fw_params_only(const struct fw_mech_params *p, uint32_t must, uint32_t may);

/**
 * struct fw_op - an operation in several parts
 * @w:		what; points to @params
 * @params:	a copy, whose bytes are in @param_mem
 * @md:		hash in front
 * @ctx:	cipher or MAC, taken out of the key's pool
 * @held:	cipher: bytes inside libcrypto that have not come out yet
 * @total:	cipher: bytes gone in
 * @collect:	input that waits for the end: @collect_len of @collect_room
 * @pending:	the result of a final that found too little room
 */
struct fw_op {
	struct fw_work		w;
	struct fw_mech_params	params;
	uint8_t			*param_mem;
	size_t			param_len;
	EVP_MD_CTX		*md;
	struct fw_ctx		*ctx;
	size_t			held;
	uint64_t		total;
	uint8_t			*collect;
	size_t			collect_len;
	size_t			collect_room;
	uint8_t			*pending;
	size_t			pending_len;
	size_t			pending_room;
	bool			has_pending;
};

extern const struct fw_mech_ops fw_digest_ops, fw_hmac_ops, fw_cmac_ops;
extern const struct fw_mech_ops fw_aes_ops, fw_aes_gcm_ops, fw_aes_kw_ops;
extern const struct fw_mech_ops fw_rsa_ops, fw_rsa_hash_ops;
/**
 * fw_once() - sign or verify with a key that hashes by itself (EdDSA, ML-DSA, SLH-DSA)
 * @w:		the work, with the key
 * @in:		the message
 * @sig:	NULL: sign; else the signature to verify
 * @params:	for libcrypto
 * @sig_len:	bytes of a signature
 * @out:	room for @sig_len bytes; not used to verify
 * @out_len:	out: bytes of the signature
 */
CK_RV fw_once(const struct fw_work *w, struct fw_bytes in, const struct fw_bytes *sig,
	      const OSSL_PARAM *params, size_t sig_len, uint8_t *out, size_t *out_len);

extern const struct fw_mech_ops fw_ecdsa_ops, fw_ecdsa_hash_ops, fw_eddsa_ops;
/* variant: the key type */
extern const struct fw_mech_ops fw_pqc_sign_ops;
/* Bytes of a secret that ML-KEM shares (FIPS 203, table 3) */
#define FW_KEM_SECRET		32

/* variant of AES mechanisms: a mode, and this if PKCS#7 padding goes with it */
#define FW_AES_PAD	0x100U

/* variant of RSA mechanisms */
enum fw_rsa_pad {
	FW_RSA_PKCS1,
	FW_RSA_PSS,
	FW_RSA_OAEP,
	FW_RSA_RAW,
};

/* variant of HMAC and CMAC: of a length that the caller gives */
#define FW_MAC_GENERAL	1U

/* A hash in front of a signature, for the families' ops tables (op_hash.c) */
CK_RV fw_hashed_once(const struct fw_work *w, struct fw_bytes in, const struct fw_bytes *sig,
		     uint8_t *out, size_t *out_len);
extern const struct fw_stream fw_hashed_stream;

/** fw_is_verify() - does the function give a verdict and no bytes? */
static inline bool fw_is_verify(const struct fw_work *w)
{
	return w->fn == PCIEHSM_FN_VERIFY;
}

/** fw_is_decrypt() - the direction of ciphers */
static inline bool fw_is_decrypt(const struct fw_work *w)
{
	return w->fn == PCIEHSM_FN_DECRYPT;
}

/** fw_mac_verdict() - compare a MAC that was computed with the one that was given */
CK_RV fw_mac_verdict(const uint8_t *mac, size_t len, const struct fw_bytes *sig);

/* ---- identity (identity.c), for the channel ---- */

struct fw_identity;
struct fw_peer;

#define FW_SHA384_LEN	48

/* libcrypto's keys; borrowed */
EVP_PKEY *fw_identity_key(const struct fw_identity *id);
EVP_PKEY *fw_peer_key(const struct fw_peer *peer);
/* SHA-384 of the card's own certificate */
const uint8_t *fw_identity_leaf_hash(const struct fw_identity *id);
const uint8_t *fw_peer_leaf_hash(const struct fw_peer *peer);
/** fw_partition_serial_of() - is it the serial of a partition of that HSM? */
bool fw_partition_serial_of(const char *partition, const char *hsm);

#endif /* PCIEHSM_CRYPTO_INTERNAL_H */
