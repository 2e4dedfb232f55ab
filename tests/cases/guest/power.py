#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Power failure: partitions and keys are there when the machine comes back.

before -- set up a group, let an application work, and cut the power under it
after -- on the cards as they were left: everything is there and works
"""

import os
import shutil
import subprocess
import sys
import time

from ktap import Results, haadm
# pylint: disable=wrong-import-order
from application import Application
from procedure import CARDS, CO_PASSWORD, GROUP, OLD, STAYS, Operators

CONFIG_FILE = '/etc/pciehsm/ha.conf'
# What the guest keeps on a disk; its own file system is memory.
DISK = '/run/vm/host'
WORK_SECONDS = 5
CUT = '77'


def before():
    results = Results()
    operators = Operators(['haadm'], seconds=120)
    operators.prepare_cards()
    operators.create_group()
    operators.leave()
    shutil.copy(CONFIG_FILE, DISK)
    application = Application(GROUP, CO_PASSWORD)
    application.wait_working()
    time.sleep(WORK_SECONDS)
    application.must_work()
    results.result('the application works when the power is cut', True)
    results.end()
    subprocess.run(['vmctl', 'cut', CUT], check=True)


def test_partitions_are_there():
    for slot, serial in enumerate((STAYS, OLD)):
        status, out, err = haadm('partition', 'show', '-slot', str(slot))
        assert status == 0 and f'Partition Serial Number ->  {serial}\n' in out, out + err
        assert 'Partition Status ->         OK\n' in out, out


def test_group_is_whole():
    status, out, err = haadm('hagroup', 'listgroups')
    assert status == 0 and out.count('     alive\n') == len(CARDS), out + err


def test_synchronization_ends_what_was_begun():
    with Operators(['haadm'], seconds=120).prompt as prompt:
        shown = prompt.command('hagroup synchronize -group myHAgroup',
                               [('Enter the password: ', CO_PASSWORD)])
        assert 'Synchronization completed.' in shown, shown
        shown = prompt.command('hagroup listgroups', [('Enter the password: ', CO_PASSWORD)])
        assert 'Needs sync:  no\n' in shown, shown


def test_every_key_works():
    verified, text = Application.verify_all(GROUP, CO_PASSWORD)
    assert verified, text


def test_passwords_are_as_they_were():
    with Operators(['haadm'], seconds=60).prompt as prompt:
        shown = prompt.command('hagroup listgroups', [('Enter the password: ', 'wrong-password')])
        assert '9 attempts left' in shown, shown


def after():
    shutil.copy(os.path.join(DISK, 'ha.conf'), CONFIG_FILE)
    results = Results()
    results.run(*(f for n, f in globals().items() if n.startswith('test_')))
    return results.end()


if __name__ == '__main__':
    sys.exit(before() if sys.argv[1] == 'before' else after())
