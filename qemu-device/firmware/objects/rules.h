/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which attributes an object has, which forms their values have, who may give them
 * and when (PKCS#11 3.0, section 4 and the footnotes of its tables).
 */
#ifndef FIRMWARE_OBJECTS_RULES_H
#define FIRMWARE_OBJECTS_RULES_H

#include "objects/object.h"

#ifndef CKA_UNIQUE_ID
#define CKA_UNIQUE_ID		4UL
#endif

/* A greater object could not be cloned in one message. */
#define OBJECT_MAX		(PCIEHSM_MSG_MAX - 8192)

enum rules_for {
	RULES_CREATE,		/* with its material */
	RULES_GENERATE,		/* generated, unwrapped or derived: without */
};

/**
 * rules_check() - may an object be made of this template?
 * @attrs:	the template, may name class and key type
 * @class:	the object's class
 * @how:	where it comes from
 *
 * Normalises nothing and adds nothing.
 *
 * Return: CKR_OK, CKR_ATTRIBUTE_TYPE_INVALID, CKR_ATTRIBUTE_READ_ONLY,
 * CKR_ATTRIBUTE_VALUE_INVALID, CKR_TEMPLATE_INCOMPLETE.
 */
CK_RV rules_check(const struct fw_attrs *attrs, uint64_t class, enum rules_for how);

/**
 * rules_check_domain() - are these domain parameters complete? Adds the bits that follow.
 *
 * Return: CKR_OK, CKR_ATTRIBUTE_VALUE_INVALID, CKR_TEMPLATE_INCOMPLETE,
 * CKR_TEMPLATE_INCONSISTENT, CKR_HOST_MEMORY.
 */
CK_RV rules_check_domain(struct fw_attrs *attrs);

/**
 * rules_check_certificate() - is this certificate complete, and do its parts agree?
 *
 * PKCS#11 3.0, 4.6. The certificate itself is not looked into: who uses it does that.
 *
 * Return: CKR_OK, CKR_ATTRIBUTE_VALUE_INVALID, CKR_TEMPLATE_INCOMPLETE, CKR_HOST_MEMORY.
 */
CK_RV rules_check_certificate(const struct fw_attrs *attrs);

/**
 * rules_sound() - could this be an object of ours?
 * @attrs:	all attributes, as another card had them
 *
 * Looks at class, types and the form of the values only.
 */
bool rules_sound(const struct fw_attrs *attrs);

/** rules_defaults() - add what the template did not say; CKR_OK or CKR_HOST_MEMORY */
CK_RV rules_defaults(struct fw_attrs *attrs, uint64_t class);

/** rules_unique_id() - CKA_UNIQUE_ID is the OUID in hexadecimal digits */
CK_RV rules_unique_id(struct fw_attrs *attrs, const uint8_t ouid[PCIEHSM_OUID_LEN]);

enum rules_change {
	RULES_SET,
	RULES_SET_SO,		/* by the security officer, who alone may trust something */
	RULES_COPY,
};

/**
 * rules_apply() - change attributes
 * @attrs:	the object's attributes, changed
 * @change:	the template
 * @class:	the object's class
 * @how:	C_SetAttributeValue and by whom, or C_CopyObject
 *
 * Return: CKR_OK and as rules_check(); CKR_TEMPLATE_INCONSISTENT, CKR_HOST_MEMORY. On
 * failure @attrs may be changed in part.
 */
CK_RV rules_apply(struct fw_attrs *attrs, const struct fw_attrs *change, uint64_t class,
		  enum rules_change how);

/**
 * rules_telling() - does this value tell an object from most others?
 * @type:	the attribute
 * @len:	of the value
 * @value:	its bytes
 *
 * A value that most objects have, like a default, finds nothing that looking at all of
 * them would not find as fast. Whatever this says no to has no place in an index, and is
 * not looked for there.
 */
bool rules_telling(uint32_t type, const uint8_t *value, size_t len);

/** rules_usage_attr() - does it say what a key may do? (Partition policy 11) */
bool rules_usage_attr(uint32_t type);

/** rules_match() - has @attrs everything that the encoded @template asks for? */
bool rules_match(const struct fw_attrs *attrs, const uint8_t *template, size_t len);

/**
 * rules_impose() - add what an encoded template (CKA_UNWRAP_TEMPLATE, ...) prescribes
 *
 * Return: CKR_OK, CKR_TEMPLATE_INCONSISTENT (@attrs says otherwise), CKR_HOST_MEMORY.
 */
CK_RV rules_impose(struct fw_attrs *attrs, const uint8_t *template, size_t len);

#endif /* FIRMWARE_OBJECTS_RULES_H */
