// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Passwords that the engine keeps to log in members that come later. Each has pages of its
 * own, locked and left out of core dumps, because locks are on pages and
 * unlocking one secret must not unlock its neighbour.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "engine.h"

struct ha_secret *ha_secret_new(uint32_t role, const void *pin, size_t len)
{
	struct ha_secret *secret;

	if (len > PCIEHSM_PIN_MAX)
		return NULL;
	secret = mmap(NULL, sizeof(*secret), PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (secret == MAP_FAILED)
		return NULL;
	/*
	 * RLIMIT_MEMLOCK may forbid it; then the application still has to work, as
	 * its own copy of the password is not locked either.
	 */
	(void)!mlock(secret, sizeof(*secret));
	madvise(secret, sizeof(*secret), MADV_DONTDUMP);
	atomic_init(&secret->refs, 1);
	atomic_init(&secret->challenge, false);
	secret->role = role;
	secret->len = len;
	if (len)
		memcpy(secret->pin, pin, len);
	return secret;
}

struct ha_secret *ha_secret_get(struct ha_secret *secret)
{
	if (secret)
		atomic_fetch_add(&secret->refs, 1);
	return secret;
}

void ha_secret_took(struct ha_secret *secret, uint32_t flags)
{
	atomic_store(&secret->challenge, flags & PCIEHSM_LOGIN_CHALLENGE);
}

void ha_secret_put(struct ha_secret *secret)
{
	if (!secret || atomic_fetch_sub(&secret->refs, 1) != 1)
		return;
	explicit_bzero(secret, sizeof(*secret));
	munmap(secret, sizeof(*secret));
}
