import { toHex } from "../../core/entropy.ts";

/**
 * SHA-256 (FIPS 180-4) for short texts, where asking the system's library costs several times as
 * much. Where many texts have the same beginning, it is read once.
 */

/** Bits of the fractional parts of roots of primes: the standard's constants. */
function fractions(root: number, count: number): Int32Array {
  const words = new Int32Array(count);
  for (let prime = 2, found = 0; found < count; prime++) {
    if (!isPrime(prime)) continue;
    const value = prime ** (1 / root);
    words[found++] = Math.floor((value - Math.floor(value)) * 2 ** 32);
  }
  return words;
}

function isPrime(number: number): boolean {
  for (let by = 2; by * by <= number; by++) if (number % by === 0) return false;
  return true;
}

const START = fractions(2, 8);
const K = fractions(3, 64);
const schedule = new Int32Array(64);
const working = new Int32Array(8);
const digests = { 16: new Uint8Array(16), 32: new Uint8Array(32) } as const;

export const BLOCK_BYTES = 64;

/** What is left of whole blocks that were read. */
export interface Prefix {
  readonly state: Int32Array;
  /** How many bytes they were. */
  readonly length: number;
}

const NOTHING: Prefix = { state: START, length: 0 };

/** @param bytes a multiple of 64 */
export function readPrefix(bytes: Uint8Array): Prefix {
  const state = START.slice();
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    load(bytes, at, at + BLOCK_BYTES);
    mix(state);
  }
  return { state, length: bytes.length };
}

/**
 * The first `size` bytes as hex in lower case: of what `prefix` stands for, followed by `bytes`.
 */
export function sha256Hex(bytes: Uint8Array, prefix = NOTHING, size: 16 | 32 = 32): string {
  working.set(prefix.state);
  const state = working;
  const { length } = bytes;
  let at = 0;
  for (; at + BLOCK_BYTES <= length; at += BLOCK_BYTES) {
    load(bytes, at, at + BLOCK_BYTES);
    mix(state);
  }
  load(bytes, at, length);
  const rest = length - at;
  schedule[rest >> 2]! |= 0x80 << (24 - ((rest & 3) << 3));
  if (rest >= 56) {
    mix(state);
    schedule.fill(0, 0, 16);
  }
  const total = prefix.length + length;
  schedule[14] = Math.floor(total / 2 ** 29);
  schedule[15] = total << 3;
  mix(state);
  const digest = digests[size]!;
  for (let i = 0; i < size; i++) digest[i] = state[i >> 2]! >>> (24 - ((i & 3) << 3));
  return toHex(digest);
}

/** The bytes from `at` to `end` as the first words of the schedule, zeros behind them. */
function load(bytes: Uint8Array, at: number, end: number): void {
  if (end - at === BLOCK_BYTES) {
    for (let i = 0, b = at; i < 16; i++, b += 4) {
      schedule[i] = bytes[b]! << 24 | bytes[b + 1]! << 16 | bytes[b + 2]! << 8 | bytes[b + 3]!;
    }
    return;
  }
  schedule.fill(0, 0, 16);
  for (let i = 0; at + i < end; i++) schedule[i >> 2]! |= bytes[at + i]! << (24 - ((i & 3) << 3));
}

function rotate(word: number, right: number): number {
  return word >>> right | word << (32 - right);
}

function mix(state: Int32Array): void {
  const w = schedule;
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15]!;
    const y = w[i - 2]!;
    const s0 = rotate(x, 7) ^ rotate(x, 18) ^ x >>> 3;
    const s1 = rotate(y, 17) ^ rotate(y, 19) ^ y >>> 10;
    w[i] = (w[i - 16]! + s0 + w[i - 7]! + s1) | 0;
  }
  let [a, b, c, d] = [state[0]!, state[1]!, state[2]!, state[3]!];
  let [e, f, g, h] = [state[4]!, state[5]!, state[6]!, state[7]!];
  for (let i = 0; i < 64; i++) {
    const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i]! + w[i]!) | 0;
    const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  state[0]! += a;
  state[1]! += b;
  state[2]! += c;
  state[3]! += d;
  state[4]! += e;
  state[5]! += f;
  state[6]! += g;
  state[7]! += h;
}
