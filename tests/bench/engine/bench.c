// SPDX-License-Identifier: GPL-2.0-or-later
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

struct loopback *lb;
struct ha *ha;
struct ha_token *token;
unsigned int rounds = 200, objects = 100000;

static struct ha_env *env;
static char dir[512], config[600];
static char serials[MEMBERS_MAX][25];
static unsigned int generation;
static bool missed;

double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void die(const char *why)
{
	fprintf(stderr, "bench: %s\n", why);
	exit(2);
}

void need(CK_RV rv, const char *what)
{
	if (rv == CKR_OK)
		return;
	fprintf(stderr, "bench: %s: %s\n", what, pciehsm_rv_name(rv));
	exit(2);
}

void line(const char *name, const char *unit, double value, double bar, bool more)
{
	bool reached = more ? value >= bar : value <= bar;

	missed |= !reached;
	printf("%-50s %12.2f %-10s %s %10.2f  %s\n", name, value, unit, more ? ">=" : "<=", bar,
	       reached ? "reached" : "MISSED");
	fflush(stdout);
}

uint64_t card_of(unsigned int member)
{
	return 5000 + member;
}

const char *serial_of(unsigned int member)
{
	return serials[member];
}

void group_write(unsigned int listed)
{
	FILE *f = fopen(config, "w");
	double limit = now() + 60;
	bool obeyed = false;
	unsigned int i;

	if (!f)
		die("the configuration can not be written");
	fprintf(f, "{ \"version\": 1, \"generation\": %u, \"recovery_mode\": \"activeEnhanced\","
		" \"groups\": [ { \"label\": \"group\", \"number\": \"1%s\", \"slot\": 5,"
		" \"members\": [", ++generation, serials[0]);
	for (i = 0; i < listed; i++)
		fprintf(f, "%s { \"serial\": \"%s\" }", i ? "," : "", serials[i]);
	fprintf(f, " ] } ] }\n");
	if (fclose(f))
		die("the configuration can not be written");
	while (ha && !obeyed) {
		struct ha_config *is = ha_config_get(ha);

		obeyed = is->generation == generation;
		free(is);
		if (now() > limit)
			die("the configuration is not obeyed");
	}
}

void group_begin(unsigned int n, unsigned int listed)
{
	const char *tmp = getenv("TMPDIR");
	struct pciehsm_bus *bus;
	unsigned int i;

	snprintf(dir, sizeof(dir), "%.480s/cards-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		die("no directory for the cards");
	snprintf(config, sizeof(config), "%s/ha.conf", dir);
	lb = loopback_new(dir);
	bus = loopback_bus(lb);
	for (i = 0; i < n; i++) {
		loopback_add(lb, card_of(i), 100001);
		cards_partition(bus, card_of(i), "member", DOMAIN, serials[i]);
	}
	bus->ops->close(bus);
	group_write(listed);
	if (ha_env_system_over(loopback_bus(lb), config, &env) || ha_open(env, 0, &ha))
		die("the engine does not start");
	token = ha_token(ha, GROUP_SLOT);
	need(ha_login(token, PCIEHSM_ROLE_CO, CO_PIN, strlen(CO_PIN), NULL), "login");
}

void group_end(void)
{
	ha_close(ha);
	ha = NULL;
	ha_env_free(env);
	loopback_free(lb);
}

void aes_key(struct ha_ouid *key)
{
	static CK_BBOOL yes = CK_TRUE;
	CK_MECHANISM mech = { CKM_AES_KEY_GEN, NULL, 0 };
	CK_ULONG len = 32;
	const CK_ATTRIBUTE attrs[] = {
		{ CKA_TOKEN, &yes, sizeof(yes) },
		{ CKA_ENCRYPT, &yes, sizeof(yes) },
		{ CKA_VALUE_LEN, &len, sizeof(len) },
	};

	need(ha_generate_key(token, 1, &mech, attrs, 3, key), "generate key");
}

CK_RV encrypt(const struct ha_ouid *key)
{
	unsigned char iv[16] = { 0 }, block[16] = { 0 }, out[16];
	CK_MECHANISM mech = { CKM_AES_CBC, iv, sizeof(iv) };
	size_t len = sizeof(out);

	return ha_crypt(token, 1, PCIEHSM_FN_ENCRYPT, &mech, key, block, sizeof(block), NULL, 0,
			out, &len);
}

uint64_t operations_on(unsigned int member)
{
	struct pciehsm_bus *bus = loopback_bus(lb);
	struct pciehsm_transport *t = cards_open(bus, serials[member]);
	struct pciehsm_partition_info info;

	need(pciehsm_partition_info(t, &info), "partition info");
	t->ops->close(t);
	bus->ops->close(bus);
	return info.stats[PCIEHSM_STAT_ENCRYPT];
}

void wait_until_work(const struct ha_ouid *key, unsigned int n)
{
	double limit = now() + 60;
	unsigned int i;
	uint64_t before;

	for (i = 0; i < n; i++) {
		before = operations_on(i);
		while (operations_on(i) == before) {
			if (now() > limit)
				die("a member does not work again");
			need(encrypt(key), "encrypt");
		}
	}
}

static const struct {
	const char	*name;
	void		(*run)(void);
} benches[] = {
	{ "removal", bench_removal },
	{ "hang", bench_hang },
	{ "scaling", bench_scaling },
	{ "recovery", bench_recovery },
};

#define N_BENCHES (sizeof(benches) / sizeof(benches[0]))

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "rounds", required_argument, NULL, 'r' },
		{ "objects", required_argument, NULL, 'o' },
		{ NULL, 0, NULL, 0 },
	};
	unsigned int i, ran = 0;
	int option, k;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'r')
			rounds = (unsigned int)strtoul(optarg, NULL, 10);
		else if (option == 'o')
			objects = (unsigned int)strtoul(optarg, NULL, 10);
		else
			return 2;
	}
	if (!rounds || objects < 100)
		die("at least one round and 100 objects");
	printf("%-50s %12s %-10s    %10s\n", "", "measured", "", "bar");
	for (i = 0; i < N_BENCHES; i++) {
		bool wanted = optind == argc;

		for (k = optind; k < argc; k++)
			wanted |= !strcmp(argv[k], benches[i].name);
		if (!wanted)
			continue;
		benches[i].run();
		ran++;
	}
	if (!ran)
		die("there is no such measurement: removal, hang, scaling, recovery");
	return missed;
}
