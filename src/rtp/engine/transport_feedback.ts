import type { Instant } from "../../core/clock.ts";
import { int16 } from "./bytes.ts";
import { findExtension } from "./transport_wide.ts";

/** How often a sender hears which packets have come, ms: each packet after that is a chance. */
export const FEEDBACK_INTERVAL = 50;
/** Numbers that wait for their report; a power of two. */
const WINDOW = 512;
/** Arrival times are told in quarters of a millisecond, from a multiple of 64 ms on. */
const TICKS_PER_MS = 4;
const REFERENCE_MS = 64;
/** Statuses of one chunk, two bits each. */
const PER_CHUNK = 7;
const MISSING = 0;
const SMALL_DELTA = 1;
const LARGE_DELTA = 2;
const MAX_SMALL = 0xff;
const MAX_LARGE = 0x7fff;
/** Bytes before the chunks: header, two SSRCs, base and count, reference time and counter. */
const HEAD = 20;

/**
 * Which packets with transport-wide numbers came from a browser, and when, for a browser whose far
 * end doesn't report on them (draft-holmer-rmcat-transport-wide-cc-extensions-01 3.1). Its estimate
 * of the way to us grows by these; how the far end fares, it reads in the reports.
 */
export class TransportFeedback {
  /** When each number came, ms; -1: it has not. */
  readonly #arrivals = new Float64Array(WINDOW).fill(-1);
  /** First number that is not reported yet, or -1; the newest that came. */
  #base = -1;
  #newest = -1;
  #media = 0;
  #count = 0;
  #sentAt: Instant = -Infinity;
  readonly #deltas = new Int32Array(WINDOW);

  /**
   * A packet, decrypted, at `offset`; gives whether a report is due.
   * @param id of the header extension that has the number
   */
  packet(buffer: Uint8Array, offset: number, id: number, ssrc: number, now: Instant): boolean {
    const at = findExtension(buffer, offset, id);
    if (at < 0) return false;
    const number = int16(buffer, at);
    if (this.#base < 0) this.#base = number;
    const place = (number - this.#base) & 0xffff;
    // Late by more than a report: it counts as lost there.
    if (place >= 0x8000) return false;
    if (place >= WINDOW) {
      this.#arrivals.fill(-1);
      this.#base = number;
      this.#newest = -1;
    }
    if (this.#newest < 0 || ((number - this.#newest) & 0xffff) < 0x8000) this.#newest = number;
    this.#arrivals[number & (WINDOW - 1)] = now;
    this.#media = ssrc;
    return now - this.#sentAt >= FEEDBACK_INTERVAL;
  }

  /**
   * Writes a report on all that has come and was not reported; gives its length. To be called when
   * one is due.
   * @param sender SSRC of our own
   */
  write(buffer: Uint8Array, offset: number, sender: number, now: Instant): number {
    this.#sentAt = now;
    const base = this.#base;
    const wanted = ((this.#newest - base) & 0xffff) + 1;
    let reference = -1;
    let last = 0;
    let statuses = 0;
    for (; statuses < wanted; statuses++) {
      const arrival = this.#arrivals[(base + statuses) & (WINDOW - 1)]!;
      if (arrival < 0) continue;
      if (reference < 0) {
        reference = Math.floor(arrival / REFERENCE_MS);
        last = reference * REFERENCE_MS * TICKS_PER_MS;
      }
      const ticks = Math.round(arrival * TICKS_PER_MS);
      const delta = ticks - last;
      // Too long a pause for this report; the next one begins there.
      if (delta > MAX_LARGE || delta < -MAX_LARGE) break;
      this.#deltas[statuses] = delta;
      last = ticks;
    }
    const end = this.#statuses(buffer, offset, base, statuses);
    this.#head(buffer, offset, end - offset, sender, base, statuses, Math.max(0, reference));
    for (let i = 0; i < statuses; i++) this.#arrivals[(base + i) & (WINDOW - 1)] = -1;
    this.#base = (base + statuses) & 0xffff;
    return end - offset;
  }

  /** Chunks, deltas and padding; gives where they end. */
  #statuses(buffer: Uint8Array, offset: number, base: number, statuses: number): number {
    const chunks = Math.ceil(statuses / PER_CHUNK);
    let chunk = offset + HEAD;
    let at = chunk + 2 * chunks;
    for (let first = 0; first < statuses; first += PER_CHUNK) {
      // A status vector of two-bit symbols.
      let word = 0xc000;
      for (let i = 0; i < PER_CHUNK && first + i < statuses; i++) {
        const arrival = this.#arrivals[(base + first + i) & (WINDOW - 1)]!;
        const delta = this.#deltas[first + i]!;
        const symbol = arrival < 0
          ? MISSING
          : delta >= 0 && delta <= MAX_SMALL
          ? SMALL_DELTA
          : LARGE_DELTA;
        word |= symbol << (12 - 2 * i);
        if (symbol === LARGE_DELTA) buffer[at++] = delta >> 8;
        if (symbol !== MISSING) buffer[at++] = delta;
      }
      buffer[chunk++] = word >> 8;
      buffer[chunk++] = word;
    }
    while ((at - offset) % 4 !== 0) buffer[at++] = 0;
    return at;
  }

  #head(
    buffer: Uint8Array,
    offset: number,
    length: number,
    sender: number,
    base: number,
    statuses: number,
    reference: number,
  ): void {
    buffer[offset] = 0x80 | 15;
    buffer[offset + 1] = 205;
    putBytes(buffer, offset + 2, length / 4 - 1, 2);
    putBytes(buffer, offset + 4, sender, 4);
    putBytes(buffer, offset + 8, this.#media, 4);
    putBytes(buffer, offset + 12, base, 2);
    putBytes(buffer, offset + 14, statuses, 2);
    putBytes(buffer, offset + 16, reference, 3);
    buffer[offset + 19] = this.#count++ & 0xff;
  }
}

/** Longest report: all statuses, each with a delta of two bytes, and what stands around them. */
export const MAX_FEEDBACK = HEAD + 2 * Math.ceil(WINDOW / PER_CHUNK) + 2 * WINDOW + 3;

function putBytes(buffer: Uint8Array, at: number, value: number, count: number): void {
  for (let i = 0; i < count; i++) buffer[at + i] = value >>> (8 * (count - 1 - i));
}
