# SPDX-License-Identifier: GPL-2.0-or-later
"""Rings, completions, interrupts, and the admin commands about them."""

import struct

from card import ALL_ONES, FW, HW, OneCard, PIN, SERIAL, expect, field, sqe
from machine import NOWHERE


def refused(card, opcode, status, **fields):
    done = card.admin.run(opcode, **fields)
    expect(f'status of 0x{opcode:x} {fields}', done.status, status)
    expect(f'not executed, 0x{opcode:x} {fields}', done.not_executed, True)


def test_ring_sizes():
    with OneCard(max_queue_entries=65536) as card:
        card.enable()
        for entries in (2, 3, 7, 64, 1000, 4096, 65536):
            q = card.queue(1, entries, max(2, entries // 2) + 1)
            # Round both rings more than once where that is cheap
            for _ in range(2 * entries + 3 if entries < 10 else 3):
                cid = q.push(HW.IO_NOP)
                q.ring()
                done = q.pop()
                expect('cid', done.cid, cid)
                expect('status', done.status, HW.SC_SUCCESS)
                expect('sq_head', done.sq_head, q.tail)
                expect('sq_id', done.sq_id, 1)
            for opcode in (HW.ADMIN_DELETE_SQ, HW.ADMIN_DELETE_CQ):
                expect('delete', card.admin.run(opcode, args=(1,)).status, HW.SC_SUCCESS)


def test_admin_ring_sizes():
    with OneCard() as card:
        for entries, cq_entries in ((2, 2), (3, 2), (2, 5), (4096, 4096)):
            card.enable(entries, cq_entries)
            for _ in range(7):
                expect('NOP', card.admin.run(HW.ADMIN_NOP).status, HW.SC_SUCCESS)
            card.disable()


def test_batch_costs_one_interrupt():
    with OneCard() as card:
        card.enable()
        q = card.queue(1, 64)
        before = card.m.get('card0', 'stat-interrupts')
        cids = [q.push(HW.IO_NOP) for _ in range(63)]
        q.ring()
        expect('cids', [q.pop(free=False).cid for _ in cids], cids)
        q.free()
        card.interrupt(1)
        expect('interrupts', card.m.get('card0', 'stat-interrupts') - before <= 2, True)


def test_long_bursts_on_several_queues():
    with OneCard() as card:
        card.enable()
        queues = [card.queue(qid, 1024) for qid in (1, 2, 3)]
        for q in queues:
            card.m.store(q.sq, b''.join(sqe(HW.IO_NOP, cid) for cid in range(1023)))
            q.tail = 1023
        for q in queues:
            q.ring()
        for q in queues:
            card.m.until('the last one', lambda q=q: card.m.load(q.cq + 1022 * 16, 16)[14] & 1)
            entries = card.m.load(q.cq, 1023 * 16)
            expect('cids', [struct.unpack_from('<H', entries, n * 16 + 12)[0]
                            for n in range(1023)], list(range(1023)))


def test_full_completion_queue_holds_back():
    with OneCard() as card:
        card.enable()
        q = card.queue(1, 64, cq_entries=4)
        cids = [q.push(HW.IO_NOP) for _ in range(63)]
        q.ring()
        found = []
        while len(found) < 63:
            # Three fit; nothing more comes before they are freed.
            entries = [q.pop(free=False) for _ in range(min(3, 63 - len(found)))]
            card.m.clock_step(10)
            if len(entries) == 3:
                expect('overrun', q.peek(), None)
            found += [e.cid for e in entries]
            q.free()
        expect('cids', found, cids)


def test_full_ring_takes_no_more_than_it_holds():
    with OneCard() as card:
        card.enable()
        q = card.queue(1, 4, cq_entries=2)
        cids = []
        # The card reads on as long as it can, so slots become free; push what fits.
        for _ in range(20):
            while (q.tail + 1) % 4 != q.sq_head and len(cids) < 20:
                cids.append(q.push(HW.IO_NOP))
            q.ring()
            if len(cids) == 20:
                break
            expect('cid', q.pop().cid, cids.pop(0))
        for cid in cids:
            expect('cid', q.pop().cid, cid)


def test_shared_completion_queue_and_vector():
    with OneCard() as card:
        card.enable()
        first = card.queue(1, 16, cq_entries=64, vector=5)
        second = card.alloc(16 * 64)
        done = card.admin.run(HW.ADMIN_CREATE_SQ, data_in=(second, 0, 0),
                              args=(2 | 15 << 16, 1))
        expect('create', done.status, HW.SC_SUCCESS)
        third = card.queue(3, vector=5)
        refused(card, HW.ADMIN_DELETE_CQ, HW.SC_INVALID_QUEUE, args=(1,))
        first.push(HW.IO_NOP, cid=7)
        first.ring()
        expect('sq', first.pop().sq_id, 1)
        card.interrupt(5)
        card.m.store(second, card.m.load(first.sq, 64))
        card.write(HW.DB_BASE + 2 * 8, 1)
        done = first.pop()
        expect('sq and cid', (done.sq_id, done.cid), (2, 7))
        card.interrupt(5)
        third.run(HW.IO_NOP)
        card.interrupt(5)
        expect('delete', card.admin.run(HW.ADMIN_DELETE_SQ, args=(1,)).status, HW.SC_SUCCESS)
        refused(card, HW.ADMIN_DELETE_CQ, HW.SC_INVALID_QUEUE, args=(1,))
        expect('delete', card.admin.run(HW.ADMIN_DELETE_SQ, args=(2,)).status, HW.SC_SUCCESS)
        expect('delete', card.admin.run(HW.ADMIN_DELETE_CQ, args=(1,)).status, HW.SC_SUCCESS)


def test_all_queues():
    with OneCard() as card:
        card.enable()
        queues = [card.queue(qid, 8) for qid in range(1, 65)]
        cids = [q.push(HW.IO_NOP) for q in queues]
        for q in queues:
            q.ring()
        for q, cid in zip(queues, cids):
            expect('cid', q.pop().cid, cid)
            card.interrupt(q.qid)


def test_create_refuses():
    with OneCard(queues=8, vectors=4, max_queue_entries=128) as card:
        card.enable()
        ring = card.alloc(65536)
        size = 15 << 16
        cq, sq = HW.ADMIN_CREATE_CQ, HW.ADMIN_CREATE_SQ
        for qid in (0, 9, 64, 65, 0xffff):
            refused(card, cq, HW.SC_INVALID_QUEUE, data_in=(ring, 0, 0), args=(qid | size, 0))
            refused(card, sq, HW.SC_INVALID_QUEUE, data_in=(ring, 0, 0), args=(qid | size, 1))
        for entries in (0, 128, 0xffff):
            refused(card, cq, HW.SC_INVALID_QUEUE_SIZE, data_in=(ring, 0, 0),
                    args=(1 | entries << 16, 0))
        for address in (ring + 1, ring + 2048, ring + 64, (1 << 64) - 1):
            refused(card, cq, HW.SC_INVALID_FIELD, data_in=(address, 0, 0), args=(1 | size, 0))
        # 128 * 64 bytes from there would wrap around
        done = card.admin.run(cq, data_in=(ring, 0, 0), args=(1 | size, 0))
        expect('good', done.status, HW.SC_SUCCESS)
        refused(card, sq, HW.SC_INVALID_FIELD, data_in=((1 << 64) - 4096, 0, 0),
                args=(1 | 127 << 16, 1))
        refused(card, cq, HW.SC_INVALID_QUEUE, data_in=(ring, 0, 0), args=(1 | size, 0))
        for vector in (4, 64, 0xffff, 0x10000, ALL_ONES):
            refused(card, cq, HW.SC_INVALID_VECTOR, data_in=(ring, 0, 0), args=(2 | size, vector))
        for cqid in (0, 2, 65, 0x10001, ALL_ONES):
            refused(card, sq, HW.SC_INVALID_QUEUE, data_in=(ring, 0, 0), args=(1 | size, cqid))
        refused(card, cq, HW.SC_INVALID_FIELD, data_in=(ring, 0, 0), data_out=(ring, 16, 0),
                args=(3 | size, 0))
        for opcode in (HW.ADMIN_DELETE_SQ, HW.ADMIN_DELETE_CQ):
            for qid in (0, 3, 64, 65, 0x10001, ALL_ONES):
                refused(card, opcode, HW.SC_INVALID_QUEUE, args=(qid,))


def test_io_ring_where_no_memory_is():
    with OneCard() as card:
        for bad_sq in (True, False):
            card.enable()
            good = card.alloc(4096)
            done = card.admin.run(HW.ADMIN_CREATE_CQ, args=(1 | 15 << 16, 1),
                                  data_in=(good if bad_sq else card.bar0, 0, 0))
            expect('create', done.status, HW.SC_SUCCESS)
            done = card.admin.run(HW.ADMIN_CREATE_SQ, args=(1 | 15 << 16, 1),
                                  data_in=(NOWHERE if bad_sq else good, 0, 0))
            expect('create', done.status, HW.SC_SUCCESS)
            card.write(HW.DB_BASE + 8, 1)
            card.m.until('fatal status', card.fatal)
            expect('fatal', card.fatal(), HW.FATAL_QUEUE_DMA)
            card.disable()


def test_opcodes_and_flags():
    with OneCard() as card:
        card.enable()
        q = card.queue()
        known = {getattr(HW, name) for name in dir(HW)
                 if name.startswith('ADMIN_') and isinstance(getattr(HW, name), int)}
        for opcode in sorted(set(range(256)) - known):
            refused(card, opcode, HW.SC_INVALID_OPCODE)
        for opcode in range(2, 256):
            done = q.run(opcode)
            expect('I/O opcode', (done.status, done.not_executed), (HW.SC_INVALID_OPCODE, True))
        for opcode in sorted(known):
            refused(card, opcode, HW.SC_INVALID_FIELD, flags=0x40)
        expect('flags', q.run(HW.IO_NOP, flags=1).status, HW.SC_INVALID_FIELD)


def test_data_where_none_belongs():
    with OneCard() as card:
        card.enable()
        q = card.queue()
        where = card.alloc(4096)
        for data in ((where, 16, 0), (where, 0, 0), (0, 1, 0), (0, 0, 1), (where, 16, 1)):
            for name in ('data_in', 'data_out'):
                expect('NOP', q.run(HW.IO_NOP, **{name: data}).status, HW.SC_INVALID_FIELD)
                for opcode in (HW.ADMIN_NOP, HW.ADMIN_ABORT, HW.ADMIN_EVENT, HW.ADMIN_SET_QUEUES,
                               HW.ADMIN_DELETE_SQ, HW.ADMIN_CONTEXT_CLOSE):
                    refused(card, opcode, HW.SC_INVALID_FIELD, context=1, args=(1,),
                            **{name: data})


def test_cid_conflict():
    with OneCard() as card:
        card.enable()
        card.admin.push(HW.ADMIN_EVENT, cid=0x4321)
        card.admin.push(HW.ADMIN_NOP, cid=0x4321)
        card.admin.ring()
        done = card.admin.pop()
        expect('conflict', (done.cid, done.status, done.not_executed),
               (0x4321, HW.SC_CID_CONFLICT, True))
        # The first one is still there, and keeps its number.
        card.admin.push(HW.ADMIN_NOP, cid=0x4321)
        card.admin.ring()
        expect('again', card.admin.pop().status, HW.SC_CID_CONFLICT)
        card.m.set('card0', 'x-temperature', 50000)
        done = card.admin.pop()
        expect('event', (done.cid, done.status), (0x4321, HW.SC_SUCCESS))
        card.admin.push(HW.ADMIN_NOP, cid=0x4321)
        card.admin.ring()
        expect('free again', card.admin.pop().status, HW.SC_SUCCESS)


def test_set_queues():
    with OneCard(queues=5) as card:
        card.enable()
        for wanted, granted in ((1, 1), (5, 5), (6, 5), (ALL_ONES, 5)):
            done = card.admin.run(HW.ADMIN_SET_QUEUES, args=(wanted,))
            expect('granted', (done.status, done.result), (HW.SC_SUCCESS, granted))
        refused(card, HW.ADMIN_SET_QUEUES, HW.SC_INVALID_FIELD)


def test_identify():
    with OneCard(queues=7, engines=3) as card:
        card.enable()
        out = card.alloc(512)
        refused(card, HW.ADMIN_IDENTIFY, HW.SC_OUT_SIZE)
        refused(card, HW.ADMIN_IDENTIFY, HW.SC_OUT_SIZE, data_out=(out, 255, 0))
        expect('status', card.admin.run(HW.ADMIN_IDENTIFY, data_out=(out, 512, 0)).status,
               HW.SC_SUCCESS)
        data = card.m.load(out, 512)
        expect('serial', data[:24].rstrip(b'\0'), str(SERIAL).encode())
        numbers = struct.unpack('<6I', data[88:112])
        expect('queues', numbers[0], 7)
        expect('message', numbers[1], 1 << 20)
        expect('partitions', numbers[2], 100)
        expect('engines', numbers[4], 3)
        expect('aborts', numbers[5], HW.MAX_ABORTS)
        expect('reserved', data[112:256], bytes(144))
        expect('beyond', data[256:], bytes(256))


def test_health():
    with OneCard() as card:
        card.enable()
        out = card.alloc(64)
        card.m.set('card0', 'x-temperature', 61500)
        expect('status', card.admin.run(HW.ADMIN_HEALTH, data_out=(out, 64, 0)).status,
               HW.SC_SUCCESS)
        data = struct.unpack('<IIIIQQ32s', card.m.load(out, 64))
        expect('temperature', data[0], 61500)
        expect('tamper and engines', data[1:4], (0, 0, 0))
        expect('power on', data[4] > 0, True)


def test_random():
    with OneCard() as card:
        card.enable()
        out = card.alloc(4096)
        seen = set()
        for room in (1, 64, 64, HW.RANDOM_MAX, 4096):
            card.m.store(out, bytes(4096))
            done = card.admin.run(HW.ADMIN_RANDOM, data_out=(out, room, 0))
            length = min(room, HW.RANDOM_MAX)
            expect('status', (done.status, done.result), (HW.SC_SUCCESS, length))
            data = card.m.load(out, 4096)
            expect('beyond', data[length:], bytes(4096 - length))
            if length >= 64:
                seen.add(data[:64])
        expect('all different', len(seen), 4)
        refused(card, HW.ADMIN_RANDOM, HW.SC_OUT_SIZE)
        refused(card, HW.ADMIN_RANDOM, HW.SC_INVALID_FIELD, data_in=(out, 64, 0),
                data_out=(out, 64, 0))


def test_answer_where_no_memory_is():
    with OneCard() as card:
        card.enable()
        for bad in (NOWHERE, card.bar0, card.bar2, 1 << 50):
            done = card.admin.run(HW.ADMIN_IDENTIFY, data_out=(bad, 256, 0))
            expect('status', (done.status, done.not_executed), (HW.SC_DATA_TRANSFER, False))
        refused(card, HW.ADMIN_IDENTIFY, HW.SC_INVALID_FIELD, data_out=((1 << 64) - 255, 256, 0))


def test_events():
    with OneCard() as card:
        card.enable()
        cids = [card.admin.push(HW.ADMIN_EVENT) for _ in range(HW.MAX_EVENTS + 1)]
        card.admin.ring()
        done = card.admin.pop()
        expect('ninth', (done.cid, done.status, done.not_executed),
               (cids[-1], HW.SC_EVENT_LIMIT, True))
        for n in range(HW.MAX_EVENTS):
            card.m.set('card0', 'x-temperature', n)
            done = card.admin.pop()
            expect('event', (done.cid, done.result, done.result2),
                   (cids[n], HW.EVENT_TEMPERATURE, 0))
        # Kept while nobody waits; the same one is kept once
        card.m.set('card0', 'x-temperature', 1)
        card.m.set('card0', 'x-temperature', 2)
        done = card.admin.run(HW.ADMIN_EVENT)
        expect('kept', done.result, HW.EVENT_TEMPERATURE)
        cid = card.admin.push(HW.ADMIN_EVENT)
        card.admin.ring()
        card.m.clock_step(10)
        expect('only once', card.admin.peek(), None)
        card.m.set('card0', 'x-temperature', 3)
        expect('the next one', card.admin.pop().cid, cid)


def test_events_of_before_are_not_told():
    with OneCard() as card:
        card.m.set('card0', 'x-temperature', 1)
        card.enable()
        card.m.set('card0', 'x-temperature', 1)
        card.disable()
        card.enable()
        cid = card.admin.push(HW.ADMIN_EVENT)
        card.admin.ring()
        card.m.clock_step(10)
        expect('event', card.admin.peek(), None)
        card.m.set('card0', 'x-temperature', 1)
        expect('event', card.admin.pop().cid, cid)


def test_event_overflow():
    with OneCard() as card:
        card.enable()
        q = card.queue()
        card.command(q, FW.OP_HSM_INIT, field(FW.F_LABEL, 'hsm') + field(FW.F_PIN, PIN))
        card.command(q, FW.OP_LOGIN, field(FW.F_ROLE, FW.ROLE_SO) + field(FW.F_PIN, PIN))
        # Two events each, and one for the HSM: more than the card keeps
        for _ in range(HW.MAX_PARTITIONS // 2 + 6):
            made = card.command(q, FW.OP_PARTITION_CREATE)
            number = int.from_bytes(made[FW.F_NUMBER], 'little')
            card.command(q, FW.OP_PARTITION_DELETE, field(FW.F_NUMBER, number))
        done = card.admin.run(HW.ADMIN_EVENT)
        expect('event', (done.result, done.result2), (HW.EVENT_OVERFLOW, 0))
        cid = card.admin.push(HW.ADMIN_EVENT)
        card.admin.ring()
        card.m.clock_step(10)
        expect('nothing after it', card.admin.peek(), None)
        made = card.command(q, FW.OP_PARTITION_CREATE)
        done = card.admin.pop()
        expect('the next one', (done.cid, done.result, done.result2),
               (cid, HW.EVENT_PARTITION_CREATED, int.from_bytes(made[FW.F_NUMBER], 'little')))


def test_waiting_events_do_not_block_a_small_admin_queue():
    with OneCard() as card:
        card.enable(entries=2)
        for _ in range(HW.MAX_EVENTS):
            card.admin.push(HW.ADMIN_EVENT)
            card.admin.ring()
        for _ in range(5):
            expect('NOP', card.admin.run(HW.ADMIN_NOP).status, HW.SC_SUCCESS)


def test_abort_of_an_event():
    with OneCard() as card:
        card.enable()
        card.admin.push(HW.ADMIN_EVENT, cid=0x111)
        card.admin.push(HW.ADMIN_ABORT, cid=0x222, args=(0x111 << 16,))
        card.admin.ring()
        first, second = card.admin.pop(), card.admin.pop()
        expect('event', (first.cid, first.status, first.not_executed),
               (0x111, HW.SC_ABORTED, True))
        expect('abort', (second.cid, second.status, second.result), (0x222, HW.SC_SUCCESS, 0))


def test_abort_of_nothing():
    with OneCard() as card:
        card.enable()
        card.queue(1)
        for arg in (1, 1 | 5 << 16, 0 | 0xffff << 16):
            done = card.admin.run(HW.ADMIN_ABORT, args=(arg,))
            expect('abort', (done.status, done.result), (HW.SC_SUCCESS, 1))
        # Itself
        done = card.admin.run(HW.ADMIN_ABORT, cid=0x77, args=(0x77 << 16,))
        expect('itself', (done.status, done.result), (HW.SC_SUCCESS, 1))
        for qid in (2, 64, 65, 0xffff):
            refused(card, HW.ADMIN_ABORT, HW.SC_INVALID_QUEUE, args=(qid,))


def test_context_close():
    with OneCard() as card:
        card.enable()
        refused(card, HW.ADMIN_CONTEXT_CLOSE, HW.SC_INVALID_FIELD)
        for context in (1, 77, ALL_ONES):
            expect('close', card.admin.run(HW.ADMIN_CONTEXT_CLOSE, context=context).status,
                   HW.SC_SUCCESS)
