// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module, its parameters, and what the PCI core asks of a driver: probe, remove,
 * shutdown, suspend, resets by others, error recovery.
 */

#include <linux/idr.h>
#include <linux/io.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>

#include "hsm.h"

struct workqueue_struct *hsm_wq;

static DEFINE_IDA(hsm_cards);
/* Cards in memory; the code must stay as long as there is one. */
static atomic_t hsm_ctrls = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(hsm_ctrls_wq);

/* A parameter with limits, so that no value makes the driver wait for ever. */
#define HSM_PARAM(name, value, least, most, mode, desc)					\
	unsigned int hsm_##name = value;						\
	static int hsm_set_##name(const char *val, const struct kernel_param *kp)	\
	{										\
		return param_set_uint_minmax(val, kp, least, most);			\
	}										\
	static const struct kernel_param_ops hsm_ops_##name = {				\
		.set = hsm_set_##name,							\
		.get = param_get_uint,							\
	};										\
	module_param_cb(name, &hsm_ops_##name, &hsm_##name, mode);			\
	MODULE_PARM_DESC(name, desc " (" #least " to " #most ", default " #value ")")

HSM_PARAM(timeout_ms, 10000, 100, 3600000, 0644,
	  "how long a card may be silent about a command before it is aborted");
HSM_PARAM(abort_timeout_ms, 2000, 100, 60000, 0644,
	  "how long an aborted command may last before the card is reset");
HSM_PARAM(admin_timeout_ms, 5000, 100, 60000, 0644,
	  "how long a card may be silent about a command of the driver's own");
HSM_PARAM(reset_limit, 8, 0, 31, 0644,
	  "resets for its own faults that a card may need within an hour; 0: any number");
static HSM_PARAM(queue_depth, 64, 2, 1024, 0444, "entries of an I/O queue");
HSM_PARAM(max_queues, 64, 1, 64, 0444, "greatest number of I/O queue pairs of a card");
static HSM_PARAM(max_vectors, 65, 1, 65, 0444, "greatest number of interrupts of a card");

static void hsm_ctrl_free(struct kref *ref)
{
	struct hsm_ctrl *ctrl = container_of(ref, struct hsm_ctrl, ref);

	percpu_ref_exit(&ctrl->users);
	xa_destroy(&ctrl->ctx_numbers);
	kfree(ctrl->cpu_queue);
	kfree(ctrl);
	if (atomic_dec_and_test(&hsm_ctrls))
		wake_up_all(&hsm_ctrls_wq);
}

/**
 * hsm_ctrl_put() - drop a reference
 * @ctrl:	the card
 */
void hsm_ctrl_put(struct hsm_ctrl *ctrl)
{
	kref_put(&ctrl->ref, hsm_ctrl_free);
}

static void hsm_users_gone(struct percpu_ref *ref)
{
	struct hsm_ctrl *ctrl = container_of(ref, struct hsm_ctrl, users);

	complete(&ctrl->users_gone);
}

static struct hsm_ctrl *hsm_ctrl_alloc(struct pci_dev *pdev)
{
	struct hsm_ctrl *ctrl;

	ctrl = kzalloc(sizeof(*ctrl), GFP_KERNEL);
	if (!ctrl)
		return NULL;
	ctrl->cpu_queue = kcalloc(nr_cpu_ids, sizeof(*ctrl->cpu_queue), GFP_KERNEL);
	if (!ctrl->cpu_queue)
		goto err_free;
	if (percpu_ref_init(&ctrl->users, hsm_users_gone, 0, GFP_KERNEL))
		goto err_free;

	kref_init(&ctrl->ref);
	ctrl->pdev = pdev;
	ctrl->state = PCIEHSM_STATE_NEW;
	spin_lock_init(&ctrl->lock);
	init_waitqueue_head(&ctrl->state_wq);
	init_waitqueue_head(&ctrl->event_wq);
	mutex_init(&ctrl->shutdown_lock);
	init_completion(&ctrl->users_gone);
	INIT_DELAYED_WORK(&ctrl->watchdog, hsm_watchdog);
	spin_lock_init(&ctrl->watchdog_lock);
	INIT_WORK(&ctrl->reset_work, hsm_reset_work);
	INIT_WORK(&ctrl->event_work, hsm_event_work);
	INIT_WORK(&ctrl->notify_work, hsm_notify_work);
	mutex_init(&ctrl->scan_lock);
	INIT_LIST_HEAD(&ctrl->nodes);
	spin_lock_init(&ctrl->ctx_lock);
	INIT_LIST_HEAD(&ctrl->ctxs);
	xa_init_flags(&ctrl->ctx_numbers, XA_FLAGS_ALLOC1);
	atomic_inc(&hsm_ctrls);
	return ctrl;

err_free:
	kfree(ctrl->cpu_queue);
	kfree(ctrl);
	return NULL;
}

static int hsm_check_caps(struct hsm_ctrl *ctrl)
{
	struct device *dev = &ctrl->pdev->dev;
	u64 cap = lo_hi_readq(ctrl->bar + PCIEHSM_REG_CAP);
	u32 vs = readl(ctrl->bar + PCIEHSM_REG_VS);

	if (cap == U64_MAX || vs == U32_MAX)
		return dev_err_probe(dev, -ENODEV, "the registers can not be read\n");
	if (PCIEHSM_VS_MAJOR(vs) != PCIEHSM_VS_MAJOR(PCIEHSM_VS_CURRENT))
		return dev_err_probe(dev, -EPROTONOSUPPORT,
				     "the card speaks version %u.%u, the driver %u.x: update the older one\n",
				     PCIEHSM_VS_MAJOR(vs), PCIEHSM_VS_MINOR(vs),
				     PCIEHSM_VS_MAJOR(PCIEHSM_VS_CURRENT));
	/* Four admin entries: one event, one command, one abort. */
	if (PCIEHSM_CAP_MQES(cap) < 1 || PCIEHSM_CAP_AQES(cap) < 2 ||
	    PCIEHSM_CAP_AQES(cap) > 16 || !PCIEHSM_CAP_MSGMAX(cap))
		return dev_err_probe(dev, -EPROTO, "the capabilities %#llx make no sense\n", cap);

	ctrl->ready_ms = max_t(u32, PCIEHSM_CAP_TO(cap), 1) * PCIEHSM_CAP_TO_UNIT_MS;
	ctrl->io_depth = min3(hsm_queue_depth, (unsigned int)PCIEHSM_CAP_MQES(cap) + 1,
			      HSM_MAX_DEPTH);
	ctrl->max_msg = PCIEHSM_CAP_MSGMAX(cap) * PCIEHSM_CAP_MSGMAX_UNIT;
	return min_t(int, HSM_ADMIN_DEPTH, 1 << PCIEHSM_CAP_AQES(cap));
}

/* What needs the PCI function, up to an admin queue in memory. */
static int hsm_ctrl_attach(struct hsm_ctrl *ctrl)
{
	struct pci_dev *pdev = ctrl->pdev;
	struct device *dev = &pdev->dev;
	struct hsm_queue *q;
	int ret, depth;

	ret = pci_enable_device_mem(pdev);
	if (ret)
		return dev_err_probe(dev, ret, "enabling the device\n");
	ret = pci_request_mem_regions(pdev, KBUILD_MODNAME);
	if (ret) {
		dev_err_probe(dev, ret, "reserving the registers\n");
		goto err_disable;
	}
	ret = -ENODEV;
	if (pci_resource_len(pdev, 0) < PCIEHSM_BAR0_SIZE) {
		dev_err_probe(dev, ret, "BAR 0 is too small\n");
		goto err_release;
	}
	ctrl->bar = ioremap(pci_resource_start(pdev, 0), PCIEHSM_BAR0_SIZE);
	if (!ctrl->bar) {
		ret = -ENOMEM;
		goto err_release;
	}
	depth = hsm_check_caps(ctrl);
	if (depth < 0) {
		ret = depth;
		goto err_unmap;
	}
	if (dma_set_mask_and_coherent(dev, DMA_BIT_MASK(64)) &&
	    dma_set_mask_and_coherent(dev, DMA_BIT_MASK(32))) {
		ret = dev_err_probe(dev, -EIO, "no usable DMA mask\n");
		goto err_unmap;
	}
	ctrl->max_seg = min_t(size_t, dma_max_mapping_size(dev), SZ_1M) & PAGE_MASK;
	dma_set_max_seg_size(dev, ctrl->max_seg);

	ret = pci_alloc_irq_vectors(pdev, 1, min3(hsm_max_vectors, hsm_max_queues + 1,
						  num_online_cpus() + 1), PCI_IRQ_MSIX);
	if (ret < 0) {
		dev_err_probe(dev, ret, "no MSI-X interrupt\n");
		goto err_unmap;
	}
	ctrl->vectors = ret;
	ctrl->list = dma_alloc_coherent(dev, PCIEHSM_MAX_PARTITIONS * sizeof(*ctrl->list),
					&ctrl->list_dma, GFP_KERNEL);
	if (!ctrl->list) {
		ret = -ENOMEM;
		goto err_vectors;
	}
	q = hsm_queue_alloc(ctrl, 0, depth, 0);
	if (IS_ERR(q)) {
		ret = dev_err_probe(dev, PTR_ERR(q), "the admin queue\n");
		goto err_list;
	}
	ctrl->queues[0] = q;
	ctrl->nr_queues = 1;
	/* Error recovery gives this state back, whatever has happened to the device. */
	pci_save_state(pdev);
	return 0;

err_list:
	dma_free_coherent(dev, PCIEHSM_MAX_PARTITIONS * sizeof(*ctrl->list), ctrl->list,
			  ctrl->list_dma);
err_vectors:
	pci_free_irq_vectors(pdev);
err_unmap:
	iounmap(ctrl->bar);
err_release:
	pci_release_mem_regions(pdev);
err_disable:
	pci_disable_device(pdev);
	return ret;
}

static void hsm_ctrl_detach(struct hsm_ctrl *ctrl)
{
	struct pci_dev *pdev = ctrl->pdev;

	while (ctrl->nr_queues)
		hsm_queue_free(ctrl->queues[--ctrl->nr_queues]);
	dma_free_coherent(&pdev->dev, PCIEHSM_MAX_PARTITIONS * sizeof(*ctrl->list), ctrl->list,
			  ctrl->list_dma);
	pci_free_irq_vectors(pdev);
	iounmap(ctrl->bar);
	pci_release_mem_regions(pdev);
	pci_disable_device(pdev);
}

/*
 * The end, orderly or not. The order matters:
 * 1. The state: no new command, everybody who waits for anything wakes up.
 * 2. Quiesce: no DMA any more, and every command in flight is given back.
 * 3. Those who hold a slot give it back; none of them waits for anybody.
 * 4. The workers end: whatever they want to send is refused.
 * 5. What else looks at the card goes: random numbers, sensors. Nobody waits there.
 * 6. The nodes go; files that are open on them keep software only.
 * The caller then frees what the card could reach.
 */
static void hsm_ctrl_end(struct hsm_ctrl *ctrl)
{
	/* Refused if the card was given up before: then this is done already. */
	(void)hsm_ctrl_change_state(ctrl, PCIEHSM_STATE_DELETING);
	hsm_ctrl_quiesce(ctrl, HSM_QUIESCE_POLITE | HSM_QUIESCE_SHUTDOWN, -ENODEV);
	percpu_ref_kill(&ctrl->users);
	wait_for_completion(&ctrl->users_gone);
	cancel_work_sync(&ctrl->reset_work);
	cancel_delayed_work_sync(&ctrl->watchdog);
	cancel_work_sync(&ctrl->event_work);
	hsm_hwrng_remove(ctrl);
	hsm_hwmon_remove(ctrl);
	hsm_nodes_remove(ctrl, true);
	(void)hsm_ctrl_change_state(ctrl, PCIEHSM_STATE_DEAD);
	cancel_work_sync(&ctrl->notify_work);
	pci_clear_master(ctrl->pdev);
	hsm_coredump_drop(ctrl);
}

static int hsm_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct hsm_ctrl *ctrl;
	int ret;

	ctrl = hsm_ctrl_alloc(pdev);
	if (!ctrl)
		return -ENOMEM;
	ret = ida_alloc(&hsm_cards, GFP_KERNEL);
	if (ret < 0)
		goto err_put;
	ctrl->id = ret;
	ret = hsm_ctrl_attach(ctrl);
	if (ret)
		goto err_id;
	pci_set_drvdata(pdev, ctrl);

	if (!hsm_ctrl_change_state(ctrl, PCIEHSM_STATE_CONNECTING)) {
		ret = -ENODEV;
		goto err_end;
	}
	ret = hsm_ctrl_start(ctrl);
	if (ret) {
		dev_err_probe(&pdev->dev, ret, "the card does not start\n");
		goto err_end;
	}
	ret = hsm_nodes_add_card(ctrl);
	if (ret) {
		dev_err_probe(&pdev->dev, ret, "the device node\n");
		goto err_end;
	}
	hsm_debugfs_add(ctrl);
	hsm_hwmon_add(ctrl);
	hsm_hwrng_add(ctrl);
	if (!hsm_ctrl_change_state(ctrl, PCIEHSM_STATE_LIVE)) {
		ret = -ENODEV;
		goto err_debugfs;
	}
	dev_info(&pdev->dev, "hsm%d: serial %.*s, firmware %.*s, %u queues of %u, %u vectors\n",
		 ctrl->id, (int)sizeof(ctrl->ident.serial), ctrl->ident.serial,
		 (int)sizeof(ctrl->ident.fw_version), ctrl->ident.fw_version,
		 ctrl->nr_io, ctrl->io_depth, ctrl->vectors);
	/* So that the partitions' nodes are there when the driver is. */
	hsm_event_kick(ctrl, false);
	flush_work(&ctrl->event_work);
	return 0;

err_debugfs:
	hsm_debugfs_remove(ctrl);
err_end:
	hsm_ctrl_end(ctrl);
	hsm_ctrl_detach(ctrl);
err_id:
	ida_free(&hsm_cards, ctrl->id);
err_put:
	hsm_ctrl_put(ctrl);
	return ret;
}

static void hsm_remove(struct pci_dev *pdev)
{
	struct hsm_ctrl *ctrl = pci_get_drvdata(pdev);

	hsm_debugfs_remove(ctrl);
	hsm_ctrl_end(ctrl);
	hsm_ctrl_detach(ctrl);
	/* The names are free again even while files are open on the old nodes. */
	ida_free(&hsm_cards, ctrl->id);
	hsm_ctrl_put(ctrl);
}

static void hsm_shutdown(struct pci_dev *pdev)
{
	/* Never given back: the machine goes down, or another kernel starts. */
	hsm_ctrl_hold(pci_get_drvdata(pdev), HSM_HELD_PM,
		      HSM_QUIESCE_POLITE | HSM_QUIESCE_SHUTDOWN);
}

static int hsm_suspend(struct device *dev)
{
	hsm_ctrl_hold(dev_get_drvdata(dev), HSM_HELD_PM,
		      HSM_QUIESCE_POLITE | HSM_QUIESCE_SHUTDOWN);
	return 0;
}

static int hsm_resume(struct device *dev)
{
	hsm_ctrl_unhold(dev_get_drvdata(dev), HSM_HELD_PM);
	return 0;
}

static DEFINE_SIMPLE_DEV_PM_OPS(hsm_pm_ops, hsm_suspend, hsm_resume);

static void hsm_reset_prepare(struct pci_dev *pdev)
{
	hsm_ctrl_hold(pci_get_drvdata(pdev), HSM_HELD_FLR, HSM_QUIESCE_POLITE);
}

static void hsm_reset_done(struct pci_dev *pdev)
{
	struct hsm_ctrl *ctrl = pci_get_drvdata(pdev);

	hsm_ctrl_unhold(ctrl, HSM_HELD_FLR);
	/* Who asked for the reset finds a card that works. */
	flush_work(&ctrl->reset_work);
}

static pci_ers_result_t hsm_error_detected(struct pci_dev *pdev, pci_channel_state_t state)
{
	struct hsm_ctrl *ctrl = pci_get_drvdata(pdev);

	switch (state) {
	case pci_channel_io_normal:
		/* What the error has hit will time out; the rest goes on. */
		return PCI_ERS_RESULT_CAN_RECOVER;
	case pci_channel_io_frozen:
		if (hsm_ctrl_hold(ctrl, HSM_HELD_AER, 0))
			return PCI_ERS_RESULT_NEED_RESET;
		return PCI_ERS_RESULT_DISCONNECT;
	default:
		hsm_ctrl_kill(ctrl, "PCI error without recovery");
		return PCI_ERS_RESULT_DISCONNECT;
	}
}

static pci_ers_result_t hsm_slot_reset(struct pci_dev *pdev)
{
	struct hsm_ctrl *ctrl = pci_get_drvdata(pdev);

	/*
	 * Some kernels call this without a reset having happened, and because another
	 * driver on the bus asked for it; so nothing is assumed about the card.
	 */
	if (!hsm_ctrl_hold(ctrl, HSM_HELD_AER, 0))
		return PCI_ERS_RESULT_DISCONNECT;
	pci_restore_state(pdev);
	pci_save_state(pdev);
	if (readl(ctrl->bar + PCIEHSM_REG_CSTS) == U32_MAX) {
		hsm_ctrl_kill(ctrl, "the card does not answer after the slot's reset");
		return PCI_ERS_RESULT_DISCONNECT;
	}
	return PCI_ERS_RESULT_RECOVERED;
}

static void hsm_error_resume(struct pci_dev *pdev)
{
	struct hsm_ctrl *ctrl = pci_get_drvdata(pdev);

	hsm_ctrl_unhold(ctrl, HSM_HELD_AER);
	flush_work(&ctrl->reset_work);
}

static const struct pci_error_handlers hsm_err_handlers = {
	.error_detected	= hsm_error_detected,
	.slot_reset	= hsm_slot_reset,
	.resume		= hsm_error_resume,
	.reset_prepare	= hsm_reset_prepare,
	.reset_done	= hsm_reset_done,
};

static const struct pci_device_id hsm_ids[] = {
	{ PCI_DEVICE(PCIEHSM_PCI_VENDOR_ID, PCIEHSM_PCI_DEVICE_ID) },
	{}
};
MODULE_DEVICE_TABLE(pci, hsm_ids);

static struct pci_driver hsm_driver = {
	.name		= KBUILD_MODNAME,
	.id_table	= hsm_ids,
	.probe		= hsm_probe,
	.remove		= hsm_remove,
	.shutdown	= hsm_shutdown,
	.driver.pm	= pm_sleep_ptr(&hsm_pm_ops),
	.err_handler	= &hsm_err_handlers,
};

static int __init hsm_init(void)
{
	int ret;

	hsm_wq = alloc_workqueue("pciehsm", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!hsm_wq)
		return -ENOMEM;
	ret = hsm_nodes_init();
	if (ret)
		goto err_wq;
	hsm_debugfs_init();
	ret = pci_register_driver(&hsm_driver);
	if (ret)
		goto err_nodes;
	return 0;

err_nodes:
	hsm_debugfs_exit();
	hsm_nodes_exit();
err_wq:
	destroy_workqueue(hsm_wq);
	return ret;
}

static void __exit hsm_exit(void)
{
	pci_unregister_driver(&hsm_driver);
	/* Commands of killed processes may still be cleaning up after themselves. */
	destroy_workqueue(hsm_wq);
	wait_event(hsm_ctrls_wq, !atomic_read(&hsm_ctrls));
	hsm_debugfs_exit();
	hsm_nodes_exit();
	ida_destroy(&hsm_cards);
}

module_init(hsm_init);
module_exit(hsm_exit);

MODULE_DESCRIPTION("Driver of pciehsm, a hardware security module");
MODULE_LICENSE("GPL");
