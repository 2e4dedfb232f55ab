// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The store's file in somebody else's hands: whatever is in it, the card opens or says why
 * not.
 *
 * The first byte of an input says what the rest is: 0 a whole file, 1 changes to a good
 * file (three bytes for the place and one for the new byte, each), 2 an HSM's record as
 * it is inside of the sealing, 3 a partition's.
 */
#include <fcntl.h>
#include <unistd.h>

#include "fuzz.h"
#include "hsm/state.h"

static const uint8_t master_key[32] = "the key that the store is sealed";
static uint8_t *good;
static size_t good_len;
static struct hsm_fw_config config;
static char path[160];

static void read_good(const char *store)
{
	FILE *f = fopen(store, "rb");
	long len;

	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	len = ftell(f);
	rewind(f);
	good = malloc((size_t)len);
	assert_non_null(good);
	assert_int_equal(fread(good, 1, (size_t)len, f), (size_t)len);
	good_len = (size_t)len;
	fclose(f);
}

static void set_up(void)
{
	struct card *c;
	char error[256];

	if (good)
		return;
	c = card_new(4711);
	hsm_fw_close(c->fw);
	unlink(c->store);
	c->config.master_key = master_key;
	assert_int_equal(hsm_fw_open(&c->config, &c->fw, error, sizeof(error)), 0);
	assert_ok(card_hsm_init(c, "card", SO_PIN));
	assert_ok(card_login(c, 0, CTX_SO, PCIEHSM_ROLE_SO, SO_PIN));
	assert_ok(card_partition_create(c, CTX_SO, &c->part));
	assert_ok(card_partition_init(c, c->part, CTX_PO, "par0", PO_PIN, DOMAIN));
	card_make_roles(c, c->part);
	assert_ok(card_data(c, CTX_CO, 1, "data", true));
	assert_ok(card_data(c, CTX_CO, 2, "gone", true));
	assert_ok(card_destroy(c, CTX_CO, 2, 0));
	hsm_fw_close(c->fw);
	read_good(c->store);
	config = c->config;
	config.event = NULL;
	snprintf(path, sizeof(path), "%s/fuzz.card", card_dir());
	config.store = path;
}

static void open_store(const uint8_t *data, size_t len)
{
	char side[176], error[256] = "";
	struct hsm_fw_info info;
	struct hsm_fw *fw;
	int fd;

	snprintf(side, sizeof(side), "%s-wal", path);
	unlink(side);
	snprintf(side, sizeof(side), "%s-shm", path);
	unlink(side);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	close(fd);
	if (hsm_fw_open(&config, &fw, error, sizeof(error))) {
		/* A person has to know what to do about it. */
		assert_true(error[0] != '\0');
		return;
	}
	hsm_fw_info(fw, &info);
	hsm_fw_close(fw);
}

static void changed(struct input *in)
{
	uint8_t *copy = malloc(good_len);
	size_t at;

	assert_non_null(copy);
	memcpy(copy, good, good_len);
	while (in->left) {
		at = take16(in);
		at |= (size_t)take8(in) << 16;
		copy[at % good_len] = take8(in);
	}
	open_store(copy, good_len);
	free(copy);
}

static void hsm_record(const struct input *in)
{
	struct hsm_state *state = calloc(1, sizeof(*state));
	uint8_t *copy = malloc(in->left + 1);

	assert_true(state && copy);
	memcpy(copy, in->p, in->left);
	hsm_state_decode(state, copy, in->left);
	hsm_state_wipe(state);
	free(copy);
	free(state);
}

static void partition_record(const struct input *in)
{
	struct partition_state *state = calloc(1, sizeof(*state));
	uint8_t *copy = malloc(in->left + 1);

	assert_true(state && copy);
	memcpy(copy, in->p, in->left);
	partition_state_decode(state, copy, in->left);
	free(copy);
	free(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	set_up();
	switch (take8(&in)) {
	case 0:
		open_store(in.p, in.left);
		break;
	case 1:
		changed(&in);
		break;
	case 2:
		hsm_record(&in);
		break;
	default:
		partition_record(&in);
		break;
	}
	return 0;
}
