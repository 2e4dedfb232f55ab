// SPDX-License-Identifier: GPL-2.0-or-later
/* Processes with an engine each, and the calls of an application. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "tests.h"

void process_start(struct process *p, int number, unsigned int flags)
{
	int err;

	p->number = number;
	p->bus = machine_bus(number);
	p->env = simenv_new(number, p->bus);
	err = ha_open(p->env, flags, &p->ha);
	if (err) {
		fprintf(stderr, "simulation: ha_open: %s\n", strerror(-err));
		abort();
	}
	p->token = ha_token(p->ha, GROUP_SLOT);
}

void process_stop(struct process *p)
{
	ha_close(p->ha);
	simenv_free(p->env);
	p->bus->ops->close(p->bus);
	p->ha = NULL;
}

void process_kill(struct process *p)
{
	sim_log("process %d is killed", p->number);
	sim_kill(p->number);
	simenv_killed(p->number);
	machine_killed(p->number);
	/* The engine's memory is in a state that nobody knows: it is left alone. */
	p->ha = NULL;
}

void make_group(unsigned int n, bool reverse)
{
	char text[4096];
	size_t at;
	unsigned int i;

	at = (size_t)snprintf(text, sizeof(text),
			      "{ \"version\": 1, \"recovery_mode\": \"activeEnhanced\",\n"
			      "  \"retry_count\": -1, \"retry_interval\": 60,\n"
			      "  \"log\": { \"enabled\": true, \"path\": \"/log\" },\n"
			      "  \"metrics\": { \"path\": \"/metrics\" },\n"
			      "  \"groups\": [ { \"label\": \"%s\", \"number\": \"1%s\", \"slot\": %d,\n"
			      "    \"members\": [", GROUP_LABEL, machine_serial(0), GROUP_SLOT);
	for (i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s { \"serial\": \"%s\" }",
				       i ? "," : "", machine_serial(reverse ? n - 1 - i : i));
	snprintf(text + at, sizeof(text) - at, " ] } ] }\n");
	simenv_write(text);
}

/* ---- objects ---- */

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
/* Ed25519: cheap, and a signature tells the key from others */
static const unsigned char curve[] = { 0x06, 0x03, 0x2b, 0x65, 0x70 };

#define TEXT(s)		(void *)(uintptr_t)(s), strlen(s)
#define BOOL(b)		((b) ? &yes : &no), sizeof(CK_BBOOL)

CK_RV make_pair(struct process *p, uint32_t session, const char *label, bool token,
		struct ha_ouid *pub, struct ha_ouid *priv)
{
	CK_MECHANISM mech = { CKM_EC_EDWARDS_KEY_PAIR_GEN, NULL, 0 };
	const CK_ATTRIBUTE public[] = {
		{ CKA_TOKEN, BOOL(token) },
		{ CKA_LABEL, TEXT(label) },
		{ CKA_VERIFY, BOOL(true) },
		{ CKA_EC_PARAMS, (void *)(uintptr_t)curve, sizeof(curve) },
	};
	const CK_ATTRIBUTE private[] = {
		{ CKA_TOKEN, BOOL(token) },
		{ CKA_LABEL, TEXT(label) },
		{ CKA_PRIVATE, BOOL(true) },
		{ CKA_SENSITIVE, BOOL(true) },
		{ CKA_SIGN, BOOL(true) },
	};

	return ha_generate_key_pair(p->token, session, &mech, public, 4, private, 5, pub, priv);
}

CK_RV make_aes(struct process *p, uint32_t session, const char *label, bool token,
	       struct ha_ouid *ouid)
{
	CK_MECHANISM mech = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_ULONG len = 32;
	const CK_ATTRIBUTE attrs[] = {
		{ CKA_TOKEN, BOOL(token) },
		{ CKA_LABEL, TEXT(label) },
		{ CKA_ENCRYPT, BOOL(true) },
		{ CKA_DECRYPT, BOOL(true) },
		{ CKA_VALUE_LEN, &len, sizeof(len) },
	};

	return ha_generate_key(p->token, session, &mech, attrs, 5, ouid);
}

CK_RV make_data(struct process *p, uint32_t session, const char *label, bool token,
		struct ha_ouid *ouid)
{
	CK_OBJECT_CLASS class = CKO_DATA;
	const CK_ATTRIBUTE attrs[] = {
		{ CKA_CLASS, &class, sizeof(class) },
		{ CKA_TOKEN, BOOL(token) },
		{ CKA_LABEL, TEXT(label) },
		{ CKA_VALUE, TEXT("some data") },
	};

	return ha_create(p->token, session, attrs, 4, ouid);
}

CK_RV get_point(struct process *p, uint32_t session, const struct ha_ouid *pub,
		unsigned char *point, size_t *len)
{
	unsigned char der[80];
	CK_ATTRIBUTE attr = { CKA_EC_POINT, der, sizeof(der) };
	CK_RV rv = ha_get_attributes(p->token, session, pub, &attr, 1);

	if (rv != CKR_OK)
		return rv;
	/* An octet string in DER: 04 20 and 32 bytes. */
	*len = attr.ulValueLen - 2;
	memcpy(point, der + 2, *len);
	return CKR_OK;
}

bool verify_signature(const unsigned char *point, size_t len, const unsigned char *text,
		      size_t text_len, const unsigned char *sig, size_t sig_len)
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, point, len);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = key && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
		    EVP_DigestVerify(ctx, sig, sig_len, text, text_len) == 1;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return good;
}

CK_RV sign_and_verify(struct process *p, uint32_t session, const struct ha_ouid *priv,
		      const unsigned char *point, size_t len, bool *verified)
{
	static const unsigned char text[] = "whose key is this?";
	CK_MECHANISM mech = { CKM_EDDSA, NULL, 0 };
	unsigned char sig[80];
	size_t sig_len = sizeof(sig);
	CK_RV rv;

	rv = ha_crypt(p->token, session, PCIEHSM_FN_SIGN, &mech, priv, text, sizeof(text),
		      NULL, 0, sig, &sig_len);
	if (rv == CKR_OK)
		*verified = verify_signature(point, len, text, sizeof(text), sig, sig_len);
	return rv;
}

CK_RV encrypt_parts(struct process *p, uint32_t session, const struct ha_ouid *key)
{
	unsigned char iv[16] = { 1, 2, 3 }, plain[200], cipher[256], back[256];
	CK_MECHANISM mech = { CKM_AES_CBC_PAD, iv, sizeof(iv) };
	size_t at = 0, done = 0, n, room;
	CK_RV rv;

	sim_fill(plain, sizeof(plain));
	rv = ha_crypt_init(p->token, session, PCIEHSM_FN_ENCRYPT, &mech, key);
	while (rv == CKR_OK && at < sizeof(plain)) {
		n = 1 + sim_random(60);
		if (n > sizeof(plain) - at)
			n = sizeof(plain) - at;
		room = sizeof(cipher) - done;
		rv = ha_crypt_update(p->token, session, PCIEHSM_FN_ENCRYPT, plain + at, n,
				     cipher + done, &room);
		at += n;
		if (rv == CKR_OK)
			done += room;
	}
	if (rv != CKR_OK)
		return rv;
	room = sizeof(cipher) - done;
	rv = ha_crypt_final(p->token, session, PCIEHSM_FN_ENCRYPT, NULL, 0, cipher + done, &room);
	if (rv != CKR_OK)
		return rv;
	done += room;
	room = sizeof(back);
	rv = ha_crypt(p->token, session, PCIEHSM_FN_DECRYPT, &mech, key, cipher, done, NULL, 0,
		      back, &room);
	if (rv != CKR_OK)
		return rv;
	return room == sizeof(plain) && !memcmp(back, plain, room) ? CKR_OK :
	       CKR_ENCRYPTED_DATA_INVALID;
}

CK_RV encrypt_nothing(struct process *p, uint32_t session, const struct ha_ouid *key,
		      unsigned char *out)
{
	unsigned char iv[16] = { 0 }, zero[16] = { 0 };
	CK_MECHANISM mech = { CKM_AES_CBC, iv, sizeof(iv) };
	size_t len = sizeof(zero);

	return ha_crypt(p->token, session, PCIEHSM_FN_ENCRYPT, &mech, key, zero, sizeof(zero),
			NULL, 0, out, &len);
}

bool members_equal(unsigned int n)
{
	struct pciehsm_digest_info first, info;
	struct pciehsm_transport *t;
	unsigned int i;

	for (i = 0; i < n; i++) {
		t = machine_direct(i, false);
		if (pciehsm_digest(t, i ? &info : &first) != CKR_OK) {
			t->ops->close(t);
			return false;
		}
		t->ops->close(t);
		if (i && memcmp(first.digest, info.digest, sizeof(info.digest)))
			return false;
	}
	return true;
}
