// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Generating, wrapping, unwrapping, deriving, encapsulating and decapsulating keys.
 */
#include <stdlib.h>

#include "core/ops.h"
#include "hsm/policy.h"
#include "message/template.h"
#include "message/wire.h"
#include "objects/make.h"
#include "objects/rules.h"
#include "objects/use.h"

static CK_RV template_of(struct call *c, uint16_t id, struct fw_attrs *attrs)
{
	const uint8_t *data;
	size_t len;

	data = message_bytes(&c->in, id, &len);
	return template_to_attrs(data, len, attrs);
}

/* A template for an object of this class, whose material is made here */
static CK_RV complete_template(struct making *m, struct fw_attrs *attrs, uint64_t class)
{
	uint64_t named = class;
	CK_RV rv;

	rv = rules_check(attrs, class, RULES_GENERATE);
	if (rv != CKR_OK)
		return rv;
	fw_attrs_get_ulong(attrs, CKA_CLASS, &named);
	if (named != class)
		return CKR_TEMPLATE_INCONSISTENT;
	fw_attrs_remove(attrs, CKA_PUBLIC_KEY_INFO);
	rv = fw_attrs_put_ulong(attrs, CKA_CLASS, class);
	if (rv == CKR_OK)
		rv = rules_defaults(attrs, class);
	if (rv == CKR_OK)
		rv = make_allowed(m, attrs);
	return rv;
}

/*
 * CKA_ALWAYS_SENSITIVE and CKA_NEVER_EXTRACTABLE of a key whose value was never
 * outside; @sensitive and @unextractable: nor that of what it was made from.
 */
static CK_RV put_history(struct fw_attrs *attrs, bool sensitive, bool unextractable)
{
	CK_RV rv;

	sensitive = sensitive && fw_attrs_get_bool(attrs, CKA_SENSITIVE, false);
	unextractable = unextractable && !fw_attrs_get_bool(attrs, CKA_EXTRACTABLE, false);
	rv = fw_attrs_put_bool(attrs, CKA_ALWAYS_SENSITIVE, sensitive);
	if (rv == CKR_OK)
		rv = fw_attrs_put_bool(attrs, CKA_NEVER_EXTRACTABLE, unextractable);
	return rv;
}

/* No generating mechanism has parameters. */
static CK_RV mechanism_of(struct call *c, CK_ULONG *mech, uint32_t flag)
{
	unsigned int i;

	*mech = message_u32(&c->in, PCIEHSM_F_MECHANISM, 0);
	for (i = 0; i < c->in.count; i++)
		if (c->in.fields[i].id >= PCIEHSM_F_P_IV &&
		    c->in.fields[i].id <= PCIEHSM_F_P_LAST)
			return CKR_MECHANISM_PARAM_INVALID;
	return use_mechanism(c, *mech, flag);
}

/* ---- generate ---- */

static CK_RV generate_key(struct call *c, struct making *m)
{
	CK_ULONG mech;
	CK_RV rv;

	rv = mechanism_of(c, &mech, CKF_GENERATE);
	if (rv == CKR_OK)
		rv = template_of(c, PCIEHSM_F_TEMPLATE, &m->attrs[0]);
	if (rv == CKR_OK)
		rv = make_set_check_value_aside(m);
	if (rv == CKR_OK)
		rv = complete_template(m, &m->attrs[0], CKO_SECRET_KEY);
	if (rv == CKR_OK)
		rv = fw_generate_key(mech, &m->attrs[0]);
	if (rv == CKR_OK)
		rv = make_compare_check_value(m);
	if (rv == CKR_OK)
		rv = put_history(&m->attrs[0], true, true);
	if (rv == CKR_OK)
		rv = make_commit(m);
	return rv;
}

CK_RV op_generate_key(struct call *c)
{
	struct making m;
	CK_RV rv;

	rv = make_begin(&m, c, 1);
	if (rv == CKR_OK && !m.done)
		rv = generate_key(c, &m);
	make_end(&m);
	return rv;
}

static bool curve_allowed(struct call *c, CK_ULONG mech, const struct fw_attrs *attrs)
{
	struct fw_bytes params;

	if (!approved_only(c->fw, c->part) || !fw_attrs_get(attrs, CKA_EC_PARAMS, &params))
		return true;
	return fw_approved_curve(mech == CKM_EC_EDWARDS_KEY_PAIR_GEN ? CKK_EC_EDWARDS : CKK_EC,
				 params);
}

/* Keys that do not fit together come from hardware or memory that can not be trusted. */
static void fail(struct call *c)
{
	if (!atomic_exchange(&c->fw->failed, true))
		events_add(&c->events, HSM_FW_ENGINE_FAILED, 0);
}

/* Of both halves, where a template does not say it; if it is wrong, that is found out later. */
static CK_RV put_types(struct making *m, uint64_t type)
{
	CK_RV rv = CKR_OK;
	unsigned int i;

	for (i = 0; rv == CKR_OK && i < m->count; i++)
		if (!fw_attrs_has(&m->attrs[i], CKA_KEY_TYPE))
			rv = fw_attrs_put_ulong(&m->attrs[i], CKA_KEY_TYPE, type);
	return rv;
}

static CK_RV generate_pair(struct call *c, struct making *m)
{
	struct fw_progress progress = { call_step, c };
	CK_ULONG mech;
	CK_RV rv;

	rv = mechanism_of(c, &mech, CKF_GENERATE_KEY_PAIR);
	if (rv == CKR_OK)
		rv = template_of(c, PCIEHSM_F_TEMPLATE, &m->attrs[0]);
	if (rv == CKR_OK && !curve_allowed(c, mech, &m->attrs[0]))
		rv = PCIEHSM_CKR_POLICY;
	if (rv == CKR_OK)
		rv = template_of(c, PCIEHSM_F_TEMPLATE2, &m->attrs[1]);
	/* Defaults depend on the type, which the mechanism says. */
	if (rv == CKR_OK && mech == CKM_ML_KEM_KEY_PAIR_GEN)
		rv = put_types(m, CKK_ML_KEM);
	if (rv == CKR_OK)
		rv = complete_template(m, &m->attrs[0], CKO_PUBLIC_KEY);
	if (rv == CKR_OK)
		rv = complete_template(m, &m->attrs[1], CKO_PRIVATE_KEY);
	if (rv != CKR_OK)
		return rv;
	/* Until the keys are there nothing has happened, so it can be stopped. */
	if (c->queued)
		engine_stoppable(c->fw, c->req, true);
	rv = fw_generate_key_pair(mech, &m->attrs[0], &m->attrs[1], &progress);
	if (c->queued)
		engine_stoppable(c->fw, c->req, false);
	if (rv == CKR_DEVICE_ERROR)
		fail(c);
	if (rv == CKR_OK && !call_step(c))
		rv = CKR_FUNCTION_CANCELED;
	if (rv == CKR_OK)
		rv = put_history(&m->attrs[1], true, true);
	if (rv == CKR_OK)
		rv = make_commit(m);
	return rv;
}

CK_RV op_generate_key_pair(struct call *c)
{
	struct making m;
	CK_RV rv;

	rv = make_begin(&m, c, 2);
	if (rv == CKR_OK && !m.done)
		rv = generate_pair(c, &m);
	make_end(&m);
	return rv;
}

/* ---- wrap ---- */

static CK_RV wrappable(struct call *c, const struct object *wrapper, const struct object *target)
{
	struct fw_bytes template;
	bool private;

	if (target->class != CKO_PRIVATE_KEY && target->class != CKO_SECRET_KEY)
		return CKR_KEY_NOT_WRAPPABLE;
	if (!(target->flags & OBJ_EXTRACTABLE))
		return CKR_KEY_UNEXTRACTABLE;
	if ((target->flags & OBJ_WRAP_WITH_TRUSTED) && !(wrapper->flags & OBJ_TRUSTED))
		return CKR_KEY_NOT_WRAPPABLE;
	if (fw_attrs_get(&wrapper->attrs, CKA_WRAP_TEMPLATE, &template) &&
	    !rules_match(&target->attrs, template.p, template.len))
		return CKR_KEY_NOT_WRAPPABLE;
	private = target->class == CKO_PRIVATE_KEY;
	if (!partition_allows(c->part, private ? POLICY_PRIVATE_WRAPPING :
						 POLICY_SECRET_WRAPPING))
		return PCIEHSM_CKR_POLICY;
	return CKR_OK;
}

static CK_RV wrap(struct call *c, struct use *u, struct object *target)
{
	struct fw_key *key;
	size_t len = 0;
	uint8_t *out;
	CK_RV rv;

	rv = wrappable(c, u->object, target);
	if (rv == CKR_OK)
		rv = object_key(target, &key);
	if (rv == CKR_OK)
		rv = fw_wrap(u->mech, &u->params, u->key, key, NULL, &len);
	if (rv != CKR_OK)
		return rv;
	out = answer_open(&c->out, PCIEHSM_F_DATA, len);
	if (!out)
		return CKR_BUFFER_TOO_SMALL;
	rv = fw_wrap(u->mech, &u->params, u->key, key, out, &len);
	if (rv == CKR_OK)
		answer_close(&c->out, len);
	return rv;
}

CK_RV op_wrap(struct call *c)
{
	struct object *target = NULL;
	struct use u;
	size_t len;
	CK_RV rv;

	rv = use_begin(&u, c, CKF_WRAP);
	if (rv == CKR_OK)
		rv = use_key(&u, c, OBJ_WRAP, CKR_WRAPPING_KEY_HANDLE_INVALID);
	if (rv == CKR_OK) {
		target = partition_object(c, message_bytes(&c->in, PCIEHSM_F_OBJECT, &len));
		rv = target ? wrap(c, &u, target) : CKR_KEY_HANDLE_INVALID;
	}
	object_put(target);
	use_end(&u);
	return rv;
}

/* ---- unwrap ---- */

/* A new object by a key that is there already: @run makes it. */
static CK_RV make_from_key(struct call *c, uint32_t permission, uint32_t flag, CK_RV invalid,
			   CK_RV (*run)(struct call *c, struct making *m, struct use *u))
{
	struct making m;
	struct use u;
	CK_RV rv;

	rv = make_begin(&m, c, 1);
	if (rv == CKR_OK && !m.done) {
		rv = use_begin(&u, c, flag);
		if (rv == CKR_OK)
			rv = use_key(&u, c, permission, invalid);
		if (rv == CKR_OK)
			rv = run(c, &m, &u);
		use_end(&u);
	}
	make_end(&m);
	return rv;
}

static CK_RV impose(const struct object *by, uint32_t type, struct fw_attrs *attrs)
{
	struct fw_bytes template;

	if (!fw_attrs_get(&by->attrs, type, &template))
		return CKR_OK;
	return rules_impose(attrs, template.p, template.len);
}

static CK_RV unwrap(struct call *c, struct making *m, struct use *u)
{
	struct fw_attrs *attrs = &m->attrs[0];
	struct fw_bytes in;
	uint64_t class;
	CK_RV rv;

	rv = template_of(c, PCIEHSM_F_TEMPLATE, attrs);
	if (rv == CKR_OK)
		rv = impose(u->object, CKA_UNWRAP_TEMPLATE, attrs);
	if (rv != CKR_OK)
		return rv;
	if (!fw_attrs_get_ulong(attrs, CKA_CLASS, &class) || !fw_attrs_has(attrs, CKA_KEY_TYPE))
		return CKR_TEMPLATE_INCOMPLETE;
	if (class != CKO_PRIVATE_KEY && class != CKO_SECRET_KEY)
		return CKR_TEMPLATE_INCONSISTENT;
	if (!partition_allows(c->part, class == CKO_PRIVATE_KEY ? POLICY_PRIVATE_UNWRAPPING :
								  POLICY_SECRET_UNWRAPPING))
		return PCIEHSM_CKR_POLICY;
	rv = make_set_check_value_aside(m);
	if (rv == CKR_OK)
		rv = complete_template(m, attrs, class);
	if (rv != CKR_OK)
		return rv;
	in.p = message_bytes(&c->in, PCIEHSM_F_DATA, &in.len);
	rv = fw_unwrap(u->mech, &u->params, u->key, in.p, in.len, attrs);
	if (rv == CKR_OK)
		rv = make_compare_check_value(m);
	/* It was outside, whatever it was wrapped with. */
	if (rv == CKR_OK)
		rv = put_history(attrs, false, false);
	if (rv == CKR_OK)
		rv = make_commit(m);
	return rv;
}

CK_RV op_unwrap(struct call *c)
{
	return make_from_key(c, OBJ_UNWRAP, CKF_UNWRAP, CKR_UNWRAPPING_KEY_HANDLE_INVALID, unwrap);
}

/* ---- derive ---- */

/* Data that is derived has a length, which data objects have not. */
static CK_RV complete_data_template(struct making *m, struct fw_attrs *attrs)
{
	uint64_t value_len = 0;
	bool given;
	CK_RV rv;

	given = fw_attrs_get_ulong(attrs, CKA_VALUE_LEN, &value_len);
	fw_attrs_remove(attrs, CKA_VALUE_LEN);
	if (fw_attrs_has(attrs, CKA_VALUE))
		return CKR_TEMPLATE_INCONSISTENT;
	rv = complete_template(m, attrs, CKO_DATA);
	fw_attrs_remove(attrs, CKA_VALUE);
	if (rv == CKR_OK && given)
		rv = fw_attrs_put_ulong(attrs, CKA_VALUE_LEN, value_len);
	return rv;
}

static CK_RV derive(struct call *c, struct making *m, struct use *u)
{
	struct fw_attrs *attrs = &m->attrs[0];
	const struct fw_attrs *base = &u->object->attrs;
	uint64_t class = u->mech == CKM_HKDF_DATA ? CKO_DATA : CKO_SECRET_KEY;
	CK_RV rv;

	rv = template_of(c, PCIEHSM_F_TEMPLATE, attrs);
	if (rv == CKR_OK)
		rv = impose(u->object, CKA_DERIVE_TEMPLATE, attrs);
	if (rv == CKR_OK)
		rv = make_set_check_value_aside(m);
	if (rv == CKR_OK)
		rv = class == CKO_DATA ? complete_data_template(m, attrs) :
					 complete_template(m, attrs, class);
	if (rv == CKR_OK)
		rv = fw_derive(u->mech, &u->params, u->key, attrs);
	if (rv == CKR_OK)
		rv = make_compare_check_value(m);
	if (rv == CKR_OK && class == CKO_SECRET_KEY)
		rv = put_history(attrs, fw_attrs_get_bool(base, CKA_ALWAYS_SENSITIVE, false),
				 fw_attrs_get_bool(base, CKA_NEVER_EXTRACTABLE, false));
	if (rv == CKR_OK)
		rv = make_commit(m);
	return rv;
}

CK_RV op_derive(struct call *c)
{
	return make_from_key(c, OBJ_DERIVE, CKF_DERIVE, CKR_KEY_HANDLE_INVALID, derive);
}

/* ---- encapsulate, decapsulate ---- */

/*
 * Both ends of an encapsulation know the secret, so wherever it comes into being, it
 * has been outside.
 */
static CK_RV finish_shared(struct making *m)
{
	CK_RV rv = make_compare_check_value(m);

	if (rv == CKR_OK)
		rv = put_history(&m->attrs[0], false, false);
	if (rv == CKR_OK)
		rv = make_commit(m);
	return rv;
}

static CK_RV shared_template(struct call *c, struct making *m, struct use *u)
{
	CK_RV rv;

	rv = template_of(c, PCIEHSM_F_TEMPLATE, &m->attrs[0]);
	/* Private keys have this one, public ones the other: PKCS#11 3.2, 4.9 and 4.8 */
	if (rv == CKR_OK)
		rv = impose(u->object, CKA_DECAPSULATE_TEMPLATE, &m->attrs[0]);
	if (rv == CKR_OK)
		rv = make_set_check_value_aside(m);
	if (rv == CKR_OK)
		rv = complete_template(m, &m->attrs[0], CKO_SECRET_KEY);
	return rv;
}

/* CKA_ENCAPSULATE_TEMPLATE prescribes nothing: what does not match it is not made. */
static CK_RV check_encapsulated(const struct use *u, const struct fw_attrs *attrs)
{
	struct fw_bytes template;

	if (!fw_attrs_get(&u->object->attrs, CKA_ENCAPSULATE_TEMPLATE, &template) ||
	    rules_match(attrs, template.p, template.len))
		return CKR_OK;
	return CKR_TEMPLATE_INCONSISTENT;
}

static CK_RV encapsulate(struct call *c, struct making *m, struct use *u)
{
	uint8_t *out = NULL;
	size_t len = 0;
	CK_RV rv;

	rv = shared_template(c, m, u);
	if (rv == CKR_OK)
		rv = fw_encapsulate(u->mech, &u->params, u->key, NULL, NULL, &len);
	/* Room for all of the answer, before a secret is made that nobody could be told */
	if (rv == CKR_OK)
		rv = answer_room(&c->out, 3, 2 * PCIEHSM_OUID_LEN + wire_pad(len));
	if (rv == CKR_OK) {
		out = malloc(len);
		rv = out ? fw_encapsulate(u->mech, &u->params, u->key, &m->attrs[0], out, &len) :
			   CKR_HOST_MEMORY;
	}
	if (rv == CKR_OK)
		rv = check_encapsulated(u, &m->attrs[0]);
	if (rv == CKR_OK)
		rv = finish_shared(m);
	/* If it was there already, this ciphertext is not its. */
	if (rv == CKR_OK && !m->done)
		answer_put(&c->out, PCIEHSM_F_DATA, out, len);
	free(out);
	return rv;
}

CK_RV op_encapsulate(struct call *c)
{
	return make_from_key(c, OBJ_ENCAPSULATE, CKF_ENCAPSULATE, CKR_KEY_HANDLE_INVALID,
			     encapsulate);
}

static CK_RV decapsulate(struct call *c, struct making *m, struct use *u)
{
	struct fw_bytes in;
	CK_RV rv;

	rv = shared_template(c, m, u);
	in.p = message_bytes(&c->in, PCIEHSM_F_DATA, &in.len);
	if (rv == CKR_OK)
		rv = fw_decapsulate(u->mech, &u->params, u->key, in.p, in.len, &m->attrs[0]);
	return rv == CKR_OK ? finish_shared(m) : rv;
}

CK_RV op_decapsulate(struct call *c)
{
	return make_from_key(c, OBJ_DECAPSULATE, CKF_DECAPSULATE,
			     CKR_UNWRAPPING_KEY_HANDLE_INVALID, decapsulate);
}
