import type { Clock, Timer } from "../clock.ts";

/** The longest wait that the platform's timers keep; a longer one would fire at once. */
const LONGEST_MS = 2 ** 31 - 1;

type PlatformTimer = ReturnType<typeof setTimeout>;

/** A wait of several platform timers in a row. */
class LongTimer {
  #id: PlatformTimer | undefined;

  constructor(fn: () => void, ms: number) {
    this.#wait(fn, ms);
  }

  #wait(fn: () => void, ms: number): void {
    this.#id = ms > LONGEST_MS
      ? setTimeout(() => this.#wait(fn, ms - LONGEST_MS), LONGEST_MS)
      : setTimeout(fn, ms);
  }

  clear(): void {
    clearTimeout(this.#id);
  }
}

/** The machine's own time. */
export const systemClock: Clock = {
  now: () => performance.now(),
  epoch: () => Date.now(),
  setTimeout(fn: (...args: unknown[]) => void, ms: number): Timer {
    return ms > LONGEST_MS ? new LongTimer(fn, ms) : setTimeout(fn, ms);
  },
  clearTimeout(timer: Timer): void {
    if (timer instanceof LongTimer) timer.clear();
    else clearTimeout(timer as PlatformTimer | undefined);
  },
  defer: (fn: () => void) => queueMicrotask(fn),
};
