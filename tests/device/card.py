# SPDX-License-Identifier: GPL-2.0-or-later
"""A driver for the card in a page or two: what the tests take the card through.

Numbers are those of hw.h and fw.h, read from there.
"""

import os
import re
import struct

from machine import Machine, REPO

UAPI = os.path.join(REPO, 'kmod', 'uapi', 'pciehsm')
ECAM = 0xb000_0000
BAR0 = 0xc000_0000
BAR2 = 0xc001_0000
# Where the guest's memory is used from, and where interrupts are written to
MEMORY = 0x0100_0000
MESSAGES = 0x0080_0000
SERIAL = 154438
BASE = 865287

PARTITION = BASE
ALL_ONES = 0xffff_ffff

# Where cards work that are made from now on: the main loop (None), or this object's thread
THREAD = None


def contract(name):
    """The constants of a header: #define NAME value, NAME = value and NAME."""
    with open(os.path.join(UAPI, name), encoding='utf-8') as f:
        text = re.sub(r'/\*.*?\*/', '', f.read(), flags=re.S).replace('\\\n', '')
    found = {}
    known = {'__builtins__': {}}
    macros = re.findall(r'^#define\s+(\w+)\((\w+)\)\s+(.+)$', text, re.M)
    for macro, argument, body in macros:
        known[macro] = None
    for key, value in re.findall(r'^(?:#define)?\s*(PCIEHSM_\w+)\s*=?\s+([^,\n]+?),?\s*$',
                                 text, re.M):
        value = re.sub(r'\b(0x[0-9a-fA-F]+|\d+)[uUlL]+\b', r'\1', value)
        for _ in range(4):
            for macro, argument, body in macros:
                value = re.sub(rf'\b{macro}\(([^()]*)\)',
                               lambda m, a=argument, b=body: re.sub(rf'\b{a}\b', m[1], b), value)
        value = re.sub(r'\b(0x[0-9a-fA-F]+|\d+)[uUlL]+\b', r'\1', value)
        try:
            found[key] = eval(value, {'__builtins__': {}}, found)
        except (NameError, SyntaxError, TypeError):
            continue
    return found


class Names:
    """Constants without their prefix: HW.SC_SUCCESS."""

    def __init__(self, values):
        for key, value in values.items():
            setattr(self, key.removeprefix('PCIEHSM_'), value)


HW = Names(contract('hw.h'))
FW = Names(contract('fw.h'))


def expect(what, found, wanted):
    if found != wanted:
        show = [f'0x{v:x}' if isinstance(v, int) and not isinstance(v, bool) else repr(v)
                for v in (found, wanted)]
        raise AssertionError(f'{what}: found {show[0]}, wanted {show[1]}')


class Completion:
    """One entry of a completion queue."""

    SIZE = 16

    def __init__(self, data):
        (self.result, self.result2, self.sq_head, self.sq_id, self.cid,
         self.raw) = struct.unpack('<IIHHHH', data)
        self.phase = self.raw & 1
        self.status = self.raw >> 1 & 0x3fff
        self.not_executed = bool(self.raw & HW.CQE_NOT_EXECUTED)

    def __repr__(self):
        return (f'<cid 0x{self.cid:x} status 0x{self.status:x} not_executed {self.not_executed} '
                f'result 0x{self.result:x}/0x{self.result2:x} sq {self.sq_id} head {self.sq_head}>')


def sqe(opcode, cid, partition=0, context=0, msg_op=0, data_in=(0, 0, 0), data_out=(0, 0, 0),
        args=(), flags=0):
    """One entry of a submission queue; data is (address, length, segments)."""
    args = tuple(args) + (0,) * (4 - len(args))
    return struct.pack('<BBHIII QII QII 4I', opcode, flags, cid, partition, context, msg_op,
                       *data_in, *data_out, *args)


class Queue:
    """A queue pair in guest memory."""

    def __init__(self, card, qid, entries, cq_entries=None):
        self.card = card
        self.qid = qid
        self.entries = entries
        self.cq_entries = cq_entries or entries
        self.sq = card.alloc(entries * 64)
        self.cq = card.alloc(self.cq_entries * 16)
        self.tail = self.head = 0
        self.phase = 1
        self.sq_head = 0
        self.cid = 0

    def next_cid(self):
        self.cid = (self.cid + 1) & 0xffff
        return self.cid

    def push(self, opcode, cid=None, **fields):
        """Write an entry, without telling the card."""
        cid = self.next_cid() if cid is None else cid
        self.card.m.store(self.sq + self.tail * 64, sqe(opcode, cid, **fields))
        self.tail = (self.tail + 1) % self.entries
        return cid

    def ring(self):
        self.card.write(HW.DB_BASE + self.qid * 8, self.tail)

    def ring_taken(self):
        """The same, and wait until no command is left in the ring.

        A card in a thread of its own may come to the admin queue before that.
        """
        self.ring()

        def in_ring():
            queues = self.card.m.get(self.card.id, 'stats')['queues']
            return [e['in-ring'] for e in queues if e['queue'] == self.qid]

        self.card.m.until('commands taken', lambda: in_ring() == [0])

    def peek(self):
        """The next completion, or None."""
        entry = Completion(self.card.m.load(self.cq + self.head * 16, 16))
        return entry if entry.phase == self.phase else None

    def pop(self, free=True):
        """Wait for the next completion."""
        entry = self.card.m.until(f'completion on queue {self.qid}', self.peek)
        self.head += 1
        if self.head == self.cq_entries:
            self.head = 0
            self.phase ^= 1
        self.sq_head = entry.sq_head
        if free:
            self.free()
        return entry

    def free(self):
        """Tell the card how far completions were read."""
        self.card.write(HW.DB_BASE + self.qid * 8 + 4, self.head)

    def run(self, opcode, **fields):
        """One command to its end; progress reports are passed over."""
        cid = self.push(opcode, **fields)
        self.ring()
        return self.wait(cid)

    def wait(self, cid):
        while True:
            entry = self.pop()
            if entry.status != HW.SC_PROGRESS:
                expect('cid', entry.cid, cid)
                return entry


class Card:
    """The card behind the first root port, and what its guest knows."""

    PORT = 2                # device number of its root port on bus 0

    def __init__(self, machine, number=0):
        self.m = machine
        self.number = number
        self.bus = number + 1
        self.id = f'card{number}'
        self.bar0 = BAR0 + number * 0x10_0000
        self.bar2 = BAR2 + number * 0x10_0000
        self.next = MEMORY + number * 0x0400_0000
        self.admin = None
        self.context = 1

    # --- PCI ---

    def config(self, where, size, value=None, port=False):
        """Read or write configuration space: the card's or its port's."""
        address = ECAM + where
        address += (self.PORT + self.number) << 15 if port else self.bus << 20
        if value is None:
            return self.m.read(address, size)
        return self.m.write(address, size, value)

    def capability(self, wanted):
        where = self.config(0x34, 1)
        while where:
            if self.config(where, 1) == wanted:
                return where
            where = self.config(where + 1, 1)
        raise AssertionError(f'no capability 0x{wanted:x}')

    def plug(self):
        """What firmware does: numbers, windows, BARs."""
        self.m.outl(0xcf8, 0x8000_0060)
        self.m.outl(0xcfc, ECAM | 1)
        self.config(0x18, 4, self.bus << 16 | self.bus << 8, port=True)
        window = self.bar0 >> 16
        self.config(0x20, 4, window << 16 | window, port=True)
        self.config(0x24, 4, 0x0000_fff0, port=True)
        self.config(0x04, 2, 6, port=True)
        self.setup()
        return self

    def setup(self):
        self.config(0x10, 4, self.bar0)
        self.config(0x14, 4, 0)
        self.config(0x18, 4, self.bar2)
        self.config(0x04, 2, 6)
        for vector in range(HW.MAX_VECTORS):
            self.m.store(MESSAGES + vector * 4, bytes(4))
        msix = self.capability(0x11)
        vectors = (self.config(msix + 2, 2) & 0x7ff) + 1
        for vector in range(vectors):
            entry = self.bar2 + vector * 16
            self.m.write(entry, 4, MESSAGES + vector * 4)
            self.m.write(entry + 4, 4, 0)
            self.m.write(entry + 8, 4, 0x1000 + vector)
            self.m.write(entry + 12, 4, 0)
        self.config(msix + 2, 2, 0x8000)

    def interrupted(self, vector):
        """Was there an interrupt since the last call?"""
        where = MESSAGES + vector * 4
        data = self.m.load(where, 4)
        self.m.store(where, bytes(4))
        return struct.unpack('<I', data)[0] == 0x1000 + vector

    def interrupt(self, vector):
        """Wait for one, which comes after the completion."""
        self.m.until(f'interrupt {vector}', lambda: self.interrupted(vector))

    # --- registers and memory ---

    def read(self, where, size=4):
        return self.m.read(self.bar0 + where, size)

    def write(self, where, value, size=4):
        self.m.write(self.bar0 + where, size, value)

    def alloc(self, size, align=4096):
        where = (self.next + align - 1) // align * align
        self.next = where + size
        self.m.store(where, bytes(size))
        return where

    def csts(self):
        return self.read(HW.REG_CSTS)

    def ready(self):
        return bool(self.csts() & HW.CSTS_RDY)

    def fatal(self):
        """The fatal status, 0 if there is none."""
        if not self.csts() & HW.CSTS_CFS:
            return 0
        return self.read(HW.REG_FATAL)

    # --- the controller's life ---

    def enable(self, entries=32, cq_entries=None):
        self.admin = Queue(self, 0, entries, cq_entries)
        self.write(HW.REG_AQA, entries - 1 | self.admin.cq_entries - 1 << 16)
        self.write(HW.REG_ASQ, self.admin.sq, 8)
        self.write(HW.REG_ACQ, self.admin.cq, 8)
        self.write(HW.REG_CC, HW.CC_EN)
        self.m.until('RDY', self.ready)
        return self

    def disable(self):
        self.write(HW.REG_CC, 0)
        self.m.until('not RDY', lambda: not self.ready())

    def queue(self, qid=1, entries=32, cq_entries=None, vector=None):
        """Create an I/O queue pair."""
        q = Queue(self, qid, entries, cq_entries)
        vector = qid if vector is None else vector
        done = self.admin.run(HW.ADMIN_CREATE_CQ, data_in=(q.cq, 0, 0),
                              args=(qid | q.cq_entries - 1 << 16, vector))
        expect('create CQ', done.status, HW.SC_SUCCESS)
        done = self.admin.run(HW.ADMIN_CREATE_SQ, data_in=(q.sq, 0, 0),
                              args=(qid | entries - 1 << 16, qid))
        expect('create SQ', done.status, HW.SC_SUCCESS)
        return q

    # --- messages ---

    def push_message(self, q, op, body=b'', room=4096, partition=0, context=None, **fields):
        """Place a message; give the command's cid and the address of the answer."""
        data = struct.pack('<IIII', 16 + len(body), op, 0, 0) + body
        where = self.alloc(len(data), 16)
        out = self.alloc(room, 16)
        self.m.store(where, data)
        fields = dict({'msg_op': op, 'data_in': (where, len(data), 0),
                       'data_out': (out, room, 0)}, **fields)
        context = self.context if context is None else context
        return q.push(HW.IO_MSG, partition=partition, context=context, **fields), out

    def message(self, q, op, body=b'', **fields):
        """One message; gives its answer (rv, fields)."""
        cid, out = self.push_message(q, op, body, **fields)
        q.ring()
        done = q.wait(cid)
        expect(f'status of message 0x{op:x}', done.status, HW.SC_SUCCESS)
        return answer(self.m.load(out, done.result))

    def command(self, q, op, body=b'', **fields):
        """One message that must succeed; gives the answer's fields."""
        rv, found = self.message(q, op, body, **fields)
        expect(f'rv of message 0x{op:x}', rv, 0)
        return found


def field(name, value):
    """One field of a message: a number (u32), text, or bytes."""
    if isinstance(value, int):
        value = struct.pack('<I', value)
    elif isinstance(value, str):
        value = value.encode()
    return struct.pack('<HHI', name, 0, len(value)) + value + bytes(-len(value) % 8)


def attribute(kind, value):
    return struct.pack('<II', kind, len(value)) + value + bytes(-len(value) % 8)


def answer(data):
    length, _op, _session, rv = struct.unpack('<IIII', data[:16])
    expect('length of the answer', length, len(data))
    found = {}
    at = 16
    while at < length:
        name, _, size = struct.unpack('<HHI', data[at:at + 8])
        found[name] = data[at + 8:at + 8 + size]
        at += 8 + size + -size % 8
    return rv, found


def option(number=0, **properties):
    """The -device option of a card behind port rpN."""
    values = {'id': f'card{number}', 'bus': f'rp{number}', 'serial': SERIAL + number,
              'partition-base': BASE, 'store': f'STORE/{number}.db', 'iothread': THREAD}
    values.update({key.replace('_', '-'): value for key, value in properties.items()})
    return ','.join(['pciehsm'] + [f'{key}={value}' for key, value in values.items()
                                   if value is not None])


def port(number=0):
    return (f'pcie-root-port,id=rp{number},chassis={number + 1},bus=pcie.0,'
            f'addr={Card.PORT + number}')


class OneCard(Machine):
    """A machine with one card, which is on the bus when it begins."""

    def __init__(self, **properties):
        super().__init__(port(), option(**properties))

    def __enter__(self):
        super().__enter__()
        try:
            return Card(self).plug()
        except BaseException:
            self.clean()
            raise


# --- work that takes long ---

CKM_RSA_PKCS_KEY_PAIR_GEN = 0
CKA_TOKEN, CKA_SIGN, CKA_VERIFY, CKA_MODULUS_BITS = 0x001, 0x108, 0x10a, 0x121
PIN = 'a-password'


def provision(card, q):
    """A partition whose Crypto Officer is logged in in card.context; gives its number."""
    role = field(FW.F_ROLE, FW.ROLE_SO)
    card.command(q, FW.OP_HSM_INIT, field(FW.F_LABEL, 'hsm') + field(FW.F_PIN, PIN))
    card.command(q, FW.OP_LOGIN, role + field(FW.F_PIN, PIN))
    card.command(q, FW.OP_PARTITION_CREATE)
    out = card.alloc(128)
    done = card.admin.run(HW.ADMIN_PARTITIONS, data_out=(out, 128, 0))
    number = struct.unpack('<I', card.m.load(out, 4))[0]
    expect('partitions', (done.status, done.result > 0), (HW.SC_SUCCESS, True))

    def command(op, body):
        card.command(q, op, body, partition=number)

    command(FW.OP_PARTITION_INIT, field(FW.F_LABEL, 'par0') + field(FW.F_PIN, PIN) +
            field(FW.F_DOMAIN, 'domain'))
    command(FW.OP_LOGIN, field(FW.F_ROLE, FW.ROLE_PO) + field(FW.F_PIN, PIN))
    role = field(FW.F_ROLE, FW.ROLE_CO)
    command(FW.OP_ROLE_INIT, role + field(FW.F_PIN, PIN))
    command(FW.OP_LOGOUT, b'')
    command(FW.OP_ROLE_SET_PIN, role + field(FW.F_PIN, PIN) + field(FW.F_NEW_PIN, PIN + '2'))
    command(FW.OP_LOGIN, role + field(FW.F_PIN, PIN + '2'))
    return number


def push_slow(card, q, partition, **fields):
    """Place a command that keeps an engine busy for a second or more."""
    true = b'\1'
    body = (field(FW.F_MECHANISM, CKM_RSA_PKCS_KEY_PAIR_GEN) +
            field(FW.F_OUID, os.urandom(16)) + field(FW.F_OUID2, os.urandom(16)) +
            field(FW.F_TEMPLATE, attribute(CKA_MODULUS_BITS, struct.pack('<Q', 4096)) +
                  attribute(CKA_VERIFY, true) + attribute(CKA_TOKEN, b'\0')) +
            field(FW.F_TEMPLATE2, attribute(CKA_SIGN, true) + attribute(CKA_TOKEN, b'\0')))
    return card.push_message(q, FW.OP_GENERATE_KEY_PAIR, body, partition=partition, **fields)


def start_slow(card, q, partition):
    """The same, and wait until it is being worked on; the card does nothing else."""
    while True:
        cid, out = push_slow(card, q, partition)
        q.ring()
        done = None
        while not done:
            # Only its own signs of life can make the card report it.
            card.m.clock_step(500)
            done = q.peek()
        q.pop()
        expect('cid', done.cid, cid)
        if done.status == HW.SC_PROGRESS:
            return cid, out
