# SPDX-License-Identifier: GPL-2.0-or-later
"""What the card can be made to do wrong, as pciehsm.rst promises it."""

from card import ALL_ONES, FW, HW, OneCard, expect, provision, push_slow, start_slow


def test_withheld_completions():
    with OneCard() as card:
        card.enable()
        q = card.queue()
        card.m.set('card0', 'x-withhold', True)
        pings = [card.push_message(q, FW.OP_PING) for _ in range(3)]
        cids = [cid for cid, _ in pings] + [q.push(HW.IO_NOP)]
        q.ring()
        # The admin queue goes on; commands were executed, but nothing is written.
        out = card.alloc(64)
        card.m.until('executed', lambda: card.admin.run(
            HW.ADMIN_HEALTH, data_out=(out, 64, 0)).status == 0 and
            int.from_bytes(card.m.load(out + 24, 8), 'little') >= 3)
        card.m.clock_step(5000)
        expect('completion', q.peek(), None)
        for _, where in pings:
            expect('answer', card.m.load(where, 16), bytes(16))
        expect('properties', (card.m.get('card0', 'x-withhold'),
                              card.m.get('card0', 'x-withhold-admin')), (True, False))
        card.m.set('card0', 'x-withhold', False)
        expect('cids', sorted(q.pop().cid for _ in cids), sorted(cids))


def test_withheld_command_is_aborted():
    with OneCard() as card:
        card.enable()
        q = card.queue()
        card.m.set('card0', 'x-withhold', True)
        cid, out = card.push_message(q, FW.OP_PING)
        nop = q.push(HW.IO_NOP)
        q.ring()
        for target in (cid, nop):
            # One that runs at this very moment can not be aborted: then again.
            done = card.admin.run(HW.ADMIN_ABORT, args=(1 | target << 16,))
            while (done.status, done.result) == (HW.SC_SUCCESS, 1):
                done = card.admin.run(HW.ADMIN_ABORT, args=(1 | target << 16,))
            expect('abort', (done.status, done.result), (HW.SC_SUCCESS, 0))
            # What was aborted is there when the abort says so.
            entry = q.peek()
            expect('target', entry and (entry.cid, entry.status), (target, HW.SC_ABORTED))
            q.pop()
        expect('answer', card.m.load(out, 16), bytes(16))
        expect('NOP', card.admin.run(HW.ADMIN_NOP).status, HW.SC_SUCCESS)


def test_hung_card_needs_a_reset():
    with OneCard() as card:
        card.enable()
        q = card.queue()
        card.m.set('card0', 'x-withhold', True)
        card.m.set('card0', 'x-withhold-admin', True)
        q.push(HW.IO_NOP)
        q.ring()
        card.admin.push(HW.ADMIN_ABORT, args=(1 | 1 << 16,))
        card.admin.ring()
        card.m.clock_step(5000)
        expect('completions', (q.peek(), card.admin.peek()), (None, None))
        card.disable()
        card.m.set('card0', 'x-withhold-admin', False)
        card.enable()
        q = card.queue()
        q.push(HW.IO_NOP)
        q.ring()
        card.m.clock_step(10)
        expect('still withheld', q.peek(), None)
        card.m.set('card0', 'x-withhold', False)
        expect('NOP', q.pop().status, HW.SC_SUCCESS)


def test_hung_card_gives_no_progress():
    with OneCard(engines=1) as card:
        card.enable()
        q = card.queue()
        number = provision(card, q)
        card.m.set('card0', 'x-withhold', True)
        push_slow(card, q, number)
        q.ring()
        for _ in range(10):
            card.m.clock_step(500)
        expect('progress', q.peek(), None)
        card.disable()


def test_gone_and_back():
    with OneCard(engines=2) as card:
        card.enable()
        q = card.queue()
        number = provision(card, q)
        outs = [start_slow(card, q, number)[1]] + [push_slow(card, q, number)[1] for _ in range(2)]
        q.ring()
        machine = card.m
        machine.set('card0', 'x-gone', True)
        for where, size in ((0, 4), (HW.REG_CAP, 8), (HW.REG_CSTS, 4), (HW.DB_BASE, 4), (1, 1)):
            expect('register', card.read(where, size), (1 << size * 8) - 1)
        expect('MSI-X table', machine.read(card.bar2, 4), ALL_ONES)
        for where, size in ((0, 4), (4, 2), (0x100, 4), (0x3d, 1)):
            expect('configuration', card.config(where, size), (1 << size * 8) - 1)
        card.interrupted(0)
        card.write(HW.REG_CC, HW.CC_EN)
        card.config(0x10, 4, 0)
        expect('presence', slot_status(card) & 0x48, 0x08)
        rings = machine.load(q.cq, 512), machine.load(card.admin.cq, 512)

        machine.set('card0', 'x-gone', False)
        expect('presence', slot_status(card) & 0x48, 0x48)
        expect('identity', card.config(0, 4), HW.PCI_DEVICE_ID << 16 | HW.PCI_VENDOR_ID)
        expect('BAR0 after power-on', card.config(0x10, 4) & ~15, 0)
        card.setup()
        expect('status', card.csts(), 0)
        # Enabled when everything of before has ended; nothing was written by it.
        admin = card.admin
        card.enable()
        expect('rings', (machine.load(q.cq, 512), machine.load(admin.cq, 512)), rings)
        for out in outs:
            expect('answer', machine.load(out, 64), bytes(64))
        card.context += 1
        expect('ping', card.message(card.queue(), FW.OP_PING)[0], 0)


def slot_status(card):
    where = card.config(0x34, 1, port=True)
    while card.config(where, 1, port=True) != 0x10:
        where = card.config(where + 1, 1, port=True)
    status = card.config(where + 0x1a, 2, port=True)
    card.config(where + 0x1a, 2, 0x1f, port=True)
    return status


def test_gone_before_it_is_switched_on():
    with OneCard() as card:
        card.m.set('card0', 'x-gone', True)
        card.m.set('card0', 'x-gone', True)
        expect('gone', card.m.get('card0', 'x-gone'), True)
        card.m.command('system_reset')
        expect('configuration', card.config(0, 4) in (ALL_ONES, 0), True)
        card.m.set('card0', 'x-gone', False)
        card.plug()
        card.enable()
        expect('NOP', card.admin.run(HW.ADMIN_NOP).status, HW.SC_SUCCESS)


def test_aer_error():
    with OneCard() as card:
        express = card.capability(0x10)
        card.config(express + 8, 2, 0x000f)
        card.m.human('pcie_aer_inject_error card0 COMP_TIME')
        status = card.config(0x100 + 4, 4)
        expect('completion timeout', status & 1 << 14, 1 << 14)
        expect('device status', card.config(express + 10, 2) & 0x6 != 0, True)


def test_tamper():
    with OneCard() as card:
        card.enable()
        card.m.set('card0', 'x-tamper', True)
        # That all keys are gone may be told as an event of its own.
        done = card.admin.run(HW.ADMIN_EVENT)
        while done.result == HW.EVENT_HSM_CHANGED:
            done = card.admin.run(HW.ADMIN_EVENT)
        expect('event', done.result, HW.EVENT_TAMPER)
        out = card.alloc(64)
        card.admin.run(HW.ADMIN_HEALTH, data_out=(out, 64, 0))
        expect('health', int.from_bytes(card.m.load(out + 4, 4), 'little'), 1)
        expect('property', card.m.get('card0', 'x-tamper'), True)
