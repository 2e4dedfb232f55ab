# SPDX-License-Identifier: GPL-2.0-or-later
"""Known answers of RSA that take a private key, or are looked at by arithmetic alone."""

import hashlib

from cryptoki import RSA, Oaep, Problem, Pss, mechanism
from rsp import examples, number, records

FOLDER = 'asymmetric/RSA/'
DIGESTS = {'sha1': (0x220, 1), 'sha224': (0x255, 5), 'sha256': (0x250, 2), 'sha384': (0x260, 3),
           'sha512': (0x270, 4), 'sha3_224': (0x2b5, 6), 'sha3_256': (0x2b0, 7),
           'sha3_384': (0x2c0, 8), 'sha3_512': (0x2d0, 9)}
PKCS1 = {'sha1': 6, 'sha224': 0x46, 'sha256': 0x40, 'sha384': 0x41, 'sha512': 0x42,
         'sha3_224': 0x66, 'sha3_256': 0x60, 'sha3_384': 0x61, 'sha3_512': 0x62}
PSS = {'sha1': 0xe, 'sha224': 0x47, 'sha256': 0x43, 'sha384': 0x44, 'sha512': 0x45,
       'sha3_224': 0x67, 'sha3_256': 0x63, 'sha3_384': 0x64, 'sha3_512': 0x65}
# DER of DigestInfo before the digest (RFC 8017, 9.2, note 1; RFC 8702 for SHA-3)
INFO = {'sha1': '3021300906052b0e03021a05000414',
        'sha224': '302d300d06096086480165030402040500041c',
        'sha256': '3031300d060960864801650304020105000420',
        'sha384': '3041300d060960864801650304020205000430',
        'sha512': '3051300d060960864801650304020305000440',
        'sha3_224': '302d300d06096086480165030402070500041c',
        'sha3_256': '3031300d060960864801650304020805000420',
        'sha3_384': '3041300d060960864801650304020905000430',
        'sha3_512': '3051300d060960864801650304020a05000440'}
NAMES = {'MODULUS': 'modulus', 'PUBLIC_EXPONENT': 'public exponent', 'PRIVATE_EXPONENT': 'exponent',
         'PRIME_1': 'prime 1', 'PRIME_2': 'prime 2', 'EXPONENT_1': 'prime exponent 1',
         'EXPONENT_2': 'prime exponent 2', 'COEFFICIENT': 'coefficient'}


class Pair:
    """A key pair of a vector's, and the arithmetic that it is about"""

    def __init__(self, token, fields):
        values = {name: number(fields[title]) for name, title in NAMES.items()}
        self.n = int.from_bytes(values['MODULUS'], 'big')
        self.e = int.from_bytes(values['PUBLIC_EXPONENT'], 'big')
        self.size = len(values['MODULUS'])
        self.token = token
        self.private = token.create(CLASS=3, KEY_TYPE=RSA, TOKEN=False, SIGN=True, DECRYPT=True,
                                    **values)
        self.public = token.create(CLASS=2, KEY_TYPE=RSA, TOKEN=False, VERIFY=True, ENCRYPT=True,
                                   MODULUS=values['MODULUS'],
                                   PUBLIC_EXPONENT=values['PUBLIC_EXPONENT'])

    def apply(self, block):
        """The public key's function"""
        return pow(int.from_bytes(block, 'big'), self.e, self.n).to_bytes(self.size, 'big')

    def destroy(self):
        self.token.destroy(self.private, self.public)


def pairs(token, name):
    """(pair, fields) of those examples whose key the card takes"""
    last, pair = None, None
    for key, fields in examples(FOLDER + name):
        if not all(title in key for title in NAMES.values()) or \
                len(number(key['modulus'])) < 256:
            continue
        if key['modulus'] != last:
            if pair:
                pair.destroy()
            last, pair = key['modulus'], Pair(token, key)
        yield pair, {title: bytes.fromhex(text) for title, text in fields.items()
                     if title in ('message', 'encryption', 'signature', 'seed')}
    if pair:
        pair.destroy()


def refused(call, *allowed):
    try:
        call()
    except Problem as problem:
        return problem.rv in allowed
    return False


def generated(token):
    """NIST CAVP SigGen: PKCS#1 v1.5 signatures by keys of 2048 bits and more, verified"""
    fields = {}
    for v in records(FOLDER + 'FIPS_186-2/SigGen15_186-3.rsp', 'shaalg'):
        fields.update({key: v[key] for key in ('mod', 'n', 'e') if key in v})
        if 'msg' not in v or int(fields.get('mod', 0)) < 2048:
            continue
        digest, data = v['shaalg'].lower(), bytes.fromhex(v['msg'])
        size = int(fields['mod']) // 8
        public = token.create(CLASS=2, KEY_TYPE=RSA, TOKEN=False, VERIFY=True,
                              MODULUS=number(fields['n']), PUBLIC_EXPONENT=number(fields['e']))
        signature = number(v['s']).rjust(size, b'\0')
        yield token.verify(mechanism(PKCS1[digest]), public, data, signature)
        yield token.verify(mechanism(1), public, bytes.fromhex(INFO[digest]) +
                           hashlib.new(digest, data).digest(), signature)
        yield not token.verify(mechanism(PKCS1[digest]), public, data + b'\0', signature)
        token.destroy(public)


def pkcs1_sign(token):
    """RSA Laboratories' signatures; and with every digest what RFC 8017, 9.2 says"""
    for n, (pair, v) in enumerate(pairs(token, 'pkcs1v15sign-vectors.txt')):
        data = v['message']
        made = token.crypt('Sign', mechanism(6), pair.private, data)
        yield made == v['signature']
        for digest, mech in PKCS1.items():
            if n % 4 or not token.flags(mech):
                continue
            info = bytes.fromhex(INFO[digest]) + hashlib.new(digest, data).digest()
            block = b'\0\1' + b'\xff' * (pair.size - len(info) - 3) + b'\0' + info
            made = token.crypt('Sign', mechanism(mech), pair.private, data)
            yield pair.apply(made) == block
            yield token.crypt('Sign', mechanism(1), pair.private, info) == made
            # CKM_RSA_X_509
            yield token.crypt('Sign', mechanism(3), pair.private, block) == made
            yield token.crypt('Encrypt', mechanism(3), pair.public, made) == block
            yield token.verify(mechanism(mech), pair.public, data, made)


def pkcs1_forged(token):
    """Blocks that a careless verifier takes for a signature's: RFC 8017, 8.2.2; Bleichenbacher"""
    data, info = b'what is signed', bytes.fromhex(INFO['sha256'])
    good = info + hashlib.sha256(data).digest()
    for n, (pair, _) in enumerate(pairs(token, 'pkcs1v15sign-vectors.txt')):
        if n:
            continue
        fill = pair.size - len(good) - 3

        def sign(block, key=pair.private):
            return token.crypt('Sign', mechanism(3), key, block)
        yield token.verify(mechanism(0x40), pair.public, data,
                           sign(b'\0\1' + b'\xff' * fill + b'\0' + good))
        no_parameters = bytes.fromhex('302f300b0609608648016503040201' '0420') + good[-32:]
        for block in (b'\0\1' + b'\xff' * 8 + b'\0' + good + b'\0' * (fill - 8),
                      b'\0\1' + b'\xff' * (fill - 1) + b'\0\0' + good,
                      b'\0\1' + b'\xff' * (fill - 1) + b'\xfe\0' + good,
                      b'\0\2' + b'\xff' * fill + b'\0' + good,
                      b'\0\0' + b'\xff' * fill + b'\0' + good,
                      b'\0\1' + b'\xff' * (fill + 1) + good,
                      b'\0\1' + b'\xff' * (fill + 2) + b'\0' + no_parameters,
                      b'\0\1' + b'\xff' * (fill + len(info)) + b'\0' + good[-32:],
                      b'\0' * (pair.size - len(good)) + good):
            yield not token.verify(mechanism(0x40), pair.public, data, sign(block))
        # s of n and more stands for another number, and is none (RFC 8017, 5.2.2).
        whole = pair.n.to_bytes(pair.size, 'big')
        for signature in (whole, b'\xff' * pair.size, bytes(pair.size), b'\0' * 255 + b'\1',
                          b'\0' + whole, whole[:-1]):
            yield not token.verify(mechanism(0x40), pair.public, data, signature)


def mgf1(seed, size, digest):
    made = b''
    while len(made) < size:
        made += hashlib.new(digest, seed + (len(made) // hashlib.new(digest).digest_size)
                            .to_bytes(4, 'big')).digest()
    return made[:size]


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def pss_is_right(block, made, digest, salt_len):
    """RFC 8017, 9.1.2, for moduli of whole bytes"""
    size = hashlib.new(digest).digest_size
    masked, h = block[:-size - 1], block[-size - 1:-1]
    db = bytearray(xor(masked, mgf1(h, len(masked), digest)))
    db[0] &= 0x7f
    salt = bytes(db[len(db) - salt_len:])
    return block[-1] == 0xbc and not masked[0] & 0x80 and \
        bytes(db[:len(db) - salt_len]) == bytes(len(db) - salt_len - 1) + b'\1' and \
        hashlib.new(digest, bytes(8) + made + salt).digest() == h


def pss(token):
    """Signatures of the card's looked at by RFC 8017, 9.1.2, alone"""
    for n, (pair, v) in enumerate(pairs(token, 'pkcs1v15sign-vectors.txt')):
        if n:
            continue
        for digest, mech in PSS.items():
            if not token.flags(mech):
                continue
            made = hashlib.new(digest, v['message']).digest()
            for salt in (0, len(made)):
                parameter = Pss(*DIGESTS[digest], salt)
                for signature in (
                        token.crypt('Sign', mechanism(mech, parameter), pair.private, v['message']),
                        token.crypt('Sign', mechanism(0xd, parameter), pair.private, made)):
                    yield pss_is_right(pair.apply(signature), made, digest, salt)
                    yield token.verify(mechanism(mech, parameter), pair.public, v['message'],
                                       signature)
                    yield not token.verify(mechanism(mech, Pss(*DIGESTS[digest], salt + 1)),
                                           pair.public, v['message'], signature)


def pkcs1_crypt(token):
    """RSA Laboratories' ciphertexts, and bad paddings"""
    for n, (pair, v) in enumerate(pairs(token, 'pkcs1v15crypt-vectors.txt')):
        yield token.crypt('Decrypt', mechanism(1), pair.private, v['encryption']) == v['message']
        made = token.crypt('Encrypt', mechanism(1), pair.public, v['message'])
        block = token.crypt('Decrypt', mechanism(3), pair.private, made)
        yield block[:2] == b'\0\2' and block[2:].partition(b'\0')[2] == v['message'] and \
            b'\0' not in block[2:10]
        if n:
            continue
        fill = b'\x5a' * (pair.size - 10)
        for bad in (b'\0\1' + fill + b'\0message', b'\1\2' + fill + b'\0message',
                    b'\0\2' + b'\x5a' * 7 + b'\0' + b'm' * (pair.size - 10),
                    b'\0\2' + b'\x5a' * (pair.size - 2), bytes(pair.size)):
            text = pair.apply(bad[:pair.size].ljust(pair.size, b'm'))
            # CKR_ENCRYPTED_DATA_INVALID
            yield refused(lambda text=text: token.crypt('Decrypt', mechanism(1), pair.private,
                                                        text), 0x40)


def oaep(token):
    """RSA Laboratories' and the cryptography project's ciphertexts; those that were changed"""
    names = [('pkcs-1v2-1d2-vec/oaep-vect.txt', 'sha1', 'sha1')] + [
        (f'oaep-custom/oaep-{mgf}-{digest}.txt', digest, mgf)
        for mgf in list(DIGESTS)[:5] for digest in list(DIGESTS)[:5]
        if (mgf, digest) != ('sha1', 'sha1')]
    for name, digest, mgf in names:
        parameter = Oaep(DIGESTS[digest][0], DIGESTS[mgf][1], 1, None, 0)
        for n, (pair, v) in enumerate(pairs(token, name)):
            if 'encryption' not in v:
                continue
            mech, text = mechanism(9, parameter), v['encryption'].rjust(pair.size, b'\0')
            yield token.crypt('Decrypt', mech, pair.private, text) == v['message']
            made = token.crypt('Encrypt', mech, pair.public, v['message'])
            yield token.crypt('Decrypt', mech, pair.private, made) == v['message']
            if n:
                continue
            label = Oaep(DIGESTS[digest][0], DIGESTS[mgf][1], 1, b'label', 5)
            for bad, how in ((pair.apply(text), mech), (text, mechanism(9, label)),
                             (text[:-1] + bytes([text[-1] ^ 1]), mech), (bytes(pair.size), mech)):
                yield refused(lambda bad=bad, how=how: token.crypt('Decrypt', how, pair.private,
                                                                   bad), 0x40)


TESTS = (('RSA PKCS#1 signatures, NIST CAVP SigGen', generated),
         ('RSA PKCS#1 and raw signing, RSA Laboratories and RFC 8017', pkcs1_sign),
         ('RSA PKCS#1, forged blocks, RFC 8017', pkcs1_forged),
         ('RSA PSS signing, RFC 8017', pss),
         ('RSA PKCS#1 encryption, RSA Laboratories', pkcs1_crypt),
         ('RSA OAEP, RSA Laboratories and the cryptography project', oaep))
