import { clamp16 } from "./concealer.ts";

/** Pieces that are taken out or put in: whole pitch periods of voices, ms. */
const SHORTEST_MS = 2.5;
const LONGEST_MS = 15;
/** What is compared to find a period, ms. */
const WINDOW_MS = 10;
/** Neighbouring periods less alike than this are left alone, unless it is urgent. */
const LIKENESS = 0.6;
/** Quieter than this (RMS), any piece will do. */
const QUIET = 40;
const CAPACITY_MS = 400;

/**
 * A queue of PCM whose beginning can be shortened or lengthened by one pitch period without being
 * heard, by blending neighbouring periods (the method of WSOLA).
 */
export class StretchQueue {
  readonly #rate: number;
  readonly #shortest: number;
  readonly #longest: number;
  readonly #samples: Int16Array;
  readonly #blend: Int16Array;
  #start: number;
  #end: number;

  constructor(rate: number) {
    this.#rate = rate;
    this.#shortest = Math.round(SHORTEST_MS * rate / 1000);
    this.#longest = Math.round(LONGEST_MS * rate / 1000);
    this.#samples = new Int16Array(this.#longest + rate * CAPACITY_MS / 1000);
    this.#blend = new Int16Array(this.#longest);
    // The room in front is for what `expand` puts in.
    this.#start = this.#end = this.#longest;
  }

  get length(): number {
    return this.#end - this.#start;
  }

  clear(): void {
    this.#start = this.#end = this.#longest;
  }

  push(pcm: Int16Array, count: number): void {
    if (this.#end + count > this.#samples.length) this.#compact();
    if (this.#end + count > this.#samples.length) {
      throw new Error(`PCM queue: ${this.length} + ${count} samples do not fit`);
    }
    this.#samples.set(pcm.subarray(0, count), this.#end);
    this.#end += count;
  }

  /** Takes `count` samples out; `count` must be there. */
  shift(count: number, pcm: Int16Array): void {
    pcm.set(this.#samples.subarray(this.#start, this.#start + count));
    this.#start += count;
    if (this.#start === this.#end) this.clear();
  }

  /** Removes one period from the beginning; gives samples removed, 0 where nothing fits. */
  accelerate(isUrgent: boolean): number {
    const lag = this.#findPeriod(isUrgent);
    if (lag === 0) return 0;
    const [x, start] = [this.#samples, this.#start];
    for (let i = 0; i < lag; i++) {
      const weight = (i + 0.5) / lag;
      x[start + lag + i] = clamp16(
        Math.round(x[start + i]! * (1 - weight) + x[start + lag + i]! * weight),
      );
    }
    this.#start += lag;
    return lag;
  }

  /** Repeats one period at the beginning; gives samples put in, 0 where nothing fits. */
  expand(isUrgent: boolean): number {
    const lag = this.#findPeriod(isUrgent);
    if (lag === 0) return 0;
    if (this.#start < lag) this.#compact();
    const [x, start, blend] = [this.#samples, this.#start, this.#blend];
    for (let i = 0; i < lag; i++) {
      const weight = (i + 0.5) / lag;
      blend[i] = clamp16(Math.round(x[start + lag + i]! * (1 - weight) + x[start + i]! * weight));
    }
    x.copyWithin(start - lag, start, start + lag);
    // x[0..lag) now begins `lag` earlier; the blend follows, then x goes on from its second period.
    x.set(blend.subarray(0, lag), start);
    this.#start -= lag;
    return lag;
  }

  #compact(): void {
    this.#samples.copyWithin(this.#longest, this.#start, this.#end);
    this.#end = this.#longest + this.length;
    this.#start = this.#longest;
  }

  #findPeriod(isUrgent: boolean): number {
    const [x, start] = [this.#samples, this.#start];
    const longest = Math.min(this.#longest, this.length >> 1);
    if (longest < this.#shortest) return 0;
    const window = Math.min(Math.round(WINDOW_MS * this.#rate / 1000), this.length - longest);
    const stride = Math.max(1, Math.round(this.#rate / 8000));
    let here = 1;
    for (let i = 0; i < window; i += stride) here += x[start + i]! * x[start + i]!;
    if (here * stride < QUIET * QUIET * window) return longest;
    let best = 0;
    let bestScore = isUrgent ? -2 : LIKENESS;
    for (let lag = this.#shortest; lag <= longest; lag += stride) {
      let product = 0;
      let there = 1;
      for (let i = start; i < start + window; i += stride) {
        const y = x[i + lag]!;
        product += x[i]! * y;
        there += y * y;
      }
      const score = product / Math.sqrt(here * there);
      if (score > bestScore) {
        bestScore = score;
        best = lag;
      }
    }
    return best;
  }
}
