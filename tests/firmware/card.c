// SPDX-License-Identifier: GPL-2.0-or-later
#include "card.h"

#include <endian.h>
#include <ftw.h>
#include <unistd.h>

static char dir[96];
static pid_t dir_owner;

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void remove_dir(void)
{
	if (getpid() == dir_owner)
		nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *card_dir(void)
{
	const char *tmp = getenv("TMPDIR");

	if (!dir[0]) {
		snprintf(dir, sizeof(dir), "%s/card-XXXXXX", tmp ? tmp : "/tmp");
		assert_non_null(mkdtemp(dir));
		dir_owner = getpid();
		atexit(remove_dir);
	}
	return dir;
}

static void on_event(void *opaque, enum hsm_fw_event event, uint32_t number)
{
	struct card *c = opaque;

	if (c->events < CARD_EVENTS) {
		c->event[c->events].event = event;
		c->event[c->events].number = number;
		c->events++;
	}
}

unsigned int count_events(const struct card *c, enum hsm_fw_event event, uint32_t number)
{
	unsigned int i, n = 0;

	for (i = 0; i < c->events; i++)
		n += c->event[i].event == event && (!number || c->event[i].number == number);
	return n;
}

static void open_card(struct card *c)
{
	char error[256] = "";

	if (hsm_fw_open(&c->config, &c->fw, error, sizeof(error)))
		fail_msg("hsm_fw_open: %s", error);
}

static struct card *make_card(uint64_t serial, bool durable)
{
	static unsigned int n;
	struct card *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	snprintf(c->store, sizeof(c->store), "%s/%u.card", card_dir(), n++);
	c->config.store = c->store;
	c->config.serial = serial;
	c->config.partition_base = 100;
	c->config.pin_iterations = 1;
	c->config.durable = durable;
	c->config.event = on_event;
	c->config.opaque = c;
	open_card(c);
	return c;
}

struct card *card_new(uint64_t serial)
{
	return make_card(serial, false);
}

struct card *card_new_durable(uint64_t serial)
{
	return make_card(serial, true);
}

void card_power_cycle(struct card *c)
{
	hsm_fw_close(c->fw);
	open_card(c);
}

void card_free(struct card *c)
{
	char path[160];

	hsm_fw_close(c->fw);
	unlink(c->store);
	snprintf(path, sizeof(path), "%s-wal", c->store);
	unlink(path);
	free(c);
}

unsigned long card_run(struct fwmsg *m, struct card *c, uint32_t part, uint32_t ctx)
{
	unsigned long rv = fwmsg_run(m, c->fw, part, ctx);

	fwmsg_free(m);
	return rv;
}

unsigned long card_simple(struct card *c, uint32_t part, uint32_t ctx, uint32_t op)
{
	struct fwmsg m;

	fwmsg_begin(&m, op, 0);
	return card_run(&m, c, part, ctx);
}

unsigned long card_hsm_init(struct card *c, const char *label, const char *pin)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_HSM_INIT, 0);
	fwmsg_text(&m, PCIEHSM_F_LABEL, label);
	fwmsg_text(&m, PCIEHSM_F_PIN, pin);
	return card_run(&m, c, 0, CTX_SO);
}

unsigned long card_login(struct card *c, uint32_t part, uint32_t ctx, uint32_t role,
			 const char *pin)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_LOGIN, 0);
	fwmsg_u32(&m, PCIEHSM_F_ROLE, role);
	fwmsg_text(&m, PCIEHSM_F_PIN, pin);
	return card_run(&m, c, part, ctx);
}

unsigned long card_logout(struct card *c, uint32_t part, uint32_t ctx)
{
	return card_simple(c, part, ctx, PCIEHSM_OP_LOGOUT);
}

unsigned long card_partition_create(struct card *c, uint32_t ctx, uint32_t *number)
{
	unsigned long rv;
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_PARTITION_CREATE, 0);
	rv = fwmsg_run(&m, c->fw, 0, ctx);
	if (rv == CKR_OK)
		*number = fwmsg_get_u32(&m, PCIEHSM_F_NUMBER);
	fwmsg_free(&m);
	return rv;
}

unsigned long card_partition_init(struct card *c, uint32_t part, uint32_t ctx,
				  const char *label, const char *pin, const char *domain)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_PARTITION_INIT, 0);
	fwmsg_text(&m, PCIEHSM_F_LABEL, label);
	fwmsg_text(&m, PCIEHSM_F_PIN, pin);
	fwmsg_text(&m, PCIEHSM_F_DOMAIN, domain);
	return card_run(&m, c, part, ctx);
}

unsigned long card_role_init(struct card *c, uint32_t part, uint32_t ctx, uint32_t role,
			     const char *pin)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_ROLE_INIT, 0);
	fwmsg_u32(&m, PCIEHSM_F_ROLE, role);
	fwmsg_text(&m, PCIEHSM_F_PIN, pin);
	return card_run(&m, c, part, ctx);
}

static unsigned long set_secret(struct card *c, uint32_t op, uint32_t part, uint32_t ctx,
				uint32_t role, const char *pin, const char *fresh)
{
	struct fwmsg m;

	fwmsg_begin(&m, op, 0);
	fwmsg_u32(&m, PCIEHSM_F_ROLE, role);
	fwmsg_text(&m, PCIEHSM_F_PIN, pin);
	fwmsg_text(&m, PCIEHSM_F_NEW_PIN, fresh);
	return card_run(&m, c, part, ctx);
}

unsigned long card_set_pin(struct card *c, uint32_t part, uint32_t ctx, uint32_t role,
			   const char *old, const char *pin)
{
	return set_secret(c, PCIEHSM_OP_ROLE_SET_PIN, part, ctx, role, old, pin);
}

unsigned long card_set_challenge(struct card *c, uint32_t part, uint32_t ctx, uint32_t role,
				 const char *pin, const char *challenge)
{
	return set_secret(c, PCIEHSM_OP_ROLE_SET_CHALLENGE, part, ctx, role, pin, challenge);
}

unsigned long card_deactivate(struct card *c, uint32_t part, uint32_t ctx, uint32_t role)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_ROLE_DEACTIVATE, 0);
	fwmsg_u32(&m, PCIEHSM_F_ROLE, role);
	return card_run(&m, c, part, ctx);
}

unsigned long card_policy(struct card *c, uint32_t part, uint32_t ctx, uint32_t policy,
			  uint32_t value)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_POLICY_SET, 0);
	fwmsg_u32(&m, PCIEHSM_F_POLICY, policy);
	fwmsg_u32(&m, PCIEHSM_F_VALUE, value);
	return card_run(&m, c, part, ctx);
}

void card_make_roles(struct card *c, uint32_t part)
{
	assert_ok(card_login(c, part, CTX_PO, PCIEHSM_ROLE_PO, PO_PIN));
	assert_ok(card_role_init(c, part, CTX_PO, PCIEHSM_ROLE_CO, FIRST_PIN));
	assert_ok(card_set_pin(c, part, CTX_CO, PCIEHSM_ROLE_CO, FIRST_PIN, CO_PIN));
	assert_ok(card_login(c, part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
	assert_ok(card_role_init(c, part, CTX_CO, PCIEHSM_ROLE_CU, FIRST_PIN));
	assert_ok(card_set_pin(c, part, CTX_CU, PCIEHSM_ROLE_CU, FIRST_PIN, CU_PIN));
	assert_ok(card_login(c, part, CTX_CU, PCIEHSM_ROLE_CU, CU_PIN));
}

struct card *card_ready(uint64_t serial, const char *domain)
{
	struct card *c = card_new(serial);

	assert_ok(card_hsm_init(c, "card", SO_PIN));
	assert_ok(card_login(c, 0, CTX_SO, PCIEHSM_ROLE_SO, SO_PIN));
	assert_ok(card_partition_create(c, CTX_SO, &c->part));
	assert_ok(card_partition_init(c, c->part, CTX_PO, "par0", PO_PIN, domain));
	card_make_roles(c, c->part);
	return c;
}

/* ---- objects ---- */

void ouid_of(uint8_t ouid[PCIEHSM_OUID_LEN], uint32_t n)
{
	memset(ouid, 0, PCIEHSM_OUID_LEN);
	memcpy(ouid, "OUID", 4);
	n = htobe32(n);
	memcpy(ouid + 12, &n, 4);
}

static void put_ouid(struct fwmsg *m, uint16_t id, uint32_t n)
{
	uint8_t ouid[PCIEHSM_OUID_LEN];

	ouid_of(ouid, n);
	fwmsg_bytes(m, id, ouid, sizeof(ouid));
}

unsigned long card_data(struct card *c, uint32_t ctx, uint32_t n, const char *label, bool token)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_OBJECT_CREATE, 1);
	put_ouid(&m, PCIEHSM_F_OUID, n);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr_ulong(&m, CKA_CLASS, CKO_DATA);
	fwmsg_attr_bool(&m, CKA_TOKEN, token);
	fwmsg_attr_text(&m, CKA_LABEL, label);
	fwmsg_attr_text(&m, CKA_VALUE, "some value");
	fwmsg_template_end(&m);
	return card_run(&m, c, c->part, ctx);
}

unsigned long card_rsa(struct card *c, uint32_t ctx, uint32_t n, const char *label, bool token)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_GENERATE_KEY_PAIR, 1);
	fwmsg_u32(&m, PCIEHSM_F_MECHANISM, CKM_RSA_PKCS_KEY_PAIR_GEN);
	put_ouid(&m, PCIEHSM_F_OUID, n);
	put_ouid(&m, PCIEHSM_F_OUID2, n + 1);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr_bool(&m, CKA_TOKEN, token);
	fwmsg_attr_ulong(&m, CKA_MODULUS_BITS, 2048);
	fwmsg_attr_text(&m, CKA_LABEL, label);
	fwmsg_template_end(&m);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE2);
	fwmsg_attr_bool(&m, CKA_TOKEN, token);
	fwmsg_attr_text(&m, CKA_LABEL, label);
	fwmsg_template_end(&m);
	return card_run(&m, c, c->part, ctx);
}

unsigned long card_ec(struct card *c, uint32_t ctx, uint32_t n, const char *label, bool token)
{
	static const uint8_t p256[] = { 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 };
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_GENERATE_KEY_PAIR, 1);
	fwmsg_u32(&m, PCIEHSM_F_MECHANISM, CKM_EC_KEY_PAIR_GEN);
	put_ouid(&m, PCIEHSM_F_OUID, n);
	put_ouid(&m, PCIEHSM_F_OUID2, n + 1);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr_bool(&m, CKA_TOKEN, token);
	fwmsg_attr(&m, CKA_EC_PARAMS, p256, sizeof(p256));
	fwmsg_attr_text(&m, CKA_LABEL, label);
	fwmsg_template_end(&m);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE2);
	fwmsg_attr_bool(&m, CKA_TOKEN, token);
	fwmsg_attr_bool(&m, CKA_DERIVE, true);
	fwmsg_attr_text(&m, CKA_LABEL, label);
	fwmsg_template_end(&m);
	return card_run(&m, c, c->part, ctx);
}

unsigned long card_aes(struct card *c, uint32_t ctx, uint32_t n, const uint8_t *value, size_t len,
		       bool open)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_OBJECT_CREATE, 1);
	put_ouid(&m, PCIEHSM_F_OUID, n);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr_ulong(&m, CKA_CLASS, CKO_SECRET_KEY);
	fwmsg_attr_ulong(&m, CKA_KEY_TYPE, CKK_AES);
	fwmsg_attr_bool(&m, CKA_TOKEN, true);
	fwmsg_attr_bool(&m, CKA_SENSITIVE, !open);
	fwmsg_attr_bool(&m, CKA_EXTRACTABLE, open);
	fwmsg_attr(&m, CKA_VALUE, value, len);
	fwmsg_template_end(&m);
	return card_run(&m, c, c->part, ctx);
}

unsigned long card_destroy(struct card *c, uint32_t ctx, uint32_t n, uint32_t flags)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_OBJECT_DESTROY, 1);
	put_ouid(&m, PCIEHSM_F_OBJECT, n);
	if (flags)
		fwmsg_u32(&m, PCIEHSM_F_FLAGS, flags);
	return card_run(&m, c, c->part, ctx);
}

unsigned long card_find(struct card *c, uint32_t ctx, const char *label, unsigned int *count,
			uint8_t *ouids)
{
	const uint8_t *p;
	unsigned long rv;
	struct fwmsg m;
	size_t len;

	fwmsg_begin(&m, PCIEHSM_OP_OBJECT_FIND, 1);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	if (label)
		fwmsg_attr_text(&m, CKA_LABEL, label);
	fwmsg_template_end(&m);
	fwmsg_u32(&m, PCIEHSM_F_LIMIT, 1000);
	rv = fwmsg_run(&m, c->fw, c->part, ctx);
	*count = 0;
	if (rv == CKR_OK) {
		assert_int_equal(fwmsg_get_u64(&m, PCIEHSM_F_CURSOR), 0);
		p = fwmsg_get(&m, PCIEHSM_F_OUIDS, &len);
		*count = (unsigned int)(len / PCIEHSM_OUID_LEN);
		if (ouids)
			memcpy(ouids, p, len);
	}
	fwmsg_free(&m);
	return rv;
}

unsigned long card_get(struct card *c, uint32_t ctx, uint32_t n, uint32_t type, uint8_t *value,
		       size_t *len)
{
	const uint8_t *p;
	unsigned long rv;
	struct fwmsg m;
	uint32_t got;

	fwmsg_begin(&m, PCIEHSM_OP_OBJECT_GET, 1);
	put_ouid(&m, PCIEHSM_F_OBJECT, n);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr(&m, type, NULL, 0);
	fwmsg_template_end(&m);
	rv = fwmsg_run(&m, c->fw, c->part, ctx);
	if (rv == CKR_OK) {
		got = fwmsg_get_attr(&m, 0, NULL, &p);
		assert_true(got <= *len);
		memcpy(value, p, got);
		*len = got;
	}
	fwmsg_free(&m);
	return rv;
}

unsigned long card_set_text(struct card *c, uint32_t ctx, uint32_t n, uint32_t type,
			    const char *text)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_OBJECT_SET, 1);
	put_ouid(&m, PCIEHSM_F_OBJECT, n);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr_text(&m, type, text);
	fwmsg_template_end(&m);
	return card_run(&m, c, c->part, ctx);
}

unsigned long card_sign(struct card *c, uint32_t ctx, uint32_t n, uint32_t mech,
			const void *data, size_t len, uint8_t *sig, size_t *sig_len)
{
	const uint8_t *p;
	unsigned long rv;
	struct fwmsg m;
	size_t got;

	fwmsg_begin(&m, PCIEHSM_OP_CRYPT, 1);
	fwmsg_u32(&m, PCIEHSM_F_FUNCTION, PCIEHSM_FN_SIGN);
	fwmsg_u32(&m, PCIEHSM_F_MECHANISM, mech);
	put_ouid(&m, PCIEHSM_F_KEY, n);
	fwmsg_bytes(&m, PCIEHSM_F_DATA, data, len);
	rv = fwmsg_run(&m, c->fw, c->part, ctx);
	if (rv == CKR_OK) {
		p = fwmsg_get(&m, PCIEHSM_F_DATA, &got);
		assert_true(p && got <= *sig_len);
		memcpy(sig, p, got);
		*sig_len = got;
	}
	fwmsg_free(&m);
	return rv;
}

void version_of(const struct fwmsg *m, uint64_t *counter, uint64_t *writer)
{
	const uint8_t *p;
	size_t len;

	p = fwmsg_get(m, PCIEHSM_F_VERSION, &len);
	assert_non_null(p);
	assert_int_equal(len, sizeof(struct pciehsm_version));
	memcpy(counter, p, 8);
	memcpy(writer, p + 8, 8);
	*counter = le64toh(*counter);
	*writer = le64toh(*writer);
}

void card_digest(struct card *c, uint8_t digest[PCIEHSM_DIGEST_LEN])
{
	const uint8_t *p;
	struct fwmsg m;
	size_t len;

	fwmsg_begin(&m, PCIEHSM_OP_DIGEST, 0);
	assert_ok(fwmsg_run(&m, c->fw, c->part, CTX_CO));
	p = fwmsg_get(&m, PCIEHSM_F_DIGEST, &len);
	assert_int_equal(len, PCIEHSM_DIGEST_LEN);
	memcpy(digest, p, len);
	fwmsg_free(&m);
}
