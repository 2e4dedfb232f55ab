# SPDX-License-Identifier: GPL-2.0-or-later
"""As much of JSON Schema as haadm.schema.json uses; anything else in it is an error here."""

import re

KNOWN = {'$schema', '$defs', 'title', 'description', '$ref', 'type', 'properties', 'required',
         'additionalProperties', 'items', 'enum', 'const', 'pattern', 'minimum', 'maximum',
         'anyOf', 'oneOf', 'if', 'then', 'else'}
TYPES = {'string': str, 'boolean': bool, 'object': dict, 'array': list, 'null': type(None)}


def is_type(value, name):
    if name == 'integer':
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


class Schema:
    def __init__(self, root):
        self.root = root

    def trouble(self, value, schema=None, where=''):
        """'' if the value fits, else what is wrong and where."""
        schema = self.root if schema is None else schema
        unknown = set(schema) - KNOWN
        if unknown:
            return f'{where}: the schema uses {unknown}, which is not known here'
        if '$ref' in schema:
            return self.trouble(value, self.root['$defs'][schema['$ref'].rsplit('/', 1)[1]], where)
        for check in (self.scalar, self.structure, self.combined):
            found = check(value, schema, where)
            if found:
                return found
        return ''

    def scalar(self, value, schema, where):
        types = schema.get('type', [])
        types = [types] if isinstance(types, str) else types
        if types and not any(is_type(value, t) for t in types):
            return f'{where}: {value!r} is not of type {types}'
        if 'enum' in schema and value not in schema['enum']:
            return f'{where}: {value!r} is not one of {schema["enum"]}'
        if 'const' in schema and value != schema['const']:
            return f'{where}: {value!r} is not {schema["const"]!r}'
        if 'pattern' in schema and not re.search(schema['pattern'], value):
            return f'{where}: {value!r} does not match {schema["pattern"]}'
        if is_type(value, 'integer') and not \
                schema.get('minimum', value) <= value <= schema.get('maximum', value):
            return f'{where}: {value} is out of range'
        return ''

    def structure(self, value, schema, where):
        if isinstance(value, list) and 'items' in schema:
            for i, item in enumerate(value):
                found = self.trouble(item, schema['items'], f'{where}[{i}]')
                if found:
                    return found
        if not isinstance(value, dict):
            return ''
        properties = schema.get('properties', {})
        missing = [name for name in schema.get('required', ()) if name not in value]
        if missing:
            return f'{where}: {missing} are missing'
        more = [name for name in value if name not in properties]
        if more and not schema.get('additionalProperties', True):
            return f'{where}: {more} are not in the schema'
        for name, part in properties.items():
            found = name in value and self.trouble(value[name], part, f'{where}.{name}')
            if found:
                return found
        return ''

    def combined(self, value, schema, where):
        if 'if' in schema:
            branch = 'else' if self.trouble(value, schema['if'], where) else 'then'
            found = self.trouble(value, schema[branch], where)
            if found:
                return found
        if 'anyOf' in schema and all(self.trouble(value, s, where) for s in schema['anyOf']):
            return f'{where}: {value!r} fits nothing of anyOf'
        if 'oneOf' in schema:
            troubles = [self.trouble(value, s, where) for s in schema['oneOf']]
            if troubles.count('') != 1:
                # The branch of this command tells most.
                named = [t for t in troubles if t and '.command' not in t]
                return f'{where}: fits {troubles.count("")} of oneOf; {named}'
        return ''
