/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The driver's nodes: between the bus that finds them and the transport that uses them. */
#ifndef PCIEHSM_CHARDEV_H
#define PCIEHSM_CHARDEV_H

#include "transport.h"

/**
 * chardev_open() - open a node
 * @path:	of the node
 * @serial:	what the device must be, so that a node which has become another one
 *		meanwhile is not taken for it
 *
 * Return: 0 or -errno as the @open of struct pciehsm_bus_ops
 */
int chardev_open(const char *path, const char *serial, struct pciehsm_transport **t);

#endif /* PCIEHSM_CHARDEV_H */
