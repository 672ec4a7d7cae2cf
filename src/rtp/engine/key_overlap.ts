import type { Instant } from "../../core/clock.ts";
import type { SrtpKeys } from "../contract.ts";
import type { SrtpReceiver } from "../srtp/context.ts";

/** Former keys serve for this long at most after a description has changed them, ms. */
export const KEY_OVERLAP = 5000;
/** Longest packet that is tried under both keys. */
const MAX_LENGTH = 2048;

/** Trying a key may spoil the packet: some ciphers decrypt before they know. */
const copy = new Uint8Array(MAX_LENGTH);

/**
 * A far end goes over to new keys when it has heard that we have them: what it has sent until then
 * is under the former ones (RFC 3264 8 leaves it a round trip).
 */
export class KeyOverlap {
  /** A packet under the present keys has come. */
  hasFollowed = false;

  constructor(
    readonly former: SrtpReceiver,
    readonly formerKeys: SrtpKeys,
    readonly until: Instant,
  ) {}

  /**
   * In place, under the present keys or else the former ones; gives the length of the plain packet,
   * or -1.
   */
  open(
    present: SrtpReceiver,
    isRtcp: boolean,
    buffer: Uint8Array,
    offset: number,
    length: number,
  ): number {
    if (length > MAX_LENGTH) return -1;
    copy.set(buffer.subarray(offset, offset + length));
    const size = unprotect(present, isRtcp, buffer, offset, length);
    if (size >= 0) {
      this.hasFollowed = true;
      return size;
    }
    buffer.set(copy.subarray(0, length), offset);
    return unprotect(this.former, isRtcp, buffer, offset, length);
  }
}

function unprotect(
  receiver: SrtpReceiver,
  isRtcp: boolean,
  buffer: Uint8Array,
  offset: number,
  length: number,
): number {
  return isRtcp
    ? receiver.unprotectRtcp(buffer, offset, length)
    : receiver.unprotectRtp(buffer, offset, length);
}
