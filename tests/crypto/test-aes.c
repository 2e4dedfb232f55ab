// SPDX-License-Identifier: GPL-2.0-or-later
/* AES: ECB, CBC, CBC-PAD, CTR, GCM, key wrap */
#include "util.h"

#define KEY128	"2b7e151628aed2a6abf7158809cf4f3c"
#define KEY192	"8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"
#define KEY256	"603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"
/* SP 800-38A, appendix F: the plaintext of all its examples */
#define PLAIN	\
	"6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51" \
	"30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"

static const struct {
	CK_ULONG	mech;
	const char	*key;
	const char	*iv;
	const char	*out;
} modes[] = {
	/* F.1.1, F.1.3, F.1.5 */
	{ CKM_AES_ECB, KEY128, NULL,
	  "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf"
	  "43b1cd7f598ece23881b00e3ed0306887b0c785e27e8ad3f8223207104725dd4" },
	{ CKM_AES_ECB, KEY192, NULL,
	  "bd334f1d6e45f25ff712a214571fa5cc974104846d0ad3ad7734ecb3ecee4eef"
	  "ef7afd2270e2e60adce0ba2face6444e9a4b41ba738d6c72fb16691603c18e0e" },
	{ CKM_AES_ECB, KEY256, NULL,
	  "f3eed1bdb5d2a03c064b5a7e3db181f8591ccb10d410ed26dc5ba74a31362870"
	  "b6ed21b99ca6f4f9f153e7b1beafed1d23304b7a39f9f3ff067d8d8f9e24ecc7" },
	/* F.2.1, F.2.3, F.2.5 */
	{ CKM_AES_CBC, KEY128, "000102030405060708090a0b0c0d0e0f",
	  "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
	  "73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7" },
	{ CKM_AES_CBC, KEY192, "000102030405060708090a0b0c0d0e0f",
	  "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a"
	  "571b242012fb7ae07fa9baac3df102e008b0e27988598881d920a9e64f5615cd" },
	{ CKM_AES_CBC, KEY256, "000102030405060708090a0b0c0d0e0f",
	  "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
	  "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b" },
	/* F.5.1, F.5.3, F.5.5 */
	{ CKM_AES_CTR, KEY128, "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
	  "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"
	  "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee" },
	{ CKM_AES_CTR, KEY192, "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
	  "1abc932417521ca24f2b0459fe7e6e0b090339ec0aa6faefd5ccc2c6f4ce8e94"
	  "1e36b26bd1ebc670d1bd1d665620abf74f78a7f6d29809585a97daec58c6b050" },
	{ CKM_AES_CTR, KEY256, "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
	  "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"
	  "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6" },
};

static void mode_params(CK_ULONG mech, const char *iv, struct fw_mech_params *p)
{
	memset(p, 0, sizeof(*p));
	if (iv) {
		p->have = HAVE(IV);
		p->iv = hex(iv);
	}
	if (mech == CKM_AES_CTR) {
		p->have |= HAVE(COUNTER_BITS);
		p->counter_bits = 128;
	}
}

static void test_modes(void **state)
{
	struct fw_mech_params p;
	struct fw_bytes out;
	size_t i;
	int round;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		struct fw_key *key = secret_key(CKK_AES, hex(modes[i].key));

		mode_params(modes[i].mech, modes[i].iv, &p);
		for (round = 0; round < 2; round++) {
			assert_ok(run(PCIEHSM_FN_ENCRYPT, modes[i].mech, &p, key, hex(PLAIN),
				      &out));
			assert_hex(out, modes[i].out);
			assert_ok(run(PCIEHSM_FN_DECRYPT, modes[i].mech, &p, key, out, &out));
			assert_hex(out, PLAIN);
		}
		assert_ok(run(PCIEHSM_FN_ENCRYPT, modes[i].mech, &p, key, NONE, &out));
		assert_int_equal(out.len, 0);
		fw_key_unref(key);
	}
}

static void test_mode_lengths(void **state)
{
	struct fw_key *key = secret_key(CKK_AES, hex(KEY256));
	struct fw_mech_params p;
	struct fw_bytes out;
	size_t len;

	(void)state;
	for (len = 1; len < 40; len++) {
		bool whole = len % 16 == 0;

		assert_rv(run(PCIEHSM_FN_ENCRYPT, CKM_AES_ECB, NULL, key, pattern(len), &out),
			  whole ? CKR_OK : CKR_DATA_LEN_RANGE);
		assert_rv(run(PCIEHSM_FN_DECRYPT, CKM_AES_ECB, NULL, key, pattern(len), &out),
			  whole ? CKR_OK : CKR_ENCRYPTED_DATA_LEN_RANGE);
		mode_params(CKM_AES_CBC, "000102030405060708090a0b0c0d0e0f", &p);
		assert_rv(run(PCIEHSM_FN_ENCRYPT, CKM_AES_CBC, &p, key, pattern(len), &out),
			  whole ? CKR_OK : CKR_DATA_LEN_RANGE);
		assert_rv(run(PCIEHSM_FN_DECRYPT, CKM_AES_CBC, &p, key, pattern(len), &out),
			  whole ? CKR_OK : CKR_ENCRYPTED_DATA_LEN_RANGE);
		mode_params(CKM_AES_CTR, "000102030405060708090a0b0c0d0e0f", &p);
		assert_ok(run(PCIEHSM_FN_ENCRYPT, CKM_AES_CTR, &p, key, pattern(len), &out));
		assert_int_equal(out.len, len);
		assert_ok(run(PCIEHSM_FN_DECRYPT, CKM_AES_CTR, &p, key, out, &out));
		assert_bytes(out, pattern(len));
	}
	fw_key_unref(key);
}

static void test_mode_params(void **state)
{
	static const CK_ULONG with_iv[] = { CKM_AES_CBC, CKM_AES_CBC_PAD, CKM_AES_CTR };
	struct fw_key *key = secret_key(CKK_AES, hex(KEY256));
	struct fw_key *generic = secret_key(CKK_GENERIC_SECRET, hex(KEY256));
	struct fw_mech_params p;
	struct fw_bytes out;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(with_iv); i++) {
		mode_params(with_iv[i], "000102030405060708090a0b0c0d0e", &p);
		assert_rv(run(PCIEHSM_FN_ENCRYPT, with_iv[i], &p, key, hex(PLAIN), &out),
			  CKR_MECHANISM_PARAM_INVALID);
		mode_params(with_iv[i], "000102030405060708090a0b0c0d0e0f10", &p);
		assert_rv(run(PCIEHSM_FN_ENCRYPT, with_iv[i], &p, key, hex(PLAIN), &out),
			  CKR_MECHANISM_PARAM_INVALID);
		assert_rv(run(PCIEHSM_FN_ENCRYPT, with_iv[i], NULL, key, hex(PLAIN), &out),
			  CKR_MECHANISM_PARAM_INVALID);
		mode_params(with_iv[i], "000102030405060708090a0b0c0d0e0f", &p);
		assert_rv(run(PCIEHSM_FN_ENCRYPT, with_iv[i], &p, generic, hex(PLAIN), &out),
			  CKR_KEY_TYPE_INCONSISTENT);
		assert_rv(run(PCIEHSM_FN_SIGN, with_iv[i], &p, key, hex(PLAIN), &out),
			  CKR_MECHANISM_INVALID);
		assert_rv(once(PCIEHSM_FN_ENCRYPT, with_iv[i], &p, NULL, hex(PLAIN), &out),
			  CKR_ARGUMENTS_BAD);
		p.have |= HAVE(AAD);
		assert_rv(run(PCIEHSM_FN_ENCRYPT, with_iv[i], &p, key, hex(PLAIN), &out),
			  CKR_MECHANISM_PARAM_INVALID);
	}
	mode_params(CKM_AES_ECB, "000102030405060708090a0b0c0d0e0f", &p);
	assert_rv(run(PCIEHSM_FN_ENCRYPT, CKM_AES_ECB, &p, key, hex(PLAIN), &out),
		  CKR_MECHANISM_PARAM_INVALID);
	mode_params(CKM_AES_CTR, "000102030405060708090a0b0c0d0e0f", &p);
	p.counter_bits = 0;
	assert_rv(run(PCIEHSM_FN_ENCRYPT, CKM_AES_CTR, &p, key, hex(PLAIN), &out),
		  CKR_MECHANISM_PARAM_INVALID);
	p.counter_bits = 129;
	assert_rv(run(PCIEHSM_FN_ENCRYPT, CKM_AES_CTR, &p, key, hex(PLAIN), &out),
		  CKR_MECHANISM_PARAM_INVALID);
	fw_key_unref(key);
	fw_key_unref(generic);
}

/* CBC-PAD of a text is CBC of the text with PKCS#7's padding behind it (RFC 5652, 6.3). */
static void test_cbc_pad(void **state)
{
	struct fw_key *key = secret_key(CKK_AES, hex(KEY128));
	struct fw_mech_params p;
	struct fw_bytes out, want;
	uint8_t block[96];
	size_t len, pad;

	(void)state;
	mode_params(CKM_AES_CBC_PAD, "000102030405060708090a0b0c0d0e0f", &p);
	for (len = 0; len < 66; len++) {
		pad = 16 - len % 16;
		memcpy(block, pattern(len).p, len);
		memset(block + len, pad, pad);
		assert_ok(run(PCIEHSM_FN_ENCRYPT, CKM_AES_CBC, &p, key, BYTES(block, len + pad),
			      &want));
		assert_ok(run(PCIEHSM_FN_ENCRYPT, CKM_AES_CBC_PAD, &p, key, pattern(len), &out));
		assert_bytes(out, want);
		assert_ok(run(PCIEHSM_FN_DECRYPT, CKM_AES_CBC_PAD, &p, key, out, &out));
		assert_bytes(out, pattern(len));
	}
	fw_key_unref(key);
}

static void test_cbc_bad_padding(void **state)
{
	/* The last byte, or bytes before it, say something that is no padding. */
	static const char *const bad[] = {
		"00000000000000000000000000000000", "00000000000000000000000000000011",
		"000000000000000000000000000000ff", "00000000000000000000000000000102",
		"10101010101010101010101010101000", "0f101010101010101010101010101010",
		"00000000000000000000000003030203",
	};
	struct fw_key *key = secret_key(CKK_AES, hex(KEY128));
	struct fw_mech_params p;
	struct fw_bytes out;
	size_t i;

	(void)state;
	mode_params(CKM_AES_CBC_PAD, "000102030405060708090a0b0c0d0e0f", &p);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_ok(run(PCIEHSM_FN_ENCRYPT, CKM_AES_CBC, &p, key, hex(bad[i]), &out));
		assert_rv(run(PCIEHSM_FN_DECRYPT, CKM_AES_CBC_PAD, &p, key, out, &out),
			  CKR_ENCRYPTED_DATA_INVALID);
	}
	assert_rv(run(PCIEHSM_FN_DECRYPT, CKM_AES_CBC_PAD, &p, key, NONE, &out),
		  CKR_ENCRYPTED_DATA_LEN_RANGE);
	assert_rv(run(PCIEHSM_FN_DECRYPT, CKM_AES_CBC_PAD, &p, key, pattern(15), &out),
		  CKR_ENCRYPTED_DATA_LEN_RANGE);
	assert_rv(run(PCIEHSM_FN_DECRYPT, CKM_AES_CBC_PAD, &p, key, pattern(33), &out),
		  CKR_ENCRYPTED_DATA_LEN_RANGE);
	fw_key_unref(key);
}

/* The counter's bits end: PKCS#11 allows up to there and not a block more. */
static void test_ctr_end(void **state)
{
	static const struct {
		uint32_t	bits;
		const char	*iv;
		size_t		blocks;		/* allowed; 0: more than is tried */
	} ends[] = {
		{ 8, "000102030405060708090a0b0c0d0efe", 2 },
		{ 8, "000102030405060708090a0b0c0d0e00", 256 },
		{ 1, "000102030405060708090a0b0c0d0e01", 1 },
		{ 16, "000102030405060708090a0b0c0dfffd", 3 },
		{ 32, "000102030405060708090a0bffffffff", 1 },
		{ 64, "0001020304050607fffffffffffffffc", 4 },
		{ 65, "0001020304050607fffffffffffffffc", 4 },
		{ 65, "0001020304050606fffffffffffffffc", 0 },
		{ 128, "fffffffffffffffffffffffffffffffe", 2 },
		{ 128, "fffffffffffffffefffffffffffffffe", 0 },
		{ 64, "00010203040506070000000000000000", 0 },
	};
	struct fw_key *key = secret_key(CKK_AES, hex(KEY256));
	struct fw_bytes text = pattern(300 * 16), out, counter, want;
	struct fw_mech_params p;
	size_t i, len, block;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		mode_params(CKM_AES_CTR, ends[i].iv, &p);
		p.counter_bits = ends[i].bits;
		len = ends[i].blocks ? ends[i].blocks * 16 : 80;
		assert_ok(run(PCIEHSM_FN_ENCRYPT, CKM_AES_CTR, &p, key, BYTES(text.p, len), &out));
		/* What comes out is the text and the encrypted counter (SP 800-38A, 6.5). */
		counter = hex(ends[i].iv);
		for (block = 0; block < len / 16; block++) {
			uint8_t ctr[16], mask[16];
			unsigned int carry = block, j;

			memcpy(ctr, counter.p, 16);
			for (j = 16; j-- && carry; carry >>= 8) {
				carry += ctr[j];
				ctr[j] = carry;
			}
			assert_ok(once(PCIEHSM_FN_ENCRYPT, CKM_AES_ECB, NULL, key, BYTES(ctr, 16),
				       &want));
			for (j = 0; j < 16; j++)
				mask[j] = want.p[j] ^ text.p[block * 16 + j];
			assert_bytes(BYTES(out.p + block * 16, 16), BYTES(mask, 16));
		}
		assert_rv(run(PCIEHSM_FN_ENCRYPT, CKM_AES_CTR, &p, key, BYTES(text.p, len + 1),
			      &out), ends[i].blocks ? CKR_DATA_LEN_RANGE : CKR_OK);
	}
	fw_key_unref(key);
}

static const struct {
	const char	*key;
	const char	*iv;
	const char	*aad;
	const char	*plain;
	const char	*out;
	const char	*tag;
} gcms[] = {
	/* McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 1 to 6 */
	{ "00000000000000000000000000000000", "000000000000000000000000", "", "", "",
	  "58e2fccefa7e3061367f1d57a4e7455a" },
	{ "00000000000000000000000000000000", "000000000000000000000000", "",
	  "00000000000000000000000000000000", "0388dace60b6a392f328c2b971b2fe78",
	  "ab6e47d42cec13bdf53a67b21257bddf" },
	{ "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "",
	  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	  "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
	  "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
	  "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985",
	  "4d5c2af327cd64a62cf35abd2ba6fab4" },
	{ "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
	  "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	  "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
	  "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
	  "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
	  "5bc94fbc3221a5db94fae95ae7121a47" },
	{ "feffe9928665731c6d6a8f9467308308", "cafebabefacedbad",
	  "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	  "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
	  "61353b4c2806934a777ff51fa22a4755699b2a714fcdc6f83766e5f97b6c7423"
	  "73806900e49f24b22b097544d4896b424989b5e1ebac0f07c23f4598",
	  "3612d2e79e3b0785561be14aaca2fccb" },
	{ "feffe9928665731c6d6a8f9467308308",
	  "9313225df88406e555909c5aff5269aa6a7a9538534f7da1e4c303d2a318a728"
	  "c3c0c95156809539fcf0e2429a6b525416aedbf5a0de6a57a637b39b",
	  "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	  "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
	  "8ce24998625615b603a033aca13fb894be9112a5c3a211a8ba262a3cca7e2ca7"
	  "01e4a9a4fba43c90ccdcb281d48c7c6fd62875d2aca417034c34aee5",
	  "619cc5aefffe0bfa462af43c1699d050" },
	/* Test case 10: 192 bits; 16: 256 bits */
	{ "feffe9928665731c6d6a8f9467308308feffe9928665731c", "cafebabefacedbaddecaf888",
	  "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	  "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
	  "3980ca0b3c00e841eb06fac4872a2757859e1ceaa6efd984628593b40ca1e19c"
	  "7d773d00c144c525ac619d18c84a3f4718e2448b2fe324d9ccda2710",
	  "2519498e80f1478f37ba55bd6d27618c" },
	{ "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
	  "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	  "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
	  "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
	  "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
	  "76fc6ece0f4e1768cddf8853bb2d551b" },
};

static void gcm_params(struct fw_mech_params *p, const char *iv, const char *aad, uint32_t bits)
{
	memset(p, 0, sizeof(*p));
	p->have = HAVE(IV) | HAVE(TAG_BITS);
	p->iv = hex(iv);
	p->tag_bits = bits;
	if (*aad) {
		p->have |= HAVE(AAD);
		p->aad = hex(aad);
	}
}

static void test_gcm(void **state)
{
	static const uint32_t tags[] = { 128, 120, 112, 104, 96, 64, 32 };
	struct fw_mech_params p;
	struct fw_bytes out;
	char want[512];
	size_t i, j;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(gcms); i++) {
		struct fw_key *key = secret_key(CKK_AES, hex(gcms[i].key));

		for (j = 0; j < ARRAY_SIZE(tags); j++) {
			gcm_params(&p, gcms[i].iv, gcms[i].aad, tags[j]);
			snprintf(want, sizeof(want), "%s%.*s", gcms[i].out, (int)tags[j] / 4,
				 gcms[i].tag);
			assert_ok(run(PCIEHSM_FN_ENCRYPT, CKM_AES_GCM, &p, key, hex(gcms[i].plain),
				      &out));
			assert_hex(out, want);
			assert_ok(run(PCIEHSM_FN_DECRYPT, CKM_AES_GCM, &p, key, out, &out));
			assert_hex(out, gcms[i].plain);
		}
		fw_key_unref(key);
	}
}

static void test_gcm_forged(void **state)
{
	struct fw_key *key = secret_key(CKK_AES, hex(gcms[7].key));
	struct fw_mech_params p, q;
	struct fw_bytes sealed, out;
	uint8_t buf[128];
	size_t i, len;

	(void)state;
	gcm_params(&p, gcms[7].iv, gcms[7].aad, 128);
	assert_ok(once(PCIEHSM_FN_ENCRYPT, CKM_AES_GCM, &p, key, hex(gcms[7].plain), &sealed));
	for (i = 0; i < sealed.len; i++)
		assert_rv(run(PCIEHSM_FN_DECRYPT, CKM_AES_GCM, &p, key, flipped(sealed, i, i % 8),
			      &out), CKR_ENCRYPTED_DATA_INVALID);
	for (i = 16; i < sealed.len; i++)
		assert_rv(run(PCIEHSM_FN_DECRYPT, CKM_AES_GCM, &p, key, BYTES(sealed.p, i), &out),
			  CKR_ENCRYPTED_DATA_INVALID);
	for (i = 0; i < 16; i++)
		assert_rv(run(PCIEHSM_FN_DECRYPT, CKM_AES_GCM, &p, key, BYTES(sealed.p, i), &out),
			  CKR_ENCRYPTED_DATA_LEN_RANGE);
	q = p;
	q.aad = flipped(p.aad, 3, 3);
	assert_rv(run(PCIEHSM_FN_DECRYPT, CKM_AES_GCM, &q, key, sealed, &out),
		  CKR_ENCRYPTED_DATA_INVALID);
	q = p;
	q.iv = flipped(p.iv, 0, 0);
	assert_rv(run(PCIEHSM_FN_DECRYPT, CKM_AES_GCM, &q, key, sealed, &out),
		  CKR_ENCRYPTED_DATA_INVALID);
	/* Nothing of the plaintext is left where it would have been. */
	memset(buf, 0x55, sizeof(buf));
	len = sizeof(buf);
	out = flipped(sealed, sealed.len - 1, 0);
	assert_rv(fw_op_once(PCIEHSM_FN_DECRYPT, CKM_AES_GCM, &p, key, out.p, out.len, NULL, buf,
			     &len), CKR_ENCRYPTED_DATA_INVALID);
	for (i = 0; i < 16; i++)
		assert_true(buf[i] == 0 || buf[i] == 0x55);
	/* And the key works on. */
	assert_ok(run(PCIEHSM_FN_DECRYPT, CKM_AES_GCM, &p, key, sealed, &out));
	assert_hex(out, gcms[7].plain);
	fw_key_unref(key);
}

static void test_gcm_params(void **state)
{
	static const uint32_t bad_tags[] = { 0, 8, 31, 72, 127, 136, 1024 };
	struct fw_key *key = secret_key(CKK_AES, hex(KEY256));
	struct fw_mech_params p;
	struct fw_bytes out;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad_tags); i++) {
		gcm_params(&p, gcms[0].iv, "", bad_tags[i]);
		assert_rv(run(PCIEHSM_FN_ENCRYPT, CKM_AES_GCM, &p, key, NONE, &out),
			  CKR_MECHANISM_PARAM_INVALID);
	}
	gcm_params(&p, "", "", 128);
	assert_rv(run(PCIEHSM_FN_ENCRYPT, CKM_AES_GCM, &p, key, NONE, &out),
		  CKR_MECHANISM_PARAM_INVALID);
	p.iv = pattern(129);
	assert_rv(run(PCIEHSM_FN_ENCRYPT, CKM_AES_GCM, &p, key, NONE, &out),
		  CKR_MECHANISM_PARAM_INVALID);
	/* Lengths in turn: a waiting context is set to another each time. */
	for (i = 1; i <= 128; i += 9) {
		p.iv = pattern(i);
		assert_ok(run(PCIEHSM_FN_ENCRYPT, CKM_AES_GCM, &p, key, TEXT("text"), &out));
		assert_ok(run(PCIEHSM_FN_DECRYPT, CKM_AES_GCM, &p, key, out, &out));
		assert_bytes(out, TEXT("text"));
	}
	p.have &= ~HAVE(TAG_BITS);
	assert_rv(run(PCIEHSM_FN_ENCRYPT, CKM_AES_GCM, &p, key, NONE, &out),
		  CKR_MECHANISM_PARAM_INVALID);
	fw_key_unref(key);
}

/* Parts that are collected: up to what fits into a message, and not a byte more. */
static void test_collect_limit(void **state)
{
	struct fw_key *key = secret_key(CKK_AES, hex(KEY256));
	struct fw_mech_params p;
	struct fw_bytes part = pattern(FW_OP_COLLECT_MAX / 2 + 1);
	struct fw_op *op;
	size_t len = 0;

	(void)state;
	gcm_params(&p, gcms[0].iv, "", 128);
	assert_ok(fw_op_init(PCIEHSM_FN_DECRYPT, CKM_AES_GCM, &p, key, &op));
	assert_ok(fw_op_update(op, part.p, part.len, NULL, &len));
	assert_int_equal(len, 0);
	assert_int_equal(fw_op_final_bound(op), part.len - 16);
	assert_rv(fw_op_update(op, part.p, part.len, NULL, &len), CKR_ENCRYPTED_DATA_LEN_RANGE);
	fw_op_free(op);
	fw_key_unref(key);
}

static const struct {
	CK_ULONG	mech;
	const char	*kek;
	const char	*plain;
	const char	*out;
} wraps[] = {
	/* RFC 3394, 4.1 to 4.6 */
	{ CKM_AES_KEY_WRAP, "000102030405060708090a0b0c0d0e0f", "00112233445566778899aabbccddeeff",
	  "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5" },
	{ CKM_AES_KEY_WRAP, "000102030405060708090a0b0c0d0e0f1011121314151617",
	  "00112233445566778899aabbccddeeff",
	  "96778b25ae6ca435f92b5b97c050aed2468ab8a17ad84e5d" },
	{ CKM_AES_KEY_WRAP, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	  "00112233445566778899aabbccddeeff",
	  "64e8c3f9ce0f5ba263e9777905818a2a93c8191e7d6e8ae7" },
	{ CKM_AES_KEY_WRAP, "000102030405060708090a0b0c0d0e0f1011121314151617",
	  "00112233445566778899aabbccddeeff0001020304050607",
	  "031d33264e15d33268f24ec260743edce1c6c7ddee725a936ba814915c6762d2" },
	{ CKM_AES_KEY_WRAP, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	  "00112233445566778899aabbccddeeff0001020304050607",
	  "a8f9bc1612c68b3ff6e6f4fbe30e71e4769c8b80a32cb8958cd5d17d6b254da1" },
	{ CKM_AES_KEY_WRAP, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	  "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f",
	  "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43b"
	  "fb988b9b7a02dd21" },
	/* RFC 5649, 6 */
	{ CKM_AES_KEY_WRAP_KWP, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8",
	  "c37b7e6492584340bed12207808941155068f738",
	  "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a" },
	{ CKM_AES_KEY_WRAP_PAD, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8",
	  "466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f" },
};

static void test_key_wrap(void **state)
{
	struct fw_mech_params p = { .have = HAVE(IV) };
	struct fw_bytes out;
	size_t i, j;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(wraps); i++) {
		struct fw_key *key = secret_key(CKK_AES, hex(wraps[i].kek));
		bool kwp = wraps[i].mech != CKM_AES_KEY_WRAP;

		assert_ok(run(PCIEHSM_FN_ENCRYPT, wraps[i].mech, NULL, key, hex(wraps[i].plain),
			      &out));
		assert_hex(out, wraps[i].out);
		assert_ok(run(PCIEHSM_FN_DECRYPT, wraps[i].mech, NULL, key, out, &out));
		assert_hex(out, wraps[i].plain);
		for (j = 0; j < hex(wraps[i].out).len; j++)
			assert_rv(run(PCIEHSM_FN_DECRYPT, wraps[i].mech, NULL, key,
				      flipped(hex(wraps[i].out), j, j % 8), &out),
				  CKR_ENCRYPTED_DATA_INVALID);
		/* The initial value that it has by default, then another */
		p.iv = hex(kwp ? "a65959a6" : "a6a6a6a6a6a6a6a6");
		assert_ok(run(PCIEHSM_FN_ENCRYPT, wraps[i].mech, &p, key, hex(wraps[i].plain),
			      &out));
		assert_hex(out, wraps[i].out);
		p.iv = flipped(p.iv, 0, 0);
		assert_ok(run(PCIEHSM_FN_ENCRYPT, wraps[i].mech, &p, key, hex(wraps[i].plain),
			      &out));
		assert_rv(run(PCIEHSM_FN_DECRYPT, wraps[i].mech, NULL, key, out, &out),
			  CKR_ENCRYPTED_DATA_INVALID);
		p.iv.len--;
		assert_rv(run(PCIEHSM_FN_ENCRYPT, wraps[i].mech, &p, key, hex(wraps[i].plain),
			      &out), CKR_MECHANISM_PARAM_INVALID);
		fw_key_unref(key);
	}
}

static void test_key_wrap_lengths(void **state)
{
	struct fw_key *key = secret_key(CKK_AES, hex(KEY256));
	struct fw_bytes out;
	size_t len;

	(void)state;
	for (len = 0; len < 70; len++) {
		assert_rv(run(PCIEHSM_FN_ENCRYPT, CKM_AES_KEY_WRAP, NULL, key, pattern(len), &out),
			  len >= 16 && len % 8 == 0 ? CKR_OK : CKR_DATA_LEN_RANGE);
		assert_rv(run(PCIEHSM_FN_DECRYPT, CKM_AES_KEY_WRAP, NULL, key, pattern(len), &out),
			  len >= 24 && len % 8 == 0 ? CKR_ENCRYPTED_DATA_INVALID :
						      CKR_ENCRYPTED_DATA_LEN_RANGE);
		assert_rv(run(PCIEHSM_FN_ENCRYPT, CKM_AES_KEY_WRAP_KWP, NULL, key, pattern(len),
			      &out), len ? CKR_OK : CKR_DATA_LEN_RANGE);
		if (len) {
			assert_ok(run(PCIEHSM_FN_DECRYPT, CKM_AES_KEY_WRAP_KWP, NULL, key, out,
				      &out));
			assert_bytes(out, pattern(len));
		}
		assert_rv(run(PCIEHSM_FN_DECRYPT, CKM_AES_KEY_WRAP_KWP, NULL, key, pattern(len),
			      &out), len >= 16 && len % 8 == 0 ? CKR_ENCRYPTED_DATA_INVALID :
								 CKR_ENCRYPTED_DATA_LEN_RANGE);
	}
	fw_key_unref(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_mode_lengths),
		cmocka_unit_test(test_mode_params),
		cmocka_unit_test(test_cbc_pad),
		cmocka_unit_test(test_cbc_bad_padding),
		cmocka_unit_test(test_ctr_end),
		cmocka_unit_test(test_gcm),
		cmocka_unit_test(test_gcm_forged),
		cmocka_unit_test(test_gcm_params),
		cmocka_unit_test(test_collect_limit),
		cmocka_unit_test(test_key_wrap),
		cmocka_unit_test(test_key_wrap_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
