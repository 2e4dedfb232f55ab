// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * haadm over cards inside this process, for tests without driver and QEMU.
 *
 * LOOPBACK_DIR    directory of the cards' stores, which last from run to run
 * LOOPBACK_CARDS  "serial:partition-base ..."; "none": the driver is not loaded
 * LOOPBACK_HANG   serials of cards that do not answer
 * LOOPBACK_TAMPER serial of a card whose case is opened before the command
 * LOOPBACK_HANG_MS  how long they keep their callers waiting; else not at all
 * LOOPBACK_STUCK  serials of partitions that do not answer, and whose messages do not come back
 *                 at the end of their time either
 * LOOPBACK_MUTE   serial of a partition that does not answer, and whose messages come back at once
 * LOOPBACK_SLOW_MS  how long each message takes, at least
 * LOOPBACK_KILL   n: killed before the n-th message that may change something on a card, or
 *                 change of the configuration, counted together
 * LOOPBACK_CONTROL  a FIFO: "pull SERIAL", "return SERIAL", "reset SERIAL", a line each, are done
 *                 while the program runs
 * PCIEHSM_CONF    the HA configuration
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <pciehsm/fw.h>

#include "app.h"
#include "loopback.h"

static long left_to_live;
static long slow_ms;

static void live(void)
{
	if (left_to_live && !--left_to_live)
		raise(SIGKILL);
}

static enum loopback_fault on_message(void *arg, const char *serial, uint32_t op)
{
	static const struct timespec for_long = { .tv_sec = 60 };
	const char *stuck = getenv("LOOPBACK_STUCK"), *mute = getenv("LOOPBACK_MUTE");
	const struct timespec time = { slow_ms / 1000, slow_ms % 1000 * 1000000 };

	(void)arg;
	if (stuck && strstr(stuck, serial)) {
		nanosleep(&for_long, NULL);
		return LOOPBACK_HANGS;
	}
	if (mute && !strcmp(mute, serial))
		return LOOPBACK_HANGS;
	if (slow_ms)
		nanosleep(&time, NULL);
	if (op & PCIEHSM_OP_WRITE)
		live();
	return LOOPBACK_WORKS;
}

/* What is done to the cards meanwhile; ends with the program. */
static void *control_main(void *arg)
{
	FILE *control = fopen(getenv("LOOPBACK_CONTROL"), "r+");
	unsigned long long serial;
	char verb[16];

	while (control && fscanf(control, "%15s %llu", verb, &serial) == 2) {
		if (!strcmp(verb, "pull"))
			loopback_pull(arg, serial);
		else if (!strcmp(verb, "return"))
			loopback_return(arg, serial);
		else if (!strcmp(verb, "reset"))
			loopback_reset(arg, serial);
	}
	return NULL;
}

/* Signals are for the program, not for this thread. */
static void start_control(struct loopback *lb)
{
	sigset_t all, before;
	pthread_t thread;

	if (!getenv("LOOPBACK_CONTROL"))
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (!pthread_create(&thread, NULL, control_main, lb))
		pthread_detach(thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static int (*really_write)(struct ha_env *env, void *lock, const char *text, size_t len);

static int on_write(struct ha_env *env, void *lock, const char *text, size_t len)
{
	live();
	return really_write(env, lock, text, len);
}

static long number(const char *name)
{
	const char *value = getenv(name);

	return value ? atol(value) : 0;
}

static const char *need(const char *name)
{
	const char *value = getenv(name);

	if (!value) {
		fprintf(stderr, "haadm-loopback: %s is not set\n", name);
		exit(100);
	}
	return value;
}

int main(int argc, char **argv)
{
	struct loopback *lb = loopback_new(need("LOOPBACK_DIR"));
	const char *cards = need("LOOPBACK_CARDS");
	const char *hang = getenv("LOOPBACK_HANG");
	unsigned long long serial;
	struct ha_env_ops ops;
	struct ha_env *env;
	unsigned int base;
	int used, status;

	if (!strcmp(cards, "none"))
		loopback_no_driver(lb, true);
	for (; sscanf(cards, "%llu:%u%n", &serial, &base, &used) == 2; cards += used)
		loopback_add(lb, serial, base);
	for (; hang && sscanf(hang, "%llu%n", &serial, &used) == 1; hang += used)
		loopback_set_fault(lb, serial, LOOPBACK_HANGS);
	if (number("LOOPBACK_TAMPER"))
		loopback_tamper(lb, number("LOOPBACK_TAMPER"));
	loopback_set_hang_ms(lb, number("LOOPBACK_HANG_MS"));
	slow_ms = number("LOOPBACK_SLOW_MS");
	left_to_live = number("LOOPBACK_KILL");
	loopback_set_filter(lb, on_message, NULL);
	start_control(lb);
	if (ha_env_system_over(loopback_bus(lb), need("PCIEHSM_CONF"), &env))
		return 100;
	ops = *env->ops;
	really_write = ops.config_write;
	ops.config_write = on_write;
	env->ops = &ops;
	status = haadm_main(env, argc, argv);
	ha_env_free(env);
	loopback_free(lb);
	return status;
}
