// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Objects: made, changed and deleted on one member, then brought to the others before
 * the caller hears of it; read on any.
 *
 * An object's OUID is chosen here, before the first attempt, so that an attempt whose answer
 * was lost can be repeated on the same member without a second object. An attempt on
 * another member is another object, of another name: a key that was generated twice is two
 * keys, and a name must never mean one of them here and the other there. The first name
 * gets a tombstone then, so that whatever the lost attempt has left behind is
 * deleted when its member is compared with the others, by whatever process.
 */
#include <stdlib.h>

#include "engine.h"

/* The version of a tombstone for what may exist: above all that it can have by then. */
#define UNBORN_COUNTER	(UINT64_C(1) << 32)
/* A change that meets newer versions elsewhere is made again on top of them so often. */
#define REBASES_MAX	4
#define FIND_PAGE	1024U
/* No card has so many; one that says so is not believed. */
#define FIND_MAX	(1U << 24)

struct creation {
	struct ha_token		*token;
	uint32_t		session;
	const struct ha_ouid	*uses;		/* what it is made from, or NULL */
	struct ha_ouid		ouids[2];
	bool			is_session[2];
	unsigned int		n;
	CK_RV			(*make)(struct ha_conn *conn, const struct creation *c,
					struct pciehsm_object_version *version);
	const CK_MECHANISM	*mech;
	const CK_ATTRIBUTE	*attrs;
	CK_ULONG		n_attrs;
	const CK_ATTRIBUTE	*attrs2;
	CK_ULONG		n_attrs2;
	const void		*in;
	size_t			in_len;
	bool			once;		/* no name is tried twice: it brings @out */
	void			*out;
	size_t			room;
	size_t			*out_len;
};

static bool token_attr(const CK_ATTRIBUTE *attrs, CK_ULONG n, bool otherwise)
{
	CK_ULONG i;

	for (i = 0; i < n; i++)
		if (attrs[i].type == CKA_TOKEN && attrs[i].pValue &&
		    attrs[i].ulValueLen == sizeof(CK_BBOOL))
			return *(const CK_BBOOL *)attrs[i].pValue;
	return otherwise;
}

/* It must not turn up later as a thing that nobody knows of. */
static void add_orphans(const struct creation *c, const struct ha_ouid *ouids)
{
	struct ha_token *token = c->token;
	struct ha_ouid *orphans;
	unsigned int i;

	ha_lock(token->ha, &token->lock);
	orphans = realloc(token->orphans, (token->n_orphans + c->n) * sizeof(*orphans));
	if (orphans) {
		token->orphans = orphans;
		for (i = 0; i < c->n; i++)
			if (!c->is_session[i])
				orphans[token->n_orphans++] = ouids[i];
	}
	ha_unlock(token->ha, &token->lock);
}

static void undo(struct ha_conn *conn, const struct creation *c)
{
	unsigned int i;

	for (i = 0; i < c->n; i++)
		pciehsm_object_destroy(conn->t, c->session, c->ouids[i].b, true, NULL);
}

static bool of_sessions_alone(const struct creation *c)
{
	unsigned int i;

	for (i = 0; i < c->n; i++)
		if (!c->is_session[i])
			return false;
	return true;
}

/* Are there members for as many copies as the group wants? None at all is another matter. */
static bool enough_members(const struct creation *c, unsigned int copies)
{
	struct ha_token *token = c->token;
	unsigned int wanted;

	ha_lock(token->ha, &token->lock);
	wanted = token->mincopies;
	ha_unlock(token->ha, &token->lock);
	if (wanted < 2 || of_sessions_alone(c) || atomic_load(&token->role) != PCIEHSM_ROLE_CO)
		return true;
	if (!copies)
		copies = ha_members_wait(token, wanted);
	if (!copies || copies >= wanted)
		return true;
	ha_log(token->ha, HA_LOG_COPIES, "group %s: a new object was refused: %u of %u copies",
	       token->number, copies, wanted);
	return false;
}

/* Made on this member: bring it to the others. false: it was lost with this member */
static bool spread(struct ha_call *call, const struct creation *c,
		   const struct pciehsm_object_version *version)
{
	struct ha_replication result;
	CK_RV rv = ha_replicate(call->conn, c->session, c->ouids, c->n, version, false,
				&result);

	ha_conn_put(result.stale);
	if (rv != CKR_OK)
		return false;
	if (result.refused != CKR_OK && !result.copies) {
		/* A key that only one member can ever have is none of a group. */
		undo(call->conn, c);
		call->rv = result.refused;
	} else if (!enough_members(c, result.copies + !result.lost)) {
		call->rv = PCIEHSM_CKR_COPIES;
	}
	return true;
}

/*
 * Names under which an attempt may have left something, and where; @member NULL: none.
 * @dead: they have begun to get their tombstones, and are of no use any more anywhere.
 */
struct lost {
	struct ha_ouid		ouids[2];
	struct ha_member	*member;
	bool			dead;
};

static bool name_objects(struct creation *c)
{
	struct ha_env *env = c->token->ha->env;
	unsigned int i;

	for (i = 0; i < c->n; i++)
		if (env->ops->random(env, c->ouids[i].b, PCIEHSM_OUID_LEN))
			return false;
	return true;
}

/*
 * Give a name its tombstone although this member may never have had the object: make one of
 * that name, if there is none, and delete it.
 */
static CK_RV bury_unborn(struct ha_conn *conn, const struct creation *c,
			 const struct ha_ouid *ouid)
{
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_BBOOL yes = CK_TRUE;
	const CK_ATTRIBUTE attrs[] = {
		{ CKA_CLASS, &class, sizeof(class) },
		{ CKA_TOKEN, &yes, sizeof(yes) },
		{ CKA_PRIVATE, &yes, sizeof(yes) },
	};
	struct pciehsm_object_version version;
	struct ha_replication result;
	CK_RV rv;

	rv = pciehsm_object_create(conn->t, c->session, ouid->b, UNBORN_COUNTER, attrs, 3, NULL);
	if (rv != CKR_OK && rv != PCIEHSM_CKR_OBJECT_DELETED)
		return rv;
	rv = pciehsm_object_destroy(conn->t, c->session, ouid->b, true, &version);
	if (rv != CKR_OK)
		return rv;
	rv = ha_replicate(conn, c->session, ouid, 1, &version, false, &result);
	ha_conn_put(result.stale);
	return rv;
}

/*
 * About to go on with another member than the one of a lost attempt, or with what can not be
 * repeated: give up the names that this has used. If that can not be, they remain for the day when the lost one is back.
 */
static CK_RV give_up_names(struct ha_call *call, struct creation *c, struct lost *lost)
{
	bool officer = atomic_load(&c->token->role) == PCIEHSM_ROLE_CO;
	unsigned int i;
	CK_RV rv;

	lost->dead = true;
	for (i = 0; i < c->n; i++) {
		/* A session's objects end with it, but on this member it goes on. */
		if (c->is_session[i] && lost->member == call->member)
			rv = pciehsm_object_destroy(call->conn->t, c->session, lost->ouids[i].b,
						    true, NULL);
		else if (officer && !c->is_session[i])
			rv = bury_unborn(call->conn, c, &lost->ouids[i]);
		else
			continue;
		if (pciehsm_rv_is_transport(rv) || rv == CKR_USER_NOT_LOGGED_IN)
			return rv;
	}
	add_orphans(c, lost->ouids);
	lost->member = NULL;
	return name_objects(c) ? CKR_OK : CKR_FUNCTION_FAILED;
}

static void note_lost(struct lost *lost, const struct creation *c, struct ha_member *member)
{
	/* If they could not be given up yet, they are still those that were lost first. */
	if (lost->member)
		return;
	memcpy(lost->ouids, c->ouids, sizeof(lost->ouids));
	lost->member = member;
	lost->dead = false;
}

static CK_RV attempt(struct creation *c, struct ha_call *call)
{
	struct pciehsm_object_version version;
	struct lost lost = { .member = NULL };
	CK_RV rv;

	while (ha_call_next(call)) {
		rv = lost.member && (lost.dead || c->once || lost.member != call->member) ?
		     give_up_names(call, c, &lost) : CKR_OK;
		if (rv == CKR_OK)
			rv = c->make(call->conn, c, &version);
		if (rv == PCIEHSM_CKR_OBJECT_DELETED && lost.member) {
			/* It was made, and who found it has deleted it already. */
			call->rv = CKR_OK;
			call->answered = true;
			lost.member = NULL;
			break;
		}
		if (!ha_call_done(call, rv)) {
			if (pciehsm_rv_is_transport(rv) && !pciehsm_rv_not_executed(rv))
				note_lost(&lost, c, call->member);
			continue;
		}
		if (call->rv != CKR_OK)
			break;
		if (spread(call, c, &version)) {
			lost.member = NULL;
			break;
		}
		note_lost(&lost, c, call->member);
		ha_call_retry(call, true);
	}
	if (lost.member)
		add_orphans(c, lost.ouids);
	return ha_call_end(call);
}

/* There are too few copies of it: nobody is told of it, so it must not be there. */
static void take_back(const struct creation *c)
{
	unsigned int i;
	CK_RV rv;

	for (i = 0; i < c->n; i++) {
		if (c->is_session[i])
			ha_sobject_add(c->token, c->session, &c->ouids[i], NULL);
		rv = ha_destroy(c->token, c->session, &c->ouids[i]);
		if (rv != CKR_OK && !ha_rv_missing(rv))
			add_orphans(c, c->ouids);
	}
}

static CK_RV create(struct creation *c)
{
	struct ha_token *token = c->token;
	struct ha_call call;
	unsigned int i;
	CK_RV rv;

	if (!name_objects(c))
		return CKR_FUNCTION_FAILED;
	ha_call_begin(&call, token, HA_HOW_PRIMARY, c->uses);
	if (!enough_members(c, 0))
		return PCIEHSM_CKR_COPIES;
	rv = attempt(c, &call);
	if (rv == PCIEHSM_CKR_COPIES)
		take_back(c);
	if (rv != CKR_OK)
		return rv;
	for (i = 0; i < c->n; i++)
		if (c->is_session[i])
			ha_sobject_add(token, c->session, &c->ouids[i],
				       atomic_load(&token->role) == PCIEHSM_ROLE_CO ? NULL :
				       call.member);
	return CKR_OK;
}

/* ---- creation ---- */

static CK_RV make_object(struct ha_conn *conn, const struct creation *c,
			 struct pciehsm_object_version *version)
{
	return pciehsm_object_create(conn->t, c->session, c->ouids[0].b, 0, c->attrs,
				     c->n_attrs, version);
}

CK_RV ha_create(struct ha_token *token, uint32_t session, const CK_ATTRIBUTE *attrs,
		CK_ULONG n, struct ha_ouid *ouid)
{
	struct creation c = {
		.token = token, .session = session, .n = 1, .make = make_object,
		.is_session = { !token_attr(attrs, n, false) }, .attrs = attrs, .n_attrs = n,
	};
	CK_RV rv = create(&c);

	if (rv == CKR_OK)
		*ouid = c.ouids[0];
	return rv;
}

static CK_RV make_copy(struct ha_conn *conn, const struct creation *c,
			 struct pciehsm_object_version *version)
{
	return pciehsm_object_copy(conn->t, c->session, c->uses->b, c->ouids[0].b, 0,
				   c->attrs, c->n_attrs, version);
}

CK_RV ha_copy(struct ha_token *token, uint32_t session, const struct ha_ouid *object,
	      const CK_ATTRIBUTE *attrs, CK_ULONG n, struct ha_ouid *ouid)
{
	struct ha_member *only;
	bool of_token = !ha_sobject_known(token, object, &only);
	struct creation c = {
		.token = token, .session = session, .uses = object, .n = 1, .make = make_copy,
		.is_session = { !token_attr(attrs, n, of_token) }, .attrs = attrs, .n_attrs = n,
	};
	CK_RV rv = create(&c);

	if (rv == CKR_OK)
		*ouid = c.ouids[0];
	return rv;
}

static CK_RV make_key(struct ha_conn *conn, const struct creation *c,
			 struct pciehsm_object_version *version)
{
	return pciehsm_generate_key(conn->t, c->session, c->mech, c->ouids[0].b, 0,
				    c->attrs, c->n_attrs, version);
}

CK_RV ha_generate_key(struct ha_token *token, uint32_t session, const CK_MECHANISM *mech,
		      const CK_ATTRIBUTE *attrs, CK_ULONG n, struct ha_ouid *ouid)
{
	struct creation c = {
		.token = token, .session = session, .n = 1, .make = make_key, .mech = mech,
		.is_session = { !token_attr(attrs, n, false) }, .attrs = attrs, .n_attrs = n,
	};
	CK_RV rv = create(&c);

	if (rv == CKR_OK)
		*ouid = c.ouids[0];
	return rv;
}

static CK_RV make_pair(struct ha_conn *conn, const struct creation *c,
			 struct pciehsm_object_version *version)
{
	return pciehsm_generate_key_pair(conn->t, c->session, c->mech, c->ouids[0].b,
					 c->ouids[1].b, 0, c->attrs, c->n_attrs, c->attrs2,
					 c->n_attrs2, version);
}

CK_RV ha_generate_key_pair(struct ha_token *token, uint32_t session, const CK_MECHANISM *mech,
			   const CK_ATTRIBUTE *pub, CK_ULONG n_pub,
			   const CK_ATTRIBUTE *priv, CK_ULONG n_priv,
			   struct ha_ouid *pub_ouid, struct ha_ouid *priv_ouid)
{
	struct creation c = {
		.token = token, .session = session, .n = 2, .make = make_pair, .mech = mech,
		.is_session = { !token_attr(pub, n_pub, false), !token_attr(priv, n_priv, false) },
		.attrs = pub, .n_attrs = n_pub, .attrs2 = priv, .n_attrs2 = n_priv,
	};
	CK_RV rv = create(&c);

	if (rv == CKR_OK) {
		*pub_ouid = c.ouids[0];
		*priv_ouid = c.ouids[1];
	}
	return rv;
}

static CK_RV make_unwrapped(struct ha_conn *conn, const struct creation *c,
			 struct pciehsm_object_version *version)
{
	return pciehsm_unwrap(conn->t, c->session, c->mech, c->uses->b, c->in, c->in_len,
			      c->ouids[0].b, 0, c->attrs, c->n_attrs, version);
}

CK_RV ha_unwrap(struct ha_token *token, uint32_t session, const CK_MECHANISM *mech,
		const struct ha_ouid *key, const void *in, size_t in_len,
		const CK_ATTRIBUTE *attrs, CK_ULONG n, struct ha_ouid *ouid)
{
	struct creation c = {
		.token = token, .session = session, .uses = key, .n = 1, .make = make_unwrapped,
		.mech = mech, .is_session = { !token_attr(attrs, n, false) },
		.attrs = attrs, .n_attrs = n, .in = in, .in_len = in_len,
	};
	CK_RV rv = create(&c);

	if (rv == CKR_OK)
		*ouid = c.ouids[0];
	return rv;
}

static CK_RV make_derived(struct ha_conn *conn, const struct creation *c,
			 struct pciehsm_object_version *version)
{
	return pciehsm_derive(conn->t, c->session, c->mech, c->uses->b, c->ouids[0].b, 0,
			      c->attrs, c->n_attrs, version);
}

CK_RV ha_derive(struct ha_token *token, uint32_t session, const CK_MECHANISM *mech,
		const struct ha_ouid *key, const CK_ATTRIBUTE *attrs, CK_ULONG n,
		struct ha_ouid *ouid)
{
	struct creation c = {
		.token = token, .session = session, .uses = key, .n = 1, .make = make_derived,
		.mech = mech, .is_session = { !token_attr(attrs, n, false) },
		.attrs = attrs, .n_attrs = n,
	};
	CK_RV rv = create(&c);

	if (rv == CKR_OK)
		*ouid = c.ouids[0];
	return rv;
}

static CK_RV make_encapsulated(struct ha_conn *conn, const struct creation *c,
			       struct pciehsm_object_version *version)
{
	*c->out_len = c->room;
	return pciehsm_encapsulate(conn->t, c->session, c->mech, c->uses->b, c->ouids[0].b, 0,
				   c->attrs, c->n_attrs, c->out, c->out_len, version);
}

CK_RV ha_encapsulate(struct ha_token *token, uint32_t session, const CK_MECHANISM *mech,
		     const struct ha_ouid *key, const CK_ATTRIBUTE *attrs, CK_ULONG n,
		     void *out, size_t *out_len, struct ha_ouid *ouid)
{
	struct creation c = {
		.token = token, .session = session, .uses = key, .n = 1,
		.make = make_encapsulated, .mech = mech,
		.is_session = { !token_attr(attrs, n, false) }, .attrs = attrs, .n_attrs = n,
		.once = true, .out = out, .room = *out_len, .out_len = out_len,
	};
	CK_RV rv = create(&c);

	if (rv == CKR_OK)
		*ouid = c.ouids[0];
	return rv;
}

static CK_RV make_decapsulated(struct ha_conn *conn, const struct creation *c,
			       struct pciehsm_object_version *version)
{
	return pciehsm_decapsulate(conn->t, c->session, c->mech, c->uses->b, c->in, c->in_len,
				   c->ouids[0].b, 0, c->attrs, c->n_attrs, version);
}

CK_RV ha_decapsulate(struct ha_token *token, uint32_t session, const CK_MECHANISM *mech,
		     const struct ha_ouid *key, const void *in, size_t in_len,
		     const CK_ATTRIBUTE *attrs, CK_ULONG n, struct ha_ouid *ouid)
{
	struct creation c = {
		.token = token, .session = session, .uses = key, .n = 1,
		.make = make_decapsulated, .mech = mech,
		.is_session = { !token_attr(attrs, n, false) },
		.attrs = attrs, .n_attrs = n, .in = in, .in_len = in_len,
	};
	CK_RV rv = create(&c);

	if (rv == CKR_OK)
		*ouid = c.ouids[0];
	return rv;
}

/* ---- deletion ---- */

/* Session objects have no tombstone that could be brought: ask every member. */
static void destroy_everywhere(struct ha_conn *but, uint32_t session,
			       const struct ha_ouid *object)
{
	struct ha_token *token = but->token;
	struct ha_conn *conns[HA_MAX_MEMBERS];
	unsigned int i, n = 0;

	ha_lock(token->ha, &token->lock);
	for (i = 0; i < token->n_members; i++)
		if (token->members[i]->conn && token->members[i] != but->member)
			conns[n++] = ha_conn_get(token->members[i]->conn);
	ha_unlock(token->ha, &token->lock);
	for (i = 0; i < n; i++) {
		CK_RV rv = ha_conn_ready(conns[i]);

		if (rv == CKR_OK)
			rv = pciehsm_object_destroy(conns[i]->t, session, object->b, true, NULL);
		if (pciehsm_rv_is_transport(rv))
			ha_member_failed(conns[i]->member, conns[i], rv);
		ha_conn_put(conns[i]);
	}
}

/*
 * Bring the tombstone to the others. Where somebody has changed the object to a version
 * that is newer than the tombstone, it is deleted again on top of that.
 * Return: false if the tombstone was lost with its only member
 */
static bool spread_tombstone(struct ha_conn *conn, uint32_t session,
			     const struct ha_ouid *object,
			     struct pciehsm_object_version *version)
{
	struct ha_conn *source = ha_conn_get(conn);
	struct ha_replication result;
	int i;
	CK_RV rv;

	for (i = 0;; i++) {
		rv = ha_replicate(source, session, object, 1, version, false, &result);
		ha_conn_put(source);
		source = result.stale;
		if (rv != CKR_OK || !source || i == REBASES_MAX)
			break;
		rv = pciehsm_object_destroy(source->t, session, object->b, true, version);
		if (rv != CKR_OK) {
			rv = CKR_OK;
			break;
		}
	}
	ha_conn_put(source);
	return rv == CKR_OK;
}

CK_RV ha_destroy(struct ha_token *token, uint32_t session, const struct ha_ouid *object)
{
	struct pciehsm_object_version version;
	struct ha_member *only;
	bool of_session = ha_sobject_known(token, object, &only);
	struct ha_call call;
	CK_RV rv;

	ha_call_begin(&call, token, HA_HOW_PRIMARY, object);
	while (ha_call_next(&call)) {
		rv = pciehsm_object_destroy(call.conn->t, session, object->b, call.maybe,
					    &version);
		if (!ha_call_done(&call, rv))
			continue;
		if (call.rv != CKR_OK)
			break;
		if (of_session) {
			destroy_everywhere(call.conn, session, object);
			break;
		}
		if (spread_tombstone(call.conn, session, object, &version))
			break;
		ha_call_retry(&call, true);
	}
	rv = ha_call_end(&call);
	if (of_session && (rv == CKR_OK || ha_rv_missing(rv)))
		ha_sobject_remove(token, object);
	return rv;
}

/* ---- attributes ---- */

/* Change it, and change it again on top of what turns out to be newer elsewhere. */
static CK_RV set_on(struct ha_call *call, uint32_t session, const struct ha_ouid *object,
		    const CK_ATTRIBUTE *attrs, CK_ULONG n, bool *lost)
{
	struct pciehsm_object_version version;
	struct ha_replication result;
	CK_RV rv, moved;
	size_t done;
	bool source;
	int i;

	*lost = false;
	for (i = 0;; i++) {
		rv = pciehsm_object_set(call->conn->t, session, object->b, attrs, n, &version);
		if (rv != CKR_OK)
			return rv;
		rv = ha_replicate(call->conn, session, object, 1, &version, true, &result);
		*lost = rv != CKR_OK;
		if (*lost || !result.stale || i == REBASES_MAX) {
			ha_conn_put(result.stale);
			return CKR_OK;
		}
		rv = ha_channel_move(result.stale, call->conn, session, object, 1, &done, &moved,
				     &source);
		ha_conn_put(result.stale);
		if (rv != CKR_OK)
			return CKR_OK;
	}
}

CK_RV ha_set_attributes(struct ha_token *token, uint32_t session, const struct ha_ouid *object,
			const CK_ATTRIBUTE *attrs, CK_ULONG n)
{
	struct ha_call call;
	bool lost;

	ha_call_begin(&call, token, HA_HOW_PRIMARY, object);
	while (ha_call_next(&call)) {
		if (!ha_call_done(&call, set_on(&call, session, object, attrs, n, &lost)))
			continue;
		if (call.rv != CKR_OK || !lost)
			break;
		ha_call_retry(&call, true);
	}
	return ha_call_end(&call);
}

CK_RV ha_get_attributes(struct ha_token *token, uint32_t session, const struct ha_ouid *object,
			CK_ATTRIBUTE *attrs, CK_ULONG n)
{
	CK_ULONG few[16], *room = few, i;
	struct ha_call call;

	/* Lengths are in and out: a second member has to find them as they were. */
	if (n > sizeof(few) / sizeof(few[0])) {
		room = calloc(n, sizeof(*room));
		if (!room)
			return CKR_HOST_MEMORY;
	}
	for (i = 0; i < n; i++)
		room[i] = attrs[i].ulValueLen;
	ha_call_begin(&call, token, HA_HOW_ANY, object);
	while (ha_call_next(&call)) {
		for (i = 0; i < n; i++)
			attrs[i].ulValueLen = room[i];
		if (ha_call_done(&call, pciehsm_object_get(call.conn->t, session, object->b, attrs,
							   n, NULL)))
			break;
	}
	if (room != few)
		free(room);
	return ha_call_end(&call);
}

CK_RV ha_object_size(struct ha_token *token, uint32_t session, const struct ha_ouid *object,
		     CK_ULONG *size)
{
	struct ha_call call;
	uint64_t bytes = 0;
	CK_RV rv;

	ha_call_begin(&call, token, HA_HOW_ANY, object);
	while (ha_call_next(&call))
		if (ha_call_done(&call, pciehsm_object_size(call.conn->t, session, object->b,
							    &bytes)))
			break;
	rv = ha_call_end(&call);
	if (rv == CKR_OK)
		*size = (CK_ULONG)bytes;
	return rv;
}

/* ---- searches ---- */

struct found {
	struct ha_ouid	*list;
	CK_ULONG	n;
};

static CK_RV find_on(struct ha_conn *conn, uint32_t session, const CK_ATTRIBUTE *attrs,
		     CK_ULONG n, struct found *found)
{
	uint64_t cursor = 0;
	struct ha_ouid *list;
	uint32_t count;
	CK_RV rv;

	do {
		list = realloc(found->list, (found->n + FIND_PAGE) * sizeof(*list));
		if (!list)
			return CKR_HOST_MEMORY;
		found->list = list;
		rv = pciehsm_object_find(conn->t, session, attrs, n, &cursor, list[found->n].b,
					 FIND_PAGE, &count);
		if (rv != CKR_OK)
			return rv;
		found->n += count;
		if (found->n > FIND_MAX)
			return PCIEHSM_RV_BAD_ANSWER;
	} while (cursor);
	return CKR_OK;
}

static bool merge(struct found *into, const struct found *from)
{
	struct ha_ouid *list;
	CK_ULONG i, k, before = into->n;

	list = realloc(into->list, (into->n + from->n + 1) * sizeof(*list));
	if (!list)
		return false;
	into->list = list;
	for (i = 0; i < from->n; i++) {
		for (k = 0; k < before; k++)
			if (!memcmp(&list[k], &from->list[i], sizeof(*list)))
				break;
		if (k == before)
			list[into->n++] = from->list[i];
	}
	return true;
}

/* Session objects that could not be replicated lie on other members. */
static void find_pinned(struct ha_token *token, uint32_t session, const CK_ATTRIBUTE *attrs,
			CK_ULONG n, struct found *found)
{
	struct ha_conn *conns[HA_MAX_MEMBERS];
	unsigned int i, count = 0;

	ha_lock(token->ha, &token->lock);
	for (i = 0; token->n_pinned && i < token->n_members; i++)
		if (token->members[i]->conn && token->members[i]->state == HA_MEMBER_ALIVE)
			conns[count++] = ha_conn_get(token->members[i]->conn);
	ha_unlock(token->ha, &token->lock);
	for (i = 0; i < count; i++) {
		struct found more = { 0 };

		if (ha_conn_ready(conns[i]) == CKR_OK &&
		    find_on(conns[i], session, attrs, n, &more) == CKR_OK)
			merge(found, &more);
		free(more.list);
		ha_conn_put(conns[i]);
	}
}

CK_RV ha_find(struct ha_token *token, uint32_t session, const CK_ATTRIBUTE *attrs, CK_ULONG n,
	      struct ha_ouid **list, CK_ULONG *count)
{
	struct found found = { 0 };
	struct ha_call call;
	CK_RV rv;

	ha_call_begin(&call, token, HA_HOW_ANY, NULL);
	call.sees_all = true;
	while (ha_call_next(&call)) {
		/* What a lost member gave would be in another order: all of one, or nothing. */
		found.n = 0;
		if (ha_call_done(&call, find_on(call.conn, session, attrs, n, &found)))
			break;
	}
	rv = ha_call_end(&call);
	if (rv != CKR_OK) {
		free(found.list);
		return rv;
	}
	if (atomic_load(&token->n_sobjects))
		find_pinned(token, session, attrs, n, &found);
	*list = found.list;
	*count = found.n;
	return CKR_OK;
}
