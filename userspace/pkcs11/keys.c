// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Key management: generating, wrapping, unwrapping, deriving, encapsulating and decapsulating;
 * and random numbers.
 */
#include <stdlib.h>
#include <string.h>

#include "module.h"

/* Room that a wrapped key takes, unless it is an extraordinary one. */
#define WRAPPED_ROOM	8192

/* As many random bytes as are better drawn in advance than one by one */
#define RANDOM_LITTLE	256U

/* What all of these begin with. mechanism_wipe() follows on CKR_OK. */
static CK_RV prepare(struct session *session, const CK_MECHANISM *from, CK_FLAGS flag,
		     struct mechanism *mech)
{
	CK_RV rv;

	if (!from)
		return CKR_ARGUMENTS_BAD;
	rv = token_mechanism(session->token, from->mechanism, flag, NULL);
	return rv == CKR_OK ? mechanism_copy(mech, session, from) : rv;
}

CK_RV C_GenerateKey(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_ATTRIBUTE *attrs,
		    CK_ULONG n, CK_OBJECT_HANDLE *key)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);
	struct mechanism mech;
	bool token_object = false;
	struct ha_ouid ouid;

	if (rv != CKR_OK)
		return rv;
	rv = key ? template_token(session, attrs, n, &token_object) : CKR_ARGUMENTS_BAD;
	if (rv == CKR_OK)
		rv = prepare(session, mechanism, CKF_GENERATE, &mech);
	if (rv == CKR_OK) {
		rv = ha_generate_key(session->token->ha, session->number, &mech.m, attrs, n, &ouid);
		mechanism_wipe(&mech);
	}
	if (rv == CKR_OK)
		rv = session_made(session, &ouid, token_object, key);
	return session_leave(session, rv);
}

CK_RV C_GenerateKeyPair(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism,
			CK_ATTRIBUTE *pub, CK_ULONG n_pub, CK_ATTRIBUTE *priv, CK_ULONG n_priv,
			CK_OBJECT_HANDLE *pub_key, CK_OBJECT_HANDLE *priv_key)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);
	bool pub_token = false, priv_token = false;
	struct ha_ouid pub_ouid, priv_ouid;
	struct mechanism mech;

	if (rv != CKR_OK)
		return rv;
	rv = pub_key && priv_key ? template_token(session, pub, n_pub, &pub_token) :
				   CKR_ARGUMENTS_BAD;
	if (rv == CKR_OK)
		rv = template_token(session, priv, n_priv, &priv_token);
	if (rv == CKR_OK)
		rv = prepare(session, mechanism, CKF_GENERATE_KEY_PAIR, &mech);
	if (rv == CKR_OK) {
		rv = ha_generate_key_pair(session->token->ha, session->number, &mech.m, pub, n_pub,
					  priv, n_priv, &pub_ouid, &priv_ouid);
		mechanism_wipe(&mech);
	}
	if (rv == CKR_OK) {
		rv = session_made(session, &pub_ouid, pub_token, pub_key);
		if (rv != CKR_OK)
			ha_destroy(session->token->ha, session->number, &priv_ouid);
	}
	if (rv == CKR_OK)
		rv = session_made(session, &priv_ouid, priv_token, priv_key);
	return session_leave(session, rv);
}

/* In wrapping, the errors of the working key have names of their own. */
static CK_RV working_key(CK_RV rv, CK_RV handle_invalid, CK_RV type_inconsistent)
{
	if (rv == CKR_KEY_HANDLE_INVALID)
		return handle_invalid;
	return rv == CKR_KEY_TYPE_INCONSISTENT ? type_inconsistent : rv;
}

/* Wrap into the caller's room, or find out how much it takes. */
static CK_RV wrap(struct session *session, const CK_MECHANISM *mech, const struct ha_ouid *key,
		  const struct ha_ouid *object, void *out, CK_ULONG *out_len)
{
	size_t room = WRAPPED_ROOM, len;
	uint8_t *own;
	CK_RV rv;

	for (;;) {
		own = malloc(room);
		if (!own)
			return CKR_HOST_MEMORY;
		len = room;
		rv = ha_wrap(session->token->ha, session->number, mech, key, object, own, &len);
		if (rv != CKR_BUFFER_TOO_SMALL || len <= room || len > PCIEHSM_MSG_MAX)
			break;
		free(own);
		room = len;
	}
	if (rv == CKR_OK) {
		if (out && *out_len < len)
			rv = CKR_BUFFER_TOO_SMALL;
		else if (out)
			memcpy(out, own, len);
		*out_len = len;
		explicit_bzero(own, len);
	}
	free(own);
	return rv;
}

CK_RV C_WrapKey(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE wrapping,
		CK_OBJECT_HANDLE key, CK_BYTE *out, CK_ULONG *out_len)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);
	struct ha_ouid ouid, object;
	struct object_info info;
	struct mechanism mech;

	if (rv != CKR_OK)
		return rv;
	rv = out_len ? prepare(session, mechanism, CKF_WRAP, &mech) : CKR_ARGUMENTS_BAD;
	if (rv != CKR_OK)
		return session_leave(session, rv);
	rv = key_for(session, wrapping, mechanism->mechanism, USAGE_WRAP, &ouid, &info);
	rv = working_key(rv, CKR_WRAPPING_KEY_HANDLE_INVALID, CKR_WRAPPING_KEY_TYPE_INCONSISTENT);
	if (rv == CKR_OK) {
		rv = session_object(session, key, &object, NULL);
		if (rv == CKR_OBJECT_HANDLE_INVALID)
			rv = CKR_KEY_HANDLE_INVALID;
	}
	if (rv == CKR_OK)
		rv = wrap(session, &mech.m, &ouid, &object, out, out_len);
	mechanism_wipe(&mech);
	return session_leave(session, rv);
}

/**
 * struct way - how a key is made out of another one
 * @flag:	what the mechanism must be good for
 * @usage:	what the other key must be good for
 * @unwraps:	the other key's errors have the names that they have in unwrapping
 */
struct way {
	CK_FLAGS	flag;
	uint32_t	usage;
	bool		unwraps;
	CK_RV		(*make)(struct ha_token *token, uint32_t session,
				const CK_MECHANISM *mech, const struct ha_ouid *key,
				const void *in, size_t in_len, const CK_ATTRIBUTE *attrs,
				CK_ULONG n, struct ha_ouid *made);
};

static CK_RV derive(struct ha_token *token, uint32_t session, const CK_MECHANISM *mech,
		    const struct ha_ouid *key, const void *in, size_t in_len,
		    const CK_ATTRIBUTE *attrs, CK_ULONG n, struct ha_ouid *made)
{
	(void)in;
	(void)in_len;
	return ha_derive(token, session, mech, key, attrs, n, made);
}

static const struct way unwrapping = { CKF_UNWRAP, USAGE_UNWRAP, true, ha_unwrap };
static const struct way deriving = { CKF_DERIVE, USAGE_DERIVE, false, derive };
static const struct way decapsulating = {
	CKF_DECAPSULATE, USAGE_DECAPSULATE, true, ha_decapsulate
};

/* Make a key with another one; the caller has looked at @in and @key. */
static CK_RV make_with(const struct way *way, struct session *session, CK_MECHANISM *mechanism,
		       CK_OBJECT_HANDLE with, const void *in, size_t in_len,
		       const CK_ATTRIBUTE *attrs, CK_ULONG n, CK_OBJECT_HANDLE *key)
{
	struct ha_ouid ouid, made;
	struct object_info info;
	struct mechanism mech;
	bool token_object = false;
	CK_RV rv;

	rv = template_token(session, attrs, n, &token_object);
	if (rv == CKR_OK)
		rv = prepare(session, mechanism, way->flag, &mech);
	if (rv != CKR_OK)
		return rv;
	rv = key_for(session, with, mechanism->mechanism, way->usage, &ouid, &info);
	if (way->unwraps)
		rv = working_key(rv, CKR_UNWRAPPING_KEY_HANDLE_INVALID,
				 CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT);
	if (rv == CKR_OK)
		rv = way->make(session->token->ha, session->number, &mech.m, &ouid, in, in_len,
			       attrs, n, &made);
	mechanism_wipe(&mech);
	return rv == CKR_OK ? session_made(session, &made, token_object, key) : rv;
}

CK_RV C_UnwrapKey(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE with,
		  CK_BYTE *wrapped, CK_ULONG wrapped_len, CK_ATTRIBUTE *attrs, CK_ULONG n,
		  CK_OBJECT_HANDLE *key)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);

	if (rv != CKR_OK)
		return rv;
	rv = key && wrapped ? make_with(&unwrapping, session, mechanism, with, wrapped,
					wrapped_len, attrs, n, key) : CKR_ARGUMENTS_BAD;
	return session_leave(session, rv);
}

CK_RV C_DeriveKey(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE base,
		  CK_ATTRIBUTE *attrs, CK_ULONG n, CK_OBJECT_HANDLE *key)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);

	if (rv != CKR_OK)
		return rv;
	rv = key ? make_with(&deriving, session, mechanism, base, NULL, 0, attrs, n, key) :
		   CKR_ARGUMENTS_BAD;
	return session_leave(session, rv);
}

/*
 * PKCS#11 3.2, 5.18.8: the key that is made and the ciphertext belong together, so there is no
 * key until there is room for that. Without @text its length is told (5.2).
 */
CK_RV encapsulate_key(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE public,
		      CK_ATTRIBUTE *attrs, CK_ULONG n, CK_BYTE *text, CK_ULONG *text_len,
		      CK_OBJECT_HANDLE *key)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);
	bool token_object = false;
	struct ha_ouid ouid, made;
	struct object_info info;
	struct mechanism mech;

	if (rv != CKR_OK)
		return rv;
	rv = text_len && (key || !text) ? template_token(session, attrs, n, &token_object) :
					  CKR_ARGUMENTS_BAD;
	if (rv == CKR_OK)
		rv = prepare(session, mechanism, CKF_ENCAPSULATE, &mech);
	if (rv != CKR_OK)
		return session_leave(session, rv);
	rv = key_for(session, public, mechanism->mechanism, USAGE_ENCAPSULATE, &ouid, &info);
	if (rv == CKR_OK) {
		rv = ha_encapsulate(session->token->ha, session->number, &mech.m, &ouid, attrs, n,
				    text, text_len, &made);
		if (rv == CKR_OK)
			rv = session_made(session, &made, token_object, key);
		else if (rv == CKR_BUFFER_TOO_SMALL && !text)
			rv = CKR_OK;
	}
	mechanism_wipe(&mech);
	return session_leave(session, rv);
}

CK_RV decapsulate_key(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE private,
		      CK_ATTRIBUTE *attrs, CK_ULONG n, CK_BYTE *text, CK_ULONG text_len,
		      CK_OBJECT_HANDLE *key)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);

	if (rv != CKR_OK)
		return rv;
	rv = key && text ? make_with(&decapsulating, session, mechanism, private, text, text_len,
				     attrs, n, key) : CKR_ARGUMENTS_BAD;
	return session_leave(session, rv);
}

CK_RV C_SeedRandom(CK_SESSION_HANDLE handle, CK_BYTE *seed, CK_ULONG len)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);

	if (rv != CKR_OK)
		return rv;
	/* The card's generator seeds itself, and takes nothing from outside. */
	return session_leave(session, seed && len ? CKR_RANDOM_SEED_NOT_SUPPORTED :
						    CKR_ARGUMENTS_BAD);
}

/*
 * Little at a time is what most applications want, and a message for 16 bytes is nearly all
 * message. So the second time that a session asks for little the card is asked for more, and
 * what it gives is handed out byte by byte, each once: it is wiped as it goes.
 */
static CK_RV little_random(struct session *session, uint8_t *out, size_t len)
{
	struct ha_token *ha = session->token->ha;
	uint8_t *next;
	CK_RV rv;

	if (!session->random) {
		session->random = malloc(RANDOM_ROOM);
		if (!session->random)
			return CKR_HOST_MEMORY;
		session->n_random = 0;
		return ha_random(ha, out, len);
	}
	/* A token that is known to be gone gives nothing, not even what it gave before. */
	if (session->n_random < len || !ha_token_present(ha)) {
		session->n_random = 0;
		rv = ha_random(ha, session->random, RANDOM_ROOM);
		if (rv != CKR_OK)
			return rv;
		session->n_random = RANDOM_ROOM;
	}
	next = session->random + RANDOM_ROOM - session->n_random;
	memcpy(out, next, len);
	explicit_bzero(next, len);
	session->n_random -= len;
	return CKR_OK;
}

CK_RV C_GenerateRandom(CK_SESSION_HANDLE handle, CK_BYTE *out, CK_ULONG len)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);

	if (rv != CKR_OK)
		return rv;
	if (!out && len)
		rv = CKR_ARGUMENTS_BAD;
	else if (len && len <= RANDOM_LITTLE)
		rv = little_random(session, out, len);
	else if (len)
		rv = ha_random(session->token->ha, out, len);
	return session_leave(session, rv);
}
