/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Policies: numbers and defaults of the product's tables.
 */
#ifndef FIRMWARE_HSM_POLICY_H
#define FIRMWARE_HSM_POLICY_H

#include <stdbool.h>
#include <stdint.h>

/* HSM */
#define HSM_POLICY_CLONING		7
#define HSM_POLICY_NON_FIPS		12
#define HSM_POLICY_RESET_PIN		15
#define HSM_POLICY_NETWORK_REPLICATION	16
#define HSM_POLICY_TAMPER_DECOMMISSION	40

/* Partition */
#define POLICY_PRIVATE_CLONING		0
#define POLICY_PRIVATE_WRAPPING		1
#define POLICY_PRIVATE_UNWRAPPING	2
#define POLICY_SECRET_CLONING		4
#define POLICY_SECRET_WRAPPING		5
#define POLICY_SECRET_UNWRAPPING	6
#define POLICY_CHANGE_ATTRIBUTES	11
#define POLICY_SIGN_NON_LOCAL		17
#define POLICY_RAW_RSA			18
#define POLICY_MAX_FAILED_LOGINS	20
#define POLICY_HA_RECOVERY		21
#define POLICY_ACTIVATION		22
#define POLICY_AUTO_ACTIVATION		23
#define POLICY_MIN_PIN			25
#define POLICY_MAX_PIN			26
#define POLICY_KEY_MANAGEMENT		28
#define POLICY_RSA_PKCS			33
#define POLICY_NON_FIPS			43

/** policy_hsm_defaults() - the values of a new HSM */
void policy_hsm_defaults(uint32_t *policies);

/** policy_partition_defaults() - the values of a new partition */
void policy_partition_defaults(uint32_t *policies);

#endif /* FIRMWARE_HSM_POLICY_H */
