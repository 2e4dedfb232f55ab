// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The function lists of PKCS#11 2.40, 3.0 and 3.2: the only ways into the module.
 *
 * A child of a process that uses the module finds it not initialised, and may start anew,
 * in either: CKF_INTERFACE_FORK_SAFE.
 */
#include <string.h>

#include "module.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT CK_RV C_GetInterfaceList(CK_INTERFACE *list, CK_ULONG *count);
EXPORT CK_RV C_GetInterface(CK_UTF8CHAR *name, CK_VERSION *version, CK_INTERFACE **interface,
			    CK_FLAGS flags);

/* ---- what 3.0 adds ---- */

static CK_RV get_info_3(CK_INFO *info, CK_BYTE minor)
{
	CK_RV rv = C_GetInfo(info);

	if (rv == CKR_OK)
		info->cryptokiVersion = (CK_VERSION){ 3, minor };
	return rv;
}

static CK_RV get_info_3_0(CK_INFO *info)
{
	return get_info_3(info, 0);
}

static CK_RV get_info_3_2(CK_INFO *info)
{
	return get_info_3(info, 2);
}

static CK_RV login_user(CK_SESSION_HANDLE session, CK_USER_TYPE type, CK_UTF8CHAR *pin,
			CK_ULONG pin_len, CK_UTF8CHAR *name, CK_ULONG name_len)
{
	if (!name && name_len)
		return CKR_ARGUMENTS_BAD;
	/* A role is one user, and has no other name. */
	return name_len ? CKR_USER_TYPE_INVALID : C_Login(session, type, pin, pin_len);
}

static CK_RV session_cancel(CK_SESSION_HANDLE handle, CK_FLAGS flags)
{
	static const struct {
		CK_FLAGS		flag;
		enum pciehsm_function	fn;
		bool			messages;
	} kinds[] = {
		{ CKF_ENCRYPT,		PCIEHSM_FN_ENCRYPT,		false },
		{ CKF_DECRYPT,		PCIEHSM_FN_DECRYPT,		false },
		{ CKF_SIGN,		PCIEHSM_FN_SIGN,		false },
		{ CKF_SIGN_RECOVER,	PCIEHSM_FN_SIGN_RECOVER,	false },
		{ CKF_VERIFY,		PCIEHSM_FN_VERIFY,		false },
		{ CKF_VERIFY_RECOVER,	PCIEHSM_FN_VERIFY_RECOVER,	false },
		{ CKF_DIGEST,		PCIEHSM_FN_DIGEST,		false },
		{ CKF_MESSAGE_ENCRYPT,	PCIEHSM_FN_ENCRYPT,		true },
		{ CKF_MESSAGE_DECRYPT,	PCIEHSM_FN_DECRYPT,		true },
		{ CKF_MESSAGE_SIGN,	PCIEHSM_FN_SIGN,		true },
		{ CKF_MESSAGE_VERIFY,	PCIEHSM_FN_VERIFY,		true },
	};
	struct session *session;
	CK_RV rv = session_enter(handle, &session);
	size_t i;

	if (rv != CKR_OK)
		return rv;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (flags & kinds[i].flag)
			operation_cancel(session, kinds[i].fn, kinds[i].messages);
	if (flags & CKF_FIND_OBJECTS)
		session_end_search(session);
	return session_leave(session, CKR_OK);
}

/* ---- what 3.2 adds ---- */

/* No validation of the module or the card is claimed, so none holds for a session. */
static CK_RV validation_flags(CK_SESSION_HANDLE handle, CK_ULONG type, CK_FLAGS *flags)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);

	if (rv != CKR_OK)
		return rv;
	if (!flags || type != CKS_LAST_VALIDATION_OK)
		rv = CKR_ARGUMENTS_BAD;
	else
		*flags = 0;
	return session_leave(session, rv);
}

/*
 * No mechanism of the card works on its own; associated data of a wrapped key are part of the
 * mechanism's parameter, with C_WrapKey.
 */
static CK_RV not_supported(CK_SESSION_HANDLE handle)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);

	return rv == CKR_OK ? session_leave(session, CKR_FUNCTION_NOT_SUPPORTED) : rv;
}

#define UNUSED __attribute__((unused))

static CK_RV async_complete(CK_SESSION_HANDLE session, UNUSED CK_UTF8CHAR *function,
			    UNUSED CK_ASYNC_DATA *result)
{
	return not_supported(session);
}

static CK_RV async_get_id(CK_SESSION_HANDLE session, UNUSED CK_UTF8CHAR *function,
			  UNUSED CK_ULONG *id)
{
	return not_supported(session);
}

static CK_RV async_join(CK_SESSION_HANDLE session, UNUSED CK_UTF8CHAR *function,
			UNUSED CK_ULONG id, UNUSED CK_BYTE *data, UNUSED CK_ULONG len)
{
	return not_supported(session);
}

static CK_RV wrap_authenticated(CK_SESSION_HANDLE session, UNUSED CK_MECHANISM *mechanism,
				UNUSED CK_OBJECT_HANDLE wrapping, UNUSED CK_OBJECT_HANDLE key,
				UNUSED CK_BYTE *aad, UNUSED CK_ULONG aad_len,
				UNUSED CK_BYTE *wrapped, UNUSED CK_ULONG *wrapped_len)
{
	return not_supported(session);
}

static CK_RV unwrap_authenticated(CK_SESSION_HANDLE session, UNUSED CK_MECHANISM *mechanism,
				  UNUSED CK_OBJECT_HANDLE unwrapping, UNUSED CK_BYTE *wrapped,
				  UNUSED CK_ULONG wrapped_len, UNUSED CK_ATTRIBUTE *attrs,
				  UNUSED CK_ULONG n, UNUSED CK_BYTE *aad, UNUSED CK_ULONG aad_len,
				  UNUSED CK_OBJECT_HANDLE *key)
{
	return not_supported(session);
}

/* ---- the lists ---- */

#define HAS(name) .name = name
#define FUNCTIONS_OF_2_40 \
HAS(C_Initialize), HAS(C_Finalize), HAS(C_GetFunctionList), \
	HAS(C_GetSlotList), HAS(C_GetSlotInfo), HAS(C_GetTokenInfo), \
	HAS(C_GetMechanismList), HAS(C_GetMechanismInfo), HAS(C_InitToken), HAS(C_InitPIN), \
	HAS(C_SetPIN), HAS(C_OpenSession), HAS(C_CloseSession), HAS(C_CloseAllSessions), \
	HAS(C_GetSessionInfo), HAS(C_GetOperationState), HAS(C_SetOperationState), \
	HAS(C_Login), HAS(C_Logout), \
	HAS(C_CreateObject), HAS(C_CopyObject), HAS(C_DestroyObject), HAS(C_GetObjectSize), \
	HAS(C_GetAttributeValue), HAS(C_SetAttributeValue), \
	HAS(C_FindObjectsInit), HAS(C_FindObjects), HAS(C_FindObjectsFinal), \
	HAS(C_EncryptInit), HAS(C_Encrypt), HAS(C_EncryptUpdate), HAS(C_EncryptFinal), \
	HAS(C_DecryptInit), HAS(C_Decrypt), HAS(C_DecryptUpdate), HAS(C_DecryptFinal), \
	HAS(C_DigestInit), HAS(C_Digest), HAS(C_DigestUpdate), HAS(C_DigestKey), \
	HAS(C_DigestFinal), \
	HAS(C_SignInit), HAS(C_Sign), HAS(C_SignUpdate), HAS(C_SignFinal), \
	HAS(C_SignRecoverInit), HAS(C_SignRecover), \
	HAS(C_VerifyInit), HAS(C_Verify), HAS(C_VerifyUpdate), HAS(C_VerifyFinal), \
	HAS(C_VerifyRecoverInit), HAS(C_VerifyRecover), \
	HAS(C_DigestEncryptUpdate), HAS(C_DecryptDigestUpdate), HAS(C_SignEncryptUpdate), \
	HAS(C_DecryptVerifyUpdate), \
	HAS(C_GenerateKey), HAS(C_GenerateKeyPair), HAS(C_WrapKey), HAS(C_UnwrapKey), \
	HAS(C_DeriveKey), HAS(C_SeedRandom), HAS(C_GenerateRandom), \
	HAS(C_GetFunctionStatus), HAS(C_CancelFunction), HAS(C_WaitForSlotEvent),

static CK_FUNCTION_LIST functions = {
	.version = { 2, 40 },
	.C_GetInfo = C_GetInfo,
	FUNCTIONS_OF_2_40
};

#define FUNCTIONS_OF_3_0 \
HAS(C_GetInterfaceList), HAS(C_GetInterface), \
	.C_LoginUser = login_user, \
	.C_SessionCancel = session_cancel, \
	.C_MessageEncryptInit = message_encrypt_init, \
	.C_EncryptMessage = message_encrypt, \
	.C_EncryptMessageBegin = message_encrypt_begin, \
	.C_EncryptMessageNext = message_encrypt_next, \
	.C_MessageEncryptFinal = message_encrypt_final, \
	.C_MessageDecryptInit = message_decrypt_init, \
	.C_DecryptMessage = message_decrypt, \
	.C_DecryptMessageBegin = message_decrypt_begin, \
	.C_DecryptMessageNext = message_decrypt_next, \
	.C_MessageDecryptFinal = message_decrypt_final, \
	.C_MessageSignInit = message_sign_init, \
	.C_SignMessage = message_sign, \
	.C_SignMessageBegin = message_sign_begin, \
	.C_SignMessageNext = message_sign_next, \
	.C_MessageSignFinal = message_sign_final, \
	.C_MessageVerifyInit = message_verify_init, \
	.C_VerifyMessage = message_verify, \
	.C_VerifyMessageBegin = message_verify_begin, \
	.C_VerifyMessageNext = message_verify_next, \
	.C_MessageVerifyFinal = message_verify_final,

static CK_FUNCTION_LIST_3_0 functions_3_0 = {
	.v2 = {
		.version = { 3, 0 },
		.C_GetInfo = get_info_3_0,
		FUNCTIONS_OF_2_40
	},
	FUNCTIONS_OF_3_0
};

static CK_FUNCTION_LIST_3_2 functions_3_2 = {
	.v3 = {
		.v2 = {
			.version = { 3, 2 },
			.C_GetInfo = get_info_3_2,
			FUNCTIONS_OF_2_40
		},
		FUNCTIONS_OF_3_0
	},
	.C_EncapsulateKey = encapsulate_key,
	.C_DecapsulateKey = decapsulate_key,
	.C_VerifySignatureInit = verify_signature_init,
	.C_VerifySignature = verify_signature,
	.C_VerifySignatureUpdate = verify_signature_update,
	.C_VerifySignatureFinal = verify_signature_final,
	.C_GetSessionValidationFlags = validation_flags,
	.C_AsyncComplete = async_complete,
	.C_AsyncGetID = async_get_id,
	.C_AsyncJoin = async_join,
	.C_WrapKeyAuthenticated = wrap_authenticated,
	.C_UnwrapKeyAuthenticated = unwrap_authenticated,
};

static CK_UTF8CHAR standard[] = "PKCS 11";

/* The first of a name is the default. Systems' headers differ in what kind of characters it has. */
static CK_INTERFACE interfaces[] = {
	{ (void *)standard, &functions_3_0, CKF_INTERFACE_FORK_SAFE },
	{ (void *)standard, &functions_3_2, CKF_INTERFACE_FORK_SAFE },
	{ (void *)standard, &functions, CKF_INTERFACE_FORK_SAFE },
};

#define N_INTERFACES	(sizeof(interfaces) / sizeof(interfaces[0]))

EXPORT CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
	if (!list)
		return CKR_ARGUMENTS_BAD;
	*list = &functions;
	return CKR_OK;
}

EXPORT CK_RV C_GetInterfaceList(CK_INTERFACE *list, CK_ULONG *count)
{
	CK_RV rv = CKR_OK;

	if (!count)
		return CKR_ARGUMENTS_BAD;
	if (list && *count < N_INTERFACES)
		rv = CKR_BUFFER_TOO_SMALL;
	else if (list)
		memcpy(list, interfaces, sizeof(interfaces));
	*count = N_INTERFACES;
	return rv;
}

EXPORT CK_RV C_GetInterface(CK_UTF8CHAR *name, CK_VERSION *version, CK_INTERFACE **interface,
			    CK_FLAGS flags)
{
	size_t i;

	if (!interface)
		return CKR_ARGUMENTS_BAD;
	for (i = 0; i < N_INTERFACES; i++) {
		/* Every list begins with its version. */
		const CK_VERSION *own = interfaces[i].pFunctionList;

		if (name && strcmp((const char *)name, (const char *)standard))
			continue;
		if (version && (version->major != own->major || version->minor != own->minor))
			continue;
		if ((interfaces[i].flags & flags) != flags)
			continue;
		*interface = &interfaces[i];
		return CKR_OK;
	}
	/* PKCS#11 3.0, 5.4.5: no such interface */
	return CKR_FUNCTION_FAILED;
}
