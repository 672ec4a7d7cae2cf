import { int32 } from "../engine/bytes.ts";
import { type HmacSha1, resultEquals, SHA1_LENGTH, writeResult } from "../srtp/hmac_sha1.ts";

/** STUN messages (RFC 8489) as far as ICE-lite needs them: Binding requests in, responses out. */

export const MAGIC_COOKIE = 0x2112a442;
const HEADER = 20;
const FINGERPRINT_XOR = 0x5354554e;

export const BINDING_REQUEST = 0x0001;
export const BINDING_SUCCESS = 0x0101;
export const BINDING_ERROR = 0x0111;

/** Attribute types (RFC 8489 18.3, RFC 8445 16.1). */
export const ATTRIBUTE = {
  username: 0x0006,
  messageIntegrity: 0x0008,
  errorCode: 0x0009,
  unknownAttributes: 0x000a,
  xorMappedAddress: 0x0020,
  priority: 0x0024,
  useCandidate: 0x0025,
  fingerprint: 0x8028,
  iceControlled: 0x8029,
  iceControlling: 0x802a,
} as const;

const CRC_TABLE = new Int32Array(256);
for (let i = 0; i < 256; i++) {
  let c = i;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  CRC_TABLE[i] = c;
}

/** CRC-32 of ITU V.42 over a part of a buffer. */
export function crc32(buffer: Uint8Array, offset: number, length: number): number {
  let c = -1;
  for (let i = offset; i < offset + length; i++) {
    c = CRC_TABLE[(c ^ buffer[i]!) & 255]! ^ (c >>> 8);
  }
  return c ^ -1;
}

/** A message that is well formed; not yet authenticated. Offsets are those of the buffer. */
export interface StunMessage {
  readonly type: number;
  /** Where the message begins. */
  readonly offset: number;
  readonly length: number;
  /** Offset and length of the value of USERNAME; -1 where there is none. */
  readonly username: number;
  readonly usernameLength: number;
  readonly useCandidate: boolean;
  /** Offset of the MESSAGE-INTEGRITY attribute, or -1. */
  readonly integrity: number;
  /** Offset and length of the value of XOR-MAPPED-ADDRESS, or -1. */
  readonly mappedAddress: number;
  /** Attributes that must be understood and are not (RFC 8489 14). */
  readonly unknown: readonly number[];
}

const NONE: readonly number[] = [];
const decoder = new TextDecoder();
const COLON = 58;

function uint16(buffer: Uint8Array, at: number): number {
  return (buffer[at]! << 8) | buffer[at + 1]!;
}

/**
 * Reads a message; undefined where it is not one, is cut short, or its FINGERPRINT does not fit.
 */
export function readStun(
  buffer: Uint8Array,
  offset: number,
  length: number,
): StunMessage | undefined {
  if (length < HEADER || buffer[offset]! > 3) return undefined;
  if (int32(buffer, offset + 4) !== MAGIC_COOKIE) return undefined;
  const end = offset + HEADER + uint16(buffer, offset + 2);
  if (end !== offset + length || (length & 3) !== 0) return undefined;
  let username = -1;
  let usernameLength = 0;
  let useCandidate = false;
  let integrity = -1;
  let mappedAddress = -1;
  let unknown = NONE;
  for (let at = offset + HEADER; at < end;) {
    const type = uint16(buffer, at);
    const size = uint16(buffer, at + 2);
    const next = at + 4 + ((size + 3) & ~3);
    if (next > end) return undefined;
    if (type === ATTRIBUTE.fingerprint) {
      // It is the last one, and covers all before it (RFC 8489 14.7).
      if (size !== 4 || next !== end) return undefined;
      const expected = crc32(buffer, offset, at - offset) ^ FINGERPRINT_XOR;
      if (int32(buffer, at + 4) !== expected) return undefined;
    } else if (integrity >= 0) {
      // Behind MESSAGE-INTEGRITY all but FINGERPRINT is ignored (RFC 8489 14.5).
    } else if (type === ATTRIBUTE.messageIntegrity) {
      if (size !== SHA1_LENGTH) return undefined;
      integrity = at;
    } else if (type === ATTRIBUTE.username) {
      if (size > 513) return undefined;
      username = at + 4;
      usernameLength = size;
    } else if (type === ATTRIBUTE.useCandidate) useCandidate = true;
    else if (type === ATTRIBUTE.xorMappedAddress && (size === 8 || size === 20)) {
      mappedAddress = at + 4;
    } else if (type < 0x8000 && type !== ATTRIBUTE.priority && unknown.length < 8) {
      unknown = [...unknown, type];
    }
    at = next;
  }
  return {
    type: uint16(buffer, offset),
    offset,
    length,
    username,
    usernameLength,
    useCandidate,
    integrity,
    mappedAddress,
    unknown,
  };
}

/** The part of USERNAME before the colon (RFC 8445 7.2.2): the user fragment of who is asked. */
export function askedUfrag(buffer: Uint8Array, message: StunMessage): string {
  const { username, usernameLength } = message;
  if (username < 0) return "";
  const text = decoder.decode(buffer.subarray(username, username + usernameLength));
  return text.slice(0, Math.max(0, text.indexOf(":")));
}

/** Whether that is this one, which is ASCII; it makes no text, for what comes every few seconds. */
export function isAsked(buffer: Uint8Array, message: StunMessage, ufrag: string): boolean {
  const { username, usernameLength } = message;
  const { length } = ufrag;
  if (username < 0 || usernameLength <= length || length === 0) return false;
  for (let i = 0; i < length; i++) {
    if (buffer[username + i] !== ufrag.charCodeAt(i)) return false;
  }
  return buffer[username + length] === COLON;
}

/** Whether MESSAGE-INTEGRITY fits the key. The header's length field is put back as it was. */
export function integrityFits(buffer: Uint8Array, message: StunMessage, key: HmacSha1): boolean {
  const { offset, integrity } = message;
  if (integrity < 0) return false;
  const high = buffer[offset + 2]!;
  const low = buffer[offset + 3]!;
  // Hashed as though the message ended with this attribute (RFC 8489 14.5).
  const covered = integrity - offset - HEADER + 4 + SHA1_LENGTH;
  buffer[offset + 2] = covered >>> 8;
  buffer[offset + 3] = covered;
  key.digest(buffer, offset, integrity - offset);
  buffer[offset + 2] = high;
  buffer[offset + 3] = low;
  return resultEquals(buffer, integrity + 4, SHA1_LENGTH);
}

/** Writes one message at `offset` of a buffer, attribute by attribute. */
export class StunWriter {
  #at: number;

  /** @param transaction offset in `from` of the 12 bytes of the transaction id */
  constructor(
    readonly buffer: Uint8Array,
    readonly offset: number,
    type: number,
    from: Uint8Array,
    transaction: number,
  ) {
    this.#put16(offset, type);
    this.#put32(offset + 4, MAGIC_COOKIE);
    for (let i = 0; i < 12; i++) buffer[offset + 8 + i] = from[transaction + i]!;
    this.#at = offset + HEADER;
  }

  attribute(type: number, value: Uint8Array): void {
    const at = this.#open(type, value.length);
    this.buffer.set(value, at);
    for (let i = value.length; i & 3; i++) this.buffer[at + i] = 0;
  }

  /** @param address IPv4 as a number */
  xorMappedAddress(address: number, port: number): void {
    const at = this.#open(ATTRIBUTE.xorMappedAddress, 8);
    this.buffer[at] = 0;
    this.buffer[at + 1] = 1;
    this.#put16(at + 2, port ^ (MAGIC_COOKIE >>> 16));
    this.#put32(at + 4, address ^ MAGIC_COOKIE);
  }

  /** @param address its 16 bytes; XORed with the cookie and the transaction id (RFC 8489 14.2) */
  xorMappedIpv6(address: Uint8Array, port: number): void {
    const at = this.#open(ATTRIBUTE.xorMappedAddress, 20);
    this.buffer[at] = 0;
    this.buffer[at + 1] = 2;
    this.#put16(at + 2, port ^ (MAGIC_COOKIE >>> 16));
    for (let i = 0; i < 16; i++) {
      this.buffer[at + 4 + i] = address[i]! ^ this.buffer[this.offset + 4 + i]!;
    }
  }

  unknownAttributes(types: readonly number[]): void {
    const value = new Uint8Array(types.length * 2);
    types.forEach((type, i) => {
      value[2 * i] = type >>> 8;
      value[2 * i + 1] = type;
    });
    this.attribute(ATTRIBUTE.errorCode, Uint8Array.of(0, 0, 4, 20));
    this.attribute(ATTRIBUTE.unknownAttributes, value);
  }

  /** Adds MESSAGE-INTEGRITY and FINGERPRINT; gives the message's length. */
  seal(key: HmacSha1): number {
    const start = this.offset;
    const integrity = this.#open(ATTRIBUTE.messageIntegrity, SHA1_LENGTH);
    this.#put16(start + 2, this.#at - start - HEADER);
    key.digest(this.buffer, start, integrity - 4 - start);
    writeResult(this.buffer, integrity, SHA1_LENGTH);
    const fingerprint = this.#open(ATTRIBUTE.fingerprint, 4);
    this.#put16(start + 2, this.#at - start - HEADER);
    this.#put32(fingerprint, crc32(this.buffer, start, fingerprint - 4 - start) ^ FINGERPRINT_XOR);
    return this.#at - start;
  }

  /** Writes type and length; gives where the value goes. */
  #open(type: number, size: number): number {
    const at = this.#at;
    this.#put16(at, type);
    this.#put16(at + 2, size);
    this.#at = at + 4 + ((size + 3) & ~3);
    return at + 4;
  }

  #put16(at: number, value: number): void {
    this.buffer[at] = value >>> 8;
    this.buffer[at + 1] = value;
  }

  #put32(at: number, value: number): void {
    this.#put16(at, value >>> 16);
    this.#put16(at + 2, value);
  }
}
