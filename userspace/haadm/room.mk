# SPDX-License-Identifier: LGPL-2.1-or-later
haadm_CFLAGS := $(shell pkg-config --cflags libedit json-c smartcols libpci)
haadm_LIBS := $(shell pkg-config --libs libedit json-c smartcols libpci)
