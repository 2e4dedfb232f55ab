# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest boots from: the distribution's kernel, an initramfs, an accelerator.

All of it is kept in ${XDG_CACHE_HOME:-~/.cache}/pciehsm and made when missing.
"""

import contextlib
import ctypes
import fcntl
import glob
import hashlib
import json
import lzma
import mmap
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
CACHE = os.path.join(
    os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'pciehsm')
HEADERS = 'linux-headers-amd64'
# What the initramfs needs to reach the root file system and the ports.
MODULES = ('virtio_pci', '9pnet_virtio', '9p', 'overlay', 'virtio_console')
FIRMWARE_DIRS = ('/usr/share/seabios', '/usr/share/qemu')
KVM_PROBE_SECONDS = 20
KEPT_KERNELS = 2


class Failure(Exception):
    """The machine room itself failed; the text says what to do."""


def say(text):
    print(f'guest: {text}', file=sys.stderr, flush=True)


@contextlib.contextmanager
def locked(folder):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, 'lock'), 'w', encoding='utf-8') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def output(*argv, cwd=None):
    run = subprocess.run(argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True, check=False)
    if run.returncode:
        raise Failure(f'{" ".join(argv)} failed:\n{run.stderr.strip()}')
    return run.stdout


LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1
OUR_PID = os.getpid()


def die_with_parent():
    """For Popen's preexec_fn: be killed when the parent ends, however it ends."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != OUR_PID:
        # It ended before the line above.
        os.kill(os.getpid(), signal.SIGKILL)


class Kernel:
    """A kernel image with its modules.

    release -- as uname -r in the guest
    image -- path of the bootable image
    modules -- the directory for /lib/modules/RELEASE, or None if all is built in
    """

    def __init__(self, release, image, modules):
        self.release = release
        self.image = image
        self.modules = modules


def unpack_image(bzimage, vmlinux):
    """Unpack the kernel proper, which QEMU can boot as it is (PVH).

    Letting the guest unpack it takes seconds of every emulated boot.
    """
    with open(bzimage, 'rb') as f:
        data = f.read()
    start = data.find(b'\xfd7zXZ\0')
    if start < 0:
        raise Failure(f'{bzimage} is not compressed with xz')
    with open(vmlinux, 'wb') as f:
        f.write(lzma.LZMADecompressor().decompress(data[start:]))


def distribution_kernel():
    """The kernel that the installed headers are for, taken from its package.

    The package is unpacked, not installed: the host does not boot it.
    """
    depends = output('dpkg-query', '-W', '-f', '${Depends}', HEADERS)
    found = re.search(r'linux-headers-(\S+) \(= ([^)]+)\)', depends)
    if not found:
        raise Failure(f'{HEADERS} names no kernel; install it (tests/vm/install-deps)')
    release, version = found[1], found[2]
    folder = os.path.join(CACHE, 'kernel')
    there = os.path.join(folder, f'{release}_{version}')
    kernel = Kernel(release, os.path.join(there, 'boot', f'vmlinux-{release}'),
                    os.path.join(there, 'lib', 'modules', release))
    if os.path.isdir(there):
        return kernel
    with locked(folder):
        if os.path.isdir(there):
            return kernel
        package = f'linux-image-{release}'
        say(f'fetching the kernel {package} {version} ...')
        with tempfile.TemporaryDirectory(dir=folder) as work:
            # apt's own user cannot write below a home directory.
            output('apt-get', '-q', '-oAPT::Sandbox::User=root', 'download',
                   f'{package}={version}', cwd=work)
            deb, = glob.glob(os.path.join(work, '*.deb'))
            tree = os.path.join(work, 'tree')
            output('dpkg', '-x', deb, tree)
            output('/sbin/depmod', '-b', tree, release)
            unpack_image(os.path.join(tree, 'boot', f'vmlinuz-{release}'),
                         os.path.join(tree, 'boot', f'vmlinux-{release}'))
            os.rename(tree, there)
        there_now = sorted(glob.glob(os.path.join(folder, '*_*')), key=os.path.getmtime)
        for old in there_now[:-KEPT_KERNELS]:
            shutil.rmtree(old)
    return kernel


def counter_khz():
    """How fast this machine's time stamp counter counts, which an emulated one shows."""
    code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    # rdtsc; shl rdx, 32; or rax, rdx; ret
    code.write(bytes.fromhex('0f31 48c1e220 4809d0 c3'))
    counter = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(ctypes.c_char.from_buffer(code)))

    def both():
        # Of many tries the one between whose two looks at the clock the least happened.
        tries = []
        for _ in range(100):
            before = time.monotonic_ns()
            count = counter()
            tries.append((time.monotonic_ns() - before, before, count))
        return min(tries)[1:]
    begun, first = both()
    time.sleep(0.1)
    ended, last = both()
    return (last - first) * 1000000 // (ended - begun)


def given_kernel(folder):
    """The kernel in a build directory, with all built in, or in an unpacked package."""
    unpacked = glob.glob(os.path.join(folder, 'boot', 'vmlinuz-*'))
    if unpacked:
        release = os.path.basename(unpacked[0]).partition('-')[2]
        return Kernel(release, unpacked[0], os.path.join(folder, 'lib', 'modules', release))
    try:
        with open(os.path.join(folder, 'include/config/kernel.release'), encoding='utf-8') as f:
            release = f.read().strip()
    except OSError as e:
        raise Failure(f'{folder} is no build directory of a kernel: {e}') from e
    return Kernel(release, os.path.join(folder, 'vmlinux'), None)


def newc(entries):
    """A cpio archive (newc format) of (name, mode, data)."""
    out = bytearray()
    for inode, (name, mode, data) in enumerate(entries + [('TRAILER!!!', 0, b'')], 1):
        encoded = name.encode() + b'\0'
        fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
        out += b'070701' + b''.join(b'%08X' % f for f in fields) + encoded
        out += b'\0' * (-len(out) % 4)
        out += data
        out += b'\0' * (-len(out) % 4)
    return bytes(out)


def module_files(kernel):
    """Files of MODULES and of what they need, in the order to load them."""
    base = kernel.modules[:-len(os.path.join('lib', 'modules', kernel.release))]
    files = []
    for name in MODULES:
        text = output('/sbin/modprobe', '-d', base, '-S', kernel.release,
                      '--show-depends', name)
        for line in text.splitlines():
            words = line.split()
            if words[0] == 'insmod' and words[1] not in files:
                files.append(words[1])
    return files


def initramfs(kernel):
    """The path of the initramfs for this kernel."""
    busybox = shutil.which('busybox', path='/usr/bin:/bin')
    if not busybox:
        raise Failure('busybox is missing; run tests/vm/install-deps')
    with open(busybox, 'rb') as f:
        busybox_data = f.read()
    with open(os.path.join(HERE, 'initramfs-init'), 'rb') as f:
        init = f.read()
    key = hashlib.sha256(b'%s\0%s\0%s' % (busybox_data, init, repr(
        (kernel.modules, MODULES)).encode())).hexdigest()[:20]
    folder = os.path.join(CACHE, 'initramfs')
    path = os.path.join(folder, key)
    if os.path.exists(path):
        return path
    entries = [(name, 0o40755, b'') for name in ('bin', 'proc', 'modules', 'dev')]
    entries += [('bin/busybox', 0o100755, busybox_data), ('init', 0o100755, init)]
    order = []
    for file in module_files(kernel) if kernel.modules else []:
        name = os.path.basename(file).removesuffix('.xz')
        # Busybox loads a module as it is.
        with (lzma.open if file.endswith('.xz') else open)(file, 'rb') as f:
            entries.append((f'modules/{name}', 0o100644, f.read()))
        order.append(name)
    entries.append(('modules/order', 0o100644, ''.join(n + '\n' for n in order).encode()))
    with locked(folder):
        with open(path + '.new', 'wb') as f:
            f.write(newc(entries))
        os.rename(path + '.new', path)
    return path


def firmware_options():
    return [word for folder in FIRMWARE_DIRS if os.path.isdir(folder) for word in ('-L', folder)]


def machine_identity():
    """What the answer to "does KVM work here" depends on, as far as can be told."""
    model = ''
    with open('/proc/cpuinfo', encoding='utf-8', errors='replace') as f:
        for line in f:
            if line.startswith('model name'):
                model = line.split(':', 1)[1].strip()
                break
    return f'{platform.node()} {platform.release()} {model}'


def accelerator(qemu, kernel):
    """'kvm' if a kernel really boots with it, else 'tcg'.

    That /dev/kvm opens proves nothing: some virtual machines offer one that never
    gets a kernel past real mode. So one is booted, once, and the answer kept.
    """
    if not os.access('/dev/kvm', os.R_OK | os.W_OK):
        return 'tcg'
    path = os.path.join(CACHE, 'kvm.json')
    known = {}
    with contextlib.suppress(OSError, ValueError):
        with open(path, encoding='utf-8') as f:
            known = json.load(f)
    identity = machine_identity()
    if identity not in known:
        say(f'trying whether KVM works here (at most {KVM_PROBE_SECONDS} s, once) ...')
        started = time.monotonic()
        with subprocess.Popen(
                [qemu, *firmware_options(), '-nodefaults', '-no-user-config', '-display', 'none',
                 '-machine', 'q35', '-accel', 'kvm', '-cpu', 'max', '-m', '256',
                 '-kernel', kernel.image, '-initrd', initramfs(kernel),
                 '-append', 'console=ttyS0 quiet panic=-1 pciehsm.probe', '-no-reboot',
                 '-serial', 'stdio'],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, preexec_fn=die_with_parent) as proc:
            try:
                works = b'pciehsm.probe reached' in proc.communicate(timeout=KVM_PROBE_SECONDS)[0]
            except subprocess.TimeoutExpired:
                works = False
            finally:
                proc.kill()
        known[identity] = works
        with open(path + '.new', 'w', encoding='utf-8') as f:
            json.dump(known, f)
        os.rename(path + '.new', path)
        say(f'KVM {"works" if works else "does not work"} here '
            f'({time.monotonic() - started:.0f} s)')
    return 'kvm' if known[identity] else 'tcg'
