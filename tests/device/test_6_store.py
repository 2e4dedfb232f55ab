# SPDX-License-Identifier: GPL-2.0-or-later
"""The card's store: what is in it after a loss of power, and who may open it."""

import base64
import contextlib
import os
import tempfile

from card import BASE, Card, FW, HW, PIN, expect, field, option, port
from machine import Machine


@contextlib.contextmanager
def store():
    with tempfile.TemporaryDirectory(prefix='pciehsm-store-') as folder:
        yield os.path.join(folder, 'card.db')


def secret(byte):
    return (f'secret,id=key,format=base64,data={base64.b64encode(bytes([byte]) * 32).decode()}',)


def partitions(card):
    """Numbers of the partitions, and how often the card was switched on."""
    out = card.alloc(128 * HW.MAX_PARTITIONS)
    done = card.admin.run(HW.ADMIN_PARTITIONS, data_out=(out, 128 * HW.MAX_PARTITIONS, 0))
    numbers = [int.from_bytes(card.m.load(out + 128 * n, 4), 'little') for n in range(done.result)]
    card.admin.run(HW.ADMIN_HEALTH, data_out=(out, 64, 0))
    return numbers, int.from_bytes(card.m.load(out + 16, 8), 'little')


def create(card, count):
    q = card.queue()
    card.command(q, FW.OP_HSM_INIT, field(FW.F_LABEL, 'hsm') + field(FW.F_PIN, PIN))
    card.command(q, FW.OP_LOGIN, field(FW.F_ROLE, FW.ROLE_SO) + field(FW.F_PIN, PIN))
    for _ in range(count):
        card.command(q, FW.OP_PARTITION_CREATE)
    return q


def kill(machine):
    """A loss of power."""
    machine.process.kill()
    machine.process.wait()


def test_what_was_answered_outlives_a_loss_of_power():
    with store() as path:
        machine = Machine(port(), option(store=path))
        try:
            machine.__enter__()
            card = Card(machine).plug().enable()
            create(card, 2)
            numbers, switched_on = partitions(card)
            kill(machine)
        finally:
            machine.clean()
        expect('numbers', numbers, [BASE, BASE + 1])
        with Machine(port(), option(store=path)) as machine:
            card = Card(machine).plug().enable()
            expect('after power-on', partitions(card), (numbers, switched_on + 1))


def test_serial_number_is_burnt_in():
    with store() as path:
        with Machine(port(), option(store=path)):
            pass
        with Machine(port(), option(store=path, serial=7), fails=True) as machine:
            expect('refused', 'serial' in machine.error, True)


def test_master_key():
    with store() as path:
        sealed = option(store=path, master_secret='key')
        with Machine(port(), sealed, objects=secret(1)) as machine:
            create(Card(machine).plug().enable(), 1)
        with Machine(port(), option(store=path), fails=True) as machine:
            expect('without the key', 'master' in machine.error, True)
        with Machine(port(), sealed, objects=secret(2), fails=True) as machine:
            expect('with another key', 'master' in machine.error, True)
        with Machine(port(), sealed, objects=secret(1)) as machine:
            expect('partitions', partitions(Card(machine).plug().enable())[0], [BASE])


def test_damaged_store_is_refused():
    with store() as path:
        with open(path, 'wb') as f:
            f.write(b'this is no store' * 1000)
        with Machine(port(), option(store=path), fails=True) as machine:
            expect('refused', path in machine.error, True)
        with open(path, 'rb') as f:
            expect('untouched', f.read(16), b'this is no store')
