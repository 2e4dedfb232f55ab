#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A card is pulled out under a working application, and put back."""

import subprocess
import sys
import time

from ktap import Results
# pylint: disable=wrong-import-order
from application import Application
from procedure import CO_PASSWORD, GROUP, OLD, STAYS, Operators
from story import Story

WORK_SECONDS = 5
BACK_SECONDS = 60


def main():
    results = Results()
    story = Story()
    operators = Operators(['haadm'], seconds=120)
    operators.prepare_cards()
    operators.create_group()
    operators.leave()
    application = Application(GROUP, CO_PASSWORD)
    try:
        application.wait_working()
        for serial, card, stays in ((OLD, '1238700', STAYS), (STAYS, '154438', OLD)):
            time.sleep(WORK_SECONDS)
            subprocess.run(['vmctl', 'pull', card], check=True)
            before = story.signed(stays)
            time.sleep(WORK_SECONDS)
            after = story.signed(stays)
            results.result(f'the other member works on while {serial} is out', after > before,
                           f'{before}, {after}')
            subprocess.run(['vmctl', 'add', card], check=True)
            # Its counters begin with the power.
            limit = time.monotonic() + BACK_SECONDS
            signed = 0
            while signed < 10 and time.monotonic() < limit:
                time.sleep(1)
                signed = story.haadm('partition', 'show', '-serial', serial).get(
                    'counters', {}).get('sign', 0)
            results.result(f'{serial} works again when it is back', signed >= 10, signed)
        report = application.stop()
    finally:
        application.kill()
    results.result('no call of the application failed',
                   report['status'] == 0 and report['failed'] == 0 and report['calls'] > 0, report)
    group = story.haadm('hagroup', 'listgroups')['groups'][0]
    results.result('both members hold the same', not group['needs_sync'] and
                   all(m['state'] == 'alive' for m in group['members']), group)
    verified, text = Application.verify_all(GROUP, CO_PASSWORD)
    results.result('every key works', verified, text)
    print(f'# {report}')
    return results.end()


if __name__ == '__main__':
    sys.exit(main())
