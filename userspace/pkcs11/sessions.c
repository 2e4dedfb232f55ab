// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Sessions. A session's number is an index and a generation; its slot in the table holds
 * the number and how many calls use it in one word, so that a call finds its session
 * without a lock, and one that is closed by another thread ends with its last call.
 */
#include <stdlib.h>
#include <string.h>

#include "module.h"
#include "pciehsm-pkcs11.h"

#define INDEX_BITS	20
#define INDEX_MASK	((1U << INDEX_BITS) - 1)
#define MAX_SESSIONS	(INDEX_MASK - 1)
#define CHUNK		1024U
#define N_CHUNKS	((MAX_SESSIONS + CHUNK) / CHUNK)

/* A place's word: number in the upper half, closing bit and calls in the lower one. */
#define WORD(number)	((uint64_t)(number) << 32)
#define CLOSING		(1ULL << 31)
#define CALLS		(CLOSING - 1)

/* Calls on different sessions write to different ones. */
struct place {
	_Alignas(LINE) _Atomic uint64_t word;
	struct session		*session;
	uint32_t		generation;
	uint32_t		next_free;	/* index + 1; 0: none */
};

static struct {
	pthread_mutex_t		lock;
	/* Chunks come and never go while the module lives, so they are read without it. */
	_Atomic(struct place *)	chunks[N_CHUNKS];
	uint32_t		n;		/* places that were ever used */
	/* Free places in the order in which they became so: numbers return late. */
	uint32_t		first_free;
	uint32_t		last_free;
} sessions = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct place *place_at(uint32_t index)
{
	struct place *chunk = index < MAX_SESSIONS ? sessions.chunks[index / CHUNK] : NULL;

	return chunk ? &chunk[index % CHUNK] : NULL;
}

/* With the lock held: a free place and its next number. */
static struct place *take_place(uint32_t *number)
{
	struct place *place, *chunk;
	uint32_t index;

	if (sessions.first_free) {
		index = sessions.first_free - 1;
		place = place_at(index);
		sessions.first_free = place->next_free;
		if (!sessions.first_free)
			sessions.last_free = 0;
	} else {
		index = sessions.n;
		if (index == MAX_SESSIONS)
			return NULL;
		if (!(index % CHUNK)) {
			chunk = line_alloc(CHUNK * sizeof(*chunk));
			if (!chunk)
				return NULL;
			sessions.chunks[index / CHUNK] = chunk;
		}
		sessions.n++;
		place = place_at(index);
	}
	*number = place->generation++ << INDEX_BITS | (index + 1);
	return place;
}

static void give_place(struct place *place, uint32_t number)
{
	uint32_t index = (number & INDEX_MASK) - 1;

	place->session = NULL;
	place->next_free = 0;
	if (sessions.last_free)
		place_at(sessions.last_free - 1)->next_free = index + 1;
	else
		sessions.first_free = index + 1;
	sessions.last_free = index + 1;
}

static struct place *place_of(CK_SESSION_HANDLE handle)
{
	uint32_t index = ((uint32_t)handle & INDEX_MASK) - 1;

	return handle && handle <= UINT32_MAX ? place_at(index) : NULL;
}

static struct session *acquire(CK_SESSION_HANDLE handle)
{
	struct place *place = place_of(handle);
	uint64_t word;

	if (!place)
		return NULL;
	word = place->word;
	do {
		if (word >> 32 != handle || word & CLOSING)
			return NULL;
	} while (!atomic_compare_exchange_weak(&place->word, &word, word + 1));
	return place->session;
}

static void log_out(struct token *token)
{
	if (token->role == PCIEHSM_ROLE_NONE)
		return;
	ha_logout(token->ha);
	token->role = PCIEHSM_ROLE_NONE;
	token->epoch++;
}

/* The last call on a session that is closing: take it apart. */
static void destroy(struct session *session)
{
	struct token *token = session->token;
	bool last;

	operations_free(session);
	if (session->objects)
		handles_remove_session(&token->handles, session->number);
	if (session->kept)
		ha_session_close(token->ha, session->number);

	/* With the last session the login ends (PKCS#11 2.40, 5.6). */
	pthread_mutex_lock(&token->login);
	pthread_mutex_lock(&token->lock);
	token->sessions--;
	if (!session_rw(session))
		token->ro_sessions--;
	last = !token->sessions;
	pthread_mutex_unlock(&token->lock);
	if (last)
		log_out(token);
	pthread_mutex_unlock(&token->login);

	free(session->found);
	if (session->random)
		explicit_bzero(session->random, RANDOM_ROOM);
	free(session->random);
	pthread_mutex_destroy(&session->lock);
	free(session);
}

static void release(uint32_t number)
{
	struct place *place = place_of(number);
	struct session *session = place->session;

	if (atomic_fetch_sub(&place->word, 1) != (WORD(number) | CLOSING | 1))
		return;
	destroy(session);
	pthread_mutex_lock(&sessions.lock);
	place->word = 0;
	give_place(place, number);
	pthread_mutex_unlock(&sessions.lock);
}

CK_RV session_enter(CK_SESSION_HANDLE handle, struct session **session)
{
	struct session *found;

	if (!module_enter(handle))
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	found = acquire(handle);
	if (!found) {
		module_leave(handle);
		return CKR_SESSION_HANDLE_INVALID;
	}
	pthread_mutex_lock(&found->lock);
	*session = found;
	return CKR_OK;
}

CK_RV session_leave(struct session *session, CK_RV rv)
{
	uint32_t number = session->number;

	pthread_mutex_unlock(&session->lock);
	release(number);
	module_leave(number);
	return module_rv(rv);
}

/* ---- opening and closing ---- */

static CK_RV check_token(struct token *token, CK_FLAGS flags)
{
	struct ha_token_info info;
	CK_RV rv;

	if (!token->initialised) {
		memset(&info, 0, sizeof(info));
		rv = ha_token_info(token->ha, &info);
		if (rv != CKR_OK)
			return rv;
		if (!(info.flags & PCIEHSM_PARTITION_INITIALISED))
			return CKR_TOKEN_NOT_RECOGNIZED;
		token->initialised = true;
	}
	if (!(flags & CKF_RW_SESSION) && token->role == PCIEHSM_ROLE_PO)
		return CKR_SESSION_READ_WRITE_SO_EXISTS;
	return CKR_OK;
}

static CK_RV open_session(struct token *token, CK_SLOT_ID slot, CK_FLAGS flags,
			  CK_SESSION_HANDLE *handle)
{
	struct session *session = line_alloc(sizeof(*session));
	struct place *place;
	uint32_t number;
	CK_RV rv;

	if (!session)
		return CKR_HOST_MEMORY;
	pthread_mutex_init(&session->lock, NULL);
	session->token = token;
	session->slot = slot;
	session->flags = flags;

	pthread_mutex_lock(&token->lock);
	/* Under the lock: the Partition SO's login counts read-only sessions under it. */
	rv = !session_rw(session) && token->role == PCIEHSM_ROLE_PO ?
		CKR_SESSION_READ_WRITE_SO_EXISTS : CKR_OK;
	if (rv == CKR_OK) {
		pthread_mutex_lock(&sessions.lock);
		place = take_place(&number);
		if (place) {
			session->number = number;
			place->session = session;
			place->word = WORD(number);
			token->sessions++;
			if (!session_rw(session))
				token->ro_sessions++;
		} else {
			rv = CKR_SESSION_COUNT;
		}
		pthread_mutex_unlock(&sessions.lock);
	}
	pthread_mutex_unlock(&token->lock);
	if (rv != CKR_OK) {
		pthread_mutex_destroy(&session->lock);
		free(session);
		return rv;
	}
	*handle = number;
	return CKR_OK;
}

CK_RV C_OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify,
		    CK_SESSION_HANDLE *handle)
{
	struct ha *ha = module_enter(slot);
	struct ha_slot found;
	struct token *token;
	CK_RV rv;

	/* Nothing here ever surrenders, so there is nothing to notify of. */
	(void)application;
	(void)notify;
	if (!ha)
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	if (!handle)
		rv = CKR_ARGUMENTS_BAD;
	else if (!(flags & CKF_SERIAL_SESSION))
		rv = CKR_SESSION_PARALLEL_NOT_SUPPORTED;
	else if (flags & CKF_ASYNC_SESSION)
		/* PKCS#11 3.2, 5.6.1: tokens without CKF_ASYNC_SESSION_SUPPORTED */
		rv = CKR_SESSION_ASYNC_NOT_SUPPORTED;
	else
		rv = token_find(ha, slot, &token);
	if (rv == CKR_OK)
		rv = check_token(token, flags);
	if ((rv == CKR_DEVICE_REMOVED || rv == CKR_TOKEN_NOT_PRESENT) &&
	    slot_is_blank(ha, slot, &found))
		rv = CKR_TOKEN_NOT_RECOGNIZED;
	if (rv == CKR_OK)
		rv = open_session(token, slot, flags, handle);
	module_leave(slot);
	return module_rv(rv);
}

/* Mark a session as closing. Return: this caller did, and has a call of it to release. */
static bool begin_close(struct place *place, uint32_t number)
{
	uint64_t word = place->word;

	do {
		if (word >> 32 != number || word & CLOSING)
			return false;
	} while (!atomic_compare_exchange_weak(&place->word, &word, (word | CLOSING) + 1));
	return true;
}

CK_RV C_CloseSession(CK_SESSION_HANDLE handle)
{
	struct place *place;
	bool closed;

	if (!module_enter(handle))
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	place = place_of(handle);
	closed = place && begin_close(place, (uint32_t)handle);
	if (closed)
		release((uint32_t)handle);
	module_leave(handle);
	return closed ? CKR_OK : CKR_SESSION_HANDLE_INVALID;
}

void sessions_close_all(CK_SLOT_ID slot)
{
	uint32_t n, i;

	pthread_mutex_lock(&sessions.lock);
	n = sessions.n;
	pthread_mutex_unlock(&sessions.lock);
	for (i = 0; i < n; i++) {
		struct place *place = place_at(i);
		uint64_t word = place->word;
		struct session *session = acquire((CK_SESSION_HANDLE)(word >> 32));

		if (!session)
			continue;
		if (slot == CK_UNAVAILABLE_INFORMATION || session->slot == slot)
			if (begin_close(place, (uint32_t)(word >> 32)))
				release((uint32_t)(word >> 32));
		release((uint32_t)(word >> 32));
	}
}

CK_RV C_CloseAllSessions(CK_SLOT_ID slot)
{
	struct ha *ha = module_enter(slot);
	struct ha_slot found;
	CK_RV rv;

	if (!ha)
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	rv = slot_find(ha, slot, &found);
	if (rv == CKR_OK || rv == CKR_TOKEN_NOT_PRESENT) {
		sessions_close_all(slot);
		rv = CKR_OK;
	}
	module_leave(slot);
	return rv;
}

void sessions_free(void)
{
	unsigned int i;

	for (i = 0; i < N_CHUNKS; i++)
		free(sessions.chunks[i]);
	sessions_forget();
}

void sessions_forget(void)
{
	unsigned int i;

	pthread_mutex_init(&sessions.lock, NULL);
	for (i = 0; i < N_CHUNKS; i++)
		sessions.chunks[i] = NULL;
	sessions.n = 0;
	sessions.first_free = 0;
	sessions.last_free = 0;
}

CK_RV C_GetSessionInfo(CK_SESSION_HANDLE handle, CK_SESSION_INFO *info)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);

	if (rv != CKR_OK)
		return rv;
	if (!info)
		return session_leave(session, CKR_ARGUMENTS_BAD);
	info->slotID = session->slot;
	info->flags = session->flags;
	info->ulDeviceError = 0;
	switch (atomic_load(&session->token->role)) {
	case PCIEHSM_ROLE_NONE:
		info->state = session_rw(session) ? CKS_RW_PUBLIC_SESSION : CKS_RO_PUBLIC_SESSION;
		break;
	case PCIEHSM_ROLE_PO:
		info->state = CKS_RW_SO_FUNCTIONS;
		break;
	default:
		info->state = session_rw(session) ? CKS_RW_USER_FUNCTIONS : CKS_RO_USER_FUNCTIONS;
	}
	return session_leave(session, CKR_OK);
}

/* ---- login ---- */

static uint32_t role_of(CK_USER_TYPE user)
{
	switch (user) {
	case CKU_SO:
		return PCIEHSM_ROLE_PO;
	case CKU_USER:
		return PCIEHSM_ROLE_CO;
	case CKU_PCIEHSM_CRYPTO_USER:
		return PCIEHSM_ROLE_CU;
	case CKU_PCIEHSM_LIMITED_OFFICER:
		return PCIEHSM_ROLE_LCO;
	default:
		return PCIEHSM_ROLE_NONE;
	}
}

static CK_RV log_in(struct token *token, uint32_t role, const void *pin, CK_ULONG pin_len)
{
	CK_RV rv = CKR_OK;

	pthread_mutex_lock(&token->login);
	/* The login ended with the last member, or with the group (ha.h). */
	if (token->role != PCIEHSM_ROLE_NONE && ha_login_role(token->ha) == PCIEHSM_ROLE_NONE) {
		token->role = PCIEHSM_ROLE_NONE;
		token->epoch++;
	}
	if (token->role == role) {
		rv = CKR_USER_ALREADY_LOGGED_IN;
	} else if (token->role != PCIEHSM_ROLE_NONE) {
		rv = CKR_USER_ANOTHER_ALREADY_LOGGED_IN;
	} else if (role == PCIEHSM_ROLE_PO) {
		pthread_mutex_lock(&token->lock);
		/* No read-only session may be opened while the answer is awaited. */
		if (token->ro_sessions)
			rv = CKR_SESSION_READ_ONLY_EXISTS;
		else
			token->role = role;
		pthread_mutex_unlock(&token->lock);
	}
	if (rv == CKR_OK) {
		rv = ha_login(token->ha, role, pin, pin_len, NULL);
		token->role = rv == CKR_OK ? role : PCIEHSM_ROLE_NONE;
	}
	pthread_mutex_unlock(&token->login);
	return rv;
}

CK_RV C_Login(CK_SESSION_HANDLE handle, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG pin_len)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);

	if (rv != CKR_OK)
		return rv;
	if (!pin)
		/* There is no other way to enter it (CKF_PROTECTED_AUTHENTICATION_PATH). */
		rv = CKR_ARGUMENTS_BAD;
	else if (user == CKU_CONTEXT_SPECIFIC)
		/* No key asks for it (CKA_ALWAYS_AUTHENTICATE). */
		rv = CKR_OPERATION_NOT_INITIALIZED;
	else if (role_of(user) == PCIEHSM_ROLE_NONE)
		rv = CKR_USER_TYPE_INVALID;
	else if (pin_len > PCIEHSM_PIN_MAX)
		rv = CKR_PIN_INCORRECT;
	else
		rv = log_in(session->token, role_of(user), pin, pin_len);
	return session_leave(session, rv);
}

CK_RV C_Logout(CK_SESSION_HANDLE handle)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);

	if (rv != CKR_OK)
		return rv;
	pthread_mutex_lock(&session->token->login);
	if (session->token->role == PCIEHSM_ROLE_NONE)
		rv = CKR_USER_NOT_LOGGED_IN;
	else
		log_out(session->token);
	pthread_mutex_unlock(&session->token->login);
	return session_leave(session, rv);
}

CK_RV C_SetPIN(CK_SESSION_HANDLE handle, CK_UTF8CHAR *old_pin, CK_ULONG old_len,
	       CK_UTF8CHAR *new_pin, CK_ULONG new_len)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);
	uint32_t role;

	if (rv != CKR_OK)
		return rv;
	if (!old_pin || !new_pin)
		rv = CKR_ARGUMENTS_BAD;
	else if (!session_rw(session))
		rv = CKR_SESSION_READ_ONLY;
	else if (new_len < PCIEHSM_PIN_MIN || new_len > PCIEHSM_PIN_MAX)
		rv = CKR_PIN_LEN_RANGE;
	else if (old_len > PCIEHSM_PIN_MAX)
		rv = CKR_PIN_INCORRECT;
	if (rv == CKR_OK) {
		pthread_mutex_lock(&session->token->login);
		/* Whoever is logged in; the user when nobody is (PKCS#11 2.40, 5.5). */
		role = session->token->role;
		if (role == PCIEHSM_ROLE_NONE)
			role = PCIEHSM_ROLE_CO;
		rv = ha_set_pin(session->token->ha, role, old_pin, old_len, new_pin, new_len);
		pthread_mutex_unlock(&session->token->login);
	}
	return session_leave(session, rv);
}

CK_RV C_InitPIN(CK_SESSION_HANDLE handle, CK_UTF8CHAR *pin, CK_ULONG pin_len)
{
	struct session *session;
	CK_RV rv = session_enter(handle, &session);

	if (rv != CKR_OK)
		return rv;
	if (!pin && pin_len)
		rv = CKR_ARGUMENTS_BAD;
	else if (session->token->role != PCIEHSM_ROLE_PO)
		rv = CKR_USER_NOT_LOGGED_IN;
	else
		rv = CKR_FUNCTION_NOT_SUPPORTED;
	return session_leave(session, rv);
}
