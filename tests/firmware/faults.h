/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk that fails or loses power at a chosen moment: an SQLite VFS around the real one.
 *
 * Every write, truncation and sync of the store and its log is a moment. Until the
 * chosen one all is well. From then on, by kind:
 *   FAULT_ERROR   that operation fails, once (disk full, cable): the card goes on
 *   FAULT_KILL    nothing reaches the disk any more: the program was killed
 *   FAULT_TORN    the same, and the write at that moment was done in half
 *   FAULT_POWER   power is gone: what was not synced is lost, as if never written
 */
#ifndef PCIEHSM_TESTS_FIRMWARE_FAULTS_H
#define PCIEHSM_TESTS_FIRMWARE_FAULTS_H

enum fault {
	FAULT_NONE,
	FAULT_ERROR,
	FAULT_KILL,
	FAULT_TORN,
	FAULT_POWER,
};

/** faults_install() - make it the default VFS; once, before any card */
void faults_install(void);

/** faults_arm() - what happens at the @at-th moment from now, 1 the next; counts anew */
void faults_arm(enum fault kind, unsigned int at);

/** faults_moments() - how many there were since faults_arm() */
unsigned int faults_moments(void);

/** faults_happened() - did the chosen moment come? */
int faults_happened(void);

#endif /* PCIEHSM_TESTS_FIRMWARE_FAULTS_H */
