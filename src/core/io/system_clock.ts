import type { Clock, Instant, Timer } from "../clock.ts";
import { type TimerEntry, TimerQueue } from "../timer_queue.ts";

/** The longest wait that the platform's timers keep; a longer one would fire at once. */
const LONGEST_MS = 2 ** 31 - 1;

type PlatformTimer = ReturnType<typeof setTimeout>;

/**
 * All waits of a thread in one heap behind one timer of the platform: each call sets and clears a
 * dozen, and the platform's own cost ten times as much.
 */
class SystemClock implements Clock {
  readonly #timers = new TimerQueue<() => void>();
  readonly #onAlarm = () => this.#ring();
  readonly #onDeferred = () => this.#flush();
  #alarm: PlatformTimer | undefined;
  #alarmAt: Instant = Infinity;
  #isRinging = false;
  #deferred: (() => void)[] = [];

  now(): Instant {
    return performance.now();
  }

  epoch(): number {
    return Date.now();
  }

  setTimeout(fn: (...args: unknown[]) => void, ms: number): Timer {
    // No wait is shorter than a millisecond: nobody starves others by waits of nothing.
    const timer = this.#timers.add(performance.now() + Math.max(1, ms), fn);
    if (timer.at < this.#alarmAt) this.#arm();
    return timer;
  }

  clearTimeout(timer: Timer): void {
    if (timer === undefined) return;
    this.#timers.remove(timer as TimerEntry<() => void>);
    // An alarm for nothing would keep the process, and rings once for nothing otherwise.
    if (this.#timers.size === 0 && !this.#isRinging) this.#disarm();
  }

  defer(fn: () => void): void {
    if (this.#deferred.push(fn) === 1) queueMicrotask(this.#onDeferred);
  }

  /** Also what is deferred meanwhile. */
  #flush(): void {
    while (this.#deferred.length > 0) {
      const batch = this.#deferred;
      this.#deferred = [];
      for (const fn of batch) attempt(fn);
    }
  }

  #ring(): void {
    this.#alarm = undefined;
    this.#isRinging = true;
    // What is set meanwhile is not due yet.
    const now = performance.now();
    for (let fn = this.#timers.takeDue(now); fn; fn = this.#timers.takeDue(now)) {
      attempt(fn);
      this.#flush();
    }
    this.#isRinging = false;
    this.#alarmAt = Infinity;
    this.#arm();
  }

  #arm(): void {
    const first = this.#timers.first;
    if (!first || this.#isRinging) return;
    this.#disarm();
    this.#alarmAt = first.at;
    const ms = Math.ceil(first.at - performance.now());
    this.#alarm = setTimeout(this.#onAlarm, Math.min(LONGEST_MS, Math.max(0, ms)));
  }

  #disarm(): void {
    if (this.#alarm !== undefined) clearTimeout(this.#alarm);
    this.#alarm = undefined;
    this.#alarmAt = Infinity;
  }
}

/** As if the platform had called it: a fault ends nobody else's wait. */
function attempt(fn: () => void): void {
  try {
    fn();
  } catch (error) {
    reportError(error);
  }
}

/** The machine's own time. */
export const systemClock: Clock = new SystemClock();
