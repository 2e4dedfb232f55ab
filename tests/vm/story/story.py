# SPDX-License-Identifier: GPL-2.0-or-later
"""The whole story in the guest: an HA group member is replaced under a working application.

The steps are procedure.py's; here come the application that works through them, what the
members have done before, during and after, and what must be true in the end.
"""

import json
import os
import subprocess
import time

from application import Application
from procedure import CO_PASSWORD, GROUP, NEW, OLD, STAYS, Operators

WORK_SECONDS = 10
SHARE_SECONDS = 60


class Story:
    """Play it; 'say' is called with a headline for each step, 'note' with what came of it.

    facts -- what was measured, by name
    checks -- (text, True or False, explanation) of what must hold
    """

    def __init__(self, *, out=None, say=lambda text: None, note=lambda text: None):
        self.out, self.say, self.note = out, say, note
        self.operators = None
        self.application = None
        self.facts = {}
        self.checks = []
        self.signatures = {}

    def check(self, text, holds, explanation=''):
        self.checks.append((text, bool(holds), str(explanation)))
        self.note(f'{"yes" if holds else "NO "}  {text}')

    def still_works(self):
        self.application.must_work()
        self.note(f'application: {self.application.status()}')

    def haadm(self, *words):
        """One command from a script; what it prints as JSON."""
        run = subprocess.run(['haadm', '--json', *words], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, text=True, check=False)
        return json.loads(run.stdout)

    def signed(self, serial):
        """Signatures that a member has made since its card was switched on."""
        return self.haadm('partition', 'show', '-serial', serial)['counters']['sign']

    def play(self):
        begun = time.monotonic()
        try:
            self.set_up()
            self.start_application()
            self.lose_member()
            self.replace_member()
            self.let_work()
            self.stop_application()
            self.stand_by()
            self.lose_other_member()
        finally:
            if self.application:
                self.application.kill()
            if self.operators:
                self.operators.prompt.close()
        for name, difference in self.operators.differences().items():
            self.check(f'the output of this step is the documented one: {name}',
                       not difference, difference)
        self.facts['seconds'] = round(time.monotonic() - begun, 1)

    # --- the steps ---

    def set_up(self):
        self.say('1. HSM SO, Partition SO and Crypto Officer set up a partition on each of two '
                 'HSMs, and an HA group of both')
        self.operators = Operators(['haadm'], out=self.out, seconds=120)
        self.operators.prepare_cards()
        self.operators.create_group()
        self.operators.list_groups()

    def start_application(self):
        self.say('2. An application that knows only PKCS#11 starts to work with the group')
        self.application = Application(GROUP, CO_PASSWORD)
        self.application.wait_working()
        self.note(f'pid {self.application.process.pid}: {" ".join(self.application.process.args)}')
        started = {serial: self.signed(serial) for serial in (STAYS, OLD)}
        self.note(f'The application works; let it, for {WORK_SECONDS} s ...')
        time.sleep(WORK_SECONDS)
        now = {serial: self.signed(serial) for serial in (STAYS, OLD)}
        self.signatures['before'] = {s: now[s] - started[s] for s in now}
        self.check('both members work', all(self.signatures['before'].values()),
                   self.signatures['before'])
        self.still_works()

    def lose_member(self):
        self.say('3. While it works, HSM 1238700 is initialized again: the member is lost')
        self.mark = self.signed(STAYS)
        self.operators.lose_member()
        self.check('its device node is gone', not os.path.exists(f'/dev/hsm/by-serial/{OLD}'))
        self.operators.see_failure()
        self.still_works()

    def replace_member(self):
        self.say('4. A new partition is made, added to the group, and the lost one removed')
        self.operators.create_partition(1, NEW, 'par1')
        self.operators.see_slots()
        self.operators.add_member()
        self.operators.remove_member()
        self.still_works()
        stays, new = self.signed(STAYS), self.signed(NEW)
        self.signatures['during'] = {STAYS: stays - self.mark, NEW: new}
        self.mark = stays, new

    def let_work(self):
        self.say('5. The application works on; the new member takes its share')
        self.note(f'Let it, for {WORK_SECONDS} s ...')
        stays, new = self.mark
        limit = time.monotonic() + SHARE_SECONDS
        time.sleep(WORK_SECONDS)
        # On a slow machine the new member may be brought up to date only by now.
        while self.signed(NEW) == new and time.monotonic() < limit:
            time.sleep(1)
        after = {STAYS: self.signed(STAYS) - stays, NEW: self.signed(NEW) - new}
        self.signatures['after'] = after
        self.check('the new member does its share (a quarter at least)',
                   4 * after[NEW] >= sum(after.values()) > 0, after)
        objects = {s: self.haadm('partition', 'show', '-serial', s)['objects']
                   for s in (STAYS, NEW)}
        self.check('the new member holds keys', objects[NEW] > 0, objects)
        self.operators.list_groups()
        self.still_works()

    def stop_application(self):
        self.say('6. The application is stopped, and the group synchronized by hand')
        report = self.application.stop()
        self.facts['application'] = report
        self.check('the application was not restarted and ended as it should',
                   report['status'] == 0, report)
        self.check('it has noticed nothing: no call failed',
                   report['calls'] > 0 and report['failed'] == 0, report)
        self.operators.synchronize()
        self.operators.do(f'hagroup synchronize -group {GROUP} -verbose',
                          ('Enter the password: ', CO_PASSWORD))
        digest = self.haadm('hagroup', 'listgroups')['groups'][0]
        self.check('all members hold the same', not digest['needs_sync'], digest)

    def stand_by(self):
        self.say('   The new member is set aside as a standby, and taken back')
        change = f'hagroup {{}} -group {GROUP} -serial {NEW}'
        self.operators.do(change.format('addstandby'))
        shown = self.operators.list_groups()
        self.check('the new member is a standby', f'Standby Members:  {NEW}\n' in shown, shown)
        self.operators.do(change.format('removestandby'))
        shown = self.operators.list_groups()
        self.check('and is none any more', f'Standby Members:  {NEW}' not in shown, shown)

    def lose_other_member(self):
        self.say('   The other HSM is pulled out: every key works on the new member alone')
        self.operators.leave()
        subprocess.run(['vmctl', 'pull', '154438'], check=True)
        self.operators.sit_down()
        shown = self.operators.list_groups()
        self.check('the old primary is down',
                   f'------  {STAYS}                      ------------      down' in shown, shown)
        verified, text = Application.verify_all(GROUP, CO_PASSWORD)
        for line in text.rstrip('\n').split('\n')[:-1]:
            self.note('application: ' + line)
        self.check('every key works on the new member', verified, text)
        self.operators.leave()

    # --- the end ---

    def holds(self):
        return bool(self.checks) and all(holds for _, holds, _ in self.checks)

    def table(self):
        """Signatures per member, as lines of text."""
        lines = ['member           before    during     after']
        for serial in (STAYS, OLD, NEW):
            cells = [self.signatures.get(phase, {}).get(serial) for phase in
                     ('before', 'during', 'after')]
            lines.append(f'{serial:<13}' + ''.join(
                f'{"-" if c is None else c:>10}' for c in cells))
        return lines
