/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The HSM's firmware as a library: everything that a card is, but for its bus.
 *
 * A front end (the QEMU device, a test, a simulation, a card's own SoC) opens one
 * struct hsm_fw per card and gives it messages of <pciehsm/fw.h>. The library
 * knows nothing of PCI or QEMU. It is safe to be called from several threads.
 *
 * Two ways to have a message worked on:
 *   hsm_fw_execute()  in the caller's thread;
 *   hsm_fw_submit()   by one of the card's engines (a worker thread each), with a
 *                     callback when it is done.
 * Both may be used at the same time.
 */
#ifndef PCIEHSM_FIRMWARE_H
#define PCIEHSM_FIRMWARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hsm_fw;

/**
 * enum hsm_fw_event - what the firmware tells its front end unasked
 *
 * The values are those of enum pciehsm_event_type in <pciehsm/hw.h>.
 */
enum hsm_fw_event {
	HSM_FW_PARTITION_CREATED	= 1,
	HSM_FW_PARTITION_DELETED	= 2,
	HSM_FW_PARTITION_CHANGED	= 3,
	HSM_FW_HSM_CHANGED		= 4,
	HSM_FW_TAMPER			= 5,
	HSM_FW_ENGINE_FAILED		= 6,
};

/**
 * struct hsm_fw_config - what a card is made with
 * @store:		path of the store's file; made if it is not there
 * @serial:		of the HSM, 1 to 999999999999 (1 to 12 digits). It is burnt into
 *			a new store; opening that with another serial is an error.
 * @partition_base:	number of the first partition of a new store, 1 to 999999
 * @model:		product name, at most 15 bytes; NULL: the default
 * @engines:		worker threads, 1 to 64; 0: none, then hsm_fw_submit()
 *			must not be used
 * @max_partitions:	1 to 100; 0: the default (100)
 * @max_contexts:	0: the default (4096)
 * @master_key:		32 bytes that seal the store; NULL: the store keeps one itself
 * @pin_iterations:	cost of a password check; 0: the default. For simulations.
 * @durable:		false: changes need not survive a power loss. For simulations.
 * @random:		NULL, or what is to be used for OUIDs that callers did not give,
 *			nonces and incarnations, so that a simulation can be replayed. Key
 *			material never comes from it.
 * @now_ms:		NULL, or the monotonic clock to be used
 * @event:		NULL, or called on an event, from any thread, without locks held;
 *			@number is the partition's or 0
 * @opaque:		handed to the callbacks
 *
 * The strings and the key are copied; the caller may free or wipe its own.
 */
struct hsm_fw_config {
	const char	*store;
	uint64_t	serial;
	uint32_t	partition_base;
	const char	*model;
	unsigned int	engines;
	unsigned int	max_partitions;
	unsigned int	max_contexts;
	const uint8_t	*master_key;
	unsigned int	pin_iterations;
	bool		durable;
	void		(*random)(void *opaque, void *buf, size_t len);
	uint64_t	(*now_ms)(void *opaque);
	void		(*event)(void *opaque, enum hsm_fw_event event, uint32_t number);
	void		*opaque;
};

/**
 * hsm_fw_open() - switch a card on
 * @config:	what the card is; need not outlive the call
 * @fw:		out: the card, to be freed by hsm_fw_close()
 * @error:	out: on failure what is wrong and what to do about it, for a person
 * @error_len:	room of @error
 *
 * Return: 0 or -errno (-EINVAL configuration, -EBADMSG damaged or foreign store
 * or wrong master key, -EBUSY store in use by another card, other: from the system).
 */
int hsm_fw_open(const struct hsm_fw_config *config, struct hsm_fw **fw,
		char *error, size_t error_len);

/**
 * hsm_fw_close() - switch the card off
 * @fw:		may be NULL
 *
 * Running messages are finished, queued ones are given back as aborted, all
 * secrets are wiped. No other call may be under way.
 */
void hsm_fw_close(struct hsm_fw *fw);

/**
 * enum hsm_fw_status - what became of a message
 * @HSM_FW_ANSWERED:		there is an answer
 * @HSM_FW_NO_PARTITION:	no such partition; not executed
 * @HSM_FW_CONTEXT_LIMIT:	no room for another context; not executed
 * @HSM_FW_MALFORMED:		no valid header, or no room for an answer's header; not executed
 * @HSM_FW_ABORTED:		aborted before it was begun; not executed
 * @HSM_FW_ABORTED_RUNNING:	stopped between two steps; may have been executed
 */
enum hsm_fw_status {
	HSM_FW_ANSWERED			= 0,
	HSM_FW_NO_PARTITION,
	HSM_FW_CONTEXT_LIMIT,
	HSM_FW_MALFORMED,
	HSM_FW_ABORTED,
	HSM_FW_ABORTED_RUNNING,
};

/**
 * struct hsm_fw_request - one message on its way
 * @partition:	number, 0 for the HSM
 * @context:	the opener, not 0
 * @in:		the message; must stay as it is until the request is done. The
 *		firmware reads it only once validated lengths are known; the caller has made
 *		sure that nobody else can change it.
 * @in_len:	its length
 * @out:	room for the answer
 * @out_size:	of that room; at least the header
 * @out_len:	out: bytes of the answer, 0 unless HSM_FW_ANSWERED
 * @status:	out: enum hsm_fw_status
 * @done:	called once, by an engine's thread or by hsm_fw_abort() or
 *		hsm_fw_close(); from then on the request is the caller's again
 * @progress:	NULL, or called from time to time (well under 2 s) while it runs;
 *		@permille is 0 to 1000 or UINT32_MAX if not known
 * @private:	the library's own, zeroed by the caller before the first use
 *
 * For hsm_fw_execute() only the data fields are used.
 */
struct hsm_fw_request {
	uint32_t		partition;
	uint32_t		context;
	const void		*in;
	size_t			in_len;
	void			*out;
	size_t			out_size;
	size_t			out_len;
	enum hsm_fw_status	status;
	void			(*done)(struct hsm_fw_request *req);
	void			(*progress)(struct hsm_fw_request *req, uint32_t permille);
	void			*private[8];
};

/** hsm_fw_execute() - work on a message in the caller's thread; returns when done */
void hsm_fw_execute(struct hsm_fw *fw, struct hsm_fw_request *req);

/** hsm_fw_submit() - have a message worked on by an engine; returns at once */
void hsm_fw_submit(struct hsm_fw *fw, struct hsm_fw_request *req);

/**
 * hsm_fw_abort() - stop a submitted message
 * @fw:		the card
 * @req:	a request that was submitted and whose @done has not returned
 *
 * Return: true if its @done was called in here or will come soon with an aborted
 * status or because it finished by itself; false if it can not be stopped and will
 * finish by itself.
 */
bool hsm_fw_abort(struct hsm_fw *fw, struct hsm_fw_request *req);

/**
 * hsm_fw_context_close() - end a context and all that belongs to it
 *
 * Waits for messages of that context which are being worked on; queued ones are
 * given back as aborted.
 */
void hsm_fw_context_close(struct hsm_fw *fw, uint32_t context);

/** hsm_fw_reset() - end all contexts, as above; the card stays on */
void hsm_fw_reset(struct hsm_fw *fw);

/**
 * struct hsm_fw_partition - what the front end may know of a partition
 * @number:		never 0
 * @index:		1 to max_partitions: lowest that was free at creation
 * @initialised:	has a label and a Partition SO
 * @serial:		digits
 * @label:		at most 32 bytes
 */
struct hsm_fw_partition {
	uint32_t	number;
	uint32_t	index;
	bool		initialised;
	char		serial[24];
	char		label[33];
};

/**
 * hsm_fw_partitions() - list the partitions
 * @fw:		the card
 * @list:	out: up to @max of them, by index
 * @max:	room
 *
 * Return: how many there are.
 */
unsigned int hsm_fw_partitions(struct hsm_fw *fw, struct hsm_fw_partition *list,
			       unsigned int max);

/**
 * struct hsm_fw_info - what the front end may know of the HSM
 */
struct hsm_fw_info {
	char		serial[24];
	char		model[16];
	char		fw_version[16];
	char		label[33];
	unsigned int	engines;
	unsigned int	max_partitions;
	unsigned int	max_contexts;
	uint32_t	max_msg;
	uint64_t	power_on;
	uint64_t	commands;
	bool		tampered;
};

void hsm_fw_info(struct hsm_fw *fw, struct hsm_fw_info *info);

/**
 * hsm_fw_random() - random bytes for the host's own pool
 * @fw:		the card
 * @buf:	out
 * @len:	how many
 *
 * Return: false if the generator is out of order; nothing was written then.
 */
bool hsm_fw_random(struct hsm_fw *fw, void *buf, size_t len);

/** hsm_fw_tamper() - the case was opened: all keys are gone, the card says so */
void hsm_fw_tamper(struct hsm_fw *fw);

#endif /* PCIEHSM_FIRMWARE_H */
