// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Code by code: what each function answered during the whole test, against what the standard
 * says that it may (the file "codes").
 *
 * Every function of the lists is called through one here that notes the answer. They have up to
 * ten arguments, all of them integers or pointers, and are passed on whatever their number: the
 * calling conventions of all machines that this runs on pass them in the same places, and
 * what is passed beyond the real ones is never looked at.
 */
#include "conformance.h"

typedef CK_RV (*any_function)(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e,
			      uintptr_t f, uintptr_t g, uintptr_t h, uintptr_t i, uintptr_t j);

#define NAMES_2(X) \
	X(C_Initialize) X(C_Finalize) X(C_GetInfo) X(C_GetFunctionList) X(C_GetSlotList) \
	X(C_GetSlotInfo) X(C_GetTokenInfo) X(C_GetMechanismList) X(C_GetMechanismInfo) \
	X(C_InitToken) X(C_InitPIN) X(C_SetPIN) X(C_OpenSession) X(C_CloseSession) \
	X(C_CloseAllSessions) X(C_GetSessionInfo) X(C_GetOperationState) \
	X(C_SetOperationState) X(C_Login) X(C_Logout) X(C_CreateObject) X(C_CopyObject) \
	X(C_DestroyObject) X(C_GetObjectSize) X(C_GetAttributeValue) X(C_SetAttributeValue) \
	X(C_FindObjectsInit) X(C_FindObjects) X(C_FindObjectsFinal) X(C_EncryptInit) \
	X(C_Encrypt) X(C_EncryptUpdate) X(C_EncryptFinal) X(C_DecryptInit) X(C_Decrypt) \
	X(C_DecryptUpdate) X(C_DecryptFinal) X(C_DigestInit) X(C_Digest) X(C_DigestUpdate) \
	X(C_DigestKey) X(C_DigestFinal) X(C_SignInit) X(C_Sign) X(C_SignUpdate) X(C_SignFinal) \
	X(C_SignRecoverInit) X(C_SignRecover) X(C_VerifyInit) X(C_Verify) X(C_VerifyUpdate) \
	X(C_VerifyFinal) X(C_VerifyRecoverInit) X(C_VerifyRecover) X(C_DigestEncryptUpdate) \
	X(C_DecryptDigestUpdate) X(C_SignEncryptUpdate) X(C_DecryptVerifyUpdate) \
	X(C_GenerateKey) X(C_GenerateKeyPair) X(C_WrapKey) X(C_UnwrapKey) X(C_DeriveKey) \
	X(C_SeedRandom) X(C_GenerateRandom) X(C_GetFunctionStatus) X(C_CancelFunction) \
	X(C_WaitForSlotEvent)
#define NAMES_3_0(X) \
	X(C_GetInterfaceList) X(C_GetInterface) X(C_LoginUser) X(C_SessionCancel) \
	X(C_MessageEncryptInit) X(C_EncryptMessage) X(C_EncryptMessageBegin) \
	X(C_EncryptMessageNext) X(C_MessageEncryptFinal) X(C_MessageDecryptInit) \
	X(C_DecryptMessage) X(C_DecryptMessageBegin) X(C_DecryptMessageNext) \
	X(C_MessageDecryptFinal) X(C_MessageSignInit) X(C_SignMessage) X(C_SignMessageBegin) \
	X(C_SignMessageNext) X(C_MessageSignFinal) X(C_MessageVerifyInit) X(C_VerifyMessage) \
	X(C_VerifyMessageBegin) X(C_VerifyMessageNext) X(C_MessageVerifyFinal)
#define NAMES_3_2(X) \
	X(C_EncapsulateKey) X(C_DecapsulateKey) X(C_VerifySignatureInit) X(C_VerifySignature) \
	X(C_VerifySignatureUpdate) X(C_VerifySignatureFinal) X(C_GetSessionValidationFlags) \
	X(C_AsyncComplete) X(C_AsyncGetID) X(C_AsyncJoin) X(C_WrapKeyAuthenticated) \
	X(C_UnwrapKeyAuthenticated)

#define INDEX(name) INDEX_##name,
enum { NAMES_2(INDEX) NAMES_3_0(INDEX) NAMES_3_2(INDEX) N_NAMES };
#define NAME(name) #name,
static const char *const names[] = { NAMES_2(NAME) NAMES_3_0(NAME) NAMES_3_2(NAME) };

#define N_CODES		64

static any_function real[N_NAMES];
static struct {
	CK_RV		codes[N_CODES];
	unsigned int	n;
} seen[N_NAMES];

static CK_RV note(unsigned int which, CK_RV rv)
{
	unsigned int i;

	for (i = 0; i < seen[which].n; i++)
		if (seen[which].codes[i] == rv)
			return rv;
	if (seen[which].n < N_CODES)
		seen[which].codes[seen[which].n++] = rv;
	return rv;
}

#define NOTING(name)								\
static CK_RV noting_##name(uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e,	\
			   uintptr_t f, uintptr_t g, uintptr_t h, uintptr_t i, uintptr_t j)	\
{										\
	return note(INDEX_##name, real[INDEX_##name](a, b, c, d, e, f, g, h, i, j));	\
}
NAMES_2(NOTING)
NAMES_3_0(NOTING)
NAMES_3_2(NOTING)

/* The same list, through the functions here. What is not there in it stays so. */
#define TAKE(name)								\
	if (list->name) {							\
		real[INDEX_##name] = (any_function)(void *)list->name;	\
		list->name = (void *)noting_##name;				\
	}

void codes_watch(void)
{
	static CK_FUNCTION_LIST list_2;
	static CK_FUNCTION_LIST_3_0 list_3_0;
	static CK_FUNCTION_LIST_3_2 list_3_2;

	if (p11_3_2) {
		CK_FUNCTION_LIST_3_2 *list = &list_3_2;

		*list = *p11_3_2;
		NAMES_3_2(TAKE)
		p11_3_2 = list;
	}
	if (p11_3_0) {
		CK_FUNCTION_LIST_3_0 *list = &list_3_0;

		*list = *p11_3_0;
		NAMES_3_0(TAKE)
		p11_3_0 = list;
	}
	list_2 = *p11;
	{
		CK_FUNCTION_LIST *list = &list_2;

		NAMES_2(TAKE)
	}
	p11 = &list_2;
}

/* ---- what the standard says ---- */

#define R(name) { CKR_##name, #name },
static const struct {
	CK_RV		rv;
	const char	*name;
} code_names[] = {
	R(OK) R(ARGUMENTS_BAD) R(NO_EVENT) R(NEED_TO_CREATE_THREADS) R(CANT_LOCK)
	R(SLOT_ID_INVALID) R(ATTRIBUTE_READ_ONLY) R(ATTRIBUTE_SENSITIVE)
	R(ATTRIBUTE_TYPE_INVALID) R(ATTRIBUTE_VALUE_INVALID) R(ACTION_PROHIBITED)
	R(DATA_INVALID) R(DATA_LEN_RANGE) R(ENCRYPTED_DATA_INVALID)
	R(ENCRYPTED_DATA_LEN_RANGE) R(AEAD_DECRYPT_FAILED) R(FUNCTION_NOT_PARALLEL)
	R(FUNCTION_NOT_SUPPORTED) R(KEY_HANDLE_INVALID) R(KEY_SIZE_RANGE)
	R(KEY_TYPE_INCONSISTENT) R(KEY_INDIGESTIBLE) R(KEY_FUNCTION_NOT_PERMITTED)
	R(KEY_NOT_WRAPPABLE) R(KEY_UNEXTRACTABLE) R(MECHANISM_INVALID)
	R(MECHANISM_PARAM_INVALID) R(OBJECT_HANDLE_INVALID) R(OPERATION_ACTIVE)
	R(OPERATION_NOT_INITIALIZED) R(PIN_INCORRECT) R(PIN_INVALID) R(PIN_LEN_RANGE)
	R(PIN_EXPIRED) R(PIN_LOCKED) R(SESSION_COUNT) R(SESSION_HANDLE_INVALID)
	R(SESSION_PARALLEL_NOT_SUPPORTED) R(SESSION_READ_ONLY) R(SESSION_EXISTS)
	R(SESSION_READ_ONLY_EXISTS) R(SESSION_READ_WRITE_SO_EXISTS)
	R(SESSION_ASYNC_NOT_SUPPORTED) R(SIGNATURE_INVALID) R(SIGNATURE_LEN_RANGE)
	R(TEMPLATE_INCOMPLETE) R(TEMPLATE_INCONSISTENT) R(TOKEN_NOT_PRESENT)
	R(TOKEN_NOT_RECOGNIZED) R(TOKEN_WRITE_PROTECTED) R(UNWRAPPING_KEY_HANDLE_INVALID)
	R(UNWRAPPING_KEY_SIZE_RANGE) R(UNWRAPPING_KEY_TYPE_INCONSISTENT)
	R(USER_ALREADY_LOGGED_IN) R(USER_NOT_LOGGED_IN) R(USER_PIN_NOT_INITIALIZED)
	R(USER_TYPE_INVALID) R(USER_ANOTHER_ALREADY_LOGGED_IN) R(USER_TOO_MANY_TYPES)
	R(WRAPPED_KEY_INVALID) R(WRAPPED_KEY_LEN_RANGE) R(WRAPPING_KEY_HANDLE_INVALID)
	R(WRAPPING_KEY_SIZE_RANGE) R(WRAPPING_KEY_TYPE_INCONSISTENT)
	R(RANDOM_SEED_NOT_SUPPORTED) R(RANDOM_NO_RNG) R(DOMAIN_PARAMS_INVALID)
	R(CURVE_NOT_SUPPORTED) R(BUFFER_TOO_SMALL) R(INFORMATION_SENSITIVE)
	R(CRYPTOKI_NOT_INITIALIZED) R(CRYPTOKI_ALREADY_INITIALIZED) R(FUNCTION_REJECTED)
	R(OPERATION_CANCEL_FAILED)
};

/* 5.1: whatever a function does, this may happen on the way; and it need not be there at all. */
static const CK_RV anytime[] = {
	CKR_GENERAL_ERROR, CKR_HOST_MEMORY, CKR_FUNCTION_FAILED, CKR_FUNCTION_CANCELED,
	CKR_DEVICE_ERROR, CKR_DEVICE_MEMORY, CKR_DEVICE_REMOVED, CKR_SESSION_CLOSED,
	CKR_FUNCTION_NOT_SUPPORTED,
};

struct line {
	char	name[64];
	CK_RV	codes[N_CODES];
	size_t	n;
};

static CK_RV code_of(const char *name, const char *function)
{
	size_t i;

	for (i = 0; i < COUNT(code_names); i++)
		if (!strcmp(code_names[i].name, name))
			return code_names[i].rv;
	fprintf(stderr, "codes: %s: there is no %s\n", function, name);
	exit(2);
}

static void parse(char *text, struct line *line)
{
	char *word = strtok(text, " \n");

	snprintf(line->name, sizeof(line->name), "%s", word);
	line->n = 0;
	word = strtok(NULL, " \n");
	if (strcmp(word, "-"))
		line->codes[line->n++] = CKR_CRYPTOKI_NOT_INITIALIZED;
	if (!strcmp(word, "S"))
		line->codes[line->n++] = CKR_SESSION_HANDLE_INVALID;
	if (!strcmp(word, "T"))
		line->codes[line->n++] = CKR_SLOT_ID_INVALID;
	while ((word = strtok(NULL, " \n")) && line->n < N_CODES)
		line->codes[line->n++] = code_of(word, line->name);
}

static bool has(const CK_RV *codes, size_t n, CK_RV code)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (codes[i] == code)
			return true;
	return false;
}

static const char *code_name(CK_RV rv)
{
	static char number[32];
	size_t i;

	for (i = 0; i < COUNT(code_names); i++)
		if (code_names[i].rv == rv)
			return code_names[i].name;
	snprintf(number, sizeof(number), "0x%lx", rv);
	return number;
}

static void check(unsigned int which, const struct line *line)
{
	size_t i;

	for (i = 0; i < line->n; i++)
		holds(has(seen[which].codes, seen[which].n, line->codes[i]),
		      "%s answers CKR_%s", line->name, code_name(line->codes[i]));
	for (i = 0; i < seen[which].n; i++)
		holds(has(line->codes, line->n, seen[which].codes[i]) ||
		      has(anytime, COUNT(anytime), seen[which].codes[i]),
		      "%s has no business answering CKR_%s", line->name,
		      code_name(seen[which].codes[i]));
}

void codes_check(const char *path)
{
	FILE *f = fopen(path, "r");
	struct line line;
	char text[2048];
	unsigned int i;

	if (!f) {
		perror(path);
		exit(2);
	}
	while (fgets(text, sizeof(text), f)) {
		if (text[0] == '#' || text[0] == '\n')
			continue;
		parse(text, &line);
		for (i = 0; i < N_NAMES && strcmp(names[i], line.name); i++)
			;
		if (i == N_NAMES) {
			fprintf(stderr, "%s: there is no %s\n", path, line.name);
			exit(2);
		}
		if (real[i])
			check(i, &line);
	}
	fclose(f);
}
