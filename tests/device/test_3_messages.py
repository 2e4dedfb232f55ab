# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages to the firmware and their data in guest memory."""

import os
import struct

from card import (ALL_ONES, FW, HW, OneCard, answer, expect, field, provision, push_slow)
from machine import NOWHERE, RAM

MAX = 1 << 20


def refused(q, status, **fields):
    done = q.run(HW.IO_MSG, **fields)
    expect(f'status for {fields}', done.status, status)
    expect(f'not executed for {fields}', done.not_executed, True)


def message(op, body=b''):
    return struct.pack('<IIII', 16 + len(body), op, 0, 0) + body


def good(card, op=None, body=b'', room=4096):
    """Fields of a command that would succeed."""
    op = FW.OP_PING if op is None else op
    data = message(op, body)
    where, out = card.alloc(len(data)), card.alloc(room)
    card.m.store(where, data)
    return {'context': 1, 'msg_op': op, 'data_in': (where, len(data), 0),
            'data_out': (out, room, 0)}


def segments(card, *pieces):
    """An array of segments; gives its address."""
    where = card.alloc(16 * len(pieces), 8)
    card.m.store(where, b''.join(struct.pack('<QII', *(piece + (0,))[:3]) for piece in pieces))
    return where


def test_ping():
    with OneCard() as card:
        card.enable()
        q = card.queue()
        for _ in range(50):
            expect('rv', card.message(q, FW.OP_PING)[0], 0)
        expect('counted', card.m.get('card0', 'stat-messages'), 50)


def test_many_at_once():
    with OneCard(engines=4) as card:
        card.enable()
        queues = [card.queue(qid, 64) for qid in (1, 2, 3)]
        outstanding = {q: {} for q in queues}
        for n in range(63):
            for q in queues:
                cid, out = card.push_message(q, FW.OP_RANDOM, field(FW.F_LEN, 16 + n), room=512,
                                             context=n % 5 + 1)
                outstanding[q][cid] = (out, 16 + n)
        for q in queues:
            q.ring()
        for q in queues:
            for _ in range(63):
                done = q.pop()
                expect('status', done.status, HW.SC_SUCCESS)
                out, size = outstanding[q].pop(done.cid)
                rv, found = answer(card.m.load(out, done.result))
                expect('rv', rv, 0)
                if FW.F_DATA in found:
                    expect('size', len(found[FW.F_DATA]), size)


def test_fields_that_are_wrong():
    with OneCard() as card:
        card.enable()
        q = card.queue()
        ok = good(card)
        expect('good', q.run(HW.IO_MSG, **ok).status, HW.SC_SUCCESS)
        refused(q, HW.SC_INVALID_FIELD, **dict(ok, context=0))
        refused(q, HW.SC_INVALID_PARTITION, **dict(ok, partition=999999))
        refused(q, HW.SC_MSG_MISMATCH, **dict(ok, msg_op=FW.OP_PING + 1))
        refused(q, HW.SC_MSG_MISMATCH, **dict(ok, msg_op=0))
        where, out = ok['data_in'][0], ok['data_out'][0]
        for size in (1, 15, MAX + 1, ALL_ONES):
            refused(q, HW.SC_MSG_SIZE, **dict(ok, data_in=(where, size, 0)))
        refused(q, HW.SC_MSG_SIZE, **dict(ok, data_in=(0, 0, 0)))
        for size in (1, 15):
            refused(q, HW.SC_OUT_SIZE, **dict(ok, data_out=(out, size, 0)))
        refused(q, HW.SC_OUT_SIZE, **dict(ok, data_out=(0, 0, 0)))
        # The header says something else than the descriptor.
        for length in (15, 17, 0, ALL_ONES):
            card.m.store(where, struct.pack('<I', length))
            done = q.run(HW.IO_MSG, **ok)
            if done.status == HW.SC_SUCCESS and answer(card.m.load(out, done.result))[0] == 0:
                raise AssertionError(f'a message of length {length} in 16 bytes was executed')


def test_context_limit():
    with OneCard(max_contexts=2) as card:
        card.enable()
        q = card.queue()
        for context in (1, 2, 1):
            expect('ping', card.message(q, FW.OP_PING, context=context)[0], 0)
        refused(q, HW.SC_CONTEXT_LIMIT, **dict(good(card), context=3))
        card.admin.run(HW.ADMIN_CONTEXT_CLOSE, context=1)
        expect('ping', card.message(q, FW.OP_PING, context=3)[0], 0)


def test_room_beyond_the_greatest_answer():
    with OneCard() as card:
        card.enable()
        q = card.queue()
        ok = good(card)
        out = card.alloc(4096)
        expect('4 GiB of room', q.run(HW.IO_MSG, **dict(ok, data_out=(out, ALL_ONES, 0))).status,
               HW.SC_SUCCESS)


def test_longest_message_and_answer():
    with OneCard() as card:
        card.enable()
        q = card.queue()
        data = os.urandom(MAX - 16 - 16)
        ok = good(card, FW.OP_RANDOM, field(FW.F_SEED, data) + field(FW.F_LEN, 1)[:0], room=MAX)
        # Whether it is allowed is the firmware's to say; that it says it is the card's.
        expect('status', q.run(HW.IO_MSG, **ok).status, HW.SC_SUCCESS)


def test_data_that_is_not_memory():
    with OneCard() as card:
        card.enable()
        q = card.queue()
        ok = good(card)
        for bad in (NOWHERE, card.bar0, card.bar2, 0xfed0_0000, 1 << 52, RAM - 8):
            refused(q, HW.SC_DATA_TRANSFER, **dict(ok, data_in=(bad, 64, 0)))
            done = q.run(HW.IO_MSG, **dict(ok, data_out=(bad, 64, 0)))
            expect('answer', (done.status, done.not_executed), (HW.SC_DATA_TRANSFER, False))
            refused(q, HW.SC_DATA_TRANSFER, **dict(ok, data_in=(bad // 8 * 8, 64, 2)))
            refused(q, HW.SC_DATA_TRANSFER, **dict(ok, data_out=(bad // 8 * 8, 64, 2)))
        for start in (1 << 64) - 63, (1 << 64) - 1:
            refused(q, HW.SC_INVALID_FIELD, **dict(ok, data_in=(start, 64, 0)))
            refused(q, HW.SC_INVALID_FIELD, **dict(ok, data_out=(start, 64, 0)))
        expect('still good', q.run(HW.IO_MSG, **ok).status, HW.SC_SUCCESS)
        expect('fatal', card.fatal(), 0)


def test_own_registers_are_not_written_by_an_answer():
    with OneCard() as card:
        card.enable()
        q = card.queue()
        for target in (HW.REG_CC, HW.DB_BASE, HW.DB_BASE + 8):
            q.run(HW.IO_MSG, **dict(good(card), data_out=(card.bar0 + target, 16, 0)))
        expect('CC', card.read(HW.REG_CC), HW.CC_EN)
        expect('fatal', card.fatal(), 0)


def test_segments():
    with OneCard() as card:
        card.enable()
        q = card.queue(1, 64)
        size = 600
        body = field(FW.F_LEN, size)
        data = message(FW.OP_RANDOM, body)
        for cut in (1, 3, 7, 8, len(data) - 1, len(data)):
            pieces = []
            for at in range(0, len(data), cut):
                piece = data[at:at + cut]
                where = card.alloc(len(piece), 1) + 1
                card.alloc(8, 1)
                card.m.store(where, piece)
                pieces.append((where, len(piece)))
            rooms = [(card.alloc(33, 1), 33) for _ in range(30)]
            done = q.run(HW.IO_MSG, context=1, msg_op=FW.OP_RANDOM,
                         data_in=(segments(card, *pieces), len(data), len(pieces)),
                         data_out=(segments(card, *rooms), 33 * 30, 30))
            expect('status', done.status, HW.SC_SUCCESS)
            found = b''.join(card.m.load(where, size) for where, size in rooms)
            rv, fields = answer(found[:done.result])
            expect('rv', rv, 0)
            expect('size', len(fields.get(FW.F_DATA, bytes(size))), size)
            expect('beyond', found[done.result:], bytes(len(found) - done.result))


def test_most_segments():
    with OneCard() as card:
        card.enable()
        q = card.queue()
        ok = good(card)
        count = HW.MAX_SEGS
        base = card.alloc(count * 16)
        card.m.store(base, message(FW.OP_PING, field(0x7fff, bytes(count * 16 - 24))))
        pieces = [(base + n * 16, 16) for n in range(count)]
        done = q.run(HW.IO_MSG, **dict(ok, data_in=(segments(card, *pieces), count * 16, count)))
        expect('status', done.status, HW.SC_SUCCESS)
        more = segments(card, *pieces, (base, 16))
        refused(q, HW.SC_INVALID_FIELD, **dict(ok, data_in=(more, (count + 1) * 16, count + 1)))
        refused(q, HW.SC_INVALID_FIELD, **dict(ok, data_in=(more, 64, ALL_ONES)))


def test_segments_that_lie():
    with OneCard() as card:
        card.enable()
        q = card.queue()
        ok = good(card)
        where = ok['data_in'][0]
        room = card.alloc(4096)
        lies = [
            [(where, 8), (where + 8, 7)],
            [(where, 8), (where + 8, 9)],
            [(where, 16), (where, 0)],
            [(where, 0), (where, 16)],
            [(where, 8, 1), (where + 8, 8)],
            [(where, 8), (where + 8, 8, ALL_ONES)],
            [(where, ALL_ONES), (where, 17)],
            [(where, 0x8000_0000), (where, 0x8000_0010)],
            [((1 << 64) - 8, 9), (where, 7)],
            [((1 << 64) - 1, 16)],
        ]
        for pieces in lies:
            for name, other in (('data_in', where), ('data_out', room)):
                shifted = [(p[0] - where + other if p[0] < 1 << 32 else p[0],) + p[1:]
                           for p in pieces]
                array = segments(card, *shifted)
                refused(q, HW.SC_INVALID_FIELD, **dict(ok, **{name: (array, 16, len(pieces))}))
        array = segments(card, (where, 8), (where + 8, 8))
        refused(q, HW.SC_INVALID_FIELD, **dict(ok, data_in=(array + 4, 16, 1)))
        # In one of many pieces there is no memory.
        array = segments(card, (where, 8), (NOWHERE, 8))
        refused(q, HW.SC_DATA_TRANSFER, **dict(ok, data_in=(array, 16, 2)))
        array = segments(card, (room, 8), (NOWHERE, 8))
        done = q.run(HW.IO_MSG, **dict(ok, data_out=(array, 16, 2)))
        expect('answer', (done.status, done.not_executed), (HW.SC_DATA_TRANSFER, False))
        expect('still good', q.run(HW.IO_MSG, **ok).status, HW.SC_SUCCESS)


def test_little_memory():
    with OneCard(memory='4M', engines=1) as card:
        card.enable()
        q = card.queue(1, 32)
        ok = good(card, room=MAX)
        cids = [q.push(HW.IO_MSG, **ok) for _ in range(31)]
        q.ring()
        # All are done, though only a few of them find room at the same time.
        expect('cids', sorted(q.pop().cid for _ in cids), sorted(cids))


def test_answers_wait_for_room_in_the_completion_queue():
    with OneCard(engines=4) as card:
        card.enable()
        q = card.queue(1, 64, cq_entries=3)
        waiting = {}
        for _ in range(60):
            cid, out = card.push_message(q, FW.OP_PING)
            waiting[cid] = out
        q.ring()
        for _ in range(60):
            done = q.pop()
            expect('status', done.status, HW.SC_SUCCESS)
            expect('rv', answer(card.m.load(waiting.pop(done.cid), done.result))[0], 0)


def test_firmware_events_reach_the_host():
    with OneCard() as card:
        card.enable()
        q = card.queue()
        card.admin.push(HW.ADMIN_EVENT, cid=0xe0)
        card.admin.ring()
        card.context = 5
        body = field(FW.F_LABEL, 'hsm') + field(FW.F_PIN, 'a-password')
        card.command(q, FW.OP_HSM_INIT, body)
        done = card.admin.pop()
        expect('event', (done.cid, done.result), (0xe0, HW.EVENT_HSM_CHANGED))


def test_progress():
    with OneCard(engines=1) as card:
        card.enable()
        q = card.queue()
        number = provision(card, q)
        cids = [push_slow(card, q, number)[0] for _ in range(2)]
        q.ring()
        card.m.clock_step(1000)
        expect('too early', q.peek(), None)
        # Both the one that runs and the one that waits for it
        seen = set()
        while seen != set(cids):
            card.m.clock_step(500)
            done = q.peek()
            if done:
                q.pop()
                expect('status', (done.status, done.not_executed), (HW.SC_PROGRESS, False))
                expect('result', done.result <= 1000 or done.result == ALL_ONES, True)
                seen.add(done.cid)
        done = card.admin.run(HW.ADMIN_ABORT, args=(1 | cids[1] << 16,))
        expect('abort', (done.status, done.result), (HW.SC_SUCCESS, 0))
        done = q.pop()
        expect('queued one', (done.cid, done.status, done.not_executed),
               (cids[1], HW.SC_ABORTED, True))
        card.admin.run(HW.ADMIN_ABORT, args=(1 | cids[0] << 16,))
        expect('running one', q.wait(cids[0]).status in (HW.SC_ABORTED, HW.SC_SUCCESS), True)


def test_abort_limit():
    with OneCard(engines=1) as card:
        card.enable()
        q = card.queue()
        number = provision(card, q)
        # An abort waits until that of what it stopped is posted; there is no room for it.
        small = card.queue(2, 8, cq_entries=2)
        cids = [push_slow(card, small, number)[0] for _ in range(6)]
        small.ring_taken()
        aborts = [card.admin.push(HW.ADMIN_ABORT, args=(2 | cid << 16,)) for cid in cids[1:]]
        card.admin.ring()
        card.m.until('fifth abort', card.admin.peek)
        done = [card.admin.pop() for _ in range(2)]
        expect('refused', [(d.cid, d.status) for d in done if d.status],
               [(aborts[-1], HW.SC_ABORT_LIMIT)])
        for _ in range(4):
            expect('aborted', small.pop().status, HW.SC_ABORTED)
        expect('aborts', [card.admin.pop().result for _ in range(3)], [0, 0, 0])
        card.disable()
