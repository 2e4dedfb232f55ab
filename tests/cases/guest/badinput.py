#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad input that only a real machine has: rights, a driver that is not there, cards that go."""

import os
import subprocess
import sys

from ktap import REPO, Results, haadm
# pylint: disable=wrong-import-order
from procedure import CO_PASSWORD, GROUP, OLD, STAYS, Operators

USAGE, NOT_FOUND, PERMISSION, AUTH, DEVICE, CONFIG, REFUSED = 2, 4, 5, 6, 7, 8, 9
CONFIG_FILE = '/etc/pciehsm/ha.conf'
PASSWORD_FILE = '/tmp/co-password'


def config_text():
    try:
        with open(CONFIG_FILE, encoding='utf-8') as f:
            return f.read()
    except FileNotFoundError:
        return None


def refused(status, *words, says, **kwargs):
    """A command that has to fail with this status, say these things and change nothing."""
    before = config_text()
    found, out, err = haadm(*words, **kwargs)
    said = ' '.join(err.split())
    assert found == status, f'exit status {found}, not {status}:\n{out}{err}'
    for text in says:
        assert text in said, f'{text!r} is not said:\n{err}'
    assert config_text() == before, 'ha.conf was changed'


def test_prepare():
    with open(PASSWORD_FILE, 'w', encoding='utf-8') as f:
        f.write(CO_PASSWORD + '\n')
    os.chmod(PASSWORD_FILE, 0o600)
    operators = Operators(['haadm'], seconds=120)
    operators.prepare_cards('another domain')
    operators.do(f'hagroup creategroup -slot 0 -label {GROUP}',
                 ('Enter the password: ', CO_PASSWORD))
    operators.leave()


def test_wrong_password():
    shown = Operators(['haadm'], seconds=60).prompt.command(
        'hagroup listgroups', [('Enter the password: ', 'not the password')])
    assert '9 attempts left' in shown, shown
    assert 'not the password' not in shown, shown


def test_member_of_another_domain():
    refused(REFUSED, 'hagroup', 'addmember', '-group', GROUP, '-slot', '1',
            '--password-file', PASSWORD_FILE, says=[OLD, 'domain'])


def test_member_twice():
    refused(REFUSED, 'hagroup', 'addmember', '-group', GROUP, '-slot', '0',
            '--password-file', PASSWORD_FILE, says=[f'{STAYS} is a member'])


def test_unknown_names():
    refused(NOT_FOUND, 'hagroup', 'listgroups', '-group', 'nogroup', says=['no HA group'])
    refused(NOT_FOUND, 'partition', 'show', '-slot', '3', says=['no slot 3'])
    refused(NOT_FOUND, 'partition', 'show', '-serial', '12', says=['serial number 12'])
    refused(USAGE, 'hagroup', 'lisgroups', says=['listgroups'])


def as_nobody():
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)


def test_missing_rights():
    refused(PERMISSION, 'partition', 'show', '-slot', '0', says=['root'], preexec_fn=as_nobody)
    refused(PERMISSION, 'hagroup', 'retry', '-count', '3', says=['Permission denied'],
            preexec_fn=as_nobody)


def test_broken_configuration():
    good = config_text()
    with open(CONFIG_FILE, 'w', encoding='utf-8') as f:
        f.write(good[:len(good) // 2] + '\n{{{\n')
    try:
        refused(CONFIG, 'hagroup', 'listgroups', says=[CONFIG_FILE])
        refused(CONFIG, 'hagroup', 'retry', '-count', '3', says=[CONFIG_FILE])
    finally:
        with open(CONFIG_FILE, 'w', encoding='utf-8') as f:
            f.write(good)


def test_group_that_lost_all_members():
    subprocess.run(['vmctl', 'pull', '154438'], check=True)
    status, out, err = haadm('hagroup', 'listgroups')
    assert status == 0 and out.rstrip('\n').endswith('down'), out + err
    refused(DEVICE, 'hagroup', 'synchronize', '-group', GROUP, '--password-file', PASSWORD_FILE,
            says=[GROUP])
    refused(NOT_FOUND, 'hsm', 'show', '-slot', '100', says=['no slot 100'])


def test_no_card():
    subprocess.run(['vmctl', 'pull', '1238700'], check=True)
    refused(DEVICE, 'hsm', 'show', says=['no HSM was found', 'lspci'])
    status, out, err = haadm('slot', 'list')
    # The group is in its slot still.
    assert status == 0 and 'Slot Id ->              0\n' not in out, out + err


def test_no_driver():
    subprocess.run(['rmmod', 'pciehsm'], check=True)
    refused(DEVICE, 'slot', 'list', says=['driver is not loaded', 'modprobe pciehsm'])
    subprocess.run(['insmod', os.path.join(REPO, 'build/kmod/pciehsm.ko')], check=True)


def main():
    results = Results()
    results.run(*(f for n, f in globals().items() if n.startswith('test_')))
    return results.end()


if __name__ == '__main__':
    sys.exit(main())
