/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files of scripted tests. */
#ifndef PCIEHSM_SIMULATION_SCRIPTED_H
#define PCIEHSM_SIMULATION_SCRIPTED_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests.h"

#define CHECK(what) do { \
	if (!(what)) \
		sim_fail("%s:%d: not so: %s", __func__, __LINE__, #what); \
} while (0)

#define CHECK_RV(call, want) do { \
	CK_RV got_ = (call); \
	if (got_ != (want)) \
		sim_fail("%s:%d: %s gives %s", __func__, __LINE__, #call, \
			 pciehsm_rv_name(got_)); \
} while (0)

#define LOGIN(p) CHECK_RV(ha_login((p)->token, PCIEHSM_ROLE_CO, CO_PIN, strlen(CO_PIN), NULL), \
			  CKR_OK)

struct key {
	struct ha_ouid	pub, priv;
	unsigned char	point[80];
	size_t		len;
};

struct scripted {
	const char	*name;
	void		(*fn)(void *arg);
};

/* scripted_admin.c, scripted_lost.c; each ends with an empty one */
extern const struct scripted admin_tests[], lost_tests[];

void key_made(struct process *p, const char *label, bool token, struct key *key);
void key_works(struct process *p, const struct key *key);
/** exists_on() - past the engine */
bool exists_on(unsigned int card, const struct ha_ouid *ouid);
/** state_of() - as ha_group_status() tells it */
enum ha_member_state state_of(struct process *p, unsigned int index);

#endif /* PCIEHSM_SIMULATION_SCRIPTED_H */
