// SPDX-License-Identifier: GPL-2.0-or-later
#include "objects/rules.h"

#include <string.h>

#include "crypto/mech.h"
#include "message/template.h"
#include "message/wire.h"

enum form {
	FORM_BOOL,
	FORM_ULONG,
	FORM_DATE,
	FORM_BYTES,
	FORM_MECHANISMS,
	FORM_TEMPLATE,
};

/* Classes, as bits */
#define DATA		(1U << CKO_DATA)
#define CERT		(1U << CKO_CERTIFICATE)
#define PUBLIC		(1U << CKO_PUBLIC_KEY)
#define PRIVATE		(1U << CKO_PRIVATE_KEY)
#define SECRET		(1U << CKO_SECRET_KEY)
#define DOMAIN		(1U << CKO_DOMAIN_PARAMETERS)
#define ANY		(DATA | CERT | PUBLIC | PRIVATE | SECRET | DOMAIN)
#define KEYS		(PUBLIC | PRIVATE | SECRET)

/* The card's own: no template may name it. */
#define R_INTERNAL	(1U << 0)
/* C_SetAttributeValue may change it; so may C_CopyObject. */
#define R_SET		(1U << 1)
/* Only C_CopyObject may. */
#define R_COPY		(1U << 2)
/* One way only: from false to true, or from true to false */
#define R_UP		(1U << 3)
#define R_DOWN		(1U << 4)
/* Has to come with C_CreateObject. */
#define R_REQUIRED	(1U << 5)
/* Must not come with C_CreateObject: it follows from the material. */
#define R_FOLLOWS	(1U << 6)
/* Part of a key's material: crypto/key.h knows which key has it. */
#define R_MATERIAL	(1U << 7)
/* Says what a key may do. */
#define R_USAGE		(1U << 8)
/* The firmware can not do what true would mean. */
#define R_ONLY_FALSE	(1U << 9)
/* Only the security officer makes it true, of an object that exists. */
#define R_SO		(1U << 11)
/* Only such keys have the default. */
#define R_ML_KEM	(1U << 10)
/* Default, if the template says nothing */
#define R_FALSE		(1U << 12)
#define R_TRUE		(1U << 13)
#define R_EMPTY		(1U << 14)
#define R_ZERO		(1U << 15)

static const struct rule {
	uint32_t	type;
	uint8_t		form;
	uint32_t	classes;
	uint32_t	flags;
} rules[] = {
	/* every object */
	{ CKA_CLASS, FORM_ULONG, ANY, R_REQUIRED },
	{ CKA_TOKEN, FORM_BOOL, ANY, R_COPY | R_FALSE },
	{ CKA_PRIVATE, FORM_BOOL, DATA | CERT | PUBLIC | DOMAIN, R_COPY | R_UP | R_FALSE },
	{ CKA_PRIVATE, FORM_BOOL, PRIVATE | SECRET, R_COPY | R_UP | R_TRUE },
	{ CKA_LABEL, FORM_BYTES, ANY, R_SET | R_EMPTY },
	{ CKA_UNIQUE_ID, FORM_BYTES, ANY, R_INTERNAL },
	{ CKA_MODIFIABLE, FORM_BOOL, ANY, R_COPY | R_TRUE },
	{ CKA_COPYABLE, FORM_BOOL, ANY, R_COPY | R_DOWN | R_TRUE },
	{ CKA_DESTROYABLE, FORM_BOOL, ANY, R_COPY | R_TRUE },

	/* data */
	{ CKA_APPLICATION, FORM_BYTES, DATA, R_EMPTY },
	{ CKA_OBJECT_ID, FORM_BYTES, DATA, R_EMPTY },
	{ CKA_VALUE, FORM_BYTES, DATA, R_EMPTY },

	/* certificates */
	{ CKA_CERTIFICATE_TYPE, FORM_ULONG, CERT, R_REQUIRED },
	{ CKA_TRUSTED, FORM_BOOL, CERT, R_SET | R_FALSE | R_SO },
	{ CKA_CERTIFICATE_CATEGORY, FORM_ULONG, CERT, R_ZERO },
	{ CKA_CHECK_VALUE, FORM_BYTES, CERT, 0 },
	{ CKA_START_DATE, FORM_DATE, CERT, R_EMPTY },
	{ CKA_END_DATE, FORM_DATE, CERT, R_EMPTY },
	{ CKA_PUBLIC_KEY_INFO, FORM_BYTES, CERT, R_EMPTY },
	{ CKA_SUBJECT, FORM_BYTES, CERT, R_EMPTY },
	{ CKA_ID, FORM_BYTES, CERT, R_SET | R_EMPTY },
	{ CKA_ISSUER, FORM_BYTES, CERT, R_SET | R_EMPTY },
	{ CKA_SERIAL_NUMBER, FORM_BYTES, CERT, R_SET | R_EMPTY },
	{ CKA_VALUE, FORM_BYTES, CERT, R_EMPTY },
	{ CKA_URL, FORM_BYTES, CERT, R_EMPTY },
	{ CKA_HASH_OF_SUBJECT_PUBLIC_KEY, FORM_BYTES, CERT, R_EMPTY },
	{ CKA_HASH_OF_ISSUER_PUBLIC_KEY, FORM_BYTES, CERT, R_EMPTY },
	{ CKA_JAVA_MIDP_SECURITY_DOMAIN, FORM_ULONG, CERT, R_ZERO },
	{ CKA_NAME_HASH_ALGORITHM, FORM_ULONG, CERT, 0 },
	{ CKA_OWNER, FORM_BYTES, CERT, 0 },
	{ CKA_AC_ISSUER, FORM_BYTES, CERT, 0 },
	{ CKA_ATTR_TYPES, FORM_BYTES, CERT, 0 },

	/* keys */
	{ CKA_KEY_TYPE, FORM_ULONG, KEYS, R_REQUIRED },
	{ CKA_ID, FORM_BYTES, KEYS, R_SET | R_EMPTY },
	{ CKA_START_DATE, FORM_DATE, KEYS, R_SET | R_EMPTY },
	{ CKA_END_DATE, FORM_DATE, KEYS, R_SET | R_EMPTY },
	{ CKA_DERIVE, FORM_BOOL, KEYS, R_SET | R_USAGE | R_FALSE },
	{ CKA_LOCAL, FORM_BOOL, KEYS, R_INTERNAL | R_FALSE },
	{ CKA_KEY_GEN_MECHANISM, FORM_ULONG, KEYS, R_INTERNAL },
	{ CKA_ALLOWED_MECHANISMS, FORM_MECHANISMS, KEYS, 0 },
	{ CKA_SUBJECT, FORM_BYTES, PUBLIC | PRIVATE, R_SET | R_EMPTY },
	{ CKA_PUBLIC_KEY_INFO, FORM_BYTES, PUBLIC | PRIVATE, 0 },
	{ CKA_ENCRYPT, FORM_BOOL, PUBLIC | SECRET, R_SET | R_USAGE | R_TRUE },
	{ CKA_DECRYPT, FORM_BOOL, PRIVATE | SECRET, R_SET | R_USAGE | R_TRUE },
	{ CKA_SIGN, FORM_BOOL, PRIVATE | SECRET, R_SET | R_USAGE | R_TRUE },
	{ CKA_SIGN_RECOVER, FORM_BOOL, PRIVATE, R_SET | R_USAGE | R_TRUE },
	{ CKA_VERIFY, FORM_BOOL, PUBLIC | SECRET, R_SET | R_USAGE | R_TRUE },
	{ CKA_VERIFY_RECOVER, FORM_BOOL, PUBLIC, R_SET | R_USAGE | R_TRUE },
	{ CKA_WRAP, FORM_BOOL, PUBLIC | SECRET, R_SET | R_USAGE | R_TRUE },
	{ CKA_UNWRAP, FORM_BOOL, PRIVATE | SECRET, R_SET | R_USAGE | R_TRUE },
	{ CKA_ENCAPSULATE, FORM_BOOL, PUBLIC, R_SET | R_USAGE | R_TRUE | R_ML_KEM },
	{ CKA_DECAPSULATE, FORM_BOOL, PRIVATE, R_SET | R_USAGE | R_TRUE | R_ML_KEM },
	{ CKA_TRUSTED, FORM_BOOL, PUBLIC | SECRET, R_SET | R_FALSE | R_SO },
	{ CKA_WRAP_TEMPLATE, FORM_TEMPLATE, PUBLIC | SECRET, 0 },
	{ CKA_UNWRAP_TEMPLATE, FORM_TEMPLATE, PRIVATE | SECRET, 0 },
	{ CKA_DERIVE_TEMPLATE, FORM_TEMPLATE, PRIVATE | SECRET, 0 },
	{ CKA_ENCAPSULATE_TEMPLATE, FORM_TEMPLATE, PUBLIC, 0 },
	{ CKA_DECAPSULATE_TEMPLATE, FORM_TEMPLATE, PRIVATE, 0 },
	{ CKA_SENSITIVE, FORM_BOOL, PRIVATE | SECRET, R_SET | R_UP | R_TRUE },
	{ CKA_EXTRACTABLE, FORM_BOOL, PRIVATE | SECRET, R_SET | R_DOWN | R_FALSE },
	{ CKA_WRAP_WITH_TRUSTED, FORM_BOOL, PRIVATE | SECRET, R_SET | R_UP | R_FALSE },
	{ CKA_ALWAYS_SENSITIVE, FORM_BOOL, PRIVATE | SECRET, R_INTERNAL | R_FALSE },
	{ CKA_NEVER_EXTRACTABLE, FORM_BOOL, PRIVATE | SECRET, R_INTERNAL | R_FALSE },
	{ CKA_ALWAYS_AUTHENTICATE, FORM_BOOL, PRIVATE, R_FALSE | R_ONLY_FALSE },
	{ CKA_CHECK_VALUE, FORM_BYTES, SECRET, 0 },

	{ PCIEHSM_CKA_ORIGIN, FORM_BYTES, PRIVATE | SECRET, R_INTERNAL },

	/* domain parameters: which of them must be there, rules_check_domain() knows */
	{ CKA_KEY_TYPE, FORM_ULONG, DOMAIN, R_REQUIRED },
	{ CKA_LOCAL, FORM_BOOL, DOMAIN, R_INTERNAL | R_FALSE },
	{ CKA_EC_PARAMS, FORM_BYTES, DOMAIN, 0 },
	{ CKA_PRIME, FORM_BYTES, DOMAIN, 0 },
	{ CKA_SUBPRIME, FORM_BYTES, DOMAIN, 0 },
	{ CKA_BASE, FORM_BYTES, DOMAIN, 0 },
	{ CKA_PRIME_BITS, FORM_ULONG, DOMAIN, R_FOLLOWS },
	{ CKA_SUB_PRIME_BITS, FORM_ULONG, DOMAIN, R_FOLLOWS },

	/* what keys consist of */
	{ CKA_MODULUS, FORM_BYTES, PUBLIC | PRIVATE, R_MATERIAL },
	{ CKA_MODULUS_BITS, FORM_ULONG, PUBLIC, R_MATERIAL | R_FOLLOWS },
	{ CKA_PUBLIC_EXPONENT, FORM_BYTES, PUBLIC | PRIVATE, R_MATERIAL },
	{ CKA_PRIVATE_EXPONENT, FORM_BYTES, PRIVATE, R_MATERIAL },
	{ CKA_PRIME_1, FORM_BYTES, PRIVATE, R_MATERIAL },
	{ CKA_PRIME_2, FORM_BYTES, PRIVATE, R_MATERIAL },
	{ CKA_EXPONENT_1, FORM_BYTES, PRIVATE, R_MATERIAL },
	{ CKA_EXPONENT_2, FORM_BYTES, PRIVATE, R_MATERIAL },
	{ CKA_COEFFICIENT, FORM_BYTES, PRIVATE, R_MATERIAL },
	{ CKA_EC_PARAMS, FORM_BYTES, PUBLIC | PRIVATE, R_MATERIAL },
	{ CKA_EC_POINT, FORM_BYTES, PUBLIC, R_MATERIAL },
	{ CKA_PARAMETER_SET, FORM_ULONG, PUBLIC | PRIVATE, R_MATERIAL },
	{ CKA_SEED, FORM_BYTES, PRIVATE, R_MATERIAL },
	{ CKA_VALUE, FORM_BYTES, KEYS, R_MATERIAL },
	{ CKA_VALUE_LEN, FORM_ULONG, SECRET, R_MATERIAL | R_FOLLOWS },
};

#define RULE_COUNT	(sizeof(rules) / sizeof(rules[0]))

static const struct rule *rule_of(uint32_t type, uint64_t class)
{
	size_t i;

	for (i = 0; i < RULE_COUNT; i++)
		if (rules[i].type == type && (rules[i].classes & (1U << class)))
			return &rules[i];
	return NULL;
}

static bool class_known(uint64_t class)
{
	return class <= CKO_DOMAIN_PARAMETERS && (ANY & (1U << class));
}

static bool date_valid(const uint8_t *d)
{
	unsigned int month, day, i;

	for (i = 0; i < 8; i++)
		if (d[i] < '0' || d[i] > '9')
			return false;
	month = (d[4] - '0') * 10U + (d[5] - '0');
	day = (d[6] - '0') * 10U + (d[7] - '0');
	return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

static bool form_valid(enum form form, const uint8_t *value, size_t len);

/* A template inside of an attribute: of known attributes, but no template again. */
static bool nested_valid(const uint8_t *data, size_t len)
{
	struct template_iter it = TEMPLATE_ITER(data, len);
	struct fw_attrs attrs = { 0 };
	struct attr a;
	bool ok;
	size_t i;

	if (!template_valid(data, len))
		return false;
	ok = template_to_attrs(data, len, &attrs) == CKR_OK;
	fw_attrs_wipe(&attrs);
	while (ok && template_next(&it, &a)) {
		for (i = 0; i < RULE_COUNT && rules[i].type != a.type; i++)
			;
		ok = i < RULE_COUNT && rules[i].form != FORM_TEMPLATE &&
		     form_valid(rules[i].form, a.value, a.len);
	}
	return ok;
}

static bool form_valid(enum form form, const uint8_t *value, size_t len)
{
	switch (form) {
	case FORM_BOOL:
		return len == 1 && value[0] <= 1;
	case FORM_ULONG:
		/* Nothing that a CK_ULONG of 32 bits could not hold. */
		return len == 8 && wire_get64(value) <= UINT32_MAX;
	case FORM_DATE:
		return len == 0 || (len == 8 && date_valid(value));
	case FORM_MECHANISMS:
		return len % 8 == 0;
	case FORM_TEMPLATE:
		return nested_valid(value, len);
	default:
		return true;
	}
}

static bool value_valid(const struct rule *r, const struct fw_attr *a)
{
	return form_valid(r->form, fw_attr_value(a), a->len);
}

static bool is_true(const struct fw_attr *a)
{
	return fw_attr_value(a)[0] != 0;
}

static CK_RV check_one(const struct fw_attr *a, uint64_t class, uint64_t key_type,
		       bool have_type, enum rules_for how)
{
	const struct rule *r = rule_of(a->type, class);

	if (!r)
		return CKR_ATTRIBUTE_TYPE_INVALID;
	if (r->flags & R_INTERNAL)
		return CKR_ATTRIBUTE_READ_ONLY;
	if (how == RULES_CREATE && (r->flags & R_FOLLOWS))
		return CKR_ATTRIBUTE_READ_ONLY;
	if (!value_valid(r, a))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	/* What would make a promise that this card does not keep. */
	if ((r->flags & R_ONLY_FALSE) && is_true(a))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	if ((r->flags & R_SO) && is_true(a))
		return CKR_ATTRIBUTE_READ_ONLY;
	if (how == RULES_CREATE && (r->flags & R_MATERIAL) && have_type &&
	    !fw_key_material_attr(class, key_type, a->type))
		return CKR_ATTRIBUTE_TYPE_INVALID;
	return CKR_OK;
}

CK_RV rules_check(const struct fw_attrs *attrs, uint64_t class, enum rules_for how)
{
	uint64_t key_type = 0;
	bool have_type;
	unsigned int i;
	CK_RV rv;

	if (!class_known(class))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	have_type = fw_attrs_get_ulong(attrs, CKA_KEY_TYPE, &key_type);
	for (i = 0; i < attrs->count; i++) {
		rv = check_one(&attrs->list[i], class, key_type, have_type, how);
		if (rv != CKR_OK)
			return rv;
	}
	if (how == RULES_CREATE)
		for (i = 0; i < RULE_COUNT; i++)
			if ((rules[i].flags & R_REQUIRED) && (rules[i].classes & (1U << class)) &&
			    !fw_attrs_has(attrs, rules[i].type))
				return CKR_TEMPLATE_INCOMPLETE;
	return CKR_OK;
}

/* Bits of a big integer, which has no leading zeroes */
static uint64_t bits_of(const struct fw_bytes *n)
{
	uint64_t bits = n->len * 8;
	uint8_t top = n->len ? n->p[0] : 0;

	if (!n->len)
		return 0;
	for (; !(top & 0x80) && bits; bits--)
		top <<= 1;
	return bits;
}

static const struct {
	uint64_t	key_type;
	uint32_t	has[3];		/* which of the attributes below it must have */
} domains[] = {
	{ CKK_EC, { CKA_EC_PARAMS } },
	{ CKK_DH, { CKA_PRIME, CKA_BASE } },
	{ CKK_DSA, { CKA_PRIME, CKA_SUBPRIME, CKA_BASE } },
	{ CKK_X9_42_DH, { CKA_PRIME, CKA_SUBPRIME, CKA_BASE } },
};

static const uint32_t domain_attrs[] = { CKA_EC_PARAMS, CKA_PRIME, CKA_SUBPRIME, CKA_BASE };

static bool domain_has(size_t domain, uint32_t type)
{
	unsigned int i;

	for (i = 0; i < 3; i++)
		if (domains[domain].has[i] == type)
			return true;
	return false;
}

CK_RV rules_check_domain(struct fw_attrs *attrs)
{
	struct fw_bytes value, prime = { 0 }, subprime = { 0 };
	uint64_t key_type = 0;
	size_t d, i;
	CK_RV rv;

	fw_attrs_get_ulong(attrs, CKA_KEY_TYPE, &key_type);
	for (d = 0; d < sizeof(domains) / sizeof(domains[0]); d++)
		if (domains[d].key_type == key_type)
			break;
	if (d == sizeof(domains) / sizeof(domains[0]))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	for (i = 0; i < sizeof(domain_attrs) / sizeof(domain_attrs[0]); i++) {
		bool has = fw_attrs_get(attrs, domain_attrs[i], &value);

		if (has && !domain_has(d, domain_attrs[i]))
			return CKR_TEMPLATE_INCONSISTENT;
		if (!has && domain_has(d, domain_attrs[i]))
			return CKR_TEMPLATE_INCOMPLETE;
		if (has && (!value.len || (domain_attrs[i] != CKA_EC_PARAMS && !value.p[0])))
			return CKR_ATTRIBUTE_VALUE_INVALID;
	}
	if (fw_attrs_get(attrs, CKA_PRIME, &prime)) {
		rv = fw_attrs_put_ulong(attrs, CKA_PRIME_BITS, bits_of(&prime));
		if (rv != CKR_OK)
			return rv;
	}
	/* After the set has changed, looked up again */
	if (key_type != CKK_DH && fw_attrs_get(attrs, CKA_SUBPRIME, &subprime))
		return fw_attrs_put_ulong(attrs, CKA_SUB_PRIME_BITS, bits_of(&subprime));
	return CKR_OK;
}

/* Attributes of certificates whose values are numbers from 0 to 3 */
static bool small(const struct fw_attrs *attrs, uint32_t type)
{
	uint64_t value = 0;

	fw_attrs_get_ulong(attrs, type, &value);
	return value <= 3;
}

/* CKA_CHECK_VALUE: empty, or the first three bytes of SHA-1 of the certificate */
static CK_RV certificate_check_value(struct fw_bytes check, struct fw_bytes value)
{
	uint8_t sum[20];
	size_t len = sizeof(sum);
	CK_RV rv;

	if (!check.len)
		return CKR_OK;
	if (check.len != 3 || !value.len)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	rv = fw_op_once(PCIEHSM_FN_DIGEST, CKM_SHA_1, NULL, NULL, value.p, value.len, NULL, sum,
			&len);
	if (rv != CKR_OK)
		return rv;
	return memcmp(sum, check.p, 3) ? CKR_ATTRIBUTE_VALUE_INVALID : CKR_OK;
}

CK_RV rules_check_certificate(const struct fw_attrs *attrs)
{
	struct fw_bytes value = { 0 }, url = { 0 }, of_subject = { 0 }, of_issuer = { 0 };
	struct fw_bytes check = { 0 }, info = { 0 };
	uint64_t type = 0;

	fw_attrs_get_ulong(attrs, CKA_CERTIFICATE_TYPE, &type);
	fw_attrs_get(attrs, CKA_VALUE, &value);
	fw_attrs_get(attrs, CKA_URL, &url);
	fw_attrs_get(attrs, CKA_HASH_OF_SUBJECT_PUBLIC_KEY, &of_subject);
	fw_attrs_get(attrs, CKA_HASH_OF_ISSUER_PUBLIC_KEY, &of_issuer);
	fw_attrs_get(attrs, CKA_CHECK_VALUE, &check);
	fw_attrs_get(attrs, CKA_PUBLIC_KEY_INFO, &info);
	switch (type) {
	case CKC_X_509:
	case CKC_WTLS:
		if (!fw_attrs_has(attrs, CKA_SUBJECT) || (!value.len && !url.len))
			return CKR_TEMPLATE_INCOMPLETE;
		/* What is fetched from elsewhere is known by its keys. */
		if (url.len && (!of_subject.len || !of_issuer.len))
			return CKR_TEMPLATE_INCOMPLETE;
		break;
	case CKC_X_509_ATTR_CERT:
		if (!fw_attrs_has(attrs, CKA_OWNER) || !value.len)
			return CKR_TEMPLATE_INCOMPLETE;
		break;
	default:
		return CKR_ATTRIBUTE_VALUE_INVALID;
	}
	if (!small(attrs, CKA_CERTIFICATE_CATEGORY) || !small(attrs, CKA_JAVA_MIDP_SECURITY_DOMAIN))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	/* A certificate of X.509 has the SubjectPublicKeyInfo in it, byte by byte. */
	if (type == CKC_X_509 && value.len && info.len &&
	    !memmem(value.p, value.len, info.p, info.len))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	return certificate_check_value(check, value);
}

bool rules_sound(const struct fw_attrs *attrs)
{
	const struct rule *r;
	uint64_t class;
	unsigned int i;

	if (!fw_attrs_get_ulong(attrs, CKA_CLASS, &class) || !class_known(class))
		return false;
	for (i = 0; i < attrs->count; i++) {
		r = rule_of(attrs->list[i].type, class);
		if (!r || !value_valid(r, &attrs->list[i]))
			return false;
	}
	return true;
}

CK_RV rules_defaults(struct fw_attrs *attrs, uint64_t class)
{
	const struct rule *r;
	uint64_t key_type = 0;
	CK_RV rv = CKR_OK;

	fw_attrs_get_ulong(attrs, CKA_KEY_TYPE, &key_type);
	for (r = rules; rv == CKR_OK && r < rules + RULE_COUNT; r++) {
		if (!(r->classes & (1U << class)) || fw_attrs_has(attrs, r->type) ||
		    ((r->flags & R_ML_KEM) && key_type != CKK_ML_KEM))
			continue;
		if (r->flags & (R_FALSE | R_TRUE))
			rv = fw_attrs_put_bool(attrs, r->type, r->flags & R_TRUE);
		else if (r->flags & R_EMPTY)
			rv = fw_attrs_put(attrs, r->type, NULL, 0);
		else if (r->flags & R_ZERO)
			rv = fw_attrs_put_ulong(attrs, r->type, 0);
	}
	return rv;
}

CK_RV rules_unique_id(struct fw_attrs *attrs, const uint8_t ouid[PCIEHSM_OUID_LEN])
{
	static const char digits[] = "0123456789abcdef";
	char text[2 * PCIEHSM_OUID_LEN];
	unsigned int i;

	for (i = 0; i < PCIEHSM_OUID_LEN; i++) {
		text[2 * i] = digits[ouid[i] >> 4];
		text[2 * i + 1] = digits[ouid[i] & 15];
	}
	return fw_attrs_put(attrs, CKA_UNIQUE_ID, text, sizeof(text));
}

static CK_RV apply_one(struct fw_attrs *attrs, const struct fw_attr *a, uint64_t class,
		       enum rules_change how)
{
	const struct rule *r = rule_of(a->type, class);
	bool before;

	if (!r)
		return CKR_ATTRIBUTE_TYPE_INVALID;
	if (!(r->flags & R_SET) && !(how == RULES_COPY && (r->flags & R_COPY)))
		return CKR_ATTRIBUTE_READ_ONLY;
	if (!value_valid(r, a))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	if ((r->flags & R_SO) && is_true(a) && how != RULES_SET_SO &&
	    !fw_attrs_get_bool(attrs, a->type, false))
		return CKR_ATTRIBUTE_READ_ONLY;
	before = fw_attrs_get_bool(attrs, a->type, false);
	if (((r->flags & R_UP) && before && !is_true(a)) ||
	    ((r->flags & R_DOWN) && !before && is_true(a)))
		return how == RULES_COPY ? CKR_TEMPLATE_INCONSISTENT : CKR_ATTRIBUTE_READ_ONLY;
	return fw_attrs_put(attrs, a->type, fw_attr_value(a), a->len);
}

CK_RV rules_apply(struct fw_attrs *attrs, const struct fw_attrs *change, uint64_t class,
		  enum rules_change how)
{
	CK_RV rv = CKR_OK;
	unsigned int i;

	for (i = 0; rv == CKR_OK && i < change->count; i++)
		rv = apply_one(attrs, &change->list[i], class, how);
	return rv;
}

/* True of nearly every key that is made here; false tells */
static bool mostly_true(uint32_t type)
{
	return type == CKA_TOKEN || type == CKA_LOCAL || type == CKA_ALWAYS_SENSITIVE ||
	       type == CKA_NEVER_EXTRACTABLE;
}

bool rules_telling(uint32_t type, const uint8_t *value, size_t len)
{
	const struct rule *r;
	bool known = false;

	/* Found by the OUID itself, for which there is a table already. */
	if (!len || type == CKA_UNIQUE_ID)
		return false;
	for (r = rules; r < rules + RULE_COUNT; r++) {
		if (r->type != type)
			continue;
		known = true;
		if (r->form == FORM_BOOL && (len != 1 || mostly_true(type) ? value[0] != 0 :
					     (r->flags & R_TRUE) ? value[0] != 0 : value[0] == 0))
			return false;
		if ((r->flags & R_ZERO) && len == 8 && !wire_get64(value))
			return false;
	}
	return known;
}

bool rules_usage_attr(uint32_t type)
{
	size_t i;

	for (i = 0; i < RULE_COUNT; i++)
		if (rules[i].type == type)
			return rules[i].flags & R_USAGE;
	return false;
}

static bool has_value(const struct fw_attrs *attrs, const struct attr *want)
{
	struct fw_bytes have;

	return fw_attrs_get(attrs, want->type, &have) && have.len == want->len &&
	       (have.len == 0 || memcmp(have.p, want->value, have.len) == 0);
}

bool rules_match(const struct fw_attrs *attrs, const uint8_t *template, size_t len)
{
	struct template_iter it = TEMPLATE_ITER(template, len);
	struct attr a;

	while (template_next(&it, &a))
		if (!has_value(attrs, &a))
			return false;
	return true;
}

CK_RV rules_impose(struct fw_attrs *attrs, const uint8_t *template, size_t len)
{
	struct template_iter it = TEMPLATE_ITER(template, len);
	struct attr a;
	CK_RV rv;

	while (template_next(&it, &a)) {
		if (fw_attrs_has(attrs, a.type)) {
			if (!has_value(attrs, &a))
				return CKR_TEMPLATE_INCONSISTENT;
			continue;
		}
		rv = fw_attrs_put(attrs, a.type, a.value, a.len);
		if (rv != CKR_OK)
			return rv;
	}
	return CKR_OK;
}
