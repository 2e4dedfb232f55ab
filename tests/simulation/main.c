// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * simulation [--seeds N] [--seed S] [--scripted] [-v]
 *
 * Prints KTAP. A seed that fails prints the end of its history and how to run it again.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"

/* Seeds of one test: a failure is near its test's name. */
#define CHUNK		50
#define HISTORY		80

static const struct option options[] = {
	{ "seeds", required_argument, NULL, 'n' },
	{ "seed", required_argument, NULL, 's' },
	{ "first", required_argument, NULL, 'f' },
	{ "scripted", no_argument, NULL, 'c' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int usage(int status)
{
	printf("usage: simulation [--seeds N] [--first S]   the scripted tests and N seeds\n"
	       "       simulation --scripted                the scripted tests alone\n"
	       "       simulation --seed S [-v]             one seed; -v: its whole history\n");
	return status;
}

static bool one_seed(uint64_t seed)
{
	bool good = random_run(seed);

	if (good)
		return true;
	sim_history(HISTORY);
	printf("# seed %llu failed; simulation --seed %llu -v shows all of it\n",
	       (unsigned long long)seed, (unsigned long long)seed);
	return false;
}

/* The same seed is the same run: else a failure could not be looked at again. */
static bool is_replayed(uint64_t seed)
{
	uint64_t first;

	random_run(seed);
	first = sim_fingerprint();
	random_run(seed);
	return first == sim_fingerprint();
}

static void print_totals(void)
{
	printf("# %llu runs, %llu simulated seconds, %llu calls (longest %.3f s), %llu objects,\n"
	       "# %llu messages (%llu lost), %llu faults, %llu processes killed\n",
	       (unsigned long long)totals.runs, (unsigned long long)totals.seconds,
	       (unsigned long long)totals.calls, (double)totals.longest_us / 1e6,
	       (unsigned long long)totals.objects, (unsigned long long)totals.messages,
	       (unsigned long long)totals.lost, (unsigned long long)totals.faults,
	       (unsigned long long)totals.kills);
}

int main(int argc, char **argv)
{
	uint64_t seeds = 200, only = 0, first = 1, at;
	bool scripted_only = false, single = false, good;
	unsigned int number = 0, failed, chunks;
	int option;

	while ((option = getopt_long(argc, argv, "vh", options, NULL)) != -1) {
		switch (option) {
		case 'n':
			seeds = strtoull(optarg, NULL, 10);
			break;
		case 's':
			single = true;
			only = strtoull(optarg, NULL, 10);
			break;
		case 'f':
			first = strtoull(optarg, NULL, 10);
			break;
		case 'c':
			scripted_only = true;
			break;
		case 'v':
			sim_verbose = true;
			break;
		case 'h':
			return usage(0);
		default:
			return usage(2);
		}
	}
	if (single) {
		printf("KTAP version 1\n1..1\n");
		good = one_seed(only);
		printf("%sok 1 - seed %llu\n", good ? "" : "not ", (unsigned long long)only);
		print_totals();
		machine_clean();
		return !good;
	}
	chunks = scripted_only ? 0 : (unsigned int)((seeds + CHUNK - 1) / CHUNK);
	printf("KTAP version 1\n1..%u\n", scripted_count() + (chunks ? chunks + 1 : 0));
	failed = scripted_tests(&number);
	if (chunks) {
		good = is_replayed(first);
		failed += !good;
		printf("%sok %u - a seed is replayed exactly\n", good ? "" : "not ", ++number);
		memset(&totals, 0, sizeof(totals));
	}
	for (at = 0; at < seeds && chunks; at += CHUNK) {
		uint64_t end = at + CHUNK < seeds ? at + CHUNK : seeds, i;

		good = true;
		for (i = at; i < end; i++)
			good &= one_seed(first + i);
		failed += !good;
		printf("%sok %u - seeds %llu to %llu\n", good ? "" : "not ", ++number,
		       (unsigned long long)(first + at), (unsigned long long)(first + end - 1));
		fflush(stdout);
	}
	if (chunks)
		print_totals();
	machine_clean();
	return failed != 0;
}
