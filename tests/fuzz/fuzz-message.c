// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Messages to a card with partitions, logins and keys: the parser, the dispatcher and
 * every handler.
 *
 * An input is a sequence of messages. Each is a byte for the operation, one for the
 * opener and session, one for the number of fields, and fields: a byte for the id, two
 * for the length, and that many bytes. Padding is made here, and a name of an object
 * may be one byte, as its 16 would never be met by chance. A template is a sequence of
 * a byte for the type, one for the length, and the value. Operation 255 is a message of
 * raw bytes instead.
 */
#include "crypto/p11.h"
#include "fuzz.h"

#define KEYS_AES	10
#define KEYS_EC		20
#define KEYS_RSA	30
#define KEYS_HMAC	40
/* More objects than that, and the card is made again. */
#define OBJECTS_MAX	400
#define MESSAGES_MAX	24
#define ANSWER_ROOM	32768
/* Openers beside those that card.h has */
#define CTX_OTHER	10

static struct card *card;

static const uint32_t ops[] = {
	PCIEHSM_OP_PING, PCIEHSM_OP_LOGIN, PCIEHSM_OP_LOGOUT, PCIEHSM_OP_SESSION_CLOSE,
	PCIEHSM_OP_ROLE_INIT, PCIEHSM_OP_ROLE_SET_PIN, PCIEHSM_OP_ROLE_RESET_PIN,
	PCIEHSM_OP_ROLE_INFO, PCIEHSM_OP_POLICY_GET, PCIEHSM_OP_POLICY_SET, PCIEHSM_OP_RANDOM,
	PCIEHSM_OP_HSM_INFO, PCIEHSM_OP_HSM_INIT, PCIEHSM_OP_HSM_FACTORY_RESET,
	PCIEHSM_OP_HSM_ZEROIZE, PCIEHSM_OP_PARTITION_CREATE, PCIEHSM_OP_PARTITION_DELETE,
	PCIEHSM_OP_PARTITION_RESIZE, PCIEHSM_OP_HSM_IDENTITY, PCIEHSM_OP_PARTITION_INFO,
	PCIEHSM_OP_PARTITION_INIT, PCIEHSM_OP_PARTITION_CLEAR, PCIEHSM_OP_OBJECT_CREATE,
	PCIEHSM_OP_OBJECT_COPY, PCIEHSM_OP_OBJECT_DESTROY, PCIEHSM_OP_OBJECT_GET,
	PCIEHSM_OP_OBJECT_SET, PCIEHSM_OP_OBJECT_FIND, PCIEHSM_OP_OBJECT_SIZE,
	PCIEHSM_OP_GENERATE_KEY, PCIEHSM_OP_GENERATE_KEY_PAIR, PCIEHSM_OP_WRAP,
	PCIEHSM_OP_UNWRAP, PCIEHSM_OP_DERIVE, PCIEHSM_OP_CRYPT, PCIEHSM_OP_CRYPT_INIT,
	PCIEHSM_OP_CRYPT_UPDATE, PCIEHSM_OP_CRYPT_FINAL, PCIEHSM_OP_CRYPT_CANCEL,
	PCIEHSM_OP_DIGEST_KEY, PCIEHSM_OP_MECHANISMS, PCIEHSM_OP_DIGEST, PCIEHSM_OP_CHANGES,
	PCIEHSM_OP_CLONE_OFFER, PCIEHSM_OP_CLONE_START, PCIEHSM_OP_CLONE_ACCEPT,
	PCIEHSM_OP_CLONE_EXPORT, PCIEHSM_OP_CLONE_IMPORT, PCIEHSM_OP_CLONE_CLOSE,
	PCIEHSM_OP_ENCAPSULATE, PCIEHSM_OP_DECAPSULATE, PCIEHSM_OP_REPLICA_MARK,
	PCIEHSM_OP_REPLICA_MARKS, PCIEHSM_OP_TOMBSTONES_COLLECT, PCIEHSM_OP_HSM_STATS,
	PCIEHSM_OP_AUDIT_INFO, PCIEHSM_OP_AUDIT_CONFIG, PCIEHSM_OP_AUDIT_EXPORT,
	PCIEHSM_OP_AUDIT_TRUNCATE, PCIEHSM_OP_ATTEST, PCIEHSM_OP_ROLE_SET_CHALLENGE,
	PCIEHSM_OP_ROLE_DEACTIVATE,
};

static const uint16_t fields[] = {
	PCIEHSM_F_FLAGS, PCIEHSM_F_LEN, PCIEHSM_F_LIMIT, PCIEHSM_F_CURSOR, PCIEHSM_F_DATA,
	PCIEHSM_F_SEED, PCIEHSM_F_LABEL, PCIEHSM_F_NUMBER, PCIEHSM_F_SIZE, PCIEHSM_F_ROLE,
	PCIEHSM_F_PIN, PCIEHSM_F_NEW_PIN, PCIEHSM_F_DOMAIN, PCIEHSM_F_POLICY, PCIEHSM_F_VALUE,
	PCIEHSM_F_OUID, PCIEHSM_F_OUID2, PCIEHSM_F_OBJECT, PCIEHSM_F_KEY, PCIEHSM_F_OUIDS,
	PCIEHSM_F_TEMPLATE, PCIEHSM_F_TEMPLATE2, PCIEHSM_F_COUNTER, PCIEHSM_F_FUNCTION,
	PCIEHSM_F_MECHANISM, PCIEHSM_F_SIGNATURE, PCIEHSM_F_P_IV, PCIEHSM_F_P_AAD,
	PCIEHSM_F_P_TAG_BITS, PCIEHSM_F_P_COUNTER_BITS, PCIEHSM_F_P_HASH, PCIEHSM_F_P_MGF,
	PCIEHSM_F_P_SALT_LEN, PCIEHSM_F_P_SOURCE, PCIEHSM_F_P_KDF, PCIEHSM_F_P_SHARED,
	PCIEHSM_F_P_PUBLIC, PCIEHSM_F_P_SALT, PCIEHSM_F_P_SALT_KEY, PCIEHSM_F_P_INFO,
	PCIEHSM_F_P_HKDF, PCIEHSM_F_P_MAC_LEN, PCIEHSM_F_P_CONTEXT, PCIEHSM_F_P_PREHASH,
	PCIEHSM_F_SEQ, PCIEHSM_F_CHANNEL, PCIEHSM_F_OFFER, PCIEHSM_F_HELLO, PCIEHSM_F_BLOB,
	PCIEHSM_F_P_HEDGE, PCIEHSM_F_SERIAL, PCIEHSM_F_SERIALS, PCIEHSM_F_NONCE,
	PCIEHSM_F_AUDIT_MASK,
};

/* New ones at the end: the corpus names them by their places. */
static const uint32_t attrs[] = {
	CKA_CLASS, CKA_TOKEN, CKA_PRIVATE, CKA_LABEL, CKA_APPLICATION, CKA_VALUE, CKA_OBJECT_ID,
	CKA_CERTIFICATE_TYPE, CKA_ISSUER, CKA_SERIAL_NUMBER, CKA_TRUSTED, CKA_CHECK_VALUE,
	CKA_KEY_TYPE, CKA_SUBJECT, CKA_ID, CKA_SENSITIVE, CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP,
	CKA_UNWRAP, CKA_SIGN, CKA_SIGN_RECOVER, CKA_VERIFY, CKA_VERIFY_RECOVER, CKA_DERIVE,
	CKA_START_DATE, CKA_END_DATE, CKA_MODULUS, CKA_MODULUS_BITS, CKA_PUBLIC_EXPONENT,
	CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2, CKA_EXPONENT_1, CKA_EXPONENT_2,
	CKA_COEFFICIENT, CKA_VALUE_LEN, CKA_EXTRACTABLE, CKA_LOCAL, CKA_NEVER_EXTRACTABLE,
	CKA_ALWAYS_SENSITIVE, CKA_MODIFIABLE, CKA_COPYABLE, CKA_DESTROYABLE, CKA_EC_PARAMS,
	CKA_EC_POINT, CKA_ALWAYS_AUTHENTICATE, CKA_WRAP_WITH_TRUSTED, CKA_WRAP_TEMPLATE,
	CKA_UNWRAP_TEMPLATE, CKA_ALLOWED_MECHANISMS,
	CKA_DERIVE_TEMPLATE, CKA_ENCAPSULATE_TEMPLATE, CKA_DECAPSULATE_TEMPLATE, CKA_ENCAPSULATE,
	CKA_DECAPSULATE, CKA_PARAMETER_SET, CKA_SEED, CKA_PRIME, CKA_SUBPRIME, CKA_BASE,
	CKA_PRIME_BITS, CKA_SUB_PRIME_BITS, CKA_PUBLIC_KEY_INFO, CKA_CERTIFICATE_CATEGORY,
	CKA_URL, CKA_HASH_OF_SUBJECT_PUBLIC_KEY, CKA_HASH_OF_ISSUER_PUBLIC_KEY,
	CKA_JAVA_MIDP_SECURITY_DOMAIN, CKA_NAME_HASH_ALGORITHM, CKA_OWNER, CKA_AC_ISSUER,
	CKA_ATTR_TYPES,
};

#define COUNT(list)	(sizeof(list) / sizeof((list)[0]))

static void create_secret(uint32_t n, uint32_t type)
{
	uint8_t ouid[PCIEHSM_OUID_LEN];
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_OBJECT_CREATE, 1);
	ouid_of(ouid, n);
	fwmsg_bytes(&m, PCIEHSM_F_OUID, ouid, sizeof(ouid));
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_attr_ulong(&m, CKA_CLASS, CKO_SECRET_KEY);
	fwmsg_attr_ulong(&m, CKA_KEY_TYPE, type);
	fwmsg_attr_bool(&m, CKA_TOKEN, true);
	fwmsg_attr_bool(&m, CKA_DERIVE, true);
	fwmsg_attr_bool(&m, CKA_EXTRACTABLE, true);
	fwmsg_attr(&m, CKA_VALUE, "0123456789abcdef", 16);
	fwmsg_template_end(&m);
	assert_ok(fwmsg_run(&m, card->fw, card->part, CTX_CO));
	fwmsg_free(&m);
}

static void make_card(void)
{
	if (card)
		card_free(card);
	card = card_ready(4711, DOMAIN);
	create_secret(KEYS_AES, CKK_AES);
	create_secret(KEYS_HMAC, CKK_GENERIC_SECRET);
	assert_ok(card_ec(card, CTX_CO, KEYS_EC, "ec", true));
	assert_ok(card_rsa(card, CTX_CO, KEYS_RSA, "rsa", true));
}

static bool is_template(uint16_t id)
{
	return id == PCIEHSM_F_TEMPLATE || id == PCIEHSM_F_TEMPLATE2;
}

static bool is_name(uint16_t id)
{
	return id == PCIEHSM_F_OUID || id == PCIEHSM_F_OUID2 || id == PCIEHSM_F_OBJECT ||
	       id == PCIEHSM_F_KEY || id == PCIEHSM_F_OUIDS || id == PCIEHSM_F_P_SALT_KEY;
}

static void put_template(struct fwmsg *m, uint16_t id, struct input *in)
{
	uint32_t type;
	size_t len;
	const uint8_t *p;

	fwmsg_template(m, id);
	while (in->left) {
		type = attrs[take8(in) % COUNT(attrs)];
		len = take8(in);
		p = take_bytes(in, len, &len);
		/* Numbers and flags in full from one byte each */
		if (len == 1 && (type == CKA_CLASS || type == CKA_KEY_TYPE ||
				 type == CKA_VALUE_LEN || type == CKA_PARAMETER_SET ||
				 type == CKA_CERTIFICATE_TYPE))
			fwmsg_attr_ulong(m, type, p[0]);
		else
			fwmsg_attr(m, type, p, len);
	}
	fwmsg_template_end(m);
}

static void put_field(struct fwmsg *m, struct input *in, uint32_t *mechanism)
{
	uint16_t id = fields[take8(in) % COUNT(fields)];
	uint8_t ouid[PCIEHSM_OUID_LEN];
	size_t len = take16(in);
	const uint8_t *p = take_bytes(in, len, &len);
	struct input value = { p, len };

	if (is_template(id)) {
		put_template(m, id, &value);
	} else if (is_name(id) && len == 1) {
		ouid_of(ouid, p[0]);
		fwmsg_bytes(m, id, ouid, sizeof(ouid));
	} else {
		fwmsg_bytes(m, id, p, len);
	}
	if (id == PCIEHSM_F_MECHANISM && len == sizeof(*mechanism))
		memcpy(mechanism, p, len);
}

/* Generating RSA keys as often as the input likes would be all that happens; curves are fast. */
static bool too_slow(uint32_t op, uint32_t mechanism)
{
	return op == PCIEHSM_OP_GENERATE_KEY_PAIR && mechanism != CKM_EC_KEY_PAIR_GEN &&
	       mechanism != CKM_EC_EDWARDS_KEY_PAIR_GEN &&
	       mechanism != CKM_EC_MONTGOMERY_KEY_PAIR_GEN;
}

static void raw_message(struct input *in, uint32_t part, uint32_t ctx)
{
	struct hsm_fw_request req = { .partition = part, .context = ctx };
	static uint8_t out[4096];
	size_t len = take16(in);
	uint8_t *copy;
	const uint8_t *p;

	p = take_bytes(in, len, &len);
	/* In memory of its own size, so that a byte too many is seen. */
	copy = malloc(len ? len : 1);
	assert_non_null(copy);
	if (len)
		memcpy(copy, p, len);
	if (len >= 4) {
		copy[0] = (uint8_t)len;
		copy[1] = (uint8_t)(len >> 8);
		copy[2] = 0;
		copy[3] = 0;
	}
	req.in = copy;
	req.in_len = len;
	req.out = out;
	req.out_size = sizeof(out);
	hsm_fw_execute(card->fw, &req);
	free(copy);
}

static void message(struct input *in)
{
	uint8_t which = take8(in), from = take8(in), count;
	uint32_t op = ops[which % COUNT(ops)], mechanism = 0;
	uint32_t ctx = from % 16 < 5 ? from % 16 : CTX_OTHER;
	uint32_t part = from & 16 || ctx == CTX_SO ? 0 : card->part;
	struct fwmsg m;

	if (which == 255) {
		raw_message(in, part, ctx);
		return;
	}
	count = take8(in) % 16;
	fwmsg_begin(&m, op, from >> 5);
	while (count--)
		put_field(&m, in, &mechanism);
	/* Small room for answers, now and then; room that is cleared again and again is slow. */
	m.out_size = from == 255 ? 64 : ANSWER_ROOM;
	if (!too_slow(op, mechanism))
		fwmsg_run(&m, card->fw, part, ctx);
	fwmsg_free(&m);
}

/* Is the card still one that inputs find something on? */
static bool usable(void)
{
	struct fwmsg m;
	size_t len = 0;

	fwmsg_begin(&m, PCIEHSM_OP_OBJECT_FIND, 1);
	fwmsg_template(&m, PCIEHSM_F_TEMPLATE);
	fwmsg_template_end(&m);
	fwmsg_u32(&m, PCIEHSM_F_LIMIT, OBJECTS_MAX);
	m.out_size = ANSWER_ROOM;
	if (fwmsg_run(&m, card->fw, card->part, CTX_CO) == CKR_OK)
		fwmsg_get(&m, PCIEHSM_F_OUIDS, &len);
	fwmsg_free(&m);
	len /= PCIEHSM_OUID_LEN;
	return len >= 6 && len < OBJECTS_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	unsigned int n;

	if (!card || !usable())
		make_card();
	for (n = 0; in.left && n < MESSAGES_MAX; n++)
		message(&in);
	hsm_fw_context_close(card->fw, CTX_OTHER);
	return 0;
}
