# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest with pciehsm cards: QEMU, its sockets, and the requests of its vmctl.

One thread, one event loop: Machine.pump() moves bytes until a condition holds. A
request of the guest is answered within that loop, which therefore may be entered
again from a request that waits for an event of QEMU.
"""

import glob
import json
import os
import re
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import boot
from boot import Failure, REPO, HERE

MEMORY = '2G'
CPUS = 2
# Empty in the guest: what the host keeps there is not the guest's.
HIDDEN = ('/tmp', '/var/lib', '/root')
KEPT_RUNS = 10
QMP_SECONDS = 30
# The guest's hot-plug driver waits 5 s after the attention button before it acts.
UNPLUG_SECONDS = 60
POWER_OFF_SECONDS = 30

# Serial and first partition number of the cards, those of the procedure first.
DEFAULT_CARDS = ((154438, 865287), (1238700, 701509))

KERNEL_TROUBLE = re.compile(
    r'WARNING: |BUG: |Oops: |Oops:$|kernel BUG at|Kernel panic|general protection fault|'
    r'Unable to handle kernel|UBSAN: |KASAN: |KFENCE: |kmemleak: |refcount_t: |'
    r'INFO: task .* blocked|INFO: possible |rcu: INFO: |soft lockup|hard LOCKUP|'
    r'possible circular locking|inconsistent lock state|sleeping function called|'
    r'scheduling while atomic|DMA-API: |---\[ end ')


class Card:
    """One emulated card: its id, and its -device properties as (name, value)."""

    def __init__(self, number, spec):
        self.id = f'card{number}'
        self.bus = f'rp{number}'
        serial, base = DEFAULT_CARDS[number] if number < len(DEFAULT_CARDS) else \
            (2000000 + number, 100001 + 1000 * number)
        self.properties = {'serial': str(serial), 'partition-base': str(base)}
        for word in filter(None, spec.split(',')):
            name, equals, value = word.partition('=')
            if not equals:
                raise Failure(f'card {number}: {word!r} is not NAME=VALUE')
            self.properties[name] = value

    def option(self):
        words = [f'{k}={v.replace(",", ",,")}' for k, v in self.properties.items()]
        return ','.join(['pciehsm', *words, f'id={self.id}', f'bus={self.bus}'])


class Qmp:
    """QEMU's monitor: commands and their answers; events are kept until asked for."""

    def __init__(self, machine, sock):
        self.machine = machine
        self.sock = sock
        self.pending = b''
        self.answers = []
        self.events = []

    def readable(self):
        data = self.sock.recv(65536)
        if not data:
            return False
        self.pending += data
        *lines, self.pending = self.pending.split(b'\n')
        for line in filter(None, (part.strip() for part in lines)):
            message = json.loads(line)
            if 'event' in message:
                self.events.append(message)
            elif 'return' in message or 'error' in message:
                self.answers.append(message)
        return True

    def execute(self, command, arguments=None):
        """Return what the command returns; Failure with QEMU's text if it fails."""
        message = {'execute': command}
        if arguments:
            message['arguments'] = arguments
        self.sock.sendall(json.dumps(message).encode() + b'\n')
        if not self.machine.pump(lambda: self.answers, QMP_SECONDS):
            raise Failure(f'{command}: QEMU does not answer')
        answer = self.answers.pop(0)
        if 'error' in answer:
            raise Failure(answer['error']['desc'])
        return answer['return']

    def human(self, line):
        return self.execute('human-monitor-command', {'command-line': line})

    def wait_event(self, name, data, seconds):
        """Wait for an event whose data contains 'data'; take and return it."""
        def matching():
            return next((e for e in self.events if e['event'] == name and
                         all(e.get('data', {}).get(k) == v for k, v in data.items())), None)
        if not self.machine.pump(matching, seconds):
            raise Failure(f'no event {name} {data} within {seconds} s')
        event = matching()
        self.events.remove(event)
        return event


class Machine:
    """A guest from the start of QEMU to its end; use as a context manager.

    qemu -- path of the binary
    kernel -- boot.Kernel
    cards -- list of Card
    command -- argument vector to run in the guest
    terminal -- file descriptor of a terminal for the command, or None: its output
                then goes to 'out'
    out -- file descriptor
    """

    def __init__(self, qemu, kernel, cards, command, *, terminal=None, out=1, keep=(),
                 workdir=REPO, environment=(), run_dir=None, memory=MEMORY, cpus=CPUS,
                 append='', qemu_options=(), icount=False):
        self.qemu, self.kernel, self.cards = qemu, kernel, cards
        self.command, self.terminal, self.out = command, terminal, out
        self.keep = [REPO, boot.CACHE, *keep]
        self.workdir, self.environment = workdir, environment
        self.memory, self.cpus, self.append = memory, cpus, append
        self.qemu_options = qemu_options
        self.icount = icount
        self.given_run_dir = run_dir
        self.run_dir = None
        self.process = None
        self.qmp = None
        self.exit_status = None
        self.booted = None
        self.started = None
        self.deadline = None
        self.selector = selectors.DefaultSelector()
        self.sockets = {}
        self.input = b''
        self.resized = True

    # --- start and end ---

    def __enter__(self):
        if self.given_run_dir:
            self.run_dir = os.path.abspath(self.given_run_dir)
            os.makedirs(self.run_dir, exist_ok=True)
        else:
            parent = os.path.join(REPO, 'build', 'vm')
            os.makedirs(parent, exist_ok=True)
            self.run_dir = tempfile.mkdtemp(prefix='run-', dir=parent)
        try:
            self.start()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, *_):
        self.kill()
        for name in list(self.sockets):
            self.close(name)
        self.selector.close()

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def path(self, name):
        return os.path.join(self.run_dir, name)

    def forget_run(self):
        """Remove the run directory unless the caller named it."""
        if not self.given_run_dir:
            shutil.rmtree(self.run_dir, ignore_errors=True)

    def keep_run(self):
        """Keep this run's directory for inspection, and only the newest few of them."""
        if not self.given_run_dir:
            runs = glob.glob(os.path.join(os.path.dirname(self.run_dir), 'run-*'))
            runs.sort(key=os.path.getmtime, reverse=True)
            for old in runs[KEPT_RUNS:]:
                shutil.rmtree(old, ignore_errors=True)

    def prepare_share(self):
        """The directory that the guest sees as /run/vm/host: init, what to run and how."""
        share = self.path('share')
        os.makedirs(share, exist_ok=True)
        shutil.copy(os.path.join(HERE, 'guest-init'), os.path.join(share, 'init'))
        size = os.get_terminal_size(self.terminal) if self.terminal is not None else (80, 24)
        folders = [os.path.abspath(f) for f in self.keep]
        keep = [f for f in dict.fromkeys(folders) if os.path.isdir(f)
                and any(os.path.commonpath((f, h)) == h for h in HIDDEN)]
        def quoted(words):
            return ' '.join(shlex.quote(w) for w in words)
        config = {
            'repo': shlex.quote(REPO),
            'modules': shlex.quote(self.kernel.modules or ''),
            'mode': 'command' if self.terminal is None else 'terminal',
            'workdir': shlex.quote(self.workdir),
            'rows': size[1], 'columns': size[0],
            'term': shlex.quote(os.environ.get('TERM', 'linux')),
            'hidden': shlex.quote(quoted(HIDDEN)),
            'keep': shlex.quote(quoted(keep)),
        }
        with open(os.path.join(share, 'config'), 'w', encoding='utf-8') as f:
            f.write(''.join(f'{k}={v}\n' for k, v in config.items()))
        command = os.path.join(share, 'command')
        with open(command, 'w', encoding='utf-8') as f:
            f.write('#!/bin/bash\n')
            f.write(''.join(f'export {k}={shlex.quote(v)}\n' for k, v in self.environment))
            f.write(f'exec {quoted(self.command)}\n')
        os.chmod(command, 0o755)
        return share

    def socket_to_qemu(self, name, callback):
        """A socket pair: our end under 'name', the other end for QEMU to inherit."""
        ours, theirs = socket.socketpair()
        self.sockets[name] = ours
        self.selector.register(ours, selectors.EVENT_READ, (name, callback))
        return theirs

    def close(self, name):
        sock = self.sockets.pop(name, None)
        if sock:
            self.selector.unregister(sock)
            sock.close()

    def arguments(self, accel, ends):
        for card in self.cards:
            card.properties.setdefault('store', self.path(f'{card.id}.store'))
        append = ['console=ttyS0', 'loglevel=5', 'panic=-1', 'mitigations=off', 'audit=0',
                  'cryptomgr.notests', 'random.trust_cpu=on', 'rcupdate.rcu_cpu_stall_timeout=120',
                  'watchdog_thresh=60']
        # Emulated timers cost a trap for each reading of the clock; the processor's
        # counter does not, and the emulator keeps it the same on all processors.
        if accel == 'tcg':
            # A busy machine may bring no tick in the time that the kernel tries the timer for.
            append += ['tsc=reliable', 'clocksource=tsc', 'no_timer_check']
            # What the kernel finds out about its speed is wrong by any factor on a busy
            # machine, and time with it. With icount it counts nanoseconds.
            khz = 1000000 if self.icount else boot.counter_khz()
            append.append(f'tsc_early_khz={khz}')
        append += shlex.split(self.append)
        words = [
            self.qemu, *boot.firmware_options(), '-nodefaults', '-no-user-config', '-no-reboot',
            '-display', 'none', '-name', 'pciehsm-guest,debug-threads=on', '-machine', 'q35,vmport=off',
            # Root ports with their own (native) hot-plug, not ACPI's.
            '-global', 'ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off',
            '-accel', f'tcg,thread={"single" if self.icount else "multi"}'
                      if accel == 'tcg' else 'kvm',
            # Emulated, string instructions take a step for each byte or word. So a kernel
            # that thinks them fast bytewise moves memory eight times slower than it can.
            '-cpu', 'max,-erms,-fsrm' if accel == 'tcg' else 'max',
            '-smp', str(self.cpus), '-m', self.memory,
            '-kernel', self.kernel.image, '-initrd', boot.initramfs(self.kernel),
            '-append', ' '.join(append),
            '-serial', 'file:console.log',
            '-chardev', f'socket,id=monitor,fd={ends["qmp"].fileno()}',
            '-mon', 'chardev=monitor,mode=control',
            '-qmp', 'unix:qmp.sock,server=on,wait=off',
            '-fsdev', 'local,id=root,path=/,security_model=none,readonly=on,multidevs=remap',
            '-device', 'virtio-9p-pci,fsdev=root,mount_tag=root',
            '-fsdev', 'local,id=share,path=share,security_model=none',
            '-device', 'virtio-9p-pci,fsdev=share,mount_tag=share',
            '-device', 'virtio-rng-pci',
            '-device', 'virtio-serial-pci,max_ports=8',
        ]
        if self.icount:
            words += ['-icount', 'shift=0,sleep=on']
        for number, name in enumerate(('ctl', 'size', 'out'), 1):
            if name in ends:
                words += ['-chardev', f'socket,id={name},fd={ends[name].fileno()}', '-device',
                          f'virtserialport,nr={number},chardev={name},name=pciehsm.{name}']
        if 'tty' in ends:
            words += ['-chardev', f'socket,id=tty,fd={ends["tty"].fileno()}',
                      '-device', 'virtconsole,nr=4,chardev=tty']
        for number, card in enumerate(self.cards):
            words += ['-device', f'pcie-root-port,id={card.bus},chassis={number + 1},'
                                 f'slot={number + 1},bus=pcie.0',
                      '-device', card.option()]
        return words + list(self.qemu_options)

    def start(self):
        # Only what is emulated can be counted.
        accel = 'tcg' if self.icount else boot.accelerator(self.qemu, self.kernel)
        self.prepare_share()
        ends = {'qmp': self.socket_to_qemu('qmp', self.read_qmp),
                'ctl': self.socket_to_qemu('ctl', self.read_request)}
        if self.terminal is None:
            ends['out'] = self.socket_to_qemu('out', self.read_out)
        else:
            ends['tty'] = self.socket_to_qemu('tty', self.read_out)
            ends['size'] = self.socket_to_qemu('size', lambda: bool(
                self.sockets['size'].recv(4096)))
        self.qmp = Qmp(self, self.sockets['qmp'])
        words = self.arguments(accel, ends)
        with open(self.path('qemu.cmdline'), 'w', encoding='utf-8') as f:
            f.write(shlex.join(words) + '\n')
        self.started = time.monotonic()
        with open(self.path('qemu.log'), 'wb') as log:
            # A session of its own: a terminal's Ctrl-C is for us to act upon.
            self.process = subprocess.Popen(
                words, cwd=self.run_dir, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                pass_fds=[s.fileno() for s in ends.values()], start_new_session=True,
                preexec_fn=boot.die_with_parent)
        for end in ends.values():
            end.close()
        boot.say(f'booting {self.kernel.release} on {accel.upper()} with '
                 f'{len(self.cards)} card(s) ...')
        try:
            self.qmp.execute('qmp_capabilities')
        except (Failure, ConnectionError) as e:
            self.kill()
            raise Failure(f'QEMU does not start:\n{self.qemu_messages().strip()}') from e

    # --- the event loop ---

    def pump(self, condition, seconds):
        """Move bytes until condition() is true; False if that takes too long or QEMU ends."""
        limit = time.monotonic() + seconds
        if self.deadline is not None:
            limit = min(limit, self.deadline)
        while not condition():
            left = limit - time.monotonic()
            if left <= 0 or not self.sockets:
                return False
            for key, _ in self.selector.select(min(left, 1)):
                name, callback = key.data
                # A callback may have closed what this round still lists.
                if name == 'stdin' or self.sockets.get(name) is key.fileobj:
                    try:
                        going_on = callback()
                    except ConnectionError:
                        going_on = False
                    if not going_on:
                        self.close(name)
            if 'size' in self.sockets and self.resized:
                self.send_size()
        return True

    def read_qmp(self):
        return self.qmp.readable()

    def read_out(self):
        sock = self.sockets['out' if self.terminal is None else 'tty']
        data = sock.recv(65536)
        while data:
            written = os.write(self.out, data)
            data = data[written:]
            if not data:
                return True
        return False

    def read_request(self):
        data = self.sockets['ctl'].recv(65536)
        if not data:
            return False
        self.input += data
        while b'\n' in self.input:
            line, self.input = self.input.split(b'\n', 1)
            words = line.decode(errors='replace').split('\x1f')[:-1]
            try:
                status, text = 0, self.answer(words)
            except Failure as e:
                status, text = 1, f'vmctl: {e}\n'
            encoded = text.encode()
            self.sockets['ctl'].sendall(b'%d %d\n' % (status, len(encoded)) + encoded)
        return True

    def send_size(self):
        """Tell the guest the size of the terminal."""
        self.resized = False
        columns, rows = os.get_terminal_size(self.terminal)
        self.sockets['size'].sendall(b'%d %d\n' % (rows, columns))

    def forward_input(self, descriptor, escape):
        """Send what is typed to the guest's terminal, until the escape character."""
        def readable():
            data = os.read(descriptor, 4096)
            if escape in data or not data:
                raise Failure('ended from the keyboard')
            self.sockets['tty'].sendall(data)
            return True
        self.selector.register(descriptor, selectors.EVENT_READ, ('stdin', readable))
        signal.signal(signal.SIGWINCH, lambda *_: setattr(self, 'resized', True))

    # --- requests of the guest ---

    def answer(self, words):
        """Do what vmctl asks for; return the text to print, or raise Failure."""
        verb, *rest = words or ['help']
        method = getattr(self, 'request_' + verb, None)
        if not method:
            raise Failure(f'unknown request {verb!r}; see vmctl help')
        try:
            return method(*rest)
        except TypeError as e:
            raise Failure(f'{verb}: wrong arguments ({e}); see vmctl help') from e

    @staticmethod
    def request_help():
        """what can be asked"""
        lines = ['vmctl pull CARD\n        takes a card out at once, with nobody told\n'
                 'vmctl remove CARD\n        takes a card out when the driver has let go of it\n'
                 'vmctl add CARD\n        plugs a card back in; CARD is an id or a serial\n']
        for name in sorted(vars(Machine)):
            if name.startswith('request_'):
                usage, colon, what = getattr(Machine, name).__doc__.partition(': ')
                if not colon:
                    usage, what = '', usage
                lines.append(f'vmctl {name[8:]} {usage}'.rstrip() + f'\n        {what}\n')
        return ''.join(lines)

    def request_booted(self):
        """the guest has reached its command (for guest-init)"""
        self.booted = time.monotonic() - self.started
        return ''

    def request_exit(self, status):
        """STATUS: the command has ended (for guest-init)"""
        self.exit_status = int(status)
        return ''

    def request_cut(self, status):
        """STATUS: cuts the power: QEMU is killed; STATUS is what the run ends with"""
        self.exit_status = int(status)
        self.kill()
        return ''

    def request_qmp(self, command, *arguments):
        """COMMAND [NAME=VALUE...] | JSON: a QMP command; prints what it returns"""
        if command.startswith('{'):
            try:
                message = json.loads(command)
                command, given = message['execute'], message.get('arguments', {})
            except (ValueError, KeyError) as e:
                raise Failure(f'not a QMP command: {command}') from e
        else:
            given = {}
            for word in arguments:
                name, equals, value = word.partition('=')
                if not equals:
                    raise Failure(f'{word!r} is not NAME=VALUE')
                try:
                    given[name] = json.loads(value)
                except ValueError:
                    given[name] = value
        return json.dumps(self.qmp.execute(command, given)) + '\n'

    def request_hmp(self, *words):
        """LINE: a line for QEMU's human monitor; prints its answer"""
        return self.qmp.human(' '.join(words)).replace('\r', '')

    def request_icount(self):
        """instructions that the guest has executed, if it was started with --icount"""
        return f'{self.qmp.execute("query-replay")["icount"]}\n'

    def request_event(self, name, seconds, *matches):
        """NAME SECONDS [FIELD=VALUE...]: waits for an event of QEMU, past ones included"""
        data = dict(word.partition('=')[::2] for word in matches)
        return json.dumps(self.qmp.wait_event(name, data, float(seconds))) + '\n'

    def card(self, name):
        for card in self.cards:
            if name in (card.id, card.properties.get('serial')):
                return card
        raise Failure(f'no card {name!r}; see vmctl cards')

    def is_present(self, card):
        return any(e['name'] == card.id for e in
                   self.qmp.execute('qom-list', {'path': '/machine/peripheral'}))

    def request_cards(self):
        """the cards, with id, root port, whether present, properties"""
        return ''.join(f'{card.id} {card.bus} '
                       f'{"present" if self.is_present(card) else "absent"} '
                       f'{" ".join(f"{k}={v}" for k, v in card.properties.items())}\n'
                       for card in self.cards)

    def request_slot(self, name):
        """CARD: the number of the slot that the card is in, or was"""
        return f'{self.cards.index(self.card(name)) + 1}\n'

    def request_unplug(self, name):
        """CARD: asks the guest's kernel to let go of a card; the first half of remove"""
        card = self.card(name)
        self.qmp.execute('device_del', {'id': card.id})
        return ''

    def request_gone(self, name):
        """CARD: waits until a card is out; the second half of remove"""
        card = self.card(name)
        limit = time.monotonic() + UNPLUG_SECONDS
        while self.is_present(card):
            # Any event may be the one that tells of it, or of another card's end.
            seen = len(self.qmp.events)
            self.pump(lambda: len(self.qmp.events) > seen, limit - time.monotonic())
            if time.monotonic() >= limit:
                raise Failure(f'{card.id} is still there after {UNPLUG_SECONDS} s')
        return ''

    def request_plug(self, name):
        """CARD: plugs a card that was taken out back in, with the same store"""
        text = self.qmp.human('device_add ' + self.card(name).option()).strip()
        if text:
            raise Failure(text)
        return ''

    def request_facts(self):
        """what the host knows, as JSON (run directory, stores, memory of QEMU)"""
        stores = {}
        for card in self.cards:
            path = os.path.join(self.run_dir, card.properties['store'])
            stores[card.id] = os.stat(path).st_size if os.path.exists(path) else None
        with open(f'/proc/{self.process.pid}/status', encoding='utf-8') as f:
            resident = int(re.search(r'^VmRSS:\s+(\d+)', f.read(), re.M)[1]) * 1024
        return json.dumps({'run_dir': self.run_dir, 'qemu_pid': self.process.pid,
                           'qemu_resident_bytes': resident, 'store_bytes': stores,
                           'uptime_seconds': time.monotonic() - self.started}) + '\n'

    def request_usage(self):
        """processor seconds of each of QEMU's threads, as JSON"""
        used = {}
        for number in os.listdir(f'/proc/{self.process.pid}/task'):
            try:
                with open(f'/proc/{self.process.pid}/task/{number}/schedstat',
                          encoding='utf-8') as f:
                    seconds = int(f.read().split()[0]) / 1e9
                with open(f'/proc/{self.process.pid}/task/{number}/comm', encoding='utf-8') as f:
                    used[f'{f.read().strip()} {number}'] = seconds
            except OSError:
                continue            # it has ended
        return json.dumps(used) + '\n'

    # --- running to the end ---

    def run(self, seconds):
        """Run until the guest has powered off.

        Returns the command's exit status, or None when the time was up or the guest
        ended without reporting one.
        """
        self.deadline = time.monotonic() + seconds
        self.pump(lambda: self.exit_status is not None, seconds)
        if self.exit_status is None:
            return None
        self.pump(lambda: False, POWER_OFF_SECONDS)
        return self.exit_status

    def timed_out(self):
        return self.deadline is not None and time.monotonic() >= self.deadline

    def qemu_died(self):
        """Of which signal QEMU died by itself, as a sentence; else None."""
        status = self.process.poll()
        return None if status is None or status >= 0 else \
            f'QEMU died of {signal.Signals(-status).name}'

    def console(self):
        try:
            with open(self.path('console.log'), encoding='utf-8', errors='replace') as f:
                return f.read().replace('\r', '')
        except OSError:
            return ''

    def qemu_messages(self):
        with open(self.path('qemu.log'), encoding='utf-8', errors='replace') as f:
            return f.read()

    def kernel_trouble(self, tolerated=None):
        """Lines of the console that tell of a fault in the kernel."""
        return [line for line in self.console().splitlines() if KERNEL_TROUBLE.search(line)
                and not (tolerated and re.search(tolerated, line))]
