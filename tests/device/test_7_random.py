# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest that does anything at all. The card may refuse it; it must live on.

PCIEHSM_SEED replays one run, PCIEHSM_STEPS makes it longer.
"""

import os
import random
import struct

from card import ALL_ONES, FW, HW, OneCard, expect, sqe
from machine import Broken, NOWHERE, RAM

STEPS = int(os.environ.get('PCIEHSM_STEPS', '4000'))
PAGES = range(0x0200_0000, 0x0240_0000, 4096)


class Monkey:
    """Random accesses that are near enough to right ones to get far."""

    def __init__(self, card, seed):
        self.card = card
        self.r = random.Random(seed)
        self.enabled = False
        self.last = None

    def address(self):
        r = self.r
        return r.choice([r.choice(PAGES), r.choice(PAGES) + r.randrange(4096),
                         RAM - r.randrange(64), NOWHERE, self.card.bar0 + r.randrange(0x2000),
                         self.card.bar2, 0, (1 << 64) - r.randrange(1, 5000), r.getrandbits(64)])

    def number(self):
        r = self.r
        return r.choice([0, 1, 2, r.randrange(70), r.randrange(4096), r.getrandbits(16), 1 << 20,
                         ALL_ONES, r.getrandbits(32)])

    def data(self):
        r = self.r
        if r.random() < 0.4:
            return 0, 0, 0
        if r.random() < 0.6:
            return r.choice(PAGES), r.choice([16, 64, 256, 4096, 1 << 20]), 0
        count = r.choice([1, 2, 3, 511, 512, 513])
        if r.random() < 0.6:
            pieces = [(r.choice(PAGES), r.choice([1, 8, 100])) for _ in range(min(count, 8))]
            where = r.choice(PAGES)
            self.card.m.store(where, b''.join(struct.pack('<QII', *p, 0) for p in pieces))
            return where, sum(p[1] for p in pieces), len(pieces)
        return self.address(), self.number(), r.choice([0, 1, count, self.number()])

    def entry(self, admin):
        r = self.r
        if admin:
            opcode = r.choice([HW.ADMIN_CREATE_CQ, HW.ADMIN_CREATE_SQ, HW.ADMIN_DELETE_CQ,
                               HW.ADMIN_DELETE_SQ, HW.ADMIN_ABORT, HW.ADMIN_EVENT,
                               HW.ADMIN_IDENTIFY, HW.ADMIN_PARTITIONS, HW.ADMIN_CONTEXT_CLOSE,
                               HW.ADMIN_NOP, r.randrange(256)])
            if opcode in (HW.ADMIN_CREATE_CQ, HW.ADMIN_CREATE_SQ) and r.random() < 0.8:
                qid = r.randrange(1, 6)
                return sqe(opcode, r.getrandbits(4), data_in=(r.choice(PAGES), 0, 0),
                           args=(qid | r.choice([1, 2, 7, 63]) << 16, r.randrange(1, 6)))
            if opcode in (HW.ADMIN_DELETE_CQ, HW.ADMIN_DELETE_SQ, HW.ADMIN_ABORT) and \
                    r.random() < 0.8:
                return sqe(opcode, r.getrandbits(4), args=(r.randrange(6) | r.getrandbits(4) << 16,))
        else:
            opcode = r.choice([HW.IO_MSG, HW.IO_MSG, HW.IO_MSG, HW.IO_NOP, r.randrange(256)])
        op = r.choice([FW.OP_PING, FW.OP_RANDOM, FW.OP_HSM_INFO, r.getrandbits(32)])
        data_in = self.data()
        if not data_in[2] and data_in[0] in PAGES and r.random() < 0.9:
            length = r.choice([data_in[1], 16, self.number()])
            self.card.m.store(data_in[0], struct.pack('<IIII', length, op, 0, 0))
        return sqe(opcode, r.getrandbits(4), r.choice([0, 0, 0, self.number()]),
                   r.choice([1, 2, 3, self.number()]), op, data_in, self.data(),
                   [self.number() for _ in range(4)], r.choice([0] * 20 + [1, 255]))

    def step(self):
        r, card = self.r, self.card
        kind = r.random()
        if kind < 0.55:
            qid = r.choice([0, 0, 1, 2, 3, 4, 5])
            ring = card.admin.sq if qid == 0 else r.choice(PAGES)
            count = r.randrange(1, 8)
            for slot in range(count):
                card.m.store(ring + slot * 64, self.entry(qid == 0))
            card.write(HW.DB_BASE + qid * 8, r.choice([count, r.randrange(32)]))
        elif kind < 0.75:
            card.write(HW.DB_BASE + r.randrange(6) * 8 + 4, r.choice([0, 0, r.randrange(32)]))
        elif kind < 0.80:
            card.write(r.randrange(HW.BAR0_SIZE), r.getrandbits(64), r.choice([1, 2, 4, 8]))
        elif kind < 0.84:
            card.m.clock_step(r.choice([0.001, 1, 500, 3000]))
        elif kind < 0.86:
            card.m.set('card0', r.choice(['x-withhold', 'x-withhold-admin']), r.random() < 0.3)
        elif kind < 0.87:
            card.m.set('card0', 'x-gone', r.random() < 0.5)
        elif kind < 0.89:
            card.config(4, 2, r.choice([6, 6, 2, 0]))
        elif kind < 0.90:
            card.config(card.power, 2, r.choice([0, 0, 3]))
        elif kind < 0.905:
            card.config(card.express + 8, 2, 0x8000)
        elif kind < 0.91:
            card.m.command('stop')
            card.m.command('cont')
        else:
            self.again()

    def again(self):
        card, r = self.card, self.r
        card.write(HW.REG_CC, 0)
        if card.config(0, 4) == ALL_ONES:
            card.m.set('card0', 'x-gone', False)
        card.config(card.power, 2, 0)
        card.setup()
        card.write(HW.REG_AQA, r.choice([31, 7, 1]) | r.choice([31, 7, 1]) << 16)
        card.write(HW.REG_ASQ, card.admin.sq, 8)
        card.write(HW.REG_ACQ, r.choice([card.admin.cq, r.choice(PAGES)]), 8)
        card.write(HW.REG_CC, r.choice([HW.CC_EN] * 9 + [HW.CC_EN | HW.CC_SHN]))


def run(seed):
    with OneCard(memory='4M', engines=3) as card:
        card.power = card.capability(1) + 4
        card.express = card.capability(0x10)
        card.enable()
        monkey = Monkey(card, seed)
        try:
            for _ in range(STEPS):
                monkey.step()
        except Broken as e:
            raise Broken(f'seed {seed}: {e}') from e
        # And now like any guest
        for name in ('x-gone', 'x-withhold', 'x-withhold-admin'):
            card.m.set('card0', name, False)
        monkey.again()
        card.disable()
        card.next = PAGES[-1] + 8192
        card.enable()
        expect('ping', card.message(card.queue(), FW.OP_PING, context=99)[0], 0)


def test_anything():
    seed = os.environ.get('PCIEHSM_SEED')
    for number in [int(seed)] if seed else range(1, 4):
        run(number)
