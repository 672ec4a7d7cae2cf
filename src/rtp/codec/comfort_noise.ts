import { clamp16 } from "./concealer.ts";

/**
 * Comfort noise (RFC 3389): the level of the background and the shape of its spectrum, as
 * reflection coefficients, in a few bytes; and the noise that these describe.
 */

const ORDER = 10;
/** Levels are in dB below the square wave of full scale. */
const FULL_SCALE = 32767;
const QUIETEST = 127;
/** RFC 3389 3.2: value of one step of a coefficient, and the byte that means zero. */
const STEP = 258 / 32768;
const ZERO = 127;
/**
 * The level reported is lowered so much: noise made up sounds louder than noise transmitted, dB.
 */
const LOWERED = 2;
/** White noise added for the analysis, so that pure tones don't give an unstable filter. */
const NOISE_FLOOR = 1.0001;

/** Root mean square of samples. */
export function rms(pcm: Int16Array, samples: number): number {
  let sum = 0;
  for (let i = 0; i < samples; i++) sum += pcm[i]! * pcm[i]!;
  return Math.sqrt(sum / Math.max(1, samples));
}

/** Payload that describes `pcm`, background noise without voice; written to `payload`. */
export function describeNoise(pcm: Int16Array, samples: number, payload: Uint8Array): number {
  const level = rms(pcm, samples);
  const decibels = level < 1 ? QUIETEST : -20 * Math.log10(level / FULL_SCALE) + LOWERED;
  payload[0] = Math.max(0, Math.min(QUIETEST, Math.round(decibels)));
  const reflection = analyse(pcm, samples);
  for (let i = 0; i < ORDER; i++) {
    payload[1 + i] = Math.max(0, Math.min(254, Math.round(reflection[i]! / STEP) + ZERO));
  }
  return 1 + ORDER;
}

/** Reflection coefficients by Levinson's and Durbin's recursion. */
function analyse(pcm: Int16Array, samples: number): Float64Array {
  const correlation = new Float64Array(ORDER + 1);
  for (let lag = 0; lag <= ORDER; lag++) {
    let sum = 0;
    for (let i = lag; i < samples; i++) sum += pcm[i]! * pcm[i - lag]!;
    correlation[lag] = sum;
  }
  const reflection = new Float64Array(ORDER);
  let error = correlation[0]! * NOISE_FLOOR;
  if (error < samples) return reflection;
  const a = new Float64Array(ORDER + 1);
  a[0] = 1;
  for (let i = 1; i <= ORDER; i++) {
    let sum = 0;
    for (let j = 0; j < i; j++) sum += a[j]! * correlation[i - j]!;
    const k = -sum / error;
    reflection[i - 1] = k;
    stepUp(a, i, k);
    error *= 1 - k * k;
  }
  return reflection;
}

/** From order `i - 1` to `i` by the reflection coefficient `k`, in place. */
function stepUp(a: Float64Array, i: number, k: number): void {
  for (let low = 1, high = i - 1; low <= high; low++, high--) {
    const [x, y] = [a[low]!, a[high]!];
    a[low] = x + k * y;
    a[high] = y + k * x;
  }
  a[i] = k;
}

/** Makes noise as described by the last payload; steps of level are faded over a frame. */
export class NoiseMaker {
  readonly #a = new Float64Array(ORDER + 1);
  readonly #past = new Float64Array(ORDER);
  #order = 0;
  /** Amplitude of the excitation now, and where it goes. */
  #gain = 0;
  #target = 0;
  #state = 0x2545f491;

  /** Silence until a payload comes. */
  reset(): void {
    this.#target = this.#gain = 0;
    this.#past.fill(0);
  }

  /** Takes a payload, also one of a single byte (flat spectrum) or with more coefficients. */
  take(payload: Uint8Array): void {
    const level = FULL_SCALE * 10 ** (-((payload[0] ?? QUIETEST) & 0x7f) / 20);
    this.#order = Math.min(ORDER, Math.max(0, payload.length - 1));
    this.#a.fill(0);
    this.#a[0] = 1;
    let gain = 1;
    for (let i = 1; i <= this.#order; i++) {
      const k = Math.max(-0.99, Math.min(0.99, (payload[i]! - ZERO) * STEP));
      stepUp(this.#a, i, k);
      gain *= 1 - k * k;
    }
    // Uniform noise in [-1, 1) has a mean square of a third.
    this.#target = level < 2 ? 0 : level * Math.sqrt(gain * 3);
  }

  make(samples: number, pcm: Int16Array): void {
    const [a, past, order] = [this.#a, this.#past, this.#order];
    const step = (this.#target - this.#gain) / Math.max(1, samples);
    for (let i = 0; i < samples; i++) {
      this.#gain += step;
      let value = this.#gain * this.#chance();
      for (let k = 1; k <= order; k++) value -= a[k]! * past[k - 1]!;
      past.copyWithin(1, 0);
      past[0] = value;
      pcm[i] = clamp16(Math.round(value));
    }
    this.#gain = this.#target;
  }

  /** In [-1, 1); noise for the ear needs no better (xorshift32). */
  #chance(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x / 0x8000_0000;
  }
}

/** Louder than the background by this factor is voice. */
const VOICE_FACTOR = 2.5;
/** Quieter than this is silence whatever the background, RMS. */
const ALWAYS_SILENT = 12;
/** Louder than this is never taken for background, RMS (-36 dB). */
const NEVER_SILENT = 500;
/** The background estimate rises by so much in a second. */
const RISE_PER_SECOND = 1.6;
/** After voice, silence is believed only when it has lasted, ms. */
const HANGOVER_MS = 200;

/** Tells voice from background by level against a slowly rising minimum. */
export class VoiceDetector {
  #floor = NEVER_SILENT;
  #quietMs = 0;

  /** @returns true while there is voice, and for the hangover */
  isVoice(pcm: Int16Array, samples: number, ms: number): boolean {
    const level = rms(pcm, samples);
    this.#floor = Math.min(
      NEVER_SILENT,
      Math.max(1, Math.min(level, this.#floor * RISE_PER_SECOND ** (ms / 1000))),
    );
    const isQuiet = level < ALWAYS_SILENT ||
      level < NEVER_SILENT && level < this.#floor * VOICE_FACTOR;
    this.#quietMs = isQuiet ? this.#quietMs + ms : 0;
    return this.#quietMs <= HANGOVER_MS;
  }
}
