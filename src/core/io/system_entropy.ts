import type { Entropy } from "../entropy.ts";

/** Most bytes that the platform gives in one go. */
const LARGEST = 65_536;

/** The system's random bytes, fit for keys and tokens. */
export const systemEntropy: Entropy = {
  bytes(length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += LARGEST) {
      crypto.getRandomValues(bytes.subarray(at, at + LARGEST));
    }
    return bytes;
  },
};
