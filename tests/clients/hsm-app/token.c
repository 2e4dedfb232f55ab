// SPDX-License-Identifier: GPL-2.0-or-later
/* Loading the module, finding the slot, logging in. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"

static bool load(struct app *app)
{
	CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
	CK_C_GetFunctionList get;
	void *module = dlopen(app->module, RTLD_NOW | RTLD_LOCAL);

	if (!module) {
		fprintf(stderr, "hsm-app: %s\n", dlerror());
		return false;
	}
	get = (CK_C_GetFunctionList)dlsym(module, "C_GetFunctionList");
	if (!get || get(&app->p11) != CKR_OK) {
		fprintf(stderr, "hsm-app: %s is not a PKCS#11 module\n", app->module);
		return false;
	}
	return CALL(app, C_Initialize, &args) == CKR_OK;
}

/* A label is padded with blanks to 32 characters. */
static bool has_label(const CK_TOKEN_INFO *info, const char *label)
{
	size_t len = strlen(label), i;

	if (len > sizeof(info->label) || memcmp(info->label, label, len))
		return false;
	for (i = len; i < sizeof(info->label); i++)
		if (info->label[i] != ' ')
			return false;
	return true;
}

static bool find_slot(struct app *app)
{
	CK_ULONG n = 0, i;
	CK_SLOT_ID *slots;
	CK_TOKEN_INFO info;
	bool found = false;

	if (CALL(app, C_GetSlotList, CK_TRUE, NULL, &n) != CKR_OK)
		return false;
	slots = calloc(n + 1, sizeof(*slots));
	if (!slots || CALL(app, C_GetSlotList, CK_TRUE, slots, &n) != CKR_OK)
		n = 0;
	for (i = 0; i < n && !found; i++) {
		found = CALL(app, C_GetTokenInfo, slots[i], &info) == CKR_OK &&
			has_label(&info, app->token);
		if (found)
			app->slot = slots[i];
	}
	free(slots);
	if (!found)
		fprintf(stderr, "hsm-app: none of the %lu tokens has the label \"%s\"\n", n,
			app->token);
	return found;
}

bool token_open(struct app *app)
{
	return load(app) && find_slot(app);
}

bool token_login(struct app *app, const char *pin, size_t pin_len, CK_SESSION_HANDLE *session)
{
	if (CALL(app, C_OpenSession, app->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
		 session) != CKR_OK)
		return false;
	return CALL(app, C_Login, *session, CKU_USER, (CK_UTF8CHAR *)pin, pin_len) == CKR_OK;
}

void token_close(struct app *app)
{
	if (app->p11)
		CALL(app, C_Finalize, NULL);
}
