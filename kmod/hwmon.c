// SPDX-License-Identifier: GPL-2.0-only
/*
 * hwmon: the card's temperature, and whether its case was opened. What is shown is
 * what the card said last; a reader who finds it old has it asked for again and does
 * not wait. So the end of a card, which waits for readers, waits for no card.
 */

#include <linux/hwmon.h>
#include <linux/jiffies.h>
#include <linux/slab.h>

#include "hsm.h"

#define HSM_HEALTH_MS	2000	/* age from which a reading is asked for again */

/**
 * struct hsm_hwmon - sensors of a card
 * @ctrl:	the card
 * @dev:	of the hwmon class
 * @work:	asks the card
 * @lock:	guards what follows
 * @valid:	the card has answered once
 * @at:		jiffies of the last answer
 * @temperature: 1/1000 degrees Celsius
 * @tamper:	the case was opened
 */
struct hsm_hwmon {
	struct hsm_ctrl		*ctrl;
	struct device		*dev;
	struct work_struct	work;
	spinlock_t		lock;		/* what follows */
	bool			valid;
	unsigned long		at;
	s32			temperature;
	bool			tamper;
};

static void hsm_hwmon_work(struct work_struct *work)
{
	struct hsm_hwmon *hm = container_of(work, struct hsm_hwmon, work);
	struct pciehsm_sqe sqe = { .opcode = PCIEHSM_ADMIN_HEALTH };
	struct pciehsm_health health;
	bool warmer, tampered;
	s32 temperature;
	bool tamper;

	if (hsm_ctrl_state(hm->ctrl) != PCIEHSM_STATE_LIVE ||
	    hsm_admin(hm->ctrl, &sqe, NULL, &health, sizeof(health)))
		return;
	temperature = le32_to_cpu(health.temperature);
	tamper = health.tamper;

	spin_lock(&hm->lock);
	warmer = hm->valid && hm->temperature != temperature;
	tampered = hm->valid && hm->tamper != tamper;
	hm->temperature = temperature;
	hm->tamper = tamper;
	hm->at = jiffies;
	hm->valid = true;
	spin_unlock(&hm->lock);

	if (tampered)
		hwmon_notify_event(hm->dev, hwmon_intrusion, hwmon_intrusion_alarm, 0);
	if (warmer)
		hwmon_notify_event(hm->dev, hwmon_temp, hwmon_temp_input, 0);
}

static umode_t hsm_hwmon_visible(const void *data, enum hwmon_sensor_types type, u32 attr,
				 int channel)
{
	return 0444;
}

static int hsm_hwmon_read(struct device *dev, enum hwmon_sensor_types type, u32 attr,
			  int channel, long *val)
{
	struct hsm_hwmon *hm = dev_get_drvdata(dev);
	bool valid, old;

	if (hsm_ctrl_gone(hm->ctrl))
		return -ENODEV;
	spin_lock(&hm->lock);
	valid = hm->valid;
	old = !valid || time_after(jiffies, hm->at + msecs_to_jiffies(HSM_HEALTH_MS));
	*val = type == hwmon_temp ? hm->temperature : hm->tamper;
	spin_unlock(&hm->lock);
	if (old)
		queue_work(hsm_wq, &hm->work);
	return valid ? 0 : -ENODATA;
}

static const struct hwmon_ops hsm_hwmon_ops = {
	.is_visible	= hsm_hwmon_visible,
	.read		= hsm_hwmon_read,
};

/* Not const: 6.1 wants it so, and later kernels do not mind. */
static const struct hwmon_channel_info *hsm_hwmon_channels[] = {
	HWMON_CHANNEL_INFO(temp, HWMON_T_INPUT),
	HWMON_CHANNEL_INFO(intrusion, HWMON_INTRUSION_ALARM),
	NULL
};

static const struct hwmon_chip_info hsm_hwmon_chip = {
	.ops	= &hsm_hwmon_ops,
	.info	= hsm_hwmon_channels,
};

/**
 * hsm_hwmon_add() - show the sensors of a card
 * @ctrl:	the card, in probe
 *
 * A card without them is as good as one with them: a failure is only logged.
 */
void hsm_hwmon_add(struct hsm_ctrl *ctrl)
{
	struct hsm_hwmon *hm;

	hm = kzalloc(sizeof(*hm), GFP_KERNEL);
	if (!hm)
		return;
	hm->ctrl = ctrl;
	spin_lock_init(&hm->lock);
	INIT_WORK(&hm->work, hsm_hwmon_work);
	hm->dev = hwmon_device_register_with_info(&ctrl->pdev->dev, "pciehsm", hm,
						  &hsm_hwmon_chip, NULL);
	if (IS_ERR(hm->dev)) {
		dev_warn(&ctrl->pdev->dev, "no sensors (%ld)\n", PTR_ERR(hm->dev));
		/* A reader may have been there for a moment. */
		cancel_work_sync(&hm->work);
		kfree(hm);
		return;
	}
	ctrl->hwmon = hm;
}

/**
 * hsm_hwmon_kick() - the card has something to say about its health
 * @ctrl:	the card
 *
 * Only from event_work, which ends before the sensors do.
 */
void hsm_hwmon_kick(struct hsm_ctrl *ctrl)
{
	if (ctrl->hwmon)
		queue_work(hsm_wq, &ctrl->hwmon->work);
}

/**
 * hsm_hwmon_remove() - the end of it; waits for readers, none of which waits
 * @ctrl:	the card, without commands in flight
 */
void hsm_hwmon_remove(struct hsm_ctrl *ctrl)
{
	struct hsm_hwmon *hm = ctrl->hwmon;

	if (!hm)
		return;
	/* The work uses the device, and readers start the work: so it is ended twice. */
	cancel_work_sync(&hm->work);
	hwmon_device_unregister(hm->dev);
	cancel_work_sync(&hm->work);
	ctrl->hwmon = NULL;
	kfree(hm);
}
