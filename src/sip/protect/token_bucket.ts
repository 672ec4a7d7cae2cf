import type { Instant } from "../../core/clock.ts";

/** What a bucket holds at most, and how fast it fills. */
export interface BucketSize {
  readonly burst: number;
  readonly perSecond: number;
}

/** Tokens that come back with time: so much at once, so much in the long run. Starts full. */
export class TokenBucket {
  readonly #size: BucketSize;
  #tokens: number;
  #at: Instant;

  constructor(size: BucketSize, now: Instant) {
    this.#size = size;
    this.#tokens = size.burst;
    this.#at = now;
  }

  /** Takes `cost` tokens, or none where there are too few. */
  take(cost: number, now: Instant): boolean {
    if (this.level(now) < cost) return false;
    this.#tokens -= cost;
    return true;
  }

  /** Takes what is there, down to nothing; false where it is used up by that. */
  drain(cost: number, now: Instant): boolean {
    this.#tokens = Math.max(0, this.level(now) - cost);
    return this.#tokens > 0;
  }

  giveBack(cost: number, now: Instant): void {
    this.#tokens = Math.min(this.#size.burst, this.level(now) + cost);
  }

  refill(now: Instant): void {
    this.#tokens = this.#size.burst;
    this.#at = now;
  }

  isFull(now: Instant): boolean {
    return this.level(now) >= this.#size.burst;
  }

  level(now: Instant): number {
    const { burst, perSecond } = this.#size;
    if (now > this.#at) {
      this.#tokens = Math.min(burst, this.#tokens + (now - this.#at) / 1000 * perSecond);
      this.#at = now;
    }
    return this.#tokens;
  }
}
