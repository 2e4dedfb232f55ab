# SPDX-License-Identifier: GPL-2.0-or-later
#
# pciehsm: the card, its driver, its userspace, and how they are tried together.
# Everything built goes to build/; what takes long (QEMU, the guest's kernel) is
# kept in ${XDG_CACHE_HOME:-~/.cache}/pciehsm. `make help` lists the targets.

JOBS ?= $(shell nproc)
BUILD := $(CURDIR)/build

# The kernel that the guest boots, which need not be the one running here.
KERNEL_RELEASE = $(shell dpkg-query -W -f='$${Depends}' linux-headers-amd64 2>/dev/null | \
	sed -n 's/.*linux-headers-\([^ ]*\) .*/\1/p')
KDIR ?= /usr/src/linux-headers-$(KERNEL_RELEASE)

# One part after the other, each in parallel in itself, so that progress can be read.
.NOTPARALLEL:
parallel = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(JOBS))
submake = +$(MAKE) --no-print-directory $(parallel)

.PHONY: all kmod modules_install check-removals userspace qemu install uninstall deb deps test-deps demo check check-kernels check-qemu check-debug check-openssl check-packages bench simulate fuzz fuzz-device vm unit clean help

all: kmod userspace qemu

# Kernels before 6.13 build a module where its sources are. So its folder is made
# again in build/ out of links, and nothing is built in the source tree. The headers
# lack the kernel image that type information (BTF) of a module would be made from.
kmod:
	@test -e $(KDIR)/Makefile || { \
		echo 'kmod: no kernel headers in "$(KDIR)": run tests/vm/install-deps, or give KDIR=' >&2; \
		exit 1; }
	@mkdir -p $(BUILD)/kmod
	@find $(BUILD)/kmod -xtype l -delete
	@cd kmod && find . \( -name '*.[chS]' -o -name Kbuild -o -name Makefile \) ! -name '*.mod.c' | \
		while read -r file; do \
			mkdir -p $(BUILD)/kmod/$${file%/*} && \
			ln -sf $(CURDIR)/kmod/$$file $(BUILD)/kmod/$$file || exit 1; \
		done
	$(submake) -C $(KDIR) M=$(BUILD)/kmod CONFIG_DEBUG_INFO_BTF_MODULES= modules

# For the kernel in KDIR; INSTALL_MOD_PATH as the kernel's own build has it. The device
# nodes get their names from the rules of udev.
modules_install: kmod
	$(submake) -C $(KDIR) M=$(BUILD)/kmod modules_install
	install -D -m 644 -t $(INSTALL_MOD_PATH)/lib/udev/rules.d kmod/udev/60-pciehsm.rules

userspace:
	$(submake) -C userspace O=$(BUILD)/userspace

qemu:
	@mkdir -p $(BUILD)
	@binary=$$(qemu-device/build-qemu -j $(JOBS)) && \
		ln -sf "$$binary" $(BUILD)/qemu-system-x86_64

# Where things go: prefix, DESTDIR and the like, as packaging/Makefile has them. The
# driver goes there as source for dkms; modules_install puts it in place for one kernel.
install: userspace
	+$(MAKE) --no-print-directory -C packaging install BUILD=$(BUILD)

uninstall:
	+$(MAKE) --no-print-directory -C packaging uninstall

deb:
	@packaging/build-deb

deps:
	@tests/vm/install-deps

test-deps:
	@tests/vm/install-deps --tests

demo: deps
	$(submake) all
	@tests/vm/demo

check: test-deps
	$(submake) all
	@tests/run-check

# The guest's kernel, and those of Debian 12, 13 and of the future one; of the latter two a
# guest boots.
check-kernels: test-deps
	$(submake) all
	@tests/kernels/run bookworm
	@tests/kernels/boot trixie sid

# QEMU of Debian 12 and 13 and of the future one, with the card; each boots a guest.
check-qemu: test-deps
	$(submake) kmod
	@tests/qemu-versions/check bookworm trixie sid

# What this machine's libcrypto is too old for, on a suite whose is not
check-openssl: test-deps
	@SANITIZE=address tests/crypto/on-suite trixie

check-debug: test-deps
	$(submake) all
	@tests/debug-kernel/check

# The packages in fresh systems of Debian 12 and 13
SUITES ?= bookworm trixie
check-packages: test-deps
	@tests/packages/check $(SUITES)

# Each prints a table and says which bars were missed.
bench: test-deps
	$(submake) all
	@status=0; for run in tests/bench/*/run; do \
		echo "$$run:"; $$run || status=1; echo; \
	done; exit $$status

# Inputs that the firmware might not stand, and then QEMU with the card; seconds for each
# of three targets, and of processor time for QEMU.
TIME ?= 600
fuzz: test-deps
	@tests/fuzz/fuzz $(TIME)
	@tests/device/fuzz $(TIME)

fuzz-device: test-deps
	@tests/device/fuzz $(TIME)

# Cards are pulled out and put back under load, as often as you like.
N ?= 1000
check-removals: test-deps
	$(submake) kmod qemu
	@N=$(N) tests/kselftest/run removals

unit: test-deps
	@tests/run-check unit

# Runs of the group engine on simulated time, as many as you like; each is decided by its number.
SEEDS ?= 1000
simulate: test-deps
	@SEEDS=$(SEEDS) JOBS=$(JOBS) tests/simulation/run

vm: deps
	$(submake) all
	@tests/vm/guest --terminal

clean:
	rm -rf $(BUILD)

help:
	@echo 'make            build the driver, the userspace and QEMU with the card'
	@echo 'make kmod       build/kmod/pciehsm.ko for the kernel in KDIR'
	@echo 'make modules_install  install it for that kernel, with its rules for udev'
	@echo 'make userspace  build/userspace: haadm, libpciehsm-pkcs11.so'
	@echo 'make qemu       build/qemu-system-x86_64; slow only the first time'
	@echo 'make install    haadm, the PKCS#11 module, the driver for dkms; DESTDIR=, prefix='
	@echo 'make deb        Debian packages of everything, in build/deb'
	@echo 'make demo       replace a member of an HA group under load, in a guest with two cards'
	@echo 'make vm         a shell in a guest with two cards and the driver loaded'
	@echo 'make check      all tests; tests/run-check NAME... for some of them'
	@echo 'make check-removals   pull cards out and put them back N=1000 times under load, in a guest'
	@echo 'make unit       the tests that need no guest'
	@echo 'make simulate   SEEDS=1000 random runs of the group engine on simulated time'
	@echo 'make check-kernels  build and test the driver with the kernels of three Debian suites (as root)'
	@echo 'make check-qemu     the card in the QEMU of three Debian suites, each booted (as root)'
	@echo 'make check-debug    the driver on a kernel that looks for its mistakes'
	@echo 'make check-openssl  the firmware with the OpenSSL of Debian 13: ML-KEM, ML-DSA, SLH-DSA (as root)'
	@echo 'make check-packages the Debian packages in fresh systems of Debian 12 and 13 (as root)'
	@echo 'make bench      measure, in turns with a peer for each thing'
	@echo 'make fuzz       look for inputs that break the firmware or the card, TIME=seconds for each'
	@echo 'make fuzz-device    that for the card alone: what a guest can do, by the fuzzer of QEMU'
	@echo 'make deps       install the packages that building and running needs (as root)'
	@echo 'make test-deps  and those that the tests need'
	@echo 'make clean      remove build/ (the cache stays)'
