# SPDX-License-Identifier: GPL-2.0-or-later
"""A person at haadm's prompt: the program on a pseudo-terminal, and what it shows."""

import errno
import os
import pty
import re
import select
import signal
import struct
import termios
import time
import fcntl

PROMPT = 'haadm:> '
ROWS, COLUMNS = 50, 200


class Failure(Exception):
    """The program did not show what was to be waited for."""


class Terminal:
    """A program on a terminal of its own.

    out -- where what it shows is copied to as it comes, or None
    """

    def __init__(self, argv, *, env=None, out=None, seconds=60):
        self.seconds = seconds
        self.out = out
        self.text = ''
        self.held = ''
        self.fresh = True
        self.status = None
        environment = dict(os.environ, TERM='dumb', LC_ALL='C.UTF-8')
        # A person's own settings of the line editor are not part of the test.
        environment['EDITRC'] = '/dev/null'
        environment.update(env or {})
        self.pid, self.fd = pty.fork()
        if not self.pid:
            try:
                os.execvpe(argv[0], argv, environment)
            except OSError as e:
                os.write(2, f'{argv[0]}: {e}\n'.encode())
            os._exit(127)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack('4H', ROWS, COLUMNS, 0, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def read(self, seconds):
        """Take what there is; False at the end of the program."""
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError as e:
            if e.errno != errno.EIO:
                raise
            data = b''
        # A terminal's line ends are CR LF; the line editor adds CRs of its own.
        shown = data.decode(errors='replace').replace('\r', '')
        self.text += shown
        if self.out and shown:
            self.show(shown)
        return bool(data)

    def show(self, shown):
        """Copy to 'out'; a prompt goes with the command that is typed at it.

        It may come in pieces, and its line's beginning in the piece before.
        """
        shown = self.held + shown
        begin = shown.rfind('\n') + 1
        last = shown[begin:]
        self.held = last if (begin or self.fresh) and PROMPT.startswith(last) else ''
        shown = shown[:len(shown) - len(self.held)]
        if shown:
            self.fresh = shown.endswith('\n')
            self.out.write(shown)
            self.out.flush()

    def wait_for(self, what, seconds=None):
        """Wait until what was shown ends with this (a string, or a compiled expression).

        Returns what was shown since the last wait.
        """
        limit = time.monotonic() + (seconds or self.seconds)
        while not (what.search(self.text) if isinstance(what, re.Pattern)
                   else self.text.endswith(what)):
            left = limit - time.monotonic()
            if left <= 0:
                raise Failure(f'did not come to show {what!r}:\n{self.text[-4000:]}')
            if not self.read(min(left, 1)):
                raise Failure(f'ended before it showed {what!r}:\n{self.text[-4000:]}')
        text, self.text = self.text, ''
        return text

    def type(self, line):
        os.write(self.fd, line.encode() + b'\n')

    def finish(self, seconds=None):
        """Wait for its end; returns the rest of what it showed."""
        limit = time.monotonic() + (seconds or self.seconds)
        while self.read(1):
            if time.monotonic() > limit:
                raise Failure(f'does not end:\n{self.text[-4000:]}')
        self.reap()
        return self.text

    def reap(self):
        if self.status is None:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status

    def close(self):
        if self.status is None:
            try:
                os.kill(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.reap()
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


class Prompt(Terminal):
    """haadm's interactive prompt; 'greeting' is all that it shows before the first prompt."""

    def __init__(self, argv, **kwargs):
        super().__init__(argv, **kwargs)
        self.greeting = self.wait_for('\n' + PROMPT)[:-len(PROMPT) - 1]

    def command(self, line, answers=(), seconds=None):
        """Type a command and the answers to its questions, each (question, answer).

        Returns the transcript: the prompt, the command and all that was shown up to the
        next prompt.
        """
        shown = PROMPT
        self.type(line)
        for question, answer in answers:
            shown += self.wait_for(question, seconds)
            self.type(answer)
        shown += self.wait_for('\n' + PROMPT, seconds)
        return shown[:-len(PROMPT) - 1]

    def leave(self):
        self.type('exit')
        self.finish()
        return self.reap()
