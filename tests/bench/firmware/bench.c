// SPDX-License-Identifier: GPL-2.0-or-later
#include "bench.h"

#include <time.h>

static unsigned int rounds = 5;
static bool missed;
static char notes[4096];

double bench_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Of this thread: what others do on the machine meanwhile is not counted. */
static double cpu_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

unsigned int bench_rounds(void)
{
	return rounds;
}

void bench_line(const char *name, double ours, double peer, double ratio, double bar)
{
	bool reached = ratio >= bar;

	missed |= !reached;
	printf("%-34s %12.1f %12.1f %8.3f %6.2f  %s\n", name, ours, peer, ratio, bar,
	       reached ? "reached" : "MISSED");
}

void bench_note(const char *format, ...)
{
	size_t len = strlen(notes);
	va_list args;

	va_start(args, format);
	vsnprintf(notes + len, sizeof(notes) - len, format, args);
	va_end(args);
}

/* Rate of a side, in turns of about BENCH_TURN; @n is kept from turn to turn. */
static double turn(bench_side_t *side, void *opaque, unsigned int *n, double (*now)(void))
{
	double begin, took;

	for (;;) {
		begin = now();
		side(opaque, *n);
		took = now() - begin;
		if (took >= BENCH_TURN / 2 || *n > 1U << 30)
			break;
		*n = took < BENCH_TURN / 64 ? *n * 16 :
		     (unsigned int)(*n * (BENCH_TURN / took)) + 1;
	}
	return *n / took;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *list, unsigned int count)
{
	qsort(list, count, sizeof(*list), by_size);
	return list[count / 2];
}

static void ratio_by(double (*now)(void), const char *name, bench_side_t *ours,
		     bench_side_t *peer, void *opaque, double bar)
{
	double *a = calloc(3UL * rounds, sizeof(*a)), *b, *ratio;
	unsigned int ours_n = 1, peer_n = 1, i;

	assert_non_null(a);
	b = a + rounds;
	ratio = b + rounds;
	/* To find out how many make a turn, and to warm up */
	turn(ours, opaque, &ours_n, now);
	turn(peer, opaque, &peer_n, now);
	for (i = 0; i < rounds; i++) {
		a[i] = turn(ours, opaque, &ours_n, now);
		b[i] = turn(peer, opaque, &peer_n, now);
		ratio[i] = a[i] / b[i];
	}
	bench_line(name, median(a, rounds), median(b, rounds), median(ratio, rounds), bar);
	free(a);
}

void bench_ratio(const char *name, bench_side_t *ours, bench_side_t *peer, void *opaque,
		 double bar)
{
	ratio_by(bench_now, name, ours, peer, opaque, bar);
}

void bench_cpu_ratio(const char *name, bench_side_t *ours, bench_side_t *peer, void *opaque,
		     double bar)
{
	ratio_by(cpu_now, name, ours, peer, opaque, bar);
}

int main(int argc, char **argv)
{
	static const struct {
		const char	*name;
		void		(*run)(void);
	} parts[] = {
		{ "crypto", bench_crypto },
		{ "engines", bench_engines },
		{ "find", bench_find },
		{ "create", bench_create },
	};
	unsigned int i, j;
	bool wanted;

	if (argc > 1 && atoi(argv[1]) > 0) {
		rounds = (unsigned int)atoi(argv[1]);
		argc--;
		argv++;
	}
	/* What a failed check has to say comes before it ends the program. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("%-34s %12s %12s %8s %6s\n", "per second", "firmware", "peer", "ratio", "bar");
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		wanted = argc < 2;
		for (j = 1; j < (unsigned int)argc; j++)
			wanted |= !strcmp(argv[j], parts[i].name);
		if (wanted)
			parts[i].run();
	}
	fputs(notes, stdout);
	return missed;
}
