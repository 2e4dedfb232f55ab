# SPDX-License-Identifier: GPL-2.0-or-later
#
# For Makefiles of unit tests that run the userspace over cards inside the process.
#
#   include ../../lib/native.mk
#   tests := test-one test-two      # from test-one.c and test-two.c ...
#   $(eval $(native-tests))         # ... with the .c files in $(parts), if set
#
# Set by who calls: O, where programs go, and SANITIZE: nothing, address or thread.
# What several folders share is built once, in $(O)/../shared.

native_top := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))/../..)
O ?= $(native_top)/build/tests/unit/$(notdir $(CURDIR))
override O := $(abspath $(O))
shared := $(abspath $(O)/../shared)

sanitizers_address := address,undefined
sanitizers_thread := thread
CFLAGS ?= -O2 -g
native_CFLAGS := -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -Wshadow -pthread -fPIC \
	-I$(native_top)/kmod/uapi -I$(native_top)/userspace -I$(native_top)/userspace/libpciehsm \
	-I$(native_top)/userspace/ha -I$(native_top)/tests/lib \
	-I$(native_top)/qemu-device/firmware/include $(shell pkg-config --cflags p11-kit-1) \
	$(if $(SANITIZE),-fsanitize=$(sanitizers_$(SANITIZE)) -fno-sanitize-recover=all \
		-fno-omit-frame-pointer)

firmware := $(shared)/firmware/libpciehsm-firmware.a
userspace := $(addprefix $(shared)/userspace/,libpciehsm-ha.a libpciehsm.a)
-include $(native_top)/userspace/ha/room.mk
# What tests share; as an archive, so that a program takes what it uses.
common := $(shared)/libtests.a
common_sources := loopback.c cards.c
native_libs := $(common) $(userspace) $(firmware)
native_LIBS := $(native_libs) $(ha_LIBS) -lcmocka -lcrypto -lsqlite3 -ldl -lm

.PHONY: all native-force
.DEFAULT_GOAL := all
all:

# Several folders may be built at once: the lock lets one of them build what is shared.
$(firmware) $(userspace) &: native-force
	@mkdir -p $(shared)
	@flock $(shared)/lock $(MAKE) --no-print-directory -C $(native_top)/qemu-device/firmware \
		O=$(shared)/firmware SANITIZE=$(SANITIZE) CFLAGS='$(CFLAGS) -fPIC'
	@flock $(shared)/lock $(MAKE) --no-print-directory -C $(native_top)/userspace \
		O=$(shared)/userspace SANITIZE=$(SANITIZE) libpciehsm ha

$(shared)/tests/%.o: $(native_top)/tests/lib/%.c $(wildcard $(native_top)/tests/lib/*.h) \
		$(wildcard $(native_top)/userspace/libpciehsm/*.h)
	@mkdir -p $(@D)
	$(CC) $(native_CFLAGS) $(CFLAGS) -c -o $@ $<

$(common): $(common_sources:%.c=$(shared)/tests/%.o)
	rm -f $@
	$(AR) rcs $@ $^

define native-tests
all: $(addprefix $(O)/,$(tests))

$(O)/%.o: %.c
	@mkdir -p $$(@D)
	$$(CC) $$(native_CFLAGS) $$(CFLAGS) -MMD -MP -c -o $$@ $$<

$(addprefix $(O)/,$(tests)): $(O)/%: $(O)/%.o $(parts:%.c=$(O)/%.o) $(native_libs)
	$$(CC) $$(native_CFLAGS) $$(LDFLAGS) -o $$@ $$(filter-out $(native_libs),$$^) $(native_LIBS)

-include $(wildcard $(O)/*.d)
endef
