// SPDX-License-Identifier: GPL-2.0-or-later
#include "bench.h"

#include <dirent.h>
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

/* Seconds that threads of this process were ready to run and did not */
static double waited(void)
{
	DIR *dir = opendir("/proc/self/task");
	unsigned long long ran, wait, sum = 0;
	struct dirent *d;
	char path[300];
	FILE *f;

	assert_non_null(dir);
	while ((d = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/self/task/%s/schedstat", d->d_name);
		f = d->d_name[0] == '.' ? NULL : fopen(path, "r");
		if (!f)
			continue;
		if (fscanf(f, "%llu %llu", &ran, &wait) == 2)
			sum += wait;
		fclose(f);
	}
	closedir(dir);
	return (double)sum / 1e9;
}

/* Of this thread: what others do on the machine meanwhile is not counted. */
static double cpu_now(unsigned int threads)
{
	struct timespec ts;

	(void)threads;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* The time that passes; with @threads, what they were given of it, see bench.h */
static double time_now(unsigned int threads)
{
	return threads ? bench_now() - waited() / threads : bench_now();
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

typedef double bench_clock_t(unsigned int threads);

/**
 * struct side - one of the two
 * @run:	does it
 * @threads:	of its own, for the clock
 * @n:		how often in a turn; kept from turn to turn
 */
struct side {
	bench_side_t	*run;
	unsigned int	threads;
	unsigned int	n;
};

/* Rate of a side, in turns of about BENCH_TURN */
static double turn(struct side *s, void *opaque, bench_clock_t *now)
{
	unsigned int *n = &s->n;
	double begin, took;

	for (;;) {
		begin = now(s->threads);
		s->run(opaque, *n);
		took = now(s->threads) - begin;
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

static void ratio_by(bench_clock_t *now, const char *name, struct side ours, struct side peer,
		     void *opaque, double bar)
{
	double *a = calloc(3UL * rounds, sizeof(*a)), *b, *ratio;
	unsigned int i;

	assert_non_null(a);
	b = a + rounds;
	ratio = b + rounds;
	/* To find out how many make a turn, and to warm up */
	turn(&ours, opaque, now);
	turn(&peer, opaque, now);
	for (i = 0; i < rounds; i++) {
		a[i] = turn(&ours, opaque, now);
		b[i] = turn(&peer, opaque, now);
		ratio[i] = a[i] / b[i];
	}
	bench_line(name, median(a, rounds), median(b, rounds), median(ratio, rounds), bar);
	free(a);
}

void bench_ratio(const char *name, bench_side_t *ours, bench_side_t *peer, void *opaque,
		 double bar)
{
	ratio_by(time_now, name, (struct side){ ours, 0, 1 }, (struct side){ peer, 0, 1 }, opaque,
		 bar);
}

void bench_cpu_ratio(const char *name, bench_side_t *ours, bench_side_t *peer, void *opaque,
		     double bar)
{
	ratio_by(cpu_now, name, (struct side){ ours, 0, 1 }, (struct side){ peer, 0, 1 }, opaque,
		 bar);
}

void bench_engines_ratio(const char *name, bench_side_t *ours, unsigned int ours_count,
			 bench_side_t *peer, unsigned int peer_count, void *opaque, double bar)
{
	ratio_by(time_now, name, (struct side){ ours, ours_count, 1 },
		 (struct side){ peer, peer_count, 1 }, opaque, bar);
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
