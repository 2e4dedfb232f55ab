// SPDX-License-Identifier: GPL-2.0-or-later
#include "hsm/policy.h"

#include "core/firmware.h"
#include "core/ops.h"
#include "hsm/activation.h"
#include "hsm/role.h"
#include "message/wire.h"

/**
 * struct policy - one line of a table
 * @id:		number
 * @def:	default
 * @min:	least value
 * @max:	greatest value
 * @flags:	PCIEHSM_POLICY_*. FIXED: what the firmware does in any case; the value
 *		says it.
 */
struct policy {
	uint8_t		id;
	uint8_t		def;
	uint8_t		min;
	uint8_t		max;
	uint32_t	flags;
};

#define ON	PCIEHSM_POLICY_DESTROYS_ON
#define OFF	PCIEHSM_POLICY_DESTROYS_OFF
#define FIXED	PCIEHSM_POLICY_FIXED

static const struct policy hsm_policies[] = {
	{ HSM_POLICY_CLONING, 1, 0, 1, ON },
	/*
	 * Destructive in both directions: no key is ever in a card that was made or used
	 * under other rules than the present ones.
	 */
	{ HSM_POLICY_NON_FIPS, 1, 0, 1, ON | OFF },
	{ HSM_POLICY_RESET_PIN, 0, 0, 1, ON },
	{ HSM_POLICY_NETWORK_REPLICATION, 1, 1, 1, FIXED },
	{ HSM_POLICY_TAMPER_DECOMMISSION, 1, 1, 1, FIXED },
	{ 46, 0, 0, 0, FIXED },		/* disable decommission */
	{ 50, 0, 0, 0, FIXED },		/* functionality modules */
};

static const struct policy partition_policies[] = {
	{ POLICY_PRIVATE_CLONING, 1, 0, 1, ON },
	{ POLICY_PRIVATE_WRAPPING, 0, 0, 1, ON },
	{ POLICY_PRIVATE_UNWRAPPING, 1, 0, 1, 0 },
	{ 3, 0, 0, 0, FIXED },		/* private key masking */
	{ POLICY_SECRET_CLONING, 1, 0, 1, ON },
	{ POLICY_SECRET_WRAPPING, 1, 0, 1, ON },
	{ POLICY_SECRET_UNWRAPPING, 1, 0, 1, 0 },
	{ 7, 0, 0, 0, FIXED },		/* secret key masking */
	{ 10, 1, 1, 1, FIXED },		/* multipurpose keys */
	{ POLICY_CHANGE_ATTRIBUTES, 1, 0, 1, ON },
	/*
	 * Ignore failed challenge responses: no. What is wrong is neither password nor challenge,
	 * and so a guess at either; one that did not count would be free for both.
	 */
	{ 15, 0, 0, 0, FIXED },
	{ 16, 1, 1, 1, FIXED },		/* operate without RSA blinding */
	{ POLICY_SIGN_NON_LOCAL, 1, 0, 1, 0 },
	{ POLICY_RAW_RSA, 1, 0, 1, ON },
	{ POLICY_MAX_FAILED_LOGINS, 10, 1, 10, 0 },
	{ POLICY_HA_RECOVERY, 1, 0, 1, 0 },
	/* The password is to a role here what the key of a PED is to the product. */
	{ POLICY_ACTIVATION, 0, 0, 1, 0 },
	{ POLICY_AUTO_ACTIVATION, 0, 0, 1, 0 },
	/* Stored as 255 minus the length */
	{ POLICY_MIN_PIN, 255 - PCIEHSM_PIN_MIN, 0, 255 - PCIEHSM_PIN_MIN, 0 },
	{ POLICY_MAX_PIN, PCIEHSM_PIN_MAX, PCIEHSM_PIN_MIN, PCIEHSM_PIN_MAX, 0 },
	{ POLICY_KEY_MANAGEMENT, 1, 0, 1, ON },
	{ 29, 1, 1, 1, FIXED },		/* RSA signing without confirmation */
	{ 31, 0, 0, 0, FIXED },		/* private key unmasking */
	{ 32, 0, 0, 0, FIXED },		/* secret key unmasking */
	{ POLICY_RSA_PKCS, 1, 0, 1, ON },
	{ 34, 1, 1, 1, FIXED },		/* CBC-PAD (un)wraps keys of any size */
	{ 37, 0, 0, 0, FIXED },		/* force secure trusted channel */
	{ 39, 0, 0, 0, FIXED },		/* start/end date attributes */
	{ 40, 0, 0, 0, FIXED },		/* per-key authorization data */
	{ 41, 0, 0, 0, FIXED },		/* partition version */
	{ 42, 0, 0, 0, FIXED },		/* CPv1 */
	{ POLICY_NON_FIPS, 1, 0, 1, ON | OFF },
	{ 44, 0, 0, 0, FIXED },		/* extended domain management */
};

#define COUNT(table)	(sizeof(table) / sizeof((table)[0]))

static void defaults(const struct policy *table, size_t count, uint32_t *policies)
{
	size_t i;

	for (i = 0; i < POLICY_COUNT; i++)
		policies[i] = 0;
	for (i = 0; i < count; i++)
		policies[table[i].id] = table[i].def;
}

void policy_hsm_defaults(uint32_t *policies)
{
	defaults(hsm_policies, COUNT(hsm_policies), policies);
}

void policy_partition_defaults(uint32_t *policies)
{
	defaults(partition_policies, COUNT(partition_policies), policies);
}

/* A partition is never less strict than its HSM: what follows from the HSM's policies */
static bool held_down(struct hsm_fw *fw, uint32_t id)
{
	switch (id) {
	case POLICY_PRIVATE_CLONING:
	case POLICY_SECRET_CLONING:
		return !hsm_allows(fw, HSM_POLICY_CLONING);
	case POLICY_NON_FIPS:
		return !hsm_allows(fw, HSM_POLICY_NON_FIPS);
	default:
		return false;
	}
}

static void put_table(struct call *c, const struct policy *table, size_t count,
		      const uint32_t *policies)
{
	uint8_t raw[POLICY_COUNT * sizeof(struct pciehsm_policy)];
	size_t i;

	for (i = 0; i < count; i++) {
		wire_put32(raw + i * 16, table[i].id);
		/* What is fixed may have been something else in the firmware that stored it. */
		wire_put32(raw + i * 16 + 4, table[i].flags & FIXED ? table[i].def :
			   policies[table[i].id]);
		wire_put32(raw + i * 16 + 8, table[i].flags);
		wire_put32(raw + i * 16 + 12, table[i].def);
	}
	answer_put(&c->out, PCIEHSM_F_POLICIES, raw, count * 16);
}

CK_RV op_policy_get(struct call *c)
{
	uint32_t policies[POLICY_COUNT], i;

	if (c->part) {
		pthread_rwlock_rdlock(&c->part->lock);
		memcpy(policies, c->part->state.policies, sizeof(policies));
		pthread_rwlock_unlock(&c->part->lock);
		for (i = 0; i < POLICY_COUNT; i++)
			if (held_down(c->fw, i))
				policies[i] = 0;
		put_table(c, partition_policies, COUNT(partition_policies), policies);
	} else {
		pthread_rwlock_rdlock(&c->fw->lock);
		memcpy(policies, c->fw->hsm.policies, sizeof(policies));
		pthread_rwlock_unlock(&c->fw->lock);
		put_table(c, hsm_policies, COUNT(hsm_policies), policies);
	}
	return CKR_OK;
}

/* Finds the policy and checks that it may get that value. */
static CK_RV look_up(const struct policy *table, size_t count, uint32_t id, uint32_t value,
		     const struct policy **policy)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (table[i].id == id)
			break;
	if (i == count)
		return CKR_ARGUMENTS_BAD;
	*policy = &table[i];
	if (value < table[i].min || value > table[i].max)
		return table[i].flags & FIXED ? PCIEHSM_CKR_POLICY : CKR_ARGUMENTS_BAD;
	return CKR_OK;
}

static bool destroys(const struct policy *p, uint32_t before, uint32_t after)
{
	return (after > before && (p->flags & ON)) || (after < before && (p->flags & OFF));
}

static CK_RV set_hsm(struct call *c, uint32_t id, uint32_t value)
{
	const struct policy *policy;
	struct hsm_change ch;
	CK_RV rv;

	rv = look_up(hsm_policies, COUNT(hsm_policies), id, value, &policy);
	if (rv == CKR_OK)
		rv = hsm_change_begin(&ch, c->fw);
	if (rv != CKR_OK)
		return rv;
	if (atomic_load(&c->fw->epoch) != c->epoch) {
		hsm_change_abort(&ch);
		return CKR_USER_NOT_LOGGED_IN;
	}
	ch.call = c;
	if (destroys(policy, ch.state.policies[id], value))
		hsm_change_remove_all(&ch);
	ch.state.policies[id] = value;
	return hsm_change_commit(&ch, &c->events);
}

/* With the least length above the greatest nobody could ever set a password again. */
static bool pin_lengths_sound(const uint32_t *policies, uint32_t id, uint32_t value)
{
	uint32_t min = id == POLICY_MIN_PIN ? value : policies[POLICY_MIN_PIN];
	uint32_t max = id == POLICY_MAX_PIN ? value : policies[POLICY_MAX_PIN];

	return 255 - min <= max;
}

static CK_RV set_partition(struct call *c, uint32_t id, uint32_t value)
{
	const struct policy *policy;
	uint32_t deactivated = 0;
	bool wipe;
	struct change ch;
	CK_RV rv;

	rv = look_up(partition_policies, COUNT(partition_policies), id, value, &policy);
	if (rv == CKR_OK)
		rv = change_begin(&ch, c->part);
	if (rv != CKR_OK)
		return rv;
	wipe = destroys(policy, ch.state.policies[id], value);
	if (atomic_load(&c->part->epoch) != c->epoch)
		rv = CKR_USER_NOT_LOGGED_IN;
	else if (!pin_lengths_sound(ch.state.policies, id, value))
		rv = CKR_ARGUMENTS_BAD;
	else if (value && held_down(c->fw, id))
		rv = PCIEHSM_CKR_POLICY;
	else if (wipe)
		rv = change_wipe(&ch);
	if (rv != CKR_OK) {
		change_abort(&ch);
		return rv;
	}
	ch.call = c;
	ch.state.policies[id] = value;
	if (!ch.state.policies[POLICY_ACTIVATION])
		deactivated = activation_end_all(ch.state.roles);
	rv = change_commit(&ch);
	if (rv == CKR_OK)
		activation_end_logins(c, deactivated);
	if (rv == CKR_OK && wipe) {
		context_renew(c->ctx, c->epoch + 1);
		contexts_purge(&c->fw->contexts, c->part, c->ctx);
	}
	return rv;
}

/* Not between a challenge that is right and the login that follows: that one would be missed. */
static CK_RV set_activation(struct call *c, uint32_t id, uint32_t value)
{
	CK_RV rv;

	role_auth_lock(c);
	rv = set_partition(c, id, value);
	role_auth_unlock(c);
	return rv;
}

CK_RV op_policy_set(struct call *c)
{
	uint32_t id = message_u32(&c->in, PCIEHSM_F_POLICY, 0);
	uint32_t value = message_u32(&c->in, PCIEHSM_F_VALUE, 0);

	if (id >= POLICY_COUNT)
		return CKR_ARGUMENTS_BAD;
	if (!c->part)
		return set_hsm(c, id, value);
	return id == POLICY_ACTIVATION ? set_activation(c, id, value) :
					 set_partition(c, id, value);
}
