import { AES_CM_128_HMAC_SHA1_32, AES_CM_128_HMAC_SHA1_80, type SrtpProfile } from "../contract.ts";
import { block, encryptBlock, expandKey, xorKeyStream } from "./aes.ts";
import type { SrtpCipher, SrtpEngine } from "./cipher.ts";
import { HmacSha1, resultEquals, writeResult } from "./hmac_sha1.ts";

const TAG = 10;
/** Of RTP in AES_CM_128_HMAC_SHA1_32. */
const SHORT_TAG = 4;
const RTCP_HEADER = 8;
const INDEX = 4;

/** Labels of RFC 3711 4.3.2. */
const LABEL = {
  rtpEncryption: 0,
  rtpAuthentication: 1,
  rtpSalt: 2,
  rtcpEncryption: 3,
  rtcpAuthentication: 4,
  rtcpSalt: 5,
} as const;

/** Key derivation of RFC 3711 4.3.1 at rate 0: `length` bytes under a label. */
export function deriveKey(
  masterKey: Uint8Array,
  masterSalt: Uint8Array,
  label: number,
  length: number,
): Uint8Array {
  if (masterSalt.length !== 14) {
    throw new Error(`SRTP master salt has ${masterSalt.length} bytes, expected 14`);
  }
  const out = new Uint8Array(length);
  const x = new Uint8Array(16);
  x.set(masterSalt);
  x[7]! ^= label;
  xorKeyStream(
    expandKey(masterKey),
    word(x, 0),
    word(x, 4),
    word(x, 8),
    word(x, 12),
    out,
    0,
    length,
  );
  return out;
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

/** Encryption, salt and authentication of one of the two protocols. */
class SessionKeys {
  readonly roundKeys: Int32Array;
  readonly salt0: number;
  readonly salt1: number;
  readonly salt2: number;
  /** The last two bytes of the salt in the upper half. */
  readonly salt3: number;
  readonly hmac: HmacSha1;

  constructor(masterKey: Uint8Array, masterSalt: Uint8Array, firstLabel: number) {
    this.roundKeys = expandKey(deriveKey(masterKey, masterSalt, firstLabel, 16));
    this.hmac = new HmacSha1(deriveKey(masterKey, masterSalt, firstLabel + 1, 20));
    const salt = new Uint8Array(16);
    salt.set(deriveKey(masterKey, masterSalt, firstLabel + 2, 14));
    this.salt0 = word(salt, 0);
    this.salt1 = word(salt, 4);
    this.salt2 = word(salt, 8);
    this.salt3 = word(salt, 12);
  }
}

/** AES_CM_128_HMAC_SHA1_80 and _32 (RFC 3711 4.1.1, 4.2.1; RFC 4568 6.2) in TypeScript. */
export class AesCmCipher implements SrtpCipher {
  readonly rtpTagLength: number;
  readonly rtcpTrailerLength = INDEX + TAG;
  readonly #rtp: SessionKeys;
  readonly #rtcp: SessionKeys;

  /** @param rtpTagLength 10, or 4; SRTCP always has 10 */
  constructor(masterKey: Uint8Array, masterSalt: Uint8Array, rtpTagLength = TAG) {
    this.rtpTagLength = rtpTagLength;
    this.#rtp = new SessionKeys(masterKey, masterSalt, LABEL.rtpEncryption);
    this.#rtcp = new SessionKeys(masterKey, masterSalt, LABEL.rtcpEncryption);
  }

  sealRtp(
    buffer: Uint8Array,
    offset: number,
    headerLength: number,
    length: number,
    rolloverCounter: number,
  ): number {
    this.#xorRtp(buffer, offset, headerLength, length, rolloverCounter);
    this.#rtp.hmac.digest(buffer, offset, length, rolloverCounter, 4);
    writeResult(buffer, offset + length, this.rtpTagLength);
    return length + this.rtpTagLength;
  }

  openRtp(
    buffer: Uint8Array,
    offset: number,
    headerLength: number,
    length: number,
    rolloverCounter: number,
  ): number {
    const plain = length - this.rtpTagLength;
    this.#rtp.hmac.digest(buffer, offset, plain, rolloverCounter, 4);
    if (!resultEquals(buffer, offset + plain, this.rtpTagLength)) return -1;
    this.#xorRtp(buffer, offset, headerLength, plain, rolloverCounter);
    return plain;
  }

  sealRtcp(buffer: Uint8Array, offset: number, length: number, index: number): number {
    this.#xorRtcp(buffer, offset, length, index);
    const at = offset + length;
    buffer[at] = (index >>> 24) | 0x80;
    buffer[at + 1] = index >>> 16;
    buffer[at + 2] = index >>> 8;
    buffer[at + 3] = index;
    this.#rtcp.hmac.digest(buffer, offset, length + INDEX);
    writeResult(buffer, at + INDEX, TAG);
    return length + INDEX + TAG;
  }

  openRtcp(buffer: Uint8Array, offset: number, length: number): number {
    const plain = length - INDEX - TAG;
    this.#rtcp.hmac.digest(buffer, offset, length - TAG);
    if (!resultEquals(buffer, offset + length - TAG, TAG)) return -1;
    const encrypted = (buffer[offset + plain]! & 0x80) !== 0;
    if (encrypted) {
      this.#xorRtcp(buffer, offset, plain, word(buffer, offset + plain) & 0x7fffffff);
    }
    return plain;
  }

  rtcpIndex(buffer: Uint8Array, offset: number, length: number): number {
    return word(buffer, offset + length - INDEX - TAG) & 0x7fffffff;
  }

  #xorRtp(buffer: Uint8Array, offset: number, header: number, length: number, roc: number): void {
    const keys = this.#rtp;
    const sequence = (buffer[offset + 2]! << 8) | buffer[offset + 3]!;
    xorKeyStream(
      keys.roundKeys,
      keys.salt0,
      keys.salt1 ^ word(buffer, offset + 8),
      keys.salt2 ^ roc,
      keys.salt3 ^ (sequence << 16),
      buffer,
      offset + header,
      length - header,
    );
  }

  #xorRtcp(buffer: Uint8Array, offset: number, length: number, index: number): void {
    const keys = this.#rtcp;
    xorKeyStream(
      keys.roundKeys,
      keys.salt0,
      keys.salt1 ^ word(buffer, offset + 4),
      keys.salt2 ^ (index >>> 16),
      keys.salt3 ^ (index << 16),
      buffer,
      offset + RTCP_HEADER,
      length - RTCP_HEADER,
    );
  }
}

/** SRTP without any library; the one that is always there. */
export const typescriptSrtp: SrtpEngine = {
  name: "typescript",
  profiles: [AES_CM_128_HMAC_SHA1_80],
  cipher(profile: SrtpProfile, masterKey: Uint8Array, masterSalt: Uint8Array): SrtpCipher {
    if (profile === AES_CM_128_HMAC_SHA1_80) return new AesCmCipher(masterKey, masterSalt);
    if (profile === AES_CM_128_HMAC_SHA1_32) {
      return new AesCmCipher(masterKey, masterSalt, SHORT_TAG);
    }
    throw new Error(`SRTP profile ${profile} is not one of this engine's, expected 1 or 2`);
  },
};

/** First block of the key stream under a key and counter block; for known-answer tests. */
export function keyStreamBlock(key: Uint8Array, counter: Uint8Array): Uint8Array {
  encryptBlock(
    expandKey(key),
    word(counter, 0),
    word(counter, 4),
    word(counter, 8),
    word(counter, 12),
  );
  const out = new Uint8Array(16);
  for (let i = 0; i < 16; i++) out[i] = block[i >> 2]! >>> (24 - 8 * (i & 3));
  return out;
}
