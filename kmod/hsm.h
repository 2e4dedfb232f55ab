/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pciehsm: what the files of the driver share.
 *
 * Who owns what
 *   struct hsm_ctrl is one card. It is counted: the PCI function holds one
 *   reference from probe to remove, each node one until its memory goes. What needs
 *   the PCI function (registers, rings, slots, vectors) goes in remove; what is
 *   left afterwards is software that files may still look at.
 *   struct hsm_node is one character device, struct hsm_ctx one open file (a
 *   context of the card). A file holds its node, a command in flight its context.
 *   struct hsm_slot is one place for a command; it is taken, sent, and given back.
 *   ctrl->users counts the takers: remove waits for it before it frees what slots
 *   are made of. Nobody who holds a slot touches user memory, allocates or takes a
 *   lock below: so that count falls without the help of any process.
 *
 * Locks, outer to inner
 *   shutdown_lock (mutex)   start and quiesce; held while the card is waited for,
 *                           each time bounded by CAP.TO
 *   scan_lock (mutex)       the list of nodes; nothing waits for the card under it
 *   queue->poll_lock (mutex) who reads a completion queue outside its interrupt
 *   queue->lock             submission ring; which command a slot is in flight for
 *   ctrl->ctx_lock          list of contexts and their event queues
 *   ctrl->lock              state, holds, history of resets, labels
 *   All spinlocks are taken in process context only. The interrupt handler takes
 *   none of them: a completion queue has one reader, a slot is claimed by
 *   compare-and-exchange, and free slots are a bitmap. So a command that nobody
 *   sleeps for (HSM_SLOT_CALL) is over and its slot free within the interrupt.
 *
 * How long a caller waits at most
 *   Until its command is sent: its timeout. Then, from the card's last sign of life
 *   (progress reports count): its timeout, and then the ladder: the completion
 *   queue is polled for a missed interrupt; abort, abort_timeout_ms; reset: CC.EN
 *   is cleared, CAP.TO. If that fails too, bus mastering is switched off and the
 *   controller is dead. In each case the command is given back at this point and not
 *   after the card has started again: hsm_recovery_ms() is the sum, and
 *   PCIEHSM_IOC_INFO tells it. A removal or suspend that comes between takes no longer
 *   for what is in flight: HSM_POLITE_MS instead of the abort, and CAP.TO. A card that
 *   reads as all ones is found within HSM_TICK_MS + HSM_GONE_MS.
 *   Nothing is ever sent a second time.
 */
#ifndef HSM_H
#define HSM_H

#include <linux/atomic.h>
#include <linux/cdev.h>
#include <linux/completion.h>
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/jump_label.h>
#include <linux/jiffies.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/percpu-refcount.h>
#include <linux/scatterlist.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "compat.h"
#include "logic.h"

#define HSM_ADMIN_DEPTH		32
/* Slots of the admin queue that only the driver's own care may take. */
#define HSM_ADMIN_RESERVE	6

/*
 * DMA memory that each slot has for good: a small request and its answer, or else
 * the segment lists of a large one, one behind the other.
 */
#define HSM_SLOT_AREA		8192
#define HSM_SLOT_SEGS		(HSM_SLOT_AREA / sizeof(struct pciehsm_seg))
#define HSM_SLOT_ALIGN		64

#define HSM_TICK_MS		1000	/* watchdog, while anything is in flight */
#define HSM_GONE_MS		500	/* all ones for that long: it is not coming back */
#define HSM_TIMEOUT_MAX_MS	3600000U /* that anybody may ask for */
#define HSM_POLITE_MS		1000U	/* for the card to end queues in an orderly reset */
#define HSM_STORM_WINDOW_MS	3600000ULL
#define HSM_START_TRIES		3	/* if the machine is migrated meanwhile */

#define HSM_EVENTS		64	/* that a reader may fall behind */
#define HSM_HISTORY		16	/* changes of state that a dump tells of */

struct hsm_queue;
struct hsm_node;

enum hsm_slot_state {
	HSM_SLOT_FREE,
	HSM_SLOT_OWNED,		/* taken, not sent */
	HSM_SLOT_SENT,		/* the card has it and somebody waits */
	HSM_SLOT_ASYNC,		/* the card has it and nobody waits: @finish will run in a worker */
	HSM_SLOT_CALL,		/* the same, but @finish runs at once, even in an interrupt */
	HSM_SLOT_CLAIMED,	/* its completion is being written down */
	HSM_SLOT_DONE,
};

enum hsm_abort_state {
	HSM_ABORT_NO,
	HSM_ABORT_WANTED,
	HSM_ABORT_SENT,
};

/**
 * struct hsm_slot - a place for one command of a queue
 * @queue:	its queue
 * @index:	its number there
 * @gen:	counts its uses; part of the command id
 * @used:	it has been taken at least once
 * @state:	enum hsm_slot_state
 * @timed_out:	its time is over (watchdog; queue->lock)
 * @abort:	enum hsm_abort_state (watchdog, or who stops waiting; queue->lock, or
 *		owned by who waits)
 * @timeout:	jiffies that the card may be silent; 0: for ever
 * @deadline:	jiffies; valid while sent and @timeout is not 0
 * @err:	0, or the errno that the driver gave it; then @status says nothing
 * @status:	of the completion
 * @result:	of the completion
 * @result2:	of the completion
 * @gen_resets:	ctrl->resets when it was sent
 * @sqe:	what to send
 * @area:	HSM_SLOT_AREA bytes of DMA memory, all zero while the slot is free
 * @area_dma:	their bus address
 * @wipe:	how many of them may hold something
 * @done:	completed when the command is over, if it was HSM_SLOT_SENT
 * @work:	runs @finish when the command is over, if it was HSM_SLOT_ASYNC
 * @finish:	owns the slot then and gives it back
 * @priv:	for @finish. While the command is in flight it tells whose it is
 *		(queue->lock).
 */
struct hsm_slot {
	struct hsm_queue	*queue;
	u16			index;
	u8			gen;
	bool			used;
	atomic_t		state;
	bool			timed_out;
	int			abort;
	unsigned long		timeout;
	unsigned long		deadline;
	int			err;
	u16			status;
	u32			result;
	u32			result2;
	u32			gen_resets;
	struct pciehsm_sqe	sqe;
	void			*area;
	dma_addr_t		area_dma;
	size_t			wipe;
	struct completion	done;
	struct work_struct	work;
	void			(*finish)(struct hsm_slot *slot);
	void			*priv;
};

/**
 * struct hsm_queue - a submission queue and its completion queue
 * @ctrl:	the card
 * @qid:	0 is the admin queue
 * @depth:	entries of each ring
 * @nslots:	@depth - 1, so that the submission ring can not be full
 * @vector:	index of the interrupt
 * @irq:	its number
 * @irq_on:	not disabled by quiesce (shutdown_lock)
 * @name:	of the interrupt
 * @lock:	guards the submission side
 * @open:	commands may be sent (written under @lock)
 * @sq:		ring
 * @sq_dma:	its bus address
 * @sq_tail:	where the next entry goes
 * @sq_rung:	the tail that the card was told last
 * @sq_db:	its tail doorbell
 * @reserve:	slots that only the driver's own care may take
 * @nfree:	free slots that nobody has counted himself in for
 * @busy:	bitmap of the slots that are taken; at least @nfree bits are clear
 * @wait:	for a free slot
 * @poll_lock:	one reader of the completion ring outside its interrupt
 * @cq:		ring
 * @cq_dma:	its bus address
 * @cq_head:	next entry to look at
 * @cq_phase:	phase of a new entry there
 * @sq_head:	the card has read that far, as the last completion told
 * @cq_db:	its head doorbell
 * @slots:	@nslots of them
 */
struct hsm_queue {
	struct hsm_ctrl		*ctrl;
	u16			qid;
	u16			depth;
	u16			nslots;
	u16			vector;
	int			irq;
	bool			irq_on;
	char			name[24];

	spinlock_t		lock;		/* submission side */
	bool			open;
	struct pciehsm_sqe	*sq;
	dma_addr_t		sq_dma;
	u16			sq_tail;
	u16			sq_rung;
	void __iomem		*sq_db;
	u16			reserve;
	atomic_t		nfree;
	unsigned long		*busy;
	wait_queue_head_t	wait;

	struct mutex		poll_lock ____cacheline_aligned_in_smp;
	struct pciehsm_cqe	*cq;
	dma_addr_t		cq_dma;
	u16			cq_head;
	u16			cq_phase;
	u16			sq_head;
	void __iomem		*cq_db;

	struct hsm_slot		slots[];
};

/* What went wrong and was dealt with; shown in debugfs. */
struct hsm_counters {
	atomic64_t	cqe_unknown;
	atomic64_t	cqe_stale;
	atomic64_t	cqe_duplicate;
	atomic64_t	bad_sq_head;
	atomic64_t	missed_irqs;
	atomic64_t	timeouts;
	atomic64_t	aborts;
	atomic64_t	orphans;
};

/* Faults that a test has asked for in debugfs: how many more of them. */
struct hsm_inject {
	atomic_t	drop_irqs;	/* interrupts that nobody hears of */
	atomic_t	fail_submits;	/* I/O commands that are not sent */
};

/* One change of state. */
struct hsm_history {
	u64			at;	/* ms, as CLOCK_MONOTONIC */
	enum pciehsm_state	to;
};

/**
 * struct hsm_ctrl - one card
 * @ref:	see above
 * @pdev:	the PCI function; not to be touched after remove
 * @id:		number in the nodes' names
 * @bar:	registers
 * @ready_ms:	longest time for CSTS.RDY to change
 * @io_depth:	entries of an I/O queue
 * @max_msg:	greatest message, bytes
 * @max_seg:	greatest piece of memory that is mapped at once, bytes
 * @lock:	guards what follows up to @event_wq, and the labels of the nodes
 * @state:	enum pciehsm_state; read without the lock by READ_ONCE
 * @held:	HSM_HELD_*: who wants the card to stay in RESETTING
 * @storm_tick:	the next reset is one that counts for @storm
 * @migrated:	the start under way has failed for that and no other reason
 * @storm:	when the last resets were
 * @resets:	how many
 * @history:	the last changes of state; a ring
 * @history_n:	how many there were
 * @ident:	what the card said of itself
 * @state_wq:	woken when the state changes
 * @event_wq:	woken when there is an event for a reader, or the state changes
 * @shutdown_lock: see above
 * @vectors:	granted interrupt vectors
 * @nr_queues:	allocated queues, the admin queue among them
 * @nr_io:	I/O queues in use
 * @queues:	by number
 * @cpu_queue:	number of the I/O queue for each CPU
 * @users:	slots that are taken
 * @users_gone:	completed when there are no more of them
 * @watchdog:	looks after commands that are late
 * @gone_since:	jiffies since when the card reads as all ones, 0: it does not
 * @watchdog_lock: guards @watchdog_at
 * @watchdog_at: jiffies at which the watchdog runs next, if it is pending
 * @naborts:	aborts outstanding
 * @reset_work:	resets and starts the card
 * @event_work:	handles events and keeps the nodes
 * @notify_work: tells userspace of a new state
 * @event:	the last one, if @event_valid
 * @event_valid: @event_work has not seen it
 * @event_sent:	PCIEHSM_ADMIN_EVENT is outstanding
 * @event_broken: the card refused it
 * @rescan:	the list of partitions may have changed
 * @catch_up:	events may have been lost in a reset
 * @list:	room for the list of partitions
 * @list_dma:	its bus address
 * @scan_lock:	guards @nodes
 * @nodes:	all nodes, the card's first
 * @card_node:	the card's, or NULL
 * @ctx_lock:	guards @ctxs and the events of each
 * @ctxs:	open files
 * @ctx_numbers: their numbers
 * @ctx_next:	where the search for a number goes on
 * @counters:	see there
 * @inject:	see there
 * @debugfs:	directory
 * @hwmon:	sensors, or NULL
 * @hwrng:	random numbers, or NULL
 * @dumped:	a dump was taken (reset_work) ...
 * @dumped_at:	... at this time, jiffies
 */
struct hsm_ctrl {
	struct kref		ref;
	struct pci_dev		*pdev;
	int			id;
	void __iomem		*bar;
	u32			ready_ms;
	u16			io_depth;
	u32			max_msg;
	size_t			max_seg;

	spinlock_t		lock;		/* down to @event_wq */
	enum pciehsm_state	state;
	unsigned int		held;
	bool			storm_tick;
	bool			migrated;
	struct hsm_storm	storm;
	u32			resets;
	struct hsm_history	history[HSM_HISTORY];
	unsigned int		history_n;
	struct pciehsm_identify	ident;

	wait_queue_head_t	state_wq;
	wait_queue_head_t	event_wq;

	struct mutex		shutdown_lock;	/* see "Locks" */
	unsigned int		vectors;
	unsigned int		nr_queues;
	unsigned int		nr_io;
	struct hsm_queue	*queues[PCIEHSM_MAX_IO_QUEUES + 1];
	u8			*cpu_queue;

	struct percpu_ref	users;
	struct completion	users_gone;

	struct delayed_work	watchdog;
	unsigned long		gone_since;
	spinlock_t		watchdog_lock;	/* @watchdog_at */
	unsigned long		watchdog_at;
	atomic_t		naborts;

	struct work_struct	reset_work;
	struct work_struct	event_work;
	struct work_struct	notify_work;
	struct pciehsm_event	event;
	bool			event_valid;
	bool			event_sent;
	bool			event_broken;
	bool			rescan;
	bool			catch_up;
	struct pciehsm_partition *list;
	dma_addr_t		list_dma;

	struct mutex		scan_lock;	/* @nodes */
	struct list_head	nodes;
	struct hsm_node		*card_node;

	spinlock_t		ctx_lock;	/* @ctxs, their events */
	struct list_head	ctxs;
	struct xarray		ctx_numbers;
	u32			ctx_next;

	struct hsm_counters	counters;
	struct hsm_inject	inject;
	struct dentry		*debugfs;
	struct hsm_hwmon	*hwmon;
	struct hsm_hwrng	*hwrng;
	bool			dumped;
	unsigned long		dumped_at;
};

/**
 * struct hsm_node - one character device
 * @dev:	its memory goes with the last reference to this
 * @cdev:	its operations
 * @ctrl:	the card
 * @entry:	in ctrl->nodes (scan_lock)
 * @index:	in the node's name; 0 is the card itself
 * @number:	of the partition; 0 is the card itself
 * @flags:	PCIEHSM_PART_*
 * @serial:	NUL terminated
 * @label:	NUL terminated, printable (ctrl->lock)
 * @gone:	removed; files on it answer ENODEV
 * @outstanding: messages that were taken and are not answered, of all files on it
 */
struct hsm_node {
	struct device		dev;
	struct cdev		cdev;
	struct hsm_ctrl		*ctrl;
	struct list_head	entry;
	u32			index;
	u32			number;
	u32			flags;
	char			serial[PCIEHSM_SERIAL_LEN + 1];
	char			label[PCIEHSM_LABEL_LEN + 1];
	bool			gone;
	atomic_t		outstanding;
};

/**
 * struct hsm_ctx - one open file
 * @ref:	the file holds one reference, each command in flight another
 * @node:	what was opened; referenced
 * @number:	the card's name for it, never 0
 * @used:	the card may know it ...
 * @used_resets: ... unless ctrl->resets has changed from this since
 * @entry:	in ctrl->ctxs, while the file is open
 * @read_lock:	one reader at a time
 * @ev_first:	oldest event (ctrl->ctx_lock)
 * @ev_n:	events waiting (ctrl->ctx_lock)
 * @ev_lost:	some were dropped (ctrl->ctx_lock)
 * @events:	ring
 */
struct hsm_ctx {
	struct kref		ref;
	struct hsm_node		*node;
	u32			number;
	bool			used;
	u32			used_resets;
	struct list_head	entry;
	struct mutex		read_lock;	/* one reader at a time */
	unsigned int		ev_first;
	unsigned int		ev_n;
	bool			ev_lost;
	struct pciehsm_event	events[HSM_EVENTS];
};

/* pci.c */
extern struct workqueue_struct *hsm_wq;
extern unsigned int hsm_timeout_ms;
extern unsigned int hsm_abort_timeout_ms;
extern unsigned int hsm_admin_timeout_ms;
extern unsigned int hsm_reset_limit;
extern unsigned int hsm_max_queues;
void hsm_ctrl_put(struct hsm_ctrl *ctrl);

static inline struct hsm_ctrl *hsm_ctrl_get(struct hsm_ctrl *ctrl)
{
	kref_get(&ctrl->ref);
	return ctrl;
}

/* ctrl.c */
#define HSM_QUIESCE_POLITE	BIT(0)	/* let the card end its queues first */
#define HSM_QUIESCE_SHUTDOWN	BIT(1)	/* and make everything durable */

#define HSM_HELD_AER		BIT(0)	/* PCI error recovery */
#define HSM_HELD_FLR		BIT(1)	/* reset by somebody else, as through sysfs */
#define HSM_HELD_PM		BIT(2)	/* suspend, shutdown */

bool hsm_ctrl_change_state(struct hsm_ctrl *ctrl, enum pciehsm_state to);
void hsm_ctrl_quiesce(struct hsm_ctrl *ctrl, unsigned int how, int err);
int hsm_ctrl_start(struct hsm_ctrl *ctrl);
void hsm_ctrl_reset(struct hsm_ctrl *ctrl, const char *why, bool fault);
u32 hsm_ctrl_fatal(struct hsm_ctrl *ctrl);
void hsm_ctrl_kill(struct hsm_ctrl *ctrl, const char *why);
bool hsm_ctrl_hold(struct hsm_ctrl *ctrl, unsigned int who, unsigned int how);
void hsm_ctrl_unhold(struct hsm_ctrl *ctrl, unsigned int who);
void hsm_reset_work(struct work_struct *work);
void hsm_notify_work(struct work_struct *work);

static inline enum pciehsm_state hsm_ctrl_state(struct hsm_ctrl *ctrl)
{
	return READ_ONCE(ctrl->state);
}

static inline bool hsm_ctrl_gone(struct hsm_ctrl *ctrl)
{
	return hsm_state_terminal(hsm_ctrl_state(ctrl));
}

/* Queues that exist; those below this number are whole. */
static inline unsigned int hsm_ctrl_queues(struct hsm_ctrl *ctrl)
{
	/* Pairs with the release in hsm_ctrl_alloc_io(). */
	return smp_load_acquire(&ctrl->nr_queues);
}

/* queue.c */
struct hsm_queue *hsm_queue_alloc(struct hsm_ctrl *ctrl, u16 qid, u16 depth, u16 vector);
void hsm_queue_free(struct hsm_queue *q);
void hsm_queue_init(struct hsm_queue *q);
void hsm_queue_open(struct hsm_queue *q);
void hsm_queue_close(struct hsm_queue *q);
void hsm_queue_stop(struct hsm_queue *q);
void hsm_queue_fail(struct hsm_queue *q, int err);
unsigned int hsm_queue_poll(struct hsm_queue *q);

/* slot.c */
#define HSM_SLOT_CARE		BIT(0)	/* may take the reserve, does not wait */
#define HSM_SLOT_NOSIGNAL	BIT(1)	/* signals do not end the wait */
#define HSM_SLOT_NOWAIT		BIT(2)	/* does not wait */

struct hsm_slot *hsm_slot_get(struct hsm_ctrl *ctrl, unsigned int qid, unsigned int how,
			      unsigned long *left);
int hsm_slot_submit(struct hsm_slot *slot, unsigned long timeout);
int hsm_slot_submit_async(struct hsm_slot *slot, unsigned long timeout,
			  void (*finish)(struct hsm_slot *slot), void *priv);
int hsm_slot_submit_call(struct hsm_slot *slot, unsigned long timeout,
			 void (*finish)(struct hsm_slot *slot), void *priv, u32 *resets);
void hsm_slot_cancel(struct hsm_slot *slot, const void *priv);
int hsm_slot_wait(struct hsm_slot *slot, void (*finish)(struct hsm_slot *slot), void *priv);
int hsm_slot_result(const struct hsm_slot *slot, enum pciehsm_outcome *outcome);
void hsm_slot_put(struct hsm_slot *slot);
bool hsm_slot_claim(struct hsm_slot *slot, enum hsm_slot_state *how);
void hsm_slot_complete(struct hsm_slot *slot, enum hsm_slot_state how);
void hsm_slot_work(struct work_struct *work);

static inline bool hsm_slot_inflight(const struct hsm_slot *slot)
{
	/* With what was written before the command was sent. */
	int state = atomic_read_acquire(&slot->state);

	return state == HSM_SLOT_SENT || state == HSM_SLOT_ASYNC || state == HSM_SLOT_CALL;
}

/* cmd.c */
int hsm_admin(struct hsm_ctrl *ctrl, struct pciehsm_sqe *sqe, u32 *result,
	      void *out, size_t out_len);
int hsm_admin_identify(struct hsm_ctrl *ctrl, struct pciehsm_identify *id);
int hsm_admin_set_queues(struct hsm_ctrl *ctrl, unsigned int want);
int hsm_admin_create_queue(struct hsm_queue *q);
int hsm_admin_partitions(struct hsm_ctrl *ctrl);
void hsm_admin_context_close(struct hsm_ctrl *ctrl, struct hsm_ctx *ctx);
bool hsm_abort_send(struct hsm_queue *q, u16 cid);

/* watchdog.c */
void hsm_watchdog(struct work_struct *work);
void hsm_watchdog_kick(struct hsm_ctrl *ctrl, unsigned long timeout);

/* dma.c */
/**
 * struct hsm_pages - memory of a process, held by its pages and not by its addresses
 * @pages:	the pages, @few or allocated; NULL: empty, and but for @n nothing is valid
 * @n:		how many
 * @offset:	of the memory in the first of them
 * @len:	bytes
 * @pinned:	by us, and to be unpinned; else io_uring holds them
 * @write:	they are written to
 * @few:	room for what a small message needs
 */
struct hsm_pages {
	struct page		**pages;
	unsigned int		n;
	unsigned int		offset;
	size_t			len;
	bool			pinned;
	bool			write;
	struct page		*few[HSM_SLOT_AREA / PAGE_SIZE + 1];
};

static inline void hsm_pages_init(struct hsm_pages *p)
{
	p->pages = NULL;
	p->n = 0;
}

struct iov_iter;
int hsm_pages_pin(struct hsm_pages *p, u64 addr, size_t len, bool write);
int hsm_pages_import(struct hsm_pages *p, const struct iov_iter *iter, bool write);
void hsm_pages_read(const struct hsm_pages *p, void *to, size_t len);
void hsm_pages_write(const struct hsm_pages *p, const void *from, size_t len);
void hsm_pages_put(struct hsm_pages *p);

/**
 * struct hsm_dma - one direction of a large message
 * @buf:	kernel memory, or NULL: the pages belong to a process
 * @len:	size of @buf, whole pages
 * @sgt:	the pages
 * @dir:	DMA_TO_DEVICE or DMA_FROM_DEVICE
 * @mapped:	the card may reach it
 */
struct hsm_dma {
	void			*buf;
	size_t			len;
	struct sg_table		sgt;
	enum dma_data_direction	dir;
	bool			mapped;
};

int hsm_dma_alloc(struct hsm_ctrl *ctrl, struct hsm_dma *d, size_t len,
		  enum dma_data_direction dir);
int hsm_dma_pages(struct hsm_ctrl *ctrl, struct hsm_dma *d, const struct hsm_pages *p);
int hsm_dma_map(struct hsm_ctrl *ctrl, struct hsm_dma *d, size_t len, struct hsm_slot *slot,
		unsigned int *seg, struct pciehsm_dptr *dptr);
void hsm_dma_unmap(struct hsm_ctrl *ctrl, struct hsm_dma *d);
void hsm_dma_free(struct hsm_dma *d);

/* msg.c */
struct hsm_msg;

/**
 * struct hsm_msg_args - what a caller wants to have sent, from either path
 * @in:		user address of the request
 * @out:	user address of the room for the answer
 * @in_len:	bytes
 * @out_len:	bytes
 * @in_fixed:	the request lies in this registered memory, or NULL
 * @out_fixed:	so does the room for the answer, or NULL
 * @no_user:	the answer must reach its room without a user address being used
 */
struct hsm_msg_args {
	u64			in;
	u64			out;
	u32			in_len;
	u32			out_len;
	const struct iov_iter	*in_fixed;
	const struct iov_iter	*out_fixed;
	bool			no_user;
};

int hsm_msg(struct hsm_ctx *ctx, bool writable, struct pciehsm_ioc_msg *arg);
int hsm_nop(struct hsm_ctx *ctx);
struct hsm_msg *hsm_msg_new(struct hsm_ctx *ctx, const struct hsm_msg_args *args,
			    bool writable);
void hsm_msg_free(struct hsm_msg *msg);
int hsm_msg_fill(struct hsm_msg *msg, struct hsm_slot *slot);
void hsm_msg_unfill(struct hsm_msg *msg, struct hsm_slot *slot);
int hsm_msg_result(struct hsm_msg *msg, struct hsm_slot *slot, enum pciehsm_outcome *outcome);
struct hsm_slot *hsm_io_slot(struct hsm_ctx *ctx, unsigned int how, unsigned long *left);
void hsm_ctx_note_use(struct hsm_ctx *ctx, u32 resets);

/* A command's timeout in jiffies, as a caller gives it; as limited as the parameter */
static inline unsigned long hsm_msg_timeout(u32 ms)
{
	return max(1UL, msecs_to_jiffies(min(ms ?: READ_ONCE(hsm_timeout_ms),
						 HSM_TIMEOUT_MAX_MS)));
}

/* uring.c */
int hsm_uring_cmd(struct io_uring_cmd *ioucmd, unsigned int issue_flags);

/* cdev.c */
extern const struct file_operations hsm_fops;
void hsm_ctx_put(struct hsm_ctx *ctx);

static inline bool hsm_ctx_gone(struct hsm_ctx *ctx)
{
	return READ_ONCE(ctx->node->gone) || hsm_ctrl_gone(ctx->node->ctrl);
}

/* node.c */
int hsm_nodes_init(void);
void hsm_nodes_exit(void);
int hsm_nodes_add_card(struct hsm_ctrl *ctrl);
void hsm_nodes_scan(struct hsm_ctrl *ctrl, u32 count);
void hsm_nodes_refresh_card(struct hsm_ctrl *ctrl);
void hsm_nodes_remove(struct hsm_ctrl *ctrl, bool card_too);
u32 hsm_nodes_index(struct hsm_ctrl *ctrl, u32 number);

/* events.c */
void hsm_event_work(struct work_struct *work);
void hsm_event_kick(struct hsm_ctrl *ctrl, bool lost);
bool hsm_event_waiting(struct hsm_ctx *ctx);
ssize_t hsm_event_read(struct hsm_ctx *ctx, char __user *buf, size_t len, bool nonblock);

/* sysfs.c */
extern const struct attribute_group *hsm_card_groups[];
extern const struct attribute_group *hsm_partition_groups[];

/* debugfs.c */
DECLARE_STATIC_KEY_FALSE(hsm_inject_key);

/* Is this one of those that are to fail? Costs nothing before the first was asked for. */
static inline bool hsm_inject(atomic_t *left)
{
	return static_branch_unlikely(&hsm_inject_key) && atomic_dec_if_positive(left) >= 0;
}

void hsm_debugfs_init(void);
void hsm_debugfs_exit(void);
void hsm_debugfs_add(struct hsm_ctrl *ctrl);
void hsm_debugfs_remove(struct hsm_ctrl *ctrl);

/* hwmon.c */
#if IS_ENABLED(CONFIG_HWMON)
void hsm_hwmon_add(struct hsm_ctrl *ctrl);
void hsm_hwmon_kick(struct hsm_ctrl *ctrl);
void hsm_hwmon_remove(struct hsm_ctrl *ctrl);
#else
static inline void hsm_hwmon_add(struct hsm_ctrl *ctrl) { }
static inline void hsm_hwmon_kick(struct hsm_ctrl *ctrl) { }
static inline void hsm_hwmon_remove(struct hsm_ctrl *ctrl) { }
#endif

/* hwrng.c */
#if IS_ENABLED(CONFIG_HW_RANDOM)
void hsm_hwrng_add(struct hsm_ctrl *ctrl);
void hsm_hwrng_kick(struct hsm_ctrl *ctrl);
void hsm_hwrng_remove(struct hsm_ctrl *ctrl);
#else
static inline void hsm_hwrng_add(struct hsm_ctrl *ctrl) { }
static inline void hsm_hwrng_kick(struct hsm_ctrl *ctrl) { }
static inline void hsm_hwrng_remove(struct hsm_ctrl *ctrl) { }
#endif

/* coredump.c */
#if IS_ENABLED(CONFIG_DEV_COREDUMP)
void hsm_coredump_take(struct hsm_ctrl *ctrl);
void hsm_coredump_drop(struct hsm_ctrl *ctrl);
#else
static inline void hsm_coredump_take(struct hsm_ctrl *ctrl) { }
static inline void hsm_coredump_drop(struct hsm_ctrl *ctrl) { }
#endif

#endif /* HSM_H */
