#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""haadm monitor: what it does for members, and what it tells systemd and the journal."""

import json
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from common import (DEVICE, GROUP, HAADM, NOT_FOUND, OK, PAR0, PAR1, REPO, USAGE, expect,
                    expect_in, pair, refused, run_tests)
from terminal import Terminal

PASSWORD = 'co-password-4'
# Nothing here takes so long but on a machine that has much else to do.
SECONDS = 60


class Service:
    """The monitor as systemd would run it: its messages, and what it writes for the journal."""

    def __init__(self, machine, *words, password=PASSWORD, watchdog_ms=None):
        self.machine = machine
        self.control = os.path.join(machine.dir, 'control')
        if not os.path.exists(self.control):
            os.mkfifo(self.control)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        # The name is taken from the kernel, so it is nobody else's.
        self.socket.bind('')
        name = self.socket.getsockname()[1:].decode()
        self.read_end, write_end = os.pipe()
        os.set_blocking(self.read_end, False)
        status = os.fstat(write_end)
        env = dict(machine.env, NOTIFY_SOCKET='@' + name, LOOPBACK_CONTROL=self.control,
                   JOURNAL_STREAM=f'{status.st_dev}:{status.st_ino}')
        if watchdog_ms:
            env['WATCHDOG_USEC'] = str(watchdog_ms * 1000)
        if password:
            self.directory = os.path.join(machine.dir, 'credentials')
            os.makedirs(self.directory, exist_ok=True)
            self.credential(password)
            env['CREDENTIALS_DIRECTORY'] = self.directory
        self.process = subprocess.Popen([HAADM, 'monitor', *words], env=env, stderr=write_end,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        start_new_session=True, cwd=machine.dir)
        os.close(write_end)
        self.told, self.lines, self.partial = [], [], b''
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.socket, selectors.EVENT_READ, self.take_message)
        self.selector.register(self.read_end, selectors.EVENT_READ, self.take_lines)

    def credential(self, password):
        path = os.path.join(self.directory, 'haadm.password')
        with open(path, 'w', encoding='utf-8', opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(password)

    def take_message(self):
        self.told.append(self.socket.recv(4096).decode())

    def take_lines(self):
        data = os.read(self.read_end, 65536)
        if not data:
            self.selector.unregister(self.read_end)
        *lines, self.partial = (self.partial + data).split(b'\n')
        self.lines += [line.decode() for line in lines]

    def wait(self, what, condition):
        limit = time.monotonic() + SECONDS
        while not condition():
            if time.monotonic() > limit or self.process.poll() is not None:
                raise AssertionError(f'{what}: not within {SECONDS} s, or it ended\n'
                                     f'told: {self.told}\nlines: {self.lines}')
            for key, _ in self.selector.select(0.2):
                key.data()

    def wait_told(self, text):
        self.wait(f'told {text}', lambda: any(text in t for t in self.told))

    def wait_line(self, pattern):
        self.wait(f'line {pattern}', lambda: any(re.search(pattern, t) for t in self.lines))

    def forget(self):
        """What was told so far is not looked at any more."""
        while self.selector.select(0):
            for key, _ in self.selector.select(0):
                key.data()
        self.told.clear()
        self.lines.clear()

    def do(self, *words):
        with open(self.control, 'w', encoding='utf-8') as f:
            f.write(' '.join(words) + '\n')

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        status = self.process.wait(SECONDS)
        self.take_rest()
        return status

    def take_rest(self):
        while any(self.take_ready()):
            pass

    def take_ready(self):
        for key, _ in self.selector.select(0):
            key.data()
            yield True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.selector.close()
        self.socket.close()
        os.close(self.read_end)


# --- systemd ---

def test_start_and_stop():
    for number in (signal.SIGTERM, signal.SIGINT):
        with Service(pair().copy(f'start-{number}')) as service:
            service.wait_told('READY=1')
            service.wait_told('STATUS=1 group, 2 of 2 members alive')
            expect('exit status', service.end(number), OK)
            expect('its last word', service.told[-1], 'STOPPING=1')


def test_watchdog():
    with Service(pair().copy('watchdog'), watchdog_ms=300) as service:
        service.wait_told('READY=1')
        service.forget()
        service.wait('three signs of life', lambda: service.told.count('WATCHDOG=1') >= 3)
        # A stopped process gives none, which is what the watchdog is for.
        service.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, service.process.pid, os.WSTOPPED)
        service.forget()
        time.sleep(0.6)
        expect('of a stopped process', [k for k, _ in service.selector.select(0)], [])
        service.process.send_signal(signal.SIGCONT)
        service.wait_told('WATCHDOG=1')
        expect('exit status', service.end(), OK)


def test_without_systemd():
    machine = pair().copy('plain')
    status, out, err = machine.run('monitor', '-once', '--password-file',
                                   machine.secret(PASSWORD))
    expect(f'exit status ({err})', status, OK)
    expect_in('what it says', out, '1 group, 2 of 2 members alive')
    expect('priorities on a terminal', '<' in err, False)


# --- events ---

def test_member_lost_and_found():
    with Service(pair().copy('lost')) as service:
        service.wait_told('2 of 2 members alive')
        service.forget()
        service.do('pull', '1238700')
        service.wait_line(rf'^<4>PHSM-2001 group 1{PAR0}: member {PAR1} down: ')
        service.wait_told(f'1 of 2 members alive; {PAR1} down')
        service.do('pull', '154438')
        service.wait_line('^<3>PHSM-2005 .*no member is left')
        service.wait_told('0 of 2 members alive')
        service.forget()
        service.do('return', '154438')
        service.do('return', '1238700')
        service.wait_line(rf'^<5>PHSM-2002 .*member {PAR1} alive')
        # In the mode activeBasic the login is over by then: it logs in again.
        service.wait_told('2 of 2 members alive')
        expect('exit status', service.end(), OK)


def test_events_go_to_the_log_too():
    machine = pair().copy('log')
    folder = os.path.join(machine.dir, 'log')
    os.mkdir(folder)
    # As an installation makes it: what is in it belongs to its group, whoever makes it.
    os.chmod(folder, 0o2770)
    machine.ok('hagroup', 'halog', '-path', folder)
    machine.ok('hagroup', 'halog', '-enable')
    with Service(machine) as service:
        service.wait_told('2 of 2 members alive')
        service.do('pull', '1238700')
        service.wait_line('PHSM-2001')
        expect('exit status', service.end(), OK)
    with open(os.path.join(folder, 'haErrorLog.txt'), encoding='utf-8') as f:
        expect_in('the HA log', f.read(), f'PHSM-2001 group 1{PAR0}: member {PAR1} down')
        expect('what its group may do', os.fstat(f.fileno()).st_mode & 0o070, 0o060)


# --- recovery ---

def test_brings_members_up_to_date():
    machine = pair().copy('recover')
    machine.create_object(PAR0, 'made past the group')
    check = ('hagroup', 'check', '-group', GROUP, '--password-file', machine.secret(PASSWORD))
    expect('before', machine.run(*check)[0], 1)
    with Service(machine) as service:
        service.wait_told('2 of 2 members alive')
        expect('exit status', service.end(), OK)
    machine.ok(*check)


def test_without_a_password_it_only_watches():
    machine = pair().copy('watch')
    machine.create_object(PAR0, 'made past the group')
    with Service(machine, password=None) as service:
        service.wait_told('READY=1')
        service.wait_line('<6>.*there is no password')
        service.wait_told('syncing')
        expect('exit status', service.end(), OK)
    check = ('hagroup', 'check', '-group', GROUP, '--password-file', machine.secret(PASSWORD))
    expect('afterwards', machine.run(*check)[0], 1)


def dashboard_expressions(part):
    """What a Grafana dashboard asks Prometheus for."""
    if isinstance(part, list):
        return [e for one in part for e in dashboard_expressions(one)]
    if not isinstance(part, dict):
        return []
    found = [part[k] for k in ('expr', 'query') if isinstance(part.get(k), str)
             and 'pciehsm' in part[k]]
    return found + dashboard_expressions(list(part.values()))


def check_dashboard(metrics):
    """It shows all that is exported and nothing else, by labels that there are."""
    with open(os.path.join(REPO, 'packaging', 'grafana', 'pciehsm-ha.json'),
              encoding='utf-8') as f:
        dashboard = json.load(f)
    expressions = dashboard_expressions(dashboard)
    exported = dict(re.findall(r'^(\w+)\{([^}]*)\} ', metrics, re.M))
    expect('names', sorted(set(re.findall(r'pciehsm_\w+', ' '.join(expressions)))),
           sorted(exported))
    for expression in expressions:
        used = {label for text in re.findall(r'by \(([^)]*)\)|, (\w+)\)$', expression)
                for label in re.findall(r'\w+', ' '.join(text))}
        used |= set(re.findall(r'(\w+)=~', expression))
        for name in re.findall(r'pciehsm_\w+', expression):
            missing = used - set(re.findall(r'(\w+)="', exported[name]))
            expect(f'labels that {name} lacks in {expression}', missing, set())
            counter = f'# TYPE {name} counter\n' in metrics
            over_time = bool(re.search(r'(rate|increase)\(' + name, expression))
            expect(f'{name} is a counter, and used as one', over_time, counter)
    ids = [panel['id'] for panel in dashboard['panels']]
    expect('panels with a number of their own', len(set(ids)), len(ids))


def test_metrics_and_the_dashboard():
    machine = pair().copy('metrics')
    folder = os.path.join(machine.dir, 'metrics')
    os.mkdir(folder)
    with open(machine.config, encoding='utf-8') as f:
        text = f.read()
    with open(machine.config, 'w', encoding='utf-8') as f:
        f.write(text.replace('{', f'{{ "metrics": {{ "path": "{folder}", "interval": 5 }},', 1))

    found = ''

    def alive():
        nonlocal found
        found = ''
        for name in os.listdir(folder):
            if name.endswith('.prom'):
                with open(os.path.join(folder, name), encoding='utf-8') as f:
                    found += f.read()
        return re.search(r'pciehsm_ha_group_alive\{[^}]*\} 2\n', found)
    with Service(machine) as service:
        service.wait('metrics of two members', alive)
        expect('exit status', service.end(), OK)
    expect('metrics of a process that has ended', os.listdir(folder), [])
    check_dashboard(found)


# --- passwords and the configuration ---

def test_nothing_is_an_answer():
    machine = pair().copy('nothing')
    with Terminal([HAADM, 'monitor', '-once'], env=machine.env) as terminal:
        terminal.wait_for('or nothing to watch alone: ')
        terminal.type('')
        shown = terminal.finish()
        expect(f'exit status ({shown})', terminal.status, OK)
    # An empty file is a mistake.
    refused(machine, USAGE, 'monitor', '-once', '--password-file', machine.secret(''),
            says=['is empty'])


def test_wrong_password_is_tried_once():
    machine = pair().copy('wrong')
    machine.create_object(PAR0, 'made past the group')
    with Service(machine, password='not-the-password') as service:
        service.wait_line('<3>.*the password is wrong, 9 attempts are left')
        service.wait_told('READY=1')
        service.wait_told('syncing')
        service.forget()
        # Several looks later it has not been tried again.
        service.wait('looks', lambda: service.told.count('WATCHDOG=1') >= 6)
        expect('complaints', [t for t in service.lines if 'password' in t], [])
        service.credential(PASSWORD)
        service.process.send_signal(signal.SIGHUP)
        service.wait_told('RELOADING=1\nMONOTONIC_USEC=')
        service.wait_told('READY=1')
        service.wait_told('2 of 2 members alive')
        expect('exit status', service.end(), OK)
    shown = machine.ok('--json', 'role', 'show', '-slot', '0', '-name', 'co')
    expect_in('attempts', shown, '"attempts":10')


def test_configuration_is_followed():
    machine = pair().copy('config')
    password = machine.secret(PASSWORD)
    with open(machine.config, encoding='utf-8') as f:
        whole = f.read()
    machine.ok('hagroup', 'removemember', '-group', GROUP, '-serial', PAR1)
    with open(machine.config, encoding='utf-8') as f:
        less = f.read()

    def replace(text):
        with open(machine.config + '.new', 'w', encoding='utf-8') as f:
            f.write(text)
        os.rename(machine.config + '.new', machine.config)
    with Service(machine) as service:
        service.wait_told('1 group, 1 of 1 members alive')
        replace(whole)
        service.wait_told('1 group, 2 of 2 members alive')
        service.forget()
        replace('{')
        service.wait_line('^<4>PHSM-1101 ')
        replace(less)
        service.wait_told('1 group, 1 of 1 members alive')
        expect('exit status', service.end(), OK)
    refused(machine, NOT_FOUND, 'monitor', '-group', 'other', '-once', '--password-file', password)


def test_challenge_that_is_not_activated():
    """The cards of another process have been switched off in between."""
    machine = pair().copy('challenge')
    po, co = map(machine.secret, ('po-password-2', PASSWORD))
    challenge = 'a challenge'
    for serial in (PAR0, PAR1):
        machine.ok('partition', 'changepolicy', '-serial', serial, '-policy', '22', '-value', '1',
                   '--password-file', po)
        machine.ok('role', 'createchallenge', '-serial', serial, '-name', 'co',
                   '--password-file', co, '--challenge-file', machine.secret(challenge))
        machine.ok('role', 'login', '-serial', serial, '-name', 'co', '--password-file', co)
    with Service(machine, password=challenge) as service:
        service.wait_line('^<4>.*not activated on any member')
        expect('exit status', service.end(), OK)
        expect('said once', sum('not activated' in line for line in service.lines), 1)
    for serial in (PAR0, PAR1):
        expect_in('attempts', machine.ok('role', 'show', '-serial', serial, '-name', 'co'),
                  '10 of 10 attempts left')
    # Where activation outlives that, it does its work.
    for serial in (PAR0, PAR1):
        machine.ok('partition', 'changepolicy', '-serial', serial, '-policy', '23', '-value', '1',
                   '--password-file', po)
        machine.ok('role', 'login', '-serial', serial, '-name', 'co', '--password-file', co)
    with Service(machine, password=challenge) as service:
        service.wait_told('1 group, 2 of 2 members alive')
        expect('exit status', service.end(), OK)
        expect('nothing is refused', [t for t in service.lines if 'activated' in t], [])


def test_without_a_driver():
    machine = pair().copy('driver')
    env = {'LOOPBACK_CARDS': 'none'}
    out = machine.ok('monitor', '-once', '--password-file', machine.secret(PASSWORD), **env)
    expect_in('what it says', out, f'0 of 2 members alive; {PAR0} down; {PAR1} down')
    expect('a command', machine.run('slot', 'list', **env)[0], DEVICE)


if __name__ == '__main__':
    sys.exit(run_tests([f for n, f in list(globals().items()) if n.startswith('test_')]))
