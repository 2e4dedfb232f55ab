// SPDX-License-Identifier: GPL-2.0-or-later
#include "hsm/domain.h"

#include <string.h>

/* Fewer iterations than this protect nothing: it is a simulation. */
#define SIMULATED	1000
#define REMEMBERED	8

static struct {
	pthread_mutex_t	lock;
	unsigned int	next;
	struct {
		bool	used;
		uint8_t	hash[FW_SHA256_LEN];
		uint8_t	key[FW_DOMAIN_KEY_LEN];
	} entry[REMEMBERED];
} cache = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool recall(const uint8_t *hash, uint8_t *key)
{
	bool found = false;
	unsigned int i;

	pthread_mutex_lock(&cache.lock);
	for (i = 0; i < REMEMBERED && !found; i++) {
		found = cache.entry[i].used &&
			memcmp(cache.entry[i].hash, hash, FW_SHA256_LEN) == 0;
		if (found)
			memcpy(key, cache.entry[i].key, FW_DOMAIN_KEY_LEN);
	}
	pthread_mutex_unlock(&cache.lock);
	return found;
}

static void remember(const uint8_t *hash, const uint8_t *key)
{
	unsigned int i;

	pthread_mutex_lock(&cache.lock);
	i = cache.next++ % REMEMBERED;
	cache.entry[i].used = true;
	memcpy(cache.entry[i].hash, hash, FW_SHA256_LEN);
	memcpy(cache.entry[i].key, key, FW_DOMAIN_KEY_LEN);
	pthread_mutex_unlock(&cache.lock);
}

CK_RV domain_key(struct hsm_fw *fw, const uint8_t *domain, size_t len,
		 uint8_t key[FW_DOMAIN_KEY_LEN])
{
	struct fw_bytes part = { domain, len };
	uint8_t hash[FW_SHA256_LEN];
	CK_RV rv;

	if (fw->config.pin_iterations >= SIMULATED)
		return fw_domain_key(domain, len, key);
	rv = fw_sha256(&part, 1, hash);
	if (rv == CKR_OK && !recall(hash, key)) {
		rv = fw_domain_key(domain, len, key);
		if (rv == CKR_OK)
			remember(hash, key);
	}
	return rv;
}
