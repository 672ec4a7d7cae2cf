import type { Arena } from "./arena.ts";
import type { Libcrypto } from "./libcrypto.ts";

/** What one protection profile asks of keys (RFC 3711 8.2, RFC 7714 12). */
export interface ProfileFacts {
  readonly isGcm: boolean;
  readonly keyLength: 16 | 32;
  readonly saltLength: 12 | 14;
  /** Bytes of the tag behind RTP and in RTCP. */
  readonly rtpTag: number;
  readonly rtcpTag: number;
}

/** Session keys of one protocol in one direction; `authentication` is empty for GCM. */
export interface SessionKeys {
  readonly encryption: Uint8Array;
  readonly authentication: Uint8Array;
  readonly salt: Uint8Array;
}

/** Length of the longest key, HMAC-SHA1's. */
const MAX_DERIVED = 32;

/**
 * Key derivation of RFC 3711 4.3.1 at rate 0, with AES-256 in counter mode for 256-bit keys and the
 * 96-bit salt padded by zeros on the right for GCM (RFC 7714 11).
 * @param firstLabel 0 for SRTP, 3 for SRTCP
 */
export function deriveSessionKeys(
  library: Libcrypto,
  arena: Arena,
  work: number,
  facts: ProfileFacts,
  masterKey: Uint8Array,
  masterSalt: Uint8Array,
  firstLabel: 0 | 3,
): SessionKeys {
  const [key, iv, out, written] = [work, work + 32, work + 48, work + 80];
  const context = BigInt(library.EVP_CIPHER_CTX_new());
  const derive = (label: number, length: number): Uint8Array => {
    arena.bytes.fill(0, iv, out + MAX_DERIVED);
    arena.bytes.set(masterSalt, iv);
    arena.bytes[iv + 7]! ^= label;
    const at = arena.address(out);
    library.EVP_EncryptInit_ex(context, 0n, 0n, 0n, arena.address(iv));
    library.EVP_EncryptUpdate(context, at, arena.address(written), at, length);
    return arena.bytes.slice(out, out + length);
  };
  arena.bytes.set(masterKey, key);
  const cipher = facts.keyLength === 16 ? library.EVP_aes_128_ctr() : library.EVP_aes_256_ctr();
  library.EVP_EncryptInit_ex(context, BigInt(cipher), 0n, arena.address(key), 0n);
  const keys = {
    encryption: derive(firstLabel, facts.keyLength),
    authentication: facts.isGcm ? new Uint8Array(0) : derive(firstLabel + 1, 20),
    salt: derive(firstLabel + 2, facts.saltLength),
  };
  library.EVP_CIPHER_CTX_free(context);
  arena.bytes.fill(0, work, work + WORK_LENGTH);
  return keys;
}

/** Bytes that `deriveSessionKeys` needs at `work`; wiped before it returns. */
export const WORK_LENGTH = 88;
