// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The maker's root of emulated cards, with its private key. THE KEY IS PUBLIC: a
 * certificate from it proves that a card was made by this emulation, and nothing else,
 * least of all that its keys are safe. A maker of real cards puts a certificate
 * of his own in place of this one, leaves fw_maker_key empty, and certifies
 * each card with a key that never leaves his premises.
 */
#include "crypto/maker_root.h"

const char fw_maker_root_pem[] =
	"-----BEGIN CERTIFICATE-----\n"
	"MIICLzCCAbSgAwIBAgIBATAKBggqhkjOPQQDAzBfMRAwDgYDVQQKDAdwY2llaHNt\n"
	"MSQwIgYDVQQLDBtrZXkgcHVibGlzaGVkIGluIHRoZSBzb3VyY2UxJTAjBgNVBAMM\n"
	"HHBjaWVoc20gZW11bGF0aW9uIG1ha2VyIHJvb3QwIBcNMDAwMTAxMDAwMDAwWhgP\n"
	"OTk5OTEyMzEyMzU5NTlaMF8xEDAOBgNVBAoMB3BjaWVoc20xJDAiBgNVBAsMG2tl\n"
	"eSBwdWJsaXNoZWQgaW4gdGhlIHNvdXJjZTElMCMGA1UEAwwccGNpZWhzbSBlbXVs\n"
	"YXRpb24gbWFrZXIgcm9vdDB2MBAGByqGSM49AgEGBSuBBAAiA2IABMzmCNvNOWsD\n"
	"OJtOFFgzm0SXOACB42hWXUGxLNvGFQ2miBvpPatWkAZ/DA5z7mUZCgOkp+ioz562\n"
	"/w+1/7I+57rKTQ7ajxl9C8GAX+R6rcWaVBcLOoPdh/ZTHBfH5LySs6NCMEAwDwYD\n"
	"VR0TAQH/BAUwAwEB/zAOBgNVHQ8BAf8EBAMCAQYwHQYDVR0OBBYEFCOGyThcKfNH\n"
	"Mi2wo8Xbm4TmybzQMAoGCCqGSM49BAMDA2kAMGYCMQCRz8l3ETHuKlgoVdJNQ/Kn\n"
	"8eNX7e8hSH3BcyljZMxtSi86BUBmu2gajeBKoKtK2jMCMQDNKUau+p6IWudK5TFA\n"
	"dnh7Y6DoxW13/ddh+1a4SDiRgn4v8VyerMpayFBfaS7brpA=\n"
	"-----END CERTIFICATE-----\n";

const uint8_t fw_maker_key[FW_MAKER_KEY_LEN] = {
	0x4f, 0x21, 0x21, 0x00, 0x2f, 0x90, 0xc6, 0xd0, 0xc8, 0x66, 0xab, 0x3b,
	0x7d, 0x72, 0xc3, 0xf2, 0x6b, 0xec, 0x06, 0x65, 0xa3, 0x10, 0x64, 0x83,
	0x36, 0x58, 0xd6, 0xec, 0x86, 0xdd, 0xf2, 0xf6, 0xb8, 0xe7, 0x10, 0x29,
	0x64, 0xe1, 0xeb, 0x20, 0xb4, 0xb5, 0x6b, 0xf7, 0x41, 0xae, 0xc3, 0xee,
};
