#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The JSON Schema of what haadm --json prints, from the list of fields in fields.json.

There a type is a name of JSON Schema's or of "types", a schema, or {"fields": ...}: an object
that has these and no others. A field whose name ends with ? may be missing.
"""

import json
import sys

PLAIN = ('string', 'integer', 'boolean', 'null')


def schema_of(kind):
    """The schema of a type of fields.json."""
    if isinstance(kind, str):
        return {'type': kind} if kind in PLAIN else {'$ref': '#/$defs/' + kind}
    if 'fields' in kind:
        fields = kind['fields']
        return {'type': 'object',
                'properties': {name.rstrip('?'): schema_of(f) for name, f in fields.items()},
                'required': [name for name in fields if not name.endswith('?')],
                'additionalProperties': False}
    whole = dict(kind)
    if 'items' in whole:
        whole['items'] = schema_of(whole['items'])
    if 'anyOf' in whole:
        whole['anyOf'] = [schema_of(part) for part in whole['anyOf']]
    return whole


def command_schema(name, fields):
    """Of a command that was carried out."""
    return schema_of({'fields': {'command': {'const': name}, 'status': {'const': 0},
                                 'warnings?': 'warnings', **fields}})


def build(source):
    """The whole schema of what fields.json holds."""
    failed = {'type': 'object', 'required': ['status', 'error'],
              'properties': {'command': {'type': 'string'},
                             'status': {'type': 'integer', 'minimum': 1, 'maximum': 9},
                             'error': schema_of('error'), 'warnings': schema_of('warnings')}}
    return {'$schema': 'https://json-schema.org/draft/2020-12/schema',
            'title': source['title'], 'description': source['description'],
            '$defs': {name: schema_of(kind) for name, kind in source['types'].items()},
            'if': {'required': ['error']}, 'then': failed,
            'else': {'oneOf': [command_schema(*command)
                               for command in source['commands'].items()]}}


def read(path):
    """The schema of the fields in this file."""
    with open(path, encoding='utf-8') as f:
        return build(json.load(f))


if __name__ == '__main__':
    json.dump(read(sys.argv[1]), sys.stdout, indent=1)
    print()
