# SPDX-License-Identifier: GPL-2.0-or-later
"""KTAP from a program in the guest, and where the other modules are."""

import os
import subprocess
import sys
import traceback

REPO = os.environ['PCIEHSM_REPO']
for folder in ('tests/golden', 'tests/vm/story'):
    sys.path.insert(0, os.path.join(REPO, folder))


class Results:
    """Test results as they come; the plan is known only at the end."""

    def __init__(self):
        self.number = 0
        self.failed = 0
        print('KTAP version 1', flush=True)

    def result(self, name, holds, explanation=''):
        self.number += 1
        if not holds:
            self.failed += 1
            for line in str(explanation).splitlines():
                print('# ' + line)
        print(f'{"ok" if holds else "not ok"} {self.number} - {name}', flush=True)

    def run(self, *tests):
        """Run functions as test cases, each whatever became of the others."""
        for test in tests:
            try:
                test()
                self.result(test.__name__.replace('test_', '', 1), True)
            except Exception:  # whatever it is, the next test is to run
                self.result(test.__name__.replace('test_', '', 1), False, traceback.format_exc())

    def end(self):
        print(f'1..{self.number}', flush=True)
        return 1 if self.failed or not self.number else 0


def haadm(*words, **kwargs):
    """One command without a terminal; returns (exit status, stdout, stderr)."""
    run = subprocess.run(['haadm', *words], stdin=subprocess.DEVNULL, capture_output=True,
                         text=True, check=False, timeout=120, start_new_session=True, **kwargs)
    return run.returncode, run.stdout, run.stderr
