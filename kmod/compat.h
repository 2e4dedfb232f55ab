/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between kernels, by feature and never by version: distributions
 * carry features back. The HSM_HAVE_* macros come from Kbuild, which looks for
 * the feature in the headers.
 */
#ifndef HSM_COMPAT_H
#define HSM_COMPAT_H

#include <linux/device.h>

/* class.devnode and its like got a const device. */
#ifdef HSM_HAVE_CONST_DEVNODE
#define HSM_DEVNODE_DEVICE	const struct device
#else
#define HSM_DEVNODE_DEVICE	struct device
#endif

#endif /* HSM_COMPAT_H */
