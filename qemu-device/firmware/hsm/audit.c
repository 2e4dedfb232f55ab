// SPDX-License-Identifier: GPL-2.0-or-later
#include "hsm/audit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/ops.h"
#include "message/wire.h"

#define ENTRY_LEN	sizeof(struct pciehsm_audit_entry)
#define LINE_LEN	(ENTRY_LEN + FW_SHA256_LEN)
#define AUDIT_FORMAT	1
#define AUDIT_TEXT	"pciehsm audit v1"
/* In @wanted: the log is full, and what must be written down is to wait */
#define AUDIT_STOPPED	(1U << 31)
/* Not of any category: always written down */
#define ALWAYS		(1U << 30)

_Static_assert(ENTRY_LEN == 80 && LINE_LEN <= STORE_AUDIT_MAX, "as the contract says");

/* ---- state ---- */

static bool full(const struct audit_state *s)
{
	return s->last - s->first + 1 >= PCIEHSM_AUDIT_CAPACITY;
}

static void publish(struct audit *a)
{
	uint32_t wanted = a->state.mask;

	if ((a->state.flags & PCIEHSM_AUDIT_HALT) && full(&a->state))
		wanted |= AUDIT_STOPPED;
	atomic_store(&a->wanted, wanted);
}

static CK_RV first_chain(struct hsm_fw *fw, uint8_t chain[FW_SHA256_LEN])
{
	struct fw_bytes parts[2] = {
		{ (const uint8_t *)AUDIT_TEXT, sizeof(AUDIT_TEXT) - 1 },
		{ (const uint8_t *)fw->serial_text, strlen(fw->serial_text) },
	};

	return fw_sha256(parts, 2, chain);
}

void audit_init(struct hsm_fw *fw)
{
	pthread_mutex_init(&fw->audit.lock, NULL);
	atomic_init(&fw->audit.wanted, 0);
}

void audit_destroy(struct hsm_fw *fw)
{
	pthread_mutex_destroy(&fw->audit.lock);
}

static size_t encode(const struct audit_state *s, uint8_t *out)
{
	wire_put64(out, AUDIT_FORMAT);
	wire_put32(out + 8, s->mask);
	wire_put32(out + 12, s->flags);
	wire_put64(out + 16, s->first);
	wire_put64(out + 24, s->last);
	memcpy(out + 32, s->before, FW_SHA256_LEN);
	memcpy(out + 64, s->chain, FW_SHA256_LEN);
	return 96;
}

static bool decode(struct audit_state *s, const uint8_t *in, size_t len)
{
	if (len != 96 || wire_get64(in) != AUDIT_FORMAT)
		return false;
	s->mask = wire_get32(in + 8);
	s->flags = wire_get32(in + 12);
	s->first = wire_get64(in + 16);
	s->last = wire_get64(in + 24);
	memcpy(s->before, in + 32, FW_SHA256_LEN);
	memcpy(s->chain, in + 64, FW_SHA256_LEN);
	return s->first && s->last + 1 >= s->first;
}

int audit_load(struct hsm_fw *fw)
{
	struct audit_state *s = &fw->audit.state;
	uint8_t *record = malloc(RECORD_MAX), line[STORE_AUDIT_MAX];
	size_t len;
	int ret;

	if (!record)
		return -ENOMEM;
	ret = store_load_record(fw->store, STORE_AUDIT_RECORD, record, &len);
	if (!ret && !len) {
		memset(s, 0, sizeof(*s));
		s->mask = PCIEHSM_AUDIT_LOG_DEFAULT;
		s->first = 1;
		if (first_chain(fw, s->before) != CKR_OK)
			ret = -ENOMEM;
		memcpy(s->chain, s->before, sizeof(s->chain));
	} else if (!ret && !decode(s, record, len)) {
		ret = -EBADMSG;
	}
	free(record);
	/* The newest line must be there; those between, an export looks at. */
	if (!ret && s->last >= s->first) {
		store_lock(fw->store);
		if (!store_get_audit(fw->store, s->last, line, &len) || len != LINE_LEN ||
		    memcmp(line + ENTRY_LEN, s->chain, sizeof(s->chain)) != 0)
			ret = -EBADMSG;
		store_unlock(fw->store);
	}
	publish(&fw->audit);
	return ret;
}

/* ---- writing ---- */

/* Within a transaction: entries before @first go, and what they hashed to is kept. */
static bool forget_before(struct hsm_fw *fw, struct audit_state *s, uint64_t first)
{
	uint8_t line[STORE_AUDIT_MAX];
	size_t len;

	if (!store_get_audit(fw->store, first - 1, line, &len) || len != LINE_LEN)
		return false;
	memcpy(s->before, line + ENTRY_LEN, sizeof(s->before));
	s->first = first;
	return store_delete_audit(fw->store, first);
}

static bool put_state(struct hsm_fw *fw, const struct audit_state *s)
{
	uint8_t record[96];

	return store_put_record(fw->store, STORE_AUDIT_RECORD, record, encode(s, record));
}

static bool put_entry(struct hsm_fw *fw, struct audit_state *s, uint8_t line[LINE_LEN])
{
	struct fw_bytes parts[2] = { { s->chain, FW_SHA256_LEN }, { line, ENTRY_LEN } };

	wire_put64(line, ++s->last);
	if (fw_sha256(parts, 2, line + ENTRY_LEN) != CKR_OK)
		return false;
	memcpy(s->chain, line + ENTRY_LEN, FW_SHA256_LEN);
	return store_put_audit(fw->store, s->last, line, LINE_LEN);
}

/* With the lock held: a change of the log, all of it or nothing */
static CK_RV finish(struct hsm_fw *fw, bool ok, const struct audit_state *next)
{
	if (!ok || !put_state(fw, next)) {
		store_rollback(fw->store);
		return PCIEHSM_CKR_STORE;
	}
	if (!store_commit(fw->store))
		return PCIEHSM_CKR_STORE;
	fw->audit.state = *next;
	publish(&fw->audit);
	return CKR_OK;
}

static CK_RV write_line(struct hsm_fw *fw, uint8_t line[LINE_LEN], bool may_wait)
{
	struct audit *a = &fw->audit;
	struct audit_state next;
	CK_RV rv = CKR_OK;
	bool ok;

	wire_put64(line + 8, fw->audit.power_on);
	wire_put64(line + 16, fw_now_ms(fw) - fw->started_at);
	pthread_mutex_lock(&a->lock);
	next = a->state;
	if (full(&next) && (next.flags & PCIEHSM_AUDIT_HALT) && may_wait) {
		/* What nobody has to see goes; what must be seen is not begun at all. */
		pthread_mutex_unlock(&a->lock);
		return CKR_OK;
	}
	if (!store_begin(fw->store)) {
		rv = PCIEHSM_CKR_STORE;
	} else {
		ok = put_entry(fw, &next, line);
		/*
		 * With HALT the entries that are always written (the Auditor's own and
		 * the card's) go beyond the capacity: the Auditor is at work then.
		 */
		if (ok && !(next.flags & PCIEHSM_AUDIT_HALT) &&
		    next.last - next.first + 1 > PCIEHSM_AUDIT_CAPACITY)
			ok = forget_before(fw, &next, next.last - PCIEHSM_AUDIT_CAPACITY + 1);
		rv = finish(fw, ok, &next);
	}
	pthread_mutex_unlock(&a->lock);
	return rv;
}

CK_RV audit_event(struct hsm_fw *fw, uint32_t event)
{
	uint8_t line[LINE_LEN] = { 0 };

	wire_put32(line + 32, event);
	return write_line(fw, line, false);
}

static uint32_t category(const struct call *c)
{
	switch (c->spec->op) {
	case PCIEHSM_OP_AUDIT_CONFIG:
	case PCIEHSM_OP_AUDIT_EXPORT:
	case PCIEHSM_OP_AUDIT_TRUNCATE:
		return ALWAYS;
	case PCIEHSM_OP_LOGIN:
	case PCIEHSM_OP_LOGOUT:
		return PCIEHSM_AUDIT_LOG_LOGIN;
	case PCIEHSM_OP_ROLE_INIT:
	case PCIEHSM_OP_ROLE_SET_PIN:
	case PCIEHSM_OP_ROLE_RESET_PIN:
	case PCIEHSM_OP_ROLE_SET_CHALLENGE:
	case PCIEHSM_OP_ROLE_DEACTIVATE:
		return PCIEHSM_AUDIT_LOG_ROLES;
	case PCIEHSM_OP_HSM_INIT:
	case PCIEHSM_OP_HSM_FACTORY_RESET:
	case PCIEHSM_OP_HSM_ZEROIZE:
	case PCIEHSM_OP_PARTITION_CREATE:
	case PCIEHSM_OP_PARTITION_DELETE:
	case PCIEHSM_OP_PARTITION_RESIZE:
		return PCIEHSM_AUDIT_LOG_HSM;
	case PCIEHSM_OP_POLICY_SET:
		return c->part ? PCIEHSM_AUDIT_LOG_PARTITION : PCIEHSM_AUDIT_LOG_HSM;
	case PCIEHSM_OP_PARTITION_INIT:
	case PCIEHSM_OP_PARTITION_CLEAR:
		return PCIEHSM_AUDIT_LOG_PARTITION;
	case PCIEHSM_OP_OBJECT_CREATE:
	case PCIEHSM_OP_OBJECT_COPY:
	case PCIEHSM_OP_OBJECT_DESTROY:
	case PCIEHSM_OP_OBJECT_SET:
	case PCIEHSM_OP_GENERATE_KEY:
	case PCIEHSM_OP_GENERATE_KEY_PAIR:
	case PCIEHSM_OP_UNWRAP:
	case PCIEHSM_OP_DERIVE:
	case PCIEHSM_OP_ENCAPSULATE:
	case PCIEHSM_OP_DECAPSULATE:
		return PCIEHSM_AUDIT_LOG_OBJECTS;
	case PCIEHSM_OP_CRYPT:
	case PCIEHSM_OP_CRYPT_INIT:
	case PCIEHSM_OP_DIGEST_KEY:
	case PCIEHSM_OP_WRAP:
	case PCIEHSM_OP_ATTEST:
		return PCIEHSM_AUDIT_LOG_USE;
	case PCIEHSM_OP_CLONE_OFFER:
	case PCIEHSM_OP_CLONE_START:
	case PCIEHSM_OP_CLONE_ACCEPT:
	case PCIEHSM_OP_CLONE_EXPORT:
	case PCIEHSM_OP_CLONE_IMPORT:
	case PCIEHSM_OP_REPLICA_MARK:
	case PCIEHSM_OP_TOMBSTONES_COLLECT:
		return PCIEHSM_AUDIT_LOG_CLONING;
	default:
		return 0;
	}
}

/* The Auditor comes in to make room: nothing holds him back. */
static bool is_auditor(const struct call *c)
{
	return !c->part && (c->role == PCIEHSM_ROLE_AU ||
			    message_u32(&c->in, PCIEHSM_F_ROLE, 0) == PCIEHSM_ROLE_AU);
}

CK_RV audit_admit(struct call *c)
{
	uint32_t wanted = atomic_load_explicit(&c->fw->audit.wanted, memory_order_relaxed);

	if (!(wanted & AUDIT_STOPPED) || !(category(c) & wanted) || is_auditor(c))
		return CKR_OK;
	return PCIEHSM_CKR_AUDIT_FULL;
}

static uint32_t first_u32(const struct message *m, const uint16_t *ids)
{
	while (*ids && !message_has(m, *ids))
		ids++;
	return *ids ? message_u32(m, *ids, 0) : 0;
}

static void describe(const struct call *c, uint8_t *line)
{
	static const uint16_t subjects[] = {
		PCIEHSM_F_ROLE, PCIEHSM_F_POLICY, PCIEHSM_F_NUMBER, PCIEHSM_F_FUNCTION,
		PCIEHSM_F_AUDIT_MASK, 0
	};
	static const uint16_t values[] = { PCIEHSM_F_VALUE, PCIEHSM_F_MECHANISM, 0 };
	static const uint16_t objects[] = { PCIEHSM_F_OBJECT, PCIEHSM_F_KEY, PCIEHSM_F_OUID };
	const uint8_t *ouid;
	uint64_t value;
	size_t i, len;

	wire_put32(line + 44, first_u32(&c->in, subjects));
	value = first_u32(&c->in, values);
	value = message_u64(&c->in, PCIEHSM_F_SIZE, value);
	wire_put64(line + 48, message_u64(&c->in, PCIEHSM_F_SEQ, value));
	for (i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
		ouid = message_bytes(&c->in, objects[i], &len);
		if (ouid) {
			memcpy(line + 64, ouid, PCIEHSM_OUID_LEN);
			break;
		}
	}
}

static CK_RV write_call(struct call *c, uint32_t role, CK_RV rv, uint32_t what)
{
	uint8_t line[LINE_LEN] = { 0 };

	wire_put32(line + 24, c->part ? c->part->number : 0);
	wire_put32(line + 28, c->ctx->id);
	wire_put32(line + 32, c->spec->op);
	wire_put32(line + 36, (uint32_t)rv);
	wire_put32(line + 40, role);
	describe(c, line);
	return write_line(c->fw, line, !(what & ALWAYS) && !is_auditor(c)) == CKR_OK ?
	       CKR_OK : CKR_DEVICE_ERROR;
}

CK_RV audit_call(struct call *c, uint32_t role, CK_RV rv)
{
	uint32_t wanted = atomic_load_explicit(&c->fw->audit.wanted, memory_order_relaxed);
	uint32_t what = category(c);

	if (!(what & (wanted | ALWAYS)) &&
	    !(what && rv != CKR_OK && (wanted & PCIEHSM_AUDIT_LOG_FAILED)))
		return CKR_OK;
	return write_call(c, role, rv, what);
}

/* ---- the Auditor's commands ---- */

CK_RV op_audit_info(struct call *c)
{
	struct audit *a = &c->fw->audit;
	struct audit_state s;

	pthread_mutex_lock(&a->lock);
	s = a->state;
	pthread_mutex_unlock(&a->lock);
	if ((s.flags & PCIEHSM_AUDIT_HALT) && full(&s))
		s.flags |= PCIEHSM_AUDIT_FULL;
	answer_u32(&c->out, PCIEHSM_F_AUDIT_MASK, s.mask);
	answer_u32(&c->out, PCIEHSM_F_FLAGS, s.flags);
	answer_u64(&c->out, PCIEHSM_F_AUDIT_FIRST, s.first);
	answer_u64(&c->out, PCIEHSM_F_SEQ, s.last);
	answer_u32(&c->out, PCIEHSM_F_LIMIT, PCIEHSM_AUDIT_CAPACITY);
	return CKR_OK;
}

CK_RV op_audit_config(struct call *c)
{
	uint32_t mask = message_u32(&c->in, PCIEHSM_F_AUDIT_MASK, 0);
	uint32_t flags = message_u32(&c->in, PCIEHSM_F_FLAGS, 0);
	struct audit *a = &c->fw->audit;
	struct audit_state next;
	CK_RV rv;

	if ((mask & ~PCIEHSM_AUDIT_LOG_ALL) || (flags & ~PCIEHSM_AUDIT_HALT))
		return CKR_ARGUMENTS_BAD;
	pthread_mutex_lock(&a->lock);
	next = a->state;
	next.mask = mask;
	next.flags = flags;
	rv = store_begin(c->fw->store) ? finish(c->fw, true, &next) : PCIEHSM_CKR_STORE;
	pthread_mutex_unlock(&a->lock);
	return rv;
}

CK_RV op_audit_truncate(struct call *c)
{
	uint64_t seq = message_u64(&c->in, PCIEHSM_F_SEQ, 0);
	struct audit *a = &c->fw->audit;
	struct audit_state next;
	CK_RV rv = CKR_OK;

	pthread_mutex_lock(&a->lock);
	next = a->state;
	if (seq > next.last)
		rv = CKR_ARGUMENTS_BAD;
	else if (seq >= next.first)
		rv = store_begin(c->fw->store) ?
		     finish(c->fw, forget_before(c->fw, &next, seq + 1), &next) :
		     PCIEHSM_CKR_STORE;
	pthread_mutex_unlock(&a->lock);
	return rv;
}

/* Entries @first to @last into @out, each found to follow the one before it */
static bool read_entries(struct hsm_fw *fw, uint64_t first, uint64_t last, uint8_t *out,
			 uint8_t before[FW_SHA256_LEN])
{
	uint8_t line[STORE_AUDIT_MAX], chain[FW_SHA256_LEN];
	struct fw_bytes parts[2] = { { chain, sizeof(chain) }, { line, ENTRY_LEN } };
	uint8_t sum[FW_SHA256_LEN];
	size_t len;

	if (first > fw->audit.state.first) {
		if (!store_get_audit(fw->store, first - 1, line, &len) || len != LINE_LEN)
			return false;
		memcpy(before, line + ENTRY_LEN, FW_SHA256_LEN);
	} else {
		memcpy(before, fw->audit.state.before, FW_SHA256_LEN);
	}
	memcpy(chain, before, sizeof(chain));
	for (; first <= last; first++, out += ENTRY_LEN) {
		if (!store_get_audit(fw->store, first, line, &len) || len != LINE_LEN ||
		    fw_sha256(parts, 2, sum) != CKR_OK ||
		    memcmp(sum, line + ENTRY_LEN, sizeof(sum)) != 0)
			return false;
		memcpy(chain, sum, sizeof(chain));
		memcpy(out, line, ENTRY_LEN);
	}
	return true;
}

static CK_RV put_signature(struct call *c)
{
	struct fw_bytes parts[2] = {
		{ (const uint8_t *)AUDIT_TEXT, sizeof(AUDIT_TEXT) - 1 },
		{ c->out.buf + sizeof(struct pciehsm_msg),
		  c->out.len - sizeof(struct pciehsm_msg) },
	};
	uint8_t sig[FW_IDENTITY_SIG_MAX];
	size_t len = sizeof(sig);
	CK_RV rv = fw_identity_sign(c->fw->identity, parts, 2, sig, &len);

	if (rv == CKR_OK)
		answer_put(&c->out, PCIEHSM_F_SIGNATURE, sig, len);
	return rv;
}

CK_RV op_audit_export(struct call *c)
{
	const size_t overhead = 24 + 8 + FW_SHA256_LEN + FW_IDENTITY_SIG_MAX;
	uint64_t after = message_u64(&c->in, PCIEHSM_F_SEQ, 0), first, last;
	uint64_t limit = message_u32(&c->in, PCIEHSM_F_LIMIT, 0);
	struct audit *a = &c->fw->audit;
	uint8_t before[FW_SHA256_LEN], *entries;
	size_t room;
	CK_RV rv;

	if (!limit)
		return CKR_ARGUMENTS_BAD;
	rv = answer_room(&c->out, 5, overhead + ENTRY_LEN);
	if (rv != CKR_OK)
		return rv;
	room = (c->out.size - c->out.len - overhead - 5 * sizeof(struct pciehsm_field)) / ENTRY_LEN;
	if (limit > room)
		limit = room;
	entries = malloc(limit * ENTRY_LEN);
	if (!entries)
		return CKR_HOST_MEMORY;
	pthread_mutex_lock(&a->lock);
	first = after + 1 > a->state.first && after < a->state.last ? after + 1 : a->state.first;
	if (after >= a->state.last)
		first = a->state.last + 1;
	last = a->state.last - first + 1 > limit ? first + limit - 1 : a->state.last;
	store_lock(c->fw->store);
	rv = read_entries(c->fw, first, last, entries, before) ? CKR_OK : PCIEHSM_CKR_STORE;
	store_unlock(c->fw->store);
	pthread_mutex_unlock(&a->lock);
	if (rv == CKR_OK) {
		answer_text(&c->out, PCIEHSM_F_HSM_SERIAL, c->fw->serial_text);
		answer_u64(&c->out, PCIEHSM_F_SEQ, last);
		answer_put(&c->out, PCIEHSM_F_DIGEST, before, sizeof(before));
		answer_put(&c->out, PCIEHSM_F_AUDIT_ENTRIES, entries,
			   (size_t)(last - first + 1) * ENTRY_LEN);
		rv = put_signature(c);
	}
	free(entries);
	return rv;
}
