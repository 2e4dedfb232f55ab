# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of haadm share: the program over its own cards, and KTAP."""

import os
import shutil
import subprocess
import sys
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.environ.get('PCIEHSM_REPO') or \
    os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
for folder in ('tests/golden', 'tests/vm/story'):
    sys.path.insert(0, os.path.join(REPO, folder))
# pylint: disable=wrong-import-position
from terminal import Terminal

SUPPRESSIONS = os.path.join(REPO, 'tests', 'unit', 'haadm', 'lsan.supp')
HAADM = os.path.join(HERE, 'haadm-loopback')

# Exit statuses, the members of the procedure's group, and what tests share.
OK, FAILED, USAGE, CANCELLED, NOT_FOUND, PERMISSION, AUTH, DEVICE, CONFIG, REFUSED = range(10)
PAR0, PAR1 = '154438865287', '1238700701509'
GROUP = 'myHAgroup'
STATE = {}


class Machine:
    """Two cards and a configuration file, in a directory of their own."""

    def __init__(self, name, cards='154438:865287 1238700:701509'):
        self.dir = os.path.join(os.environ.get('TMPDIR', '/tmp'), name)
        os.makedirs(self.dir)
        self.config = os.path.join(self.dir, 'ha.conf')
        # A thread that waits for a card which does not answer ends with the program alone.
        self.env = dict(os.environ, LOOPBACK_DIR=self.dir, LOOPBACK_CARDS=cards,
                        TSAN_OPTIONS='report_thread_leaks=0',
                        PCIEHSM_CONF=self.config, LC_ALL='C.UTF-8',
                        LSAN_OPTIONS=f'suppressions={SUPPRESSIONS}:print_suppressions=0')

    def run(self, *words, input='', pass_fds=(), **env):
        """One command, without a terminal; returns (exit status, stdout, stderr)."""
        run = subprocess.run([HAADM, *words], input=input, capture_output=True, text=True,
                             env=dict(self.env, **env), check=False, timeout=120,
                             start_new_session=True, pass_fds=pass_fds, cwd=self.dir)
        return run.returncode, run.stdout, run.stderr

    def secret(self, text):
        """A file with a password; its path."""
        path = os.path.join(self.dir, f'secret-{abs(hash(text))}')
        with open(path, 'w', encoding='utf-8', opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(text + '\n')
        return path

    def ok(self, *words, **kwargs):
        """A command that has to succeed; returns its output."""
        status, out, err = self.run(*words, **kwargs)
        if status:
            raise AssertionError(f'{" ".join(words)}: exit status {status}\n{out}{err}')
        return out

    def prepare(self, slot, hsm_slot, label, domain='a domain', co='co-password-4'):
        """From a blank card to a partition with a Crypto Officer, without a prompt."""
        so, po, first = map(self.secret, ('so-password-1', 'po-password-2', 'co-initial-3'))
        self.ok('hsm', 'init', '-slot', hsm_slot, '-label', label, '-force',
                '--password-file', so)
        self.ok('partition', 'create', '-slot', hsm_slot, '--password-file', so)
        self.ok('partition', 'init', '-slot', slot, '-label', label, '-force',
                '--password-file', po, '--domain-file', self.secret(domain))
        self.ok('role', 'init', '-slot', slot, '-name', 'co', '--loginpw-file', po,
                '--password-file', first)
        self.ok('role', 'changepw', '-slot', slot, '-name', 'co', '--oldpw-file', first,
                '--newpw-file', self.secret(co))

    def create_object(self, serial, label, password='co-password-4'):
        """An object in one partition alone, past its group."""
        subprocess.run([os.path.join(HERE, 'object-loopback'), serial, password, label],
                       env=self.env, check=True, timeout=60)

    def create_key(self, serial, label, password='co-password-4'):
        """A key pair for signing, in one partition alone, past its group."""
        subprocess.run([os.path.join(HERE, 'object-loopback'), serial, password, label, 'key'],
                       env=self.env, check=True, timeout=60)

    def copy(self, name):
        """Another machine with the same cards and configuration, as they are now."""
        other = Machine.__new__(Machine)
        other.dir = os.path.join(os.environ.get('TMPDIR', '/tmp'), name)
        shutil.copytree(self.dir, other.dir)
        other.config = os.path.join(other.dir, 'ha.conf')
        other.env = dict(self.env, LOOPBACK_DIR=other.dir, PCIEHSM_CONF=other.config)
        return other

    def remove(self):
        shutil.rmtree(self.dir)

    def config_text(self):
        try:
            with open(self.config, encoding='utf-8') as f:
                return f.read()
        except FileNotFoundError:
            return None


def expect(what, found, wanted):
    if found != wanted:
        raise AssertionError(f'{what}: found {found!r}, wanted {wanted!r}')


def expect_in(what, text, wanted):
    if wanted not in text:
        raise AssertionError(f'{what}: {wanted!r} is not in:\n{text}')


def pair():
    """Two cards with a partition each, and a group of both; made once."""
    if 'pair' not in STATE:
        machine = Machine('pair')
        machine.prepare('0', '100', 'par0')
        machine.prepare('1', '101', 'par1')
        password = machine.secret('co-password-4')
        machine.ok('hagroup', 'creategroup', '-slot', '0', '-label', GROUP,
                   '--password-file', password)
        machine.ok('ha', 'am', '-g', GROUP, '-se', PAR1, '--password-file', password)
        STATE['pair'] = machine
    return STATE['pair']


def refused(machine, status, *words, says=(), **kwargs):
    """A command that has to fail with this status, say these things and change nothing."""
    before = machine.config_text()
    found, out, err = machine.run(*words, **kwargs)
    what = ' '.join(words)
    expect(f'exit status of "{what}" ({out}{err})', found, status)
    for text in says:
        expect_in(what, ' '.join(err.split()), text)
    expect_in(f'the last line of "{what}"', err.rstrip('\n').split('\n')[-1],
              'Command Result : 0x')
    expect(f'ha.conf after "{what}"', machine.config_text(), before)


def at_terminals(commands, slow_ms):
    """Commands at the same time, each on a terminal and a machine of its own, and with
    messages that take so long; what each of (machine, words) has shown.
    """
    terminals = []
    try:
        for machine, words in commands:
            env = dict(machine.env, LOOPBACK_SLOW_MS=str(slow_ms), TERM='xterm')
            terminals.append(Terminal([HAADM, *words], env=env, seconds=120))
        shown = [terminal.finish() for terminal in terminals]
        for terminal, text, (_, words) in zip(terminals, shown, commands):
            expect(f'exit status of {" ".join(words)} ({text})', terminal.status, OK)
    finally:
        for terminal in terminals:
            terminal.close()
    return shown


def run_tests(tests):
    """Run functions as KTAP test cases; returns the exit status."""
    failed = 0
    print('KTAP version 1')
    print(f'1..{len(tests)}')
    for number, test in enumerate(tests, 1):
        name = test.__name__.replace('test_', '', 1)
        try:
            test()
            print(f'ok {number} - {name}', flush=True)
        except Exception:  # whatever it is, the next test is to run
            failed += 1
            for line in traceback.format_exc().splitlines():
                print('# ' + line)
            print(f'not ok {number} - {name}', flush=True)
    return 1 if failed else 0
