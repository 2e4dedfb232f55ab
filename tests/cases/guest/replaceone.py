#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The procedure as one command, hagroup replace: killed at each of its steps, and run again.

An application works with the group all the time. Each time its second member is lost, and
replaced by a command that dies before one of the things that it changes; the same command,
given again, has to end what was begun. Last, the group's operator makes the new member standby.
"""

import json
import os
import signal
import subprocess
import sys

from ktap import REPO, Results, haadm
# pylint: disable=wrong-import-order
from application import Application
from procedure import (CO_PASSWORD, DOMAIN, GROUP, OLD, PO_PASSWORD, SO_PASSWORD, STAYS,
                       Operators)

KILLER = os.path.join(REPO, 'build', 'clients', 'killer.so')
# What it dies before. That the objects are there already, when it gets to bring them, is
# possible: the application's own library brings them, too.
DEATHS = (('the partition is created', 'card:1', True),
          ('it is initialised', 'card:2', True),
          ('the Crypto Officer is made', 'card:3', True),
          ('the password is set', 'card:4', True),
          ('it is added to the group', 'config:1', True),
          ('the first object is brought', 'card:5', False),
          ('the lost member is removed', 'config:2', True))


def secret(name, text):
    path = f'/tmp/{name}'
    with open(path, 'w', encoding='utf-8', opener=lambda p, f: os.open(p, f, 0o600)) as f:
        f.write(text + '\n')
    return path


SO, PO, CO, SHARED = (secret(*s) for s in (('so', SO_PASSWORD), ('po', PO_PASSWORD),
                                           ('co', CO_PASSWORD), ('domain', DOMAIN)))


def ok(*words):
    status, out, err = haadm('--json', *words)
    assert status == 0, f'{" ".join(words)}: exit status {status}\n{out}{err}'
    return json.loads(out)


def lose_member():
    ok('hsm', 'init', '-serial', '1238700', '-label', 'hsm1', '-force', '--password-file', SO)


def replace(old, **env):
    """(exit status, what it said) of the command that replaces this member."""
    run = subprocess.run(
        ['haadm', 'hagroup', 'replace', '-group', GROUP, '-old', old, '-hsm', '101',
         '-label', 'par1', '--password-file', CO, '--sopassword-file', SO,
         '--popassword-file', PO, '--domain-file', SHARED],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False, timeout=300, start_new_session=True, env=dict(os.environ, **env))
    return run.returncode, run.stdout


def members():
    group = ok('hagroup', 'listgroups')['groups'][0]
    return {m['serial']: m['state'] for m in group['members']}


def die_and_go_on(results, application, old, what, death, must_die):
    """Lose a member, replace it twice; gives the new member's serial."""
    lose_member()
    status, died = replace(old, LD_PRELOAD=KILLER, KILLER=death)
    killed = status == -signal.SIGKILL
    results.result(f'killed before {what}', killed or (not must_die and not status),
                   f'{death}: exit status {status}\n{died}')
    before = members()
    results.result(f'killed before {what}: the other member works', before[STAYS] == 'alive',
                   before)
    status, again = replace(old)
    results.result(f'killed before {what}: the same command ends it', not status, died + again)
    after = members()
    new = [serial for serial in after if serial != STAYS]
    results.result(f'killed before {what}: the group has the new member',
                   len(new) == 1 and new[0] != old and set(after.values()) == {'alive'},
                   f'{after}\n{died}{again}')
    listed = ok('slot', 'partitionlist', '-slot', '101')['partitions']
    results.result(f'killed before {what}: nothing is made twice',
                   [p['serial'] for p in listed] == new, listed)
    application.must_work()
    return new[0]


def busy(results):
    """hagroup status sees what the application has the members do."""
    most = 0
    for _ in range(20):
        look = ok('hagroup', 'status', '-group', GROUP)
        most = max([most] + [m['outstanding'] or 0 for m in look['members']])
        if most:
            break
    results.result('status: commands of the application are outstanding', most, look)
    results.result('status: the members have done something in the last second',
                   any(m['operations_per_second'] for m in look['members']), look)


def main():
    results = Results()
    operators = Operators(['haadm'], seconds=240)
    operators.prepare_cards()
    operators.create_group()
    operators.leave()
    application = Application(GROUP, CO_PASSWORD)
    member = OLD
    try:
        application.wait_working()
        busy(results)
        for what, death, must_die in DEATHS:
            member = die_and_go_on(results, application, member, what, death, must_die)
        report = application.stop()
    finally:
        application.kill()
    results.result('no call of the application failed',
                   report['status'] == 0 and report['failed'] == 0 and report['calls'] > 0, report)
    operators.sit_down()
    operators.synchronize()
    shown = operators.list_groups()
    results.result('all members hold the same', 'Needs sync:  no\n' in shown, shown)
    verified, text = Application.verify_all(GROUP, CO_PASSWORD)
    results.result('every key works', verified, text)
    operators.do(f'hagroup addstandby -group {GROUP} -serial {member}')
    shown = operators.list_groups()
    results.result('the new member is standby', f'Standby Members:  {member}\n' in shown, shown)
    operators.leave()
    print(f'# {report}')
    return results.end()


if __name__ == '__main__':
    sys.exit(main())
