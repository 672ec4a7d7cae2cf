import { createDecipheriv } from "node:crypto";
import { RECORD_HEADER } from "../dtls/records.ts";
import { prf } from "./tls12.ts";

const TAG = 16;
/** Bytes of a nonce that stand in the record, in front of what is enciphered (RFC 5288 3). */
const EXPLICIT_NONCE = 8;
const ALERT = 21;
const FATAL = 2;
const CLOSE_NOTIFY = 0;

interface Suite {
  readonly cipher: "aes-128-gcm" | "aes-256-gcm" | "chacha20-poly1305";
  readonly hash: "sha256" | "sha384";
  readonly key: number;
  readonly iv: number;
  readonly explicit: number;
}

const AES_128: Suite = {
  cipher: "aes-128-gcm",
  hash: "sha256",
  key: 16,
  iv: 4,
  explicit: EXPLICIT_NONCE,
};
const AES_256: Suite = { ...AES_128, cipher: "aes-256-gcm", hash: "sha384", key: 32 };
/** RFC 7905 2: the whole nonce is made of the sequence number. */
const CHACHA: Suite = { ...AES_128, cipher: "chacha20-poly1305", key: 32, iv: 12, explicit: 0 };

/** By their numbers in the registry of TLS: ECDHE with ECDSA and with RSA. */
const SUITES: Readonly<Record<number, Suite>> = {
  0xc02b: AES_128,
  0xc02f: AES_128,
  0xc02c: AES_256,
  0xc030: AES_256,
  0xcca8: CHACHA,
  0xcca9: CHACHA,
};

/** TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256. */
export const ECDSA_AES_128 = 0xc02b;

/**
 * Opens the records of a DTLS 1.2 client: all that is needed of an association once it is up
 * (RFC 5246 6.3, RFC 6347 4.1.2.1).
 */
export class ClientRecords {
  readonly #suite: Suite;
  readonly #key: Uint8Array;
  readonly #iv: Uint8Array;

  private constructor(suite: Suite, key: Uint8Array, iv: Uint8Array) {
    this.#suite = suite;
    this.#key = key;
    this.#iv = iv;
  }

  /** Null: the cipher suite is none that is known here. */
  static of(
    suiteNumber: number,
    masterSecret: Uint8Array,
    clientRandom: Uint8Array,
    serverRandom: Uint8Array,
  ): ClientRecords | null {
    const suite = SUITES[suiteNumber];
    if (suite === undefined) return null;
    const { key, iv, hash } = suite;
    const seed = new Uint8Array([...serverRandom, ...clientRandom]);
    // Write keys of client and server, then their IVs (RFC 5246 6.3); no MAC keys with AEAD.
    const block = prf(masterSecret, "key expansion", seed, 2 * (key + iv), hash);
    const client = new ClientRecords(
      suite,
      Uint8Array.from(block.subarray(0, key)),
      Uint8Array.from(block.subarray(2 * key, 2 * key + iv)),
    );
    block.fill(0);
    return client;
  }

  /** What an authentic record holds, or null. @param record header and fragment */
  open(record: Uint8Array): Uint8Array | null {
    const { cipher: name, explicit } = this.#suite;
    const length = record.length - RECORD_HEADER - explicit - TAG;
    if (length < 0) return null;
    const about = Uint8Array.of(
      ...record.subarray(3, 11),
      ...record.subarray(0, 3),
      length >>> 8,
      length,
    );
    try {
      // Both modes have one interface; the types name them one by one.
      const cipher = createDecipheriv(name as "aes-128-gcm", this.#key, this.#nonce(record), {
        authTagLength: TAG,
      });
      cipher.setAAD(about);
      cipher.setAuthTag(record.subarray(record.length - TAG));
      const plain = cipher.update(record.subarray(RECORD_HEADER + explicit, record.length - TAG));
      cipher.final();
      return plain;
    } catch {
      return null;
    }
  }

  /** Description of an authentic alert that ends the association, or null. */
  closing(record: Uint8Array): number | null {
    if (record[0] !== ALERT) return null;
    const plain = this.open(record);
    if (plain?.length !== 2) return null;
    const [level, description] = [plain[0]!, plain[1]!];
    return level === FATAL || description === CLOSE_NOTIFY ? description : null;
  }

  #nonce(record: Uint8Array): Uint8Array {
    const { iv, explicit } = this.#suite;
    const nonce = new Uint8Array(12);
    nonce.set(this.#iv);
    if (explicit > 0) nonce.set(record.subarray(RECORD_HEADER, RECORD_HEADER + explicit), iv);
    else for (let i = 0; i < 8; i++) nonce[4 + i]! ^= record[3 + i]!;
    return nonce;
  }
}
