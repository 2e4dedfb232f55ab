# SPDX-License-Identifier: GPL-2.0-or-later
"""The procedure "replacing an HA group member", as its operators do it at haadm's prompt.

Needs nothing but haadm: the demo and the tests in the guest run it against the
driver, the unit tests against cards inside the process.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', '..', 'golden'))
# pylint: disable=wrong-import-position
import golden
from terminal import Failure, Prompt

GROUP = 'myHAgroup'
OLD = '1238700701509'
NEW = '1238700701510'
STAYS = '154438865287'
# Serial and first partition's number of the cards, and the slots of the cards themselves.
CARDS = ((154438, 865287), (1238700, 701509))
HSM_SLOTS = (100, 101)

SO_PASSWORD = 'so-password-1'
PO_PASSWORD = 'po-password-2'
CO_FIRST_PASSWORD = 'co-initial-3'
CO_PASSWORD = 'co-password-4'
DOMAIN = 'the domain of the group'

NO_ERROR = 'Command Result : No Error'


class Operators:
    """HSM SO, Partition SO and Crypto Officer, at one prompt.

    transcripts -- name to text, of those that the documentation has
    """

    def __init__(self, haadm, *, env=None, out=None, seconds=60):
        self.haadm, self.env, self.out, self.seconds = haadm, env, out, seconds
        self.prompt = None
        self.transcripts = {}
        self.sit_down()

    def sit_down(self):
        self.prompt = Prompt(self.haadm, env=self.env, out=self.out, seconds=self.seconds)

    def leave(self):
        if self.prompt.leave():
            raise Failure(f'haadm ended with exit status {self.prompt.status}:\n'
                          f'{self.prompt.text[:8000]}')
        self.prompt.close()

    def do(self, line, *answers):
        """A command that has to succeed; returns its transcript."""
        shown = self.prompt.command(line, answers)
        last = shown.rstrip('\n').split('\n')[-1]
        if last.startswith('Command Result') and last != NO_ERROR:
            raise Failure(f'"{line}" failed:\n{shown}')
        return shown

    def keep(self, name, shown):
        """Keep a transcript that has to be the documented one."""
        self.transcripts[name] = shown

    # --- the steps ---

    def prepare_hsm(self, card, label):
        self.do(f'slot set -slot {HSM_SLOTS[card]}')
        self.do(f'hsm init -label {label}', ('-> ', 'proceed'),
                ('Enter new password for the HSM SO: ', SO_PASSWORD),
                ('Re-enter new password for the HSM SO: ', SO_PASSWORD))

    def create_partition(self, card, serial, label, domain=DOMAIN, co_password=CO_PASSWORD):
        """HSM SO creates it, Partition SO initializes it, Crypto Officer takes it over."""
        self.do(f'slot set -slot {HSM_SLOTS[card]}')
        self.do('role login -name so', ('Enter the password: ', SO_PASSWORD))
        created = self.do('partition create')
        if f'Partition {serial} created in slot {card}.' not in created:
            raise Failure(f'the new partition should be {serial} in slot {card}:\n{created}')
        self.do('role logout')
        self.do(f'slot set -slot {card}')
        self.do(f'partition init -label {label}', ('-> ', 'proceed'),
                ('Enter new password for the Partition SO: ', PO_PASSWORD),
                ('Re-enter new password for the Partition SO: ', PO_PASSWORD),
                ('Enter the cloning domain: ', domain),
                ('Re-enter the cloning domain: ', domain))
        self.do('role login -name po', ('Enter the password: ', PO_PASSWORD))
        self.do('role init -name co',
                ('Enter new password for the Crypto Officer: ', CO_FIRST_PASSWORD),
                ('Re-enter new password for the Crypto Officer: ', CO_FIRST_PASSWORD))
        self.do('role logout')
        self.do('role changepw -name co', ('Enter existing password: ', CO_FIRST_PASSWORD),
                ('Enter new password: ', co_password), ('Re-enter new password: ', co_password))

    def prepare_cards(self, domain_of_second=DOMAIN):
        """Two blank cards get a partition each, which may become members of a group."""
        self.prepare_hsm(0, 'hsm0')
        self.create_partition(0, STAYS, 'par0')
        self.prepare_hsm(1, 'hsm1')
        self.create_partition(1, OLD, 'par1', domain=domain_of_second)

    def create_group(self):
        self.do(f'hagroup creategroup -slot 0 -label {GROUP}',
                ('Enter the password: ', CO_PASSWORD))
        self.do(f'hagroup addmember -group {GROUP} -slot 1',
                ('Enter the password: ', CO_PASSWORD))
        self.do('hagroup recoverymode -mode activeEnhanced')
        self.do('hagroup retry -count 500')
        self.do('hagroup interval -interval 60')
        self.do('hagroup haonly -enable')

    def list_groups(self):
        return self.do('hagroup listgroups', ('Enter the password: ', CO_PASSWORD))

    def lose_member(self):
        """The failure: the HSM is initialized again, and its partition is gone."""
        self.do(f'slot set -slot {HSM_SLOTS[1]}')
        self.do('hsm init -label hsm1', ('-> ', 'proceed'),
                ("Enter the HSM SO's password: ", SO_PASSWORD))

    def see_failure(self):
        self.keep('listgroups', self.list_groups())

    def see_slots(self):
        """The list of slots is what haadm starts with."""
        self.leave()
        self.sit_down()
        self.keep('startup', self.prompt.greeting.split('\n', 1)[1])

    def add_member(self):
        self.keep('addmember', self.do(f'hagroup addmember -group {GROUP} -slot 1',
                                       ('Enter the password: ', CO_PASSWORD)))

    def remove_member(self):
        self.keep('removemember', self.do(f'hagroup removemember -group {GROUP} -serial {OLD}'))

    def synchronize(self):
        self.keep('synchronize', self.do(f'hagroup synchronize -group {GROUP}',
                                         ('Enter the password: ', CO_PASSWORD)))

    def differences(self):
        """Name to difference, of the transcripts that were kept: '' where there is none."""
        return {name: golden.difference(name, text) for name, text in self.transcripts.items()}
