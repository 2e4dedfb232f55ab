/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Challenges: the second secret of a role, and when it is good for a login.
 */
#ifndef FIRMWARE_HSM_ACTIVATION_H
#define FIRMWARE_HSM_ACTIVATION_H

#include "core/firmware.h"

/**
 * activation_end_all() - no role is activated any more; within a change, or before others see it
 *
 * Return: a bit for each role that was, for activation_end_logins().
 */
uint32_t activation_end_all(struct role *roles);

/**
 * activation_end_logins() - the change is in force: who may have come by a challenge has to go
 * @c:		the message; its context keeps its login
 * @ended:	a bit for each role whose activation has ended
 *
 * A context does not tell whether its login was by the password, so all of them go, as
 * with a new password.
 */
void activation_end_logins(struct call *c, uint32_t ended);

#endif /* FIRMWARE_HSM_ACTIVATION_H */
