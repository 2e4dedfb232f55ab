# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU without a processor: its memory, ports and clock in the hands of a test.

The qtest protocol replaces the guest: the test reads and writes memory and I/O ports
as a driver would, one access at a time, and moves the virtual clock itself.
"""

import json
import os
import re
import selectors
import shutil
import socket
import subprocess
import tempfile
import time

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RAM = 256 << 20
# Above RAM and below the devices: nothing is there.
NOWHERE = 0x7000_0000
SECONDS = 60
# What AddressSanitizer says about QEMU's coroutines, in a QEMU built with it
NOTES = re.compile(r'.*(WARNING: ASan |False positive error reports|google/sanitizers).*\n?')


class Broken(AssertionError):
    """QEMU did not answer, or did not live through it."""


def binary():
    """The QEMU to test: that of the environment, or the one that the tree builds."""
    if 'PCIEHSM_QEMU' in os.environ:
        return os.environ['PCIEHSM_QEMU']
    return subprocess.run([os.path.join(REPO, 'qemu-device', 'build-qemu')], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()


class Line:
    """A socket that QEMU connects to, in lines."""

    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(1)
        self.socket = None
        self.buffer = b''

    def accept(self, process):
        with selectors.DefaultSelector() as selector:
            selector.register(self.listener, selectors.EVENT_READ)
            limit = time.monotonic() + SECONDS
            while not selector.select(0.1):
                if process.poll() is not None or time.monotonic() > limit:
                    return False
        self.socket, _ = self.listener.accept()
        self.socket.settimeout(SECONDS)
        return True

    def send(self, text):
        try:
            self.socket.sendall(text.encode() + b'\n')
        except OSError as e:
            raise Broken(f'QEMU has gone: {e}') from e

    def receive(self):
        while b'\n' not in self.buffer:
            try:
                data = self.socket.recv(1 << 20)
            except OSError as e:
                raise Broken(f'QEMU does not answer: {e}') from e
            if not data:
                raise Broken('QEMU has gone')
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b'\n')
        return line.decode()

    def close(self):
        for s in (self.socket, self.listener):
            if s:
                s.close()


class Machine:
    """A QEMU with the given -device options, as a context manager.

    fails=True: QEMU is expected to refuse; .error is what it said.
    incoming=True: it waits for the state of another one.
    """

    def __init__(self, *devices, fails=False, objects=(), incoming=False):
        self.folder = tempfile.mkdtemp(prefix='pciehsm-device-')
        self.fails = fails
        self.error = ''
        self.forgiven = ''
        self.events = []
        self.devices = devices
        self.objects = objects
        self.incoming = incoming
        self.process = self.qtest = self.qmp = None

    def path(self, name):
        return os.path.join(self.folder, name)

    def __enter__(self):
        self.qtest = Line(self.path('qtest'))
        self.qmp = Line(self.path('qmp'))
        for name in ('bios-256k.bin', 'kvmvapic.bin'):
            with open(self.path(name), 'wb') as f:
                f.truncate(65536)       # needed, though no processor runs it
        argv = [binary(), '-machine', 'q35', '-accel', 'qtest', '-m', f'{RAM >> 20}M',
                # Else slots are the business of ACPI, not of the ports
                '-global', 'ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off',
                '-L', self.folder, '-nodefaults', '-display', 'none', '-no-user-config',
                '-qtest', f'unix:{self.path("qtest")}', '-qtest-log', '/dev/null',
                '-qmp', f'unix:{self.path("qmp")}']
        for words in ('iothread,id=thread0', *self.objects):
            argv += ['-object', words]
        for words in self.devices:
            argv += ['-device', words.replace('STORE/', self.folder + '/')]
        if self.incoming:
            argv += ['-incoming', 'defer']
        with open(self.path('stderr'), 'w', encoding='utf-8') as stderr:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                                            stdout=stderr, stderr=stderr)
        try:
            if self.fails:
                self.process.wait(SECONDS)
                self.error = self.stderr()
                if self.process.returncode != 1:
                    raise Broken(f'QEMU ended with {self.process.returncode}: {self.error}')
                return self
            if not self.qtest.accept(self.process) or not self.qmp.accept(self.process):
                raise Broken(f'QEMU did not start: {self.stderr()}')
            self.receive_qmp('QMP')
            self.command('qmp_capabilities')
            return self
        except BaseException:
            self.clean()
            raise

    def stderr(self):
        with open(self.path('stderr'), encoding='utf-8', errors='replace') as f:
            return NOTES.sub('', f.read())

    def forgive(self):
        """What QEMU has said until now was expected."""
        self.forgiven = self.stderr()

    def clean(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.qtest.close()
        self.qmp.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def quit(self):
        """End QEMU as a user does; it must neither crash nor complain."""
        self.qmp.send('{"execute": "quit"}')
        try:
            self.process.wait(SECONDS)
        except subprocess.TimeoutExpired as e:
            raise Broken('QEMU does not end') from e
        if self.process.returncode or self.stderr() != self.forgiven:
            raise Broken(f'QEMU ended with {self.process.returncode}: {self.stderr()}')

    def __exit__(self, kind, value, trace):
        try:
            if kind is None and not self.fails:
                self.quit()
            elif kind is not None and self.process.poll() is not None:
                value.args = (f'{value} (QEMU ended with {self.process.returncode}: '
                              f'{self.stderr()})',)
        finally:
            self.clean()

    # --- the bus ---

    def ask(self, text):
        self.qtest.send(text)
        answer = self.qtest.receive().split(' ', 1)
        if answer[0] != 'OK':
            raise Broken(f'qtest: {text[:60]}: {" ".join(answer)}')
        return answer[1] if len(answer) > 1 else ''

    def read(self, address, size):
        """Read one register: an access of 1, 2, 4 or 8 bytes."""
        return int(self.ask(f'read{"bwlq"[size.bit_length() - 1]} 0x{address:x}'), 16)

    def write(self, address, size, value):
        self.ask(f'write{"bwlq"[size.bit_length() - 1]} 0x{address:x} 0x{value:x}')

    def load(self, address, size):
        """Read memory."""
        return bytes.fromhex(self.ask(f'read 0x{address:x} 0x{size:x}')[2:])

    def store(self, address, data):
        self.ask(f'write 0x{address:x} 0x{len(data):x} 0x{data.hex()}')

    def clock_step(self, milliseconds):
        self.ask(f'clock_step {int(milliseconds * 1000000)}')

    def outl(self, port, value):
        self.ask(f'outl 0x{port:x} 0x{value:x}')

    # --- the monitor ---

    def receive_qmp(self, *wanted):
        while True:
            answer = json.loads(self.qmp.receive())
            if 'event' in answer:
                self.events.append(answer['event'])
            if any(key in answer for key in wanted):
                return answer

    def command(self, name, **arguments):
        self.qmp.send(json.dumps({'execute': name, 'arguments': arguments}))
        answer = self.receive_qmp('return', 'error')
        if 'error' in answer:
            raise Broken(f'{name}: {answer["error"]["desc"]}')
        return answer['return']

    def human(self, text):
        return self.command('human-monitor-command', **{'command-line': text})

    def set(self, card, name, value):
        self.command('qom-set', path=f'/machine/peripheral/{card}', property=name, value=value)

    def get(self, card, name):
        return self.command('qom-get', path=f'/machine/peripheral/{card}', property=name)

    def until(self, what, condition, seconds=SECONDS):
        """Ask until the condition holds: engines work in threads of their own."""
        limit = time.monotonic() + seconds
        while True:
            result = condition()
            if result:
                return result
            if time.monotonic() > limit:
                raise Broken(f'{what}: not within {seconds} s')
            time.sleep(0.001)
