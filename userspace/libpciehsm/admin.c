// SPDX-License-Identifier: LGPL-2.1-or-later
/* Commands of both nodes, of the HSM and of a partition: roles, policies, information. */
#include "message.h"

CK_RV pciehsm_ping(struct pciehsm_transport *t)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_PING, 0);
	return pmsg_simple(t, &r);
}

/*
 * The end of a command that tries a password: how many attempts are left is told with
 * the errors that name it, and only then.
 */
static CK_RV exchange_pin(struct pciehsm_transport *t, struct pmsg_request *r, uint32_t *flags,
			  uint32_t *attempts)
{
	uint32_t left = 0, answered = 0;
	struct pmsg_want want_left = { PCIEHSM_F_ATTEMPTS, PMSG_U32, .to = &left };
	struct pmsg_want want_flags = { PCIEHSM_F_FLAGS, PMSG_U32, .to = &answered };
	struct pmsg_answer a;
	CK_RV rv, read;

	rv = pmsg_exchange(t, r, &a, PCIEHSM_ANSWER_MIN, true);
	if (rv == CKR_PIN_INCORRECT || rv == CKR_PIN_LOCKED) {
		read = pmsg_read(&a, &want_left, 1);
		if (read != CKR_OK)
			rv = read;
		else if (attempts)
			*attempts = left;
	} else if (rv == CKR_OK && flags) {
		rv = pmsg_read(&a, &want_flags, 1);
		if (rv == CKR_OK)
			*flags = answered;
	}
	pmsg_end(r, &a);
	return rv;
}

CK_RV pciehsm_login(struct pciehsm_transport *t, uint32_t role, const void *pin,
		    size_t pin_len, uint32_t *flags, uint32_t *attempts)
{
	struct pmsg_request r;
	uint32_t ignored;

	pmsg_begin(&r, t, PCIEHSM_OP_LOGIN, 0);
	pmsg_u32(&r, PCIEHSM_F_ROLE, role);
	pmsg_bytes(&r, PCIEHSM_F_PIN, pin, pin_len);
	return exchange_pin(t, &r, flags ? flags : &ignored, attempts);
}

CK_RV pciehsm_logout(struct pciehsm_transport *t)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_LOGOUT, 0);
	return pmsg_simple(t, &r);
}

CK_RV pciehsm_session_close(struct pciehsm_transport *t, uint32_t session)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_SESSION_CLOSE, session);
	return pmsg_simple(t, &r);
}

CK_RV pciehsm_role_init(struct pciehsm_transport *t, uint32_t role, const void *pin,
			size_t pin_len)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_ROLE_INIT, 0);
	pmsg_u32(&r, PCIEHSM_F_ROLE, role);
	pmsg_bytes(&r, PCIEHSM_F_PIN, pin, pin_len);
	return pmsg_simple(t, &r);
}

CK_RV pciehsm_role_set_pin(struct pciehsm_transport *t, uint32_t role, const void *old_pin,
			   size_t old_len, const void *new_pin, size_t new_len,
			   uint32_t *attempts)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_ROLE_SET_PIN, 0);
	pmsg_u32(&r, PCIEHSM_F_ROLE, role);
	pmsg_bytes(&r, PCIEHSM_F_PIN, old_pin, old_len);
	pmsg_bytes(&r, PCIEHSM_F_NEW_PIN, new_pin, new_len);
	return exchange_pin(t, &r, NULL, attempts);
}

CK_RV pciehsm_role_reset_pin(struct pciehsm_transport *t, uint32_t role, const void *new_pin,
			     size_t new_len)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_ROLE_RESET_PIN, 0);
	pmsg_u32(&r, PCIEHSM_F_ROLE, role);
	pmsg_bytes(&r, PCIEHSM_F_NEW_PIN, new_pin, new_len);
	return pmsg_simple(t, &r);
}

CK_RV pciehsm_role_set_challenge(struct pciehsm_transport *t, uint32_t role, const void *pin,
				 size_t pin_len, const void *challenge, size_t challenge_len,
				 uint32_t *attempts)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_ROLE_SET_CHALLENGE, 0);
	pmsg_u32(&r, PCIEHSM_F_ROLE, role);
	pmsg_bytes(&r, PCIEHSM_F_PIN, pin, pin_len);
	pmsg_bytes(&r, PCIEHSM_F_NEW_PIN, challenge, challenge_len);
	return exchange_pin(t, &r, NULL, attempts);
}

CK_RV pciehsm_role_deactivate(struct pciehsm_transport *t, uint32_t role)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_ROLE_DEACTIVATE, 0);
	pmsg_u32(&r, PCIEHSM_F_ROLE, role);
	return pmsg_simple(t, &r);
}

/* A command whose whole answer is one array. */
static CK_RV exchange_list(struct pciehsm_transport *t, uint32_t op, uint16_t field,
			   size_t entry, void **list, size_t *count)
{
	struct pmsg_span span;
	struct pmsg_want want = { field, PMSG_SPAN, .size = entry, .to = &span };
	struct pmsg_request r;
	struct pmsg_answer a;
	CK_RV rv;

	pmsg_begin(&r, t, op, 0);
	rv = pmsg_exchange(t, &r, &a, 0, true);
	if (rv == CKR_OK)
		rv = pmsg_read(&a, &want, 1);
	if (rv == CKR_OK)
		rv = pmsg_copy(&span, list);
	if (rv == CKR_OK)
		*count = span.len / entry;
	pmsg_end(&r, &a);
	return rv;
}

CK_RV pciehsm_role_info(struct pciehsm_transport *t, struct pciehsm_role_info **list,
			size_t *count)
{
	return exchange_list(t, PCIEHSM_OP_ROLE_INFO, PCIEHSM_F_ROLES, sizeof(**list),
			     (void **)list, count);
}

CK_RV pciehsm_policy_get(struct pciehsm_transport *t, struct pciehsm_policy **list,
			 size_t *count)
{
	return exchange_list(t, PCIEHSM_OP_POLICY_GET, PCIEHSM_F_POLICIES, sizeof(**list),
			     (void **)list, count);
}

CK_RV pciehsm_mechanisms(struct pciehsm_transport *t, struct pciehsm_mechanism_info **list,
			 size_t *count)
{
	return exchange_list(t, PCIEHSM_OP_MECHANISMS, PCIEHSM_F_MECHANISMS, sizeof(**list),
			     (void **)list, count);
}

CK_RV pciehsm_policy_set(struct pciehsm_transport *t, uint32_t policy, uint32_t value)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_POLICY_SET, 0);
	pmsg_u32(&r, PCIEHSM_F_POLICY, policy);
	pmsg_u32(&r, PCIEHSM_F_VALUE, value);
	return pmsg_simple(t, &r);
}

/* What one RANDOM gives at most, by the contract. */
#define RANDOM_MAX	65536U

CK_RV pciehsm_random(struct pciehsm_transport *t, const void *seed, size_t seed_len,
		     void *out, size_t len)
{
	uint8_t *to = out;
	CK_RV rv;

	do {
		uint32_t part = len < RANDOM_MAX ? (uint32_t)len : RANDOM_MAX;
		struct pmsg_want want = { PCIEHSM_F_DATA, PMSG_FIXED, .size = part, .to = to };
		struct pmsg_request r;
		struct pmsg_answer a;

		pmsg_begin(&r, t, PCIEHSM_OP_RANDOM, 0);
		if (seed)
			pmsg_bytes(&r, PCIEHSM_F_SEED, seed, seed_len);
		pmsg_u32(&r, PCIEHSM_F_LEN, part);
		rv = pmsg_exchange(t, &r, &a, PCIEHSM_ANSWER_MIN + part, true);
		if (rv == CKR_OK)
			rv = pmsg_read(&a, &want, 1);
		pmsg_end(&r, &a);
		to += part;
		len -= part;
		seed = NULL;
	} while (rv == CKR_OK && len);
	return rv;
}

CK_RV pciehsm_hsm_identity(struct pciehsm_transport *t, void **certificates, size_t *len)
{
	return exchange_list(t, PCIEHSM_OP_HSM_IDENTITY, PCIEHSM_F_CERTIFICATES, 1,
			     certificates, len);
}

/* ---- HSM ---- */

CK_RV pciehsm_hsm_info(struct pciehsm_transport *t, struct pciehsm_hsm_info *info)
{
	struct pciehsm_hsm_info i = { 0 };
	struct pmsg_want wants[] = {
		{ PCIEHSM_F_SERIAL, PMSG_DIGITS, .size = sizeof(i.serial), .to = i.serial },
		{ PCIEHSM_F_LABEL, PMSG_TEXT, true, .size = sizeof(i.label), .to = i.label },
		{ PCIEHSM_F_MODEL, PMSG_TEXT, .size = sizeof(i.model), .to = i.model },
		{ PCIEHSM_F_FW_VERSION, PMSG_TEXT, .size = sizeof(i.fw_version),
		  .to = i.fw_version },
		{ PCIEHSM_F_FLAGS, PMSG_U32, .to = &i.flags },
		{ PCIEHSM_F_SPACE, PMSG_U64, .to = &i.space },
		{ PCIEHSM_F_SPACE_FREE, PMSG_U64, .to = &i.space_free },
		{ PCIEHSM_F_PARTITIONS, PMSG_U32, .to = &i.partitions },
		{ PCIEHSM_F_PARTITIONS_MAX, PMSG_U32, .to = &i.partitions_max },
		{ PCIEHSM_F_ENGINES, PMSG_U32, .to = &i.engines },
	};
	struct pmsg_request r;
	struct pmsg_answer a;
	CK_RV rv;

	pmsg_begin(&r, t, PCIEHSM_OP_HSM_INFO, 0);
	rv = pmsg_exchange(t, &r, &a, 0, true);
	if (rv == CKR_OK)
		rv = pmsg_read_all(&a, wants);
	if (rv == CKR_OK)
		*info = i;
	pmsg_end(&r, &a);
	return rv;
}

CK_RV pciehsm_hsm_init(struct pciehsm_transport *t, const char *label, const void *pin,
		       size_t pin_len, uint32_t *attempts)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_HSM_INIT, 0);
	pmsg_bytes(&r, PCIEHSM_F_LABEL, label, strlen(label));
	pmsg_bytes(&r, PCIEHSM_F_PIN, pin, pin_len);
	return exchange_pin(t, &r, NULL, attempts);
}

CK_RV pciehsm_hsm_factory_reset(struct pciehsm_transport *t)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_HSM_FACTORY_RESET, 0);
	return pmsg_simple(t, &r);
}

CK_RV pciehsm_hsm_zeroize(struct pciehsm_transport *t)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_HSM_ZEROIZE, 0);
	return pmsg_simple(t, &r);
}

CK_RV pciehsm_partition_create(struct pciehsm_transport *t, uint64_t size, uint32_t *number,
			       uint32_t *index, char *serial)
{
	uint32_t got_number, got_index;
	char got_serial[25];
	struct pmsg_want wants[] = {
		{ PCIEHSM_F_NUMBER, PMSG_U32, .to = &got_number },
		{ PCIEHSM_F_INDEX, PMSG_U32, .to = &got_index },
		{ PCIEHSM_F_SERIAL, PMSG_DIGITS, .size = sizeof(got_serial), .to = got_serial },
	};
	struct pmsg_request r;
	struct pmsg_answer a;
	CK_RV rv;

	pmsg_begin(&r, t, PCIEHSM_OP_PARTITION_CREATE, 0);
	if (size)
		pmsg_u64(&r, PCIEHSM_F_SIZE, size);
	rv = pmsg_exchange(t, &r, &a, PCIEHSM_ANSWER_MIN, true);
	if (rv == CKR_OK)
		rv = pmsg_read_all(&a, wants);
	if (rv == CKR_OK) {
		if (number)
			*number = got_number;
		if (index)
			*index = got_index;
		if (serial)
			memcpy(serial, got_serial, sizeof(got_serial));
	}
	pmsg_end(&r, &a);
	return rv;
}

CK_RV pciehsm_partition_delete(struct pciehsm_transport *t, uint32_t number)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_PARTITION_DELETE, 0);
	pmsg_u32(&r, PCIEHSM_F_NUMBER, number);
	return pmsg_simple(t, &r);
}

CK_RV pciehsm_partition_resize(struct pciehsm_transport *t, uint32_t number, uint64_t size)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_PARTITION_RESIZE, 0);
	pmsg_u32(&r, PCIEHSM_F_NUMBER, number);
	pmsg_u64(&r, PCIEHSM_F_SIZE, size);
	return pmsg_simple(t, &r);
}

/* ---- partition ---- */

CK_RV pciehsm_partition_info(struct pciehsm_transport *t, struct pciehsm_partition_info *info)
{
	struct pciehsm_partition_info i = { 0 };
	struct pmsg_span stats;
	struct pmsg_want wants[] = {
		{ PCIEHSM_F_SERIAL, PMSG_DIGITS, .size = sizeof(i.serial), .to = i.serial },
		{ PCIEHSM_F_HSM_SERIAL, PMSG_DIGITS, .size = sizeof(i.hsm_serial),
		  .to = i.hsm_serial },
		{ PCIEHSM_F_LABEL, PMSG_TEXT, true, .size = sizeof(i.label), .to = i.label },
		{ PCIEHSM_F_MODEL, PMSG_TEXT, .size = sizeof(i.model), .to = i.model },
		{ PCIEHSM_F_FW_VERSION, PMSG_TEXT, .size = sizeof(i.fw_version),
		  .to = i.fw_version },
		{ PCIEHSM_F_FLAGS, PMSG_U32, .to = &i.flags },
		{ PCIEHSM_F_SPACE, PMSG_U64, .to = &i.space },
		{ PCIEHSM_F_SPACE_FREE, PMSG_U64, .to = &i.space_free },
		{ PCIEHSM_F_OBJECTS, PMSG_U32, .to = &i.objects },
		{ PCIEHSM_F_SESSIONS, PMSG_U32, .to = &i.sessions },
		{ PCIEHSM_F_STATS, PMSG_SPAN, .size = sizeof(uint64_t), .to = &stats },
		{ PCIEHSM_F_TOMBSTONES, PMSG_U32, true, .to = &i.tombstones },
		{ PCIEHSM_F_INCARNATION, PMSG_FIXED, true, .size = sizeof(i.incarnation),
		  .to = i.incarnation },
	};
	struct pmsg_request r;
	struct pmsg_answer a;
	CK_RV rv;
	size_t n;

	pmsg_begin(&r, t, PCIEHSM_OP_PARTITION_INFO, 0);
	rv = pmsg_exchange(t, &r, &a, 0, true);
	if (rv == CKR_OK)
		rv = pmsg_read_all(&a, wants);
	if (rv == CKR_OK) {
		/* A newer card may count more than is known here, an older one less. */
		for (n = 0; n < PCIEHSM_STAT_COUNT && n < stats.len / 8; n++)
			i.stats[n] = pmsg_get64(stats.p + 8 * n);
		*info = i;
	}
	pmsg_end(&r, &a);
	return rv;
}

CK_RV pciehsm_partition_init(struct pciehsm_transport *t, const char *label,
			     const void *pin, size_t pin_len,
			     const void *domain, size_t domain_len, uint32_t *attempts)
{
	struct pmsg_request r;

	pmsg_begin(&r, t, PCIEHSM_OP_PARTITION_INIT, 0);
	pmsg_bytes(&r, PCIEHSM_F_LABEL, label, strlen(label));
	pmsg_bytes(&r, PCIEHSM_F_PIN, pin, pin_len);
	pmsg_bytes(&r, PCIEHSM_F_DOMAIN, domain, domain_len);
	return exchange_pin(t, &r, NULL, attempts);
}

CK_RV pciehsm_partition_clear(struct pciehsm_transport *t, uint32_t limit, uint32_t *left)
{
	struct pmsg_want wants[] = { { PCIEHSM_F_OBJECTS, PMSG_U32, .to = left } };
	struct pmsg_request r;
	struct pmsg_answer a;
	CK_RV rv;

	pmsg_begin(&r, t, PCIEHSM_OP_PARTITION_CLEAR, 0);
	if (limit)
		pmsg_u32(&r, PCIEHSM_F_LIMIT, limit);
	rv = pmsg_exchange(t, &r, &a, 0, true);
	if (rv == CKR_OK)
		rv = pmsg_read_all(&a, wants);
	pmsg_end(&r, &a);
	return rv;
}
