// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The function lists of PKCS#11 2.40 and 3.0: the only ways into the module.
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

static CK_RV get_info_3_0(CK_INFO *info)
{
	CK_RV rv = C_GetInfo(info);

	if (rv == CKR_OK)
		info->cryptokiVersion = (CK_VERSION){ 3, 0 };
	return rv;
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
	} kinds[] = {
		{ CKF_ENCRYPT,		PCIEHSM_FN_ENCRYPT },
		{ CKF_DECRYPT,		PCIEHSM_FN_DECRYPT },
		{ CKF_SIGN,		PCIEHSM_FN_SIGN },
		{ CKF_SIGN_RECOVER,	PCIEHSM_FN_SIGN_RECOVER },
		{ CKF_VERIFY,		PCIEHSM_FN_VERIFY },
		{ CKF_VERIFY_RECOVER,	PCIEHSM_FN_VERIFY_RECOVER },
		{ CKF_DIGEST,		PCIEHSM_FN_DIGEST },
	};
	struct session *session;
	CK_RV rv = session_enter(handle, &session);
	size_t i;

	if (rv != CKR_OK)
		return rv;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (flags & kinds[i].flag)
			operation_end(session, kinds[i].fn);
	if (flags & CKF_FIND_OBJECTS)
		session_end_search(session);
	return session_leave(session, CKR_OK);
}

/* No mechanism of the card is one for messages, as CKF_MESSAGE_* of its list tells. */
static CK_RV no_messages(CK_SESSION_HANDLE handle)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);

	return rv == CKR_OK ? session_leave(session, CKR_FUNCTION_NOT_SUPPORTED) : rv;
}

#define UNUSED __attribute__((unused))

static CK_RV message_init(CK_SESSION_HANDLE session, UNUSED CK_MECHANISM *mechanism,
			  UNUSED CK_OBJECT_HANDLE key)
{
	return no_messages(session);
}

static CK_RV crypt_message(CK_SESSION_HANDLE session, UNUSED void *parameter, UNUSED CK_ULONG len,
			   UNUSED CK_BYTE *aad, UNUSED CK_ULONG aad_len, UNUSED CK_BYTE *in,
			   UNUSED CK_ULONG in_len, UNUSED CK_BYTE *out, UNUSED CK_ULONG *out_len)
{
	return no_messages(session);
}

static CK_RV crypt_begin(CK_SESSION_HANDLE session, UNUSED void *parameter, UNUSED CK_ULONG len,
			 UNUSED CK_BYTE *aad, UNUSED CK_ULONG aad_len)
{
	return no_messages(session);
}

static CK_RV crypt_next(CK_SESSION_HANDLE session, UNUSED void *parameter, UNUSED CK_ULONG len,
			UNUSED CK_BYTE *in, UNUSED CK_ULONG in_len, UNUSED CK_BYTE *out,
			UNUSED CK_ULONG *out_len, UNUSED CK_FLAGS flags)
{
	return no_messages(session);
}

static CK_RV message_begin(CK_SESSION_HANDLE session, UNUSED void *parameter, UNUSED CK_ULONG len)
{
	return no_messages(session);
}

static CK_RV sign_message(CK_SESSION_HANDLE session, UNUSED void *parameter, UNUSED CK_ULONG len,
			  UNUSED CK_BYTE *data, UNUSED CK_ULONG data_len,
			  UNUSED CK_BYTE *signature, UNUSED CK_ULONG *signature_len)
{
	return no_messages(session);
}

static CK_RV verify_message(CK_SESSION_HANDLE session, UNUSED void *parameter,
			    UNUSED CK_ULONG len, UNUSED CK_BYTE *data, UNUSED CK_ULONG data_len,
			    UNUSED CK_BYTE *signature, UNUSED CK_ULONG signature_len)
{
	return no_messages(session);
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

static CK_FUNCTION_LIST_3_0 functions_3_0 = {
	.v2 = {
		.version = { 3, 0 },
		.C_GetInfo = get_info_3_0,
		FUNCTIONS_OF_2_40
	},
	HAS(C_GetInterfaceList), HAS(C_GetInterface),
	.C_LoginUser = login_user,
	.C_SessionCancel = session_cancel,
	.C_MessageEncryptInit = message_init,
	.C_EncryptMessage = crypt_message,
	.C_EncryptMessageBegin = crypt_begin,
	.C_EncryptMessageNext = crypt_next,
	.C_MessageEncryptFinal = no_messages,
	.C_MessageDecryptInit = message_init,
	.C_DecryptMessage = crypt_message,
	.C_DecryptMessageBegin = crypt_begin,
	.C_DecryptMessageNext = crypt_next,
	.C_MessageDecryptFinal = no_messages,
	.C_MessageSignInit = message_init,
	.C_SignMessage = sign_message,
	.C_SignMessageBegin = message_begin,
	.C_SignMessageNext = sign_message,
	.C_MessageSignFinal = no_messages,
	.C_MessageVerifyInit = message_init,
	.C_VerifyMessage = verify_message,
	.C_VerifyMessageBegin = message_begin,
	.C_VerifyMessageNext = verify_message,
	.C_MessageVerifyFinal = no_messages,
};

static CK_UTF8CHAR standard[] = "PKCS 11";

/* The first of a name is the default. */
static CK_INTERFACE interfaces[] = {
	{ standard, &functions_3_0, CKF_INTERFACE_FORK_SAFE },
	{ standard, &functions, CKF_INTERFACE_FORK_SAFE },
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
