/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Simulated time, and fibers that take turns on it in an order that a seed decides.
 *
 * Everything runs in one thread of the operating system. A fiber goes on until it
 * waits, sleeps, or comes to a scheduling point; then any other that can run is
 * chosen at random. When none can, time goes on to the next deadline. So a run costs
 * no real time but that of its computations, and the same seed is the same run.
 *
 * Fibers belong to processes, which can be killed: their fibers never run again.
 */
#ifndef PCIEHSM_SIMULATION_SCHED_H
#define PCIEHSM_SIMULATION_SCHED_H

#include <stdbool.h>
#include <stdint.h>

#define SIM_FOREVER	UINT64_MAX
#define SIM_SECOND	UINT64_C(1000000)

struct fiber;

/** sim_start() - a new world at time 0; @fn runs in it as process 0, until it returns */
void sim_start(uint64_t seed, void (*fn)(void *arg), void *arg);

/** sim_now() - microseconds */
uint64_t sim_now(void);
/** sim_random() - a number below @below; consumes the seed's sequence */
uint32_t sim_random(uint32_t below);
/** sim_fill() - bytes of the same sequence */
void sim_fill(void *buf, size_t len);
/** sim_chance() - true once in @n */
bool sim_chance(uint32_t n);

/** sim_spawn() - a new fiber; @process 0 to 63. To be joined */
struct fiber *sim_spawn(int process, void (*fn)(void *arg), void *arg);
void sim_join(struct fiber *fiber);
/** sim_done() - has it come to its end (or been killed)? */
bool sim_done(const struct fiber *fiber);
int sim_process(void);
/** sim_kill() - end a process, not the own one: its fibers stop where they are */
void sim_kill(int process);

/** sim_yield() - a scheduling point */
void sim_yield(void);
void sim_sleep(uint64_t us);
/** sim_wait() - until sim_wake(@on) or @deadline. Return: false after the latter */
bool sim_wait(const void *on, uint64_t deadline);
void sim_wake(const void *on);

/** sim_log() - a line of the run's history */
void sim_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/** sim_verbose - print the history as it happens */
extern bool sim_verbose;
/** sim_quiet - do not print what is wrong either */
extern bool sim_quiet;
/** sim_history() - print the end of the history */
void sim_history(unsigned int lines);
/** sim_fingerprint() - of all that was logged: the same in every run of a seed */
uint64_t sim_fingerprint(void);

/** sim_fail() - record that something is not as it must be; the run goes on to its end */
void sim_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/** sim_failures() - how often, in this run */
unsigned int sim_failures(void);

#endif /* PCIEHSM_SIMULATION_SCHED_H */
