#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Members' work and copies, policies, what destroys; good and bad input, without a terminal."""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from common import (AUTH, CANCELLED, FAILED, GROUP, HAADM, Machine, NOT_FOUND, OK, PAR0, PAR1,
                    REFUSED, USAGE, expect, expect_in, pair, refused, run_tests)
from terminal import Terminal


def members(machine):
    return {m['serial']: m for m in json.loads(machine.config_text())['groups'][0]['members']}


def objects(machine, slot):
    return json.loads(machine.ok('--json', 'partition', 'show', '-slot', slot))['objects']


def test_drain():
    machine = pair()
    expect('drain', machine.ok('hagroup', 'drain', '-group', GROUP, '-slot', '1'),
           f'\n        Member {PAR1} of group {GROUP} is being drained: it gets no new work,\n'
           '        and what has begun on it comes to its end. It still gets all objects.\n'
           '\nCommand Result : No Error\n')
    expect('in ha.conf', members(machine)[PAR1]['drain'], True)
    refused(machine, REFUSED, 'hagroup', 'drain', '-group', GROUP, '-serial', PAR1,
            says=['drained already'])
    refused(machine, REFUSED, 'hagroup', 'drain', '-group', GROUP, '-serial', PAR0,
            says=['only one', 'hagroup undrain'])
    # A member that is not there is drained by its serial number, too.
    expect('undrain', machine.ok('hagroup', 'undrain', '-group', GROUP, '-serial', PAR1,
                                 LOOPBACK_CARDS='154438:865287'),
           f'\n        Member {PAR1} of group {GROUP} works again.\n\nCommand Result : No Error\n')
    expect('in ha.conf', members(machine)[PAR1].get('drain', False), False)
    refused(machine, REFUSED, 'hagroup', 'undrain', '-group', GROUP, '-serial', PAR1,
            says=['not drained'])
    for command in ('drain', 'undrain'):
        refused(machine, NOT_FOUND, 'hagroup', command, '-group', 'other', '-slot', '0')
        refused(machine, NOT_FOUND, 'hagroup', command, '-group', GROUP, '-serial', '42',
                says=['not a member'])
        refused(machine, USAGE, 'hagroup', command, '-group', GROUP, says=['one of these'])


def test_weight():
    machine = pair()
    expect('weight', machine.ok('hagroup', 'weight', '-group', GROUP, '-slot', '0', '-weight', '3'),
           f'\n        Weight of member {PAR0} of group {GROUP} has been set to 3.\n'
           '\nCommand Result : No Error\n')
    expect('in ha.conf', members(machine)[PAR0]['weight'], 3)
    machine.ok('ha', 'w', '-g', GROUP, '-se', PAR0, '-w', '1')
    for value in ('0', '101', '-1', 'x', '1.5'):
        refused(machine, USAGE, 'hagroup', 'weight', '-group', GROUP, '-slot', '0',
                '-weight', value, says=['from 1 to 100'])
    refused(machine, USAGE, 'hagroup', 'weight', '-group', GROUP, '-slot', '0',
            says=['"-weight" is missing'])
    refused(machine, NOT_FOUND, 'hagroup', 'weight', '-group', GROUP, '-serial', '42',
            '-weight', '2')


def test_mincopies():
    machine = pair()
    expect('mincopies', machine.ok('hagroup', 'mincopies', '-group', GROUP, '-copies', '2'),
           f'\n        New objects of group {GROUP} need 2 copies from now on.\n'
           '\nCommand Result : No Error\n')
    expect('in ha.conf', json.loads(machine.config_text())['groups'][0]['mincopies'], 2)
    refused(machine, REFUSED, 'hagroup', 'mincopies', '-group', GROUP, '-copies', '3',
            says=['has 2 members'])
    refused(machine, USAGE, 'hagroup', 'mincopies', '-group', GROUP, '-copies', '33',
            says=['from 1 to 32'])
    refused(machine, NOT_FOUND, 'hagroup', 'mincopies', '-group', 'other', '-copies', '1')
    machine.ok('ha', 'mc', '-g', GROUP, '-c', '1')


def test_recover():
    machine = pair()
    expect_in('all there', machine.ok('hagroup', 'recover', '-group', GROUP),
              'All members are there.')
    before = json.loads(machine.config_text())['groups'][0]['recover']
    out = machine.ok('hagroup', 'recover', '-group', GROUP, LOOPBACK_CARDS='154438:865287')
    expect_in('one is not', out, f'Member {PAR1}: not there')
    expect('running engines are told', json.loads(machine.config_text())['groups'][0]['recover'],
           before + 1)
    refused(machine, NOT_FOUND, 'hagroup', 'recover', '-group', 'other')
    refused(machine, USAGE, 'hagroup', 'recover', says=['"-group" is missing'])


def test_status():
    machine = pair()
    out = machine.ok('hagroup', 'status', '-group', GROUP)
    expect_in('status', out, f'HA group {GROUP}: the members agree, ')
    expect_in('copies', out, 'there are 2 copies of each object\n')
    expect_in('a member', out, f'{PAR0:<26}alive     active          1        0        0'
              '            0')
    found = json.loads(machine.ok('--json', 'hagroup', 'status', '-group', GROUP,
                                  LOOPBACK_CARDS='154438:865287'))
    expect('states', [(m['serial'], m['state'], m['objects'], m['outstanding'])
                      for m in found['members']],
           [(PAR0, 'alive', 0, 0), (PAR1, 'down', None, None)])
    expect('copies', found['copies'], 1)
    refused(machine, NOT_FOUND, 'hagroup', 'status', '-group', 'other')


def test_check():
    machine = Machine('check')
    machine.prepare('0', '100', 'par0')
    machine.prepare('1', '101', 'par1')
    co = machine.secret('co-password-4')
    machine.ok('hagroup', 'creategroup', '-slot', '0', '-label', GROUP, '--password-file', co)
    machine.ok('ha', 'am', '-g', GROUP, '-se', PAR1, '--password-file', co)
    check = ('hagroup', 'check', '-group', GROUP, '--password-file', co)
    machine.ok(*check)
    machine.create_object(PAR1, 'only here')
    status, out, err = machine.run(*check)
    expect(f'they differ ({out}{err})', status, FAILED)
    for serial in (PAR0, PAR1):
        expect_in('where', out, serial)
    machine.ok('hagroup', 'synchronize', '-group', GROUP, '--password-file', co)
    machine.ok(*check)
    refused(machine, AUTH, 'hagroup', 'check', '-group', GROUP, '--password-file',
            machine.secret('wrong-password'))
    refused(machine, NOT_FOUND, 'hagroup', 'check', '-group', 'other')
    refused(machine, NOT_FOUND, 'hagroup', 'verify', '-group', GROUP, '-key', 'none',
            '--password-file', co)


def test_partitionlist():
    machine = pair()
    out = machine.ok('slot', 'partitionlist', '-slot', '101')
    expect_in('its partition', out, f'slot      1  {PAR1:>24}  par1\n')
    expect('the other', PAR0 in out, False)
    listed = json.loads(machine.ok('--json', 'slot', 'partitionlist', '-slot', '100'))
    expect('json', [p['serial'] for p in listed['partitions']], [PAR0])
    refused(machine, USAGE, 'slot', 'partitionlist', '-slot', '0', says=['not an HSM'])
    refused(machine, NOT_FOUND, 'slot', 'partitionlist', '-slot', '177')


def policy(machine, area, slot, number):
    listed = json.loads(machine.ok('--json', area, 'showpolicies', '-slot', slot))
    return [p for p in listed['policies'] if p['policy'] == number][0]


def test_policies():
    machine = Machine('policies')
    machine.prepare('0', '100', 'par0')
    so, po = machine.secret('so-password-1'), machine.secret('po-password-2')
    out = machine.ok('partition', 'showpolicies', '-slot', '0')
    expect_in('list', out, '  20  Max failed user logins allowed               10       10  no\n')
    expect('fixed ones', 'Partition version' in out, False)
    expect_in('-verbose', machine.ok('partition', 'showpolicies', '-slot', '0', '-verbose'),
              'Partition version')
    machine.ok('partition', 'changepolicy', '-slot', '0', '-policy', '20', '-value', '5',
               '--password-file', po)
    expect('value', policy(machine, 'partition', '0', 20)['value'], 5)
    refused(machine, NOT_FOUND, 'partition', 'changepolicy', '-slot', '0', '-policy', '99',
            '-value', '1', '--password-file', po, says=['has no policy 99', 'showpolicies'])
    refused(machine, REFUSED, 'partition', 'changepolicy', '-slot', '0', '-policy', '41',
            '-value', '1', '--password-file', po, says=['can not be changed'])
    refused(machine, AUTH, 'partition', 'changepolicy', '-slot', '0', '-policy', '20',
            '-value', '5', '--password-file', so, says=['CKR_PIN_INCORRECT'])
    refused(machine, USAGE, 'partition', 'changepolicy', '-slot', '0', '-policy', '20',
            says=['"-value" is missing'])
    # Off to on destroys: that has to be confirmed.
    refused(machine, CANCELLED, 'partition', 'changepolicy', '-slot', '0', '-policy', '1',
            '-value', '1', '--password-file', po, says=['-force'])
    machine.create_object(PAR0, 'goes')
    machine.ok('partition', 'changepolicy', '-slot', '0', '-policy', '1', '-value', '1',
               '-force', '--password-file', po)
    expect('objects', objects(machine, '0'), 0)
    expect('HSM policy', policy(machine, 'hsm', '100', 15)['destroys_on'], True)
    machine.ok('hsm', 'changehsmpolicy', '-slot', '100', '-policy', '15', '-value', '1', '-force',
               '--password-file', so)
    expect('HSM policy', policy(machine, 'hsm', '100', 15)['value'], 1)
    refused(machine, USAGE, 'hsm', 'showpolicies', '-slot', '5x')


def test_clear_and_resize():
    machine = Machine('clear')
    machine.prepare('0', '100', 'par0')
    so, co = machine.secret('so-password-1'), machine.secret('co-password-4')
    machine.create_object(PAR0, 'goes')
    refused(machine, CANCELLED, 'partition', 'clear', '-slot', '0', '--password-file', co,
            says=['-force'])
    refused(machine, AUTH, 'partition', 'clear', '-slot', '0', '-force', '--password-file', so)
    expect('objects before', objects(machine, '0'), 1)
    expect_in('clear', machine.ok('partition', 'clear', '-slot', '0', '-force',
                                  '--password-file', co), '1 object was destroyed.')
    expect('objects after', objects(machine, '0'), 0)
    machine.ok('partition', 'resize', '-slot', '0', '-size', '1000000', '--password-file', so)
    expect('room', json.loads(machine.ok('--json', 'partition', 'show', '-slot', '0'))['space'],
           1000000)
    refused(machine, USAGE, 'partition', 'resize', '-slot', '0', '-size', '0')
    refused(machine, AUTH, 'partition', 'resize', '-slot', '0', '-size', '5', says=['terminal'])


def test_last_copy():
    machine = Machine('last-copy')
    machine.prepare('0', '100', 'par0')
    machine.prepare('1', '101', 'par1')
    co, so, po = map(machine.secret, ('co-password-4', 'so-password-1', 'po-password-2'))
    machine.ok('hagroup', 'creategroup', '-slot', '0', '-label', GROUP, '--password-file', co)
    machine.ok('ha', 'am', '-g', GROUP, '-se', PAR1, '--password-file', co)
    machine.create_object(PAR1, 'only here')
    destroying = (('partition', 'delete', '-slot', '1', '--password-file', so),
                  ('partition', 'init', '-slot', '1', '-label', 'x', '--password-file', po),
                  ('partition', 'changepolicy', '-slot', '1', '-policy', '1', '-value', '1'),
                  ('hsm', 'changepolicy', '-slot', '101', '-policy', '15', '-value', '1'),
                  ('hsm', 'init', '-slot', '101', '-label', 'x', '--password-file', so),
                  ('hsm', 'zeroize', '-slot', '101'), ('hsm', 'factoryreset', '-slot', '101'))
    for words in destroying:
        refused(machine, REFUSED, *words, says=[
            f'partition {PAR1} holds 1 object of group {GROUP} that would be lost', '-force'])
    # With a copy elsewhere, only the question is left, which nobody is there to answer.
    machine.ok('hagroup', 'synchronize', '-group', GROUP, '--password-file', co)
    for words in destroying:
        refused(machine, CANCELLED, *words, says=['-force'])
    status, _, err = machine.run('hsm', 'zeroize', '-slot', '101', '-force')
    expect(f'zeroize ({err})', status, OK)
    expect('no warning', 'Warning' in err, False)
    status, _, err = machine.run('hsm', 'zeroize', '-slot', '100', '-force')
    expect('the last one, by force', status, OK)
    expect_in('warning', ' '.join(err.split()), f'holds what is in partition {PAR0} (1 object)')
    expect('zeroized', json.loads(machine.ok('--json', 'hsm', 'show', '-slot', '100'))['state'],
           'Zeroized')


def test_member_that_could_not_be_asked():
    machine = pair().copy('unasked')
    machine.create_object(PAR1, 'only here')
    so, wrong = machine.secret('so-password-1'), machine.secret('wrong-password')
    leave = ('hagroup', 'removemember', '-group', GROUP, '-serial', PAR1)
    mute = {'LOOPBACK_MUTE': PAR1}
    refused(machine, REFUSED, *leave, **mute, says=[
        f'partition {PAR1} is there, but could not be asked', '-force'])
    for words in (('partition', 'delete', '-slot', '1', '--password-file', so),
                  ('hsm', 'init', '-slot', '101', '-label', 'x', '--password-file', so),
                  ('hsm', 'zeroize', '-slot', '101'), ('hsm', 'factoryreset', '-slot', '101')):
        refused(machine, REFUSED, *words, **mute, says=[
            f'partition {PAR1} could not be asked whether the other members', '-force'])
    forced = machine.copy('unasked-forced')
    status, _, err = forced.run('hsm', 'zeroize', '-slot', '101', '-force', **mute)
    err = ' '.join(err.split())
    expect(f'zeroize -force ({err})', status, OK)
    for text in (f'Warning: partition {PAR1} could not be asked',
                 f'partition {PAR1} (par1): does not say what it holds'):
        expect_in('zeroize -force', err, text)
    forced = machine.copy('unasked-leaves')
    forced.ok(*leave, '-force', **mute)
    # One that says that it is empty is no obstacle, even if it is no live member any more.
    for _ in range(10):
        machine.run('role', 'login', '-slot', '1', '-name', 'po', '-force', '--password-file',
                    wrong)
    expect('wiped', objects(machine, '1'), 0)
    refused(machine, CANCELLED, 'hsm', 'zeroize', '-slot', '101', says=['-force'])
    machine.ok(*leave)
    # Nor is one that is gone for good.
    forced = pair().copy('gone')
    forced.ok('hsm', 'zeroize', '-slot', '101', '-force')
    forced.ok(*leave)


def asked(machine, *words):
    """What a dangerous command says before it asks; it is answered with quit."""
    with Terminal([HAADM, *words], env=machine.env) as terminal:
        shown = terminal.wait_for("Type 'proceed' to continue, or 'quit' to quit now -> ")
        terminal.type('quit')
        terminal.finish()
        expect(f'exit status of "{" ".join(words)}"', terminal.status, CANCELLED)
    return ' '.join(shown.split())


def answered(machine, word, *words):
    """A command that asks about a partition's contents, and for the password."""
    with Terminal([HAADM, *words], env=machine.env) as terminal:
        shown = terminal.wait_for("Type 'copy' or 'remove' to continue, or 'quit' to quit now -> ")
        terminal.type(word)
        if word in ('copy', 'remove'):
            terminal.wait_for('Enter the password: ')
            terminal.type('co-password-4')
        shown += terminal.finish()
        return terminal.status, ' '.join(shown.split())


def labels(machine, slot):
    out = machine.ok('--json', 'partition', 'contents', '-slot', slot,
                     '--password-file', machine.secret('co-password-4'))
    return sorted(o['label'] for o in json.loads(out)['objects'])


def test_contents_of_who_joins():
    machine = Machine('joins')
    machine.prepare('0', '100', 'par0')
    machine.prepare('1', '101', 'par1')
    co = machine.secret('co-password-4')
    create = ('hagroup', 'creategroup', '-slot', '0', '-label', GROUP)
    add = ('hagroup', 'addmember', '-group', GROUP, '-slot', '1')
    machine.create_object(PAR0, 'old')
    status, shown = answered(machine, 'quit', *create)
    expect(f'quit ({shown})', (status, labels(machine, '0')), (CANCELLED, ['old']))
    status, shown = answered(machine, 'proceed', *create[:-1], 'no')
    expect(f'another word ({shown})', status, CANCELLED)
    status, shown = answered(machine, 'remove', *create)
    expect(f'remove ({shown})', (status, labels(machine, '0')), (OK, []))
    expect_in('it says so', shown, f'1 object removed from partition {PAR0}.')
    # What the group has stays, wherever it came from: the joining one may hold it, too.
    machine.create_object(PAR0, 'of the group')
    machine.ok('partition', 'clone', '-from', '0', '-slot', '1', '-objects', '0',
               '--password-file', co)
    machine.create_object(PAR1, 'goes')
    status, shown = answered(machine, 'remove', *add)
    expect(f'remove ({shown})', status, OK)
    for slot in ('0', '1'):
        expect(f'objects in slot {slot}', labels(machine, slot), ['of the group'])
    machine.ok('hagroup', 'removemember', '-group', GROUP, '-slot', '1')
    machine.create_object(PAR1, 'comes along')
    status, shown = answered(machine, 'copy', *add)
    expect(f'copy ({shown})', status, OK)
    expect('objects', labels(machine, '0'), ['comes along', 'of the group'])
    # With nobody to answer, a founder's objects are kept; a later member's need -force.
    machine.ok('hagroup', 'deletegroup', '-label', GROUP, '-force')
    machine.ok(*create, '--password-file', co)
    expect('objects', labels(machine, '0'), ['comes along', 'of the group'])


def test_what_is_destroyed_is_said():
    machine = Machine('said')
    machine.prepare('0', '100', 'par0')
    machine.prepare('1', '101', 'par1')
    co = machine.secret('co-password-4')
    machine.create_object(PAR0, 'a key')
    alone = f'partition {PAR0} (par0): 1 object; in no HA group, no other copy is known'
    for words in (('hsm', 'init', '-slot', '100', '-label', 'x'), ('hsm', 'zeroize', '-slot', '100'),
                  ('hsm', 'factoryreset', '-slot', '100'), ('partition', 'delete', '-slot', '0'),
                  ('partition', 'init', '-slot', '0', '-label', 'x'),
                  ('partition', 'clear', '-slot', '0')):
        expect_in(' '.join(words), asked(machine, *words), alone)
    machine.ok('hagroup', 'creategroup', '-slot', '0', '-label', GROUP, '--password-file', co)
    machine.ok('hagroup', 'addmember', '-group', GROUP, '-slot', '1', '--password-file', co)
    expect_in('in a group', asked(machine, 'hsm', 'zeroize', '-slot', '101'),
              f'partition {PAR1} (par1): 1 object; member of HA group {GROUP}, '
              f'the same on {PAR0}')
    expect('nothing was destroyed', (objects(machine, '0'), objects(machine, '1')), (1, 1))
    # With -force there is no question, and it is said all the same.
    what = ('HSM 1238700 is going to be zeroized', f'partition {PAR1} (par1): 1 object; member of '
            f'HA group {GROUP}, the same on {PAR0}')
    status, out, err = machine.run('--json', 'hsm', 'zeroize', '-slot', '101', '-force')
    expect(f'-force ({out}{err})', status, OK)
    for text in what:
        expect_in('on standard error', ' '.join(err.split()), text)
        expect_in('in JSON', ' '.join(json.loads(out)['warnings'][0].split()), text)


if __name__ == '__main__':
    sys.exit(run_tests([f for n, f in list(globals().items()) if n.startswith('test_')]))
