const SENDER_REPORT = 200;
const RECEIVER_REPORT = 201;
const BLOCK = 24;

/**
 * What the receiver reports of one side say of the stream that a transcoder sends there (RFC 3550
 * 6.4.2), for the encoder: a loss counts at once, and fades with the reports after it, so that one
 * good report does not take the protection away.
 */
export class LossReports {
  readonly #ssrc: number;
  /** Percent. */
  #loss = 0;

  /** @param ssrc of the stream that is sent to the side */
  constructor(ssrc: number) {
    this.#ssrc = ssrc >>> 0;
  }

  /** A compound packet of the side; gives the loss, percent, or null where it says nothing of it. */
  packet(bytes: Uint8Array): number | null {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let found: number | null = null;
    for (let at = 0; at + 8 <= bytes.length;) {
      const type = bytes[at + 1]!;
      const end = Math.min(bytes.length, at + 4 + 4 * view.getUint16(at + 2));
      const isReport = type === SENDER_REPORT || type === RECEIVER_REPORT;
      const count = isReport ? bytes[at]! & 31 : 0;
      let block = at + (type === SENDER_REPORT ? 28 : 8);
      for (let i = 0; i < count && block + BLOCK <= end; i++, block += BLOCK) {
        if (view.getUint32(block) === this.#ssrc) found = bytes[block + 4]! * 100 / 256;
      }
      at = end;
    }
    if (found === null) return null;
    this.#loss = Math.max(found, this.#loss / 2);
    return this.#loss;
  }
}
