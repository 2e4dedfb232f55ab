/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keys at work: who may be used for what, and mechanism parameters.
 */
#ifndef FIRMWARE_OBJECTS_USE_H
#define FIRMWARE_OBJECTS_USE_H

#include "core/firmware.h"
#include "crypto/mech.h"

/**
 * struct use - a mechanism with its parameters and keys
 * @mech:	CKM_*
 * @params:	its parameters; bytes are in the request
 * @salt:	object of PCIEHSM_F_P_SALT_KEY, referenced
 * @object:	the key's object, referenced
 * @key:	lives as long as @object
 */
struct use {
	CK_ULONG		mech;
	struct fw_mech_params	params;
	struct object		*salt;
	struct object		*object;
	struct fw_key		*key;
};

/**
 * use_mechanism() - may a mechanism be used at all?
 * @c:		the message
 * @mech:	CKM_*
 * @flag:	CKF_* of what it is to do
 *
 * Return: CKR_OK; CKR_MECHANISM_INVALID where only approved ones are allowed (HSM policy
 * 12) and this is none; CKR_DEVICE_ERROR when the card has failed.
 */
CK_RV use_mechanism(struct call *c, CK_ULONG mech, uint32_t flag);

/**
 * use_begin() - mechanism and parameters of a message
 * @u:		out; use_end() must follow
 * @c:		the message
 * @flag:	CKF_* of what it is to do
 *
 * Return: CKR_OK; as use_mechanism(); of the salt's key, which must be one for deriving,
 * CKR_KEY_HANDLE_INVALID, CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_MECHANISM_INVALID
 * (CKA_ALLOWED_MECHANISMS), and as fw_key_from_attrs().
 */
CK_RV use_begin(struct use *u, struct call *c, uint32_t flag);

/**
 * use_key() - the key that PCIEHSM_F_KEY names
 * @u:		gets object and key
 * @c:		the message
 * @permission:	OBJ_* that it must have
 * @invalid:	what to answer if there is no such key (CKR_KEY_HANDLE_INVALID or
 *		the name that wrapping and unwrapping have for it)
 *
 * Return: CKR_OK, @invalid, CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_MECHANISM_INVALID
 * (CKA_ALLOWED_MECHANISMS), PCIEHSM_CKR_POLICY (also: a key that is not approved where
 * only those are allowed), and as fw_key_from_attrs().
 */
CK_RV use_key(struct use *u, struct call *c, uint32_t permission, CK_RV invalid);

/** use_end() - give the references back */
void use_end(struct use *u);

#endif /* FIRMWARE_OBJECTS_USE_H */
