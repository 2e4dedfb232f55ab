# SPDX-License-Identifier: GPL-2.0-or-later
"""Compare what haadm shows with the documented transcripts beside this file.

A transcript is compared byte for byte. Only names and versions of the product may
differ: in the fields below everything before the value has to be the same, and the
value has to be there.
"""

import difflib
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = ('Model', 'Firmware Version', 'Configuration', 'Slot Description')
FREE = re.compile(r'( {8}(?:HSM )?(?:%s) -> *)(\S.*)' % '|'.join(NAMES))


def masked(line):
    found = FREE.fullmatch(line)
    return found[1] + '*' if found else line


def difference(name, shown):
    """'' if 'shown' is the transcript 'name', else a readable difference."""
    with open(os.path.join(HERE, name + '.txt'), encoding='utf-8') as f:
        wanted = f.read()
    if [masked(l) for l in wanted.split('\n')] == [masked(l) for l in shown.split('\n')]:
        return ''
    return ''.join(difflib.unified_diff(wanted.splitlines(True), shown.splitlines(True),
                                        f'{name}.txt', 'shown'))
