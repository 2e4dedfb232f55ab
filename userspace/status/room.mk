# SPDX-License-Identifier: LGPL-2.1-or-later
#
#   make install-status DESTDIR=DIR prefix=/usr libdir=/usr/lib/...
#
# The library's name has the number of its interface; it changes when a structure or
# function changes that programs already use.
status_SONAME := libpciehsm-ha.so.1
status_VERSION := $(shell sed -n 's/^PACKAGE_VERSION=//p' ../kmod/dkms.conf)
prefix ?= /usr/local
libdir ?= $(prefix)/lib
includedir ?= $(prefix)/include
status_into = install -D -m 644 $(1) $(DESTDIR)$(2)

.PHONY: install-status
install-status: status
	$(call status_into,$(O)/$(status_SONAME),$(libdir)/$(status_SONAME))
	ln -sf $(status_SONAME) $(DESTDIR)$(libdir)/libpciehsm-ha.so
	$(call status_into,status/pciehsm-ha.h,$(includedir)/pciehsm-ha.h)
	@mkdir -p $(DESTDIR)$(libdir)/pkgconfig
	sed -e 's,@prefix@,$(prefix),' -e 's,@libdir@,$(libdir),' \
		-e 's,@includedir@,$(includedir),' -e 's,@version@,$(status_VERSION),' \
		status/pciehsm-ha.pc.in >$(DESTDIR)$(libdir)/pkgconfig/pciehsm-ha.pc
