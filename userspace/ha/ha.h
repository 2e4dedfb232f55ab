/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The HA engine: partitions, and groups of partitions that behave as one.
 *
 * What an application sees as a token is a struct ha_token: a partition of its own
 * (one member, nothing to replicate), or a group (up to HA_MAX_MEMBERS members).
 * Both are used by the same calls, so nobody above this interface knows members.
 *
 * Objects are named by their OUID (see <pciehsm/fw.h>), which is the same on every
 * member; so names survive the loss of any member. Sessions are numbers of the
 * caller's choosing, from 1; they cost nothing until something is kept under them.
 *
 * Results are CKR_*, or PCIEHSM_CKR_* of <pciehsm/fw.h>. While one member lives, none of
 * these calls fails because of another; when none does, they give
 * CKR_DEVICE_REMOVED (CKR_TOKEN_NOT_PRESENT for a login).
 *
 * All functions may be called from any number of threads, those of one session
 * from one at a time.
 */
#ifndef PCIEHSM_HA_H
#define PCIEHSM_HA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <p11-kit/pkcs11.h>
#include <pciehsm/fw.h>

#define HA_MAX_MEMBERS		32
#define HA_MAX_GROUPS		32
#define HA_GROUP_LABEL_MAX	32

struct ha;
struct ha_token;
struct ha_env;		/* env.h: clock, randomness, threads, devices, files */

/* ---- the engine ---- */

/**
 * ha_open() - start the engine
 * @env:	outlives the engine; ha_env_system() gives the real one
 * @flags:	HA_OPEN_*
 * @ha:		out: to be freed by ha_close()
 *
 * A broken configuration file is no error here: the engine runs with the partitions
 * alone, ha_config_error() tells, and the file is read again when it changes.
 *
 * Return: 0 or -errno.
 */
int ha_open(struct ha_env *env, unsigned int flags, struct ha **ha);

#define HA_OPEN_NO_THREADS	(1U << 0)	/* recover inside calls instead */
#define HA_OPEN_ADMIN		(1U << 1)	/* an administrator's tool: no background work */
#define HA_OPEN_EVENTS		(1U << 2)	/* the log's records reach the environment without a log, too */

/** ha_close() - log out everywhere, wipe, free; no other call may be under way */
void ha_close(struct ha *ha);

/**
 * ha_forked() - in a child: close the contexts and wipe the passwords, which are the parent's
 *
 * No card and no lock is touched. The memory is not given back.
 */
void ha_forked(struct ha *ha);

/* ---- slots ---- */

/*
 * Slot numbers never move: they follow from where a device is, or from the file.
 *   0 to 4          first partition of cards 0 to 4
 *   5 to 99         groups: the number that the configuration gives them
 *   100 + c         card c itself (HSM Security Officer's business)
 *   1000 + 100c + i the partition with index i of card c, where it is not above
 */
enum ha_slot_kind {
	HA_SLOT_PARTITION,
	HA_SLOT_GROUP,
	HA_SLOT_HSM,
};

#define HA_SLOT_NONE		UINT32_MAX
#define HA_SLOT_GROUP_FIRST	5
#define HA_SLOT_GROUP_LAST	99
#define HA_SLOT_HSM_FIRST	100

struct ha_slot {
	uint32_t		id;
	enum ha_slot_kind	kind;
	char			serial[25];	/* group: its number */
	char			hsm_serial[25];	/* group: empty */
	char			label[33];
	char			model[17];
	char			fw_version[17];
	bool			initialised;
};

/** ha_slot_of() - slot number of a partition (or a card: index 0) */
uint32_t ha_slot_of(unsigned int card, unsigned int index);

/**
 * ha_slots() - what is there now
 * @list:	out: freed by the caller with free(); partitions, groups, then HSMs
 * @flags:	HA_SLOTS_*
 *
 * Return: their number or -errno (-ENODEV: no driver)
 */
int ha_slots(struct ha *ha, unsigned int flags, struct ha_slot **list);

#define HA_SLOTS_APPLICATION	(1U << 0)	/* as applications see it: no HSMs, HA-only obeyed */

/**
 * ha_wait_slot_event() - wait for a slot to come, go or change
 * @timeout_ms:	-1: for ever
 *
 * Return: 0 and the slot, -EAGAIN when there was none, -ECANCELED after ha_wake().
 */
int ha_wait_slot_event(struct ha *ha, int timeout_ms, uint32_t *slot);
void ha_wake(struct ha *ha);

/**
 * ha_token() - the token in a slot (not an HSM's)
 *
 * The pointer stays valid until ha_close(), whatever becomes of the slot.
 * Return: NULL if there never was such a slot.
 */
struct ha_token *ha_token(struct ha *ha, uint32_t slot);

/** ha_token_present() - false when no member is there, or the group was deleted */
bool ha_token_present(struct ha_token *token);

/**
 * struct ha_token_info - for C_GetTokenInfo and its like
 * @flags:	PCIEHSM_PARTITION_*: of a group, what holds for the primary
 */
struct ha_token_info {
	struct ha_slot	slot;
	uint32_t	flags;
	uint64_t	space;
	uint64_t	space_free;
	uint32_t	objects;
	bool		co_locked;
	uint32_t	co_attempts;
	uint32_t	co_limit;
};

CK_RV ha_token_info(struct ha_token *token, struct ha_token_info *info);

/* ---- login ---- */

/**
 * ha_login() - log in to the token
 * @role:	enum pciehsm_role
 * @pin:	copied, locked in memory and wiped at logout: members that come
 *		later are logged in with it
 * @attempts:	NULL, or out: wrong passwords left, on CKR_PIN_INCORRECT
 *
 * A wrong password is tried on one member only. If its answer is lost, that member is asked
 * what it has counted; only one that is gone or hangs can not be asked, and then the
 * password is tried on another.
 */
CK_RV ha_login(struct ha_token *token, uint32_t role, const void *pin, size_t pin_len,
	       uint32_t *attempts);
CK_RV ha_logout(struct ha_token *token);
/** ha_login_role() - PCIEHSM_ROLE_NONE when nobody is logged in */
uint32_t ha_login_role(struct ha_token *token);
/** ha_set_pin() - change a role's password on all members, or on none that it can reach */
CK_RV ha_set_pin(struct ha_token *token, uint32_t role, const void *old_pin, size_t old_len,
		 const void *new_pin, size_t new_len);

/* ---- objects ---- */

struct ha_ouid {
	uint8_t b[PCIEHSM_OUID_LEN];
};

/** ha_session_close() - end what is kept under a session, on every member */
void ha_session_close(struct ha_token *token, uint32_t session);

/*
 * Creation: templates are those of PKCS#11. The OUIDs are outputs. Success
 * means: on every live member. Where the group wants more copies of a token object than
 * there are live members for: PCIEHSM_CKR_COPIES, and nothing is left of it.
 */
CK_RV ha_create(struct ha_token *token, uint32_t session, const CK_ATTRIBUTE *attrs,
		CK_ULONG n, struct ha_ouid *ouid);
CK_RV ha_copy(struct ha_token *token, uint32_t session, const struct ha_ouid *object,
	      const CK_ATTRIBUTE *attrs, CK_ULONG n, struct ha_ouid *ouid);
CK_RV ha_destroy(struct ha_token *token, uint32_t session, const struct ha_ouid *object);
CK_RV ha_set_attributes(struct ha_token *token, uint32_t session, const struct ha_ouid *object,
			const CK_ATTRIBUTE *attrs, CK_ULONG n);
/** ha_get_attributes() - as C_GetAttributeValue, buffers and lengths included */
CK_RV ha_get_attributes(struct ha_token *token, uint32_t session, const struct ha_ouid *object,
			CK_ATTRIBUTE *attrs, CK_ULONG n);
CK_RV ha_object_size(struct ha_token *token, uint32_t session, const struct ha_ouid *object,
		     CK_ULONG *size);

/**
 * ha_find() - all objects that match; the search survives the loss of members
 * @list:	out: freed by the caller
 * @count:	out
 */
CK_RV ha_find(struct ha_token *token, uint32_t session, const CK_ATTRIBUTE *attrs, CK_ULONG n,
	      struct ha_ouid **list, CK_ULONG *count);

CK_RV ha_generate_key(struct ha_token *token, uint32_t session, const CK_MECHANISM *mech,
		      const CK_ATTRIBUTE *attrs, CK_ULONG n, struct ha_ouid *ouid);
CK_RV ha_generate_key_pair(struct ha_token *token, uint32_t session, const CK_MECHANISM *mech,
			   const CK_ATTRIBUTE *pub, CK_ULONG n_pub,
			   const CK_ATTRIBUTE *priv, CK_ULONG n_priv,
			   struct ha_ouid *pub_ouid, struct ha_ouid *priv_ouid);
CK_RV ha_wrap(struct ha_token *token, uint32_t session, const CK_MECHANISM *mech,
	      const struct ha_ouid *key, const struct ha_ouid *object,
	      void *out, size_t *out_len);
CK_RV ha_unwrap(struct ha_token *token, uint32_t session, const CK_MECHANISM *mech,
		const struct ha_ouid *key, const void *in, size_t in_len,
		const CK_ATTRIBUTE *attrs, CK_ULONG n, struct ha_ouid *ouid);
CK_RV ha_derive(struct ha_token *token, uint32_t session, const CK_MECHANISM *mech,
		const struct ha_ouid *key, const CK_ATTRIBUTE *attrs, CK_ULONG n,
		struct ha_ouid *ouid);
/**
 * ha_encapsulate() - make a secret key together with what only @key's owner gets it from
 * @key:	a public key
 * @out:	room for the ciphertext
 * @out_len:	in: its size; out: what was written, or what is needed on
 *		CKR_BUFFER_TOO_SMALL (NULL @out: asks for that), with which nothing is made
 *
 * If a member is lost on the way, another key is made elsewhere, and @out is that one's.
 */
CK_RV ha_encapsulate(struct ha_token *token, uint32_t session, const CK_MECHANISM *mech,
		     const struct ha_ouid *key, const CK_ATTRIBUTE *attrs, CK_ULONG n,
		     void *out, size_t *out_len, struct ha_ouid *ouid);
/** ha_decapsulate() - the secret key again, of the ciphertext @in; @key: a private key */
CK_RV ha_decapsulate(struct ha_token *token, uint32_t session, const CK_MECHANISM *mech,
		     const struct ha_ouid *key, const void *in, size_t in_len,
		     const CK_ATTRIBUTE *attrs, CK_ULONG n, struct ha_ouid *ouid);

/* ---- cryptography ---- */

/*
 * @out and @out_len: room and its size, then what was written. When it is too small:
 * CKR_BUFFER_TOO_SMALL, *@out_len says what is needed, and the operation can
 * be repeated. @sig is used by verifying alone. @key is NULL for digests.
 */
CK_RV ha_crypt(struct ha_token *token, uint32_t session, enum pciehsm_function fn,
	       const CK_MECHANISM *mech, const struct ha_ouid *key,
	       const void *in, size_t in_len, const void *sig, size_t sig_len,
	       void *out, size_t *out_len);
/*
 * Multi-part operations stay on one member; when it is lost, they are begun again
 * on another from what the engine kept of their input (struct ha_config: @replay_max), else
 * they end with CKR_DEVICE_ERROR.
 */
CK_RV ha_crypt_init(struct ha_token *token, uint32_t session, enum pciehsm_function fn,
		    const CK_MECHANISM *mech, const struct ha_ouid *key);
CK_RV ha_crypt_update(struct ha_token *token, uint32_t session, enum pciehsm_function fn,
		      const void *in, size_t in_len, void *out, size_t *out_len);
CK_RV ha_crypt_final(struct ha_token *token, uint32_t session, enum pciehsm_function fn,
		     const void *sig, size_t sig_len, void *out, size_t *out_len);
CK_RV ha_crypt_cancel(struct ha_token *token, uint32_t session, enum pciehsm_function fn);
CK_RV ha_digest_key(struct ha_token *token, uint32_t session, const struct ha_ouid *key);
CK_RV ha_random(struct ha_token *token, void *out, size_t len);

#define HA_REPLAY_MAX		(1U << 20)	/* unless the configuration says otherwise */
#define HA_REPLAY_LIMIT		(1U << 30)	/* what it may say at most */

/** ha_mechanisms() - what every member can do; *@list is freed by the caller */
CK_RV ha_mechanisms(struct ha_token *token, struct pciehsm_mechanism_info **list, size_t *count);

/* ---- groups: configuration ---- */

enum ha_recovery_mode {
	HA_RECOVERY_BASIC,	/* "activeBasic" */
	HA_RECOVERY_ENHANCED,	/* "activeEnhanced" */
};

#define HA_WEIGHT_MAX	100

/**
 * struct ha_config_member - a partition's place in a group
 * @standby:	it works only when no active member is left
 * @drain:	it gets no new work while another member can do it; it gets all objects
 * @weight:	its share of the work against the others', to HA_WEIGHT_MAX; 0: not set, as 1
 */
struct ha_config_member {
	char		serial[25];
	bool		standby;
	bool		drain;
	unsigned int	weight;
};

struct ha_config_group {
	char			label[HA_GROUP_LABEL_MAX + 1];
	char			number[26];	/* "1" and the first primary's serial; stays */
	uint32_t		slot;
	bool			synchronize;	/* replicate automatically */
	unsigned int		mincopies;	/* that a new object needs; 0: not set, as 1 */
	uint64_t		recover;	/* one more: try all that are down again, now */
	unsigned int		n_members;
	struct ha_config_member	members[HA_MAX_MEMBERS];
};

/**
 * struct ha_config - what ha.conf says; ha.conf(5) describes the file
 * @retry_count:	-1 for ever, 0 never, to 500
 * @retry_interval:	seconds, 60 to 1200
 * @generation:		one more with every change that is written
 * @replay_max:		bytes of input that are kept of a multi-part operation, so that it can
 *			be begun again elsewhere; to HA_REPLAY_LIMIT, 0: none
 * @metrics_path:	directory for metrics of each process, empty: none are written
 * @metrics_interval:	seconds, 5 to 3600
 */
struct ha_config {
	enum ha_recovery_mode	recovery_mode;
	int			retry_count;
	unsigned int		retry_interval;
	bool			ha_only;
	bool			log_enabled;
	char			log_path[256];
	size_t			log_max_length;
	uint64_t		generation;
	unsigned int		n_groups;
	struct ha_config_group	groups[HA_MAX_GROUPS];
	size_t			replay_max;
	char			metrics_path[256];
	unsigned int		metrics_interval;
};

/** ha_config_get() - a copy of what is in force; the caller frees it */
struct ha_config *ha_config_get(struct ha *ha);

/** ha_config_error() - NULL, or what is wrong with the file, for a person (to be freed) */
char *ha_config_error(struct ha *ha);

/**
 * ha_config_edit() - change the file
 * @edit:	gets the file's present contents and changes them; returns 0 or -errno
 * @error:	out: on failure, for a person
 *
 * Reads, edits, checks and writes under a lock that all writers take; writes whole
 * or not at all, and keeps the previous file beside the new one. A broken
 * file is not overwritten (-EBADMSG).
 * Return: 0 or -errno (-EACCES, -EROFS, ...; or what @edit returned).
 */
int ha_config_edit(struct ha *ha, int (*edit)(struct ha_config *config, void *arg), void *arg,
		   char *error, size_t error_len);

/* ---- groups: state ---- */

enum ha_member_state {
	HA_MEMBER_ALIVE,	/* "alive" */
	HA_MEMBER_DOWN,		/* "down": not there */
	HA_MEMBER_SYNCING,	/* "syncing": there, being brought up to date */
	HA_MEMBER_REFUSED,	/* "refused": another domain or another password */
};

struct ha_member_status {
	char			serial[25];
	char			label[33];	/* empty: not known */
	uint32_t		slot;		/* HA_SLOT_NONE: not there */
	bool			standby;
	enum ha_member_state	state;
	char			reason[128];	/* for states other than alive */
	uint32_t		objects;
	uint32_t		tombstones;
	uint8_t			digest[PCIEHSM_DIGEST_LEN];
	bool			drain;
	unsigned int		weight;		/* 1 and more */
	uint64_t		answer_us;	/* time of its answer to a short question */
	uint64_t		operations;	/* that it has done since power-on, for whomever */
	uint32_t		sessions;	/* contexts in which somebody works */
	int64_t			outstanding;	/* messages, of all programs, not answered; -1: not there */
};

struct ha_group_status {
	struct ha_config_group	group;
	bool			needs_sync;	/* live members differ, or cannot be compared */
	unsigned int		n_members;
	struct ha_member_status	members[HA_MAX_MEMBERS];
};

/**
 * ha_group_status() - look at a group's members now
 *
 * Members that hang cost one common time-out (2 s), not one each.
 * Return: 0 or -ENOENT: no such group.
 */
int ha_group_status(struct ha *ha, const char *label, struct ha_group_status *status);

/**
 * ha_group_known() - how the members are as this engine knows by itself, without asking them
 *
 * Of each member serial, place, state and reason; @status->needs_sync: work for some
 * member is under way or due. A group that the engine does not work with is looked at once
 * it does: see ha_login() and ha_token_info().
 * Return: 0 or -ENOENT: no such group.
 */
int ha_group_known(struct ha *ha, const char *label, struct ha_group_status *status);

/**
 * struct ha_sync_report - what a synchronization did
 * @objects:	that all members hold in the end
 * @copied:	copies that were made
 * @deleted:	deletions that were brought to members which had missed them
 * @conflicts:	objects that had been changed on two sides
 * @failed:	objects that could not be brought to some member
 */
struct ha_sync_report {
	uint32_t objects;
	uint32_t copied;
	uint32_t deleted;
	uint32_t conflicts;
	uint32_t failed;
};

/**
 * ha_sync_progress - called while it goes on
 * @text:	NULL, or something about one object or member, for a person
 */
typedef void (*ha_sync_progress)(void *arg, uint32_t done, uint32_t total, const char *text);

/**
 * ha_group_synchronize() - bring all live members of a group to the same contents
 * @pin:	the Crypto Officer's
 * @error:	out: on failure, which member and why, for a person
 *
 * Safe while applications work. A member that fails on the way is left out, and the others
 * go on; then @report holds what was done, and the result is that of the first failure.
 */
CK_RV ha_group_synchronize(struct ha *ha, const char *label, const void *pin, size_t pin_len,
			   struct ha_sync_report *report, ha_sync_progress progress, void *arg,
			   char *error, size_t error_len);

/**
 * struct ha_difference - an object that not all members have in the same version
 * @label:	empty: none, or it is deleted
 * @deleted:	the outcome is that it is deleted
 * @winner:	index of a copy that has the outcome
 * @copies:	@there: the member knows of it; @deleted: by its tombstone
 */
struct ha_difference {
	struct ha_ouid	ouid;
	char		label[65];
	bool		deleted;
	unsigned int	winner;
	unsigned int	n;
	struct {
		char		serial[25];
		bool		there;
		bool		deleted;
		uint64_t	counter;
	} copies[HA_MAX_MEMBERS];
};

/**
 * ha_group_check() - which objects differ between live members, and what will come of it
 * @pin:	the Crypto Officer's
 * @found:	called for each of them; what only seems to differ because it is being
 *		changed right now is not reported
 * @progress:	gets a text for each member that can not be looked at
 * @members:	out: how many were compared
 * @objects:	out: that at least one of them has
 *
 * Nothing is changed.
 */
CK_RV ha_group_check(struct ha *ha, const char *label, const void *pin, size_t pin_len,
		     void (*found)(void *arg, const struct ha_difference *difference),
		     ha_sync_progress progress, void *arg, uint32_t *members, uint32_t *objects,
		     char *error, size_t error_len);

/**
 * ha_group_admit() - could this partition become a member?
 * @label:	NULL: of a new group
 * @serial:	of the partition
 * @pin:	the Crypto Officer's; tried on the candidate, and on a live member
 * @error:	out: what stands against it and what to do, for a person
 *
 * Checks: it is there, initialised, its Crypto Officer can log in with the password, it is
 * in no other place of the group, cloning is allowed, and it is of the same
 * cloning domain as a live member (by a handshake, no key is moved). Nothing is changed.
 */
CK_RV ha_group_admit(struct ha *ha, const char *label, const char *serial,
		     const void *pin, size_t pin_len, char *error, size_t error_len);

#endif /* PCIEHSM_HA_H */
