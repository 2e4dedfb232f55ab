// SPDX-License-Identifier: GPL-2.0-or-later
#include "fixture.h"

#include <time.h>
#include <unistd.h>

struct loopback *lb;
struct ha *ha;
struct ha_token *token;
char config_path[4096];

static struct ha_env *env;
static CK_BBOOL yes = CK_TRUE;
static const unsigned char p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };

/* Every test has cards of its own: what one does to them is nothing to the next. */
int with_group(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct pciehsm_bus *bus;
	char dir[2048];

	(void)state;
	snprintf(dir, sizeof(dir), "%s/cards-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(dir));
	snprintf(config_path, sizeof(config_path), "%s/ha.conf", dir);
	lb = loopback_new(dir);
	loopback_add(lb, CARD_A, CARD_A_BASE);
	loopback_add(lb, CARD_B, CARD_B_BASE);
	bus = loopback_bus(lb);
	cards_partition(bus, CARD_A, "par0", DOMAIN, NULL);
	cards_partition(bus, CARD_B, "par1", DOMAIN, NULL);
	bus->ops->close(bus);
	cards_group(config_path, false);
	assert_int_equal(ha_env_system_over(loopback_bus(lb), config_path, &env), 0);
	assert_int_equal(ha_open(env, 0, &ha), 0);
	token = ha_token(ha, GROUP_SLOT);
	assert_non_null(token);
	return 0;
}

int without_group(void **state)
{
	(void)state;
	ha_close(ha);
	ha_env_free(env);
	loopback_free(lb);
	return 0;
}

void login(void)
{
	OK(ha_login(token, PCIEHSM_ROLE_CO, CO_PIN, strlen(CO_PIN), NULL));
}

CK_RV ec_pair(uint32_t session, const char *label, struct ha_ouid *pub, struct ha_ouid *priv)
{
	CK_MECHANISM mech = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
	const CK_ATTRIBUTE public[] = {
		{ CKA_TOKEN, &yes, sizeof(yes) },
		{ CKA_LABEL, (void *)(uintptr_t)label, strlen(label) },
		{ CKA_VERIFY, &yes, sizeof(yes) },
		{ CKA_EC_PARAMS, (void *)(uintptr_t)p256, sizeof(p256) },
	};
	const CK_ATTRIBUTE private[] = {
		{ CKA_TOKEN, &yes, sizeof(yes) },
		{ CKA_LABEL, (void *)(uintptr_t)label, strlen(label) },
		{ CKA_PRIVATE, &yes, sizeof(yes) },
		{ CKA_SIGN, &yes, sizeof(yes) },
	};

	return ha_generate_key_pair(token, session, &mech, public, 4, private, 4, pub, priv);
}

CK_RV aes_key(uint32_t session, bool of_token, struct ha_ouid *key)
{
	CK_MECHANISM mech = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_BBOOL token_object = of_token;
	CK_ULONG len = 32;
	const CK_ATTRIBUTE attrs[] = {
		{ CKA_TOKEN, &token_object, sizeof(token_object) },
		{ CKA_ENCRYPT, &yes, sizeof(yes) },
		{ CKA_DECRYPT, &yes, sizeof(yes) },
		{ CKA_VALUE_LEN, &len, sizeof(len) },
	};

	return ha_generate_key(token, session, &mech, attrs, 4, key);
}

CK_RV sign_with(uint32_t session, const struct ha_ouid *priv)
{
	CK_MECHANISM mech = { CKM_ECDSA, NULL, 0 };
	unsigned char digest[32] = { 1 }, sig[64];
	size_t len = sizeof(sig);

	return ha_crypt(token, session, PCIEHSM_FN_SIGN, &mech, priv, digest, sizeof(digest), NULL,
			0, sig, &len);
}

struct pciehsm_transport *at(const char *serial)
{
	struct pciehsm_bus *bus = loopback_bus(lb);
	struct pciehsm_transport *t = cards_open(bus, serial);

	bus->ops->close(bus);
	return t;
}

void set_policy(const char *serial, uint32_t policy, uint32_t value)
{
	struct pciehsm_transport *t = at(serial);

	OK(pciehsm_login(t, PCIEHSM_ROLE_PO, PO_PIN, strlen(PO_PIN), NULL, NULL));
	OK(pciehsm_policy_set(t, policy, value));
	t->ops->close(t);
}

uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void write_config(const char *text)
{
	FILE *f = fopen(config_path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}
