import { BUSY, FIRST_WORD, StateMemory, type StatePlace } from "../engine/state_memory.ts";
import type { SrtpCipher } from "./cipher.ts";

/**
 * Cryptographic contexts of RFC 3711 3.2: rollover counter, replay window and SRTCP index for each
 * SSRC of one direction. Nothing is remembered of a packet before it has been authenticated.
 *
 * A worker has thousands of streams and comes back to each only after all the others: what a packet
 * costs is the memory it touches. So a stream is one block of a memory that all contexts share, not
 * an object of objects. The block also outlives the worker: whoever goes on with it repeats no
 * index and takes no packet twice.
 */

/** Packets that may come this far behind the newest one; a burst of retransmissions fits. */
const RTP_WINDOW = 1024;
const RTCP_WINDOW = 128;
/** More synchronization sources than this under one key are not a call. */
const MAX_STREAMS = 64;
const HALF = 0x8000;
/** SRTCP indices left out when a context is gone on with: its former user may have drawn some. */
const ADOPTED_INDICES = 64;

/** Words of a stream's block. The windows have a bit for each of the last indices. */
const SSRC = FIRST_WORD;
const ROLLOVER_COUNTER = 4;
/** -1 before the first packet. */
const HIGHEST_SEQUENCE = 5;
const HIGHEST_RTCP_INDEX = 6;
/** Of a sender: the last one drawn. In the context's first block alone. */
const RTCP_INDEX = 7;
const RTCP_BITS = 8;
/** Which stream of the context it is, from 1; 0: none yet. */
const ORDER = 12;
/** Says which keys the stream was under. */
const KEYS = 13;
const RTP_BITS = 16;

/** What `guess` found: the rollover counter of the packet, and its distance to the newest. */
let guessedCounter = 0;
let guessedDelta = 0;

/** Where a context's blocks lie, and a number that tells its keys from others. */
export interface ContextPlace extends StatePlace {
  readonly keys: number;
}

/** The place of a context under these keys. */
export function contextPlace(
  { memory, owner }: Omit<StatePlace, "role">,
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
  return { memory: StateMemory.own(MAX_STREAMS), owner: 1, role: 0, keys: 0 };
}

/** The streams of one context. A stream is named by where its block begins. */
class Streams {
  readonly #place: ContextPlace;
  readonly #words: Int32Array;
  /** In the order of their coming; behind them there may be a spare one. */
  readonly #blocks: number[];
  #count = 0;
  #last: number;
  /** Whether it goes on with what another worker has begun. */
  readonly isAdopted: boolean;

  /** @throws Error where the memory is full */
  constructor(place: ContextPlace) {
    this.#place = place;
    const words = this.#words = place.memory.words;
    const left = place.memory.claim(place);
    const ours = left.filter((at) => words[at + KEYS] === place.keys);
    for (const at of left) if (words[at + KEYS] !== place.keys) place.memory.give(at);
    const orderOf = (at: number) => words[at + ORDER]! || MAX_STREAMS + 1;
    this.#blocks = ours.sort((a, b) => orderOf(a) - orderOf(b));
    this.#count = ours.filter((at) => words[at + ORDER] !== 0).length;
    this.isAdopted = ours.length > 0;
    if (!this.isAdopted && this.spare < 0) throw new Error("there is no memory for more streams");
    this.#last = this.first;
  }

  /** The stream of an SSRC, or -1. */
  find(ssrc: number): number {
    const words = this.#words;
    const last = this.#last;
    if (words[last + SSRC] === ssrc && words[last + ORDER] !== 0) return last;
    for (let i = 0; i < this.#count; i++) {
      const at = this.#blocks[i]!;
      if (words[at + SSRC] !== ssrc) continue;
      this.#last = at;
      return at;
    }
    return -1;
  }

  get first(): number {
    return this.#blocks[0]!;
  }

  /**
   * A stream in waiting, or -1: it becomes one by `keep`, so that forged SSRCs cost no memory.
   */
  get spare(): number {
    const waiting = this.#blocks[this.#count];
    if (waiting !== undefined) return waiting;
    if (this.#count >= MAX_STREAMS) return -1;
    const { memory, owner, role, keys } = this.#place;
    const at = memory.take(owner, role);
    if (at < 0) return -1;
    this.#words[at + HIGHEST_SEQUENCE] = -1;
    this.#words[at + HIGHEST_RTCP_INDEX] = -1;
    this.#words[at + KEYS] = keys;
    this.#blocks.push(at);
    return at;
  }

  keep(ssrc: number): void {
    const at = this.#blocks[this.#count]!;
    this.#words[at + SSRC] = ssrc;
    this.#words[at + ORDER] = ++this.#count;
  }

  free(): void {
    for (const at of this.#blocks) this.#place.memory.give(at);
    this.#blocks.length = this.#count = 0;
  }

  /** The next SRTCP index of a sender. */
  drawIndex(by = 1): number {
    const at = this.first + RTCP_INDEX;
    return this.#words[at] = (this.#words[at]! + by) & 0x7fffffff;
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
    words[at + BUSY] = 1;
    if (delta > 0) {
      const isFirst = words[at + HIGHEST_SEQUENCE]! < 0;
      this.#advance(at + RTP_BITS, RTP_WINDOW, sequence, isFirst ? RTP_WINDOW : delta);
      words[at + HIGHEST_SEQUENCE] = sequence;
      words[at + ROLLOVER_COUNTER] = guessedCounter;
    }
    this.#mark(at + RTP_BITS, RTP_WINDOW, sequence);
    words[at + BUSY] = 0;
  }

  rtcpIsNew(at: number, index: number): boolean {
    const delta = index - this.#words[at + HIGHEST_RTCP_INDEX]!;
    return delta > 0 ||
      (delta > -RTCP_WINDOW && !this.#has(at + RTCP_BITS, RTCP_WINDOW, index));
  }

  acceptRtcp(at: number, index: number): void {
    const words = this.#words;
    const highest = words[at + HIGHEST_RTCP_INDEX]!;
    const delta = index - highest;
    words[at + BUSY] = 1;
    if (delta > 0) {
      this.#advance(at + RTCP_BITS, RTCP_WINDOW, index, highest < 0 ? RTCP_WINDOW : delta);
      words[at + HIGHEST_RTCP_INDEX] = index;
    }
    this.#mark(at + RTCP_BITS, RTCP_WINDOW, index);
    words[at + BUSY] = 0;
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
    const stream = known < 0 ? streams.spare : known;
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
    const stream = known < 0 ? streams.spare : known;
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
    let stream = streams.find(ssrc);
    if (stream < 0) {
      stream = streams.spare;
      if (stream < 0) return -1;
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
    return this.#cipher.sealRtcp(buffer, offset, length, this.#streams.drawIndex());
  }

  /** Gives back memory and cipher. */
  close(): void {
    this.#streams.free();
    this.#cipher.close?.();
  }
}
