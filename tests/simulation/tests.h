/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the simulation share. */
#ifndef PCIEHSM_SIMULATION_TESTS_H
#define PCIEHSM_SIMULATION_TESTS_H

#include "ha.h"
#include "machine.h"
#include "sched.h"
#include "simenv.h"

#define GROUP_LABEL	"group"
#define GROUP_SLOT	HA_SLOT_GROUP_FIRST

/* ---- client.c: what an application does ---- */

struct process {
	int			number;
	struct pciehsm_bus	*bus;
	struct ha_env		*env;
	struct ha		*ha;
	struct ha_token		*token;
};

/** process_start() - an engine with the group's token */
void process_start(struct process *p, int number, unsigned int flags);
void process_stop(struct process *p);
/** process_kill() - from outside: it stops where it is; what it had is lost */
void process_kill(struct process *p);

/** make_group() - a configuration of one group of @n cards' partitions, the last one first? */
void make_group(unsigned int n, bool reverse);

CK_RV make_pair(struct process *p, uint32_t session, const char *label, bool token,
		struct ha_ouid *pub, struct ha_ouid *priv);
CK_RV make_data(struct process *p, uint32_t session, const char *label, bool token,
		struct ha_ouid *ouid);
CK_RV make_aes(struct process *p, uint32_t session, const char *label, bool token,
	       struct ha_ouid *ouid);
CK_RV get_point(struct process *p, uint32_t session, const struct ha_ouid *pub,
		unsigned char *point, size_t *len);
/** sign_and_verify() - sign with the key, verify outside with this point */
CK_RV sign_and_verify(struct process *p, uint32_t session, const struct ha_ouid *priv,
		      const unsigned char *point, size_t len, bool *verified);
/** verify_signature() - by OpenSSL; Ed25519 */
bool verify_signature(const unsigned char *point, size_t len, const unsigned char *text,
		      size_t text_len, const unsigned char *sig, size_t sig_len);
/** encrypt_parts() - AES-CBC in several parts, and back in one; CKR_OK if it is the same */
CK_RV encrypt_parts(struct process *p, uint32_t session, const struct ha_ouid *key);
/** encrypt_nothing() - 16 zeroes under an AES key: tells it from others */
CK_RV encrypt_nothing(struct process *p, uint32_t session, const struct ha_ouid *key,
		      unsigned char *out);

/** members_equal() - past the simulation: do all cards of the group hold the same? */
bool members_equal(unsigned int n);

/* ---- scripted.c, random.c ---- */

/** scripted_tests() - with a beginning, a middle and an end. Return: failures */
unsigned int scripted_tests(unsigned int *number);
unsigned int scripted_count(void);

#define TROUBLES_MAX	256

/**
 * struct random_shape - what a run is, beside its seed; to make one that fails smaller
 * @seconds:	that the processes work
 * @skip:	troubles that do not come, by their numbers
 * @troubles:	out: how many numbers there were
 */
struct random_shape {
	unsigned int	seconds;
	bool		skip[TROUBLES_MAX];
	unsigned int	troubles;
};

#define RUN_SECONDS	120

extern struct random_shape shape;

/** random_run() - one seed. Return: true if everything was as it must be */
bool random_run(uint64_t seed);

struct random_totals {
	uint64_t runs, calls, objects, faults, messages, lost, kills, seconds, bad_writes, backs, untold;
	uint64_t longest_us;
};

extern struct random_totals totals;

#endif /* PCIEHSM_SIMULATION_TESTS_H */
