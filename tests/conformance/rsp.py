# SPDX-License-Identifier: GPL-2.0-or-later
"""Files of test vectors: those of Debian's python3-cryptography-vectors."""

import os

VECTORS = '/usr/lib/python3/dist-packages/cryptography_vectors'


def records(name, first):
    """Records of a file: fields, and those of the sections above them, in lower case.

    A record begins with the field first.
    """
    section, fields = {}, {}
    with open(os.path.join(VECTORS, name), encoding='ascii') as f:
        for line in f:
            line = line.strip()
            if line.startswith('#'):
                continue
            if line.startswith('['):
                if fields:
                    yield fields
                    fields, section = {}, {}
                key, _, value = line.strip('[]').partition('=')
                section[key.strip().lower()] = value.strip()
                continue
            key, equals, value = line.partition('=')
            key, value = key.strip().lower(), value.strip()
            if key == first and fields:
                yield fields
                fields = {}
            if equals or key == 'fail':
                if not fields:
                    fields = dict(section)
                fields[key] = value
    if fields:
        yield fields


def hexed(fields, *keys):
    return [bytes.fromhex(fields[key]) for key in keys]


def number(text):
    return bytes.fromhex(text.zfill(len(text) + len(text) % 2)).lstrip(b'\0')


def examples(name):
    """The files of RSA Laboratories: lines "# Name:" and below each a number in hex.

    Gives (key, fields) for every example, the key being the last private one above it.
    """
    key, fields, title, private = {}, {}, None, False
    with open(os.path.join(VECTORS, name), encoding='ascii') as f:
        for line in f:
            line = line.strip()
            if not line.startswith('#'):
                if title and line:
                    into = key if private else fields
                    into[title] = into.get(title, '') + line.replace(' ', '')
                continue
            line = line.strip('# ').lower()
            if line.startswith(('example', 'pkcs#1', 'oaep example')) or '====' in line:
                if fields:
                    yield key, fields
                fields, title, private = {}, None, False
            elif line.startswith(('public key', 'private key')):
                key, private, title = {}, True, None
            elif line.endswith(':'):
                title = line.rstrip(':').removesuffix(' to be signed')
                # What is said twice is said anew.
                (key if private else fields).pop(title, None)
        if fields:
            yield key, fields
