import type { SrtpProfile } from "../contract.ts";

/**
 * One direction of SRTP and SRTCP under one master key, without memory of packets: rollover
 * counters and replay windows are the context's. Packets lie in a buffer that has room for the tag
 * behind them.
 */
export interface SrtpCipher {
  /** Encrypts what follows the header and appends the tag; gives the new length. */
  sealRtp(
    buffer: Uint8Array,
    offset: number,
    headerLength: number,
    length: number,
    rolloverCounter: number,
  ): number;
  /** Checks the tag, then decrypts; gives the length without the tag, or -1. */
  openRtp(
    buffer: Uint8Array,
    offset: number,
    headerLength: number,
    length: number,
    rolloverCounter: number,
  ): number;
  /**
   * Encrypts what follows the first 8 bytes, appends E flag, index and tag; gives the new length.
   */
  sealRtcp(buffer: Uint8Array, offset: number, length: number, index: number): number;
  /** Checks the tag, then decrypts; gives the length without index and tag, or -1. */
  openRtcp(buffer: Uint8Array, offset: number, length: number): number;
  /** The 31-bit SRTCP index that the packet carries (not yet authenticated). */
  rtcpIndex(buffer: Uint8Array, offset: number, length: number): number;
  /** Shortest packets that `openRtp` behind its header and `openRtcp` can take, bytes. */
  readonly rtpTagLength: number;
  readonly rtcpTrailerLength: number;
  /** Gives back what the garbage collector does not know of; nothing is called after it. */
  close?(): void;
}

/** Where ciphers come from: TypeScript here, the system's libcrypto in the fast shell. */
export interface SrtpEngine {
  readonly name: string;
  /** Best first. */
  readonly profiles: readonly SrtpProfile[];
  /** @throws Error where the profile is not one of `profiles` or a length is wrong */
  cipher(profile: SrtpProfile, masterKey: Uint8Array, masterSalt: Uint8Array): SrtpCipher;
}

/**
 * Most bytes that protecting adds to a packet (RFC 3711 3.4: index 4, tag 10; RFC 7714: 4 and 16).
 */
export const MAX_SRTP_OVERHEAD = 20;
