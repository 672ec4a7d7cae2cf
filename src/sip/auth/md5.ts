import { toHex } from "../../core/entropy.ts";

/**
 * MD5 (RFC 1321), for digests of a few hundred bytes: asking the system's library costs several
 * times as much as they do. Only digest authentication needs it; it protects nothing else.
 */

const SHIFTS = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];
/** Word of the block that each step takes. */
const WORDS = new Uint8Array(64);
const LEFT = new Uint8Array(64);
const SINES = new Int32Array(64);
for (let step = 0; step < 64; step++) {
  const round = step >> 4;
  WORDS[step] = [step, 5 * step + 1, 3 * step + 5, 7 * step][round]! & 15;
  LEFT[step] = SHIFTS[4 * round + (step & 3)]!;
  SINES[step] = Math.floor(Math.abs(Math.sin(step + 1)) * 2 ** 32);
}

const block = new Int32Array(16);
const state = new Int32Array(4);
const digest = new Uint8Array(16);

/** 16 bytes as hex in lower case. */
export function md5Hex(bytes: Uint8Array): string {
  state[0] = 0x67452301;
  state[1] = 0xefcdab89;
  state[2] = 0x98badcfe;
  state[3] = 0x10325476;
  const { length } = bytes;
  let at = 0;
  for (; at + 64 <= length; at += 64) {
    for (let i = 0, b = at; i < 16; i++, b += 4) {
      block[i] = bytes[b]! | bytes[b + 1]! << 8 | bytes[b + 2]! << 16 | bytes[b + 3]! << 24;
    }
    mix();
  }
  block.fill(0);
  const rest = length - at;
  for (let i = 0; i < rest; i++) block[i >> 2]! |= bytes[at + i]! << ((i & 3) << 3);
  block[rest >> 2]! |= 0x80 << ((rest & 3) << 3);
  if (rest >= 56) {
    mix();
    block.fill(0);
  }
  block[14] = length << 3;
  block[15] = Math.floor(length / 2 ** 29);
  mix();
  for (let i = 0; i < 16; i++) digest[i] = state[i >> 2]! >>> ((i & 3) << 3);
  return toHex(digest);
}

function mix(): void {
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  for (let step = 0; step < 64; step++) {
    const f = step < 16
      ? (b & c) | (~b & d)
      : step < 32
      ? (d & b) | (~d & c)
      : step < 48
      ? b ^ c ^ d
      : c ^ (b | ~d);
    const sum = (a + f + SINES[step]! + block[WORDS[step]!]!) | 0;
    const left = LEFT[step]!;
    a = d;
    d = c;
    c = b;
    b = (b + (sum << left | sum >>> (32 - left))) | 0;
  }
  state[0] = (state[0]! + a) | 0;
  state[1] = (state[1]! + b) | 0;
  state[2] = (state[2]! + c) | 0;
  state[3] = (state[3]! + d) | 0;
}
