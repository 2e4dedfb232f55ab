#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""hagroup replace: what it says, what it does, and what a death in the middle leaves."""

import json
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from common import (AUTH, CANCELLED, DEVICE, FAILED, GROUP, HAADM, Machine, NOT_FOUND, PAR0,
                    PAR1, REFUSED, USAGE, expect, expect_in, refused, run_tests)
from terminal import Terminal

NEW = '1238700701510'
OBJECTS = ['first', 'second', 'third']
STATE = {}


def failed_group():
    """The story up to the failure: two cards, a group with keys, one card initialised again."""
    if 'failed' not in STATE:
        machine = Machine('failed')
        machine.prepare('0', '100', 'par0')
        machine.prepare('1', '101', 'par1')
        co = machine.secret('co-password-4')
        machine.ok('hagroup', 'creategroup', '-slot', '0', '-label', GROUP,
                   '--password-file', co)
        machine.ok('hagroup', 'addmember', '-group', GROUP, '-slot', '1', '--password-file', co)
        for label in OBJECTS:
            machine.create_object(PAR0, label)
        machine.ok('hagroup', 'synchronize', '-group', GROUP, '--password-file', co)
        machine.ok('hagroup', 'weight', '-group', GROUP, '-serial', PAR1, '-weight', '7')
        machine.ok('hagroup', 'addstandby', '-group', GROUP, '-serial', PAR1)
        STATE['healthy'] = machine.copy('healthy')
        machine.ok('hsm', 'init', '-slot', '101', '-label', 'hsm1', '-force',
                   '--password-file', machine.secret('so-password-1'))
        STATE['failed'] = machine
    return STATE['failed']


def replace(machine, *more):
    """The command that makes the new partition, too, with all that it may ask for."""
    return ('hagroup', 'replace', '-group', GROUP, '-old', PAR1, '-hsm', '101', '-label', 'par1',
            '--password-file', machine.secret('co-password-4'),
            '--sopassword-file', machine.secret('so-password-1'),
            '--popassword-file', machine.secret('po-password-2'),
            '--domain-file', machine.secret('a domain')) + more


def group(machine):
    return json.loads(machine.ok('--json', 'hagroup', 'listgroups'))['groups'][0]


def must_be_replaced(machine, what):
    found = group(machine)
    expect(f'{what}: members', [(m['serial'], m['state'], m['standby'], m['weight'])
                                for m in found['members']],
           [(PAR0, 'alive', False, 1), (NEW, 'alive', True, 7)])
    expect(f'{what}: needs sync', found['needs_sync'], False)
    listed = json.loads(machine.ok('--json', 'slot', 'partitionlist', '-slot', '101'))
    expect(f'{what}: partitions of the card', [p['serial'] for p in listed['partitions']], [NEW])
    out = machine.ok('--json', 'partition', 'contents', '-serial', NEW,
                     '--password-file', machine.secret('co-password-4'))
    expect(f'{what}: contents', sorted(o['label'] for o in json.loads(out)['objects']), OBJECTS)


def steps(text):
    return {s['step']: s['state'] for s in json.loads(text)['steps']}


def test_dry_run():
    machine = failed_group().copy('dry')
    before = machine.config_text()
    expect('dry run', machine.ok('hagroup', 'replace', '-group', GROUP, '-old', PAR1, '-hsm', '101',
                                 '-label', 'par1', '-dryrun'), f'''
        Replacing member {PAR1} of group {GROUP}:

        1. create a partition on HSM 1238700                      to be done
        2. initialize the new partition, label par1               to be done
        3. give the Crypto Officer the group's password           to be done
        4. add the new partition to group myHAgroup (standby)     to be done
        5. bring all objects to the new partition, and compare    to be done
        6. remove 1238700701509 from group myHAgroup              to be done

        Nothing was changed: this is what the command would do.

Command Result : No Error
''')
    expect('ha.conf', machine.config_text(), before)
    listed = json.loads(machine.ok('--json', 'slot', 'partitionlist', '-slot', '101'))
    expect('partitions', listed['partitions'], [])


def test_whole():
    machine = failed_group().copy('whole')
    expect('first run', machine.ok(*replace(machine)), f'''
        Replacing member {PAR1} of group {GROUP}:

        1. create a partition on HSM 1238700                      to be done
        2. initialize the new partition, label par1               to be done
        3. give the Crypto Officer the group's password           to be done
        4. add the new partition to group myHAgroup (standby)     to be done
        5. bring all objects to the new partition, and compare    to be done
        6. remove 1238700701509 from group myHAgroup              to be done

        1. create partition 1238700701510 on HSM 1238700          done
        2. initialize partition 1238700701510, label par1         done
        3. give the Crypto Officer the group's password           done
        4. add 1238700701510 to group myHAgroup (standby)         done
        5. bring 3 objects to 1238700701510, and compare          done
        6. remove 1238700701509 from group myHAgroup              done

        Member {PAR1} of group {GROUP} is replaced by {NEW}.

Command Result : No Error
''')
    must_be_replaced(machine, 'whole')
    again = json.loads(machine.ok('--json', *replace(machine)))
    expect('second run', {s['state'] for s in again['steps']}, {'done_before'})
    expect('second run', (again['new'], again['dry_run']), (NEW, False))
    must_be_replaced(machine, 'once more')
    # The passwords are those that were given.
    for role, password in (('po', 'po-password-2'), ('co', 'co-password-4')):
        machine.ok('role', 'login', '-serial', NEW, '-name', role,
                   '--password-file', machine.secret(password))


def test_killed_at_each_step():
    """Killed before each thing that it changes, in turn, and run again."""
    killed = 0
    while True:
        machine = failed_group().copy('killed')
        status, out, err = machine.run(*replace(machine), LOOPBACK_KILL=str(killed + 1))
        if not status:
            break
        killed += 1
        expect(f'killed at change {killed} ({out}{err})', status, -signal.SIGKILL)
        # Nothing that the group had is gone meanwhile.
        expect(f'members after change {killed}', group(machine)['members'][0]['state'], 'alive')
        status, out, err = machine.run(*replace(machine))
        expect(f'run again after change {killed} ({out}{err})', status, 0)
        must_be_replaced(machine, f'killed at change {killed}')
        machine.remove()
    print(f'# killed at {killed} changes')
    # Create, initialise, two for the officer, join, one or more for the objects, leave
    if killed < 7:
        raise AssertionError(f'it was killed {killed} times only')


def test_by_a_partition_that_is_ready():
    machine = STATE['healthy'].copy('ready')
    so, co = machine.secret('so-password-1'), machine.secret('co-password-4')
    # The old member still lives, and its successor is on the same card.
    machine.ok('partition', 'create', '-slot', '101', '--password-file', so)
    slot = [s['slot'] for s in json.loads(machine.ok('--json', 'slot', 'list'))['slots']
            if s['serial'] == NEW][0]
    words = ('hagroup', 'replace', '-group', GROUP, '-old', PAR1, '-serial', NEW,
             '--password-file', co)
    refused(machine, REFUSED, *words, says=['not been initialized', '-hsm'])
    po, first = machine.secret('po-password-2'), machine.secret('co-initial-3')
    machine.ok('partition', 'init', '-slot', str(slot), '-label', 'next', '-force',
               '--password-file', po, '--domain-file', machine.secret('a domain'))
    machine.ok('role', 'init', '-slot', str(slot), '-name', 'co', '--loginpw-file', po,
               '--password-file', first)
    refused(machine, AUTH, *words, says=[NEW, 'refused', 'No other partition was asked'])
    machine.ok('role', 'changepw', '-slot', str(slot), '-name', 'co', '--oldpw-file', first,
               '--newpw-file', co)
    machine.create_object(NEW, 'brought along')
    refused(machine, CANCELLED, *words, says=['-force'])
    expect('steps', steps(machine.ok('--json', *words, '-force')),
           {'add': 'done', 'synchronize': 'done', 'remove': 'done'})
    found = group(machine)
    expect('members', [(m['serial'], m['standby'], m['weight']) for m in found['members']],
           [(PAR0, False, 1), (NEW, True, 7)])
    expect('needs sync', (found['needs_sync'], found['members'][0]['objects']), (False, 4))


def test_bad_input():
    machine = failed_group()
    refused(machine, NOT_FOUND, 'hagroup', 'replace', '-group', 'other', '-old', PAR1, '-slot', '0')
    refused(machine, NOT_FOUND, 'hagroup', 'replace', '-group', GROUP, '-old', '42', '-hsm', '101',
            '-label', 'x', says=['not a member'])
    refused(machine, NOT_FOUND, 'hagroup', 'replace', '-group', GROUP, '-old', PAR1, '-hsm', '1',
            '-label', 'x', says=['no HSM in slot 1'])
    refused(machine, USAGE, 'hagroup', 'replace', '-group', GROUP, '-old', PAR1, '-hsm', '101',
            says=['-label'])
    refused(machine, USAGE, 'hagroup', 'replace', '-group', GROUP, '-old', PAR0, '-slot', '0',
            says=['by itself'])
    refused(machine, USAGE, 'hagroup', 'replace', '-group', GROUP, '-old', PAR1,
            says=['one of these'])
    refused(machine, DEVICE, 'hagroup', 'replace', '-group', GROUP, '-old', PAR1, '-hsm', '100',
            '-label', 'par1', says=['no member of group'],
            LOOPBACK_CARDS='1238700:701509')
    # A wrong password stops it, and the same command with the right one goes on.
    machine = machine.copy('wrong')
    words = replace(machine)
    wrong = tuple(machine.secret('so-password-1') if w == machine.secret('co-password-4') else w
                  for w in words)
    status, out, err = machine.run(*wrong)
    expect(f'wrong password ({out}{err})', status, AUTH)
    expect_in('what was done', ' '.join(err.split()), 'The same command goes on from there')
    expect_in('the step that failed', out, '4. add it to the group')


def changed(words, option, value):
    """The same command with another value of one option."""
    words = list(words)
    words[words.index(option) + 1] = value
    return words


def cancelled_at_domain(machine, words):
    """Nobody answers at the terminal, with the domain left to ask for: status, what was said."""
    at = words.index('--domain-file')
    with Terminal([HAADM, *words[:at], *words[at + 2:]], env=machine.env) as terminal:
        terminal.wait_for('Enter the cloning domain: ')
        os.write(terminal.fd, b'\x04')
        shown = ' '.join(terminal.finish().split())
        return terminal.status, shown


def test_status_when_something_was_done():
    """Statuses that say that nothing was done are for when nothing was."""
    machine = failed_group().copy('halfway')
    words = replace(machine)
    # The partition is made, and then the password of its SO is no good.
    status, out, err = machine.run(*changed(words, '--popassword-file', machine.secret('short')))
    expect(f'a password that is too short ({out}{err})', status, FAILED)
    expect_in('the reason', ' '.join(err.split()), 'must have 8 to 255 characters')
    # This run has not done anything before it is cancelled, and the next one has.
    status, shown = cancelled_at_domain(machine, words)
    expect(f'exit status ({shown})', status, CANCELLED)
    expect_in('cancelled', shown, 'nothing was changed')
    fresh = failed_group().copy('halfway-fresh')
    status, shown = cancelled_at_domain(fresh, words)
    expect(f'exit status ({shown})', status, FAILED)
    expect_in('cancelled', shown, 'command cancelled before its end')
    expect_in('what was done', shown, 'The same command goes on from there')
    # Another domain is found when it is to be added.
    status, out, err = fresh.run(*changed(words, '--domain-file', fresh.secret('another domain')))
    expect(f'another domain ({out}{err})', status, FAILED)
    expect_in('the reason', err, 'CKR_DOMAIN_MISMATCH')
    machine.ok(*words)
    must_be_replaced(machine, 'in the end')


def fill_group(machine):
    """As many members as a group can have; those that are added have been gone for long."""
    config = json.loads(machine.config_text())
    members = config['groups'][0]['members']
    members += [{'serial': str(90000001 + i)} for i in range(32 - len(members))]
    with open(machine.config, 'w', encoding='utf-8') as f:
        json.dump(config, f)


def test_full_group():
    # One that is gone makes room for its successor.
    machine = failed_group().copy('full')
    fill_group(machine)
    machine.ok(*replace(machine))
    found = group(machine)['members']
    expect('members', len(found), 32)
    expect('the new one', [(m['serial'], m['standby'], m['weight']) for m in found
                           if m['state'] == 'alive'],
           [(PAR0, False, 1), (NEW, True, 7)])
    expect('the old one', [m for m in found if m['serial'] == PAR1], [])
    # One that is alive does not, which is said before anything is done.
    machine = STATE['healthy'].copy('full-healthy')
    fill_group(machine)
    words = changed(replace(machine), '-label', 'next')
    refused(machine, REFUSED, *words, says=['32 members', 'is alive', 'hagroup removemember'])
    listed = json.loads(machine.ok('--json', 'slot', 'partitionlist', '-slot', '101'))
    expect('partitions', [p['serial'] for p in listed['partitions']], [PAR1])


if __name__ == '__main__':
    sys.exit(run_tests([f for n, f in list(globals().items()) if n.startswith('test_')]))
