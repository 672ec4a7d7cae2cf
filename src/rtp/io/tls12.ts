import { Buffer } from "node:buffer";
import { createHash, createHmac, createVerify, X509Certificate } from "node:crypto";
import { constants } from "node:crypto";

/**
 * The parts of TLS 1.2 (RFC 5246) that decide whether the other side of a finished DTLS handshake
 * is who its certificate says. The DTLS library leaves them out on the server's side.
 */

/** The pseudorandom function (RFC 5246 5). @param hash that of the cipher suite */
export function prf(
  secret: Uint8Array,
  label: string,
  seed: Uint8Array,
  length: number,
  hash: "sha256" | "sha384" = "sha256",
): Buffer {
  const labelled = Buffer.concat([Buffer.from(label, "latin1"), seed]);
  const hmac = (data: Uint8Array) => createHmac(hash, secret).update(data).digest();
  const parts: Buffer[] = [];
  let a: Buffer = labelled;
  for (let have = 0; have < length; have += parts.at(-1)!.length) {
    a = hmac(a);
    parts.push(hmac(Buffer.concat([a, labelled])));
  }
  return Buffer.concat(parts).subarray(0, length);
}

/** `verify_data` of the client's Finished (RFC 5246 7.4.9). */
export function clientVerifyData(masterSecret: Uint8Array, messages: Uint8Array): Buffer {
  return prf(masterSecret, "client finished", createHash("sha256").update(messages).digest(), 12);
}

/** Hashes of `SignatureAndHashAlgorithm` (RFC 5246 7.4.1.4.1) that still mean something. */
const HASHES: Readonly<Record<number, string>> = { 4: "sha256", 5: "sha384", 6: "sha512" };
const RSA = 1;
const ECDSA = 3;
/** `rsa_pss_rsae_sha256`, `384`, `512` (RFC 8446 4.2.3) have 8 for the hash. */
const PSS = 8;

/**
 * Whether a CertificateVerify message proves possession of the certificate's private key.
 * @param body algorithm (2 bytes), length (2), signature
 * @param messages all handshake messages before it
 */
export function certificateVerifyFits(
  certificateDer: Uint8Array,
  body: Uint8Array,
  messages: Uint8Array,
): boolean {
  if (body.length < 4 || body.length !== 4 + ((body[2]! << 8) | body[3]!)) return false;
  const key = new X509Certificate(Buffer.from(certificateDer)).publicKey;
  const isPss = body[0] === PSS;
  const hash = HASHES[isPss ? body[1]! : body[0]!];
  const type = isPss ? RSA : body[1];
  if (hash === undefined) return false;
  if (key.asymmetricKeyType !== (type === ECDSA ? "ec" : type === RSA ? "rsa" : "")) return false;
  const verify = createVerify(hash).update(messages);
  const signature = body.subarray(4);
  return isPss
    ? verify.verify({ key, padding: constants.RSA_PKCS1_PSS_PADDING }, signature)
    : verify.verify(key, signature);
}

/** Fingerprint algorithms (RFC 8122 5) that are taken as proof. */
const FINGERPRINTS: Readonly<Record<string, string>> = {
  "sha-256": "sha256",
  "sha-384": "sha384",
  "sha-512": "sha512",
};

export function fingerprintOf(certificateDer: Uint8Array, hash: string): string {
  const digest = createHash(hash).update(certificateDer).digest("hex").toUpperCase();
  return digest.match(/../g)!.join(":");
}

/** Whether a certificate has one of the fingerprints that its SDP promised. */
export function fingerprintFits(
  certificateDer: Uint8Array,
  promised: readonly { readonly algorithm: string; readonly value: string }[],
): boolean {
  return promised.some(({ algorithm, value }) => {
    const hash = FINGERPRINTS[algorithm.toLowerCase()];
    return hash !== undefined && fingerprintOf(certificateDer, hash) === value.toUpperCase();
  });
}
