import type { Instant } from "../../core/clock.ts";

/**
 * Histogram of how much later than the fastest packet others come: width of a bin, ms, and bins.
 */
const BIN_MS = 5;
const BINS = 128;
/** Share of packets that the delay should suffice for. */
const QUANTILE = 0.97;
/**
 * Weight of the past in the histogram with each packet; half of it is forgotten in 5 s of 20 ms.
 */
const MEMORY = 0.997;
/**
 * The fastest packet of the last one to two of these counts, so that a drifting clock is followed.
 */
const WINDOW_MS = 2000;
/** RFC 3550 6.4.1. */
const JITTER_GAIN = 1 / 16;

/**
 * Learns from arrival times how long packets must be held so that nearly all are there when due.
 * All delays are relative to the fastest packet, since the two clocks have no common zero.
 */
export class DelayEstimate {
  readonly #histogram = new Float64Array(BINS);
  #count = 0;
  #windowEnd = -Infinity;
  #windowFastest = Infinity;
  #formerFastest = Infinity;
  #lastTransit: number | undefined;
  /** The fastest packet that the histogram counts from, to a bin's width. */
  #anchor: number | undefined;
  /** Interarrival jitter, ms (RFC 3550 6.4.1). */
  jitterMs = 0;

  /** Nothing has been learned yet. */
  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Arrival minus media time of the fastest packet, ms; 0 before any. */
  get fastest(): number {
    const fastest = Math.min(this.#windowFastest, this.#formerFastest);
    return fastest === Infinity ? 0 : fastest;
  }

  /**
   * @param mediaMs the packet's timestamp on a line without wraps, ms
   */
  arrived(mediaMs: number, now: Instant): void {
    const transit = now - mediaMs;
    if (now >= this.#windowEnd) {
      this.#formerFastest = this.#windowFastest;
      this.#windowFastest = Infinity;
      this.#windowEnd = now + WINDOW_MS;
    }
    this.#windowFastest = Math.min(this.#windowFastest, transit);
    if (this.#lastTransit !== undefined) {
      this.jitterMs += (Math.abs(transit - this.#lastTransit) - this.jitterMs) * JITTER_GAIN;
    }
    this.#lastTransit = transit;
    this.#count++;
    // In the beginning every packet counts alike.
    const memory = Math.min(MEMORY, 1 - 1 / this.#count);
    for (let i = 0; i < BINS; i++) this.#histogram[i]! *= memory;
    this.#follow();
    const bin = Math.min(BINS - 1, Math.floor((transit - this.fastest) / BIN_MS));
    this.#histogram[bin]! += 1 - memory;
  }

  /**
   * The network has become slower for all: what was counted moves with it. Where it has become
   * faster, or the sender's clock runs ahead, the spread is what it was.
   */
  #follow(): void {
    this.#anchor = Math.min(this.#anchor ?? Infinity, this.fastest);
    const bins = Math.min(BINS - 1, Math.floor((this.fastest - this.#anchor) / BIN_MS));
    if (bins === 0) return;
    this.#anchor += bins * BIN_MS;
    const histogram = this.#histogram;
    for (let i = 0; i < bins; i++) histogram[bins]! += histogram[i]!;
    histogram.copyWithin(0, bins);
    histogram.fill(0, BINS - bins);
  }

  /** The delay that suffices for nearly all packets, ms. */
  needed(): number {
    let sum = 0;
    for (let i = 0; i < BINS; i++) {
      sum += this.#histogram[i]!;
      if (sum >= QUANTILE) return (i + 1) * BIN_MS;
    }
    return this.#count === 0 ? 0 : BINS * BIN_MS;
  }
}
