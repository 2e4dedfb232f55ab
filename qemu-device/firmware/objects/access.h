/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may do what with objects.
 *
 *			PO	CO	LCO	CU
 *	private objects	-	see	see	see
 *	session objects	public	all	all	all
 *	token: create	-	yes	yes	-
 *	token: change,
 *	destroy, clone	-	yes	-	-
 *	trust: public	yes	-	-	-
 */
#ifndef FIRMWARE_OBJECTS_ACCESS_H
#define FIRMWARE_OBJECTS_ACCESS_H

#include "objects/object.h"

static inline bool access_is_user(uint32_t role)
{
	return role == PCIEHSM_ROLE_CO || role == PCIEHSM_ROLE_LCO || role == PCIEHSM_ROLE_CU;
}

/** access_sees() - may this role know of the object and use it? */
static inline bool access_sees(uint32_t role, const struct object *o)
{
	return !(o->flags & OBJ_PRIVATE) || access_is_user(role);
}

/** access_creates() - may this role make an object with these OBJ_* flags? */
static inline bool access_creates(uint32_t role, uint32_t flags)
{
	if (flags & OBJ_TOKEN)
		return role == PCIEHSM_ROLE_CO || role == PCIEHSM_ROLE_LCO;
	return !(flags & OBJ_PRIVATE) || access_is_user(role);
}

/** access_changes() - may this role change or destroy the object? */
static inline bool access_changes(uint32_t role, const struct object *o)
{
	if (o->flags & OBJ_TOKEN)
		return role == PCIEHSM_ROLE_CO;
	return access_sees(role, o);
}

#endif /* FIRMWARE_OBJECTS_ACCESS_H */
