// SPDX-License-Identifier: LGPL-2.1-or-later
/* Slots and tokens, as applications ask about them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "module.h"

/* A partition that nobody has initialised; the engine works with none of those. */
static bool is_blank(const struct ha_slot *slot)
{
	return slot->kind == HA_SLOT_PARTITION && !slot->initialised;
}

static int by_number(const void *a, const void *b)
{
	CK_SLOT_ID x = *(const CK_SLOT_ID *)a, y = *(const CK_SLOT_ID *)b;

	return x < y ? -1 : x > y;
}

/* All slots there are, or were since C_Initialize; freed by the caller. */
static CK_RV list_slots(struct ha *ha, bool present, CK_SLOT_ID **out, CK_ULONG *count)
{
	struct ha_slot *now = NULL;
	int n = ha_slots(ha, HA_SLOTS_APPLICATION, &now), i;
	CK_SLOT_ID *list = NULL;
	size_t room, known;
	CK_RV rv = CKR_OK;

	if (n == -ENOMEM)
		return CKR_HOST_MEMORY;
	/* No driver is no slots: nothing that an application could do about it. */
	if (n < 0)
		n = 0;
	for (i = 0; i < n && rv == CKR_OK; i++)
		rv = slot_learn(now[i].id);
	/* Other threads may learn of more meanwhile. */
	known = slots_known(NULL, 0);
	do {
		room = known;
		free(list);
		list = calloc(room + 1, sizeof(*list));
		known = list ? slots_known(list, room) : 0;
	} while (known > room);
	if (!list || rv != CKR_OK) {
		free(list);
		free(now);
		return CKR_HOST_MEMORY;
	}
	*count = 0;
	for (i = 0; present && i < n; i++) {
		struct ha_token *token = ha_token(ha, now[i].id);

		if (token && (ha_token_present(token) || is_blank(&now[i])))
			list[(*count)++] = now[i].id;
	}
	if (!present)
		*count = known;
	qsort(list, *count, sizeof(*list), by_number);
	free(now);
	*out = list;
	return CKR_OK;
}

CK_RV C_GetSlotList(CK_BBOOL present, CK_SLOT_ID *to, CK_ULONG *count)
{
	struct ha *ha = module_enter(0);
	CK_SLOT_ID *list;
	CK_ULONG n;
	CK_RV rv;

	if (!ha)
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	if (!count) {
		module_leave(0);
		return CKR_ARGUMENTS_BAD;
	}
	rv = list_slots(ha, present, &list, &n);
	if (rv == CKR_OK) {
		if (to && *count < n)
			rv = CKR_BUFFER_TOO_SMALL;
		else if (to)
			memcpy(to, list, n * sizeof(*to));
		*count = n;
		free(list);
	}
	module_leave(0);
	return rv;
}

static CK_VERSION parse_version(const char *text)
{
	unsigned int major = 0, minor = 0;

	sscanf(text, "%3u.%3u", &major, &minor);
	return (CK_VERSION){ .major = (CK_BYTE)major, .minor = (CK_BYTE)minor };
}

bool slot_is_blank(struct ha *ha, CK_SLOT_ID slot, struct ha_slot *found)
{
	return slot_find(ha, slot, found) == CKR_OK && is_blank(found);
}

CK_RV C_GetSlotInfo(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
	struct ha *ha = module_enter(slot);
	struct ha_slot found = { .fw_version = "" };
	struct ha_token *token;
	char text[65] = "empty";
	CK_RV rv;

	if (!ha)
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	if (!info) {
		module_leave(slot);
		return CKR_ARGUMENTS_BAD;
	}
	rv = slot_find(ha, slot, &found);
	token = rv == CKR_OK ? ha_token(ha, found.id) : NULL;
	if (rv == CKR_OK || rv == CKR_TOKEN_NOT_PRESENT) {
		if (rv == CKR_OK && found.kind == HA_SLOT_GROUP)
			snprintf(text, sizeof(text), "pciehsm HA group %s", found.label);
		else if (rv == CKR_OK)
			snprintf(text, sizeof(text), "pciehsm partition %s", found.serial);
		memset(info, 0, sizeof(*info));
		text_fill(info->slotDescription, sizeof(info->slotDescription), text);
		text_fill(info->manufacturerID, sizeof(info->manufacturerID), MANUFACTURER);
		info->flags = CKF_REMOVABLE_DEVICE | CKF_HW_SLOT;
		if (token && (ha_token_present(token) || is_blank(&found)))
			info->flags |= CKF_TOKEN_PRESENT;
		info->hardwareVersion.major = 1;
		info->firmwareVersion = parse_version(found.fw_version);
		rv = CKR_OK;
	}
	module_leave(slot);
	return rv;
}

static CK_FLAGS token_flags(const struct ha_token_info *from)
{
	CK_FLAGS flags = CKF_RNG | CKF_LOGIN_REQUIRED;

	if (from->flags & PCIEHSM_PARTITION_INITIALISED)
		flags |= CKF_TOKEN_INITIALIZED;
	if (!(from->flags & PCIEHSM_PARTITION_CO_INITIALISED))
		return flags;
	flags |= CKF_USER_PIN_INITIALIZED;
	if (from->co_locked)
		flags |= CKF_USER_PIN_LOCKED;
	else if (from->co_attempts == 1)
		flags |= CKF_USER_PIN_FINAL_TRY;
	if (from->co_attempts < from->co_limit)
		flags |= CKF_USER_PIN_COUNT_LOW;
	return flags;
}

/* The field holds 16 characters; of a longer number the end tells partitions apart. */
static void fill_serial(CK_TOKEN_INFO *info, const char *serial)
{
	size_t len = strlen(serial), room = sizeof(info->serialNumber);

	text_fill(info->serialNumber, room, len > room ? serial + (len - room) : serial);
}

/* @token: NULL: nobody has initialised it, so it has no sessions */
static void fill_token(CK_TOKEN_INFO *info, struct token *token, const struct ha_token_info *from)
{
	memset(info, 0, sizeof(*info));
	text_fill(info->label, sizeof(info->label), from->slot.label);
	text_fill(info->manufacturerID, sizeof(info->manufacturerID), MANUFACTURER);
	text_fill(info->model, sizeof(info->model), from->slot.model);
	fill_serial(info, from->slot.serial);
	info->flags = token_flags(from);
	info->ulMaxSessionCount = CK_EFFECTIVELY_INFINITE;
	info->ulMaxRwSessionCount = CK_EFFECTIVELY_INFINITE;
	if (token) {
		pthread_mutex_lock(&token->lock);
		info->ulSessionCount = token->sessions;
		info->ulRwSessionCount = token->sessions - token->ro_sessions;
		pthread_mutex_unlock(&token->lock);
	}
	info->ulMinPinLen = PCIEHSM_PIN_MIN;
	info->ulMaxPinLen = PCIEHSM_PIN_MAX;
	info->ulTotalPublicMemory = from->space;
	info->ulFreePublicMemory = from->space_free;
	info->ulTotalPrivateMemory = from->space;
	info->ulFreePrivateMemory = from->space_free;
	info->hardwareVersion.major = 1;
	info->firmwareVersion = parse_version(from->slot.fw_version);
	/* There is no clock on the token: the field is not used (CKF_CLOCK_ON_TOKEN). */
	memset(info->utcTime, '0', sizeof(info->utcTime));
}

CK_RV C_GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	struct ha *ha = module_enter(slot);
	struct ha_token_info from;
	struct token *token;
	CK_RV rv;

	if (!ha)
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	rv = info ? token_find(ha, slot, &token) : CKR_ARGUMENTS_BAD;
	if (rv == CKR_OK) {
		memset(&from, 0, sizeof(from));
		rv = ha_token_info(token->ha, &from);
		if (rv == CKR_DEVICE_REMOVED)
			rv = CKR_TOKEN_NOT_PRESENT;
	}
	if (rv == CKR_TOKEN_NOT_PRESENT) {
		memset(&from, 0, sizeof(from));
		token = NULL;
		if (slot_is_blank(ha, slot, &from.slot))
			rv = CKR_OK;
	}
	if (rv == CKR_OK)
		fill_token(info, token, &from);
	module_leave(slot);
	return module_rv(rv);
}

CK_RV C_GetMechanismList(CK_SLOT_ID slot, CK_MECHANISM_TYPE *to, CK_ULONG *count)
{
	struct ha *ha = module_enter(slot);
	struct pciehsm_mechanism_info *list;
	struct token *token;
	size_t n, i;
	CK_RV rv;

	if (!ha)
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	rv = count ? token_find(ha, slot, &token) : CKR_ARGUMENTS_BAD;
	if (rv == CKR_OK)
		rv = token_mechanisms(token, &list, &n);
	if (rv == CKR_OK) {
		if (to && *count < n)
			rv = CKR_BUFFER_TOO_SMALL;
		for (i = 0; to && rv == CKR_OK && i < n; i++)
			to[i] = le32toh(list[i].type);
		*count = n;
		free(list);
	}
	module_leave(slot);
	return module_rv(rv);
}

CK_RV C_GetMechanismInfo(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
{
	struct ha *ha = module_enter(slot);
	struct token *token;
	CK_RV rv;

	if (!ha)
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	rv = info ? token_find(ha, slot, &token) : CKR_ARGUMENTS_BAD;
	if (rv == CKR_OK)
		rv = token_mechanism(token, type, 0, info);
	module_leave(slot);
	return module_rv(rv);
}

/* How long a wait goes on before it looks whether C_Finalize has been called. */
#define WAIT_MS		1000

CK_RV C_WaitForSlotEvent(CK_FLAGS flags, CK_SLOT_ID *slot, void *reserved)
{
	bool block = !(flags & CKF_DONT_BLOCK);
	struct ha *ha = module_enter(0);
	struct ha_slot found;
	uint32_t id;
	CK_RV rv;
	int ret;

	(void)reserved;
	if (!ha)
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	if (!slot) {
		module_leave(0);
		return CKR_ARGUMENTS_BAD;
	}
	do {
		module_pause();
		ret = ha_wait_slot_event(ha, block ? WAIT_MS : 0, &id);
		module_resume();
		if (module_closing())
			rv = CKR_CRYPTOKI_NOT_INITIALIZED;
		else if (!ret)
			/* Cards, and partitions that are hidden, are none of its business. */
			rv = slot_find(ha, id, &found) == CKR_SLOT_ID_INVALID ?
				CKR_NO_EVENT : CKR_OK;
		else if (ret == -EAGAIN || ret == -ECANCELED)
			rv = CKR_NO_EVENT;
		else
			rv = CKR_GENERAL_ERROR;
	} while (rv == CKR_NO_EVENT && (block || !ret));
	if (rv == CKR_OK)
		*slot = id;
	module_leave(0);
	return rv;
}

CK_RV C_InitToken(CK_SLOT_ID slot, CK_UTF8CHAR *pin, CK_ULONG pin_len, CK_UTF8CHAR *label)
{
	struct ha *ha = module_enter(slot);
	struct ha_slot found;
	CK_RV rv;

	if (!ha)
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	if (!label || (!pin && pin_len))
		rv = CKR_ARGUMENTS_BAD;
	else
		rv = slot_find(ha, slot, &found);
	module_leave(slot);
	/* It needs a cloning domain, for which there is no place here (pciehsm-pkcs11.h). */
	return rv == CKR_OK ? CKR_FUNCTION_NOT_SUPPORTED : rv;
}
