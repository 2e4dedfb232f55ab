/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What PKCS#11 3.0 and 3.2 add to the system's header (which is 2.40), as far as it is used
 * here. Written from the standard. A newer system header brings some of it along.
 */
#ifndef PCIEHSM_PKCS11_3_H
#define PCIEHSM_PKCS11_3_H

#include <p11-kit/pkcs11.h>

/* ---- attributes ---- */

#ifndef CKA_PROFILE_ID
#define CKA_PROFILE_ID			0x00000601UL
#endif
#ifndef CKA_PARAMETER_SET
#define CKA_PARAMETER_SET		0x0000061dUL
#endif
#ifndef CKA_ENCAPSULATE
#define CKA_ENCAPSULATE			0x00000633UL
#define CKA_DECAPSULATE			0x00000634UL
#endif
#ifndef CKA_ENCAPSULATE_TEMPLATE
/* Templates, though without CKF_ARRAY_ATTRIBUTE */
#define CKA_ENCAPSULATE_TEMPLATE	0x0000062aUL
#define CKA_DECAPSULATE_TEMPLATE	0x0000062bUL
#endif
#ifndef CKA_UNIQUE_ID
#define CKA_UNIQUE_ID			0x00000004UL
#endif

/* ---- key types ---- */

#ifndef CKK_EC_MONTGOMERY
#define CKK_EC_MONTGOMERY		0x00000041UL
#endif
#ifndef CKK_HKDF
#define CKK_HKDF			0x00000042UL
#endif

#ifndef CKK_ML_KEM
#define CKK_ML_KEM			0x00000049UL
#define CKK_ML_DSA			0x0000004aUL
#define CKK_SLH_DSA			0x0000004bUL
#endif

/* ---- parameter sets (3.2): of CKA_PARAMETER_SET, by type of key ---- */

#ifndef CKP_ML_KEM_512
#define CKP_ML_KEM_512			0x00000001UL
#define CKP_ML_KEM_768			0x00000002UL
#define CKP_ML_KEM_1024			0x00000003UL
#endif
#ifndef CKP_ML_DSA_44
#define CKP_ML_DSA_44			0x00000001UL
#define CKP_ML_DSA_65			0x00000002UL
#define CKP_ML_DSA_87			0x00000003UL
#endif
#ifndef CKP_SLH_DSA_SHA2_128S
#define CKP_SLH_DSA_SHA2_128S		0x00000001UL
#define CKP_SLH_DSA_SHAKE_128S		0x00000002UL
#define CKP_SLH_DSA_SHA2_128F		0x00000003UL
#define CKP_SLH_DSA_SHAKE_128F		0x00000004UL
#define CKP_SLH_DSA_SHA2_192S		0x00000005UL
#define CKP_SLH_DSA_SHAKE_192S		0x00000006UL
#define CKP_SLH_DSA_SHA2_192F		0x00000007UL
#define CKP_SLH_DSA_SHAKE_192F		0x00000008UL
#define CKP_SLH_DSA_SHA2_256S		0x00000009UL
#define CKP_SLH_DSA_SHAKE_256S		0x0000000aUL
#define CKP_SLH_DSA_SHA2_256F		0x0000000bUL
#define CKP_SLH_DSA_SHAKE_256F		0x0000000cUL
#endif

/* ---- mechanisms ---- */

#ifndef CKM_ML_KEM
#define CKM_ML_KEM_KEY_PAIR_GEN		0x0000000fUL
#define CKM_ML_KEM			0x00000017UL
#endif
#ifndef CKM_ML_DSA
#define CKM_ML_DSA_KEY_PAIR_GEN		0x0000001cUL
#define CKM_ML_DSA			0x0000001dUL
#endif
#ifndef CKM_SLH_DSA
#define CKM_SLH_DSA_KEY_PAIR_GEN	0x0000002dUL
#define CKM_SLH_DSA			0x0000002eUL
#endif
#ifndef CKF_ENCAPSULATE
#define CKF_ENCAPSULATE			0x10000000UL
#define CKF_DECAPSULATE			0x20000000UL
#endif

#ifndef CKM_SHA3_256
#define CKM_SHA3_256			0x000002b0UL
#define CKM_SHA3_256_HMAC		0x000002b1UL
#define CKM_SHA3_256_HMAC_GENERAL	0x000002b2UL
#define CKM_SHA3_256_KEY_GEN		0x000002b3UL
#define CKM_SHA3_224			0x000002b5UL
#define CKM_SHA3_224_HMAC		0x000002b6UL
#define CKM_SHA3_224_HMAC_GENERAL	0x000002b7UL
#define CKM_SHA3_384			0x000002c0UL
#define CKM_SHA3_384_HMAC		0x000002c1UL
#define CKM_SHA3_384_HMAC_GENERAL	0x000002c2UL
#define CKM_SHA3_512			0x000002d0UL
#define CKM_SHA3_512_HMAC		0x000002d1UL
#define CKM_SHA3_512_HMAC_GENERAL	0x000002d2UL
#endif
#ifndef CKM_SHA3_256_RSA_PKCS
#define CKM_SHA3_256_RSA_PKCS		0x00000060UL
#define CKM_SHA3_384_RSA_PKCS		0x00000061UL
#define CKM_SHA3_512_RSA_PKCS		0x00000062UL
#define CKM_SHA3_256_RSA_PKCS_PSS	0x00000063UL
#define CKM_SHA3_384_RSA_PKCS_PSS	0x00000064UL
#define CKM_SHA3_512_RSA_PKCS_PSS	0x00000065UL
#define CKM_SHA3_224_RSA_PKCS		0x00000066UL
#define CKM_SHA3_224_RSA_PKCS_PSS	0x00000067UL
#endif
#ifndef CKM_ECDSA_SHA3_224
#define CKM_ECDSA_SHA3_224		0x00001047UL
#define CKM_ECDSA_SHA3_256		0x00001048UL
#define CKM_ECDSA_SHA3_384		0x00001049UL
#define CKM_ECDSA_SHA3_512		0x0000104aUL
#endif
#ifndef CKM_EC_MONTGOMERY_KEY_PAIR_GEN
#define CKM_EC_MONTGOMERY_KEY_PAIR_GEN	0x00001056UL
#endif
#ifndef CKM_HKDF_DERIVE
#define CKM_HKDF_DERIVE			0x0000402aUL
#define CKM_HKDF_DATA			0x0000402bUL
#define CKM_HKDF_KEY_GEN		0x0000402cUL
#endif
#ifndef CKM_AES_KEY_WRAP_PKCS7
#define CKM_AES_KEY_WRAP_PKCS7		0x0000210cUL
#endif
/* 3.0: the padded wrap of RFC 5649 by its proper name; the older one means the same here */
#ifndef CKM_AES_KEY_WRAP_KWP
#define CKM_AES_KEY_WRAP_KWP		0x0000210bUL
#endif

/* ---- sessions whose calls do not wait (3.2) ---- */

#ifndef CKF_ASYNC_SESSION
#define CKF_ASYNC_SESSION		0x00000008UL
#define CKF_ASYNC_SESSION_SUPPORTED	0x04000000UL
#endif
#ifndef CKR_SESSION_ASYNC_NOT_SUPPORTED
#define CKR_SESSION_ASYNC_NOT_SUPPORTED	0x00000205UL
#endif

/* ---- parameters ---- */

#ifndef CKZ_DATA_SPECIFIED
#define CKZ_DATA_SPECIFIED		0x00000001UL
#endif

#ifndef CKF_HKDF_SALT_NULL
#define CKF_HKDF_SALT_NULL		0x00000001UL
#define CKF_HKDF_SALT_DATA		0x00000002UL
#define CKF_HKDF_SALT_KEY		0x00000004UL

typedef struct {
	CK_BBOOL		bExtract;
	CK_BBOOL		bExpand;
	CK_MECHANISM_TYPE	prfHashMechanism;
	CK_ULONG		ulSaltType;
	CK_BYTE			*pSalt;
	CK_ULONG		ulSaltLen;
	CK_OBJECT_HANDLE	hSaltKey;
	CK_BYTE			*pInfo;
	CK_ULONG		ulInfoLen;
} CK_HKDF_PARAMS;

typedef struct {
	CK_BBOOL		phFlag;
	CK_ULONG		ulContextDataLen;
	CK_BYTE			*pContextData;
} CK_EDDSA_PARAMS;
#endif

/* ML-DSA and SLH-DSA (3.2); a mechanism without parameter stands for one of zeroes */
#ifndef CKH_HEDGE_PREFERRED
#define CKH_HEDGE_PREFERRED		0x00000000UL
#define CKH_HEDGE_REQUIRED		0x00000001UL
#define CKH_DETERMINISTIC_REQUIRED	0x00000002UL

typedef struct {
	CK_ULONG	hedgeVariant;	/* CKH_* */
	CK_BYTE		*pContext;
	CK_ULONG	ulContextLen;
} CK_SIGN_ADDITIONAL_CONTEXT;
#endif

/* AES-GCM on messages: one per message */
#ifndef CKG_NO_GENERATE
#define CKG_NO_GENERATE			0x00000000UL
#define CKG_GENERATE			0x00000001UL
#define CKG_GENERATE_COUNTER		0x00000002UL
#define CKG_GENERATE_RANDOM		0x00000003UL
#define CKG_GENERATE_COUNTER_XOR	0x00000004UL

typedef struct {
	CK_BYTE		*pIv;
	CK_ULONG	ulIvLen;
	CK_ULONG	ulIvFixedBits;
	CK_ULONG	ivGenerator;	/* CKG_* */
	CK_BYTE		*pTag;
	CK_ULONG	ulTagBits;
} CK_GCM_MESSAGE_PARAMS;
#endif

/* ---- results ---- */

#ifndef CKR_AEAD_DECRYPT_FAILED
#define CKR_AEAD_DECRYPT_FAILED		0x00000042UL
#endif
#ifndef CKR_TOKEN_RESOURCE_EXCEEDED
#define CKR_TOKEN_RESOURCE_EXCEEDED	0x00000201UL
#endif

#ifndef CKR_OPERATION_CANCEL_FAILED
#define CKR_OPERATION_CANCEL_FAILED	0x00000202UL
#endif

/* ---- messages ---- */

#ifndef CKF_MESSAGE_ENCRYPT
#define CKF_MESSAGE_ENCRYPT		0x00000002UL
#define CKF_MESSAGE_DECRYPT		0x00000004UL
#define CKF_MESSAGE_SIGN		0x00000008UL
#define CKF_MESSAGE_VERIFY		0x00000010UL
#define CKF_MULTI_MESSAGE		0x00000020UL
#endif
#ifndef CKF_END_OF_MESSAGE
#define CKF_END_OF_MESSAGE		0x00000001UL
#endif

/* ---- validation (3.2) ---- */

#ifndef CKS_LAST_VALIDATION_OK
#define CKS_LAST_VALIDATION_OK		0x00000001UL
#endif

/* ---- interfaces ---- */

#ifndef CKF_FIND_OBJECTS
#define CKF_FIND_OBJECTS		0x00000040UL
#endif
#ifndef CKF_INTERFACE_FORK_SAFE
#define CKF_INTERFACE_FORK_SAFE		0x00000001UL

typedef struct {
	CK_UTF8CHAR	*pInterfaceName;
	void		*pFunctionList;
	CK_FLAGS	flags;
} CK_INTERFACE;

typedef CK_RV (*CK_C_GetInterfaceList)(CK_INTERFACE *list, CK_ULONG *count);
typedef CK_RV (*CK_C_GetInterface)(CK_UTF8CHAR *name, CK_VERSION *version,
				   CK_INTERFACE **interface, CK_FLAGS flags);
typedef CK_RV (*CK_C_LoginUser)(CK_SESSION_HANDLE session, CK_USER_TYPE type, CK_UTF8CHAR *pin,
				CK_ULONG pin_len, CK_UTF8CHAR *name, CK_ULONG name_len);
typedef CK_RV (*CK_C_SessionCancel)(CK_SESSION_HANDLE session, CK_FLAGS flags);
/* the whole message, or the next part of it */
typedef CK_RV (*CK_C_SignMessage)(CK_SESSION_HANDLE session, void *parameter, CK_ULONG len,
				  CK_BYTE *data, CK_ULONG data_len, CK_BYTE *signature,
				  CK_ULONG *signature_len);
typedef CK_RV (*CK_C_VerifyMessage)(CK_SESSION_HANDLE session, void *parameter, CK_ULONG len,
				    CK_BYTE *data, CK_ULONG data_len, CK_BYTE *signature,
				    CK_ULONG signature_len);
#endif

/* Four families of message functions, alike in pairs */
typedef CK_RV (*CK_C_MessageInit)(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
				  CK_OBJECT_HANDLE key);
typedef CK_RV (*CK_C_MessageFinal)(CK_SESSION_HANDLE session);
typedef CK_RV (*CK_C_CryptMessage)(CK_SESSION_HANDLE session, void *parameter, CK_ULONG len,
				   CK_BYTE *aad, CK_ULONG aad_len, CK_BYTE *in, CK_ULONG in_len,
				   CK_BYTE *out, CK_ULONG *out_len);
typedef CK_RV (*CK_C_CryptMessageBegin)(CK_SESSION_HANDLE session, void *parameter, CK_ULONG len,
					CK_BYTE *aad, CK_ULONG aad_len);
typedef CK_RV (*CK_C_CryptMessageNext)(CK_SESSION_HANDLE session, void *parameter, CK_ULONG len,
				       CK_BYTE *in, CK_ULONG in_len, CK_BYTE *out,
				       CK_ULONG *out_len, CK_FLAGS flags);
typedef CK_RV (*CK_C_MessageBegin)(CK_SESSION_HANDLE session, void *parameter, CK_ULONG len);
/*
 * The lists of 3.0 and 3.2 are those of before and what follows. A system's header that has them
 * has them flat, so they have names of their own behind the usual ones.
 */
#define CK_FUNCTION_LIST_3_0	struct pciehsm_function_list_3_0
#define CK_FUNCTION_LIST_3_2	struct pciehsm_function_list_3_2

struct pciehsm_function_list_3_0 {
	CK_FUNCTION_LIST	v2;
	CK_C_GetInterfaceList	C_GetInterfaceList;
	CK_C_GetInterface	C_GetInterface;
	CK_C_LoginUser		C_LoginUser;
	CK_C_SessionCancel	C_SessionCancel;
	CK_C_MessageInit	C_MessageEncryptInit;
	CK_C_CryptMessage	C_EncryptMessage;
	CK_C_CryptMessageBegin	C_EncryptMessageBegin;
	CK_C_CryptMessageNext	C_EncryptMessageNext;
	CK_C_MessageFinal	C_MessageEncryptFinal;
	CK_C_MessageInit	C_MessageDecryptInit;
	CK_C_CryptMessage	C_DecryptMessage;
	CK_C_CryptMessageBegin	C_DecryptMessageBegin;
	CK_C_CryptMessageNext	C_DecryptMessageNext;
	CK_C_MessageFinal	C_MessageDecryptFinal;
	CK_C_MessageInit	C_MessageSignInit;
	CK_C_SignMessage	C_SignMessage;
	CK_C_MessageBegin	C_SignMessageBegin;
	CK_C_SignMessage	C_SignMessageNext;
	CK_C_MessageFinal	C_MessageSignFinal;
	CK_C_MessageInit	C_MessageVerifyInit;
	CK_C_VerifyMessage	C_VerifyMessage;
	CK_C_MessageBegin	C_VerifyMessageBegin;
	CK_C_VerifyMessage	C_VerifyMessageNext;
	CK_C_MessageFinal	C_MessageVerifyFinal;
};

typedef struct {
	CK_ULONG		ulVersion;
	CK_BYTE			*pValue;
	CK_ULONG		ulValue;
	CK_OBJECT_HANDLE	hObject;
	CK_OBJECT_HANDLE	hAdditionalObject;
} CK_ASYNC_DATA;

typedef CK_RV (*CK_C_EncapsulateKey)(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
				     CK_OBJECT_HANDLE public_key, CK_ATTRIBUTE *attrs, CK_ULONG n,
				     CK_BYTE *text, CK_ULONG *text_len, CK_OBJECT_HANDLE *key);
typedef CK_RV (*CK_C_DecapsulateKey)(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
				     CK_OBJECT_HANDLE private_key, CK_ATTRIBUTE *attrs, CK_ULONG n,
				     CK_BYTE *text, CK_ULONG text_len, CK_OBJECT_HANDLE *key);
typedef CK_RV (*CK_C_VerifySignatureInit)(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
					  CK_OBJECT_HANDLE key, CK_BYTE *signature,
					  CK_ULONG signature_len);
/* the whole data, or the next part of it */
typedef CK_RV (*CK_C_VerifySignature)(CK_SESSION_HANDLE session, CK_BYTE *data,
				      CK_ULONG data_len);
typedef CK_RV (*CK_C_VerifySignatureFinal)(CK_SESSION_HANDLE session);
typedef CK_RV (*CK_C_GetSessionValidationFlags)(CK_SESSION_HANDLE session, CK_ULONG type,
						CK_FLAGS *flags);
typedef CK_RV (*CK_C_AsyncComplete)(CK_SESSION_HANDLE session, CK_UTF8CHAR *function,
				    CK_ASYNC_DATA *result);
typedef CK_RV (*CK_C_AsyncGetID)(CK_SESSION_HANDLE session, CK_UTF8CHAR *function, CK_ULONG *id);
typedef CK_RV (*CK_C_AsyncJoin)(CK_SESSION_HANDLE session, CK_UTF8CHAR *function, CK_ULONG id,
				CK_BYTE *data, CK_ULONG len);
typedef CK_RV (*CK_C_WrapKeyAuthenticated)(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
					   CK_OBJECT_HANDLE wrapping, CK_OBJECT_HANDLE key,
					   CK_BYTE *aad, CK_ULONG aad_len, CK_BYTE *wrapped,
					   CK_ULONG *wrapped_len);
typedef CK_RV (*CK_C_UnwrapKeyAuthenticated)(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
					     CK_OBJECT_HANDLE unwrapping, CK_BYTE *wrapped,
					     CK_ULONG wrapped_len, CK_ATTRIBUTE *attrs, CK_ULONG n,
					     CK_BYTE *aad, CK_ULONG aad_len,
					     CK_OBJECT_HANDLE *key);

struct pciehsm_function_list_3_2 {
	CK_FUNCTION_LIST_3_0		v3;
	CK_C_EncapsulateKey		C_EncapsulateKey;
	CK_C_DecapsulateKey		C_DecapsulateKey;
	CK_C_VerifySignatureInit	C_VerifySignatureInit;
	CK_C_VerifySignature		C_VerifySignature;
	CK_C_VerifySignature		C_VerifySignatureUpdate;
	CK_C_VerifySignatureFinal	C_VerifySignatureFinal;
	CK_C_GetSessionValidationFlags	C_GetSessionValidationFlags;
	CK_C_AsyncComplete		C_AsyncComplete;
	CK_C_AsyncGetID			C_AsyncGetID;
	CK_C_AsyncJoin			C_AsyncJoin;
	CK_C_WrapKeyAuthenticated	C_WrapKeyAuthenticated;
	CK_C_UnwrapKeyAuthenticated	C_UnwrapKeyAuthenticated;
};

#endif /* PCIEHSM_PKCS11_3_H */
