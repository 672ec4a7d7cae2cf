/** Video packets kept: about a second at 2 Mbit/s. */
const SLOTS = 256;
const SLOT_LENGTH = 1500;

/**
 * The last packets sent of one stream, as they went out: what is repeated is the very same
 * datagram, so that no index of SRTP protects two payloads.
 */
export class PacketCache {
  /** Sequence number in each slot, or -1. */
  readonly #sequences = new Int32Array(SLOTS).fill(-1);
  readonly #lengths = new Int32Array(SLOTS);
  #bytes = new Uint8Array(0);

  put(sequence: number, buffer: Uint8Array, offset: number, length: number): void {
    const slot = sequence & (SLOTS - 1);
    if (length > SLOT_LENGTH) {
      this.#sequences[slot] = -1;
      return;
    }
    if (this.#bytes.length === 0) this.#bytes = new Uint8Array(SLOTS * SLOT_LENGTH);
    this.#sequences[slot] = sequence;
    this.#lengths[slot] = length;
    const at = slot * SLOT_LENGTH;
    for (let i = 0; i < length; i++) this.#bytes[at + i] = buffer[offset + i]!;
  }

  /** Copies the packet to `at` of `buffer`; gives its length, or -1 where it is not kept. */
  get(sequence: number, buffer: Uint8Array, at: number): number {
    const slot = sequence & (SLOTS - 1);
    if (this.#sequences[slot] !== sequence) return -1;
    const length = this.#lengths[slot]!;
    const from = slot * SLOT_LENGTH;
    buffer.set(this.#bytes.subarray(from, from + length), at);
    return length;
  }
}
