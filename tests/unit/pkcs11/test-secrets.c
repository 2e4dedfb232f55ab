// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a process still holds of a password, a key or a text when the call that it was for has
 * returned: its memory is searched as a debugger or a core dump would show it. The firmware is
 * in this process, too, so the same holds for it.
 *
 * A secret is never in the test's own memory but for the call: it is kept inverted, and
 * memory is compared with that.
 */
#include "fixture.h"

#include <fcntl.h>
#include <unistd.h>

#define SECRET_LEN	32U
#define CHUNK		(1U << 20)

/* Inverted; the first bytes tell the secrets apart, the rest is nothing that occurs. */
struct secret {
	uint8_t	inverted[SECRET_LEN];
};

static struct secret made(uint8_t number)
{
	struct secret s;
	unsigned int i;

	for (i = 0; i < SECRET_LEN; i++)
		/* Printable, for passwords: '!' to '`' */
		s.inverted[i] = (uint8_t)~('!' + (number * 29U + i * 37U + i * i * number) % 64U);
	return s;
}

static void reveal(const struct secret *s, uint8_t *to)
{
	unsigned int i;

	for (i = 0; i < SECRET_LEN; i++)
		to[i] = (uint8_t)~s->inverted[i];
}

static void wipe(void *p, size_t len)
{
	explicit_bzero(p, len);
}

/**
 * struct copies - where a secret was found
 * @dumped:	in memory that goes into a core dump
 * @kept:	in memory that is left out of it and locked
 * @where:	the first of @dumped
 */
struct copies {
	unsigned int	dumped;
	unsigned int	kept;
	char		where[256];
};

static uint8_t chunk[CHUNK + SECRET_LEN];

static bool is_at(const uint8_t *p, const struct secret *s)
{
	unsigned int i;

	for (i = 0; i < SECRET_LEN; i++)
		if ((p[i] ^ s->inverted[i]) != 0xff)
			return false;
	return true;
}

static void search_mapping(int memory, const char *line, bool dumped, const struct secret *s,
			   struct copies *copies)
{
	unsigned long from, to, at;
	ssize_t len;
	size_t i;

	if (sscanf(line, "%lx-%lx", &from, &to) != 2)
		return;
	for (at = from; at < to; at += CHUNK) {
		size_t want = to - at < sizeof(chunk) ? to - at : sizeof(chunk);

		len = pread(memory, chunk, want, (off_t)at);
		for (i = 0; len > 0 && i + SECRET_LEN <= (size_t)len; i++) {
			/* What was read to be searched is no copy of theirs. */
			if (at + i >= (uintptr_t)chunk && at + i < (uintptr_t)chunk + sizeof(chunk))
				continue;
			if (!is_at(chunk + i, s))
				continue;
			if (!dumped)
				copies->kept++;
			else if (!copies->dumped++)
				snprintf(copies->where, sizeof(copies->where), "%#lx of %s", at + i,
					 line);
		}
	}
	wipe(chunk, sizeof(chunk));
}

static struct copies search(const struct secret *s)
{
	FILE *maps = fopen("/proc/self/smaps", "r");
	int memory = open("/proc/self/mem", O_RDONLY);
	struct copies copies = { 0 };
	char line[512], mapping[512] = "";

	assert_non_null(maps);
	assert_true(memory >= 0);
	while (fgets(line, sizeof(line), maps)) {
		unsigned long from, to;
		char access[5];

		if (sscanf(line, "%lx-%lx %4s", &from, &to, access) == 3)
			snprintf(mapping, sizeof(mapping), "%s", access[0] == 'r' ? line : "");
		else if (!strncmp(line, "VmFlags:", 8) && mapping[0])
			search_mapping(memory, mapping, !(strstr(line, " dd") && strstr(line, " lo")), s,
				       &copies);
	}
	close(memory);
	fclose(maps);
	return copies;
}

/* @plain: so many are in plain memory, @kept: so many at most are kept out of core dumps. */
static void has_copies(const struct secret *s, unsigned int plain, unsigned int kept,
		       const char *what)
{
	struct copies copies = search(s);

	if (copies.dumped > plain || copies.kept > kept)
		fail_msg("%s: %u copies in plain memory, %u that are kept; %s", what, copies.dumped,
			 copies.kept, copies.where);
}

static void is_gone(const struct secret *s, const char *what)
{
	has_copies(s, 0, 0, what);
}

/* A key that lives is in the memory of each card that has it, which is this process's here. */
static void is_in_cards_alone(const struct secret *s, const char *what)
{
	unsigned int cards = slot == GROUP_SLOT ? 2 : 1;

	has_copies(s, cards, cards, what);
}

/* The password that somebody is logged in with is kept to log in members that come later. */
static void is_kept(const struct secret *s, const char *what)
{
	has_copies(s, 0, 1, what);
}

/* The search itself: it finds what there is. */
static void the_search_finds(void **state)
{
	struct secret s = made(1);
	uint8_t *copy = malloc(SECRET_LEN);

	(void)state;
	assert_int_equal(search(&s).dumped, 0);
	reveal(&s, copy);
	assert_int_equal(search(&s).dumped, 1);
	wipe(copy, SECRET_LEN);
	free(copy);
	is_gone(&s, "a copy of the test's own");
}

static CK_RV with_pin(CK_SESSION_HANDLE s, const struct secret *pin, bool user)
{
	uint8_t text[SECRET_LEN];
	CK_RV rv;

	reveal(pin, text);
	rv = user ? p11->C_Login(s, CKU_USER, text, sizeof(text)) :
	     p11->C_SetPIN(s, (CK_UTF8CHAR *)CO_PIN, strlen(CO_PIN), text, sizeof(text));
	wipe(text, sizeof(text));
	return rv;
}

static void passwords(void **state)
{
	struct secret pin = made(2), wrong = made(3);
	uint8_t text[SECRET_LEN];
	CK_SESSION_HANDLE s = login();

	(void)state;
	OK(with_pin(s, &pin, false));
	is_kept(&pin, "C_SetPIN");
	OK(p11->C_Logout(s));
	is_gone(&pin, "C_SetPIN and C_Logout");
	IS(CKR_PIN_INCORRECT, with_pin(s, &wrong, true));
	is_gone(&wrong, "C_Login with a wrong password");
	OK(with_pin(s, &pin, true));
	is_kept(&pin, "C_Login");
	reveal(&pin, text);
	OK(p11->C_SetPIN(s, text, sizeof(text), (CK_UTF8CHAR *)CO_PIN, strlen(CO_PIN)));
	wipe(text, sizeof(text));
	is_gone(&pin, "C_SetPIN to another");
	OK(p11->C_CloseAllSessions(slot));
	is_gone(&pin, "C_CloseAllSessions");
}

static CK_OBJECT_HANDLE key_of(CK_SESSION_HANDLE s, const struct secret *value, bool mac)
{
	uint8_t bytes[SECRET_LEN];
	CK_OBJECT_HANDLE key;

	reveal(value, bytes);
	key = mac ? mac_key_of(s, bytes, sizeof(bytes)) : aes_key_of(s, bytes, sizeof(bytes));
	wipe(bytes, sizeof(bytes));
	return key;
}

/* Whatever is done with a key, its value is where keys are kept and nowhere else. */
static void keys(void **state)
{
	struct secret aes = made(4), mac = made(5);
	CK_BYTE iv[12] = { 0 }, out[64], back[64], in[16] = "in";
	CK_GCM_PARAMS p = { iv, 12, 96, NULL, 0, 128 };
	CK_MECHANISM gcm = { CKM_AES_GCM, &p, sizeof(p) }, hmac = { CKM_SHA256_HMAC, NULL, 0 };
	CK_SESSION_HANDLE s = login();
	CK_OBJECT_HANDLE key, mac_key;
	CK_ULONG len;

	(void)state;
	key = key_of(s, &aes, false);
	mac_key = key_of(s, &mac, true);
	is_in_cards_alone(&aes, "C_CreateObject");
	is_in_cards_alone(&mac, "C_CreateObject of a secret for MACs");
	len = sizeof(out);
	OK(p11->C_EncryptInit(s, &gcm, key));
	OK(p11->C_Encrypt(s, in, sizeof(in), out, &len));
	OK(p11->C_DecryptInit(s, &gcm, key));
	OK(p11->C_Decrypt(s, out, len, back, &(CK_ULONG){ sizeof(back) }));
	len = sizeof(out);
	OK(p11->C_SignInit(s, &hmac, mac_key));
	OK(p11->C_Sign(s, in, sizeof(in), out, &len));
	OK(p11->C_DestroyObject(s, key));
	OK(p11->C_DestroyObject(s, mac_key));
	OK(p11->C_CloseAllSessions(slot));
	is_gone(&aes, "C_DestroyObject");
	is_gone(&mac, "C_DestroyObject of a secret for MACs");
}

/* A key that may leave the card in the clear, and one that comes wrapped */
static void values_that_travel(void **state)
{
	struct secret value = made(6);
	CK_BYTE iv[16] = { 0 }, out[64], wrapped[64], bytes[SECRET_LEN];
	CK_MECHANISM cbc = { CKM_AES_CBC_PAD, iv, sizeof(iv) };
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_GENERIC_SECRET;
	CK_ATTRIBUTE t[] = {
		ATTR(CKA_CLASS, class), ATTR(CKA_KEY_TYPE, type), ATTR(CKA_EXTRACTABLE, yes),
		ATTR(CKA_SENSITIVE, no), ATTR(CKA_VALUE, bytes),
	};
	CK_ATTRIBUTE get = ATTR(CKA_VALUE, out);
	CK_ATTRIBUTE use[] = { ATTR(CKA_WRAP, yes), ATTR(CKA_UNWRAP, yes) };
	CK_SESSION_HANDLE s = login();
	CK_OBJECT_HANDLE key, wrapping = aes_key(s, 32), back;
	CK_ULONG len = sizeof(wrapped);

	(void)state;
	OK(p11->C_SetAttributeValue(s, wrapping, use, 2));
	reveal(&value, bytes);
	OK(p11->C_CreateObject(s, t, 5, &key));
	wipe(bytes, sizeof(bytes));
	OK(p11->C_GetAttributeValue(s, key, &get, 1));
	assert_true(is_at(out, &value));
	wipe(out, sizeof(out));
	is_in_cards_alone(&value, "C_GetAttributeValue");
	OK(p11->C_WrapKey(s, &cbc, wrapping, key, wrapped, &len));
	OK(p11->C_DestroyObject(s, key));
	is_gone(&value, "C_WrapKey");
	OK(p11->C_UnwrapKey(s, &cbc, wrapping, wrapped, len, t, 4, &back));
	is_in_cards_alone(&value, "C_UnwrapKey");
	OK(p11->C_DestroyObject(s, back));
	OK(p11->C_CloseAllSessions(slot));
	is_gone(&value, "C_DestroyObject");
}

/* In one part, in several that are kept here, and in several that the card keeps */
static void texts(void **state)
{
	static const size_t lengths[] = { 100, 100000 };
	struct secret text = made(7);
	CK_BYTE iv[16] = { 0 }, sig[64];
	CK_MECHANISM cbc = { CKM_AES_CBC_PAD, iv, sizeof(iv) };
	CK_MECHANISM sign = { CKM_SHA256_HMAC, NULL, 0 }, digest = { CKM_SHA256, NULL, 0 };
	CK_SESSION_HANDLE s = login();
	CK_OBJECT_HANDLE key = aes_key(s, 32), mac = mac_key_of(s, "of no account", 13);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		size_t n = lengths[i];
		uint8_t *in = calloc(1, n), *out = malloc(n + 32), *back = malloc(n + 32);
		CK_ULONG len = n + 32, more = 32;

		reveal(&text, in + n / 2);
		OK(p11->C_EncryptInit(s, &cbc, key));
		OK(p11->C_Encrypt(s, in, n, out, &len));
		OK(p11->C_EncryptInit(s, &cbc, key));
		len = n + 32;
		OK(p11->C_EncryptUpdate(s, in, n, out, &len));
		more = n + 32 - len;
		OK(p11->C_EncryptFinal(s, out + len, &more));
		len += more;
		OK(p11->C_DigestInit(s, &digest));
		OK(p11->C_DigestUpdate(s, in, n));
		OK(p11->C_DigestFinal(s, sig, &(CK_ULONG){ sizeof(sig) }));
		OK(p11->C_SignInit(s, &sign, mac));
		OK(p11->C_SignUpdate(s, in, n / 2 + 8));
		OK(p11->C_SignUpdate(s, in + n / 2 + 8, n - n / 2 - 8));
		OK(p11->C_SignFinal(s, sig, &(CK_ULONG){ sizeof(sig) }));
		/* An operation that is given up */
		OK(p11->C_SignInit(s, &sign, mac));
		OK(p11->C_SignUpdate(s, in, n));
		wipe(in, n);
		IS(CKR_ARGUMENTS_BAD, p11->C_SignUpdate(s, NULL, 1));
		is_gone(&text, "encrypting, digesting and signing");

		more = n + 32;
		OK(p11->C_DecryptInit(s, &cbc, key));
		OK(p11->C_Decrypt(s, out, len, back, &more));
		assert_true(is_at(back + n / 2, &text));
		wipe(back, n + 32);
		is_gone(&text, "decrypting");
		free(in);
		free(out);
		free(back);
	}
	OK(p11->C_CloseAllSessions(slot));
	is_gone(&text, "texts");
}

/* Random bytes that were given are the caller's alone, a few at a time as well as many. */
static void random_bytes(void **state)
{
	CK_SESSION_HANDLE s = login();
	struct secret given;
	uint8_t out[1024];
	unsigned int i, k;

	(void)state;
	for (i = 0; i < 4; i++) {
		OK(p11->C_GenerateRandom(s, out, i < 3 ? SECRET_LEN : sizeof(out)));
		for (k = 0; k < SECRET_LEN; k++)
			given.inverted[k] = (uint8_t)~out[k];
		wipe(out, sizeof(out));
		is_gone(&given, "C_GenerateRandom");
	}
	OK(p11->C_CloseAllSessions(slot));
}

#define IN_MODULE(f) cmocka_unit_test_setup_teardown(f, with_module, without_module)

int main(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	/* A sanitizer has terabytes of its own mapped. */
	puts("1..0 # SKIP memory is not searched under a sanitizer");
	return 0;
#endif
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_search_finds),
		IN_MODULE(passwords),
		IN_MODULE(keys),
		IN_MODULE(values_that_travel),
		IN_MODULE(texts),
		IN_MODULE(random_bytes),
	};

	return FIXTURE_RUN(tests, true, true);
}
