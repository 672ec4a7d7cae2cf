import type { Instant } from "../../core/clock.ts";

/** Turns of one period. */
const TURNS = 20;
/** As many share a turn before the next one is begun. */
const FULL = 64;

/**
 * Gives each of many its turn once a period, some at a time: all at once they would hold up the
 * packets that arrive meanwhile. A few share one turn, and there is none for nobody.
 */
export class TickWheel<T> {
  readonly #period: number;
  readonly #members: readonly Set<T>[];
  /** When each turn comes next; Infinity: it has no members. */
  readonly #due: Instant[];
  #next: Instant = Infinity;

  /** @param period ms */
  constructor(period: number) {
    this.#period = period;
    this.#members = Array.from({ length: TURNS }, () => new Set<T>());
    this.#due = this.#members.map(() => Infinity);
  }

  /** When `take` is wanted next. */
  get next(): Instant {
    return this.#next;
  }

  add(member: T, now: Instant): void {
    const free = this.#members.findIndex(({ size }) => size < FULL);
    const turn = free >= 0 ? free : this.#emptiest();
    this.#members[turn]!.add(member);
    if (this.#due[turn] === Infinity) this.#due[turn] = this.#first(turn, now);
    this.#next = Math.min(this.#next, this.#due[turn]!);
  }

  delete(member: T): void {
    const turn = this.#members.findIndex((members) => members.delete(member));
    if (turn < 0 || this.#members[turn]!.size > 0) return;
    this.#due[turn] = Infinity;
    this.#next = Math.min(...this.#due);
  }

  /** Whose turn it is, if anybody's. A late turn is not made up for. */
  take(now: Instant): ReadonlySet<T> | null {
    if (now < this.#next) return null;
    const turn = this.#due.indexOf(this.#next);
    const due = this.#next + this.#period;
    this.#due[turn] = due > now ? due : now + this.#period;
    this.#next = Math.min(...this.#due);
    return this.#members[turn]!;
  }

  #emptiest(): number {
    const sizes = this.#members.map(({ size }) => size);
    return sizes.indexOf(Math.min(...sizes));
  }

  /** Turns keep their distance from each other. */
  #first(turn: number, now: Instant): Instant {
    const other = this.#due.findIndex((due) => due < Infinity);
    if (other < 0) return now + this.#period;
    const away = this.#due[other]! + (turn - other) * this.#period / TURNS - now;
    return now + away - (Math.ceil(away / this.#period) - 1) * this.#period;
  }
}
