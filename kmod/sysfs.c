// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attributes of the nodes, described in ABI/sysfs-class-hsm. They show what the driver
 * knows and never ask the card: removal waits for their readers.
 */

#include <linux/sysfs.h>

#include "hsm.h"

static struct hsm_node *hsm_node_of(struct device *dev)
{
	return container_of(dev, struct hsm_node, dev);
}

static ssize_t serial_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", hsm_node_of(dev)->serial);
}
static DEVICE_ATTR_RO(serial);

static ssize_t label_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct hsm_node *node = hsm_node_of(dev);
	ssize_t ret;

	spin_lock(&node->ctrl->lock);
	ret = sysfs_emit(buf, "%s\n", node->label);
	spin_unlock(&node->ctrl->lock);
	return ret;
}
static DEVICE_ATTR_RO(label);

static ssize_t number_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", hsm_node_of(dev)->number);
}
static DEVICE_ATTR_RO(number);

static ssize_t state_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", hsm_state_name(hsm_ctrl_state(hsm_node_of(dev)->ctrl)));
}
static DEVICE_ATTR_RO(state);

/* Text of the card's identity, without what would break the line. */
static ssize_t hsm_ident_show(struct hsm_ctrl *ctrl, const char *text, size_t len, char *buf)
{
	ssize_t i, n;

	spin_lock(&ctrl->lock);
	n = sysfs_emit(buf, "%.*s\n", (int)len, text);
	spin_unlock(&ctrl->lock);
	for (i = 0; i + 1 < n; i++)
		if ((u8)buf[i] < 0x20 || buf[i] == 0x7f)
			buf[i] = '?';
	return n;
}

static ssize_t model_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct hsm_ctrl *ctrl = hsm_node_of(dev)->ctrl;

	return hsm_ident_show(ctrl, ctrl->ident.model, sizeof(ctrl->ident.model), buf);
}
static DEVICE_ATTR_RO(model);

static ssize_t fw_version_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct hsm_ctrl *ctrl = hsm_node_of(dev)->ctrl;

	return hsm_ident_show(ctrl, ctrl->ident.fw_version, sizeof(ctrl->ident.fw_version), buf);
}
static DEVICE_ATTR_RO(fw_version);

static ssize_t resets_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(hsm_node_of(dev)->ctrl->resets));
}
static DEVICE_ATTR_RO(resets);

static ssize_t outstanding_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", atomic_read(&hsm_node_of(dev)->outstanding));
}
static DEVICE_ATTR_RO(outstanding);

static struct attribute *hsm_card_attrs[] = {
	&dev_attr_serial.attr,
	&dev_attr_label.attr,
	&dev_attr_state.attr,
	&dev_attr_model.attr,
	&dev_attr_fw_version.attr,
	&dev_attr_resets.attr,
	&dev_attr_outstanding.attr,
	NULL
};

static const struct attribute_group hsm_card_group = {
	.attrs = hsm_card_attrs,
};

const struct attribute_group *hsm_card_groups[] = {
	&hsm_card_group,
	NULL
};

static struct attribute *hsm_partition_attrs[] = {
	&dev_attr_serial.attr,
	&dev_attr_label.attr,
	&dev_attr_number.attr,
	&dev_attr_state.attr,
	&dev_attr_outstanding.attr,
	NULL
};

static const struct attribute_group hsm_partition_group = {
	.attrs = hsm_partition_attrs,
};

const struct attribute_group *hsm_partition_groups[] = {
	&hsm_partition_group,
	NULL
};
