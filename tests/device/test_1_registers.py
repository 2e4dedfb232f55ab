# SPDX-License-Identifier: GPL-2.0-or-later
"""Configuration space, registers and doorbells, and what they refuse."""

from card import ALL_ONES, Card, HW, OneCard, SERIAL, expect, option, port
from machine import Machine, NOWHERE

REGISTERS = {HW.REG_CAP: 8, HW.REG_VS: 4, HW.REG_CC: 4, HW.REG_CSTS: 4, HW.REG_AQA: 4,
             HW.REG_FATAL: 4, HW.REG_ASQ: 8, HW.REG_ACQ: 8}
DB = HW.DB_BASE


def test_identity():
    with OneCard() as card:
        expect('vendor', card.config(0, 2), HW.PCI_VENDOR_ID)
        expect('device', card.config(2, 2), HW.PCI_DEVICE_ID)
        expect('class', card.config(8, 4) >> 8, HW.PCI_CLASS)
        for name, number in (('PM', 1), ('MSI-X', 0x11), ('PCI Express', 0x10)):
            expect(name, bool(card.capability(number)), True)
        express = card.capability(0x10)
        expect('endpoint', card.config(express + 2, 2) >> 4 & 15, 0)
        expect('FLR', card.config(express + 4, 4) >> 28 & 1, 1)
        expect('AER', card.config(0x100, 4) & 0xffff, 1)
        following = card.config(0x100, 4) >> 20
        expect('serial number', card.config(following, 4) & 0xffff, 3)
        expect('its value', card.config(following + 4, 4), SERIAL)


def test_bars():
    with OneCard() as card:
        card.config(0x10, 4, ALL_ONES)
        card.config(0x14, 4, ALL_ONES)
        low, high = card.config(0x10, 4), card.config(0x14, 4)
        expect('BAR0 type', low & 15, 4)
        expect('BAR0 size', -(high << 32 | low & ~15) & (1 << 64) - 1, HW.BAR0_SIZE)
        card.config(0x18, 4, ALL_ONES)
        expect('BAR2 type', card.config(0x18, 4) & 15, 0)


def test_values_at_power_on():
    with OneCard(queues=3, vectors=2, max_queue_entries=300) as card:
        cap = card.read(HW.REG_CAP, 8)
        expect('MQES', cap & 0xffff, 299)
        expect('MSGMAX', cap >> 32 & 0xffff, 256)
        expect('reserved', cap >> 48, 0)
        expect('TO', (cap >> 16 & 0xff) > 0, True)
        expect('VS', card.read(HW.REG_VS), HW.VS_CURRENT)
        for where in (HW.REG_CC, HW.REG_CSTS, HW.REG_AQA, HW.REG_FATAL):
            expect(f'0x{where:x}', card.read(where), 0)
        for where in (HW.REG_ASQ, HW.REG_ACQ):
            expect(f'0x{where:x}', card.read(where, 8), 0)
        expect('vectors', card.config(card.capability(0x11) + 2, 2) & 0x7ff, 1)


def right_width(where, size):
    if size == 4 and where % 4 == 0:
        return True
    return size == 8 and REGISTERS.get(where) == 8


def test_every_offset_and_width_read():
    with OneCard() as card:
        places = [*range(0, 0x48), *range(DB - 8, DB + 24), *range(DB + 64 * 8, DB + 66 * 8)]
        errors = 0
        for where in places:
            for size in (1, 2, 4, 8):
                found = card.read(where, size)
                if not right_width(where, size):
                    expect(f'0x{where:x} width {size}', found, (1 << size * 8) - 1)
                    errors += 1
                elif found == (1 << size * 8) - 1:
                    raise AssertionError(f'0x{where:x} width {size} reads all ones')
                elif where >= DB:
                    expect(f'doorbell 0x{where:x}', found, 0)
        if card.m.get('card0', 'stat-guest-errors') < errors:
            raise AssertionError('guest errors were not counted')
        for where in (HW.REG_CAP, HW.REG_ASQ):
            halves = card.read(where) | card.read(where + 4) << 32
            expect(f'halves of 0x{where:x}', halves, card.read(where, 8))


def test_every_offset_and_width_written():
    with OneCard() as card:
        kept = card.read(HW.REG_CAP, 8)
        for where in [*range(0, 0x48), *range(DB - 8, DB + 24), HW.BAR0_SIZE - 1]:
            for size in (1, 2, 4, 8):
                if where == HW.REG_CC and size == 4:
                    continue
                before = {r: card.read(r, s) for r, s in REGISTERS.items()}
                card.write(where, (1 << size * 8) - 2, size)
                after = {r: card.read(r, s) for r, s in REGISTERS.items()}
                may = {r for r in (HW.REG_AQA, HW.REG_ASQ, HW.REG_ACQ)
                       if r <= where < r + REGISTERS[r] and right_width(where, size)}
                changed = {r for r in REGISTERS if before[r] != after[r]}
                if changed - may:
                    raise AssertionError(f'write of {size} at 0x{where:x} changed {changed}')
        expect('CAP', card.read(HW.REG_CAP, 8), kept)


def test_8_byte_registers_in_halves():
    with OneCard() as card:
        for where in (HW.REG_ASQ, HW.REG_ACQ):
            card.write(where, 0x1234_5678_9abc_d000, 8)
            expect('whole', card.read(where, 8), 0x1234_5678_9abc_d000)
            card.write(where, 0x0000_e000)
            expect('low half', card.read(where, 8), 0x1234_5678_0000_e000)
            card.write(where + 4, 0x9)
            expect('high half', card.read(where, 8), 0x9_0000_e000)


def test_admin_queue_registers_are_fixed_while_enabled():
    with OneCard() as card:
        card.enable()
        for where, size in ((HW.REG_AQA, 4), (HW.REG_ASQ, 8), (HW.REG_ACQ, 8)):
            before = card.read(where, size)
            card.write(where, before ^ 0x1000, size)
            expect(f'0x{where:x}', card.read(where, size), before)
        expect('ready', card.ready(), True)
        expect('NOP', card.admin.run(HW.ADMIN_NOP).status, HW.SC_SUCCESS)


def test_unknown_control_bits_are_ignored():
    with OneCard() as card:
        card.enable()
        card.write(HW.REG_CC, 0xffff_fff1)
        expect('CC', card.read(HW.REG_CC), HW.CC_EN)
        expect('NOP', card.admin.run(HW.ADMIN_NOP).status, HW.SC_SUCCESS)


def test_enable_with_bad_admin_queue():
    with OneCard() as card:
        good = {HW.REG_AQA: 31 | 31 << 16, HW.REG_ASQ: 0x200000, HW.REG_ACQ: 0x300000}
        for where, value in ((HW.REG_AQA, 31 << 16), (HW.REG_AQA, 31),
                             (HW.REG_AQA, 4096 | 31 << 16), (HW.REG_AQA, ALL_ONES),
                             (HW.REG_ASQ, 0x200800), (HW.REG_ACQ, 0x300001),
                             (HW.REG_ASQ, (1 << 64) - 1024 * 4), (HW.REG_ACQ, ALL_ONES << 32 | 8)):
            aqa = 4095 | 31 << 16 if value == (1 << 64) - 1024 * 4 else good[HW.REG_AQA]
            card.write(HW.REG_AQA, aqa)
            card.write(HW.REG_ASQ, good[HW.REG_ASQ], 8)
            card.write(HW.REG_ACQ, good[HW.REG_ACQ], 8)
            card.write(where, value, REGISTERS[where])
            card.write(HW.REG_CC, HW.CC_EN)
            expect(f'fatal for 0x{where:x} = 0x{value:x}', card.fatal(), HW.FATAL_ADMIN_QUEUE)
            expect('ready', card.ready(), False)
            card.disable()
            expect('fatal after reset', card.csts(), 0)
        card.enable()
        expect('NOP', card.admin.run(HW.ADMIN_NOP).status, HW.SC_SUCCESS)


def test_rings_where_no_memory_is():
    with OneCard() as card:
        # Nothing, the card's own registers, its MSI-X table, another device's registers
        for bad in (NOWHERE, 1 << 40, card.bar0, card.bar2, 0xfed0_0000):
            for where in (HW.REG_ASQ, HW.REG_ACQ):
                card.write(HW.REG_AQA, 1 | 1 << 16)
                for register in (HW.REG_ASQ, HW.REG_ACQ):
                    ring = bad if register == where else card.alloc(4096)
                    card.write(register, ring, 8)
                card.write(HW.REG_CC, HW.CC_EN)
                expect('ready', card.ready(), True)
                card.write(DB, 1)
                card.m.until('fatal status', card.fatal)
                expect(f'fatal for a ring at 0x{bad:x}', card.fatal(), HW.FATAL_QUEUE_DMA)
                card.disable()
        card.enable()
        expect('NOP', card.admin.run(HW.ADMIN_NOP).status, HW.SC_SUCCESS)


def test_doorbells_outside_the_ring():
    with OneCard() as card:
        for where in (DB, DB + 4):
            for value in (32, 33, 0x10000, 0x8000_0000, ALL_ONES):
                card.enable(entries=32)
                card.write(where, value)
                expect(f'fatal for 0x{value:x} at 0x{where:x}', card.fatal(), HW.FATAL_DOORBELL)
                # It does nothing more until it is reset.
                card.admin.push(HW.ADMIN_NOP)
                card.admin.ring()
                card.m.clock_step(100)
                expect('completion', card.admin.peek(), None)
                card.disable()
        # Freeing a completion that there never was
        card.enable(entries=32)
        card.write(DB + 4, 1)
        expect('fatal', card.fatal(), HW.FATAL_DOORBELL)


def test_doorbells_of_no_queue():
    with OneCard() as card:
        for value in (0, 1, ALL_ONES):
            card.write(DB, value)
            card.write(DB + 4, value)
        expect('disabled', card.csts(), 0)
        card.enable()
        for qid in (1, 2, 64, 65, 1000, (HW.BAR0_SIZE - DB) // 8 - 1):
            for value in (0, 1, ALL_ONES):
                card.write(DB + qid * 8, value)
                card.write(DB + qid * 8 + 4, value)
        expect('NOP', card.admin.run(HW.ADMIN_NOP).status, HW.SC_SUCCESS)
        expect('fatal', card.fatal(), 0)


def test_msix_table():
    with OneCard(queues=64) as card:
        card.enable()
        card.admin.run(HW.ADMIN_NOP)
        card.interrupt(0)
        expect('another', card.interrupted(0), False)
        # Masked, it is kept pending
        card.m.write(card.bar2 + 12, 4, 1)
        card.admin.run(HW.ADMIN_NOP)
        card.m.until('pending', lambda: card.m.read(card.bar2 + 2048, 8) == 1)
        expect('masked', card.interrupted(0), False)
        card.m.write(card.bar2 + 12, 4, 0)
        card.interrupt(0)


def test_low_power_state():
    with OneCard() as card:
        card.enable()
        power = card.capability(1) + 4
        card.config(power, 2, card.config(power, 2) | 3)
        expect('reads', card.read(HW.REG_CSTS), ALL_ONES)
        card.write(HW.REG_CC, 0)
        card.admin.push(HW.ADMIN_NOP)
        card.admin.ring()
        card.config(power, 2, card.config(power, 2) & ~3)
        expect('still ready', card.ready(), True)
        card.m.clock_step(100)
        expect('lost doorbell', card.admin.peek(), None)
        card.admin.ring()
        expect('NOP', card.admin.pop().status, HW.SC_SUCCESS)


def test_bus_mastering_off():
    with OneCard() as card:
        card.enable()
        card.config(4, 2, 2)
        cid = card.admin.push(HW.ADMIN_NOP)
        card.admin.ring()
        card.m.clock_step(100)
        expect('completion', card.admin.peek(), None)
        expect('fatal', card.fatal(), 0)
        card.config(4, 2, 6)
        expect('cid', card.admin.pop().cid, cid)


REFUSED = {
    'serial=0': 'give serial=',
    'serial=1000000000000': 'from 1 to 999999999999',
    'partition-base=0': 'from 1 to 999999',
    'partition-base=1000000': 'from 1 to 999999',
    'engines=0': 'from 1 to 64',
    'engines=65': 'from 1 to 64',
    'queues=0': 'from 1 to 64',
    'queues=65': 'from 1 to 64',
    'vectors=66': 'from 1 to 65',
    'max-queue-entries=1': 'from 2 to 65536',
    'max-queue-entries=65537': 'from 2 to 65536',
    'max-partitions=0': 'from 1 to 100',
    'max-partitions=101': 'from 1 to 100',
    'memory=1M': 'memory',
    'model=0123456789abcdef': 'at most 15 bytes',
    'store=/nonexistent/x': '/nonexistent/x',
    'store=': 'give store=',
    'master-secret=nobody': 'nobody',
    'master-secret=short': 'must have 32',
    'bus=pci0': 'pcie-root-port',
}


def test_bad_properties_are_refused():
    for words, wanted in REFUSED.items():
        name, _, value = words.partition('=')
        with Machine(port(), 'pcie-pci-bridge,id=pci0,bus=pcie.0',
                     option(**{name.replace('-', '_'): value}), fails=True,
                     objects=['secret,id=short,data=abc']) as machine:
            if 'pciehsm' not in machine.error or wanted not in machine.error:
                raise AssertionError(f'{words}: {machine.error}')


def test_one_store_for_two_cards_is_refused():
    with Machine(port(0), port(1), option(0), option(1, store='STORE/0.db', serial=SERIAL),
                 fails=True) as machine:
        if 'pciehsm' not in machine.error:
            raise AssertionError(machine.error)


def test_many_cards():
    count = 4
    with Machine(*[port(n) for n in range(count)], *[option(n) for n in range(count)]) as machine:
        cards = [Card(machine, n).plug() for n in range(count)]
        queues = [card.enable().queue() for card in cards]
        for card, q in zip(cards, queues):
            out = card.alloc(256)
            done = card.admin.run(HW.ADMIN_IDENTIFY, data_out=(out, 256, 0))
            expect('identify', done.status, HW.SC_SUCCESS)
            serial = card.m.load(out, 24).rstrip(b'\0')
            expect('serial', serial, str(SERIAL + card.number).encode())
            expect('NOP', q.run(HW.IO_NOP).status, HW.SC_SUCCESS)
