// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the card says about a key to somebody else: see "Attestation" in <pciehsm/fw.h>.
 */
#include <stdlib.h>
#include <string.h>

#include "clone/clone.h"
#include "core/ops.h"
#include "message/wire.h"
#include "objects/answer.h"

#define ATTEST_TEXT	"pciehsm attest v1"

/* Where a key was generated, and whether it could be cloned then */
static void read_origin(struct call *c, const struct object *o, bool *here, bool *bound)
{
	size_t len = strlen(c->fw->serial_text);
	struct fw_bytes origin;

	*here = false;
	*bound = false;
	if (!(o->flags & OBJ_LOCAL) || !fw_attrs_get(&o->attrs, PCIEHSM_CKA_ORIGIN, &origin) ||
	    origin.len < len || memcmp(origin.p, c->fw->serial_text, len) != 0)
		return;
	*bound = origin.len == len + 1 && origin.p[len] == '!';
	*here = origin.len == len || *bound;
}

static uint32_t flags_of(struct call *c, const struct object *o)
{
	struct clone_rules rules = clone_rules(c);
	uint32_t flags = 0;
	bool here, bound;

	read_origin(c, o, &here, &bound);
	if (here)
		flags |= PCIEHSM_ATTEST_GENERATED;
	if (fw_attrs_get_bool(&o->attrs, CKA_ALWAYS_SENSITIVE, false) &&
	    fw_attrs_get_bool(&o->attrs, CKA_NEVER_EXTRACTABLE, false))
		flags |= PCIEHSM_ATTEST_NOT_EXTRACTABLE;
	/* Cloning was off, and to turn it on destroys the keys: it was off all the time. */
	if (bound && !clone_allowed(&rules, o->class))
		flags |= PCIEHSM_ATTEST_NOT_CLONABLE;
	return flags;
}

static bool told(const struct object *o, uint32_t type)
{
	/* Material is no attribute to speak of, even where its owner could read it. */
	return type != CKA_LABEL && !fw_key_sensitive_attr(o->class, type);
}

static size_t attributes(const struct object *o, uint8_t *out)
{
	size_t len = 0;
	unsigned int i;

	for (i = 0; i < o->attrs.count; i++) {
		const struct fw_attr *a = &o->attrs.list[i];

		if (!told(o, (uint32_t)a->type))
			continue;
		if (out) {
			wire_put32(out + len, (uint32_t)a->type);
			wire_put32(out + len + 4, a->len);
			memset(out + len + 8, 0, wire_pad(a->len));
			if (a->len)
				memcpy(out + len + 8, fw_attr_value(a), a->len);
		}
		len += sizeof(struct pciehsm_attr) + wire_pad(a->len);
	}
	return len;
}

/* The statement's fields, in their order. Returns bytes, 0 without room. */
static size_t write_statement(struct call *c, const struct object *o, uint8_t *out, size_t room)
{
	struct answer a = { .buf = out, .size = room };
	const uint8_t *nonce;
	size_t len;
	uint8_t *p;

	answer_text(&a, PCIEHSM_F_HSM_SERIAL, c->fw->serial_text);
	answer_text(&a, PCIEHSM_F_SERIAL, c->part->serial_text);
	answer_text(&a, PCIEHSM_F_FW_VERSION, FW_VERSION);
	answer_put(&a, PCIEHSM_F_OUID, o->ouid, PCIEHSM_OUID_LEN);
	answer_version(&a, &o->version);
	nonce = message_bytes(&c->in, PCIEHSM_F_NONCE, &len);
	answer_put(&a, PCIEHSM_F_NONCE, nonce, len);
	answer_u32(&a, PCIEHSM_F_FLAGS, flags_of(c, o));
	len = attributes(o, NULL);
	p = answer_open(&a, PCIEHSM_F_TEMPLATE, len);
	if (!p)
		return 0;
	attributes(o, p);
	answer_close(&a, len);
	return a.len;
}

static CK_RV attest(struct call *c, const struct object *o)
{
	struct fw_bytes certs = fw_identity_certificates(c->fw->identity), parts[2];
	size_t room = 512 + attributes(o, NULL), len, sig_len = FW_IDENTITY_SIG_MAX;
	uint8_t *statement = malloc(room), sig[FW_IDENTITY_SIG_MAX];
	CK_RV rv;

	if (!statement)
		return CKR_HOST_MEMORY;
	len = write_statement(c, o, statement, room);
	rv = len ? answer_room(&c->out, 3, len + wire_pad(FW_IDENTITY_SIG_MAX) +
			       wire_pad(certs.len)) : CKR_FUNCTION_FAILED;
	if (rv == CKR_OK) {
		parts[0] = (struct fw_bytes){ (const uint8_t *)ATTEST_TEXT,
					      sizeof(ATTEST_TEXT) - 1 };
		parts[1] = (struct fw_bytes){ statement, len };
		rv = fw_identity_sign(c->fw->identity, parts, 2, sig, &sig_len);
	}
	if (rv == CKR_OK) {
		answer_put(&c->out, PCIEHSM_F_STATEMENT, statement, len);
		answer_put(&c->out, PCIEHSM_F_SIGNATURE, sig, sig_len);
		answer_put(&c->out, PCIEHSM_F_CERTIFICATES, certs.p, certs.len);
	}
	free(statement);
	return rv;
}

CK_RV op_attest(struct call *c)
{
	struct object *o;
	size_t len;
	CK_RV rv;

	o = partition_object(c, message_bytes(&c->in, PCIEHSM_F_OBJECT, &len));
	if (o && (o->class == CKO_PRIVATE_KEY || o->class == CKO_SECRET_KEY))
		rv = attest(c, o);
	else
		rv = CKR_KEY_HANDLE_INVALID;
	object_put(o);
	return rv;
}
