import { SeededEntropy } from "../../../src/core/entropy.ts";

/** One leg of the load: where it stands, and its keys. All bytes follow from the leg's number. */
export interface LegPlan {
  readonly endpoint: number;
  readonly peer: number;
  /** UDP port of the load generator's side. */
  readonly port: number;
  readonly ssrc: number;
  readonly iceUfrag: string;
  readonly icePwd: string;
  readonly localKey: Uint8Array;
  readonly localSalt: Uint8Array;
  readonly remoteKey: Uint8Array;
  readonly remoteSalt: Uint8Array;
}

/** Under the range that the kernel gives to others. */
const FIRST_PORT = 24_000;

/** The legs of so many two-way calls, the same in the relay's process and in the generator's. */
export function planLegs(calls: number, firstPort = FIRST_PORT): LegPlan[] {
  return Array.from({ length: calls * 2 }, (_, leg) => {
    const entropy = new SeededEntropy(leg + 1);
    return {
      endpoint: leg + 1,
      peer: (leg ^ 1) + 1,
      port: firstPort + leg,
      ssrc: 0x10000 + leg,
      iceUfrag: `leg${leg}`,
      icePwd: `the-password-of-leg-${leg}`,
      localKey: entropy.bytes(16),
      localSalt: entropy.bytes(14),
      remoteKey: entropy.bytes(16),
      remoteSalt: entropy.bytes(14),
    };
  });
}
