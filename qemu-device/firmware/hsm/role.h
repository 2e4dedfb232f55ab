/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Roles and their passwords.
 */
#ifndef FIRMWARE_HSM_ROLE_H
#define FIRMWARE_HSM_ROLE_H

#include "core/firmware.h"

/** role_limit() - wrong passwords that lock a role, given its partition's policies */
uint32_t role_limit(uint32_t role, const uint32_t *policies);

/** role_auth_lock() - one password of the partition (or HSM) is checked at a time */
void role_auth_lock(struct call *c);
void role_auth_unlock(struct call *c);

/**
 * role_pin_valid() - may this become a password?
 * @c:		the message
 * @id:		its field
 *
 * Return: CKR_OK or CKR_PIN_LEN_RANGE.
 */
CK_RV role_pin_valid(struct call *c, uint16_t id);

/**
 * role_secret_make() - what is kept of a password or a challenge
 * @c:		the message
 * @id:		its field
 * @secret:	out
 */
CK_RV role_secret_make(struct call *c, uint16_t id, struct role_secret *secret);

/** role_secret_is() - is what the message has in field @id this secret? There may be none. */
CK_RV role_secret_is(struct call *c, uint16_t id, const struct role_secret *secret, bool *is);

/** role_copy() - a role as it is now; the caller wipes it */
void role_copy(struct call *c, uint32_t role, struct role *copy);

/** role_maker() - who gives @role its first password, and a new one; PCIEHSM_ROLE_NONE: nobody */
uint32_t role_maker(uint32_t role);

/**
 * role_make() - make the contents of a role from a password
 * @c:		the message
 * @id:		the password's field
 * @must_change: it is somebody else's choice
 * @role:	out
 */
CK_RV role_make(struct call *c, uint16_t id, bool must_change, struct role *role);

/**
 * role_verify() - check a password, with everything that a wrong one brings about
 * @c:		the message, its authentication lock held
 * @role:	whose
 * @id:		the password's field
 *
 * The attempt is durable before the password is looked at. On failure the answer
 * holds the attempts that are left, for which the caller has made sure of room.
 *
 * Return: CKR_OK, CKR_PIN_INCORRECT, CKR_PIN_LOCKED, CKR_USER_PIN_NOT_INITIALIZED,
 * PCIEHSM_CKR_STORE.
 */
CK_RV role_verify(struct call *c, uint32_t role, uint16_t id);

/**
 * role_settle_attempts() - what a last attempt costs, where the power went before it was paid
 * @fw:		the card, loaded and not yet at work
 *
 * An attempt is recorded before its password is looked at. If it was the last one of the
 * HSM SO or of a Partition SO, and how it ended is not recorded, it counts as wrong: to cut
 * the power must not be a way to have a card that is merely locked.
 *
 * Return: CKR_OK; PCIEHSM_CKR_STORE, CKR_HOST_MEMORY: the card can not be switched on.
 */
CK_RV role_settle_attempts(struct hsm_fw *fw);

/* Room for the answer of a failed role_verify() */
#define ROLE_ANSWER_FIELDS	1
#define ROLE_ANSWER_BYTES	8

#endif /* FIRMWARE_HSM_ROLE_H */
