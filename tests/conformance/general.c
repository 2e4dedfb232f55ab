// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Chapters on what holds for all functions alike: before C_Initialize, with handles and slots
 * that are none, with pointers that are none.
 */
#include "conformance.h"

static CK_BYTE bytes[512];
static CK_ULONG len, len2;
static CK_OBJECT_HANDLE object, object2;
static CK_SESSION_HANDLE session;
static CK_SESSION_INFO session_info;
static CK_SLOT_INFO slot_info;
static CK_TOKEN_INFO token_info;
static CK_MECHANISM_INFO mechanism_info;
static CK_INFO info;
static CK_SLOT_ID slots[64];
static CK_MECHANISM digest = { CKM_SHA256, NULL, 0 }, sign = { CKM_ECDSA, NULL, 0 };
static CK_MECHANISM cipher = { CKM_AES_ECB, NULL, 0 };
static CK_MECHANISM generate = { CKM_AES_KEY_GEN, NULL, 0 };
static CK_MECHANISM pair = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
static CK_OBJECT_CLASS class = CKO_DATA;
static CK_ATTRIBUTE attrs[] = { ATTR(CKA_CLASS, class) };
static char pin[] = "12345678";

/* Every function of 2.40 with a session, and good arguments after it */
#define SESSION_CALLS(X)						\
	X(C_CloseSession)						\
	X(C_GetSessionInfo, &session_info)				\
	X(C_GetOperationState, bytes, &len)				\
	X(C_SetOperationState, bytes, len, 0, 0)			\
	X(C_Login, CKU_USER, (CK_BYTE *)pin, 8)				\
	X(C_Logout)							\
	X(C_InitPIN, (CK_BYTE *)pin, 8)					\
	X(C_SetPIN, (CK_BYTE *)pin, 8, (CK_BYTE *)pin, 8)		\
	X(C_CreateObject, attrs, 1, &object)				\
	X(C_CopyObject, 1, attrs, 1, &object)				\
	X(C_DestroyObject, 1)						\
	X(C_GetObjectSize, 1, &len)					\
	X(C_GetAttributeValue, 1, attrs, 1)				\
	X(C_SetAttributeValue, 1, attrs, 1)				\
	X(C_FindObjectsInit, attrs, 1)					\
	X(C_FindObjects, &object, 1, &len)				\
	X(C_FindObjectsFinal)						\
	X(C_EncryptInit, &cipher, 1)					\
	X(C_Encrypt, bytes, 16, bytes, &len)				\
	X(C_EncryptUpdate, bytes, 16, bytes, &len)			\
	X(C_EncryptFinal, bytes, &len)					\
	X(C_DecryptInit, &cipher, 1)					\
	X(C_Decrypt, bytes, 16, bytes, &len)				\
	X(C_DecryptUpdate, bytes, 16, bytes, &len)			\
	X(C_DecryptFinal, bytes, &len)					\
	X(C_DigestInit, &digest)					\
	X(C_Digest, bytes, 16, bytes, &len)				\
	X(C_DigestUpdate, bytes, 16)					\
	X(C_DigestKey, 1)						\
	X(C_DigestFinal, bytes, &len)					\
	X(C_SignInit, &sign, 1)						\
	X(C_Sign, bytes, 16, bytes, &len)				\
	X(C_SignUpdate, bytes, 16)					\
	X(C_SignFinal, bytes, &len)					\
	X(C_SignRecoverInit, &sign, 1)					\
	X(C_SignRecover, bytes, 16, bytes, &len)			\
	X(C_VerifyInit, &sign, 1)					\
	X(C_Verify, bytes, 16, bytes, 64)				\
	X(C_VerifyUpdate, bytes, 16)					\
	X(C_VerifyFinal, bytes, 64)					\
	X(C_VerifyRecoverInit, &sign, 1)				\
	X(C_VerifyRecover, bytes, 64, bytes, &len)			\
	X(C_DigestEncryptUpdate, bytes, 16, bytes, &len)		\
	X(C_DecryptDigestUpdate, bytes, 16, bytes, &len)		\
	X(C_SignEncryptUpdate, bytes, 16, bytes, &len)			\
	X(C_DecryptVerifyUpdate, bytes, 16, bytes, &len)		\
	X(C_GenerateKey, &generate, attrs, 1, &object)			\
	X(C_GenerateKeyPair, &pair, attrs, 1, attrs, 1, &object, &object2) \
	X(C_WrapKey, &cipher, 1, 2, bytes, &len)			\
	X(C_UnwrapKey, &cipher, 1, bytes, 16, attrs, 1, &object)	\
	X(C_DeriveKey, &sign, 1, attrs, 1, &object)			\
	X(C_SeedRandom, bytes, 16)					\
	X(C_GenerateRandom, bytes, 16)

#define SLOT_CALLS(X)							\
	X(C_GetSlotInfo, &slot_info)					\
	X(C_GetTokenInfo, &token_info)					\
	X(C_GetMechanismList, NULL, &len)				\
	X(C_GetMechanismInfo, CKM_SHA256, &mechanism_info)		\
	X(C_InitToken, (CK_BYTE *)pin, 8, bytes)			\
	X(C_OpenSession, CKF_SERIAL_SESSION, NULL, NULL, &session)	\
	X(C_CloseAllSessions)

/* What 3.0 adds, and 3.2 */
#define CALLS_OF_3_0(X)							\
	X(C_LoginUser, CKU_USER, (CK_BYTE *)pin, 8, NULL, 0)		\
	X(C_SessionCancel, CKF_SIGN)					\
	X(C_MessageEncryptInit, &cipher, 1)				\
	X(C_EncryptMessage, bytes, 1, NULL, 0, bytes, 1, bytes, &len)	\
	X(C_EncryptMessageBegin, bytes, 1, NULL, 0)			\
	X(C_EncryptMessageNext, bytes, 1, bytes, 1, bytes, &len, 0)	\
	X(C_MessageEncryptFinal)					\
	X(C_MessageDecryptInit, &cipher, 1)				\
	X(C_DecryptMessage, bytes, 1, NULL, 0, bytes, 1, bytes, &len)	\
	X(C_DecryptMessageBegin, bytes, 1, NULL, 0)			\
	X(C_DecryptMessageNext, bytes, 1, bytes, 1, bytes, &len, 0)	\
	X(C_MessageDecryptFinal)					\
	X(C_MessageSignInit, &sign, 1)					\
	X(C_SignMessage, NULL, 0, bytes, 1, bytes, &len)		\
	X(C_SignMessageBegin, NULL, 0)					\
	X(C_SignMessageNext, NULL, 0, bytes, 1, bytes, &len)		\
	X(C_MessageSignFinal)						\
	X(C_MessageVerifyInit, &sign, 1)				\
	X(C_VerifyMessage, NULL, 0, bytes, 1, bytes, 64)		\
	X(C_VerifyMessageBegin, NULL, 0)				\
	X(C_VerifyMessageNext, NULL, 0, bytes, 1, bytes, 64)		\
	X(C_MessageVerifyFinal)

#define CALLS_OF_3_2(X)							\
	X(C_EncapsulateKey, &sign, 1, attrs, 1, bytes, &len, &object)	\
	X(C_DecapsulateKey, &sign, 1, attrs, 1, bytes, 16, &object)	\
	X(C_VerifySignatureInit, &sign, 1, bytes, 64)			\
	X(C_VerifySignature, bytes, 16)					\
	X(C_VerifySignatureUpdate, bytes, 16)				\
	X(C_VerifySignatureFinal)					\
	X(C_GetSessionValidationFlags, 1, &len)				\
	X(C_AsyncComplete, bytes, NULL)					\
	X(C_AsyncGetID, bytes, &len)					\
	X(C_AsyncJoin, bytes, 1, bytes, 16)				\
	X(C_WrapKeyAuthenticated, &cipher, 1, 2, NULL, 0, bytes, &len)	\
	X(C_UnwrapKeyAuthenticated, &cipher, 1, bytes, 16, attrs, 1, NULL, 0, &object)

struct call {
	const char	*name;
	CK_RV		(*call)(CK_ULONG first);
};

#define DEFINE(list, name, ...)						\
static CK_RV call_##name(CK_ULONG first)				\
{									\
	len = sizeof(bytes);						\
	len2 = sizeof(bytes);						\
	return list->name(first, ##__VA_ARGS__);			\
}
#define DEFINE_2(name, ...) DEFINE(p11, name, ##__VA_ARGS__)
#define DEFINE_3_0(name, ...) DEFINE(p11_3_0, name, ##__VA_ARGS__)
#define DEFINE_3_2(name, ...) DEFINE(p11_3_2, name, ##__VA_ARGS__)
#define ENTRY(name, ...) { #name, call_##name },

SESSION_CALLS(DEFINE_2)
SLOT_CALLS(DEFINE_2)
CALLS_OF_3_0(DEFINE_3_0)
CALLS_OF_3_2(DEFINE_3_2)

static const struct call session_calls[] = { SESSION_CALLS(ENTRY) };
static const struct call slot_calls[] = { SLOT_CALLS(ENTRY) };
static const struct call calls_of_3_0[] = { CALLS_OF_3_0(ENTRY) };
static const struct call calls_of_3_2[] = { CALLS_OF_3_2(ENTRY) };

static const struct {
	const struct call	*calls;
	size_t			n;
} tables[] = {
	{ session_calls, COUNT(session_calls) },
	{ slot_calls, COUNT(slot_calls) },
	{ calls_of_3_0, COUNT(calls_of_3_0) },
	{ calls_of_3_2, COUNT(calls_of_3_2) },
};

static bool present(size_t table)
{
	return table < 2 || (table == 2 ? !!p11_3_0 : !!p11_3_2);
}

/* Each function of a session answers so, whatever else is asked. */
static void all(CK_ULONG first, CK_RV wanted, bool with_slots, const char *what)
{
	size_t t, i;

	for (t = 0; t < COUNT(tables); t++) {
		if (!present(t) || (t == 1 && !with_slots))
			continue;
		for (i = 0; i < tables[t].n; i++)
			result(tables[t].calls[i].call(first), &wanted, 1, "%s %s",
			       tables[t].calls[i].name, what);
	}
}

static void not_initialised(const char *when)
{
	size_t i;

	all(1, CKR_CRYPTOKI_NOT_INITIALIZED, true, when);
	for (i = 0; i < 2; i++) {
		result(p11->C_GetInfo(&info), ALLOW(CKR_CRYPTOKI_NOT_INITIALIZED),
		       "C_GetInfo %s", when);
		len = 64;
		result(p11->C_GetSlotList(CK_FALSE, i ? slots : NULL, &len),
		       ALLOW(CKR_CRYPTOKI_NOT_INITIALIZED), "C_GetSlotList %s", when);
		result(p11->C_WaitForSlotEvent(i ? CKF_DONT_BLOCK : 0, slots, NULL),
		       ALLOW(CKR_CRYPTOKI_NOT_INITIALIZED), "C_WaitForSlotEvent %s", when);
		result(p11->C_GetFunctionStatus(1), ALLOW(CKR_CRYPTOKI_NOT_INITIALIZED),
		       "C_GetFunctionStatus %s", when);
		result(p11->C_CancelFunction(1), ALLOW(CKR_CRYPTOKI_NOT_INITIALIZED),
		       "C_CancelFunction %s", when);
		result(p11->C_Finalize(NULL), ALLOW(CKR_CRYPTOKI_NOT_INITIALIZED),
		       "C_Finalize %s", when);
	}
}

static CK_RV create_mutex(void **mutex)
{
	*mutex = bytes;
	return CKR_OK;
}

static CK_RV no_mutex(void **mutex)
{
	(void)mutex;
	return CKR_GENERAL_ERROR;
}

static CK_RV use_mutex(void *mutex)
{
	return mutex == bytes ? CKR_OK : CKR_MUTEX_BAD;
}

static void initialize_arguments(void)
{
	CK_C_INITIALIZE_ARGS args;
	unsigned int callbacks;

	for (callbacks = 1; callbacks < 15; callbacks++) {
		memset(&args, 0, sizeof(args));
		args.flags = CKF_OS_LOCKING_OK;
		args.CreateMutex = callbacks & 1 ? create_mutex : NULL;
		args.DestroyMutex = callbacks & 2 ? use_mutex : NULL;
		args.LockMutex = callbacks & 4 ? use_mutex : NULL;
		args.UnlockMutex = callbacks & 8 ? use_mutex : NULL;
		result(p11->C_Initialize(&args), ALLOW(CKR_ARGUMENTS_BAD),
		       "C_Initialize with callbacks %u", callbacks);
	}
	memset(&args, 0, sizeof(args));
	args.pReserved = bytes;
	IS(p11->C_Initialize(&args), "C_Initialize pReserved", CKR_ARGUMENTS_BAD);
	args.pReserved = NULL;
	OK(p11->C_Initialize(&args), "C_Initialize without flags");
	IS(p11->C_Initialize(&args), "C_Initialize twice", CKR_CRYPTOKI_ALREADY_INITIALIZED);
	IS(p11->C_Initialize(NULL), "C_Initialize twice NULL", CKR_CRYPTOKI_ALREADY_INITIALIZED);
	IS(p11->C_Finalize(bytes), "C_Finalize pReserved", CKR_ARGUMENTS_BAD);
	OK(p11->C_Finalize(NULL), "C_Finalize");
	args.flags = CKF_LIBRARY_CANT_CREATE_OS_THREADS | CKF_OS_LOCKING_OK;
	if (IS(p11->C_Initialize(&args), "C_Initialize no threads", CKR_OK,
	       CKR_NEED_TO_CREATE_THREADS))
		p11->C_Finalize(NULL);
	args.flags = CKF_OS_LOCKING_OK;
	args.CreateMutex = create_mutex;
	args.DestroyMutex = use_mutex;
	args.LockMutex = use_mutex;
	args.UnlockMutex = use_mutex;
	OK(p11->C_Initialize(&args), "C_Initialize callbacks or the system's");
	OK(p11->C_Finalize(NULL), "C_Finalize after callbacks");
	args.flags = 0;
	if (IS(p11->C_Initialize(&args), "C_Initialize callbacks alone", CKR_OK, CKR_CANT_LOCK))
		p11->C_Finalize(NULL);
	args.CreateMutex = no_mutex;
	if (!IS(p11->C_Initialize(&args), "C_Initialize callbacks that fail", CKR_CANT_LOCK,
		CKR_GENERAL_ERROR))
		p11->C_Finalize(NULL);
}

void chapter_general(void)
{
	void **f = (void **)&p11->C_Initialize;
	CK_FUNCTION_LIST *list = NULL;
	unsigned int i;

	for (i = 0; i < (sizeof(*p11) - offsetof(CK_FUNCTION_LIST, C_Initialize)) / sizeof(*f); i++)
		holds(f[i], "function %u of 2.40 is there", i);
	for (i = 0; p11_3_0 && i < (sizeof(*p11_3_0) - sizeof(*p11)) / sizeof(*f); i++)
		holds(((void **)&p11_3_0->C_GetInterfaceList)[i], "function %u of 3.0 is there",
		      i);
	for (i = 0; p11_3_2 && i < (sizeof(*p11_3_2) - sizeof(*p11_3_0)) / sizeof(*f); i++)
		holds(((void **)&p11_3_2->C_EncapsulateKey)[i], "function %u of 3.2 is there", i);
	IS(p11->C_GetFunctionList(NULL), "C_GetFunctionList NULL", CKR_ARGUMENTS_BAD);
	OK(p11->C_GetFunctionList(&list), "C_GetFunctionList");
	holds(list == given, "C_GetFunctionList gives one list");
	not_initialised("before C_Initialize");
	initialize_arguments();
	not_initialised("after C_Finalize");
}

void chapter_handles(void)
{
	static const CK_SLOT_ID no_slots[] = { 77, 999999, 0x7fffffff, 0xffffffff,
					       0x100000000UL, ~0UL, ~0UL - 1 };
	CK_SESSION_HANDLE s, closed;
	char what[64];
	size_t i, k;

	all(0, CKR_SESSION_HANDLE_INVALID, false, "session 0");
	all(~0UL, CKR_SESSION_HANDLE_INVALID, false, "session ~0");
	closed = open_session(true);
	s = open_session(true);
	OK(p11->C_CloseSession(closed), "C_CloseSession");
	all(closed, CKR_SESSION_HANDLE_INVALID, false, "closed session");
	all(s + (1UL << 32), CKR_SESSION_HANDLE_INVALID, false, "session above 32 bits");
	all(s ^ 0x40000000, CKR_SESSION_HANDLE_INVALID, false, "session that never was");
	OK(p11->C_CloseAllSessions(slot), "C_CloseAllSessions");
	all(s, CKR_SESSION_HANDLE_INVALID, false, "session closed with all");
	for (i = 0; i < COUNT(no_slots); i++)
		for (k = 0; k < COUNT(slot_calls); k++) {
			snprintf(what, sizeof(what), "slot 0x%lx", no_slots[i]);
			result(slot_calls[k].call(no_slots[i]), ALLOW(CKR_SLOT_ID_INVALID),
			       "%s %s", slot_calls[k].name, what);
		}
	s = open_session(true);
	/* Of PKCS#11 1.0: one answer, whatever the session */
	IS(p11->C_GetFunctionStatus(s), "C_GetFunctionStatus", CKR_FUNCTION_NOT_PARALLEL);
	IS(p11->C_CancelFunction(s), "C_CancelFunction", CKR_FUNCTION_NOT_PARALLEL);
	IS(p11->C_OpenSession(slot, CKF_RW_SESSION, NULL, NULL, &s), "C_OpenSession parallel",
	   CKR_SESSION_PARALLEL_NOT_SUPPORTED);
	if (p11_3_2) {
		CK_TOKEN_INFO token;

		OK(p11->C_GetTokenInfo(slot, &token), "C_GetTokenInfo");
		if (!(token.flags & CKF_ASYNC_SESSION_SUPPORTED))
			IS(p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_ASYNC_SESSION, NULL,
					      NULL, &s),
			   "C_OpenSession asynchronous", CKR_SESSION_ASYNC_NOT_SUPPORTED);
	}
	IS(p11->C_OpenSession(slot, 0, NULL, NULL, &s), "C_OpenSession no flags",
	   CKR_SESSION_PARALLEL_NOT_SUPPORTED);
	/* Functions that need an operation, without one */
	s = open_session(true);
	for (i = 0; i < COUNT(session_calls); i++) {
		const char *name = session_calls[i].name;
		bool of_operation = false;
		static const char *const names[] = {
			"C_FindObjects", "C_FindObjectsFinal", "C_Encrypt", "C_EncryptUpdate",
			"C_EncryptFinal", "C_Decrypt", "C_DecryptUpdate", "C_DecryptFinal",
			"C_Digest", "C_DigestUpdate", "C_DigestKey", "C_DigestFinal", "C_Sign",
			"C_SignUpdate", "C_SignFinal", "C_SignRecover", "C_Verify",
			"C_VerifyUpdate", "C_VerifyFinal", "C_VerifyRecover",
			"C_DigestEncryptUpdate", "C_DecryptDigestUpdate", "C_SignEncryptUpdate",
			"C_DecryptVerifyUpdate",
		};

		for (k = 0; k < COUNT(names); k++)
			of_operation |= !strcmp(name, names[k]);
		if (of_operation)
			result(session_calls[i].call(s), ALLOW(CKR_OPERATION_NOT_INITIALIZED),
			       "%s without operation", name);
	}
	for (i = 0; p11_3_0 && i < COUNT(calls_of_3_0); i++)
		if (strncmp(calls_of_3_0[i].name, "C_Login", 7) &&
		    strncmp(calls_of_3_0[i].name, "C_SessionCancel", 15) &&
		    !strstr(calls_of_3_0[i].name, "Init"))
			result(calls_of_3_0[i].call(s), ALLOW(CKR_OPERATION_NOT_INITIALIZED,
							      CKR_FUNCTION_NOT_SUPPORTED),
			       "%s without operation", calls_of_3_0[i].name);
}

void chapter_arguments(void)
{
	CK_SESSION_HANDLE s = log_in();
	CK_OBJECT_HANDLE keys[N_KEYS];
	CK_ULONG n;

	make_keys(s, keys);
	attrs[0] = (CK_ATTRIBUTE)ATTR(CKA_CLASS, class);
#define BAD(call, what) IS(p11->call, what, CKR_ARGUMENTS_BAD)
	BAD(C_GetInfo(NULL), "C_GetInfo NULL");
	BAD(C_GetSlotList(CK_TRUE, NULL, NULL), "C_GetSlotList no count");
	BAD(C_GetSlotList(CK_TRUE, slots, NULL), "C_GetSlotList no count but a list");
	BAD(C_GetSlotInfo(slot, NULL), "C_GetSlotInfo NULL");
	BAD(C_GetTokenInfo(slot, NULL), "C_GetTokenInfo NULL");
	BAD(C_GetMechanismList(slot, NULL, NULL), "C_GetMechanismList no count");
	BAD(C_GetMechanismInfo(slot, CKM_SHA256, NULL), "C_GetMechanismInfo NULL");
	BAD(C_WaitForSlotEvent(CKF_DONT_BLOCK, NULL, NULL), "C_WaitForSlotEvent NULL");
	BAD(C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, NULL), "C_OpenSession NULL");
	BAD(C_GetSessionInfo(s, NULL), "C_GetSessionInfo NULL");
	BAD(C_CreateObject(s, NULL, 1, &object), "C_CreateObject no template");
	BAD(C_CreateObject(s, attrs, 1, NULL), "C_CreateObject no handle");
	BAD(C_CopyObject(s, keys[KEY_AES], NULL, 1, &object), "C_CopyObject no template");
	BAD(C_CopyObject(s, keys[KEY_AES], NULL, 0, NULL), "C_CopyObject no handle");
	BAD(C_GetObjectSize(s, keys[KEY_AES], NULL), "C_GetObjectSize NULL");
	BAD(C_GetAttributeValue(s, keys[KEY_AES], NULL, 1), "C_GetAttributeValue no template");
	BAD(C_SetAttributeValue(s, keys[KEY_AES], NULL, 1), "C_SetAttributeValue no template");
	BAD(C_FindObjectsInit(s, NULL, 1), "C_FindObjectsInit no template");
	OK(p11->C_FindObjectsInit(s, NULL, 0), "C_FindObjectsInit everything");
	BAD(C_FindObjects(s, NULL, 1, &n), "C_FindObjects no room");
	BAD(C_FindObjects(s, &object, 1, NULL), "C_FindObjects no count");
	OK(p11->C_FindObjectsFinal(s), "C_FindObjectsFinal");
	IS(p11->C_EncryptInit(s, NULL, keys[KEY_AES]), "C_EncryptInit NULL", CKR_ARGUMENTS_BAD);
	IS(p11->C_DecryptInit(s, NULL, keys[KEY_AES]), "C_DecryptInit NULL", CKR_ARGUMENTS_BAD);
	IS(p11->C_SignInit(s, NULL, keys[KEY_AES]), "C_SignInit NULL", CKR_ARGUMENTS_BAD);
	IS(p11->C_VerifyInit(s, NULL, keys[KEY_AES]), "C_VerifyInit NULL", CKR_ARGUMENTS_BAD);
	IS(p11->C_DigestInit(s, NULL), "C_DigestInit NULL", CKR_ARGUMENTS_BAD);
	BAD(C_GenerateKey(s, NULL, attrs, 1, &object), "C_GenerateKey no mechanism");
	BAD(C_GenerateKey(s, &generate, NULL, 1, &object), "C_GenerateKey no template");
	BAD(C_GenerateKey(s, &generate, attrs, 1, NULL), "C_GenerateKey no handle");
	BAD(C_GenerateKeyPair(s, NULL, attrs, 1, attrs, 1, &object, &object2),
	    "C_GenerateKeyPair no mechanism");
	BAD(C_GenerateKeyPair(s, &pair, NULL, 1, attrs, 1, &object, &object2),
	    "C_GenerateKeyPair no public template");
	BAD(C_GenerateKeyPair(s, &pair, attrs, 1, NULL, 1, &object, &object2),
	    "C_GenerateKeyPair no private template");
	BAD(C_GenerateKeyPair(s, &pair, attrs, 1, attrs, 1, NULL, &object2),
	    "C_GenerateKeyPair no public handle");
	BAD(C_GenerateKeyPair(s, &pair, attrs, 1, attrs, 1, &object, NULL),
	    "C_GenerateKeyPair no private handle");
	BAD(C_WrapKey(s, NULL, keys[KEY_AES], keys[KEY_GENERIC], bytes, &len),
	    "C_WrapKey no mechanism");
	BAD(C_WrapKey(s, &cipher, keys[KEY_AES], keys[KEY_GENERIC], bytes, NULL),
	    "C_WrapKey no length");
	BAD(C_UnwrapKey(s, NULL, keys[KEY_AES], bytes, 16, attrs, 1, &object),
	    "C_UnwrapKey no mechanism");
	BAD(C_UnwrapKey(s, &cipher, keys[KEY_AES], NULL, 16, attrs, 1, &object),
	    "C_UnwrapKey no data");
	BAD(C_UnwrapKey(s, &cipher, keys[KEY_AES], bytes, 16, NULL, 1, &object),
	    "C_UnwrapKey no template");
	BAD(C_UnwrapKey(s, &cipher, keys[KEY_AES], bytes, 16, attrs, 1, NULL),
	    "C_UnwrapKey no handle");
	BAD(C_DeriveKey(s, NULL, keys[KEY_EC_PRIVATE], attrs, 1, &object),
	    "C_DeriveKey no mechanism");
	BAD(C_GenerateRandom(s, NULL, 8), "C_GenerateRandom NULL");
	IS(p11->C_SeedRandom(s, NULL, 8), "C_SeedRandom NULL", CKR_ARGUMENTS_BAD,
	   CKR_RANDOM_SEED_NOT_SUPPORTED);
	log_out(s);
#undef BAD
	n = 0;
	OK(p11->C_GetSlotList(CK_TRUE, NULL, &n), "C_GetSlotList count");
	holds(n > 0, "C_GetSlotList counts the slot");
	len = n - 1;
	IS(p11->C_GetSlotList(CK_TRUE, slots, &len), "C_GetSlotList too small",
	   CKR_BUFFER_TOO_SMALL);
	holds(len == n, "C_GetSlotList tells how many");
	OK(p11->C_GetMechanismList(slot, NULL, &n), "C_GetMechanismList count");
	len = n - 1;
	IS(p11->C_GetMechanismList(slot, calloc(n, sizeof(CK_MECHANISM_TYPE)), &len),
	   "C_GetMechanismList too small", CKR_BUFFER_TOO_SMALL);
	holds(len == n, "C_GetMechanismList tells how many");
}
