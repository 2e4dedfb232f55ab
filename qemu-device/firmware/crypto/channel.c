// SPDX-License-Identifier: GPL-2.0-or-later
/* The cloning channel: messages of <pciehsm/fw.h>, "Cloning", around HPKE. */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/channel.h"
#include "crypto/hpke.h"
#include "crypto/internal.h"

#define FW_OFFER_KEY_LEN	97
#define FW_NONCE_LEN		16
#define FW_ALIGN		8

#define BYTES(ptr, length)	((struct fw_bytes){ (const uint8_t *)(ptr), (length) })
/* Texts of the contract: without their NUL */
#define TEXT(s)			BYTES(s, sizeof(s) - 1)

#define FW_TEXT_OFFER		TEXT("pciehsm offer v1")
#define FW_TEXT_CLONE		"pciehsm clone v1"
#define FW_TEXT_PSK_ID		TEXT("pciehsm domain v1")
#define FW_TEXT_CONFIRMATION	TEXT("pciehsm clone confirmation")
#define FW_TEXT_BATCH		TEXT("pciehsm batch v1")

static const struct fw_hpke_suite fw_channel_suite = {
	FW_HPKE_KEM_P384, FW_HPKE_KDF_SHA384, FW_HPKE_AEAD_AES256
};

enum fw_channel_state {
	FW_CHANNEL_OFFERED,	/* target: waits for the hello */
	FW_CHANNEL_SOURCE,
	FW_CHANNEL_TARGET,
	FW_CHANNEL_ENDED
};

struct fw_channel {
	enum fw_channel_state	state;
	EVP_PKEY		*recipient;	/* target, until the hello is there */
	uint8_t			offer_hash[FW_SHA384_LEN];
	struct fw_hpke		*hpke;
	char			peer[FW_SERIAL_MAX];
};

/* ---- fields ---- */

/* A message that is being written; @full: it did not fit. */
struct fw_writer {
	uint8_t	*p;
	size_t	room;
	size_t	len;
	bool	full;
};

static size_t fw_padded(size_t len)
{
	return (len + FW_ALIGN - 1) / FW_ALIGN * FW_ALIGN;
}

/* Returns the field as encoded, which the next one begins behind. */
static struct fw_bytes fw_put_field(struct fw_writer *w, uint16_t id, struct fw_bytes data)
{
	struct pciehsm_field field = { htole16(id), 0, htole32(data.len) };
	struct fw_bytes encoded = { w->p + w->len, sizeof(field) + fw_padded(data.len) };

	if (w->full || encoded.len > w->room - w->len) {
		w->full = true;
		return BYTES(NULL, 0);
	}
	memcpy(w->p + w->len, &field, sizeof(field));
	memcpy(w->p + w->len + sizeof(field), data.p, data.len);
	memset(w->p + w->len + sizeof(field) + data.len, 0, fw_padded(data.len) - data.len);
	w->len += encoded.len;
	return encoded;
}

/*
 * The next field, which must have this id: in offer and hello the order has a meaning.
 * @encoded (may be NULL): with header and padding.
 */
static bool fw_get_field(struct fw_bytes *in, uint16_t id, struct fw_bytes *data,
			 struct fw_bytes *encoded)
{
	struct pciehsm_field field;
	size_t len, i;

	if (in->len < sizeof(field))
		return false;
	memcpy(&field, in->p, sizeof(field));
	len = le32toh(field.len);
	if (le16toh(field.id) != id || field.reserved || len > in->len - sizeof(field) ||
	    fw_padded(len) > in->len - sizeof(field))
		return false;
	data->p = in->p + sizeof(field);
	data->len = len;
	for (i = len; i < fw_padded(len); i++)
		if (data->p[i])
			return false;
	if (encoded)
		*encoded = BYTES(in->p, sizeof(field) + fw_padded(len));
	in->p += sizeof(field) + fw_padded(len);
	in->len -= sizeof(field) + fw_padded(len);
	return true;
}

static bool fw_get_serial(struct fw_bytes field, char serial[FW_SERIAL_MAX])
{
	if (!field.len || field.len >= FW_SERIAL_MAX || memchr(field.p, 0, field.len))
		return false;
	memcpy(serial, field.p, field.len);
	serial[field.len] = '\0';
	return true;
}

static CK_RV fw_sha384(struct fw_bytes in, uint8_t out[FW_SHA384_LEN])
{
	return EVP_Digest(in.p, in.len, out, NULL, fw_hash_md(fw_hash_by_digest(CKM_SHA384)),
			  NULL) ? CKR_OK : CKR_HOST_MEMORY;
}

/* ---- what both ends must agree on ---- */

#define FW_INFO_LEN	(sizeof(FW_TEXT_CLONE) - 1 + 2 * FW_SHA384_LEN)

static void fw_channel_info(const uint8_t *offer_hash, const uint8_t *source_hash,
			    uint8_t info[FW_INFO_LEN])
{
	size_t n = sizeof(FW_TEXT_CLONE) - 1;

	memcpy(info, FW_TEXT_CLONE, n);
	memcpy(info + n, offer_hash, FW_SHA384_LEN);
	memcpy(info + n + FW_SHA384_LEN, source_hash, FW_SHA384_LEN);
}

/* The sealed confirmation is bound to the encapsulated key and to who speaks. */
static CK_RV fw_confirmation_aad(struct fw_bytes enc, struct fw_bytes serial, uint8_t *aad,
				 size_t room, size_t *len)
{
	if (enc.len + serial.len > room)
		return CKR_ARGUMENTS_BAD;
	memcpy(aad, enc.p, enc.len);
	memcpy(aad + enc.len, serial.p, serial.len);
	*len = enc.len + serial.len;
	return CKR_OK;
}

#define FW_AAD_MAX	(2 * sizeof(struct pciehsm_field) + FW_HPKE_ENC_MAX + FW_SERIAL_MAX + \
			 2 * FW_ALIGN)

static struct fw_channel *fw_channel_new(enum fw_channel_state state)
{
	struct fw_channel *channel = calloc(1, sizeof(*channel));

	if (channel)
		channel->state = state;
	return channel;
}

static void fw_channel_end(struct fw_channel *channel)
{
	fw_hpke_free(channel->hpke);
	EVP_PKEY_free(channel->recipient);
	channel->hpke = NULL;
	channel->recipient = NULL;
	channel->state = FW_CHANNEL_ENDED;
}

void fw_channel_free(struct fw_channel *channel)
{
	if (!channel)
		return;
	fw_channel_end(channel);
	fw_wipe_free(channel, sizeof(*channel));
}

const char *fw_channel_peer(const struct fw_channel *channel)
{
	return channel->peer;
}

/* ---- offer ---- */

CK_RV fw_channel_offer(const struct fw_identity *id, const char *serial,
		       uint8_t *offer, size_t *offer_len, struct fw_channel **out)
{
	struct fw_writer w = { offer, *offer_len, 0, false };
	uint8_t key[FW_HPKE_ENC_MAX], nonce[FW_NONCE_LEN], sig[FW_IDENTITY_SIG_MAX];
	size_t key_len, sig_len = sizeof(sig);
	struct fw_channel *channel;
	struct fw_bytes parts[2];
	CK_RV rv;

	if (!fw_partition_serial_of(serial, fw_identity_serial(id)))
		return CKR_ARGUMENTS_BAD;
	channel = fw_channel_new(FW_CHANNEL_OFFERED);
	if (!channel)
		return CKR_HOST_MEMORY;
	rv = fw_hpke_generate(fw_channel_suite, &channel->recipient);
	if (rv == CKR_OK)
		rv = fw_hpke_public(fw_channel_suite, channel->recipient, key, &key_len);
	if (rv == CKR_OK)
		rv = fw_random(nonce, sizeof(nonce));
	if (rv != CKR_OK)
		goto fail;
	fw_put_field(&w, PCIEHSM_F_OFFER_KEY, BYTES(key, key_len));
	fw_put_field(&w, PCIEHSM_F_SERIAL, BYTES(serial, strlen(serial)));
	fw_put_field(&w, PCIEHSM_F_NONCE, BYTES(nonce, sizeof(nonce)));
	fw_put_field(&w, PCIEHSM_F_CERTIFICATES, fw_identity_certificates(id));
	rv = CKR_BUFFER_TOO_SMALL;
	if (w.full)
		goto fail;
	parts[0] = FW_TEXT_OFFER;
	parts[1] = BYTES(w.p, w.len);
	rv = fw_identity_sign(id, parts, 2, sig, &sig_len);
	if (rv != CKR_OK)
		goto fail;
	fw_put_field(&w, PCIEHSM_F_OFFER_SIGNATURE, BYTES(sig, sig_len));
	rv = CKR_BUFFER_TOO_SMALL;
	if (w.full)
		goto fail;
	rv = fw_sha384(BYTES(w.p, w.len), channel->offer_hash);
	if (rv != CKR_OK)
		goto fail;
	*offer_len = w.len;
	*out = channel;
	return CKR_OK;
fail:
	fw_channel_free(channel);
	return rv;
}

/* An offer taken apart and found genuine. @key lies inside it. */
struct fw_offer {
	struct fw_bytes	key;
	char		serial[FW_SERIAL_MAX];
};

static CK_RV fw_offer_read(struct fw_bytes in, struct fw_offer *offer)
{
	struct fw_bytes rest = in, serial, nonce, certs, sig, parts[2];
	struct fw_peer *peer;
	CK_RV rv;

	if (!fw_get_field(&rest, PCIEHSM_F_OFFER_KEY, &offer->key, NULL) ||
	    !fw_get_field(&rest, PCIEHSM_F_SERIAL, &serial, NULL) ||
	    !fw_get_field(&rest, PCIEHSM_F_NONCE, &nonce, NULL) ||
	    !fw_get_field(&rest, PCIEHSM_F_CERTIFICATES, &certs, NULL))
		return CKR_ARGUMENTS_BAD;
	parts[0] = FW_TEXT_OFFER;
	parts[1] = BYTES(in.p, in.len - rest.len);
	if (!fw_get_field(&rest, PCIEHSM_F_OFFER_SIGNATURE, &sig, NULL) || rest.len ||
	    offer->key.len != FW_OFFER_KEY_LEN || nonce.len != FW_NONCE_LEN ||
	    !fw_get_serial(serial, offer->serial))
		return CKR_ARGUMENTS_BAD;
	rv = fw_peer_from_certificates(certs, &peer);
	if (rv != CKR_OK)
		return rv;
	rv = fw_peer_verify(peer, parts, 2, sig);
	/* A card speaks for its own partitions only. */
	if (rv == CKR_OK && !fw_partition_serial_of(offer->serial, fw_peer_serial(peer)))
		rv = CKR_SIGNATURE_INVALID;
	fw_peer_free(peer);
	return rv == CKR_SIGNATURE_INVALID ? PCIEHSM_CKR_CERTIFICATE : rv;
}

/* ---- hello ---- */

static CK_RV fw_hello_write(const struct fw_identity *id, const char *serial,
			    struct fw_channel *channel, struct fw_bytes enc, struct fw_writer *w)
{
	uint8_t aad[FW_AAD_MAX], sealed[64];
	struct fw_bytes enc_field, serial_field, text = FW_TEXT_CONFIRMATION;
	size_t aad_len;
	CK_RV rv;

	enc_field = fw_put_field(w, PCIEHSM_F_ENC, enc);
	serial_field = fw_put_field(w, PCIEHSM_F_SERIAL, BYTES(serial, strlen(serial)));
	fw_put_field(w, PCIEHSM_F_CERTIFICATES, fw_identity_certificates(id));
	if (w->full)
		return CKR_BUFFER_TOO_SMALL;
	rv = fw_confirmation_aad(enc_field, serial_field, aad, sizeof(aad), &aad_len);
	if (rv == CKR_OK)
		rv = fw_hpke_seal(channel->hpke, BYTES(aad, aad_len), text, sealed);
	if (rv != CKR_OK)
		return rv;
	fw_put_field(w, PCIEHSM_F_CONFIRMATION, BYTES(sealed, text.len + FW_HPKE_TAG_LEN));
	return w->full ? CKR_BUFFER_TOO_SMALL : CKR_OK;
}

CK_RV fw_channel_start(const struct fw_identity *id, const char *serial,
		       const uint8_t domain_key[FW_DOMAIN_KEY_LEN], struct fw_bytes in,
		       uint8_t *hello, size_t *hello_len, struct fw_channel **out)
{
	struct fw_writer w = { hello, *hello_len, 0, false };
	uint8_t info[FW_INFO_LEN], enc[FW_HPKE_ENC_MAX];
	struct fw_hpke_keys keys = {
		BYTES(info, sizeof(info)), BYTES(domain_key, FW_DOMAIN_KEY_LEN), FW_TEXT_PSK_ID
	};
	struct fw_channel *channel;
	struct fw_offer offer;
	size_t enc_len;
	CK_RV rv;

	if (!fw_partition_serial_of(serial, fw_identity_serial(id)))
		return CKR_ARGUMENTS_BAD;
	rv = fw_offer_read(in, &offer);
	if (rv != CKR_OK)
		return rv;
	channel = fw_channel_new(FW_CHANNEL_SOURCE);
	if (!channel)
		return CKR_HOST_MEMORY;
	memcpy(channel->peer, offer.serial, sizeof(channel->peer));
	rv = fw_sha384(in, channel->offer_hash);
	if (rv != CKR_OK)
		goto fail;
	fw_channel_info(channel->offer_hash, fw_identity_leaf_hash(id), info);
	rv = fw_hpke_sender(fw_channel_suite, offer.key, &keys, fw_identity_key(id), NULL,
			    enc, &enc_len, &channel->hpke);
	/* It was signed by a card, but it is no key. */
	if (rv == CKR_PUBLIC_KEY_INVALID)
		rv = CKR_ARGUMENTS_BAD;
	if (rv == CKR_OK)
		rv = fw_hello_write(id, serial, channel, BYTES(enc, enc_len), &w);
	if (rv != CKR_OK)
		goto fail;
	*hello_len = w.len;
	*out = channel;
	return CKR_OK;
fail:
	fw_channel_free(channel);
	return rv;
}

struct fw_hello {
	struct fw_bytes	enc;
	struct fw_bytes	enc_field;
	struct fw_bytes	serial_field;
	struct fw_bytes	certs;
	struct fw_bytes	confirmation;
	char		serial[FW_SERIAL_MAX];
};

static bool fw_hello_read(struct fw_bytes in, struct fw_hello *hello)
{
	struct fw_bytes serial;

	return fw_get_field(&in, PCIEHSM_F_ENC, &hello->enc, &hello->enc_field) &&
	       fw_get_field(&in, PCIEHSM_F_SERIAL, &serial, &hello->serial_field) &&
	       fw_get_field(&in, PCIEHSM_F_CERTIFICATES, &hello->certs, NULL) &&
	       fw_get_field(&in, PCIEHSM_F_CONFIRMATION, &hello->confirmation, NULL) &&
	       !in.len && hello->enc.len == FW_OFFER_KEY_LEN &&
	       fw_get_serial(serial, hello->serial);
}

static CK_RV fw_confirm(struct fw_channel *channel, const struct fw_hello *hello)
{
	struct fw_bytes want = FW_TEXT_CONFIRMATION;
	uint8_t aad[FW_AAD_MAX], text[64];
	size_t aad_len;
	CK_RV rv;

	if (hello->confirmation.len != want.len + FW_HPKE_TAG_LEN)
		return PCIEHSM_CKR_DOMAIN_MISMATCH;
	rv = fw_confirmation_aad(hello->enc_field, hello->serial_field, aad, sizeof(aad), &aad_len);
	if (rv != CKR_OK)
		return rv;
	rv = fw_hpke_open(channel->hpke, BYTES(aad, aad_len), hello->confirmation, text);
	if (rv == CKR_OK && !fw_secret_equal(text, want.p, want.len))
		rv = CKR_ENCRYPTED_DATA_INVALID;
	return rv == CKR_ENCRYPTED_DATA_INVALID ? PCIEHSM_CKR_DOMAIN_MISMATCH : rv;
}

static CK_RV fw_accept(struct fw_channel *channel, const uint8_t *domain_key, struct fw_bytes in)
{
	uint8_t info[FW_INFO_LEN], pk_s[FW_HPKE_ENC_MAX];
	struct fw_hpke_keys keys = {
		BYTES(info, sizeof(info)), BYTES(domain_key, FW_DOMAIN_KEY_LEN), FW_TEXT_PSK_ID
	};
	struct fw_hello hello;
	struct fw_peer *peer;
	size_t pk_s_len;
	CK_RV rv;

	if (!fw_hello_read(in, &hello))
		return CKR_ARGUMENTS_BAD;
	rv = fw_peer_from_certificates(hello.certs, &peer);
	if (rv != CKR_OK)
		return rv;
	rv = PCIEHSM_CKR_CERTIFICATE;
	if (!fw_partition_serial_of(hello.serial, fw_peer_serial(peer)))
		goto out;
	/* A certificate with a compressed point is none of the maker's. */
	if (fw_hpke_public(fw_channel_suite, fw_peer_key(peer), pk_s, &pk_s_len) != CKR_OK)
		goto out;
	fw_channel_info(channel->offer_hash, fw_peer_leaf_hash(peer), info);
	rv = fw_hpke_recipient(fw_channel_suite, hello.enc, channel->recipient, &keys,
			       BYTES(pk_s, pk_s_len), &channel->hpke);
	if (rv == CKR_PUBLIC_KEY_INVALID)
		rv = CKR_ARGUMENTS_BAD;
	if (rv == CKR_OK)
		rv = fw_confirm(channel, &hello);
	if (rv == CKR_OK)
		memcpy(channel->peer, hello.serial, sizeof(channel->peer));
out:
	fw_peer_free(peer);
	return rv;
}

CK_RV fw_channel_accept(struct fw_channel *channel, const uint8_t domain_key[FW_DOMAIN_KEY_LEN],
			struct fw_bytes hello)
{
	CK_RV rv;

	if (channel->state != FW_CHANNEL_OFFERED)
		return PCIEHSM_CKR_CHANNEL;
	rv = fw_accept(channel, domain_key, hello);
	if (rv != CKR_OK) {
		/* One offer, one try: a guesser of domains has to ask for another each time. */
		fw_channel_end(channel);
		return rv;
	}
	EVP_PKEY_free(channel->recipient);
	channel->recipient = NULL;
	channel->state = FW_CHANNEL_TARGET;
	return CKR_OK;
}

/* ---- batches ---- */

CK_RV fw_channel_seal(struct fw_channel *channel, struct fw_bytes plain,
		      uint8_t *out, size_t *out_len)
{
	CK_RV rv;

	if (channel->state != FW_CHANNEL_SOURCE)
		return PCIEHSM_CKR_CHANNEL;
	rv = fw_hpke_seal(channel->hpke, FW_TEXT_BATCH, plain, out);
	if (rv != CKR_OK) {
		fw_channel_end(channel);
		return rv;
	}
	*out_len = plain.len + FW_CHANNEL_OVERHEAD;
	return CKR_OK;
}

CK_RV fw_channel_open(struct fw_channel *channel, struct fw_bytes blob,
		      uint8_t *out, size_t *out_len)
{
	CK_RV rv;

	if (channel->state != FW_CHANNEL_TARGET)
		return PCIEHSM_CKR_CHANNEL;
	rv = fw_hpke_open(channel->hpke, FW_TEXT_BATCH, blob, out);
	if (rv != CKR_OK) {
		fw_channel_end(channel);
		return rv == CKR_ENCRYPTED_DATA_INVALID ? PCIEHSM_CKR_CHANNEL_DATA : rv;
	}
	*out_len = blob.len - FW_CHANNEL_OVERHEAD;
	return CKR_OK;
}
