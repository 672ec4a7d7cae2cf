import type { Instant } from "../../core/clock.ts";
import type { PacketCache } from "./packet_cache.ts";
import { BUSY, FIRST_WORD, type StateMemory } from "./state_memory.ts";

export type Kind = "audio" | "video";
/** Streams of one kind that stand side by side: the media, their retransmissions, their repair. */
export type StreamRole = "main" | "rtx" | "repair";

const KINDS: readonly Kind[] = ["audio", "video"];
const ROLES: readonly StreamRole[] = ["main", "rtx", "repair"];

/** Words of a stream's block. */
const SSRC = FIRST_WORD;
const NATURE = 4;
const ORDER = 5;
const SOURCE = 6;
const SOURCE_SSRC = 7;
const SEQUENCE_OFFSET = 8;
const TIMESTAMP_OFFSET = 9;
const HIGHEST = 10;
const TIMESTAMP = 11;
const CLOCK_RATE = 12;
const PACKETS = 13;
const OCTETS = 14;
const PACKETS_AT_REPORT = 15;
const REBASE = 16;
const REPORT_IS_OURS = 17;
/** A double: half its word number. */
const AT = 18 / 2;

/** A jump beyond these is a new start of the sequence (RFC 3550 A.1). */
const MAX_DROPOUT = 3000;
const MAX_MISORDER = 1024;

/** No endpoint's number. */
export const NOBODY = 0;

/**
 * One stream as a far end sees it, and how it is made of what its present source sends. It lies in
 * a block of memory that outlives the worker, so that no sequence number is given twice.
 */
export class OutStream {
  readonly #words: Int32Array;
  readonly #floats: Float64Array;
  readonly ssrc: number;
  readonly kind: Kind;
  readonly role: StreamRole;
  /** Sent packets kept for those who ask again; null: the source repeats them itself. */
  cache: PacketCache | null = null;

  /** @param block of a stream that `begin` or another worker has written */
  constructor(readonly memory: StateMemory, readonly block: number) {
    const words = this.#words = memory.words;
    this.#floats = memory.floats;
    this.ssrc = words[block + SSRC]!;
    const nature = words[block + NATURE]!;
    this.kind = KINDS[nature & 1]!;
    this.role = ROLES[nature >> 1]!;
  }

  /** Writes a new stream into a block. @param order its place among those of its endpoint */
  static begin(
    memory: StateMemory,
    block: number,
    order: number,
    nature: { readonly ssrc: number; readonly kind: Kind; readonly role: StreamRole },
  ): OutStream {
    const { words } = memory;
    words[block + SSRC] = nature.ssrc;
    words[block + NATURE] = KINDS.indexOf(nature.kind) | (ROLES.indexOf(nature.role) << 1);
    words[block + ORDER] = order;
    words[block + HIGHEST] = -1;
    words[block + BUSY] = 0;
    return new OutStream(memory, block);
  }

  /** Whatever is set must be set between these two: another worker believes all or nothing. */
  beginChange(): void {
    this.#words[this.block + BUSY] = 1;
  }

  endChange(): void {
    this.#words[this.block + BUSY] = 0;
  }

  get order(): number {
    return this.#words[this.block + ORDER]!;
  }

  /** Number of the endpoint that it comes from at present, or `NOBODY`. */
  get source(): number {
    return this.#words[this.block + SOURCE]!;
  }
  set source(value: number) {
    this.#words[this.block + SOURCE] = value;
  }

  get sourceSsrc(): number {
    return this.#words[this.block + SOURCE_SSRC]!;
  }
  set sourceSsrc(value: number) {
    this.#words[this.block + SOURCE_SSRC] = value;
  }

  get sequenceOffset(): number {
    return this.#words[this.block + SEQUENCE_OFFSET]!;
  }
  set sequenceOffset(value: number) {
    this.#words[this.block + SEQUENCE_OFFSET] = value;
  }

  get timestampOffset(): number {
    return this.#words[this.block + TIMESTAMP_OFFSET]!;
  }
  set timestampOffset(value: number) {
    this.#words[this.block + TIMESTAMP_OFFSET] = value;
  }

  /** Newest sequence number sent, or -1. */
  get highest(): number {
    return this.#words[this.block + HIGHEST]!;
  }
  set highest(value: number) {
    this.#words[this.block + HIGHEST] = value;
  }

  /** Of the newest packet. */
  get timestamp(): number {
    return this.#words[this.block + TIMESTAMP]!;
  }
  set timestamp(value: number) {
    this.#words[this.block + TIMESTAMP] = value;
  }

  /** When the newest packet was sent. */
  get at(): Instant {
    return this.#floats[(this.block >> 1) + AT]!;
  }
  set at(value: Instant) {
    this.#floats[(this.block >> 1) + AT] = value;
  }

  get clockRate(): number {
    return this.#words[this.block + CLOCK_RATE]!;
  }
  set clockRate(value: number) {
    this.#words[this.block + CLOCK_RATE] = value;
  }

  /** Modulo 2^32, as sender reports have it. */
  get packets(): number {
    return this.#words[this.block + PACKETS]! >>> 0;
  }
  set packets(value: number) {
    this.#words[this.block + PACKETS] = value;
  }

  /** Modulo 2^32. */
  get octets(): number {
    return this.#words[this.block + OCTETS]! >>> 0;
  }
  set octets(value: number) {
    this.#words[this.block + OCTETS] = value;
  }

  get packetsAtReport(): number {
    return this.#words[this.block + PACKETS_AT_REPORT]! >>> 0;
  }

  /** Packets of our own went in between: the next one of the source comes right behind them. */
  get rebase(): boolean {
    return this.#words[this.block + REBASE] !== 0;
  }
  set rebase(value: boolean) {
    this.#words[this.block + REBASE] = value ? 1 : 0;
  }

  /**
   * The last sender report about it was ours: what comes back about it is nothing to the source.
   */
  get reportIsOurs(): boolean {
    return this.#words[this.block + REPORT_IS_OURS] !== 0;
  }

  /** A sender report about it goes out, of our own or as its source has made it. */
  reported(isOurs: boolean): void {
    const [words, at] = [this.#words, this.block];
    words[at + BUSY] = 1;
    if (isOurs) words[at + PACKETS_AT_REPORT] = words[at + PACKETS]!;
    words[at + REPORT_IS_OURS] = isOurs ? 1 : 0;
    words[at + BUSY] = 0;
  }

  /** Whether it is made of this stream of that source. */
  isFrom(source: number, ssrc: number): boolean {
    const words = this.#words;
    return words[this.block + SOURCE] === source && words[this.block + SOURCE_SSRC] === ssrc;
  }

  /**
   * A packet of the source goes out; gives its sequence number, and `timestampOffset` holds for it.
   * @param clockRate 0: not known @param octets of payload
   */
  pass(
    sequence: number,
    timestamp: number,
    clockRate: number,
    octets: number,
    now: Instant,
  ): number {
    // Each packet of a call with a phone comes here: words, and no accessors.
    const [words, at] = [this.#words, this.block];
    words[at + BUSY] = 1;
    const highest = words[at + HIGHEST]!;
    if (words[at + REBASE] !== 0) {
      words[at + REBASE] = 0;
      words[at + SEQUENCE_OFFSET] = (highest + 1 - sequence) & 0xffff;
    }
    if (clockRate > 0) words[at + CLOCK_RATE] = clockRate;
    const jump = (sequence + words[at + SEQUENCE_OFFSET]! - highest) & 0xffff;
    if (highest >= 0 && jump > MAX_DROPOUT && jump <= 0x10000 - MAX_MISORDER) {
      // The source has begun anew under the same SSRC.
      this.goOn(sequence, timestamp, clockRate, now);
    }
    const out = (sequence + words[at + SEQUENCE_OFFSET]!) & 0xffff;
    if (highest < 0 || ((out - highest) & 0xffff) < 0x8000) {
      words[at + HIGHEST] = out;
      words[at + TIMESTAMP] = timestamp + words[at + TIMESTAMP_OFFSET]!;
      this.#floats[(at >> 1) + AT] = now;
    }
    words[at + PACKETS]!++;
    words[at + OCTETS]! += octets;
    words[at + BUSY] = 0;
    return out;
  }

  /** Whatever the source's numbers are now, ours go on where they have stopped. Within a change. */
  goOn(sequence: number, timestamp: number, clockRate: number, now: Instant): void {
    if (clockRate > 0) this.clockRate = clockRate;
    this.sequenceOffset = (this.highest + 1 - sequence) & 0xffff;
    this.timestampOffset = (this.timestampAt(now) - timestamp) | 0;
    this.rebase = false;
  }

  /**
   * A packet of our own takes the place right behind what was sent last: gives its sequence number.
   * @param octets of payload
   */
  next(octets: number): number {
    const [words, at] = [this.#words, this.block];
    words[at + BUSY] = 1;
    const sequence = (words[at + HIGHEST]! + 1) & 0xffff;
    words[at + HIGHEST] = sequence;
    words[at + PACKETS]!++;
    words[at + OCTETS]! += octets;
    words[at + BUSY] = 0;
    return sequence;
  }

  /** What the time stamp would be now, had the stream run on. */
  timestampAt(now: Instant): number {
    if (this.highest < 0) return this.timestamp;
    return (this.timestamp + Math.round(Math.max(0, now - this.at) * this.clockRate / 1000)) | 0;
  }
}
