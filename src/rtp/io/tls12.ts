import { Buffer } from "node:buffer";
import {
  createDecipheriv,
  createHash,
  createHmac,
  createVerify,
  X509Certificate,
} from "node:crypto";
import { constants } from "node:crypto";

/**
 * The parts of TLS 1.2 (RFC 5246) that decide whether the other side of a finished DTLS handshake
 * is who its certificate says. The DTLS library leaves them out on the server's side.
 */

/** The pseudorandom function with SHA-256 (RFC 5246 5). */
export function prf(secret: Uint8Array, label: string, seed: Uint8Array, length: number): Buffer {
  const labelled = Buffer.concat([Buffer.from(label, "latin1"), seed]);
  const hmac = (data: Uint8Array) => createHmac("sha256", secret).update(data).digest();
  const parts: Buffer[] = [];
  let a: Buffer = labelled;
  for (let have = 0; have < length; have += 32) {
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

/** Opens alerts of the other side: TLS_*_WITH_AES_128_GCM_SHA256 records (RFC 5288 3). */
export class AlertReader {
  readonly #key: Buffer;
  readonly #iv: Buffer;

  constructor(masterSecret: Uint8Array, clientRandom: Uint8Array, serverRandom: Uint8Array) {
    const seed = Buffer.concat([serverRandom, clientRandom]);
    // client and server write keys of 16 bytes, then client and server IVs of 4 (RFC 5246 6.3).
    const block = prf(masterSecret, "key expansion", seed, 40);
    this.#key = Buffer.from(block.subarray(0, 16));
    this.#iv = Buffer.from(block.subarray(32, 36));
  }

  /** Description of an authentic alert, or null. @param record header and fragment */
  read(record: Uint8Array): number | null {
    const length = record.length - 13 - 8 - 16;
    if (length !== 2) return null;
    const nonce = Buffer.concat([this.#iv, record.subarray(13, 21)]);
    const about = Buffer.concat([
      record.subarray(3, 11),
      record.subarray(0, 3),
      Uint8Array.of(0, length),
    ]);
    try {
      const cipher = createDecipheriv("aes-128-gcm", this.#key, nonce);
      cipher.setAAD(about);
      cipher.setAuthTag(record.subarray(record.length - 16));
      const plain = Buffer.concat([cipher.update(record.subarray(21, 23)), cipher.final()]);
      return plain[1]!;
    } catch {
      return null;
    }
  }
}
