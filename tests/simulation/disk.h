/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of a card's store. */
#ifndef PCIEHSM_SIMULATION_DISK_H
#define PCIEHSM_SIMULATION_DISK_H

/** disk_copy_file() - one file; ends the program if that can not be done */
void disk_copy_file(const char *from, const char *to);
/** disk_copy() - a store, in place of another: as it would be found after a power loss now */
void disk_copy(const char *from, const char *to);
/** disk_remove() - a store */
void disk_remove(const char *store);

#endif /* PCIEHSM_SIMULATION_DISK_H */
