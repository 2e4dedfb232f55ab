// SPDX-License-Identifier: GPL-2.0-or-later
#include "message/template.h"

#include <pciehsm/fw.h>

#include "message/wire.h"

bool template_valid(const uint8_t *data, size_t len)
{
	const uint8_t *end = data + len;
	size_t n, padded;

	while (data < end) {
		if ((size_t)(end - data) < sizeof(struct pciehsm_attr))
			return false;
		n = wire_get32(data + 4);
		data += sizeof(struct pciehsm_attr);
		if (n > (size_t)(end - data))
			return false;
		padded = wire_pad(n);
		if (padded > (size_t)(end - data))
			return false;
		for (; n < padded; n++)
			if (data[n])
				return false;
		data += padded;
	}
	return true;
}

bool template_next(struct template_iter *it, struct attr *attr)
{
	if (it->p >= it->end)
		return false;
	attr->type = wire_get32(it->p);
	attr->len = wire_get32(it->p + 4);
	attr->value = it->p + sizeof(struct pciehsm_attr);
	it->p = attr->value + wire_pad(attr->len);
	return true;
}

bool template_find(const uint8_t *data, size_t len, uint32_t type, struct attr *attr)
{
	struct template_iter it = TEMPLATE_ITER(data, len);

	while (template_next(&it, attr))
		if (attr->type == type)
			return true;
	return false;
}

uint64_t attr_ulong(const struct attr *a)
{
	return wire_get64(a->value);
}

CK_RV template_to_attrs(const uint8_t *data, size_t len, struct fw_attrs *attrs)
{
	struct template_iter it = TEMPLATE_ITER(data, len);
	struct attr attr;
	CK_RV rv;

	fw_attrs_wipe(attrs);
	while (template_next(&it, &attr)) {
		if (fw_attrs_has(attrs, attr.type))
			return CKR_TEMPLATE_INCONSISTENT;
		rv = fw_attrs_put(attrs, attr.type, attr.value, attr.len);
		if (rv != CKR_OK)
			return rv;
	}
	return CKR_OK;
}

size_t attrs_encoded_len(const struct fw_attrs *attrs)
{
	size_t len = 0;
	unsigned int i;

	for (i = 0; i < attrs->count; i++)
		len += sizeof(struct pciehsm_attr) + wire_pad(attrs->list[i].len);
	return len;
}

void attrs_encode(const struct fw_attrs *attrs, uint8_t *out)
{
	const struct fw_attr *a;
	unsigned int i;
	size_t padded;

	for (i = 0; i < attrs->count; i++) {
		a = &attrs->list[i];
		padded = wire_pad(a->len);
		wire_put32(out, a->type);
		wire_put32(out + 4, a->len);
		out += sizeof(struct pciehsm_attr);
		if (a->len)
			memcpy(out, fw_attr_value(a), a->len);
		memset(out + a->len, 0, padded - a->len);
		out += padded;
	}
}
