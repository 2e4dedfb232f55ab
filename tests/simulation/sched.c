// SPDX-License-Identifier: GPL-2.0-or-later
/* Fibers on simulated time. See sched.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "sched.h"

#define FIBERS_MAX	512
/* SQLite and libcrypto run on these. */
#define STACK_SIZE	(512 * 1024)
#define GUARD_SIZE	4096
#define HISTORY_LINES	4000
#define LINE_SIZE	160

enum fiber_state {
	FIBER_FREE,
	FIBER_READY,
	FIBER_WAITING,
	FIBER_DONE,
};

struct fiber {
	enum fiber_state	state;
	int			process;
	ucontext_t		context;
	void			*stack;
	void			(*fn)(void *arg);
	void			*arg;
	const void		*on;
	uint64_t		deadline;
	bool			woken;
	bool			joined;
};

static struct fiber fibers[FIBERS_MAX];
static int n_fibers;
static struct fiber *current;
static ucontext_t scheduler;
static uint64_t now;
static uint64_t rng;
static unsigned int failures;

bool sim_verbose;
bool sim_quiet;
static char (*history)[LINE_SIZE];
static uint64_t n_history;
static uint64_t fingerprint;

/* ---- randomness: splitmix64 ---- */

static uint64_t next_random(void)
{
	uint64_t z = (rng += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

uint32_t sim_random(uint32_t below)
{
	return below ? (uint32_t)(next_random() % below) : 0;
}

bool sim_chance(uint32_t n)
{
	return !sim_random(n);
}

void sim_fill(void *buf, size_t len)
{
	unsigned char *p = buf;

	while (len) {
		uint64_t r = next_random();
		size_t n = len < sizeof(r) ? len : sizeof(r);

		memcpy(p, &r, n);
		p += n;
		len -= n;
	}
}

/* ---- history ---- */

static void record(const char *line)
{
	const char *p;

	for (p = line; *p; p++)
		fingerprint = (fingerprint ^ (unsigned char)*p) * 0x100000001b3ULL;
	memcpy(history[n_history++ % HISTORY_LINES], line, strlen(line) + 1);
	if (sim_verbose)
		printf("# %s\n", line);
}

void sim_log(const char *fmt, ...)
{
	char line[LINE_SIZE];
	va_list ap;
	int n;

	n = snprintf(line, sizeof(line), "%10.6f p%d ", (double)now / 1e6, sim_process());
	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	va_end(ap);
	record(line);
}

void sim_fail(const char *fmt, ...)
{
	char text[LINE_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	failures++;
	sim_log("WRONG: %s", text);
	if (failures <= 5 && !sim_quiet)
		printf("# wrong at %.6f s: %s\n", (double)now / 1e6, text);
}

unsigned int sim_failures(void)
{
	return failures;
}

uint64_t sim_fingerprint(void)
{
	return fingerprint;
}

void sim_history(unsigned int lines)
{
	uint64_t first = n_history > lines ? n_history - lines : 0, i;

	if (n_history - first > HISTORY_LINES)
		first = n_history - HISTORY_LINES;
	for (i = first; i < n_history; i++)
		printf("# %s\n", history[i % HISTORY_LINES]);
}

/* ---- fibers ---- */

uint64_t sim_now(void)
{
	return now;
}

int sim_process(void)
{
	return current ? current->process : -1;
}

static void fiber_main(unsigned int high, unsigned int low)
{
	struct fiber *fiber = (struct fiber *)(((uintptr_t)high << 32) | low);

	fiber->fn(fiber->arg);
	fiber->state = FIBER_DONE;
	sim_wake(fiber);
	swapcontext(&fiber->context, &scheduler);
}

static void *new_stack(void)
{
	char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (stack == MAP_FAILED || mprotect(stack, GUARD_SIZE, PROT_NONE)) {
		perror("simulation: stack of a fiber");
		abort();
	}
	return stack;
}

static struct fiber *free_fiber(void)
{
	int i;

	for (i = 0; i < n_fibers; i++)
		if (fibers[i].state == FIBER_FREE)
			return &fibers[i];
	if (n_fibers == FIBERS_MAX) {
		fprintf(stderr, "simulation: too many fibers\n");
		abort();
	}
	return &fibers[n_fibers++];
}

struct fiber *sim_spawn(int process, void (*fn)(void *arg), void *arg)
{
	struct fiber *const fiber = free_fiber();

	if (!fiber->stack)
		fiber->stack = new_stack();
	fiber->process = process;
	fiber->fn = fn;
	fiber->arg = arg;
	fiber->on = NULL;
	fiber->woken = false;
	fiber->joined = false;
	fiber->deadline = SIM_FOREVER;
	getcontext(&fiber->context);
	fiber->context.uc_stack.ss_sp = (char *)fiber->stack + GUARD_SIZE;
	fiber->context.uc_stack.ss_size = STACK_SIZE - GUARD_SIZE;
	fiber->context.uc_link = NULL;
	makecontext(&fiber->context, (void (*)(void))fiber_main, 2,
		    (unsigned int)((uintptr_t)fiber >> 32), (unsigned int)(uintptr_t)fiber);
	fiber->state = FIBER_READY;
	return fiber;
}

bool sim_done(const struct fiber *fiber)
{
	return fiber->state == FIBER_DONE;
}

void sim_join(struct fiber *fiber)
{
	while (fiber->state != FIBER_DONE)
		sim_wait(fiber, SIM_FOREVER);
	fiber->state = FIBER_FREE;
}

void sim_kill(int process)
{
	int i;

	for (i = 0; i < n_fibers; i++) {
		if (fibers[i].process != process || fibers[i].state == FIBER_FREE)
			continue;
		/* Those that somebody outside joins are freed by that. */
		if (fibers[i].state != FIBER_DONE) {
			fibers[i].state = FIBER_DONE;
			sim_wake(&fibers[i]);
		}
	}
}

static void leave(void)
{
	struct fiber *self = current;

	swapcontext(&self->context, &scheduler);
}

void sim_yield(void)
{
	leave();
}

bool sim_wait(const void *on, uint64_t deadline)
{
	if (deadline <= now)
		return false;
	current->state = FIBER_WAITING;
	current->on = on;
	current->deadline = deadline;
	current->woken = false;
	leave();
	return current->woken;
}

void sim_wake(const void *on)
{
	int i;

	for (i = 0; i < n_fibers; i++) {
		if (fibers[i].state != FIBER_WAITING || fibers[i].on != on)
			continue;
		fibers[i].state = FIBER_READY;
		fibers[i].woken = true;
	}
}

void sim_sleep(uint64_t us)
{
	sim_wait(current, now + us);
}

/* Choose who goes on; time passes only when nobody can. NULL: nobody ever will */
static struct fiber *choose(void)
{
	struct fiber *ready[FIBERS_MAX];
	uint64_t next = SIM_FOREVER;
	unsigned int n = 0;
	int i;

	for (i = 0; i < n_fibers; i++) {
		if (fibers[i].state == FIBER_READY)
			ready[n++] = &fibers[i];
		else if (fibers[i].state == FIBER_WAITING && fibers[i].deadline < next)
			next = fibers[i].deadline;
	}
	if (n)
		return ready[n == 1 ? 0 : sim_random(n)];
	if (next == SIM_FOREVER)
		return NULL;
	now = next;
	for (i = 0; i < n_fibers; i++)
		if (fibers[i].state == FIBER_WAITING && fibers[i].deadline <= now)
			fibers[i].state = FIBER_READY;
	return choose();
}

void sim_start(uint64_t seed, void (*fn)(void *arg), void *arg)
{
	struct fiber *first;
	int i;

	if (!history)
		history = calloc(HISTORY_LINES, LINE_SIZE);
	for (i = 0; i < n_fibers; i++)
		fibers[i].state = FIBER_FREE;
	now = 0;
	rng = seed * 0x2545f4914f6cdd1dULL + 1;
	failures = 0;
	n_history = 0;
	fingerprint = 0xcbf29ce484222325ULL;
	first = sim_spawn(0, fn, arg);
	while (first->state != FIBER_DONE) {
		current = choose();
		if (!current) {
			sim_fail("deadlock: nobody can go on");
			break;
		}
		swapcontext(&scheduler, &current->context);
	}
	current = NULL;
}
