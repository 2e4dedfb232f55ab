# SPDX-License-Identifier: GPL-2.0-or-later
"""The application that works through it all: tests/clients/hsm-app, a process of its own."""

import json
import os
import re
import signal
import subprocess
import tempfile
import time

from terminal import Failure

PROGRAM = os.path.join(os.environ.get('PCIEHSM_REPO', ''), 'build', 'clients', 'hsm-app')
STATUS = re.compile(r' *[\d.]+ s +(\d+) calls +(\d+) failed +(\d+) \S+ +(\d+) \S+ .*')
START_SECONDS = 120
STOP_SECONDS = 60


def command(token, password, *options):
    """The command line; the password is in a file that only this user can read."""
    with tempfile.NamedTemporaryFile('w', prefix='pin-', delete=False) as f:
        f.write(password + '\n')
    return [PROGRAM, '--module', os.environ['PCIEHSM_MODULE'], '--token', token,
            '--pin-file', f.name, *options]


class Application:
    """hsm-app at work with the token of that label."""

    def __init__(self, token, password):
        # pylint: disable=consider-using-with
        self.log = tempfile.NamedTemporaryFile('w+', prefix='hsm-app-')
        self.process = subprocess.Popen(command(token, password), stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)

    def output(self):
        with open(self.log.name, encoding='utf-8', errors='replace') as f:
            return f.read()

    def status(self):
        """Its last line about its work, or ''."""
        lines = [line for line in self.output().split('\n')[:-1] if STATUS.fullmatch(line)]
        return lines[-1].strip() if lines else ''

    def wait_working(self):
        """Until it has made signatures of both kinds."""
        limit = time.monotonic() + START_SECONDS
        while True:
            found = STATUS.fullmatch(self.status())
            if found and int(found[3]) and int(found[4]):
                return
            self.must_work()
            if time.monotonic() > limit:
                raise Failure(f'the application does not begin to work:\n{self.output()}')
            time.sleep(0.2)

    def must_work(self):
        if self.process.poll() is not None:
            raise Failure(f'the application has ended, with exit status '
                          f'{self.process.returncode}:\n{self.output()}')

    def stop(self):
        """End it in an orderly way; returns its report, with 'status' for its exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired as e:
            raise Failure(f'the application does not end:\n{self.output()}') from e
        last = self.output().rstrip('\n').split('\n')[-1]
        try:
            report = json.loads(last)
        except ValueError as e:
            raise Failure(f'the application gave no report:\n{self.output()}') from e
        report['status'] = self.process.returncode
        return report

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    @staticmethod
    def verify_all(token, password):
        """Try every key of the application once; returns (all work, what it says)."""
        run = subprocess.run(command(token, password, '--verify-all'), stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             check=False, timeout=START_SECONDS)
        return run.returncode == 0, run.stdout
