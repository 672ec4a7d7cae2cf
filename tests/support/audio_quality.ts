import { likeness } from "../../src/rtp/codec/self_test.ts";

/** How much a coded signal differs from another, by measures that a broken codec misses. */
export interface Quality {
  /** By which `heard` comes later than `reference`, ms. */
  readonly delayMs: number;
  /** Normalized cross-correlation at that delay, -1 to 1. */
  readonly likeness: number;
  /** Of `heard` against `reference`, dB. */
  readonly levelDb: number;
  /** Mean over the frames that hold voice, each held within -10 to 35 dB. */
  readonly segmentalSnrDb: number;
  /** Mean over the frames that hold voice, 200 to 3,400 Hz, dB. */
  readonly spectralDistanceDb: number;
  /**
   * The same from 3,400 to 7,000 Hz, over the frames that hold something there; 0 where the rate
   * has no room for it.
   */
  readonly highDistanceDb: number;
}

const FRAME_MS = 32;
/** Frames quieter than this below the mean are pauses, dB. */
const VOICE_DB = 20;
/**
 * Spectra are compared between these frequencies, Hz, down to so far below their peak there, dB.
 */
const LOW_BAND = { from: 200, to: 3400, floorDb: 45 } as const;
const HIGH_BAND = { from: 3400, to: 7000, floorDb: 25 } as const;
/** Rates from here on have the high band, Hz. */
const WIDE_RATE = 16_000;

/** @param mostDelayMs delays from 0 to this are tried */
export function compare(
  reference: Int16Array,
  heard: Int16Array,
  rate: number,
  mostDelayMs: number,
): Quality {
  const delay = findDelay(reference, heard, rate, mostDelayMs);
  const length = Math.min(reference.length, heard.length - delay);
  const aligned = heard.subarray(delay, delay + length);
  const wanted = reference.subarray(0, length);
  return {
    delayMs: delay * 1000 / rate,
    likeness: likeness(wanted, 0, aligned, 0, length),
    levelDb: 10 * Math.log10(energy(aligned, 0, length) / energy(wanted, 0, length)),
    ...byFrames(wanted, aligned, rate),
  };
}

function energy(pcm: Int16Array, from: number, to: number): number {
  let sum = 1;
  for (let i = from; i < to; i++) sum += pcm[i]! * pcm[i]!;
  return sum;
}

/** Coarse at 4 kHz or so, then to the sample. */
function findDelay(a: Int16Array, b: Int16Array, rate: number, mostMs: number): number {
  const most = Math.min(Math.round(mostMs * rate / 1000), b.length - 1);
  const stride = Math.max(1, Math.round(rate / 4000));
  const at = (delay: number, step: number) => {
    const end = Math.min(a.length, b.length - delay);
    let sum = 0;
    for (let i = 0; i < end; i += step) sum += a[i]! * b[i + delay]!;
    return sum;
  };
  const best = (from: number, to: number, by: number, step: number) => {
    let found = from;
    let score = -Infinity;
    for (let delay = from; delay <= to; delay += by) {
      const value = at(delay, step);
      if (value > score) [score, found] = [value, delay];
    }
    return found;
  };
  const coarse = best(0, most, stride, stride);
  return best(Math.max(0, coarse - 2 * stride), Math.min(most, coarse + 2 * stride), 1, 1);
}

function byFrames(wanted: Int16Array, heard: Int16Array, rate: number) {
  const size = frameSize(rate);
  const mean = energy(wanted, 0, wanted.length) / wanted.length;
  let [frames, snr, distance] = [0, 0, 0];
  for (let at = 0; at + size <= wanted.length; at += size) {
    const power = energy(wanted, at, at + size);
    if (power / size < mean * 10 ** (-VOICE_DB / 10)) continue;
    snr += signalToNoise(wanted, at, heard, at, size);
    const [x, y] = [powerSpectrum(wanted, at, size), powerSpectrum(heard, at, size)];
    distance += spectralDistance(x, y, LOW_BAND, size / rate);
    frames++;
  }
  return {
    segmentalSnrDb: snr / frames,
    spectralDistanceDb: distance / frames,
    highDistanceDb: rate < WIDE_RATE ? 0 : highDistance(wanted, heard, rate),
  };
}

/** Samples of a frame, a power of two. */
function frameSize(rate: number): number {
  return 2 ** Math.round(Math.log2(FRAME_MS * rate / 1000));
}

function signalToNoise(a: Int16Array, aAt: number, b: Int16Array, bAt: number, size: number) {
  let noise = 1;
  for (let i = 0; i < size; i++) noise += (a[aAt + i]! - b[bAt + i]!) ** 2;
  return Math.max(-10, Math.min(35, 10 * Math.log10(energy(a, aAt, aAt + size) / noise)));
}

/** What is loud in the high band may be quiet beside a vowel, so it is looked for in the band. */
function highDistance(wanted: Int16Array, heard: Int16Array, rate: number): number {
  const size = frameSize(rate);
  const spectra: (readonly [Float64Array, number, number])[] = [];
  let mean = 0;
  for (let at = 0; at + size <= wanted.length; at += size) {
    const spectrum = powerSpectrum(wanted, at, size);
    const power = bandPower(spectrum, HIGH_BAND, size / rate);
    spectra.push([spectrum, power, at]);
    mean += power;
  }
  mean /= Math.max(1, spectra.length);
  let [frames, distance] = [0, 0];
  for (const [spectrum, power, at] of spectra) {
    if (power < mean * 10 ** (-VOICE_DB / 20)) continue;
    distance += spectralDistance(spectrum, powerSpectrum(heard, at, size), HIGH_BAND, size / rate);
    frames++;
  }
  return distance / Math.max(1, frames);
}

interface Band {
  readonly from: number;
  readonly to: number;
  readonly floorDb: number;
}

/** @param perHertz bins of the spectrum a hertz */
function bandPower(spectrum: Float64Array, { from, to }: Band, perHertz: number): number {
  let sum = 0;
  for (let k = Math.round(from * perHertz); k < Math.round(to * perHertz); k++) sum += spectrum[k]!;
  return sum;
}

function spectralDistance(x: Float64Array, y: Float64Array, band: Band, perHertz: number): number {
  const [from, to] = [Math.round(band.from * perHertz), Math.round(band.to * perHertz)];
  let peak = 1;
  for (let k = from; k < to; k++) peak = Math.max(peak, x[k]!);
  const floor = peak * 10 ** (-band.floorDb / 10);
  let sum = 0;
  for (let k = from; k < to; k++) {
    sum += (10 * Math.log10((x[k]! + floor) / (y[k]! + floor))) ** 2;
  }
  return Math.sqrt(sum / (to - from));
}

/** A sender's fast clock makes what is heard so much shorter, and what is said come earlier, ms. */
const MOST_EARLY_MS = 80;

/**
 * As `compare`, but the delay may change on the way and come below 0: each frame is looked for by
 * itself.
 */
export function compareStretched(
  reference: Int16Array,
  heard: Int16Array,
  rate: number,
  mostDelayMs: number,
): Pick<Quality, "segmentalSnrDb" | "spectralDistanceDb"> & {
  /** Of the pieces of 10 ms of these frames, the share that is next to silent where voice was. */
  readonly goneShare: number;
  /** Of each frame with voice, ms. */
  readonly delaysMs: readonly number[];
} {
  const size = frameSize(rate);
  const most = Math.round(mostDelayMs * rate / 1000);
  const early = Math.round(MOST_EARLY_MS * rate / 1000);
  const mean = energy(reference, 0, reference.length) / reference.length;
  let [snr, distance, gone, delay] = [0, 0, 0, 0];
  const delays: number[] = [];
  for (let at = size; at + 2 * size <= reference.length; at += size) {
    if (energy(reference, at, at + size) / size < mean * 10 ** (-VOICE_DB / 10)) continue;
    const first = Math.max(-early, size / 2 - at);
    const last = Math.min(most, heard.length - at - 2 * size);
    if (last < first) break;
    delay = frameDelay(reference, heard, at, size, { first, last, former: delay, rate });
    snr += signalToNoise(reference, at, heard, at + delay, size);
    const [x, y] = [powerSpectrum(reference, at, size), powerSpectrum(heard, at + delay, size)];
    distance += spectralDistance(x, y, LOW_BAND, size / rate);
    gone += goneShare(reference, at, heard, at + delay, { size, piece: rate / 100 });
    delays.push(delay * 1000 / rate);
  }
  return {
    segmentalSnrDb: snr / delays.length,
    spectralDistanceDb: distance / delays.length,
    goneShare: gone / delays.length,
    delaysMs: delays,
  };
}

/** What is so far below the voice that should be there is gone, dB. */
const GONE_DB = 20;

/** Hops by half a piece, so that a hole is met wherever it begins. */
function goneShare(
  a: Int16Array,
  aAt: number,
  b: Int16Array,
  bAt: number,
  { size, piece }: { readonly size: number; readonly piece: number },
): number {
  let [gone, all] = [0, 0];
  for (let i = 0; i + piece <= size; i += piece / 2, all++) {
    const wanted = energy(a, aAt + i, aAt + i + piece);
    if (energy(b, bAt + i, bAt + i + piece) < wanted * 10 ** (-GONE_DB / 10)) gone++;
  }
  return gone / all;
}

/** A delay that is a pitch period off looks alike: of two as likely, the nearer to the former. */
const RELUCTANCE_PER_MS = 0.002;

function frameDelay(
  a: Int16Array,
  b: Int16Array,
  at: number,
  size: number,
  { first, last, former, rate }: Readonly<Record<"first" | "last" | "former" | "rate", number>>,
): number {
  const from = at - size / 2;
  const length = 2 * size;
  const best = (begin: number, end: number, by: number, stride: number) => {
    let [found, highest] = [begin, -Infinity];
    for (let delay = begin; delay <= end; delay += by) {
      let [product, power] = [0, 1];
      for (let i = from; i < from + length; i += stride) {
        const y = b[i + delay]!;
        product += a[i]! * y;
        power += y * y;
      }
      const away = Math.abs(delay - former) * 1000 / rate;
      const score = product / Math.sqrt(power * energyBy(a, from, length, stride)) -
        RELUCTANCE_PER_MS * away;
      if (score > highest) [highest, found] = [score, delay];
    }
    return found;
  };
  const stride = Math.max(1, Math.round(rate / 8000));
  const coarse = best(first, last, stride, 4 * stride);
  return best(Math.max(first, coarse - stride), Math.min(last, coarse + stride), 1, 1);
}

function energyBy(pcm: Int16Array, from: number, length: number, stride: number): number {
  let sum = 1;
  for (let i = from; i < from + length; i += stride) sum += pcm[i]! * pcm[i]!;
  return sum;
}

/** Power of `size` samples under Hann's window, by frequency; `size` is a power of two. */
export function powerSpectrum(pcm: Int16Array, at: number, size: number): Float64Array {
  const re = new Float64Array(size);
  const im = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    re[i] = pcm[at + i]! * (0.5 - 0.5 * Math.cos(2 * Math.PI * i / size));
  }
  transform(re, im);
  return Float64Array.from({ length: size / 2 }, (_, k) => re[k]! ** 2 + im[k]! ** 2);
}

/** Fast Fourier transform in place. */
function transform(re: Float64Array, im: Float64Array): void {
  const size = re.length;
  for (let i = 1, j = 0; i < size; i++) {
    let bit = size >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) [re[i], re[j], im[i], im[j]] = [re[j]!, re[i]!, im[j]!, im[i]!];
  }
  for (let length = 2; length <= size; length <<= 1) {
    const angle = -2 * Math.PI / length;
    for (let start = 0; start < size; start += length) {
      for (let k = 0; k < length / 2; k++) {
        const [c, s] = [Math.cos(angle * k), Math.sin(angle * k)];
        const [i, j] = [start + k, start + k + length / 2];
        const [x, y] = [re[j]! * c - im[j]! * s, re[j]! * s + im[j]! * c];
        [re[j], im[j]] = [re[i]! - x, im[i]! - y];
        [re[i], im[i]] = [re[i]! + x, im[i]! + y];
      }
    }
  }
}
