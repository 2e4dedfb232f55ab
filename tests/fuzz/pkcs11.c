// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzz target: the ways into the PKCS#11 module. An input is a sequence of calls, whose
 * templates, mechanism parameters, handles and lengths come from it; pointers are good for as
 * much as is said with them, or NULL. Of whatever results only crashes and what sanitizers
 * see are of interest.
 *
 * With libFuzzer it is a target; without, a program that makes up inputs itself:
 *
 *	pkcs11 INPUTS [SEED]
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cards.h"
#include "pkcs11-3.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
CK_RV C_GetInterface(CK_UTF8CHAR *name, CK_VERSION *version, CK_INTERFACE **interface,
		     CK_FLAGS flags);

struct input {
	const uint8_t	*p;
	size_t		left;
};

static CK_FUNCTION_LIST_3_2 *f;
static CK_OBJECT_HANDLE keys[16];
static unsigned int n_keys;

static uint8_t take8(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->p++;
}

static CK_ULONG take_number(struct input *in)
{
	static const CK_ULONG odd[] = { 0, 1, 15, 16, 17, 255, 4096, 1UL << 20, 1UL << 31,
					1UL << 32, ~0UL - 1, ~0UL };
	uint8_t which = take8(in);

	return which < 12 ? odd[which] : which < 128 ? which - 12U :
	       take8(in) | (CK_ULONG)take8(in) << 8;
}

/* Memory of its own with as many bytes of the input, or fewer and zeroes; NULL at times. */
static uint8_t *take_bytes(struct input *in, CK_ULONG *len)
{
	uint8_t *p;
	size_t i;

	*len = take8(in);
	if (*len >= 250) {
		*len = take_number(in);
		return NULL;
	}
	p = malloc(*len ? *len : 1);
	for (i = 0; p && i < *len; i++)
		p[i] = take8(in);
	return p;
}

struct template {
	CK_ATTRIBUTE	attrs[8];
	CK_ULONG	n;
};

static void take_template(struct input *in, struct template *t)
{
	static const CK_ATTRIBUTE_TYPE types[] = {
		CKA_CLASS, CKA_KEY_TYPE, CKA_TOKEN, CKA_PRIVATE, CKA_LABEL, CKA_VALUE,
		CKA_VALUE_LEN, CKA_MODULUS, CKA_MODULUS_BITS, CKA_PUBLIC_EXPONENT, CKA_EC_PARAMS,
		CKA_EC_POINT, CKA_SIGN, CKA_EXTRACTABLE, CKA_SENSITIVE, CKA_ALLOWED_MECHANISMS,
		CKA_START_DATE, CKA_WRAP_TEMPLATE, CKA_UNWRAP_TEMPLATE, CKA_ID,
	};
	CK_ULONG i, number;

	t->n = take8(in) % 9;
	for (i = 0; i < t->n; i++) {
		CK_ATTRIBUTE *a = &t->attrs[i];
		uint8_t which = take8(in);

		a->type = which < sizeof(types) / sizeof(types[0]) ? types[which] :
			  which < 200 ? take_number(in) : types[which % 8];
		if (a->type == CKA_WRAP_TEMPLATE || a->type == CKA_UNWRAP_TEMPLATE) {
			/* An array of attributes with good pointers, or a length that is none. */
			static CK_BBOOL yes = CK_TRUE;
			CK_ATTRIBUTE *inner = calloc(2, sizeof(*inner));

			inner[0] = (CK_ATTRIBUTE){ CKA_SIGN, &yes, 1 };
			inner[1] = (CK_ATTRIBUTE){ types[take8(in) % 17], &yes, 1 };
			a->pValue = inner;
			a->ulValueLen = take8(in) % (2 * sizeof(*inner) + 1);
		} else if (take8(in) & 1) {
			number = take_number(in);
			a->pValue = malloc(sizeof(number));
			memcpy(a->pValue, &number, sizeof(number));
			a->ulValueLen = which & 64 ? 1 : sizeof(number);
		} else {
			a->pValue = take_bytes(in, &a->ulValueLen);
		}
	}
}

static void free_template(struct template *t)
{
	while (t->n)
		free(t->attrs[--t->n].pValue);
}

static const CK_MECHANISM_TYPE mechanisms[] = {
	CKM_AES_GCM, CKM_AES_CBC, CKM_AES_CBC_PAD, CKM_AES_CTR, CKM_AES_ECB, CKM_AES_CMAC,
	CKM_AES_CMAC_GENERAL, CKM_AES_KEY_WRAP, CKM_AES_KEY_WRAP_PAD, CKM_AES_KEY_GEN,
	CKM_SHA256, CKM_SHA256_HMAC, CKM_SHA256_HMAC_GENERAL, CKM_ECDSA, CKM_ECDSA_SHA256,
	CKM_EC_KEY_PAIR_GEN, CKM_ECDH1_DERIVE, CKM_HKDF_DERIVE, CKM_EDDSA, CKM_RSA_PKCS,
	CKM_RSA_PKCS_OAEP, CKM_RSA_PKCS_PSS, CKM_SHA256_RSA_PKCS_PSS, CKM_GENERIC_SECRET_KEY_GEN,
	CKM_ML_KEM, CKM_ML_DSA, CKM_SLH_DSA,
};

/* A mechanism; what its parameter points to is in @held and freed by the caller. */
static CK_MECHANISM take_mechanism(struct input *in, void **held)
{
	uint8_t which = take8(in);
	CK_MECHANISM m = { .mechanism = which < 240 ?
			   mechanisms[which % (sizeof(mechanisms) / sizeof(mechanisms[0]))] :
			   take_number(in) };
	CK_ULONG len, len2;

	held[0] = NULL;
	held[1] = NULL;
	held[2] = NULL;
	if (take8(in) % 4 == 0) {
		held[0] = take_bytes(in, &m.ulParameterLen);
		/* A structure that holds pointers must not hold what the input says. */
		if (m.mechanism == CKM_AES_GCM || m.mechanism == CKM_ECDH1_DERIVE ||
		    m.mechanism == CKM_HKDF_DERIVE || m.mechanism == CKM_EDDSA ||
		    m.mechanism == CKM_RSA_PKCS_OAEP || m.mechanism == CKM_ML_DSA ||
		    m.mechanism == CKM_SLH_DSA || m.mechanism == CKM_ECDH1_COFACTOR_DERIVE ||
		    m.mechanism == CKM_HKDF_DATA)
			m.ulParameterLen &= 7;
		m.pParameter = held[0];
		return m;
	}
	held[1] = take_bytes(in, &len);
	held[2] = take_bytes(in, &len2);
#define PARAMETER(type, ...)						\
	do {								\
		type *p = malloc(sizeof(*p));				\
									\
		*p = (type){ __VA_ARGS__ };				\
		held[0] = p;						\
		m.pParameter = p;					\
		m.ulParameterLen = sizeof(*p);				\
	} while (0)
	switch (m.mechanism) {
	case CKM_AES_GCM:
		PARAMETER(CK_GCM_PARAMS, held[1], len, take_number(in), held[2], len2,
			  take_number(in));
		break;
	case CKM_ECDH1_DERIVE:
		PARAMETER(CK_ECDH1_DERIVE_PARAMS, take_number(in), len, held[1], len2, held[2]);
		break;
	case CKM_HKDF_DERIVE:
		PARAMETER(CK_HKDF_PARAMS, take8(in), take8(in), take_number(in),
			  take8(in) % 6, held[1], len, take_number(in), held[2], len2);
		break;
	case CKM_EDDSA:
		PARAMETER(CK_EDDSA_PARAMS, take8(in), len, held[1]);
		break;
	case CKM_ML_DSA:
	case CKM_SLH_DSA:
		PARAMETER(CK_SIGN_ADDITIONAL_CONTEXT, take_number(in), held[1], len);
		break;
	case CKM_RSA_PKCS_OAEP:
		PARAMETER(CK_RSA_PKCS_OAEP_PARAMS, take_number(in), take_number(in),
			  take8(in) % 3, held[1], len);
		break;
	case CKM_RSA_PKCS_PSS:
	case CKM_SHA256_RSA_PKCS_PSS:
		PARAMETER(CK_RSA_PKCS_PSS_PARAMS, take_number(in), take_number(in),
			  take_number(in));
		break;
	default:
		m.pParameter = held[1];
		m.ulParameterLen = len;
	}
	return m;
}

static CK_OBJECT_HANDLE take_key(struct input *in)
{
	uint8_t which = take8(in);

	return which < 240 && n_keys ? keys[which % n_keys] : take_number(in);
}

static void keep_key(CK_RV rv, CK_OBJECT_HANDLE key)
{
	if (rv == CKR_OK && n_keys < sizeof(keys) / sizeof(keys[0]))
		keys[n_keys++] = key;
}

static void message(struct input *in, CK_SESSION_HANDLE s, uint8_t *data, CK_ULONG len,
		    uint8_t *out, CK_ULONG *room)
{
	CK_FUNCTION_LIST_3_0 *m = &f->v3;
	CK_ULONG iv_len;
	uint8_t *iv = take_bytes(in, &iv_len), tag[16] = { 0 };
	CK_GCM_MESSAGE_PARAMS p = { iv, iv_len, take_number(in), take8(in) % 6, tag,
				    take8(in) % 137 };
	CK_ULONG p_len = take8(in) % 8 ? sizeof(p) : take_number(in) % sizeof(p);

	switch (take8(in) % 10) {
	case 0:
		m->C_EncryptMessage(s, &p, p_len, NULL, 0, data, len, out, room);
		break;
	case 1:
		m->C_DecryptMessage(s, &p, p_len, NULL, 0, data, len, out, room);
		break;
	case 2:
		m->C_EncryptMessageBegin(s, &p, p_len, data, len);
		break;
	case 3:
		m->C_EncryptMessageNext(s, &p, p_len, data, len, out, room, take8(in) & 1);
		break;
	case 4:
		m->C_DecryptMessageBegin(s, &p, p_len, data, len);
		break;
	case 5:
		m->C_DecryptMessageNext(s, &p, p_len, data, len, out, room, take8(in) & 1);
		break;
	case 6:
		m->C_SignMessage(s, NULL, 0, data, len, out, room);
		break;
	case 7:
		m->C_SignMessageBegin(s, NULL, 0);
		break;
	case 8:
		m->C_SignMessageNext(s, NULL, 0, data, len, out, take8(in) & 1 ? room : NULL);
		break;
	default:
		m->C_VerifyMessage(s, NULL, 0, data, len, tag, 16);
	}
	free(iv);
}

/* One call */
static void call(struct input *in, CK_SESSION_HANDLE s)
{
	CK_FUNCTION_LIST *p11 = &f->v3.v2;
	struct template t = { .n = 0 }, t2 = { .n = 0 };
	CK_OBJECT_HANDLE key = 0, key2 = 0, some = take_key(in);
	CK_ULONG len, room = take8(in), n;
	uint8_t *data = take_bytes(in, &len), *out = malloc(room ? room : 1);
	uint8_t *to = take8(in) % 8 ? out : NULL;
	void *held[3];
	CK_MECHANISM m = take_mechanism(in, held);

	switch (take8(in) % 48) {
	case 0:
		take_template(in, &t);
		keep_key(p11->C_CreateObject(s, t.attrs, t.n, &key), key);
		break;
	case 1:
		take_template(in, &t);
		keep_key(p11->C_CopyObject(s, some, t.attrs, t.n, &key), key);
		break;
	case 2:
		p11->C_DestroyObject(s, take8(in) % 8 ? ~0UL : some);
		break;
	case 3:
		take_template(in, &t);
		p11->C_GetAttributeValue(s, some, t.attrs, t.n);
		break;
	case 4:
		take_template(in, &t);
		p11->C_SetAttributeValue(s, some, t.attrs, t.n);
		break;
	case 5:
		take_template(in, &t);
		p11->C_FindObjectsInit(s, t.attrs, t.n);
		p11->C_FindObjects(s, &key, 1, &n);
		if (take8(in) & 1)
			p11->C_FindObjectsFinal(s);
		break;
	case 6:
		take_template(in, &t);
		keep_key(p11->C_GenerateKey(s, &m, t.attrs, t.n, &key), key);
		break;
	case 7:
		take_template(in, &t);
		take_template(in, &t2);
		m.mechanism = CKM_EC_KEY_PAIR_GEN;
		keep_key(p11->C_GenerateKeyPair(s, &m, t.attrs, t.n, t2.attrs, t2.n, &key, &key2),
			 key2);
		break;
	case 8:
		p11->C_WrapKey(s, &m, some, take_key(in), to, &room);
		break;
	case 9:
		take_template(in, &t);
		keep_key(p11->C_UnwrapKey(s, &m, some, data, len, t.attrs, t.n, &key), key);
		break;
	case 10:
		take_template(in, &t);
		keep_key(p11->C_DeriveKey(s, &m, some, t.attrs, t.n, &key), key);
		break;
	case 11:
		p11->C_EncryptInit(s, &m, some);
		break;
	case 12:
		p11->C_Encrypt(s, data, len, to, &room);
		break;
	case 13:
		p11->C_EncryptUpdate(s, data, len, to, &room);
		break;
	case 14:
		p11->C_EncryptFinal(s, to, &room);
		break;
	case 15:
		p11->C_DecryptInit(s, &m, some);
		break;
	case 16:
		p11->C_Decrypt(s, data, len, to, &room);
		break;
	case 17:
		p11->C_DecryptUpdate(s, data, len, to, &room);
		break;
	case 18:
		p11->C_DecryptFinal(s, to, &room);
		break;
	case 19:
		p11->C_SignInit(s, &m, some);
		break;
	case 20:
		p11->C_Sign(s, data, len, to, &room);
		break;
	case 21:
		p11->C_SignUpdate(s, data, len);
		break;
	case 22:
		p11->C_SignFinal(s, to, &room);
		break;
	case 23:
		p11->C_VerifyInit(s, &m, some);
		p11->C_Verify(s, data, len, out, room);
		break;
	case 24:
		f->C_VerifySignatureInit(s, &m, some, data, len);
		f->C_VerifySignature(s, out, room);
		break;
	case 25:
		p11->C_DigestInit(s, &m);
		p11->C_DigestUpdate(s, data, len);
		p11->C_DigestKey(s, some);
		break;
	case 26:
		p11->C_DigestFinal(s, to, &room);
		break;
	case 27:
		f->v3.C_MessageEncryptInit(s, &m, some);
		f->v3.C_MessageDecryptInit(s, &m, some);
		break;
	case 28:
		f->v3.C_MessageSignInit(s, &m, some);
		f->v3.C_MessageVerifyInit(s, &m, some);
		break;
	case 29:
		f->v3.C_SessionCancel(s, take_number(in));
		break;
	case 30:
		take_template(in, &t);
		keep_key(f->C_EncapsulateKey(s, &m, some, t.attrs, t.n, to, &room, &key), key);
		break;
	case 31:
		take_template(in, &t);
		keep_key(f->C_DecapsulateKey(s, &m, some, t.attrs, t.n, data, len, &key), key);
		break;
	case 32:
		p11->C_DigestEncryptUpdate(s, data, len, to, &room);
		break;
	case 33:
		p11->C_DecryptDigestUpdate(s, data, len, to, &room);
		break;
	case 34:
		p11->C_SignEncryptUpdate(s, data, len, to, &room);
		break;
	case 35:
		p11->C_DecryptVerifyUpdate(s, data, len, to, &room);
		break;
	case 36:
		p11->C_SignRecoverInit(s, &m, some);
		p11->C_SignRecover(s, data, len, to, &room);
		break;
	case 37:
		p11->C_VerifyRecoverInit(s, &m, some);
		p11->C_VerifyRecover(s, data, len, to, &room);
		break;
	case 38:
		p11->C_DigestInit(s, &m);
		p11->C_Digest(s, data, len, to, &room);
		break;
	case 39:
		p11->C_GetObjectSize(s, some, &n);
		p11->C_SeedRandom(s, data, len);
		p11->C_GenerateRandom(s, out, room);
		break;
	case 40:
		p11->C_VerifyInit(s, &m, some);
		p11->C_VerifyUpdate(s, data, len);
		p11->C_VerifyFinal(s, out, room);
		break;
	case 41:
		f->C_VerifySignatureInit(s, &m, some, out, room);
		f->C_VerifySignatureUpdate(s, data, len);
		f->C_VerifySignatureFinal(s);
		break;
	default:
		message(in, s, data, len, to, &room);
	}
	free_template(&t);
	free_template(&t2);
	free(held[0]);
	free(held[1]);
	free(held[2]);
	free(data);
	free(out);
}

static void start(void)
{
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
	CK_VERSION v3_2 = { 3, 2 };
	CK_INTERFACE *found;

	if (C_GetInterface((CK_UTF8CHAR *)"PKCS 11", &v3_2, &found, 0) != CKR_OK)
		abort();
	f = found->pFunctionList;
	if (f->v3.v2.C_Initialize(&args) != CKR_OK)
		abort();
}

/* Keys of each kind, so that an input need not make them first */
static void make_keys(CK_SESSION_HANDLE s)
{
	static CK_BYTE p256[] = { 0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 };
	CK_MECHANISM aes = { CKM_AES_KEY_GEN, NULL, 0 }, ec = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
	CK_MECHANISM generic = { CKM_GENERIC_SECRET_KEY_GEN, NULL, 0 };
	CK_ULONG len = 32;
	CK_ATTRIBUTE of_len = { CKA_VALUE_LEN, &len, sizeof(len) };
	CK_ATTRIBUTE curve = { CKA_EC_PARAMS, p256, sizeof(p256) };

	n_keys = 4;
	if (f->v3.v2.C_GenerateKey(s, &aes, &of_len, 1, &keys[0]) != CKR_OK ||
	    f->v3.v2.C_GenerateKey(s, &generic, &of_len, 1, &keys[1]) != CKR_OK ||
	    f->v3.v2.C_GenerateKeyPair(s, &ec, &curve, 1, NULL, 0, &keys[2], &keys[3]) != CKR_OK)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	CK_SLOT_ID slot = size && data[0] & 1 ? GROUP_SLOT : 0;
	CK_SESSION_HANDLE s;

	if (!f)
		start();
	take8(&in);
	if (f->v3.v2.C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s) !=
	    CKR_OK)
		abort();
	f->v3.v2.C_Login(s, CKU_USER, (CK_UTF8CHAR *)CO_PIN, strlen(CO_PIN));
	make_keys(s);
	while (in.left)
		call(&in, s);
	/* What a session has made ends with it. */
	if (f->v3.v2.C_CloseAllSessions(slot) != CKR_OK)
		abort();
	return 0;
}

#ifndef PCIEHSM_LIBFUZZER
static uint64_t state;

static uint8_t random8(void)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint8_t)(state >> 56);
}

int main(int argc, char **argv)
{
	unsigned long inputs = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000, i;
	static uint8_t data[600];
	size_t k;

	state = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	for (i = 0; i < inputs; i++) {
		for (k = 0; k < sizeof(data); k++)
			data[k] = random8();
		LLVMFuzzerTestOneInput(data, 100 + (data[1] | (size_t)(data[2] & 1) << 8) % 500);
	}
	f->v3.v2.C_Finalize(NULL);
	printf("%lu inputs\n", inputs);
	return 0;
}
#endif
