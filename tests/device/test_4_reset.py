# SPDX-License-Identifier: GPL-2.0-or-later
"""The ends of commands: abort, queue deletion, reset, shutdown, unplugging.

Whatever was under way, no byte of guest memory changes afterwards.
"""

from card import ALL_ONES, Card, FW, HW, OneCard, expect, option, provision, push_slow, start_slow

FILL = b'\xa5'


class Flight:
    """A card with commands at every point of their life, and guards on their memory."""

    def __init__(self, card, number, q):
        self.card = card
        self.q = q
        self.rings = [(q.sq, q.entries * 64), (q.cq, q.cq_entries * 16),
                      (card.admin.cq, card.admin.cq_entries * 16)]
        self.outs = []
        self.cids = []
        # A running one, waiting ones, those that are quickly done
        self.take(start_slow(card, q, number))
        for _ in range(2):
            self.take(push_slow(card, q, number))
        for _ in range(8):
            self.take(card.push_message(q, FW.OP_PING, context=9))
        q.ring_taken()

    def take(self, pushed):
        self.cids.append(pushed[0])
        self.outs.append(pushed[1])

    def guard(self):
        """From here on nothing may be written."""
        for where, size in self.rings:
            self.card.m.store(where, FILL * size)
        for where in self.outs:
            self.card.m.store(where, FILL * 4096)

    def check(self):
        # Long enough for what was running to end and be given back
        self.card.m.until('engines at rest', self.at_rest)
        for where, size in self.rings + [(out, 4096) for out in self.outs]:
            if self.card.m.load(where, size) != FILL * size:
                raise AssertionError(f'memory at 0x{where:x} was written after the end')

    def at_rest(self):
        """A reset ends every context, so RDY shows that the engines have finished."""
        card = self.card
        if card.read(HW.REG_CC) == ALL_ONES:
            return True
        card.write(HW.REG_AQA, 1 | 1 << 16)
        spare = card.alloc(4096), card.alloc(4096)
        card.write(HW.REG_ASQ, spare[0], 8)
        card.write(HW.REG_ACQ, spare[1], 8)
        card.write(HW.REG_CC, HW.CC_EN)
        card.m.until('RDY', card.ready)
        card.disable()
        return True


def in_flight(card, **kinds):
    card.enable()
    q = card.queue(1, 32, **kinds)
    return Flight(card, provision(card, q), q)


def works(card):
    card.context += 1
    card.enable()
    q = card.queue()
    expect('ping', card.message(q, FW.OP_PING)[0], 0)


def test_controller_reset():
    for delay in (0.001, 1, 20, 200):
        with OneCard(engines=2) as card:
            flight = in_flight(card)
            card.m.clock_step(delay)
            card.write(HW.REG_CC, 0)
            flight.guard()
            card.m.until('not RDY', lambda c=card: not c.ready())
            expect('status', card.csts(), 0)
            flight.check()
            works(card)


def test_reset_that_is_not_waited_for():
    with OneCard(engines=1) as card:
        flight = in_flight(card)
        # EN is set again at once: RDY stays, then the new queue is there.
        card.write(HW.REG_CC, 0)
        flight.guard()
        card.write(HW.REG_CC, HW.CC_EN)
        card.m.until('RDY', card.ready)
        card.disable()
        flight.check()
        works(card)


def test_reset_with_full_completion_queue():
    with OneCard() as card:
        card.enable()
        q = card.queue(1, 32, cq_entries=2)
        for _ in range(20):
            card.push_message(q, FW.OP_PING)
        q.ring()
        card.m.until('completion', q.peek)
        card.disable()
        works(card)


def test_function_level_reset():
    with OneCard(engines=2) as card:
        flight = in_flight(card)
        control = card.capability(0x10) + 8
        card.config(control, 2, 0x8000)
        expect('memory space', card.config(4, 2) & 6, 0)
        expect('BAR0', card.config(0x10, 4) & ~15, 0)
        card.setup()
        expect('status', card.csts(), 0)
        expect('CC', card.read(HW.REG_CC), 0)
        expect('ASQ', card.read(HW.REG_ASQ, 8), 0)
        flight.guard()
        flight.check()
        works(card)


def test_machine_reset():
    with OneCard(engines=2) as card:
        flight = in_flight(card)
        card.m.command('system_reset')
        card.plug()
        expect('status', card.csts(), 0)
        flight.guard()
        flight.check()
        works(card)


def test_reset_ends_contexts():
    with OneCard() as card:
        card.enable()
        q = card.queue()
        number = provision(card, q)
        cid, _ = push_slow(card, q, number)
        q.ring()
        card.disable()
        card.enable()
        q = card.queue()
        # The login was of before: what needs it is refused now.
        cid, out = push_slow(card, q, number)
        q.ring()
        done = q.wait(cid)
        expect('status', done.status, HW.SC_SUCCESS)
        rv = int.from_bytes(card.m.load(out + 12, 4), 'little')
        expect('CKR_USER_NOT_LOGGED_IN', rv, 0x101)


def test_queue_deletion_completes_commands():
    with OneCard(engines=1) as card:
        flight = in_flight(card)
        done = card.admin.run(HW.ADMIN_DELETE_SQ, args=(1,))
        expect('delete', done.status, HW.SC_SUCCESS)
        found = {}
        for _ in flight.cids:
            entry = flight.q.pop()
            while entry.status == HW.SC_PROGRESS:
                entry = flight.q.pop()
            expect('status', entry.status in (HW.SC_ABORTED, HW.SC_SUCCESS), True)
            found[entry.cid] = entry
        expect('cids', sorted(found), sorted(flight.cids))
        expect('aborted', found[flight.cids[1]].status, HW.SC_ABORTED)
        expect('never begun', found[flight.cids[2]].not_executed, True)
        expect('running one', found[flight.cids[0]].not_executed, False)
        # The admin queue goes on: what is there is no entry of it.
        flight.rings = flight.rings[:2]
        flight.guard()
        expect('delete', card.admin.run(HW.ADMIN_DELETE_CQ, args=(1,)).status, HW.SC_SUCCESS)
        card.disable()
        flight.check()


def test_queue_deletion_again_and_again():
    """Commands that can not be posted do not pile up without end."""
    with OneCard() as card:
        card.enable()
        q = card.queue(1, 16, cq_entries=4)
        for _ in range(30):
            for _ in range(15):
                q.push(HW.IO_NOP)
            q.ring()
            # At least of the first ones as many are taken as there is room for.
            card.m.until('completions', lambda: card.m.load(q.cq + 2 * 16, 16)[14] & 1 == q.phase)
            expect('delete', card.admin.run(HW.ADMIN_DELETE_SQ, args=(1,)).status, HW.SC_SUCCESS)
            done = card.admin.run(HW.ADMIN_CREATE_SQ, data_in=(q.sq, 0, 0), args=(1 | 15 << 16, 1))
            expect('create', done.status, HW.SC_SUCCESS)
            q.tail = 0
        pending = 0
        while card.m.load(q.cq + q.head * 16, 16)[14] & 1 == q.phase:
            q.pop()
            pending += 1
        expect('completions', 3 <= pending <= 4 + 15, True)


def test_abort_of_a_running_command():
    with OneCard(engines=1) as card:
        card.enable()
        q = card.queue()
        number = provision(card, q)
        cid, _ = start_slow(card, q, number)
        abort = card.admin.push(HW.ADMIN_ABORT, args=(1 | cid << 16,))
        card.admin.ring()
        done = card.admin.pop()
        expect('cid', (done.cid, done.status), (abort, HW.SC_SUCCESS))
        entry = q.wait(cid)
        if done.result == 0:
            expect('aborted', (entry.status, entry.not_executed), (HW.SC_ABORTED, False))
        expect('ping', card.message(q, FW.OP_PING)[0], 0)


def test_context_close_ends_its_commands():
    with OneCard(engines=1) as card:
        card.enable()
        q = card.queue()
        number = provision(card, q)
        cids = [push_slow(card, q, number)[0] for _ in range(3)]
        other, _ = card.push_message(q, FW.OP_PING, context=77)
        q.ring_taken()
        done = card.admin.run(HW.ADMIN_CONTEXT_CLOSE, context=card.context)
        expect('close', done.status, HW.SC_SUCCESS)
        found = {}
        while len(found) < 4:
            entry = q.pop()
            if entry.status != HW.SC_PROGRESS:
                found[entry.cid] = entry
        expect('other context', found[other].status, HW.SC_SUCCESS)
        for cid in cids[1:]:
            expect('own', (found[cid].status, found[cid].not_executed), (HW.SC_ABORTED, True))


def test_shutdown():
    with OneCard(engines=1) as card:
        flight = in_flight(card)
        card.write(HW.REG_CC, HW.CC_EN | HW.CC_SHN)
        state = card.csts() & HW.CSTS_SHST_MASK
        expect('busy', state, HW.CSTS_SHST_BUSY)
        card.m.until('shut down',
                     lambda: card.csts() & HW.CSTS_SHST_MASK == HW.CSTS_SHST_DONE, 120)
        # Nothing more is taken, and there is no way back but a reset.
        flight.q.push(HW.IO_NOP)
        flight.q.ring()
        card.write(HW.REG_CC, HW.CC_EN)
        expect('CC', card.read(HW.REG_CC), HW.CC_EN | HW.CC_SHN)
        card.disable()
        expect('status', card.csts(), 0)
        works(card)


def test_shutdown_when_disabled():
    with OneCard() as card:
        card.write(HW.REG_CC, HW.CC_SHN)
        expect('done', card.csts(), HW.CSTS_SHST_DONE)
        works(card)
        expect('none', card.csts() & HW.CSTS_SHST_MASK, HW.CSTS_SHST_NONE)


def test_unplug_in_flight():
    with OneCard(engines=2) as card:
        flight = in_flight(card)
        flight.guard()
        machine = card.m
        # What a slot does when its power goes off: power and indicator off
        express = port_capability(card)
        machine.command('device_del', id='card0')
        card.config(express + 0x18, 2, 0x0700, port=True)
        machine.until('unplugged', lambda: (machine.human('info status'),
                                            'DEVICE_DELETED' in machine.events)[1])
        for where, size in flight.rings + [(out, 4096) for out in flight.outs]:
            expect('memory', machine.load(where, size), FILL * size)
        # The same store in a new card: what the old one did has ended by then.
        machine.human(f'device_add {option().replace("STORE", machine.folder)}')
        card.config(express + 0x18, 2, 0x0100, port=True)
        again = Card(machine).plug()
        again.next = card.next
        works(again)
        for where, size in flight.rings + [(out, 4096) for out in flight.outs]:
            expect('memory', machine.load(where, size), FILL * size)


def port_capability(card):
    where = card.config(0x34, 1, port=True)
    while card.config(where, 1, port=True) != 0x10:
        where = card.config(where + 1, 1, port=True)
    return where


def test_quit_in_flight():
    with OneCard(engines=2) as card:
        in_flight(card)
