// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Operations on a partition as a whole.
 */
#include "core/ops.h"
#include "hsm/domain.h"
#include "hsm/policy.h"
#include "hsm/role.h"
#include "message/wire.h"

CK_RV op_partition_info(struct call *c)
{
	struct partition *p = c->part;
	uint8_t stats[PCIEHSM_STAT_COUNT * 8], incarnation[INCARNATION_LEN];
	unsigned int i, sessions = contexts_sessions(&c->fw->contexts, p);
	char label[LABEL_MAX + 1];
	uint64_t size, used;
	uint32_t flags = 0;
	size_t objects, dead;

	pthread_rwlock_rdlock(&p->lock);
	memcpy(label, p->state.label, sizeof(label));
	memcpy(incarnation, p->state.incarnation, sizeof(incarnation));
	if (p->state.initialised)
		flags |= PCIEHSM_PARTITION_INITIALISED;
	if (p->state.roles[PCIEHSM_ROLE_CO].initialised)
		flags |= PCIEHSM_PARTITION_CO_INITIALISED;
	if (p->state.roles[PCIEHSM_ROLE_CU].initialised)
		flags |= PCIEHSM_PARTITION_CU_INITIALISED;
	size = p->state.size;
	used = p->table.bytes;
	objects = p->table.live;
	dead = p->table.dead;
	if (p->state.roles[PCIEHSM_ROLE_LCO].initialised)
		flags |= PCIEHSM_PARTITION_LCO_INITIALISED;
	if (p->state.policies[POLICY_HA_RECOVERY])
		flags |= PCIEHSM_PARTITION_HA_RECOVERY;
	pthread_rwlock_unlock(&p->lock);
	for (i = 0; i < PCIEHSM_STAT_COUNT; i++)
		wire_put64(stats + i * 8, atomic_load_explicit(&p->stats[i], memory_order_relaxed));
	answer_text(&c->out, PCIEHSM_F_SERIAL, p->serial_text);
	answer_text(&c->out, PCIEHSM_F_LABEL, label);
	answer_u32(&c->out, PCIEHSM_F_FLAGS, flags);
	answer_text(&c->out, PCIEHSM_F_HSM_SERIAL, c->fw->serial_text);
	answer_text(&c->out, PCIEHSM_F_MODEL, c->fw->model);
	answer_text(&c->out, PCIEHSM_F_FW_VERSION, FW_VERSION);
	answer_u64(&c->out, PCIEHSM_F_SPACE, size);
	answer_u64(&c->out, PCIEHSM_F_SPACE_FREE, size > used ? size - used : 0);
	answer_u32(&c->out, PCIEHSM_F_OBJECTS, (uint32_t)objects);
	answer_u32(&c->out, PCIEHSM_F_SESSIONS, sessions);
	answer_put(&c->out, PCIEHSM_F_STATS, stats, sizeof(stats));
	answer_put(&c->out, PCIEHSM_F_INCARNATION, incarnation, sizeof(incarnation));
	answer_u32(&c->out, PCIEHSM_F_TOMBSTONES, (uint32_t)dead);
	return CKR_OK;
}

/* The new state, as far as it needs no lock: computing keys takes its time. */
static CK_RV prepare(struct call *c, bool blank, struct partition_state *fresh)
{
	const uint8_t *domain, *label;
	size_t len;
	CK_RV rv;

	label = message_bytes(&c->in, PCIEHSM_F_LABEL, &len);
	memcpy(fresh->label, label, len);
	domain = message_bytes(&c->in, PCIEHSM_F_DOMAIN, &len);
	rv = domain_key(c->fw, domain, len, fresh->domain_key);
	if (rv == CKR_OK && blank)
		rv = role_make(c, PCIEHSM_F_PIN, false, &fresh->roles[PCIEHSM_ROLE_PO]);
	return rv;
}

static CK_RV install(struct call *c, bool blank, const struct partition_state *fresh)
{
	struct role po;
	struct change ch;
	CK_RV rv;

	rv = change_begin(&ch, c->part);
	if (rv != CKR_OK)
		return rv;
	/* The PO's login may have become void while his password was computed. */
	if (!blank && atomic_load(&c->part->epoch) != c->epoch) {
		change_abort(&ch);
		return CKR_USER_NOT_LOGGED_IN;
	}
	ch.call = c;
	po = blank ? fresh->roles[PCIEHSM_ROLE_PO] : ch.state.roles[PCIEHSM_ROLE_PO];
	rv = change_wipe(&ch);
	if (rv != CKR_OK) {
		change_abort(&ch);
		goto out;
	}
	/* Policies are the PO's choice and stay; a blank partition has the defaults. */
	fw_wipe(ch.state.roles, sizeof(ch.state.roles));
	ch.state.roles[PCIEHSM_ROLE_PO] = po;
	memcpy(ch.state.label, fresh->label, sizeof(fresh->label));
	memcpy(ch.state.domain_key, fresh->domain_key, sizeof(fresh->domain_key));
	ch.state.initialised = true;
	rv = change_commit(&ch);
out:
	fw_wipe(&po, sizeof(po));
	return rv;
}

static CK_RV partition_init(struct call *c)
{
	struct partition_state fresh = { 0 };
	bool blank;
	CK_RV rv;

	/* c->part->auth is held: nobody else initialises it now. */
	pthread_rwlock_rdlock(&c->part->lock);
	blank = !c->part->state.initialised;
	pthread_rwlock_unlock(&c->part->lock);
	if (blank)
		rv = role_pin_valid(c, PCIEHSM_F_PIN);
	else if (c->role != PCIEHSM_ROLE_PO)
		rv = CKR_USER_NOT_LOGGED_IN;
	else
		rv = role_verify(c, PCIEHSM_ROLE_PO, PCIEHSM_F_PIN);
	if (rv == CKR_OK)
		rv = prepare(c, blank, &fresh);
	if (rv == CKR_OK)
		rv = install(c, blank, &fresh);
	fw_wipe(&fresh, sizeof(fresh));
	if (rv != CKR_OK)
		return rv;
	/* Logins of before are void, the PO's own excepted, who did this. */
	if (!blank)
		context_renew(c->ctx, c->epoch + 1);
	contexts_purge(&c->fw->contexts, c->part, c->ctx);
	events_add(&c->events, HSM_FW_PARTITION_CHANGED, c->part->number);
	return CKR_OK;
}

CK_RV op_partition_init(struct call *c)
{
	CK_RV rv = answer_room(&c->out, ROLE_ANSWER_FIELDS, ROLE_ANSWER_BYTES);

	if (rv != CKR_OK)
		return rv;
	role_auth_lock(c);
	rv = partition_init(c);
	role_auth_unlock(c);
	return rv;
}

CK_RV op_partition_clear(struct call *c)
{
	size_t i, left = 0, limit = message_u32(&c->in, PCIEHSM_F_LIMIT, 0);
	struct version version;
	struct entry *e;
	struct change ch;
	CK_RV rv;

	if (!limit && message_has(&c->in, PCIEHSM_F_LIMIT))
		return CKR_ARGUMENTS_BAD;
	rv = change_begin(&ch, c->part);
	if (rv != CKR_OK)
		return rv;
	i = c->part->table.order.count;
	if (limit && limit < i)
		left = i - limit;
	ch.call = c;
	if (atomic_load(&c->part->epoch) != c->epoch)
		rv = CKR_USER_NOT_LOGGED_IN;
	/* From the end: then taking them out of the indexes moves nothing. */
	while (rv == CKR_OK && i > left) {
		e = c->part->table.order.list[--i];
		version.counter = e->version.counter + 1;
		version.writer = c->part->serial;
		rv = change_bury(&ch, e->ouid, &version);
		if (rv == CKR_OK && !call_step(c))
			rv = CKR_FUNCTION_CANCELED;
	}
	if (rv != CKR_OK) {
		change_abort(&ch);
		return rv;
	}
	rv = change_commit(&ch);
	if (rv == CKR_OK)
		answer_u32(&c->out, PCIEHSM_F_OBJECTS, (uint32_t)left);
	return rv;
}
