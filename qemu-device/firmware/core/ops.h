/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What does each operation of <pciehsm/fw.h>. A handler is called with
 * checked fields and with the rights that core/ops.c demands for it.
 */
#ifndef FIRMWARE_CORE_OPS_H
#define FIRMWARE_CORE_OPS_H

#include "core/firmware.h"

/* core/basic.c */
CK_RV op_ping(struct call *c);
CK_RV op_session_close(struct call *c);
CK_RV op_random(struct call *c);

/* hsm/role.c */
CK_RV op_login(struct call *c);
CK_RV op_logout(struct call *c);
CK_RV op_role_init(struct call *c);
CK_RV op_role_set_pin(struct call *c);
CK_RV op_role_reset_pin(struct call *c);
CK_RV op_role_info(struct call *c);

/* hsm/activation.c */
CK_RV op_role_set_challenge(struct call *c);
CK_RV op_role_deactivate(struct call *c);

/* hsm/policy.c */
CK_RV op_policy_get(struct call *c);
CK_RV op_policy_set(struct call *c);

/* hsm/hsm.c */
CK_RV op_hsm_info(struct call *c);
CK_RV op_hsm_init(struct call *c);
CK_RV op_hsm_factory_reset(struct call *c);
CK_RV op_hsm_zeroize(struct call *c);
CK_RV op_partition_create(struct call *c);
CK_RV op_partition_delete(struct call *c);
CK_RV op_partition_resize(struct call *c);
CK_RV op_hsm_identity(struct call *c);
CK_RV op_hsm_stats(struct call *c);

/* hsm/partition_ops.c */
CK_RV op_partition_info(struct call *c);
CK_RV op_partition_init(struct call *c);
CK_RV op_partition_clear(struct call *c);

/* objects/object_ops.c */
CK_RV op_object_create(struct call *c);
CK_RV op_object_copy(struct call *c);
CK_RV op_object_destroy(struct call *c);
CK_RV op_object_get(struct call *c);
CK_RV op_object_set(struct call *c);
CK_RV op_object_size(struct call *c);

/* objects/find.c */
CK_RV op_object_find(struct call *c);

/* objects/key_ops.c */
CK_RV op_generate_key(struct call *c);
CK_RV op_generate_key_pair(struct call *c);
CK_RV op_wrap(struct call *c);
CK_RV op_unwrap(struct call *c);
CK_RV op_derive(struct call *c);
CK_RV op_encapsulate(struct call *c);
CK_RV op_decapsulate(struct call *c);

/* objects/crypt_ops.c */
CK_RV op_crypt(struct call *c);
CK_RV op_crypt_init(struct call *c);
CK_RV op_crypt_update(struct call *c);
CK_RV op_crypt_final(struct call *c);
CK_RV op_crypt_cancel(struct call *c);
CK_RV op_digest_key(struct call *c);
CK_RV op_mechanisms(struct call *c);

/* clone/log.c */
CK_RV op_digest(struct call *c);
CK_RV op_changes(struct call *c);

/* clone/tombstones.c */
CK_RV op_replica_mark(struct call *c);
CK_RV op_replica_marks(struct call *c);
CK_RV op_tombstones_collect(struct call *c);

/* hsm/audit.c */
CK_RV op_audit_info(struct call *c);
CK_RV op_audit_config(struct call *c);
CK_RV op_audit_export(struct call *c);
CK_RV op_audit_truncate(struct call *c);

/* objects/attest.c */
CK_RV op_attest(struct call *c);

/* clone/clone.c */
CK_RV op_clone_offer(struct call *c);
CK_RV op_clone_start(struct call *c);
CK_RV op_clone_accept(struct call *c);
CK_RV op_clone_export(struct call *c);
CK_RV op_clone_import(struct call *c);
CK_RV op_clone_close(struct call *c);

#endif /* FIRMWARE_CORE_OPS_H */
