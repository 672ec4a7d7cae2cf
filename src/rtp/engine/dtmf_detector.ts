import type { Instant } from "../../core/clock.ts";
import { int16 } from "./bytes.ts";
import { digitOf } from "./dtmf_sender.ts";

/**
 * An event whose end packets are all lost is over when nothing more of it comes for this long, ms.
 */
const END_LOST = 250;

/** Hears telephone-events: each digit once, however often its packets come (RFC 4733 2.5.2). */
export class DtmfDetector {
  readonly #tell: (digit: string, durationMs: number) => void;
  #event = -1;
  #timestamp = 0;
  #duration = 0;
  #clockRate = 8000;
  #isTold = true;
  #lastAt: Instant = 0;

  constructor(tell: (digit: string, durationMs: number) => void) {
    this.#tell = tell;
  }

  /** A payload of telephone-event; what is too short or no digit is not heard. */
  packet(
    buffer: Uint8Array,
    offset: number,
    length: number,
    timestamp: number,
    clockRate: number,
    now: Instant,
  ): void {
    if (length < 4) return;
    const event = buffer[offset]!;
    const isEnd = (buffer[offset + 1]! & 0x80) !== 0;
    const duration = int16(buffer, offset + 2);
    if (timestamp !== this.#timestamp || event !== this.#event) {
      // Late packets of an event before this one are no new event.
      const isOld = this.#event >= 0 && ((timestamp - this.#timestamp) | 0) < 0 &&
        now - this.#lastAt < 5000;
      if (isOld) return;
      this.#finish();
      this.#event = event;
      this.#timestamp = timestamp;
      this.#clockRate = clockRate > 0 ? clockRate : 8000;
      this.#duration = 0;
      this.#isTold = false;
    }
    this.#lastAt = now;
    this.#duration = Math.max(this.#duration, duration);
    if (isEnd) this.#finish();
  }

  /** To be called now and then. */
  wake(now: Instant): void {
    if (!this.#isTold && now - this.#lastAt >= END_LOST) this.#finish();
  }

  #finish(): void {
    if (this.#isTold) return;
    this.#isTold = true;
    const digit = digitOf(this.#event);
    if (digit !== null) this.#tell(digit, Math.round(this.#duration * 1000 / this.#clockRate));
  }
}
