/** Chance as a port: production draws from the system, tests from a seed. */
export interface Entropy {
  /** `length` fresh random bytes. */
  bytes(length: number): Uint8Array<ArrayBuffer>;
}

const DIGITS = new TextEncoder().encode("0123456789abcdef");
const ascii = new TextDecoder();
let scratch = new Uint8Array(256);

/** `bytes` as lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  const length = 2 * bytes.length;
  if (length > scratch.length) scratch = new Uint8Array(length);
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    scratch[2 * i] = DIGITS[byte >> 4]!;
    scratch[2 * i + 1] = DIGITS[byte & 15]!;
  }
  return ascii.decode(scratch.subarray(0, length));
}

/** `bits` random bits in hex; `bits` is a multiple of 8. */
export function randomHex(entropy: Entropy, bits: number): string {
  return toHex(entropy.bytes(bits / 8));
}

/** A random UUID (RFC 9562, version 4). */
export function uuid(entropy: Entropy): string {
  const bytes = entropy.bytes(16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = toHex(bytes);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join("-");
}

/** Random bytes that replay from a seed (xoshiro128**); for tests and the simulator only. */
export class SeededEntropy implements Entropy {
  readonly #s = new Uint32Array(4);

  constructor(seed: number) {
    let x = seed >>> 0;
    for (let i = 0; i < 4; i++) {
      x = (x + 0x9e3779b9) >>> 0;
      let z = x;
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
      this.#s[i] = z ^ (z >>> 16);
    }
  }

  /** The next 32 bits. */
  next(): number {
    const s = this.#s;
    const x = Math.imul(s[1]!, 5);
    const result = Math.imul((x << 7) | (x >>> 25), 9) >>> 0;
    const t = s[1]! << 9;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= t;
    s[3] = (s[3]! << 11) | (s[3]! >>> 21);
    return result;
  }

  /** A number in [0, 1). */
  fraction(): number {
    return this.next() / 0x1_0000_0000;
  }

  /** An integer in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.fraction() * limit);
  }

  bytes(length: number): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(length);
    for (let i = 0; i < length; i++) out[i] = this.next() & 0xff;
    return out;
  }
}
