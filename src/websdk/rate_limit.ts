import type { Instant } from "../core/clock.ts";

/** Every so many characters of a frame cost as much as a frame. */
const CHARACTERS_A_TOKEN = 4096;

/** A token bucket for what one client sends: many small frames weigh as much as few large ones. */
export class RateLimit {
  readonly #rate: number;
  readonly #burst: number;
  #tokens: number;
  #at: Instant;

  /**
   * @param rate frames a second, sustained
   * @param burst frames at once
   */
  constructor(rate: number, burst: number, now: Instant) {
    this.#rate = rate;
    this.#burst = burst;
    this.#tokens = burst;
    this.#at = now;
  }

  /** Whether a frame of that many characters is within the limit; it counts if it is. */
  admit(characters: number, now: Instant): boolean {
    const earned = (now - this.#at) * this.#rate / 1000;
    this.#tokens = Math.min(this.#burst, this.#tokens + Math.max(0, earned));
    this.#at = now;
    const cost = 1 + characters / CHARACTERS_A_TOKEN;
    if (cost > this.#tokens) return false;
    this.#tokens -= cost;
    return true;
  }
}
