// SPDX-License-Identifier: LGPL-2.1-or-later
/* Devices by their serial numbers, and waiting for them to come and go. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "haadm.h"

#define WAIT_MS	10000

int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

bool find_device(struct app *app, const char *serial, struct pciehsm_device *device)
{
	struct pciehsm_device *list = NULL;
	int i, n = app->bus->ops->list(app->bus, &list);
	bool found = false;

	for (i = 0; i < n && !found; i++) {
		found = !strcmp(list[i].serial, serial);
		if (found)
			*device = list[i];
	}
	if (n >= 0)
		free(list);
	return found;
}

bool wait_device(struct app *app, const char *serial, bool there, const char *label)
{
	int64_t end = now_ms() + WAIT_MS;
	struct pciehsm_device device;
	struct progress progress;
	bool come;

	waiting_begin(&progress, app, "%s to %s", serial, there ? "appear" : "go");
	for (;;) {
		come = (find_device(app, serial, &device) &&
			(!label || !strcmp(device.label, label))) == there;
		if (come || now_ms() >= end)
			break;
		app->bus->ops->watch(app->bus, 100);
	}
	progress_end(&progress);
	return come;
}
