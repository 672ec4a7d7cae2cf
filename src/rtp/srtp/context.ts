import type { SrtpCipher } from "./cipher.ts";

/**
 * Cryptographic contexts of RFC 3711 3.2: rollover counter, replay window and SRTCP index for each
 * SSRC of one direction. Nothing is remembered of a packet before it has been authenticated.
 *
 * A worker has thousands of streams and comes back to each only after all the others: what a packet
 * costs is the memory it touches. So a stream is 64 words of one array, not an object of objects.
 */

/** Packets that may come this far behind the newest one; a burst of retransmissions fits. */
const RTP_WINDOW = 1024;
const RTCP_WINDOW = 128;
/** More synchronization sources than this under one key are not a call. */
const MAX_STREAMS = 64;
const HALF = 0x8000;

/** Words of a stream. The windows have a bit for each of the last indices. */
const WORDS = 64;
const SSRC = 0;
const ROLLOVER_COUNTER = 1;
/** -1 before the first packet. */
const HIGHEST_SEQUENCE = 2;
const HIGHEST_RTCP_INDEX = 3;
const RTCP_BITS = 8;
const RTP_BITS = 16;

/** What `guess` found: the rollover counter of the packet, and its distance to the newest. */
let guessedCounter = 0;
let guessedDelta = 0;

/** The streams of one context. A stream is named by where its words begin. */
class Streams {
  #words = new Int32Array(WORDS);
  #end = 0;
  #last = 0;

  constructor() {
    this.#clear(0);
  }

  /** The stream of an SSRC, or -1. */
  find(ssrc: number): number {
    const words = this.#words;
    const last = this.#last;
    if (words[last + SSRC] === ssrc && last < this.#end) return last;
    for (let at = 0; at < this.#end; at += WORDS) {
      if (words[at + SSRC] !== ssrc) continue;
      this.#last = at;
      return at;
    }
    return -1;
  }

  get isFull(): boolean {
    return this.#end >= MAX_STREAMS * WORDS;
  }

  /** A stream in waiting: it becomes one by `keep`, so that forged SSRCs cost no memory. */
  get spare(): number {
    return this.#end;
  }

  keep(ssrc: number): void {
    this.#words[this.#end + SSRC] = ssrc;
    this.#end += WORDS;
    if (this.isFull) return;
    if (this.#end === this.#words.length) {
      const words = new Int32Array(this.#end * 2);
      words.set(this.#words);
      this.#words = words;
    }
    this.#clear(this.#end);
  }

  #clear(at: number): void {
    this.#words.fill(0, at, at + WORDS);
    this.#words[at + HIGHEST_SEQUENCE] = -1;
    this.#words[at + HIGHEST_RTCP_INDEX] = -1;
  }

  /** RFC 3711 3.3.1; false where the index was used or lies before the window. */
  guess(at: number, sequence: number): boolean {
    const words = this.#words;
    const highest = words[at + HIGHEST_SEQUENCE]!;
    const rolloverCounter = words[at + ROLLOVER_COUNTER]! >>> 0;
    let counter = rolloverCounter;
    if (highest < 0) {
      guessedCounter = counter;
      guessedDelta = 1;
      return true;
    }
    if (highest < HALF) {
      if (sequence - highest > HALF) counter--;
    } else if (highest - HALF > sequence) counter++;
    const delta = (counter - rolloverCounter) * 0x10000 + sequence - highest;
    guessedCounter = counter;
    guessedDelta = delta;
    if (counter < 0) return false;
    return delta > 0 ||
      (delta > -RTP_WINDOW && !this.#has(at + RTP_BITS, RTP_WINDOW, sequence));
  }

  /** Takes over what `guess` found. */
  accept(at: number, sequence: number): void {
    const words = this.#words;
    const delta = guessedDelta;
    if (delta > 0) {
      const isFirst = words[at + HIGHEST_SEQUENCE]! < 0;
      this.#advance(at + RTP_BITS, RTP_WINDOW, sequence, isFirst ? RTP_WINDOW : delta);
      words[at + HIGHEST_SEQUENCE] = sequence;
      words[at + ROLLOVER_COUNTER] = guessedCounter;
    }
    this.#mark(at + RTP_BITS, RTP_WINDOW, sequence);
  }

  rtcpIsNew(at: number, index: number): boolean {
    const delta = index - this.#words[at + HIGHEST_RTCP_INDEX]!;
    return delta > 0 ||
      (delta > -RTCP_WINDOW && !this.#has(at + RTCP_BITS, RTCP_WINDOW, index));
  }

  acceptRtcp(at: number, index: number): void {
    const highest = this.#words[at + HIGHEST_RTCP_INDEX]!;
    const delta = index - highest;
    if (delta > 0) {
      this.#advance(at + RTCP_BITS, RTCP_WINDOW, index, highest < 0 ? RTCP_WINDOW : delta);
      this.#words[at + HIGHEST_RTCP_INDEX] = index;
    }
    this.#mark(at + RTCP_BITS, RTCP_WINDOW, index);
  }

  // Windows: `size` is a power of two.

  #has(bits: number, size: number, index: number): boolean {
    const at = index & (size - 1);
    return (this.#words[bits + (at >> 5)]! & (1 << (at & 31))) !== 0;
  }

  #mark(bits: number, size: number, index: number): void {
    const at = index & (size - 1);
    this.#words[bits + (at >> 5)]! |= 1 << (at & 31);
  }

  /** Forgets what falls out when the newest index moves up by `by` to `index`. */
  #advance(bits: number, size: number, index: number, by: number): void {
    const words = this.#words;
    if (by >= size) {
      words.fill(0, bits, bits + (size >> 5));
      return;
    }
    for (let i = 0; i < by; i++) {
      const at = (index - i) & (size - 1);
      words[bits + (at >> 5)]! &= ~(1 << (at & 31));
    }
  }
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

function int32(buffer: Uint8Array, at: number): number {
  return (buffer[at]! << 24) | (buffer[at + 1]! << 16) | (buffer[at + 2]! << 8) | buffer[at + 3]!;
}

/** Opens what the other side sends. */
export class SrtpReceiver {
  readonly #cipher: SrtpCipher;
  readonly #streams = new Streams();

  constructor(cipher: SrtpCipher) {
    this.#cipher = cipher;
  }

  /** In place; gives the length of the plain packet, or -1: malformed, forged or seen before. */
  unprotectRtp(buffer: Uint8Array, offset: number, length: number): number {
    const cipher = this.#cipher;
    const streams = this.#streams;
    const header = rtpHeaderLength(buffer, offset, length - cipher.rtpTagLength);
    if (header < 0) return -1;
    const ssrc = int32(buffer, offset + 8);
    const known = streams.find(ssrc);
    if (known < 0 && streams.isFull) return -1;
    const stream = known < 0 ? streams.spare : known;
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
    if (known < 0 && streams.isFull) return -1;
    const stream = known < 0 ? streams.spare : known;
    const index = cipher.rtcpIndex(buffer, offset, length);
    if (!streams.rtcpIsNew(stream, index)) return -1;
    const plain = cipher.openRtcp(buffer, offset, length);
    if (plain < 0) return -1;
    streams.acceptRtcp(stream, index);
    if (known < 0) streams.keep(ssrc);
    return plain;
  }

  close(): void {
    this.#cipher.close?.();
  }
}

/** Closes what we send. One index is never used for two packets of one SSRC. */
export class SrtpSender {
  readonly #cipher: SrtpCipher;
  readonly #streams = new Streams();
  #rtcpIndex = 0;

  constructor(cipher: SrtpCipher) {
    this.#cipher = cipher;
  }

  /** In place; gives the new length, or -1: malformed, or its index was used or is too old. */
  protectRtp(buffer: Uint8Array, offset: number, length: number): number {
    const streams = this.#streams;
    const header = rtpHeaderLength(buffer, offset, length);
    if (header < 0) return -1;
    const ssrc = int32(buffer, offset + 8);
    let stream = streams.find(ssrc);
    if (stream < 0) {
      if (streams.isFull) return -1;
      stream = streams.spare;
      streams.keep(ssrc);
    }
    const sequence = (buffer[offset + 2]! << 8) | buffer[offset + 3]!;
    if (!streams.guess(stream, sequence)) return -1;
    streams.accept(stream, sequence);
    return this.#cipher.sealRtp(buffer, offset, header, length, guessedCounter);
  }

  /**
   * In place; gives the new length. One index counts for all SSRCs, which keeps it unique for each.
   */
  protectRtcp(buffer: Uint8Array, offset: number, length: number): number {
    if (length < 8) return -1;
    this.#rtcpIndex = (this.#rtcpIndex + 1) & 0x7fffffff;
    return this.#cipher.sealRtcp(buffer, offset, length, this.#rtcpIndex);
  }

  close(): void {
    this.#cipher.close?.();
  }
}
