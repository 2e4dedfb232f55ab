/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * pciehsm character devices: what the driver offers to userspace.
 *
 * Nodes
 *   /dev/hsm<card>              the card: HSM-level messages
 *   /dev/hsm<card>p<index>      one partition
 *   /dev/hsm/by-serial/<serial> links to both kinds, made by udev
 * <card> is the lowest number that was free when the card was found; <index> is
 * the card's (hw.h). A partition's node goes when the partition does. Class
 * "hsm"; attributes of a node in sysfs: serial, label, number, state, model,
 * fw_version (as far as they apply).
 *
 * An open file is a context: logins, sessions and everything else that the card
 * keeps for it belong to the file and end with its last descriptor. A file
 * outlives its device: after removal every call answers ENODEV and poll says
 * EPOLLHUP, until it is closed.
 *
 * Operations
 *   ioctl   as below. Unknown ones: ENOTTY.
 *   read    one or more struct pciehsm_event; blocks while there is none, unless
 *           O_NONBLOCK (EAGAIN). A buffer that can not hold one: EINVAL. Events
 *           of the card's node: all of its partitions and its own; of a
 *           partition's node: its own. A reader that falls far behind finds
 *           PCIEHSM_EVENT_OVERFLOW.
 *   poll    EPOLLIN: an event is waiting. EPOLLHUP | EPOLLERR: the device has gone.
 *
 * Structures grow at the end only. @size is set by the caller to the size that it
 * knows. The driver takes a smaller one (missing fields count as 0) down to the
 * first version's, and a larger one if what it does not know is 0, else E2BIG.
 * Reserved fields and unknown flags must be 0: EINVAL.
 *
 * Errors of PCIEHSM_IOC_MSG (0: there is an answer; its own code is in it)
 *   EFAULT        a pointer is bad                            not executed
 *   EINVAL        a size, length, flag or header is wrong     not executed
 *   EMSGSIZE      longer than the card takes                  not executed
 *   EACCES        the opcode is not for this node, or needs a
 *                 descriptor that is open for writing         not executed
 *   ENOMEM        no memory, or no room for another context   not executed
 *   ENODEV        the card or the partition has gone          see @outcome
 *   ECANCELED     aborted, or lost in a reset of the card     see @outcome
 *   ETIMEDOUT     no answer within the time                   see @outcome
 *   EINTR         a signal came while it waited to be sent    not executed
 *   EIO           the card reported a fault of its own        see @outcome
 * A command that has been sent is waited for through signals other than fatal
 * ones. @outcome is written back on errors too.
 */
#ifndef _UAPI_PCIEHSM_IOCTL_H
#define _UAPI_PCIEHSM_IOCTL_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define PCIEHSM_IOC_MAGIC		0xA9

enum pciehsm_state {
	PCIEHSM_STATE_NEW		= 0,
	PCIEHSM_STATE_CONNECTING	= 1,
	PCIEHSM_STATE_LIVE		= 2,
	PCIEHSM_STATE_RESETTING		= 3,
	PCIEHSM_STATE_DELETING		= 4,
	PCIEHSM_STATE_DEAD		= 5,
};

/**
 * struct pciehsm_ioc_info - answer of PCIEHSM_IOC_INFO; works in every state but gone
 * @size:		in: sizeof, out: size that the driver knows
 * @flags:		out: 0
 * @card:		number in the node's name
 * @index:		of the partition in the node's name, 0 for the card's node
 * @number:		of the partition, 0 for the card's node
 * @state:		enum pciehsm_state of the card
 * @max_msg:		greatest message and answer, bytes
 * @queues:		I/O queue pairs in use
 * @timeout_ms:		for a command that does not say otherwise
 * @recovery_ms:	what the driver takes at most, after the timeout of a command that
 *			was sent, to abort it or to reset the card and answer the caller.
 *			Before it is sent a command waits for its timeout at most, too.
 * @hsm_serial:		NUL padded
 * @serial:		of the partition; empty for the card's node
 * @resets:		how often the card was reset since it was found. When it
 *			changes, everything that a context had on the card is gone.
 * @reserved:		0
 */
struct pciehsm_ioc_info {
	__u32	size;
	__u32	flags;
	__u32	card;
	__u32	index;
	__u32	number;
	__u32	state;
	__u32	max_msg;
	__u32	queues;
	__u32	timeout_ms;
	__u32	recovery_ms;
	char	hsm_serial[24];
	char	serial[24];
	__u32	resets;
	__u32	reserved;
};

enum pciehsm_outcome {
	/* the card has answered */
	PCIEHSM_OUTCOME_DONE		= 0,
	/* the card has not executed the command and never will */
	PCIEHSM_OUTCOME_NOT_EXECUTED	= 1,
	/* nobody can tell */
	PCIEHSM_OUTCOME_UNKNOWN		= 2,
};

/**
 * struct pciehsm_ioc_msg - one message to the firmware, and its answer
 * @size:	sizeof
 * @flags:	0
 * @in:		user address of the request, a message of fw.h
 * @out:	user address of the room for the answer
 * @in_len:	bytes of the request, at least sizeof(struct pciehsm_msg)
 * @out_len:	in: bytes of room, at least sizeof(struct pciehsm_msg);
 *		out: bytes of the answer
 * @timeout_ms:	how long the card may be silent (progress reports count as signs
 *		of life), and how long the message may wait to be sent; 0: the
 *		driver's default; more than an hour is taken for an hour
 * @outcome:	out: enum pciehsm_outcome
 *
 * The answer is written whole or not at all: an answer that does not fit is
 * the firmware's to report (CKR_BUFFER_TOO_SMALL and the length it needs).
 */
struct pciehsm_ioc_msg {
	__u32	size;
	__u32	flags;
	__u64	in;
	__u64	out;
	__u32	in_len;
	__u32	out_len;
	__u32	timeout_ms;
	__u32	outcome;
};

/**
 * struct pciehsm_uring_cmd - IORING_OP_URING_CMD, in the 80 bytes of an SQE128
 * @in: @out: @in_len: @out_len: @timeout_ms: as in struct pciehsm_ioc_msg
 * @flags:	PCIEHSM_URING_*
 * @reserved:	0
 *
 * cmd_op is PCIEHSM_URING_MSG, or PCIEHSM_URING_NOP: then all but @timeout_ms is 0. The
 * CQE's res is the answer's length (NOP: 0) or a negative errno of the table above;
 * with CQE32, res2 is enum pciehsm_outcome. A ring without SQE128, like a driver
 * without it, answers EOPNOTSUPP, another cmd_op ENOTTY.
 *
 * Registered buffers: one, as buf_index says; the SQE needs IORING_URING_CMD_FIXED
 * exactly if @flags has one of PCIEHSM_URING_IN_FIXED and PCIEHSM_URING_OUT_FIXED. What does
 * not lie in it: EFAULT.
 *
 * The memory of @in and @out is the driver's until the CQE is there. Of a message that
 * is larger than a few KiB the card itself reads @in and writes @out, without a copy:
 * @out may then have been written to although there is no answer, and @in and @out
 * together may lie in 512 pages of memory at most (EINVAL), which only unaligned
 * messages of the greatest length exceed. On machines whose DMA is not coherent
 * such an @out begins and ends at a cache line (EINVAL).
 *
 * Commands that find no free slot, or a card that is being reset, wait in a worker of
 * io_uring, each for its time at most. ECANCELED with PCIEHSM_OUTCOME_NOT_EXECUTED may
 * also mean that a reset began at the moment of submission. A process that ends has
 * its commands aborted where the kernel tells the driver of it, and waits for their
 * time elsewhere.
 */
struct pciehsm_uring_cmd {
	__u64	in;
	__u64	out;
	__u32	in_len;
	__u32	out_len;
	__u32	timeout_ms;
	__u32	flags;
	__u64	reserved[6];
};

#define PCIEHSM_URING_IN_FIXED		(1U << 0)	/* @in lies in the registered buffer */
#define PCIEHSM_URING_OUT_FIXED		(1U << 1)

/**
 * struct pciehsm_event - what read gives
 * @type:	enum pciehsm_event_type of hw.h
 * @number:	of the partition, or 0
 * @index:	of the partition, or 0
 * @reserved:	0
 */
struct pciehsm_event {
	__u32	type;
	__u32	number;
	__u32	index;
	__u32	reserved;
};

#define PCIEHSM_IOC_INFO	_IOWR(PCIEHSM_IOC_MAGIC, 0x00, struct pciehsm_ioc_info)
#define PCIEHSM_IOC_MSG		_IOWR(PCIEHSM_IOC_MAGIC, 0x01, struct pciehsm_ioc_msg)
/* PCIEHSM_IO_NOP of hw.h on an I/O queue; no argument; errors as above */
#define PCIEHSM_IOC_NOP		_IO(PCIEHSM_IOC_MAGIC, 0x02)
#define PCIEHSM_URING_MSG	_IOWR(PCIEHSM_IOC_MAGIC, 0x10, struct pciehsm_uring_cmd)
/* PCIEHSM_IO_NOP of hw.h; errors as above */
#define PCIEHSM_URING_NOP	_IO(PCIEHSM_IOC_MAGIC, 0x11)

#endif /* _UAPI_PCIEHSM_IOCTL_H */
