// SPDX-License-Identifier: GPL-2.0-or-later
/* Every call is timed and counted here, and a failed one reported at once. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "app.h"

uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

double elapsed(const struct app *app)
{
	return (double)(now_us() - app->begun_us) / 1e6;
}

static void keep_greatest(atomic_ullong *greatest, unsigned long long value)
{
	unsigned long long seen = *greatest;

	while (value > seen && !atomic_compare_exchange_weak(greatest, &seen, value))
		;
}

#define NAME(rv) { rv, #rv }

static const struct {
	CK_RV		rv;
	const char	*name;
} names[] = {
	NAME(CKR_OK),
	NAME(CKR_HOST_MEMORY),
	NAME(CKR_SLOT_ID_INVALID),
	NAME(CKR_GENERAL_ERROR),
	NAME(CKR_FUNCTION_FAILED),
	NAME(CKR_ARGUMENTS_BAD),
	NAME(CKR_ATTRIBUTE_TYPE_INVALID),
	NAME(CKR_ATTRIBUTE_VALUE_INVALID),
	NAME(CKR_DATA_INVALID),
	NAME(CKR_DATA_LEN_RANGE),
	NAME(CKR_DEVICE_ERROR),
	NAME(CKR_DEVICE_MEMORY),
	NAME(CKR_DEVICE_REMOVED),
	NAME(CKR_FUNCTION_NOT_SUPPORTED),
	NAME(CKR_KEY_HANDLE_INVALID),
	NAME(CKR_MECHANISM_INVALID),
	NAME(CKR_OBJECT_HANDLE_INVALID),
	NAME(CKR_OPERATION_ACTIVE),
	NAME(CKR_OPERATION_NOT_INITIALIZED),
	NAME(CKR_PIN_INCORRECT),
	NAME(CKR_PIN_EXPIRED),
	NAME(CKR_PIN_LOCKED),
	NAME(CKR_SESSION_CLOSED),
	NAME(CKR_SESSION_HANDLE_INVALID),
	NAME(CKR_TEMPLATE_INCOMPLETE),
	NAME(CKR_TEMPLATE_INCONSISTENT),
	NAME(CKR_TOKEN_NOT_PRESENT),
	NAME(CKR_TOKEN_NOT_RECOGNIZED),
	NAME(CKR_USER_NOT_LOGGED_IN),
	NAME(CKR_USER_PIN_NOT_INITIALIZED),
	NAME(CKR_CRYPTOKI_NOT_INITIALIZED),
};

const char *rv_name(CK_RV rv, char room[32])
{
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].rv == rv)
			return names[i].name;
	snprintf(room, 32, "0x%lx", rv);
	return room;
}

CK_RV call_ended(struct app *app, const char *function, uint64_t begun, CK_RV rv)
{
	uint64_t took = now_us() - begun;
	char room[32];

	app->count.calls++;
	keep_greatest(&app->count.longest_us, took);
	if (!strcmp(function, "C_Sign"))
		keep_greatest(&app->count.longest_sign_us, took);
	if (app->slow > 0 && (double)took / 1000 > app->slow)
		fprintf(stderr, "hsm-app: at %.3f s: %s took %.1f ms\n", elapsed(app), function,
			(double)took / 1000);
	if (rv != CKR_OK) {
		app->count.failed++;
		fprintf(stderr, "hsm-app: at %.3f s: %s failed after %.1f ms: %s\n", elapsed(app),
			function, (double)took / 1000, rv_name(rv, room));
	}
	return rv;
}

void failure(struct app *app, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	app->count.failed++;
	fprintf(stderr, "hsm-app: at %.3f s: %s\n", elapsed(app), text);
}
