/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inside the HA engine.
 *
 * What there is
 *   struct ha		the engine: configuration, devices, tokens, background threads
 *   struct ha_token	what an application sees: a partition, or a group
 *   struct ha_member	a partition's place in a token, whether it is there or not
 *   struct ha_conn	an open context at a member's partition; ends when it is lost
 *   struct ha_channel	a cloning channel from one context to another
 *   struct ha_call	one call of the application on its way through the members
 *
 * Locks, in the order in which they are taken
 *   token->login_lock	one login, logout or change of a password at a time
 *   ha->reload_lock	one reading of the configuration or of the devices at a time
 *   conn->lock		one login of a context at a time
 *   channel->lock	one batch of a channel at a time: its order is the cipher's
 *   ha->lock		configuration in force, devices, list of tokens, slot events
 *   token->lock	members, their states, the login, sessions
 * Messages are sent with none but the first four held. Nothing waits for a card
 * while it holds ha->lock or a token->lock.
 *
 * Members are freed with the engine, so pointers to them need no count. Contexts are
 * counted: a removed or lost member's context lives until the last call in it is
 * over.
 */
#ifndef PCIEHSM_HA_ENGINE_H
#define PCIEHSM_HA_ENGINE_H

#include <stdatomic.h>
#include <string.h>

#include "config.h"
#include "env.h"
#include "ha.h"
#include "pciehsm.h"

#define SECOND			UINT64_C(1000000)

/* How long a card may be silent while it is being looked at: connecting, probing. */
#define HA_PROBE_MS		3000U
/* A call that finds no member waits so long for one that is just being connected. */
#define HA_CALL_WAIT		(3 * SECOND)
/* A login waits so long for the members beside the first to catch up. */
#define HA_LOGIN_WAIT		(5 * SECOND)
/* Live members are compared so often, for writes that another process left half done. */
#define HA_AUDIT_INTERVAL	(5 * SECOND)
/* First and next pauses for a member that fails without an event to wait for. */
#define HA_BACKOFF_FIRST	(1 * SECOND)
/* A partition that is not set up yet is looked at so often. */
#define HA_SETUP_PAUSE		(3 * SECOND)
/* A member that lived for so many times its last pause starts with the first again. */
#define HA_BACKOFF_FORGET	10
/* One call tries a member so often, and so many bad answers in a row take it out. */
#define HA_STRIKES_MAX		3

struct ha_secret {
	atomic_uint	refs;
	atomic_bool	challenge;	/* a card took it as one: of no use where it is not activated */
	uint32_t	role;
	size_t		len;
	unsigned char	pin[PCIEHSM_PIN_MAX];
};

struct ha_conn {
	struct ha			*ha;
	struct ha_token			*token;
	struct ha_member		*member;
	struct ha_conn			*next;		/* token->garbage */
	bool				dropped;	/* token->lock: not the member's any more */
	bool				gone_seen;	/* token->lock: looked at since its device went */
	struct pciehsm_transport	*t;
	uint8_t				incarnation[PCIEHSM_INCARNATION_LEN];
	atomic_uint			refs;
	struct ha_mutex			lock;
	uint32_t			role;		/* conn->lock: logged in on the card */
	_Atomic uint64_t		login_gen;	/* token->login_gen that this login is of */
	atomic_uint			logins;		/* how often it was logged in */
	atomic_uint			resets;
	unsigned int			orphans_gone;	/* of whoever has member->busy */
};

/* Up to here two partitions are known to have been equal. */
struct ha_base {
	char		peer[25];
	uint8_t		incarnation[PCIEHSM_INCARNATION_LEN];
	uint8_t		peer_incarnation[PCIEHSM_INCARNATION_LEN];
	uint64_t	seq;
	uint64_t	peer_seq;
};

struct ha_member {
	struct ha_token		*token;
	char			serial[25];
	atomic_uint		outstanding;
	atomic_uint		sick;		/* bad answers in a row */
	_Atomic uint64_t	commands;	/* given to it, ever */
	_Atomic uint64_t	failures;	/* of these, by its fault */
	/* the rest under token->lock */
	bool			listed;		/* in the configuration now */
	bool			standby;
	bool			drain;
	unsigned int		weight;		/* 1 and more */
	int			credit;		/* turns that it is owed where all else is equal */
	bool			present;	/* its device is there */
	enum ha_member_state	state;
	char			reason[128];
	struct ha_conn		*conn;		/* NULL when down or refused */
	uint64_t		returns;	/* how often it became alive */
	bool			was_alive;	/* since it was added or the engine opened */
	uint64_t		dirty;		/* writes that it missed, counted */
	uint64_t		refused_gen;	/* the login whose password it refused */
	uint8_t			refused_by[PCIEHSM_INCARNATION_LEN];
	bool			busy;		/* somebody is bringing it up */
	bool			audit;		/* compare it although it is alive */
	bool			doubt;		/* it may have ended our login, and so see less */
	bool			worker_done;
	struct ha_thread	*worker;
	uint64_t		next_try;
	uint64_t		backoff;
	uint64_t		failed_at;
	int			tries;
	/* of whoever has @busy */
	struct ha_base		*bases;
	unsigned int		n_bases;
};

struct ha_channel {
	struct ha_channel	*next;
	struct ha_conn		*from;
	struct ha_conn		*to;
	atomic_uint		refs;
	struct ha_mutex		lock;
	bool			open;
	uint32_t		from_id;
	uint32_t		to_id;
	unsigned int		from_resets;	/* of the contexts, when it was opened */
	unsigned int		to_resets;
};

/* One input of a multi-part operation, kept for a repetition. */
struct ha_part {
	struct ha_part	*next;
	bool		is_key;		/* @data is an OUID: C_DigestKey */
	size_t		len;
	size_t		given;		/* output that came of it */
	unsigned char	data[];
};

struct ha_op {
	bool			active;
	bool			replay;		/* everything since the init is kept */
	struct ha_conn		*conn;		/* where it runs; NULL: to be begun again */
	CK_MECHANISM		mech;		/* own copy, if @replay */
	struct ha_ouid		key;
	bool			has_key;
	uint64_t		login_gen;
	struct ha_part		*parts;
	struct ha_part		**tail;
	size_t			kept;
};

#define HA_OPS			(PCIEHSM_FN_DIGEST + 1)

struct ha_session {
	struct ha_session	*next;
	uint32_t		number;
	bool			touched;	/* something may be kept on cards */
	struct ha_op		ops[HA_OPS];
};

struct ha_sobject {
	struct ha_sobject	*next;
	struct ha_ouid		ouid;
	uint32_t		session;
	struct ha_member	*only;		/* NULL: on every member */
};

#define HA_TABLE		256

struct ha_token {
	struct ha		*ha;
	bool			group;
	char			number[26];	/* serial of the partition, or group number */
	struct ha_mutex		login_lock;
	struct ha_mutex		lock;
	struct ha_cond		changed;	/* a member's state, the end of some work */
	/* under ha->lock */
	uint32_t		slot;
	char			label[HA_GROUP_LABEL_MAX + 1];
	bool			configured;	/* group: in the configuration now */
	/* under lock */
	atomic_bool		active;		/* used once: contexts are kept open */
	bool			synchronize;
	bool			enhanced;	/* the login outlives the loss of all members */
	int			retry_count;
	uint64_t		retry_interval;
	size_t			replay_max;
	_Atomic uint64_t	conflicts;	/* objects that had been changed on two sides */
	struct ha_member	*members[HA_MAX_MEMBERS];
	unsigned int		n_members;
	struct ha_member	**known;	/* all that ever were */
	unsigned int		n_known;
	unsigned int		mincopies;
	uint64_t		recover;
	struct ha_secret	*secret;
	_Atomic uint32_t	role;
	_Atomic uint64_t	login_gen;
	uint64_t		next_audit;
	uint64_t		next_doubt;	/* not before: whether all of them have ended our login */
	struct ha_channel	*channels;
	struct ha_conn		*garbage;	/* dropped under locks, to be put without */
	struct ha_session	*sessions[HA_TABLE];
	struct ha_sobject	*sobjects[HA_TABLE];
	atomic_uint		n_sobjects;
	unsigned int		n_pinned;
	struct ha_ouid		*orphans;	/* creations that were reported as failed */
	unsigned int		n_orphans;
	/* of ha_group_synchronize() alone, whose token nobody else sees */
	struct ha_sync_report	*report;
	ha_sync_progress	progress;
	void			*progress_arg;
};

struct ha {
	struct ha_env		*env;
	unsigned int		flags;
	struct ha_mutex		reload_lock;
	struct ha_mutex		lock;
	struct ha_cond		changed;	/* slot events; work to do */
	struct ha_config	*config;
	char			*config_error;
	uint64_t		config_stamp;
	bool			config_loaded;
	atomic_bool		log_enabled;
	struct pciehsm_device	*devices;
	int			n_devices;	/* or -errno */
	struct ha_slot		*slots;		/* as last told to ha_wait_slot_event() */
	int			n_slots;
	uint32_t		*events;
	unsigned int		n_events;
	bool			woken;
	struct ha_token		**tokens;
	unsigned int		n_tokens;
	atomic_bool		stopping;
	atomic_bool		relist;
	uint64_t		polled_at;	/* without threads: last look around */
	_Atomic uint64_t	next_metrics;
	char			metrics_dir[256];	/* reload_lock: where they were written */
	struct ha_thread	*bus_thread;
	struct ha_thread	*config_thread;
	struct ha_thread	**probes;	/* of ha_group_status(), to be joined */
	unsigned int		n_probes;
};

/* ---- the environment ---- */

static inline uint64_t ha_now(struct ha *ha)
{
	return ha->env->ops->now(ha->env);
}

static inline void ha_lock(struct ha *ha, struct ha_mutex *mutex)
{
	ha->env->ops->mutex_lock(ha->env, mutex);
}

static inline void ha_unlock(struct ha *ha, struct ha_mutex *mutex)
{
	ha->env->ops->mutex_unlock(ha->env, mutex);
}

static inline bool ha_wait(struct ha *ha, struct ha_cond *cond, struct ha_mutex *mutex,
			   uint64_t deadline)
{
	return ha->env->ops->cond_wait(ha->env, cond, mutex, deadline);
}

static inline void ha_wake_all(struct ha *ha, struct ha_cond *cond)
{
	ha->env->ops->cond_broadcast(ha->env, cond);
}

/** ha_threaded() - does this engine work in the background? */
static inline bool ha_threaded(struct ha *ha)
{
	return !(ha->flags & (HA_OPEN_NO_THREADS | HA_OPEN_ADMIN));
}

/* ---- log.c ---- */

enum ha_log_code {
	HA_LOG_GROUP_CREATED		= 1001,
	HA_LOG_GROUP_DELETED		= 1002,
	HA_LOG_MEMBER_ADDED		= 1003,
	HA_LOG_MEMBER_REMOVED		= 1004,
	HA_LOG_MEMBER_STANDBY		= 1005,
	HA_LOG_MEMBER_ACTIVE		= 1006,
	HA_LOG_SETTINGS			= 1007,
	HA_LOG_MEMBER_DRAIN		= 1008,
	HA_LOG_MEMBER_UNDRAIN		= 1009,
	HA_LOG_MEMBER_WEIGHT		= 1010,
	HA_LOG_MINCOPIES		= 1011,
	HA_LOG_CONFIG_BROKEN		= 1101,
	HA_LOG_CONFIG_OBEYED		= 1102,
	HA_LOG_MEMBER_DOWN		= 2001,
	HA_LOG_MEMBER_ALIVE		= 2002,
	HA_LOG_MEMBER_REFUSED		= 2004,
	HA_LOG_LAST_MEMBER		= 2005,
	HA_LOG_REPLICATION_FAILED	= 3001,
	HA_LOG_SYNCHRONIZED		= 3002,
	HA_LOG_CONFLICT			= 3003,
	HA_LOG_COPIES			= 3004,
};

/** ha_log() - a record in the HA log, if it is enabled; no lock may be held */
void ha_log(struct ha *ha, enum ha_log_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/** ha_log_config() - record what an edit of the configuration changed */
void ha_log_config(struct ha *ha, const struct ha_config *before,
		   const struct ha_config *after);

/* ---- metrics.c ---- */

/** ha_metrics_due() - write this process's metrics if it is time. Return: when it is again */
uint64_t ha_metrics_due(struct ha *ha);
/** ha_metrics_end() - take them away with the process */
void ha_metrics_end(struct ha *ha);

/* ---- secret.c ---- */

/** ha_secret_new() - a copy of a password in memory that is neither swapped nor dumped */
struct ha_secret *ha_secret_new(uint32_t role, const void *pin, size_t len);
struct ha_secret *ha_secret_get(struct ha_secret *secret);
/** ha_secret_took() - a card has taken it: what its answer says of it (PCIEHSM_LOGIN_*) */
void ha_secret_took(struct ha_secret *secret, uint32_t flags);
/** ha_secret_put() - wiped with the last reference; NULL is nothing */
void ha_secret_put(struct ha_secret *secret);

/* ---- settings.c: the configuration in force ---- */

/** ha_config_reload() - read the file if it has changed and obey it if it can be read */
void ha_config_reload(struct ha *ha);

/* ---- slots.c ---- */

/**
 * ha_devices_refresh() - look what is there; tells tokens and who waits for slots
 * @event:	something happened at the cards: compare the members, too
 */
void ha_devices_refresh(struct ha *ha, bool event);
/** ha_slots_changed() - something that slots are made of has changed; ha->lock is held */
void ha_slots_changed(struct ha *ha);
const struct pciehsm_device *ha_device(struct ha *ha, const char *serial);

/* ---- token.c ---- */

struct ha_token *ha_token_new(struct ha *ha, bool group, const char *number);
void ha_token_free(struct ha_token *token);
/**
 * ha_token_abandon() - in a child: close the contexts and wipe the password, free nothing
 *
 * Other threads' calls are counted for ever, so the counts do not tell when to do either.
 */
void ha_token_abandon(struct ha_token *token);
/** ha_token_configure() - obey a group's configuration; ha->lock is held. NULL: deleted */
void ha_token_configure(struct ha_token *token, const struct ha_config_group *group);
/** ha_token_activate() - open contexts at the members; returns when one can be used, or none */
void ha_token_activate(struct ha_token *token);
/** ha_token_settings() - copy what a token obeys of the configuration; ha->lock is held */
void ha_token_settings(struct ha_token *token);

/* ---- member.c: contexts and states ---- */

struct ha_member *ha_member_find(struct ha_token *token, const char *serial, bool create);
/** ha_conn_open() - open a context for a member and see that it answers */
CK_RV ha_conn_open(struct ha_member *member, struct ha_conn **conn);
struct ha_conn *ha_conn_get(struct ha_conn *conn);
void ha_conn_put(struct ha_conn *conn);
/**
 * ha_conn_ready() - see that a context is logged in as the token is
 *
 * After this the context's login is that of the token, also after a reset of the card.
 * Return: CKR_OK, a transport's result, or why the login was refused
 */
CK_RV ha_conn_ready(struct ha_conn *conn);
/** ha_conn_login() - log in; @kept: with a password that was right before. conn->lock is held */
CK_RV ha_conn_login(struct ha_conn *conn, struct ha_secret *secret, bool kept,
		    uint32_t *attempts);
/**
 * ha_conn_logged_out() - the card says that nobody is logged in: do it again
 * @logins:	conn->logins before the message: another thread may have done it since
 */
void ha_conn_logged_out(struct ha_conn *conn, unsigned int logins);
/** ha_member_failed() - a message to a member failed: decide what it is now */
void ha_member_failed(struct ha_member *member, struct ha_conn *conn, CK_RV rv);
/** ha_member_unusable() - it could not be brought up; @conn: NULL, or not its context yet */
void ha_member_unusable(struct ha_member *member, struct ha_conn *conn, CK_RV rv);
/** ha_member_set() - new state; token->lock is held. @fmt: reason. Logs nothing. */
void ha_member_set(struct ha_member *member, enum ha_member_state state, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/** ha_member_drop() - take the context away from a member; token->lock is held */
void ha_member_drop(struct ha_member *member);
/** ha_token_flush() - give back what was dropped; no lock is held */
void ha_token_flush(struct ha_token *token);
/** ha_member_reason() - why a member can not be used, for a person */
const char *ha_member_reason(CK_RV rv);
/** ha_member_missed() - a write did not reach it */
void ha_member_missed(struct ha_member *member, struct ha_conn *conn, CK_RV rv);
/** ha_rv_sick() - an answer that says that the card is unwell, not that the call is wrong */
bool ha_rv_sick(CK_RV rv);
bool ha_rv_missing(CK_RV rv);

/* ---- schedule.c: a call on its way ---- */

enum ha_how {
	HA_HOW_ANY,		/* whoever has least to do */
	HA_HOW_PRIMARY,		/* the first that lives */
};

struct ha_tried {
	struct ha_member	*member;
	unsigned int		strikes;
};

struct ha_call {
	struct ha_token		*token;
	enum ha_how		how;
	struct ha_member	*prefer;
	struct ha_member	*member;
	struct ha_conn		*conn;
	CK_RV			rv;		/* the best answer so far */
	bool			answered;	/* ... and it is the one */
	bool			lost;		/* a member was lost on the way */
	bool			maybe;		/* some member may have executed it */
	bool			waited;
	bool			several;	/* the token has other members */
	bool			sees_all;	/* the answer depends on what the login may see */
	unsigned int		resets;		/* of the context, before the message */
	unsigned int		logins;
	bool			current;	/* this member is up to date */
	CK_RV			missing;	/* a member did not know the object */
	bool			known;		/* ... and it was up to date */
	struct ha_tried		tried[HA_MAX_MEMBERS * 2];
	unsigned int		n_tried;
	struct ha_member	*lacking[HA_MAX_MEMBERS];
	unsigned int		n_lacking;
};

void ha_call_begin(struct ha_call *call, struct ha_token *token, enum ha_how how,
		   const struct ha_ouid *object);
/** ha_call_next() - a member to send to: call->conn. false: there is none (any more) */
bool ha_call_next(struct ha_call *call);
/** ha_call_done() - take what came of it. true: that was it; false: try the next */
bool ha_call_done(struct ha_call *call, CK_RV rv);
/** ha_call_retry() - the answer was not good enough after all: as if it had been lost */
void ha_call_retry(struct ha_call *call, bool executed);
/** ha_call_end() - Return: the call's result */
CK_RV ha_call_end(struct ha_call *call);
/** ha_members_wait() - Return: members with a context, if need be after waiting for who is coming */
unsigned int ha_members_wait(struct ha_token *token, unsigned int wanted);
/** ha_poll() - without threads: what they would have done */
void ha_poll(struct ha *ha);

/* ---- channel.c ---- */

/**
 * ha_channel_move() - clone objects over one channel, in one batch
 * @done:	out: how many of @n were dealt with
 * @results:	out: for each of these; CKR_OK also when the other end has as new a version,
 *		PCIEHSM_CKR_STALE
 * @source:	out: on failure, whether it was the source's
 */
CK_RV ha_channel_move(struct ha_conn *from, struct ha_conn *to, uint32_t session,
		      const struct ha_ouid *ouids, size_t n, size_t *done, CK_RV *results,
		      bool *source);
#define HA_BATCH		64
/** ha_channels_drop() - forget all channels of a context; token->lock is not held */
void ha_channels_drop(struct ha_conn *conn);

/* ---- replicate.c ---- */

/**
 * struct ha_replication - what became of it
 * @copies:	members beside the source that have it now
 * @stale:	one that has a newer version, with a reference to its context, or NULL
 * @refused:	how a card refused to give it, CKR_OK if it did not
 * @lost:	the source was lost meanwhile
 */
struct ha_replication {
	unsigned int	copies;
	bool		lost;
	struct ha_conn	*stale;
	CK_RV		refused;
};

/**
 * ha_replicate() - bring objects from where they were changed to all live members
 * @version:	that they have now
 * @change:	they are older than this change: who lacks them is compared instead
 *
 * Return: CKR_OK, or the source's failure before any other member had them
 */
CK_RV ha_replicate(struct ha_conn *source, uint32_t session, const struct ha_ouid *ouids,
		   unsigned int n, const struct pciehsm_object_version *version, bool change,
		   struct ha_replication *result);

/* ---- sync.c ---- */

/**
 * ha_sync() - bring two members to the same contents
 * @equal:	out: whether they were, in the end
 * @failed:	out: how many objects could not be moved, for good
 * @changed:	out: whether @with got something new
 * @culprit:	out: on failure, whose context it was
 *
 * The caller has member->busy.
 */
CK_RV ha_sync(struct ha_member *member, struct ha_conn *conn, struct ha_conn *with,
	      bool *equal, uint32_t *failed, bool *changed, struct ha_conn **culprit);

/**
 * ha_changes() - all that a partition knows of, tombstones included, by OUID, each once
 * @list:	out: freed by the caller, also after a failure
 */
CK_RV ha_changes(struct ha_conn *conn, struct pciehsm_change **list, size_t *n);

/* ---- group.c ---- */

/**
 * ha_group_open() - a token of a group's members that nobody else sees, connected and logged in
 * @rv:		out: CKR_OK, or how the first of those that are left out failed
 *
 * Return: NULL and *@rv if there is no member that can be used; freed by ha_token_free()
 */
struct ha_token *ha_group_open(struct ha *ha, const char *label, const void *pin, size_t pin_len,
			       ha_sync_progress progress, void *arg, CK_RV *rv, char *error,
			       size_t error_len);

/* ---- recover.c ---- */

/** ha_work() - bring one member up, or compare it; the caller has member->busy */
void ha_work(struct ha_member *member);
/** ha_work_due() - start what is due, join what is done. Return: when to come back */
uint64_t ha_work_due(struct ha *ha);
/** ha_work_inline() - do in this thread what is due for one token */
void ha_work_inline(struct ha_token *token);
/** ha_work_pending() - is it being brought up, or about to be? token->lock is held */
bool ha_work_pending(struct ha_member *member, uint64_t now);
/** ha_kick() - let the background thread look for work now */
void ha_kick(struct ha *ha);
/** ha_group_find() - the configuration of a group as it is now; false: there is none */
bool ha_group_find(struct ha *ha, const char *label, struct ha_config_group *out);
/**
 * enum ha_settled - what is waited for
 * @HA_SETTLED_ALL:	nobody is being brought up
 * @HA_SETTLED_FIRST:	one can be used, and nobody before it is being brought up
 * @HA_SETTLED_ANY:	one can be used, or nobody is being brought up
 */
enum ha_settled {
	HA_SETTLED_ALL,
	HA_SETTLED_FIRST,
	HA_SETTLED_ANY,
};

/** ha_wait_settled() - until it is so, or the time is over */
void ha_wait_settled(struct ha_token *token, uint64_t deadline, enum ha_settled settled);
/** ha_workers_join() - of one token, when the engine ends */
void ha_workers_join(struct ha_token *token);

/* ---- sessions.c ---- */

/** ha_session() - what is kept of a session; token->lock is held. NULL: nothing, no memory */
struct ha_session *ha_session(struct ha_token *token, uint32_t number, bool create);
void ha_session_touch(struct ha_token *token, uint32_t number);
void ha_sobject_add(struct ha_token *token, uint32_t session, const struct ha_ouid *ouid,
		    struct ha_member *only);
void ha_sobject_remove(struct ha_token *token, const struct ha_ouid *ouid);
/** ha_sobject_known() - is it a session object? @only: where it is alone */
bool ha_sobject_known(struct ha_token *token, const struct ha_ouid *ouid,
		      struct ha_member **only);
/** ha_sobjects_push() - give a member the session objects that others have */
CK_RV ha_sobjects_push(struct ha_member *member, struct ha_conn *conn);
/** ha_sessions_logout() - private objects and operations end with the login */
void ha_sessions_logout(struct ha_token *token);
void ha_sessions_free(struct ha_token *token);
void ha_op_end(struct ha_op *op);

#endif /* PCIEHSM_HA_ENGINE_H */
