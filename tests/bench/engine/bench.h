/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the measurements of the group engine share. */
#ifndef PCIEHSM_BENCH_ENGINE_H
#define PCIEHSM_BENCH_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "cards.h"
#include "env.h"
#include "ha.h"

#define MEMBERS_MAX	8

extern struct loopback *lb;
extern struct ha *ha;
extern struct ha_token *token;
extern unsigned int rounds, objects;

/** group_begin() - @n cards, a group of the first @listed, an engine that is logged in */
void group_begin(unsigned int n, unsigned int listed);
void group_end(void);
/** group_write() - the configuration again, of the first @listed, obeyed: all that are down are tried */
void group_write(unsigned int listed);
uint64_t card_of(unsigned int member);
const char *serial_of(unsigned int member);

/** aes_key() - of the token; ends the program on failure, as all here does */
void aes_key(struct ha_ouid *key);
/** encrypt() - one small operation */
CK_RV encrypt(const struct ha_ouid *key);
/** operations_on() - encryptions that a member has done */
uint64_t operations_on(unsigned int member);
/** wait_until_work() - until these members do work again */
void wait_until_work(const struct ha_ouid *key, unsigned int n);

double now(void);
void need(CK_RV rv, const char *what);
void die(const char *why);
/** line() - of the table. @more: the bar is a least value, not a greatest */
void line(const char *name, const char *unit, double value, double bar, bool more);

void bench_removal(void);
void bench_hang(void);
void bench_scaling(void);
void bench_recovery(void);

#endif /* PCIEHSM_BENCH_ENGINE_H */
