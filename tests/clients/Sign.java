// SPDX-License-Identifier: GPL-2.0-or-later
// Signs with a key of a PKCS#11 token until a file appears, and verifies each signature.
import java.io.File;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Provider;
import java.security.Security;
import java.security.Signature;
import java.security.cert.Certificate;

public class Sign {
	public static void main(String[] args) throws Exception {
		Provider provider = Security.getProvider("SunPKCS11").configure(args[0]);
		File stop = new File(args[2]);
		char[] pin = System.getenv("PIN").toCharArray();
		int signed = 0;

		Security.addProvider(provider);
		KeyStore store = KeyStore.getInstance("PKCS11", provider);
		store.load(null, pin);
		PrivateKey key = (PrivateKey)store.getKey(args[1], pin);
		Certificate certificate = store.getCertificate(args[1]);
		System.out.println("ready");
		while (!stop.exists()) {
			byte[] data = ("message " + signed).getBytes(StandardCharsets.UTF_8);
			Signature signer = Signature.getInstance("SHA256withECDSA", provider);
			signer.initSign(key);
			signer.update(data);
			byte[] signature = signer.sign();
			Signature verifier = Signature.getInstance("SHA256withECDSA");
			verifier.initVerify(certificate.getPublicKey());
			verifier.update(data);
			if (!verifier.verify(signature))
				throw new Exception("signature " + signed + " is wrong");
			signed++;
		}
		System.out.println(signed + " signatures");
	}
}
