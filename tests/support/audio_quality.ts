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
  /** Mean over the frames that hold voice, dB. */
  readonly spectralDistanceDb: number;
}

const FRAME_MS = 32;
/** Frames quieter than this below the mean are pauses, dB. */
const VOICE_DB = 20;
/** The spectrum is compared between these frequencies, Hz. */
const BAND = [200, 3400] as const;
/** Below this share of the spectrum's peak it is not compared, dB. */
const FLOOR_DB = 45;

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
  const size = 2 ** Math.round(Math.log2(FRAME_MS * rate / 1000));
  const mean = energy(wanted, 0, wanted.length) / wanted.length;
  let [frames, snr, distance] = [0, 0, 0];
  for (let at = 0; at + size <= wanted.length; at += size) {
    const power = energy(wanted, at, at + size);
    if (power / size < mean * 10 ** (-VOICE_DB / 10)) continue;
    let noise = 1;
    for (let i = at; i < at + size; i++) noise += (wanted[i]! - heard[i]!) ** 2;
    snr += Math.max(-10, Math.min(35, 10 * Math.log10(power / noise)));
    distance += spectralDistance(wanted, heard, at, size, rate);
    frames++;
  }
  return { segmentalSnrDb: snr / frames, spectralDistanceDb: distance / frames };
}

function spectralDistance(
  a: Int16Array,
  b: Int16Array,
  at: number,
  size: number,
  rate: number,
): number {
  const [x, y] = [powerSpectrum(a, at, size), powerSpectrum(b, at, size)];
  const [from, to] = BAND.map((hertz) => Math.round(hertz * size / rate)) as [number, number];
  let peak = 1;
  for (let k = from; k < to; k++) peak = Math.max(peak, x[k]!);
  const floor = peak * 10 ** (-FLOOR_DB / 10);
  let sum = 0;
  for (let k = from; k < to; k++) {
    sum += (10 * Math.log10((x[k]! + floor) / (y[k]! + floor))) ** 2;
  }
  return Math.sqrt(sum / (to - from));
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
