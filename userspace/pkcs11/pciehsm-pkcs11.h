/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the PKCS#11 module adds to the standard, for applications that want it.
 *
 * Users
 *   CKU_USER is the Crypto Officer and CKU_SO the Partition Security Officer; the other
 *   roles of a partition log in with the user types below. On a group's slot the
 *   password is checked by one member first, so a wrong one costs one attempt there.
 *   A role whose password was set by somebody else is logged in, but everything else
 *   answers CKR_PIN_EXPIRED until C_SetPIN has changed it.
 *
 * Slots
 *   0 to 4 the first partition of each card, 5 to 99 groups, 1000 and more further
 *   partitions. A slot's number never changes; a group's label and serial number do not
 *   change with its members. In HA-only mode the partitions are hidden.
 *
 * Administration
 *   C_InitToken and C_InitPIN are CKR_FUNCTION_NOT_SUPPORTED: a partition needs a cloning
 *   domain, which PKCS#11 has no place for. haadm does it.
 */
#ifndef PCIEHSM_PKCS11_H
#define PCIEHSM_PKCS11_H

#define CKU_PCIEHSM_CRYPTO_USER		0x80000001UL
#define CKU_PCIEHSM_LIMITED_OFFICER	0x80000002UL

#endif /* PCIEHSM_PKCS11_H */
