// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Operations on the HSM as a whole.
 */
#include <string.h>

#include "core/ops.h"
#include "hsm/policy.h"
#include "hsm/role.h"
#include "message/wire.h"

static uint64_t space_used(struct hsm_fw *fw)
{
	uint64_t used = 0;
	unsigned int i;

	for (i = 0; i < FW_MAX_PARTITIONS; i++)
		if (fw->partitions[i]) {
			pthread_rwlock_rdlock(&fw->partitions[i]->lock);
			used += fw->partitions[i]->state.size;
			pthread_rwlock_unlock(&fw->partitions[i]->lock);
		}
	return used;
}

CK_RV op_hsm_info(struct call *c)
{
	struct hsm_fw *fw = c->fw;
	unsigned int i, count = 0;
	char label[LABEL_MAX + 1];
	uint32_t flags = 0;
	uint64_t used;

	pthread_rwlock_rdlock(&fw->lock);
	memcpy(label, fw->hsm.label, sizeof(label));
	if (fw->hsm.initialised)
		flags |= PCIEHSM_HSM_INITIALISED;
	if (fw->hsm.zeroized)
		flags |= PCIEHSM_HSM_ZEROIZED;
	if (fw->hsm.tampered)
		flags |= PCIEHSM_HSM_TAMPERED;
	for (i = 0; i < FW_MAX_PARTITIONS; i++)
		count += fw->partitions[i] != NULL;
	used = space_used(fw);
	pthread_rwlock_unlock(&fw->lock);
	answer_text(&c->out, PCIEHSM_F_SERIAL, fw->serial_text);
	answer_text(&c->out, PCIEHSM_F_MODEL, fw->model);
	answer_text(&c->out, PCIEHSM_F_FW_VERSION, FW_VERSION);
	answer_text(&c->out, PCIEHSM_F_LABEL, label);
	answer_u32(&c->out, PCIEHSM_F_FLAGS, flags);
	answer_u64(&c->out, PCIEHSM_F_SPACE, FW_SPACE);
	answer_u64(&c->out, PCIEHSM_F_SPACE_FREE, FW_SPACE - used);
	answer_u32(&c->out, PCIEHSM_F_PARTITIONS_MAX, fw->config.max_partitions);
	answer_u32(&c->out, PCIEHSM_F_PARTITIONS, count);
	answer_u32(&c->out, PCIEHSM_F_ENGINES, fw->config.engines);
	return CKR_OK;
}

static void set_label(struct call *c, char *label)
{
	const uint8_t *text;
	size_t len;

	text = message_bytes(&c->in, PCIEHSM_F_LABEL, &len);
	memset(label, 0, LABEL_MAX + 1);
	memcpy(label, text, len);
}

static CK_RV hsm_init(struct call *c)
{
	struct role so = { 0 };
	struct hsm_change ch;
	bool blank;
	CK_RV rv;

	/* c->fw->auth is held: nobody else makes or checks the SO's password. */
	pthread_rwlock_rdlock(&c->fw->lock);
	blank = !c->fw->hsm.initialised;
	pthread_rwlock_unlock(&c->fw->lock);
	if (blank) {
		rv = role_pin_valid(c, PCIEHSM_F_PIN);
		if (rv == CKR_OK)
			rv = role_make(c, PCIEHSM_F_PIN, false, &so);
	} else {
		rv = role_verify(c, PCIEHSM_ROLE_SO, PCIEHSM_F_PIN);
	}
	if (rv == CKR_OK)
		rv = hsm_change_begin(&ch, c->fw);
	if (rv != CKR_OK)
		goto out;
	/* Whose password was right is not there any more: reset or zeroized meanwhile. */
	if (!blank && !ch.state.initialised) {
		hsm_change_abort(&ch);
		rv = CKR_USER_PIN_NOT_INITIALIZED;
		goto out;
	}
	ch.call = c;
	hsm_change_remove_all(&ch);
	if (blank)
		ch.state.roles[PCIEHSM_ROLE_SO] = so;
	/* The auditor is nobody's subject, so he stays as he is. */
	ch.state.initialised = true;
	ch.state.zeroized = false;
	set_label(c, ch.state.label);
	rv = hsm_change_commit(&ch, &c->events);
	if (rv == CKR_OK)
		events_add(&c->events, HSM_FW_HSM_CHANGED, 0);
out:
	fw_wipe(&so, sizeof(so));
	return rv;
}

CK_RV op_hsm_init(struct call *c)
{
	CK_RV rv = answer_room(&c->out, ROLE_ANSWER_FIELDS, ROLE_ANSWER_BYTES);

	if (rv != CKR_OK)
		return rv;
	role_auth_lock(c);
	rv = hsm_init(c);
	role_auth_unlock(c);
	return rv;
}

static CK_RV destroy(struct call *c, bool factory)
{
	struct hsm_change ch;
	CK_RV rv;

	rv = hsm_change_begin(&ch, c->fw);
	if (rv != CKR_OK)
		return rv;
	ch.call = c;
	hsm_destroy(&ch);
	if (factory) {
		policy_hsm_defaults(ch.state.policies);
		ch.state.zeroized = false;
		ch.state.tampered = false;
	}
	rv = hsm_change_commit(&ch, &c->events);
	if (rv == CKR_OK) {
		contexts_purge(&c->fw->contexts, NULL, NULL);
		events_add(&c->events, HSM_FW_HSM_CHANGED, 0);
	}
	return rv;
}

CK_RV op_hsm_factory_reset(struct call *c)
{
	return destroy(c, true);
}

CK_RV op_hsm_zeroize(struct call *c)
{
	return destroy(c, false);
}

/* Fills in a partition that is to be created within @ch. */
static CK_RV prepare(struct call *c, struct hsm_change *ch)
{
	struct hsm_fw *fw = c->fw;
	struct partition *p;
	uint64_t size, used;
	uint32_t index = 0;

	while (index < fw->config.max_partitions && fw->partitions[index])
		index++;
	/* Numbers have six digits and are never used again. */
	if (index == fw->config.max_partitions || ch->state.next_number > 999999)
		return PCIEHSM_CKR_CAPACITY;
	used = space_used(fw);
	size = message_u64(&c->in, PCIEHSM_F_SIZE, FW_PARTITION_SIZE);
	if (size < FW_PARTITION_SIZE_MIN)
		return CKR_ARGUMENTS_BAD;
	if (used > FW_SPACE || size > FW_SPACE - used)
		return PCIEHSM_CKR_CAPACITY;
	p = partition_new(fw, ch->state.next_number);
	if (!p)
		return CKR_HOST_MEMORY;
	ch->create = p;
	ch->state.next_number++;
	p->state.index = index + 1;
	p->state.size = size;
	partition_state_blank(&p->state);
	return fw_nonce(fw, p->state.incarnation, sizeof(p->state.incarnation));
}

CK_RV op_partition_create(struct call *c)
{
	char serial[FW_SERIAL_MAX];
	uint32_t number, index;
	struct hsm_change ch;
	CK_RV rv;

	rv = answer_room(&c->out, 3, 8 + sizeof(serial) + 8);
	if (rv == CKR_OK)
		rv = hsm_change_begin(&ch, c->fw);
	if (rv != CKR_OK)
		return rv;
	if (atomic_load(&c->fw->epoch) != c->epoch)
		rv = CKR_USER_NOT_LOGGED_IN;
	else
		rv = prepare(c, &ch);
	if (rv != CKR_OK) {
		hsm_change_abort(&ch);
		return rv;
	}
	number = ch.create->number;
	index = ch.create->state.index;
	memcpy(serial, ch.create->serial_text, sizeof(serial));
	rv = hsm_change_commit(&ch, &c->events);
	if (rv != CKR_OK)
		return rv;
	answer_u32(&c->out, PCIEHSM_F_NUMBER, number);
	answer_text(&c->out, PCIEHSM_F_SERIAL, serial);
	answer_u32(&c->out, PCIEHSM_F_INDEX, index);
	return CKR_OK;
}

CK_RV op_partition_delete(struct call *c)
{
	struct partition *p = partition_find(c->fw, message_u32(&c->in, PCIEHSM_F_NUMBER, 0));
	struct hsm_change ch;
	CK_RV rv;

	if (!p)
		return CKR_SLOT_ID_INVALID;
	rv = hsm_change_begin(&ch, c->fw);
	if (rv == CKR_OK && atomic_load(&p->gone)) {
		hsm_change_abort(&ch);
		rv = CKR_SLOT_ID_INVALID;
	}
	if (rv == CKR_OK) {
		ch.call = c;
		hsm_change_remove(&ch, p);
		rv = hsm_change_commit(&ch, &c->events);
	}
	partition_put(p);
	return rv;
}

static CK_RV resize(struct call *c, struct partition *p)
{
	uint64_t size = message_u64(&c->in, PCIEHSM_F_SIZE, 0), used;
	struct change ch;
	CK_RV rv;

	if (size < FW_PARTITION_SIZE_MIN)
		return CKR_ARGUMENTS_BAD;
	rv = change_begin(&ch, p);
	if (rv != CKR_OK)
		return rv == CKR_DEVICE_REMOVED ? CKR_SLOT_ID_INVALID : rv;
	used = space_used(c->fw) - p->state.size;
	/* Nothing is thrown out: what is in it must fit. */
	if (size < p->table.bytes)
		rv = CKR_DEVICE_MEMORY;
	else if (used > FW_SPACE || size > FW_SPACE - used)
		rv = PCIEHSM_CKR_CAPACITY;
	if (rv != CKR_OK) {
		change_abort(&ch);
		return rv;
	}
	ch.state.size = size;
	return change_commit(&ch);
}

CK_RV op_partition_resize(struct call *c)
{
	struct partition *p = partition_find(c->fw, message_u32(&c->in, PCIEHSM_F_NUMBER, 0));
	CK_RV rv;

	if (!p)
		return CKR_SLOT_ID_INVALID;
	/* Sizes are shared out among all: one at a time. */
	pthread_mutex_lock(&c->fw->admin);
	rv = resize(c, p);
	pthread_mutex_unlock(&c->fw->admin);
	partition_put(p);
	return rv;
}

CK_RV op_hsm_stats(struct call *c)
{
	uint64_t stats[PCIEHSM_STAT_COUNT] = { 0 }, power_on;
	uint8_t raw[PCIEHSM_STAT_COUNT * 8];
	struct hsm_fw *fw = c->fw;
	unsigned int i, n;

	pthread_rwlock_rdlock(&fw->lock);
	power_on = fw->hsm.power_on;
	for (i = 0; i < FW_MAX_PARTITIONS; i++)
		for (n = 0; fw->partitions[i] && n < PCIEHSM_STAT_COUNT; n++)
			stats[n] += atomic_load_explicit(&fw->partitions[i]->stats[n],
							 memory_order_relaxed);
	pthread_rwlock_unlock(&fw->lock);
	for (n = 0; n < PCIEHSM_STAT_COUNT; n++)
		wire_put64(raw + n * 8, stats[n]);
	answer_u64(&c->out, PCIEHSM_F_POWER_ON, power_on);
	answer_u64(&c->out, PCIEHSM_F_UPTIME, fw_now_ms(fw) - fw->started_at);
	/* Without this one, which is not done yet */
	answer_u64(&c->out, PCIEHSM_F_COMMANDS, contexts_entered(&fw->contexts) - 1);
	answer_put(&c->out, PCIEHSM_F_STATS, raw, sizeof(raw));
	return CKR_OK;
}

CK_RV op_hsm_identity(struct call *c)
{
	struct fw_bytes certs = fw_identity_certificates(c->fw->identity);

	answer_put(&c->out, PCIEHSM_F_CERTIFICATES, certs.p, certs.len);
	return CKR_OK;
}
