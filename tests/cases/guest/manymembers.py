#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""hagroup listgroups with 32 members, three of which hang: quick, and right about the others.

The members are partitions of three cards; the third card, which has three of them, stops
answering: neither commands nor aborts complete. How long the look takes, its program's start
and end included, is printed, and the best of some has to be quick; of each one only that it
ends, since what else the machine does meanwhile is not known.
"""

import json
import subprocess
import sys
import time

from ktap import Results, haadm
from procedure import GROUP

CONFIG_FILE = '/etc/pciehsm/ha.conf'
# Slot, and how many of the members are on that card
CARDS = ((100, 15), (101, 14), (102, 3))
# A look, on a machine where it takes less than SLOW_SECONDS if all members answer; and any
QUICK_SECONDS, SLOW_SECONDS = 3, 1
LIMIT_SECONDS = 60
LOOKS = 4


def secret(name):
    with open(f'/tmp/{name}', 'w', encoding='utf-8') as f:
        f.write(f'{name}-password-1\n')
    subprocess.run(['chmod', '600', f'/tmp/{name}'], check=True)
    return f'/tmp/{name}'


def script(lines):
    run = subprocess.run(['haadm'], input='\n'.join(lines) + '\n', capture_output=True, text=True,
                         check=False, timeout=600)
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr


def partitions(slot):
    status, out, err = haadm('--json', 'slot', 'partitionlist', '-slot', str(slot))
    assert status == 0, out + err
    return [p['serial'] for p in json.loads(out)['partitions']]


def set_up():
    """Give the members' serials, by card."""
    so, po, domain = map(secret, ('so', 'po', 'domain'))
    found = []
    for slot, count in CARDS:
        script([f'hsm init -slot {slot} -label h{slot} -auth -force --password-file {so}'] +
               [f'partition create -slot {slot}'] * count)
        found.append(partitions(slot))
        script([f'partition init -serial {serial} -label p{serial} -force --password-file {po} '
                f'--domain-file {domain}' for serial in found[-1]])
    serials = [serial for card in found for serial in card]
    group = {'label': GROUP, 'number': '1' + serials[0], 'slot': 5, 'synchronize': True,
             'members': [{'serial': serial, 'standby': False} for serial in serials]}
    with open(CONFIG_FILE, 'w', encoding='utf-8') as f:
        json.dump({'version': 1, 'generation': 1, 'groups': [group]}, f)
    return found


def look():
    """(seconds, members by their serials) of one hagroup listgroups."""
    begun = time.monotonic()
    status, out, err = haadm('--json', 'hagroup', 'listgroups')
    seconds = time.monotonic() - begun
    assert status == 0, out + err
    return seconds, {m['serial']: m for m in json.loads(out)['groups'][0]['members']}


def states(found):
    """What is to be read when it is wrong: a line for each member."""
    return '\n'.join(f'{serial} "{m["label"]}": {m["state"]}, {m["reason"]}'
                     for serial, m in found.items())


def main():
    results = Results()
    by_card = set_up()
    members = [serial for card in by_card for serial in card]
    results.result('there are 32 members', len(members) == 32, by_card)
    without = LIMIT_SECONDS
    for _ in range(2):
        seconds, found = look()
        without = min(without, seconds)
    print(f'# {without:.2f} s while all answer')
    results.result('all are alive', all(m['state'] == 'alive' for m in found.values()),
                   states(found))
    for name in ('x-withhold-admin', 'x-withhold'):
        subprocess.run(['vmctl', 'qmp', 'qom-set', 'path=/machine/peripheral/card2',
                        f'property={name}', 'value=true'], check=True, stdout=subprocess.DEVNULL)
    # The first finds a card that has just begun to hang; the later ones what the driver made of it.
    limit = QUICK_SECONDS * max(1, without / SLOW_SECONDS)
    best = LIMIT_SECONDS
    for number in range(1, LOOKS + 1):
        seconds, found = look()
        print(f'# {seconds:.2f} s while three of 32 hang, look {number}')
        results.result(f'look {number}: it ends', seconds < LIMIT_SECONDS, seconds)
        results.result(f'look {number}: the three are down',
                       all(found[s]['state'] == 'down' for s in by_card[2]), states(found))
        # One that took longer had no time left for all of the others, maybe.
        if seconds < limit:
            results.result(f'look {number}: the others are shown right',
                           all((found[s]['state'], found[s]['label']) == ('alive', f'p{s}')
                               for card in by_card[:2] for s in card), states(found))
        best = min(best, seconds)
    results.result('it is quick', best < limit, f'{best:.2f} s, not {limit:.2f} s')
    return results.end()


if __name__ == '__main__':
    sys.exit(main())
