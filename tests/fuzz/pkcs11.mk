# SPDX-License-Identifier: GPL-2.0-or-later
#
# The fuzz target of the PKCS#11 module, with the firmware in the same process:
#
#	make -f pkcs11.mk O=DIR SANITIZE=address		DIR/pkcs11 makes up inputs itself
#	make -f pkcs11.mk O=DIR SANITIZE=address CC=clang	and DIR/pkcs11-libfuzzer looks for
#								what leads to new code

include ../lib/native.mk

room := $(native_top)/userspace/pkcs11
objects := $(patsubst $(room)/%.c,$(O)/module/%.o,$(filter-out $(room)/env.c,$(wildcard $(room)/*.c)))
clang := $(findstring clang,$(CC))

all: $(O)/pkcs11 $(if $(clang),$(O)/pkcs11-libfuzzer)

$(O)/module/%.o: $(room)/%.c
	@mkdir -p $(@D)
	$(CC) $(native_CFLAGS) $(CFLAGS) $(if $(clang),-fsanitize=fuzzer-no-link) -MMD -MP -c -o $@ $<

$(O)/loopback-module.o: $(native_top)/tests/lib/loopback-module.c
	@mkdir -p $(@D)
	$(CC) $(native_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# As in the shared object, nothing of the module is seen but the ways in.
$(O)/module.o: $(objects)
	$(LD) -r -o $@.all $^
	objcopy --keep-global-symbol=C_GetFunctionList \
		--keep-global-symbol=C_GetInterface --keep-global-symbol=C_GetInterfaceList $@.all $@

linked := $(O)/module.o $(O)/loopback-module.o

$(O)/pkcs11: pkcs11.c $(linked) $(native_libs)
	$(CC) $(native_CFLAGS) $(CFLAGS) -o $@ $< $(linked) $(native_LIBS)

$(O)/pkcs11-libfuzzer: pkcs11.c $(linked) $(native_libs)
	$(CC) $(native_CFLAGS) $(CFLAGS) -DPCIEHSM_LIBFUZZER -fsanitize=fuzzer -o $@ $< $(linked) \
		$(native_LIBS)

-include $(wildcard $(O)/module/*.d)
