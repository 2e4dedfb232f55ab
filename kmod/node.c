// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device nodes: one for the card, one for each partition, kept equal to the card's
 * list. A partition is its number, which is never used twice; the index in the node's
 * name may be taken over by another one, which then gets a node of its own.
 */

#include <linux/fs.h>
#include <linux/idr.h>
#include <linux/slab.h>

#include "hsm.h"

/* More than any machine has nodes: closed-late files keep theirs for a while. */
#define HSM_MINORS	65536

static dev_t hsm_devt;
static DEFINE_IDA(hsm_minors);

static struct hsm_node *hsm_node_of(const struct device *dev)
{
	return (struct hsm_node *)container_of(dev, struct hsm_node, dev);
}

static char *hsm_devnode(HSM_DEVNODE_DEVICE *dev, umode_t *mode)
{
	/* The HSM itself is for root; the partitions for a group that udev may set. */
	if (mode)
		*mode = hsm_node_of(dev)->index ? 0660 : 0600;
	return NULL;
}

static struct class hsm_class = {
	.name		= "hsm",
	.devnode	= hsm_devnode,
};

static void hsm_node_release(struct device *dev)
{
	struct hsm_node *node = hsm_node_of(dev);

	ida_free(&hsm_minors, MINOR(dev->devt));
	hsm_ctrl_put(node->ctrl);
	kfree(node);
}

/* What the card calls itself may be anything; what sysfs shows is one line of text. */
static void hsm_copy_text(char *to, size_t size, const char *from, size_t len)
{
	size_t i;

	for (i = 0; i < len && i + 1 < size && from[i]; i++)
		to[i] = (u8)from[i] < 0x20 || from[i] == 0x7f ? '?' : from[i];
	to[i] = 0;
}

/* A node that is not added yet: put_device() frees it. */
static struct hsm_node *hsm_node_alloc(struct hsm_ctrl *ctrl, u32 index)
{
	struct hsm_node *node;
	int minor, ret;

	node = kzalloc(sizeof(*node), GFP_KERNEL);
	if (!node)
		return ERR_PTR(-ENOMEM);
	minor = ida_alloc_max(&hsm_minors, HSM_MINORS - 1, GFP_KERNEL);
	if (minor < 0) {
		kfree(node);
		return ERR_PTR(minor);
	}
	node->ctrl = hsm_ctrl_get(ctrl);
	node->index = index;
	INIT_LIST_HEAD(&node->entry);
	device_initialize(&node->dev);
	node->dev.class = &hsm_class;
	node->dev.parent = &ctrl->pdev->dev;
	node->dev.devt = MKDEV(MAJOR(hsm_devt), minor);
	node->dev.release = hsm_node_release;
	node->dev.groups = index ? hsm_partition_groups : hsm_card_groups;
	cdev_init(&node->cdev, &hsm_fops);
	node->cdev.owner = THIS_MODULE;
	ret = index ? dev_set_name(&node->dev, "hsm%dp%u", ctrl->id, index) :
		      dev_set_name(&node->dev, "hsm%d", ctrl->id);
	if (ret) {
		put_device(&node->dev);
		return ERR_PTR(ret);
	}
	return node;
}

/* Adds it to the list, or frees it. */
static int hsm_node_add(struct hsm_node *node)
{
	struct hsm_ctrl *ctrl = node->ctrl;
	int ret;

	lockdep_assert_held(&ctrl->scan_lock);
	ret = cdev_device_add(&node->cdev, &node->dev);
	if (ret) {
		dev_err(&ctrl->pdev->dev, "%s: %d\n", dev_name(&node->dev), ret);
		put_device(&node->dev);
		return ret;
	}
	list_add_tail(&node->entry, &ctrl->nodes);
	return 0;
}

static void hsm_node_del(struct hsm_node *node)
{
	struct hsm_ctrl *ctrl = node->ctrl;

	lockdep_assert_held(&ctrl->scan_lock);
	WRITE_ONCE(node->gone, true);
	wake_up_all(&ctrl->state_wq);
	wake_up_all(&ctrl->event_wq);
	list_del_init(&node->entry);
	cdev_device_del(&node->cdev, &node->dev);
	put_device(&node->dev);
}

/**
 * hsm_nodes_add_card() - make /dev/hsm<card>
 * @ctrl:	the card, identified
 *
 * Return: 0 or a negative errno.
 */
int hsm_nodes_add_card(struct hsm_ctrl *ctrl)
{
	struct hsm_node *node;
	int ret;

	node = hsm_node_alloc(ctrl, 0);
	if (IS_ERR(node))
		return PTR_ERR(node);
	hsm_copy_text(node->serial, sizeof(node->serial), ctrl->ident.serial,
		      sizeof(ctrl->ident.serial));
	hsm_copy_text(node->label, sizeof(node->label), ctrl->ident.label,
		      sizeof(ctrl->ident.label));
	mutex_lock(&ctrl->scan_lock);
	ret = hsm_node_add(node);
	if (!ret)
		ctrl->card_node = node;
	mutex_unlock(&ctrl->scan_lock);
	return ret;
}

/* Takes over a label and flags; tells userspace if they are new. */
static void hsm_node_refresh(struct hsm_node *node, const char *label, size_t len, u32 flags)
{
	struct hsm_ctrl *ctrl = node->ctrl;
	char text[PCIEHSM_LABEL_LEN + 1];
	bool changed;

	hsm_copy_text(text, sizeof(text), label, len);
	spin_lock(&ctrl->lock);
	changed = strcmp(text, node->label) || flags != node->flags;
	strscpy(node->label, text, sizeof(node->label));
	node->flags = flags;
	spin_unlock(&ctrl->lock);
	if (changed && !list_empty(&node->entry))
		kobject_uevent(&node->dev.kobj, KOBJ_CHANGE);
}

/**
 * hsm_nodes_refresh_card() - take over what the card says of itself now
 * @ctrl:	the card
 */
void hsm_nodes_refresh_card(struct hsm_ctrl *ctrl)
{
	mutex_lock(&ctrl->scan_lock);
	if (ctrl->card_node)
		hsm_node_refresh(ctrl->card_node, ctrl->ident.label,
				 sizeof(ctrl->ident.label), 0);
	mutex_unlock(&ctrl->scan_lock);
}

static const struct pciehsm_partition *hsm_list_find(struct hsm_ctrl *ctrl, u32 count,
						     const struct hsm_node *node)
{
	u32 i;

	for (i = 0; i < count; i++)
		if (le32_to_cpu(ctrl->list[i].number) == node->number &&
		    le32_to_cpu(ctrl->list[i].index) == node->index)
			return &ctrl->list[i];
	return NULL;
}

/* Is there a node at this index or of this number? */
static bool hsm_nodes_have(struct hsm_ctrl *ctrl, u32 index, u32 number)
{
	struct hsm_node *node;

	list_for_each_entry(node, &ctrl->nodes, entry)
		if (node->index == index || node->number == number)
			return true;
	return false;
}

/**
 * hsm_nodes_scan() - make the nodes equal to ctrl->list
 * @ctrl:	the card
 * @count:	entries of the list
 *
 * First those go that are not in the list any more, so that their names are free
 * for those that come.
 */
void hsm_nodes_scan(struct hsm_ctrl *ctrl, u32 count)
{
	const struct pciehsm_partition *part;
	struct hsm_node *node, *tmp;
	u32 i, index, number;

	mutex_lock(&ctrl->scan_lock);
	if (hsm_ctrl_gone(ctrl))
		goto out;
	list_for_each_entry_safe(node, tmp, &ctrl->nodes, entry) {
		if (!node->index)
			continue;
		part = hsm_list_find(ctrl, count, node);
		if (part)
			hsm_node_refresh(node, part->label, sizeof(part->label),
					 le32_to_cpu(part->flags));
		else
			hsm_node_del(node);
	}
	for (i = 0; i < count; i++) {
		part = &ctrl->list[i];
		index = le32_to_cpu(part->index);
		number = le32_to_cpu(part->number);
		if (!number || !index || index > PCIEHSM_MAX_PARTITIONS) {
			dev_warn(&ctrl->pdev->dev, "partition %u has index %u: ignored\n",
				 number, index);
			continue;
		}
		if (hsm_nodes_have(ctrl, index, number))
			continue;
		node = hsm_node_alloc(ctrl, index);
		if (IS_ERR(node)) {
			dev_err(&ctrl->pdev->dev, "partition %u: no node (%ld)\n", number,
				PTR_ERR(node));
			continue;
		}
		node->number = number;
		hsm_copy_text(node->serial, sizeof(node->serial), part->serial,
			      sizeof(part->serial));
		hsm_node_refresh(node, part->label, sizeof(part->label),
				 le32_to_cpu(part->flags));
		hsm_node_add(node);
	}
out:
	mutex_unlock(&ctrl->scan_lock);
}

/**
 * hsm_nodes_remove() - take the nodes away
 * @ctrl:	the card
 * @card_too:	not only those of the partitions
 *
 * Waits for readers of sysfs attributes, none of which waits for the card.
 */
void hsm_nodes_remove(struct hsm_ctrl *ctrl, bool card_too)
{
	struct hsm_node *node, *tmp;

	mutex_lock(&ctrl->scan_lock);
	list_for_each_entry_safe_reverse(node, tmp, &ctrl->nodes, entry)
		if (node->index)
			hsm_node_del(node);
	if (card_too && ctrl->card_node) {
		hsm_node_del(ctrl->card_node);
		ctrl->card_node = NULL;
	}
	mutex_unlock(&ctrl->scan_lock);
}

/**
 * hsm_nodes_index() - which index has a partition?
 * @ctrl:	the card
 * @number:	of the partition
 *
 * Return: the index in the node's name, or 0 if there is no node.
 */
u32 hsm_nodes_index(struct hsm_ctrl *ctrl, u32 number)
{
	struct hsm_node *node;
	u32 index = 0;

	mutex_lock(&ctrl->scan_lock);
	list_for_each_entry(node, &ctrl->nodes, entry)
		if (number && node->number == number)
			index = node->index;
	mutex_unlock(&ctrl->scan_lock);
	return index;
}

/**
 * hsm_nodes_init() - the class and the device numbers
 *
 * Return: 0 or a negative errno.
 */
int hsm_nodes_init(void)
{
	int ret;

	ret = alloc_chrdev_region(&hsm_devt, 0, HSM_MINORS, "hsm");
	if (ret)
		return ret;
	ret = class_register(&hsm_class);
	if (ret)
		unregister_chrdev_region(hsm_devt, HSM_MINORS);
	return ret;
}

/**
 * hsm_nodes_exit() - the end of them; no node is left
 */
void hsm_nodes_exit(void)
{
	class_unregister(&hsm_class);
	unregister_chrdev_region(hsm_devt, HSM_MINORS);
	ida_destroy(&hsm_minors);
}
