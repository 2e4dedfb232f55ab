/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FIRMWARE_CORE_MEM_H
#define FIRMWARE_CORE_MEM_H

#include <stddef.h>

/*
 * Memory for the tables that must follow what the store has committed already: by then
 * there is no way back, so these end the process when memory is out. Whatever
 * a request decides the size of is allocated with malloc() and checked instead.
 */
void *mem_zalloc(size_t size);
void *mem_grow(void *p, size_t count, size_t size);
void mem_die(void) __attribute__((noreturn));

#endif /* FIRMWARE_CORE_MEM_H */
