# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands that go wrong by rule (x-faults), firmware and engines that stop."""

from card import FW, HW, PIN, OneCard, expect, field, provision
from machine import Broken


def rules(card, text):
    card.m.set('card0', 'x-faults', text)


def finished(q):
    """What has completed by now, in order."""
    found = []
    while q.peek():
        found.append(q.pop())
    return found


def executed(card, at_least):
    """Wait until the firmware has worked on so many messages."""
    out = card.alloc(64)
    card.m.until('executed', lambda: card.admin.run(
        HW.ADMIN_HEALTH, data_out=(out, 64, 0)).status == 0 and
        int.from_bytes(card.m.load(out + 24, 8), 'little') >= at_least)


def test_next_commands_fail_with_a_code():
    with OneCard() as card:
        card.enable()
        q = card.queue()
        rules(card, f'fail,status={HW.SC_INTERNAL},skip=1,count=2')
        found = [q.run(HW.IO_NOP) for _ in range(4)]
        expect('status', [c.status for c in found],
               [HW.SC_SUCCESS, HW.SC_INTERNAL, HW.SC_INTERNAL, HW.SC_SUCCESS])
        expect('not executed', [c.not_executed for c in found], [False, True, True, False])
        rules(card, f'fail,status={HW.SC_INTERNAL},executed=1')
        done = q.run(HW.IO_NOP)
        expect('perhaps executed', (done.status, done.not_executed), (HW.SC_INTERNAL, False))
        expect('admin', card.admin.run(HW.ADMIN_NOP).status, HW.SC_SUCCESS)
        rules(card, '')
        expect('NOP', q.run(HW.IO_NOP).status, HW.SC_SUCCESS)
        expect('counted', card.m.get('card0', 'stat-faults'), 3)


def test_rule_for_an_opcode_of_messages():
    with OneCard() as card:
        card.enable()
        q = card.queue()
        rules(card, f'fail,op={FW.OP_HSM_INFO},status={HW.SC_INTERNAL}')
        expect('ping', card.message(q, FW.OP_PING)[0], 0)
        cid, _ = card.push_message(q, FW.OP_HSM_INFO)
        q.ring()
        expect('info', q.wait(cid).status, HW.SC_INTERNAL)
        expect('NOP', q.run(HW.IO_NOP).status, HW.SC_SUCCESS)


def test_rule_for_an_admin_command():
    with OneCard() as card:
        card.enable()
        rules(card, f'fail,queue=0,opcode={HW.ADMIN_NOP},status={HW.SC_INTERNAL},count=1')
        expect('NOP', card.admin.run(HW.ADMIN_NOP).status, HW.SC_INTERNAL)
        expect('NOP again', card.admin.run(HW.ADMIN_NOP).status, HW.SC_SUCCESS)


def test_one_queue_is_withheld():
    with OneCard() as card:
        card.enable()
        one, two = card.queue(1), card.queue(2)
        rules(card, 'withhold,queue=2')
        cid = two.push(HW.IO_NOP)
        two.ring()
        expect('queue 1', one.run(HW.IO_NOP).status, HW.SC_SUCCESS)
        card.m.clock_step(10000)
        expect('queue 2', two.peek(), None)
        rules(card, '')
        expect('released', two.pop().cid, cid)
        rules(card, 'withhold,count=1')
        cid = two.push(HW.IO_NOP)
        two.ring_taken()
        done = card.admin.run(HW.ADMIN_ABORT, args=(2 | cid << 16,))
        expect('abort', (done.status, done.result), (HW.SC_SUCCESS, 0))
        expect('aborted', two.pop().status, HW.SC_ABORTED)


def test_delay():
    with OneCard() as card:
        card.enable()
        q = card.queue()
        rules(card, 'delay,us=3000,count=1')
        slow, fast = q.push(HW.IO_NOP), q.push(HW.IO_NOP)
        q.ring()
        expect('the other', q.pop().cid, fast)
        card.m.clock_step(2.9)
        expect('too early', q.peek(), None)
        card.m.clock_step(0.2)
        expect('delayed', q.pop().cid, slow)


def test_service_time_occupies_engines():
    with OneCard(engines=2) as card:
        card.enable()
        q = card.queue()
        rules(card, 'service,us=10000')
        for _ in range(5):
            card.push_message(q, FW.OP_PING)
        q.ring()
        executed(card, 5)
        expect('at once', finished(q), [])
        for count in (2, 2, 1):
            card.m.clock_step(9)
            expect('too early', finished(q), [])
            card.m.clock_step(1.1)
            for _ in range(count):
                q.pop()
            expect('no more', finished(q), [])


def test_corrupt_completions():
    with OneCard() as card:
        card.enable()
        q = card.queue()
        for name, change, attribute, wanted in (
                ('cid', 0x4000, 'cid', lambda cid, _: cid ^ 0x4000),
                ('sq', 3, 'sq_id', lambda _, head: 1 ^ 3),
                ('head', 5, 'sq_head', lambda _, head: head ^ 5),
                ('status', HW.SC_ABORTED, 'status', lambda _, head: HW.SC_ABORTED),
                ('result', 0xdead, 'result', lambda _, head: 0xdead)):
            rules(card, f'corrupt,field={name},xor={change},count=1')
            cid = q.push(HW.IO_NOP)
            q.ring()
            expect(name, getattr(q.pop(), attribute), wanted(cid, q.tail))
        expect('NOP', q.run(HW.IO_NOP).status, HW.SC_SUCCESS)


def test_completion_twice():
    with OneCard() as card:
        card.enable()
        q = card.queue()
        rules(card, 'duplicate,count=1')
        cid = q.push(HW.IO_NOP)
        q.ring()
        expect('cids', (q.pop().cid, q.pop().cid), (cid, cid))
        expect('NOP', q.run(HW.IO_NOP).status, HW.SC_SUCCESS)


def test_completion_on_another_queue():
    with OneCard() as card:
        card.enable()
        one, two = card.queue(1), card.queue(2)
        rules(card, 'misdirect,queue=1,to=2,count=1')
        cid = one.push(HW.IO_NOP)
        one.ring()
        done = two.pop()
        expect('misdirected', (done.cid, done.sq_id, one.peek()), (cid, 1, None))
        # To nowhere
        rules(card, 'misdirect,queue=1,to=9,count=1')
        one.push(HW.IO_NOP)
        one.ring()
        card.m.clock_step(1)
        expect('completions', (one.peek(), two.peek()), (None, None))
        expect('NOP', one.run(HW.IO_NOP).status, HW.SC_SUCCESS)


def test_rules_that_make_no_sense():
    with OneCard() as card:
        rules(card, 'withhold,queue=3')
        for text, says in (('explode', 'no action'), ('fail', 'status'), ('delay', 'us'),
                           ('corrupt,field=phase,xor=1', 'field'), ('misdirect', 'to'),
                           ('withhold,queue=65', '64'), ('withhold,queue', 'KEY=VALUE'),
                           ('withhold,who=1', 'who'), ('delay,us=x', 'us=x'),
                           ('withhold;' * 33, '32')):
            try:
                rules(card, text)
            except Broken as e:
                if says not in str(e):
                    raise AssertionError(f'{text}: {e}') from e
            else:
                raise AssertionError(f'{text} was taken')
        expect('the old rules', card.m.get('card0', 'x-faults'), 'withhold,queue=3')


def test_firmware_crashes_and_starts_again():
    with OneCard() as card:
        card.enable()
        q = card.queue()
        number = provision(card, q)
        rules(card, 'withhold')
        card.push_message(q, FW.OP_PING)
        q.ring()
        card.m.set('card0', 'x-crash', True)
        expect('fatal', (card.fatal(), card.m.get('card0', 'x-crash')),
               (HW.FATAL_FIRMWARE, True))
        rules(card, '')
        card.m.clock_step(5000)
        expect('completions', (q.peek(), card.admin.peek()), (None, None))
        # It is not the firmware that a stopped machine starts.
        card.m.command('stop')
        card.m.command('cont')
        expect('still fatal', card.fatal(), HW.FATAL_FIRMWARE)
        card.disable()
        expect('after the reset', (card.fatal(), card.m.get('card0', 'x-crash')), (0, False))
        card.enable()
        q = card.queue()
        card.context += 1
        expect('ping', card.message(q, FW.OP_PING, partition=number)[0], 0)


def test_engines_fail():
    with OneCard(engines=2) as card:
        card.enable()
        q = card.queue()
        card.m.set('card0', 'x-engines-failed', 1)
        done = card.admin.run(HW.ADMIN_EVENT)
        expect('event', done.result, HW.EVENT_ENGINE_FAILED)
        out = card.alloc(64)
        card.admin.run(HW.ADMIN_HEALTH, data_out=(out, 64, 0))
        expect('health', int.from_bytes(card.m.load(out + 8, 4), 'little'), 1)
        for _ in range(8):
            card.push_message(q, FW.OP_PING)
        q.ring()
        expect('the other one works', [q.pop().status for _ in range(8)], [HW.SC_SUCCESS] * 8)
        card.m.set('card0', 'x-engines-failed', 2)
        card.m.until('fatal', card.fatal)
        expect('fatal', card.fatal(), HW.FATAL_FIRMWARE)
        card.m.set('card0', 'x-engines-failed', 0)
        card.disable()
        card.enable()
        expect('ping', card.message(card.queue(), FW.OP_PING)[0], 0)


def test_store_is_full():
    with OneCard() as card:
        card.enable()
        q = card.queue()
        number = provision(card, q)
        card.context += 1
        card.command(q, FW.OP_LOGIN, field(FW.F_ROLE, FW.ROLE_SO) + field(FW.F_PIN, PIN))
        for bad in ('full', 'failing'):
            card.m.set('card0', 'x-store', bad)
            rv, _ = card.message(q, FW.OP_PARTITION_CREATE)
            expect(f'refused: {bad}', rv != 0, True)
            expect('ping', card.message(q, FW.OP_PING, partition=number)[0], 0)
            expect('property', card.m.get('card0', 'x-store'), bad)
            card.m.set('card0', 'x-store', 'ok')
        # Nothing of it was left half done, and after a reset it goes on as ever.
        card.disable()
        card.enable()
        q = card.queue()
        card.context += 1
        done = card.admin.run(HW.ADMIN_PARTITIONS, data_out=(card.alloc(1280), 1280, 0))
        expect('partitions', done.result, 1)
        card.command(q, FW.OP_LOGIN, field(FW.F_ROLE, FW.ROLE_SO) + field(FW.F_PIN, PIN))
        card.command(q, FW.OP_PARTITION_CREATE)


def test_store_that_fails_at_the_restart():
    with OneCard() as card:
        card.enable()
        q = card.queue()
        number = provision(card, q)
        card.m.set('card0', 'x-store', 'failing')
        card.m.set('card0', 'x-crash', True)
        expect('fatal', card.fatal(), HW.FATAL_FIRMWARE)
        card.write(HW.REG_CC, 0)
        expect('fatal after the reset', card.fatal(), HW.FATAL_STORE)
        expect('ready though disabled', card.ready(), False)
        for _ in range(2):
            card.write(HW.REG_CC, HW.CC_EN)
            expect('fatal when enabled', (card.fatal(), card.ready()), (HW.FATAL_STORE, False))
            card.write(HW.REG_CC, 0)
        card.m.set('card0', 'x-store', 'ok')
        card.enable()
        card.context += 1
        expect('ping', card.message(card.queue(), FW.OP_PING, partition=number)[0], 0)
        # What the failed start said
        expect('complaint', 'store' in card.m.stderr(), True)
        card.m.forgive()
