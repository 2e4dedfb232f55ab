// SPDX-License-Identifier: GPL-2.0-or-later
/* Answers that are lost at the worst place, one at a time. */
#include "scripted.h"

/* Long enough for everybody to have looked at everybody */
#define LONG	(60 * SIM_SECOND)

static CK_ULONG found(struct process *p, const char *label)
{
	CK_ATTRIBUTE attr = { CKA_LABEL, (void *)(uintptr_t)label, strlen(label) };
	struct ha_ouid *list;
	CK_ULONG n = 0;

	CHECK_RV(ha_find(p->token, 1, &attr, 1, &list, &n), CKR_OK);
	free(list);
	return n;
}

static void both_equal_with(struct process *p, const char *label, CK_ULONG n)
{
	sim_sleep(LONG);
	CHECK(members_equal(2));
	CHECK(found(p, label) == n);
}

/* The one that made it can be asked again. */
static void creation_repeated(void *arg)
{
	struct process p;
	struct key key;

	(void)arg;
	process_start(&p, 1, 0);
	LOGIN(&p);
	machine_pull(1);
	sim_sleep(SIM_SECOND);
	machine_lose_answer(0, PCIEHSM_OP_GENERATE_KEY_PAIR);
	key_made(&p, "a", true, &key);
	CHECK(found(&p, "a") == 2);
	machine_return(1);
	both_equal_with(&p, "a", 2);
	key_works(&p, &key);
	process_stop(&p);
}

static void deletion_repeated(void *arg)
{
	struct process p;
	struct key key;

	(void)arg;
	process_start(&p, 1, 0);
	LOGIN(&p);
	key_made(&p, "a", true, &key);
	machine_pull(1);
	sim_sleep(SIM_SECOND);
	machine_lose_answer(0, PCIEHSM_OP_OBJECT_DESTROY);
	CHECK_RV(ha_destroy(p.token, 1, &key.priv), CKR_OK);
	machine_return(1);
	both_equal_with(&p, "a", 1);
	process_stop(&p);
}

/* It said that it failed; so nothing of it may be found later. */
static void failed_creation(void *arg)
{
	struct ha_ouid ouid;
	struct process p;

	(void)arg;
	process_start(&p, 1, 0);
	LOGIN(&p);
	machine_pull(1);
	sim_sleep(SIM_SECOND);
	machine_pull_at(0, PCIEHSM_OP_GENERATE_KEY);
	CHECK_RV(make_aes(&p, 1, "a", true, &ouid), CKR_DEVICE_REMOVED);
	machine_return(0);
	sim_sleep(SIM_SECOND);
	machine_return(1);
	both_equal_with(&p, "a", 0);
	process_stop(&p);
}

/* Lost when it was to give what it had made: made again on the other. */
static void lost_while_copied(void *arg)
{
	struct process p;
	struct key key;

	(void)arg;
	process_start(&p, 1, 0);
	LOGIN(&p);
	machine_pull_at(0, PCIEHSM_OP_CLONE_EXPORT);
	key_made(&p, "a", true, &key);
	CHECK(!machine_present(0));
	key_works(&p, &key);
	machine_return(0);
	both_equal_with(&p, "a", 2);
	key_works(&p, &key);
	process_stop(&p);
}

static void return_later(void *arg)
{
	const unsigned int *card = arg;

	while (machine_present(*card))
		sim_sleep(100);
	machine_return(*card);
}

/*
 * Made on the first member, which is lost; its name is just being given up on the second when
 * that is lost, too; then the first is back. Under the old name it would be deleted.
 */
static void name_given_up(void *arg)
{
	static const unsigned int first = 0;
	struct fiber *returning;
	struct process p;
	struct key key;

	(void)arg;
	process_start(&p, 1, 0);
	LOGIN(&p);
	machine_pull_at(0, PCIEHSM_OP_GENERATE_KEY_PAIR);
	machine_pull_at(1, PCIEHSM_OP_OBJECT_DESTROY);
	returning = sim_spawn(0, return_later, (void *)(uintptr_t)&first);
	key_made(&p, "a", true, &key);
	sim_join(returning);
	CHECK(!machine_present(1));
	machine_return(1);
	both_equal_with(&p, "a", 2);
	key_works(&p, &key);
	process_stop(&p);
}

/*
 * One process deletes while it can not reach the second member; another, which has not heard of
 * that, changes the object there. Its version is the newer one.
 */
static void changed_after_deletion(void *arg)
{
	unsigned char id = 1;
	CK_ATTRIBUTE attr = { CKA_ID, &id, 1 };
	struct process one, other;
	struct key key;

	(void)arg;
	process_start(&one, 1, HA_OPEN_NO_THREADS);
	process_start(&other, 2, HA_OPEN_NO_THREADS);
	LOGIN(&one);
	LOGIN(&other);
	key_made(&one, "a", true, &key);
	machine_faulty(1, 1);
	CHECK_RV(ha_destroy(other.token, 1, &key.pub), CKR_OK);
	CHECK(!exists_on(0, &key.pub) && exists_on(1, &key.pub));
	machine_faulty(1, 0);
	CHECK_RV(ha_set_attributes(one.token, 1, &key.pub, &attr, 1), CKR_OK);
	process_stop(&one);
	process_stop(&other);
	process_start(&one, 3, 0);
	LOGIN(&one);
	both_equal_with(&one, "a", 1);
	CHECK(!exists_on(0, &key.pub) && !exists_on(1, &key.pub));
	process_stop(&one);
}

const struct scripted lost_tests[] = {
	{ "a creation whose answer is lost is made once", creation_repeated },
	{ "a deletion whose answer is lost has succeeded", deletion_repeated },
	{ "what failed is not found later", failed_creation },
	{ "lost while it gives what it made", lost_while_copied },
	{ "a name that is given up is used by nobody", name_given_up },
	{ "deleted here, changed there: deleted", changed_after_deletion },
	{ NULL, NULL },
};
