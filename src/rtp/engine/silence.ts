import type { PayloadKind } from "../contract.ts";

/** Samples of 20 ms at 8 kHz; G.722 has as many octets (RFC 3551 4.5.2). */
const OCTETS = 160;

const PCMU = new Uint8Array(OCTETS).fill(0xff);
const PCMA = new Uint8Array(OCTETS).fill(0xd5);
/** The least steps of both bands, which leave a decoder where it is. */
const G722 = new Uint8Array(OCTETS).fill(0xff);
/** A frame of 20 ms without content (RFC 6716 3.1, code 0). */
const OPUS = Uint8Array.of(0xf8, 0xff, 0xfe);

/** 20 ms of silence in a codec, or null where we know none. */
export function silenceOf(payload: PayloadKind | null): Uint8Array | null {
  switch (payload?.codec.toLowerCase()) {
    case "pcmu":
      return PCMU;
    case "pcma":
      return PCMA;
    case "g722":
      return G722;
    case "opus":
      return OPUS;
    default:
      return null;
  }
}
