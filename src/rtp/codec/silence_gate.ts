/** In silence, packets that say so are sent so often, ms. */
const INTERVAL_MS = 400;

/**
 * For codecs whose encoder says of each packet whether it may be left out (DTX): lets the first of
 * such a run through, so that the far side does not take silence for loss, and one now and then.
 */
export class SilenceGate {
  readonly #packetMs: number;
  #quietMs = -1;

  constructor(packetMs: number) {
    this.#packetMs = packetMs;
  }

  /** @returns `length`, or 0 where the packet need not be sent */
  pass(length: number, isSilence: boolean): number {
    if (!isSilence) {
      this.#quietMs = -1;
      return length;
    }
    const isDue = this.#quietMs < 0 || this.#quietMs >= INTERVAL_MS;
    this.#quietMs = isDue ? this.#packetMs : this.#quietMs + this.#packetMs;
    return isDue ? length : 0;
  }
}
