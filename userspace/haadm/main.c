// SPDX-License-Identifier: LGPL-2.1-or-later
/* haadm on this machine. */
#include "app.h"

int main(int argc, char **argv)
{
	struct ha_env *env;
	int ret, status;

	ret = ha_env_system(&env);
	if (ret)
		return haadm_no_env(ret);
	status = haadm_main(env, argc, argv);
	ha_env_free(env);
	return status;
}
