import type { PcmRate } from "./codec.ts";
import { clamp16 } from "./concealer.ts";

/** Taps at the lower of the two rates; with the window below 60 dB and 0.85 of the band. */
const TAPS = 48;
/** Middle of the transition, as a share of half the lower rate. */
const CUTOFF = 0.925;
/** Of the Kaiser window: 60 dB. */
const BETA = 5.65;

/** Modified Bessel function of the first kind, order 0. */
function bessel(x: number): number {
  let sum = 1;
  let term = 1;
  for (let k = 1; k < 30; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/** Low-pass for the higher rate, unity gain at 0 Hz; `factor` is the ratio of the rates. */
function lowPass(factor: number): Float64Array {
  const length = TAPS * factor;
  const taps = new Float64Array(length);
  const middle = (length - 1) / 2;
  let sum = 0;
  for (let i = 0; i < length; i++) {
    const x = (i - middle) * CUTOFF / factor;
    const sinc = x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
    const at = (i - middle) / (middle + 1);
    taps[i] = sinc * bessel(BETA * Math.sqrt(1 - at * at));
    sum += taps[i]!;
  }
  return taps.map((tap) => tap / sum);
}

const filters = new Map<number, Float64Array>();

function filterFor(factor: number): Float64Array {
  let taps = filters.get(factor);
  if (taps === undefined) filters.set(factor, taps = lowPass(factor));
  return taps;
}

/**
 * Changes the rate of PCM by a whole factor (8 to 16 to 48 kHz and back) by a polyphase FIR. Delay:
 * 24 samples of the lower rate, 3 ms at 8 kHz. Same rate in and out costs a copy.
 */
export class Resampler {
  readonly #up: number;
  readonly #down: number;
  readonly #taps: Float64Array;
  /** The last samples of input, then the present ones. */
  #line = new Float64Array(0);
  readonly #history: number;

  constructor(from: PcmRate, to: PcmRate) {
    this.#up = to > from ? to / from : 1;
    this.#down = from > to ? from / to : 1;
    this.#taps = filterFor(Math.max(this.#up, this.#down));
    this.#history = this.#up > 1 ? TAPS - 1 : this.#taps.length - 1;
  }

  /**
   * @param input as many samples as are a whole number of output samples
   * @returns samples written to `output`
   */
  process(input: Int16Array, samples: number, output: Int16Array): number {
    if (this.#up === 1 && this.#down === 1) {
      output.set(input.subarray(0, samples));
      return samples;
    }
    const history = this.#history;
    if (this.#line.length < history + samples) {
      const grown = new Float64Array(history + samples);
      grown.set(this.#line.subarray(0, history));
      this.#line = grown;
    }
    const line = this.#line;
    for (let i = 0; i < samples; i++) line[history + i] = input[i]!;
    const count = this.#up > 1
      ? this.#interpolate(samples, output)
      : this.#decimate(samples, output);
    line.copyWithin(0, samples, samples + history);
    return count;
  }

  #interpolate(samples: number, output: Int16Array): number {
    const [line, taps, up, history] = [this.#line, this.#taps, this.#up, this.#history];
    let out = 0;
    for (let i = 0; i < samples; i++) {
      for (let phase = 0; phase < up; phase++) {
        let sum = 0;
        for (let k = phase, at = history + i; k < taps.length; k += up, at--) {
          sum += taps[k]! * line[at]!;
        }
        output[out++] = clamp16(Math.round(sum * up));
      }
    }
    return out;
  }

  #decimate(samples: number, output: Int16Array): number {
    const [line, taps, down] = [this.#line, this.#taps, this.#down];
    let out = 0;
    for (let i = 0; i + down <= samples; i += down) {
      let sum = 0;
      // The filter is symmetric, so it may run along the line.
      for (let k = 0, at = i + down - 1; k < taps.length; k++, at++) sum += taps[k]! * line[at]!;
      output[out++] = clamp16(Math.round(sum));
    }
    return out;
  }
}
