// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Signing, encrypting and MACs through messages, against loops around libcrypto as
 * `openssl speed` has them: everything set up before, only the operation repeated. Keys are
 * token keys, as those of applications mostly are.
 */
#include "bench.h"

#include <pthread.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>

#define KEY_RSA		10
#define KEY_EC		20
#define KEY_AES		30
#define KEY_HMAC	40

#define GCM_LEN		4096
#define HMAC_LEN	1024

static const uint8_t secret[32] = "0123456789abcdef0123456789abcde";

/**
 * struct bench - both sides of a comparison
 * @card:	ours
 * @m:		the message that is sent again and again
 * @pkey:	the peer's
 * @cipher:	the peer's, with the key in it
 * @mac:	the same
 */
struct bench {
	struct card	*card;
	struct fwmsg	m;
	EVP_PKEY_CTX	*pkey;
	EVP_CIPHER_CTX	*cipher;
	EVP_MAC_CTX	*mac;
	uint8_t		data[GCM_LEN];
	uint8_t		out[GCM_LEN + 512];
};

static void put_key(struct fwmsg *m, uint32_t n)
{
	uint8_t ouid[PCIEHSM_OUID_LEN];

	ouid_of(ouid, n);
	fwmsg_bytes(m, PCIEHSM_F_KEY, ouid, sizeof(ouid));
}

static void begin(struct bench *b, uint32_t fn, uint32_t mech, uint32_t key, size_t len)
{
	fwmsg_begin(&b->m, PCIEHSM_OP_CRYPT, 1);
	fwmsg_u32(&b->m, PCIEHSM_F_FUNCTION, fn);
	fwmsg_u32(&b->m, PCIEHSM_F_MECHANISM, mech);
	put_key(&b->m, key);
	fwmsg_bytes(&b->m, PCIEHSM_F_DATA, b->data, len);
}

static struct hsm_fw_request request(struct bench *b)
{
	struct hsm_fw_request req = {
		.partition = b->card->part,
		.context = CTX_CO,
		.in = b->m.in,
		.in_len = b->m.in_len,
		.out = b->out,
		.out_size = sizeof(b->out),
	};

	return req;
}

static void ours(void *opaque, unsigned int n)
{
	struct bench *b = opaque;
	struct hsm_fw_request req = request(b);
	struct pciehsm_msg *answer = (struct pciehsm_msg *)b->out;

	while (n--) {
		hsm_fw_execute(b->card->fw, &req);
		assert_true(req.status == HSM_FW_ANSWERED && answer->rv == CKR_OK);
	}
}

static void peer_sign(void *opaque, unsigned int n)
{
	struct bench *b = opaque;
	size_t len;

	while (n--) {
		len = sizeof(b->out);
		assert_true(EVP_PKEY_sign(b->pkey, b->out, &len, b->data, 32) > 0);
	}
}

static void peer_gcm(void *opaque, unsigned int n)
{
	struct bench *b = opaque;
	int len;

	while (n--) {
		assert_true(EVP_EncryptInit_ex(b->cipher, NULL, NULL, NULL, b->data));
		assert_true(EVP_EncryptUpdate(b->cipher, b->out, &len, b->data, GCM_LEN));
		assert_true(EVP_EncryptFinal_ex(b->cipher, b->out + len, &len));
		assert_true(EVP_CIPHER_CTX_ctrl(b->cipher, EVP_CTRL_AEAD_GET_TAG, 16,
						b->out + GCM_LEN));
	}
}

static void peer_hmac(void *opaque, unsigned int n)
{
	struct bench *b = opaque;
	size_t len;

	while (n--) {
		assert_true(EVP_MAC_init(b->mac, NULL, 0, NULL));
		assert_true(EVP_MAC_update(b->mac, b->data, HMAC_LEN));
		assert_true(EVP_MAC_final(b->mac, b->out, &len, sizeof(b->out)));
	}
}

/* The message is complete: the first answer tells whether it works, the table how fast. */
static void complete(struct bench *b)
{
	assert_ok(fwmsg_run(&b->m, b->card->fw, b->card->part, CTX_CO));
}

static void compare_sign(struct bench *b, const char *name, uint32_t mech, uint32_t key,
			 EVP_PKEY *pkey, double bar)
{
	assert_non_null(pkey);
	b->pkey = EVP_PKEY_CTX_new(pkey, NULL);
	assert_true(b->pkey && EVP_PKEY_sign_init(b->pkey) > 0);
	begin(b, PCIEHSM_FN_SIGN, mech, key, 32);
	complete(b);
	bench_cpu_ratio(name, ours, peer_sign, b, bar);
	fwmsg_free(&b->m);
	EVP_PKEY_CTX_free(b->pkey);
	EVP_PKEY_free(pkey);
}

static void compare_gcm(struct bench *b)
{
	assert_ok(card_aes(b->card, CTX_CO, KEY_AES, secret, sizeof(secret), false));
	b->cipher = EVP_CIPHER_CTX_new();
	assert_true(EVP_EncryptInit_ex(b->cipher, EVP_aes_256_gcm(), NULL, secret, NULL));
	begin(b, PCIEHSM_FN_ENCRYPT, CKM_AES_GCM, KEY_AES, GCM_LEN);
	fwmsg_bytes(&b->m, PCIEHSM_F_P_IV, "twelve bytes", 12);
	fwmsg_u32(&b->m, PCIEHSM_F_P_TAG_BITS, 128);
	complete(b);
	bench_cpu_ratio("AES-256-GCM 4 KiB", ours, peer_gcm, b, 0.8);
	fwmsg_free(&b->m);
	EVP_CIPHER_CTX_free(b->cipher);
}

static void compare_hmac(struct bench *b)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_end()
	};
	uint8_t ouid[PCIEHSM_OUID_LEN];
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_OBJECT_CREATE, 1);
	ouid_of(ouid, KEY_HMAC);
	fwmsg_bytes(&m, PCIEHSM_F_OUID, ouid, sizeof(ouid));
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr_ulong(&m, CKA_CLASS, CKO_SECRET_KEY);
	fwmsg_attr_ulong(&m, CKA_KEY_TYPE, CKK_GENERIC_SECRET);
	fwmsg_attr_bool(&m, CKA_TOKEN, true);
	fwmsg_attr(&m, CKA_VALUE, secret, sizeof(secret));
	fwmsg_template_end(&m);
	assert_ok(fwmsg_run(&m, b->card->fw, b->card->part, CTX_CO));
	fwmsg_free(&m);

	b->mac = EVP_MAC_CTX_new(mac);
	assert_true(EVP_MAC_init(b->mac, secret, sizeof(secret), params));
	begin(b, PCIEHSM_FN_SIGN, CKM_SHA256_HMAC, KEY_HMAC, HMAC_LEN);
	complete(b);
	bench_cpu_ratio("HMAC-SHA256 1 KiB", ours, peer_hmac, b, 0.8);
	fwmsg_free(&b->m);
	EVP_MAC_CTX_free(b->mac);
	EVP_MAC_free(mac);
}

void bench_crypto(void)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	b->card = card_ready(4711, DOMAIN);
	assert_ok(card_rsa(b->card, CTX_CO, KEY_RSA, "rsa", true));
	assert_ok(card_ec(b->card, CTX_CO, KEY_EC, "ec", true));
	compare_sign(b, "RSA-2048 sign", CKM_RSA_PKCS, KEY_RSA + 1,
		     EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048), 0.9);
	compare_sign(b, "ECDSA P-256 sign", CKM_ECDSA, KEY_EC + 1,
		     EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"), 0.9);
	compare_gcm(b);
	compare_hmac(b);
	card_free(b->card);
	free(b);
}

/* ---- engines ---- */

#define IN_FLIGHT	16

/**
 * struct load - requests that are submitted again as soon as they are done
 * @left:	how many are still to be submitted
 * @flying:	how many are on their way
 */
struct load {
	struct hsm_fw		*fw;
	pthread_mutex_t		lock;
	pthread_cond_t		idle;
	unsigned int		left;
	unsigned int		flying;
	struct flight {
		struct hsm_fw_request	req;
		struct load		*load;
		uint8_t			out[512];
	} flight[IN_FLIGHT];
};

static void landed(struct hsm_fw_request *req)
{
	struct flight *f = (struct flight *)req;
	struct load *l = f->load;
	bool again;

	assert_int_equal(((struct pciehsm_msg *)f->out)->rv, CKR_OK);
	pthread_mutex_lock(&l->lock);
	again = l->left > 0;
	if (again)
		l->left--;
	else if (--l->flying == 0)
		pthread_cond_signal(&l->idle);
	pthread_mutex_unlock(&l->lock);
	if (again)
		hsm_fw_submit(l->fw, req);
}

static void through_engines(struct bench *b, unsigned int n)
{
	struct load *l = calloc(1, sizeof(*l));
	unsigned int i;

	assert_non_null(l);
	l->fw = b->card->fw;
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->idle, NULL);
	l->flying = IN_FLIGHT;
	l->left = n > IN_FLIGHT ? n - IN_FLIGHT : 0;
	for (i = 0; i < IN_FLIGHT; i++) {
		struct flight *f = &l->flight[i];

		f->load = l;
		f->req = request(b);
		f->req.out = f->out;
		f->req.out_size = sizeof(f->out);
		f->req.done = landed;
		hsm_fw_submit(l->fw, &f->req);
	}
	pthread_mutex_lock(&l->lock);
	while (l->flying)
		pthread_cond_wait(&l->idle, &l->lock);
	pthread_mutex_unlock(&l->lock);
	pthread_cond_destroy(&l->idle);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static void two_engines(void *opaque, unsigned int n)
{
	through_engines((struct bench *)opaque, n < IN_FLIGHT ? IN_FLIGHT : n);
}

static void one_engine(void *opaque, unsigned int n)
{
	through_engines((struct bench *)opaque + 1, n < IN_FLIGHT ? IN_FLIGHT : n);
}

void bench_engines(void)
{
	struct bench *b = calloc(2, sizeof(*b));
	unsigned int i;

	assert_non_null(b);
	for (i = 0; i < 2; i++) {
		b[i].card = card_ready(4712 + i, DOMAIN);
		b[i].card->config.engines = 2 - i;
		card_power_cycle(b[i].card);
		assert_ok(card_login(b[i].card, b[i].card->part, CTX_CO, PCIEHSM_ROLE_CO,
				     CO_PIN));
		assert_ok(card_rsa(b[i].card, CTX_CO, KEY_RSA, "rsa", false));
		begin(&b[i], PCIEHSM_FN_SIGN, CKM_RSA_PKCS, KEY_RSA + 1, 32);
		complete(&b[i]);
	}
	bench_engines_ratio("RSA-2048 sign, 2 engines to 1", two_engines, 2, one_engine, 1, b,
			    1.8);
	for (i = 0; i < 2; i++) {
		fwmsg_free(&b[i].m);
		card_free(b[i].card);
	}
	free(b);
}
