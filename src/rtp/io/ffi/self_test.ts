import type { SrtpProfile } from "../../contract.ts";
import type { SrtpEngine } from "../../srtp/cipher.ts";
import { MAX_SRTP_OVERHEAD } from "../../srtp/cipher.ts";
import { expect } from "./layouts.ts";

/** What is tried before anything rests on it: a cipher that is wrong would be silent. */

interface Vector {
  readonly key: string;
  readonly salt: string;
  readonly rtp: string;
  readonly rtcp: string;
}

/** Plain packets: 16 bytes of 0xab behind a header; rollover counter 0, SRTCP index 1. */
const PLAIN_RTP = "800f1234decafbadcafebabe" + "ab".repeat(16);
const PLAIN_RTCP = "81c8000bcafebabe" + "ab".repeat(16);
const CM_KEYS = {
  key: "e1f97a0d3e018be0d64fa32c06de4139",
  salt: "0ec675ad498afeebb6960b3aabe6",
} as const;
const CM_RTCP = "81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798";

/**
 * Known answers of each profile, from master keys on; RFC 3711 and RFC 7714 have some from session
 * keys alone. Those of profiles 1 and 7 are in common use among SRTP libraries. Tests work all of
 * them out by other code, and have the RFCs' own.
 */
export const VECTORS: Readonly<Record<SrtpProfile, Vector>> = {
  1: {
    ...CM_KEYS,
    rtp: "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb",
    rtcp: CM_RTCP,
  },
  2: {
    ...CM_KEYS,
    rtp: "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc",
    rtcp: CM_RTCP,
  },
  7: {
    key: "000102030405060708090a0b0c0d0e0f",
    salt: "a0a1a2a3a4a5a6a7a8a9aaab",
    rtp: "800f1234decafbadcafebabe" +
      "c5002ede04cfdd2eb91159e0880aa06ed2976826f796b201df3131a127e8a392",
    rtcp: "81c8000bcafebabe" +
      "c98b8b5df0392a55852b6c21ac8e7025c52c6fbea2b3b446ea31123ba88ce61e80000001",
  },
  8: {
    key: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    salt: "a0a1a2a3a4a5a6a7a8a9aaab",
    rtp: "800f1234decafbadcafebabe" +
      "0af7f21e8a90bdad7a425c9c31ed4bb1d90238917e7390a2793500e1681acaea",
    rtcp: "81c8000bcafebabe" +
      "8abfafa780070a90e80f9161cf4aac081ed93aaa53c15b0f3ed1a3b984167b0380000001",
  },
};

function bytesOf(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/**
 * Known answers of every profile of the engine, both ways, and a forged tag refused.
 * @param profiles absent: those that the engine offers to browsers
 * @param buffer packets are put here at `offset`, 100 bytes
 * @throws Error naming what is wrong
 */
export function checkSrtp(
  engine: SrtpEngine,
  buffer: Uint8Array,
  offset: number,
  profiles: readonly SrtpProfile[] = engine.profiles,
): void {
  for (const profile of profiles) {
    const vector = VECTORS[profile];
    const cipher = engine.cipher(profile, bytesOf(vector.key), bytesOf(vector.salt));
    const name = `profile ${profile} of ${engine.name}`;
    const holds = (hex: string, length: number) =>
      length === hex.length / 2 && bytesOf(hex).every((byte, i) => byte === buffer[offset + i]);
    const put = (hex: string) => {
      const bytes = bytesOf(hex);
      buffer.fill(0, offset, offset + bytes.length + MAX_SRTP_OVERHEAD);
      buffer.set(bytes, offset);
      return bytes.length;
    };
    const sealed = cipher.sealRtp(buffer, offset, 12, put(PLAIN_RTP), 0);
    expect(holds(vector.rtp, sealed), `RTP protected by ${name}`);
    const opened = cipher.openRtp(buffer, offset, 12, sealed, 0);
    expect(holds(PLAIN_RTP, opened), `RTP opened by ${name}`);
    const sealedRtcp = cipher.sealRtcp(buffer, offset, put(PLAIN_RTCP), 1);
    expect(holds(vector.rtcp, sealedRtcp), `RTCP protected by ${name}`);
    const index = cipher.rtcpIndex(buffer, offset, sealedRtcp);
    const openedRtcp = cipher.openRtcp(buffer, offset, sealedRtcp);
    expect(index === 1 && holds(PLAIN_RTCP, openedRtcp), `RTCP opened by ${name}`);
    for (
      const [hex, open] of [
        [vector.rtp, (length: number) => cipher.openRtp(buffer, offset, 12, length, 0)],
        [vector.rtcp, (length: number) => cipher.openRtcp(buffer, offset, length)],
      ] as const
    ) {
      const length = put(hex);
      buffer[offset + 20]! ^= 1;
      expect(open(length) === -1, `a forged packet at ${name}`);
    }
    cipher.close?.();
  }
}
