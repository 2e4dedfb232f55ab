// SPDX-License-Identifier: GPL-2.0-only
/*
 * suspend_test: what the PCI core does to one device in a suspend and a resume of the
 * system, without the rest of the system: the guest's root file system would not
 * survive it. Loading the module does it; the parameters say to whom and for how long.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/pci.h>

static char *device;
module_param(device, charp, 0444);
MODULE_PARM_DESC(device, "name of the PCI device, as 0000:01:00.0");

static unsigned int sleep_ms = 300;
module_param(sleep_ms, uint, 0444);
MODULE_PARM_DESC(sleep_ms, "time in D3");

static int suspend_resume(struct pci_dev *pdev)
{
	const struct dev_pm_ops *pm = pdev->dev.driver ? pdev->dev.driver->pm : NULL;
	int ret;

	if (!pm || !pm->suspend || !pm->resume)
		return -EOPNOTSUPP;
	ret = pm->suspend(&pdev->dev);
	if (ret)
		return ret;
	pci_save_state(pdev);
	pci_set_power_state(pdev, PCI_D3hot);
	msleep(sleep_ms);
	pci_set_power_state(pdev, PCI_D0);
	pci_restore_state(pdev);
	return pm->resume(&pdev->dev);
}

static int __init suspend_test_init(void)
{
	struct pci_dev *pdev = NULL;
	int ret = -ENODEV;

	for_each_pci_dev(pdev) {
		if (!device || strcmp(pci_name(pdev), device))
			continue;
		device_lock(&pdev->dev);
		ret = suspend_resume(pdev);
		device_unlock(&pdev->dev);
		pci_dev_put(pdev);
		break;
	}
	return ret;
}

static void __exit suspend_test_exit(void)
{
}

module_init(suspend_test_init);
module_exit(suspend_test_exit);

MODULE_DESCRIPTION("Suspend and resume of one PCI device");
MODULE_LICENSE("GPL");
