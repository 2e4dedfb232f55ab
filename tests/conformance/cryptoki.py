# SPDX-License-Identifier: GPL-2.0-or-later
"""As much of PKCS#11 as known answers need, by ctypes."""

import ctypes
import os

ULONG = ctypes.c_ulong
# In the order of the function list (PKCS#11 2.40, 5.1)
NAMES = '''Initialize Finalize GetInfo GetFunctionList GetSlotList GetSlotInfo GetTokenInfo
GetMechanismList GetMechanismInfo InitToken InitPIN SetPIN OpenSession CloseSession
CloseAllSessions GetSessionInfo GetOperationState SetOperationState Login Logout CreateObject
CopyObject DestroyObject GetObjectSize GetAttributeValue SetAttributeValue FindObjectsInit
FindObjects FindObjectsFinal EncryptInit Encrypt EncryptUpdate EncryptFinal DecryptInit Decrypt
DecryptUpdate DecryptFinal DigestInit Digest DigestUpdate DigestKey DigestFinal SignInit Sign
SignUpdate SignFinal SignRecoverInit SignRecover VerifyInit Verify VerifyUpdate VerifyFinal
VerifyRecoverInit VerifyRecover DigestEncryptUpdate DecryptDigestUpdate SignEncryptUpdate
DecryptVerifyUpdate GenerateKey GenerateKeyPair WrapKey UnwrapKey DeriveKey'''.split()

CKA = dict(CLASS=0, TOKEN=1, VALUE=0x11, KEY_TYPE=0x100, SENSITIVE=0x103, ENCRYPT=0x104,
           DECRYPT=0x105, WRAP=0x106, UNWRAP=0x107, SIGN=0x108, VERIFY=0x10a, DERIVE=0x10c,
           MODULUS=0x120, PUBLIC_EXPONENT=0x122, VALUE_LEN=0x161, EXTRACTABLE=0x162,
           EC_PARAMS=0x180, EC_POINT=0x181, PRIVATE_EXPONENT=0x123, PRIME_1=0x124,
           PRIME_2=0x125, EXPONENT_1=0x126, EXPONENT_2=0x127, COEFFICIENT=0x128)
OK = 0
# CKK_*
RSA, EC, GENERIC, AES, EDWARDS, MONTGOMERY = 0, 3, 0x10, 0x1f, 0x40, 0x41


class Mechanism(ctypes.Structure):
    _fields_ = [('type', ULONG), ('parameter', ctypes.c_void_p), ('len', ULONG)]


class Attribute(ctypes.Structure):
    _fields_ = [('type', ULONG), ('value', ctypes.c_void_p), ('len', ULONG)]


class Gcm(ctypes.Structure):
    _fields_ = [('iv', ctypes.c_char_p), ('iv_len', ULONG), ('iv_bits', ULONG),
                ('aad', ctypes.c_char_p), ('aad_len', ULONG), ('tag_bits', ULONG)]


class Ctr(ctypes.Structure):
    _fields_ = [('bits', ULONG), ('block', ctypes.c_ubyte * 16)]


class Oaep(ctypes.Structure):
    _fields_ = [('hash', ULONG), ('mgf', ULONG), ('source', ULONG), ('label', ctypes.c_char_p),
                ('label_len', ULONG)]


class Pss(ctypes.Structure):
    _fields_ = [('hash', ULONG), ('mgf', ULONG), ('salt_len', ULONG)]


class Hkdf(ctypes.Structure):
    _fields_ = [('extract', ctypes.c_ubyte), ('expand', ctypes.c_ubyte), ('hash', ULONG),
                ('salt_type', ULONG), ('salt', ctypes.c_char_p), ('salt_len', ULONG),
                ('salt_key', ULONG), ('info', ctypes.c_char_p), ('info_len', ULONG)]


class Ecdh(ctypes.Structure):
    _fields_ = [('kdf', ULONG), ('shared_len', ULONG), ('shared', ctypes.c_char_p),
                ('public_len', ULONG), ('public', ctypes.c_char_p)]


class Problem(Exception):
    """A result that is not CKR_OK"""

    def __init__(self, name, rv):
        super().__init__(f'{name}: {rv:#x}')
        self.rv = rv


def template(values):
    """{name: bool, int or bytes}; returns the array, which keeps what it points to."""
    array = (Attribute * len(values))()
    array.kept = []
    for attribute, (name, value) in zip(array, values.items()):
        if isinstance(value, bool):
            data = bytes([value])
        else:
            data = value if isinstance(value, bytes) else value.to_bytes(8, 'little')
        buffer = ctypes.create_string_buffer(data, len(data) or 1)
        array.kept.append(buffer)
        attribute.type, attribute.len = CKA[name], len(data)
        attribute.value = ctypes.cast(buffer, ctypes.c_void_p)
    return array


def mechanism(number, parameter=None):
    if parameter is None:
        return Mechanism(number, None, 0)
    if isinstance(parameter, bytes):
        size, parameter = len(parameter), ctypes.create_string_buffer(parameter)
    else:
        size = ctypes.sizeof(parameter)
    mech = Mechanism(number, ctypes.cast(ctypes.pointer(parameter), ctypes.c_void_p), size)
    mech.kept = parameter
    return mech


class Token:
    """A session with the user logged in."""

    def __init__(self, module, slot):
        library = ctypes.CDLL(module)
        functions = ctypes.c_void_p()
        library.C_GetFunctionList(ctypes.byref(functions))
        pointers = ctypes.cast(functions.value + 8, ctypes.POINTER(ctypes.c_void_p))
        self.library = library
        self.functions = {name: ctypes.CFUNCTYPE(ULONG)(pointers[number])
                          for number, name in enumerate(NAMES)}
        # The types of mechanisms that something was done with
        self.used = set()
        session = ULONG()
        self.call('Initialize', None)
        self.call('OpenSession', ULONG(slot), ULONG(6), None, None, ctypes.byref(session))
        self.session = session
        pin = os.environ['USER_PIN'].encode()
        self.s('Login', ULONG(1), pin, ULONG(len(pin)))

    def call(self, name, *args):
        rv = self.functions[name](*args)
        if rv:
            raise Problem(name, rv)

    def s(self, name, *args):
        self.call(name, self.session, *args)

    def flags(self, number):
        info = (ULONG * 3)()
        rv = self.functions['GetMechanismInfo'](ULONG(0), ULONG(number), ctypes.byref(info))
        return 0 if rv else info[2]

    def mechanisms(self):
        count = ULONG(1000)
        types = (ULONG * 1000)()
        self.call('GetMechanismList', ULONG(0), types, ctypes.byref(count))
        return list(types[:count.value])

    def create(self, **values):
        array, handle = template(values), ULONG()
        self.s('CreateObject', array, ULONG(len(array)), ctypes.byref(handle))
        return handle

    def secret(self, key_type, value, **more):
        return self.create(CLASS=4, KEY_TYPE=key_type, VALUE=value, TOKEN=False, SENSITIVE=False,
                           EXTRACTABLE=True, **more)

    def destroy(self, *handles):
        for handle in handles:
            self.s('DestroyObject', handle)

    def value(self, handle):
        room = ctypes.create_string_buffer(1024)
        array = (Attribute * 1)(Attribute(CKA['VALUE'], ctypes.cast(room, ctypes.c_void_p), 1024))
        self.s('GetAttributeValue', handle, array, ULONG(1))
        return room.raw[:array[0].len]

    def _give(self, name, data, *rest):
        out, length = ctypes.create_string_buffer(len(data) + 1024), ULONG(len(data) + 1024)
        self.s(name, data, ULONG(len(data)), *rest, out, ctypes.byref(length))
        return out.raw[:length.value]

    def crypt(self, what, mech, key, data):
        """what: Encrypt, Decrypt, Sign or Digest"""
        self.used.add(mech.type)
        self.s(what + 'Init', ctypes.byref(mech), *([key] if key else []))
        return self._give(what, data)

    def parts(self, what, mech, key, data, size):
        """The same in parts; what: Sign or Digest"""
        self.used.add(mech.type)
        self.s(what + 'Init', ctypes.byref(mech), *([key] if key else []))
        for at in range(0, len(data), size):
            part = data[at:at + size]
            self.s(what + 'Update', part, ULONG(len(part)))
        out, length = ctypes.create_string_buffer(1024), ULONG(1024)
        self.s(what + 'Final', out, ctypes.byref(length))
        return out.raw[:length.value]

    def verify(self, mech, key, data, signature):
        self.used.add(mech.type)
        self.s('VerifyInit', ctypes.byref(mech), key)
        try:
            self.s('Verify', data, ULONG(len(data)), signature, ULONG(len(signature)))
        except Problem as problem:
            if problem.rv in (0xc0, 0xc1):
                return False
            raise
        return True

    def wrap(self, mech, key, what):
        out, length = ctypes.create_string_buffer(8192), ULONG(8192)
        self.s('WrapKey', ctypes.byref(mech), key, what, out, ctypes.byref(length))
        return out.raw[:length.value]

    def unwrap(self, mech, key, data, **values):
        self.used.add(mech.type)
        array, handle = template(values), ULONG()
        self.s('UnwrapKey', ctypes.byref(mech), key, data, ULONG(len(data)), array,
               ULONG(len(array)), ctypes.byref(handle))
        return handle

    def derive(self, mech, key, **values):
        self.used.add(mech.type)
        array, handle = template(values), ULONG()
        self.s('DeriveKey', ctypes.byref(mech), key, array, ULONG(len(array)),
               ctypes.byref(handle))
        return handle
