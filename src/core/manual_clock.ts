import type { Clock, Instant, Timer } from "./clock.ts";

interface Entry {
  at: Instant;
  order: number;
  fn: () => void;
  index: number;
}

/**
 * A clock that moves only when told to. Timers fire in order of time, then of creation; deferred
 * functions run before time moves. A minute of calls takes as long as its events take.
 */
export class ManualClock implements Clock {
  #now: Instant = 0;
  #order = 0;
  readonly #heap: Entry[] = [];
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
    return this.#heap.length;
  }

  setTimeout(fn: (...args: unknown[]) => void, ms: number): Timer {
    const entry: Entry = {
      at: this.#now + Math.max(0, ms),
      order: this.#order++,
      fn,
      index: this.#heap.length,
    };
    this.#heap.push(entry);
    this.#up(entry.index);
    return entry;
  }

  clearTimeout(timer: Timer): void {
    const entry = timer as Entry | undefined;
    if (entry && entry.index >= 0 && this.#heap[entry.index] === entry) this.#remove(entry);
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
    for (let next = this.#heap[0]; next && next.at <= end; next = this.#heap[0]) {
      this.#fire(next);
    }
    this.#now = end;
  }

  /** Moves to the next timer and fires it; false where there is none. */
  step(): boolean {
    this.flush();
    const next = this.#heap[0];
    if (!next) return false;
    this.#fire(next);
    return true;
  }

  #fire(entry: Entry): void {
    this.#now = Math.max(this.#now, entry.at);
    this.#remove(entry);
    entry.fn();
    this.flush();
  }

  #remove(entry: Entry): void {
    const last = this.#heap.pop()!;
    if (last !== entry) {
      this.#heap[entry.index] = last;
      last.index = entry.index;
      this.#up(last.index);
      this.#down(last.index);
    }
    entry.index = -1;
  }

  #before(a: Entry, b: Entry): boolean {
    return a.at < b.at || (a.at === b.at && a.order < b.order);
  }

  #swap(i: number, j: number): void {
    const a = this.#heap[i]!;
    const b = this.#heap[j]!;
    this.#heap[i] = b;
    this.#heap[j] = a;
    a.index = j;
    b.index = i;
  }

  #up(start: number): void {
    for (let i = start; i > 0;) {
      const parent = (i - 1) >> 1;
      if (!this.#before(this.#heap[i]!, this.#heap[parent]!)) return;
      this.#swap(i, parent);
      i = parent;
    }
  }

  #down(start: number): void {
    for (let i = start;;) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2]) {
        const entry = this.#heap[child];
        if (entry && this.#before(entry, this.#heap[least]!)) least = child;
      }
      if (least === i) return;
      this.#swap(i, least);
      i = least;
    }
  }
}
