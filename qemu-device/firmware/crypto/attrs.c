// SPDX-License-Identifier: GPL-2.0-or-later
/* A set of PKCS#11 attributes. See attrs.h. */
#include <stdlib.h>
#include <string.h>

#include "crypto/attrs.h"
#include "crypto/secret.h"

/* First position whose type is not less than @type. */
static unsigned int fw_attrs_pos(const struct fw_attrs *attrs, CK_ULONG type)
{
	unsigned int lo = 0, hi = attrs->count;

	while (lo < hi) {
		unsigned int mid = lo + (hi - lo) / 2;

		if (attrs->list[mid].type < type)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void fw_attr_clear(struct fw_attr *attr)
{
	if (attr->len > FW_ATTR_INLINE)
		fw_wipe_free(attr->big, attr->len);
	fw_wipe(attr, sizeof(*attr));
}

/* The value of a new entry, which owns it from then on. */
static CK_RV fw_attr_fill(struct fw_attr *attr, CK_ULONG type, const void *value, size_t len)
{
	if (type > UINT32_MAX || len > UINT32_MAX)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	memset(attr, 0, sizeof(*attr));
	attr->type = type;
	attr->len = len;
	if (len > FW_ATTR_INLINE) {
		attr->big = malloc(len);
		if (!attr->big)
			return CKR_HOST_MEMORY;
		memcpy(attr->big, value, len);
	} else if (len) {
		memcpy(attr->small, value, len);
	}
	return CKR_OK;
}

void fw_attrs_wipe(struct fw_attrs *attrs)
{
	unsigned int i;

	for (i = 0; i < attrs->count; i++)
		fw_attr_clear(&attrs->list[i]);
	free(attrs->list);
	memset(attrs, 0, sizeof(*attrs));
}

const struct fw_attr *fw_attrs_find(const struct fw_attrs *attrs, CK_ULONG type)
{
	unsigned int pos = fw_attrs_pos(attrs, type);

	if (pos < attrs->count && attrs->list[pos].type == type)
		return &attrs->list[pos];
	return NULL;
}

static CK_RV fw_attrs_reserve(struct fw_attrs *attrs, unsigned int count)
{
	struct fw_attr *list;
	unsigned int room;

	if (count <= attrs->room)
		return CKR_OK;
	room = attrs->room ? attrs->room * 2 : 16;
	if (room < count)
		room = count;
	/* Not realloc(): inline values may be secrets, and the old place is to be wiped. */
	list = calloc(room, sizeof(*list));
	if (!list)
		return CKR_HOST_MEMORY;
	if (attrs->count)
		memcpy(list, attrs->list, attrs->count * sizeof(*list));
	fw_wipe_free(attrs->list, attrs->count * sizeof(*list));
	attrs->list = list;
	attrs->room = room;
	return CKR_OK;
}

CK_RV fw_attrs_put(struct fw_attrs *attrs, CK_ULONG type, const void *value, size_t len)
{
	unsigned int pos = fw_attrs_pos(attrs, type);
	struct fw_attr attr;
	CK_RV rv;

	rv = fw_attr_fill(&attr, type, value, len);
	if (rv != CKR_OK)
		return rv;
	if (pos < attrs->count && attrs->list[pos].type == type) {
		/* @value may lie inside the old one, which therefore goes last. */
		fw_attr_clear(&attrs->list[pos]);
		attrs->list[pos] = attr;
	} else {
		rv = fw_attrs_reserve(attrs, attrs->count + 1);
		if (rv != CKR_OK) {
			fw_attr_clear(&attr);
			return rv;
		}
		memmove(&attrs->list[pos + 1], &attrs->list[pos],
			(attrs->count - pos) * sizeof(attr));
		attrs->list[pos] = attr;
		attrs->count++;
	}
	fw_wipe(&attr, sizeof(attr));
	return CKR_OK;
}

CK_RV fw_attrs_put_bool(struct fw_attrs *attrs, CK_ULONG type, bool value)
{
	uint8_t byte = value ? CK_TRUE : CK_FALSE;

	return fw_attrs_put(attrs, type, &byte, sizeof(byte));
}

CK_RV fw_attrs_put_ulong(struct fw_attrs *attrs, CK_ULONG type, uint64_t value)
{
	uint8_t bytes[8];
	unsigned int i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = value >> (8 * i);
	return fw_attrs_put(attrs, type, bytes, sizeof(bytes));
}

void fw_attrs_remove(struct fw_attrs *attrs, CK_ULONG type)
{
	unsigned int pos = fw_attrs_pos(attrs, type);

	if (pos >= attrs->count || attrs->list[pos].type != type)
		return;
	fw_attr_clear(&attrs->list[pos]);
	attrs->count--;
	memmove(&attrs->list[pos], &attrs->list[pos + 1],
		(attrs->count - pos) * sizeof(attrs->list[0]));
	/* The copy that moved down stands twice. */
	fw_wipe(&attrs->list[attrs->count], sizeof(attrs->list[0]));
}

bool fw_attrs_get(const struct fw_attrs *attrs, CK_ULONG type, struct fw_bytes *value)
{
	const struct fw_attr *attr = fw_attrs_find(attrs, type);

	value->p = attr ? fw_attr_value(attr) : NULL;
	value->len = attr ? attr->len : 0;
	return attr != NULL;
}

bool fw_attrs_get_bool(const struct fw_attrs *attrs, CK_ULONG type, bool def)
{
	const struct fw_attr *attr = fw_attrs_find(attrs, type);

	return attr && attr->len == 1 ? attr->small[0] != CK_FALSE : def;
}

bool fw_attrs_get_ulong(const struct fw_attrs *attrs, CK_ULONG type, uint64_t *value)
{
	const struct fw_attr *attr = fw_attrs_find(attrs, type);
	uint64_t v = 0;
	int i;

	if (!attr || attr->len != 8)
		return false;
	for (i = 7; i >= 0; i--)
		v = v << 8 | attr->small[i];
	*value = v;
	return true;
}

CK_RV fw_attrs_copy(struct fw_attrs *dst, const struct fw_attrs *src)
{
	unsigned int i;
	CK_RV rv;

	fw_attrs_wipe(dst);
	rv = fw_attrs_reserve(dst, src->count);
	for (i = 0; rv == CKR_OK && i < src->count; i++) {
		const struct fw_attr *attr = &src->list[i];

		rv = fw_attr_fill(&dst->list[i], attr->type, fw_attr_value(attr), attr->len);
		if (rv == CKR_OK)
			dst->count++;
	}
	if (rv != CKR_OK)
		fw_attrs_wipe(dst);
	return rv;
}

bool fw_attrs_equal(const struct fw_attrs *a, const struct fw_attrs *b)
{
	unsigned int i;

	if (a->count != b->count)
		return false;
	for (i = 0; i < a->count; i++) {
		const struct fw_attr *x = &a->list[i], *y = &b->list[i];

		if (x->type != y->type || x->len != y->len ||
		    !fw_secret_equal(fw_attr_value(x), fw_attr_value(y), x->len))
			return false;
	}
	return true;
}
