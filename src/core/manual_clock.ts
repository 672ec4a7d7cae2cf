import type { Clock, Instant, Timer } from "./clock.ts";
import { type TimerEntry, TimerQueue } from "./timer_queue.ts";

/**
 * A clock that moves only when told to. Timers fire in order of time, then of creation; deferred
 * functions run before time moves. A minute of calls takes as long as its events take.
 */
export class ManualClock implements Clock {
  #now: Instant = 0;
  readonly #timers = new TimerQueue<() => void>();
  #deferred: (() => void)[] = [];
  readonly #epochStart: number;

  /** @param epochStart wall clock at time 0, ms since 1970 */
  constructor(epochStart = Date.UTC(2026, 0, 1)) {
    this.#epochStart = epochStart;
  }

  now(): Instant {
    return this.#now;
  }

  epoch(): number {
    return this.#epochStart + this.#now;
  }

  /** Timers set and neither fired nor cleared: zero when nothing is left over. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  setTimeout(fn: (...args: unknown[]) => void, ms: number): Timer {
    return this.#timers.add(this.#now + Math.max(0, ms), fn);
  }

  clearTimeout(timer: Timer): void {
    if (timer !== undefined) this.#timers.remove(timer as TimerEntry<() => void>);
  }

  defer(fn: () => void): void {
    this.#deferred.push(fn);
  }

  /** Runs everything deferred, until nothing is. */
  flush(): void {
    while (this.#deferred.length > 0) {
      const batch = this.#deferred;
      this.#deferred = [];
      for (const fn of batch) fn();
    }
  }

  /** Moves time forward by `ms`, firing what falls due on the way. */
  advance(ms: number): void {
    const end = this.#now + ms;
    this.flush();
    for (let next = this.#timers.first; next && next.at <= end; next = this.#timers.first) {
      this.#fire(next);
    }
    this.#now = end;
  }

  /** Moves to the next timer and fires it; false where there is none. */
  step(): boolean {
    this.flush();
    const next = this.#timers.first;
    if (!next) return false;
    this.#fire(next);
    return true;
  }

  #fire(entry: TimerEntry<() => void>): void {
    this.#now = Math.max(this.#now, entry.at);
    this.#timers.remove(entry);
    entry.value();
    this.flush();
  }
}
