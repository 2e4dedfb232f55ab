/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * pciehsm hardware contract: configuration space, registers, queues.
 *
 * This header is the whole interface between the driver and a card. It is
 * shared by kmod/ (host side) and qemu-device/ (card side); neither may assume
 * anything about the other that is not written here. What a message carries is
 * not the concern of this contract: see fw.h.
 *
 * Byte order: everything in registers and in memory is little-endian.
 *
 * PCI identity
 *   Vendor 0x1af4, device 0x10f0 (from QEMU's range for experiments), class
 *   0x108000 (encryption controller). PCI Express endpoint with MSI-X, FLR,
 *   AER and power management capabilities.
 *
 * BARs
 *   BAR0  64-bit memory, not prefetchable, PCIEHSM_BAR0_SIZE: registers and
 *         doorbells. Registers of 4 bytes are read and written as 4 bytes, those
 *         of 8 bytes as one 8-byte or two 4-byte accesses (low half first).
 *         Any other width or alignment is a guest error: reads give all ones,
 *         writes have no effect.
 *   BAR2  MSI-X table and pending bits.
 *
 * A card that has gone (surprise removal) reads as all ones everywhere. No
 * register has a legal value of all ones, so a reader can always tell.
 *
 * Life of a controller
 *   After power-on, FLR or a write of 0 to CC.EN the controller is disabled:
 *   CSTS.RDY = 0, no queue exists, no DMA is done and no interrupt is raised.
 *   The host writes AQA, ASQ and ACQ, sets CC.EN, and waits for CSTS.RDY = 1 for
 *   at most CAP.TO units of 500 ms. Clearing CC.EN aborts everything: when
 *   CSTS.RDY reads 0 again the card will never touch host memory for a command
 *   of before. A controller reset, like FLR, ends every context (see below).
 *   CC.SHN = 1 asks for an orderly shutdown; CSTS.SHST = 2 says that everything
 *   durable is durable.
 *   CSTS.CFS = 1 says that the controller can not go on (FATAL tells why) and
 *   does no more DMA; only a reset leaves that state.
 *
 * Queues
 *   A submission queue (SQ) is a ring of 64-byte entries that the host writes
 *   and the card reads; a completion queue (CQ) is a ring of 16-byte entries
 *   that the card writes and the host reads. Each is one physically contiguous
 *   piece of host memory, 4096-byte aligned, of 2 to CAP.MQES + 1 entries. A
 *   ring is empty when head == tail and full when tail + 1 == head.
 *   Queue 0 is the admin queue pair. I/O queue pairs are 1 to 64, created by
 *   admin commands, the CQ first.
 *   The host writes entries, then (after a write barrier) the new tail to the
 *   SQ's tail doorbell: one write for any number of entries. The card reports
 *   in each completion how far it has read the SQ (sq_head): a slot may be
 *   reused once that has passed it.
 *   The phase bit of a CQ entry starts at 1 in the first pass through the ring
 *   (the host zeroes the ring before creating the queue) and inverts in every
 *   pass. The host reads the phase first, then (after a read barrier) the rest.
 *   It frees entries by writing the CQ's head doorbell. A full CQ holds back
 *   completions; none is ever dropped.
 *   Commands complete in any order.
 *
 * Interrupts
 *   MSI-X only. A CQ names its vector when it is created; the admin CQ uses
 *   vector 0. A vector may serve several CQs. One message may announce any
 *   number of completions.
 *
 * Contexts
 *   Each command carries a partition number and a context number, both stamped
 *   by the driver: never taken from the caller. A context is one opener of one
 *   partition; logins, sessions, running operations and cloning channels belong
 *   to it. It comes into being with its first message and ends by
 *   PCIEHSM_ADMIN_CONTEXT_CLOSE, or for all at once by any reset. The driver
 *   does not reuse a context number before 2^31 others were used.
 */
#ifndef _UAPI_PCIEHSM_HW_H
#define _UAPI_PCIEHSM_HW_H

#include <linux/types.h>

#define PCIEHSM_PCI_VENDOR_ID		0x1af4
#define PCIEHSM_PCI_DEVICE_ID		0x10f0
#define PCIEHSM_PCI_CLASS		0x108000

#define PCIEHSM_BAR0_SIZE		0x4000
#define PCIEHSM_MAX_IO_QUEUES		64
#define PCIEHSM_MAX_VECTORS		(PCIEHSM_MAX_IO_QUEUES + 1)
#define PCIEHSM_QUEUE_ALIGN		4096

/* ---- Registers (offsets in BAR0) ---- */

/*
 * CAP (8 bytes, RO)
 *   15:0   MQES   greatest number of entries in an I/O queue, minus one
 *   23:16  TO     longest time for RDY to change, in units of 500 ms
 *   31:24  AQES   log2 of the greatest number of entries in an admin queue
 *   47:32  MSGMAX greatest message, in units of 4096 bytes
 *   63:48  reserved, 0
 */
#define PCIEHSM_REG_CAP			0x0000
#define PCIEHSM_CAP_MQES(cap)		((cap) & 0xffff)
#define PCIEHSM_CAP_TO(cap)		(((cap) >> 16) & 0xff)
#define PCIEHSM_CAP_AQES(cap)		(((cap) >> 24) & 0xff)
#define PCIEHSM_CAP_MSGMAX(cap)		(((cap) >> 32) & 0xffff)
#define PCIEHSM_CAP_TO_UNIT_MS		500
#define PCIEHSM_CAP_MSGMAX_UNIT		4096

/* VS (4 bytes, RO): 31:16 major, 15:0 minor. A driver refuses another major. */
#define PCIEHSM_REG_VS			0x0008
#define PCIEHSM_VS_MAJOR(vs)		((vs) >> 16)
#define PCIEHSM_VS_MINOR(vs)		((vs) & 0xffff)
#define PCIEHSM_VS_CURRENT		0x00010000

/* CC (4 bytes, RW): 0 EN, 1 SHN (orderly shutdown). Other bits: write 0. */
#define PCIEHSM_REG_CC			0x0010
#define PCIEHSM_CC_EN			(1U << 0)
#define PCIEHSM_CC_SHN			(1U << 1)

/* CSTS (4 bytes, RO): 0 RDY, 1 CFS (fatal), 3:2 SHST (0 none, 1 busy, 2 done) */
#define PCIEHSM_REG_CSTS		0x0014
#define PCIEHSM_CSTS_RDY		(1U << 0)
#define PCIEHSM_CSTS_CFS		(1U << 1)
#define PCIEHSM_CSTS_SHST_MASK		(3U << 2)
#define PCIEHSM_CSTS_SHST_NONE		(0U << 2)
#define PCIEHSM_CSTS_SHST_BUSY		(1U << 2)
#define PCIEHSM_CSTS_SHST_DONE		(2U << 2)

/*
 * AQA (4 bytes, RW while disabled): 15:0 entries of the admin SQ minus one,
 * 31:16 entries of the admin CQ minus one.
 */
#define PCIEHSM_REG_AQA			0x0018

/* FATAL (4 bytes, RO): enum pciehsm_fatal, valid while CSTS.CFS = 1. */
#define PCIEHSM_REG_FATAL		0x001c

/* ASQ, ACQ (8 bytes, RW while disabled): bus addresses of the admin rings. */
#define PCIEHSM_REG_ASQ			0x0020
#define PCIEHSM_REG_ACQ			0x0028

enum pciehsm_fatal {
	PCIEHSM_FATAL_NONE		= 0,
	PCIEHSM_FATAL_ADMIN_QUEUE	= 1,	/* bad AQA, ASQ or ACQ at enable */
	PCIEHSM_FATAL_QUEUE_DMA		= 2,	/* a ring could not be read or written */
	PCIEHSM_FATAL_DOORBELL		= 3,	/* a tail or head outside its ring */
	PCIEHSM_FATAL_FIRMWARE		= 4,	/* the firmware stopped */
	PCIEHSM_FATAL_STORE		= 5,	/* the store can not be opened */
	/*
	 * The machine was migrated, or its state loaded: what was in the card's
	 * volatile memory (queues, contexts) did not come along. The store did.
	 */
	PCIEHSM_FATAL_MIGRATED		= 6,
};

/*
 * Doorbells (4 bytes each, WO, read as 0): SQ y tail, CQ y head.
 * A write for a queue that does not exist is ignored.
 */
#define PCIEHSM_DB_BASE			0x1000
#define PCIEHSM_DB_SQ_TAIL(qid)		(PCIEHSM_DB_BASE + (qid) * 8)
#define PCIEHSM_DB_CQ_HEAD(qid)		(PCIEHSM_DB_BASE + (qid) * 8 + 4)

/* ---- Data descriptors ---- */

/**
 * struct pciehsm_seg - one piece of host memory
 * @addr:	bus address, any alignment
 * @len:	bytes, not 0
 * @reserved:	0
 */
struct pciehsm_seg {
	__le64	addr;
	__le32	len;
	__le32	reserved;
};

#define PCIEHSM_MAX_SEGS		512

/**
 * struct pciehsm_dptr - where the data of a command is
 * @addr:	bus address of the data (@nseg == 0) or of an array of @nseg
 *		struct pciehsm_seg (8-byte aligned, contiguous)
 * @len:	bytes of data in all. With segments: their sum must be equal.
 * @nseg:	0, or 1 to PCIEHSM_MAX_SEGS
 *
 * A command without data has all three 0.
 */
struct pciehsm_dptr {
	__le64	addr;
	__le32	len;
	__le32	nseg;
};

/* ---- Queue entries ---- */

/**
 * struct pciehsm_sqe - submission queue entry, 64 bytes
 * @opcode:	admin queue: enum pciehsm_admin_op; I/O queue: enum pciehsm_io_op
 * @flags:	0
 * @cid:	the host's name for the command; unique among the outstanding ones
 *		of this SQ. The host should change it each time that it reuses a
 *		slot (a generation in the high bits), so that a stale or duplicate
 *		completion is recognised.
 * @partition:	number of the partition, 0 for the HSM itself (stamped)
 * @context:	the opener, not 0 for PCIEHSM_IO_MSG (stamped)
 * @msg_op:	PCIEHSM_IO_MSG: the opcode that the driver has read in the message
 *		and allowed. The card compares it with that of the message as it
 *		has copied it, and refuses a difference: a caller can not change
 *		a message after it was checked.
 * @in:		data to the card
 * @out:	data from the card
 * @arg:	command specific
 */
struct pciehsm_sqe {
	__u8			opcode;
	__u8			flags;
	__le16			cid;
	__le32			partition;
	__le32			context;
	__le32			msg_op;
	struct pciehsm_dptr	in;
	struct pciehsm_dptr	out;
	__le32			arg[4];
};

/**
 * struct pciehsm_cqe - completion queue entry, 16 bytes
 * @result:	command specific; PCIEHSM_IO_MSG: bytes written to @out
 * @result2:	command specific
 * @sq_head:	the card has read the SQ up to here
 * @sq_id:	the SQ of the command
 * @cid:	the command
 * @status:	bit 0 phase; bits 14:1 enum pciehsm_status; bit 15 set if the command
 *		has not been executed and never will be. For a status other than
 *		PCIEHSM_SC_SUCCESS with bit 15 clear the command may have been executed.
 */
struct pciehsm_cqe {
	__le32	result;
	__le32	result2;
	__le16	sq_head;
	__le16	sq_id;
	__le16	cid;
	__le16	status;
};

#define PCIEHSM_CQE_PHASE		0x0001
#define PCIEHSM_CQE_STATUS(s)		(((s) >> 1) & 0x3fff)
#define PCIEHSM_CQE_NOT_EXECUTED	0x8000

enum pciehsm_status {
	PCIEHSM_SC_SUCCESS		= 0x000,
	/*
	 * Not a completion: the command runs on and its cid stays taken. Sent
	 * at least every PCIEHSM_PROGRESS_MS for a command that runs for longer.
	 * result: done so far in 1/1000, or PCIEHSM_PROGRESS_UNKNOWN.
	 */
	PCIEHSM_SC_PROGRESS		= 0x001,
	PCIEHSM_SC_INVALID_OPCODE	= 0x002,
	PCIEHSM_SC_INVALID_FIELD	= 0x003,
	PCIEHSM_SC_CID_CONFLICT		= 0x004,
	PCIEHSM_SC_DATA_TRANSFER	= 0x005,	/* a descriptor's memory failed */
	PCIEHSM_SC_ABORTED		= 0x006,
	PCIEHSM_SC_INTERNAL		= 0x007,
	PCIEHSM_SC_INVALID_QUEUE	= 0x010,
	PCIEHSM_SC_INVALID_QUEUE_SIZE	= 0x011,
	PCIEHSM_SC_INVALID_VECTOR	= 0x012,
	PCIEHSM_SC_EVENT_LIMIT		= 0x013,	/* too many ADMIN_EVENT outstanding */
	PCIEHSM_SC_ABORT_LIMIT		= 0x014,
	PCIEHSM_SC_INVALID_PARTITION	= 0x020,	/* no such partition (any more) */
	PCIEHSM_SC_CONTEXT_LIMIT	= 0x021,	/* as many contexts as the card can hold */
	PCIEHSM_SC_MSG_SIZE		= 0x022,	/* message outside the limits */
	PCIEHSM_SC_MSG_MISMATCH		= 0x023,	/* msg_op is not the message's opcode */
	PCIEHSM_SC_OUT_SIZE		= 0x024,	/* @out can not hold the answer's header */
};

#define PCIEHSM_PROGRESS_MS		2000
#define PCIEHSM_PROGRESS_UNKNOWN	0xffffffffU

/* ---- Admin commands ---- */

enum pciehsm_admin_op {
	/* arg[0] qid. Its CQ must be deleted later. Outstanding commands are aborted. */
	PCIEHSM_ADMIN_DELETE_SQ		= 0x00,
	/* arg[0] qid | (entries - 1) << 16, arg[1] qid of the CQ; in.addr the ring */
	PCIEHSM_ADMIN_CREATE_SQ		= 0x01,
	/* arg[0] qid. Refused while an SQ uses it. */
	PCIEHSM_ADMIN_DELETE_CQ		= 0x04,
	/* arg[0] qid | (entries - 1) << 16, arg[1] vector; in.addr the ring */
	PCIEHSM_ADMIN_CREATE_CQ		= 0x05,
	/* out: struct pciehsm_identify */
	PCIEHSM_ADMIN_IDENTIFY		= 0x06,
	/*
	 * arg[0] qid of the SQ | cid << 16. result 0: the command is or will be
	 * completed with PCIEHSM_SC_ABORTED; 1: it is not outstanding, or it can
	 * not be stopped and will complete by itself. The abort's completion
	 * follows that of a command which it stopped.
	 */
	PCIEHSM_ADMIN_ABORT		= 0x08,
	/* arg[0] number of I/O queue pairs wanted; result: number granted */
	PCIEHSM_ADMIN_SET_QUEUES	= 0x09,
	/*
	 * Completes when there is an event: result is enum pciehsm_event_type,
	 * result2 the partition's number or 0. At most PCIEHSM_MAX_EVENTS
	 * outstanding. The card keeps events while none is outstanding; if it
	 * can not keep all, it reports PCIEHSM_EVENT_OVERFLOW: read everything anew.
	 */
	PCIEHSM_ADMIN_EVENT		= 0x0c,
	/* out: array of struct pciehsm_partition; result: how many there are */
	PCIEHSM_ADMIN_PARTITIONS	= 0x0d,
	/* out: struct pciehsm_health */
	PCIEHSM_ADMIN_HEALTH		= 0x0e,
	/*
	 * out: random bytes from the card's own generator, as many as there is room
	 * for, at most PCIEHSM_RANDOM_MAX; result: how many. Needs no login and
	 * touches no partition: it is for the host's own pool. A card without it
	 * answers PCIEHSM_SC_INVALID_OPCODE.
	 */
	PCIEHSM_ADMIN_RANDOM		= 0x0f,
	/* context in the entry's field: everything that belongs to it ends */
	PCIEHSM_ADMIN_CONTEXT_CLOSE	= 0x10,
	/* does nothing */
	PCIEHSM_ADMIN_NOP		= 0x18,
};

#define PCIEHSM_MAX_EVENTS		8
#define PCIEHSM_MAX_ABORTS		4
#define PCIEHSM_RANDOM_MAX		1024

enum pciehsm_event_type {
	PCIEHSM_EVENT_PARTITION_CREATED		= 1,
	PCIEHSM_EVENT_PARTITION_DELETED		= 2,
	PCIEHSM_EVENT_PARTITION_CHANGED		= 3,	/* initialised, label, zeroized */
	PCIEHSM_EVENT_HSM_CHANGED		= 4,	/* initialised, zeroized, label */
	PCIEHSM_EVENT_TAMPER			= 5,
	PCIEHSM_EVENT_ENGINE_FAILED		= 6,
	PCIEHSM_EVENT_TEMPERATURE		= 7,
	PCIEHSM_EVENT_OVERFLOW			= 8,
};

#define PCIEHSM_SERIAL_LEN		24	/* digits, NUL padded */
#define PCIEHSM_LABEL_LEN		32	/* UTF-8, NUL padded, may fill all */
#define PCIEHSM_MODEL_LEN		16
#define PCIEHSM_FW_VERSION_LEN		16
#define PCIEHSM_MAX_PARTITIONS		100

/**
 * struct pciehsm_identify - answer of PCIEHSM_ADMIN_IDENTIFY, 256 bytes
 * @serial:		of the HSM
 * @model:		name of the product
 * @fw_version:		of the firmware, "major.minor.patch"
 * @label:		of the HSM; empty before it is initialised
 * @max_io_queues:	I/O queue pairs that the card has
 * @max_msg:		greatest message, bytes
 * @max_partitions:	greatest number of partitions
 * @max_contexts:	greatest number of contexts at once
 * @engines:		commands that are worked on at the same time
 * @max_aborts:		aborts outstanding at once
 * @reserved:		0
 */
struct pciehsm_identify {
	char	serial[PCIEHSM_SERIAL_LEN];
	char	model[PCIEHSM_MODEL_LEN];
	char	fw_version[PCIEHSM_FW_VERSION_LEN];
	char	label[PCIEHSM_LABEL_LEN];
	__le32	max_io_queues;
	__le32	max_msg;
	__le32	max_partitions;
	__le32	max_contexts;
	__le32	engines;
	__le32	max_aborts;
	__u8	reserved[144];
};

/**
 * struct pciehsm_partition - one entry of PCIEHSM_ADMIN_PARTITIONS, 128 bytes
 * @number:	never reused by this card, never 0; what the SQE's @partition takes
 * @index:	1 to max_partitions: the lowest that was free when the partition was
 *		created. It names the device node (hsm0p<index>).
 * @flags:	PCIEHSM_PART_*
 * @serial:	of the partition: that of the HSM followed by @number in six digits
 * @label:	empty before it is initialised
 * @reserved:	0
 */
struct pciehsm_partition {
	__le32	number;
	__le32	index;
	__le32	flags;
	__le32	reserved0;
	char	serial[PCIEHSM_SERIAL_LEN];
	char	label[PCIEHSM_LABEL_LEN];
	__u8	reserved[56];
};

#define PCIEHSM_PART_INITIALISED	(1U << 0)

/**
 * struct pciehsm_health - answer of PCIEHSM_ADMIN_HEALTH, 64 bytes
 * @temperature:	of the card, in 1/1000 degrees Celsius
 * @tamper:		0, or 1 after a tamper event
 * @engines_failed:	how many engines are out of work
 * @reserved0:		0
 * @power_on:		number of times that the card was switched on
 * @commands:		messages worked on since then
 * @reserved:		0
 */
struct pciehsm_health {
	__le32	temperature;
	__le32	tamper;
	__le32	engines_failed;
	__le32	reserved0;
	__le64	power_on;
	__le64	commands;
	__u8	reserved[32];
};

/* ---- I/O commands ---- */

enum pciehsm_io_op {
	/* nothing; for measuring and probing */
	PCIEHSM_IO_NOP			= 0x00,
	/*
	 * One message of fw.h to the firmware: in the request, out room for the
	 * answer. PCIEHSM_SC_SUCCESS says only that there is an answer.
	 */
	PCIEHSM_IO_MSG			= 0x01,
};

#endif /* _UAPI_PCIEHSM_HW_H */
