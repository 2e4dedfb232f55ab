// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Changes of the HSM's state and of the set of partitions.
 */
#include <stdlib.h>
#include <string.h>

#include "core/firmware.h"
#include "hsm/policy.h"

void hsm_publish(struct hsm_fw *fw)
{
	uint64_t allowed = 0;
	unsigned int i;

	for (i = 0; i < POLICY_COUNT; i++)
		allowed |= (uint64_t)(fw->hsm.policies[i] != 0) << i;
	atomic_store(&fw->allowed, allowed);
	atomic_store(&fw->tampered, fw->hsm.tampered);
}

bool approved_only(struct hsm_fw *fw, struct partition *p)
{
	return !hsm_allows(fw, HSM_POLICY_NON_FIPS) || !partition_allows(p, POLICY_NON_FIPS);
}

CK_RV hsm_change_begin(struct hsm_change *ch, struct hsm_fw *fw)
{
	memset(ch, 0, sizeof(*ch));
	pthread_mutex_lock(&fw->admin);
	if (!hsm_state_copy(&ch->state, &fw->hsm)) {
		pthread_mutex_unlock(&fw->admin);
		return CKR_HOST_MEMORY;
	}
	ch->fw = fw;
	return CKR_OK;
}

void hsm_change_remove(struct hsm_change *ch, struct partition *p)
{
	/* Whoever changes it just now finishes; who comes later finds it gone. */
	pthread_mutex_lock(&p->change);
	ch->remove[ch->removing++] = p;
}

void hsm_change_remove_all(struct hsm_change *ch)
{
	unsigned int i;

	for (i = 0; i < FW_MAX_PARTITIONS; i++)
		if (ch->fw->partitions[i])
			hsm_change_remove(ch, ch->fw->partitions[i]);
}

void hsm_destroy(struct hsm_change *ch)
{
	hsm_change_remove_all(ch);
	fw_wipe(ch->state.roles, sizeof(ch->state.roles));
	memset(ch->state.label, 0, sizeof(ch->state.label));
	ch->state.initialised = false;
	ch->state.zeroized = true;
	ch->end_logins = true;
}

static void end(struct hsm_change *ch)
{
	struct hsm_fw *fw = ch->fw;
	unsigned int i;

	for (i = 0; i < ch->removing; i++)
		pthread_mutex_unlock(&ch->remove[i]->change);
	hsm_state_wipe(&ch->state);
	partition_put(ch->create);
	memset(ch, 0, sizeof(*ch));
	pthread_mutex_unlock(&fw->admin);
}

void hsm_change_abort(struct hsm_change *ch)
{
	end(ch);
}

static bool store_all(struct hsm_change *ch)
{
	struct store *store = ch->fw->store;
	uint8_t *record = malloc(RECORD_MAX);
	unsigned int i;
	size_t len;
	bool ok;

	if (!record)
		return false;
	if (!store_begin(store)) {
		free(record);
		return false;
	}
	if (ch->call)
		store_watch(store, call_alive, ch->call);
	len = hsm_state_encode(&ch->state, record);
	ok = len && store_put_record(store, STORE_HSM_RECORD, record, len);
	for (i = 0; ok && i < ch->removing; i++)
		ok = store_delete_partition(store, ch->remove[i]->number);
	if (ok && ch->create) {
		len = partition_state_encode(&ch->create->state, record);
		ok = len && store_put_record(store, ch->create->number, record, len);
	}
	fw_wipe_free(record, RECORD_MAX);
	if (!ok) {
		store_rollback(store);
		return false;
	}
	return store_commit(store);
}

CK_RV hsm_change_commit(struct hsm_change *ch, struct events *events)
{
	struct hsm_fw *fw = ch->fw;
	struct partition *gone[FW_MAX_PARTITIONS];
	unsigned int i, count = ch->removing;
	struct hsm_state old;

	if (!store_all(ch)) {
		end(ch);
		return PCIEHSM_CKR_STORE;
	}
	pthread_rwlock_wrlock(&fw->lock);
	old = fw->hsm;
	fw->hsm = ch->state;
	ch->state = old;
	fw_wipe(&old, sizeof(old));
	hsm_publish(fw);
	/* Within the change, as in change_commit() */
	if (ch->end_logins)
		atomic_fetch_add(&fw->epoch, 1);
	for (i = 0; i < count; i++) {
		gone[i] = ch->remove[i];
		atomic_store(&gone[i]->gone, true);
		fw->partitions[gone[i]->state.index - 1] = NULL;
		events_add(events, HSM_FW_PARTITION_DELETED, gone[i]->number);
	}
	if (ch->create) {
		partition_publish(ch->create);
		fw->partitions[ch->create->state.index - 1] = ch->create;
		events_add(events, HSM_FW_PARTITION_CREATED, ch->create->number);
		ch->create = NULL;
	}
	pthread_rwlock_unlock(&fw->lock);
	end(ch);
	for (i = 0; i < count; i++) {
		contexts_purge(&fw->contexts, gone[i], NULL);
		/* Contexts keep the empty shell until they are closed. */
		pthread_rwlock_wrlock(&gone[i]->lock);
		table_clear(&gone[i]->table);
		fw_wipe(gone[i]->state.domain_key, sizeof(gone[i]->state.domain_key));
		fw_wipe(gone[i]->state.roles, sizeof(gone[i]->state.roles));
		pthread_rwlock_unlock(&gone[i]->lock);
		partition_put(gone[i]);
	}
	if (count)
		store_erase_traces(fw->store);
	return CKR_OK;
}
