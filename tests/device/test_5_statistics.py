# SPDX-License-Identifier: GPL-2.0-or-later
"""What the card tells of its work to whoever looks from outside."""

from card import FW, HW, OneCard, expect, provision, start_slow


def counts(entries):
    return {e['opcode']: e['count'] for e in entries}


def test_statistics():
    with OneCard(engines=1) as card:
        card.enable()
        q = card.queue()
        before = card.m.get('card0', 'stats')
        for _ in range(3):
            expect('NOP', q.run(HW.IO_NOP).status, HW.SC_SUCCESS)
        for _ in range(2):
            expect('ping', card.message(q, FW.OP_PING)[0], 0)
        card.admin.run(HW.ADMIN_NOP)
        stats = card.m.get('card0', 'stats')
        expect('I/O commands', counts(stats['io-commands']), {HW.IO_NOP: 3, HW.IO_MSG: 2})
        expect('admin NOPs', counts(stats['admin-commands'])[HW.ADMIN_NOP], 1)
        expect('messages', counts(stats['messages']), {FW.OP_PING: 2})
        total = sum(e['count'] for e in stats['latency'])
        expect('latencies', total - sum(e['count'] for e in before['latency']), 6)
        expect('latencies', total, card.m.get('card0', 'stat-completions'))
        moved = [stats[f'dma-bytes-{way}'] - before[f'dma-bytes-{way}']
                 for way in ('read', 'written')]
        # Entries of 64 bytes, completions of 16, messages and answers of 16
        expect('DMA', moved, [6 * 64 + 2 * 16, 6 * 16 + 2 * 16])


def test_queue_depths():
    with OneCard() as card:
        card.enable()
        q = card.queue(3, entries=8)
        card.m.set('card0', 'x-withhold', True)
        for _ in range(5):
            q.push(HW.IO_NOP)
        q.ring()
        # Answered when the card has taken what was there before.
        card.admin.run(HW.ADMIN_NOP)

        def depths():
            found = [e for e in card.m.get('card0', 'stats')['queues'] if e['queue'] == 3][0]
            return found['entries'], found['in-ring'], found['taken'], found['deepest']

        card.m.until('depths', lambda: depths() == (8, 0, 5, 5))
        card.m.set('card0', 'x-withhold', False)
        expect('completions', [q.pop().status for _ in range(5)], [HW.SC_SUCCESS] * 5)
        expect('depths', depths(), (8, 0, 0, 5))


def test_engine_time():
    with OneCard(engines=1) as card:
        card.enable()
        q = card.queue()
        number = provision(card, q)
        idle = card.m.get('card0', 'stats')['engine-busy-us']
        expect('no time passes', card.m.get('card0', 'stats')['engine-busy-us'], idle)
        start_slow(card, q, number)
        busy = card.m.get('card0', 'stats')['engine-busy-us']
        expect('at work', busy > idle, True)
        card.m.until('going on', lambda: card.m.get('card0', 'stats')['engine-busy-us'] > busy)
