import {
  AEAD_AES_128_GCM,
  AEAD_AES_256_GCM,
  AES_CM_128_HMAC_SHA1_32,
  AES_CM_128_HMAC_SHA1_80,
  type SrtpProfile,
} from "../../contract.ts";
import type { SrtpCipher, SrtpEngine } from "../../srtp/cipher.ts";
import { MAX_SRTP_OVERHEAD } from "../../srtp/cipher.ts";
import type { Arena } from "./arena.ts";
import { CmCipher } from "./cm_cipher.ts";
import { GcmCipher } from "./gcm_cipher.ts";
import { type Libcrypto, openLibcrypto } from "./libcrypto.ts";
import { deriveSessionKeys, type ProfileFacts, WORK_LENGTH } from "./srtp_keys.ts";

const FACTS: Readonly<Record<SrtpProfile, ProfileFacts>> = {
  // The short tag is for RTP alone (RFC 5764 4.1.2: RTCP keeps 80 bits).
  1: { isGcm: false, keyLength: 16, saltLength: 14, rtpTag: 10, rtcpTag: 10 },
  2: { isGcm: false, keyLength: 16, saltLength: 14, rtpTag: 4, rtcpTag: 10 },
  7: { isGcm: true, keyLength: 16, saltLength: 12, rtpTag: 16, rtcpTag: 16 },
  8: { isGcm: true, keyLength: 32, saltLength: 12, rtpTag: 16, rtcpTag: 16 },
};

/** Longest packet that is taken from a foreign buffer. */
const MAX_PACKET = 4096;

/** SRTP by the system's libcrypto, in place where packets lie in `arena`. */
export class LibcryptoSrtp implements SrtpEngine {
  readonly name = "libcrypto";
  readonly profiles: readonly SrtpProfile[] = [
    AEAD_AES_128_GCM,
    AEAD_AES_256_GCM,
    AES_CM_128_HMAC_SHA1_80,
    AES_CM_128_HMAC_SHA1_32,
  ];
  readonly #library: Libcrypto;
  readonly #arena: Arena;
  readonly #memory: CipherMemory;

  /** @throws Error where the library is not installed */
  constructor(arena: Arena) {
    this.#library = openLibcrypto();
    this.#arena = arena;
    this.#memory = new CipherMemory(arena);
  }

  /** Whether SHA-1 has kept to the room that its context has. */
  guardHolds(): boolean {
    const at = this.#memory.sha1 + SHA1_CONTEXT;
    return this.#arena.bytes.subarray(at, at + SHA1_GUARD).every((byte) => byte === 0);
  }

  cipher(profile: SrtpProfile, masterKey: Uint8Array, masterSalt: Uint8Array): SrtpCipher {
    const facts = FACTS[profile];
    if (facts === undefined) throw new Error(`SRTP profile ${profile} is not known`);
    const { keyLength, saltLength } = facts;
    if (masterKey.length !== keyLength || masterSalt.length !== saltLength) {
      throw new Error(
        `SRTP profile ${profile} was given a key of ${masterKey.length} and a salt of ` +
          `${masterSalt.length} bytes, expected ${keyLength} and ${saltLength}`,
      );
    }
    const [library, arena] = [this.#library, this.#arena];
    const work = this.#memory.work;
    const keys = (label: 0 | 3) =>
      deriveSessionKeys(library, arena, work, facts, masterKey, masterSalt, label);
    const inner = facts.isGcm
      ? new GcmCipher(library, arena, this.#memory, facts, keys(0), keys(3))
      : new CmCipher(library, arena, this.#memory, facts, keys(0), keys(3));
    return new AnyBuffer(arena, this.#memory.bounce, inner);
  }
}

/** Small pieces of the arena that all ciphers of a worker share: only one works at a time. */
export class CipherMemory {
  readonly iv: number;
  readonly digest: number;
  readonly sha1: number;
  readonly written: number;
  readonly work: number;
  readonly bounce: number;

  constructor(arena: Arena) {
    this.iv = arena.allocate(16);
    this.digest = arena.allocate(32);
    // SHA_CTX has 96 bytes; the rest shows a larger one before it does harm.
    this.sha1 = arena.allocate(SHA1_CONTEXT + SHA1_GUARD);
    this.written = arena.allocate(8);
    this.work = arena.allocate(WORK_LENGTH);
    this.bounce = arena.allocate(MAX_PACKET + MAX_SRTP_OVERHEAD);
  }
}

export const SHA1_CONTEXT = 96;
export const SHA1_GUARD = 160;

/** What works on packets of the arena. */
export interface ArenaCipher {
  readonly rtpTagLength: number;
  readonly rtcpTrailerLength: number;
  sealRtp(offset: number, header: number, length: number, rolloverCounter: number): number;
  openRtp(offset: number, header: number, length: number, rolloverCounter: number): number;
  sealRtcp(offset: number, length: number, index: number): number;
  openRtcp(offset: number, length: number): number;
  close(): void;
}

/** Takes packets of any buffer: those outside the arena by way of a copy. */
class AnyBuffer implements SrtpCipher {
  readonly rtpTagLength: number;
  readonly rtcpTrailerLength: number;
  readonly #bytes: Uint8Array;
  readonly #bounce: number;
  readonly #inner: ArenaCipher;

  constructor(arena: Arena, bounce: number, inner: ArenaCipher) {
    this.#bytes = arena.bytes;
    this.#bounce = bounce;
    this.#inner = inner;
    this.rtpTagLength = inner.rtpTagLength;
    this.rtcpTrailerLength = inner.rtcpTrailerLength;
  }

  sealRtp(buffer: Uint8Array, offset: number, header: number, length: number, roc: number): number {
    if (buffer === this.#bytes) return this.#inner.sealRtp(offset, header, length, roc);
    const at = this.#in(buffer, offset, length);
    return this.#out(buffer, offset, this.#inner.sealRtp(at, header, length, roc));
  }

  openRtp(buffer: Uint8Array, offset: number, header: number, length: number, roc: number): number {
    if (buffer === this.#bytes) return this.#inner.openRtp(offset, header, length, roc);
    const at = this.#in(buffer, offset, length);
    return this.#out(buffer, offset, this.#inner.openRtp(at, header, length, roc));
  }

  sealRtcp(buffer: Uint8Array, offset: number, length: number, index: number): number {
    if (buffer === this.#bytes) return this.#inner.sealRtcp(offset, length, index);
    const at = this.#in(buffer, offset, length);
    return this.#out(buffer, offset, this.#inner.sealRtcp(at, length, index));
  }

  openRtcp(buffer: Uint8Array, offset: number, length: number): number {
    if (buffer === this.#bytes) return this.#inner.openRtcp(offset, length);
    const at = this.#in(buffer, offset, length);
    return this.#out(buffer, offset, this.#inner.openRtcp(at, length));
  }

  rtcpIndex(buffer: Uint8Array, offset: number, length: number): number {
    // RFC 3711 3.4 puts it before the tag, RFC 7714 9.2 behind it.
    const at = offset + length - this.rtcpTrailerLength + (this.rtcpTrailerLength === 20 ? 16 : 0);
    return (buffer[at]! & 0x7f) * 0x1000000 +
      ((buffer[at + 1]! << 16) | (buffer[at + 2]! << 8) | buffer[at + 3]!);
  }

  close(): void {
    this.#inner.close();
  }

  #in(buffer: Uint8Array, offset: number, length: number): number {
    if (length > MAX_PACKET) throw new Error(`a packet of ${length} bytes, at most ${MAX_PACKET}`);
    this.#bytes.set(buffer.subarray(offset, offset + length), this.#bounce);
    return this.#bounce;
  }

  #out(buffer: Uint8Array, offset: number, length: number): number {
    if (length >= 0) {
      buffer.set(this.#bytes.subarray(this.#bounce, this.#bounce + length), offset);
    }
    return length;
  }
}
