// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs a fuzz target on the inputs that are kept, without libFuzzer:
 *
 *	TARGET DIRECTORY
 *
 * Prints KTAP, a line for each file; whatever is wrong ends the program.
 */
#include <dirent.h>

#include "fuzz.h"

static int no_dots(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

/* In memory of its own size, so that a byte too many is seen. */
static uint8_t *load(const char *dir, const char *name, size_t *len)
{
	char path[512];
	uint8_t *data;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "rb");
	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	*len = (size_t)ftell(f);
	rewind(f);
	data = malloc(*len ? *len : 1);
	assert_non_null(data);
	assert_int_equal(fread(data, 1, *len, f), *len);
	fclose(f);
	return data;
}

int main(int argc, char **argv)
{
	struct dirent **list;
	uint8_t *data;
	size_t len;
	int n, i;

	if (argc != 2) {
		fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
		return 2;
	}
	n = scandir(argv[1], &list, no_dots, alphasort);
	if (n <= 0) {
		fprintf(stderr, "%s: no inputs\n", argv[1]);
		return 2;
	}
	printf("KTAP version 1\n1..%d\n", n);
	for (i = 0; i < n; i++) {
		data = load(argv[1], list[i]->d_name, &len);
		LLVMFuzzerTestOneInput(data, len);
		printf("ok %d - %s\n", i + 1, list[i]->d_name);
		fflush(stdout);
		free(data);
		free(list[i]);
	}
	free(list);
	return 0;
}
