# SPDX-License-Identifier: GPL-2.0-or-later
"""What the clients' tests share: the group, its password, members that fail.

In the guest the cards are real and set up here. Outside of it, with LOOPBACK_DIR set and
PCIEHSM_MODULE naming the module over cards inside the process, the same tests run without
members that fail; that is for working on them.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time

REPO = os.environ.setdefault('PCIEHSM_REPO', os.path.dirname(os.path.dirname(
    os.path.dirname(os.path.abspath(__file__)))))
for folder in ('tests/cases/guest', 'tests/vm/story'):
    sys.path.insert(0, os.path.join(REPO, folder))
# pylint: disable=wrong-import-position
from ktap import Results
from procedure import CO_PASSWORD, GROUP, Operators

MODULE = os.environ['PCIEHSM_MODULE']
NATIVE = 'LOOPBACK_DIR' in os.environ
PIN = 'co-password' if NATIVE else CO_PASSWORD
TOKEN = f'pkcs11:token={GROUP}'
ENV = dict(os.environ, PIN=PIN, GNUTLS_PIN=PIN)


def prepare(ha_only=False):
    """Two members, one group; the current directory is a new one with the password in "pin"."""
    os.chdir(tempfile.mkdtemp())
    with open('pin', 'w', encoding='ascii', opener=lambda p, f: os.open(p, f, 0o600)) as f:
        f.write(PIN)
    if NATIVE:
        return
    operators = Operators(['haadm'], seconds=180)
    operators.prepare_cards()
    operators.create_group()
    operators.do(f'hagroup haonly -{"enable" if ha_only else "disable"}')
    operators.leave()


def run(*words, env=None, wanted=0, text=None, timeout=600):
    """A program that has to end with that status; returns all that it printed."""
    done = subprocess.run(words, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=None if text is not None else subprocess.DEVNULL,
                          text=True, errors='replace', check=False, timeout=timeout,
                          env=dict(ENV, **(env or {})))
    if done.returncode != wanted:
        raise AssertionError(f'{" ".join(words)}: exit status {done.returncode}\n{done.stdout}')
    return done.stdout


def tool(*words):
    """OpenSC's pkcs11-tool on the group, logged in."""
    return run('pkcs11-tool', '--module', MODULE, '--token-label', GROUP, '--login',
               '--pin', 'env:PIN', *words)


class MemberFails:
    """While this lasts, a member is pulled out after some seconds and stays away.

    At the end it is put back, and the next test begins when it is a member again.
    """

    def __init__(self, after=2.0, card='card1'):
        self.card, self.after, self.pulled, self.begun = card, after, None, None
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._pull)

    def _pull(self):
        if not self.done.wait(self.after) and not NATIVE:
            subprocess.run(['vmctl', 'pull', self.card], check=True)
            self.pulled = time.monotonic()

    def __enter__(self):
        self.begun = time.monotonic()
        self.thread.start()
        return self

    def over(self, seconds):
        """Has it been away for that long? Without cards to pull: has so much time passed?"""
        if NATIVE:
            return time.monotonic() - self.begun > self.after + seconds
        return self.pulled is not None and time.monotonic() - self.pulled > seconds

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()
        if self.pulled is not None:
            put_back(self.card)


def put_back(card):
    """A card that was pulled out; returns when its member is alive again."""
    before = set(os.listdir('/dev/hsm/by-serial'))
    subprocess.run(['vmctl', 'add', card], check=True)
    deadline = time.monotonic() + 120
    while set(os.listdir('/dev/hsm/by-serial')) == before:
        if time.monotonic() > deadline:
            raise AssertionError(f'{card} did not come back')
        time.sleep(0.5)


def end(results):
    sys.exit(results.end())
