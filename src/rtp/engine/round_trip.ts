import type { Instant } from "../../core/clock.ts";

/** Sender reports remembered while their echo may come back. */
const KEPT = 16;
/** A report block of 2^16 units is one second (RFC 3550 6.4.1). */
const UNITS_PER_MS = 65.536;

/**
 * Round trip between us and one endpoint, read off the reports that the two browsers exchange: a
 * sender report passes towards the endpoint, and a report block that names it comes back
 * (RFC 3550 6.4.1, from the middle of the path).
 */
export class RoundTrip {
  readonly #ssrcs = new Int32Array(KEPT);
  readonly #stamps = new Int32Array(KEPT);
  readonly #sentAt = new Float64Array(KEPT).fill(-1);
  #next = 0;
  /** Last measurement, ms, or null. */
  ms: number | null = null;

  sent(ssrc: number, middleNtp: number, now: Instant): void {
    const i = this.#next;
    this.#next = (i + 1) % KEPT;
    this.#ssrcs[i] = ssrc;
    this.#stamps[i] = middleNtp;
    this.#sentAt[i] = now;
  }

  echoed(ssrc: number, lastReport: number, delay: number, now: Instant): void {
    if (lastReport === 0) return;
    for (let i = 0; i < KEPT; i++) {
      if (this.#sentAt[i]! < 0 || this.#stamps[i] !== lastReport || this.#ssrcs[i] !== ssrc) {
        continue;
      }
      const ms = now - this.#sentAt[i]! - delay / UNITS_PER_MS;
      // Rounding of the delay can make it a little less than nothing.
      if (ms > -5 && ms < 60_000) this.ms = Math.max(0, ms);
      return;
    }
  }
}
