// SPDX-License-Identifier: GPL-2.0-or-later
/* A card that goes away while libpci looks at the bus: libpci's own answer ends the program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pci/pci.h>

#include "pci_side.h"

static int scans;

void __wrap_pci_scan_bus(struct pci_access *access);

/* Instead of libpci's, by the linker */
void __wrap_pci_scan_bus(struct pci_access *access)
{
	scans++;
	access->warning("one that nobody is to see");
	access->error("the device is gone");
}

static void test_error_is_survived(void **state)
{
	struct pci_side side = { .width = 0 };

	(void)state;
	assert_false(pci_config_read(0, 0, 0, 0, &side));
	/* And once more: nothing is left of the first one. */
	assert_false(pci_config_read(0, 0, 0, 0, &side));
	assert_int_equal(scans, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_error_is_survived) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
