#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The PCI side of a card in hsm show, against what lspci and sysfs say."""

import json
import os
import re
import subprocess
import sys
import time

from ktap import Results, haadm

SERIALS = ('154438', '1238700')
PATIENCE = 60


def show(serial):
    status, out, err = haadm('--json', 'hsm', 'show', '-serial', serial)
    assert status == 0, out + err
    return json.loads(out)['pci']


def lspci(address):
    return subprocess.run(['lspci', '-vv', '-s', address], check=True, capture_output=True,
                          text=True).stdout


def test_address_and_driver():
    for card, serial in enumerate(SERIALS):
        pci = show(serial)
        link = os.path.realpath(f'/sys/class/hsm/hsm{card}/device')
        assert os.path.basename(link) == pci['address'], (link, pci)
        assert (pci['driver'], pci['driver_state'], pci['resets']) == ('pciehsm', 'live', 0), pci


def test_link():
    for serial in SERIALS:
        pci = show(serial)
        text = lspci(pci['address'])
        for name, speed, width in (('LnkCap', 'link_speed_max', 'link_width_max'),
                                   ('LnkSta', 'link_speed', 'link_width')):
            found = re.search(rf'{name}:.*Speed ([\d.]+GT/s).*Width x(\d+)', text)
            assert found, text
            assert (pci[speed].replace(' ', ''), pci[width]) == (found[1], int(found[2])), \
                (pci, text)


def test_physical_slot():
    for serial in SERIALS:
        pci = show(serial)
        slots = {}
        for name in os.listdir('/sys/bus/pci/slots'):
            with open(f'/sys/bus/pci/slots/{name}/address', encoding='ascii') as f:
                slots[f.read().strip()] = name
        assert pci['slot'] == slots.get(pci['address'].split('.')[0]), (pci, slots)
        assert pci['slot'], (pci, slots)


def counted(address, kind):
    with open(f'/sys/bus/pci/devices/{address}/aer_dev_{kind}', encoding='ascii') as f:
        return int(re.search(r'TOTAL_ERR_\w+ (\d+)', f.read())[1])


def inject(address, kind, error):
    """Have the link of the first card report an error, and wait until the kernel has counted it."""
    before = counted(address, kind)
    # QEMU passes a device's errors on only with SERR# enabled, too.
    subprocess.run(['setpci', '-s', address, 'COMMAND=100:100'], check=True)
    subprocess.run(['vmctl', 'hmp', 'pcie_aer_inject_error', 'card0', error], check=True,
                   stdout=subprocess.DEVNULL)
    limit = time.monotonic() + PATIENCE
    while counted(address, kind) == before:
        assert time.monotonic() < limit, f'{kind} {error} is not counted'
        time.sleep(0.05)


def test_errors_and_node():
    address = show(SERIALS[0])['address']
    inject(address, 'nonfatal', 'COMP_TIME')
    for serial in SERIALS:
        pci = show(serial)
        with open(f'/sys/bus/pci/devices/{pci["address"]}/numa_node', encoding='ascii') as f:
            assert pci['numa_node'] == int(f.read()), pci
        for kind in ('correctable', 'nonfatal', 'fatal'):
            assert pci['aer_' + kind] == counted(pci['address'], kind), pci
    pci = show(SERIALS[0])
    assert pci['aer_nonfatal'] > pci['aer_fatal'] == pci['aer_correctable'] == 0, pci


def test_text():
    status, out, err = haadm('hsm', 'show', '-serial', SERIALS[0])
    assert status == 0, out + err
    for name in ('PCI Address', 'PCI Slot', 'PCI Link', 'NUMA Node', 'Driver', 'PCI Errors'):
        assert f'        {name} ->' in out, out


def main():
    results = Results()
    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        results.run(*(f for n, f in globals().items() if n.startswith('test_')))
    return results.end()


if __name__ == '__main__':
    sys.exit(main())
