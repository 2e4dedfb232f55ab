/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text of ha.conf and what it means. Knows neither engine nor environment. */
#ifndef PCIEHSM_HA_CONFIG_H
#define PCIEHSM_HA_CONFIG_H

#include "ha.h"

#define HA_CONFIG_VERSION	1

/** ha_config_defaults() - what holds when there is no file */
void ha_config_defaults(struct ha_config *config);

/**
 * ha_config_check() - does this make sense?
 * @error:	out: on failure what is wrong, for a person
 *
 * Return: 0 or -EINVAL
 */
int ha_config_check(const struct ha_config *config, char *error, size_t error_len);

/**
 * ha_config_parse() - read a file's text
 * @text:	@len bytes with a NUL behind them
 * @config:	out: set on success only
 * @error:	out: on failure what is wrong and where, for a person
 *
 * Return: 0, -EBADMSG (not as it should be) or -ENOMEM
 */
int ha_config_parse(const char *text, size_t len, struct ha_config *config,
		    char *error, size_t error_len);

/** ha_config_print() - the text of a file; to be freed. NULL: no memory */
char *ha_config_print(const struct ha_config *config);

const struct ha_config_group *ha_config_group(const struct ha_config *config,
					      const char *label);

#endif /* PCIEHSM_HA_CONFIG_H */
