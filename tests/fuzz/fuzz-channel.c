// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The cloning channel: offers, hellos and blobs from a peer that is not what it says, and
 * records from one that has the domain's key and means harm.
 *
 * The first byte of an input says what the rest is: 0 an offer, 1 a hello, 2 a blob as
 * it comes, 3 a batch that a true source seals.
 */
#include <endian.h>

#include "crypto/channel.h"
#include "fuzz.h"

#define OBJECTS_MAX	300

static struct card *card;
static struct fw_identity *peer;
static uint8_t domain_key[FW_DOMAIN_KEY_LEN];
static uint32_t channel;		/* at the card, the target */
static uint64_t seq;			/* of the last blob of @source */
static struct fw_channel *source;	/* at the peer; NULL: to be made again */

static unsigned long run(struct fwmsg *m)
{
	unsigned long rv;

	/* The answers are short, and clearing much room for each is slow. */
	m->out_size = FW_OFFER_MAX + 4096;
	rv = fwmsg_run(m, card->fw, card->part, CTX_CO);

	fwmsg_free(m);
	return rv;
}

static void close_channel(uint32_t id)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_CLONE_CLOSE, 0);
	fwmsg_u32(&m, PCIEHSM_F_CHANNEL, id);
	run(&m);
}

static uint32_t offer_of_card(uint8_t *offer, size_t *len)
{
	const uint8_t *p;
	struct fwmsg m;
	uint32_t id;

	fwmsg_begin(&m, PCIEHSM_OP_CLONE_OFFER, 0);
	assert_ok(fwmsg_run(&m, card->fw, card->part, CTX_CO));
	id = fwmsg_get_u32(&m, PCIEHSM_F_CHANNEL);
	p = fwmsg_get(&m, PCIEHSM_F_OFFER, len);
	assert_true(*len <= FW_OFFER_MAX);
	memcpy(offer, p, *len);
	fwmsg_free(&m);
	return id;
}

static unsigned long give_hello(uint32_t id, const uint8_t *hello, size_t len)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_CLONE_ACCEPT, 0);
	fwmsg_u32(&m, PCIEHSM_F_CHANNEL, id);
	fwmsg_bytes(&m, PCIEHSM_F_HELLO, hello, len);
	return run(&m);
}

static void open_channel(void)
{
	static uint8_t offer[FW_OFFER_MAX], hello[FW_HELLO_MAX];
	size_t len, hello_len = sizeof(hello);

	seq = 0;
	channel = offer_of_card(offer, &len);
	assert_ok(fw_channel_start(peer, "815000100", domain_key, (struct fw_bytes){ offer, len },
				   hello, &hello_len, &source));
	assert_ok(give_hello(channel, hello, hello_len));
}

static void set_up(void)
{
	unsigned int count;

	if (card && (card_find(card, CTX_CO, NULL, &count, NULL) != CKR_OK ||
		     count > OBJECTS_MAX)) {
		card_free(card);
		card = NULL;
	}
	if (card)
		return;
	if (!peer) {
		assert_ok(fw_identity_create("815", &peer));
		assert_ok(fw_domain_key((const uint8_t *)DOMAIN, strlen(DOMAIN), domain_key));
	}
	card = card_ready(4711, DOMAIN);
	fw_channel_free(source);
	source = NULL;
}

static void offer(struct input *in)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_CLONE_START, 0);
	fwmsg_bytes(&m, PCIEHSM_F_OFFER, in->p, in->left);
	assert_true(run(&m) != CKR_OK);
}

static void hello(struct input *in)
{
	static uint8_t own[FW_OFFER_MAX];
	size_t len;
	uint32_t id = offer_of_card(own, &len);

	assert_true(give_hello(id, in->p, in->left) != CKR_OK);
	close_channel(id);
}

static unsigned long import(const uint8_t *blob, size_t len)
{
	struct fwmsg m;

	fwmsg_begin(&m, PCIEHSM_OP_CLONE_IMPORT, 0);
	fwmsg_u32(&m, PCIEHSM_F_CHANNEL, channel);
	fwmsg_bytes(&m, PCIEHSM_F_BLOB, blob, len);
	return run(&m);
}

static void end_channel(void)
{
	fw_channel_free(source);
	source = NULL;
	close_channel(channel);
}

static bool still_open(void)
{
	return import(NULL, 0) == CKR_OK;
}

static void blob(struct input *in)
{
	/* What does not open ends the channel; an empty one is a batch without anything. */
	if (import(in->p, in->left) != CKR_OK)
		end_channel();
}

static void records(struct input *in)
{
	static uint8_t sealed[65536];
	size_t len = sizeof(sealed) - FW_CHANNEL_OVERHEAD - sizeof(struct pciehsm_blob);
	struct pciehsm_blob head = { .seq = htole64(++seq) };
	struct fw_bytes plain;

	plain.p = take_bytes(in, len, &plain.len);
	assert_ok(fw_channel_seal(source, plain, sealed + sizeof(head), &len));
	head.len = htole64(len);
	memcpy(sealed, &head, sizeof(head));
	/* Bad records are refused; only what does not open ends a channel. */
	if (import(sealed, len + sizeof(head)) != CKR_OK && !still_open())
		end_channel();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	set_up();
	switch (take8(&in)) {
	case 0:
		offer(&in);
		break;
	case 1:
		hello(&in);
		break;
	case 2:
		if (!source)
			open_channel();
		blob(&in);
		break;
	default:
		if (!source)
			open_channel();
		records(&in);
		break;
	}
	return 0;
}
