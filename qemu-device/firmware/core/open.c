// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Switching a card on and off, and what its front end may know of it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/firmware.h"
#include "core/mem.h"
#include "crypto/secret.h"
#include "crypto/selftest.h"
#include "hsm/policy.h"
#include "hsm/role.h"

#define SERIAL_MAX	999999999999ULL

#define explain(...)	snprintf(error, error_len, __VA_ARGS__)
#define fail(ret, ...)	(explain(__VA_ARGS__), (ret))

static int check_config(const struct hsm_fw_config *config, char *error, size_t error_len)
{
	if (!config->store)
		return fail(-EINVAL, "no store given; give the path of a file");
	if (config->serial < 1 || config->serial > SERIAL_MAX)
		return fail(-EINVAL, "the serial must be 1 to %llu", SERIAL_MAX);
	if (config->partition_base < 1 || config->partition_base > 999999)
		return fail(-EINVAL, "the first partition's number must be 1 to 999999");
	if (config->model && (!*config->model || strlen(config->model) > 15))
		return fail(-EINVAL, "the model's name must have 1 to 15 bytes");
	if (config->engines > FW_MAX_ENGINES)
		return fail(-EINVAL, "there can be at most %u engines", FW_MAX_ENGINES);
	if (config->max_partitions > FW_MAX_PARTITIONS)
		return fail(-EINVAL, "there can be at most %u partitions", FW_MAX_PARTITIONS);
	return 0;
}

static struct hsm_fw *make(const struct hsm_fw_config *config)
{
	struct hsm_fw *fw = calloc(1, sizeof(*fw));

	if (!fw)
		return NULL;
	fw->config = *config;
	/* The caller's memory may go. */
	fw->config.store = NULL;
	fw->config.model = NULL;
	fw->config.master_key = NULL;
	if (!fw->config.max_partitions)
		fw->config.max_partitions = FW_MAX_PARTITIONS;
	if (!fw->config.max_contexts)
		fw->config.max_contexts = FW_MAX_CONTEXTS;
	if (!fw->config.pin_iterations)
		fw->config.pin_iterations = FW_PIN_ITERATIONS;
	snprintf(fw->serial_text, sizeof(fw->serial_text), "%llu",
		 (unsigned long long)config->serial);
	snprintf(fw->model, sizeof(fw->model), "%s", config->model ? config->model : FW_MODEL);
	pthread_mutex_init(&fw->auth, NULL);
	pthread_mutex_init(&fw->admin, NULL);
	pthread_rwlock_init(&fw->lock, NULL);
	atomic_init(&fw->tampered, false);
	atomic_init(&fw->allowed, 0);
	atomic_init(&fw->failed, false);
	atomic_init(&fw->epoch, 1);
	contexts_init(&fw->contexts, fw->config.max_contexts);
	audit_init(fw);
	fw->started_at = fw_now_ms(fw);
	/* Since when a lock of before lasts is not known: it begins anew. */
	fw->auditor_locked_at = fw_now_ms(fw);
	return fw;
}

/* Frees what make() and load() made; the engines have stopped. */
static void unmake(struct hsm_fw *fw)
{
	unsigned int i;

	contexts_destroy(&fw->contexts);
	for (i = 0; i < FW_MAX_PARTITIONS; i++)
		partition_put(fw->partitions[i]);
	store_close(fw->store);
	fw_identity_free(fw->identity);
	hsm_state_wipe(&fw->hsm);
	audit_destroy(fw);
	pthread_rwlock_destroy(&fw->lock);
	pthread_mutex_destroy(&fw->admin);
	pthread_mutex_destroy(&fw->auth);
	fw_wipe(fw, sizeof(*fw));
	free(fw);
}

/* A card that was never switched on gets its identity now. */
static int be_born(struct hsm_fw *fw)
{
	struct hsm_state *s = &fw->hsm;
	struct fw_bytes secret, certs;

	if (fw_identity_create(fw->serial_text, &fw->identity) != CKR_OK)
		return -ENOMEM;
	secret = fw_identity_secret(fw->identity);
	certs = fw_identity_certificates(fw->identity);
	s->secret = malloc(secret.len);
	s->certs = malloc(certs.len);
	if (!s->secret || !s->certs)
		return -ENOMEM;
	memcpy(s->secret, secret.p, secret.len);
	memcpy(s->certs, certs.p, certs.len);
	s->secret_len = secret.len;
	s->certs_len = certs.len;
	s->next_number = fw->config.partition_base;
	policy_hsm_defaults(s->policies);
	return 0;
}

static int load_hsm(struct hsm_fw *fw)
{
	uint8_t *record = malloc(RECORD_MAX);
	struct fw_bytes secret, certs;
	size_t len;
	int ret;

	if (!record)
		return -ENOMEM;
	ret = store_load_record(fw->store, STORE_HSM_RECORD, record, &len);
	if (!ret && len && !hsm_state_decode(&fw->hsm, record, len))
		ret = -EBADMSG;
	fw_wipe_free(record, RECORD_MAX);
	if (ret)
		return ret;
	if (!len)
		return be_born(fw);
	secret = (struct fw_bytes){ fw->hsm.secret, fw->hsm.secret_len };
	certs = (struct fw_bytes){ fw->hsm.certs, fw->hsm.certs_len };
	return fw_identity_load(secret, certs, &fw->identity) == CKR_OK ? 0 : -EBADMSG;
}

static int load_partitions(struct hsm_fw *fw)
{
	uint32_t numbers[FW_MAX_PARTITIONS];
	int i, count, ret;

	count = store_partitions(fw->store, numbers, FW_MAX_PARTITIONS);
	if (count < 0)
		return count;
	for (i = 0; i < count; i++) {
		struct partition *p = partition_new(fw, numbers[i]);

		if (!p)
			return -ENOMEM;
		ret = partition_load(p);
		if (!ret && (p->state.index < 1 || p->state.index > FW_MAX_PARTITIONS ||
			     fw->partitions[p->state.index - 1]))
			ret = -EBADMSG;
		if (ret) {
			partition_put(p);
			return ret;
		}
		fw->partitions[p->state.index - 1] = p;
	}
	return 0;
}

static int load(struct hsm_fw *fw)
{
	struct events events = { 0 };
	struct hsm_change ch;
	int ret;

	ret = load_hsm(fw) ?: load_partitions(fw) ?: audit_load(fw);
	if (ret)
		return ret;
	if (role_settle_attempts(fw) != CKR_OK)
		return -EIO;
	if (hsm_change_begin(&ch, fw) != CKR_OK)
		return -ENOMEM;
	ch.state.power_on++;
	if (hsm_change_commit(&ch, &events) != CKR_OK)
		return -EIO;
	fw->audit.power_on = fw->hsm.power_on;
	return audit_event(fw, PCIEHSM_AUDIT_POWER_ON) == CKR_OK ? 0 : -EIO;
}

int hsm_fw_open(const struct hsm_fw_config *config, struct hsm_fw **out,
		char *error, size_t error_len)
{
	const char *broken;
	struct hsm_fw *fw;
	int ret;

	ret = check_config(config, error, error_len);
	if (ret)
		return ret;
	broken = fw_selftest();
	if (broken)
		return fail(-EIO, "the self test of %s failed; libcrypto can not be used", broken);
	fw = make(config);
	if (!fw)
		return fail(-ENOMEM, "out of memory");
	ret = store_open(config->store, config->serial, config->master_key, config->durable,
			 &fw->store, error, error_len);
	if (ret) {
		unmake(fw);
		return ret;
	}
	ret = load(fw);
	if (ret == -EBADMSG)
		explain("the store %s is damaged or was changed by something else than this "
		     "card; restore it from a copy, or remove it for a blank card", config->store);
	else if (ret)
		explain("cannot read or write the store %s: %s", config->store, strerror(-ret));
	if (!ret) {
		ret = engines_start(fw, config->engines);
		if (ret)
			explain("cannot start %u engines: %s", config->engines, strerror(-ret));
	}
	if (ret) {
		unmake(fw);
		return ret;
	}
	*out = fw;
	return 0;
}

void hsm_fw_close(struct hsm_fw *fw)
{
	if (!fw)
		return;
	engines_stop(fw);
	unmake(fw);
}

unsigned int hsm_fw_partitions(struct hsm_fw *fw, struct hsm_fw_partition *list,
			       unsigned int max)
{
	unsigned int i, count = 0;
	struct partition *p;

	pthread_rwlock_rdlock(&fw->lock);
	for (i = 0; i < FW_MAX_PARTITIONS; i++) {
		p = fw->partitions[i];
		if (!p)
			continue;
		if (count < max) {
			memset(&list[count], 0, sizeof(*list));
			list[count].number = p->number;
			memcpy(list[count].serial, p->serial_text, sizeof(list[count].serial));
			pthread_rwlock_rdlock(&p->lock);
			list[count].index = p->state.index;
			list[count].initialised = p->state.initialised;
			memcpy(list[count].label, p->state.label, sizeof(list[count].label));
			pthread_rwlock_unlock(&p->lock);
		}
		count++;
	}
	pthread_rwlock_unlock(&fw->lock);
	return count;
}

void hsm_fw_info(struct hsm_fw *fw, struct hsm_fw_info *info)
{
	memset(info, 0, sizeof(*info));
	memcpy(info->serial, fw->serial_text, sizeof(info->serial));
	memcpy(info->model, fw->model, sizeof(info->model));
	snprintf(info->fw_version, sizeof(info->fw_version), "%s", FW_VERSION);
	info->engines = fw->config.engines;
	info->max_partitions = fw->config.max_partitions;
	info->max_contexts = fw->config.max_contexts;
	info->max_msg = PCIEHSM_MSG_MAX;
	info->commands = contexts_entered(&fw->contexts);
	pthread_rwlock_rdlock(&fw->lock);
	memcpy(info->label, fw->hsm.label, sizeof(info->label));
	info->power_on = fw->hsm.power_on;
	info->tampered = fw->hsm.tampered;
	pthread_rwlock_unlock(&fw->lock);
}

bool hsm_fw_random(struct hsm_fw *fw, void *buf, size_t len)
{
	/* Never config.random: that is for simulations, and this is believed to be random. */
	(void)fw;
	return fw_random(buf, len) == CKR_OK;
}

void hsm_fw_tamper(struct hsm_fw *fw)
{
	struct events events = { 0 };
	struct hsm_change ch;

	if (hsm_change_begin(&ch, fw) != CKR_OK)
		mem_die();
	hsm_destroy(&ch);
	ch.state.tampered = true;
	if (hsm_change_commit(&ch, &events) != CKR_OK) {
		/* What can not be erased is at least never used again. */
		pthread_rwlock_wrlock(&fw->lock);
		fw->hsm.tampered = true;
		atomic_store(&fw->tampered, true);
		atomic_fetch_add(&fw->epoch, 1);
		pthread_rwlock_unlock(&fw->lock);
	}
	contexts_purge(&fw->contexts, NULL, NULL);
	/* The keys are gone, whether or not this can be written down. */
	audit_event(fw, PCIEHSM_AUDIT_TAMPER);
	events_add(&events, HSM_FW_HSM_CHANGED, 0);
	events_add(&events, HSM_FW_TAMPER, 0);
	events_fire(fw, &events);
}
