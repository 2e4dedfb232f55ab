# SPDX-License-Identifier: GPL-2.0-or-later
"""The machine moves to another QEMU, or back to a snapshot, while the card works.

The guest signs all the while. What it has to find afterwards: every command that the
card took has its completion in memory; the card says that its volatile memory is lost,
and after the reset that this calls for the same key signs again.
"""

import contextlib
import os
import tempfile

from card import (Card, FW, HW, PIN, attribute, expect, field, option, port, provision,
                  start_slow)
from machine import Machine

CKM_ECDSA = 0x1041
CKM_EC_KEY_PAIR_GEN = 0x1040
CKA_TOKEN, CKA_PRIVATE, CKA_SIGN, CKA_VERIFY, CKA_EC_PARAMS = 0x1, 0x2, 0x108, 0x10a, 0x180
P256 = bytes.fromhex('06082a8648ce3d030107')
OUID = bytes(range(16))
OUID2 = bytes(range(16, 32))


@contextlib.contextmanager
def folder():
    with tempfile.TemporaryDirectory(prefix='pciehsm-migration-') as path:
        yield path


def login(card, q, number):
    """Another context, as after any reset."""
    card.context += 1
    card.command(q, FW.OP_LOGIN, field(FW.F_ROLE, FW.ROLE_CO) + field(FW.F_PIN, PIN + '2'),
                 partition=number)


def make_key(card, q, number, ouid=OUID, ouid2=OUID2):
    true, false = b'\1', b'\0'
    card.command(q, FW.OP_GENERATE_KEY_PAIR,
                 field(FW.F_MECHANISM, CKM_EC_KEY_PAIR_GEN) + field(FW.F_OUID, ouid) +
                 field(FW.F_OUID2, ouid2) +
                 field(FW.F_TEMPLATE, attribute(CKA_EC_PARAMS, P256) +
                       attribute(CKA_VERIFY, true) + attribute(CKA_TOKEN, true)) +
                 field(FW.F_TEMPLATE2, attribute(CKA_SIGN, true) + attribute(CKA_TOKEN, true) +
                       attribute(CKA_PRIVATE, false)), partition=number)



def push_sign(card, q, number):
    body = (field(FW.F_FUNCTION, FW.FN_SIGN) + field(FW.F_KEY, OUID2) +
            field(FW.F_MECHANISM, CKM_ECDSA) + field(FW.F_DATA, bytes(32)))
    return card.push_message(q, FW.OP_CRYPT, body, partition=number, room=256)[0]


class Signer:
    """Commands of a guest that never stops signing, on one queue."""

    def __init__(self, card, q, number):
        self.card, self.q, self.number = card, q, number
        self.waiting = set()
        self.signed = 0

    def push(self, count=4):
        for _ in range(count):
            self.waiting.add(push_sign(self.card, self.q, self.number))
        self.q.ring()

    def collect(self):
        """Take the completions that are there."""
        while self.q.peek():
            done = self.q.pop()
            expect('status', done.status, HW.SC_SUCCESS)
            self.waiting.remove(done.cid)
            self.signed += 1

    def step(self):
        self.collect()
        if len(self.waiting) < 8:
            self.push()



def taken_are_complete(signer):
    """What the card took was finished, and is in the memory that came along."""
    signer.collect()
    q = signer.q
    expect('commands without a completion', len(signer.waiting), (q.tail - q.sq_head) % q.entries)


def works_after_reset(card, number):
    """The card says what it lost; after the reset the same key signs."""
    expect('fatal', card.fatal(), HW.FATAL_MIGRATED)
    card.disable()
    expect('fatal after the reset', card.fatal(), 0)
    card.enable()
    q = card.queue()
    login(card, q, number)
    signer = Signer(card, q, number)
    for _ in range(3):
        signer.push()
        card.m.until('signatures', lambda: signer.collect() or not signer.waiting)
    expect('signed', signer.signed, 12)


def begin(machine):
    card = Card(machine).plug().enable()
    q = card.queue()
    number = provision(card, q)
    make_key(card, q, number)
    return card, Signer(card, q, number)


def migration(machine):
    return machine.command('query-migrate').get('status')


def running(machine):
    return machine.command('query-status')['running']


def move(path, signer, target):
    """Live migration, while the guest goes on as long as it runs."""
    source = signer.card.m
    where = 'unix:' + os.path.join(path, 'socket')
    target.command('migrate-incoming', uri=where)
    source.command('migrate', uri=where)

    def over():
        if running(source):
            signer.step()
        return migration(source) in ('completed', 'failed')

    source.until('migration', over)
    expect('migration', migration(source), 'completed')
    target.until('running', lambda: running(target))
    signer.card.m = target


@contextlib.contextmanager
def two(path, **properties):
    """Two machines over one store; the second waits for the first one's state."""
    words = option(store=os.path.join(path, 'card.db'), **properties)
    with Machine(port(), words) as source, Machine(port(), words, incoming=True) as target:
        yield source, target


def test_live_migration_under_signatures():
    with folder() as path, two(path) as (source, target):
        card, signer = begin(source)
        signer.push(8)
        move(path, signer, target)
        taken_are_complete(signer)
        if signer.signed < 8:
            raise AssertionError(f'only {signer.signed} signatures')
        works_after_reset(card, signer.number)


def test_migration_waits_for_long_commands():
    with folder() as path, two(path) as (source, target):
        card, signer = begin(source)
        cid, _ = start_slow(card, signer.q, signer.number)
        # Its completions, and those of its progress, are looked at afterwards.
        signer.step = lambda: None
        move(path, signer, target)
        done = [signer.q.pop()]
        while done[-1].cid != cid or done[-1].status == HW.SC_PROGRESS:
            done.append(signer.q.pop())
        # It has ended by itself or was stopped; nothing was left in the middle.
        expect('status', done[-1].status in (HW.SC_SUCCESS, HW.SC_ABORTED), True)
        works_after_reset(card, signer.number)


def test_there_and_back():
    with folder() as path:
        words = option(store=os.path.join(path, 'card.db'))
        with contextlib.ExitStack() as stack:
            source = stack.enter_context(Machine(port(), words))
            card, signer = begin(source)
            for _ in range(3):
                target = stack.enter_context(Machine(port(), words, incoming=True))
                move(path, signer, target)
                works_after_reset(card, signer.number)
                card.disable()
                card.enable()
                signer = Signer(card, card.queue(), signer.number)
                login(card, signer.q, signer.number)


def test_migration_of_a_card_that_is_switched_off():
    with folder() as path, two(path) as (source, target):
        card, signer = begin(source)
        card.disable()
        signer.step = lambda: None
        move(path, signer, target)
        expect('status', card.csts(), 0)
        card.enable()
        signer = Signer(card, card.queue(), signer.number)
        login(card, signer.q, signer.number)
        signer.push()
        target.until('signatures', lambda: signer.collect() or not signer.waiting)


def test_source_that_goes_on_after_all():
    with folder() as path:
        words = option(store=os.path.join(path, 'card.db'))
        with Machine(port(), words) as source:
            card, signer = begin(source)
            source.command('migrate', uri='exec:cat >/dev/null')
            source.until('migration', lambda: migration(source) == 'completed')
            source.command('cont')
            works_after_reset(card, signer.number)


def test_migration_to_another_card_is_refused():
    with folder() as path:
        store = os.path.join(path, 'card.db')
        with Machine(port(), option(store=store)) as source:
            card, signer = begin(source)
            target = Machine(port(), option(store=store, serial=7), incoming=True)
            try:
                target.__enter__()
                where = 'unix:' + os.path.join(path, 'socket')
                target.command('migrate-incoming', uri=where)
                source.command('migrate', uri=where)
                target.process.wait(60)
                expect('says why', 'the same serial' in target.stderr(), True)
            finally:
                target.clean()
            source.until('end', lambda: migration(source) in ('completed', 'failed'))
            if not running(source):
                source.command('cont')
            works_after_reset(card, signer.number)


# --- snapshots ---

def job(machine, name, **arguments):
    """A job of QEMU, to its end; it must succeed."""
    arguments['job-id'] = 'job'
    machine.command(name, **arguments)

    def concluded():
        return [j for j in machine.command('query-jobs') if j['status'] == 'concluded']

    done = machine.until(name, concluded)
    expect(f'{name}: error', done[0].get('error'), None)
    machine.command('job-dismiss', id='job')


def snapshot_disk(machine, path):
    name = os.path.join(path, 'snapshots.qcow2')
    job(machine, 'blockdev-create', options={'driver': 'file', 'filename': name, 'size': 0})
    machine.command('blockdev-add', **{'driver': 'file', 'filename': name, 'node-name': 'file'})
    job(machine, 'blockdev-create', options={'driver': 'qcow2', 'file': 'file', 'size': 1 << 20})
    machine.command('blockdev-add', **{'driver': 'qcow2', 'file': 'file', 'node-name': 'disk'})


def test_snapshot_under_signatures():
    with folder() as path, Machine(port(), option(store=os.path.join(path, 'card.db'))) as machine:
        card, signer = begin(machine)
        snapshot_disk(machine, path)
        where = {'tag': 'one', 'vmstate': 'disk', 'devices': ['disk']}
        signer.push(8)
        job(machine, 'snapshot-save', **where)
        # The guest has noticed nothing.
        expect('fatal', card.fatal(), 0)
        for _ in range(3):
            signer.push()
            machine.until('signatures', lambda: signer.collect() or not signer.waiting)
        expect('signed', signer.signed, 20)

        # Back to the time of the snapshot: the guest's memory, not the store.
        later = bytes(range(32, 48))
        make_key(card, signer.q, signer.number, bytes(range(48, 64)), later)
        signer.push(8)
        job(machine, 'snapshot-load', **where)
        if not running(machine):
            machine.command('cont')
        works_after_reset(card, signer.number)
        q = Signer(card, card.queue(2), signer.number).q
        rv, _ = card.message(q, FW.OP_CRYPT, field(FW.F_FUNCTION, FW.FN_SIGN) +
                             field(FW.F_KEY, later) + field(FW.F_MECHANISM, CKM_ECDSA) +
                             field(FW.F_DATA, bytes(32)), partition=signer.number)
        expect('the later key signs', rv, 0)
