#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""haadm as a command: without a terminal, with good and bad input."""

import json
import os
import stat
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from common import (AUTH, CANCELLED, CONFIG, DEVICE, GROUP, HAADM, Machine, NOT_FOUND, OK,
                    PAR0, PAR1, PERMISSION, REFUSED, USAGE, expect, expect_in, pair, refused,
                    run_tests)
from terminal import Terminal

# --- good input ---

def test_group_is_made_without_a_terminal():
    out = pair().ok('hagroup', 'listgroups')
    expect_in('listgroups', out, f'Group Members:  {PAR0}, {PAR1}\n')
    expect_in('listgroups', out, '     0  154438865287                              par0     alive')
    expect('nothing is asked for', 'password' in out, False)


def test_json():
    machine = pair()
    groups = json.loads(machine.ok('--json', 'hagroup', 'listgroups'))
    expect('number', groups['groups'][0]['number'], '1' + PAR0)
    expect('states', [m['state'] for m in groups['groups'][0]['members']], ['alive', 'alive'])
    slots = json.loads(machine.ok('slot', 'list', '--json'))
    expect('slots', [s['slot'] for s in slots['slots']], [0, 1, 5, 100, 101])
    expect('partition', json.loads(machine.ok('--json', 'partition', 'show', '-slot', '1'))
           ['serial'], PAR1)
    expect('hsm', json.loads(machine.ok('--json', 'hsm', 'show', '-slot', '101'))['state'], 'OK')
    roles = json.loads(machine.ok('--json', 'role', 'list', '-slot', '0'))
    expect('roles', [r['state'] for r in roles['roles'] if r['role'] == 'co'], ['initialized'])
    status, out, _ = machine.run('--json', 'hagroup', 'listgroups', '-group', 'other')
    expect('an error, too', (status, json.loads(out)['error']['status']), (NOT_FOUND, NOT_FOUND))


def test_settings():
    machine = pair()
    for words, line in ((('retry', '-count', '-1'), 'Maximum auto recovery retry:  -1'),
                        (('retry', '-count', '0'), 'HA auto recovery:  disabled'),
                        (('rt', '-c', '500'), 'Maximum auto recovery retry:  500'),
                        (('interval', '-i', '1200'), 'poll interval:  1200 seconds'),
                        (('RecoveryMode', '-MODE', 'ActiveBasic'), 'mode:  activeBasic'),
                        (('haonly', '-enable'), 'Only Show HA Slots:  yes'),
                        (('haonly', '-disable'), 'Only Show HA Slots:  no')):
        machine.ok('hagroup', *words)
        expect_in(' '.join(words), machine.ok('hagroup', 'listgroups'), line)
    expect_in('show', machine.ok('hagroup', 'haonly', '-show'), 'HA Only is disabled.')


def test_standby():
    machine = pair()
    machine.ok('hagroup', 'addstandby', '-group', GROUP, '-serial', PAR1)
    expect_in('standby', machine.ok('hagroup', 'listgroups'), f'Standby Members:  {PAR1}\n')
    refused(machine, REFUSED, 'hagroup', 'addstandby', '-group', GROUP, '-slot', '0',
            says=['only active member'])
    refused(machine, REFUSED, 'hagroup', 'addstandby', '-group', GROUP, '-slot', '1')
    machine.ok('hagroup', 'removestandby', '-group', GROUP, '-slot', '1')
    expect_in('active', machine.ok('hagroup', 'listgroups'), 'Standby Members:  <none>\n')


def test_remove_and_add_again():
    machine = pair()
    machine.ok('hagroup', 'removemember', '-group', GROUP, '-serialnumber', PAR1)
    expect('members', PAR1 in machine.ok('hagroup', 'listgroups'), False)
    out = machine.ok('hagroup', 'addmember', '-group', GROUP, '-sl', '1',
                     '--password-file', machine.secret('co-password-4'))
    expect_in('addmember', out, f'Member {PAR1} successfully added to group {GROUP}. New group\n')


def test_script():
    machine = pair()
    status, out, err = machine.run(input='# a comment\n\nslot set -slot 1\n'
                                         'partition show\nfoo\nslot list\n')
    expect('status of the command that failed', status, USAGE)
    expect_in('the slot that was set', out, f'Partition Serial Number ->  {PAR1}')
    expect_in('failure', err, 'Error in line 5: there is no command "foo"')
    expect('what follows a failure', 'Available HSMs' in out, False)


def test_login_lasts_in_a_script():
    machine = pair()
    out = machine.ok(input='slot set -slot 100\nrole login -name so --password-file '
                     f'{machine.secret("so-password-1")}\nrole list\n')
    expect_in('role list', out, 'initialized, logged in here')
    # One who is logged in is not asked for a password first.
    login = f'role login -slot 0 -name co --password-file {machine.secret("co-password-4")}\n'
    for name, code in (('co', 'CKR_USER_ALREADY_LOGGED_IN'),
                       ('po', 'CKR_USER_ANOTHER_ALREADY_LOGGED_IN')):
        status, _, err = machine.run(input=f'{login}role login -slot 0 -name {name}\n')
        expect(f'{name} ({err})', (status, code in err), (REFUSED, True))
    out = machine.ok('role', 'list', '-slot', '100')
    expect('the login after its end', 'logged in' in out, False)


def test_password_by_descriptor():
    machine = pair()
    reading, writing = os.pipe()
    os.write(writing, b'co-password-4\nco-password-5\n')
    os.close(writing)
    fd = str(reading)
    machine.ok('role', 'changepw', '-name', 'co', '-slot', '0', '--oldpw-fd', fd, '--newpw-fd', fd,
               pass_fds=(reading,))
    os.close(reading)
    machine.ok('role', 'changepw', '-name', 'co', '-slot', '0',
               '--oldpw-file', machine.secret('co-password-5'),
               '--newpw-file', machine.secret('co-password-4'))


def test_password_on_the_command_line():
    machine = pair()
    status, _, err = machine.run('hagroup', 'listgroups', '-password', 'co-password-4')
    expect('status', status, OK)
    expect_in('warning', ' '.join(err.split()), 'can be seen by every user of this machine')


def test_password_is_wiped_from_the_command_line():
    machine = Machine('argv')
    so = machine.secret('so-password-1')
    machine.ok('hsm', 'init', '-slot', '100', '-label', 'hsm', '-force', '--password-file', so)
    machine.ok('partition', 'create', '-slot', '100', '--password-file', so)
    with Terminal([HAADM, 'partition', 'init', '-slot', '0', '-label', 'par0', '-force',
                   '-password', 'po-password-2'], env=machine.env) as terminal:
        terminal.wait_for('Enter the cloning domain: ')
        with open(f'/proc/{terminal.pid}/cmdline', 'rb') as f:
            words = f.read()
        terminal.type('a domain')
        terminal.wait_for('Re-enter the cloning domain: ')
        terminal.type('another domain')
        terminal.finish()
        expect('two domains that differ', terminal.status, CANCELLED)
    expect('password', b'po-password' in words, False)
    expect('the rest', b'-password\0' in words, True)
    expect('partition', json.loads(machine.ok('--json', 'partition', 'show', '-slot', '0'))
           ['initialised'], False)


def test_help():
    machine = Machine('help', 'none')
    text = machine.ok('--help')
    for status in range(10):
        expect_in('exit statuses', text, f'\n          {status}  ')
    for area in ('hagroup', 'slot', 'hsm', 'partition', 'role'):
        text = machine.ok('help', area)
        for line in text.split('\n'):
            if line.startswith('          '):
                expect_in('usage', machine.ok('help', area, line.split()[0]),
                          f'        {area} {line.split()[0]}')
    expect_in('-help', machine.ok('help', 'ha', 'am'), 'hagroup addmember -group <label>')


def contents(machine, slot):
    out = machine.ok('--json', 'partition', 'contents', '-slot', slot,
                     '--password-file', machine.secret('co-password-4'))
    return sorted(o['label'] for o in json.loads(out)['objects'])


def test_synchronize():
    machine = pair()
    password = machine.secret('co-password-4')
    machine.create_object(PAR1, 'only here')
    expect_in('difference', machine.ok('hagroup', 'listgroups'), 'Needs sync:  yes\n')
    expect('contents before', (contents(machine, '0'), contents(machine, '1')), ([], ['only here']))
    report = json.loads(machine.ok('--json', 'hagroup', 'synchronize', '-group', GROUP,
                                   '--password-file', password))
    expect('report', (report['objects'], report['copied'], report['failed']), (1, 1, 0))
    expect('contents after', (contents(machine, '0'), contents(machine, '1')),
           (['only here'], ['only here']))
    expect_in('no difference', machine.ok('hagroup', 'listgroups'), 'Needs sync:  no\n')
    out = machine.ok('hagroup', 'synchronize', '-group', GROUP, '--password-file', password)
    expect('nothing to tell', out, '\n\n        Synchronization completed.\n\n'
           'Command Result : No Error\n')
    expect_in('-verbose', machine.ok('hagroup', 'synchronize', '-group', GROUP, '-verbose',
                                     '--password-file', password), '1 object in the group; 0 c')
    out = machine.ok('partition', 'contents', '-slot', '0', '--password-file', password)
    expect_in('table', out, 'only here')
    out = machine.ok('hagroup', 'synchronize', '-group', GROUP, '--password-file', password,
                     LOOPBACK_CARDS='154438:865287')
    expect_in('a member that is not there', out, f'member {PAR1} is left out')


def test_member_with_the_only_copy():
    machine = Machine('only-copy')
    machine.prepare('0', '100', 'par0')
    machine.prepare('1', '101', 'par1')
    password = machine.secret('co-password-4')
    machine.ok('hagroup', 'creategroup', '-slot', '0', '-label', GROUP, '--password-file', password)
    machine.create_object(PAR1, 'brought along')
    # What a new member brings along becomes the group's: that has to be confirmed.
    refused(machine, CANCELLED, 'hagroup', 'addmember', '-group', GROUP, '-slot', '1',
            '--password-file', password, says=['-force'])
    machine.ok('hagroup', 'addmember', '-group', GROUP, '-slot', '1', '-force',
               '--password-file', password)
    expect('contents of the primary', contents(machine, '0'), ['brought along'])
    machine.create_object(PAR1, 'only here')
    refused(machine, REFUSED, 'hagroup', 'removemember', '-group', GROUP, '-slot', '1',
            says=['no other live member', 'hagroup synchronize', '-force'])
    # Its contents are elsewhere, but that member is not there.
    refused(machine, REFUSED, 'hagroup', 'removemember', '-group', GROUP, '-serial', PAR1,
            says=['only live member'], LOOPBACK_CARDS='1238700:701509 ')
    machine.ok('hagroup', 'synchronize', '-group', GROUP, '--password-file', password)
    machine.ok('hagroup', 'removemember', '-group', GROUP, '-slot', '1')


# --- bad input ---

def test_unknown_words():
    machine = pair()
    refused(machine, USAGE, 'hagruop', 'listgroups', says=['Did you mean "hagroup"?'])
    refused(machine, USAGE, 'hagroup', 'listgroup', says=['Did you mean "hagroup listgroups"?'])
    refused(machine, USAGE, 'hagroup', says=['not a whole command', 'help hagroup'])
    refused(machine, USAGE, 'hagroup', 'retry', '-cuont', '3', says=['Did you mean "-count"?'])
    refused(machine, USAGE, 'hagroup', 'retry', '3', says=['options begin with'])
    refused(machine, USAGE, 'hagroup', 'listg', says=['listgroups'])
    refused(machine, USAGE, '--jsn', 'slot', 'list', says=['--help'])


def test_bad_values():
    machine = pair()
    for value in ('501', '-2', '3x', '', '99999999999999999999'):
        refused(machine, USAGE, 'hagroup', 'retry', '-count', value, says=['from -1 to 500'])
    for value in ('59', '1201', '1e3'):
        refused(machine, USAGE, 'hagroup', 'interval', '-interval', value, says=['60 to 1200'])
    refused(machine, USAGE, 'hagroup', 'recoverymode', '-mode', 'active',
            says=['activeBasic activeEnhanced'])
    refused(machine, USAGE, 'hagroup', 'retry', says=['"-count" is missing'])
    refused(machine, USAGE, 'hagroup', 'retry', '-count', says=['needs a value'])
    refused(machine, USAGE, 'hagroup', 'retry', '-count', '1', '-c', '2', says=['given twice'])
    refused(machine, USAGE, 'hagroup', 'haonly', '-enable', '-disable', says=['only one of these'])
    refused(machine, USAGE, 'hagroup', 'haonly', says=['one of these must be given'])
    refused(machine, USAGE, 'hagroup', 'creategroup', '-slot', '0', '-label', 'x' * 33,
            says=['1 to 32 bytes'])
    refused(machine, USAGE, 'slot', 'set', '-slot', 'x', says=['not the number of a slot'])
    refused(machine, USAGE, 'slot', 'set', '-serial', '12a', says=['digits only'])


def test_unknown_things():
    machine = pair()
    refused(machine, NOT_FOUND, 'hagroup', 'listgroups', '-group', 'myHAgruop',
            says=[f'Did you mean "{GROUP}"?'])
    for command in ('addmember', 'removemember', 'addstandby'):
        refused(machine, NOT_FOUND, 'hagroup', command, '-group', 'other', '-slot', '0',
                says=['there is no HA group'])
        refused(machine, NOT_FOUND, 'hagroup', command, '-group', GROUP, '-slot', '4',
                says=['there is no slot 4', 'slot list'])
    refused(machine, NOT_FOUND, 'hagroup', 'addmember', '-group', GROUP, '-serial', '42',
            says=['nothing with serial number 42'])
    refused(machine, NOT_FOUND, 'hagroup', 'removemember', '-group', GROUP, '-serial', '42',
            says=['not a member'])
    refused(machine, NOT_FOUND, 'hagroup', 'synchronize', '-group', 'other')
    refused(machine, NOT_FOUND, 'hagroup', 'deletegroup', '-label', 'other', '-force')
    refused(machine, NOT_FOUND, 'slot', 'set', '-slot', '77')
    refused(machine, USAGE, 'hagroup', 'addmember', '-group', GROUP, '-slot', '100',
            says=['is an HSM, not a partition'])
    refused(machine, USAGE, 'partition', 'show', '-slot', '5', says=['is an HA group'])
    refused(machine, USAGE, 'partition', 'create', '-slot', '0', says=['154438'])


def test_wrong_password():
    machine = pair()
    wrong = machine.secret('wrong-password')
    refused(machine, AUTH, 'hagroup', 'listgroups', '--password-file', wrong,
            says=['9 attempts left', 'CKR_PIN_INCORRECT', PAR0])
    refused(machine, AUTH, 'partition', 'contents', '-slot', '0', '--password-file', wrong,
            says=['8 attempts left'])
    # The other member was not asked: none of its attempts is gone.
    roles = json.loads(machine.ok('--json', 'role', 'show', '-name', 'co', '-slot', '1'))
    expect('attempts at the other member', roles['roles'][0]['attempts'], 10)
    machine.ok('hagroup', 'listgroups', '--password-file', machine.secret('co-password-4'))
    roles = json.loads(machine.ok('--json', 'role', 'show', '-name', 'co', '-slot', '0'))
    expect('attempts after the right one', roles['roles'][0]['attempts'], 10)


def test_no_terminal_and_no_password():
    machine = pair()
    refused(machine, AUTH, 'hagroup', 'synchronize', '-group', GROUP,
            says=['there is no terminal to ask', '--password-file'])
    refused(machine, CANCELLED, 'hagroup', 'deletegroup', '-label', GROUP, says=['-force'])


def test_password_files():
    machine = pair()
    refused(machine, NOT_FOUND, 'hagroup', 'listgroups', '--password-file', '/nonexistent',
            says=['/nonexistent'])
    refused(machine, USAGE, 'hagroup', 'listgroups', '--password-fd', '77', says=['descriptor'])
    refused(machine, USAGE, 'hagroup', 'listgroups', '--password-file', '/', says=['/: Is a dir'])
    # An empty one would be wrong, and cost an attempt.
    for words in (('hagroup', 'check', '-group', GROUP), ('role', 'login', '-slot', '0', '-name', 'co'),
                  ('partition', 'contents', '-slot', '0')):
        refused(machine, USAGE, *words, '--password-file', machine.secret(''),
                says=['the password that was given is empty'])
    expect_in('attempts', machine.ok('role', 'show', '-slot', '0', '-name', 'co'), '10 of 10')
    refused(machine, USAGE, 'hagroup', 'listgroups', '--password-file', machine.secret('x' * 256),
            says=['longer than 255'])
    path = machine.secret('co-password-4')
    os.chmod(path, 0o644)
    _, _, err = machine.run('hagroup', 'listgroups', '--password-file', path)
    os.chmod(path, stat.S_IRUSR | stat.S_IWUSR)
    expect_in('a file that all can read', err, 'others can read this password file')


def test_member_twice():
    machine = pair()
    password = machine.secret('co-password-4')
    refused(machine, REFUSED, 'hagroup', 'addmember', '-group', GROUP, '-slot', '1',
            '--password-file', password, says=[f'{PAR1} is a member of group {GROUP} already'])
    refused(machine, REFUSED, 'hagroup', 'creategroup', '-label', 'another', '-slot', '1',
            '--password-file', password, says=['already'])
    refused(machine, REFUSED, 'hagroup', 'creategroup', '-label', GROUP, '-slot', '1',
            '--password-file', password, says=[f'label "{GROUP}" already'])


def test_other_domain():
    machine = Machine('domains')
    machine.prepare('0', '100', 'par0')
    machine.prepare('1', '101', 'par1', domain='another domain')
    password = machine.secret('co-password-4')
    machine.ok('hagroup', 'creategroup', '-slot', '0', '-label', GROUP, '--password-file', password)
    refused(machine, REFUSED, 'hagroup', 'addmember', '-group', GROUP, '-slot', '1',
            '--password-file', password, says=['domain'])


def test_other_crypto_officer():
    machine = Machine('officers')
    machine.prepare('0', '100', 'par0')
    machine.prepare('1', '101', 'par1', co='another-password')
    password = machine.secret('co-password-4')
    machine.ok('hagroup', 'creategroup', '-slot', '0', '-label', GROUP, '--password-file', password)
    refused(machine, AUTH, 'hagroup', 'addmember', '-group', GROUP, '-slot', '1',
            '--password-file', password, says=[PAR1])
    refused(machine, AUTH, 'hagroup', 'addmember', '-group', GROUP, '-slot', '1',
            '--password-file', machine.secret('another-password'))


def test_partition_that_is_not_initialised():
    machine = Machine('blank')
    machine.prepare('0', '100', 'par0')
    so = machine.secret('so-password-1')
    password = machine.secret('co-password-4')
    machine.ok('hsm', 'init', '-slot', '101', '-label', 'hsm1', '-force', '--password-file', so)
    machine.ok('partition', 'create', '-slot', '101', '--password-file', so)
    machine.ok('hagroup', 'creategroup', '-slot', '0', '-label', GROUP, '--password-file', password)
    refused(machine, REFUSED, 'hagroup', 'addmember', '-group', GROUP, '-slot', '1',
            '--password-file', password, says=['not been initialized', 'partition init'])
    refused(machine, REFUSED, 'hagroup', 'creategroup', '-label', 'b', '-slot', '1',
            '--password-file', password, says=['not been initialized'])
    refused(machine, REFUSED, 'role', 'login', '-name', 'co', '-slot', '1',
            '--password-file', password, says=['initialized'])


def test_password_that_must_be_changed():
    machine = Machine('expired')
    so, po, first = map(machine.secret, ('so-password-1', 'po-password-2', 'co-initial-3'))
    machine.ok('hsm', 'init', '-slot', '100', '-label', 'hsm', '-force', '--password-file', so)
    machine.ok('partition', 'create', '-slot', '100', '--password-file', so)
    machine.ok('partition', 'init', '-slot', '0', '-label', 'par0', '-force',
               '--password-file', po, '--domain-file', machine.secret('a domain'))
    machine.ok('role', 'init', '-slot', '0', '-name', 'co', '--loginpw-file', po,
               '--password-file', first)
    refused(machine, AUTH, 'hagroup', 'creategroup', '-label', GROUP, '-slot', '0',
            '--password-file', first, says=['role changepw -name co'])


def test_reset_that_a_policy_forbids():
    machine = pair()
    refused(machine, REFUSED, 'role', 'resetpw', '-name', 'co', '-slot', '0',
            '--loginpw-file', machine.secret('po-password-2'),
            '--password-file', machine.secret('co-reset-77'), says=['HSM policy 15'])


def test_group_without_members():
    machine = pair()
    none = {'LOOPBACK_CARDS': ' '}
    out = machine.ok('hagroup', 'listgroups', **none)
    for serial in (PAR0, PAR1):
        expect_in('listgroups', out, f'------  {serial}                      ------------      down')
    refused(machine, DEVICE, 'hagroup', 'synchronize', '-group', GROUP, '--password-file',
            machine.secret('co-password-4'), **none)
    # With one member there, a member that is down is removed without a password.
    one = {'LOOPBACK_CARDS': '154438:865287'}
    machine.ok('hagroup', 'removemember', '-group', GROUP, '-serial', PAR1, **one)
    refused(machine, REFUSED, 'hagroup', 'removemember', '-group', GROUP, '-serial', PAR0,
            says=['only member', 'deletegroup'])
    machine.ok('hagroup', 'addmember', '-group', GROUP, '-slot', '1',
               '--password-file', machine.secret('co-password-4'))


def test_no_driver_and_no_card():
    machine = Machine('nothing', 'none')
    refused(machine, DEVICE, 'slot', 'list', says=['driver is not loaded', 'modprobe pciehsm'])
    refused(machine, DEVICE, 'hsm', 'show', says=['driver is not loaded'])
    refused(machine, DEVICE, 'hsm', 'show', says=['no HSM was found', 'lspci'], LOOPBACK_CARDS=' ')
    expect_in('the list', machine.ok('slot', 'list', LOOPBACK_CARDS=' '), '        none\n')
    expect_in('groups', machine.ok('hagroup', 'listgroups', LOOPBACK_CARDS=' '), 'no HA groups')


def test_card_that_hangs():
    machine = pair()
    out = machine.ok('hagroup', 'listgroups', LOOPBACK_HANG='1238700')
    expect_in('listgroups', out, '     0  154438865287                              par0     alive')
    expect_in('listgroups', out, 'down')
    refused(machine, DEVICE, 'hsm', 'show', '-slot', '101', LOOPBACK_HANG='1238700',
            says=['does not answer'])


def test_changepw_that_prompts_takes_no_credentials():
    machine = pair()
    directory = os.path.join(machine.dir, 'changepw-credentials')
    os.mkdir(directory, 0o700)
    for name in ('oldpw', 'newpw'):
        with open(os.path.join(directory, f'haadm.{name}'), 'w', encoding='utf-8',
                  opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write('co-password-4\n')
    words = ('role', 'changepw', '-slot', '1', '-name', 'co')
    env = {'CREDENTIALS_DIRECTORY': directory}
    refused(machine, AUTH, *words, '-prompt', **env,
            says=['the oldpw is needed and there is no terminal'])
    machine.ok(*words, **env)


def test_broken_configuration():
    machine = pair()
    good = machine.config_text()
    with open(machine.config, 'w', encoding='utf-8') as f:
        f.write(good.replace(GROUP, '{{{', 1)[:-20] + '\n garbage = \n')
    for words in (('listgroups',), ('retry', '-count', '3'),
                  ('removemember', '-group', GROUP, '-serial', PAR1)):
        refused(machine, CONFIG, 'hagroup', *words, says=[machine.config])
    # Who is in a group is not known: nothing is destroyed, by force or otherwise.
    password = machine.secret('so-password-1')
    for words in (('hsm', 'init', '-slot', '101', '-label', 'x', '--password-file', password),
                  ('hsm', 'zeroize', '-slot', '101'), ('hsm', 'factoryreset', '-slot', '101'),
                  ('partition', 'delete', '-slot', '1', '--password-file', password),
                  ('partition', 'init', '-slot', '1', '-label', 'x'),
                  ('partition', 'clear', '-slot', '1'),
                  ('partition', 'changepolicy', '-slot', '1', '-policy', '1', '-value', '1'),
                  ('partition', 'clone', '-from', '0', '-slot', '1', '-objects', '0')):
        refused(machine, CONFIG, *words, '-force', says=[machine.config, 'Repair the file'])
    expect_in('partitions are there', machine.ok('slot', 'list'), PAR1)
    with open(machine.config, 'w', encoding='utf-8') as f:
        f.write(good)
    machine.ok('hagroup', 'listgroups')


def test_missing_rights():
    if os.geteuid():
        return
    machine = Machine('rights')
    machine.prepare('0', '100', 'par0')
    password = machine.secret('co-password-4')
    machine.ok('hagroup', 'creategroup', '-slot', '0', '-label', GROUP, '--password-file', password)
    os.chmod(os.environ['TMPDIR'], 0o755)
    directory = os.path.join(machine.dir, 'etc')
    os.mkdir(directory)
    before = machine.config_text()
    os.rename(machine.config, os.path.join(directory, 'ha.conf'))
    machine.config = os.path.join(directory, 'ha.conf')
    os.chmod(machine.config, 0o644)
    for root, _, files in os.walk(machine.dir):
        for name in files:
            if not root.endswith('etc'):
                os.chown(os.path.join(root, name), 65534, 65534)
    os.chown(machine.dir, 65534, 65534)
    command = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', HAADM,
               'hagroup', 'retry', '-count', '3']
    with Terminal(command, env=dict(machine.env, PCIEHSM_CONF=machine.config)) as terminal:
        shown = terminal.finish()
        expect(f'exit status ({shown})', terminal.status, PERMISSION)
    expect('the reason, once', shown.count('Permission denied'), 1)
    expect('ha.conf', machine.config_text(), before)


if __name__ == '__main__':
    sys.exit(run_tests([f for n, f in list(globals().items()) if n.startswith('test_')]))
