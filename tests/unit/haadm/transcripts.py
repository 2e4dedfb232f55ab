#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The documented procedure at haadm's prompt; its transcripts, byte for byte."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from common import HAADM, Machine, expect, expect_in, run_tests
from procedure import GROUP, NEW, OLD, STAYS, Operators

STATE = {}


def transcript(name):
    def test():
        difference = STATE['operators'].differences()[name]
        if difference:
            raise AssertionError('\n' + difference)
    test.__name__ = f'test_transcript_{name}'
    return test


def test_procedure():
    machine = Machine('procedure')
    operators = Operators([HAADM], env=machine.env, seconds=60)
    STATE['operators'] = operators
    operators.prepare_cards()
    operators.create_group()
    both = operators.list_groups()
    expect_in('before the failure', both, f'------  {OLD}                              par1'
              '     alive')
    operators.lose_member()
    operators.see_failure()
    operators.create_partition(1, NEW, 'par1')
    operators.see_slots()
    operators.add_member()
    operators.remove_member()
    operators.synchronize()
    after = operators.list_groups()
    expect_in('after the replacement', after, f'Group Members:  {STAYS}, {NEW}\n')
    expect('the lost member is gone', OLD in after, False)
    expect_in('standby', operators.do(f'hagroup addstandby -group {GROUP} -serial {NEW}'),
              f'Member {NEW} of group {GROUP} is now standby.')
    expect_in('the end', operators.list_groups(), f'Standby Members:  {NEW}\n')
    operators.leave()


if __name__ == '__main__':
    sys.exit(run_tests([test_procedure] + [transcript(name) for name in (
        'listgroups', 'startup', 'addmember', 'removemember', 'synchronize')]))
