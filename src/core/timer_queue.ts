import type { Instant } from "./clock.ts";

/** A pending entry of a `TimerQueue`; hold it to remove it. */
export interface TimerEntry<T> {
  readonly at: Instant;
  readonly value: T;
  /** Place in the heap, -1 once out of it. Not for callers. */
  index: number;
  readonly order: number;
}

/**
 * What a sans-IO core waits for, by time and then by order of creation: an indexed binary heap, so
 * that a cleared timer is gone at once and nothing lingers.
 */
export class TimerQueue<T> {
  readonly #heap: TimerEntry<T>[] = [];
  #order = 0;

  get size(): number {
    return this.#heap.length;
  }

  /** The entry that is due first. */
  get first(): TimerEntry<T> | undefined {
    return this.#heap[0];
  }

  add(at: Instant, value: T): TimerEntry<T> {
    const entry: TimerEntry<T> = { at, value, index: this.#heap.length, order: this.#order++ };
    this.#heap.push(entry);
    this.#up(entry.index);
    return entry;
  }

  /** Takes an entry out; one that is out already is ignored. */
  remove(entry: TimerEntry<T>): void {
    if (entry.index < 0 || this.#heap[entry.index] !== entry) return;
    const last = this.#heap.pop()!;
    if (last !== entry) {
      this.#heap[entry.index] = last;
      last.index = entry.index;
      this.#up(last.index);
      this.#down(last.index);
    }
    entry.index = -1;
  }

  /** Takes out the first entry that is due at `now`; undefined where none is. */
  takeDue(now: Instant): T | undefined {
    const first = this.#heap[0];
    if (!first || first.at > now) return undefined;
    this.remove(first);
    return first.value;
  }

  #before(a: TimerEntry<T>, b: TimerEntry<T>): boolean {
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
      for (let child = 2 * i + 1; child <= 2 * i + 2; child++) {
        const entry = this.#heap[child];
        if (entry && this.#before(entry, this.#heap[least]!)) least = child;
      }
      if (least === i) return;
      this.#swap(i, least);
      i = least;
    }
  }
}
