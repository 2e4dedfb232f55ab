// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk.h"

/* What is not in the file yet is in its log; of the index of that nothing is ever needed. */
static const char *const parts[] = { "", "-wal" };

static void die(const char *what)
{
	fprintf(stderr, "simulation: %s: %s\n", what, strerror(errno));
	abort();
}

void disk_copy_file(const char *from, const char *to)
{
	FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
	char buf[65536];
	size_t n;

	if (!in || !out)
		die(in ? to : from);
	while ((n = fread(buf, 1, sizeof(buf), in)) > 0)
		if (fwrite(buf, 1, n, out) != n)
			die(to);
	fclose(in);
	if (fclose(out))
		die(to);
}

void disk_remove(const char *store)
{
	char path[600];
	unsigned int i;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", store, parts[i]);
		if (unlink(path) && errno != ENOENT)
			die(path);
	}
}

void disk_copy(const char *from, const char *to)
{
	char in[600], out[600];
	unsigned int i;

	disk_remove(to);
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		snprintf(in, sizeof(in), "%s%s", from, parts[i]);
		snprintf(out, sizeof(out), "%s%s", to, parts[i]);
		if (!access(in, F_OK))
			disk_copy_file(in, out);
	}
}
