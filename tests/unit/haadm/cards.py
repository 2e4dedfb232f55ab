#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What can happen to a card: tampering, its log under its maker's certificate; templates; waiting."""

import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from common import (AUTH, CANCELLED, DEVICE, FAILED, GROUP, HAADM, Machine, NOT_FOUND, OK, PAR0, PAR1,
                    REFUSED, REPO, USAGE, at_terminals, expect, expect_in, pair, refused,
                    run_tests)
from terminal import Terminal

MAKER_ROOT = os.path.join(REPO, 'qemu-device', 'firmware', 'crypto', 'maker_root.c')


def policies(machine, area, slot):
    shown = json.loads(machine.ok('--json', area, 'showpolicies', '-slot', slot))
    return {p['policy']: p['value'] for p in shown['policies']}


# --- a case that was opened ---

def test_tampered_card():
    machine = pair().copy('tampered')
    expect_in('before', machine.ok('hsm', 'tamper', '-slot', '101'), 'was not tampered with.')
    refused(machine, DEVICE, 'hsm', 'tamper', '-slot', '101', LOOPBACK_TAMPER='1238700',
            says=['HSM 1238700 was tampered with', 'keys are gone', 'hsm factoryreset'])
    # It stays so, and every command says so.
    found = machine.run('--json', 'hsm', 'tamper', '-slot', '101')
    expect('exit status', found[0], DEVICE)
    expect('json', json.loads(found[1])['tampered'], True)
    shown = json.loads(machine.ok('--json', 'hsm', 'show', '-slot', '101'))
    expect('hsm show', shown['state'], 'Tampered')
    so = machine.secret('so-password-1')
    refused(machine, DEVICE, 'partition', 'create', '-slot', '101', '--password-file', so,
            says=['1238700', 'tampered with', 'hsm factoryreset'])
    refused(machine, DEVICE, 'hsm', 'init', '-slot', '101', '-label', 'again', '-force',
            '--password-file', so, says=['1238700', 'tampered with', 'hsm factoryreset'])
    groups = json.loads(machine.ok('--json', 'hagroup', 'listgroups'))['groups'][0]
    expect('the group', [(m['serial'], m['state']) for m in groups['members']],
           [(PAR0, 'alive'), (PAR1, 'down')])
    # The way back
    machine.ok('hsm', 'factoryreset', '-slot', '101', '-force')
    expect_in('after', machine.ok('hsm', 'tamper', '-slot', '101'), 'was not tampered with.')
    machine.ok('hsm', 'init', '-slot', '101', '-label', 'again', '-force', '--password-file', so)


# --- wrong passwords of those who rule ---

def attempts(machine, role, *where):
    shown = json.loads(machine.ok('--json', 'role', 'show', '-name', role, *where))
    return shown['roles'][0]['attempts']


def spend_attempts(machine, role, where, limit, costs):
    """All but one of a Security Officer's attempts; each time it is said what they end in."""
    wrong = machine.secret('wrong-password')
    for left in range(limit - 1, 0, -1):
        refused(machine, AUTH, 'role', 'login', '-name', role, *where, '--password-file', wrong,
                says=[f'{left} attempt{"" if left == 1 else "s"} left before {costs}'])


def asked_before_last(machine, answer, password, *words):
    """A command at a terminal that is about to use the last attempt."""
    with Terminal([HAADM, *words], env=machine.env) as terminal:
        shown = terminal.wait_for("Type 'proceed' to continue, or 'quit' to quit now -> ")
        terminal.type(answer)
        if password:
            shown += terminal.wait_for('password: ')
            terminal.type(password)
        shown += terminal.finish()
        return terminal.status, ' '.join(shown.split())


def test_last_attempt_of_the_hsm_so():
    machine = pair().copy('last-so')
    where = ('-slot', '101')
    wrong = machine.secret('wrong-password')
    spend_attempts(machine, 'so', where, 3,
                   'the HSM with all its partitions and keys is destroyed')
    # Nobody to ask: the last one is not used, by any command that takes this password.
    for words in (('role', 'login', '-name', 'so', *where, '--password-file', wrong),
                  ('role', 'changepw', '-name', 'so', *where, '--oldpw-file', wrong,
                   '--newpw-file', wrong),
                  ('partition', 'create', *where, '--password-file', wrong)):
        refused(machine, REFUSED, *words, says=[
            'the HSM Security Officer has one attempt left at 1238700',
            'a wrong password zeroizes the HSM', 'role login -force'])
    # A person is asked, and everything is as it was after quit.
    found = asked_before_last(machine, 'quit', None, 'partition', 'create', *where)
    expect(f'quit ({found[1]})', found[0], CANCELLED)
    expect_in('the question', found[1], 'This is the last attempt of the HSM Security Officer at '
              '1238700. A wrong password zeroizes the HSM: its partitions and all their keys are '
              'destroyed.')
    expect('attempts after quit', attempts(machine, 'so', *where), 1)
    # The right one gives all back.
    found = asked_before_last(machine, 'proceed', 'so-password-1', 'role', 'login', '-name', 'so',
                              *where)
    expect(f'proceed ({found[1]})', found[0], OK)
    expect('attempts after the right one', attempts(machine, 'so', *where), 3)
    # hsm init has its own question, and -force answers both.
    spend_attempts(machine, 'so', where, 3,
                   'the HSM with all its partitions and keys is destroyed')
    status, _, err = machine.run('hsm', 'init', *where, '-label', 'x', '-force',
                                 '--password-file', wrong)
    err = ' '.join(err.split())
    expect(f'the last one ({err})', status, AUTH)
    for text in ('This is the last attempt of the HSM Security Officer at 1238700.',
                 'that was the last attempt: the HSM was zeroized, its partitions and all their '
                 'keys are destroyed', 'Initialize it again: hsm init.'):
        expect_in('the last one', err, text)
    shown = json.loads(machine.ok('--json', 'hsm', 'show', *where))
    expect('hsm show', (shown['state'], shown['partitions']), ('Zeroized', 0))


def test_last_attempt_of_the_partition_so():
    machine = pair().copy('last-po')
    where = ('-slot', '1')
    wrong = machine.secret('wrong-password')
    spend_attempts(machine, 'po', where, 10, 'the partition and all its keys are destroyed')
    init = ('partition', 'init', *where, '-label', 'x')
    refused(machine, REFUSED, 'role', 'resetpw', '-name', 'co', *where, '--loginpw-file', wrong,
            says=['the Partition Security Officer has one attempt left', 'wipes the partition'])
    expect('attempts', attempts(machine, 'po', *where), 1)
    status, _, err = machine.run(*init, '-force', '--password-file', wrong, '--domain-file', wrong)
    err = ' '.join(err.split())
    expect(f'the last one ({err})', status, AUTH)
    for text in (f'This is the last attempt of the Partition Security Officer at {PAR1}.',
                 'that was the last attempt: the partition was wiped, its roles and all its keys '
                 'are destroyed', 'Initialize it again: partition init.'):
        expect_in('the last one', err, text)
    shown = json.loads(machine.ok('--json', 'partition', 'show', *where))
    expect('partition show', (shown['label'], shown['initialised']), ('', False))
    # A role below is locked, and that is all.
    machine = pair().copy('last-co')
    for _ in range(9):
        machine.run('role', 'login', '-name', 'co', *where, '--password-file', wrong)
    refused(machine, AUTH, 'role', 'login', '-name', 'co', *where, '--password-file', wrong,
            says=['that was the last attempt: the role is locked', 'role resetpw -name co'])


# --- the audit log, and who made the card ---

def maker_root(machine):
    """The certificate of these cards' maker, as a file."""
    with open(MAKER_ROOT, encoding='utf-8') as f:
        text = f.read()
    path = os.path.join(machine.dir, 'maker.pem')
    with open(path, 'w', encoding='utf-8') as f:
        f.writelines(line + '\n' for line in re.findall(r'"([^"\\]*)\\n"', text))
    return path


def test_audit_with_the_makers_certificate():
    machine = Machine('audit')
    so, first, au = map(machine.secret, ('so-password-1', 'au-initial-9', 'au-password-6'))
    machine.ok('hsm', 'init', '-slot', '100', '-label', 'hsm', '-force', '--password-file', so)
    machine.ok('role', 'init', '-slot', '100', '-name', 'au', '--loginpw-file', so,
               '--password-file', first)
    machine.ok('role', 'changepw', '-slot', '100', '-name', 'au', '--oldpw-file', first,
               '--newpw-file', au)
    machine.ok('hsm', 'audit', '-slot', '100', '-export', 'log', '--password-file', au)
    root = maker_root(machine)
    status, out, err = machine.run('hsm', 'audit', '-verify', 'log', '-root', root)
    expect(f'verify ({out}{err})', status, OK)
    expect_in('who it is', out, 'The certificate is that of HSM 154438.')
    expect_in('entries', out, 'entries are as the card has signed them; 0 are missing.')
    expect('no note', 'is not known without' in err, False)
    status, _, err = machine.run('hsm', 'audit', '-verify', 'log')
    expect('without it', status, OK)
    expect_in('a note', ' '.join(err.split()), "not known without its maker's (-root)")
    # What takes its time shows how far it is, and nothing of it stays.
    with open(os.path.join(machine.dir, 'log'), 'rb') as f:
        log = f.read()
    slow = os.path.join(machine.dir, 'slow')
    os.mkfifo(slow)
    progress = re.compile(r'\x1b\[K {8}(no bytes yet, \d+ s|\d+ bytes, )')
    with Terminal([HAADM, 'hsm', 'audit', '-verify', slow],
                  env=dict(machine.env, TERM='xterm')) as terminal:
        with open(slow, 'wb') as f:
            f.write(log[:-1])
            f.flush()
            terminal.wait_for(progress)
            f.write(log[-1:])
        shown = terminal.finish()
        expect(f'exit status ({shown})', terminal.status, OK)
        expect_in('the end', shown, 'entries are as the card has signed them; 0 are missing.')
    # Another maker's certificate, one that is none, and none
    key = os.path.join(machine.dir, 'other.key')
    other = os.path.join(machine.dir, 'other.pem')
    code = os.system('openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes '
                     f'-subj /CN=another -keyout {key} -out {other} 2>{machine.dir}/openssl.txt')
    expect('openssl req', code, 0)
    for path in (other, machine.secret('not a certificate')):
        status, out, err = machine.run('hsm', 'audit', '-verify', 'log', '-root', path)
        if status in (OK, NOT_FOUND):
            raise AssertionError(f'-root {path}: exit status {status}\n{out}{err}')
        expect_in('error', ' '.join(err.split()), path)
        expect('nothing is shown as verified', 'are as the card has signed' in out, False)
    refused(machine, NOT_FOUND, 'hsm', 'audit', '-verify', 'log', '-root', 'missing.pem',
            says=['missing.pem'])


# --- templates of policies ---

def test_policy_templates():
    machine = Machine('templates')
    machine.prepare('0', '100', 'par0')
    machine.prepare('1', '101', 'par1')
    so, po = machine.secret('so-password-1'), machine.secret('po-password-2')
    for policy, value in (('20', '6'), ('1', '1')):
        machine.ok('partition', 'changepolicy', '-slot', '0', '-policy', policy, '-value', value,
                   '-force', '--password-file', po)
    machine.ok('hsm', 'changepolicy', '-slot', '100', '-policy', '15', '-value', '1', '-force',
               '--password-file', so)
    machine.ok('hsm', 'showpolicies', '-slot', '100', '-et', 'hsm.template')
    machine.ok('partition', 'create', '-slot', '100', '--password-file', so)
    init = ('-force', '--password-file', po, '--domain-file', machine.secret('a domain'))
    machine.ok('partition', 'init', '-slot', '0', '-label', 'p', *init)
    machine.ok('partition', 'changepolicy', '-slot', '0', '-policy', '20', '-value', '6',
               '--password-file', po)
    machine.ok('partition', 'showpolicies', '-slot', '0', '-exporttemplate', 'p.template')
    wanted = policies(machine, 'partition', '0')
    expect('it is another one', policies(machine, 'partition', '1') == wanted, False)
    out = machine.ok('partition', 'init', '-slot', '1', '-l', 'q', '-at', 'p.template', *init)
    expect_in('init', out, 'policies were set as the template has them.')
    expect('the same', policies(machine, 'partition', '1'), wanted)
    machine.ok('hsm', 'init', '-slot', '101', '-label', 'x', '-applytemplate', 'hsm.template',
               '-force', '--password-file', so)
    expect('HSM', policies(machine, 'hsm', '101'), policies(machine, 'hsm', '100'))
    # Templates that are none, or for something else, are refused before anything is done.
    with open(os.path.join(machine.dir, 'p.template'), encoding='utf-8') as f:
        good = f.read()
    for name, text, status, says in (
            ('empty', '', USAGE, 'line 1'),
            ('other', good.replace('partition', 'HSM', 1), USAGE, 'not a policy template of a'),
            ('words', good + 'twenty:x:1\n', USAGE, 'is not of a policy template'),
            ('value', good + '20:x:1x\n', USAGE, 'is not of a policy template'),
            ('huge', good + '20:x:99999999999\n', USAGE, 'is not of a policy template'),
            ('great', good.replace(':6\n', ':11\n', 1), USAGE, 'of great can not be 11'),
            ('greater', good.replace('Allow raw RSA operations:1', 'x:2'), USAGE, 'can not be 2'),
            ('unknown', good + '99:x:1\n', REFUSED, "not one of this card's"),
            ('fixed', good + '41:Partition version:1\n', REFUSED, 'can not be changed')):
        with open(os.path.join(machine.dir, name), 'w', encoding='utf-8') as f:
            f.write(text)
        refused(machine, status, 'partition', 'init', '-slot', '0', '-label', 'no',
                '-applytemplate', name, *init, says=[says])
    refused(machine, NOT_FOUND, 'partition', 'init', '-slot', '0', '-label', 'no',
            '-applytemplate', 'nothing', *init, says=['nothing'])
    expect('label', json.loads(machine.ok('--json', 'partition', 'show', '-slot', '0'))['label'],
           'p')


def test_template_that_the_hsm_forbids():
    machine = Machine('forbids')
    so, po = machine.secret('so-password-1'), machine.secret('po-password-2')
    machine.ok('hsm', 'init', '-slot', '101', '-label', 'h', '-force', '--password-file', so)
    machine.ok('hsm', 'changepolicy', '-slot', '101', '-policy', '12', '-value', '0', '-force',
               '--password-file', so)
    machine.ok('partition', 'create', '-slot', '101', '--password-file', so)
    with open(os.path.join(machine.dir, 'template'), 'w', encoding='utf-8') as f:
        f.write('# pciehsm policy template 1: partition\n20:x:6\n43:x:1\n')
    status, out, err = machine.run('partition', 'init', '-slot', '1', '-label', 'x', '-force',
                                   '-applytemplate', 'template', '--password-file', po,
                                   '--domain-file', po)
    # Not a status that says that nothing was done
    expect(f'init ({out}{err})', status, FAILED)
    for text in ('is initialized, but policy 43', 'could not be set to 1', 'What it held is dest'):
        expect_in('init', ' '.join(err.split()), text)
    expect('the policy before it', policies(machine, 'partition', '1')[20], 6)


def test_login_after_init():
    machine = Machine('auth')
    so = machine.secret('so-password-1')
    machine.ok(input=f'slot set -slot 100\nhsm init -label h -auth -force --password-file {so}\n'
               'partition create\npartition create\n')
    listed = json.loads(machine.ok('--json', 'slot', 'partitionlist', '-slot', '100'))
    expect('partitions, without another password', len(listed['partitions']), 2)


# --- what takes its time ---

def test_waiting_is_shown():
    machine = pair().copy('waiting')
    so, po, co = map(machine.secret, ('so-password-1', 'po-password-2', 'co-password-4'))
    machine.create_object(PAR1, 'an object')
    waiting = (
        (f'waiting for the members of group {GROUP}', ('hagroup', 'listgroups', '--password-file',
                                                       co)),
        (f'waiting for the login at {PAR0}', ('role', 'login', '-slot', '0', '-name', 'co',
                                              '--password-file', co)),
        (f'no objects yet, N s; waiting for {PAR1}', ('partition', 'clear', '-slot', '1', '-force',
                                                      '--password-file', co)),
        (f'waiting for partition {PAR1} to be initialized',
         ('partition', 'init', '-slot', '1', '-label', 'x', '-force', '--password-file', po,
          '--domain-file', machine.secret('d'))),
        ('waiting for HSM 1238700 to be initialized',
         ('hsm', 'init', '-slot', '101', '-label', 'x', '-force', '--password-file', so)),
        ('waiting for HSM 1238700 to create a partition',
         ('partition', 'create', '-slot', '101', '--password-file', so)),
        (f'waiting for partition {PAR1} to be deleted',
         ('partition', 'delete', '-slot', '1', '-force', '--password-file', so)),
        ('waiting for HSM 1238700 to be zeroized', ('hsm', 'zeroize', '-slot', '101', '-force')),
        ('waiting for 1238700 to set the policy',
         ('hsm', 'changepolicy', '-slot', '101', '-policy', '15', '-value', '1', '-force',
          '--password-file', so)),
        # Where no message is special, the one that is late
        (f'waiting for {PAR0}', ('partition', 'show', '-slot', '0')),
        ('waiting for 154438', ('hsm', 'show', '-slot', '100')),
    )
    commands = [(machine.copy(f'waiting-{i}'), words) for i, (_, words) in enumerate(waiting)]
    for (what, words), shown in zip(waiting, at_terminals(commands, 1300)):
        line = re.compile(r'\x1b\[K {8}' + what.replace('N s', r'\d+ s') + r', \d+ s')
        if not line.search(shown):
            raise AssertionError(f'{" ".join(words)}: "{what}" is not in {shown!r}')
        # Each such line is taken back before anything else is written.
        for found in line.finditer(shown):
            expect(f'behind the line ({shown!r})', shown[found.end():].startswith('\x1b[K'), True)
    # Quiet for programs
    status, out, err = machine.run('hsm', 'factoryreset', '-slot', '101', '-force',
                                   LOOPBACK_SLOW_MS='1300', TERM='xterm')
    expect('without a terminal', (status, 'waiting' in out + err), (OK, False))


if __name__ == '__main__':
    sys.exit(run_tests([f for n, f in list(globals().items()) if n.startswith('test_')]))
