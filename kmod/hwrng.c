// SPDX-License-Identifier: GPL-2.0-only
/*
 * hwrng: random numbers of the card for the kernel's pool, by PCIEHSM_ADMIN_RANDOM.
 *
 * The core calls read() under a lock that all generators of the machine share, so one
 * card must not make it wait for another: read() takes what was fetched before, and
 * a work item fetches. Only a reader who wants to wait does, and any change of the
 * card's state wakes it.
 */

#include <linux/hw_random.h>
#include <linux/jiffies.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "hsm.h"

/*
 * The card's generator is a DRBG that is seeded by what its maker trusts. That is
 * worth nearly its length; the kernel's pool gets it counted a little below.
 */
#define HSM_RNG_QUALITY	900
#define HSM_RNG_BYTES	512
/*
 * Even a reader who does not want to wait must wait for one who does: so that one does
 * not wait for as long as a hung card would have it.
 */
#define HSM_RNG_WAIT_MS	500

/**
 * struct hsm_hwrng - the generator of a card
 * @ctrl:	the card
 * @rng:	what the core knows
 * @name:	unique: another one of the same name would be refused
 * @sync:	registers it when the card is LIVE, takes it out when it is over
 * @registered:	the core has it (@sync, and at the end hsm_hwrng_remove())
 * @refused:	the card has no such command
 * @fill:	fetches
 * @lock:	guards what follows
 * @n:		bytes left
 * @error:	the last fetch failed, and no reader was told yet
 * @bytes:	not handed out yet: the first @n
 * @fetched:	only for @fill
 */
struct hsm_hwrng {
	struct hsm_ctrl		*ctrl;
	struct hwrng		rng;
	char			name[24];
	struct work_struct	sync;
	bool			registered;
	bool			refused;
	struct work_struct	fill;
	spinlock_t		lock;		/* what follows */
	unsigned int		n;
	bool			error;
	u8			bytes[HSM_RNG_BYTES];
	u8			fetched[HSM_RNG_BYTES];
};

static int hsm_hwrng_fetch(struct hsm_hwrng *hr)
{
	struct pciehsm_sqe sqe = { .opcode = PCIEHSM_ADMIN_RANDOM };
	u32 n = 0;
	int ret;

	BUILD_BUG_ON(HSM_RNG_BYTES > PCIEHSM_RANDOM_MAX);
	ret = hsm_admin(hr->ctrl, &sqe, &n, hr->fetched, sizeof(hr->fetched));
	/* Fewer would have the rest be zeroes that somebody takes for random. */
	if (!ret && n != sizeof(hr->fetched))
		ret = -EIO;
	spin_lock(&hr->lock);
	hr->error = ret;
	if (!ret) {
		memcpy(hr->bytes, hr->fetched, sizeof(hr->bytes));
		hr->n = sizeof(hr->bytes);
	}
	spin_unlock(&hr->lock);
	memzero_explicit(hr->fetched, sizeof(hr->fetched));
	wake_up_all(&hr->ctrl->state_wq);
	return ret;
}

static void hsm_hwrng_fill(struct work_struct *work)
{
	struct hsm_hwrng *hr = container_of(work, struct hsm_hwrng, fill);

	if (!READ_ONCE(hr->n) && hsm_ctrl_state(hr->ctrl) == PCIEHSM_STATE_LIVE)
		hsm_hwrng_fetch(hr);
}

static unsigned int hsm_hwrng_take(struct hsm_hwrng *hr, void *data, size_t max)
{
	unsigned int n;

	spin_lock(&hr->lock);
	n = min_t(size_t, max, hr->n);
	hr->n -= n;
	memcpy(data, hr->bytes + hr->n, n);
	/* Nobody sees a number twice. */
	memzero_explicit(hr->bytes + hr->n, n);
	spin_unlock(&hr->lock);
	return n;
}

/* Reading is over when there is something, or when waiting is of no use. */
static bool hsm_hwrng_over(struct hsm_hwrng *hr)
{
	return READ_ONCE(hr->n) || READ_ONCE(hr->error) ||
	       hsm_ctrl_state(hr->ctrl) != PCIEHSM_STATE_LIVE;
}

static int hsm_hwrng_read(struct hwrng *rng, void *data, size_t max, bool wait)
{
	struct hsm_hwrng *hr = container_of(rng, struct hsm_hwrng, rng);
	struct hsm_ctrl *ctrl = hr->ctrl;
	unsigned int n;
	long left;

	if (hsm_ctrl_gone(ctrl))
		return -ENODEV;
	n = hsm_hwrng_take(hr, data, max);
	if (n)
		return n;
	if (hsm_ctrl_state(ctrl) != PCIEHSM_STATE_LIVE)
		return wait ? -EAGAIN : 0;
	WRITE_ONCE(hr->error, false);
	queue_work(hsm_wq, &hr->fill);
	if (!wait)
		return 0;
	left = wait_event_interruptible_timeout(ctrl->state_wq, hsm_hwrng_over(hr),
						msecs_to_jiffies(HSM_RNG_WAIT_MS));
	if (left < 0)
		return left;
	n = hsm_hwrng_take(hr, data, max);
	if (n)
		return n;
	return hsm_ctrl_gone(ctrl) ? -ENODEV : -EIO;
}

/*
 * A generator without this is read from while it is registered (6.1), under the lock
 * that a reader of another card may be waiting with.
 */
static int hsm_hwrng_init(struct hwrng *rng)
{
	struct hsm_hwrng *hr = container_of(rng, struct hsm_hwrng, rng);

	return hsm_ctrl_gone(hr->ctrl) ? -ENODEV : 0;
}

static void hsm_hwrng_sync(struct work_struct *work)
{
	struct hsm_hwrng *hr = container_of(work, struct hsm_hwrng, sync);
	struct hsm_ctrl *ctrl = hr->ctrl;
	int ret;

	if (hsm_ctrl_gone(ctrl) && hr->registered) {
		hwrng_unregister(&hr->rng);
		hr->registered = false;
	}
	if (hsm_ctrl_state(ctrl) != PCIEHSM_STATE_LIVE || hr->registered || hr->refused)
		return;
	/* The core reads at once, and does not wait: so something is to be there. */
	ret = hsm_hwrng_fetch(hr);
	if (hsm_ctrl_state(ctrl) != PCIEHSM_STATE_LIVE)
		return;
	if (ret == -EIO) {
		hr->refused = true;
		dev_info(&ctrl->pdev->dev, "no random numbers from this card\n");
	}
	/* Anything else has to do with a reset: there will be another start. */
	if (ret)
		return;
	ret = hwrng_register(&hr->rng);
	if (ret)
		dev_warn(&ctrl->pdev->dev, "%s: %d\n", hr->name, ret);
	else
		hr->registered = true;
}

/**
 * hsm_hwrng_add() - prepare for random numbers from a card
 * @ctrl:	the card, in probe
 *
 * A card without them is as good as one with them: a failure is only logged.
 */
void hsm_hwrng_add(struct hsm_ctrl *ctrl)
{
	struct hsm_hwrng *hr;

	hr = kzalloc(sizeof(*hr), GFP_KERNEL);
	if (!hr)
		return;
	hr->ctrl = ctrl;
	snprintf(hr->name, sizeof(hr->name), "pciehsm-hsm%d", ctrl->id);
	hr->rng.name = hr->name;
	hr->rng.init = hsm_hwrng_init;
	hr->rng.read = hsm_hwrng_read;
	hr->rng.quality = HSM_RNG_QUALITY;
	spin_lock_init(&hr->lock);
	INIT_WORK(&hr->sync, hsm_hwrng_sync);
	INIT_WORK(&hr->fill, hsm_hwrng_fill);
	WRITE_ONCE(ctrl->hwrng, hr);
}

/**
 * hsm_hwrng_kick() - the card has become LIVE or DEAD
 * @ctrl:	the card
 */
void hsm_hwrng_kick(struct hsm_ctrl *ctrl)
{
	struct hsm_hwrng *hr = READ_ONCE(ctrl->hwrng);

	if (hr)
		queue_work(hsm_wq, &hr->sync);
}

/**
 * hsm_hwrng_remove() - the end of it
 * @ctrl:	the card, in DELETING or DEAD and without commands in flight; nobody
 *		changes its state any more
 *
 * Waits for readers, who were woken and will not wait again.
 */
void hsm_hwrng_remove(struct hsm_ctrl *ctrl)
{
	struct hsm_hwrng *hr = ctrl->hwrng;

	if (!hr)
		return;
	cancel_work_sync(&hr->sync);
	if (hr->registered)
		hwrng_unregister(&hr->rng);
	cancel_work_sync(&hr->fill);
	ctrl->hwrng = NULL;
	kfree_sensitive(hr);
}
