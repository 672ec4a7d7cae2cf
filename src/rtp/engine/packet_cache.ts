import type { Instant } from "../../core/clock.ts";

/** Video packets kept: about a second at 2 Mbit/s. */
const SLOTS = 256;
const SLOT_LENGTH = 1500;
/** Of what the stream itself sends, so much may be sent again; and in any case this, bytes a ms. */
const SHARE = 1 / 2;
const FLOOR = 32;
/** What is not asked for is saved up, until a burst of losses, bytes. */
const MAX_CREDIT = 128 * 1024;

/**
 * The last packets sent of one stream, as they went out: what is repeated is the very same
 * datagram, so that no index of SRTP protects two payloads.
 */
export class PacketCache {
  /** Bytes that may be sent again, and when that was last looked at. */
  #credit = MAX_CREDIT;
  #lookedAt: Instant = -Infinity;
  /** Sequence number in each slot, or -1. */
  readonly #sequences = new Int32Array(SLOTS).fill(-1);
  readonly #lengths = new Int32Array(SLOTS);
  readonly #repeatedAt = new Float64Array(SLOTS);
  #bytes = new Uint8Array(0);

  put(sequence: number, buffer: Uint8Array, offset: number, length: number): void {
    const slot = sequence & (SLOTS - 1);
    if (length > SLOT_LENGTH) {
      this.#sequences[slot] = -1;
      return;
    }
    if (this.#bytes.length === 0) this.#bytes = new Uint8Array(SLOTS * SLOT_LENGTH);
    this.#sequences[slot] = sequence;
    this.#repeatedAt[slot] = -Infinity;
    this.#credit += length * SHARE;
    this.#lengths[slot] = length;
    const at = slot * SLOT_LENGTH;
    for (let i = 0; i < length; i++) this.#bytes[at + i] = buffer[offset + i]!;
  }

  /**
   * Copies the packet to `at` of `buffer`, to be sent again: gives its length, 0 where it was sent
   * just now or too much has been asked for, -1 where it is not kept.
   * @param apart the same packet goes out no sooner than after this, ms
   */
  repeat(sequence: number, buffer: Uint8Array, at: number, apart: number, now: Instant): number {
    const slot = sequence & (SLOTS - 1);
    if (this.#sequences[slot] !== sequence) return -1;
    const length = this.#lengths[slot]!;
    const saved = Math.min(MAX_CREDIT, (now - this.#lookedAt) * FLOOR);
    this.#credit = Math.min(MAX_CREDIT, this.#credit + saved);
    this.#lookedAt = now;
    if (now - this.#repeatedAt[slot]! < apart || length > this.#credit) return 0;
    this.#repeatedAt[slot] = now;
    this.#credit -= length;
    const from = slot * SLOT_LENGTH;
    buffer.set(this.#bytes.subarray(from, from + length), at);
    return length;
  }
}
