import type { Instant } from "../../core/clock.ts";

export interface OverloadLimits {
  /** The event loop is late by this much, ms. */
  readonly lagMs: number;
  /** SIP transactions that are alive, lingering ones included. */
  readonly transactions: number;
}

export interface LoadSample {
  readonly lagMs: number;
  readonly transactions: number;
}

/** Late this many times in a row: one long turn is no overload. */
const LATE_SAMPLES = 3;
/** Must be well for this long before new calls are welcome again, ms. */
const RECOVERY_MS = 5_000;
/** What counts as well, as a part of the limit. */
const WELL = { lag: 0.5, transactions: 0.8 } as const;

/**
 * Whether there is more to do than can be done. New calls and registrations are sent away then, so
 * that those that stand go on (RFC 3261 21.5.4).
 */
export class Overload {
  readonly limits: OverloadLimits;
  #late = 0;
  #reasons: readonly string[] = [];
  #wellSince: Instant | undefined;
  #last: LoadSample = { lagMs: 0, transactions: 0 };

  constructor(limits: OverloadLimits) {
    this.limits = limits;
  }

  get isActive(): boolean {
    return this.#reasons.length > 0;
  }

  /** Sentences; none: all is well. */
  get reasons(): readonly string[] {
    return this.#reasons;
  }

  get last(): LoadSample {
    return this.#last;
  }

  sample(load: LoadSample, now: Instant): void {
    this.#last = load;
    const { lagMs, transactions } = this.limits;
    this.#late = load.lagMs >= lagMs ? this.#late + 1 : 0;
    const reasons = [
      ...this.#late >= LATE_SAMPLES
        ? [`The event loop is ${Math.round(load.lagMs)} ms late, ${lagMs} ms are too much`]
        : [],
      ...load.transactions >= transactions
        ? [`${load.transactions} SIP transactions are alive, ${transactions} are too many`]
        : [],
    ];
    if (reasons.length > 0) {
      this.#reasons = reasons;
      this.#wellSince = undefined;
      return;
    }
    if (!this.isActive) return;
    const isWell = load.lagMs < lagMs * WELL.lag &&
      load.transactions < transactions * WELL.transactions;
    if (!isWell) {
      this.#wellSince = undefined;
      return;
    }
    this.#wellSince ??= now;
    if (now - this.#wellSince >= RECOVERY_MS) {
      this.#reasons = [];
      this.#wellSince = undefined;
    }
  }
}
