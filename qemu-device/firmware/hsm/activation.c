// SPDX-License-Identifier: GPL-2.0-or-later
#include "hsm/activation.h"

#include "core/ops.h"
#include "hsm/policy.h"
#include "hsm/role.h"

/* Those who work with keys; the others are persons, who type their password. */
static bool has_challenges(uint32_t role)
{
	return role == PCIEHSM_ROLE_CO || role == PCIEHSM_ROLE_LCO || role == PCIEHSM_ROLE_CU;
}

uint32_t activation_end_all(struct role *roles)
{
	uint32_t ended = 0, i;

	for (i = 0; i < ROLE_COUNT; i++) {
		ended |= (uint32_t)roles[i].activated << i;
		roles[i].activated = false;
	}
	return ended;
}

void activation_end_logins(struct call *c, uint32_t ended)
{
	uint32_t i;

	for (i = 0; i < ROLE_COUNT; i++)
		if (ended >> i & 1)
			contexts_end_role(&c->fw->contexts, c->part, i, c->ctx);
}

/* Ends a role's activation, and gives it @challenge unless that is NULL. */
static CK_RV end_activation(struct call *c, uint32_t role, const struct role_secret *challenge)
{
	uint32_t ended;
	struct change ch;
	struct role *r;
	CK_RV rv;

	rv = change_begin(&ch, c->part);
	if (rv != CKR_OK)
		return rv;
	r = &ch.state.roles[role];
	ended = (uint32_t)r->activated << role;
	/* Whose login it is by may be void since that was looked at. */
	if (!challenge && atomic_load(&c->part->epoch) != c->epoch)
		rv = CKR_USER_NOT_LOGGED_IN;
	else if (!r->initialised)
		rv = CKR_USER_PIN_NOT_INITIALIZED;
	if (rv != CKR_OK || (!ended && !challenge)) {
		change_abort(&ch);
		return rv;
	}
	r->activated = false;
	if (challenge)
		r->challenge = *challenge;
	rv = change_commit(&ch);
	if (rv == CKR_OK)
		activation_end_logins(c, ended);
	return rv;
}

static CK_RV set_challenge(struct call *c, uint32_t role)
{
	struct role_secret made;
	struct role now;
	bool same;
	CK_RV rv;

	/* What can be refused without an attempt is refused first. */
	if (!partition_allows(c->part, POLICY_ACTIVATION))
		return PCIEHSM_CKR_POLICY;
	rv = role_pin_valid(c, PCIEHSM_F_NEW_PIN);
	if (rv == CKR_OK)
		rv = role_verify(c, role, PCIEHSM_F_PIN);
	if (rv != CKR_OK)
		return rv;
	role_copy(c, role, &now);
	rv = role_secret_is(c, PCIEHSM_F_NEW_PIN, &now.password, &same);
	/* It would be known to whoever has set the password. */
	if (rv == CKR_OK && now.must_change)
		rv = CKR_PIN_EXPIRED;
	else if (rv == CKR_OK && same)
		rv = CKR_PIN_INVALID;
	fw_wipe(&now, sizeof(now));
	if (rv == CKR_OK)
		rv = role_secret_make(c, PCIEHSM_F_NEW_PIN, &made);
	if (rv == CKR_OK)
		rv = end_activation(c, role, &made);
	fw_wipe(&made, sizeof(made));
	return rv;
}

CK_RV op_role_set_challenge(struct call *c)
{
	uint32_t role = message_u32(&c->in, PCIEHSM_F_ROLE, 0);
	CK_RV rv;

	if (!has_challenges(role))
		return CKR_USER_TYPE_INVALID;
	rv = answer_room(&c->out, ROLE_ANSWER_FIELDS, ROLE_ANSWER_BYTES);
	if (rv != CKR_OK)
		return rv;
	role_auth_lock(c);
	rv = set_challenge(c, role);
	role_auth_unlock(c);
	return rv;
}

CK_RV op_role_deactivate(struct call *c)
{
	uint32_t role = message_u32(&c->in, PCIEHSM_F_ROLE, 0);
	CK_RV rv;

	if (!has_challenges(role))
		return CKR_USER_TYPE_INVALID;
	if (c->role != role && c->role != role_maker(role))
		return CKR_USER_NOT_LOGGED_IN;
	/* Not between a challenge that is right and the login that follows */
	role_auth_lock(c);
	rv = end_activation(c, role, NULL);
	role_auth_unlock(c);
	return rv;
}
