#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every command, good and bad input: its transcript, and its JSON against the schema.

The transcripts are in tests/golden/commands.txt. HAADM_GOLDEN_UPDATE=1 writes them anew, to
be read in the diff.
"""

import difflib
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.append(os.path.dirname(os.path.realpath(__file__)))
from common import Machine, REPO, expect, run_tests
from schema import Schema

GOLDEN = os.path.join(REPO, 'tests', 'golden', 'commands.txt')
ROOM = os.path.join(REPO, 'userspace', 'haadm')
# What differs from run to run, or from machine to machine
VARYING = (
    (re.compile(r'secret-\d+'), 'SECRET'),
    (re.compile(r'\b[0-9a-f]{32}\b'), 'OUID'),
    (re.compile(r' *\d+\.\d ms'), ' TIME'),
    (re.compile(r'\b\d+ bytes\b'), 'N bytes'),
    # The audit log has what the HA engine did, too, which is the engine's affair.
    (re.compile(r'(?m)(?:^ +\d+ +\d+ +\d+\.\d{3} .*\n)+'), '        ENTRIES\n'),
    (re.compile(r'(Entries Kept -> +)\d+'), r'\1N'),
    (re.compile(r'(Entries -> +\d+ to )\d+'), r'\1N'),
    (re.compile(r'\b\d+ entries\b'), 'N entries'),
    # What happens to several members at once comes in any order.
    (re.compile(r'(?m)(?:^PHSM-\d+ .*\n)+'), 'EVENTS\n'),
    # The rate of operations, of hagroup status
    (re.compile(r'(?m)^(\d{6,} +\w+ +\w+ +\d+ +\d+ +\d+ +\d+) +\S+( TIME)$'), r'\1 OPS\2'),
    (re.compile(r'( {10}(?:sign|verify|find|login|create|errors|cloned_\w+|generate|destroy) ->) *'
                r'\d+'), r'\1 N'),
)

SO, PO, FIRST, CO, CU, AU = ('so-password-1', 'po-password-2', 'co-initial-3', 'co-password-4',
                             'cu-password-5', 'au-password-6')
APP = 'app-challenge-7'
GROUP, PAR0, PAR1 = 'myHAgroup', '154438865287', '1238700701509'

# Exit status and command. A password is written as <password>, a file of the machine as
# %name. Commands with ; between them are a script on standard input. A line with + in front
# is done beforehand, and is no part of the test.
SESSION = f'''
0 slot list
2 slot list -all
0 slot set -slot 100
4 slot set -slot 9
0 hsm show -slot 100
4 hsm show -slot 9
0 hsm init -slot 100 -label hsm0 -force --password-file <{SO}>
3 hsm init -slot 100 -label again --password-file <{SO}>
6 hsm init -slot 100 -label again -force --password-file <{PO}>
9 hsm init -slot 100 -label again -iped
9 hsm init -slot 100 -label again --domain-file <a domain>
0 hsm init -serial 1238700 -label hsm1 -initwithpwd -auth -force --password-file <{SO}>
0 partition create -slot 100 --password-file <{SO}>
2 partition create -slot 0 --password-file <{SO}>
9 partition create -slot 100 -version 1
9 partition create -slot 100 -size 999999999999 --password-file <{SO}>
0 partition create -slot 101 --password-file <{SO}>
0 partition init -slot 0 -label par0 -force --password-file <{PO}> --domain-file <a domain>
2 partition init -slot 0 --label= -force
9 partition init -slot 0 -label par0 -defaultdomain
0 partition init -slot 1 -label par1 -force --password-file <{PO}> --domain-file <a domain>
0 role init -slot 0 -name co --loginpw-file <{PO}> --password-file <{FIRST}>
2 role init -slot 0 -name po --password-file <{FIRST}>
0 role init -slot 1 -name co --loginpw-file <{PO}> --password-file <{FIRST}>
0 role changepw -slot 0 -name co --oldpw-file <{FIRST}> --newpw-file <{CO}>
6 role changepw -slot 0 -name co --oldpw-file <{FIRST}> --newpw-file <{CO}>
2 role changepw -slot 1 -name co --oldpw-file <{FIRST}> --newpw-file <{FIRST}>
0 role changepw -slot 1 -name co --oldpw-file <{FIRST}> --newpw-file <{CO}>
0 role login -slot 0 -name co --password-file <{CO}>
9 role login -slot 0 -name cu --password-file <{CU}>
0 role init -slot 0 -name cu --loginpw-file <{CO}> --password-file <{CU}>
0 role resetpw -slot 0 -name cu --loginpw-file <{CO}> --password-file <{CU}>
9 role resetpw -slot 0 -name co --loginpw-file <{PO}> --password-file <{FIRST}>
0 role list -slot 0
4 role list -slot 9
0 role show -slot 0 -name co
2 role show -slot 0 -name nobody
9 role createchallenge -slot 0 -name co --password-file <{CO}> --challenge-file <{APP}>
0 partition changepolicy -slot 0 -policy 22 -value 1 --password-file <{PO}>
0 partition changepolicy -slot 0 -policy 23 -value 1 --password-file <{PO}>
2 role createchallenge -slot 0 -name po --password-file <{PO}> --challenge-file <{APP}>
6 role createchallenge -slot 0 -name co --password-file <{PO}> --challenge-file <{APP}>
2 role createchallenge -slot 0 -name co --password-file <{CO}> --challenge-file <{CO}>
0 role createchallenge -slot 0 -name co --password-file <{CO}> --challenge-file <{APP}>
0 role show -slot 0 -name co
6 role login -slot 0 -name co --password-file <{APP}>
0 role login -slot 0 -name co --password-file <{CO}>
0 role show -slot 0 -name co
0 role login -slot 0 -name co --password-file <{APP}>
6 role deactivate -slot 0 -name co --loginpw-file <{CO}>
0 role deactivate -slot 0 -name co --loginpw-file <{PO}>
0 partition changepolicy -slot 0 -policy 23 -value 0 --password-file <{PO}>
0 partition changepolicy -slot 0 -policy 22 -value 0 --password-file <{PO}>
6 role logout -slot 0
0 role login -slot 0 -name co --password-file <{CO}> ; role logout -slot 0
0 hagroup creategroup -slot 0 -label {GROUP} --password-file <{CO}>
9 hagroup creategroup -slot 1 -label {GROUP} --password-file <{CO}>
0 hagroup addmember -group {GROUP} -slot 1 --password-file <{CO}>
9 hagroup addmember -group {GROUP} -slot 1 --password-file <{CO}>
0 hagroup listgroups
4 hagroup listgroups -group other
0 slot list
0 slot partitionlist -slot 101
2 slot partitionlist -slot 0
0 partition showinfo -slot 0
2 partition show -slot 5
0 hagroup retry -count 500
2 hagroup retry -count 501
0 hagroup interval -interval 120
2 hagroup interval -interval 59
0 hagroup recoverymode -mode activeEnhanced
2 hagroup recoverymode -mode passive
0 hagroup haonly -enable
0 hagroup haonly -show
2 hagroup haonly -enable -disable
0 hagroup haonly -disable
0 hagroup halog -path /var/log/pciehsm
0 hagroup halog -maxlength 4096
2 hagroup halog -path relative
2 hagroup halog -maxlength 10
0 hagroup halog -enable
6 hagroup addstandby -group {GROUP} -serial {PAR1} --password-file <{PO}>
0 hagroup addstandby -group {GROUP} -serial {PAR1} --password-file <{CO}>
9 hagroup addstandby -group {GROUP} -serial {PAR0}
0 hagroup removestandby -group {GROUP} -serial {PAR1}
9 hagroup removestandby -group {GROUP} -serial {PAR1}
0 hagroup drain -group {GROUP} -slot 1
9 hagroup drain -group {GROUP} -slot 0
0 hagroup undrain -group {GROUP} -slot 1
9 hagroup undrain -group {GROUP} -slot 1
0 hagroup weight -group {GROUP} -slot 1 -weight 3
2 hagroup weight -group {GROUP} -slot 1 -weight 0
0 hagroup mincopies -group {GROUP} -copies 2
9 hagroup mincopies -group {GROUP} -copies 3
0 hagroup mincopies -group {GROUP} -copies 1
0 hagroup monitor -once --password-file <{CO}>
4 hagroup monitor -once -group other
0 hagroup recover -group {GROUP}
4 hagroup recover -group other
0 hagroup status -group {GROUP}
4 hagroup status -group other
+ object {PAR1} report
1 hagroup check -group {GROUP} --password-file <{CO}>
9 hagroup removemember -group {GROUP} -serial {PAR1}
9 hsm init -slot 101 -label x --password-file <{SO}>
9 partition delete -slot 1 --password-file <{SO}>
0 hagroup synchronize -group {GROUP} --password-file <{CO}>
6 hagroup synchronize -group {GROUP} --password-file <{PO}>
0 hagroup synchronize -group {GROUP} -disable
0 hagroup synchronize -group {GROUP} -enable
0 hagroup check -group {GROUP} --password-file <{CO}>
4 hagroup verify -group {GROUP} -key nokey --password-file <{CO}>
+ key {PAR0} signer
0 hagroup synchronize -group {GROUP} --password-file <{CO}>
0 hagroup verify -group {GROUP} -key signer --password-file <{CO}>
0 partition contents -slot 1 --password-file <{CO}>
6 partition contents -slot 1 --password-file <{PO}>
0 hagroup removemember -group {GROUP} -serial {PAR1}
4 hagroup removemember -group {GROUP} -serial {PAR1}
0 hagroup deletegroup -label {GROUP} -force
4 hagroup deletegroup -label {GROUP} -force
0 hagroup creategroup -slot 0 -label {GROUP} --password-file <{CO}>
0 hagroup addmember -group {GROUP} -slot 1 --password-file <{CO}>
0 partition create -slot 101 --password-file <{SO}>
0 hagroup replace -group {GROUP} -old {PAR1} -hsm 101 -label next -dryrun
0 hagroup replace -group {GROUP} -old {PAR1} -hsm 101 -label next --password-file <{CO}> \
--popassword-file <{PO}> --domain-file <a domain>
0 hagroup replace -group {GROUP} -old {PAR1} -serial 1238700701510 --password-file <{CO}>
4 hagroup replace -group {GROUP} -old 42 -slot 1
0 partition clear -slot 1 -force --password-file <{CO}>
3 partition clear -slot 1
+ object {PAR0} extra
0 partition clone -from 0 -slot 1 -objects 0 --password-file <{CO}>
0 hagroup synchronize -group {GROUP} --password-file <{CO}>
2 partition clone -from 0 -slot 1 -objects nothing --password-file <{CO}>
2 partition clone -from 0 -slot 0 -objects 0 --password-file <{CO}>
0 partition showpolicies -slot 0
4 partition showpolicies -slot 9
0 partition changepolicy -slot 0 -policy 20 -value 8 --password-file <{PO}>
2 partition changepolicy -slot 0 -policy 20 -value 11 --password-file <{PO}>
4 partition changepolicy -slot 0 -policy 99 -value 1 --password-file <{PO}>
0 partition showpolicies -slot 0 -exporttemplate %template
9 partition showpolicies -slot 0 -exporttemplate %template
2 partition init -slot 1 -label next -force -applytemplate %ha.conf
0 partition resize -slot 1 -all --password-file <{SO}>
2 partition resize -slot 1 -all -size 1
0 partition resize -slot 1 -size 1000000 --password-file <{SO}>
2 partition resize -slot 1 -size 100 --password-file <{SO}>
6 partition resize -slot 1 -size 1000000 --password-file <{PO}>
0 hsm showpolicies -slot 100
2 hsm showpolicies -slot x
3 hsm changepolicy -slot 101 -policy 15 -value 1 --password-file <{SO}>
0 hsm changepolicy -slot 101 -policy 15 -value 1 -force --password-file <{SO}>
0 hsm tamper -slot 100
2 hsm tamper -slot 0
0 role init -slot 100 -name au --loginpw-file <{SO}> --password-file <{FIRST}>
0 role changepw -slot 100 -name au --oldpw-file <{FIRST}> --newpw-file <{AU}>
0 hsm audit -slot 100
0 hsm audit -slot 100 -log all --password-file <{AU}>
2 hsm audit -slot 100 -log everything
0 hsm audit -slot 100 -log login,roles -full halt --password-file <{AU}>
6 hsm audit -slot 100 -export %log --password-file <{SO}>
0 hsm audit -slot 100 -export %log --password-file <{AU}>
9 hsm audit -slot 100 -export %log --password-file <{AU}>
0 hsm audit -verify %log
3 hsm audit -slot 100 -truncate 2
0 hsm audit -slot 100 -truncate 2 -force --password-file <{AU}>
+ damage log
1 hsm audit -verify %log
4 hsm audit -verify %missing
0 hagroup deletegroup -label {GROUP} -force
0 partition init -slot 0 -label next -force -applytemplate %template -auth --password-file <{PO}> \
--domain-file <a domain>
3 partition delete -slot 0 --password-file <{SO}>
0 partition delete -slot 0 -force --password-file <{SO}>
3 hsm zeroize -slot 100
0 hsm zeroize -slot 100 -force
0 hsm factoryreset -slot 100 -force
4 hsm factoryreset -slot 9 -force
2 hagroup
2 hagruop listgroups
2 hagroup listgroups -x
'''


def beforehand(machine, words):
    if words[0] == 'object':
        machine.create_object(words[1], words[2])
    elif words[0] == 'key':
        machine.create_key(words[1], words[2])
    elif words[0] == 'damage':
        path = os.path.join(machine.dir, words[1])
        with open(path, 'r+b') as f:
            f.seek(-200, os.SEEK_END)
            byte = f.read(1)
            f.seek(-200, os.SEEK_END)
            f.write(bytes([byte[0] ^ 1]))
    else:
        raise ValueError(words)


def play(machine, *options):
    """Each command of the session: (line, wanted status, status, stdout, stderr)."""
    for line in SESSION.strip().replace('\\\n', '').split('\n'):
        status, command = line.split(' ', 1)
        if status == '+':
            beforehand(machine, command.split())
            continue
        words = []
        for word in re.findall(r'<[^>]*>|\S+', command):
            if word.startswith('<'):
                word = machine.secret(word[1:-1])
            elif word.startswith('%'):
                word = word[1:]
            words.append(word)
        if ';' in words:
            ran = machine.run(*options, input=' '.join(words).replace(' ; ', '\n') + '\n')
        else:
            ran = machine.run(*options, *words)
        yield (command, int(status)) + ran


def names(command):
    """Of the commands in a line of the session."""
    return [' '.join(one.split()[:2]).replace('showinfo', 'show') for one in command.split(' ; ')]


def json_objects(text):
    found = []
    while text.strip():
        one, end = json.JSONDecoder().raw_decode(text.lstrip())
        found.append(one)
        text = text.lstrip()[end:]
    return found


def masked(text):
    for pattern, instead in VARYING:
        text = pattern.sub(instead, text)
    # Objects come in the order of their OUIDs, which are random.
    return re.sub(r'(?:^.* OUID\n)+', lambda m: ''.join(sorted(m[0].splitlines(True))), text,
                  flags=re.M)


def all_commands():
    table = json.loads(Machine('table', 'none').ok('--json', 'help'))
    return {f'{c["area"]} {c["name"]}' for c in table['commands']}


def test_transcripts():
    machine = Machine('transcripts')
    shown = ['# Transcripts of haadm, made by tests/unit/haadm/every.py\n']
    wrong = []
    good, bad = set(), set()
    for command, wanted, status, out, err in play(machine):
        shown.append(f'\n$ haadm {command}\n{masked(out + err)}'
                     f'[exit status {status}]\n')
        if status != wanted:
            wrong.append(f'"{command}": exit status {status}, not {wanted}\n{out}{err}')
        (bad if status else good).update(names(command))
        if status and not re.search(r'\nCommand Result : 0x[0-9a-f]+ \(.+\)\n$', err):
            wrong.append(f'"{command}": the last line\n{err}')
    expect('exit statuses', '\n'.join(wrong), '')
    table = all_commands()
    expect('commands without good input', table - good, set())
    expect('commands without bad input', table - bad, set())
    text = ''.join(shown)
    if os.environ.get('HAADM_GOLDEN_UPDATE'):
        with open(GOLDEN, 'w', encoding='utf-8') as f:
            f.write(text)
    with open(GOLDEN, encoding='utf-8') as f:
        golden = f.read()
    expect('transcripts', ''.join(difflib.unified_diff(
        golden.splitlines(True), text.splitlines(True), 'commands.txt', 'shown')), '')


def installed_schema():
    """As the build makes it"""
    made = subprocess.run([os.path.join(ROOM, 'schema.py'), os.path.join(ROOM, 'fields.json')],
                          check=True, capture_output=True, text=True, timeout=60)
    return Schema(json.loads(made.stdout))


def test_json():
    machine = Machine('json')
    schema = installed_schema()
    wrong = []
    for command, wanted, status, out, err in play(machine, '--json'):
        if status != wanted:
            wrong.append(f'"{command}": exit status {status}, not {wanted}\n{out}{err}')
            continue
        try:
            found = json_objects(out)
        except ValueError as error:
            wrong.append(f'"{command}": {error}:\n{out}')
            continue
        trouble = ''.join(map(schema.trouble, found))
        if not trouble and [f['status'] for f in found] != [status] * len(names(command)):
            trouble = f'"status" is not the exit status {status}'
        if not trouble and status and not found[-1]['error']['advice']:
            trouble = 'it does not say what to do'
        if not trouble and not status and [f['command'] for f in found] != names(command):
            trouble = '"command" is another one'
        if trouble:
            wrong.append(f'"{command}": {trouble}\n{out}')
    expect('JSON', '\n'.join(wrong), '')
    for words in (('help',), ('help', 'slot'), ('help', 'slot', 'list'), ('slot', 'list', '--help'),
                  ('--version',)):
        trouble = schema.trouble(json.loads(machine.ok('--json', *words)))
        expect(' '.join(words), trouble, '')
    # Each look of -watch is an object like that of the command.
    watched = Machine('json-watch')
    watched.prepare('0', '100', 'par0')
    watched.ok('hagroup', 'creategroup', '-slot', '0', '-label', GROUP, '--password-file',
               watched.secret(CO))
    looks = json_objects(watched.ok('--json', 'hagroup', 'status', '-group', GROUP, '-watch',
                                    '-count', '2'))
    expect('hagroup status -watch', [(look['command'], schema.trouble(look)) for look in looks],
           [('hagroup status', '')] * 3)
    for words in (('help', 'nothing'), ('help', 'slot', 'nothing'), ('hagruop', 'listgroups'),
                  ('--nothing',)):
        status, out, _ = machine.run('--json', *words)
        expect(' '.join(words), (status, schema.trouble(json.loads(out))), (2, ''))
    expect('the command that was asked for',
           [c['name'] for c in json.loads(machine.ok('--json', 'help', 's', 'l'))['commands']],
           ['list'])


def test_schema_test_fails_on_what_is_not_in_it():
    schema = installed_schema()
    good = {'command': 'hagroup weight', 'status': 0, 'group': 'g', 'serial': '1', 'weight': 2}
    expect('good', schema.trouble(good), '')
    for bad in (dict(good, more=1), dict(good, weight='2'), dict(good, serial='x'),
                dict(good, command='hagroup drain'), {'command': 'hagroup weight', 'status': 0},
                {'status': 0, 'error': {}}):
        if not schema.trouble(bad):
            raise AssertionError(f'{bad} is good')


if __name__ == '__main__':
    sys.exit(run_tests([f for n, f in list(globals().items()) if n.startswith('test_')]))
