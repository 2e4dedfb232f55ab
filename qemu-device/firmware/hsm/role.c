// SPDX-License-Identifier: GPL-2.0-or-later
#include "hsm/role.h"

#include "core/ops.h"
#include "hsm/policy.h"
#include "message/wire.h"

#define SO_ATTEMPTS		3
#define AUDITOR_ATTEMPTS	3
#define PO_ATTEMPTS		10
/* How long the auditor stays locked */
#define AUDITOR_LOCK_MS		(10 * 60 * 1000)

static const uint32_t hsm_roles[] = { PCIEHSM_ROLE_SO, PCIEHSM_ROLE_AU, 0 };
static const uint32_t partition_roles[] = {
	PCIEHSM_ROLE_PO, PCIEHSM_ROLE_CO, PCIEHSM_ROLE_LCO, PCIEHSM_ROLE_CU, 0
};

static const uint32_t *roles_here(const struct call *c)
{
	return c->part ? partition_roles : hsm_roles;
}

static bool exists_here(const struct call *c, uint32_t role)
{
	const uint32_t *r = roles_here(c);

	while (*r && *r != role)
		r++;
	return *r != 0;
}

uint32_t role_limit(uint32_t role, const uint32_t *policies)
{
	switch (role) {
	case PCIEHSM_ROLE_SO:
		return SO_ATTEMPTS;
	case PCIEHSM_ROLE_AU:
		return AUDITOR_ATTEMPTS;
	case PCIEHSM_ROLE_PO:
		return PO_ATTEMPTS;
	default:
		return policies[POLICY_MAX_FAILED_LOGINS];
	}
}

static uint32_t attempts_left(uint32_t role, const struct role *roles, const uint32_t *policies)
{
	uint32_t limit = role_limit(role, policies);

	/* A Crypto Officer who is locked out locks those below out, too. */
	if ((role == PCIEHSM_ROLE_CU || role == PCIEHSM_ROLE_LCO) &&
	    !attempts_left(PCIEHSM_ROLE_CO, roles, policies))
		return 0;
	return roles[role].failures < limit ? limit - roles[role].failures : 0;
}

void role_auth_lock(struct call *c)
{
	pthread_mutex_lock(c->part ? &c->part->auth : &c->fw->auth);
}

void role_auth_unlock(struct call *c)
{
	pthread_mutex_unlock(c->part ? &c->part->auth : &c->fw->auth);
}

CK_RV role_pin_valid(struct call *c, uint16_t id)
{
	size_t min = PCIEHSM_PIN_MIN, max = PCIEHSM_PIN_MAX, len;

	if (c->part) {
		min = 255 - partition_policy(c->part, POLICY_MIN_PIN);
		max = partition_policy(c->part, POLICY_MAX_PIN);
	}
	message_bytes(&c->in, id, &len);
	return len >= min && len <= max ? CKR_OK : CKR_PIN_LEN_RANGE;
}

CK_RV role_secret_make(struct call *c, uint16_t id, struct role_secret *secret)
{
	const uint8_t *pin;
	size_t len;
	CK_RV rv;

	pin = message_bytes(&c->in, id, &len);
	secret->iterations = c->fw->config.pin_iterations;
	rv = fw_random(secret->salt, sizeof(secret->salt));
	if (rv == CKR_OK)
		rv = fw_pin_hash(pin, len, secret->salt, secret->iterations, secret->hash);
	return rv;
}

CK_RV role_secret_is(struct call *c, uint16_t id, const struct role_secret *secret, bool *is)
{
	uint8_t hash[FW_PIN_HASH_LEN];
	const uint8_t *pin;
	size_t len;
	CK_RV rv;

	*is = false;
	if (!secret->iterations)
		return CKR_OK;
	pin = message_bytes(&c->in, id, &len);
	rv = fw_pin_hash(pin, len, secret->salt, secret->iterations, hash);
	if (rv == CKR_OK)
		*is = fw_secret_equal(hash, secret->hash, sizeof(hash));
	fw_wipe(hash, sizeof(hash));
	return rv;
}

CK_RV role_make(struct call *c, uint16_t id, bool must_change, struct role *role)
{
	memset(role, 0, sizeof(*role));
	role->initialised = true;
	role->must_change = must_change;
	return role_secret_make(c, id, &role->password);
}

void role_copy(struct call *c, uint32_t role, struct role *copy)
{
	if (c->part) {
		pthread_rwlock_rdlock(&c->part->lock);
		*copy = c->part->state.roles[role];
		pthread_rwlock_unlock(&c->part->lock);
	} else {
		pthread_rwlock_rdlock(&c->fw->lock);
		*copy = c->fw->hsm.roles[role];
		pthread_rwlock_unlock(&c->fw->lock);
	}
}

/* Which of a role's secrets somebody knows */
enum role_match {
	ROLE_NEITHER,
	ROLE_PASSWORD,
	ROLE_CHALLENGE,
};

/* ---- a role within the change of whatever it belongs to ---- */

struct role_change {
	struct call		*c;
	struct change		part;
	struct hsm_change	hsm;
	struct role		*roles;
	uint32_t		*policies;
};

static CK_RV role_change_begin(struct role_change *rc, struct call *c)
{
	CK_RV rv;

	rc->c = c;
	if (c->part) {
		rv = change_begin(&rc->part, c->part);
		rc->roles = rc->part.state.roles;
		rc->policies = rc->part.state.policies;
	} else {
		rv = hsm_change_begin(&rc->hsm, c->fw);
		rc->roles = rc->hsm.state.roles;
		rc->policies = rc->hsm.state.policies;
	}
	return rv;
}

static void role_change_abort(struct role_change *rc)
{
	if (rc->c->part)
		change_abort(&rc->part);
	else
		hsm_change_abort(&rc->hsm);
}

static CK_RV role_change_commit(struct role_change *rc)
{
	return rc->c->part ? change_commit(&rc->part) :
			     hsm_change_commit(&rc->hsm, &rc->c->events);
}

/* What the Partition SO's last attempt costs. Ends the change in any case. */
static CK_RV wipe_partition(struct change *ch)
{
	CK_RV rv = change_wipe(ch);

	if (rv != CKR_OK) {
		change_abort(ch);
		return rv;
	}
	partition_state_blank(&ch->state);
	return change_commit(ch);
}

/* The last attempt of those who rule the HSM or a partition destroys it. */
static CK_RV destroy_by_attempts(struct role_change *rc, uint32_t role)
{
	struct call *c = rc->c;
	CK_RV rv;

	if (role == PCIEHSM_ROLE_SO) {
		rc->hsm.call = c;
		hsm_destroy(&rc->hsm);
		rv = hsm_change_commit(&rc->hsm, &c->events);
		if (rv == CKR_OK) {
			contexts_purge(&c->fw->contexts, NULL, NULL);
			events_add(&c->events, HSM_FW_HSM_CHANGED, 0);
		}
		return rv;
	}
	rc->part.call = c;
	rv = wipe_partition(&rc->part);
	if (rv == CKR_OK) {
		contexts_purge(&c->fw->contexts, c->part, NULL);
		events_add(&c->events, HSM_FW_PARTITION_CHANGED, c->part->number);
	}
	return rv;
}

static bool used_up(uint32_t role, const struct role *roles, const uint32_t *policies)
{
	return roles[role].initialised && !attempts_left(role, roles, policies);
}

static CK_RV settle_hsm(struct hsm_fw *fw)
{
	/* Nobody listens yet: the front end asks what there is when the card is on. */
	struct events events = { 0 };
	struct hsm_change ch;
	CK_RV rv = hsm_change_begin(&ch, fw);

	if (rv != CKR_OK)
		return rv;
	hsm_destroy(&ch);
	return hsm_change_commit(&ch, &events);
}

CK_RV role_settle_attempts(struct hsm_fw *fw)
{
	struct partition *p;
	struct change ch;
	CK_RV rv = CKR_OK;
	unsigned int i;

	if (used_up(PCIEHSM_ROLE_SO, fw->hsm.roles, fw->hsm.policies))
		rv = settle_hsm(fw);
	for (i = 0; rv == CKR_OK && i < FW_MAX_PARTITIONS; i++) {
		p = fw->partitions[i];
		if (!p || !used_up(PCIEHSM_ROLE_PO, p->state.roles, p->state.policies))
			continue;
		rv = change_begin(&ch, p);
		if (rv == CKR_OK)
			rv = wipe_partition(&ch);
	}
	return rv;
}

static void answer_attempts(struct call *c, uint32_t left)
{
	answer_u32(&c->out, PCIEHSM_F_ATTEMPTS, left);
	c->out.keep = true;
}

/* Records an attempt, and takes along what it is to be compared with. */
static CK_RV record_attempt(struct call *c, uint32_t role, struct role *copy)
{
	struct role_change rc;
	CK_RV rv;

	rv = role_change_begin(&rc, c);
	if (rv != CKR_OK)
		return rv;
	if (!rc.roles[role].initialised) {
		role_change_abort(&rc);
		return CKR_USER_PIN_NOT_INITIALIZED;
	}
	/* The auditor's lock ends by itself; a power cycle begins it anew. */
	if (role == PCIEHSM_ROLE_AU && rc.roles[role].failures >= AUDITOR_ATTEMPTS &&
	    fw_now_ms(c->fw) - c->fw->auditor_locked_at >= AUDITOR_LOCK_MS)
		rc.roles[role].failures = 0;
	if (!attempts_left(role, rc.roles, rc.policies)) {
		role_change_abort(&rc);
		answer_attempts(c, 0);
		return CKR_PIN_LOCKED;
	}
	rc.roles[role].failures++;
	*copy = rc.roles[role];
	/* A challenge is one only where the policy says so. HSMs have no policy of that number. */
	if (!rc.policies[POLICY_ACTIVATION])
		fw_wipe(&copy->challenge, sizeof(copy->challenge));
	return role_change_commit(&rc);
}

/* The right challenge gives back the attempt that it has cost, and no other; see fw.h. */
static CK_RV record_challenge(struct role_change *rc, uint32_t role)
{
	bool activated = rc->roles[role].activated;
	CK_RV rv;

	rc->roles[role].failures--;
	rv = role_change_commit(rc);
	return rv == CKR_OK && !activated ? PCIEHSM_CKR_NOT_ACTIVATED : rv;
}

static CK_RV record_password(struct role_change *rc, uint32_t role, bool login)
{
	struct role *r = &rc->roles[role];

	r->failures = 0;
	if (login && rc->policies[POLICY_ACTIVATION] && r->challenge.iterations)
		r->activated = true;
	return role_change_commit(rc);
}

/* Records how it ended. */
static CK_RV record_outcome(struct call *c, uint32_t role, const struct role *copy,
			    bool login, enum role_match match)
{
	struct role_change rc;
	uint32_t left;
	CK_RV rv;

	rv = role_change_begin(&rc, c);
	if (rv != CKR_OK)
		return rv;
	/* Somebody may have given the role another password meanwhile, or taken it away. */
	if (memcmp(rc.roles[role].password.salt, copy->password.salt,
		   sizeof(copy->password.salt)) != 0) {
		role_change_abort(&rc);
		answer_attempts(c, 0);
		return CKR_PIN_INCORRECT;
	}
	if (match == ROLE_PASSWORD)
		return record_password(&rc, role, login);
	if (match == ROLE_CHALLENGE)
		return record_challenge(&rc, role);
	left = attempts_left(role, rc.roles, rc.policies);
	if (left == 0 && (role == PCIEHSM_ROLE_SO || role == PCIEHSM_ROLE_PO)) {
		rv = destroy_by_attempts(&rc, role);
		if (rv != CKR_OK)
			return rv;
	} else {
		role_change_abort(&rc);
		if (left == 0 && role == PCIEHSM_ROLE_AU)
			c->fw->auditor_locked_at = fw_now_ms(c->fw);
	}
	answer_attempts(c, left);
	return CKR_PIN_INCORRECT;
}

static CK_RV compare(struct call *c, uint16_t id, const struct role *role, bool challenge,
		     enum role_match *match)
{
	bool is;
	CK_RV rv;

	*match = ROLE_NEITHER;
	rv = role_secret_is(c, id, &role->password, &is);
	if (rv == CKR_OK && is) {
		*match = ROLE_PASSWORD;
	} else if (rv == CKR_OK && challenge) {
		rv = role_secret_is(c, id, &role->challenge, &is);
		if (is)
			*match = ROLE_CHALLENGE;
	}
	return rv;
}

/* @login: the challenge is good as well, and the password activates the role */
static CK_RV verify(struct call *c, uint32_t role, uint16_t id, bool login,
		    enum role_match *match)
{
	struct role copy;
	size_t len;
	CK_RV rv;

	message_bytes(&c->in, id, &len);
	/* Nobody's password: no reason to take an attempt away. */
	if (len > PCIEHSM_PIN_MAX)
		return CKR_PIN_LEN_RANGE;
	rv = record_attempt(c, role, &copy);
	if (rv != CKR_OK)
		return rv;
	rv = compare(c, id, &copy, login, match);
	if (rv == CKR_OK)
		rv = record_outcome(c, role, &copy, login, *match);
	fw_wipe(&copy, sizeof(copy));
	return rv;
}

CK_RV role_verify(struct call *c, uint32_t role, uint16_t id)
{
	enum role_match match;

	return verify(c, role, id, false, &match);
}

/* ---- operations ---- */

static uint64_t epoch_of(struct call *c)
{
	return c->part ? atomic_load(&c->part->epoch) : atomic_load(&c->fw->epoch);
}

static CK_RV set_login(struct call *c, uint32_t role)
{
	CK_RV rv = CKR_OK;
	uint32_t who;

	pthread_mutex_lock(&c->ctx->lock);
	who = context_role(c->ctx, c->epoch);
	if (who == PCIEHSM_ROLE_NONE)
		context_set_login(c->ctx, role, c->epoch);
	else
		rv = who == role ? CKR_USER_ALREADY_LOGGED_IN : CKR_USER_ANOTHER_ALREADY_LOGGED_IN;
	pthread_mutex_unlock(&c->ctx->lock);
	return rv;
}

static uint32_t login_flags(struct call *c, uint32_t role, enum role_match match)
{
	uint32_t flags = match == ROLE_CHALLENGE ? PCIEHSM_LOGIN_CHALLENGE : 0;
	struct role copy;

	role_copy(c, role, &copy);
	if (copy.must_change)
		flags |= PCIEHSM_LOGIN_MUST_CHANGE;
	if (copy.activated)
		flags |= PCIEHSM_LOGIN_ACTIVATED;
	fw_wipe(&copy, sizeof(copy));
	return flags;
}

CK_RV op_login(struct call *c)
{
	uint32_t role = message_u32(&c->in, PCIEHSM_F_ROLE, 0);
	enum role_match match;
	CK_RV rv;

	if (!exists_here(c, role))
		return CKR_USER_TYPE_INVALID;
	if (c->role != PCIEHSM_ROLE_NONE)
		return c->role == role ? CKR_USER_ALREADY_LOGGED_IN :
					 CKR_USER_ANOTHER_ALREADY_LOGGED_IN;
	rv = answer_room(&c->out, ROLE_ANSWER_FIELDS, ROLE_ANSWER_BYTES);
	if (rv != CKR_OK)
		return rv;
	role_auth_lock(c);
	/* It may have changed while others were asked for their passwords. */
	c->epoch = epoch_of(c);
	rv = verify(c, role, PCIEHSM_F_PIN, true, &match);
	/* Before others can change the password, and end its logins */
	if (rv == CKR_OK)
		rv = set_login(c, role);
	role_auth_unlock(c);
	if (rv == CKR_OK)
		answer_u32(&c->out, PCIEHSM_F_FLAGS, login_flags(c, role, match));
	return rv;
}

CK_RV op_logout(struct call *c)
{
	if (c->role == PCIEHSM_ROLE_NONE)
		return CKR_USER_NOT_LOGGED_IN;
	context_logout(c->ctx);
	return CKR_OK;
}

uint32_t role_maker(uint32_t role)
{
	switch (role) {
	case PCIEHSM_ROLE_AU:
		return PCIEHSM_ROLE_SO;
	case PCIEHSM_ROLE_CO:
		return PCIEHSM_ROLE_PO;
	case PCIEHSM_ROLE_LCO:
	case PCIEHSM_ROLE_CU:
		return PCIEHSM_ROLE_CO;
	default:
		return PCIEHSM_ROLE_NONE;
	}
}

/* Puts a role in force that has been made. @fresh: only where there is none yet. */
static CK_RV install(struct call *c, uint32_t role, struct role *made, bool fresh)
{
	struct role_change rc;
	CK_RV rv;

	rv = role_change_begin(&rc, c);
	if (rv != CKR_OK)
		return rv;
	/* Who makes somebody else's password must still be who he was. */
	if (made->must_change && epoch_of(c) != c->epoch) {
		role_change_abort(&rc);
		return CKR_USER_NOT_LOGGED_IN;
	}
	if (rc.roles[role].initialised == fresh) {
		role_change_abort(&rc);
		return fresh ? CKR_ACTION_PROHIBITED : CKR_USER_PIN_NOT_INITIALIZED;
	}
	/* Who changes his own password keeps his challenge; it has to be activated again. */
	if (!made->must_change)
		made->challenge = rc.roles[role].challenge;
	rc.roles[role] = *made;
	rv = role_change_commit(&rc);
	/* Who came in with the old password is not let to stay with it. */
	if (rv == CKR_OK)
		contexts_end_role(&c->fw->contexts, c->part, role, c->ctx);
	return rv;
}

static CK_RV install_new(struct call *c, uint32_t role, uint16_t id, bool change, bool fresh)
{
	struct role made;
	CK_RV rv;

	rv = role_pin_valid(c, id);
	if (rv != CKR_OK)
		return rv;
	rv = role_make(c, id, change, &made);
	if (rv == CKR_OK)
		rv = install(c, role, &made, fresh);
	fw_wipe(&made, sizeof(made));
	return rv;
}

CK_RV op_role_init(struct call *c)
{
	uint32_t role = message_u32(&c->in, PCIEHSM_F_ROLE, 0);
	uint32_t maker = role_maker(role);
	CK_RV rv;

	if (!exists_here(c, role) || maker == PCIEHSM_ROLE_NONE)
		return CKR_USER_TYPE_INVALID;
	if (c->role != maker)
		return CKR_USER_NOT_LOGGED_IN;
	role_auth_lock(c);
	rv = install_new(c, role, PCIEHSM_F_PIN, true, true);
	role_auth_unlock(c);
	return rv;
}

CK_RV op_role_reset_pin(struct call *c)
{
	uint32_t role = message_u32(&c->in, PCIEHSM_F_ROLE, 0);
	uint32_t maker = role_maker(role);
	bool allowed = true;
	CK_RV rv;

	if (!exists_here(c, role) || !c->part || maker == PCIEHSM_ROLE_NONE)
		return CKR_USER_TYPE_INVALID;
	if (c->role != maker)
		return CKR_USER_NOT_LOGGED_IN;
	if (role == PCIEHSM_ROLE_CO) {
		pthread_rwlock_rdlock(&c->fw->lock);
		allowed = c->fw->hsm.policies[HSM_POLICY_RESET_PIN];
		pthread_rwlock_unlock(&c->fw->lock);
	}
	if (!allowed)
		return PCIEHSM_CKR_POLICY;
	role_auth_lock(c);
	rv = install_new(c, role, PCIEHSM_F_NEW_PIN, true, false);
	role_auth_unlock(c);
	return rv;
}

static CK_RV set_pin(struct call *c, uint32_t role)
{
	const uint8_t *old, *new;
	size_t old_len, new_len;
	struct role now;
	bool same;
	CK_RV rv;

	/* What can be refused without an attempt is refused first. */
	rv = role_pin_valid(c, PCIEHSM_F_NEW_PIN);
	if (rv == CKR_OK)
		rv = role_verify(c, role, PCIEHSM_F_PIN);
	if (rv != CKR_OK)
		return rv;
	old = message_bytes(&c->in, PCIEHSM_F_PIN, &old_len);
	new = message_bytes(&c->in, PCIEHSM_F_NEW_PIN, &new_len);
	role_copy(c, role, &now);
	rv = role_secret_is(c, PCIEHSM_F_NEW_PIN, &now.challenge, &same);
	if (now.must_change && old_len == new_len && fw_secret_equal(old, new, old_len))
		same = true;
	fw_wipe(&now, sizeof(now));
	if (rv == CKR_OK && same)
		rv = CKR_PIN_INVALID;
	if (rv == CKR_OK)
		rv = install_new(c, role, PCIEHSM_F_NEW_PIN, false, false);
	return rv;
}

CK_RV op_role_set_pin(struct call *c)
{
	uint32_t role = message_u32(&c->in, PCIEHSM_F_ROLE, 0);
	CK_RV rv;

	if (!exists_here(c, role))
		return CKR_USER_TYPE_INVALID;
	rv = answer_room(&c->out, ROLE_ANSWER_FIELDS, ROLE_ANSWER_BYTES);
	if (rv != CKR_OK)
		return rv;
	role_auth_lock(c);
	rv = set_pin(c, role);
	role_auth_unlock(c);
	return rv;
}

CK_RV op_role_info(struct call *c)
{
	uint8_t raw[ROLE_COUNT * sizeof(struct pciehsm_role_info)], *p = raw;
	uint32_t policies[POLICY_COUNT], left, flags;
	struct role roles[ROLE_COUNT];
	const uint32_t *r;

	pthread_rwlock_t *lock = c->part ? &c->part->lock : &c->fw->lock;

	pthread_rwlock_rdlock(lock);
	memcpy(roles, c->part ? c->part->state.roles : c->fw->hsm.roles, sizeof(roles));
	memcpy(policies, c->part ? c->part->state.policies : c->fw->hsm.policies,
	       sizeof(policies));
	pthread_rwlock_unlock(lock);
	for (r = roles_here(c); *r; r++) {
		left = attempts_left(*r, roles, policies);
		flags = roles[*r].initialised ? PCIEHSM_ROLE_INITIALISED_FLAG : 0;
		if (flags && !left)
			flags |= PCIEHSM_ROLE_LOCKED_FLAG;
		if (roles[*r].must_change)
			flags |= PCIEHSM_ROLE_MUST_CHANGE_FLAG;
		if (c->role == *r)
			flags |= PCIEHSM_ROLE_LOGGED_IN_FLAG;
		if (roles[*r].challenge.iterations)
			flags |= PCIEHSM_ROLE_CHALLENGE_FLAG;
		if (roles[*r].activated)
			flags |= PCIEHSM_ROLE_ACTIVATED_FLAG;
		wire_put32(p, *r);
		wire_put32(p + 4, flags);
		wire_put32(p + 8, left);
		wire_put32(p + 12, role_limit(*r, policies));
		p += sizeof(struct pciehsm_role_info);
	}
	fw_wipe(roles, sizeof(roles));
	answer_put(&c->out, PCIEHSM_F_ROLES, raw, (size_t)(p - raw));
	return CKR_OK;
}
