// SPDX-License-Identifier: GPL-2.0-or-later
#include "util.h"

/* Memory of the tests' own data; given back at exit so that the leak checker sees the rest. */
static void **kept;
static size_t kept_count;

static void keep_free(void)
{
	size_t i;

	for (i = 0; i < kept_count; i++)
		free(kept[i]);
	free(kept);
}

static uint8_t *keep(size_t len)
{
	uint8_t *mem = malloc(len ? len : 1);

	if (!kept)
		atexit(keep_free);
	kept = realloc(kept, (kept_count + 1) * sizeof(*kept));
	if (!mem || !kept)
		abort();
	kept[kept_count++] = mem;
	return mem;
}

void _assert_rv(CK_RV rv, CK_RV want, const char *what, const char *file, int line)
{
	if (rv != want) {
		print_error("%s: 0x%lx, wanted 0x%lx\n", what, rv, want);
		_fail(file, line);
	}
}

struct fw_bytes hex(const char *digits)
{
	uint8_t *mem = keep(strlen(digits) / 2);
	char pair[3] = { 0 };
	size_t len = 0, n = 0;

	for (; *digits; digits++) {
		if (*digits == ' ')
			continue;
		pair[n++] = *digits;
		if (n == 2) {
			char *end;

			mem[len++] = strtoul(pair, &end, 16);
			if (*end)
				fail_msg("not hexadecimal: %s", pair);
			n = 0;
		}
	}
	if (n)
		fail_msg("odd number of digits");
	return BYTES(mem, len);
}

static void print_bytes(const char *what, struct fw_bytes bytes)
{
	size_t i;

	print_error("%s (%zu): ", what, bytes.len);
	for (i = 0; i < bytes.len && i < 300; i++)
		print_error("%02x", bytes.p[i]);
	print_error("\n");
}

void _assert_bytes(struct fw_bytes a, struct fw_bytes b, const char *file, int line)
{
	if (a.len != b.len || (a.len && memcmp(a.p, b.p, a.len))) {
		print_bytes("found ", a);
		print_bytes("wanted", b);
		_fail(file, line);
	}
}

void _assert_hex(struct fw_bytes bytes, const char *digits, const char *file, int line)
{
	_assert_bytes(bytes, hex(digits), file, line);
}

struct fw_bytes pattern(size_t len)
{
	uint8_t *mem = keep(len);
	uint32_t x = 2463534242u;
	size_t i;

	for (i = 0; i < len; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		mem[i] = x;
	}
	return BYTES(mem, len);
}

void put_hex(struct fw_attrs *attrs, CK_ULONG type, const char *digits)
{
	struct fw_bytes bytes = hex(digits);

	assert_ok(fw_attrs_put(attrs, type, bytes.p, bytes.len));
}

struct fw_bytes get(const struct fw_attrs *attrs, CK_ULONG type)
{
	struct fw_bytes value;

	if (!fw_attrs_get(attrs, type, &value))
		fail_msg("no attribute 0x%lx", type);
	return value;
}

uint64_t get_ulong(const struct fw_attrs *attrs, CK_ULONG type)
{
	uint64_t value = 0;

	if (!fw_attrs_get_ulong(attrs, type, &value))
		fail_msg("no number 0x%lx", type);
	return value;
}

void start_key(struct fw_attrs *attrs, CK_ULONG class, CK_ULONG type)
{
	memset(attrs, 0, sizeof(*attrs));
	assert_ok(fw_attrs_put_ulong(attrs, CKA_CLASS, class));
	assert_ok(fw_attrs_put_ulong(attrs, CKA_KEY_TYPE, type));
}

struct fw_key *make_key(struct fw_attrs *attrs)
{
	struct fw_key *key = NULL;

	assert_ok(fw_key_from_attrs(attrs, &key));
	fw_attrs_wipe(attrs);
	return key;
}

struct fw_key *secret_key(CK_ULONG type, struct fw_bytes value)
{
	struct fw_attrs attrs;

	start_key(&attrs, CKO_SECRET_KEY, type);
	assert_ok(fw_attrs_put(&attrs, CKA_VALUE, value.p, value.len));
	return make_key(&attrs);
}

struct fw_key *curve_private(CK_ULONG type, const char *params, const char *value)
{
	struct fw_attrs attrs;

	start_key(&attrs, CKO_PRIVATE_KEY, type);
	put_hex(&attrs, CKA_EC_PARAMS, params);
	put_hex(&attrs, CKA_VALUE, value);
	return make_key(&attrs);
}

struct fw_key *curve_public(CK_ULONG type, const char *params, const char *point)
{
	struct fw_attrs attrs;

	start_key(&attrs, CKO_PUBLIC_KEY, type);
	put_hex(&attrs, CKA_EC_PARAMS, params);
	put_hex(&attrs, CKA_EC_POINT, point);
	return make_key(&attrs);
}

/* Wycheproof, rsa_oaep_2048_sha256_mgf1sha256_test.json */
static const struct {
	CK_ULONG	type;
	const char	*value;
} rsa_parts[] = {
	{ CKA_MODULUS,
	  "a2b451a07d0aa5f96e455671513550514a8a5b462ebef717094fa1fee82224e6"
	  "37f9746d3f7cafd31878d80325b6ef5a1700f65903b469429e89d6eac8845097"
	  "b5ab393189db92512ed8a7711a1253facd20f79c15e8247f3d3e42e46e48c98e"
	  "254a2fe9765313a03eff8f17e1a029397a1fa26a8dce26f490ed81299615d981"
	  "4c22da610428e09c7d9658594266f5c021d0fceca08d945a12be82de4d1ece6b"
	  "4c03145b5d3495d4ed5411eb878daf05fd7afc3e09ada0f1126422f590975a19"
	  "69816f48698bcbba1b4d9cae79d460d8f9f85e7975005d9bc22c4e5ac0f7c1a4"
	  "5d12569a62807d3b9a02e5a530e773066f453d1f5b4c2e9cf7820283f742b9d5" },
	{ CKA_PUBLIC_EXPONENT, "010001" },
	{ CKA_PRIVATE_EXPONENT,
	  "7627eef3567b2a27268e52053ecd31c3a7172ccb9ddcee819b306a5b3c66b757"
	  "3ca4fa88efc6f3c4a00bfa0ae7139f64543a4dac3d05823f6ff477cfcec84fe2"
	  "ac7a68b17204b390232e110310c4e899c4e7c10967db4acde042dbbf19dbe00b"
	  "4b4741de1020aaaaffb5054c797c9f136f7d93ac3fc8caff6654242d7821ebee"
	  "517bf537f44366a0fdd45ae05b9909c2e6cc1ed9281eff4399f76c96b96233ec"
	  "29ae0bbf0d752b234fc197389f51050aa1acd01c074c3ac8fbdb9ea8b651a959"
	  "95e8db4ad5c43b6c8673e5a126e7ee94b8dff4c5afc01259bc8da76950bae6f8"
	  "bae715f50985b0d6f66d04c6fef3b700720eecdcdf171bb7b1ecbe7289c467c1" },
	{ CKA_PRIME_1,
	  "dc431050f782e894fb5248247d98cb7d58b8d1e24f3b55d041c56e4de086b0d5"
	  "bb028bda42eeb5d234d5681e5809d415e6a289ad4cfbf78f978f6c35814f50ee"
	  "bff1c5b80a69f788e81e6bab5ddaa78369d659d143ec6f17e79813a575cfad9c"
	  "569156b90113e2e9110ad9e7b48a1c9348a6e653321191290ea36cfb3a5b18f1" },
	{ CKA_PRIME_2,
	  "bd1a81e7977f9898122273ae3222b598ea5fb19eb4eabc38308a5e32196603b2"
	  "e500ffb79f5b886816611debc472fac45544070beb057c941378a6868af3b7a0"
	  "3d3f9880ec47d5e089b94fbde542aba9ae8d72c57088d7abf5b131f39098f7bc"
	  "160f90536abc9492fd4e06f3ed7299d4b97bb03677207d95669f140cfbc20f25" },
	{ CKA_EXPONENT_1,
	  "a94b528b28f291599121d91952ffd1c7f21d7c1479d99d478885fb161870ee12"
	  "18bf08472612dbe5497e8d9c650688e09c786961ae3e2c354dc48ae34514759c"
	  "4c23c4588488961dc06b414e61c0e1e7fbbd2923d31532fe289f96da220711e5"
	  "8c14019808e00414276933bb07e4efb9b4a9b37656917205209f33f09515d7c1" },
	{ CKA_EXPONENT_2,
	  "3af0e72a933aef09ff2503df78bafed531c02ff1a2bc437c540cdcbd4ad35435"
	  "cf511763596543480629b114ca7f780ff7efa32ea0cb6e000d6d9ea1f2ef71fd"
	  "9cf9948422a165557e37e755edfe70d90b920502eb478bc98a63f788ce3a0f85"
	  "6d6ede7251a383bfa8fa480a81a925af7b3cc538c4bab8c9f7597ffb68011d8d" },
	{ CKA_COEFFICIENT,
	  "2640fbfbcfefb163ee7a87b6483a66ee41f956d90fa8a7939bfc042ee0924b1b"
	  "7993d0445f758d51933e85179c0320b0c968b48a91c38b5be923e1097c0c562f"
	  "88d42294b6a2759bafa5428a74f1270874e45f6fcc60f21602de5eccd143cf31"
	  "241f5921b5ad3983fb54ef17be3b285367e50c999c67247b552fe4bfce945f7b" },
};

void rsa_attrs(CK_ULONG class, struct fw_attrs *attrs)
{
	size_t i;

	start_key(attrs, class, CKK_RSA);
	for (i = 0; i < ARRAY_SIZE(rsa_parts); i++)
		if (class == CKO_PRIVATE_KEY || i < 2)
			put_hex(attrs, rsa_parts[i].type, rsa_parts[i].value);
}

struct fw_key *rsa_key(CK_ULONG class)
{
	struct fw_attrs attrs;

	rsa_attrs(class, &attrs);
	return make_key(&attrs);
}

struct fw_bytes flipped(struct fw_bytes in, size_t at, unsigned int bit)
{
	uint8_t *mem = keep(in.len);

	memcpy(mem, in.p, in.len);
	mem[at] ^= 1u << bit;
	return BYTES(mem, in.len);
}

CK_RV once(enum pciehsm_function fn, CK_ULONG mech, const struct fw_mech_params *p,
	   struct fw_key *key, struct fw_bytes in, struct fw_bytes *result)
{
	size_t bound = 0, len;
	uint8_t *out;
	CK_RV rv;

	*result = NONE;
	rv = fw_op_once(fn, mech, p, key, in.p, in.len, NULL, NULL, &bound);
	if (rv != CKR_OK)
		return rv;
	/* Exactly the bound, so that the sanitizer sees a byte too many. */
	out = keep(bound);
	len = bound;
	rv = fw_op_once(fn, mech, p, key, in.p, in.len, NULL, out, &len);
	if (rv != CKR_OK)
		return rv;
	assert_true(len <= bound);
	*result = BYTES(out, len);
	return CKR_OK;
}

CK_RV parts(enum pciehsm_function fn, CK_ULONG mech, const struct fw_mech_params *p,
	    struct fw_key *key, struct fw_bytes in, const struct fw_bytes *sig, size_t step,
	    struct fw_bytes *result)
{
	/* The longest signature is one of SLH-DSA. */
	uint8_t *out = keep(in.len + 65536);
	size_t done = 0, n, room, need;
	struct fw_op *op = NULL;
	CK_RV rv;

	*result = NONE;
	rv = fw_op_init(fn, mech, p, key, &op);
	while (rv == CKR_OK && in.len) {
		n = in.len < step ? in.len : step;
		need = fw_op_update_bound(op, n);
		if (need) {
			/* Too little room changes nothing. */
			room = need - 1;
			assert_rv(fw_op_update(op, in.p, n, out + done, &room),
				  CKR_BUFFER_TOO_SMALL);
			assert_int_equal(room, need);
		}
		room = need;
		rv = fw_op_update(op, in.p, n, out + done, &room);
		if (rv == CKR_OK) {
			assert_int_equal(room, need);
			done += room;
		}
		in.p += n;
		in.len -= n;
	}
	if (rv == CKR_OK && sig) {
		rv = fw_op_final(op, sig, NULL, NULL);
	} else if (rv == CKR_OK) {
		need = fw_op_final_bound(op);
		/* Twice: whether it fits is found out before, or what did not fit is kept. */
		room = 0;
		rv = fw_op_final(op, NULL, out + done, &room);
		if (rv == CKR_BUFFER_TOO_SMALL) {
			assert_true(room <= need);
			rv = fw_op_final(op, NULL, out + done, &room);
		}
		if (rv == CKR_OK)
			done += room;
	}
	fw_op_free(op);
	if (rv == CKR_OK)
		*result = BYTES(out, done);
	return rv;
}

CK_RV run(enum pciehsm_function fn, CK_ULONG mech, const struct fw_mech_params *p,
	  struct fw_key *key, struct fw_bytes in, struct fw_bytes *result)
{
	static const size_t steps[] = { 1, 7, 16, 33, 4096 };
	CK_RV rv = once(fn, mech, p, key, in, result);
	struct fw_bytes other;
	size_t i, len;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		assert_rv(parts(fn, mech, p, key, in, NULL, steps[i], &other), rv);
		assert_bytes(other, *result);
	}
	if (rv == CKR_OK && result->len) {
		/* With exactly the room it needs, and with one byte less. */
		uint8_t *out = keep(result->len);

		len = result->len;
		assert_ok(fw_op_once(fn, mech, p, key, in.p, in.len, NULL, out, &len));
		assert_bytes(BYTES(out, len), *result);
		len = result->len - 1;
		assert_rv(fw_op_once(fn, mech, p, key, in.p, in.len, NULL, out, &len),
			  CKR_BUFFER_TOO_SMALL);
		assert_true(len >= result->len);
	}
	return rv;
}

CK_RV verify(CK_ULONG mech, const struct fw_mech_params *p, struct fw_key *key,
	     struct fw_bytes in, struct fw_bytes sig)
{
	CK_RV rv = fw_op_once(PCIEHSM_FN_VERIFY, mech, p, key, in.p, in.len, &sig, NULL, NULL);
	struct fw_bytes nothing;

	assert_rv(parts(PCIEHSM_FN_VERIFY, mech, p, key, in, &sig, 1 + in.len / 3, &nothing), rv);
	assert_int_equal(nothing.len, 0);
	return rv;
}
