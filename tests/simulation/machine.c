// SPDX-License-Identifier: GPL-2.0-or-later
/* The simulated machine. See machine.h. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "card.h"
#include "disk.h"
#include "faults.h"
#include "guess.h"
#include "sched.h"

#define PARTITION_BASE	500001

struct card cards[CARDS_MAX];
unsigned int n_cards;
uint64_t card_changes;
static char dir[128];

struct machine_counts machine_counts;

void card_die(const char *what, const char *why)
{
	fprintf(stderr, "simulation: %s: %s\n", what, why);
	abort();
}

static void need(CK_RV rv, const char *what)
{
	if (rv != CKR_OK)
		card_die(what, pciehsm_rv_name(rv));
}

static void tell(void)
{
	card_changes++;
	sim_wake(&card_changes);
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
		card_die(card->path, error);
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

/* ---- disks ---- */

static void snapshot_path(const struct card *card, char *path, size_t len)
{
	snprintf(path, len, "%s.old", card->path);
}

void card_switch_off(struct card *card)
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

struct pciehsm_transport *machine_direct(unsigned int n, bool officer)
{
	struct pciehsm_transport *t = card_direct(&cards[n], cards[n].number);

	if (officer)
		need(pciehsm_login(t, PCIEHSM_ROLE_CO, CO_PIN, strlen(CO_PIN), NULL, NULL),
		     "login past the simulation");
	return t;
}


/* ---- setting up ---- */

static void make_partition(struct card *card)
{
	struct pciehsm_transport *t = card_direct(card, 0);
	uint32_t number;

	need(pciehsm_login(t, PCIEHSM_ROLE_SO, SO_PIN, strlen(SO_PIN), NULL, NULL), "SO login");
	need(pciehsm_partition_create(t, 0, &number, NULL, NULL), "partition create");
	t->ops->close(t);
	find_partition(card);
}

static void init_partition(struct card *card, bool again)
{
	struct pciehsm_transport *t = card_direct(card, card->number);

	if (again)
		need(pciehsm_login(t, PCIEHSM_ROLE_PO, PO_PIN, strlen(PO_PIN), NULL, NULL),
		     "PO login");
	need(pciehsm_partition_init(t, "member", PO_PIN, strlen(PO_PIN), DOMAIN, strlen(DOMAIN),
				    NULL), "partition init");
	/* Whoever was logged in is not any more. */
	t->ops->close(t);
	t = card_direct(card, card->number);
	need(pciehsm_login(t, PCIEHSM_ROLE_PO, PO_PIN, strlen(PO_PIN), NULL, NULL), "PO login");
	need(pciehsm_role_init(t, PCIEHSM_ROLE_CO, "initial password", 16), "role init");
	need(pciehsm_logout(t), "PO logout");
	need(pciehsm_role_set_pin(t, PCIEHSM_ROLE_CO, "initial password", 16, CO_PIN,
				  strlen(CO_PIN), NULL), "role changepw");
	t->ops->close(t);
}

static void init_card(struct card *card)
{
	struct pciehsm_transport *t = card_direct(card, 0);

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
		card_die(dir, strerror(errno));
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
	static bool installed;
	char path[512];
	unsigned int i;

	make_dir();
	if (!installed) {
		faults_install();
		installed = true;
	}
	card_files_reset();
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
	card_changes = 0;
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
	card_switch_off(&cards[n]);
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
	card_switch_off(&cards[n]);
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
	struct pciehsm_transport *t = card_direct(&cards[n], 0);

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
