#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Around the commands: completion, manual page, credentials, progress, the screen, a big group."""

import json
import os
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from common import (GROUP, HAADM, Machine, NOT_FOUND, PAR0, PAR1, REFUSED, REPO, at_terminals,
                    expect, expect_in, pair, refused, run_tests)
from terminal import Terminal

# More than this, and something waits for one member after the other.
HANG_SECONDS = 10
# So long a stuck message lasts.
STUCK_SECONDS = 60
# Of a message: what takes some of them takes over a second.
SLOW_MS = 400
MEMBERS, HUNG = 32, 3


def complete(machine, *words):
    return machine.ok('--complete', *words).split()


# --- completion ---

def test_completion():
    machine = pair()
    table = json.loads(machine.ok('--json', 'help'))['commands']
    for area in {c['area'] for c in table}:
        expect(f'commands of {area}', complete(machine, area, ''),
               [c['name'] for c in table if c['area'] == area])
    for command in table:
        offered = complete(machine, command['area'], command['name'], '-')
        for option in command['options']:
            if '-' + option['name'] not in offered:
                raise AssertionError(f'{command["name"]}: -{option["name"]} is not in {offered}')
    expect('areas', complete(machine, 'h'), ['hagroup', 'hsm', 'help'])
    expect('after --json', complete(machine, '--json', 'slo'), ['slot'])
    expect('group', complete(machine, 'hagroup', 'check', '-group', ''), [GROUP])
    expect('slots', complete(machine, 'slot', 'set', '-slot', '10'), ['100', '101'])
    expect('serials', sorted(complete(machine, 'hagroup', 'drain', '-serial', '1')),
           sorted([PAR0, '1' + PAR0, PAR1, '1238700', '154438']))
    expect('choices', complete(machine, 'hagroup', 'recoverymode', '-mode', 'activeE'),
           ['activeEnhanced'])
    expect('files are the shell\'s', complete(machine, 'hagroup', 'check', '--password-file', ''),
           [])
    expect('passwords from elsewhere', complete(machine, 'hagroup', 'check', '--password'),
           ['--password-file', '--password-fd', '--password-credential'])
    expect('nonsense', complete(machine, 'nonsense', 'x', ''), [])
    expect('shells', complete(machine, '--completion', ''), ['bash', 'zsh'])
    refused(machine, 2, '--completion', 'csh', says=['bash'])


def shell_machine():
    """The program under its own name, as a shell finds it."""
    machine = pair()
    path = os.path.join(machine.dir, 'bin')
    if not os.path.isdir(path):
        os.mkdir(path)
        os.symlink(HAADM, os.path.join(path, 'haadm'))
    return machine, dict(machine.env, PATH=path + ':' + os.environ['PATH'])


def test_completion_in_bash():
    _, env = shell_machine()
    script = '''
source <(haadm --completion bash)
try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _haadm; echo "${COMPREPLY[*]}"; }
complete -p haadm
try haadm hagroup rem
try haadm hagroup listgroups -group ""
'''
    run = subprocess.run(['bash', '--norc', '-c', script], env=env, capture_output=True, text=True,
                         check=False, timeout=60)
    expect(f'bash ({run.stderr})', run.stdout, 'complete -o default -F _haadm haadm\n'
           f'removemember removestandby\n{GROUP}\n')


def test_completion_in_zsh():
    if not shutil.which('zsh'):
        print('# there is no zsh here: its script was not run')
        return
    _, env = shell_machine()
    # What compadd gets is what zsh offers; compinit is not needed to see it.
    script = '''
compdef() { echo "compdef $*" }
compadd() { shift 2; echo "$*" }
_files() { echo files }
source <(haadm --completion zsh)
words=(haadm hagroup rem) CURRENT=3; _haadm
words=(haadm hagroup listgroups -group '') CURRENT=5; _haadm
words=(haadm hagroup check --password-file '') CURRENT=5; _haadm
'''
    run = subprocess.run(['zsh', '-f', '-c', script], env=env, capture_output=True, text=True,
                         check=False, timeout=60)
    expect(f'zsh ({run.stderr})', run.stdout, 'compdef _haadm haadm\n'
           f'removemember removestandby\n{GROUP}\nfiles\n')


def test_completion_at_the_prompt():
    machine = pair()
    with Terminal([HAADM], env=machine.env) as terminal:
        terminal.wait_for('haadm:> ')
        os.write(terminal.fd, b'hag\trecoverym\t-m\tactiveB\t\n')
        shown = terminal.wait_for(re.compile(r'Command Result.*\n\nhaadm:> $', re.S))
        expect_in('completed', shown, 'has been set to activeBasic.')
        terminal.type('exit')
        terminal.finish()


# --- the prompt: history; what is left of passwords ---

UP, DOWN = b'\x1b[A', b'\x1b[B'
RESULT = re.compile(r'Command Result[^\n]*\n.*haadm:>[^\n]*$', re.S)


def test_history_of_commands():
    machine = pair()
    with Terminal([HAADM], env=dict(machine.env, TERM='xterm')) as terminal:
        terminal.wait_for(re.compile('haadm:>'))
        for line in ('slot set -slot 1', 'hagroup haonly -show',
                     f'hagroup check -group {GROUP} -password co-password-4', 'nonsense'):
            terminal.type(line)
            terminal.wait_for(RESULT)
        # Back past "nonsense": what has a password in it was not kept.
        for keys, shows in ((UP + UP, 'HA Only is'), (4 * UP, 'Current Slot Id:        1'),
                            (UP + UP + DOWN, 'Current Slot Id:        1'),
                            (b'slot set -slot 0\x01\x0b\x19', 'Current Slot Id:        0')):
            os.write(terminal.fd, keys + b'\n')
            expect_in(f'after {keys}', terminal.wait_for(RESULT), shows)
        terminal.type('exit')
        terminal.finish()


def memory_of(pid):
    """All that a process could write, as one block of bytes."""
    found = []
    with open(f'/proc/{pid}/maps', encoding='utf-8') as maps, \
            open(f'/proc/{pid}/mem', 'rb', 0) as mem:
        for line in maps:
            place, rights = line.split()[:2]
            if 'w' not in rights or '[v' in line:
                continue
            begin, end = (int(x, 16) for x in place.split('-'))
            # What a sanitizer has for itself is greater than all memory there is.
            if end - begin > 1 << 28:
                continue
            mem.seek(begin)
            try:
                found.append(mem.read(end - begin))
            except OSError:
                pass
    return b''.join(found)


def memory_after_passwords(machine, term):
    """At a prompt, after each way to give a password; with what was typed otherwise."""
    with Terminal([HAADM], env=dict(machine.env, TERM=term)) as terminal:
        terminal.wait_for(re.compile('haadm:>'))
        for how, password, line in (
                ('typed at a question', 'wrong-aaaa-1', 'role login -name co'),
                ('in the line', 'wrong-bbbb-2', 'role login -name co -password wrong-bbbb-2'),
                ('in a file', 'wrong-cccc-3', 'role login -name co --password-file '
                 + machine.secret('wrong-cccc-3'))):
            terminal.type(line)
            if how == 'typed at a question':
                terminal.wait_for('Enter the password: ')
                terminal.type(password)
            expect_in(how, terminal.wait_for(RESULT), 'CKR_PIN_INCORRECT')
            memory = memory_of(terminal.pid)
            # So that a search that finds nothing is not one that can not find anything
            expect('the history is found', b'role login -name co' in memory, True)
            for kind, text in (('bytes', password.encode()),
                               ('wide characters', password.encode('utf-32-le'))):
                expect(f'on {term}, a password {how}, as {kind}', text in memory, False)
        terminal.type('exit')
        terminal.finish()
    machine.ok('hagroup', 'check', '-group', GROUP, '--password-file',
               machine.secret('co-password-4'))


def test_no_password_is_left_in_memory():
    if os.geteuid():
        print('# only root reads the memory of others')
        return
    for term in ('dumb', 'xterm'):
        memory_after_passwords(pair(), term)


def test_no_password_of_a_script_is_left_in_memory():
    if os.geteuid():
        print('# only root reads the memory of others')
        return
    machine = pair()
    line = f'hagroup check -group {GROUP} -password co-password-4\n'
    with subprocess.Popen([HAADM], env=machine.env, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as script:
        script.stdin.write(line)
        script.stdin.flush()
        # It waits for the next line then.
        for shown in script.stdout:
            if 'Command Result' in shown:
                break
        expect_in('the result', shown, 'No Error')
        memory = memory_of(script.pid)
        expect('the group is found', GROUP.encode() in memory, True)
        expect('the password is found', b'co-password-4' in memory, False)
        script.stdin.close()
        expect('the end', script.wait(60), 0)


# --- manual page and help ---

def test_manual_page():
    machine = pair()
    with open(os.path.join(REPO, 'userspace', 'haadm', 'haadm.8.in'), encoding='utf-8') as f:
        text = f.read()
    expect('the place of the table', text.count('\n@TABLE@\n'), 1)
    text = text.replace('@TABLE@\n', machine.ok('--man'))
    table = json.loads(machine.ok('--json', 'help'))
    for command in table['commands']:
        expect_in('commands', text, f'.SS "{command["area"]} {command["name"]}"\n')
    for status in table['exit_statuses']:
        expect_in('exit statuses', text, f'.TP\n\\fB{status["status"]}\\fR\n')
    page = os.path.join(machine.dir, 'haadm.8')
    with open(page, 'w', encoding='utf-8') as f:
        f.write(text)
    if shutil.which('groff'):
        run = subprocess.run(['groff', '-man', '-ww', '-z', page], capture_output=True, text=True,
                             check=False, timeout=60)
        expect('groff', (run.returncode, run.stderr), (0, ''))


def test_help_of_everything():
    machine = Machine('help', 'none')
    for command in json.loads(machine.ok('--json', 'help'))['commands']:
        words = (command['area'], command['name'])
        text = machine.ok('help', *words)
        for option in command['options']:
            expect_in(' '.join(words), text, f'\n          -{option["name"]}')
        expect('--help', machine.ok(*words, '--help'), text)
        expect('--help behind options', machine.ok(*words, '-group', 'x', '--help'), text)
        expect('short form', machine.ok('help', command['area'], (command['short'] or
                                                                  [command['name']])[0]), text)


# --- credentials ---

def test_credentials():
    machine = pair()
    directory = os.path.join(machine.dir, 'credentials')
    os.mkdir(directory)
    for name, text in (('haadm.password', 'co-password-4'), ('other', 'wrong-password')):
        with open(os.path.join(directory, name), 'w', encoding='utf-8',
                  opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(text)
    env = {'CREDENTIALS_DIRECTORY': directory}
    machine.ok('hagroup', 'check', '-group', GROUP, **env)
    refused(machine, 6, 'hagroup', 'check', '-group', GROUP, '--password-credential', 'other',
            says=['attempts left'], **env)
    machine.ok('hagroup', 'check', '-group', GROUP, '--password-credential', 'haadm.password',
               **env)
    for name in ('nothing', '../ha.conf'):
        refused(machine, NOT_FOUND, 'hagroup', 'check', '-group', GROUP,
                '--password-credential', name, **env)
    refused(machine, NOT_FOUND, 'hagroup', 'check', '-group', GROUP,
            '--password-credential', 'haadm.password', says=['LoadCredential'])


# --- progress, the screen ---

def test_progress():
    machine = pair().copy('progress')
    co = machine.secret('co-password-4')
    machine.create_key(PAR0, 'signer')
    for i in range(10):
        machine.create_object(PAR0, f'object {i}')
    differing = machine.copy('progress-differing')
    machine.ok('hagroup', 'synchronize', '-group', GROUP, '--password-file', co)
    contents = ('partition', 'contents', '-slot', '0', '--password-file', co)
    group = ('-group', GROUP, '--password-file', co)
    # What is counted, and where
    counted = (('of 12 objects', machine, contents),
               ('of 12 objects', differing, ('hagroup', 'synchronize', *group)),
               ('of 4 operations', machine, ('hagroup', 'verify', '-key', 'signer', *group)))
    commands = [(at.copy(f'progress-{i}'), words) for i, (_, at, words) in enumerate(counted)]
    for (what, _, words), shown in zip(counted, at_terminals(commands, SLOW_MS)):
        line = re.compile(r'\x1b\[K {8}\d+ ' + what + r', \d+\.\d per second, \d+ s left')
        if not line.search(shown):
            raise AssertionError(f'{" ".join(words)}: no progress in {shown!r}')
        # Each such line is taken back, by the next one or at the end.
        after = re.compile(r'(; waiting for \w+, \d+ s)?\x1b\[K')
        for found in line.finditer(shown):
            expect(f'behind the line ({shown!r})', bool(after.match(shown, found.end())), True)
        expect_in('the end', shown, 'Command Result : No Error\n')
    words = ('hagroup', 'verify', '-key', 'signer', *group)
    env = dict(machine.env, LOOPBACK_SLOW_MS=str(SLOW_MS), TERM='dumb')
    with Terminal([HAADM, *words], env=env) as terminal:
        expect('on a dumb terminal', 'per second' in terminal.finish(), False)
    status, out, err = machine.run(*words, LOOPBACK_SLOW_MS=str(SLOW_MS), TERM='xterm')
    expect('without a terminal', (status, 'per second' in out + err), (0, False))


def test_screen():
    machine = pair()
    env = dict(machine.env, TERM='xterm')
    with Terminal([HAADM, 'hagroup', 'status', '-group', GROUP, '-watch'], env=env) as terminal:
        for _ in range(2):
            shown = terminal.wait_for('q ends this.\n')
            expect_in('a screen', shown, '\x1b[H\x1b[2J')
            expect_in('members', shown, PAR1)
        os.write(terminal.fd, b'q')
        shown = terminal.finish()
        expect(f'exit status ({shown})', terminal.status, 0)
    out = machine.ok('hagroup', 'status', '-group', GROUP, '-watch', '-count', '2')
    expect('without a terminal', (out.count('Member S/N'), '\x1b' in out), (2, False))
    out = machine.ok('--json', 'hagroup', 'status', '-group', GROUP, '-watch', '-count', '2')
    looks = [json.loads(line) for line in out.split('\n')[:2]]
    expect('looks', [m['serial'] for look in looks for m in look['members']], [PAR0, PAR1] * 2)
    expect('rates', [type(m['operations_per_second']) for m in looks[1]['members']], [int] * 2)


# --- a big group ---

def test_listgroups_of_32_members_with_3_hung():
    cards = [1000 + i for i in range(MEMBERS)]
    serials = [f'{card}{i + 1:06}' for i, card in enumerate(cards)]
    hung = [cards[i] for i in (3, 17, 30)]
    machine = Machine('big', ' '.join(f'{card}:{i + 1}' for i, card in enumerate(cards)))
    so = machine.secret('so-password-1')
    script = ''.join(f'hsm init -serial {card} -label h -force --password-file {so}\n'
                     f'partition create -serial {card} --password-file {so}\n'
                     f'role logout -serial {card}\n'
                     f'partition init -serial {serial} -label p{card} -force --password-file '
                     f'{machine.secret("po-password-2")} --domain-file {machine.secret("d")}\n'
                     for card, serial in zip(cards, serials))
    machine.ok(input=script)
    # The configuration as 31 times addmember would leave it
    with open(machine.config, 'w', encoding='utf-8') as f:
        json.dump(big_config(serials), f)
    # One more than a group can have
    more = json.loads(machine.ok('--json', 'partition', 'create', '-serial', str(cards[0]),
                                 '--password-file', so))['serial']
    refused(machine, REFUSED, 'hagroup', 'addmember', '-group', GROUP, '-serial', more,
            '--password-file', so, says=[f'has {MEMBERS} members, and that is the limit',
                                         'hagroup replace'])
    begun = time.monotonic()
    machine.ok('hagroup', 'listgroups')
    without = time.monotonic() - begun
    begun = time.monotonic()
    out = machine.ok('--json', 'hagroup', 'listgroups', LOOPBACK_HANG=' '.join(map(str, hung)),
                     LOOPBACK_HANG_MS=str(HANG_SECONDS * 1000))
    seconds = time.monotonic() - begun
    print(f'# {seconds:.2f} s with {HUNG} of {MEMBERS} members hung, {without:.2f} s without')
    found = {m['serial']: m for m in json.loads(out)['groups'][0]['members']}
    for card, serial in zip(cards, serials):
        expect(f'state of {serial}', found[serial]['state'], 'down' if card in hung else 'alive')
        if card not in hung:
            expect(f'label of {serial}', found[serial]['label'], f'p{card}')
    expect('members that hang are not compared', json.loads(out)['groups'][0]['needs_sync'], False)
    if seconds - without >= HANG_SECONDS:
        raise AssertionError(f'it waited {seconds - without:.2f} s for the hung members')
    # Nor do those whose messages the driver has not given up yet keep the program from ending.
    begun = time.monotonic()
    out = machine.ok('--json', 'hagroup', 'listgroups',
                     LOOPBACK_STUCK=' '.join(serials[cards.index(card)] for card in hung))
    seconds = time.monotonic() - begun
    print(f'# {seconds:.2f} s with {HUNG} of {MEMBERS} members stuck')
    found = {m['serial']: m['state'] for m in json.loads(out)['groups'][0]['members']}
    expect('states', found, {serial: 'down' if card in hung else 'alive'
                             for card, serial in zip(cards, serials)})
    if seconds - without >= STUCK_SECONDS / 2:
        raise AssertionError(f'it waited {seconds - without:.2f} s for the stuck members')
    # Members that differ are looked at again, but not when the first look took its time.
    give_object(machine, cards[0], serials[0])
    begun = time.monotonic()
    out = machine.ok('--json', 'hagroup', 'listgroups', LOOPBACK_HANG=' '.join(map(str, hung)),
                     LOOPBACK_HANG_MS=str(HANG_SECONDS * 1000))
    seconds = time.monotonic() - begun
    print(f'# {seconds:.2f} s where the others differ')
    expect('they differ', json.loads(out)['groups'][0]['needs_sync'], True)
    if seconds - without >= HANG_SECONDS:
        raise AssertionError(f'it waited {seconds - without:.2f} s for the hung members')


def give_object(machine, card, serial):
    """A Crypto Officer and an object, in one partition alone."""
    po, first = machine.secret('po-password-2'), machine.secret('co-initial-3')
    machine.ok('role', 'init', '-serial', serial, '-name', 'co', '--loginpw-file', po,
               '--password-file', first)
    machine.ok('role', 'changepw', '-serial', serial, '-name', 'co', '--oldpw-file', first,
               '--newpw-file', machine.secret('co-password-4'))
    machine.create_object(serial, f'of {card}')


def big_config(serials):
    template = json.loads(pair().config_text())
    group = template['groups'][0]
    member = {k: v for k, v in group['members'][0].items() if k == 'serial'}
    group['members'] = [dict(member, serial=serial) for serial in serials]
    return template


if __name__ == '__main__':
    sys.exit(run_tests([f for n, f in list(globals().items()) if n.startswith('test_')]))
