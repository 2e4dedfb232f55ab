/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How messages reach a card: the seam between what userspace says and what
 * carries it. The character devices are one transport; a test puts the firmware
 * itself behind the same interface.
 */
#ifndef PCIEHSM_TRANSPORT_H
#define PCIEHSM_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pciehsm/ioctl.h>

struct pciehsm_transport;
struct pciehsm_bus;

/**
 * struct pciehsm_transport_ops - one open context at one partition or HSM
 * @message:	send a request, wait for its answer. Any number of threads may call it
 *		at once. @timeout_ms 0: the default.
 *		Return: 0 with @out and @out_len set and @outcome DONE; or -errno as
 *		<pciehsm/ioctl.h> says, with @outcome telling whether the request
 *		may have been executed.
 * @alive:	cheap, without a message. Return: 0, or -ENODEV once the device
 *		has gone for good (a transport never comes back: open anew)
 * @resets:	how often the card was reset; when it changes, logins, sessions and
 *		channels of this context are lost. May be stale by one message.
 * @event_fd:	a descriptor whose POLLHUP tells of removal and whose POLLIN of events,
 *		or -1 where there is none
 * @close:	end the context and free the transport
 */
struct pciehsm_transport_ops {
	int (*message)(struct pciehsm_transport *t, const void *in, size_t in_len,
		       void *out, size_t out_size, size_t *out_len,
		       unsigned int timeout_ms, enum pciehsm_outcome *outcome);
	int (*alive)(struct pciehsm_transport *t);
	unsigned int (*resets)(struct pciehsm_transport *t);
	int (*event_fd)(struct pciehsm_transport *t);
	void (*close)(struct pciehsm_transport *t);
};

/**
 * struct pciehsm_transport - to be embedded in an implementation's own structure
 * @ops:	what it does
 * @max_msg:	greatest request and answer, bytes
 * @timeout_ms:	what the functions of pciehsm.h hand to @message: how long the card may
 *		be silent; 0: the default. Set by who opened it, before its first use.
 */
struct pciehsm_transport {
	const struct pciehsm_transport_ops	*ops;
	size_t					max_msg;
	unsigned int				timeout_ms;
};

/**
 * struct pciehsm_device - something that can be opened
 * @serial:	of the partition, or of the HSM for a card's own node; digits
 * @hsm_serial:	of the card
 * @label:	of the partition or HSM; empty if it is not initialised
 * @model:	product name
 * @fw_version:	of the firmware
 * @card:	number of the card's node
 * @index:	of the partition on its card, from 1; 0 for the card itself
 * @number:	of the partition; 0 for the card itself
 * @state:	enum pciehsm_state of the card
 * @path:	of the node, for messages to people
 * @outstanding: messages that it was given, by all programs, and has not answered; 0 where
 *		nobody counts them
 */
struct pciehsm_device {
	char		serial[25];
	char		hsm_serial[25];
	char		label[33];
	char		model[17];
	char		fw_version[17];
	unsigned int	card;
	unsigned int	index;
	uint32_t	number;
	unsigned int	state;
	char		path[64];
	uint32_t	outstanding;
};

/**
 * struct pciehsm_bus_ops - what is there
 * @list:	all devices, by card and index. The caller frees *@list. Return: their number
 *		or -errno (-ENODEV: the driver is not loaded)
 * @open:	open the device with that serial; a new context each time.
 *		Return: 0 or -errno (-ENODEV: no such device now; -EACCES: no right to)
 * @watch:	wait until something may have come or gone since the last call,
 *		bus_wake() was called or the time is over. Return: true for the first
 * @wake:	end a running or the next @watch; callable from any thread
 * @close:	free the bus; no transport of it may be open
 */
struct pciehsm_bus_ops {
	int (*list)(struct pciehsm_bus *bus, struct pciehsm_device **list);
	int (*open)(struct pciehsm_bus *bus, const char *serial,
		    struct pciehsm_transport **t);
	bool (*watch)(struct pciehsm_bus *bus, unsigned int timeout_ms);
	void (*wake)(struct pciehsm_bus *bus);
	void (*close)(struct pciehsm_bus *bus);
};

/** struct pciehsm_bus - to be embedded in an implementation's own structure */
struct pciehsm_bus {
	const struct pciehsm_bus_ops *ops;
};

/**
 * pciehsm_chardev_bus() - the cards of this machine, through the driver
 * @bus:	out: freed by its close
 *
 * Return: 0 or -errno. A machine without driver or cards is no error: its list is.
 */
int pciehsm_chardev_bus(struct pciehsm_bus **bus);

#endif /* PCIEHSM_TRANSPORT_H */
