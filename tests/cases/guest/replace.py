#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The story of the demo, with assertions."""

import sys
import traceback

from ktap import Results
# pylint: disable=wrong-import-order
from story import Story


def main():
    results = Results()
    story = Story(say=lambda text: print('# ' + text, flush=True))
    trouble = ''
    try:
        story.play()
    except Exception:  # the results so far are to be printed
        trouble = traceback.format_exc()
        if story.application:
            trouble += story.application.output()
    for text, holds, explanation in story.checks:
        results.result(text, holds, explanation)
    results.result('the story came to its end', not trouble, trouble)
    for line in story.table():
        print('# ' + line)
    print(f'# {story.facts}')
    return results.end()


if __name__ == '__main__':
    sys.exit(main())
