// SPDX-License-Identifier: LGPL-2.1-or-later
/* The one place where the module takes the world as it is; tests put another one here. */
#include "env.h"
#include "module.h"

int module_env(struct ha_env **env)
{
	return ha_env_system(env);
}
