import type { Entropy } from "../entropy.ts";

/** Most bytes that the platform gives in one go. */
const LARGEST = 65_536;

/** Branches, tags and the like are short, and asking the system costs more than they do. */
const pool = new Uint8Array(4_096);
const SHORT = 32;
let used = pool.length;

/** `length` bytes of the pool, which forgets them. */
function take(length: number): Uint8Array<ArrayBuffer> {
  if (used + length > pool.length) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    bytes[i] = pool[used]!;
    pool[used++] = 0;
  }
  return bytes;
}

/** The system's random bytes, fit for keys and tokens. */
export const systemEntropy: Entropy = {
  bytes(length: number): Uint8Array<ArrayBuffer> {
    if (length <= SHORT) return take(length);
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += LARGEST) {
      crypto.getRandomValues(bytes.subarray(at, at + LARGEST));
    }
    return bytes;
  },
};
