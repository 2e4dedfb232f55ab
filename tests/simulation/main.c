// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * simulation [--seeds N] [--jobs N] [--seed S] [--scripted] [-v]
 *
 * Prints KTAP. Seeds are run by several processes at once, a chunk of them each. Of the first
 * of a chunk that fails a smaller run is looked for. A seed that fails prints the end of its
 * history and how to run it again.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cheap.h"
#include "random.h"

/* Seeds of one test: a failure is near its test's name. */
#define CHUNK		25
#define HISTORY		80
/* Runs that making one smaller may cost */
#define SHRINK_RUNS	60

static const struct option options[] = {
	{ "seeds", required_argument, NULL, 'n' },
	{ "seed", required_argument, NULL, 's' },
	{ "first", required_argument, NULL, 'f' },
	{ "jobs", required_argument, NULL, 'j' },
	{ "seconds", required_argument, NULL, 't' },
	{ "skip", required_argument, NULL, 'k' },
	{ "no-scripted", no_argument, NULL, 'r' },
	{ "no-shrink", no_argument, NULL, 'l' },
	{ "costly", no_argument, NULL, 'o' },
	{ "scripted", no_argument, NULL, 'c' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static bool shrinking = true;
static bool costly;

static int usage(int status)
{
	printf("usage: simulation [--seeds N] [--first S] [--jobs N]\n"
	       "                                            the scripted tests and N seeds\n"
	       "       simulation --scripted                the scripted tests alone\n"
	       "       simulation --seed S [-v]             one seed; -v: its whole history\n"
	       "  --seconds N, --skip N,N...                a shorter run, without some troubles\n"
	       "  --no-scripted                             the seeds alone\n"
	       "  --no-shrink                               do not look for smaller runs that fail\n"
	       "  --costly                                  real cryptography between cards, too\n");
	return status;
}

static bool still_fails(uint64_t seed)
{
	return !random_run(seed);
}

/*
 * Make a run that fails smaller: first shorter, then with fewer troubles. What is left is
 * another run than before, and fails as well.
 */
static void shrink(uint64_t seed)
{
	static const unsigned int lengths[] = { 5, 10, 20, 40, 80 };
	struct random_totals before = totals;
	unsigned int i, runs = 0;

	sim_quiet = true;
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		shape.seconds = lengths[i];
		if (still_fails(seed))
			break;
		shape.seconds = RUN_SECONDS;
	}
	still_fails(seed);
	/* Those at the end go most easily. */
	for (i = shape.troubles < TROUBLES_MAX ? shape.troubles : TROUBLES_MAX;
	     i > 0 && runs < SHRINK_RUNS; i--, runs++) {
		shape.skip[i - 1] = true;
		if (!still_fails(seed))
			shape.skip[i - 1] = false;
	}
	totals = before;
	sim_quiet = false;
}

static void print_shape(void)
{
	unsigned int i;
	bool first = true;

	if (shape.seconds != RUN_SECONDS)
		printf(" --seconds %u", shape.seconds);
	for (i = 0; i < shape.troubles && i < TROUBLES_MAX; i++) {
		if (!shape.skip[i])
			continue;
		printf("%s%u", first ? " --skip " : ",", i);
		first = false;
	}
}

/* @smaller: look for a smaller run that fails, and show that */
static bool one_seed(uint64_t seed, bool smaller)
{
	struct random_totals before;
	bool good = random_run(seed);

	if (good)
		return true;
	if (smaller) {
		shrink(seed);
		before = totals;
		random_run(seed);
		totals = before;
	}
	sim_history(HISTORY);
	printf("# seed %llu failed; this shows all of it:\n# simulation --seed %llu",
	       (unsigned long long)seed, (unsigned long long)seed);
	print_shape();
	printf(" -v\n");
	if (smaller)
		shape = (struct random_shape){ .seconds = RUN_SECONDS };
	return false;
}

/* Numbers with commas between them */
static bool take_skip(const char *text)
{
	unsigned long number;
	char *end;

	do {
		number = strtoul(text, &end, 10);
		if (end == text || number >= TROUBLES_MAX || (*end && *end != ','))
			return false;
		shape.skip[number] = true;
		text = end + 1;
	} while (*end);
	return true;
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

struct chunk {
	uint64_t	first, end;
	pid_t		child;
	FILE		*out;		/* what it prints */
	FILE		*sums;		/* its totals */
};

/* In a process of its own: what a chunk prints comes in one piece, in the chunks' order. */
static void start_chunk(struct chunk *chunk)
{
	bool good = true;
	uint64_t seed;

	chunk->out = tmpfile();
	chunk->sums = tmpfile();
	fflush(stdout);
	chunk->child = chunk->out && chunk->sums ? fork() : -1;
	if (chunk->child < 0) {
		perror("simulation");
		exit(2);
	}
	if (chunk->child)
		return;
	dup2(fileno(chunk->out), STDOUT_FILENO);
	machine_forked();
	memset(&totals, 0, sizeof(totals));
	for (seed = chunk->first; seed < chunk->end; seed++)
		/* One is enough to begin with. */
		good &= one_seed(seed, good && shrinking);
	machine_clean();
	fwrite(&totals, sizeof(totals), 1, chunk->sums);
	fflush(chunk->sums);
	fflush(stdout);
	_exit(!good);
}

static bool end_chunk(struct chunk *chunk)
{
	struct random_totals sums = { 0 };
	uint64_t *to = (uint64_t *)&totals, *from = (uint64_t *)&sums;
	char line[512];
	size_t i, got;
	int status;

	waitpid(chunk->child, &status, 0);
	rewind(chunk->out);
	while ((got = fread(line, 1, sizeof(line), chunk->out)) > 0)
		fwrite(line, 1, got, stdout);
	rewind(chunk->sums);
	if (fread(&sums, sizeof(sums), 1, chunk->sums) == 1) {
		uint64_t longest = sums.longest_us > totals.longest_us ? sums.longest_us :
				   totals.longest_us;

		for (i = 0; i < sizeof(sums) / sizeof(uint64_t); i++)
			to[i] += from[i];
		totals.longest_us = longest;
	}
	fclose(chunk->out);
	fclose(chunk->sums);
	if (WIFSIGNALED(status))
		printf("# ended by signal %d\n", WTERMSIG(status));
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

/* Return: how many chunks failed */
static unsigned int run_chunks(uint64_t first, uint64_t seeds, unsigned int jobs,
			       unsigned int *number)
{
	unsigned int n = (unsigned int)((seeds + CHUNK - 1) / CHUNK), started = 0, i, failed = 0;
	struct chunk *chunks = calloc(n, sizeof(*chunks));

	for (i = 0; i < n; i++) {
		for (; started < n && started < i + jobs; started++) {
			struct chunk *c = &chunks[started];

			c->first = first + (uint64_t)started * CHUNK;
			c->end = c->first + CHUNK < first + seeds ? c->first + CHUNK :
				 first + seeds;
			start_chunk(c);
		}
		bool good = end_chunk(&chunks[i]);

		failed += !good;
		printf("%sok %u - seeds %llu to %llu\n", good ? "" : "not ", ++*number,
		       (unsigned long long)chunks[i].first,
		       (unsigned long long)chunks[i].end - 1);
		fflush(stdout);
	}
	free(chunks);
	return failed;
}

static void print_totals(void)
{
	printf("# %llu runs, %llu simulated seconds, %llu calls (longest %.3f s), %llu objects,\n"
	       "# %llu messages (%llu lost), %llu faults, %llu failed writes,\n"
	       "# %llu cards put back to an old state, %llu processes killed,\n"
	       "# %llu attempts more for wrong passwords on cards that could not be asked\n",
	       (unsigned long long)totals.runs, (unsigned long long)totals.seconds,
	       (unsigned long long)totals.calls, (double)totals.longest_us / 1e6,
	       (unsigned long long)totals.objects, (unsigned long long)totals.messages,
	       (unsigned long long)totals.lost, (unsigned long long)totals.faults,
	       (unsigned long long)totals.bad_writes,
	       (unsigned long long)totals.backs, (unsigned long long)totals.kills,
	       (unsigned long long)totals.untold);
}

int main(int argc, char **argv)
{
	uint64_t seeds = 500, only = 0, first = 1;
	bool scripted_only = false, with_scripted = true, single = false, good;
	unsigned int number = 0, failed, chunks, jobs = 2;
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
		case 'j':
			jobs = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 't':
			shape.seconds = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 'k':
			if (!take_skip(optarg))
				return usage(2);
			break;
		case 'r':
			with_scripted = false;
			break;
		case 'l':
			shrinking = false;
			break;
		case 'o':
			costly = true;
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
		cheap_crypto = !costly;
		printf("KTAP version 1\n1..1\n");
		good = one_seed(only, false);
		printf("%sok 1 - seed %llu\n", good ? "" : "not ", (unsigned long long)only);
		print_totals();
		machine_clean();
		return !good;
	}
	if (!jobs || !seeds)
		return usage(2);
	chunks = scripted_only ? 0 : (unsigned int)((seeds + CHUNK - 1) / CHUNK);
	printf("KTAP version 1\n1..%u\n", (with_scripted ? scripted_count() : 0) +
	       (chunks ? chunks + 1 : 0));
	failed = with_scripted ? scripted_tests(&number) : 0;
	cheap_crypto = !costly;
	if (chunks) {
		good = is_replayed(first);
		failed += !good;
		printf("%sok %u - a seed is replayed exactly\n", good ? "" : "not ", ++number);
		memset(&totals, 0, sizeof(totals));
	}
	if (chunks)
		failed += run_chunks(first, seeds, jobs, &number);
	if (chunks)
		print_totals();
	machine_clean();
	return failed != 0;
}
