// SPDX-License-Identifier: GPL-2.0-or-later
/* The simulated machine. See machine.h. */
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pciehsm-firmware.h>

#include "disk.h"
#include "faults.h"
#include "guess.h"
#include "machine.h"
#include "sched.h"

#define SERIAL_BASE	1000
#define PARTITION_BASE	500001
#define DEFAULT_TIMEOUT	2000000
#define FILES_MAX	1024

struct card {
	char			path[512];
	struct hsm_fw		*fw;
	bool			present;
	unsigned int		life;
	unsigned int		resets;
	uint32_t		contexts;
	uint64_t		hung_until;
	bool			reset_after;
	unsigned int		one_in;
	uint32_t		lose_op;	/* the answer to the next of these */
	uint32_t		pull_op;	/* it is pulled out before it answers one of these */
	unsigned int		bad_writes;	/* one message in so many */
	bool			power_fails;	/* with its next write */
	char			serial[25];	/* of its partition */
	uint32_t		number;
	bool			kept;		/* there is an old state */
	char			kept_serial[25];
};

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

static struct card cards[CARDS_MAX];
static unsigned int n_cards;
static struct file *files;
static uint64_t changes;
static char dir[128];

struct machine_counts machine_counts;

static void die(const char *what, const char *why)
{
	fprintf(stderr, "simulation: %s: %s\n", what, why);
	abort();
}

static void need(CK_RV rv, const char *what)
{
	if (rv != CKR_OK)
		die(what, pciehsm_rv_name(rv));
}

static void tell(void)
{
	changes++;
	sim_wake(&changes);
}

/* ---- power ---- */

static void fw_random(void *opaque, void *buf, size_t len)
{
	(void)opaque;
	sim_fill(buf, len);
}

static uint64_t fw_now(void *opaque)
{
	(void)opaque;
	return sim_now() / 1000;
}

static void fw_event(void *opaque, enum hsm_fw_event event, uint32_t number)
{
	(void)opaque;
	(void)event;
	(void)number;
	tell();
}

static void power_on(struct card *card)
{
	struct hsm_fw_config config = {
		.store = card->path,
		.serial = SERIAL_BASE + (uint64_t)(card - cards),
		.partition_base = PARTITION_BASE,
		.pin_iterations = 1,
		.random = fw_random,
		.now_ms = fw_now,
		.event = fw_event,
		.opaque = card,
	};
	char error[256];

	if (hsm_fw_open(&config, &card->fw, error, sizeof(error)))
		die(card->path, error);
	card->present = true;
	card->life++;
}

static void find_partition(struct card *card)
{
	struct hsm_fw_partition list[4];
	unsigned int n = hsm_fw_partitions(card->fw, list, 4);

	card->serial[0] = '\0';
	card->number = 0;
	if (!n)
		return;
	snprintf(card->serial, sizeof(card->serial), "%s", list[0].serial);
	card->number = list[0].number;
}

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

/* ---- disks ---- */

static void snapshot_path(const struct card *card, char *path, size_t len)
{
	snprintf(path, len, "%s.old", card->path);
}

static void switch_off(struct card *card)
{
	hsm_fw_close(card->fw);
	card->fw = NULL;
	card->present = false;
	card->life++;
	card->hung_until = 0;
	card->power_fails = false;
	card->pull_op = 0;
	tell();
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
		switch_off(card);
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
		die("files", "too many are open");
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

static struct pciehsm_transport *direct(struct card *card, uint32_t partition)
{
	struct file *file = file_open(card, partition, -1);

	file->base.ops = &direct_ops;
	return &file->base;
}

struct pciehsm_transport *machine_direct(unsigned int n, bool officer)
{
	struct pciehsm_transport *t = direct(&cards[n], cards[n].number);

	if (officer)
		need(pciehsm_login(t, PCIEHSM_ROLE_CO, CO_PIN, strlen(CO_PIN), NULL, NULL),
		     "login past the simulation");
	return t;
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
		if (b->seen != changes) {
			b->seen = changes;
			return true;
		}
		if (!sim_wait(&changes, deadline) && sim_now() >= deadline)
			return false;
	}
	b->woken = false;
	return false;
}

static void bus_wake(struct pciehsm_bus *bus)
{
	((struct bus *)bus)->woken = true;
	sim_wake(&changes);
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
	bus->seen = changes;
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

/* ---- setting up ---- */

static void make_partition(struct card *card)
{
	struct pciehsm_transport *t = direct(card, 0);
	uint32_t number;

	need(pciehsm_login(t, PCIEHSM_ROLE_SO, SO_PIN, strlen(SO_PIN), NULL, NULL), "SO login");
	need(pciehsm_partition_create(t, 0, &number, NULL, NULL), "partition create");
	t->ops->close(t);
	find_partition(card);
}

static void init_partition(struct card *card, bool again)
{
	struct pciehsm_transport *t = direct(card, card->number);

	if (again)
		need(pciehsm_login(t, PCIEHSM_ROLE_PO, PO_PIN, strlen(PO_PIN), NULL, NULL),
		     "PO login");
	need(pciehsm_partition_init(t, "member", PO_PIN, strlen(PO_PIN), DOMAIN, strlen(DOMAIN),
				    NULL), "partition init");
	/* Whoever was logged in is not any more. */
	t->ops->close(t);
	t = direct(card, card->number);
	need(pciehsm_login(t, PCIEHSM_ROLE_PO, PO_PIN, strlen(PO_PIN), NULL, NULL), "PO login");
	need(pciehsm_role_init(t, PCIEHSM_ROLE_CO, "initial password", 16), "role init");
	need(pciehsm_logout(t), "PO logout");
	need(pciehsm_role_set_pin(t, PCIEHSM_ROLE_CO, "initial password", 16, CO_PIN,
				  strlen(CO_PIN), NULL), "role changepw");
	t->ops->close(t);
}

static void init_card(struct card *card)
{
	struct pciehsm_transport *t = direct(card, 0);

	need(pciehsm_hsm_init(t, "card", SO_PIN, strlen(SO_PIN), NULL), "hsm init");
	t->ops->close(t);
	make_partition(card);
	init_partition(card, false);
}

/*
 * Setting a card up takes a long time (its domain key is stretched on purpose), so it is
 * done once, and every run begins with copies.
 */
static void make_template(struct card *card, const char *path)
{
	snprintf(card->path, sizeof(card->path), "%s", path);
	power_on(card);
	init_card(card);
	hsm_fw_close(card->fw);
	memset(card, 0, sizeof(*card));
}

static void make_dir(void)
{
	const char *tmp = getenv("TMPDIR");

	if (*dir)
		return;
	if (!tmp && !access("/dev/shm", W_OK))
		tmp = "/dev/shm";
	snprintf(dir, sizeof(dir), "%s/pciehsm-simulation-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		die(dir, strerror(errno));
}

void machine_forked(void)
{
	char path[1024], from[512];
	unsigned int i;

	if (!*dir)
		return;
	/* The templates are costly: take them along. */
	snprintf(from, sizeof(from), "%s", dir);
	*dir = '\0';
	make_dir();
	for (i = 0; i < CARDS_MAX; i++) {
		char to[512];

		snprintf(path, sizeof(path), "%s/template%u", from, i);
		snprintf(to, sizeof(to), "%s/template%u", dir, i);
		if (!access(path, F_OK))
			disk_copy_file(path, to);
	}
}

void machine_start(unsigned int n)
{
	char path[512];
	unsigned int i;

	make_dir();
	if (!files) {
		files = calloc(FILES_MAX, sizeof(*files));
		faults_install();
	}
	memset(files, 0, FILES_MAX * sizeof(*files));
	memset(cards, 0, sizeof(cards));
	memset(&machine_counts, 0, sizeof(machine_counts));
	guess_reset();
	n_cards = n;
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/template%u", dir, i);
		if (access(path, F_OK))
			make_template(&cards[i], path);
		snprintf(cards[i].path, sizeof(cards[i].path), "%s/card%u", dir, i);
		disk_copy_file(path, cards[i].path);
		power_on(&cards[i]);
		find_partition(&cards[i]);
	}
	changes = 0;
}

static void remove_stores(const char *prefix)
{
	char path[512];
	struct dirent *entry;
	DIR *d = opendir(dir);

	while (d && (entry = readdir(d))) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)) || entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		unlink(path);
	}
	if (d)
		closedir(d);
}

void machine_stop(void)
{
	unsigned int i;

	for (i = 0; i < n_cards; i++)
		if (cards[i].present)
			hsm_fw_close(cards[i].fw);
	n_cards = 0;
	remove_stores("card");
}

void machine_clean(void)
{
	if (!*dir)
		return;
	remove_stores("");
	rmdir(dir);
	*dir = '\0';
}

/* ---- faults ---- */

const char *machine_serial(unsigned int card)
{
	return cards[card].serial;
}

unsigned int machine_card(const char *serial)
{
	unsigned int i;

	for (i = 0; i < n_cards; i++)
		if (!strcmp(cards[i].serial, serial))
			return i;
	return CARDS_MAX;
}

bool machine_present(unsigned int card)
{
	return cards[card].present;
}

void machine_pull(unsigned int n)
{
	sim_log("card %u is pulled out", n);
	switch_off(&cards[n]);
}

void machine_power_fails(unsigned int n, bool fails)
{
	sim_log("card %u %s", n, fails ? "loses power at its next write" : "keeps its power");
	cards[n].power_fails = fails;
}

void machine_bad_writes(unsigned int n, unsigned int one_in)
{
	sim_log("card %u: one write in %u fails", n, one_in);
	cards[n].bad_writes = one_in;
}

void machine_snapshot(unsigned int n)
{
	char path[600];

	sim_log("card %u: its state is kept", n);
	snapshot_path(&cards[n], path, sizeof(path));
	disk_copy(cards[n].path, path);
	cards[n].kept = true;
	memcpy(cards[n].kept_serial, cards[n].serial, sizeof(cards[n].kept_serial));
}

bool machine_can_go_back(unsigned int n)
{
	return cards[n].kept && !strcmp(cards[n].kept_serial, cards[n].serial);
}

void machine_go_back(unsigned int n)
{
	char path[600];

	sim_log("card %u is pulled out and put back to its old state", n);
	switch_off(&cards[n]);
	disk_remove(cards[n].path);
	snapshot_path(&cards[n], path, sizeof(path));
	disk_copy(path, cards[n].path);
}

void machine_return(unsigned int n)
{
	if (cards[n].present) {
		sim_fail("card %u can not come back: it is there", n);
		return;
	}
	sim_log("card %u is back", n);
	power_on(&cards[n]);
	tell();
}

void machine_reset(unsigned int n)
{
	sim_log("card %u is reset", n);
	hsm_fw_reset(cards[n].fw);
	cards[n].resets++;
}

void machine_hang(unsigned int n, uint64_t until, bool reset)
{
	sim_log("card %u hangs for %.1f s", n, (double)(until - sim_now()) / 1e6);
	cards[n].hung_until = until;
	cards[n].reset_after = reset;
}

void machine_unhang(unsigned int n)
{
	if (!cards[n].hung_until)
		return;
	cards[n].hung_until = 0;
	if (cards[n].reset_after && cards[n].present)
		machine_reset(n);
}

void machine_faulty(unsigned int n, unsigned int one_in)
{
	sim_log("card %u loses one message in %u", n, one_in);
	cards[n].one_in = one_in;
}

void machine_lose_answer(unsigned int n, uint32_t op)
{
	cards[n].lose_op = op;
}

void machine_pull_at(unsigned int n, uint32_t op)
{
	cards[n].pull_op = op;
}

void machine_reinit(unsigned int n)
{
	struct pciehsm_transport *t = direct(&cards[n], 0);

	sim_log("card %u: hsm init", n);
	need(pciehsm_hsm_init(t, "card", SO_PIN, strlen(SO_PIN), NULL), "hsm init");
	t->ops->close(t);
	make_partition(&cards[n]);
	init_partition(&cards[n], false);
	sim_log("card %u: new partition %s", n, cards[n].serial);
	tell();
}

void machine_empty(unsigned int n)
{
	sim_log("card %u: partition init", n);
	init_partition(&cards[n], true);
	tell();
}
