import type { Clock, Instant } from "../../core/clock.ts";
import type { TranscoderSide } from "./contract.ts";

/**
 * Where one of our streams has got to, by the packets that went out: whoever goes on with it must
 * use later sequence numbers and timestamps, or the receiver (and SRTP) drops them.
 */
export class StreamMemory {
  readonly #side: TranscoderSide;
  readonly #clock: Clock;
  /** Of timestamps, units a ms. */
  readonly #perMs: number;
  #sequence: number | undefined;
  #timestamp = 0;
  #at: Instant = 0;

  constructor(side: TranscoderSide, clock: Clock) {
    this.#side = side;
    this.#clock = clock;
    this.#perMs = side.codec === "OPUS" ? 48 : side.codec === "SPEEX/16000" ? 16 : 8;
  }

  sent(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#sequence = view.getUint16(2);
    this.#timestamp = view.getUint32(4);
    this.#at = this.#clock.now();
  }

  /** The side with the values at which its stream goes on. */
  resume(): TranscoderSide {
    if (this.#sequence === undefined) return this.#side;
    // One packet more than the clock says: the last one's own duration is not over.
    const ms = Math.ceil(this.#clock.now() - this.#at) + this.#side.packetMs;
    return {
      ...this.#side,
      firstSequence: (this.#sequence + 1) & 0xffff,
      firstTimestamp: (this.#timestamp + ms * this.#perMs) >>> 0,
    };
  }
}
