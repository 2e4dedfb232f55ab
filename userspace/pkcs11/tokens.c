// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Tokens that were used, and what is known of slots. A token lives until C_Finalize: when
 * another partition comes to a slot, that is another token, and sessions on the former
 * one find it gone.
 */
#include <stdlib.h>
#include <string.h>

#include "module.h"

static struct {
	pthread_mutex_t	lock;
	struct token	**list;
	size_t		n;
	/* Slots that an application has been told of stay valid when they empty. */
	CK_SLOT_ID	*known;
	size_t		n_known;
} tokens = { .lock = PTHREAD_MUTEX_INITIALIZER };

void *line_alloc(size_t size)
{
	void *p;

	size = (size + LINE - 1) & ~(size_t)(LINE - 1);
	p = aligned_alloc(LINE, size);
	if (p)
		memset(p, 0, size);
	return p;
}

static void token_free(struct token *token)
{
	struct mechanisms *m = token->mechanisms, *older;

	handles_free(&token->handles);
	pthread_mutex_destroy(&token->login);
	pthread_mutex_destroy(&token->lock);
	for (; m; m = older) {
		older = m->older;
		free(m);
	}
	free(token);
}

static struct token *token_new(struct ha_token *ha)
{
	struct token *token = line_alloc(sizeof(*token));

	if (!token)
		return NULL;
	token->ha = ha;
	pthread_mutex_init(&token->login, NULL);
	pthread_mutex_init(&token->lock, NULL);
	if (handles_init(&token->handles) != CKR_OK) {
		token_free(token);
		return NULL;
	}
	return token;
}

static struct token *token_of(struct ha_token *ha)
{
	struct token *token = NULL, **more;
	size_t i;

	pthread_mutex_lock(&tokens.lock);
	for (i = 0; i < tokens.n && !token; i++)
		if (tokens.list[i]->ha == ha)
			token = tokens.list[i];
	if (!token) {
		more = realloc(tokens.list, (tokens.n + 1) * sizeof(*more));
		if (more) {
			tokens.list = more;
			token = token_new(ha);
			if (token)
				tokens.list[tokens.n++] = token;
		}
	}
	pthread_mutex_unlock(&tokens.lock);
	return token;
}

/* With the lock held. */
static bool is_known(CK_SLOT_ID slot)
{
	size_t i;

	for (i = 0; i < tokens.n_known; i++)
		if (tokens.known[i] == slot)
			return true;
	return false;
}

static bool slot_known(CK_SLOT_ID slot)
{
	bool known;

	pthread_mutex_lock(&tokens.lock);
	known = is_known(slot);
	pthread_mutex_unlock(&tokens.lock);
	return known;
}

CK_RV slot_learn(CK_SLOT_ID slot)
{
	CK_SLOT_ID *more;
	CK_RV rv = CKR_OK;

	pthread_mutex_lock(&tokens.lock);
	if (!is_known(slot)) {
		more = realloc(tokens.known, (tokens.n_known + 1) * sizeof(*more));
		if (more) {
			tokens.known = more;
			tokens.known[tokens.n_known++] = slot;
		} else {
			rv = CKR_HOST_MEMORY;
		}
	}
	pthread_mutex_unlock(&tokens.lock);
	return rv;
}

size_t slots_known(CK_SLOT_ID *to, size_t room)
{
	size_t n;

	pthread_mutex_lock(&tokens.lock);
	n = tokens.n_known;
	if (n <= room && n)
		memcpy(to, tokens.known, n * sizeof(*to));
	pthread_mutex_unlock(&tokens.lock);
	return n;
}

CK_RV slot_find(struct ha *ha, CK_SLOT_ID slot, struct ha_slot *found)
{
	struct ha_slot *list;
	int n = ha_slots(ha, HA_SLOTS_APPLICATION, &list), i;
	CK_RV rv = CKR_SLOT_ID_INVALID;

	/* No driver is no slots. */
	for (i = 0; i < n; i++)
		if (list[i].id == slot) {
			*found = list[i];
			rv = slot_learn(slot);
			break;
		}
	if (n >= 0)
		free(list);
	if (rv == CKR_SLOT_ID_INVALID && slot_known(slot))
		rv = CKR_TOKEN_NOT_PRESENT;
	return rv;
}

CK_RV token_find(struct ha *ha, CK_SLOT_ID slot, struct token **token)
{
	struct ha_token *found = NULL;
	struct ha_slot ignored;
	CK_RV rv;

	if (slot >= HA_SLOT_NONE)
		return CKR_SLOT_ID_INVALID;
	/*
	 * HA-only hides partitions, and what is not listed can not be used either. Looking
	 * for it is slow, and need not be done again while the token is there.
	 */
	if (slot_known(slot))
		found = ha_token(ha, (uint32_t)slot);
	if (!found || !ha_token_present(found)) {
		rv = slot_find(ha, slot, &ignored);
		if (rv != CKR_OK)
			return rv;
		found = ha_token(ha, (uint32_t)slot);
	}
	if (!found || !ha_token_present(found))
		return CKR_TOKEN_NOT_PRESENT;
	*token = token_of(found);
	return *token ? CKR_OK : CKR_HOST_MEMORY;
}

/* ---- mechanisms ---- */

/* What messages can be done with is done here (message.c); the card knows nothing of it. */
static CK_FLAGS message_flags(CK_MECHANISM_TYPE type, CK_FLAGS flags)
{
	CK_FLAGS more = 0;

	if (type == CKM_AES_GCM)
		more |= (flags & CKF_ENCRYPT ? CKF_MESSAGE_ENCRYPT : 0) |
			(flags & CKF_DECRYPT ? CKF_MESSAGE_DECRYPT : 0);
	more |= (flags & CKF_SIGN ? CKF_MESSAGE_SIGN : 0) |
		(flags & CKF_VERIFY ? CKF_MESSAGE_VERIFY : 0);
	return more ? more | CKF_MULTI_MESSAGE : 0;
}

static int by_type(const void *a, const void *b)
{
	const struct pciehsm_mechanism_info *x = a, *y = b;
	uint32_t type = le32toh(x->type), other = le32toh(y->type);

	return type < other ? -1 : type > other;
}

/* Without a lock: a list that was published does not change any more. */
static bool look_up(struct token *token, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
{
	const struct mechanisms *known = atomic_load(&token->mechanisms);
	struct pciehsm_mechanism_info wanted = { .type = htole32((uint32_t)type) }, *m;

	if (!known || type > UINT32_MAX)
		return false;
	m = bsearch(&wanted, known->list, known->n, sizeof(wanted), by_type);
	if (!m)
		return false;
	info->ulMinKeySize = le32toh(m->min_key);
	info->ulMaxKeySize = le32toh(m->max_key);
	info->flags = le32toh(m->flags);
	info->flags |= message_flags(type, info->flags);
	return true;
}

CK_RV token_mechanisms(struct token *token, struct pciehsm_mechanism_info **list, size_t *n)
{
	struct mechanisms *now, *known;
	size_t bytes;
	CK_RV rv = ha_mechanisms(token->ha, list, n);

	if (rv != CKR_OK)
		return rv;
	bytes = *n * sizeof(**list);
	now = malloc(sizeof(*now) + bytes);
	if (!now) {
		free(*list);
		return CKR_HOST_MEMORY;
	}
	now->n = *n;
	memcpy(now->list, *list, bytes);
	qsort(now->list, now->n, sizeof(now->list[0]), by_type);
	pthread_mutex_lock(&token->lock);
	known = atomic_load(&token->mechanisms);
	/* Only what is new is kept, so that asking often takes no more memory. */
	if (known && known->n == now->n && !memcmp(known->list, now->list, bytes)) {
		free(now);
	} else {
		now->older = known;
		atomic_store(&token->mechanisms, now);
	}
	pthread_mutex_unlock(&token->lock);
	return CKR_OK;
}

CK_RV token_mechanism(struct token *token, CK_MECHANISM_TYPE type, CK_FLAGS flags,
		      CK_MECHANISM_INFO *info)
{
	struct pciehsm_mechanism_info *list;
	CK_MECHANISM_INFO found;
	size_t n;
	bool yes = look_up(token, type, &found);
	CK_RV rv;

	if (!yes) {
		/* Not asked yet, or members have come that can do more. */
		rv = token_mechanisms(token, &list, &n);
		if (rv != CKR_OK)
			return rv;
		free(list);
		yes = look_up(token, type, &found);
	}
	if (!yes || (found.flags & flags) != flags)
		return CKR_MECHANISM_INVALID;
	if (info)
		*info = found;
	return CKR_OK;
}

/* ---- the end ---- */

void tokens_free(void)
{
	size_t i;

	for (i = 0; i < tokens.n; i++)
		token_free(tokens.list[i]);
	free(tokens.list);
	free(tokens.known);
	tokens_forget();
}

void tokens_forget(void)
{
	pthread_mutex_init(&tokens.lock, NULL);
	tokens.list = NULL;
	tokens.n = 0;
	tokens.known = NULL;
	tokens.n_known = 0;
}
