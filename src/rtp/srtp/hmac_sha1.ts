/**
 * HMAC-SHA1 (RFC 2104, FIPS 180-4) over a part of a buffer, without allocation: the states after
 * the two padded keys are made once. Serves SRTP and STUN where no system library is at hand.
 */

const BLOCK = 64;
export const SHA1_LENGTH = 20;

const W = new Int32Array(80);
/** Running state; after `HmacSha1.digest` the five words of the result. */
const H = new Int32Array(5);

function start(): void {
  H[0] = 0x67452301;
  H[1] = 0xefcdab89 | 0;
  H[2] = 0x98badcfe | 0;
  H[3] = 0x10325476;
  H[4] = 0xc3d2e1f0 | 0;
}

/** Takes the block in the first 16 words of `W` into `H`. */
function compress(): void {
  for (let i = 16; i < 80; i++) {
    const x = W[i - 3]! ^ W[i - 8]! ^ W[i - 14]! ^ W[i - 16]!;
    W[i] = (x << 1) | (x >>> 31);
  }
  let a = H[0]!;
  let b = H[1]!;
  let c = H[2]!;
  let d = H[3]!;
  let e = H[4]!;
  let i = 0;
  for (; i < 20; i++) {
    const t = (((a << 5) | (a >>> 27)) + (d ^ (b & (c ^ d))) + e + 0x5a827999 + W[i]!) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = t;
  }
  for (; i < 40; i++) {
    const t = (((a << 5) | (a >>> 27)) + (b ^ c ^ d) + e + 0x6ed9eba1 + W[i]!) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = t;
  }
  for (; i < 60; i++) {
    const t = (((a << 5) | (a >>> 27)) + ((b & c) | (d & (b | c))) + e + 0x8f1bbcdc + W[i]!) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = t;
  }
  for (; i < 80; i++) {
    const t = (((a << 5) | (a >>> 27)) + (b ^ c ^ d) + e + 0xca62c1d6 + W[i]!) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = t;
  }
  H[0] = (H[0]! + a) | 0;
  H[1] = (H[1]! + b) | 0;
  H[2] = (H[2]! + c) | 0;
  H[3] = (H[3]! + d) | 0;
  H[4] = (H[4]! + e) | 0;
}

function clearBlock(): void {
  for (let i = 0; i < 16; i++) W[i] = 0;
}

/** Whole blocks of the buffer; gives back how many bytes they were. */
function update(buffer: Uint8Array, offset: number, length: number): number {
  let o = offset;
  for (const end = offset + length; o + BLOCK <= end; o += BLOCK) {
    for (let i = 0, j = o; i < 16; i++, j += 4) {
      W[i] = (buffer[j]! << 24) | (buffer[j + 1]! << 16) | (buffer[j + 2]! << 8) | buffer[j + 3]!;
    }
    compress();
  }
  return o - offset;
}

/** Puts one byte at `position` of the padded end; starts a new block where it is due. */
function put(position: number, byte: number): void {
  if (position > 0 && (position & 63) === 0) {
    compress();
    clearBlock();
  }
  const at = position & 63;
  W[at >> 2]! |= byte << (24 - 8 * (at & 3));
}

/** What is left of the message, an optional word behind it, the padding and the length in bits. */
function finish(
  buffer: Uint8Array,
  offset: number,
  left: number,
  suffix: number,
  suffixLength: 0 | 4,
  total: number,
): void {
  clearBlock();
  const words = left >> 2;
  for (let i = 0, j = offset; i < words; i++, j += 4) {
    W[i] = (buffer[j]! << 24) | (buffer[j + 1]! << 16) | (buffer[j + 2]! << 8) | buffer[j + 3]!;
  }
  let position = words << 2;
  for (; position < left; position++) put(position, buffer[offset + position]!);
  for (let i = 0; i < suffixLength; i++) put(position++, (suffix >>> (24 - 8 * i)) & 255);
  put(position, 0x80);
  if ((position & 63) >= 56) {
    compress();
    clearBlock();
  }
  W[15] = total * 8;
  compress();
}

/** HMAC-SHA1 under one key. */
export class HmacSha1 {
  readonly #inner = new Int32Array(5);
  readonly #outer = new Int32Array(5);

  /** @param key of any length (RFC 2104 2) */
  constructor(key: Uint8Array) {
    if (key.length > BLOCK) {
      start();
      const done = update(key, 0, key.length);
      finish(key, done, key.length - done, 0, 0, key.length);
      const short = new Uint8Array(SHA1_LENGTH);
      for (let i = 0; i < SHA1_LENGTH; i++) short[i] = resultByte(i);
      key = short;
    }
    this.#pad(key, 0x36, this.#inner);
    this.#pad(key, 0x5c, this.#outer);
  }

  #pad(key: Uint8Array, pad: number, state: Int32Array): void {
    start();
    clearBlock();
    for (let i = 0; i < BLOCK; i++) {
      W[i >> 2]! |= ((i < key.length ? key[i]! : 0) ^ pad) << (24 - 8 * (i & 3));
    }
    compress();
    state.set(H);
  }

  /**
   * Hashes `length` bytes at `offset` and, with `suffixLength` 4, the word `suffix` behind them
   * (the rollover counter of SRTP). `resultByte` and `resultEquals` read the result until the next
   * call.
   */
  digest(
    buffer: Uint8Array,
    offset: number,
    length: number,
    suffix = 0,
    suffixLength: 0 | 4 = 0,
  ): void {
    H.set(this.#inner);
    const done = update(buffer, offset, length);
    finish(
      buffer,
      offset + done,
      length - done,
      suffix,
      suffixLength,
      BLOCK + length + suffixLength,
    );
    for (let i = 0; i < 5; i++) W[i] = H[i]!;
    W[5] = 0x80000000 | 0;
    for (let i = 6; i < 15; i++) W[i] = 0;
    W[15] = (BLOCK + SHA1_LENGTH) * 8;
    H.set(this.#outer);
    compress();
  }
}

/** Byte `index` of the last result. */
export function resultByte(index: number): number {
  return (H[index >> 2]! >>> (24 - 8 * (index & 3))) & 255;
}

/** Writes the first `length` bytes of the last result. */
export function writeResult(buffer: Uint8Array, offset: number, length: number): void {
  for (let i = 0; i < length; i++) buffer[offset + i] = resultByte(i);
}

/**
 * Whether the buffer holds the first `length` bytes of the last result; takes the same time always.
 */
export function resultEquals(buffer: Uint8Array, offset: number, length: number): boolean {
  let difference = 0;
  for (let i = 0; i < length; i++) difference |= buffer[offset + i]! ^ resultByte(i);
  return difference === 0;
}
