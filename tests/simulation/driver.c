// SPDX-License-Identifier: GPL-2.0-or-later
/* What the driver is to a simulated process: its open files, messages, the bus. See card.h. */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card.h"
#include "faults.h"
#include "guess.h"
#include "sched.h"

#define DEFAULT_TIMEOUT	2000000
#define FILES_MAX	1024

struct file {
	struct pciehsm_transport base;
	bool			used;
	int			process;
	struct card		*card;
	unsigned int		life;
	unsigned int		resets;		/* as last told */
	uint32_t		partition;
	uint32_t		context;
};

struct bus {
	struct pciehsm_bus	base;
	int			process;
	uint64_t		seen;
	bool			woken;
};

static struct file *files;

static bool is_there(const struct file *file)
{
	struct hsm_fw_partition list[4];
	unsigned int n, i;

	if (!file->card->present || file->card->life != file->life)
		return false;
	if (!file->partition)
		return true;
	n = hsm_fw_partitions(file->card->fw, list, 4);
	for (i = 0; i < n && i < 4; i++)
		if (list[i].number == file->partition)
			return true;
	return false;
}

/* ---- messages ---- */

static int execute(struct file *file, const void *in, size_t in_len, void *out, size_t out_size,
		   size_t *out_len)
{
	struct hsm_fw_request req = {
		.partition = file->partition,
		.context = file->context,
		.in = in,
		.in_len = in_len,
		.out = out,
		.out_size = out_size,
	};

	hsm_fw_execute(file->card->fw, &req);
	*out_len = req.out_len;
	switch (req.status) {
	case HSM_FW_ANSWERED:
		return 0;
	case HSM_FW_NO_PARTITION:
		return -ENODEV;
	case HSM_FW_CONTEXT_LIMIT:
		return -ENOMEM;
	default:
		return -EINVAL;
	}
}

static uint32_t op_of(const void *in)
{
	return le32toh(((const struct pciehsm_msg *)in)->op);
}

static void count(const struct file *file, const void *in, const void *out, bool lost)
{
	const unsigned int card = (unsigned int)(file->card - cards);
	const CK_RV rv = le32toh(((const struct pciehsm_msg *)out)->rv);

	if (op_of(in) == PCIEHSM_OP_ROLE_INFO && !lost)
		guess_told(file->process, card);
	if (op_of(in) != PCIEHSM_OP_LOGIN || rv != CKR_PIN_INCORRECT)
		return;
	machine_counts.refused++;
	machine_counts.untold += guess_refused(file->process, card, lost);
	sim_log("card %u: refuses a password%s", card, lost ? ", and nobody hears" : "");
}

static int lose(struct file *file, const void *in, const char *how, int err)
{
	machine_counts.lost++;
	sim_log("card %d: message %05x lost: %s", (int)(file->card - cards), op_of(in) & 0xffff,
		how);
	return err;
}

/*
 * On a card whose disk fails now and then, or whose power fails at the next write: from then on
 * nothing of it is written, and it is off.
 */
static int execute_on(struct file *file, const void *in, size_t in_len, void *out,
		      size_t out_size, size_t *out_len)
{
	struct card *card = file->card;
	int err;

	if (card->power_fails)
		faults_arm(sim_chance(2) ? FAULT_KILL : FAULT_TORN, 1 + sim_random(8));
	else if (card->bad_writes && sim_chance(card->bad_writes))
		faults_arm(FAULT_ERROR, 1 + sim_random(6));
	err = execute(file, in, in_len, out, out_size, out_len);
	if (!faults_happened()) {
		faults_arm(FAULT_NONE, 0);
		return err;
	}
	machine_counts.bad_writes++;
	sim_log("card %d: a write of message %05x fails%s", (int)(card - cards),
		op_of(in) & 0xffff, card->power_fails ? ", the power is gone" : "");
	if (card->power_fails)
		card_switch_off(card);
	faults_arm(FAULT_NONE, 0);
	return err;
}

/* Execute it, but let nobody know the answer. */
static void execute_unseen(struct file *file, const void *in, size_t in_len, size_t out_size)
{
	void *out = malloc(out_size);
	size_t len;

	if (!execute_on(file, in, in_len, out, out_size, &len))
		count(file, in, out, true);
	free(out);
}

static int time_out(struct file *file, const void *in, size_t in_len, size_t out_size,
		    unsigned int timeout_ms, enum pciehsm_outcome *outcome)
{
	bool done = sim_chance(2);

	*outcome = PCIEHSM_OUTCOME_UNKNOWN;
	if (done)
		execute_unseen(file, in, in_len, out_size);
	sim_sleep(timeout_ms ? timeout_ms * UINT64_C(1000) : DEFAULT_TIMEOUT);
	file->resets = file->card->resets;
	return lose(file, in, done ? "timed out, executed" : "timed out", -ETIMEDOUT);
}

static int fault(struct file *file, const void *in, size_t in_len, size_t out_size,
		 unsigned int timeout_ms, enum pciehsm_outcome *outcome)
{
	switch (sim_random(4)) {
	case 0:
		return lose(file, in, "card fault", -EIO);
	case 1:
		*outcome = PCIEHSM_OUTCOME_NOT_EXECUTED;
		return lose(file, in, "aborted", -ECANCELED);
	case 2:
		*outcome = PCIEHSM_OUTCOME_UNKNOWN;
		execute_unseen(file, in, in_len, out_size);
		return lose(file, in, "aborted, executed", -ECANCELED);
	default:
		return time_out(file, in, in_len, out_size, timeout_ms, outcome);
	}
}

static int message(struct pciehsm_transport *t, const void *in, size_t in_len, void *out,
		   size_t out_size, size_t *out_len, unsigned int timeout_ms,
		   enum pciehsm_outcome *outcome)
{
	struct file *file = (struct file *)t;
	struct card *card = file->card;
	unsigned int resets;
	int err;

	*outcome = PCIEHSM_OUTCOME_NOT_EXECUTED;
	machine_counts.messages++;
	sim_sleep(20 + sim_random(200));
	if (!is_there(file))
		return lose(file, in, "no card", -ENODEV);
	if (card->hung_until > sim_now())
		return time_out(file, in, in_len, out_size, timeout_ms, outcome);
	if (card->lose_op && card->lose_op == op_of(in)) {
		card->lose_op = 0;
		*outcome = PCIEHSM_OUTCOME_UNKNOWN;
		execute_unseen(file, in, in_len, out_size);
		return lose(file, in, "aborted, executed", -ECANCELED);
	}
	if (card->one_in && sim_chance(card->one_in))
		return fault(file, in, in_len, out_size, timeout_ms, outcome);
	resets = card->resets;
	err = execute_on(file, in, in_len, out, out_size, out_len);
	sim_sleep(20 + sim_random(500));
	if (card->present && card->pull_op && card->pull_op == op_of(in))
		machine_pull((unsigned int)(card - cards));
	if (!err)
		count(file, in, out, !card->present || card->life != file->life ||
		      card->resets != resets);
	if (!card->present || card->life != file->life) {
		*outcome = PCIEHSM_OUTCOME_UNKNOWN;
		return lose(file, in, "card has gone before it answered", -ENODEV);
	}
	file->resets = card->resets;
	if (card->resets != resets) {
		*outcome = PCIEHSM_OUTCOME_UNKNOWN;
		return lose(file, in, "reset before it answered", -ECANCELED);
	}
	if (!err)
		*outcome = PCIEHSM_OUTCOME_DONE;
	return err;
}

static int is_alive(struct pciehsm_transport *t)
{
	return is_there((struct file *)t) ? 0 : -ENODEV;
}

static unsigned int resets(struct pciehsm_transport *t)
{
	return ((struct file *)t)->resets;
}

static int event_fd(struct pciehsm_transport *t)
{
	(void)t;
	return -1;
}

static void file_close(struct pciehsm_transport *t)
{
	struct file *file = (struct file *)t;

	if (file->card->present && file->card->life == file->life)
		hsm_fw_context_close(file->card->fw, file->context);
	file->used = false;
}

static const struct pciehsm_transport_ops transport_ops = {
	.message = message,
	.alive = is_alive,
	.resets = resets,
	.event_fd = event_fd,
	.close = file_close,
};

static struct file *file_open(struct card *card, uint32_t partition, int process)
{
	struct file *file = NULL;
	int i;

	for (i = 0; i < FILES_MAX && !file; i++)
		if (!files[i].used)
			file = &files[i];
	if (!file)
		card_die("files", "too many are open");
	memset(file, 0, sizeof(*file));
	file->base.ops = &transport_ops;
	file->base.max_msg = PCIEHSM_MSG_MAX;
	file->used = true;
	file->process = process;
	file->card = card;
	file->life = card->life;
	file->resets = card->resets;
	file->partition = partition;
	file->context = ++card->contexts;
	return file;
}

/* ---- past all scheduling ---- */

static int direct_message(struct pciehsm_transport *t, const void *in, size_t in_len, void *out,
			  size_t out_size, size_t *out_len, unsigned int timeout_ms,
			  enum pciehsm_outcome *outcome)
{
	int err = execute((struct file *)t, in, in_len, out, out_size, out_len);

	(void)timeout_ms;
	*outcome = err ? PCIEHSM_OUTCOME_NOT_EXECUTED : PCIEHSM_OUTCOME_DONE;
	return err;
}

static const struct pciehsm_transport_ops direct_ops = {
	.message = direct_message,
	.alive = is_alive,
	.resets = resets,
	.event_fd = event_fd,
	.close = file_close,
};

struct pciehsm_transport *card_direct(struct card *card, uint32_t partition)
{
	struct file *file = file_open(card, partition, -1);

	file->base.ops = &direct_ops;
	return &file->base;
}

/* ---- bus ---- */

static int bus_list(struct pciehsm_bus *bus, struct pciehsm_device **out)
{
	struct pciehsm_device *list = calloc(2 * CARDS_MAX + 1, sizeof(*list));
	unsigned int i;
	int n = 0;

	(void)bus;
	for (i = 0; i < n_cards; i++) {
		struct hsm_fw_partition part;
		struct pciehsm_device *d;

		if (!cards[i].present)
			continue;
		d = &list[n++];
		snprintf(d->serial, sizeof(d->serial), "%d", SERIAL_BASE + i);
		snprintf(d->hsm_serial, sizeof(d->hsm_serial), "%s", d->serial);
		d->card = i;
		if (!hsm_fw_partitions(cards[i].fw, &part, 1))
			continue;
		d = &list[n++];
		*d = *(d - 1);
		snprintf(d->serial, sizeof(d->serial), "%s", part.serial);
		snprintf(d->label, sizeof(d->label), "%.32s", part.label);
		d->index = part.index;
		d->number = part.number;
	}
	*out = list;
	return n;
}

static int bus_open(struct pciehsm_bus *bus, const char *serial, struct pciehsm_transport **t)
{
	unsigned int i;

	sim_yield();
	for (i = 0; i < n_cards; i++) {
		if (!cards[i].present || !*cards[i].serial || strcmp(cards[i].serial, serial))
			continue;
		*t = &file_open(&cards[i], cards[i].number, ((struct bus *)bus)->process)->base;
		return 0;
	}
	return -ENODEV;
}

static bool bus_watch(struct pciehsm_bus *bus, unsigned int timeout_ms)
{
	struct bus *b = (struct bus *)bus;
	uint64_t deadline = sim_now() + (uint64_t)timeout_ms * 1000;

	while (!b->woken) {
		if (b->seen != card_changes) {
			b->seen = card_changes;
			return true;
		}
		if (!sim_wait(&card_changes, deadline) && sim_now() >= deadline)
			return false;
	}
	b->woken = false;
	return false;
}

static void bus_wake(struct pciehsm_bus *bus)
{
	((struct bus *)bus)->woken = true;
	sim_wake(&card_changes);
}

static void bus_close(struct pciehsm_bus *bus)
{
	free(bus);
}

static const struct pciehsm_bus_ops bus_ops = {
	.list = bus_list,
	.open = bus_open,
	.watch = bus_watch,
	.wake = bus_wake,
	.close = bus_close,
};

struct pciehsm_bus *machine_bus(int process)
{
	struct bus *bus = calloc(1, sizeof(*bus));

	bus->base.ops = &bus_ops;
	bus->process = process;
	bus->seen = card_changes;
	return &bus->base;
}

void machine_killed(int process)
{
	int i;

	for (i = 0; i < FILES_MAX; i++)
		if (files[i].used && files[i].process == process)
			file_close(&files[i].base);
	guess_killed(process);
}

void card_files_reset(void)
{
	if (!files)
		files = calloc(FILES_MAX, sizeof(*files));
	memset(files, 0, FILES_MAX * sizeof(*files));
}
