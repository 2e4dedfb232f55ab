// SPDX-License-Identifier: LGPL-2.1-or-later
/* The cryptographic functions: names of the standard for what operation.c does. */
#include "module.h"

static CK_RV init(CK_SESSION_HANDLE handle, enum pciehsm_function fn, CK_MECHANISM *mech,
		  CK_OBJECT_HANDLE key)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);

	return rv == CKR_OK ? session_leave(session, operation_init(session, fn, OPERATION_PLAIN,
								    mech, key)) : rv;
}

static CK_RV single(CK_SESSION_HANDLE handle, enum pciehsm_function fn, const void *in,
		    CK_ULONG in_len, const void *sig, CK_ULONG sig_len, void *out,
		    CK_ULONG *out_len)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);

	if (rv != CKR_OK)
		return rv;
	return session_leave(session, operation_single(session, fn, OPERATION_PLAIN, in, in_len,
						       sig, sig_len, out, out_len));
}

static CK_RV update(CK_SESSION_HANDLE handle, enum pciehsm_function fn, const void *in,
		    CK_ULONG in_len, void *out, CK_ULONG *out_len)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);

	if (rv != CKR_OK)
		return rv;
	return session_leave(session, operation_update(session, fn, OPERATION_PLAIN, in, in_len,
						       out, out_len));
}

static CK_RV final(CK_SESSION_HANDLE handle, enum pciehsm_function fn, const void *sig,
		   CK_ULONG sig_len, void *out, CK_ULONG *out_len)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);

	if (rv != CKR_OK)
		return rv;
	return session_leave(session, operation_final(session, fn, OPERATION_PLAIN, sig, sig_len,
						      out, out_len));
}

/* ---- encryption ---- */

#define CIPHER(name, fn)								\
CK_RV C_##name##Init(CK_SESSION_HANDLE session, CK_MECHANISM *mech, CK_OBJECT_HANDLE key) \
{											\
	return init(session, fn, mech, key);						\
}											\
											\
CK_RV C_##name(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_len, CK_BYTE *out,	\
	       CK_ULONG *out_len)							\
{											\
	return single(session, fn, in, in_len, NULL, 0, out, out_len);			\
}											\
											\
CK_RV C_##name##Update(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_len,		\
		       CK_BYTE *out, CK_ULONG *out_len)					\
{											\
	return update(session, fn, in, in_len, out, out_len);				\
}											\
											\
CK_RV C_##name##Final(CK_SESSION_HANDLE session, CK_BYTE *out, CK_ULONG *out_len)	\
{											\
	return final(session, fn, NULL, 0, out, out_len);				\
}

CIPHER(Encrypt, PCIEHSM_FN_ENCRYPT)
CIPHER(Decrypt, PCIEHSM_FN_DECRYPT)

/* ---- digests ---- */

CK_RV C_DigestInit(CK_SESSION_HANDLE session, CK_MECHANISM *mech)
{
	return init(session, PCIEHSM_FN_DIGEST, mech, 0);
}

CK_RV C_Digest(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_len, CK_BYTE *out,
	       CK_ULONG *out_len)
{
	return single(session, PCIEHSM_FN_DIGEST, in, in_len, NULL, 0, out, out_len);
}

CK_RV C_DigestUpdate(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_len)
{
	return update(session, PCIEHSM_FN_DIGEST, in, in_len, NULL, NULL);
}

CK_RV C_DigestKey(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE key)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);

	return rv == CKR_OK ? session_leave(session, operation_digest_key(session, key)) : rv;
}

CK_RV C_DigestFinal(CK_SESSION_HANDLE session, CK_BYTE *out, CK_ULONG *out_len)
{
	return final(session, PCIEHSM_FN_DIGEST, NULL, 0, out, out_len);
}

/* ---- signatures ---- */

CK_RV C_SignInit(CK_SESSION_HANDLE session, CK_MECHANISM *mech, CK_OBJECT_HANDLE key)
{
	return init(session, PCIEHSM_FN_SIGN, mech, key);
}

CK_RV C_Sign(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_len, CK_BYTE *out,
	     CK_ULONG *out_len)
{
	return single(session, PCIEHSM_FN_SIGN, in, in_len, NULL, 0, out, out_len);
}

CK_RV C_SignUpdate(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_len)
{
	return update(session, PCIEHSM_FN_SIGN, in, in_len, NULL, NULL);
}

CK_RV C_SignFinal(CK_SESSION_HANDLE session, CK_BYTE *out, CK_ULONG *out_len)
{
	return final(session, PCIEHSM_FN_SIGN, NULL, 0, out, out_len);
}

CK_RV C_SignRecoverInit(CK_SESSION_HANDLE session, CK_MECHANISM *mech, CK_OBJECT_HANDLE key)
{
	return init(session, PCIEHSM_FN_SIGN_RECOVER, mech, key);
}

CK_RV C_SignRecover(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_len, CK_BYTE *out,
		    CK_ULONG *out_len)
{
	return single(session, PCIEHSM_FN_SIGN_RECOVER, in, in_len, NULL, 0, out, out_len);
}

CK_RV C_VerifyInit(CK_SESSION_HANDLE session, CK_MECHANISM *mech, CK_OBJECT_HANDLE key)
{
	return init(session, PCIEHSM_FN_VERIFY, mech, key);
}

CK_RV C_Verify(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_len, CK_BYTE *sig,
	       CK_ULONG sig_len)
{
	return single(session, PCIEHSM_FN_VERIFY, in, in_len, sig, sig_len, NULL, NULL);
}

CK_RV C_VerifyUpdate(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_len)
{
	return update(session, PCIEHSM_FN_VERIFY, in, in_len, NULL, NULL);
}

CK_RV C_VerifyFinal(CK_SESSION_HANDLE session, CK_BYTE *sig, CK_ULONG sig_len)
{
	return final(session, PCIEHSM_FN_VERIFY, sig, sig_len, NULL, NULL);
}

CK_RV C_VerifyRecoverInit(CK_SESSION_HANDLE session, CK_MECHANISM *mech, CK_OBJECT_HANDLE key)
{
	return init(session, PCIEHSM_FN_VERIFY_RECOVER, mech, key);
}

CK_RV C_VerifyRecover(CK_SESSION_HANDLE session, CK_BYTE *sig, CK_ULONG sig_len, CK_BYTE *out,
		      CK_ULONG *out_len)
{
	return single(session, PCIEHSM_FN_VERIFY_RECOVER, sig, sig_len, NULL, 0, out, out_len);
}

/* ---- two at once ---- */

/*
 * A cipher and a digest, signature or verification over its plaintext. The cipher goes
 * first: only it can ask for more room, and then nothing has happened yet.
 */
static CK_RV dual(CK_SESSION_HANDLE handle, enum pciehsm_function cipher,
		  enum pciehsm_function other, const void *in, CK_ULONG in_len, void *out,
		  CK_ULONG *out_len)
{
	bool encrypt = cipher == PCIEHSM_FN_ENCRYPT;
	struct session *session;
	CK_RV rv = session_enter(handle, &session);

	if (rv != CKR_OK)
		return rv;
	if (!operation_is_plain(session, cipher) || !operation_is_plain(session, other))
		return session_leave(session, CKR_OPERATION_NOT_INITIALIZED);
	rv = operation_update(session, cipher, OPERATION_PLAIN, in, in_len, out, out_len);
	if (rv == CKR_OK && out)
		rv = operation_update(session, other, OPERATION_PLAIN, encrypt ? in : out,
				      encrypt ? in_len : *out_len, NULL, NULL);
	return session_leave(session, rv);
}

CK_RV C_DigestEncryptUpdate(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_len, CK_BYTE *out,
			    CK_ULONG *out_len)
{
	return dual(session, PCIEHSM_FN_ENCRYPT, PCIEHSM_FN_DIGEST, in, in_len, out, out_len);
}

CK_RV C_DecryptDigestUpdate(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_len, CK_BYTE *out,
			    CK_ULONG *out_len)
{
	return dual(session, PCIEHSM_FN_DECRYPT, PCIEHSM_FN_DIGEST, in, in_len, out, out_len);
}

CK_RV C_SignEncryptUpdate(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_len, CK_BYTE *out,
			  CK_ULONG *out_len)
{
	return dual(session, PCIEHSM_FN_ENCRYPT, PCIEHSM_FN_SIGN, in, in_len, out, out_len);
}

CK_RV C_DecryptVerifyUpdate(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_len, CK_BYTE *out,
			    CK_ULONG *out_len)
{
	return dual(session, PCIEHSM_FN_DECRYPT, PCIEHSM_FN_VERIFY, in, in_len, out, out_len);
}

/* ---- what the standard allows not to have ---- */

static CK_RV not_supported(CK_SESSION_HANDLE handle)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);

	return rv == CKR_OK ? session_leave(session, CKR_FUNCTION_NOT_SUPPORTED) : rv;
}

CK_RV C_GetOperationState(CK_SESSION_HANDLE session, CK_BYTE *state, CK_ULONG *len)
{
	(void)state;
	(void)len;
	return not_supported(session);
}

CK_RV C_SetOperationState(CK_SESSION_HANDLE session, CK_BYTE *state, CK_ULONG len,
			  CK_OBJECT_HANDLE encryption_key, CK_OBJECT_HANDLE authentication_key)
{
	(void)state;
	(void)len;
	(void)encryption_key;
	(void)authentication_key;
	return not_supported(session);
}

/* Of PKCS#11 1.0; since 2.0 they have one answer, whatever the session. */
CK_RV C_GetFunctionStatus(CK_SESSION_HANDLE session)
{
	(void)session;
	return module_enter(0) ? (module_leave(0), CKR_FUNCTION_NOT_PARALLEL) :
				 CKR_CRYPTOKI_NOT_INITIALIZED;
}

CK_RV C_CancelFunction(CK_SESSION_HANDLE session)
{
	return C_GetFunctionStatus(session);
}
