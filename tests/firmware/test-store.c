// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The store: what was answered is there after any end of the process, what was changed
 * by others is noticed, and what is wrong is said.
 */
#include "card.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int try_open(struct card *c, char error[256])
{
	struct hsm_fw *fw;
	int ret;

	error[0] = '\0';
	ret = hsm_fw_open(&c->config, &fw, error, 256);
	if (!ret)
		hsm_fw_close(fw);
	else
		assert_true(error[0] != '\0');
	return ret;
}

static void off(struct card *c)
{
	hsm_fw_close(c->fw);
	c->fw = NULL;
}

static void on(struct card *c)
{
	char error[256] = "";

	if (hsm_fw_open(&c->config, &c->fw, error, sizeof(error)))
		fail_msg("%s", error);
}

static void test_config(void **state)
{
	struct card *c = card_new(5);
	struct hsm_fw_config good = c->config;
	char error[256];

	(void)state;
	off(c);
	c->config.serial = 0;
	assert_int_equal(try_open(c, error), -EINVAL);
	c->config.serial = 1000000000000ULL;
	assert_int_equal(try_open(c, error), -EINVAL);
	c->config = good;
	c->config.partition_base = 1000000;
	assert_int_equal(try_open(c, error), -EINVAL);
	c->config = good;
	c->config.engines = 65;
	assert_int_equal(try_open(c, error), -EINVAL);
	c->config = good;
	c->config.max_partitions = 101;
	assert_int_equal(try_open(c, error), -EINVAL);
	c->config = good;
	c->config.model = "sixteen bytes ..";
	assert_int_equal(try_open(c, error), -EINVAL);
	c->config = good;
	c->config.store = NULL;
	assert_int_equal(try_open(c, error), -EINVAL);
	c->config = good;
	c->config.store = "/nonexistent/directory/store";
	assert_int_equal(try_open(c, error), -ENOENT);
	assert_non_null(strstr(error, "/nonexistent/directory/store"));
	c->config.store = "/tmp";
	assert_true(try_open(c, error) < 0);
	c->config = good;
	on(c);
	card_free(c);
}

static void test_foreign(void **state)
{
	uint8_t key[32] = "a key of thirty-two bytes length";
	struct card *c = card_new(5);
	char error[256];
	struct stat st;

	(void)state;
	assert_int_equal(stat(c->store, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* In use by another card, in this process ... */
	assert_int_equal(try_open(c, error), -EBUSY);
	/* ... and in another one. */
	pid_t pid = fork();

	if (!pid)
		_exit(try_open(c, error) == -EBUSY ? 0 : 1);
	int status;

	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	/* The card is not disturbed by that. */
	assert_ok(card_hsm_init(c, "hsm", SO_PIN));
	off(c);
	c->config.serial = 6;
	assert_int_equal(try_open(c, error), -EBADMSG);
	assert_non_null(strstr(error, "serial 5"));
	c->config.serial = 5;
	c->config.master_key = key;
	assert_int_equal(try_open(c, error), -EBADMSG);
	assert_non_null(strstr(error, "its own master key"));
	c->config.master_key = NULL;
	assert_int_equal(try_open(c, error), 0);
	/* A new one, with a key */
	unlink(c->store);
	c->config.master_key = key;
	on(c);
	assert_ok(card_hsm_init(c, "hsm", SO_PIN));
	card_power_cycle(c);
	assert_ok(card_login(c, 0, CTX_SO, PCIEHSM_ROLE_SO, SO_PIN));
	off(c);
	key[31] ^= 1;
	assert_int_equal(try_open(c, error), -EBADMSG);
	assert_non_null(strstr(error, "wrong master key"));
	c->config.master_key = NULL;
	assert_int_equal(try_open(c, error), -EBADMSG);
	assert_non_null(strstr(error, "sealed with a master key"));
	c->config.master_key = key;
	key[31] ^= 1;
	on(c);
	card_free(c);
}

static void write_file(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

static void test_not_a_store(void **state)
{
	struct card *c = card_new(5);
	char error[256], text[4096];
	sqlite3 *db;

	(void)state;
	off(c);
	memset(text, 'x', sizeof(text));
	write_file(c->store, text, sizeof(text));
	assert_int_equal(try_open(c, error), -EBADMSG);
	unlink(c->store);
	assert_int_equal(sqlite3_open(c->store, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "CREATE TABLE t (a)", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(try_open(c, error), -EBADMSG);
	assert_non_null(strstr(error, "not the store of an HSM"));
	/* An empty file is a blank store. */
	write_file(c->store, "", 0);
	assert_int_equal(try_open(c, error), 0);
	assert_int_equal(sqlite3_open(c->store, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(try_open(c, error), -EBADMSG);
	assert_non_null(strstr(error, "format 99"));
	unlink(c->store);
	on(c);
	card_free(c);
}

/* Runs SQL on a store that is switched off. */
static void sql(struct card *c, const char *text)
{
	char *error = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(c->store, &db), SQLITE_OK);
	if (sqlite3_exec(db, text, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s: %s", text, error);
	sqlite3_close(db);
}

static void copy_file(const char *from, const char *to)
{
	char command[400];

	snprintf(command, sizeof(command), "cp '%s' '%s'", from, to);
	assert_int_equal(system(command), 0);
}

static void test_changed_rows(void **state)
{
	static const char *const tricks[] = {
		"DELETE FROM object WHERE ouid = x'4F554944000000000000000000000002'",
		"UPDATE object SET sealed = (SELECT sealed FROM object WHERE ouid = "
		"x'4F554944000000000000000000000002') WHERE ouid = "
		"x'4F554944000000000000000000000001'",
		"UPDATE object SET counter = 9 WHERE ouid = x'4F554944000000000000000000000001'",
		"UPDATE object SET deleted = 1 WHERE ouid = x'4F554944000000000000000000000001'",
		"UPDATE object SET id = id + (1 << 40)",
		"UPDATE object SET seq = seq + 10",
		"UPDATE object SET ouid = x'00' WHERE counter = 1",
		"UPDATE record SET counter = counter + 1 WHERE number = 100",
		"UPDATE record SET sealed = x'0102' WHERE number = 100",
		"UPDATE record SET sealed = (SELECT sealed FROM record WHERE number = 0) "
		"WHERE number = 100",
		"DELETE FROM record WHERE number = 100",
		"DELETE FROM record WHERE number = 0",
		"DELETE FROM record WHERE number = -1",
		"DELETE FROM record",
		"DELETE FROM meta WHERE name = 'check'",
		"INSERT INTO record SELECT 5, counter, sealed FROM record WHERE number = 100",
		"DROP TABLE object",
	};
	struct card *c = card_ready(5, DOMAIN);
	char good[200], error[256];

	(void)state;
	for (unsigned int i = 1; i <= 4; i++)
		assert_ok(card_data(c, CTX_CO, i, "some object", true));
	assert_ok(card_destroy(c, CTX_CO, 4, 0));
	off(c);
	snprintf(good, sizeof(good), "%s.good", c->store);
	copy_file(c->store, good);
	for (size_t i = 0; i < sizeof(tricks) / sizeof(tricks[0]); i++) {
		sql(c, tricks[i]);
		if (try_open(c, error) != -EBADMSG)
			fail_msg("not noticed: %s", tricks[i]);
		copy_file(good, c->store);
	}
	on(c);
	card_free(c);
}

/* Rows of an older copy of the same store, each by itself */
static void test_rolled_back_rows(void **state)
{
	struct card *c = card_ready(5, DOMAIN);
	char old[200], new[200], error[256], text[600];
	static const char *const tricks[] = {
		/* an object as it was before it was changed */
		"REPLACE INTO object SELECT * FROM old.object WHERE ouid = "
		"x'4F554944000000000000000000000001'",
		/* one that was destroyed */
		"REPLACE INTO object SELECT * FROM old.object WHERE ouid = "
		"x'4F554944000000000000000000000002'",
		/* the partition's record: failed attempts undone */
		"REPLACE INTO record SELECT * FROM old.record WHERE number = 100",
		/* the HSM's */
		"REPLACE INTO record SELECT * FROM old.record WHERE number = 0",
		"REPLACE INTO record SELECT * FROM old.record WHERE number = -1",
		/* the partition with all its objects */
		"REPLACE INTO record SELECT * FROM old.record WHERE number = 100;"
		"DELETE FROM object; INSERT INTO object SELECT * FROM old.object",
	};

	(void)state;
	assert_ok(card_data(c, CTX_CO, 1, "first", true));
	assert_ok(card_data(c, CTX_CO, 2, "second", true));
	off(c);
	snprintf(old, sizeof(old), "%s.old", c->store);
	snprintf(new, sizeof(new), "%s.new", c->store);
	copy_file(c->store, old);
	on(c);
	assert_ok(card_login(c, c->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
	assert_ok(card_set_text(c, CTX_CO, 1, CKA_LABEL, "later"));
	assert_ok(card_destroy(c, CTX_CO, 2, 0));
	assert_rv(card_login(c, c->part, 20, PCIEHSM_ROLE_CO, "wrong-password"),
		  CKR_PIN_INCORRECT);
	off(c);
	copy_file(c->store, new);
	for (size_t i = 0; i < sizeof(tricks) / sizeof(tricks[0]); i++) {
		snprintf(text, sizeof(text), "ATTACH '%s' AS old; %s", old, tricks[i]);
		sql(c, text);
		if (try_open(c, error) != -EBADMSG)
			fail_msg("not noticed: %s", tricks[i]);
		copy_file(new, c->store);
	}
	on(c);
	card_free(c);
}

static uint32_t collect(struct card *c)
{
	struct fwmsg m;
	uint32_t count;

	fwmsg_begin(&m, PCIEHSM_OP_TOMBSTONES_COLLECT, 0);
	fwmsg_bytes(&m, PCIEHSM_F_SERIALS, NULL, 0);
	assert_ok(fwmsg_run(&m, c->fw, c->part, CTX_CO));
	count = fwmsg_get_u32(&m, PCIEHSM_F_TOMBSTONES);
	fwmsg_free(&m);
	return count;
}

/* Object 77 is what it was in an older copy of the store: the card is not switched on. */
static void swap_row(struct card *c, const char *old)
{
	char text[600], error[256], now[200];

	off(c);
	snprintf(now, sizeof(now), "%s.now", c->store);
	copy_file(c->store, now);
	snprintf(text, sizeof(text), "ATTACH '%s' AS old; "
		 "DELETE FROM object WHERE ouid = x'4F55494400000000000000000000004D';"
		 "REPLACE INTO object SELECT * FROM old.object WHERE "
		 "ouid = x'4F55494400000000000000000000004D'", old);
	sql(c, text);
	if (try_open(c, error) != -EBADMSG)
		fail_msg("an older key was taken for the one that there is now");
	copy_file(now, c->store);
	on(c);
	assert_ok(card_login(c, c->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
}

/*
 * A name that is free again, after its tombstone went or everything did, and is given to
 * another key: same OUID, same version, but not the row of before.
 */
static void names_come_back(struct card *c)
{
	static const uint8_t first[16] = "the first secret", second[16] = "another secret !";
	uint8_t before[PCIEHSM_DIGEST_LEN], after[PCIEHSM_DIGEST_LEN];
	char old[200];

	collect(c);
	assert_ok(card_aes(c, CTX_CO, 77, first, 16, false));
	card_digest(c, before);
	off(c);
	snprintf(old, sizeof(old), "%s.old", c->store);
	copy_file(c->store, old);
	on(c);
	assert_ok(card_login(c, c->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
	assert_ok(card_destroy(c, CTX_CO, 77, 0));
	assert_int_equal(collect(c), 1);
	assert_ok(card_aes(c, CTX_CO, 77, second, 16, false));
	card_digest(c, after);
	/* As far as peers are told, it is the same. */
	assert_memory_equal(before, after, sizeof(after));
	swap_row(c, old);
	/* To turn this policy on destroys everything; the roles stay. */
	assert_ok(card_login(c, c->part, CTX_PO, PCIEHSM_ROLE_PO, PO_PIN));
	assert_ok(card_policy(c, c->part, CTX_PO, 11, 0));
	assert_ok(card_policy(c, c->part, CTX_PO, 11, 1));
	assert_ok(card_login(c, c->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
	assert_ok(card_aes(c, CTX_CO, 77, second, 16, false));
	swap_row(c, old);
	card_free(c);
}

static void test_names_come_back(void **state)
{
	(void)state;
	names_come_back(card_ready(5, DOMAIN));
}

static void test_damaged_file(void **state)
{
	struct card *c = card_ready(5, DOMAIN);
	char good[200], error[256];
	struct stat st;
	uint8_t byte;
	int fd, ret;

	(void)state;
	for (unsigned int i = 1; i <= 40; i++)
		assert_ok(card_data(c, CTX_CO, i, "some object", true));
	off(c);
	snprintf(good, sizeof(good), "%s.good", c->store);
	copy_file(c->store, good);
	assert_int_equal(stat(good, &st), 0);
	/* Cut short, and flipped bits all over: an error or, in free space, no harm. */
	for (off_t len = 100; len < st.st_size; len += 5000) {
		assert_int_equal(truncate(c->store, len), 0);
		assert_int_equal(try_open(c, error), -EBADMSG);
		copy_file(good, c->store);
	}
	srandom(2);
	for (unsigned int i = 0; i < 150; i++) {
		off_t at = random() % st.st_size;

		fd = open(c->store, O_RDWR);
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte ^= (uint8_t)(1U << random() % 8);
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		close(fd);
		ret = try_open(c, error);
		assert_true(ret == 0 || ret == -EBADMSG || ret == -EIO);
		copy_file(good, c->store);
	}
	on(c);
	assert_ok(card_login(c, c->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
	card_free(c);
}

static void test_nothing_readable(void **state)
{
	struct card *c = card_ready(5, DOMAIN);
	static const uint8_t key[32] = "the key that is in no file there";
	static const char *const words[] = { "the key that is", "a label to look for", CO_PIN,
					     DOMAIN };
	char path[200], *data;
	struct stat st;

	(void)state;
	assert_ok(card_aes(c, CTX_CO, 1, key, 32, true));
	assert_ok(card_data(c, CTX_CO, 2, "a label to look for", true));
	for (unsigned int file = 0; file < 2; file++) {
		snprintf(path, sizeof(path), "%s%s", c->store, file ? "-wal" : "");
		int fd = open(path, O_RDONLY);

		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &st), 0);
		data = malloc((size_t)st.st_size + 1);
		assert_int_equal(read(fd, data, (size_t)st.st_size), st.st_size);
		close(fd);
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			assert_null(memmem(data, (size_t)st.st_size, words[i], strlen(words[i])));
		free(data);
	}
	card_free(c);
}

/* ---- ends of the process ---- */

static void pump(struct card *c, int out, uint32_t from)
{
	on(c);
	assert_ok(card_login(c, c->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
	for (uint32_t n = from;; n += 3) {
		/* A pair, a change and a deletion; each told when it was answered. */
		assert_ok(card_ec(c, CTX_CO, n, "pair", true));
		assert_int_equal(write(out, &n, 4), 4);
		assert_ok(card_data(c, CTX_CO, n + 2, "short-lived", true));
		assert_ok(card_destroy(c, CTX_CO, n + 2, 0));
	}
}

static void test_killed(void **state)
{
	struct card *c = card_ready(5, DOMAIN);
	uint32_t n, told = 0, acked = 1;
	unsigned int count;
	uint8_t value[16];
	size_t len;
	int fds[2];

	(void)state;
	off(c);
	c->config.durable = true;
	srandom(3);
	for (unsigned int round = 0; round < 25; round++) {
		assert_int_equal(pipe(fds), 0);
		fflush(NULL);
		pid_t pid = fork();

		if (!pid) {
			close(fds[0]);
			pump(c, fds[1], acked);
			_exit(0);
		}
		close(fds[1]);
		/* At a moment that is nowhere in particular, but not before it works. */
		assert_int_equal(read(fds[0], &n, 4), 4);
		acked = n + 3;
		told++;
		usleep((useconds_t)(random() % 40000));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		while (read(fds[0], &n, 4) == 4) {
			acked = n + 3;
			told++;
		}
		close(fds[0]);
		on(c);
		assert_ok(card_login(c, c->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
		/* What was answered is there. */
		for (n = 1; n < acked; n += 3)
			for (uint32_t half = 0; half < 2; half++) {
				len = sizeof(value);
				assert_ok(card_get(c, CTX_CO, n + half, CKA_CLASS, value, &len));
			}
		/* What was not is there as a whole or not at all. */
		assert_ok(card_find(c, CTX_CO, "pair", &count, NULL));
		assert_int_equal(count % 2, 0);
		assert_in_range(count, (acked - 1) / 3 * 2, (acked - 1) / 3 * 2 + 2);
		if (count > (acked - 1) / 3 * 2)
			acked += 3;
		off(c);
	}
	assert_true(told >= 25);
	print_message("# %u pairs answered, process killed 25 times\n", told);
	on(c);
	card_free(c);
}

/* An attempt counts although the power fails before the password was looked at. */
static void test_killed_while_checking(void **state)
{
	struct card *c = card_ready(5, DOMAIN);
	struct fwmsg m;
	char wal[160];
	struct stat st, now;
	int status;

	(void)state;
	off(c);
	c->config.durable = true;
	c->config.pin_iterations = 3000000;
	on(c);
	assert_ok(card_login(c, c->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
	/* From now on a check of this password takes a second or so. */
	assert_ok(card_set_pin(c, c->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN, "slow-password"));
	off(c);
	fflush(NULL);
	pid_t pid = fork();

	if (!pid) {
		on(c);
		kill(getpid(), SIGSTOP);
		card_login(c, c->part, 20, PCIEHSM_ROLE_CO, "wrong-password");
		_exit(1);
	}
	waitpid(pid, &status, WUNTRACED);
	assert_true(WIFSTOPPED(status));
	snprintf(wal, sizeof(wal), "%s-wal", c->store);
	assert_int_equal(stat(wal, &st), 0);
	kill(pid, SIGCONT);
	do {
		usleep(1000);
		assert_int_equal(stat(wal, &now), 0);
	} while (now.st_mtim.tv_sec == st.st_mtim.tv_sec &&
		 now.st_mtim.tv_nsec == st.st_mtim.tv_nsec && waitpid(pid, NULL, WNOHANG) == 0);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	assert_true(WIFSIGNALED(status));
	on(c);
	fwmsg_begin(&m, PCIEHSM_OP_ROLE_INFO, 0);
	assert_ok(fwmsg_run(&m, c->fw, c->part, 20));
	const uint8_t *p = fwmsg_get(&m, PCIEHSM_F_ROLES, NULL);
	uint32_t v[4];

	memcpy(v, p + 16, 16);
	assert_int_equal(v[0], PCIEHSM_ROLE_CO);
	assert_int_equal(v[2], 9);
	fwmsg_free(&m);
	card_free(c);
}

static void test_full_disk(void **state)
{
	struct card *c = card_ready(5, DOMAIN);
	struct rlimit before, tight;
	uint8_t digest[32], after[32], value[16];
	unsigned long rv;
	size_t len;
	uint32_t n = 1;
	struct stat st;
	char wal[160];

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	snprintf(wal, sizeof(wal), "%s-wal", c->store);
	assert_int_equal(stat(wal, &st), 0);
	getrlimit(RLIMIT_FSIZE, &before);
	tight = before;
	tight.rlim_cur = (rlim_t)st.st_size + 60000;
	setrlimit(RLIMIT_FSIZE, &tight);
	do {
		card_digest(c, digest);
		rv = card_data(c, CTX_CO, n++, "fill it up", true);
	} while (rv == CKR_OK && n < 1000);
	assert_rv(rv, PCIEHSM_CKR_STORE);
	/* Nothing happened, in memory either. */
	card_digest(c, after);
	assert_memory_equal(digest, after, 32);
	len = sizeof(value);
	assert_rv(card_get(c, CTX_CO, n - 1, CKA_CLASS, value, &len), CKR_OBJECT_HANDLE_INVALID);
	assert_rv(card_destroy(c, CTX_CO, 1, 0), PCIEHSM_CKR_STORE);
	assert_ok(card_get(c, CTX_CO, 1, CKA_CLASS, value, &len));
	setrlimit(RLIMIT_FSIZE, &before);
	/* There is room again. */
	assert_ok(card_data(c, CTX_CO, n - 1, "fill it up", true));
	card_digest(c, digest);
	card_power_cycle(c);
	card_digest(c, after);
	assert_memory_equal(digest, after, 32);
	card_free(c);
}

static void test_memory_store(void **state)
{
	struct hsm_fw_config config = { .store = ":memory:", .serial = 1, .partition_base = 1 };
	struct hsm_fw *a, *b;
	char error[256];

	(void)state;
	assert_int_equal(hsm_fw_open(&config, &a, error, sizeof(error)), 0);
	assert_int_equal(hsm_fw_open(&config, &b, error, sizeof(error)), 0);
	hsm_fw_close(a);
	hsm_fw_close(b);
	hsm_fw_close(NULL);
}

/*
 * A store that an older firmware wrote (the card as card_ready() makes it, data object 1, a
 * pair at 10, object 2 deleted) is brought to the present format, once.
 */
static struct card *open_older(uint64_t serial, const char *store)
{
	struct card *c = card_new(serial);
	static uint8_t data[1 << 20];
	unsigned int n, round;
	uint8_t sig[80];
	size_t len;
	FILE *f;

	hsm_fw_close(c->fw);
	unlink(c->store);
	f = fopen(store, "rb");
	assert_non_null(f);
	len = fread(data, 1, sizeof(data), f);
	assert_true(len > 4096 && len < sizeof(data));
	fclose(f);
	f = fopen(c->store, "wb");
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
	assert_int_equal(hsm_fw_open(&c->config, &c->fw, (char *)data, 256), 0);
	c->part = 100;
	for (round = 0; round < 2; round++) {
		assert_ok(card_login(c, c->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
		assert_ok(card_find(c, CTX_CO, NULL, &n, NULL));
		assert_int_equal(n, 3 + round);
		assert_rv(card_data(c, CTX_CO, 2, "two", true), PCIEHSM_CKR_OBJECT_DELETED);
		len = sizeof(sig);
		assert_ok(card_sign(c, CTX_CO, 11, CKM_ECDSA, "32 bytes, as long as SHA-256 is.", 32,
				    sig, &len));
		assert_ok(card_data(c, CTX_CO, 3, "new", true));
		card_power_cycle(c);
	}
	return c;
}

static void test_first_format(void **state)
{
	(void)state;
	card_free(open_older(7000, STORE_1));
}

/* What could not be told of the older formats can once it was brought to the present one. */
static void test_names_after_migration(void **state)
{
	static const struct {
		uint64_t	serial;
		const char	*store;
	} older[] = { { 7000, STORE_1 }, { 7002, STORE_2 } };
	struct card *c;
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		c = open_older(older[i].serial, older[i].store);
		assert_ok(card_login(c, c->part, CTX_CO, PCIEHSM_ROLE_CO, CO_PIN));
		names_come_back(c);
	}
}

/* One wrong password of the CU; no role knew of a challenge, and policy 15 was on. */
static void test_second_format(void **state)
{
	struct card *c = open_older(7002, STORE_2);
	struct pciehsm_role_info role;
	struct pciehsm_policy policy;
	const uint8_t *p;
	struct fwmsg m;
	size_t len;

	(void)state;
	fwmsg_begin(&m, PCIEHSM_OP_ROLE_INFO, 0);
	assert_ok(fwmsg_run(&m, c->fw, c->part, 20));
	p = fwmsg_get(&m, PCIEHSM_F_ROLES, &len);
	for (; len; len -= sizeof(role), p += sizeof(role)) {
		memcpy(&role, p, sizeof(role));
		assert_int_equal(role.flags & (PCIEHSM_ROLE_CHALLENGE_FLAG |
					       PCIEHSM_ROLE_ACTIVATED_FLAG), 0);
		assert_int_equal(role.attempts, role.role == PCIEHSM_ROLE_CU ? 9 : 10);
	}
	fwmsg_free(&m);
	fwmsg_begin(&m, PCIEHSM_OP_POLICY_GET, 0);
	assert_ok(fwmsg_run(&m, c->fw, c->part, 20));
	p = fwmsg_get(&m, PCIEHSM_F_POLICIES, &len);
	for (; len; len -= sizeof(policy), p += sizeof(policy)) {
		memcpy(&policy, p, sizeof(policy));
		if (policy.id == 15 || policy.id == 22 || policy.id == 23)
			assert_int_equal(policy.value, 0);
	}
	fwmsg_free(&m);
	/* And it can have what there was not. */
	assert_ok(card_login(c, c->part, CTX_PO, PCIEHSM_ROLE_PO, PO_PIN));
	assert_ok(card_policy(c, c->part, CTX_PO, 22, 1));
	assert_ok(card_set_challenge(c, c->part, 20, PCIEHSM_ROLE_CU, CU_PIN, "a challenge"));
	card_power_cycle(c);
	assert_ok(card_login(c, c->part, 20, PCIEHSM_ROLE_CU, CU_PIN));
	assert_ok(card_login(c, c->part, 21, PCIEHSM_ROLE_CU, "a challenge"));
	card_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_not_a_store),
		cmocka_unit_test(test_changed_rows),
		cmocka_unit_test(test_rolled_back_rows),
		cmocka_unit_test(test_names_come_back),
		cmocka_unit_test(test_damaged_file),
		cmocka_unit_test(test_nothing_readable),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_killed_while_checking),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_memory_store),
		cmocka_unit_test(test_first_format),
		cmocka_unit_test(test_names_after_migration),
		cmocka_unit_test(test_second_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
