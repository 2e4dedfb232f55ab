#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""In a guest with a card: each fault that can be injected, and what the driver makes of it.

A case injects one fault, sends a message (or has one under way), and says what the caller
gets to know: the error, whether the command was executed, and what the driver counted.
Nothing is measured: times are limits against hanging, but for those of messages whose
completion never comes, and nothing else is under way then.
"""

import ctypes
import errno
import fcntl
import glob
import os
import select
import re
import struct
import subprocess
import sys
import threading
import time
import traceback

REPO = os.environ['PCIEHSM_REPO']
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(REPO, 'tests', 'device'))
from card import FW, HW             # pylint: disable=wrong-import-position

CARD = '/machine/peripheral/card0'
CLASS = '/sys/class/hsm'
PARAMETERS = '/sys/module/pciehsm/parameters'
SECONDS = 240
# Longer than any answer takes, and short for one that does not come.
PATIENT_MS, SHORT_MS = 60000, 1000
TROUBLE = re.compile(r'WARNING: |BUG: |Oops|Call Trace|general protection fault|'
                     r'Unable to handle|DMA-API: ')
IOC_MSG = 3 << 30 | 40 << 16 | 0xa9 << 8 | 1
DONE, NOT_EXECUTED, UNKNOWN = range(3)
CKR_DEVICE_ERROR = 0x30
OUTCOMES = ('done', 'not executed', 'perhaps executed')


def read(path):
    with open(path, encoding='utf-8') as f:
        return f.read().strip()


def write(path, value):
    with open(path, 'w', encoding='utf-8') as f:
        f.write(str(value))


def attribute(name):
    try:
        return read(f'{CLASS}/hsm0/{name}')
    except OSError:
        return None


def resets():
    return int(attribute('resets') or 0)


def counters():
    text = read('/sys/kernel/debug/pciehsm/hsm0/counters')
    return {name: int(value) for name, value in (line.split() for line in text.splitlines())}


def wait_for(what, condition):
    limit = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < limit, f'{what}: not within {SECONDS} s'
        time.sleep(0.02)


def vmctl(*words):
    run = subprocess.run(['vmctl', *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         text=True, check=False)
    assert not run.returncode, f'vmctl {" ".join(words)}: {run.stderr}'
    return run.stdout


def inject(name, value):
    vmctl('qmp', 'qom-set', f'path={CARD}', f'property={name}', f'value={value}')


def acted():
    return int(vmctl('qmp', 'qom-get', f'path={CARD}', 'property=stat-faults'))


def is_ready():
    return attribute('state') == 'live' and os.path.exists('/dev/hsm0p1')


def bind_again():
    address = os.path.basename(os.path.realpath(f'{CLASS}/hsm0/device'))
    write('/sys/bus/pci/drivers/pciehsm/unbind', address)
    write('/sys/bus/pci/drivers/pciehsm/bind', address)
    wait_for('the card', is_ready)


class Message:
    """A message to a node, from a thread of its own; when it is back: .error, .outcome, .rv."""

    def __init__(self, milliseconds=PATIENT_MS, node='hsm0p1', op=FW.OP_PING, body=b''):
        self.file = os.open('/dev/' + node, os.O_RDWR | os.O_CLOEXEC)
        self.milliseconds = milliseconds
        self.text = struct.pack('<IIII', 16 + len(body), op, 7 if op == FW.OP_PING else 0, 0) + body
        self.error = self.outcome = self.rv = None
        self.thread = threading.Thread(target=self.send, daemon=True)
        self.thread.start()

    def send(self):
        request = ctypes.create_string_buffer(self.text, len(self.text))
        answer = ctypes.create_string_buffer(4096)
        call = bytearray(struct.pack('=IIQQIIII', 40, 0, ctypes.addressof(request),
                                     ctypes.addressof(answer), len(self.text), 4096,
                                     self.milliseconds, 99))
        error = 0
        try:
            fcntl.ioctl(self.file, IOC_MSG, call)
        except OSError as e:
            error = e.errno
        self.outcome = struct.unpack('=IIQQIIII', call)[7]
        session, self.rv = struct.unpack('<II', answer.raw[8:16])
        if not error and session != struct.unpack('<I', self.text[8:12])[0]:
            self.outcome = 'the answer to another message'
        self.error = error

    def back(self):
        self.thread.join(SECONDS)
        assert self.error is not None, f'the call did not return within {SECONDS} s'
        if self.file is not None:
            os.close(self.file)
            self.file = None
        return self


class Fault:
    """What the driver counted while a fault was there."""

    def __init__(self):
        self.counters = counters()
        self.resets = resets()

    def report(self, message=None):
        now = counters()
        said = []
        if message:
            said.append(f'the caller: {errno.errorcode[message.error] if message.error else "ok"},'
                        f' {OUTCOMES[message.outcome]}')
        said += [f'{name} {now[name] - self.counters.get(name, 0)}' for name in now
                 if now[name] > self.counters.get(name, 0)]
        if resets() != self.resets:
            said.append(f'resets {resets() - self.resets}')
        print('# driver: ' + '; '.join(said or ['nothing']))

    def expect(self, message, error, outcome, *counted, reset=False, also=()):
        """What the caller got, what was counted (and not less), whether the card was reset.

        also: further counters that may have moved.
        """
        message.back()
        if reset:
            wait_for('a reset', lambda: resets() > self.resets and is_ready())
        self.report(message)
        assert (message.error, message.outcome) == (error, outcome), \
            f'the caller has error {message.error}, outcome {message.outcome}'
        now = counters()
        moved = {name for name in now if now[name] > self.counters.get(name, 0)}
        assert set(counted) <= moved <= set(counted) | set(also) | {'missed_irqs'}, \
            f'counted: {sorted(moved)}'
        assert (resets() > self.resets) == reset, f'resets: {resets() - self.resets}'


def rule(text):
    inject('x-faults', f'{text},op={FW.OP_PING},count=1' if text else '')


def short_abort():
    """A completion is lost for good: the abort will not bring it either."""
    write(f'{PARAMETERS}/abort_timeout_ms', 500)


# ---- rules: one message, one fault ----

def case_fail_not_executed():
    fault = Fault()
    rule('fail,status=7')
    fault.expect(Message(), errno.EIO, NOT_EXECUTED)


def case_fail_perhaps_executed():
    fault = Fault()
    rule('fail,status=7,executed=1')
    fault.expect(Message(), errno.EIO, UNKNOWN)


def case_delay():
    """Late is not lost."""
    fault = Fault()
    rule('delay,us=700000')
    fault.expect(Message(), 0, DONE)


def case_service_time():
    fault = Fault()
    rule('service,us=300000')
    fault.expect(Message(), 0, DONE)


def case_withhold():
    """It is aborted in time, and may have been executed."""
    fault = Fault()
    rule('withhold')
    fault.expect(Message(SHORT_MS), errno.ETIMEDOUT, UNKNOWN, 'timeouts', 'aborts')


def case_duplicate():
    """The first one counts."""
    fault = Fault()
    rule('duplicate')
    message = Message().back()
    # The second may be looked at after the caller has its answer.
    wait_for('the second one', lambda: counters()['cqe_duplicate'] > fault.counters['cqe_duplicate'])
    fault.expect(Message(), 0, DONE, 'cqe_duplicate')
    assert message.error == 0 and message.outcome == DONE


def lost(text, counted):
    """A completion that is nobody's is dropped; the card has to be reset for the message."""
    fault = Fault()
    short_abort()
    rule(text)
    fault.expect(Message(SHORT_MS), errno.ETIMEDOUT, UNKNOWN, counted, 'timeouts', 'aborts',
                 reset=True)


def case_number_of_an_earlier_command():
    lost('corrupt,field=cid,xor=0x8000', 'cqe_stale')


def case_number_of_no_command():
    lost('corrupt,field=cid,xor=0x3ff', 'cqe_unknown')


def case_another_queue_in_the_completion():
    lost('corrupt,field=sq,xor=0x30', 'cqe_unknown')


def case_on_another_queue():
    lost('misdirect,to=0', 'cqe_unknown')


def case_ring_position():
    """One that is outside of what was submitted is not believed."""
    fault = Fault()
    rule('corrupt,field=head,xor=0x4000')
    fault.expect(Message(), 0, DONE, 'bad_sq_head')


def case_status():
    fault = Fault()
    rule('corrupt,field=status,xor=7')
    fault.expect(Message(), errno.EIO, UNKNOWN)


def case_length_of_the_answer():
    """More than there is room for"""
    fault = Fault()
    rule('corrupt,field=result,xor=0x7ff00000')
    fault.expect(Message(), errno.EIO, UNKNOWN)


# ---- the whole card, with a message under way ----

def under_way(milliseconds=PATIENT_MS):
    """A message that the card has and does not answer."""
    before = acted()
    rule('withhold')
    message = Message(milliseconds)
    wait_for('the message', lambda: acted() > before)
    return message


def case_hung_card():
    """Neither answers nor aborts come."""
    fault = Fault()
    short_abort()
    inject('x-withhold', 'true')
    inject('x-withhold-admin', 'true')
    message = Message(SHORT_MS)
    wait_for('the reset', lambda: counters()['aborts'] > fault.counters['aborts'] and
             attribute('state') != 'live')
    inject('x-withhold-admin', 'false')
    inject('x-withhold', 'false')
    fault.expect(message, errno.ETIMEDOUT, UNKNOWN, 'timeouts', 'aborts', reset=True)


def case_firmware_crash():
    fault = Fault()
    message = under_way()
    inject('x-crash', 'true')
    fault.expect(message, errno.ECANCELED, UNKNOWN, reset=True)


def event(wanted, trigger):
    """An event is told to who reads the card's node."""
    with open('/dev/hsm0', 'rb', buffering=0) as f:
        trigger()
        while True:
            assert select.select([f], [], [], SECONDS)[0], f'no event {wanted}'
            kind = struct.unpack('=IIII', f.read(16))[0]
            if kind == wanted:
                print(f'# driver: event {kind}')
                return


def case_engine_stops():
    """The other one does the work."""
    fault = Fault()
    event(HW.EVENT_ENGINE_FAILED, lambda: inject('x-engines-failed', 1))
    fault.expect(Message(), 0, DONE)


def is_dead():
    return attribute('state') == 'dead' and not os.path.exists('/dev/hsm0p1')


def case_all_engines_stop():
    """No reset helps: the card is given up, until it was repaired and is bound again."""
    message = under_way()
    inject('x-engines-failed', 2)
    message.back()
    wait_for('the end', is_dead)
    print(f'# driver: the caller: {errno.errorcode[message.error]}, '
          f'{OUTCOMES[message.outcome]}; the card is {attribute("state")}')
    assert message.outcome == UNKNOWN and message.error in (errno.ECANCELED, errno.ENODEV)
    inject('x-engines-failed', 0)
    bind_again()


def case_store_is_full():
    """The firmware's to say; the card itself works on."""
    fault = Fault()
    inject('x-store', 'full')
    # Each attempt is written down before it is looked at.
    role, pin = struct.pack('<I4x', FW.ROLE_SO), b'kselftest-so-password'
    body = (struct.pack('<HHI', FW.F_ROLE, 0, 4) + role +
            struct.pack('<HHI', FW.F_PIN, 0, len(pin)) + pin.ljust(24, b'\0'))
    login = Message(node='hsm0', op=FW.OP_LOGIN, body=body).back()
    print(f'# driver: login: error {login.error}, {OUTCOMES[login.outcome]}, result {login.rv:#x}')
    assert (login.error, login.outcome) == (0, DONE) and login.rv == CKR_DEVICE_ERROR, \
        f'login: error {login.error}, outcome {login.outcome}, result {login.rv:#x}'
    inject('x-store', 'ok')
    fault.expect(Message(), 0, DONE)


def case_store_fails_at_the_restart():
    """The card says so by its fatal status, and is given up."""
    inject('x-store', 'failing')
    inject('x-crash', 'true')
    wait_for('the end', is_dead)
    print(f'# driver: the card is {attribute("state")}')
    inject('x-store', 'ok')
    bind_again()


def case_error_of_the_link():
    """Fatal for PCI Express: the kernel resets the link, the driver the card.

    Before a card is pulled out: the kernel does not let bridges pass errors on from cards
    that were plugged in later.
    """
    fault = Fault()
    message = under_way()
    vmctl('hmp', 'pcie_aer_inject_error', 'card0', 'DLP')
    fault.expect(message, errno.ECANCELED, UNKNOWN, reset=True)


def slot_is_off(port):
    """The hot-plug driver does not want to hear of a new card before."""
    control = subprocess.run(['setpci', '-s', port, 'CAP_EXP+18.w'], stdout=subprocess.PIPE,
                             text=True, check=True).stdout
    # Power controller off, power indicator off
    return int(control, 16) & 0x700 == 0x700


def case_pulled_out_and_put_back():
    port = os.path.basename(os.path.dirname(os.path.realpath(f'{CLASS}/hsm0/device')))
    message = under_way()
    inject('x-gone', 'true')
    message.back()
    print(f'# driver: the caller: {errno.errorcode[message.error]}, {OUTCOMES[message.outcome]}')
    assert (message.error, message.outcome) == (errno.ENODEV, UNKNOWN)
    wait_for('the node to go', lambda: not os.path.exists('/dev/hsm0'))
    wait_for('the slot to be off', lambda: slot_is_off(port))
    inject('x-gone', 'false')


def sensor(name):
    found = glob.glob(f'{CLASS}/hsm0/device/hwmon/hwmon*/{name}')
    return read(found[0]) if found else None


def case_temperature():
    event(HW.EVENT_TEMPERATURE, lambda: inject('x-temperature', 61500))
    wait_for('the temperature', lambda: sensor('temp1_input') == '61500')
    print('# driver: temp1_input 61500')
    inject('x-temperature', 45000)


def case_tamper():
    """The keys are gone, and the partition with them; a factory reset ends it."""
    event(HW.EVENT_TAMPER, lambda: inject('x-tamper', 'true'))
    wait_for('the partition to go', lambda: not os.path.exists('/dev/hsm0p1'))
    wait_for('the alarm', lambda: sensor('intrusion0_alarm') == '1')
    print(f'# driver: intrusion0_alarm 1, no partition, the card is {attribute("state")}')
    reset = Message(node='hsm0', op=FW.OP_HSM_FACTORY_RESET).back()
    assert (reset.error, reset.outcome, reset.rv) == (0, DONE, 0), \
        f'factory reset: error {reset.error}, outcome {reset.outcome}, result {reset.rv:#x}'
    subprocess.run([f'{REPO}/build/tests/kselftest/prepare'], check=True)


# ---- all of them ----

def set_up():
    """The card works, as from the start."""
    for name, value in (('timeout_ms', PATIENT_MS), ('abort_timeout_ms', PATIENT_MS),
                        ('admin_timeout_ms', PATIENT_MS), ('reset_limit', 0)):
        write(f'{PARAMETERS}/{name}', value)
    inject('x-faults', '')
    inject('x-store', 'ok')
    for name in ('x-withhold', 'x-withhold-admin', 'x-gone'):
        inject(name, 'false')
    if attribute('state') == 'dead':
        # What a case that failed has left behind
        bind_again()
    inject('x-engines-failed', 0)
    wait_for('the card', is_ready)


def run(number, case):
    name = case.__name__.removeprefix('case_').replace('_', ' ')
    subprocess.run(['dmesg', '-C'], check=True)
    try:
        set_up()
        case()
        set_up()
        works = Message().back()
        assert works.error == 0 and works.outcome == DONE, \
            f'afterwards: error {works.error}, outcome {works.outcome}'
        log = subprocess.run(['dmesg'], stdout=subprocess.PIPE, text=True, check=True).stdout
        trouble = TROUBLE.search(log)
        assert not trouble, 'the kernel log: ' + log[trouble.start():][:200]
        verdict = 'ok'
    except Exception:               # pylint: disable=broad-except
        verdict = 'not ok'
        log = subprocess.run(['dmesg'], stdout=subprocess.PIPE, text=True, check=True).stdout
        for line in traceback.format_exc().splitlines() + log.splitlines()[-20:]:
            print('# ' + line)
    print(f'{verdict} {number} - {name}', flush=True)
    return verdict == 'ok'


def main():
    cases = [case for name, case in globals().items() if name.startswith('case_') and
             (len(sys.argv) < 2 or name[5:] in sys.argv[1:])]
    print('KTAP version 1')
    print(f'1..{len(cases)}', flush=True)
    results = [run(number, case) for number, case in enumerate(cases, 1)]
    return 0 if results and all(results) else 1


if __name__ == '__main__':
    sys.exit(main())
