/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* haadm as a function, so that a test can run it over other devices. */
#ifndef HAADM_APP_H
#define HAADM_APP_H

#include "env.h"

/**
 * haadm_main() - the program
 * @env:	devices and files; belongs to the caller
 * @argv:	passwords among them are overwritten
 *
 * Return: the exit status
 */
int haadm_main(struct ha_env *env, int argc, char **argv);

/** haadm_no_env() - say that there is no environment; returns the exit status */
int haadm_no_env(int err);

#endif /* HAADM_APP_H */
