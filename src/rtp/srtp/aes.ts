/**
 * AES-128 (FIPS 197) by tables, for SRTP where no system library is at hand. Encryption only:
 * counter mode needs nothing else. Words are 32 bits, big-endian. No call allocates but
 * `expandKey`.
 */

const S = new Uint8Array(256);
const T0 = new Int32Array(256);
const T1 = new Int32Array(256);
const T2 = new Int32Array(256);
const T3 = new Int32Array(256);

/** Doubling in GF(2^8) with the polynomial of FIPS 197 4.2. */
function double(x: number): number {
  return ((x << 1) ^ (x & 0x80 ? 0x11b : 0)) & 0xff;
}

function fillTables(): void {
  // Powers of the generator 3 give each element's inverse without a search.
  const exp = new Uint8Array(256);
  const log = new Uint8Array(256);
  for (let i = 0, x = 1; i < 255; i++) {
    exp[i] = x;
    log[x] = i;
    x ^= double(x);
  }
  for (let value = 0; value < 256; value++) {
    const inverse = value === 0 ? 0 : exp[(255 - log[value]!) % 255]!;
    const spread = inverse * 0x0101;
    const s = (inverse ^ (spread >>> 4) ^ (spread >>> 5) ^ (spread >>> 6) ^ (spread >>> 7) ^ 0x63) &
      0xff;
    const twice = double(s);
    S[value] = s;
    T0[value] = (twice << 24) | (s << 16) | (s << 8) | (twice ^ s);
    T1[value] = ((twice ^ s) << 24) | (twice << 16) | (s << 8) | s;
    T2[value] = (s << 24) | ((twice ^ s) << 16) | (twice << 8) | s;
    T3[value] = (s << 24) | (s << 16) | ((twice ^ s) << 8) | twice;
  }
}
fillTables();

/** The 44 round key words of a 16-byte key (FIPS 197 5.2). */
export function expandKey(key: Uint8Array): Int32Array {
  if (key.length !== 16) throw new Error(`AES-128 key has ${key.length} bytes, expected 16`);
  const w = new Int32Array(44);
  for (let i = 0; i < 4; i++) {
    w[i] = (key[4 * i]! << 24) | (key[4 * i + 1]! << 16) | (key[4 * i + 2]! << 8) | key[4 * i + 3]!;
  }
  let constant = 1;
  for (let i = 4; i < 44; i++) {
    let word = w[i - 1]!;
    if ((i & 3) === 0) {
      word = (S[(word >>> 16) & 255]! << 24) | (S[(word >>> 8) & 255]! << 16) |
        (S[word & 255]! << 8) | S[word >>> 24]!;
      word ^= constant << 24;
      constant = double(constant);
    }
    w[i] = w[i - 4]! ^ word;
  }
  return w;
}

/** The last block made by `encryptBlock`. */
export const block = new Int32Array(4);

/** Encrypts the block of four words under the round keys `w` into `block`. */
export function encryptBlock(w: Int32Array, in0: number, in1: number, in2: number, in3: number) {
  let a = in0 ^ w[0]!;
  let b = in1 ^ w[1]!;
  let c = in2 ^ w[2]!;
  let d = in3 ^ w[3]!;
  let k = 4;
  for (let round = 0; round < 9; round++, k += 4) {
    const e = T0[a >>> 24]! ^ T1[(b >>> 16) & 255]! ^ T2[(c >>> 8) & 255]! ^ T3[d & 255]! ^ w[k]!;
    const f = T0[b >>> 24]! ^ T1[(c >>> 16) & 255]! ^ T2[(d >>> 8) & 255]! ^ T3[a & 255]! ^
      w[k + 1]!;
    const g = T0[c >>> 24]! ^ T1[(d >>> 16) & 255]! ^ T2[(a >>> 8) & 255]! ^ T3[b & 255]! ^
      w[k + 2]!;
    d = T0[d >>> 24]! ^ T1[(a >>> 16) & 255]! ^ T2[(b >>> 8) & 255]! ^ T3[c & 255]! ^ w[k + 3]!;
    a = e;
    b = f;
    c = g;
  }
  block[0] = lastRound(a, b, c, d) ^ w[40]!;
  block[1] = lastRound(b, c, d, a) ^ w[41]!;
  block[2] = lastRound(c, d, a, b) ^ w[42]!;
  block[3] = lastRound(d, a, b, c) ^ w[43]!;
}

function lastRound(a: number, b: number, c: number, d: number): number {
  return (S[a >>> 24]! << 24) | (S[(b >>> 16) & 255]! << 16) | (S[(c >>> 8) & 255]! << 8) |
    S[d & 255]!;
}

/**
 * XORs `length` bytes in place with the key stream that starts at counter block `c0..c3`
 * (RFC 3711 4.1.1; the lowest 16 bits of `c3` count).
 */
export function xorKeyStream(
  w: Int32Array,
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  buffer: Uint8Array,
  offset: number,
  length: number,
): void {
  const end = offset + length;
  let o = offset;
  for (; o + 16 <= end; o += 16, c3 = (c3 + 1) | 0) {
    encryptBlock(w, c0, c1, c2, c3);
    const x = block[0]!;
    const y = block[1]!;
    const z = block[2]!;
    const u = block[3]!;
    buffer[o]! ^= x >>> 24;
    buffer[o + 1]! ^= x >>> 16;
    buffer[o + 2]! ^= x >>> 8;
    buffer[o + 3]! ^= x;
    buffer[o + 4]! ^= y >>> 24;
    buffer[o + 5]! ^= y >>> 16;
    buffer[o + 6]! ^= y >>> 8;
    buffer[o + 7]! ^= y;
    buffer[o + 8]! ^= z >>> 24;
    buffer[o + 9]! ^= z >>> 16;
    buffer[o + 10]! ^= z >>> 8;
    buffer[o + 11]! ^= z;
    buffer[o + 12]! ^= u >>> 24;
    buffer[o + 13]! ^= u >>> 16;
    buffer[o + 14]! ^= u >>> 8;
    buffer[o + 15]! ^= u;
  }
  if (o === end) return;
  encryptBlock(w, c0, c1, c2, c3);
  for (let i = 0; o < end; i++, o++) buffer[o]! ^= block[i >> 2]! >>> (24 - 8 * (i & 3));
}
