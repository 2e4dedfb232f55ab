// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/pciehsm/hsm<card>: counters of what went wrong and was dealt with,
 * and knobs that make something go wrong, for the tests.
 */

#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "hsm.h"

static struct dentry *hsm_debugfs_root;

DEFINE_STATIC_KEY_FALSE(hsm_inject_key);

static int counters_show(struct seq_file *s, void *unused)
{
	struct hsm_ctrl *ctrl = s->private;
	struct hsm_counters *c = &ctrl->counters;

	seq_printf(s, "cqe_unknown %lld\n", atomic64_read(&c->cqe_unknown));
	seq_printf(s, "cqe_stale %lld\n", atomic64_read(&c->cqe_stale));
	seq_printf(s, "cqe_duplicate %lld\n", atomic64_read(&c->cqe_duplicate));
	seq_printf(s, "bad_sq_head %lld\n", atomic64_read(&c->bad_sq_head));
	seq_printf(s, "missed_irqs %lld\n", atomic64_read(&c->missed_irqs));
	seq_printf(s, "timeouts %lld\n", atomic64_read(&c->timeouts));
	seq_printf(s, "aborts %lld\n", atomic64_read(&c->aborts));
	seq_printf(s, "orphans %lld\n", atomic64_read(&c->orphans));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(counters);

static int inject_get(void *data, u64 *val)
{
	*val = atomic_read(data);
	return 0;
}

static int inject_set(void *data, u64 val)
{
	if (val > S32_MAX)
		return -EINVAL;
	atomic_set(data, val);
	/* For good: a machine that this was ever asked of is one for tests. */
	static_branch_enable(&hsm_inject_key);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(inject_fops, inject_get, inject_set, "%llu\n");

/**
 * hsm_debugfs_add() - the directory of a card
 * @ctrl:	the card
 */
void hsm_debugfs_add(struct hsm_ctrl *ctrl)
{
	char name[16];

	snprintf(name, sizeof(name), "hsm%d", ctrl->id);
	ctrl->debugfs = debugfs_create_dir(name, hsm_debugfs_root);
	debugfs_create_file("counters", 0400, ctrl->debugfs, ctrl, &counters_fops);
	debugfs_create_file_unsafe("drop_irqs", 0600, ctrl->debugfs, &ctrl->inject.drop_irqs,
				   &inject_fops);
	debugfs_create_file_unsafe("fail_submits", 0600, ctrl->debugfs,
				   &ctrl->inject.fail_submits, &inject_fops);
}

/**
 * hsm_debugfs_remove() - the end of it; waits for readers
 * @ctrl:	the card
 */
void hsm_debugfs_remove(struct hsm_ctrl *ctrl)
{
	debugfs_remove_recursive(ctrl->debugfs);
	ctrl->debugfs = NULL;
}

/**
 * hsm_debugfs_init() - the directory of the driver
 */
void hsm_debugfs_init(void)
{
	hsm_debugfs_root = debugfs_create_dir("pciehsm", NULL);
}

/**
 * hsm_debugfs_exit() - the end of it
 */
void hsm_debugfs_exit(void)
{
	debugfs_remove_recursive(hsm_debugfs_root);
}
