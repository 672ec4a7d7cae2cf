import type { Instant } from "../../core/clock.ts";

const WINDOW = 100;

/** At most so many packets and bytes in each 100 ms: what comes beyond is a flood, not media. */
export class RateLimit {
  readonly #packets: number;
  readonly #bytes: number;
  #until: Instant = -Infinity;
  #packetsLeft = 0;
  #bytesLeft = 0;

  constructor(packetsPerSecond: number, bytesPerSecond: number) {
    this.#packets = packetsPerSecond * WINDOW / 1000;
    this.#bytes = bytesPerSecond * WINDOW / 1000;
  }

  /** Whether a packet of this length may pass. */
  take(length: number, now: Instant): boolean {
    if (now >= this.#until) {
      this.#until = now + WINDOW;
      this.#packetsLeft = this.#packets;
      this.#bytesLeft = this.#bytes;
    }
    if (this.#packetsLeft < 1 || this.#bytesLeft < length) return false;
    this.#packetsLeft--;
    this.#bytesLeft -= length;
    return true;
  }
}
