import { BUSY, FIRST_WORD, type StatePlace } from "../engine/state_memory.ts";
import { RetiredStreams } from "./retired_streams.ts";

/**
 * A worker has thousands of streams and comes back to each only after all the others: what a packet
 * costs is the memory it touches. So a stream is one block of a memory that all contexts share, not
 * an object of objects. The block also outlives the worker: whoever goes on with it repeats no
 * index and takes no packet twice.
 */

/** Packets that may come this far behind the newest one; a burst of retransmissions fits. */
const RTP_WINDOW = 1024;
const RTCP_WINDOW = 128;
/** Synchronization sources under one key whose windows are kept; of others the newest index is. */
export const MAX_STREAMS = 64;
const HALF = 0x8000;

/** Words of a stream's block. The windows have a bit for each of the last indices. */
const SSRC = FIRST_WORD;
const ROLLOVER_COUNTER = 4;
/** -1 before the first packet. */
const HIGHEST_SEQUENCE = 5;
const HIGHEST_RTCP_INDEX = 6;
/** Of a sender: the last one drawn. In the context's first block alone. */
const RTCP_INDEX = 7;
const RTCP_BITS = 8;
/** Which stream of the context it is, from 1; 0: none yet; less: a table of retired ones. */
export const ORDER = 12;
/** Says which keys the stream was under. */
export const KEYS = 13;
/** Grows with each change from one stream to another: who was heard longest ago has the least. */
const HEARD = 14;
const RTP_BITS = 16;
const END = RTP_BITS + RTP_WINDOW / 32;

/** What `guess` found: the rollover counter of the packet, and its distance to the newest. */
export let guessedCounter = 0;
let guessedDelta = 0;

/** Where a context's blocks lie, and a number that tells its keys from others. */
export interface ContextPlace extends StatePlace {
  readonly keys: number;
}

/** The streams of one context. A stream is named by where its block begins. */
export class Streams {
  readonly #place: ContextPlace;
  readonly #words: Int32Array;
  /** In the order of their coming; behind them there may be a spare one. */
  readonly #blocks: number[];
  readonly #retired: RetiredStreams;
  #count = 0;
  /** Looked up last, and heard last. */
  #last: number;
  #newest = -1;
  #turn = 0;
  /** Of the candidate: where it stands among the retired ones, or -1. */
  #entry = -1;
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
    this.#retired = new RetiredStreams(place, ours.filter((at) => words[at + ORDER]! < 0));
    this.#blocks = ours.filter((at) => words[at + ORDER]! >= 0)
      .sort((a, b) => orderOf(a) - orderOf(b));
    this.#count = this.#blocks.filter((at) => words[at + ORDER] !== 0).length;
    // What became of a spare one at the other worker's end was never passed on.
    for (const at of this.#blocks.slice(this.#count)) {
      words[at + BUSY] = 1;
      this.#clear(at);
      words[at + BUSY] = 0;
    }
    for (const at of this.#blocks) this.#turn = Math.max(this.#turn, words[at + HEARD]!);
    this.isAdopted = ours.length > 0;
    if (!this.isAdopted && this.#spare < 0) throw new Error("there is no memory for more streams");
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
   * Where the first packet of a new SSRC is looked at, or -1: it becomes a stream by `keep`, so
   * that forged SSRCs cost no memory and put nobody out.
   */
  candidate(ssrc: number): number {
    const spare = this.#spare;
    if (spare < 0 || this.#count < MAX_STREAMS) return spare;
    const retired = this.#retired;
    this.#entry = retired.find(ssrc);
    if (this.#entry < 0 && !retired.hasRoom) return -1;
    const words = this.#words;
    words[spare + BUSY] = 1;
    this.#clear(spare);
    if (this.#entry >= 0) {
      // It goes on behind its newest packet: whatever came before that counts as seen.
      retired.read(this.#entry, spare + SSRC);
      words.fill(-1, spare + RTCP_BITS, spare + ORDER);
      words.fill(-1, spare + RTP_BITS, spare + END);
    }
    words[spare + BUSY] = 0;
    return spare;
  }

  /** A stream in waiting, or -1. */
  get #spare(): number {
    const waiting = this.#blocks[this.#count];
    if (waiting !== undefined) return waiting;
    const { memory, owner, role, keys } = this.#place;
    const at = memory.take(owner, role);
    if (at < 0) return -1;
    const words = this.#words;
    this.#clear(at);
    words[at + KEYS] = keys;
    words[at + BUSY] = 0;
    this.#blocks.push(at);
    return at;
  }

  #clear(at: number): void {
    this.#words[at + ROLLOVER_COUNTER] = 0;
    this.#words[at + HIGHEST_SEQUENCE] = -1;
    this.#words[at + HIGHEST_RTCP_INDEX] = -1;
  }

  /** The candidate has shown itself authentic: it is a stream from now on. */
  keep(ssrc: number): void {
    const words = this.#words;
    const spare = this.#blocks[this.#count]!;
    if (this.#count < MAX_STREAMS) {
      words[spare + BUSY] = 1;
      words[spare + SSRC] = ssrc;
      words[spare + ORDER] = ++this.#count;
      words[spare + BUSY] = 0;
      return;
    }
    let at = this.first;
    for (let i = 1; i < this.#count; i++) {
      if (words[this.#blocks[i]! + HEARD]! < words[at + HEARD]!) at = this.#blocks[i]!;
    }
    words[at + BUSY] = 1;
    this.#retired.write(this.#entry, at + SSRC);
    words[at + SSRC] = ssrc;
    words.copyWithin(at + ROLLOVER_COUNTER, spare + ROLLOVER_COUNTER, spare + RTCP_INDEX);
    words.copyWithin(at + RTCP_BITS, spare + RTCP_BITS, spare + ORDER);
    words.copyWithin(at + HEARD, spare + HEARD, spare + END);
    words[at + BUSY] = 0;
    this.#newest = at;
  }

  free(): void {
    for (const at of this.#blocks) this.#place.memory.give(at);
    this.#blocks.length = this.#count = 0;
    this.#retired.free();
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
    if (at !== this.#newest) this.#heard(at);
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
    if (at !== this.#newest) this.#heard(at);
    words[at + BUSY] = 0;
  }

  #heard(at: number): void {
    this.#newest = at;
    this.#words[at + HEARD] = ++this.#turn;
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
