// SPDX-License-Identifier: LGPL-2.1-or-later
/* The function lists: the only way into the module. */
#include "module.h"

#define EXPORT __attribute__((visibility("default")))

static CK_FUNCTION_LIST functions = {
	.version = { CRYPTOKI_VERSION_MAJOR, CRYPTOKI_VERSION_MINOR },
#define HAS(name) .name = name
	HAS(C_Initialize), HAS(C_Finalize), HAS(C_GetInfo), HAS(C_GetFunctionList),
	HAS(C_GetSlotList), HAS(C_GetSlotInfo), HAS(C_GetTokenInfo),
	HAS(C_GetMechanismList), HAS(C_GetMechanismInfo), HAS(C_InitToken), HAS(C_InitPIN),
	HAS(C_SetPIN), HAS(C_OpenSession), HAS(C_CloseSession), HAS(C_CloseAllSessions),
	HAS(C_GetSessionInfo), HAS(C_GetOperationState), HAS(C_SetOperationState),
	HAS(C_Login), HAS(C_Logout),
	HAS(C_CreateObject), HAS(C_CopyObject), HAS(C_DestroyObject), HAS(C_GetObjectSize),
	HAS(C_GetAttributeValue), HAS(C_SetAttributeValue),
	HAS(C_FindObjectsInit), HAS(C_FindObjects), HAS(C_FindObjectsFinal),
	HAS(C_EncryptInit), HAS(C_Encrypt), HAS(C_EncryptUpdate), HAS(C_EncryptFinal),
	HAS(C_DecryptInit), HAS(C_Decrypt), HAS(C_DecryptUpdate), HAS(C_DecryptFinal),
	HAS(C_DigestInit), HAS(C_Digest), HAS(C_DigestUpdate), HAS(C_DigestKey),
	HAS(C_DigestFinal),
	HAS(C_SignInit), HAS(C_Sign), HAS(C_SignUpdate), HAS(C_SignFinal),
	HAS(C_SignRecoverInit), HAS(C_SignRecover),
	HAS(C_VerifyInit), HAS(C_Verify), HAS(C_VerifyUpdate), HAS(C_VerifyFinal),
	HAS(C_VerifyRecoverInit), HAS(C_VerifyRecover),
	HAS(C_DigestEncryptUpdate), HAS(C_DecryptDigestUpdate), HAS(C_SignEncryptUpdate),
	HAS(C_DecryptVerifyUpdate),
	HAS(C_GenerateKey), HAS(C_GenerateKeyPair), HAS(C_WrapKey), HAS(C_UnwrapKey),
	HAS(C_DeriveKey), HAS(C_SeedRandom), HAS(C_GenerateRandom),
	HAS(C_GetFunctionStatus), HAS(C_CancelFunction), HAS(C_WaitForSlotEvent),
#undef HAS
};

EXPORT CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
	if (!list)
		return CKR_ARGUMENTS_BAD;
	*list = &functions;
	return CKR_OK;
}
