// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Life of a partition in memory, and lookups in it.
 */
#include "hsm/partition.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/firmware.h"
#include "hsm/activation.h"
#include "hsm/policy.h"
#include "message/template.h"
#include "objects/access.h"

struct partition *partition_new(struct hsm_fw *fw, uint32_t number)
{
	struct partition *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->fw = fw;
	p->number = number;
	p->serial = fw->config.serial * 1000000ULL + number;
	snprintf(p->serial_text, sizeof(p->serial_text), "%.12s%06u", fw->serial_text,
		 number % 1000000);
	atomic_init(&p->refs, 1);
	atomic_init(&p->gone, false);
	atomic_init(&p->next_no, 1);
	atomic_init(&p->epoch, 1);
	atomic_init(&p->collections, 0);
	atomic_init(&p->standing, 0);
	atomic_init(&p->allowed, 0);
	pthread_mutex_init(&p->auth, NULL);
	pthread_mutex_init(&p->change, NULL);
	pthread_rwlock_init(&p->lock, NULL);
	table_init(&p->table);
	return p;
}

struct partition *partition_get(struct partition *p)
{
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

void partition_put(struct partition *p)
{
	if (!p || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
		return;
	table_clear(&p->table);
	pthread_rwlock_destroy(&p->lock);
	pthread_mutex_destroy(&p->change);
	pthread_mutex_destroy(&p->auth);
	fw_wipe(p, sizeof(*p));
	free(p);
}

struct partition *partition_find(struct hsm_fw *fw, uint32_t number)
{
	struct partition *p = NULL;
	unsigned int i;

	pthread_rwlock_rdlock(&fw->lock);
	for (i = 0; i < FW_MAX_PARTITIONS; i++)
		if (fw->partitions[i] && fw->partitions[i]->number == number) {
			p = partition_get(fw->partitions[i]);
			break;
		}
	pthread_rwlock_unlock(&fw->lock);
	return p;
}

_Static_assert(POLICY_COUNT <= 64 && ROLE_COUNT <= PARTITION_INITIALISED_BIT,
	       "no room for a bit each");

void partition_publish(struct partition *p)
{
	uint64_t standing = (uint64_t)p->state.initialised << PARTITION_INITIALISED_BIT;
	uint64_t allowed = 0;
	unsigned int i;

	for (i = 0; i < ROLE_COUNT; i++)
		standing |= (uint64_t)p->state.roles[i].must_change << i;
	for (i = 0; i < POLICY_COUNT; i++)
		allowed |= (uint64_t)(p->state.policies[i] != 0) << i;
	atomic_store(&p->standing, standing);
	atomic_store(&p->allowed, allowed);
}

uint32_t partition_policy(struct partition *p, uint32_t policy)
{
	uint32_t value;

	pthread_rwlock_rdlock(&p->lock);
	value = p->state.policies[policy];
	pthread_rwlock_unlock(&p->lock);
	return value;
}

struct object *partition_object(struct call *c, const uint8_t ouid[PCIEHSM_OUID_LEN])
{
	struct object *o = NULL;
	struct entry *e;

	pthread_rwlock_rdlock(&c->part->lock);
	e = table_find(&c->part->table, ouid);
	if (e && e->object)
		o = object_get(e->object);
	pthread_rwlock_unlock(&c->part->lock);
	if (!o) {
		pthread_mutex_lock(&c->ctx->lock);
		e = table_find(&c->ctx->objects, ouid);
		if (e && e->object)
			o = object_get(e->object);
		pthread_mutex_unlock(&c->ctx->lock);
	}
	if (o && !access_sees(c->role, o)) {
		object_put(o);
		o = NULL;
	}
	return o;
}

/* ---- loading ---- */

static int load_object(void *opaque, const struct store_object *so)
{
	struct version version = { so->counter, so->writer };
	struct partition *p = opaque;
	struct fw_attrs attrs = { 0 };
	struct object *o;

	if (so->seq == 0 || table_find(&p->table, so->ouid))
		return -EBADMSG;
	if (so->no >= atomic_load(&p->next_no))
		atomic_store(&p->next_no, so->no + 1);
	if (so->deleted) {
		table_bury(&p->table, so->ouid, &version, so->no, so->seq);
		return 0;
	}
	if (!template_valid(so->plain.p, so->plain.len) ||
	    template_to_attrs(so->plain.p, so->plain.len, &attrs) != CKR_OK) {
		fw_attrs_wipe(&attrs);
		return -EBADMSG;
	}
	o = object_new(so->ouid, &version, &attrs);
	if (!o)
		return -ENOMEM;
	o->no = so->no;
	table_set(&p->table, o, so->seq);
	return 0;
}

int partition_load(struct partition *p)
{
	uint8_t *record = malloc(RECORD_MAX);
	size_t len;
	int ret;

	if (!record)
		return -ENOMEM;
	ret = store_load_record(p->fw->store, p->number, record, &len);
	if (!ret && !partition_state_decode(&p->state, record, len))
		ret = -EBADMSG;
	fw_wipe_free(record, RECORD_MAX);
	if (!ret)
		ret = store_load_objects(p->fw->store, p->number, load_object, p);
	if (ret)
		return ret;
	/* The power was off. What the store says of it is overwritten with the next change. */
	if (!p->state.policies[POLICY_ACTIVATION] || !p->state.policies[POLICY_AUTO_ACTIVATION])
		activation_end_all(p->state.roles);
	partition_publish(p);
	table_sort_log(&p->table);
	/* There is nothing to compare them with; from the next change on there is. */
	if (!p->state.rows_known)
		memcpy(p->state.rows, p->table.rows, sizeof(p->state.rows));
	/* Rows that were taken away, added, or put back from an older copy */
	if (memcmp(p->table.sum, p->state.sum, sizeof(p->state.sum)) != 0 ||
	    memcmp(p->table.rows, p->state.rows, sizeof(p->state.rows)) != 0 ||
	    p->table.live != p->state.objects || p->table.dead != p->state.tombstones ||
	    table_last_seq(&p->table) > p->state.seq)
		return -EBADMSG;
	return 0;
}
