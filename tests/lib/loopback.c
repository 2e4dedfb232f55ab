// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Cards inside the process. See loopback.h.
 *
 * Locks: a card's lock is held for reading while a message is inside its firmware and
 * for writing to switch the power, so that no message meets a closed firmware. Under
 * steady load a writer would starve; therefore the card is marked as absent first and
 * new messages do not even ask for the lock. The machine's lock guards the rest, is
 * taken after a card's, and is not held across the firmware.
 */
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <pciehsm/fw.h>

#include "loopback.h"

#define MAX_CARDS	32

/**
 * struct card - a card, in the machine or out of it
 * @lb:		its machine
 * @config:	what it was made with; strings are its own
 * @serial:	of the HSM, as text
 * @lock:	see above
 * @fw:		NULL while the power is off
 * @present:	it is in the machine
 * @life:	one more each time it is put in; files belong to one life
 * @number:	of its node
 * @resets:	see PCIEHSM_IOC_INFO
 * @contexts:	the last context's number
 * @fault:	what becomes of its messages
 * @messages:	how many there were
 */
struct card {
	struct loopback		*lb;
	struct hsm_fw_config	config;
	uint8_t			master_key[32];
	char			serial[24];
	pthread_rwlock_t	lock;
	struct hsm_fw		*fw;
	atomic_bool		present;
	atomic_uint		life;
	unsigned int		number;
	atomic_uint		resets;
	atomic_uint		contexts;
	atomic_uint		fault;
	atomic_ullong		messages;
};

struct loopback {
	char			*dir;
	pthread_mutex_t		lock;
	pthread_cond_t		changed;
	uint64_t		changes;
	atomic_bool		no_driver;
	atomic_uint		hang_ms;
	_Atomic(loopback_filter) filter;
	void			*_Atomic filter_arg;
	unsigned int		n_cards;
	struct card		cards[MAX_CARDS];
};

struct bus {
	struct pciehsm_bus	base;
	struct loopback		*lb;
	uint64_t		seen;
	bool			woken;
};

struct file {
	struct pciehsm_transport base;
	struct card		*card;
	unsigned int		life;
	uint32_t		context;
	uint32_t		partition;
	char			serial[25];
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "loopback: %s: %s\n", what, why);
	abort();
}

static void *need(void *p)
{
	if (!p)
		die("memory", "none");
	return p;
}

static void tell(struct loopback *lb)
{
	pthread_mutex_lock(&lb->lock);
	lb->changes++;
	pthread_cond_broadcast(&lb->changed);
	pthread_mutex_unlock(&lb->lock);
}

/* ---- files ---- */

static struct file *file_of(struct pciehsm_transport *t)
{
	return (struct file *)((char *)t - offsetof(struct file, base));
}

/* With the card's lock held: is this file's device still there? */
static bool there(const struct file *file)
{
	struct hsm_fw_partition list[100];
	unsigned int n, i;

	if (!file->card->present || file->card->life != file->life)
		return false;
	if (!file->partition)
		return true;
	n = hsm_fw_partitions(file->card->fw, list, 100);
	for (i = 0; i < n && i < 100; i++)
		if (list[i].number == file->partition)
			return true;
	return false;
}

static bool lock_card(const struct file *file)
{
	struct card *card = file->card;

	if (!card->present || card->life != file->life)
		return false;
	pthread_rwlock_rdlock(&card->lock);
	if (card->present && card->life == file->life)
		return true;
	pthread_rwlock_unlock(&card->lock);
	return false;
}

/* What the driver and the firmware do with a message; the card's lock is held. */
static int execute(const struct file *file, const void *in, size_t in_len, void *out,
		   size_t out_size, size_t *out_len, enum pciehsm_outcome *outcome)
{
	struct hsm_fw_request req = {
		.partition = file->partition, .context = file->context,
		.in = in, .in_len = in_len, .out = out, .out_size = out_size,
	};

	hsm_fw_execute(file->card->fw, &req);
	*outcome = PCIEHSM_OUTCOME_NOT_EXECUTED;
	switch (req.status) {
	case HSM_FW_ANSWERED:
		*outcome = PCIEHSM_OUTCOME_DONE;
		*out_len = req.out_len;
		return 0;
	case HSM_FW_NO_PARTITION:
		return -ENODEV;
	case HSM_FW_CONTEXT_LIMIT:
		return -ENOMEM;
	case HSM_FW_MALFORMED:
		return -EINVAL;
	case HSM_FW_ABORTED:
		return -ECANCELED;
	case HSM_FW_ABORTED_RUNNING:
		break;
	}
	*outcome = PCIEHSM_OUTCOME_UNKNOWN;
	return -ECANCELED;
}

static void hang(const struct loopback *lb, unsigned int timeout_ms)
{
	unsigned int ms = lb->hang_ms;
	struct timespec ts;

	if (timeout_ms && timeout_ms < ms)
		ms = timeout_ms;
	ts = (struct timespec){ ms / 1000, ms % 1000 * 1000000L };
	while (ms && nanosleep(&ts, &ts) && errno == EINTR)
		;
}

static enum loopback_fault fault_of(const struct file *file, uint32_t op)
{
	enum loopback_fault fault = file->card->fault;
	loopback_filter filter = file->card->lb->filter;

	if (fault == LOOPBACK_WORKS && filter)
		fault = filter(file->card->lb->filter_arg, file->serial, op);
	return fault;
}

static int file_message(struct pciehsm_transport *t, const void *in, size_t in_len,
			void *out, size_t out_size, size_t *out_len,
			unsigned int timeout_ms, enum pciehsm_outcome *outcome)
{
	struct file *file = file_of(t);
	struct card *card = file->card;
	enum loopback_fault fault;
	struct pciehsm_msg head;
	unsigned int resets;
	int ret;

	*outcome = PCIEHSM_OUTCOME_NOT_EXECUTED;
	*out_len = 0;
	if (in_len < sizeof(head) || out_size < sizeof(head))
		return -EINVAL;
	memcpy(&head, in, sizeof(head));
	if (le32toh(head.length) != in_len)
		return -EINVAL;
	if (in_len > t->max_msg || out_size > t->max_msg)
		return -EMSGSIZE;
	if (!(le32toh(head.op) & (file->partition ? PCIEHSM_OP_PARTITION : PCIEHSM_OP_HSM)))
		return -EACCES;

	fault = fault_of(file, le32toh(head.op));
	if (fault == LOOPBACK_PULLED)
		loopback_pull(card->lb, card->config.serial);
	if (!lock_card(file))
		return -ENODEV;
	card->messages++;
	resets = card->resets;
	switch (fault) {
	case LOOPBACK_HANGS:
		ret = -ETIMEDOUT;
		*outcome = PCIEHSM_OUTCOME_UNKNOWN;
		break;
	case LOOPBACK_TIMES_OUT:
		ret = -ETIMEDOUT;
		break;
	case LOOPBACK_FAULT:
		ret = -EIO;
		break;
	case LOOPBACK_NO_ROOM:
		ret = -ENOMEM;
		break;
	case LOOPBACK_GARBAGE:
		memset(out, 0x5a, out_size);
		*out_len = out_size;
		*outcome = PCIEHSM_OUTCOME_DONE;
		ret = 0;
		break;
	default:
		ret = execute(file, in, in_len, out, out_size, out_len, outcome);
	}
	pthread_rwlock_unlock(&card->lock);

	if (fault == LOOPBACK_HANGS || fault == LOOPBACK_HANGS_AFTER ||
	    fault == LOOPBACK_TIMES_OUT)
		hang(card->lb, timeout_ms);
	if (fault == LOOPBACK_PULLED_AFTER)
		loopback_pull(card->lb, card->config.serial);
	/* Whatever happened while it ran, the answer did not make it. */
	if (*outcome != PCIEHSM_OUTCOME_NOT_EXECUTED) {
		if (fault == LOOPBACK_HANGS_AFTER)
			ret = -ETIMEDOUT;
		else if (!card->present || card->life != file->life)
			ret = -ENODEV;
		else if (card->resets != resets)
			ret = -ECANCELED;
		if (ret) {
			memset(out, 0, *out_len);
			*out_len = 0;
			*outcome = PCIEHSM_OUTCOME_UNKNOWN;
		}
	}
	return ret;
}

static int file_alive(struct pciehsm_transport *t)
{
	struct file *file = file_of(t);
	bool alive;

	if (!lock_card(file))
		return -ENODEV;
	alive = there(file);
	pthread_rwlock_unlock(&file->card->lock);
	return alive ? 0 : -ENODEV;
}

static unsigned int file_resets(struct pciehsm_transport *t)
{
	return file_of(t)->card->resets;
}

static int file_event_fd(struct pciehsm_transport *t)
{
	(void)t;
	return -1;
}

static void file_close(struct pciehsm_transport *t)
{
	struct file *file = file_of(t);

	if (lock_card(file)) {
		hsm_fw_context_close(file->card->fw, file->context);
		pthread_rwlock_unlock(&file->card->lock);
	}
	free(file);
}

static const struct pciehsm_transport_ops file_ops = {
	.message	= file_message,
	.alive		= file_alive,
	.resets		= file_resets,
	.event_fd	= file_event_fd,
	.close		= file_close,
};

/* ---- bus ---- */

static struct bus *bus_of(struct pciehsm_bus *bus)
{
	return (struct bus *)((char *)bus - offsetof(struct bus, base));
}

static int by_place(const void *a, const void *b)
{
	const struct pciehsm_device *x = a, *y = b;

	if (x->card != y->card)
		return x->card < y->card ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* Describe a card and its partitions; its lock is held. Return: the list's new length. */
static int describe(struct card *card, struct pciehsm_device *list, int n)
{
	struct hsm_fw_partition parts[100];
	struct pciehsm_device dev;
	struct hsm_fw_info info;
	unsigned int count, i;

	hsm_fw_info(card->fw, &info);
	memset(&dev, 0, sizeof(dev));
	dev.card = card->number;
	dev.state = PCIEHSM_STATE_LIVE;
	snprintf(dev.hsm_serial, sizeof(dev.hsm_serial), "%s", card->serial);
	snprintf(dev.model, sizeof(dev.model), "%s", info.model);
	snprintf(dev.fw_version, sizeof(dev.fw_version), "%s", info.fw_version);

	list[n] = dev;
	snprintf(list[n].serial, sizeof(dev.serial), "%s", card->serial);
	snprintf(list[n].label, sizeof(dev.label), "%s", info.label);
	snprintf(list[n].path, sizeof(dev.path), "/dev/hsm%u", card->number);
	n++;
	count = hsm_fw_partitions(card->fw, parts, 100);
	for (i = 0; i < count && i < 100; i++, n++) {
		list[n] = dev;
		list[n].index = parts[i].index;
		list[n].number = parts[i].number;
		snprintf(list[n].serial, sizeof(dev.serial), "%s", parts[i].serial);
		snprintf(list[n].label, sizeof(dev.label), "%s", parts[i].label);
		snprintf(list[n].path, sizeof(dev.path), "/dev/hsm%up%u", card->number,
			 parts[i].index);
	}
	return n;
}

static int bus_list(struct pciehsm_bus *bus, struct pciehsm_device **out)
{
	struct loopback *lb = bus_of(bus)->lb;
	struct pciehsm_device *list;
	unsigned int i;
	int n = 0;

	if (lb->no_driver)
		return -ENODEV;
	list = need(calloc(MAX_CARDS * 101, sizeof(*list)));
	for (i = 0; i < lb->n_cards; i++) {
		struct card *card = &lb->cards[i];

		if (!card->present)
			continue;
		pthread_rwlock_rdlock(&card->lock);
		if (card->present)
			n = describe(card, list, n);
		pthread_rwlock_unlock(&card->lock);
	}
	qsort(list, (size_t)n, sizeof(*list), by_place);
	*out = list;
	return n;
}

static struct card *card_by_serial(struct loopback *lb, const char *serial)
{
	unsigned int i;

	for (i = 0; i < lb->n_cards; i++)
		if (!strcmp(lb->cards[i].serial, serial))
			return &lb->cards[i];
	die("no such card", serial);
	return NULL;
}

static int bus_open(struct pciehsm_bus *bus, const char *serial, struct pciehsm_transport **t)
{
	struct pciehsm_device *list;
	int n = bus_list(bus, &list), i;
	struct file *file;

	if (n < 0)
		return n;
	for (i = 0; i < n && strcmp(list[i].serial, serial); i++)
		;
	if (i == n) {
		free(list);
		return -ENODEV;
	}
	file = need(calloc(1, sizeof(*file)));
	file->base.ops = &file_ops;
	file->base.max_msg = PCIEHSM_MSG_MAX;
	file->card = card_by_serial(bus_of(bus)->lb, list[i].hsm_serial);
	file->life = file->card->life;
	file->context = ++file->card->contexts;
	file->partition = list[i].number;
	memcpy(file->serial, list[i].serial, sizeof(file->serial));
	free(list);
	*t = &file->base;
	return 0;
}

static bool bus_watch(struct pciehsm_bus *bus, unsigned int timeout_ms)
{
	struct bus *b = bus_of(bus);
	struct timespec until;
	bool changed;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += timeout_ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	pthread_mutex_lock(&b->lb->lock);
	while (b->seen == b->lb->changes && !b->woken &&
	       !pthread_cond_timedwait(&b->lb->changed, &b->lb->lock, &until))
		;
	changed = b->seen != b->lb->changes;
	b->seen = b->lb->changes;
	b->woken = false;
	pthread_mutex_unlock(&b->lb->lock);
	return changed;
}

static void bus_wake(struct pciehsm_bus *bus)
{
	struct bus *b = bus_of(bus);

	pthread_mutex_lock(&b->lb->lock);
	b->woken = true;
	pthread_cond_broadcast(&b->lb->changed);
	pthread_mutex_unlock(&b->lb->lock);
}

static void bus_close(struct pciehsm_bus *bus)
{
	free(bus_of(bus));
}

static const struct pciehsm_bus_ops bus_ops = {
	.list	= bus_list,
	.open	= bus_open,
	.watch	= bus_watch,
	.wake	= bus_wake,
	.close	= bus_close,
};

struct pciehsm_bus *loopback_bus(struct loopback *lb)
{
	struct bus *b = need(calloc(1, sizeof(*b)));

	b->base.ops = &bus_ops;
	b->lb = lb;
	return &b->base;
}

/* ---- the machine ---- */

static void on_event(void *opaque, enum hsm_fw_event event, uint32_t number)
{
	struct card *card = opaque;

	(void)event;
	(void)number;
	tell(card->lb);
}

static struct card *card_by_number(struct loopback *lb, uint64_t serial)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)serial);
	return card_by_serial(lb, text);
}

static unsigned int free_number(struct loopback *lb)
{
	unsigned int number, i;

	for (number = 0; ; number++) {
		for (i = 0; i < lb->n_cards; i++)
			if (lb->cards[i].present && lb->cards[i].number == number)
				break;
		if (i == lb->n_cards)
			return number;
	}
}

static void power_on(struct card *card)
{
	char error[256];

	pthread_rwlock_wrlock(&card->lock);
	if (!card->present) {
		if (hsm_fw_open(&card->config, &card->fw, error, sizeof(error)))
			die(card->config.store, error);
		card->number = free_number(card->lb);
		card->life++;
		card->present = true;
	}
	pthread_rwlock_unlock(&card->lock);
	tell(card->lb);
}

void loopback_pull(struct loopback *lb, uint64_t serial)
{
	struct card *card = card_by_number(lb, serial);
	struct hsm_fw *fw;

	card->present = false;
	pthread_rwlock_wrlock(&card->lock);
	/* Between the two, another thread may have put it back. */
	fw = card->present ? NULL : card->fw;
	if (fw)
		card->fw = NULL;
	hsm_fw_close(fw);
	pthread_rwlock_unlock(&card->lock);
	tell(lb);
}

void loopback_return(struct loopback *lb, uint64_t serial)
{
	struct card *card = card_by_number(lb, serial);

	power_on(card);
}

void loopback_reset(struct loopback *lb, uint64_t serial)
{
	struct card *card = card_by_number(lb, serial);

	card->resets++;
	pthread_rwlock_wrlock(&card->lock);
	if (card->fw)
		hsm_fw_reset(card->fw);
	pthread_rwlock_unlock(&card->lock);
	tell(lb);
}

void loopback_tamper(struct loopback *lb, uint64_t serial)
{
	struct card *card = card_by_number(lb, serial);

	pthread_rwlock_wrlock(&card->lock);
	if (card->fw)
		hsm_fw_tamper(card->fw);
	pthread_rwlock_unlock(&card->lock);
	tell(lb);
}

void loopback_no_driver(struct loopback *lb, bool none)
{
	lb->no_driver = none;
	tell(lb);
}

void loopback_set_fault(struct loopback *lb, uint64_t serial, enum loopback_fault fault)
{
	card_by_number(lb, serial)->fault = fault;
}

void loopback_set_hang_ms(struct loopback *lb, unsigned int ms)
{
	lb->hang_ms = ms;
}

void loopback_set_filter(struct loopback *lb, loopback_filter filter, void *arg)
{
	lb->filter_arg = arg;
	lb->filter = filter;
}

void loopback_forked(struct loopback *lb)
{
	unsigned int i;

	pthread_mutex_init(&lb->lock, NULL);
	pthread_cond_init(&lb->changed, NULL);
	for (i = 0; i < lb->n_cards; i++)
		pthread_rwlock_init(&lb->cards[i].lock, NULL);
}

uint64_t loopback_messages(struct loopback *lb, uint64_t serial)
{
	return card_by_number(lb, serial)->messages;
}

void loopback_add_config(struct loopback *lb, const struct hsm_fw_config *config)
{
	struct card *card = &lb->cards[lb->n_cards];

	if (lb->n_cards == MAX_CARDS)
		die("cards", "too many");
	card->lb = lb;
	card->config = *config;
	card->config.store = need(strdup(config->store));
	if (config->model)
		card->config.model = need(strdup(config->model));
	if (config->master_key) {
		memcpy(card->master_key, config->master_key, sizeof(card->master_key));
		card->config.master_key = card->master_key;
	}
	card->config.event = on_event;
	card->config.opaque = card;
	snprintf(card->serial, sizeof(card->serial), "%llu", (unsigned long long)config->serial);
	pthread_rwlock_init(&card->lock, NULL);
	lb->n_cards++;
	power_on(card);
}

void loopback_add(struct loopback *lb, uint64_t serial, uint32_t partition_base)
{
	struct hsm_fw_config config = {
		.serial = serial, .partition_base = partition_base,
		.pin_iterations = 1, .durable = false,
	};
	char path[4096];

	snprintf(path, sizeof(path), "%s/%llu.card", lb->dir, (unsigned long long)serial);
	config.store = path;
	loopback_add_config(lb, &config);
}

struct loopback *loopback_new(const char *dir)
{
	struct loopback *lb = need(calloc(1, sizeof(*lb)));

	lb->dir = need(strdup(dir));
	pthread_mutex_init(&lb->lock, NULL);
	pthread_cond_init(&lb->changed, NULL);
	return lb;
}

void loopback_free(struct loopback *lb)
{
	unsigned int i;

	for (i = 0; i < lb->n_cards; i++) {
		struct card *card = &lb->cards[i];

		hsm_fw_close(card->fw);
		free((char *)card->config.store);
		free((char *)card->config.model);
		pthread_rwlock_destroy(&card->lock);
	}
	pthread_cond_destroy(&lb->changed);
	pthread_mutex_destroy(&lb->lock);
	free(lb->dir);
	free(lb);
}
