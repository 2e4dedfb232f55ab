# SPDX-License-Identifier: LGPL-2.1-or-later
ha_CFLAGS := $(shell pkg-config --cflags json-c)
ha_LIBS := $(shell pkg-config --libs json-c)
