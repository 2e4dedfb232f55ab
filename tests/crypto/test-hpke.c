// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * HPKE. RFC 9180 has vectors for P-256 and P-521 and none for P-384, which the cloning
 * channel uses: that suite is computed again here, with HMAC and ECDH alone.
 */
#include <openssl/core_names.h>
#include <openssl/hmac.h>

#include "crypto/hpke.h"

#include "util.h"

static const struct vector {
	struct fw_hpke_suite	suite;
	const char		*ikm_e;
	const char		*ikm_r;
	const char		*ikm_s;		/* NULL: not authenticated */
	bool			psk;
	const char		*enc;
	const char		*sealed[6];	/* numbers 0, 1, 2, 4, 255, 256 */
	const char		*exported[3];	/* of "", 00, "TestContext" */
} vectors[] = {
	/* RFC 9180, A.4.1, Base */
	{ { FW_HPKE_KEM_P256, FW_HPKE_KDF_SHA512, FW_HPKE_AEAD_AES128 },
	  "4ab11a9dd78c39668f7038f921ffc0993b368171d3ddde8031501ee1e08c4c9a",
	  "ea9ff7cc5b2705b188841c7ace169290ff312a9cb31467784ca92d7a2e6e1be8",
	  NULL,
	  false,
	  "0493ed86735bdfb978cc055c98b45695ad7ce61ce748f4dd63c525a3b8d53a15"
	  "565c6897888070070c1579db1f86aaa56deb8297e64db7e8924e72866f9a4725"
	  "80",
	  {
		"d3cf4984931484a080f74c1bb2a6782700dc1fef9abe8442e44a6f09044c8890"
		"7200b332003543754eb51917ba",
		"d14414555a47269dfead9fbf26abb303365e40709a4ed16eaefe1f2070f1ddeb"
		"1bdd94d9e41186f124e0acc62d",
		"9bba136cade5c4069707ba91a61932e2cbedda2d9c7bdc33515aa01dd0e0f7e9"
		"d3579bf4016dec37da4aafa800",
		"a531c0655342be013bf32112951f8df1da643602f1866749519f5dcb09cc6843"
		"2579de305a77e6864e862a7600",
		"be5da649469efbad0fb950366a82a73fefeda5f652ec7d3731fac6c4ffa21a70"
		"04d2ab8a04e13621bd3629547d",
		"62092672f5328a0dde095e57435edf7457ace60b26ee44c9291110ec135cb0e1"
		"4b85594e4fea11247d937deb62",
	  }, {
		"a32186b8946f61aeead1c093fe614945f85833b165b28c46bf271abf16b57208",
		"84998b304a0ea2f11809398755f0abd5f9d2c141d1822def79dd15c194803c2a",
		"93fb9411430b2cfa2cf0bed448c46922a5be9beff20e2e621df7e4655852edbc",
	  } },
	/* RFC 9180, A.3.3, Auth */
	{ { FW_HPKE_KEM_P256, FW_HPKE_KDF_SHA256, FW_HPKE_AEAD_AES128 },
	  "798d82a8d9ea19dbc7f2c6dfa54e8a6706f7cdc119db0813dacf8440ab37c857",
	  "7bc93bde8890d1fb55220e7f3b0c107ae7e6eda35ca4040bb6651284bf0747ee",
	  "874baa0dcf93595a24a45a7f042e0d22d368747daaa7e19f80a802af19204ba8",
	  false,
	  "042224f3ea800f7ec55c03f29fc9865f6ee27004f818fcbdc6dc68932c1e52e1"
	  "5b79e264a98f2c535ef06745f3d308624414153b22c7332bc1e691cb4af4d534"
	  "54",
	  {
		"82ffc8c44760db691a07c5627e5fc2c08e7a86979ee79b494a17cc3405446ac2"
		"bdb8f265db4a099ed3289ffe19",
		"b0a705a54532c7b4f5907de51c13dffe1e08d55ee9ba59686114b05945494d96"
		"725b239468f1229e3966aa1250",
		"8dc805680e3271a801790833ed74473710157645584f06d1b53ad439078d880b"
		"23e25256663178271c80ee8b7c",
		"04c8f7aae1584b61aa5816382cb0b834a5d744f420e6dffb5ddcec633a21b8b3"
		"472820930c1ea9258b035937a2",
		"4a319462eaedee37248b4d985f64f4f863d31913fe9e30b6e13136053b69fe5d"
		"70853c84c60a84bb5495d5a678",
		"28e874512f8940fafc7d06135e7589f6b4198bc0f3a1c64702e72c9e6abaf9f0"
		"5cb0d2f11b03a517898815c934",
	  }, {
		"837e49c3ff629250c8d80d3c3fb957725ed481e59e2feb57afd9fe9a8c7c4497",
		"594213f9018d614b82007a7021c3135bda7b380da4acd9ab27165c508640dbda",
		"14fe634f95ca0d86e15247cca7de7ba9b73c9b9deb6437e1c832daf7291b79d5",
	  } },
	/* RFC 9180, A.3.4, AuthPSK */
	{ { FW_HPKE_KEM_P256, FW_HPKE_KDF_SHA256, FW_HPKE_AEAD_AES128 },
	  "3c1fceb477ec954c8d58ef3249e4bb4c38241b5925b95f7486e4d9f1d0d35fbb",
	  "abcc2da5b3fa81d8aabd91f7f800a8ccf60ec37b1b585a5d1d1ac77f258b6cca",
	  "6262031f040a9db853edd6f91d2272596eabbc78a2ed2bd643f770ecd0f19b82",
	  true,
	  "046a1de3fc26a3d43f4e4ba97dbe24f7e99181136129c48fbe872d4743e2b131"
	  "357ed4f29a7b317dc22509c7b00991ae990bf65f8b236700c82ab7c11a845114"
	  "01",
	  {
		"b9f36d58d9eb101629a3e5a7b63d2ee4af42b3644209ab37e0a272d44365407d"
		"b8e655c72e4fa46f4ff81b9246",
		"51788c4e5d56276771032749d015d3eea651af0c7bb8e3da669effffed299ea1"
		"f641df621af65579c10fc09736",
		"3b5a2be002e7b29927f06442947e1cf709b9f8508b03823127387223d7127034"
		"71c266efc355f1bc2036f3027c",
		"8ddbf1242fe5c7d61e1675496f3bfdb4d90205b3dfbc1b12aab41395d71a8211"
		"8e095c484103107cf4face5123",
		"6de25ceadeaec572fbaa25eda2558b73c383fe55106abaec24d518ef6724a7ce"
		"698f83ecdc53e640fe214d2f42",
		"f380e19d291e12c5e378b51feb5cd50f6d00df6cb2af8393794c4df342126c2e"
		"29633fe7e8ce49587531affd4d",
	  }, {
		"595ce0eff405d4b3bb1d08308d70a4e77226ce11766e0a94c4fdb5d90025c978",
		"110472ee0ae328f57ef7332a9886a1992d2c45b9b8d5abc9424ff68630f7d38d",
		"18ee4d001a9d83a4c67e76f88dd747766576cac438723bad0700a910a4d717e6",
	  } },
	/* RFC 9180, A.6.2, PSK */
	{ { FW_HPKE_KEM_P521, FW_HPKE_KDF_SHA512, FW_HPKE_AEAD_AES256 },
	  "f3ebfa9a69a924e672114fcd9e06fa9559e937f7eccce4181a2b506df53dbe51"
	  "4be12f094bb28e01de19dd345b4f7ede5ad7eaa6b9c3019592ec68eaae9a1473"
	  "2ce0",
	  "a2a2458705e278e574f835effecd18232f8a4c459e7550a09d44348ae5d3b1ea"
	  "9d95c51995e657ad6f7cae659f5e186126a471c017f8f5e41da9eba74d4e0473"
	  "e179",
	  NULL,
	  true,
	  "040085eff0835cc84351f32471d32aa453cdc1f6418eaaecf1c2824210eb1d48"
	  "d0768b368110fab21407c324b8bb4bec63f042cfa4d0868d19b760eb4beba1bf"
	  "f793b30036d2c614d55730bd2a40c718f9466faf4d5f8170d22b6df98dfe0c06"
	  "7d02b349ae4a142e0c03418f0a1479ff78a3db07ae2c2e89e5840f712c174ba2"
	  "118e90fdcb",
	  {
		"de69e9d943a5d0b70be3359a19f317bd9aca4a2ebb4332a39bcdfc97d5fe62f3"
		"a77702f4822c3be531aa7843a1",
		"77a16162831f90de350fea9152cfc685ecfa10acb4f7994f41aed43fa5431f23"
		"82d078ec88baec53943984553e",
		"f1d48d09f126b9003b4c7d3fe6779c7c92173188a2bb7465ba43d899a6398a33"
		"3914d2bb19fd769d53f3ec7336",
		"829b11c082b0178082cd595be6d73742a4721b9ac05f8d2ef8a7704a53022d82"
		"bd0d8571f578c5c13b99eccff8",
		"a3ee291e20f37021e82df14d41f3fbe98b27c43b318a36cacd8471a3b1051ab1"
		"2ee055b62ded95b72a63199a3f",
		"eecc2173ce1ac14b27ee67041e90ed50b7809926e55861a579949c07f6d26137"
		"bf9cf0d097f60b5fd2fbf348ec",
	  }, {
		"62691f0f971e34de38370bff24deb5a7d40ab628093d304be60946afcdb3a936",
		"76083c6d1b6809da088584674327b39488eaf665f0731151128452e04ce81bff",
		"0c7cfc0976e25ae7680cf909ae2de1859cd9b679610a14bec40d69b91785b2f6",
	  } },
	/* RFC 9180, A.6.3, Auth */
	{ { FW_HPKE_KEM_P521, FW_HPKE_KDF_SHA512, FW_HPKE_AEAD_AES256 },
	  "fe1c589c2a05893895a537f38c7cb4300b5a7e8fef3d6ccb8f07a498029c61e9"
	  "0262e009dc254c7f6235f9c6b2fd6aeff0a714db131b09258c16e217b7bd2aa6"
	  "19b0",
	  "8feea0438481fc0ecd470d6adfcda334a759c6b8650452c5a5dd9b2dd2cc9be3"
	  "3d2bb7ee64605fc07ab4664a58bb9a8de80defe510b6c97d2daf85b92cd4bb0a"
	  "66bf",
	  "2f66a68b85ef04822b054ef521838c00c64f8b6226935593b69e13a1a2461a4f"
	  "1a74c10c836e87eed150c0db85d4e4f506cbb746149befac6f5c07dc48a615ef"
	  "92db",
	  false,
	  "04017de12ede7f72cb101dab36a111265c97b3654816dcd6183f809d4b3d111f"
	  "e759497f8aefdc5dbb40d3e6d21db15bdc60f15f2a420761bcaeef73b891c2b1"
	  "17e9cf01e29320b799bbc86afdc5ea97d941ea1c5bd5ebeeac7a784b3bab5247"
	  "46f3e640ec26ee1bd91255f9330d974f845084637ee0e6fe9f505c5b87c86a4e"
	  "1a6c3096dd",
	  {
		"0116aeb3a1c405c61b1ce47600b7ecd11d89b9c08c408b7e2d1e00a4d64696d1"
		"2e6881dc61688209a8207427f9",
		"37ece0cf6741f443e9d73b9966dc0b228499bb21fbf313948327231e70a18380"
		"e080529c0267f399ba7c539cc6",
		"d17b045cac963e45d55fd3692ec17f100df66ac06d91f3b6af8efa7ed3c88955"
		"50eb753bc801fe4bd27005b4bd",
		"50c523ae7c64cada96abea16ddf67a73d2914ec86a4cedb31a7e6257f7553ed2"
		"44626ef79a57198192b2323384",
		"53d422295a6ce8fcc51e6f69e252e7195e64abf49252f347d8c25534f1865a6a"
		"17d949c65ce618ddc7d816111f",
		"0dfcfc22ea768880b4160fec27ab10c75fb27766c6bb97aed373a9b6eae35d31"
		"afb08257401075cbb602ac5abb",
	  }, {
		"8d78748d632f95b8ce0c67d70f4ad1757e61e872b5941e146986804b3990154b",
		"80a4753230900ea785b6c80775092801fe91183746479f9b04c305e1db9d1f4d",
		"620b176d737cf366bcc20d96adb54ec156978220879b67923689e6dca36210ed",
	  } },
	/* RFC 9180, A.6.4, AuthPSK */
	{ { FW_HPKE_KEM_P521, FW_HPKE_KDF_SHA512, FW_HPKE_AEAD_AES256 },
	  "54272797b1fbc128a6967ff1fd606e0c67868f7762ce1421439cbc9e90ce1b28"
	  "d566e6c2acbce712e48eebf236696eb680849d6873e9959395b2931975d61d38"
	  "bd6c",
	  "3db434a8bc25b27eb0c590dc64997ab1378a99f52b2cb5a5a5b2fa540888f6c0"
	  "f09794c654f4468524e040e6b4eca2c9dcf229f908b9d318f960cc9e9baa92c5"
	  "eee6",
	  "65d523d9b37e1273eb25ad0527d3a7bd33f67208dd1666d9904c6bc04969ae58"
	  "31a8b849e7ff642581f2c3e56be84609600d3c6bbdaded3f6989c37d2892b1e9"
	  "78d5",
	  true,
	  "04000a5096a6e6e002c83517b494bfc2e36bfb8632fae8068362852b70d0ff71"
	  "e560b15aff96741ecffb63d8ac3090c3769679009ac59a99a1feb4713c5f090f"
	  "c0dbed01ad73c45d29d369e36744e9ed37d12f80700c16d816485655169a5dd6"
	  "6e4ddf27f2acffe0f56f7f77ea2b473b4bf0518b975d9527009a3d14e5a4957e"
	  "3e8a9074f8",
	  {
		"942a2a92e0817cf032ce61abccf4f3a7c5d21b794ed943227e07b7df2d6dd92c"
		"9b8a9371949e65cca262448ab7",
		"c0a83b5ec3d7933a090f681717290337b4fede5bfaa0a40ec29f93acad742888"
		"a1513c649104c391c78d1d7f29",
		"2847b2e0ce0b9da8fca7b0e81ff389d1682ee1b388ed09579b145058b5af6a93"
		"a85dd50d9f417dc88f2c785312",
		"fbd9948ab9ac4a9cb9e295c07273600e6a111a3a89241d3e2178f39d532a2ec5"
		"c15b9b0c6937ac84c88e0ca76f",
		"63113a870131b567db8f39a11b4541eafbd2d3cf3a9bf9e5c1cfcb41e52f9027"
		"310b82a4868215959131694d15",
		"24f9d8dadd2107376ccd143f70f9bafcd2b21d8117d45ff327e9a78f603a3260"
		"6e42a6a8bdb57a852591d20907",
	  }, {
		"a39502ef5ca116aa1317bd9583dd52f15b0502b71d900fc8a622d19623d0cb5d",
		"749eda112c4cfdd6671d84595f12cd13198fc3ef93ed72369178f344fe6e09c3",
		"f8b4e72cefbff4ca6c4eabb8c0383287082cfcbb953d900aed4959afd0017095",
	  } },
};

#define INFO	"4f6465206f6e2061204772656369616e2055726e"
#define PSK	"0247fd33b913760fa1fa51e1892d9f307fbe65eb171e8132c2af18555a738b82"
#define PSK_ID	"456e6e796e20447572696e206172616e204d6f726961"
#define PLAIN	"4265617574792069732074727574682c20747275746820626561757479"

/* Both sides of a vector */
struct pair {
	EVP_PKEY	*e, *r, *s;
	struct fw_bytes	pk_r, pk_s, enc;
	struct fw_hpke	*sender, *recipient;
};

static struct fw_bytes public_of(struct fw_hpke_suite suite, EVP_PKEY *key)
{
	uint8_t mem[FW_HPKE_ENC_MAX];
	size_t len;

	assert_ok(fw_hpke_public(suite, key, mem, &len));
	return flipped(flipped(BYTES(mem, len), 0, 0), 0, 0);
}

static struct fw_hpke_keys keys_of(bool psk)
{
	return (struct fw_hpke_keys){
		hex(INFO), psk ? hex(PSK) : NONE, psk ? hex(PSK_ID) : NONE,
	};
}

static void open_pair(const struct vector *v, struct pair *p)
{
	struct fw_hpke_keys keys = keys_of(v->psk);
	uint8_t enc[FW_HPKE_ENC_MAX];
	size_t len;

	memset(p, 0, sizeof(*p));
	assert_ok(fw_hpke_keypair(v->suite, hex(v->ikm_e), &p->e));
	assert_ok(fw_hpke_keypair(v->suite, hex(v->ikm_r), &p->r));
	if (v->ikm_s) {
		assert_ok(fw_hpke_keypair(v->suite, hex(v->ikm_s), &p->s));
		p->pk_s = public_of(v->suite, p->s);
	}
	p->pk_r = public_of(v->suite, p->r);
	assert_ok(fw_hpke_sender(v->suite, p->pk_r, &keys, p->s, p->e, enc, &len, &p->sender));
	p->enc = flipped(flipped(BYTES(enc, len), 0, 0), 0, 0);
	assert_ok(fw_hpke_recipient(v->suite, p->enc, p->r, &keys, p->pk_s, &p->recipient));
}

static void close_pair(struct pair *p)
{
	fw_hpke_free(p->sender);
	fw_hpke_free(p->recipient);
	EVP_PKEY_free(p->e);
	EVP_PKEY_free(p->r);
	EVP_PKEY_free(p->s);
}

static void test_vectors(void **state)
{
	static const unsigned int numbers[] = { 0, 1, 2, 4, 255, 256 };
	struct fw_bytes plain = hex(PLAIN), contexts[] = { NONE, hex("00"), TEXT("TestContext") };
	uint8_t sealed[64], opened[64], exported[32];
	size_t i, next, k;
	struct pair p;
	char aad[16];
	unsigned int n;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(vectors); i++) {
		open_pair(&vectors[i], &p);
		assert_hex(p.enc, vectors[i].enc);
		for (n = 0, next = 0; next < ARRAY_SIZE(numbers); n++) {
			struct fw_bytes ad = BYTES(aad, snprintf(aad, sizeof(aad), "Count-%u", n));
			struct fw_bytes out = BYTES(sealed, plain.len + FW_HPKE_TAG_LEN);

			assert_ok(fw_hpke_seal(p.sender, ad, plain, sealed));
			if (n == numbers[next])
				assert_hex(out, vectors[i].sealed[next++]);
			assert_ok(fw_hpke_open(p.recipient, ad, out, opened));
			assert_bytes(BYTES(opened, plain.len), plain);
		}
		for (k = 0; k < 3; k++) {
			assert_ok(fw_hpke_export(p.sender, contexts[k], exported, 32));
			assert_hex(BYTES(exported, 32), vectors[i].exported[k]);
			assert_ok(fw_hpke_export(p.recipient, contexts[k], exported, 32));
			assert_hex(BYTES(exported, 32), vectors[i].exported[k]);
		}
		close_pair(&p);
	}
}

/* ---- the cloning channel's suite, computed again ---- */

static const struct fw_hpke_suite p384 = {
	FW_HPKE_KEM_P384, FW_HPKE_KDF_SHA384, FW_HPKE_AEAD_AES256
};

#define NH	48

struct buffer {
	uint8_t	p[1024];
	size_t	len;
};

static void add(struct buffer *b, const void *p, size_t len)
{
	assert_true(len <= sizeof(b->p) - b->len);
	if (len)
		memcpy(b->p + b->len, p, len);
	b->len += len;
}

static void mac(const uint8_t *key, size_t key_len, const struct buffer *text, uint8_t *out)
{
	unsigned int len;

	assert_non_null(HMAC(EVP_sha384(), key, key_len, text->p, text->len, out, &len));
	assert_int_equal(len, NH);
}

/* HKDF-Extract(salt, "HPKE-v1" | suite | label | ikm) */
static void extract(struct fw_bytes salt, struct fw_bytes suite, const char *label,
		    struct fw_bytes ikm, uint8_t *out)
{
	static const uint8_t zeroes[NH];
	struct buffer b = { .len = 0 };

	add(&b, "HPKE-v1", 7);
	add(&b, suite.p, suite.len);
	add(&b, label, strlen(label));
	add(&b, ikm.p, ikm.len);
	mac(salt.len ? salt.p : zeroes, salt.len ? salt.len : NH, &b, out);
}

/* HKDF-Expand of at most one block: HMAC(prk, length | "HPKE-v1" | suite | label | info | 1) */
static void expand(const uint8_t *prk, struct fw_bytes suite, const char *label,
		   struct fw_bytes info, uint8_t *out, size_t len)
{
	uint8_t l[2] = { 0, len }, one = 1, block[NH];
	struct buffer b = { .len = 0 };

	add(&b, l, 2);
	add(&b, "HPKE-v1", 7);
	add(&b, suite.p, suite.len);
	add(&b, label, strlen(label));
	add(&b, info.p, info.len);
	add(&b, &one, 1);
	mac(prk, NH, &b, block);
	memcpy(out, block, len);
}

static void ecdh(EVP_PKEY *sk, EVP_PKEY *pk, struct buffer *b)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, sk, NULL);
	uint8_t z[48];
	size_t len = sizeof(z);

	assert_true(EVP_PKEY_derive_init(ctx) > 0);
	assert_true(EVP_PKEY_derive_set_peer(ctx, pk) > 0);
	assert_true(EVP_PKEY_derive(ctx, z, &len) > 0);
	assert_int_equal(len, 48);
	add(b, z, len);
	EVP_PKEY_CTX_free(ctx);
}

/* A key of the default library: those under test live in a context of their own. */
static EVP_PKEY *p384_key(void)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");

	assert_non_null(key);
	return key;
}

static void test_p384(void **state)
{
	struct fw_bytes kem = hex("4b454d0011"), suite = hex("48504b45001100020002");
	struct fw_hpke_keys keys = keys_of(true);
	EVP_PKEY *e = p384_key(), *r = p384_key(), *s = p384_key();
	struct fw_bytes pk_r = public_of(p384, r), pk_s = public_of(p384, s), out;
	uint8_t enc[FW_HPKE_ENC_MAX], prk[NH], shared[NH], secret[NH], key[32], nonce[12], exp[NH];
	uint8_t sealed[64], exported[NH], hash[2][NH], mode = 3;
	struct fw_mech_params p = {
		.have = HAVE(IV) | HAVE(AAD) | HAVE(TAG_BITS), .tag_bits = 128,
	};
	struct buffer dh = { .len = 0 }, context = { .len = 0 }, schedule = { .len = 0 };
	struct fw_hpke *hpke;
	struct fw_key *aes;
	size_t enc_len;
	int n;

	(void)state;
	assert_ok(fw_hpke_sender(p384, pk_r, &keys, s, e, enc, &enc_len, &hpke));
	assert_int_equal(enc_len, 97);
	assert_bytes(BYTES(enc, enc_len), public_of(p384, e));
	/* AuthEncap, section 4.1 */
	ecdh(e, r, &dh);
	ecdh(s, r, &dh);
	add(&context, enc, enc_len);
	add(&context, pk_r.p, pk_r.len);
	add(&context, pk_s.p, pk_s.len);
	extract(NONE, kem, "eae_prk", BYTES(dh.p, dh.len), prk);
	expand(prk, kem, "shared_secret", BYTES(context.p, context.len), shared, NH);
	/* KeySchedule, section 5.1 */
	extract(NONE, suite, "psk_id_hash", keys.psk_id, hash[0]);
	extract(NONE, suite, "info_hash", keys.info, hash[1]);
	add(&schedule, &mode, 1);
	add(&schedule, hash, sizeof(hash));
	extract(BYTES(shared, NH), suite, "secret", keys.psk, secret);
	expand(secret, suite, "key", BYTES(schedule.p, schedule.len), key, 32);
	expand(secret, suite, "base_nonce", BYTES(schedule.p, schedule.len), nonce, 12);
	expand(secret, suite, "exp", BYTES(schedule.p, schedule.len), exp, NH);
	/* Seal, section 5.2: AES-256-GCM with the number in the nonce */
	aes = secret_key(CKK_AES, BYTES(key, 32));
	for (n = 0; n < 3; n++) {
		p.iv = flipped(BYTES(nonce, 12), 11, 0);
		if (n == 0)
			p.iv = BYTES(nonce, 12);
		else if (n == 2)
			p.iv = flipped(BYTES(nonce, 12), 11, 1);
		p.aad = TEXT("aad");
		assert_ok(once(PCIEHSM_FN_ENCRYPT, CKM_AES_GCM, &p, aes, TEXT("a secret"), &out));
		assert_ok(fw_hpke_seal(hpke, TEXT("aad"), TEXT("a secret"), sealed));
		assert_bytes(BYTES(sealed, 8 + 16), out);
	}
	/* Export, section 5.3 */
	assert_ok(fw_hpke_export(hpke, TEXT("context"), exported, NH));
	expand(exp, suite, "sec", TEXT("context"), key, 32);
	assert_ok(fw_hpke_export(hpke, TEXT("context"), exported, 32));
	assert_bytes(BYTES(exported, 32), BYTES(key, 32));
	fw_key_unref(aes);
	fw_hpke_free(hpke);
	EVP_PKEY_free(e);
	EVP_PKEY_free(r);
	EVP_PKEY_free(s);
}

/* ---- what must not open ---- */

static void test_open_failures(void **state)
{
	uint8_t a[64], b[64], out[64];
	struct fw_bytes plain = TEXT("a secret"), first, second;
	struct pair p;
	size_t i;

	(void)state;
	open_pair(&vectors[2], &p);
	assert_ok(fw_hpke_seal(p.sender, TEXT("aad"), plain, a));
	assert_ok(fw_hpke_seal(p.sender, TEXT("aad"), plain, b));
	first = BYTES(a, plain.len + 16);
	second = BYTES(b, plain.len + 16);
	/* Out of order, changed, cut, with other associated data; then it opens still */
	assert_rv(fw_hpke_open(p.recipient, TEXT("aad"), second, out), CKR_ENCRYPTED_DATA_INVALID);
	for (i = 0; i < first.len; i++) {
		memset(out, 0x55, sizeof(out));
		assert_rv(fw_hpke_open(p.recipient, TEXT("aad"), flipped(first, i, 4), out),
			  CKR_ENCRYPTED_DATA_INVALID);
		assert_int_equal(out[0], 0);
		assert_rv(fw_hpke_open(p.recipient, TEXT("aad"), BYTES(a, i), out),
			  CKR_ENCRYPTED_DATA_INVALID);
	}
	assert_rv(fw_hpke_open(p.recipient, TEXT("aae"), first, out), CKR_ENCRYPTED_DATA_INVALID);
	assert_ok(fw_hpke_open(p.recipient, TEXT("aad"), first, out));
	assert_bytes(BYTES(out, plain.len), plain);
	/* Not twice */
	assert_rv(fw_hpke_open(p.recipient, TEXT("aad"), first, out), CKR_ENCRYPTED_DATA_INVALID);
	/* In its own place */
	assert_ok(fw_hpke_open(p.recipient, TEXT("aad"), second, b));
	assert_bytes(BYTES(b, plain.len), plain);
	/* Nothing at all */
	assert_ok(fw_hpke_seal(p.sender, NONE, NONE, a));
	assert_ok(fw_hpke_open(p.recipient, NONE, BYTES(a, 16), out));
	close_pair(&p);
}

/* Each thing that both ends must agree on */
static void test_disagreement(void **state)
{
	const struct vector *v = &vectors[2];
	struct fw_bytes enc_of_other;
	uint8_t sealed[64], out[64];
	struct fw_hpke_keys keys;
	struct fw_hpke *hpke;
	struct pair p, q;
	int i;

	(void)state;
	open_pair(v, &p);
	open_pair(&vectors[1], &q);
	enc_of_other = q.enc;
	assert_ok(fw_hpke_seal(p.sender, NONE, TEXT("a secret"), sealed));
	for (i = 0; i < 8; i++) {
		struct fw_hpke_suite suite = v->suite;
		struct fw_bytes pk_s = p.pk_s, enc = p.enc;
		EVP_PKEY *own = p.r;

		keys = keys_of(true);
		switch (i) {
		case 1:
			keys.info = flipped(keys.info, 0, 0);
			break;
		case 2:
			keys.psk = flipped(keys.psk, 0, 0);
			break;
		case 3:
			keys.psk_id = flipped(keys.psk_id, 0, 0);
			break;
		case 4:
			pk_s = q.pk_s;
			break;
		case 5:
			enc = enc_of_other;
			break;
		case 6:
			own = q.r;
			break;
		case 7:
			pk_s = NONE;
			break;
		}
		assert_ok(fw_hpke_recipient(suite, enc, own, &keys, pk_s, &hpke));
		assert_rv(fw_hpke_open(hpke, NONE, BYTES(sealed, 24), out),
			  i ? CKR_ENCRYPTED_DATA_INVALID : CKR_OK);
		fw_hpke_free(hpke);
	}
	close_pair(&p);
	close_pair(&q);
}

static void test_bad_input(void **state)
{
	static const struct fw_hpke_suite wrong[] = {
		{ 0x0020, FW_HPKE_KDF_SHA256, FW_HPKE_AEAD_AES128 },
		{ FW_HPKE_KEM_P256, 0, FW_HPKE_AEAD_AES128 },
		{ FW_HPKE_KEM_P256, 4, FW_HPKE_AEAD_AES128 },
		{ FW_HPKE_KEM_P256, FW_HPKE_KDF_SHA256, 3 },
		{ FW_HPKE_KEM_P256, FW_HPKE_KDF_SHA256, 0xffff },
	};
	uint8_t enc[FW_HPKE_ENC_MAX];
	struct fw_hpke_keys keys;
	struct fw_hpke *hpke;
	EVP_PKEY *key;
	struct pair p;
	size_t len, i;

	(void)state;
	open_pair(&vectors[2], &p);
	keys = keys_of(true);
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_rv(fw_hpke_sender(wrong[i], p.pk_r, &keys, p.s, NULL, enc, &len, &hpke),
			  CKR_MECHANISM_INVALID);
		assert_rv(fw_hpke_recipient(wrong[i], p.enc, p.r, &keys, p.pk_s, &hpke),
			  CKR_MECHANISM_INVALID);
		assert_rv(fw_hpke_generate(wrong[i], &key), CKR_MECHANISM_INVALID);
		assert_rv(fw_hpke_keypair(wrong[i], NONE, &key), CKR_MECHANISM_INVALID);
	}
	/* Points that are none */
	for (i = 0; i < p.pk_r.len; i += 8) {
		assert_rv(fw_hpke_sender(vectors[2].suite, flipped(p.pk_r, i, 0), &keys, p.s, NULL,
					 enc, &len, &hpke), CKR_PUBLIC_KEY_INVALID);
		assert_rv(fw_hpke_sender(vectors[2].suite, BYTES(p.pk_r.p, i), &keys, p.s, NULL,
					 enc, &len, &hpke), CKR_PUBLIC_KEY_INVALID);
		assert_rv(fw_hpke_recipient(vectors[2].suite, flipped(p.enc, i, 0), p.r, &keys,
					    p.pk_s, &hpke), CKR_PUBLIC_KEY_INVALID);
		assert_rv(fw_hpke_recipient(vectors[2].suite, p.enc, p.r, &keys,
					    flipped(p.pk_s, i, 0), &hpke), CKR_PUBLIC_KEY_INVALID);
	}
	/* A key of another curve than the suite's */
	assert_rv(fw_hpke_sender(p384, p.pk_r, &keys, p.s, NULL, enc, &len, &hpke),
		  CKR_PUBLIC_KEY_INVALID);
	/* PSK without its name, the reverse, and one too short */
	keys.psk_id = NONE;
	assert_rv(fw_hpke_sender(vectors[2].suite, p.pk_r, &keys, p.s, NULL, enc, &len, &hpke),
		  CKR_ARGUMENTS_BAD);
	keys = keys_of(true);
	keys.psk = NONE;
	assert_rv(fw_hpke_sender(vectors[2].suite, p.pk_r, &keys, p.s, NULL, enc, &len, &hpke),
		  CKR_ARGUMENTS_BAD);
	keys.psk = pattern(31);
	assert_rv(fw_hpke_recipient(vectors[2].suite, p.enc, p.r, &keys, p.pk_s, &hpke),
		  CKR_ARGUMENTS_BAD);
	close_pair(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_p384),
		cmocka_unit_test(test_open_failures),
		cmocka_unit_test(test_disagreement),
		cmocka_unit_test(test_bad_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
