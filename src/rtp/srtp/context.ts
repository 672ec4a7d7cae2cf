import { int32 } from "../engine/bytes.ts";
import { StateMemory } from "../engine/state_memory.ts";
import type { SrtpCipher } from "./cipher.ts";
import { RETIRED_BLOCKS } from "./retired_streams.ts";
import { type ContextPlace, guessedCounter, MAX_STREAMS, Streams } from "./streams.ts";

export type { ContextPlace } from "./streams.ts";

/**
 * Cryptographic contexts of RFC 3711 3.2: rollover counter, replay window and SRTCP index for each
 * SSRC of one direction. Nothing is remembered of a packet before it has been authenticated.
 */

/** SRTCP indices left out when a context is gone on with: its former user may have drawn some. */
const ADOPTED_INDICES = 64;

/** The place of a context under these keys. */
export function contextPlace(
  { memory, owner }: Omit<ContextPlace, "role" | "keys">,
  role: number,
  key: Uint8Array,
  salt: Uint8Array,
): ContextPlace {
  let keys = 0;
  for (const bytes of [key, salt]) {
    for (const byte of bytes) keys = Math.imul(keys ^ byte, 0x0100_0193) ^ (keys >>> 15);
  }
  return { memory, owner, role, keys };
}

/** A context that no other worker goes on with. */
function ownPlace(): ContextPlace {
  const memory = StateMemory.own(MAX_STREAMS + 1 + RETIRED_BLOCKS);
  return { memory, owner: 1, role: 0, keys: 0 };
}

/** Length of an RTP header with CSRCs and extension, or -1 where it does not fit (RFC 3550 5.1). */
export function rtpHeaderLength(buffer: Uint8Array, offset: number, length: number): number {
  if (length < 12) return -1;
  let header = 12 + 4 * (buffer[offset]! & 15);
  if ((buffer[offset]! & 0x10) !== 0) {
    if (header + 4 > length) return -1;
    const at = offset + header;
    header += 4 + 4 * ((buffer[at + 2]! << 8) | buffer[at + 3]!);
  }
  return header <= length ? header : -1;
}

/** Opens what the other side sends. */
export class SrtpReceiver {
  readonly #cipher: SrtpCipher;
  readonly #streams: Streams;

  /** @param place where its memory of packets lies; absent: its own */
  constructor(cipher: SrtpCipher, place: ContextPlace = ownPlace()) {
    this.#cipher = cipher;
    this.#streams = new Streams(place);
  }

  /** In place; gives the length of the plain packet, or -1: malformed, forged or seen before. */
  unprotectRtp(buffer: Uint8Array, offset: number, length: number): number {
    const cipher = this.#cipher;
    const streams = this.#streams;
    const header = rtpHeaderLength(buffer, offset, length - cipher.rtpTagLength);
    if (header < 0) return -1;
    const ssrc = int32(buffer, offset + 8);
    const known = streams.find(ssrc);
    const stream = known < 0 ? streams.candidate(ssrc) : known;
    if (stream < 0) return -1;
    const sequence = (buffer[offset + 2]! << 8) | buffer[offset + 3]!;
    if (!streams.guess(stream, sequence)) return -1;
    const plain = cipher.openRtp(buffer, offset, header, length, guessedCounter);
    if (plain < 0) return -1;
    streams.accept(stream, sequence);
    if (known < 0) streams.keep(ssrc);
    return plain;
  }

  /** In place; gives the length of the plain compound packet, or -1. */
  unprotectRtcp(buffer: Uint8Array, offset: number, length: number): number {
    const cipher = this.#cipher;
    const streams = this.#streams;
    if (length < 8 + cipher.rtcpTrailerLength) return -1;
    const ssrc = int32(buffer, offset + 4);
    const known = streams.find(ssrc);
    const stream = known < 0 ? streams.candidate(ssrc) : known;
    if (stream < 0) return -1;
    const index = cipher.rtcpIndex(buffer, offset, length);
    if (!streams.rtcpIsNew(stream, index)) return -1;
    const plain = cipher.openRtcp(buffer, offset, length);
    if (plain < 0) return -1;
    streams.acceptRtcp(stream, index);
    if (known < 0) streams.keep(ssrc);
    return plain;
  }

  /** Gives back memory and cipher. */
  close(): void {
    this.#streams.free();
    this.#cipher.close?.();
  }
}

/** Closes what we send. One index is never used for two packets of one SSRC. */
export class SrtpSender {
  readonly #cipher: SrtpCipher;
  readonly #streams: Streams;

  /** @param place where its memory of packets lies; absent: its own */
  constructor(cipher: SrtpCipher, place: ContextPlace = ownPlace()) {
    this.#cipher = cipher;
    this.#streams = new Streams(place);
    if (this.#streams.isAdopted) this.#streams.drawIndex(ADOPTED_INDICES);
  }

  /** In place; gives the new length, or -1: malformed, or its index was used or is too old. */
  protectRtp(buffer: Uint8Array, offset: number, length: number): number {
    const streams = this.#streams;
    const header = rtpHeaderLength(buffer, offset, length);
    if (header < 0) return -1;
    const ssrc = int32(buffer, offset + 8);
    const known = streams.find(ssrc);
    const stream = known < 0 ? streams.candidate(ssrc) : known;
    if (stream < 0) return -1;
    const sequence = (buffer[offset + 2]! << 8) | buffer[offset + 3]!;
    if (!streams.guess(stream, sequence)) return -1;
    streams.accept(stream, sequence);
    if (known < 0) streams.keep(ssrc);
    return this.#cipher.sealRtp(buffer, offset, header, length, guessedCounter);
  }

  /**
   * In place; gives the new length. One index counts for all SSRCs, which keeps it unique for each.
   */
  protectRtcp(buffer: Uint8Array, offset: number, length: number): number {
    if (length < 8) return -1;
    return this.#cipher.sealRtcp(buffer, offset, length, this.#streams.drawIndex());
  }

  /** Gives back memory and cipher. */
  close(): void {
    this.#streams.free();
    this.#cipher.close?.();
  }
}
