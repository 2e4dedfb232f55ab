// SPDX-License-Identifier: GPL-2.0-or-later
/* Known answers at power-on of RSA: PKCS #1 v1.5, PSS and OAEP */
#include <string.h>

#include "crypto/internal.h"
#include "crypto/selftest.h"

/* modulus, exponents, primes, and what follows from them */
#define FW_RSA_PARTS	8

struct fw_rsa_part {
	CK_ULONG	type;
	const char	*hex;
};

/* RFC 7515, A.2: key and signature of the text; primes as in that key's JWK */
static const struct fw_rsa_part fw_rsa_rfc[FW_RSA_PARTS] = {
	{ CKA_MODULUS,
	  "a1f8160ae2e3c9b465ce8d2d656263362b927dbe29e1f02477fc1625cc90a136"
	  "e38bd93497c5b6ea63dd7711e67c7429f956b0fb8a8f089adc4b69893cc1333f"
	  "53edd019b87784252fec914fe4857769594bea4280d32c0f55bf62944f130396"
	  "bc6e9bdf6ebdd2bda3678eeca0c668f701b38dbffb38c8342ce2fe6d27fade4a"
	  "5a4874979dd4b9cf9adec4c75b05852c2c0f5ef8a5c1750392f944e8ed64c110"
	  "c6b647609aa4783aeb9c6c9ad755313050638b83665c6f6f7a82a396702a1f64"
	  "1b82d3ebf2392219491fb686872c5716f50af8358d9a8b9d17c340728f7f87d8"
	  "9a18d8fcab67ad84590c2ecf759339363c07034d6f606f9e21e05456cae5e9a1" },
	{ CKA_PUBLIC_EXPONENT,
	  "010001" },
	{ CKA_PRIVATE_EXPONENT,
	  "12ae71a469cd0a2bc37e526c4500571f1d61751d64e949707b62590f9d0ba57c"
	  "963c401e3fcf2f2cd3bdec88e503bfc6439b0b28c82f7d3797671f5213eed8c1"
	  "5a25d8d5cea0025ee3ab2e8b7f79216fc63bea562753b40644c6a15127d9b295"
	  "4540a0bbe1a30556982d4e9fde5f6425f14d4b713441b55dc73b9b4aedcc92ac"
	  "e3927e37f57d0cfd5e7581fa512c8f4961a9eb0b80f8a80746728a55ff46471f"
	  "3425063b9d53642f5ede1e84d613081afa5c22d051285bd63b943b565d898a05"
	  "685413e53c3c6c6525ff1fe34e3ddc70f0d56450fda48ba12e104e9deb9fb818"
	  "81e1c4bdf25d9247f450c865927968e77334f4414f75a750e139546e3a8a739d" },
	{ CKA_PRIME_1,
	  "e01cc410eb48a6655d54464d0aa4bb6da0b872b774a6a9d11ffe480778f0ddb7"
	  "311a7e902ef9c4b5f75476262ba8176cb35979f014372a1a2829e4136bd001d0"
	  "7c3f3f2e4f25d4c934f63c7109fba2e67628a0dc9a73c6058e6def22dcd50950"
	  "e711ddc16d5586f2a7fa75ea8494c18083e0b65742f8a0d5e73fb2d970f01947" },
	{ CKA_PRIME_2,
	  "b903c47e0995b632f4532cb1f3c199145d5f3ae9c7dfeedc7a92a6b47e29c61b"
	  "42a07aa95a64fc600999c5a7b01e01c08cb62ca756527bbcc56078fb0baba5ed"
	  "38de2d07990ff6300faeadeb6c039a97bf1e507e4e7040fa78db8257c8b112ed"
	  "5e59c3cd092fe5d4e5b51275d41281072a5e785ebaf3dae3709203133f5159d7" },
	{ CKA_EXPONENT_1,
	  "07029f577024ab9fcc1590c56429d6fb0ce5f820a8f375a866f9cb430093783b"
	  "fcbb396e4529e6ef52374022dd86ba84d9ef58931beec5d05fa53fcf23b633f8"
	  "538a9eed51e87b097830a39f5d92937be6024b55db36f7e0c09dcbb72975387f"
	  "615afbb6cb36bbabe7793c2b03ceab66dbb931baf50b55ec9af9311d001d628d" },
	{ CKA_EXPONENT_2,
	  "87ff7afa62b547fee0961b2e9bcd5d6718d39d8ca73db6691f38998de7877176"
	  "2c5da68cc243a5383b166bb23dc570e84706ca801ef5f6bae6236a0aafa3770e"
	  "8f54d1a8da1c5f8d2899f082331ddb0f5c8f3dfffa4c8d97102bdafe082a118d"
	  "a6633988880e4b55599ce67af26ebfa5b2c14a9de7b2c4dd96abddd2d2224c75" },
	{ CKA_COEFFICIENT,
	  "21877b0c73a1ad6bf19303d0b11336b4e82b8db72b7efb50262a5df8395cc725"
	  "6eb8cf6c40b7608d5936a32dba174126a527062ead8ca305fb7e177f409437c9"
	  "dcb9718ed82018bcef0f7720a2c475f9db26da0e3cb516d084eb25178e828d5c"
	  "abd49bb3161ac0181fa7f821e80e7ad37936f9943054ad092921ee2c592e4375" },
};

static const char fw_rsa_text[] =
	"eyJhbGciOiJSUzI1NiJ9"
	"."
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
	"cGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
static const char fw_rsa_sig[] =
	"702e218943e88fd11eb5d82dbf7845f34106ae1b81fff7731116add1717d8365"
	"6d420afd3c96eedd73a2663e5166687b000b87226e0187ed1073f945e582adfc"
	"ef16d85a798ee8c66ddb3db8975b17d09402beedd5d9d97007108db28160d5f8"
	"040ca7445762b81fbe7ff9d92e0ae76f24f25b33bbe6f44ae61eb1040acb2004"
	"4d3ef9128ed40130795bd4bd3b41eecad066ab651981fde48df77f372dc38b9f"
	"afdd3befb18b5da3cc3c2eb02f9e3a41d612caad15911273a05f23b9e838faaf"
	"849d698429ef5a1e88798236c3d40e604522a544c8f27a7a2db80663d16cf7ca"
	"ea56de405cb2215a45b2c25566b55ac1a748a070dfc8a32a469543d019eefb47";

/* Wycheproof, rsa_oaep_2048_sha256_mgf1sha256_test.json */
static const struct fw_rsa_part fw_rsa_wycheproof[FW_RSA_PARTS] = {
	{ CKA_MODULUS,
	  "a2b451a07d0aa5f96e455671513550514a8a5b462ebef717094fa1fee82224e6"
	  "37f9746d3f7cafd31878d80325b6ef5a1700f65903b469429e89d6eac8845097"
	  "b5ab393189db92512ed8a7711a1253facd20f79c15e8247f3d3e42e46e48c98e"
	  "254a2fe9765313a03eff8f17e1a029397a1fa26a8dce26f490ed81299615d981"
	  "4c22da610428e09c7d9658594266f5c021d0fceca08d945a12be82de4d1ece6b"
	  "4c03145b5d3495d4ed5411eb878daf05fd7afc3e09ada0f1126422f590975a19"
	  "69816f48698bcbba1b4d9cae79d460d8f9f85e7975005d9bc22c4e5ac0f7c1a4"
	  "5d12569a62807d3b9a02e5a530e773066f453d1f5b4c2e9cf7820283f742b9d5" },
	{ CKA_PUBLIC_EXPONENT,
	  "010001" },
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

/* Of "Test": Wycheproof, rsa_pss_2048_sha256_mgf1_32_test.json, 3 */
static const char fw_pss_sig[] =
	"401eb03cdb47ca88033e3030f6bdecbac8f5c8fc1dd6a13d23d379ed9a2b3098"
	"91d13d74fea9d21d159b9e6d8f37efa2489962e24555f56dd434ff1d31ce4f9f"
	"5abd3f22cbea8b691d6a11e44efb83e2bca155e6a164325e0fde2a8865afd5c9"
	"f51161a9d615f62af7ec2e31b3e5ab649c164490d31d88cfae35b84aea792569"
	"0f929a144b6d2f48e8fb894a52deecd1b9a6496990c4ecf1588699a42cacd10c"
	"53af350514e4291ea9a058e77f101e32c1c0cefa61d945f7bc931f8bd19e7ba3"
	"169358a60e5a8b0123bc3199b9fdcafe8e519c41ba675491a27b85e44ef2d772"
	"77c10fe107293c8290186913bc9a99b640d8da041b64f31eab1d35920985f4a5";

/* Of "Test": Wycheproof, rsa_oaep_2048_sha256_mgf1sha256_test.json, 3 */
static const char fw_oaep_sealed[] =
	"5eab3f0741e63986ed647d53e1cd71df041986900803d0f99c68355d249a15a4"
	"7dc5b4f70a191477654299e5a2731f3b4eec76dea18262fc696ac794e5f66cbf"
	"cddac4472c578e246c26707598055584540b839836b1404c5611ae558a984cee"
	"8fd036cea924e0be2474a940f61e0acc14fcae95ebdc59942a9ce9af9a9c8199"
	"9f7f6815f057ffdc2533cb15d6391d1e2d95f16f9c04209c889a4c359c7d2926"
	"d28a66e2b030a416b928d2825627998e5191fb4983a6e65024262d94fc09187a"
	"2d78162122433251d1bfcc8e507d06eba2d229c10031261da32ab8ccd15f1c5f"
	"9fbf07ed158483d736a110af4b44d6a4da60d6cb519b4454213cf9f0dc560f2b";

static bool fw_rsa_keys(const struct fw_rsa_part *parts, struct fw_key **pub_key,
			struct fw_key **priv_key)
{
	struct fw_attrs pub = { 0 }, priv = { 0 };
	bool ok = true;
	size_t i;

	for (i = 0; i < FW_RSA_PARTS; i++)
		ok = ok && fw_put_hex(&priv, parts[i].type, parts[i].hex) &&
		     fw_put_hex(&pub, parts[i].type, parts[i].hex);
	ok = ok && fw_pair_keys(&pub, &priv, CKK_RSA, pub_key, priv_key);
	fw_attrs_wipe(&pub);
	fw_attrs_wipe(&priv);
	return ok;
}

static bool fw_test_pkcs1(struct fw_key *pub, struct fw_key *priv)
{
	struct fw_bytes text = { (const uint8_t *)fw_rsa_text, sizeof(fw_rsa_text) - 1 };
	uint8_t out[FW_KAT_MAX], sig[FW_KAT_MAX];
	size_t len;

	return fw_signs(CKM_SHA256_RSA_PKCS, NULL, priv, text, out, &len) &&
	       fw_same(out, len, fw_rsa_sig) &&
	       fw_verifies(CKM_SHA256_RSA_PKCS, NULL, pub, text, fw_unhex(fw_rsa_sig, sig));
}

static const struct fw_bytes fw_test_text = { (const uint8_t *)"Test", 4 };

/* It signs with a random salt: what is published verifies, and what it signs. */
static bool fw_test_pss(struct fw_key *pub, struct fw_key *priv)
{
	struct fw_mech_params p = {
		.have = FW_HAVE(PCIEHSM_F_P_HASH) | FW_HAVE(PCIEHSM_F_P_MGF) |
			FW_HAVE(PCIEHSM_F_P_SALT_LEN),
		.hash = CKM_SHA256, .mgf = CKG_MGF1_SHA256, .salt_len = 32,
	};
	uint8_t out[FW_KAT_MAX], sig[FW_KAT_MAX];
	struct fw_bytes made = { out, 0 };

	return fw_verifies(CKM_SHA256_RSA_PKCS_PSS, &p, pub, fw_test_text,
			   fw_unhex(fw_pss_sig, sig)) &&
	       fw_signs(CKM_SHA256_RSA_PKCS_PSS, &p, priv, fw_test_text, out, &made.len) &&
	       fw_verifies(CKM_SHA256_RSA_PKCS_PSS, &p, pub, fw_test_text, made);
}

static bool fw_opens(const struct fw_mech_params *p, struct fw_key *key, struct fw_bytes sealed)
{
	uint8_t out[FW_KAT_MAX];
	size_t len = sizeof(out);

	return fw_op_once(PCIEHSM_FN_DECRYPT, CKM_RSA_PKCS_OAEP, p, key, sealed.p, sealed.len,
			  NULL, out, &len) == CKR_OK &&
	       len == fw_test_text.len && !memcmp(out, fw_test_text.p, len);
}

/* It encrypts with random bytes, too. */
static bool fw_test_oaep(struct fw_key *pub, struct fw_key *priv)
{
	struct fw_mech_params p = {
		.have = FW_HAVE(PCIEHSM_F_P_HASH) | FW_HAVE(PCIEHSM_F_P_MGF),
		.hash = CKM_SHA256, .mgf = CKG_MGF1_SHA256,
	};
	uint8_t out[FW_KAT_MAX], sealed[FW_KAT_MAX];
	struct fw_bytes made = { out, sizeof(out) };

	return fw_opens(&p, priv, fw_unhex(fw_oaep_sealed, sealed)) &&
	       fw_op_once(PCIEHSM_FN_ENCRYPT, CKM_RSA_PKCS_OAEP, &p, pub, fw_test_text.p,
			  fw_test_text.len, NULL, out, &made.len) == CKR_OK &&
	       fw_opens(&p, priv, made);
}

const char *fw_selftest_rsa(void)
{
	static const struct {
		const char			*name;
		const struct fw_rsa_part	*key;
		bool				(*run)(struct fw_key *pub, struct fw_key *priv);
	} tests[] = {
		{ "RSA", fw_rsa_rfc, fw_test_pkcs1 },
		{ "RSA-PSS", fw_rsa_wycheproof, fw_test_pss },
		{ "RSA-OAEP", fw_rsa_wycheproof, fw_test_oaep },
	};
	size_t i;
	bool ok;

	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		struct fw_key *pub = NULL, *priv = NULL;

		ok = fw_rsa_keys(tests[i].key, &pub, &priv) && tests[i].run(pub, priv);
		fw_key_unref(pub);
		fw_key_unref(priv);
		if (!ok)
			return tests[i].name;
	}
	return NULL;
}
