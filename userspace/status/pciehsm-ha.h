/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The state of HA groups, for programs that watch over them: libpciehsm-ha.
 *
 *	cc watch.c $(pkg-config --cflags --libs pciehsm-ha)
 *
 * It looks at the configuration and at the cards, from outside: no password is needed, nobody
 * is logged in, and no work is taken away from any member. All members are asked side by
 * side; those that hang cost one common time-out of about 3 s.
 *
 * Everything it gives is a copy that belongs to the caller. A handle may be used by any number
 * of threads. Later versions add members of structures only in the place of @reserved.
 */
#ifndef PCIEHSM_HA_STATUS_H
#define PCIEHSM_HA_STATUS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pciehsm_ha;

/**
 * enum pciehsm_ha_state - how a member is
 * @PCIEHSM_HA_ALIVE:		it answers
 * @PCIEHSM_HA_DOWN:		it is not there, or does not answer; or its partition is not
 *				initialised
 * @PCIEHSM_HA_SYNCING:		it is being brought up to date
 * @PCIEHSM_HA_REFUSED:		it is of another cloning domain, or has another password
 *
 * The last two are known to programs that are logged in to the group, and to this one if it
 * is; a look from outside sees the first two.
 */
enum pciehsm_ha_state {
	PCIEHSM_HA_ALIVE,
	PCIEHSM_HA_DOWN,
	PCIEHSM_HA_SYNCING,
	PCIEHSM_HA_REFUSED,
};

/**
 * struct pciehsm_ha_member - a member of a group
 * @serial:	of its partition
 * @label:	of its partition, empty if that is not known
 * @state:	enum pciehsm_ha_state
 * @reason:	why it is not alive, for a person; empty if it is
 * @slot:	of the partition, -1 if it is not there
 * @standby:	1: it works only when no active member is left
 * @drain:	1: it gets no new work while others can do it
 * @weight:	its share of the work against the others', 1 and more
 * @objects:	that it holds: copies of those of the group
 * @operations:	cryptographic operations that it has done since power-on, for whomever
 * @sessions:	contexts in which somebody works
 * @answer_us:	microseconds that its answer to a short question took
 * @digest:	of its contents: those of two members are the same if their contents are
 * @outstanding: messages from all programs that it has not answered yet, -1 if it is not there
 * @reserved:	0
 */
struct pciehsm_ha_member {
	char		serial[32];
	char		label[40];
	int32_t		state;
	char		reason[128];
	int32_t		slot;
	uint32_t	standby;
	uint32_t	drain;
	uint32_t	weight;
	uint32_t	objects;
	uint32_t	sessions;
	uint64_t	operations;
	uint64_t	answer_us;
	uint8_t		digest[32];
	int64_t		outstanding;
	uint64_t	reserved[7];
};

/**
 * struct pciehsm_ha_group - a group
 * @label:	its name
 * @number:	its serial number, as applications see it
 * @slot:	its slot
 * @n_members:	entries of @members
 * @n_alive:	of these, how many are alive
 * @needs_sync:	1: members that are alive do not hold the same
 * @generation:	of the configuration: another one whenever that was changed by a program
 * @reserved:	0
 * @members:	in the order of the configuration, the primary first
 */
struct pciehsm_ha_group {
	char				label[40];
	char				number[32];
	int32_t				slot;
	uint32_t			n_members;
	uint32_t			n_alive;
	uint32_t			needs_sync;
	uint64_t			generation;
	uint64_t			reserved[8];
	struct pciehsm_ha_member	members[];
};

/**
 * pciehsm_ha_open() - begin to watch
 * @config:	path of the configuration file; NULL: /etc/pciehsm/ha.conf, or what
 *		PCIEHSM_CONF names
 * @ha:		out: to be freed by pciehsm_ha_close()
 *
 * A configuration that is not there yet, or is broken, is no error here.
 *
 * Return: 0 or -errno.
 */
int pciehsm_ha_open(const char *config, struct pciehsm_ha **ha);

/** pciehsm_ha_close() - end; NULL is nothing. No other call may be under way. */
void pciehsm_ha_close(struct pciehsm_ha *ha);

/**
 * pciehsm_ha_groups() - the names of all groups
 * @labels:	out: NULL-terminated, to be freed by one free()
 *
 * Return: their number, or -errno: -EBADMSG if the configuration has never been readable since
 * pciehsm_ha_open(); see pciehsm_ha_config_error().
 */
int pciehsm_ha_groups(struct pciehsm_ha *ha, char ***labels);

/**
 * pciehsm_ha_group_state() - look at a group's members now
 * @label:	its name
 * @group:	out: to be freed by free()
 *
 * Return: 0 or -errno: -ENOENT if there is no such group, -EINVAL if @label is NULL.
 */
int pciehsm_ha_group_state(struct pciehsm_ha *ha, const char *label,
			   struct pciehsm_ha_group **group);

/**
 * pciehsm_ha_config_error() - what is wrong with the configuration file
 *
 * Return: NULL if nothing is, or a text for a person, to be freed by free().
 */
char *pciehsm_ha_config_error(struct pciehsm_ha *ha);

/** pciehsm_ha_state_name() - "alive", "down", "syncing", "refused"; static */
const char *pciehsm_ha_state_name(int state);

#ifdef __cplusplus
}
#endif

#endif /* PCIEHSM_HA_STATUS_H */
