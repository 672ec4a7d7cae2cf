/** Pitch periods that are looked for, ms: voices from 66 to 400 Hz. */
const SHORTEST_PITCH_MS = 2.5;
const LONGEST_PITCH_MS = 15;
/** What is compared with its past to find the pitch, ms. */
const CORRELATION_MS = 20;
/** Full level for so long, then down to nothing. A vowel that lasts longer is a buzz. */
const FULL_MS = 10;
const MUTE_MS = 60;
/** With every so many ms one more pitch period is repeated, up to three, so that no tone arises. */
const PERIOD_STEP_MS = 10;
const MOST_PERIODS = 3;
/** How long the first good samples and the made-up ones are blended, ms: first, and at most. */
const MERGE_MS = 4;
const LONGEST_MERGE_MS = 10;

/**
 * Packet-loss concealment for codecs that have none of their own, by repeating the last pitch
 * periods (the method of ITU-T G.711 Appendix I, without its algorithmic delay). Feed it every good
 * frame.
 */
export class WaveformConcealer {
  readonly #rate: number;
  /** The last samples given out, oldest first. */
  readonly #history: Float32Array;
  /** The periods being repeated. */
  readonly #block: Float32Array;
  #blockLength = 0;
  #at = 0;
  #lag = 0;
  /** Samples made up since the last good one. */
  #made = 0;
  /** Step at the seam between the last good sample and the repetition, faded out. */
  #step = 0;

  constructor(rate: number) {
    this.#rate = rate;
    const longest = this.#samples(LONGEST_PITCH_MS);
    this.#history = new Float32Array(longest * (MOST_PERIODS + 1) + this.#samples(MERGE_MS));
    this.#block = new Float32Array(longest * MOST_PERIODS);
  }

  /** Takes a good frame; after a gap its beginning is blended with what was made up, in place. */
  good(pcm: Int16Array, samples: number): void {
    if (this.#made > 0) this.#merge(pcm, samples);
    this.#made = 0;
    this.#remember(pcm, samples);
  }

  /** Makes up `samples`. */
  conceal(samples: number, pcm: Int16Array): void {
    if (this.#made === 0) this.#begin();
    for (let i = 0; i < samples; i++) pcm[i] = this.#next();
  }

  #samples(ms: number): number {
    return Math.round(ms * this.#rate / 1000);
  }

  #remember(pcm: Int16Array, samples: number): void {
    const history = this.#history;
    const kept = Math.min(samples, history.length);
    history.copyWithin(0, kept);
    const to = history.length - kept;
    for (let i = 0; i < kept; i++) history[to + i] = pcm[samples - kept + i]!;
  }

  #begin(): void {
    const history = this.#history;
    this.#lag = this.#findPitch();
    this.#fillBlock(1);
    this.#step = history[history.length - 1]! - history[history.length - 1 - this.#lag]!;
  }

  /**
   * The lag at which the last samples resemble their past most; coarse at high rates, then fine.
   */
  #findPitch(): number {
    const stride = Math.max(1, Math.round(this.#rate / 8000));
    const shortest = this.#samples(SHORTEST_PITCH_MS);
    const longest = this.#samples(LONGEST_PITCH_MS);
    let best = this.#search(shortest, longest, stride, stride);
    if (stride > 1) {
      best = this.#search(
        Math.max(shortest, best - stride),
        Math.min(longest, best + stride),
        1,
        stride,
      );
    }
    return best;
  }

  #search(from: number, to: number, lagStep: number, stride: number): number {
    const history = this.#history;
    const end = history.length;
    const start = end - this.#samples(CORRELATION_MS);
    let best = to;
    let bestScore = -Infinity;
    for (let lag = from; lag <= to; lag += lagStep) {
      let product = 0;
      let energy = 1;
      for (let i = start; i < end; i += stride) {
        const past = history[i - lag]!;
        product += history[i]! * past;
        energy += past * past;
      }
      const score = product / Math.sqrt(energy);
      if (score > bestScore) {
        bestScore = score;
        best = lag;
      }
    }
    return best;
  }

  /** The last `periods` periods, their end bent so that it runs on into their beginning. */
  #fillBlock(periods: number): void {
    const history = this.#history;
    const length = periods * this.#lag;
    const from = history.length - length;
    const bent = Math.max(1, this.#lag >> 2);
    for (let i = 0; i < length; i++) this.#block[i] = history[from + i]!;
    for (let left = 1; left <= bent; left++) {
      const weight = left / (bent + 1);
      const at = length - left;
      this.#block[at] = this.#block[at]! * weight + history[from - left]! * (1 - weight);
    }
    this.#blockLength = length;
    this.#at = 0;
  }

  #next(): number {
    if (this.#at >= this.#blockLength) {
      const elapsed = this.#made * 1000 / this.#rate;
      this.#fillBlock(Math.min(MOST_PERIODS, 1 + Math.floor(elapsed / PERIOD_STEP_MS)));
    }
    const fade = this.#samples(MERGE_MS);
    const step = this.#made < fade ? this.#step * (1 - this.#made / fade) : 0;
    const value = (this.#block[this.#at]! + step) * this.#level();
    this.#at++;
    this.#made++;
    return clamp16(Math.round(value));
  }

  #level(): number {
    const elapsed = this.#made * 1000 / this.#rate;
    if (elapsed <= FULL_MS) return 1;
    return elapsed >= MUTE_MS ? 0 : (MUTE_MS - elapsed) / (MUTE_MS - FULL_MS);
  }

  #merge(pcm: Int16Array, samples: number): void {
    const elapsed = this.#made * 1000 / this.#rate;
    const ms = Math.min(LONGEST_MERGE_MS, MERGE_MS * (1 + Math.floor(elapsed / PERIOD_STEP_MS)));
    const length = Math.min(samples, this.#samples(ms));
    for (let i = 0; i < length; i++) {
      const weight = (i + 1) / (length + 1);
      pcm[i] = clamp16(Math.round(pcm[i]! * weight + this.#next() * (1 - weight)));
    }
  }
}

export function clamp16(value: number): number {
  return value > 32767 ? 32767 : value < -32768 ? -32768 : value;
}
