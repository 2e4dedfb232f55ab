// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * PKCS#11 templates and their wire form. What a value is follows from the
 * attribute's type alone; types that are not known here are bytes.
 */
#include "message.h"
#include "pkcs11-3.h"

/* Templates inside templates (CKA_WRAP_TEMPLATE) do not nest any deeper. */
#define MAX_DEPTH	1

enum kind {
	KIND_BYTES,
	KIND_BOOL,
	KIND_ULONG,
	KIND_INTEGER,		/* big-endian, leading zeroes do not count */
	KIND_ULONGS,
	KIND_TEMPLATE,
};

static enum kind kind_of(CK_ATTRIBUTE_TYPE type)
{
	switch (type) {
	case CKA_TOKEN:
	case CKA_PRIVATE:
	case CKA_TRUSTED:
	case CKA_SENSITIVE:
	case CKA_ENCRYPT:
	case CKA_DECRYPT:
	case CKA_WRAP:
	case CKA_UNWRAP:
	case CKA_SIGN:
	case CKA_SIGN_RECOVER:
	case CKA_VERIFY:
	case CKA_VERIFY_RECOVER:
	case CKA_DERIVE:
	case CKA_ENCAPSULATE:
	case CKA_DECAPSULATE:
	case CKA_EXTRACTABLE:
	case CKA_LOCAL:
	case CKA_NEVER_EXTRACTABLE:
	case CKA_ALWAYS_SENSITIVE:
	case CKA_MODIFIABLE:
	case CKA_COPYABLE:
	case CKA_DESTROYABLE:
	case CKA_SECONDARY_AUTH:
	case CKA_ALWAYS_AUTHENTICATE:
	case CKA_WRAP_WITH_TRUSTED:
		return KIND_BOOL;
	case CKA_CLASS:
	case CKA_CERTIFICATE_TYPE:
	case CKA_CERTIFICATE_CATEGORY:
	case CKA_JAVA_MIDP_SECURITY_DOMAIN:
	case CKA_NAME_HASH_ALGORITHM:
	case CKA_KEY_TYPE:
	case CKA_MODULUS_BITS:
	case CKA_PRIME_BITS:
	case CKA_SUB_PRIME_BITS:
	case CKA_VALUE_BITS:
	case CKA_VALUE_LEN:
	case CKA_KEY_GEN_MECHANISM:
	case CKA_AUTH_PIN_FLAGS:
	case CKA_HW_FEATURE_TYPE:
	case CKA_MECHANISM_TYPE:
	case CKA_PROFILE_ID:
	case CKA_PARAMETER_SET:
		return KIND_ULONG;
	case CKA_MODULUS:
	case CKA_PUBLIC_EXPONENT:
	case CKA_PRIVATE_EXPONENT:
	case CKA_PRIME_1:
	case CKA_PRIME_2:
	case CKA_EXPONENT_1:
	case CKA_EXPONENT_2:
	case CKA_COEFFICIENT:
	case CKA_PRIME:
	case CKA_SUBPRIME:
	case CKA_BASE:
		return KIND_INTEGER;
	case CKA_ALLOWED_MECHANISMS:
		return KIND_ULONGS;
	case CKA_WRAP_TEMPLATE:
	case CKA_UNWRAP_TEMPLATE:
	case CKA_DERIVE_TEMPLATE:
	case CKA_ENCAPSULATE_TEMPLATE:
	case CKA_DECAPSULATE_TEMPLATE:
		return KIND_TEMPLATE;
	default:
		return KIND_BYTES;
	}
}

/* ---- to the card ---- */

static void write_attrs(struct pmsg_request *r, const CK_ATTRIBUTE *attrs, CK_ULONG n,
			int depth);

static void write_bytes(struct pmsg_request *r, const void *from, size_t len)
{
	uint8_t *p = pmsg_raw(r, len);

	if (p && len)
		memcpy(p, from, len);
}

static void write_ulongs(struct pmsg_request *r, const void *from, size_t len)
{
	const uint8_t *p = from;
	CK_ULONG value;
	uint64_t wire;

	if (len % sizeof(value)) {
		pmsg_fail(r, CKR_ATTRIBUTE_VALUE_INVALID);
		return;
	}
	/* An application's value need not be aligned. */
	for (; len; len -= sizeof(value), p += sizeof(value)) {
		memcpy(&value, p, sizeof(value));
		wire = htole64(value);
		write_bytes(r, &wire, sizeof(wire));
	}
}

static void write_value(struct pmsg_request *r, const CK_ATTRIBUTE *attr, int depth)
{
	const uint8_t *p = attr->pValue;
	size_t len = attr->ulValueLen;

	if (len > r->max || (len && !p)) {
		pmsg_fail(r, CKR_ATTRIBUTE_VALUE_INVALID);
		return;
	}
	switch (kind_of(attr->type)) {
	case KIND_BOOL:
		if (len != sizeof(CK_BBOOL))
			pmsg_fail(r, CKR_ATTRIBUTE_VALUE_INVALID);
		else
			/* The standard knows one true; what applications pass is any. */
			write_bytes(r, &(uint8_t){ *p ? CK_TRUE : CK_FALSE }, 1);
		break;
	case KIND_ULONG:
		if (len != sizeof(CK_ULONG))
			pmsg_fail(r, CKR_ATTRIBUTE_VALUE_INVALID);
		else
			write_ulongs(r, p, len);
		break;
	case KIND_ULONGS:
		write_ulongs(r, p, len);
		break;
	case KIND_INTEGER:
		for (; len > 1 && !*p; len--)
			p++;
		write_bytes(r, p, len);
		break;
	case KIND_TEMPLATE:
		if (len % sizeof(CK_ATTRIBUTE) || depth == MAX_DEPTH)
			pmsg_fail(r, CKR_ATTRIBUTE_VALUE_INVALID);
		else
			write_attrs(r, attr->pValue, len / sizeof(CK_ATTRIBUTE), depth + 1);
		break;
	case KIND_BYTES:
		write_bytes(r, p, len);
		break;
	}
}

static void write_attrs(struct pmsg_request *r, const CK_ATTRIBUTE *attrs, CK_ULONG n, int depth)
{
	CK_ULONG i;

	for (i = 0; i < n && r->rv == CKR_OK; i++) {
		size_t opened;

		if (attrs[i].type > UINT32_MAX) {
			pmsg_fail(r, CKR_ATTRIBUTE_TYPE_INVALID);
			return;
		}
		opened = pmsg_open(r, true, (uint32_t)attrs[i].type);
		write_value(r, &attrs[i], depth);
		pmsg_close(r, opened);
	}
}

void pmsg_template(struct pmsg_request *r, uint16_t id, const CK_ATTRIBUTE *attrs, CK_ULONG n)
{
	size_t opened = pmsg_open(r, false, id);

	if (n && !attrs)
		pmsg_fail(r, CKR_ARGUMENTS_BAD);
	write_attrs(r, attrs, n, 0);
	pmsg_close(r, opened);
}

void pmsg_types(struct pmsg_request *r, const CK_ATTRIBUTE *attrs, CK_ULONG n)
{
	size_t opened = pmsg_open(r, false, PCIEHSM_F_TEMPLATE);
	CK_ULONG i;

	for (i = 0; i < n && r->rv == CKR_OK; i++) {
		/* No object has such an attribute; one that stands for it keeps the order. */
		uint32_t type = attrs[i].type > UINT32_MAX ? UINT32_MAX : (uint32_t)attrs[i].type;

		pmsg_close(r, pmsg_open(r, true, type));
	}
	pmsg_close(r, opened);
}

/* ---- from the card ---- */

/*
 * The errors of C_GetAttributeValue do not end the work on a template; when there
 * are several, any may be told. Anything else (an answer that is no good) does.
 */
static bool goes_on(CK_RV rv)
{
	return rv == CKR_OK || rv == CKR_ATTRIBUTE_SENSITIVE ||
	       rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_BUFFER_TOO_SMALL;
}

static CK_RV give(CK_ATTRIBUTE *attr, const void *value, size_t len)
{
	if (attr->pValue && attr->ulValueLen < len) {
		attr->ulValueLen = CK_UNAVAILABLE_INFORMATION;
		return CKR_BUFFER_TOO_SMALL;
	}
	if (attr->pValue && len)
		memcpy(attr->pValue, value, len);
	attr->ulValueLen = len;
	return CKR_OK;
}

static CK_RV give_ulongs(CK_ATTRIBUTE *attr, const uint8_t *p, size_t len)
{
	size_t n = len / sizeof(uint64_t), i;
	uint8_t *to = attr->pValue;

	if (len % sizeof(uint64_t))
		return PCIEHSM_RV_BAD_ANSWER;
	if (to && attr->ulValueLen < n * sizeof(CK_ULONG)) {
		attr->ulValueLen = CK_UNAVAILABLE_INFORMATION;
		return CKR_BUFFER_TOO_SMALL;
	}
	for (i = 0; to && i < n; i++) {
		CK_ULONG value;
		uint64_t wire;

		memcpy(&wire, p + i * sizeof(wire), sizeof(wire));
		value = (CK_ULONG)le64toh(wire);
		memcpy(to + i * sizeof(value), &value, sizeof(value));
	}
	attr->ulValueLen = n * sizeof(CK_ULONG);
	return CKR_OK;
}

/* Take the next attribute off a template; the value has no meaning for PCIEHSM_ATTR_*. */
static bool next(struct pmsg_span *template, uint32_t *type, uint32_t *flag,
		 struct pmsg_span *value)
{
	struct pciehsm_attr head;
	size_t room;

	if (template->len < sizeof(head))
		return false;
	memcpy(&head, template->p, sizeof(head));
	template->p += sizeof(head);
	template->len -= sizeof(head);
	*type = le32toh(head.type);
	*flag = le32toh(head.len);
	*value = (struct pmsg_span){ template->p, 0 };
	if (*flag == PCIEHSM_ATTR_INVALID || *flag == PCIEHSM_ATTR_SENSITIVE)
		return true;
	room = ((size_t)*flag + 7) & ~(size_t)7;
	if (room > template->len)
		return false;
	value->len = *flag;
	template->p += room;
	template->len -= room;
	return true;
}

static CK_RV give_template(CK_ATTRIBUTE *attr, const struct pmsg_span *value);

static CK_RV give_value(CK_ATTRIBUTE *attr, const struct pmsg_span *value, int depth)
{
	switch (kind_of(attr->type)) {
	case KIND_BOOL:
		if (value->len != 1)
			return PCIEHSM_RV_BAD_ANSWER;
		return give(attr, value->p, 1);
	case KIND_ULONG:
		if (value->len != sizeof(uint64_t))
			return PCIEHSM_RV_BAD_ANSWER;
		return give_ulongs(attr, value->p, value->len);
	case KIND_ULONGS:
		return give_ulongs(attr, value->p, value->len);
	case KIND_TEMPLATE:
		if (depth == MAX_DEPTH)
			return PCIEHSM_RV_BAD_ANSWER;
		return give_template(attr, value);
	case KIND_INTEGER:
	case KIND_BYTES:
		break;
	}
	return give(attr, value->p, value->len);
}

/*
 * C_GetAttributeValue on CKF_ARRAY_ATTRIBUTE (PKCS#11 2.40, 5.7): with pValue the array's
 * entries say where each value goes, by the same rules as a template of its own.
 */
static CK_RV give_template(CK_ATTRIBUTE *attr, const struct pmsg_span *value)
{
	struct pmsg_span rest = *value, inner;
	CK_ATTRIBUTE *to = attr->pValue;
	CK_RV rv = CKR_OK, one;
	uint32_t type, flag;
	size_t n = 0;

	for (; rest.len; n++)
		if (!next(&rest, &type, &flag, &inner))
			return PCIEHSM_RV_BAD_ANSWER;
	if (to && attr->ulValueLen < n * sizeof(*to)) {
		attr->ulValueLen = CK_UNAVAILABLE_INFORMATION;
		return CKR_BUFFER_TOO_SMALL;
	}
	for (rest = *value; to && rest.len; to++) {
		if (!next(&rest, &type, &flag, &inner))
			return PCIEHSM_RV_BAD_ANSWER;
		to->type = type;
		one = give_value(to, &inner, 1);
		if (!goes_on(one))
			return one;
		if (one != CKR_OK)
			rv = one;
	}
	attr->ulValueLen = n * sizeof(*to);
	return rv;
}

CK_RV pmsg_values(const struct pmsg_span *template, CK_ATTRIBUTE *attrs, CK_ULONG n)
{
	struct pmsg_span rest = *template, value;
	CK_RV rv = CKR_OK, one;
	uint32_t type, flag;
	CK_ULONG i;

	for (i = 0; i < n; i++) {
		if (!next(&rest, &type, &flag, &value) ||
		    (attrs[i].type <= UINT32_MAX && type != attrs[i].type))
			return PCIEHSM_RV_BAD_ANSWER;
		if (flag == PCIEHSM_ATTR_INVALID || flag == PCIEHSM_ATTR_SENSITIVE) {
			attrs[i].ulValueLen = CK_UNAVAILABLE_INFORMATION;
			one = flag == PCIEHSM_ATTR_INVALID ? CKR_ATTRIBUTE_TYPE_INVALID :
							     CKR_ATTRIBUTE_SENSITIVE;
		} else {
			one = give_value(&attrs[i], &value, 0);
		}
		if (!goes_on(one))
			return one;
		if (one != CKR_OK)
			rv = one;
	}
	return rest.len ? PCIEHSM_RV_BAD_ANSWER : rv;
}
